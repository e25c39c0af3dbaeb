//! The worker: checks everything once, starts both stages, waits for the end of one of them or
//! for the signal to stop.

use std::collections::BTreeMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::client::{self, Health, START_PATIENCE};
use super::sink::Sink;
use super::status::Status;
use super::store::{Budget, Store};
use super::topics::{self, Names};
use super::{clock, correlate, detect, rule_files, rules_topic};
use crate::config::{Config, Delivery};
use crate::event::Attributes;
use crate::plan::{Catalogue, Plan, Source};
use crate::rule::{self, Rule};
use crate::time::second_of;

/// How long the stages may take to end once they are asked to.
const STOP_TIMEOUT: Duration = Duration::from_secs(9);

/// Why a worker ends without having been asked to.
#[derive(Debug)]
pub enum Failure {
    /// What it was given is wrong: every problem, a line each.
    Input(Vec<String>),
    /// Something failed while it ran.
    Run(anyhow::Error),
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Failure {
        Failure::Run(error)
    }
}

/// What the stages tell the worker.
enum Report {
    Ready,
    Ended(&'static str, Result<()>),
}

/// Runs a worker until SIGTERM or SIGINT.
///
/// # Errors
///
/// As [`run_until`] says.
pub fn run(config: &Config) -> Result<(), Failure> {
    run_until(config, Properties::Checked, || {
        let mut signals = Signals::new()?;
        Ok(async move { signals.received().await })
    })
}

/// Whether the properties of topics are checked before a worker starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Properties {
    /// They are.
    Checked,
    /// Only that the topics are there: for brokers that would be asked in vain.
    Trusted,
}

/// Runs a worker until what `stop` gives says why it should end. `stop` is called first of all,
/// so that a signal is noticed from the beginning.
///
/// # Errors
///
/// It could not start, or one of its stages failed. Nothing is lost: what was not committed is
/// done again by the next worker.
pub fn run_until<S: Future<Output = &'static str>>(
    config: &Config,
    properties: Properties,
    stop: impl FnOnce() -> Result<S>,
) -> Result<(), Failure> {
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let missing = config.missing_for_run();
    if !missing.is_empty() {
        return Err(Failure::Input(missing));
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .context("no runtime could be started")?;
    let stop = {
        let _inside = runtime.enter();
        stop()?
    };
    let (rules, attributes) = load_rules(&config.rules)?;
    let health = Health::new(config.kafka.brokers());
    let starting = {
        let (config, health) = (config.clone(), Arc::clone(&health));
        runtime.spawn_blocking(move || start(&config, &health, properties, &rules, &attributes))
    };
    let ended = runtime.block_on(async {
        let mut stop = std::pin::pin!(stop);
        tokio::select! {
            started = starting => {
                let started = started.context("the worker panicked while it started")??;
                supervise(config, &health, started, stop).await
            }
            why = &mut stop => {
                tracing::info!(why, "stopping before anything was begun");
                Ok(())
            }
        }
    });
    // What still waits for a broker need not be waited for.
    runtime.shutdown_background();
    Ok(ended?)
}

/// The enabled rules at the paths, or every error in them.
fn load_rules(paths: &[String]) -> Result<(Vec<Rule>, Attributes), Failure> {
    let paths: Vec<PathBuf> = paths.iter().map(PathBuf::from).collect();
    let files =
        rule_files::load(&paths).map_err(|error| Failure::Input(vec![format!("{error:#}")]))?;
    let mut attributes = Attributes::default();
    let rules = rule::parse_all(&files, &mut attributes)
        .map_err(|errors| Failure::Input(errors.iter().map(ToString::to_string).collect()))?;
    let enabled: Vec<Rule> = rules.into_iter().filter(|rule| rule.enabled).collect();
    if enabled.is_empty() {
        return Err(Failure::Input(vec!["rules: no rule is enabled".to_owned()]));
    }
    Ok((enabled, attributes))
}

/// The running stages.
struct Started {
    status: Arc<Status>,
    delivery: Delivery,
    reports: UnboundedReceiver<Report>,
}

fn start(
    config: &Config,
    health: &Arc<Health>,
    properties: Properties,
    rules: &[Rule],
    attributes: &Attributes,
) -> Result<Started> {
    let state_dir = Path::new(&config.state_dir);
    let existing = topics::partitions(config, health, START_PATIENCE)?;
    check_topics(config, health, properties, &existing)?;
    let store = Store::open(
        &state_dir.join("store"),
        &owner(config, health)?,
        budget(config),
    )?;
    let id = worker_id(state_dir)?;
    tracing::info!(
        app = config.app,
        id,
        brokers = config.kafka.brokers(),
        "worker starts"
    );

    let (catalogue, plan) = plan(config, health, rules, attributes, &existing)?;
    let sink = |stage: &str, delivery| {
        Sink::open(
            config,
            health,
            delivery,
            format!("{}-{stage}-{id}", config.app),
        )
    };
    let detect_sink = sink("detect", config.delivery)?;
    let delivery = detect_sink.delivery();
    let correlate_sink = sink("correlate", Some(delivery))?;
    let status = Arc::new(Status::default());
    let (tell, reports) = unbounded_channel();

    let matches = existing
        .get(&*Names::of(&config.app).matches)
        .copied()
        .unwrap_or(1);
    let ready = || -> Box<dyn FnOnce() + Send> {
        let tell = tell.clone();
        Box::new(move || report(&tell, Report::Ready))
    };
    let correlate = correlate::Stage::new(
        config,
        health,
        &status,
        catalogue,
        store,
        correlate_sink,
        ready(),
    );
    let detect = detect::Stage::new(config, health, &status, plan, matches, detect_sink, ready())?;
    spawn("correlate", &tell, move || correlate.run())?;
    spawn("detect", &tell, move || detect.run())?;
    Ok(Started {
        status,
        delivery,
        reports,
    })
}

fn spawn(
    stage: &'static str,
    tell: &UnboundedSender<Report>,
    run: impl FnOnce() -> Result<()> + Send + 'static,
) -> Result<()> {
    let tell = tell.clone();
    std::thread::Builder::new()
        .name(stage.to_owned())
        .spawn(move || {
            let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run))
                .unwrap_or_else(|_| Err(anyhow!("the stage panicked; this is a bug in watchfire")));
            report(&tell, Report::Ended(stage, ended));
        })?;
    Ok(())
}

