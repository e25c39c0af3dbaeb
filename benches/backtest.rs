//! How fast a backtest reads, against a bare typed parse of the same bytes by serde_json, one
//! thread each, and with several threads against one; in turns within one process so that both see
//! the same machine.
//!
//! `cargo bench --bench backtest [-- --records N --rounds N --threads N]`. Prints, asserts nothing.
//! On a busy machine the ratio of processor times counts. With `--growth`: what 1,000 and 5,000
//! rules of each kind cost, against one.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fs::File;
use std::hint::black_box;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use clap::Parser;
use serde::de::value::MapAccessDeserializer;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use watchfire::cli;
use watchfire::detect::prefilter::Validate;
use watchfire::generate::{Generator, Options};
use watchfire::io::backtest::input::{Reading, Source};
use watchfire::io::backtest::{self, Request};
use watchfire::io::{clock, disk::rule_files};
use watchfire::plan::Plan;
use watchfire::rule::Texts;

/// 2026-03-01T09:00:00Z.
const START: i64 = 1_772_355_600_000;

/// The rule that Watchfire began with: commands on machines.
const FIRST: &str = "PH_Rule_ES_IMPORT_AZURE_8.yaml";

#[derive(Parser)]
struct Args {
    /// Records in the stream.
    #[arg(long, default_value_t = 500_000)]
    records: u64,
    /// How often both take their turn.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Compare a backtest with so many threads with one, instead of with serde_json.
    #[arg(long)]
    threads: Option<usize>,
    /// Read only messages in which a record may match, with the first rule alone.
    #[arg(long)]
    matching: bool,
    /// Compare a backtest with many rules with one of one rule, instead of with serde_json.
    #[arg(long)]
    growth: bool,
    /// Given by cargo.
    #[arg(long, hide = true)]
    bench: bool,
}

/// What the parse to compare with takes out of a record: what a worker of one's own would name.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "parsed to be measured, not to be read")]
struct Record<'a> {
    #[serde(borrow)]
    time: Option<Cow<'a, str>>,
    #[serde(borrow)]
    resource_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    operation_name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    category: Option<Cow<'a, str>>,
    #[serde(borrow)]
    result_type: Option<Cow<'a, str>>,
    #[serde(borrow)]
    caller_ip_address: Option<Cow<'a, str>>,
    #[serde(borrow)]
    correlation_id: Option<Cow<'a, str>>,
    /// A text in sign-ins, an object in all others.
    #[serde(borrow)]
    identity: Option<Identity<'a>>,
    properties: Option<IgnoredAny>,
}

#[expect(dead_code, reason = "parsed to be measured, not to be read")]
enum Identity<'a> {
    Object(Object<'a>),
    Name(Cow<'a, str>),
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "parsed to be measured, not to be read")]
struct Object<'a> {
    #[serde(borrow)]
    claims: Option<Claims<'a>>,
}

/// By hand: a derived untagged enum would first copy all that it may be.
impl<'de: 'a, 'a> Deserialize<'de> for Identity<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(IdentityVisitor)
    }
}

struct IdentityVisitor;

impl<'de> Visitor<'de> for IdentityVisitor {
    type Value = Identity<'de>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a text or an object")
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Self::Value, E> {
        Ok(Identity::Name(Cow::Borrowed(name)))
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(Identity::Name(Cow::Owned(name.to_owned())))
    }

    fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<Self::Value, M::Error> {
        Object::deserialize(MapAccessDeserializer::new(map)).map(Identity::Object)
    }
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "parsed to be measured, not to be read")]
struct Claims<'a> {
    #[serde(
        borrow,
        rename = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn"
    )]
    upn: Option<Cow<'a, str>>,
    #[serde(borrow)]
    appid: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    records: Vec<Record<'a>>,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let folder = tempfile::tempdir().context("no folder for the stream")?;
    let path = folder.path().join("stream.ndjson");
    let records = generate(&path, args.records)?;
    let bytes = std::fs::metadata(&path)?.len();
    println!("{records} records, {:.0} MB", bytes as f64 / 1e6);
    if args.growth {
        return growth(&args, &path, records);
    }
    let all = rules();
    if args.matching {
        let first = all.iter().filter(|path| path.ends_with(FIRST));
        let first: Vec<PathBuf> = first.cloned().collect();
        println!("the first rule, messages in which it may match");
        return compare(&args, &path, (records, bytes), &first);
    }
    let named = |path: &&PathBuf| path.file_name().is_some_and(is_named);
    let narrow: Vec<PathBuf> = all.iter().filter(named).cloned().collect();
    println!("{} rules, each of one event type", narrow.len());
    compare(&args, &path, (records, bytes), &narrow)?;
    println!("{} rules, one of which looks at every event", all.len());
    compare(&args, &path, (records, bytes), &all)
}

