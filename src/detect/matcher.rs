//! Records against the filters of a plan's rules.

use std::collections::BTreeMap;
use std::sync::Arc;

use smallvec::SmallVec;

use super::facet::Facet;
use super::index::{Candidate, Index};
use super::kinds::Kinds;
use super::prefilter::{Prefilter, Untold, Validate};
use super::several::{At, Shares, TooMany};
use super::sharing::Sharing;
use super::value::{folded, text_of};
use crate::bounded;
use crate::decode::{self, Decoder, Draft, Message, Refused, Reject, Work};
use crate::event::{Attribute, AttributeId, Attributes, Event};
use crate::matches::{self, Match, MatchedRecord, PatternMatch};
use crate::plan::Plan;
use crate::record::{Hash, Parts, Position};
use crate::rule::own::Own;
use crate::rule::scalar::Look;
use crate::rule::{New, Rule};
use crate::stopwatch::{Clock, Nanos, Stopwatch};
use crate::time::{FUTURE_MAX, Millis};

/// One record of a message and what became of it, or neighbours that were refused.
pub struct Record<'m> {
    /// Its place in the message; of several the first one's.
    pub index: u32,
    /// Its bytes as received; of several all from the first to the last.
    pub bytes: &'m [u8],
    /// What became of it.
    pub outcome: Found,
}

/// What became of a record.
pub enum Found {
    /// It was refused, for this reason, perhaps with neighbours.
    Rejected(Refused),
    /// It is an event.
    Event {
        /// Event time, cut to no later than allowed.
        time: Millis,
        /// Its own time lay in the future.
        future: bool,
        /// A regular expression saw the beginning of a value only.
        partly: bool,
        /// It has more values than groups and keys count.
        capped: bool,
        /// What matched; its position is still to be filled in.
        matched: Option<MatchedRecord>,
    },
}

/// The rules of a plan, compiled to be tested against records. Clones share what is compiled.
#[derive(Clone)]
pub struct Matcher {
    decoder: Arc<Decoder>,
    rules: Arc<[Ruled]>,
    index: Index,
    sharing: Sharing,
    shown: Shown,
    sieve: Option<Sieve>,
    /// By place of the rule.
    stopwatch: Stopwatch<u32>,
    /// Ids of the rules because of which there is none although one was asked for.
    untold: Arc<[String]>,
}

/// What tells messages that are not read from others.
#[derive(Clone)]
struct Sieve {
    prefilter: Prefilter,
    /// Reads the first record of a message, for its time.
    first: Arc<Decoder>,
}

impl Sieve {
    /// For these rules.
    fn of(
        rules: &[&Rule],
        attributes: &Attributes,
        decoding: decode::Limits,
        own: &Arc<Own>,
    ) -> Result<Sieve, Untold> {
        let prefilter = Prefilter::of(rules, attributes, own)?;
        // Else a record would be looked through for anything that is known of it.
        let mut few = Attributes::default();
        few.intern(Attribute::Named("eventType"));
        Ok(Sieve {
            prefilter,
            first: Arc::new(Decoder::with_own(&few, decoding, own)),
        })
    }
}

/// A rule, and the name of its state.
struct Ruled {
    rule: Rule,
    fingerprint: Hash,
}

/// Attributes that every match carries for its incident's evidence.
#[derive(Clone, Copy, Debug)]
struct Shown {
    event_type: AttributeId,
    correlation_id: AttributeId,
    resource_id: AttributeId,
}

impl Matcher {
    /// The rules of `plan`, in its order.
    pub fn new(plan: &Plan) -> Matcher {
        Matcher::with(plan, Validate::All)
    }

    /// The same, and which messages are read.
    pub fn with(plan: &Plan, validate: Validate) -> Matcher {
        let mut attributes = Attributes::default();
        let shown = Shown {
            event_type: attributes.intern(Attribute::Named("eventType")),
            correlation_id: attributes.intern(Attribute::Named("correlationId")),
            resource_id: attributes.intern(Attribute::Named("resourceId")),
        };
        let rules = plan.rules.iter().map(|(loaded, _)| Ruled {
            rule: loaded
                .rule
                .moved_with(&loaded.attributes, &mut attributes, &plan.contents),
            fingerprint: loaded.fingerprint,
        });
        let rules: Vec<Ruled> = rules.collect();
        let own = plan
            .rules
            .first()
            .map(|(loaded, _)| loaded.rule.lists.own());
        let own = own.cloned().unwrap_or_default();
        let all: Vec<&Rule> = rules.iter().map(|ruled| &ruled.rule).collect();
        let patterns = all.iter().flat_map(|rule| &rule.patterns);
        let (sieve, untold) = match validate {
            Validate::All => (None, Untold::new()),
            Validate::Matching => match Sieve::of(&all, &attributes, plan.decoding, &own) {
                Ok(sieve) => (Some(sieve), Untold::new()),
                Err(untold) => (None, untold),
            },
        };
        let untold = untold.iter().filter_map(|(rule, _)| all.get(*rule));
        let mut untold: Vec<String> = untold.map(|rule| rule.id.clone()).collect();
        untold.dedup();
        Matcher {
            decoder: Arc::new(Decoder::with_own(&attributes, plan.decoding, &own)),
            index: Index::new(&all, &attributes, shown.event_type),
            sharing: Sharing::of(patterns.map(|pattern| &pattern.filter)),
            stopwatch: Stopwatch::default(),
            rules: rules.into(),
            shown,
            sieve,
            untold: untold.into(),
        }
    }

