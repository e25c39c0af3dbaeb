use super::dialect::Dialect;
use super::report::{Import, State};
use super::run::import;
use super::sigma_tests::lines;
use crate::event::Attributes;
use crate::rule::Texts;
use crate::rule::export::{self, Exported};

fn imported(text: &str) -> Import {
    import(
        &[("a.xml".to_owned(), text.to_owned())],
        Some(Dialect::FortiSiem),
    )
}

fn all(done: &Import, keys: &[&str]) -> Vec<String> {
    match done.rows[0].state {
        State::Refused => done.rows[0].reasons.clone(),
        State::Imported | State::Warned | State::Part => lines(done, keys),
    }
}

/// What the rules of an import mean, and as they are exported.
fn exported(done: &Import) -> Vec<(String, Exported)> {
    let (lists, rules): (Vec<_>, Vec<_>) = done
        .files
        .iter()
        .cloned()
        .partition(|(name, _)| name.starts_with("lists/"));
    let texts = Texts {
        rules,
        lists,
        ..Texts::default()
    };
    let mut attributes = Attributes::default();
    let (rules, _) = texts.parse(&mut attributes).unwrap();
    let one = |rule: &crate::rule::Rule| {
        (
            rule.meaning(&attributes),
            export::fortisiem(rule, &attributes).unwrap(),
        )
    };
    rules.iter().map(one).collect()
}

/// Imported, exported and imported again, a rule means the same.
fn check_again(text: &str) -> String {
    let first = exported(&imported(text));
    let xml: Vec<Exported> = first.iter().map(|(_, xml)| xml.clone()).collect();
    let document = export::document(&xml);
    let again = exported(&imported(&document));
    assert!(!first.is_empty(), "{:?}", imported(text).rows);
    assert_eq!(first, again, "{document}");
    document
}

const ONE: &str = r#"<Rules><Rule id="PH_Rule_Own_1" phIncidentCategory="Server" function="Security"
    subFunction="Execution" technique="T1059.006" group="PH_SYS_RULE_OWN">
  <Name>Own command &amp; control</Name><active>true</active><Description>first
second</Description><DataSource>Azure</DataSource>
  <IncidentTitle>Command of $user</IncidentTitle>
  <IncidentDef eventType="PH_RULE_Own" severity="9">
    <ArgList>user = Filter.user, hits=Filter.COUNT(*), compEventType = Filter.eventType</ArgList>
  </IncidentDef>
  <PatternClause window="600"><SubPattern displayName="Filter" name="Filter">
    <SingleEvtConstr>eventType = "MS_EvtHub_a" AND srcIpAddr NOT IN (10.0.0.0/8,192.0.2.1) AND
      (user CONTAIN "x" OR userAgent REGEXP ("^a b$")) AND reptDevName != 'it''</SingleEvtConstr>
    <GroupByAttr>user, srcIpAddr</GroupByAttr>
    <GroupEvtConstr>COUNT (*) &gt;= 5 AND COUNT(DISTINCT resourceId) &gt; 2</GroupEvtConstr>
  </SubPattern></PatternClause></Rule></Rules>"#;

#[test]
fn a_rule_of_one_pattern_is_read() {
    let text = ONE
        .replace("'it''", "'it'")
        .replace("(\"^a b$\")", "\"^a b$\"");
    let done = imported(&text);
    let keys = [
        "id",
        "name",
        "description",
        "severity",
        "window",
        "where",
        "group_by",
        "having",
    ];
    let expected = [
        "PH_Rule_Own_1",
        "Own command & control",
        "first\\nsecond",
        "9",
        "600s",
        "Filter",
        concat!(
            r#"eventType = "ms_evthub_a" AND srcIpAddr NOT IN (cidr("10.0.0.0/8"), "#,
            r#"cidr("192.0.2.1/32")) "#,
            r#"AND (user CONTAIN "x" OR userAgent REGEXP "^a b$") AND record.reptdevname != "it""#
        ),
        "[user, srcIpAddr]",
        "COUNT(*) >= 5 AND COUNT(DISTINCT resourceId) > 2",
    ];
    assert_eq!(all(&done, &keys), expected);
    let text = &done.files[0].1;
    for expected in [
        "subcategory: Execution\nimpacts: Server\ndata_source: Azure\ntactics: [TA0002]\n",
        "techniques: [T1059.006]\n",
        "title: \"Command of $user\"\n  attributes:\n    user: Filter.user\n    hits: ",
        "# group: PH_SYS_RULE_OWN\n",
        "# warning: reptDevName is no attribute here: it is read as record.reptDevName\n",
        "# warning: the incident attribute compEventType is neither grouped by nor counted",
    ] {
        assert!(text.contains(expected), "{expected} is not in {text}");
    }
    check_again(
        &ONE.replace("'it''", "'it'")
            .replace("(\"^a b$\")", "\"^a b$\""),
    );
}

