//! Matches that came too late: they change no incident that was said, and what they make together
//! with others is said once, apart.

use std::collections::{BTreeMap, BTreeSet};

use crate::fold::condition::{self, Horizon};
use crate::fold::context::{Context, Moment};
use crate::fold::episode;
use crate::fold::episode::publish;
use crate::fold::episode::tally::Ground;
use crate::fold::key::view::View;
use crate::fold::key::{Group, GroupPane, Key, KeyId, Pane};
use crate::incident::{Incident, Status};
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
/// before and with what else is known, and that would not be without late matches. `before`: the
/// watermark before the message.
pub fn news(
    key: &Key,
    seconds: &BTreeSet<Second>,
    context: Context<'_>,
    moment: Moment,
) -> Vec<Incident> {
    let Context {
        id,
        rule: loaded,
        since,
        topics,
        ..
    } = context;
    let Some(before) = moment.before else {
        return Vec::new();
    };
    let horizon = Horizon {
        watermark: moment.after,
        since,
    };
    let others = Key {
        values: key.values.clone(),
        panes: key.panes.clone(),
        seen_before: key.seen_before.clone(),
        ..Key::default()
    };
    let together = together(key, loaded, before);
    let alone = incidents(id, others, loaded, horizon, (false, topics));
    let alone: BTreeSet<Hash> = alone.iter().map(|incident| incident.incident_id).collect();
    let window_ms = loaded.rule.window * 1000;
    let holds_late = |incident: &Incident| {
        let after = incident.first_seen - window_ms;
        let mut seconds = seconds.iter().map(|second| second * 1000);
        seconds.any(|second| after < second && second <= incident.last_seen)
    };
    let plain = incidents(id, together.clone(), loaded, horizon, (false, topics));
    let late = incidents(id, together, loaded, horizon, (true, topics));
    plain
        .iter()
        .zip(late)
        .filter(|(plain, _)| !alone.contains(&plain.incident_id) && holds_late(plain))
        .filter(|(plain, _)| !publish::excepted(loaded, plain))
        .flat_map(|(_, mut late)| {
            late.fit(loaded.incident_bytes());
            let opened = Incident {
                status: Status::Open,
                revision: 2 * moment.offset,
                close_reason: None,
                ..late.clone()
            };
            let closed = Incident {
                revision: 2 * moment.offset + 1,
                ..late
            };
            [opened, closed]
        })
        .collect()
}

/// All that is known of a key, as if nothing of it had come late.
fn together(key: &Key, loaded: &LoadedRule, before: Second) -> Key {
    let mut late: BTreeMap<Second, Pane> = BTreeMap::new();
    for (second, pane) in key.late.values().flatten() {
        late.entry(*second).or_default().merge(pane, loaded);
    }
    let asks_for_new = loaded
        .rule
        .patterns
        .iter()
        .any(|pattern| pattern.new.is_some());
    let known_new = asks_for_new.then(|| known_new(key, &late, loaded, before));
    let mut panes = key.panes.clone();
    for (second, pane) in &late {
        panes.entry(*second).or_default().merge(pane, loaded);
    }
    let mut view = View::new(&panes, loaded);
    view.known_new = known_new;
    Key {
        values: key.values.clone(),
        panes,
        view: Some(view),
        ..Key::default()
    }
}

/// Where values are new. What was new among the matches on time stays so; of a late one, its
/// values are if none came late with them in the period before it, and none on time since.
fn known_new(
    key: &Key,
    late: &BTreeMap<Second, Pane>,
    loaded: &LoadedRule,
    before: Second,
) -> BTreeSet<(usize, Group, Second)> {
    let on_time = View::new(&key.panes, loaded);
    let nothing = Key::default();
    let apart = View::new(late, loaded);
    let mut known = BTreeSet::new();
    for (place, pattern) in loaded.rule.patterns.iter().enumerate() {
        let (Some(new), Some(on_time), Some(apart)) = (
            &pattern.new,
            on_time.patterns.get(place),
            apart.patterns.get(place),
        ) else {
            continue;
        };
        let mut each = |panes: &BTreeMap<Second, Pane>,
                        test: &dyn Fn(Second, &GroupPane) -> bool| {
            for (second, pane) in panes {
                let share = pane.patterns.get(&(place as u32));
                let groups = share.into_iter().flat_map(|share| share.groups.iter());
                let new = groups.filter(|(_, found)| test(*second, found));
                known.extend(new.map(|(group, _)| (place, group.clone(), *second)));
            }
        };
        each(&key.panes, &|second, found| {
            on_time.is_new(key, (place, pattern), second, &found.combinations)
        });
        let kept = (before - loaded.settings.lateness - new.period) * 1000;
        each(late, &|second, found| {
            let mut combinations = found.combinations.iter();
            combinations.any(|(combination, times)| {
                let one = BTreeMap::from([(*combination, *times)]);
                let since = kept.max(times.0 - new.period * 1000);
                let seen = on_time.last_seen(key, place, *combination);
                seen.is_none_or(|seen| seen < since)
                    && apart.is_new(&nothing, (place, pattern), second, &one)
            })
        });
    }
    known
}

/// All incidents of `key`, in order, with why they are over; [`Incident::fit`] is to follow.
pub fn incidents(
    id: KeyId,
    mut key: Key,
    loaded: &LoadedRule,
    horizon: Horizon,
    (late, topics): (bool, &[String]),
) -> Vec<Incident> {
    condition::update(&mut key, loaded, horizon);
    let Some(view) = key.view.take() else {
        return Vec::new();
    };
    let describe = |span: (Second, Second)| {
        let ground = Ground {
            key: &key,
            view: &view,
            loaded,
            watermark: horizon.watermark,
        };
        let tally = episode::tally(ground, span);
        let incident = episode::describe(id, &key, loaded, tally, (late, topics));
        let (_, at_last) = episode::over_after(span.1, loaded);
        let over = episode::over(ground, span.1).unwrap_or(at_last);
        Incident {
            status: Status::Closed,
            close_reason: Some(over),
            ..incident
        }
    };
    view.spans.iter().map(describe).collect()
}
