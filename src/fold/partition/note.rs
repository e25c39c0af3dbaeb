//! What is noted with the committed offset of a matches partition.
//!
//! The note is the offset from which the log must be folded to give the state again, and after it
//! the hashes of the plans that what lies between was folded with: should the rules topic not have
//! one of them any more, what it is missing for was no stranger's. Before all this stands `v3`;
//! behind the offset the bookmark of the last message that was done, or `-`, and, where the message
//! at the committed offset is done in part, how far it is: the last key, and how many of its
//! publications are said, or `all`; else `-`. A note of another form begins with a `v`, too. Older
//! versions wrote the offset and the plans alone, or `v2` with how far the message is, and no
//! bookmark.

use std::collections::BTreeMap;

use crate::bookmark::Bookmark;
use crate::fold::folded::FoldedMessage;
use crate::fold::key::KeyId;
use crate::fold::place::{Cursor, Portion};
use crate::record::Hash;

/// Begins a note.
const VERSION: &str = "v3";

/// Begins a note with a cursor of an older version.
const WITH_CURSOR: &str = "v2";

/// Stands for what there is not.
const NONE: &str = "-";

/// So many plans are noted, the latest; brokers take 4096 bytes.
const PLANS_MAX: usize = 32;

/// A note as it was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Note {
    /// The offset from which the log must be folded.
    pub recovery: i64,
    /// The last message that was done, as far as is known.
    pub last: Option<FoldedMessage>,
    /// How far the message at the committed offset is done; `None`: it is still to be begun.
    pub cursor: Option<Cursor>,
    /// The plans of what lies between that and the committed offset, with the offset at which
    /// each was last named, as far as is known.
    pub plans: BTreeMap<Hash, i64>,
}

/// Why a note cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoteError {
    /// Somebody else has committed the offset.
    Foreign,
    /// A later version has written it.
    Later,
}

impl Note {
    /// The note in `text`, committed with `offset`.
    ///
    /// # Errors
    ///
    /// It is none, or of a form that this version does not know.
    pub fn parse(text: &str, offset: i64) -> Result<Note, NoteError> {
        let mut words = text.split(' ');
        let first = words.next().unwrap_or_default();
        if first == VERSION {
            return Note::parse_words(words, offset).ok_or(NoteError::Foreign);
        }
        if first == WITH_CURSOR {
            return Note::with_cursor(words, offset).ok_or(NoteError::Foreign);
        }
        let Ok(recovery) = first.parse() else {
            let digits = first.strip_prefix('v').unwrap_or_default();
            let later = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            return Err(match later {
                true => NoteError::Later,
                false => NoteError::Foreign,
            });
        };
        Note::with_plans(recovery, None, words, offset).ok_or(NoteError::Foreign)
    }

    fn parse_words<'w>(mut words: impl Iterator<Item = &'w str>, offset: i64) -> Option<Note> {
        let recovery = words.next()?.parse().ok()?;
        let last = match words.next()? {
            NONE => None,
            place => {
                let bookmark = Bookmark::parse(place, words.next()?, words.next()?)?;
                Some(FoldedMessage::Hashed(bookmark))
            }
        };
        let cursor = match words.next()? {
            NONE => None,
            key => Some(cursor(key, words.next()?)?),
        };
        let note = Note::with_plans(recovery, cursor, words, offset)?;
        Some(Note { last, ..note })
    }

    fn with_cursor<'w>(mut words: impl Iterator<Item = &'w str>, offset: i64) -> Option<Note> {
        let recovery = words.next()?.parse().ok()?;
        let cursor = cursor(words.next()?, words.next()?)?;
        Note::with_plans(recovery, Some(cursor), words, offset)
    }

    fn with_plans<'w>(
        recovery: i64,
        cursor: Option<Cursor>,
        words: impl Iterator<Item = &'w str>,
        offset: i64,
    ) -> Option<Note> {
        // A plan of the message at that offset is named there.
        let last = offset - i64::from(cursor.is_none());
        let plans = words.map(|word| Some((Hash::parse(word)?, last)));
        let plans = plans.collect::<Option<BTreeMap<Hash, i64>>>()?;
        (0..=offset).contains(&recovery).then_some(Note {
            recovery,
            last: None,
            cursor,
            plans,
        })
    }

    /// Notes that the message at `offset` names this plan.
    pub fn named(&mut self, plan: Hash, offset: i64) {
        self.plans.insert(plan, offset);
    }

    /// The state needs the log from `recovery` on: plans that were last named before are forgotten.
    pub fn needed_from(&mut self, recovery: i64) {
        self.recovery = recovery;
        self.plans.retain(|_, last| *last >= recovery);
        while self.plans.len() > PLANS_MAX {
            let oldest = self.plans.iter().min_by_key(|(_, last)| **last);
            let Some(oldest) = oldest.map(|(plan, _)| *plan) else {
                return;
            };
            self.plans.remove(&oldest);
        }
    }
}

