//! Which filters an event is held against, and which messages are read, changes nothing of which
//! filters hold: matches are those of a look at every filter, one by one, over real and generated
//! records and random rules made of what stands in them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value as Json;
use watchfire::cli;
use watchfire::decode::{Decoder, Draft};
use watchfire::detect::prefilter::{Prefilter, Validate};
use watchfire::detect::{Found, Matcher};
use watchfire::event::{Attributes, Value};
use watchfire::generate::{Generator, Options};
use watchfire::io::backtest::input::{Reading, Source};
use watchfire::io::backtest::{self, Request};
use watchfire::io::disk::rule_files;
use watchfire::normalise;
use watchfire::rule::own::Own;
use watchfire::rule::{Filter, Rule, Texts};

use crate::rng::Rng;

/// 2026-03-01T09:00:00Z.
const START: i64 = 1_772_355_600_000;

/// Rules of one set.
const RULES: usize = 120;

/// Rule and pattern, by their places.
type Passed = BTreeSet<(u32, u32)>;

/// A record, and what is known of it by name.
struct Sample {
    record: Json,
    named: Vec<(String, String)>,
}

#[test]
fn an_event_matches_what_a_look_at_every_filter_finds() {
    let samples = samples();
    let mut found = 0;
    for seed in 0..12 {
        found += compare(&mut Rng::new(seed), &samples).expect("the same");
    }
    // Of nothing nothing would be shown.
    assert!(found > 20_000, "{found} filters held");
}

#[cfg(feature = "canary")]
#[test]
fn a_text_that_is_not_looked_for_is_noticed() {
    use watchfire::canary::{self, Canary};

    let samples = samples();
    canary::set(Some(Canary::ClueDropped));
    let caught = (0..12).any(|seed| compare(&mut Rng::new(seed), &samples).is_err());
    canary::set(None);
    assert!(caught);
}

#[test]
fn a_message_that_is_not_read_has_no_record_that_matches() {
    let samples = samples();
    let (mut held, mut told, mut passed_over) = (0, 0, 0);
    for seed in 0..12 {
        let rng = &mut Rng::new(seed);
        let set = RuleSet::random(rng, &samples);
        let own = Own::default();
        let prefilters = set.rules.iter();
        let prefilters = prefilters.map(|rule| Prefilter::of(&[rule], &set.attributes, &own).ok());
        let mut prefilters: Vec<Option<Prefilter>> = prefilters.collect();
        told += prefilters.iter().flatten().count();
        for _ in 0..150 {
            let message = message(rng, &samples);
            let message = rewritten(rng, &message);
            let wanted: Passed = set
                .wanted(message.as_bytes())
                .into_iter()
                .flatten()
                .collect();
            for (place, prefilter) in (0..).zip(&mut prefilters) {
                let Some(prefilter) = prefilter else { continue };
                let holds = wanted.iter().any(|(rule, _)| *rule == place);
                let is_read = prefilter.may_match(message.as_bytes());
                let rule = &set.rules[place as usize].text;
                assert!(is_read || !holds, "seed {seed}: {message}\nof\n{rule}");
                held += usize::from(holds);
                passed_over += usize::from(!is_read);
            }
        }
    }
    // Of nothing nothing would be shown.
    assert!(told > 200 && held > 1_000, "{told} rules, {held} held");
    assert!(
        passed_over > 3 * held,
        "{passed_over} passed over, {held} held"
    );
}

