//! An event of which attributes have several values: to which groups and keys it belongs.
//!
//! An attribute stands for each of its values, and several attributes for all combinations of
//! theirs; values that were reached through one list vary together: what stands in one element
//! goes with what stands in the same one. How many combinations count is bounded, since a record
//! can hold as many values as it likes. Those that count are told by their hashes, so that nobody
//! can choose them, and what has too many belongs to one group and key more, [`MORE`], in which
//! nothing can hide.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use smallvec::SmallVec;

use super::facet::Facet;
use super::value;
use crate::event::{AttributeId, Event, Place, Value};
use crate::matches::{self, Input, Key, PatternMatch};
use crate::record::{Hash, Parts};
use crate::rule::{Aggregate, Pattern, Rule};

/// What a value is called where there are too many to be told apart.
pub const MORE: &str = "…";

/// The most keys of a rule that an event belongs to by patterns that are not negated.
const KEYS_MAX: usize = 256;

/// The most groups of such a pattern in one of them.
const GROUPS_MAX: usize = 32;

/// The most combinations that one group asks `new` about.
const NEW_MAX: usize = 256;

/// The most combinations of values that do not vary together, unless there are more values.
const PRODUCT_MAX: usize = 1_024;

/// The most values that the aggregates of one rule read of an event, in all its groups.
const INPUTS_MAX: usize = 1 << 20;

/// The values of one attribute, each once.
struct Column<'v> {
    values: Vec<(String, Cow<'v, Value<'v>>)>,
    /// Where each of them stands, perhaps more than once: its place, and which one it is.
    at: Vec<(Place, u32)>,
}

impl<'v> Column<'v> {
    fn of(id: AttributeId, event: &'v Event<'_>) -> Column<'v> {
        let mut column = Column {
            values: Vec::new(),
            at: Vec::new(),
        };
        let all: &[Value<'_>] = match event.get(id) {
            Some(Value::Many(all)) => all,
            Some(one) => std::slice::from_ref(one),
            None => &[],
        };
        let mut known: BTreeMap<String, u32> = BTreeMap::new();
        for (number, value) in all.iter().enumerate() {
            let text = value::folded(value);
            let next = column.values.len() as u32;
            let place = *known.entry(text.clone()).or_insert(next);
            if place == next {
                column.values.push((text, Cow::Borrowed(value)));
            }
            column.at.push((event.lists.place(id, number), place));
        }
        column
    }
}

/// One combination: of each attribute the number of its value; `None`: it has none there.
type Row = SmallVec<[Option<u32>; 4]>;

/// The combinations of some attributes of an event.
struct Table<'v> {
    columns: Vec<Column<'v>>,
    rows: BTreeSet<Row>,
    /// There are more.
    capped: bool,
}

impl<'v> Table<'v> {
    /// Those of attributes of events, or of what is computed of such: for each combination of what
    /// it takes.
    fn of(attributes: &[AttributeId], facet: Facet<'v>) -> Table<'v> {
        let taken = facet.taken(attributes);
        let table = Table::of_event(&taken, facet.event);
        if taken == attributes {
            return table;
        }
        let mut columns: Vec<Values<'_>> = attributes.iter().map(|_| Values::default()).collect();
        let mut rows = BTreeSet::new();
        for row in &table.rows {
            let cells = attributes.iter().zip(&mut columns);
            let cells = cells.map(|(id, column)| {
                let value = table.computed(*id, row, &taken, facet)?;
                Some(column.add(&value))
            });
            rows.insert(cells.collect());
        }
        Table {
            columns: columns.into_iter().map(Values::column).collect(),
            rows,
            capped: table.capped,
        }
    }

    /// What stands at `id` for a combination of `taken`, which are this table's attributes.
    fn computed<'t>(
        &'t self,
        id: AttributeId,
        row: &Row,
        taken: &[AttributeId],
        facet: Facet<'t>,
    ) -> Option<Cow<'t, Value<'t>>> {
        facet.value_of(id, &|id| {
            let place = taken.iter().position(|known| *known == id)?;
            self.value(row, place).map(|(_, value)| &**value)
        })
    }

