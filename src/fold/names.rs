//! Names that many events have, most of them kept once.

use std::sync::Arc;

use crate::spread::place_of;

/// How many are known at most.
const KNOWN_MAX: usize = 4_096;

/// Shares equal texts. Each has one place where it can be known, and the last one takes it: a text
/// costs the same whatever others there are.
#[derive(Debug, Default)]
pub struct Names {
    /// Empty before the first one.
    known: Vec<Option<Arc<str>>>,
}

impl Names {
    /// A text that is equal to this, the one that others have if that is known.
    pub fn share(&mut self, text: &str) -> Arc<str> {
        if self.known.is_empty() {
            self.known.resize(KNOWN_MAX, None);
        }
        let place = place_of(text.as_bytes(), KNOWN_MAX);
        let known = self.known.get(place).and_then(Option::as_ref);
        if let Some(known) = known.filter(|known| ***known == *text) {
            return Arc::clone(known);
        }
        let shared: Arc<str> = Arc::from(text);
        if let Some(place) = self.known.get_mut(place) {
            *place = Some(Arc::clone(&shared));
        }
        shared
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_are_one_and_the_table_is_bounded() {
        let mut names = Names::default();
        let first = names.share("a");
        assert!(Arc::ptr_eq(&first, &names.share("a")));
        for number in 0..3 * KNOWN_MAX {
            assert_eq!(&*names.share(&number.to_string()), number.to_string());
            assert!(names.known.len() <= KNOWN_MAX);
        }
    }

    #[test]
    fn texts_that_differ_little_have_places_of_their_own() {
        let text = |number| format!("/subscriptions/0/virtualmachines/vm-{number:05}");
        let places: std::collections::BTreeSet<usize> = (0..1_000)
            .map(|n| place_of(text(n).as_bytes(), KNOWN_MAX))
            .collect();
        assert!(places.len() > 800, "{}", places.len());
    }
}
