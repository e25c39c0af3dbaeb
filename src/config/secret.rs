//! Values that are never shown.

/// A value that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides `value`; blanks and line ends around it, as files have them, do not count.
    pub fn new(value: &str) -> Secret {
        Secret(value.trim().to_owned())
    }

    /// The value, to be handed to the client library and to nothing else.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(secret)")
    }
}

/// A read of a secret's file: its content, or why there is none.
pub type ReadSecret<'a> = &'a dyn Fn(&str) -> Result<String, String>;

/// Whether a text holds the key of a connection string, or looks as if it did: such a text is
/// never shown, whatever it was written for.
pub fn looks_secret(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    ["sharedaccesskey", "sharedaccesssignature"]
        .iter()
        .any(|name| lower.contains(name))
}
