//! What brokers answer on bad days, and a worker gets over by itself.

use std::time::Duration;

use kafka_protocol::error::ResponseError as Error;
use kafka_protocol::messages::ApiKey;

use super::orders::Deed;
use super::orders::Deed::{Empty, LoseAnswer, LoseRequest, Refuse, Tell, Throttle};

/// What answers are held back for.
const HELD_BACK: Deed = Throttle(Duration::from_millis(700));

/// Of the requests that make a transaction.
pub const TRANSACTIONS: [(ApiKey, &[Deed]); 4] = [
    (
        ApiKey::AddPartitionsToTxn,
        &[
            Refuse(Error::ConcurrentTransactions),
            Refuse(Error::NotCoordinator),
            Refuse(Error::CoordinatorNotAvailable),
            Refuse(Error::InvalidProducerIdMapping),
            Refuse(Error::ProducerFenced),
            Tell(Error::UnknownServerError),
            LoseAnswer,
            LoseRequest,
            HELD_BACK,
        ],
    ),
    (
        ApiKey::AddOffsetsToTxn,
        &[
            Refuse(Error::ConcurrentTransactions),
            Refuse(Error::NotCoordinator),
            Refuse(Error::CoordinatorLoadInProgress),
            Refuse(Error::InvalidProducerEpoch),
            Tell(Error::UnknownServerError),
            LoseAnswer,
            LoseRequest,
        ],
    ),
    (
        ApiKey::TxnOffsetCommit,
        &[
            Refuse(Error::NotCoordinator),
            Refuse(Error::CoordinatorNotAvailable),
            Refuse(Error::CoordinatorLoadInProgress),
            Refuse(Error::IllegalGeneration),
            Refuse(Error::UnknownMemberId),
            Refuse(Error::InvalidProducerEpoch),
            Tell(Error::RequestTimedOut),
            Tell(Error::UnknownServerError),
            LoseAnswer,
            LoseRequest,
            HELD_BACK,
        ],
    ),
    (
        ApiKey::InitProducerId,
        &[
            Refuse(Error::CoordinatorNotAvailable),
            Refuse(Error::NotCoordinator),
            Refuse(Error::ConcurrentTransactions),
            LoseAnswer,
            LoseRequest,
        ],
    ),
];

/// Of commits without a transaction.
pub const COMMITS: [(ApiKey, &[Deed]); 1] = [(
    ApiKey::OffsetCommit,
    &[
        Refuse(Error::NotCoordinator),
        Refuse(Error::CoordinatorNotAvailable),
        Refuse(Error::CoordinatorLoadInProgress),
        Refuse(Error::ThrottlingQuotaExceeded),
        Refuse(Error::IllegalGeneration),
        Refuse(Error::UnknownMemberId),
        Refuse(Error::RebalanceInProgress),
        Tell(Error::RequestTimedOut),
        Tell(Error::CoordinatorNotAvailable),
        LoseAnswer,
        LoseRequest,
        HELD_BACK,
    ],
)];

/// Of the requests about a group and its offsets.
pub const GROUPS: [(ApiKey, &[Deed]); 5] = [
    (
        ApiKey::JoinGroup,
        &[
            Refuse(Error::CoordinatorLoadInProgress),
            Refuse(Error::CoordinatorNotAvailable),
            Refuse(Error::NotCoordinator),
            Refuse(Error::UnknownMemberId),
            Refuse(Error::RebalanceInProgress),
            LoseAnswer,
            LoseRequest,
        ],
    ),
    (
        ApiKey::SyncGroup,
        &[
            Refuse(Error::RebalanceInProgress),
            Refuse(Error::UnknownMemberId),
            Refuse(Error::NotCoordinator),
            Refuse(Error::IllegalGeneration),
            LoseAnswer,
        ],
    ),
    (
        ApiKey::Heartbeat,
        &[
            Refuse(Error::RebalanceInProgress),
            Refuse(Error::NotCoordinator),
            Refuse(Error::UnknownMemberId),
            Refuse(Error::CoordinatorNotAvailable),
            Refuse(Error::IllegalGeneration),
            LoseAnswer,
        ],
    ),
    (
        ApiKey::OffsetFetch,
        &[
            Refuse(Error::NotCoordinator),
            Refuse(Error::CoordinatorNotAvailable),
            Refuse(Error::CoordinatorLoadInProgress),
            Refuse(Error::UnstableOffsetCommit),
            LoseAnswer,
            HELD_BACK,
        ],
    ),
    (
        ApiKey::FindCoordinator,
        &[Refuse(Error::CoordinatorNotAvailable), LoseAnswer],
    ),
];

/// Of those that read and write.
pub const DATA: [(ApiKey, &[Deed]); 3] = [
    (
        ApiKey::Fetch,
        &[
            Refuse(Error::NotLeaderOrFollower),
            Refuse(Error::FencedLeaderEpoch),
            Refuse(Error::UnknownLeaderEpoch),
            Refuse(Error::KafkaStorageError),
            Refuse(Error::OffsetNotAvailable),
            Refuse(Error::UnknownTopicOrPartition),
            LoseAnswer,
            Empty,
            HELD_BACK,
        ],
    ),
    (
        ApiKey::Produce,
        &[
            Refuse(Error::NotLeaderOrFollower),
            Refuse(Error::LeaderNotAvailable),
            Refuse(Error::NotEnoughReplicas),
            Refuse(Error::KafkaStorageError),
            Refuse(Error::UnknownTopicOrPartition),
            Refuse(Error::PolicyViolation),
            Refuse(Error::InvalidProducerIdMapping),
            Refuse(Error::UnknownProducerId),
            Refuse(Error::OutOfOrderSequenceNumber),
            Tell(Error::NotEnoughReplicasAfterAppend),
            Tell(Error::RequestTimedOut),
            LoseAnswer,
            LoseRequest,
            HELD_BACK,
        ],
    ),
    (
        ApiKey::ListOffsets,
        &[
            Refuse(Error::NotLeaderOrFollower),
            Refuse(Error::LeaderNotAvailable),
            Refuse(Error::OffsetNotAvailable),
            LoseAnswer,
        ],
    ),
];
