//! A realistic stream of Azure events, made from a seed: for the demo, for measurements, and for
//! trying rules without data of one's own. Same seed and options, same bytes.
//!
//! People of two made-up companies work in their subscriptions; each action is reported in
//! phases, and each record reaches the hub a little later than it happened, not in order.

mod activity;
mod cluster;
pub mod costly;
mod entra;
pub mod hostile;
mod object;
mod operations;
mod people;
mod random;
mod routines;
mod week;

use std::collections::BTreeMap;

use crate::time::Millis;
use people::Person;
use random::Random;

/// The user that the attack is made with: commands on several machines within minutes.
pub const ATTACKER: &str = "Lena.Brandt@contoso.com";

/// Machines that the attack runs commands on.
const ATTACKED_MACHINES: i64 = 4;

/// What the stream looks like.
#[derive(Clone, Debug)]
pub struct Options {
    /// Event time of the stream's beginning.
    pub start: Millis,
    /// Mean time between two actions; an action is about two records.
    pub action_gap_ms: u64,
    /// How many users, service principals and managed identities act; at least 1.
    pub people: u64,
    /// Records a message has at most; at least 1. Their number is spread evenly.
    pub records_max: u64,
    /// Records of ordinary commands on machines, in a million records.
    pub commands_per_million: u64,
    /// When the attack begins, in milliseconds after `start`; `None`: there is none.
    pub attack_after_ms: Option<Millis>,
    /// What is done besides the attack.
    pub pace: Pace,
}

/// What is done in a stream besides the attack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Few kinds of operations, many a second.
    Busy,
    /// The week of a smaller company: everything that the shipped rules look for is done, too, by
    /// those whose work it is, at least fifty times a week.
    Week,
}

impl Options {
    /// About 20 records a second of 400 people, 1 to 50 a message, one in a thousand a command.
    pub fn usual(start: Millis) -> Options {
        Options {
            start,
            action_gap_ms: 100,
            people: 400,
            records_max: 50,
            commands_per_million: 1000,
            attack_after_ms: None,
            pace: Pace::Busy,
        }
    }

    /// About 23,000 records a week of 60 people and what they administrate.
    pub fn week(start: Millis) -> Options {
        Options {
            action_gap_ms: week::gap_ms(),
            people: 60,
            records_max: 20,
            commands_per_million: 0,
            pace: Pace::Week,
            ..Options::usual(start)
        }
    }
}

/// One message as a hub would give it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GeneratedMessage {
    /// `{"records":[..]}`.
    pub bytes: Vec<u8>,
    /// When it reached the hub: seconds after its events.
    pub time: Millis,
    /// How many records it carries.
    pub records: u64,
}

/// The stream. It has no end: take what is needed.
#[derive(Clone, Debug)]
pub struct Generator {
    options: Options,
    seed: u64,
    random: Random,
    now: Millis,
    /// Records that have not reached the hub, by when they do and their number.
    pending: BTreeMap<(Millis, u64), String>,
    made: u64,
    made_commands: u64,
    attack_at: Option<Millis>,
    /// How many moments of a week have passed.
    turn: usize,
}

impl Generator {
    /// The stream of `seed`.
    pub fn new(seed: u64, options: Options) -> Generator {
        Generator {
            seed,
            random: Random::new(seed),
            now: options.start,
            pending: BTreeMap::new(),
            made: 0,
            made_commands: 0,
            attack_at: options.attack_after_ms.map(|after| options.start + after),
            turn: 0,
            options,
        }
    }

    /// The next message.
    pub fn message(&mut self) -> GeneratedMessage {
        let wanted = 1 + self.random.below(self.options.records_max);
        let mut message = GeneratedMessage {
            bytes: br#"{"records":["#.to_vec(),
            time: self.now,
            records: 0,
        };
        while message.records < wanted {
            let (time, record) = self.record();
            if message.records > 0 {
                message.bytes.push(b',');
            }
            message.bytes.extend_from_slice(record.as_bytes());
            message.time = message.time.max(time);
            message.records += 1;
        }
        message.bytes.extend_from_slice(b"]}");
        message
    }

    /// The next record to reach the hub, and when it does.
    fn record(&mut self) -> (Millis, String) {
        loop {
            if let Some(first) = self.pending.first_entry() {
                let (time, _) = *first.key();
                if time <= self.now {
                    return (time, first.remove());
                }
            }
            self.act();
        }
    }

    /// Lets time pass to the next action, and makes its records.
    fn act(&mut self) {
        self.now += 1 + self
            .random
            .below(2 * self.options.action_gap_ms)
            .cast_signed();
        if self.attack_at.is_some_and(|at| at <= self.now) {
            self.attack_at = None;
            self.attack();
            return;
        }
        match self.options.pace {
            Pace::Busy => self.act_busily(),
            Pace::Week => {
                let records = week::moment(&mut self.random, self.seed, self.now, self.turn);
                self.turn += 1;
                self.deliver(records);
            }
        }
    }

    /// One action, most often an ordinary one.
    fn act_busily(&mut self) {
        let wanted = self.made * self.options.commands_per_million / 1_000_000;
        if wanted > self.made_commands && self.random.percent(20) {
            let few = 1 + self.options.people / 20;
            let person = self.person(few);
            let records = activity::records(
                &mut self.random,
                &person,
                &operations::RUN_COMMAND,
                self.now,
            );
            self.made_commands += u64::try_from(records.len()).unwrap_or_default();
            self.deliver(records);
            return;
        }
        let person = self.person(self.options.people);
        let (random, now) = (&mut self.random, self.now);
        let records = match random.below(100) {
            0..=13 => vec![(now, entra::sign_in(random, &person, now))],
            14..=19 => vec![(now, entra::audit(random, &person, now))],
            20..=29 => vec![(now, entra::vault_read(random, &person, now))],
            _ => {
                let operation = operations::ordinary(random);
                activity::records(random, &person, operation, now)
            }
        };
        self.deliver(records);
    }

    fn attack(&mut self) {
        let person = Person::attacker(self.seed);
        for machine in 0..ATTACKED_MACHINES {
            let time = self.now + machine * self.random.millis(12_000, 25_000);
            let command = &operations::RUN_COMMAND;
            let records = activity::records(&mut self.random, &person, command, time);
            self.deliver(records);
        }
    }

    /// One of the first `people`.
    fn person(&mut self, people: u64) -> Person {
        Person::of_number(self.seed, self.random.below(people))
    }

    /// Hands records to the hub: most within seconds of their event time, a few minutes late.
    fn deliver(&mut self, records: Vec<(Millis, String)>) {
        for (time, record) in records {
            let late = self.random.percent(1);
            let (least, most) = if late {
                (10_000, 180_000)
            } else {
                (300, 4_000)
            };
            let delay = self.random.millis(least, most);
            self.pending.insert((time + delay, self.made), record);
            self.made += 1;
        }
    }
}

impl Iterator for Generator {
    type Item = GeneratedMessage;

    fn next(&mut self) -> Option<GeneratedMessage> {
        Some(self.message())
    }
}

#[cfg(test)]
mod tests;
