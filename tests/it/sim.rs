//! The simulation: a seeded world in which everything goes wrong, against the oracle.
//!
//! `WATCHFIRE_SIM_SEEDS=n` sets how many seeds are run, `WATCHFIRE_SIM_SEED=s` runs one alone;
//! `WATCHFIRE_SIM_CANARY=name` looks for one canary alone.

pub mod events;
mod replaced;
mod rules;
mod strangers;

use std::collections::BTreeSet;
use std::sync::Arc;

#[cfg(feature = "canary")]
use watchfire::canary::{self, Canary};
use watchfire::config::OnReplacedSource;
use watchfire::encode::Encoding;
use watchfire::fold::partition::{Budget, Limit};
use watchfire::fold::slices::SliceLimit;
use watchfire::incident::{AttributeValue, CloseReason, Incident, Status};
use watchfire::matches::{Input, LogMessage, Match, PatternMatch};
use watchfire::plan::{LoadedRule, MEANING, Plan, Settings};
use watchfire::record::Hash;
use watchfire::rule::Condition;

use crate::oracle::{self, Spans};
use crate::recorded;
use crate::rng::Rng;
use crate::world::{CorrelateWorker, DetectWorker, Pace, World};
use events::{Record, event};
use rules::Written;

/// Close before a UTC midnight, so that days end in most runs.
const START: i64 = 1_767_225_600_000 - 3_600_000;

const DAY: i64 = 86_400_000;

/// Seeds of a usual run.
const SEEDS: u64 = 300;

/// Some faults show only where several things meet.
#[cfg(feature = "canary")]
const CANARY_SEEDS: u64 = 1_000;

#[test]
fn engine_equals_oracle() {
    match std::env::var("WATCHFIRE_SIM_SEED") {
        Ok(seed) => {
            run(seed.parse().expect("a number"));
        }
        Err(_) => {
            let mut covered = BTreeSet::new();
            let seeds = std::env::var("WATCHFIRE_SIM_SEEDS");
            let seeds = seeds.map_or(SEEDS, |n| n.parse().expect("n"));
            for seed in 0..seeds {
                match std::panic::catch_unwind(|| run(seed)) {
                    Ok(examples) => covered.extend(examples),
                    Err(panic) => {
                        eprintln!("the simulation fails with WATCHFIRE_SIM_SEED={seed}");
                        std::panic::resume_unwind(panic);
                    }
                }
            }
            let missing: Vec<String> = wanted().filter(|one| !covered.contains(one)).collect();
            assert!(
                missing.is_empty() || seeds < SEEDS,
                "the seeds lack {missing:?}"
            );
        }
    }
}

/// A simulation that a broken engine passes shows nothing.
#[cfg(feature = "canary")]
#[test]
fn every_canary_is_caught() {
    // One takes a rule that is back while one commit is on its way, which hardly a seed has; the
    // other is of what the oracle does not look at. Both have tests of their own.
    let others = [Canary::EmptiedForgotten, Canary::ClueDropped];
    let faults = Canary::ALL.into_iter();
    let one = std::env::var("WATCHFIRE_SIM_CANARY").ok();
    let is_wanted = |fault: &Canary| one.as_ref().is_none_or(|one| *one == format!("{fault:?}"));
    let faults = faults.filter(|fault| !others.contains(fault));
    for fault in faults.filter(is_wanted) {
        canary::set(Some(fault));
        let caught =
            (0..CANARY_SEEDS).find(|seed| std::panic::catch_unwind(|| run(*seed)).is_err());
        canary::set(None);
        eprintln!("{fault:?} is caught by seed {caught:?}");
        assert!(
            caught.is_some(),
            "{fault:?} is not caught in {CANARY_SEEDS} seeds"
        );
    }
}

/// What the seeds together must have examples of.
fn wanted() -> impl Iterator<Item = String> {
    let wanted = [
        "Open",
        "Updated",
        "Closed RuleRemoved",
        "Closed BegunAnew",
        "Closed Clear",
        "Closed EndOfDay",
        "Closed Quiet",
        "Retracted",
        "Retracted for another",
        "replaces another",
        "late Open",
        "late Closed",
        "And",
        "Or",
        "FollowedBy",
        "AndNot",
        "NotFollowedBy",
        "Unless",
        "three operators",
        "new",
        "clear pattern",
        "finer group",
        "other names",
        "no relations",
        "relations",
        "rules change",
        "all on time",
        "lost disk",
        "long after a clear",
        "a value is cut",
        "evidence is cut",
        "attributes are cut",
        "strangers",
        "slices",
        "cursors",
        "folded beside a commit",
        "a commit is dropped",
        "recreated",
        "truncated",
        "failed over",
        "recreated unseen",
        "truncated unseen",
        "failed over unseen",
        "recreated beside a commit",
        "truncated beside a commit",
        "failed over beside a commit",
        "recreated behind what was said",
        "failed over behind what was said",
        "another message stands where the last one was read",
        "it begins before what was its first offset",
        "retention overrun",
        "recreated, and what was committed is gone with it",
        "what was committed is forgotten",
        "stopped at another log",
        "restarted in another log",
        "several keys",
        "several groups",
        "several inputs",
        "several combinations",
        "different values",
    ];
    wanted.into_iter().map(str::to_owned)
}

