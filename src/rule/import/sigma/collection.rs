//! The documents of Sigma files, and what they say of each other.

use std::collections::{HashMap, HashSet};

use super::correlation;
use super::document::{Detected, Document, names};
use super::metadata;
use super::search;
use super::value::Reading;
use crate::rule::import::condition::Filter;
use crate::rule::import::dialect::Dialect;
use crate::rule::import::draft::Pattern;
use crate::rule::import::fields::{Source, Table};
use crate::rule::import::foreign::{get, items, text, text_at};
use crate::rule::import::found::{self, Found, Outcome};
use crate::rule::yaml::{Content, Node};

/// Documents of one file.
const DOCUMENTS_MAX: usize = 5_000;

/// Filters over rules of one import, and rules that one of them names.
const FILTERS_MAX: usize = 100;
const NAMES_MAX: usize = 1_000;

/// Bytes of documents, counted as often as they are put into others.
const MERGED_MAX: usize = 64 << 20;

/// All rules of these files.
pub fn read(files: &[(String, String)]) -> Vec<Found> {
    let table = Table::of(Dialect::Sigma);
    let mut found = Vec::new();
    let documents = documents(files, &mut found);
    let is = |kind: &'static str| move |document: &&Document| get(&document.node, kind).is_some();
    let filters: Vec<&Document> = documents.iter().filter(is("filter")).collect();
    let mut detected: Vec<(usize, Result<Detected, String>)> = Vec::new();
    let mut correlations: Vec<(usize, &Document)> = Vec::new();
    for (place, document) in documents.iter().enumerate() {
        let has = |kind| get(&document.node, kind).is_some();
        if has("correlation") {
            correlations.push((place, document));
        } else if !has("filter") {
            detected.push((place, detect(document, &table)));
        }
    }
    let filtered = filter_all(&mut detected, &filters, &table);
    let known: Vec<&Detected> = detected
        .iter()
        .filter_map(|(_, rule)| rule.as_ref().ok())
        .collect();
    let nodes: Vec<&Document> = correlations.iter().map(|(_, document)| *document).collect();
    let read = correlation::read(&nodes, &known, &table);
    let mut placed: Vec<(usize, Found)> = Vec::new();
    for ((place, document), draft) in correlations.iter().zip(read.drafts) {
        let name = metadata::name(&document.node);
        placed.push((*place, Found::of(&document.file, &name, draft)));
    }
    for (place, rule) in &detected {
        placed.extend(
            documents
                .get(*place)
                .map(|document| (*place, single(document, rule, &read.parts))),
        );
    }
    for (document, said) in filters.iter().zip(filtered) {
        let place = documents
            .iter()
            .position(|other| std::ptr::eq(other, *document));
        let found = Found {
            file: document.file.clone(),
            name: metadata::name(&document.node),
            outcome: said,
        };
        placed.push((place.unwrap_or_default(), found));
    }
    placed.sort_by_key(|(place, _)| *place);
    found.extend(placed.into_iter().map(|(_, found)| found));
    found
}

/// A rule by itself, unless it only makes parts of correlations.
fn single(document: &Document, rule: &Result<Detected, String>, parts: &HashSet<String>) -> Found {
    let name = metadata::name(&document.node);
    let rule = match rule {
        Ok(rule) => rule,
        Err(reason) => return Found::of(&document.file, &name, Err(reason.clone())),
    };
    if rule.names.iter().any(|name| parts.contains(name)) {
        return Found {
            file: document.file.clone(),
            name,
            outcome: Outcome::Part(
                "a part of correlations, which do not ask for it alone".to_owned(),
            ),
        };
    }
    let mut draft = rule.draft.clone();
    let mut pattern = Pattern::of("Event", rule.filter.clone());
    pattern.group_by = vec!["user".to_owned()];
    draft.patterns = vec![pattern];
    Found::of(&document.file, &name, Ok(draft))
}

/// The documents of files, with what `action` makes of them. What is no YAML is found as such.
fn documents(files: &[(String, String)], found: &mut Vec<Found>) -> Vec<Document> {
    let mut all = Vec::new();
    for (file, text) in files {
        let documents = match found::documents(file, text) {
            Ok(documents) => documents,
            Err(refused) => {
                found.push(refused);
                continue;
            }
        };
        if documents.is_empty() {
            found.push(Found::of(
                file,
                file,
                Err("there is no rule in it".to_owned()),
            ));
        }
        if documents.len() > DOCUMENTS_MAX {
            let message = format!("a file has at most {DOCUMENTS_MAX} documents");
            found.push(Found::of(file, file, Err(message)));
            continue;
        }
        let mut global: Option<Node> = None;
        let mut last: Option<Node> = None;
        let mut shared = 0_usize;
        let mut used = 0_usize;
        for document in documents {
            let root = document.root;
            used = used.saturating_add(shared);
            if matches!(text_at(&root, "action"), "global" | "repeat") {
                shared = shared.saturating_add(document.text.len());
            }
            if used > MERGED_MAX {
                let message = "its documents repeat too much of each other".to_owned();
                found.push(Found::of(file, file, Err(message)));
                break;
            }
            match text_at(&root, "action") {
                "global" => {
                    global = Some(merged(global.as_ref(), &root));
                    continue;
                }
                "reset" => {
                    global = None;
                    continue;
                }
                "repeat" => last = Some(merged(last.as_ref(), &root)),
                _ => last = Some(merged(global.as_ref(), &root)),
            }
            all.extend(last.clone().map(|node| Document {
                file: file.clone(),
                node,
            }));
        }
    }
    all
}

