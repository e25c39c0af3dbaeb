//! Days and weeks of simulated time: what must survive them, and what must not grow.

use std::collections::BTreeMap;

#[cfg(feature = "canary")]
use watchfire::canary::{self, Canary};
use watchfire::fold::state::Counts;
use watchfire::incident::{CloseReason, Incident, Status};
use watchfire::time::rfc3339;

use crate::oracle;
use crate::sim::events::EARLIEST;
use crate::world::{CorrelateWorker, DetectWorker, World};

/// 2026-03-02T00:00:00Z.
const BEGIN: i64 = 1_772_409_600_000;

const MINUTE: i64 = 60_000;

const DAY: i64 = 86_400_000;

/// One worker that reads all there is at every turn, in a world with two source partitions.
struct Life {
    world: World,
    detect: DetectWorker,
    correlate: CorrelateWorker,
}

impl Life {
    fn new(rules: &str, matches_partitions: usize) -> Life {
        let mut world = World::new(BEGIN, 2, matches_partitions);
        let plan = world.plan(rules);
        let mut detect = DetectWorker::new(&world, plan);
        let mut correlate = CorrelateWorker::default();
        for partition in [0, 1] {
            detect.assign(&world, partition);
        }
        for partition in 0..matches_partitions {
            correlate.assign(&world, partition);
        }
        Life {
            world,
            detect,
            correlate,
        }
    }

    fn produce(&mut self, partition: usize, time: i64, operation: &str, user: &str) {
        let record = format!(
            r#"{{"time":"{}","operationName":"MICROSOFT.TEST/{operation}","callerIpAddress":
            "203.0.113.7","identity":{{"claims":{{"upn":"{user}@contoso.com"}}}}}}"#,
            rfc3339(time)
        );
        self.world.produce(partition, record.into_bytes());
    }

    /// Everything is read into the matches log; the clock is said.
    fn detect(&mut self) {
        for partition in [0, 1] {
            while self.detect.read(&self.world, partition) {}
        }
        self.detect.mark(&self.world);
        self.detect.commit(&mut self.world, true);
    }

    /// Everything is read and committed; the clock is said.
    fn turn(&mut self) {
        self.detect();
        for partition in self.correlate.assigned() {
            self.correlate.read(&self.world, partition, usize::MAX);
            self.correlate.commit_kafka(&mut self.world, partition);
            self.correlate.commit_disk(partition, true);
        }
    }

    /// The second stage loses its disks; the matches logs lose all that they may.
    fn lose_disks(&mut self) {
        self.world.retain(std::slice::from_ref(&self.correlate));
        for partition in self.correlate.assigned() {
            self.correlate.revoke(partition);
            self.correlate.lose_disk(partition);
            self.correlate.assign(&self.world, partition);
        }
    }

    fn bytes(&self) -> usize {
        let partitions = self.correlate.assigned();
        partitions.iter().map(|p| self.correlate.bytes(*p)).sum()
    }

    fn counts(&self) -> Vec<Counts> {
        let partitions = self.correlate.assigned();
        let counts = partitions.iter().map(|p| self.correlate.counts(*p));
        counts.collect()
    }

    fn incidents(&self) -> Vec<Incident> {
        self.world.incidents.iter().flatten().cloned().collect()
    }

    /// Nothing is said but what the definitions say.
    fn check(&self) {
        for partition in 0..self.world.logs.len() {
            let log = self.world.log(partition);
            let (expected, _) = oracle::publications(&log, &self.world.catalogue);
            assert!(self.world.incidents[partition] == expected);
        }
    }
}

const ATTEMPTS: &str = "
id: Rule_Attempts
name: Rule_Attempts
severity: 7
window: 10m
patterns:
  - name: Filter
    where: eventType = \"MS_EvtHub_test_attempt\"
    group_by: [user]
    having: COUNT(*) >= 2
clear: { quiet: 30m }
";

