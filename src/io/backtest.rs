//! Backtests: read files and topics, detect on all threads, bring the matches into order, fold once
//! per key.
//!
//! What is in memory at a time is bounded: batches on their way, matches up to a limit beyond which
//! they go to disk, and one key for each thread. The incidents themselves are kept.

pub mod batch;

pub mod detect;

pub mod fold;

pub mod input;

pub mod matches;

pub mod publish;

pub mod seen;

pub mod topic;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, Error, Result, anyhow};

use crate::detect::Matcher;
use crate::detect::prefilter::Validate;
use crate::io::kafka::client::lock;
use crate::io::progress::{Progress, Unit};
use crate::plan::{LoadedRule, Plan};
use crate::record::Hash;
use crate::replay::Within;
use batch::Batch;
use detect::{Detected, Detecting, Name};
use fold::{Folded, Wanted};
use input::{Reading, Source};
use matches::Matches;
use seen::Seen;

/// What is to be done.
pub struct Request<'r> {
    /// The rules.
    pub plan: &'r Plan,
    /// What is read.
    pub sources: &'r [Source],
    /// Only incidents that begin then.
    pub within: Within,
    /// See [`Wanted`].
    pub sweep: Option<(u32, &'r [LoadedRule])>,
    /// See [`Wanted`].
    pub explain: Option<Hash>,
    /// Of which messages all records are read.
    pub validate: Validate,
    /// So many threads detect, and then fold. One does everything by itself, reading too.
    pub threads: usize,
    /// What the matches may take in memory, in bytes.
    pub memory_bytes: usize,
    /// Where they go beyond that, in a directory of their own.
    pub scratch: &'r Path,
    /// A file that cannot be read is an error, instead of being passed over.
    pub strict: bool,
    /// How far reading is, and whether to end it.
    pub reading: &'r Reading,
}

/// What the matches may take in memory where nothing else is said, in bytes.
pub const MEMORY_BYTES: usize = 1 << 30;

impl<'r> Request<'r> {
    /// All of `sources`, on one thread.
    pub fn new(plan: &'r Plan, sources: &'r [Source], reading: &'r Reading) -> Request<'r> {
        Request {
            plan,
            sources,
            within: Within::default(),
            sweep: None,
            explain: None,
            validate: Validate::All,
            threads: 1,
            memory_bytes: MEMORY_BYTES,
            scratch: Path::new("."),
            strict: false,
            reading,
        }
    }
}

/// What a backtest has seen and found.
#[derive(Debug)]
pub struct Outcome {
    /// What went through.
    pub seen: Seen,
    /// What came of it.
    pub folded: Folded,
    /// Whether the matches needed more memory than they may take.
    pub used_disk: bool,
    /// What evidence names as topics, by their places.
    pub topics: Vec<Arc<str>>,
}

/// Batches that wait for each thread that does not read.
const QUEUED: usize = 2;

/// Runs a backtest.
///
/// # Errors
///
/// A topic cannot be read; a file, where that is an error; or the disk fails.
pub fn run(request: &Request<'_>) -> Result<Outcome> {
    let names = names(request.sources);
    let collected = Mutex::new(Collected {
        seen: Seen {
            sources: request.sources.len() as u64,
            ..Seen::default()
        },
        matches: Matches::new(request.memory_bytes, request.scratch),
        progress: progress(request.sources),
    });
    read_and_detect(request, &names, &collected)?;
    let collected = collected.into_inner();
    let Collected {
        mut seen,
        matches,
        progress,
    } = collected.unwrap_or_else(PoisonError::into_inner);
    progress.finish();
    seen.interrupted = request.reading.stopped();
    let ordered = matches.finish()?;
    let topics = topics(&names);
    let wanted = Wanted {
        plan: request.plan,
        within: request.within,
        topics: &topics,
        sweep: request.sweep,
        explain: request.explain,
        threads: request.threads,
    };
    Ok(Outcome {
        seen,
        folded: fold::fold(&ordered, &wanted)?,
        used_disk: ordered.is_on_disk(),
        topics,
    })
}

/// What the sources are called.
fn names(sources: &[Source]) -> Vec<Name> {
    let mut names: Vec<Name> = Vec::new();
    let mut topics = 0;
    for source in sources {
        let text = source.name();
        let is_file = matches!(source, Source::File(_));
        let known = names
            .iter()
            .find(|name| !is_file && !name.is_file && name.text == text);
        let topic = known.map_or(topics, |name| name.topic);
        topics = topics.max(topic + 1);
        names.push(Name {
            topic,
            text,
            is_file,
        });
    }
    names
}

fn progress(sources: &[Source]) -> Progress {
    let total = sources.iter().map(Source::size).sum();
    let is_topic = |source: &Source| matches!(source, Source::Topic(_));
    let unit = match sources.iter().all(is_topic) {
        true => Unit::Messages,
        false => Unit::Bytes,
    };
    Progress::start("reading", unit, Some(total))
}

/// The names, each once, by their places.
fn topics(names: &[Name]) -> Vec<Arc<str>> {
    let mut topics: Vec<Arc<str>> = Vec::new();
    for name in names {
        if name.topic as usize == topics.len() {
            topics.push(name.text.as_str().into());
        }
    }
    topics
}

/// What has been found so far.
struct Collected<'r> {
    seen: Seen,
    matches: Matches<'r>,
    progress: Progress,
}