    fn of_event(attributes: &[AttributeId], event: &'v Event<'_>) -> Table<'v> {
        let columns: Vec<Column<'v>> = attributes.iter().map(|id| Column::of(*id, event)).collect();
        let standing = columns.iter().enumerate();
        let standing = standing.map(|(number, column)| Standing {
            number,
            at: column
                .at
                .iter()
                .map(|(at, value)| (&**at, *value))
                .collect(),
        });
        let values: usize = columns.iter().map(|column| column.at.len()).sum();
        let mut combining = Combining {
            width: columns.len(),
            most: PRODUCT_MAX.max(values),
            capped: false,
        };
        let rows = combining.rows(standing.collect());
        Table {
            rows,
            capped: combining.capped,
            columns,
        }
    }

    fn value(&self, row: &Row, number: usize) -> Option<&(String, Cow<'v, Value<'v>>)> {
        let value = (*row.get(number)?)?;
        self.columns.get(number)?.values.get(value as usize)
    }

    fn text(&self, row: &Row, number: usize) -> Option<String> {
        self.value(row, number).map(|(text, _)| text.clone())
    }
}

/// Values that were computed, each once.
#[derive(Default)]
struct Values<'v> {
    values: Vec<(String, Cow<'v, Value<'v>>)>,
    known: BTreeMap<String, u32>,
}

impl<'v> Values<'v> {
    /// Which one it is.
    fn add(&mut self, value: &Value<'_>) -> u32 {
        let text = value::folded(value);
        let next = self.values.len() as u32;
        let place = *self.known.entry(text.clone()).or_insert(next);
        if place == next {
            self.values.push((text, Cow::Owned(owned(value))));
        }
        place
    }

    fn column(self) -> Column<'v> {
        Column {
            values: self.values,
            at: Vec::new(),
        }
    }
}

fn owned(value: &Value<'_>) -> Value<'static> {
    match value {
        Value::Text(text) => Value::Text(Cow::Owned(text.clone().into_owned())),
        Value::Integer(number) => Value::Integer(*number),
        Value::Float(number) => Value::Float(*number),
        Value::Bool(truth) => Value::Bool(*truth),
        Value::Many(all) => Value::Many(all.iter().map(owned).collect()),
    }
}

/// The values of one attribute within an element, with where they stand in it.
struct Standing<'p> {
    /// The attribute's number.
    number: usize,
    at: Vec<(&'p [(u32, u32)], u32)>,
}

struct Combining {
    width: usize,
    most: usize,
    capped: bool,
}

impl Combining {
    /// All combinations of what stands there, without those that are too many.
    fn rows(&mut self, columns: Vec<Standing<'_>>) -> BTreeSet<Row> {
        let mut rows = BTreeSet::from([Row::from_elem(None, self.width)]);
        let mut by_list: BTreeMap<u32, Vec<Standing<'_>>> = BTreeMap::new();
        for column in columns {
            // The values of one attribute stand in one list, or in lists within that.
            match column.at.first().and_then(|(place, _)| place.first()) {
                Some((list, _)) => by_list.entry(*list).or_default().push(column),
                None => {
                    let each = column.at.iter().map(|(_, value)| {
                        let mut row = Row::from_elem(None, self.width);
                        if let Some(cell) = row.get_mut(column.number) {
                            *cell = Some(*value);
                        }
                        row
                    });
                    rows = self.product(&rows, &each.collect());
                }
            }
        }
        for columns in by_list.into_values() {
            let of_list = self.rows_of_list(columns);
            rows = self.product(&rows, &of_list);
        }
        rows
    }

    /// The combinations of each element of a list, one after the other.
    fn rows_of_list(&mut self, columns: Vec<Standing<'_>>) -> BTreeSet<Row> {
        let mut elements: BTreeMap<u32, Vec<Standing<'_>>> = BTreeMap::new();
        for column in columns {
            for (place, value) in column.at {
                let (element, within) = match place.split_first() {
                    Some(((_, element), within)) => (*element, within),
                    None => (u32::MAX, place),
                };
                let here = elements.entry(element).or_default();
                match here.last_mut().filter(|last| last.number == column.number) {
                    Some(last) => last.at.push((within, value)),
                    None => here.push(Standing {
                        number: column.number,
                        at: vec![(within, value)],
                    }),
                }
            }
        }
        let mut all = BTreeSet::new();
        for columns in elements.into_values() {
            all.extend(self.rows(columns));
        }
        all
    }

    /// Each of these with each of those, which are of other attributes.
    fn product(&mut self, these: &BTreeSet<Row>, those: &BTreeSet<Row>) -> BTreeSet<Row> {
        if those.is_empty() {
            return these.clone();
        }
        let (mut these, mut those) = (these.clone(), those.clone());
        if these.len().saturating_mul(those.len()) > self.most {
            self.capped = true;
            let root = self.most.isqrt().max(1);
            if these.len() <= root {
                keep_least(&mut those, self.most / these.len().max(1), row_hash);
            } else if those.len() <= root {
                keep_least(&mut these, self.most / those.len().max(1), row_hash);
            } else {
                keep_least(&mut these, root, row_hash);
                keep_least(&mut those, root, row_hash);
            }
        }
        let pairs = these
            .iter()
            .flat_map(|one| those.iter().map(move |other| (one, other)));
        let joined = pairs.map(|(one, other)| {
            let cells = one.iter().zip(other);
            cells.map(|(one, other)| one.or(*other)).collect()
        });
        joined.collect()
    }
}

fn row_hash(row: &Row) -> Hash {
    let mut parts = Parts::default();
    for cell in row {
        parts.add(&cell.map_or(0, |cell| cell + 1).to_be_bytes());
    }
    parts.hash()
}

/// Keeps the entries with the least hashes; whether any went.
fn keep_least<T: Ord + Clone>(
    all: &mut BTreeSet<T>,
    most: usize,
    hash: impl Fn(&T) -> Hash,
) -> bool {
    if all.len() <= most {
        return false;
    }
    let mut hashed: Vec<(Hash, T)> = all.iter().map(|one| (hash(one), one.clone())).collect();
    hashed.sort();
    *all = hashed.into_iter().take(most).map(|(_, one)| one).collect();
    true
}

/// A pattern of a rule, and its place.
#[derive(Clone, Copy)]
pub struct At<'r> {
    /// The rule.
    pub rule: &'r Rule,
    /// Its fingerprint.
    pub fingerprint: Hash,
}

