use super::{Catalogue, EPOCH_MAX, OtherMeaning, PARTITIONS_MAX, Unusable};
use crate::event::Attributes;
use crate::plan::epochs::BeginAt;
use crate::plan::{FORMAT, Limits, MEANING, PlanEntry, RuleEntry, Settings, Source, json};
use crate::record::Hash;
use crate::rule;

const SETTINGS: Settings = Settings {
    patience: 900,
    lateness: 7200,
    limits: Limits::DEFAULT,
};

/// What a worker writes for a rule of this window.
fn entries(catalogue: &Catalogue, window: &str) -> (Hash, Vec<(String, Vec<u8>)>) {
    let text = format!(
        "id: R\nname: n\nseverity: 5\nwindow: {window}\npatterns: [{{name: P, where: user IS \
         NULL}}]\n"
    );
    let mut attributes = Attributes::default();
    let rules = rule::parse("r", &text, &mut attributes).unwrap();
    let sources = vec![Source {
        topic: "s".to_owned(),
        partitions: 3,
        epoch: 0,
        epochs: std::collections::BTreeMap::new(),
    }];
    let draft = catalogue.draft(&rules, &attributes, SETTINGS, sources, 60);
    (draft.plan, draft.entries)
}

fn taken(window: &str) -> (Catalogue, Hash) {
    let mut catalogue = Catalogue::default();
    let (plan, entries) = entries(&catalogue, window);
    for (key, value) in entries {
        catalogue.read(&key, Some(&value)).unwrap();
    }
    (catalogue, plan)
}

/// An entry under the hash of its value.
fn named(kind: &str, value: &str) -> (String, String) {
    let key = format!("{kind}/{}", Hash::of(value.as_bytes()));
    (key, value.to_owned())
}

fn rule_entry(change: impl FnOnce(&mut RuleEntry)) -> String {
    let mut entry = RuleEntry {
        text: "never parsed".to_owned(),
        settings: SETTINGS,
        fingerprint: Hash::default(),
        lists: std::collections::BTreeMap::new(),
        attributes: Vec::new(),
        meaning: MEANING,
    };
    change(&mut entry);
    String::from_utf8(json(&entry)).unwrap()
}

fn plan_of_partitions(partitions: [u32; 2]) -> String {
    let source = |partitions| Source {
        topic: "s".to_owned(),
        partitions,
        epoch: 0,
        epochs: std::collections::BTreeMap::new(),
    };
    let entry = PlanEntry {
        format: FORMAT,
        rules: Vec::new(),
        sources: partitions.map(source).to_vec(),
        decoding: crate::decode::Limits::default(),
        tables: std::collections::BTreeMap::new(),
    };
    String::from_utf8(json(&entry)).unwrap()
}

#[test]
fn what_no_worker_writes_is_refused_and_changes_nothing() {
    let (mut catalogue, plan) = taken("5m");
    let mut check = |(key, value): (String, String), why: &str| {
        let refused = catalogue.read(&key, Some(value.as_bytes())).unwrap_err();
        assert!(refused.contains(why), "{key} {value}: {refused}");
        assert_eq!(catalogue.newest(), Some(plan));
        assert!(catalogue.plan(plan).is_ok());
        assert_eq!(catalogue.matches_partitions(), None);
        assert_eq!(catalogue.epochs().source("s", 1).epoch, 0);
    };
    let no_hash = "its key is not the hash of its value";
    for kind in ["list", "rule", "plan"] {
        check(named(kind, "{"), "EOF");
        check(named(kind, "[]"), "");
        check((format!("{kind}/x"), "{}".to_owned()), no_hash);
        check((format!("{kind}/{plan}"), "{}".to_owned()), no_hash);
        let other = named(kind, "{} ").0;
        check((other, rule_entry(|_| ())), no_hash);
    }
    for (patience, lateness) in [(-1, 5), (5, 4), (0, i64::MAX), (i64::MIN, i64::MIN)] {
        check(
            named(
                "rule",
                &rule_entry(|rule| {
                    (rule.settings.patience, rule.settings.lateness) = (patience, lateness);
                }),
            ),
            "patience",
        );
    }
    check(
        named("plan", &plan_of_partitions([u32::MAX, 1])),
        "partitions",
    );
    check(
        named("plan", &plan_of_partitions([PARTITIONS_MAX, 1])),
        "partitions",
    );
    let planned = |rule: Hash, since: i64| {
        let text =
            format!("{{\"rules\":[{{\"entry\":\"{rule}\",\"since\":{since}}}],\"sources\":[]}}");
        named("plan", &text)
    };
    let (_, mut written) = entries(&Catalogue::default(), "5m");
    let rule = Hash::of(&written.remove(0).1);
    check(planned(rule, i64::MIN), "since");
    check(planned(rule, -1), "since");
    let source =
        "{\"rules\":[],\"sources\":[{\"topic\":\"s\",\"partitions\":1,\"epoch\":4294967295}]}";
    check(named("plan", source), "epoch 4294967295");
    let at = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    check(at("topic/matches", "{\"partitions\":0}"), "0 partitions");
    check(at("topic/matches", "{\"partitions\":-4}"), "invalid value");
    check(at("topic/matches", "four"), "expected");
    check(at("source/s", "{\"epoch\":4294967295}"), "epoch 4294967295");
    check(at("source/s", "1"), "invalid type");
}

