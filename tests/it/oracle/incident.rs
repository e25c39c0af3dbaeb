//! Incidents of a set of matches.

use std::sync::Arc;

use std::cmp::Ordering;
use std::collections::BTreeSet;

use watchfire::correlation::CorrelationId;
use watchfire::event::Value;
use watchfire::incident::{AttributeValue, CloseReason, Evidence, Incident, Status};
use watchfire::plan::LoadedRule;
use watchfire::record::Hash;
use watchfire::rule::metadata::Status as RuleStatus;
use watchfire::rule::{Comparison, Difference, Filter, Having, IncidentValue, Rule, Term};

use super::aggregate::Group;
use super::bounded;
use super::condition::{Found, Held, Trigger, finer, positive, wait, window_of};
use super::set::{Seen, Set};

const DAY: i64 = 86_400;

/// Triggers that form one incident.
#[derive(Clone, Debug)]
pub struct Episode {
    pub triggers: Vec<Trigger>,
    /// The last clear pane before the first trigger, in the same span.
    clear_before: i64,
    /// A clear pane follows.
    cleared: bool,
}

impl Episode {
    pub fn first(&self) -> i64 {
        self.triggers[0].t
    }

    pub fn last(&self) -> i64 {
        self.triggers[self.triggers.len() - 1].t
    }

    /// Quiet, or midnight where that comes first.
    fn end(&self, rule: &LoadedRule) -> (i64, CloseReason) {
        let midnight = (self.last().div_euclid(DAY) + 1) * DAY;
        let quiet = self.last() + rule.rule.quiet;
        if midnight <= quiet {
            (midnight, CloseReason::EndOfDay)
        } else {
            (quiet, CloseReason::Quiet)
        }
    }

    /// No match on time can change it.
    pub fn is_final(&self, rule: &LoadedRule, watermark: Option<i64>) -> bool {
        let wait = wait(&rule.rule.condition, rule.rule.window);
        watermark.is_some_and(|w| self.end(rule).0 < w - rule.settings.lateness - wait)
    }

    /// The watermark that must be passed for it to be over, where nothing clears it.
    pub fn over_after(&self, rule: &LoadedRule) -> i64 {
        self.end(rule).0 + wait(&rule.rule.condition, rule.rule.window) + rule.settings.patience
    }

    /// Why it is over, or would be.
    pub fn reason(&self, rule: &LoadedRule) -> CloseReason {
        match self.cleared {
            true => CloseReason::Clear,
            false => self.end(rule).1,
        }
    }

    pub fn over(&self, rule: &LoadedRule, watermark: Option<i64>) -> Option<CloseReason> {
        let passed = watermark.is_some_and(|watermark| watermark > self.over_after(rule));
        (self.cleared || passed).then(|| self.reason(rule))
    }

    pub fn id(&self, set: &Set<'_>, late: bool) -> Hash {
        let (first, quiet) = (self.first(), set.rule.rule.quiet);
        let day = first.div_euclid(DAY) * DAY;
        let mut hasher = blake3::Hasher::new();
        hasher.update(&set.rule.fingerprint.0);
        hasher.update(&day.to_be_bytes());
        hasher.update(&((first - day) / quiet).to_be_bytes());
        hasher.update(&self.clear_before.to_be_bytes());
        if late {
            hasher.update(b"late");
        }
        for value in set.key {
            match value {
                None => {
                    hasher.update(&[0]);
                }
                Some(text) => {
                    hasher.update(&[1]);
                    hasher.update(&(text.len() as u64).to_be_bytes());
                    hasher.update(text.as_bytes());
                }
            }
        }
        Hash::finish(&hasher)
    }
}

