use super::dialect::Dialect;
use super::report::{Import, State};
use super::run::import;
use super::sigma_tests::lines;

fn imported(rule: &str) -> Import {
    let text = format!("[metadata]\nmaturity = \"production\"\n[rule]\n{rule}\n");
    import(&[("a.toml".to_owned(), text)], Some(Dialect::Elastic))
}

fn all(done: &Import, keys: &[&str]) -> Result<Vec<String>, String> {
    let row = &done.rows[0];
    match row.state {
        State::Refused => Err(row.reasons.join("; ")),
        State::Imported | State::Warned | State::Part => Ok(lines(done, keys)),
    }
}

/// The filter of a query in this language, or why there is none.
fn filter(kind: &str, query: &str) -> Result<String, String> {
    let done = imported(&format!(
        "name = \"n\"\nrule_id = \"1\"\ntype = \"{kind}\"\nquery = '''{query}'''"
    ));
    all(&done, &["where"]).map(|lines| lines.concat())
}

#[test]
fn kql_is_read() {
    let check = |query: &str, expected: &str| {
        assert_eq!(filter("query", query), Ok(expected.to_owned()), "{query}");
    };
    check("f: x", r#"record.f = "x""#);
    check("f: \"x y\"", r#"record.f = "x y""#);
    check("f: x y and g: z", r#"record.f = "x y" AND record.g = "z""#);
    check("f: 7", "record.f = 7");
    check("f >= 7", "record.f >= 7");
    check("f: *", "record.f IS NOT NULL");
    check("not f: *", "record.f IS NULL");
    check("f: (a or b)", r#"record.f IN ("a", "b")"#);
    check(
        "f: (* and not (a or b))",
        r#"record.f IS NOT NULL AND record.f NOT IN ("a", "b")"#,
    );
    check("f: a*", r#"record.f STARTS_WITH "a""#);
    check("f: a*b", r#"record.f REGEXP "(?s)^a.*b$""#);
    check(r#"f: *\"a\"\:b*"#, r#"record.f CONTAIN "\"a\":b""#);
    check(r#"f: "a*b""#, r#"record.f = "a*b""#);
    check(
        "a: 1 or b: 2 and not c: 3",
        "record.a = 1 OR record.b = 2 AND record.c != 3",
    );
    check(
        "(a: 1 or b: 2) and c: 3",
        "(record.a = 1 OR record.b = 2) AND record.c = 3",
    );
    check(
        "data_stream.dataset: azure.auditlogs and f: x",
        r#"category = "auditlogs" AND record.f = "x""#,
    );
    check(
        "event.action: \"A/B/write\"",
        r#"eventType = "ms_evthub_a_b_write""#,
    );
    check(
        "source.ip: (\"10.0.0.0/8\" or \"10.1.1.1\")",
        r#"srcIpAddr IN (cidr("10.0.0.0/8"), cidr("10.1.1.1/32"))"#,
    );
    check(
        "azure.signinlogs.properties.device_detail.trust_type: x",
        r#"record.properties.devicedetail.trusttype = "x""#,
    );
    check(
        "o365.audit.Parameters.ForwardTo: * and \
         o365.audit.ModifiedProperties.Role_Name.NewValue: x",
        concat!(
            r#"record.parameters[name = "forwardto"].value IS NOT NULL AND "#,
            r#"record.modifiedproperties[name = "role.name"].newvalue = "x""#
        ),
    );
    check(
        "azure.auditlogs.properties.target_resources.*.type: x",
        r#"record.properties.targetresources.type = "x""#,
    );
    check(
        "event.category: authentication and source.as.number: * and f: x",
        r#"record.f = "x""#,
    );
}

#[test]
fn kql_that_the_language_cannot_say_is_refused() {
    let check = |query: &str, expected: &str| {
        let found = filter("query", query).unwrap_err();
        assert!(found.contains(expected), "{query}: {found}");
    };
    check("f: { g: x }", "nested queries");
    check("word", "in all fields");
    check("f: (a or b", "not closed");
    check("f: \"a", "without its closing quote");
    check("f: a )", "behind its end");
    check("f > a", "takes a number");
    check("", "where a field is expected");
    check("data_stream.dataset: okta.system", "can never match");
    check(&format!("{}f: a", "(".repeat(100)), "nested more than");
}

#[test]
fn eql_is_read() {
    let check = |query: &str, expected: &str| {
        assert_eq!(filter("eql", query), Ok(expected.to_owned()), "{query}");
    };
    check("any where f == \"x\"", r#"record.f = "x""#);
    check("any where f != \"x\"", r#"record.f != "x""#);
    check(
        "any where f == 5 and g == true",
        r#"record.f = 5 AND record.g = "true""#,
    );
    check(
        "any where f == null or g != null",
        "record.f IS NULL OR record.g IS NOT NULL",
    );
    check("any where f : \"a*\"", r#"record.f STARTS_WITH "a""#);
    check("any where f : (\"a\", \"b\")", r#"record.f IN ("a", "b")"#);
    check("any where f in (\"a\", \"b\")", r#"record.f IN ("a", "b")"#);
    check("any where f not in~ (\"a\")", r#"record.f != "a""#);
    check(
        "any where f like~ \"a*b\"",
        r#"record.f REGEXP "(?s)^a.*b$""#,
    );
    check(
        "any where f regex~ \"a.\"",
        r#"record.f REGEXP "(?s)^(?:a.)$""#,
    );
    check(
        "any where f regex \"a.\"",
        r#"record.f REGEXP "(?s-i)^(?:a.)$""#,
    );
    check("any where f > 5", "record.f > 5");
    check("any where f == g", "record.f = record.g");
    check(
        "any where not (f == \"x\" or g == \"y\")",
        r#"NOT (record.f = "x" OR record.g = "y")"#,
    );
    check("any where `f.0.g` == \"x\"", r#"record.f.g = "x""#);
    check("any where f.`0`.g == \"x\"", r#"record.f.g = "x""#);
    check(
        "any where wildcard(f, \"a*\", \"*b\")",
        r#"record.f STARTS_WITH "a" OR record.f ENDS_WITH "b""#,
    );
    check(
        "any where startsWith~(f, \"a\")",
        r#"record.f STARTS_WITH "a""#,
    );
    check(
        "any where cidrMatch(source.ip, \"10.0.0.0/8\")",
        r#"srcIpAddr = cidr("10.0.0.0/8")"#,
    );
    check("any where length(f) > 5", "LEN(record.f) > 5");
    check("any where f == \"x\" // end", r#"record.f = "x""#);
}

#[test]
fn eql_that_the_language_cannot_say_is_refused() {
    let check = |query: &str, expected: &str| {
        let found = filter("eql", query).unwrap_err();
        assert!(found.contains(expected), "{query}: {found}");
    };
    check("any where f == \"x\" | head 5", "pipes");
    check("sample [any where f == 1] [any where g == 1]", "samples");
    check("any where concat(f, \"x\") == \"y\"", "has no counterpart");
    check("any where between(f, \"x\", 5)", "texts alone");
    check(
        "sequence ![any where f == 1] [any where g == 1]",
        "missing event at the beginning",
    );
    check(
        "sequence by a [any where f == 1] by b [any where g == 1]",
        "different numbers",
    );
    check("any f == 1", "no `where`");
    check("any where f = 1", "says nothing of `f`");
    check("any where f == \"x", "without its closing quote");
}

/// Window, filters, tests, condition and relations of a sequence.
fn sequence(query: &str) -> Vec<String> {
    let done = imported(&format!(
        "name = \"n\"\ntype = \"eql\"\nquery = '''{query}'''"
    ));
    let keys = ["window", "where", "having", "condition", "relations"];
    all(&done, &keys).unwrap_or_else(|reason| vec![reason])
}

#[test]
fn sequences_are_patterns_in_their_order() {
    let found =
        sequence("sequence by u with maxspan=5m [any where f == 1] [any where f == 2] with runs=3");
    let expected = [
        "300s",
        "record.f = 1 AND record.u IS NOT NULL",
        "COUNT(*) >= 1",
        "record.f = 2 AND record.u IS NOT NULL",
        "COUNT(*) >= 3",
        "Step1 FOLLOWED_BY Step2",
        r#"["Step1.record.u = Step2.record.u"]"#,
    ];
    assert_eq!(found, expected);
    let check = |query: &str, expected: &str| {
        let found = sequence(query);
        assert!(
            found.iter().any(|line| line == expected),
            "{query}: {found:?}"
        );
    };
    let own = "sequence with maxspan=1h [any where f == 1] by a [any where f == 2] by b";
    check(own, r#"["Step1.record.a = Step2.record.b"]"#);
    let between = "sequence by u with maxspan=1h [any where f == 1] ![any where f == 2] \
                   [any where f == 3]";
    check(between, "Step1 FOLLOWED_BY Step3 UNLESS Step2");
    let behind = "sequence by u with maxspan=1h [any where f == 1] ![any where f == 2]";
    check(behind, "Step1 NOT_FOLLOWED_BY Step2");
    let until = "sequence by u with maxspan=1h [any where f == 1] [any where f == 2] until \
                 [any where f == 3]";
    check(until, "Step1 FOLLOWED_BY Step2 UNLESS Until");
    check(
        "sequence by u [any where f == 1] [any where f == 2]",
        "86400s",
    );
}

#[test]
fn thresholds_and_new_terms_are_tests_over_groups() {
    let keys = ["window", "where", "group_by", "having", "new"];
    let done = imported(
        "name = \"n\"\ntype = \"threshold\"\nquery = \"f: x\"\nfrom = \"now-1h\"\n\
         [rule.threshold]\n\
         field = [\"u\"]\nvalue = 10\n[[rule.threshold.cardinality]]\nfield = \"v\"\nvalue = 3",
    );
    let expected = [
        "3600s",
        r#"record.f = "x" AND record.u IS NOT NULL"#,
        "[record.u]",
        "COUNT(*) >= 10 AND COUNT(DISTINCT record.v) >= 3",
    ];
    let found = all(&done, &keys).unwrap();
    assert_eq!(
        found.join("|").replace('"', ""),
        expected.join("|").replace('"', "")
    );
    let done = imported(
        "name = \"n\"\ntype = \"new_terms\"\nquery = \"f: x\"\n[rule.new_terms]\nfield = \
         \"new_terms_fields\"\nvalue = [\"user.email\", \"source.as.number\"]\n\
         [[rule.new_terms.history_window_start]]\nfield = \"history_window_start\"\nvalue = \
         \"now-7d\"",
    );
    let found = all(&done, &keys).unwrap();
    let expected = [
        "300s",
        r#"record.f = "x" AND user IS NOT NULL"#,
        "[user]",
        "COUNT(*) >= 1",
        "[user] over 604800s",
    ];
    assert_eq!(found, expected);
    assert_eq!(done.rows[0].state, State::Warned);
}

#[test]
fn what_is_no_query_is_refused_with_the_reason() {
    let check = |rule: &str, expected: &str| {
        let done = imported(rule);
        assert!(
            done.rows[0].reasons[0].contains(expected),
            "{:?}",
            done.rows
        );
    };
    check(
        "type = \"esql\"\nlanguage = \"esql\"\nquery = \"from x\"",
        "ES|QL",
    );
    check("type = \"machine_learning\"", "machine learning");
    check(
        "type = \"query\"\nlanguage = \"lucene\"\nquery = \"x\"",
        "Lucene",
    );
    check(
        "type = \"threat_match\"\nquery = \"x\"",
        "the type `threat_match` is not read",
    );
    check(
        "type = \"query\"\nquery = \"f: x\"\nfilters = []",
        "filters",
    );
    check("type = ", "not TOML");
}

#[test]
fn what_rules_say_of_themselves_is_kept() {
    let done = imported(
        "name = \"n\"\nrule_id = \"a-b\"\ntype = \"query\"\nquery = \"f: x\"\nseverity = \
         \"critical\"\nlicense = \"L\"\nauthor = [\"A\", \"B\"]\nfalse_positives = \
         [\"\"\"\n Often.\n More. \"\"\"]\nversion = 7\nindex = [\"logs-azure.auditlogs-*\"]\n\
         [rule.alert_suppression]\ngroup_by = [\"source.ip\"]\nduration = {value = 2, unit = \
         \"h\"}\n[[rule.threat]]\nframework = \"MITRE ATT&CK\"\n[rule.threat.tactic]\nid = \
         \"TA0002\"\nname = \"Execution\"\n[[rule.threat.technique]]\nid = \"T1059\"\n\
         [[rule.threat.technique.subtechnique]]\nid = \"T1059.006\"",
    );
    let text = &done.files[0].1;
    for expected in [
        "# imported from: Elastic, a.toml\n# rule: a-b, n\n# license: L\n",
        "id: ELASTIC_a-b\nname: n\nversion: \"7\"\nauthor: \"A, B\"\nseverity: 9\n",
        "subcategory: Execution\n",
        "tactics: [TA0002]\ntechniques: [T1059.006]\nfalse_positives:\n  - \"Often.\\n More.\"\n",
        "category = \\\"auditlogs\\\" AND record.f",
        "group_by: [srcIpAddr]",
        "clear: { quiet: 7200s }",
    ] {
        assert!(text.contains(expected), "{expected} is not in {text}");
    }
}
