//! `watchfire rules coverage`: what rules look for, which records they need, and which of these
//! there are.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::backtest::input::{self, Input};
use super::events::first_text;
use super::settings::Connection;
use super::{RulePaths, screen};
use crate::decode::{self, Decoder};
use crate::escape;
use crate::event::{Attribute, Attributes};
use crate::io::backtest::input::{Source, read};
use crate::io::clock;
use crate::io::disk::files::Reading;
use crate::io::disk::rule_files;
use crate::io::disk::table_files::TableFiles;
use crate::normalise;
use crate::rule::Rule;
use crate::rule::coverage::{categories, layer, untested};
use crate::rule::lists::Lists;
use crate::rule::mitre::TACTICS;

/// The most categories that are told apart in data.
const CATEGORIES_MAX: usize = 1_000;

/// Say what rules look for.
///
/// Tactics and techniques of MITRE ATT&CK, with --layer as a layer for ATT&CK Navigator; which
/// categories of records they need, and with --data which of these there are; and which rules
/// have no tests.
///
/// A rule needs the categories that its filters ask for (`category = ".."`), and those that its
/// tags name (`category.SignInLogs`).
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(flatten)]
    rules: RulePaths,

    /// Files, directories and topics (kafka://TOPIC) whose records are looked at.
    #[arg(long, num_args = 1.., value_name = "PATH|kafka://TOPIC")]
    data: Vec<Input>,

    /// Where to write a layer for ATT&CK Navigator (layer 4.5).
    #[arg(long, value_name = "FILE")]
    layer: Option<PathBuf>,

    #[command(flatten)]
    connection: Connection,
}

/// Runs the command. Exit code 1 where rules have errors.
///
/// # Errors
///
/// Rules or data cannot be read, or the layer or standard output not written.
pub fn run(args: Args) -> Result<ExitCode> {
    let Args {
        rules,
        data,
        layer: path,
        connection,
    } = args;
    let is_json = rules.json;
    let (paths, besides) = rules.split();
    let texts = rule_files::load_with(&paths, &besides, &mut TableFiles::default())?;
    let mut attributes = Attributes::default();
    let (rules, lists) = match texts.parse(&mut attributes) {
        Ok(found) => found,
        Err(errors) => {
            for error in &errors {
                let error = error.to_string();
                screen::err(format_args!("{}\n", escape::value(&error)));
            }
            return Ok(ExitCode::FAILURE);
        }
    };
    let seen = match data.is_empty() {
        true => None,
        false => match seen(&data, &connection, &lists)? {
            Ok(seen) => Some(seen),
            Err(code) => return Ok(code),
        },
    };
    if let Some(path) = &path {
        let text = format!("{:#}\n", layer(&rules));
        std::fs::write(path, text).with_context(|| format!("writing {}", path.display()))?;
    }
    let covered = Covered::of(&rules, &mut attributes, seen.as_ref());
    let text = match is_json {
        true => format!("{}\n", covered.json()),
        false => covered.text(),
    };
    screen::out(format_args!("{text}"))?;
    Ok(ExitCode::SUCCESS)
}

/// Events by category, in lower case.
type Seen = BTreeMap<String, u64>;

/// What there is in the data, or the exit code where no brokers are named.
fn seen(data: &[Input], connection: &Connection, lists: &Lists) -> Result<Result<Seen, ExitCode>> {
    let reads_topic = data.iter().any(Input::is_topic);
    let cluster = match reads_topic.then(|| connection.cluster()).transpose() {
        Ok(cluster) => cluster,
        Err(code) => return Ok(Err(code)),
    };
    let (sources, listing) = input::sources(data, cluster.as_ref(), clock::now(), false)?;
    let mut unread = listing.notes();
    let seen = count(&sources, lists, &mut unread)?;
    for note in &unread {
        screen::err(format_args!("{}\n", escape::value(note)));
    }
    Ok(Ok(seen))
}

fn count(sources: &[Source], lists: &Lists, unread: &mut Vec<String>) -> Result<Seen> {
    let mut attributes = normalise::all_with(lists.own().names());
    let category = attributes.intern(Attribute::Named("category"));
    let decoder = Decoder::with_own(&attributes, decode::Limits::default(), lists.own());
    let reading = Reading::default();
    let mut seen = Seen::new();
    for (place, source) in sources.iter().enumerate() {
        let rest = read((place, source), &reading, &mut |batch| {
            for message in batch.messages().filter(|message| !message.is_too_large) {
                let message = decoder.message(message.bytes, message.timestamp);
                let mut records = decoder.records(&message);
                while let Some(record) = records.next() {
                    let Ok(event) = record.outcome else { continue };
                    let Some(name) = first_text(event.whole(), Some(category)) else {
                        continue;
                    };
                    let name = name.to_ascii_lowercase();
                    if seen.len() < CATEGORIES_MAX || seen.contains_key(&name) {
                        *seen.entry(name).or_default() += 1;
                    }
                }
            }
            batch.clear();
            Ok(())
        })?;
        unread.extend(rest.map(|error| format!("{error:#}")));
    }
    Ok(seen)
}