/// A mapping with all of another one over it.
fn merged(under: Option<&Node>, over: &Node) -> Node {
    let (Some(under), Content::Mapping(more)) = (under, &over.content) else {
        return over.clone();
    };
    let Content::Mapping(entries) = &under.content else {
        return over.clone();
    };
    let mut entries = entries.clone();
    let names = entries.iter().enumerate();
    let places: HashMap<String, usize> = names
        .map(|(place, (key, _))| (key.text.clone(), place))
        .collect();
    for (key, value) in more {
        match places
            .get(&key.text)
            .and_then(|place| entries.get_mut(*place))
        {
            None => entries.push((key.clone(), value.clone())),
            Some((_, known)) => *known = merged(Some(known), value),
        }
    }
    Node {
        at: over.at,
        content: Content::Mapping(entries),
    }
}

fn detect(document: &Document, table: &Table) -> Result<Detected, String> {
    let node = &document.node;
    let Some(detection) = get(node, "detection") else {
        return Err("it has neither `detection` nor `correlation` nor `filter`".to_owned());
    };
    let mut draft = metadata::draft(&document.file, node);
    let log_source = log_source(node);
    let said: Vec<(&str, &str)> = log_source
        .iter()
        .map(|(key, value)| (*key, value.as_str()))
        .collect();
    let source = match table.source(&said) {
        Some(source) => source.clone(),
        None => Source::unknown(format!(
            "the log source ({}) is none of Azure: fields are read as places in the record, and \
             records of every kind are looked at",
            said.iter()
                .map(|(_, value)| *value)
                .collect::<Vec<_>>()
                .join(" ")
        )),
    };
    let mut reading = Reading {
        table,
        source: &source,
        warnings: Vec::new(),
        lists: Vec::new(),
    };
    let filter = search::filter(detection, &mut reading)?;
    let Reading {
        warnings, lists, ..
    } = reading;
    if !source.warning.is_empty() {
        draft.warn(source.warning.clone());
    }
    warnings.into_iter().for_each(|warning| draft.warn(warning));
    draft.lists = lists;
    draft.note("timeframe", text_at(detection, "timeframe"));
    let filter = match source.filter.is_empty() {
        true => filter,
        false => Filter::All(vec![Filter::Native(source.filter.clone()), filter]),
    };
    Ok(Detected {
        names: names(node),
        log_source,
        source,
        filter,
        draft,
    })
}

fn log_source(node: &Node) -> Vec<(&'static str, String)> {
    let source = get(node, "logsource");
    let of = |key| Some((key, text(get(source?, key)?).to_ascii_lowercase()));
    ["product", "service", "category"]
        .into_iter()
        .filter_map(of)
        .collect()
}

/// Narrows rules by the filters over them, and says of each filter what became of it.
fn filter_all(
    detected: &mut [(usize, Result<Detected, String>)],
    filters: &[&Document],
    table: &Table,
) -> Vec<Outcome> {
    let mut said = Vec::new();
    for filter in filters {
        if said.len() >= FILTERS_MAX {
            said.push(Outcome::Refused(format!(
                "one import has at most {FILTERS_MAX} filters"
            )));
            continue;
        }
        let mut count = 0;
        let mut refused = None;
        let mut left = MERGED_MAX;
        for (_, rule) in detected.iter_mut() {
            let Ok(rule) = rule else { continue };
            if refused.is_some() || !is_meant(filter, rule) {
                continue;
            }
            match narrow(filter, rule, table) {
                Ok(weight) if weight <= left => (count, left) = (count + 1, left - weight),
                Ok(_) => refused = Some("it is put into too many rules".to_owned()),
                Err(reason) => refused = Some(reason),
            }
        }
        said.push(match (refused, count) {
            (Some(reason), _) => Outcome::Refused(reason),
            (None, 0) => Outcome::Refused("none of the rules that it names is there".to_owned()),
            (None, count) => Outcome::Part(format!("a filter, put into {count} rules")),
        });
    }
    said
}

/// Whether a filter is over a rule.
fn is_meant(filter: &Document, rule: &Detected) -> bool {
    let Some(node) = get(&filter.node, "filter") else {
        return false;
    };
    let rules = get(node, "rules").map(items).unwrap_or_default();
    let is_named = rules.iter().take(NAMES_MAX).map(text).any(|name| {
        name.eq_ignore_ascii_case("any") || rule.names.iter().any(|known| known == name)
    });
    let narrower = |(key, value): &(&'static str, String)| {
        rule.log_source
            .iter()
            .any(|(known, said)| known == key && said == value)
    };
    is_named && log_source(&filter.node).iter().all(narrower)
}

fn narrow(filter: &Document, rule: &mut Detected, table: &Table) -> Result<usize, String> {
    let Some(node) = get(&filter.node, "filter") else {
        return Ok(0);
    };
    let mut reading = Reading {
        table,
        source: &rule.source,
        warnings: Vec::new(),
        lists: Vec::new(),
    };
    let narrower = search::filter(node, &mut reading)?;
    let Reading {
        warnings, lists, ..
    } = reading;
    warnings
        .into_iter()
        .for_each(|warning| rule.draft.warn(warning));
    rule.draft.lists.extend(lists);
    let name = metadata::name(&filter.node);
    rule.draft.note(
        "filter",
        format!("{name}, {}", metadata::base(&filter.file)),
    );
    let weight = search::weight(&narrower);
    let before = std::mem::replace(&mut rule.filter, Filter::always());
    rule.filter = Filter::All(vec![before, narrower]);
    Ok(weight)
}