/// Compaction keeps the last copy of an entry, so what a plan names may stand behind it.
#[test]
fn the_order_of_entries_does_not_matter() {
    let mut catalogue = Catalogue::default();
    let (plan, mut written) = entries(&catalogue, "5m");
    written.reverse();
    for (key, value) in written {
        assert_eq!(catalogue.newest(), None);
        assert_eq!(
            catalogue.plan(plan).err(),
            Some(missing_of(&catalogue, plan))
        );
        catalogue.read(&key, Some(&value)).unwrap();
    }
    assert_eq!(catalogue.newest(), Some(plan));
    assert!(catalogue.plan(plan).is_ok());
    assert!(
        entries(&catalogue, "5m").1.is_empty(),
        "nothing is written again"
    );
    for (kind, text) in [
        ("plan", plan_of(Hash([9; 16]))),
        (
            "rule",
            rule_entry(|rule| rule.lists = [("L".to_owned(), Hash([7; 16]))].into()),
        ),
    ] {
        let (key, value) = named(kind, &text);
        catalogue.read(&key, Some(value.as_bytes())).unwrap();
        assert_eq!(
            catalogue.newest(),
            Some(plan),
            "one that lacks something is none"
        );
    }
    let lacking = Hash::of(plan_of(Hash([9; 16])).as_bytes());
    assert_eq!(
        catalogue.plan(lacking).err(),
        Some(Unusable::Missing(Hash([9; 16])))
    );
}

/// A plan of one rule and no sources.
fn plan_of(rule: Hash) -> String {
    format!("{{\"rules\":[{{\"entry\":\"{rule}\",\"since\":0}}],\"sources\":[]}}")
}

/// What is missing of a plan of one rule.
fn missing_of(catalogue: &Catalogue, plan: Hash) -> Unusable {
    match catalogue.plans.get(&plan).map(|kept| &kept.entry) {
        Some(Ok(entry)) => Unusable::Missing(entry.rules[0].entry),
        Some(Err(_)) | None => Unusable::Missing(plan),
    }
}

#[test]
fn other_keys_and_deletions_are_passed_over() {
    let (mut catalogue, plan) = taken("5m");
    for (key, value) in [
        ("", Some("x")),
        ("what/ever", Some("x")),
        ("x", None),
        ("plan/x", None),
    ] {
        catalogue.read(key, value.map(str::as_bytes)).unwrap();
    }
    assert!(catalogue.plan(plan).is_ok());
}

#[test]
fn the_greatest_epoch_counts() {
    let mut catalogue = Catalogue::default();
    for epoch in [3, 2] {
        let value = format!("{{\"epoch\":{epoch}}}");
        catalogue.read("source/s", Some(value.as_bytes())).unwrap();
    }
    assert_eq!(catalogue.epochs().source("s", 1).epoch, 3);
    let greatest = format!("{{\"epoch\":{EPOCH_MAX}}}");
    catalogue
        .read("source/s", Some(greatest.as_bytes()))
        .unwrap();
    let (key, value) = catalogue.epochs().raise_topic("s", BeginAt::Oldest);
    catalogue.read(&key, Some(&value)).unwrap();
    assert_eq!(catalogue.epochs().source("s", 1).epoch, EPOCH_MAX);
}

#[test]
fn an_accepted_loss_holds_for_the_offset_that_was_committed() {
    let mut catalogue = Catalogue::default();
    let mut take = |committed, begins| {
        let (key, value) = Catalogue::accept_loss("s", 2, committed, begins);
        assert_eq!(key, "loss/s/2");
        catalogue.read(&key, Some(&value)).unwrap();
        let accepts = |offset| catalogue.accepts_loss("s", 2, offset);
        assert!(!catalogue.accepts_loss("s", 1, committed));
        assert!(!catalogue.accepts_loss("t", 2, committed));
        (accepts(7), accepts(9))
    };
    assert_eq!(take(7, 8), (true, false));
    // The next loss, which takes the place of the one before.
    assert_eq!(take(9, 12), (false, true));
    for value in [
        "{\"committed\":-1,\"begins\":3}",
        "{\"committed\":3,\"begins\":2}",
        "{\"committed\":3,\"begins\":4611686018427387904}",
        "{\"committed\":3}",
    ] {
        assert!(
            catalogue.read("loss/s/2", Some(value.as_bytes())).is_err(),
            "{value}"
        );
    }
    assert!(catalogue.accepts_loss("s", 2, 9));
}

