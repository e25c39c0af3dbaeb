//! What a match costs the correlating stage: time where every record matches, memory of keys and
//! panes, and what might grow with the window, with the number of values or with the number of
//! groups. Of the latter only ratios of what runs side by side count.
//!
//! `cargo bench --bench correlate [-- --hours N --groups N --only NAME]`. Prints, asserts nothing
//! but that the incidents are found.

#[expect(
    clippy::expect_used,
    reason = "shared with the tests, where a panic says what went wrong"
)]
#[path = "../tests/it/feed.rs"]
mod feed;

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, ensure};
use clap::{Parser, ValueEnum};
use feed::{Disk, Feed, MIDNIGHT, TOPIC, part, record};
use tempfile::TempDir;
use watchfire::encode::Encoding;
use watchfire::fold::key::pane::Origin;
use watchfire::io::clock;
use watchfire::io::disk::store::{Budget, Owner, Store};
use watchfire::matches::{Input, MatchedRecord, PatternMatch};
use watchfire::record::Hash;
use watchfire::replay::Replay;

const HOUR: i64 = 3_600;

/// Matches of a hot key that are measured.
const MEASURED: i64 = 1_000;

#[derive(Parser)]
struct Args {
    /// Hours for which a key has been hot before it is measured; all is full after 50.
    #[arg(long, default_value_t = 51)]
    hours: i64,
    /// Matches of many users within an hour.
    #[arg(long, default_value_t = 300_000)]
    matches: i64,
    /// Groups beside the slow attacker.
    #[arg(long, default_value_t = 1_000_000)]
    groups: i64,
    /// How often what is compared takes its turn.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Only this one.
    #[arg(long, value_enum)]
    only: Option<Part>,
    /// Given by cargo.
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// What takes no more memory than it needs comes first, before others leave some behind.
    Memory,
    Match,
    Distinct,
    Window,
    History,
    Attacker,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let runs = |part| args.only.is_none_or(|only| only == part);
    if runs(Part::Memory) {
        bytes_of_keys_and_panes()?;
    }
    if runs(Part::Match) {
        matches(args.matches, args.rounds)?;
    }
    if runs(Part::Distinct) {
        distinct(args.rounds)?;
    }
    if runs(Part::Window) {
        windows(args.hours, args.rounds)?;
    }
    if runs(Part::History) {
        histories(args.rounds)?;
    }
    if runs(Part::Attacker) {
        attacker(args.groups)?;
    }
    Ok(())
}

