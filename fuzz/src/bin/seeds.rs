//! Writes the inputs to begin with into the folder that is named: one folder for each target.

use std::path::Path;

use watchfire_fuzz::checks::Checks;

fn main() -> std::io::Result<()> {
    let folder = std::env::args_os().nth(1).unwrap_or_else(|| "seeds".into());
    for (number, (target, bytes)) in Checks::new().seeds().iter().enumerate() {
        let folder = Path::new(&folder).join(target);
        std::fs::create_dir_all(&folder)?;
        std::fs::write(folder.join(format!("seed-{number}")), bytes)?;
    }
    Ok(())
}