/// What a publication is an example of.
fn kinds(incident: &Incident, rule: &LoadedRule) -> Vec<String> {
    let mut kinds = Vec::new();
    let late = if incident.late { "late " } else { "" };
    match (incident.status, incident.close_reason, incident.late) {
        (Status::Closed, Some(reason), false) => kinds.push(format!("Closed {reason:?}")),
        (status, _, _) => kinds.push(format!("{late}{status:?}")),
    }
    if incident.replaced_by.is_some() {
        kinds.push("Retracted for another".to_owned());
    }
    if !incident.replaces.is_empty() {
        kinds.push("replaces another".to_owned());
    }
    let end = incident.close_reason;
    if end == Some(CloseReason::RuleRemoved) || end == Some(CloseReason::BegunAnew) {
        return kinds;
    }
    let operators = operators(&rule.rule.condition);
    kinds.extend(operators.iter().cloned());
    let rule = &rule.rule;
    let key = rule.join_key.len();
    let several = rule.patterns.len() > 1;
    let name = |pattern: usize, part: usize| {
        let part = rule.join_key[part].places[pattern];
        rule.patterns[pattern].group_by[part]
    };
    let crossed = (0..key)
        .any(|part| (0..rule.patterns.len()).any(|pattern| name(pattern, part) != name(0, part)));
    let finer = rule.patterns.iter().any(|p| p.group_by.len() > key);
    for (kind, holds) in [
        ("three operators", operators.len() >= 3),
        ("new", rule.patterns.iter().any(|p| p.new.is_some())),
        ("clear pattern", rule.clear.is_some()),
        ("finer group", finer),
        ("other names", crossed),
        ("no relations", several && key == 0),
        ("relations", several && key > 0),
        ("different values", !rule.differences.is_empty()),
    ] {
        if holds {
            kinds.push(kind.to_owned());
        }
    }
    kinds
}

/// What is cut of a publication, which is as its definition says.
fn cut(incident: &Incident, rule: &LoadedRule) -> BTreeSet<String> {
    let most = rule.settings.limits.message_bytes as usize;
    assert!(Encoding::Avro.encode(incident).len() <= most, "too large");
    let mut cut = BTreeSet::new();
    let users = events::long_users().map(|user| oracle::bounded::value(&user.to_lowercase()));
    for (_, value) in &incident.attributes {
        if let AttributeValue::Text(text) = value
            && text.contains('#')
        {
            assert!(users.contains(text), "{text}");
            cut.insert("a value is cut".to_owned());
        }
    }
    let resource = oracle::bounded::value(&events::long_resource());
    for evidence in &incident.evidence {
        let id = evidence.resource_id.as_ref();
        assert!(id.is_none_or(|id| **id == *resource), "{id:?}");
    }
    for (kind, holds) in [
        ("evidence is cut", incident.evidence.is_empty()),
        (
            "attributes are cut",
            incident.attributes.len() < rule.rule.attributes.len(),
        ),
    ] {
        if holds {
            assert!(incident.truncated);
            cut.insert(kind.to_owned());
        }
    }
    cut
}

fn operators(condition: &Condition) -> Vec<String> {
    let sides = condition.sides().into_iter();
    let mut all: Vec<String> = sides.flat_map(operators).collect();
    match condition {
        Condition::Pattern(_) => (),
        Condition::Operation(_, operator, _) => all.push(format!("{operator:?}")),
        Condition::Unless { .. } => all.push("Unless".to_owned()),
    }
    all
}

/// What may happen in a run.
struct Nature {
    rules_change: bool,
    /// Messages are written without their offsets being committed, and by workers that no longer
    /// own their partitions.
    resends: bool,
    /// Events come later than rules take them for on time.
    late: bool,
    /// Whole days go by.
    days: bool,
    /// Something goes on for hours, across a midnight.
    goes_on: bool,
    /// Some values are too long to be kept whole, and incidents have little room.
    long: bool,
    /// The application begins with a version to which rules mean something else.
    anew: bool,
    /// Source partitions become other logs; what becomes of it.
    replaced: Option<OnReplacedSource>,
    events_max: usize,
    /// How far workers of the second stage go at once.
    pace: Pace,
}

