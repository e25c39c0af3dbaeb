//! Opening a matches partition: what is found of it, and what an operator is told of that.

use anyhow::{Result, bail};

use super::{Folding, Stage};
use crate::config::Delivery;
use crate::escape;
use crate::fold::partition::{CannotOpen, Commit, Found, Opened, Partition, Remark};
use crate::fold::state::{self, State};
use crate::io::clock;
use crate::io::group;
use crate::plan::{Catalogue, Unusable};

impl Stage {
    /// The fold of a partition whose log has the offsets `low..high`, ready to go on.
    pub(super) fn open_one(
        &mut self,
        place: &group::Partition,
        committed: Option<&group::Committed>,
        (low, high): (i64, i64),
    ) -> Result<Folding> {
        let (topic, number) = place;
        let number = u32::try_from(*number)?;
        let commit = committed.map(|committed| Commit {
            offset: committed.offset,
            metadata: committed.metadata.clone(),
        });
        let meta = self.store.get(number, State::META_ROW)?;
        let cursor = self.store.get(number, State::CURSOR_ROW)?;
        let committed = commit.as_ref().map_or(0, |commit| commit.offset);
        let accepts = |catalogue: &Catalogue| catalogue.accepts_loss(topic, number, committed);
        let mut found = Found {
            meta: meta.as_deref(),
            cursor: cursor.as_deref(),
            commit: commit.as_ref(),
            low,
            high,
            transactions: self.delivery == Delivery::ExactlyOnce,
            accept_incomplete: accepts(&self.known.catalogue),
        };
        let mut opened = Partition::open(found, &self.known.catalogue);
        if let Err(CannotOpen::Unusable(Unusable::Missing(_)) | CannotOpen::Missing(_)) = opened {
            self.known.catch_up()?;
            found.accept_incomplete = accepts(&self.known.catalogue);
            opened = Partition::open(found, &self.known.catalogue);
        }
        let opened = match opened {
            Ok(opened) => opened,
            Err(why) => bail!(self.explain(place, found, why)),
        };
        let Opened {
            partition,
            drop_rows,
            remarks,
        } = opened;
        for remark in remarks {
            tell((topic, number), found, remark);
        }
        if drop_rows {
            self.store.drop_partition(number)?;
        }
        let (from, until) = (partition.next(), partition.commit().offset);
        tracing::debug!(topic, partition = number, from, until, "partition opened");
        Ok(Folding {
            partition,
            end: high,
            kept: clock::instant(),
            commits_first: false,
            on_its_way: None,
        })
    }

    /// What it means to the operator that a partition cannot be opened.
    fn explain(&self, place: &group::Partition, found: Found<'_>, why: CannotOpen) -> String {
        let (topic, number) = place;
        let app = &self.config.app;
        let offset = found.commit.map_or(0, |commit| commit.offset);
        match why {
            CannotOpen::Shorter => format!(
                "{topic}/{number} ends at offset {}, and was read to {offset}: the topic was made \
                 anew. Give the application another name, or delete the consumer group \
                 {app}.correlate",
                found.high
            ),
            CannotOpen::Later => format!(
                "the committed offset of {topic}/{number} was noted by a newer version of \
                 watchfire ({}); use that one",
                escape::quoted(found.commit.map_or("", |commit| &commit.metadata))
            ),
            CannotOpen::Missing(first) => format!(
                "{topic}/{number} begins at offset {}, and the state needs it from {first}: its \
                 retention is too short, or the worker was down too long. `watchfire topics \
                 accept-loss` accepts that, once, and the workers go on with what there is; \
                 incidents may then miss events",
                found.low
            ),
            CannotOpen::Unusable(Unusable::Missing(hash)) => format!(
                "the state of {topic}/{number} names {hash}, which the rules topic of {app} does \
                 not have; that topic must be compacted, never deleted from"
            ),
            CannotOpen::Unusable(why @ Unusable::Unreadable(_)) => {
                format!("the state of {topic}/{number} rests on a rule that cannot be used: {why}")
            }
        }
    }
}

/// Tells what was met on opening a partition.
fn tell((topic, partition): (&str, u32), found: Found<'_>, remark: Remark) {
    match remark {
        Remark::Foreign => tracing::warn!(
            topic,
            partition,
            offset = found.commit.map(|commit| commit.offset),
            "a committed offset was not written by watchfire; folding all that the log has"
        ),
        Remark::Damaged => tracing::warn!(
            topic,
            partition,
            "the state on disk is damaged; folding again"
        ),
        Remark::Format(found) => tracing::warn!(
            topic,
            partition,
            found,
            known = state::FORMAT,
            "the state on disk is of another version; folding again"
        ),
        Remark::Incomplete(needed) => tracing::warn!(
            topic,
            partition,
            needed,
            begins = found.low,
            "the log lacks what the state needs"
        ),
    }
}
