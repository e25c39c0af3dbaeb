//! A small world around the real core: source partitions, matches logs, workers of both stages
//! with their disks, and a clock. What happens in it is chosen by its caller; nothing is random.

pub mod source_logs;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use watchfire::bookmark::{Bookmark, There};
use watchfire::canary::{self, Canary};
use watchfire::detect::read_to::GoOn;
use watchfire::detect::{Detector, Output, SourcePartition};
use watchfire::event::Attributes;
use watchfire::fold::admission::{Refusal, admit};
use watchfire::fold::key::pane::Origin;
use watchfire::fold::partition::note::Note;
use watchfire::fold::partition::{
    Bookmarks, Budget, Commit, CommitPoint, Found, Keep, Limit, Next, Partition,
};
use watchfire::fold::state::{Change, Counts, Read, State};
use watchfire::incident::{Incident, Status};
use watchfire::matches::{self, LogMessage, Match, MatchedRecord, Message, Section};
use watchfire::plan::{Catalogue, Draft, Limits, LoadedRule, MEANING, Plan, RuleEntry, Settings};
use watchfire::record::{Hash, Position};
use watchfire::replay::Replay;
use watchfire::rule::Texts;

use source_logs::{Progress, Reading, SourceLog};

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

/// How far a worker goes at once.
#[derive(Clone, Copy)]
pub struct Pace {
    /// What its partitions may take.
    pub budget: Budget,
    /// What it commits at once of each.
    pub commit: Limit,
    /// In one go a partition goes on so often where a message is large.
    pub slices: usize,
    /// Its state is kept with one of so many commits.
    pub keeps: usize,
}

impl Pace {
    /// As far as there is something to be done.
    pub const NONE: Pace = Pace {
        budget: Budget::NONE,
        commit: Limit::NONE,
        slices: usize::MAX,
        keeps: 1,
    };
}

/// Rows of one matches partition.
type Disk = BTreeMap<Vec<u8>, Vec<u8>>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceMessage {
    pub timestamp: i64,
    pub payload: Vec<u8>,
}

