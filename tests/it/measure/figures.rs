//! What a measurement found: lines to read, on standard output and in a file.

use std::path::PathBuf;

/// The lines of one measurement. In the file they stand between two markers, and take the place
/// of those of the last time.
pub struct Figures {
    name: &'static str,
    lines: Vec<String>,
}

impl Figures {
    pub fn new(name: &'static str) -> Figures {
        Figures {
            name,
            lines: Vec::new(),
        }
    }

    /// Prints a line and writes all there are so far.
    pub fn line(&mut self, line: String) {
        println!("{}: {line}", self.name);
        self.lines.push(line);
        if let Some(file) = std::env::var_os("WATCHFIRE_MEASURE_FILE").map(PathBuf::from) {
            let text = std::fs::read_to_string(&file).unwrap_or_default();
            std::fs::write(&file, replaced(&text, self.name, &self.lines)).unwrap();
        }
    }
}

/// The text with `lines` as the part `name`, added at the end if it has none.
fn replaced(text: &str, name: &str, lines: &[String]) -> String {
    let (first, last) = (
        format!("<!-- {name} -->\n"),
        format!("<!-- end of {name} -->\n"),
    );
    let body: String = lines.iter().map(|line| format!("    {line}\n")).collect();
    let part = format!("{first}\n{body}\n{last}");
    match (text.find(&first), text.find(&last)) {
        (Some(start), Some(end)) if start < end => {
            format!("{}{part}{}", &text[..start], &text[end + last.len()..])
        }
        _ => format!("{text}\n## {name}\n\n{part}"),
    }
}

#[test]
fn a_part_of_a_text_is_replaced_or_added() {
    let lines = |text: &str| vec![text.to_owned()];
    let once = replaced("# T\n", "a", &lines("1"));
    let expected = "# T\n\n## a\n\n<!-- a -->\n\n    1\n\n<!-- end of a -->\n";
    assert_eq!(once, expected);
    let more = replaced(&once, "b", &lines("2")) + "after\n";
    let again = replaced(&more, "a", &lines("3"));
    assert_eq!(again, more.replace("    1\n", "    3\n"));
}
