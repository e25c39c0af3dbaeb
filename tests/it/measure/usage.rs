//! What a process takes, as /proc tells.

use std::path::Path;

/// Ticks of a second, in which processor time is told: fixed on Linux.
const TICKS: f64 = 100.0;

/// What a process takes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// Seconds of processor time so far.
    pub cpu_s: f64,
    /// Memory now, and the most so far.
    pub rss_mb: u64,
    pub peak_mb: u64,
}

/// What the process takes; nothing once it has ended.
pub fn of(process: u32) -> Usage {
    let read =
        |file: &str| std::fs::read_to_string(format!("/proc/{process}/{file}")).unwrap_or_default();
    let (status, stat) = (read("status"), read("stat"));
    let kilobytes = |name: &str| -> u64 {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let number = line.and_then(|line| line.split_whitespace().next());
        number.map_or(0, |number| number.parse().unwrap())
    };
    // The name of the program, in parentheses, may have blanks; the times are fields 14 and 15.
    let fields = stat.rsplit(") ").next().unwrap_or_default();
    let fields = fields.split_whitespace().skip(11).take(2);
    let ticks: f64 = fields.map(|field| field.parse::<f64>().unwrap()).sum();
    Usage {
        cpu_s: ticks / TICKS,
        rss_mb: kilobytes("VmRSS:") >> 10,
        peak_mb: kilobytes("VmHWM:") >> 10,
    }
}

/// Bytes of the files in a folder and all within.
pub fn bytes_in(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return 0;
    };
    let sizes = entries.filter_map(Result::ok).map(|entry| {
        // Files come and go while the worker runs.
        match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => bytes_in(&entry.path()),
            Ok(metadata) => metadata.len(),
            Err(_) => 0,
        }
    });
    sizes.sum()
}

#[test]
fn this_process_takes_something() {
    let usage = of(std::process::id());
    assert!(usage.rss_mb > 0 && usage.peak_mb >= usage.rss_mb);
}
