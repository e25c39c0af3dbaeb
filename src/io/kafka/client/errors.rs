//! What errors of the client library mean: whether waiting helps, what to do, and the words.

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

use crate::config::near_property;

/// Whether the same call may succeed later.
pub fn is_transient(error: &KafkaError) -> bool {
    error.rdkafka_error_code().is_some_and(is_transient_code)
}

/// Whether the topic that was asked about is not there. Whoever makes it anew deletes it first.
pub fn is_missing_topic(error: &KafkaError) -> bool {
    error.rdkafka_error_code() == Some(Code::UnknownTopicOrPartition)
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
            // Whether a refused login ends the process, its callback has decided.
            | Code::Authentication
            | Code::SaslAuthenticationFailed
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

/// What to do about a connection that fails for a reason that waiting does not help against.
pub(super) fn advice(reason: &str) -> Option<&'static str> {
    let has = |part: &str| reason.contains(part);
    let is_first_question = has("state APIVERSION_QUERY") && !has("ssl://");
    if has("PLAINTEXT broker listener") || has("wrong version number") || has("record layer") {
        Some(
            "this address seems to speak without TLS: set security.protocol to PLAINTEXT or \
             SASL_PLAINTEXT, or take the address of its TLS listener",
        )
    } else if has("SSL listener") || has("Invalid response size") || is_first_question {
        Some(
            "this address seems to want TLS: set security.protocol to SSL or SASL_SSL, or take \
             the address of its listener without TLS",
        )
    } else if has("certificate") {
        Some(
            "the broker's certificate is not trusted: let ssl.ca.location name the certificate of \
             the authority that signed it, and the address be one that it is made out for",
        )
    } else if has("might require SASL") {
        Some("this address seems to want a login: set security.protocol to SASL_SSL")
    } else if has("Failed to resolve") {
        Some("nobody knows the broker's name: check its address")
    } else {
        None
    }
}

/// An error with its causes in words, each once.
pub fn chain(error: &anyhow::Error) -> String {
    let mut parts: Vec<String> = Vec::new();
    for cause in error.chain() {
        let part = match (
            cause.downcast_ref::<KafkaError>(),
            cause.downcast_ref::<Code>(),
        ) {
            (Some(error), _) => words(error),
            (None, Some(code)) => words_of_code(*code),
            (None, None) => cause.to_string(),
        };
        if parts.last() != Some(&part) {
            parts.push(part);
        }
    }
    parts.join(": ")
}

/// An error of the client library in words, without the name of its code.
pub fn words(error: &KafkaError) -> String {
    match (error, error.rdkafka_error_code()) {
        (KafkaError::ClientConfig(..), _) => cannot_create(error).to_string(),
        (KafkaError::Transaction(why), _) => why.string(),
        (_, Some(code)) => words_of_code(code),
        (_, None) => error.to_string(),
    }
}

fn words_of_code(code: Code) -> String {
    let whole = code.to_string();
    let inner = whole.split_once(" (").map(|(_, words)| words);
    let inner = inner.and_then(|words| words.strip_suffix(')'));
    inner.unwrap_or(&whole).to_owned()
}

/// Why a client could not be made: most often a property that librdkafka does not know. Values
/// are not shown.
pub fn cannot_create(error: &KafkaError) -> anyhow::Error {
    if let KafkaError::ClientConfig(_, why, key, value) = error {
        let mut why = why.trim_end_matches('.').trim().to_owned();
        for part in value.split(',').map(str::trim).chain([value.as_str()]) {
            if !part.is_empty() {
                why = why.replace(&format!("\"{part}\""), "");
            }
        }
        let near = near_property(key).filter(|_| why.starts_with("No such"));
        let hint = near.map_or(String::new(), |near| format!("; did you mean \"{near}\"?"));
        anyhow::anyhow!("[kafka] \"{key}\": {why}{hint}")
    } else {
        anyhow::anyhow!("the Kafka client could not be made: {error}")
    }
}

#[cfg(test)]
mod tests {
    use rdkafka::config::ClientConfig;
    use rdkafka::consumer::BaseConsumer;
    use rdkafka::error::KafkaResult;

    use super::*;

    #[test]
    fn advises_what_to_do() {
        fn check(reason: &str, expected: &str) {
            let advice = advice(reason).unwrap_or("none");
            assert!(advice.contains(expected), "{reason}: {advice}");
        }
        check(
            "ssl://b:9092/bootstrap: SSL handshake failed: Disconnected: connecting to a PLAINTEXT \
             broker listener? (after 3ms in state SSL_HANDSHAKE)",
            "without TLS",
        );
        check(
            "b:9092/bootstrap: Disconnected: connection closed by peer (after 0ms in state \
             APIVERSION_QUERY)",
            "want TLS",
        );
        check(
            "b:9092/bootstrap: Receive failed: Invalid response size 352518400 (0..100000000)",
            "want TLS",
        );
        check(
            "ssl://b:9093/1: SSL handshake failed: certificate verify failed: broker certificate \
             could not be verified",
            "ssl.ca.location",
        );
        check(
            "sasl_ssl://ns/: Failed to resolve 'ns:9093'",
            "check its address",
        );
        check("b:9092/1: Connect failed: Connection refused", "none");
    }

    #[test]
    fn errors_are_said_in_words_and_once() {
        let error = KafkaError::MetadataFetch(Code::BrokerTransportFailure);
        let error = anyhow::Error::from(error).context("could not ask");
        assert_eq!(
            chain(&error),
            "could not ask: Local: Broker transport failure"
        );
        assert_eq!(chain(&anyhow::anyhow!("x").context("x")), "x");
    }

    #[test]
    fn no_value_of_a_property_is_shown() {
        let mut settings = ClientConfig::new();
        for (key, value) in [
            ("debug", "all,hush"),
            ("security.protocol", "hush"),
            ("hush?", "x"),
        ] {
            settings.set(key, value);
            let made: KafkaResult<BaseConsumer> = settings.create();
            let said = cannot_create(&made.err().unwrap()).to_string();
            assert!(
                said.contains(key) && !said.contains("\"hush\""),
                "{key}: {said}"
            );
            settings.remove(key);
        }
        settings.set("sasl.usernam", "hush");
        let made: KafkaResult<BaseConsumer> = settings.create();
        let said = cannot_create(&made.err().unwrap()).to_string();
        assert!(
            said.ends_with("; did you mean \"sasl.username\"?"),
            "{said}"
        );
    }
}
