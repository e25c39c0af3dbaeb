//! Answers of a backtest for programs.

use serde_json::{Value, json};

use super::{Change, Comparison, Sweep};
use crate::encode;
use crate::incident::Incident;

/// Incidents that appear, vanish and change, each as it is published.
pub fn comparison(comparison: &Comparison) -> Value {
    let all = |incidents: &[Incident]| incidents.iter().map(incident).collect::<Vec<_>>();
    json!({
        "appeared": all(&comparison.appeared),
        "vanished": all(&comparison.vanished),
        "changed": comparison.changed.iter().map(change).collect::<Vec<_>>(),
    })
}

/// What the rule finds with each threshold.
pub fn sweep(sweep: &Sweep) -> Value {
    let points = sweep.points.iter().map(|point| {
        json!({
            "threshold": point.threshold,
            "incidents": point.incidents,
            "groups": point.groups,
        })
    });
    json!({
        "rule_id": sweep.rule_id,
        "having": sweep.having,
        "points": points.collect::<Vec<_>>(),
    })
}

fn change(Change { before, after }: &Change) -> Value {
    let (before, after) = (incident(before), incident(after));
    json!({ "before": before, "after": after })
}

fn incident(incident: &Incident) -> Value {
    serde_json::from_str(&encode::json::line(incident)).unwrap_or_default()
}
