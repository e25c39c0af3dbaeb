//! The log: on stderr, at the level of `WATCHFIRE_LOG` (default: info), an event a line.
//!
//! As text a line is time, level, where it was said, the message, and `name=value` for what else
//! is known; as JSON the same with a list as a list. What was read can neither end a line nor act
//! on a terminal, and a log that nobody reads any more ends nothing.

use std::fmt::{self, Debug, Write as _};

use anyhow::{Result, anyhow};
use serde_json::{Map, Value, json};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use super::screen;
use crate::escape;
use crate::io::clock;
use crate::time::rfc3339;

/// Starts the log. `json`: one JSON object a line.
///
/// # Errors
///
/// `WATCHFIRE_LOG` cannot be read, or there is a log already.
pub fn start(json: bool) -> Result<()> {
    start_at("info", json)
}

/// Starts the log for a command whose own output matters more: `default` is the level where
/// `WATCHFIRE_LOG` says none.
///
/// # Errors
///
/// As [`start`].
pub fn start_at(default: &str, json: bool) -> Result<()> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the log starts before any configuration"
    )]
    let level = std::env::var("WATCHFIRE_LOG").unwrap_or_else(|_| default.to_owned());
    let filter = EnvFilter::try_new(&level)
        .map_err(|_| anyhow!("WATCHFIRE_LOG: expected a level such as info or debug"))?;
    let form = match json {
        true => Form::Json,
        false => Form::Text {
            colour: screen::has_coloured_stderr(),
        },
    };
    let started = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(screen::log_stderr)
        .event_format(form)
        .try_init();
    started.map_err(|error| anyhow!("the log could not be started: {error}"))?;
    if json {
        // What a thread says before it ends is a line like any other.
        std::panic::set_hook(Box::new(|panic| tracing::error!("{panic}")));
    }
    Ok(())
}

/// How a line is written.
enum Form {
    Text { colour: bool },
    Json,
}

impl<S, N> FormatEvent<S, N> for Form
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _context: &FmtContext<'_, S, N>,
        mut out: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let metadata = event.metadata();
        let mut said = Said {
            target: metadata.target().to_owned(),
            ..Said::default()
        };
        event.record(&mut said);
        let time = rfc3339(clock::now());
        match self {
            Form::Text { colour } => {
                let level = level(*metadata.level(), *colour);
                writeln!(out, "{time} {level} {}", said.text())
            }
            Form::Json => {
                let line = said.json(&time, metadata.level().as_str()).to_string();
                writeln!(out, "{}", escape::lines(&line))
            }
        }
    }
}

fn level(level: Level, colour: bool) -> String {
    let name = level.as_str();
    if !colour {
        return format!("{name:>5}");
    }
    let code = match level {
        Level::ERROR => 31,
        Level::WARN => 33,
        Level::INFO => 32,
        Level::DEBUG => 34,
        _ => 35,
    };
    format!("\u{1b}[{code}m{name:>5}\u{1b}[0m")
}

/// What an event says.
#[derive(Default)]
struct Said {
    target: String,
    message: String,
    /// In the order in which they are said.
    fields: Vec<(&'static str, Value)>,
}

impl Said {
    fn text(&self) -> String {
        let (target, message) = (escape::value(&self.target), escape::value(&self.message));
        let mut text = format!("{target}: {message}");
        for (name, value) in &self.fields {
            let value = shown(value);
            // Writing to a string does not fail.
            if write!(text, " {name}={}", escape::value(&value)).is_err() {
                text.push('?');
            }
        }
        text
    }

    fn json(self, time: &str, level: &str) -> Value {
        let message = ("message".to_owned(), Value::from(self.message));
        let fields = self.fields.into_iter();
        let fields = fields.map(|(name, value)| (name.to_owned(), value));
        let fields: Map<String, Value> = std::iter::once(message).chain(fields).collect();
        json!({ "timestamp": time, "level": level, "target": self.target, "fields": fields })
    }

    fn note(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("message", Value::String(message)) => self.message = message,
            // What libraries say through another crate for logs has its place in fields.
            ("log.target", Value::String(target)) => self.target = target,
            (name, _) if name.starts_with("log.") => (),
            (name, value) => self.fields.push((name, value)),
        }
    }
}

