//! Matches that came too late: they change no incident that was said, and what they make together
//! with others is said once, apart.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use crate::fold::condition::{self, Horizon, Sight};
use crate::fold::context::{Context, Moment};
use crate::fold::episode::say::{self, Sayings};
use crate::fold::episode::{self, Start};
use crate::fold::key::Alive;
use crate::fold::key::derived::{Derived, NewAt};
use crate::fold::key::group::PatternAt;
use crate::fold::key::pane::{GroupPane, Panes};
use crate::fold::key::stored::{Facts, Seen, Stored};
use crate::fold::window::{self, Seconds, Timeline};
use crate::incident::{CloseReason, Incident, Status};
use crate::plan::LoadedRule;
use crate::record::Hash;
use crate::rule::reach::Reach;
use crate::time::{Second, day_start};

/// An hour, in seconds.
const HOUR: Second = 3_600;

/// Under what late matches that come at `watermark` are kept.
pub fn hour(watermark: Second) -> Second {
    watermark.div_euclid(HOUR) * HOUR
}

/// The incidents that the late matches of a message at `seconds` make, with those that came late
/// before and with what else is known, and that would not be without late matches.
pub fn news(stored: &Stored, seconds: &Seconds, context: Context<'_>, moment: Moment) -> Sayings {
    let loaded = &**context.rule;
    let Some(before) = moment.before.filter(|_| !moment.silent) else {
        return Sayings::new();
    };
    let horizon = Horizon {
        watermark: moment.after,
        since: context.since,
    };
    let patterns = &loaded.rule.patterns;
    let asks_for_new = patterns.iter().any(|pattern| pattern.new.is_some());
    let found = match asks_for_new || loaded.rule.clear.is_some() {
        true => everywhere(stored, seconds, loaded, before, horizon),
        false => around(stored, seconds, loaded, horizon),
    };
    let is_excepted = |found: &Complete| {
        let incident = episode::describe(found.id, loaded, &found.facts, context.topics);
        say::excepted(loaded, &incident)
    };
    let found = found.iter().filter(|found| !is_excepted(found));
    found
        .flat_map(|found| told(&stored.head.values, found, context, moment))
        .collect()
}

/// Says of an incident that it was and is over.
fn told(
    values: &[Option<String>],
    found: &Complete,
    context: Context<'_>,
    moment: Moment,
) -> [Box<Incident>; 2] {
    let loaded = &**context.rule;
    let start = Start {
        first: found.facts.first,
        clear: found.facts.clear,
        late: true,
    };
    let id = episode::incident_id(loaded.fingerprint, values, start, loaded.rule.quiet);
    let mut late = episode::describe(id, loaded, &found.facts, context.topics);
    late.late = true;
    late.fit(loaded.incident_bytes());
    let opened = Incident {
        revision: 2 * moment.offset,
        ..late.clone()
    };
    let closed = Incident {
        revision: 2 * moment.offset + 1,
        status: Status::Closed,
        close_reason: Some(found.over),
        ..late
    };
    [opened, closed].map(Box::new)
}

/// Whether an incident of these facts holds one of some seconds.
fn holds(facts: &Facts, loaded: &LoadedRule, seconds: &Seconds) -> bool {
    let within = facts.first - loaded.rule.window + 1..=facts.last;
    seconds.any_in(within)
}

/// What is new, found by a look at all that is known. What is seen for the first time, and what
/// ends an incident, may depend on what is far away.
fn everywhere(
    stored: &Stored,
    seconds: &Seconds,
    loaded: &LoadedRule,
    before: Second,
    horizon: Horizon,
) -> Vec<Complete> {
    let mut others = Alive::of_panes(&stored.head.values, stored.panes.clone());
    others.stored.seen = stored.seen.clone();
    let alone = complete(&mut others, loaded, horizon);
    let alone: BTreeSet<Hash> = alone.iter().map(|found| found.id).collect();
    let mut together = together(stored, loaded, before);
    let mut all = complete(&mut together, loaded, horizon);
    all.retain(|found| !alone.contains(&found.id) && holds(&found.facts, loaded, seconds));
    all
}

