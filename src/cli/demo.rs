//! `watchfire demo`: the real worker on a generated stream, with brokers inside the process.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};

use super::{backtest, log, screen, table};
use crate::config::{Config, Input, Written};
use crate::detect::{Found, Matcher};
use crate::encode::read::IncidentReader;
use crate::event::Attributes;
use crate::fold::key::pane::Origin;
use crate::generate::{Generator, Options};
use crate::incident::Incident;
use crate::io::clock;
use crate::io::demo::{Brokers, play};
use crate::io::kafka::client::Health;
use crate::io::kafka::tail::{self, Begin, Range};
use crate::io::kafka::topics::Names;
use crate::io::worker::{self, Beginning, Failure, Properties};
use crate::matches::MatchedRecord;
use crate::record::Position;
use crate::replay::Replay;
use crate::rule::{self, Texts};

/// Watch the worker at work: a generated stream of Azure events with an attack in it.
///
/// Needs no broker and no set-up, and ends by itself in less than half a minute.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Which stream: another number, another stream.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

const TOPIC: &str = "insights-activity-logs";

const PARTITIONS: i32 = 3;

/// Event time that the stream covers, and how many times faster it is played.
const STREAM_MS: i64 = 72_000;
const SPEED: u32 = 6;

/// How long a consumer group of these brokers takes to begin.
const HEAD_START: Duration = Duration::from_secs(3);

/// Silence after the stream that means that all was said.
const SILENCE: Duration = Duration::from_secs(3);

/// However it goes, the demo ends.
const LONGEST: Duration = Duration::from_secs(24);

include!(concat!(env!("OUT_DIR"), "/rules.rs"));

/// What went into the brokers: the values of messages, in their order.
type Sent = Vec<Vec<u8>>;

/// Runs the demo.
///
/// # Errors
///
/// The worker or the brokers inside the process failed.
pub fn run(args: &Args) -> Result<ExitCode> {
    // Brokers and clients are of this process: where nobody reads the demo they end together, and
    // what the clients say of that helps nobody.
    log::start_at("error,librdkafka=off,rdkafka=off", false)?;
    let folder = tempfile::tempdir().context("no place for the demo's state")?;
    let rules = rules();
    let brokers = Brokers::start(&[
        (TOPIC, PARTITIONS),
        ("demo.matches", 4),
        ("demo.incidents", 1),
        ("demo.dead-letters", 1),
        ("demo.rules", 1),
    ])?;
    let config = config(folder.path(), &brokers.address(), &rules)?;
    screen::out(format_args!(
        "Watchfire demo: a Kafka broker inside this process, the real worker, {} of the {} rules\n\
         that are shipped (those that need no past), and a generated stream of Azure events. One\n\
         user is about to run commands on several machines.\n\n",
        rules.len(),
        SHIPPED.len()
    ))?;
    let (tell, incidents) = channel();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let worker = spawn_worker(config.clone(), stopped);
    spawn_listener(config, tell);
    let player = spawn_player(args.seed, brokers.address());
    show(&incidents, &|| player.is_finished(), &|| {
        worker.is_finished()
    })?;
    drop(stop);
    let ended = worker.join().map_err(|_| anyhow!("the worker panicked"))?;
    let sent = player
        .join()
        .map_err(|_| anyhow!("the stream ended early"))??;
    match ended {
        Ok(()) => conclude(&sent, &rules),
        Err(Failure::Run(error)) => Err(error),
        Err(Failure::Input(problems)) => Err(anyhow!(problems.join("; "))),
    }
}

/// The shipped rules that say something within minutes: none asks what is new since days, or waits
/// for what does not come.
fn rules() -> Vec<&'static str> {
    let says_soon = |text: &&str| {
        let parsed = rule::parse("shipped", text, &mut Attributes::default());
        parsed.is_ok_and(|rules| {
            rules.iter().all(|rule| {
                let is_new = rule.patterns.iter().any(|pattern| pattern.new.is_some());
                !is_new && !rule.condition.has_absence()
            })
        })
    };
    SHIPPED.iter().copied().filter(says_soon).collect()
}

fn spawn_worker(
    config: Config,
    stopped: tokio::sync::oneshot::Receiver<()>,
) -> JoinHandle<Result<(), Failure>> {
    std::thread::spawn(move || {
        let beginning = Beginning {
            properties: Properties::Trusted,
            anew: false,
        };
        worker::run_until(&config, beginning, |_| {
            Ok(async {
                // An error says that the sender is gone: the demo is over, too.
                match stopped.await {
                    Ok(()) | Err(_) => "the demo is over",
                }
            })
        })
    })
}

/// Reads the incidents topic as a consumer of it would, until the process ends.
fn spawn_listener(config: Config, tell: Sender<Incident>) {
    std::thread::spawn(move || {
        if let Err(error) = listen(&config, &tell) {
            tracing::debug!(%error, "the demo's reader ended");
        }
    });
}

