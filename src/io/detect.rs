//! The first stage's loop: reads the sources, writes what matched, and how far time has come.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use rdkafka::message::{BorrowedMessage, Message as _};

use super::client::{Health, lock};
use super::clock;
use super::ends::{Answer, Ends, Question};
use super::group::{Committed, Event, Group, Partition};
use super::sink::{Message, Outcome, Progress, Sink};
use super::status::{self, Status};
use super::topics::Names;
use crate::config::{Config, Start};
use crate::detect::{Counts, DeadLetter, Detector, Output, SourcePartition};
use crate::plan::Plan;

/// What is waiting to be written is written when it is this much, however early.
const PENDING_BYTES_MAX: usize = 8 << 20;

/// The longest wait for a message: other things are due.
const WAIT: Duration = Duration::from_millis(100);

/// A source partition that is being read.
#[derive(Debug)]
struct Reading {
    source: SourcePartition,
    /// The offset to be read next.
    next: i64,
    /// As it was when its end was last asked for.
    asked: Option<i64>,
    lag: i64,
}

/// What the loop does next.
enum Next<'g> {
    Message(BorrowedMessage<'g>),
    Assigned(Vec<Partition>),
    Revoked { lost: bool },
    AskForEnds,
    Ends(Vec<Answer>),
    Commit,
    Wait,
    Stop,
}

/// The first stage.
pub struct Stage {
    config: Config,
    health: Arc<Health>,
    status: Arc<Status>,
    plan: Arc<Plan>,
    matches: Arc<str>,
    dead_letters: Arc<str>,
    detector: Detector,
    sink: Sink,
    ends: Ends,
    readings: BTreeMap<Partition, Reading>,
    /// Offsets have moved since the last commit.
    moved: bool,
    last_commit: Instant,
    last_mark: Instant,
    /// Called when the group has answered for the first time.
    ready: Option<Box<dyn FnOnce() + Send>>,
}

impl Stage {
    /// A stage that detects with `plan`.
    pub fn new(
        config: &Config,
        health: &Arc<Health>,
        status: &Arc<Status>,
        plan: Arc<Plan>,
        matches_partitions: u32,
        sink: Sink,
        ready: Box<dyn FnOnce() + Send>,
    ) -> Result<Stage> {
        let Names {
            matches,
            dead_letters,
            ..
        } = Names::of(&config.app);
        let detector = Detector::new(
            Arc::clone(&plan),
            matches_partitions,
            config.message_bytes_max,
        );
        Ok(Stage {
            detector,
            ends: Ends::start(config, health)?,
            config: config.clone(),
            health: Arc::clone(health),
            status: Arc::clone(status),
            plan,
            matches,
            dead_letters,
            sink,
            readings: BTreeMap::new(),
            moved: false,
            last_commit: clock::instant(),
            last_mark: clock::instant(),
            ready: Some(ready),
        })
    }

    /// Reads until the process is to stop; then commits what it has and leaves the group.
    pub fn run(mut self) -> Result<()> {
        let topics: Vec<&str> = self.config.sources.iter().map(String::as_str).collect();
        let name = format!("{}.detect", self.config.app);
        let group = Group::join(&self.config, &self.health, &name, &topics)?;
        loop {
            match self.next(&group)? {
                Next::Message(message) => self.read(&message),
                Next::Assigned(partitions) => self.assign(&group, &partitions)?,
                Next::Revoked { lost } => self.revoke(&group, lost)?,
                Next::AskForEnds => self.ask_for_ends()?,
                Next::Ends(answers) => self.mark(&answers),
                Next::Commit => self.commit(&group)?,
                Next::Wait => (),
                Next::Stop => break,
            }
        }
        self.commit(&group)?;
        self.ends.stop();
        Ok(())
    }