/// What the patterns that an event passes make of it, by key.
#[derive(Default)]
pub struct Shares {
    by_key: BTreeMap<Key, Vec<PatternMatch>>,
    /// By pattern: its share of the key [`MORE`].
    more: Vec<PatternMatch>,
    /// There were more groups or keys than count.
    pub capped: bool,
    inputs: usize,
}

/// The aggregates of one rule would read too many values of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooMany;

impl Shares {
    /// Adds what a pattern makes of an event.
    ///
    /// # Errors
    ///
    /// It is too much.
    pub fn add(&mut self, at: At<'_>, number: u32, facet: Facet<'_>) -> Result<(), TooMany> {
        let (pattern, attributes) = (facet.pattern, facet.attributes());
        let table = Table::of(attributes, facet);
        self.capped |= table.capped;
        let aggregates = pattern.aggregates.iter();
        let all: Vec<Taken<'_>> = aggregates
            .map(|aggregate| Taken::of(aggregate, attributes, facet))
            .collect();
        let mut groups: BTreeMap<(Key, Key), Vec<&Row>> = BTreeMap::new();
        let places = Places::of(at.rule, number as usize, pattern, attributes);
        for row in &table.rows {
            let of = |places: &[usize]| places.iter().map(|p| table.text(row, *p)).collect();
            let name = (of(&places.key), of(&places.group));
            groups.entry(name).or_default().push(row);
        }
        let sizes = all.iter().map(|taken| taken.size(groups.len()));
        self.inputs = sizes.fold(self.inputs, usize::saturating_add);
        if self.inputs > INPUTS_MAX {
            return Err(TooMany);
        }
        for ((key, group), rows) in groups {
            let first = rows.first().map(|row| (&table, *row));
            let part = PatternMatch {
                pattern: number,
                group,
                inputs: all.iter().map(|taken| taken.input(first)).collect(),
                combinations: self.combinations(pattern, &table, &rows),
            };
            self.by_key.entry(key).or_default().push(part);
        }
        let rows: Vec<&Row> = table.rows.iter().collect();
        let combinations = self.combinations(pattern, &table, &rows);
        self.more.push(PatternMatch {
            pattern: number,
            group: vec![Some(MORE.to_owned()); places.group.len()],
            inputs: all.iter().map(|taken| taken.input(None)).collect(),
            combinations,
        });
        Ok(())
    }

    fn combinations(
        &mut self,
        pattern: &Pattern,
        table: &Table<'_>,
        rows: &[&Row],
    ) -> SmallVec<[Hash; 1]> {
        if pattern.new.is_none() {
            return SmallVec::new();
        }
        let hash = |row: &&Row| {
            let columns = 0..table.columns.len();
            let values: Key = columns.map(|column| table.text(row, column)).collect();
            let mut parts = Parts::default();
            matches::add_values(&mut parts, &values);
            parts.hash()
        };
        let mut all: BTreeSet<Hash> = rows.iter().map(hash).collect();
        self.capped |= keep_least(&mut all, NEW_MAX, |hash| *hash);
        all.into_iter().collect()
    }