#[test]
fn a_backtest_that_does_not_read_all_finds_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("stream.ndjson");
    let options = Options {
        records_max: 5,
        commands_per_million: 20_000,
        attack_after_ms: Some(60_000),
        ..Options::usual(START)
    };
    let stream: Vec<u8> = Generator::new(3, options)
        .take(1_500)
        .flat_map(|message| [message.bytes, b"\n".to_vec()].concat())
        .collect();
    fs::write(&path, stream).unwrap();
    let mut sources = vec![Source::File(path)];
    if let Some(corpus) = corpus() {
        let records = folder.path().join("records.ndjson");
        let lines: Vec<String> = lines(&corpus.join("events"))
            .iter()
            .map(|line| {
                let line: Json = serde_json::from_str(line).unwrap();
                line.get("raw").unwrap_or(&line).to_string()
            })
            .collect();
        fs::write(&records, lines.join("\n")).unwrap();
        sources.push(Source::File(records));
    }
    // Others ask for words that most messages have.
    let rules = ["2", "8"].map(|number| {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("rules/azure")
            .join(format!("PH_Rule_ES_IMPORT_AZURE_{number}.yaml"))
    });
    let plan = cli::backtest::rules::plan_of(&rule_files::load(&rules, &[]).unwrap()).unwrap();
    let run = |validate| {
        let outcome = backtest::run(&Request {
            validate,
            ..Request::new(&plan, &sources, &Reading::default())
        });
        let outcome = outcome.unwrap();
        let incidents = outcome.folded.incidents.iter();
        let incidents: Vec<String> = incidents.map(|incident| format!("{incident:?}")).collect();
        (incidents, outcome.seen)
    };
    let (all, seen) = run(Validate::All);
    assert!(all.len() > 10, "{} incidents", all.len());
    assert_eq!(seen.passed_over, 0);
    let (matching, seen) = run(Validate::Matching);
    assert_eq!(matching, all);
    // Many of them hold what the rules ask for, and where many do none is passed over for a while.
    assert!(seen.passed_over > 100, "{seen:?}");
}

#[test]
fn messages_made_to_harm_match_what_a_look_at_every_filter_finds() {
    let Some(corpus) = corpus() else { return };
    let files = |ending: &str| {
        let all = fs::read_dir(corpus.join("hostile")).unwrap();
        let mut paths: Vec<PathBuf> = all.map(|entry| entry.unwrap().path()).collect();
        paths.retain(|path| path.extension().is_some_and(|found| found == ending));
        paths.sort();
        paths
    };
    let messages: Vec<Vec<u8>> = files("json").iter().map(|p| fs::read(p).unwrap()).collect();
    let malformed = fs::read_dir(corpus.join("malformed")).unwrap();
    let malformed = malformed.filter_map(|entry| fs::read(entry.unwrap().path()).ok());
    let messages: Vec<Vec<u8>> = messages.into_iter().chain(malformed).collect();
    for rules in files("yaml") {
        let text = fs::read_to_string(rules).unwrap();
        if let Some(mut set) = RuleSet::of(&text) {
            for message in &messages {
                set.compare(message).expect("the same");
            }
        }
    }
    let samples = samples();
    for seed in 0..4 {
        let mut set = RuleSet::random(&mut Rng::new(seed), &samples);
        for message in &messages {
            set.compare(message).expect("the same");
        }
    }
}

/// Holds the matches of random messages against a look at every filter; how many hold, or where
/// they differ.
fn compare(rng: &mut Rng, samples: &[Sample]) -> Result<usize, String> {
    let mut set = RuleSet::random(rng, samples);
    let mut found = 0;
    for _ in 0..150 {
        let message = message(rng, samples);
        found += set.compare(message.as_bytes())?;
    }
    Ok(found)
}

/// A message of some records, a few of them changed.
fn message(rng: &mut Rng, samples: &[Sample]) -> String {
    let count = 1 + rng.below(3);
    let several = (0..count).map(|_| {
        let mut record = rng.choose(samples).record.clone();
        if rng.one_in(2) {
            change(rng, &mut record);
        }
        record
    });
    let several: Vec<Json> = several.collect();
    match rng.below(4) {
        0 => rng.choose(samples).record.to_string(),
        _ => serde_json::json!({ "records": several }).to_string(),
    }
}

