//! `watchfire events`: what the decoder makes of files, for those who write rules.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};

use super::screen;
use crate::decode::{Decoded, Decoder, Refused, Reject};
use crate::escape;
use crate::event::{Attribute, Attributes, Event, Value};
use crate::io::files::{self, Listing, Reading};
use crate::normalise;
use crate::rule::Filter;
use crate::time;

/// The longest part of a refused record that is shown, in bytes.
const SHOWN_MAX: usize = 300;

/// Show what the decoder makes of files: one JSON line for each record, with its attributes or
/// why it was refused.
///
/// For those who write rules: the names shown are those that filters use. Reads NDJSON, envelopes
/// ({"records":[..]}), single JSON documents and what Event Hubs Capture writes (Avro), plain or
/// packed with gzip or zstd. A file's content says which it is, not its name.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Files and directories to read; of directories, with their subdirectories, all that is called
    /// .json, .ndjson, .jsonl or .avro, or so with .gz or .zst behind.
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,

    /// Show only the events that pass this filter, written as in a rule's `where`.
    #[arg(long = "where", value_name = "FILTER")]
    pub filter: Option<String>,

    /// A file that cannot be read, or not to its end, is an error, instead of being named and
    /// passed over.
    #[arg(long)]
    pub strict: bool,
}

/// Runs the command. Exit code 2 for a filter with an error.
///
/// # Errors
///
/// There is nothing to read, the lines cannot be written, or with `--strict` a file not be read.
pub fn run(args: &Args) -> Result<ExitCode> {
    let mut attributes = normalise::all();
    let filter = match &args.filter {
        None => None,
        Some(text) => match Filter::parse(text, &mut attributes) {
            Ok(filter) => Some(filter),
            Err(error) => {
                let (column, message) = (error.offset + 1, &error.message);
                screen::err(format_args!("--where: column {column}: {message}\n"));
                return Ok(ExitCode::from(2));
            }
        },
    };
    let passes = filter
        .as_ref()
        .map(|filter| |event: &Event<'_>| filter.matches(event));
    let passes = passes
        .as_ref()
        .map(|passes| passes as &dyn Fn(&Event<'_>) -> bool);
    let mut out = screen::stdout();
    let listing = files::list(&args.paths)?;
    listing.check(args.strict)?;
    let filter = Shown {
        attributes: &attributes,
        filter: passes,
    };
    let summary = write_lines(&listing, &filter, args.strict, &mut out)?;
    out.flush()?;
    let unreadable = files::note(
        "not read, or not to the end",
        summary.unreadable.len(),
        &summary.unreadable,
    );
    for note in listing.notes().iter().chain(&unreadable) {
        screen::err(format_args!("{}\n", escape::value(note)));
    }
    screen::err(format_args!(
        "{} events, {} shown, {} records refused\n",
        summary.events, summary.shown, summary.refused
    ));
    Ok(ExitCode::SUCCESS)
}

/// What was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Summary {
    /// Records that became an event.
    events: u64,
    /// Events that passed the filter, if there is one.
    shown: u64,
    /// Records that were refused.
    refused: u64,
    /// Files that could not be read, or not to their end, and why.
    unreadable: Vec<String>,
}

/// What is shown of events.
struct Shown<'s> {
    /// The attributes.
    attributes: &'s Attributes,
    /// Which events; it may use these attributes alone.
    filter: Option<&'s dyn Fn(&Event<'_>) -> bool>,
}

/// Writes one JSON line to `out` for each record of the files: its time and its attributes, or why
/// it was refused. With a filter, only events that pass it.
fn write_lines(
    listing: &Listing,
    wanted: &Shown<'_>,
    strict: bool,
    out: &mut dyn Write,
) -> Result<Summary> {
    let decoder = Decoder::new(wanted.attributes);
    let mut summary = Summary::default();
    // Lines come out all the time: no need to show how far it is.
    let reading = Reading::default();
    for path in &listing.files {
        let unreadable = files::messages(path, &reading, &mut |message| {
            wanted.write(&decoder, &message, &mut summary, out)
        })?;
        match unreadable {
            Some(error) if strict => return Err(error).context("--strict: a file cannot be read"),
            Some(error) => summary.unreadable.push(format!("{error:#}")),
            None => (),
        }
    }
    Ok(summary)
}

