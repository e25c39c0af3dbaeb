//! (skeleton of the interface) Byte forms of the state: rows of one matches partition.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::correlate::Step;
use crate::plan::Catalogue;
use crate::record::Hash;

/// Bytes that are of another version or damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable;

/// A version byte and `value` in postcard's encoding.
pub fn to_bytes(version: u8, value: &impl Serialize) -> Vec<u8> {
    let _ = (version, value);
    Vec::new()
}

/// The reverse of [`to_bytes`].
///
/// # Errors
///
/// The bytes are of another version or damaged.
pub fn from_bytes<T: DeserializeOwned>(version: u8, bytes: &[u8]) -> Result<T, Unreadable> {
    let _ = (version, bytes);
    Err(Unreadable)
}

/// Rows that the next step needs from the store, all within one matches partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    /// One row.
    Row(Vec<u8>),
    /// All rows with `from <= key < to`, in order.
    Range { from: Vec<u8>, to: Vec<u8> },
}

/// A change of the store; `None` deletes the row.
pub type Change = (Vec<u8>, Option<Vec<u8>>);

/// Why a state cannot be opened from its rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OpenError {
    Unreadable,
    /// It names a rule that the catalogue does not have.
    UnknownRule(Hash),
    UnknownPlan(Hash),
}

/// The fold of one matches partition up to an offset. Keys are loaded as steps need them.
#[derive(Debug)]
pub struct State {}

impl State {
    /// The key of the row that [`State::open`] needs.
    pub const META_ROW: &'static [u8] = b"m";

    /// The state before the first message of the log that is folded.
    pub fn empty(first_offset: i64) -> State {
        let _ = first_offset;
        State {}
    }

    /// The state as its meta row says; keys follow by [`State::load`].
    ///
    /// # Errors
    ///
    /// The row is unreadable, or names a rule or plan that the catalogue does not have.
    pub fn open(meta: &[u8], catalogue: &Catalogue) -> Result<State, OpenError> {
        let _ = (meta, catalogue);
        Err(OpenError::Unreadable)
    }

    /// Offset of the next message to be folded.
    pub fn applied(&self) -> i64 {
        0
    }

    /// The offset from which a fold must begin to give this state; goes into the metadata of the
    /// committed offset.
    pub fn recovery_offset(&self) -> i64 {
        0
    }

    /// What must be loaded before `step` can be folded; to be asked again after loading, until
    /// it is empty.
    pub fn wants(&mut self, step: &mut Step) -> Vec<Read> {
        let _ = step;
        Vec::new()
    }

    /// Takes a row that [`State::wants`] asked for and the store has.
    ///
    /// # Errors
    ///
    /// The row is unreadable.
    pub fn load(&mut self, row: &[u8], value: &[u8]) -> Result<(), Unreadable> {
        let _ = (row, value);
        Ok(())
    }

    /// All changes since the last call (the meta row always among them): to be written in one
    /// batch once the Kafka commit has succeeded.
    pub fn changes(&mut self) -> Vec<Change> {
        Vec::new()
    }

    /// Forgets loaded keys beyond `bytes_max`, about; only after [`State::changes`] was written.
    pub fn shrink(&mut self, bytes_max: usize) {
        let _ = bytes_max;
    }
}
