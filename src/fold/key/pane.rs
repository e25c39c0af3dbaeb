//! What one second of event time has seen.

use std::cmp::Ordering;
use std::num::NonZeroU64;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::canary::{self, Canary};
use crate::correlation::CorrelationId;
use crate::fold::aggregate::{Accumulator, Rank};
use crate::fold::few::Few;
use crate::fold::window::Timeline;
use crate::matches::{Input, Match, MatchedRecord, PatternMatch};
use crate::plan::LoadedRule;
use crate::record::{Hash, Parts, Position};
use crate::rule::Pattern;
use crate::time::Millis;

/// Group-by values of a pattern beyond the join key, in lower case; `None`: absent.
pub type Group = Vec<Option<String>>;

/// What many seconds have seen. What lies between them is looked at without looking at them.
pub type Panes = Timeline<Box<Pane>>;

/// The panes at which a pattern holds: by the groups that do, their matches there.
pub type Held = Timeline<Few<Group, Order>>;

/// What one second of event time has seen.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Pane {
    /// Distinct events that match a pattern of the condition that is not negated.
    pub events: u32,
    /// By the pattern's place in the rule.
    pub patterns: Few<u32, PatternPane>,
    /// Bytes of memory that it takes beyond those of a usual pane, about.
    #[serde(skip)]
    pub extra: Extra,
}

/// Bytes of memory, about: equal to any other, since what holds the same may have grown otherwise.
#[derive(Clone, Copy, Debug, Default)]
pub struct Extra(pub u32);

impl PartialEq for Extra {
    fn eq(&self, Extra(_): &Extra) -> bool {
        true
    }
}

/// What a group of a pane takes beyond the first, with what follows from it, about.
const GROUP_BYTES: usize = 600;

/// What a value takes that an accumulator keeps, about.
const VALUE_BYTES: usize = 48;

/// One pattern's share of a pane.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PatternPane {
    /// By the group-by values beyond the join key.
    pub groups: Few<Group, GroupPane>,
    /// The first events, at most as many as an incident names; none where the pattern gives no
    /// evidence.
    pub marks: Marks,
}

/// The first events of a pattern, ascending.
pub type Marks = SmallVec<[Arc<Mark>; 1]>;

/// One for each aggregate of a pattern; most have one.
pub type Accumulators = SmallVec<[Accumulator; 1]>;

/// One group's share of a pane.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupPane {
    /// One for each aggregate of the pattern.
    pub accumulators: Accumulators,
    /// Earliest and latest match.
    pub order: Order,
    /// Of each combination that `new` asks for: its earliest and its latest match.
    pub combinations: Few<Hash, Instants>,
}

/// From the earliest to the latest of some instants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instants {
    /// The earliest.
    pub earliest: Millis,
    /// The latest.
    pub latest: Millis,
}

impl Instants {
    /// That of one instant.
    pub fn at(time: Millis) -> Instants {
        Instants {
            earliest: time,
            latest: time,
        }
    }

    /// That of the instants of both.
    pub fn with(self, other: Instants) -> Instants {
        Instants {
            earliest: self.earliest.min(other.earliest),
            latest: self.latest.max(other.latest),
        }
    }
}

/// The earliest and the latest match of a group in a pane: what orders it within a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// The earliest.
    pub earliest: End,
    /// The latest.
    pub latest: End,
}

impl Order {
    /// That of one event.
    fn of(event: Event<'_>) -> Order {
        let instant = End {
            time: event.mark.time,
            only: event.only,
        };
        Order {
            earliest: instant,
            latest: instant,
        }
    }

    /// That of the events of both.
    pub fn with(self, other: Order) -> Order {
        Order {
            earliest: self.earliest.earlier(other.earliest),
            latest: self.latest.later(other.latest),
        }
    }
}

/// An end of the span of some events: a millisecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// The millisecond.
    pub time: Millis,
    /// The event, where it is that of one only; `None`: of several, or nothing asks for it.
    pub only: Option<NonZeroU64>,
}

impl End {
    /// The earlier one of two; of two at once that of all their events.
    pub fn earlier(self, other: End) -> End {
        self.first(self.time.cmp(&other.time), other)
    }

    /// The later one of two; of two at once that of all their events.
    pub fn later(self, other: End) -> End {
        self.first(other.time.cmp(&self.time), other)
    }

