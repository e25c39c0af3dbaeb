//! The second stage's loop: folds the matches topic, writes incidents, keeps the state.
//!
//! A commit is two steps: the Kafka transaction with incidents and offsets, then one batch for
//! the store. So the store is never ahead of the offsets, and whatever happens in between, a
//! partition is opened in one way only ([`open`]): from what the store has, folding in silence
//! up to the committed offset.
//!
//! While a commit is on its way the loop reads and folds on. If it does not come about, what was
//! folded after it goes, too. The group and the end of the process wait for it.

mod commit;
mod ends;
mod folding;
mod open;
mod pace;
mod plans;
mod report;
mod writer;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use rdkafka::message::{BorrowedMessage, Message as _, Timestamp};

use super::beside::Beside;
use super::client::{Health, lock};
use super::clock;
use super::ends::{Ends, Found};
use super::group::{self, Event, Group, Member, Revoked, list_of};
use super::identity::Identity;
use super::noting::{self, Noting};
use super::rules_topic::Known;
use super::sink::{self, Ended, Rhythm, Sink};
use super::status::Status;
use super::store::Store;
use super::topics::Names;
use crate::config::{Config, Delivery};
use crate::fold::partition::{Commit, Partition};
use crate::fold::state::Counts;
use crate::plan::noted::NotedEntry;
use crate::plan::others::Others;
use crate::time::Millis;
use folding::{Folding, Pool, Surroundings};
use pace::MEMORY_FACTOR;
use plans::Warned;
use report::{Recovery, Refused};
use writer::Batch;

/// The longest wait for a message: other things are due.
const WAIT: Duration = Duration::from_millis(100);

/// The shortest: what comes together is folded together.
const WAIT_MIN: Duration = Duration::from_millis(1);

/// What was read is folded when it is this much, however early.
const INBOX_BYTES_MAX: usize = 4 << 20;

/// The same while partitions fold what was committed before: nothing comes of it to be written,
/// and the more there is of a key, the less it costs.
const RECOVERY_INBOX_BYTES_MAX: usize = 24 << 20;

/// The same while partitions have more to fold than they did in one go.
const UNFINISHED_INBOX_BYTES_MAX: usize = 256 << 10;

/// What the loop does next.
enum Next<'g> {
    Message(BorrowedMessage<'g>),
    Assigned(Vec<group::Partition>),
    Revoked(Revoked),
    AskForEnds,
    Ends(Found),
    Fold,
    Commit,
    Committed(Ended),
    Wait,
}

/// The second stage.
pub struct Stage {
    config: Config,
    health: Arc<Health>,
    status: Arc<Status>,
    known: Known,
    identity: Arc<Identity>,
    delivery: Delivery,
    store: Arc<Store>,
    noting: Noting,
    pool: Pool,
    writer: Beside<Batch, Ended>,
    rhythm: Rhythm,
    folding: BTreeMap<i32, Folding>,
    ends: Ends,
    last_look: Instant,
    /// When the ends were looked for that the foldings have.
    looked: Option<Instant>,
    /// While partitions fold what was committed before.
    recovery: Option<Recovery>,
    /// Partitions that wait with that.
    waiting: BTreeSet<i32>,
    /// Bytes of the messages that were read and not folded since.
    inbox_bytes: usize,
    /// Bytes of incidents that no commit has taken yet.
    outbox_bytes: usize,
    /// Partitions have more to fold, though nothing was read since they last did.
    unfinished: bool,
    /// Something was read or folded since the last commit began.
    moved: bool,
    /// When it did.
    begun: Instant,
    total: Counts,
    refused: Refused,
    others: Others,
    /// Which other plans the log was told of.
    warned: Warned,
    /// Messages without the broker's timestamp were met, and that was logged.
    warned_of_timestamps: bool,
    /// Called when the group has answered for the first time.
    ready: Option<Box<dyn FnOnce() + Send>>,
}

/// The rules topic, as the stage needs it.
pub struct Rules {
    /// What is in it.
    pub known: Known,
    /// What is to be noted there.
    pub noting: Noting,
}

