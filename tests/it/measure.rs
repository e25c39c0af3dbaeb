//! Measurements on the real thing: `make measure`, or `make measure WHAT=name` for one of them.
//!
//! They are tests that are ignored otherwise. They hold what must be right, and no times: those
//! are printed, and written to the file that `WATCHFIRE_MEASURE_FILE` names.

mod activity;
mod cgroup;
mod figures;
mod fold;
mod frozen;
mod hostile;
mod lab;
mod memory;
mod million;
mod quota;
mod rebalance;
mod recovery_disk;
mod recovery_log;
mod slow_output;
mod soak;
mod usage;

pub use activity::MEASURED;
pub use figures::Figures;

/// The number that `WATCHFIRE_TEST_<name>` says, or what is usual.
fn number(name: &str, usual: u64) -> u64 {
    let said = std::env::var(format!("WATCHFIRE_TEST_{name}"));
    said.map_or(usual, |text| text.parse().unwrap())
}
