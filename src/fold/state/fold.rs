//! What the fold does with a state.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{InForce, State};
use crate::fold::context::Context;
use crate::fold::key::{Alive, KeyId};
use crate::matches::LogMessage;
use crate::plan::{LoadedRule, Plan};
use crate::time::Second;

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

    /// Takes out of force the rules that no plan has named for patience.
    pub(crate) fn rules_out(&mut self) -> Vec<Arc<LoadedRule>> {
        let Some(watermark) = self.watermark else {
            return Vec::new();
        };
        let versions = &self.versions;
        let out: Vec<Arc<LoadedRule>> = self
            .rules
            .values_mut()
            .filter_map(|known| {
                let rule = versions.get(&known.entry)?;
                let named = *known.named.get_or_insert(watermark);
                (watermark > named + rule.settings.patience).then(|| Arc::clone(rule))
            })
            .collect();
        for rule in &out {
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
        for (rule, _) in &plan.rules {
            if let Some(known) = self.rules.get_mut(&rule.fingerprint) {
                known.named = self.watermark;
            }
        }
    }

    pub(crate) fn applied_through(&mut self, offset: i64) {
        self.applied = offset + 1;
    }

    /// Takes a key out, to be put back; a new one is empty. `None`: its rule is not in force.
    pub(crate) fn take_key(&mut self, id: KeyId) -> Option<Box<Alive>> {
        let is_in_force = self.rules.contains_key(&id.rule);
        is_in_force.then(|| self.keys.take(id))
    }

    /// What a key is evaluated with; `None`: its rule is not in force.
    pub(crate) fn context(&self, id: KeyId) -> Option<Context<'_>> {
        let known = self.rules.get(&id.rule)?;
        let rule = self.versions.get(&known.entry)?;
        Some(self.context_of(id, rule, known.since))
    }

    /// The same with this rule.
    pub(crate) fn context_of<'a>(
        &'a self,
        id: KeyId,
        rule: &'a Arc<LoadedRule>,
        since: Second,
    ) -> Context<'a> {
        Context {
            id,
            rule,
            since,
            versions: &self.versions,
            topics: self.sources.topics(),
        }
    }

    /// Puts a key back.
    pub(crate) fn put_key(&mut self, id: KeyId, key: Box<Alive>) {
        self.keys.put(id, key);
    }

    /// Forgets a key whose rule is no longer in force; gives it. `None`: there is none.
    pub(crate) fn forget_key(&mut self, id: KeyId) -> Option<Box<Alive>> {
        self.keys.get(id)?;
        Some(self.keys.empty(id))
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