/// The same, found by a look at what lies around the seconds: it costs what they and the incidents
/// that hold them come to, however much else there is.
fn around(
    stored: &Stored,
    seconds: &Seconds,
    loaded: &LoadedRule,
    horizon: Horizon,
) -> Vec<Complete> {
    let mut all: Vec<Complete> = Vec::new();
    let seconds: Vec<Second> = seconds.iter().collect();
    // What one incident can hold together is looked at together.
    for near in seconds.chunk_by(|one, next| next - one <= loaded.rule.window) {
        let (Some(first), Some(last)) = (near.first(), near.last()) else {
            continue;
        };
        let region = *first..=*last;
        let newest = all.last().map(|found| &found.facts);
        if newest.is_some_and(|newest| is_alone_at(newest, &region, loaded)) {
            continue;
        }
        let newest = newest.map_or(Second::MIN, |newest| newest.first);
        let near = Seconds::from_iter(near.iter().copied());
        let found = holding(stored, &near, region, loaded, horizon);
        all.extend(found.into_iter().filter(|found| found.facts.first > newest));
    }
    all.retain(|found| !begins_alone(stored, found.facts.first, loaded, horizon));
    all.sort_by_key(|found| found.facts.first);
    all
}

/// The seconds at which a trigger would belong to an incident of these facts, or to none beside it.
fn surroundings(facts: &Facts, quiet: Second) -> RangeInclusive<Second> {
    let (end, _) = window::episode_end(facts.last, quiet);
    day_start(facts.first).max(facts.first - quiet)..=end - 1
}

/// Whether no other incident than one of these facts can hold a second of a region.
fn is_alone_at(facts: &Facts, region: &RangeInclusive<Second>, loaded: &LoadedRule) -> bool {
    let around = surroundings(facts, loaded.rule.quiet);
    around.contains(region.start()) && around.contains(&(region.end() + loaded.rule.window - 1))
}

/// The incidents that hold one of some seconds, which lie in a region, of all that is known.
fn holding(
    stored: &Stored,
    seconds: &Seconds,
    within: RangeInclusive<Second>,
    loaded: &LoadedRule,
    horizon: Horizon,
) -> Vec<Complete> {
    let quiet = loaded.rule.quiet;
    let mut margin = quiet.max(loaded.rule.window) + 1;
    loop {
        let region = within.start() - margin..=within.end() + margin;
        let mut key = Alive::of_panes(
            &stored.head.values,
            known_within(stored, needed(&region, loaded), loaded),
        );
        condition::update(&mut key, loaded, horizon);
        let all = found_within(&key, &region, loaded, horizon);
        let holding = all.into_iter().filter(|f| holds(&f.facts, loaded, seconds));
        let holding: Vec<Complete> = holding.collect();
        let is_whole = |facts: &Facts| {
            let around = surroundings(facts, quiet);
            region.start() < around.start() && around.end() + 1 < *region.end()
        };
        if holding.iter().all(|found| is_whole(&found.facts)) {
            return holding;
        }
        margin *= 2;
    }
}

/// Whether what came on time makes an incident by itself that has the name of one that begins at
/// `first`.
fn begins_alone(stored: &Stored, first: Second, loaded: &LoadedRule, horizon: Horizon) -> bool {
    let quiet = loaded.rule.quiet;
    let slot = window::slot_start(first, quiet)..=window::slot_end(first, quiet) - 1;
    let region = slot.start() - quiet - 1..=*slot.end();
    let panes = stored.panes.range(needed(&region, loaded));
    let panes: Panes = panes.map(|(second, pane)| (second, pane.clone())).collect();
    if panes.is_empty() {
        return false;
    }
    let mut key = Alive::of_panes(&stored.head.values, panes);
    condition::update(&mut key, loaded, horizon);
    let all = found_within(&key, &region, loaded, horizon);
    all.iter().any(|found| slot.contains(&found.facts.first))
}

/// The panes on which triggers in a region depend.
fn needed(region: &RangeInclusive<Second>, loaded: &LoadedRule) -> RangeInclusive<Second> {
    let Reach { wait, reach, .. } = loaded.reach;
    region.start() - reach..=region.end() + wait
}

/// What is known of some seconds, late or not.
fn known_within(stored: &Stored, seconds: RangeInclusive<Second>, loaded: &LoadedRule) -> Panes {
    let panes = stored.panes.range(seconds.clone());
    let mut known: Panes = panes.map(|(second, pane)| (second, pane.clone())).collect();
    let late = stored.late.iter();
    for (second, pane) in late.flat_map(|(_, panes)| panes.range(seconds.clone())) {
        if let Some(known) = known.get_or_insert_with(second, Box::default) {
            known.merge(pane, loaded);
        }
    }
    known
}

/// The incidents that the triggers in a region make.
fn found_within(
    key: &Alive,
    region: &RangeInclusive<Second>,
    loaded: &LoadedRule,
    horizon: Horizon,
) -> Vec<Complete> {
    let Some(sight) = Sight::of(key, loaded, horizon.watermark) else {
        return Vec::new();
    };
    let triggers: Vec<Second> = sight
        .derived
        .triggers
        .range(region.clone())
        .map(|(t, _)| t)
        .collect();
    let quiet = loaded.rule.quiet;
    triggers
        .chunk_by(|last, next| window::same_episode(*last, *next, quiet))
        .filter_map(|run| Some(found_at(sight, *run.first()?, *run.last()?)))
        .collect()
}

