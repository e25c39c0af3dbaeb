//! What the core does with a record, a match, a publication and a commit, to be counted in
//! instructions: `scripts/instructions.sh` does that, and says what has grown.
//!
//! `instructions CASE` does one thing [`TIMES`] times in a function called `measured`; before it
//! makes what that needs.

#[expect(
    clippy::expect_used,
    reason = "what it is made of is made here, and right"
)]
mod made {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use watchfire::detect::{Detector, SourcePartition};
    use watchfire::event::Attributes;
    use watchfire::fold::partition::{Budget, Found, Partition};
    use watchfire::generate::{Generator, Options};
    use watchfire::plan::{Catalogue, Limits, Plan, Settings, Source};
    use watchfire::rule;

    const RULE: &str = include_str!("../rules/azure/PH_Rule_ES_IMPORT_AZURE_8.yaml");

    const SETTINGS: Settings = Settings {
        patience: 900,
        lateness: 7_200,
        limits: Limits::DEFAULT,
    };

    /// The only source partition.
    pub const SOURCE: SourcePartition = SourcePartition {
        source: 0,
        partition: 0,
    };

    /// 2026-03-01T09:00:00Z.
    pub const TIME: i64 = 1_772_355_600_000;

    pub fn catalogue() -> (Catalogue, Arc<Plan>) {
        let mut attributes = Attributes::default();
        let rules = rule::parse("rule", RULE, &mut attributes).expect("a rule");
        let mut catalogue = Catalogue::default();
        let sources = vec![Source {
            topic: "activity".to_owned(),
            partitions: 1,
            epoch: 0,
            epochs: BTreeMap::new(),
        }];
        let draft = catalogue.draft(&rules, &attributes, SETTINGS, sources, 0);
        for (key, value) in &draft.entries {
            catalogue.read(key, Some(value)).expect("an entry");
        }
        let plan = Arc::clone(catalogue.plan(draft.plan).expect("a plan"));
        (catalogue, plan)
    }

    pub fn detector(plan: &Arc<Plan>) -> Detector {
        let mut detector = Detector::new(Arc::clone(plan), 1, 900_000);
        detector.assign(SOURCE, 0);
        detector
    }

    /// So many messages of one record each: ordinary ones, or commands on machines. Hardly anybody
    /// comes twice, so each command is an incident.
    pub fn messages(count: usize, commands: bool) -> Vec<(i64, Vec<u8>)> {
        let options = Options {
            records_max: 1,
            people: 1_000_000,
            commands_per_million: if commands { 1_000_000 } else { 0 },
            ..Options::usual(TIME)
        };
        let mut generator = Generator::new(1, options);
        let messages = (0..count).map(|_| generator.message());
        messages
            .map(|message| (message.time, message.bytes))
            .collect()
    }

    /// Messages with their times, and what they go by.
    pub type Log = (Vec<(i64, Vec<u8>)>, Catalogue, Arc<Plan>);

    /// The messages of a matches log, each with what matched of some others and how far time is.
    pub fn log(count: usize, together: usize) -> Log {
        let (catalogue, plan) = catalogue();
        let mut detector = detector(&plan);
        let mut log = Vec::new();
        for (offset, (time, bytes)) in (0_i64..).zip(messages(count, true)) {
            detector.read(SOURCE, offset, Some(time), &bytes);
            if (offset as usize + 1).is_multiple_of(together) {
                detector.mark(&[]);
                let found = detector.take().messages.into_iter();
                log.extend(found.map(|(_, bytes)| (time, bytes)));
            }
        }
        (log, catalogue, plan)
    }

    pub fn partition(catalogue: &Catalogue) -> Partition {
        let found = Found {
            meta: None,
            cursor: None,
            commit: None,
            committed_there: watchfire::bookmark::There::Unknown,
            stored_there: watchfire::bookmark::There::Unknown,
            low: 0,
            high: 0,
            transactions: false,
            accept_incomplete: false,
        };
        let opened = Partition::open(found, catalogue);
        opened.expect("nothing is missing").partition
    }

