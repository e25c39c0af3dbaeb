//! `watchfire dead-letters replay`: what was refused is written to a topic again.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use super::Chosen;
use crate::cli::backtest::input::When;
use crate::cli::settings::{Settings, USAGE};
use crate::cli::{log, screen};
use crate::config::Config;
use crate::decode::{Decoder, Reject};
use crate::detect::Letterhead;
use crate::escape;
use crate::event::Attributes;
use crate::io::kafka::append::{Append, Entry};
use crate::io::kafka::client::{Health, START_PATIENCE};
use crate::io::kafka::tail::{Begin, Published, Range, Tail};
use crate::io::kafka::topics::Names;
use crate::io::progress::{Progress, Unit};
use crate::io::{clock, interrupt, kafka::topics};
use crate::time::{Millis, rfc3339};

/// Where some of what was asked for was left out.
const LEFT_OUT: u8 = 3;

/// What is written at once, at most, before the brokers must have it.
const ROUND_ENTRIES: usize = 1_000;
const ROUND_BYTES: usize = 8 << 20;

/// So many dead letters that are left out are named.
const NAMED_MAX: usize = 20;

/// The flags of `dead-letters replay`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The topic to write to, such as the source that the records came from.
    #[arg(long, value_name = "TOPIC")]
    to: String,
    #[command(flatten)]
    chosen: Chosen,
    /// Only those that were written since: 2026-11-01T00:00:00Z, 2026-11-01, now-24h.
    #[arg(long, value_name = "TIME", default_value = "earliest")]
    since: When,
    /// Only say what would be written.
    #[arg(long)]
    dry_run: bool,
    /// Write the summary as a JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: Settings,
}

/// Writes dead letters again.
pub fn run(args: &Args) -> Result<ExitCode> {
    let config = match args.settings.load() {
        Ok(config) => config,
        Err(code) => return Ok(code),
    };
    if let Some(problem) = refusal(&config, &args.to) {
        screen::errors([&problem]);
        return Ok(ExitCode::from(USAGE));
    }
    log::start(false)?;
    let health = Health::of(&config);
    let existing = topics::partitions(&config, &health, START_PATIENCE)?;
    if !existing.contains_key(&args.to) {
        bail!("topic {} does not exist on {}", args.to, health.brokers());
    }
    let mut replay = Replay {
        decoder: Decoder::with_limits(&Attributes::default(), config.decoding),
        append: match args.dry_run {
            true => None,
            false => Some(Append::to(&config, &health, &args.to)?),
        },
        waiting: Vec::new(),
        waiting_bytes: 0,
        last: None,
        found: Found::default(),
    };
    let stop = Arc::new(AtomicBool::new(false));
    interrupt::on_first({
        let stop = Arc::clone(&stop);
        move || stop.store(true, Ordering::Relaxed)
    })?;
    let done = replay.all(args, &config, &health, &stop);
    let found = &replay.found;
    let said = match args.json {
        true => format!("{}\n", found.json(args)),
        false => found.text(args),
    };
    for note in &found.notes {
        screen::err(format_args!("{}\n", escape::value(note)));
    }
    screen::out(format_args!("{said}"))?;
    done?;
    Ok(match (stop.load(Ordering::Relaxed), found.left_out()) {
        (true, _) => ExitCode::from(interrupt::EXIT_CODE),
        (false, 0) => ExitCode::SUCCESS,
        (false, _) => ExitCode::from(LEFT_OUT),
    })
}

/// Why nothing may be written to this topic.
fn refusal(config: &Config, topic: &str) -> Option<String> {
    let Names {
        matches,
        incidents,
        dead_letters,
        rules,
    } = Names::of(&config.app);
    let ours = [matches, incidents, dead_letters, rules];
    ours.iter().any(|ours| **ours == *topic).then(|| {
        format!(
            "--to {topic} is a topic that only workers write; expected one with records, such as \
             the source that they came from"
        )
    })
}

/// What was found, and what became of it.
#[derive(Debug, Default)]
struct Found {
    /// Dead letters that were asked for.
    letters: u64,
    /// Records in those that are written.
    records: u64,
    /// The messages that they are written as.
    messages: u64,
    /// The bytes of these.
    bytes: u64,
    /// Dead letters of several records that could not be told apart: a message each.
    together: u64,
    /// Dead letters that were cut.
    cut: u64,
    /// Messages that are no dead letters.
    others: u64,
    by_reason: BTreeMap<&'static str, u64>,
    /// Which were left out, the first ones.
    notes: Vec<String>,
    /// Where the command ended early: the time of the dead letters with which to go on.
    go_on: Option<Millis>,
}

impl Found {
    fn left_out(&self) -> u64 {
        self.cut + self.others
    }

    fn note(&mut self, note: String) {
        if self.notes.len() < NAMED_MAX {
            self.notes.push(note);
        }
    }

    fn json(&self, args: &Args) -> Value {
        json!({
            "to": args.to,
            "dry_run": args.dry_run,
            "letters": self.letters,
            "records": self.records,
            "messages": self.messages,
            "bytes": self.bytes,
            "kept_together": self.together,
            "left_out_cut": self.cut,
            "left_out_no_dead_letter": self.others,
            "by_reason": self.by_reason,
            "go_on_since": self.go_on.map(rfc3339),
        })
    }