struct Sim {
    rng: Rng,
    /// Decides what those do who are no workers; they change nothing of what workers do.
    strangers: Rng,
    /// Decides how far commits come before something else happens.
    commits: Rng,
    /// Decides what becomes of the sources' logs.
    logs: Rng,
    world: World,
    rules: Vec<Written>,
    plans: Vec<Arc<Plan>>,
    detect: Vec<DetectWorker>,
    correlate: Vec<CorrelateWorker>,
    nature: Nature,
    /// All that was produced.
    records: Vec<Record>,
    covered: BTreeSet<String>,
}

fn run(seed: u64) -> BTreeSet<String> {
    let mut rng = Rng::new(seed);
    let replaced = replaced::nature(&mut Rng::new(seed ^ 0x4e91_aced));
    let nature = Nature {
        rules_change: rng.one_in(3),
        replaced,
        resends: rng.one_in(2),
        late: rng.one_in(2),
        days: rng.one_in(2),
        goes_on: rng.one_in(3),
        long: rng.one_in(3),
        anew: Rng::new(seed ^ 0x000a_4e17).one_in(6),
        events_max: 20 + rng.below(120) as usize,
        pace: pace(&mut Rng::new(seed ^ 0x9ace)),
    };
    let matches_partitions = if rng.one_in(3) { 8 } else { 3 };
    let mut world = World::new(
        START,
        1 + rng.below(4) as usize,
        1 + rng.below(matches_partitions) as usize,
    );
    if nature.long {
        world.settings.limits.message_bytes = *rng.choose(&[3_000, 10_000]);
        world.message_bytes = 60_000;
    }
    if nature.anew {
        world.meaning = MEANING - 1;
    }
    let mut sim = Sim {
        rng,
        strangers: Rng::new(seed ^ 0x5742_9e11),
        commits: Rng::new(seed ^ 0x00c0_3317),
        logs: Rng::new(seed ^ 0x1065),
        world,
        rules: Vec::new(),
        plans: Vec::new(),
        detect: Vec::new(),
        correlate: Vec::new(),
        nature,
        records: Vec::new(),
        covered: BTreeSet::new(),
    };
    sim.begin();
    while sim.records.len() < sim.nature.events_max {
        sim.step();
        if sim.world.meaning < MEANING && 2 * sim.records.len() > sim.nature.events_max {
            sim.begin_anew();
        }
    }
    sim.begin_long_after_a_clear();
    if sim.nature.goes_on {
        sim.go_on();
        (0..30).for_each(|_| sim.step());
    }
    sim.drain();
    recorded::keep(&sim.world, &format!("sim-{seed:05}"));
    sim.check();
    sim.covered
}

/// Mostly so small that messages are folded in slices, and what they say is committed in parts.
fn pace(rng: &mut Rng) -> Pace {
    if rng.one_in(4) {
        return Pace::NONE;
    }
    let bytes = *rng.choose(&[1, 5_000, 10_000, 20_000, 50_000, 1 << 20]);
    Pace {
        budget: Budget {
            live_bytes: bytes,
            recovering_bytes: bytes,
            slice: SliceLimit {
                keys: 1 + rng.index(3),
                bytes: *rng.choose(&[1, 1 << 20]),
                due: 1 + rng.index(4),
            },
            together_due: rng.index(3),
            outbox: Limit {
                bytes: usize::MAX,
                publications: 1 + rng.index(3),
            },
        },
        commit: Limit {
            bytes: *rng.choose(&[1, usize::MAX]),
            publications: 1 + rng.index(3),
        },
        slices: 1 + rng.index(3),
        keeps: if rng.one_in(4) { 3 } else { 1 },
    }
}

impl Sim {
    fn begin(&mut self) {
        self.empty_sources();
        self.rules = rules::rules(&mut self.rng, self.nature.late);
        self.world.lists = rules::lists(&mut self.rng);
        let plan = self.world.plan(&rules::text(&self.rules));
        self.plans.push(plan.clone());
        let workers = 1 + self.rng.below(4) as usize;
        for _ in 0..workers {
            self.detect
                .push(DetectWorker::new(&self.world, plan.clone()));
            let mut correlate = CorrelateWorker::default();
            correlate.pace = self.nature.pace;
            self.correlate.push(correlate);
        }
        for partition in 0..self.world.sources.len() as u32 {
            let worker = self.rng.below(workers as u64) as usize;
            self.detect[worker].assign(&self.world, partition);
        }
        for partition in 0..self.world.logs.len() {
            let worker = self.rng.below(workers as u64) as usize;
            self.correlate[worker].assign(&self.world, partition);
        }
    }

