//! How fast a log is folded in silence, and where the time goes: the steps of the correlating
//! stage, without a broker.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use watchfire::fold::place::Place;
use watchfire::fold::slices::{SliceLimit, Slices};
use watchfire::fold::state::{Read, State};
use watchfire::fold::work::{Run, advance};
use watchfire::io::disk::store::{Budget, Owner, Store};
use watchfire::matches;
use watchfire::matches::LogMessage;
use watchfire::plan::Plan;
use watchfire::stopwatch::Stopwatch;

use super::activity::{self, Log, MATCHES_PARTITIONS};
use super::{Figures, number};
use crate::worker::setup::now;

/// What a worker's configuration says where it says nothing.
const BLOCK_CACHE_BYTES: usize = 256 << 20;
const WRITE_BUFFER_BYTES: usize = 64 << 20;

/// Messages of one partition that are folded together.
const RUN: u64 = 10_000;

/// What a phase of the fold took.
#[derive(Default)]
struct Phases {
    decode: Duration,
    advance: Duration,
    load: Duration,
    fold: Duration,
    changes: Duration,
    write: Duration,
    shrink: Duration,
    commits: u64,
    rows: u64,
    bytes: u64,
}

struct Folding {
    plan: Arc<Plan>,
    store: Arc<Store>,
    states: BTreeMap<u32, State>,
    phases: Phases,
    cache_bytes: usize,
    run: usize,
    /// Partitions that are folded in turn.
    at_once: usize,
}

impl Folding {
    fn messages(&mut self, partition: u32, first: usize, messages: &[Vec<u8>]) {
        let state = self
            .states
            .entry(partition)
            .or_insert_with(|| State::empty(0));
        let phases = &mut self.phases;
        let start = Instant::now();
        let decoded: Vec<_> = messages
            .iter()
            .map(|m| matches::decode(m).unwrap())
            .collect();
        phases.decode += start.elapsed();
        let start = Instant::now();
        let mut all: Option<Run> = None;
        for (offset, message) in (first as i64..).zip(decoded) {
            let log = LogMessage {
                offset,
                timestamp: now(),
                message,
            };
            let run = advance(state, &self.plan, log);
            match &mut all {
                Some(all) => all.append(run),
                None => all = Some(run.silent_before(Place::at(i64::MAX))),
            }
        }
        let Some(run) = all else { return };
        let mut work = Slices::new(run, None);
        phases.advance += start.elapsed();
        while !work.is_done() {
            let start = Instant::now();
            load(&self.store, partition, state, &mut work);
            let loaded = Instant::now();
            work.fold(state, &mut Stopwatch::default());
            phases.load += loaded - start;
            phases.fold += loaded.elapsed();
        }
    }

    fn commit(&mut self) {
        let start = Instant::now();
        let states = self.states.iter_mut();
        let changes: Vec<_> = states
            .map(|(p, state)| (*p, state.changes().collect::<Vec<_>>()))
            .collect();
        let made = Instant::now();
        for (row, value) in changes.iter().flat_map(|(_, changes)| changes) {
            self.phases.rows += 1;
            self.phases.bytes += (row.len() + value.as_ref().map_or(0, Vec::len)) as u64;
        }
        self.store.write(&changes).unwrap();
        drop(changes);
        let written = Instant::now();
        let bytes_max = self.cache_bytes / 2 / self.at_once;
        self.states.values_mut().for_each(|state| {
            state.kept();
            state.shrink(bytes_max);
        });
        self.phases.changes += made - start;
        self.phases.write += written - made;
        self.phases.shrink += written.elapsed();
        self.phases.commits += 1;
    }
}

