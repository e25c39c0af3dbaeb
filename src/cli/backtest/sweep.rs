//! One rule with many thresholds: `having COUNT(*) >= 1..20`.

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use regex::Regex;

use crate::event::Attributes;
use crate::plan::{LoadedRule, RuleEntry, Settings};
use crate::record::Hash;
use crate::rule::Rule;

/// A rule is tried with so many thresholds at most: a key is folded with all of them at once.
const THRESHOLDS_MAX: usize = 1_000;

/// `1..20`, perhaps followed by `step 5`.
const RANGE: &str =
    r"([0-9]+(?:\.[0-9]+)?)\s*\.\.\s*([0-9]+(?:\.[0-9]+)?)(?:\s+step\s+([0-9]+(?:\.[0-9]+)?))?";

/// What a rule is tried with.
pub struct Thresholds {
    /// Id of the rule.
    pub rule_id: String,
    /// The test with its range, as written.
    pub having: String,
    /// In order.
    pub values: Vec<f64>,
    /// The rule with each of them.
    pub rules: Vec<Rule>,
}

/// What a rule is tried with, ready to be run.
pub struct Sweeping {
    /// The place in the plan that is its own.
    pub place: usize,
    /// Id of the rule.
    pub rule_id: String,
    /// The test with its range, as written.
    pub having: String,
    /// In order.
    pub values: Vec<f64>,
    /// The rule with each of them.
    pub rules: Vec<LoadedRule>,
}

/// `rule` with each threshold that `text` names: `[PATTERN] having TEST`, in which one number is
/// a range such as `1..20` or `0..1 step 0.1`. Without a pattern, the first is meant.
///
/// # Errors
///
/// The text cannot be read; says why.
pub fn thresholds(text: &str, rule: &Rule, attributes: &mut Attributes) -> Result<Thresholds> {
    let (pattern, having) = split(text);
    let place = match pattern {
        None => Some(0),
        Some(name) => rule
            .patterns
            .iter()
            .position(|pattern| pattern.name == name),
    };
    let place = place.ok_or_else(|| {
        let names: Vec<&str> = rule.patterns.iter().map(|p| p.name.as_str()).collect();
        let pattern = pattern.unwrap_or_default();
        anyhow!(
            "--sweep: {} has no pattern {pattern}; it has {}",
            rule.id,
            names.join(", ")
        )
    })?;
    let range = Regex::new(RANGE)?;
    let found = range.captures(having).with_context(|| {
        format!("--sweep: no range in \"{having}\"; expected a test such as COUNT(*) >= 1..20")
    })?;
    let number = |group: usize| found.get(group).and_then(|text| text.as_str().parse().ok());
    let (Some(first), Some(last)) = (number(1), number(2)) else {
        bail!("--sweep: the ends of the range in \"{having}\" are no numbers");
    };
    let values = steps(first, last, number(3).unwrap_or(1.0))?;
    let tried = |value: &f64| {
        let test = range.replace(having, value.to_string());
        rule.with_having(place, &test, attributes)
            .map_err(|error| anyhow!("--sweep: {error}"))
    };
    Ok(Thresholds {
        rule_id: rule.id.clone(),
        having: having.to_owned(),
        rules: values.iter().map(tried).collect::<Result<_>>()?,
        values,
    })
}

/// A pattern's name, if there is one, and the test.
fn split(text: &str) -> (Option<&str>, &str) {
    let is_having = |word: &str| word.eq_ignore_ascii_case("having");
    match text.trim().split_once(char::is_whitespace) {
        Some((first, rest)) if is_having(first) => (None, rest.trim()),
        Some((first, rest)) => match rest.trim().split_once(char::is_whitespace) {
            Some((second, rest)) if is_having(second) => (Some(first), rest.trim()),
            Some(_) | None => (None, text.trim()),
        },
        None => (None, text.trim()),
    }
}

fn steps(first: f64, last: f64, step: f64) -> Result<Vec<f64>> {
    ensure!(
        first <= last && step > 0.0,
        "--sweep: the range {first}..{last} step {step} is empty"
    );
    // So that 0.1 is met three times in 0.3, though no binary fraction is.
    let count = ((last - first) / step + 1e-9) as usize + 1;
    ensure!(
        count <= THRESHOLDS_MAX,
        "--sweep: {count} thresholds; at most {THRESHOLDS_MAX} are tried at once: take a larger \
         step"
    );
    let rounded = |value: f64| (value * 1e9).round() / 1e9;
    Ok((0..count)
        .map(|number| rounded(first + step * number as f64))
        .collect())
}

impl Thresholds {
    /// Ready to be run at this place of the plan.
    ///
    /// # Errors
    ///
    /// Never: the rules are valid.
    pub fn at(self, place: usize, attributes: &Attributes, settings: Settings) -> Result<Sweeping> {
        let load = |rule: &Rule| {
            let entry = RuleEntry::new(rule, attributes, settings);
            let hash = Hash::of(rule.text.as_bytes());
            LoadedRule::new(hash, &entry, &rule.lists).map_err(|error| anyhow!(error))
        };
        Ok(Sweeping {
            place,
            rules: self.rules.iter().map(load).collect::<Result<_>>()?,
            rule_id: self.rule_id,
            having: self.having,
            values: self.values,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_ranges() {
        fn check(text: &str, expected: Result<&[f64], &str>) {
            let yaml = "id: PH_Rule_X\nname: x\nseverity: 5\ncategory: Security\n\
                        window: 300s\npatterns:\n  - name: P\n    where: eventType = \"a\"\n    \
                        group_by: [user]\n    having: COUNT(*) >= 1\ncondition: P\nincident:\n  \
                        title: x\n";
            let mut attributes = Attributes::default();
            let rule = crate::rule::parse("x.yaml", yaml, &mut attributes)
                .unwrap()
                .remove(0);
            let found = thresholds(text, &rule, &mut attributes);
            match expected {
                Ok(values) => {
                    let found = found.unwrap();
                    assert_eq!(found.values, values, "{text}");
                    assert_eq!(found.rules.len(), values.len());
                }
                Err(part) => {
                    let error = found.err().unwrap().to_string();
                    assert!(error.contains(part), "{text}: {error}");
                }
            }
        }
        check("having COUNT(*) >= 1..4", Ok(&[1.0, 2.0, 3.0, 4.0]));
        check("COUNT(*) >= 5 .. 11 step 3", Ok(&[5.0, 8.0, 11.0]));
        check(
            "P HAVING COUNT(*) >= 0.1..0.3 step 0.1",
            Ok(&[0.1, 0.2, 0.3]),
        );
        check(
            "COUNT(DISTINCT srcIpAddr) > 2..3 AND COUNT(*) > 4",
            Ok(&[2.0, 3.0]),
        );
        check("Q having COUNT(*) >= 1..2", Err("no pattern Q; it has P"));
        check("having COUNT(*) >= 5", Err("no range"));
        check("having COUNT(*) >= 5..2", Err("is empty"));
        check("having COUNT(*) >= 1..9000", Err("9000 thresholds"));
        check("having COUNTS(*) >= 1..2", Err("COUNTS"));
    }
}
