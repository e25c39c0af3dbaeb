//! Event types that no event has: names as other programs, or earlier versions, write them.

use super::{Pattern, Rule};
use crate::normalise;

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

impl Rule {
    /// Where patterns ask for event types that no event has, or few: what to ask for.
    pub(super) fn event_type_advice(&self) -> Vec<String> {
        let of_pattern = |pattern: &Pattern| {
            let wanted = pattern.filter.required_event_type().unwrap_or_default();
            let advice = wanted.into_iter().filter_map(|wanted| {
                let instead = instead(&wanted)?;
                let pattern = &pattern.name;
                Some(format!(
                    "{pattern} asks for the event type `{wanted}`: {instead}"
                ))
            });
            advice.collect::<Vec<_>>()
        };
        self.patterns.iter().flat_map(of_pattern).collect()
    }
}

/// What to ask for in place of a type, in lower case, that no event has.
fn instead(wanted: &str) -> Option<String> {
    if let Some((_, now)) = RENAMED.iter().find(|(old, _)| *old == wanted) {
        return Some(format!("an older name; {now}"));
    }
    let made = normalise::event_type(wanted.strip_prefix(PREFIX)?);
    let is_it = made.eq_ignore_ascii_case(wanted);
    (!is_it).then(|| format!("no event has it; that operation's is `{made}`"))
}

#[cfg(test)]
mod tests {
    use super::instead;

    #[test]
    fn types_that_no_event_has_are_told_from_those_that_some_have() {
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
                "ms_evthub_add member to role.",
                Some("`MS_EvtHub_add_member_to_role`"),
            ),
        ] {
            let found = instead(wanted);
            let agrees = match (&found, expected) {
                (Some(found), Some(part)) => found.contains(part),
                (found, expected) => found.is_none() && expected.is_none(),
            };
            assert!(agrees, "{wanted}: {found:?}");
        }
    }
}
