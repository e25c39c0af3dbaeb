//! Event types that no event has: names as other programs, or earlier versions, write them.

use super::{Finding, Lint, Linted};
use crate::event::Attribute;
use crate::normalise::{self, Derivation};
use crate::rule::check::Check;
use crate::rule::literal::Literal;
use crate::rule::nearest::shown;
use crate::rule::own::Own;
use crate::rule::tree::{Expression, Test};

/// What every event type begins with that is made of an operation's name, in lower case.
const PREFIX: &str = "ms_evthub_";

/// Types that a whole category had once, in lower case, and what its events have now.
const RENAMED: [(&str, &str); 4] = [
    (
        "ms_evthub_containerservice_managedclusters_diagnosticlogs_read",
        "audits of Kubernetes have one for each resource and verb, such as \
         MS_EvtHub_kubernetes_pods_exec_create",
    ),
    (
        "ms_evthub_auditevent",
        "audits of SQL have their action's, such as MS_EvtHub_database_authentication_failed",
    ),
    (
        "ms_evthub_logevent",
        "audits of MySQL have their class's, such as MS_EvtHub_mysql_connection_log_connect",
    ),
    (
        "ms_evthub_publish",
        "records of Defender XDR have their ActionType's, such as MS_EvtHub_logonfailed",
    ),
];

/// What event types may begin with.
enum Beginnings {
    /// With anything: a file of attributes takes them from the record as they are.
    Any,
    /// With one of these, in lower case.
    These(Vec<String>),
}

impl Beginnings {
    /// Those of Azure's events, and of the attributes that users bring.
    fn of(own: &Own) -> Beginnings {
        let mut all = vec![PREFIX.to_owned()];
        let attributes = own.families().flat_map(|own| own.family.attributes.iter());
        let of_types = attributes.filter(|sources| sources.attribute == "eventType");
        for step in of_types.flat_map(|sources| sources.steps.iter()) {
            let derivation = step.derivation;
            let is_azure = matches!(
                derivation,
                Derivation::EventType | Derivation::Joined | Derivation::Named
            );
            let is_own = derivation == Derivation::OwnEventType && !step.word.is_empty();
            if is_own {
                all.push(step.word.to_ascii_lowercase());
            } else if !is_azure {
                return Beginnings::Any;
            }
        }
        Beginnings::These(all)
    }

    /// Whether a type may begin so, as far as this goes. In lower case.
    fn allow(&self, begin: &str) -> bool {
        match self {
            Beginnings::Any => true,
            Beginnings::These(all) => {
                let agrees = |known: &String| {
                    let mut both = begin.bytes().zip(known.bytes());
                    both.all(|(one, other)| one == other)
                };
                all.iter().any(agrees)
            }
        }
    }

    /// Whether it may be a type. In lower case.
    fn allow_whole(&self, wanted: &str) -> bool {
        match self {
            Beginnings::Any => true,
            Beginnings::These(all) => all.iter().any(|known| wanted.starts_with(known.as_str())),
        }
    }

    fn is_any(&self) -> bool {
        matches!(self, Beginnings::Any)
    }
}

impl Linted<'_> {
    /// Where patterns ask for event types that no event has: what to ask for.
    pub(super) fn event_types(&self) -> Vec<Finding> {
        let beginnings = Beginnings::of(self.rule.lists.own());
        let mut all = Vec::new();
        for pattern in &self.rule.patterns {
            let mut tests = Vec::new();
            self.tests(pattern.filter.expression(), &mut tests);
            for test in tests {
                for (wanted, instead) in wrong(&test.check, &beginnings) {
                    let text = format!(
                        "{} asks for the event type `{}`: {instead}",
                        pattern.name,
                        shown(&wanted)
                    );
                    all.push(Finding {
                        lint: Lint::EventType,
                        near: wanted,
                        text,
                    });
                }
            }
        }
        all.dedup();
        all
    }

    /// All tests of the event type.
    fn tests<'e>(&self, expression: &'e Expression, found: &mut Vec<&'e Test>) {
        let event_type = self.attributes.place(&Attribute::Named("eventType"));
        match expression {
            Expression::And(parts) | Expression::Or(parts) => {
                parts.iter().for_each(|part| self.tests(part, found));
            }
            Expression::Not(inner) => self.tests(inner, found),
            Expression::Test(test) if Some(test.attribute) == event_type => found.push(test),
            Expression::Test(_) | Expression::Computed(_) => {}
        }
    }
}

