use super::changes::Changes;
use super::{Catalogue, Limits, Plan, Reading, Settings, Source};
use crate::decode;
use crate::detect::{Found, Matcher};
use crate::event::Attributes;
use crate::record::Hash;
use crate::rule::Texts;
use crate::rule::tables::TableFile;

const RULE: &str = "id: R\nname: n\nseverity: 5\nwindow: 5m\npatterns: \
                    [{name: P, where: 'user IN (Group@Admins)'}]\nexceptions: \
                    [{where: 'LookupTableHas(Off, event_count)'}]\n";

const SETTINGS: Settings = Settings {
    patience: 900,
    lateness: 7200,
    limits: Limits::DEFAULT,
};

/// The entries of a plan of the rule with this list, and the plan as read from them.
fn check(catalogue: &mut Catalogue, rule: &str, admins: &str, kinds: &[&str]) -> Plan {
    let list = |name: &str, text: &str| (format!("lists/{name}.txt"), text.to_owned());
    let texts = Texts {
        rules: vec![("r.yaml".to_owned(), rule.to_owned())],
        lists: vec![list("Admins", admins), list("Off", "1"), list("Other", "x")],
        ..Texts::default()
    };
    let mut attributes = Attributes::default();
    let (rules, _) = texts.parse(&mut attributes).unwrap();
    let draft = catalogue.draft(&rules, &attributes, SETTINGS, Vec::new(), 60);
    let found = draft.entries.iter().map(|(key, _)| key.split('/').next());
    assert_eq!(found.flatten().collect::<Vec<_>>(), kinds);
    for (key, value) in &draft.entries {
        catalogue.read(key, Some(value)).unwrap();
    }
    let plan = catalogue.plan(draft.plan).unwrap();
    let names = plan.rules[0].0.rule.lists.iter().map(|(name, _)| name);
    let expected: &[&str] = if rule == RULE {
        &["Admins", "Off"]
    } else {
        &[]
    };
    assert_eq!(names.collect::<Vec<_>>(), expected);
    Plan::clone(plan)
}

#[test]
fn lists_are_in_the_log_before_the_rules_that_name_them() {
    let catalogue = &mut Catalogue::default();
    let all = ["list", "list", "rule", "plan"];
    let first = check(catalogue, RULE, "alice\nbob", &all);
    check(catalogue, RULE, "Bob\n# and\nalice", &[]);
    let second = check(catalogue, RULE, "alice", &["list", "rule", "plan"]);
    let (first, second) = (&first.rules[0], &second.rules[0]);
    assert_ne!(first.0.entry, second.0.entry);
    assert_eq!(first.0.fingerprint, second.0.fingerprint);
    assert_eq!(first.1, second.1);
}

#[test]
fn a_rule_without_lists_is_written_as_before_there_were_any() {
    let rule = "id: R\nname: n\nseverity: 5\nwindow: 5m\npatterns: \
                [{name: P, where: user IS NULL}]\n";
    let catalogue = &mut Catalogue::default();
    let plan = check(catalogue, rule, "", &["rule", "plan"]);
    let mut attributes = Attributes::default();
    let rules = crate::rule::parse("r", rule, &mut attributes).unwrap();
    let entry = super::RuleEntry::new(&rules[0], &attributes, SETTINGS);
    let text = String::from_utf8(super::json(&entry)).unwrap();
    assert!(!text.contains("lists"), "{text}");
    assert_eq!(
        plan.rules[0].0.entry,
        crate::record::Hash::of(text.as_bytes())
    );
}

#[test]
fn partitions_that_came_later_are_told_apart() {
    let source = |topic: &str, partitions, epoch| Source {
        topic: topic.to_owned(),
        partitions,
        epoch,
        epochs: std::collections::BTreeMap::new(),
    };
    let mut catalogue = Catalogue::default();
    let mut plans = Vec::new();
    for sources in [
        vec![source("a", 2, 0)],
        vec![source("a", 4, 0), source("b", 8, 0)],
        vec![source("a", 6, 1), source("b", 9, 0)],
    ] {
        let draft = catalogue.draft(&[], &Attributes::default(), SETTINGS, sources, 60);
        for (key, value) in &draft.entries {
            catalogue.read(key, Some(value)).unwrap();
        }
        plans.push(draft.plan);
    }
    let first = |plan: &Hash| {
        let plan = catalogue.plan(*plan).unwrap();
        catalogue
            .in_use(std::sync::Arc::clone(plan))
            .first_partitions
    };
    let found: Vec<_> = plans.iter().map(first).collect();
    assert_eq!(found, [vec![2], vec![2, 8], vec![6, 8]]);
}

