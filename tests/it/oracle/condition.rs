//! Where patterns hold, and where the condition triggers.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use watchfire::plan::LoadedRule;
use watchfire::record::Position;
use watchfire::rule::{Condition, ConditionOperator, Difference, GroupBy, Rule};

use super::aggregate::{Group, can_become_false};
use super::set::{Seen, Set};

/// A millisecond, and all events that it is that of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instant {
    time: i64,
    events: BTreeSet<(String, u32, Position)>,
}

impl Instant {
    fn of<'a>(time: i64, seen: impl Iterator<Item = &'a Seen>) -> Instant {
        let then = seen.filter(|seen| seen.record.time == time);
        let events = then.map(|seen| {
            let (topic, partition, position) = seen.event();
            (topic.to_owned(), partition, position)
        });
        Instant {
            time,
            events: events.collect(),
        }
    }

    /// The one that is first in an order, or both.
    fn first(order: Ordering, one: &Instant, other: &Instant) -> Instant {
        match order {
            Ordering::Less => one.clone(),
            Ordering::Greater => other.clone(),
            Ordering::Equal => Instant {
                time: one.time,
                events: &one.events | &other.events,
            },
        }
    }

    fn earlier(one: &Instant, other: &Instant) -> Instant {
        Instant::first(one.time.cmp(&other.time), one, other)
    }

    fn later(one: &Instant, other: &Instant) -> Instant {
        Instant::first(other.time.cmp(&one.time), one, other)
    }

    /// Whether an event of the other can come after one of this. At one instant either may be
    /// first, but two events are needed.
    fn comes_before(&self, other: &Instant) -> bool {
        let two = |one| other.events.iter().any(|event| event != one);
        self.time < other.time || self.time == other.time && self.events.iter().any(two)
    }
}

/// What fulfilled a condition: its first and last pane, its earliest and latest instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trigger {
    pub s: i64,
    pub t: i64,
    earliest: Instant,
    latest: Instant,
}

/// A group of a pattern that holds at a pane.
#[derive(Clone, Debug, PartialEq)]
pub struct Held {
    pub pane: i64,
    pub group: Vec<Option<String>>,
    earliest: Instant,
    latest: Instant,
}

/// By pattern, all that holds in a set, whether it is certain yet or not.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Holding(Vec<Vec<Held>>);

/// Everything that holds and triggers and is certain.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// By pattern.
    pub held: Vec<Vec<Held>>,
    /// Ascending.
    pub triggers: Vec<Trigger>,
    /// Panes at which the clear pattern holds, ascending.
    pub clears: Vec<i64>,
}

/// When what was found is certain.
#[derive(Clone, Copy, Debug)]
pub struct Horizon<'a> {
    pub since: &'a Since,
    pub watermark: Option<i64>,
}

/// From when on a rule has been in force, for a key: what is final is not judged by a later one.
#[derive(Clone, Debug, Default)]
pub struct Since {
    now: i64,
    /// Earlier ones, each with the second before which all was final when the next one was taken.
    earlier: Vec<(i64, i64)>,
}

impl Since {
    pub const ALWAYS: Since = Since {
        now: 0,
        earlier: Vec::new(),
    };

    /// Takes the rule's, when what is before `settled` is final.
    pub fn take(&mut self, now: i64, settled: Option<i64>) {
        if self.now != now {
            let settled = settled.map(|settled| (settled, self.now));
            self.earlier.extend(settled);
            self.now = now;
        }
    }

    /// That by which a trigger is judged.
    fn of(&self, t: i64) -> i64 {
        let mut earlier = self.earlier.iter();
        let one = earlier.find(|(settled, _)| t < *settled);
        one.map_or(self.now, |(_, since)| *since)
    }
}

impl Holding {
    pub fn of(set: &Set<'_>) -> Holding {
        let patterns = 0..set.rule.rule.patterns.len();
        Holding(patterns.map(|pattern| holding(set, pattern)).collect())
    }
}

