//! What `rules check --cost` says: which filters every event is held against, and by what the
//! others are found.

use serde_json::{Value, json};

use crate::detect::cost::{self, Cost, MetBy};
use crate::event::Attributes;
use crate::rule::Rule;
use crate::rule::own::Own;

/// So many of a filter's features are said.
const SHOWN_MAX: usize = 3;

/// What the filters of these rules cost; `attributes` are those that they were read with.
pub fn of(rules: &[Rule], attributes: &mut Attributes, own: &Own) -> Vec<Cost> {
    cost::of(rules, attributes, own)
}

/// A line for each filter, those that cost most first.
pub fn as_text(costs: &[Cost]) -> Vec<String> {
    let dearness = |cost: &&Cost| match cost.met_by {
        MetBy::All(_) => 0,
        MetBy::Present(_) => 1,
        MetBy::Some(_) => 2,
    };
    let mut costs: Vec<&Cost> = costs.iter().collect();
    costs.sort_by_key(dearness);
    let untold = costs.iter().filter(|cost| cost.in_messages.is_none());
    let untold = untold.map(|cost| format!("{} {}", cost.rule, cost.pattern));
    let untold: Vec<String> = untold.collect();
    let of_messages = match untold.is_empty() {
        true => "with validate = \"matching\" only messages are read that have texts which these \
                 filters need"
            .to_owned(),
        false => format!(
            "with validate = \"matching\" every message is read, as none need have a rare text for \
             {}",
            listed(&untold, ", ")
        ),
    };
    let lines = costs.iter().map(|cost| line(cost));
    lines.chain([of_messages]).collect()
}

fn line(cost: &Cost) -> String {
    let Cost { rule, pattern, .. } = cost;
    let said = match &cost.met_by {
        MetBy::Some(features) if features.is_empty() => "met by no event".to_owned(),
        MetBy::Some(features) => format!("met by events with {}", listed(features, " or ")),
        MetBy::Present(names) => format!(
            "met by every event that has {}: its filter has no text to look for",
            listed(names, " or ")
        ),
        MetBy::All(parts) => {
            let parts: Vec<String> = parts.iter().map(|part| format!("`{part}`")).collect();
            format!(
                "met by every event: {} may hold for any",
                listed(&parts, " and ")
            )
        }
    };
    format!("{rule} {pattern}: {said}")
}

fn listed(texts: &[String], joint: &str) -> String {
    let shown = texts.iter().take(SHOWN_MAX).map(String::as_str);
    let shown: Vec<&str> = shown.collect();
    let more = match texts.len().saturating_sub(SHOWN_MAX) {
        0 => String::new(),
        more => format!("{joint}{more} more"),
    };
    shown.join(joint) + &more
}

/// The same for programs, in the order of the rules.
pub fn as_json(costs: &[Cost]) -> Vec<Value> {
    let of_filter = |cost: &Cost| {
        let (met_by, found_by, because) = match &cost.met_by {
            MetBy::Some(features) => ("some events", &features[..], &[][..]),
            MetBy::Present(names) => ("events with an attribute", &names[..], &[][..]),
            MetBy::All(parts) => ("every event", &[][..], &parts[..]),
        };
        json!({
            "rule": cost.rule,
            "pattern": cost.pattern,
            "met_by": met_by,
            "found_by": found_by,
            "because": because,
            "in_messages": cost.in_messages,
        })
    };
    costs.iter().map(of_filter).collect()
}
