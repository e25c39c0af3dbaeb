//! What follows from a key's panes: where its patterns hold, where the rule triggers. Nothing of
//! it is stored; it is made from the panes when a key is needed, and kept up with what is added.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::fold::aggregate::{Accumulator, Rank};
use crate::fold::few::Few;
use crate::fold::key::group::{GroupAt, GroupView, PatternAt};
use crate::fold::key::inner::{Inner, Triggers};
use crate::fold::key::pane::{Group, GroupPane, Held, Instants, Order, Pane, Panes};
use crate::fold::key::rows::Combination;
use crate::fold::key::runs::Runs;
use crate::fold::key::stored::{Seen, Stored};
use crate::fold::window::{self, Blocks, Part, Ranges, Seconds, Spans, Timeline};
use crate::incident::AttributeValue;
use crate::matches::{Match, PatternMatch};
use crate::plan::LoadedRule;
use crate::record::Hash;
use crate::rule::reach::is_monotone;
use crate::time::{DAY, Second, second_of};

/// What follows from a key's panes.
#[derive(Clone, Debug)]
pub struct Derived {
    /// In the order of the rule's patterns.
    pub patterns: Vec<PatternView>,
    /// Distinct events.
    events: Blocks<u64>,
    /// Where the operations of the condition trigger.
    pub inner: Vec<Inner>,
    /// Where the condition triggers and that is not final, by the last pane of what made it.
    pub triggers: Triggers,
    /// Triggers that form one incident, the one that is final in part among them.
    pub spans: Spans,
    /// The watermark with which triggers were last found; `None`: they never were.
    pub evaluated: Option<Option<Second>>,
    /// The rule's `since` with which they were.
    pub since: Second,
    /// The values of aggregates that incidents show at triggers, where they were asked for.
    measured: RefCell<Timeline<Measured>>,
    /// Where the values of a group are new, if that does not follow from the panes alone.
    pub known_new: Option<BTreeSet<NewAt>>,
}

/// Where the values of a group are new.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NewAt {
    /// The pattern's place.
    pub pattern: usize,
    /// The group.
    pub group: Group,
    /// The pane.
    pub second: Second,
}

/// The values at one trigger, in the order of the rule's measures.
pub type Measured = Arc<[AttributeValue]>;

/// What follows for one pattern.
#[derive(Clone, Debug, Default)]
pub struct PatternView {
    groups: Few<Group, GroupView>,
    /// Groups to which something was added.
    fresh: Few<Group, ()>,
    /// Panes in which it has a match.
    pub seconds: Timeline<()>,
    /// Where it holds.
    pub held: Held,
    /// Windows that held more than its aggregates keep, since it was last asked.
    pub capped: u64,
    /// Where each combination that `new` asks for was seen.
    seen: BTreeMap<Hash, Timeline<Instants>>,
    /// Where the values change that must differ from those of another pattern; `None`: none must.
    pub runs: Option<Runs>,
}

impl Derived {
    /// What follows from panes, without triggers.
    pub fn new(panes: &Panes, loaded: &LoadedRule) -> Derived {
        let rule = &loaded.rule;
        let patterns = (0..rule.patterns.len()).map(|place| PatternView {
            runs: rule.differing(place).map(Runs::new),
            ..PatternView::default()
        });
        let mut derived = Derived {
            patterns: patterns.collect(),
            events: Blocks::new(DAY),
            inner: Inner::all(rule),
            triggers: Triggers::default(),
            spans: Spans::default(),
            evaluated: None,
            since: 0,
            measured: RefCell::default(),
            known_new: None,
        };
        for (second, pane) in panes.iter() {
            derived.add_pane(second, pane, loaded);
        }
        derived.begin_blocks(panes, loaded);
        derived
    }

    fn add_pane(&mut self, second: Second, pane: &Pane, loaded: &LoadedRule) {
        for (place, share) in pane.patterns.iter() {
            let place = *place as usize;
            let (Some(at), Some(view)) =
                (PatternAt::of(loaded, place), self.patterns.get_mut(place))
            else {
                continue;
            };
            view.seconds.insert(second, ());
            for (group, found) in share.groups.iter() {
                if let Some(known) = view.group(group, at) {
                    known.touch(second);
                }
                for (combination, instants) in found.combinations.iter() {
                    let seen = view.seen.entry(*combination).or_default();
                    seen.insert(second, *instants);
                }
            }
        }
    }

    /// Has blocks kept where there are panes enough.
    fn begin_blocks(&mut self, panes: &Panes, loaded: &LoadedRule) {
        self.begin_events(panes);
        for (place, view) in self.patterns.iter_mut().enumerate() {
            let Some(at) = PatternAt::of(loaded, place) else {
                continue;
            };
            for (group, known) in view.groups.iter_mut() {
                known.begin_blocks(at, group, panes);
            }
        }
    }

