//! The simulation: a seeded world in which everything goes wrong, against the oracle.
//!
//! `WATCHFIRE_SIM_SEEDS=n` sets how many seeds are run, `WATCHFIRE_SIM_SEED=s` runs one alone.

use std::collections::BTreeSet;
use std::sync::Arc;

use watchfire::incident::Incident;
use watchfire::plan::Plan;

use crate::oracle;
use crate::rng::Rng;
use crate::world::{CorrelateWorker, DetectWorker, World};

/// Close before a UTC midnight, so that days end in most runs.
const START: i64 = 1_767_225_600_000 - 3_600_000;

/// Where an event says who acted.
const UPN: &str = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn";

#[test]
fn engine_equals_oracle() {
    match std::env::var("WATCHFIRE_SIM_SEED") {
        Ok(seed) => {
            run(seed.parse().expect("a number"));
        }
        Err(_) => {
            let mut covered = BTreeSet::new();
            let seeds = std::env::var("WATCHFIRE_SIM_SEEDS").map_or(300, |n| n.parse().expect("n"));
            for seed in 0..seeds {
                match std::panic::catch_unwind(|| run(seed)) {
                    Ok(publications) => covered.extend(publications.iter().map(kind)),
                    Err(panic) => {
                        eprintln!("the simulation fails with WATCHFIRE_SIM_SEED={seed}");
                        std::panic::resume_unwind(panic);
                    }
                }
            }
            assert!(
                covered.len() >= 10,
                "the seeds do not cover all that can be said: {covered:?}"
            );
        }
    }
}

/// What a publication is an example of.
fn kind(incident: &Incident) -> String {
    let Incident {
        status,
        close_reason,
        replaced_by,
        replaces,
        ..
    } = incident;
    format!(
        "{status:?} {close_reason:?} {} {}",
        replaced_by.is_some(),
        !replaces.is_empty()
    )
}

/// What may happen in a run.
struct Nature {
    rules_change: bool,
    /// Messages are written without their offsets being committed, and by workers that no longer
    /// own their partitions.
    resends: bool,
    events_max: usize,
}

struct Sim {
    rng: Rng,
    world: World,
    plans: Vec<Arc<Plan>>,
    detect: Vec<DetectWorker>,
    correlate: Vec<CorrelateWorker>,
    nature: Nature,
    produced: usize,
}

fn run(seed: u64) -> Vec<Incident> {
    let mut rng = Rng::new(seed);
    let nature = Nature {
        rules_change: rng.one_in(3),
        resends: rng.one_in(2),
        events_max: 20 + rng.below(120) as usize,
    };
    let world = World::new(START, 1 + rng.below(4) as usize, 1 + rng.below(4) as usize);
    let mut sim = Sim {
        rng,
        world,
        plans: Vec::new(),
        detect: Vec::new(),
        correlate: Vec::new(),
        nature,
        produced: 0,
    };
    sim.begin();
    while sim.produced < sim.nature.events_max {
        sim.step();
    }
    sim.drain();
    sim.check();
    sim.world.incidents.into_iter().flatten().collect()
}