/// The entry that notes how far a partition is folded, as far as that is committed.
fn note_of(matches: &str, number: i32, folding: &Folding) -> (String, Vec<u8>) {
    let Commit { offset, metadata } = folding.partition.commit();
    let noted = NotedEntry {
        epoch: 0,
        offset: *offset,
        beside: metadata.clone(),
    };
    noted.entry(matches, number.unsigned_abs())
}

impl Stage {
    /// A stage that keeps its state in `store`.
    pub fn new(
        config: &Config,
        health: &Arc<Health>,
        status: &Arc<Status>,
        Rules { known, noting }: Rules,
        store: Store,
        sink: Sink,
        ready: Box<dyn FnOnce() + Send>,
    ) -> Result<Stage> {
        lock(&status.reloading).entries_refused = known.refused;
        let store = Arc::new(store);
        Ok(Stage {
            identity: Arc::clone(sink.identity()),
            delivery: sink.delivery(),
            rhythm: sink.rhythm(),
            writer: writer::start(config, sink, &store)?,
            ends: Ends::start(config, health)?,
            config: config.clone(),
            health: Arc::clone(health),
            status: Arc::clone(status),
            known,
            store,
            noting,
            pool: Pool::start()?,
            folding: BTreeMap::new(),
            last_look: clock::instant(),
            looked: None,
            recovery: None,
            waiting: BTreeSet::new(),
            inbox_bytes: 0,
            outbox_bytes: 0,
            unfinished: false,
            moved: false,
            begun: clock::instant(),
            total: Counts::default(),
            refused: Refused::default(),
            others: Others::default(),
            warned: Warned::default(),
            warned_of_timestamps: false,
            ready: Some(ready),
        })
    }

    /// Folds until the process is to stop; then commits what it has and leaves the group.
    pub fn run(mut self) -> Result<()> {
        let ended = self.work();
        // The store and the client are closed before the process ends.
        ended.and(self.writer.end())
    }

    fn work(&mut self) -> Result<()> {
        let matches = [Names::of(&self.config.app).matches.to_string()];
        let mut member = Member::new(&self.config, &self.identity, "correlate", &matches);
        let mut group = member.join()?;
        while !self.health.stopping() {
            if let Err(error) = self.turn(&group) {
                self.abandon();
                group = member.join_again(group, error)?;
            }
        }
        if self.commit(&group)? {
            let matches = Names::of(&self.config.app).matches;
            let foldings = self.folding.iter();
            let notes = foldings.map(|(number, folding)| note_of(&matches, *number, folding));
            noting::note_at_end(&self.config, &self.health, &notes.collect::<Vec<_>>());
        }
        Ok(())
    }

    /// Forgets everything, once nothing is on its way any more.
    fn abandon(&mut self) {
        sink::wait_out(&mut self.writer);
        self.close_all();
        self.waiting.clear();
    }

    /// Does what is next.
    fn turn(&mut self, group: &Arc<Group>) -> Result<()> {
        match self.next(group)? {
            Next::Message(message) => self.read(&message),
            Next::AskForEnds => self.ask_for_ends()?,
            Next::Ends(found) => self.take_ends(&found),
            Next::Fold => {
                self.fold(|_| true)?;
                self.pace(group)?;
            }
            Next::Assigned(partitions) => self.assign(group, &partitions)?,
            Next::Revoked(revoked) => self.revoke(group, &revoked)?,
            Next::Commit => {
                self.begin(group)?;
                self.pace_recovery(group)?;
            }
            Next::Committed(ended) => match self.take(ended)? {
                true => self.pace_recovery(group)?,
                false => self.fold_again(group)?,
            },
            Next::Wait => (),
        }
        Ok(())
    }

