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

/// The names in `template` that are none of those known, as they stand there. A dollar before
/// anything but a letter or `_` is no name.
pub fn unknown<'t>(template: &'t str, is_known: &dyn Fn(&str) -> bool) -> Vec<&'t str> {
    let mut unknown = Vec::new();
    let mut rest = template;
    while let Some((_, after)) = rest.split_once('$') {
        rest = after;
        let end = after.find(|c: char| !is_of_name(c)).unwrap_or(after.len());
        let name = after.get(..end).unwrap_or_default();
        let is_name = name.starts_with(|c: char| c.is_alphabetic() || c == '_');
        let found = value(after, &|name| is_known(name).then(String::new));
        if is_name && found.is_none() {
            unknown.push(name.trim_end_matches('.'));
        }
    }
    unknown
}

fn is_of_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '.'
}

/// The value of the longest name at the beginning of `text`, and what follows the name.
fn value<'t>(text: &'t str, get: &dyn Fn(&str) -> Option<String>) -> Option<(String, &'t str)> {
    let end = text.find(|c: char| !is_of_name(c));
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
        let unknown = |template| super::unknown(template, &|name| get(name).is_some());
        assert_eq!(unknown("$user: $usr. $5 $ $record.a.b $_x"), ["usr", "_x"]);
        let long = super::title(&"$user ".repeat(100_000), &get);
        assert!(long.starts_with("alice alice") && long.contains("$user"));
    }
}
