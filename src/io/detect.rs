//! The first stage's loop: reads the sources, writes what matched, and how far time has come.
//!
//! While a commit is on its way the loop reads on. If it does not come about, what was read after
//! it goes, too. The group, a change of plan and the end of the process wait for it.

mod commit;
mod compare;
mod open;
mod refused;
mod unread;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use rdkafka::message::{BorrowedMessage, Message as _};

use super::beside::Beside;
use super::client::{Health, lock};
use super::clock;
use super::ends::{Ends, Found, Question};
use super::group::{Committed, Event, Gone, Group, Member, Partition, Revoked, list_of};
use super::identity::Identity;
use super::noting::{self, Noting};
use super::reload::{Ask, Plans};
use super::sink::{self, Ended, Rhythm, Sink};
use super::status::Status;
use super::topics::Names;
use crate::config::Config;
use crate::detect::read_to::LastRead;
use crate::detect::{Detector, SourcePartition};
use crate::plan::InUse;
use crate::plan::noted::NotedEntry;
use crate::time::Millis;
use commit::{Batch, OnItsWay};
use refused::Refused;
use unread::Unread;

/// The longest wait for a message: other things are due.
const WAIT: Duration = Duration::from_millis(100);

/// The shortest while there is something to commit.
const WAIT_MIN: Duration = Duration::from_millis(1);

/// When no more than this seems to be left it may be the marks of transactions, that nobody reads.
const MARKS: i64 = 2;

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
    /// Its epoch and the message read last.
    read_to: LastRead,
    /// What is not younger than this may have been read in the epoch before.
    perhaps_again: Option<Millis>,
}

impl Reading {
    /// Of what stood in it at the last look: what is still to be read.
    fn lag(&self) -> i64 {
        (self.end - self.next).max(0)
    }
}

