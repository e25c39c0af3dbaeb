//! The first rule from end to end: records into a real broker, incidents out of it, read by a
//! client and an Avro library that are not ours.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
use watchfire::time::{day_start, rfc3339, second_of};

use crate::kafka::{produce, read_committed};
use crate::oracle::bounded;
use crate::reader::{self, Row};
use crate::worker::process::Worker;
use crate::worker::setup::{Setup, now};

const RULE: &str = include_str!("../../rules/azure/PH_Rule_ES_IMPORT_AZURE_8.yaml");

const MINUTE: i64 = 60_000;

/// A RunCommand record at `time`, as Azure sends it.
fn command(user: &str, time: &str, phase: &str) -> String {
    format!(
        r#"{{"time":"{time}","resultType":"{phase}","category":"Administrative",
        "operationName":"MICROSOFT.COMPUTE/VIRTUALMACHINES/RUNCOMMAND/ACTION",
        "correlationId":"{user}-1","resourceId":"/SUBSCRIPTIONS/S/RESOURCEGROUPS/G/X",
        "identity":{{"claims":{{
        "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn":"{user}@contoso.com"}}}}}}"#
    )
}

/// What the independent reader saw last of each incident, by user and time first seen.
fn standing(rows: &[Row]) -> BTreeMap<(String, String), &Value> {
    let mut rows: Vec<&Value> = rows.iter().map(|row| &row.value).collect();
    rows.sort_by_key(|value| value["revision"].as_i64());
    rows.into_iter()
        .map(|value| {
            let text = |field: &Value| field.as_str().unwrap_or("-").to_owned();
            let user = text(&value["source"]["user"]);
            ((user, text(&value["first_seen"])), value)
        })
        .collect()
}

#[test]
fn commands_become_incidents_that_others_can_read() {
    let setup = Setup::new("incidents", "");
    setup.file("rule.yaml", RULE);
    let config = setup.config_with("a", |text| {
        text.replace("lateness = \"10s\"", "lateness = \"2h\"")
    });
    // Long ago enough to be over, and all on one UTC day.
    let mut base = now() - 40 * MINUTE;
    if day_start(second_of(base)) != day_start(second_of(base + 20 * MINUTE)) {
        base -= 60 * MINUTE;
    }
    base = second_of(base) * 1000;
    let at = |seconds: i64| rfc3339(base + seconds * 1000);
    let envelope = |records: &[String]| format!(r#"{{"records":[{}]}}"#, records.join(","));
    let send = |partition, records: &[String]| {
        produce(
            &setup.bootstrap,
            &setup.source,
            partition,
            &[(now(), envelope(records))],
        );
    };
    let worker = Worker::start(&config);
    send(2, &[command("Alice", &at(36), "Success")]);
    send(0, &[command("alice", &at(0), "Start")]);
    send(1, &[command("ALICE", &at(1), "Accept")]);
    send(
        0,
        &[
            command("bob", &at(5), "Start"),
            "{\"time\":\"broken".to_owned(),
        ],
    );
    let carol = |seconds| command("carol", &at(seconds), "Start");
    send(1, &[carol(0), carol(299), carol(299 + 301)]);
    send(2, &[command("mallory", "2099-01-01T00:00:00Z", "Start")]);
    // As an attribute, source and title more than a message may hold.
    let eve = "e".repeat(335_000);
    send(1, &[command(&eve, &at(7), "Start")]);
    worker.wait_for("ready");
    setup.wait_until_read();
    let log = worker.stop();

    let topic = format!("{}.incidents", setup.app);
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/incident.avsc");
    let rows = reader::read(&setup.bootstrap, &topic, &schema).unwrap();
    let standing = standing(&rows);
    let check = |user: &str, first: i64, last: i64, events: i64, status: &str| {
        let incident = standing[&(format!("{user}@contoso.com"), at(first))];
        assert_eq!(incident["last_seen"], at(last), "{incident}");
        assert_eq!(incident["event_count"], events, "{incident}");
        assert_eq!(incident["status"], status, "{incident}");
        assert_eq!(incident["rule_id"], "PH_Rule_ES_IMPORT_AZURE_8");
        assert_eq!(incident["severity_band"], "MEDIUM");
        assert_eq!(incident["techniques"], serde_json::json!(["T1059.006"]));
        assert_eq!(
            incident["evidence"].as_array().unwrap().len() as i64,
            events
        );
    };
    check("alice", 0, 36, 3, "CLOSED");
    check("bob", 5, 5, 1, "CLOSED");
    check("carol", 0, 299, 2, "CLOSED");
    check("carol", 600, 600, 1, "CLOSED");
    let users: Vec<&str> = standing.keys().map(|(user, _)| user.as_str()).collect();
    let mallory = "mallory@contoso.com";
    let eve = bounded::value(&format!("{eve}@contoso.com"));
    for (user, truncated) in [("alice@contoso.com", false), (eve.as_str(), true)] {
        let mut of_user = standing.iter().filter(|((known, _), _)| known == user);
        assert_eq!(of_user.next().unwrap().1["truncated"], truncated);
    }
    let carols = ["carol@contoso.com"; 2];
    assert_eq!(
        users,
        [
            &["alice@contoso.com", "bob@contoso.com"],
            &carols[..],
            &[&eve, mallory]
        ]
        .concat()
    );
    assert!(
        log.contains("future=1"),
        "a time in the future is counted: {log}"
    );
    // The user and the correlation id of one record; what was said of it was cut.
    assert!(log.contains("values_cut=2"), "{log}");
    let mut lines = log.lines().filter(|line| line.contains("truncated="));
    assert!(lines.any(|line| !line.contains("truncated=0")), "{log}");

    let revisions: Vec<(&Value, &Value)> = rows
        .iter()
        .map(|row| (&row.value["incident_id"], &row.value["revision"]))
        .collect();
    for (place, revision) in revisions.iter().enumerate() {
        assert!(
            !revisions[..place].contains(revision),
            "{revision:?} was published twice"
        );
    }
    let letters = read_committed(&setup.bootstrap, &format!("{}.dead-letters", setup.app));
    let [letter] = letters.as_slice() else {
        panic!("one dead letter, not {letters:?}");
    };
    let header = |name: &str| {
        let found = letter.headers.iter().find(|(known, _)| known == name);
        String::from_utf8(found.unwrap().1.clone().unwrap()).unwrap()
    };
    assert_eq!(header("topic"), setup.source);
    assert_eq!(
        (header("partition"), header("index")),
        ("0".to_owned(), "1".to_owned())
    );
    assert!(!header("reason").is_empty());
    assert!(
        letter
            .value
            .as_ref()
            .unwrap()
            .starts_with(b"{\"time\":\"broken")
    );
}
