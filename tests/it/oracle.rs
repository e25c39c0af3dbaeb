//! The slow, obvious version: all matches as one list, every definition word by word.
//!
//! Shares with the engine only the types that go in and come out, and the hash functions.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use watchfire::correlate::LogMessage;
use watchfire::episode::incident_id;
use watchfire::incident::{AttributeValue, CloseReason, Evidence, Incident, Status};
use watchfire::plan::{Catalogue, LoadedRule, Source};
use watchfire::publish::excepted;
use watchfire::record::{Hash, Position};
use watchfire::rule::{Aggregate, Arithmetic, Comparison, Function, Having, IncidentValue, Term};
use watchfire::shuffle::{Input, Match, MatchedRecord, PatternMatch, key_hash};

const FUTURE_MAX: i64 = 300_000;
const DAY: i64 = 86_400;

/// One record's match of one rule and key.
#[derive(Clone, Debug)]
struct Seen {
    topic: String,
    partition: u32,
    record: MatchedRecord,
    patterns: Vec<PatternMatch>,
}

/// A rule's key.
type Name = (Hash, Vec<Option<String>>);

#[derive(Clone)]
struct InForce {
    rule: Arc<LoadedRule>,
    since: i64,
    named: Option<i64>,
}

/// What was said of an incident and still stands.
#[derive(Clone)]
struct Said {
    incident: Incident,
    exceptions: Arc<LoadedRule>,
}

#[derive(Default)]
pub struct Oracle {
    matches: BTreeMap<Name, Vec<Seen>>,
    heard: BTreeMap<(String, u32), (Position, Option<i64>)>,
    sources: Vec<Source>,
    rules: BTreeMap<Hash, InForce>,
    watermark: Option<i64>,
    said: BTreeMap<(Name, Hash), Said>,
}

/// All that an undisturbed fold of `log` publishes, in order.
pub fn publications(log: &[LogMessage], catalogue: &Catalogue) -> Vec<Incident> {
    let mut oracle = Oracle::default();
    log.iter()
        .flat_map(|message| oracle.message(message, catalogue))
        .collect()
}

/// The incidents that stand when these matches are all there ever is, closed, by first_seen, id.
pub fn final_incidents(
    found: impl IntoIterator<Item = (Arc<LoadedRule>, String, u32, MatchedRecord, Match)>,
) -> Vec<Incident> {
    let mut keys: BTreeMap<Name, (Arc<LoadedRule>, Vec<Seen>)> = BTreeMap::new();
    for (rule, topic, partition, record, part) in found {
        let seen = Seen {
            topic,
            partition,
            record,
            patterns: part.patterns,
        };
        let name = (rule.fingerprint, part.key);
        keys.entry(name).or_insert((rule, Vec::new())).1.push(seen);
    }
    let mut all = Vec::new();
    for ((_, key), (rule, seen)) in keys {
        for (incident, reason) in incidents(&rule, &key, &seen, 0, Some(i64::MAX / 8)) {
            if !excepted(&rule, &incident) {
                let close_reason = reason;
                all.push(Incident {
                    status: Status::Closed,
                    close_reason,
                    ..incident
                });
            }
        }
    }
    all.sort_by_key(|incident| (incident.first_seen, incident.incident_id));
    all
}

