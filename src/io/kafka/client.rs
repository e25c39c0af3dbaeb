//! Clients of the brokers: their settings, what their callbacks notice, and how long to wait.

mod errors;

use std::ffi::{CString, c_char};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use rdkafka::bindings::rd_kafka_oauthbearer_set_token;
use rdkafka::client::{Client, ClientContext, OAuthToken};
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode as Code};
use rdkafka::types::RDKafkaRespErr;

use super::login::Tokens;
use crate::config::Config;
use crate::io::clock;
pub use crate::io::lock::lock;

use errors::advice;
pub use errors::{cannot_create, chain, is_missing_topic, is_transient, is_transient_code, words};

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
    /// What clients log in with, where that is a token.
    tokens: Option<Tokens>,
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
    /// All is well with the configured brokers, as far as is known.
    pub fn of(config: &Config) -> Arc<Health> {
        let tokens = config.login.clone().map(Tokens::new);
        Health::with(config.kafka.brokers(), tokens)
    }

    /// Of brokers of which nothing is known.
    #[cfg(test)]
    pub(crate) fn unknown() -> Arc<Health> {
        Health::with("", None)
    }

    fn with(brokers: &str, tokens: Option<Tokens>) -> Arc<Health> {
        Arc::new(Health {
            brokers: brokers.to_owned(),
            tokens,
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

    /// Whether a broker answers, as far as is known.
    pub fn is_up(&self) -> bool {
        lock(&self.down).is_none()
    }

    /// A token to log in with, got before. Only the first one is waited for.
    pub fn token(&self) -> Result<OAuthToken> {
        let Some(tokens) = &self.tokens else {
            bail!("[login] does not say where tokens come from");
        };
        tokens.want()?;
        let start = clock::instant();
        loop {
            let problem = match tokens.current() {
                Some(Ok(token)) => {
                    return Ok(OAuthToken {
                        token: token.value.reveal().to_owned(),
                        // Nobody but the broker says who we are.
                        principal_name: "watchfire".to_owned(),
                        lifetime_ms: token.renewed_by(clock::now()),
                    });
                }
                Some(Err(problem)) => Some(problem),
                None => None,
            };
            let waits = !tokens.had_one()
                && !problem.as_ref().is_some_and(|problem| problem.lasting)
                && start.elapsed() < START_PATIENCE
                && !self.stopping();
            if !waits {
                let words = problem.map(|problem| problem.words);
                bail!(
                    "no token to log in with: {}",
                    words.as_deref().unwrap_or("no answer")
                );
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// Takes that a login failed. One with a password fails for good. A token may have expired on
    /// the way to a client that was not looked after; the first one of all has not.
    fn login_failed(&self, reason: &str) {
        let Some(tokens) = &self.tokens else {
            return self.refuse(format!(
                "the brokers at {} refused the login: {reason}. Check sasl.mechanism, \
                 sasl.username and the password",
                self.brokers
            ));
        };
        if tokens.problem().is_some() || NO_TOKEN.iter().any(|said| reason.contains(said)) {
            tracing::debug!(reason, "a client has no token");
        } else if self.answered.load(Ordering::Acquire) {
            self.hear(&format!("the token was refused: {reason}"));
            tokens.renew();
        } else {
            self.refuse(format!(
                "the brokers at {} refused the token: {reason}. Check that login.scope is of \
                 these brokers, and that the identity has the role Azure Event Hubs Data Receiver \
                 or Data Sender there; a new role takes some minutes to count",
                self.brokers
            ));
        }
    }

    /// # Errors
    ///
    /// The brokers refuse us, nobody gives us a token, or the brokers have been away for more than
    /// `patience`.
    pub fn check(&self, patience: Duration) -> Result<()> {
        if let Some(refused) = lock(&self.refused).as_ref() {
            bail!("{refused}");
        }
        let problem = self.tokens.as_ref().and_then(Tokens::problem);
        if let Some(problem) = problem.filter(|problem| problem.lasting) {
            bail!("no token to log in with: {}", problem.words);
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
        if let Some(problem) = self.tokens.as_ref().and_then(Tokens::problem) {
            return Some(format!("no token to log in with: {}", problem.words));
        }
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
            Some(Code::Authentication | Code::SaslAuthenticationFailed) => {
                self.login_failed(reason);
            }
            Some(
                Code::TopicAuthorizationFailed
                | Code::GroupAuthorizationFailed
                | Code::ClusterAuthorizationFailed
                | Code::TransactionalIdAuthorizationFailed,
            ) => self.refuse(format!(
                "the brokers at {} deny a permission: {reason}. Grant this user what it needs",
                self.brokers
            )),
            Some(Code::PartitionEOF) => (),
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

    /// Repeats `call` of `client` while the brokers are away, at most for `patience`. `what`
    /// completes "could not ..". Meanwhile nobody polls the client, so that it cannot ask for its
    /// next token; it is given one.
    pub fn patiently<C: ClientContext, T>(
        &self,
        client: &Client<C>,
        patience: Duration,
        what: &str,
        call: impl FnMut() -> KafkaResult<T>,
    ) -> Result<T> {
        self.while_passing(client, patience, what, is_transient, call)
    }

    /// The same for what is asked about topics: one that is gone may be made again.
    pub fn patiently_of_topics<C: ClientContext, T>(
        &self,
        client: &Client<C>,
        patience: Duration,
        what: &str,
        mut call: impl FnMut() -> KafkaResult<T>,
    ) -> Result<T> {
        let may_pass = |error: &KafkaError| is_transient(error) || is_missing_topic(error);
        let mut is_said = false;
        self.while_passing(client, patience, what, may_pass, || {
            let answer = call();
            if !is_said && answer.as_ref().is_err_and(is_missing_topic) {
                is_said = true;
                tracing::warn!("a topic does not exist any more; waiting until it is made again");
            }
            answer
        })
    }

    /// Repeats `call` while what it fails with may pass.
    fn while_passing<C: ClientContext, T>(
        &self,
        client: &Client<C>,
        patience: Duration,
        what: &str,
        may_pass: impl Fn(&KafkaError) -> bool,
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
            if !may_pass(&error) {
                bail!("could not {what}: {said}");
            }
            if start.elapsed() > patience {
                let patience = humantime::format_duration(Duration::from_secs(patience.as_secs()));
                let said = self.reason().unwrap_or(said);
                bail!("could not {what} for {patience}: {said}");
            }
            self.check_stop(what)?;
            std::thread::sleep(PAUSE);
            if let Err(error) = log_in(client, self) {
                tracing::debug!(error = chain(&error), "a client waits for its token");
            }
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

/// Gives a client a token, where it logs in with one. It asks for the next ones by itself, while it
/// is polled.
#[expect(unsafe_code, reason = "the client library's safe interface lacks it")]
pub fn log_in<C: ClientContext>(client: &Client<C>, health: &Health) -> Result<()> {
    if health.tokens.is_none() {
        return Ok(());
    }
    let token = health.token()?;
    let (value, name) = (
        CString::new(token.token)?,
        CString::new(token.principal_name)?,
    );
    let mut said: [c_char; 512] = [0; 512];
    // SAFETY: the client lives as long as `client`; the texts end with a zero, and are copied; what
    // is said fits into the room that is given for it.
    let code = unsafe {
        rd_kafka_oauthbearer_set_token(
            client.native_ptr(),
            value.as_ptr(),
            token.lifetime_ms,
            name.as_ptr(),
            std::ptr::null_mut(),
            0,
            said.as_mut_ptr(),
            said.len(),
        )
    };
    if code != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
        bail!("a client did not take its token: {code:?}");
    }
    Ok(())
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

/// What a client that asks for a token gets.
pub type TokenResult = Result<OAuthToken, Box<dyn std::error::Error>>;

/// What the client library says of a login for which it has no token.
const NO_TOKEN: [&str; 2] = [
    "there is no token available",
    "Failed to acquire SASL OAUTHBEARER token",
];

/// The callbacks of clients that belong to no group.
pub struct Callbacks(pub Arc<Health>);

impl ClientContext for Callbacks {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn generate_oauth_token(&self, _: Option<&str>) -> TokenResult {
        Ok(self.0.token()?)
    }

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
        .set("fetch.queue.backoff.ms", "5")
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
    let reader: BaseConsumer<Callbacks> = settings
        .create_with_context(Callbacks(Arc::clone(health)))
        .map_err(|e| cannot_create(&e))?;
    log_in(reader.client(), health)?;
    Ok(reader)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DISCONNECTED: &str =
        "b:9092/bootstrap: Disconnected: closed by peer (after 0ms in state APIVERSION_QUERY)";

    #[test]
    fn the_reason_is_in_the_final_error() {
        let health = Health::with("b:9092", None);
        let callbacks = Callbacks(Arc::clone(&health));
        let client: BaseConsumer<Callbacks> =
            ClientConfig::new().create_with_context(callbacks).unwrap();
        let fails = || Err::<(), _>(KafkaError::MetadataFetch(Code::BrokerTransportFailure));
        let ask = || health.patiently(client.client(), Duration::ZERO, "ask the brokers", fails);
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
