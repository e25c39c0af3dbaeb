//! The wanted paths of a record as a tree of lower-case keys.

use std::borrow::Cow;
use std::collections::BTreeMap;

use smallvec::SmallVec;

use super::json::Key;
use crate::event::{Only, Segment};

/// What stands at one path, and what lies below it.
#[derive(Debug, Default)]
pub(super) struct Node {
    /// Where a string, number or boolean found here goes.
    pub(super) slots: Vec<u16>,
    /// Where anything found here goes; an object as its JSON text.
    pub(super) whole: Vec<u16>,
    /// What this is, of the keys of a record or an envelope.
    pub(super) holds: Holds,
    /// What is wanted below; made by [`Node::seal`].
    pub(super) below: Below,
    /// What is wanted of some elements only.
    pub(super) selectors: Option<Box<Selectors>>,
    children: Vec<Child>,
    /// Which lengths of keys there are, a bit each.
    lengths: u64,
    /// Where children are: a power of two of places, at most a quarter taken. 1 more than the
    /// child's; 0: none.
    places: Vec<u32>,
}

/// What a key at the top of an object may hold besides a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Holds {
    #[default]
    Nothing,
    /// The records of an envelope.
    Records,
    /// The records of an answer of REST or Graph.
    Answer,
    /// The record of an event of Event Grid, or of a CloudEvent.
    Data,
}

/// What is wanted below a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Below {
    /// Nothing.
    #[default]
    Nothing,
    /// What stands at keys.
    Keys,
    /// What stands in certain elements, perhaps beside.
    Elements,
}

#[derive(Debug)]
struct Child {
    /// Of the key.
    ends: Ends,
    /// For each byte of them, the bit in which its other case differs.
    cases: Ends,
    /// In lower case.
    key: Box<[u8]>,
    /// For each byte of it, the bit in which its other case differs; 0: it has none.
    case_bits: Box<[u8]>,
    node: Node,
}

/// The bit in which the cases of an ASCII letter differ.
const CASE: u8 = 0x20;

/// The same of eight bytes.
const CASES: u64 = 0x2020_2020_2020_2020;

/// Bytes of a key that are compared at once.
type Word = [u8; 8];

/// Longer keys share one bit.
const LENGTH_MAX: usize = 63;

impl Node {
    /// The node of `path`, made if it is new. [`Node::seal`] must follow.
    pub(super) fn at(&mut self, path: &[String]) -> &mut Node {
        let Some((first, rest)) = path.split_first() else {
            return self;
        };
        let key = first.to_ascii_lowercase().into_bytes();
        let known = self.children.iter().position(|child| *child.key == *key);
        let place = known.unwrap_or_else(|| {
            let cases = key.iter().map(|byte| match byte.is_ascii_lowercase() {
                true => CASE,
                false => 0,
            });
            let case_bits: Box<[u8]> = cases.collect();
            self.children.push(Child {
                ends: Ends::of(&key),
                cases: Ends::of(&case_bits),
                case_bits,
                key: key.into_boxed_slice(),
                node: Node::default(),
            });
            self.children.len() - 1
        });
        #[expect(clippy::indexing_slicing, reason = "found or pushed above")]
        self.children[place].node.at(rest)
    }

    /// The same of a path that leads through certain elements.
    pub(super) fn at_selected(&mut self, path: &[Segment]) -> &mut Node {
        let Some((first, rest)) = path.split_first() else {
            return self;
        };
        let node = self.at(std::slice::from_ref(&first.name));
        let node = match &first.only[..] {
            [] => node,
            only => node.selectors.get_or_insert_default().at(only),
        };
        node.at_selected(rest)
    }

    /// Makes the tree ready for [`Node::child`].
    pub(super) fn seal(&mut self) {
        self.below = match (&mut self.selectors, &self.children[..]) {
            (Some(selectors), _) => {
                selectors.seal();
                Below::Elements
            }
            (None, []) => Below::Nothing,
            (None, [..]) => Below::Keys,
        };
        self.places = vec![0; (4 * self.children.len()).next_power_of_two()];
        self.lengths = 0;
        for (number, child) in (1..).zip(&mut self.children) {
            self.lengths |= length_bit(&child.key);
            let mut place = child.ends.place(self.places.len());
            while let Some(taken) = self.places.get_mut(place) {
                if *taken == 0 {
                    *taken = number;
                    break;
                }
                place = next_place(place, self.places.len());
            }
            child.node.seal();
        }
    }

    /// The node of `key`, compared without regard to ASCII case.
    #[inline]
    pub(super) fn child(&self, key: &[u8]) -> Option<&Node> {
        if self.lengths & length_bit(key) == 0 {
            return None;
        }
        let ends = Ends::of(key);
        let mut place = ends.place(self.places.len());
        loop {
            let number = *self.places.get(place)? as usize;
            let child = self.children.get(number.checked_sub(1)?)?;
            if child.is(key, ends) {
                return Some(&child.node);
            }
            place = next_place(place, self.places.len());
        }
    }