impl Oracle {
    fn message(&mut self, log: &LogMessage, catalogue: &Catalogue) -> Vec<Incident> {
        let plan = catalogue
            .plan(log.message.plan)
            .expect("plan is in the catalogue")
            .clone();
        let before = self.watermark;
        let mut fresh: Vec<(Arc<LoadedRule>, Vec<Option<String>>, Seen)> = Vec::new();
        let mut counting = false;
        for section in &log.message.sections {
            let topic = plan.sources[section.source as usize].topic.clone();
            let place = (topic.clone(), section.partition);
            let last = self.heard.get(&place).copied();
            if last.is_some_and(|(position, _)| section.position < position) {
                continue;
            }
            counting = true;
            let time = section.time.map(|time| time.min(log.timestamp));
            self.heard
                .insert(place, (section.position, last.and_then(|l| l.1).max(time)));
            for record in &section.records {
                if last.is_some_and(|(position, _)| record.position <= position) {
                    continue;
                }
                let mut record = record.clone();
                if record.time > log.timestamp + FUTURE_MAX {
                    record.time = log.timestamp;
                }
                for part in std::mem::take(&mut record.matches) {
                    let rule = plan.rules[part.rule as usize].0.clone();
                    let seen = Seen {
                        topic: topic.clone(),
                        partition: section.partition,
                        record: record.clone(),
                        patterns: part.patterns,
                    };
                    fresh.push((rule, part.key, seen));
                }
            }
        }
        if counting {
            self.sources = plan.sources.clone();
            for (rule, since) in &plan.rules {
                let since = self
                    .rules
                    .get(&rule.fingerprint)
                    .map_or(*since, |r| r.since.max(*since));
                let named = before;
                self.rules.insert(
                    rule.fingerprint,
                    InForce {
                        rule: rule.clone(),
                        since,
                        named,
                    },
                );
            }
        }
        let mut said = self.close_rules_out(log.offset);
        let mut touched = BTreeSet::new();
        for (rule, key, seen) in fresh {
            let name = (rule.fingerprint, key);
            self.matches.entry(name.clone()).or_default().push(seen);
            touched.insert(name);
        }
        if counting {
            self.move_watermark();
            for (rule, _) in &plan.rules {
                self.rules
                    .get_mut(&rule.fingerprint)
                    .expect("in force")
                    .named = self.watermark;
            }
        }
        for name in self.matches.keys().cloned().collect::<Vec<_>>() {
            if touched.contains(&name) || self.is_due(&name, before) {
                said.extend(self.news(&name, log.offset));
            }
        }
        said.sort_by_key(|(name, incident)| {
            (
                name.0,
                key_hash(name.0, &name.1),
                incident.incident_id,
                incident.revision,
            )
        });
        said.into_iter().map(|(_, incident)| incident).collect()
    }

    fn close_rules_out(&mut self, offset: i64) -> Vec<(Name, Incident)> {
        let Some(watermark) = self.watermark else {
            return Vec::new();
        };
        let mut said = Vec::new();
        for (fingerprint, mut known) in self.rules.clone() {
            let named = *known.named.get_or_insert(watermark);
            self.rules.get_mut(&fingerprint).expect("in force").named = Some(named);
            if watermark <= named + known.rule.settings.patience {
                continue;
            }
            self.rules.remove(&fingerprint);
            let names: Vec<Name> = self
                .matches
                .keys()
                .filter(|name| name.0 == fingerprint)
                .cloned()
                .collect();
            for name in names {
                let seen = self.matches.remove(&name).expect("just seen");
                let now = incidents(&known.rule, &name.1, &seen, known.since, Some(watermark));
                for (incident, _) in now {
                    let place = (name.clone(), incident.incident_id);
                    let open = self.said.get(&place);
                    if open.is_some_and(|said| said.incident.status != Status::Closed) {
                        let incident = Incident {
                            status: Status::Closed,
                            close_reason: Some(CloseReason::RuleRemoved),
                            revision: 2 * offset + 1,
                            ..incident
                        };
                        said.push((name.clone(), incident));
                    }
                }
                self.said.retain(|(other, _), _| *other != name);
            }
        }
        said
    }

    fn move_watermark(&mut self) {
        let mut times = Vec::new();
        for source in &self.sources {
            for partition in 0..source.partitions {
                let heard = self.heard.get(&(source.topic.clone(), partition));
                times.push(heard.and_then(|heard| heard.1));
            }
        }
        if !times.is_empty() && times.iter().all(Option::is_some) {
            let least = times
                .into_iter()
                .flatten()
                .min()
                .map(|t| t.div_euclid(1000));
            self.watermark = self.watermark.max(least);
        }
    }

    /// Whether the watermark of this message decides or closes something of a key.
    fn is_due(&self, name: &Name, before: Option<i64>) -> bool {
        let Some(known) = self.rules.get(&name.0) else {
            return false;
        };
        let seen = &self.matches[name];
        let at = |watermark| {
            let now = incidents(&known.rule, &name.1, seen, known.since, watermark);
            now.into_iter()
                .map(|(i, over)| (i.incident_id, i.last_seen, over))
                .collect::<Vec<_>>()
        };
        at(before) != at(self.watermark)
    }