fn config(folder: &Path, brokers: &str, texts: &[&str]) -> Result<Config> {
    let rules = folder.join("rules");
    std::fs::create_dir(&rules)?;
    for (number, text) in texts.iter().enumerate() {
        std::fs::write(rules.join(format!("{number}.yaml")), text)?;
    }
    let text = format!(
        "app = \"demo\"\nsources = [\"{TOPIC}\"]\nrules = [\"{}\"]\nstate_dir = \"{}\"\n\
         delivery = \"at_least_once\"\nmatches_partitions = 4\nincidents_partitions = 1\n\
         watermark_interval = \"1s\"\n[kafka]\n\"bootstrap.servers\" = \"{brokers}\"\n\
         \"session.timeout.ms\" = 6000\n\"heartbeat.interval.ms\" = 1000\n",
        rules.display(),
        folder.join("state").display(),
    );
    Config::build(Input {
        file: Some(("demo.toml", &text)),
        environment: &BTreeMap::new(),
        flags: Written::default(),
        read_secret: &|_| Err("the demo has no secrets".to_owned()),
        memory_limit: None,
    })
    .map_err(|problems| anyhow!(problems.join("; ")))
}

/// Plays the stream on a thread of its own, which gives what it sent.
fn spawn_player(seed: u64, address: String) -> JoinHandle<Result<Sent>> {
    std::thread::spawn(move || {
        std::thread::sleep(HEAD_START);
        let start = clock::now() - STREAM_MS;
        let options = Options {
            action_gap_ms: 30,
            commands_per_million: 400,
            attack_after_ms: Some(12_000),
            ..Options::usual(start)
        };
        let end = start + STREAM_MS;
        let messages = Generator::new(seed, options).take_while(|message| message.time < end);
        let mut sent = Sent::new();
        play(
            &address,
            TOPIC,
            PARTITIONS,
            messages,
            (start, SPEED),
            |message| {
                sent.push(message.bytes.clone());
            },
        )?;
        Ok(sent)
    })
}

/// Reads the incidents topic as a consumer of it would.
fn listen(config: &Config, tell: &Sender<Incident>) -> Result<()> {
    let reader = IncidentReader::new()?;
    let health = Health::of(config);
    let range = Range {
        begin: Begin::Oldest,
        until_end: false,
    };
    let topic = Names::of(&config.app).incidents;
    tail::tail(config, &health, &topic, range, &mut |message| {
        let incident = reader.read(&message.value)?;
        tell.send(incident).context("nobody listens any more")?;
        Ok(ControlFlow::Continue(()))
    })
}

/// Prints incidents as they come until all is said.
fn show(
    incidents: &Receiver<Incident>,
    all_sent: &dyn Fn() -> bool,
    worker_ended: &dyn Fn() -> bool,
) -> Result<()> {
    let mut table = table::on_stdout();
    let began = clock::instant();
    let mut heard = clock::instant();
    while began.elapsed() < LONGEST && !worker_ended() {
        match incidents.recv_timeout(Duration::from_millis(200)) {
            Ok(incident) => {
                heard = clock::instant();
                table.print(&incident)?;
            }
            Err(RecvTimeoutError::Timeout) => {
                if all_sent() && heard.elapsed() > SILENCE {
                    break;
                }
            }
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    Ok(())
}

/// Shows what a backtest makes of the same messages, and what the greatest incident rests on.
fn conclude(sent: &[Vec<u8>], rules: &[&str]) -> Result<ExitCode> {
    let (records, incidents) = replay(sent, rules)?;
    screen::out(format_args!(
        "\nThe stream had {records} records in {} messages. A backtest of it, which knows how each \
         story\nended, says:\n\n",
        sent.len()
    ))?;
    let mut table = table::on_stdout();
    for incident in &incidents {
        table.print(incident)?;
    }
    let Some(attack) = incidents.iter().max_by_key(|incident| incident.event_count) else {
        return Err(anyhow!("the stream had no incident"));
    };
    screen::out(format_args!(
        "\n{} ({}, {})\nrests on {} events, the first of them:\n",
        attack.title,
        attack.rule_id,
        attack.techniques.join(", "),
        attack.event_count
    ))?;
    for evidence in &attack.evidence {
        screen::out(format_args!(
            "  {}  partition {} offset {} record {}  {}\n",
            crate::time::rfc3339(evidence.time),
            evidence.partition,
            evidence.offset,
            evidence.index,
            evidence.event_type.as_deref().unwrap_or("-"),
        ))?;
    }
    screen::out(format_args!(
        "\nNext: `watchfire run --help`, or README.md.\n"
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// The number of records in the messages, and the incidents that they make.
fn replay(sent: &[Vec<u8>], rules: &[&str]) -> Result<(u64, Vec<Incident>)> {
    let rules = rules.iter();
    let plan = backtest::rules::plan_of(&Texts {
        rules: rules
            .map(|text| ("rules".to_owned(), (*text).to_owned()))
            .collect(),
        lists: Vec::new(),
        ..Texts::default()
    })?;
    let mut matcher = Matcher::new(&plan);
    let mut replay = Replay::new(plan);
    let topic = replay.topic(TOPIC);
    let mut count = 0;
    for ((value, number), partition) in sent.iter().zip(0_i64..).zip((0..PARTITIONS).cycle()) {
        let offset = number / i64::from(PARTITIONS);
        let origin = Origin {
            topic,
            partition: partition.unsigned_abs(),
        };
        let message = matcher.message(value, None);
        let mut records = matcher.records(&message);
        while let Some(record) = records.next() {
            count += 1;
            if let Found::Event {
                matched: Some(found),
                ..
            } = record.outcome
            {
                let position = Position {
                    epoch: 0,
                    offset,
                    index: record.index,
                };
                replay.add(&MatchedRecord { position, ..found }, origin);
            }
        }
    }
    Ok((count, replay.finish()))
}