impl Visit for Said {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let text = format!("{value:?}");
        // Only what is a list itself is laid out in lines where that is asked for; a text that
        // looks like a list is not.
        let is_list = text == "[]" || text.starts_with('[') && format!("{value:#?}") != text;
        let list = is_list
            .then(|| serde_json::from_str(&with_json_escapes(&text)).ok())
            .flatten();
        self.note(field, list.unwrap_or(Value::String(text)));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.note(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.note(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.note(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.note(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.note(field, value.into());
    }
}

/// What `Debug` writes of a list of texts, with the escapes that JSON has.
fn with_json_escapes(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        out.push_str(before);
        let code = after
            .strip_prefix("u{")
            .and_then(|code| code.split_once('}'));
        let escaped = match code {
            Some((code, rest)) => Some((u32::from_str_radix(code, 16).ok(), rest)),
            None => match after.chars().next() {
                Some('\'') => Some((Some(u32::from('\'')), after.get(1..).unwrap_or_default())),
                Some('0') => Some((Some(0), after.get(1..).unwrap_or_default())),
                Some(_) | None => None,
            },
        };
        rest = match escaped {
            Some((code, rest)) => {
                let c = code.and_then(char::from_u32).unwrap_or('\u{fffd}');
                let quoted = Value::from(c.to_string()).to_string();
                out.push_str(quoted.trim_matches('"'));
                rest
            }
            None => {
                let end = after.chars().next().map_or(0, char::len_utf8);
                let (one, rest) = after.split_at(end);
                out.push('\\');
                out.push_str(one);
                rest
            }
        };
    }
    out + rest
}

/// A value as text: in quotes where one could not see its end.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => {
            let ends_early = |c: char| c.is_whitespace() || matches!(c, '"' | '=');
            match text.is_empty() || text.contains(ends_early) {
                true => format!("\"{}\"", text.replace('"', "\\\"")),
                false => text.clone(),
            }
        }
        Value::Array(list) => {
            let list: Vec<String> = list.iter().map(ToString::to_string).collect();
            format!("[{}]", list.join(", "))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex, PoisonError};

    use tracing_subscriber::fmt::MakeWriter;

    use super::*;

    #[derive(Clone, Default)]
    struct Memory(Arc<Mutex<Vec<u8>>>);

    impl Write for Memory {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            all.write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl MakeWriter<'_> for Memory {
        type Writer = Memory;

        fn make_writer(&self) -> Memory {
            self.clone()
        }
    }

    /// The lines of what `say` says, without their times.
    fn check(form: Form, say: fn(), expected: &[&str]) {
        let memory = Memory::default();
        let log = tracing_subscriber::fmt()
            .with_writer(memory.clone())
            .event_format(form)
            .finish();
        tracing::subscriber::with_default(log, say);
        let all = memory.0.lock().unwrap().clone();
        let text = String::from_utf8(all).unwrap();
        let time = regex::Regex::new(r"\d{4}-\d\d-\d\dT[\d:.]+Z ?").unwrap();
        let lines: Vec<_> = text.lines().map(|line| time.replace(line, "")).collect();
        assert_eq!(lines, expected);
    }

    fn say() {
        let (list, none) = (["a", "b \u{9b}"], [0; 0]);
        tracing::info!(target: "t", app = "x", "started");
        let plan = "[\"c\"]";
        tracing::warn!(target: "t", ?list, ?none, %plan, n = 1, ok = true, "lists");
        let reason = "two words\n::error::";
        tracing::error!(target: "t", reason, "es\u{1b}[31mc {}", "\u{202e}");
    }

    #[test]
    fn says_events_as_text() {
        let expected = [
            " INFO t: started app=x",
            " WARN t: lists list=[\"a\", \"b \\u009b\"] none=[] plan=\"[\\\"c\\\"]\" n=1 ok=true",
            "ERROR t: es\\u001b[31mc \\u202e reason=\"two words\\n::error::\"",
        ];
        check(Form::Text { colour: false }, say, &expected);
        let coloured = Form::Text { colour: true };
        let expected = ["\u{1b}[32m INFO\u{1b}[0m t: ready"];
        check(coloured, || tracing::info!(target: "t", "ready"), &expected);
    }

    #[test]
    fn says_events_as_json() {
        fn lists() {
            let list = ["a", "b c"];
            tracing::info!(target: "t", ?list, text = %"[1]", "lists\u{7f}");
        }
        let expected = [concat!(
            r#"{"fields":{"list":["a","b c"],"message":"lists\u007f","text":"[1]"},"#,
            r#""level":"INFO","target":"t","timestamp":""}"#,
        )];
        check(Form::Json, lists, &expected);
    }
}
