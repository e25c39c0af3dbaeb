//! What the worker tells of itself, as Prometheus reads it (the text form of OpenMetrics 1.0).
//!
//! Labels are bounded: topics and partitions that the worker reads, reasons of the decoder, rules
//! in use, stages.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _, MetricEncoder, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use super::asked::{Asked, evaluated_through};
use super::clock;
use super::histogram::Histogram;
use super::history::Trouble;
use super::kafka::client::{Health, lock};
use super::status::{Correlating, Detecting, Reloading, Said, Status};
use crate::detect::watched;
use crate::plan::Plan;
use crate::stopwatch::Nanos;
use crate::time::Millis;
use crate::version;

/// The form in which they are served.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Bytes of a label's value.
const LABEL_MAX: usize = 256;

/// What the families are read from, at one moment.
pub struct Seen {
    app: String,
    detecting: Detecting,
    correlating: Correlating,
    reloading: Reloading,
    behind: Option<Duration>,
    is_ready: bool,
    are_brokers_up: bool,
    rules: Vec<OfRule>,
    troubles: BTreeMap<&'static str, Troubles>,
    /// Milliseconds.
    now: i64,
    process: Process,
}

/// What the system says of the process.
#[derive(Clone, Copy, Debug, Default)]
pub struct Process {
    /// Memory that it has.
    pub resident_bytes: Option<u64>,
    /// Processor time that it has taken.
    pub cpu_seconds: Option<f64>,
}

/// What is known of a rule in use.
struct OfRule {
    id: Arc<str>,
    seen: watched::OfRule,
    /// In nanoseconds.
    folded: Nanos,
    /// In seconds since 1970.
    evaluated_through: Option<i64>,
    /// Names of its patterns, and when data last came that they may match.
    patterns: Vec<(Arc<str>, Option<Millis>)>,
}

/// What is kept of one kind of trouble.
#[derive(Clone, Copy, Default)]
struct Troubles {
    count: u64,
    last: Millis,
}