    fn step(&mut self) {
        if self.strangers.one_in(12) {
            self.intrude();
        }
        self.replace_sources();
        match self.rng.below(100) {
            0..30 => self.produce(),
            30..48 => self.detect_read(),
            48..60 => self.detect_commit(),
            60..65 => self.detect_mark(),
            65..67 => self.detect_move(),
            67..80 => self.correlate_read(),
            80..92 => self.correlate_commit(),
            92..94 => self.correlate_move(),
            94 if self.rng.one_in(3) => self.lose_all_after_midnight(),
            94 if self.nature.late => self.late_beside_the_oldest(),
            94 => self.correlate_move(),
            95 => self.correlate_crash(),
            96 => self.change_rules(),
            97 => self.world.retain(&self.correlate),
            98 => self.come_to_an_edge(),
            _ => self.time_passes(),
        }
        self.world.clock += self.rng.below(4_000) as i64;
    }

    /// Somebody who is no worker writes to the matches logs, now and then much at once.
    fn intrude(&mut self) {
        let partition = self.strangers.index(self.world.logs.len());
        for _ in 0..1 + self.strangers.below(3) {
            let bytes = strangers::message(&mut self.strangers, &self.world);
            self.world.intrude(partition, bytes);
        }
        self.covered.insert("strangers".to_owned());
    }

    fn time_passes(&mut self) {
        self.world.clock += self.rng.below(600_000) as i64;
        if self.nature.days && self.rng.one_in(4) {
            self.world.clock += self.rng.below(2 * DAY as u64) as i64;
            self.catch_up();
        }
    }

    fn produce(&mut self) {
        let partition = self.rng.index(self.world.sources.len());
        let count = 1 + self.rng.below(3);
        let (clock, late) = (self.world.clock, self.nature.late);
        let records: Vec<Record> = (0..count)
            .map(|_| {
                let event = event(&mut self.rng, clock, late);
                match self.nature.long && self.rng.one_in(3) {
                    true => event.lengthened(&mut self.rng),
                    false => event,
                }
            })
            .collect();
        let texts: Vec<&str> = records.iter().map(|record| &*record.text).collect();
        let payload = format!("{{\"records\":[{}]}}", texts.join(","));
        self.world.produce(partition, payload.into_bytes());
        self.records.extend(records);
    }

    /// A rule in use, and a record that an incident of it rests on.
    fn some_evidence(&mut self) -> Option<(Arc<LoadedRule>, Record)> {
        let plan = &self.plans[self.plans.len() - 1];
        let all = self.world.incidents.iter().flatten();
        let known: Vec<(&LoadedRule, Hash)> = all
            .filter_map(|incident| {
                let mut rules = plan.rules.iter().map(|(rule, _)| &**rule);
                let rule = rules.find(|rule| rule.fingerprint == incident.rule_fingerprint)?;
                Some((rule, incident.evidence.last()?.record_hash))
            })
            .collect();
        if known.is_empty() {
            return None;
        }
        let (rule, hash) = *self.rng.choose(&known);
        let mut records = self.records.iter();
        let record = records.find(|record| Hash::of(record.text.as_bytes()) == hash)?;
        Some((Arc::new(rule.clone()), record.clone()))
    }

    /// The watermark comes to where something of a rule ends for a past event, or a second beside
    /// it, and the event is repeated near where it was or where matches begin to be late.
    fn come_to_an_edge(&mut self) {
        let Some((rule, record)) = self.some_evidence() else {
            return;
        };
        let plan = &self.plans[self.plans.len() - 1];
        let lateness = |(rule, _): &(Arc<LoadedRule>, i64)| rule.settings.lateness;
        let all_on_time = plan.rules.iter().map(lateness).min();
        let Settings {
            patience, lateness, ..
        } = rule.settings;
        let Spans { wait, reach } = oracle::spans(&rule);
        let ends = [
            lateness + reach,
            lateness + reach,
            lateness + wait,
            rule.rule.quiet + lateness + wait,
            rule.rule.quiet + patience + wait,
            patience + wait,
        ];
        let beyond = self.rng.choose(&ends) + self.rng.below(3) as i64 - 1;
        let second = record.time.div_euclid(1000) + beyond;
        if record.time > self.world.clock || second * 1000 < self.world.clock {
            return;
        }
        self.world.clock = second * 1000 + self.rng.below(1000) as i64;
        self.catch_up();
        let window = rule.rule.window as u64 * 1000;
        let time = match self.rng.below(3) {
            0 => (second - lateness - 1) * 1000 + self.rng.below(2_000) as i64,
            1 => record.time + self.rng.below(window) as i64,
            _ => record.time - self.rng.below(window) as i64,
        };
        let on_time = all_on_time.is_some_and(|all| time.div_euclid(1000) >= second - all);
        if time < self.world.clock && (on_time || self.nature.late) {
            let partition = self.rng.index(self.world.sources.len());
            let record = record.at(time);
            let payload = record.text.clone().into_bytes();
            self.world.produce(partition, payload);
            self.records.push(record);
        }
    }

