//! What went wrong and when: times without a worker or without brokers, records that were refused,
//! sources that were replaced, work that was done again. Few entries, in a file of the state
//! directory, so that they are still known after a restart. Nothing is decided by them.

use std::collections::VecDeque;
use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};

use crate::time::Millis;

/// The file in the state directory.
const FILE: &str = "history.json";

/// The form of the file.
const FORMAT: u32 = 1;

/// So many entries are kept.
pub const ENTRIES_MAX: usize = 200;

/// What is alike and comes within this time after the last is one entry.
const TOGETHER: Millis = 3_600_000;

/// A worker that was away for less was restarted.
const RESTART: Millis = 30_000;

/// Between two notes that the worker runs.
const ALIVE: Millis = 10_000;

/// No file of ours is larger.
const BYTES_MAX: u64 = 1 << 20;

/// Characters of a text.
const TEXT_MAX: usize = 300;

/// What went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trouble {
    /// No worker had this state directory.
    NotRunning,
    /// No broker answered.
    BrokersAway,
    /// Records were refused.
    Refused,
    /// A source partition became another log.
    SourceReplaced,
    /// A commit did not come about, and work was done again.
    DoneAgain,
    /// Changed rules were refused.
    RulesRefused,
}

impl Trouble {
    /// All, in the order of the documentation.
    pub const ALL: [Trouble; 6] = [
        Trouble::NotRunning,
        Trouble::BrokersAway,
        Trouble::Refused,
        Trouble::SourceReplaced,
        Trouble::DoneAgain,
        Trouble::RulesRefused,
    ];

    /// Its name in the file, in metrics and on the page.
    pub fn name(self) -> &'static str {
        match self {
            Trouble::NotRunning => "not_running",
            Trouble::BrokersAway => "brokers_away",
            Trouble::Refused => "refused",
            Trouble::SourceReplaced => "source_replaced",
            Trouble::DoneAgain => "done_again",
            Trouble::RulesRefused => "rules_refused",
        }
    }
}

/// What trouble was about.
#[derive(Clone, Copy, Debug, Default)]
pub struct What<'w> {
    /// What is alike has the same.
    pub about: &'w str,
    /// Where it was first, or why.
    pub first: &'w str,
}

/// Trouble, and how often it came in a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// What.
    pub trouble: Trouble,
    /// What it was about: what is alike has the same.
    pub about: String,
    /// Where it was first, or why.
    pub first: String,
    /// When it began.
    pub from: Millis,
    /// When it was there last.
    pub to: Millis,
    /// How often.
    pub count: u64,
}

#[derive(Default, Serialize, Deserialize)]
struct Written {
    format: u32,
    /// When the worker was last known to run.
    alive: Millis,
    /// Oldest first.
    entries: VecDeque<Entry>,
}

/// What went wrong so far.
#[derive(Debug, Default)]
pub struct History {
    /// `None`: it is not kept.
    file: Option<PathBuf>,
    alive: Millis,
    entries: VecDeque<Entry>,
    /// Something has come since it was written.
    is_new: bool,
}

impl History {
    /// What is kept in a state directory, of a worker that starts now. A file that cannot be read
    /// is begun anew, which is said.
    pub fn open(state_dir: &Path, now: Millis) -> History {
        let file = state_dir.join(FILE);
        let Written { alive, entries, .. } = match read(&file) {
            Ok(written) => written.unwrap_or_default(),
            Err(error) => {
                let path = file.display().to_string();
                let error = format!("{error:#}");
                tracing::warn!(path, error, "the history of troubles is begun anew");
                Written::default()
            }
        };
        let mut history = History {
            file: Some(file),
            alive: now,
            entries,
            is_new: true,
        };
        history.cut();
        if alive > 0 && now - alive > RESTART {
            history.add(Entry {
                trouble: Trouble::NotRunning,
                about: String::new(),
                first: String::new(),
                from: alive,
                to: now,
                count: 1,
            });
        }
        history
    }

    /// Goes on with what is kept; what went wrong before that was known comes after it.
    pub fn follow(&mut self, kept: History) {
        let mut since = std::mem::replace(self, kept);
        self.entries.append(&mut since.entries);
        self.cut();
    }

    /// What is known, the latest last.
    pub fn entries(&self) -> impl DoubleEndedIterator<Item = &Entry> {
        self.entries.iter()
    }

    /// Notes that something went wrong so often.
    pub fn note(&mut self, trouble: Trouble, what: What<'_>, count: u64, now: Millis) {
        self.is_new = true;
        let about = cut(what.about);
        let mut known = self.entries.iter_mut().rev();
        let known = known.find(|known| (known.trouble, &known.about) == (trouble, &about));
        if let Some(known) = known.filter(|known| now - known.to <= TOGETHER) {
            known.to = known.to.max(now);
            known.count += count;
            return;
        }
        self.add(Entry {
            trouble,
            about,
            first: cut(what.first),
            from: now,
            to: now,
            count,
        });
    }

