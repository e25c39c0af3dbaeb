//! Paths into a raw record that take some elements of lists only:
//! `targetResources.modifiedProperties[displayName = "X"].newValue`.

use super::quoted_segment;
use crate::event::{Attribute, Only, Segment};

/// The most conditions in a path: what stands within brackets is read once more for each pair.
const CONDITIONS_MAX: usize = 6;

/// The attribute at the path `a.b[c = "x" AND d = "y"]."odd key"`. In quotes, `\"` and `\\` stand
/// for themselves.
pub(super) fn read(path: &str) -> Result<Attribute, String> {
    let mut segments = Vec::new();
    let mut rest = path;
    loop {
        let (name, after) = segment(rest)?;
        let (only, after) = match after.strip_prefix('[') {
            Some(within) => conditions(within)?,
            None => (Vec::new(), after),
        };
        segments.push(Segment { name, only });
        rest = match after.strip_prefix('.') {
            Some(rest) => rest,
            None if after.is_empty() => break,
            None => return Err("after a quoted name or `]` comes a point or the end".to_owned()),
        };
    }
    let conditions: usize = segments.iter().map(|segment| segment.only.len()).sum();
    match conditions {
        0 => Ok(Attribute::Path(
            segments.into_iter().map(|segment| segment.name).collect(),
        )),
        1..=CONDITIONS_MAX => Ok(Attribute::Selected(segments)),
        _ => Err(format!(
            "a path has at most {CONDITIONS_MAX} conditions in brackets, found {conditions}"
        )),
    }
}

/// A name in lower case, and what follows it.
fn segment(path: &str) -> Result<(String, &str), String> {
    if let Some(quoted) = path.strip_prefix('"') {
        let (name, after) = quoted_segment(quoted)?;
        return Ok((name.to_ascii_lowercase(), after));
    }
    let (name, after) = path.split_at(path.find(['.', '[']).unwrap_or(path.len()));
    if name.is_empty() {
        return Err("a path has a name between two points".to_owned());
    }
    if name.contains('"') {
        return Err("a quote begins a name, and a point follows its end".to_owned());
    }
    Ok((name.to_ascii_lowercase(), after))
}

/// The conditions behind `[`, each once and in order, and what follows the `]`.
fn conditions(within: &str) -> Result<(Vec<Only>, &str), String> {
    let mut all = Vec::new();
    let mut rest = within.trim_start();
    loop {
        let (only, after) = condition(rest)?;
        all.push(only);
        let after = after.trim_start();
        if let Some(after) = after.strip_prefix(']') {
            all.sort();
            all.dedup();
            return Ok((all, after));
        }
        let next = after
            .split_at_checked(3)
            .filter(|(word, next)| word.eq_ignore_ascii_case("AND") && next.starts_with(' '));
        rest = next.map(|(_, next)| next.trim_start()).ok_or_else(|| {
            "in brackets stands a name, = and a text in quotes, perhaps AND more such".to_owned()
        })?;
    }
}

/// `name = "text"`, and what follows it.
fn condition(text: &str) -> Result<(Only, &str), String> {
    let expected = || {
        "what selects elements is written [name = \"text\"], perhaps with AND between several"
            .to_owned()
    };
    let (key, after) = match text.strip_prefix('"') {
        Some(quoted) => quoted_segment(quoted)?,
        None => {
            let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '@' | '-');
            let end = text.find(|c| !plain(c)).unwrap_or(text.len());
            let (key, after) = text.split_at(end);
            if key.is_empty() {
                return Err(expected());
            }
            (key.to_owned(), after)
        }
    };
    let value = after.trim_start().strip_prefix('=').map(str::trim_start);
    let quoted = value.and_then(|value| value.strip_prefix('"'));
    let (text, after) = quoted_segment(quoted.ok_or_else(expected)?)?;
    let only = Only {
        key: key.to_ascii_lowercase(),
        text: text.to_ascii_lowercase(),
    };
    Ok((only, after))
}

#[cfg(test)]
mod tests {

    fn check(name: &str, expected: &str) {
        let found = crate::normalise::attribute(name, &[]);
        match found {
            Ok(attribute) => {
                assert_eq!(attribute.to_string(), expected, "{name}");
                let again = crate::normalise::attribute(expected, &[]);
                assert_eq!(again, Ok(attribute), "{expected}");
            }
            Err(message) => assert!(message.contains(expected), "{name}: {message}"),
        }
    }

    #[test]
    fn paths_with_conditions_read_and_print() {
        check("record.A[B = \"X\"].c", "record.a[b = \"x\"].c");
        check("record.a[b=\"x\"]", "record.a[b = \"x\"]");
        check(
            "record.a[ z=\"1\" and b = \"x\" AND b=\"X\" ].c[d = \"\"].e",
            "record.a[b = \"x\" AND z = \"1\"].c[d = \"\"].e",
        );
        check(
            "record.\"a[b\"[\"c d\" = \"say \\\"x\\\" ] \\\\\"].\"e.f\"",
            "record.\"a[b\"[\"c d\" = \"say \\\"x\\\" ] \\\\\"].\"e.f\"",
        );
        check("record.a.b", "record.a.b");
        check(
            "record.a[b = \"x\"]c",
            "after a quoted name or `]` comes a point",
        );
        check("record.a[b = \"x\"", "perhaps AND more");
        check("record.a[b = \"x\" OR c = \"y\"]", "perhaps AND more");
        check("record.a[b]", "what selects elements is written");
        check("record.a[0]", "what selects elements is written");
        check("record.a[]", "what selects elements is written");
        check("record.a[b != \"x\"]", "what selects elements is written");
        check("record.a[b = x]", "what selects elements is written");
        check("record.a[b = \"x]", "no closing quote");
        check("record.[b = \"x\"]", "a name between two points");
        let seven = "[b = \"x\"].a".repeat(7);
        check(&format!("record.a{seven}"), "at most 6 conditions");
    }
}
