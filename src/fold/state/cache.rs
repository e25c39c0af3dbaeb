//! The keys that are in memory: which differ from the store, which were needed last, and what
//! they take.
//!
//! What is read of the store must never be older than what was folded. So a key whose changes are
//! on their way to the store stays here until they are written, also one that was emptied: its
//! rows are still there.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::canary::{self, Canary};
use crate::fold::key::{Alive, KeyId};
use crate::time::Second;

/// What a key takes beside its content: its places here, among timers and others, about.
const PLACES_BYTES: usize = 250;

/// So many entries of what was used when are never too many.
const ENTRIES_MIN: usize = 1_024;

/// Whether the store has what a key in memory holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Keeping {
    /// It has.
    #[default]
    Kept,
    /// The key has changed.
    Changed,
    /// Its changes are on their way.
    Leaving,
    /// So they are, and it has changed again.
    ChangedAgain,
}

impl Keeping {
    /// The key may be forgotten.
    fn is_kept(self) -> bool {
        self == Keeping::Kept || self == Keeping::Leaving && canary::is(Canary::LeavingForgotten)
    }
}

/// A key in memory.
#[derive(Debug, Default)]
pub struct Cached {
    pub key: Box<Alive>,
    /// The timer row that the store has.
    pub stored_due: Option<Second>,
    /// Its place among the timers.
    timer: Option<Second>,
    /// Bytes that it takes in memory, about.
    bytes: usize,
    keeping: Keeping,
    /// In which round it was last needed.
    used: u64,
}

impl Cached {
    /// Looks anew at what the key takes; what it took before.
    fn weigh(&mut self) -> usize {
        let bytes = PLACES_BYTES + self.key.bytes();
        std::mem::replace(&mut self.bytes, bytes)
    }
}

/// The keys in memory.
#[derive(Debug)]
pub struct Cache {
    keys: BTreeMap<KeyId, Cached>,
    /// By when they are due.
    timers: BTreeSet<(Second, KeyId)>,
    /// Those that have changed.
    changed: Vec<KeyId>,
    /// Those whose changes are on their way to the store.
    leaving: Vec<KeyId>,
    /// All of them, by the round in which they were last needed; of a key that was needed again
    /// only the last entry counts.
    by_use: VecDeque<(u64, KeyId)>,
    /// Counts the slices.
    round: u64,
    /// Bytes that they take in memory, about.
    bytes: usize,
    /// Of that, those that differ from what the store has.
    differing_bytes: usize,
    /// The store has none that is not here.
    whole: bool,
    /// The store has no timer before this that is not of a key that is here.
    timers_known: Option<Second>,
    /// The same once what is due is done; `None`: not so.
    timers_known_then: Option<Second>,
}

impl Cache {
    /// Nothing in memory. `whole`: nor in the store.
    pub fn new(whole: bool) -> Cache {
        Cache {
            keys: BTreeMap::new(),
            timers: BTreeSet::new(),
            changed: Vec::new(),
            leaving: Vec::new(),
            by_use: VecDeque::new(),
            round: 1,
            bytes: 0,
            differing_bytes: 0,
            whole,
            timers_known: None,
            timers_known_then: None,
        }
    }

    pub fn get(&self, id: KeyId) -> Option<&Cached> {
        self.keys.get(&id)
    }

    /// Whether the store may have a key.
    pub fn is_missing(&self, id: KeyId) -> bool {
        !self.whole && !self.keys.contains_key(&id)
    }

    /// Whether the store may have what is not here.
    pub fn is_whole(&self) -> bool {
        self.whole
    }

    /// Bytes that the keys take in memory, about.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Bytes of those that differ from what the store has.
    pub fn differing_bytes(&self) -> usize {
        self.differing_bytes
    }

    /// The time from which timers must be read to know all before `watermark`; `None`: they are
    /// known.
    pub fn timers_from(&self, watermark: Second) -> Option<Second> {
        let from = self.timers_known.unwrap_or(Second::MIN);
        (!self.whole && from < watermark).then_some(from)
    }

    /// All timers before `watermark` were read.
    pub fn know_timers(&mut self, watermark: Second) {
        self.timers_known = self.timers_known.max(Some(watermark));
    }

    /// What is due at `watermark` is about to be done, all of it.
    pub fn begin_pass(&mut self, watermark: Second) {
        self.timers_known_then = Some(watermark);
    }

    /// It is done.
    pub fn end_pass(&mut self) {
        if let Some(watermark) = self.timers_known_then.take() {
            self.know_timers(watermark);
        }
    }

    /// Adds a key as the store has it.
    pub fn load(&mut self, id: KeyId, key: Box<Alive>) {
        self.timers.extend(key.due().map(|due| (due, id)));
        let mut cached = Cached {
            stored_due: key.due(),
            timer: key.due(),
            key,
            used: self.round,
            ..Cached::default()
        };
        cached.weigh();
        self.bytes += cached.bytes;
        self.keys.insert(id, cached);
        self.by_use.push_back((self.round, id));
        self.trim_by_use();
    }

    /// A key, to be changed; a new one is empty. [`Cache::changed`] must follow.
    pub fn open(&mut self, id: KeyId) -> &mut Alive {
        &mut self.keys.entry(id).or_default().key
    }

