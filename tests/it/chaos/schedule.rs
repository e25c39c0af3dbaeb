//! What is done, and when: a function of the seed.

use std::fmt;

use kafka_protocol::messages::ApiKey;

use super::rules::Version;
use super::wrong::Wrong;
use crate::kafka::cluster::{NODES, SLOTS};
use crate::kafka::proxy::Way;
use crate::proxy::orders::Deed;
use crate::rng::Rng;

/// The names of the workers. The last one comes and goes.
pub const NAMES: [&str; SLOTS] = ["a", "b", "c", "d"];

/// The stages of a worker, as groups and transactional ids name them.
pub const STAGES: [&str; 2] = ["detect", "correlate"];

/// What is done to the system.
#[derive(Clone, Debug)]
pub enum Fault {
    /// SIGKILL, and a start after a while. With `lose` the state is gone by then.
    Kill {
        slot: usize,
        down_ms: u64,
        lose: bool,
    },
    /// SIGTERM, and a start after a while.
    Restart {
        slot: usize,
        down_ms: u64,
        lose: bool,
    },
    /// SIGSTOP, and SIGCONT after a while.
    Freeze { slot: usize, ms: u64 },
    /// The worker that comes and goes does so.
    ComeOrGo,
    /// A broker is away for a while.
    Broker { which: Which, how: How, ms: u64 },
    /// A broker is away, and a topic asks for as many copies as there are brokers.
    Starve { topic: &'static str, ms: u64 },
    /// Brokers let the workers send and fetch little.
    Throttle { ms: u64 },
    /// The way from a worker to one broker or all is disturbed.
    Network {
        slot: usize,
        node: Option<usize>,
        way: Way,
        ms: u64,
    },
    /// Brokers answer a worker wrongly.
    Answers {
        slot: usize,
        wrong: Wrong,
        orders: Vec<(ApiKey, Deed)>,
        ms: u64,
    },
    /// The disk with a worker's state is full.
    DiskFull { slot: usize, ms: u64 },
    /// One worker after the other gets other rules; one of them may be killed on the way.
    Rules {
        version: Version,
        between_ms: u64,
        kill: Option<usize>,
    },
    /// The source topic gets more partitions.
    Grow { by: usize },
}

/// Which broker.
#[derive(Clone, Copy, Debug)]
pub enum Which {
    Any(usize),
    /// The one that keeps the offsets of a stage's group.
    Offsets {
        stage: usize,
    },
    /// The one that keeps the transactions of a worker's stage.
    Transactions {
        slot: usize,
        stage: usize,
    },
}

/// In which way a broker is away.
#[derive(Clone, Copy, Debug)]
pub enum How {
    /// SIGKILL.
    Killed,
    /// SIGTERM: it hands over what it leads.
    Stopped,
    /// SIGSTOP: it comes back and believes that nothing has happened.
    Frozen,
}

/// The faults of a seed, each with its time in milliseconds.
pub fn schedule(seed: u64, seconds: u64) -> Vec<(u64, Fault)> {
    let mut random = Rng::new(seed);
    let mut version = Version::FIRST;
    let mut faults = Vec::new();
    let mut at = 500 + random.below(1500);
    while at < seconds * 1000 {
        faults.push((at, draw(&mut random, &mut version)));
        at += 1000 + random.below(3000);
    }
    faults.extend(answers(seed, seconds));
    faults.sort_by_key(|(at, _)| *at);
    faults
}

/// The wrong answers among them.
fn answers(seed: u64, seconds: u64) -> Vec<(u64, Fault)> {
    let mut random = Rng::new(!seed);
    let mut faults = Vec::new();
    let mut at = 1000 + random.below(4000);
    while at < seconds * 1000 {
        let wrong = *random.choose(&Wrong::ALL);
        let fault = Fault::Answers {
            slot: random.index(SLOTS),
            wrong,
            orders: wrong.orders(&mut random),
            ms: 300 + random.below(3000),
        };
        faults.push((at, fault));
        at += 2500 + random.below(4000);
    }
    faults
}

fn draw(random: &mut Rng, version: &mut Version) -> Fault {
    let slot = random.index(SLOTS);
    match random.below(28) {
        0..5 => Fault::Kill {
            slot,
            down_ms: pause(random),
            lose: random.one_in(3),
        },
        5..7 => Fault::Restart {
            slot,
            down_ms: pause(random),
            lose: random.one_in(3),
        },
        // Shorter or longer than the session.
        7..10 => Fault::Freeze {
            slot,
            ms: match random.one_in(3) {
                true => 100 + random.below(1500),
                false => 3500 + random.below(8000),
            },
        },
        10..12 => Fault::ComeOrGo,
        12..16 => Fault::Broker {
            which: which(random),
            how: *random.choose(&[How::Killed, How::Killed, How::Stopped, How::Frozen]),
            ms: 500 + random.below(6000),
        },
        16 => Fault::Starve {
            topic: ["matches", "incidents"][random.index(2)],
            ms: 2000 + random.below(5000),
        },
        17 => Fault::Throttle {
            ms: 2000 + random.below(5000),
        },
        18..23 => Fault::Network {
            slot,
            node: random.one_in(2).then(|| random.index(NODES)),
            way: *random.choose(&[
                Way::Cut,
                Way::Cut,
                Way::Hole,
                Way::Deaf,
                Way::Deaf,
                Way::Slow,
            ]),
            ms: match random.one_in(2) {
                true => 200 + random.below(2000),
                false => 3500 + random.below(8000),
            },
        },
        23 => Fault::DiskFull {
            slot,
            ms: 1000 + random.below(4000),
        },
        24 => Fault::Grow {
            by: 1 + random.index(3),
        },
        _ => {
            *version = version.change(random);
            Fault::Rules {
                version: *version,
                between_ms: random.below(2500),
                kill: random.one_in(2).then_some(slot),
            }
        }
    }
}

fn which(random: &mut Rng) -> Which {
    let stage = random.index(STAGES.len());
    match random.below(3) {
        0 => Which::Any(random.index(NODES)),
        1 => Which::Offsets { stage },
        _ => Which::Transactions {
            slot: random.index(SLOTS),
            stage,
        },
    }
}

/// At once, or after a while.
fn pause(random: &mut Rng) -> u64 {
    match random.one_in(2) {
        true => 0,
        false => 500 + random.below(5000),
    }
}

impl Fault {
    /// Whether brokers may be away for a worker from then on.
    pub fn takes_brokers_away(&self) -> bool {
        match self {
            Fault::Broker { .. }
            | Fault::Starve { .. }
            | Fault::Throttle { .. }
            | Fault::Answers { .. }
            | Fault::Network { .. } => true,
            Fault::Kill { .. }
            | Fault::Restart { .. }
            | Fault::Freeze { .. }
            | Fault::ComeOrGo
            | Fault::DiskFull { .. }
            | Fault::Rules { .. }
            | Fault::Grow { .. } => false,
        }
    }

