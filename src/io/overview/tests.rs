use std::sync::Arc;

use super::*;
use crate::detect::kinds::{Came, Kind, Kinds};
use crate::detect::watched::{OfRule, Watched};
use crate::event::Attributes;
use crate::incident::AttributeValue;
use crate::incident::tests::with_attributes;
use crate::io::history::What;
use crate::plan::{Limits, Plan, Settings, Source};
use crate::rule;

const SETTINGS: Settings = Settings {
    patience: 60,
    lateness: 60,
    limits: Limits::DEFAULT,
};

fn config() -> Config {
    let written = "app = \"soc\"\nsources = [\"logs\"]\nrules = [\"r\"]\n\
                   [kafka]\n\"bootstrap.servers\" = \"b:9092\"\n";
    Config::build(crate::config::Input {
        file: Some(("c.toml", written)),
        environment: &BTreeMap::new(),
        flags: crate::config::Written::default(),
        read_secret: &|_| Err("none".to_owned()),
        memory_limit: None,
    })
    .unwrap()
}

fn plan(rules: &str) -> Arc<Plan> {
    let mut attributes = Attributes::default();
    let rules = rule::parse("r", rules, &mut attributes).unwrap();
    let topic = Source {
        topic: "logs".to_owned(),
        partitions: 3,
        epoch: 0,
        epochs: BTreeMap::new(),
    };
    Plan::alone(&rules, &attributes, SETTINGS, vec![topic]).unwrap()
}

const RULES: &str = "id: PH_Rule_A
name: One after the other
severity: 9
window: 60s
patterns:
  - { name: First, where: 'eventType = \"MS_A\"', group_by: [user] }
  - { name: Then, where: 'eventType = \"MS_B\" AND category = \"Audit\"', group_by: [user] }
condition: First NOT_FOLLOWED_BY Then
relations: [First.user = Then.user]
";

#[test]
fn rules_say_what_came_for_them_and_how_far_they_are() {
    let status = Status::default();
    let plan = plan(RULES);
    status.put_into_use(&plan);
    let kind = |event_type: &str, category: &str| Kind {
        event_type: Some(event_type.to_owned()),
        category: Some(category.to_owned()),
    };
    let came = |latest| Came { events: 2, latest };
    let mut kinds = Kinds::default();
    kinds.add(kind("MS_A", "Audit"), came(5_000));
    kinds.add(kind("ms_a", "Other"), came(7_000));
    kinds.add(kind("MS_B", "Other"), came(9_000));
    let rules = vec![OfRule {
        matches: 3,
        latest: Some(6_000),
        filter: 2_000_000,
    }];
    lock(&status.detecting).watch(Some(&plan), &Watched { rules, kinds });
    lock(&status.correlating).watermark = Some(1_000);
    let overview = Overview::new(&config());
    let document = overview.document(
        &Health::unknown(),
        &status,
        &Mutex::default(),
        &Answer::default(),
    );
    let rule = &document["rules"]["listed"][0];
    assert_eq!(rule["matches"], 3);
    assert_eq!(rule["filter_seconds"], 0.002);
    let patterns = json!([
        { "name": "First", "data_last_seen": 7_000 },
        { "name": "Then", "data_last_seen": null },
    ]);
    assert_eq!(rule["patterns"], patterns, "{document:#}");
    // The absence is known when its window and the patience are over.
    assert_eq!(rule["evaluated_through"], (1_000 - 60 - 60 - 1) * 1_000);
    assert_eq!(document["data"]["total"], 3);
    assert_eq!(document["data"]["listed"][0]["rules"], 0);
    assert_eq!(document["data"]["listed"][1]["rules"], 1);
    assert_eq!(document["group"]["members"], Value::Null);
}

#[test]
fn the_verdict_is_the_worst_that_is_true() {
    let status = Status::default();
    let health = Health::unknown();
    let overview = Overview::new(&config());
    let state = |status: &Status| {
        let document = overview.document(&health, status, &Mutex::default(), &Answer::default());
        document["verdict"]["state"].as_str().unwrap().to_owned()
    };
    assert_eq!(state(&status), "starting");
    status
        .answered
        .store(true, std::sync::atomic::Ordering::Release);
    lock(&status.correlating).recovering = 2;
    assert_eq!(state(&status), "rebuilding");
    lock(&status.correlating).recovering = 0;
    assert_eq!(state(&status), "catching_up");
    let now = clock::instant();
    lock(&status.behind).detected(now, now);
    lock(&status.behind).folded(now);
    assert_eq!(state(&status), "working");
    status.put_into_use(&plan(RULES));
    assert_eq!(state(&status), "working");
    health.stop();
    assert_eq!(state(&status), "stopping");
}

/// Whatever stands in a stream, the document stays small and is JSON.
#[test]
fn the_document_is_bounded() {
    let status = Status::default();
    let long = "\u{1f525}\"<script>\\\n\u{202e}".repeat(1_000);
    let mut incident = with_attributes(&[]);
    let attribute = |number: usize| {
        let name: Arc<str> = format!("{number}{long}").into();
        (name, AttributeValue::Text(long.clone()))
    };
    incident.attributes = (0..1_000).map(attribute).collect();
    incident.title.clone_from(&long);
    (incident.rule_id, incident.rule_name) = (long.as_str().into(), long.as_str().into());
    incident.tactics = vec![long.as_str().into(); 1_000];
    let mut event = incident.evidence.first().unwrap().clone();
    let text: Arc<str> = long.as_str().into();
    (event.pattern, event.topic) = (Arc::clone(&text), Arc::clone(&text));
    (event.event_type, event.resource_id) = (Some(Arc::clone(&text)), Some(text));
    incident.evidence = vec![event; 1_000];
    let mut many = vec![incident; 200];
    for (number, incident) in many.iter_mut().enumerate() {
        incident.incident_id = crate::record::Hash::of(&number.to_le_bytes());
    }
    lock(&status.correlating).latest.add(many, 1);
    let mut kinds = Kinds::default();
    for number in 0..10_000 {
        let event_type = Some(format!("{number}{long}"));
        let category = Some(long.clone());
        kinds.add(
            Kind {
                event_type,
                category,
            },
            Came {
                events: 1,
                latest: 1,
            },
        );
        let about = format!("{number}{long}");
        let what = What {
            about: &about,
            first: &about,
        };
        lock(&status.history).note(Trouble::Refused, what, 1, 1);
        let lags = &mut lock(&status.detecting).lags;
        lags.insert((long.clone(), number), 1);
    }
    lock(&status.detecting).kinds = kinds;
    let group = Answer {
        members: Some(vec![
            Listed {
                id: long.clone(),
                host: long.clone(),
                partitions: BTreeMap::from([(long.clone(), (0..100_000).collect())]),
            };
            1_000
        ]),
        problem: Some(long.clone()),
    };
    let overview = Overview::new(&config());
    let text = overview.document(&Health::unknown(), &status, &Mutex::default(), &group);
    let text = text.to_string();
    assert!(text.len() < 4 << 20, "{}", text.len());
    let read: Value = serde_json::from_str(&text).unwrap();
    let title = read["incidents"][0]["title"].as_str().unwrap();
    assert!(title.starts_with("\u{1f525}\"<script>\\\n"));
}