    /// Adds one record's match, which the panes have already. `rank`: the record's.
    pub fn add(&mut self, loaded: &LoadedRule, panes: &Panes, found: &Match, rank: Rank) {
        let rule = &loaded.rule;
        let second = second_of(rank.order);
        let mut counts = false;
        for part in &found.patterns {
            let place = part.pattern as usize;
            let (Some(at), Some(view)) =
                (PatternAt::of(loaded, place), self.patterns.get_mut(place))
            else {
                continue;
            };
            counts |= rule.is_positive(place);
            view.add(at, panes, part, rank);
        }
        if !loaded.measures.is_empty() {
            let reached = second..=second + 2 * rule.window;
            self.forget_measured(std::iter::once(reached));
        }
        if !self.begin_events(panes) && counts {
            self.events.add(second, || 0, |events| *events += 1);
        }
    }

    /// Has blocks kept of all events, if there are panes enough and that has not begun; whether it
    /// began.
    fn begin_events(&mut self, panes: &Panes) -> bool {
        let begins = self.events.begin(panes.len());
        for (second, pane) in panes.iter().filter(|_| begins) {
            self.events
                .add(second, || 0, |events| *events += u64::from(pane.events));
        }
        begins
    }

    /// What `measure` gives for the trigger at `t`; it is asked once, until something that it
    /// depends on changes.
    pub fn measured(&self, t: Second, measure: impl FnOnce() -> Measured) -> Measured {
        if let Some(known) = self.measured.borrow().get(t) {
            return Arc::clone(known);
        }
        let measured = measure();
        self.measured.borrow_mut().insert(t, Arc::clone(&measured));
        measured
    }

    /// Forgets the values at triggers in some ranges, which may differ now.
    pub fn forget_measured(&mut self, changed: impl Iterator<Item = RangeInclusive<Second>>) {
        let measured = self.measured.get_mut();
        for range in changed {
            let within: Vec<Second> = measured.range(range).map(|(t, _)| t).collect();
            for t in within {
                measured.remove(t);
            }
        }
    }

    /// Forgets the values at triggers before `first`.
    pub fn drop_measured_before(&mut self, first: Second) {
        self.measured.get_mut().drop_before(first);
    }

    /// Forgets what it knows of panes before `first`.
    pub fn drop_before(&mut self, first: Second) {
        self.events.drop_before(first);
        for inner in &mut self.inner {
            inner.drop_before(first);
        }
        for pattern in &mut self.patterns {
            pattern.drop_before(first);
        }
    }

    /// Distinct events in `range`.
    pub fn events(&self, panes: &Panes, range: RangeInclusive<Second>) -> u64 {
        let mut events = 0;
        self.events.over(range, |part| match part {
            Part::Panes(range) => {
                events += panes
                    .range(range)
                    .map(|(_, pane)| u64::from(pane.events))
                    .sum::<u64>();
            }
            Part::Block(more) => events += more,
        });
        events
    }

    /// Tests anew what additions have changed; by pattern, the panes at which what holds differs.
    pub fn retest(&mut self, stored: &Stored, loaded: &LoadedRule) -> SmallVec<[Seconds; 1]> {
        let known_new = self.known_new.as_ref();
        let patterns = self.patterns.iter_mut().enumerate();
        patterns
            .map(|(place, view)| match PatternAt::of(loaded, place) {
                Some(at) => view.retest(Retest {
                    stored,
                    at,
                    known_new,
                }),
                None => Seconds::default(),
            })
            .collect()
    }
}

/// What is to be tested anew of one pattern.
#[derive(Clone, Copy)]
struct Retest<'a> {
    stored: &'a Stored,
    at: PatternAt<'a>,
    known_new: Option<&'a BTreeSet<NewAt>>,
}

impl PatternView {
    fn group(&mut self, group: &Group, at: PatternAt<'_>) -> Option<&mut GroupView> {
        if self.fresh.get(group).is_none() {
            self.fresh.insert(group.clone(), ());
        }
        self.groups.get_or_insert_with(group, || GroupView::new(at))
    }

    fn add(&mut self, at: PatternAt<'_>, panes: &Panes, part: &PatternMatch, rank: Rank) {
        let second = second_of(rank.order);
        self.seconds.insert(second, ());
        let mut next: SmallVec<[Second; 1]> = SmallVec::new();
        for combination in &part.combinations {
            let seen = self.seen.entry(*combination).or_default();
            let instants = Instants::at(rank.order);
            if let Some(known) = seen.get_or_insert_with(second, || instants) {
                *known = known.with(instants);
            }
            next.extend(seen.first_from(second + 1).map(|(next, _)| next));
        }
        let Some(view) = self.group(&part.group, at) else {
            return;
        };
        view.add_match(at, panes, part, rank);
        // What comes next of the same combination is perhaps no longer new.
        for next in next {
            view.again.insert(next);
        }
    }

