//! `watchfire events`: what the decoder makes of files and topics, for those who write rules.

mod lines;
mod summary;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhow::{Context as _, Result};

use super::backtest::input::{self, Input};
use super::screen;
use super::settings::{Connection, USAGE};
use crate::decode::{self, Decoder, Refused, Reject};
use crate::escape;
use crate::event::{Attributes, Event};
use crate::io::backtest::batch::Batch;
use crate::io::backtest::input::{Source, read};
use crate::io::backtest::topic::Cluster;
use crate::io::disk::files::{self, Reading};
use crate::io::{clock, disk::rule_files, interrupt};
use crate::normalise;
use crate::rule::Filter;
use crate::rule::own::Own;
use lines::Lines;
use summary::Summary;

pub use lines::values;
pub use summary::first_text;

/// Show what the decoder makes of files and topics: one JSON line for each record, with its
/// attributes or why it was refused; or with --summary what there is, by category.
///
/// For those who write rules: the names shown are those that filters use. Reads NDJSON, envelopes
/// ({"records":[..]}), single JSON documents and what Event Hubs Capture writes (Avro), plain or
/// packed with gzip or zstd. A file's content says which it is, not its name. A topic is read
/// without a consumer group: nothing of the brokers' is changed.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Files and directories to read, and topics: kafka://TOPIC?from=TIME&to=TIME; without from and
    /// to, all that the topic holds now. Of directories, with their subdirectories, all that is
    /// called .json, .ndjson, .jsonl or .avro, or so with .gz or .zst behind.
    #[arg(required = true, value_name = "PATH|kafka://TOPIC")]
    pub inputs: Vec<Input>,

    /// Files of attributes of your own, and directories of them.
    #[arg(long, num_args = 1.., value_name = "PATH")]
    pub attributes: Vec<PathBuf>,

    /// Only the events that pass this filter, written as in a rule's `where`.
    #[arg(long = "where", value_name = "FILTER")]
    pub filter: Option<String>,

    /// Count instead: by category how many records there are, how many have user, address, outcome
    /// and a time of their own, and which event types; what was refused, and not recognised.
    #[arg(long)]
    pub summary: bool,

    /// With --summary: as one JSON object, with all that is counted.
    #[arg(long, requires = "summary")]
    pub json: bool,

    /// Show the record itself as well, and where it stands.
    #[arg(long, conflicts_with = "summary")]
    pub raw: bool,

    /// A file that cannot be read, or not to its end, is an error, instead of being named and
    /// passed over.
    #[arg(long)]
    pub strict: bool,

    #[command(flatten)]
    connection: Connection,
}

/// Runs the command. Exit code 2 for a filter or a file of attributes with an error.
///
/// # Errors
///
/// There is nothing to read, the lines cannot be written, a topic cannot be read, or with
/// `--strict` a file not.
pub fn run(args: &Args) -> Result<ExitCode> {
    let own = match Own::parse(&rule_files::attributes(&args.attributes)?) {
        Ok(own) => Arc::new(own),
        Err(errors) => {
            screen::errors(&errors.iter().map(ToString::to_string).collect::<Vec<_>>());
            return Ok(ExitCode::from(USAGE));
        }
    };
    let mut attributes = normalise::all_with(own.names());
    let filter = match args.filter(&mut attributes) {
        Ok(filter) => filter,
        Err(code) => return Ok(code),
    };
    let cluster = match args.cluster() {
        Ok(cluster) => cluster,
        Err(code) => return Ok(code),
    };
    let (sources, listing) =
        input::sources(&args.inputs, cluster.as_ref(), clock::now(), args.strict)?;
    let reading = Arc::new(Reading::default());
    interrupt::on_first({
        let reading = Arc::clone(&reading);
        move || reading.stop.store(true, Ordering::Relaxed)
    })?;
    let mut out = screen::stdout();
    let mut counts = Counts::default();
    let mut summary = Summary::default();
    let unreadable = {
        let mut told = match args.summary {
            true => Told::Summary(&mut summary),
            false => Told::Lines(Lines::new(&mut out, args.raw)),
        };
        let decoder = Decoder::with_own(&attributes, decode::Limits::default(), &own);
        let shown = Shown {
            attributes: &attributes,
            filter: filter.as_ref(),
        };
        shown.read(&decoder, &sources, &reading, &mut counts, &mut told)?
    };
    if args.summary {
        summary.write(&counts, &unreadable, args.json, &mut out)?;
    }
    out.flush()?;
    if let (true, Some(error)) = (args.strict, unreadable.first()) {
        return Err(anyhow::anyhow!("{error}")).context("--strict: a file cannot be read");
    }
    let unread = files::note("not read, or not to the end", unreadable.len(), &unreadable);
    for note in listing.notes().iter().chain(&unread) {
        screen::err(format_args!("{}\n", escape::value(note)));
    }
    if !args.summary {
        screen::err(format_args!("{counts}\n"));
    }
    Ok(ExitCode::SUCCESS)
}

