//! What the stages tell the operator.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::behind::Behind;
use super::clock;
use super::histogram::Histogram;
use super::history::{History, Trouble, What};
use super::kafka::client::lock;
use super::kafka::group::Partition;
use super::kafka::sink::Undone;
use super::latest::Latest;
use crate::config::{Config, Delivery};
use crate::detect::kinds::Kinds;
use crate::detect::watched::{OfRule, Watched};
use crate::fold::state;
use crate::plan::Plan;
use crate::record::Hash;
use crate::stopwatch::Nanos;
use crate::time::{Millis, Second};
use crate::{detect, time};

/// What the first stage tells.
#[derive(Clone, Debug, Default)]
pub struct Detecting {
    /// Source partitions that it reads.
    pub partitions: usize,
    /// What went through.
    pub counts: detect::Counts,
    /// Records written to the dead-letter topic, by reason.
    pub dead_letters: BTreeMap<&'static str, u64>,
    /// Commits that succeeded.
    pub commits: u64,
    /// How often work was dropped and done again.
    pub recoveries: u64,
    /// How often a source partition was found to be another log.
    pub replaced: u64,
    /// Messages that may have been read of the log before it.
    pub perhaps_again: u64,
    /// Of what stood in the sources at the last look: messages still to be read. `None`: the group
    /// has not given us anything yet.
    pub lag: Option<i64>,
    /// The same of each partition.
    pub lags: BTreeMap<Partition, i64>,
    /// What was seen of each rule, by its id.
    pub rules: BTreeMap<Arc<str>, OfRule>,
    /// Which data came.
    pub kinds: Kinds,
    /// How long commits took.
    pub committing: Histogram,
    /// The id by which the group of this stage knows the worker.
    pub member: Option<String>,
}

/// What the second stage tells.
#[derive(Clone, Debug, Default)]
pub struct Correlating {
    /// Matches partitions that it folds.
    pub partitions: usize,
    /// What the folds counted.
    pub counts: state::Counts,
    /// Commits that succeeded.
    pub commits: u64,
    /// How often work was dropped and done again.
    pub recoveries: u64,
    /// Partitions that still fold what was committed before.
    pub recovering: usize,
    /// Of what stood in the matches topic at the last look: messages still to be folded. `None`:
    /// the group has not given us anything yet.
    pub lag: Option<i64>,
    /// The least watermark of the partitions; `None`: one has none.
    pub watermark: Option<Second>,
    /// The source partition that holds it back.
    pub held_back_by: Option<(String, u32, Option<Millis>)>,
    /// Publications that were committed, by rule and status.
    pub said: Said,
    /// What rules under test have said, published or not, by rule and status.
    pub tested: Said,
    /// Incidents that exceptions covered, by rule.
    pub excepted: BTreeMap<Arc<str>, u64>,
    /// When each rule last said something.
    pub said_at: BTreeMap<Arc<str>, Millis>,
    /// What was published last.
    pub latest: Latest,
    /// How long keys took, about, by the fingerprint of their rule.
    pub times: BTreeMap<Hash, Nanos>,
    /// From the last event of an incident to the publication that says so first.
    pub latency: Histogram,
    /// How long commits took.
    pub committing: Histogram,
    /// Of what was committed before and is folded again: offsets that are left, and all.
    pub rebuilding: Option<(i64, i64)>,
}

impl Detecting {
    /// Adds what was seen of rules and kinds of data with this plan.
    pub fn watch(&mut self, plan: Option<&Plan>, watched: &Watched) {
        let rules = plan.iter().flat_map(|plan| &plan.rules);
        for ((loaded, _), seen) in rules.zip(&watched.rules) {
            let id = &loaded.labels.rule_id;
            match self.rules.get_mut(id) {
                Some(known) => known.add(*seen),
                None => {
                    self.rules.insert(Arc::clone(id), *seen);
                }
            }
        }
        self.kinds.append(watched.kinds.clone());
    }
}

