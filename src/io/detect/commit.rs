//! Commits, as the loop sees them: one begins, the loop goes on, and learns what became of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Result;

use super::refused::{self, Share};
use super::{DetectStage, Reading, note_of};
use crate::detect::watched::Watched;
use crate::detect::{Counts, DeadLetter, Output};
use crate::io::beside::Beside;
use crate::io::clock;
use crate::io::kafka::client::lock;
use crate::io::kafka::group::{Committed, Group, Membership};
use crate::io::kafka::sink::{Ended, Message, Progress, Sink};
use crate::io::stage::commits::Commits;
use crate::plan::Plan;

/// What is committed at once.
pub struct Batch {
    /// The membership under which it was read.
    membership: Membership,
    messages: Vec<Message>,
    progress: Vec<Progress>,
}

/// What is to be told once a commit has come about.
#[derive(Default)]
pub struct OnItsWay {
    counts: Counts,
    watched: Watched,
    /// With which it was detected.
    plan: Option<Arc<Plan>>,
    /// When the commit began.
    begun: Option<Instant>,
    /// The id by which the group knew us.
    member: Option<String>,
    refused: BTreeMap<&'static str, Share>,
    /// How much was still to be read when it began.
    lag: i64,
    /// When the ends were looked for by which that is known.
    looked: Option<Instant>,
    /// Messages that may have been read in an epoch before.
    perhaps_again: u64,
    /// What is to be noted of how far partitions were read.
    notes: Vec<(String, Vec<u8>)>,
    /// How far they were.
    progress: Vec<Progress>,
}

/// Commits that `sink` writes, on a thread of their own.
pub fn start(mut sink: Sink) -> Result<Commits<Batch>> {
    let rhythm = sink.rhythm();
    let writer = Beside::start("detect-commit", move |batch: Batch| Ended {
        outcome: sink.commit(&batch.membership, &batch.messages, &batch.progress),
        rhythm: sink.rhythm(),
    })?;
    Ok(Commits::new(writer, rhythm))
}

impl DetectStage {
    /// Begins to commit all that there is. No commit may be on its way.
    pub(super) fn begin_batch(&mut self, group: &Arc<Group>) -> Result<()> {
        let Output {
            messages,
            dead_letters,
            counts,
            watched,
        } = self.detector.take();
        self.commits.put_off();
        self.commits.moved = false;
        let progress = self.progress();
        let membership = Membership::of(group);
        self.on_its_way = OnItsWay {
            counts,
            watched,
            plan: Some(Arc::clone(&self.plans.in_use.plan)),
            begun: Some(clock::instant()),
            member: membership.id().map(str::to_owned),
            refused: refused::by_reason(&dead_letters),
            lag: self.lag(),
            looked: self.looked,
            perhaps_again: std::mem::take(&mut self.perhaps_again),
            notes: self.notes(),
            progress: progress.clone(),
        };
        let batch = Batch {
            membership,
            messages: self.messages(messages, dead_letters),
            progress,
        };
        self.commits.begin(batch)
    }

    /// The commit that was on its way has come about.
    pub(super) fn take_committed(&mut self) {
        let mut on_its_way = std::mem::take(&mut self.on_its_way);
        lock(&self.status.detecting).commits += 1;
        self.report(&on_its_way);
        self.say_refused(&on_its_way.refused);
        self.noting.note(std::mem::take(&mut on_its_way.notes));
        self.keep_committed(on_its_way.progress);
    }

    /// Keeps how far partitions are committed, for when brokers forget it.
    fn keep_committed(&mut self, progress: Vec<Progress>) {
        let committed = progress.into_iter().map(|of| {
            let Progress {
                partition,
                offset,
                metadata,
            } = of;
            (partition, Committed { offset, metadata })
        });
        self.committed.extend(committed);
    }

    /// What is due to be noted of how far the sources are read.
    fn notes(&mut self) -> Vec<(String, Vec<u8>)> {
        let noting = &mut self.noting;
        let due = self.readings.iter().filter(|(partition, reading)| {
            let read_to = &reading.read_to;
            noting.is_due(partition, read_to.epoch, read_to.is_known())
        });
        due.map(|(of, reading)| note_of(of, reading)).collect()
    }

    fn progress(&self) -> Vec<Progress> {
        let progress = self.readings.iter().map(|(partition, reading)| Progress {
            partition: partition.clone(),
            offset: reading.next,
            metadata: reading.read_to.to_text(),
        });
        progress.collect()
    }

    fn messages(&self, matches: Vec<(u32, Vec<u8>)>, dead: Vec<DeadLetter>) -> Vec<Message> {
        let matches = matches.into_iter().map(|(partition, payload)| Message {
            topic: Arc::clone(&self.matches),
            partition: i32::try_from(partition).ok(),
            payload,
            ..Message::default()
        });
        let dead = dead.into_iter().map(|letter| self.dead_letter(letter));
        matches.chain(dead).collect()
    }

    fn dead_letter(&self, letter: DeadLetter) -> Message {
        let source = self.sources().get(letter.source.source as usize);
        let topic = source.map_or("", |source| &source.topic);
        Message {
            topic: Arc::clone(&self.dead_letters),
            headers: letter.headers(topic),
            payload: letter.bytes,
            ..Message::default()
        }
    }

    /// How much is still to be read.
    pub(super) fn lag(&self) -> i64 {
        self.readings.values().map(Reading::lag).sum()
    }

    /// Tells the status what is to be read of partitions that are opened.
    pub(super) fn report_opened(&self) {
        self.report(&OnItsWay {
            lag: self.lag(),
            looked: self.looked,
            ..OnItsWay::default()
        });
    }

    /// Tells the status how far everything has come that is committed.
    fn report(&self, committed: &OnItsWay) {
        let mut detecting = lock(&self.status.detecting);
        detecting.partitions = self.readings.len();
        detecting.lag = Some(committed.lag);
        detecting.counts.add(&committed.counts);
        detecting.watch(committed.plan.as_deref(), &committed.watched);
        if let Some(begun) = committed.begun {
            detecting.committing.add(begun.elapsed().as_secs_f64());
            detecting.member.clone_from(&committed.member);
        }
        detecting.perhaps_again += committed.perhaps_again;
        if let (0, Some(looked)) = (committed.lag, committed.looked) {
            lock(&self.status.behind).detected(looked, clock::instant());
        }
    }
}
