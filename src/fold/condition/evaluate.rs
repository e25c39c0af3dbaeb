//! Keeps a key's triggers up with its panes and with the watermark.

use smallvec::SmallVec;

use super::{Clears, Horizon, Sight};
use crate::fold::key::Alive;
use crate::fold::key::derived::Derived;
use crate::fold::key::inner::{self, Triggers};
use crate::fold::key::stored::{Stored, Trigger};
use crate::fold::window::{self, EVER, Ranges, Seconds};
use crate::plan::LoadedRule;
use crate::rule::reach::{Reach, is_falsifiable, wait};
use crate::rule::{Condition, ConditionOperator};
use crate::time::Second;

/// Finds the triggers of a key as they are with `horizon`; the seconds at which something has
/// changed that incidents may show.
pub fn update(key: &mut Alive, loaded: &LoadedRule, horizon: Horizon) -> Ranges {
    let Alive { stored, derived } = key;
    let derived = derived.get_or_insert_with(|| Box::new(Derived::new(&stored.panes, loaded)));
    let anew = derived.evaluated.is_none();
    for (first, tally) in stored.tallies.iter().filter(|_| anew) {
        derived.spans.insert(first, tally.facts.last);
    }
    let all = anew || derived.since != horizon.since;
    let changes = Changes {
        loaded,
        touched: touched(derived, stored, loaded, horizon.watermark),
        before: derived.evaluated.flatten(),
        now: horizon.watermark,
    };
    let ranges = match all {
        true => Ranges::all(),
        false => changes.reach(&loaded.rule.condition),
    };
    changes.keep_inner(stored, derived, &loaded.rule.condition, root(loaded), all);
    let from = stored.head.settled.unwrap_or(-EVER);
    let moved = changes.find(stored, derived, horizon.since, &ranges.from(from));
    changes.relink(stored, derived);
    derived.evaluated = Some(horizon.watermark);
    derived.since = horizon.since;
    let held = changes.touched.iter().flat_map(Seconds::iter);
    let held = Ranges::union(held.map(|t| t..=t)).widened(0, loaded.rule.window - 1);
    let changed = held.with(&moved);
    derived.forget_measured(changed.iter());
    changed
}

/// By pattern, the panes at which what holds differs, by what was added or is certain since.
fn touched(
    derived: &mut Derived,
    stored: &Stored,
    loaded: &LoadedRule,
    watermark: Option<Second>,
) -> SmallVec<[Seconds; 1]> {
    let mut touched = derived.retest(stored, loaded);
    let patience = loaded.settings.patience;
    let Some(now) = watermark.filter(|now| derived.evaluated.flatten() != Some(*now)) else {
        return touched;
    };
    let certain = now - patience;
    let before = derived
        .evaluated
        .flatten()
        .map_or(-EVER, |before| before - patience);
    let patterns = loaded.rule.patterns.iter().zip(&derived.patterns);
    for ((pattern, view), touched) in patterns.zip(&mut touched) {
        if is_falsifiable(pattern) && before < certain {
            for (t, _) in view.held.range(before..=certain - 1) {
                touched.insert(t);
            }
        }
    }
    touched
}

/// What has changed since triggers were last found.
struct Changes<'a> {
    loaded: &'a LoadedRule,
    /// By pattern, panes at which what holds differs.
    touched: SmallVec<[Seconds; 1]>,
    /// The watermark then.
    before: Option<Second>,
    /// The watermark now.
    now: Option<Second>,
}

