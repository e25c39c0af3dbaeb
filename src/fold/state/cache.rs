//! The keys that are in memory: which differ from the store, which were needed last, and what
//! they take.

use std::collections::{BTreeMap, BTreeSet};

use crate::fold::key::{Alive, KeyId};
use crate::record::Hash;
use crate::time::Second;

/// Bytes in memory for one in the store, about: a view takes more than the panes it is made of.
const MEMORY_FACTOR: usize = 8;

/// A key in memory.
#[derive(Debug, Default)]
pub struct Cached {
    pub key: Alive,
    /// The timer row that the store has.
    pub stored_due: Option<Second>,
    /// Its place among the timers.
    timer: Option<Second>,
    /// Bytes of its rows as they were last read or written: the number of its panes' row, or none.
    rows: BTreeMap<Vec<u8>, usize>,
    /// It differs from what the store has.
    dirty: bool,
    /// In which round it was last needed.
    used: u64,
}

/// The keys in memory.
#[derive(Debug)]
pub struct Cache {
    keys: BTreeMap<KeyId, Cached>,
    /// By when they are due.
    timers: BTreeSet<(Second, KeyId)>,
    /// Those that differ from what the store has.
    dirty: BTreeSet<KeyId>,
    /// All of them, by the round in which they were last needed.
    by_use: BTreeSet<(u64, KeyId)>,
    /// Counts the calls of [`Cache::shrink`].
    round: u64,
    /// Bytes of their rows.
    bytes: usize,
    /// The store has none that is not here.
    whole: bool,
    /// The store has no timer before this that is not of a key that is here.
    timers_known: Option<Second>,
}

impl Cache {
    /// Nothing in memory. `whole`: nor in the store.
    pub fn new(whole: bool) -> Cache {
        Cache {
            keys: BTreeMap::new(),
            timers: BTreeSet::new(),
            dirty: BTreeSet::new(),
            by_use: BTreeSet::new(),
            round: 1,
            bytes: 0,
            whole,
            timers_known: None,
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

    /// The time from which timers must be read to know all before `watermark`; `None`: they are
    /// known. They are, once they were read.
    pub fn read_timers(&mut self, watermark: Second) -> Option<Second> {
        let from = self.timers_known.unwrap_or(Second::MIN);
        if self.whole || from >= watermark {
            return None;
        }
        self.timers_known = Some(watermark);
        Some(from)
    }

    /// Adds a key as the store has it.
    pub fn load(&mut self, id: KeyId, key: Alive, bytes: usize) {
        self.timers.extend(key.due().map(|due| (due, id)));
        let cached = Cached {
            stored_due: key.due(),
            timer: key.due(),
            key,
            rows: BTreeMap::from([(Vec::new(), bytes)]),
            ..Cached::default()
        };
        self.bytes += bytes;
        self.keys.insert(id, cached);
        self.touch(id);
    }

    /// Takes a key's value out; a new one is empty. [`Cache::put`] must follow.
    pub fn take(&mut self, id: KeyId) -> Alive {
        std::mem::take(&mut self.keys.entry(id).or_default().key)
    }

    /// Puts a key back, changed.
    pub fn put(&mut self, id: KeyId, key: Alive) {
        let cached = self.keys.entry(id).or_default();
        if cached.timer != key.due() {
            if let Some(due) = cached.timer {
                self.timers.remove(&(due, id));
            }
            self.timers.extend(key.due().map(|due| (due, id)));
            cached.timer = key.due();
        }
        cached.key = key;
        self.touch(id);
        self.mark_dirty(id);
    }

    /// The keys that are due before `watermark`.
    pub fn due(&self, watermark: Second) -> BTreeSet<KeyId> {
        let due = self.timers.iter().take_while(|(due, _)| *due < watermark);
        due.map(|(_, id)| *id).collect()
    }

    /// Empties the keys of a rule; gives them.
    pub fn take_rule(&mut self, fingerprint: Hash) -> Vec<(KeyId, Alive)> {
        let id = |byte| KeyId {
            rule: fingerprint,
            key: Hash([byte; 16]),
        };
        let ids: Vec<KeyId> = self
            .keys
            .range(id(0)..=id(0xff))
            .map(|(id, _)| *id)
            .collect();
        let taken = ids.into_iter().map(|id| {
            let key = self.take(id);
            let mut empty = Alive::from(key.stored.clone());
            empty.stored.forget();
            self.put(id, empty);
            (id, key)
        });
        taken.collect()
    }

    /// The keys that differ from what the store has; from here on they do not.
    pub fn take_dirty(&mut self) -> BTreeSet<KeyId> {
        let dirty = std::mem::take(&mut self.dirty);
        for id in &dirty {
            if let Some(cached) = self.keys.get_mut(id) {
                cached.dirty = false;
            }
        }
        dirty
    }

    pub fn get_mut(&mut self, id: KeyId) -> Option<&mut Cached> {
        self.keys.get_mut(&id)
    }

    /// Notes what a row of a key takes: its panes' row of this number, or its own.
    pub fn weigh(&mut self, id: KeyId, row: Vec<u8>, bytes: usize) {
        let Some(cached) = self.keys.get_mut(&id) else {
            return;
        };
        let before = match bytes {
            0 => cached.rows.remove(&row),
            _ => cached.rows.insert(row, bytes),
        };
        self.bytes = self.bytes + bytes - before.unwrap_or(0);
    }

    /// Forgets a key.
    pub fn remove(&mut self, id: KeyId) {
        if let Some(cached) = self.keys.remove(&id) {
            self.bytes -= cached.rows.values().sum::<usize>();
            self.by_use.remove(&(cached.used, id));
            self.dirty.remove(&id);
            if let Some(due) = cached.timer {
                self.timers.remove(&(due, id));
            }
        }
    }

    /// Forgets the keys that were needed longest ago, until all take no more than `bytes_max`,
    /// about. Those that were needed since the last call stay: dropped now, they would be loaded
    /// and take as much again at once.
    pub fn shrink(&mut self, bytes_max: usize) {
        let mut left = self.bytes;
        let mut forgotten = Vec::new();
        for (used, id) in &self.by_use {
            if *used == self.round || left * MEMORY_FACTOR <= bytes_max {
                break;
            }
            if let Some(cached) = self.keys.get(id).filter(|cached| !cached.dirty) {
                left -= cached.rows.values().sum::<usize>();
                forgotten.push((*id, cached.stored_due));
            }
        }
        for (id, due) in forgotten {
            self.whole = false;
            if due.is_some_and(|due| self.timers_known.is_some_and(|known| due < known)) {
                self.timers_known = None;
            }
            self.remove(id);
        }
        self.begin_round();
    }

    /// What was needed before counts as needed long ago.
    pub fn begin_round(&mut self) {
        self.round += 1;
    }

    fn touch(&mut self, id: KeyId) {
        let Some(cached) = self.keys.get_mut(&id) else {
            return;
        };
        if cached.used != self.round {
            self.by_use.remove(&(cached.used, id));
            cached.used = self.round;
            self.by_use.insert((self.round, id));
        }
    }

    fn mark_dirty(&mut self, id: KeyId) {
        if let Some(cached) = self.keys.get_mut(&id).filter(|cached| !cached.dirty) {
            cached.dirty = true;
            self.dirty.insert(id);
        }
    }
}
