//! Rust text with its comments, its strings or its tests taken out, line by line as it was.

/// The text with comments and the contents of strings and characters as blanks.
pub fn code_only(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (kept, length) = token(rest, &code);
        if length == 0 {
            code.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        }
        // The first and last characters stay, if they are quotes, and so do the lines.
        let (token, after) = rest.split_at(length);
        for (at, character) in token.char_indices() {
            let edge = at == 0 || at + character.len_utf8() == length;
            let stays = character == '\n' || (kept && edge);
            code.push(if stays { character } else { ' ' });
        }
        rest = after;
    }
    code
}

/// The code without what only the tests see: whatever stands after the first inline
/// `#[cfg(test)] mod .. {`, which by custom ends the file.
pub fn without_tests(text: &str) -> String {
    let mut code = code_only(text);
    let inline = regex::Regex::new(r"#\[cfg\(test\)\]\s*(pub(\(crate\))? )?mod \w+ \{").unwrap();
    if let Some(start) = inline.find(&code).map(|found| found.start()) {
        code.truncate(start);
    }
    code
}

/// The length in bytes of a comment, string or character that begins here, 0 if none does, and
/// whether it has quotes. `before` is what precedes it.
fn token(text: &str, before: &str) -> (bool, usize) {
    if text.starts_with("//") {
        return (false, text.find('\n').unwrap_or(text.len()));
    }
    if text.starts_with("/*") {
        return (false, text.find("*/").map_or(text.len(), |end| end + 2));
    }
    let in_word = before.ends_with(|c: char| c.is_alphanumeric() || c == '_');
    let raw = text.strip_prefix('b').unwrap_or(text);
    if !in_word && (raw.starts_with("r\"") || raw.starts_with("r#")) {
        return (
            false,
            raw_string(raw).map_or(0, |length| length + text.len() - raw.len()),
        );
    }
    if text.starts_with('"') {
        return (true, quoted(text, '"'));
    }
    if let Some(rest) = text.strip_prefix('\'') {
        let second = rest.chars().next().unwrap_or(' ');
        let is_character = second == '\\' || rest[second.len_utf8()..].starts_with('\'');
        return (true, if is_character { quoted(text, '\'') } else { 0 });
    }
    (false, 0)
}

fn raw_string(text: &str) -> Option<usize> {
    let hashes = text[1..].chars().take_while(|c| *c == '#').count();
    let body = text[1 + hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    Some(
        body.find(&end)
            .map_or(text.len(), |at| 2 + hashes + at + end.len()),
    )
}

/// The length of a text in quotes with `\` escapes.
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        if !escaped && character == quote {
            return at + 1;
        }
        escaped = !escaped && character == '\\';
    }
    text.len()
}

#[test]
fn only_code_is_left() {
    let cases = [
        ("a // b\nc", "a     \nc"),
        ("a /* b\n */ c", "a     \n    c"),
        (
            r#"f("a \" b", 'x', '\'', b"y")"#,
            r#"f("      ", ' ', '  ', b" ")"#,
        ),
        (
            r###"f(r#"a " b"#, r"c") + d"###,
            r#"f(          ,     ) + d"#,
        ),
        ("fn f<'a>(x: &'a str)", "fn f<'a>(x: &'a str)"),
        ("r#type + 'é'", "r#type + ' '"),
    ];
    for (text, code) in cases {
        assert_eq!(code_only(text), code, "{text}");
    }
}

#[test]
fn inline_tests_are_cut_and_test_files_are_not() {
    assert_eq!(without_tests("a\n#[cfg(test)]\nmod tests {\n b }"), "a\n");
    assert_eq!(
        without_tests("#[cfg(test)]\nmod tests;\nc"),
        "#[cfg(test)]\nmod tests;\nc"
    );
}