    /// Some events are timed by this clock from now on.
    pub fn time_by(&mut self, clock: &Clock) {
        self.stopwatch.go_by(Clock::clone(clock));
    }

    /// What came since that was last taken.
    pub fn take_kinds(&mut self) -> Kinds {
        self.index.take_kinds()
    }

    /// About how long filters took since that was last taken, by place of the rule.
    pub fn take_times(&mut self) -> BTreeMap<u32, Nanos> {
        self.stopwatch.take()
    }

    /// Ids of rules that may match in any message, where only some are to be read.
    pub fn untold(&self) -> &[String] {
        &self.untold
    }

    /// Whether a record of a message may match, or nothing can be told before it is read.
    pub fn may_match(&mut self, payload: &[u8]) -> bool {
        let sieve = self.sieve.as_mut();
        sieve.is_none_or(|sieve| sieve.prefilter.may_match(payload))
    }

    /// When the first record happened of a message in which none may match, if it is an event.
    pub fn first_time(&self, payload: &[u8], timestamp: Option<Millis>) -> Option<Millis> {
        let decoder = &self.sieve.as_ref()?.first;
        let message = decoder.message(payload, timestamp);
        let mut records = decoder.records(&message);
        let first = records.next()?.outcome.ok()?;
        Some(not_in_future(first.time(), message.timestamp()).0)
    }

    /// A message that is to be read. `timestamp` is its own.
    pub fn message<'m>(&self, payload: &'m [u8], timestamp: Option<Millis>) -> Message<'m> {
        self.decoder.message(payload, timestamp)
    }

    /// The records of a message, in order, held against the rules.
    pub fn records<'m>(&'m mut self, message: &'m Message<'_>) -> Records<'m> {
        let Matcher {
            decoder,
            rules,
            index,
            sharing,
            shown,
            stopwatch,
            ..
        } = self;
        Records {
            records: decoder.records(message),
            timestamp: message.timestamp(),
            index,
            against: Against {
                rules,
                sharing,
                shown: *shown,
                stopwatch,
            },
        }
    }
}

/// The records of a message, held against the rules one by one as they are asked for.
pub struct Records<'m> {
    records: decode::Records<'m>,
    timestamp: Option<Millis>,
    index: &'m mut Index,
    against: Against<'m>,
}

impl<'m> Records<'m> {
    /// The next record, or neighbours that were refused; nothing where the message ends.
    pub fn next(&mut self) -> Option<Record<'m>> {
        let record = self.records.next()?;
        let outcome = match record.outcome {
            Err(refused) => Found::Rejected(refused.clone()),
            Ok(draft) => found(
                draft,
                record.bytes,
                self.timestamp,
                self.index,
                &mut self.against,
            ),
        };
        Some(Record {
            index: record.index,
            bytes: record.bytes,
            outcome,
        })
    }

    /// What reading took so far.
    pub fn work(&self) -> Work {
        self.records.work()
    }
}

/// What becomes of an event.
fn found(
    mut draft: Draft<'_, '_>,
    bytes: &[u8],
    timestamp: Option<Millis>,
    index: &mut Index,
    against: &mut Against<'_>,
) -> Found {
    let (time, future) = not_in_future(draft.time(), timestamp);
    let candidates = index.candidates(&mut draft, time);
    let outcome = match candidates.is_empty() {
        true => Ok(Outcome::default()),
        false => {
            let candidates = candidates.each().collect();
            against.outcome(candidates, draft.whole(), bytes)
        }
    };
    match outcome {
        Ok(outcome) => Found::Event {
            time,
            future,
            partly: outcome.partly,
            capped: outcome.capped,
            matched: outcome.matched.map(|record| MatchedRecord {
                time,
                future,
                ..record
            }),
        },
        Err(TooMany) => Found::Rejected(Refused::one(
            Reject::MatchTooLarge,
            "more than a million values for one rule".to_owned(),
        )),
    }
}

/// What rules made of an event.
#[derive(Default)]
struct Outcome {
    matched: Option<MatchedRecord>,
    capped: bool,
    partly: bool,
}

/// Filters that may hold for an event, with their numbers, in order.
type Few = SmallVec<[(u32, Candidate); 8]>;

/// What events are held against.
struct Against<'r> {
    rules: &'r [Ruled],
    sharing: &'r mut Sharing,
    shown: Shown,
    stopwatch: &'r mut Stopwatch<u32>,
}

