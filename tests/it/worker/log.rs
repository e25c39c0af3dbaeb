//! What an application's logs say: the matches, and what an undisturbed fold of them publishes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use watchfire::detect::{Detector, Output, SourcePartition};
use watchfire::encode::Encoding;
use watchfire::fold::slices::{SliceLimit, Slices};
use watchfire::fold::state::{Read, State};
use watchfire::fold::work::{Publication, Run, advance};
use watchfire::matches;
use watchfire::matches::LogMessage;
use watchfire::plan::{Catalogue, Plan};
use watchfire::record::Position;
use watchfire::stopwatch::Stopwatch;

use crate::kafka::Message;
use crate::world;

/// A source partition and a position in it.
pub type Place = (u32, u32, Position);

/// The matches topic, with the plans that it names.
pub struct Log {
    pub catalogue: Catalogue,
    /// Each with its partition.
    pub messages: Vec<(i32, LogMessage)>,
}

impl Log {
    /// What stands in the rules topic and in the matches topic, as far as workers have written it.
    pub fn read(rules: &[Message], matches: &[Message]) -> Log {
        let mut catalogue = Catalogue::default();
        for entry in rules {
            let key = String::from_utf8_lossy(entry.key.as_deref().unwrap_or_default());
            if let Err(why) = catalogue.read(&key, entry.value.as_deref()) {
                println!("passed over: {key:?}: {why}");
            }
        }
        let read = |message: &Message| {
            let (offset, timestamp) = (message.offset, message.timestamp.unwrap());
            let bytes = message.value.as_deref().unwrap_or_default();
            let (_, log) = world::read(&catalogue, offset, timestamp, bytes).ok()?;
            Some((message.partition, log))
        };
        Log {
            messages: matches.iter().filter_map(read).collect(),
            catalogue,
        }
    }

    /// What an undisturbed fold of the log publishes, as far as each partition is committed.
    pub fn published(&self, committed: &BTreeMap<i32, i64>) -> Vec<Vec<u8>> {
        let mut published = Vec::new();
        for (partition, committed) in committed {
            let (mut state, mut disk) = (State::empty(0), BTreeMap::new());
            for (_, message) in self
                .messages
                .iter()
                .filter(|(p, m)| p == partition && m.offset < *committed)
            {
                let plan = self.catalogue.plan(message.message.plan).unwrap();
                let run = advance(&mut state, plan, message.clone());
                let said = fold(&mut state, run, &disk);
                published.extend(
                    said.iter()
                        .map(|said| Encoding::Avro.encode(&said.incident)),
                );
                for (row, value) in state.changes() {
                    match value {
                        Some(value) => disk.insert(row, value),
                        None => disk.remove(&row),
                    };
                }
                state.kept();
            }
        }
        published
    }

    /// Where the records stand that the log has matches of, by the log's partitions.
    pub fn matched(&self) -> Vec<(i32, Place)> {
        let mut matched = Vec::new();
        for (log_partition, log) in &self.messages {
            for section in &log.message.sections {
                let (source, partition) = (section.source, section.partition);
                let places = section
                    .records
                    .iter()
                    .map(|r| (source, partition, r.position));
                matched.extend(places.map(|place| (*log_partition, place)));
            }
        }
        matched
    }

    /// Where the records stand whose matches count: those beyond what the log's partition had said
    /// of their source partition before.
    pub fn counted(&self) -> BTreeSet<Place> {
        let mut heard: BTreeMap<(i32, u32, u32), Position> = BTreeMap::new();
        let mut counted = BTreeSet::new();
        for (log_partition, log) in &self.messages {
            for section in &log.message.sections {
                let (source, partition) = (section.source, section.partition);
                let place = (*log_partition, source, partition);
                let before = heard.get(&place).copied();
                let records = section.records.iter().map(|record| record.position);
                let beyond = records.filter(|position| before.is_none_or(|b| *position > b));
                counted.extend(beyond.map(|position| (source, partition, position)));
                heard.insert(place, before.max(Some(section.position)).unwrap());
            }
        }
        counted
    }

    /// The plan that the last message names.
    pub fn last_plan(&self) -> Arc<Plan> {
        let plan = self.messages.last().map(|(_, log)| log.message.plan);
        self.catalogue.plan(plan.unwrap()).cloned().unwrap()
    }
}

/// What a plan finds in its first source, in one go, as if for a log of one partition.
pub fn detect(plan: &Arc<Plan>, source: &[Message]) -> Output {
    let mut detector = Detector::new(Arc::clone(plan), 1, 900_000);
    let place = |message: &Message| SourcePartition {
        source: 0,
        partition: message.partition.cast_unsigned(),
    };
    for message in source {
        detector.assign(place(message), 0);
    }
    for message in source {
        let source = place(message);
        let payload = message.value.as_deref().unwrap();
        detector.read(source, message.offset, message.timestamp, payload);
    }
    detector.take()
}

/// Where the records stand of which matches were found.
pub fn places(found: &Output) -> BTreeSet<Place> {
    let mut places = BTreeSet::new();
    for (_, bytes) in &found.messages {
        for section in matches::decode(bytes).unwrap().sections {
            let records = section.records.iter();
            places.extend(records.map(|r| (section.source, section.partition, r.position)));
        }
    }
    places
}

/// Folds a run to its end upon these rows.
pub fn fold(state: &mut State, run: Run, disk: &BTreeMap<Vec<u8>, Vec<u8>>) -> Vec<Publication> {
    let mut work = Slices::new(run, None);
    let mut said = Vec::new();
    while !work.is_done() {
        load(state, &mut work, disk);
        said.extend(work.fold(state, &mut Stopwatch::default()));
    }
    said
}

/// Gives a slice the rows that it wants.
fn load(state: &mut State, work: &mut Slices, disk: &BTreeMap<Vec<u8>, Vec<u8>>) {
    loop {
        let wanted = work.wants(state, SliceLimit::NONE);
        if wanted.is_empty() {
            return;
        }
        for read in wanted {
            let (from, to) = match read {
                Read::Row(row) => (row.clone(), [row, vec![0]].concat()),
                Read::Range { from, to, .. } => (from, to),
            };
            for (row, value) in disk.range(from..to) {
                state.load(row, value).unwrap();
            }
        }
    }
}
