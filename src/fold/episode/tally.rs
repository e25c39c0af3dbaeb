//! What the triggers of an episode come to: windows, events, evidence and values. They are added in
//! the order of time, the final ones once and for all.

use std::cmp::Ordering;
use std::ops::RangeInclusive;
use std::sync::Arc;

use smallvec::smallvec;

use crate::canary::{self, Canary};
use crate::fold::aggregate::Shown;
use crate::fold::condition::{self, PatternSide, Sight};
use crate::fold::key::derived::Measured;
use crate::fold::key::group::PatternAt;
use crate::fold::key::inner::Triggers;
use crate::fold::key::pane::{Group, Marks};
use crate::fold::key::stored::{Facts, Tally, Trigger};
use crate::fold::window::{self, Ranges};
use crate::incident::AttributeValue;
use crate::rule::peak::Measure;
use crate::rule::{Difference, IncidentValue, Rule};
use crate::time::Second;

impl Tally {
    /// The tally of one trigger whose last pane is `t`. `clear`: the last clear
    /// pane that the incident's id names; 0: none.
    pub fn begin(sight: Sight<'_>, t: Second, clear: Second) -> Tally {
        let rule = &sight.loaded.rule;
        let first = sight
            .derived
            .triggers
            .get(t)
            .map_or(t, |trigger| trigger.first);
        let groups = (0..rule.patterns.len())
            .map(|place| group_at(sight, place, first..=t))
            .collect();
        let facts = Facts {
            first: t,
            last: t,
            clear,
            windows: 0,
            events: 0,
            evidence: smallvec![Marks::new(); rule.patterns.len()],
            values: Vec::new(),
        };
        let mut tally = Tally {
            facts,
            last_window: -1,
            counted: Ranges::default(),
            groups,
        };
        tally.facts.values = tally.values(sight);
        tally.extend(sight, t);
        tally
    }

    /// Adds the triggers after the last one that was added, through the pane `last`.
    pub fn extend(&mut self, sight: Sight<'_>, last: Second) {
        let rule = &sight.loaded.rule;
        let triggers = &sight.derived.triggers;
        let is_first = self.facts.windows == 0;
        let from = if is_first {
            self.facts.first
        } else {
            self.facts.last + 1
        };
        if from > last {
            return;
        }
        let Some(trigger) = triggers.range(from..=last).next_back().map(|(t, _)| t) else {
            return;
        };
        let windows = windows(rule, triggers, from..=last, self.facts.windows > 0);
        let fresh = windows.without(&self.counted);
        let mut count = Windows {
            number: self.facts.windows,
            last: self.last_window,
        };
        count.add(self.facts.first, triggers, from..=last, rule.window);
        self.facts.windows = count.number;
        self.last_window = count.last;
        for range in fresh.iter() {
            self.facts.events += sight.derived.events(&sight.stored.panes, range);
        }
        self.add_evidence(sight, &fresh);
        self.counted = self.counted.with(&windows);
        self.facts.last = trigger;
        if !sight.loaded.measures.is_empty() {
            self.find_peak(sight, from..=last, is_first);
        }
    }

    /// Takes the values of the aggregates as they are at the greatest of the triggers in `range`,
    /// if that is as great as what is known.
    fn find_peak(&mut self, sight: Sight<'_>, range: RangeInclusive<Second>, is_first: bool) {
        let mut is_first = is_first;
        for (t, trigger) in sight.derived.triggers.range(range) {
            let measured = sight.derived.measured(t, || measured(sight, t, *trigger));
            if is_first || self.is_reached_by(sight, &measured) || canary::is(Canary::NoPeak) {
                for (measure, value) in sight.loaded.measures.iter().zip(&*measured) {
                    if let Some(shown) = self.facts.values.get_mut(measure.attribute) {
                        shown.clone_from(value);
                    }
                }
            }
            is_first = false;
        }
    }

