//! What `rules check` says of valid rules: slips, each with its place and the name by which it is
//! switched off, and what their sources must keep and send.

use serde_json::{Value, json};

use crate::config::ForRules;
use crate::plan::{hubs, retention};
use crate::rule::{Rule, Texts};
use crate::time::Millis;

/// What to know about a rule.
pub struct Advice<'r> {
    rule: &'r str,
    /// Of a slip: what it is called, and where it is.
    slip: Option<Slip>,
    text: String,
}

struct Slip {
    lint: &'static str,
    place: Option<Place>,
}

/// A line of a file, from 1.
struct Place {
    file: String,
    line: usize,
}

/// All there is to know of rules that were read from `texts`. `now` is what exceptions are held
/// against.
pub fn of<'r>(rules: &'r [Rule], texts: &Texts, with: &ForRules, now: Millis) -> Vec<Advice<'r>> {
    let mut all = Vec::new();
    for rule in rules {
        let found = rule.lints(now);
        let document = match found.is_empty() {
            true => None,
            false => Document::of(rule, texts),
        };
        let slips = found.into_iter().map(|found| Advice {
            rule: &rule.id,
            slip: Some(Slip {
                lint: found.lint.name(),
                place: document.as_ref().map(|document| document.near(&found.near)),
            }),
            text: found.text,
        });
        all.extend(slips);
        let kept = retention::advice(rule, with.settings).into_iter();
        let missing = hubs::missing([rule], &with.sources).into_iter();
        let others = kept.chain(missing.map(|missing| missing.text));
        all.extend(others.map(|text| Advice {
            rule: &rule.id,
            slip: None,
            text,
        }));
    }
    all
}

impl Advice<'_> {
    /// One line for people.
    pub fn line(&self) -> String {
        let Advice { rule, slip, text } = self;
        match slip {
            None => format!("{rule}: {text}"),
            Some(Slip { lint, place: None }) => format!("{rule}: {text} ({lint})"),
            Some(Slip {
                lint,
                place: Some(Place { file, line }),
            }) => format!("{file}:{line}: {rule}: {text} ({lint})"),
        }
    }

    /// The same for programs.
    pub fn to_json(&self) -> Value {
        let Advice { rule, slip, text } = self;
        let mut value = json!({ "rule": rule, "text": text });
        if let (Some(slip), Some(members)) = (slip, value.as_object_mut()) {
            members.insert("lint".to_owned(), slip.lint.into());
            if let Some(Place { file, line }) = &slip.place {
                members.insert("file".to_owned(), file.as_str().into());
                members.insert("line".to_owned(), (*line).into());
            }
        }
        value
    }
}

/// The text of a rule in its file.
struct Document<'t> {
    file: &'t str,
    /// Of the `id`.
    line: usize,
    /// The line where it begins.
    begin: usize,
    lines: Vec<String>,
}

impl<'t> Document<'t> {
    /// The one that says the rule's id on a line of its own, as rules in canonical form do.
    fn of(rule: &Rule, texts: &'t Texts) -> Option<Document<'t>> {
        let is_id = |line: &str| {
            let value = line.strip_prefix("id:").map(str::trim);
            let value = value.map(|value| value.trim_matches(['"', '\'']));
            value == Some(rule.id.as_str())
        };
        texts.rules.iter().find_map(|(file, text)| {
            if !text.contains(&rule.id) {
                return None;
            }
            let lines: Vec<&str> = text.lines().collect();
            let at = lines.iter().position(|line| is_id(line))?;
            let is_end = |line: &&str| line.trim_end() == "---";
            let (before, after) = lines.split_at_checked(at)?;
            let begin = before.iter().rposition(is_end).map_or(0, |at| at + 1);
            let length = after.iter().position(is_end).unwrap_or(after.len());
            let own = lines.get(begin..at + length)?;
            Some(Document {
                file,
                line: at + 1,
                begin: begin + 1,
                lines: own.iter().map(|line| line.to_ascii_lowercase()).collect(),
            })
        })
    }

    /// The first line that has these words, letter case aside; else that of the id.
    fn near(&self, words: &str) -> Place {
        let words = words.to_ascii_lowercase();
        let found = self.lines.iter().position(|line| line.contains(&words));
        Place {
            file: self.file.to_owned(),
            line: found.map_or(self.line, |at| self.begin + at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Advice, of};
    use crate::cli::backtest::rules::SETTINGS;
    use crate::config::ForRules;
    use crate::event::Attributes;
    use crate::rule::Texts;

    #[test]
    fn a_slip_has_its_place_and_its_name() {
        let rule = |id: &str, filter: &str| {
            format!(
                "# Of {id}.\nid: {id}\nname: n\nseverity: 5\nwindow: 5m\npatterns:\n  - name: \
                 P\n    where: {filter}\n"
            )
        };
        let texts = Texts {
            rules: vec![(
                "a.yaml".to_owned(),
                format!(
                    "{}---\n{}",
                    rule("R1", "eventType = \"MS_EvtHub_A/B\""),
                    rule("R2", "user IS NULL")
                ),
            )],
            ..Texts::default()
        };
        let (rules, _) = texts.parse(&mut Attributes::default()).unwrap();
        let with = ForRules {
            settings: SETTINGS,
            sources: Vec::new(),
            attributes: Vec::new(),
            tables: Vec::new(),
        };
        let found = of(&rules, &texts, &with, 0);
        let lines: Vec<String> = found.iter().map(Advice::line).collect();
        assert_eq!(
            lines,
            [
                "a.yaml:8: R1: P asks for the event type `ms_evthub_a/b`: no event has it; that \
                 operation's is `MS_EvtHub_a_b` (event-type)",
                "a.yaml:16: R2: the filter of the pattern P is held against every event, as it \
                 asks for nothing that an event must have: name an eventType or a category \
                 (every-event)",
            ]
        );
        let json = found[1].to_json();
        assert_eq!(json["lint"], "every-event");
        assert_eq!(json["file"], "a.yaml");
        assert_eq!(json["line"], 16);
        assert_eq!(json["rule"], "R2");
    }
}