    /// Whether anything is wanted here or below.
    #[inline]
    pub(super) fn is_wanted(&self) -> bool {
        self.below != Below::Nothing || !self.slots.is_empty() || !self.whole.is_empty()
    }

    /// The node of a key.
    #[inline]
    pub(super) fn at_key(&self, key: Key<'_>) -> Option<&Node> {
        if key.escaped {
            self.child(&key.bytes())
        } else {
            self.child(key.raw)
        }
    }

    /// Whether anything is wanted at keys.
    pub(super) fn has_keys(&self) -> bool {
        !self.children.is_empty()
    }
}

impl Child {
    /// Whether this is its key, which has these ends, without regard to ASCII case.
    #[inline]
    fn is(&self, key: &[u8], ends: Ends) -> bool {
        let differ = (ends.head ^ self.ends.head) & !self.cases.head
            | (ends.tail ^ self.ends.tail) & !self.cases.tail;
        differ == 0
            && key.len() == self.key.len()
            && (key.len() <= Ends::WHOLE || self.is_between(key))
    }

    /// Whether this is its key, of the same length and ends, also between these.
    #[inline(never)]
    fn is_between(&self, key: &[u8]) -> bool {
        let words = key.as_chunks().0.iter().zip(self.key.as_chunks().0);
        let mut words = words.zip(self.case_bits.as_chunks().0);
        words.all(|((theirs, own), cases)| is_same(theirs, own, cases))
    }
}

/// Which elements are asked for where a node stands, and what of each:
/// `modifiedProperties[displayName = "X"].newValue`.
///
/// An element is looked at twice: for the texts that are asked for, wherever in it they stand, and
/// then for what is wanted of elements that have them.
#[derive(Debug, Default)]
pub(super) struct Selectors {
    /// The keys whose texts tell; the slot is a key's number.
    keys: Node,
    /// By key: the texts, in ASCII lower case, and the condition that asks for each.
    texts: Vec<BTreeMap<String, u32>>,
    selections: Vec<Selection>,
    /// The place of each, by its conditions.
    places: BTreeMap<Vec<u32>, u32>,
    /// By condition: those whose first one it is.
    firsts: Vec<Vec<u32>>,
}

/// Elements for which all these conditions hold.
#[derive(Debug)]
struct Selection {
    /// In order.
    conditions: Vec<u32>,
    node: Node,
}

impl Selectors {
    /// The node of elements that have all this, made if it is new.
    pub(super) fn at(&mut self, only: &[Only]) -> &mut Node {
        let mut conditions: Vec<u32> = only.iter().map(|only| self.condition(only)).collect();
        conditions.sort_unstable();
        conditions.dedup();
        let next = self.selections.len() as u32;
        let place = *self.places.entry(conditions.clone()).or_insert(next);
        if place == next {
            let first = conditions.first().copied().unwrap_or_default();
            if let Some(first) = self.firsts.get_mut(first as usize) {
                first.push(place);
            }
            self.selections.push(Selection {
                conditions,
                node: Node::default(),
            });
        }
        #[expect(clippy::indexing_slicing, reason = "found or pushed above")]
        &mut self.selections[place as usize].node
    }

    /// The number of a condition.
    fn condition(&mut self, only: &Only) -> u32 {
        let next_key = self.texts.len() as u16;
        let slots = &mut self.keys.at(std::slice::from_ref(&only.key)).slots;
        let key = *slots.first().unwrap_or(&next_key);
        if key == next_key {
            slots.push(key);
            self.texts.push(BTreeMap::new());
        }
        let next = self.firsts.len() as u32;
        let Some(texts) = self.texts.get_mut(usize::from(key)) else {
            return next;
        };
        let condition = *texts.entry(only.text.clone()).or_insert(next);
        if condition == next {
            self.firsts.push(Vec::new());
        }
        condition
    }

    /// Makes all that is below ready.
    pub(super) fn seal(&mut self) {
        self.keys.seal();
        for selection in &mut self.selections {
            selection.node.seal();
        }
    }

    /// What is asked of an element, before anything of it is read.
    pub(super) fn conditions(&self) -> Conditions<'_> {
        Conditions {
            selectors: self,
            held: SmallVec::new(),
        }
    }
}

/// Which conditions hold for an element, as far as it was read.
pub(super) struct Conditions<'n> {
    selectors: &'n Selectors,
    /// In order.
    held: SmallVec<[u32; 4]>,
}

impl<'n> Conditions<'n> {
    /// The number of a key, if its text tells anything.
    pub(super) fn key(&self, key: Key<'_>) -> Option<u16> {
        let node = self.selectors.keys.at_key(key)?;
        node.slots.first().copied()
    }