impl Shown<'_> {
    /// Writes the lines of a message.
    fn write(
        &self,
        decoder: &Decoder,
        message: &files::Message<'_>,
        summary: &mut Summary,
        out: &mut dyn Write,
    ) -> Result<()> {
        if message.is_too_large {
            let too_large = Decoded {
                index: 0,
                bytes: message.bytes,
                outcome: Err(&Refused::one(Reject::MessageTooLarge, String::new())),
            };
            return self.write_record(message, &too_large, summary, out);
        }
        let mut written = Ok(());
        decoder.decode(message.bytes, message.timestamp, &mut |decoded| {
            if written.is_ok() {
                written = self.write_record(message, &decoded, summary, out);
            }
        });
        written
    }

    fn write_record(
        &self,
        message: &files::Message<'_>,
        decoded: &Decoded<'_, '_>,
        summary: &mut Summary,
        out: &mut dyn Write,
    ) -> Result<()> {
        match decoded.outcome {
            Ok(event) => {
                summary.events += 1;
                if self.filter.is_none_or(|filter| filter(event)) {
                    summary.shown += 1;
                    write_event(event, self.attributes, out)?;
                }
            }
            Err(refused) => {
                summary.refused += refused.count();
                if self.filter.is_none() {
                    let shown = decoded.bytes.get(..SHOWN_MAX).unwrap_or(decoded.bytes);
                    let line = serde_json::json!({
                        "reject": refused.reason.reason(),
                        "explanation": refused.to_string(),
                        "file": message.path.to_string_lossy(),
                        "line": message.line + 1,
                        "index": decoded.index,
                        "record": String::from_utf8_lossy(shown),
                    });
                    writeln!(out, "{line}")?;
                }
            }
        }
        Ok(())
    }
}

/// One line: the time, then what the event has of the attributes, in their order.
fn write_event(event: &Event<'_>, attributes: &Attributes, out: &mut dyn Write) -> Result<()> {
    write!(out, "{{\"time\":\"{}\"", time::rfc3339(event.time))?;
    for (name, value) in values(event, attributes) {
        write!(out, ",{}:{value}", serde_json::Value::from(name))?;
    }
    writeln!(out, "}}")?;
    Ok(())
}

/// What the event has of the attributes, by their names. The text of the whole record is left out.
pub fn values(event: &Event<'_>, attributes: &Attributes) -> Vec<(String, serde_json::Value)> {
    let all = attributes.list().iter().zip(&event.values);
    all.filter(|(attribute, _)| **attribute != Attribute::Named("rawEventMsg"))
        .filter_map(|(attribute, value)| Some((attribute.to_string(), json(value.as_ref()?))))
        .collect()
}

fn json(value: &Value<'_>) -> serde_json::Value {
    match value {
        Value::Text(text) => text.as_ref().into(),
        Value::Integer(number) => (*number).into(),
        Value::Float(number) => (*number).into(),
        Value::Bool(truth) => (*truth).into(),
        Value::Many(values) => values.iter().map(json).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines for a file with `content`, and how many events, shown and refused.
    fn check(
        content: impl AsRef<[u8]>,
        filter: Option<&dyn Fn(&Event<'_>) -> bool>,
        lines: &[&str],
        counts: (u64, u64, u64),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("in.ndjson");
        std::fs::write(&path, content).unwrap();
        let mut out = Vec::new();
        let listing = files::list(&[path]).unwrap();
        let attributes = &normalise::all();
        let wanted = Shown { attributes, filter };
        let summary = write_lines(&listing, &wanted, true, &mut out).unwrap();
        let text = String::from_utf8(out)
            .unwrap()
            .replace(&folder.path().display().to_string(), "");
        assert_eq!(text.lines().collect::<Vec<_>>(), lines);
        assert_eq!((summary.events, summary.shown, summary.refused), counts);
    }

    const CONTENT: &str = concat!(
        r#"{"time":"2026-01-02T03:04:05Z","operationName":"Microsoft.Compute/a/ACTION"}"#,
        "\n",
        r#"{"records":[{"TimeGenerated":"2026-01-02T03:04:06.7899Z","Caller":"a@b.c"},7]}"#,
        "\n",
    );

    #[test]
    fn events_and_rejects() {
        let first = concat!(
            r#"{"time":"2026-01-02T03:04:05.000Z","eventType":"MS_EvtHub_compute_a_action","#,
            r#""opName":"Microsoft.Compute/a/ACTION"}"#
        );
        let second = r#"{"time":"2026-01-02T03:04:06.789Z","user":"a@b.c"}"#;
        let refused = concat!(
            r#"{"explanation":"a record must be a JSON object; this is another value","#,
            r#""file":"/in.ndjson","index":1,"line":2,"record":"7","reject":"not-an-object"}"#
        );
        check(CONTENT, None, &[first, second, refused], (2, 2, 1));
        check(
            CONTENT,
            Some(&|event| event.time % 1000 != 0),
            &[second],
            (2, 1, 1),
        );
    }

    #[test]
    fn a_capture_dates_records_without_time() {
        let record = r#"{"Caller":"a@b.c"}"#;
        let refused = concat!(
            r#"{"explanation":"neither the record nor its message says when it happened","#,
            r#""file":"/in.ndjson","index":0,"line":1,"record":"{\"Caller\":\"a@b.c\"}","#,
            r#""reject":"no-time"}"#
        );
        let shown = r#"{"time":"2019-03-22T13:02:03.000Z","user":"a@b.c"}"#;
        let captured = files::tests::capture(
            apache_avro::Codec::Null,
            &[&[("3/22/2019 1:02:03 PM", Some(record))]],
        );
        check(record, None, &[refused], (0, 0, 1));
        check(captured, None, &[shown], (1, 1, 0));
    }
}
