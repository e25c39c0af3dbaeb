use super::dialect::Dialect;
use super::report::{Import, State};
use super::run::import;
use super::sigma_tests::lines;

/// What becomes of a rule with this query, and these lines besides.
fn imported(query: &str, besides: &str) -> Import {
    let indented: String = query.lines().map(|line| format!("  {line}\n")).collect();
    let text = format!("id: a-b\nname: n\nkind: Scheduled\n{besides}query: |\n{indented}");
    assert_eq!(Dialect::of(&text), Some(Dialect::Sentinel));
    import(&[("a.yaml".to_owned(), text)], None)
}

/// The filter without that of the table, the groups, the test and the window.
fn read(query: &str) -> Result<Vec<String>, String> {
    let done = imported(query, "queryPeriod: 1h\n");
    let row = &done.rows[0];
    match row.state {
        State::Refused => Err(row.reasons.join("; ")),
        State::Imported | State::Warned | State::Part => {
            let lines = lines(&done, &["where", "group_by", "having", "window"]);
            let table = "category = \"auditlogs\"";
            let plain = |line: String| {
                let line = line.strip_prefix(table).unwrap_or(&line);
                let line = line.strip_prefix(" AND ").unwrap_or(line);
                let inner = line
                    .strip_prefix('(')
                    .and_then(|line| line.strip_suffix(')'));
                inner.unwrap_or(line).to_owned()
            };
            Ok(lines.into_iter().map(plain).collect())
        }
    }
}

#[test]
fn conditions_are_filters() {
    let check = |condition: &str, expected: &str| {
        let found = read(&format!("AuditLogs\n| where {condition}"));
        assert_eq!(
            found.map(|found| found[1].clone()),
            Ok(expected.to_owned()),
            "{condition}"
        );
    };
    let f = "record.properties.f";
    for (condition, expected) in [
        ("f == 'x'", format!("{f} = \"x\"")),
        ("f =~ \"x\"", format!("{f} = \"x\"")),
        (
            "f != 'x' and g !~ 'y'",
            format!("{f} != \"x\" AND record.properties.g != \"y\""),
        ),
        ("f == 5 or f > 7", format!("{f} = 5 OR {f} > 7")),
        ("f contains 'x'", format!("{f} CONTAIN \"x\"")),
        ("f !contains 'x'", format!("{f} NOT CONTAIN \"x\"")),
        (
            "f startswith 'x' or f endswith 'y'",
            format!("{f} STARTS_WITH \"x\" OR {f} ENDS_WITH \"y\""),
        ),
        (
            "f has 'x.y'",
            format!("{f} REGEXP \"(?:^|[^0-9a-z])x\\\\.y(?:$|[^0-9a-z])\""),
        ),
        (
            "f hassuffix 'x'",
            format!("{f} REGEXP \"x(?:$|[^0-9a-z])\""),
        ),
        ("f matches regex 'a.'", format!("{f} REGEXP \"(?-i)a.\"")),
        ("f in ('a', 'b')", format!("{f} IN (\"a\", \"b\")")),
        ("f !in~ ('a', 'b')", format!("{f} NOT IN (\"a\", \"b\")")),
        (
            "isnotempty(f) and isempty(g)",
            format!("{f} IS NOT NULL AND record.properties.g IS NULL"),
        ),
        (
            "not(f == 'x' or g == 'y')",
            format!("NOT ({f} = \"x\" OR record.properties.g = \"y\")"),
        ),
        ("(f == 'x')", format!("{f} = \"x\"")),
        (
            "tolower(tostring(f.a['b c'].d)) == 'x'",
            format!("{f}.a.\"b c\".d = \"x\""),
        ),
        ("f[0].a == 'x'", format!("{f}.a = \"x\"")),
        ("f == g", format!("{f} = record.properties.g")),
        (
            "OperationName =~ 'Add x'",
            "eventType = \"ms_evthub_add_x\"".to_owned(),
        ),
        (
            "OperationName has 'Add'",
            "opName REGEXP \"(?:^|[^0-9a-z])Add(?:$|[^0-9a-z])\"".to_owned(),
        ),
    ] {
        check(condition, &expected);
    }
}

#[test]
fn hunting_queries_are_told_too() {
    let text = "id: a\nname: n\nrequiredDataConnectors:\n  - connectorId: AzureActivity\n\
                query: |\n  \
                AuditLogs | where f == 1\n";
    let done = import(&[("a.yaml".to_owned(), text.to_owned())], None);
    assert_eq!(done.rows[0].dialect, "sentinel");
    assert_eq!(done.rows[0].state, State::Imported);
}

