use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::mocking::MockCluster;

use super::owner;
use crate::config::{Config, Input, Written};
use crate::io::kafka::client::Health;

/// Else the state on disk would seem to be another cluster's.
#[test]
fn a_slow_broker_is_waited_for_until_it_says_which_cluster_it_is() {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic("slow.matches", 1, 1).unwrap();
    let text = format!(
        "app = \"slow\"\n[kafka]\n\"bootstrap.servers\" = \"{}\"\n",
        cluster.bootstrap_servers()
    );
    let config = Config::build(Input {
        file: Some(("slow.toml", &text)),
        environment: &BTreeMap::new(),
        flags: Written::default(),
        read_secret: &|_| Err("there are no secrets".to_owned()),
        memory_limit: None,
    });
    let config = config.unwrap();
    let health = Health::of(&config);
    let known = owner(&config, &health).unwrap();
    assert!(known.cluster.is_some());
    // A new connection takes two of these before it has its first answer: longer than a call.
    let slow = Duration::from_millis(1_600);
    cluster.broker_round_trip_time(1, slow).unwrap();
    assert_eq!(owner(&config, &health).unwrap(), known);
}
