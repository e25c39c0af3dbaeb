//! Backtests over files: reads them, detects on several threads, folds once.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use anyhow::{Result, anyhow};

use crate::detect::{Found, Matcher, Record};
use crate::incident::Incident;
use crate::io::files;
use crate::io::progress::Progress;
use crate::key::Origin;
use crate::plan::Plan;
use crate::record::Position;
use crate::replay::Replay;
use crate::shuffle::MatchedRecord;
use crate::time::Millis;

/// Bytes of input that one thread is handed at a time.
const BATCH_BYTES: usize = 1 << 20;

/// Refused records that are named; the rest is only counted.
const NAMED_MAX: usize = 20;

/// What a backtest has seen and found.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The incidents that stand at the end, by first_seen and id.
    pub incidents: Vec<Incident>,
    /// What went through.
    pub seen: Seen,
}

/// What went through a backtest.
#[derive(Debug, Default)]
pub struct Seen {
    /// Files.
    pub files: u64,
    /// Records.
    pub records: u64,
    /// Bytes of the messages, unpacked.
    pub bytes: u64,
    /// Records that matched a rule.
    pub matched: u64,
    /// Records refused.
    pub rejected: u64,
    /// The first of those refused: file, line, place in the line, reason.
    pub named: Vec<String>,
}

/// Some messages of one file.
struct Batch {
    file: usize,
    /// Line, timestamp and end of each message in `bytes`.
    messages: Vec<(i64, Option<Millis>, usize)>,
    bytes: Vec<u8>,
}

/// What detection made of some messages.
#[derive(Default)]
struct Detected {
    seen: Seen,
    matched: Vec<(usize, MatchedRecord)>,
}

/// Runs the rules of `plan` over the files that `inputs` name, on `threads` threads.
///
/// # Errors
///
/// A file cannot be read.
pub fn run(plan: &Arc<Plan>, inputs: &[PathBuf], threads: usize) -> Result<Outcome> {
    let files = files::list(inputs)?;
    let mut replay = Replay::new(Arc::clone(plan));
    let mut seen = Seen {
        files: files.len() as u64,
        ..Seen::default()
    };
    let mut take = |detected: Detected| {
        seen.add(detected.seen);
        for (file, record) in detected.matched {
            let name = files.get(file).map(|path| path.display().to_string());
            let topic = replay.topic(&name.unwrap_or_default());
            replay.add(
                &record,
                Origin {
                    topic,
                    partition: 0,
                },
            );
        }
    };
    let mut progress = Progress::start("backtest", total_bytes(&files));
    if threads <= 1 {
        on_this_thread(plan, &files, &mut progress, &mut take)?;
    } else {
        on_threads(plan, &files, threads, &mut progress, &mut take)?;
    }
    progress.finish();
    Ok(Outcome {
        incidents: replay.finish(),
        seen,
    })
}

fn on_this_thread(
    plan: &Plan,
    files: &[PathBuf],
    progress: &mut Progress,
    take: &mut dyn FnMut(Detected),
) -> Result<()> {
    let mut matcher = Matcher::new(plan);
    let bytes_read = AtomicU64::new(0);
    for (file, path) in files.iter().enumerate() {
        let mut detected = Detected::default();
        files::messages(path, &bytes_read, &mut |message| {
            progress.advance(bytes_read.swap(0, Ordering::Relaxed));
            detect(
                &mut matcher,
                (file, path),
                message.line as i64,
                message.timestamp,
                message.bytes,
                &mut detected,
            );
            Ok(())
        })?;
        take(detected);
    }
    Ok(())
}

