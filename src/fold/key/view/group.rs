//! One group of one pattern: its panes, and what they come to over a window.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use super::moving::Moving;
use crate::fold::aggregate::{Fold, Rank};
use crate::fold::key::{self, Group, Key};
use crate::fold::window::{self, Blocks, Part};
use crate::matches::PatternMatch;
use crate::plan::LoadedRule;
use crate::rule::{Function, Pattern};
use crate::time::Second;

/// What follows from a group's panes.
#[derive(Clone, Debug)]
pub struct GroupView {
    /// Panes in which it has a match.
    pub seconds: BTreeSet<Second>,
    /// Merged, but for COUNT(DISTINCT): the union of many sets costs what they hold.
    blocks: Blocks<Vec<Fold>>,
    /// For each COUNT(DISTINCT) among the aggregates: its values, where they were last asked for.
    distinct: Vec<Option<RefCell<Moving>>>,
    /// Panes with matches that are new to this view.
    pub fresh: BTreeSet<Second>,
    /// Panes to be tested again, though nothing was added to them.
    pub again: BTreeSet<Second>,
}

impl GroupView {
    /// That of a group without panes.
    pub fn new(pattern: &Pattern, window: Second, caps: &[u32]) -> GroupView {
        let distinct = pattern.aggregates.iter().zip(caps);
        let distinct = distinct.map(|(aggregate, cap)| {
            let distinct = aggregate.function == Function::CountDistinct;
            distinct.then(|| RefCell::new(Moving::new(*cap)))
        });
        GroupView {
            seconds: BTreeSet::new(),
            blocks: Blocks::new(window),
            distinct: distinct.collect(),
            fresh: BTreeSet::new(),
            again: BTreeSet::new(),
        }
    }

    /// Adds a match, which the panes have already.
    pub fn add_match(
        &mut self,
        second: Second,
        pattern: &Pattern,
        (part, rank): (&PatternMatch, Rank),
        caps: &[u32],
    ) {
        self.add(second, pattern, |folds| {
            let folds = folds.iter_mut().zip(&part.inputs).zip(caps);
            for ((fold, input), cap) in folds.filter(|((fold, _), _)| is_in_blocks(fold)) {
                fold.add(input, rank, *cap);
            }
        });
    }

    /// Adds what a pane has.
    pub fn add_folds(&mut self, second: Second, pattern: &Pattern, more: &[Fold], caps: &[u32]) {
        self.add(second, pattern, |folds| {
            let folds = folds.iter_mut().zip(more).zip(caps);
            for ((fold, more), cap) in folds.filter(|((fold, _), _)| is_in_blocks(fold)) {
                fold.merge(more, *cap);
            }
        });
    }

    fn add(&mut self, second: Second, pattern: &Pattern, add: impl Fn(&mut Vec<Fold>)) {
        self.seconds.insert(second);
        self.fresh.insert(second);
        self.blocks.add(second, || key::empty_folds(pattern), add);
        for moving in self.distinct.iter_mut().flatten() {
            moving.get_mut().changed(second);
        }
    }

    /// Forgets what it knows of panes before `first`.
    pub fn drop_before(&mut self, first: Second) {
        self.seconds = self.seconds.split_off(&first);
        self.blocks.drop_before(first);
        for moving in self.distinct.iter_mut().flatten() {
            moving.get_mut().drop_before(first);
        }
    }
}

fn is_in_blocks(fold: &Fold) -> bool {
    !matches!(fold, Fold::CountDistinct(_))
}

/// A group with all that is needed to test it.
pub struct GroupAt<'a> {
    /// Its key.
    pub key: &'a Key,
    /// Its rule.
    pub loaded: &'a LoadedRule,
    /// The place of its pattern.
    pub place: usize,
    /// Its name.
    pub group: &'a Group,
    /// What follows from its panes.
    pub view: &'a GroupView,
    /// A window that was looked at held more than an aggregate keeps.
    pub capped: Cell<bool>,
}

impl GroupAt<'_> {
    /// Whether the test holds over the window that ends with the pane `second`, whose own folds
    /// are `own`. `lasting`: what holds for a part of the window holds for all of it.
    pub fn holds(&self, pattern: &Pattern, second: Second, own: &[Fold], lasting: bool) -> bool {
        let at_once = |aggregate: usize| own.get(aggregate).and_then(Fold::value);
        if lasting && pattern.having.holds(&at_once) {
            return true;
        }
        let range = window::ending_at(second, self.loaded.rule.window);
        pattern.having.holds(&|aggregate| {
            let fold = self.fold_over(aggregate, range.clone());
            fold.as_ref().and_then(Fold::value)
        })
    }

    /// A fold with the value that an aggregate has over `range`; `None`: there is no match. Of
    /// COUNT(DISTINCT) it is the count alone.
    pub fn fold_over(&self, aggregate: usize, range: RangeInclusive<Second>) -> Option<Fold> {
        let cap = self.loaded.caps_of(self.place).get(aggregate).copied();
        let cap = cap.unwrap_or(u32::MAX);
        if let Some(Some(moving)) = self.view.distinct.get(aggregate) {
            self.view.seconds.range(range.clone()).next()?;
            let set_at = |second| match self.fold_at(second, aggregate) {
                Some(Fold::CountDistinct(set)) => Some(set),
                Some(_) | None => None,
            };
            let mut moving = moving.borrow_mut();
            let count = moving.count_over(range, &self.view.seconds, set_at);
            self.note_capped(count > f64::from(cap));
            return Some(Fold::Count(count as u64));
        }
        let mut all: Option<Fold> = None;
        let mut merge = |more: Option<&Fold>| match (&mut all, more) {
            (Some(all), Some(more)) => all.merge(more, cap),
            (None, Some(more)) => all = Some(more.clone()),
            (Some(_) | None, None) => {}
        };
        self.view.blocks.over(range, |part| match part {
            Part::Block(folds) => merge(folds.get(aggregate)),
            Part::Panes(range) => {
                for second in self.view.seconds.range(range) {
                    merge(self.fold_at(*second, aggregate));
                }
            }
        });
        self.note_capped(all.as_ref().is_some_and(Fold::is_capped));
        all
    }

    fn note_capped(&self, capped: bool) {
        self.capped.set(self.capped.get() || capped);
    }

    fn fold_at(&self, second: Second, aggregate: usize) -> Option<&Fold> {
        let pane = self.key.panes.get(&second)?;
        pane.group(self.place, self.group)?.folds.get(aggregate)
    }
}