/// How many publications there were, by rule and status.
pub type Said = BTreeMap<(Arc<str>, &'static str), u64>;

impl Correlating {
    /// How far time has come, and what holds it back.
    fn time(&self) -> (String, String) {
        let time = |millis: Option<Millis>| millis.map_or("none".to_owned(), time::rfc3339);
        let held_back_by = self.held_back_by.as_ref();
        let held_back_by = held_back_by.map_or("nothing".to_owned(), |held| {
            let (topic, partition, at) = held;
            format!("{topic}/{partition} at {}", time(*at))
        });
        (
            time(self.watermark.map(|second| second * 1000)),
            held_back_by,
        )
    }
}

/// What becomes of changes to the rules.
#[derive(Clone, Debug, Default)]
pub struct Reloading {
    /// The plan in use, and since when; `None`: there is none yet.
    pub plan: Option<(Arc<Plan>, Millis)>,
    /// The rule files had errors at the start: the rules are those that were used before.
    pub last_good: bool,
    /// Plans that other workers use.
    pub others: Vec<Hash>,
    /// How often other rules were put into use.
    pub reloads: u64,
    /// How often they were refused, and those in use stayed.
    pub refused: u64,
    /// Entries of the rules topic that no worker has written, as of the last look.
    pub entries_refused: u64,
}

/// Where the stages leave it.
#[derive(Debug, Default)]
pub struct Status {
    /// What went wrong.
    pub history: Mutex<History>,
    /// Of the rules.
    pub reloading: Mutex<Reloading>,
    /// Of the first stage.
    pub detecting: Mutex<Detecting>,
    /// Of the second stage.
    pub correlating: Mutex<Correlating>,
    /// Of both together.
    pub behind: Mutex<Behind>,
    /// Both groups have answered.
    pub answered: AtomicBool,
}

impl Reloading {
    /// The plan in use and those of others, as they are shown.
    fn shown(&self) -> (String, String) {
        let plan = self.plan.as_ref();
        let plan = plan.map_or_else(|| "none".to_owned(), |(plan, _)| plan.hash.short());
        let others: Vec<String> = self.others.iter().map(|hash| hash.short()).collect();
        match others.is_empty() {
            true => (plan, "none".to_owned()),
            false => (plan, others.join(",")),
        }
    }
}

impl Status {
    /// The first stage detects with this plan from now on.
    pub fn put_into_use(&self, plan: &Arc<Plan>) {
        lock(&self.reloading).plan = Some((Arc::clone(plan), clock::now()));
    }

    /// Notes that something went wrong so often.
    pub fn trouble(&self, trouble: Trouble, what: What<'_>, count: u64) {
        lock(&self.history).note(trouble, what, count, clock::now());
    }

    /// Keeps that a commit did not come about, unless that is a part of moving partitions.
    pub fn undone(&self, why: &Undone) {
        match why {
            Undone::Moving(_) => (),
            Undone::Failed(first) => {
                let what = What { about: "", first };
                self.trouble(Trouble::DoneAgain, what, 1);
            }
        }
    }

    /// Why the worker does not do yet what it is there for; `None`: it does.
    pub fn not_ready(&self) -> Option<String> {
        if !self.answered.load(Ordering::Acquire) {
            return Some("the groups have not answered yet".to_owned());
        }
        let plan = lock(&self.reloading).plan.clone();
        if plan.is_some_and(|(plan, _)| plan.rules.is_empty()) {
            return Some("no rule is in use".to_owned());
        }
        match lock(&self.correlating).recovering {
            0 => None,
            n => Some(format!("{n} partitions fold what was committed before")),
        }
    }

    /// Writes everything as one line of the log.
    pub fn log(&self, config: &Config, delivery: Delivery) {
        let detecting = lock(&self.detecting).clone();
        let correlating = lock(&self.correlating).clone();
        let reloading = lock(&self.reloading).clone();
        let (plan, others) = reloading.shown();
        let behind = lock(&self.behind).by(clock::instant());
        let (source_lag, matches_lag) = (detecting.lag, correlating.lag);
        let lag = source_lag.zip(matches_lag).map(|(one, other)| one + other);
        let caught_up = behind.is_some_and(|behind| behind <= close(config.watermark_interval));
        let (watermark, held_back_by) = correlating.time();
        tracing::info!(
            delivery = delivery.name(),
            source_partitions = detecting.partitions,
            messages = detecting.counts.messages,
            passed_over = detecting.counts.passed_over,
            records = detecting.counts.records,
            bytes = detecting.counts.bytes,
            matches = detecting.counts.matches,
            rejected = detecting.counts.rejected,
            dead_letters = detecting.dead_letters.values().sum::<u64>(),
            dead_letters_by_reason = by_reason(&detecting.dead_letters),
            hidden_values = detecting.counts.hidden,
            unmended = detecting.counts.unmended,
            unrecognised = detecting.counts.unrecognised,
            future = detecting.counts.future,
            values_cut = detecting.counts.cut,
            partly_matched = detecting.counts.partly_matched,
            many_values = detecting.counts.many_values,
            lag,
            source_lag,
            matches_lag,
            caught_up,
            seconds_behind = behind.map(|behind| behind.as_secs()),
            commits = detecting.commits + correlating.commits,
            recoveries = detecting.recoveries + correlating.recoveries,
            sources_replaced = detecting.replaced,
            perhaps_again = detecting.perhaps_again,
            matches_partitions = correlating.partitions,
            recovering = correlating.recovering,
            folded = correlating.counts.messages,
            repeated = correlating.counts.repeated,
            late = correlating.counts.late,
            capped = correlating.counts.capped,
            future_by_broker = correlating.counts.future,
            matches_refused = correlating.counts.refused,
            rules_refused = reloading.entries_refused,
            incidents = correlating.counts.published,
            evidence_full = correlating.counts.evidence_full,
            truncated = correlating.counts.truncated,
            plan,
            other_plans = others,
            rules_from = match reloading.last_good {
                true => "last_good",
                false => "files",
            },
            rule_reloads = reloading.reloads,
            rule_reloads_refused = reloading.refused,
            watermark,
            held_back_by,
            "status"
        );
    }
}

/// How far behind a worker may be that has caught up: each stage looks at its ends once in
/// `interval`, and has little to do until it has reached them.
pub fn close(interval: Duration) -> Duration {
    5 * interval + Duration::from_secs(1)
}

/// Counts as `reason=count`, in order of the reasons.
fn by_reason(counts: &BTreeMap<&'static str, u64>) -> String {
    let counts = counts.iter().map(|(reason, n)| format!("{reason}={n}"));
    let counts: Vec<String> = counts.collect();
    match counts.is_empty() {
        true => "none".to_owned(),
        false => counts.join(" "),
    }
}

/// Adds the counts of one partition's fold.
pub fn add_fold(total: &mut state::Counts, more: state::Counts) {
    total.messages += more.messages;
    total.matches += more.matches;
    total.repeated += more.repeated;
    total.late += more.late;
    total.capped += more.capped;
    total.future += more.future;
    total.published += more.published;
    total.evidence_full += more.evidence_full;
    total.truncated += more.truncated;
    total.refused += more.refused;
}