/// The shipped rules that are measured: always the same, so that figures can be compared however
/// many are shipped.
const MEASURED: [&str; 10] = [
    "Azure_Deletion_New_To_User",
    "Azure_Password_Guessed",
    "Azure_Role_Assignment_Kept",
    "PH_Rule_ES_IMPORT_AZURE_1",
    "PH_Rule_ES_IMPORT_AZURE_10",
    "PH_Rule_ES_IMPORT_AZURE_2",
    "PH_Rule_ES_IMPORT_AZURE_4",
    "PH_Rule_ES_IMPORT_AZURE_6",
    "PH_Rule_ES_IMPORT_AZURE_7",
    "PH_Rule_ES_IMPORT_AZURE_8",
];

/// Their files.
fn rules() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules/azure");
    MEASURED
        .map(|name| folder.join(name).with_extension("yaml"))
        .into()
}

/// Whether a rule is one of FortiSIEM's Azure family, which name one event type each.
fn is_named(file: &OsStr) -> bool {
    file.to_string_lossy().starts_with("PH_Rule_")
}

/// Reads the stream in turns.
fn compare(
    args: &Args,
    path: &Path,
    (records, bytes): (u64, u64),
    rules: &[PathBuf],
) -> anyhow::Result<()> {
    let (peer_name, own_name) = match args.threads {
        None => ("serde_json".to_owned(), "watchfire ".to_owned()),
        Some(threads) => ("1 thread  ".to_owned(), format!("{threads} threads ")),
    };
    let mut ratios = Vec::with_capacity(args.rounds);
    let mut of_processor = Vec::with_capacity(args.rounds);
    for round in 1..=args.rounds {
        let peer = match args.threads {
            None => timed(|| parse_alone(path))?,
            Some(_) => timed(|| whole_backtest(path, rules, 1, Validate::All))?,
        };
        let validate = match args.matching {
            true => Validate::Matching,
            false => Validate::All,
        };
        let threads = args.threads.unwrap_or(1);
        let own = timed(|| whole_backtest(path, rules, threads, validate))?;
        for timed in [&peer, &own] {
            anyhow::ensure!(
                timed.records == records || args.matching,
                "{} records were read",
                timed.records
            );
        }
        let ratio = peer.seconds / own.seconds;
        let processor = peer.processor / own.processor;
        println!("round {round}: {peer_name} {}", peer.rates(bytes));
        println!(
            "         {own_name} {}, ratio {ratio:.3}, of processor times {processor:.3}",
            own.rates(bytes)
        );
        ratios.push(ratio);
        of_processor.push(processor);
    }
    println!(
        "median ratio of throughputs: {:.3}, of processor times: {:.3}",
        median(ratios)?,
        median(of_processor)?
    );
    Ok(())
}

fn median(mut ratios: Vec<f64>) -> anyhow::Result<f64> {
    ratios.sort_by(f64::total_cmp);
    let median = ratios.get(ratios.len() / 2);
    median.copied().context("--rounds must be at least 1")
}

/// How long one side took, and how many records it saw.
struct Timed {
    seconds: f64,
    /// Seconds of processor time of the thread that asks.
    processor: f64,
    records: u64,
}

impl Timed {
    fn rates(&self, bytes: u64) -> String {
        format!(
            "{:7.1} MB/s {:9.0} records/s",
            bytes as f64 / 1e6 / self.seconds,
            self.records as f64 / self.seconds
        )
    }
}

/// Processor time of this thread so far, in seconds.
fn processor_seconds() -> anyhow::Result<f64> {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds = stat.split(' ').next().unwrap_or_default();
    Ok(nanoseconds.parse::<f64>()? / 1e9)
}

fn timed(work: impl FnOnce() -> anyhow::Result<u64>) -> anyhow::Result<Timed> {
    let before = processor_seconds()?;
    let start = clock::instant();
    let records = work()?;
    Ok(Timed {
        seconds: start.elapsed().as_secs_f64(),
        processor: processor_seconds()? - before,
        records,
    })
}

/// Writes the stream, and says how many records it came to.
fn generate(path: &Path, wanted: u64) -> anyhow::Result<u64> {
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
    let mut records = 0;
    for message in Generator::new(1, Options::usual(START)) {
        if records >= wanted {
            break;
        }
        records += message.records;
        out.write_all(&message.bytes)?;
        out.write_all(b"\n")?;
    }
    out.flush()?;
    Ok(records)
}

/// Hands each line of the file to `each`. Both sides read in the same way.
fn lines(path: &Path, mut each: impl FnMut(&[u8]) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let mut file = BufReader::with_capacity(1 << 20, File::open(path)?);
    let mut line = Vec::new();
    while file.read_until(b'\n', &mut line)? > 0 {
        each(&line)?;
        line.clear();
    }
    Ok(())
}

fn parse_alone(path: &Path) -> anyhow::Result<u64> {
    let mut records = 0;
    lines(path, |line| {
        let envelope: Envelope<'_> = serde_json::from_slice(line)?;
        records += black_box(&envelope).records.len() as u64;
        Ok(())
    })?;
    Ok(records)
}

/// The whole backtest, as `backtest --threads N` runs it.
fn whole_backtest(
    path: &Path,
    rules: &[PathBuf],
    threads: usize,
    validate: Validate,
) -> anyhow::Result<u64> {
    let plan = cli::backtest::rules::plan_of(&rule_files::load(rules, &[])?)?;
    run(path, &plan, threads, validate)
}