/// One value of a family.
struct Sample {
    labels: Vec<(&'static str, String)>,
    value: Number,
}

#[derive(Clone, Copy)]
enum Number {
    Count(u64),
    /// Of something that grows and is no whole number.
    Sum(f64),
    Gauge(f64),
    Spread(Histogram),
}

/// A family of metrics.
pub struct Family {
    /// Its name; that of a counter is followed by `_total`.
    pub name: &'static str,
    /// What it tells.
    pub about: &'static str,
    kind: Kind,
    read: fn(&Seen) -> Vec<Sample>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Counter,
    Gauge,
    Histogram,
}

impl Family {
    /// The name under which its values are found.
    pub fn series(&self) -> String {
        match self.kind {
            Kind::Counter => format!("{}_total", self.name),
            Kind::Gauge | Kind::Histogram => self.name.to_owned(),
        }
    }
}

const fn counter(
    name: &'static str,
    about: &'static str,
    read: fn(&Seen) -> Vec<Sample>,
) -> Family {
    Family {
        name,
        about,
        kind: Kind::Counter,
        read,
    }
}

const fn gauge(name: &'static str, about: &'static str, read: fn(&Seen) -> Vec<Sample>) -> Family {
    Family {
        name,
        about,
        kind: Kind::Gauge,
        read,
    }
}

const fn histogram(
    name: &'static str,
    about: &'static str,
    read: fn(&Seen) -> Vec<Sample>,
) -> Family {
    Family {
        name,
        about,
        kind: Kind::Histogram,
        read,
    }
}

fn count(value: u64) -> Vec<Sample> {
    vec![Sample {
        labels: Vec::new(),
        value: Number::Count(value),
    }]
}

fn some(value: Option<f64>) -> Vec<Sample> {
    let samples = value.into_iter().map(|value| Sample {
        labels: Vec::new(),
        value: Number::Gauge(value),
    });
    samples.collect()
}

fn one(value: f64) -> Vec<Sample> {
    some(Some(value))
}

fn with(labels: &[(&'static str, &str)], value: Number) -> Sample {
    Sample {
        labels: labels
            .iter()
            .map(|(name, value)| (*name, escaped(value)))
            .collect(),
        value,
    }
}

fn by_rule_and_status(said: &Said) -> Vec<Sample> {
    let samples = said
        .iter()
        .map(|((rule, status), n)| with(&[("rule", rule), ("status", status)], Number::Count(*n)));
    samples.collect()
}

/// The same of both stages.
fn by_stage(detect: Number, correlate: Number) -> Vec<Sample> {
    vec![
        with(&[("stage", "detect")], detect),
        with(&[("stage", "correlate")], correlate),
    ]
}

/// The same of every rule in use of which it is known.
fn by_rule(seen: &Seen, read: impl Fn(&OfRule) -> Option<Number>) -> Vec<Sample> {
    let rules = seen.rules.iter();
    let samples = rules.filter_map(|rule| Some(with(&[("rule", &rule.id)], read(rule)?)));
    samples.collect()
}

fn by_pattern(rule: &OfRule) -> impl Iterator<Item = Sample> {
    rule.patterns.iter().filter_map(|(pattern, latest)| {
        let labels = [("rule", &*rule.id), ("pattern", pattern)];
        Some(with(&labels, at(*latest)?))
    })
}

fn by_trouble(seen: &Seen, read: impl Fn(&Troubles) -> Number) -> Vec<Sample> {
    let troubles = seen.troubles.iter();
    let samples = troubles.map(|(kind, troubles)| with(&[("kind", kind)], read(troubles)));
    samples.collect()
}

/// A time in seconds since 1970.
fn at(millis: Option<Millis>) -> Option<Number> {
    millis.map(|millis| Number::Gauge(millis as f64 / 1000.0))
}

fn seconds(nanos: Nanos) -> Number {
    Number::Sum(nanos as f64 / 1e9)
}

fn lag(of: Option<i64>) -> Number {
    Number::Gauge(of.unwrap_or_default() as f64)
}

/// Every family, in the order of the documentation.
pub const FAMILIES: [Family; 55] = [
    gauge(
        "watchfire_build",
        "Always 1; the version is a label.",
        |seen| {
            vec![with(
                &[("version", version::VERSION), ("app", &seen.app)],
                Number::Gauge(1.0),
            )]
        },
    ),
    gauge(
        "watchfire_ready",
        "1 when both groups have answered and what was committed before is folded.",
        |seen| one(f64::from(u8::from(seen.is_ready))),
    ),
    gauge(
        "watchfire_brokers_up",
        "0 while no broker answers.",
        |seen| one(f64::from(u8::from(seen.are_brokers_up))),
    ),
    gauge(
        "watchfire_partitions",
        "Partitions that a stage reads.",
        |seen| {
            by_stage(
                Number::Gauge(seen.detecting.partitions as f64),
                Number::Gauge(seen.correlating.partitions as f64),
            )
        },
    ),
    gauge(
        "watchfire_lag_messages",
        "Messages that stood in a stage's topics at its last look and are still to be worked off.",
        |seen| by_stage(lag(seen.detecting.lag), lag(seen.correlating.lag)),
    ),
    gauge(
        "watchfire_source_lag_messages",
        "The same of each source partition.",
        |seen| {
            let lags = seen.detecting.lags.iter();
            let samples = lags.map(|((topic, partition), lag)| {
                let partition = partition.to_string();
                let labels = [("topic", topic.as_str()), ("partition", &partition)];
                with(&labels, Number::Gauge(*lag as f64))
            });
            samples.collect()
        },
    ),
    gauge(
        "watchfire_behind_seconds",
        "How old the newest is of what is certainly worked off by both stages.",
        |seen| some(seen.behind.map(|behind| behind.as_secs_f64())),
    ),
    gauge(
        "watchfire_watermark_timestamp_seconds",
        "How far event time has come, over all partitions, in seconds since 1970.",
        |seen| some(seen.correlating.watermark.map(|second| second as f64)),
    ),
    gauge(
        "watchfire_watermark_delay_seconds",
        "By how much that is before now.",
        |seen| {
            let delay = |second: i64| seen.now as f64 / 1000.0 - second as f64;
            some(seen.correlating.watermark.map(delay))
        },
    ),
    gauge(
        "watchfire_watermark_held_back_by",
        "Always 1; the source partition that holds the watermark back is its labels.",
        |seen| {
            let held = seen.correlating.held_back_by.iter();
            let samples = held.map(|(topic, partition, _)| {
                let partition = partition.to_string();
                let labels = [("topic", topic.as_str()), ("partition", &partition)];
                with(&labels, Number::Gauge(1.0))
            });
            samples.collect()
        },
    ),
    counter("watchfire_messages", "Source messages read.", |seen| {
        count(seen.detecting.counts.messages)
    }),
    counter(
        "watchfire_messages_passed_over",
        "Those of them in which no record could match, of which all records were not read.",
        |seen| count(seen.detecting.counts.passed_over),
    ),
    counter("watchfire_bytes", "Bytes of them.", |seen| {
        count(seen.detecting.counts.bytes)
    }),
    counter("watchfire_records", "Records in them.", |seen| {
        count(seen.detecting.counts.records)
    }),
    counter(
        "watchfire_records_refused",
        "Records written to the dead-letter topic, by reason.",
        |seen| {
            let letters = seen.detecting.dead_letters.iter();
            let samples = letters.map(|(reason, n)| with(&[("reason", reason)], Number::Count(*n)));
            samples.collect()
        },
    ),
    counter(
        "watchfire_records_unrecognised",
        "Records of which nothing but a time is known.",
        |seen| count(seen.detecting.counts.unrecognised),
    ),
    counter(
        "watchfire_records_future",
        "Records whose time lay in the future.",
        |seen| count(seen.detecting.counts.future),
    ),
    counter(
        "watchfire_records_partly_matched",
        "Records with a value of which a regular expression saw the beginning only.",
        |seen| count(seen.detecting.counts.partly_matched),
    ),
    counter(
        "watchfire_records_many_values",
        "Records with more values than groups and keys count.",
        |seen| count(seen.detecting.counts.many_values),
    ),
    counter(
        "watchfire_records_unmended",
        "Broken records that were not mended, for their message had asked for too much of that.",
        |seen| count(seen.detecting.counts.unmended),
    ),
    counter(
        "watchfire_values_hidden",
        "Values left out, for they are nested too deep in a text that was read as JSON.",
        |seen| count(seen.detecting.counts.hidden),
    ),
    counter(
        "watchfire_values_cut",
        "Values of matches that were too long and are cut.",
        |seen| count(seen.detecting.counts.cut),
    ),
    counter(
        "watchfire_matches",
        "Matches: one for each rule and key that a record belongs to.",
        |seen| count(seen.detecting.counts.matches),
    ),
    counter(
        "watchfire_matches_folded",
        "Matches that were folded, also those that were folded before a restart.",
        |seen| count(seen.correlating.counts.matches),
    ),
    counter(
        "watchfire_matches_repeated",
        "Matched records dropped because their position had been passed.",
        |seen| count(seen.correlating.counts.repeated),
    ),
    counter(
        "watchfire_matches_late",
        "Matches further behind the watermark than lateness.",
        |seen| count(seen.correlating.counts.late),
    ),
    counter(
        "watchfire_windows_capped",
        "Windows with more different values than are counted exactly.",
        |seen| count(seen.correlating.counts.capped),
    ),
    counter(
        "watchfire_messages_not_ours",
        "Messages of the matches topic that no worker has written, passed over.",
        |seen| count(seen.correlating.counts.refused),
    ),
    counter(
        "watchfire_incidents",
        "Publications, by rule and status.",
        |seen| by_rule_and_status(&seen.correlating.said),
    ),
    counter(
        "watchfire_incidents_test",
        "What rules under test have said, published or not, by rule and status.",
        |seen| by_rule_and_status(&seen.correlating.tested),
    ),
    counter(
        "watchfire_incidents_excepted",
        "Incidents that are not said, as exceptions cover them, by rule; each once.",
        |seen| {
            let excepted = seen.correlating.excepted.iter();
            let samples = excepted.map(|(rule, n)| with(&[("rule", rule)], Number::Count(*n)));
            samples.collect()
        },
    ),
    counter(
        "watchfire_incidents_truncated",
        "Publications of which something is cut.",
        |seen| count(seen.correlating.counts.truncated),
    ),
    counter("watchfire_commits", "Commits that came about.", |seen| {
        by_stage(
            Number::Count(seen.detecting.commits),
            Number::Count(seen.correlating.commits),
        )
    }),
    counter(
        "watchfire_recoveries",
        "How often work was dropped and done again, for a commit did not come about.",
        |seen| {
            by_stage(
                Number::Count(seen.detecting.recoveries),
                Number::Count(seen.correlating.recoveries),
            )
        },
    ),
    gauge(
        "watchfire_partitions_recovering",
        "Partitions that still fold what was committed before.",
        |seen| one(seen.correlating.recovering as f64),
    ),
    counter(
        "watchfire_sources_replaced",
        "How often a source partition was found to be another log than the one that was read.",
        |seen| count(seen.detecting.replaced),
    ),
    gauge(
        "watchfire_plan",
        "Always 1; the plan in use is a label, and how many rules it has.",
        |seen| {
            let plan = seen.reloading.plan.iter();
            let samples = plan.map(|(plan, _)| {
                let (hash, rules) = (plan.hash.short(), plan.rules.len().to_string());
                with(&[("plan", &hash), ("rules", &rules)], Number::Gauge(1.0))
            });
            samples.collect()
        },
    ),
    gauge(
        "watchfire_other_plans",
        "Plans that other workers of the group use.",
        |seen| one(seen.reloading.others.len() as f64),
    ),
    counter(
        "watchfire_rule_reloads_refused",
        "Changes of the rules that were refused; those in use stayed.",
        |seen| count(seen.reloading.refused),
    ),
    counter(
        "watchfire_rule_matches",
        "Matches of each rule in use.",
        |seen| by_rule(seen, |rule| Some(Number::Count(rule.seen.matches))),
    ),
    gauge(
        "watchfire_rule_last_match_timestamp_seconds",
        "The greatest event time of a match of each rule, in seconds since 1970.",
        |seen| by_rule(seen, |rule| at(rule.seen.latest)),
    ),
    gauge(
        "watchfire_rule_data_last_seen_timestamp_seconds",
        "When data last came that a pattern of a rule may match, by event time; absent: never.",
        |seen| seen.rules.iter().flat_map(by_pattern).collect(),
    ),
    gauge(
        "watchfire_rule_evaluated_through_timestamp_seconds",
        "Up to which event time all is said that a rule can say, in seconds since 1970.",
        |seen| {
            let second = |rule: &OfRule| Some(Number::Gauge(rule.evaluated_through? as f64));
            by_rule(seen, second)
        },
    ),
    counter(
        "watchfire_rule_filter_seconds",
        "Processor time that the filters of each rule took, from samples.",
        |seen| by_rule(seen, |rule| Some(seconds(rule.seen.filter))),
    ),
    counter(
        "watchfire_rule_fold_seconds",
        "Processor time that correlation for each rule took, from samples.",
        |seen| by_rule(seen, |rule| Some(seconds(rule.folded))),
    ),
    gauge(
        "watchfire_data_kinds",
        "Kinds of data, by event type and category, that have come; at most 1024.",
        |seen| one(seen.detecting.kinds.each().count() as f64),
    ),
    counter(
        "watchfire_data_untold",
        "Events of more kinds than are told apart: when data last came may be later then.",
        |seen| count(seen.detecting.kinds.others),
    ),
    histogram(
        "watchfire_incident_latency_seconds",
        "From the last event of a new incident to the commit that says so.",
        |seen| vec![with(&[], Number::Spread(seen.correlating.latency))],
    ),
    histogram(
        "watchfire_commit_seconds",
        "How long commits took, by stage.",
        |seen| {
            by_stage(
                Number::Spread(seen.detecting.committing),
                Number::Spread(seen.correlating.committing),
            )
        },
    ),
    gauge(
        "watchfire_rebuild_offsets",
        "Offsets of the matches topic that are folded again, all together, while some are.",
        |seen| some(seen.correlating.rebuilding.map(|(_, all)| all as f64)),
    ),
    gauge(
        "watchfire_rebuild_offsets_left",
        "How many of them are left.",
        |seen| some(seen.correlating.rebuilding.map(|(left, _)| left as f64)),
    ),
    gauge(
        "watchfire_troubles",
        "What went wrong, by kind, as far as the state directory keeps it, restarts included.",
        |seen| by_trouble(seen, |troubles| Number::Gauge(troubles.count as f64)),
    ),
    gauge(
        "watchfire_trouble_last_timestamp_seconds",
        "When it last did, in seconds since 1970.",
        |seen| {
            by_trouble(seen, |troubles| {
                Number::Gauge(troubles.last as f64 / 1000.0)
            })
        },
    ),
    gauge(
        "process_resident_memory_bytes",
        "Memory that the process has.",
        |seen| some(seen.process.resident_bytes.map(|bytes| bytes as f64)),
    ),
    gauge(
        "process_cpu_seconds",
        "Processor time that the process has taken.",
        |seen| some(seen.process.cpu_seconds),
    ),
];

impl Seen {
    /// What there is to be seen now.
    pub fn now(app: &str, health: &Health, status: &Status, asked: &Mutex<Asked>) -> Seen {
        let is_ready = status.not_ready().is_none();
        // One lock after the other: within one expression all would be held to its end.
        let detecting = lock(&status.detecting).clone();
        let correlating = lock(&status.correlating).clone();
        let reloading = lock(&status.reloading).clone();
        let behind = lock(&status.behind).by(clock::instant());
        let mut asked = lock(asked);
        let plan = reloading.plan.as_ref().map(|(plan, _)| plan);
        asked.follow(plan, &detecting.kinds);
        let rules = rules(plan, &detecting, &correlating, &asked);
        Seen {
            rules,
            troubles: troubles(status),
            app: app.to_owned(),
            detecting,
            correlating,
            reloading,
            behind,
            is_ready,
            are_brokers_up: health.is_up(),
            now: clock::now(),
            process: Process::now(),
        }
    }

    /// As Prometheus reads it.
    pub fn text(self) -> Result<String, fmt::Error> {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Arc::new(self)));
        let mut written = String::new();
        text::encode(&mut written, &registry)?;
        Ok(written)
    }
}

/// The rules in use.
fn rules(
    plan: Option<&Arc<Plan>>,
    detecting: &Detecting,
    correlating: &Correlating,
    asked: &Asked,
) -> Vec<OfRule> {
    let rules = plan.iter().flat_map(|plan| &plan.rules).enumerate();
    let rules = rules.map(|(place, (loaded, _))| {
        let id = &loaded.labels.rule_id;
        let patterns = loaded.labels.patterns.iter().enumerate();
        let patterns = patterns.map(|(pattern, name)| {
            let latest = asked.latest(place, pattern);
            (Arc::clone(name), latest)
        });
        OfRule {
            id: Arc::clone(id),
            seen: detecting.rules.get(id).copied().unwrap_or_default(),
            folded: correlating
                .times
                .get(&loaded.fingerprint)
                .copied()
                .unwrap_or(0),
            evaluated_through: evaluated_through(loaded, correlating.watermark),
            patterns: patterns.collect(),
        }
    });
    rules.collect()
}

/// What is kept of troubles, by kind.
fn troubles(status: &Status) -> BTreeMap<&'static str, Troubles> {
    let none = Trouble::ALL.map(|trouble| (trouble.name(), Troubles::default()));
    let mut troubles = BTreeMap::from(none);
    for entry in lock(&status.history).entries() {
        let of_kind = troubles.entry(entry.trouble.name()).or_default();
        of_kind.count += entry.count;
        of_kind.last = of_kind.last.max(entry.to);
    }
    troubles
}

