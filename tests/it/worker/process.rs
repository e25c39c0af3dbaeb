//! A `watchfire run` process.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::kafka::until;

/// The longest that a worker may take to end after SIGTERM.
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// A running worker. Dropping it kills it.
pub struct Worker {
    child: Child,
    log: Arc<Mutex<String>>,
}

impl Worker {
    pub fn start(config: &Path) -> Worker {
        Worker::start_by(Command::new(env!("CARGO_BIN_EXE_watchfire")), config)
    }

    /// The worker itself, with one more argument.
    pub fn start_arg(config: &Path, more: &str) -> Worker {
        Worker::start_with(
            Command::new(env!("CARGO_BIN_EXE_watchfire")),
            config,
            &[more],
        )
    }

    /// Starts it by a command that takes its arguments and becomes it.
    pub fn start_by(command: Command, config: &Path) -> Worker {
        Worker::start_with(command, config, &[])
    }

    /// The same, with more arguments.
    pub fn start_with(mut command: Command, config: &Path, more: &[&str]) -> Worker {
        // What tells the tests something would be warned of.
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("WATCHFIRE_CHAOS")) {
            command.env_remove(name);
        }
        let mut child = command
            .args(["run", "--config"])
            .arg(config)
            .args(more)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let (lines, sink) = (
            BufReader::new(child.stderr.take().unwrap()),
            Arc::clone(&log),
        );
        std::thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                let mut log = sink.lock().unwrap();
                log.push_str(&line);
                log.push('\n');
            }
        });
        Worker { child, log }
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    pub fn wait_for(&self, text: &str) {
        until(&format!("a worker logs {text:?}"), || {
            self.log().contains(text)
        });
    }

    /// Waits until it has logged `text` so many times.
    pub fn wait_for_times(&self, text: &str, times: usize) {
        until(&format!("a worker logs {text:?} {times} times"), || {
            self.log().matches(text).count() >= times
        });
    }

    pub fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill")
            .args([&format!("-{name}"), &id])
            .status()
            .unwrap();
        assert!(sent.success(), "kill -{name} {id}");
    }

    /// SIGKILL, for good.
    pub fn kill(mut self) {
        self.crash();
    }

    /// SIGKILL.
    pub fn crash(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Ends it with SIGTERM, and holds that nothing went wrong and it ends in time. Gives its log.
    pub fn stop(self) -> String {
        let log = self.stop_after_errors();
        assert!(!log.contains(" ERROR "), "{log}");
        log
    }

    /// Ends it with SIGTERM, whatever it complained of, and holds that it ends cleanly and in
    /// time. Gives its log.
    pub fn stop_after_errors(mut self) -> String {
        self.wait_for("ready");
        self.signal("TERM");
        let start = Instant::now();
        let code = self.child.wait().unwrap().code();
        assert_eq!(code, Some(0), "{}", self.log());
        assert!(
            start.elapsed() < STOP_LIMIT,
            "it took {:?}",
            start.elapsed()
        );
        self.log()
    }

    /// How it has ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Waits until it ends by itself: its exit code and its log.
    pub fn wait(mut self) -> (Option<i32>, String) {
        let mut code = None;
        until("a worker ends by itself", || {
            code = self.child.try_wait().unwrap();
            code.is_some()
        });
        std::thread::sleep(Duration::from_millis(100));
        (code.and_then(|code| code.code()), self.log())
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if self.child.kill().is_ok() {
            self.child.wait().unwrap();
        }
        if std::thread::panicking() {
            eprintln!("--- a worker's log ---\n{}", self.log());
        }
    }
}
