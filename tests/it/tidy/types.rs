//! The names of types that a file defines.

use std::collections::BTreeMap;

use super::tokens::{Token, closing};

/// The names of the structs, enums, traits and type aliases that are defined here, with their
/// lines. Types that belong to a trait are none of the file's own.
pub fn defined<'t>(tokens: &[Token<'t>]) -> Vec<Token<'t>> {
    let mut names = Vec::new();
    let mut at = 0;
    while at + 1 < tokens.len() {
        let (word, name) = (tokens[at].text, tokens[at + 1]);
        match word {
            "struct" | "enum" | "trait" | "type" if name.is_word() => names.push(name),
            "impl" | "trait" => (),
            _ => {
                at += 1;
                continue;
            }
        }
        if word == "impl" || word == "trait" {
            at = inside(tokens, at, &mut names);
        }
        at += 1;
    }
    names
}

/// Passes over the body of an `impl` or `trait` at `at`, but for structs and enums within its
/// functions.
fn inside<'t>(tokens: &[Token<'t>], at: usize, names: &mut Vec<Token<'t>>) -> usize {
    let rest = tokens.iter().enumerate().skip(at);
    let mut ends = rest.filter(|(_, token)| ["{", ";"].contains(&token.text));
    let Some((open, token)) = ends.next() else {
        return tokens.len();
    };
    // `-> impl Iterator;`, `impl Fn() {`: as a type it has no body of its own, and nothing in it
    // is passed over that is not looked at.
    let end = match token.text {
        "{" => closing(tokens, open),
        _ => open,
    };
    for pair in tokens[open..end].windows(2) {
        if ["struct", "enum"].contains(&pair[0].text) && pair[1].is_word() {
            names.push(pair[1]);
        }
    }
    end
}

/// Names that are defined in more than one place. `files`: paths with their names.
pub fn twice<'t>(files: impl IntoIterator<Item = (&'t str, Vec<Token<'t>>)>) -> Vec<String> {
    let mut places: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (path, names) in files {
        for name in names {
            let place = format!("{path}:{}", name.line);
            places.entry(name.text).or_default().push(place);
        }
    }
    let twice = places.into_iter().filter(|(_, places)| places.len() > 1);
    twice
        .map(|(name, places)| format!("{}: {name} is a type already", places.join(" and ")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::{code, tokens};
    use super::{defined, twice};

    #[test]
    fn names_are_found() {
        let check = |text: &str, expected: &[&str]| {
            let code = code::without_tests(text);
            let tokens = tokens::of_code(&code);
            let found: Vec<&str> = defined(&tokens).iter().map(|name| name.text).collect();
            assert_eq!(found, expected, "{text}");
        };
        check("pub struct A<'a> { b: &'a C }\nenum D { E }", &["A", "D"]);
        check(
            "pub type F = (u8, u8);\ntrait G { type Item; }",
            &["F", "G"],
        );
        check(
            "impl H for I { type Item = u8; fn f() { struct J; } }",
            &["J"],
        );
        check("fn f(x: impl K) -> L { enum M {} }\nstruct N;", &["M", "N"]);
        check("// struct O\nlet s = \"struct P\";", &[]);
        check("#[cfg(test)]\nmod tests { struct Q; }", &[]);
    }

    #[test]
    fn a_name_that_is_used_twice_is_noticed() {
        let code = ["struct A;\nstruct B;", "enum A {}"].map(code::without_tests);
        let names = code.each_ref().map(|code| defined(&tokens::of_code(code)));
        let [one, other] = names;
        let complaints = twice([("a.rs", one), ("b.rs", other)]);
        assert_eq!(complaints, ["a.rs:1 and b.rs:1: A is a type already"]);
    }
}
