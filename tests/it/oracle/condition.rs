//! Where patterns hold, and where the condition triggers.

use std::collections::{BTreeMap, BTreeSet};

use watchfire::plan::LoadedRule;
use watchfire::rule::{Condition, ConditionOperator};

use super::aggregate::{Group, can_become_false};
use super::set::{Seen, Set};

/// What fulfilled a condition: its first and last pane, its earliest and latest instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trigger {
    pub s: i64,
    pub t: i64,
    pub earliest: i64,
    pub latest: i64,
}

/// A group of a pattern that holds at a pane.
#[derive(Clone, Debug, PartialEq)]
pub struct Held {
    pub pane: i64,
    pub group: Vec<Option<String>>,
    earliest: i64,
    latest: i64,
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
pub struct Horizon {
    pub since: i64,
    pub watermark: Option<i64>,
}

impl Holding {
    pub fn of(set: &Set<'_>) -> Holding {
        let patterns = 0..set.rule.rule.patterns.len();
        Holding(patterns.map(|pattern| holding(set, pattern)).collect())
    }
}

impl Found {
    pub fn of(loaded: &LoadedRule, holding: &Holding, horizon: Horizon) -> Found {
        let rule = &loaded.rule;
        let mut held = holding.0.clone();
        for (pattern, held) in held.iter_mut().enumerate() {
            if is_falsifiable(loaded, pattern) {
                held.retain(|held| horizon.is_past(held.pane + loaded.settings.patience));
            }
        }
        let sight = Sight {
            held: &held,
            window: rule.window,
            patience: loaded.settings.patience,
            horizon,
        };
        let mut triggers: Vec<Trigger> = sight.triggers(&rule.condition).into_values().collect();
        if horizon.since != 0 && needs_past(loaded) {
            let first = horizon.since + loaded.settings.patience + memory(loaded);
            triggers.retain(|trigger| trigger.t >= first);
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

impl Horizon {
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
    }
}

/// Patterns that stand somewhere where they are not to the right of a negation.
pub fn positive(condition: &Condition) -> BTreeSet<usize> {
    match condition {
        Condition::Pattern(place) => BTreeSet::from([*place]),
        Condition::Operation(x, ConditionOperator::AndNot, _)
        | Condition::Operation(x, ConditionOperator::NotFollowedBy, _) => positive(x),
        Condition::Operation(x, _, y) => &positive(x) | &positive(y),
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
    all.filter(|seen| {
        within.contains(&seen.second())
            && seen.part(pattern).is_some_and(|part| part.group == group)
    })
    .collect()
}

/// The groups of a pattern that hold, with their panes.
fn holding(set: &Set<'_>, pattern: usize) -> Vec<Held> {
    let mut places: BTreeMap<(i64, Vec<Option<String>>), bool> = BTreeMap::new();
    for among in &set.all {
        if let Some(part) = among.seen.part(pattern) {
            let place = (among.seen.second(), part.group.clone());
            *places.entry(place).or_default() |= among.new.contains(&pattern);
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
            within,
        };
        if new && counted.passes() {
            held.push(Held {
                pane,
                group,
                earliest: *times.iter().min().expect("a match in the pane"),
                latest: *times.iter().max().expect("a match in the pane"),
            });
        }
    }
    held
}

/// What is certain where and when.
struct Sight<'a> {
    held: &'a [Vec<Held>],
    window: i64,
    patience: i64,
    horizon: Horizon,
}

impl Sight<'_> {
    /// The triggers of a condition, by t.
    fn triggers(&self, condition: &Condition) -> BTreeMap<i64, Trigger> {
        let window = self.window;
        let (x, operator, y) = match condition {
            Condition::Pattern(place) => {
                return keep(self.held[*place].iter().map(|held| Trigger {
                    s: held.pane,
                    t: held.pane,
                    earliest: held.earliest,
                    latest: held.latest,
                }));
            }
            Condition::Operation(x, operator, y) => (x, operator, y),
        };
        let (xs, ys) = (self.triggers(x), self.triggers(y));
        let (xs, ys) = (xs.values(), ys.values());
        let waited = wait(condition, window) + self.patience;
        let certain = |x: &&Trigger| self.horizon.is_past(x.t + waited);
        match operator {
            ConditionOperator::And => {
                let pairs = xs.flat_map(|x| ys.clone().map(move |y| (x, y)));
                keep(pairs.filter_map(|(x, y)| and(x, y, window)))
            }
            ConditionOperator::Or => keep(xs.chain(ys).copied()),
            ConditionOperator::FollowedBy => {
                let pairs = xs.flat_map(|x| ys.clone().map(move |y| (x, y)));
                keep(pairs.filter_map(|(x, y)| followed_by(x, y, window)))
            }
            ConditionOperator::AndNot => {
                let together = |x: &&Trigger| ys.clone().any(|y| and(x, y, window).is_some());
                keep(xs.filter(certain).filter(|x| !together(x)).copied())
            }
            ConditionOperator::NotFollowedBy => {
                let follows = |x: &Trigger, y: &Trigger| {
                    x.t <= y.s && y.t < x.s + window && y.latest >= x.latest
                };
                let followed = |x: &&Trigger| ys.clone().any(|y| follows(x, y));
                keep(xs.filter(certain).filter(|x| !followed(x)).copied())
            }
        }
    }
}

/// For each t one trigger: the greatest s, the least earliest, the greatest latest instant.
fn keep(ways: impl Iterator<Item = Trigger>) -> BTreeMap<i64, Trigger> {
    let mut kept: BTreeMap<i64, Trigger> = BTreeMap::new();
    for way in ways {
        let one = kept.entry(way.t).or_insert(way);
        one.s = one.s.max(way.s);
        one.earliest = one.earliest.min(way.earliest);
        one.latest = one.latest.max(way.latest);
    }
    kept
}

fn and(x: &Trigger, y: &Trigger, window: i64) -> Option<Trigger> {
    let (s, t) = (x.s.min(y.s), x.t.max(y.t));
    (s > t - window).then_some(Trigger {
        s,
        t,
        earliest: x.earliest.max(y.earliest),
        latest: x.latest.max(y.latest),
    })
}

fn followed_by(x: &Trigger, y: &Trigger, window: i64) -> Option<Trigger> {
    (x.t <= y.s && x.s > y.t - window && x.earliest <= y.latest).then_some(Trigger {
        s: x.s,
        t: y.t,
        earliest: x.earliest.max(y.earliest),
        latest: y.latest,
    })
}
