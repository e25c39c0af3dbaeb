//! New plans for a worker that runs: of other rules, or of sources that have grown.
//!
//! A thread looks at what the rule files hold, every few seconds and at once when it is asked to.
//! Contents are compared, not times: editors that replace files, mounts that swap a link and file
//! systems without notifications are all alike. A set that differs is checked as a whole; its
//! plan is written to the rules topic, and then handed to the first stage. So is the plan of
//! source topics that have got more partitions.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use anyhow::Result;

use super::clock;
use super::disk::rule_set::{self, Content, RuleSet};
use super::disk::table_files::TableFiles;
use super::history::{Trouble, What};
use super::kafka::client::{self, CALL, Health, lock};
use super::kafka::rules_topic::{Known, TakenIntoUse};
use super::kafka::topics::Names;
use super::kafka::{rules_topic, topics};
use super::status::Status;
use crate::config::Config;
use crate::plan::changes::Changes;
use crate::plan::{Catalogue, InUse, Plan, Reading, Source, retention};

/// Between two looks at the files.
const LOOK_INTERVAL: Duration = Duration::from_secs(2);

/// Between two looks at the topics. Where the group gives this worker a partition that its plan
/// does not have, it looks at once.
const TOPICS_INTERVAL: Duration = Duration::from_secs(30);

/// What is to be done now rather than soon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Read the rules.
    Rules,
    /// Look how many partitions the sources have.
    Sources,
    /// Look which epochs their partitions are in.
    Epochs,
    /// Write these entries to the rules topic.
    Note(Vec<(String, Vec<u8>)>),
}

/// The plans of the first stage.
pub struct Plans {
    /// What it begins with.
    pub in_use: InUse,
    /// What it goes on with.
    pub newer: Receiver<InUse>,
    /// Where it asks for a newer one.
    pub ask: Sender<Ask>,
}

/// What keeps the plan of a worker like its files and its sources.
pub struct Reloader {
    config: Config,
    health: Arc<Health>,
    status: Arc<Status>,
    /// In use.
    plan: Arc<Plan>,
    /// Its rules.
    set: RuleSet,
    /// The number of partitions of the matches topic.
    matches: u32,
    /// What the files held when a rule set was last made of them, be it valid or not.
    taken: Content,
    /// What they held at the last look.
    looked: Content,
    /// Tables that were read.
    tables: TableFiles,
    looked_at_topics: Instant,
    /// The rules topic, as far as it was read for epochs.
    known: Option<Known>,
    /// Entries of the rules topic that are to be written.
    to_note: BTreeMap<String, Vec<u8>>,
    asked: Receiver<Ask>,
    plans: Sender<InUse>,
}

/// What became of a rule set.
enum Outcome {
    Same,
    Changed(Changes, Arc<Plan>),
}

impl Reloader {
    /// A reloader where `plan`, made of `set`, is in use, and the matches topic has `matches`
    /// partitions. It does what it is asked to, and sends the first stage its plans.
    pub fn new(
        config: &Config,
        health: &Arc<Health>,
        status: &Arc<Status>,
        (plan, set, matches): (Arc<Plan>, RuleSet, u32),
        (asked, plans): (Receiver<Ask>, Sender<InUse>),
    ) -> Reloader {
        Reloader {
            config: config.clone(),
            health: Arc::clone(health),
            status: Arc::clone(status),
            plan,
            looked: set.content.clone(),
            taken: set.content.clone(),
            set,
            tables: TableFiles::default(),
            matches,
            looked_at_topics: clock::instant(),
            known: None,
            to_note: BTreeMap::new(),
            asked,
            plans,
        }
    }

    /// Runs until the process is to stop, or nobody can ask any more.
    pub fn run(mut self) {
        while !self.health.stopping() {
            match self.asked.recv_timeout(LOOK_INTERVAL) {
                Ok(Ask::Rules) => {
                    tracing::info!("asked to read the rules again");
                    let content = rule_set::content(&self.config, &mut self.tables);
                    self.take(content);
                }
                Ok(Ask::Sources) => self.look_at_topics(),
                Ok(Ask::Epochs) => self.look_at_epochs(),
                Ok(Ask::Note(entries)) => self.to_note.extend(entries),
                Err(RecvTimeoutError::Timeout) => self.look(),
                Err(RecvTimeoutError::Disconnected) => return,
            }
            if self.looked_at_topics.elapsed() >= TOPICS_INTERVAL {
                self.look_at_topics();
                self.look_at_epochs();
            }
            self.note();
        }
    }

    /// Writes what is to be noted; what cannot be written now is tried again.
    fn note(&mut self) {
        if self.to_note.is_empty() {
            return;
        }
        let entries = std::mem::take(&mut self.to_note);
        let entries: Vec<_> = entries.into_iter().collect();
        if let Err(error) = rules_topic::write(&self.config, &self.health, &entries) {
            tracing::debug!(
                error = client::chain(&error),
                "how far topics were read cannot be noted yet"
            );
            self.to_note.extend(entries);
        }
    }

    /// Takes what the files hold if it is new and has been the same at two looks: who copies
    /// files needs a moment until the last of them is there.
    fn look(&mut self) {
        let found = rule_set::content(&self.config, &mut self.tables);
        let has_settled = found == self.looked;
        self.looked.clone_from(&found);
        if has_settled && found != self.taken {
            self.take(found);
        }
    }