impl Process {
    /// As it is now.
    #[cfg(target_os = "linux")]
    pub fn now() -> Process {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let resident = resident.and_then(|text| text.split_whitespace().next()?.parse().ok());
        let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
        // The name of the program, in parentheses, may have blanks; the times are fields 14 and 15,
        // in hundredths of a second.
        let fields = stat.rsplit(") ").next().unwrap_or_default();
        let times = fields.split_whitespace().skip(11).take(2);
        let ticks: Option<u64> = times.map(|ticks| ticks.parse::<u64>().ok()).sum();
        Process {
            resident_bytes: resident.map(|kilobytes: u64| kilobytes << 10),
            cpu_seconds: ticks.map(|ticks| ticks as f64 / 100.0),
        }
    }

    /// As it is now.
    #[cfg(not(target_os = "linux"))]
    pub fn now() -> Process {
        Process::default()
    }
}

impl fmt::Debug for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seen").finish_non_exhaustive()
    }
}

impl Collector for Seen {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for family in &FAMILIES {
            let kind = match family.kind {
                Kind::Counter => MetricType::Counter,
                Kind::Gauge => MetricType::Gauge,
                Kind::Histogram => MetricType::Histogram,
            };
            // The encoder ends it with a point itself.
            let about = family.about.trim_end_matches('.');
            let mut described = encoder.encode_descriptor(family.name, about, None, kind)?;
            let samples = (family.read)(self);
            match samples.as_slice() {
                [Sample { labels, value }] if labels.is_empty() => write(described, *value)?,
                several => {
                    for Sample { labels, value } in several {
                        write(described.encode_family(labels)?, *value)?;
                    }
                }
            }
        }
        Ok(())
    }
}