fn cursor(key: &str, said: &str) -> Option<Cursor> {
    let (rule, key) = key.split_at_checked(32)?;
    let key = KeyId {
        rule: Hash::parse(rule)?,
        key: Hash::parse(key)?,
    };
    let said = match said {
        "all" => Portion::All,
        number => Portion::Some(number.parse().ok()?),
    };
    Some(Cursor { key, said })
}

impl std::fmt::Display for Note {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{VERSION} {} ", self.recovery)?;
        match &self.last {
            None => write!(f, "{NONE} ")?,
            Some(last) => write!(f, "{} ", last.bookmark())?,
        }
        match self.cursor {
            None => write!(f, "{NONE}")?,
            Some(Cursor { key, said }) => {
                let KeyId { rule, key } = key;
                write!(f, "{rule}{key} ")?;
                match said {
                    Portion::Some(number) => write!(f, "{number}")?,
                    Portion::All => write!(f, "all")?,
                }
            }
        }
        self.plans.keys().try_for_each(|plan| write!(f, " {plan}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_read_as_it_was_written() {
        let mut note = Note::default();
        for plan in 0..40 {
            note.named(Hash([plan; 16]), i64::from(plan));
        }
        note.needed_from(20);
        let kept: Vec<u8> = note.plans.keys().map(|plan| plan.0[0]).collect();
        assert_eq!(kept, (20..40).collect::<Vec<u8>>());
        let read = Note::parse(&note.to_string(), 100).unwrap();
        assert_eq!(read.recovery, 20);
        assert!(read.plans.keys().eq(note.plans.keys()));
        note.needed_from(0);
        for plan in 100..150 {
            note.named(Hash([plan; 16]), i64::from(plan));
        }
        note.needed_from(0);
        assert_eq!(note.plans.len(), PLANS_MAX);
        assert!(note.to_string().len() < 4096);
    }

    #[test]
    fn has_a_cursor() {
        for said in [Portion::Some(0), Portion::Some(70_000), Portion::All] {
            let key = KeyId {
                rule: Hash([1; 16]),
                key: Hash([2; 16]),
            };
            let note = Note {
                recovery: 7,
                last: Some(FoldedMessage::of(8, 1_767_225_600_000, vec![1, 2, 3])),
                cursor: Some(Cursor { key, said }),
                plans: BTreeMap::from([(Hash([3; 16]), 9)]),
            };
            assert_eq!(
                Note::parse(&note.to_string(), 9),
                Ok(note.clone()),
                "{note}"
            );
        }
    }

    #[test]
    fn tells_whose_it_is() {
        let check = |text: &str, expected| assert_eq!(Note::parse(text, 9), expected, "{text}");
        let of = |recovery| Note {
            recovery,
            ..Note::default()
        };
        check("7", Ok(of(7)));
        check("0", Ok(of(0)));
        check("", Err(NoteError::Foreign));
        check("10", Err(NoteError::Foreign));
        check("-1", Err(NoteError::Foreign));
        check("7 seven", Err(NoteError::Foreign));
        check("v2 7", Err(NoteError::Foreign));
        check("v3 7", Err(NoteError::Foreign));
        check("v3 7 - -", Ok(of(7)));
        check("v3 7 8 - x -", Err(NoteError::Foreign));
        check("v4 7", Err(NoteError::Later));
        check("very", Err(NoteError::Foreign));
        check("9223372036854775808", Err(NoteError::Foreign));
    }
}
