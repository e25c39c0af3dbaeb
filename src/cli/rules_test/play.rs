//! A rule's test, played: what the rule sees in the events, and the incidents that come of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::cli::backtest::rules::SETTINGS;
use crate::cli::events;
use crate::cli::explanation::{Explanation, Seen, Sight};
use crate::decode::Decoder;
use crate::detect::{Found, Matcher};
use crate::encode::Encoding;
use crate::event::Attributes;
use crate::explain::explain;
use crate::key::Origin;
use crate::plan::Plan;
use crate::record::Position;
use crate::replay::Replay;
use crate::rule::{self, Rule, RuleTest};
use crate::shuffle::MatchedRecord;

/// Plays a test of a rule.
///
/// # Errors
///
/// The rule's text is not a valid rule by itself.
pub fn play(rule: &Rule, test: &RuleTest) -> Result<Explanation, String> {
    let mut attributes = Attributes::default();
    let rules = rule::parse_with("rule", &rule.text, &rule.lists, &mut attributes);
    let rules = rules.map_err(|errors| rule::in_one_line(&errors))?;
    let plan = Plan::alone(&rules, &attributes, SETTINGS, Vec::new())?;
    let matched = matched(&plan, test);
    let mut replay = Replay::new(Arc::clone(&plan));
    let origin = Origin {
        topic: replay.topic(&test.name),
        partition: 0,
    };
    for record in &matched {
        replay.add(record, origin);
    }
    let json = |incident| serde_json::from_slice(&Encoding::Json.encode(incident)).ok();
    let incidents = replay.finish().iter().filter_map(json).collect();
    let loaded = plan.rules.first().map(|(loaded, _)| loaded);
    let loaded = loaded.ok_or("its text holds no rule")?;
    Ok(Explanation {
        events: seen(&attributes, test, &matched),
        keys: explain(loaded, &matched),
        rule: loaded.rule.clone(),
        attributes,
        incidents,
    })
}

fn matched(plan: &Plan, test: &RuleTest) -> Vec<MatchedRecord> {
    let mut matcher = Matcher::new(plan);
    let mut all = Vec::new();
    for (offset, event) in (0_i64..).zip(&test.events) {
        matcher.each_record(event.as_bytes(), None, &mut |record| match record.outcome {
            Found::Rejected(_) | Found::Event { matched: None, .. } => {}
            Found::Event {
                matched: Some(found),
                ..
            } => {
                let position = position(offset, record.index);
                all.push(MatchedRecord { position, ..found });
            }
        });
    }
    all
}

fn seen(attributes: &Attributes, test: &RuleTest, matched: &[MatchedRecord]) -> Vec<Seen> {
    let matches = matched.iter().flat_map(|record| {
        let places = record.matches.iter().flat_map(|found| &found.patterns);
        places.map(|part| (record.position, part.pattern))
    });
    let mut patterns: BTreeMap<Position, Vec<u32>> = BTreeMap::new();
    for (position, pattern) in matches {
        patterns.entry(position).or_default().push(pattern);
    }
    let decoder = Decoder::new(attributes);
    let mut all = Vec::new();
    for (offset, event) in (0_i64..).zip(&test.events) {
        decoder.decode(event.as_bytes(), None, &mut |decoded| {
            let position = position(offset, decoded.index);
            let outcome = decoded
                .outcome
                .map_err(|refused| format!("{}: {refused}", refused.reason));
            let outcome = outcome.map(|event| Sight {
                time: event.time,
                values: events::values(event, attributes),
                patterns: patterns.remove(&position).unwrap_or_default(),
            });
            all.push(Seen { position, outcome });
        });
    }
    all
}

fn position(offset: i64, index: u32) -> Position {
    Position {
        epoch: 0,
        offset,
        index,
    }
}