impl Sim {
    fn begin(&mut self) {
        let rules = rules(&mut self.rng);
        let plan = self.world.plan(&rules);
        self.plans.push(plan.clone());
        let workers = 1 + self.rng.below(3) as usize;
        for _ in 0..workers {
            self.detect
                .push(DetectWorker::new(&self.world, plan.clone()));
            self.correlate.push(CorrelateWorker::default());
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
        match self.rng.below(100) {
            0..30 => self.produce(),
            30..48 => self.detect_read(),
            48..60 => self.detect_commit(),
            60..64 => self.detect_mark(),
            64..67 => self.detect_move(),
            67..80 => self.correlate_read(),
            80..92 => self.correlate_commit(),
            92..95 => self.correlate_move(),
            95..97 => self.correlate_crash(),
            97 => self.change_rules(),
            _ => self.world.clock += self.rng.below(600_000) as i64,
        }
        self.world.clock += self.rng.below(4_000) as i64;
    }

    fn produce(&mut self) {
        let partition = self.rng.index(self.world.sources.len());
        let records = 1 + self.rng.below(3);
        let records: Vec<String> = (0..records)
            .map(|_| event(&mut self.rng, self.world.clock))
            .collect();
        self.produced += records.len();
        let payload = format!("{{\"records\":[{}]}}", records.join(","));
        self.world.produce(partition, payload.into_bytes());
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
        if restart && self.rng.one_in(2) {
            // The crash comes before anything is written.
        } else {
            let offsets = !(restart && self.nature.resends);
            self.detect[worker].commit(&mut self.world, offsets);
        }
        if restart {
            let plan = self.some_plan(self.detect[worker].plan.clone());
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

    fn correlate_read(&mut self) {
        let partition = self.rng.index(self.world.logs.len());
        for worker in &mut self.correlate {
            for _ in 0..1 + self.rng.below(4) {
                worker.read(&self.world, partition);
            }
        }
    }

    fn correlate_commit(&mut self) {
        let worker = self.rng.index(self.correlate.len());
        let assigned = self.correlate[worker].assigned();
        for partition in &assigned {
            self.correlate[worker].commit_kafka(&mut self.world, *partition);
        }
        if self.rng.one_in(6) {
            // The crash comes between the two halves.
            self.correlate[worker].restart(&self.world);
            return;
        }
        let forget = self.rng.one_in(2);
        for partition in assigned {
            self.correlate[worker].commit_disk(partition, forget);
        }
    }

    fn correlate_move(&mut self) {
        let partition = self.rng.index(self.world.logs.len());
        for worker in &mut self.correlate {
            if worker.assigned().contains(&partition) {
                worker.revoke(partition);
                if self.rng.one_in(4) {
                    worker.lose_disk(partition);
                }
            }
        }
        let heir = self.rng.index(self.correlate.len());
        self.correlate[heir].assign(&self.world, partition);
    }

    fn correlate_crash(&mut self) {
        let worker = self.rng.index(self.correlate.len());
        self.correlate[worker].restart(&self.world);
    }

    fn change_rules(&mut self) {
        if self.nature.rules_change {
            let rules = rules(&mut self.rng);
            let plan = self.world.plan(&rules);
            self.plans.push(plan);
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
            for worker in 0..self.detect.len() {
                let plan = self.plans[self.plans.len() - 1].clone();
                if !self.nature.rules_change || turn == 0 {
                    self.detect[worker].restart(&self.world, plan);
                }
                for partition in self.detect[worker].assigned() {
                    while self.detect[worker].read(&self.world, partition) {}
                }
                self.detect[worker].mark(&self.world);
                self.detect[worker].commit(&mut self.world, true);
            }
            self.world.clock += 86_400_000;
        }
        for worker in 0..self.correlate.len() {
            for partition in self.correlate[worker].assigned() {
                while self.correlate[worker].read(&self.world, partition) {}
                self.correlate[worker].commit_kafka(&mut self.world, partition);
                self.correlate[worker].commit_disk(partition, true);
            }
        }
    }

    fn check(&self) {
        for partition in 0..self.world.logs.len() {
            let expected = oracle::publications(&self.world.log(partition), &self.world.catalogue);
            same(&self.world.incidents[partition], &expected, "publications");
        }
        let mut said: Vec<_> = self
            .world
            .incidents
            .iter()
            .flatten()
            .map(|incident| (incident.incident_id, incident.revision))
            .collect();
        let all = said.len();
        said.sort();
        said.dedup();
        assert_eq!(said.len(), all, "a revision was published twice");
        if !self.nature.rules_change {
            let plan = &self.plans[0];
            let expected = oracle::final_incidents(self.world.all_matches(plan));
            let set = |incidents: &[Incident]| -> Vec<Incident> {
                incidents.iter().map(oracle::set_fields).collect()
            };
            same(
                &set(&self.world.standing()),
                &set(&expected),
                "live and set",
            );
            same(
                &set(&self.world.replay(plan)),
                &set(&expected),
                "replay and set",
            );
        }
    }
}

fn same(ours: &[Incident], expected: &[Incident], what: &str) {
    for (place, (one, other)) in ours.iter().zip(expected).enumerate() {
        assert_eq!(one, other, "{what}: number {place} differs");
    }
    assert_eq!(
        ours.len(),
        expected.len(),
        "{what}: more of one than of the other"
    );
}

/// A record as Azure sends it, at about the time of the clock.
fn event(rng: &mut Rng, clock: i64) -> String {
    let time = match rng.below(40) {
        0 => clock + 3_000_000_000_000,
        1 => clock - 30_000_000,
        2..10 => clock - rng.below(900_000) as i64,
        _ => clock - rng.below(20_000) as i64,
    };
    let user = match rng.below(8) {
        0 => String::new(),
        n => format!(
            "\"identity\":{{\"claims\":{{\"{UPN}\":\"User{}@contoso.com\"}}}},",
            n % 4
        ),
    };
    let number = match rng.below(6) {
        0 => String::new(),
        n => format!("\"number\":{},", n as i64 - 2),
    };
    format!(
        "{{\"time\":\"{}\",\"operationName\":\"MICROSOFT.TEST/THINGS/{}\",{user}\
         \"callerIpAddress\":\"10.0.0.{}\",\"correlationId\":\"c{}\",\
         \"properties\":{{{number}\"x\":{}}}}}",
        watchfire::time::rfc3339(time),
        ["READ", "WRITE", "DELETE"][rng.index(3)],
        rng.below(3),
        rng.below(50),
        rng.below(1_000_000),
    )
}

/// A rule set of one to three rules.
fn rules(rng: &mut Rng) -> String {
    let count = 1 + rng.below(3);
    let documents: Vec<String> = (0..count).map(|number| rule(rng, number)).collect();
    documents.join("---\n")
}

fn rule(rng: &mut Rng, number: u64) -> String {
    let havings = [
        "COUNT(*) >= 1",
        "COUNT(*) >= 3",
        "COUNT(record.properties.number) > 1",
        "COUNT(DISTINCT srcIpAddr) >= 2",
        "SUM(record.properties.number) >= 4",
        "MAX(record.properties.number) >= 3",
        "MIN(record.properties.number) < 0",
        "MIN(record.properties.number) >= 0",
        "AVG(record.properties.number) > 1",
        "COUNT(*) <= 2",
        "COUNT(*) >= 2 AND AVG(record.properties.number) < 2",
        "SUM(record.properties.number) / COUNT(*) > 1 OR COUNT(*) >= 5",
    ];
    let wheres = [
        "eventType = \"MS_EvtHub_test_things_write\"",
        "eventType IN (\"MS_EvtHub_test_things_write\", \"MS_EvtHub_test_things_delete\")",
        "srcIpAddr != \"10.0.0.1\"",
        "user IS NOT NULL",
    ];
    let group_bys = ["user", "user, srcIpAddr", "srcIpAddr", ""];
    let window = *rng.choose(&[1, 5, 60, 300, 1_800]);
    let having = *rng.choose(&havings);
    let group_by = *rng.choose(&group_bys);
    let mut text = format!(
        "id: PH_Rule_SIM_{number}\nname: Rule {number}\nseverity: {}\ncategory: Security\n\
         window: {window}s\npatterns:\n  - name: Filter\n    where: '{}'\n    \
         group_by: [{group_by}]\n    having: {having}\n",
        1 + rng.below(10),
        rng.choose(&wheres),
    );
    if rng.one_in(2) {
        text += &format!(
            "clear: {{ quiet: {}s }}\n",
            rng.choose(&[1, 10, 300, 4_000])
        );
    }
    if rng.one_in(3) {
        text += &format!("patience: {}s\n", rng.choose(&[0, 60, 1_800]));
    }
    if group_by.contains("user") && rng.one_in(3) {
        text += "exceptions:\n  - { where: 'user = \"user2@contoso.com\"'";
        if rng.one_in(2) {
            text += &format!(", from: {}", watchfire::time::rfc3339(START + 60_000));
        }
        text += " }\n";
    }
    if rng.one_in(2) && !group_by.is_empty() {
        let first = group_by.split(',').next().unwrap_or_default();
        text += &format!(
            "incident:\n  title: \"{number} by ${first}\"\n  \
             attributes: {{ {first}: Filter.{first}, hits: \"Filter.COUNT(*)\" }}\n"
        );
    }
    text
}