    fn first(self, order: Ordering, other: End) -> End {
        match order {
            Ordering::Less => self,
            Ordering::Greater => other,
            Ordering::Equal => End {
                only: self.only.filter(|only| Some(*only) == other.only),
                ..self
            },
        }
    }

    /// Whether an event of `other` can come after one of this. At one instant either may be first,
    /// but two events are needed.
    pub fn comes_before(self, other: End) -> bool {
        let is_one = self.only.is_some() && self.only == other.only;
        self.time < other.time
            || self.time == other.time && (!is_one || canary::is(Canary::FollowsItself))
    }
}

/// An event that may become evidence. Ordered as evidence is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Mark {
    /// Event time.
    pub time: Millis,
    /// Hash of the record's bytes.
    pub hash: Hash,
    /// Place of the source topic in the state's list of topics.
    pub topic: u32,
    /// Source partition.
    pub partition: u32,
    /// Position in the source partition.
    pub position: Position,
    /// `eventType`.
    pub event_type: Option<Arc<str>>,
    /// `correlationId`.
    pub correlation_id: Option<CorrelationId>,
    /// `resourceId`.
    pub resource_id: Option<Arc<str>>,
}

/// Where a matched record was read, as the state numbers topics.
#[derive(Clone, Copy, Debug)]
pub struct Origin {
    /// Place of the source topic in the state's list of topics.
    pub topic: u32,
    /// Source partition.
    pub partition: u32,
}

/// A record that matched, as a rule's panes take it.
#[derive(Clone, Copy, Debug)]
pub struct Event<'r> {
    /// As evidence.
    pub mark: &'r Arc<Mark>,
    /// Its place among all others.
    pub rank: Rank,
    /// What tells it from all others, where the rule asks whether two events are one.
    pub only: Option<NonZeroU64>,
}

impl<'r> Event<'r> {
    /// The event of a mark, as a rule's panes take it.
    pub fn of(loaded: &LoadedRule, mark: &'r Arc<Mark>) -> Event<'r> {
        let rank = match loaded.tells_events_apart {
            true => rank(mark),
            false => Rank {
                order: mark.time,
                tie: mark.hash,
                event: 0,
            },
        };
        let only = NonZeroU64::new(rank.event ^ u64::from(mark.topic));
        Event {
            mark,
            rank,
            only: only.filter(|_| loaded.tells_events_apart),
        }
    }
}

impl Mark {
    /// That of a record. `share`: makes its texts.
    pub fn of(
        record: &MatchedRecord,
        origin: Origin,
        mut share: impl FnMut(&str) -> Arc<str>,
    ) -> Mark {
        let event_type = record.event_type.as_deref().map(&mut share);
        let resource_id = record.resource_id.as_deref().map(&mut share);
        Mark {
            time: record.time,
            hash: record.hash,
            topic: origin.topic,
            partition: origin.partition,
            position: record.position,
            event_type,
            // The records of one action share it, and no others.
            correlation_id: record.correlation_id.as_deref().map(CorrelationId::from),
            resource_id,
        }
    }
}

impl Pane {
    /// What a group of the pattern at `place` has.
    pub fn group(&self, place: usize, group: &Group) -> Option<&GroupPane> {
        self.patterns.get(&(place as u32))?.groups.get(group)
    }

    /// Adds one record's match.
    pub fn add(&mut self, loaded: &LoadedRule, event: Event<'_>, found: &Match) {
        let rule = &loaded.rule;
        let mut counts = false;
        for part in &found.patterns {
            let place = part.pattern as usize;
            let Some(pattern) = rule.patterns.get(place) else {
                continue;
            };
            let is_positive = rule.is_positive(place);
            counts |= is_positive;
            let share = self
                .patterns
                .get_or_insert_with(&part.pattern, PatternPane::default);
            let Some(share) = share else { continue };
            if is_positive {
                share.mark(event.mark, loaded.settings.limits.evidence);
            }
            let empty = || GroupPane::empty(pattern, event);
            let before = share.groups.len();
            if let Some(group) = share.groups.get_or_insert_with(&part.group, empty) {
                group.add(event, part, loaded.caps_of(place));
            }
            let is_more = before > 0 && share.groups.len() > before;
            let more = usize::from(is_more) * GROUP_BYTES + kept_bytes(part);
            self.extra.0 = self.extra.0.saturating_add(more as u32);
        }
        self.events = self.events.saturating_add(u32::from(counts));
    }

