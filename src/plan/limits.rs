//! Limits of what a rule takes and says.

use serde::{Deserialize, Serialize};

/// Limits that a rule's results depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Events that an incident names for each pattern.
    pub evidence: u32,
    /// Values that COUNT(DISTINCT) counts exactly.
    pub distinct_values: u32,
    /// Bytes of the largest incident. It changes how much is said of what a rule finds, and is no
    /// part of the rule's meaning.
    #[serde(default = "message_bytes", skip_serializing_if = "is_usual")]
    pub message_bytes: u32,
}

impl Limits {
    /// Those of a configuration that says none.
    pub const DEFAULT: Limits = Limits {
        evidence: 5,
        distinct_values: 10_000,
        message_bytes: 900_000,
    };
}

fn message_bytes() -> u32 {
    Limits::DEFAULT.message_bytes
}

fn is_usual(message_bytes: &u32) -> bool {
    *message_bytes == Limits::DEFAULT.message_bytes
}
