//! The first stage: reads the sources, writes what matched, and how far time has come. A change of
//! plan waits for the commit that is on its way, as the group does.

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

use super::clock;
use super::kafka::client::{Health, lock};
use super::kafka::ends::{Ends, Found, Question};
use super::kafka::group::{Committed, Event, Gone, Group, Member, Partition};
use super::kafka::identity::Identity;
use super::kafka::sink::{Rhythm, Sink, Undone};
use super::kafka::topics::Names;
use super::noting::{self, Noting};
use super::pool::Pool;
use super::reload::{Ask, Plans};
use super::stage::commits::{Commits, WAIT};
use super::stage::{self, Basis, Next, Ready, Stage};
use super::status::Status;
use crate::config::Config;
use crate::detect::read_to::LastRead;
use crate::detect::{Detector, Incoming, SourcePartition};
use crate::plan::InUse;
use crate::plan::noted::NotedEntry;
use crate::time::Millis;
use commit::{Batch, OnItsWay};
use refused::Refused;
use unread::Unread;

/// So much is read at once, or little more.
const READ_BYTES_MAX: usize = 2 << 20;

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

/// What the stage does besides reading and committing.
pub enum Own {
    /// Has the ends of the sources looked for.
    AskForEnds,
    /// Looks whether there are partitions that nobody reads.
    LookForUnread,
    /// Writes how far time has come.
    Ends(Found),
    /// Takes a newer plan into use.
    Switch(InUse),
    /// Compares the sources with what was read of them.
    LookAgain,
}

/// The first stage.
pub struct DetectStage {
    config: Config,
    health: Arc<Health>,
    status: Arc<Status>,
    plans: Plans,
    matches_partitions: u32,
    matches: Arc<str>,
    dead_letters: Arc<str>,
    pool: Arc<Pool>,
    detector: Detector,
    identity: Arc<Identity>,
    commits: Commits<Batch>,
    on_its_way: OnItsWay,
    noting: Noting,
    /// What this worker has committed last of each partition.
    committed: BTreeMap<Partition, Committed>,
    ends: Ends,
    /// When the ends were looked for that the readings have.
    looked: Option<Instant>,
    unread: Unread,
    refused: Refused,
    readings: BTreeMap<Partition, Reading>,
    /// When last read, no more had come.
    drained: bool,
    /// A source partition was found to end before what was read of it.
    in_doubt: bool,
    /// Messages read since the last commit began that may have been read in an epoch before.
    perhaps_again: u64,
    last_mark: Instant,
}

