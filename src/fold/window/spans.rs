//! Triggers that belong together, kept as they come and go.

use std::ops::RangeInclusive;

use super::Timeline;
use crate::time::Second;

/// Runs of linked seconds, by their first; the value is the last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spans {
    spans: Timeline<Second>,
}

impl Spans {
    /// Adds a run that lies apart from all others.
    pub fn insert(&mut self, first: Second, last: Second) {
        self.spans.insert(first, last);
    }

    /// Drops the run that begins at `first`.
    pub fn remove(&mut self, first: Second) {
        self.spans.remove(first);
    }

    /// Adds a second. `linked(a, b)` says whether `b` continues a run that has got to `a`.
    pub fn add(&mut self, t: Second, linked: impl Fn(Second, Second) -> bool) {
        let before = self.spans.last_before(t + 1).map(|(f, l)| (f, *l));
        if before.is_some_and(|(_, last)| t <= last) {
            // Inside a run, which it can only make tighter.
            return;
        }
        let after = self.spans.first_from(t + 1).map(|(f, l)| (f, *l));
        let first = match before.filter(|(_, last)| linked(*last, t)) {
            Some((first, _)) => first,
            None => t,
        };
        let last = match after.filter(|(first, _)| linked(t, *first)) {
            Some((first, last)) => {
                self.spans.remove(first);
                last
            }
            None => t,
        };
        self.spans.insert(first, last);
    }

    /// Takes a second out. `before` and `after` are its neighbours among all seconds that remain.
    pub fn take(
        &mut self,
        t: Second,
        before: Option<Second>,
        after: Option<Second>,
        linked: impl Fn(Second, Second) -> bool,
    ) {
        let Some((first, last)) = self.containing(t) else {
            return;
        };
        self.spans.remove(first);
        let before = before.filter(|before| *before >= first);
        let after = after.filter(|after| *after <= last);
        match (before, after) {
            (Some(before), Some(after)) if !linked(before, after) => {
                self.spans.insert(first, before);
                self.spans.insert(after, last);
            }
            (Some(_), Some(_)) => self.insert(first, last),
            (Some(before), None) => self.insert(first, before),
            (None, Some(after)) => self.insert(after, last),
            (None, None) => {}
        }
    }

    /// Looks anew whether the neighbours `before` and `after` belong to one run.
    pub fn relink(
        &mut self,
        before: Second,
        after: Second,
        linked: impl Fn(Second, Second) -> bool,
    ) {
        let together = self
            .containing(before)
            .is_some_and(|(_, last)| after <= last);
        match (together, linked(before, after)) {
            (true, false) => {
                if let Some((first, last)) = self.containing(before) {
                    self.insert(first, before);
                    self.insert(after, last);
                }
            }
            (false, true) => {
                if let (Some((first, _)), Some(last)) =
                    (self.containing(before), self.spans.remove(after))
                {
                    self.insert(first, last);
                }
            }
            (true, true) | (false, false) => {}
        }
    }

    /// The run that `t` lies in.
    pub fn containing(&self, t: Second) -> Option<(Second, Second)> {
        let (first, last) = self.spans.last_before(t.saturating_add(1))?;
        (t <= *last).then_some((first, *last))
    }

    /// The last second of the run that begins at `first`.
    pub fn last_of(&self, first: Second) -> Option<Second> {
        self.spans.get(first).copied()
    }

    /// The runs that have a second in `range`, or lie around it, ascending.
    pub fn touching(
        &self,
        range: RangeInclusive<Second>,
    ) -> impl Iterator<Item = (Second, Second)> + '_ {
        let (start, end) = range.into_inner();
        let start = self.containing(start).map_or(start, |(first, _)| first);
        self.spans
            .range(start..=end.max(start))
            .filter(move |(first, _)| *first <= end || *first == start)
            .map(|(first, last)| (first, *last))
    }

    /// All runs, ascending.
    pub fn iter(&self) -> impl Iterator<Item = (Second, Second)> + '_ {
        self.spans.iter().map(|(first, last)| (first, *last))
    }
}
