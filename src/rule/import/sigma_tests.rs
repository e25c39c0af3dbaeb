use super::dialect::Dialect;
use super::report::{Import, State};
use super::run::import;

/// What becomes of Sigma files `0.yml`, `1.yml`, ..
pub fn imported(texts: &[&str]) -> Import {
    let files = texts.iter().enumerate();
    let files: Vec<(String, String)> = files
        .map(|(place, text)| (format!("{place}.yml"), (*text).to_owned()))
        .collect();
    import(&files, Some(Dialect::Sigma))
}

/// The lines of an import's rules that begin with one of these keys.
pub fn lines(done: &Import, keys: &[&str]) -> Vec<String> {
    let rules = done
        .files
        .iter()
        .filter(|(name, _)| name.ends_with(".yaml"));
    let lines = rules.flat_map(|(_, text)| text.lines());
    let line = |line: &str| {
        let line = line.trim().trim_start_matches("- ");
        let (key, value) = line.split_once(": ")?;
        let inner = value
            .strip_prefix('"')
            .and_then(|value| value.strip_suffix('"'));
        let value = inner.unwrap_or(value);
        let value = value.replace("\\\"", "\"").replace("\\\\", "\\");
        keys.contains(&key).then_some(value)
    };
    lines.filter_map(line).collect()
}

/// A rule with this detection.
fn rule(detection: &str) -> String {
    format!(
        "title: t\nid: 1\nlogsource: {{ product: other }}\nlevel: high\ndetection:\n{}",
        detection
            .lines()
            .map(|line| format!("  {line}\n"))
            .collect::<String>()
    )
}

/// The filter of a detection, or why there is none.
fn filter(detection: &str) -> Result<String, String> {
    let done = imported(&[&rule(detection)]);
    let row = &done.rows[0];
    match row.state {
        State::Refused => Err(row.reasons.join("; ")),
        State::Imported | State::Warned | State::Part => Ok(lines(&done, &["where"]).concat()),
    }
}

