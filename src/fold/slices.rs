//! A run's keys are worked off in their order, in slices: those that its matches touch, those that
//! something is due of, and those of rules that are no longer in force. However many there are, a
//! slice is bounded, and so is what is known of the keys to come.

use std::collections::BTreeSet;

use crate::fold::key::KeyId;
use crate::fold::state::{Read, State};
use crate::fold::work::{Add, Publication, Run, fold_key};
use crate::record::Hash;
use crate::stopwatch::Stopwatch;

/// Keys that are asked for at once.
const LOADED_TOGETHER: usize = 64;

/// What one slice may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SliceLimit {
    /// So many keys.
    pub keys: usize,
    /// It ends when its keys that were loaded take so many bytes in memory.
    pub bytes: usize,
    /// So many keys are known in advance of which something is due.
    pub due: usize,
}

impl SliceLimit {
    /// Everything at once.
    pub const NONE: SliceLimit = SliceLimit {
        keys: usize::MAX,
        bytes: usize::MAX,
        due: usize::MAX,
    };
}

/// A run whose keys are being worked off.
#[derive(Debug)]
pub struct Slices {
    run: Run,
    adds: Vec<Add>,
    /// The keys up to this one are done.
    beyond: Option<KeyId>,
    /// Some of those of which something is due, the least.
    due: BTreeSet<KeyId>,
    /// There may be more of them.
    more_due: bool,
    stage: Stage,
    slice: Slice,
}

/// How far the preparation of a slice has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Timers are to be asked for.
    Timers,
    /// They are there. Rows of a rule that is no longer in force are to be asked for.
    Rows,
    /// They are there, perhaps not all of the last key.
    LastKey,
    /// Its keys are to be chosen.
    Choose,
    /// Keys are to be asked for.
    Keys,
    /// They are there. Their panes are to be asked for.
    Panes,
}

/// Keys that are worked off together.
#[derive(Debug, Default)]
struct Slice {
    keys: Vec<KeyId>,
    /// So many of them were asked for.
    asked: usize,
    /// All keys up to this one are among them; `None`: all keys.
    end: Option<KeyId>,
    /// What keys in memory took before.
    bytes_before: usize,
}

impl Slices {
    /// Begins with `run`; its keys up to `beyond` are done.
    pub fn new(run: Run, beyond: Option<KeyId>) -> Slices {
        Slices {
            adds: run.adds(),
            more_due: run.after().is_some(),
            run,
            beyond,
            due: BTreeSet::new(),
            stage: Stage::Timers,
            slice: Slice::default(),
        }
    }

    /// The keys up to this one are done.
    pub fn beyond(&self) -> Option<KeyId> {
        self.beyond
    }

    /// What must be loaded before the next slice can be folded; to be asked again after loading,
    /// until it is empty.
    pub fn wants(&mut self, state: &mut State, limit: SliceLimit) -> Vec<Read> {
        loop {
            let reads = match self.stage {
                Stage::Timers => self.ask_for_timers(state, limit),
                Stage::Rows => self.ask_for_rows(state, limit),
                Stage::LastKey => self.ask_for_last_key(state),
                Stage::Choose => {
                    self.choose(state, limit);
                    Vec::new()
                }
                Stage::Keys if self.slice.asked == self.slice.keys.len() => return Vec::new(),
                Stage::Keys => self.ask_for_keys(state, limit),
                Stage::Panes => self.ask_for_panes(state),
            };
            if !reads.is_empty() {
                return reads;
            }
        }
    }

    fn ask_for_timers(&mut self, state: &mut State, limit: SliceLimit) -> Vec<Read> {
        self.stage = Stage::Rows;
        state.begin_slice();
        self.slice = Slice {
            bytes_before: state.bytes(),
            ..Slice::default()
        };
        match self
            .run
            .after()
            .filter(|_| self.more_due && self.due.is_empty())
        {
            Some(watermark) => state.scan_timers(watermark, self.beyond, limit.due),
            None => Vec::new(),
        }
    }

    fn ask_for_rows(&mut self, state: &mut State, limit: SliceLimit) -> Vec<Read> {
        if let Some(watermark) = self
            .run
            .after()
            .filter(|_| self.more_due && self.due.is_empty())
        {
            (self.due, self.more_due) = state.scanned(watermark);
        }
        self.stage = Stage::Choose;
        let Some(rule) = self.next_out() else {
            return Vec::new();
        };
        let (first, last) = keys_of(rule);
        self.slice.end = Some(last);
        let before = self.candidates(limit.keys).take_while(|id| *id < first);
        if state.has_all() || before.count() >= limit.keys {
            return Vec::new();
        }
        self.stage = Stage::LastKey;
        let beyond = self.beyond.filter(|beyond| *beyond >= first);
        // Most keys have one row.
        vec![state.rows_of(rule, beyond, limit.keys)]
    }

