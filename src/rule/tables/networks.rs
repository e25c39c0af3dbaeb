//! Tables in CSV: a header line, then a row for each network. Of several networks that have an
//! address in them the closest counts.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::event::Value;
use crate::rule::bounds::{COLUMNS_MAX, FILE_ERRORS_MAX};
use crate::rule::nearest::shown;
use crate::rule::networks::{self, Written};

/// Networks that the ranges of one table are made of, at most, beside its rows.
const RANGES_MAX: usize = 10_000_000;

/// What is wrong with a table, and where.
#[derive(Debug, PartialEq, Eq)]
pub struct Fault {
    /// From 1.
    pub line: usize,
    /// What was found, and what was expected.
    pub message: String,
}

impl Fault {
    fn new(line: usize, message: impl Into<String>) -> Fault {
        Fault {
            line,
            message: message.into(),
        }
    }
}

/// A table by networks.
#[derive(Debug)]
pub struct Networks {
    /// Names of the columns.
    columns: Vec<String>,
    /// The fields of all rows, one behind the other.
    texts: String,
    /// Where each field ends in that.
    ends: Vec<u32>,
    /// Of IPv4 and of IPv6, in order: from where on which row counts, or none.
    v4: Vec<(u128, Option<u32>)>,
    v6: Vec<(u128, Option<u32>)>,
}

/// Addresses from the first to the last that a row is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Span {
    first: u128,
    /// The greater the span the sooner it stands, of those that begin alike.
    last_turned: u128,
    row: u32,
}

impl Span {
    fn last(self) -> u128 {
        !self.last_turned
    }
}

impl Networks {
    /// The table in the bytes of a file.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with them.
    pub fn of(bytes: &[u8]) -> Result<Networks, Vec<Fault>> {
        if let Err(error) = simdutf8::compat::from_utf8(bytes) {
            let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
            let line = memchr::memchr_iter(b'\n', before).count() + 1;
            return Err(vec![Fault::new(line, "not UTF-8 text: save it as UTF-8")]);
        }
        let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
        let mut reader = csv::ReaderBuilder::new()
            .trim(csv::Trim::All)
            .from_reader(bytes);
        let columns = match reader.headers() {
            Ok(header) => header.iter().map(str::to_owned).collect(),
            Err(error) => return Err(vec![not_csv(&error)]),
        };
        let mut reading = Reading::of(columns)?;
        let mut record = csv::StringRecord::new();
        loop {
            match reader.read_record(&mut record) {
                Ok(false) => break,
                Ok(true) => reading.row(&record),
                Err(error) => reading.faults.push(not_csv(&error)),
            }
            if reading.faults.len() >= FILE_ERRORS_MAX {
                break;
            }
        }
        reading.table()
    }

    /// Names of its columns.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(String::as_str)
    }

    /// The place of a column.
    pub fn column(&self, name: &str) -> Option<usize> {
        let mut columns = self.columns.iter();
        columns.position(|known| known.eq_ignore_ascii_case(name))
    }

    /// What the closest network with this address says; `None`: nothing.
    pub fn value(&self, address: IpAddr, column: usize) -> Option<Value<'_>> {
        let (bounds, number) = match address {
            IpAddr::V4(address) => (&self.v4, u128::from(u32::from(address))),
            IpAddr::V6(address) => (&self.v6, u128::from(address)),
        };
        let after = bounds.partition_point(|(first, _)| *first <= number);
        let (_, row) = bounds.get(after.checked_sub(1)?)?;
        let text = self.field((*row)?, column)?;
        (!text.is_empty()).then(|| Value::Text(text.into()))
    }

    fn field(&self, row: u32, column: usize) -> Option<&str> {
        let place = usize::try_from(row).ok()? * self.columns.len() + column;
        let end = |place: usize| {
            self.ends
                .get(place)
                .and_then(|end| usize::try_from(*end).ok())
        };
        let begin = match place.checked_sub(1) {
            None => 0,
            Some(before) => end(before)?,
        };
        self.texts.get(begin..end(place)?)
    }
}

/// A table while its rows are read.
struct Reading {
    table: Networks,
    /// Of IPv4, and of IPv6.
    spans: [Vec<Span>; 2],
    lines: Vec<u32>,
    of_ranges: usize,
    faults: Vec<Fault>,
}

impl Reading {
    fn of(columns: Vec<String>) -> Result<Reading, Vec<Fault>> {
        let message = if columns.len() < 2 || columns.iter().any(String::is_empty) {
            "the first line names the columns, each of them: the network, and what is known of it"
                .to_owned()
        } else if columns.len() > COLUMNS_MAX {
            let found = columns.len();
            format!("a table has at most {COLUMNS_MAX} columns, found {found}")
        } else {
            return Ok(Reading {
                table: Networks {
                    columns,
                    texts: String::new(),
                    ends: Vec::new(),
                    v4: Vec::new(),
                    v6: Vec::new(),
                },
                spans: [Vec::new(), Vec::new()],
                lines: Vec::new(),
                of_ranges: 0,
                faults: Vec::new(),
            });
        };
        Err(vec![Fault::new(1, message)])
    }

