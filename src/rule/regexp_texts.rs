//! Texts of which one must stand in whatever a regular expression matches: most values have none
//! of them, and need not be held against the expression.

use std::collections::BTreeSet;

use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, Hir, HirKind, Repetition};

use super::regexps::NESTING_MAX;

/// Alternatives that are told apart; an expression with more has no text for certain.
const ALTERNATIVES_MAX: usize = 16;

/// Characters of a class that are told apart: in either case, and those that are folded.
const CHARACTERS_MAX: usize = 3 * ALTERNATIVES_MAX;

/// Bytes of a text beyond which nothing is added to it.
const LENGTH_MAX: usize = 48;

/// Longer texts are not worth more.
const ENOUGH: usize = 8;

/// Characters beyond ASCII that letters of ASCII match where case is ignored, with those letters.
pub const FOLDED: [(char, char); 2] = [('\u{212a}', 'k'), ('\u{17f}', 's')];

/// The texts, in ASCII lower case, of which whatever `source` matches has one in it, but for
/// letters that stand there as in [`FOLDED`]; `None`: it may match without any.
pub fn of(source: &str) -> Option<Vec<String>> {
    let mut parser = ParserBuilder::new()
        .case_insensitive(true)
        .nest_limit(NESTING_MAX)
        .build();
    // What was compiled can be parsed.
    let hir = parser.parse(source).ok()?;
    known(&hir).best()
}

/// What is known of all that a part of an expression matches.
#[derive(Clone, Debug, Default)]
struct Known {
    /// All texts that it matches.
    exact: Option<Vec<String>>,
    /// Texts of which it has one in it.
    within: Option<Vec<String>>,
}

impl Known {
    fn exact(texts: Vec<String>) -> Known {
        Known {
            exact: Some(texts),
            within: None,
        }
    }

    fn best(self) -> Option<Vec<String>> {
        better(self.exact, self.within)
    }
}

/// How much it tells that one of these must be there.
fn worth(texts: &[String]) -> (usize, usize) {
    let shortest = texts.iter().map(String::len).min().unwrap_or_default();
    (
        shortest.min(ENOUGH),
        ALTERNATIVES_MAX.saturating_sub(texts.len()),
    )
}

/// What tells more. That an empty text is there tells nothing.
fn better(one: Option<Vec<String>>, other: Option<Vec<String>>) -> Option<Vec<String>> {
    let tells = |texts: &Vec<String>| !texts.iter().any(String::is_empty);
    match (one.filter(tells), other.filter(tells)) {
        (Some(one), Some(other)) if worth(&other) > worth(&one) => Some(other),
        (Some(one), _) => Some(one),
        (None, other) => other,
    }
}

fn known(hir: &Hir) -> Known {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Known::exact(vec![String::new()]),
        HirKind::Literal(literal) => match str::from_utf8(&literal.0) {
            Ok(text) => Known::exact(vec![text.chars().map(folded).collect()]),
            Err(_) => Known::default(),
        },
        HirKind::Class(Class::Unicode(class)) => {
            let ranges = class.iter();
            let mut chars = ranges.flat_map(|range| range.start()..=range.end());
            let few = chars.by_ref().take(CHARACTERS_MAX);
            let texts: BTreeSet<String> = few.map(|char| folded(char).to_string()).collect();
            match chars.next().is_none() && texts.len() <= ALTERNATIVES_MAX {
                true => Known::exact(texts.into_iter().collect()),
                false => Known::default(),
            }
        }
        HirKind::Class(Class::Bytes(_)) => Known::default(),
        HirKind::Repetition(repetition) => repeated(repetition),
        HirKind::Capture(capture) => known(&capture.sub),
        HirKind::Concat(parts) => in_turn(parts),
        HirKind::Alternation(parts) => one_of(parts),
    }
}

fn repeated(repetition: &Repetition) -> Known {
    let Repetition { min, max, sub, .. } = repetition;
    match (*min, *max) {
        (_, Some(0)) => Known::exact(vec![String::new()]),
        (1, Some(1)) => known(sub),
        (0, Some(1)) => match known(sub).exact {
            Some(mut texts) if texts.len() < ALTERNATIVES_MAX => {
                texts.push(String::new());
                Known::exact(texts)
            }
            Some(_) | None => Known::default(),
        },
        (0, _) => Known::default(),
        (_, _) => Known {
            exact: None,
            within: known(sub).best(),
        },
    }
}

fn one_of(parts: &[Hir]) -> Known {
    let all: Vec<Known> = parts.iter().map(known).collect();
    let together = |texts: Option<Vec<Vec<String>>>| {
        let mut texts = texts?.concat();
        texts.sort();
        texts.dedup();
        (texts.len() <= ALTERNATIVES_MAX).then_some(texts)
    };
    Known {
        exact: together(all.iter().map(|part| part.exact.clone()).collect()),
        within: together(all.into_iter().map(Known::best).collect()),
    }
}

fn in_turn(parts: &[Hir]) -> Known {
    let none = || vec![String::new()];
    let mut run = none();
    let mut is_exact = true;
    let mut within = None;
    for part in parts {
        let part = known(part);
        let longer = part.exact.as_ref().and_then(|texts| joined(&run, texts));
        match longer {
            Some(longer) => run = longer,
            None => {
                is_exact = false;
                within = better(within, Some(std::mem::replace(&mut run, none())));
                within = better(within, part.within);
                run = part.exact.unwrap_or_else(none);
            }
        }
    }
    match is_exact {
        true => Known::exact(run),
        false => Known {
            exact: None,
            within: better(within, Some(run)),
        },
    }
}

/// Each of `begins` with each of `ends` behind it, if these are not too many or too long.
fn joined(begins: &[String], ends: &[String]) -> Option<Vec<String>> {
    let longest = |texts: &[String]| texts.iter().map(String::len).max().unwrap_or_default();
    if begins.len() * ends.len() > ALTERNATIVES_MAX
        || longest(begins) > LENGTH_MAX && longest(ends) > 0
    {
        return None;
    }
    let all = begins.iter();
    let all = all.flat_map(|begin| ends.iter().map(move |end| format!("{begin}{end}")));
    let mut all: Vec<String> = all.collect();
    all.sort();
    all.dedup();
    Some(all)
}

fn folded(char: char) -> char {
    let found = FOLDED.iter().find(|(known, _)| *known == char);
    found.map_or(char.to_ascii_lowercase(), |(_, letter)| *letter)
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn what_an_expression_matches_has_one_of_its_texts() {
        for (source, expected) in [
            ("mimikatz", Some("mimikatz")),
            ("^(?:curl|wget) .*http", Some("curl |wget ")),
            ("https?://[a-z]+\\.onion", Some("http://|https://")),
            ("^svc-[0-9]+$", Some("svc-")),
            ("(?-i)ABC", Some("abc")),
            ("a|", None),
            ("", None),
            (".*", None),
            ("^\\d+$", None),
            ("[a-z]{3,}", None),
            ("(invoke|iex)\\s+(?:expression|web)", Some("iex|invoke")),
            ("x{0}pass(word)?", Some("pass|password")),
            ("(secret)+s", Some("secret")),
            ("über", Some("Über|über")),
            ("[\\s\\S]*tail", Some("tail")),
            ("[sk]ey", Some("key|sey")),
            ("foo.*(bars|quux)", Some("bars|quux")),
        ] {
            let found = of(source).map(|texts| texts.join("|"));
            assert_eq!(found.as_deref(), expected, "{source}");
        }
    }
}
