//! `watchfire backtest`: what the rules would have said of an archive or a topic.

mod explained;
pub mod input;
mod notes;
pub mod rules;
mod shown;
mod sweep;
mod write;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhow::{Result, bail};

use super::settings::{Connection, USAGE};
use super::{explanation, log, screen};
use crate::config::{Config, Size};
use crate::detect::prefilter::Validate;
use crate::escape;
use crate::io::backtest::input::Reading;
use crate::io::backtest::topic::Cluster;
use crate::io::backtest::{self, Outcome, Request, publish};
use crate::io::disk::rule_files::Besides;
use crate::io::{clock, interrupt, memory, pool};
use crate::record::Hash;
use crate::replay::Within;
use crate::time::{self, Millis};
use input::{Input, Output, To, When};
use rules::{Rules, SETTINGS};
use shown::Shown;
use write::Format;

/// Exit code where two sets of rules find different incidents.
const DIFFERENT: u8 = 3;

/// Run rules over files and topics, and write the incidents that stand at the end.
///
/// The end of the input is the end of time, so the order of files, partitions and records does not
/// matter. A topic is read without a consumer group: nothing of the brokers' is changed.
///
/// Exit codes: 0 done; 1 something failed; 2 wrong arguments or rules; 3 --compare found
/// differences; 130 ended by Ctrl-C, after writing what the part that was read comes to.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Rule files, and directories of them; default: those of the configuration.
    #[arg(long, num_args = 1.., value_name = "PATH")]
    rules: Vec<PathBuf>,

    /// Files of attributes, and directories of them, besides those in folders `attributes`
    /// beside the rules.
    #[arg(long, num_args = 1.., value_name = "PATH")]
    attributes: Vec<PathBuf>,

    /// Tables of networks, and directories of them, besides those in folders `tables` beside the
    /// rules.
    #[arg(long, num_args = 1.., value_name = "PATH")]
    tables: Vec<PathBuf>,

    /// Files and directories to read, and topics: kafka://TOPIC?from=TIME&to=TIME, by the time at
    /// which the broker got a message; without from and to, all that the topic holds now.
    ///
    /// Files hold NDJSON, envelopes ({"records":[..]}), JSON documents or what Event Hubs Capture
    /// writes (Avro), plain or packed with gzip or zstd; their content says which, not their name.
    /// Of directories, with their subdirectories, all regular files are read that are called .json,
    /// .ndjson, .jsonl or .avro, or so with .gz or .zst behind; each once, whatever its names.
    #[arg(long, required = true, num_args = 1.., value_name = "PATH|kafka://TOPIC")]
    input: Vec<Input>,

    /// Where the incidents go: a file, `-` for standard output, or kafka://TOPIC, which gets them
    /// as a worker would write them and must not belong to a live application.
    ///
    /// Default: standard output, unless --explain, --compare or --sweep write there.
    #[arg(long, value_name = "FILE|kafka://TOPIC")]
    output: Option<Output>,

    /// How the output file holds incidents; default: avro if its name ends in .avro, else json.
    #[arg(long, value_enum)]
    format: Option<Format>,

    /// Write a page to look at: one HTML file that needs no network.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,

    /// Compare with the incidents of these rules: which appear with --rules, vanish or change.
    #[arg(long, num_args = 1.., value_name = "PATH")]
    compare: Vec<PathBuf>,

    /// Show the matches, windows and values that made the incident with this id.
    #[arg(long, value_name = "INCIDENT_ID", value_parser = id)]
    explain: Option<Hash>,

    /// Try one rule with a range of thresholds: 'having COUNT(*) >= 1..20', or with a pattern's
    /// name in front and a step behind the range ('1..100 step 10').
    #[arg(long, value_name = "HAVING")]
    sweep: Option<String>,

    /// What --compare, --explain and --sweep find as JSON, an object a line.
    #[arg(long)]
    json: bool,

    /// Only the rule with this id; may be given several times.
    #[arg(long = "rule", value_name = "ID")]
    only: Vec<String>,

    /// Only incidents that begin at this time or later: a date, a date and time, or now-24h. Events
    /// before it are read as far as the rules look back.
    #[arg(long, value_name = "TIME")]
    from: Option<When>,

    /// Only incidents that begin before this time. Events after it are read as far as the rules
    /// wait for them. With a topic, the same as --output.
    #[arg(long, value_name = "TIME|kafka://TOPIC")]
    to: Vec<To>,

    /// A file that cannot be read, or not to its end, is an error, instead of being named and
    /// passed over.
    #[arg(long)]
    strict: bool,

    /// Of which messages all records are read: all, or matching: those in which one may match, as
    /// far as can be told before. Finds the same, and notices no broken records elsewhere; default:
    /// as the configuration has it, else all.
    #[arg(long, value_name = "all|matching", value_parser = Validate::parse)]
    validate: Option<Validate>,

    /// Threads; 0: one for each processor.
    #[arg(long, default_value_t = 0, value_name = "N")]
    threads: usize,

    /// Memory for matches that wait to be folded; what is more goes to disk.
    #[arg(long, default_value = "1GiB", value_name = "SIZE", value_parser = Size::parse)]
    memory: Size,

    /// Directory for what memory cannot hold; default: the system's for temporary files.
    #[arg(long, value_name = "DIR")]
    temp_dir: Option<PathBuf>,

    #[command(flatten)]
    connection: Connection,
}

