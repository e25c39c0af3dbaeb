//! One file to one rule.

use toml::{Table, Value};

use super::kql;
use super::names::Names;
use super::sequence;
use crate::rule::import::condition::Filter;
use crate::rule::import::draft::{Draft, Pattern};
use crate::rule::import::found::Found;
use crate::rule::import::pieces::{Piece, Pieces};
use crate::rule::metadata::{Metadata, Status};
use crate::rule::mitre;
use crate::time::Second;

/// What has no key of its own in our rules, and is kept in comments.
const NOTES: [&str; 2] = ["note", "setup"];

/// How far a rule looks back that does not say it.
const LOOK_BACK: Second = 360;

/// Fields of a test, or groups.
const FIELDS_MAX: usize = 32;

/// All rules of these files.
pub fn read(files: &[(String, String)]) -> Vec<Found> {
    let found = |(file, text): &(String, String)| {
        let root: Result<Table, _> = text.parse();
        match root {
            Err(error) => {
                let message = error.message().replace('\n', " ");
                Found::of(file, file, Err(format!("not TOML: {message}")))
            }
            Ok(root) => {
                let rule = root.get("rule").and_then(Value::as_table);
                let name = rule.map_or(file.as_str(), |rule| said(rule, "name"));
                let draft = rule.ok_or_else(|| "it has no [rule]".to_owned());
                Found::of(
                    file,
                    name,
                    draft.and_then(|rule| draft_of(file, &root, rule)),
                )
            }
        }
    };
    files.iter().map(found).collect()
}

fn said<'t>(table: &'t Table, key: &str) -> &'t str {
    table.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// The texts of a list, or the one text.
fn texts(table: &Table, key: &str) -> Vec<String> {
    match table.get(key) {
        Some(Value::String(text)) => vec![text.clone()],
        Some(Value::Array(items)) => items
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
        _ => Vec::new(),
    }
}

fn tables<'t>(table: &'t Table, key: &str) -> Vec<&'t Table> {
    match table.get(key) {
        Some(Value::Table(one)) => vec![one],
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_table).collect(),
        _ => Vec::new(),
    }
}

fn draft_of(file: &str, root: &Table, rule: &Table) -> Result<Draft, String> {
    let mut draft = metadata(file, root, rule);
    let mut names = Names::new();
    let query = said(rule, "query");
    if rule.get("filters").is_some() {
        return Err("it has filters in Elasticsearch's query language beside its query".to_owned());
    }
    let kind = said(rule, "type");
    match (kind, said(rule, "language")) {
        ("machine_learning", _) => {
            return Err("machine learning: the rule is a job of Elastic's, not a query".to_owned());
        }
        ("esql", _) | (_, "esql") => {
            return Err("ES|QL: a query that computes tables has no counterpart".to_owned());
        }
        (_, "lucene") => return Err("Lucene's query language is not read".to_owned()),
        ("eql", _) => {
            sequence::read(query, &mut names, &mut draft)?;
            let is_one = draft.patterns.len() == 1;
            if let (true, false, Some(first)) =
                (is_one, names.has_dataset, draft.patterns.first_mut())
            {
                let before = std::mem::replace(&mut first.filter, Filter::always());
                first.filter = Filter::All(vec![indices(rule, &mut names), before]);
            }
        }
        ("query" | "threshold" | "new_terms", _) => {
            let mut filter = kql::filter(query, &mut names)?;
            if !names.has_dataset {
                filter = Filter::All(vec![indices(rule, &mut names), filter]);
            }
            let mut pattern = Pattern::of("Event", filter);
            match kind {
                "threshold" => threshold(rule, &mut names, &mut pattern, &mut draft)?,
                "new_terms" => new_terms(rule, &mut names, &mut pattern)?,
                _ => suppressed(rule, &mut names, &mut pattern, &mut draft)?,
            }
            draft.patterns = vec![pattern];
        }
        (other, _) => {
            let other: String = other.chars().take(60).collect();
            return Err(format!(
                "the type `{}` is not read",
                crate::escape::value(&other)
            ));
        }
    }
    names
        .warnings
        .into_iter()
        .for_each(|warning| draft.warn(warning));
    Ok(draft)
}