impl Found {
    pub fn of(loaded: &LoadedRule, holding: &Holding, horizon: Horizon<'_>) -> Found {
        let rule = &loaded.rule;
        let mut held = holding.0.clone();
        for (pattern, held) in held.iter_mut().enumerate() {
            if is_falsifiable(loaded, pattern) {
                held.retain(|held| horizon.is_past(held.pane + loaded.settings.patience));
            }
        }
        let sight = Sight {
            rule,
            held: &held,
            patience: loaded.settings.patience,
            horizon,
        };
        let mut triggers: Vec<Trigger> = sight.triggers(&rule.condition).into_values().collect();
        if needs_past(loaded) {
            let after = loaded.settings.patience + memory(loaded);
            triggers.retain(|trigger| {
                let since = horizon.since.of(trigger.t);
                since == 0 || trigger.t >= since + after
            });
        }
        let clears: BTreeSet<i64> = rule
            .clear
            .iter()
            .flat_map(|clear| held[*clear].iter().map(|held| held.pane))
            .collect();
        Found {
            triggers,
            clears: clears.into_iter().collect(),
            held,
        }
    }
}

impl Horizon<'_> {
    fn is_past(&self, second: i64) -> bool {
        self.watermark.is_some_and(|watermark| watermark > second)
    }
}

/// Whether the watermark alone can change what is found.
pub fn waits(rule: &LoadedRule) -> bool {
    has_absence(&rule.rule.condition)
        || (0..rule.rule.patterns.len()).any(|pattern| is_falsifiable(rule, pattern))
}

/// Whether what was not read in the past would be taken for absent.
fn needs_past(rule: &LoadedRule) -> bool {
    waits(rule) || rule.rule.patterns.iter().any(|p| p.new.is_some())
}

fn is_falsifiable(rule: &LoadedRule, pattern: usize) -> bool {
    let pattern = &rule.rule.patterns[pattern];
    can_become_false(&pattern.having, &pattern.aggregates)
}

/// Reach, and the longest period of a `new`.
fn memory(rule: &LoadedRule) -> i64 {
    let periods = rule.rule.patterns.iter().filter_map(|p| p.new.as_ref());
    reach(rule) + periods.map(|new| new.period).max().unwrap_or(0)
}

/// How long a rule remembers matches beyond lateness.
pub fn reach(rule: &LoadedRule) -> i64 {
    let (condition, window) = (&rule.rule.condition, rule.rule.window);
    wait(condition, window) + back(condition, window)
}

/// Seconds after a trigger in which something may still come that it depends on.
pub fn wait(condition: &Condition, window: i64) -> i64 {
    match condition {
        Condition::Pattern(_) => 0,
        Condition::Operation(x, ConditionOperator::AndNot, y)
        | Condition::Operation(x, ConditionOperator::NotFollowedBy, y) => {
            wait(x, window).max(window + wait(y, window))
        }
        Condition::Operation(x, _, y) => wait(x, window).max(wait(y, window)),
        Condition::Unless {
            first: x,
            then: y,
            between: u,
        } => wait(x, window).max(wait(y, window)).max(wait(u, window)),
    }
}

/// Seconds before a trigger in which something lies that it depends on.
fn back(condition: &Condition, window: i64) -> i64 {
    match condition {
        Condition::Pattern(_) => 2 * window,
        Condition::Operation(x, ConditionOperator::AndNot, y)
        | Condition::Operation(x, ConditionOperator::NotFollowedBy, y) => {
            back(x, window).max(window + back(y, window))
        }
        Condition::Operation(x, _, y) => back(x, window).max(back(y, window)),
        Condition::Unless {
            first: x,
            then: y,
            between: u,
        } => back(x, window)
            .max(back(y, window))
            .max(window + back(u, window)),
    }
}

pub fn has_absence(condition: &Condition) -> bool {
    match condition {
        Condition::Pattern(_) => false,
        Condition::Operation(x, operator, y) => {
            *operator == ConditionOperator::AndNot
                || *operator == ConditionOperator::NotFollowedBy
                || has_absence(x)
                || has_absence(y)
        }
        Condition::Unless { .. } => true,
    }
}

/// Patterns that stand somewhere where they are not to the right of a negation.
pub fn positive(condition: &Condition) -> BTreeSet<usize> {
    match condition {
        Condition::Pattern(place) => BTreeSet::from([*place]),
        Condition::Operation(x, ConditionOperator::AndNot, _)
        | Condition::Operation(x, ConditionOperator::NotFollowedBy, _) => positive(x),
        Condition::Operation(x, _, y)
        | Condition::Unless {
            first: x, then: y, ..
        } => &positive(x) | &positive(y),
    }
}

/// The matches of a pattern's group in `(s - W, t]`.
pub fn window_of<'a>(
    set: &Set<'a>,
    pattern: usize,
    group: &[Option<String>],
    (s, t): (i64, i64),
) -> Vec<&'a Seen> {
    let within = s - set.rule.rule.window + 1..=t;
    let all = set.all.iter().map(|among| among.seen);
    all.filter(|seen| within.contains(&seen.second()) && seen.part(pattern, group).is_some())
        .collect()
}

