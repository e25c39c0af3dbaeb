//! `watchfire backtest`: what the rules would have said of an archive.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, anyhow};

use crate::encode::Encoding;
use crate::event::Attributes;
use crate::io::backtest::{self, Outcome};
use crate::io::{clock, rule_files};
use crate::plan::{Limits, Plan, Settings};
use crate::rule::{self, Texts};

/// Run rules over files and write the incidents that stand at the end.
///
/// Reads NDJSON, envelopes ({"records":[..]}), single JSON documents and what Event Hubs Capture
/// writes (Avro), plain or packed with gzip or zstd. A file's content says which it is, not its
/// name. The end of the input is the end of time, so the order of files and records does not
/// matter.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Rule files, and directories of them.
    #[arg(long, required = true, num_args = 1.., value_name = "PATH")]
    pub rules: Vec<PathBuf>,

    /// Files and directories to read; of directories, with their subdirectories, all that is called
    /// .json, .ndjson, .jsonl or .avro, or so with .gz or .zst behind.
    #[arg(long, required = true, num_args = 1.., value_name = "PATH")]
    pub input: Vec<PathBuf>,

    /// Where the incidents go, one JSON object a line; `-`: standard output.
    #[arg(long, default_value = "-", value_name = "FILE")]
    pub output: PathBuf,

    /// Threads that detect; 0: one for each processor.
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub threads: usize,
}

/// What rules are run with where there is no configuration.
pub const SETTINGS: Settings = Settings {
    patience: 900,
    lateness: 7_200,
    limits: Limits {
        evidence: 5,
        distinct_values: 10_000,
    },
};

/// Runs the command. Exit code 2 for rules with errors, 1 for all else that fails.
///
/// # Errors
///
/// An input cannot be read, or the output not written.
pub fn run(args: &Args) -> Result<ExitCode> {
    let started = clock::instant();
    let plan = match plan(&args.rules) {
        Ok(plan) => plan,
        Err(error) => {
            eprintln!("{error:#}");
            return Ok(ExitCode::from(2));
        }
    };
    let threads = match args.threads {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        some => some,
    };
    let outcome = backtest::run(&plan, &args.input, threads)?;
    write(&args.output, &outcome)?;
    summarise(&outcome, started.elapsed().as_secs_f64());
    Ok(ExitCode::SUCCESS)
}

/// The plan of all rules at `paths` that are enabled.
///
/// # Errors
///
/// A path cannot be read, or rules have errors: one line for each.
pub fn plan(paths: &[PathBuf]) -> Result<std::sync::Arc<Plan>> {
    plan_of(&rule_files::load(paths)?)
}

/// The plan of all rules in these texts that are enabled.
///
/// # Errors
///
/// Rules have errors: one line for each.
pub fn plan_of(texts: &Texts) -> Result<std::sync::Arc<Plan>> {
    let mut attributes = Attributes::default();
    let (rules, _) = texts.parse(&mut attributes).map_err(|errors| {
        let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
        anyhow!(lines.join("\n"))
    })?;
    let enabled: Vec<rule::Rule> = rules.into_iter().filter(|rule| rule.enabled).collect();
    Plan::alone(&enabled, &attributes, SETTINGS, Vec::new()).map_err(|error| anyhow!(error))
}

fn write(path: &Path, outcome: &Outcome) -> Result<()> {
    let to = || format!("cannot write to {}", path.display());
    let mut out: Box<dyn Write> = if path == Path::new("-") {
        Box::new(std::io::stdout().lock())
    } else {
        Box::new(BufWriter::new(File::create(path).with_context(to)?))
    };
    for incident in &outcome.incidents {
        out.write_all(&Encoding::Json.encode(incident))
            .with_context(to)?;
        out.write_all(b"\n").with_context(to)?;
    }
    out.flush().with_context(to)
}

fn summarise(outcome: &Outcome, seconds: f64) {
    let seen = &outcome.seen;
    for line in &seen.named {
        eprintln!("refused: {line}");
    }
    let named = seen.named.len() as u64;
    if seen.rejected > named {
        eprintln!("refused: {} more", seen.rejected - named);
    }
    eprintln!(
        "{} incidents from {} of {} records ({} refused) in {} files, {:.1} MB in {seconds:.2} s",
        outcome.incidents.len(),
        seen.matched,
        seen.records,
        seen.rejected,
        seen.files,
        seen.bytes as f64 / 1e6,
    );
}

#[cfg(test)]
mod tests {
    use apache_avro::Codec;

    use super::*;
    use crate::io::files::tests::{capture, gzip, zstd};
    use crate::time::rfc3339;

    const RULE: &str = concat!(
        "{id: R, name: R, severity: 5, window: 5m, ",
        "patterns: [{name: P, where: user = \"a@b.c\"}]}",
    );

    /// When the incidents of a file with `content` begin, and how many records are refused.
    fn check(content: &[u8], expected: &[&str], refused: u64) {
        let plan = plan_of(&Texts {
            rules: vec![("rules".to_owned(), RULE.to_owned())],
            lists: Vec::new(),
        });
        let plan = plan.unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, content).unwrap();
        for threads in [1, 2] {
            let input = [file.path().to_owned()];
            let Outcome { incidents, seen } = backtest::run(&plan, &input, threads).unwrap();
            let found: Vec<String> = incidents.iter().map(|i| rfc3339(i.first_seen)).collect();
            assert_eq!(found, expected);
            assert_eq!(seen.rejected, refused);
        }
    }

    #[test]
    fn lines_and_captures() {
        let dated = r#"{"Caller":"a@b.c","time":"2019-03-22T13:02:03Z"}"#;
        let undated = r#"{"Caller":"a@b.c"}"#;
        let in_the_future = r#"{"Caller":"a@b.c","time":"2039-03-22T13:02:03Z"}"#;
        let at = ["2019-03-22T13:02:03.000Z"];
        check(dated.as_bytes(), &at, 0);
        check(&gzip(dated.as_bytes()), &at, 0);
        check(&zstd(dated.as_bytes()), &at, 0);
        check(undated.as_bytes(), &[], 1);
        for record in [dated, undated, in_the_future] {
            let captured: &[_] = &[("3/22/2019 1:02:03 PM", Some(record))];
            check(&capture(Codec::Snappy, &[captured]), &at, 0);
        }
    }
}