    /// Its kind, in a word, for the table.
    pub fn kind(&self) -> &'static str {
        match self {
            Fault::Kill { .. } => "kill",
            Fault::Restart { .. } => "restart",
            Fault::Freeze { .. } => "freeze",
            Fault::ComeOrGo => "come/go",
            Fault::Broker { how, .. } => match how {
                How::Killed => "broker killed",
                How::Stopped => "broker stopped",
                How::Frozen => "broker frozen",
            },
            Fault::Starve { .. } => "too few replicas",
            Fault::Throttle { .. } => "throttle",
            Fault::Network { way, .. } => match way {
                Way::Cut | Way::Gone => "cut off",
                Way::Hole => "black hole",
                Way::Deaf => "answers lost",
                Way::Slow | Way::Open => "slow network",
            },
            Fault::Answers { wrong, .. } => wrong.kind(),
            Fault::DiskFull { .. } => "disk full",
            Fault::Rules { .. } => "rules",
            Fault::Grow { .. } => "more partitions",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind())?;
        match self {
            Fault::Kill {
                slot,
                down_ms,
                lose,
            }
            | Fault::Restart {
                slot,
                down_ms,
                lose,
            } => {
                let lost = if *lose { ", state lost" } else { "" };
                write!(f, " {}, {down_ms} ms{lost}", NAMES[*slot])
            }
            Fault::Freeze { slot, ms } | Fault::DiskFull { slot, ms } => {
                write!(f, " {}, {ms} ms", NAMES[*slot])
            }
            Fault::ComeOrGo => write!(f, " {}", NAMES[SLOTS - 1]),
            Fault::Broker { which, ms, .. } => write!(f, ", {which}, {ms} ms"),
            Fault::Starve { topic, ms } => write!(f, " of {topic}, {ms} ms"),
            Fault::Throttle { ms } => write!(f, ", {ms} ms"),
            Fault::Grow { by } => write!(f, ", {by}"),
            Fault::Answers {
                slot, orders, ms, ..
            } => {
                write!(f, " for {}, {ms} ms", NAMES[*slot])?;
                let one = orders.iter().all(|(_, deed)| *deed == orders[0].1);
                let mut told = orders.iter().take(if one { 1 } else { orders.len() });
                told.try_for_each(|(api, deed)| write!(f, ", {api:?}: {deed:?}"))
            }
            Fault::Network { slot, node, ms, .. } => {
                let to = node.map_or("all brokers".to_owned(), |node| format!("broker {node}"));
                write!(f, " {} to {to}, {ms} ms", NAMES[*slot])
            }
            Fault::Rules {
                version,
                between_ms,
                kill,
            } => {
                write!(f, " ({version}), {between_ms} ms apart")?;
                kill.map_or(Ok(()), |slot| write!(f, ", {} killed", NAMES[slot]))
            }
        }
    }
}

impl fmt::Display for Which {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Which::Any(node) => write!(f, "{node}"),
            Which::Offsets { stage } => write!(f, "with the offsets of {}", STAGES[*stage]),
            Which::Transactions { slot, stage } => {
                let (stage, name) = (STAGES[*stage], NAMES[*slot]);
                write!(f, "with the transactions of {stage} in {name}")
            }
        }
    }
}

/// Ten minutes hold enough of each kind of wrong answer.
#[test]
fn every_wrong_answer_is_among_the_faults() {
    for wrong in Wrong::ALL {
        let faults = (1..=10).flat_map(|seed| schedule(seed, 60));
        let kinds = faults.filter(|(_, fault)| fault.kind() == wrong.kind());
        assert!(kinds.count() >= 5, "{wrong:?}");
    }
}
