//! The table of what was run: a line for each seed, in a file for each mode.

use std::collections::BTreeMap;
use std::path::Path;

use super::check::Figures;

/// What the lines of the table stand between.
const BEGIN: &str = "<!-- the fault suite writes from here -->";
const END: &str = "<!-- to here -->";

const HEAD: &str = "\
| seed | seconds | faults | records | revisions | incidents | verdict |\n\
| ---: | ---: | --- | ---: | ---: | ---: | --- |\n";

/// A line of the table.
pub struct Line {
    pub seed: u64,
    pub seconds: u64,
    pub faults: BTreeMap<&'static str, usize>,
    /// What was checked, where all of it holds.
    pub figures: Option<Figures>,
}

impl Line {
    /// The line of a run that did not come to its end.
    pub fn failed(seed: u64, seconds: u64) -> Line {
        Line {
            seed,
            seconds,
            faults: BTreeMap::new(),
            figures: None,
        }
    }

    fn text(&self) -> String {
        let total: usize = self.faults.values().sum();
        let kinds = self.faults.iter();
        let kinds: Vec<String> = kinds
            .map(|(kind, count)| match count {
                1 => (*kind).to_owned(),
                _ => format!("{kind} {count}"),
            })
            .collect();
        let (seed, seconds, kinds) = (self.seed, self.seconds, kinds.join(", "));
        let Figures {
            records,
            revisions,
            incidents,
            ..
        } = self.figures.unwrap_or_default();
        let verdict = if self.figures.is_some() {
            "holds"
        } else {
            "**fails**"
        };
        format!(
            "| {seed} | {seconds} | {total}: {kinds} | {records} | {revisions} | {incidents} | \
             {verdict} |\n"
        )
    }

    /// Puts the line into the file, in the place of one of the same seed.
    pub fn write(&self, path: &Path) {
        let text = std::fs::read_to_string(path).unwrap();
        std::fs::write(path, with_line(&text, self.seed, &self.text())).unwrap();
    }
}

/// The text of a file with one line of its table new or replaced; by seed.
fn with_line(text: &str, seed: u64, line: &str) -> String {
    let (before, rest) = text
        .split_once(BEGIN)
        .expect("the file has a place for lines");
    let (table, after) = rest
        .split_once(END)
        .expect("the file has an end of its lines");
    let number = |line: &str| {
        line.strip_prefix("| ")?
            .split_once(' ')?
            .0
            .parse::<u64>()
            .ok()
    };
    let mut lines: BTreeMap<u64, String> = table
        .lines()
        .filter_map(|line| Some((number(line)?, format!("{line}\n"))))
        .collect();
    lines.insert(seed, line.to_owned());
    let lines: String = lines.into_values().collect();
    format!("{before}{BEGIN}\n\n{HEAD}{lines}\n{END}{after}")
}

#[test]
fn lines_are_put_in_their_place() {
    let text = format!("intro\n{BEGIN}\n{END}\nend\n");
    let text = with_line(&text, 7, "| 7 | first |\n");
    let text = with_line(&text, 12, "| 12 | x |\n");
    let text = with_line(&text, 7, "| 7 | second |\n");
    let expected = format!("intro\n{BEGIN}\n\n{HEAD}| 7 | second |\n| 12 | x |\n\n{END}\nend\n");
    assert_eq!(text, expected);
}
