//! The one broker that serves most tests: broker and controller in one process, on loopback.

use std::path::Path;

use super::node::{Node, free_ports};

/// The user that the login listener knows.
pub const USER: &str = "watchfire";
/// The password of [`USER`].
pub const PASSWORD: &str = "kindling";

/// A running broker. Dropping it kills the process and removes its files; so does the end of the
/// test process.
pub struct Broker {
    node: Node,
    bootstrap: String,
    login_bootstrap: String,
}

/// Where a broker listens besides, and with which protocol.
#[derive(Clone, Copy)]
pub struct Listener {
    /// Its name, in upper case.
    pub name: &'static str,
    /// A free port.
    pub port: u16,
    /// Such as `SASL_SSL`.
    pub protocol: &'static str,
}

#[derive(Clone, Copy)]
struct Ports {
    plain: u16,
    login: u16,
    controller: u16,
}

impl Broker {
    /// Starts a broker with fresh, empty storage.
    pub fn start() -> Broker {
        Broker::start_with("")
    }

    /// The same with more lines of configuration, which stand over the usual ones.
    pub fn start_with(more: &str) -> Broker {
        Broker::start_listening(&[], more)
    }

    /// The same with more listeners.
    pub fn start_listening(listeners: &[Listener], more: &str) -> Broker {
        let mut broker = Broker::prepare(listeners, more);
        // A port can be taken between its choice and its use; then Kafka ends at once.
        for _ in 0..2 {
            if broker.launch() {
                return broker;
            }
            broker = Broker::prepare(listeners, more);
        }
        assert!(
            broker.launch(),
            "Kafka does not start:\n{}",
            broker.node.last_words()
        );
        broker
    }

    /// Where it listens without a login.
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// Where it listens for [`USER`] with [`PASSWORD`].
    pub fn login_bootstrap(&self) -> &str {
        &self.login_bootstrap
    }

    /// Kills the process as an accident would, and keeps what it had stored.
    pub fn kill(&mut self) {
        self.node.kill();
    }

    /// Starts a killed broker again, on the same ports and with what it had stored.
    pub fn revive(&mut self) {
        assert!(
            self.launch(),
            "Kafka does not come back:\n{}",
            self.node.last_words()
        );
    }

    fn launch(&mut self) -> bool {
        self.node.spawn();
        self.node.wait_until_it_serves()
    }

    /// Makes what a broker needs on disk, and picks its ports.
    fn prepare(listeners: &[Listener], more: &str) -> Broker {
        let free = free_ports(3);
        let ports = Ports {
            plain: free[0],
            login: free[1],
            controller: free[2],
        };
        Broker {
            bootstrap: format!("127.0.0.1:{}", ports.plain),
            login_bootstrap: format!("127.0.0.1:{}", ports.login),
            node: Node::prepare(vec![ports.plain, ports.login], |dir| {
                properties(dir, ports, listeners) + more
            }),
        }
    }
}

/// The broker's configuration: one node, no copies, no waiting that only production needs.
fn properties(dir: &Path, ports: Ports, more: &[Listener]) -> String {
    let Ports {
        plain,
        login,
        controller,
    } = ports;
    let data = dir.join("data");
    let addresses = more
        .iter()
        .map(|l| format!(",{}://127.0.0.1:{}", l.name, l.port));
    let addresses: String = addresses.collect();
    let protocols = more.iter().map(|l| format!(",{}:{}", l.name, l.protocol));
    let protocols: String = protocols.collect();
    format!(
        r#"
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
controller.listener.names=CONTROLLER
listeners=PLAIN://127.0.0.1:{plain},LOGIN://127.0.0.1:{login},\
    CONTROLLER://127.0.0.1:{controller}{addresses}
advertised.listeners=PLAIN://127.0.0.1:{plain},LOGIN://127.0.0.1:{login}{addresses}
listener.security.protocol.map=PLAIN:PLAINTEXT,LOGIN:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT{protocols}
inter.broker.listener.name=PLAIN
sasl.enabled.mechanisms=PLAIN
listener.name.login.plain.sasl.jaas.config=\
    org.apache.kafka.common.security.plain.PlainLoginModule required user_{USER}="{PASSWORD}";
log.dirs={data}
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.num.partitions=4
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
transaction.abort.timed.out.transaction.cleanup.interval.ms=1000
"#,
        data = data.display()
    )
}
