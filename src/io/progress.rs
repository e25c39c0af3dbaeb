//! How far long work has come, for the person who waits for it.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::clock;

/// Between two lines in the log where there is no terminal.
const LOG_INTERVAL: Duration = Duration::from_secs(10);

const BAR: &str = "{prefix} [{wide_bar}] {bytes}/{total_bytes} {bytes_per_sec} {eta} left";

const SPINNER: &str = "{prefix} {spinner} {bytes} {bytes_per_sec} for {elapsed}";

/// A bar with bytes, rate and time left on standard error if that is a terminal, else a line in
/// the log now and then.
pub struct Progress {
    what: &'static str,
    bar: ProgressBar,
    logs: bool,
    logged_at: Instant,
}

impl Progress {
    /// Begins to show work on `total_bytes`; `None`: nobody knows how many.
    pub fn start(what: &'static str, total_bytes: Option<u64>) -> Progress {
        let has_terminal = std::io::stderr().is_terminal();
        let target = match has_terminal {
            true => ProgressDrawTarget::stderr(),
            false => ProgressDrawTarget::hidden(),
        };
        let bar = ProgressBar::with_draw_target(total_bytes, target);
        bar.set_style(style(total_bytes.is_some()));
        bar.set_prefix(what);
        Progress {
            what,
            bar,
            logs: !has_terminal,
            logged_at: clock::instant(),
        }
    }

    /// `bytes` more are done.
    pub fn advance(&mut self, bytes: u64) {
        self.bar.inc(bytes);
        if self.logs && self.logged_at.elapsed() >= LOG_INTERVAL {
            self.logged_at = clock::instant();
            let (done, total) = (self.bar.position(), self.bar.length());
            tracing::info!(
                what = self.what,
                done_bytes = done,
                total_bytes = total,
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
fn style(has_total: bool) -> ProgressStyle {
    let (plain, template) = match has_total {
        true => (ProgressStyle::default_bar(), BAR),
        false => (ProgressStyle::default_spinner(), SPINNER),
    };
    plain.clone().template(template).unwrap_or(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_understood() {
        fn check(has_total: bool, template: &str) {
            assert!(ProgressStyle::with_template(template).is_ok());
            let mut progress = Progress::start("reading", has_total.then_some(10));
            progress.advance(10);
            assert_eq!(progress.bar.position(), 10);
            progress.finish();
        }
        check(true, BAR);
        check(false, SPINNER);
    }
}
