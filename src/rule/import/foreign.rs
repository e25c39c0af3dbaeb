//! YAML of other tools: what stands at a key.

use crate::rule::yaml::{Content, Node};

/// The value at a key of a mapping.
pub fn get<'n>(node: &'n Node, key: &str) -> Option<&'n Node> {
    entries(node)
        .find(|(name, _)| *name == key)
        .map(|(_, value)| value)
}

/// The keys of a mapping with their values; of anything else none.
pub fn entries(node: &Node) -> impl Iterator<Item = (&str, &Node)> {
    let entries = match &node.content {
        Content::Mapping(entries) => entries.as_slice(),
        Content::Scalar(_) | Content::Sequence(_) => &[],
    };
    entries
        .iter()
        .map(|(key, value)| (key.text.as_str(), value))
}

/// The elements of a list; of anything else that is there, it alone.
pub fn items(node: &Node) -> &[Node] {
    match &node.content {
        Content::Sequence(items) => items,
        Content::Scalar(_) | Content::Mapping(_) => std::slice::from_ref(node),
    }
}

/// Whether it is a list.
pub fn is_list(node: &Node) -> bool {
    matches!(node.content, Content::Sequence(_))
}

/// Whether it is a mapping.
pub fn is_mapping(node: &Node) -> bool {
    matches!(node.content, Content::Mapping(_))
}

/// A scalar as text; empty: it is another thing.
pub fn text(node: &Node) -> &str {
    match &node.content {
        Content::Scalar(scalar) => &scalar.text,
        Content::Sequence(_) | Content::Mapping(_) => "",
    }
}

/// The text at a key.
pub fn text_at<'n>(node: &'n Node, key: &str) -> &'n str {
    get(node, key).map(text).unwrap_or_default()
}

/// The texts of a list at a key, or the one text there.
pub fn texts_at(node: &Node, key: &str) -> Vec<String> {
    let items = get(node, key).map(items).unwrap_or_default();
    let texts = items.iter().map(text).filter(|text| !text.is_empty());
    texts.map(str::to_owned).collect()
}

/// The texts at a key in one line.
pub fn joined_at(node: &Node, key: &str) -> String {
    texts_at(node, key).join(", ")
}
