//! What follows from a key's panes: where its patterns hold, where the rule triggers. Nothing of
//! it is stored; it is made from the panes when a key is loaded, and kept up with what is added.

mod group;
mod moving;

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use crate::fold::aggregate::{Fold, Rank};
use crate::fold::condition::{self, Inner};
use crate::fold::few::Few;
use crate::fold::key::{Group, Key, Pane, Trigger};
use crate::fold::window::{self, Blocks, Part, Ranges, Spans};
use crate::matches::{Match, PatternMatch};
use crate::plan::LoadedRule;
use crate::record::Hash;
use crate::rule::Pattern;
use crate::time::{DAY, Millis, Second, second_of};
use group::{GroupAt, GroupView};

/// What follows from a key's panes.
#[derive(Clone, Debug)]
pub struct View {
    /// In the order of the rule's patterns.
    pub patterns: Vec<PatternView>,
    /// Distinct events.
    events: Blocks<u64>,
    /// Where the operations of the condition trigger.
    pub inner: Vec<Inner>,
    /// Where the condition triggers and that is not final, by the last pane of what made it.
    pub triggers: BTreeMap<Second, Trigger>,
    /// Triggers that form one incident, the one that is final in part among them.
    pub spans: Spans,
    /// The watermark with which triggers were last found; `None`: they never were.
    pub evaluated: Option<Option<Second>>,
    /// The rule's `since` with which they were.
    pub since: Second,
    /// Where the values of a group are new, by the pattern's place, if that does not follow from
    /// the panes alone.
    pub known_new: Option<BTreeSet<(usize, Group, Second)>>,
}

/// The panes at which a pattern holds: by the groups that do, their earliest and latest match
/// there.
pub type Held = BTreeMap<Second, Few<Group, (Millis, Millis)>>;

/// What follows for one pattern.
#[derive(Clone, Debug)]
pub struct PatternView {
    groups: BTreeMap<Group, GroupView>,
    /// Groups to which something was added.
    fresh: BTreeSet<Group>,
    /// Panes in which it has a match.
    pub seconds: BTreeSet<Second>,
    /// Where it holds.
    pub held: Held,
    /// Windows that held more than its aggregates keep, since it was last asked.
    pub capped: u64,
    /// Where each combination that `new` asks for was seen: its earliest and latest match.
    seen: BTreeMap<Hash, BTreeMap<Second, (Millis, Millis)>>,
}

impl View {
    /// The view of a key's panes, without triggers.
    pub fn new(panes: &BTreeMap<Second, Pane>, loaded: &LoadedRule) -> View {
        let rule = &loaded.rule;
        let mut view = View {
            patterns: rule.patterns.iter().map(|_| PatternView::new()).collect(),
            events: Blocks::new(DAY),
            inner: Inner::all(&rule.condition),
            triggers: BTreeMap::new(),
            spans: Spans::default(),
            evaluated: None,
            since: 0,
            known_new: None,
        };
        for (second, pane) in panes {
            view.add_pane(*second, pane, loaded);
        }
        view
    }

    fn add_pane(&mut self, second: Second, pane: &Pane, loaded: &LoadedRule) {
        let rule = &loaded.rule;
        self.events
            .add(second, || 0, |events| *events += pane.events);
        for (place, share) in pane.patterns.iter() {
            let place = *place as usize;
            let (Some(pattern), Some(view)) =
                (rule.patterns.get(place), self.patterns.get_mut(place))
            else {
                continue;
            };
            view.seconds.insert(second);
            let caps = loaded.caps_of(place);
            for (group, found) in share.groups.iter() {
                let known = view.group(group, (pattern, rule.window), caps);
                known.add_folds(second, pattern, &found.folds, caps);
                for (combination, times) in &found.combinations {
                    let seen = view.seen.entry(*combination).or_default();
                    seen.insert(second, *times);
                }
            }
        }
    }

