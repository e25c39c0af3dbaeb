//! What a Sigma rule says of itself.

use crate::rule::import::draft::Draft;
use crate::rule::import::foreign::{joined_at, text_at, texts_at};
use crate::rule::metadata::{Metadata, Status};
use crate::rule::mitre;
use crate::rule::yaml::Node;

/// What has no key of its own in our rules, and is kept in comments.
const NOTES: [&str; 6] = ["license", "status", "date", "modified", "related", "fields"];

/// What rules are called that say nothing.
const NAMELESS: &str = "Sigma rule without a title";

/// The rule's name.
pub fn name(node: &Node) -> String {
    let title = text_at(node, "title").trim();
    if title.is_empty() {
        NAMELESS.to_owned()
    } else {
        title.to_owned()
    }
}

/// All that is said of a rule besides what it looks for.
pub fn draft(file: &str, node: &Node) -> Draft {
    let own = ["id", "name", "title"].map(|key| text_at(node, key));
    let own = own
        .into_iter()
        .find(|text| !text.is_empty())
        .unwrap_or("rule");
    let mut draft = Draft {
        id: format!("SIGMA_{}", letters(own)),
        name: name(node),
        description: text_at(node, "description").to_owned(),
        metadata: Metadata {
            author: joined_at(node, "author"),
            status: status(text_at(node, "status")),
            tags: texts_at(node, "tags"),
            references: texts_at(node, "references"),
            false_positives: texts_at(node, "falsepositives"),
            ..Metadata::default()
        },
        severity: severity(text_at(node, "level")),
        data_source: source(node),
        ..Draft::default()
    };
    draft.note("imported from", format!("Sigma, {}", base(file)));
    draft.note("rule", format!("{}, {}", text_at(node, "id"), name(node)));
    for key in NOTES {
        draft.note(key, joined_at(node, key));
    }
    if text_at(node, "license").is_empty() {
        draft.note(
            "license",
            "not said in the file; those of SigmaHQ are under the Detection Rule License 1.1",
        );
    }
    attack(node, &mut draft);
    draft
}

/// MITRE ATT&CK ids of its tags.
fn attack(node: &Node, draft: &mut Draft) {
    for tag in texts_at(node, "tags") {
        let tag = tag.to_ascii_lowercase();
        let Some(attack) = tag.strip_prefix("attack.") else {
            continue;
        };
        let named = mitre::tactic(attack);
        let tactic = named
            .map(|(id, _)| id.to_owned())
            .or_else(|| mitre::tactic_id(attack));
        if let (Some((_, name)), true) = (named, draft.subcategory.is_empty()) {
            draft.subcategory = name.to_owned();
        }
        let (list, id) = match (tactic, mitre::technique_id(attack)) {
            (Some(tactic), _) => (&mut draft.tactics, tactic),
            (None, Some(technique)) => (&mut draft.techniques, technique),
            (None, None) => continue,
        };
        if !list.contains(&id) {
            list.push(id);
        }
    }
}

/// Sigma's `test` and `experimental` tell how well a rule has proved itself, and nobody holds back
/// what such rules find: only those that are no longer to be used are told apart.
fn status(status: &str) -> Status {
    match status {
        "deprecated" | "unsupported" => Status::Deprecated,
        _ => Status::Stable,
    }
}

/// As Fortinet's own converter gives them.
fn severity(level: &str) -> u8 {
    match level {
        "informational" => 1,
        "low" => 3,
        "high" => 7,
        "critical" => 9,
        _ => 5,
    }
}

fn source(node: &Node) -> String {
    let Some(source) = crate::rule::import::foreign::get(node, "logsource") else {
        return String::new();
    };
    let parts = ["product", "service", "category"].map(|key| text_at(source, key));
    let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    parts.join(" ")
}

/// What an id may have.
fn letters(text: &str) -> String {
    let letter = |c: char| {
        if c.is_ascii_alphanumeric() || c == '-' {
            c
        } else {
            '_'
        }
    };
    text.chars().map(letter).take(100).collect()
}

/// The name of a file without its folder.
pub fn base(file: &str) -> &str {
    file.rsplit(['/', '\\']).next().unwrap_or(file)
}
