//! The slow, obvious version: all matches as one list, every definition word by word.
//!
//! Shares with the engine only the types that go in and come out, and the hash functions.
//!
//! How it reads what could be read in two ways:
//! - Each part of a rule waits for itself: a pattern whose test more matches can make false holds
//!   at p only when w > p + patience, an operator of absence triggers at t only when
//!   w > t + its own wait + patience. A test that is false yet is so at once, also to the right of
//!   an absence, which waits longer.
//! - In an application with a past, all triggers of a rule with an absence, a `new` or a test
//!   that can become false in any of its patterns, the clear pattern among them, count from
//!   since + patience + reach + longest `new` period on. Clear panes always count. A key's
//!   `since` is the rule's as it was when the key was last evaluated.
//! - A u lies between x and y that begins no earlier than x.t and ends no later than y.t. Of its
//!   instants the latest is after x's latest, and the earliest before y's earliest, so that of the
//!   events in one pane any may lie there.
//! - Where values of two patterns must differ, their operator is read once for each value: of the
//!   right side the groups with that value, of the left side those with another, the other way
//!   round for an absence. All that comes of that are ways.
//! - A pattern with `new` holds for a group at a pane where one of the group's matches is new and
//!   its test is true; the instants are those of all the group's matches in the pane.
//! - Any clear pane at or after the last trigger follows an incident, however much later.
//! - The group of an aggregate whose pattern has no finer attributes is the only one there is,
//!   whether it held or not; an aggregate of no matches is null.
//! - A key is evaluated when a message brings it a match (a late one too, unless the rule has
//!   absence), when the watermark changes what holds or triggers, and when it ends an incident
//!   that was said and not closed. An incident that is final by the watermark before a message
//!   is not looked at again; matches on time cannot change it.
//! - A late match sees the late ones that are kept, and of those on time the ones whose second is
//!   at least w - lateness - reach, w being the watermark before the message; incidents are
//!   those of that set alone, and told apart by their id as if they were not late. What was new
//!   among those on time stays so. A late match at m is new if its combination has no late match
//!   in [m - D, m) and no match on time at or after m - D whose second is at least
//!   w - lateness - D.

mod aggregate;
pub mod bounded;
mod condition;
mod incident;
mod set;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use watchfire::incident::{CloseReason, Incident, Status};
use watchfire::matches::LogMessage;
use watchfire::matches::{Match, MatchedRecord, key_hash};
use watchfire::plan::{Catalogue, LoadedRule, Plan, Source};
use watchfire::record::{Hash, Position};

use condition::{Found, Holding, Horizon, Since, has_absence, reach, wait, waits};
use incident::{describe, episodes, excepted};
use set::{Among, Seen, Set, new_for};

const FUTURE_MAX: i64 = 300_000;
const HOUR: i64 = 3_600;
const END_OF_TIME: i64 = i64::MAX / 8;

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
struct Key {
    /// All matches on time.
    seen: Vec<Seen>,
    holding: Holding,
    /// What is certain of that.
    found: Found,
    /// The rule's, when this key was last evaluated.
    since: Since,
    /// By incident.
    said: BTreeMap<Hash, Said>,
    /// The watermark after which one of those is over.
    over_after: Option<i64>,
    /// Matches too late, with the hour of the watermark at which they came.
    late: Vec<(i64, Seen)>,
}

/// What a message brings one key.
#[derive(Default)]
struct Brought {
    on_time: Vec<Seen>,
    late: Vec<Seen>,
}

#[derive(Default)]
pub struct Oracle {
    keys: BTreeMap<Name, Key>,
    heard: BTreeMap<(String, u32), (Position, Option<i64>)>,
    sources: Vec<Source>,
    rules: BTreeMap<Hash, InForce>,
    watermark: Option<i64>,
    /// Matches that were too late.
    pub late: u64,
}

/// How far a rule looks, in seconds.
pub struct Spans {
    pub wait: i64,
    pub reach: i64,
}

pub fn spans(rule: &LoadedRule) -> Spans {
    Spans {
        wait: wait(&rule.rule.condition, rule.rule.window),
        reach: reach(rule),
    }
}