impl DetectStage {
    /// A stage that detects with the plan in use, until there is a newer one.
    pub fn new(
        basis: Basis,
        plans: Plans,
        matches_partitions: u32,
        sink: Sink,
    ) -> Result<DetectStage> {
        let Basis {
            config,
            health,
            status,
            pool,
        } = basis;
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
        )
        .validating(config.validate)
        .timed(&clock::nanos())
        .with_lanes(pool.threads());
        say_untold(&detector);
        Ok(DetectStage {
            pool,
            detector,
            ends: Ends::start(&config, &health)?,
            looked: None,
            unread: Unread::new(&config),
            refused: Refused::default(),
            config,
            health,
            status,
            noting: Noting::new(plans.ask.clone()),
            committed: BTreeMap::new(),
            plans,
            matches_partitions,
            matches,
            dead_letters,
            identity: Arc::clone(sink.identity()),
            commits: commit::start(sink)?,
            on_its_way: OnItsWay::default(),
            readings: BTreeMap::new(),
            drained: false,
            in_doubt: false,
            perhaps_again: 0,
            last_mark: clock::instant(),
        })
    }

    /// Reads until the process is to stop; then commits what it has and leaves the group.
    /// `ready` is called when the group has answered for the first time.
    pub fn run(mut self, ready: Ready) -> Result<()> {
        let member = Member::new(&self.config, &self.identity, "detect", &self.config.sources);
        let health = Arc::clone(&self.health);
        let ended = stage::run(&mut self, &health, member, ready);
        // The client is closed before the process ends.
        ended.and(self.commits.end())
    }

    /// A commit that is to begin before anything is read, or what became of the one before it.
    fn next_commit<'g>(&mut self) -> Result<Option<Next<'g, Own>>> {
        if let Some(ended) = self.commits.ended()? {
            return Ok(Some(Next::Committed(ended)));
        }
        let is_full = self.detector.pending_bytes() > self.commits.rhythm.batch_bytes;
        if is_full && self.commits.is_busy() {
            let ended = self.commits.ended_soon()?;
            return Ok(Some(ended.map_or(Next::Wait, Next::Committed)));
        }
        let Rhythm {
            soonest, latest, ..
        } = self.commits.rhythm;
        let is_due = self.has_work() && self.commits.may_begin(latest)
            || self.drained && self.is_ready() && self.commits.may_begin(soonest);
        Ok((is_full || is_due).then_some(Next::Commit))
    }

    /// What is due besides.
    fn next_own(&mut self, group: &Group) -> Result<Option<Own>> {
        if let Some(found) = self.ends.answer()? {
            return Ok(Some(Own::Ends(found)));
        }
        if std::mem::take(&mut self.in_doubt) || group.take_doubt() {
            return Ok(Some(Own::LookAgain));
        }
        if self.last_mark.elapsed() >= self.config.watermark_interval {
            return Ok(Some(Own::AskForEnds));
        }
        Ok(self.unread.is_due().then_some(Own::LookForUnread))
    }

    /// How long a message may be waited for.
    fn patience(&self) -> Duration {
        let longest = WAIT.min(self.config.watermark_interval);
        match self.has_work() {
            true => self.commits.patience(self.is_ready()).min(longest),
            false => longest,
        }
    }

    /// Something is to be written, and little was left to be read at the last look.
    fn is_ready(&self) -> bool {
        self.detector.pending_bytes() > 0 && self.lag() <= MARKS
    }

    fn has_work(&self) -> bool {
        self.commits.moved || self.detector.pending_bytes() > 0
    }

    /// These messages of one partition are read.
    fn read_on<'m>(
        &mut self,
        messages: &'m [BorrowedMessage<'m>],
        incoming: &mut Vec<Incoming<'m>>,
    ) {
        let Some(last) = messages.last() else {
            return;
        };
        let partition = (last.topic().to_owned(), last.partition());
        let Some(reading) = self.readings.get_mut(&partition) else {
            return;
        };
        let source = reading.source;
        incoming.extend(messages.iter().map(|message| Incoming {
            source,
            offset: message.offset(),
            timestamp: message.timestamp().to_millis(),
            payload: message.payload().unwrap_or_default(),
        }));
        if let Some(last) = reading.perhaps_again {
            let again = messages
                .iter()
                .filter(|message| message.timestamp().to_millis() <= Some(last));
            self.perhaps_again += again.count() as u64;
        }
        let payload = last.payload().unwrap_or_default();
        let timestamp = last.timestamp().to_millis();
        reading.read_to.read(last.offset(), timestamp, payload);
        reading.next = last.offset() + 1;
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
        let lags = self.readings.iter();
        let lags = lags.map(|(partition, reading)| (partition.clone(), reading.lag()));
        lock(&self.status.detecting).lags = lags.collect();
        self.detector.mark(&at_end);
        self.commits.moved |= !self.readings.is_empty();
    }

    /// Says under the old plan all that it has found, and how far time has come; then goes on
    /// under a newer one where it stands.
    fn switch(&mut self, group: &Arc<Group>, newer: InUse) -> Result<()> {
        self.detector.mark(&[]);
        self.commits.moved |= !self.readings.is_empty();
        if !stage::commit(self, group)? {
            stage::again(self, group)?;
        }
        self.detector = Detector::new(
            Arc::clone(&newer.plan),
            self.matches_partitions,
            self.config.message_bytes_max,
        )
        .validating(self.config.validate)
        .timed(&clock::nanos())
        .with_lanes(self.pool.threads());
        say_untold(&self.detector);
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
            true => stage::again(self, group),
            false => Ok(()),
        }
    }
}

impl Stage for DetectStage {
    type Batch = Batch;
    type Own = Own;
    const READS: &'static str = "source";

    fn commits(&mut self) -> &mut Commits<Batch> {
        &mut self.commits
    }