    /// The shares by key, no more than count.
    pub fn bounded(mut self, at: At<'_>) -> (BTreeMap<Key, Vec<PatternMatch>>, bool) {
        let counts = |part: &PatternMatch| at.rule.is_positive(part.pattern as usize);
        let positive = self.by_key.iter();
        let positive = positive.filter(|(_, parts)| parts.iter().any(counts));
        let mut keys: BTreeSet<&Key> = positive.map(|(key, _)| key).collect();
        let most = if keys.len() > KEYS_MAX {
            KEYS_MAX
        } else {
            usize::MAX
        };
        let mut keys: BTreeSet<Key> = std::mem::take(&mut keys).into_iter().cloned().collect();
        if keep_least(&mut keys, most, |key| {
            matches::key_hash(at.fingerprint, key)
        }) {
            self.capped = true;
            for (key, parts) in &mut self.by_key {
                parts.retain(|part| keys.contains(key) || !counts(part));
            }
            self.by_key.retain(|_, parts| !parts.is_empty());
            let more = vec![Some(MORE.to_owned()); at.rule.join_key.len()];
            let parts = self.by_key.entry(more).or_default();
            for part in &self.more {
                if parts.iter().all(|known| known.pattern != part.pattern) {
                    parts.push(part.clone());
                }
            }
            parts.sort_by_key(|part| part.pattern);
        }
        for parts in self.by_key.values_mut() {
            self.capped |= bound_groups(parts, &self.more, counts);
        }
        (self.by_key, self.capped)
    }
}

/// Keeps of each pattern that `counts` as many groups as count; whether any went.
fn bound_groups(
    parts: &mut Vec<PatternMatch>,
    more: &[PatternMatch],
    counts: impl Fn(&PatternMatch) -> bool,
) -> bool {
    if parts.len() <= GROUPS_MAX {
        return false;
    }
    let mut capped = false;
    let all = std::mem::take(parts);
    for of_pattern in all.chunk_by(|one, other| one.pattern == other.pattern) {
        if of_pattern.len() <= GROUPS_MAX || !of_pattern.first().is_some_and(&counts) {
            parts.extend_from_slice(of_pattern);
            continue;
        }
        capped = true;
        let group_hash = |group: &Key| {
            let mut hash = Parts::default();
            matches::add_values(&mut hash, group);
            hash.hash()
        };
        let mut groups: BTreeSet<Key> = of_pattern.iter().map(|part| part.group.clone()).collect();
        keep_least(&mut groups, GROUPS_MAX, group_hash);
        let kept = of_pattern
            .iter()
            .filter(|part| groups.contains(&part.group));
        parts.extend(kept.cloned());
        let is_same = |part: &&PatternMatch| {
            of_pattern.first().map(|one| one.pattern) == Some(part.pattern)
                && !groups.contains(&part.group)
        };
        parts.extend(more.iter().filter(is_same).cloned());
    }
    capped
}

/// Where the values of key and group stand among the attributes of a table.
struct Places {
    key: Vec<usize>,
    group: Vec<usize>,
}

impl Places {
    fn of(rule: &Rule, number: usize, pattern: &Pattern, attributes: &[AttributeId]) -> Places {
        let place = |at: usize| {
            let id = pattern.group_by.get(at)?;
            attributes.iter().position(|known| known == id)
        };
        let key = rule.join_key.iter();
        let key = key.filter_map(|part| place(*part.places.get(number)?));
        let beyond = 0..pattern.group_by.len();
        let beyond = beyond.filter(|at| rule.key_part(number, *at).is_none());
        Places {
            key: key.collect(),
            group: beyond.filter_map(place).collect(),
        }
    }
}

/// What an aggregate reads of an event in the groups that it belongs to.
struct Taken<'v> {
    aggregate: &'v Aggregate,
    facet: Facet<'v>,
    /// Of all values.
    all: Vec<Input>,
    /// Of those that go with a group, in groups that tell what it takes apart.
    grouped: Option<Grouped>,
}

/// What an aggregate takes of the groups themselves.
struct Grouped {
    /// Attributes of groups, by their place among all that combinations are made of.
    attributes: Vec<(AttributeId, usize)>,
    /// What it reads, by their values.
    inputs: BTreeMap<Key, Vec<Input>>,
}

