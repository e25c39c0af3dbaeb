//! Commits that did not come about.

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

/// Why everything since the last commit must be done again, from the committed offsets.
#[derive(Debug)]
pub enum Undone {
    /// The group was moving partitions between its members, as it does whenever one comes or goes.
    Moving(String),
    /// Something went wrong.
    Failed(String),
}

impl Undone {
    /// Says it; `what` is done again.
    pub fn log(&self, what: &str) {
        match self {
            Undone::Moving(reason) => {
                tracing::info!(reason, "partitions move between workers: {what}");
            }
            Undone::Failed(reason) => tracing::warn!(reason, "a commit has failed: {what}"),
        }
    }
}

/// Whether a commit is refused only because the group has decided anew, or is about to.
pub fn is_moving(error: &KafkaError) -> bool {
    let code = if let KafkaError::Transaction(why) = error {
        Some(why.code())
    } else {
        error.rdkafka_error_code()
    };
    matches!(
        code,
        Some(Code::IllegalGeneration | Code::RebalanceInProgress)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rebalance_is_told_from_a_failure() {
        let moving = |code| is_moving(&KafkaError::ConsumerCommit(code));
        assert!(moving(Code::IllegalGeneration) && moving(Code::RebalanceInProgress));
        assert!(!moving(Code::UnknownMemberId) && !moving(Code::BrokerTransportFailure));
    }
}
