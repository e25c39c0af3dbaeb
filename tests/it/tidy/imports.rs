//! What a file names of others: its `use` items, and the paths in its code.

use std::collections::BTreeMap;

use super::tokens::{Token, closing, parts};

/// A path, such as `crate::fold::Key`.
pub type Names<'t> = Vec<&'t str>;

/// What a file brings in and names.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Imports<'t> {
    /// What its `use` items bring in, by the name that it has here.
    pub uses: BTreeMap<&'t str, Import<'t>>,
    /// Paths whose every item is brought in.
    pub globs: Vec<Names<'t>>,
    /// The paths in its code, single words among them.
    pub paths: Vec<Names<'t>>,
}

/// One name that is brought in.
#[derive(Debug, PartialEq, Eq)]
pub struct Import<'t> {
    pub path: Names<'t>,
    /// It is handed on (`pub use`).
    pub is_public: bool,
}

/// The imports of a file.
pub fn of<'t>(tokens: &[Token<'t>]) -> Imports<'t> {
    let mut imports = Imports::default();
    let mut at = 0;
    while at < tokens.len() {
        match tokens[at].text {
            "use" => {
                let ends = tokens[at..].iter().position(|token| token.text == ";");
                let end = ends.map_or(tokens.len(), |end| at + end);
                let is_public = is_public(&tokens[..at]);
                add(&tokens[at + 1..end], &[], is_public, &mut imports);
                at = end;
            }
            // The name of a child, which is none of its uses.
            "mod" => at += 1,
            _ if tokens[at].is_word() && !follows_a_dot(tokens, at) => {
                let path = path(tokens, at);
                at += 2 * (path.len() - 1);
                imports.paths.push(path);
            }
            _ => (),
        }
        at += 1;
    }
    imports
}

fn is_public(before: &[Token<'_>]) -> bool {
    let mut before = before.iter().rev().map(|token| token.text);
    match before.next() {
        Some("pub") => true,
        // `pub(crate)`, `pub(in crate::fold)`.
        Some(")") => before
            .skip_while(|text| *text != "(")
            .nth(1)
            .is_some_and(|text| text == "pub"),
        Some(_) | None => false,
    }
}

/// A field or method, or what goes on with a path that was begun otherwise (`<A as B>::c`).
fn follows_a_dot(tokens: &[Token<'_>], at: usize) -> bool {
    at > 0 && [".", "::"].contains(&tokens[at - 1].text)
}

fn path<'t>(tokens: &[Token<'t>], start: usize) -> Names<'t> {
    let mut path = vec![tokens[start].text];
    let mut at = start + 1;
    while let [sign, name, ..] = &tokens[at..]
        && sign.text == "::"
        && name.is_word()
    {
        path.push(name.text);
        at += 2;
    }
    path
}

/// Adds what one branch of a `use` brings in.
fn add<'t>(tree: &[Token<'t>], before: &[&'t str], is_public: bool, imports: &mut Imports<'t>) {
    let mut names: Names<'t> = before.to_vec();
    let mut at = 0;
    while at < tree.len() {
        match tree[at].text {
            "{" => {
                let end = closing(tree, at);
                for part in parts(&tree[at + 1..end]) {
                    add(part, &names, is_public, imports);
                }
                return;
            }
            "*" => {
                imports.globs.push(names);
                return;
            }
            "::" => (),
            "as" => {
                let path = names.clone();
                if let Some(name) = tree.get(at + 1) {
                    imports.uses.insert(name.text, Import { path, is_public });
                }
                return;
            }
            // `use a::{self}` brings in `a`.
            "self" if !names.is_empty() => (),
            name => names.push(name),
        }
        at += 1;
    }
    if let Some(name) = names.last() {
        let path = names.clone();
        imports.uses.insert(name, Import { path, is_public });
    }
}

#[cfg(test)]
mod tests {
    use super::super::{code, tokens};
    use super::of;

    #[test]
    fn imports_are_found() {
        let check = |text: &str, expected: &[&str]| {
            let code = code::without_tests(text);
            let tokens = tokens::of_code(&code);
            let imports = of(&tokens);
            let uses = imports.uses.iter().map(|(name, import)| {
                let public = if import.is_public { "pub " } else { "" };
                format!("{public}{name} = {}", import.path.join("::"))
            });
            let globs = imports.globs.iter().map(|path| path.join("::") + "::*");
            let found: Vec<String> = uses.chain(globs).collect();
            assert_eq!(found, expected, "{text}");
        };
        check("use a::b;", &["b = a::b"]);
        check("pub use a::{self, B as C};", &["pub C = a::B", "pub a = a"]);
        check("pub(in crate::x) use super::a::*;", &["super::a::*"]);
        check(
            "pub(crate) use crate::{a::{b, c}, d};",
            &[
                "pub b = crate::a::b",
                "pub c = crate::a::c",
                "pub d = crate::d",
            ],
        );
        check("// use a::b;\nlet s = \"use a::c;\";", &[]);
        check(
            "#[cfg(test)]\nuse a::b;\n#[cfg(test)]\nmod tests { use c; }",
            &[],
        );
    }

    #[test]
    fn paths_are_found() {
        let code = "fn f(x: super::A) { a.b::<C>(); d::e::F::new(x); <G as h::I>::j() } mod k;";
        let tokens = tokens::of_code(code);
        let found: Vec<String> = of(&tokens)
            .paths
            .iter()
            .map(|path| path.join("::"))
            .collect();
        let names: Vec<&str> = found.iter().map(String::as_str).collect();
        for expected in ["super::A", "C", "d::e::F::new", "G", "h::I"] {
            assert!(names.contains(&expected), "{expected} in {names:?}");
        }
        for unexpected in ["b", "j", "k", "new"] {
            assert!(!names.contains(&unexpected), "{unexpected} in {names:?}");
        }
    }
}
