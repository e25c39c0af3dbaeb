//! One document to one rule.

use super::query::{self, Query};
use crate::rule::import::condition::Filter;
use crate::rule::import::dialect::Dialect;
use crate::rule::import::draft::{Draft, Pattern};
use crate::rule::import::fields::Table;
use crate::rule::import::foreign::{entries, get, items, joined_at, text, text_at, texts_at};
use crate::rule::import::found::{self, Found};
use crate::rule::metadata::Metadata;
use crate::rule::mitre;
use crate::rule::yaml::Node;
use crate::time::Second;

/// What has no key of its own in our rules, and is kept in comments.
const NOTES: [&str; 2] = ["kind", "status"];

/// All rules of these files.
pub fn read(files: &[(String, String)]) -> Vec<Found> {
    let table = Table::of(Dialect::Sentinel);
    let mut found = Vec::new();
    for (file, text) in files {
        let documents = match found::documents(file, text) {
            Ok(documents) => documents,
            Err(refused) => {
                found.push(refused);
                continue;
            }
        };
        for document in &documents {
            let name = text_at(&document.root, "name").trim();
            let name = if name.is_empty() { file } else { name };
            found.push(Found::of(file, name, draft(file, &document.root, &table)));
        }
    }
    found
}

fn draft(file: &str, node: &Node, table: &Table) -> Result<Draft, String> {
    let mut draft = metadata(file, node);
    let query = text_at(node, "query");
    if query.is_empty() {
        return Err("it has no query".to_owned());
    }
    let Query {
        filter,
        group_by,
        mut having,
        window,
        warnings,
    } = query::read(query, table)?;
    let mut pattern = Pattern::of("Event", filter.unwrap_or_else(Filter::always));
    let is_summed = group_by.is_some() && !having.is_empty();
    let least = threshold(node)?;
    match (is_summed, least) {
        (_, 0) => {}
        (false, least) => having.push(format!("COUNT(*) > {least}")),
        (true, _) => {
            return Err("its threshold counts groups, which cannot be said".to_owned());
        }
    }
    let counts_all = least > 0 && group_by.is_none();
    pattern.group_by = match group_by {
        Some(groups) => groups,
        None if counts_all => Vec::new(),
        None => vec!["user".to_owned()],
    };
    let counts = !having.is_empty();
    pattern.having = having.join(" AND ");
    draft.window = match (window, counts) {
        (Some(window), _) => window,
        (None, true) => period(node).unwrap_or(300),
        (None, false) => 300,
    };
    draft.patterns = vec![pattern];
    warnings.into_iter().for_each(|warning| draft.warn(warning));
    Ok(draft)
}

fn metadata(file: &str, node: &Node) -> Draft {
    let letter = |c: char| {
        if c.is_ascii_alphanumeric() || c == '-' {
            c
        } else {
            '_'
        }
    };
    let own = ["id", "name"].map(|key| text_at(node, key));
    let own = own
        .into_iter()
        .find(|text| !text.is_empty())
        .unwrap_or("rule");
    let id: String = own.chars().map(letter).take(100).collect();
    let base = file.rsplit(['/', '\\']).next().unwrap_or(file);
    let mut draft = Draft {
        id: format!("SENTINEL_{id}"),
        name: text_at(node, "name").to_owned(),
        description: text_at(node, "description")
            .trim()
            .trim_matches('\'')
            .to_owned(),
        severity: match text_at(node, "severity") {
            "Informational" => 1,
            "Low" => 3,
            "High" => 7,
            _ => 5,
        },
        metadata: Metadata {
            version: text_at(node, "version").to_owned(),
            author: author(node).to_owned(),
            tags: texts_at(node, "tags"),
            ..Metadata::default()
        },
        data_source: "Microsoft Sentinel's tables".to_owned(),
        ..Draft::default()
    };
    draft.note("imported from", format!("Microsoft Sentinel, {base}"));
    draft.note(
        "rule",
        format!("{}, {}", text_at(node, "id"), text_at(node, "name")),
    );
    draft.note(
        "license",
        "not said in the file; those of Azure/Azure-Sentinel are under the MIT License",
    );
    for key in NOTES {
        draft.note(key, joined_at(node, key));
    }
    let needed = get(node, "requiredDataConnectors")
        .map(items)
        .unwrap_or_default();
    let needed: Vec<&str> = needed
        .iter()
        .map(|one| text_at(one, "connectorId"))
        .collect();
    draft.note("requiredDataConnectors", needed.join(", "));
    let details = get(node, "customDetails")
        .map(entries)
        .into_iter()
        .flatten();
    let details: Vec<String> = details
        .map(|(key, value)| format!("{key} = {}", text(value)))
        .collect();
    draft.note("customDetails", details.join(", "));
    attack(node, &mut draft);
    draft
}

/// MITRE ATT&CK ids of its tactics and techniques.
fn attack(node: &Node, draft: &mut Draft) {
    for tactic in texts_at(node, "tactics") {
        if let Some((id, name)) = mitre::tactic(&tactic) {
            draft.tactics.push(id.to_owned());
            if draft.subcategory.is_empty() {
                draft.subcategory = name.to_owned();
            }
        }
    }
    for technique in texts_at(node, "relevantTechniques") {
        draft.techniques.extend(mitre::technique_id(&technique));
    }
}

/// Who wrote it, as analytics and as hunting rules say it.
fn author(node: &Node) -> &str {
    let author = get(node, "metadata").and_then(|metadata| get(metadata, "author"));
    match author {
        Some(author) => text_at(author, "name"),
        None => text_at(node, "author"),
    }
}

/// More than so many rows make an alert.
fn threshold(node: &Node) -> Result<u64, String> {
    let least = text_at(node, "triggerThreshold")
        .parse()
        .unwrap_or_default();
    match text_at(node, "triggerOperator")
        .to_ascii_lowercase()
        .as_str()
    {
        "" | "gt" | "greaterthan" => Ok(least),
        _ => Err("it triggers by fewer, or by exactly so many, rows".to_owned()),
    }
}

/// How far back the query looks: `1d`, `P1D` or `PT1H`.
fn period(node: &Node) -> Option<Second> {
    let text = text_at(node, "queryPeriod").to_ascii_lowercase();
    let text = text
        .strip_prefix("pt")
        .or_else(|| text.strip_prefix('p'))
        .unwrap_or(&text);
    query::span(text)
}
