//! `watchfire rules test`: do the rules do what their own tests say?

mod play;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use serde_json::{Value, json};

use super::explanation::{self, Explanation};
use super::screen;
use crate::escape;
use crate::event::Attributes;
use crate::io::disk::rule_files::{self, Besides};
use crate::io::disk::table_files::TableFiles;
use crate::rule::{Rule, RuleTest};
use play::{Played, play};

/// One test, what is wrong with its outcome (nothing: it passes), and how that came about.
struct Verdict {
    rule: String,
    test: String,
    faults: Vec<String>,
    played: Option<Explanation>,
}

/// How verdicts are written.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// As JSON, an object a line.
    pub json: bool,
    /// With an explanation of every test, not only of those that fail.
    pub explain: bool,
}

/// Runs the tests of all rules under `paths`. Exit code 1 where one of them fails, or rules have
/// errors.
///
/// # Errors
///
/// The files cannot be read, or standard output not written.
pub fn run(paths: &[PathBuf], besides: &Besides, style: Style) -> Result<ExitCode> {
    let texts = rule_files::load_with(paths, besides, &mut TableFiles::default())?;
    match texts.parse(&mut Attributes::default()) {
        Ok((rules, _)) => report(&verdicts(&rules), style),
        Err(errors) => {
            for error in &errors {
                let error = error.to_string();
                screen::err(format_args!("{}\n", escape::value(&error)));
            }
            Ok(ExitCode::FAILURE)
        }
    }
}

fn verdicts(rules: &[Rule]) -> Vec<Verdict> {
    let of_rule = |rule: &Rule| {
        let tests = rule.tests.iter().map(|test| verdict(rule, test));
        tests.collect::<Vec<_>>()
    };
    rules.iter().flat_map(of_rule).collect()
}

fn verdict(rule: &Rule, test: &RuleTest) -> Verdict {
    let Played {
        faults,
        explanation,
    } = play(rule, test);
    Verdict {
        rule: rule.id.clone(),
        test: test.name.clone(),
        faults,
        played: explanation,
    }
}