    /// Adds one record's match, which the panes have already. `rank`: the record's.
    pub fn add(&mut self, loaded: &LoadedRule, found: &Match, rank: Rank) {
        let rule = &loaded.rule;
        let second = second_of(rank.order);
        let mut counts = false;
        for part in &found.patterns {
            let place = part.pattern as usize;
            let (Some(pattern), Some(view)) =
                (rule.patterns.get(place), self.patterns.get_mut(place))
            else {
                continue;
            };
            counts |= rule.is_positive(place);
            view.add(
                second,
                rank,
                (pattern, rule.window),
                part,
                loaded.caps_of(place),
            );
        }
        if counts {
            self.events.add(second, || 0, |events| *events += 1);
        }
    }

    /// Forgets what it knows of panes before `first`.
    pub fn drop_before(&mut self, first: Second) {
        self.events.drop_before(first);
        for inner in &mut self.inner {
            inner.drop_before(first);
        }
        for pattern in &mut self.patterns {
            pattern.seconds = pattern.seconds.split_off(&first);
            pattern.held = pattern.held.split_off(&first);
            for group in pattern.groups.values_mut() {
                group.drop_before(first);
            }
            pattern.groups.retain(|_, group| !group.seconds.is_empty());
            for seen in pattern.seen.values_mut() {
                *seen = seen.split_off(&first);
            }
            pattern.seen.retain(|_, seen| !seen.is_empty());
        }
    }

    /// Distinct events in `range`.
    pub fn events(&self, panes: &BTreeMap<Second, Pane>, range: RangeInclusive<Second>) -> u64 {
        let mut events = 0;
        self.events.over(range, |part| match part {
            Part::Panes(range) => {
                events += panes.range(range).map(|(_, pane)| pane.events).sum::<u64>();
            }
            Part::Block(more) => events += more,
        });
        events
    }

    /// Tests anew what additions have changed; by pattern, the panes at which what holds differs.
    pub fn retest(&mut self, key: &Key, loaded: &LoadedRule) -> Vec<BTreeSet<Second>> {
        let known_new = self.known_new.as_ref();
        let patterns = self.patterns.iter_mut().zip(&loaded.rule.patterns);
        patterns
            .enumerate()
            .map(|(place, (view, pattern))| {
                view.retest(Retest {
                    key,
                    loaded,
                    place,
                    pattern,
                    known_new,
                })
            })
            .collect()
    }
}

/// What is to be tested anew of one pattern.
#[derive(Clone, Copy)]
struct Retest<'a> {
    key: &'a Key,
    loaded: &'a LoadedRule,
    place: usize,
    pattern: &'a Pattern,
    known_new: Option<&'a BTreeSet<(usize, Group, Second)>>,
}

impl PatternView {
    fn new() -> PatternView {
        PatternView {
            groups: BTreeMap::new(),
            fresh: BTreeSet::new(),
            seconds: BTreeSet::new(),
            held: BTreeMap::new(),
            capped: 0,
            seen: BTreeMap::new(),
        }
    }

    fn group(
        &mut self,
        group: &Group,
        (pattern, window): (&Pattern, Second),
        caps: &[u32],
    ) -> &mut GroupView {
        if !self.fresh.contains(group) {
            self.fresh.insert(group.clone());
        }
        self.groups
            .entry(group.clone())
            .or_insert_with(|| GroupView::new(pattern, window, caps))
    }

    fn add(
        &mut self,
        second: Second,
        rank: Rank,
        (pattern, window): (&Pattern, Second),
        part: &PatternMatch,
        caps: &[u32],
    ) {
        self.seconds.insert(second);
        let mut next = None;
        if let Some(combination) = part.combination {
            let seen = self.seen.entry(combination).or_default();
            let times = seen.entry(second).or_insert((rank.order, rank.order));
            *times = (times.0.min(rank.order), times.1.max(rank.order));
            next = seen.range(second + 1..).next().map(|(next, _)| *next);
        }
        let view = self.group(&part.group, (pattern, window), caps);
        view.add_match(second, pattern, (part, rank), caps);
        // What comes next of the same combination is perhaps no longer new.
        view.again.extend(next);
    }

