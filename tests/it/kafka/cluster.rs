//! Three brokers that keep three copies of everything, and for each of several clients a way of
//! its own to each broker, which can be disturbed.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer as _};

use super::config;
use super::node::{Node, free_ports};
use super::proxy::{Link, Way};
use crate::proxy::Proxy;
use crate::proxy::dialect::{Dialect, Speaker};
use crate::proxy::orders::Orders;

/// How many brokers there are.
pub const NODES: usize = 3;
/// For how many clients there are ways.
pub const SLOTS: usize = 4;

/// The longest wait for what brokers say of themselves.
const CALL: Duration = Duration::from_secs(3);

/// Listeners of a broker: the direct one, the controllers' one, and one for each client.
const PORTS: usize = 2 + SLOTS;

/// Three running brokers, told apart by their numbers from 0 on.
pub struct Cluster {
    nodes: Vec<Node>,
    bootstrap: String,
    /// By client and broker.
    links: Vec<Vec<Link>>,
    /// Behind the links, and what they are to do to each client.
    _proxies: Vec<Proxy>,
    orders: Vec<Arc<Orders>>,
}

impl Cluster {
    /// Starts three brokers with fresh, empty storage.
    pub fn start() -> Cluster {
        for _ in 0..2 {
            let mut cluster = Cluster::prepare();
            cluster.nodes.iter_mut().for_each(Node::spawn);
            // A port can be taken between its choice and its use; then Kafka ends at once.
            if cluster.nodes.iter().all(Node::wait_until_it_serves) {
                return cluster;
            }
        }
        panic!("three brokers do not start");
    }

    fn prepare() -> Cluster {
        let free = free_ports(NODES * PORTS);
        let ports: Vec<&[u16]> = free.chunks(PORTS).collect();
        let orders: Vec<Arc<Orders>> = (0..SLOTS).map(|_| Arc::default()).collect();
        let (mut links, mut proxies) = (Vec::new(), Vec::new());
        for (slot, orders) in orders.iter().enumerate() {
            let ways = ports.iter().map(|of| Proxy::to(of[2 + slot], orders));
            let ways: Vec<Proxy> = ways.collect();
            let links_of: Vec<Link> = ways.iter().map(|way| Link::to(way.port())).collect();
            links.push(links_of);
            proxies.extend(ways);
        }
        let voters: Vec<String> = ports
            .iter()
            .zip(1..)
            .map(|(of, id)| format!("{id}@127.0.0.1:{}", of[1]))
            .collect();
        let nodes = std::thread::scope(|scope| {
            let prepare = |node: usize| {
                let (of, voters, links) = (ports[node], voters.join(","), &links);
                scope.spawn(move || {
                    let shown: Vec<u16> = links.iter().map(|slot| slot[node].port()).collect();
                    Node::prepare(of.to_vec(), |dir| {
                        properties(dir, node + 1, of, &shown, &voters)
                    })
                })
            };
            let prepared: Vec<_> = (0..NODES).map(prepare).collect();
            let prepared = prepared.into_iter();
            prepared.map(|node| node.join().unwrap()).collect()
        });
        Cluster {
            nodes,
            bootstrap: bootstrap(ports.iter().map(|of| of[0])),
            links,
            _proxies: proxies,
            orders,
        }
    }

    /// Where the brokers listen for those that nothing disturbs.
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// Where they listen for the client `slot`.
    pub fn bootstrap_of(&self, slot: usize) -> String {
        bootstrap(self.links[slot].iter().map(Link::port))
    }

    /// Makes the way of a client to a broker so.
    pub fn set_way(&self, slot: usize, node: usize, way: Way) {
        self.links[slot][node].set(way);
    }

    /// Has the brokers speak so, to all clients behind a way.
    pub fn speak(&self, speaker: Speaker) {
        for orders in &self.orders {
            orders.clear();
            orders.speak(Dialect::of(speaker));
        }
    }

    /// What is to be done to the requests of a client.
    pub fn orders(&self, slot: usize) -> &Orders {
        &self.orders[slot]
    }

    /// The process of a broker.
    pub fn node(&mut self, node: usize) -> &mut Node {
        &mut self.nodes[node]
    }

    /// What each broker has warned of.
    pub fn logs(&self) -> impl Iterator<Item = (String, String)> {
        let nodes = self.nodes.iter().enumerate();
        nodes.map(|(number, node)| (format!("broker-{number}"), node.log()))
    }

