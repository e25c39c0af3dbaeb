//! A sliding window over values that can be merged but not taken out again.
//!
//! Two stacks make a queue: the front holds merged suffixes, the back what came since it was
//! filled. Each value is merged about twice, however long the window.

use crate::time::Second;

/// The values of the last panes, merged on demand.
#[derive(Debug)]
pub struct Sliding<T> {
    front: Vec<(Second, T)>,
    back: Vec<(Second, T)>,
    /// All of `back`, merged.
    back_merged: Option<T>,
}

impl<T> Default for Sliding<T> {
    /// The window that holds nothing.
    fn default() -> Sliding<T> {
        Sliding {
            front: Vec::new(),
            back: Vec::new(),
            back_merged: None,
        }
    }
}

impl<T: Clone> Sliding<T> {
    /// Adds the value of `pane`, later than all before.
    pub fn push(&mut self, pane: Second, value: T, merge: impl Fn(&mut T, &T)) {
        match &mut self.back_merged {
            Some(merged) => merge(merged, &value),
            None => self.back_merged = Some(value.clone()),
        }
        self.back.push((pane, value));
    }

    /// Drops the values of panes before `first`.
    pub fn drop_before(&mut self, first: Second, merge: impl Fn(&mut T, &T)) {
        loop {
            if self.front.is_empty() {
                self.refill(&merge);
            }
            match self.front.last() {
                Some((pane, _)) if *pane < first => {
                    self.front.pop();
                }
                Some(_) | None => return,
            }
        }
    }

    /// All values in the window, merged; `None` when there are none.
    pub fn merged(&self, merge: impl Fn(&mut T, &T)) -> Option<T> {
        match (self.front.last(), &self.back_merged) {
            (Some((_, front)), Some(back)) => {
                let mut all = front.clone();
                merge(&mut all, back);
                Some(all)
            }
            (Some((_, one)), None) => Some(one.clone()),
            (None, back) => back.clone(),
        }
    }

    fn refill(&mut self, merge: &impl Fn(&mut T, &T)) {
        self.back_merged = None;
        while let Some((pane, mut value)) = self.back.pop() {
            if let Some((_, later)) = self.front.last() {
                merge(&mut value, later);
            }
            self.front.push((pane, value));
        }
    }
}
