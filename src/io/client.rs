//! Clients of the brokers: their settings, what their callbacks notice, and how long to wait.

mod errors;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use rdkafka::client::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode as Code};

use super::clock;
use crate::config::Config;

use errors::advice;
pub use errors::{cannot_create, chain, is_transient, is_transient_code, words};

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
    /// Whether a broker has ever answered: then its address is right, and what fails is not that.
    answered: AtomicBool,
    stopping: AtomicBool,
    /// The brokers have no idempotent producers.
    lacks_idempotence: AtomicBool,
    stop_time: Mutex<Option<Instant>>,
    /// A failure that no waiting helps against.
    refused: Mutex<Option<String>>,
    /// Since when no broker answers, and the last reason heard.
    down: Mutex<Option<Instant>>,
    reason: Mutex<String>,
    /// What was last advised: said once, and not each time that a client tries again.
    advised: Mutex<&'static str>,
}

impl Health {
    /// All is well with the brokers at `brokers`, as far as is known.
    pub fn new(brokers: &str) -> Arc<Health> {
        Arc::new(Health {
            brokers: brokers.to_owned(),
            answered: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
            lacks_idempotence: AtomicBool::new(false),
            stop_time: Mutex::default(),
            refused: Mutex::default(),
            down: Mutex::default(),
            reason: Mutex::default(),
            advised: Mutex::default(),
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

    /// Notes that the brokers have no idempotent producers.
    pub fn do_without_idempotence(&self) {
        if !self.lacks_idempotence.swap(true, Ordering::AcqRel) {
            tracing::warn!(
                brokers = self.brokers,
                "the brokers have no idempotent producers: sending one by one"
            );
        }
    }

    /// Whether the brokers have idempotent producers, as far as is known.
    pub fn has_idempotence(&self) -> bool {
        !self.lacks_idempotence.load(Ordering::Acquire)
    }

    /// Notes that a broker has answered.
    pub fn up(&self) {
        self.answered.store(true, Ordering::Release);
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
        let reason = self.reason().unwrap_or_else(|| "no answer".to_owned());
        anyhow::anyhow!(
            "the brokers at {} have not answered for {}: {reason}",
            self.brokers,
            humantime::format_duration(Duration::from_secs(patience.as_secs())),
        )
    }

    /// Why no broker answers, as far as was heard, and what to do about it.
    fn reason(&self) -> Option<String> {
        let reason = lock(&self.reason).clone();
        let advice = advice(&reason).unwrap_or(
            "check that the brokers run, and the address and security.protocol in the \
             configuration",
        );
        (!reason.is_empty()).then(|| format!("{reason}. What to do: {advice}"))
    }

    /// Takes what librdkafka says of a connection that failed.
    fn hear(&self, reason: &str) {
        reason.clone_into(&mut lock(&self.reason));
        let Some(advice) = advice(reason) else {
            return;
        };
        let before = std::mem::replace(&mut *lock(&self.advised), advice);
        if before != advice && !self.answered.load(Ordering::Acquire) && !self.stopping() {
            tracing::warn!(reason, "no broker can be talked to: {advice}");
        }
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
                    let heard = lock(&self.reason).clone();
                    let reason = match heard.is_empty() {
                        true => "no answer",
                        false => &heard,
                    };
                    tracing::warn!(brokers = self.brokers, reason, "no broker answers; waiting");
                }
            }
            Some(_) | None => {
                self.hear(reason);
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
            let said = words(&error);
            if !is_transient(&error) {
                bail!("could not {what}: {said}");
            }
            if start.elapsed() > patience {
                let patience = humantime::format_duration(Duration::from_secs(patience.as_secs()));
                let said = self.reason().unwrap_or(said);
                bail!("could not {what} for {patience}: {said}");
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

/// Looks after a client: what it has to say about connections is said when it is asked.
pub fn look_after<C: ConsumerContext>(client: &BaseConsumer<C>) {
    // One question gives one of the things to say.
    for _ in 0..100 {
        if client.poll(Duration::ZERO).is_some() {
            tracing::debug!("the client has something to say");
        }
    }
}

/// The callbacks of clients that belong to no group.
pub struct Callbacks(pub Arc<Health>);

impl ClientContext for Callbacks {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(&self.0, level, facility, message);
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
pub fn log(health: &Health, level: RDKafkaLogLevel, facility: &str, message: &str) {
    if facility == "FAIL" {
        // Before it stands which of the client's threads says it.
        let threadless = message
            .strip_prefix("[thrd:")
            .and_then(|rest| rest.split_once("]: "));
        health.hear(threadless.map_or(message, |(_, reason)| reason));
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    const DISCONNECTED: &str =
        "b:9092/bootstrap: Disconnected: closed by peer (after 0ms in state APIVERSION_QUERY)";

    #[test]
    fn the_reason_is_in_the_final_error() {
        let health = Health::new("b:9092");
        let fails = || Err::<(), _>(KafkaError::MetadataFetch(Code::BrokerTransportFailure));
        let ask = || health.patiently(Duration::ZERO, "ask the brokers", fails);
        let said = ask().unwrap_err().to_string();
        assert_eq!(
            said,
            "could not ask the brokers for 0s: Local: Broker transport failure"
        );
        log(
            &health,
            RDKafkaLogLevel::Error,
            "FAIL",
            &format!("[thrd:b:9092/bootstrap]: {DISCONNECTED}"),
        );
        let said = format!("{:#}", ask().unwrap_err());
        assert!(
            said.contains("for 0s: b:9092/bootstrap: Disconnected"),
            "{said}"
        );
        assert!(
            said.contains("What to do: this address seems to want TLS"),
            "{said}"
        );
    }
}
