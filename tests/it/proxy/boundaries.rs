//! What is done at the end of every transaction that is to be committed: its outcome is unknown to
//! the client, in one way or another.

use std::collections::BTreeMap;

use kafka_protocol::error::ResponseError as Error;
use kafka_protocol::messages::RequestKind;

use super::orders::Deed;
use super::wire::Request;
use crate::rng::Rng;

/// What may happen to the requests that end one transaction, one after the other. Whatever the
/// client asks after that passes.
const STORIES: [&[Deed]; 12] = [
    // Committed, and nobody says so.
    &[Deed::LoseAnswer],
    &[Deed::LoseAnswer, Deed::LoseAnswer],
    // Not committed, and it looks the same.
    &[Deed::LoseRequest],
    &[Deed::LoseRequest, Deed::LoseAnswer],
    // Committed, and the coordinator seems to be elsewhere, or not ready.
    &[Deed::Tell(Error::NotCoordinator)],
    &[Deed::Tell(Error::CoordinatorNotAvailable), Deed::LoseAnswer],
    &[Deed::Tell(Error::CoordinatorLoadInProgress)],
    &[
        Deed::LoseAnswer,
        Deed::Refuse(Error::ConcurrentTransactions),
    ],
    // Committed, and the client is told that it is not, and will not be.
    &[Deed::Tell(Error::UnknownServerError)],
    &[Deed::Tell(Error::InvalidProducerIdMapping)],
    // Committed, and the client believes that another one has taken its place.
    &[Deed::Tell(Error::InvalidProducerEpoch)],
    // Not committed, and the same.
    &[Deed::Refuse(Error::ProducerFenced)],
];

/// How far the transactions of each id are.
pub struct Boundaries {
    random: Rng,
    /// What is still to be done at the end of a transaction; `None`: it has not come to its end.
    left: BTreeMap<String, Option<Vec<Deed>>>,
    count: u32,
}

impl Boundaries {
    /// Something at every one, drawn by a seed.
    pub fn drawn(seed: u64) -> Boundaries {
        Boundaries {
            random: Rng::new(seed),
            left: BTreeMap::new(),
            count: 0,
        }
    }

    /// At how many something was done.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// What is to be done to a request, if it ends a transaction.
    pub fn decide(&mut self, request: &Request) -> Option<Deed> {
        match &request.kind {
            RequestKind::AddOffsetsToTxn(request) => {
                self.left.insert(request.transactional_id.to_string(), None);
                None
            }
            RequestKind::EndTxn(request) if request.committed => {
                let left = self.left.get_mut(request.transactional_id.as_str())?;
                let random = &mut self.random;
                let left = left.get_or_insert_with(|| {
                    self.count += 1;
                    let story = random.choose(&STORIES);
                    story.iter().rev().copied().collect()
                });
                left.pop()
            }
            _ => None,
        }
    }
}
