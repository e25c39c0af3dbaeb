//! Which tactics of MITRE ATT&CK the rules look for, and where they found something.

use std::collections::{BTreeMap, BTreeSet};

use super::super::{RuleRow, words};
use super::html::{Column, Html};
use crate::rule::mitre::TACTICS;

/// The table of the tactics that a rule names.
pub fn section(html: &mut Html, rows: &[RuleRow]) {
    html.markup("<section id=\"attack\" aria-labelledby=\"attack-title\">")
        .markup("<h2 id=\"attack-title\">ATT&amp;CK</h2><p class=\"hint\">What the rules say ")
        .markup("they look for. Rules that found nothing cover a tactic, too.</p>");
    let by_tactic = by_tactic(rows);
    if by_tactic.is_empty() {
        html.markup("<p class=\"empty\">No rule is in force, so nothing is covered.</p></section>");
        return;
    }
    let columns = [
        Column::Text("Tactic"),
        Column::Text("Techniques"),
        Column::Text("Rules, with incidents"),
        Column::Number("Incidents"),
    ];
    html.begin_table("Tactics", &columns);
    for (tactic, rules) in by_tactic {
        self::tactic(html, tactic, &rules);
    }
    html.end_table();
    let missing: Vec<&str> = TACTICS
        .iter()
        .filter(|(id, _)| {
            !rows
                .iter()
                .any(|row| row.tactics.iter().any(|one| one == id))
        })
        .map(|(_, name)| *name)
        .collect();
    if !missing.is_empty() {
        html.tag(
            "<p class=\"hint\">No rule for: ",
            &missing.join(", "),
            ".</p>",
        );
    }
    html.markup("</section>");
}

/// The rules of each tactic, in the order of an attack; then ids that are not known here, then
/// rules without a tactic.
fn by_tactic(rows: &[RuleRow]) -> Vec<(&str, Vec<&RuleRow>)> {
    let mut by_id: BTreeMap<&str, Vec<&RuleRow>> = BTreeMap::new();
    for row in rows {
        let distinct: BTreeSet<&str> = row.tactics.iter().map(String::as_str).collect();
        for tactic in distinct {
            by_id.entry(tactic).or_default().push(row);
        }
        if row.tactics.is_empty() {
            by_id.entry("").or_default().push(row);
        }
    }
    let mut listed: Vec<(&str, Vec<&RuleRow>)> = by_id.into_iter().collect();
    listed.sort_by_key(|(id, _)| {
        let place = TACTICS.iter().position(|(known, _)| known == id);
        (id.is_empty(), place.unwrap_or(TACTICS.len()))
    });
    listed
}

fn tactic(html: &mut Html, id: &str, rules: &[&RuleRow]) {
    let known = TACTICS.iter().find(|(known, _)| *known == id);
    let name = match known {
        Some((_, name)) => name,
        None if id.is_empty() => "No tactic",
        None => "Other",
    };
    let techniques: BTreeSet<&str> = rules
        .iter()
        .flat_map(|row| row.techniques.iter().map(String::as_str))
        .collect();
    html.tag("<tr><th scope=\"row\">", name, " ")
        .tag("<small>", id, "</small></th><td>");
    for technique in techniques {
        html.tag("<code>", technique, "</code> ");
    }
    html.markup("</td><td><ul class=\"plain\">");
    for row in rules {
        match row.incidents {
            0 => html.tag(
                "<li class=\"silent\">",
                &row.rule_name,
                " – nothing found</li>",
            ),
            some => html.tag("<li>", &row.rule_name, " – ").tag(
                "<b>",
                &words::grouped(some),
                "</b></li>",
            ),
        };
    }
    let total = rules.iter().map(|row| row.incidents).sum();
    html.tag(
        "</ul></td><td class=\"n\">",
        &words::grouped(total),
        "</td></tr>",
    );
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::row_named;
    use super::*;

    #[test]
    fn tactics_come_in_the_order_of_an_attack() {
        let row = |name: &str, tactics: &[&str]| RuleRow {
            tactics: tactics.iter().map(|id| (*id).to_owned()).collect(),
            ..row_named(name, &[])
        };
        let rows = [
            row("none", &[]),
            row("two", &["TA0040", "TA0001", "TA0001"]),
            row("new", &["TA0999"]),
            row("one", &["TA0001"]),
        ];
        let found: Vec<(&str, Vec<&str>)> = by_tactic(&rows)
            .into_iter()
            .map(|(id, rules)| (id, rules.iter().map(|row| row.rule_name.as_str()).collect()))
            .collect();
        let expected = [
            ("TA0001", vec!["two", "one"]),
            ("TA0040", vec!["two"]),
            ("TA0999", vec!["new"]),
            ("", vec!["none"]),
        ];
        assert_eq!(found, expected);
    }
}