    fn row(&mut self, record: &csv::StringRecord) {
        let line = record.position().map_or(1, csv::Position::line);
        let key = record.get(0).unwrap_or_default();
        let row = u32::try_from(self.lines.len()).unwrap_or(u32::MAX);
        let line = usize::try_from(line).unwrap_or(1);
        match networks::read(key) {
            Written::Network(network) => self.add(network.trunc(), row),
            Written::Range(..) => {
                for network in networks::of(key) {
                    self.of_ranges += 1;
                    if self.of_ranges > RANGES_MAX {
                        let message = "the ranges of this table are made of too many networks";
                        return self.faults.push(Fault::new(line, message));
                    }
                    self.add(network, row);
                }
            }
            Written::Wrong(why) => self.faults.push(Fault::new(line, why)),
            Written::Text => {
                let message = format!(
                    "expected a network such as 198.51.100.0/24 in the first column, found `{}`",
                    shown(key)
                );
                self.faults.push(Fault::new(line, message));
            }
        }
        self.lines.push(u32::try_from(line).unwrap_or(u32::MAX));
        for field in record {
            self.table.texts.push_str(field);
            let end = u32::try_from(self.table.texts.len()).unwrap_or(u32::MAX);
            self.table.ends.push(end);
        }
    }

    fn add(&mut self, network: IpNet, row: u32) {
        let number = |address: IpAddr| match address.to_canonical() {
            IpAddr::V4(address) => u128::from(u32::from(address)),
            IpAddr::V6(address) => u128::from(address),
        };
        let place = usize::from(!network.network().to_canonical().is_ipv4());
        if let Some(spans) = self.spans.get_mut(place) {
            spans.push(Span {
                first: number(network.network()),
                last_turned: !number(network.broadcast()),
                row,
            });
        }
    }

    fn table(mut self) -> Result<Networks, Vec<Fault>> {
        for spans in &mut self.spans {
            spans.sort_unstable();
            let twins = spans.iter().zip(spans.iter().skip(1));
            let twins = twins.filter(|(one, other)| {
                (one.first, one.last_turned) == (other.first, other.last_turned)
            });
            for (one, other) in twins.take(FILE_ERRORS_MAX) {
                let line = |span: &Span| {
                    let line = usize::try_from(span.row).ok();
                    let line = line.and_then(|row| self.lines.get(row)).copied();
                    usize::try_from(line.unwrap_or(1)).unwrap_or(1)
                };
                let message = format!("this network is already that of line {}", line(one));
                self.faults.push(Fault::new(line(other), message));
            }
        }
        if !self.faults.is_empty() {
            self.faults.sort_by_key(|fault| fault.line);
            self.faults.truncate(FILE_ERRORS_MAX);
            return Err(self.faults);
        }
        let [v4, v6] = &self.spans;
        self.table.v4 = bounds(v4);
        self.table.v6 = bounds(v6);
        Ok(self.table)
    }
}

/// From where on which row counts: that of the least span that an address lies in. Of two spans one
/// is within the other, or they have nothing in common, as networks are.
fn bounds(spans: &[Span]) -> Vec<(u128, Option<u32>)> {
    let mut bounds: Vec<(u128, Option<u32>)> = Vec::new();
    let mut open: Vec<Span> = Vec::new();
    for span in spans {
        close(&mut open, Some(span.first), &mut bounds);
        set(&mut bounds, span.first, Some(span.row));
        open.push(*span);
    }
    close(&mut open, None, &mut bounds);
    bounds.shrink_to_fit();
    bounds
}

/// Ends the spans that end before `next`: what is around them counts again.
fn close(open: &mut Vec<Span>, next: Option<u128>, bounds: &mut Vec<(u128, Option<u32>)>) {
    while let Some(inner) = open.last().copied() {
        if next.is_some_and(|next| next <= inner.last()) {
            return;
        }
        open.pop();
        if let Some(after) = inner.last().checked_add(1) {
            set(bounds, after, open.last().map(|around| around.row));
        }
    }
}

fn set(bounds: &mut Vec<(u128, Option<u32>)>, from: u128, row: Option<u32>) {
    match bounds.last_mut() {
        Some((last, known)) if *last == from => *known = row,
        Some(_) | None => bounds.push((from, row)),
    }
}

fn not_csv(error: &csv::Error) -> Fault {
    let line = error.position().map_or(1, csv::Position::line);
    let message = if let csv::ErrorKind::UnequalLengths {
        expected_len, len, ..
    } = error.kind()
    {
        format!("expected {expected_len} fields, as in the first line, found {len}")
    } else {
        format!("not CSV: {error}")
    };
    Fault::new(usize::try_from(line).unwrap_or(1), message)
}
