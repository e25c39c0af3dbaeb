//! How long topics must keep what the results of rules rest on.

use super::Settings;
use super::tiers::STANDARD;
use crate::rule::Rule;
use crate::rule::reach::Reach;
use crate::time::{DAY, Second, hours};

/// The log is entered at an hour of event time.
const HOUR: Second = 3600;

/// The matches topic's retention where the configuration sets none.
const MATCHES_DEFAULT: Second = 3 * DAY;

/// What a rule needs a topic to keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// The rule's id.
    pub rule: String,
    /// Seconds of event time.
    pub seconds: Second,
}

/// What rules need topics to keep; `None` where there are no rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// The matches topic, and for which rule.
    pub matches: Option<Need>,
    /// The sources, and for which rule.
    pub sources: Option<Need>,
}

impl Needs {
    /// What these rules need. `default` applies to rules that set no patience or lateness of
    /// their own.
    pub fn of(rules: &[Rule], default: Settings) -> Needs {
        Needs {
            matches: of_matches(rules, default),
            sources: of_sources(rules, default),
        }
    }

    /// Seconds of event time before the watermark that the state depends on; 0: that is not known.
    pub fn seconds(&self) -> Second {
        self.matches.as_ref().map_or(0, |need| need.seconds)
    }
}

impl Need {
    fn most<'r>(
        rules: impl IntoIterator<Item = &'r Rule>,
        seconds: impl Fn(&Rule) -> Second,
    ) -> Option<Need> {
        let needs = rules.into_iter().map(|rule| Need {
            rule: rule.id.clone(),
            seconds: seconds(rule),
        });
        needs.max_by_key(|need| need.seconds)
    }
}

/// The rule whose state depends on the longest time before the watermark, and how long it is.
/// `default` applies to rules that set no patience or lateness of their own.
///
/// Recovery begins before the UTC day of the oldest incident that can still change, hence the day.
fn of_matches<'r>(rules: impl IntoIterator<Item = &'r Rule>, default: Settings) -> Option<Need> {
    Need::most(rules, |rule| of_rule(rule, default) + DAY + HOUR)
}

/// The rule that looks back the longest in the sources when it is first used, and how far.
fn of_sources<'r>(rules: impl IntoIterator<Item = &'r Rule>, default: Settings) -> Option<Need> {
    Need::most(rules, |rule| of_trigger(rule, default))
}

/// The seconds of [`of_matches`]; 0: there are no rules.
pub fn needed<'r>(rules: impl IntoIterator<Item = &'r Rule>, default: Settings) -> Second {
    of_matches(rules, default).map_or(0, |need| need.seconds)
}

/// Lateness, the wait for what must be absent, the quiet period, how far back a trigger looks,
/// and for how long values must not have been seen.
fn of_rule(rule: &Rule, default: Settings) -> Second {
    let Reach { wait, .. } = Reach::of(rule);
    of_trigger(rule, default) + wait + rule.quiet
}

/// What a trigger rests on, as far as it may come late.
fn of_trigger(rule: &Rule, default: Settings) -> Second {
    let patience = rule.patience.unwrap_or(default.patience);
    let lateness = rule.lateness.unwrap_or(default.lateness).max(patience);
    let Reach {
        reach, new_period, ..
    } = Reach::of(rule);
    lateness + reach + new_period
}

/// What to know about the retention of topics for a rule; `None` where the defaults are enough.
pub fn advice(rule: &Rule, default: Settings) -> Option<String> {
    let matches = needed([rule], default);
    let source = of_trigger(rule, default);
    if Reach::of(rule).new_period == 0 && matches <= MATCHES_DEFAULT {
        return None;
    }
    let beyond = if source > STANDARD.retention {
        "more than the 7d that Event Hubs Standard keeps: take another tier or a shorter period"
    } else {
        "Event Hubs Standard keeps at most 7d"
    };
    Some(format!(
        "the matches topic must keep {} and the longest outage (matches_retention, else {}), \
         the sources {} ({beyond}): what they no longer hold at the first start is unknown to \
         the rule",
        hours(matches),
        hours(MATCHES_DEFAULT),
        hours(source),
    ))
}