    /// Whether every partition has all its copies in step.
    pub fn is_whole(&self) -> bool {
        let client: BaseConsumer = config(&self.bootstrap).create().unwrap();
        let Ok(metadata) = client.fetch_metadata(None, CALL) else {
            return false;
        };
        let mut partitions = metadata
            .topics()
            .iter()
            .flat_map(|topic| topic.partitions());
        metadata.brokers().len() == NODES
            && partitions.all(|partition| partition.isr().len() == NODES)
    }

    /// The broker that leads a partition, where one does.
    pub fn leader(&self, topic: &str, partition: i32) -> Option<usize> {
        let client: BaseConsumer = config(&self.bootstrap).create().unwrap();
        let metadata = client.fetch_metadata(Some(topic), CALL).ok()?;
        let topic = metadata.topics().first()?;
        let found = topic.partitions().iter().find(|p| p.id() == partition)?;
        usize::try_from(found.leader() - 1).ok()
    }

    /// The broker that keeps what belongs to `name` in one of Kafka's own topics: the offsets of
    /// a group in `__consumer_offsets`, a transactional id in `__transaction_state`.
    pub fn coordinator(&self, topic: &str, name: &str) -> Option<usize> {
        self.leader(topic, java_hash(name) % INTERNAL_PARTITIONS)
    }
}

/// Partitions of Kafka's own topics.
const INTERNAL_PARTITIONS: i32 = 6;

/// Java's `String.hashCode`, without its sign, as brokers use it to choose a partition.
fn java_hash(text: &str) -> i32 {
    let hash = text.encode_utf16().fold(0_i32, |hash, unit| {
        hash.wrapping_mul(31).wrapping_add(i32::from(unit))
    });
    hash & i32::MAX
}

fn bootstrap(ports: impl Iterator<Item = u16>) -> String {
    let addresses: Vec<String> = ports.map(|port| format!("127.0.0.1:{port}")).collect();
    addresses.join(",")
}

/// A broker's configuration. `ports`: where it listens; `shown`: where its clients are told that
/// it does. A broker that is away is noticed within seconds, so that a minute holds many faults.
fn properties(dir: &Path, id: usize, ports: &[u16], shown: &[u16], voters: &str) -> String {
    let [direct, controller] = [ports[0], ports[1]];
    let slots = || (0..SLOTS).map(|slot| (slot, ports[2 + slot], shown[slot]));
    let listeners: String = slots()
        .map(|(slot, port, _)| format!(",SLOT{slot}://127.0.0.1:{port}"))
        .collect();
    let advertised: String = slots()
        .map(|(slot, _, port)| format!(",SLOT{slot}://127.0.0.1:{port}"))
        .collect();
    let protocols: String = slots()
        .map(|(slot, _, _)| format!(",SLOT{slot}:PLAINTEXT"))
        .collect();
    format!(
        r#"
process.roles=broker,controller
node.id={id}
controller.quorum.voters={voters}
controller.listener.names=CONTROLLER
listeners=DIRECT://127.0.0.1:{direct},CONTROLLER://127.0.0.1:{controller}{listeners}
advertised.listeners=DIRECT://127.0.0.1:{direct}{advertised}
listener.security.protocol.map=DIRECT:PLAINTEXT,CONTROLLER:PLAINTEXT{protocols}
inter.broker.listener.name=DIRECT
log.dirs={data}
auto.create.topics.enable=false
default.replication.factor={NODES}
min.insync.replicas=2
offsets.topic.replication.factor={NODES}
offsets.topic.num.partitions={INTERNAL_PARTITIONS}
transaction.state.log.replication.factor={NODES}
transaction.state.log.num.partitions={INTERNAL_PARTITIONS}
transaction.state.log.min.isr=2
share.coordinator.state.topic.replication.factor={NODES}
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.min.isr=2
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
transaction.abort.timed.out.transaction.cleanup.interval.ms=1000
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=3000
replica.lag.time.max.ms=5000
controlled.shutdown.enable=true
num.network.threads=2
num.io.threads=4
"#,
        data = dir.join("data").display()
    )
}

#[test]
fn names_are_hashed_as_java_does() {
    assert_eq!(java_hash("watchfire.detect"), 1_436_483_884);
    assert_eq!(java_hash("hello"), 99_162_322);
}
