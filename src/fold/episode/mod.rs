//! Triggers to incidents: which belong together, and what follows from them.

pub mod late;
pub mod say;
pub mod settle;
pub mod tally;

use std::sync::Arc;

use crate::bounded;
use crate::fold::condition::{self, Sight};
use crate::fold::key::pane::Mark;
use crate::fold::key::stored::{Facts, Tally};
use crate::fold::window;
use crate::incident::{CloseReason, Evidence, Incident, Status};
use crate::matches::add_values;
use crate::plan::LoadedRule;
use crate::record::{Hash, Parts};
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
pub fn over(sight: Sight<'_>, last: Second) -> Option<CloseReason> {
    let clear = sight.clears().last_before(Second::MAX);
    if clear.is_some_and(|clear| clear >= last) {
        return Some(CloseReason::Clear);
    }
    let (after, reason) = over_after(last, sight.loaded);
    sight
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
    let mut parts = Parts::default();
    parts.add(&rule.0);
    parts.add(&day.to_be_bytes());
    parts.add(&((start.first - day) / quiet).to_be_bytes());
    parts.add(&start.clear.to_be_bytes());
    if start.late {
        parts.add(b"late");
    }
    add_values(&mut parts, values);
    parts.hash()
}

/// What the triggers from `first` through `last` come to, which belong together.
pub fn tally(sight: Sight<'_>, first: Second, last: Second) -> Tally {
    let settled = sight.stored.tallies.get(first).cloned();
    let is_all = settled
        .as_ref()
        .is_some_and(|settled| settled.facts.last >= last);
    let mut tally = settled.unwrap_or_else(|| begin(sight, first));
    if !is_all {
        tally.extend(sight, last);
    }
    tally
}

/// The tally of the first trigger of an episode.
pub fn begin(sight: Sight<'_>, first: Second) -> Tally {
    Tally::begin(sight, first, clear_before(sight, first))
}

/// The last clear pane before the first trigger of an episode that its name tells of; 0: none.
fn clear_before(sight: Sight<'_>, first: Second) -> Second {
    let slot = window::slot_start(first, sight.loaded.rule.quiet);
    let clear = sight.clears().last_before(first);
    clear.filter(|clear| *clear >= slot).unwrap_or(0)
}

/// The name of the incident on time that begins with the trigger at `first`.
pub fn id_of(sight: Sight<'_>, first: Second) -> Hash {
    let settled = sight.stored.tallies.get(first);
    let clear = settled.map_or_else(|| clear_before(sight, first), |settled| settled.facts.clear);
    let is_so_named = |facts: &Facts| facts.first == first && facts.clear == clear;
    let mut said = sight.stored.said.iter();
    if let Some((id, _)) = said.find(|(_, said)| is_so_named(&said.facts)) {
        return *id;
    }
    let start = Start {
        first,
        clear,
        late: false,
    };
    let loaded = sight.loaded;
    let quiet = loaded.rule.quiet;
    incident_id(loaded.fingerprint, &sight.stored.head.values, start, quiet)
}

/// All that follows from what an incident came to: an OPEN incident of revision 0, which may still
/// be larger than the rule's limits say. `id`: its name.
pub fn describe(id: Hash, loaded: &LoadedRule, facts: &Facts, topics: &[Arc<str>]) -> Incident {
    let rule = &loaded.rule;
    let labels = &loaded.labels;
    let names = labels.attributes.iter().map(Arc::clone);
    let mut incident = Incident {
        incident_id: id,
        revision: 0,
        status: Status::Open,
        rule_id: Arc::clone(&labels.rule_id),
        rule_name: Arc::clone(&labels.rule_name),
        rule_fingerprint: loaded.fingerprint,
        severity: rule.severity.otherwise,
        category: Arc::clone(&labels.category),
        subcategory: Arc::clone(&labels.subcategory),
        impacts: Arc::clone(&labels.impacts),
        tactics: labels.tactics.clone(),
        techniques: labels.techniques.clone(),
        title: String::new(),
        window_ms: rule.window * 1000,
        first_seen: facts.first * 1000,
        last_seen: facts.last * 1000,
        event_count: facts.events,
        trigger_count: facts.windows,
        evidence: evidence(facts, loaded, topics),
        attributes: names.zip(facts.values.iter().cloned()).collect(),
        late: false,
        close_reason: None,
        replaced_by: None,
        replaces: Vec::new(),
        truncated: false,
        test: labels.test,
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
        let (_, value) = attributes.find(|(known, _)| &**known == name)?;
        Some(value.to_string())
    })
}

fn evidence(facts: &Facts, loaded: &LoadedRule, topics: &[Arc<str>]) -> Vec<Evidence> {
    let patterns = loaded.labels.patterns.iter().zip(&facts.evidence);
    let mut evidence = Vec::with_capacity(facts.evidence.iter().map(|marks| marks.len()).sum());
    for (pattern, marks) in patterns {
        evidence.extend(marks.iter().map(|mark| shown(mark, pattern, topics)));
    }
    evidence
}

fn shown(mark: &Mark, pattern: &Arc<str>, topics: &[Arc<str>]) -> Evidence {
    let topic = topics.get(mark.topic as usize);
    Evidence {
        pattern: Arc::clone(pattern),
        topic: topic.map_or_else(|| Arc::from(""), bounded::shared),
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
