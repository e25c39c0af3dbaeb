//! What the fold does with a state.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Counts, InForce, State};
use crate::fold::context::Context;
use crate::fold::excepted::Excepted;
use crate::fold::key::{Alive, KeyId};
use crate::incident::CloseReason;
use crate::matches::LogMessage;
use crate::plan::{LoadedRule, Plan};
use crate::time::Second;

/// A rule that is no longer in force.
#[derive(Clone, Debug)]
pub(crate) struct Outgoing {
    /// The rule.
    pub rule: Arc<LoadedRule>,
    /// Why its incidents are closed.
    pub reason: CloseReason,
}

/// A key that is evaluated, with what that needs.
pub(crate) struct Evaluation<'s> {
    /// The key.
    pub key: &'s mut Alive,
    /// What it is evaluated with.
    pub context: Context<'s>,
    /// What is met on the way.
    pub counts: &'s mut Counts,
    /// Incidents that exceptions cover.
    pub excepted: &'s mut Excepted,
}

impl State {
    /// The plan of a counting message is in use: its rules are in force.
    pub(crate) fn take_plan(&mut self, plan: &Arc<Plan>) {
        self.plan = Some(Arc::clone(plan));
        for (rule, since) in &plan.rules {
            let named = self.watermark;
            let known = self
                .rules
                .entry(rule.fingerprint)
                .or_insert_with(|| InForce {
                    entry: rule.entry,
                    versions: BTreeSet::new(),
                    named,
                    since: *since,
                });
            known.entry = rule.entry;
            known.versions.insert(rule.entry);
            known.named = named;
            known.since = known.since.max(*since);
            self.versions.insert(rule.entry, Arc::clone(rule));
        }
    }

    /// Takes out of force the rules that no plan has named for patience, and at once those of an
    /// earlier meaning than others have.
    pub(crate) fn rules_out(&mut self) -> Vec<Outgoing> {
        let Some(watermark) = self.watermark else {
            return Vec::new();
        };
        let versions = &self.versions;
        let meaning = versions.values().map(|rule| rule.meaning).max();
        let out: Vec<Outgoing> = self
            .rules
            .values_mut()
            .filter_map(|known| {
                let rule = versions.get(&known.entry)?;
                let named = *known.named.get_or_insert(watermark);
                let reason = if meaning > Some(rule.meaning) {
                    Some(CloseReason::BegunAnew)
                } else {
                    let is_out = watermark > named + rule.settings.patience;
                    is_out.then_some(CloseReason::RuleRemoved)
                };
                let rule = Arc::clone(rule);
                reason.map(|reason| Outgoing { rule, reason })
            })
            .collect();
        for Outgoing { rule, .. } in &out {
            let known = self.rules.remove(&rule.fingerprint);
            for version in known.into_iter().flat_map(|known| known.versions) {
                self.versions.remove(&version);
            }
        }
        out
    }

    /// Moves the watermark as far as the plan's source partitions allow.
    pub(crate) fn move_watermark(&mut self, plan: &Plan) {
        self.watermark = self.watermark.max(self.sources.least_time(&plan.sources));
    }

    /// The plan of a counting message has its rules.
    pub(crate) fn name_rules(&mut self, plan: &Plan) {
        if self.has_only(plan) {
            let rules = self.rules.values_mut();
            rules.for_each(|known| known.named = self.watermark);
            return;
        }
        for (rule, _) in &plan.rules {
            if let Some(known) = self.rules.get_mut(&rule.fingerprint) {
                known.named = self.watermark;
            }
        }
    }

    pub(crate) fn applied_through(&mut self, offset: i64) {
        self.applied = offset + 1;
    }

    /// A key, a new one empty, to be changed; [`State::changed`] must follow. `None`: its rule is
    /// not in force.
    pub(crate) fn evaluation(&mut self, id: KeyId) -> Option<Evaluation<'_>> {
        let known = self.rules.get(&id.rule)?;
        let rule = self.versions.get(&known.entry)?;
        Some(Evaluation {
            key: self.keys.open(id),
            context: Context {
                rule,
                since: known.since,
                versions: &self.versions,
                topics: self.sources.topics(),
            },
            counts: &mut self.counts,
            excepted: &mut self.excepted,
        })
    }

    /// The same of a key whose rule is no longer in force; `None`: there is no such key.
    pub(crate) fn last_evaluation<'s>(
        &'s mut self,
        id: KeyId,
        rule: &'s Arc<LoadedRule>,
    ) -> Option<Evaluation<'s>> {
        Some(Evaluation {
            key: &mut self.keys.get_mut(id)?.key,
            context: Context {
                rule,
                since: 0,
                versions: &self.versions,
                topics: self.sources.topics(),
            },
            counts: &mut self.counts,
            excepted: &mut self.excepted,
        })
    }

    /// A key has changed.
    pub(crate) fn changed(&mut self, id: KeyId) {
        self.keys.changed(id);
    }

    /// The watermark after a message of the latest plan.
    pub(crate) fn watermark_after(&self, plan: &Plan, log: &LogMessage) -> Option<Second> {
        let sections = &log.message.sections;
        if sections.iter().all(|section| section.time.is_none()) {
            return self.watermark;
        }
        let least = self
            .sources
            .least_time_after(&plan.sources, sections, log.timestamp);
        self.watermark.max(least)
    }
}
