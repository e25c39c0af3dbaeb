//! The second stage: folds the matches topic, writes incidents, keeps the state.
//!
//! A commit is two steps: the Kafka transaction with incidents and offsets, then one batch for
//! the store. So the store is never ahead of the offsets, and whatever happens in between, a
//! partition is opened in one way only ([`open`]): from what the store has, folding in silence
//! up to the committed offset.

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

use super::clock;
use super::disk::store::Store;
use super::kafka::client::{Health, lock};
use super::kafka::ends::{Ends, Found};
use super::kafka::group::{self, Event, Group, Member};
use super::kafka::identity::Identity;
use super::kafka::rules_topic::Known;
use super::kafka::sink::{Rhythm, Sink, Undone};
use super::kafka::topics::Names;
use super::noting::{self, Noting};
use super::pool::Pool;
use super::stage::commits::{Commits, WAIT, WAIT_MIN};
use super::stage::{self, Basis, Next, Ready, Stage};
use super::status::{Said, Status};
use crate::config::{Config, Delivery};
use crate::fold::partition::{Commit, Partition};
use crate::fold::state::Counts;
use crate::plan::noted::NotedEntry;
use crate::plan::others::Others;
use crate::time::Millis;
use commit::Saying;
use folding::{Folding, Surroundings};
use pace::MEMORY_FACTOR;
use plans::Warned;
use report::{Recovery, Refused};
use writer::Batch;

/// What was read is folded when it is this much, however early.
const INBOX_BYTES_MAX: usize = 4 << 20;

/// The same while partitions fold what was committed before: nothing comes of it to be written,
/// and the more there is of a key, the less it costs.
const RECOVERY_INBOX_BYTES_MAX: usize = 24 << 20;

/// The same while partitions have more to fold than they did in one go.
const UNFINISHED_INBOX_BYTES_MAX: usize = 256 << 10;

/// What the stage does besides reading and committing.
pub enum Own {
    /// Has the ends of the matches topic looked for.
    AskForEnds,
    /// Takes them.
    Ends(Found),
    /// Folds what was read.
    Fold,
}

/// The second stage.
pub struct CorrelateStage {
    config: Config,
    health: Arc<Health>,
    status: Arc<Status>,
    known: Known,
    identity: Arc<Identity>,
    delivery: Delivery,
    store: Arc<Store>,
    noting: Noting,
    pool: Arc<Pool>,
    commits: Commits<Batch>,
    /// What the commit on its way says.
    saying: Saying,
    /// What rules under test say with it.
    testing: Said,
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
    total: Counts,
    refused: Refused,
    others: Others,
    /// Which other plans the log was told of.
    warned: Warned,
    /// Messages without the broker's timestamp were met, and that was logged.
    warned_of_timestamps: bool,
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

impl CorrelateStage {
    /// A stage that keeps its state in `store`.
    pub fn new(
        basis: Basis,
        Rules { known, noting }: Rules,
        store: Store,
        sink: Sink,
    ) -> Result<CorrelateStage> {
        let Basis {
            config,
            health,
            status,
            pool,
        } = basis;
        lock(&status.reloading).entries_refused = known.refused;
        let store = Arc::new(store);
        Ok(CorrelateStage {
            identity: Arc::clone(sink.identity()),
            delivery: sink.delivery(),
            commits: writer::start(&config, sink, &store)?,
            ends: Ends::start(&config, &health)?,
            config,
            health,
            status,
            known,
            store,
            noting,
            pool,
            saying: Saying::default(),
            testing: Said::new(),
            folding: BTreeMap::new(),
            last_look: clock::instant(),
            looked: None,
            recovery: None,
            waiting: BTreeSet::new(),
            inbox_bytes: 0,
            outbox_bytes: 0,
            unfinished: false,
            total: Counts::default(),
            refused: Refused::default(),
            others: Others::default(),
            warned: Warned::default(),
            warned_of_timestamps: false,
        })
    }

    /// Folds until the process is to stop; then commits what it has and leaves the group.
    /// `ready` is called when the group has answered for the first time.
    pub fn run(mut self, ready: Ready) -> Result<()> {
        let matches = [Names::of(&self.config.app).matches.to_string()];
        let member = Member::new(&self.config, &self.identity, "correlate", &matches);
        let health = Arc::clone(&self.health);
        let ended = stage::run(&mut self, &health, member, ready);
        // The store and the client are closed before the process ends.
        ended.and(self.commits.end())
    }

    /// A commit is to begin before anything else is done.
    fn must_commit(&self) -> bool {
        let Rhythm {
            latest,
            batch_bytes,
            ..
        } = self.commits.rhythm;
        let is_due = self.commits.moved && self.commits.begun.elapsed() >= latest
            || self.outbox_bytes > batch_bytes
            || self.folding.values().any(|folding| folding.commits_first);
        is_due && !self.commits.is_busy()
    }

    /// A commit may begin, since there is something to say and nothing else to be done.
    fn may_commit(&self) -> bool {
        self.is_ready() && self.commits.may_begin(self.commits.rhythm.soonest)
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
    fn fold_or_wait(&mut self) -> Result<Next<'static, Own>> {
        if !self.commits.is_busy() || self.can_go_on() {
            return Ok(Next::Own(Own::Fold));
        }
        let ended = self.commits.ended_soon()?;
        Ok(ended.map_or(Next::Wait, Next::Committed))
    }

    /// So many bytes of messages are read before they are folded.
    fn inbox_max(&self) -> usize {
        match self.recovery {
            _ if self.unfinished => UNFINISHED_INBOX_BYTES_MAX,
            Some(_) => RECOVERY_INBOX_BYTES_MAX.min(self.config.recovery_bytes / MEMORY_FACTOR / 4),
            None => self.commits.rhythm.batch_bytes.min(INBOX_BYTES_MAX),
        }
    }

