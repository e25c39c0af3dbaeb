//! `watchfire generate`: a realistic stream of events as a file, to try rules and backtests on.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;

use super::backtest::input::When;
use super::screen;
use crate::generate::{Generator, Options};
use crate::io::clock;
use crate::io::progress::{Progress, Unit};
use crate::time::Millis;

/// Event time of the first event, unless another is asked for. Fixed, so that a seed always gives
/// the same bytes.
const START: &str = "2026-03-01T09:00:00Z";

/// Write generated Azure events as NDJSON: one message, {"records":[..]}, a line.
///
/// The same options always give the same bytes, unless --start is told by the clock.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// How many records to write, at least.
    #[arg(long, default_value_t = 100_000)]
    records: u64,
    /// Which stream: another number, another stream.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// What is done in the stream.
    #[arg(long, value_enum, default_value_t = Kind::Busy)]
    kind: Kind,
    /// Records of commands run on virtual machines, in a million; of a busy stream.
    #[arg(long, value_name = "COUNT", default_value_t = 1000,
        value_parser = clap::value_parser!(u64).range(..=500_000))]
    commands_per_million: u64,
    /// Records a message has at most.
    #[arg(long, value_name = "COUNT", default_value_t = 50,
        value_parser = clap::value_parser!(u64).range(1..))]
    records_max: u64,
    /// Seconds after the stream's beginning at which one user runs commands on several machines.
    #[arg(long, value_name = "SECONDS",
        value_parser = clap::value_parser!(u32).range(1..))]
    attack_after: Option<u32>,
    /// Event time of the first event: a date, a date and time, now, or now-24h.
    #[arg(long, value_name = "TIME", default_value = START, value_parser = start)]
    start: When,
    /// Where to write; `-` is standard output.
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
}

/// What is done in a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Kind {
    /// Twenty records a second, of few kinds of operations.
    Busy,
    /// The weeks of a smaller company, 23,000 records each: all that the shipped rules look for is
    /// done for good reasons, too.
    Week,
}

impl Kind {
    fn options(self, start: Millis) -> Options {
        match self {
            Kind::Busy => Options::usual(start),
            Kind::Week => Options::week(start),
        }
    }
}

/// Runs the command.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let now = clock::now();
    let options = Options {
        commands_per_million: args.commands_per_million,
        records_max: args.records_max,
        attack_after_ms: args
            .attack_after
            .map(|seconds| Millis::from(seconds) * 1000),
        ..args.kind.options(args.start.millis(now).unwrap_or(now))
    };
    let stream = Generator::new(args.seed, options);
    if args.output.as_os_str() == "-" {
        let shows_progress = !screen::has_terminal();
        let out = screen::binary_stdout();
        write(stream, args.records, out, shows_progress).context("writing to standard output")?;
    } else {
        let name = args.output.display();
        let out = File::create(&args.output).with_context(|| {
            format!("cannot create {name}: choose an --output in a folder that can be written")
        })?;
        write(stream, args.records, out, true).with_context(|| format!("writing {name}"))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// A time at which a stream can begin.
fn start(text: &str) -> anyhow::Result<When> {
    match text.parse::<When>()? {
        When::Earliest => anyhow::bail!("a stream has no earliest beginning; say a time, or now"),
        when @ (When::Ago(_) | When::At(_)) => Ok(when),
    }
}

/// Writes messages until there are `wanted` records.
fn write(
    stream: Generator,
    wanted: u64,
    out: impl Write,
    shows_progress: bool,
) -> std::io::Result<()> {
    let mut out = BufWriter::with_capacity(1 << 20, out);
    let mut progress = shows_progress.then(|| Progress::start("generating", Unit::Bytes, None));
    let mut records = 0;
    for message in stream {
        if records >= wanted {
            break;
        }
        records += message.records;
        out.write_all(&message.bytes)?;
        out.write_all(b"\n")?;
        if let Some(progress) = &mut progress {
            progress.advance(message.bytes.len() as u64 + 1);
        }
    }
    out.flush()?;
    if let Some(progress) = progress {
        progress.finish();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_a_message_a_line() {
        fn check(wanted: u64) {
            let mut out = Vec::new();
            let stream = Generator::new(1, Options::usual(0));
            write(stream, wanted, &mut out, false).expect("memory");
            let mut records = 0;
            for line in out.split_inclusive(|byte| *byte == b'\n') {
                let envelope: serde_json::Value = serde_json::from_slice(line).expect("JSON");
                records += envelope["records"].as_array().expect("records").len() as u64;
            }
            assert!(
                (wanted..wanted + 50).contains(&records),
                "{records} of {wanted}"
            );
        }
        check(1);
        check(500);
    }
}