/// The message in another spelling, perhaps a broken one.
fn rewritten(rng: &mut Rng, message: &str) -> String {
    let kind = rng.below(10);
    let one_in = 1 + rng.below(40);
    let mut text = String::new();
    for char in message.chars() {
        match (kind, char) {
            (0, letter) if letter.is_ascii_alphanumeric() && rng.one_in(one_in) => {
                text += &format!("\\u{:04x}", u32::from(letter));
            }
            (1, '"') => text.push('\''),
            (2, '/') => text += "\\/",
            (3, letter) if letter.is_ascii_alphanumeric() && rng.one_in(10 * one_in) => {
                text.push(*rng.choose(&['\n', '\t', '\u{1b}', '\u{0}']));
                text.push(letter);
            }
            (4, '}') => text += ",}",
            (5, letter) if rng.one_in(100 * one_in) => text += &format!("{letter}\u{feff}"),
            (_, other) => text.push(other),
        }
    }
    match kind {
        // A record within another's text.
        6 => serde_json::json!({ "time": "2026-03-01T09:00:00Z", "properties": text }).to_string(),
        7 => format!(r#"{{"specversion":"1.0","type":"t","source":"s","id":"1","data":{text}}}"#),
        _ => text,
    }
}

/// Real records, and generated ones.
fn records() -> Vec<Json> {
    let mut records = Vec::new();
    for message in Generator::new(7, Options::usual(START)).take(12) {
        let message: Json = serde_json::from_slice(&message.bytes).unwrap();
        records.extend(message["records"].as_array().unwrap().iter().cloned());
    }
    let Some(corpus) = corpus() else {
        return records;
    };
    for line in lines(&corpus.join("events")) {
        let line: Json = serde_json::from_str(&line).unwrap();
        records.push(line.get("raw").cloned().unwrap_or(line));
    }
    records
}

fn samples() -> Vec<Sample> {
    let attributes = normalise::all();
    let decoder = Decoder::new(&attributes);
    let sample = |record: Json| {
        let mut named = vec![("user".to_owned(), "nobody".to_owned())];
        let text = record.to_string();
        let message = decoder.message(text.as_bytes(), Some(START));
        let mut records = decoder.records(&message);
        while let Some(record) = records.next() {
            let values = record
                .outcome
                .map_or(&[][..], |event| &event.whole().values);
            for (attribute, value) in attributes.list().iter().zip(values) {
                let text = match value {
                    Some(Value::Text(text)) => text.to_string(),
                    Some(Value::Integer(number)) => number.to_string(),
                    Some(Value::Float(_) | Value::Bool(_) | Value::Many(_)) | None => continue,
                };
                named.push((attribute.to_string(), text));
            }
        }
        Sample { record, named }
    };
    records().into_iter().map(sample).collect()
}

fn corpus() -> Option<PathBuf> {
    std::env::var_os("WATCHFIRE_CORPUS").map(PathBuf::from)
}

fn lines(folder: &Path) -> Vec<String> {
    let files = fs::read_dir(folder).unwrap();
    let mut files: Vec<PathBuf> = files.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|ending| ending == "ndjson"));
    files.sort();
    let texts = files.iter().map(|path| fs::read_to_string(path).unwrap());
    texts
        .flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>())
        .collect()
}

/// Rules in both forms.
struct RuleSet {
    matcher: Matcher,
    rules: Vec<Rule>,
    attributes: Attributes,
    decoder: Decoder,
    text: String,
}

impl RuleSet {
    /// `None`: they are not valid.
    fn of(text: &str) -> Option<RuleSet> {
        let texts = Texts {
            rules: vec![("rules.yaml".to_owned(), text.to_owned())],
            ..Texts::default()
        };
        let plan = cli::backtest::rules::plan_of(&texts).ok()?;
        let mut attributes = Attributes::default();
        let (rules, _) = texts.parse(&mut attributes).ok()?;
        Some(RuleSet {
            matcher: Matcher::new(&plan),
            rules,
            decoder: Decoder::new(&attributes),
            attributes,
            text: text.to_owned(),
        })
    }

    fn random(rng: &mut Rng, samples: &[Sample]) -> RuleSet {
        let mut texts = Vec::new();
        while texts.len() < RULES {
            let number = texts.len();
            let count = 1 + rng.below(2);
            let patterns = (0..count).map(|pattern| {
                let filter = valid(rng, samples);
                let filter = serde_json::to_string(&filter).unwrap();
                format!("  - name: P{pattern}\n    where: {filter}\n    group_by: [user]\n")
            });
            let patterns: String = patterns.collect();
            let text =
                format!("id: R{number}\nname: n\nseverity: 5\nwindow: 5m\npatterns:\n{patterns}");
            texts.push(text);
        }
        RuleSet::of(&texts.join("---\n")).expect("each is valid")
    }