/// The incidents of a set, in order.
pub fn episodes(rule: &LoadedRule, found: &Found) -> Vec<Episode> {
    let clears = &found.clears;
    let quiet = rule.rule.quiet;
    let mut parts: Vec<Vec<Trigger>> = Vec::new();
    for trigger in found.triggers.iter().cloned() {
        let joins = parts.last().is_some_and(|open| {
            let last = open[open.len() - 1].t;
            trigger.t - last <= quiet
                && trigger.t.div_euclid(DAY) == last.div_euclid(DAY)
                && !clears.iter().any(|c| last <= *c && *c < trigger.t)
        });
        match parts.last_mut() {
            Some(open) if joins => open.push(trigger),
            _ => parts.push(vec![trigger]),
        }
    }
    let episode = |triggers: Vec<Trigger>| {
        let (first, last) = (triggers[0].t, triggers[triggers.len() - 1].t);
        let span = |t: i64| (t.div_euclid(DAY), t.rem_euclid(DAY) / quiet);
        let before = clears
            .iter()
            .filter(|c| **c < first && span(**c) == span(first));
        Episode {
            clear_before: before.max().copied().unwrap_or(0),
            cleared: clears.iter().any(|c| *c >= last),
            triggers,
        }
    };
    parts.into_iter().map(episode).collect()
}

/// All that follows from an episode: OPEN, of revision 0, however large.
pub fn describe(set: &Set<'_>, found: &Found, episode: &Episode) -> Incident {
    let rule = &set.rule.rule;
    let positive = positive(&rule.condition);
    let counts = |seen: &Seen| {
        let second = seen.second();
        let near = |trigger: &Trigger| trigger.s - rule.window < second && second <= trigger.t;
        seen.patterns
            .iter()
            .any(|part| positive.contains(&(part.pattern as usize)))
            && episode.triggers.iter().any(near)
    };
    let mut events: Vec<&Seen> = set.all.iter().map(|among| among.seen).collect();
    events.retain(|seen| counts(seen));
    events.sort_by_key(|seen| (seen.record.time, seen.record.hash, seen.event()));
    let most = set.rule.settings.limits.evidence as usize;
    let evidence = positive.iter().flat_map(|pattern| {
        let of_pattern = events.iter().filter(|seen| seen.has(*pattern));
        let name = &rule.patterns[*pattern].name;
        of_pattern.take(most).map(|seen| evidence(seen, name))
    });
    let different: BTreeSet<_> = events.iter().map(|seen| seen.event()).collect();
    let first = episode.first();
    let numbers: BTreeSet<i64> = episode
        .triggers
        .iter()
        .map(|trigger| (trigger.t - first) / rule.window)
        .collect();
    let peak = peak(set, found, episode);
    let attributes: Vec<(Arc<str>, AttributeValue)> = rule
        .attributes
        .iter()
        .map(|(name, from)| {
            let value = attribute(set, found, (episode, &peak), from);
            (name.as_str().into(), value)
        })
        .collect();
    let counts = [different.len() as u64, numbers.len() as u64];
    let shown = |name: &str| {
        let found = attributes.iter().find(|(known, _)| **known == *name);
        found.map(|(_, value)| value.to_string())
    };
    let title = watchfire::rule::title::title(&rule.title, &shown);
    let incident = Incident {
        incident_id: episode.id(set, false),
        revision: 0,
        status: Status::Open,
        rule_id: rule.id.as_str().into(),
        rule_name: rule.name.as_str().into(),
        rule_fingerprint: set.rule.fingerprint,
        severity: rule
            .severity
            .cases
            .iter()
            .find(|case| passes(&case.when, (&attributes, &counts), first * 1000))
            .map_or(rule.severity.otherwise, |case| case.value),
        category: rule.category.name().into(),
        subcategory: rule.subcategory.as_str().into(),
        impacts: rule.impacts.as_str().into(),
        tactics: shared(&rule.tactics),
        techniques: shared(&rule.techniques),
        title: bounded::title(&title),
        window_ms: rule.window * 1000,
        first_seen: first * 1000,
        last_seen: episode.last() * 1000,
        event_count: different.len() as u64,
        trigger_count: numbers.len() as u64,
        evidence: evidence.collect(),
        attributes,
        late: false,
        close_reason: None,
        replaced_by: None,
        replaces: vec![],
        truncated: false,
        test: rule.metadata.status == RuleStatus::Test,
    };
    Incident {
        truncated: bounded::has_cut(&incident, &title),
        ..incident
    }
}

