//! A small world around the real core: source partitions, matches logs, workers of both stages
//! with their disks, and a clock. What happens in it is chosen by its caller; nothing is random.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use watchfire::canary::{self, Canary};
use watchfire::detect::{Detector, SourcePartition};
use watchfire::event::Attributes;
use watchfire::fold::admission::{Refusal, admit};
use watchfire::fold::key::Origin;
use watchfire::fold::state::{Counts, Read, State};
use watchfire::fold::work::{LogMessage, Run, advance, fold};
use watchfire::incident::{Incident, Status};
use watchfire::matches::{self, Match, MatchedRecord, Section};
use watchfire::plan::{Catalogue, Limits, LoadedRule, Plan, Settings, Source};
use watchfire::record::{Hash, Position};
use watchfire::replay::Replay;
use watchfire::rule::Texts;

pub const TOPIC: &str = "activity";

pub const SETTINGS: Settings = Settings {
    patience: 900,
    lateness: 7_200,
    limits: Limits {
        evidence: 3,
        distinct_values: 50,
        ..Limits::DEFAULT
    },
};

/// Rows of one matches partition.
type Disk = BTreeMap<Vec<u8>, Vec<u8>>;

#[derive(Clone)]
pub struct SourceMessage {
    pub timestamp: i64,
    pub payload: Vec<u8>,
}

pub struct World {
    pub clock: i64,
    pub catalogue: Catalogue,
    pub sources: Vec<Vec<SourceMessage>>,
    /// Committed offset of each source partition.
    pub read: Vec<i64>,
    /// Timestamp and bytes of each message, by matches partition.
    pub logs: Vec<Vec<(i64, Vec<u8>)>>,
    /// Offsets of messages in the matches logs that no worker has written.
    pub strangers: Vec<BTreeSet<usize>>,
    /// The first message that each matches log still has.
    pub low: Vec<i64>,
    /// Committed offset of each matches partition.
    pub folded: Vec<i64>,
    /// The recovery offset committed with it.
    pub recovery: Vec<i64>,
    /// The plan written last.
    newest: Option<Arc<Plan>>,
    /// What applies to rules that do not say it themselves.
    pub settings: Settings,
    /// What one message of the matches topic may hold.
    pub message_bytes: usize,
    /// Files of lists beside the rules.
    pub lists: Vec<(String, String)>,
    /// What a read_committed reader sees, by the matches partition it came from.
    pub incidents: Vec<Vec<Incident>>,
}

impl World {
    pub fn new(clock: i64, source_partitions: usize, matches_partitions: usize) -> World {
        World {
            clock,
            catalogue: Catalogue::default(),
            sources: vec![Vec::new(); source_partitions],
            read: vec![0; source_partitions],
            logs: vec![Vec::new(); matches_partitions],
            strangers: vec![BTreeSet::new(); matches_partitions],
            low: vec![0; matches_partitions],
            folded: vec![0; matches_partitions],
            recovery: vec![0; matches_partitions],
            newest: None,
            settings: SETTINGS,
            message_bytes: 600,
            lists: Vec::new(),
            incidents: vec![Vec::new(); matches_partitions],
        }
    }

    /// Writes the plan of these rules, as a worker does before it uses it.
    pub fn plan(&mut self, yaml: &str) -> Arc<Plan> {
        let mut attributes = Attributes::default();
        let texts = Texts {
            rules: vec![("rules.yaml".to_owned(), yaml.to_owned())],
            lists: self.lists.clone(),
        };
        let (rules, _) = texts.parse(&mut attributes).expect("valid rules");
        let partitions = self.sources.len() as u32;
        let sources = vec![Source {
            topic: TOPIC.to_owned(),
            partitions,
            epoch: 0,
        }];
        let minute = self.clock.div_euclid(60_000) * 60;
        let draft = self
            .catalogue
            .draft(&rules, &attributes, self.settings, sources, minute);
        for (key, value) in &draft.entries {
            self.catalogue
                .read(key, Some(value))
                .expect("readable entry");
        }
        let plan = self.catalogue.plan(draft.plan).expect("plan was written");
        self.newest = Some(plan.clone());
        plan.clone()
    }

    pub fn produce(&mut self, partition: usize, payload: Vec<u8>) {
        let timestamp = self.clock;
        self.sources[partition].push(SourceMessage { timestamp, payload });
    }

    /// The matches logs lose what no fold needs any more, and none of `workers` still reads.
    pub fn retain(&mut self, workers: &[CorrelateWorker]) {
        for (partition, low) in self.low.iter_mut().enumerate() {
            let open = workers.iter().filter_map(|w| w.open.get(&partition));
            let read = open.map(|open| open.state.applied()).min();
            let needed = self.recovery[partition];
            *low = (*low).max(read.map_or(needed, |read| read.min(needed)));
        }
    }

