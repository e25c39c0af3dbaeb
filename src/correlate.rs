//! (skeleton of the interface) The second stage: folds the matches topic into the state.

use crate::incident::Incident;
use crate::plan::Plan;
use crate::shuffle::Message;
use crate::state::State;
use crate::time::Millis;

/// A message of the matches topic, as it was read.
#[derive(Clone, Debug, PartialEq)]
pub struct LogMessage {
    pub offset: i64,
    /// The broker's (LogAppendTime).
    pub timestamp: Millis,
    pub message: Message,
}

/// A message half folded: positions, plan and watermark are taken, its keys are known.
#[derive(Debug)]
pub struct Step {}

/// Takes what `log` says of plan, positions and time. `plan` is the one that it names.
pub fn advance(state: &mut State, plan: &std::sync::Arc<Plan>, log: LogMessage) -> Step {
    let _ = (state, plan, log);
    Step {}
}

/// Adds the matches and evaluates what they touch and what is due; says what is news.
/// [`State::wants`] must be empty.
pub fn fold(state: &mut State, step: Step) -> Vec<Incident> {
    let _ = (state, step);
    Vec::new()
}

/// What the fold has counted since it was opened; for the operator.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub messages: u64,
    pub matches: u64,
    /// Matches dropped because their position had been passed.
    pub repeated: u64,
    /// Matches further behind the watermark than lateness.
    pub late: u64,
    /// Matches whose time lay after the message's timestamp.
    pub future: u64,
    pub published: u64,
    /// Distinct values or evidence dropped because of a limit.
    pub limited: u64,
}
