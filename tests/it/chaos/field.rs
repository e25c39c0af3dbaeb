//! Where faults happen: the workers, their disks and rules, the ways to the brokers, the brokers.
//!
//! Every fault has a beginning, and most an end that is due later. [`Field::tick`] does what is
//! due and looks after workers that ended, as a service manager would.

mod brokers;
mod strike;

use std::collections::BTreeMap;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::application::Application;
use super::rules::Version;
use super::slot::{End, Phase, Slot};
use crate::kafka::cluster::{Cluster, SLOTS};
use crate::kafka::proxy::Way;
use crate::reader::python;
use brokers::Brokers;

/// Between an end that nobody asked for and the next start.
const RESTART_MS: u64 = 1000;

/// The longest that a worker may take to end after SIGTERM, also while brokers are away.
const STOP_LIMIT: Duration = Duration::from_secs(15);

/// The longest that the whole may take to run again, or to come to rest.
const WAIT_LIMIT: Duration = Duration::from_secs(180);
/// The same once something is wrong.
const WRONG_LIMIT: Duration = Duration::from_secs(30);

/// Between two looks at everything.
const TICK: Duration = Duration::from_millis(20);

/// What is due later.
#[derive(Clone, Debug)]
enum Act {
    Start(usize),
    Continue(usize),
    Heal(usize, usize),
    FreeDisk(usize),
    /// A worker is answered as the brokers do again.
    TakeBack(usize),
    Rules(usize, Version),
    Kill(usize),
    /// The broker that is away comes back.
    Return,
    /// A topic asks for as many copies as before.
    Feed(String),
    Unthrottle,
}

/// All that faults can be done to.
pub struct Field<'a> {
    application: &'a Application,
    cluster: &'a mut Cluster,
    /// How many partitions the source has.
    sources: Arc<AtomicUsize>,
    brokers: Brokers,
    slots: Vec<Slot>,
    due: BTreeMap<(u64, u64), Act>,
    next: u64,
    start: Instant,
    helpers: Vec<Child>,
    /// What gives the source more partitions.
    growth: Option<JoinHandle<()>>,
    /// Brokers may have been away for a worker, which explains why it ends.
    brokers_were_away: bool,
    /// The faults that were done, by kind.
    pub counts: BTreeMap<&'static str, usize>,
    /// What happened, line by line.
    pub story: Vec<String>,
    /// What must not have happened.
    pub problems: Vec<String>,
}