    /// The whole log of a matches partition, also what it has lost, without what no worker has
    /// written.
    pub fn log(&self, partition: usize) -> Vec<LogMessage> {
        let offsets = 0..self.logs[partition].len();
        offsets
            .filter(|offset| !self.strangers[partition].contains(offset))
            .map(|offset| {
                let (timestamp, bytes) = &self.logs[partition][offset];
                LogMessage {
                    offset: offset as i64,
                    timestamp: *timestamp,
                    message: matches::decode(bytes).expect("readable message"),
                }
            })
            .collect()
    }

    /// Somebody who is no worker writes to a matches log.
    pub fn intrude(&mut self, partition: usize, bytes: Vec<u8>) {
        self.strangers[partition].insert(self.logs[partition].len());
        self.logs[partition].push((self.clock, bytes));
    }

    /// A message of the log as a worker reads it.
    fn message(&self, partition: usize, offset: usize) -> Result<(Arc<Plan>, LogMessage), Refusal> {
        let (timestamp, bytes) = &self.logs[partition][offset];
        read(&self.catalogue, offset as i64, *timestamp, bytes)
    }

    /// Every match that the source topics hold for `plan`, by a plain look at each message.
    pub fn all_matches(
        &self,
        plan: &Arc<Plan>,
    ) -> Vec<(Arc<LoadedRule>, String, u32, MatchedRecord, Match)> {
        let mut matcher = watchfire::detect::Matcher::new(plan);
        let mut all = Vec::new();
        for (partition, messages) in (0_u32..).zip(&self.sources) {
            for (offset, message) in (0_i64..).zip(messages) {
                matcher.each_record(&message.payload, Some(message.timestamp), &mut |record| {
                    let watchfire::detect::Found::Event {
                        matched: Some(found),
                        ..
                    } = record.outcome
                    else {
                        return;
                    };
                    let position = Position {
                        epoch: 0,
                        offset,
                        index: record.index,
                    };
                    let found = MatchedRecord { position, ..found };
                    for part in &found.matches {
                        let rule = plan.rules[part.rule as usize].0.clone();
                        let topic = TOPIC.to_owned();
                        all.push((rule, topic, partition, found.clone(), part.clone()));
                    }
                });
            }
        }
        all
    }

    /// What a backtest of the source topics says.
    pub fn replay(&self, plan: &Arc<Plan>) -> Vec<Incident> {
        let mut replay = Replay::new(plan.clone());
        let topic = replay.topic(TOPIC);
        let mut records: BTreeMap<(u32, Position), MatchedRecord> = BTreeMap::new();
        for (_, _, partition, record, _) in self.all_matches(plan) {
            records.insert((partition, record.position), record);
        }
        for ((partition, _), record) in records {
            replay.add(&record, Origin { topic, partition });
        }
        replay.finish()
    }

    /// The incidents that stand at the end, by first_seen and id.
    pub fn standing(&self) -> Vec<Incident> {
        let mut last: BTreeMap<Hash, Incident> = BTreeMap::new();
        for incident in self.incidents.iter().flatten() {
            last.insert(incident.incident_id, incident.clone());
        }
        let mut standing: Vec<Incident> = last
            .into_values()
            .filter(|i| i.status != Status::Retracted)
            .collect();
        standing.sort_by_key(|incident| (incident.first_seen, incident.incident_id));
        standing
    }
}

/// A message of a matches log with its plan, as a worker reads it.
pub fn read(
    catalogue: &Catalogue,
    offset: i64,
    timestamp: i64,
    bytes: &[u8],
) -> Result<(Arc<Plan>, LogMessage), Refusal> {
    let hash = matches::plan_of(bytes).map_err(|_| Refusal::Short)?;
    let plan = catalogue
        .plan(hash)
        .map_err(|_| Refusal::UnknownPlan(hash))?;
    let message = LogMessage {
        offset,
        timestamp,
        message: admit(bytes, timestamp, plan)?,
    };
    Ok((Arc::clone(plan), message))
}

/// A worker's first stage.
pub struct DetectWorker {
    pub plan: Arc<Plan>,
    detector: Detector,
    next: BTreeMap<u32, i64>,
}

fn place(partition: u32) -> SourcePartition {
    SourcePartition {
        source: 0,
        partition,
    }
}

impl DetectWorker {
    pub fn new(world: &World, plan: Arc<Plan>) -> DetectWorker {
        let partitions = world.logs.len() as u32;
        let detector = Detector::new(plan.clone(), partitions, world.message_bytes);
        DetectWorker {
            plan,
            detector,
            next: BTreeMap::new(),
        }
    }

