//! How faults begin, and when they end.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Act, Field};
use crate::chaos::application::Application;
use crate::chaos::schedule::{Fault, How, STAGES, Which};
use crate::chaos::slot::Phase;
use crate::chaos::wrong::Wrong;
use crate::kafka::add_partitions;
use crate::kafka::cluster::{NODES, SLOTS};

impl Field<'_> {
    /// Does a fault, if there is something to do it to.
    pub fn strike(&mut self, fault: &Fault) {
        let kind = fault.kind();
        match self.begin(fault) {
            true => {
                *self.counts.entry(kind).or_insert(0) += 1;
                self.brokers_were_away |= fault.takes_brokers_away();
                self.tell(&fault.to_string());
            }
            false => self.tell(&format!("({fault}: not now)")),
        }
    }

    fn begin(&mut self, fault: &Fault) -> bool {
        match fault {
            Fault::Kill {
                slot,
                down_ms,
                lose,
            } => self.kill(*slot, *down_ms, *lose),
            Fault::Restart {
                slot,
                down_ms,
                lose,
            } => self.restart(*slot, *down_ms, *lose),
            Fault::Freeze { slot, ms } => {
                let runs = self.slots[*slot].phase == Phase::Running;
                if runs {
                    self.slots[*slot].signal("STOP");
                    self.slots[*slot].phase = Phase::Frozen;
                    self.later(*ms, Act::Continue(*slot));
                }
                runs
            }
            Fault::ComeOrGo => self.come_or_go(SLOTS - 1),
            Fault::Broker { which, how, ms } => {
                let node = self.resolve(*which);
                let began = self.brokers.leave(self.cluster, node, *how);
                if began {
                    self.later(*ms, Act::Return);
                }
                began
            }
            Fault::Starve { topic, ms } => self.starve(topic, *ms),
            Fault::Throttle { ms } => {
                self.administer(&["quota", &self.application.name, "20000"]);
                self.later(*ms, Act::Unthrottle);
                true
            }
            Fault::Network {
                slot,
                node,
                way,
                ms,
            } => {
                let nodes = node.map_or(0..NODES, |node| node..node + 1);
                for node in nodes {
                    self.cluster.set_way(*slot, node, *way);
                    self.later(*ms, Act::Heal(*slot, node));
                }
                self.slots[*slot].phase != Phase::Gone
            }
            Fault::Answers {
                slot,
                wrong,
                orders,
                ms,
            } => {
                for (api, deed) in orders {
                    self.cluster.orders(*slot).give(*api, *deed, None);
                }
                self.later(*ms, Act::TakeBack(*slot));
                match wrong {
                    Wrong::Leaving => self.restart(*slot, 0, false),
                    _ => self.slots[*slot].phase != Phase::Gone,
                }
            }
            Fault::DiskFull { slot, ms } => {
                let place = &mut self.slots[*slot];
                let can = place.has_disk() && !place.full && place.phase == Phase::Running;
                if can {
                    place.fill_disk();
                    self.later(*ms, Act::FreeDisk(*slot));
                }
                can
            }
            Fault::Rules {
                version,
                between_ms,
                kill,
            } => {
                for slot in 0..SLOTS {
                    let at = between_ms * slot as u64;
                    self.later(at, Act::Rules(slot, *version));
                    if *kill == Some(slot) {
                        self.later(at + between_ms / 2, Act::Kill(slot));
                    }
                }
                true
            }
            Fault::Grow { by } => self.grow(*by),
        }
    }

    pub(super) fn kill(&mut self, slot: usize, down_ms: u64, lose: bool) -> bool {
        let place = &mut self.slots[slot];
        let runs = place.phase != Phase::Gone;
        if runs {
            place.kill();
            place.lose |= lose;
            self.later(down_ms, Act::Start(slot));
        }
        runs
    }

    fn restart(&mut self, slot: usize, down_ms: u64, lose: bool) -> bool {
        let place = &mut self.slots[slot];
        let runs = place.phase == Phase::Running;
        if runs {
            place.stop();
            place.lose |= lose;
            self.later(down_ms, Act::Start(slot));
        }
        runs
    }

    fn come_or_go(&mut self, slot: usize) -> bool {
        let place = &mut self.slots[slot];
        match (place.phase, place.wanted) {
            (Phase::Running, _) => {
                place.wanted = false;
                place.stop();
                true
            }
            (Phase::Gone, false) => {
                place.wanted = true;
                self.later(0, Act::Start(slot));
                true
            }
            (Phase::Gone, true) | (Phase::Frozen | Phase::Stopping(_), _) => false,
        }
    }

    fn starve(&mut self, topic: &str, ms: u64) -> bool {
        let began = self.brokers.leave(self.cluster, 0, How::Killed);
        if began {
            let topic = self.application.topic(topic);
            self.administer(&["topic", &topic, "min.insync.replicas", "3"]);
            self.later(ms, Act::Feed(topic));
            self.later(ms + 500, Act::Return);
        }
        began
    }

    /// Gives the source more partitions, and then the stream.
    fn grow(&mut self, by: usize) -> bool {
        let grows = self
            .growth
            .as_ref()
            .is_some_and(|growth| !growth.is_finished());
        if !grows {
            let Application {
                bootstrap, source, ..
            } = self.application;
            let (bootstrap, source) = (bootstrap.clone(), source.clone());
            let sources = Arc::clone(&self.sources);
            self.growth = Some(std::thread::spawn(move || {
                let total = sources.load(Ordering::Relaxed) + by;
                add_partitions(&bootstrap, &source, total);
                sources.store(total, Ordering::Relaxed);
            }));
        }
        !grows
    }

    /// The broker that is meant; any, where none can be told.
    fn resolve(&self, which: Which) -> usize {
        let found = match which {
            Which::Any(node) => Some(node),
            Which::Offsets { stage } => {
                let group = self.application.topic(STAGES[stage]);
                self.cluster.coordinator("__consumer_offsets", &group)
            }
            Which::Transactions { slot, stage } => {
                let name = self.slots[slot].name;
                let id = self.application.transactional_id(name, STAGES[stage]);
                id.and_then(|id| self.cluster.coordinator("__transaction_state", &id))
            }
        };
        found.unwrap_or(0)
    }
}