/// An incident of 20 hours, of which the state is lost when the workers were away for two days.
#[test]
fn a_long_incident_survives_the_loss_of_its_state() {
    let mut life = Life::new(ATTEMPTS, 1);
    // Two days of others, which no state needs in the end.
    for hour in 0..48 {
        life.world.clock = BEGIN + hour * 60 * MINUTE;
        for at in [0, MINUTE] {
            let time = life.world.clock - at;
            life.produce(1, time, "ATTEMPT", "bob");
        }
        life.turn();
    }
    let first = BEGIN + 2 * DAY + 60 * MINUTE;
    let (before, all) = (19 * 12, 20 * 12);
    for number in 0..before {
        life.world.clock = first + number * 5 * MINUTE;
        let time = life.world.clock - 1_000;
        life.produce((number % 2) as usize, time, "ATTEMPT", "mallory");
        life.turn();
        life.turn();
    }
    let of_mallory = |life: &Life| -> Vec<Incident> {
        let said = life.incidents().into_iter();
        said.filter(|incident| incident.first_seen >= first)
            .collect()
    };
    let opened = of_mallory(&life)[0].clone();
    assert_eq!(opened.status, Status::Open);
    let length = life.world.logs[0].len();
    // Azure goes on while the workers are away.
    for number in before..all {
        life.world.clock = first + number * 5 * MINUTE;
        let time = life.world.clock - 1_000;
        life.produce((number % 2) as usize, time, "ATTEMPT", "mallory");
    }
    life.world.clock += 2 * DAY;
    life.lose_disks();
    let recovery = life.world.recovery(0);
    assert!(recovery > 0 && (recovery as usize) < length - 2 * before as usize);
    for _ in 0..4 {
        life.turn();
        life.world.clock += 60 * MINUTE;
    }
    let said = of_mallory(&life);
    let closed = said.last().expect("an incident");
    assert_eq!(closed.status, Status::Closed);
    assert!(said.iter().all(|incident| {
        (incident.incident_id, incident.first_seen) == (opened.incident_id, opened.first_seen)
    }));
    assert_eq!(closed.last_seen, first + (all - 1) * 5 * MINUTE - 1_000);
    assert_eq!(closed.event_count, all as u64);
    assert_eq!(closed.trigger_count, (all as u64 - 1).div_ceil(2));
    let times: Vec<i64> = closed.evidence.iter().map(|e| e.time).collect();
    let expected: Vec<i64> = (0..3).map(|n| first + n * 5 * MINUTE - 1_000).collect();
    assert_eq!(times, expected);
    life.check();
}

/// One record of 1971 is counted and told of as late, and changes nothing else.
#[test]
fn a_record_of_1971_is_told_of_apart() {
    let run = |user: &str, operation: &str| {
        let rules = ATTEMPTS.replace(">= 2", ">= 1");
        let mut life = Life::new(&rules, 1);
        for number in 0..60 {
            life.world.clock = BEGIN + 60 * MINUTE + number * 7 * MINUTE;
            let time = life.world.clock - 1_000;
            life.produce(0, time, "ATTEMPT", ["alice", "bob"][(number % 2) as usize]);
            if number == 30 {
                life.produce(1, EARLIEST + 7_000, operation, user);
            }
            life.turn();
        }
        life.world.clock += DAY;
        life.turn();
        life.turn();
        life.check();
        life
    };
    let without = run("alice", "OTHER");
    assert_eq!(without.counts()[0].late, 0);
    for user in ["alice", "mallory"] {
        let with = run(user, "ATTEMPT");
        assert_eq!(with.counts()[0].late, 1);
        let (late, others): (Vec<Incident>, Vec<Incident>) = with
            .incidents()
            .into_iter()
            .partition(|incident| incident.late);
        assert!(others == without.incidents());
        let statuses: Vec<Status> = late.iter().map(|incident| incident.status).collect();
        assert_eq!(statuses, [Status::Open, Status::Closed]);
        let first = EARLIEST + 7_000;
        assert_eq!((late[0].first_seen, late[0].event_count), (first, 1));
        assert_eq!(late[0].evidence[0].partition, 1);
    }
}

const PAIRS: &str = "
id: Rule_Pairs
name: Rule_Pairs
severity: 7
window: 20s
patterns:
  - name: Filter
    where: eventType = \"MS_EvtHub_test_attempt\"
    group_by: [user]
    having: COUNT(*) >= 2
clear: { quiet: 5s }
";

