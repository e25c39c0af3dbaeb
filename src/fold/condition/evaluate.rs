//! Keeps a key's triggers up with its panes and with the watermark.

use std::collections::BTreeSet;

use super::inner::{self, Triggers};
use super::operators::Sight;
use super::{Clears, Horizon, is_falsifiable};
use crate::fold::episode::tally::Tally;
use crate::fold::key::Key;
use crate::fold::key::view::View;
use crate::fold::window::{self, EVER, Ranges};
use crate::plan::LoadedRule;
use crate::rule::reach::{Reach, wait};
use crate::rule::{Condition, ConditionOperator};
use crate::time::Second;

/// Finds the triggers of `key` as they are with `horizon`; the seconds at which something has
/// changed that incidents may show.
pub fn update(key: &mut Key, loaded: &LoadedRule, horizon: Horizon) -> Ranges {
    let mut view = key
        .view
        .take()
        .unwrap_or_else(|| View::new(&key.panes, loaded));
    let anew = view.evaluated.is_none();
    let settled = key.settled_incidents.values().filter(|_| anew);
    for Tally { first, last, .. } in settled {
        view.spans.insert(*first, *last);
    }
    let all = anew || view.since != horizon.since;
    let changes = Changes {
        loaded,
        touched: touched(&mut view, key, loaded, horizon.watermark),
        before: view.evaluated.flatten(),
        now: horizon.watermark,
    };
    let ranges = match all {
        true => Ranges::all(),
        false => changes.reach(&loaded.rule.condition),
    };
    changes.keep_inner(&mut view, &loaded.rule.condition, (root(loaded), all));
    let from = key.settled.unwrap_or(-EVER);
    let moved = find(&mut view, key, &changes, horizon.since, &ranges.from(from));
    relink(&mut view, key, loaded, &changes);
    view.evaluated = Some(horizon.watermark);
    view.since = horizon.since;
    key.view = Some(view);
    let held = changes.touched.iter().flatten().map(|t| *t..=*t);
    let held = Ranges::union(held).widened(0, loaded.rule.window - 1);
    held.with(&moved)
}

/// By pattern, the panes at which what holds differs, by what was added or is certain since.
fn touched(
    view: &mut View,
    key: &Key,
    loaded: &LoadedRule,
    watermark: Option<Second>,
) -> Vec<BTreeSet<Second>> {
    let mut touched = view.retest(key, loaded);
    let patience = loaded.settings.patience;
    let Some(now) = watermark.filter(|now| view.evaluated.flatten() != Some(*now)) else {
        return touched;
    };
    let certain = now - patience;
    let before = view
        .evaluated
        .flatten()
        .map_or(-EVER, |before| before - patience);
    let patterns = loaded.rule.patterns.iter().zip(&view.patterns);
    for ((pattern, view), touched) in patterns.zip(&mut touched) {
        if is_falsifiable(pattern) && before < certain {
            touched.extend(view.held.range(before..certain).map(|(t, _)| *t));
        }
    }
    touched
}

/// What has changed since triggers were last found.
struct Changes<'a> {
    loaded: &'a LoadedRule,
    /// By pattern, panes at which what holds differs.
    touched: Vec<BTreeSet<Second>>,
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
                let touched = self.touched.get(*place).into_iter().flatten();
                return Ranges::union(touched.map(|t| *t..=*t));
            }
            Condition::Operation(left, operator, right) => {
                (self.reach(left), operator, self.reach(right))
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
    fn keep_inner(&self, view: &mut View, condition: &Condition, (place, all): (usize, bool)) {
        let Condition::Operation(left, _, right) = condition else {
            return;
        };
        let places = inner::places(condition, place);
        for (side, place) in [(left, places.0), (right, places.1)] {
            self.keep_inner(view, side, (place, all));
            if matches!(**side, Condition::Pattern(_)) {
                continue;
            }
            let ranges = match all {
                true => Ranges::all(),
                false => self.reach(side),
            };
            for range in ranges.iter() {
                let now = self.sight(view).triggers(side, place, range.clone());
                if let Some(inner) = view.inner.get_mut(place) {
                    inner.replace(range, now);
                }
            }
        }
    }

    fn sight<'v>(&'v self, view: &'v View) -> Sight<'v> {
        Sight {
            loaded: self.loaded,
            patterns: &view.patterns,
            inner: &view.inner,
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
}

/// The place of the whole condition among its operations.
fn root(loaded: &LoadedRule) -> usize {
    inner::operations(&loaded.rule.condition).saturating_sub(1)
}

/// Finds the triggers within `ranges` anew; the seconds of those that differ.
fn find(
    view: &mut View,
    key: &Key,
    changes: &Changes<'_>,
    since: Second,
    ranges: &Ranges,
) -> Ranges {
    let loaded = changes.loaded;
    let mut moved = Vec::new();
    for range in ranges.iter() {
        let sight = changes.sight(view);
        let mut now = sight.triggers(&loaded.rule.condition, root(loaded), range.clone());
        if let Some(first) = trusted_from(loaded, since) {
            now.retain(|t, _| *t >= first);
        }
        let before: Triggers = view.triggers.range(range).map(|(t, x)| (*t, *x)).collect();
        for t in before.keys().filter(|t| !now.contains_key(t)) {
            view.triggers.remove(t);
            let (before, after) = neighbours(view, key, *t);
            let View {
                patterns, spans, ..
            } = &mut *view;
            let clears = Clears::new(key, patterns, loaded, changes.now);
            spans.take(*t, before, after, |last, next| clears.link(last, next));
            moved.push(*t..=*t);
        }
        for (t, trigger) in now {
            if before.get(&t) != Some(&trigger) {
                let View {
                    patterns, spans, ..
                } = &mut *view;
                let clears = Clears::new(key, patterns, loaded, changes.now);
                spans.add(t, |last, next| clears.link(last, next));
                view.triggers.insert(t, trigger);
                moved.push(t..=t);
            }
        }
    }
    Ranges::union(moved)
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

/// The last trigger before `t`, and the first after it.
fn neighbours(view: &View, key: &Key, t: Second) -> (Option<Second>, Option<Second>) {
    let settled = key.settled_incidents.values().next_back();
    let settled = settled.map(|settled| settled.last);
    let before = view.triggers.range(..t).next_back().map(|(t, _)| *t);
    let after = view.triggers.range(t + 1..).next().map(|(t, _)| *t);
    (before.or(settled), after)
}

/// Looks anew whether incidents end at panes where the clear pattern has come or gone.
fn relink(view: &mut View, key: &Key, loaded: &LoadedRule, changes: &Changes<'_>) {
    let touched = loaded
        .rule
        .clear
        .and_then(|place| changes.touched.get(place));
    for c in touched.into_iter().flatten() {
        let (before, after) = neighbours(view, key, *c);
        let at = view.triggers.contains_key(c).then_some(*c);
        if let (Some(before), Some(after)) = (at.or(before), after) {
            let View {
                patterns, spans, ..
            } = &mut *view;
            let clears = Clears::new(key, patterns, loaded, changes.now);
            spans.relink(before, after, |last, next| clears.link(last, next));
        }
    }
}
