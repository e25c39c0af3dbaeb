//! Conditions: names, with `and`, `or`, `not`, parentheses, and `1 of selection_*`.

/// Parts within each other.
const DEPTH_MAX: usize = 50;

/// Words of a condition.
const WORDS_MAX: usize = 4_096;

/// A condition, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Logic {
    /// All of them hold.
    And(Vec<Logic>),
    /// One of them holds.
    Or(Vec<Logic>),
    /// It does not hold.
    Not(Box<Logic>),
    /// What is called so.
    Name(String),
    /// So many, or all, of those whose names are such.
    Of(Quantity, String),
}

/// How many of several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantity {
    /// All of them.
    All,
    /// At least so many.
    Least(usize),
}

/// Reads a condition.
///
/// # Errors
///
/// It is none.
pub fn parse(text: &str) -> Result<Logic, String> {
    if text.contains('|') {
        return Err(
            "aggregations behind `|` are of Sigma 1, and were taken out of it: write a correlation"
                .to_owned(),
        );
    }
    let spaced = text.replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    if words.len() > WORDS_MAX {
        return Err(format!("its condition has more than {WORDS_MAX} words"));
    }
    let mut parser = Parser {
        words: &words,
        place: 0,
    };
    let logic = parser.or(0)?;
    match parser.peek() {
        None => Ok(logic),
        Some(word) => Err(format!("condition: `{}` is not expected", shown(word))),
    }
}

/// Whether a name is one of those that a text with `*` means; `them` means all that do not begin
/// with `_`.
pub fn means(wanted: &str, name: &str) -> bool {
    if wanted == "them" {
        return !name.starts_with('_');
    }
    let mut parts = wanted.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else {
        return false;
    };
    let Some(last) = wanted.rsplit('*').next().filter(|_| wanted.contains('*')) else {
        return rest.is_empty();
    };
    let Some(middle) = rest.strip_suffix(last) else {
        return false;
    };
    rest = middle;
    let count = wanted.matches('*').count();
    parts
        .take(count.saturating_sub(1))
        .all(|part| match rest.find(part) {
            None => false,
            Some(place) => {
                rest = rest.get(place + part.len()..).unwrap_or_default();
                true
            }
        })
}

struct Parser<'t> {
    words: &'t [&'t str],
    place: usize,
}

impl<'t> Parser<'t> {
    fn peek(&self) -> Option<&'t str> {
        self.words.get(self.place).copied()
    }

    fn take(&mut self, word: &str) -> bool {
        let found = self
            .peek()
            .is_some_and(|next| next.eq_ignore_ascii_case(word));
        self.place += usize::from(found);
        found
    }

    fn or(&mut self, depth: usize) -> Result<Logic, String> {
        let mut parts = vec![self.and(depth)?];
        while self.take("or") {
            parts.push(self.and(depth)?);
        }
        Ok(one(parts).unwrap_or_else(Logic::Or))
    }

    fn and(&mut self, depth: usize) -> Result<Logic, String> {
        let mut parts = vec![self.part(depth)?];
        while self.take("and") {
            parts.push(self.part(depth)?);
        }
        Ok(one(parts).unwrap_or_else(Logic::And))
    }

    fn part(&mut self, depth: usize) -> Result<Logic, String> {
        if depth > DEPTH_MAX {
            return Err(format!(
                "its condition is nested more than {DEPTH_MAX} deep"
            ));
        }
        if self.take("not") {
            return Ok(Logic::Not(Box::new(self.part(depth + 1)?)));
        }
        if self.take("(") {
            let inner = self.or(depth + 1)?;
            return match self.take(")") {
                true => Ok(inner),
                false => Err("condition: a parenthesis is not closed".to_owned()),
            };
        }
        let Some(word) = self.peek() else {
            return Err("its condition ends where a name is expected".to_owned());
        };
        self.place += 1;
        if self.take("of") {
            let quantity = quantity(word)?;
            let Some(names) = self.peek() else {
                return Err("condition: nothing stands behind `of`".to_owned());
            };
            self.place += 1;
            return Ok(Logic::Of(quantity, names.to_owned()));
        }
        let is_word = ["and", "or", "of", ")"]
            .iter()
            .any(|known| word.eq_ignore_ascii_case(known));
        match is_word {
            true => Err(format!(
                "condition: `{word}` stands where a name is expected"
            )),
            false => Ok(Logic::Name(word.to_owned())),
        }
    }
}

fn quantity(word: &str) -> Result<Quantity, String> {
    match word.to_ascii_lowercase().as_str() {
        "all" => Ok(Quantity::All),
        "any" => Ok(Quantity::Least(1)),
        number => match number.parse() {
            Ok(number) if number > 0 => Ok(Quantity::Least(number)),
            _ => Err(format!("condition: `{} of` is not known", shown(word))),
        },
    }
}

fn one(mut parts: Vec<Logic>) -> Result<Logic, Vec<Logic>> {
    match parts.pop() {
        Some(only) if parts.is_empty() => Ok(only),
        last => {
            parts.extend(last);
            Err(parts)
        }
    }
}

/// A word, as errors show it.
fn shown(word: &str) -> String {
    let cut: String = word.chars().take(60).collect();
    crate::escape::value(&cut).into_owned()
}