#[cfg(test)]
mod tests {
    use super::{HOUR, advice, needed};
    use crate::event::Attributes;
    use crate::plan::{Limits, Settings};
    use crate::rule::{self, lists::Lists};
    use crate::time::DAY;

    #[test]
    fn adds_up_what_recovery_may_need() {
        fn check(documents: &[&str], expected: i64) {
            let files = documents.iter().enumerate().map(|(number, more)| {
                let text = format!("id: R{number}\nname: n\nseverity: 5\nwindow: 1m\n{more}\n");
                (format!("{number}.yaml"), text)
            });
            let files: Vec<_> = files.collect();
            let rules =
                rule::parse_all(&files, &Lists::default(), &mut Attributes::default()).unwrap();
            let settings = Settings {
                patience: 10,
                lateness: 100,
                limits: Limits {
                    evidence: 1,
                    distinct_values: 1,
                    ..Limits::DEFAULT
                },
            };
            assert_eq!(needed(&rules, settings), expected, "{documents:?}");
        }
        let one = "patterns: [{name: P, where: user IS NULL}]";
        // Lateness, quiet and twice the window.
        check(&[one], 100 + 60 + 120 + DAY + HOUR);
        let patient = format!("{one}\npatience: 5m\nclear: {{quiet: 7s}}");
        check(&[one, &patient], 300 + 7 + 120 + DAY + HOUR);
        let absent = "patterns: [{name: P, where: user IS NULL}, {name: Q, where: user = \"a\"}]\n\
                      condition: P AND_NOT Q";
        // The wait counts twice; an absence looks a window further back.
        check(&[absent], 100 + 60 + 60 + 60 + 180 + DAY + HOUR);
        let new = "patterns: [{name: P, where: user = \"a\", group_by: [user], \
                   new: '[user] over 5d'}]";
        check(&[new], 100 + 60 + 120 + 5 * DAY + DAY + HOUR);
        check(&[], 0);
    }

    #[test]
    fn advises_where_the_defaults_are_not_enough() {
        fn check(rest: &str, hours: i64, expected: Option<&str>) {
            let text = format!(
                "id: R\nname: n\nseverity: 1\nwindow: 1h\npatterns: [{{ name: A, \
                 where: user = 1 }}, {{ name: B, where: user = 2{rest}\n"
            );
            let rules = rule::parse("r.yaml", &text, &mut Attributes::default()).unwrap();
            let settings = Settings {
                patience: 900,
                lateness: 7200,
                limits: Limits {
                    evidence: 1,
                    distinct_values: 1,
                    ..Limits::DEFAULT
                },
            };
            assert_eq!(needed(&rules, settings), hours * 3600, "{rest}");
            match (advice(&rules[0], settings), expected) {
                (None, None) => {}
                (found, expected) => {
                    let (found, expected) = (found.unwrap(), expected.unwrap());
                    assert!(found.contains(expected), "{found}");
                }
            }
        }
        // A day and an hour, lateness 2 h, quiet 1 h, reach 2 h.
        check(" }]", 30, None);
        check(" }]\ncondition: A NOT_FOLLOWED_BY B", 33, None);
        check(" }]\nlateness: 5h\nclear: { quiet: 3h }", 35, None);
        check(" }]\nclear: { quiet: 72h }", 101, Some("keep 4d 5h and"));
        check(
            ", new: \"[user] over 5d\" }]",
            150,
            Some("the sources 5d 4h (Event Hubs Standard keeps at most 7d)"),
        );
        check(
            ", new: \"[user] over 14d\" }]",
            366,
            Some("14d 4h (more than the 7d"),
        );
    }
}
