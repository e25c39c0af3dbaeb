//! Incident titles with `$attribute` in them.

/// Bytes of more characters than any title is shown with.
const ENOUGH: usize = 4 * 1_024;

/// `template` with every `$name` replaced by what `get` gives for it, to where it is longer than
/// any title. A name is taken as long as possible; one that `get` does not know stays as it is.
pub fn title(template: &str, get: &dyn Fn(&str) -> Option<String>) -> String {
    let mut text = String::new();
    let mut rest = template;
    while text.len() < ENOUGH
        && let Some((before, after)) = rest.split_once('$')
    {
        text.push_str(before);
        let (value, left) = value(after, get).unwrap_or_else(|| ("$".to_string(), after));
        text.push_str(&value);
        rest = left;
    }
    text.push_str(rest);
    text
}

/// The value of the longest name at the beginning of `text`, and what follows the name.
fn value<'t>(text: &'t str, get: &dyn Fn(&str) -> Option<String>) -> Option<(String, &'t str)> {
    let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '.'));
    let mut name = text.get(..end.unwrap_or(text.len()))?;
    loop {
        if let Some(value) = get(name) {
            return Some((value, text.strip_prefix(name)?));
        }
        // The dot may be the end of a sentence.
        name = name.rsplit_once('.')?.0;
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn replaces_known_names() {
        let get = |name: &str| match name {
            "user" => Some("alice".to_string()),
            "record.a" => Some("x$user".to_string()),
            _ => None,
        };
        let check = |template, expected| assert_eq!(super::title(template, &get), expected);
        check("Command by $user", "Command by alice");
        check("$user: $user.", "alice: alice.");
        check("$users $ $5 $", "$users $ $5 $");
        check("$record.a.", "x$user.");
        check("$record.b of ä$user", "$record.b of äalice");
        check("", "");
        let long = super::title(&"$user ".repeat(100_000), &get);
        assert!(long.starts_with("alice alice") && long.contains("$user"));
    }
}
