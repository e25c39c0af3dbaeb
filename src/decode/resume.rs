//! Where reading may go on behind something broken: at a good record.

use super::reader::{Place, Records};
use super::survey::{Gap, Standing, Wanted};

impl Records<'_> {
    /// What the object at `at` is.
    pub(super) fn standing(&mut self, at: usize) -> Standing {
        let known = self.survey.known(at);
        if known != Standing::Unknown {
            return known;
        }
        let read = self.survey.scan(self.decoder, self.text, at);
        self.spend(read);
        self.survey.known(at)
    }

    /// The first place after `at` and before `end` where a good record begins: an object that is
    /// JSON and stands as an element does.
    pub(super) fn next_good_record(
        &mut self,
        at: usize,
        end: usize,
        place: Place,
        wanted: Wanted,
    ) -> Option<usize> {
        let asked = match (place, wanted) {
            (Place::Top, Wanted::Any) => 0,
            (Place::Top, Wanted::WithTime) => 1,
            (Place::Records, Wanted::Any) => 2,
            (Place::Records, Wanted::WithTime) => 3,
        };
        let gap = self.survey.gaps.get(asked).copied().unwrap_or_default();
        let next = if gap.from <= at && at < gap.to {
            gap.to
        } else {
            let to = self.search(at, place, wanted).unwrap_or(self.text.len());
            self.spend(to - at);
            if let Some(gap) = self.survey.gaps.get_mut(asked) {
                *gap = Gap { from: at, to };
            }
            to
        };
        (next < end).then_some(next)
    }

    fn search(&mut self, at: usize, place: Place, wanted: Wanted) -> Option<usize> {
        let text = self.text.as_bytes();
        let behind = at + 1;
        for start in memchr::memchr_iter(b'{', text.get(behind..)?) {
            let start = behind + start;
            let close = text.get(start - 1);
            let in_place = match close {
                Some(b',' | b'}' | b']') => true,
                Some(blank) if blank.is_ascii_whitespace() => {
                    let before = text.get(at..start)?.trim_ascii_end().last();
                    matches!(before, Some(b',' | b'}' | b']'))
                }
                Some(_) | None => false,
            };
            let on_line = close == Some(&b'\n');
            if !in_place && !on_line {
                continue;
            }
            let good = match self.standing(start) {
                Standing::Timed => true,
                Standing::Sound => wanted == Wanted::Any && (in_place || place == Place::Top),
                Standing::WholeEnvelope => on_line || wanted == Wanted::Any,
                Standing::Envelope => on_line,
                Standing::Unknown | Standing::Glued | Standing::Broken(_) => false,
            };
            if good {
                return Some(start);
            }
        }
        None
    }

    /// Whether the object at `at`, behind something refused, is a good record.
    pub(super) fn goes_on(&mut self, at: usize) -> bool {
        self.refused.is_some() && matches!(self.standing(at), Standing::Sound | Standing::Timed)
    }

    /// Whether the object at `at` belongs to no `records` before it, whose end is lost: it begins
    /// a line, and is an envelope, or what stands before has no end and no comma follows it.
    pub(super) fn leaves_records(&mut self, at: usize) -> bool {
        if !self.begins_line(at) {
            return false;
        }
        let before = self.text.as_bytes().get(..at).unwrap_or_default();
        let previous = before.trim_ascii_end();
        self.spend(before.len() - previous.len());
        self.cut_at == Some(at) && !matches!(previous.last(), Some(b',' | b'['))
            || matches!(
                self.standing(at),
                Standing::Envelope | Standing::WholeEnvelope
            )
    }
}
