//! What the worker tells of itself as one JSON document, which the page shows. It is bounded: lists
//! have a greatest length, texts too, whatever stands in the stream. docs/page.md tells of it.

mod incidents;
mod rules;

use std::collections::BTreeMap;
use std::sync::Mutex;

use serde_json::{Value, json};

use super::asked::Asked;
use super::clock;
use super::history::Trouble;
use super::kafka::client::{Health, lock};
use super::metrics::Process;
use super::roster::{Answer, Listed};
use super::status::{self, Correlating, Detecting, Reloading, Status};
use crate::config::Config;
use crate::detect::prefilter::Validate;
use crate::time::Millis;
use crate::version;

/// The form of the document.
const FORMAT: u32 = 1;

/// So many partitions are listed, those with the most to be read first.
const PARTITIONS_MAX: usize = 100;

/// So many members of the group.
const MEMBERS_MAX: usize = 100;

/// So many other plans.
const PLANS_MAX: usize = 10;

/// Characters of a text.
const TEXT_MAX: usize = 200;

/// What the document is made of that lasts.
pub struct Overview {
    app: String,
    started: Millis,
    config: Config,
}

/// What is to be seen at one moment.
struct Seen<'s> {
    config: &'s Config,
    now: Millis,
    detecting: &'s Detecting,
    correlating: &'s Correlating,
    reloading: &'s Reloading,
    behind: Option<f64>,
}

/// How the worker does, in one word, and why.
struct Verdict {
    state: &'static str,
    why: String,
}

impl Overview {
    /// Of a worker that starts now.
    pub fn new(config: &Config) -> Overview {
        Overview {
            app: config.app.clone(),
            started: clock::now(),
            config: config.clone(),
        }
    }

    /// The document of this moment. `asked` is what was found out before.
    pub fn document(
        &self,
        health: &Health,
        status: &Status,
        asked: &Mutex<Asked>,
        group: &Answer,
    ) -> Value {
        // One lock after the other: within one expression all would be held to its end.
        let detecting = lock(&status.detecting).clone();
        let correlating = lock(&status.correlating).clone();
        let reloading = lock(&status.reloading).clone();
        let behind = lock(&status.behind).by(clock::instant());
        let seen = Seen {
            config: &self.config,
            now: clock::now(),
            detecting: &detecting,
            correlating: &correlating,
            reloading: &reloading,
            behind: behind.map(|behind| behind.as_secs_f64()),
        };
        let not_ready = status.not_ready();
        let verdict = seen.verdict(health, not_ready.as_deref());
        let plan = reloading.plan.as_ref().map(|(plan, _)| plan);
        let mut asked = lock(asked);
        asked.follow(plan, &detecting.kinds);
        json!({
            "format": FORMAT,
            "version": version::VERSION,
            "app": cut(&self.app),
            "now": seen.now,
            "started": self.started,
            "verdict": { "state": verdict.state, "why": verdict.why },
            "ready": not_ready.is_none(),
            "brokers_up": health.is_up(),
            "validate": match self.config.validate {
                Validate::All => "all",
                Validate::Matching => "matching",
            },
            "progress": seen.progress(),
            "sources": seen.sources(),
            "counts": seen.counts(),
            "rules": seen.rules(&asked),
            "data": seen.data(&asked),
            "incidents": incidents::listed(&correlating.latest),
            "plan": seen.plan(),
            "history": history(status),
            "group": members(group, detecting.member.as_deref()),
            "process": process(),
        })
    }
}