impl<'a> Field<'a> {
    /// Starts all workers but the last, and waits until they are ready. `sources`: how many
    /// partitions the source has.
    pub fn start(
        application: &'a Application,
        cluster: &'a mut Cluster,
        sources: Arc<AtomicUsize>,
    ) -> Field<'a> {
        let slots = (0..SLOTS).map(|number| Slot::new(number, application, cluster));
        let mut field = Field {
            application,
            slots: slots.collect(),
            sources,
            cluster,
            brokers: Brokers::Whole,
            due: BTreeMap::new(),
            next: 0,
            start: Instant::now(),
            helpers: Vec::new(),
            growth: None,
            brokers_were_away: false,
            counts: BTreeMap::new(),
            story: Vec::new(),
            problems: Vec::new(),
        };
        for slot in &mut field.slots[..SLOTS - 1] {
            slot.wanted = true;
            slot.start(application);
        }
        if !field.slots.iter().all(Slot::has_disk) {
            field.tell("no small disk can be mounted here (that needs root): none is ever full");
        }
        field.wait("the first workers are ready", |field| field.all_ready());
        field.start = Instant::now();
        field
    }

    /// Milliseconds since the workers were ready.
    pub fn clock(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap()
    }

    /// Ticks until so many milliseconds have gone by.
    pub fn tick_until(&mut self, at: u64) {
        while self.clock() < at {
            self.tick();
            std::thread::sleep(TICK);
        }
    }

    /// Does what is due, and starts workers again that ended by themselves.
    pub fn tick(&mut self) {
        let now = self.clock();
        while let Some(due) = self.due.first_entry().filter(|due| due.key().0 <= now) {
            let act = due.remove();
            self.act(act);
        }
        self.brokers.tick(self.cluster);
        for slot in 0..SLOTS {
            self.look_after(slot);
        }
        self.reap();
    }

    fn act(&mut self, act: Act) {
        match act {
            Act::Start(slot) => match self.slots[slot].phase {
                Phase::Gone if self.slots[slot].wanted => {
                    self.slots[slot].start(self.application);
                }
                Phase::Stopping(_) => self.later(200, Act::Start(slot)),
                Phase::Gone | Phase::Running | Phase::Frozen => (),
            },
            Act::Continue(slot) => {
                if self.slots[slot].phase == Phase::Frozen {
                    self.slots[slot].signal("CONT");
                    self.slots[slot].phase = Phase::Running;
                }
            }
            Act::Heal(slot, node) => self.cluster.set_way(slot, node, Way::Open),
            Act::TakeBack(slot) => self.cluster.orders(slot).clear(),
            Act::FreeDisk(slot) => self.slots[slot].free_disk(),
            Act::Rules(slot, version) => {
                self.application.write_rules(self.slots[slot].name, version);
            }
            Act::Kill(slot) => {
                self.kill(slot, 0, false);
            }
            Act::Return => self.brokers.come_back(self.cluster),
            Act::Feed(topic) => self.administer(&["topic", &topic, "min.insync.replicas"]),
            Act::Unthrottle => self.administer(&["quota", &self.application.name]),
        }
    }

    fn look_after(&mut self, slot: usize) {
        let away = self.brokers_were_away;
        let place = &mut self.slots[slot];
        let asked = match place.phase {
            Phase::Stopping(since) => Some(since),
            Phase::Gone | Phase::Running | Phase::Frozen => None,
        };
        let Some(status) = place.ended() else {
            if asked.is_some_and(|since| since.elapsed() > STOP_LIMIT) {
                let problem = format!("{} does not end after SIGTERM", place.name);
                place.kill();
                self.problems.push(problem);
            }
            return;
        };
        let end = place.judge(status, asked.is_some(), away);
        place.bury();
        let name = place.name;
        match end {
            End::Asked => (),
            End::Explained(why) => self.tell(&format!("{name} ended: {why}")),
            End::Wrong(why) => {
                self.tell(&format!("{name} ended, WRONG: {why}"));
                self.problems.push(format!("{name} ended: {why}"));
            }
        }
        if asked.is_none() {
            self.later(RESTART_MS, Act::Start(slot));
        }
    }

    /// Ends all faults, and waits until everything runs as if nothing had been.
    pub fn heal(&mut self) {
        self.tell("healing");
        for act in std::mem::take(&mut self.due).into_values() {
            match act {
                // Told again below, in the right order.
                Act::Feed(_) | Act::Unthrottle => (),
                act => self.act(act),
            }
        }
        self.brokers.come_back(self.cluster);
        self.wait("the brokers are whole", |field| {
            field.brokers.tick(field.cluster);
            let growth = field.growth.as_ref();
            let growing = growth.is_some_and(|growth| !growth.is_finished());
            field.brokers.are_whole() && field.helpers.is_empty() && !growing
        });
        if self
            .growth
            .take()
            .is_some_and(|growth| growth.join().is_err())
        {
            self.problems.push("the source could not grow".to_owned());
        }
        let matches = self.application.topic("matches");
        let incidents = self.application.topic("incidents");
        for topic in [&matches, &incidents] {
            self.administer(&["topic", topic, "min.insync.replicas"]);
        }
        self.administer(&["quota", &self.application.name]);
        self.wait("the workers are ready", |field| {
            field.all_ready() && field.helpers.is_empty()
        });
        self.brokers_were_away = false;
        for slot in &mut self.slots {
            slot.was_full = false;
        }
        self.tell("healed");
    }

    /// Ends all workers, which they must do in order.
    pub fn stop(&mut self) {
        self.tell("stopping");
        for slot in &mut self.slots {
            slot.wanted = false;
            if slot.phase == Phase::Running {
                slot.stop();
            }
        }
        self.wait("the workers have ended", |field| {
            field.slots.iter().all(|slot| slot.phase == Phase::Gone)
        });
    }

    /// Ticks until it holds; a problem when that takes too long.
    pub fn wait(&mut self, what: &str, mut holds: impl FnMut(&mut Field<'a>) -> bool) {
        let start = Instant::now();
        loop {
            self.tick();
            if holds(self) {
                return;
            }
            let limit = if self.problems.is_empty() {
                WAIT_LIMIT
            } else {
                WRONG_LIMIT
            };
            if start.elapsed() > limit {
                self.tell(&format!("WRONG: waited {limit:?} in vain: {what}"));
                self.problems
                    .push(format!("waited {limit:?} in vain: {what}"));
                return;
            }
            std::thread::sleep(TICK);
        }
    }

    /// What each worker and each broker has logged.
    pub fn logs(&self) -> Vec<(String, String)> {
        let workers = self.slots.iter();
        let workers = workers.map(|slot| (slot.name.to_owned(), slot.log()));
        workers.chain(self.cluster.logs()).collect()
    }

    fn all_ready(&mut self) -> bool {
        let ready = |slot: &Slot| match slot.phase {
            Phase::Gone => !slot.wanted,
            Phase::Running => slot.is_ready(),
            Phase::Frozen | Phase::Stopping(_) => false,
        };
        self.slots.iter().all(ready)
    }

    fn later(&mut self, ms: u64, act: Act) {
        self.next += 1;
        self.due.insert((self.clock() + ms, self.next), act);
    }

    fn administer(&mut self, args: &[&str]) {
        let helper = python("administer.py")
            .arg(self.cluster.bootstrap())
            .args(args)
            .stderr(Stdio::piped())
            .spawn();
        self.helpers.push(helper.unwrap());
    }

    /// Looks whether helpers have ended.
    fn reap(&mut self) {
        for mut helper in std::mem::take(&mut self.helpers) {
            match helper.try_wait().unwrap() {
                None => self.helpers.push(helper),
                Some(status) if status.success() => (),
                Some(_) => {
                    let output = helper.wait_with_output().unwrap();
                    let said = String::from_utf8_lossy(&output.stderr).into_owned();
                    let last = said.lines().last().unwrap_or_default();
                    self.tell(&format!("the brokers could not be told: {last}"));
                }
            }
        }
    }

    fn tell(&mut self, what: &str) {
        let line = format!("{:7.1} s  {what}", self.clock() as f64 / 1000.0);
        println!("{line}");
        self.story.push(line);
    }
}
