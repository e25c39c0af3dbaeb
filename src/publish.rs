//! What to say: the difference between a key's incidents and what was published of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::condition;
use crate::episode;
use crate::incident::{CloseReason, Incident, Status};
use crate::key::{Key, KeyId, Published};
use crate::plan::LoadedRule;
use crate::record::Hash;
use crate::rule::shown::Shown;
use crate::settle;
use crate::tally::Ground;
use crate::time::{Second, second_of};
use crate::view::View;
use crate::window::Ranges;

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

impl<'a> Moment<'a> {
    /// What a key's incidents are found in at this moment.
    fn ground(&self, key: &'a Key, view: &'a View) -> Ground<'a> {
        Ground {
            key,
            view,
            loaded: self.rule,
            watermark: self.watermark,
        }
    }
}

/// An incident as it stands now.
struct Standing {
    /// The first and the last trigger, in seconds.
    span: (Second, Second),
    incident: Incident,
    /// `Some`: it is over, for this reason.
    over: Option<CloseReason>,
    /// Ids of those it takes the place of.
    replaces: Vec<Hash>,
}

impl Standing {
    /// Whether it triggers between `first` and `last`. What is final cannot have been part of an
    /// incident that is there no more.
    fn triggers_within(&self, view: &View, first: Second, last: Second) -> bool {
        let (start, end) = (first.max(self.span.0), last.min(self.span.1));
        start <= end && view.triggers.range(start..=end).next().is_some()
    }
}

/// Says what is news of `key`'s incidents after a change at some seconds, or that are over by
/// now, and remembers that it was said. `view`: the key's.
pub fn news(
    id: KeyId,
    key: &mut Key,
    view: &View,
    changed: &Ranges,
    moment: Moment<'_>,
) -> Vec<Incident> {
    let quiet = moment.rule.rule.quiet;
    let around = changed.widened(quiet, quiet);
    let mut firsts: BTreeSet<Second> = around
        .iter()
        .flat_map(|range| view.spans.touching(range).map(|(first, _)| first))
        .collect();
    let begins = |second: Second| around.iter().any(|range| range.contains(&second));
    let mut gone: Vec<Hash> = Vec::new();
    let ground = moment.ground(key, view);
    for (known, last) in &key.published {
        let first = second_of(last.incident.first_seen);
        if begins(first) || firsts.contains(&first) {
            gone.push(*known);
        }
        let open = last.incident.status != Status::Closed;
        let over = |last| episode::over(ground, last).is_some();
        if view
            .spans
            .last_of(first)
            .is_some_and(|last| over(last) == open)
        {
            firsts.insert(first);
        }
    }
    let mut standing = standing(id, key, view, &firsts, moment);
    gone.retain(|known| !standing.contains_key(known));
    let mut said = Vec::new();
    retract((key, view), &gone, &mut standing, moment, &mut said);
    for now in standing.into_values() {
        say(key, now, moment, &mut said);
    }
    said.sort_by_key(|incident| (incident.incident_id, incident.revision));
    said
}

/// Whether an incident that was said and not closed is over.
pub fn is_over(key: &Key, loaded: &LoadedRule, watermark: Option<Second>) -> bool {
    let Some(view) = &key.view else { return false };
    let ground = Ground {
        key,
        view,
        loaded,
        watermark,
    };
    let open = key.published.values().map(|last| &last.incident);
    open.filter(|incident| incident.status != Status::Closed)
        .filter_map(|incident| view.spans.last_of(second_of(incident.first_seen)))
        .any(|last| episode::over(ground, last).is_some())
}

/// Closes what is open of `key`, whose rule is no longer in force.
pub fn close_all(id: KeyId, key: &Key, view: &View, moment: Moment<'_>) -> Vec<Incident> {
    let open = key.published.values().map(|last| &last.incident);
    let open = open.filter(|incident| incident.status != Status::Closed);
    let firsts: BTreeSet<Second> = open.map(|i| second_of(i.first_seen)).collect();
    let loaded = &**moment.rule;
    let ground = moment.ground(key, view);
    let mut said: Vec<Incident> = firsts
        .iter()
        .filter_map(|first| {
            let span = (*first, view.spans.last_of(*first)?);
            let tally = episode::tally(ground, span);
            let incident = episode::describe(id, key, loaded, tally, (false, moment.topics));
            Some(closed(incident, CloseReason::RuleRemoved, moment))
        })
        .collect();
    said.sort_by_key(|incident| incident.incident_id);
    said
}

