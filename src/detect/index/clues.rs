//! Which filters may hold by the value of one attribute, looked up without looking at each.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

use ipnet::IpNet;

use super::super::finder::Finder;
use crate::event::Value;
use crate::rule::lists::Named;
use crate::rule::networks;
use crate::rule::number::Number;
use crate::rule::regexp_texts::FOLDED;
use crate::rule::regexps::LOOKED_AT_MAX;
use crate::rule::requirement::Feature;

/// Bytes of a text that is searched for: of longer ones a part.
const SEARCHED_MAX: usize = 64;

/// Filters, by number.
type Numbers = Vec<u32>;

/// Filters by what they ask of the values of one attribute.
#[derive(Default)]
pub struct Clues {
    /// By a text in ASCII lower case.
    texts: HashMap<Box<str>, Numbers>,
    /// Bytes of the shortest and of the longest of them.
    lengths: Option<(usize, usize)>,
    /// By the number that such a text spells: for values that are numbers.
    spelled: HashMap<u64, Numbers>,
    /// By a number: for values that are numbers, or spell one.
    numbers: HashMap<u64, Numbers>,
    networks: HashMap<IpNet, Numbers>,
    /// The lengths of prefixes that occur.
    prefixes: Vec<u8>,
    lists: Vec<(Named, Numbers)>,
    search: Option<Search>,
    /// Those that ask for any value at all.
    present: Numbers,
}

/// Texts that are searched for in values.
struct Search {
    texts: Finder,
    /// By text.
    by_text: Vec<ByText>,
    /// Those with a regular expression, which sees the beginning of a long value only, and other
    /// letters for some.
    regexps: Numbers,
}

/// Filters by where a text stands in a value.
#[derive(Default)]
struct ByText {
    anywhere: Numbers,
    at_begin: Numbers,
    at_end: Numbers,
}

/// What a [`Clues`] is made of.
#[derive(Default)]
pub struct Builder {
    clues: Clues,
    by_text: HashMap<String, ByText>,
    regexps: Numbers,
}

impl Builder {
    /// Notes that the filter of this number asks for this. Numbers come in order.
    pub fn add(&mut self, number: u32, feature: &Feature<'_>) {
        let clues = &mut self.clues;
        match feature {
            Feature::Text(text) => {
                let length = text.len();
                let (least, most) = clues.lengths.unwrap_or((length, length));
                clues.lengths = Some((least.min(length), most.max(length)));
                push(clues.texts.entry((*text).into()).or_default(), number);
                if let Some(spelled) = Number::parse(text) {
                    push(clues.spelled.entry(bits(spelled)).or_default(), number);
                }
            }
            Feature::Number(value) => push(clues.numbers.entry(bits(*value)).or_default(), number),
            Feature::Network(network) => {
                push(clues.networks.entry(network.trunc()).or_default(), number);
                if !clues.prefixes.contains(&network.prefix_len()) {
                    clues.prefixes.push(network.prefix_len());
                }
            }
            Feature::Listed(list) => {
                let mut known = clues.lists.iter_mut();
                match known.find(|(known, _)| Arc::ptr_eq(&known.list, &list.list)) {
                    Some((_, numbers)) => push(numbers, number),
                    None => clues.lists.push(((*list).clone(), vec![number])),
                }
            }
            Feature::Contains(text) => push(&mut self.searched(head(text)).anywhere, number),
            Feature::Begins(text) => push(&mut self.searched(head(text)).at_begin, number),
            Feature::Ends(text) => push(&mut self.searched(tail(text)).at_end, number),
            Feature::Matches(text) => {
                push(&mut self.searched(head(text)).anywhere, number);
                push(&mut self.regexps, number);
            }
            Feature::Present => push(&mut clues.present, number),
        }
    }

    fn searched(&mut self, text: &str) -> &mut ByText {
        self.by_text.entry(text.to_owned()).or_default()
    }

    /// Makes what was noted ready to be looked up.
    pub fn build(self) -> Clues {
        let Builder {
            mut clues,
            by_text,
            regexps,
        } = self;
        let (texts, by_text): (Vec<String>, Vec<ByText>) = by_text.into_iter().unzip();
        if !texts.is_empty() {
            clues.search = Some(Search {
                texts: Finder::new(&texts),
                by_text,
                regexps,
            });
        }
        clues
    }
}

impl Clues {
    /// Finds the filters that may hold for an attribute with this value.
    pub fn find(&self, value: &Value<'_>, hits: &mut Hits) {
        hits.add(&self.present);
        self.find_one(value, hits);
        for (list, numbers) in &self.lists {
            if list.list.has(value) {
                hits.add(numbers);
            }
        }
    }

    fn find_one(&self, value: &Value<'_>, hits: &mut Hits) {
        match value {
            Value::Text(text) => {
                self.find_text(text, hits);
                if !self.numbers.is_empty()
                    && let Some(number) = Number::parse(text)
                {
                    hits.add_found(self.numbers.get(&bits(number)));
                }
                self.find_address(text, hits);
            }
            Value::Bool(true) => self.find_text("true", hits),
            Value::Bool(false) => self.find_text("false", hits),
            Value::Integer(integer) => {
                self.find_number(Number::Integer(*integer), integer, hits);
            }
            Value::Float(float) => self.find_number(Number::Float(*float), float, hits),
            Value::Many(values) => values.iter().for_each(|value| self.find_one(value, hits)),
        }
    }

