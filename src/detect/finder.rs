//! Many texts looked for at once, without regard to ASCII case, in time that does not grow with how
//! many they are.
//!
//! Of each text four bytes are remembered wherever they may begin at a multiple of four in what is
//! searched, so only every fourth place there is looked at (more for short texts). Few places have
//! four bytes of any text; there the text is compared.

use std::collections::HashMap;
use std::ops::Range;

use aho_corasick::AhoCorasick;

/// Bytes that are looked at together.
const GRAM: usize = 4;

/// Texts of so many bytes have four in them that begin at a multiple of four, or of two, wherever
/// they stand.
const LONG: usize = 2 * GRAM - 1;
const MIDDLING: usize = GRAM + 1;

/// Places of a table for each gram, at least.
const ROOM: usize = 32;

/// The logarithms of the least and of the greatest number of places of a table.
const PLACES_LOG: (u32, u32) = (12, 20);

/// Texts that are looked for.
#[derive(Default)]
pub struct Finder {
    /// Those of seven bytes or more: every fourth place is looked at.
    long: Option<Grams>,
    /// Those of five and six: every second.
    middling: Option<Grams>,
    /// Those of four.
    short: Option<Grams>,
    /// Shorter ones, and their places among all.
    tiny: Option<(AhoCorasick, Vec<usize>)>,
}

/// A text that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hit {
    /// Its place among those that are looked for.
    pub text: usize,
    /// Where it begins.
    pub begin: usize,
    /// Where it ends.
    pub end: usize,
}

impl Finder {
    /// Looks for these, which are in ASCII lower case and not empty.
    pub fn new(texts: &[String]) -> Finder {
        let each = || texts.iter().map(String::as_bytes).enumerate();
        let of = |step, lengths: Range<usize>| {
            Grams::of(
                step,
                each().filter(|(_, text)| lengths.contains(&text.len())),
            )
        };
        let tiny = each().filter(|(_, text)| text.len() < GRAM);
        let (places, tiny): (Vec<usize>, Vec<&[u8]>) = tiny.unzip();
        let automaton = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .build(&tiny);
        Finder {
            long: of(GRAM, LONG..usize::MAX),
            middling: of(2, MIDDLING..LONG),
            short: of(1, GRAM..MIDDLING),
            // There are not so many texts of three bytes that they would be too many.
            tiny: automaton
                .ok()
                .filter(|_| !places.is_empty())
                .zip(Some(places)),
        }
    }

    /// Where they stand in `text`.
    pub fn hits<'f>(&'f self, text: &'f [u8]) -> impl Iterator<Item = Hit> + 'f {
        let grams = [&self.long, &self.middling, &self.short]
            .into_iter()
            .flatten();
        let by_grams = grams.flat_map(move |grams| grams.hits(text));
        let tiny = self.tiny.iter().flat_map(move |(automaton, places)| {
            let found = automaton.find_overlapping_iter(text);
            found.filter_map(|found| {
                Some(Hit {
                    text: *places.get(found.pattern().as_usize())?,
                    begin: found.start(),
                    end: found.end(),
                })
            })
        });
        by_grams.chain(tiny)
    }
}

/// Texts by four bytes of each.
struct Grams {
    /// They begin at a multiple of it.
    step: usize,
    /// A bit for each place of the table: whether there is anything.
    taken: Vec<u64>,
    /// The logarithm of the number of places.
    places_log: u32,
    /// The logarithm of the number of buckets.
    buckets_log: u32,
    /// By what the hash of a gram begins with: the first window that has it; and the end of all.
    buckets: Vec<u32>,
    /// In the order of the hashes of their grams.
    windows: Vec<Window>,
    /// The texts, with their places among all.
    texts: Vec<(usize, Box<[u8]>)>,
}

/// Four bytes of a text.
#[derive(Clone, Copy)]
struct Window {
    gram: u32,
    /// The place of its text.
    text: u32,
    /// Where in it they begin.
    at: u32,
}