impl Args {
    fn filter(&self, attributes: &mut Attributes) -> Result<Option<Filter>, ExitCode> {
        let filter = self
            .filter
            .as_ref()
            .map(|text| Filter::parse(text, attributes));
        filter.transpose().map_err(|error| {
            let (column, message) = (error.offset + 1, &error.message);
            screen::err(format_args!("--where: column {column}: {message}\n"));
            ExitCode::from(USAGE)
        })
    }

    /// The brokers, where a topic is to be read.
    fn cluster(&self) -> Result<Option<Cluster>, ExitCode> {
        let reads_topic = self.inputs.iter().any(Input::is_topic);
        reads_topic.then(|| self.connection.cluster()).transpose()
    }
}

/// What was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    messages: u64,
    /// Records that became an event.
    events: u64,
    /// Events that passed the filter, if there is one.
    shown: u64,
    /// Records that were refused.
    refused: u64,
    /// Events of which nothing but a time is known.
    unrecognised: u64,
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Counts {
            events,
            shown,
            refused,
            unrecognised,
            messages: _,
        } = self;
        write!(
            f,
            "{events} events, {shown} shown, {refused} records refused"
        )?;
        match unrecognised {
            0 => Ok(()),
            some => write!(f, ", {some} events not recognised"),
        }
    }
}

/// Where a record stands.
struct At<'a> {
    source: &'a Source,
    partition: u32,
    /// A message's offset, a file's line from 0.
    offset: i64,
    /// From 0.
    index: u32,
    /// The record as received.
    bytes: &'a [u8],
}

/// As a person says it.
impl std::fmt::Display for At<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (name, index) = (self.source.name(), self.index);
        match self.source {
            Source::File(_) => write!(f, "{name}:{} record {index}", self.offset + 1),
            Source::Topic(_) => {
                let (partition, offset) = (self.partition, self.offset);
                write!(f, "{name}/{partition} offset {offset} record {index}")
            }
        }
    }
}

/// What becomes of records.
enum Told<'o> {
    Lines(Lines<'o>),
    Summary(&'o mut Summary),
}

/// What is looked at of events.
struct Shown<'s> {
    attributes: &'s Attributes,
    /// Which events; it may use these attributes alone.
    filter: Option<&'s Filter>,
}

impl Shown<'_> {
    /// Reads all sources. Gives back which files could not be read, or not to their end, and why.
    fn read(
        &self,
        decoder: &Decoder,
        sources: &[Source],
        reading: &Reading,
        counts: &mut Counts,
        told: &mut Told<'_>,
    ) -> Result<Vec<String>> {
        let mut unreadable = Vec::new();
        for (place, source) in sources.iter().enumerate() {
            let rest = read((place, source), reading, &mut |batch| {
                self.batch(decoder, source, batch, counts, told)
            })?;
            unreadable.extend(rest.map(|error| format!("{error:#}")));
        }
        Ok(unreadable)
    }

    fn batch(
        &self,
        decoder: &Decoder,
        source: &Source,
        batch: &mut Batch,
        counts: &mut Counts,
        told: &mut Told<'_>,
    ) -> Result<()> {
        for message in batch.messages() {
            counts.messages += 1;
            let at = |index, bytes| At {
                source,
                partition: batch.partition,
                offset: message.offset,
                index,
                bytes,
            };
            if message.is_too_large {
                let refused = Refused::one(Reject::MessageTooLarge, String::new());
                self.refused(&at(0, message.bytes), &refused, counts, told)?;
                continue;
            }
            let read = decoder.message(message.bytes, message.timestamp);
            let mut records = decoder.records(&read);
            while let Some(record) = records.next() {
                let at = at(record.index, record.bytes);
                match record.outcome {
                    Ok(event) => self.event(&at, event.whole(), counts, told)?,
                    Err(refused) => self.refused(&at, refused, counts, told)?,
                }
            }
        }
        batch.clear();
        Ok(())
    }

    fn event(
        &self,
        at: &At<'_>,
        event: &Event<'_>,
        counts: &mut Counts,
        told: &mut Told<'_>,
    ) -> Result<()> {
        counts.events += 1;
        counts.unrecognised += u64::from(!event.is_recognised);
        if self.filter.is_some_and(|filter| !filter.matches(event)) {
            return Ok(());
        }
        counts.shown += 1;
        match told {
            Told::Lines(lines) => lines.event(at, event, self.attributes),
            Told::Summary(summary) => {
                summary.event(at, event, self.attributes);
                Ok(())
            }
        }
    }

    fn refused(
        &self,
        at: &At<'_>,
        refused: &Refused,
        counts: &mut Counts,
        told: &mut Told<'_>,
    ) -> Result<()> {
        counts.refused += refused.count();
        match told {
            Told::Lines(_) if self.filter.is_some() => Ok(()),
            Told::Lines(lines) => lines.refused(at, refused),
            Told::Summary(summary) => {
                summary.refused(at, refused);
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests;