/// Runs the command.
///
/// # Errors
///
/// An input cannot be read, or an output not written.
pub fn run(args: &Args) -> Result<ExitCode> {
    memory::keep_for_a_while();
    let started = clock::instant();
    let now = clock::now();
    log::start(false)?;
    let cluster = match args.cluster() {
        Ok(cluster) => cluster,
        Err(code) => return Ok(code),
    };
    let asked = args.within(now);
    let asked = asked.and_then(|within| Ok((within, args.load_rules(cluster.as_ref())?)));
    let (within, rules) = match asked {
        Ok(asked) => asked,
        Err(error) => {
            screen::err(format_args!("{error:#}\n"));
            return Ok(ExitCode::from(USAGE));
        }
    };
    let (sources, listing) = input::sources(&args.input, cluster.as_ref(), now, args.strict)?;
    args.check_outputs(cluster.as_ref())?;
    let mut reading = Reading::default();
    reading.limits.message_bytes = rules.plan.decoding.message_bytes;
    let reading = Arc::new(reading);
    interrupt::on_first({
        let reading = Arc::clone(&reading);
        move || {
            screen::err(format_args!(
                "interrupted: folding what was read so far (again to end at once)\n"
            ));
            reading.stop.store(true, Ordering::Relaxed);
        }
    })?;
    let configured = cluster.as_ref().map(|cluster| cluster.config.validate);
    let outcome = backtest::run(&Request {
        validate: args.validate.or(configured).unwrap_or_default(),
        plan: &rules.plan,
        sources: &sources,
        within,
        sweep: rules
            .sweep
            .as_ref()
            .map(|sweep| (sweep.place as u32, &sweep.rules[..])),
        explain: args.explain,
        threads: pool::count(args.threads),
        memory_bytes: args.memory.0,
        scratch: &args.temp_dir.clone().unwrap_or_else(std::env::temp_dir),
        strict: args.strict,
        reading: &reading,
    })?;
    args.explain(&rules, &outcome)?;
    let notes = notes::of(&notes::About {
        listing: &listing,
        sources: &sources,
        rules: &rules,
        within,
        seen: &outcome.seen,
        counts: &outcome.folded.counts,
    });
    let shown = Shown::new(args, &rules, outcome, notes, started.elapsed());
    shown.write(args, cluster.as_ref(), now)?;
    shown.say(args)?;
    Ok(shown.exit_code())
}

impl Args {
    /// The configuration and its brokers, where anything needs one.
    fn cluster(&self) -> Result<Option<Cluster>, ExitCode> {
        let reads_topic = self.input.iter().any(Input::is_topic);
        let writes_topic = matches!(self.destination(), Some(Output::Topic(_)));
        let is_needed = self.connection.config.is_some() || reads_topic || writes_topic;
        is_needed.then(|| self.connection.cluster()).transpose()
    }

    fn load_rules(&self, cluster: Option<&Cluster>) -> Result<Rules> {
        let paths = |of: &dyn Fn(&Config) -> &[String]| -> Vec<PathBuf> {
            let named = cluster.map_or(&[][..], |cluster| of(&cluster.config));
            named.iter().map(PathBuf::from).collect()
        };
        let configured = paths(&|config| &config.rules);
        let mut besides = Besides {
            attributes: paths(&|config| &config.attributes),
            tables: paths(&|config| &config.tables),
        };
        besides.attributes.extend_from_slice(&self.attributes);
        besides.tables.extend_from_slice(&self.tables);
        let paths = match self.rules.is_empty() {
            true => &configured,
            false => &self.rules,
        };
        if paths.is_empty() {
            bail!("no rules: name files or directories with --rules, or in the configuration");
        }
        Rules::load(rules::From {
            rules: paths,
            others: &self.compare,
            besides: &besides,
            only: &self.only,
            sweep: self.sweep.as_deref(),
            settings: cluster.map_or(SETTINGS, |cluster| cluster.config.settings),
        })
    }