    /// The difference between what stands now and what was said.
    fn news(&mut self, name: &Name, offset: i64) -> Vec<(Name, Incident)> {
        let known = self.rules[&name.0].clone();
        let rule = &known.rule;
        let now: Vec<(Incident, Option<CloseReason>)> = incidents(
            rule,
            &name.1,
            &self.matches[name],
            known.since,
            self.watermark,
        )
        .into_iter()
        .filter(|(incident, _)| {
            let said = self.said.get(&(name.clone(), incident.incident_id));
            !excepted(said.map_or(rule, |said| &said.exceptions), incident)
        })
        .collect();
        let mut out = Vec::new();
        let mut replaces: BTreeMap<Hash, Vec<Hash>> = BTreeMap::new();
        let said: Vec<Hash> = self
            .said
            .keys()
            .filter(|(other, _)| other == name)
            .map(|(_, id)| *id)
            .collect();
        for id in said {
            if now.iter().any(|(incident, _)| incident.incident_id == id) {
                continue;
            }
            let gone = self
                .said
                .remove(&(name.clone(), id))
                .expect("just seen")
                .incident;
            let seen = &self.matches[name];
            let triggers = triggers(rule, seen, known.since, self.watermark);
            let heir = now.iter().map(|(incident, _)| incident).find(|incident| {
                triggers.iter().any(|t| {
                    (gone.first_seen..=gone.last_seen).contains(&(t * 1000))
                        && (incident.first_seen..=incident.last_seen).contains(&(t * 1000))
                })
            });
            if let Some(heir) = heir {
                replaces.entry(heir.incident_id).or_default().push(id);
            }
            out.push(Incident {
                status: Status::Retracted,
                revision: 2 * offset,
                close_reason: None,
                replaced_by: heir.map(|heir| heir.incident_id),
                replaces: Vec::new(),
                ..gone
            });
        }
        for (mut incident, over) in now {
            incident.replaces = replaces.remove(&incident.incident_id).unwrap_or_default();
            let place = (name.clone(), incident.incident_id);
            let last = self.said.get(&place).cloned();
            let exceptions = last
                .as_ref()
                .map_or(rule.clone(), |last| last.exceptions.clone());
            let steps = statuses(last.as_ref().map(|last| &last.incident), &incident, over);
            for status in steps {
                let closed = status == Status::Closed;
                let incident = Incident {
                    status,
                    close_reason: over.filter(|_| closed),
                    revision: 2 * offset + i64::from(closed),
                    ..incident.clone()
                };
                let exceptions = exceptions.clone();
                self.said.insert(
                    place.clone(),
                    Said {
                        incident: incident.clone(),
                        exceptions,
                    },
                );
                out.push(incident);
            }
        }
        out.into_iter()
            .map(|incident| (name.clone(), incident))
            .collect()
    }
}

/// What is to be said of an incident that is there.
fn statuses(last: Option<&Incident>, now: &Incident, over: Option<CloseReason>) -> Vec<Status> {
    match (last, over) {
        (None, None) => vec![Status::Open],
        (None, Some(_)) => vec![Status::Open, Status::Closed],
        (Some(last), None) => {
            let differs = last.first_seen != now.first_seen
                || last.trigger_count != now.trigger_count
                || last.severity != now.severity;
            if last.status == Status::Closed || differs {
                vec![Status::Updated]
            } else {
                vec![]
            }
        }
        (Some(last), Some(_)) => {
            let differs = set_fields(last) != set_fields(now);
            if last.status != Status::Closed || differs {
                vec![Status::Closed]
            } else {
                vec![]
            }
        }
    }
}

/// The incident without the fields that depend on the path.
pub fn set_fields(incident: &Incident) -> Incident {
    Incident {
        revision: 0,
        status: Status::Open,
        late: false,
        close_reason: None,
        replaced_by: None,
        replaces: vec![],
        ..incident.clone()
    }
}