#[test]
fn a_rule_that_this_version_does_not_know_harms_nobody_until_it_is_named() {
    let (mut catalogue, plan) = taken("5m");
    let retired = rule_entry(|rule| rule.text = "id: R\nwhere: Whirl(user) > 7\n".to_owned());
    let (key, value) = named("rule", &retired);
    catalogue.read(&key, Some(value.as_bytes())).unwrap();
    let rule = Hash::of(value.as_bytes());
    let text = format!("{{\"rules\":[{{\"entry\":\"{rule}\",\"since\":0}}],\"sources\":[]}}");
    let (key, value) = named("plan", &text);
    catalogue.read(&key, Some(value.as_bytes())).unwrap();
    assert!(catalogue.plan(plan).is_ok());
    let (_, entries) = entries(&catalogue, "7m");
    assert_eq!(entries.len(), 2, "a worker goes on from there");
    let unusable = catalogue.plan(Hash::of(value.as_bytes())).unwrap_err();
    let Unusable::Unreadable(why) = &unusable else {
        panic!("{unusable:?}")
    };
    assert!(why.contains(&format!("rule {rule}: rule:1:1:")), "{why}");
    assert!(why.contains("rule:2:1: unknown key `where`"), "{why}");
    assert_eq!(catalogue.rule(rule).unwrap_err(), unusable_rule(why, rule));
    assert_eq!(
        catalogue.plan(Hash([1; 16])).unwrap_err(),
        Unusable::Missing(Hash([1; 16]))
    );
}

/// The rule's own error, which the plan's says again.
fn unusable_rule(of_plan: &str, rule: Hash) -> Unusable {
    let at = of_plan.find(&format!("rule {rule}")).unwrap();
    Unusable::Unreadable(of_plan[at..].to_owned())
}

/// What an earlier version wrote is told from what is of this version's meaning, and what a later
/// one wrote from both.
#[test]
fn another_meaning_is_told_by_its_number() {
    let (mut begun, plan) = taken("5m");
    assert_eq!(begun.other_meaning(), None);
    let check = |catalogue: &mut Catalogue, rule: &str, found: Option<OtherMeaning>| {
        let (key, value) = named("rule", rule);
        catalogue.read(&key, Some(value.as_bytes())).unwrap();
        let hash = Hash::of(value.as_bytes());
        let text = format!("{{\"rules\":[{{\"entry\":\"{hash}\",\"since\":0}}],\"sources\":[]}}");
        let (key, value) = named("plan", &text);
        catalogue.read(&key, Some(value.as_bytes())).unwrap();
        assert_eq!(catalogue.other_meaning(), found, "{rule}");
        catalogue.plan(Hash::of(value.as_bytes())).err()
    };
    let mine = rule_entry(|_| ());
    let unsaid = mine.replace(",\"meaning\":2", "");
    assert_ne!(unsaid, mine);
    let mut before = Catalogue::default();
    check(&mut before, &unsaid, Some(OtherMeaning::Earlier(1)));
    check(&mut before, &mine, None);
    // An old plan that somebody takes into use again.
    check(&mut begun, &unsaid, None);
    let later = rule_entry(|rule| rule.meaning = MEANING + 1);
    let found = Some(OtherMeaning::Later(MEANING + 1));
    let why = check(&mut begun, &later, found).unwrap();
    let said = "its rules are of meaning 3, and this version knows none after 2";
    assert!(why.to_string().contains(said), "{why}");
    assert!(begun.plan(plan).is_ok());
}

#[test]
fn a_later_format_is_told_by_its_number() {
    let (mut catalogue, plan) = taken("5m");
    for kind in ["list", "rule", "plan"] {
        let (key, value) = named(kind, "{\"format\":7,\"what\":\"ever\"}");
        catalogue.read(&key, Some(value.as_bytes())).unwrap();
    }
    let later = Hash::of(b"{\"format\":7,\"what\":\"ever\"}");
    for found in [catalogue.rule(later).err(), catalogue.plan(later).err()] {
        let found = found.unwrap().to_string();
        assert!(
            found.contains("it is of format 7, and this version knows none after 2"),
            "{found}"
        );
    }
    assert!(catalogue.plan(plan).is_ok());
    let named_by_mine = named(
        "rule",
        &rule_entry(|rule| {
            rule.lists.insert("L".to_owned(), later);
        }),
    );
    catalogue
        .read(&named_by_mine.0, Some(named_by_mine.1.as_bytes()))
        .unwrap();
    let found = catalogue
        .rule(Hash::of(named_by_mine.1.as_bytes()))
        .unwrap_err();
    assert!(found.to_string().contains("format 7"), "{found}");
}
