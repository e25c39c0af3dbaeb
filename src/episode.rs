//! Triggers to incidents: which belong together, and what follows from them.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use crate::aggregate::Fold;
use crate::condition;
use crate::incident::{AttributeValue, CloseReason, Evidence, Incident, Status};
use crate::key::{Key, KeyId, Mark, Pane};
use crate::plan::LoadedRule;
use crate::record::Hash;
use crate::rule::{self, IncidentValue, Rule};
use crate::shuffle::hash_values;
use crate::time::{DAY, Second, day_start};
use crate::window;

/// Triggers that form one incident: the second of the last pane of each, ascending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Episode {
    first: Second,
    later: Vec<Second>,
}

impl Episode {
    /// The first trigger.
    pub fn first(&self) -> Second {
        self.first
    }

    /// The last trigger.
    pub fn last(&self) -> Second {
        self.later.last().copied().unwrap_or(self.first)
    }

    /// All triggers, ascending.
    pub fn triggers(&self) -> impl Iterator<Item = Second> + '_ {
        std::iter::once(self.first).chain(self.later.iter().copied())
    }

    /// Whether a trigger lies between `first` and `last`.
    pub fn triggers_within(&self, first: Second, last: Second) -> bool {
        self.triggers().any(|t| (first..=last).contains(&t))
    }
}

/// The UTC days in which `key` has triggers.
pub fn days(key: &Key) -> BTreeSet<Second> {
    key.triggers.keys().map(|t| day_start(*t)).collect()
}

/// The incidents of one UTC day, in order.
pub fn of_day(key: &Key, day: Second, quiet: Second) -> Vec<Episode> {
    let mut episodes: Vec<Episode> = Vec::new();
    for (t, _) in key.triggers.range(day..day + DAY) {
        match episodes.last_mut() {
            Some(open) if window::same_episode(open.last(), *t, quiet) => open.later.push(*t),
            Some(_) | None => episodes.push(Episode {
                first: *t,
                later: Vec::new(),
            }),
        }
    }
    episodes
}

/// The second that the watermark must pass before an episode is over, and why it then is.
pub fn over_after(last: Second, loaded: &LoadedRule) -> (Second, CloseReason) {
    let (end, midnight) = window::episode_end(last, loaded.rule.quiet);
    let reason = if midnight {
        CloseReason::EndOfDay
    } else {
        CloseReason::Quiet
    };
    (condition::decided_after(loaded, end), reason)
}

/// The name of the incident of `key` that begins at `first`: the same while late events move its
/// start only within a span as long as `quiet`.
pub fn incident_id(rule: Hash, values: &[Option<String>], first: Second, quiet: Second) -> Hash {
    let day = day_start(first);
    let clear: Second = 0;
    let mut hasher = blake3::Hasher::new();
    hasher.update(&rule.0);
    hasher.update(&day.to_be_bytes());
    hasher.update(&((first - day) / quiet).to_be_bytes());
    hasher.update(&clear.to_be_bytes());
    hash_values(&mut hasher, values);
    Hash::finish(&hasher)
}

/// All that follows from the episode: an OPEN incident of revision 0.
pub fn describe(
    id: KeyId,
    key: &Key,
    loaded: &LoadedRule,
    episode: &Episode,
    topics: &[String],
) -> Incident {
    let rule = &loaded.rule;
    let windows = window::union(episode.triggers(), rule.window);
    let numbers: BTreeSet<Second> = episode
        .triggers()
        .map(|t| window::number(episode.first, t, rule.window))
        .collect();
    let attributes = attributes(key, loaded, episode.last());
    let shown = |name: &str| {
        let (_, value) = attributes.iter().find(|(known, _)| known == name)?;
        Some(value.to_string())
    };
    Incident {
        incident_id: incident_id(id.rule, &key.values, episode.first, rule.quiet),
        revision: 0,
        status: Status::Open,
        rule_id: rule.id.clone(),
        rule_name: rule.name.clone(),
        rule_fingerprint: id.rule,
        severity: rule.severity,
        category: rule.category.name().to_owned(),
        subcategory: rule.subcategory.clone(),
        impacts: rule.impacts.clone(),
        tactics: rule.tactics.clone(),
        techniques: rule.techniques.clone(),
        title: rule::title::title(&rule.title, &shown),
        window_ms: rule.window * 1000,
        first_seen: episode.first * 1000,
        last_seen: episode.last() * 1000,
        event_count: panes(key, &windows).map(|pane| pane.events).sum(),
        trigger_count: numbers.len() as u64,
        evidence: evidence(key, loaded, &windows, topics),
        attributes,
        late: false,
        close_reason: None,
        replaced_by: None,
        replaces: Vec::new(),
    }
}

fn panes<'k>(
    key: &'k Key,
    windows: &'k [RangeInclusive<Second>],
) -> impl Iterator<Item = &'k Pane> {
    windows
        .iter()
        .flat_map(|window| key.panes.range(window.clone()).map(|(_, pane)| pane))
}

fn attributes(key: &Key, loaded: &LoadedRule, last: Second) -> Vec<(String, AttributeValue)> {
    let rule = &loaded.rule;
    let value = |from: &IncidentValue| match from {
        IncidentValue::GroupBy(pattern, place) => group_value(key, rule, *pattern, *place),
        IncidentValue::Aggregate(pattern, place) => {
            let folds = condition::over_window(key, loaded, (*pattern as u32, &Vec::new()), last);
            folds
                .and_then(|folds| folds.get(*place).and_then(Fold::value))
                .map_or(AttributeValue::Null, AttributeValue::Number)
        }
    };
    rule.attributes
        .iter()
        .map(|(name, from)| (name.clone(), value(from)))
        .collect()
}

fn group_value(key: &Key, rule: &Rule, pattern: usize, place: usize) -> AttributeValue {
    rule.join_key
        .iter()
        .position(|part| part.places.get(pattern) == Some(&place))
        .and_then(|part| key.values.get(part).cloned().flatten())
        .map_or(AttributeValue::Null, AttributeValue::Text)
}

fn evidence(
    key: &Key,
    loaded: &LoadedRule,
    windows: &[RangeInclusive<Second>],
    topics: &[String],
) -> Vec<Evidence> {
    let most = loaded.settings.limits.evidence as usize;
    let mut all = Vec::new();
    for (place, pattern) in (0_u32..).zip(&loaded.rule.patterns) {
        let mut marks: Vec<&Mark> = panes(key, windows)
            .filter_map(|pane| pane.patterns.get(&place))
            .flat_map(|share| &share.marks)
            .collect();
        marks.sort();
        all.extend(
            marks
                .into_iter()
                .take(most)
                .map(|mark| shown(mark, &pattern.name, topics)),
        );
    }
    all
}

fn shown(mark: &Mark, pattern: &str, topics: &[String]) -> Evidence {
    Evidence {
        pattern: pattern.to_owned(),
        topic: topics.get(mark.topic as usize).cloned().unwrap_or_default(),
        partition: mark.partition as i32,
        offset: mark.position.offset,
        index: mark.position.index,
        time: mark.time,
        event_type: mark.event_type.clone(),
        correlation_id: mark.correlation_id.clone(),
        resource_id: mark.resource_id.clone(),
        record_hash: mark.hash,
    }
}
