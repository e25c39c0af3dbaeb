//! What one plan has that another has not.

use std::collections::BTreeMap;

use super::{LoadedRule, Plan};

/// How the rules of two plans differ: ids, in order.
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
}

impl Changes {
    /// What turns the rules of `old` into those of `new`. The order of rules does not count.
    pub fn between(old: &Plan, new: &Plan) -> Changes {
        let (old, new) = (by_id(old), by_id(new));
        let mut changes = Changes::default();
        for (id, rule) in &new {
            let list = match old.get(id) {
                None => &mut changes.added,
                Some(before) if before.fingerprint != rule.fingerprint => &mut changes.changed,
                Some(before) if before.entry != rule.entry => &mut changes.reworded,
                Some(_) => continue,
            };
            list.push((*id).to_owned());
        }
        let removed = old.keys().filter(|id| !new.contains_key(*id));
        changes.removed = removed.map(|id| (*id).to_owned()).collect();
        changes
    }

    /// Whether the rules are the same.
    pub fn is_empty(&self) -> bool {
        *self == Changes::default()
    }
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
    use crate::plan::{Limits, Plan, Settings};
    use crate::rule::{self, lists::Lists};

    fn plan(rules: &[(&str, &str, &str)]) -> std::sync::Arc<Plan> {
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
            patience: 1,
            lateness: 1,
            limits: Limits {
                evidence: 1,
                distinct_values: 1,
                ..Limits::DEFAULT
            },
        };
        Plan::alone(&rules, &attributes, settings, Vec::new()).unwrap()
    }

    #[test]
    fn tells_meaning_from_words() {
        fn check(new: &[(&str, &str, &str)], expected: [&[&str]; 4]) {
            let old = plan(&[("A", "a", "1m"), ("B", "b", "1m")]);
            let changes = Changes::between(&old, &plan(new));
            let Changes {
                added,
                removed,
                changed,
                reworded,
            } = &changes;
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
}