impl Seen<'_> {
    fn verdict(&self, health: &Health, not_ready: Option<&str>) -> Verdict {
        let verdict = |state, why: &str| Verdict {
            state,
            why: why.to_owned(),
        };
        let close = status::close(self.config.watermark_interval).as_secs_f64();
        match (not_ready, self.behind) {
            _ if health.stopping() => verdict("stopping", "It was asked to stop."),
            _ if !health.is_up() => verdict("brokers_away", "No broker answers."),
            (Some(why), _) if self.correlating.recovering > 0 => verdict("rebuilding", why),
            (Some(why), _) => verdict("starting", why),
            (None, None) => verdict(
                "catching_up",
                "It has not reached the end of its sources yet.",
            ),
            (None, Some(behind)) if behind > close => {
                verdict("catching_up", "More comes, or came, than is worked off.")
            }
            (None, Some(_)) => verdict("working", "All that has come is worked off."),
        }
    }

    fn progress(&self) -> Value {
        let held = self.correlating.held_back_by.as_ref();
        let held = held.map(|(topic, partition, time)| {
            json!({ "topic": cut(topic), "partition": partition, "time": time })
        });
        let watermark = self.correlating.watermark.map(|second| second * 1000);
        let delay = watermark.map(|watermark| (self.now - watermark) as f64 / 1000.0);
        let rebuilding = self.correlating.rebuilding.map(|(left, all)| {
            let partitions = self.correlating.recovering;
            json!({ "partitions": partitions, "offsets_left": left, "offsets": all })
        });
        let latency = &self.correlating.latency;
        json!({
            "behind_seconds": self.behind,
            "source_lag": self.detecting.lag,
            "matches_lag": self.correlating.lag,
            "watermark": watermark,
            "watermark_delay_seconds": delay,
            "held_back_by": held,
            "rebuilding": rebuilding,
            "latency": {
                "incidents": latency.count(),
                "half_below_seconds": latency.below(0.5),
                "most_below_seconds": latency.below(0.99),
            },
        })
    }

    fn sources(&self) -> Value {
        let mut lags: Vec<_> = self.detecting.lags.iter().collect();
        lags.sort_by_key(|(partition, lag)| (-**lag, *partition));
        let listed = lags.iter().take(PARTITIONS_MAX);
        let listed = listed.map(|((topic, partition), lag)| {
            json!({ "topic": cut(topic), "partition": partition, "lag": lag })
        });
        json!({ "total": lags.len(), "listed": listed.collect::<Vec<_>>() })
    }

    fn counts(&self) -> Value {
        let (detected, folded) = (&self.detecting.counts, &self.correlating.counts);
        json!({
            "messages": detected.messages,
            "passed_over": detected.passed_over,
            "records": detected.records,
            "bytes": detected.bytes,
            "matches": detected.matches,
            "incidents": folded.published,
            "dead_letters": self.detecting.dead_letters,
            "unrecognised": detected.unrecognised,
            "future": detected.future,
            "partly_matched": detected.partly_matched,
            "many_values": detected.many_values,
            "unmended": detected.unmended,
            "values_hidden": detected.hidden,
            "values_cut": detected.cut,
            "repeated": folded.repeated,
            "late": folded.late,
            "capped": folded.capped,
            "evidence_full": folded.evidence_full,
            "truncated": folded.truncated,
            "not_ours": folded.refused,
            "rules_entries_refused": self.reloading.entries_refused,
            "sources_replaced": self.detecting.replaced,
            "perhaps_again": self.detecting.perhaps_again,
            "recoveries": self.detecting.recoveries + self.correlating.recoveries,
            "commits": self.detecting.commits + self.correlating.commits,
        })
    }

    fn plan(&self) -> Value {
        let Reloading {
            plan,
            last_good,
            others,
            reloads,
            refused,
            ..
        } = self.reloading;
        let listed = others.iter().take(PLANS_MAX);
        let listed: Vec<String> = listed.map(|hash| hash.short()).collect();
        json!({
            "hash": plan.as_ref().map(|(plan, _)| plan.hash.short()),
            "since": plan.as_ref().map(|(_, since)| since),
            "last_good": last_good,
            "reloads": reloads,
            "reloads_refused": refused,
            "others": listed,
        })
    }
}

fn history(status: &Status) -> Value {
    let history = lock(&status.history);
    let entries = history.entries().rev().map(|entry| {
        json!({
            "trouble": Trouble::name(entry.trouble),
            "about": cut(&entry.about),
            "first": cut(&entry.first),
            "from": entry.from,
            "to": entry.to,
            "count": entry.count,
        })
    });
    entries.collect()
}

fn members(answer: &Answer, own: Option<&str>) -> Value {
    let members = answer.members.as_ref().map(|members| {
        let listed = members.iter().take(MEMBERS_MAX);
        listed.map(|member| shown(member, own)).collect::<Vec<_>>()
    });
    json!({
        "total": answer.members.as_ref().map(Vec::len),
        "members": members,
        "problem": answer.problem.as_deref().map(cut),
    })
}

fn shown(member: &Listed, own: Option<&str>) -> Value {
    let partitions = member.partitions.iter().take(PARTITIONS_MAX);
    let partitions = partitions.map(|(topic, numbers)| {
        let numbers: Vec<i32> = numbers.iter().copied().take(PARTITIONS_MAX).collect();
        (cut(topic), numbers)
    });
    json!({
        "id": cut(&member.id),
        "host": cut(&member.host),
        "is_this": own == Some(member.id.as_str()),
        "partitions": partitions.collect::<BTreeMap<String, Vec<i32>>>(),
        "count": member.partitions.values().map(Vec::len).sum::<usize>(),
    })
}

fn process() -> Value {
    let process = Process::now();
    json!({
        "resident_bytes": process.resident_bytes,
        "cpu_seconds": process.cpu_seconds,
    })
}

/// A text of which more is not shown.
fn cut(text: &str) -> String {
    let mut characters = text.chars();
    let mut kept: String = characters.by_ref().take(TEXT_MAX).collect();
    if characters.next().is_some() {
        kept.push('…');
    }
    kept
}

#[cfg(test)]
mod tests;
