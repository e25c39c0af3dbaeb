//! Partial merges over blocks of 16, 256, .. seconds, so that what a long window holds is found
//! without a look at each of its panes.

use std::ops::RangeInclusive;

use super::Timeline;
use crate::time::Second;

/// Blocks of one level lie in one of the next.
const FAN: Second = 16;

/// A part of a range of panes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part<'b, T> {
    /// Panes that no block covers.
    Panes(RangeInclusive<Second>),
    /// All panes of a block, merged.
    Block(&'b T),
}

/// What the panes of each block hold, merged. The panes themselves are kept elsewhere.
#[derive(Clone, Debug)]
pub struct Blocks<T> {
    width: Second,
    /// By the number of the block; the first level's blocks are the smallest. Empty while there
    /// are so few panes that a look at each is cheaper.
    levels: Vec<Timeline<T>>,
}

/// So many panes are looked at one by one.
const FEW_PANES: usize = 32;

impl<T> Blocks<T> {
    /// Blocks for windows of `width` seconds; none that would hardly fit into a window.
    pub fn new(width: Second) -> Blocks<T> {
        Blocks {
            width,
            levels: Vec::new(),
        }
    }

    /// There are so many panes that blocks are worth while, and none are kept yet. From here on
    /// they are: all panes are to be added.
    pub fn begin(&mut self, panes: usize) -> bool {
        if panes <= FEW_PANES || !self.levels.is_empty() {
            return false;
        }
        let sizes = std::iter::successors(Some(FAN), |size| Some(size * FAN));
        let levels = sizes.take_while(|size| 2 * size <= self.width);
        self.levels = levels.map(|_| Timeline::default()).collect();
        !self.levels.is_empty()
    }

    /// Adds something to every block that pane `p` lies in.
    pub fn add(&mut self, p: Second, empty: impl Fn() -> T, add: impl Fn(&mut T)) {
        let mut number = p;
        for level in &mut self.levels {
            number = number.div_euclid(FAN);
            if let Some(block) = level.get_or_insert_with(number, &empty) {
                add(block);
            }
        }
    }

    /// Cuts `range` into as few parts as possible, ascending. Blocks without panes are left out.
    pub fn over(&self, range: RangeInclusive<Second>, mut each: impl FnMut(Part<'_, T>)) {
        if self.levels.is_empty() {
            return each(Part::Panes(range));
        }
        let (mut next, end) = range.into_inner();
        let mut loose: Option<Second> = None;
        while next <= end {
            let Some((size, number, level)) = self.largest_at(next, end) else {
                loose.get_or_insert(next);
                next = end.min(next + FAN - 1 - next.rem_euclid(FAN)) + 1;
                continue;
            };
            if let Some(first) = loose.take() {
                each(Part::Panes(first..=next - 1));
            }
            if let Some(block) = level.get(number) {
                each(Part::Block(block));
            }
            next += size;
        }
        if let Some(first) = loose {
            each(Part::Panes(first..=end));
        }
    }

    /// The largest block that begins at `start` and does not go beyond `end`.
    fn largest_at(&self, start: Second, end: Second) -> Option<(Second, Second, &Timeline<T>)> {
        let mut size = 1;
        let mut largest = None;
        for level in &self.levels {
            size *= FAN;
            if start.rem_euclid(size) != 0 || start + size - 1 > end {
                break;
            }
            largest = Some((size, start.div_euclid(size), level));
        }
        largest
    }

    /// Drops the blocks all of whose panes lie before `first`.
    pub fn drop_before(&mut self, first: Second) {
        let mut number = first;
        for level in &mut self.levels {
            number = number.div_euclid(FAN);
            level.drop_before(number);
        }
    }
}
