//! Clients of the brokers: their settings, what their callbacks notice, and how long to wait.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rdkafka::client::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode as Code};

use super::clock;
use crate::config::Config;

/// How long brokers may be away when the worker starts.
pub const START_PATIENCE: Duration = Duration::from_secs(30);

/// How long calls go on being repeated once the process was asked to stop.
const STOP_PATIENCE: Duration = Duration::from_secs(5);

/// The longest that one call of the client library may take.
pub const CALL: Duration = Duration::from_secs(3);

/// Between two tries of a call.
pub const PAUSE: Duration = Duration::from_millis(100);

/// What all clients of the process know together: whether the brokers are there, and whether the
/// process is to stop.
#[derive(Debug)]
pub struct Health {
    brokers: String,
    stopping: AtomicBool,
    stop_time: Mutex<Option<Instant>>,
    /// A failure that no waiting helps against.
    refused: Mutex<Option<String>>,
    /// Since when no broker answers, and the last reason heard.
    down: Mutex<Option<Instant>>,
    reason: Mutex<String>,
}

impl Health {
    /// All is well with the brokers at `brokers`, as far as is known.
    pub fn new(brokers: &str) -> Arc<Health> {
        Arc::new(Health {
            brokers: brokers.to_owned(),
            stopping: AtomicBool::new(false),
            stop_time: Mutex::default(),
            refused: Mutex::default(),
            down: Mutex::default(),
            reason: Mutex::default(),
        })
    }

    /// Where the brokers are, as written.
    pub fn brokers(&self) -> &str {
        &self.brokers
    }

    /// Asks all loops to end.
    pub fn stop(&self) {
        lock(&self.stop_time).get_or_insert_with(clock::instant);
        self.stopping.store(true, Ordering::Release);
    }

    /// Whether the loops were asked to end.
    pub fn stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// Notes that a broker has answered.
    pub fn up(&self) {
        if lock(&self.down).take().is_some() {
            tracing::info!(brokers = self.brokers, "the brokers are back");
        }
    }

    /// # Errors
    ///
    /// The brokers refuse us, or have been away for more than `patience`.
    pub fn check(&self, patience: Duration) -> Result<()> {
        if let Some(refused) = lock(&self.refused).as_ref() {
            bail!("{refused}");
        }
        match *lock(&self.down) {
            Some(since) if since.elapsed() > patience => Err(self.away(patience)),
            Some(_) | None => Ok(()),
        }
    }

    /// No broker answered for `patience`.
    fn away(&self, patience: Duration) -> anyhow::Error {
        let reason = lock(&self.reason).clone();
        let reason = if reason.is_empty() {
            "no answer".to_owned()
        } else {
            reason
        };
        anyhow::anyhow!(
            "the brokers at {} have not answered for {}: {reason}. Check that they run, and the \
             address and security.protocol in the configuration",
            self.brokers,
            humantime::format_duration(Duration::from_secs(patience.as_secs())),
        )
    }

    fn notice(&self, code: Option<Code>, reason: &str) {
        match code {
            Some(Code::Authentication | Code::SaslAuthenticationFailed) => self.refuse(format!(
                "the brokers at {} refused the login: {reason}. Check sasl.mechanism, \
                 sasl.username and the password",
                self.brokers
            )),
            Some(
                Code::TopicAuthorizationFailed
                | Code::GroupAuthorizationFailed
                | Code::ClusterAuthorizationFailed
                | Code::TransactionalIdAuthorizationFailed,
            ) => self.refuse(format!(
                "the brokers at {} deny a permission: {reason}. Grant this user what it needs",
                self.brokers
            )),
            Some(Code::AllBrokersDown) if self.stopping() => (),
            Some(Code::AllBrokersDown) => {
                let mut down = lock(&self.down);
                if down.is_none() {
                    *down = Some(clock::instant());
                    let reason = lock(&self.reason).clone();
                    tracing::warn!(brokers = self.brokers, reason, "no broker answers; waiting");
                }
            }
            Some(_) | None => {
                reason.clone_into(&mut lock(&self.reason));
                tracing::debug!(reason, "a client reports a problem");
            }
        }
    }

    /// Ends all loops with this error: no waiting helps.
    pub fn refuse(&self, why: String) {
        lock(&self.refused).get_or_insert(why);
    }

