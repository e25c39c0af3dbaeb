//! The first stage's loop: reads the sources, writes what matched, and how far time has come.

mod open;
mod refused;
mod unread;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use rdkafka::message::{BorrowedMessage, Message as _};

use super::client::{Health, lock};
use super::clock;
use super::ends::{Ends, Found, Question};
use super::group::{Event, Group, Member, Partition, Revoked, list_of};
use super::reload::{Ask, Plans};
use super::sink::{Message, Outcome, Progress, Sink};
use super::status::Status;
use super::topics::Names;
use crate::config::Config;
use crate::detect::{Counts, DeadLetter, Detector, Output, SourcePartition};
use crate::plan::InUse;
use refused::Refused;
use unread::Unread;

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
    /// What stood in it at the last look is before this offset.
    end: i64,
}

/// What the loop does next.
enum Next<'g> {
    Message(BorrowedMessage<'g>),
    Assigned(Vec<Partition>),
    Revoked(Revoked),
    AskForEnds,
    LookForUnread,
    Ends(Found),
    Switch(InUse),
    Commit,
    Wait,
}

/// The first stage.
pub struct Stage {
    config: Config,
    health: Arc<Health>,
    status: Arc<Status>,
    plans: Plans,
    matches_partitions: u32,
    matches: Arc<str>,
    dead_letters: Arc<str>,
    detector: Detector,
    sink: Sink,
    ends: Ends,
    /// When the ends were looked for that the readings have.
    looked: Option<Instant>,
    unread: Unread,
    refused: Refused,
    readings: BTreeMap<Partition, Reading>,
    /// Offsets have moved since the last commit.
    moved: bool,
    last_commit: Instant,
    last_mark: Instant,
    /// Called when the group has answered for the first time.
    ready: Option<Box<dyn FnOnce() + Send>>,
}

