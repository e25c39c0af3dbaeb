//! What an incident has come to, trigger by trigger.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use crate::fold::aggregate::Shown;
use crate::fold::condition::{self, Clears};
use crate::fold::key::view::View;
use crate::fold::key::{Group, Key, Mark, Trigger};
use crate::fold::window::{self, Ranges};
use crate::incident::AttributeValue;
use crate::plan::LoadedRule;
use crate::rule::{IncidentValue, Rule};
use crate::time::Second;

/// Triggers of one incident, from its first on, and what follows from them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    /// The last pane of the first trigger.
    pub first: Second,
    /// The last pane of the last trigger.
    pub last: Second,
    /// The last clear pane before `first` that its id names; 0: none.
    pub clear: Second,
    /// Windows that triggered.
    pub windows: u64,
    /// Number of the last of them.
    last_window: Second,
    /// Distinct events.
    pub events: u64,
    /// Panes whose events are counted.
    counted: Ranges,
    /// By pattern: the first events.
    pub evidence: Vec<Vec<Mark>>,
    /// By pattern: the least group that held at the first trigger.
    groups: Vec<Option<Group>>,
    /// By incident attribute: its value, for aggregates at the last trigger; none where a later
    /// trigger follows for certain.
    pub values: Vec<AttributeValue>,
}

/// What a key's incidents are found in.
#[derive(Clone, Copy)]
pub struct Ground<'a> {
    /// The key, without its view.
    pub key: &'a Key,
    /// Its view.
    pub view: &'a View,
    /// Its rule.
    pub loaded: &'a LoadedRule,
    /// The watermark, which says what is certain.
    pub watermark: Option<Second>,
}

impl<'a> Ground<'a> {
    /// Where the rule's clear pattern ends incidents.
    pub fn clears(&self) -> Clears<'a> {
        Clears::new(self.key, &self.view.patterns, self.loaded, self.watermark)
    }
}

impl Tally {
    /// The tally of one trigger whose last pane is `t`, without values. `clear`: see there.
    pub fn begin(ground: Ground<'_>, t: Second, clear: Second) -> Tally {
        let rule = &ground.loaded.rule;
        let first = ground
            .view
            .triggers
            .get(&t)
            .map_or(t, |trigger| trigger.first);
        let patterns = rule.patterns.iter().enumerate();
        let groups = patterns
            .map(|(place, pattern)| match pattern.group_by.len() {
                parts if parts == rule.join_key.len() => Some(Group::new()),
                _ => least_group(ground, place, first..=t),
            })
            .collect();
        let mut tally = Tally {
            first: t,
            last: t,
            clear,
            windows: 0,
            last_window: -1,
            events: 0,
            counted: Ranges::default(),
            evidence: vec![Vec::new(); rule.patterns.len()],
            groups,
            values: Vec::new(),
        };
        tally.extend(ground, t);
        tally
    }

    /// Adds the view's triggers after the last one, through `last`; without their values.
    pub fn extend(&mut self, ground: Ground<'_>, last: Second) {
        let rule = &ground.loaded.rule;
        let triggers = &ground.view.triggers;
        let from = if self.windows == 0 {
            self.first
        } else {
            self.last + 1
        };
        if from > last {
            return;
        }
        let Some(trigger) = triggers.range(from..=last).next_back().map(|(t, _)| *t) else {
            return;
        };
        let windows = windows(rule, triggers, from..=last, self.windows > 0);
        let fresh = windows.without(&self.counted);
        let counted = (self.windows, self.last_window);
        (self.windows, self.last_window) =
            count_windows(self.first, counted, triggers, from..=last, rule.window);
        for range in fresh.iter() {
            self.events += ground.view.events(&ground.key.panes, range);
        }
        self.add_evidence(ground, &fresh);
        self.counted = self.counted.with(&windows);
        self.last = trigger;
    }

    /// Takes the values of the incident's attributes as they are at the last trigger, which the
    /// view still has.
    pub fn take_values(&mut self, ground: Ground<'_>) {
        let trigger = ground.view.triggers.get(&self.last).copied();
        self.values = trigger.map_or_else(Vec::new, |trigger| self.values(ground, trigger));
    }

    /// Forgets which panes before `first` are counted: no window reaches them any more.
    pub fn forget_before(&mut self, first: Second) {
        self.counted = self.counted.from(first);
    }

    fn add_evidence(&mut self, ground: Ground<'_>, fresh: &Ranges) {
        let most = ground.loaded.settings.limits.evidence as usize;
        let patterns = ground.view.patterns.iter();
        for ((place, view), marks) in patterns.enumerate().zip(&mut self.evidence) {
            if !ground.loaded.rule.is_positive(place) {
                continue;
            }
            let mut found = Vec::new();
            for second in fresh.iter().flat_map(|range| view.seconds.range(range)) {
                if found.len() >= most {
                    break;
                }
                let pane = ground.key.panes.get(second);
                let share = pane.and_then(|pane| pane.patterns.get(&(place as u32)));
                found.extend(
                    share
                        .into_iter()
                        .flat_map(|share| share.marks.iter().cloned()),
                );
            }
            marks.append(&mut found);
            marks.sort();
            marks.truncate(most);
        }
    }