    /// Says what is wrong with the outputs before hours are spent.
    fn check_outputs(&self, cluster: Option<&Cluster>) -> Result<()> {
        if self.output.is_some() && self.to.iter().any(|to| matches!(to, To::Topic(_))) {
            bail!("--output and --to kafka://.. both say where incidents go: give one of them");
        }
        let destination = self.destination();
        if let (Some(Output::Topic(topic)), Some(cluster)) = (&destination, cluster) {
            let read = self.input.iter().any(|input| match input {
                Input::Topic(read, _) => read == topic,
                Input::Path(_) => false,
            });
            if read {
                bail!("--output kafka://{topic}: it is read from at the same time");
            }
            publish::check(cluster, topic)?;
        }
        let file = match &destination {
            Some(Output::Path(path)) if path != Path::new("-") => Some(path),
            Some(Output::Path(_) | Output::Topic(_)) | None => None,
        };
        for path in file.into_iter().chain(&self.report) {
            let folder = match path.parent() {
                Some(folder) if folder != Path::new("") => folder,
                Some(_) | None => Path::new("."),
            };
            if !folder.is_dir() {
                bail!(
                    "cannot write {}: there is no directory {}",
                    path.display(),
                    folder.display()
                );
            }
        }
        Ok(())
    }

    /// Whether something else than incidents is asked for.
    fn asks_question(&self) -> bool {
        !self.compare.is_empty() || self.explain.is_some() || self.sweep.is_some()
    }

    /// Where incidents go, if anywhere.
    fn destination(&self) -> Option<Output> {
        let topic = self.to.iter().find_map(|to| match to {
            To::Topic(topic) => Some(Output::Topic(topic.clone())),
            To::Time(_) => None,
        });
        match self.output.clone().or(topic) {
            Some(output) => Some(output),
            None if self.asks_question() => None,
            None => Some(Output::Path("-".into())),
        }
    }

    /// When incidents begin that are asked for.
    fn within(&self, now: Millis) -> Result<Within> {
        let ends = self.to.iter().filter_map(|to| match to {
            To::Time(when) => when.millis(now),
            To::Topic(_) => None,
        });
        let within = Within {
            from: self.from.and_then(|when| when.millis(now)),
            to: ends.min(),
        };
        if let (Some(from), Some(to)) = (within.from, within.to)
            && from >= to
        {
            bail!(
                "--from {} is not before --to {}: no incident begins in that time",
                time::rfc3339(from),
                time::rfc3339(to)
            );
        }
        Ok(within)
    }

    /// Writes what was asked for where it does not disturb: on standard output, unless that has
    /// the incidents.
    fn answer(&self, text: &str) -> Result<()> {
        match self.destination() {
            Some(Output::Path(path)) if path == Path::new("-") => {
                screen::err(format_args!("{text}"));
                Ok(())
            }
            Some(_) | None => Ok(screen::out(format_args!("{text}"))?),
        }
    }

    /// Shows what made the incident that was asked for.
    fn explain(&self, rules: &Rules, outcome: &Outcome) -> Result<()> {
        let Some(id) = self.explain else {
            return Ok(());
        };
        let found = outcome.folded.explained.as_ref();
        let loaded = found.and_then(|found| rules.plan.rules.get(found.rule as usize));
        let (Some(found), Some((loaded, _))) = (found, loaded) else {
            bail!(
                "--explain: no incident has the id {id}. Ids depend on the rules and on the \
                 settings that they are run with: give those of the run that found it with --rules \
                 and --config"
            );
        };
        let explanation = explained::of(found, loaded, &outcome.topics)?;
        if self.json {
            return self.answer(&format!("{}\n", explanation::json(&explanation)));
        }
        let mut text = format!("{id}  {}\n", escape::value(&found.incident.title));
        for line in explanation::lines(&explanation) {
            text.push_str(&escape::value(&line));
            text.push('\n');
        }
        self.answer(&text)
    }
}

fn id(text: &str) -> Result<Hash, String> {
    Hash::parse(text).ok_or_else(|| "expected an incident_id: 32 hexadecimal digits".to_owned())
}