impl Grams {
    fn of<'t>(step: usize, texts: impl Iterator<Item = (usize, &'t [u8])>) -> Option<Grams> {
        let texts: Vec<(usize, Box<[u8]>)> =
            texts.map(|(place, text)| (place, text.into())).collect();
        if texts.is_empty() {
            return None;
        }
        let mut uses: HashMap<u32, usize> = HashMap::new();
        let mut windows = Vec::new();
        for (number, (_, text)) in (0_u32..).zip(&texts) {
            let grams = text.windows(GRAM);
            let grams = grams.filter_map(|gram| gram.first_chunk().map(folded));
            let grams: Vec<u32> = grams.collect();
            let most_used = |grams: &[u32]| {
                let uses = grams.iter().map(|gram| uses.get(gram).copied());
                uses.max().flatten()
            };
            // Those that fewest others have. Of these the last: texts begin alike more often.
            let runs = grams.windows(step).enumerate();
            let Some((begin, run)) = runs.rev().min_by_key(|(_, run)| most_used(run)) else {
                continue;
            };
            for (at, &gram) in (begin as u32..).zip(run) {
                *uses.entry(gram).or_default() += 1;
                windows.push(Window {
                    gram,
                    text: number,
                    at,
                });
            }
        }
        Some(Grams::with(step, texts, windows))
    }

    fn with(step: usize, texts: Vec<(usize, Box<[u8]>)>, mut windows: Vec<Window>) -> Grams {
        windows.sort_by_key(|window| (hashed(window.gram), window.gram));
        let log = |room: usize| {
            let places = windows.len().saturating_mul(room).next_power_of_two();
            places.ilog2().clamp(PLACES_LOG.0, PLACES_LOG.1)
        };
        let mut grams = Grams {
            step,
            taken: Vec::new(),
            places_log: log(ROOM),
            buckets: Vec::new(),
            buckets_log: log(1),
            windows: Vec::new(),
            texts,
        };
        grams
            .taken
            .resize(1 << (grams.places_log - u64::BITS.ilog2()), 0);
        grams.buckets.resize((1 << grams.buckets_log) + 1, 0);
        for window in &windows {
            let (word, bit) = grams.place(window.gram);
            if let Some(taken) = grams.taken.get_mut(word) {
                *taken |= bit;
            }
            let bucket = grams.bucket(window.gram);
            // The windows before those of the buckets behind it.
            if let Some(number) = grams.buckets.get_mut(bucket + 1) {
                *number += 1;
            }
        }
        let mut before = 0;
        for begin in &mut grams.buckets {
            before += *begin;
            *begin = before;
        }
        grams.windows = windows;
        grams
    }

    fn bucket(&self, gram: u32) -> usize {
        (hashed(gram) >> (u32::BITS - self.buckets_log)) as usize
    }

    /// The word of the table that has the place of a gram, and its bit.
    #[inline]
    fn place(&self, gram: u32) -> (usize, u64) {
        let place = hashed(gram) >> (u32::BITS - self.places_log);
        (place as usize / 64, 1 << (place % 64))
    }

    fn hits<'f>(&'f self, text: &'f [u8]) -> impl Iterator<Item = Hit> + 'f {
        let mut from = 0;
        let mut here = Here::default();
        std::iter::from_fn(move || {
            loop {
                for window in here.windows.by_ref() {
                    if window.gram == here.gram
                        && let Some(hit) = self.hit(text, here.at, *window)
                    {
                        return Some(hit);
                    }
                }
                here = self.next(text, from)?;
                from = here.at + self.step;
            }
        })
    }

    /// The next place from `from` on at which there are four bytes of any text.
    fn next(&self, text: &[u8], mut from: usize) -> Option<Here<'_>> {
        loop {
            let rest = text.get(from..)?;
            let steps = match self.step {
                GRAM => rest.as_chunks().0.iter().position(|gram| self.may_be(gram)),
                step => rest.windows(GRAM).step_by(step).position(|gram| {
                    let gram = gram.first_chunk();
                    gram.is_some_and(|gram| self.may_be(gram))
                }),
            };
            let at = from + steps? * self.step;
            let gram = folded(text.get(at..)?.first_chunk()?);
            let bucket = self.bucket(gram);
            let begin = *self.buckets.get(bucket)? as usize;
            let end = *self.buckets.get(bucket + 1)? as usize;
            let windows = self.windows.get(begin..end)?;
            if windows.iter().any(|window| window.gram == gram) {
                return Some(Here {
                    at,
                    gram,
                    windows: windows.iter(),
                });
            }
            from = at + self.step;
        }
    }

    /// Whether these may be four bytes of a text; of a few others it is said as well.
    #[inline(always)]
    fn may_be(&self, gram: &[u8; GRAM]) -> bool {
        let (word, bit) = self.place(folded(gram));
        self.taken.get(word).is_some_and(|taken| taken & bit != 0)
    }

    /// The text of a window that stands at `at`, if all of it stands there.
    fn hit(&self, text: &[u8], at: usize, window: Window) -> Option<Hit> {
        let (place, wanted) = self.texts.get(window.text as usize)?;
        let begin = at.checked_sub(window.at as usize)?;
        let end = begin + wanted.len();
        let found = text.get(begin..end)?;
        found.eq_ignore_ascii_case(wanted).then_some(Hit {
            text: *place,
            begin,
            end,
        })
    }
}

/// A place with four bytes of a text, and the windows that may have these.
#[derive(Default)]
struct Here<'f> {
    at: usize,
    gram: u32,
    windows: std::slice::Iter<'f, Window>,
}

#[inline]
fn hashed(gram: u32) -> u32 {
    // The multiplier of Fibonacci hashing: 2^32 over the golden ratio.
    gram.wrapping_mul(0x9e37_79b9)
}

/// Four bytes in one word, the same for either case of a letter, and for some others.
#[inline]
fn folded(bytes: &[u8; GRAM]) -> u32 {
    u32::from_le_bytes(*bytes) | 0x2020_2020
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn plainly(texts: &[String], text: &str) -> Vec<(usize, usize)> {
        let lower = text.to_ascii_lowercase();
        let mut all = Vec::new();
        for (place, wanted) in texts.iter().enumerate() {
            let ends = 0..=lower.len().saturating_sub(wanted.len());
            let begins =
                ends.filter(|begin| lower.as_bytes()[*begin..].starts_with(wanted.as_bytes()));
            all.extend(begins.map(|begin| (place, begin)));
        }
        all.sort_unstable();
        all
    }

    proptest! {
        #[test]
        fn all_texts_are_found_wherever_they_stand(
            mut texts in prop::collection::vec("[ab@`é]{1,12}|[a-d/]{4,20}", 0..30),
            text in "[abAB@`éÉ]{0,60}|[a-dA-D/]{0,200}",
            parts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
        ) {
            texts.sort();
            texts.dedup();
            let chosen = parts.iter().filter(|_| !texts.is_empty());
            let chosen: String = chosen.map(|part| part.get(&texts).to_ascii_uppercase()).collect();
            let text = text + &chosen;
            let finder = Finder::new(&texts);
            let mut found: Vec<(usize, usize)> = Vec::new();
            for hit in finder.hits(text.as_bytes()) {
                prop_assert_eq!(hit.end - hit.begin, texts[hit.text].len());
                found.push((hit.text, hit.begin));
            }
            found.sort_unstable();
            prop_assert_eq!(found, plainly(&texts, &text));
        }
    }
}