    /// Whether values of the aggregates are as much of a peak as what is shown, or more.
    fn is_reached_by(&self, sight: Sight<'_>, measured: &[AttributeValue]) -> bool {
        let mut orders = sight.loaded.measures.iter().zip(measured);
        let order = orders.find_map(|(measure, value)| {
            let known = self.facts.values.get(measure.attribute)?;
            Some(measure.order(value, known)).filter(|order| *order != Ordering::Equal)
        });
        order != Some(Ordering::Less)
    }

    /// Forgets which panes before `first` are counted, since no window reaches them any more;
    /// whether there were any.
    pub fn forget_before(&mut self, first: Second) -> bool {
        let begins_before = |range: RangeInclusive<Second>| *range.start() < first;
        if !self.counted.iter().next().is_some_and(begins_before) {
            return false;
        }
        self.counted = self.counted.from(first);
        true
    }

    fn add_evidence(&mut self, sight: Sight<'_>, fresh: &Ranges) {
        let most = sight.loaded.settings.limits.evidence as usize;
        let patterns = sight.derived.patterns.iter();
        for ((place, view), marks) in patterns.enumerate().zip(&mut self.facts.evidence) {
            if !sight.loaded.rule.is_positive(place) {
                continue;
            }
            let mut found = Marks::new();
            let seconds = fresh.iter().flat_map(|range| view.seconds.range(range));
            for (second, ()) in seconds {
                if found.len() >= most {
                    break;
                }
                let pane = sight.stored.panes.get(second);
                let share = pane.and_then(|pane| pane.patterns.get(&(place as u32)));
                let marks = share.into_iter().flat_map(|share| &share.marks);
                found.extend(marks.map(Arc::clone));
            }
            marks.append(&mut found);
            marks.sort();
            marks.truncate(most);
        }
    }

    /// The values of the incident's attributes, without those of aggregates.
    fn values(&self, sight: Sight<'_>) -> Vec<AttributeValue> {
        let rule = &sight.loaded.rule;
        let value = |from: &IncidentValue| match from {
            IncidentValue::GroupBy(pattern, place) => self.group_value(sight, *pattern, *place),
            IncidentValue::Aggregate(..) => None,
        };
        let attributes = rule.attributes.iter();
        let shown = attributes.map(|(_, from)| value(from).unwrap_or(AttributeValue::Null));
        let mut values = Vec::with_capacity(rule.attributes.len());
        values.extend(shown);
        values
    }

    fn group_value(
        &self,
        sight: Sight<'_>,
        pattern: usize,
        place: usize,
    ) -> Option<AttributeValue> {
        let rule = &sight.loaded.rule;
        let value = match rule.finer_place(pattern, place) {
            None => sight
                .stored
                .head
                .values
                .get(rule.key_part(pattern, place)?)?,
            Some(finer) => self.groups.get(pattern)?.as_ref()?.get(finer)?,
        };
        value.clone().map(AttributeValue::Text)
    }
}

/// The values of the aggregates that incidents show, at the trigger whose last pane is `t`.
fn measured(sight: Sight<'_>, t: Second, trigger: Trigger) -> Measured {
    let measures = sight.loaded.measures.iter();
    let value = |measure: &Measure| {
        let at = PatternAt::of(sight.loaded, measure.pattern)?;
        let group = group_at(sight, measure.pattern, trigger.first..=t)?;
        let start = *window::ending_at(trigger.first, sight.loaded.rule.window).start();
        let view = sight.derived.patterns.get(measure.pattern)?;
        let within = start..=t;
        match view
            .accumulated(sight.stored, at, &group, measure.aggregate, within)?
            .shown()
        {
            Shown::Null => None,
            Shown::Number(number) => Some(AttributeValue::Number(number)),
            Shown::Text(text) => Some(AttributeValue::Text(text)),
        }
    };
    let values = measures.map(|measure| value(measure).unwrap_or(AttributeValue::Null));
    values.collect()
}