    /// The values of the incident's attributes; aggregates over the window of `trigger`, the last.
    fn values(&self, ground: Ground<'_>, trigger: Trigger) -> Vec<AttributeValue> {
        let rule = &ground.loaded.rule;
        let value = |from: &IncidentValue| match from {
            IncidentValue::GroupBy(pattern, place) => self.group_value(ground, *pattern, *place),
            IncidentValue::Aggregate(pattern, aggregate) => {
                let group = self.groups.get(*pattern)?.as_ref()?;
                let start = *window::ending_at(trigger.first, rule.window).start();
                let view = ground.view.patterns.get(*pattern)?;
                let fold = view.fold_over(
                    ground.key,
                    ground.loaded,
                    (*pattern, group),
                    *aggregate,
                    start..=self.last,
                );
                match fold?.shown() {
                    Shown::Null => None,
                    Shown::Number(number) => Some(AttributeValue::Number(number)),
                    Shown::Text(text) => Some(AttributeValue::Text(text)),
                }
            }
        };
        let attributes = rule.attributes.iter();
        attributes
            .map(|(_, from)| value(from).unwrap_or(AttributeValue::Null))
            .collect()
    }

    fn group_value(
        &self,
        ground: Ground<'_>,
        pattern: usize,
        place: usize,
    ) -> Option<AttributeValue> {
        let in_key = |place: usize| ground.loaded.rule.key_part(pattern, place);
        let value = match in_key(place) {
            Some(part) => ground.key.values.get(part)?,
            None => {
                let beyond = (0..place).filter(|place| in_key(*place).is_none()).count();
                self.groups.get(pattern)?.as_ref()?.get(beyond)?
            }
        };
        value.clone().map(AttributeValue::Text)
    }
}

/// How many windows triggered of the incident whose triggers go from `first` through `last`.
pub fn windows_of(ground: Ground<'_>, (first, last): (Second, Second)) -> u64 {
    let settled = ground.key.settled_incidents.get(&first);
    let (from, counted) = settled.map_or((first, (0, -1)), |settled| {
        (settled.last + 1, (settled.windows, settled.last_window))
    });
    let (triggers, width) = (&ground.view.triggers, ground.loaded.rule.window);
    count_windows(first, counted, triggers, from..=last, width).0
}

/// Adds the windows of the triggers in `range` to the number of those before, with the number that
/// the last of them has. `first`: where the first window begins.
fn count_windows(
    first: Second,
    (mut windows, mut last_window): (u64, Second),
    triggers: &BTreeMap<Second, Trigger>,
    range: RangeInclusive<Second>,
    width: Second,
) -> (u64, Second) {
    let (mut from, last) = range.into_inner();
    while let Some((t, _)) = (from <= last)
        .then(|| triggers.range(from..=last).next())
        .flatten()
    {
        let number = window::number(first, *t, width);
        if number > last_window {
            windows += 1;
            last_window = number;
        }
        from = first + (number + 1) * width;
    }
    (windows, last_window)
}

/// The panes in the windows of the triggers in `range`; `continues`: an earlier trigger of the
/// same incident is counted already.
fn windows(
    rule: &Rule,
    triggers: &BTreeMap<Second, Trigger>,
    range: RangeInclusive<Second>,
    continues: bool,
) -> Ranges {
    let of = |(t, trigger): (&Second, &Trigger)| {
        *window::ending_at(trigger.first, rule.window).start()..=*t
    };
    let single = rule.patterns.len() == 1;
    if single && rule.quiet <= rule.window {
        // No two windows leave a gap between them, and none begins before the first.
        let mut within = triggers.range(range);
        let first = within.next().map(of);
        let last = within.next_back().map(of).or(first.clone());
        let (Some(first), Some(last)) = (first, last) else {
            return Ranges::default();
        };
        debug_assert!(continues || first.start() <= last.start());
        return Ranges::union([*first.start()..=*last.end()]);
    }
    Ranges::union(triggers.range(range).map(of))
}

/// The least group of a pattern that holds in `range`, for certain.
fn least_group(ground: Ground<'_>, place: usize, range: RangeInclusive<Second>) -> Option<Group> {
    let (start, end) = range.into_inner();
    let end = end.min(condition::holds_through(
        ground.loaded,
        place,
        ground.watermark,
    ));
    let held = &ground
        .view
        .patterns
        .get(place)
        .filter(|_| start <= end)?
        .held;
    let groups = held
        .range(start..=end)
        .filter_map(|(_, groups)| groups.iter().next());
    groups.map(|(group, _)| group).min().cloned()
}
