use super::*;
use crate::decode::Decoder;

/// `name` of the record `text` is `expected`; "-" means absent.
fn check(name: &str, rows: &[(&str, &str)]) {
    let mut attributes = Attributes::default();
    attributes.intern(attribute(name).unwrap());
    let decoder = Decoder::new(&attributes);
    for (text, expected) in rows {
        let mut found = Vec::new();
        decoder.decode(text.as_bytes(), Some(1_772_355_600_000), &mut |decoded| {
            let event = decoded.outcome.unwrap();
            found.push(match event.values.first().unwrap() {
                None => "-".to_owned(),
                Some(Value::Text(text)) => text.to_string(),
                Some(other) => format!("{other:?}"),
            });
        });
        assert_eq!(found, [*expected], "{name} of {text}");
    }
}

#[test]
fn event_types() {
    let run = "MS_EvtHub_compute_virtualmachines_runcommand_action";
    check(
        "eventType",
        &[
            (
                r#"{"operationName":"MICROSOFT.COMPUTE/VIRTUALMACHINES/RUNCOMMAND/ACTION"}"#,
                run,
            ),
            (
                concat!(
                    r#"{"operationName":{"localizedValue":"Run","#,
                    r#""value":"Microsoft.Compute/virtualMachines/runCommand/action"}}"#
                ),
                run,
            ),
            (
                concat!(
                    r#"{"OperationName":"Run Command","#,
                    r#""OperationNameValue":" microsoft.compute/"#,
                    r#"virtualmachines/runcommand/action "}"#
                ),
                run,
            ),
            (
                r#"{"operationname":"Sign-in activity"}"#,
                "MS_EvtHub_sign-in_activity",
            ),
            (
                r#"{"operationName":"Add owner to application"}"#,
                "MS_EvtHub_add_owner_to_application",
            ),
            (
                r#"{"operationName":"NetworkSecurityGroupFlowEvents"}"#,
                "MS_EvtHub_networksecuritygroupflowevents",
            ),
            (r#"{"operationName":""}"#, "-"),
            (r#"{"operationName":{}}"#, "-"),
            (r#"{}"#, "-"),
        ],
    );
    check(
        "OPNAME",
        &[(r#"{"operationName":" Microsoft.A/b "}"#, "Microsoft.A/b")],
    );
}

#[test]
fn users() {
    const UPN: &str = r#""http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn":"Ann@x.org""#;
    const NAME: &str =
        r#""http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name":" bo@x.org""#;
    const OID: &str = r#""http://schemas.microsoft.com/identity/claims/objectidentifier":"oid-1""#;
    let identity =
        |claims: &str| format!(r#"{{"identity":{{"claims":{{{claims}}}}},"caller":"c"}}"#);
    check(
        "user",
        &[
            (
                &identity(&format!(
                    r#""name":"Full Name","appid":"app-1",{NAME},{UPN}"#
                )),
                "Ann@x.org",
            ),
            (
                &identity(&format!(r#""name":"Full Name","appid":"app-1",{NAME}"#)),
                "bo@x.org",
            ),
            (&identity(&format!(r#"{OID},"appid":"app-1""#)), "app-1"),
            (&identity(OID), "oid-1"),
            (&identity(r#""name":"Full Name""#), "Full Name"),
            (&identity(""), "c"),
            (
                r#"{"identity":{"authorization":{"evidence":{"principalId":"p-1"}},"claims":{}}}"#,
                "p-1",
            ),
            (
                r#"{"identity":{"claim":{"upn":"kv@x.org","oid":"o"}}}"#,
                "kv@x.org",
            ),
            (r#"{"identity":{"claim":{"oid":"o"}}}"#, "o"),
            (
                &format!(r#"{{"claims":{{{UPN}}},"caller":"c"}}"#),
                "Ann@x.org",
            ),
            (
                &format!(
                    r#"{{"Claims":"{{{}}}","Caller":"c"}}"#,
                    UPN.replace('"', "\\\"")
                ),
                "Ann@x.org",
            ),
            (
                &format!(r#"{{"Claims":"","Claims_d":{{{UPN}}},"Caller":"c"}}"#),
                "Ann@x.org",
            ),
            (
                concat!(
                    r#"{"properties":{"initiatedBy":"#,
                    r#"{"user":{"id":"i","userPrincipalName":"u@x.org"},"app":null}}}"#
                ),
                "u@x.org",
            ),
            (
                r#"{"identity":"S","initiatedBy":{"app":{"displayName":"Sync Service"}}}"#,
                "Sync Service",
            ),
            (
                r#"{"identity":"M","properties":{"userPrincipalName":"Mia M@x.org","userId":"i"}}"#,
                "Mia M@x.org",
            ),
            (
                r#"{"properties":{"userId":"","servicePrincipalName":"robot"}}"#,
                "robot",
            ),
            (r#"{"identity":"Mia M"}"#, "Mia M"),
            (r#"{"identity":{},"caller":"<null>"}"#, "-"),
        ],
    );
}

#[test]
fn addresses() {
    check(
        "srcIpAddr",
        &[
            (r#"{"callerIpAddress":"192.0.2.1"}"#, "192.0.2.1"),
            (r#"{"CallerIpAddress":" 192.0.2.1:4711"}"#, "192.0.2.1"),
            (r#"{"calleripaddress":"2001:db8::1"}"#, "2001:db8::1"),
            (r#"{"callerIpAddress":"[2001:db8::1]:443"}"#, "2001:db8::1"),
            (
                r#"{"callerIpAddress":"<null>","properties":{"ipAddress":"192.0.2.2"}}"#,
                "192.0.2.2",
            ),
            (
                r#"{"httpRequest":{"clientIpAddress":"192.0.2.3"}}"#,
                "192.0.2.3",
            ),
            (r#"{"callerIpAddress":""}"#, "-"),
            (r#"{"callerIpAddress":"192.0.2.0/24"}"#, "-"),
            (r#"{"callerIpAddress":"XX:2001:db8::1"}"#, "-"),
            (
                r#"{"callerIpAddress":"a1b2c3d4-0000-1111-2222-333344445555"}"#,
                "-",
            ),
        ],
    );
    check(
        "record.calleripaddress",
        &[(r#"{"callerIpAddress":"<null>"}"#, "<null>")],
    );
}

#[test]
fn resources() {
    const ID: &str =
        r#"{"resourceId":"/SUBSCRIPTIONS/s-1/resourceGroups/RG/providers/M.C/vms/Vm1/"}"#;
    const NO_ID: &str = r#"{"resourceId":"SOME-APP"}"#;
    const TENANT: &str = r#"{"resourceId":"/TeNaNtS/t-1/PrOvIdErS/m.a"}"#;
    check(
        "resourceName",
        &[
            (ID, "Vm1"),
            (NO_ID, "SOME-APP"),
            (r#"{"resourceId":"/"}"#, "-"),
        ],
    );
    check(
        "resourceGroup",
        &[(ID, "RG"), (NO_ID, "-"), (r#"{"ResourceGroup":"g"}"#, "g")],
    );
    check(
        "subscriptionId",
        &[
            (ID, "s-1"),
            (NO_ID, "-"),
            (r#"{"SubscriptionId":"s"}"#, "s"),
        ],
    );
    let hierarchy = concat!(
        r#"{"resourceId":"/subscriptions/s","#,
        r#""properties":{"hierarchy":"00000000-1111-2222-3333-444444444444/g/s"}}"#
    );
    check(
        "tenantId",
        &[
            (r#"{"tenantId":"t","resourceId":"/tenants/u"}"#, "t"),
            (TENANT, "t-1"),
            (hierarchy, "00000000-1111-2222-3333-444444444444"),
            (r#"{"properties":{"hierarchy":""}}"#, "-"),
            (NO_ID, "-"),
        ],
    );
}

#[test]
fn results_and_levels() {
    check(
        "eventOutcome",
        &[
            (r#"{"resultType":"Succeeded."}"#, "Success"),
            (r#"{"ActivityStatusValue":"Success"}"#, "Success"),
            (r#"{"status":{"value":"Failed"}}"#, "Failure"),
            (r#"{"resultType":"0"}"#, "Success"),
            (r#"{"resultType":"50126"}"#, "Failure"),
            (
                r#"{"properties":{"status":{"errorCode":50140}}}"#,
                "Failure",
            ),
            (r#"{"properties":{"result":"success"}}"#, "Success"),
            (r#"{"resultType":"Start"}"#, "-"),
            (r#"{"resultType":"Accept"}"#, "-"),
        ],
    );
    check(
        "level",
        &[
            (r#"{"level":"Information"}"#, "Informational"),
            (r#"{"Level":"2"}"#, "Error"),
            (r#"{"Level":3}"#, "Warning"),
            (r#"{"level":"Odd"}"#, "-"),
        ],
    );
    check(
        "eventSeverity",
        &[(r#"{"level":"Critical"}"#, "Integer(10)")],
    );
    check(
        "durationMs",
        &[
            (r#"{"durationMs":"-1"}"#, "Integer(-1)"),
            (r#"{"durationMs":20}"#, "Integer(20)"),
        ],
    );
    check(
        "azureEventCategory",
        &[
            (r#"{"category":"Action"}"#, "Administrative"),
            (
                r#"{"category":"Write","properties":{"eventCategory":"Policy"}}"#,
                "Policy",
            ),
            (r#"{"CategoryValue":"Security","Category":"x"}"#, "Security"),
        ],
    );
}

#[test]
fn names_in_rules() {
    for (name, expected) in [
        ("EVENTTYPE", "eventType"),
        ("record.A.b", "record.a.b"),
        (r#"Record."Odd. \"Key".b"#, r#"record."odd. \"key".b"#),
        ("evntType", "!did you mean `eventType`"),
        ("srcIp", "!did you mean `srcIpAddr`"),
        (
            "zzzzzz",
            "!a field of the raw record is written `record.zzzzzz`",
        ),
        ("record.", "!a path has a name"),
        ("record.a..b", "!a path has a name"),
        (r#"record."a"#, "!no closing quote"),
        (r#"record."a"b"#, "!after a quoted name"),
        (r#"record.a"b"#, "!a quote begins a name"),
    ] {
        match (attribute(name), expected.strip_prefix('!')) {
            (Ok(attribute), None) => assert_eq!(attribute.to_string(), expected),
            (Err(error), Some(part)) => assert!(error.contains(part), "{error}"),
            (result, _) => panic!("{name}: {result:?}"),
        }
    }
}

#[test]
fn the_table_is_sound() {
    assert!(known().is_sorted_by_key(|known| known.name));
    for known in known() {
        for source in known.sources {
            let parts = if source.starts_with("{claims}") {
                table::CLAIMS.len()
            } else {
                1
            };
            assert_eq!(source_paths(source).len(), parts, "{source}");
        }
    }
    assert_eq!(all().list().len(), known().len());
}

/// The table in docs/azure-events.md, one line an attribute.
#[test]
fn the_documentation_lists_every_attribute() {
    let page = include_str!("../../docs/azure-events.md");
    for known in known() {
        let sources: Vec<String> = known
            .sources
            .iter()
            .map(|source| format!("`{source}`"))
            .collect();
        let line = format!(
            "| `{}` | {} | {} |",
            known.name,
            known.meaning,
            sources.join(", ")
        );
        assert!(
            page.contains(&line),
            "docs/azure-events.md lacks this line:\n{line}"
        );
    }
    for reject in crate::decode::Reject::ALL {
        let line = format!("| `{}` | {} |", reject.reason(), reject.explanation());
        assert!(
            page.contains(&line),
            "docs/azure-events.md lacks this line:\n{line}"
        );
    }
}
