//! Of each rule: what it found, what it costs, and when its data last came.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::{Seen, cut};
use crate::incident::Status;
use crate::io::asked::{Asked, evaluated_through};
use crate::plan::LoadedRule;

/// So many rules are listed, in the order of the plan.
const RULES_MAX: usize = 500;

/// So many patterns of a rule.
const PATTERNS_MAX: usize = 16;

/// So many kinds of data, those that came last first.
const KINDS_MAX: usize = 100;

impl Seen<'_> {
    pub(super) fn rules(&self, asked: &Asked) -> Value {
        let plan = self.reloading.plan.as_ref().map(|(plan, _)| plan);
        let rules = plan.map_or(&[][..], |plan| &plan.rules);
        let listed = rules.iter().take(RULES_MAX).enumerate();
        let listed = listed.map(|(place, (loaded, _))| self.rule(place, loaded, asked));
        json!({ "total": rules.len(), "listed": listed.collect::<Vec<_>>() })
    }

    fn rule(&self, place: usize, loaded: &LoadedRule, asked: &Asked) -> Value {
        let id = &loaded.labels.rule_id;
        let seen = self.detecting.rules.get(id).copied().unwrap_or_default();
        let said = Status::ALL.map(|status| {
            let of = (Arc::clone(id), status.name());
            let count = self.correlating.said.get(&of).copied();
            (status.name(), count.unwrap_or(0))
        });
        let patterns = loaded.labels.patterns.iter().take(PATTERNS_MAX).enumerate();
        let patterns = patterns.map(|(pattern, name)| {
            json!({ "name": cut(name), "data_last_seen": asked.latest(place, pattern) })
        });
        let folded = self.correlating.times.get(&loaded.fingerprint);
        let folded = folded.copied().unwrap_or(0);
        let watermark = self.correlating.watermark;
        let evaluated = evaluated_through(loaded, watermark);
        json!({
            "id": cut(id),
            "name": cut(&loaded.labels.rule_name),
            "severity": loaded.rule.severity.otherwise,
            "window_seconds": loaded.rule.window,
            "matches": seen.matches,
            "last_match": seen.latest,
            "filter_seconds": seen.filter as f64 / 1e9,
            "fold_seconds": folded as f64 / 1e9,
            "incidents": said.into_iter().collect::<BTreeMap<_, _>>(),
            "last_said": self.correlating.said_at.get(id),
            "evaluated_through": evaluated.map(|second| second * 1000),
            "patterns": patterns.collect::<Vec<_>>(),
        })
    }

    pub(super) fn data(&self, asked: &Asked) -> Value {
        let kinds = &self.detecting.kinds;
        let mut all: Vec<_> = kinds.each().collect();
        all.sort_by_key(|(kind, came)| (-came.latest, *kind));
        let listed = all.iter().take(KINDS_MAX).map(|(kind, came)| {
            json!({
                "event_type": kind.event_type.as_deref().map(cut),
                "category": kind.category.as_deref().map(cut),
                "events": came.events,
                "latest": came.latest,
                "rules": asked.rules_of(kind),
            })
        });
        json!({
            "total": all.len(),
            "others": kinds.others,
            "listed": listed.collect::<Vec<_>>(),
        })
    }
}