/// The seconds at which a one-pattern rule triggers for a key.
fn triggers(rule: &LoadedRule, seen: &[Seen], since: i64, watermark: Option<i64>) -> BTreeSet<i64> {
    let pattern = &rule.rule.patterns[0];
    let window = rule.rule.window;
    let patience = rule.settings.patience;
    let falsifiable = pattern.having.can_become_false(&pattern.aggregates);
    let mut triggers = BTreeSet::new();
    for at in seen {
        let p = at.record.time.div_euclid(1000);
        let within: Vec<&Seen> = in_window(seen, p, window).collect();
        if !holds(&pattern.having, &pattern.aggregates, &within, rule) {
            continue;
        }
        let decided = watermark.is_some_and(|watermark| watermark > p + patience);
        let known = since == 0 || p >= since + patience + 2 * window;
        if !falsifiable || (decided && known) {
            triggers.insert(p);
        }
    }
    triggers
}

fn in_window(seen: &[Seen], p: i64, window: i64) -> impl Iterator<Item = &Seen> {
    seen.iter().filter(move |other| {
        let second = other.record.time.div_euclid(1000);
        p - window < second && second <= p
    })
}

/// The incidents of a key, in order, each with the reason why it is over, if it is.
fn incidents(
    rule: &Arc<LoadedRule>,
    key: &[Option<String>],
    seen: &[Seen],
    since: i64,
    watermark: Option<i64>,
) -> Vec<(Incident, Option<CloseReason>)> {
    let mut episodes: Vec<Vec<i64>> = Vec::new();
    for t in triggers(rule, seen, since, watermark) {
        match episodes.last_mut() {
            Some(open)
                if t - open[open.len() - 1] <= rule.rule.quiet
                    && t.div_euclid(DAY) == open[0].div_euclid(DAY) =>
            {
                open.push(t);
            }
            _ => episodes.push(vec![t]),
        }
    }
    let over = |episode: &Vec<i64>| {
        let last = episode[episode.len() - 1];
        let midnight = (last.div_euclid(DAY) + 1) * DAY;
        let quiet = last + rule.rule.quiet;
        let reason = if midnight <= quiet {
            CloseReason::EndOfDay
        } else {
            CloseReason::Quiet
        };
        let after = midnight.min(quiet) + rule.settings.patience;
        watermark
            .is_some_and(|watermark| watermark > after)
            .then_some(reason)
    };
    episodes
        .iter()
        .map(|episode| (incident(rule, key, seen, episode), over(episode)))
        .collect()
}

fn incident(
    loaded: &Arc<LoadedRule>,
    key: &[Option<String>],
    seen: &[Seen],
    triggers: &[i64],
) -> Incident {
    let rule = &loaded.rule;
    let (first, last) = (triggers[0], triggers[triggers.len() - 1]);
    let mut events: Vec<&Seen> = seen
        .iter()
        .filter(|event| {
            let second = event.record.time.div_euclid(1000);
            triggers
                .iter()
                .any(|t| t - rule.window < second && second <= *t)
        })
        .collect();
    events.sort_by_key(|e| {
        (
            e.record.time,
            e.record.hash,
            e.topic.clone(),
            e.partition,
            e.record.position,
        )
    });
    let numbers: BTreeSet<i64> = triggers.iter().map(|t| (t - first) / rule.window).collect();
    let within: Vec<&Seen> = in_window(seen, last, rule.window).collect();
    let attributes: Vec<(String, AttributeValue)> = rule
        .attributes
        .iter()
        .map(|(name, from)| {
            let value = match from {
                IncidentValue::GroupBy(_, place) => key[*place]
                    .clone()
                    .map_or(AttributeValue::Null, AttributeValue::Text),
                IncidentValue::Aggregate(_, place) => {
                    let aggregate = &rule.patterns[0].aggregates[*place];
                    aggregate_value(*place, aggregate, &within, loaded)
                        .map_or(AttributeValue::Null, AttributeValue::Number)
                }
            };
            (name.clone(), value)
        })
        .collect();
    let title = watchfire::rule::title::title(&rule.title, &|name| {
        attributes
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.to_string())
    });
    Incident {
        incident_id: incident_id(loaded.fingerprint, key, first, rule.quiet),
        revision: 0,
        status: Status::Open,
        rule_id: rule.id.clone(),
        rule_name: rule.name.clone(),
        rule_fingerprint: loaded.fingerprint,
        severity: rule.severity,
        category: rule.category.name().to_owned(),
        subcategory: rule.subcategory.clone(),
        impacts: rule.impacts.clone(),
        tactics: rule.tactics.clone(),
        techniques: rule.techniques.clone(),
        title,
        window_ms: rule.window * 1000,
        first_seen: first * 1000,
        last_seen: last * 1000,
        event_count: events.len() as u64,
        trigger_count: numbers.len() as u64,
        attributes,
        evidence: events
            .iter()
            .take(loaded.settings.limits.evidence as usize)
            .map(|event| evidence(event, &rule.patterns[0].name))
            .collect(),
        late: false,
        close_reason: None,
        replaced_by: None,
        replaces: vec![],
    }
}

