//! Names that many events have, each kept once.

use std::collections::HashSet;
use std::sync::Arc;

/// How many are known at most. Where there are more the table begins anew: what was shared stays.
const KNOWN_MAX: usize = 4_096;

/// Shares equal texts.
#[derive(Debug, Default)]
pub struct Names {
    known: HashSet<Arc<str>>,
}

impl Names {
    /// The one text that is equal to this.
    pub fn share(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.known.get(text) {
            return Arc::clone(known);
        }
        if self.known.len() >= KNOWN_MAX {
            self.known.clear();
        }
        let shared: Arc<str> = Arc::from(text);
        self.known.insert(Arc::clone(&shared));
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
}