    /// Repeats `call` while the brokers are away, at most for `patience`. `what` completes "could
    /// not ..".
    pub fn patiently<T>(
        &self,
        patience: Duration,
        what: &str,
        mut call: impl FnMut() -> KafkaResult<T>,
    ) -> Result<T> {
        let start = clock::instant();
        loop {
            let error = match call() {
                Ok(done) => {
                    self.up();
                    return Ok(done);
                }
                Err(error) => error,
            };
            self.check(patience)?;
            if !is_transient(&error) {
                return Err(error).with_context(|| format!("could not {what}"));
            }
            if start.elapsed() > patience {
                let patience = humantime::format_duration(Duration::from_secs(patience.as_secs()));
                return Err(error).with_context(|| format!("could not {what} for {patience}"));
            }
            self.check_stop(what)?;
            std::thread::sleep(PAUSE);
        }
    }

    /// # Errors
    ///
    /// The process was asked to stop, and what it waits for does not come.
    pub fn check_stop(&self, what: &str) -> Result<()> {
        match *lock(&self.stop_time) {
            Some(time) if time.elapsed() > STOP_PATIENCE => {
                bail!("could not {what} before the process had to stop; it is done again later")
            }
            Some(_) | None => Ok(()),
        }
    }
}

/// The value behind a lock; that another thread panicked while it held it changes nothing here.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether the same call may succeed later.
pub fn is_transient(error: &KafkaError) -> bool {
    error.rdkafka_error_code().is_some_and(is_transient_code)
}

/// Whether what failed with this code may succeed later.
pub fn is_transient_code(code: Code) -> bool {
    matches!(
        code,
        Code::AllBrokersDown
            | Code::BrokerTransportFailure
            | Code::OperationTimedOut
            | Code::MessageTimedOut
            | Code::TimedOutQueue
            | Code::Resolve
            | Code::SSL
            | Code::WaitCache
            | Code::WaitingForCoordinator
            | Code::InProgress
            | Code::PreviousInProgress
            | Code::Retry
            | Code::Outdated
            | Code::DestroyBroker
            | Code::RequestTimedOut
            | Code::LeaderNotAvailable
            | Code::NotLeaderForPartition
            | Code::BrokerNotAvailable
            | Code::ReplicaNotAvailable
            | Code::NetworkException
            | Code::CoordinatorLoadInProgress
            | Code::CoordinatorNotAvailable
            | Code::NotCoordinator
            | Code::NotController
            | Code::NotEnoughReplicas
            | Code::NotEnoughReplicasAfterAppend
            | Code::KafkaStorageError
            | Code::FencedLeaderEpoch
            | Code::UnknownLeaderEpoch
            // What one client knows may be older than what another does.
            | Code::UnknownPartition
            | Code::OffsetNotAvailable
            | Code::UnstableOffsetCommit
            | Code::ConcurrentTransactions
            | Code::ThrottlingQuotaExceeded
            | Code::PolicyViolation
    )
}

/// The callbacks of clients that belong to no group.
pub struct Callbacks(pub Arc<Health>);

impl ClientContext for Callbacks {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        notice(&self.0, &error, reason);
    }
}

impl ConsumerContext for Callbacks {}

/// Connections that fail come again with the error callback, which says it once; all clients get
/// all properties, also those for other kinds of clients; and what the end of a transaction means
/// is said by the stage that has begun it: to be told that the group moves partitions is no error.
const QUIET: [&str; 4] = ["FAIL", "REQTMOUT", "CONFWARN", "TXNERR"];

/// Passes librdkafka's log on.
pub fn log(level: RDKafkaLogLevel, facility: &str, message: &str) {
    match level {
        _ if QUIET.contains(&facility) => {
            tracing::debug!(target: "librdkafka", facility, message);
        }
        RDKafkaLogLevel::Emerg
        | RDKafkaLogLevel::Alert
        | RDKafkaLogLevel::Critical
        | RDKafkaLogLevel::Error
        | RDKafkaLogLevel::Warning
        | RDKafkaLogLevel::Notice => tracing::info!(target: "librdkafka", facility, message),
        RDKafkaLogLevel::Info | RDKafkaLogLevel::Debug => {
            tracing::debug!(target: "librdkafka", facility, message);
        }
    }
}