    fn drop_before(&mut self, first: Second) {
        self.seconds.drop_before(first);
        self.held.drop_before(first);
        if let Some(runs) = &mut self.runs {
            runs.drop_before(first);
        }
        self.groups.retain(|_, group| {
            group.drop_before(first);
            !group.seconds.is_empty()
        });
        self.seen.retain(|_, seen| {
            seen.drop_before(first);
            !seen.is_empty()
        });
    }

    fn retest(&mut self, retest: Retest<'_>) -> Seconds {
        let mut changed = Seconds::default();
        for (group, ()) in std::mem::take(&mut self.fresh).iter() {
            self.retest_group(retest, group, &mut changed);
            if let Some(view) = self.groups.get_mut(group) {
                view.fresh = Seconds::default();
                view.again = Seconds::default();
            }
        }
        if let Some(runs) = &mut self.runs {
            changed
                .iter()
                .for_each(|second| runs.changed(&self.held, second));
        }
        changed
    }

    fn retest_group(&mut self, retest: Retest<'_>, group: &Group, changed: &mut Seconds) {
        let PatternView {
            groups,
            held,
            capped,
            seen,
            ..
        } = self;
        let Some(view) = groups.get(group) else {
            return;
        };
        let Retest { stored, at, .. } = retest;
        let PatternAt { loaded, place, .. } = at;
        let lasting = is_monotone(at.pattern);
        let reached = view.fresh.iter();
        let reached = reached.map(|p| window::reached_by(p, loaded.rule.window));
        let ranges = Ranges::union(reached.chain(view.again.iter().map(|p| p..=p)));
        let seconds = ranges.iter().flat_map(|range| view.seconds.range(range));
        for (second, ()) in seconds {
            let known = held.get(second).and_then(|held| held.get(group)).copied();
            if lasting && known.is_some() && !view.fresh.contains(second) {
                continue;
            }
            let pane = stored.panes.get(second);
            let Some(found) = pane.and_then(|pane| pane.group(place, group)) else {
                continue;
            };
            let group_at = GroupAt::new(stored, at, group, view);
            let is_new = || match retest.known_new {
                Some(known) => known.contains(&NewAt {
                    pattern: place,
                    group: group.clone(),
                    second,
                }),
                None => is_new(seen, &stored.seen, at, second, found),
            };
            let holds = lasting && known.is_some()
                || (at.pattern.new.is_none() || is_new())
                    && group_at.holds(second, &found.accumulators, lasting);
            *capped += u64::from(group_at.capped.get());
            let now = holds.then_some(found.order);
            if known != now {
                changed.insert(second);
                hold(held, second, group, now);
            }
        }
    }

    /// Whether one of a group's combinations, seen in the pane `second`, had not been seen for the
    /// pattern's period. `before`: when they were seen before the panes that are kept.
    pub fn is_new(
        &self,
        before: &Seen,
        at: PatternAt<'_>,
        second: Second,
        found: &GroupPane,
    ) -> bool {
        is_new(&self.seen, before, at, second, found)
    }

    /// The last match of a combination that is known of.
    pub fn last_seen(&self, before: &Seen, place: usize, combination: Hash) -> Option<i64> {
        let seen = self.seen.get(&combination);
        let last = seen.and_then(Timeline::last);
        let last = last.map(|(_, instants)| instants.latest);
        last.max(before.last(&Combination::of(place, combination)))
    }

    /// An accumulator with the value that an aggregate of a group has over `range`; `None`: the
    /// group has no match there.
    pub fn accumulated(
        &self,
        stored: &Stored,
        at: PatternAt<'_>,
        group: &Group,
        aggregate: usize,
        range: RangeInclusive<Second>,
    ) -> Option<Accumulator> {
        let view = self.groups.get(group)?;
        GroupAt::new(stored, at, group, view).accumulated(aggregate, range)
    }
}

fn hold(held: &mut Held, second: Second, group: &Group, now: Option<Order>) {
    match now {
        Some(order) => {
            if let Some(groups) = held.get_or_insert_with(second, Few::default) {
                groups.insert(group.clone(), order);
            }
        }
        None => {
            if let Some(groups) = held.get_mut(second) {
                groups.remove(group);
                if groups.is_empty() {
                    held.remove(second);
                }
            }
        }
    }
}

fn is_new(
    seen: &BTreeMap<Hash, Timeline<Instants>>,
    before: &Seen,
    at: PatternAt<'_>,
    second: Second,
    found: &GroupPane,
) -> bool {
    let Some(new) = &at.pattern.new else {
        return true;
    };
    found.combinations.iter().any(|(combination, instants)| {
        let seen = seen.get(combination);
        let last = seen.and_then(|seen| seen.last_before(second));
        let last = last
            .map(|(_, instants)| instants.latest)
            .or_else(|| before.last(&Combination::of(at.place, *combination)));
        last.is_none_or(|latest| latest < instants.earliest - new.period * 1000)
    })
}
