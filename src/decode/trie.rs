//! The wanted paths of a record as a tree of lower-case keys.

/// What stands at one path, and what lies below it.
#[derive(Debug, Default)]
pub(super) struct Node {
    /// Where a string, number or boolean found here goes.
    pub(super) slots: Vec<u16>,
    /// Where anything found here goes; an object as its JSON text.
    pub(super) whole: Vec<u16>,
    /// Whether this is the `records` of an envelope.
    pub(super) records: bool,
    /// By length of the key.
    children: Vec<Child>,
    /// For each length of a key, where its children begin; one more for the end.
    starts: Vec<u16>,
}

#[derive(Debug)]
struct Child {
    tag: u32,
    key: Box<[u8]>,
    node: Node,
}

/// Longer keys share one length.
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
            let tag = tag(&key);
            let key = key.into_boxed_slice();
            self.children.push(Child {
                tag,
                key,
                node: Node::default(),
            });
            self.children.len() - 1
        });
        #[expect(clippy::indexing_slicing, reason = "found or pushed above")]
        self.children[place].node.at(rest)
    }

    /// Makes the tree ready for [`Node::child`].
    pub(super) fn seal(&mut self) {
        self.children.sort_by_key(|child| child.key.len());
        self.starts = (0..=LENGTH_MAX + 1)
            .map(|length| {
                let before = self
                    .children
                    .partition_point(|child| child.key.len().min(LENGTH_MAX) < length);
                u16::try_from(before).unwrap_or(u16::MAX)
            })
            .collect();
        for child in &mut self.children {
            child.node.seal();
        }
    }

    /// The node of `key`, compared without regard to ASCII case.
    #[inline]
    pub(super) fn child(&self, key: &[u8]) -> Option<&Node> {
        let length = key.len().min(LENGTH_MAX);
        let start = usize::from(*self.starts.get(length)?);
        let end = usize::from(*self.starts.get(length + 1)?);
        let same_length = self.children.get(start..end)?;
        if same_length.is_empty() {
            return None;
        }
        let tag = tag(key);
        same_length
            .iter()
            .find(|child| child.tag == tag && child.key.eq_ignore_ascii_case(key))
            .map(|child| &child.node)
    }

    /// Whether anything is wanted below.
    #[inline]
    pub(super) fn has_children(&self) -> bool {
        !self.children.is_empty()
    }
}

/// Tells most keys of one length apart: first, middle and last byte.
#[inline]
fn tag(key: &[u8]) -> u32 {
    let at = |place: usize| {
        key.get(place)
            .map_or(0, |byte| u32::from(byte.to_ascii_lowercase()))
    };
    at(0) | at(key.len() / 2) << 8 | at(key.len().saturating_sub(1)) << 16
}