fn metadata(file: &str, root: &Table, rule: &Table) -> Draft {
    let letter = |c: char| {
        if c.is_ascii_alphanumeric() || c == '-' {
            c
        } else {
            '_'
        }
    };
    let own = ["rule_id", "name"].map(|key| said(rule, key));
    let own = own
        .into_iter()
        .find(|text| !text.is_empty())
        .unwrap_or("rule");
    let id: String = own.chars().map(letter).take(100).collect();
    let mut draft = Draft {
        id: format!("ELASTIC_{id}"),
        name: said(rule, "name").to_owned(),
        description: said(rule, "description").to_owned(),
        severity: match said(rule, "severity") {
            "low" => 3,
            "high" => 7,
            "critical" => 9,
            _ => 5,
        },
        metadata: Metadata {
            version: rule.get("version").map(scalar).unwrap_or_default(),
            author: texts(rule, "author").join(", "),
            status: status(root),
            tags: texts(rule, "tags"),
            references: texts(rule, "references"),
            false_positives: texts(rule, "false_positives"),
        },
        data_source: texts(rule, "index").join(", "),
        disabled: false,
        ..Draft::default()
    };
    let base = file.rsplit(['/', '\\']).next().unwrap_or(file);
    draft.note("imported from", format!("Elastic, {base}"));
    draft.note(
        "rule",
        format!("{}, {}", said(rule, "rule_id"), said(rule, "name")),
    );
    draft.note(
        "license",
        match said(rule, "license") {
            "" => "not said in the file",
            license => license,
        },
    );
    for key in NOTES {
        draft.note(key, texts(rule, key).join(", "));
    }
    let dates = root.get("metadata").and_then(Value::as_table);
    for key in ["creation_date", "updated_date", "maturity"] {
        draft.note(key, dates.map(|dates| said(dates, key)).unwrap_or_default());
    }
    if rule.get("risk_score").is_some() {
        let score = rule.get("risk_score").map(Value::to_string);
        draft.note("risk_score", score.unwrap_or_default());
    }
    attack(rule, &mut draft);
    draft
}

/// A text or number as text.
fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Integer(_) | Value::Float(_) => value.to_string(),
        Value::Boolean(_) | Value::Datetime(_) | Value::Array(_) | Value::Table(_) => String::new(),
    }
}

fn status(root: &Table) -> Status {
    let metadata = root.get("metadata").and_then(Value::as_table);
    match metadata.map(|metadata| said(metadata, "maturity")) {
        Some("deprecated") => Status::Deprecated,
        Some(_) | None => Status::Stable,
    }
}

fn attack(rule: &Table, draft: &mut Draft) {
    let add = |list: &mut Vec<String>, id: Option<String>| {
        list.extend(
            id.filter(|id| !list.contains(id))
                .into_iter()
                .collect::<Vec<_>>(),
        );
    };
    for threat in tables(rule, "threat") {
        for tactic in tables(threat, "tactic") {
            if draft.subcategory.is_empty() {
                draft.subcategory = said(tactic, "name").to_owned();
            }
            add(&mut draft.tactics, mitre::tactic_id(said(tactic, "id")));
        }
        for technique in tables(threat, "technique") {
            let finer = tables(technique, "subtechnique");
            if finer.is_empty() {
                add(
                    &mut draft.techniques,
                    mitre::technique_id(said(technique, "id")),
                );
            }
            for finer in finer {
                add(
                    &mut draft.techniques,
                    mitre::technique_id(said(finer, "id")),
                );
            }
        }
    }
}

/// The records of the indices of a rule whose query does not name a data set.
fn indices(rule: &Table, names: &mut Names) -> Filter {
    let mut any = Vec::new();
    for index in texts(rule, "index") {
        let Some(index) = index.strip_prefix("logs-") else {
            continue;
        };
        let end = index.find('-').unwrap_or(index.len());
        let dataset = index.get(..end).unwrap_or_default();
        let pieces = match dataset.strip_suffix('*') {
            None => Pieces::plain(dataset),
            Some(start) => Pieces(vec![Piece::Text(start.to_owned()), Piece::Many]),
        };
        any.push(names.dataset(&pieces));
    }
    match any.is_empty() {
        false => Filter::Any(any),
        true => {
            names.warn("it names no data set: records of every kind are looked at".to_owned());
            Filter::always()
        }
    }
}