    /// What made an incident is repeated from before a midnight until long after it, as often as
    /// keeps one open; then perhaps disks are lost.
    fn go_on(&mut self) {
        let Some((rule, record)) = self.some_evidence() else {
            return;
        };
        if rule.rule.quiet.min(rule.rule.window) < 60 {
            return;
        }
        let gap = rule.rule.quiet.min(rule.rule.window) * 1000 / (1 + self.rng.below(4) as i64);
        let Settings {
            patience, lateness, ..
        } = rule.settings;
        let long = patience + lateness + oracle::spans(&rule).wait + 2 * rule.rule.quiet;
        let midnight = (self.world.clock.div_euclid(DAY) + 1) * DAY;
        let end = midnight + long * 1000 + self.rng.below(600_000) as i64;
        let before = midnight - self.rng.below(4 * gap as u64) as i64;
        self.world.clock = self.world.clock.max(before);
        for _ in 0..60 {
            if self.world.clock > end {
                break;
            }
            let partition = self.rng.index(self.world.sources.len());
            let time = self.world.clock - self.rng.below(1000) as i64;
            let again = record.at(time);
            self.world.produce(partition, again.text.into_bytes());
            self.catch_up();
            self.correlate_read();
            self.correlate_commit();
            self.world.clock += gap - self.rng.below(gap as u64 / 4) as i64;
        }
        self.catch_up();
        self.fold_all();
        self.world.retain(&self.correlate);
        for partition in 0..self.world.logs.len() {
            if self.rng.one_in(2) {
                self.lose_disk(partition);
            }
        }
    }

    fn detect_read(&mut self) {
        let partition = self.rng.index(self.world.sources.len()) as u32;
        for worker in &mut self.detect {
            for _ in 0..1 + self.rng.below(4) {
                worker.read(&self.world, partition);
            }
        }
    }

    fn detect_commit(&mut self) {
        let worker = self.rng.index(self.detect.len());
        let restart = self.rng.one_in(4);
        if !restart && self.commits.one_in(2) {
            // It is on its way while more is read.
            self.detect[worker].begin();
            return;
        }
        if restart && self.rng.one_in(2) {
            // The crash comes before anything is written.
        } else {
            let offsets = !(restart && self.nature.resends);
            self.detect[worker].commit(&mut self.world, offsets);
        }
        if restart {
            let plan = self.some_plan(self.detect[worker].plan.clone());
            let plan = self.world.with_epochs(&plan);
            self.detect[worker].restart(&self.world, plan);
        }
    }

    fn detect_mark(&mut self) {
        let worker = self.rng.index(self.detect.len());
        self.detect[worker].mark(&self.world);
    }

    fn detect_move(&mut self) {
        let partition = self.rng.index(self.world.sources.len()) as u32;
        let owner = self
            .detect
            .iter()
            .position(|w| w.assigned().contains(&partition));
        let Some(owner) = owner else { return };
        let heir = self.rng.index(self.detect.len());
        for worker in [owner, heir] {
            self.detect[worker].end(&mut self.world, true);
        }
        if self.nature.resends && self.rng.one_in(2) {
            // A worker that does not know yet that it lost the partition writes once more.
            self.detect[heir].assign(&self.world, partition);
            if heir != owner {
                self.detect[owner].commit(&mut self.world, false);
                self.detect[owner].revoke(partition);
            }
        } else {
            if self.rng.one_in(2) {
                self.detect[owner].commit(&mut self.world, true);
            }
            self.detect[owner].revoke(partition);
            self.detect[heir].assign(&self.world, partition);
        }
    }

    /// Every worker reads and writes all there is, and says the time.
    fn catch_up(&mut self) {
        self.settle_all();
        for worker in &mut self.detect {
            for partition in worker.assigned() {
                while worker.read(&self.world, partition) {}
            }
            worker.mark(&self.world);
            worker.commit(&mut self.world, true);
        }
    }

    fn correlate_read(&mut self) {
        let partition = self.rng.index(self.world.logs.len());
        for worker in &mut self.correlate {
            let messages = 1 + self.rng.below(4) as usize;
            if worker.is_committing(partition) {
                self.covered.insert("folded beside a commit".to_owned());
            }
            worker.read(&self.world, partition, messages);
        }
    }

