//! Answers of REST and Graph: the records of an object with a list called `value`.

use super::reader::{Place, Records};

/// Whether an answer of REST or Graph says this of itself, or its records.
fn is_of_answer(key: &str) -> bool {
    let is_one_of = |names: &[&str]| names.iter().any(|name| key.eq_ignore_ascii_case(name));
    let is_odata = key.trim_start_matches('@').starts_with("odata.");
    is_odata || is_one_of(&["value", "nextLink", "count"])
}

impl Records<'_> {
    /// Where the records begin of the answer of REST or Graph that was read at `at`: an object with
    /// a list called `value`, and nothing else but what such answers say of themselves.
    pub(super) fn answer(&mut self, at: usize, place: Place) -> Option<usize> {
        let records = self.slots.answer.filter(|_| place == Place::Top)?;
        let mut scanner = self.scanner(at);
        let has_others = loop {
            scanner.at += 1;
            let key = scanner.string().ok()?;
            let is_own = is_of_answer(&key.text());
            let read = scanner.expect(b':').and_then(|()| scanner.skip(1));
            if !is_own || read.is_err() || scanner.token() != Some(b',') {
                break !is_own;
            }
        };
        self.spend(scanner.at - at);
        (!has_others).then_some(records)
    }

    /// Where the records begin of an answer at `at` that is not JSON, if all before them is.
    pub(super) fn broken_answer(&mut self, at: usize) -> Option<usize> {
        let mut scanner = self.scanner(at);
        let records = loop {
            scanner.at += 1;
            let Ok(key) = scanner.string() else {
                break None;
            };
            let key = key.text();
            let has_value = scanner.expect(b':').is_ok();
            let first = scanner.token();
            if key.eq_ignore_ascii_case("value") && first == Some(b'[') {
                break Some(scanner.at);
            }
            let is_read = has_value && is_of_answer(&key) && scanner.skip_scalar(first).is_ok();
            if !is_read || scanner.token() != Some(b',') {
                break None;
            }
        };
        self.spend(scanner.at - at);
        records
    }
}
