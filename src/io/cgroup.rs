//! How much memory the control group leaves to this process.

use std::path::{Path, PathBuf};

/// Where the kernel shows control groups.
const ROOT: &str = "/sys/fs/cgroup";

/// So many bytes; `None`: there is no limit, or none that can be seen.
pub fn memory_limit() -> Option<u64> {
    let groups = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let limits = groups.lines().flat_map(|line| files(Path::new(ROOT), line));
    limits.filter_map(|file| limit_in(&file)).min()
}

/// The files that limit the group that a line of `/proc/self/cgroup` names, and those around it.
fn files(root: &Path, line: &str) -> Vec<PathBuf> {
    let mut parts = line.splitn(3, ':').skip(1);
    let (Some(controllers), Some(group)) = (parts.next(), parts.next()) else {
        return Vec::new();
    };
    let (root, name) = match controllers {
        "" => (root.to_owned(), "memory.max"),
        "memory" => (root.join("memory"), "memory.limit_in_bytes"),
        _ => return Vec::new(),
    };
    let group = root.join(group.trim_start_matches('/'));
    let groups = group.ancestors().take_while(|path| path.starts_with(&root));
    groups.map(|path| path.join(name)).collect()
}

/// What a file says; `max`, or what no machine has, is none.
fn limit_in(file: &Path) -> Option<u64> {
    let text = std::fs::read_to_string(file).ok()?;
    let bytes = text.trim().parse().ok()?;
    (bytes < 1 << 50).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_limit_around_the_process_counts() {
        let root = tempfile::tempdir().unwrap();
        let group = root.path().join("system.slice/watchfire.service");
        std::fs::create_dir_all(&group).unwrap();
        std::fs::write(group.join("memory.max"), "536870912\n").unwrap();
        std::fs::write(root.path().join("system.slice/memory.max"), "max\n").unwrap();
        let least = |line| {
            let files = files(root.path(), line).into_iter();
            files.filter_map(|file| limit_in(&file)).min()
        };
        let line = "0::/system.slice/watchfire.service";
        assert_eq!(least(line), Some(512 << 20));
        std::fs::write(root.path().join("system.slice/memory.max"), "1000\n").unwrap();
        assert_eq!(least(line), Some(1000));
        assert_eq!(least("0::/elsewhere"), None);
        assert_eq!(least("5:cpu:/system.slice"), None);
        std::fs::create_dir_all(root.path().join("memory/docker")).unwrap();
        let file = root.path().join("memory/docker/memory.limit_in_bytes");
        std::fs::write(&file, "9223372036854771712").unwrap();
        assert_eq!(least("4:memory:/docker"), None);
        std::fs::write(&file, "2048").unwrap();
        assert_eq!(least("4:memory:/docker"), Some(2048));
    }
}