impl Against<'_> {
    /// What the candidates make of an event.
    fn outcome(
        &mut self,
        candidates: Few,
        event: &Event<'_>,
        bytes: &[u8],
    ) -> Result<Outcome, TooMany> {
        let look = Look::at(event.time);
        let (matches, capped) = self.matches(&candidates, event, &look)?;
        let shown = self.shown;
        Ok(Outcome {
            matched: (!matches.is_empty()).then(|| record(shown, event, bytes, matches)),
            capped,
            partly: look.omitted.any(),
        })
    }

    fn matches(
        &mut self,
        candidates: &[(u32, Candidate)],
        event: &Event<'_>,
        look: &Look,
    ) -> Result<(Vec<Match>, bool), TooMany> {
        let mut matches: Vec<Match> = Vec::new();
        let mut capped = false;
        self.sharing.clear();
        self.stopwatch.next();
        for of_rule in candidates.chunk_by(|(_, a), (_, b)| a.rule == b.rule) {
            let place = of_rule.first().map(|(_, first)| first.rule);
            let ruled = place.and_then(|place| Some((place, self.rules.get(place as usize)?)));
            let Some((place, ruled)) = ruled else {
                continue;
            };
            let first = matches.len();
            let mut several = false;
            let mut passed: SmallVec<[u32; 4]> = SmallVec::new();
            for (filter, candidate) in of_rule {
                let number = candidate.pattern;
                let Some(pattern) = ruled.rule.patterns.get(number as usize) else {
                    continue;
                };
                if self.sharing.passes(*filter, &pattern.filter, event, look) {
                    passed.push(number);
                    let facet = Facet {
                        pattern,
                        event,
                        look,
                    };
                    if facet.has_several() {
                        several = true;
                    } else {
                        let own = (place, &ruled.rule);
                        add_pattern(&mut matches, own, number, facet);
                    }
                }
            }
            if several {
                matches.truncate(first);
                let own = (place, ruled);
                capped |= add_several(&mut matches, own, &passed, event, look)?;
            }
            self.stopwatch.lap(place);
        }
        Ok((matches, capped))
    }
}

fn not_in_future(time: Millis, timestamp: Option<Millis>) -> (Millis, bool) {
    match timestamp {
        Some(timestamp) if time > timestamp + FUTURE_MAX => (timestamp, true),
        Some(_) | None => (time, false),
    }
}

fn record(shown: Shown, event: &Event<'_>, bytes: &[u8], matches: Vec<Match>) -> MatchedRecord {
    let text = |id| Some(bounded::value(&text_of(event.get(id)?)).into_owned());
    MatchedRecord {
        position: Position::default(),
        time: event.time,
        future: false,
        hash: Hash::of(bytes),
        event_type: text(shown.event_type),
        correlation_id: text(shown.correlation_id),
        resource_id: text(shown.resource_id),
        matches,
    }
}

/// Adds the matches of a rule, of whose patterns these were passed by an event in which attributes
/// have several values. Whether there were more than count.
fn add_several(
    matches: &mut Vec<Match>,
    (place, ruled): (u32, &Ruled),
    passed: &[u32],
    event: &Event<'_>,
    look: &Look,
) -> Result<bool, TooMany> {
    let at = At {
        rule: &ruled.rule,
        fingerprint: ruled.fingerprint,
    };
    let mut shares = Shares::default();
    for number in passed {
        if let Some(pattern) = ruled.rule.patterns.get(*number as usize) {
            let facet = Facet {
                pattern,
                event,
                look,
            };
            shares.add(at, *number, facet)?;
        }
    }
    let (by_key, capped) = shares.bounded(at);
    matches.extend(by_key.into_iter().map(|(key, patterns)| Match {
        rule: place,
        key,
        patterns,
    }));
    Ok(capped)
}

/// Adds a pattern to the match of its rule and join key, which is made if it is the first.
fn add_pattern(
    matches: &mut Vec<Match>,
    (place, rule): (u32, &Rule),
    number: u32,
    facet: Facet<'_>,
) {
    let pattern = facet.pattern;
    let value = |place: usize| {
        let id = pattern.group_by.get(place)?;
        facet.value(*id).map(|value| folded(&value))
    };
    let in_key: Vec<usize> = rule
        .join_key
        .iter()
        .filter_map(|part| part.places.get(number as usize).copied())
        .collect();
    let key: Vec<Option<String>> = in_key.iter().map(|place| value(*place)).collect();
    let beyond = (0..pattern.group_by.len()).filter(|place| !in_key.contains(place));
    let found = PatternMatch {
        pattern: number,
        group: beyond.map(value).collect(),
        inputs: pattern
            .aggregates
            .iter()
            .map(|aggregate| facet.input(aggregate))
            .collect(),
        combinations: pattern
            .new
            .iter()
            .map(|new| combination(new, facet))
            .collect(),
    };
    match matches
        .iter_mut()
        .find(|known| known.rule == place && known.key == key)
    {
        Some(known) => known.patterns.push(found),
        None => matches.push(Match {
            rule: place,
            key,
            patterns: vec![found],
        }),
    }
}

/// The values that must be new, as one hash.
fn combination(new: &New, facet: Facet<'_>) -> Hash {
    let values: Vec<Option<String>> = new
        .attributes
        .iter()
        .map(|id| facet.value(*id).map(|value| folded(&value)))
        .collect();
    let mut parts = Parts::default();
    matches::add_values(&mut parts, &values);
    parts.hash()
}
