//! "Did you mean ..": the known word nearest to an unknown one.

/// The candidate that differs from `word` by the fewest single-letter edits, letter case aside,
/// if those are at most two in five of its letters.
pub fn nearest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    candidates
        .into_iter()
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(edits, candidate)| *edits * 5 <= candidate.len().max(3) * 2)
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, candidate)| candidate)
}

/// ``: did you mean `x`?`` or, when nothing is near, all that is known.
pub fn hint(word: &str, candidates: &[&str]) -> String {
    match nearest(word, candidates.iter().copied()) {
        Some(candidate) => format!(": did you mean `{candidate}`?"),
        None => format!("; known are {}", candidates.join(", ")),
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
    use super::nearest;

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
