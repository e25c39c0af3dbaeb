//! What is wanted of certain elements only: `modifiedProperties[displayName = "X"].newValue`.
//!
//! An element is looked at twice: for the texts that are asked for, wherever in it they stand, and
//! then for what is wanted of elements that have them. What is wanted of several kinds of elements
//! that this is one of is taken in one pass, so that what stands in one list stays together.

use std::borrow::Cow;
use std::collections::BTreeMap;

use smallvec::SmallVec;

use super::json::Key;
use super::trie::{Below, Holds, Node};
use crate::event::Only;

/// What is wanted of a value: what a node of the tree says, or several together.
pub(super) trait Wanted<'n>: Clone {
    /// The nodes, at least one.
    fn nodes(&self) -> &[&'n Node];

    /// What is wanted of the value at a key.
    fn child(&self, key: Key<'_>) -> Option<Self>;

    /// What is wanted below.
    fn below(&self) -> Below;

    /// Whether anything is wanted here or below.
    fn is_wanted(&self) -> bool;

    /// What may be found here besides, of the keys of a record or an envelope.
    fn holds(&self) -> Holds;
}

impl<'n> Wanted<'n> for &'n Node {
    #[inline]
    fn nodes(&self) -> &[&'n Node] {
        std::slice::from_ref(self)
    }

    #[inline]
    fn child(&self, key: Key<'_>) -> Option<&'n Node> {
        self.at_key(key)
    }

    #[inline]
    fn below(&self) -> Below {
        self.below
    }

    #[inline]
    fn is_wanted(&self) -> bool {
        Node::is_wanted(self)
    }

    #[inline]
    fn holds(&self) -> Holds {
        self.holds
    }
}

/// What is wanted of an element, for whatever texts it has.
#[derive(Clone)]
pub(super) struct Elements<'n>(SmallVec<[&'n Node; 4]>);

impl<'n> Elements<'n> {
    /// What is wanted of it in any case.
    pub(super) fn of(node: &impl Wanted<'n>) -> Elements<'n> {
        Elements(node.nodes().iter().copied().collect())
    }

    /// What else is wanted of it.
    pub(super) fn extend(&mut self, nodes: impl Iterator<Item = &'n Node>) {
        self.0.extend(nodes);
    }

    /// Whether anything at its keys is.
    pub(super) fn has_keys(&self) -> bool {
        self.0.iter().any(|node| node.has_keys())
    }
}

impl<'n> Wanted<'n> for Elements<'n> {
    fn nodes(&self) -> &[&'n Node] {
        &self.0
    }

    fn child(&self, key: Key<'_>) -> Option<Elements<'n>> {
        let children = self.0.iter().filter_map(|node| node.at_key(key));
        let children: SmallVec<_> = children.collect();
        (!children.is_empty()).then_some(Elements(children))
    }

    fn below(&self) -> Below {
        let all = self.0.iter().map(|node| node.below);
        all.max().unwrap_or_default()
    }

    fn is_wanted(&self) -> bool {
        self.0.iter().any(|node| Node::is_wanted(node))
    }

    fn holds(&self) -> Holds {
        // No element is the top of a record.
        Holds::Nothing
    }
}

/// The selections of all these nodes.
pub(super) fn all<'w, 'n: 'w, W: Wanted<'n>>(node: &'w W) -> impl Iterator<Item = &'n Selectors> {
    let nodes = node.nodes().iter();
    nodes.filter_map(|node| node.selectors.as_deref())
}

/// Which elements are asked for where a node stands, and what of each.
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
