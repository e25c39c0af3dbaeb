//! A file system that can be full: too small for RocksDB to reserve room for its log.

use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A file system in memory, taken away when dropped, or when the test process ends.
pub struct SmallDisk {
    path: PathBuf,
    guard: Child,
}

/// Takes the file system away when its standard input ends.
const GUARD: &str = "cat >/dev/null; umount -l \"$1\"";

impl SmallDisk {
    /// Mounts one of so many MiB at `path`; `None` where that is not allowed.
    pub fn mount(path: &Path, mebibytes: u32) -> Option<SmallDisk> {
        std::fs::create_dir_all(path).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={mebibytes}m"), "tmpfs"])
            .arg(path)
            .status();
        if !mounted.is_ok_and(|status| status.success()) {
            return None;
        }
        let guard = Command::new("sh")
            .args(["-c", GUARD, "disk-guard"])
            .arg(path)
            // Its own group: Ctrl-C is for the tests, whose end is what it waits for.
            .process_group(0)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let path = path.to_owned();
        Some(SmallDisk { path, guard })
    }

    /// Uses up all that is left.
    pub fn fill(&self) {
        let mut file = std::fs::File::create(self.filler()).unwrap();
        for size in [1 << 20, 4096, 1] {
            while file.write_all(&vec![0; size]).is_ok() {}
        }
    }

    /// Gives back what [`SmallDisk::fill`] used.
    pub fn free(&self) {
        std::fs::remove_file(self.filler()).unwrap();
    }

    fn filler(&self) -> PathBuf {
        self.path.join("filler")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        let unmounted = self.guard.wait();
        assert!(unmounted.is_ok_and(|status| status.success()) || std::thread::panicking());
    }
}
