//! Output and offsets in one transaction.

use std::sync::Arc;

use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::producer::Producer as _;

use super::undone::is_moving;
use super::{Fault, Message, Progress, Sink, Writer, offsets};
use crate::io::clock;
use crate::io::kafka::client;
use crate::io::kafka::group::Membership;
use crate::io::kafka::transactions::{CALL, Transactions, is_retriable};

impl Sink {
    /// Writes and commits in a transaction.
    pub(super) fn transact(
        &self,
        transactions: &Transactions,
        membership: &Membership,
        messages: &[Message],
        progress: &[Progress],
    ) -> Result<(), Fault> {
        let producer = transactions.producer();
        producer.context().begin();
        let offsets = offsets(progress).map_err(|error| Fault::Stop(error.into()))?;
        self.again(|| transactions.begin())?;
        messages
            .iter()
            .try_for_each(|message| self.send(producer, message))?;
        self.wait_for_deliveries(producer)?;
        let Some(member) = membership.shown().map(Arc::new) else {
            return Err(Fault::Abort("we are not in the group any more".to_owned()));
        };
        self.again(|| transactions.send_offsets(&offsets, &member))?;
        self.again(|| transactions.commit())
    }

    /// Makes a call about the transaction, and makes it again while that may help.
    fn again(&self, mut call: impl FnMut() -> KafkaResult<()>) -> Result<(), Fault> {
        let start = clock::instant();
        loop {
            let error = match call() {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            self.health
                .check(self.config.broker_timeout)
                .map_err(Fault::Stop)?;
            if let KafkaError::Transaction(why) = &error
                && why.txn_requires_abort()
            {
                return Err(match is_moving(&error) {
                    true => Fault::Moving(why.to_string()),
                    false => Fault::Abort(why.to_string()),
                });
            }
            if !is_retriable(&error) {
                return Err(Fault::Renew(client::words(&error)));
            }
            if start.elapsed() > self.config.broker_timeout {
                return Err(Fault::Renew(client::words(&error)));
            }
            self.health.check_stop("commit").map_err(Fault::Stop)?;
        }
    }

    /// Aborts the transaction, if there is one; the error says why it could not be.
    pub(super) fn abort(&self) -> Result<(), String> {
        let Writer::Transactional(transactions) = &self.writer else {
            return Ok(());
        };
        let start = clock::instant();
        loop {
            match transactions.abort() {
                Ok(()) => return Ok(()),
                Err(KafkaError::Transaction(error))
                    if error.is_retriable() && start.elapsed() < 4 * CALL =>
                {
                    self.health
                        .check_stop("abort")
                        .map_err(|error| error.to_string())?;
                }
                Err(error) => return Err(error.to_string()),
            }
        }
    }
}
