//! What time makes final: it is summed up, and what it came of is forgotten.

use crate::canary::{self, Canary};
use crate::fold::condition::{self, Clears, Horizon};
use crate::fold::episode;
use crate::fold::episode::tally::Ground;
use crate::fold::key::Key;
use crate::fold::key::view::View;
use crate::fold::window;
use crate::plan::LoadedRule;
use crate::rule::reach::Reach;
use crate::time::{Second, second_of};

/// Brings `key` to where it is at a watermark before anything is added to it.
pub fn catch_up(key: &mut Key, loaded: &LoadedRule, watermark: Option<Second>) {
    if key.view.is_none() {
        let since = key.since;
        condition::update(key, loaded, Horizon { watermark, since });
    }
    settle(key, loaded, watermark);
}

/// Forgets what no match on time can change or need, at `watermark`.
pub fn settle(key: &mut Key, loaded: &LoadedRule, watermark: Option<Second>) {
    let Some(watermark) = watermark else { return };
    let Some(mut view) = key.view.take() else {
        return;
    };
    let lateness = loaded.settings.lateness;
    key.late.retain(|hour, _| watermark - hour < lateness);
    let Reach {
        wait,
        reach,
        new_period,
    } = loaded.reach;
    let horizon = watermark - lateness;
    sum_up(key, &mut view, loaded, horizon - wait, watermark);
    forget_incidents(key, &mut view, loaded, horizon - wait);
    forget_clear(key, &view, loaded, horizon - wait);
    let kept = horizon - reach;
    forget_panes(key, &mut view, kept + canary::slip(Canary::ExpireEarly));
    let seen = (kept - new_period) * 1000;
    key.seen_before.retain(|_, latest| *latest >= seen);
    key.view = Some(view);
}

/// Adds the triggers before `end`, which are final, to what is remembered of their incidents.
fn sum_up(key: &mut Key, view: &mut View, loaded: &LoadedRule, end: Second, watermark: Second) {
    if key.settled.is_some_and(|settled| settled >= end) {
        return;
    }
    let clears = Clears::new(key, &view.patterns, loaded, Some(watermark));
    // The last trigger of an incident stays the last or comes to be an earlier one: of what is
    // not the last now the values are never asked for.
    let lasting = loaded.rule.clear.is_none() && condition::is_lasting(&loaded.rule);
    let mut from = Second::MIN;
    while let Some((t, _)) = view.triggers.range(from..end).next() {
        let Some((first, end_of_all)) = view.spans.containing(*t) else {
            break;
        };
        let last = view
            .triggers
            .range(*t..=end_of_all.min(end - 1))
            .next_back();
        let last = last.map_or(*t, |(last, _)| *last);
        let known = key.settled_incidents.remove(&first);
        let ground = Ground {
            key,
            view,
            loaded,
            watermark: Some(watermark),
        };
        let mut tally = known.unwrap_or_else(|| episode::begin(ground, first));
        tally.extend(ground, last);
        if !lasting || end_of_all == last {
            tally.take_values(ground);
        }
        key.settled_incidents.insert(first, tally);
        from = last + 1;
    }
    key.settled_clear = clears.last_before(end);
    key.settled = Some(end);
    view.triggers = view.triggers.split_off(&end);
}

/// Forgets the incidents that nothing can join any more.
fn forget_incidents(key: &mut Key, view: &mut View, loaded: &LoadedRule, end: Second) {
    let over: Vec<Second> = view
        .spans
        .iter()
        .filter(|(_, last)| window::episode_end(*last, loaded.rule.quiet).0 < end)
        .map(|(first, _)| first)
        .collect();
    for first in over {
        view.spans.remove(first);
        key.settled_incidents.remove(&first);
    }
    let spans = &view.spans;
    key.published
        .retain(|_, last| spans.last_of(second_of(last.first_seen)).is_some());
}

/// Forgets the last clear pane once it ends no incident that can still be told of, and once those
/// that can still begin are not named by it.
fn forget_clear(key: &mut Key, view: &View, loaded: &LoadedRule, end: Second) {
    let is_named = |clear: &Second| window::slot_end(*clear, loaded.rule.quiet) > end;
    if view.spans.iter().next().is_none() {
        key.settled_clear = key.settled_clear.filter(is_named);
    }
}

fn forget_panes(key: &mut Key, view: &mut View, kept: Second) {
    if key
        .panes
        .first_key_value()
        .is_none_or(|(first, _)| *first >= kept)
    {
        return;
    }
    while let Some(entry) = key.panes.first_entry().filter(|entry| *entry.key() < kept) {
        let (second, pane) = entry.remove_entry();
        key.changed.insert(second);
        for (place, share) in pane.patterns.iter() {
            let groups = share.groups.values();
            for (combination, (_, latest)) in groups.flat_map(|group| &group.combinations) {
                let known = key
                    .seen_before
                    .entry((*place, *combination))
                    .or_insert(*latest);
                *known = (*latest).max(*known);
            }
        }
    }
    view.drop_before(kept);
    for settled in key.settled_incidents.values_mut() {
        settled.forget_before(kept);
    }
}

/// The second that the watermark must pass for all that is remembered of `key` to be forgotten;
/// `None`: there is nothing.
pub fn forgotten_after(key: &Key, view: &View, loaded: &LoadedRule) -> Option<Second> {
    let lateness = loaded.settings.lateness;
    let Reach {
        wait,
        reach,
        new_period,
    } = loaded.reach;
    let panes = key.panes.last_key_value();
    let panes = panes.map(|(second, _)| second + lateness + reach);
    let incidents = view
        .spans
        .iter()
        .last()
        .map(|(_, last)| window::episode_end(last, loaded.rule.quiet).0 + lateness + wait);
    let seen = key.seen_before.values().max();
    let seen = seen.map(|latest| second_of(*latest) + lateness + reach + new_period + 1);
    let late = key.late.last_key_value();
    let late = late.map(|(hour, _)| hour + lateness);
    let clear = key.settled_clear.map(|clear| {
        let end = window::slot_end(clear, loaded.rule.quiet);
        end + lateness + wait - 1
    });
    panes.max(incidents).max(seen).max(late).max(clear)
}
