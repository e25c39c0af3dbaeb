use serde_json::Value;

use super::*;

const START: Millis = 1_772_355_600_000;

/// The records of the first `count` messages of a stream.
fn records(seed: u64, options: Options, count: usize) -> Vec<Value> {
    let mut records = Vec::new();
    for message in Generator::new(seed, options).take(count) {
        let mut envelope: Value = serde_json::from_slice(&message.bytes).expect("valid JSON");
        let Value::Array(list) = envelope["records"].take() else {
            panic!("no records")
        };
        assert_eq!(list.len() as u64, message.records);
        records.extend(list);
    }
    records
}

fn is_command(record: &Value) -> bool {
    record["operationName"]
        .as_str()
        .is_some_and(|name| name.eq_ignore_ascii_case(operations::RUN_COMMAND.name))
}

#[test]
fn same_seed_same_bytes() {
    let take = |seed| {
        Generator::new(seed, Options::usual(START))
            .take(20)
            .collect::<Vec<_>>()
    };
    assert_eq!(take(7), take(7));
    assert_ne!(take(7), take(8));
}

#[test]
fn stream_is_shaped_like_the_real_one() {
    let options = Options::usual(START);
    let messages: Vec<_> = Generator::new(1, options.clone()).take(400).collect();
    assert!(
        messages
            .iter()
            .all(|message| (1..=50).contains(&message.records))
    );
    assert!(messages.windows(2).all(|pair| pair[0].time <= pair[1].time));
    let bytes: usize = messages.iter().map(|message| message.bytes.len()).sum();
    let count: u64 = messages.iter().map(|message| message.records).sum();
    let mean = bytes as u64 / count;
    assert!((1700..2100).contains(&mean), "a record has {mean} bytes");

    let records = records(1, options, 400);
    let share = |test: &dyn Fn(&Value) -> bool| {
        records.iter().filter(|record| test(record)).count() * 10_000 / records.len()
    };
    let commands = share(&is_command);
    assert!(
        (7..=11).contains(&commands),
        "{commands} of 10,000 are commands"
    );
    for result in ["Start", "Accept", "Success", "Failure"] {
        assert!(
            share(&|record| record["resultType"] == result) > 0,
            "{result}"
        );
    }
    for category in [
        "Administrative",
        "Policy",
        "SignInLogs",
        "AuditLogs",
        "AuditEvent",
    ] {
        assert!(
            share(&|record| record["category"] == category) > 0,
            "{category}"
        );
    }
}

#[test]
fn phases_share_a_correlation_id() {
    let options = Options {
        commands_per_million: 0,
        ..Options::usual(START)
    };
    let mut by_id = std::collections::HashMap::<String, Vec<String>>::new();
    for record in records(3, options, 200) {
        let text = |name: &str| record[name].as_str().unwrap_or_default().to_owned();
        if record["category"] == "Administrative" {
            by_id
                .entry(text("correlationId"))
                .or_default()
                .push(text("resultType"));
        }
    }
    let whole = by_id.values().filter(|phases| phases.len() == 3).count();
    assert!(whole > 100, "{whole} whole actions");
}

#[test]
fn attack_is_one_user_on_several_machines() {
    let options = Options {
        commands_per_million: 0,
        attack_after_ms: Some(60_000),
        ..Options::usual(START)
    };
    let commands: Vec<_> = records(5, options, 200)
        .into_iter()
        .filter(is_command)
        .collect();
    assert_eq!(commands.len() as i64, 3 * ATTACKED_MACHINES);
    for record in &commands {
        let claims = &record["identity"]["claims"];
        let upn = &claims["http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn"];
        assert!(
            upn.as_str()
                .is_some_and(|upn| upn.eq_ignore_ascii_case(ATTACKER)),
            "{upn}"
        );
    }
    let machines: std::collections::HashSet<_> = commands
        .iter()
        .map(|record| record["resourceId"].as_str())
        .collect();
    assert_eq!(machines.len() as i64, ATTACKED_MACHINES);
}