    pub fn assigned(&self) -> BTreeSet<u32> {
        self.next.keys().copied().collect()
    }

    pub fn assign(&mut self, world: &World, partition: u32) {
        let offset = world.read[partition as usize];
        self.detector.assign(place(partition), offset);
        self.next.insert(partition, offset);
    }

    pub fn revoke(&mut self, partition: u32) {
        self.detector.revoke(place(partition));
        self.next.remove(&partition);
    }

    /// Reads the next message of a partition, if there is one.
    pub fn read(&mut self, world: &World, partition: u32) -> bool {
        let Some(next) = self.next.get_mut(&partition) else {
            return false;
        };
        let Some(message) = world.sources[partition as usize].get(*next as usize) else {
            return false;
        };
        let timestamp = Some(message.timestamp);
        self.detector
            .read(place(partition), *next, timestamp, &message.payload);
        *next += 1;
        true
    }

    /// Has watermark entries written; partitions at their end say the clock.
    pub fn mark(&mut self, world: &World) {
        let at_end: Vec<(SourcePartition, i64)> = self
            .next
            .iter()
            .filter(|(partition, next)| **next == world.sources[**partition as usize].len() as i64)
            .map(|(partition, _)| (place(*partition), world.clock))
            .collect();
        self.detector.mark(&at_end);
    }

    /// Writes what waits to the matches logs, and with `offsets` commits how far it has read.
    /// Without, the messages are written all the same: a broker without transactions, or a
    /// worker that no longer owns its partitions. How many records were refused.
    pub fn commit(&mut self, world: &mut World, offsets: bool) -> u64 {
        let output = self.detector.take();
        for (partition, bytes) in output.messages {
            world.logs[partition as usize].push((world.clock, bytes));
        }
        if offsets {
            for (partition, next) in &self.next {
                world.read[*partition as usize] = *next;
            }
        }
        output.counts.rejected
    }

    /// Loses what is not committed and begins again where the commits say.
    pub fn restart(&mut self, world: &World, plan: Arc<Plan>) {
        let assigned = self.assigned();
        *self = DetectWorker::new(world, plan);
        for partition in assigned {
            self.assign(world, partition);
        }
    }
}

/// A worker's second stage, with its disk.
#[derive(Default)]
pub struct CorrelateWorker {
    disk: BTreeMap<usize, Disk>,
    open: BTreeMap<usize, Open>,
}

struct Open {
    state: State,
    /// Messages before this offset are folded without saying anything.
    live_from: i64,
    said: Vec<Incident>,
    delayed: Delayed,
}

/// Watermark entries that are kept back to the end of a batch: a fault on purpose.
#[derive(Default)]
struct Delayed {
    sections: BTreeMap<(u32, u32), Section>,
    batch_ended: bool,
}

impl CorrelateWorker {
    pub fn assigned(&self) -> Vec<usize> {
        self.open.keys().copied().collect()
    }

    /// The one way to begin: from the disk, if it has a state that is not beyond the commits and
    /// that the log still reaches; else from nothing, at the recovery offset.
    pub fn assign(&mut self, world: &World, partition: usize) {
        let disk = self.disk.entry(partition).or_default();
        let (low, committed) = (world.low[partition], world.folded[partition]);
        let recovery = world.recovery[partition];
        assert!(low <= recovery, "the log lost what a fold needs");
        let usable = |state: &State| {
            let ahead = state.applied() > committed && !canary::is(Canary::StateBeforeKafka);
            low <= state.applied() && !ahead
        };
        let kept = disk
            .get(State::META_ROW)
            .map(|meta| State::open(meta, &world.catalogue).expect("readable state"))
            .filter(usable);
        let state = kept.unwrap_or_else(|| {
            disk.clear();
            State::empty(recovery)
        });
        self.open.insert(
            partition,
            Open {
                state,
                live_from: committed,
                said: Vec::new(),
                delayed: Delayed::default(),
            },
        );
    }

    pub fn revoke(&mut self, partition: usize) {
        self.open.remove(&partition);
    }

    pub fn lose_disk(&mut self, partition: usize) {
        assert!(!self.open.contains_key(&partition));
        self.disk.remove(&partition);
    }

