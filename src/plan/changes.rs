//! What one plan has that another has not.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use super::{LoadedRule, Plan, Source};
use crate::record::Hash;
use crate::time::{Second, span};

/// How two plans differ: ids of rules, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Only the new plan has them.
    pub added: Vec<String>,
    /// Only the old plan has them.
    pub removed: Vec<String>,
    /// They mean something else: they begin with fresh state.
    pub changed: Vec<String>,
    /// They mean the same in other words, such as another title: they keep their state.
    pub reworded: Vec<String>,
    /// Settings of the configuration that differ, with their values, and for how many rules if they
    /// are settings of rules.
    pub settings: Vec<String>,
    /// Source topics that differ, and how.
    pub sources: Vec<String>,
}

impl Changes {
    /// What turns `old` into `new`. The order of rules does not count.
    pub fn between(old: &Plan, new: &Plan) -> Changes {
        let mut changes = Changes {
            sources: sources(&old.sources, &new.sources),
            ..Changes::default()
        };
        changes.settings = differences(&old.decoding, &new.decoding);
        changes.settings.extend(tables(&old.tables, &new.tables));
        let (old, new) = (by_id(old), by_id(new));
        let mut settings: BTreeMap<String, usize> = BTreeMap::new();
        for (id, rule) in &new {
            let list = match old.get(id) {
                None => &mut changes.added,
                Some(before) if before.fingerprint != rule.fingerprint => {
                    for difference in differences(&before.settings, &rule.settings) {
                        *settings.entry(difference).or_default() += 1;
                    }
                    &mut changes.changed
                }
                Some(before) if before.entry != rule.entry => &mut changes.reworded,
                Some(_) => continue,
            };
            list.push((*id).to_owned());
        }
        let settings = settings.into_iter();
        changes
            .settings
            .extend(settings.map(|(difference, rules)| match rules {
                1 => format!("{difference} for 1 rule"),
                _ => format!("{difference} for {rules} rules"),
            }));
        let removed = old.keys().filter(|id| !new.contains_key(*id));
        changes.removed = removed.map(|id| (*id).to_owned()).collect();
        changes
    }

    /// Whether the plans are the same.
    pub fn is_empty(&self) -> bool {
        *self == Changes::default()
    }
}

impl std::fmt::Display for Changes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Changes {
            added,
            removed,
            changed,
            reworded,
            settings,
            sources,
        } = self;
        let parts = [
            ("more rules", added),
            ("fewer rules", removed),
            ("other meaning", changed),
            ("other words", reworded),
            ("settings", settings),
            ("sources", sources),
        ];
        let parts = parts.iter().filter(|(_, list)| !list.is_empty());
        let parts: Vec<String> = parts
            .map(|(what, list)| format!("{what}: {}", list.join(", ")))
            .collect();
        match parts.is_empty() {
            true => write!(f, "only since when rules are in use"),
            false => write!(f, "{}", parts.join("; ")),
        }
    }
}

/// What differs between two settings, such as `patience 15m -> 10m`.
fn differences(old: &impl Serialize, new: &impl Serialize) -> Vec<String> {
    fn values(settings: &impl Serialize) -> BTreeMap<String, String> {
        let mut values = BTreeMap::new();
        let tree = serde_json::to_value(settings).unwrap_or_default();
        flatten("", &tree, &mut values);
        values
    }
    let (old, new) = (values(old), values(new));
    let shown = |value: Option<&String>| value.map_or_else(|| "none".to_owned(), Clone::clone);
    let names = old
        .keys()
        .chain(new.keys().filter(|name| !old.contains_key(*name)));
    names
        .filter(|name| old.get(*name) != new.get(*name))
        .map(|name| {
            format!(
                "{name} {} -> {}",
                shown(old.get(name)),
                shown(new.get(name))
            )
        })
        .collect()
}

/// The values in a tree by their names, as the configuration has them.
fn flatten(name: &str, tree: &Value, values: &mut BTreeMap<String, String>) {
    match tree {
        Value::Object(fields) => {
            for (field, value) in fields {
                let name = match name {
                    "" => field.clone(),
                    section => format!("{section}.{field}"),
                };
                flatten(&name, value, values);
            }
        }
        Value::Number(number) if matches!(name, "patience" | "lateness") => {
            let seconds: Second = number.as_i64().unwrap_or_default();
            values.insert(name.to_owned(), span(seconds));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            values.insert(name.to_owned(), tree.to_string());
        }
    }
}

/// Tables of networks that hold something else.
fn tables(old: &BTreeMap<String, Hash>, new: &BTreeMap<String, Hash>) -> Vec<String> {
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let changed = names
        .into_iter()
        .filter(|name| old.get(*name) != new.get(*name));
    let said = |hash: Option<&Hash>| hash.map_or_else(|| "none".to_owned(), Hash::to_string);
    let line = |name: &String| {
        let (before, now) = (said(old.get(name)), said(new.get(name)));
        format!("table {name} {before} -> {now}")
    };
    changed.map(line).collect()
}

