use super::*;
use crate::rule;

fn prefilter(filter: &str) -> Result<Prefilter, Untold> {
    let text = format!(
        "id: R\nname: n\nseverity: 5\nwindow: 5m\npatterns:\n  - {{ name: A, where: '{filter}' }}\n"
    );
    let mut attributes = Attributes::default();
    let rules = rule::parse("r", &text, &mut attributes).expect("a valid rule");
    Prefilter::of(
        &rules.iter().collect::<Vec<_>>(),
        &attributes,
        &Own::default(),
    )
}

#[test]
fn a_message_without_what_a_filter_needs_is_not_read() {
    const TYPE: &str = "eventType = \"MS_EvtHub_compute_virtualmachines_runcommand_action\"";
    const NAME: &str = "Microsoft.Compute/virtualMachines/runCommand/action";
    for (filter, message, expected) in [
        (TYPE, NAME, true),
        (
            TYPE,
            "MICROSOFT.COMPUTE\\/VIRTUALMACHINES\\/RUNCOMMAND\\/ACTION",
            true,
        ),
        (TYPE, "Microsoft.Compute/virtualMachines/write", false),
        (TYPE, "virtualMachines/r\\u0075nCommand", true),
        (TYPE, "virtualMachines/\\\\u005cu0072unCommand", true),
        (TYPE, "virtualMachines/\\u002Fwrites", false),
        (TYPE, "runCommand", true),
        (TYPE, "virtualMachines/action", false),
        (
            "user = \"ana@contoso.com\" AND eventType IS NOT NULL",
            "ANA_contoso.com#EXT#@x",
            true,
        ),
        ("user = \"ana@contoso.com\"", "bob@contoso.com", true),
        ("user = \"anabel@contoso.com\"", "bob@contoso.com", false),
        ("record.m CONTAIN \"evil thing\"", "an evil  thing", true),
        ("record.m CONTAIN \"evil thing\"", "an evil", false),
        ("record.m CONTAIN \"nothing\"", "\\u001bothing", true),
        ("record.m REGEXP \"mimikatz\"", "MIMIKATZ", true),
        ("record.m REGEXP \"mimikatz\"", "mimi\u{212a}atz", true),
        ("record.m REGEXP \"mimikatz\"", "mimosa", false),
        (
            "record.m IN (\"first one\", \"second one\")",
            "second",
            true,
        ),
        (
            "record.m IN (\"first one\", \"second one\")",
            "third",
            false,
        ),
        ("record.m = 5 AND record.n = \"fifth\"", "5", false),
        ("NOT (record.n != \"fifth\" OR record.m = 5)", "fifth", true),
    ] {
        let mut prefilter = prefilter(filter).expect("something must be there");
        for message in [
            message.to_owned(),
            format!("{message}{message}"),
            format!("..{message}"),
        ] {
            assert_eq!(
                prefilter.may_match(message.as_bytes()),
                expected,
                "{filter}: {message}"
            );
        }
    }
}

#[test]
fn filters_that_need_no_text_have_every_message_read() {
    for filter in [
        "user IS NULL",
        "record.m = \"200\"",
        "record.m = 200",
        "record.m CONTAIN \"20\"",
        "record.m CONTAIN \"a-b\"",
        "record.m REGEXP \"ksks\"",
        "srcIpAddr = \"192.0.2.111\"",
        "eventOutcome = \"Success\"",
        "eventType STARTS_WITH \"MS_EvtHub_\"",
        "record.m != \"something\"",
        "eventType = \"MS_EvtHub_resources_subscriptions_resourcegroups_delete\"",
        "record.m = \"something\" OR user IS NULL",
    ] {
        assert_eq!(prefilter(filter).err(), Some(vec![(0, 0)]), "{filter}");
    }
}

#[test]
fn messages_are_read_without_a_look_where_most_are_to_be_read() {
    let mut prefilter = prefilter("record.m = \"something\"").expect("something must be there");
    let passed = |prefilter: &mut Prefilter, text: &[u8]| {
        let all = 0..WATCHED;
        all.filter(|_| !prefilter.may_match(text)).count()
    };
    assert_eq!(passed(&mut prefilter, b"nothing"), WATCHED as usize);
    assert_eq!(passed(&mut prefilter, b"something"), 0);
    for _ in 0..UNSEEN / WATCHED {
        assert_eq!(passed(&mut prefilter, b"nothing"), 0);
    }
    assert_eq!(passed(&mut prefilter, b"nothing"), WATCHED as usize);
}
