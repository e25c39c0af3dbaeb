//! Triggers to incidents: which belong together, and what follows from them.

pub mod late;
pub mod publish;
pub mod settle;
pub mod tally;

use crate::bounded;
use crate::fold::condition;
use crate::fold::episode::tally::{Ground, Tally};
use crate::fold::key::{Key, KeyId, Mark};
use crate::fold::window;
use crate::incident::{CloseReason, Evidence, Incident, Status};
use crate::matches::hash_values;
use crate::plan::LoadedRule;
use crate::record::Hash;
use crate::rule::{self, shown::Shown};
use crate::time::{Second, day_start};

/// The second that the watermark must pass before an episode is over, and why it then is.
pub fn over_after(last: Second, loaded: &LoadedRule) -> (Second, CloseReason) {
    let (end, midnight) = window::episode_end(last, loaded.rule.quiet);
    let reason = if midnight {
        CloseReason::EndOfDay
    } else {
        CloseReason::Quiet
    };
    (condition::decided_after(loaded, end), reason)
}

/// Why an episode that last triggered at `last` is over; `None`: it is not.
pub fn over(ground: Ground<'_>, last: Second) -> Option<CloseReason> {
    let clear = ground.clears().last_before(Second::MAX);
    if clear.is_some_and(|clear| clear >= last) {
        return Some(CloseReason::Clear);
    }
    let (after, reason) = over_after(last, ground.loaded);
    ground
        .watermark
        .is_some_and(|watermark| watermark > after)
        .then_some(reason)
}

/// What tells incidents of one rule and join key apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    /// The last pane of the first trigger.
    pub first: Second,
    /// The last pane before `first` at which the clear pattern held; 0: none within the slot
    /// that `first` lies in.
    pub clear: Second,
    /// It was found apart from what is on time.
    pub late: bool,
}

/// The name of the incident of a key: the same while late events move its start only within a
/// slot as long as `quiet`.
pub fn incident_id(rule: Hash, values: &[Option<String>], start: Start, quiet: Second) -> Hash {
    let day = day_start(start.first);
    let mut hasher = blake3::Hasher::new();
    hasher.update(&rule.0);
    hasher.update(&day.to_be_bytes());
    hasher.update(&((start.first - day) / quiet).to_be_bytes());
    hasher.update(&start.clear.to_be_bytes());
    if start.late {
        hasher.update(b"late");
    }
    hash_values(&mut hasher, values);
    Hash::finish(&hasher)
}

/// What the triggers from `first` through `last` come to, which belong together.
pub fn tally(ground: Ground<'_>, (first, last): (Second, Second)) -> Tally {
    let settled = ground.key.settled_incidents.get(&first).cloned();
    let is_all = settled.as_ref().is_some_and(|settled| settled.last >= last);
    let mut tally = settled.unwrap_or_else(|| begin(ground, first));
    if !is_all {
        tally.extend(ground, last);
        tally.take_values(ground);
    }
    tally
}

/// The tally of the first trigger of an episode, without values.
pub fn begin(ground: Ground<'_>, first: Second) -> Tally {
    Tally::begin(ground, first, clear_before(ground, first))
}

/// The last clear pane before the first trigger of an episode that its name tells of; 0: none.
fn clear_before(ground: Ground<'_>, first: Second) -> Second {
    let slot = window::slot_start(first, ground.loaded.rule.quiet);
    let clear = ground.clears().last_before(first);
    clear.filter(|clear| *clear >= slot).unwrap_or(0)
}

/// The name of the incident on time that begins with the trigger at `first`.
pub fn id_of(ground: Ground<'_>, first: Second) -> Hash {
    let settled = ground.key.settled_incidents.get(&first);
    let start = Start {
        first,
        clear: settled.map_or_else(|| clear_before(ground, first), |settled| settled.clear),
        late: false,
    };
    let loaded = ground.loaded;
    let quiet = loaded.rule.quiet;
    incident_id(loaded.fingerprint, &ground.key.values, start, quiet)
}

/// All that follows from a tally: an OPEN incident of revision 0, which may still be larger than
/// the rule's limits say. `late`: it was found apart from what is on time.
pub fn describe(
    id: KeyId,
    key: &Key,
    loaded: &LoadedRule,
    tally: Tally,
    (late, topics): (bool, &[String]),
) -> Incident {
    let rule = &loaded.rule;
    let names = rule.attributes.iter().map(|(name, _)| name.clone());
    let start = Start {
        first: tally.first,
        clear: tally.clear,
        late,
    };
    let mut incident = Incident {
        incident_id: incident_id(id.rule, &key.values, start, rule.quiet),
        revision: 0,
        status: Status::Open,
        rule_id: bounded::value(&rule.id).into_owned(),
        rule_name: bounded::value(&rule.name).into_owned(),
        rule_fingerprint: id.rule,
        severity: rule.severity.otherwise,
        category: rule.category.name().to_owned(),
        subcategory: bounded::value(&rule.subcategory).into_owned(),
        impacts: bounded::value(&rule.impacts).into_owned(),
        tactics: rule.tactics.clone(),
        techniques: rule.techniques.clone(),
        title: String::new(),
        window_ms: rule.window * 1000,
        first_seen: tally.first * 1000,
        last_seen: tally.last * 1000,
        event_count: tally.events,
        trigger_count: tally.windows,
        evidence: evidence(&tally, loaded, topics),
        attributes: names.zip(tally.values).collect(),
        late,
        close_reason: None,
        replaced_by: None,
        replaces: Vec::new(),
        truncated: false,
    };
    incident.severity = rule.severity_of(&Shown::of(&incident));
    let (title, is_cut) = bounded::title(title(&rule.title, &incident));
    incident.truncated = is_cut || incident.has_cut_text();
    incident.title = title;
    incident
}

fn title(template: &str, incident: &Incident) -> String {
    rule::title::title(template, &|name| {
        let mut attributes = incident.attributes.iter();
        let (_, value) = attributes.find(|(known, _)| known == name)?;
        Some(value.to_string())
    })
}

fn evidence(tally: &Tally, loaded: &LoadedRule, topics: &[String]) -> Vec<Evidence> {
    let patterns = loaded.rule.patterns.iter().zip(&tally.evidence);
    patterns
        .flat_map(|(pattern, marks)| marks.iter().map(|mark| shown(mark, &pattern.name, topics)))
        .collect()
}

fn shown(mark: &Mark, pattern: &str, topics: &[String]) -> Evidence {
    let topic = topics.get(mark.topic as usize).map_or("", String::as_str);
    Evidence {
        pattern: bounded::value(pattern).into_owned(),
        topic: bounded::value(topic).into_owned(),
        partition: mark.partition as i32,
        offset: mark.position.offset,
        index: mark.position.index,
        time: mark.time,
        event_type: mark.event_type.clone(),
        correlation_id: mark.correlation_id.clone(),
        resource_id: mark.resource_id.clone(),
        record_hash: mark.hash,
    }
}