    fn ask_for_last_key(&mut self, state: &mut State) -> Vec<Read> {
        self.stage = Stage::Choose;
        let Some((last, rest)) = state.last_listed() else {
            return Vec::new();
        };
        self.slice.end = Some(last);
        vec![rest]
    }

    /// Takes the least keys, as many as may be and as far as all of them are known.
    fn choose(&mut self, state: &State, limit: SliceLimit) {
        self.stage = Stage::Keys;
        let known = self.due.last().filter(|_| self.more_due).copied();
        let end = self.slice.end.into_iter().chain(known).min();
        let mut keys: BTreeSet<KeyId> = self.candidates(limit.keys).collect();
        if let Some(rule) = self.next_out() {
            let (first, last) = keys_of(rule);
            let here = state.keys_of(first, last, self.beyond);
            keys.extend(here.take(limit.keys));
        }
        let is_known = |id: &KeyId| end.is_none_or(|end| *id <= end);
        let taken = keys.into_iter().take_while(is_known).take(limit.keys);
        self.slice.keys = taken.collect();
        let is_full = self.slice.keys.len() >= limit.keys;
        self.slice.end = match is_full {
            true => self.slice.keys.last().copied(),
            false => end,
        };
    }

    fn ask_for_keys(&mut self, state: &mut State, limit: SliceLimit) -> Vec<Read> {
        let Slice {
            keys,
            asked,
            end,
            bytes_before,
        } = &mut self.slice;
        if state.bytes().saturating_sub(*bytes_before) >= limit.bytes && *asked > 0 {
            keys.truncate(*asked);
            *end = keys.last().copied();
            return Vec::new();
        }
        self.stage = Stage::Panes;
        let together = match limit.bytes {
            usize::MAX => usize::MAX,
            _ => LOADED_TOGETHER,
        };
        let next = asked.saturating_add(together).min(keys.len());
        let reads = state.missing(keys.get(*asked..next).unwrap_or_default());
        *asked = next;
        reads
    }

    fn ask_for_panes(&mut self, state: &mut State) -> Vec<Read> {
        self.stage = Stage::Keys;
        state.missing_panes()
    }

    /// Folds the slice: adds the matches, evaluates what they touch and what is due; says what is
    /// news, by message, rule, key, id and revision. [`Slices::wants`] must be empty. Some keys are
    /// timed, by their rule.
    pub fn fold(&mut self, state: &mut State, stopwatch: &mut Stopwatch<Hash>) -> Vec<Publication> {
        let Slice { keys, end, .. } = std::mem::take(&mut self.slice);
        let mut said = Vec::new();
        for id in keys {
            let from = self.adds.partition_point(|add| add.id < id);
            let adds = self.adds.get(from..).unwrap_or_default();
            let to = adds.partition_point(|add| add.id == id);
            let adds = adds.get(..to).unwrap_or_default();
            stopwatch.next();
            fold_key(state, id, adds, &self.run, &mut said);
            stopwatch.lap(id.rule);
        }
        said.sort_by_key(|publication| (publication.offset, publication.key));
        self.stage = Stage::Timers;
        self.due = match end {
            Some(end) => {
                let mut beyond = self.due.split_off(&end);
                beyond.remove(&end);
                beyond
            }
            None => BTreeSet::new(),
        };
        self.beyond = end.or(Some(LAST));
        if self.is_done() {
            state.end_pass(self.run.after());
        }
        said
    }

    /// All keys are done.
    pub fn is_done(&self) -> bool {
        let nothing_due = self.due.is_empty() && !self.more_due;
        self.beyond == Some(LAST)
            || nothing_due && self.next_out().is_none() && self.candidates(1).next().is_none()
    }

    /// The next rule that is no longer in force and whose keys are not done.
    fn next_out(&self) -> Option<Hash> {
        let left = |rule: &Hash| self.beyond.is_none_or(|beyond| beyond < keys_of(*rule).1);
        self.run.out().filter(left).min()
    }

    /// The next keys, so many at most, that are touched or of which something is known to be due.
    fn candidates(&self, most: usize) -> impl Iterator<Item = KeyId> {
        let from = self.adds.partition_point(|add| Some(add.id) <= self.beyond);
        let adds = self.adds.get(from..).unwrap_or_default();
        let touched = adds.chunk_by(|one, next| one.id == next.id);
        let touched = touched.filter_map(|adds| Some(adds.first()?.id)).take(most);
        let mut keys: BTreeSet<KeyId> = touched.collect();
        keys.extend(self.due.iter().take(most));
        keys.into_iter().take(most)
    }
}

/// No key comes after this one.
const LAST: KeyId = KeyId {
    rule: Hash([0xff; 16]),
    key: Hash([0xff; 16]),
};

/// The first and the last key that a rule can have.
fn keys_of(rule: Hash) -> (KeyId, KeyId) {
    let key = |byte| KeyId {
        rule,
        key: Hash([byte; 16]),
    };
    (key(0), key(0xff))
}