/// A late match that two incidents hold belongs to both.
#[test]
fn two_late_incidents_hold_one_match() {
    let mut life = Life::new(PAIRS, 1);
    let at = |seconds: i64| BEGIN + 60 * MINUTE + seconds * 1_000;
    for on_time in [14, 7_210] {
        life.world.clock = at(on_time) + 500;
        life.produce(0, at(on_time), "ATTEMPT", "alice");
        life.turn();
    }
    life.turn();
    for late in [-10, 2] {
        life.produce(0, at(late), "ATTEMPT", "alice");
    }
    life.turn();
    life.check();
    let late = life.incidents().into_iter().filter(|said| said.late);
    let opened = late.filter(|said| said.status == Status::Open);
    let firsts: Vec<i64> = opened.map(|said| said.first_seen).collect();
    assert_eq!(firsts, [at(2), at(14)]);
}

/// What an exception of an older text takes back, with an earlier beginning than was said, is asked
/// for again by the text that is in use then.
#[test]
fn what_an_older_exception_takes_back_is_asked_for_again() {
    let now = ATTEMPTS.replace(">= 2", ">= 1");
    let old = format!("{now}exceptions:\n  - {{ where: 'event_count > 1' }}\n");
    let mut life = Life::new(&old, 1);
    let at = |minutes: i64| BEGIN + (60 + minutes) * MINUTE;
    life.world.clock = at(10) + 500;
    life.produce(0, at(10), "ATTEMPT", "alice");
    life.turn();
    let plan = life.world.plan(&now);
    life.detect.restart(&life.world, plan);
    for (time, clock) in [(5, 12), (75, 75)] {
        life.world.clock = at(clock) + 1_000;
        life.produce(0, at(time), "ATTEMPT", "alice");
        life.turn();
    }
    life.check();
    let of_first = |said: &Incident| said.last_seen == at(10);
    let said = life.incidents().into_iter().filter(of_first);
    let said: Vec<Status> = said.map(|said| said.status).collect();
    assert_eq!(said[..3], [Status::Open, Status::Retracted, Status::Open]);
}

/// A rule that is back before the store has heard of its end starts empty all the same.
fn a_rule_is_back_before_its_end_is_stored() {
    let rules = ATTEMPTS.replace(">= 2", ">= 1");
    let mut life = Life::new(&rules, 1);
    let attempt = |life: &mut Life| {
        let time = life.world.clock - 1_000;
        life.produce(0, time, "ATTEMPT", "alice");
    };
    life.world.clock += 60 * MINUTE;
    attempt(&mut life);
    life.turn();
    let without = life.world.plan(OFF);
    life.detect.restart(&life.world, without);
    let is_removed = |said: &Incident| said.close_reason == Some(CloseReason::RuleRemoved);
    for turn in 0.. {
        assert!(turn < 10, "the rule does not go");
        life.world.clock += 7 * MINUTE;
        life.detect();
        life.correlate.read(&life.world, 0, usize::MAX);
        life.correlate.commit_kafka(&mut life.world, 0);
        if life.incidents().iter().any(is_removed) {
            break;
        }
        life.correlate.commit_disk(0, true);
    }
    let again = life.world.plan(&rules);
    life.detect.restart(&life.world, again);
    attempt(&mut life);
    life.detect();
    life.correlate.read(&life.world, 0, usize::MAX);
    life.correlate.commit_disk(0, true);
    life.turn();
    life.check();
}

#[test]
fn a_rule_that_is_back_before_its_end_is_stored_starts_empty() {
    a_rule_is_back_before_its_end_is_stored();
}

#[cfg(feature = "canary")]
#[test]
fn an_emptied_key_that_is_forgotten_too_early_is_noticed() {
    canary::set(Some(Canary::EmptiedForgotten));
    let held = std::panic::catch_unwind(a_rule_is_back_before_its_end_is_stored);
    canary::set(None);
    assert!(held.is_err());
}

const OFF: &str = "
id: Rule_Off
name: A machine is off
severity: 4
window: 60s
patterns:
  - { name: Off, where: 'eventType = \"MS_EvtHub_test_off\"', group_by: [user] }
  - { name: On, where: 'eventType = \"MS_EvtHub_test_on\"', group_by: [user] }