    fn next<'g>(&mut self, group: &'g Group) -> Result<Next<'g>> {
        if self.health.stopping() {
            return Ok(Next::Stop);
        }
        let since_commit = self.last_commit.elapsed();
        if since_commit >= self.config.commit_interval && self.has_work()
            || self.detector.pending_bytes() > PENDING_BYTES_MAX
        {
            return Ok(Next::Commit);
        }
        if let Some(answers) = self.ends.answer()? {
            return Ok(Next::Ends(answers));
        }
        if self.last_mark.elapsed() >= self.config.watermark_interval {
            return Ok(Next::AskForEnds);
        }
        let wait = match self.has_work() {
            true => self
                .config
                .commit_interval
                .saturating_sub(since_commit)
                .min(WAIT),
            false => WAIT.min(self.config.watermark_interval),
        };
        Ok(match group.next(wait.max(Duration::from_millis(1)))? {
            Event::Message(message) => Next::Message(message),
            Event::Assigned(partitions) => Next::Assigned(partitions),
            Event::Revoked { lost } => Next::Revoked { lost },
            Event::Nothing => Next::Wait,
        })
    }

    fn has_work(&self) -> bool {
        self.moved || self.detector.pending_bytes() > 0
    }

    fn read(&mut self, message: &BorrowedMessage<'_>) {
        let partition = (message.topic().to_owned(), message.partition());
        let Some(reading) = self.readings.get_mut(&partition) else {
            return;
        };
        let offset = message.offset();
        let timestamp = message.timestamp().to_millis();
        let payload = message.payload().unwrap_or_default();
        self.detector
            .read(reading.source, offset, timestamp, payload);
        reading.next = offset + 1;
        self.moved = true;
    }

    /// Has the ends looked for. What was seen so far is marked when the answer comes.
    fn ask_for_ends(&mut self) -> Result<()> {
        self.last_mark = clock::instant();
        let questions = self.readings.iter_mut().map(|(partition, reading)| {
            let still = reading.asked.replace(reading.next) == Some(reading.next);
            Question {
                partition: partition.clone(),
                next: reading.next,
                still,
            }
        });
        let questions = questions.collect();
        self.ends.ask(questions)
    }

    /// Writes watermark entries. An answer about a partition that has since been given back and
    /// got again, and is now before where it was, says nothing.
    fn mark(&mut self, answers: &[Answer]) {
        let mut at_end = Vec::new();
        for answer in answers {
            let Some(reading) = self.readings.get_mut(&answer.partition) else {
                continue;
            };
            reading.lag = answer.lag;
            if let Some(clock) = answer.at_end.filter(|_| reading.next >= answer.next) {
                at_end.push((reading.source, clock));
            }
        }
        self.detector.mark(&at_end);
        self.moved |= !self.readings.is_empty();
    }

    fn assign(&mut self, group: &Group, partitions: &[Partition]) -> Result<()> {
        tracing::info!(partitions = partitions.len(), "source partitions assigned");
        let offsets = self.open(group, partitions)?;
        group.assign(&offsets)?;
        if let Some(ready) = self.ready.take() {
            ready();
        }
        Ok(())
    }

    /// Finishes what has begun, and gives all partitions back.
    fn revoke(&mut self, group: &Group, lost: bool) -> Result<()> {
        tracing::info!(
            partitions = self.readings.len(),
            lost,
            "source partitions revoked"
        );
        if !lost && self.has_work() {
            self.write(group)?;
        }
        self.close();
        group.unassign()
    }

    /// Is ready to read `partitions`, and nothing else, where the last commit ended; these offsets.
    fn open(
        &mut self,
        group: &Group,
        partitions: &[Partition],
    ) -> Result<BTreeMap<Partition, i64>> {
        self.close();
        let committed = group.committed(partitions)?;
        let bounds = group.bounds(partitions)?;
        let mut offsets = BTreeMap::new();
        for partition in partitions {
            let bounds = bounds.get(partition).copied().unwrap_or((0, 0));
            let source = self.source(partition)?;
            let next = self.start(partition, committed.get(partition), bounds)?;
            self.detector.assign(source, next);
            offsets.insert(partition.clone(), next);
            let lag = bounds.1 - next;
            self.readings.insert(
                partition.clone(),
                Reading {
                    source,
                    next,
                    asked: None,
                    lag,
                },
            );
        }
        self.report(Counts::default(), 0);
        Ok(offsets)
    }

    fn close(&mut self) {
        for reading in std::mem::take(&mut self.readings).into_values() {
            self.detector.revoke(reading.source);
        }
        self.moved = false;
    }

    fn source(&self, (topic, partition): &Partition) -> Result<SourcePartition> {
        let place = self
            .plan
            .sources
            .iter()
            .position(|source| source.topic == *topic);
        let source = place.and_then(|place| self.plan.sources.get(place));
        match (place, source, u32::try_from(*partition)) {
            (Some(place), Some(source), Ok(partition)) if partition < source.partitions => {
                Ok(SourcePartition {
                    source: place as u32,
                    partition,
                })
            }
            _ => bail!(
                "source topic {topic} has got more partitions; the worker ends so that it starts \
                 with all of them"
            ),
        }
    }

    /// Where to start. The note at a committed offset is the epoch that it belongs to: one of
    /// before the topic was made anew means nothing.
    fn start(
        &self,
        (topic, partition): &Partition,
        committed: Option<&Committed>,
        (low, high): (i64, i64),
    ) -> Result<i64> {
        let epoch = self.epoch(topic).to_string();
        match committed.filter(|found| found.metadata.is_empty() || found.metadata == epoch) {
            None => Ok(match self.config.start {
                Start::Earliest => low,
                Start::Latest => high,
            }),
            Some(found) if found.offset > high => bail!(
                "source {topic}/{partition} ends at offset {high}, and was read to {}: the topic \
                 was made anew. Stop all workers, run `watchfire topics reset {topic}`, and start \
                 them again",
                found.offset
            ),
            Some(found) if found.offset < low => {
                let lost = low - found.offset;
                if !self.config.accept_incomplete_state {
                    bail!(
                        "source {topic}/{partition}: {lost} messages were deleted by its \
                         retention before they were read. Start with --accept-incomplete-state \
                         to go on without them"
                    );
                }
                tracing::warn!(topic, partition, lost, "going on without deleted messages");
                Ok(low)
            }
            Some(found) => Ok(found.offset),
        }
    }

    fn epoch(&self, topic: &str) -> u32 {
        let source = self
            .plan
            .sources
            .iter()
            .find(|source| source.topic == topic);
        source.map_or(0, |source| source.epoch)
    }

    fn commit(&mut self, group: &Group) -> Result<()> {
        if self.has_work() && !self.write(group)? {
            let partitions: BTreeSet<Partition> = self.readings.keys().cloned().collect();
            let partitions: Vec<Partition> = partitions.into_iter().collect();
            let offsets = self.open(group, &partitions)?;
            group.seek(&offsets)?;
        }
        Ok(())
    }

    /// Writes and commits; false: it has to be done again from the committed offsets.
    fn write(&mut self, group: &Group) -> Result<bool> {
        self.last_commit = clock::instant();
        let Output {
            messages,
            dead_letters,
            counts,
        } = self.detector.take();
        let dead = dead_letters.len();
        let messages = self.messages(messages, dead_letters);
        let outcome = self.sink.commit(group, &messages, &self.progress())?;
        self.moved = false;
        match outcome {
            Outcome::Committed => {
                self.report(counts, dead);
                lock(&self.status.detecting).commits += 1;
                Ok(true)
            }
            Outcome::Dropped(why) => {
                tracing::warn!(why, "what was read is dropped, and read again");
                lock(&self.status.detecting).recoveries += 1;
                Ok(false)
            }
        }
    }

    fn progress(&self) -> Vec<Progress> {
        let progress = self.readings.iter().map(|(partition, reading)| Progress {
            partition: partition.clone(),
            offset: reading.next,
            metadata: self.epoch(&partition.0).to_string(),
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
        let source = self.plan.sources.get(letter.source.source as usize);
        let mut headers = vec![
            ("reason", letter.reason.to_owned()),
            (
                "topic",
                source.map_or(String::new(), |source| source.topic.clone()),
            ),
            ("partition", letter.source.partition.to_string()),
            ("offset", letter.offset.to_string()),
            ("index", letter.index.to_string()),
        ];
        if letter.cut {
            headers.push(("cut", "true".to_owned()));
        }
        Message {
            topic: Arc::clone(&self.dead_letters),
            payload: letter.bytes,
            headers,
            ..Message::default()
        }
    }

    fn report(&self, counts: Counts, dead_letters: usize) {
        let mut detecting = lock(&self.status.detecting);
        detecting.partitions = self.readings.len();
        detecting.lag = self.readings.values().map(|reading| reading.lag).sum();
        detecting.dead_letters += dead_letters as u64;
        status::add(&mut detecting.counts, counts);
    }
}
