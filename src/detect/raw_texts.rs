//! Texts that stand in a message as it is, letter for letter, if one of its records has a feature.
//!
//! Only runs of ASCII letters and digits are told: nothing that a message is made of breaks them
//! up, but for an escape of such a character, `\u0041`, which whoever searches must look for. What
//! stands between them may be written in several ways, and attributes are made with other signs.

use crate::event::{Attribute, AttributeId, Attributes};
use crate::normalise;
use crate::rule::number::Number;
use crate::rule::own::Own;
use crate::rule::requirement::{Clue, Feature};

/// Shorter runs are not told: they are in most messages.
const RUN_MIN: usize = 4;

/// What repair of a broken text writes by itself.
const NULL: &str = "null";

/// A list with more texts tells nothing.
const LISTED_MAX: usize = 1_000;

/// Letters beside which a regular expression takes others that are not ASCII's.
const FOLDED: [char; 2] = ['k', 's'];

/// How attributes are made of what messages hold.
pub struct Making<'a> {
    attributes: &'a Attributes,
    own: &'a Own,
}

impl<'a> Making<'a> {
    /// Of these attributes, with what users brought.
    pub fn of(attributes: &'a Attributes, own: &'a Own) -> Making<'a> {
        Making { attributes, own }
    }

    /// Runs of letters and digits, in lower case, all of which stand in a message if a record of it
    /// has what `clue` asks for: several such sets, one of which does. `None`: nothing is known.
    pub fn runs(&self, clue: &Clue<'_>) -> Option<Vec<Vec<String>>> {
        let constants = self.constants(clue.attribute)?;
        let told = |text: &str, part: Part| {
            let mut runs = runs(text, part);
            runs.retain(|run| {
                let is_made = constants
                    .iter()
                    .any(|constant| constant.contains(run.as_str()));
                !is_made && run.len() >= RUN_MIN && run != NULL
            });
            (!runs.is_empty()).then_some(runs)
        };
        match &clue.feature {
            // Numbers are written in several ways.
            Feature::Text(text) if Number::parse(text).is_some() => None,
            Feature::Text(text) => Some(vec![told(text, Part::Whole)?]),
            Feature::Listed(list) => {
                let texts = list.list.all_texts()?;
                let is_known = |text: &String| Number::parse(text).is_none();
                if texts.len() > LISTED_MAX || !texts.iter().all(is_known) {
                    return None;
                }
                texts.iter().map(|text| told(text, Part::Whole)).collect()
            }
            Feature::Contains(text) | Feature::Ends(text) if !is_of_number(text) => {
                Some(vec![told(text, Part::Within)?])
            }
            Feature::Begins(text) if !is_of_number(text) => Some(vec![told(text, Part::Whole)?]),
            Feature::Matches(text) if !is_of_number(text) => Some(vec![told(text, Part::Matched)?]),
            Feature::Contains(_)
            | Feature::Begins(_)
            | Feature::Ends(_)
            | Feature::Matches(_)
            | Feature::Number(_)
            | Feature::Network(_)
            | Feature::Present => None,
        }
    }

    /// What an attribute may hold that no message does, in lower case; `None`: it may be made in
    /// any way.
    fn constants(&self, id: AttributeId) -> Option<Vec<String>> {
        match self.attributes.list().get(usize::from(id.0))? {
            Attribute::Path(_) | Attribute::Selected(_) => Some(Vec::new()),
            Attribute::Named(name) => self.of_steps(name),
            Attribute::Own(name) => self.of_steps(name),
            Attribute::Computed { .. } => None,
        }
    }

    fn of_steps(&self, name: &str) -> Option<Vec<String>> {
        let own = self.own.families().map(|own| &own.family);
        let families = normalise::families().iter().chain(own);
        let constants = families.map(|family| normalise::constants(family, name));
        let constants: Option<Vec<Vec<String>>> = constants.collect();
        let mut constants = constants?.concat();
        constants.sort();
        constants.dedup();
        Some(constants)
    }
}

/// Where a text stands in a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// From its beginning on.
    Whole,
    /// Perhaps behind something else.
    Within,
    /// The same, as a regular expression finds it.
    Matched,
}

/// Whether a number may have it in its text.
fn is_of_number(text: &str) -> bool {
    let is_sign = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'-');
    text.bytes().all(is_sign)
}

/// The runs of letters and digits of a text in lower case.
fn runs(text: &str, part: Part) -> Vec<String> {
    let is_of_run = |char: char| {
        char.is_ascii_alphanumeric() && !(part == Part::Matched && FOLDED.contains(&char))
    };
    let mut runs = Vec::new();
    let mut before = match part {
        Part::Whole => None,
        Part::Within | Part::Matched => Some('\\'),
    };
    let mut rest = text;
    while let Some(begin) = rest.find(is_of_run) {
        let (skipped, run) = rest.split_at(begin);
        before = skipped.chars().next_back().or(before);
        let end = run.find(|char| !is_of_run(char)).unwrap_or(run.len());
        let (run, after) = run.split_at(end);
        // What mends a text writes escapes, and the value may be the text that it mended.
        let own = match before {
            Some('\\') => run.get(escaped(run)..).unwrap_or_default(),
            Some(_) | None => run,
        };
        runs.push(own.to_ascii_lowercase());
        before = None;
        rest = after;
    }
    runs
}

/// How many letters of a run may be the end of an escape, at most: of `\n`, `\r`, `\t` or the
/// escape of a control character.
fn escaped(run: &str) -> usize {
    let bytes = run.as_bytes();
    let ends = (1..=5).rev().find(|length| {
        let Some(end) = bytes.get(..*length) else {
            return false;
        };
        let digits = end
            .strip_prefix(b"u")
            .filter(|_| *length == 5)
            .unwrap_or(end);
        let [zeros @ .., high, low] = digits else {
            let is_one = |byte: &u8| matches!(byte, b'n' | b'r' | b't' | b'u');
            return end
                .iter()
                .all(|byte| is_one(byte) || byte.is_ascii_hexdigit());
        };
        zeros.iter().all(|byte| *byte == b'0')
            && matches!(high, b'0' | b'1')
            && low.is_ascii_hexdigit()
    });
    ends.unwrap_or_default()
}
