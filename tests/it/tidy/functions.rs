//! The functions of a file: how long they are, and what they take.

use super::tokens::{Token, closing, closing_angle, parts};

/// A function with a body or without one.
#[derive(Debug, PartialEq, Eq)]
pub struct Function<'t> {
    pub name: &'t str,
    /// The line of its `fn`.
    pub line: usize,
    /// From the line of its `fn` through that of its last brace.
    pub lines: usize,
    /// Its parameters, as they are written.
    pub parameters: Vec<Vec<&'t str>>,
}

/// All functions of a file, those within others, too.
pub fn of<'t>(tokens: &[Token<'t>]) -> Vec<Function<'t>> {
    let mut found = Vec::new();
    for (at, pair) in tokens.windows(2).enumerate() {
        // A pointer to a function has no name.
        if pair[0].text != "fn" || !pair[1].is_word() {
            continue;
        }
        let mut open = at + 2;
        if tokens.get(open).is_some_and(|token| token.text == "<") {
            open = closing_angle(tokens, open) + 1;
        }
        let end = closing(tokens, open);
        let parameters = parts(&tokens[open + 1..end]);
        found.push(Function {
            name: pair[1].text,
            line: pair[0].line,
            lines: last_line(tokens, end) - pair[0].line + 1,
            parameters: parameters
                .iter()
                .map(|part| part.iter().map(|token| token.text).collect())
                .collect(),
        });
    }
    found
}

/// The last line of a function whose parameters end at `from`.
fn last_line(tokens: &[Token<'_>], from: usize) -> usize {
    let rest = tokens.iter().enumerate().skip(from);
    let mut ends = rest.filter(|(_, token)| ["{", ";"].contains(&token.text));
    match ends.next() {
        Some((at, token)) if token.text == "{" => tokens[closing(tokens, at)].line,
        Some((_, token)) => token.line,
        None => tokens[from].line,
    }
}

/// Parameters that are tuples, by their pattern or by their type. `aliases`: names of types that
/// stand for tuples.
pub fn tuple_parameters(path: &str, tokens: &[Token<'_>], aliases: &[&str]) -> Vec<String> {
    let mut complaints = Vec::new();
    for Function {
        name,
        line,
        parameters,
        ..
    } in of(tokens)
    {
        for parameter in parameters {
            if is_tuple(&parameter, aliases) {
                let written = parameter.concat();
                complaints.push(format!(
                    "{path}:{line}: {name} takes a tuple, `{written}`: give its parts names"
                ));
            }
        }
    }
    complaints
}

fn is_tuple(parameter: &[&str], aliases: &[&str]) -> bool {
    let Some(colon) = parameter.iter().position(|text| *text == ":") else {
        // `self`.
        return false;
    };
    let (pattern, of_type) = parameter.split_at(colon);
    let is_beside = |text: &str| ["&", "mut", "ref"].contains(&text) || text.starts_with('\'');
    let bare = |text: &&&str| !is_beside(text);
    let pattern: Vec<_> = pattern.iter().filter(bare).collect();
    let of_type: Vec<_> = of_type[1..].iter().filter(bare).collect();
    let opens = pattern.first().is_some_and(|text| **text == "(");
    let is_pattern = opens && pattern.get(1).is_some_and(|text| **text != ")");
    let is_type = of_type.first().is_some_and(|text| **text == "(") && has_comma(&of_type);
    let is_alias = of_type.len() == 1 && aliases.contains(of_type[0]);
    is_pattern || is_type || is_alias
}

/// Whether the bracket that the type begins with holds several, and not one in parentheses.
fn has_comma(of_type: &[&&str]) -> bool {
    let mut depth = 0;
    for text in of_type {
        match **text {
            "(" | "[" | "{" | "<" => depth += 1,
            ")" | "]" | "}" | ">" => depth -= 1,
            "," if depth == 1 => return true,
            _ => (),
        }
        if depth == 0 {
            break;
        }
    }
    false
}

/// The names of types of a file that stand for tuples.
pub fn tuple_aliases<'t>(tokens: &[Token<'t>]) -> Vec<&'t str> {
    let start = |w: &[Token<'_>]| w[0].text == "type" && w[2].text == "=" && w[3].text == "(";
    let aliases = tokens.windows(4).filter(|window| start(window));
    aliases.map(|window| window[1].text).collect()
}

/// The length that so many percent of the functions do not exceed, and the greatest.
pub fn lengths(mut lines: Vec<usize>, percent: usize) -> (usize, usize) {
    lines.sort_unstable();
    let place = (lines.len() * percent).div_ceil(100).saturating_sub(1);
    let most = lines.last().copied().unwrap_or_default();
    (lines.get(place).copied().unwrap_or_default(), most)
}

#[cfg(test)]
mod tests {
    use super::super::{code, tokens};
    use super::{lengths, of, tuple_aliases, tuple_parameters};

    #[test]
    fn functions_are_measured() {
        let text = "impl A {\n  fn one(&self) -> B {\n    /* { */ \"{\"\n  }\n}\n\
                    trait C { fn two<F: Fn(A) -> B>(f: F,\n g: fn(u8)) where F: D; }\n\
                    #[cfg(test)]\nmod tests { fn three() {} }\n";
        let code = code::without_tests(text);
        let tokens = tokens::of_code(&code);
        let found: Vec<_> = of(&tokens)
            .iter()
            .map(|f| (f.name, f.line, f.lines, f.parameters.len()))
            .collect();
        assert_eq!(found, [("one", 2, 3, 1), ("two", 6, 2, 2)]);
        assert_eq!(lengths((1..=100).collect(), 95), (95, 100));
        assert_eq!(lengths(vec![3], 95), (3, 3));
    }

    #[test]
    fn tuples_are_noticed_where_they_are_parameters() {
        let count = |text: &str| {
            let code = code::without_tests(text);
            let tokens = tokens::of_code(&code);
            tuple_parameters("a.rs", &tokens, &tuple_aliases(&tokens)).len()
        };
        for bad in [
            "fn f((a, b): (A, B)) {}",
            "fn f(x: u8, ab: (A, B)) {}",
            "fn f<'a>(x: &'a (A, B)) {}",
            "fn f(&self, x: &mut (A, [B; 2]),) -> C {}",
            "fn f<T: Into<(A, B)>>((a, b): T) {}",
            "type Pair = (A, B);\nfn f(x: Pair) {}",
        ] {
            assert_eq!(count(bad), 1, "{bad}");
        }
        for good in [
            "fn f(a: A, b: B) -> (A, B) {}",
            "// fn f((a, b): (A, B))\nfn f(x: &(dyn Fn(A, B) -> C + 'a)) {}",
            "fn f(x: Option<(A, B)>, y: &[(A, B)], z: impl Iterator<Item = (A, B)>) {}",
            "fn f(Span { first, last }: Span, w: ()) { g(|(a, b)| a + b) }",
            "let s = \"fn f((a, b): (A, B))\";",
            "fn f((): (), x: &mut ()) {}",
            "#[cfg(test)]\nmod tests { fn f((a, b): (A, B)) {} }",
        ] {
            assert_eq!(count(good), 0, "{good}");
        }
    }
}
