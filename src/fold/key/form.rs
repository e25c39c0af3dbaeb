//! The bytes of a key's rows.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::bytes::{Unreadable, from_bytes, to_bytes};
use crate::fold::few::Few;
use crate::fold::key::pane::{Pane, Panes};
use crate::fold::key::rows::{Apart, Combination, Row, chunk_of, seconds_of};
use crate::fold::key::stored::{Head, Said, Seen, Stored, Tally};
use crate::fold::window::Timeline;
use crate::record::Hash;
use crate::time::{Millis, Second};

/// Version of the rows' values.
pub const FORMAT: u8 = 7;

/// More than so many panes get rows of their own: to write all of them again with each change would
/// cost more than a row.
const PANES_MAX: usize = 1;

/// The same of other parts. What was said of incidents and what is final of them has rows of its
/// own always, since it is large and seldom changes.
const OTHERS_MAX: usize = 0;

/// Bytes in memory for one in a row, about.
const GROWTH: usize = 4;

/// What a usual pane takes by that.
const USUAL_BYTES: usize = 1_500;

/// The first row, as it is written.
#[derive(Serialize)]
struct FirstRow<'a> {
    head: &'a Head,
    apart: Apart,
    panes: Option<&'a Panes>,
    late: Option<&'a Timeline<Panes>>,
    seen: Option<BTreeMap<Combination, Millis>>,
    said: Option<&'a Few<Hash, Said>>,
    tallies: Option<&'a Timeline<Tally>>,
}

/// The first row, as it is read.
#[derive(Deserialize)]
struct FirstRead {
    head: Head,
    apart: Apart,
    panes: Option<Panes>,
    late: Option<Timeline<Panes>>,
    seen: Option<BTreeMap<Combination, Millis>>,
    said: Option<Few<Hash, Said>>,
    tallies: Option<Timeline<Tally>>,
}

impl Stored {
    /// The key whose first row this is; the second says whether it has more, which are read by
    /// [`Stored::load`].
    ///
    /// # Errors
    ///
    /// The bytes are damaged.
    pub fn read(bytes: &[u8]) -> Result<Stored, Unreadable> {
        let first: FirstRead = from_bytes(FORMAT, bytes)?;
        let mut seen = Seen::default();
        for (combination, time) in first.seen.into_iter().flatten() {
            seen.see(combination, time);
        }
        Ok(Stored {
            head: first.head,
            apart: first.apart,
            panes: first.panes.unwrap_or_default(),
            late: first.late.unwrap_or_default(),
            said: first.said.unwrap_or_default(),
            tallies: first.tallies.unwrap_or_default(),
            seen,
            touched: Vec::new(),
            extra: 0,
        })
    }

    /// Whether there are rows beside the first.
    pub fn has_rows(&self) -> bool {
        self.apart.any()
    }

    /// Takes one of the other rows.
    ///
    /// # Errors
    ///
    /// The bytes are damaged.
    pub fn load(&mut self, suffix: &[u8], value: &[u8]) -> Result<(), Unreadable> {
        match Row::parse(suffix)? {
            Row::Panes(_) => {
                for (second, pane) in self.read_panes(value)? {
                    self.panes.insert(second, pane);
                }
            }
            Row::Late(hour, _) => {
                let panes = self.read_panes(value)?;
                if let Some(of_hour) = self.late.get_or_insert_with(hour, Timeline::default) {
                    for (second, pane) in panes {
                        of_hour.insert(second, pane);
                    }
                }
            }
            Row::Seen(combination) => {
                self.seen.see(combination, from_bytes(FORMAT, value)?);
            }
            Row::Said(id) => {
                self.said.insert(id, from_bytes(FORMAT, value)?);
            }
            Row::Tally(first) => {
                self.tallies.insert(first, from_bytes(FORMAT, value)?);
            }
        }
        Ok(())
    }

    /// The panes of a row. What they take in memory follows from what they take there.
    fn read_panes(&mut self, value: &[u8]) -> Result<Vec<(Second, Box<Pane>)>, Unreadable> {
        let mut panes: Vec<(Second, Box<Pane>)> = from_bytes(FORMAT, value)?;
        let each = value.len() / panes.len().max(1);
        let extra = (each * GROWTH).saturating_sub(USUAL_BYTES);
        for (_, pane) in &mut panes {
            pane.extra.0 = u32::try_from(extra).unwrap_or(u32::MAX);
            self.extra += extra;
        }
        Ok(panes)
    }