/// The incidents with these first triggers that are to be told of, by id.
fn standing(
    id: KeyId,
    key: &Key,
    view: &View,
    firsts: &BTreeSet<Second>,
    moment: Moment<'_>,
) -> BTreeMap<Hash, Standing> {
    let loaded = &**moment.rule;
    let ground = moment.ground(key, view);
    let mut standing = BTreeMap::new();
    for first in firsts {
        let Some(last) = view.spans.last_of(*first) else {
            continue;
        };
        let span = (*first, last);
        let tally = episode::tally(ground, span);
        let incident = episode::describe(id, key, loaded, tally, (false, moment.topics));
        let rules = key
            .published
            .get(&incident.incident_id)
            .and_then(|last| moment.versions.get(&last.exceptions))
            .unwrap_or(moment.rule);
        if excepted(rules, &incident) {
            continue;
        }
        let now = Standing {
            span,
            over: episode::over(ground, last),
            incident,
            replaces: Vec::new(),
        };
        standing.insert(now.incident.incident_id, now);
    }
    standing
}

/// Takes back what was said of incidents that are there no more.
fn retract(
    (key, view): (&mut Key, &View),
    gone: &[Hash],
    standing: &mut BTreeMap<Hash, Standing>,
    moment: Moment<'_>,
    said: &mut Vec<Incident>,
) {
    for id in gone {
        let Some(last) = key.published.remove(id) else {
            continue;
        };
        let mut incident = last.incident;
        let (first, last) = (
            second_of(incident.first_seen),
            second_of(incident.last_seen),
        );
        if view.spans.last_of(first).is_some() {
            // An exception of an older text covers it. What is in use now is asked next time.
            key.entry = Hash::default();
        }
        let heir = standing
            .values_mut()
            .filter(|now| now.triggers_within(view, first, last))
            .min_by_key(|now| now.span.0);
        incident.replaced_by = heir.as_ref().map(|now| now.incident.incident_id);
        if let Some(heir) = heir {
            heir.replaces.push(*id);
        }
        incident.status = Status::Retracted;
        incident.revision = 2 * moment.offset;
        incident.close_reason = None;
        incident.replaces = Vec::new();
        said.push(incident);
    }
}

/// Says of one incident what differs from what was last said.
fn say(key: &mut Key, now: Standing, moment: Moment<'_>, said: &mut Vec<Incident>) {
    let Standing {
        mut incident,
        over,
        replaces,
        ..
    } = now;
    incident.replaces = replaces;
    let last = key.published.get(&incident.incident_id);
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
        let published = Published {
            incident: incident.clone(),
            exceptions,
        };
        key.published.insert(incident.incident_id, published);
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
    loaded.rule.excepts(&Shown::of(incident))
}

/// The second that the watermark must pass for something of `key` to be decided, closed or
/// forgotten, if nothing is added to it.
pub fn due(
    key: &Key,
    view: &View,
    loaded: &LoadedRule,
    watermark: Option<Second>,
) -> Option<Second> {
    let closings = key
        .published
        .values()
        .filter(|last| last.incident.status != Status::Closed)
        .filter_map(|last| view.spans.last_of(second_of(last.incident.first_seen)))
        .map(|last| episode::over_after(last, loaded).0);
    let undecided = condition::delays(loaded).into_iter().filter_map(|delay| {
        let from = watermark.map_or(Second::MIN, |watermark| watermark - delay);
        let (p, _) = key.panes.range(from..).next()?;
        Some(p + delay)
    });
    closings
        .chain(undecided)
        .chain(settle::forgotten_after(key, view, loaded))
        .min()
}
