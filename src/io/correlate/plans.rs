//! The plans that messages name: found in the rules topic, and held against this worker's own.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::CorrelateStage;
use crate::io::clock;
use crate::io::kafka::client::lock;
use crate::plan::changes::Changes;
use crate::plan::others::Other;
use crate::plan::{Plan, Unusable};
use crate::record::Hash;
use crate::time::rfc3339;

/// Between two warnings of other plans.
const OTHERS_INTERVAL: Duration = Duration::from_secs(300);

/// Other plans of which the log was told, and when it was warned of them.
#[derive(Debug, Default)]
pub struct Warned {
    told: BTreeSet<Hash>,
    warned: Option<Instant>,
}

impl CorrelateStage {
    /// The plans that these messages name; those that the rules topic does not have are left out.
    /// A plan is there before a message names it, so one that is not known yet is found by reading
    /// what was written to that topic since.
    pub(super) fn plans(&mut self, named: &BTreeSet<Hash>) -> Result<BTreeMap<Hash, Arc<Plan>>> {
        let is_missing = |plan: &Hash| {
            let found = self.known.catalogue.plan(*plan);
            matches!(found, Err(Unusable::Missing(_)))
        };
        if named.iter().any(is_missing) {
            self.known.catch_up()?;
            lock(&self.status.reloading).entries_refused = self.known.refused;
        }
        let mut plans = BTreeMap::new();
        for hash in named {
            match self.known.catalogue.plan(*hash) {
                Ok(plan) => {
                    plans.insert(*hash, Arc::clone(plan));
                }
                Err(Unusable::Missing(_)) => (),
                Err(why @ Unusable::Unreadable(_)) => bail!(
                    "messages of the matches topic name plan {hash}, which this version cannot \
                     use: {why}"
                ),
            }
        }
        Ok(plans)
    }

    /// Notes which plans the messages named that were folded.
    pub(super) fn note_plans(&mut self) {
        for folding in self.folding.values_mut() {
            for (plan, time) in folding.partition.named() {
                self.others.named(plan, time);
            }
        }
    }

    /// Says which other plans are in use: once while that may be a change from worker to worker,
    /// as a warning when it lasts.
    pub(super) fn look_at_others(&mut self) {
        let Some((own, since)) = lock(&self.status.reloading).plan.clone() else {
            return;
        };
        let now = clock::now();
        let others = self.others.beside(own.hash, since, now);
        lock(&self.status.reloading).others = others.iter().map(|other| other.plan).collect();
        let rolling = i64::try_from(self.config.rolling_change.as_millis()).unwrap_or(i64::MAX);
        let lasts = |other: &Other| now - other.since >= rolling;
        let warned = self
            .warned
            .warned
            .is_some_and(|w| w.elapsed() < OTHERS_INTERVAL);
        for other in &others {
            let found = self.known.catalogue.plan(other.plan);
            let difference = found.map_or_else(
                |why| why.to_string(),
                |plan| Changes::between(&own, plan).to_string(),
            );
            let (plan, since) = (other.plan.to_string(), rfc3339(other.since));
            let own_plan = own.hash.to_string();
            if lasts(other) && !warned {
                tracing::warn!(
                    plan,
                    own_plan,
                    since,
                    difference,
                    "workers of this application use different rules, and miss what only the \
                     events of all of them together show: give all the same rules and configuration"
                );
            } else if self.warned.told.insert(other.plan) && !lasts(other) {
                tracing::info!(
                    plan,
                    own_plan,
                    since,
                    difference,
                    "another worker uses other rules, or did within the last minute; that is as it \
                     must be while workers are changed one by one"
                );
            }
        }
        if others.iter().any(lasts) && !warned {
            self.warned.warned = Some(clock::instant());
        }
        let named = |plan: &Hash| others.iter().any(|other| other.plan == *plan);
        self.warned.told.retain(named);
    }
}
