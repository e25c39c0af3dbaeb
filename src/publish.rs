//! What to say: the difference between a key's incidents and what was published of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::episode::{self, Episode};
use crate::event::Value;
use crate::incident::{AttributeValue, CloseReason, Incident, Status};
use crate::key::{Key, KeyId, Published};
use crate::plan::LoadedRule;
use crate::record::Hash;
use crate::time::{Second, day_start, second_of};

/// Where in the log the saying happens, and with which rule.
#[derive(Clone, Copy, Debug)]
pub struct Moment<'a> {
    /// Offset of the log message.
    pub offset: i64,
    /// The watermark after it, in seconds.
    pub watermark: Option<Second>,
    /// The rule as the latest plan has it.
    pub rule: &'a Arc<LoadedRule>,
    /// Every text of the rule that was in use since it came into force.
    pub versions: &'a BTreeMap<Hash, Arc<LoadedRule>>,
    /// Names of the source topics.
    pub topics: &'a [String],
}

/// An incident as it stands now.
struct Standing {
    episode: Episode,
    incident: Incident,
    /// `Some`: it is over, for this reason.
    over: Option<CloseReason>,
    /// Ids of those it takes the place of.
    replaces: Vec<Hash>,
}

/// Says what is news of `key`'s incidents on `days`, and remembers that it was said.
pub fn news(
    id: KeyId,
    key: &mut Key,
    days: &BTreeSet<Second>,
    moment: Moment<'_>,
) -> Vec<Incident> {
    let mut said = Vec::new();
    for day in days {
        let mut standing = standing(id, key, *day, moment);
        retract(key, *day, &mut standing, moment, &mut said);
        for now in standing.into_values() {
            say(key, *day, now, moment, &mut said);
        }
    }
    key.due = due(key, moment.rule);
    said.sort_by_key(|incident| (incident.incident_id, incident.revision));
    said
}

/// Closes what is open of `key`, whose rule is no longer in force.
pub fn close_all(id: KeyId, key: &Key, moment: Moment<'_>) -> Vec<Incident> {
    let mut said = Vec::new();
    let open: BTreeSet<Hash> = key
        .published
        .values()
        .filter(|last| last.incident.status != Status::Closed)
        .map(|last| last.incident.incident_id)
        .collect();
    for day in episode::days(key) {
        for episode in episode::of_day(key, day, moment.rule.rule.quiet) {
            let incident = episode::describe(id, key, moment.rule, &episode, moment.topics);
            if open.contains(&incident.incident_id) {
                said.push(closed(incident, CloseReason::RuleRemoved, moment));
            }
        }
    }
    said.sort_by_key(|incident| incident.incident_id);
    said
}

/// The incidents of one day that are to be told of, by id.
fn standing(id: KeyId, key: &Key, day: Second, moment: Moment<'_>) -> BTreeMap<Hash, Standing> {
    let mut standing = BTreeMap::new();
    for episode in episode::of_day(key, day, moment.rule.rule.quiet) {
        let incident = episode::describe(id, key, moment.rule, &episode, moment.topics);
        let rules = key
            .published
            .get(&(day, incident.incident_id))
            .and_then(|last| moment.versions.get(&last.exceptions))
            .unwrap_or(moment.rule);
        if excepted(rules, &incident) {
            continue;
        }
        let (after, reason) = episode::over_after(episode.last(), moment.rule);
        let over = moment
            .watermark
            .is_some_and(|watermark| watermark > after)
            .then_some(reason);
        let now = Standing {
            episode,
            incident,
            over,
            replaces: Vec::new(),
        };
        standing.insert(now.incident.incident_id, now);
    }
    standing
}

/// Takes back what was said of incidents that are there no more.
fn retract(
    key: &mut Key,
    day: Second,
    standing: &mut BTreeMap<Hash, Standing>,
    moment: Moment<'_>,
    said: &mut Vec<Incident>,
) {
    let gone: Vec<Hash> = key
        .published
        .range((day, Hash([0; 16]))..=(day, Hash([0xff; 16])))
        .map(|((_, id), _)| *id)
        .filter(|id| !standing.contains_key(id))
        .collect();
    for id in gone {
        let Some(last) = key.published.remove(&(day, id)) else {
            continue;
        };
        let mut incident = last.incident;
        let (first, last) = (
            second_of(incident.first_seen),
            second_of(incident.last_seen),
        );
        let heir = standing
            .values_mut()
            .filter(|now| now.episode.triggers_within(first, last))
            .min_by_key(|now| now.episode.first());
        incident.replaced_by = heir.as_ref().map(|now| now.incident.incident_id);
        if let Some(heir) = heir {
            heir.replaces.push(id);
        }
        incident.status = Status::Retracted;
        incident.revision = 2 * moment.offset;
        incident.close_reason = None;
        incident.replaces = Vec::new();
        said.push(incident);
    }
}