    fn correlate_commit(&mut self) {
        let worker = self.rng.index(self.correlate.len());
        let assigned = self.correlate[worker].assigned();
        let (crash, forget) = (self.rng.one_in(6), self.rng.one_in(2));
        let worker = &mut self.correlate[worker];
        // From its beginning to its end a commit has four steps.
        for _ in 0..1 + self.commits.below(5) {
            for partition in &assigned {
                worker.go_on_committing(&mut self.world, *partition, forget);
            }
        }
        if crash {
            // Or the commit has failed, or nobody knows: it is all the same.
            let mut assigned = assigned.iter();
            if assigned.any(|partition| worker.is_committing(*partition)) {
                self.covered.insert("a commit is dropped".to_owned());
            }
            worker.restart(&self.world);
        }
    }

    fn correlate_move(&mut self) {
        let partition = self.rng.index(self.world.logs.len());
        if self.rng.one_in(3) {
            self.lose_disk(partition);
        }
        for worker in &mut self.correlate {
            worker.revoke(partition);
        }
        let heir = self.rng.index(self.correlate.len());
        self.correlate[heir].assign(&self.world, partition);
    }

    /// The owner of a partition begins it anew without what its disk had.
    fn lose_disk(&mut self, partition: usize) {
        for worker in &mut self.correlate {
            if worker.assigned().contains(&partition) {
                worker.revoke(partition);
                worker.lose_disk(partition);
                worker.assign(&self.world, partition);
                self.covered.insert("lost disk".to_owned());
            }
        }
    }

    /// An incident just after a midnight rests on what came before it; then, when the incident is
    /// as good as final, all disks are lost, and one more event joins it.
    fn lose_all_after_midnight(&mut self) {
        let plan = self.plans[self.plans.len() - 1].clone();
        let (rule, _) = self.rng.choose(&plan.rules);
        let (lateness, quiet) = (rule.settings.lateness, rule.rule.quiet);
        let wait = oracle::spans(rule).wait;
        let others = plan.rules.iter().map(|(rule, _)| rule.settings.lateness);
        let midnight = (self.world.clock.div_euclid(DAY) + 1) * DAY;
        let alike = event(&mut self.rng, self.world.clock, false);
        if others.min() < Some(lateness) && !self.nature.late || alike.time > midnight {
            return;
        }
        let window = rule.rule.window as u64 * 1000;
        let first = midnight + self.rng.below(window.min(300_000)) as i64;
        for time in [first - self.rng.below(window) as i64, first, first] {
            self.world.clock = self.world.clock.max(time);
            self.produce_at(&alike, time);
            // Every source partition is heard of again after what it has brought.
            self.catch_up();
            self.catch_up();
        }
        self.fold_all();
        let last = first.div_euclid(1000);
        let clock = last + quiet + lateness + wait - self.rng.below(2) as i64;
        self.world.clock = self.world.clock.max(clock * 1000);
        self.catch_up();
        self.fold_all();
        for partition in 0..self.world.logs.len() {
            self.lose_disk(partition);
        }
        self.produce_at(&alike, (clock - lateness) * 1000);
        self.catch_up();
    }

    /// A late event comes when the oldest that it may still see are about to be forgotten.
    fn late_beside_the_oldest(&mut self) {
        let plan = self.plans[self.plans.len() - 1].clone();
        let (rule, _) = self.rng.choose(&plan.rules);
        let reach = oracle::spans(rule).reach;
        let alike = event(&mut self.rng, self.world.clock, false);
        let time = self.world.clock;
        for _ in 0..1 + self.rng.below(2) {
            self.produce_at(&alike, time);
        }
        self.catch_up();
        let edge = time.div_euclid(1000) + rule.settings.lateness + reach;
        self.world.clock = edge * 1000;
        self.catch_up();
        let window = rule.rule.window as u64 * 1000;
        for _ in 0..1 + self.rng.below(2) {
            let time = time + self.rng.below(window) as i64;
            self.produce_at(&alike, time);
        }
        self.catch_up();
    }

