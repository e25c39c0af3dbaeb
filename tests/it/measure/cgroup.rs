//! A control group of Linux that limits what a process may take of memory, beneath that of the
//! tests: version 2, or the memory controller of version 1.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const ROOT: &str = "/sys/fs/cgroup";

/// Dropping it removes it; what ran in it must have ended.
pub struct Cgroup {
    folder: PathBuf,
}

impl Cgroup {
    /// A group with this limit; nothing where the machine lets the tests make none.
    pub fn limited(bytes: u64) -> Option<Cgroup> {
        let own = fs::read_to_string("/proc/self/cgroup").ok()?;
        let of = |name: &str| {
            let mut lines = own.lines().map(|line| line.splitn(3, ':'));
            lines.find_map(|mut parts| {
                let controllers = parts.nth(1)?;
                let path = parts.next()?.trim_start_matches('/');
                controllers
                    .split(',')
                    .any(|one| one == name)
                    .then(|| path.to_owned())
            })
        };
        let (root, limit, path) = match of("memory") {
            Some(path) => ("memory", "memory.limit_in_bytes", path),
            None => ("", "memory.max", of("")?),
        };
        let name = format!("watchfire-measure-{}", std::process::id());
        let folder = Path::new(ROOT).join(root).join(path).join(name);
        fs::create_dir(&folder).ok()?;
        let group = Cgroup { folder };
        fs::write(group.folder.join(limit), bytes.to_string()).ok()?;
        Some(group)
    }

    /// A command that runs `program` within it.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("sh");
        let enter = "echo $$ > \"$1\" && shift && exec \"$@\"";
        command
            .args(["-c", enter, "enter"])
            .arg(self.folder.join("cgroup.procs"))
            .arg(program);
        command
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // It goes as soon as what ran in it is gone.
        for _ in 0..50 {
            if fs::remove_dir(&self.folder).is_ok() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
    }
}