#[test]
#[ignore = "a measurement: make measure WHAT=fold"]
fn fold_of_a_log() {
    let matches = number("MATCHES", 1_000_000);
    let commit_every = Duration::from_millis(number("COMMIT_MS", 100));
    let end = now();
    let log = Log {
        matches,
        users: number("USERS", matches / 250),
        time: (end - 7_200_000, end),
    };
    let (plan, _) = activity::plan("source");
    let mut partitions: Vec<Vec<Vec<u8>>> = vec![Vec::new(); MATCHES_PARTITIONS as usize];
    let made = Instant::now();
    let (matches, _) = log.write(&plan, |p, bytes| partitions[p as usize].push(bytes));
    println!("made {matches} matches in {:?}", made.elapsed());
    let folder = tempfile::tempdir().unwrap();
    let budget = Budget {
        block_cache_bytes: BLOCK_CACHE_BYTES,
        write_buffer_bytes: WRITE_BUFFER_BYTES,
    };
    let owner = Owner {
        app: "measure".to_owned(),
        cluster: None,
    };
    let store = Arc::new(Store::open(folder.path(), &owner, budget).unwrap());
    let threads = number("THREADS", 1) as usize;
    let start = Instant::now();
    let folds: Vec<Folding> = std::thread::scope(|scope| {
        let of = |thread: usize| {
            let all = (0..).zip(&partitions).skip(thread).step_by(threads);
            let share: Vec<(u32, &Vec<Vec<u8>>)> = all.collect();
            let folding = Folding::new(&plan, &store, threads);
            scope.spawn(move || folding.run(&share, commit_every))
        };
        let running: Vec<_> = (0..threads).map(of).collect();
        running
            .into_iter()
            .map(|fold| fold.join().unwrap())
            .collect()
    });
    let taken = start.elapsed();
    let mut figures = Figures::new("fold");
    let messages: usize = partitions.iter().map(Vec::len).sum();
    for folding in &folds {
        report(&mut figures, (matches, messages), taken, &folding.phases);
    }
}

impl Folding {
    fn new(plan: &Arc<Plan>, store: &Arc<Store>, threads: usize) -> Folding {
        let megabytes = number("CACHE_MB", BLOCK_CACHE_BYTES as u64 >> 20) as usize;
        Folding {
            plan: Arc::clone(plan),
            store: Arc::clone(store),
            states: BTreeMap::new(),
            phases: Phases::default(),
            at_once: number("AT_ONCE", u64::from(MATCHES_PARTITIONS)) as usize,
            cache_bytes: (megabytes << 20) / threads,
            run: number("RUN", RUN) as usize,
        }
    }

    fn run(mut self, partitions: &[(u32, &Vec<Vec<u8>>)], commit_every: Duration) -> Folding {
        let mut last_commit = Instant::now();
        for some in partitions.chunks(self.at_once) {
            let longest = some.iter().map(|(_, log)| log.len()).max().unwrap_or(0);
            for first in (0..longest).step_by(self.run) {
                for (partition, log) in some {
                    let end = log.len().min(first + self.run);
                    self.messages(*partition, first, log.get(first..end).unwrap_or_default());
                    if last_commit.elapsed() >= commit_every {
                        self.commit();
                        last_commit = Instant::now();
                    }
                }
            }
            self.commit();
            self.states.clear();
        }
        self
    }
}

/// Gives a slice the rows that it wants.
fn load(store: &Store, partition: u32, state: &mut State, work: &mut Slices) {
    loop {
        let wanted = work.wants(state, SliceLimit::NONE);
        if wanted.is_empty() {
            return;
        }
        for read in wanted {
            match read {
                Read::Row(row) => {
                    if let Some(value) = store.get(partition, &row).unwrap() {
                        state.load(&row, &value).unwrap();
                    }
                }
                Read::Range { from, to, .. } => {
                    let mut take = |row: &[u8], value: &[u8]| {
                        state.load(row, value).unwrap();
                        Ok(())
                    };
                    store.range(partition, &from, &to, &mut take).unwrap();
                }
            }
        }
    }
}

fn report(figures: &mut Figures, counts: (u64, usize), taken: Duration, phases: &Phases) {
    let (matches, messages) = counts;
    let a_match = |duration: Duration| duration.as_secs_f64() * 1e6 / matches as f64;
    figures.line(format!(
        "{matches} matches in {messages} messages: {:.1} s, {:.0} matches/s, {:.2} µs a match",
        taken.as_secs_f64(),
        matches as f64 / taken.as_secs_f64(),
        a_match(taken),
    ));
    figures.line(format!(
        "µs a match: decode {:.2}, advance {:.2}, load {:.2}, fold {:.2}, changes {:.2}, write \
         {:.2}, shrink {:.2}",
        a_match(phases.decode),
        a_match(phases.advance),
        a_match(phases.load),
        a_match(phases.fold),
        a_match(phases.changes),
        a_match(phases.write),
        a_match(phases.shrink),
    ));
    figures.line(format!(
        "{} commits, {} rows and {} MB written",
        phases.commits,
        phases.rows,
        phases.bytes >> 20,
    ));
    assert!(phases.rows > 0);
}