    fn find_text(&self, text: &str, hits: &mut Hits) {
        let is_usual = |(least, most): (usize, usize)| (least..=most).contains(&text.len());
        if self.lengths.is_some_and(is_usual) {
            let mut lower = std::mem::take(&mut hits.buffer);
            lower.clear();
            lower.push_str(text);
            lower.make_ascii_lowercase();
            hits.add_found(self.texts.get(lower.as_str()));
            hits.buffer = lower;
        }
        self.search_in(text, hits);
    }

    fn search_in(&self, text: &str, hits: &mut Hits) {
        let Some(search) = &self.search else {
            return;
        };
        if !search.regexps.is_empty() && (text.len() > LOOKED_AT_MAX || has_folded(text)) {
            hits.add(&search.regexps);
        }
        hits.begin_search(search.by_text.len());
        for found in search.texts.hits(text.as_bytes()) {
            let Some(by_text) = search.by_text.get(found.text) else {
                continue;
            };
            if hits.is_first(found.text) {
                hits.add(&by_text.anywhere);
            }
            if found.begin == 0 {
                hits.add(&by_text.at_begin);
            }
            if found.end == text.len() {
                hits.add(&by_text.at_end);
            }
        }
    }

    fn find_number(&self, number: Number, written: &impl std::fmt::Display, hits: &mut Hits) {
        hits.add_found(self.spelled.get(&bits(number)));
        hits.add_found(self.numbers.get(&bits(number)));
        if self.search.is_some() {
            let mut text = std::mem::take(&mut hits.buffer);
            text.clear();
            // Writing to a string cannot fail.
            let is_written = write!(text, "{written}");
            debug_assert!(is_written.is_ok());
            self.search_in(&text, hits);
            hits.buffer = text;
        }
    }

    fn find_address(&self, text: &str, hits: &mut Hits) {
        if self.networks.is_empty() {
            return;
        }
        let Some(address) = networks::address(text) else {
            return;
        };
        for prefix in &self.prefixes {
            if let Ok(network) = IpNet::new(address, *prefix) {
                hits.add_found(self.networks.get(&network.trunc()));
            }
        }
    }
}

/// Filters that may hold for an event, each once.
#[derive(Clone, Default)]
pub struct Hits {
    /// By number: in which turn it was found last.
    turns: Vec<u64>,
    turn: u64,
    found: Numbers,
    /// By place of a text: in which search it was found last. It may occur thousands of times, and
    /// thousands of filters may ask for it.
    searches: Vec<u64>,
    search: u64,
    /// Memory for a value's text.
    buffer: String,
}

impl Hits {
    /// Of so many filters.
    pub fn of(filters: usize) -> Hits {
        Hits {
            turns: vec![0; filters],
            ..Hits::default()
        }
    }

    /// Forgets what was found.
    pub fn clear(&mut self) {
        self.turn += 1;
        self.found.clear();
    }

    /// Adds these.
    pub fn add(&mut self, numbers: &[u32]) {
        for number in numbers {
            if let Some(turn) = self.turns.get_mut(*number as usize)
                && *turn != self.turn
            {
                *turn = self.turn;
                self.found.push(*number);
            }
        }
    }

    /// Begins to search for so many texts in a value.
    fn begin_search(&mut self, texts: usize) {
        self.search += 1;
        if self.searches.len() < texts {
            self.searches.resize(texts, 0);
        }
    }

    /// Whether this text was not found before in this search.
    fn is_first(&mut self, place: usize) -> bool {
        let search = self.search;
        let known = self.searches.get_mut(place);
        known.is_some_and(|known| std::mem::replace(known, search) != search)
    }

    fn add_found(&mut self, numbers: Option<&Numbers>) {
        if let Some(numbers) = numbers {
            self.add(numbers);
        }
    }

    /// All that were found, in order.
    pub fn sorted(&mut self) -> &[u32] {
        self.found.sort_unstable();
        &self.found
    }
}

fn push(numbers: &mut Numbers, number: u32) {
    if numbers.last() != Some(&number) {
        numbers.push(number);
    }
}

/// Whether it has a letter that regular expressions take for one of ASCII.
fn has_folded(text: &str) -> bool {
    let is_there = |(char, _): &(char, char)| text.contains(*char);
    !text.is_ascii() && FOLDED.iter().any(is_there)
}

/// Equal for numbers that are equal.
fn bits(number: Number) -> u64 {
    // Zero has no sign.
    (number.as_f64() + 0.0).to_bits()
}

/// The beginning of a text, as much as is searched for.
fn head(text: &str) -> &str {
    let mut ends = (0..=SEARCHED_MAX.min(text.len())).rev();
    ends.find_map(|end| text.get(..end)).unwrap_or_default()
}

/// The end of a text, as much as is searched for.
fn tail(text: &str) -> &str {
    let mut begins = text.len().saturating_sub(SEARCHED_MAX)..=text.len();
    begins
        .find_map(|begin| text.get(begin..))
        .unwrap_or_default()
}
