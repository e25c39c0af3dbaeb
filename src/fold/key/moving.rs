//! Different values in a window that moves: each pane enters and leaves once, where a merge for
//! each position would look at all values each time.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use crate::fold::aggregate::{Distinct, Smallest};
use crate::fold::window::Timeline;
use crate::time::Second;

/// Seconds.
const FAR: Second = 60;

/// The different values in ranges of panes. There are two of them, since what is newest and what
/// becomes final are asked for in turn, hours apart.
#[derive(Clone, Debug)]
pub struct Moving {
    windows: [Window; 2],
}

impl Moving {
    /// That of an aggregate that keeps at most `max` values.
    pub fn new(max: u32) -> Moving {
        Moving {
            windows: [Window::new(max), Window::new(max)],
        }
    }

    /// The pane `second` was added to.
    pub fn changed(&mut self, second: Second) {
        for window in &mut self.windows {
            if window.range.as_ref().is_some_and(|at| at.contains(&second)) {
                window.changed.insert(second);
            }
        }
    }

    /// Forgets panes before `first`.
    pub fn drop_before(&mut self, first: Second) {
        for window in &mut self.windows {
            window.drop_before(first);
        }
    }

    /// Counts the different values in `range`. `seconds`: all panes that there are; `set_at`: the
    /// values of one.
    pub fn count_over<'a>(
        &mut self,
        range: RangeInclusive<Second>,
        seconds: &Timeline<()>,
        set_at: impl Fn(Second) -> Option<&'a Smallest<()>>,
    ) -> f64 {
        let [one, other] = &mut self.windows;
        let window = match one.distance(&range) <= other.distance(&range) {
            true => one,
            false => other,
        };
        window.count_over(range, seconds, set_at)
    }
}

#[derive(Clone, Debug)]
struct Window {
    /// `None`: nowhere yet.
    range: Option<RangeInclusive<Second>>,
    /// What each pane has given to `values`, so that it can be taken out as it was.
    panes: BTreeMap<Second, Smallest<()>>,
    /// Panes in the range that were added to since.
    changed: BTreeSet<Second>,
    values: Distinct,
}

impl Window {
    fn new(max: u32) -> Window {
        Window {
            range: None,
            panes: BTreeMap::new(),
            changed: BTreeSet::new(),
            values: Distinct::new(max),
        }
    }

    /// How far it would have to move; what is nowhere yet is taken rather than one that would have
    /// to go far.
    fn distance(&self, range: &RangeInclusive<Second>) -> Second {
        let end = self.range.as_ref().map(RangeInclusive::end);
        end.map_or(FAR, |end| range.end().abs_diff(*end).cast_signed())
    }

    fn drop_before(&mut self, first: Second) {
        self.changed = self.changed.split_off(&first);
        while let Some(entry) = self.panes.first_entry().filter(|at| *at.key() < first) {
            self.values.remove(&entry.remove());
        }
    }

    fn count_over<'a>(
        &mut self,
        range: RangeInclusive<Second>,
        seconds: &Timeline<()>,
        set_at: impl Fn(Second) -> Option<&'a Smallest<()>>,
    ) -> f64 {
        let (start, end) = (*range.start(), *range.end());
        self.drop_before(start);
        while let Some(entry) = self.panes.last_entry().filter(|at| *at.key() > end) {
            self.values.remove(&entry.remove());
        }
        let mut enter = std::mem::take(&mut self.changed);
        match self.range.replace(range) {
            Some(was) if *was.start() <= end && start <= *was.end() => {
                let before = start..=start.max(*was.start()) - 1;
                enter.extend(seconds.range(before).map(|(second, ())| second));
                let after = end.min(*was.end()) + 1..=end;
                enter.extend(seconds.range(after).map(|(second, ())| second));
            }
            Some(_) | None => {
                enter.extend(seconds.range(start..=end).map(|(second, ())| second));
            }
        }
        for second in enter.range(start..=end) {
            if let Some(set) = set_at(*second) {
                if let Some(was) = self.panes.insert(*second, set.clone()) {
                    self.values.remove(&was);
                }
                self.values.add(set);
            }
        }
        self.values.count()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Step {
        Add(Second, u64),
        Drop(Second),
        Count(Second, Second),
    }

    fn step() -> impl Strategy<Value = Step> {
        // Spread over all hashes, so that estimates differ.
        let hash = (0_u64..40).prop_map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        prop_oneof![
            6 => (0_i64..60, hash).prop_map(|(second, hash)| Step::Add(second, hash)),
            1 => (0_i64..20).prop_map(Step::Drop),
            4 => (0_i64..60, 0_i64..30).prop_map(|(from, width)| Step::Count(from, width)),
        ]
    }

    proptest! {
        #[test]
        fn it_counts_what_a_merge_does(
            steps in prop::collection::vec(step(), 0..150),
            max in 0_u32..12,
        ) {
            let mut panes: BTreeMap<Second, Smallest<()>> = BTreeMap::new();
            let mut moving = Moving::new(max);
            for step in steps {
                match step {
                    Step::Add(second, hash) => {
                        let pane = panes.entry(second).or_default();
                        pane.add(hash, (), max, |(), ()| ());
                        moving.changed(second);
                    }
                    Step::Drop(first) => {
                        panes = panes.split_off(&first);
                        moving.drop_before(first);
                    }
                    Step::Count(start, width) => {
                        let range = start..=start + width;
                        let mut all = Smallest::default();
                        for (_, pane) in panes.range(range.clone()) {
                            all.merge(pane, max, |(), ()| ());
                        }
                        let seconds = panes.keys().map(|second| (*second, ())).collect();
                        let found = moving.count_over(range, &seconds, |at| panes.get(&at));
                        prop_assert_eq!(found, all.count());
                    }
                }
            }
        }
    }
}