#[test]
fn columns_and_constants_are_looked_up() {
    let query = "// a comment\nlet names = dynamic(['a', \"b\"]);\nlet most = 3;\nAuditLogs\n\
                 | where TimeGenerated > ago(1d)\n| extend actor = tostring(InitiatedBy.user.id), \
                 other = strcat(f, 'x')\n| where actor in~ (names)\n| project actor, kept = f\n\
                 | sort by actor desc\n| summarize hits = count(), dcount(g), all = make_set(h) by \
                 kept, bin(TimeGenerated, 10m)\n| where hits >= most and dcount_g > 2 and \
                 array_length(all) > 4";
    let expected = [
        "600s",
        r#"record.properties.initiatedby.user.id IN ("a", "b")"#,
        "[record.properties.f]",
        "COUNT(*) >= 3 AND COUNT(DISTINCT record.properties.g) > 2 AND COUNT(DISTINCT \
         record.properties.h) > 4",
    ];
    assert_eq!(read(query), Ok(expected.map(str::to_owned).to_vec()));
}

#[test]
fn what_stops_a_query_is_named() {
    let check = |query: &str, expected: &str| {
        let found = read(query).unwrap_err();
        assert!(found.contains(expected), "{query}: {found}");
    };
    check(
        "AuditLogs | join kind=inner (SigninLogs) on f",
        "join kind =: the operator",
    );
    check(
        "AuditLogs | make-series count() on TimeGenerated",
        "make-series",
    );
    check(
        "AuditLogs | evaluate basket()",
        "evaluate basket (: the operator",
    );
    check("AuditLogs | mv-expand f", "mv-expand");
    check("union AuditLogs, SigninLogs", "only one table is read");
    check(
        "Heartbeat | where f == 'x'",
        "the table Heartbeat is none of those",
    );
    check("let t = AuditLogs | where f == 'x'; t", "let t: a table");
    check(
        "AuditLogs | where TimeGenerated between (ago(2d) .. ago(1d))",
        "a time other than",
    );
    check(
        "AuditLogs | extend a = strcat(f, g) | where a == 'x'",
        "`a` is computed",
    );
    check("AuditLogs | where f == unknown(g)", "`unknown` is computed");
    check(
        "AuditLogs | summarize s = make_set(f) by g | where s has 'x'",
        "behind a summarize",
    );
    check("AuditLogs | where f == 'x", "without its closing quote");
    let deep = format!(
        "AuditLogs | where {}f == 1{}",
        "(".repeat(200),
        ")".repeat(200)
    );
    check(&deep, "nested more than");
    let list = format!(
        "AuditLogs | where f in {}1{}",
        "(".repeat(40_000),
        ")".repeat(40_000)
    );
    check(&list, "nested more than");
    let path = format!("AuditLogs | where f{} == 1", ".a".repeat(40_000));
    check(&path, "`f` is computed");
    check(
        &format!("AuditLogs | where {}", "f ".repeat(200_000)),
        "more than 100000 words",
    );
}

#[test]
fn what_rules_say_of_themselves_is_kept() {
    let besides = "description: |\n  'Says it'\nseverity: High\nqueryFrequency: 1h\n\
                   queryPeriod: 2h\n\
                   triggerOperator: gt\ntriggerThreshold: 3\ntactics: [DefenseEvasion, Impact]\n\
                   relevantTechniques: [T1562.008]\nversion: 1.0.1\ntags: [SimuLand]\n\
                   metadata: {author: {name: Alice}}\n";
    let done = imported("SigninLogs\n| where ResultType == 50126", besides);
    let text = &done.files[0].1;
    for expected in [
        "# imported from: Microsoft Sentinel, a.yaml\n# rule: a-b, n\n",
        "version: \"1.0.1\"\nauthor: Alice\n",
        "tags: [SimuLand]\n",
        "id: SENTINEL_a-b\nname: n\ndescription: Says it\nversion:",
        "tactics: [TA0005, TA0040]\ntechniques: [T1562.008]\ntags: [SimuLand]\nwindow: 7200s\n",
        "resultType = 50126\"\n    group_by: []\n    having: \"COUNT(*) > 3\"\n",
    ] {
        assert!(text.contains(expected), "{expected} is not in {text}");
    }
    let less = imported(
        "AuditLogs | where f == 1",
        "triggerOperator: lt\ntriggerThreshold: 3\n",
    );
    assert!(
        less.rows[0].reasons[0].contains("by fewer"),
        "{:?}",
        less.rows
    );
}