fn evidence(seen: &Seen, pattern: &str) -> Evidence {
    Evidence {
        pattern: pattern.to_owned(),
        topic: seen.topic.clone(),
        partition: seen.partition as i32,
        offset: seen.record.position.offset,
        index: seen.record.position.index,
        time: seen.record.time,
        event_type: seen.record.event_type.clone(),
        correlation_id: seen.record.correlation_id.clone(),
        resource_id: seen.record.resource_id.clone(),
        record_hash: seen.record.hash,
    }
}

fn holds(having: &Having, aggregates: &[Aggregate], within: &[&Seen], rule: &LoadedRule) -> bool {
    match having {
        Having::And(all) => all.iter().all(|part| holds(part, aggregates, within, rule)),
        Having::Or(any) => any.iter().any(|part| holds(part, aggregates, within, rule)),
        Having::Compare(left, comparison, right) => {
            let left = term(left, aggregates, within, rule);
            let right = term(right, aggregates, within, rule);
            let (Some(left), Some(right)) = (left, right) else {
                return false;
            };
            match comparison {
                Comparison::Equal => left == right,
                Comparison::NotEqual => left != right,
                Comparison::Greater => left > right,
                Comparison::GreaterOrEqual => left >= right,
                Comparison::Less => left < right,
                Comparison::LessOrEqual => left <= right,
            }
        }
    }
}

fn term(
    term_: &Term,
    aggregates: &[Aggregate],
    within: &[&Seen],
    rule: &LoadedRule,
) -> Option<f64> {
    match term_ {
        Term::Number(number) => Some(*number),
        Term::Aggregate(place) => aggregate_value(*place, &aggregates[*place], within, rule),
        Term::Arithmetic(left, operator, right) => {
            let left = term(left, aggregates, within, rule)?;
            let right = term(right, aggregates, within, rule)?;
            let value = match operator {
                Arithmetic::Add => left + right,
                Arithmetic::Subtract => left - right,
                Arithmetic::Multiply => left * right,
                Arithmetic::Divide => left / right,
            };
            value.is_finite().then_some(value)
        }
    }
}

/// An aggregate over all events, from their list. Integers only: their sums are exact here.
fn aggregate_value(
    place: usize,
    aggregate: &Aggregate,
    within: &[&Seen],
    rule: &LoadedRule,
) -> Option<f64> {
    let inputs: Vec<Input> = within
        .iter()
        .map(|seen| seen.patterns[0].inputs[place])
        .collect();
    let integers: Vec<i64> = inputs
        .iter()
        .filter_map(|input| match input {
            Input::Integer(value) => Some(*value),
            Input::Float(_) => panic!("the oracle sums integers only"),
            Input::Absent | Input::Present | Input::Distinct(_) => None,
        })
        .collect();
    let sum = integers
        .iter()
        .map(|value| i128::from(*value))
        .sum::<i128>() as f64;
    let some = !integers.is_empty();
    match aggregate.function {
        Function::Count => Some(
            inputs
                .iter()
                .filter(|input| **input != Input::Absent)
                .count() as f64,
        ),
        Function::CountDistinct => {
            let distinct: BTreeSet<u64> = inputs
                .iter()
                .filter_map(|input| match input {
                    Input::Distinct(hash) => Some(*hash),
                    Input::Absent | Input::Present | Input::Integer(_) | Input::Float(_) => None,
                })
                .collect();
            Some(
                distinct
                    .len()
                    .min(rule.settings.limits.distinct_values as usize) as f64,
            )
        }
        Function::Sum => some.then_some(sum),
        Function::Avg => some.then(|| sum / integers.len() as f64),
        Function::Min => integers.iter().min().map(|value| *value as f64),
        Function::Max => integers.iter().max().map(|value| *value as f64),
    }
}