    fn compare(&mut self, message: &[u8]) -> Result<usize, String> {
        let mut found: Vec<Passed> = Vec::new();
        let read = self.matcher.message(message, Some(START));
        let mut records = self.matcher.records(&read);
        while let Some(record) = records.next() {
            if let Found::Event { matched, .. } = record.outcome {
                let matches = matched.iter().flat_map(|record| &record.matches);
                let passed = matches.flat_map(|one| {
                    let patterns = one.patterns.iter();
                    patterns.map(|pattern| (one.rule, pattern.pattern))
                });
                found.push(passed.collect());
            }
        }
        let wanted = self.wanted(message);
        if found == wanted {
            return Ok(wanted.iter().map(Passed::len).sum());
        }
        let mut each = wanted.iter().zip(&found);
        let differ = each.find(|(wanted, found)| wanted != found);
        Err(format!(
            "{differ:?} in {}\nof\n{}",
            String::from_utf8_lossy(message),
            self.text
        ))
    }

    /// What a look at every filter finds, by record.
    fn wanted(&self, message: &[u8]) -> Vec<Passed> {
        let mut wanted: Vec<Passed> = Vec::new();
        let message = self.decoder.message(message, Some(START));
        let mut records = self.decoder.records(&message);
        while let Some(record) = records.next() {
            if let Ok(event) = record.outcome.map(Draft::whole) {
                let rules = (0..).zip(&self.rules);
                let passed = rules.flat_map(|(rule, found)| {
                    let patterns = (0..).zip(&found.patterns);
                    let passed = patterns.filter(|(_, pattern)| pattern.filter.matches(event));
                    passed.map(move |(pattern, _)| (rule, pattern))
                });
                wanted.push(passed.collect());
            }
        }
        wanted
    }
}

/// A filter that the language takes.
fn valid(rng: &mut Rng, samples: &[Sample]) -> String {
    loop {
        let filter = filter(rng, samples, 3);
        if Filter::parse(&filter, &mut Attributes::default()).is_ok() {
            return filter;
        }
    }
}

/// A filter about what stands in records.
fn filter(rng: &mut Rng, samples: &[Sample], depth: u32) -> String {
    if depth > 0 && rng.one_in(2) {
        let parts = 2 + rng.below(2);
        let parts: Vec<String> = (0..parts)
            .map(|_| filter(rng, samples, depth - 1))
            .collect();
        let joined = parts.join(*rng.choose(&[" AND ", " AND ", " OR "]));
        return match rng.one_in(5) {
            true => format!("NOT ({joined})"),
            false => format!("({joined})"),
        };
    }
    let sample = rng.choose(samples);
    let (name, text) = match rng.one_in(2) {
        true => rng.choose(&sample.named).clone(),
        false => path(rng, &sample.record),
    };
    test(rng, &name, &text)
}

/// A path into a record, and what stands there.
fn path(rng: &mut Rng, record: &Json) -> (String, String) {
    let mut name = "record".to_owned();
    let mut at = record;
    loop {
        at = match at {
            Json::Object(_) if name != "record" && rng.one_in(12) => return (name, at.to_string()),
            Json::Object(members) if !members.is_empty() => {
                let place = rng.index(members.len());
                let (key, value) = members.iter().nth(place).unwrap();
                let key = key.replace('\\', "\\\\").replace('"', "\\\"");
                name += &format!(".\"{key}\"");
                value
            }
            Json::Array(values) if !values.is_empty() => rng.choose(values),
            Json::String(text) => return (name, text.clone()),
            other => return (name, other.to_string()),
        };
    }
}