    /// A clear pane of a new day is all that a key has, until an incident begins in the span of
    /// `quiet` that the pane lies in.
    fn begin_long_after_a_clear(&mut self) {
        let Some((rule, clear, other)) = self.clear_and_other() else {
            return;
        };
        let Settings { lateness, .. } = rule.settings;
        let plan = &self.plans[self.plans.len() - 1];
        let others = plan.rules.iter().map(|(rule, _)| rule.settings.lateness);
        if others.min() < Some(lateness) && !self.nature.late {
            return;
        }
        let forgotten = lateness + oracle::spans(&rule).reach + 2;
        let midnight = (self.world.clock.div_euclid(DAY) + 1) * DAY;
        self.world.clock = midnight + 1_000;
        self.catch_up();
        for part in [0, 300, 600] {
            self.produce_at(&clear, midnight + part);
        }
        self.catch_up();
        self.world.clock += forgotten * 1000;
        self.catch_up();
        self.fold_all();
        if self.rng.one_in(3) {
            (0..self.world.logs.len()).for_each(|partition| self.lose_disk(partition));
        }
        for _ in 0..3 {
            let time = self.world.clock - self.rng.below(1_000) as i64;
            self.produce_at(&other, time);
        }
        self.catch_up();
        self.covered.insert("long after a clear".to_owned());
    }

    /// A rule with a clear pattern that names incidents when its pane is forgotten, and two records
    /// of one of its keys: one that only clears, and one that does not only that.
    fn clear_and_other(&mut self) -> Option<(Arc<LoadedRule>, Record, Record)> {
        let plan = self.plans[self.plans.len() - 1].clone();
        let matches = self.world.all_matches(&plan);
        let mut pairs = Vec::new();
        for (rule, .., clearing, found) in &matches {
            let only_clears = |found: &Match| {
                let mut patterns = found.patterns.iter();
                patterns.all(|part| Some(part.pattern as usize) == rule.rule.clear)
            };
            let forgotten = rule.settings.lateness + oracle::spans(rule).reach;
            if only_clears(found) && forgotten + 10 < rule.rule.quiet {
                let same = matches.iter().filter(|(of, .., other)| {
                    of.fingerprint == rule.fingerprint
                        && other.key == found.key
                        && !only_clears(other)
                });
                pairs.extend(same.map(|(.., other, _)| (rule, clearing.hash, other.hash)));
            }
        }
        if pairs.is_empty() {
            return None;
        }
        let (rule, clearing, other) = *self.rng.choose(&pairs);
        let record = |hash: Hash| {
            let mut records = self.records.iter();
            records.find(|record| Hash::of(record.text.as_bytes()) == hash)
        };
        Some((
            rule.clone(),
            record(clearing)?.clone(),
            record(other)?.clone(),
        ))
    }

    fn produce_at(&mut self, alike: &Record, time: i64) {
        let record = alike.at(time);
        let partition = self.rng.index(self.world.sources.len());
        self.world
            .produce(partition, record.text.clone().into_bytes());
        self.records.push(record);
    }

    /// All that is in the logs is folded and committed.
    fn fold_all(&mut self) {
        for worker in &mut self.correlate {
            for partition in worker.assigned() {
                while !worker.is_done(&self.world, partition) {
                    let (messages, forget) = (1 + self.commits.index(4), self.commits.one_in(2));
                    worker.read(&self.world, partition, messages);
                    worker.go_on_committing(&mut self.world, partition, forget);
                }
            }
        }
    }

    fn correlate_crash(&mut self) {
        let worker = self.rng.index(self.correlate.len());
        self.correlate[worker].restart(&self.world);
    }

    fn change_rules(&mut self) {
        if !self.nature.rules_change {
            return;
        }
        self.covered.insert("rules change".to_owned());
        self.rules = match self.rng.one_in(3) {
            true => rules::rules(&mut self.rng, self.nature.late),
            false => rules::changed(&mut self.rng, &self.rules, self.nature.late),
        };
        if self.rng.one_in(3) {
            self.world.lists = rules::lists(&mut self.rng);
        }
        let plan = self.world.plan(&rules::text(&self.rules));
        self.plans.push(plan);
    }

    /// All workers are stopped, and a version is started to which rules mean something else.
    fn begin_anew(&mut self) {
        self.world.meaning = MEANING;
        let plan = self.world.plan(&rules::text(&self.rules));
        self.plans.push(plan.clone());
        for worker in &mut self.detect {
            worker.restart(&self.world, plan.clone());
        }
        for worker in &mut self.correlate {
            worker.restart(&self.world);
        }
    }

    /// The plan with which a worker starts again: now and then a newer one, and workers with the
    /// old one stand beside it.
    fn some_plan(&mut self, now: Arc<Plan>) -> Arc<Plan> {
        if self.rng.one_in(2) {
            self.plans[self.plans.len() - 1].clone()
        } else {
            now
        }
    }

    /// Everything is read, and the clock goes far beyond it.
    fn drain(&mut self) {
        for turn in 0..4 {
            for worker in &mut self.detect {
                let plan = &self.plans[self.plans.len() - 1];
                let plan = self.world.with_epochs(plan);
                if !self.nature.rules_change && !self.nature.anew || turn == 0 {
                    worker.restart(&self.world, plan);
                }
            }
            self.catch_up();
            self.world.clock += DAY;
        }
        self.fold_all();
    }

