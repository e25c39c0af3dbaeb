//! Characters that no text of a rule or list may have: they would act on terminals and in logs
//! instead of being shown, or make a text read as another one.

/// The first such character, and the byte where it stands.
pub fn first(text: &str) -> Option<(usize, char)> {
    text.char_indices().find(|(_, c)| is_refused(*c))
}

/// Control characters but for tabs and line ends, and what changes the direction of text or ends
/// lines unseen.
pub fn is_refused(c: char) -> bool {
    match c {
        '\t' | '\n' => false,
        // Arabic letter mark, marks, embeddings and isolates of direction; line and paragraph
        // separators; a byte order mark that is not at the beginning.
        '\u{61c}'
        | '\u{200e}'
        | '\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}'
        | '\u{feff}' => true,
        _ => c.is_control(),
    }
}

/// What is wrong with it.
pub fn refusal(c: char) -> String {
    let name = match c {
        '\u{1b}' => ", escape",
        '\r' => ", carriage return",
        '\0' => ", null",
        '\u{7f}' => ", delete",
        '\u{feff}' => ", byte order mark",
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
            ", which changes the direction of text"
        }
        _ => "",
    };
    format!(
        "found the control or format character U+{:04X}{name}: rules and lists have none; \
         REGEXP finds it as \\x{{{:x}}}",
        u32::from(c),
        u32::from(c)
    )
}

/// Each line's first such character in a file's text, with line and column from 1. A byte order
/// mark at its beginning and `\r\n` are none.
pub fn in_file(text: &str) -> impl Iterator<Item = (usize, usize, char)> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    (1..).zip(text.split('\n')).filter_map(|(line, content)| {
        let content = content.strip_suffix('\r').unwrap_or(content);
        let (at, c) = first(content)?;
        let column = content.get(..at).map_or(0, |before| before.chars().count());
        Some((line, column + 1, c))
    })
}

#[cfg(test)]
mod tests {
    use super::{first, in_file, is_refused, refusal};

    #[test]
    fn finds_what_acts_instead_of_being_shown() {
        let refused = "\0\u{7}\u{8}\u{b}\r\u{1b}\u{1f}\u{7f}\u{80}\u{85}\u{9b}\u{9f}\u{61c}\
                       \u{200e}\u{200f}\u{2028}\u{2029}\u{202a}\u{202e}\u{2066}\u{2069}\u{feff}";
        for c in refused.chars() {
            assert!(is_refused(c), "{c:?}");
            assert_eq!(first(&format!("ä{c}")), Some((2, c)));
            assert!(!refusal(c).contains(c));
        }
        // Joiners belong to the spelling of some languages.
        for c in "\t\n aÄ~\u{a0}\u{ad}\u{200b}\u{200c}\u{200d}😀".chars() {
            assert!(!is_refused(c), "{c:?}");
        }
        assert!(
            refusal('\u{1b}').contains("U+001B, escape"),
            "{}",
            refusal('\u{1b}')
        );
    }

    #[test]
    fn says_where_they_stand_in_a_file() {
        let found = |text| in_file(text).collect::<Vec<_>>();
        assert_eq!(found("\u{feff}a: b\r\nc: d\r\n"), []);
        assert_eq!(
            found("a\r\nä\u{1b}\u{1b}\n\u{9b}"),
            [(2, 2, '\u{1b}'), (3, 1, '\u{9b}')]
        );
        assert_eq!(found("a\rb"), [(1, 2, '\r')]);
    }
}
