//! A document of a Sigma file, and what is known of the rule in it before correlations are read.

use crate::rule::import::condition::Filter;
use crate::rule::import::draft::Draft;
use crate::rule::import::fields::Source;
use crate::rule::import::foreign::text_at;
use crate::rule::yaml::Node;

/// A document, and the file that it stands in.
pub struct Document {
    /// Its file.
    pub file: String,
    /// Its content.
    pub node: Node,
}

/// A rule that looks for single events.
pub struct Detected {
    /// What it is called by correlations and filters.
    pub names: Vec<String>,
    /// What it says of where its events come from.
    pub log_source: Vec<(&'static str, String)>,
    /// Where that is.
    pub source: Source,
    /// Which events.
    pub filter: Filter,
    /// All else.
    pub draft: Draft,
}

/// What a rule is called by others.
pub fn names(node: &Node) -> Vec<String> {
    let names = ["id", "name"].map(|key| text_at(node, key).to_owned());
    names.into_iter().filter(|name| !name.is_empty()).collect()
}
