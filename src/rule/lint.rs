//! What is valid in a rule and most likely not meant. Each kind has a name, by which a comment in
//! the rule switches it off.

mod event_types;

mod filters;

mod groups;

mod off;

use super::attribute::Names;
use super::metadata::Status;
use super::{Having, Rule, nearest, parse_with, print, title};
use crate::event::{Attribute, AttributeId, Attributes};
use crate::time::{Millis, rfc3339};

/// A kind of slip.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lint {
    /// A test of a `having` holds whatever happens.
    AlwaysHolds,
    /// A part of a filter can never hold where it stands.
    NeverHolds,
    /// A filter asks for nothing that an event must have.
    EveryEvent,
    /// An event type that no event has.
    EventType,
    /// A count of what there is one of in each group.
    DistinctOfKey,
    /// Several patterns that need not be about the same thing.
    NoRelations,
    /// A name in a title that is no attribute of the incident.
    TitleName,
    /// A number on a path.
    IndexInPath,
    /// A severity that asks for an aggregate which does not choose the peak.
    Peak,
    /// A rule that is to be replaced.
    Deprecated,
    /// An exception whose time is over.
    ExpiredException,
    /// A comment that is to switch off what is not there, or says no reason.
    LintComment,
}

impl Lint {
    /// In the order in which they are described.
    pub const ALL: [Lint; 12] = [
        Lint::EventType,
        Lint::NeverHolds,
        Lint::AlwaysHolds,
        Lint::DistinctOfKey,
        Lint::NoRelations,
        Lint::TitleName,
        Lint::IndexInPath,
        Lint::EveryEvent,
        Lint::Peak,
        Lint::Deprecated,
        Lint::ExpiredException,
        Lint::LintComment,
    ];

    /// By which it is switched off.
    pub fn name(self) -> &'static str {
        match self {
            Lint::AlwaysHolds => "always-holds",
            Lint::NeverHolds => "never-holds",
            Lint::EveryEvent => "every-event",
            Lint::EventType => "event-type",
            Lint::DistinctOfKey => "distinct-of-key",
            Lint::NoRelations => "no-relations",
            Lint::TitleName => "title-name",
            Lint::IndexInPath => "index-in-path",
            Lint::Peak => "peak",
            Lint::Deprecated => "deprecated",
            Lint::ExpiredException => "expired-exception",
            Lint::LintComment => "lint-comment",
        }
    }

    /// What it finds, as the reference says it.
    pub fn meaning(self) -> &'static str {
        match self {
            Lint::AlwaysHolds => "a test of a `having` that always holds: `COUNT(*) >= 0`",
            Lint::NeverHolds => {
                "a part of a filter, or a relation, that can never hold with what stands around \
                 it: `user IS NULL` in `user = \"a\" AND (user IS NULL OR opName = \"x\")`"
            }
            Lint::EveryEvent => {
                "a filter that asks for nothing an event must have, so that it is held against \
                 every event: `user != \"a\"`"
            }
            Lint::EventType => {
                "an event type that no event has: \
                 `eventType = \"Microsoft.Compute/virtualMachines/runCommand/action\"`"
            }
            Lint::DistinctOfKey => {
                "a count of different values of what is grouped by, of which a group has one: \
                 `COUNT(DISTINCT user) > 1` with `group_by: [user]`"
            }
            Lint::NoRelations => {
                "several patterns without relations: one user fails, and another one gets in"
            }
            Lint::TitleName => "a `$name` in the title that is no attribute of the incident",
            Lint::IndexInPath => {
                "a number on a path, `record.items.0.id`: a path through a list reaches every \
                 element"
            }
            Lint::Peak => {
                "a severity that asks for an aggregate that is not the first one shown, whose peak \
                 decides"
            }
            Lint::Deprecated => "`status: deprecated`",
            Lint::ExpiredException => "an exception whose `until` has passed",
            Lint::LintComment => "a comment `# lint: off` that names no lint, or says no reason",
        }
    }
}

/// Whether a whole category had this event type once, and has others now.
pub fn is_older_name(event_type: &str) -> bool {
    event_types::renamed(&event_type.to_ascii_lowercase()).is_some()
}

/// A slip that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Of which kind.
    pub lint: Lint,
    /// Words of the rule's text near which it stands.
    pub near: String,
    /// What was found, and what to do.
    pub text: String,
}

/// A rule over a table of its own.
struct Linted<'r> {
    rule: &'r Rule,
    attributes: &'r Attributes,
}

