//! Work that a thread of its own does, one piece after the other, while who asked goes on.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};

/// The thread, as who asks sees it. It ends by itself when nobody asks any more, without being
/// waited for: it may be waiting for brokers.
pub struct Beside<Work, Done> {
    name: &'static str,
    thread: JoinHandle<()>,
    work: SyncSender<Work>,
    done: Receiver<Done>,
    /// What comes of a piece of work is still to be taken.
    is_busy: bool,
}

impl<Work: Send + 'static, Done: Send + 'static> Beside<Work, Done> {
    /// Starts the thread of this name, which does `what`.
    pub fn start(
        name: &'static str,
        mut what: impl FnMut(Work) -> Done + Send + 'static,
    ) -> Result<Beside<Work, Done>> {
        let (work, asked) = sync_channel(1);
        let (tell, done) = sync_channel(1);
        let thread = Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                while let Ok(work) = asked.recv() {
                    if tell.send(what(work)).is_err() {
                        return;
                    }
                }
            })
            .context("no thread could be started")?;
        let is_busy = false;
        Ok(Beside {
            name,
            thread,
            work,
            done,
            is_busy,
        })
    }

    /// What comes of a piece of work is still to be taken.
    pub fn is_busy(&self) -> bool {
        self.is_busy
    }

    /// Has this done. What came of the work before must have been taken.
    pub fn ask(&mut self, work: Work) -> Result<()> {
        self.is_busy = true;
        self.work.send(work).map_err(|_| ended(self.name))
    }

    /// What came of the work, once, if it is done.
    pub fn answer(&mut self) -> Result<Option<Done>> {
        if !self.is_busy {
            return Ok(None);
        }
        match self.done.try_recv() {
            Ok(done) => Ok(Some(self.taken(done))),
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => Err(ended(self.name)),
        }
    }

    /// The same if it is done within `timeout`.
    pub fn answer_within(&mut self, timeout: Duration) -> Result<Option<Done>> {
        if !self.is_busy {
            return Ok(None);
        }
        match self.done.recv_timeout(timeout) {
            Ok(done) => Ok(Some(self.taken(done))),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(ended(self.name)),
        }
    }

    /// Waits until it is done; `None`: nothing was asked for.
    pub fn wait(&mut self) -> Result<Option<Done>> {
        if !self.is_busy {
            return Ok(None);
        }
        let done = self.done.recv().map_err(|_| ended(self.name))?;
        Ok(Some(self.taken(done)))
    }

    /// Ends the thread, and waits for that: then what it had is closed.
    pub fn end(self) -> Result<()> {
        let Beside {
            name, thread, work, ..
        } = self;
        drop(work);
        thread.join().map_err(|_| ended(name))
    }

    fn taken(&mut self, done: Done) -> Done {
        self.is_busy = false;
        done
    }
}

fn ended(name: &str) -> anyhow::Error {
    anyhow!("the thread {name} has ended; this is a bug in watchfire")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_piece_of_work_is_answered_once() {
        let mut beside = Beside::start("double", |number: u32| 2 * number).unwrap();
        assert_eq!(beside.answer().unwrap(), None);
        assert_eq!(beside.wait().unwrap(), None);
        beside.ask(4).unwrap();
        assert!(beside.is_busy());
        assert_eq!(beside.wait().unwrap(), Some(8));
        assert!(!beside.is_busy());
        assert_eq!(beside.answer().unwrap(), None);
        beside.ask(5).unwrap();
        let answer = beside.answer_within(Duration::from_secs(600)).unwrap();
        assert_eq!(answer, Some(10));
        beside.end().unwrap();
    }

    #[test]
    fn a_thread_that_has_ended_is_an_error() {
        let mut beside = Beside::start("panics", |text: &str| {
            assert!(text.is_empty(), "{text}");
        })
        .unwrap();
        beside.ask("on purpose").unwrap();
        assert!(beside.wait().is_err());
    }
}
