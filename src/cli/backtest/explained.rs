//! One incident of a backtest: the matches, windows and values that made it.

use anyhow::{Result, anyhow};
use serde_json::{Value, json};

use crate::cli::explanation::{Explanation, Seen, Sight};
use crate::encode::Encoding;
use crate::event::Attributes;
use crate::explain::{GroupExplained, KeyExplained};
use crate::io::backtest::fold::Explained;
use crate::io::backtest::matches::Matched;
use crate::plan::LoadedRule;
use crate::record::Position;
use crate::rule;
use crate::time::{Second, second_of};

/// What the rule makes of what an incident can rest on: the matches from one window before its
/// first trigger to one window after its last, and what they make. `topics`: names of the inputs.
///
/// # Errors
///
/// Never: the rule's text was read before.
pub fn of(
    explained: &Explained,
    loaded: &LoadedRule,
    topics: &[std::sync::Arc<str>],
) -> Result<Explanation> {
    let mut attributes = Attributes::default();
    let (text, lists) = (&loaded.rule.text, &loaded.rule.lists);
    let rules = rule::parse_with(&loaded.rule.id, text, lists, &mut attributes);
    let rule = rules.ok().and_then(|rules| rules.into_iter().next());
    let incident = &explained.incident;
    let window = loaded.rule.window;
    let near = Near {
        first: second_of(incident.first_seen) - window,
        last: second_of(incident.last_seen) + window,
    };
    let events = (0_i64..).zip(&explained.matches);
    let events = events.filter(|(_, matched)| near.has(second_of(matched.record.time)));
    Ok(Explanation {
        rule: rule.ok_or_else(|| anyhow!("rule {} cannot be read again", loaded.rule.id))?,
        attributes,
        events: events
            .map(|(number, matched)| seen(number, matched, topics))
            .collect(),
        keys: explained.keys.iter().map(|key| near.key(key)).collect(),
        incidents: serde_json::from_slice(&Encoding::Json.encode(incident))
            .into_iter()
            .collect(),
    })
}

/// Seconds that an incident can depend on.
#[derive(Clone, Copy)]
struct Near {
    first: Second,
    last: Second,
}

impl Near {
    fn has(self, second: Second) -> bool {
        (self.first..=self.last).contains(&second)
    }

    fn key(self, key: &KeyExplained) -> KeyExplained {
        let groups = key.groups.iter().map(|group| GroupExplained {
            panes: group
                .panes
                .iter()
                .filter(|pane| self.has(pane.second))
                .cloned()
                .collect(),
            ..group.clone()
        });
        let triggers = key.triggers.iter().filter(|(second, _)| self.has(**second));
        KeyExplained {
            values: key.values.clone(),
            groups: groups.filter(|group| !group.panes.is_empty()).collect(),
            triggers: triggers
                .map(|(second, trigger)| (*second, *trigger))
                .collect(),
        }
    }
}

fn seen(number: i64, matched: &Matched, topics: &[std::sync::Arc<str>]) -> Seen {
    let record = &matched.record;
    let origin = matched.origin();
    let topic = topics
        .get(origin.topic as usize)
        .map_or("", |topic| &**topic);
    let text = |name: &str, value: &Option<String>| {
        value
            .as_ref()
            .map(|value| (name.to_owned(), Value::from(value.as_str())))
    };
    let mut values: Vec<(String, Value)> = [
        text("eventType", &record.event_type),
        text("correlationId", &record.correlation_id),
        text("resourceId", &record.resource_id),
    ]
    .into_iter()
    .flatten()
    .collect();
    let Position { offset, index, .. } = record.position;
    let place = format!("{topic}/{}/{offset}/{index}", origin.partition);
    values.push(("record".to_owned(), json!(place)));
    let patterns = record.matches.iter().flat_map(|found| &found.patterns);
    Seen {
        position: Position {
            offset: number,
            ..Position::default()
        },
        outcome: Ok(Sight {
            time: record.time,
            values,
            patterns: patterns.map(|part| part.pattern).collect(),
        }),
    }
}