/// A rule with these parts of its pattern clause, over the patterns A, B and C.
fn clause(inside: &str, behind: &str) -> String {
    let patterns = ["A", "B", "C"].map(|name| {
        format!(
            "<SubPattern name=\"{name}\"><SingleEvtConstr>eventType = \"{name}\"</SingleEvtConstr>\
             <GroupByAttr>user,srcIpAddr</GroupByAttr><GroupEvtConstr>COUNT(*) &gt;= 1\
             </GroupEvtConstr></SubPattern>"
        )
    });
    let mut inside = inside.to_owned();
    for (name, pattern) in ["{A}", "{B}", "{C}"].iter().zip(patterns) {
        inside = inside.replace(name, &pattern);
    }
    format!(
        "<DataRequest id=\"R\"><Name>n</Name><IncidentDef eventType=\"PH_RULE_n\" severity=\"5\"/>\
         <PatternClause window=\"60\">{inside}</PatternClause>{behind}</DataRequest>"
    )
}

#[test]
fn addresses_and_divisions_are_told_apart() {
    let filter = "srcIpAddr IN (fe80::1, 2001:db8::/32, 192.0.2.0/24) AND durationMs / 60 > 5";
    let having = "SUM(durationMs)/COUNT(*) &gt; 100/2";
    let text = clause("{A}", "").replace("eventType = \"A\"", &filter.replace('>', "&gt;"));
    let done = imported(&text.replace("COUNT(*) &gt;= 1", having));
    let expected = [
        concat!(
            r#"srcIpAddr IN (cidr("192.0.2.0/24"), cidr("2001:db8::/32"), cidr("fe80::1/128")) "#,
            "AND durationMs / 60 > 5"
        ),
        "SUM(durationMs) / COUNT(*) > 100 / 2",
    ];
    assert_eq!(all(&done, &["where", "having"]), expected);
}

#[test]
fn long_filters_cost_no_more_than_their_length() {
    let long = format!("srcIpAddr IN ({})", "a:".repeat(1 << 20));
    let text = clause("{A}", "").replace("eventType = \"A\"", &long);
    assert_eq!(imported(&text).rows[0].state, State::Refused);
}

#[test]
fn operators_are_read_in_both_readings() {
    let check = |inside: &str, expected: &str, warned: bool| {
        let text = clause(inside, "");
        let done = imported(&text);
        assert_eq!(all(&done, &["condition"]), [expected], "{inside}");
        assert_eq!(
            done.rows[0].state == State::Warned,
            warned,
            "{inside}: {:?}",
            done.rows
        );
        check_again(&text);
    };
    let op = |name: &str, rank: &str| format!("<Operator type=\"{name}\" rank=\"{rank}\"/>");
    let (then, and) = (op("FOLLOWED_BY", "0"), op("AND", "1"));
    check(
        &format!("{{A}}{then}{{B}}{and}{{C}}"),
        "A FOLLOWED_BY B AND C",
        false,
    );
    check(
        &format!("{{A}}{{B}}{{C}}{then}{and}"),
        "A FOLLOWED_BY B AND C",
        false,
    );
    check(
        "{A}{B}{C}<Operator type=\"FOLLOWED_BY:0,AND:1\"/>",
        "A FOLLOWED_BY B AND C",
        false,
    );
    let (late, early) = (op("NOT FOLLOWED BY", "1"), op("AND", "0"));
    check(
        &format!("{{A}}{late}{{B}}{early}{{C}}"),
        "A NOT_FOLLOWED_BY (B AND C)",
        true,
    );
    let plain = "<Operator type=\"OR\"/>";
    check(
        &format!("{{A}}{plain}{{B}}{plain}{{C}}"),
        "A OR B OR C",
        false,
    );
    let refused = |inside: &str, expected: &str| {
        let done = imported(&clause(inside, ""));
        assert!(
            done.rows[0].reasons[0].contains(expected),
            "{:?}",
            done.rows
        );
    };
    refused(
        &format!("{{A}}{then}{{B}}{{C}}"),
        "3 subpatterns and 1 operators",
    );
    refused(
        &format!("{{A}}{}{{B}}", op("OR_NOT", "0")),
        "OR_NOT between subpatterns",
    );
}

