//! In which ways brokers answer a worker wrongly for a while.

use std::time::Duration;

use kafka_protocol::error::ResponseError as Error;
use kafka_protocol::messages::ApiKey;

use crate::proxy::orders::Deed;
use crate::proxy::wrong::{COMMITS, DATA, GROUPS, TRANSACTIONS};
use crate::rng::Rng;

/// A kind of wrong answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// What writes and commits is done, and nobody says so.
    Outcomes,
    /// Transactions are refused, in one way or another.
    Transactions,
    /// So are offsets.
    Offsets,
    /// So is membership.
    Groups,
    /// So are reading and writing.
    Data,
    /// Every partition has another leader, it is said.
    Leaders,
    /// Every group and transaction has another coordinator.
    Coordinators,
    /// The same, and nobody knows which, while the worker ends.
    Leaving,
    /// Answers are held back, and say so.
    HeldBack,
    /// Fetches bring nothing, and no error.
    Nothing,
}

const MOVED: Deed = Deed::Refuse(Error::NotCoordinator);

/// What a coordinator is asked.
const COORDINATED: [ApiKey; 10] = [
    ApiKey::Heartbeat,
    ApiKey::JoinGroup,
    ApiKey::SyncGroup,
    ApiKey::LeaveGroup,
    ApiKey::OffsetCommit,
    ApiKey::OffsetFetch,
    ApiKey::TxnOffsetCommit,
    ApiKey::AddPartitionsToTxn,
    ApiKey::AddOffsetsToTxn,
    ApiKey::EndTxn,
];

impl Wrong {
    pub const ALL: [Wrong; 10] = [
        Wrong::Outcomes,
        Wrong::Transactions,
        Wrong::Offsets,
        Wrong::Groups,
        Wrong::Data,
        Wrong::Leaders,
        Wrong::Coordinators,
        Wrong::Leaving,
        Wrong::HeldBack,
        Wrong::Nothing,
    ];

    /// Its name in the table.
    pub fn kind(self) -> &'static str {
        match self {
            Wrong::Outcomes => "outcome unknown",
            Wrong::Transactions => "transactions refused",
            Wrong::Offsets => "offsets refused",
            Wrong::Groups => "membership refused",
            Wrong::Data => "data refused",
            Wrong::Leaders => "leaders moved",
            Wrong::Coordinators => "coordinators moved",
            Wrong::Leaving => "coordinator gone at the end",
            Wrong::HeldBack => "answers held back",
            Wrong::Nothing => "empty fetches",
        }
    }

    /// What is done to which requests.
    pub fn orders(self, random: &mut Rng) -> Vec<(ApiKey, Deed)> {
        let all = |apis: &[ApiKey], deed: Deed| apis.iter().map(|api| (*api, deed)).collect();
        let mut drawn = |table: &[(ApiKey, &[Deed])]| -> Vec<(ApiKey, Deed)> {
            let one = |(api, deeds): &(ApiKey, &[Deed])| (*api, *random.choose(deeds));
            table.iter().map(one).collect()
        };
        match self {
            Wrong::Outcomes => all(
                &[
                    ApiKey::EndTxn,
                    ApiKey::TxnOffsetCommit,
                    ApiKey::OffsetCommit,
                ],
                Deed::LoseAnswer,
            ),
            Wrong::Transactions => drawn(&TRANSACTIONS),
            Wrong::Offsets => [drawn(&COMMITS), drawn(&GROUPS[3..])].concat(),
            Wrong::Groups => drawn(&GROUPS[..3]),
            Wrong::Data => drawn(&DATA),
            Wrong::Leaders => all(
                &[ApiKey::Fetch, ApiKey::Produce, ApiKey::ListOffsets],
                Deed::Refuse(Error::NotLeaderOrFollower),
            ),
            Wrong::Coordinators => all(&COORDINATED, MOVED),
            Wrong::Leaving => {
                let gone = Deed::Refuse(Error::CoordinatorNotAvailable);
                let mut orders: Vec<(ApiKey, Deed)> = all(&COORDINATED, MOVED);
                orders.push((ApiKey::FindCoordinator, gone));
                orders
            }
            Wrong::HeldBack => all(
                &[
                    ApiKey::Produce,
                    ApiKey::Fetch,
                    ApiKey::OffsetCommit,
                    ApiKey::EndTxn,
                ],
                Deed::Throttle(Duration::from_millis(600)),
            ),
            Wrong::Nothing => all(&[ApiKey::Fetch], Deed::Empty),
        }
    }
}