relations: [Off.user = On.user]
clear: { when: On, quiet: 12h }
";

/// A clear pane of the morning names an incident of noon, though nothing else of its key is
/// remembered by then; and the key goes with the span of `quiet` that they lie in.
#[test]
fn a_clear_pane_names_incidents_to_the_end_of_its_span() {
    let mut life = Life::new(OFF, 1);
    let at = |minutes: i64| BEGIN + 60 * MINUTE * 8 + minutes * MINUTE;
    life.produce(0, at(0), "ON", "vm1");
    life.produce(1, at(0), "ON", "vm2");
    for minutes in (1..180).step_by(7) {
        life.world.clock = at(minutes);
        life.turn();
    }
    life.world.clock = at(180);
    life.produce(0, at(180), "OFF", "vm1");
    // A span ends at 12:00, lateness is 2 h: at 14:00 nothing names an incident of the morning.
    let mut rows = Vec::new();
    for minutes in [180, 359, 360] {
        life.world.clock = at(minutes);
        life.turn();
        rows.push(life.correlate.rows(0));
    }
    assert_eq!(rows[2], rows[1] - 2, "the key and its timer: {rows:?}");
    assert_eq!(life.incidents().len(), 1);
    life.world.clock += DAY;
    life.turn();
    life.turn();
    assert_eq!(life.correlate.rows(0), 1, "only the meta row is left");
    life.check();
    let plan = life.world.catalogue.plan(life.world.log(0)[0].message.plan);
    let plan = plan.expect("the plan in use").clone();
    let ids = |incidents: &[Incident]| -> Vec<_> {
        incidents
            .iter()
            .map(|incident| incident.incident_id)
            .collect()
    };
    assert_eq!(ids(&life.world.standing()), ids(&life.world.replay(&plan)));
}

const STEADY: &str = "
id: Rule_Steady_Count
name: Rule_Steady_Count
severity: 7
window: 10m
patterns:
  - { name: Filter, where: 'eventType = \"MS_EvtHub_test_a\"', group_by: [user] }
---
id: Rule_Steady_Sequence
name: Rule_Steady_Sequence
severity: 7
window: 10m
patterns:
  - { name: A, where: 'eventType = \"MS_EvtHub_test_a\"', group_by: [user] }
  - { name: B, where: 'eventType = \"MS_EvtHub_test_b\"', group_by: [user] }
  - { name: Z, where: 'eventType = \"MS_EvtHub_test_z\"', group_by: [user] }
condition: A NOT_FOLLOWED_BY B
relations: [A.user = B.user, B.user = Z.user]
clear: { when: Z, quiet: 20m }
---
id: Rule_Steady_New
name: Rule_Steady_New
severity: 7
window: 10m
patterns:
  - { name: Filter, where: 'eventType = \"MS_EvtHub_test_b\"', new: '[user] over 5h' }
";

/// A month of the same traffic, with names that come and go: the state stays as large as it was.
#[test]
fn the_state_does_not_grow() {
    let mut life = Life::new(STEADY, 2);
    let mut days: BTreeMap<i64, usize> = BTreeMap::new();
    for turn in 0..30 * 48 {
        life.world.clock = BEGIN + turn * 30 * MINUTE;
        let (day, time) = (turn / 48, life.world.clock);
        let passing = format!("guest{day:02}{:02}", turn % 48 / 4);
        for (number, user) in ["alice", "bob", &passing].into_iter().enumerate() {
            let operation = ["A", "B", "Z"][(turn as usize % 48 * 7 / 3 + number) % 3];
            life.produce(number % 2, time - 1_000 * number as i64, operation, user);
            life.produce(number % 2, time - 90_000, "A", user);
        }
        life.turn();
        let most = days.entry(day).or_default();
        *most = (*most).max(life.bytes());
    }
    let settled = days[&2];
    for (day, most) in days.range(2..) {
        let grown = *most as f64 / settled as f64;
        assert!((0.95..1.05).contains(&grown), "day {day}: {days:?}");
    }
    assert!((0..life.world.logs.len()).all(|p| life.world.recovery(p) > 28 * 48));
}