    /// Takes partitions into use that the sources have got. A matches topic that has got more ends
    /// the worker: whoever starts now must not take another partition for a key than those who run.
    fn look_at_topics(&mut self) {
        self.looked_at_topics = clock::instant();
        let existing = match topics::partitions(&self.config, &self.health, CALL) {
            Ok(existing) => existing,
            Err(error) => {
                tracing::debug!(
                    error = client::chain(&error),
                    "the brokers do not tell their topics"
                );
                return;
            }
        };
        let matches = Names::of(&self.config.app).matches;
        match existing.get(&*matches) {
            Some(found) if *found != self.matches => {
                let why = topics::other_number(&matches, *found, self.matches);
                return self.health.refuse(why);
            }
            Some(_) | None => (),
        }
        let sources: Vec<Source> = (self.plan.sources.iter())
            .map(|source| Source {
                partitions: (existing.get(&source.topic).copied())
                    .map_or(source.partitions, |now| now.max(source.partitions)),
                ..source.clone()
            })
            .collect();
        if sources != self.plan.sources {
            let now: Vec<String> = (sources.iter())
                .map(|source| format!("{}: {}", source.topic, source.partitions))
                .collect();
            tracing::info!(sources = ?now, "a source topic has got more partitions");
            if let Err(error) = self.put_into_use(self.set.clone(), sources) {
                tracing::error!("they are not read yet: {}", client::chain(&error));
            }
        }
    }

    /// Takes epochs into use that source partitions have got, be it from another worker.
    fn look_at_epochs(&mut self) {
        let done = self.sources_now().and_then(|sources| {
            if sources == self.plan.sources {
                return Ok(Outcome::Same);
            }
            self.put_into_use(self.set.clone(), sources)
        });
        match done {
            Ok(Outcome::Changed(changes, plan)) => tell(&changes, &plan, "sources changed"),
            Ok(Outcome::Same) => (),
            Err(error) => tracing::error!(
                "epochs of the sources cannot be taken into use yet: {}",
                client::chain(&error)
            ),
        }
    }

    /// The sources in use, in the epochs that the rules topic has.
    fn sources_now(&mut self) -> Result<Vec<Source>> {
        let known = match &mut self.known {
            Some(known) => {
                known.catch_up()?;
                known
            }
            none => none.insert(rules_topic::read(&self.config, &self.health)?),
        };
        let epochs = known.catalogue.epochs();
        let sources = self.plan.sources.iter();
        Ok(sources
            .map(|source| epochs.source(&source.topic, source.partitions))
            .collect())
    }

    /// Puts the rules in `content` into use, if they are valid.
    fn take(&mut self, content: Content) {
        self.looked.clone_from(&content);
        self.taken.clone_from(&content);
        let outcome = rule_set::checked(content, &self.config).and_then(|set| {
            self.put_into_use(set, self.plan.sources.clone())
                .map_err(|error| vec![client::chain(&error)])
        });
        match outcome {
            Ok(Outcome::Same) => {
                tracing::info!("the rules are the same as before");
                lock(&self.status.reloading).last_good = false;
            }
            Ok(Outcome::Changed(changes, plan)) => {
                tell(&changes, &plan, "rules reloaded");
                let mut reloading = lock(&self.status.reloading);
                reloading.reloads += 1;
                reloading.last_good = false;
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
                let what = What {
                    about: "",
                    first: problems.first().map_or("", String::as_str),
                };
                self.status.trouble(Trouble::RulesRefused, what, 1);
            }
        }
    }

    /// Makes the plan of `set` and `sources` known, and hands it to the first stage.
    fn put_into_use(&mut self, set: RuleSet, sources: Vec<Source>) -> Result<Outcome> {
        let settings = self.config.settings;
        let reading = Reading {
            sources: sources.clone(),
            decoding: self.config.decoding,
        };
        let wanted = Plan::alone(&set.rules, &set.attributes, settings, reading);
        let wanted = wanted.map_err(anyhow::Error::msg)?;
        let changes = Changes::between(&self.plan, &wanted);
        if changes.is_empty() {
            return Ok(Outcome::Same);
        }
        // Another worker may have raised an epoch meanwhile.
        let sources = |catalogue: &Catalogue| {
            let sources = sources.iter();
            let known = sources.map(|s| catalogue.epochs().source(&s.topic, s.partitions));
            known.collect()
        };
        let TakenIntoUse { known, plan, .. } =
            rules_topic::take_into_use(&self.config, &self.health, &set, &sources)?;
        self.plan = Arc::clone(&plan);
        if self
            .plans
            .send(known.catalogue.in_use(Arc::clone(&plan)))
            .is_err()
        {
            tracing::debug!("the first stage has ended already");
        }
        let needed = retention::needed(&set.rules, settings);
        topics::retention::warn(&self.config, &self.health, needed);
        self.set = set;
        Ok(Outcome::Changed(changes, plan))
    }
}

/// Says how the rules differ from those before.
pub fn tell(changes: &Changes, plan: &Plan, what: &str) {
    let Changes {
        added,
        removed,
        changed,
        reworded,
        settings,
        sources,
    } = changes;
    tracing::info!(
        plan = plan.hash.to_string(),
        rules = plan.rules.len(),
        ?added,
        ?removed,
        ?changed,
        ?reworded,
        ?settings,
        ?sources,
        "{what}"
    );
    if !changed.is_empty() || !removed.is_empty() {
        tracing::info!(
            "rules that were removed, or mean something else now, lose their state: their open \
             incidents are closed, and what goes on is found anew, as an incident of its own"
        );
    }
}
