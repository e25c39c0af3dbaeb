//! What was published is what the log says, and what stands at the end is what the events say.

use std::collections::BTreeMap;

use watchfire::config::Delivery;
use watchfire::encode::avro::read::Reader;
use watchfire::incident::{Incident, Status};
use watchfire::matches::Section;
use watchfire::plan::Plan;
use watchfire::record::Hash;

use super::{Kind, Problem, counted};
use crate::chaos::dump::{Datum, Dump};
use crate::oracle::{final_incidents, set_fields};
use crate::worker::log::Log;

/// The incidents topic, decoded.
pub struct Published {
    /// In the order of partitions and offsets, with the partition.
    all: Vec<(i32, Incident)>,
}

impl Published {
    /// Decodes what was published, and holds it against what others decode.
    pub fn read(dump: &Dump, problems: &mut Vec<Problem>) -> Published {
        let reader = Reader::new().unwrap();
        let mut all = Vec::new();
        for (message, datum) in dump.incidents.iter().zip(&dump.datums) {
            let place = format!("{}/{}", message.partition, message.offset);
            let Ok(incident) = reader.read(message.value.as_deref().unwrap_or_default()) else {
                let what = format!("{place} cannot be decoded");
                problems.push(Problem::new(Kind::RevisionInvented, what));
                continue;
            };
            if seen(&incident) != *datum {
                let what = format!("{place}: {datum:?}, not {:?}", seen(&incident));
                problems.push(Problem::new(Kind::Decoded, what));
            }
            if message.key != Some(incident.incident_id.to_string().into_bytes()) {
                let what = format!("{place}: {}", incident.incident_id);
                problems.push(Problem::new(Kind::Key, what));
            }
            all.push((message.partition, incident));
        }
        if dump.incidents.len() != dump.datums.len() {
            problems.push(Problem::new(Kind::Decoded, "another number of messages"));
        }
        Published { all }
    }

    /// How many publications there are.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Holds that the publications are those of an undisturbed fold of the same log, byte for
    /// byte; each once, or at least once with equal bytes.
    pub fn check_against_log(
        &self,
        dump: &Dump,
        log: &Log,
        delivery: Delivery,
        problems: &mut Vec<Problem>,
    ) {
        let expected = counted(log.published(&dump.committed));
        let values = dump.incidents.iter().filter_map(|m| m.value.clone());
        let found = counted(values);
        for lost in expected.keys().filter(|bytes| !found.contains_key(*bytes)) {
            problems.push(Problem::new(Kind::RevisionLost, show(lost)));
        }
        for (bytes, times) in &found {
            if !expected.contains_key(bytes) {
                problems.push(Problem::new(Kind::RevisionInvented, show(bytes)));
            } else if *times > 1 && delivery == Delivery::ExactlyOnce {
                let what = format!("{}: {times} times", show(bytes));
                problems.push(Problem::new(Kind::RevisionTwice, what));
            }
        }
        let reader = Reader::new().unwrap();
        let names = found.keys().filter_map(|bytes| {
            let incident = reader.read(bytes).ok()?;
            Some((incident.incident_id, incident.revision))
        });
        for ((id, revision), _) in counted(names).into_iter().filter(|(_, times)| *times > 1) {
            let what = format!("{id} {revision}, with different bytes");
            problems.push(Problem::new(Kind::RevisionTwice, what));
        }
    }

    /// Holds that revisions of an incident grow, all in one partition. One that comes again, where
    /// it may, counts where it came first.
    pub fn check_order(&self, problems: &mut Vec<Problem>) {
        let mut said: BTreeMap<Hash, (i32, Vec<i64>)> = BTreeMap::new();
        for (partition, incident) in &self.all {
            let (id, revision) = (incident.incident_id, incident.revision);
            let (home, revisions) = said.entry(id).or_insert((*partition, Vec::new()));
            if revisions.contains(&revision) {
                continue;
            }
            let grows = revisions.last().is_none_or(|last| *last < revision);
            if !grows || home != partition {
                let what = format!("{id} {revision} in {partition} after {revisions:?} in {home}");
                problems.push(Problem::new(Kind::Order, what));
            }
            revisions.push(revision);
        }
    }

    /// Holds that all is closed, and that the incidents of rules that did not change are those
    /// that the oracle finds in the events. Returns how many stand.
    pub fn check_against_events(
        &self,
        events: Vec<Section>,
        plan: &Plan,
        changing: &[&str],
        problems: &mut Vec<Problem>,
    ) -> usize {
        let mut last: BTreeMap<Hash, &Incident> = BTreeMap::new();
        for (_, incident) in &self.all {
            let known = last.entry(incident.incident_id).or_insert(incident);
            if known.revision < incident.revision {
                *known = incident;
            }
        }
        last.retain(|_, incident| incident.status != Status::Retracted);
        let standing = last.len();
        for incident in last.values().filter(|i| i.status != Status::Closed) {
            problems.push(Problem::new(Kind::Open, show_incident(incident)));
        }

        last.retain(|_, incident| !changing.contains(&&*incident.rule_id));
        for expected in from_events(events, plan, changing) {
            match last.remove(&expected.incident_id) {
                Some(found) if set_fields(found) == set_fields(&expected) => (),
                Some(found) => {
                    let what = format!("{found:?}, not {expected:?}");
                    problems.push(Problem::new(Kind::IncidentInvented, what));
                }
                None => {
                    let what = show_incident(&expected);
                    problems.push(Problem::new(Kind::IncidentLost, what));
                }
            }
        }
        for invented in last.values() {
            let what = show_incident(invented);
            problems.push(Problem::new(Kind::IncidentInvented, what));
        }
        standing
    }
}

/// The incidents that events make which were found to match, for rules that did not change; with
/// their attributes in order of name, as they are written.
fn from_events(events: Vec<Section>, plan: &Plan, changing: &[&str]) -> Vec<Incident> {
    let mut found = Vec::new();
    for section in events {
        for record in section.records {
            for part in &record.matches {
                let rule = &plan.rules[part.rule as usize].0;
                if changing.contains(&rule.rule.id.as_str()) {
                    continue;
                }
                let topic = plan.sources[section.source as usize].topic.clone();
                let (record, part) = (record.clone(), part.clone());
                found.push((rule.clone(), topic, section.partition, record, part));
            }
        }
    }
    let mut incidents = final_incidents(found);
    for incident in &mut incidents {
        incident.attributes.sort_by(|(a, _), (b, _)| a.cmp(b));
    }
    incidents
}

/// What an independent reader must see.
pub fn seen(incident: &Incident) -> Datum {
    Datum {
        incident_id: incident.incident_id.to_string(),
        revision: incident.revision,
        status: incident.status.name().to_owned(),
        rule_id: incident.rule_id.to_string(),
        event_count: incident.event_count,
        trigger_count: incident.trigger_count,
    }
}

fn show(bytes: &[u8]) -> String {
    let incident = Reader::new().unwrap().read(bytes);
    incident.map_or_else(
        |error| error.to_string(),
        |incident| show_incident(&incident),
    )
}

fn show_incident(incident: &Incident) -> String {
    format!(
        "{} {} {} {} at {}, {} events",
        incident.incident_id,
        incident.revision,
        incident.status.name(),
        incident.rule_id,
        watchfire::time::rfc3339(incident.first_seen),
        incident.event_count,
    )
}