    /// A key has changed.
    pub fn changed(&mut self, id: KeyId) {
        let Some(cached) = self.keys.get_mut(&id) else {
            return;
        };
        let due = cached.key.due();
        if cached.timer != due {
            if let Some(due) = cached.timer {
                self.timers.remove(&(due, id));
            }
            self.timers.extend(due.map(|due| (due, id)));
            cached.timer = due;
        }
        let before = cached.weigh();
        let differing_before = match cached.keeping {
            Keeping::Kept => 0,
            Keeping::Changed | Keeping::Leaving | Keeping::ChangedAgain => before,
        };
        self.bytes = self.bytes + cached.bytes - before;
        self.differing_bytes = self.differing_bytes + cached.bytes - differing_before;
        match cached.keeping {
            Keeping::Kept => {
                cached.keeping = Keeping::Changed;
                self.changed.push(id);
            }
            Keeping::Leaving => {
                cached.keeping = Keeping::ChangedAgain;
                self.changed.push(id);
            }
            Keeping::Changed | Keeping::ChangedAgain => (),
        }
        if cached.used != self.round {
            cached.used = self.round;
            self.by_use.push_back((self.round, id));
            self.trim_by_use();
        }
    }

    /// The keys that are due before `watermark`, the longest due first.
    pub fn due(&self, watermark: Second) -> impl Iterator<Item = KeyId> {
        let due = self
            .timers
            .iter()
            .take_while(move |(due, _)| *due < watermark);
        due.map(|(_, id)| *id)
    }

    /// The keys from `first` to `last`.
    pub fn range(&self, first: KeyId, last: KeyId) -> impl Iterator<Item = KeyId> {
        self.keys.range(first..=last).map(|(id, _)| *id)
    }

    /// The keys that have changed; from here on their changes are on their way to the store.
    /// [`Cache::arrived`] must have been called since the last time.
    pub fn leave(&mut self) -> Vec<KeyId> {
        let changed = std::mem::take(&mut self.changed);
        for id in &changed {
            if let Some(cached) = self.keys.get_mut(id) {
                cached.keeping = Keeping::Leaving;
            }
        }
        self.leaving.clone_from(&changed);
        changed
    }

    /// The store has what was on its way to it.
    pub fn arrived(&mut self) {
        let leaving = std::mem::take(&mut self.leaving);
        if canary::is(Canary::ChangedAgainLost) {
            self.changed.retain(|id| !leaving.contains(id));
        }
        for id in leaving {
            let Some(cached) = self.keys.get_mut(&id) else {
                continue;
            };
            match cached.keeping {
                Keeping::ChangedAgain if !canary::is(Canary::ChangedAgainLost) => {
                    cached.keeping = Keeping::Changed;
                }
                Keeping::Leaving | Keeping::ChangedAgain => {
                    cached.keeping = Keeping::Kept;
                    self.differing_bytes -= cached.bytes;
                    if cached.key.stored.is_empty() {
                        self.remove(id);
                    }
                }
                Keeping::Kept | Keeping::Changed => (),
            }
        }
    }

    pub fn get_mut(&mut self, id: KeyId) -> Option<&mut Cached> {
        self.keys.get_mut(&id)
    }

    /// Looks anew at what a key takes.
    pub fn weigh(&mut self, id: KeyId) {
        let Some(cached) = self.keys.get_mut(&id) else {
            return;
        };
        let before = cached.weigh();
        self.bytes = self.bytes + cached.bytes - before;
        if cached.keeping != Keeping::Kept {
            self.differing_bytes = self.differing_bytes + cached.bytes - before;
        }
    }

    /// Forgets a key.
    pub fn remove(&mut self, id: KeyId) {
        if let Some(cached) = self.keys.remove(&id) {
            self.bytes -= cached.bytes;
            if cached.keeping != Keeping::Kept {
                self.differing_bytes -= cached.bytes;
            }
            if let Some(due) = cached.timer {
                self.timers.remove(&(due, id));
            }
        }
    }

    /// Forgets the keys that were needed longest ago, until all take no more than `bytes_max`,
    /// about; not those that differ from what the store has.
    pub fn shrink(&mut self, bytes_max: usize) {
        let mut kept = VecDeque::new();
        while self.bytes > bytes_max
            && let Some((used, id)) = self.by_use.pop_front()
        {
            let Some(cached) = self.keys.get(&id).filter(|cached| cached.used == used) else {
                continue;
            };
            if !cached.keeping.is_kept() {
                kept.push_back((used, id));
                continue;
            }
            let due = cached.stored_due;
            self.whole = false;
            for known in [&mut self.timers_known, &mut self.timers_known_then] {
                *known = known.filter(|known| due.is_none_or(|due| due >= *known));
            }
            self.remove(id);
        }
        kept.append(&mut self.by_use);
        self.by_use = kept;
    }

    /// What was needed before counts as needed long ago.
    pub fn begin_round(&mut self) {
        self.round += 1;
    }

    fn trim_by_use(&mut self) {
        if self.by_use.len() > 4 * self.keys.len() + ENTRIES_MIN {
            let keys = &self.keys;
            let is_last =
                |(used, id): &(u64, KeyId)| keys.get(id).is_some_and(|cached| cached.used == *used);
            self.by_use.retain(is_last);
        }
    }
}