    /// Notes that the element has this text at a key.
    pub(super) fn note(&mut self, key: u16, text: &str) {
        let is_lower = !text.bytes().any(|byte| byte.is_ascii_uppercase());
        let text = match is_lower {
            true => Cow::Borrowed(text),
            false => Cow::Owned(text.to_ascii_lowercase()),
        };
        let texts = self.selectors.texts.get(usize::from(key));
        let Some(condition) = texts.and_then(|texts| texts.get(&*text)) else {
            return;
        };
        if let Err(place) = self.held.binary_search(condition) {
            self.held.insert(place, *condition);
        }
    }

    /// What is wanted of an element for which these hold.
    pub(super) fn held(&self) -> impl Iterator<Item = &'n Node> {
        let selectors = self.selectors;
        let firsts = self.held.iter().filter_map(|condition| {
            let firsts = selectors.firsts.get(*condition as usize)?;
            Some(firsts.iter())
        });
        firsts.flatten().filter_map(|place| {
            let selection = selectors.selections.get(*place as usize)?;
            let mut conditions = selection.conditions.iter();
            let holds = conditions.all(|one| self.held.binary_search(one).is_ok());
            holds.then_some(&selection.node)
        })
    }
}

/// The first and the last bytes of a key: all of it if it is short.
#[derive(Clone, Copy, Debug)]
struct Ends {
    head: u64,
    tail: u64,
}

impl Ends {
    /// Keys of so many bytes are known by length and ends.
    const WHOLE: usize = 16;

    #[inline]
    fn of(key: &[u8]) -> Ends {
        match (key.first_chunk(), key.last_chunk()) {
            (Some(head), Some(tail)) => Ends {
                head: u64::from_le_bytes(*head),
                tail: u64::from_le_bytes(*tail),
            },
            _ => Ends::of_short(key),
        }
    }

    /// Of a key that is shorter than a word.
    fn of_short(key: &[u8]) -> Ends {
        if let (Some(head), Some(tail)) = (key.first_chunk(), key.last_chunk()) {
            return Ends {
                head: u64::from(u32::from_le_bytes(*head)),
                tail: u64::from(u32::from_le_bytes(*tail)),
            };
        }
        let at = |place: usize| u64::from(key.get(place).copied().unwrap_or_default());
        Ends {
            head: at(0) | at(1) << 8,
            tail: at(2),
        }
    }

    /// Where to look first for a key with these ends among so many places.
    #[inline]
    fn place(self, places: usize) -> usize {
        // What is no letter may look like another such byte: this only tells most apart.
        let mixed = (self.head | CASES) ^ (self.tail | CASES).rotate_left(29);
        // The multiplier of Fibonacci hashing: 2^64 over the golden ratio.
        let mixed = mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed >> 32) as usize & places.wrapping_sub(1)
    }
}

/// Whether bytes are equal where `cases` does not let them differ.
#[inline]
fn is_same(theirs: &Word, own: &Word, cases: &Word) -> bool {
    let number = |word: &Word| u64::from_ne_bytes(*word);
    (number(theirs) ^ number(own)) & !number(cases) == 0
}

#[inline]
fn length_bit(key: &[u8]) -> u64 {
    1 << key.len().min(LENGTH_MAX)
}

#[inline]
fn next_place(place: usize, places: usize) -> usize {
    (place + 1) & places.wrapping_sub(1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_key_is_found_in_any_case_and_no_other_is(
            known in prop::collection::vec("[a-zA-Z@`{\\[0-9_-]{0,12}|[a-c]{60,70}", 0..40),
            asked in prop::collection::vec("[a-zA-Z@`{\\[0-9_-]{0,12}|[a-cA-C]{60,70}", 0..40),
        ) {
            let mut root = Node::default();
            for (slot, key) in known.iter().enumerate() {
                root.at(std::slice::from_ref(key)).slots.push(slot as u16);
            }
            root.seal();
            let upper = known.iter().map(|key| key.to_ascii_uppercase());
            let turned = known.iter().map(|key| {
                let turned = key.bytes().map(|byte| char::from((byte ^ CASE) & 0x7f));
                turned.collect::<String>()
            });
            let all = asked.iter().chain(&known).cloned().chain(upper).chain(turned);
            for key in all {
                let same = |other: &String| other.eq_ignore_ascii_case(&key);
                let slots = (0..).zip(&known).filter(|(_, known)| same(known));
                let slots: Vec<u16> = slots.map(|(slot, _)| slot).collect();
                let found = root.child(key.as_bytes());
                prop_assert_eq!(found.map_or(&[][..], |node| &node.slots), &slots[..], "{}", key);
            }
        }
    }
}
