//! Which rows of the store are needed: timers, the rows of a rule, keys.

use std::collections::BTreeSet;

use super::State;
use super::rows::{Read, after_key, key_id, key_row, others_of_key, rows_of, timer_row};
use super::scan::{Due, Listed, Scan};
use crate::fold::key::KeyId;
use crate::record::Hash;
use crate::time::Second;

impl State {
    /// How many keys something is due of at `watermark`: few are `most` and less.
    pub(crate) fn how_many_due(&mut self, watermark: Option<Second>, most: usize) -> Due {
        let Some(watermark) = watermark else {
            return Due::Few;
        };
        if self.keys.due(watermark).take(most + 1).count() + self.named.len() > most {
            return Due::Many;
        }
        let Some(from) = self.keys.timers_from(watermark) else {
            return Due::Few;
        };
        self.scan = Scan::new(None, most);
        Due::Asks(timers(from, watermark, most + 1))
    }

    /// The same after its rows were loaded.
    pub(crate) fn how_many_found(&mut self, watermark: Option<Second>, most: usize) -> Due {
        let scan = std::mem::take(&mut self.scan);
        let Some(watermark) = watermark else {
            return Due::Few;
        };
        let here = self.keys.due(watermark).take(most + 1).count();
        if scan.rows > most || here + self.named.len() + scan.ids.len() > most {
            return Due::Many;
        }
        self.named.extend(scan.ids);
        self.keys.know_timers(watermark);
        Due::Few
    }

    /// Looks for keys after `beyond` of which something is due, so many at most: the timers that
    /// must be read for that.
    pub(crate) fn scan_timers(
        &mut self,
        watermark: Second,
        beyond: Option<KeyId>,
        most: usize,
    ) -> Vec<Read> {
        if beyond.is_none() {
            self.keys.begin_pass(watermark);
        }
        self.scan = Scan::new(beyond, most);
        let from = self.keys.timers_from(watermark);
        let read = from.map(|from| timers(from, watermark, usize::MAX));
        read.into_iter().collect()
    }

    /// The keys that were looked for, and whether there are more.
    pub(crate) fn scanned(&mut self, watermark: Second) -> (BTreeSet<KeyId>, bool) {
        let mut scan = std::mem::take(&mut self.scan);
        let known = self.keys.due(watermark).chain(self.named.iter().copied());
        known.for_each(|id| scan.add(id));
        (scan.ids, scan.more)
    }

    /// A run is folded: all that was due at `watermark` is done.
    pub(crate) fn end_pass(&mut self, watermark: Option<Second>) {
        if watermark.is_some() {
            self.named.clear();
            self.keys.end_pass();
        }
    }

    /// The store has no key that is not in memory.
    pub(crate) fn has_all(&self) -> bool {
        self.keys.is_whole()
    }

    /// The rows of a rule's keys after `beyond`, so many at most; all of them are taken.
    pub(crate) fn rows_of(&mut self, rule: Hash, beyond: Option<KeyId>, most: usize) -> Read {
        self.listed = Listed {
            most,
            ..Listed::default()
        };
        rows_of(rule, beyond, most)
    }

    /// Where more rows were asked for than came, nothing; else the key of the last one, and the
    /// rest of its rows.
    pub(crate) fn last_listed(&mut self) -> Option<(KeyId, Read)> {
        // Their panes came with them.
        self.loading.clear();
        let Listed { rows, most, last } = std::mem::take(&mut self.listed);
        let id = last.get(1..33).and_then(key_id).filter(|_| rows >= most)?;
        let read = Read::Range {
            from: [last.as_slice(), &[0]].concat(),
            to: after_key(id),
            most: usize::MAX,
        };
        Some((id, read))
    }

    /// The keys in memory from the first of these to the last, those after `beyond`.
    pub(crate) fn keys_of(
        &self,
        first: KeyId,
        last: KeyId,
        beyond: Option<KeyId>,
    ) -> impl Iterator<Item = KeyId> {
        let keys = self.keys.range(first, last);
        keys.filter(move |id| Some(*id) > beyond)
    }

    /// A slice is about to be prepared.
    pub(crate) fn begin_slice(&mut self) {
        self.loaded.clear();
        self.loading.clear();
        self.keys.begin_round();
    }

    /// The rows of these keys, as far as they are not in memory.
    pub(crate) fn missing(&self, ids: &[KeyId]) -> Vec<Read> {
        let missing = ids.iter().filter(|id| self.keys.is_missing(**id));
        missing.map(|id| Read::Row(key_row(*id))).collect()
    }

    /// The panes of the keys that were loaded.
    pub(crate) fn missing_panes(&mut self) -> Vec<Read> {
        let keys = std::mem::take(&mut self.loading);
        keys.into_iter().map(others_of_key).collect()
    }
}

fn timers(from: Second, to: Second, most: usize) -> Read {
    Read::Range {
        from: timer_row(from, None),
        to: timer_row(to, None),
        most,
    }
}
