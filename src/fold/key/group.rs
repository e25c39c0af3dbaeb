//! One group of one pattern: its panes, and what they come to over a window.

use std::cell::{Cell, RefCell};
use std::ops::RangeInclusive;

use crate::fold::aggregate::{Accumulator, Rank};
use crate::fold::key::moving::Moving;
use crate::fold::key::pane::{Accumulators, Group, Pane, Panes, empty_accumulators};
use crate::fold::key::stored::Stored;
use crate::fold::window::{self, Blocks, Part, Seconds, Timeline};
use crate::matches::PatternMatch;
use crate::plan::LoadedRule;
use crate::rule::{Function, Pattern};
use crate::time::{Second, second_of};

/// A pattern of a rule.
#[derive(Clone, Copy, Debug)]
pub struct PatternAt<'a> {
    /// The rule.
    pub loaded: &'a LoadedRule,
    /// The pattern's place in it.
    pub place: usize,
    /// The pattern.
    pub pattern: &'a Pattern,
}

impl<'a> PatternAt<'a> {
    /// The one at this place, if there is one.
    pub fn of(loaded: &'a LoadedRule, place: usize) -> Option<PatternAt<'a>> {
        let pattern = loaded.rule.patterns.get(place)?;
        Some(PatternAt {
            loaded,
            place,
            pattern,
        })
    }

    /// How many values each of its aggregates keeps.
    pub fn caps(&self) -> &'a [u32] {
        self.loaded.caps_of(self.place)
    }
}

/// What follows from a group's panes.
#[derive(Clone, Debug)]
pub struct GroupView {
    /// Panes in which it has a match.
    pub seconds: Timeline<()>,
    /// Merged, but for COUNT(DISTINCT): the union of many sets costs what they hold.
    blocks: Blocks<Accumulators>,
    /// For each COUNT(DISTINCT) among the aggregates: its values, where they were last asked for.
    /// Empty where there is none.
    distinct: Vec<Option<RefCell<Moving>>>,
    /// Panes with matches that are new to this view.
    pub fresh: Seconds,
    /// Panes to be tested again, though nothing was added to them.
    pub again: Seconds,
}

impl GroupView {
    /// That of a group without panes.
    pub fn new(at: PatternAt<'_>) -> GroupView {
        let aggregates = &at.pattern.aggregates;
        let is_distinct = |function| function == Function::CountDistinct;
        let distinct = match aggregates.iter().any(|a| is_distinct(a.function)) {
            false => Vec::new(),
            true => {
                let moving = aggregates.iter().zip(at.caps()).map(|(aggregate, cap)| {
                    is_distinct(aggregate.function).then(|| RefCell::new(Moving::new(*cap)))
                });
                moving.collect()
            }
        };
        GroupView {
            seconds: Timeline::default(),
            blocks: Blocks::new(at.loaded.rule.window),
            distinct,
            fresh: Seconds::default(),
            again: Seconds::default(),
        }
    }

    /// A pane has something of it that is new to this view.
    pub fn touch(&mut self, second: Second) {
        self.seconds.insert(second, ());
        self.fresh.insert(second);
        for moving in self.distinct.iter_mut().flatten() {
            moving.get_mut().changed(second);
        }
    }

    /// Adds a match, which the panes have already.
    pub fn add_match(&mut self, at: PatternAt<'_>, panes: &Panes, part: &PatternMatch, rank: Rank) {
        let second = second_of(rank.order);
        self.touch(second);
        if self.begin_blocks(at, &part.group, panes) {
            return;
        }
        let add = |accumulators: &mut Accumulators| {
            let accumulators = accumulators.iter_mut().zip(&part.inputs).zip(at.caps());
            for ((accumulator, input), cap) in
                accumulators.filter(|((accumulator, _), _)| is_in_blocks(accumulator))
            {
                accumulator.add(input, rank, *cap);
            }
        };
        self.blocks
            .add(second, || empty_accumulators(at.pattern), add);
    }

    /// Has blocks kept of all panes, if there are enough and that has not begun; whether it began.
    pub fn begin_blocks(&mut self, at: PatternAt<'_>, group: &Group, panes: &Panes) -> bool {
        if !self.blocks.begin(self.seconds.len()) {
            return false;
        }
        for second in self.seconds.seconds() {
            let pane = panes.get(second);
            let Some(more) = pane.and_then(|pane| pane.group(at.place, group)) else {
                continue;
            };
            let merge = |accumulators: &mut Accumulators| {
                let accumulators = accumulators
                    .iter_mut()
                    .zip(&more.accumulators)
                    .zip(at.caps());
                for ((accumulator, more), cap) in
                    accumulators.filter(|((accumulator, _), _)| is_in_blocks(accumulator))
                {
                    accumulator.merge(more, *cap);
                }
            };
            self.blocks
                .add(second, || empty_accumulators(at.pattern), merge);
        }
        true
    }