pub struct World {
    pub clock: i64,
    pub catalogue: Catalogue,
    pub sources: Vec<Vec<SourceMessage>>,
    /// What else there is of the source partitions.
    pub source_logs: Vec<SourceLog>,
    /// Committed offset of each source partition.
    pub read: Vec<i64>,
    /// Timestamp and bytes of each message, by matches partition.
    pub logs: Vec<Vec<(i64, Vec<u8>)>>,
    /// Offsets of messages in the matches logs that no worker has written.
    pub strangers: Vec<BTreeSet<usize>>,
    /// The first message that each matches log still has.
    pub low: Vec<i64>,
    /// What is committed of each matches partition.
    pub commits: Vec<Option<Commit>>,
    /// What the rules topic has.
    pub entries: Vec<(String, Vec<u8>)>,
    /// The plan written last.
    newest: Option<Arc<Plan>>,
    /// What rules mean to those who write plans.
    pub meaning: u32,
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
            source_logs: vec![SourceLog::default(); source_partitions],
            read: vec![0; source_partitions],
            logs: vec![Vec::new(); matches_partitions],
            strangers: vec![BTreeSet::new(); matches_partitions],
            low: vec![0; matches_partitions],
            commits: vec![None; matches_partitions],
            entries: Vec::new(),
            newest: None,
            meaning: MEANING,
            settings: SETTINGS,
            message_bytes: 3_000,
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
            ..Texts::default()
        };
        let (rules, _) = texts.parse(&mut attributes).expect("valid rules");
        let partitions = self.sources.len() as u32;
        let sources = vec![self.catalogue.epochs().source(TOPIC, partitions)];
        let minute = self.clock.div_euclid(60_000) * 60;
        let mut draft = self
            .catalogue
            .draft(&rules, &attributes, self.settings, sources, minute);
        if self.meaning < MEANING {
            draft = of_meaning(self.meaning, draft);
        }
        for (key, value) in &draft.entries {
            self.catalogue
                .read(key, Some(value))
                .expect("readable entry");
        }
        self.entries.extend(draft.entries);
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
            let read = open.map(|open| open.partition.next()).min();
            let needed = recovery(self.commits[partition].as_ref());
            *low = (*low).max(read.map_or(needed, |read| read.min(needed)));
        }
    }

    /// The recovery offset that is committed of a matches partition.
    pub fn recovery(&self, partition: usize) -> i64 {
        recovery(self.commits[partition].as_ref())
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

    /// Every match that the source topics hold for `plan`, by a plain look at each message.
    pub fn all_matches(
        &self,
        plan: &Arc<Plan>,
    ) -> Vec<(Arc<LoadedRule>, String, u32, MatchedRecord, Match)> {
        let mut all = Vec::new();
        self.each_matched(plan, &mut |partition, found| {
            for part in &found.matches {
                let rule = plan.rules[part.rule as usize].0.clone();
                let topic = TOPIC.to_owned();
                all.push((rule, topic, partition, found.clone(), part.clone()));
            }
        });
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

    /// What stands in a matches log in the place of a message by which it is known.
    fn matches_at(&self, partition: usize, bookmark: Option<Bookmark>) -> There {
        // That fault changes what is folded: it is to be caught by what is said.
        let is_true = !canary::is(Canary::WatermarkPerBatch);
        let bookmark = bookmark.filter(|b| is_true && b.offset >= self.low[partition]);
        let Some(Bookmark { offset, .. }) = bookmark else {
            return There::Unknown;
        };
        match self.logs[partition].get(offset as usize) {
            Some((timestamp, payload)) => {
                There::Message(Bookmark::of(offset, Some(*timestamp), payload))
            }
            None => There::Nothing,
        }
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

/// The same plan as a version writes it to which its rules mean something else.
pub fn of_meaning(meaning: u32, draft: Draft) -> Draft {
    let mut entries = Vec::new();
    let mut renamed: Vec<(String, String)> = Vec::new();
    for (key, value) in draft.entries {
        let mut value = String::from_utf8(value).expect("JSON");
        if key.starts_with("rule/") {
            let mut entry: RuleEntry = serde_json::from_str(&value).expect("an entry");
            let before = format!("{} of meaning {meaning}", entry.fingerprint);
            entry.fingerprint = Hash::of(before.as_bytes());
            entry.meaning = meaning;
            value = serde_json::to_string(&entry).expect("JSON");
        }
        for (before, now) in &renamed {
            value = value.replace(before.as_str(), now);
        }
        let (kind, before) = key.split_once('/').expect("a hashed entry");
        let now = Hash::of(value.as_bytes()).to_string();
        renamed.push((before.to_owned(), now.clone()));
        entries.push((format!("{kind}/{now}"), value.into_bytes()));
    }
    let (key, _) = entries.last().expect("a new plan");
    let plan = Hash::parse(key.trim_start_matches("plan/")).expect("a plan's entry");
    Draft { plan, entries }
}

fn recovery(commit: Option<&Commit>) -> i64 {
    commit.map_or(0, |commit| {
        let note = Note::parse(&commit.metadata, commit.offset);
        note.expect("our own note").recovery
    })
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
    readings: BTreeMap<u32, Reading>,
    /// Partitions of which it does not know whether they are the logs that were read.
    doubted: BTreeSet<u32>,
    /// Those that did not begin where they were committed, and how.
    begun: BTreeMap<u32, (GoOn, Reading)>,
    /// What a commit writes that is on its way, and how far everything was read when it began.
    on_its_way: Option<(Output, Progress)>,
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
            readings: BTreeMap::new(),
            doubted: BTreeSet::new(),
            begun: BTreeMap::new(),
            on_its_way: None,
        }
    }

    pub fn assigned(&self) -> BTreeSet<u32> {
        self.readings.keys().chain(&self.doubted).copied().collect()
    }

    pub fn revoke(&mut self, partition: u32) {
        assert!(self.on_its_way.is_none(), "a revocation waits for it");
        self.detector.revoke(place(partition));
        self.readings.remove(&partition);
        self.doubted.remove(&partition);
        self.begun.remove(&partition);
    }

    /// Has watermark entries written; partitions at their end say the clock.
    pub fn mark(&mut self, world: &World) {
        let at_end: Vec<(SourcePartition, i64)> = self
            .readings
            .iter()
            .filter(|(partition, reading)| reading.is_at_end(world, **partition))
            .map(|(partition, _)| (place(*partition), world.clock))
            .collect();
        self.detector.mark(&at_end);
    }

    /// Begins to commit what waits, unless a commit is on its way.
    pub fn begin(&mut self) {
        if self.on_its_way.is_none() {
            self.on_its_way = Some((self.detector.take(), self.progress()));
        }
    }

    /// The commit that is on its way, if one is, comes about: writes to the matches logs, and with
    /// `offsets` commits how far was read when it began. Without, the messages are written all the
    /// same: a broker without transactions, or a worker that no longer owns its partitions. How
    /// many records were refused.
    pub fn end(&mut self, world: &mut World, offsets: bool) -> u64 {
        let Some((output, progress)) = self.on_its_way.take() else {
            return 0;
        };
        self.note_begun(world);
        if !offsets && self.reads_what_is_gone(world) {
            // It ends before that, and is started again: nobody could tell the log that is there by
            // what it had said of the one before, and not committed.
            self.restart(world, Arc::clone(&self.plan));
            return 0;
        }
        for (partition, bytes) in output.messages {
            world.logs[partition as usize].push((world.clock, bytes));
        }
        for (partition, (next, read_to)) in progress {
            let partition = partition as usize;
            if offsets {
                world.commit_read(partition, next, read_to);
                world.note(partition);
            } else {
                world.write_read(partition, next, read_to.epoch);
            }
        }
        output.counts.rejected
    }

    /// Commits all that there is.
    pub fn commit(&mut self, world: &mut World, offsets: bool) -> u64 {
        let refused = self.end(world, offsets);
        self.begin();
        refused + self.end(world, offsets)
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
pub struct CorrelateWorker {
    pub pace: Pace,
    disk: BTreeMap<usize, Disk>,
    open: BTreeMap<usize, Open>,
    /// Slices were worked off after which there was more to be done of their message.
    pub slices: usize,
    /// Commits ended within a message.
    pub cursors: usize,
}

impl Default for CorrelateWorker {
    fn default() -> CorrelateWorker {
        CorrelateWorker {
            pace: Pace::NONE,
            disk: BTreeMap::new(),
            open: BTreeMap::new(),
            slices: 0,
            cursors: 0,
        }
    }
}

struct Open {
    partition: Partition,
    delayed: Delayed,
    on_its_way: Option<OnItsWay>,
    /// Commits that were begun.
    commits: usize,
}

/// A commit that is on its way.
struct OnItsWay {
    point: CommitPoint,
    come: Come,
}

/// How far a commit has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Come {
    /// The brokers are still to have it.
    Begun,
    /// They have it.
    Committed,
    /// The disk has it, too. The fold is still to learn of it.
    Written,
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

    /// Opens a partition, as every beginning does.
    pub fn assign(&mut self, world: &World, partition: usize) {
        let disk = self.disk.entry(partition).or_default();
        let meta = disk.get(State::META_ROW).map(Vec::as_slice);
        let commit = world.commits[partition].as_ref();
        let known_by = Bookmarks::of(meta, commit);
        let found = Found {
            meta,
            cursor: disk.get(State::CURSOR_ROW).map(Vec::as_slice),
            commit,
            committed_there: world.matches_at(partition, known_by.committed),
            stored_there: world.matches_at(partition, known_by.stored),
            low: world.low[partition],
            high: world.logs[partition].len() as i64,
            transactions: false,
            accept_incomplete: false,
        };
        let opened = Partition::open(found, &world.catalogue).expect("the log has what is needed");
        if opened.drop_rows {
            disk.clear();
        }
        self.open.insert(
            partition,
            Open {
                partition: opened.partition,
                delayed: Delayed::default(),
                on_its_way: None,
                commits: 0,
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

    /// Folds the next messages of a partition, at most so many.
    pub fn read(&mut self, world: &World, partition: usize, messages: usize) {
        let Some(open) = self.open.get_mut(&partition) else {
            return;
        };
        let offset = open.partition.next() as usize;
        let log = &world.logs[partition];
        assert!(
            offset as i64 >= world.low[partition],
            "read what the log has lost"
        );
        let end = log.len().min(offset.saturating_add(messages));
        for (offset, (timestamp, bytes)) in log.iter().enumerate().take(end).skip(offset) {
            let bytes = open.delayed.next(world, *timestamp, bytes);
            open.partition.push(offset as i64, *timestamp, &bytes);
        }
        let disk = self.disk.get_mut(&partition).expect("a disk");
        self.slices += open.fold(world, disk, self.pace);
    }

    /// All that there is of a partition is folded, committed and kept.
    pub fn is_done(&self, world: &World, partition: usize) -> bool {
        let Some(open) = self.open.get(&partition) else {
            return true;
        };
        let committed = open.partition.commit().offset;
        committed == world.logs[partition].len() as i64 && open.on_its_way.is_none()
    }

    /// A commit of a partition is on its way.
    pub fn is_committing(&self, partition: usize) -> bool {
        let open = self.open.get(&partition);
        open.is_some_and(|open| open.on_its_way.is_some())
    }

    /// Begins a commit, or goes on with the one that is on its way.
    pub fn go_on_committing(&mut self, world: &mut World, partition: usize, forget: bool) {
        let Some(open) = self.open.get(&partition) else {
            return;
        };
        match open.on_its_way.as_ref().map(|on_its_way| on_its_way.come) {
            None => self.begin(partition),
            Some(Come::Begun) => self.commit_kafka(world, partition),
            Some(Come::Committed) => self.write(partition),
            Some(Come::Written) => self.learn(partition, forget),
        }
    }

    fn begin(&mut self, partition: usize) {
        let Some(open) = self.open.get_mut(&partition) else {
            return;
        };
        open.commits += 1;
        let keep = match open.commits % self.pace.keeps {
            0 => Keep::Now,
            _ => Keep::IfItMust,
        };
        let mut point = open.partition.commit_point(self.pace.commit, keep);
        if canary::is(Canary::StateBeforeKafka) {
            let disk = self.disk.entry(partition).or_default();
            write(disk, std::mem::take(&mut point.changes));
        }
        let come = Come::Begun;
        open.on_its_way = Some(OnItsWay { point, come });
        open.delayed.batch_ended = true;
    }

    /// First half of a commit, which is begun if none is: incidents and offsets, in one Kafka
    /// transaction.
    pub fn commit_kafka(&mut self, world: &mut World, partition: usize) {
        if !self.is_committing(partition) {
            self.begin(partition);
        }
        let open = self.open.get_mut(&partition);
        let Some(OnItsWay { point, come }) = open.and_then(|open| open.on_its_way.as_mut()) else {
            return;
        };
        if *come != Come::Begun {
            return;
        }
        self.cursors += usize::from(point.place.cursor.is_some());
        world.incidents[partition].append(&mut point.publications);
        world.commits[partition] = Some(Commit {
            offset: point.place.offset,
            metadata: point.metadata.clone(),
        });
        *come = Come::Committed;
    }

    /// Second half: the state, in one batch. With `forget` loaded keys are dropped.
    pub fn commit_disk(&mut self, partition: usize, forget: bool) {
        self.write(partition);
        self.learn(partition, forget);
    }

    fn write(&mut self, partition: usize) {
        let open = self.open.get_mut(&partition);
        let Some(OnItsWay { point, come }) = open.and_then(|open| open.on_its_way.as_mut()) else {
            return;
        };
        if *come == Come::Committed {
            let disk = self.disk.entry(partition).or_default();
            write(disk, std::mem::take(&mut point.changes));
            *come = Come::Written;
        }
    }

    /// The fold learns what has come of its commit.
    fn learn(&mut self, partition: usize, forget: bool) {
        let Some(open) = self.open.get_mut(&partition) else {
            return;
        };
        let Some(OnItsWay { point, .. }) = open
            .on_its_way
            .take_if(|on_its_way| on_its_way.come == Come::Written)
        else {
            return;
        };
        open.partition.committed(point.place, point.metadata);
        let budget = match forget {
            true => Budget {
                live_bytes: 0,
                recovering_bytes: 0,
                ..self.pace.budget
            },
            false => self.pace.budget,
        };
        open.partition.kept(&budget);
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
        self.open[&partition].partition.counts()
    }
}

impl Open {
    /// Folds what was pushed, as far as it goes; in how many slices after which there was more.
    fn fold(&mut self, world: &World, disk: &mut Disk, pace: Pace) -> usize {
        let mut slices = 0;
        let plans = self.partition.plans_named();
        let plans = plans.filter_map(|hash| {
            let plan = world.catalogue.plan(hash).ok()?;
            Some((hash, plan.clone()))
        });
        let plans: BTreeMap<Hash, Arc<Plan>> = plans.collect();
        loop {
            let next = self.partition.step(&plans, &pace.budget);
            match next.expect("no plan is lost") {
                Next::Load(wanted) => {
                    for read in wanted {
                        load(&mut self.partition, disk, read);
                    }
                }
                Next::Keep => {
                    write(disk, self.partition.keep().collect());
                    self.partition.kept(&pace.budget);
                }
                Next::Slice => {
                    slices += 1;
                    if slices >= pace.slices {
                        return slices;
                    }
                }
                Next::Commit | Next::Read => return slices,
            }
        }
    }
}

impl Delayed {
    /// A message of the log as a worker takes it that may have a fault.
    fn next(&mut self, world: &World, timestamp: i64, bytes: &[u8]) -> Vec<u8> {
        let faulty = [Canary::RulesFromFiles, Canary::WatermarkPerBatch];
        let admitted = read(&world.catalogue, 0, timestamp, bytes);
        let (true, Ok((_, mut log))) = (faulty.into_iter().any(canary::is), admitted) else {
            return bytes.to_vec();
        };
        match canary::is(Canary::RulesFromFiles) {
            true => log.message.plan = world.newest.as_ref().expect("a plan").hash,
            false => self.hold_back(&mut log.message),
        }
        matches::encode(&log.message)
    }

    /// Keeps the entries of a message, and gives it those of the batch before.
    fn hold_back(&mut self, message: &mut Message) {
        let mut before = BTreeMap::new();
        if std::mem::take(&mut self.batch_ended) {
            before = std::mem::take(&mut self.sections);
        }
        for section in &mut message.sections {
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
        message.sections.extend(before.into_values());
    }
}

fn write(disk: &mut Disk, changes: Vec<Change>) {
    for (row, value) in changes {
        match value {
            Some(value) => disk.insert(row, value),
            None => disk.remove(&row),
        };
    }
}

fn load(partition: &mut Partition, disk: &Disk, read: Read) {
    match read {
        Read::Row(row) => {
            if let Some(value) = disk.get(&row) {
                partition.load(&row, value).expect("readable row");
            }
        }
        Read::Range { from, to, most } => {
            for (row, value) in disk.range(from..to).take(most) {
                partition.load(row, value).expect("readable row");
            }
        }
    }
}
