//! What to say: the difference between a key's incidents and what was published of them.

use std::collections::{BTreeMap, BTreeSet};

use crate::fold::condition;
use crate::fold::context::{Context, Moment};
use crate::fold::episode;
use crate::fold::episode::settle;
use crate::fold::episode::tally::{self, Ground};
use crate::fold::key::view::View;
use crate::fold::key::{Key, Published};
use crate::fold::window::Ranges;
use crate::incident::{CloseReason, Incident, Status};
use crate::plan::LoadedRule;
use crate::record::Hash;
use crate::rule::shown::Shown;
use crate::time::{Second, second_of};

/// What a key's incidents are found in at a moment.
fn ground<'a>(key: &'a Key, view: &'a View, context: Context<'a>, moment: Moment) -> Ground<'a> {
    Ground {
        key,
        view,
        loaded: context.rule,
        watermark: moment.after,
    }
}

/// An incident as it stands now.
struct Standing {
    /// The first and the last trigger, in seconds.
    span: (Second, Second),
    /// `None`: nothing has come to what was said of it that is worth an update.
    incident: Option<Incident>,
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
    key: &mut Key,
    view: &View,
    changed: &Ranges,
    context: Context<'_>,
    moment: Moment,
) -> Vec<Incident> {
    let quiet = context.rule.rule.quiet;
    let around = changed.widened(quiet, quiet);
    let mut firsts: BTreeSet<Second> = around
        .iter()
        .flat_map(|range| view.spans.touching(range).map(|(first, _)| first))
        .collect();
    let begins = |second: Second| around.iter().any(|range| range.contains(&second));
    let mut gone: Vec<Hash> = Vec::new();
    let ground = ground(key, view, context, moment);
    for (known, last) in &key.published {
        let first = second_of(last.first_seen);
        if begins(first) || firsts.contains(&first) {
            gone.push(*known);
        }
        let open = last.status != Status::Closed;
        let over = |last| episode::over(ground, last).is_some();
        if view
            .spans
            .last_of(first)
            .is_some_and(|last| over(last) == open)
        {
            firsts.insert(first);
        }
    }
    let mut standing = standing(key, view, &firsts, context, moment);
    gone.retain(|known| !standing.contains_key(known));
    let mut said = Vec::new();
    retract(key, view, &gone, &mut standing, moment, &mut said);
    for now in standing.into_values() {
        say(key, now, context, moment, &mut said);
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
    let open = key.published.values();
    open.filter(|last| last.status != Status::Closed)
        .filter_map(|last| view.spans.last_of(second_of(last.first_seen)))
        .any(|last| episode::over(ground, last).is_some())
}

/// Closes what is open of `key`, whose rule is no longer in force.
pub fn close_all(key: &Key, view: &View, context: Context<'_>, moment: Moment) -> Vec<Incident> {
    let open = key.published.values();
    let open = open.filter(|last| last.status != Status::Closed);
    let firsts: BTreeSet<Second> = open.map(|last| second_of(last.first_seen)).collect();
    let loaded = &**context.rule;
    let ground = ground(key, view, context, moment);
    let mut said: Vec<Incident> = firsts
        .iter()
        .filter_map(|first| {
            let span = (*first, view.spans.last_of(*first)?);
            let tally = episode::tally(ground, span);
            let mut incident =
                episode::describe(context.id, key, loaded, tally, (false, context.topics));
            incident.fit(loaded.incident_bytes());
            Some(closed(incident, CloseReason::RuleRemoved, moment))
        })
        .collect();
    said.sort_by_key(|incident| incident.incident_id);
    said
}

/// The incidents with these first triggers that are to be told of, by id.
fn standing(
    key: &Key,
    view: &View,
    firsts: &BTreeSet<Second>,
    context: Context<'_>,
    moment: Moment,
) -> BTreeMap<Hash, Standing> {
    let loaded = &**context.rule;
    let ground = ground(key, view, context, moment);
    let mut standing = BTreeMap::new();
    for first in firsts {
        let Some(last) = view.spans.last_of(*first) else {
            continue;
        };
        let mut now = Standing {
            span: (*first, last),
            incident: None,
            over: episode::over(ground, last),
            replaces: Vec::new(),
        };
        let name = episode::id_of(ground, *first);
        let known = key.published.get(&name);
        let rules = known
            .and_then(|last| context.versions.get(&last.exceptions))
            .unwrap_or(context.rule);
        let is_as_said = |last| rules.rule.exceptions.is_empty() && is_as_said(last, &now, ground);
        if !known.is_some_and(is_as_said) {
            let tally = episode::tally(ground, now.span);
            let mut incident =
                episode::describe(context.id, key, loaded, tally, (false, context.topics));
            if excepted(rules, &incident) {
                continue;
            }
            incident.fit(loaded.incident_bytes());
            now.incident = Some(incident);
        }
        standing.insert(name, now);
    }
    standing
}

/// Whether an incident that is open needs no update, as far as that is seen without all that it
/// shows.
fn is_as_said(last: &Published, now: &Standing, ground: Ground<'_>) -> bool {
    let severity = &ground.loaded.rule.severity;
    now.over.is_none()
        && last.status != Status::Closed
        && second_of(last.first_seen) == now.span.0
        && severity.cases.is_empty()
        && severity.otherwise == last.severity
        && last.trigger_count == tally::windows_of(ground, now.span)
}

/// Takes back what was said of incidents that are there no more.
fn retract(
    key: &mut Key,
    view: &View,
    gone: &[Hash],
    standing: &mut BTreeMap<Hash, Standing>,
    moment: Moment,
    said: &mut Vec<Incident>,
) {
    for id in gone {
        let last = key.published.remove(id).map(|last| last.incident());
        let Some(Ok(mut incident)) = last else {
            continue;
        };
        let (first, last) = (
            second_of(incident.first_seen),
            second_of(incident.last_seen),
        );
        if view.spans.last_of(first).is_some() {
            // An exception of an older text covers it. What is in use now is asked next time.
            key.entry = Hash::default();
        }
        let heir = standing
            .iter_mut()
            .filter(|(_, now)| now.triggers_within(view, first, last))
            .min_by_key(|(_, now)| now.span.0);
        incident.replaced_by = heir.as_ref().map(|(heir, _)| **heir);
        if let Some((_, heir)) = heir {
            heir.replaces.push(*id);
        }
        said.push(opened(incident, Status::Retracted, moment));
    }
}

/// Says of one incident what differs from what was last said.
fn say(
    key: &mut Key,
    now: Standing,
    context: Context<'_>,
    moment: Moment,
    said: &mut Vec<Incident>,
) {
    let Standing {
        incident: Some(mut incident),
        over,
        replaces,
        ..
    } = now
    else {
        return;
    };
    let last = key.published.get(&incident.incident_id);
    let news: &[Status] = match (last, over) {
        (None, None) => &[Status::Open],
        (None, Some(_)) => &[Status::Open, Status::Closed],
        (Some(last), None) if last.status == Status::Closed || moved(last, &incident) => {
            &[Status::Updated]
        }
        (Some(last), Some(_)) if last.status != Status::Closed || !last.has_content(&incident) => {
            &[Status::Closed]
        }
        (Some(_), _) => &[],
    };
    let Some((last_status, before)) = news.split_last() else {
        return;
    };
    let exceptions = last.map_or(context.rule.entry, |last| last.exceptions);
    let published = Published::new(&incident, *last_status, exceptions);
    key.published.insert(incident.incident_id, published);
    incident.replaces = replaces;
    incident.fit(context.rule.incident_bytes());
    for status in before {
        said.push(told(incident.clone(), *status, over, moment));
    }
    said.push(told(incident, *last_status, over, moment));
}

fn told(incident: Incident, status: Status, over: Option<CloseReason>, moment: Moment) -> Incident {
    match over {
        Some(reason) if status == Status::Closed => closed(incident, reason, moment),
        Some(_) | None => opened(incident, status, moment),
    }
}

fn opened(mut incident: Incident, status: Status, moment: Moment) -> Incident {
    incident.status = status;
    incident.revision = 2 * moment.offset;
    incident
}

fn closed(mut incident: Incident, reason: CloseReason, moment: Moment) -> Incident {
    incident.status = Status::Closed;
    incident.close_reason = Some(reason);
    incident.revision = 2 * moment.offset + 1;
    incident
}

/// What is worth an update while an incident is open.
fn moved(last: &Published, now: &Incident) -> bool {
    last.first_seen != now.first_seen
        || last.trigger_count != now.trigger_count
        || last.severity != now.severity
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
        .filter(|last| last.status != Status::Closed)
        .filter_map(|last| view.spans.last_of(second_of(last.first_seen)))
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