fn seconds(work: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<f64> {
    let start = clock::instant();
    work()?;
    Ok(start.elapsed().as_secs_f64())
}

/// Seconds that work takes, and seconds of processor time of all threads, which depend less on what
/// else the machine does.
struct Taken {
    seconds: f64,
    processor: f64,
}

impl Taken {
    fn by(work: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<Taken> {
        let before = processor_seconds()?;
        let seconds = seconds(work)?;
        let processor = processor_seconds()? - before;
        Ok(Taken { seconds, processor })
    }

    fn of_each(&self, matches: i64) -> String {
        let each = |seconds: f64| seconds * 1e6 / matches as f64;
        format!(
            "{:.1} µs a match, {:.1} of processor time",
            each(self.seconds),
            each(self.processor),
        )
    }
}

/// Processor time of the process so far.
fn processor_seconds() -> anyhow::Result<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    // The name of the program, in parentheses, may have blanks; the times are fields 14 and 15.
    let fields = stat.rsplit(") ").next().context("no times")?;
    let mut ticks = 0;
    for field in fields.split_whitespace().skip(11).take(2) {
        ticks += field.parse::<u64>()?;
    }
    // A tick is a hundredth of a second on Linux.
    Ok(ticks as f64 / 100.0)
}

/// A number that looks like any other.
fn mixed(n: i64) -> u64 {
    (n as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// The median ratio of `slow` to `fast`, which take turns.
fn compare(
    what: &str,
    rounds: usize,
    fast: impl Fn() -> anyhow::Result<f64>,
    slow: impl Fn() -> anyhow::Result<f64>,
) -> anyhow::Result<()> {
    let mut ratios = Vec::with_capacity(rounds);
    for round in 1..=rounds {
        let (fast, slow) = (fast()?, slow()?);
        println!("{what}, round {round}: {fast:.4} and {slow:.4}");
        ratios.push(slow / fast);
    }
    ratios.sort_by(f64::total_cmp);
    let median = ratios
        .get(rounds / 2)
        .context("--rounds must be at least 1")?;
    println!("{what}: median ratio {median:.2}");
    Ok(())
}

fn rule(window: i64, patterns: &str, condition: &str) -> String {
    format!(
        "id: R\nname: r\ndescription: d\nseverity: 5\ncategory: Security\nsubcategory: s\n\
         impacts: Server\ndata_source: d\ntactics: []\ntechniques: []\nwindow: {window}s\n\
         patterns:\n{patterns}\n{condition}\
         incident:\n  title: t\n"
    )
}

fn pattern(name: &str, having: &str) -> String {
    format!(
        "  - {{ name: {name}, where: 'eventType IS NOT NULL', group_by: [user], \
         having: '{having}' }}\n"
    )
}

/// COUNT(DISTINCT) of a hot group over a day, a value a second, all of them different: where it
/// is never enough, and where it soon is and the incident shows it.
fn distinct(rounds: usize) -> anyhow::Result<()> {
    let counted = |enough: u32| {
        let having = format!("COUNT(DISTINCT srcIpAddr) >= {enough}");
        let shown = "  attributes: { addresses: P.COUNT(DISTINCT srcIpAddr) }\n";
        rule(24 * HOUR, &pattern("P", &having), "") + shown
    };
    for (shape, yaml) in [("never enough", counted(100_000)), ("enough", counted(10))] {
        let what = format!("COUNT(DISTINCT), {shape}, s for 10,000 and 40,000 events");
        compare(
            &format!("{what}, one by one"),
            rounds,
            || distinct_live(&yaml, 10_000),
            || distinct_live(&yaml, 40_000),
        )?;
        compare(
            &format!("{what}, backtest"),
            rounds,
            || distinct_backtest(&yaml, 10_000),
            || distinct_backtest(&yaml, 40_000),
        )?;
    }
    Ok(())
}

fn distinct_event(n: i64) -> MatchedRecord {
    let value = vec![Input::Distinct(mixed(n))];
    record(n, (MIDNIGHT + n) * 1000, "hot", vec![part(0, value)])
}

fn distinct_live(yaml: &str, events: i64) -> anyhow::Result<f64> {
    let mut feed = Feed::new(yaml, memory());
    seconds(|| {
        for n in 0..events {
            feed.message(vec![distinct_event(n)], (MIDNIGHT + n) * 1000);
        }
        Ok(())
    })
}

fn distinct_backtest(yaml: &str, events: i64) -> anyhow::Result<f64> {
    let mut replay = Replay::new(feed::plan(yaml));
    let topic = replay.topic(TOPIC);
    let origin = Origin {
        topic,
        partition: 0,
    };
    seconds(|| {
        (0..events).for_each(|n| replay.add(&distinct_event(n), origin));
        replay.finish();
        Ok(())
    })
}

fn memory() -> Disk {
    Disk::Memory(BTreeMap::new())
}

/// A store in a folder of its own.
fn rocksdb() -> anyhow::Result<(TempDir, Disk)> {
    let folder = tempfile::tempdir().context("no folder for the state")?;
    let budget = Budget {
        block_cache_bytes: 64 << 20,
        write_buffer_bytes: 32 << 20,
    };
    let owner = Owner {
        app: "benchmark".to_owned(),
        cluster: None,
    };
    let store = Store::open(folder.path(), &owner, budget)?;
    Ok((folder, Disk::RocksDb(store)))
}

/// The memory that the process has now, without what it has given back.
#[expect(unsafe_code, reason = "the allocator's safe interface lacks it")]
fn resident_bytes() -> anyhow::Result<u64> {
    // SAFETY: gives back what is free, and may be called at any time.
    unsafe { libmimalloc_sys::mi_collect(true) };
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    let kilobytes: u64 = number.context("no VmRSS")?.parse()?;
    Ok(kilobytes << 10)
}

/// Counts what matches of one user and second take.
fn bytes_of_keys_and_panes() -> anyhow::Result<()> {
    let yaml = rule(300, &pattern("P", "COUNT(*) >= 1"), "");
    for (what, keys, panes) in [
        ("key with one pane", 100_000, 1),
        ("pane of a key with 300", 1_000, 300),
    ] {
        let before = resident_bytes()?;
        let mut feed = Feed::new(&yaml, memory());
        let mut number = 0;
        for pane in 0..panes {
            for some in (0..keys).step_by(1_000) {
                let second = MIDNIGHT + pane + some * 60 / keys;
                let of = |key: i64| {
                    let user = format!("user{:07}@contoso.com", mixed(key) % 10_000_000);
                    let inputs = vec![part(0, vec![Input::Present])];
                    record(number + key, second * 1000, &user, inputs)
                };
                let records = (some..some + 1_000).map(of).collect();
                feed.message(records, second * 1000);
                feed.commit(usize::MAX);
                // Only what is in memory of them counts.
                feed.disk = memory();
            }
            number += keys;
        }
        let taken = resident_bytes()?.saturating_sub(before);
        println!(
            "a {what}: {} bytes of memory",
            taken / (keys * panes) as u64
        );
        drop(feed);
    }
    Ok(())
}

/// A state is kept after so many messages, or when keys that changed take half of the memory for
/// all: a worker keeps it every 5 seconds, which is 100,000 matches where 20,000 come a second.
const KEEP_MESSAGES: usize = 1_000;

/// Matches of a message.
const MESSAGE_MATCHES: usize = 100;

/// Every record of many users matches a rule that one match triggers, for an hour.
fn matches(count: i64, rounds: usize) -> anyhow::Result<()> {
    let yaml = rule(300, &pattern("P", "COUNT(*) >= 1"), "");
    let shown = yaml + "  attributes: { user: P.user }\n";
    let of = |n: i64| {
        let user = format!("user{:07}@contoso.com", mixed(n) % 20_000);
        let time = MIDNIGHT * 1000 + n * HOUR * 1000 / count;
        record(n, time, &user, vec![part(0, vec![Input::Present])])
    };
    let records: Vec<MatchedRecord> = (0..count).map(of).collect();
    for round in 1..=rounds {
        for (name, disk, bytes_max) in [
            ("in memory", None, usize::MAX),
            ("with RocksDB", Some(rocksdb()?), usize::MAX),
            (
                "with RocksDB and 8 MiB of memory",
                Some(rocksdb()?),
                8 << 20,
            ),
        ] {
            let (folder, disk) = match disk {
                Some((folder, disk)) => (Some(folder), disk),
                None => (None, memory()),
            };
            let mut feed = Feed::new(&shown, disk);
            let messages: Vec<Vec<MatchedRecord>> = records
                .chunks(MESSAGE_MATCHES)
                .map(<[MatchedRecord]>::to_vec)
                .collect();
            let (mut said, mut bytes) = (0, 0);
            let taken = Taken::by(|| {
                for (number, message) in (1..).zip(messages) {
                    let time = message.last().map_or(0, |last| last.time);
                    for incident in feed.message(message, time) {
                        said += 1;
                        bytes += Encoding::Avro.encode(&incident).len();
                    }
                    let is_full = feed.state.differing_bytes() > bytes_max / 2;
                    if number % KEEP_MESSAGES == 0 || is_full {
                        feed.commit(bytes_max);
                    }
                }
                Ok(())
            })?;
            ensure!(said > 0, "no incident");
            println!(
                "every record matches, {name}, round {round}: {}, {said} publications of {} bytes",
                taken.of_each(count),
                bytes / said,
            );
            drop(folder);
        }
    }
    Ok(())
}

/// What a match costs of a key that has much behind it: a history that came too late, values that
/// were seen.
fn histories(rounds: usize) -> anyhow::Result<()> {
    compare(
        "late matches, ms a match behind a day and behind 30 days of late history",
        rounds,
        || late_history(1),
        || late_history(30),
    )?;
    compare(
        "new values, ms a match where 10,000 and where 100,000 were seen",
        rounds,
        || seen_values(10_000),
        || seen_values(100_000),
    )
}

/// Milliseconds that a late match costs behind so many days with a late match a minute.
fn late_history(days: i64) -> anyhow::Result<f64> {
    let mut feed = Feed::new(&rule(300, &pattern("P", "COUNT(*) >= 1"), ""), memory());
    let now = (MIDNIGHT + 60 * 24 * HOUR) * 1000;
    feed.message(Vec::new(), now);
    let of = |n: i64| {
        let time = (MIDNIGHT + n * 60) * 1000;
        record(n, time, "user", vec![part(0, vec![Input::Present])])
    };
    let behind = days * 24 * 60;
    let mut message = |first: i64| {
        feed.message(
            (first..first + MESSAGE_MATCHES as i64).map(of).collect(),
            now,
        );
        feed.commit(usize::MAX);
    };
    (0..behind).step_by(MESSAGE_MATCHES).for_each(&mut message);
    let measured = behind..behind + MEASURED;
    let taken = Taken::by(|| {
        measured.step_by(MESSAGE_MATCHES).for_each(&mut message);
        Ok(())
    })?;
    Ok(taken.seconds * 1000.0 / MEASURED as f64)
}

/// Milliseconds that a match costs that brings a new value, behind so many that were seen.
fn seen_values(behind: i64) -> anyhow::Result<f64> {
    let patterns = pattern("P", "COUNT(*) >= 1").replace(
        "group_by: [user],",
        "group_by: [user], new: \"[user, srcIpAddr] over 30d\",",
    );
    let mut feed = Feed::new(&rule(300, &patterns, ""), memory());
    let time = |n: i64| (MIDNIGHT + n * 20) * 1000;
    let of = |n: i64| {
        let seen = PatternMatch {
            combinations: std::iter::once(Hash(u128::from(mixed(n)).to_be_bytes())).collect(),
            ..part(0, vec![Input::Present])
        };
        record(n, time(n), "user", vec![seen])
    };
    let mut message = |first: i64| {
        let last = first + MESSAGE_MATCHES as i64;
        feed.message((first..last).map(of).collect(), time(last - 1));
        feed.commit(usize::MAX);
    };
    (0..behind).step_by(MESSAGE_MATCHES).for_each(&mut message);
    let measured = behind..behind + MEASURED;
    let taken = Taken::by(|| {
        measured.step_by(MESSAGE_MATCHES).for_each(&mut message);
        Ok(())
    })?;
    Ok(taken.seconds * 1000.0 / MEASURED as f64)
}

/// A match a second of one key, with windows of five minutes and of a day.
fn windows(hours: i64, rounds: usize) -> anyhow::Result<()> {
    let one = |having: &'static str| move |window| rule(window, &pattern("A", having), "");
    let always = one("COUNT(*) >= 1");
    let never = one("COUNT(*) >= 100000");
    let followed = |window| {
        let two = pattern("A", "COUNT(*) >= 1") + &pattern("B", "COUNT(*) >= 1");
        rule(
            window,
            &two,
            "condition: A FOLLOWED_BY B\nrelations: [A.user = B.user]\n",
        )
    };
    let chain = |window| {
        let three = pattern("A", "COUNT(*) >= 1")
            + &pattern("B", "COUNT(*) >= 1")
            + &pattern("C", "COUNT(*) >= 1");
        let condition = "condition: A FOLLOWED_BY B FOLLOWED_BY C\n\
                         relations: [A.user = B.user, B.user = C.user]\n";
        rule(window, &three, condition)
    };
    type Yaml<'a> = &'a dyn Fn(i64) -> String;
    let shapes: [(&str, u32, Yaml<'_>); 4] = [
        ("COUNT(*) >= 1", 1, &always),
        ("COUNT(*) that is never enough", 1, &never),
        ("FOLLOWED_BY", 2, &followed),
        ("FOLLOWED_BY twice", 3, &chain),
    ];
    for (name, patterns, yaml) in shapes {
        for (order, late) in [("in order", 0), ("up to five minutes out of order", 300)] {
            compare(
                &format!("{name}, {order}, ms a match with a window of 5 min and of 24 h"),
                rounds,
                || hot_key(&yaml(300), patterns, late, hours),
                || hot_key(&yaml(24 * HOUR), patterns, late, hours),
            )?;
        }
    }
    Ok(())
}

/// Milliseconds that a match costs, each in a message of its own, once its key has been hot for so
/// many hours.
fn hot_key(yaml: &str, patterns: u32, late: i64, hours: i64) -> anyhow::Result<f64> {
    let mut feed = Feed::new(yaml, memory());
    let of = |n: i64| {
        let delay = (mixed(n) >> 33) as i64 % (late + 1);
        let inputs = vec![part((n as u32) % patterns, vec![Input::Present])];
        record(n, (MIDNIGHT + n - delay) * 1000, "hot", inputs)
    };
    for start in (0..hours * HOUR).step_by(600) {
        let records = (start..start + 600).map(of).collect();
        feed.message(records, (MIDNIGHT + start + 599) * 1000);
        feed.commit(usize::MAX);
    }
    let measured = hours * HOUR..hours * HOUR + MEASURED;
    let taken = seconds(|| {
        for n in measured {
            feed.message(vec![of(n)], (MIDNIGHT + n) * 1000);
            if n % 64 == 0 {
                feed.commit(usize::MAX);
            }
        }
        Ok(())
    })?;
    Ok(taken * 1000.0 / MEASURED as f64)
}

/// One group triggers with two events 23 hours apart, among others that have one each.
fn attacker(groups: i64) -> anyhow::Result<()> {
    let (folder, disk) = rocksdb()?;
    let yaml = rule(24 * HOUR, &pattern("P", "COUNT(*) >= 2"), "");
    let mut feed = Feed::new(&yaml, disk);
    let event = |n: i64, second: i64, user: &str| -> MatchedRecord {
        let patterns: Vec<PatternMatch> = vec![part(0, vec![Input::Present])];
        record(n, second * 1000, user, patterns)
    };
    let mut said = Vec::new();
    let taken = Taken::by(|| {
        said.extend(feed.message(vec![event(0, MIDNIGHT, "attacker")], MIDNIGHT * 1000));
        let others: Vec<i64> = (1..=groups).collect();
        for some in others.chunks(1_000) {
            let second = |n: i64| MIDNIGHT + n * 23 * HOUR / (groups + 1);
            let events = some
                .iter()
                .map(|n| event(*n, second(*n), &format!("user-{n}")));
            let time = some.last().map_or(MIDNIGHT, |n| second(*n));
            said.extend(feed.message(events.collect(), time * 1000));
            feed.commit(32 << 20);
        }
        let second = MIDNIGHT + 23 * HOUR;
        let last = event(groups + 1, second, "attacker");
        said.extend(feed.message(vec![last], second * 1000));
        Ok(())
    })?;
    let evidence: Vec<i64> = said
        .iter()
        .flat_map(|incident| incident.evidence.iter().map(|event| event.offset))
        .collect();
    ensure!(said.len() == 1, "{} incidents, not one", said.len());
    ensure!(evidence == [0, groups + 1], "its evidence is {evidence:?}");
    println!(
        "a slow attacker among {groups} groups: found, {}, {:.0} MB of state",
        taken.of_each(groups),
        bytes_in(folder.path())? as f64 / 1e6,
    );
    again(&mut feed, groups)
}

/// One more match of some of the groups that are on disk.
fn again(feed: &mut Feed, groups: i64) -> anyhow::Result<()> {
    let count = groups.min(50_000);
    let second = MIDNIGHT + 23 * HOUR + 1;
    let of = |n: i64| {
        let user = format!("user-{}", 1 + (mixed(n) >> 1) as i64 % groups.max(1));
        let inputs = vec![part(0, vec![Input::Present])];
        record(groups + 2 + n, second * 1000, &user, inputs)
    };
    let records: Vec<MatchedRecord> = (0..count).map(of).collect();
    let mut said = 0;
    let taken = Taken::by(|| {
        for some in records.chunks(1_000) {
            said += feed.message(some.to_vec(), second * 1000).len();
            feed.commit(32 << 20);
        }
        Ok(())
    })?;
    ensure!(said > 0, "no group of them triggers");
    println!(
        "{count} more matches of those groups, most on disk: {}",
        taken.of_each(count),
    );
    Ok(())
}

fn bytes_in(folder: &Path) -> anyhow::Result<u64> {
    let mut bytes = 0;
    for file in std::fs::read_dir(folder)? {
        bytes += file?.metadata()?.len();
    }
    Ok(bytes)
}
