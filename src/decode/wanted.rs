//! What is wanted of a value: what one node of the tree says, or several together.
//!
//! What is wanted of several kinds of elements that one is of is taken in one pass, so that what
//! stands in one list stays together.

use smallvec::SmallVec;

use super::json::Key;
use super::trie::{Below, Holds, Node, Selectors};

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
