//! The reference says what the tables say.

use super::aggregates::AGGREGATES;
use super::operators::{OPERATORS, Operands};
use super::rule_tests::FIELDS;
use super::{Rule, parse};
use crate::event::Attributes;

const REFERENCE: &str = include_str!("../../docs/rules.md");

fn check(table: &str) {
    assert!(
        REFERENCE.contains(table),
        "docs/rules.md lacks this, as it stands:\n{table}"
    );
}

#[test]
fn operators() {
    let mut table = String::from(
        "| operator | takes | holds if the attribute | example |\n| --- | --- | --- | --- |\n",
    );
    for doc in OPERATORS {
        let negation = doc
            .negation
            .map(|negation| format!(", `{negation}`"))
            .unwrap_or_default();
        let takes = match doc.operands {
            Operands::None => "",
            Operands::One => "a value",
            Operands::List => "`(a, b, ..)`",
            Operands::Pair => "`(a, b)`",
        };
        let example = doc
            .examples
            .first()
            .map(|(filter, ..)| *filter)
            .unwrap_or_default();
        let row = format!(
            "| `{}`{negation} | {takes} | {} | `{example}` |\n",
            doc.name, doc.meaning
        );
        table.push_str(&row);
    }
    check(&table);
}

#[test]
fn aggregates() {
    let rows = AGGREGATES
        .iter()
        .map(|doc| format!("| `{}` | {} |\n", doc.written, doc.meaning));
    check(&format!(
        "| aggregate | value |\n| --- | --- |\n{}",
        rows.collect::<String>()
    ));
}

#[test]
fn fields_of_tests() {
    let fields: Vec<String> = FIELDS.iter().map(|field| format!("`{field}`")).collect();
    check(&format!("\n{}.\n", fields.join(", ")));
}

#[test]
fn its_examples_are_valid() {
    let blocks: Vec<&str> = REFERENCE.split("```yaml\n").skip(1).collect();
    let blocks: Vec<&str> = blocks
        .iter()
        .filter_map(|block| block.split("```").next())
        .collect();
    let rule = blocks.first().copied().unwrap_or_default();
    assert!(blocks.len() > 1);
    for block in &blocks[1..] {
        let text = format!("{rule}{block}");
        let rules: Result<Vec<Rule>, _> = parse("example", &text, &mut Attributes::default());
        assert!(rules.is_ok(), "{rules:?}");
    }
}