/// All that is known of a key, as if nothing of it had come late.
fn together(stored: &Stored, loaded: &LoadedRule, before: Second) -> Alive {
    let mut late: Panes = Timeline::default();
    for (second, pane) in stored.late.iter().flat_map(|(_, panes)| panes.iter()) {
        if let Some(known) = late.get_or_insert_with(second, Box::default) {
            known.merge(pane, loaded);
        }
    }
    let patterns = loaded.rule.patterns.iter();
    let asks_for_new = patterns.clone().any(|pattern| pattern.new.is_some());
    let known_new = asks_for_new.then(|| known_new(stored, &late, loaded, before));
    let mut panes = stored.panes.clone();
    for (second, pane) in late.iter() {
        if let Some(known) = panes.get_or_insert_with(second, Box::default) {
            known.merge(pane, loaded);
        }
    }
    let mut derived = Derived::new(&panes, loaded);
    derived.known_new = known_new;
    let mut together = Alive::of_panes(&stored.head.values, panes);
    together.derived = Some(Box::new(derived));
    together
}

/// Where values are new. What was new among the matches on time stays so; of a late one, its
/// values are if none came late with them in the period before it, and none on time since.
fn known_new(
    stored: &Stored,
    late: &Panes,
    loaded: &LoadedRule,
    before: Second,
) -> BTreeSet<NewAt> {
    let on_time = Derived::new(&stored.panes, loaded);
    let nothing = Seen::default();
    let apart = Derived::new(late, loaded);
    let mut known = BTreeSet::new();
    for (place, pattern) in loaded.rule.patterns.iter().enumerate() {
        let (Some(at), Some(new), Some(on_time), Some(apart)) = (
            PatternAt::of(loaded, place),
            &pattern.new,
            on_time.patterns.get(place),
            apart.patterns.get(place),
        ) else {
            continue;
        };
        known.extend(new_at(&stored.panes, place, |second, found| {
            on_time.is_new(&stored.seen, at, second, found)
        }));
        let kept = (before - loaded.settings.lateness - new.period) * 1000;
        known.extend(new_at(late, place, |second, found| {
            let mut combinations = found.combinations.iter();
            combinations.any(|(combination, instants)| {
                let one = GroupPane {
                    combinations: std::iter::once((*combination, *instants)).collect(),
                    ..found.clone()
                };
                let since = kept.max(instants.earliest - new.period * 1000);
                let seen = on_time.last_seen(&stored.seen, place, *combination);
                seen.is_none_or(|seen| seen < since) && apart.is_new(&nothing, at, second, &one)
            })
        }));
    }
    known
}

/// Where the groups of a pattern in these panes pass `test`.
fn new_at(panes: &Panes, place: usize, test: impl Fn(Second, &GroupPane) -> bool) -> Vec<NewAt> {
    let mut all = Vec::new();
    for (second, pane) in panes.iter() {
        let share = pane.patterns.get(&(place as u32));
        let groups = share.into_iter().flat_map(|share| share.groups.iter());
        let new = groups.filter(|(_, found)| test(second, found));
        all.extend(new.map(|(group, _)| NewAt {
            pattern: place,
            group: group.clone(),
            second,
        }));
    }
    all
}

/// An incident of a key all of whose matches are known.
pub struct Complete {
    /// Its name.
    pub id: Hash,
    /// What it came to.
    pub facts: Facts,
    /// Why it is over.
    pub over: CloseReason,
}

/// All incidents of a key, in order.
pub fn complete(key: &mut Alive, loaded: &LoadedRule, horizon: Horizon) -> Vec<Complete> {
    condition::update(key, loaded, horizon);
    let Some(sight) = Sight::of(key, loaded, horizon.watermark) else {
        return Vec::new();
    };
    let spans = sight.derived.spans.iter();
    spans
        .map(|(first, last)| found_at(sight, first, last))
        .collect()
}

/// The incident whose first and last triggers these are.
fn found_at(sight: Sight<'_>, first: Second, last: Second) -> Complete {
    let (_, at_last) = episode::over_after(last, sight.loaded);
    Complete {
        id: episode::id_of(sight, first),
        facts: episode::tally(sight, first, last).facts,
        over: episode::over(sight, last).unwrap_or(at_last),
    }
}