/// The attributes of fields, all of which an event must have.
fn grouped(
    fields: &[String],
    names: &mut Names,
    pattern: &mut Pattern,
) -> Result<Vec<String>, String> {
    if fields.len() > FIELDS_MAX {
        return Err(format!("it groups by more than {FIELDS_MAX} fields"));
    }
    let mut parts: Vec<String> = Vec::new();
    for field in fields {
        if names.is_unsent(field) {
            names.warn(format!("Azure does not send {field}: it is not grouped by"));
            continue;
        }
        let part = names.field(field)?.grouped().to_owned();
        if !parts.contains(&part) {
            parts.push(part);
        }
    }
    let before = std::mem::replace(&mut pattern.filter, Filter::always());
    let there = parts.iter().map(|part| Filter::there(part));
    pattern.filter = Filter::All(std::iter::once(before).chain(there).collect());
    Ok(parts)
}

fn threshold(
    rule: &Table,
    names: &mut Names,
    pattern: &mut Pattern,
    draft: &mut Draft,
) -> Result<(), String> {
    let threshold = rule.get("threshold").and_then(Value::as_table);
    let threshold = threshold.ok_or("a threshold rule has no threshold")?;
    let fields: Vec<String> = texts(threshold, "field")
        .into_iter()
        .filter(|field| !field.is_empty())
        .collect();
    pattern.group_by = grouped(&fields, names, pattern)?;
    let number = |table: &Table| table.get("value").and_then(Value::as_integer);
    let count = number(threshold).ok_or("its threshold has no value")?;
    let mut tests = vec![format!("COUNT(*) >= {}", count.max(1))];
    for cardinality in tables(threshold, "cardinality") {
        let part = names.field(said(cardinality, "field"))?;
        let least = number(cardinality).ok_or("its cardinality has no value")?;
        tests.push(format!("COUNT(DISTINCT {}) >= {least}", part.grouped()));
    }
    pattern.having = tests.join(" AND ");
    draft.window = match said(rule, "from") {
        "" => LOOK_BACK,
        from => back(from)?,
    };
    Ok(())
}

fn new_terms(rule: &Table, names: &mut Names, pattern: &mut Pattern) -> Result<(), String> {
    let new = rule.get("new_terms").and_then(Value::as_table);
    let new = new.ok_or("a rule of new terms has no new_terms")?;
    let fields = texts(new, "value");
    let history = tables(new, "history_window_start");
    let history = history
        .first()
        .ok_or("new_terms has no history_window_start")?;
    let period = back(said(history, "value"))?;
    let parts = grouped(&fields, names, pattern)?;
    if parts.is_empty() {
        return Err("it asks for new values of what Azure does not send alone".to_owned());
    }
    pattern.group_by.clone_from(&parts);
    pattern.new = Some((parts, period));
    Ok(())
}

/// What alerts are suppressed by is what incidents are made by.
fn suppressed(
    rule: &Table,
    names: &mut Names,
    pattern: &mut Pattern,
    draft: &mut Draft,
) -> Result<(), String> {
    let suppression = rule.get("alert_suppression").and_then(Value::as_table);
    let fields = suppression.map(|suppression| texts(suppression, "group_by"));
    pattern.group_by = match fields.filter(|fields| !fields.is_empty()) {
        None => vec!["user".to_owned()],
        Some(fields) => {
            let mut unused = Pattern::of("Event", Filter::always());
            grouped(&fields, names, &mut unused)?
        }
    };
    let duration = suppression.and_then(|suppression| suppression.get("duration"));
    if let Some(duration) = duration.and_then(Value::as_table) {
        let value = duration
            .get("value")
            .and_then(Value::as_integer)
            .unwrap_or_default();
        let unit = match said(duration, "unit") {
            "s" => 1,
            "m" => 60,
            "h" => 3_600,
            _ => return Err("its suppression has a duration without a unit".to_owned()),
        };
        draft.quiet = value.saturating_mul(unit).max(0);
    }
    Ok(())
}

/// `now-9m` in seconds.
fn back(text: &str) -> Result<Second, String> {
    let broken = || {
        let shown: String = text.chars().take(60).collect();
        format!(
            "`{}` is no time such as now-9m",
            crate::escape::value(&shown)
        )
    };
    let span = text.strip_prefix("now-").ok_or_else(broken)?;
    let digits = span.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let count: Second = digits.parse().map_err(|_| broken())?;
    let unit = match span.strip_prefix(digits).unwrap_or_default() {
        "s" => 1,
        "m" => 60,
        "h" | "H" => 3_600,
        "d" => 86_400,
        "w" => 7 * 86_400,
        "M" => 30 * 86_400,
        "y" => 365 * 86_400,
        _ => return Err(broken()),
    };
    count.checked_mul(unit).ok_or_else(broken)
}
