//! Opening a matches partition: what is found of it, and what an operator is told of that.

use std::collections::BTreeMap;

use anyhow::{Result, bail};

use super::{CorrelateStage, Folding};
use crate::bookmark::{Bookmark, There};
use crate::config::Delivery;
use crate::escape;
use crate::fold::partition::{Bookmarks, CannotOpen, Commit, Found, Opened, Partition, Remark};
use crate::fold::state::{self, State};
use crate::io::clock;
use crate::io::kafka::group::{self, Group};
use crate::io::kafka::known_again;
use crate::plan::{Catalogue, Unusable};

impl CorrelateStage {
    /// The fold of a partition of which this is left, ready to go on.
    pub(super) fn open_one(&mut self, place: &group::Partition, left: &Left) -> Result<Folding> {
        let (topic, number) = place;
        let number = u32::try_from(*number)?;
        let Left {
            commit,
            meta,
            low,
            high,
            ..
        } = left;
        let cursor = self.store.get(number, State::CURSOR_ROW)?;
        let committed = commit.as_ref().map_or(0, |commit| commit.offset);
        let accepts = |catalogue: &Catalogue| catalogue.accepts_loss(topic, number, committed);
        let mut found = Found {
            meta: meta.as_deref(),
            cursor: cursor.as_deref(),
            commit: commit.as_ref(),
            committed_there: left.committed_there,
            stored_there: left.stored_there,
            low: *low,
            high: *high,
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
            mut partition,
            drop_rows,
            remarks,
        } = opened;
        for remark in remarks {
            tell((topic, number), found, remark);
        }
        if drop_rows {
            self.store.drop_partition(number)?;
        }
        partition.time_by(clock::nanos());
        let (from, until) = (partition.next(), partition.commit().offset);
        tracing::debug!(topic, partition = number, from, until, "partition opened");
        Ok(Folding {
            partition,
            end: *high,
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
                 anew, or lost messages. Give the application another name",
                found.high
            ),
            CannotOpen::Another(sign) => format!(
                "{topic}/{number} is another log than the one that was folded: {sign}. The topic \
                 was made anew, lost messages or failed over, and with it what incidents rest on. \
                 Give the application another name"
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

/// What is left of a partition that was folded before.
pub(super) struct Left {
    commit: Option<Commit>,
    /// The store's row [`State::META_ROW`].
    meta: Option<Vec<u8>>,
    committed_there: There,
    stored_there: There,
    /// The log's first offset.
    low: i64,
    /// The offset after its last.
    high: i64,
}

/// In the logs: where messages stand by which they are known.
type Places = BTreeMap<group::Partition, i64>;

impl CorrelateStage {
    /// What is left of partitions of these bounds, and what stands in their logs where they are
    /// known by it.
    pub(super) fn left_of(
        &mut self,
        group: &Group,
        bounds: BTreeMap<group::Partition, (i64, i64)>,
    ) -> Result<BTreeMap<group::Partition, Left>> {
        let partitions: Vec<group::Partition> = bounds.keys().cloned().collect();
        let mut committed = group.committed(&partitions)?;
        if committed.len() < partitions.len() {
            self.known.catch_up()?;
        }
        let mut all = BTreeMap::new();
        let (mut of_commits, mut of_stores) = (Places::new(), Places::new());
        for (partition, (low, high)) in bounds {
            let commit = committed.remove(&partition);
            let commit = commit.or_else(|| self.noted(&partition));
            let commit = commit.map(Commit::from);
            let meta = self
                .store
                .get(u32::try_from(partition.1)?, State::META_ROW)?;
            let known_by = Bookmarks::of(meta.as_deref(), commit.as_ref());
            let place = |bookmark: Option<Bookmark>| {
                let place = bookmark.map(|bookmark| bookmark.offset);
                place.filter(|place| (low..high).contains(place))
            };
            let committed_at = place(known_by.committed);
            let stored_at = place(known_by.stored);
            of_commits.extend(committed_at.map(|place| (partition.clone(), place)));
            // Mostly both are one message, which is read once.
            let other = stored_at.filter(|_| stored_at != committed_at);
            of_stores.extend(other.map(|place| (partition.clone(), place)));
            let is_one = stored_at.is_some() && other.is_none();
            let left = Left {
                commit,
                meta,
                committed_there: There::Unknown,
                stored_there: There::Unknown,
                low,
                high,
            };
            all.insert(partition, (left, is_one));
        }
        let of_commits = known_again::messages(&self.config, &self.health, &of_commits)?;
        let of_stores = known_again::messages(&self.config, &self.health, &of_stores)?;
        let all = all.into_iter().map(|(partition, (mut left, is_one))| {
            left.committed_there = There::of(of_commits.get(&partition).copied());
            left.stored_there = match is_one {
                true => left.committed_there,
                false => There::of(of_stores.get(&partition).copied()),
            };
            (partition, left)
        });
        Ok(all.collect())
    }

    /// What was noted of a partition of which the brokers have no committed offset: they forget it
    /// when a topic is deleted, or after a long time.
    fn noted(&self, (topic, number): &group::Partition) -> Option<group::Committed> {
        let noted = self.known.catalogue.noted(topic, number.unsigned_abs())?;
        tracing::warn!(
            topic = &**topic,
            partition = number,
            offset = noted.offset,
            "the brokers have no committed offset of a matches partition that was folded: was the \
             topic made anew? It is compared with what is noted of it in the rules topic; if it is \
             the same log, what was said since that note is said again, with equal bytes"
        );
        Some(group::Committed::from(noted))
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
        Remark::OtherLog => tracing::warn!(
            topic,
            partition,
            "the state on disk is that of another log; folding again"
        ),
        Remark::Incomparable(why) => tracing::debug!(
            topic,
            partition,
            reason = why,
            "whether a matches partition is the log that was folded cannot be told"
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
