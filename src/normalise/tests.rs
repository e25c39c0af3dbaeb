use super::*;
use crate::decode::Decoder;

/// `name` of the record `text` is `expected`; "-" means absent.
fn check(name: &str, rows: &[(&str, &str)]) {
    let mut attributes = Attributes::default();
    attributes.intern(attribute(name, &[]).unwrap());
    let decoder = Decoder::new(&attributes);
    for (text, expected) in rows {
        let mut found = Vec::new();
        let message = decoder.message(text.as_bytes(), Some(1_772_355_600_000));
        let mut records = decoder.records(&message);
        while let Some(record) = records.next() {
            let event = record.outcome.unwrap().whole();
            found.push(match event.values.first().unwrap() {
                None => "-".to_owned(),
                Some(Value::Text(text)) => text.to_string(),
                Some(other) => format!("{other:?}"),
            });
        }
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
            (
                "{\"operationName\":\"Sign\u{2013}in a. \"}",
                "MS_EvtHub_sign-in_a",
            ),
            (
                r#"{"category":"AppServiceHTTPLogs"}"#,
                "MS_EvtHub_appservicehttplogs",
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
            (&identity(r#""name":"Full Name""#), "c"),
            (&identity(""), "c"),
            (
                concat!(
                    r#"{"identity":{"authorization":{"evidence":{"principalId":"p-1","#,
                    r#""principalType":"ServicePrincipal"}},"claims":{}}}"#
                ),
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
                r#"{"identity":"M","properties":{"userPrincipalName":"Mia M@x.org","userId":"i"}}"#,
                "Mia M@x.org",
            ),
            (
                r#"{"properties":{"userId":"","servicePrincipalId":"sp","appId":"robot"}}"#,
                "robot",
            ),
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
            (r#"{"callerIpAddress":"192.0.2.1, 192.0.2.2"}"#, "192.0.2.1"),
            (
                r#"{"callerIpAddress":"192.0.2.1:80;192.0.2.2"}"#,
                "192.0.2.1",
            ),
            (r#"{"callerIpAddress":"::ffff:192.0.2.1"}"#, "192.0.2.1"),
            (r#"{"callerIpAddress":"2001:db8::5%3"}"#, "2001:db8::5"),
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
            (r#"{"durationMs":"14.2187"}"#, "Float(14.2187)"),
            (r#"{"durationMs":14.2187}"#, "Float(14.2187)"),
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

/// The attributes in `rows` of a record.
fn all_of(text: &str, rows: &[(&str, &str)]) {
    for (name, expected) in rows {
        check(name, &[(text, expected)]);
    }
}

#[test]
fn an_application_is_its_application_id_and_nobody_is_nobody() {
    const OID: &str = r#""http://schemas.microsoft.com/identity/claims/objectidentifier":"o-1""#;
    let token =
        |claims: &str| format!(r#"{{"identity":{{"claims":{{"appid":"a-1",{OID}{claims}}}}}}}"#);
    check(
        "user",
        &[
            (&token(r#","idtyp":"app","name":"x@y.z""#), "a-1"),
            (&token(r#","appidacr":"2""#), "a-1"),
            (&token(r#","appidacr":"0""#), "o-1"),
            (
                &token(
                    r#","http://schemas.microsoft.com/identity/claims/scope":"user_impersonation""#,
                ),
                "o-1",
            ),
            (&token(r#","appidacr":"1","upn":"ana@x.org""#), "ana@x.org"),
            (r#"{"identity":"Mia M"}"#, "-"),
            (r#"{"identity":"mia@x.org"}"#, "mia@x.org"),
            (r#"{"identity":{},"caller":"<null>"}"#, "-"),
            (
                r#"{"identity":"S","initiatedBy":{"app":{"displayName":"Sync Service"}}}"#,
                "-",
            ),
            (r#"{"caller":"Portal"}"#, "-"),
            (r#"{"caller":"Microsoft.Advisor"}"#, "-"),
            (r#"{"caller":"00000000-0000-0000-0000-000000000000"}"#, "-"),
            (r#"{"identity":"See Actor details in properties"}"#, "-"),
            (
                r#"{"category":"ProvisioningLogs","identity":"p-9","properties":{"id":"p-9"}}"#,
                "-",
            ),
            (
                concat!(
                    r#"{"category":"ServicePrincipalSignInLogs","properties":{"appId":"a-1","#,
                    r#""servicePrincipalId":"s-1","servicePrincipalName":"robot"}}"#
                ),
                "a-1",
            ),
        ],
    );
}

#[test]
fn a_guest_is_one_user() {
    check(
        "user",
        &[
            (
                r#"{"caller":"ana_contoso.com#EXT#@fabrikam.onmicrosoft.com"}"#,
                "ana@contoso.com",
            ),
            (
                r#"{"identity":{"claims":{"unique_name":"live.com#ana@contoso.com"}}}"#,
                "ana@contoso.com",
            ),
            (r#"{"caller":"ana@contoso.com"}"#, "ana@contoso.com"),
        ],
    );
}

#[test]
fn the_role_of_a_group_does_not_make_it_the_principal() {
    let of = |kind: &str| {
        format!(
            concat!(
                r#"{{"identity":{{"authorization":{{"evidence":{{"#,
                r#""principalId":"44444444444444444444444444444444","principalType":"{}"}}}}}}}}"#
            ),
            kind
        )
    };
    check(
        "principalId",
        &[
            (&of("Group"), "-"),
            (&of("User"), "44444444-4444-4444-4444-444444444444"),
        ],
    );
}

#[test]
fn kubernetes_says_who_did_what() {
    let log = concat!(
        r#"{\"kind\":\"Event\",\"verb\":\"create\",\"user\":{\"username\":\"ana@x.org\"},"#,
        r#"\"sourceIPs\":[\"192.0.2.1\",\"10.0.0.1\"],\"objectRef\":{\"resource\":\"pods\","#,
        r#"\"subresource\":\"exec\"},\"responseStatus\":{\"code\":403}}"#
    );
    let record = format!(
        r#"{{"category":"kube-audit","operationName":"Read","properties":{{"log":"{log}"}}}}"#
    );
    all_of(
        &record,
        &[
            ("user", "ana@x.org"),
            ("srcIpAddr", "192.0.2.1"),
            ("eventType", "MS_EvtHub_kubernetes_pods_exec_create"),
            ("eventOutcome", "Failure"),
            ("statusCode", "Integer(403)"),
        ],
    );
}

#[test]
fn outcomes_of_families() {
    let vault = concat!(
        r#"{"category":"AuditEvent","resultType":"Success","#,
        r#""resultSignature":"Unauthorized","identity":{"claim":{"appid":"a"}}}"#
    );
    all_of(
        vault,
        &[("eventOutcome", "Failure"), ("statusCode", "Integer(401)")],
    );
    let by_code =
        r#"{"category":"AuditEvent","resultType":"Success","properties":{"httpStatusCode":200}}"#;
    all_of(by_code, &[("eventOutcome", "Success")]);
    check(
        "eventOutcome",
        &[
            (
                r#"{"category":"StorageRead","statusText":"AuthorizationFailure"}"#,
                "Failure",
            ),
            (
                r#"{"category":"StorageRead","statusText":"SASSuccess"}"#,
                "Success",
            ),
            (r#"{"category":"StorageWrite","statusCode":403}"#, "Failure"),
            (
                r#"{"category":"ContainerRegistryLoginEvents","resultType":"401"}"#,
                "Failure",
            ),
            (r#"{"category":"AppRequests","Success":"False"}"#, "Failure"),
            (r#"{"category":"AppRequests","Success":true}"#, "Success"),
            (
                r#"{"category":"accounts","properties":{"response":"{\"statusCode\":403}"}}"#,
                "Failure",
            ),
            (
                r#"{"category":"ApplicationGatewayAccessLog","properties":{"httpStatus":502}}"#,
                "Failure",
            ),
            (
                concat!(
                    r#"{"category":"MicrosoftGraphActivityLogs","properties":{"resp"#,
                    r#"onseStatusCode":403}}"#
                ),
                "Failure",
            ),
            (
                concat!(
                    r#"{"category":"AdvancedHunting-IdentityLogonEvents","propertie"#,
                    r#"s":{"ActionType":"LogonFailed"}}"#
                ),
                "Failure",
            ),
            (
                r#"{"category":"SQLSecurityAuditEvents","properties":{"succeeded":"false"}}"#,
                "Failure",
            ),
            (
                r#"{"status":{"errorCode":0},"conditionalAccessStatus":"success"}"#,
                "Success",
            ),
            (
                concat!(
                    r#"{"category":"AzureFirewallNetworkRule","properties":{"msg":""#,
                    r#"TCP request from 192.0.2.1:5 to 192.0.2.9:443. Action: Deny."#,
                    r#""}}"#
                ),
                "Failure",
            ),
        ],
    );
}

#[test]
fn addresses_of_families() {
    check(
        "srcIpAddr",
        &[
            (
                concat!(
                    r#"{"category":"AuditLogs","properties":{"additionalDetails":[{"#,
                    r#""key":"x","value":null},{"key":"ipaddr","value":"192.0.2.4"}"#,
                    r#"]}}"#
                ),
                "192.0.2.4",
            ),
            (
                concat!(
                    r#"{"category":"AuditLogs","properties":{"initiatedBy":{"app":{"#,
                    r#""ipAddress":"192.0.2.5"}}}}"#
                ),
                "192.0.2.5",
            ),
            (
                concat!(
                    r#"{"category":"AzureFirewallNetworkRule","properties":{"msg":""#,
                    r#"TCP request from 192.0.2.1:5 to 192.0.2.9:443. Action: Deny."#,
                    r#""}}"#
                ),
                "192.0.2.1",
            ),
            (
                r#"{"Type":"AZFWNetworkRule","SourceIp":"192.0.2.6"}"#,
                "192.0.2.6",
            ),
            (
                r#"{"category":"MySqlAuditLogs","properties":{"user":"db[db] @  [192.0.2.7]"}}"#,
                "192.0.2.7",
            ),
        ],
    );
    check(
        "userAgent",
        &[(
            concat!(
                r#"{"category":"AuditLogs","properties":{"additionalDetails":[{"#,
                r#""key":"User-Agent","value":"curl"}]}}"#
            ),
            "curl",
        )],
    );
    check(
        "user",
        &[(
            r#"{"category":"MySqlAuditLogs","properties":{"user":"db[db] @  [192.0.2.7]"}}"#,
            "db",
        )],
    );
    check(
        "tenantId",
        &[(
            r#"{"TenantId":"workspace","AADTenantId":"directory"}"#,
            "directory",
        )],
    );
}

#[test]
fn the_time_of_the_act() {
    let at = |text: &str| {
        let attributes = Attributes::default();
        let mut found = Vec::new();
        let decoder = Decoder::new(&attributes);
        let message = decoder.message(text.as_bytes(), None);
        let mut records = decoder.records(&message);
        while let Some(record) = records.next() {
            found.push(record.outcome.map_or(0, |event| event.whole().time));
        }
        found
    };
    for (record, expected) in [
        (
            concat!(
                r#"{"time":"2026-01-02T00:09:00Z","category":"SignInLogs","prop"#,
                r#"erties":{"createdDateTime":"2026-01-02T00:00:00Z"}}"#
            ),
            1_767_312_000_000,
        ),
        (
            concat!(
                r#"{"time":"2026-01-02T00:09:00Z","category":"AuditLogs","prope"#,
                r#"rties":{"activityDateTime":"2026-01-02T00:00:00Z"}}"#
            ),
            1_767_312_000_000,
        ),
        (
            concat!(
                r#"{"time":"2026-01-02T00:09:00Z","category":"AdvancedHunting-D"#,
                r#"eviceEvents","properties":{"Timestamp":"2026-01-02T00:00:00Z"#,
                r#""}}"#
            ),
            1_767_312_000_000,
        ),
        (
            concat!(
                r#"{"category":"AADGraphActivityLogs","properties":{"timeGenera"#,
                r#"ted":"2026-01-02T00:00:00Z"}}"#
            ),
            1_767_312_000_000,
        ),
        (r#"{"startTime":"2026-01-02T00:00:00Z"}"#, 1_767_312_000_000),
        (r#"{"time":1767312000}"#, 1_767_312_000_000),
        (r#"{"time":1767312000123}"#, 1_767_312_000_123),
        (r#"{"time":"1767312000"}"#, 1_767_312_000_000),
        (r#"{"time":"/Date(1767312000123)/"}"#, 1_767_312_000_123),
        (r#"{"time":"0001-01-01T00:00:00Z"}"#, 0),
        (r#"{"time":0}"#, 0),
    ] {
        assert_eq!(at(record), [expected], "{record}");
    }
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
        match (attribute(name, &[]), expected.strip_prefix('!')) {
            (Ok(attribute), None) => assert_eq!(attribute.to_string(), expected),
            (Err(error), Some(part)) => assert!(error.contains(part), "{error}"),
            (result, _) => panic!("{name}: {result:?}"),
        }
    }
}

#[test]
fn the_table_is_sound() {
    assert!(known().is_sorted_by_key(|known| known.name));
    for family in families() {
        for sources in family.attributes.iter() {
            let name = sources.attribute.as_ref();
            assert!(
                name == "time" || find(name).is_some_and(|known| known.name == name),
                "{name}"
            );
            for step in sources.steps.iter() {
                for source in step.paths.iter().chain(step.when.iter()) {
                    let parts = if source.starts_with("{claims}") {
                        table::CLAIMS.len()
                    } else {
                        1
                    };
                    assert_eq!(source_paths(source).len(), parts, "{source}");
                }
                let is_time = step.derivation == Derivation::Time;
                assert_eq!(is_time, name == "time", "{}: {name}", family.name);
            }
        }
        for category in family.categories.iter() {
            let place = of_category(category).unwrap();
            assert_eq!(
                families().get(place).unwrap().name,
                family.name,
                "{category}"
            );
        }
    }
    assert_eq!(of_category("No such category"), None);
    assert_eq!(all().list().len(), known().len());
}

fn quoted(texts: &[table::Text]) -> String {
    let quoted: Vec<String> = texts.iter().map(|text| format!("`{text}`")).collect();
    quoted.join(", ")
}

/// How a step is told on the page.
fn told(step: &Step) -> String {
    let mut how = format!("{:?}", step.derivation);
    if !step.key.is_empty() {
        how += &format!(" of `{}`", step.key);
    }
    if !step.word.is_empty() {
        how += &format!(" `{}`", step.word);
    }
    if !step.when.is_empty() {
        how += &format!(", if one of {}", quoted(&step.when));
        how += &match &*step.is {
            [] => " is there".to_owned(),
            is => format!(" is {}", is.join(" or ")),
        };
    }
    how
}

/// What docs/azure-events.md must say, line by line.
fn lines() -> Vec<String> {
    let known = known().iter().map(|known| {
        let (name, meaning, version) = (known.name, known.meaning, known.version);
        format!("| `{name}` | {meaning} | {version} |")
    });
    let mut lines: Vec<String> = known.collect();
    for family in families() {
        lines.push(format!("### {}: {}", family.name, family.about));
        lines.push(format!("Described at {}", family.source));
        if !family.categories.is_empty() {
            lines.push(format!("Categories: {}", quoted(&family.categories)));
        }
        if !family.has.is_empty() {
            lines.push(format!("Or a record with {}", quoted(&family.has)));
        }
        for sources in family.attributes.iter() {
            let alone = if sources.alone { " (nothing else)" } else { "" };
            for step in sources.steps.iter() {
                let (name, how, places) = (&sources.attribute, told(step), quoted(&step.paths));
                lines.push(format!("| `{name}`{alone} | {how} | {places} |"));
            }
        }
    }
    let reasons = crate::decode::Reject::ALL.into_iter();
    lines.extend(reasons.map(|r| format!("| `{}` | {} |", r.reason(), r.explanation())));
    lines
}

#[test]
fn the_documentation_says_what_the_files_say() {
    let page = include_str!("../../docs/azure-events.md");
    let said: std::collections::BTreeSet<&str> = page.lines().collect();
    let missing: Vec<String> = lines()
        .into_iter()
        .filter(|line| !said.contains(line.as_str()))
        .collect();
    assert!(
        missing.is_empty(),
        "docs/azure-events.md lacks:\n{}",
        missing.join("\n")
    );
}
