//! How far long work has come, for the person who waits for it.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::clock;

/// Between two lines in the log where there is no terminal.
const LOG_INTERVAL: Duration = Duration::from_secs(10);

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Bytes, shown in MiB and the like.
    Bytes,
    /// Messages.
    Messages,
    /// Parts of a whole, shown as per cent.
    Parts,
}

impl Unit {
    /// Where the total is known, and where it is not.
    fn templates(self) -> (&'static str, &'static str) {
        match self {
            Unit::Bytes => (
                "{prefix} [{wide_bar}] {bytes}/{total_bytes} {bytes_per_sec} {eta} left",
                "{prefix} {spinner} {bytes} {bytes_per_sec} for {elapsed}",
            ),
            Unit::Messages => (
                "{prefix} [{wide_bar}] {human_pos}/{human_len} messages {per_sec} {eta} left",
                "{prefix} {spinner} {human_pos} messages {per_sec} for {elapsed}",
            ),
            Unit::Parts => (
                "{prefix} [{wide_bar}] {percent}% {eta} left",
                "{prefix} {spinner} for {elapsed}",
            ),
        }
    }
}

/// A bar with what is done, rate and time left on standard error if that is a terminal, else a line
/// in the log now and then.
pub struct Progress {
    what: &'static str,
    unit: Unit,
    bar: ProgressBar,
    logs: bool,
    logged_at: Instant,
}

impl Progress {
    /// Begins to show work on `total`; `None`: nobody knows how much.
    pub fn start(what: &'static str, unit: Unit, total: Option<u64>) -> Progress {
        let has_terminal = std::io::stderr().is_terminal();
        let target = match has_terminal {
            true => ProgressDrawTarget::stderr(),
            false => ProgressDrawTarget::hidden(),
        };
        let bar = ProgressBar::with_draw_target(total, target);
        bar.set_style(style(unit, total.is_some()));
        bar.set_prefix(what);
        Progress {
            what,
            unit,
            bar,
            logs: !has_terminal,
            logged_at: clock::instant(),
        }
    }

    /// So much more is done.
    pub fn advance(&mut self, more: u64) {
        self.at(self.bar.position() + more);
    }

    /// So much is done in all.
    pub fn at(&mut self, done: u64) {
        self.bar.set_position(done);
        if self.logs && self.logged_at.elapsed() >= LOG_INTERVAL {
            self.logged_at = clock::instant();
            let unit = match self.unit {
                Unit::Bytes => "bytes",
                Unit::Messages => "messages",
                Unit::Parts => "parts",
            };
            let (rate, left) = (self.bar.per_sec() as u64, self.bar.eta().as_secs());
            let total = self.bar.length();
            tracing::info!(
                what = self.what,
                unit,
                done,
                total,
                per_second = rate,
                seconds_left = total.map(|_| left),
                "progress"
            );
        }
    }

    /// Takes the bar away: the work is done, or something else is to be said.
    pub fn finish(self) {
        self.bar.finish_and_clear();
    }
}

/// The bar where the total is known, a spinner where not; indicatif's own plain one in place of
/// a template that it does not take.
fn style(unit: Unit, has_total: bool) -> ProgressStyle {
    let (bar, spinner) = unit.templates();
    let (plain, template) = match has_total {
        true => (ProgressStyle::default_bar(), bar),
        false => (ProgressStyle::default_spinner(), spinner),
    };
    plain.clone().template(template).unwrap_or(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_understood() {
        fn check(unit: Unit, has_total: bool) {
            let (bar, spinner) = unit.templates();
            assert!(ProgressStyle::with_template(bar).is_ok());
            assert!(ProgressStyle::with_template(spinner).is_ok());
            let mut progress = Progress::start("reading", unit, has_total.then_some(10));
            progress.advance(10);
            assert_eq!(progress.bar.position(), 10);
            progress.finish();
        }
        for unit in [Unit::Bytes, Unit::Messages, Unit::Parts] {
            check(unit, true);
            check(unit, false);
        }
    }
}