/// The entry that notes how far a partition was read.
fn note_of((topic, number): &Partition, reading: &Reading) -> (String, Vec<u8>) {
    let noted = NotedEntry {
        epoch: reading.read_to.epoch,
        offset: reading.next,
        beside: reading.read_to.to_text(),
    };
    noted.entry(topic, number.unsigned_abs())
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
    LookAgain,
    Commit,
    Committed(Ended),
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
    identity: Arc<Identity>,
    writer: Beside<Batch, Ended>,
    on_its_way: OnItsWay,
    noting: Noting,
    /// What this worker has committed last of each partition.
    committed: BTreeMap<Partition, Committed>,
    rhythm: Rhythm,
    ends: Ends,
    /// When the ends were looked for that the readings have.
    looked: Option<Instant>,
    unread: Unread,
    refused: Refused,
    readings: BTreeMap<Partition, Reading>,
    /// Offsets have moved since the last commit began.
    moved: bool,
    /// A source partition was found to end before what was read of it.
    in_doubt: bool,
    /// Messages read since the last commit began that may have been read in an epoch before.
    perhaps_again: u64,
    /// When it did.
    begun: Instant,
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
            noting: Noting::new(plans.ask.clone()),
            committed: BTreeMap::new(),
            plans,
            matches_partitions,
            matches,
            dead_letters,
            identity: Arc::clone(sink.identity()),
            rhythm: sink.rhythm(),
            writer: commit::start(sink)?,
            on_its_way: OnItsWay::default(),
            readings: BTreeMap::new(),
            moved: false,
            in_doubt: false,
            perhaps_again: 0,
            begun: clock::instant(),
            last_mark: clock::instant(),
            ready: Some(ready),
        })
    }

    /// Reads until the process is to stop; then commits what it has and leaves the group.
    pub fn run(mut self) -> Result<()> {
        let ended = self.work();
        // The client is closed before the process ends.
        ended.and(self.writer.end())
    }

    fn work(&mut self) -> Result<()> {
        let mut member = Member::new(&self.config, &self.identity, "detect", &self.config.sources);
        let mut group = member.join()?;
        while !self.health.stopping() {
            let Err(error) = self.turn(&group) else {
                continue;
            };
            if error.is::<Gone>() {
                self.look_again(&group)?;
                continue;
            }
            self.abandon();
            group = member.join_again(group, error)?;
        }
        if self.commit(&group)? {
            let readings = self.readings.iter();
            let notes: Vec<_> = readings.map(|(of, reading)| note_of(of, reading)).collect();
            noting::note_at_end(&self.config, &self.health, &notes);
        }
        Ok(())
    }

    /// Forgets everything, once nothing is on its way any more.
    fn abandon(&mut self) {
        sink::wait_out(&mut self.writer);
        self.close_all();
    }

    /// Does what is next.
    fn turn(&mut self, group: &Arc<Group>) -> Result<()> {
        match self.next(group)? {
            Next::Message(message) => self.read(&message),
            Next::Assigned(partitions) => self.assign(group, &partitions)?,
            Next::Revoked(revoked) => self.revoke(group, &revoked)?,
            Next::AskForEnds => self.ask_for_ends()?,
            Next::LookForUnread => self.look_for_unread(group)?,
            Next::Ends(found) => self.mark(&found),
            Next::Switch(newer) => self.switch(group, newer)?,
            Next::LookAgain => self.look_again(group)?,
            Next::Commit => self.begin(group)?,
            Next::Committed(ended) => {
                if !self.take(ended)? {
                    self.read_again(group)?;
                }
            }
            Next::Wait => (),
        }
        Ok(())
    }

    fn next<'g>(&mut self, group: &'g Group) -> Result<Next<'g>> {
        if let Ok(newer) = self.plans.newer.try_recv() {
            return Ok(Next::Switch(newer));
        }
        if let Some(ended) = self.writer.answer()? {
            return Ok(Next::Committed(ended));
        }
        let is_full = self.detector.pending_bytes() > self.rhythm.batch_bytes;
        if is_full && self.writer.is_busy() {
            let ended = self.writer.answer_within(WAIT)?;
            return Ok(ended.map_or(Next::Wait, Next::Committed));
        }
        if is_full || self.has_work() && self.may_commit(self.rhythm.latest) {
            return Ok(Next::Commit);
        }
        if let Some(found) = self.ends.answer()? {
            return Ok(Next::Ends(found));
        }
        if std::mem::take(&mut self.in_doubt) || group.take_doubt() {
            return Ok(Next::LookAgain);
        }
        if self.last_mark.elapsed() >= self.config.watermark_interval {
            return Ok(Next::AskForEnds);
        }
        if self.unread.is_due() {
            return Ok(Next::LookForUnread);
        }
        Ok(match group.next(self.patience())? {
            Event::Message(message) => Next::Message(message),
            Event::Assigned(partitions) => Next::Assigned(partitions),
            Event::Revoked(revoked) => Next::Revoked(revoked),
            Event::Nothing if self.is_ready() && self.may_commit(self.rhythm.soonest) => {
                Next::Commit
            }
            Event::Nothing => Next::Wait,
        })
    }

    /// None is on its way, and the last one began this long ago.
    fn may_commit(&self, interval: Duration) -> bool {
        !self.writer.is_busy() && self.begun.elapsed() >= interval
    }

    /// How long a message may be waited for.
    fn patience(&self) -> Duration {
        let longest = WAIT.min(self.config.watermark_interval);
        if !self.has_work() {
            return longest;
        }
        if self.writer.is_busy() {
            return WAIT_MIN;
        }
        let next_commit = match self.is_ready() {
            true => self.rhythm.soonest,
            false => self.rhythm.latest,
        };
        next_commit
            .saturating_sub(self.begun.elapsed())
            .min(longest)
            .max(WAIT_MIN)
    }

    /// Something is to be written, and little was left to be read at the last look.
    fn is_ready(&self) -> bool {
        self.detector.pending_bytes() > 0 && self.lag() <= MARKS
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
        reading.read_to.read(offset, timestamp, payload);
        if reading
            .perhaps_again
            .is_some_and(|last| timestamp <= Some(last))
        {
            self.perhaps_again += 1;
        }
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
            group.leave_and_join()?;
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
            self.in_doubt |= answer.end < answer.next && reading.next >= answer.next;
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
    fn switch(&mut self, group: &Arc<Group>, newer: InUse) -> Result<()> {
        self.detector.mark(&[]);
        self.moved |= !self.readings.is_empty();
        if !self.commit(group)? {
            self.read_again(group)?;
        }
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
        let mut readings = self.readings.iter();
        match readings.any(|(partition, reading)| reading.read_to.epoch != self.epoch_of(partition))
        {
            true => self.read_again(group),
            false => Ok(()),
        }
    }

    fn assign(&mut self, group: &Arc<Group>, partitions: &[Partition]) -> Result<()> {
        tracing::info!(
            partitions = list_of(partitions),
            "source partitions assigned"
        );
        if !self.wait()? {
            self.read_again(group)?;
        }
        self.wait_for_plan(group, partitions)?;
        let logs = self.compare(group, partitions)?;
        let offsets = self.open(group, partitions, &logs)?;
        group.assign(&offsets)?;
        if let Some(ready) = self.ready.take() {
            ready();
        }
        Ok(())
    }

    /// Finishes what has begun, and gives partitions back.
    fn revoke(&mut self, group: &Arc<Group>, revoked: &Revoked) -> Result<()> {
        let Revoked { partitions, lost } = revoked;
        tracing::info!(
            partitions = list_of(partitions),
            lost,
            "source partitions revoked"
        );
        let finished = self.wait()? && !lost && self.commit(group)?;
        self.close(partitions);
        group.unassign(partitions)?;
        match finished {
            true => Ok(()),
            false => self.read_again(group),
        }
    }

    /// Goes back to where the last commit ended. The group has the word before the next commit:
    /// what it says may be why the last one failed.
    fn read_again(&mut self, group: &Arc<Group>) -> Result<()> {
        self.begun = clock::instant();
        let partitions = self.close_all();
        let logs = self.compare(group, &partitions)?;
        let offsets = self.open(group, &partitions, &logs)?;
        group.seek(offsets)
    }
}