    /// Adds all that `other` has seen.
    pub fn merge(&mut self, other: &Pane, loaded: &LoadedRule) {
        self.events = self.events.saturating_add(other.events);
        self.extra.0 = self.extra.0.saturating_add(other.extra.0);
        for (place, theirs) in other.patterns.iter() {
            let ours = self
                .patterns
                .get_or_insert_with(place, PatternPane::default);
            let Some(ours) = ours else { continue };
            for mark in &theirs.marks {
                ours.mark(mark, loaded.settings.limits.evidence);
            }
            let caps = loaded.caps_of(*place as usize);
            for (group, more) in theirs.groups.iter() {
                match ours.groups.get_mut(group) {
                    Some(known) => known.merge(more, caps),
                    None => {
                        ours.groups.insert(group.clone(), more.clone());
                    }
                }
            }
        }
    }
}

/// What a match may add to what accumulators keep, and its group's name, about.
fn kept_bytes(part: &PatternMatch) -> usize {
    let inputs = part.inputs.iter().flat_map(Input::each);
    let values = inputs.map(|input| match input {
        Input::Absent | Input::Present | Input::Several(_) => 0,
        Input::Distinct(_) | Input::Integer(_) | Input::Float(_) => VALUE_BYTES,
        Input::Text(text) => VALUE_BYTES + text.len(),
    });
    let names = part.group.iter().flatten().map(String::len);
    let combinations = part.combinations.len() * 2 * VALUE_BYTES;
    values.sum::<usize>() + names.sum::<usize>() + combinations
}

impl PatternPane {
    /// Keeps an event if it is among the first `max`.
    fn mark(&mut self, mark: &Arc<Mark>, max: u32) {
        let is_full = self.marks.len() >= max as usize;
        if is_full && self.marks.last().is_none_or(|last| last < mark) {
            return;
        }
        if let Err(place) = self.marks.binary_search(mark) {
            self.marks.insert(place, Arc::clone(mark));
            self.marks.truncate(max as usize);
        }
    }
}

impl GroupPane {
    fn empty(pattern: &Pattern, event: Event<'_>) -> GroupPane {
        GroupPane {
            accumulators: empty_accumulators(pattern),
            order: Order::of(event),
            combinations: Few::None,
        }
    }

    fn add(&mut self, event: Event<'_>, part: &PatternMatch, caps: &[u32]) {
        let rank = event.rank;
        self.order = self.order.with(Order::of(event));
        let accumulators = self.accumulators.iter_mut().zip(&part.inputs).zip(caps);
        for ((accumulator, input), cap) in accumulators {
            accumulator.add(input, rank, *cap);
        }
        for combination in &part.combinations {
            self.seen(*combination, Instants::at(rank.order));
        }
    }

    fn merge(&mut self, other: &GroupPane, caps: &[u32]) {
        self.order = self.order.with(other.order);
        let accumulators = self
            .accumulators
            .iter_mut()
            .zip(&other.accumulators)
            .zip(caps);
        for ((accumulator, other), cap) in accumulators {
            accumulator.merge(other, *cap);
        }
        for (combination, instants) in other.combinations.iter() {
            self.seen(*combination, *instants);
        }
    }

    fn seen(&mut self, combination: Hash, instants: Instants) {
        match self.combinations.get_mut(&combination) {
            Some(known) => *known = known.with(instants),
            None => {
                self.combinations.insert(combination, instants);
            }
        }
    }
}

/// The accumulators of a pattern's aggregates that have seen nothing.
pub fn empty_accumulators(pattern: &Pattern) -> Accumulators {
    let aggregates = pattern.aggregates.iter();
    aggregates.map(|a| Accumulator::empty(a.function)).collect()
}

/// The place of an event among all others, whatever the order in which they came.
pub fn rank(mark: &Mark) -> Rank {
    let Position {
        epoch,
        offset,
        index,
    } = mark.position;
    let mut parts = Parts::default();
    parts.add(&mark.partition.to_be_bytes());
    parts.add(&epoch.to_be_bytes());
    parts.add(&offset.to_be_bytes());
    parts.add(&index.to_be_bytes());
    parts.add(&mark.hash.0);
    Rank {
        order: mark.time,
        tie: mark.hash,
        event: parts.hash().first_bytes(),
    }
}