#[test]
fn the_number_of_matches_partitions_is_kept() {
    let mut catalogue = Catalogue::default();
    assert_eq!(catalogue.matches_partitions(), None);
    let (key, value) = Catalogue::fix_matches_partitions(16);
    catalogue.read(&key, Some(&value)).unwrap();
    assert_eq!(catalogue.matches_partitions(), Some(16));
    let (key, value) = Catalogue::fix_matches_partitions(8);
    let refused = catalogue.read(&key, Some(&value)).unwrap_err();
    assert_eq!(
        refused,
        "8 partitions, and the application has begun with 16"
    );
    assert_eq!(catalogue.matches_partitions(), Some(16));
}

/// A plan has other limits of decoding than the usual ones in its entry, and its matcher keeps
/// them; with the usual ones the entry is what it was before there were any.
#[test]
fn limits_of_decoding_are_the_plans() {
    fn check(decoding: decode::Limits, written: &str, refused: usize) {
        let mut catalogue = Catalogue::default();
        let reading = Reading {
            sources: Vec::new(),
            decoding,
        };
        let draft = catalogue.draft(&[], &Attributes::default(), SETTINGS, reading, 60);
        let (key, value) = &draft.entries[0];
        assert_eq!(String::from_utf8_lossy(value), written);
        catalogue.read(key, Some(value)).unwrap();
        let plan = catalogue.plan(draft.plan).unwrap();
        assert_eq!(plan.decoding, decoding);
        let message = br#"{"records":[{"time":"2026-03-02T10:00:00Z","a":{}},{"b":1}]}"#;
        let mut found = 0;
        let mut matcher = Matcher::new(plan);
        let message = matcher.message(message, Some(1_772_355_600_000));
        let mut records = matcher.records(&message);
        while let Some(record) = records.next() {
            found += usize::from(matches!(record.outcome, Found::Rejected(_)));
        }
        assert_eq!(found, refused, "{decoding:?}");
    }
    let usual = decode::Limits::default();
    let entry = r#"{"format":2,"rules":[],"sources":[]"#;
    check(usual, &format!("{entry}}}"), 0);
    let other = |bytes: usize, records: u32, nesting: u32| decode::Limits {
        message_bytes: bytes,
        records,
        nesting,
    };
    let written = |bytes: usize, records: u32, nesting: u32| {
        let limits =
            format!(r#"{{"message_bytes":{bytes},"records":{records},"nesting":{nesting}}}"#);
        format!(r#"{entry},"decoding":{limits}}}"#)
    };
    check(other(10, 9, 9), &written(10, 9, 9), 1);
    check(other(1_000, 1, 9), &written(1_000, 1, 9), 1);
    check(other(1_000, 9, 1), &written(1_000, 9, 1), 1);
}

const OWN: &str = "about = 'an audit'\nwhere = 'record.app = \"billing\"'\n[attribute.user]\n\
                   steps = [{ derive = 'principal', paths = ['actor'] }]\n[attribute.payer]\n\
                   meaning = 'who pays'\nsteps = [{ derive = 'text', paths = ['payer'] }]\n";

#[test]
fn attributes_that_users_bring_are_in_the_log_and_detect() {
    let draft = |catalogue: &Catalogue, folder: &str, own: &str| {
        let rule = "id: R\nname: n\nseverity: 5\nwindow: 5m\npatterns: \
                    [{name: P, where: 'payer = \"contoso\"', group_by: [user]}]\n";
        let texts = Texts {
            rules: vec![("r.yaml".to_owned(), rule.to_owned())],
            attributes: vec![(format!("{folder}/audit.toml"), own.to_owned())],
            ..Texts::default()
        };
        let mut attributes = Attributes::default();
        let (rules, _) = texts.parse(&mut attributes).unwrap();
        catalogue.draft(&rules, &attributes, SETTINGS, Vec::new(), 60)
    };
    let mut catalogue = Catalogue::default();
    let first = draft(&catalogue, "a", OWN);
    let kinds = first
        .entries
        .iter()
        .map(|(key, _)| key.split('/').next().unwrap());
    assert_eq!(kinds.collect::<Vec<_>>(), ["attributes", "rule", "plan"]);
    for (key, value) in &first.entries {
        catalogue.read(key, Some(value)).unwrap();
    }
    // Where the file lies is nothing to the plan.
    assert!(draft(&catalogue, "b/c", OWN).entries.is_empty());
    let plan = catalogue.plan(first.plan).unwrap();
    let mut users = Vec::new();
    let record = |app: &str| {
        format!(
            r#"{{"time":"2026-03-01T09:00:00Z","app":"{app}","actor":"Ana","payer":"Contoso"}}"#
        )
    };
    let message = format!("[{},{}]", record("billing"), record("other"));
    let mut matcher = Matcher::new(plan);
    let message = matcher.message(message.as_bytes(), None);
    let mut records = matcher.records(&message);
    while let Some(record) = records.next() {
        match record.outcome {
            Found::Event { matched, .. } => users.push(matched.map(|m| m.matches[0].key.clone())),
            Found::Rejected(why) => panic!("{why}"),
        }
    }
    assert_eq!(users.len(), 2);
    assert!(users[0].is_some() && users[1].is_none(), "{users:?}");
    // A comment changes no fingerprint; a version does.
    let fingerprint = |own: &str| {
        let mut catalogue = Catalogue::default();
        let drafted = draft(&catalogue, "a", own);
        for (key, value) in &drafted.entries {
            catalogue.read(key, Some(value)).unwrap();
        }
        catalogue.plan(drafted.plan).unwrap().rules[0].0.fingerprint
    };
    let raised = OWN.replace("[attribute.payer]", "[attribute.payer]\nversion = 2");
    assert_eq!(fingerprint(OWN), fingerprint(&format!("# a\n{OWN}")));
    assert_ne!(fingerprint(OWN), fingerprint(&raised));
}

/// A table of networks is in a plan by its hash, and in no fingerprint; who detects with the plan
/// has what it holds, who reads the plan from the log has not.
#[test]
fn a_table_that_changes_is_another_plan_of_the_same_rules() {
    let rule = "id: R\nname: n\nseverity: 5\nwindow: 5m\npatterns: [{name: P, where: \
                'NetLookup(\"asn\", srcIpAddr, \"asn\") > 9', group_by: [{org: 'NetLookup(\"asn\", \
                srcIpAddr, \"organization\")'}]}]\n";
    let read = |table: &str| {
        let table = format!("network,asn,organization\n{table}\n");
        let texts = Texts {
            rules: vec![("r.yaml".to_owned(), rule.to_owned())],
            tables: vec![TableFile::of("tables/asn.csv", table.into_bytes())],
            ..Texts::default()
        };
        let mut attributes = Attributes::default();
        let (rules, _) = texts.parse(&mut attributes).unwrap();
        (rules, attributes)
    };
    let plan = |table: &str| {
        let (rules, attributes) = read(table);
        Plan::alone(&rules, &attributes, SETTINGS, Vec::new()).unwrap()
    };
    let keys = |plan: &Plan| {
        let message = br#"[{"time":"2026-03-02T10:00:00Z","callerIpAddress":"192.0.2.7"}]"#;
        let mut keys = Vec::new();
        let mut matcher = Matcher::new(plan);
        let message = matcher.message(message, None);
        let mut records = matcher.records(&message);
        while let Some(record) = records.next() {
            match record.outcome {
                Found::Event { matched, .. } => {
                    let matches = matched.iter().flat_map(|matched| &matched.matches);
                    keys.extend(matches.map(|found| found.key[0].clone()));
                }
                Found::Rejected(why) => panic!("{why}"),
            }
        }
        keys
    };
    let (one, other) = (plan("192.0.2.0/24,10,A"), plan("192.0.2.0/24,11,B"));
    assert_eq!(keys(&one), [Some("a".to_owned())]);
    assert_eq!(keys(&other), [Some("b".to_owned())]);
    assert!(keys(&plan("192.0.2.0/24,9,C")).is_empty());
    let (first, second) = (&one.rules[0].0, &other.rules[0].0);
    assert_eq!(first.entry, second.entry);
    assert_eq!(first.fingerprint, second.fingerprint);
    assert_ne!(one.hash, other.hash);
    let changes = Changes::between(&one, &other);
    assert!(changes.settings[0].starts_with("table asn "), "{changes:?}");
    // As the second stage reads it.
    let (rules, attributes) = read("192.0.2.0/24,10,A");
    let mut catalogue = Catalogue::default();
    let draft = catalogue.draft(&rules, &attributes, SETTINGS, Vec::new(), 0);
    for (key, value) in &draft.entries {
        catalogue.read(key, Some(value)).unwrap();
    }
    let read = catalogue.plan(draft.plan).unwrap();
    assert_eq!((read.hash, &read.tables), (one.hash, &one.tables));
    assert!(keys(read).is_empty());
}
