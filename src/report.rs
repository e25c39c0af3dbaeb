//! What a backtest found, for people: text for the terminal, and a page that a browser opens.
//!
//! Whoever ran the backtest hands over what it counted. Nothing is read or measured here.

use std::time::Duration;

use crate::incident::Incident;
use crate::rule::Rule;
use crate::time::Millis;

mod words;

pub mod compare;

pub mod difference;

pub mod json;

pub mod text;

mod page;

/// One rule's row of the summary.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleRow {
    /// `PH_Rule_..`.
    pub rule_id: String,
    /// What the rule looks for, in a few words.
    pub rule_name: String,
    /// That of its worst incident; without incidents, that of all incidents with no case of their
    /// own in the rule. 1..=10.
    pub severity: u8,
    /// MITRE ATT&CK tactic ids, e.g. TA0002.
    pub tactics: Vec<String>,
    /// MITRE ATT&CK technique ids, e.g. T1059.006.
    pub techniques: Vec<String>,
    /// Records that matched one of its patterns.
    pub matches: u64,
    /// Incidents that stand at the end.
    pub incidents: u64,
    /// Distinct join keys with incidents.
    pub groups: u64,
    /// When its first incident was first seen; `None`: it has none.
    pub first: Option<Millis>,
    /// When its last incident was last seen; `None`: it has none.
    pub last: Option<Millis>,
    /// Events per incident: half of the incidents have at most as many. 0 without incidents.
    pub events_median: u64,
    /// Events of the incident that has the most. 0 without incidents.
    pub events_most: u64,
    /// Time spent folding its matches.
    pub fold: Duration,
}

/// What was counted of a rule while it ran.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RuleCounts {
    /// Records that matched one of its patterns.
    pub matches: u64,
    /// Distinct join keys with incidents.
    pub groups: u64,
    /// Time spent folding its matches.
    pub fold: Duration,
}

/// The row of `rule`, whose incidents these are, in any order.
pub fn row(rule: &Rule, counts: &RuleCounts, incidents: &[&Incident]) -> RuleRow {
    let mut events: Vec<u64> = incidents.iter().map(|one| one.event_count).collect();
    events.sort_unstable();
    let worst = incidents.iter().map(|one| one.severity).max();
    RuleRow {
        rule_id: rule.id.clone(),
        rule_name: rule.name.clone(),
        severity: worst.unwrap_or(rule.severity.otherwise),
        tactics: rule.tactics.clone(),
        techniques: rule.techniques.clone(),
        matches: counts.matches,
        incidents: incidents.len() as u64,
        groups: counts.groups,
        first: incidents.iter().map(|one| one.first_seen).min(),
        last: incidents.iter().map(|one| one.last_seen).max(),
        events_median: median(&events),
        events_most: events.last().copied().unwrap_or_default(),
        fold: counts.fold,
    }
}

/// The middle one of sorted numbers, the lower of two: a number that was there.
fn median(sorted: &[u64]) -> u64 {
    let middle = sorted.len().saturating_sub(1) / 2;
    sorted.get(middle).copied().unwrap_or_default()
}

/// A backtest, as its page shows it.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a> {
    /// When it was made.
    pub made: Millis,
    /// What was read: files, folders, `kafka://..`.
    pub inputs: &'a [String],
    /// Records read.
    pub records: u64,
    /// Records that matched a rule.
    pub matched: u64,
    /// Records refused.
    pub rejected: u64,
    /// Bytes of the messages, unpacked.
    pub bytes: u64,
    /// Time from the start to the last incident.
    pub took: Duration,
    /// What a reader must know to trust the numbers: files skipped, an early end. A line each.
    pub notes: &'a [String],
    /// A row for each rule that ran, those that found nothing too.
    pub rules: &'a [RuleRow],
    /// All incidents that stand at the end.
    pub incidents: &'a [Incident],
    /// How the incidents differ from those of other rules.
    pub comparison: Option<&'a Comparison>,
    /// What other thresholds would have found.
    pub sweep: Option<&'a Sweep>,
}

/// The report as one HTML file, which needs no other and no network.
pub fn page(report: &Report<'_>) -> String {
    page::html(report)
}

/// How incidents differ from those of other rules, called the old ones, over the same input.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Comparison {
    /// The old rules did not find them.
    pub appeared: Vec<Incident>,
    /// Only the old rules found them.
    pub vanished: Vec<Incident>,
    /// Both found them, and they are not the same.
    pub changed: Vec<Change>,
}

/// An incident that two sets of rules tell differently.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// As the old rules have it.
    pub before: Incident,
    /// As the new rules have it.
    pub after: Incident,
}

/// What one rule finds as one of its thresholds moves.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sweep {
    /// `PH_Rule_..`.
    pub rule_id: String,
    /// The comparison with the range, such as `COUNT(*) >= 1..20`.
    pub having: String,
    /// In order of the threshold.
    pub points: Vec<Point>,
}

/// What a rule finds with one threshold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// The number that the aggregate is compared with.
    pub threshold: f64,
    /// Incidents that stand at the end.
    pub incidents: u64,
    /// Distinct join keys with incidents.
    pub groups: u64,
}

#[cfg(test)]
pub(crate) mod tests;
