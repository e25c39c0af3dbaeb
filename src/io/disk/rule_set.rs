//! The rule set of a worker: its files, read and checked as a whole.

use std::path::PathBuf;

use super::rule_files::{self, Besides};
use super::table_files::TableFiles;
use crate::config::{Config, RuleTests};
use crate::event::Attributes;
use crate::plan::Plan;
use crate::rehearsal;
use crate::rule::tables::Tables;
use crate::rule::{self, Rule, Texts};

/// The files of a rule set, each with its text; or why they cannot be read.
pub type Content = Result<Texts, String>;

/// Rules that are valid together.
#[derive(Clone, Debug)]
pub struct RuleSet {
    /// What they were read from.
    pub content: Content,
    /// The enabled ones.
    pub rules: Vec<Rule>,
    /// The attributes that they use.
    pub attributes: Attributes,
}

/// What the files and directories hold that a configuration names. Tables that are as they were
/// when `known` read them are not read again.
pub fn content(config: &Config, known: &mut TableFiles) -> Content {
    let paths = |paths: &[String]| paths.iter().map(PathBuf::from).collect::<Vec<_>>();
    let besides = Besides {
        attributes: paths(&config.attributes),
        tables: paths(&config.tables),
    };
    rule_files::load_with(&paths(&config.rules), &besides, known)
        .map_err(|error| format!("{error:#}"))
}

/// The rules in `content`, if they pass their own tests where they must.
///
/// # Errors
///
/// Everything that is wrong with them, a line each.
pub fn checked(content: Content, config: &Config) -> Result<RuleSet, Vec<String>> {
    let set = parse(content)?;
    let failures = match config.rule_tests {
        RuleTests::Require => rehearsal::failures(&set.rules, config.settings),
        RuleTests::Ignore => Vec::new(),
    };
    match failures.is_empty() {
        true => Ok(set),
        false => Err(failures.iter().map(ToString::to_string).collect()),
    }
}

/// The rules of a plan, where `content`, what the files hold, has errors.
///
/// # Errors
///
/// The plan has a rule that cannot be read alone: says why.
pub fn of_plan(plan: &Plan, content: Content) -> Result<RuleSet, String> {
    let mut attributes = Attributes::default();
    let mut rules = Vec::with_capacity(plan.rules.len());
    let files = content.as_ref().map_or(&[][..], |texts| &texts.tables);
    let (tables, _) = Tables::of(files);
    for (loaded, _) in &plan.rules {
        let rule = &loaded.rule;
        let lists = rule.lists.clone().with_tables(tables.clone());
        let again = rule::parse_with(&rule.id, &rule.text, &lists, &mut attributes);
        rules.extend(again.map_err(|errors| rule::in_one_line(&errors))?);
    }
    Ok(RuleSet {
        content,
        rules,
        attributes,
    })
}

/// The rules in `content`.
///
/// # Errors
///
/// Everything that is wrong with them, a line each.
pub fn parse(content: Content) -> Result<RuleSet, Vec<String>> {
    let texts = content.as_ref().map_err(|error| vec![error.clone()])?;
    let mut attributes = Attributes::default();
    let (all, _) = texts
        .parse(&mut attributes)
        .map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>())?;
    let rules: Vec<Rule> = all.into_iter().filter(|rule| rule.enabled).collect();
    if rules.is_empty() {
        return Err(vec!["rules: no rule is enabled".to_owned()]);
    }
    Ok(RuleSet {
        content,
        rules,
        attributes,
    })
}