/// All that an undisturbed fold of `log` publishes, in order, and how many matches were late.
pub fn publications(log: &[LogMessage], catalogue: &Catalogue) -> (Vec<Incident>, u64) {
    let mut oracle = Oracle::default();
    let said = log
        .iter()
        .flat_map(|message| oracle.message(message, catalogue))
        .collect();
    (said, oracle.late)
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
    let horizon = Horizon {
        since: &Since::ALWAYS,
        watermark: Some(END_OF_TIME),
    };
    let mut all = Vec::new();
    for ((_, key), (rule, seen)) in keys {
        let set = Set::of(&rule, &key, &seen);
        let found = Found::of(&rule, &Holding::of(&set), horizon);
        for episode in episodes(&rule, &found) {
            let incident = describe(&set, &found, &episode);
            if !excepted(&rule, &incident) {
                all.push(Incident {
                    status: Status::Closed,
                    close_reason: Some(episode.reason(&rule)),
                    ..bounded::incident(incident, &rule)
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
        let (counting, mut brought) = self.hear(log, &plan);
        if counting {
            self.take_plan(&plan);
        }
        let mut said = self.close_rules_out(log.offset);
        brought.retain(|name, _| self.rules.contains_key(&name.0));
        for (name, brought) in &brought {
            let key = self.keys.entry(name.clone()).or_default();
            key.seen.extend(brought.on_time.iter().cloned());
            let hour = before.unwrap_or(0).div_euclid(HOUR) * HOUR;
            key.late
                .extend(brought.late.iter().map(|seen| (hour, seen.clone())));
            let rule = &self.rules[&name.0].rule;
            key.holding = Holding::of(&Set::of(rule, &name.1, &key.seen));
        }
        if counting {
            self.move_watermark();
            for (rule, _) in &plan.rules {
                if let Some(known) = self.rules.get_mut(&rule.fingerprint) {
                    known.named = self.watermark;
                }
            }
        }
        for name in self.keys.keys().cloned().collect::<Vec<_>>() {
            let brings = brought.get(&name);
            if brings.is_some() || self.is_due(&name) {
                said.extend(self.news(&name, before, log.offset));
            }
            if let Some(brings) = brings.filter(|brings| !brings.late.is_empty()) {
                said.extend(self.late_news(&name, &brings.late, before, log.offset));
            }
        }
        self.expire();
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

    /// Takes positions and times; gives whether anything counts, and the matches that do.
    fn hear(&mut self, log: &LogMessage, plan: &Plan) -> (bool, BTreeMap<Name, Brought>) {
        let mut all: BTreeMap<Name, Brought> = BTreeMap::new();
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
                    let rule = &plan.rules[part.rule as usize].0;
                    let seen = Seen {
                        topic: topic.clone(),
                        partition: section.partition,
                        record: record.clone(),
                        patterns: part.patterns,
                    };
                    let oldest = self.watermark.map(|w| w - rule.settings.lateness);
                    let late = oldest.is_some_and(|oldest| seen.second() < oldest);
                    self.late += u64::from(late);
                    if late && has_absence(&rule.rule.condition) {
                        continue;
                    }
                    let brought = all.entry((rule.fingerprint, part.key)).or_default();
                    match late {
                        true => brought.late.push(seen),
                        false => brought.on_time.push(seen),
                    }
                }
            }
        }
        (counting, all)
    }

    fn take_plan(&mut self, plan: &Plan) {
        self.sources = plan.sources.clone();
        for (rule, since) in &plan.rules {
            let known = self.rules.get(&rule.fingerprint);
            let in_force = InForce {
                rule: rule.clone(),
                since: known.map_or(*since, |known| known.since.max(*since)),
                named: self.watermark,
            };
            self.rules.insert(rule.fingerprint, in_force);
        }
    }

    fn close_rules_out(&mut self, offset: i64) -> Vec<(Name, Incident)> {
        let Some(watermark) = self.watermark else {
            return Vec::new();
        };
        let meanings = self.rules.values().map(|known| known.rule.meaning);
        let newest = meanings.max().unwrap_or(0);
        let mut said = Vec::new();
        for (fingerprint, mut known) in self.rules.clone() {
            let named = *known.named.get_or_insert(watermark);
            self.rules.get_mut(&fingerprint).expect("in force").named = Some(named);
            let reason = if known.rule.meaning < newest {
                CloseReason::BegunAnew
            } else if watermark > named + known.rule.settings.patience {
                CloseReason::RuleRemoved
            } else {
                continue;
            };
            self.rules.remove(&fingerprint);
            let names = self.keys.keys().filter(|name| name.0 == fingerprint);
            for name in names.cloned().collect::<Vec<_>>() {
                let key = self.keys.remove(&name).expect("just seen");
                for incident in still_open(&known.rule, &name, &key) {
                    let incident = Incident {
                        status: Status::Closed,
                        close_reason: Some(reason),
                        revision: 2 * offset + 1,
                        ..incident
                    };
                    said.push((name.clone(), incident));
                }
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
    fn is_due(&self, name: &Name) -> bool {
        let (rule, key) = (&self.rules[&name.0].rule, &self.keys[name]);
        let horizon = Horizon {
            since: &key.since,
            watermark: self.watermark,
        };
        let over = key
            .over_after
            .is_some_and(|after| self.watermark.is_some_and(|watermark| watermark > after));
        over || waits(rule) && key.found != Found::of(rule, &key.holding, horizon)
    }

    /// The difference between what stands now and what was said.
    fn news(&mut self, name: &Name, before: Option<i64>, offset: i64) -> Vec<(Name, Incident)> {
        let InForce { rule, since, .. } = self.rules[&name.0].clone();
        let key = self.keys.get_mut(name).expect("known key");
        let wait = wait(&rule.rule.condition, rule.rule.window);
        let settled = before.map(|before| before - rule.settings.lateness - wait);
        key.since.take(since, settled);
        let horizon = Horizon {
            since: &key.since,
            watermark: self.watermark,
        };
        key.found = Found::of(&rule, &key.holding, horizon);
        let set = Set::of(&rule, &name.1, &key.seen);
        let mut now = Vec::new();
        for episode in episodes(&rule, &key.found) {
            if episode.is_final(&rule, before) {
                continue;
            }
            let incident = describe(&set, &key.found, &episode);
            let said = key.said.get(&incident.incident_id);
            if !excepted(said.map_or(&rule, |said| &said.exceptions), &incident) {
                now.push((bounded::incident(incident, &rule), episode));
            }
        }
        let mut out = Vec::new();
        let mut replaces: BTreeMap<Hash, Vec<Hash>> = BTreeMap::new();
        for id in key.said.keys().copied().collect::<Vec<_>>() {
            if now.iter().any(|(incident, _)| incident.incident_id == id) {
                continue;
            }
            let gone = key.said.remove(&id).expect("just seen").incident;
            let heir = now.iter().find(|(_, episode)| {
                let within = |t: i64| (gone.first_seen..=gone.last_seen).contains(&(t * 1000));
                episode.triggers.iter().any(|trigger| within(trigger.t))
            });
            let heir = heir.map(|(incident, _)| incident.incident_id);
            if let Some(heir) = heir {
                replaces.entry(heir).or_default().push(id);
            }
            out.push(Incident {
                status: Status::Retracted,
                revision: 2 * offset,
                close_reason: None,
                replaced_by: heir,
                replaces: Vec::new(),
                ..gone
            });
        }
        key.over_after = None;
        for (mut incident, episode) in now {
            let id = incident.incident_id;
            let content = incident.clone();
            incident.replaces = replaces.remove(&id).unwrap_or_default();
            incident = bounded::incident(incident, &rule);
            let over = episode.over(&rule, self.watermark);
            let last = key.said.get(&id).cloned();
            let exceptions = last.as_ref().map_or(&rule, |last| &last.exceptions).clone();
            for status in statuses(last.as_ref().map(|last| &last.incident), &content, over) {
                out.push(publication(&incident, status, over, offset));
                let said = Said {
                    incident: publication(&content, status, over, offset),
                    exceptions: exceptions.clone(),
                };
                key.said.insert(id, said);
            }
            if over.is_none() {
                let after = episode.over_after(&rule);
                key.over_after = Some(key.over_after.map_or(after, |least| least.min(after)));
            }
        }
        out.into_iter().map(|said| (name.clone(), said)).collect()
    }

    /// What `brought` and the other matches give together that the others alone do not.
    fn late_news(
        &self,
        name: &Name,
        brought: &[Seen],
        before: Option<i64>,
        offset: i64,
    ) -> Vec<(Name, Incident)> {
        let InForce { rule, since, .. } = &self.rules[&name.0];
        let before = before.expect("nothing is late without a watermark");
        let key = &self.keys[name];
        let mut of_rule = Since::ALWAYS;
        of_rule.take(*since, None);
        let horizon = Horizon {
            since: &of_rule,
            watermark: self.watermark,
        };
        let oldest = before - rule.settings.lateness - reach(rule);
        let mut others = Set::of(rule, &name.1, &key.seen);
        others.all.retain(|among| among.seen.second() >= oldest);
        let mut together = Set {
            rule,
            key: &name.1,
            all: others.all.clone(),
        };
        for (_, seen) in &key.late {
            together.all.push(Among {
                seen,
                new: new_for(rule, seen, &|pattern, combination, period| {
                    let from = seen.record.time - period;
                    let kept = before - rule.settings.lateness - period / 1000;
                    let late = |(_, other): &(i64, Seen)| {
                        other.shows(pattern, combination, from, seen.record.time)
                    };
                    let known = |other: &Seen| {
                        other.second() >= kept && other.shows(pattern, combination, from, i64::MAX)
                    };
                    !key.late.iter().any(late) && !key.seen.iter().any(known)
                }),
            });
        }
        let found = Found::of(rule, &Holding::of(&others), horizon);
        let without: BTreeSet<Hash> = episodes(rule, &found)
            .iter()
            .map(|episode| episode.id(&others, false))
            .collect();
        let found = Found::of(rule, &Holding::of(&together), horizon);
        let mut out = Vec::new();
        for episode in episodes(rule, &found) {
            let mut incident = describe(&together, &found, &episode);
            let from = episode.first() - rule.rule.window;
            let rests_on = |seen: &Seen| from < seen.second() && seen.second() <= episode.last();
            if without.contains(&incident.incident_id)
                || !brought.iter().any(rests_on)
                || excepted(rule, &incident)
            {
                continue;
            }
            incident = bounded::incident(incident, rule);
            incident.incident_id = episode.id(&together, true);
            incident.late = true;
            let reason = Some(episode.reason(rule));
            for status in [Status::Open, Status::Closed] {
                out.push((name.clone(), publication(&incident, status, reason, offset)));
            }
        }
        out
    }

    /// Forgets what was said of incidents that are final, and late matches after their time.
    fn expire(&mut self) {
        let Some(watermark) = self.watermark else {
            return;
        };
        for (name, key) in &mut self.keys {
            let rule = &self.rules[&name.0].rule;
            let lateness = rule.settings.lateness;
            key.late.retain(|(hour, _)| watermark - hour < lateness);
            if key.said.is_empty() {
                continue;
            }
            let set = Set::of(rule, &name.1, &[]);
            for episode in episodes(rule, &key.found) {
                if episode.is_final(rule, Some(watermark)) {
                    key.said.remove(&episode.id(&set, false));
                }
            }
        }
    }
}

/// What was said and not closed, as it stands when the rule is removed.
fn still_open(rule: &Arc<LoadedRule>, name: &Name, key: &Key) -> Vec<Incident> {
    let set = Set::of(rule, &name.1, &key.seen);
    let mut open = Vec::new();
    for episode in episodes(rule, &key.found) {
        let said = key.said.get(&episode.id(&set, false));
        if said.is_some_and(|said| said.incident.status != Status::Closed) {
            let incident = describe(&set, &key.found, &episode);
            open.push(bounded::incident(incident, rule));
        }
    }
    open
}

fn publication(
    incident: &Incident,
    status: Status,
    over: Option<CloseReason>,
    offset: i64,
) -> Incident {
    let closed = status == Status::Closed;
    Incident {
        status,
        close_reason: over.filter(|_| closed),
        revision: 2 * offset + i64::from(closed),
        ..incident.clone()
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
