//! Which build this is.

/// The version of the release.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The commit that it was built from, where the build knew it.
pub const COMMIT: Option<&str> = option_env!("BUILT_COMMIT");

/// Both.
pub const LONG: &str = env!("BUILT_VERSION");
