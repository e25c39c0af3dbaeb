//! What a backtest shows when it is done.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::input::Output;
use super::rules::Rules;
use super::write::{self, Format};
use super::{Args, DIFFERENT};
use crate::cli::{screen, table};
use crate::escape;
use crate::incident::Incident;
use crate::io::backtest::fold::{Counts, Found};
use crate::io::backtest::seen::Seen;
use crate::io::backtest::topic::Cluster;
use crate::io::backtest::{Outcome, publish};
use crate::io::interrupt;
use crate::report::{
    self, Comparison, Point, Report, RuleCounts, RuleRow, Sweep, compare::compare, json, text,
};
use crate::time::{Millis, rfc3339};

/// What a backtest found, in the forms in which it is shown.
pub struct Shown {
    seen: Seen,
    used_disk: bool,
    took: Duration,
    notes: Vec<String>,
    rows: Vec<RuleRow>,
    incidents: Vec<Incident>,
    comparison: Option<Comparison>,
    sweep: Option<Sweep>,
}

impl Shown {
    /// What `outcome` is shown as, with what must be known to trust it, after so long.
    pub fn new(
        args: &Args,
        rules: &Rules,
        outcome: Outcome,
        notes: Vec<String>,
        took: Duration,
    ) -> Shown {
        let Outcome {
            seen,
            folded,
            used_disk,
            ..
        } = outcome;
        let found = folded.incidents;
        let comparison = (!args.compare.is_empty()).then(|| compared(rules, &found));
        let sweep = rules.sweep.as_ref().map(|sweep| {
            let points = sweep.values.iter().zip(&folded.sweep);
            let point = |(threshold, counts): (&f64, &Counts)| Point {
                threshold: *threshold,
                incidents: counts.incidents,
                groups: counts.groups,
            };
            Sweep {
                rule_id: sweep.rule_id.clone(),
                having: sweep.having.clone(),
                points: points.map(point).collect(),
            }
        });
        let rows = rows(rules, &found, &folded.counts);
        let own = found
            .into_iter()
            .filter(|found| rules.sides_of(found.rule).own);
        Shown {
            notes,
            seen,
            used_disk,
            took,
            rows,
            incidents: own.map(|found| found.incident).collect(),
            comparison,
            sweep,
        }
    }

    /// Writes the files and topics that were asked for.
    ///
    /// # Errors
    ///
    /// One of them cannot be written.
    pub fn write(&self, args: &Args, cluster: Option<&Cluster>, made: Millis) -> Result<()> {
        match (args.destination(), cluster) {
            (Some(Output::Path(path)), _) => {
                let format = args.format.unwrap_or_else(|| Format::of(&path));
                write::to_file(&path, format, &self.incidents)?;
            }
            (Some(Output::Topic(topic)), Some(cluster)) => {
                publish::publish(cluster, &topic, self.incidents.iter())?;
            }
            (Some(Output::Topic(_)) | None, _) => (),
        }
        match &args.report {
            Some(path) => self.write_page(path, args, made),
            None => Ok(()),
        }
    }

    fn write_page(&self, path: &Path, args: &Args, made: Millis) -> Result<()> {
        let inputs: Vec<String> = args.input.iter().map(ToString::to_string).collect();
        let page = report::page(&Report {
            made,
            inputs: &inputs,
            records: self.seen.records,
            matched: self.seen.matched,
            rejected: self.seen.rejected,
            bytes: self.seen.bytes,
            took: self.took,
            notes: &self.notes,
            rules: &self.rows,
            incidents: &self.incidents,
            comparison: self.comparison.as_ref(),
            sweep: self.sweep.as_ref(),
        });
        std::fs::write(path, page).with_context(|| format!("cannot write {}", path.display()))
    }

    /// Says what was found: the summary on standard error, the answer to a question where
    /// [`Args::answer`] puts it.
    ///
    /// # Errors
    ///
    /// The answer cannot be written.
    pub fn say(&self, args: &Args) -> Result<()> {
        let seen = &self.seen;
        for line in &seen.named {
            screen::err(format_args!("refused: {}\n", escape::value(line)));
        }
        let named = seen.named.len() as u64;
        if seen.rejected > named {
            screen::err(format_args!("refused: {} more\n", seen.rejected - named));
        }
        let width = table::width_of_stderr();
        screen::err(format_args!("{}", text::summary_table(&self.rows, width)));
        if let Some(comparison) = &self.comparison {
            args.answer(&match args.json {
                true => format!("{}\n", json::comparison(comparison)),
                false => text::comparison_text(comparison),
            })?;
        }
        if let Some(sweep) = &self.sweep {
            args.answer(&match args.json {
                true => format!("{}\n", json::sweep(sweep)),
                false => text::sweep_text(sweep, width),
            })?;
        }
        screen::err(format_args!(
            "{} incidents from {} of {} records ({} refused) in {} inputs, {:.1} MB in {:.2} s{}\n",
            self.incidents.len(),
            seen.matched,
            seen.records,
            seen.rejected,
            seen.sources,
            seen.bytes as f64 / 1e6,
            self.took.as_secs_f64(),
            if self.used_disk {
                ", with the disk's help"
            } else {
                ""
            },
        ));
        if let Some((first, last)) = seen.times {
            let (first, last) = (rfc3339(first), rfc3339(last));
            screen::err(format_args!("events from {first} to {last}\n"));
        }
        for note in &self.notes {
            screen::err(format_args!("{}\n", escape::value(note)));
        }
        Ok(())
    }

    /// What the shell is told.
    pub fn exit_code(&self) -> ExitCode {
        let differs = self.comparison.as_ref().is_some_and(|found| {
            !(found.appeared.is_empty() && found.vanished.is_empty() && found.changed.is_empty())
        });
        match (self.seen.interrupted, differs) {
            (true, _) => ExitCode::from(interrupt::EXIT_CODE),
            (false, true) => ExitCode::from(DIFFERENT),
            (false, false) => ExitCode::SUCCESS,
        }
    }
}

/// A row for each of the rules that are asked about.
fn rows(rules: &Rules, found: &[Found], counts: &[Counts]) -> Vec<RuleRow> {
    let all = rules.plan.rules.iter().zip(counts).zip(0_u32..);
    let own = all.filter(|(_, place)| rules.sides_of(*place).own);
    let row = |((loaded, counts), place): ((&(_, _), &Counts), u32)| {
        let incidents = found.iter().filter(|found| found.rule == place);
        let incidents: Vec<&Incident> = incidents.map(|found| &found.incident).collect();
        let counts = RuleCounts {
            matches: counts.matches,
            groups: counts.groups,
            fold: counts.fold,
        };
        let (loaded, _): &(std::sync::Arc<crate::plan::LoadedRule>, _) = loaded;
        report::row(&loaded.rule, &counts, &incidents)
    };
    own.map(row).collect()
}

fn compared(rules: &Rules, found: &[Found]) -> Comparison {
    let of = |is_in: &dyn Fn(u32) -> bool| {
        let found = found.iter().filter(|found| is_in(found.rule));
        found
            .map(|found| (found.key.clone(), found.incident.clone()))
            .collect()
    };
    compare(
        of(&|rule| rules.sides_of(rule).other),
        of(&|rule| rules.sides_of(rule).own),
    )
}