    fn check(&mut self) {
        for (kind, holds) in [
            ("slices", self.correlate.iter().any(|w| w.slices > 0)),
            ("cursors", self.correlate.iter().any(|w| w.cursors > 0)),
        ] {
            if holds {
                self.covered.insert(kind.to_owned());
            }
        }
        self.check_sources();
        let mut late = 0;
        for partition in 0..self.world.logs.len() {
            let log = self.world.log(partition);
            self.covered.extend(several(&log));
            let (expected, late_here) = oracle::publications(&log, &self.world.catalogue);
            let said = &self.world.incidents[partition];
            same(said, &expected, "publications", &self.plans);
            late += late_here;
        }
        let all: Vec<&Incident> = self.world.incidents.iter().flatten().collect();
        let different: BTreeSet<(Hash, i64)> = all
            .iter()
            .map(|incident| (incident.incident_id, incident.revision))
            .collect();
        assert_eq!(different.len(), all.len(), "a revision was published twice");
        for incident in all {
            let rules = self.plans.iter().flat_map(|plan| &plan.rules);
            let rule = rules
                .map(|(rule, _)| rule)
                .find(|rule| rule.fingerprint == incident.rule_fingerprint)
                .expect("the rule of an incident");
            self.covered.extend(kinds(incident, rule));
            self.covered.extend(cut(incident, rule));
        }
        if !self.nature.rules_change && !self.nature.anew && late == 0 {
            self.covered.insert("all on time".to_owned());
            let plan = &self.plans[0];
            let expected = oracle::final_incidents(self.world.all_matches(plan));
            let standing = self.world.standing();
            // The ids of others took room that evidence would have had.
            let squeezed = |id: Hash| {
                let mut standing = standing.iter().filter(|one| one.incident_id == id);
                standing.any(|one| one.truncated && !one.replaces.is_empty())
            };
            let set = |incidents: &[Incident]| -> Vec<Incident> {
                let mut set: Vec<Incident> = incidents.iter().map(oracle::set_fields).collect();
                for incident in set.iter_mut().filter(|one| squeezed(one.incident_id)) {
                    incident.evidence.clear();
                    incident.truncated = true;
                }
                set
            };
            let standing = set(&standing);
            same(&standing, &set(&expected), "live and set", &self.plans);
            let replayed = set(&self.world.replay(plan));
            same(&replayed, &set(&expected), "replay and set", &self.plans);
        }
    }
}

/// What of events in which attributes have several values there is an example of.
fn several(log: &[LogMessage]) -> BTreeSet<String> {
    let sections = log.iter().flat_map(|log| &log.message.sections);
    let records = sections.flat_map(|section| &section.records);
    let mut found = BTreeSet::new();
    for record in records {
        let keys = |one: &Match| record.matches.iter().filter(|m| m.rule == one.rule).count();
        for one in &record.matches {
            let groups = |part: &PatternMatch| {
                let mut parts = one.patterns.iter();
                parts.any(|other| other.pattern == part.pattern && other.group != part.group)
            };
            let inputs = one.patterns.iter().flat_map(|part| &part.inputs);
            let mut inputs = inputs.filter(|input| matches!(input, Input::Several(_)));
            let mut parts = one.patterns.iter();
            for (kind, holds) in [
                ("several keys", keys(one) > 1),
                ("several groups", one.patterns.iter().any(groups)),
                ("several inputs", inputs.next().is_some()),
                (
                    "several combinations",
                    parts.any(|p| p.combinations.len() > 1),
                ),
            ] {
                if holds {
                    found.insert(kind.to_owned());
                }
            }
        }
    }
    found
}

/// What is first said by one and not by the other, with the rule it is of.
fn same(ours: &[Incident], expected: &[Incident], what: &str, plans: &[Arc<Plan>]) {
    let rules = plans.iter().flat_map(|plan| &plan.rules);
    let text = |incident: Option<&Incident>| {
        let fingerprint = incident.map(|incident| incident.rule_fingerprint);
        let mut rules = rules.clone().map(|(rule, _)| rule);
        let rule = rules.find(|rule| Some(rule.fingerprint) == fingerprint);
        rule.map(|rule| rule.rule.text.clone()).unwrap_or_default()
    };
    for place in 0..ours.len().max(expected.len()) {
        let (one, other) = (ours.get(place), expected.get(place));
        assert!(
            one == other,
            "{what}: number {place} differs.\nengine: {one:#?}\noracle: {other:#?}\n{}\n{}",
            text(one),
            text(other)
        );
    }
}