impl Rule {
    /// What is valid in it and most likely not meant, but for what its comments switch off. `now`
    /// is what exceptions are held against.
    pub fn lints(&self, now: Millis) -> Vec<Finding> {
        let mut attributes = Attributes::default();
        // The text of a rule reads as the rule.
        let read = parse_with(&self.id, &self.text, &self.lists, &mut attributes);
        let Some(rule) = read.ok().and_then(|mut rules| rules.pop()) else {
            return Vec::new();
        };
        let dead = rule.dead(&Names::Event(&mut attributes));
        let linted = Linted {
            rule: &rule,
            attributes: &attributes,
        };
        let mut found = linted.event_types();
        found.extend(linted.never_holds(&dead));
        found.extend(linted.never_related());
        found.extend(linted.every_event());
        found.extend(linted.always_holds());
        found.extend(linted.distinct_of_key());
        found.extend(linted.without_relations());
        found.extend(linted.title_names());
        found.extend(linted.indices());
        found.extend(rule.peak_advice().map(|text| Finding {
            lint: Lint::Peak,
            near: "severity:".to_owned(),
            text,
        }));
        found.extend(rule.deprecated());
        found.extend(rule.expired(now));
        let (off, wrong) = off::read(&self.text);
        found.retain(|finding| !off.contains(&finding.lint));
        found.extend(wrong);
        found
    }

    fn deprecated(&self) -> Option<Finding> {
        (self.metadata.status == Status::Deprecated).then(|| Finding {
            lint: Lint::Deprecated,
            near: "status:".to_owned(),
            text: "it is deprecated: it is in force, and is to be replaced".to_owned(),
        })
    }

    fn expired(&self, now: Millis) -> Vec<Finding> {
        let past = self.exceptions.iter().filter_map(|exception| {
            let until = exception.until.filter(|until| *until <= now)?;
            let mut text = format!(
                "an exception has expired: since {} it covers nothing that begins",
                rfc3339(until)
            );
            for (key, said) in [("owner", &exception.owner), ("ticket", &exception.ticket)] {
                if !said.is_empty() {
                    text += &format!(", {key} {}", nearest::shown(said));
                }
            }
            Some(Finding {
                lint: Lint::ExpiredException,
                near: "exceptions:".to_owned(),
                text,
            })
        });
        past.collect()
    }
}

impl Linted<'_> {
    fn name(&self, id: AttributeId) -> String {
        print::name(self.attributes, id)
    }

    fn always_holds(&self) -> Vec<Finding> {
        let mut all = Vec::new();
        for pattern in &self.rule.patterns {
            let mut found = Vec::new();
            pattern.having.always(&pattern.aggregates, &mut found);
            let of_test = |having: &&Having| {
                let test = print::having(having, &pattern.aggregates, &|id| self.name(id));
                Finding {
                    lint: Lint::AlwaysHolds,
                    near: "having:".to_owned(),
                    text: format!("`{test}` of the pattern {} always holds", pattern.name),
                }
            };
            all.extend(found.iter().map(of_test));
        }
        all
    }

    fn without_relations(&self) -> Option<Finding> {
        let rule = self.rule;
        let is_grouped = rule.patterns.iter().any(|p| !p.group_by.is_empty());
        let is_apart = rule.patterns.len() > 1 && rule.join_key.is_empty();
        let is_joined = is_grouped || !groups::is_choice(&rule.condition);
        (is_apart && is_joined).then(|| Finding {
            lint: Lint::NoRelations,
            near: "condition:".to_owned(),
            text: "its patterns have no relations: what they find together may be of different \
                   users, addresses or machines, and all of it is one incident. Relate what must \
                   be equal: relations: [A.user = B.user]"
                .to_owned(),
        })
    }

    fn title_names(&self) -> Vec<Finding> {
        let attributes = &self.rule.attributes;
        let is_known = |name: &str| attributes.iter().any(|(known, _)| known == name);
        let known: Vec<&str> = attributes.iter().map(|(name, _)| name.as_str()).collect();
        let unknown = title::unknown(&self.rule.title, &is_known);
        let finding = |name: &str| Finding {
            lint: Lint::TitleName,
            near: format!("${name}"),
            text: format!(
                "its title has `${}`, which is no attribute of its incidents{}",
                nearest::shown(name),
                nearest::hint(name, &known)
            ),
        };
        unknown.into_iter().map(finding).collect()
    }

    fn indices(&self) -> Vec<Finding> {
        let is_index = |name: &String| name.bytes().all(|b| b.is_ascii_digit());
        let of_attribute = |attribute: &Attribute| {
            let index = match attribute {
                Attribute::Path(names) => names.iter().find(|name| is_index(name)),
                Attribute::Selected(path) => {
                    path.iter().map(|part| &part.name).find(|n| is_index(n))
                }
                Attribute::Named(_) | Attribute::Own(_) | Attribute::Computed { .. } => None,
            };
            index.filter(|name| !name.is_empty()).map(|index| Finding {
                lint: Lint::IndexInPath,
                near: format!(".{index}"),
                text: format!(
                    "`{attribute}` asks for a key `{index}`: a path through a list reaches every \
                     element. Leave it out, or choose elements by what they have: \
                     record.list[key = \"..\"]"
                ),
            })
        };
        let list = self.attributes.list().iter();
        list.filter_map(of_attribute).collect()
    }
}

#[cfg(test)]
#[path = "lint_tests.rs"]
mod tests;