/// The group of a pattern whose values an incident shows: without finer attributes the only one,
/// else the least that holds in `range`; of two patterns that must differ two groups that do.
fn group_at(sight: Sight<'_>, place: usize, range: RangeInclusive<Second>) -> Option<Group> {
    let rule = &sight.loaded.rule;
    match rule.patterns.get(place)?.group_by.len() {
        parts if parts == rule.join_key.len() => Some(Group::new()),
        _ => {
            let differing = differing_group(sight, place, range.clone());
            differing.or_else(|| least_group(sight, place, range))
        }
    }
}

/// The group that an incident shows of a pattern which must differ from another that is there: of
/// the right side the least at the last pane in `range` that has one beside another value of the
/// left side; of the left side the least at the first pane with another value than that.
fn differing_group(sight: Sight<'_>, place: usize, range: RangeInclusive<Second>) -> Option<Group> {
    let rule = &sight.loaded.rule;
    let mut differences = rule.differences.iter();
    let Difference { left, right } =
        differences.find(|it| it.left.pattern == place || it.right.pattern == place)?;
    if !rule.is_positive(left.pattern) || !rule.is_positive(right.pattern) {
        return None;
    }
    let is_left = left.pattern == place;
    let left = PatternSide::of(&sight, left.pattern)?;
    let right = PatternSide::of(&sight, right.pattern)?;
    let group = right.last_group_beside(&left, range.clone())?;
    match is_left {
        false => Some(group.clone()),
        true => left.first_other_group(range, right.value(group)?).cloned(),
    }
}

/// How many windows triggered of the incident whose triggers go from `first` through `last`.
pub fn windows_of(sight: Sight<'_>, first: Second, last: Second) -> u64 {
    let settled = sight.stored.tallies.get(first);
    let mut count = Windows {
        number: settled.map_or(0, |settled| settled.facts.windows),
        last: settled.map_or(-1, |settled| settled.last_window),
    };
    let from = settled.map_or(first, |settled| settled.facts.last + 1);
    let triggers = &sight.derived.triggers;
    count.add(first, triggers, from..=last, sight.loaded.rule.window);
    count.number
}

/// Windows that triggered.
struct Windows {
    number: u64,
    /// Number of the last of them; -1: there is none.
    last: Second,
}

impl Windows {
    /// Adds those of the triggers in `range`. `first`: where the first window begins.
    fn add(
        &mut self,
        first: Second,
        triggers: &Triggers,
        range: RangeInclusive<Second>,
        width: Second,
    ) {
        let (mut from, last) = range.into_inner();
        while let Some((t, _)) = triggers.range(from..=last).next() {
            let number = window::number(first, t, width);
            if number > self.last {
                self.number += 1;
                self.last = number;
            }
            from = first + (number + 1) * width;
        }
    }
}

/// The panes in the windows of the triggers in `range`; `continues`: an earlier trigger of the
/// same incident is counted already.
fn windows(
    rule: &Rule,
    triggers: &Triggers,
    range: RangeInclusive<Second>,
    continues: bool,
) -> Ranges {
    let of = |(t, trigger): (Second, &Trigger)| {
        *window::ending_at(trigger.first, rule.window).start()..=t
    };
    let single = rule.patterns.len() == 1;
    if single && rule.quiet <= rule.window {
        // Triggers of one incident are no further apart than quiet, so their windows overlap or
        // touch: together they are all panes from the first window's first to the last one's last.
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
fn least_group(sight: Sight<'_>, place: usize, range: RangeInclusive<Second>) -> Option<Group> {
    let (start, end) = range.into_inner();
    let end = end.min(condition::holds_through(
        sight.loaded,
        place,
        sight.watermark,
    ));
    let held = &sight
        .derived
        .patterns
        .get(place)
        .filter(|_| start <= end)?
        .held;
    let groups = held
        .range(start..=end)
        .filter_map(|(_, groups)| groups.iter().next());
    groups.map(|(group, _)| group).min().cloned()
}
