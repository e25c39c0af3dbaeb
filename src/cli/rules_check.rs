//! `watchfire rules check`: are these rules valid?

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Result;
use serde_json::{Value, json};

use super::backtest::rules::SETTINGS;
use super::rules_advice::{self, Advice};
use super::settings::{Settings, USAGE};
use super::{rules_cost, screen};
use crate::config::ForRules;
use crate::escape;
use crate::event::Attributes;
use crate::io::clock;
use crate::io::disk::rule_files::{self, Besides};
use crate::io::disk::table_files::TableFiles;
use crate::rehearsal::{self, Failure};
use crate::rule::import::dialect::Dialect;
use crate::rule::lists::{List, Lists};
use crate::rule::{Rule, RuleError, Texts};
use crate::time::Millis;

/// What is written of rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Lines for people.
    Text,
    /// One JSON object.
    Json,
    /// The rules themselves, in canonical form; errors as text.
    Rules,
}

/// What is asked of rules, and how it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// How it is written.
    pub form: Form,
    /// Rules whose own tests fail are not valid.
    pub run_tests: bool,
    /// What their filters cost is said as well.
    pub cost: bool,
}

/// Reads all rules under `paths` and writes every error, or what there is and what to know about
/// it, to standard output. Exit code 1 where there are errors.
///
/// # Errors
///
/// The files cannot be read, or standard output not written.
pub fn run(
    paths: &[PathBuf],
    mut besides: Besides,
    config: Option<PathBuf>,
    style: Style,
) -> Result<ExitCode> {
    let mut with = ForRules {
        settings: SETTINGS,
        sources: Vec::new(),
        attributes: Vec::new(),
        tables: Vec::new(),
    };
    if config.is_some() {
        let built = Settings::of(config, None).build(|input| ForRules::build(&input));
        with = match built {
            Ok(with) => with,
            Err(problems) => {
                screen::errors(&problems);
                return Ok(ExitCode::from(USAGE));
            }
        };
    }
    let paths_of = |named: &[String]| named.iter().map(PathBuf::from).collect::<Vec<_>>();
    besides.attributes.extend(paths_of(&with.attributes));
    besides.tables.extend(paths_of(&with.tables));
    let (text, valid) = report(
        &rule_files::load_with(paths, &besides, &mut TableFiles::default())?,
        &with,
        style,
        clock::now(),
    );
    screen::out(format_args!("{text}"))?;
    Ok(if valid {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// What to write, and whether the rules are valid.
fn report(texts: &Texts, with: &ForRules, style: Style, now: Millis) -> (String, bool) {
    let Style {
        form,
        run_tests,
        cost,
    } = style;
    let mut attributes = Attributes::default();
    let found = texts.parse(&mut attributes);
    let files = texts.rules.len();
    if let (Ok((rules, _)), true) = (&found, run_tests) {
        let failures = rehearsal::failures(rules, with.settings);
        if !failures.is_empty() {
            let text = match form {
                Form::Text | Form::Rules => failures_as_text(tests(rules), &failures),
                Form::Json => failures_as_json(files, rules, &failures),
            };
            return (text, false);
        }
    }
    let text = match &found {
        Ok((rules, lists)) => {
            let advice = rules_advice::of(rules, texts, with, now);
            let costs = cost.then(|| rules_cost::of(rules, &mut attributes, lists.own()));
            match form {
                Form::Text => {
                    let costs = costs.map(|costs| rules_cost::as_text(&costs));
                    let costs = costs.unwrap_or_default();
                    let costs: String = costs.iter().map(|line| one_line(line)).collect();
                    costs + &valid_as_text(files, rules, lists, &advice)
                }
                Form::Json => {
                    let mut report = valid_as_json(files, rules, lists, &advice);
                    if let (Some(costs), Some(members)) = (&costs, report.as_object_mut()) {
                        let costs = rules_cost::as_json(costs);
                        members.insert("cost".to_owned(), costs.into());
                    }
                    format!("{report}\n")
                }
                Form::Rules => printed(rules, &attributes),
            }
        }
        Err(errors) => {
            let errors = &with_foreign(texts, errors);
            match form {
                Form::Text | Form::Rules => errors_as_text(files + texts.lists.len(), errors),
                Form::Json => errors_as_json(files, errors),
            }
        }
    };
    (text, found.is_ok())
}

/// The errors, with one alone of each file that has rules of another tool.
fn with_foreign(texts: &Texts, errors: &[RuleError]) -> Vec<RuleError> {
    let mut all = Vec::new();
    for error in errors {
        let mut files = texts.rules.iter();
        let text = files.find(|(file, _)| *file == error.file);
        let Some(dialect) = text.and_then(|(_, text)| Dialect::of(text)) else {
            all.push(error.clone());
            continue;
        };
        if !all.iter().any(|known: &RuleError| known.file == error.file) {
            all.push(RuleError {
                file: error.file.clone(),
                line: 1,
                column: 1,
                message: format!(
                    "this looks like a rule of {}: `watchfire rules import --from {} {} --output \
                     DIR` makes a rule of it",
                    dialect.title(),
                    dialect.name(),
                    error.file
                ),
            });
        }
    }
    all
}

/// The rules in canonical form, one document each.
fn printed(rules: &[Rule], attributes: &Attributes) -> String {
    let texts: Vec<String> = rules.iter().map(|rule| rule.to_yaml(attributes)).collect();
    texts.join("---\n")
}

fn tests(rules: &[Rule]) -> usize {
    rules.iter().map(|rule| rule.tests.len()).sum()
}

fn valid_as_text(files: usize, rules: &[Rule], lists: &Lists, advice: &[Advice<'_>]) -> String {
    let advice = advice.iter().map(Advice::line);
    let lists = lists
        .iter()
        .map(|(name, list)| format!("list {name}: {}", count(list.len(), "value")));
    let lines: String = advice.chain(lists).map(|line| one_line(&line)).collect();
    let (rules, tests) = (count(rules.len(), "rule"), count(tests(rules), "test"));
    format!(
        "{lines}{rules}, {tests} in {}: valid\n",
        count(files, "file")
    )
}

fn errors_as_text(files: usize, errors: &[RuleError]) -> String {
    let lines: String = errors
        .iter()
        .map(|error| one_line(&error.to_string()))
        .collect();
    let errors = count(errors.len(), "error");
    format!("{lines}{errors} in {}\n", count(files, "file"))
}

fn one_line(text: &str) -> String {
    format!("{}\n", escape::value(text))
}

fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

fn failures_as_text(tests: usize, failures: &[Failure]) -> String {
    let lines = failures
        .iter()
        .map(|failure| one_line(&failure.to_string()));
    let lines: String = lines.collect();
    let of = count(tests, "test");
    format!(
        "{lines}{} of {of} failed: `watchfire rules test` explains them\n",
        failures.len()
    )
}

fn failures_as_json(files: usize, rules: &[Rule], failures: &[Failure]) -> String {
    let failure = |failure: &Failure| {
        let Failure { rule, test, faults } = failure;
        json!({ "rule": rule, "test": test, "faults": faults })
    };
    let report = json!({
        "valid": false,
        "files": files,
        "rules": [],
        "tests": tests(rules),
        "errors": [],
        "failures": failures.iter().map(failure).collect::<Vec<_>>(),
        "lists": [],
        "advice": [],
    });
    format!("{report}\n")
}

fn valid_as_json(files: usize, rules: &[Rule], lists: &Lists, advice: &[Advice<'_>]) -> Value {
    let ids: Vec<&str> = rules.iter().map(|rule| rule.id.as_str()).collect();
    let of_list = |(name, list): (&str, &Arc<List>)| {
        let (columns, values) = (list.columns(), list.len());
        json!({ "name": name, "columns": columns, "values": values })
    };
    json!({
        "valid": true,
        "files": files,
        "rules": ids,
        "tests": tests(rules),
        "errors": [],
        "failures": [],
        "lists": lists.iter().map(of_list).collect::<Vec<_>>(),
        "advice": advice.iter().map(Advice::to_json).collect::<Vec<_>>(),
    })
}

fn errors_as_json(files: usize, errors: &[RuleError]) -> String {
    let error = |error: &RuleError| {
        json!({
            "file": error.file,
            "line": error.line,
            "column": error.column,
            "message": error.message,
        })
    };
    let report = json!({
        "valid": false,
        "files": files,
        "rules": [],
        "tests": 0,
        "errors": errors.iter().map(error).collect::<Vec<_>>(),
        "failures": [],
        "lists": [],
        "advice": [],
    });
    format!("{report}\n")
}

#[cfg(test)]
mod tests {
    use super::{ForRules, Form, SETTINGS, Style, report, rule_files};
    use crate::event::Attributes;
    use crate::rule::Texts;

    #[test]
    fn the_rules_shipped_are_valid() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/rules");
        let texts = load(folder);
        let (text, valid) = report(&texts, &usual(), plain(Form::Text), 0);
        assert!(valid && text.ends_with(" files: valid\n"), "{text}");
    }

    const GOOD: &str = "id: R1\nname: n\nseverity: 5\nwindow: 5m\npatterns: \
                        [{name: P, where: user IS NULL}]\n# lint: off every-event, it is \
                        short\n";

    const NEW: &str = "id: R2\nname: n\nseverity: 5\nwindow: 5m\npatterns: \
                       [{name: P, where: user IN (Group@Admins), new: '[user] over 5d'}]\n";

    /// What is said of rule files `0.yaml`, `1.yaml`, .. and a list.
    fn check(rules: &[&str], list: &str, form: Form, expected: &str, valid: bool) {
        check_with(rules, list, plain(form), expected, valid);
    }

    fn usual() -> ForRules {
        ForRules {
            settings: SETTINGS,
            sources: Vec::new(),
            attributes: Vec::new(),
            tables: Vec::new(),
        }
    }

    fn load(folder: &str) -> Texts {
        rule_files::load(&[folder.into()], &[]).unwrap()
    }

    fn plain(form: Form) -> Style {
        Style {
            form,
            run_tests: false,
            cost: false,
        }
    }

    fn check_with(rules: &[&str], list: &str, style: Style, expected: &str, valid: bool) {
        let rules = rules.iter().enumerate();
        let texts = Texts {
            rules: rules
                .map(|(place, text)| (format!("{place}.yaml"), (*text).to_string()))
                .collect(),
            lists: vec![("lists/Admins.csv".to_string(), list.to_string())],
            ..Texts::default()
        };
        assert_eq!(
            report(&texts, &usual(), style, 0),
            (expected.to_string(), valid)
        );
    }

    #[test]
    fn says_what_there_is() {
        let list = "name,team\nalice,it\nbob,hr\n";
        let advice = "the matches topic must keep 6d 4h and the longest outage \
                      (matches_retention, else 3d), the sources 5d 3h (Event Hubs Standard keeps \
                      at most 7d): what they no longer hold at the first start is unknown to the \
                      rule";
        let text =
            format!("R2: {advice}\nlist Admins: 2 values\n2 rules, 0 tests in 2 files: valid\n");
        check(&[GOOD, NEW], list, Form::Text, &text, true);
        let text = format!(
            "{{\"advice\":[{{\"rule\":\"R2\",\"text\":\"{advice}\"}}],\"errors\":[],\
             \"failures\":[],\"files\":1,\"lists\":[{{\"columns\":[\"name\",\"team\"],\
             \"name\":\"Admins\",\"values\":2}}],\
             \"rules\":[\"R2\"],\"tests\":0,\"valid\":true}}\n"
        );
        check(&[NEW], list, Form::Json, &text, true);
    }

    #[test]
    fn rules_of_other_tools_are_sent_to_the_import() {
        let sigma = "title: t\nlogsource: { product: azure }\ndetection:\n  a: { b: c }\n";
        let said = "0.yaml:1:1: this looks like a rule of Sigma: `watchfire rules import --from \
                    sigma 0.yaml --output DIR` makes a rule of it\n1 error in 2 files\n";
        check(&[sigma], "name\n", Form::Text, said, false);
    }

    #[test]
    fn the_configuration_decides_what_is_said() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/rules");
        let texts = load(folder);
        let mut with = usual();
        with.settings.lateness = 3 * 86_400;
        with.sources = vec!["insights-activity-logs".to_owned()];
        let (text, _) = report(&texts, &with, plain(Form::Text), 0);
        for said in [
            "WATCHFIRE_AZURE_DELETION_NEW_TO_USER: the matches topic must keep 9d 2h and the \
             longest outage (matches_retention, else 3d), the sources 8d 1h (more than the 7d",
            "WATCHFIRE_AZURE_PASSWORD_GUESSED: needs sign-ins, which Azure exports to the event \
             hub insights-logs-signinlogs: it is not among the sources",
        ] {
            assert!(text.contains(said), "{text}");
        }
    }

    #[test]
    fn rules_whose_tests_fail_are_refused_where_that_is_asked() {
        let rule = |incidents: &str| {
            format!(
                "{GOOD}tests: [{{name: one, events: [{{time: 2026-01-01T00:00:01Z}}], incidents: \
                 {incidents}}}]\n"
            )
        };
        let style = |form, run_tests| Style {
            run_tests,
            ..plain(form)
        };
        let (good, bad) = (rule("[{event_count: 1}]"), rule("[{event_count: 2}, {}]"));
        let valid = "list Admins: 0 values\n1 rule, 1 test in 1 file: valid\n";
        check_with(&[&good], "name\n", style(Form::Text, true), valid, true);
        check_with(&[&bad], "name\n", style(Form::Text, false), valid, true);
        let failed = "R1: test `one`: no incident with event_count 2\n1 of 1 test failed: \
                      `watchfire rules test` explains them\n";
        check_with(&[&bad], "name\n", style(Form::Text, true), failed, false);
        let json = "{\"advice\":[],\"errors\":[],\"failures\":[{\"faults\":[\"no incident with \
                    event_count 2\"],\"rule\":\"R1\",\"test\":\"one\"}],\"files\":1,\"lists\":[],\
                    \"rules\":[],\"tests\":1,\"valid\":false}\n";
        check_with(&[&bad], "name\n", style(Form::Json, true), json, false);
    }

    #[test]
    fn says_which_events_filters_are_held_against() {
        let style = |form| Style {
            cost: true,
            ..plain(form)
        };
        let filter = "'eventType IN (\"MS_EvtHub_a\", \"MS_EvtHub_b\") AND user != \"c\"'";
        let rule = GOOD.replace("user IS NULL", filter).replace("R1", "R0");
        let text = "R1 P: met by every event: `user IS NULL` may hold for any\nR0 P: met by events \
                    with eventType = \"ms_evthub_a\" or eventType = \"ms_evthub_b\"\nwith \
                    validate = \"matching\" every message is read, as none need have a rare \
                    text for R1 P, R0 P\nlist Admins: 0 values\n2 rules, 0 \
                    tests in 2 files: valid\n";
        check_with(&[&rule, GOOD], "name\n", style(Form::Text), text, true);
        let json = "{\"advice\":[],\"cost\":[{\"because\":[\"user IS NULL\"],\"found_by\":[],\
                    \"in_messages\":null,\"met_by\":\"every event\",\"pattern\":\"P\",\
                    \"rule\":\"R1\"}],\"errors\":[],\
                    \"failures\":[],\"files\":1,\"lists\":[{\"columns\":[\"name\"],\"name\":\
                    \"Admins\",\"values\":0}],\"rules\":[\"R1\"],\"tests\":0,\"valid\":true}\n";
        check_with(&[GOOD], "name\n", style(Form::Json), json, true);
    }

    #[test]
    fn says_which_tests_always_hold() {
        let rule = GOOD.replace("IS NULL", "IS NULL, having: COUNT(*) >= 0");
        let text = "0.yaml:5: R1: `COUNT(*) >= 0` of the pattern P always holds \
                    (always-holds)\nlist Admins: 0 values\n1 rule, 0 tests in 1 file: valid\n";
        check(&[&rule], "name\n", Form::Text, text, true);
    }

    #[test]
    fn prints_rules_that_read_as_themselves() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/rules");
        let texts = load(folder);
        let (printed, _) = report(&texts, &usual(), plain(Form::Rules), 0);
        let again = Texts {
            rules: vec![("printed".to_string(), printed.clone())],
            lists: texts.lists.clone(),
            attributes: texts.attributes.clone(),
            tables: texts.tables.clone(),
        };
        assert_eq!(
            report(&again, &usual(), plain(Form::Rules), 0),
            (printed, true)
        );
        let (mut first, mut second) = (Attributes::default(), Attributes::default());
        let (rules, _) = texts.parse(&mut first).unwrap();
        let (again, _) = again.parse(&mut second).unwrap();
        assert_eq!(rules.len(), again.len());
        for (rule, again) in rules.iter().zip(&again) {
            assert_eq!(again.meaning(&second), rule.meaning(&first));
        }
    }

    #[test]
    fn says_what_is_wrong() {
        check(
            &[GOOD, GOOD, "a: b: c"],
            "name\n",
            Form::Text,
            "1.yaml:1:5: the id `R1` is already that of 0.yaml:1\n2.yaml:1:5: not YAML: mapping \
             values are not allowed in this context\n2 errors in 4 files\n",
            false,
        );
        check(
            &[&NEW.replace("Admins", "Admin")],
            "name\na,b\n",
            Form::Rules,
            "0.yaml:5:38: no list is called `Admin` (lists/Admin.txt or lists/Admin.csv beside the \
             rules): did you mean `Admins`?\nlists/Admins.csv:2:1: expected 1 field, as in the \
             first line, found 2\n2 errors in 2 files\n",
            false,
        );
        check(
            &["[]"],
            "name\n",
            Form::Json,
            "{\"advice\":[],\"errors\":[{\"column\":1,\"file\":\"0.yaml\",\"line\":1,\"message\":\
             \"expected a rule, a mapping, found a list\"}],\"failures\":[],\"files\":1,\
             \"lists\":[],\
             \"rules\":[],\"tests\":0,\"valid\":false}\n",
            false,
        );
    }
}
