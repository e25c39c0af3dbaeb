//! Records against the filters of a plan's rules.

use std::borrow::Cow;
use std::sync::Arc;

use smallvec::SmallVec;

use super::facet::Facet;
use super::index::{Candidate, Index};
use super::prefilter::{Prefilter, Untold, Validate};
use super::several::{At, Shares, TooMany};
use super::sharing::Sharing;
use crate::bounded;
use crate::canonical;
use crate::decode::{self, Decoder, Drafted, Refused, Reject, Work};
use crate::event::{Attribute, AttributeId, Attributes, Event, Value};
use crate::matches::{self, Input, Match, MatchedRecord, PatternMatch};
use crate::normalise;
use crate::plan::Plan;
use crate::record::{Hash, Parts, Position};
use crate::rule::filter::Look;
use crate::rule::own::Own;
use crate::rule::{Aggregate, Function, New, Rule};
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

/// The rules of a plan, compiled to be tested against records.
pub struct Matcher {
    decoder: Decoder,
    rules: Vec<Ruled>,
    index: Index,
    sharing: Sharing,
    shown: Shown,
    sieve: Option<Sieve>,
    /// Ids of the rules because of which there is none although one was asked for.
    untold: Vec<String>,
}

/// What tells messages that are not read from others.
struct Sieve {
    prefilter: Prefilter,
    /// Reads the first record of a message, for its time.
    first: Decoder,
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
        let limits = decode::Limits {
            records: 1,
            ..decoding
        };
        Ok(Sieve {
            prefilter,
            first: Decoder::with_own(&few, limits, own),
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
        // The texts are those that made the plan's rules, so they parse, each to one rule.
        let rules: Vec<Ruled> = plan
            .rules
            .iter()
            .filter_map(|(loaded, _)| {
                let rule = loaded.rule.again(&mut attributes).ok()?;
                let fingerprint = loaded.fingerprint;
                Some(Ruled { rule, fingerprint })
            })
            .collect();
        debug_assert_eq!(rules.len(), plan.rules.len());
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
            decoder: Decoder::with_own(&attributes, plan.decoding, &own),
            index: Index::new(&all, &attributes, shown.event_type),
            sharing: Sharing::of(patterns.map(|pattern| &pattern.filter)),
            rules,
            shown,
            sieve,
            untold,
        }
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
        let timestamp = normalise::timestamp(timestamp);
        let mut first = None;
        let decoder = &self.sieve.as_ref()?.first;
        decoder.decode(payload, timestamp, &mut |decoded| {
            let event = decoded.outcome.ok();
            first = first.or(event.map(|event| not_in_future(event.time, timestamp).0));
        });
        first
    }