/// Takes an error that a client reports on its own account.
pub fn notice(health: &Health, error: &KafkaError, reason: &str) {
    health.notice(error.rdkafka_error_code(), reason);
}

/// The settings that all clients have.
pub fn settings(config: &Config) -> ClientConfig {
    let mut settings = ClientConfig::new();
    settings.set("client.id", &config.app);
    // By default a client waits up to 10 s between two attempts to reach a broker that was away,
    // for each kind of connection: incidents would wait for all of them.
    settings.set("reconnect.backoff.max.ms", "2000");
    settings.set_log_level(RDKafkaLogLevel::Info);
    settings
}

/// Lays what the operator wrote over `settings`.
pub fn configured(settings: &mut ClientConfig, config: &Config) {
    for (key, value) in &config.kafka.properties {
        settings.set(key, value);
    }
    for (key, value) in &config.kafka.secrets {
        settings.set(key, value.reveal());
    }
}

/// How long a stage may be busy with other things than its group before others take its place; and
/// how long a group waits for a member that does not join again, and a member for the group's
/// answer. Nothing that a stage does takes nearly as long while its brokers are there.
const POLL_INTERVAL: &str = "max.poll.interval.ms";
const POLL_INTERVAL_MS: u64 = 120_000;

const METADATA_REFRESH: &str = "topic.metadata.refresh.interval.ms";
const METADATA_REFRESH_MS: u64 = 30_000;

/// How often a client looks whether its topics have got more partitions.
pub fn metadata_refresh(config: &Config) -> Duration {
    let written = config.kafka.properties.get(METADATA_REFRESH);
    let written = written.and_then(|text| text.parse().ok());
    Duration::from_millis(written.unwrap_or(METADATA_REFRESH_MS))
}

/// A property that is a number, if it is one.
fn number(settings: &ClientConfig, key: &str) -> Option<u64> {
    settings.get(key)?.parse().ok()
}

/// The settings of a consumer that reads what transactions have committed. Its memory is
/// bounded; positions are always given to it.
pub fn consumer_settings(config: &Config, group: &str) -> ClientConfig {
    let mut settings = settings(config);
    settings
        .set("queued.max.messages.kbytes", "32768")
        .set("fetch.queue.backoff.ms", "50")
        .set("fetch.wait.max.ms", "100")
        .set("session.timeout.ms", "10000")
        .set("heartbeat.interval.ms", "3000")
        // How soon the group sees that a topic has got more partitions.
        .set(METADATA_REFRESH, METADATA_REFRESH_MS.to_string());
    configured(&mut settings, config);
    let session = number(&settings, "session.timeout.ms").unwrap_or(0);
    let poll_max = number(&settings, POLL_INTERVAL).unwrap_or(POLL_INTERVAL_MS.max(session));
    settings.set(POLL_INTERVAL, poll_max.to_string());
    settings
        .set("group.id", group)
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "error")
        .set("isolation.level", "read_committed");
    settings
}

/// A consumer without a part in any group, to ask brokers and to read partitions named to it.
/// (The client library wants the name of a group all the same.)
pub fn reader(config: &Config, health: &Arc<Health>, eof: bool) -> Result<BaseConsumer<Callbacks>> {
    reader_with(
        config,
        health,
        &[("enable.partition.eof", if eof { "true" } else { "false" })],
    )
}

/// [`reader`] with more settings.
pub fn reader_with(
    config: &Config,
    health: &Arc<Health>,
    more: &[(&str, &str)],
) -> Result<BaseConsumer<Callbacks>> {
    let mut settings = consumer_settings(config, &format!("{}.detect", config.app));
    for (key, value) in more {
        settings.set(*key, *value);
    }
    settings
        .create_with_context(Callbacks(Arc::clone(health)))
        .map_err(|e| cannot_create(&e))
}

/// Why a client could not be made: most often a property that librdkafka does not know. Values
/// are not shown.
pub fn cannot_create(error: &KafkaError) -> anyhow::Error {
    if let KafkaError::ClientConfig(_, why, key, _) = error {
        anyhow::anyhow!("[kafka] \"{key}\": {}", why.trim_end_matches('.'))
    } else {
        anyhow::anyhow!("the Kafka client could not be made: {error}")
    }
}
