//! Values that are never shown.

/// Properties of the client that hold a secret.
const SECRETS: [&str; 8] = [
    "sasl.password",
    "ssl.key.password",
    "ssl.key.pem",
    "ssl.keystore.password",
    "sasl.oauthbearer.client.secret",
    "sasl.oauthbearer.config",
    "sasl.oauthbearer.assertion.private.key.passphrase",
    "sasl.oauthbearer.assertion.private.key.pem",
];

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

/// Whether a property of the client holds a secret.
pub fn is_secret(property: &str) -> bool {
    SECRETS.contains(&property)
}

/// Whether a text holds the key of a connection string, or looks as if it did: such a text is
/// never shown, whatever it was written for.
pub fn looks_secret(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    ["sharedaccesskey", "sharedaccesssignature"]
        .iter()
        .any(|name| lower.contains(name))
}

/// Whether a text, such as an argument, is a connection string or a part of one that has the key.
/// That a name alone stands in it, as in a filter, does not make it one.
pub fn holds_key(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let follows = |name: &str| {
        lower.split(name).skip(1).any(|rest| {
            rest.strip_prefix('=')
                .or_else(|| rest.strip_prefix("%3d"))
                .and_then(|value| value.chars().next())
                .is_some_and(|first| first.is_ascii_alphanumeric() || matches!(first, '+' | '/'))
        })
    };
    looks_secret(text)
        && (lower.contains("endpoint")
            || follows("sharedaccesskey")
            || follows("sharedaccesssignature"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_argument_with_a_part_of_a_connection_string_holds_a_key() {
        for argument in [
            "Endpoint=sb://ns/;SharedAccessKeyName=n;SharedAccessKey=hush",
            "Endpoint=sb://ns/ SharedAccessKey",
            "kafka://SharedAccessKey=hush",
            "SharedAccessKeyName=n;sharedaccesskey%3Dhush",
            "SharedAccessSignature=sr",
            "--brokers=SharedAccessKey=/hush",
        ] {
            assert!(holds_key(argument), "{argument}");
        }
        for argument in [
            "rules/sharedaccesskey.yaml",
            "record.properties.SharedAccessKey = \"a\"",
            "record.SharedAccessKey=\"a\"",
            "SharedAccessKeyName=n",
            "SharedAccessKey=",
            "Endpoint=sb://ns/",
        ] {
            assert!(!holds_key(argument), "{argument}");
        }
    }
}