    /// Notes that the worker runs, and whether brokers answer. Called about once a second.
    pub fn tick(&mut self, are_brokers_up: bool, now: Millis) {
        let away = Trouble::BrokersAway;
        if !are_brokers_up {
            let last = self.entries.iter_mut().rev().find(|e| e.trouble == away);
            // It is the same absence while it is noted without a pause.
            match last.filter(|last| now - last.to < ALIVE) {
                Some(last) => last.to = now,
                None => self.add(Entry {
                    trouble: away,
                    about: String::new(),
                    first: String::new(),
                    from: now,
                    to: now,
                    count: 1,
                }),
            }
            self.is_new = true;
        }
        if now - self.alive >= ALIVE || now < self.alive {
            self.alive = now;
            self.is_new = true;
        }
    }

    /// What is to be written now: the file and its bytes; `None`: nothing.
    pub fn take_written(&mut self) -> Option<(PathBuf, Vec<u8>)> {
        if !std::mem::take(&mut self.is_new) {
            return None;
        }
        let written = Written {
            format: FORMAT,
            alive: self.alive,
            entries: self.entries.clone(),
        };
        let bytes = serde_json::to_vec(&written).ok()?;
        Some((self.file.clone()?, bytes))
    }

    fn add(&mut self, entry: Entry) {
        self.entries.push_back(entry);
        self.cut();
    }

    fn cut(&mut self) {
        let excess = self.entries.len().saturating_sub(ENTRIES_MAX);
        self.entries.drain(..excess);
    }
}

/// Writes the file so that a crash leaves the one before it or this one.
pub fn write((file, bytes): (PathBuf, Vec<u8>)) -> Result<()> {
    let new = file.with_extension("new");
    let mut made = fs::File::create(&new)?;
    made.write_all(&bytes)?;
    drop(made);
    fs::rename(&new, &file).with_context(|| file.display().to_string())
}

fn read(file: &Path) -> Result<Option<Written>> {
    let opened = match fs::File::open(file) {
        Ok(opened) => opened,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let mut bytes = Vec::new();
    opened.take(BYTES_MAX).read_to_end(&mut bytes)?;
    let written: Written = serde_json::from_slice(&bytes)?;
    ensure!(written.format == FORMAT, "of another version");
    Ok(Some(written))
}

fn cut(text: &str) -> String {
    text.chars().take(TEXT_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Millis = 60_000;

    fn told(history: &History) -> Vec<(Trouble, Millis, Millis, u64)> {
        let entries = history.entries();
        entries
            .map(|e| (e.trouble, e.from, e.to, e.count))
            .collect()
    }

    #[test]
    fn what_is_alike_is_one_entry_until_it_stays_away() {
        let mut history = History::default();
        for (about, minute) in [("a", 1), ("a", 30), ("b", 31), ("a", 200)] {
            let what = What { about, first: "" };
            history.note(Trouble::Refused, what, 2, minute * MINUTE);
        }
        let refused = |from, to, count| (Trouble::Refused, from * MINUTE, to * MINUTE, count);
        assert_eq!(
            told(&history),
            [refused(1, 30, 4), refused(31, 31, 2), refused(200, 200, 2)]
        );
        for number in 0..1_000 {
            let about = format!("{number}{}", "x".repeat(10_000));
            let (about, first) = (about.as_str(), about.as_str());
            history.note(Trouble::Refused, What { about, first }, 1, MINUTE);
        }
        assert_eq!(history.entries().count(), ENTRIES_MAX);
        let (_, bytes) = History {
            file: Some(PathBuf::new()),
            ..history
        }
        .take_written()
        .unwrap();
        assert!((bytes.len() as u64) < BYTES_MAX, "{}", bytes.len());
    }

    #[test]
    fn an_absence_of_the_brokers_is_one_entry() {
        let mut history = History::default();
        for second in 1..120 {
            history.tick(!(10..70).contains(&second), second * 1_000);
        }
        assert_eq!(told(&history), [(Trouble::BrokersAway, 10_000, 69_000, 1)]);
    }

    #[test]
    fn it_is_kept_and_tells_when_no_worker_ran() {
        let dir = tempfile::tempdir().unwrap();
        let keep = |history: &mut History| write(history.take_written().unwrap()).unwrap();
        let mut history = History::open(dir.path(), MINUTE);
        history.note(Trouble::DoneAgain, What::default(), 1, MINUTE);
        keep(&mut history);
        assert!(history.take_written().is_none());
        // A restart is no outage.
        let mut history = History::open(dir.path(), MINUTE + 20_000);
        assert_eq!(history.entries().count(), 1);
        history.tick(true, 2 * MINUTE);
        keep(&mut history);
        let history = History::open(dir.path(), 9 * MINUTE);
        let last = told(&history).pop();
        assert_eq!(last, Some((Trouble::NotRunning, 2 * MINUTE, 9 * MINUTE, 1)));
        for broken in ["", "{", "{\"format\":9,\"alive\":1,\"entries\":[]}", "[]"] {
            fs::write(dir.path().join(FILE), broken).unwrap();
            let history = History::open(dir.path(), 9 * MINUTE);
            assert_eq!(history.entries().count(), 0, "{broken}");
        }
    }
}