fn run(path: &Path, plan: &Arc<Plan>, threads: usize, validate: Validate) -> anyhow::Result<u64> {
    let sources = [Source::File(path.to_path_buf())];
    let outcome = backtest::run(&Request {
        threads,
        validate,
        ..Request::new(plan, &sources, &Reading::default())
    })?;
    anyhow::ensure!(!outcome.folded.incidents.is_empty(), "no incident found");
    Ok(outcome.seen.records)
}

/// How many rules are compared with one.
const MANY: [usize; 2] = [1_000, 5_000];

/// Where rules look.
const PLACES: [&str; 4] = [
    "record.operationName",
    "record.properties.message",
    "record.resourceId",
    "record.properties.entity",
];

/// A kind of rules: the filter of the rule of a number. That of the first holds for commands.
type Kind = (&'static str, fn(usize) -> String);

const KINDS: [Kind; 4] = [
    ("equality", equality),
    ("CONTAIN", contain),
    ("REGEXP", regexp),
    ("mixed", mixed),
];

fn place(number: usize) -> &'static str {
    PLACES.get(number % PLACES.len()).unwrap_or(&"user")
}

fn equality(number: usize) -> String {
    match number {
        0 => {
            "record.operationName = \"Microsoft.Compute/virtualMachines/runCommand/action\"".into()
        }
        _ => format!(
            "{} = \"Microsoft.Example{number}/things/write\"",
            place(number)
        ),
    }
}

fn contain(number: usize) -> String {
    match number {
        0 => "record.properties.message CONTAIN \"runCommand\"".into(),
        _ => format!("{} CONTAIN \"example{number}/things\"", place(number)),
    }
}

fn regexp(number: usize) -> String {
    match number {
        0 => "record.properties.message REGEXP \"machines/runCommand/\"".into(),
        _ => format!(
            "{} REGEXP \"example{number}/.+/(write|delete)\"",
            place(number)
        ),
    }
}

fn mixed(number: usize) -> String {
    let place = place(number);
    match number % 8 {
        0 | 1 => equality(number),
        2 => contain(number),
        3 => regexp(number),
        4 => format!("{place} STARTS_WITH \"/things/{number}/\" AND user IS NOT NULL"),
        5 => format!("{place} ENDS_WITH \"/example{number}\" OR user = \"nobody{number}\""),
        6 => format!("{place} IN (\"one{number}\", \"two{number}\") AND NOT user = \"x\""),
        _ => format!("eventType = \"MS_EvtHub_example{number}_write\" AND {place} IS NOT NULL"),
    }
}

/// The plan of so many rules of a kind, and what loading it took.
fn planned(filter: fn(usize) -> String, rules: usize) -> anyhow::Result<(Arc<Plan>, Timed)> {
    let documents = (0..rules).map(|number| {
        let filter = filter(number);
        format!(
            "id: R{number}\nname: n\nseverity: 5\nwindow: 5m\npatterns:\n\
             - name: P\n  where: '{filter}'\n  group_by: [user]\n"
        )
    });
    let text = documents.collect::<Vec<_>>().join("---\n");
    let texts = Texts {
        rules: vec![("rules.yaml".to_owned(), text)],
        ..Texts::default()
    };
    let mut plan = None;
    let loading = timed(|| {
        plan = Some(cli::backtest::rules::plan_of(&texts)?);
        Ok(rules as u64)
    })?;
    Ok((plan.context("loaded")?, loading))
}

/// Megabytes of memory that the process has now.
fn memory() -> anyhow::Result<f64> {
    let pages = std::fs::read_to_string("/proc/self/statm")?;
    let resident = pages.split(' ').nth(1).context("resident")?;
    Ok(resident.parse::<f64>()? * 4096.0 / 1e6)
}

/// What many rules cost against one, by kind.
fn growth(args: &Args, path: &Path, records: u64) -> anyhow::Result<()> {
    for (kind, filter) in KINDS {
        let (one, _) = planned(filter, 1)?;
        for rules in MANY {
            let before = memory()?;
            let (many, loading) = planned(filter, rules)?;
            let loaded = memory()? - before;
            let mut ratios = Vec::with_capacity(args.rounds);
            let mut seconds = Vec::with_capacity(args.rounds);
            for _ in 0..args.rounds {
                let of_one = timed(|| run(path, &one, 1, Validate::All))?;
                let of_many = timed(|| run(path, &many, 1, Validate::All))?;
                anyhow::ensure!(of_many.records == records && of_one.records == records);
                ratios.push(of_many.processor / of_one.processor);
                seconds.push(of_many.processor);
            }
            println!(
                "{kind:9} {rules:5} rules: {:.3} times one rule, {:9.0} records/s; loaded in {:.2} \
                 s, {loaded:.0} MB",
                median(ratios)?,
                records as f64 / median(seconds)?,
                loading.seconds,
            );
        }
    }
    Ok(())
}