/// What the rules in force look for and need.
struct Covered<'r> {
    rules: usize,
    /// Tactic, its rules, and their techniques.
    tactics: Vec<(&'static str, usize, BTreeSet<&'r str>)>,
    techniques: BTreeSet<&'r str>,
    /// Category, the rules that need it, and its events in the data.
    categories: Vec<(String, Vec<&'r str>, Option<u64>)>,
    /// Rules none of whose categories is in the data.
    blind: Vec<&'r str>,
    /// Rules without a technique.
    unplaced: Vec<&'r str>,
    /// Rules, and what their tests leave out.
    untested: Vec<(&'r str, &'static str)>,
}

impl<'r> Covered<'r> {
    fn of(rules: &'r [Rule], attributes: &mut Attributes, seen: Option<&Seen>) -> Covered<'r> {
        let category = attributes.intern(Attribute::Named("category"));
        let rules: Vec<&Rule> = rules.iter().filter(|rule| rule.enabled).collect();
        let techniques = |rule: &&'r Rule| rule.techniques.iter().map(String::as_str);
        let tactics = TACTICS.iter().map(|(id, name)| {
            let of_it = rules
                .iter()
                .filter(|rule| rule.tactics.iter().any(|one| one == id));
            let of_it: Vec<&&Rule> = of_it.collect();
            let found = of_it.iter().copied().flat_map(techniques).collect();
            (*name, of_it.len(), found)
        });
        let mut needed: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        let mut blind = Vec::new();
        for rule in &rules {
            let names = categories(rule, category);
            if let Some(seen) = seen
                && !names.is_empty()
                && !names.iter().any(|name| seen.contains_key(name))
            {
                blind.push(rule.id.as_str());
            }
            for name in names {
                needed.entry(name).or_default().push(&rule.id);
            }
        }
        let counted = |name: &str| seen.map(|seen| seen.get(name).copied().unwrap_or(0));
        let needed = needed.into_iter();
        let without = rules.iter();
        let without = without.filter_map(|rule| Some((rule.id.as_str(), untested(rule)?)));
        let unplaced = rules.iter().filter(|rule| rule.techniques.is_empty());
        Covered {
            rules: rules.len(),
            tactics: tactics.collect(),
            techniques: rules.iter().flat_map(techniques).collect(),
            categories: needed
                .map(|(name, rules)| {
                    let count = counted(&name);
                    (name, rules, count)
                })
                .collect(),
            blind,
            unplaced: unplaced.map(|rule| rule.id.as_str()).collect(),
            untested: without.collect(),
        }
    }

    fn text(&self) -> String {
        let mut lines = vec![
            format!(
                "{} rules look for {} techniques",
                self.rules,
                self.techniques.len()
            ),
            String::new(),
            format!("{:<24}{:>8}{:>12}", "TACTIC", "RULES", "TECHNIQUES"),
        ];
        let tactics = self.tactics.iter();
        lines.extend(tactics.map(|(name, rules, techniques)| {
            format!("{name:<24}{rules:>8}{:>12}", techniques.len())
        }));
        lines.push(String::new());
        lines.push(format!(
            "{:<44}{:>8}{:>12}",
            "CATEGORY NEEDED", "RULES", "EVENTS"
        ));
        let categories = self.categories.iter();
        lines.extend(categories.map(|(name, rules, seen)| {
            let seen = match seen {
                None => "-".to_owned(),
                Some(0) => "none".to_owned(),
                Some(count) => count.to_string(),
            };
            let name = escape::value(name);
            format!("{name:<44}{:>8}{seen:>12}", rules.len())
        }));
        let blind = self.blind.iter();
        lines.extend(blind.map(|rule| format!("{rule}: there is no record of what it needs")));
        let unplaced = self.unplaced.iter();
        lines.extend(unplaced.map(|rule| format!("{rule}: names no technique")));
        let untested = self.untested.iter();
        lines.extend(untested.map(|(rule, what)| format!("{rule}: {what}")));
        lines.join("\n") + "\n"
    }

    fn json(&self) -> Value {
        let tactics = self.tactics.iter().map(|(name, rules, techniques)| {
            json!({ "tactic": name, "rules": rules, "techniques": techniques })
        });
        let categories = self.categories.iter();
        let categories = categories.map(
            |(name, rules, events)| json!({ "category": name, "rules": rules, "events": events }),
        );
        let untested = self.untested.iter();
        let untested = untested.map(|(rule, what)| json!({ "rule": rule, "says": what }));
        json!({
            "rules": self.rules,
            "techniques": self.techniques,
            "tactics": tactics.collect::<Vec<_>>(),
            "categories": categories.collect::<Vec<_>>(),
            "without_data": self.blind,
            "without_technique": self.unplaced,
            "untested": untested.collect::<Vec<_>>(),
        })
    }
}
