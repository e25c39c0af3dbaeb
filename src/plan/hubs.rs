//! Which event hubs rules need events from, where Azure has named them.

use crate::rule::Rule;

/// What the names of all event hubs begin with that Azure makes for its exports.
const USUAL: &str = "insights-";

/// The event hub of the activity log.
const ACTIVITY: &str = "insights-activity-logs";

/// What each of these types begins with comes from the audit log of Entra ID.
const AUDITED: [&str; 12] = [
    "add_",
    "change_",
    "consent_to_",
    "create_",
    "delete_",
    "disable_",
    "enable_",
    "invite_",
    "remove_",
    "reset_",
    "set_",
    "update_",
];

/// The kind of events that have this `eventType` (in lower case), and the event hub that Azure
/// exports them to; `None`: that is not known.
fn hub_of(event_type: &str) -> Option<(&'static str, &'static str)> {
    let operation = event_type.strip_prefix("ms_evthub_")?;
    let ends = |ends: &[&str]| ends.iter().any(|end| operation.ends_with(end));
    if operation == "sign-in_activity" {
        Some(("sign-ins", "insights-logs-signinlogs"))
    } else if AUDITED.iter().any(|verb| operation.starts_with(verb)) && !ends(&["_action"]) {
        Some(("the audit log of Entra ID", "insights-logs-auditlogs"))
    } else {
        let is_activity = ends(&["_write", "_delete", "_action"]);
        is_activity.then_some(("the activity log", ACTIVITY))
    }
}

/// An event hub that a rule needs and that is not among the sources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing<'r> {
    /// The rule's id.
    pub rule: &'r str,
    /// What is said of it, to go on after its id.
    pub text: String,
}

/// What rules need that is not among the sources. Nothing is said where a source has
/// a name of the operator's own: it may hold anything.
pub fn missing<'r>(
    rules: impl IntoIterator<Item = &'r Rule>,
    sources: &[String],
) -> Vec<Missing<'r>> {
    if sources.is_empty() || !sources.iter().all(|source| source.starts_with(USUAL)) {
        return Vec::new();
    }
    let mut missing = Vec::new();
    for rule in rules {
        let types = rule
            .patterns
            .iter()
            .map(|pattern| pattern.filter.required_event_type());
        let mut hubs: Vec<_> = types
            .flatten()
            .filter_map(|types| only_hub(&types))
            .collect();
        hubs.sort_unstable();
        hubs.dedup();
        for (kind, hub) in hubs {
            if !sources.iter().any(|source| source == hub) {
                missing.push(Missing {
                    rule: &rule.id,
                    text: format!(
                        "needs {kind}, which Azure exports to the event hub {hub}: it is not \
                         among the sources"
                    ),
                });
            }
        }
    }
    missing
}

/// The hub that all of these types come from.
fn only_hub(types: &[String]) -> Option<(&'static str, &'static str)> {
    let mut hubs = types.iter().map(|event_type| hub_of(event_type));
    let first = hubs.next()??;
    hubs.all(|hub| hub == Some(first)).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::missing;
    use crate::event::Attributes;
    use crate::rule;

    fn check(filter: &str, sources: &[&str], expected: Option<&str>) {
        let text = format!(
            "id: R\nname: n\nseverity: 1\nwindow: 1m\npatterns: [{{ name: A, where: \
             '{filter}' }}]\n"
        );
        let rules = rule::parse("r.yaml", &text, &mut Attributes::default()).unwrap();
        let sources: Vec<String> = sources.iter().map(|source| (*source).to_owned()).collect();
        let found = missing(&rules, &sources);
        assert_eq!(found.is_empty(), expected.is_none(), "{filter}: {found:?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.text.contains(expected), "{filter}: {found:?}");
        }
    }

    #[test]
    fn what_azure_exports_elsewhere_is_named() {
        let activity = ["insights-activity-logs"];
        let sign_in = "eventType = \"MS_EvtHub_sign-in_activity\" AND resultType = 50126";
        let expected = "needs sign-ins, which Azure exports to the event hub \
                        insights-logs-signinlogs";
        check(sign_in, &activity, Some(expected));
        check(sign_in, &["insights-logs-signinlogs"], None);
        check(sign_in, &["insights-activity-logs", "all"], None);
        check(sign_in, &[], None);
        let audit = "eventType = \"MS_EvtHub_Add_owner_to_application\"";
        check(audit, &activity, Some("insights-logs-auditlogs"));
        let disk = "eventType = \"MS_EvtHub_compute_disks_delete\"";
        check(disk, &activity, None);
        check(
            disk,
            &["insights-logs-auditlogs"],
            Some("insights-activity-logs"),
        );
        check("eventType STARTS_WITH \"MS_EvtHub_\"", &activity, None);
        let either = "eventType IN (\"MS_EvtHub_sign-in_activity\", \"MS_EvtHub_a_write\")";
        check(either, &activity, None);
    }
}