#[test]
fn modifiers_mean_what_sigma_says() {
    let check = |item: &str, expected: &str| {
        let found = filter(&format!("a:\n  {item}\ncondition: a"));
        assert_eq!(found, Ok(expected.to_owned()), "{item}");
    };
    for (item, expected) in [
        ("f: Abc", r#"record.f = "abc""#),
        ("f: [a, b, 7]", r#"record.f IN ("a", "b", 7)"#),
        ("f: 7", "record.f = 7"),
        ("f: '7'", r#"record.f = "7""#),
        ("f: true", r#"record.f = "true""#),
        ("f: null", "record.f IS NULL"),
        ("f: ''", r#"record.f = """#),
        ("f: '*'", "record.f IS NOT NULL"),
        ("f: 'x*'", r#"record.f STARTS_WITH "x""#),
        ("f: '*x'", r#"record.f ENDS_WITH "x""#),
        ("f: '*x*'", r#"record.f CONTAIN "x""#),
        ("f: 'a*b?c'", r#"record.f REGEXP "(?s)^a.*b.c$""#),
        (r"f: 'a\*b'", r#"record.f = "a*b""#),
        (r"f: 'a\\*'", r#"record.f STARTS_WITH "a\\""#),
        (r"f: 'a\b'", r#"record.f = "a\\b""#),
        ("f|contains: x", r#"record.f CONTAIN "x""#),
        ("f|contains: 7", r#"record.f CONTAIN "7""#),
        ("f|contains: ''", "record.f IS NOT NULL"),
        (
            "f|contains|all: [x, y]",
            r#"record.f CONTAIN "x" AND record.f CONTAIN "y""#,
        ),
        ("f|startswith: x", r#"record.f STARTS_WITH "x""#),
        (
            "f|endswith: [x, y]",
            r#"record.f ENDS_WITH "x" OR record.f ENDS_WITH "y""#,
        ),
        ("f|re: 'a.c'", r#"record.f REGEXP "(?-i)a.c""#),
        ("f|re|i: 'a.c'", r#"record.f REGEXP "a.c""#),
        ("f|re|m|s: 'a.c'", r#"record.f REGEXP "(?ms-i)a.c""#),
        ("f|cased: Abc", r#"record.f REGEXP "(?s-i)^Abc$""#),
        ("f|startswith|cased: Abc", r#"record.f REGEXP "(?s-i)^Abc""#),
        ("f|cidr: 10.0.0.0/8", r#"record.f = cidr("10.0.0.0/8")"#),
        ("f|exists: true", "record.f IS NOT NULL"),
        ("f|exists: false", "record.f IS NULL"),
        ("f|fieldref: g", "record.f = record.g"),
        ("f|gt: 5", "record.f > 5"),
        ("f|gte: 5", "record.f >= 5"),
        ("f|lt: 5", "record.f < 5"),
        ("f|lte: 5.5", "record.f <= 5.5"),
        ("f|neq: x", r#"record.f != "x""#),
        ("f|base64: foo", r#"record.f = "zm9v""#),
        ("f|wide|base64: A", r#"record.f = "qqa=""#),
        ("f|utf16|base64: A", r#"record.f = "//5baa==""#),
        ("f|utf16be|base64: A", r#"record.f = "aee=""#),
        (
            "f|base64offset|contains: http://",
            concat!(
                r#"record.f CONTAIN "ahr0cdovl" OR record.f CONTAIN "h0dha6ly" OR "#,
                r#"record.f CONTAIN "odhrwoi8v""#
            ),
        ),
        (
            "f|windash: ' -x'",
            r#"record.f IN (" -x", " /x", " \U00002013x", " \U00002014x", " \U00002015x")"#,
        ),
        ("f|expand: '%People%'", "record.f IN (Group@People)"),
        ("'odd key.b': x", r#"record."odd key".b = "x""#),
        ("f|contains: \"a\\u0007b\"", r#"record.f REGEXP "a\\x{7}b""#),
    ] {
        check(item, expected);
    }
}

#[test]
fn what_the_language_cannot_say_is_refused_with_the_reason() {
    let check = |item: &str, expected: &str| {
        let found = filter(&format!("a:\n  {item}\ncondition: a")).unwrap_err();
        assert!(found.contains(expected), "{item}: {found}");
    };
    check("f|nothing: x", "the modifier `nothing` is not known");
    check("f|fieldref|contains: g", "cannot be asked");
    check("f|gt: x", "a comparison takes a number, found `x`");
    check("f|re: '(?=a)'", "not a regular expression");
    check("f|cidr: 10.0.0.0/99", "10.0.0.0/99");
    check("f|expand: 'a%b%c'", "a part of a text");
    check("f|base64: 'a*b'", "a text with wildcards cannot be encoded");
    check("f|windash: '-a -b -c -d'", "more than 3 dashes");
    check("f|exists: 3", "takes true or false");
    check("f: []", "an empty list of values");
    check("f: { g: h }", "a list or a mapping");
    check("f: x\n  f: y", "already set");
}

#[test]
fn conditions_and_searches_are_combined() {
    let searches = "sel_a: { f: a }\nsel_b: { f: b }\nfilter: { g: c }\n_hidden: { h: d }\n";
    let check = |condition: &str, expected: Result<&str, &str>| match (
        filter(&format!("{searches}condition: {condition}")),
        expected,
    ) {
        (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{condition}"),
        (Err(found), Err(expected)) => assert!(found.contains(expected), "{found}"),
        (found, expected) => panic!("{condition}: {found:?} and not {expected:?}"),
    };
    let (a, b, c) = (
        r#"record.f = "a""#,
        r#"record.f = "b""#,
        r#"record.g = "c""#,
    );
    let either = r#"record.f IN ("a", "b")"#;
    check("sel_a", Ok(a));
    check(
        "sel_a and not filter",
        Ok(r#"record.f = "a" AND record.g != "c""#),
    );
    check("1 of sel_*", Ok(either));
    check("any of sel_*", Ok(either));
    check("all of sel_*", Ok(&format!("{a} AND {b}")));
    check(
        "2 of them",
        Ok(&format!("{a} AND {b} OR {a} AND {c} OR {b} AND {c}")),
    );
    check("all of them", Ok(&format!("{a} AND {b} AND {c}")));
    check(
        "sel_a or sel_b and filter",
        Ok(&format!("{a} OR {b} AND {c}")),
    );
    check(
        "(sel_a or sel_b) and filter",
        Ok(&format!("{either} AND {c}")),
    );
    check("not (sel_a or filter)", Ok(&format!("NOT ({a} OR {c})")));
    check("not not sel_a", Ok(a));
    check(
        "NOT sel_a AND filter",
        Ok(&format!("record.f != \"a\" AND {c}")),
    );
    check("[sel_a, sel_b]", Ok(either));
    check("sel_c", Err("names `sel_c`, which is not there"));
    check("1 of x*", Err("nothing is called so"));
    check("sel_a and", Err("ends where a name is expected"));
    check("(sel_a", Err("not closed"));
    check("sel_a sel_b", Err("`sel_b` is not expected"));
    check("sel_a | count() > 5", Err("write a correlation"));
    check("sel_a and sel_a and not sel_a", Err("can never hold"));
    let deep = format!("{}sel_a{}", "(".repeat(100), ")".repeat(100));
    check(&deep, Err("nested more than"));
}

#[test]
fn lists_of_mappings_and_keywords_are_alternatives() {
    let check = |detection: &str, expected: &str| {
        assert_eq!(filter(detection), Ok(expected.to_owned()), "{detection}");
    };
    check(
        "a:\n  - { f: x, g: y }\n  - { f: z }\ncondition: a",
        r#"record.f = "x" AND record.g = "y" OR record.f = "z""#,
    );
    check(
        "a: [x, 'y*z']\ncondition: a",
        r#"rawEventMsg CONTAIN "x" OR rawEventMsg REGEXP "(?s)y.*z""#,
    );
    check(
        "a: { '|all': [x, y] }\ncondition: a",
        r#"rawEventMsg CONTAIN "x" AND rawEventMsg CONTAIN "y""#,
    );
    check("a: lone\ncondition: a", r#"rawEventMsg CONTAIN "lone""#);
}

/// The filter of a rule of this log source has this in it.
fn check_source(source: &str, item: &str, expected: &str) {
    let text = format!(
        "title: t\nlogsource: {{ product: {source} }}\n\
         detection: {{ a: {{ {item} }}, condition: a }}"
    );
    let done = imported(&[&text]);
    let found = lines(&done, &["where"]).concat();
    let reasons = &done.rows[0].reasons;
    assert!(found.contains(expected), "{source}: {found}, {reasons:?}");
}

#[test]
fn log_sources_select_categories_and_fields() {
    let check = check_source;
    let activity = "azure, service: activitylogs";
    check(
        activity,
        "operationName: A/B/write",
        r#"eventType = "ms_evthub_a_b_write""#,
    );
    check(
        activity,
        "operationName|startswith: A/",
        r#"opName STARTS_WITH "a/""#,
    );
    check(
        activity,
        "operationName: x",
        r#"azureEventCategory IN ("administrative""#,
    );
    check(
        activity,
        "ResourceId|contains: x",
        r#"resourceId CONTAIN "x""#,
    );
    let audit = "azure, service: auditlogs";
    check(
        audit,
        "properties.message: Add x",
        r#"eventType = "ms_evthub_add_x""#,
    );
    check(
        audit,
        "Category: c",
        r#"category = "auditlogs" AND record.properties.category = "c""#,
    );
}

#[test]
fn log_sources_of_users_select_categories_and_fields() {
    let check = check_source;
    let signin = "azure, service: signinlogs";
    check(signin, "ResultType: 50053", "resultType = 50053");
    let protocol = r#"record.properties.authenticationprotocol = "ropc""#;
    check(signin, "properties.message: ROPC", protocol);
    let empty = r#"record.properties.devicedetail.trusttype = """#;
    check(signin, "DeviceDetail.trusttype: ''", empty);
    check(signin, "Location: ''", "location IS NULL");
    let risk = "azure, service: riskdetection";
    check(
        risk,
        "riskEventType: x",
        r#"record.properties.riskeventtype = "x""#,
    );
    check(
        "azure, service: pim",
        "riskEventType: x",
        r#"loggedbyservice = "pim""#,
    );
    check(
        "azure, service: microsoft365portal",
        "Operation: x",
        "ms_evthub_x",
    );
    check(
        "m365, service: audit",
        "Operation: x",
        "record.workload IS NOT NULL",
    );
    check(
        "m365, service: threat_management",
        "eventName: x",
        r#"record.name = "x""#,
    );
}

const TWO: &str = "title: one\nname: one\nlogsource: { product: other }\n\
                   detection: { a: { f: a }, condition: a }\n---\n\
                   title: two\nname: two\nlogsource: { product: other }\n\
                   detection: { a: { f: b }, condition: a }\n---\n";

/// Condition, filters, groups, test and relations of a correlation over the rules `one` and `two`.
fn correlated(correlation: &str) -> Result<Vec<String>, String> {
    let text = format!("{TWO}title: c\nid: c\ncorrelation: {{ {correlation} }}\n");
    let done = imported(&[&text]);
    let row = done.rows.last().unwrap();
    match row.state {
        State::Refused => Err(row.reasons.join("; ")),
        State::Imported | State::Warned | State::Part => {
            let keys = [
                "window",
                "where",
                "group_by",
                "having",
                "condition",
                "relations",
            ];
            Ok(lines(&done, &keys))
        }
    }
}

#[test]
fn correlations_that_count_are_one_pattern() {
    let check = |of: &str, expected: &str| {
        let found = correlated(&format!(
            "{of}, rules: [one, two], group-by: [u, v], timespan: 5m, generate: false"
        ));
        let there = r#"record.u IS NOT NULL AND record.v IS NOT NULL"#;
        let filter = format!(r#"record.f = "a" AND {there} OR record.f = "b" AND {there}"#);
        let groups = "[\"record.u\", \"record.v\"]".trim_matches('"');
        let all = ["300s", &filter, groups, expected, "Event"];
        assert_eq!(
            found.map(|found| found.join("\n").replace('"', "")),
            { Ok(all.join("\n").replace('"', "")) },
            "{of}"
        );
    };
    check(
        "type: event_count, condition: { gte: 10 }",
        "COUNT(*) >= 10",
    );
    check(
        "type: event_count, condition: { gt: 1, lt: 5 }",
        "COUNT(*) > 1 AND COUNT(*) < 5",
    );
    check(
        "type: value_count, condition: { field: x, gt: 3 }",
        "COUNT(DISTINCT record.x) > 3",
    );
    check(
        "type: value_sum, condition: { field: x, gt: 3 }",
        "SUM(record.x) > 3",
    );
    check(
        "type: value_avg, condition: { field: x, gt: 3 }",
        "AVG(record.x) > 3",
    );
    check(
        "type: value_median, condition: { field: x, gt: 3 }",
        "MEDIAN(record.x) > 3",
    );
    check(
        "type: value_percentile, condition: { field: x, percentile: 99, gt: 3 }",
        "PCTILE(record.x, 99) > 3",
    );
}

#[test]
fn correlations_in_time_are_patterns_with_relations() {
    let check = |of: &str, expected: &str| {
        let found = correlated(&format!(
            "{of}, rules: [one, two], group-by: [u], timespan: 1h"
        ));
        let found = found.unwrap_or_else(|reason| vec![reason]);
        assert!(found.iter().any(|line| line == expected), "{of}: {found:?}");
    };
    check("type: temporal", "one AND two");
    check("type: temporal", r#"["one.record.u = two.record.u"]"#);
    check(
        "type: temporal",
        r#"record.f = "a" AND record.u IS NOT NULL"#,
    );
    check("type: temporal_ordered", "one FOLLOWED_BY two");
    check(
        "type: temporal_extended, condition: one or two",
        "one OR two",
    );
    check(
        "type: temporal_extended, condition: not two and one",
        "one AND_NOT two",
    );
    check(
        "type: temporal_ordered_extended, condition: one and not two",
        "one NOT_FOLLOWED_BY two",
    );
    check(
        "type: temporal_ordered_extended, condition: not one and two",
        "what is absent must have something before it",
    );
    check(
        "type: temporal_extended, condition: not one",
        "its condition asks for nothing that is there",
    );
    check(
        "type: temporal_extended, condition: one",
        "its condition does not name the rule two",
    );
    check(
        "type: temporal, condition: { gte: 1 }",
        "some of several rules within a time cannot be asked for",
    );
    check("type: other", "the correlation type `other` is not known");
    let alias = "type: temporal, aliases: { u: { one: x, two: y } }";
    check(alias, r#"["one.record.x = two.record.y"]"#);
}

#[test]
fn what_is_absent_between_two_is_unless() {
    let text = format!(
        "{TWO}title: three\nname: three\nlogsource: {{ product: other }}\n\
         detection: {{ a: {{ f: c }}, condition: a }}\n---\n\
         title: c\ncorrelation:\n  type: temporal_ordered_extended\n  rules: [one, two, three]\n  \
         timespan: 10m\n  condition: one and not two and three\n"
    );
    let done = imported(&[&text]);
    assert_eq!(
        lines(&done, &["condition"]),
        ["one FOLLOWED_BY three UNLESS two"]
    );
    let parts = done
        .rows
        .iter()
        .filter(|row| row.state == State::Part)
        .count();
    assert_eq!(parts, 3, "{:?}", done.rows);
}

#[test]
fn a_count_may_be_a_part_of_an_order() {
    let text = format!(
        "{TWO}title: many\nname: many\ncorrelation: {{ type: event_count, rules: [one], group-by: \
         [u], timespan: 5m, condition: {{ gte: 3 }} }}\n---\ntitle: c\ncorrelation: {{ type: \
         temporal_ordered, rules: [many, two], group-by: [u], timespan: 10m }}\n"
    );
    let done = imported(&[&text]);
    let last = done.rows.last().unwrap();
    assert_eq!(last.state, State::Warned, "{last:?}");
    let found = lines(&done, &["condition", "having", "window"]);
    let tail = found.get(found.len() - 4..).unwrap();
    assert_eq!(
        tail,
        [
            "600s",
            "COUNT(*) >= 3",
            "COUNT(*) >= 1",
            "many FOLLOWED_BY two"
        ]
    );
}

#[test]
fn filters_narrow_the_rules_that_they_name() {
    let filter = "title: f\nlogsource: { product: other }\nfilter:\n  rules: [one]\n  \
                  selection: { user: svc }\n  condition: not selection\n";
    let done = imported(&[TWO, filter]);
    let expected = [
        r#"record.f = "a" AND record.user != "svc""#,
        r#"record.f = "b""#,
    ];
    assert_eq!(lines(&done, &["where"]), expected);
    assert_eq!(done.rows[2].reasons, ["a filter, put into 1 rules"]);
    let none = filter.replace("[one]", "[none]");
    let done = imported(&[TWO, &none]);
    assert_eq!(done.rows[2].state, State::Refused);
}

#[test]
fn documents_of_a_file_share_what_is_global() {
    let text = "action: global\ntitle: g\nlogsource: { product: other }\n---\nid: a\n\
                detection: { s: { f: x }, \
                condition: s }\n---\nid: b\ndetection: { s: { f: y }, condition: s }\n---\n\
                action: repeat\nid: c\ndetection: { s: { g: z } }\n";
    let done = imported(&[text]);
    let expected = [
        r#"record.f = "x""#,
        r#"record.f = "y""#,
        r#"record.f = "y" AND record.g = "z""#,
    ];
    assert_eq!(lines(&done, &["where"]), expected);
    assert_eq!(lines(&done, &["id"]), ["SIGMA_a", "SIGMA_b", "SIGMA_c"]);
    let names: Vec<&str> = done.files.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["0.yaml", "SIGMA_b.yaml", "SIGMA_c.yaml"]);
}

#[test]
fn what_rules_say_of_themselves_is_kept() {
    let text = "title: Rule of\n  two lines\nid: 0-1\nstatus: test\nauthor: \"A\\nid: evil\"\n\
                description: |\n  first\n\n  second\nlevel: critical\n\
                tags: [attack.t1059.006, attack.execution, attack.TA0005, \
                car.1]\nreferences: [https://example.com/a]\nfalsepositives: [none]\n\
                logsource: { product: azure, service: riskdetection }\n\
                detection: { s: { riskEventType: x }, condition: s }\n";
    let done = imported(&[text]);
    let text = &done.files[0].1;
    for expected in [
        "# imported from: Sigma, 0.yml\n",
        "# rule: 0-1, Rule of two lines\n",
        "# status: test\n",
        "author: \"A id: evil\"\n",
        "tags: [attack.t1059.006, attack.execution, attack.TA0005, car.1]\n",
        "references:\n  - \"https://example.com/a\"\nfalse_positives:\n  - none\n",
        "# license: not said in the file",
        "id: SIGMA_0-1\nname: Rule of two lines\ndescription: \"first\\n\\nsecond\"\n",
        "subcategory: Execution\n",
        "tactics: [TA0002, TA0005]\ntechniques: [T1059.006]\n",
        "title: \"Rule of two lines: $user\"",
    ] {
        assert!(text.contains(expected), "{expected} is not in {text}");
    }
    assert!(!text.lines().any(|line| line == "id: evil"), "{text}");
}

#[test]
fn what_is_broken_or_twice_is_said_and_its_neighbours_are_read() {
    let done = imported(&[
        "a: [",
        &rule("a: { f: x }\ncondition: a"),
        "",
        &rule("a: { f: y }\ncondition: a"),
    ]);
    let states: Vec<State> = done.rows.iter().map(|row| row.state).collect();
    assert_eq!(
        states,
        [
            State::Refused,
            State::Refused,
            State::Warned,
            State::Refused
        ]
    );
    let said: Vec<&String> = done.rows.iter().flat_map(|row| &row.reasons).collect();
    assert!(said[0].contains("not YAML"), "{said:?}");
    assert!(
        said.iter()
            .any(|said| said.contains("another rule has the id SIGMA_1 already"))
    );
}

#[test]
fn hostile_files_cost_little_and_write_nothing_odd() {
    let deep = format!(
        "title: t\ndetection: {}x{}",
        "[".repeat(5_000),
        "]".repeat(5_000)
    );
    let done = imported(&[&deep]);
    assert!(
        done.rows[0].reasons[0].contains("not YAML"),
        "{:?}",
        done.rows
    );
    let long = "x".repeat(100_000);
    let again = vec!["a"; 2_000].join(" and ");
    let large = rule(&format!("a: {{ f: {long} }}\ncondition: {again}"));
    let done = imported(&[&large]);
    assert!(
        done.rows[0].reasons[0].contains("too large a filter"),
        "{:?}",
        done.rows
    );
    let many = format!(
        "action: global\nx: {}\n---\n{}",
        "y".repeat(1_000_000),
        "a: 1\n---\n".repeat(1_000)
    );
    let done = imported(&[&many]);
    assert!(
        done.rows
            .iter()
            .any(|row| row.reasons[0].contains("repeat too much"))
    );
    let odd = rule("a: { f: x }\ncondition: a").replace("title: t", "title: \"\\e[31m\\u202e$x\"");
    let files = [("../../etc/pass\u{202e}wd.x.yml".to_owned(), odd)];
    let done = import(&files, Some(Dialect::Sigma));
    assert_eq!(done.files[0].0, "pass_wd.yaml");
    let text = &done.files[0].1;
    assert!(
        text.chars()
            .all(|c| c == '\n' || !crate::escape::is_unseen(c)),
        "{text}"
    );
}
