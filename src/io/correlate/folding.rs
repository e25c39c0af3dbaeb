//! Matches partitions that are being folded, side by side. They know nothing of each other.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Result, anyhow};

use crate::fold::partition::{Budget, LostPlan, Next, Partition};
use crate::fold::place::Place;
use crate::io::disk::store::Store;
use crate::plan::Plan;
use crate::record::Hash;

/// When no more than this seems to be left it may be the marks of transactions, that nobody reads.
pub const MARKS: i64 = 2;

/// A matches partition that is being folded.
pub struct Folding {
    /// What was folded, and what is to be.
    pub partition: Partition,
    /// What stood in the log at the last look is before this offset.
    pub end: i64,
    /// Its state was last kept with a commit that began then.
    pub kept: Instant,
    /// It folds nothing more before the next commit.
    pub commits_first: bool,
    /// How far the commit comes that is on its way, and what is noted with it.
    pub on_its_way: Option<(Place, String)>,
}

/// What folds need.
pub struct Surroundings<'s> {
    /// Has the rows.
    pub store: &'s Store,
    /// The plans that messages name, as far as the rules topic has them.
    pub plans: &'s BTreeMap<Hash, Arc<Plan>>,
    /// What a partition may take.
    pub budget: Budget,
}

impl Folding {
    /// Of what stood in the log at the last look: what is still to be folded, or to be committed.
    pub fn lag(&self) -> i64 {
        let folded = self.partition.reached().offset;
        let done = folded.min(self.partition.commit().offset);
        (self.end - done).max(0)
    }

    /// Of what stood in the log at the last look little is left to be read.
    pub fn is_near_end(&self) -> bool {
        self.end - self.partition.next() <= MARKS
    }

    /// It has something to fold, and need not wait for a commit with that.
    pub fn can_go_on(&self) -> bool {
        self.partition.is_busy() && !self.commits_first
    }

    /// Folds what was read, as far as it need not wait.
    pub fn fold(&mut self, number: u32, surroundings: &Surroundings<'_>) -> Result<()> {
        let Surroundings {
            store,
            plans,
            budget,
        } = surroundings;
        loop {
            let next = self.partition.step(plans, budget);
            match next.map_err(|lost| explain(number, lost))? {
                Next::Load(wanted) => store.load(number, &mut self.partition, &wanted)?,
                Next::Keep => self.keep(number, surroundings)?,
                Next::Commit => {
                    self.commits_first = true;
                    return Ok(());
                }
                Next::Slice | Next::Read => return Ok(()),
            }
        }
    }

    /// Writes the state to the store, where all that was committed before is folded, or where its
    /// keys may take no more memory. What is lost before that is folded again.
    fn keep(&mut self, number: u32, surroundings: &Surroundings<'_>) -> Result<()> {
        let changes = self.partition.keep();
        surroundings.store.write_much(number, changes)?;
        if !self.partition.is_live() {
            tracing::info!(
                partition = number,
                offsets_left = self.partition.left(),
                "the memory for folding again is used up; keeping what is folded so far"
            );
        }
        self.partition.kept(&surroundings.budget);
        Ok(())
    }
}

/// What the loss of a plan means to the operator.
fn explain(number: u32, LostPlan { offset, plan }: LostPlan) -> anyhow::Error {
    anyhow!(
        "matches partition {number}, offset {offset}: the rules topic does not have plan {plan} \
         any more, with which messages were folded. That topic must be compacted, never deleted \
         from, and belong to the same application as the matches"
    )
}
