//! Which broker is away: never more than one at a time.

use std::time::{Duration, Instant};

use crate::chaos::schedule::How;
use crate::kafka::cluster::Cluster;

/// Between two questions whether all copies are in step again.
const LOOK: Duration = Duration::from_millis(700);

/// How the brokers are.
#[derive(Clone, Copy)]
pub enum Brokers {
    /// All there, with all copies in step.
    Whole,
    Away(usize, How),
    /// It is on its way back.
    Returning(usize, Instant),
}

impl Brokers {
    /// Takes a broker away; false when one is away already.
    pub fn leave(&mut self, cluster: &mut Cluster, node: usize, how: How) -> bool {
        match self {
            Brokers::Away(..) | Brokers::Returning(..) => return false,
            Brokers::Whole => (),
        }
        match how {
            How::Killed => cluster.node(node).kill(),
            How::Stopped => cluster.node(node).signal("TERM"),
            How::Frozen => cluster.node(node).signal("STOP"),
        }
        *self = Brokers::Away(node, how);
        true
    }

    /// Has the broker that is away come back.
    pub fn come_back(&mut self, cluster: &mut Cluster) {
        let Brokers::Away(node, how) = *self else {
            return;
        };
        match how {
            How::Killed => cluster.node(node).spawn(),
            How::Stopped => {
                cluster.node(node).kill();
                cluster.node(node).spawn();
            }
            How::Frozen => cluster.node(node).signal("CONT"),
        }
        *self = Brokers::Returning(node, Instant::now());
    }

    /// Looks whether the one that returns is there.
    pub fn tick(&mut self, cluster: &mut Cluster) {
        let Brokers::Returning(node, looked) = *self else {
            return;
        };
        if looked.elapsed() < LOOK {
            return;
        }
        *self = Brokers::Returning(node, Instant::now());
        // Somebody else may have got its port meanwhile.
        if cluster.node(node).has_ended() {
            cluster.node(node).kill();
            cluster.node(node).spawn();
        } else if cluster.is_whole() {
            *self = Brokers::Whole;
        }
    }

    /// Whether none is away.
    pub fn are_whole(self) -> bool {
        match self {
            Brokers::Whole => true,
            Brokers::Away(..) | Brokers::Returning(..) => false,
        }
    }
}
