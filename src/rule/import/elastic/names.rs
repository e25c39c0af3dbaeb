//! What the fields of a query are, and the tests of them.

use crate::rule::import::condition::{Filter, Is, Operand};
use crate::rule::import::dialect::Dialect;
use crate::rule::import::fields::{Field, Source, Table};
use crate::rule::import::pieces::{Piece, Pieces};

/// What a field is held against.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A text, perhaps with wildcards.
    Text(Pieces),
    /// A number.
    Number(String),
    /// A regular expression, which must match all of it; whether with letter case.
    Expression(String, bool),
    /// Anything.
    There,
    /// An operator and a number.
    Compared(&'static str, String),
    /// Another field.
    Field(String),
}

/// The names that a query uses, and what there is to say of them.
pub struct Names {
    table: Table,
    source: Source,
    /// Where what is asked is not exactly what was.
    pub warnings: Vec<String>,
    /// Whether the records were named that it is about.
    pub has_dataset: bool,
}

impl Names {
    /// Those of Elastic.
    pub fn new() -> Names {
        let table = Table::of(Dialect::Elastic);
        let source = table.source(&[]).cloned().unwrap_or_default();
        Names {
            table,
            source,
            warnings: Vec::new(),
            has_dataset: false,
        }
    }

    /// Says something, once.
    pub fn warn(&mut self, warning: String) {
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    /// The records of a data set; `azure.*` are those of several.
    pub fn dataset(&mut self, wanted: &Pieces) -> Filter {
        self.has_dataset = true;
        let exact = wanted.text();
        let means = |name: &str| match (&exact, &wanted.0[..]) {
            (Some(text), _) => text.eq_ignore_ascii_case(name),
            (None, [Piece::Text(start), Piece::Many]) => name.starts_with(start.as_str()),
            (None, _) => false,
        };
        let known: Vec<Filter> = self
            .table
            .datasets()
            .filter(|(name, _)| means(name))
            .map(|(_, filter)| Filter::Native(filter.to_owned()))
            .collect();
        if known.is_empty() {
            let shown: String = exact.unwrap_or_default().chars().take(60).collect();
            self.warn(format!(
                "the data set `{}` is none of Azure's",
                crate::escape::value(&shown)
            ));
        }
        Filter::Any(known)
    }

    /// A field by its name.
    ///
    /// # Errors
    ///
    /// It cannot be a path.
    pub fn field(&mut self, name: &str) -> Result<Field, String> {
        let name: String = name.chars().filter(|c| *c != '`').collect();
        let field = self.table.field(&self.source, &name)?;
        if let Some(warning) = &field.warning {
            self.warn(warning.clone());
        }
        if self.is_unsent(&name) {
            self.warn(format!(
                "Azure does not send {name}: a test of it does not hold"
            ));
        }
        Ok(field)
    }

    /// Whether a field is one that Elastic adds and Azure does not send.
    pub fn is_unsent(&self, name: &str) -> bool {
        self.table.is_unsent(name)
    }

    /// The test of a field.
    ///
    /// # Errors
    ///
    /// The language has none such.
    pub fn test(&mut self, name: &str, value: &Value) -> Result<Filter, String> {
        let plain: String = name.chars().filter(|c| *c != '`').collect();
        if plain == "data_stream.dataset" || plain == "event.dataset" {
            return match value {
                Value::Text(pieces) => Ok(self.dataset(pieces)),
                Value::There => Ok(Filter::always()),
                Value::Number(_)
                | Value::Expression(..)
                | Value::Compared(..)
                | Value::Field(_) => Err("a data set is named by a text".to_owned()),
            };
        }
        if self.table.is_implied(&plain) {
            self.warn(format!(
                "{plain} is not asked for: what else is asked for says it"
            ));
            return Ok(Filter::always());
        }
        if *value == Value::There && self.is_unsent(&plain) {
            self.warn(format!(
                "Azure does not send {plain}: whether it is there is not asked for"
            ));
            return Ok(Filter::always());
        }
        let field = self.field(&plain)?;
        Ok(match value {
            Value::Text(pieces) => match network(&field, pieces) {
                Some(network) => field.equal(network),
                None => pieces.test(&field),
            },
            Value::Number(number) => field.equal(Operand::Number(number.clone())),
            Value::Expression(text, cased) => {
                let flags = if *cased { "(?s-i)" } else { "(?s)" };
                let text = format!("{flags}^(?:{text})$");
                Filter::Test(field.part, Is::Matching(text))
            }
            Value::There => Filter::there(&field.part),
            Value::Compared(operator, number) => {
                Filter::Test(field.part, Is::Compared(operator, number.clone()))
            }
            Value::Field(other) => {
                let other = self.field(other)?;
                Filter::Test(field.part, Is::Same(other.part))
            }
        })
    }
}

/// A network, where one is compared with an address.
fn network(field: &Field, pieces: &Pieces) -> Option<Operand> {
    let text = pieces.text().filter(|text| text.contains('/'))?;
    field
        .part
        .ends_with("IpAddr")
        .then_some(Operand::Network(text))
}