fn write(mut encoder: MetricEncoder<'_>, value: Number) -> fmt::Result {
    match value {
        Number::Count(value) => ConstCounter::new(value).encode(encoder),
        Number::Sum(value) => ConstCounter::new(value).encode(encoder),
        Number::Gauge(value) => ConstGauge::new(value).encode(encoder),
        Number::Spread(histogram) => {
            let (sum, count) = (histogram.sum(), histogram.count());
            encoder.encode_histogram::<NoLabels>(sum, count, &histogram.buckets(), None)
        }
    }
}

/// Those of exemplars, of which there are none.
type NoLabels = [(&'static str, String); 0];

/// A label's value as it is written between quotes: the encoder writes it as it is.
fn escaped(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    for char in text.chars() {
        if written.len() >= LABEL_MAX {
            break;
        }
        match char {
            '\\' => written.push_str("\\\\"),
            '"' => written.push_str("\\\""),
            '\n' => written.push_str("\\n"),
            other => written.push(other),
        }
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_lists_every_family() {
        let documented = include_str!("../../docs/metrics.md");
        for family in &FAMILIES {
            let row = format!("| `{}` | {} |", family.series(), family.about);
            assert!(documented.contains(&row), "docs/metrics.md lacks: {row}");
        }
        let rows = documented.lines().filter(|line| line.starts_with("| `"));
        assert_eq!(rows.count(), FAMILIES.len());
    }

    #[test]
    fn what_is_hostile_stays_within_its_quotes() {
        assert_eq!(escaped("a\"} 1\nb\\"), "a\\\"} 1\\nb\\\\");
        assert!(escaped(&"\n".repeat(1_000)).len() <= LABEL_MAX + 1);
    }

    #[test]
    fn a_page_of_metrics_has_each_family_once_and_ends() {
        let status = Status::default();
        {
            let mut detecting = lock(&status.detecting);
            detecting.dead_letters.insert("not-json", 2);
            detecting.lags.insert(("logs".to_owned(), 3), 7);
            let mut correlating = lock(&status.correlating);
            let hostile = "x\"} 1\n# EOF".into();
            correlating.said.insert((hostile, "OPEN"), 5);
        }
        let seen = Seen::now("app", &Health::unknown(), &status, &Mutex::default());
        let text = seen.text().unwrap();
        for line in [
            "watchfire_records_refused_total{reason=\"not-json\"} 2",
            "watchfire_source_lag_messages{topic=\"logs\",partition=\"3\"} 7.0",
            "watchfire_incidents_total{rule=\"x\\\"} 1\\n# EOF\",status=\"OPEN\"} 5",
            "watchfire_commits_total{stage=\"detect\"} 0",
            "watchfire_messages_total 0",
            "watchfire_ready 0.0",
            "watchfire_incident_latency_seconds_bucket{le=\"+Inf\"} 0",
            "watchfire_commit_seconds_count{stage=\"detect\"} 0",
            "watchfire_troubles{kind=\"not_running\"} 0.0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        assert_eq!(text.matches("# EOF").count(), 2, "{text}");
        assert!(text.ends_with("# EOF\n"));
        for family in &FAMILIES {
            let described = format!("# TYPE {} ", family.name);
            assert_eq!(text.matches(&described).count(), 1, "{described}");
        }
    }
}
