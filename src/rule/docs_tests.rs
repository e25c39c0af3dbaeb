//! The reference says what the tables say.

use super::aggregates::AGGREGATES;
use super::condition::{self, ConditionDoc};
use super::functions::FUNCTIONS;
use super::lint::Lint;
use super::lists::Lists;
use super::operators::{OPERATORS, Operands};
use super::rule_tests::FIELDS;
use super::tables::tests::asn;
use super::{Rule, parse_all};
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
    let mut table = String::from("| aggregate | value | example |\n| --- | --- | --- |\n");
    for doc in AGGREGATES {
        let (having, values, holds) = doc.example;
        let values: Vec<String> = values.iter().map(|value| format!("`{value}`")).collect();
        let row = format!(
            "| `{}` | {} | `{having}` {} over {} |\n",
            doc.written,
            doc.meaning,
            if holds { "holds" } else { "fails" },
            values.join(", ")
        );
        table.push_str(&row);
    }
    check(&table);
}

#[test]
fn functions() {
    let mut table = String::from("| function | value | example |\n| --- | --- | --- |\n");
    for doc in FUNCTIONS {
        let example = doc.examples.first().map_or("", |(filter, ..)| filter);
        let (name, arguments) = (doc.name, doc.arguments);
        table.push_str(&format!(
            "| `{name}({arguments})` | {} | `{example}` |\n",
            doc.meaning
        ));
    }
    check(&table);
}

#[test]
fn condition_operators() {
    let row = |doc: ConditionDoc| {
        let first = |wanted: bool| {
            let found = doc.examples.iter().find(|(_, holds)| *holds == wanted);
            found.map_or("", |(events, _)| events)
        };
        let (does, does_not) = (first(true), first(false));
        let ConditionDoc {
            written, meaning, ..
        } = doc;
        format!("| `{written}` | {meaning} | {does} | {does_not} |\n")
    };
    let rows: String = condition::docs().into_iter().map(row).collect();
    check(&format!(
        "| condition | triggers when, within one window | does at | does not at |\n\
         | --- | --- | --- | --- |\n{rows}"
    ));
}

#[test]
fn lints() {
    let row = |lint: Lint| format!("| `{}` | {} |\n", lint.name(), lint.meaning());
    let rows: String = Lint::ALL.into_iter().map(row).collect();
    check(&format!("| lint | finds |\n| --- | --- |\n{rows}"));
}

#[test]
fn fields_of_tests() {
    let fields: Vec<String> = FIELDS.iter().map(|field| format!("`{field}`")).collect();
    check(&format!("\n{}.\n", fields.join(", ")));
}

/// The YAML examples: whole rules, and parts, put into the first rule in place of its own.
fn examples() -> Vec<String> {
    let blocks: Vec<&str> = REFERENCE
        .split("```yaml\n")
        .skip(1)
        .filter_map(|block| block.split("```").next())
        .collect();
    let rule = blocks.first().copied().unwrap_or_default();
    let key = |line: &str| line.split(':').next().map(str::to_owned);
    let example = |block: &&str| {
        if block.starts_with("id:") || block.starts_with("macros:") {
            return (*block).to_owned();
        }
        let (new, mut replaced) = (key(block), false);
        let kept = rule.lines().filter(|line| {
            replaced = key(line) == new || replaced && line.starts_with(' ');
            !replaced
        });
        format!("{}\n{block}", kept.collect::<Vec<_>>().join("\n"))
    };
    blocks.iter().map(example).collect()
}

#[test]
fn its_examples_are_valid() {
    let list = |file: &str, text: &str| (format!("lists/{file}"), text.to_owned());
    let (lists, _) = Lists::parse(&[
        list("Admins.txt", "alice@contoso.com"),
        list("Offices.txt", "192.0.2.0/24"),
        list("Owners.csv", "user,team,limit\nalice@contoso.com,hr,5"),
    ]);
    let lists = lists.with_tables(asn());
    let examples = examples();
    assert!(examples.len() > 5);
    for text in &examples {
        let files = [("example".to_owned(), text.clone())];
        let rules: Result<Vec<Rule>, _> = parse_all(&files, &lists, &mut Attributes::default());
        assert!(rules.is_ok(), "{text}\n{rules:?}");
    }
}
