use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::mocking::MockCluster;

use super::{member, owner};
use crate::config::{Config, Input, Written};
use crate::io::kafka::client::Health;

fn config(text: &str, environment: &BTreeMap<String, String>) -> Config {
    let config = Config::build(Input {
        file: Some(("watchfire.toml", text)),
        environment,
        flags: Written::default(),
        read_secret: &|_| Err("there are no secrets".to_owned()),
        memory_limit: None,
    });
    config.unwrap()
}

/// A pod that has lost its state is the same member all the same.
#[test]
fn a_member_is_known_by_the_name_that_is_configured_or_by_its_id() {
    let set = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let brokers = set("WATCHFIRE_KAFKA_BOOTSTRAP_SERVERS", "localhost:9092");
    let instance = set("WATCHFIRE_KAFKA_GROUP_INSTANCE_ID", "watchfire-0");
    let plain = BTreeMap::from([brokers.clone()]);
    let pod = BTreeMap::from([brokers, instance]);
    let name = |text, environment: &BTreeMap<String, String>| {
        let config = member(&config(text, environment), "made-once");
        config.kafka.properties.get("group.instance.id").cloned()
    };
    let with = "static_membership = true\n";
    assert_eq!(name(with, &plain).as_deref(), Some("made-once"));
    assert_eq!(name(with, &pod).as_deref(), Some("watchfire-0"));
    assert_eq!(name("", &plain), None);
}

/// Else the state on disk would seem to be another cluster's.
#[test]
fn a_slow_broker_is_waited_for_until_it_says_which_cluster_it_is() {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic("slow.matches", 1, 1).unwrap();
    let text = format!(
        "app = \"slow\"\n[kafka]\n\"bootstrap.servers\" = \"{}\"\n",
        cluster.bootstrap_servers()
    );
    let config = config(&text, &BTreeMap::new());
    let health = Health::of(&config);
    let known = owner(&config, &health).unwrap();
    assert!(known.cluster.is_some());
    // A new connection takes two of these before it has its first answer: longer than a call.
    let slow = Duration::from_millis(1_600);
    cluster.broker_round_trip_time(1, slow).unwrap();
    assert_eq!(owner(&config, &health).unwrap(), known);
}
