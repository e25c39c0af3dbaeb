//! One key and one message: what it adds is taken, what time makes final is settled, and what is
//! news of the key's incidents is said.

use std::collections::BTreeSet;

use crate::fold::condition::{self, Horizon};
use crate::fold::context::{Context, Moment};
use crate::fold::episode::{late, publish, settle};
use crate::fold::key::{self, Key, KeyId, Origin};
use crate::fold::window::Ranges;
use crate::incident::Incident;
use crate::matches::{Match, MatchedRecord};
use crate::plan::LoadedRule;
use crate::time::{Millis, Second, second_of};

/// A record that counts, with its matches by key.
#[derive(Debug)]
pub struct Accepted {
    /// The record, without its matches.
    pub record: MatchedRecord,
    /// Where it was read.
    pub origin: Origin,
    /// Its matches.
    pub found: Vec<(KeyId, Match)>,
}

/// One match of a record, of the key that is evaluated.
#[derive(Clone, Copy, Debug)]
pub struct Added<'r> {
    /// The record.
    pub accepted: &'r Accepted,
    /// The match.
    pub found: &'r Match,
}

/// What was said of a key, and what was met that an operator may want to know.
#[derive(Debug, Default)]
pub struct Evaluated {
    /// What is news, by id and revision.
    pub said: Vec<Incident>,
    /// Tests of windows that held more different values than are counted exactly.
    pub capped: u64,
}

/// Brings a key through one message: what it `added` to it, and what is due with it.
pub fn fold(key: &mut Key, context: Context<'_>, added: &[Added<'_>], moment: Moment) -> Evaluated {
    let Context { rule, since, .. } = context;
    settle::catch_up(key, rule, moment.before);
    let arrived = add(key, rule, added, moment.before);
    let horizon = Horizon {
        watermark: moment.after,
        since: key.since,
    };
    let mut changed = condition::update(key, rule, horizon);
    let touched = !arrived.on_time.is_empty() || !arrived.late.is_empty();
    let mut said = Vec::new();
    if touched || !changed.is_empty() || publish::is_over(key, rule, moment.after) {
        if key.since != since {
            key.since = since;
            changed = changed.with(&condition::update(key, rule, Horizon { since, ..horizon }));
        }
        said = news(key, context, changed, &arrived, moment);
    }
    settle::settle(key, rule, moment.after);
    let patterns = key.view.iter_mut().flat_map(|view| &mut view.patterns);
    let capped = patterns.map(|view| std::mem::take(&mut view.capped)).sum();
    let view = key.view.as_ref();
    key.due = view.and_then(|view| publish::due(key, view, rule, moment.after));
    Evaluated { said, capped }
}

/// Closes what is open of a key whose rule is no longer in force.
pub fn close(key: &mut Key, context: Context<'_>, moment: Moment) -> Vec<Incident> {
    settle::catch_up(key, context.rule, moment.before);
    let Some(view) = key.view.take() else {
        return Vec::new();
    };
    let moment = Moment {
        after: moment.before,
        ..moment
    };
    publish::close_all(key, &view, context, moment)
}

/// Says what is news of a key, in which something has changed at these seconds.
fn news(
    key: &mut Key,
    context: Context<'_>,
    changed: Ranges,
    arrived: &Arrived,
    moment: Moment,
) -> Vec<Incident> {
    let Some(view) = key.view.take() else {
        return Vec::new();
    };
    let rule = context.rule;
    let reached = 2 * rule.rule.window - 1;
    let shown = arrived.on_time.iter().map(|p| *p..=p + reached);
    let mut changed = changed.with(&Ranges::union(shown));
    if key.entry != rule.entry {
        changed = Ranges::all();
        key.entry = rule.entry;
    }
    let mut news = publish::news(key, &view, &changed, context, moment);
    if !arrived.late.is_empty() {
        news.extend(late::news(key, &arrived.late, context, moment));
    }
    news.sort_by_key(|incident| (incident.incident_id, incident.revision));
    key.view = Some(view);
    news
}

/// The seconds of a message's matches of one key.
#[derive(Default)]
struct Arrived {
    on_time: BTreeSet<Second>,
    late: BTreeSet<Second>,
}

/// Whether a match is further behind the watermark before its message than is on time.
pub fn is_late(rule: &LoadedRule, time: Millis, before: Option<Second>) -> bool {
    before.is_some_and(|before| second_of(time) < before - rule.settings.lateness)
}

/// Adds matches to a key; `before` is the watermark before their message.
fn add(key: &mut Key, rule: &LoadedRule, added: &[Added<'_>], before: Option<Second>) -> Arrived {
    let mut arrived = Arrived::default();
    for Added { accepted, found } in added {
        let Accepted { record, origin, .. } = accepted;
        if key.is_empty() {
            key.values.clone_from(&found.key);
        }
        let second = second_of(record.time);
        match before.filter(|_| is_late(rule, record.time, before)) {
            None => {
                key.add(rule, record, found, *origin);
                arrived.on_time.insert(second);
            }
            Some(before) => {
                let hour = key.late.entry(late::hour(before)).or_default();
                let pane = hour.entry(second).or_default();
                let rank = key::rank(record, *origin);
                pane.add(rule, record, found, (*origin, rank));
                arrived.late.insert(second);
            }
        }
    }
    arrived
}