fn sources(old: &[Source], new: &[Source]) -> Vec<String> {
    let of = |all: &[Source], topic: &str| all.iter().find(|s| s.topic == topic).cloned();
    let mut differences = Vec::new();
    for now in new {
        let topic = &now.topic;
        match of(old, topic) {
            None => differences.push(format!("{topic} is new")),
            Some(before) if before.epoch != now.epoch => differences.push(format!(
                "{topic} is in epoch {}, and was in {}",
                now.epoch, before.epoch
            )),
            Some(before) if before.epochs != now.epochs => {
                let numbers = 0..now.partitions.max(before.partitions);
                let changed = numbers.filter(|p| before.epoch_of(*p) != now.epoch_of(*p));
                differences.extend(changed.map(|partition| {
                    format!(
                        "{topic}/{partition} is in epoch {}, and was in {}",
                        now.epoch_of(partition),
                        before.epoch_of(partition)
                    )
                }));
            }
            Some(before) if before.partitions != now.partitions => differences.push(format!(
                "{topic} has {} partitions, and had {}",
                now.partitions, before.partitions
            )),
            Some(_) => (),
        }
    }
    let gone = old.iter().filter(|before| of(new, &before.topic).is_none());
    differences.extend(gone.map(|before| format!("{} is gone", before.topic)));
    differences
}

fn by_id(plan: &Plan) -> BTreeMap<&str, &LoadedRule> {
    let rules = plan.rules.iter();
    rules
        .map(|(rule, _)| (rule.rule.id.as_str(), &**rule))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::Changes;
    use crate::event::Attributes;
    use crate::plan::{Limits, Plan, Settings, Source};
    use crate::rule::{self, lists::Lists};

    /// A plan of rules, given as (id, name, window), and of a source with so many partitions.
    fn plan(
        rules: &[(&str, &str, &str)],
        patience: i64,
        (topic, partitions): (&str, u32),
    ) -> std::sync::Arc<Plan> {
        let texts = rules.iter().map(|(id, name, window)| {
            let text = format!(
                "id: {id}\nname: {name}\nseverity: 5\nwindow: {window}\npatterns: [{{name: P, \
                 where: user IS NULL}}]\n"
            );
            (format!("{id}.yaml"), text)
        });
        let mut attributes = Attributes::default();
        let rules = rule::parse_all(
            &texts.collect::<Vec<_>>(),
            &Lists::default(),
            &mut attributes,
        )
        .unwrap();
        let settings = Settings {
            patience,
            lateness: 7200,
            limits: Limits {
                evidence: 1,
                distinct_values: 1,
                ..Limits::DEFAULT
            },
        };
        let source = Source {
            topic: topic.to_owned(),
            partitions,
            epoch: 0,
            epochs: std::collections::BTreeMap::new(),
        };
        Plan::alone(&rules, &attributes, settings, vec![source]).unwrap()
    }

    #[test]
    fn tells_meaning_from_words() {
        fn check(new: &[(&str, &str, &str)], expected: [&[&str]; 4]) {
            let old = plan(&[("A", "a", "1m"), ("B", "b", "1m")], 900, ("s", 3));
            let changes = Changes::between(&old, &plan(new, 900, ("s", 3)));
            let Changes {
                added,
                removed,
                changed,
                reworded,
                settings,
                sources,
            } = &changes;
            assert!(settings.is_empty() && sources.is_empty());
            assert_eq!([added, removed, changed, reworded], expected);
            assert_eq!(
                changes.is_empty(),
                expected.iter().all(|list| list.is_empty())
            );
        }
        let none: &[&str] = &[];
        check(&[("B", "b", "1m"), ("A", "a", "1m")], [none; 4]);
        check(
            &[("A", "a", "2m"), ("B", "other", "1m"), ("C", "c", "1m")],
            [&["C"], none, &["A"], &["B"]],
        );
        check(&[("A", "other", "2m")], [none, &["B"], &["A"], none]);
    }

    #[test]
    fn tells_what_the_configuration_changes() {
        let rules = &[("A", "a", "1m"), ("B", "b", "1m")];
        let old = plan(rules, 900, ("s", 3));
        let changes = Changes::between(&old, &plan(rules, 600, ("s", 5)));
        assert_eq!(changes.changed, ["A", "B"]);
        assert_eq!(changes.settings, ["patience 15m -> 10m for 2 rules"]);
        assert_eq!(changes.sources, ["s has 5 partitions, and had 3"]);
        let changes = Changes::between(&old, &plan(rules, 900, ("t", 3)));
        assert_eq!(changes.sources, ["t is new", "s is gone"]);
    }
}