    /// Forgets what it knows of panes before `first`.
    pub fn drop_before(&mut self, first: Second) {
        self.seconds.drop_before(first);
        self.blocks.drop_before(first);
        for moving in self.distinct.iter_mut().flatten() {
            moving.get_mut().drop_before(first);
        }
    }
}

fn is_in_blocks(accumulator: &Accumulator) -> bool {
    !matches!(accumulator, Accumulator::CountDistinct(_))
}

/// A group with all that is needed to test it.
pub struct GroupAt<'a> {
    stored: &'a Stored,
    at: PatternAt<'a>,
    group: &'a Group,
    view: &'a GroupView,
    /// A window that was looked at held more than an aggregate keeps.
    pub capped: Cell<bool>,
}

impl<'a> GroupAt<'a> {
    /// A group of a key's pattern.
    pub fn new(
        stored: &'a Stored,
        at: PatternAt<'a>,
        group: &'a Group,
        view: &'a GroupView,
    ) -> GroupAt<'a> {
        GroupAt {
            stored,
            at,
            group,
            view,
            capped: Cell::new(false),
        }
    }

    /// Whether the test holds over the window that ends with the pane `second`, whose own
    /// accumulators are `own`. `lasting`: what holds for a part of the window holds for all of it.
    pub fn holds(&self, second: Second, own: &[Accumulator], lasting: bool) -> bool {
        let having = &self.at.pattern.having;
        let at_once = |aggregate: usize| own.get(aggregate).and_then(Accumulator::value);
        if lasting && having.holds(&at_once) {
            return true;
        }
        let range = window::ending_at(second, self.at.loaded.rule.window);
        having.holds(&|aggregate| {
            let accumulated = self.accumulated(aggregate, range.clone());
            accumulated.as_ref().and_then(Accumulator::value)
        })
    }

    /// An accumulator with the value that an aggregate has over `range`; `None`: there is no match.
    /// Of COUNT(DISTINCT) it is the count alone.
    pub fn accumulated(
        &self,
        aggregate: usize,
        range: RangeInclusive<Second>,
    ) -> Option<Accumulator> {
        let cap = self.at.caps().get(aggregate).copied().unwrap_or(u32::MAX);
        if let Some(Some(moving)) = self.view.distinct.get(aggregate) {
            self.view.seconds.range(range.clone()).next()?;
            let set_at = |second| match self.accumulator_at(second, aggregate) {
                Some(Accumulator::CountDistinct(set)) => Some(&**set),
                Some(_) | None => None,
            };
            let mut moving = moving.borrow_mut();
            let count = moving.count_over(range, &self.view.seconds, set_at);
            self.note_capped(count > f64::from(cap));
            return Some(Accumulator::Count(count as u64));
        }
        let mut all: Option<Accumulator> = None;
        let mut merge = |more: Option<&Accumulator>| match (&mut all, more) {
            (Some(all), Some(more)) => all.merge(more, cap),
            (None, Some(more)) => all = Some(more.clone()),
            (Some(_) | None, None) => {}
        };
        self.view.blocks.over(range, |part| match part {
            Part::Block(accumulators) => merge(accumulators.get(aggregate)),
            Part::Panes(range) if self.is_everywhere() => {
                for (_, pane) in self.stored.panes.range(range) {
                    merge(self.accumulator_of(pane, aggregate));
                }
            }
            Part::Panes(range) => {
                for (second, ()) in self.view.seconds.range(range) {
                    merge(self.accumulator_at(second, aggregate));
                }
            }
        });
        self.note_capped(all.as_ref().is_some_and(Accumulator::is_capped));
        all
    }

    fn note_capped(&self, capped: bool) {
        self.capped.set(self.capped.get() || capped);
    }

    /// Each pane has a match of it: then panes need not be looked up one by one.
    fn is_everywhere(&self) -> bool {
        self.view.seconds.len() == self.stored.panes.len()
    }

    fn accumulator_at(&self, second: Second, aggregate: usize) -> Option<&'a Accumulator> {
        self.accumulator_of(self.stored.panes.get(second)?, aggregate)
    }

    fn accumulator_of(&self, pane: &'a Pane, aggregate: usize) -> Option<&'a Accumulator> {
        pane.group(self.at.place, self.group)?
            .accumulators
            .get(aggregate)
    }
}