impl Stage {
    /// A stage that detects with the plan in use, until there is a newer one.
    pub fn new(
        config: &Config,
        health: &Arc<Health>,
        status: &Arc<Status>,
        plans: Plans,
        matches_partitions: u32,
        sink: Sink,
        ready: Box<dyn FnOnce() + Send>,
    ) -> Result<Stage> {
        let Names {
            matches,
            dead_letters,
            ..
        } = Names::of(&config.app);
        status.put_into_use(&plans.in_use.plan);
        let detector = Detector::new(
            Arc::clone(&plans.in_use.plan),
            matches_partitions,
            config.message_bytes_max,
        );
        Ok(Stage {
            detector,
            ends: Ends::start(config, health)?,
            looked: None,
            unread: Unread::new(config),
            refused: Refused::default(),
            config: config.clone(),
            health: Arc::clone(health),
            status: Arc::clone(status),
            plans,
            matches_partitions,
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
        let mut member = Member::new(
            &self.config,
            self.sink.identity(),
            "detect",
            &self.config.sources,
        );
        let mut group = member.join()?;
        while !self.health.stopping() {
            if let Err(error) = self.turn(&group) {
                group = member.join_again(group, error)?;
                self.close_all();
            }
        }
        self.commit(&group)
    }

    /// Does what is next.
    fn turn(&mut self, group: &Group) -> Result<()> {
        match self.next(group)? {
            Next::Message(message) => self.read(&message),
            Next::Assigned(partitions) => self.assign(group, &partitions)?,
            Next::Revoked(revoked) => self.revoke(group, &revoked)?,
            Next::AskForEnds => self.ask_for_ends()?,
            Next::LookForUnread => self.look_for_unread(group)?,
            Next::Ends(found) => self.mark(&found),
            Next::Switch(newer) => self.switch(group, newer)?,
            Next::Commit => self.commit(group)?,
            Next::Wait => (),
        }
        Ok(())
    }

    fn next<'g>(&mut self, group: &'g Group) -> Result<Next<'g>> {
        if let Ok(newer) = self.plans.newer.try_recv() {
            return Ok(Next::Switch(newer));
        }
        let since_commit = self.last_commit.elapsed();
        if since_commit >= self.sink.interval() && self.has_work()
            || self.detector.pending_bytes() > self.sink.batch_bytes()
        {
            return Ok(Next::Commit);
        }
        if let Some(found) = self.ends.answer()? {
            return Ok(Next::Ends(found));
        }
        if self.last_mark.elapsed() >= self.config.watermark_interval {
            return Ok(Next::AskForEnds);
        }
        if self.unread.is_due() {
            return Ok(Next::LookForUnread);
        }
        let wait = match self.has_work() {
            true => self.sink.interval().saturating_sub(since_commit).min(WAIT),
            false => WAIT.min(self.config.watermark_interval),
        };
        Ok(match group.next(wait.max(Duration::from_millis(1)))? {
            Event::Message(message) => Next::Message(message),
            Event::Assigned(partitions) => Next::Assigned(partitions),
            Event::Revoked(revoked) => Next::Revoked(revoked),
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
                probe: still,
            }
        });
        let questions: Vec<Question> = questions.collect();
        if questions.is_empty() {
            // Who has nothing to read is not behind with it.
            let now = clock::instant();
            lock(&self.status.behind).detected(now, now);
        }
        self.ends.ask(questions)
    }

    /// Has the group decide anew if there are partitions that nobody reads.
    fn look_for_unread(&mut self, group: &Group) -> Result<()> {
        let sources = self.sources().iter();
        let all = sources.flat_map(|source| {
            let number = |partition| Some((source.topic.clone(), i32::try_from(partition).ok()?));
            (0..source.partitions).filter_map(number)
        });
        let all = all.collect();
        if self.unread.look(group, all)? {
            tracing::warn!(
                "there are source partitions that nobody reads; joining the group again"
            );
            group.leave_and_join(&self.config.sources)?;
        }
        Ok(())
    }

    /// Writes watermark entries. An answer about a partition that has since been given back and
    /// got again, and is now before where it was, says nothing.
    fn mark(&mut self, found: &Found) {
        let mut at_end = Vec::new();
        for answer in &found.answers {
            let Some(reading) = self.readings.get_mut(&answer.partition) else {
                continue;
            };
            reading.end = answer.end;
            if let Some(clock) = answer.at_end.filter(|_| reading.next >= answer.next) {
                at_end.push((reading.source, clock));
            }
        }
        self.looked = Some(found.asked);
        self.detector.mark(&at_end);
        self.moved |= !self.readings.is_empty();
    }

    /// Says under the old plan all that it has found, and how far time has come; then goes on
    /// under a newer one where it stands.
    fn switch(&mut self, group: &Group, newer: InUse) -> Result<()> {
        self.detector.mark(&[]);
        self.moved |= !self.readings.is_empty();
        self.commit(group)?;
        self.detector = Detector::new(
            Arc::clone(&newer.plan),
            self.matches_partitions,
            self.config.message_bytes_max,
        );
        for reading in self.readings.values() {
            self.detector.assign(reading.source, reading.next);
        }
        let plan = newer.plan.hash.to_string();
        tracing::info!(plan, "detecting with another plan");
        self.status.put_into_use(&newer.plan);
        self.plans.in_use = newer;
        Ok(())
    }

    fn assign(&mut self, group: &Group, partitions: &[Partition]) -> Result<()> {
        tracing::info!(
            partitions = list_of(partitions),
            "source partitions assigned"
        );
        self.wait_for_plan(group, partitions)?;
        let offsets = self.open(group, partitions)?;
        group.assign(&offsets)?;
        if let Some(ready) = self.ready.take() {
            ready();
        }
        Ok(())
    }

    /// Finishes what has begun, and gives partitions back.
    fn revoke(&mut self, group: &Group, revoked: &Revoked) -> Result<()> {
        let Revoked { partitions, lost } = revoked;
        tracing::info!(
            partitions = list_of(partitions),
            lost,
            "source partitions revoked"
        );
        let finished = !lost && (!self.has_work() || self.write(group)?);
        self.close(partitions);
        group.unassign(partitions)?;
        match finished {
            true => Ok(()),
            false => self.read_again(group),
        }
    }

    fn commit(&mut self, group: &Group) -> Result<()> {
        match !self.has_work() || self.write(group)? {
            true => Ok(()),
            false => self.read_again(group),
        }
    }

    /// Goes back to where the last commit ended. The group has the word before the next commit:
    /// what it says may be why the last one failed.
    fn read_again(&mut self, group: &Group) -> Result<()> {
        self.last_commit = clock::instant();
        let partitions = self.close_all();
        let offsets = self.open(group, &partitions)?;
        group.seek(offsets)
    }

    /// Writes and commits; false: it has to be done again from the committed offsets.
    fn write(&mut self, group: &Group) -> Result<bool> {
        let Output {
            messages,
            dead_letters,
            counts,
        } = self.detector.take();
        let refused = refused::by_reason(&dead_letters);
        let messages = self.messages(messages, dead_letters);
        let outcome = self.sink.commit(group, &messages, &self.progress())?;
        // From its end on: where commits take longer than that, there is still time to read.
        self.last_commit = clock::instant();
        self.moved = false;
        match outcome {
            Outcome::Committed => {
                lock(&self.status.detecting).commits += 1;
                self.report(counts);
                self.say_refused(&refused);
                Ok(true)
            }
            Outcome::Undone(undone) => {
                undone.log("messages read since the last commit are read again");
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
        let source = self.sources().get(letter.source.source as usize);
        let topic = source.map_or("", |source| &source.topic);
        Message {
            topic: Arc::clone(&self.dead_letters),
            headers: letter.headers(topic),
            payload: letter.bytes,
            ..Message::default()
        }
    }

    /// Tells the status how far everything has come that is committed.
    fn report(&self, counts: Counts) {
        let mut detecting = lock(&self.status.detecting);
        detecting.partitions = self.readings.len();
        let lags = self.readings.values().map(|r| (r.end - r.next).max(0));
        let lag = lags.sum();
        detecting.lag = Some(lag);
        detecting.counts.add(&counts);
        if let (0, Some(looked)) = (lag, self.looked) {
            lock(&self.status.behind).detected(looked, self.last_commit);
        }
    }
}