#[test]
fn relations_and_what_ends_incidents_are_read() {
    let then = "<Operator type=\"FOLLOWED_BY\" rank=\"0\"/>";
    let related = format!(
        "{{A}}{then}{{B}}<GlobalConstr>A.user = B.user AND A:srcIpAddr != \
         B:srcIpAddr</GlobalConstr>"
    );
    let quiet = "<ClearCondition method=\"Auto\" type=\"timebased\"><QuietPeriod>900</QuietPeriod>\
                 </ClearCondition>";
    let text = clause(&related, quiet);
    let expected = [
        r#"["A.user = B.user", "A.srcIpAddr != B.srcIpAddr"]"#,
        "{ quiet: 900s }",
    ];
    assert_eq!(all(&imported(&text), &["relations", "clear"]), expected);
    check_again(&text);
    let clear = |constraint: &str| {
        format!(
            "<ClearCondition method=\"Auto\" type=\"patternbased\">{constraint}<PatternClause \
             window=\"300\"><SubPattern name=\"End\"><SingleEvtConstr>eventType = \"e\"\
             </SingleEvtConstr><GroupByAttr>user,srcIpAddr</GroupByAttr><GroupEvtConstr/>\
             </SubPattern></PatternClause></ClearCondition>"
        )
    };
    let keys = ["relations", "clear"];
    let text = clause("{A}", &clear(""));
    let both = r#"["A.user = End.user", "A.srcIpAddr = End.srcIpAddr"]"#;
    assert_eq!(
        all(&imported(&text), &keys),
        [both, "{ quiet: 300s, when: End }"]
    );
    check_again(&text);
    let text = clause(
        "{A}",
        &clear("<ClearConstr>A.user = End.user</ClearConstr>"),
    );
    let one = r#"["A.user = End.user"]"#;
    assert_eq!(
        all(&imported(&text), &keys),
        [one, "{ quiet: 300s, when: End }"]
    );
    check_again(&text);
}

