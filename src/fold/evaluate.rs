//! One key and one message: what it adds is taken, what time makes final is settled, and what is
//! news of the key's incidents is said.

use std::sync::Arc;

use crate::fold::condition::{self, Horizon, Sight};
use crate::fold::context::{Context, Moment};
use crate::fold::episode::say::{self, Sayings, Spoken};
use crate::fold::episode::{late, settle};
use crate::fold::key::pane::{Event, Mark};
use crate::fold::key::{Alive, KeyId};
use crate::fold::window::{Ranges, Seconds};
use crate::incident::CloseReason;
use crate::matches::Match;
use crate::plan::LoadedRule;
use crate::record::Hash;
use crate::time::{Millis, Second, second_of};

/// A record that counts, with its matches by key.
#[derive(Debug)]
pub struct Accepted {
    /// The record, as evidence.
    pub mark: Arc<Mark>,
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
    pub said: Sayings,
    /// Incidents that exceptions cover.
    pub covered: Vec<Hash>,
    /// Tests of windows that held more different values than are counted exactly.
    pub capped: u64,
}

/// Brings a key through one message: what it `added` to it, and what is due with it.
pub fn fold(
    key: &mut Alive,
    context: Context<'_>,
    added: &[Added<'_>],
    moment: Moment,
) -> Evaluated {
    let Context { rule, since, .. } = context;
    settle::catch_up(key, rule, moment.before);
    let arrived = add(key, rule, added, moment.before);
    let horizon = Horizon {
        watermark: moment.after,
        since: key.stored.head.since,
    };
    let mut changed = condition::update(key, rule, horizon);
    let touched = !arrived.on_time.is_empty() || !arrived.late.is_empty();
    let mut told = Spoken::default();
    if touched || !changed.is_empty() || is_over(key, context, moment) {
        if key.stored.head.since != since {
            key.stored.head.since = since;
            let horizon = Horizon { since, ..horizon };
            changed = changed.with(&condition::update(key, rule, horizon));
        }
        told = news(key, context, changed, &arrived, moment);
    }
    settle::settle(key, rule, moment.after);
    let Alive { stored, derived } = key;
    let Some(derived) = derived else {
        return Evaluated::default();
    };
    let due = say::due(context.sight(stored, derived, moment.after));
    stored.head.due = due;
    let patterns = derived.patterns.iter_mut();
    let capped = patterns.map(|view| std::mem::take(&mut view.capped)).sum();
    let Spoken { said, covered } = told;
    Evaluated {
        said,
        covered,
        capped,
    }
}

/// Closes what is open of a key whose rule is no longer in force.
pub fn close(
    key: &mut Alive,
    context: Context<'_>,
    reason: CloseReason,
    moment: Moment,
) -> Sayings {
    settle::catch_up(key, context.rule, moment.before);
    say::close_all(key, context, reason, moment)
}

fn is_over(key: &Alive, context: Context<'_>, moment: Moment) -> bool {
    Sight::of(key, context.rule, moment.after).is_some_and(say::is_over)
}

/// Says what is news of a key, in which something has changed at these seconds.
fn news(
    key: &mut Alive,
    context: Context<'_>,
    changed: Ranges,
    arrived: &Arrived,
    moment: Moment,
) -> Spoken {
    let Alive {
        stored,
        derived: Some(derived),
    } = key
    else {
        return Spoken::default();
    };
    let rule = context.rule;
    let reached = 2 * rule.rule.window - 1;
    let shown = arrived.on_time.iter().map(|p| p..=p + reached);
    let mut changed = changed.with(&Ranges::union(shown));
    if stored.head.entry != rule.entry {
        changed = Ranges::all();
        stored.head.entry = rule.entry;
    }
    let mut news = say::news(stored, derived, &changed, context, moment);
    if !arrived.late.is_empty() {
        news.said
            .extend(late::news(stored, &arrived.late, context, moment));
        news.said
            .sort_by_key(|incident| (incident.incident_id, incident.revision));
    }
    news
}

/// The seconds of a message's matches of one key.
#[derive(Default)]
struct Arrived {
    on_time: Seconds,
    late: Seconds,
}

/// Whether a match is further behind the watermark before its message than is on time.
pub fn is_late(rule: &LoadedRule, time: Millis, before: Option<Second>) -> bool {
    before.is_some_and(|before| second_of(time) < before - rule.settings.lateness)
}

/// Adds matches to a key; `before` is the watermark before their message.
fn add(key: &mut Alive, rule: &LoadedRule, added: &[Added<'_>], before: Option<Second>) -> Arrived {
    let mut arrived = Arrived::default();
    for Added { accepted, found } in added {
        let mark = &accepted.mark;
        if key.stored.is_empty() {
            key.stored.head.values = found.key.to_vec();
        }
        let event = Event::of(rule, mark);
        match before.filter(|_| is_late(rule, mark.time, before)) {
            None => {
                arrived.on_time.insert(key.add(rule, event, found));
            }
            Some(before) => {
                let hour = late::hour(before);
                let second = key.stored.add_late(rule, event, found, hour);
                arrived.late.insert(second);
            }
        }
    }
    arrived
}