fn report(tell: &UnboundedSender<Report>, report: Report) {
    if tell.send(report).is_err() {
        tracing::debug!("the worker has ended already");
    }
}

/// The signals that end the worker.
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl Signals {
    fn new() -> Result<Signals> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn received(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// Waits for the end. When one stage has ended, the other must, too.
async fn supervise(
    config: &Config,
    health: &Health,
    mut started: Started,
    mut stop: std::pin::Pin<&mut impl Future<Output = &'static str>>,
) -> Result<()> {
    let mut asked = false;
    let mut ticks = tokio::time::interval(config.status_interval);
    ticks.tick().await;
    let (mut waiting, mut running) = (2, 2);
    let mut outcome = Ok(());
    let mut deadline = None;
    while running > 0 {
        let patience = async move {
            match deadline {
                Some(deadline) => tokio::time::sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            Some(report) = started.reports.recv() => match report {
                Report::Ready => {
                    waiting -= 1;
                    if waiting == 0 {
                        tracing::info!("ready");
                    }
                }
                Report::Ended(stage, ended) => {
                    running -= 1;
                    if outcome.is_ok() {
                        outcome = ended.with_context(|| format!("stage {stage}"));
                    }
                    health.stop();
                    deadline.get_or_insert_with(|| tokio::time::Instant::now() + STOP_TIMEOUT);
                }
            },
            why = &mut stop, if !asked => {
                asked = true;
                tracing::info!(why, "stopping");
                health.stop();
                deadline.get_or_insert_with(|| tokio::time::Instant::now() + STOP_TIMEOUT);
            }
            _ = ticks.tick() => started.status.log(started.delivery),
            () = patience => {
                if outcome.is_ok() {
                    outcome = Err(anyhow!(
                        "the stages did not end within {} s; what was not committed is done \
                         again later",
                        STOP_TIMEOUT.as_secs()
                    ));
                }
                break;
            }
        }
    }
    started.status.log(started.delivery);
    outcome
}

/// # Errors
///
/// A topic is missing or is not as it must be; all that is wrong at once.
fn check_topics(
    config: &Config,
    health: &Arc<Health>,
    properties: Properties,
    existing: &BTreeMap<String, u32>,
) -> Result<()> {
    let names = Names::of(&config.app);
    let (brokers, mut problems) = (config.kafka.brokers(), Vec::new());
    for source in config
        .sources
        .iter()
        .filter(|source| !existing.contains_key(*source))
    {
        problems.push(format!(
            "source topic {source} does not exist on {brokers}; check `sources` in the \
             configuration"
        ));
    }
    for name in [
        &names.matches,
        &names.incidents,
        &names.dead_letters,
        &names.rules,
    ] {
        if !existing.contains_key(&**name) {
            problems.push(format!(
                "topic {name} does not exist on {brokers}; create it with `watchfire topics \
                 create` and this configuration"
            ));
        }
    }
    if problems.is_empty() && properties == Properties::Checked {
        // What can be another number without harm is for `topics check` to say.
        let deviations = topics::check(config, health)?;
        let grave = deviations
            .iter()
            .filter(|d| d.about != "partitions" || d.topic == *names.rules);
        problems.extend(grave.map(ToString::to_string));
    }
    if !problems.is_empty() {
        bail!("{}", problems.join("\n"));
    }
    Ok(())
}

/// Makes the plan of these rules and sources known, and loads it as everybody will.
fn plan(
    config: &Config,
    health: &Arc<Health>,
    rules: &[Rule],
    attributes: &Attributes,
    existing: &BTreeMap<String, u32>,
) -> Result<(Catalogue, Arc<Plan>)> {
    let catalogue = rules_topic::read(config, health)?;
    let sources = config.sources.iter().map(|topic| Source {
        topic: topic.clone(),
        partitions: existing.get(topic).copied().unwrap_or(0),
        epoch: catalogue.epoch(topic),
    });
    let minute = second_of(clock::now()).div_euclid(60) * 60;
    let draft = catalogue.draft(
        rules,
        attributes,
        config.settings,
        sources.collect(),
        minute,
    );
    let catalogue = if draft.entries.is_empty() {
        catalogue
    } else {
        rules_topic::write(config, health, &draft.entries)?;
        rules_topic::read(config, health)?
    };
    let plan = catalogue.plan(draft.plan).cloned().ok_or_else(|| {
        anyhow!(
            "plan {} was written to topic {}, and is not there: is that topic compacted, with one \
             partition?",
            draft.plan,
            Names::of(&config.app).rules
        )
    })?;
    tracing::info!(
        plan = plan.hash.to_string(),
        rules = plan.rules.len(),
        new_entries = draft.entries.len(),
        "plan in use"
    );
    Ok((catalogue, plan))
}

/// Whose fold the store holds: another application's or cluster's offsets mean nothing here.
fn owner(config: &Config, health: &Arc<Health>) -> Result<String> {
    use rdkafka::consumer::Consumer as _;
    let reader = client::reader(config, health, false)?;
    let cluster = reader
        .client()
        .fetch_cluster_id(client::CALL)
        .unwrap_or_default();
    Ok(format!("{}\n{cluster}", config.app))
}

fn budget(config: &Config) -> Budget {
    Budget {
        block_cache_bytes: config.block_cache_bytes,
        write_buffer_bytes: config.write_buffer_bytes,
    }
}

/// The name of this worker, made once and kept: the next process with this state directory ends
/// what the last one has left open.
fn worker_id(state_dir: &Path) -> Result<String> {
    let path = state_dir.join("id");
    let failed = || format!("the worker's id in {} cannot be kept", path.display());
    if path.exists() {
        let id = std::fs::read_to_string(&path).with_context(failed)?;
        let id = id.trim();
        if !id.is_empty() && id.chars().all(|c| c.is_ascii_alphanumeric()) {
            return Ok(id.to_owned());
        }
    }
    let mut hasher = RandomState::new().build_hasher();
    hasher.write_i64(clock::now());
    let id = format!("{:016x}", hasher.finish());
    std::fs::write(&path, &id).with_context(failed)?;
    Ok(id)
}