fn on_threads(
    plan: &Plan,
    files: &[PathBuf],
    threads: usize,
    progress: &mut Progress,
    take: &mut dyn FnMut(Detected),
) -> Result<()> {
    let bytes_read = &AtomicU64::new(0);
    std::thread::scope(|scope| {
        let (found, detected) = sync_channel::<Detected>(2 * threads);
        let mut workers = Vec::new();
        for _ in 0..threads {
            let (batches, work) = sync_channel::<Batch>(2);
            let found = found.clone();
            scope.spawn(move || detect_batches(plan, files, &work, &found));
            workers.push(batches);
        }
        drop(found);
        let reader = scope.spawn(move || read_batches(files, &workers, bytes_read));
        for detected in detected {
            progress.advance(bytes_read.swap(0, Ordering::Relaxed));
            take(detected);
        }
        reader
            .join()
            .map_err(|_| anyhow!("the reading thread failed"))?
    })
}

/// Cuts the files into batches and hands them round.
fn read_batches(
    files: &[PathBuf],
    workers: &[SyncSender<Batch>],
    bytes_read: &AtomicU64,
) -> Result<()> {
    let mut turn = workers.iter().cycle();
    let mut send = |batch: Batch| match turn.next() {
        Some(worker) if !batch.messages.is_empty() => worker
            .send(batch)
            .map_err(|_| anyhow!("a detecting thread failed")),
        Some(_) | None => Ok(()),
    };
    for (file, path) in files.iter().enumerate() {
        let empty = || Batch {
            file,
            messages: Vec::new(),
            bytes: Vec::new(),
        };
        let mut batch = empty();
        files::messages(path, bytes_read, &mut |message| {
            batch.bytes.extend_from_slice(message.bytes);
            let end = batch.bytes.len();
            batch
                .messages
                .push((message.line as i64, message.timestamp, end));
            if batch.bytes.len() >= BATCH_BYTES {
                send(std::mem::replace(&mut batch, empty()))?;
            }
            Ok(())
        })?;
        send(batch)?;
    }
    Ok(())
}

fn detect_batches(
    plan: &Plan,
    files: &[PathBuf],
    work: &Receiver<Batch>,
    found: &SyncSender<Detected>,
) {
    let mut matcher = Matcher::new(plan);
    for batch in work {
        let mut detected = Detected::default();
        let Some(path) = files.get(batch.file) else {
            continue;
        };
        let mut begin = 0;
        for (line, timestamp, end) in batch.messages {
            let bytes = batch.bytes.get(begin..end).unwrap_or_default();
            let file = (batch.file, path.as_path());
            detect(&mut matcher, file, line, timestamp, bytes, &mut detected);
            begin = end;
        }
        if found.send(detected).is_err() {
            return;
        }
    }
}

fn detect(
    matcher: &mut Matcher,
    (file, path): (usize, &Path),
    line: i64,
    sent: Option<Millis>,
    bytes: &[u8],
    detected: &mut Detected,
) {
    let Detected { seen, matched } = detected;
    seen.bytes += bytes.len() as u64;
    matcher.each_record(bytes, sent, &mut |Record { index, outcome, .. }| {
        seen.records += 1;
        match outcome {
            Found::Rejected(reason) => seen.reject(path, line, index, reason),
            Found::Event { matched: None, .. } => {}
            Found::Event {
                matched: Some(record),
                ..
            } => {
                seen.matched += 1;
                let position = Position {
                    epoch: 0,
                    offset: line,
                    index,
                };
                matched.push((file, MatchedRecord { position, ..record }));
            }
        }
    });
}

impl Seen {
    fn reject(&mut self, path: &Path, line: i64, index: u32, reason: &str) {
        self.rejected += 1;
        if self.named.len() < NAMED_MAX {
            let line = line + 1;
            self.named.push(format!(
                "{}:{line}: record {index}: {reason}",
                path.display()
            ));
        }
    }

    fn add(&mut self, more: Seen) {
        self.records += more.records;
        self.bytes += more.bytes;
        self.matched += more.matched;
        self.rejected += more.rejected;
        self.named.extend(more.named);
        self.named.truncate(NAMED_MAX);
    }
}

/// Bytes of all files, packed as they are; `None` where one cannot be asked.
fn total_bytes(files: &[PathBuf]) -> Option<u64> {
    let sizes = files
        .iter()
        .map(|path| std::fs::metadata(path).map(|meta| meta.len()).ok());
    sizes.sum()
}