/// The texts of a test, in lower case, that no event type has, each with what to do.
fn wrong(check: &Check, beginnings: &Beginnings) -> Vec<(String, String)> {
    let part = |text: &String| {
        let instead = wrong_part(text).filter(|_| !beginnings.is_any());
        instead.map(|instead| (text.clone(), instead))
    };
    match check {
        Check::In(set) => {
            let texts = set
                .literals()
                .into_iter()
                .filter_map(|literal| match literal {
                    Literal::Text(text) => Some(text.to_ascii_lowercase()),
                    Literal::Number(_) | Literal::Network(_) | Literal::List(_) => None,
                });
            let wrong = texts.filter_map(|text| {
                let instead = instead(&text, beginnings)?;
                Some((text, instead))
            });
            wrong.collect()
        }
        Check::StartsWith(text) if !beginnings.allow(text) => {
            vec![(text.clone(), unknown_beginning(text))]
        }
        Check::Contain(text) | Check::StartsWith(text) | Check::EndsWith(text) => {
            part(text).into_iter().collect()
        }
        Check::Greater(_)
        | Check::GreaterOrEqual(_)
        | Check::Less(_)
        | Check::LessOrEqual(_)
        | Check::Between(..)
        | Check::BetweenAddresses(..)
        | Check::Regexp(_)
        | Check::IsNull => Vec::new(),
    }
}

/// What events have now that had this type once, in lower case.
pub fn renamed(wanted: &str) -> Option<&'static str> {
    let found = RENAMED.iter().find(|(old, _)| *old == wanted);
    found.map(|(_, now)| *now)
}

/// What to ask for in place of a type, in lower case, that no event has.
fn instead(wanted: &str, beginnings: &Beginnings) -> Option<String> {
    if let Some(now) = renamed(wanted) {
        return Some(format!("an older name; {now}"));
    }
    let Some(operation) = wanted.strip_prefix(PREFIX) else {
        return (!beginnings.allow_whole(wanted)).then(|| unknown_beginning(wanted));
    };
    let made = normalise::event_type(operation);
    let is_it = made.eq_ignore_ascii_case(wanted);
    (!is_it).then(|| format!("no event has it; that operation's is `{made}`"))
}

fn unknown_beginning(wanted: &str) -> String {
    let made = normalise::event_type(wanted);
    format!(
        "no event has it, as those of Azure begin with MS_EvtHub_; of an operation of that name it \
         is `{}`",
        shown(&made)
    )
}

/// What is wrong with a part of an event type.
fn wrong_part(text: &str) -> Option<String> {
    let is_wrong = |c: char| c == '/' || c.is_whitespace();
    text.contains(is_wrong)
        .then(|| "event types have `_` for slashes and blanks".to_owned())
}

#[cfg(test)]
mod tests {
    use super::{Beginnings, PREFIX, instead};

    #[test]
    fn types_that_no_event_has_are_told_from_those_that_some_have() {
        let azure = Beginnings::These(vec![PREFIX.to_owned(), "aws_cloudtrail".to_owned()]);
        for (wanted, expected) in [
            ("ms_evthub_compute_virtualmachines_runcommand_action", None),
            ("ms_evthub_sign-in_activity", None),
            ("aws_cloudtrail_iam.amazonaws.com_createuser", None),
            (
                "ms_evthub_auditevent",
                Some("database_authentication_failed"),
            ),
            (
                "ms_evthub_update_application_\u{2013}_certificates_",
                Some("`MS_EvtHub_update_application_-_certificates_`"),
            ),
            (
                "ms_evthub_microsoft.compute/virtualmachines/runcommand/action",
                Some("`MS_EvtHub_compute_virtualmachines_runcommand_action`"),
            ),
            (
                "microsoft.compute/virtualmachines/runcommand/action",
                Some("`MS_EvtHub_compute_virtualmachines_runcommand_action`"),
            ),
            ("ms_evt", Some("begin with MS_EvtHub_")),
            (
                "ms_evthub_add member to role.",
                Some("`MS_EvtHub_add_member_to_role`"),
            ),
        ] {
            let found = instead(wanted, &azure);
            let agrees = match (&found, expected) {
                (Some(found), Some(part)) => found.contains(part),
                (found, expected) => found.is_none() && expected.is_none(),
            };
            assert!(agrees, "{wanted}: {found:?}");
            assert_eq!(
                instead(wanted, &Beginnings::Any).is_some(),
                wanted.starts_with(PREFIX) && expected.is_some(),
                "{wanted}"
            );
        }
    }
}
