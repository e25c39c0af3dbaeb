//! What a plan says of what is read.

use super::Source;
use crate::decode;

/// What a plan says of what is read.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// The source topics.
    pub sources: Vec<Source>,
    /// How much their messages may ask for.
    pub decoding: decode::Limits,
}

impl From<Vec<Source>> for Reading {
    /// Within the usual limits.
    fn from(sources: Vec<Source>) -> Reading {
        Reading {
            sources,
            ..Reading::default()
        }
    }
}

/// Whether entries need not say these limits: older ones do not.
pub fn is_usual(limits: &decode::Limits) -> bool {
    *limits == decode::Limits::default()
}