/// The last trigger at which the aggregates that are shown are greatest, or least where the test
/// asks for that.
fn peak(set: &Set<'_>, found: &Found, episode: &Episode) -> Trigger {
    let rule = &set.rule.rule;
    let aggregates = rule.attributes.iter().filter_map(|(_, from)| match from {
        IncidentValue::GroupBy(..) => None,
        IncidentValue::Aggregate(pattern, place) => {
            let pattern = &rule.patterns[*pattern];
            Some((from, wants_little(&pattern.having, *place)))
        }
    });
    let aggregates: Vec<_> = aggregates.collect();
    let values = |at: &Trigger| -> Vec<AttributeValue> {
        let from = aggregates.iter().map(|(from, _)| *from);
        from.map(|from| attribute(set, found, (episode, at), from))
            .collect()
    };
    let mut best = episode.triggers[0].clone();
    for trigger in &episode.triggers {
        let (now, before) = (values(trigger), values(&best));
        let mut orders = aggregates.iter().zip(now.iter().zip(&before));
        let order = orders.find_map(|((_, little), (now, before))| {
            let order = order_of(now, before);
            let order = if *little { order.reverse() } else { order };
            (order != Ordering::Equal).then_some(order)
        });
        if order != Some(Ordering::Less) {
            best = trigger.clone();
        }
    }
    best
}

/// Null before numbers before text.
fn order_of(one: &AttributeValue, other: &AttributeValue) -> Ordering {
    let kind = |value: &AttributeValue| match value {
        AttributeValue::Null => 0,
        AttributeValue::Number(_) => 1,
        AttributeValue::Text(_) => 2,
    };
    match (one, other) {
        (AttributeValue::Number(one), AttributeValue::Number(other)) => {
            one.partial_cmp(other).expect("finite")
        }
        (AttributeValue::Text(one), AttributeValue::Text(other)) => one.cmp(other),
        _ => kind(one).cmp(&kind(other)),
    }
}

/// Whether a test compares an aggregate with < or <=.
fn wants_little(having: &Having, place: usize) -> bool {
    let less = [Comparison::Less, Comparison::LessOrEqual];
    let greater = [Comparison::Greater, Comparison::GreaterOrEqual];
    match having {
        Having::And(parts) | Having::Or(parts) => {
            parts.iter().any(|part| wants_little(part, place))
        }
        Having::Compare(left, comparison, right) => {
            *left == Term::Aggregate(place) && less.contains(comparison)
                || *right == Term::Aggregate(place) && greater.contains(comparison)
        }
    }
}

/// What holds of a pattern from the first to the last pane of a trigger.
fn within<'f>(
    found: &'f Found,
    pattern: usize,
    trigger: &Trigger,
) -> impl Iterator<Item = &'f Held> {
    let (s, t) = (trigger.s, trigger.t);
    let held = found.held[pattern].iter();
    held.filter(move |held| s <= held.pane && held.pane <= t)
}

/// The group that is shown of a pattern which must differ from another: of all pairs that do and
/// are there, on the right the last pane and its least group, on the left with that one the first
/// pane and its least group.
fn differing_group(
    rule: &Rule,
    found: &Found,
    pattern: usize,
    trigger: &Trigger,
) -> Option<Vec<Option<String>>> {
    let mut differences = rule.differences.iter();
    let Difference { left, right } =
        differences.find(|d| [d.left.pattern, d.right.pattern].contains(&pattern))?;
    let positive = positive(&rule.condition);
    if !positive.contains(&left.pattern) || !positive.contains(&right.pattern) {
        return None;
    }
    let [of_left, of_right] = [left, right].map(|side| finer(rule, *side));
    let differ = |x: &Held, y: &Held| x.group[of_left] != y.group[of_right];
    let lefts = || within(found, left.pattern, trigger);
    let rights = within(found, right.pattern, trigger);
    let rights = rights.filter(|y| lefts().any(|x| differ(x, y)));
    let y = rights.min_by_key(|y| (-y.pane, y.group.clone()))?;
    let partners = lefts().filter(|x| differ(x, y));
    let x = partners.min_by_key(|x| (x.pane, x.group.clone()))?;
    let shown = if pattern == left.pattern { x } else { y };
    Some(shown.group.clone())
}