impl<'v> Taken<'v> {
    /// What `aggregate` reads where groups are made of combinations of `attributes`.
    fn of(aggregate: &'v Aggregate, attributes: &[AttributeId], facet: Facet<'v>) -> Taken<'v> {
        let mut taken = Taken {
            aggregate,
            facet,
            all: Vec::new(),
            grouped: None,
        };
        let Some(id) = aggregate.input else {
            taken.all.push(Input::Present);
            return taken;
        };
        taken.all = match facet.is_several(id) {
            false => vec![facet.input(aggregate)],
            true => {
                let table = Table::of(&[id], facet);
                let values = table.columns.first().map_or(&[] as &[_], |all| &all.values);
                read_each(aggregate, values.iter().map(|(_, value)| &**value))
            }
        };
        taken.grouped = Grouped::of(aggregate, id, attributes, facet);
        taken
    }

    /// How many inputs there are in so many groups.
    fn size(&self, groups: usize) -> usize {
        match &self.grouped {
            None => self.all.len().saturating_mul(groups),
            Some(grouped) => grouped.inputs.values().map(Vec::len).sum(),
        }
    }

    /// What is read in a group, of which `row` is a combination; `None`: all values count.
    fn input(&self, row: Option<(&Table<'_>, &Row)>) -> Input {
        let grouped = self.grouped.as_ref().zip(row);
        let Some((grouped, (table, row))) = grouped else {
            return one_of(&self.all);
        };
        let places = grouped.attributes.iter().map(|(_, place)| *place);
        let values: Key = places.map(|place| table.text(row, place)).collect();
        match grouped.inputs.get(&values) {
            Some(inputs) => one_of(inputs),
            None => self.of_group_alone(grouped, table, row),
        }
    }

    /// What is read in a group with whose values nothing goes: what stands in lists is absent.
    fn of_group_alone(&self, grouped: &Grouped, table: &Table<'_>, row: &Row) -> Input {
        let event = self.facet.event;
        let value = self.aggregate.input.and_then(|id| {
            self.facet.value_of(id, &|id| {
                let mut own = grouped.attributes.iter();
                match own.find(|(known, _)| *known == id) {
                    Some((_, place)) => table.value(row, *place).map(|(_, value)| &**value),
                    None => event.get(id).filter(|_| !event.lists.has(id)),
                }
            })
        });
        value::input(self.aggregate, value.as_deref())
    }
}

impl Grouped {
    /// `None`: the groups do not tell apart what is at `id`.
    fn of(
        aggregate: &Aggregate,
        id: AttributeId,
        attributes: &[AttributeId],
        facet: Facet<'_>,
    ) -> Option<Grouped> {
        let group_by = &facet.pattern.group_by;
        let is_grouped = group_by.contains(&id);
        let taken = match is_grouped {
            true => vec![id],
            false => facet.taken(&[id]),
        };
        let own = attributes.iter().enumerate();
        let own = own.filter(|(_, id)| group_by.contains(id) && taken.contains(id));
        let own: Vec<(AttributeId, usize)> = own.map(|(place, id)| (*id, place)).collect();
        if own.is_empty() {
            return None;
        }
        let table = match is_grouped {
            true => Table::of(&taken, facet),
            false => Table::of_event(&taken, facet.event),
        };
        let at = |id: &AttributeId| taken.iter().position(|known| known == id);
        let mut values: BTreeMap<Key, Values<'_>> = BTreeMap::new();
        for row in &table.rows {
            let text = |(id, _): &(AttributeId, usize)| table.text(row, at(id)?);
            let of_group = values.entry(own.iter().map(text).collect()).or_default();
            let value = match is_grouped {
                true => table.value(row, 0).map(|(_, value)| value.clone()),
                false => table.computed(id, row, &taken, facet),
            };
            if let Some(value) = value {
                of_group.add(&value);
            }
        }
        let read = |values: &Values<'_>| {
            let values = values.values.iter().map(|(_, value)| &**value);
            read_each(aggregate, values)
        };
        let inputs = values
            .iter()
            .map(|(key, values)| (key.clone(), read(values)));
        Some(Grouped {
            inputs: inputs.collect(),
            attributes: own,
        })
    }
}

/// What an aggregate reads of some values.
fn read_each<'v>(aggregate: &Aggregate, values: impl Iterator<Item = &'v Value<'v>>) -> Vec<Input> {
    let mut inputs: Vec<Input> = values
        .map(|value| value::input(aggregate, Some(value)))
        .filter(|input| *input != Input::Absent)
        .collect();
    if inputs.first() == Some(&Input::Present) {
        inputs.truncate(1);
    }
    inputs
}

fn one_of(all: &[Input]) -> Input {
    match all {
        [] => Input::Absent,
        [one] => one.clone(),
        [..] => Input::Several(all.to_vec()),
    }
}

#[cfg(test)]
mod tests;
