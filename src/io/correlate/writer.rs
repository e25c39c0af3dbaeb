//! The two steps of a commit, beside the loop: incidents and offsets to the brokers, then the
//! states to the store.

use std::sync::Arc;

use anyhow::Result;

use crate::config::Config;
use crate::encode::message::{Outgoing, Publishing};
use crate::fold::state::Change;
use crate::incident::Incident;
use crate::io::beside::Beside;
use crate::io::disk::store::Store;
use crate::io::kafka::group::Membership;
use crate::io::kafka::sink::{Ended, Message, Outcome, Progress, Sink};
use crate::io::kafka::topics::Names;
use crate::io::stage::commits::Commits;

/// What is committed at once.
pub struct Batch {
    /// The membership under which it was read.
    pub membership: Membership,
    /// What is said, in order.
    pub publications: Vec<Incident>,
    /// How far that comes.
    pub progress: Vec<Progress>,
    /// By matches partition: what the store has then. None of it is beyond what is committed.
    pub changes: Vec<(u32, Vec<Change>)>,
}

/// Writes batches.
struct Writer {
    sink: Sink,
    store: Arc<Store>,
    incidents: Arc<str>,
    publishing: Publishing,
}

/// Commits that `sink` writes to the brokers, and then to `store`, on a thread of their own.
pub fn start(config: &Config, sink: Sink, store: &Arc<Store>) -> Result<Commits<Batch>> {
    let rhythm = sink.rhythm();
    let mut writer = Writer {
        sink,
        store: Arc::clone(store),
        incidents: Names::of(&config.app).incidents,
        publishing: config.publishing(),
    };
    let writer = Beside::start("correlate-commit", move |batch| Ended {
        outcome: writer.write(batch),
        rhythm: writer.sink.rhythm(),
    })?;
    Ok(Commits::new(writer, rhythm))
}

impl Writer {
    fn write(&mut self, batch: Batch) -> Result<Outcome> {
        let Batch {
            membership,
            publications,
            progress,
            changes,
        } = batch;
        let messages = publications.into_iter().map(|said| self.message(said));
        let messages: Vec<Message> = messages.collect();
        let outcome = self.sink.commit(&membership, &messages, &progress)?;
        match outcome {
            Outcome::Committed => self.store.write(&changes)?,
            Outcome::Undone(_) => (),
        }
        Ok(outcome)
    }

    fn message(&self, incident: Incident) -> Message {
        let Outgoing {
            key,
            headers,
            value,
        } = self.publishing.message(incident);
        Message {
            topic: Arc::clone(&self.incidents),
            key: Some(key),
            payload: value,
            headers,
            ..Message::default()
        }
    }
}