fn attribute(
    set: &Set<'_>,
    found: &Found,
    (episode, at): (&Episode, &Trigger),
    from: &IncidentValue,
) -> AttributeValue {
    let rule = &set.rule.rule;
    let (IncidentValue::GroupBy(pattern, _) | IncidentValue::Aggregate(pattern, _)) = from;
    let in_key = |place: usize| {
        let part = |part: &watchfire::rule::JoinKeyPart| part.places[*pattern] == place;
        rule.join_key.iter().position(part)
    };
    let finer: Vec<usize> = (0..rule.patterns[*pattern].group_by.len())
        .filter(|place| in_key(*place).is_none())
        .collect();
    let group_of = |trigger: &Trigger| {
        let groups = within(found, *pattern, trigger).map(|held| held.group.clone());
        let differing = differing_group(rule, found, *pattern, trigger);
        differing.or_else(|| groups.min())
    };
    let text = |value: Option<String>| value.map_or(AttributeValue::Null, AttributeValue::Text);
    match from {
        IncidentValue::GroupBy(_, place) => match in_key(*place) {
            Some(part) => text(set.key[part].clone()),
            None => {
                let place = finer.iter().position(|known| known == place);
                let group = group_of(&episode.triggers[0]);
                text(group.and_then(|group| group[place.expect("finer")].clone()))
            }
        },
        IncidentValue::Aggregate(_, place) => {
            // Without finer attributes there is one group, whether it held or not.
            let group = if finer.is_empty() {
                Some(vec![])
            } else {
                group_of(at)
            };
            let is_there = group.is_some();
            let group = group.unwrap_or_default();
            let within = is_there.then(|| window_of(set, *pattern, &group, (at.s, at.t)));
            let within = within.filter(|within| !within.is_empty());
            within.map_or(AttributeValue::Null, |within| {
                let (rule, pattern) = (set.rule, *pattern);
                let group = Group {
                    rule,
                    pattern,
                    group: &group,
                    within,
                };
                group.shown(*place)
            })
        }
    }
}

fn shared(texts: &[String]) -> Vec<Arc<str>> {
    texts.iter().map(|text| text.as_str().into()).collect()
}

fn evidence(seen: &Seen, pattern: &str) -> Evidence {
    Evidence {
        pattern: pattern.into(),
        topic: seen.topic.as_str().into(),
        partition: seen.partition as i32,
        offset: seen.record.position.offset,
        index: seen.record.position.index,
        time: seen.record.time,
        event_type: seen.record.event_type.as_deref().map(Arc::from),
        correlation_id: seen
            .record
            .correlation_id
            .as_deref()
            .map(CorrelationId::from),
        resource_id: seen.record.resource_id.as_deref().map(Arc::from),
        record_hash: seen.record.hash,
    }
}

/// Whether one of the rule's exceptions covers the incident.
pub fn excepted(rule: &LoadedRule, incident: &Incident) -> bool {
    let first = incident.first_seen;
    rule.rule.exceptions.iter().any(|exception| {
        exception.from.is_none_or(|from| from <= first)
            && exception.until.is_none_or(|until| first < until)
            && passes(
                &exception.filter,
                (
                    &incident.attributes,
                    &[incident.event_count, incident.trigger_count],
                ),
                first,
            )
    })
}

fn passes(
    filter: &Filter,
    (attributes, counts): (&[(Arc<str>, AttributeValue)], &[u64; 2]),
    first_seen: i64,
) -> bool {
    let values: Vec<Option<Value<'_>>> = attributes
        .iter()
        .map(|(_, value)| match value {
            AttributeValue::Null => None,
            AttributeValue::Text(text) => Some(Value::Text(text.as_str().into())),
            AttributeValue::Number(number) => Some(Value::Float(*number)),
        })
        .chain(counts.map(|count| Some(Value::Integer(count as i64))))
        .collect();
    filter.matches_with(&|id| values[usize::from(id.0)].as_ref(), first_seen)
}