    fn text(&self, args: &Args) -> String {
        let Found {
            letters,
            records,
            messages,
            bytes,
            together,
            ..
        } = self;
        let to = escape::value(&args.to);
        let done = if args.dry_run { "would be" } else { "were" };
        let mut lines = vec![format!(
            "{letters} dead letters; {records} records {done} written to {to} as {messages} \
             messages of {bytes} bytes"
        )];
        let reasons = self.by_reason.iter();
        lines.extend(reasons.map(|(reason, count)| format!("  {reason} {count}")));
        if *together > 0 {
            lines.push(format!(
                "{together} hold several records that cannot be told apart: one message each"
            ));
        }
        if self.left_out() > 0 {
            let (cut, others) = (self.cut, self.others);
            lines.push(format!(
                "left out: {cut} that were cut, {others} that are no dead letters"
            ));
        }
        if let Some(since) = self.go_on.map(rfc3339) {
            lines.push(format!("ended early; to go on: --since {since}"));
        }
        lines.join("\n") + "\n"
    }
}

/// A replay on its way.
struct Replay<'a> {
    decoder: Decoder,
    /// `None`: nothing is written.
    append: Option<Append<'a>>,
    waiting: Vec<Entry>,
    waiting_bytes: usize,
    /// The time of the last dead letter that is read.
    last: Option<Millis>,
    found: Found,
}

impl Replay<'_> {
    /// Reads all there is, and writes what was asked for.
    fn all(
        &mut self,
        args: &Args,
        config: &Config,
        health: &Arc<Health>,
        stop: &AtomicBool,
    ) -> Result<()> {
        let begin = match args.since.millis(clock::now()) {
            None => Begin::Oldest,
            Some(time) => Begin::At(time),
        };
        let range = Range {
            begin,
            until_end: true,
        };
        let topic = Names::of(&config.app).dead_letters;
        let tail = Tail::open(config, health, &topic, range)?;
        let mut progress = Progress::start("replaying", Unit::Messages, Some(tail.messages()));
        let read = tail.read(&mut |message| {
            if stop.load(Ordering::Relaxed) {
                return Ok(ControlFlow::Break(()));
            }
            progress.advance(1);
            self.take(&args.chosen, message)?;
            Ok(ControlFlow::Continue(()))
        });
        let done = read.and_then(|()| self.write());
        progress.finish();
        if done.is_err() || stop.load(Ordering::Relaxed) {
            // What waits still is not written, or not for certain.
            let unwritten = self.waiting.first().map(|entry| entry.time);
            self.found.go_on = unwritten.unwrap_or(self.last);
        }
        let messages = self.found.messages;
        done.with_context(|| format!("{messages} messages were written before"))
    }

    /// Takes a message of the topic of dead letters.
    fn take(&mut self, chosen: &Chosen, message: &Published) -> Result<()> {
        let head = match Letterhead::read(&message.headers) {
            Ok(head) => head,
            Err(why) => {
                let (partition, offset) = (message.partition, message.offset);
                let note =
                    format!("partition {partition} offset {offset}: not a dead letter: {why}");
                self.found.others += 1;
                self.found.note(note);
                return Ok(());
            }
        };
        if !chosen.has(&head) {
            return Ok(());
        }
        self.found.letters += 1;
        if head.cut {
            self.found.cut += 1;
            self.found.note(left_out(&head, message));
            return Ok(());
        }
        let pieces = match self.decoder.apart(&message.value, head.records) {
            Some(pieces) => pieces,
            None => {
                self.found.together += 1;
                vec![&message.value[..]]
            }
        };
        let entries = pieces.into_iter().map(|piece| Entry {
            time: message.time,
            value: piece.to_vec(),
        });
        let before = self.waiting.len();
        self.waiting.extend(entries);
        let more = self.waiting.get(before..).unwrap_or_default();
        let bytes: usize = more.iter().map(|entry| entry.value.len()).sum();
        self.waiting_bytes += bytes;
        self.found.records += head.records;
        *self.found.by_reason.entry(known(&head.reason)).or_default() += 1;
        self.last = message.time;
        match self.waiting.len() >= ROUND_ENTRIES || self.waiting_bytes >= ROUND_BYTES {
            true => self.write(),
            false => Ok(()),
        }
    }

    /// Writes what waits.
    fn write(&mut self) -> Result<()> {
        if let Some(append) = &mut self.append {
            append.write(&self.waiting)?;
        }
        self.found.messages += self.waiting.len() as u64;
        self.found.bytes += self.waiting_bytes as u64;
        self.waiting.clear();
        self.waiting_bytes = 0;
        Ok(())
    }
}

/// The reason, if this version knows it.
fn known(reason: &str) -> &'static str {
    let mut all = Reject::ALL.iter().map(|reject| reject.reason());
    all.find(|known| *known == reason).unwrap_or("other")
}

/// What is said of a dead letter that was cut.
fn left_out(head: &Letterhead, message: &Published) -> String {
    let Letterhead {
        topic,
        partition,
        offset,
        index,
        ..
    } = head;
    format!(
        "partition {} offset {}: cut, so not written; the whole record is in \
         {topic}/{partition}/{offset}/{index} as long as that keeps it",
        message.partition, message.offset
    )
}