    fn next<'g>(&mut self, group: &'g Group) -> Result<Next<'g>> {
        if let Some(ended) = self.writer.answer()? {
            return Ok(Next::Committed(ended));
        }
        if self.must_commit() {
            return Ok(Next::Commit);
        }
        if let Some(found) = self.ends.answer()? {
            return Ok(Next::Ends(found));
        }
        if self.last_look.elapsed() >= self.config.watermark_interval {
            return Ok(Next::AskForEnds);
        }
        if self.inbox_bytes > self.inbox_max() {
            return self.fold_or_wait();
        }
        Ok(match group.next(self.patience())? {
            Event::Message(message) => Next::Message(message),
            Event::Assigned(partitions) => Next::Assigned(partitions),
            Event::Revoked(revoked) => Next::Revoked(revoked),
            Event::Nothing if self.can_go_on() => Next::Fold,
            Event::Nothing if self.may_commit() => Next::Commit,
            Event::Nothing => Next::Wait,
        })
    }

    /// A commit is to begin before anything else is done.
    fn must_commit(&self) -> bool {
        let is_due = self.moved && self.begun.elapsed() >= self.rhythm.latest
            || self.outbox_bytes > self.rhythm.batch_bytes
            || self.folding.values().any(|folding| folding.commits_first);
        is_due && !self.writer.is_busy()
    }

    /// A commit may begin, since there is something to say and nothing else to be done.
    fn may_commit(&self) -> bool {
        self.is_ready() && self.begun.elapsed() >= self.rhythm.soonest && !self.writer.is_busy()
    }

    /// There is something to say, and little was left to be read at the last look.
    fn is_ready(&self) -> bool {
        self.outbox_bytes > 0 && self.folding.values().all(Folding::is_near_end)
    }

    /// There is something to fold, and it need not wait for a commit.
    fn can_go_on(&self) -> bool {
        self.folding.values().any(Folding::can_go_on)
    }

    /// Enough is read: it is folded, or what is on its way is waited for.
    fn fold_or_wait(&mut self) -> Result<Next<'static>> {
        if !self.writer.is_busy() || self.can_go_on() {
            return Ok(Next::Fold);
        }
        let ended = self.writer.answer_within(WAIT)?;
        Ok(ended.map_or(Next::Wait, Next::Committed))
    }

    /// So many bytes of messages are read before they are folded.
    fn inbox_max(&self) -> usize {
        match self.recovery {
            _ if self.unfinished => UNFINISHED_INBOX_BYTES_MAX,
            Some(_) => RECOVERY_INBOX_BYTES_MAX.min(self.config.recovery_bytes / MEMORY_FACTOR / 4),
            None => self.rhythm.batch_bytes.min(INBOX_BYTES_MAX),
        }
    }

    /// How long a message may be waited for.
    fn patience(&self) -> Duration {
        if self.unfinished && self.can_go_on() {
            return Duration::ZERO;
        }
        if self.inbox_bytes > 0 || self.moved && self.writer.is_busy() {
            return WAIT_MIN;
        }
        let next_commit = match self.is_ready() {
            true => self.rhythm.soonest,
            false => self.rhythm.latest,
        };
        match self.moved {
            true => next_commit
                .saturating_sub(self.begun.elapsed())
                .clamp(WAIT_MIN, WAIT),
            false => WAIT,
        }
    }

    /// Reads one message of the log.
    fn read(&mut self, kafka: &BorrowedMessage<'_>) {
        let number = kafka.partition();
        let payload = kafka.payload().unwrap_or_default();
        let timestamp = self.timestamp(kafka);
        if let Some(folding) = self.folding.get_mut(&number) {
            folding.partition.push(kafka.offset(), timestamp, payload);
            self.inbox_bytes += payload.len();
            self.moved = true;
        }
    }

    /// Folds what was read of these partitions.
    fn fold(&mut self, which: impl Fn(&Folding) -> bool) -> Result<()> {
        let partitions = self.folding.values().filter(|f| which(f));
        let named = partitions.flat_map(|folding| folding.partition.plans_named());
        let plans = self.plans(&named.collect())?;
        let surroundings = Surroundings {
            store: &self.store,
            plans: &plans,
            budget: self.budget(),
        };
        let folding = self.folding.iter_mut().filter(|(_, f)| which(f));
        self.pool.fold_all(folding, &surroundings)?;
        self.note_plans();
        self.name_refused();
        // Of what was folded now nothing is left, or it goes on whatever else is read.
        let others = self.folding.values().filter(|f| !which(f));
        self.inbox_bytes = others.map(|f| f.partition.inbox_bytes()).sum();
        let is_unfinished = |folding: &Folding| match which(folding) {
            true => folding.partition.is_busy(),
            false => folding.partition.is_within(),
        };
        self.unfinished = self.folding.values().any(is_unfinished);
        self.moved |= self.unfinished;
        self.count_outbox();
        Ok(())
    }

    fn count_outbox(&mut self) {
        let partitions = self.folding.values().map(|folding| &folding.partition);
        self.outbox_bytes = partitions.map(Partition::outbox_bytes).sum();
    }

    fn timestamp(&mut self, kafka: &BorrowedMessage<'_>) -> Millis {
        match kafka.timestamp() {
            Timestamp::LogAppendTime(time) => time,
            Timestamp::CreateTime(_) | Timestamp::NotAvailable => {
                if !self.warned_of_timestamps {
                    self.warned_of_timestamps = true;
                    tracing::warn!(
                        topic = kafka.topic(),
                        "messages have their sender's timestamps; set message.timestamp.type = \
                         LogAppendTime, or one worker's wrong clock makes events of all others \
                         late"
                    );
                }
                kafka.timestamp().to_millis().unwrap_or_else(clock::now)
            }
        }
    }

    fn assign(&mut self, group: &Arc<Group>, partitions: &[group::Partition]) -> Result<()> {
        tracing::info!(
            partitions = list_of(partitions),
            "matches partitions assigned"
        );
        if !self.wait()? {
            self.fold_again(group)?;
        }
        let offsets = self.open(group, partitions)?;
        group.assign(&offsets)?;
        group.resume(partitions)?;
        self.pace(group)?;
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
            "matches partitions revoked"
        );
        let finished = self.wait()? && !lost && self.commit(group)?;
        for (_, number) in partitions {
            if let Some(folding) = self.folding.remove(number) {
                Recovery::remove(&mut self.recovery, folding.partition.left());
            }
        }
        let left = self.folding.values().map(|f| f.partition.inbox_bytes());
        self.inbox_bytes = self.inbox_bytes.min(left.sum());
        group.unassign(partitions)?;
        if !finished {
            self.fold_again(group)?;
        }
        self.pace(group)
    }

    /// Is ready to fold `partitions` from what the store has; the offsets where that begins.
    fn open(
        &mut self,
        group: &Group,
        partitions: &[group::Partition],
    ) -> Result<BTreeMap<group::Partition, i64>> {
        let bounds = group.bounds(partitions)?;
        let left = self.left_of(group, bounds)?;
        let mut offsets = BTreeMap::new();
        for (partition, left) in &left {
            let folding = self.open_one(partition, left)?;
            offsets.insert(partition.clone(), folding.partition.next());
            Recovery::add(&mut self.recovery, folding.partition.left());
            self.folding.insert(partition.1, folding);
        }
        // The last look was not at these.
        self.looked = None;
        self.report();
        Ok(offsets)
    }

    fn pace_recovery(&mut self, group: &Group) -> Result<()> {
        match self.recovery.is_some() || !self.waiting.is_empty() {
            true => self.pace(group),
            false => Ok(()),
        }
    }

    /// Forgets all partitions, and what is not committed; says which they were.
    fn close_all(&mut self) -> Vec<group::Partition> {
        self.inbox_bytes = 0;
        self.outbox_bytes = 0;
        self.unfinished = false;
        self.moved = false;
        let partitions = self.folding.values().map(|folding| &folding.partition);
        let left = partitions.map(Partition::left).sum();
        Recovery::remove(&mut self.recovery, left);
        let matches = Names::of(&self.config.app).matches;
        std::mem::take(&mut self.folding)
            .into_keys()
            .map(|number| (matches.to_string(), number))
            .collect()
    }

    /// Goes back to where the last commit ended. The group has the word before the next commit:
    /// what it says may be why the last one failed.
    fn fold_again(&mut self, group: &Group) -> Result<()> {
        self.begun = clock::instant();
        let partitions = self.close_all();
        let offsets = self.open(group, &partitions)?;
        group.seek(offsets)
    }
}
