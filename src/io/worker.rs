//! The worker: checks everything once, starts both stages, waits for the end of one of them or
//! for the signal to stop.

mod prepare;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::disk::rule_set::{self, RuleSet};
use super::disk::table_files::TableFiles;
use super::history::{self, History};
use super::http::Server;
use super::kafka::client::{self, Health, START_PATIENCE, lock};
use super::kafka::identity::Identity;
use super::kafka::sink::Sink;
use super::kafka::topics;
use super::noting::Noting;
use super::pool::Pool;
use super::registry;
use super::reload::{Ask, Plans, Reloader};
use super::stage::{Basis, Ready};
use super::status::Status;
use super::{clock, correlate, detect};
use crate::config::{Config, Delivery, OnBrokenRules};

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

/// Runs a worker until SIGTERM or SIGINT. It reads its rules again when they change, and at
/// SIGHUP. With `begin_anew` an application whose rules mean something else is begun anew.
///
/// # Errors
///
/// As [`run_until`] says.
pub fn run(config: &Config, begin_anew: bool) -> Result<(), Failure> {
    let beginning = Beginning {
        properties: Properties::Checked,
        anew: begin_anew,
    };
    run_until(config, beginning, |reload| {
        let mut signals = Signals::new(reload)?;
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

/// How a worker starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beginning {
    /// Whether the properties of topics are checked.
    pub properties: Properties,
    /// An application whose rules mean something else to those who wrote them is begun anew.
    pub anew: bool,
}

/// Runs a worker until what `stop` gives says why it should end. `stop` is called first of all,
/// so that a signal is noticed from the beginning, and with what asks for the rules to be read
/// again; they are also read when they change.
///
/// # Errors
///
/// It could not start, or one of its stages failed. Nothing is lost: what was not committed is
/// done again by the next worker.
pub fn run_until<S: Future<Output = &'static str>>(
    config: &Config,
    beginning: Beginning,
    stop: impl FnOnce(Sender<Ask>) -> Result<S>,
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
    let (ask, asked) = channel();
    let stop = {
        let _inside = runtime.enter();
        stop(ask.clone())?
    };
    let content = rule_set::content(config, &mut TableFiles::default());
    let set = rule_set::checked(content, config);
    let set = match (set, config.on_broken_rules) {
        (Err(problems), OnBrokenRules::Stop) => return Err(Failure::Input(problems)),
        (set, _) => set,
    };
    let health = Health::of(config);
    let status = Arc::new(Status::default());
    if let Some(http) = &config.http {
        let server = Server::bind(http, config, &health, &status)?;
        runtime.spawn(server.serve());
    }
    let starting = {
        let (config, health) = (config.clone(), Arc::clone(&health));
        runtime
            .spawn_blocking(move || start(&config, &health, status, beginning, set, (ask, asked)))
    };
    let ended = runtime.block_on(async {
        let mut stop = std::pin::pin!(stop);
        tokio::select! {
            started = starting => {
                let started = started.context("the worker panicked while it started")??;
                Ok(supervise(config, &health, started, stop).await?)
            }
            why = &mut stop => {
                tracing::info!(reason = why, "stopping before anything was begun");
                Ok(())
            }
        }
    });
    // What still waits for a broker need not be waited for.
    runtime.shutdown_background();
    ended
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
    status: Arc<Status>,
    beginning: Beginning,
    set: Result<RuleSet, Vec<String>>,
    (ask, asked): (Sender<Ask>, Receiver<Ask>),
) -> Result<Started, Failure> {
    let existing = topics::partitions(config, health, START_PATIENCE)?;
    prepare::check_existence(config, &existing)?;
    prepare::check_meaning(config, health, beginning.anew)?;
    let set = match set {
        Ok(set) => set,
        Err(problems) => {
            let set = prepare::last_good(config, health, problems)?;
            let mut reloading = lock(&status.reloading);
            (reloading.last_good, reloading.refused) = (true, 1);
            set
        }
    };
    let matches = prepare::matches_partitions(config, health, &existing)?;
    if beginning.properties == Properties::Checked {
        prepare::check_properties(config, health, &existing, matches, &set)?;
    }
    let (store, id) = prepare::state(config, health)?;
    let history = History::open(Path::new(&config.state_dir), clock::now());
    lock(&status.history).follow(history);
    let mut config = prepare::member(config, &id);
    config.framing = registry::framing(&config, health, Some(Path::new(&config.state_dir)))?;
    let config = &config;
    tracing::info!(
        app = config.app,
        id,
        brokers = config.kafka.brokers(),
        "worker starts"
    );

    let (known, plan) = prepare::plan(config, health, &set, &existing)?;
    let in_use = known.catalogue.in_use(Arc::clone(&plan));
    let identity = Arc::new(Identity::new(config, health, &id, known.end()));
    let detect_sink = sink(config, &identity, "detect", &id, config.delivery)?;
    let delivery = detect_sink.delivery();
    let correlate_sink = sink(config, &identity, "correlate", &id, Some(delivery))?;
    let (tell, reports) = unbounded_channel();
    let sink = correlate_sink;
    let noting = Noting::new(ask.clone());
    let rules = correlate::Rules { known, noting };
    let basis = Basis {
        config: config.clone(),
        health: Arc::clone(health),
        status: Arc::clone(&status),
        pool: Arc::new(Pool::start(config.threads)?),
    };
    let correlate = correlate::CorrelateStage::new(basis.clone(), rules, store, sink)?;
    let (plans, newer) = channel();
    let reloader = Reloader::new(
        config,
        health,
        &status,
        (plan, set, matches),
        (asked, plans),
    );
    let plans = Plans { in_use, newer, ask };
    let sink = detect_sink;
    let detect = detect::DetectStage::new(basis, plans, matches, sink)?;
    spawn("correlate", &tell, move |ready| correlate.run(ready))?;
    spawn("detect", &tell, move |ready| detect.run(ready))?;
    std::thread::Builder::new()
        .name("reload".to_owned())
        .spawn(move || reloader.run())
        .context("no thread could be started")?;
    Ok(Started {
        status,
        delivery,
        reports,
    })
}

/// Where `stage` of the worker `id` writes.
fn sink(
    config: &Config,
    identity: &Arc<Identity>,
    stage: &str,
    id: &str,
    delivery: Option<Delivery>,
) -> Result<Sink> {
    let transactional_id = format!("{}-{stage}-{id}", config.app);
    Sink::open(config, identity, delivery, transactional_id)
}

fn spawn(
    stage: &'static str,
    tell: &UnboundedSender<Report>,
    run: impl FnOnce(Ready) -> Result<()> + Send + 'static,
) -> Result<()> {
    let tell = tell.clone();
    let is_ready = tell.clone();
    let ready: Ready = Box::new(move || report(&is_ready, Report::Ready));
    std::thread::Builder::new()
        .name(stage.to_owned())
        .spawn(move || {
            let run = std::panic::AssertUnwindSafe(|| run(ready));
            let ended = std::panic::catch_unwind(run)
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

/// The signals that end the worker, and the one that has it read its rules again.
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    hangup: tokio::signal::unix::Signal,
    reload: Sender<Ask>,
}

impl Signals {
    fn new(reload: Sender<Ask>) -> Result<Signals> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            reload,
        })
    }

    /// The signal to end, once it comes.
    async fn received(&mut self) -> &'static str {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return "SIGTERM",
                _ = self.interrupt.recv() => return "SIGINT",
                _ = self.hangup.recv() => if self.reload.send(Ask::Rules).is_err() {
                    tracing::debug!("nobody reads the rules any more");
                },
            }
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
    let mut seconds = tokio::time::interval(Duration::from_secs(1));
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
                        started.status.answered.store(true, Ordering::Release);
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
                tracing::info!(reason = why, "stopping");
                health.stop();
                deadline.get_or_insert_with(|| tokio::time::Instant::now() + STOP_TIMEOUT);
            }
            _ = ticks.tick() => started.status.log(config, started.delivery),
            _ = seconds.tick() => keep_history(&started.status, health),
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
    started.status.log(config, started.delivery);
    keep_history(&started.status, health);
    outcome
}

/// Notes that the worker runs, and writes what has come to the history of troubles.
fn keep_history(status: &Status, health: &Health) {
    let written = {
        let mut history = lock(&status.history);
        history.tick(health.is_up(), clock::now());
        history.take_written()
    };
    if let Some(Err(error)) = written.map(history::write) {
        let error = client::chain(&error);
        tracing::debug!(error, "the history of troubles could not be written");
    }
}