/// The groups of a pattern that hold, with their panes.
fn holding(set: &Set<'_>, pattern: usize) -> Vec<Held> {
    let mut places: BTreeMap<(i64, Vec<Option<String>>), bool> = BTreeMap::new();
    for among in &set.all {
        for part in among.seen.parts(pattern) {
            let place = (among.seen.second(), part.group.clone());
            let named = (pattern, part.group.clone());
            *places.entry(place).or_default() |= among.new.contains(&named);
        }
    }
    let mut held = Vec::new();
    for ((pane, group), new) in places {
        let within = window_of(set, pattern, &group, (pane, pane));
        let here = within.iter().filter(|seen| seen.second() == pane);
        let times: Vec<i64> = here.map(|seen| seen.record.time).collect();
        let counted = Group {
            rule: set.rule,
            pattern,
            group: &group,
            within,
        };
        if new && counted.passes() {
            held.push(Held {
                pane,
                group: group.clone(),
                earliest: Instant::of(
                    *times.iter().min().expect("a match in the pane"),
                    counted.within.iter().copied(),
                ),
                latest: Instant::of(
                    *times.iter().max().expect("a match in the pane"),
                    counted.within.iter().copied(),
                ),
            });
        }
    }
    held
}

/// What is certain where and when.
struct Sight<'a> {
    rule: &'a Rule,
    held: &'a [Vec<Held>],
    patience: i64,
    horizon: Horizon<'a>,
}

/// The triggers of the sides of an operator, by t.
struct Sides {
    xs: BTreeMap<i64, Trigger>,
    ys: BTreeMap<i64, Trigger>,
}

impl Sight<'_> {
    /// The triggers of a condition, by t.
    fn triggers(&self, condition: &Condition) -> BTreeMap<i64, Trigger> {
        let window = self.rule.window;
        let waited = wait(condition, window) + self.patience;
        let certain = |t: i64| self.horizon.is_past(t + waited);
        match condition {
            Condition::Pattern(place) => self.holding(*place, &|_| true),
            Condition::Operation(x, operator, y) => {
                let absence = matches!(
                    operator,
                    ConditionOperator::AndNot | ConditionOperator::NotFollowedBy
                );
                let ways = self.sides(x, y, absence).into_iter();
                keep(ways.flat_map(|sides| sides.operate(*operator, window, &certain)))
            }
            Condition::Unless {
                first,
                then,
                between,
            } => {
                let us = self.triggers(between);
                let ways = self.sides(first, then, false).into_iter();
                keep(ways.flat_map(|sides| sides.unless(&us, window, &certain)))
            }
        }
    }

    /// Where groups of a pattern hold that are wanted.
    fn holding(
        &self,
        pattern: usize,
        wanted: &dyn Fn(&[Option<String>]) -> bool,
    ) -> BTreeMap<i64, Trigger> {
        let held = self.held[pattern].iter();
        keep(held.filter(|held| wanted(&held.group)).map(|held| Trigger {
            s: held.pane,
            t: held.pane,
            earliest: held.earliest.clone(),
            latest: held.latest.clone(),
        }))
    }

    /// The two sides of an operator. Where values of them must differ, this for each value of one
    /// side, and all others of the other side: of the left one for an absence, else of the right.
    fn sides(&self, x: &Condition, y: &Condition, absence: bool) -> Vec<Sides> {
        let differ = |d: &&Difference| {
            (x, y)
                == (
                    &Condition::Pattern(d.left.pattern),
                    &Condition::Pattern(d.right.pattern),
                )
        };
        let Some(Difference { left, right }) = self.rule.differences.iter().find(differ) else {
            let (xs, ys) = (self.triggers(x), self.triggers(y));
            return vec![Sides { xs, ys }];
        };
        let [of_left, of_right] = [left, right].map(|side| finer(self.rule, *side));
        let values = |pattern: usize, place: usize| -> BTreeSet<Option<String>> {
            let held = self.held[pattern].iter();
            held.map(|held| held.group[place].clone()).collect()
        };
        let (left, right) = (left.pattern, right.pattern);
        let of_left_values = values(left, of_left).into_iter().map(|value| Sides {
            xs: self.holding(left, &|group| group[of_left] == value),
            ys: self.holding(right, &|group| group[of_right] != value),
        });
        let of_right_values = values(right, of_right).into_iter().map(|value| Sides {
            xs: self.holding(left, &|group| group[of_left] != value),
            ys: self.holding(right, &|group| group[of_right] == value),
        });
        match absence {
            true => of_left_values.collect(),
            false => of_right_values.collect(),
        }
    }
}