/// A test of an attribute that may have this value.
fn test(rng: &mut Rng, name: &str, text: &str) -> String {
    let whole = match rng.below(6) {
        0 => text.to_ascii_uppercase(),
        1 => format!("{text}x"),
        _ => text.to_owned(),
    };
    let (whole, part) = (quoted(&whole), part(rng, text));
    let number = text.parse::<f64>().unwrap_or(7.0);
    match rng.below(17) {
        0..3 => format!("{name} = {whole}"),
        3 => format!("{name} != {whole}"),
        4 => format!("{name} IN ({whole}, \"other\", {number})"),
        5 => format!("{name} NOT IN ({whole}, {})", quoted(&part)),
        6 => format!("{name} CONTAIN {}", quoted(&part)),
        7 => format!("{name} NOT CONTAIN {}", quoted(&part)),
        8 => {
            let mut ends = 1..=text.len().min(9);
            let begin = ends.rfind(|end| text.is_char_boundary(*end)).unwrap_or(0);
            format!("{name} STARTS_WITH {}", quoted(&text[..begin]))
        }
        9 => {
            let begin = text.char_indices().nth_back(4).map_or(0, |(at, _)| at);
            format!("{name} ENDS_WITH {}", quoted(&text[begin..]))
        }
        10 | 11 => format!("{name} REGEXP {}", quoted(&regexp(rng, &part))),
        12 => format!(
            "{name} {} {number}",
            rng.choose(&["=", ">", "<", ">=", "<="])
        ),
        13 => format!("{name} IS {}NULL", rng.choose(&["", "NOT "])),
        14 => format!("LEN({name}) > {}", rng.below(20)),
        15 => format!("TO_UPPER({name}) = {whole}"),
        _ => match text.parse::<std::net::Ipv4Addr>() {
            Ok(address) => format!("{name} = cidr(\"{address}/{}\")", rng.below(33)),
            Err(_) => format!("EXTRACT({name}, {}) IS NOT NULL", quoted("([a-m]+)")),
        },
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// A part of a text, perhaps in another case.
fn part(rng: &mut Rng, text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let begin = rng.index(chars.len().max(1));
    let length = 1 + rng.index(12);
    let part: String = chars.iter().skip(begin).take(length).collect();
    match rng.below(3) {
        0 => part.to_ascii_uppercase(),
        1 => part.to_lowercase(),
        _ => part,
    }
}

fn regexp(rng: &mut Rng, part: &str) -> String {
    let mut escaped = String::new();
    for char in part.chars() {
        if char.is_ascii_punctuation() {
            escaped.push('\\');
        }
        escaped.push(char);
    }
    match rng.below(9) {
        0 => format!("^{escaped}"),
        1 => format!("{escaped}$"),
        2 => format!("(nothing|{escaped})"),
        3 => format!("({escaped})?[a-z]"),
        4 => format!("{escaped}.*[0-9]"),
        5 => format!("\\w+{escaped}"),
        6 => format!("(?:{escaped}|[0-9]{{5}})"),
        7 => format!("({escaped}){{1,2}}"),
        _ => escaped,
    }
}

/// Changes a value somewhere in a record.
fn change(rng: &mut Rng, record: &mut Json) {
    match record {
        Json::Object(members) if !members.is_empty() => {
            let place = rng.index(members.len());
            change(rng, members.values_mut().nth(place).unwrap());
        }
        Json::Array(values) if !values.is_empty() => {
            let place = rng.index(values.len());
            change(rng, &mut values[place]);
        }
        Json::String(text) => {
            *record = match rng.below(8) {
                0 => Json::String(text.to_ascii_uppercase()),
                1 => Json::String(text.replace('k', "\u{212a}").replace('s', "\u{17f}")),
                2 => serde_json::json!([text, "other", 7]),
                3 => Json::String(text.repeat(1 + 70_000 / text.len().max(1))),
                4 => Json::String(format!("{{\"within\": {}}}", Json::String(text.clone()))),
                5 => Json::Null,
                6 => serde_json::json!(rng.below(20)),
                _ => Json::String(format!("7{text}")),
            };
        }
        other => *other = serde_json::json!(rng.below(20).to_string()),
    }
}
