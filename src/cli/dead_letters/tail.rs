//! `watchfire dead-letters tail`: why records were refused, where they stood, and their bytes.

use std::ops::ControlFlow;
use std::process::ExitCode;

use anyhow::Result;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use clap::ValueEnum;
use console::truncate_str;
use serde_json::{Value, json};

use super::Chosen;
use crate::cli::settings::{Settings, USAGE};
use crate::cli::tail::say_other;
use crate::cli::{log, screen, table};
use crate::detect::Letterhead;
use crate::escape;
use crate::io::kafka::client::Health;
use crate::io::kafka::tail::{self, Begin, Published, Range};
use crate::io::kafka::topics::Names;
use crate::time::rfc3339;

/// The flags of `dead-letters tail`.
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(flatten)]
    chosen: Chosen,
    /// Where to begin: with the oldest that the topic holds, or, with --follow, with the next one.
    #[arg(long, value_enum, default_value_t = From::Beginning)]
    from: From,
    /// Go on at the end of the topic, and show what comes.
    #[arg(long)]
    follow: bool,
    /// End after so many.
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// A JSON object a line, with all bytes: as `text`, or as `base64` where they are not UTF-8.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: Settings,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum From {
    Beginning,
    End,
}

/// Shows dead letters.
pub fn run(args: &Args) -> Result<ExitCode> {
    if args.from == From::End && !args.follow {
        let problem = "--from end shows what comes from now on: it needs --follow".to_owned();
        screen::errors([&problem]);
        return Ok(ExitCode::from(USAGE));
    }
    let config = match args.settings.load() {
        Ok(config) => config,
        Err(code) => return Ok(code),
    };
    log::start_at("warn", false)?;
    let range = Range {
        begin: match args.from {
            From::Beginning => Begin::Oldest,
            From::End => Begin::Next,
        },
        until_end: !args.follow,
    };
    let topic = Names::of(&config.app).dead_letters;
    let width = table::width_of_stdout();
    let mut left = args.limit.unwrap_or(u64::MAX);
    if left == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    tail::tail(
        &config,
        &Health::of(&config),
        &topic,
        range,
        &mut |message| {
            let Some(head) = read(message).filter(|head| args.chosen.has(head)) else {
                return Ok(ControlFlow::Continue(()));
            };
            match args.json {
                true => screen::out(format_args!("{}\n", as_json(&head, message)))?,
                false => screen::out(format_args!("{}", as_text(&head, message, width)))?,
            }
            left -= 1;
            Ok(match left {
                0 => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            })
        },
    )?;
    Ok(ExitCode::SUCCESS)
}

/// What a message says of itself; if it is no dead letter, that is said.
fn read(message: &Published) -> Option<Letterhead> {
    let read = Letterhead::read(&message.headers);
    read.map_err(|why| say_other(message, "a dead letter", &why))
        .ok()
}

/// Three lines of at most `width` columns.
fn as_text(head: &Letterhead, message: &Published, width: usize) -> String {
    let Letterhead {
        reason,
        explanation,
        topic,
        partition,
        offset,
        index,
        records,
        cut,
    } = head;
    let time = message.time.map_or_else(|| "-".to_owned(), rfc3339);
    let records = counted(*records, "record");
    let bytes = counted(message.value.len() as u64, "byte");
    let cut = if *cut { ", cut" } else { "" };
    let first =
        format!("{time}  {reason}  {topic}/{partition}/{offset}/{index}  {records}, {bytes}{cut}");
    let mut shown = escape::bytes(beginning(&message.value, width));
    if message.value.len() > width {
        shown.push('…');
    }
    let lines = [
        escape::value(&first).into_owned(),
        format!("  {}", escape::value(explanation)),
        format!("  {shown}"),
    ];
    let lines = lines.map(|line| truncate_str(&line, width, "…").into_owned() + "\n");
    lines.concat()
}

/// The first bytes, at most `length`, without the half of a character that the cut leaves.
fn beginning(bytes: &[u8], length: usize) -> &[u8] {
    let Some(cut) = bytes.get(..length) else {
        return bytes;
    };
    match std::str::from_utf8(cut) {
        Err(error) if error.error_len().is_none() => cut.get(..error.valid_up_to()).unwrap_or(cut),
        Ok(_) | Err(_) => cut,
    }
}

fn counted(number: u64, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}

/// All of it.
fn as_json(head: &Letterhead, message: &Published) -> Value {
    let Letterhead {
        reason,
        explanation,
        topic,
        partition,
        offset,
        index,
        records,
        cut,
    } = head;
    let mut object = json!({
        "time": message.time.map(rfc3339),
        "dead_letter_partition": message.partition,
        "dead_letter_offset": message.offset,
        "reason": reason,
        "explanation": explanation,
        "topic": topic,
        "partition": partition,
        "offset": offset,
        "index": index,
        "records": records,
        "cut": cut,
        "bytes": message.value.len(),
    });
    let (name, value) = match std::str::from_utf8(&message.value) {
        Ok(text) => ("text", text.to_owned()),
        Err(_) => ("base64", BASE64_STANDARD.encode(&message.value)),
    };
    if let Some(fields) = object.as_object_mut() {
        fields.insert(name.to_owned(), value.into());
    }
    object
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(value: &[u8]) -> (Letterhead, Published) {
        let head = Letterhead {
            reason: "not-json".to_owned(),
            explanation: "the record is not JSON".to_owned(),
            topic: "logs\u{1b}[2J".to_owned(),
            partition: 3,
            offset: 7,
            index: 1,
            records: 2,
            cut: false,
        };
        let message = Published {
            partition: 0,
            offset: 9,
            time: Some(7),
            key: Vec::new(),
            value: value.to_vec(),
            headers: Vec::new(),
        };
        (head, message)
    }

    #[test]
    fn lines_are_escaped_and_cut() {
        fn check(value: &[u8], width: usize, expected: &str) {
            let (head, message) = letter(value);
            let text = as_text(&head, &message, width);
            assert_eq!(text.lines().nth(2), Some(expected));
            assert_eq!(text.lines().count(), 3, "{text}");
        }
        check(b"{\"a\":\x1b\n\xff", 120, "  {\"a\":\\u001b\\n\\xff");
        check(&[b'x'; 500], 20, "  xxxxxxxxxxxxxxxxx…");
        let (head, message) = letter(b"{}");
        assert_eq!(
            as_text(&head, &message, 120).lines().next(),
            Some("1970-01-01T00:00:00.007Z  not-json  logs\\u001b[2J/3/7/1  2 records, 2 bytes")
        );
    }

    #[test]
    fn json_has_all_bytes() {
        let (head, message) = letter(b"\xff\x00");
        let object = as_json(&head, &message);
        assert_eq!(
            (&object["base64"], &object["bytes"]),
            (&"/wA=".into(), &2.into())
        );
        let (head, message) = letter(&"é".repeat(5_000).into_bytes());
        let object = as_json(&head, &message);
        assert_eq!(object["text"], "é".repeat(5_000));
        assert_eq!(object.get("base64"), None);
    }
}