    /// How long a message may be waited for.
    fn patience(&self) -> Duration {
        if self.unfinished && self.can_go_on() {
            return Duration::ZERO;
        }
        if self.inbox_bytes > 0 {
            return WAIT_MIN;
        }
        match self.commits.moved {
            true => self.commits.patience(self.is_ready()),
            false => WAIT,
        }
    }

    /// Reads one message of the log.
    fn read_one(&mut self, kafka: &BorrowedMessage<'_>) {
        let number = kafka.partition();
        let payload = kafka.payload().unwrap_or_default();
        let timestamp = self.timestamp(kafka);
        if let Some(folding) = self.folding.get_mut(&number) {
            folding.partition.push(kafka.offset(), timestamp, payload);
            self.inbox_bytes += payload.len();
            self.commits.moved = true;
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
        let foldings = self.folding.iter_mut().filter(|(_, f)| which(f));
        self.pool.each(foldings.collect(), |(number, folding)| {
            folding.fold(u32::try_from(*number)?, &surroundings)
        })?;
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
        self.commits.moved |= self.unfinished;
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
}

impl Stage for CorrelateStage {
    type Batch = Batch;
    type Own = Own;
    const READS: &'static str = "matches";

    fn commits(&mut self) -> &mut Commits<Batch> {
        &mut self.commits
    }

    fn next<'g>(&mut self, group: &'g Group) -> Result<Next<'g, Own>> {
        if let Some(ended) = self.commits.ended()? {
            return Ok(Next::Committed(ended));
        }
        if self.must_commit() {
            return Ok(Next::Commit);
        }
        if let Some(found) = self.ends.answer()? {
            return Ok(Next::Own(Own::Ends(found)));
        }
        if self.last_look.elapsed() >= self.config.watermark_interval {
            return Ok(Next::Own(Own::AskForEnds));
        }
        if self.inbox_bytes > self.inbox_max() {
            return self.fold_or_wait();
        }
        let room = self.inbox_max() - self.inbox_bytes;
        Ok(match group.next(self.patience(), room)? {
            Event::Messages(messages) => Next::Messages(messages),
            Event::Assigned(partitions) => Next::Assigned(partitions),
            Event::Revoked(revoked) => Next::Revoked(revoked),
            Event::Nothing if self.can_go_on() => Next::Own(Own::Fold),
            Event::Nothing if self.may_commit() => Next::Commit,
            Event::Nothing => Next::Wait,
        })
    }

    fn read(&mut self, messages: &[BorrowedMessage<'_>]) -> Result<()> {
        messages.iter().for_each(|message| self.read_one(message));
        Ok(())
    }

    fn act(&mut self, group: &Arc<Group>, own: Own) -> Result<()> {
        match own {
            Own::AskForEnds => self.ask_for_ends(),
            Own::Ends(found) => {
                self.take_ends(&found);
                Ok(())
            }
            Own::Fold => {
                self.fold(|_| true)?;
                self.pace(group)
            }
        }
    }

    fn begin(&mut self, group: &Arc<Group>) -> Result<()> {
        self.begin_keeping(group, self.due_to_be_kept())
    }

    fn begin_last(&mut self, group: &Arc<Group>) -> Result<()> {
        let is_kept = |folding: &Folding| folding.kept >= self.commits.begun;
        match self.commits.moved || !self.folding.values().all(is_kept) {
            true => {
                let all = self.folding.keys().copied().collect();
                self.begin_keeping(group, all)
            }
            false => Ok(()),
        }
    }

    fn committed(&mut self) {
        self.take_committed();
    }

    fn undone(&mut self, why: &Undone) {
        why.log("messages folded since the last commit are folded again");
        lock(&self.status.correlating).recoveries += 1;
        self.status.undone(why);
    }

    /// From what the store has.
    fn open(
        &mut self,
        group: &Arc<Group>,
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

    fn close(&mut self, partitions: &[group::Partition]) {
        for (_, number) in partitions {
            if let Some(folding) = self.folding.remove(number) {
                Recovery::remove(&mut self.recovery, folding.partition.left());
            }
        }
        let left = self.folding.values().map(|f| f.partition.inbox_bytes());
        self.inbox_bytes = self.inbox_bytes.min(left.sum());
    }

    fn close_all(&mut self) -> Vec<group::Partition> {
        self.inbox_bytes = 0;
        self.outbox_bytes = 0;
        self.unfinished = false;
        self.commits.moved = false;
        let partitions = self.folding.values().map(|folding| &folding.partition);
        let left = partitions.map(Partition::left).sum();
        Recovery::remove(&mut self.recovery, left);
        let matches = Names::of(&self.config.app).matches;
        std::mem::take(&mut self.folding)
            .into_keys()
            .map(|number| (matches.to_string(), number))
            .collect()
    }

    fn abandon(&mut self) {
        self.close_all();
        self.waiting.clear();
    }

    fn settle(&mut self, group: &Arc<Group>) -> Result<()> {
        self.pace(group)
    }

    fn mend(&mut self, _: &Arc<Group>, error: anyhow::Error) -> Result<()> {
        Err(error)
    }

    fn note_at_end(&self) {
        let matches = Names::of(&self.config.app).matches;
        let foldings = self.folding.iter();
        let notes = foldings.map(|(number, folding)| note_of(&matches, *number, folding));
        noting::note_at_end(&self.config, &self.health, &notes.collect::<Vec<_>>());
    }
}
