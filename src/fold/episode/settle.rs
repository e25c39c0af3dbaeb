//! What time makes final. Triggers that nothing on time can change any more are summed up in the
//! tally of their incident; then they are forgotten, and so is what they rest on once nothing looks
//! back as far as that.

use crate::canary::{self, Canary};
use crate::fold::condition::{self, Horizon, Sight};
use crate::fold::episode;
use crate::fold::key::Alive;
use crate::fold::key::derived::Derived;
use crate::fold::key::rows::{Combination, Row, chunk_of};
use crate::fold::key::stored::Stored;
use crate::fold::window::{self, Seconds};
use crate::plan::LoadedRule;
use crate::rule::reach::Reach;
use crate::time::{Second, second_of};

/// Brings a key to where it is at a watermark before anything is added to it.
pub fn catch_up(key: &mut Alive, loaded: &LoadedRule, watermark: Option<Second>) {
    if key.derived.is_none() {
        let since = key.stored.head.since;
        condition::update(key, loaded, Horizon { watermark, since });
    }
    settle(key, loaded, watermark);
}

/// Forgets what no match on time can change or need, at `watermark`.
pub fn settle(key: &mut Alive, loaded: &LoadedRule, watermark: Option<Second>) {
    let (
        Alive {
            stored,
            derived: Some(derived),
        },
        Some(watermark),
    ) = (key, watermark)
    else {
        return;
    };
    let Reach {
        wait,
        reach,
        new_period,
    } = loaded.reach;
    forget_late(stored, loaded, watermark);
    let horizon = watermark - loaded.settings.lateness;
    sum_up(stored, derived, loaded, horizon - wait, watermark);
    forget_incidents(stored, derived, loaded, horizon - wait);
    forget_clear(stored, derived, loaded, horizon - wait);
    let kept = horizon - reach;
    forget_panes(stored, derived, kept + canary::slip(Canary::ExpireEarly));
    while let Some(combination) = stored.seen.pop_before((kept - new_period) * 1000) {
        stored.touch(Row::Seen(combination));
    }
}

fn forget_late(stored: &mut Stored, loaded: &LoadedRule, watermark: Second) {
    let kept = watermark - loaded.settings.lateness + 1;
    while let Some((hour, panes)) = stored.late.pop_before(kept) {
        for (second, pane) in panes.iter() {
            stored.touch(Row::Late(hour, chunk_of(second)));
            stored.dropped(pane);
        }
    }
}

/// Adds the triggers before `end`, which are final, to what is remembered of their incidents.
fn sum_up(
    stored: &mut Stored,
    derived: &mut Derived,
    loaded: &LoadedRule,
    end: Second,
    watermark: Second,
) {
    if stored.head.settled.is_some_and(|settled| settled >= end) {
        return;
    }
    let clear = {
        let mut from = Second::MIN;
        while let Some((t, _)) = derived.triggers.range(from..=end - 1).next() {
            let Some((first, end_of_all)) = derived.spans.containing(t) else {
                break;
            };
            let finals = derived.triggers.range(t..=end_of_all.min(end - 1));
            let last = finals.map(|(last, _)| last).next_back().unwrap_or(t);
            let known = stored.tallies.remove(first);
            let sight = Sight {
                stored,
                derived,
                loaded,
                watermark: Some(watermark),
            };
            let mut tally = known.unwrap_or_else(|| episode::begin(sight, first));
            tally.extend(sight, last);
            stored.tallies.insert(first, tally);
            stored.touch(Row::Tally(first));
            from = last + 1;
        }
        let sight = Sight {
            stored,
            derived,
            loaded,
            watermark: Some(watermark),
        };
        sight.clears().last_before(end)
    };
    stored.head.settled_clear = clear;
    stored.head.settled = Some(end);
    derived.triggers.drop_before(end);
    derived.drop_measured_before(end);
}

/// Forgets the incidents that nothing can join any more.
fn forget_incidents(stored: &mut Stored, derived: &mut Derived, loaded: &LoadedRule, end: Second) {
    let is_over = |last: Second| window::episode_end(last, loaded.rule.quiet).0 < end;
    let over = derived.spans.iter().take_while(|(_, last)| is_over(*last));
    let over: Seconds = over.map(|(first, _)| first).collect();
    if over.is_empty() {
        return;
    }
    for first in over.iter() {
        derived.spans.remove(first);
        if stored.tallies.remove(first).is_some() {
            stored.touch(Row::Tally(first));
        }
    }
    let spans = &derived.spans;
    let is_there = |first| spans.last_of(first).is_some();
    let said = stored.said.iter();
    let gone = said.filter(|(_, last)| !is_there(last.facts.first));
    let gone: Vec<_> = gone.map(|(id, _)| *id).collect();
    for id in gone {
        stored.said.remove(&id);
        stored.touch(Row::Said(id));
    }
}

/// Forgets the last clear pane once it ends no incident that can still be told of, and once those
/// that can still begin are not named by it.
fn forget_clear(stored: &mut Stored, derived: &Derived, loaded: &LoadedRule, end: Second) {
    let is_named = |clear: &Second| window::slot_end(*clear, loaded.rule.quiet) > end;
    if derived.spans.iter().next().is_none() {
        let head = &mut stored.head;
        head.settled_clear = head.settled_clear.filter(is_named);
    }
}

fn forget_panes(stored: &mut Stored, derived: &mut Derived, kept: Second) {
    if stored.panes.first().is_none_or(|(first, _)| first >= kept) {
        return;
    }
    while let Some((second, pane)) = stored.panes.pop_before(kept) {
        stored.touch(Row::Panes(chunk_of(second)));
        stored.dropped(&pane);
        for (place, share) in pane.patterns.iter() {
            let groups = share.groups.values();
            for (combination, instants) in groups.flat_map(|group| group.combinations.iter()) {
                let combination = Combination {
                    pattern: *place,
                    values: *combination,
                };
                if stored.seen.see(combination, instants.latest) {
                    stored.touch(Row::Seen(combination));
                }
            }
        }
    }
    derived.drop_before(kept);
    let mut counted = Vec::new();
    for (first, tally) in stored.tallies.iter_mut() {
        if tally.forget_before(kept) {
            counted.push(Row::Tally(first));
        }
    }
    counted.into_iter().for_each(|row| stored.touch(row));
}

/// The second that the watermark must pass for all that is remembered of a key to be forgotten;
/// `None`: there is nothing.
pub fn forgotten_after(sight: Sight<'_>) -> Option<Second> {
    let Sight {
        stored,
        derived,
        loaded,
        ..
    } = sight;
    let lateness = loaded.settings.lateness;
    let Reach {
        wait,
        reach,
        new_period,
    } = loaded.reach;
    let quiet = loaded.rule.quiet;
    let panes = stored.panes.last();
    let panes = panes.map(|(second, _)| second + lateness + reach);
    let incidents = derived.spans.iter().last();
    let incidents = incidents.map(|(_, last)| window::episode_end(last, quiet).0 + lateness + wait);
    let seen = stored.seen.latest();
    let seen = seen.map(|latest| second_of(latest) + lateness + reach + new_period + 1);
    let late = stored.late.last().map(|(hour, _)| hour + lateness);
    let clear = stored.head.settled_clear;
    let clear = clear.map(|clear| window::slot_end(clear, quiet) + lateness + wait - 1);
    panes.max(incidents).max(seen).max(late).max(clear)
}