    /// Folds the next messages of a partition, at most so many, those together that may be; how
    /// many there were.
    pub fn read(&mut self, world: &World, partition: usize, messages: usize) -> usize {
        let Some(open) = self.open.get_mut(&partition) else {
            return 0;
        };
        let offset = open.state.applied() as usize;
        assert!(
            offset as i64 >= world.low[partition],
            "read what the log has lost"
        );
        let end = world.logs[partition]
            .len()
            .min(offset.saturating_add(messages));
        let mut together: Option<Run> = None;
        for offset in offset..end {
            let Ok((plan, message)) = open.delayed.next(world, partition, offset) else {
                open.state.pass_over(offset as i64);
                continue;
            };
            let joins = open.state.has_only(&plan);
            match together.as_mut().filter(|_| joins) {
                Some(run) => run.append(advance(&mut open.state, &plan, message)),
                None => {
                    open.finish(together.take(), &self.disk[&partition]);
                    let run = advance(&mut open.state, &plan, message);
                    together = Some(run.silent_before(open.live_from));
                }
            }
        }
        open.finish(together, &self.disk[&partition]);
        end - offset
    }

    /// First half of a commit: incidents and offsets, in one Kafka transaction.
    pub fn commit_kafka(&mut self, world: &mut World, partition: usize) {
        let Some(open) = self.open.get_mut(&partition) else {
            return;
        };
        world.incidents[partition].append(&mut open.said);
        let applied = open.state.applied();
        if applied > world.folded[partition] {
            world.folded[partition] = applied;
            world.recovery[partition] = open.state.recovery_offset();
        }
        open.delayed.batch_ended = true;
    }

    /// Second half: the state, in one batch. With `forget` loaded keys are dropped.
    pub fn commit_disk(&mut self, partition: usize, forget: bool) {
        let Some(open) = self.open.get_mut(&partition) else {
            return;
        };
        let disk = self.disk.entry(partition).or_default();
        for (key, value) in open.state.changes() {
            match value {
                Some(value) => disk.insert(key, value),
                None => disk.remove(&key),
            };
        }
        if forget {
            // Nothing is needed between the two, so all is forgotten.
            open.state.shrink(0);
            open.state.shrink(0);
        }
    }

    /// Loses what is not committed and begins again.
    pub fn restart(&mut self, world: &World) {
        for partition in self.assigned() {
            self.revoke(partition);
            self.assign(world, partition);
        }
    }

    /// Bytes on the disk of one partition.
    pub fn bytes(&self, partition: usize) -> usize {
        let disk = self.disk.get(&partition).into_iter().flatten();
        disk.map(|(row, value)| row.len() + value.len()).sum()
    }

    /// Rows on the disk of one partition.
    pub fn rows(&self, partition: usize) -> usize {
        self.disk.get(&partition).map_or(0, BTreeMap::len)
    }

    /// What a partition's state has counted since it was opened.
    pub fn counts(&self, partition: usize) -> Counts {
        self.open[&partition].state.counts
    }
}

impl Open {
    /// Folds messages that are half folded.
    fn finish(&mut self, together: Option<Run>, disk: &Disk) {
        let Some(mut run) = together else { return };
        loop {
            let reads = self.state.wants(&mut run);
            if reads.is_empty() {
                break;
            }
            for read in reads {
                load(&mut self.state, disk, read);
            }
        }
        self.said.extend(fold(&mut self.state, run));
    }
}

impl Delayed {
    /// A message of the log with its plan, as a worker takes them that may have a fault.
    fn next(
        &mut self,
        world: &World,
        partition: usize,
        offset: usize,
    ) -> Result<(Arc<Plan>, LogMessage), Refusal> {
        let (mut plan, mut message) = world.message(partition, offset)?;
        if canary::is(Canary::RulesFromFiles) {
            plan = world.newest.clone().expect("a plan");
        }
        if canary::is(Canary::WatermarkPerBatch) {
            self.hold_back(&mut message);
        }
        Ok((plan, message))
    }

    /// Keeps the entries of a message, and gives it those of the batch before.
    fn hold_back(&mut self, log: &mut LogMessage) {
        let mut before = BTreeMap::new();
        if std::mem::take(&mut self.batch_ended) {
            before = std::mem::take(&mut self.sections);
        }
        for section in &mut log.message.sections {
            let place = (section.source, section.partition);
            let earlier = before.remove(&place).and_then(|known| known.time);
            let time = std::mem::replace(&mut section.time, earlier);
            let known = self.sections.get(&place).and_then(|known| known.time);
            let kept = Section {
                time: known.max(time),
                records: Vec::new(),
                ..section.clone()
            };
            self.sections.insert(place, kept);
        }
        log.message.sections.extend(before.into_values());
    }
}

fn load(state: &mut State, disk: &Disk, read: Read) {
    match read {
        Read::Row(row) => {
            if let Some(value) = disk.get(&row) {
                state.load(&row, value).expect("readable row");
            }
        }
        Read::Range { from, to } => {
            for (row, value) in disk.range(from..to) {
                state.load(row, value).expect("readable row");
            }
        }
    }
}