    fn next<'g>(&mut self, group: &'g Group) -> Result<Next<'g, Own>> {
        if let Ok(newer) = self.plans.newer.try_recv() {
            return Ok(Next::Own(Own::Switch(newer)));
        }
        if let Some(next) = self.next_commit()? {
            return Ok(next);
        }
        if let Some(own) = self.next_own(group)? {
            return Ok(Next::Own(own));
        }
        Ok(match group.next(self.patience(), READ_BYTES_MAX)? {
            Event::Messages(messages) => Next::Messages(messages),
            Event::Assigned(partitions) => Next::Assigned(partitions),
            Event::Revoked(revoked) => Next::Revoked(revoked),
            Event::Nothing => {
                self.drained = true;
                Next::Wait
            }
        })
    }

    /// Reads them side by side.
    fn read(&mut self, messages: &[BorrowedMessage<'_>]) -> Result<()> {
        let mut incoming = Vec::with_capacity(messages.len());
        let alike = |one: &BorrowedMessage<'_>, next: &BorrowedMessage<'_>| {
            (one.partition(), one.topic()) == (next.partition(), next.topic())
        };
        for of_partition in messages.chunk_by(alike) {
            self.read_on(of_partition, &mut incoming);
        }
        self.commits.moved |= !incoming.is_empty();
        let bytes: usize = incoming.iter().map(|message| message.payload.len()).sum();
        self.drained = bytes < READ_BYTES_MAX;
        let shares = self.detector.shares(&incoming);
        self.pool.each(shares, |share| {
            share.read();
            Ok(())
        })?;
        self.detector.gather();
        Ok(())
    }

    fn act(&mut self, group: &Arc<Group>, own: Own) -> Result<()> {
        match own {
            Own::AskForEnds => self.ask_for_ends(),
            Own::LookForUnread => self.look_for_unread(group),
            Own::Ends(found) => {
                self.mark(&found);
                Ok(())
            }
            Own::Switch(newer) => self.switch(group, newer),
            Own::LookAgain => self.look_again(group),
        }
    }

    fn begin(&mut self, group: &Arc<Group>) -> Result<()> {
        self.begin_batch(group)
    }

    fn begin_last(&mut self, group: &Arc<Group>) -> Result<()> {
        match self.has_work() {
            true => self.begin_batch(group),
            false => Ok(()),
        }
    }

    fn committed(&mut self) {
        self.take_committed();
    }

    fn undone(&mut self, why: &Undone) {
        self.on_its_way = OnItsWay::default();
        why.log("messages read since the last commit are read again");
        lock(&self.status.detecting).recoveries += 1;
        self.status.undone(why);
        self.noting.forget();
    }

    fn open(
        &mut self,
        group: &Arc<Group>,
        partitions: &[Partition],
    ) -> Result<BTreeMap<Partition, i64>> {
        self.wait_for_plan(group, partitions)?;
        let logs = self.compare(group, partitions)?;
        self.open_as_read(group, partitions, &logs)
    }

    fn close(&mut self, partitions: &[Partition]) {
        for partition in partitions {
            if let Some(reading) = self.readings.remove(partition) {
                self.detector.revoke(reading.source);
            }
        }
    }

    fn close_all(&mut self) -> Vec<Partition> {
        let partitions: Vec<Partition> = self.readings.keys().cloned().collect();
        self.close(&partitions);
        self.commits.moved = false;
        partitions
    }

    fn abandon(&mut self) {
        self.close_all();
    }

    fn settle(&mut self, _: &Arc<Group>) -> Result<()> {
        Ok(())
    }

    fn mend(&mut self, group: &Arc<Group>, error: anyhow::Error) -> Result<()> {
        match error.is::<Gone>() {
            true => self.look_again(group),
            false => Err(error),
        }
    }

    fn note_at_end(&self) {
        let readings = self.readings.iter();
        let notes: Vec<_> = readings.map(|(of, reading)| note_of(of, reading)).collect();
        noting::note_at_end(&self.config, &self.health, &notes);
    }
}
/// Warns of rules because of which all messages are read.
fn say_untold(detector: &Detector) {
    let untold = detector.untold();
    if !untold.is_empty() {
        tracing::warn!(
            rules = untold.join(", "),
            "validate = \"matching\" has no effect, every message is read: these rules ask for no \
             rare text that must stand in a message; `watchfire rules check --cost` says more"
        );
    }
}