fn report(verdicts: &[Verdict], style: Style) -> Result<ExitCode> {
    let failed = verdicts.iter().filter(|v| !v.faults.is_empty()).count();
    let mut text = String::new();
    for verdict in verdicts {
        match style.json {
            true => text.push_str(&format!("{}\n", as_json(verdict, style))),
            false => text.push_str(&as_text(verdict, style)),
        }
    }
    if !style.json {
        let passed = verdicts.len() - failed;
        text.push_str(&format!("{passed} passed, {failed} failed\n"));
    }
    screen::out(format_args!("{text}"))?;
    Ok(if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

impl Verdict {
    /// What is to be explained.
    fn explained(&self, style: Style) -> Option<&Explanation> {
        let wanted = style.explain || !self.faults.is_empty();
        self.played.as_ref().filter(|_| wanted)
    }
}

fn as_text(verdict: &Verdict, style: Style) -> String {
    let Verdict {
        rule, test, faults, ..
    } = verdict;
    let word = if faults.is_empty() {
        "ok    "
    } else {
        "FAILED"
    };
    let name = format!("{rule}: {test}");
    let mut text = format!("{word}  {}\n", escape::value(&name));
    let explained = verdict.explained(style).map(explanation::lines);
    for line in faults.iter().chain(explained.iter().flatten()) {
        text.push_str("        ");
        text.push_str(&escape::value(line));
        text.push('\n');
    }
    text
}

fn as_json(verdict: &Verdict, style: Style) -> Value {
    let Verdict {
        rule, test, faults, ..
    } = verdict;
    let mut value = json!({ "rule": rule, "test": test, "faults": faults });
    if let (Some(played), Some(fields)) = (verdict.explained(style), value.as_object_mut()) {
        fields.insert("explanation".to_owned(), explanation::json(played));
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::Texts;

    fn shipped() -> Vec<Rule> {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/rules");
        let texts = load(folder);
        texts.parse(&mut Attributes::default()).unwrap().0
    }

    fn load(folder: &str) -> Texts {
        rule_files::load(&[folder.into()], &[]).unwrap()
    }

    #[test]
    fn the_rules_shipped_pass_their_tests() {
        for Verdict {
            rule, test, faults, ..
        } in verdicts(&shipped())
        {
            assert!(faults.is_empty(), "{rule}: {test}: {faults:?}");
        }
    }

    #[test]
    fn what_differs_is_a_fault() {
        fn check(change: impl Fn(&mut RuleTest), expected: &[&str]) {
            let rules = shipped();
            let rule = rules.iter().find(|rule| rule.id.ends_with("_8")).unwrap();
            let mut test = rule.tests.first().unwrap().clone();
            change(&mut test);
            let found = verdict(rule, &test).faults;
            assert_eq!(found.len(), expected.len(), "{found:?}");
            for (fault, part) in found.iter().zip(expected) {
                assert!(fault.contains(part), "{part} is not in {fault}");
            }
        }
        check(|_| {}, &[]);
        check(|test| test.incidents.clear(), &["an incident more"]);
        check(
            |test| test.incidents = vec![vec![("event_count".to_owned(), json!(99))]],
            &["no incident with event_count 99", "an incident more"],
        );
        check(|test| test.events.push("{".to_owned()), &["event 4: "]);
    }

    const EXPLAINED: &str = r#"FAILED  R: few
        an incident more: attributes {"user":"ann"}, severity 5, event_count 2, trigger_count 1, \
first_seen "2026-01-01T00:00:07.000Z", last_seen "2026-01-01T00:00:07.000Z"
        events:
          1  2026-01-01T00:00:01.000Z  P  user="Ann" record.size=1
          2  2026-01-01T00:00:07.250Z  P  user="ann" record.size=3
          3  2026-01-01T00:00:09.000Z  -  record.size=4
        pattern P: SUM(record.size) > 2 over 10 s, by user:
          user="ann"
            at                    events in window  SUM(record.size)  holds
            2026-01-01T00:00:01Z  1                 1                 no
            2026-01-01T00:00:07Z  1 2               4                 yes
        condition P:
          user="ann" triggers at 2026-01-01T00:00:07Z
        incidents:
          attributes {"user":"ann"}, severity 5, event_count 2, trigger_count 1, \
first_seen "2026-01-01T00:00:07.000Z", last_seen "2026-01-01T00:00:07.000Z"
"#;

    #[test]
    fn what_fails_is_explained() {
        let text = "id: R\nname: n\nseverity: 5\nwindow: 10s\npatterns:\n  \
                    - {name: P, where: user IS NOT NULL, group_by: [user], \
                    having: SUM(record.size) > 2}\ntests:\n  - name: few\n    incidents: []\n    \
                    events:\n      - {time: 2026-01-01T00:00:01Z, Caller: Ann, size: 1}\n      \
                    - {time: 2026-01-01T00:00:07.25Z, Caller: ann, size: 3}\n      \
                    - {time: 2026-01-01T00:00:09Z, size: 4}\n";
        let rules = crate::rule::parse("R.yaml", text, &mut Attributes::default()).unwrap();
        let [verdict] = &verdicts(&rules)[..] else {
            panic!("one test")
        };
        let style = |json, explain| Style { json, explain };
        let shown = as_text(verdict, style(false, false));
        assert_eq!(shown, EXPLAINED.replace("\\\n", ""));
        let explanation = &as_json(verdict, style(true, false))["explanation"];
        assert_eq!(explanation["events"][1]["attributes"]["record.size"], 3);
        assert_eq!(explanation["patterns"][0]["group"]["user"], "ann");
        let pane = &explanation["patterns"][0]["panes"][1];
        assert_eq!(pane["aggregates"]["SUM(record.size)"], 4.0);
        assert_eq!(explanation["triggers"][0]["last"], "2026-01-01T00:00:07Z");
        assert_eq!(explanation["incidents"][0]["event_count"], 2);
    }
}
