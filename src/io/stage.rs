//! The loop that both stages run: what is next is found and done; what comes of it is committed,
//! one commit at a time, beside the loop; then that is learnt.
//!
//! While a commit is on its way the loop goes on. If it does not come about, what was done after it
//! goes, too: everything is done again from where the last one ended. The group, and the end of the
//! process, wait for it.

pub mod commits;

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Result;
use rdkafka::message::BorrowedMessage;

use super::kafka::client::Health;
use super::kafka::group::{Group, Member, Partition, Revoked, list_of};
use super::kafka::sink::{Ended, Outcome, Undone};
use super::pool::Pool;
use super::status::Status;
use crate::config::Config;
use commits::Commits;

/// What both stages are built on.
#[derive(Clone)]
pub struct Basis {
    /// What was configured.
    pub config: Config,
    /// Whether the brokers can be reached, and the process is to stop.
    pub health: Arc<Health>,
    /// Where they tell how far they are.
    pub status: Arc<Status>,
    /// The threads that both use.
    pub pool: Arc<Pool>,
}

/// What the loop does next.
pub enum Next<'g, Own> {
    /// Reads these.
    Messages(Vec<BorrowedMessage<'g>>),
    /// Takes partitions.
    Assigned(Vec<Partition>),
    /// Gives them back.
    Revoked(Revoked),
    /// Begins a commit.
    Commit,
    /// Learns what became of the one that was on its way.
    Committed(Ended),
    /// Something of the stage's own.
    Own(Own),
    /// Nothing.
    Wait,
}

/// A stage, as the loop sees it.
pub trait Stage {
    /// What is committed at once.
    type Batch: Send + 'static;
    /// What the stage does besides.
    type Own;
    /// The topics that it reads are called so in the log.
    const READS: &'static str;

    /// Its commits.
    fn commits(&mut self) -> &mut Commits<Self::Batch>;

    /// Finds what is next.
    fn next<'g>(&mut self, group: &'g Group) -> Result<Next<'g, Self::Own>>;

    /// Reads messages of partitions that are open.
    fn read(&mut self, messages: &[BorrowedMessage<'_>]) -> Result<()>;

    /// Does something of its own.
    fn act(&mut self, group: &Arc<Group>, own: Self::Own) -> Result<()>;

    /// Begins to commit what there is. None is on its way.
    fn begin(&mut self, group: &Arc<Group>) -> Result<()>;

    /// The same before partitions or the process go: all that is to be kept is. Perhaps there is
    /// nothing to commit.
    fn begin_last(&mut self, group: &Arc<Group>) -> Result<()>;

    /// The commit has come about.
    fn committed(&mut self);

    /// The commit has not come about.
    fn undone(&mut self, why: &Undone);

    /// Is ready to go on with partitions where the last commit of each ended; those offsets.
    fn open(
        &mut self,
        group: &Arc<Group>,
        partitions: &[Partition],
    ) -> Result<BTreeMap<Partition, i64>>;

    /// Forgets partitions, and what is not committed of them.
    fn close(&mut self, partitions: &[Partition]);

    /// Forgets all partitions; says which they were.
    fn close_all(&mut self) -> Vec<Partition>;

    /// Forgets everything: the group is left.
    fn abandon(&mut self);

    /// Partitions have come or gone, or were committed.
    fn settle(&mut self, group: &Arc<Group>) -> Result<()>;

    /// An error that ends the loop, unless something can be done about it.
    fn mend(&mut self, group: &Arc<Group>, error: anyhow::Error) -> Result<()>;

    /// Notes how far everything was committed: it is the end.
    fn note_at_end(&self);
}

/// Called once.
pub type Ready = Box<dyn FnOnce() + Send>;

/// Runs a stage until the process is to stop; then commits what it has and leaves the group.
/// `ready` is called when the group has answered for the first time.
pub fn run(
    stage: &mut impl Stage,
    health: &Health,
    mut member: Member,
    ready: Ready,
) -> Result<()> {
    let mut ready = Some(ready);
    let mut group = member.join()?;
    while !health.stopping() {
        let turned = turn(stage, &group, &mut ready).or_else(|error| stage.mend(&group, error));
        if let Err(error) = turned {
            // Nothing may be on its way any more.
            stage.commits().wait_out();
            stage.abandon();
            group = member.join_again(group, error)?;
        }
    }
    if commit(stage, &group)? {
        stage.note_at_end();
    }
    Ok(())
}

/// Does what is next.
fn turn<S: Stage>(stage: &mut S, group: &Arc<Group>, ready: &mut Option<Ready>) -> Result<()> {
    match stage.next(group)? {
        Next::Messages(messages) => stage.read(&messages),
        Next::Assigned(partitions) => {
            assign(stage, group, &partitions)?;
            if let Some(ready) = ready.take() {
                ready();
            }
            Ok(())
        }
        Next::Revoked(revoked) => revoke(stage, group, &revoked),
        Next::Commit => {
            stage.begin(group)?;
            stage.settle(group)
        }
        Next::Committed(ended) => match take(stage, ended)? {
            true => stage.settle(group),
            false => again(stage, group),
        },
        Next::Own(own) => stage.act(group, own),
        Next::Wait => Ok(()),
    }
}

/// Takes what became of a commit. If it did not come about, everything since the one before it is
/// to be done again: false.
fn take(stage: &mut impl Stage, Ended { outcome, rhythm }: Ended) -> Result<bool> {
    stage.commits().rhythm = rhythm;
    match outcome? {
        Outcome::Committed => {
            stage.committed();
            Ok(true)
        }
        Outcome::Undone(why) => {
            stage.undone(&why);
            Ok(false)
        }
    }
}

/// Waits for the commit on its way, if there is one; false as [`take`] says.
fn wait(stage: &mut impl Stage) -> Result<bool> {
    match stage.commits().wait()? {
        Some(ended) => take(stage, ended),
        None => Ok(true),
    }
}

/// Commits all that there is, also what is on its way; false as [`take`] says.
pub fn commit(stage: &mut impl Stage, group: &Arc<Group>) -> Result<bool> {
    if !wait(stage)? {
        return Ok(false);
    }
    stage.begin_last(group)?;
    wait(stage)
}

fn assign<S: Stage>(stage: &mut S, group: &Arc<Group>, partitions: &[Partition]) -> Result<()> {
    let list = list_of(partitions);
    tracing::info!(partitions = list, "{} partitions assigned", S::READS);
    if !wait(stage)? {
        again(stage, group)?;
    }
    let offsets = stage.open(group, partitions)?;
    group.assign(&offsets)?;
    group.resume(partitions)?;
    stage.settle(group)
}

/// Finishes what has begun, and gives partitions back.
fn revoke<S: Stage>(stage: &mut S, group: &Arc<Group>, revoked: &Revoked) -> Result<()> {
    let Revoked { partitions, lost } = revoked;
    let list = list_of(partitions);
    tracing::info!(partitions = list, lost, "{} partitions revoked", S::READS);
    let finished = wait(stage)? && !lost && commit(stage, group)?;
    stage.close(partitions);
    group.unassign(partitions)?;
    match finished {
        true => stage.settle(group),
        false => again(stage, group),
    }
}

/// Goes back to where the last commit ended. The group has the word before the next commit: what it
/// says may be why the last one failed.
pub fn again(stage: &mut impl Stage, group: &Arc<Group>) -> Result<()> {
    stage.commits().put_off();
    let partitions = stage.close_all();
    let offsets = stage.open(group, &partitions)?;
    group.seek(offsets)?;
    stage.settle(group)
}