impl Sides {
    fn pairs(&self) -> impl Iterator<Item = (&Trigger, &Trigger)> {
        let ys = self.ys.values();
        ys.flat_map(|y| self.xs.values().map(move |x| (x, y)))
    }

    /// What an operator makes of them; what is absent must be `certain`.
    fn operate(
        &self,
        operator: ConditionOperator,
        window: i64,
        certain: &dyn Fn(i64) -> bool,
    ) -> Vec<Trigger> {
        let (xs, ys) = (self.xs.values(), self.ys.values());
        let sure = xs.clone().filter(|x| certain(x.t));
        match operator {
            ConditionOperator::And => {
                let both = self.pairs().filter_map(|(x, y)| and(x, y, window));
                both.collect()
            }
            ConditionOperator::Or => xs.chain(ys).cloned().collect(),
            ConditionOperator::FollowedBy => {
                let both = self.pairs().filter_map(|(x, y)| followed_by(x, y, window));
                both.collect()
            }
            ConditionOperator::AndNot => {
                let together = |x: &&Trigger| ys.clone().any(|y| and(x, y, window).is_some());
                sure.filter(|x| !together(x)).cloned().collect()
            }
            ConditionOperator::NotFollowedBy => {
                let follows = |x: &Trigger, y: &Trigger| {
                    x.t <= y.s && y.t < x.s + window && x.latest.comes_before(&y.latest)
                };
                let followed = |x: &&Trigger| ys.clone().any(|y| follows(x, y));
                sure.filter(|x| !followed(x)).cloned().collect()
            }
        }
    }

    /// What follows with nothing between.
    fn unless(
        &self,
        us: &BTreeMap<i64, Trigger>,
        window: i64,
        certain: &dyn Fn(i64) -> bool,
    ) -> Vec<Trigger> {
        let stopped = |x: &Trigger, y: &Trigger| us.values().any(|u| lies_between(u, x, y));
        let sure = self.pairs().filter(|(_, y)| certain(y.t));
        let followed = sure.filter_map(|(x, y)| Some((x, y, followed_by(x, y, window)?)));
        let free = followed.filter(|(x, y, _)| !stopped(x, y));
        free.map(|(_, _, trigger)| trigger).collect()
    }
}

/// The place of a group-by attribute among those of its pattern that are no part of the key.
pub fn finer(rule: &Rule, side: GroupBy) -> usize {
    let in_key = |place: &usize| {
        let mut parts = rule.join_key.iter();
        parts.any(|part| part.places[side.pattern] == *place)
    };
    (0..side.place).filter(|place| !in_key(place)).count()
}

/// For each t one trigger: the greatest s, the least earliest, the greatest latest instant.
fn keep(ways: impl Iterator<Item = Trigger>) -> BTreeMap<i64, Trigger> {
    let mut kept: BTreeMap<i64, Trigger> = BTreeMap::new();
    for way in ways {
        let one = kept.entry(way.t).or_insert_with(|| way.clone());
        one.s = one.s.max(way.s);
        one.earliest = Instant::earlier(&one.earliest, &way.earliest);
        one.latest = Instant::later(&one.latest, &way.latest);
    }
    kept
}

fn and(x: &Trigger, y: &Trigger, window: i64) -> Option<Trigger> {
    let (s, t) = (x.s.min(y.s), x.t.max(y.t));
    (s > t - window).then(|| Trigger {
        s,
        t,
        earliest: Instant::later(&x.earliest, &y.earliest),
        latest: Instant::later(&x.latest, &y.latest),
    })
}

fn followed_by(x: &Trigger, y: &Trigger, window: i64) -> Option<Trigger> {
    let follows = x.t <= y.s && x.s > y.t - window && x.earliest.comes_before(&y.latest);
    follows.then(|| Trigger {
        s: x.s,
        t: y.t,
        earliest: Instant::later(&x.earliest, &y.earliest),
        latest: y.latest.clone(),
    })
}

/// Whether u lies strictly between x's latest instant in x.t and y's earliest in y.t. Within one
/// second nothing does.
fn lies_between(u: &Trigger, x: &Trigger, y: &Trigger) -> bool {
    x.t < y.t
        && x.t <= u.s
        && u.t <= y.t
        && x.latest.time < u.latest.time
        && u.earliest.time < y.earliest.time
}
