//! Sigma rules, correlations and filters: <https://sigmahq.io/sigma-specification/>.

mod collection;

mod document;

mod correlation;

mod logic;

mod metadata;

mod search;

mod value;

pub use collection::read;
