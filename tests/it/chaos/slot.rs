//! A worker's place: its configuration, its disk, and the process that is there, if any.

use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use super::application::Application;
use super::schedule::NAMES;
use crate::kafka::cluster::Cluster;
use crate::worker::process::Worker;
use crate::worker::small_disk::SmallDisk;

/// Room for the state of a whole run, and less than RocksDB reserves for its log.
const DISK_MEBIBYTES: u32 = 24;

/// The number of the signal that asks a process to end.
const SIGTERM: i32 = 15;

/// What a worker says whose brokers are away for too long.
const AWAY: [&str; 5] = [
    "have not answered for",
    "nothing could be committed for",
    "could not be started within",
    "the client does not come back",
    " for 2m:",
];

/// How the process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// There is none.
    Gone,
    Running,
    Frozen,
    /// It was asked to end, then.
    Stopping(Instant),
}

/// How a process ended.
pub enum End {
    /// In order, as it was asked to.
    Asked,
    /// With an error that what was done to it explains: its last line.
    Explained(String),
    /// In any other way.
    Wrong(String),
}

/// The place of one worker.
pub struct Slot {
    pub name: &'static str,
    pub phase: Phase,
    /// A process is to run here.
    pub wanted: bool,
    /// Its state goes before the next start.
    pub lose: bool,
    /// Its disk was full at some time.
    pub was_full: bool,
    /// Its disk is full.
    pub full: bool,
    config: PathBuf,
    worker: Option<Worker>,
    disk: Option<SmallDisk>,
    /// What the processes before this one have logged.
    logs: Vec<String>,
}

impl Slot {
    /// An empty place for the worker `number`.
    pub fn new(number: usize, application: &Application, cluster: &Cluster) -> Slot {
        let name = NAMES[number];
        let config = application.prepare(name, &cluster.bootstrap_of(number));
        Slot {
            name,
            phase: Phase::Gone,
            wanted: false,
            lose: false,
            was_full: false,
            full: false,
            config,
            worker: None,
            disk: SmallDisk::mount(&application.disk(name), DISK_MEBIBYTES),
            logs: Vec::new(),
        }
    }

    /// Whether its disk can be filled.
    pub fn has_disk(&self) -> bool {
        self.disk.is_some()
    }

    /// Starts a process here.
    pub fn start(&mut self, application: &Application) {
        assert_eq!(self.phase, Phase::Gone);
        if std::mem::take(&mut self.lose) {
            application.lose_state(self.name);
        }
        self.worker = Some(Worker::start(&self.config));
        self.phase = Phase::Running;
    }

    /// Asks the process to end.
    pub fn stop(&mut self) {
        self.signal("TERM");
        self.phase = Phase::Stopping(Instant::now());
    }

    /// Sends the process a signal.
    pub fn signal(&self, name: &str) {
        if let Some(worker) = &self.worker {
            worker.signal(name);
        }
    }

    /// Kills the process.
    pub fn kill(&mut self) {
        if let Some(worker) = &mut self.worker {
            worker.crash();
        }
        self.bury();
    }

    /// How the process has ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        let ended = self.worker.as_mut().and_then(Worker::ended);
        if ended.is_some() {
            // Its last words are still on their way.
            std::thread::sleep(Duration::from_millis(100));
        }
        ended
    }

    /// Whether the process that runs here has got its partitions.
    pub fn is_ready(&self) -> bool {
        let ready = |worker: &Worker| worker.log().contains("worker: ready");
        self.worker.as_ref().is_some_and(ready)
    }

    /// What is to be thought of the end of a process. `asked`: it had got SIGTERM; `away`: its
    /// brokers were away, or are.
    pub fn judge(&self, status: ExitStatus, asked: bool, away: bool) -> End {
        let log = self.worker.as_ref().map(Worker::log).unwrap_or_default();
        let last = log.lines().rfind(|line| line.starts_with("error"));
        let last = last.unwrap_or("no error was logged").to_owned();
        // The signal came before the process had begun to listen to it.
        let too_early = asked && status.signal() == Some(SIGTERM) && !log.contains("worker starts");
        if too_early {
            return End::Asked;
        }
        let is_bug = log.contains("panicked") || log.contains("bug in watchfire");
        if is_bug || status.signal().is_some() {
            return End::Wrong(format!("{status}: {last}"));
        }
        if status.success() && asked {
            return End::Asked;
        }
        let full = self.was_full && last.contains("No space left on device");
        // Whoever is asked to end while brokers are away says what could not be done.
        let away = away && (asked || AWAY.iter().any(|said| last.contains(said)));
        match !status.success() && (full || away) {
            true => End::Explained(last),
            false => End::Wrong(format!("{status}: {last}")),
        }
    }

    /// Fills the disk.
    pub fn fill_disk(&mut self) {
        if let Some(disk) = &self.disk {
            disk.fill();
            (self.full, self.was_full) = (true, true);
        }
    }

    /// Gives the room back.
    pub fn free_disk(&mut self) {
        if let Some(disk) = self.disk.as_ref().filter(|_| self.full) {
            disk.free();
            self.full = false;
        }
    }

    /// Everything that was logged here, process after process.
    pub fn log(&self) -> String {
        let last = self.worker.as_ref().map(Worker::log).unwrap_or_default();
        let all = self.logs.iter().chain([&last]);
        all.map(|log| format!("--- a start ---\n{log}")).collect()
    }

    /// Keeps the log of a process that is no more.
    pub fn bury(&mut self) {
        if let Some(worker) = self.worker.take() {
            self.logs.push(worker.log());
        }
        self.phase = Phase::Gone;
    }
}
