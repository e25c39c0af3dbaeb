//! Golden cases: tests/golden/<case>/{rules.yaml, events.ndjson, incidents.ndjson}.
//!
//! Each case is run in many ways through both stages, and as a backtest, and must always leave
//! the same incidents, which are those of the oracle. Fields that depend on the way are left out
//! of incidents.ndjson. `WATCHFIRE_GOLDEN=write` writes what the oracle says, to be read before
//! it is committed.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use watchfire::encode::Encoding;
use watchfire::incident::Incident;

use crate::oracle;
use crate::rng::Rng;
use crate::world::{CorrelateWorker, DetectWorker, World};

/// After all events of the cases.
const CLOCK: i64 = 1_772_500_000_000;

/// One way of running a case.
#[derive(Clone, Copy, Debug)]
struct Way {
    source_partitions: usize,
    matches_partitions: usize,
    /// Seed of the order of events; `None`: as they stand.
    shuffle: Option<u64>,
    /// Messages between two commits.
    batch: usize,
    /// Workers begin anew after each commit.
    crash: bool,
    /// All that is read is sent twice.
    resend: bool,
}

#[test]
fn every_case_in_every_way() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut cases: Vec<PathBuf> = fs::read_dir(folder)
        .expect("golden folder")
        .map(|e| e.expect("entry").path())
        .collect();
    cases.sort();
    assert!(!cases.is_empty());
    for case in cases {
        check(&case);
    }
}

fn check(case: &Path) {
    let read = |name: &str| fs::read_to_string(case.join(name)).unwrap_or_default();
    let (rules, events) = (read("rules.yaml"), read("events.ndjson"));
    let events: Vec<&str> = events
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let usual = Way {
        source_partitions: 1,
        matches_partitions: 1,
        shuffle: None,
        batch: usize::MAX,
        crash: false,
        resend: false,
    };
    let mut ways = vec![
        usual,
        Way {
            resend: true,
            ..usual
        },
        Way {
            matches_partitions: 3,
            batch: 1,
            resend: true,
            ..usual
        },
        Way { batch: 1, ..usual },
        Way {
            source_partitions: 3,
            matches_partitions: 3,
            batch: 1,
            crash: true,
            ..usual
        },
    ];
    for seed in 0..8 {
        let shuffle = Some(seed);
        ways.push(Way {
            shuffle,
            batch: 2,
            crash: true,
            ..usual
        });
        ways.push(Way {
            shuffle,
            source_partitions: 3,
            matches_partitions: 3,
            ..usual
        });
    }
    let by_definition = lines(&defined(&rules, &events));
    if std::env::var("WATCHFIRE_GOLDEN").as_deref() == Ok("write") {
        fs::write(case.join("incidents.ndjson"), &by_definition).expect("written");
        return;
    }
    let (name, expected) = (case.display(), read("incidents.ndjson"));
    assert_eq!(by_definition, expected, "{name}: oracle");
    let (_, backtest) = run(&rules, &events, usual);
    assert_eq!(lines(&backtest), expected, "{name}: backtest");
    for way in ways {
        let (live, _) = run(&rules, &events, way);
        assert_eq!(lines(&live), expected, "{name}: {way:?}");
    }
}

/// The incidents that the oracle finds.
fn defined(rules: &str, events: &[&str]) -> Vec<Incident> {
    let mut world = World::new(CLOCK, 1, 1);
    let plan = world.plan(rules);
    for event in events {
        world.produce(0, event.as_bytes().to_vec());
    }
    oracle::final_incidents(world.all_matches(&plan))
}

/// The incidents that stand at the end live, and those of a backtest.
fn run(rules: &str, events: &[&str], way: Way) -> (Vec<Incident>, Vec<Incident>) {
    let mut world = World::new(CLOCK, way.source_partitions, way.matches_partitions);
    let plan = world.plan(rules);
    let mut events: Vec<&str> = events.to_vec();
    if let Some(seed) = way.shuffle {
        let mut rng = Rng::new(seed);
        for place in (1..events.len()).rev() {
            events.swap(place, rng.index(place + 1));
        }
    }
    for (number, event) in events.iter().enumerate() {
        world.produce(number % way.source_partitions, event.as_bytes().to_vec());
    }
    let mut detect = DetectWorker::new(&world, plan.clone());
    for partition in 0..way.source_partitions as u32 {
        detect.assign(&world, partition);
    }
    let mut correlate = CorrelateWorker::default();
    for partition in 0..way.matches_partitions {
        correlate.assign(&world, partition);
    }
    loop {
        let mut read = 0;
        for partition in 0..way.source_partitions as u32 {
            while read < way.batch && detect.read(&world, partition) {
                read += 1;
            }
        }
        if way.resend {
            // The messages are written, the offsets are not, and the worker begins again.
            let batch = read;
            detect.commit(&mut world, false);
            detect.restart(&world, plan.clone());
            read = 0;
            for partition in 0..way.source_partitions as u32 {
                while read < batch && detect.read(&world, partition) {
                    read += 1;
                }
            }
        }
        detect.commit(&mut world, true);
        if way.crash {
            detect.restart(&world, plan.clone());
        }
        fold(&mut correlate, &mut world, way);
        if read == 0 {
            break;
        }
    }
    world.clock += 10 * 86_400_000;
    detect.mark(&world);
    detect.commit(&mut world, true);
    fold(&mut correlate, &mut world, way);
    (world.standing(), world.replay(&plan))
}

fn fold(correlate: &mut CorrelateWorker, world: &mut World, way: Way) {
    for partition in 0..way.matches_partitions {
        correlate.read(world, partition, usize::MAX);
        correlate.commit_kafka(world, partition);
        correlate.commit_disk(partition, way.crash);
    }
    if way.crash {
        correlate.restart(world);
    }
}

/// The incidents as JSON lines, without the fields that depend on the way.
fn lines(incidents: &[Incident]) -> String {
    let line = |incident: &Incident| {
        let mut json: Value =
            serde_json::from_slice(&Encoding::Json.encode(incident)).expect("valid JSON");
        let fields = json.as_object_mut().expect("an object");
        for path in [
            "revision",
            "status",
            "late",
            "close_reason",
            "replaced_by",
            "replaces",
        ] {
            fields.remove(path);
        }
        for evidence in fields["evidence"].as_array_mut().expect("a list") {
            let evidence = evidence.as_object_mut().expect("an object");
            for path in ["topic", "partition", "offset", "index"] {
                evidence.remove(path);
            }
        }
        format!("{json}\n")
    };
    incidents.iter().map(line).collect()
}
