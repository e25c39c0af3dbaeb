//! The state directory: what lies in it names users and what they did, so it is the worker's alone.

use std::fs::{self, DirBuilder, Permissions};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::Path;

use anyhow::{Context as _, Result};

/// Read, write and enter, for the owner.
const PRIVATE: u32 = 0o700;

/// Makes the directory if it is missing. One that others may read is narrowed; if that is not ours
/// to do, it is said.
///
/// # Errors
///
/// It cannot be made.
pub fn make(path: &Path) -> Result<()> {
    let failed = || format!("the state directory {} cannot be made", path.display());
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).with_context(failed)?;
    }
    if !path.exists() {
        let made = DirBuilder::new().mode(PRIVATE).create(path);
        made.with_context(failed)?;
    }
    let metadata = fs::metadata(path).with_context(failed)?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & !PRIVATE == 0 {
        return Ok(());
    }
    let narrowed = fs::set_permissions(path, Permissions::from_mode(PRIVATE));
    let (path, mode) = (path.display(), format!("{mode:03o}"));
    match narrowed {
        Ok(()) => tracing::info!(%path, mode, "others could read the state directory; not now"),
        Err(error) => tracing::warn!(
            %path,
            mode,
            %error,
            "others can read the state directory; make its mode 0700"
        ),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_directory_is_private() {
        fn check(name: &str, mode: Option<u32>) {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join(name);
            if let Some(mode) = mode {
                fs::create_dir_all(&path).unwrap();
                fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            }
            make(&path).unwrap();
            let found = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
            assert_eq!(found, PRIVATE, "{name} {mode:?}");
        }
        check("state", None);
        check("a/b/state", None);
        check("state", Some(0o755));
        check("state", Some(0o770));
        check("state", Some(0o700));
    }
}