/// Says of one incident what differs from what was last said.
fn say(key: &mut Key, day: Second, now: Standing, moment: Moment<'_>, said: &mut Vec<Incident>) {
    let Standing {
        mut incident,
        over,
        replaces,
        ..
    } = now;
    incident.replaces = replaces;
    let place = (day, incident.incident_id);
    let last = key.published.get(&place);
    let exceptions = last.map_or(moment.rule.entry, |last| last.exceptions);
    let before = said.len();
    match (last.map(|last| &last.incident), over) {
        (None, None) => said.push(opened(incident, Status::Open, moment)),
        (None, Some(reason)) => {
            said.push(opened(incident.clone(), Status::Open, moment));
            said.push(closed(incident, reason, moment));
        }
        (Some(last), None) => {
            if last.status == Status::Closed || moved(last, &incident) {
                said.push(opened(incident, Status::Updated, moment));
            }
        }
        (Some(last), Some(reason)) => {
            if last.status != Status::Closed || !same_content(last, &incident) {
                said.push(closed(incident, reason, moment));
            }
        }
    }
    if let Some(incident) = said.get(before..).and_then(<[Incident]>::last) {
        key.published.insert(
            place,
            Published {
                incident: incident.clone(),
                exceptions,
            },
        );
    }
}

fn opened(mut incident: Incident, status: Status, moment: Moment<'_>) -> Incident {
    incident.status = status;
    incident.revision = 2 * moment.offset;
    incident
}

fn closed(mut incident: Incident, reason: CloseReason, moment: Moment<'_>) -> Incident {
    incident.status = Status::Closed;
    incident.close_reason = Some(reason);
    incident.revision = 2 * moment.offset + 1;
    incident
}

/// What is worth an update while an incident is open.
fn moved(last: &Incident, now: &Incident) -> bool {
    last.first_seen != now.first_seen
        || last.trigger_count != now.trigger_count
        || last.severity != now.severity
}

/// Equal in all that follows from the events and the rule, not from when it was said.
fn same_content(last: &Incident, now: &Incident) -> bool {
    let plain = |incident: &Incident| Incident {
        revision: 0,
        status: Status::Open,
        late: false,
        close_reason: None,
        replaced_by: None,
        replaces: Vec::new(),
        ..incident.clone()
    };
    plain(last) == plain(now)
}

/// Whether one of the rule's exceptions covers the incident.
pub fn excepted(loaded: &LoadedRule, incident: &Incident) -> bool {
    let values: Vec<Option<Value<'_>>> = incident
        .attributes
        .iter()
        .map(|(_, value)| match value {
            AttributeValue::Null => None,
            AttributeValue::Text(text) => Some(Value::Text(text.as_str().into())),
            AttributeValue::Number(number) => Some(Value::Float(*number)),
        })
        .collect();
    loaded.rule.exceptions.iter().any(|exception| {
        exception
            .from
            .is_none_or(|from| from <= incident.first_seen)
            && exception
                .until
                .is_none_or(|until| incident.first_seen < until)
            && exception
                .filter
                .matches_with(&|id| values.get(usize::from(id.0)).and_then(Option::as_ref))
    })
}

/// The second that the watermark must pass for something of `key` to be decided or closed.
fn due(key: &Key, loaded: &LoadedRule) -> Option<Second> {
    let closings = key
        .published
        .values()
        .filter(|last| last.incident.status != Status::Closed)
        .map(|last| episode::over_after(second_of_last(key, last, loaded), loaded).0);
    let decisions = key
        .undecided
        .iter()
        .map(|t| crate::condition::decided_after(loaded, *t));
    closings.chain(decisions).min()
}

/// The last trigger of a published incident as it stands now: updates of it are not all said.
fn second_of_last(key: &Key, published: &Published, loaded: &LoadedRule) -> Second {
    let first = second_of(published.incident.first_seen);
    episode::of_day(key, day_start(first), loaded.rule.quiet)
        .iter()
        .find(|episode| episode.first() == first)
        .map_or(second_of(published.incident.last_seen), Episode::last)
}
