//! New rules for a worker that runs.
//!
//! A thread looks at what the rule files hold, every few seconds and at once when it is asked to.
//! Contents are compared, not times: editors that replace files, mounts that swap a link and file
//! systems without notifications are all alike. A set that differs is checked as a whole; its
//! plan is written to the rules topic, and then handed to the first stage.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use anyhow::Result;

use super::client::{Health, lock};
use super::rule_set::{self, Content, RuleSet};
use super::status::Status;
use super::{rules_topic, topics};
use crate::config::Config;
use crate::plan::changes::Changes;
use crate::plan::{Plan, retention};

/// Between two looks at the files.
const LOOK_INTERVAL: Duration = Duration::from_secs(2);

/// Whoever has it asks for the rules to be read now; when it is dropped the thread ends.
pub type Ask = Sender<()>;

/// What keeps the rules of a worker like its files.
pub struct Reloader {
    config: Config,
    health: Arc<Health>,
    status: Arc<Status>,
    /// In use.
    plan: Arc<Plan>,
    /// What the files held when a rule set was last made of them, be it valid or not.
    taken: Content,
    /// What they held at the last look.
    looked: Content,
    asked: Receiver<()>,
    plans: Sender<Arc<Plan>>,
}

/// What became of a rule set.
enum Outcome {
    Same,
    Changed(Changes, Arc<Plan>),
}

impl Reloader {
    /// A reloader where `plan`, made of `content`, is in use, and the first stage, which gets its
    /// plans by the receiver.
    pub fn new(
        config: &Config,
        health: &Arc<Health>,
        status: &Arc<Status>,
        (plan, content): (Arc<Plan>, Content),
        asked: Receiver<()>,
    ) -> (Reloader, Receiver<Arc<Plan>>) {
        let (plans, wanted) = channel();
        let reloader = Reloader {
            config: config.clone(),
            health: Arc::clone(health),
            status: Arc::clone(status),
            plan,
            looked: content.clone(),
            taken: content,
            asked,
            plans,
        };
        (reloader, wanted)
    }

    /// Runs until the process is to stop, or nobody can ask any more.
    pub fn run(mut self) {
        while !self.health.stopping() {
            match self.asked.recv_timeout(LOOK_INTERVAL) {
                Ok(()) => {
                    tracing::info!("asked to read the rules again");
                    let content = rule_set::content(&self.config.rules);
                    self.take(content);
                }
                Err(RecvTimeoutError::Timeout) => self.look(),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Takes what the files hold if it is new and has been the same at two looks: who copies
    /// files needs a moment until the last of them is there.
    fn look(&mut self) {
        let found = rule_set::content(&self.config.rules);
        let has_settled = found == self.looked;
        self.looked.clone_from(&found);
        if has_settled && found != self.taken {
            self.take(found);
        }
    }

    /// Puts the rules in `content` into use, if they are valid.
    fn take(&mut self, content: Content) {
        self.looked.clone_from(&content);
        self.taken.clone_from(&content);
        let outcome = rule_set::parse(content).and_then(|set| {
            self.put_into_use(&set)
                .map_err(|error| vec![format!("{error:#}")])
        });
        match outcome {
            Ok(Outcome::Same) => {
                tracing::info!("the rules are the same as before");
            }
            Ok(Outcome::Changed(changes, plan)) => {
                let Changes {
                    added,
                    removed,
                    changed,
                    reworded,
                } = changes;
                tracing::info!(
                    plan = plan.hash.to_string(),
                    rules = plan.rules.len(),
                    ?added,
                    ?removed,
                    ?changed,
                    ?reworded,
                    "rules reloaded"
                );
                lock(&self.status.reloading).reloads += 1;
            }
            Err(problems) => {
                for problem in &problems {
                    tracing::error!("{problem}");
                }
                tracing::error!(
                    problems = problems.len(),
                    "the new rules are refused; those in use stay"
                );
                lock(&self.status.reloading).refused += 1;
            }
        }
    }

    /// Makes the plan of `set` known, and hands it to the first stage. The sources stay those
    /// that the worker has begun with.
    fn put_into_use(&mut self, set: &RuleSet) -> Result<Outcome> {
        let sources = self.plan.sources.clone();
        let wanted = Plan::alone(
            &set.rules,
            &set.attributes,
            self.config.settings,
            sources.clone(),
        );
        let wanted = wanted.map_err(anyhow::Error::msg)?;
        let changes = Changes::between(&self.plan, &wanted);
        if changes.is_empty() {
            return Ok(Outcome::Same);
        }
        let (_, plan) =
            rules_topic::take_into_use(&self.config, &self.health, set, &|_| sources.clone())?;
        self.plan = Arc::clone(&plan);
        if self.plans.send(Arc::clone(&plan)).is_err() {
            tracing::debug!("the first stage has ended already");
        }
        let needed = retention::needed(&set.rules, self.config.settings);
        topics::retention::warn(&self.config, needed);
        Ok(Outcome::Changed(changes, plan))
    }
}
