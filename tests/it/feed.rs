//! Feeds the correlating stage with matches made by hand, as many as are wanted. The benchmarks
//! use it as well.

use std::collections::BTreeMap;
use std::sync::Arc;

use watchfire::event::Attributes;
use watchfire::fold::slices::{SliceLimit, Slices};
use watchfire::fold::state::{Change, Read, State};
use watchfire::fold::work::advance;
use watchfire::incident::Incident;
use watchfire::io::disk::store::Store;
use watchfire::matches::LogMessage;
use watchfire::matches::{Input, Match, MatchedRecord, Message, PatternMatch, Section};
use watchfire::plan::{Catalogue, Limits, Plan, Settings, Source};
use watchfire::record::{Hash, Position};
use watchfire::rule;
use watchfire::stopwatch::Stopwatch;

/// The source topic.
pub const TOPIC: &str = "activity";

/// Those that a worker has where its configuration says nothing.
pub const SETTINGS: Settings = Settings {
    patience: 900,
    lateness: 7_200,
    limits: Limits::DEFAULT,
};

/// 2026-03-02T00:00:00Z, in seconds.
pub const MIDNIGHT: i64 = 1_772_409_600;

/// Where the rows of the state are.
pub enum Disk {
    Memory(BTreeMap<Vec<u8>, Vec<u8>>),
    RocksDb(Store),
}

/// One matches partition, fed from one source partition.
pub struct Feed {
    pub plan: Arc<Plan>,
    pub state: State,
    pub disk: Disk,
    next: i64,
    position: Position,
}

/// The plan of the rules in `yaml`, over one source partition.
pub fn plan(yaml: &str) -> Arc<Plan> {
    let mut attributes = Attributes::default();
    let rules = rule::parse("rules.yaml", yaml, &mut attributes).expect("valid rules");
    let mut catalogue = Catalogue::default();
    let sources = vec![Source {
        topic: TOPIC.to_owned(),
        partitions: 1,
        epoch: 0,
        epochs: std::collections::BTreeMap::new(),
    }];
    let draft = catalogue.draft(&rules, &attributes, SETTINGS, sources, 0);
    for (key, value) in &draft.entries {
        catalogue.read(key, Some(value)).expect("readable entry");
    }
    Arc::clone(catalogue.plan(draft.plan).expect("plan was written"))
}

/// What a pattern finds in a record; its aggregates read `inputs`.
pub fn part(pattern: u32, inputs: Vec<Input>) -> PatternMatch {
    PatternMatch {
        pattern,
        group: Vec::new(),
        inputs,
        combinations: smallvec::SmallVec::new(),
    }
}

/// The record at `offset` of the source partition, which matches the only rule with this key.
pub fn record(offset: i64, time: i64, user: &str, patterns: Vec<PatternMatch>) -> MatchedRecord {
    let mixed = (offset as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    MatchedRecord {
        position: Position {
            epoch: 0,
            offset,
            index: 0,
        },
        time,
        future: false,
        hash: Hash((u128::from(mixed) << 64 | u128::from(mixed)).to_be_bytes()),
        event_type: Some("MS_EvtHub_compute_virtualmachines_runcommand_action".into()),
        correlation_id: Some(format!("00000000-0000-0000-0000-{offset:012}")),
        resource_id: Some("/subscriptions/s/resourcegroups/g/virtualmachines/vm-1".into()),
        matches: vec![Match {
            rule: 0,
            key: vec![Some(user.to_owned())],
            patterns,
        }],
    }
}

impl Feed {
    pub fn new(yaml: &str, disk: Disk) -> Feed {
        Feed {
            plan: plan(yaml),
            state: State::empty(0),
            disk,
            next: 0,
            position: Position {
                epoch: 0,
                offset: -1,
                index: 0,
            },
        }
    }

    /// Folds one log message with these records and a watermark entry, both in milliseconds.
    pub fn message(&mut self, records: Vec<MatchedRecord>, time: i64) -> Vec<Incident> {
        if let Some(last) = records.last() {
            self.position = last.position;
        }
        let section = Section {
            source: 0,
            partition: 0,
            position: self.position,
            time: Some(time),
            records,
        };
        let log = LogMessage {
            offset: self.next,
            timestamp: time,
            message: Message {
                plan: self.plan.hash,
                sections: vec![section],
            },
        };
        self.next += 1;
        let run = advance(&mut self.state, &self.plan, log);
        let mut work = Slices::new(run, None);
        let mut said = Vec::new();
        while !work.is_done() {
            let reads = work.wants(&mut self.state, SliceLimit::NONE);
            match reads.is_empty() {
                true => said.extend(work.fold(&mut self.state, &mut Stopwatch::default())),
                false => reads.iter().for_each(|read| self.load(read)),
            }
        }
        let said = said.into_iter();
        said.map(|publication| *publication.incident).collect()
    }

    fn load(&mut self, read: &Read) {
        let Feed { state, disk, .. } = self;
        let mut take = |row: &[u8], value: &[u8]| state.load(row, value).expect("readable row");
        match (disk, read) {
            (Disk::Memory(rows), Read::Row(row)) => {
                rows.get(row).iter().for_each(|value| take(row, value));
            }
            (Disk::Memory(rows), Read::Range { from, to, .. }) => {
                let rows = rows.range(from.clone()..to.clone());
                rows.for_each(|(row, value)| take(row, value));
            }
            (Disk::RocksDb(store), Read::Row(row)) => {
                let value = store.get(0, row).expect("readable store");
                value.iter().for_each(|value| take(row, value));
            }
            (Disk::RocksDb(store), Read::Range { from, to, .. }) => {
                let mut each = |row: &[u8], value: &[u8]| {
                    take(row, value);
                    Ok(())
                };
                store.range(0, from, to, &mut each).expect("readable store");
            }
        }
    }

    /// Writes what has changed, and forgets the loaded keys beyond `bytes_max`.
    pub fn commit(&mut self, bytes_max: usize) {
        let changes: Vec<Change> = self.state.changes().collect();
        match &mut self.disk {
            Disk::Memory(rows) => {
                for (row, value) in changes {
                    match value {
                        Some(value) => rows.insert(row, value),
                        None => rows.remove(&row),
                    };
                }
            }
            Disk::RocksDb(store) => store.write(&[(0, changes)]).expect("writable store"),
        }
        self.state.kept();
        self.state.shrink(bytes_max);
    }
}
