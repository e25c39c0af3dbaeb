//! Faults that tests can switch on, to see that they would be noticed. Without the feature
//! `canary` none of this is in the program.

/// A deliberate fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Canary {
    /// Matches that were folded before count again.
    DedupOff,
    /// Windows reach one second too far back.
    WindowEdge,
    /// Panes are dropped a second too early.
    ExpireEarly,
    /// The recovery offset is that of an hour later.
    RecoveryHourLate,
    /// What a change reaches is computed anew for a second too little.
    IncrementalShort,
    /// The watermark moves at the end of a batch of messages only.
    WatermarkPerBatch,
    /// The state is written before the broker has the commit.
    StateBeforeKafka,
    /// The fold uses the rules of the worker's files, not those that the log names.
    RulesFromFiles,
    /// A key of which only a clear pane is remembered is forgotten at once.
    ClearForgotten,
    /// Whoever goes on within a message says one publication again.
    CursorOffByOne,
    /// A key may be forgotten while its changes are on their way to the store.
    LeavingForgotten,
    /// A key that was emptied is forgotten while the store still has its rows.
    EmptiedForgotten,
    /// What a key has changed while its changes were on their way counts as kept.
    ChangedAgainLost,
    /// A source partition that is another log is gone on with as if it were the one that was read.
    ReplacedUnseen,
    /// A new epoch of a source partition begins behind the first message of its log.
    EpochBeginsLate,
    /// An event follows itself.
    FollowsItself,
    /// What UNLESS names may come between.
    UnlessIgnored,
    /// What comes at the same instant as a side of an UNLESS lies between the two.
    UnlessAtOnce,
    /// Values that must differ may be the same.
    AnyValueDiffers,
    /// Of values that must differ, an absent one differs from an absent one, as in a filter.
    AbsentDiffers,
    /// An incident shows its aggregates as they are at the last trigger.
    NoPeak,
    /// Of several values that an aggregate reads of an event only the first counts.
    OneValue,
    /// Of the texts of which an event must have one for a filter to hold, the last is not known.
    ClueDropped,
}

#[cfg(feature = "canary")]
impl Canary {
    /// All of them.
    pub const ALL: [Canary; 23] = [
        Canary::DedupOff,
        Canary::WindowEdge,
        Canary::ExpireEarly,
        Canary::RecoveryHourLate,
        Canary::IncrementalShort,
        Canary::WatermarkPerBatch,
        Canary::StateBeforeKafka,
        Canary::RulesFromFiles,
        Canary::ClearForgotten,
        Canary::CursorOffByOne,
        Canary::LeavingForgotten,
        Canary::EmptiedForgotten,
        Canary::ChangedAgainLost,
        Canary::ReplacedUnseen,
        Canary::EpochBeginsLate,
        Canary::FollowsItself,
        Canary::UnlessIgnored,
        Canary::UnlessAtOnce,
        Canary::AnyValueDiffers,
        Canary::AbsentDiffers,
        Canary::NoPeak,
        Canary::OneValue,
        Canary::ClueDropped,
    ];
}

#[cfg(feature = "canary")]
thread_local! {
    static ON: std::cell::Cell<Option<Canary>> = const { std::cell::Cell::new(None) };
}

/// Switches a fault on in this thread, and all others off.
#[cfg(feature = "canary")]
pub fn set(canary: Option<Canary>) {
    ON.set(canary);
}

/// Whether a fault is switched on.
#[cfg(feature = "canary")]
pub fn is(canary: Canary) -> bool {
    ON.get() == Some(canary)
}

/// Whether a fault is switched on: never.
#[cfg(not(feature = "canary"))]
pub const fn is(_canary: Canary) -> bool {
    false
}

/// One second where a fault is switched on.
#[cfg(feature = "canary")]
pub fn slip(canary: Canary) -> i64 {
    i64::from(is(canary))
}

/// One second where a fault is switched on: never.
#[cfg(not(feature = "canary"))]
pub const fn slip(_canary: Canary) -> i64 {
    0
}