    fn retest(&mut self, retest: Retest<'_>) -> BTreeSet<Second> {
        let mut changed = BTreeSet::new();
        let mut groups = std::mem::take(&mut self.groups);
        for group in std::mem::take(&mut self.fresh) {
            if let Some(view) = groups.get_mut(&group) {
                self.retest_group(retest, (&group, view), &mut changed);
                view.fresh.clear();
                view.again.clear();
            }
        }
        self.groups = groups;
        changed
    }

    fn retest_group(
        &mut self,
        retest: Retest<'_>,
        (group, view): (&Group, &GroupView),
        changed: &mut BTreeSet<Second>,
    ) {
        let Retest {
            key,
            loaded,
            place,
            pattern,
            ..
        } = retest;
        let lasting = condition::is_monotone(pattern);
        let reached = view.fresh.iter();
        let reached = reached.map(|p| window::reached_by(*p, loaded.rule.window));
        let ranges = Ranges::union(reached.chain(view.again.iter().map(|p| *p..=*p)));
        for second in ranges.iter().flat_map(|range| view.seconds.range(range)) {
            let known = self.held.get(second).and_then(|held| held.get(group));
            if lasting && known.is_some() && !view.fresh.contains(second) {
                continue;
            }
            let pane = key.panes.get(second);
            let Some(found) = pane.and_then(|pane| pane.group(place, group)) else {
                continue;
            };
            let group_at = GroupAt {
                key,
                loaded,
                place,
                group,
                view,
                capped: Cell::new(false),
            };
            let is_new = || match retest.known_new {
                Some(known) => known.contains(&(place, group.clone(), *second)),
                None => self.is_new(key, (place, pattern), *second, &found.combinations),
            };
            let holds = lasting && known.is_some()
                || (pattern.new.is_none() || is_new())
                    && group_at.holds(pattern, *second, &found.folds, lasting);
            self.capped += u64::from(group_at.capped.get());
            let now = holds.then_some((found.earliest, found.latest));
            if known.copied() != now {
                changed.insert(*second);
                self.hold(*second, group, now);
            }
        }
    }

    fn hold(&mut self, second: Second, group: &Group, now: Option<(Millis, Millis)>) {
        let held = self.held.entry(second).or_default();
        match now {
            Some(times) => held.change(group, || times, |known| *known = times),
            None => held.remove(group),
        }
        if held.is_empty() {
            self.held.remove(&second);
        }
    }

    /// Whether one of these combinations, seen in the pane `second`, had not been seen for the
    /// pattern's period.
    pub fn is_new(
        &self,
        key: &Key,
        (place, pattern): (usize, &Pattern),
        second: Second,
        combinations: &BTreeMap<Hash, (Millis, Millis)>,
    ) -> bool {
        let Some(new) = &pattern.new else { return true };
        combinations.iter().any(|(combination, (earliest, _))| {
            let seen = self.seen.get(combination);
            let before = seen
                .and_then(|seen| seen.range(..second).next_back())
                .map(|(_, (_, latest))| *latest)
                .or_else(|| key.seen_before.get(&(place as u32, *combination)).copied());
            before.is_none_or(|latest| latest < earliest - new.period * 1000)
        })
    }

    /// The last match of a combination that is known of.
    pub fn last_seen(&self, key: &Key, place: usize, combination: Hash) -> Option<Millis> {
        let seen = self.seen.get(&combination);
        let last = seen.and_then(|seen| seen.last_key_value());
        let last = last.map(|(_, (_, latest))| *latest);
        last.max(key.seen_before.get(&(place as u32, combination)).copied())
    }

    /// A fold with the value that an aggregate of a group has over `range`; `None`: the group has
    /// no match there.
    pub fn fold_over(
        &self,
        key: &Key,
        loaded: &LoadedRule,
        (place, group): (usize, &Group),
        aggregate: usize,
        range: RangeInclusive<Second>,
    ) -> Option<Fold> {
        let view = self.groups.get(group)?;
        GroupAt {
            key,
            loaded,
            place,
            group,
            view,
            capped: Cell::new(false),
        }
        .fold_over(aggregate, range)
    }
}
