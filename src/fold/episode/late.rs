//! Matches that came too late: they change no incident that was said, and what they make together
//! with others is said once, apart.

use std::collections::BTreeSet;

use crate::fold::condition::{self, Horizon, Sight};
use crate::fold::context::{Context, Moment};
use crate::fold::episode::{self, Start, say};
use crate::fold::key::Alive;
use crate::fold::key::derived::{Derived, NewAt};
use crate::fold::key::group::PatternAt;
use crate::fold::key::pane::{GroupPane, Pane};
use crate::fold::key::stored::{Facts, Seen, Stored};
use crate::fold::window::Timeline;
use crate::incident::{CloseReason, Incident, Status};
use crate::plan::LoadedRule;
use crate::record::Hash;
use crate::time::Second;

/// An hour, in seconds.
const HOUR: Second = 3_600;

/// Under what late matches that come at `watermark` are kept.
pub fn hour(watermark: Second) -> Second {
    watermark.div_euclid(HOUR) * HOUR
}

/// The incidents that the late matches of a message at `seconds` make, with those that came late
/// before and with what else is known, and that would not be without late matches.
pub fn news(
    stored: &Stored,
    seconds: &Timeline<()>,
    context: Context<'_>,
    moment: Moment,
) -> Vec<Incident> {
    let loaded = &**context.rule;
    let Some(before) = moment.before else {
        return Vec::new();
    };
    let horizon = Horizon {
        watermark: moment.after,
        since: context.since,
    };
    let values = &stored.head.values;
    let mut others = Alive::of_panes(values, stored.panes.clone());
    others.stored.seen = stored.seen.clone();
    let alone = complete(&mut others, loaded, horizon);
    let alone: BTreeSet<Hash> = alone.iter().map(|found| found.id).collect();
    let mut together = together(stored, loaded, before);
    let all = complete(&mut together, loaded, horizon);
    let window = loaded.rule.window;
    let holds_late = |facts: &Facts| {
        let within = facts.first - window + 1..=facts.last;
        seconds.range(within).next().is_some()
    };
    all.into_iter()
        .filter(|found| !alone.contains(&found.id) && holds_late(&found.facts))
        .filter(|found| {
            let incident = episode::describe(found.id, loaded, &found.facts, context.topics);
            !say::excepted(loaded, &incident)
        })
        .flat_map(|found| {
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
            [opened, closed]
        })
        .collect()
}

/// All that is known of a key, as if nothing of it had come late.
fn together(stored: &Stored, loaded: &LoadedRule, before: Second) -> Alive {
    let mut late: Timeline<Pane> = Timeline::default();
    for (second, pane) in stored.late.iter().flat_map(|(_, panes)| panes.iter()) {
        if let Some(known) = late.get_or_insert_with(second, Pane::default) {
            known.merge(pane, loaded);
        }
    }
    let patterns = loaded.rule.patterns.iter();
    let asks_for_new = patterns.clone().any(|pattern| pattern.new.is_some());
    let known_new = asks_for_new.then(|| known_new(stored, &late, loaded, before));
    let mut panes = stored.panes.clone();
    for (second, pane) in late.iter() {
        if let Some(known) = panes.get_or_insert_with(second, Pane::default) {
            known.merge(pane, loaded);
        }
    }
    let mut derived = Derived::new(&panes, loaded);
    derived.known_new = known_new;
    let mut together = Alive::of_panes(&stored.head.values, panes);
    together.derived = Some(derived);
    together
}

/// Where values are new. What was new among the matches on time stays so; of a late one, its
/// values are if none came late with them in the period before it, and none on time since.
fn known_new(
    stored: &Stored,
    late: &Timeline<Pane>,
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
fn new_at(
    panes: &Timeline<Pane>,
    place: usize,
    test: impl Fn(Second, &GroupPane) -> bool,
) -> Vec<NewAt> {
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
    let Alive {
        stored,
        derived: Some(derived),
    } = key
    else {
        return Vec::new();
    };
    let sight = Sight {
        stored,
        derived,
        loaded,
        watermark: horizon.watermark,
    };
    let spans = derived.spans.iter();
    spans
        .map(|(first, last)| {
            let (_, at_last) = episode::over_after(last, loaded);
            Complete {
                id: episode::id_of(sight, first),
                facts: episode::tally(sight, first, last).facts,
                over: episode::over(sight, last).unwrap_or(at_last),
            }
        })
        .collect()
}