/// Reads all sources and detects in what they hold. Each thread reads a source that nobody else
/// reads, hands what it has read to threads that have nothing to read, and where those have enough
/// to do, detects in it itself.
fn read_and_detect<'r>(
    request: &Request<'r>,
    names: &[Name],
    collected: &Mutex<Collected<'r>>,
) -> Result<()> {
    let others = request.threads.saturating_sub(1);
    let sources = Mutex::new(request.sources.iter().enumerate());
    let (queue, queued) = sync_channel(QUEUED * others);
    let queued = Mutex::new(queued);
    let matcher = Matcher::with(request.plan, request.validate);
    let work = |queue: SyncSender<Batch>| {
        let mut worker = Worker {
            request,
            collected,
            detecting: Detecting::new(request, names, matcher.clone()),
        };
        let done = worker
            .read(&sources, queue)
            .and_then(|()| worker.help(&queued));
        if done.is_err() {
            request.reading.stop.store(true, Ordering::Relaxed);
        }
        done
    };
    std::thread::scope(|scope| {
        let others: Vec<_> = (0..others)
            .map(|_| {
                let queue = queue.clone();
                scope.spawn(move || work(queue))
            })
            .collect();
        let own = work(queue);
        let others = others.into_iter().map(|other| {
            let done = other.join();
            done.unwrap_or_else(|_| Err(anyhow!("a thread panicked; this is a bug in watchfire")))
        });
        std::iter::once(own).chain(others).collect()
    })
}

/// One thread's work.
struct Worker<'w, 'r> {
    request: &'w Request<'r>,
    collected: &'w Mutex<Collected<'r>>,
    detecting: Detecting<'w>,
}

impl Worker<'_, '_> {
    /// Reads sources, one after the other. The end of all queues is the end of what is read.
    fn read<'s>(
        &mut self,
        sources: &Mutex<impl Iterator<Item = (usize, &'s Source)>>,
        queue: SyncSender<Batch>,
    ) -> Result<()> {
        let reading = self.request.reading;
        while !reading.stopped() {
            let Some(source) = lock(sources).next() else {
                return Ok(());
            };
            let place = source.0;
            let unreadable = input::read(source, reading, &mut |batch| {
                if !batch.is_large() {
                    match queue.try_send(batch.take()) {
                        Ok(()) => return Ok(()),
                        Err(TrySendError::Full(unsent) | TrySendError::Disconnected(unsent)) => {
                            *batch = unsent;
                        }
                    }
                }
                self.detect(batch)?;
                batch.clear();
                Ok(())
            })?;
            if let Some(error) = unreadable {
                let detected = passed_over(self.request, place, error)?;
                self.collect(detected)?;
            }
        }
        Ok(())
    }

    /// Detects in what others have read.
    fn help(&mut self, queued: &Mutex<Receiver<Batch>>) -> Result<()> {
        loop {
            let Ok(batch) = lock(queued).recv() else {
                return Ok(());
            };
            self.detect(&batch)?;
        }
    }

    fn detect(&mut self, batch: &Batch) -> Result<()> {
        let detected = self.detecting.detect(batch);
        self.collect(detected)
    }

    fn collect(&self, detected: Detected) -> Result<()> {
        let mut collected = lock(self.collected);
        let read = self.request.reading.read.load(Ordering::Relaxed);
        collected.progress.at(read);
        collected.seen.add(detected.seen);
        collected.matches.add(detected.rows)
    }
}

/// What is seen of a file that cannot be read, or not to its end.
fn passed_over(request: &Request<'_>, place: usize, error: Error) -> Result<Detected> {
    if request.strict {
        return Err(error).context("--strict: a file cannot be read");
    }
    let mut detected = Detected::default();
    detected.seen.pass_over(place, format!("{error:#}"));
    Ok(detected)
}

#[cfg(test)]
mod tests;