    /// The bytes of the first row; `None`: nothing is remembered.
    fn first_row(&self) -> Option<Vec<u8>> {
        let apart = self.apart;
        let row = FirstRow {
            head: &self.head,
            apart,
            panes: (!apart.panes).then_some(&self.panes),
            late: (!apart.late).then_some(&self.late),
            seen: (!apart.seen).then(|| self.seen.iter().collect()),
            said: (!apart.said).then_some(&self.said),
            tallies: (!apart.tallies).then_some(&self.tallies),
        };
        (!self.is_empty()).then(|| to_bytes(FORMAT, &row))
    }

    /// The bytes of another row; `None`: there is nothing in it.
    fn row(&self, row: &Row) -> Option<Vec<u8>> {
        match row {
            Row::Panes(chunk) => chunk_bytes(&self.panes, *chunk),
            Row::Late(hour, chunk) => chunk_bytes(self.late.get(*hour)?, *chunk),
            Row::Seen(combination) => Some(to_bytes(FORMAT, &self.seen.last(combination)?)),
            Row::Said(id) => Some(to_bytes(FORMAT, self.said.get(id)?)),
            Row::Tally(first) => Some(to_bytes(FORMAT, self.tallies.get(*first)?)),
        }
    }

    /// The rows that changed since the last call, in their order, without a value where they are to
    /// be deleted; the first row, whose name is `name`, is always among them.
    pub fn changes(&mut self, name: &[u8], changes: &mut Vec<(Vec<u8>, Option<Vec<u8>>)>) {
        self.set_apart();
        let mut touched = std::mem::take(&mut self.touched);
        touched.sort_unstable();
        touched.dedup();
        touched.retain(|row| self.apart.has(row));
        self.rejoin();
        changes.push((name.to_vec(), self.first_row()));
        let rows = touched.iter();
        changes.extend(rows.map(|row| (row.name(name), self.row(row))));
    }

    /// Gives parts that have grown rows of their own, all of which are then to be written.
    fn set_apart(&mut self) {
        if !self.apart.panes && self.panes.len() > PANES_MAX {
            self.apart.panes = true;
            let seconds = self.panes.seconds();
            self.touched
                .extend(seconds.map(|s| Row::Panes(chunk_of(s))));
        }
        let late = self
            .late
            .iter()
            .map(|(_, panes)| panes.len())
            .sum::<usize>();
        if !self.apart.late && late > OTHERS_MAX {
            self.apart.late = true;
            for (hour, panes) in self.late.iter() {
                let seconds = panes.seconds();
                self.touched
                    .extend(seconds.map(|s| Row::Late(hour, chunk_of(s))));
            }
        }
        if !self.apart.seen && self.seen.len() > OTHERS_MAX {
            self.apart.seen = true;
            self.touched.extend(
                self.seen
                    .iter()
                    .map(|(combination, _)| Row::Seen(combination)),
            );
        }
        if !self.apart.said && self.said.len() > OTHERS_MAX {
            self.apart.said = true;
            self.touched
                .extend(self.said.iter().map(|(id, _)| Row::Said(*id)));
        }
        if !self.apart.tallies && self.tallies.len() > OTHERS_MAX {
            self.apart.tallies = true;
            self.touched.extend(self.tallies.seconds().map(Row::Tally));
        }
    }

    /// Parts that are empty have no rows any more.
    fn rejoin(&mut self) {
        self.apart.panes &= !self.panes.is_empty();
        self.apart.late &= !self.late.is_empty();
        self.apart.seen &= !self.seen.is_empty();
        self.apart.said &= !self.said.is_empty();
        self.apart.tallies &= !self.tallies.is_empty();
    }
}

fn chunk_bytes(panes: &Panes, chunk: Second) -> Option<Vec<u8>> {
    let panes: Vec<(Second, &Box<Pane>)> = panes.range(seconds_of(chunk)).collect();
    (!panes.is_empty()).then(|| to_bytes(FORMAT, &panes))
}