#[test]
fn groups_are_lists_and_watch_lists_are_told() {
    let text = ONE
        .replace(
            "user CONTAIN \"x\"",
            "user IN (Group@PH_SYS_ADMINS, \"root\")",
        )
        .replace("REGEXP (\"^a b$\")", "= 'b'")
        .replace(" AND reptDevName != 'it''", "")
        .replace(
            "</Rule>",
            concat!(
                "<DynWatchListDef attr=\"user\"><WatchList>PH_DYNLIST_X</WatchList>",
                "</DynWatchListDef></Rule>"
            ),
        );
    let done = imported(&text);
    let found = all(&done, &["where"]).concat();
    assert!(
        found.contains(r#"user IN ("root", Group@PH_SYS_ADMINS)"#),
        "{found}"
    );
    assert_eq!(done.files[1].0, "lists/PH_SYS_ADMINS.txt");
    let said = done.rows[0].reasons.join("\n");
    assert!(said.contains("fill in lists/PH_SYS_ADMINS.txt"), "{said}");
    assert!(
        said.contains("fills the watch list PH_DYNLIST_X with user"),
        "{said}"
    );
    check_again(&text);
}

#[test]
fn what_needs_a_profile_or_is_no_rule_is_refused() {
    let check = |text: &str, expected: &str| {
        let done = imported(text);
        assert!(
            done.rows[0].reasons[0].contains(expected),
            "{:?}",
            done.rows
        );
    };
    let having = |text: &str| {
        ONE.replace("COUNT (*) &gt;= 5", text)
            .replace("'it''", "\"it\"")
    };
    check(
        &having("AVG(durationMs) &gt; STAT_AVG(AVG(durationMs);112)"),
        "a profile",
    );
    check(
        &having("PH_FUNC_DIFF_STAT_AVG_1(SUM(durationMs), 2.0) &gt;= 0"),
        "a profile",
    );
    check(
        "<Rules><DataRequest><Name>n</Name></DataRequest></Rules>",
        "a report or a query",
    );
    check("<Rules/>", "there is no rule in it");
    check("<Rules><Rule></Rules>", "not XML that is read");
    check(
        &ONE.replace("window=\"600\"", ""),
        "its window is no number of seconds",
    );
    let bomb = "<!DOCTYPE r [<!ENTITY a \"b\"><!ENTITY c \"&a;&a;\">]><Rules>&c;</Rules>";
    check(bomb, "not XML that is read");
    check(&"<a>".repeat(500_000), "nested more than 200 deep");
}

const PAGE: &str = "FortiSIEM Rules\n\nOwn anomaly found\n\nRule ID\n\nPH_Rule_Own_2\n\n\
    Default Status\n\nEnabled\n\nDescription\n\nSays that a job found something\n\n\
    Severity\n\n7\n\n\
    Category\n\nSecurity\n\nMITRE ATT&CK® Tactics\n\nImpact\n\nMITRE ATT&CK® Techniques\n\nT1499 \
    Own words\n\nImpacts\n\nServer\n\nData Source\n\nOwn\n\nDetection\n\nCorrelation\n\n\
    Remediation Guidance\n\nNone\n\nTime Window\n\nIf the following pattern or patterns match, \
    trigger.\n\n300 seconds\n\nTrigger Conditions\n\nIf the following defined \
    pattern/s occur within \
    a 300 second time window.\n\nAnomaly\n\nSubPattern Definitions\n\nSubPattern Name: Anomaly\n\n\
    This is the named definition.\n\nSubPattern Query\n\nThis is the query logic.\n\neventType = \
    \"PH_ML_ANOMALY_DETECTED\"\n\nGroup by Attributes\n\nThis defines how.\n\n\
    jobId,jobName,user\n\n\
    Aggregate Constraint\n\nThis is most typically numerical.\n\nCOUNT(*) >= 1\n\nIncident \
    Attribute Mapping\n\nThis section defines which.\n\nThe available raw event attributes.\n\n\
    jobId = Anomaly.jobId,\n jobName = Anomaly.jobName,\n user = Anomaly.user\n";

#[test]
fn the_page_of_a_rule_is_read() {
    assert_eq!(Dialect::of(PAGE), Some(Dialect::FortiSiem));
    let done = imported(PAGE);
    let keys = [
        "id",
        "name",
        "severity",
        "window",
        "where",
        "group_by",
        "techniques",
    ];
    let expected = [
        "PH_Rule_Own_2",
        "Own anomaly found",
        "7",
        "[T1499]",
        "300s",
        "Anomaly",
        r#"eventType = "ph_ml_anomaly_detected""#,
        "[record.jobid, record.jobname, user]",
    ];
    assert_eq!(all(&done, &keys), expected);
    assert_eq!(
        lines(&done, &["jobId", "user"]),
        ["Anomaly.record.jobid", "Anomaly.user"]
    );
    check_again(PAGE);
    let lines = PAGE
        .replace("\n\nThis", "\nThis")
        .replace("Rule ID\n\n", "Rule ID: ");
    assert_eq!(imported(&lines).files, done.files);
}

#[test]
fn what_is_exported_has_the_published_shape() {
    let document = check_again(
        &ONE.replace(" AND reptDevName != 'it''", "")
            .replace("(\"^a b$\")", "\"a\""),
    );
    let order = [
        "<Rule id=\"PH_Rule_Own_1\" phIncidentCategory=\"Server\" function=\"Security\" \
         subFunction=\"Execution\" technique=\"T1059.006\"",
        "<Name>Own command &amp; control</Name>",
        "<IncidentTitle>Command of $user</IncidentTitle>",
        "<active>true</active>",
        "<Description>first&#10;second</Description>",
        "<DetectionTechnology>Correlation</DetectionTechnology>",
        "<CustomerScope groupByEachCustomer=\"true\"><Include all=\"true\"/><Exclude/>",
        "<IncidentDef eventType=\"PH_RULE_Own_command___control\" severity=\"9\">",
        "<ArgList>user = Filter.user, hits = Filter.COUNT(*)</ArgList>",
        "<PatternClause window=\"600\">",
        "<SubPattern displayName=\"Filter\" name=\"Filter\">",
        "<SingleEvtConstr>eventType = &quot;ms_evthub_a&quot; AND ",
        "<GroupByAttr>user,srcIpAddr</GroupByAttr>",
        "<GroupEvtConstr>COUNT(*) &gt;= 5 AND ",
        "<TriggerEventDisplay><AttrList>",
        "</Rule>\n</Rules>\n",
    ];
    let mut rest = document.as_str();
    for part in order {
        let (_, behind) = rest
            .split_once(part)
            .unwrap_or_else(|| panic!("{part}: {document}"));
        rest = behind;
    }
}
