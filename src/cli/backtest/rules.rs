//! The rules of a backtest: those that are asked about, those that they are compared with, and a
//! rule with several thresholds.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Result, anyhow, bail};

use super::sweep::{self, Sweeping};
use crate::event::Attributes;
use crate::io::disk::rule_files::{self, Besides};
use crate::io::disk::table_files::TableFiles;
use crate::plan::{Limits, Plan, RuleEntry, Settings};
use crate::rule::{Rule, Texts, nearest};

/// What rules are run with where there is no configuration.
pub const SETTINGS: Settings = Settings {
    patience: 900,
    lateness: 7_200,
    limits: Limits::DEFAULT,
};

/// Where rules come from, and which of them are meant.
#[derive(Clone, Copy, Debug)]
pub struct From<'a> {
    /// Files and directories of rules.
    pub rules: &'a [PathBuf],
    /// Those of the rules that they are compared with; none: they are not.
    pub others: &'a [PathBuf],
    /// What lies elsewhere than beside them.
    pub besides: &'a Besides,
    /// Ids of the rules that are meant; none: all.
    pub only: &'a [String],
    /// What one of them is to be tried with.
    pub sweep: Option<&'a str>,
    /// What applies where a rule says nothing else.
    pub settings: Settings,
}

/// The rules of a backtest.
pub struct Rules {
    /// All of them, each once.
    pub plan: Arc<Plan>,
    /// By the place in the plan.
    sides: Vec<Sides>,
    /// A rule with several thresholds, at a place of its own in the plan.
    pub sweep: Option<Sweeping>,
}

/// Where a rule stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sides {
    /// Among the rules that are asked about.
    pub own: bool,
    /// Among those that they are compared with.
    pub other: bool,
}

impl Rules {
    /// Where the rule at this place of the plan stands; one that is only swept nowhere.
    pub fn sides_of(&self, rule: u32) -> Sides {
        self.sides.get(rule as usize).copied().unwrap_or_default()
    }

    /// Reads them.
    ///
    /// # Errors
    ///
    /// A path cannot be read, rules have errors (a line for each), an id or a sweep fits none.
    pub fn load(from: From<'_>) -> Result<Rules> {
        let mut attributes = Attributes::default();
        let mut rules = Vec::new();
        let mut sides: Vec<Sides> = Vec::new();
        let tables = &mut TableFiles::default();
        let texts = rule_files::load_with(from.rules, from.besides, tables)?;
        let own = meant(enabled(&texts, &mut attributes)?, from.only)?;
        for rule in own {
            rules.push(rule);
            sides.push(Sides {
                own: true,
                other: false,
            });
        }
        if !from.others.is_empty() {
            let others = rule_files::load_with(from.others, from.besides, tables)?;
            let others = enabled(&others, &mut attributes)?;
            let others = others.into_iter().filter(|rule| is_meant(rule, from.only));
            for rule in others {
                let entry = |rule: &Rule| RuleEntry::new(rule, &attributes, from.settings);
                let same = rules.iter().position(|known| entry(known) == entry(&rule));
                match same.and_then(|place| sides.get_mut(place)) {
                    Some(sides) => sides.other = true,
                    None => {
                        rules.push(rule);
                        sides.push(Sides {
                            own: false,
                            other: true,
                        });
                    }
                }
            }
        }
        let own = |rule: &Rule| Arc::clone(rule.lists.own());
        if let Some(first) = rules.first().map(own)
            && rules.iter().any(|rule| *rule.lists.own() != first)
        {
            bail!(
                "--rules and --compare have different files of attributes beside them; name \
                 those of both with --attributes, and move them out of the folders `attributes`"
            );
        }
        let sweep = from.sweep.map(|text| {
            let own = rules.iter().zip(&sides).filter(|(_, sides)| sides.own);
            let own: Vec<&Rule> = own.map(|(rule, _)| rule).collect();
            let [rule] = own[..] else {
                bail!("--sweep: {} rules; say which one with --rule", own.len());
            };
            sweep::thresholds(text, rule, &mut attributes)
        });
        let sweep = sweep.transpose()?;
        let sweep = sweep.map(|swept| {
            let first = swept.rules.first().cloned();
            rules.extend(first);
            sides.push(Sides::default());
            swept.at(sides.len() - 1, &attributes, from.settings)
        });
        let plan = Plan::alone(&rules, &attributes, from.settings, Vec::new());
        Ok(Rules {
            plan: plan.map_err(|error| anyhow!(error))?,
            sides,
            sweep: sweep.transpose()?,
        })
    }
}

/// The plan of all rules in these texts that are enabled.
///
/// # Errors
///
/// Rules have errors: one line for each.
pub fn plan_of(texts: &Texts) -> Result<Arc<Plan>> {
    let mut attributes = Attributes::default();
    let rules = enabled(texts, &mut attributes)?;
    Plan::alone(&rules, &attributes, SETTINGS, Vec::new()).map_err(|error| anyhow!(error))
}

fn enabled(texts: &Texts, attributes: &mut Attributes) -> Result<Vec<Rule>> {
    let (rules, _) = texts.parse(attributes).map_err(|errors| {
        let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
        anyhow!(lines.join("\n"))
    })?;
    Ok(rules.into_iter().filter(|rule| rule.enabled).collect())
}

fn is_meant(rule: &Rule, only: &[String]) -> bool {
    only.is_empty() || only.contains(&rule.id)
}

fn meant(rules: Vec<Rule>, only: &[String]) -> Result<Vec<Rule>> {
    let known: Vec<&str> = rules.iter().map(|rule| rule.id.as_str()).collect();
    if let Some(unknown) = only.iter().find(|id| !known.contains(&id.as_str())) {
        bail!(
            "--rule {unknown}: no enabled rule has this id{}",
            nearest::hint(unknown, &known)
        );
    }
    Ok(rules
        .into_iter()
        .filter(|rule| is_meant(rule, only))
        .collect())
}
