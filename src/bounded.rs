//! Text of a bounded length: what events say goes into keys, matches and incidents as this.
//!
//! A value of more than [`VALUE_MAX`] bytes is its first [`KEPT`] (cut between characters), `…#`
//! and 16 hexadecimal digits of the hash of all of it in ASCII lower case. So different values stay
//! different, equal ones equal, and lower case makes of both forms the same.

use std::borrow::Cow;
use std::sync::Arc;

use crate::record::Hash;

/// Bytes of the longest value that is kept whole.
pub const VALUE_MAX: usize = 1_024;

/// Bytes of a longer value that are kept, at most.
const KEPT: usize = 960;

/// What stands between the part that is kept and the hash.
const MARK: &str = "…#";

/// Hexadecimal digits of the hash.
const DIGITS: usize = 16;

/// Characters of the longest title.
const TITLE_MAX: usize = 1_000;

/// `text`, bounded.
pub fn value(text: &str) -> Cow<'_, str> {
    if text.len() <= VALUE_MAX {
        return Cow::Borrowed(text);
    }
    let kept = (0..=KEPT).rev().find_map(|end| text.get(..end));
    let hash = Hash::of(text.to_ascii_lowercase().as_bytes()).first_bytes();
    let kept = kept.unwrap_or_default();
    Cow::Owned(format!("{kept}{MARK}{hash:0width$x}", width = DIGITS))
}

/// The same of a shared text.
pub fn shared(text: &Arc<str>) -> Arc<str> {
    match value(text) {
        Cow::Borrowed(_) => Arc::clone(text),
        Cow::Owned(bounded) => bounded.into(),
    }
}

/// Bounds `text` where it stands.
pub fn bound(text: &mut String) {
    if text.len() > VALUE_MAX {
        *text = value(text).into_owned();
    }
}

/// Whether `text` looks like what [`value`] makes of a longer one.
pub fn is_cut(text: &str) -> bool {
    if text.len() < KEPT {
        return false;
    }
    let Some((kept, hash)) = text.rsplit_once(MARK) else {
        return false;
    };
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    // A character takes up to four bytes.
    (KEPT - 3..=KEPT).contains(&kept.len()) && hash.len() == DIGITS && hash.bytes().all(is_digit)
}

/// Whether two values are equal case aside, of which one may be bounded and the other not.
pub fn equal(one: &str, other: &str) -> bool {
    let bounded = || {
        (one.len() > VALUE_MAX) != (other.len() > VALUE_MAX)
            && value(one).eq_ignore_ascii_case(&value(other))
    };
    one.eq_ignore_ascii_case(other) || bounded()
}

/// A title of at most [`TITLE_MAX`] characters, and whether it was cut: then it ends with `…`.
pub fn title(mut text: String) -> (String, bool) {
    let is_cut = text.chars().nth(TITLE_MAX).is_some();
    if is_cut {
        let end = text.char_indices().nth(TITLE_MAX - 1);
        text.truncate(end.map_or(0, |(end, _)| end));
        text.push('…');
    }
    (text, is_cut)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_values() {
        fn check(text: &str, kept: Option<usize>) {
            let bounded = value(text);
            assert_eq!(is_cut(&bounded), kept.is_some());
            assert!(bounded.len() <= VALUE_MAX);
            assert_eq!(value(&bounded), bounded, "bounded once");
            let lower = text.to_ascii_lowercase();
            assert_eq!(value(&lower), bounded.to_ascii_lowercase());
            assert!(equal(text, &bounded) && equal(&bounded, &lower) && equal(text, &lower));
            assert!(!equal(text, &format!("{text}x")));
            let Some(kept) = kept else {
                return assert_eq!(bounded, text);
            };
            let hash = Hash::of(lower.as_bytes()).to_string();
            let expected = [text.get(..kept), Some("…#"), hash.get(..16)];
            assert_eq!(bounded, expected.map(Option::unwrap).concat());
        }
        check("", None);
        check(&"A".repeat(1_024), None);
        check(&"A".repeat(1_025), Some(960));
        check(&format!("{}b", "A".repeat(335_000)), Some(960));
        check(&format!("a{}", "é".repeat(600)), Some(959));
        check(&format!("abc{}", "𝄞".repeat(300)), Some(959));
    }

    #[test]
    fn bounds_titles() {
        fn check(text: &str, expected: &str, is_cut: bool) {
            let (title, cut) = title(text.to_owned());
            assert_eq!((title.as_str(), cut), (expected, is_cut));
            assert!(title.chars().count() <= 1_000);
        }
        check("é", "é", false);
        check(&"é".repeat(1_000), &"é".repeat(1_000), false);
        let cut = format!("{}…", "é".repeat(999));
        check(&"é".repeat(1_001), &cut, true);
        check(&"é".repeat(90_000), &cut, true);
    }
}
