//! "Did you mean ..": the known word nearest to an unknown one.

use std::borrow::Cow;

/// Known words that are looked at, and letters of a word that are shown.
const WORDS_MAX: usize = 256;
const SHOWN_MAX: usize = 100;

/// Known words that an error lists.
const LISTED_MAX: usize = 24;

/// A text as an error shows it: what is long is cut.
pub fn shown(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(SHOWN_MAX) {
        None => Cow::Borrowed(text),
        Some((end, _)) => Cow::Owned(format!("{}…", text.get(..end).unwrap_or_default())),
    }
}

/// The candidate that differs from `word` by the fewest single-letter edits, letter case aside,
/// if those are at most two in five of its letters.
pub fn nearest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let near = |edits: usize, candidate: &str| edits * 5 <= candidate.len().max(3) * 2;
    candidates
        .into_iter()
        .take(WORDS_MAX)
        // As many edits as one word is longer are always needed: the rest of a long word costs
        // nothing.
        .filter(|candidate| near(word.len().abs_diff(candidate.len()), candidate))
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(edits, candidate)| near(*edits, candidate))
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, candidate)| candidate)
}

/// ``: did you mean `x`?`` or, when nothing is near, all that is known.
pub fn hint(word: &str, candidates: &[&str]) -> String {
    match nearest(word, candidates.iter().copied()) {
        Some(candidate) => format!(": did you mean `{}`?", shown(candidate)),
        None => {
            let candidates: Vec<&str> = candidates
                .iter()
                .copied()
                .filter(|word| !word.is_empty())
                .collect();
            if candidates.is_empty() {
                return String::new();
            }
            let listed: Vec<Cow<'_, str>> = candidates
                .iter()
                .take(LISTED_MAX)
                .map(|word| shown(word))
                .collect();
            let more = match candidates.len().checked_sub(LISTED_MAX) {
                None | Some(0) => String::new(),
                Some(more) => format!(" and {more} more"),
            };
            format!("; known are {}{more}", listed.join(", "))
        }
    }
}

/// Levenshtein's distance, without regard to ASCII case.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, y) in row.iter_mut().skip(1).zip(b.bytes()) {
            let change = diagonal + usize::from(!x.eq_ignore_ascii_case(&y));
            diagonal = *cell;
            left = change.min(left + 1).min(*cell + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{hint, nearest, shown};

    #[test]
    fn what_is_long_is_cut() {
        assert_eq!(shown("äöü"), "äöü");
        assert_eq!(shown(&"ä".repeat(1_000_000)).chars().count(), 101);
        let words = vec!["w".repeat(300); 5_000];
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let hint = hint("x", &words);
        assert!(
            hint.len() < 3_000 && hint.ends_with(" and 4976 more"),
            "{hint}"
        );
    }

    #[test]
    fn finds_the_nearest_word() {
        let check =
            |word, expected| assert_eq!(nearest(word, ["window", "where", "name"]), expected);
        check("windows", Some("window"));
        check("WNDOW", Some("window"));
        check("wehre", Some("where"));
        check("naem", None);
        check("nam", Some("name"));
        check("severity", None);
        check("", None);
    }
}