    pub const BUDGET: Budget = Budget::NONE;
}

use std::collections::{BTreeMap, BTreeSet};
use std::hint::black_box;
use std::process::ExitCode;
use std::sync::Arc;

use watchfire::encode::Encoding;
use watchfire::fold::partition::{Keep, Limit, Next, Partition};
use watchfire::plan::Plan;
use watchfire::record::Hash;

/// How often each thing is done.
const TIMES: usize = 2_000;

/// Matches of one message of the matches log.
const TOGETHER: usize = 50;

/// What is done, by its name.
type Case = (&'static str, fn() -> usize);

/// The cases, and how many of what is counted each does.
const CASES: [Case; 4] = [
    ("record", record),
    ("match", matching),
    ("publication", publication),
    ("commit", commit),
];

fn main() -> ExitCode {
    let asked = std::env::args().nth(1).unwrap_or_default();
    for (name, case) in CASES {
        if asked == name {
            println!("{}", case());
            return ExitCode::SUCCESS;
        }
    }
    let names: BTreeSet<&str> = CASES.iter().map(|(name, _)| *name).collect();
    eprintln!("instructions: which of {names:?}?");
    ExitCode::from(2)
}

/// Records that match nothing.
fn record() -> usize {
    detect(&made::messages(TIMES, false))
}

/// Records that match, written for the matches topic.
fn matching() -> usize {
    detect(&made::messages(TIMES, true))
}

fn detect(messages: &[(i64, Vec<u8>)]) -> usize {
    let (_, plan) = made::catalogue();
    let mut detector = made::detector(&plan);
    measured(|| {
        for (offset, (time, bytes)) in (0_i64..).zip(messages) {
            detector.read(made::SOURCE, offset, Some(*time), bytes);
            if offset % TOGETHER as i64 == 0 {
                black_box(detector.take());
            }
        }
    });
    messages.len()
}

/// Matches to the bytes of incidents.
fn publication() -> usize {
    let (log, catalogue, plan) = made::log(TIMES, TOGETHER);
    let mut partition = made::partition(&catalogue);
    let plans = BTreeMap::from([(plan.hash, plan)]);
    measured(|| {
        let mut said = 0;
        for (offset, (time, bytes)) in (0_i64..).zip(&log) {
            fold(&mut partition, &plans, offset, *time, bytes);
            if offset % 8 == 0 {
                said += say(&mut partition);
            }
        }
        said + say(&mut partition)
    })
}

/// Commits of one match each, its state kept.
fn commit() -> usize {
    let (log, catalogue, plan) = made::log(TIMES, 1);
    let mut partition = made::partition(&catalogue);
    let plans = BTreeMap::from([(plan.hash, plan)]);
    measured(|| {
        for (offset, (time, bytes)) in (0_i64..).zip(&log) {
            fold(&mut partition, &plans, offset, *time, bytes);
            say(&mut partition);
        }
    });
    log.len()
}

fn fold(
    partition: &mut Partition,
    plans: &BTreeMap<Hash, Arc<Plan>>,
    offset: i64,
    time: i64,
    bytes: &[u8],
) {
    partition.push(offset, time, bytes);
    loop {
        match partition.step(plans, &made::BUDGET) {
            // Nothing is on a disk: what is wanted is not there.
            Ok(Next::Load(_) | Next::Keep | Next::Slice) => (),
            Ok(Next::Commit | Next::Read) | Err(_) => return,
        }
    }
}

/// Commits what there is to say; how much that was.
fn say(partition: &mut Partition) -> usize {
    let point = partition.commit_point(Limit::NONE, Keep::Now);
    let said = point.publications.len();
    for incident in &point.publications {
        black_box(Encoding::Avro.encode(incident));
    }
    black_box(point.changes);
    partition.committed(point.place, point.metadata);
    partition.kept(&made::BUDGET);
    said
}

/// What is counted.
#[inline(never)]
fn measured<T>(work: impl FnOnce() -> T) -> T {
    black_box(work())
}