    /// Calls `each` for every record of a message, in order.
    pub fn each_record<'m>(
        &mut self,
        payload: &'m [u8],
        timestamp: Option<Millis>,
        each: &mut dyn FnMut(Record<'m>),
    ) -> Work {
        let Matcher {
            decoder,
            rules,
            index,
            sharing,
            shown,
            ..
        } = self;
        let timestamp = normalise::timestamp(timestamp);
        let each = &mut |drafted: Drafted<'m, '_, '_>| {
            let outcome = match drafted.outcome {
                Err(refused) => Found::Rejected(refused.clone()),
                Ok(mut draft) => {
                    let (time, future) = not_in_future(draft.time(), timestamp);
                    let candidates = index.candidates(&mut draft);
                    let found = match candidates.is_empty() {
                        true => Ok(Outcome::default()),
                        false => {
                            let held_against = HeldAgainst {
                                candidates: candidates.each().collect(),
                                rules,
                                sharing,
                            };
                            held_against.outcome(*shown, draft.whole(), drafted.bytes)
                        }
                    };
                    match found {
                        Ok(found) => Found::Event {
                            time,
                            future,
                            partly: found.partly,
                            capped: found.capped,
                            matched: found.matched.map(|record| MatchedRecord {
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
            };
            each(Record {
                index: drafted.index,
                bytes: drafted.bytes,
                outcome,
            });
        };
        decoder.draft(payload, timestamp, each)
    }
}

/// What rules made of an event.
#[derive(Default)]
struct Outcome {
    matched: Option<MatchedRecord>,
    capped: bool,
    partly: bool,
}

/// The filters that an event is held against.
struct HeldAgainst<'r> {
    /// With their numbers, in order.
    candidates: SmallVec<[(u32, Candidate); 8]>,
    rules: &'r [Ruled],
    sharing: &'r mut Sharing,
}

impl HeldAgainst<'_> {
    /// What they make of it.
    fn outcome(self, shown: Shown, event: &Event<'_>, bytes: &[u8]) -> Result<Outcome, TooMany> {
        let look = Look::at(event.time);
        let (matches, capped) = self.matches(event, &look)?;
        Ok(Outcome {
            matched: (!matches.is_empty()).then(|| record(shown, event, bytes, matches)),
            capped,
            partly: look.omitted.any(),
        })
    }

    fn matches(self, event: &Event<'_>, look: &Look) -> Result<(Vec<Match>, bool), TooMany> {
        let mut matches: Vec<Match> = Vec::new();
        let mut capped = false;
        self.sharing.clear();
        for of_rule in self.candidates.chunk_by(|(_, a), (_, b)| a.rule == b.rule) {
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
            .map(|aggregate| input(aggregate, facet))
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

/// What an aggregate reads of an event.
pub(crate) fn input(aggregate: &Aggregate, facet: Facet<'_>) -> Input {
    let Some(id) = aggregate.input else {
        return Input::Present;
    };
    read(aggregate, facet.value(id).as_deref())
}

/// What an aggregate reads of one value.
pub(super) fn read(aggregate: &Aggregate, value: Option<&Value<'_>>) -> Input {
    let Some(value) = value else {
        return Input::Absent;
    };
    match aggregate.function {
        Function::Count | Function::Span => Input::Present,
        Function::CountDistinct => {
            let text = text_of(value);
            let spelled = canonical::address(&text);
            let text = spelled.unwrap_or_else(|| text.to_ascii_lowercase());
            let hash = Hash::of(text.as_bytes());
            Input::Distinct(hash.first_bytes())
        }
        Function::First | Function::Last | Function::Mode => Input::Text(folded(value)),
        Function::Sum
        | Function::Avg
        | Function::Min
        | Function::Max
        | Function::Median
        | Function::Percentile(_)
        | Function::Stddev
        | Function::Variance
        | Function::PctChange => number(value),
    }
}

fn number(value: &Value<'_>) -> Input {
    match value {
        Value::Integer(value) => Input::Integer(*value),
        Value::Float(value) => Input::Float(*value),
        Value::Text(text) => match (text.trim().parse(), text.trim().parse::<f64>()) {
            (Ok(integer), _) => Input::Integer(integer),
            (Err(_), Ok(float)) if float.is_finite() => Input::Float(float),
            (Err(_), Ok(_) | Err(_)) => Input::Absent,
        },
        Value::Bool(_) => Input::Absent,
        // Each of several is read by itself.
        Value::Many(_) => Input::Absent,
    }
}

/// A value as keys hold it: as text in ASCII lower case, bounded; addresses in one spelling.
pub(super) fn folded(value: &Value<'_>) -> String {
    let text = text_of(value);
    if let Some(spelled) = canonical::address(&text) {
        return spelled;
    }
    let mut text = bounded::value(&text).into_owned();
    text.make_ascii_lowercase();
    text
}

/// A value as text; several values are joined by commas.
fn text_of<'v>(value: &'v Value<'_>) -> Cow<'v, str> {
    match value {
        Value::Text(text) => Cow::Borrowed(text),
        Value::Integer(value) => Cow::Owned(value.to_string()),
        Value::Float(value) => Cow::Owned(value.to_string()),
        Value::Bool(value) => Cow::Owned(value.to_string()),
        Value::Many(values) => {
            let texts: Vec<_> = values.iter().map(text_of).collect();
            Cow::Owned(texts.join(","))
        }
    }
}