impl Changes<'_> {
    /// The panes whose triggers of `condition` may differ.
    fn reach(&self, condition: &Condition) -> Ranges {
        let window = self.loaded.rule.window;
        let within = *window::reached_by(0, window).end();
        let (left, operator, right) = match condition {
            Condition::Pattern(place) => {
                let touched = self.touched.get(*place).into_iter();
                let touched = touched.flat_map(Seconds::iter);
                return Ranges::union(touched.map(|t| t..=t));
            }
            Condition::Operation(left, operator, right) => {
                (self.reach(left), operator, self.reach(right))
            }
            Condition::Unless {
                first,
                then,
                between,
            } => {
                let (first, between) = (self.reach(first), self.reach(between));
                let before = first.with(&between).widened(0, within);
                return before
                    .with(&self.reach(then))
                    .with(&self.certain(condition));
            }
        };
        match operator {
            ConditionOperator::And => left.with(&right).widened(0, within),
            ConditionOperator::Or => left.with(&right),
            ConditionOperator::FollowedBy => left.widened(0, within).with(&right),
            ConditionOperator::AndNot => {
                let certain = self.certain(condition);
                left.with(&right.widened(within, within)).with(&certain)
            }
            ConditionOperator::NotFollowedBy => {
                let certain = self.certain(condition);
                left.with(&right.widened(within, 0)).with(&certain)
            }
        }
    }

    /// Brings the operations within `condition`, which is at `place` among them, up to date.
    fn keep_inner(
        &self,
        stored: &Stored,
        derived: &mut Derived,
        condition: &Condition,
        place: usize,
        all: bool,
    ) {
        let sides = condition.sides().into_iter();
        for (side, place) in sides.zip(inner::places(condition, place)) {
            if matches!(side, Condition::Pattern(_)) {
                continue;
            }
            self.keep_inner(stored, derived, side, place, all);
            let ranges = match all {
                true => Ranges::all(),
                false => self.reach(side),
            };
            for range in ranges.iter() {
                let sight = self.sight(stored, derived);
                let now = sight.triggers(side, place, range.clone());
                if let Some(inner) = derived.inner.get_mut(place) {
                    inner.replace(range, &now);
                }
            }
        }
    }

    fn sight<'v>(&'v self, stored: &'v Stored, derived: &'v Derived) -> Sight<'v> {
        Sight {
            stored,
            derived,
            loaded: self.loaded,
            watermark: self.now,
        }
    }

    /// The panes of which an absence has become certain.
    fn certain(&self, absence: &Condition) -> Ranges {
        let delay = wait(absence, self.loaded.rule.window) + self.loaded.settings.patience;
        match (self.before, self.now) {
            (_, None) => Ranges::default(),
            (None, Some(now)) => Ranges::union([-EVER..=now - delay - 1]),
            (Some(before), Some(now)) => Ranges::union([before - delay..=now - delay - 1]),
        }
    }
    /// Finds the triggers within `ranges` anew; the seconds of those that differ.
    fn find(
        &self,
        stored: &Stored,
        derived: &mut Derived,
        since: Second,
        ranges: &Ranges,
    ) -> Ranges {
        let condition = &self.loaded.rule.condition;
        let trusted = trusted_from(self.loaded, since).unwrap_or(-EVER);
        let mut moved = Vec::new();
        for range in ranges.iter() {
            let sight = self.sight(stored, derived);
            let now = sight.triggers(condition, root(self.loaded), range.clone());
            let now: Triggers = now
                .range(trusted..=EVER)
                .map(|(t, trigger)| (t, *trigger))
                .collect();
            let gone = derived.triggers.range(range).map(|(t, _)| t);
            let gone: Vec<Second> = gone.filter(|t| !now.contains(*t)).collect();
            for t in gone {
                self.take(stored, derived, t);
                moved.push(t..=t);
            }
            for (t, trigger) in now.iter() {
                if derived.triggers.get(t) != Some(trigger) {
                    self.put(stored, derived, t, *trigger);
                    moved.push(t..=t);
                }
            }
        }
        Ranges::union(moved)
    }

    /// Takes out a trigger that is there no more.
    fn take(&self, stored: &Stored, derived: &mut Derived, t: Second) {
        derived.triggers.remove(t);
        let Neighbours { before, after } = neighbours(stored, derived, t);
        let Derived {
            patterns, spans, ..
        } = &mut *derived;
        let clears = Clears::new(&stored.head, patterns, self.loaded, self.now);
        spans.take(t, before, after, |last, next| clears.link(last, next));
    }

    /// Puts a trigger in its place.
    fn put(&self, stored: &Stored, derived: &mut Derived, t: Second, trigger: Trigger) {
        let Derived {
            patterns, spans, ..
        } = &mut *derived;
        let clears = Clears::new(&stored.head, patterns, self.loaded, self.now);
        spans.add(t, |last, next| clears.link(last, next));
        derived.triggers.insert(t, trigger);
    }

    /// Looks anew whether incidents end at panes where the clear pattern has come or gone.
    fn relink(&self, stored: &Stored, derived: &mut Derived) {
        let clear = self.loaded.rule.clear;
        let touched = clear.and_then(|place| self.touched.get(place));
        for c in touched.into_iter().flat_map(Seconds::iter) {
            let Neighbours { before, after } = neighbours(stored, derived, c);
            let at = derived.triggers.contains(c).then_some(c);
            if let (Some(before), Some(after)) = (at.or(before), after) {
                let Derived {
                    patterns, spans, ..
                } = &mut *derived;
                let clears = Clears::new(&stored.head, patterns, self.loaded, self.now);
                spans.relink(before, after, |last, next| clears.link(last, next));
            }
        }
    }
}

/// The place of the whole condition among its operations.
fn root(loaded: &LoadedRule) -> usize {
    inner::operations(&loaded.rule.condition).saturating_sub(1)
}

/// The first pane at which a rule that depends on what is missing may trigger, if it was added
/// to an application with a past: before, what is missing may only not have been read with it.
fn trusted_from(loaded: &LoadedRule, since: Second) -> Option<Second> {
    let rule = &loaded.rule;
    let depends = rule.condition.has_absence()
        || rule
            .patterns
            .iter()
            .any(|pattern| pattern.new.is_some() || is_falsifiable(pattern));
    let Reach {
        reach, new_period, ..
    } = loaded.reach;
    (since > 0 && depends).then_some(since + loaded.settings.patience + reach + new_period)
}

/// The triggers beside a second.
struct Neighbours {
    /// The last one before it.
    before: Option<Second>,
    /// The first one after it.
    after: Option<Second>,
}

fn neighbours(stored: &Stored, derived: &Derived, t: Second) -> Neighbours {
    let settled = stored.tallies.last().map(|(_, tally)| tally.facts.last);
    let before = derived.triggers.last_before(t).map(|(t, _)| t);
    let after = derived.triggers.first_from(t + 1).map(|(t, _)| t);
    Neighbours {
        before: before.or(settled),
        after,
    }
}
