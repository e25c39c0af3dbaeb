//! This process as the bearer of its worker's id, which another process may have as well.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::sync::Arc;

use anyhow::{Result, bail};

use super::client::Health;
use super::rules_topic::{self, Entry, Reader};
use crate::config::Config;
use crate::io::clock;
use crate::plan::claim::Claim;
use crate::time::rfc3339;

/// This process and its worker's id.
#[derive(Debug)]
pub struct Identity {
    config: Config,
    health: Arc<Health>,
    key: String,
    claim: Claim,
}

impl Identity {
    /// A process that starts now as the worker `id`; the rules topic ends before `start`.
    pub fn new(config: &Config, health: &Arc<Health>, id: &str, start: i64) -> Identity {
        Identity {
            config: config.clone(),
            health: Arc::clone(health),
            key: format!("worker/{id}"),
            claim: Claim {
                process: random(),
                start,
                at: clock::now(),
            },
        }
    }

    /// What the process knows of the brokers.
    pub fn health(&self) -> &Arc<Health> {
        &self.health
    }

    /// The brokers have stopped this process because of its id. It may take the id back, unless
    /// another process has it that was there before.
    ///
    /// # Errors
    ///
    /// There is one.
    pub fn stopped(&self) -> Result<()> {
        let claims = self.claims()?;
        if let Some(first) = self.claim.yields_to(&claims) {
            bail!(
                "another worker has the same id as this one, and has run since {}: the state_dir \
                 {} is a copy of its. Give this worker a state_dir of its own, or delete the file \
                 `id` in it",
                rfc3339(first.at),
                self.config.state_dir
            );
        }
        let others = claims
            .iter()
            .any(|(_, claim)| claim.process != self.claim.process);
        if others {
            tracing::warn!(
                state_dir = self.config.state_dir,
                "another worker was started with the id of this one, from a copy of its state_dir; \
                 it will end"
            );
        }
        let claim = serde_json::to_vec(&self.claim)?;
        rules_topic::write(&self.config, &self.health, &[(self.key.clone(), claim)])
    }

    /// The claims to the id that were written since this process started.
    fn claims(&self) -> Result<Vec<(i64, Claim)>> {
        let mut claims = Vec::new();
        let mut reader = Reader::from(&self.config, &self.health, self.claim.start)?;
        reader.read_on(&mut |Entry {
                                  key, value, offset, ..
                              }| {
            if key == self.key
                && let Some(Ok(claim)) = value.map(serde_json::from_slice)
            {
                claims.push((offset, claim));
            }
            Ok(())
        })?;
        Ok(claims)
    }
}

/// Sixteen digits that no other process has.
pub fn random() -> String {
    let mut hasher = RandomState::new().build_hasher();
    hasher.write_i64(clock::now());
    format!("{:016x}", hasher.finish())
}
