//! Commits, as the loop sees them: one at a time, on a thread of its own.

use std::time::{Duration, Instant};

use anyhow::Result;

use crate::io::beside::Beside;
use crate::io::clock;
use crate::io::kafka::sink::{self, Ended, Rhythm};

/// The longest wait for a message: other things are due.
pub const WAIT: Duration = Duration::from_millis(100);

/// The shortest, while there is something to commit: what comes together is read together.
pub const WAIT_MIN: Duration = Duration::from_millis(1);

/// Commits of a stage.
pub struct Commits<Batch> {
    writer: Beside<Batch, Ended>,
    /// How often, and how much at once.
    pub rhythm: Rhythm,
    /// When the last one began.
    pub begun: Instant,
    /// Something was done since that is to be committed.
    pub moved: bool,
}

impl<Batch: Send + 'static> Commits<Batch> {
    /// Commits that `writer` makes, at first in this rhythm.
    pub fn new(writer: Beside<Batch, Ended>, rhythm: Rhythm) -> Commits<Batch> {
        Commits {
            writer,
            rhythm,
            begun: clock::instant(),
            moved: false,
        }
    }

    /// Begins one. None may be on its way.
    pub fn begin(&mut self, batch: Batch) -> Result<()> {
        self.writer.ask(batch)
    }

    /// None is to begin soon.
    pub fn put_off(&mut self) {
        self.begun = clock::instant();
    }

    /// One is on its way.
    pub fn is_busy(&self) -> bool {
        self.writer.is_busy()
    }

    /// None is on its way, and the last one began this long ago.
    pub fn may_begin(&self, interval: Duration) -> bool {
        !self.is_busy() && self.begun.elapsed() >= interval
    }

    /// What became of the one that was on its way, once, if that is known.
    pub fn ended(&mut self) -> Result<Option<Ended>> {
        self.writer.answer()
    }

    /// The same if it is known soon.
    pub fn ended_soon(&mut self) -> Result<Option<Ended>> {
        self.writer.answer_within(WAIT)
    }

    /// Waits for the one that is on its way, if one is.
    pub fn wait(&mut self) -> Result<Option<Ended>> {
        self.writer.wait()
    }

    /// Waits for it, whatever becomes of it.
    pub fn wait_out(&mut self) {
        sink::wait_out(&mut self.writer);
    }

    /// Ends the thread, and waits for that: then its client is closed.
    pub fn end(self) -> Result<()> {
        self.writer.end()
    }

    /// How long a message may be waited for while something is to be committed. If that `is_ready`
    /// it need not wait for more.
    pub fn patience(&self, is_ready: bool) -> Duration {
        if self.is_busy() {
            return WAIT_MIN;
        }
        let next = match is_ready {
            true => self.rhythm.soonest,
            false => self.rhythm.latest,
        };
        let left = next.saturating_sub(self.begun.elapsed());
        left.clamp(WAIT_MIN, WAIT)
    }
}
