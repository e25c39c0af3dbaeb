//! Random rules over the whole language.

use crate::rng::Rng;

use super::START;

/// A rule as text, in what decides its meaning and what does not.
#[derive(Clone)]
pub struct Written {
    id: u64,
    meaning: String,
    shown: String,
}

/// How the patterns of a rule are grouped and related.
struct Grouping {
    /// `group_by` of each pattern.
    group_by: Vec<Vec<&'static str>>,
    /// How many attributes of each pattern are related; they are its first ones.
    related: usize,
    relations: Vec<String>,
}

/// A condition, and the patterns in it that are the two sides of one operator.
struct Conditioned {
    text: String,
    pairs: Vec<[String; 2]>,
}

const NAMES: [&str; 4] = ["A", "B", "C", "D"];

const CLEAR: &str = "Restored";

/// Actors of events that are somebody's, and of those done to somebody.
const USER: &str = "user";
const OWNER: &str = "record.properties.owner";
const ADDRESS: &str = "srcIpAddr";

/// Attributes that may have several values, which vary together.
const TARGET: &str = "record.properties.targets.name";
const TARGET_ADDRESS: &str = "record.properties.targets.ip";

/// A computed value: of some elements the name, else who acted.
const TOUCHED: &str = "touched";
const TOUCHED_IS: &str = "{ touched: 'IF(record.properties.targets.size > 1, \
                          record.properties.targets.name, user)' }";

/// What was done.
const KIND: &str = "eventType";

const WHERES: [&str; 16] = [
    "eventType = \"MS_EvtHub_test_things_write\"",
    "eventType = \"MS_EvtHub_test_things_read\"",
    "eventType = \"MS_EvtHub_test_things_delete\"",
    "eventType = \"MS_EvtHub_test_things_start\"",
    "eventType IN (\"MS_EvtHub_test_things_write\", \"MS_EvtHub_test_things_delete\")",
    "eventType != \"MS_EvtHub_test_things_write\"",
    "srcIpAddr != \"10.0.0.1\"",
    "user IS NOT NULL",
    "record.properties.targets.name IS NOT NULL",
    "record.properties.targets.size > 1 OR record.properties.targets.name = user",
    "record.properties.targets[size = \"2\"].name IS NOT NULL OR record.properties.number = 2",
    "record.properties.number > 1",
    "user IN (Group@Admins)",
    "srcIpAddr NOT IN (Group@Networks)",
    "LookupTableGet(Owners, user, team) = \"red\"",
    "record.properties.owner = user OR record.properties.number * 2 >= LEN(eventType) / 15",
];

const LASTING: [&str; 13] = [
    "COUNT(*) >= 1",
    "COUNT(*) >= 2",
    "COUNT(*) >= 3",
    "COUNT(record.properties.number) > 1",
    "COUNT(DISTINCT srcIpAddr) >= 2",
    "SUM(record.properties.number) >= 4",
    "SUM(record.properties.targets.size) >= 3",
    "SPAN() >= 2.5",
    "COUNT(DISTINCT record.properties.targets.name) >= 2",
    "MIN(record.properties.number) < 0",
    "SUM(IF(srcIpAddr = \"10.0.0.1\", 1, 0)) >= 2",
    "COUNT(DISTINCT user, srcIpAddr) >= 2",
    "COUNT(DISTINCT record.properties.targets.name, LEN(eventType)) >= 2",
];

const FALSIFIABLE: [&str; 21] = [
    "MIN(record.properties.number) >= 0",
    "AVG(record.properties.number) > 1",
    "COUNT(*) <= 2",
    "COUNT(*) >= 2 AND AVG(record.properties.number) < 2",
    "SUM(record.properties.number) / COUNT(*) > 1 OR COUNT(*) >= 5",
    "COUNT(*) = 2",
    "MAX(record.properties.number) - MIN(record.properties.number) < 3",
    "FIRST(record.properties.number) >= 1",
    "LAST(record.properties.number) < 2",
    "MEDIAN(record.properties.number) >= 1",
    "MODE(record.properties.number) = 1",
    "PCTILE(record.properties.number, 90) > 2",
    "STDDEV(record.properties.number) > 0.5",
    "VARIANCE(record.properties.number) < 1",
    "COUNT(*) >= 2 AND SPAN() < 4",
    "MEDIAN(record.properties.targets.size) >= 1",
    "FIRST(record.properties.targets.size) < LAST(record.properties.targets.size)",
    "PCTCHANGE(record.properties.targets.size) > 0 AND COUNT(record.properties.targets.ip) < 3",
    "SUM(IF(eventType CONTAIN \"write\", 1, 0)) / COUNT(*) >= 0.5",
    "AVG(record.properties.targets.size * 2) > 2",
    "PCTCHANGE(record.properties.number) >= 50 OR COUNT(DISTINCT record.properties.number) > 2",
];

const OPERATORS: [&str; 5] = ["AND", "OR", "FOLLOWED_BY", "AND_NOT", "NOT_FOLLOWED_BY"];

/// A rule set of one to three rules. Without `late`, every rule takes half an hour of lateness.
pub fn rules(rng: &mut Rng, late: bool) -> Vec<Written> {
    let count = 1 + rng.below(3);
    (0..count).map(|id| rule(rng, id, late)).collect()
}

/// The file that holds them.
pub fn text(rules: &[Written]) -> String {
    let texts: Vec<String> = rules
        .iter()
        .map(|rule| format!("{}{}", rule.meaning, rule.shown))
        .collect();
    texts.join("---\n")
}

/// The lists that rules may name.
pub fn lists(rng: &mut Rng) -> Vec<(String, String)> {
    let list = |name: &str, text: String| (name.to_owned(), text);
    let user = rng.below(3);
    vec![
        list("lists/Admins.txt", format!("user{user}@contoso.com\n")),
        list(
            "lists/Networks.txt",
            format!("10.0.0.{}/31\n", rng.below(2) * 2),
        ),
        list(
            "lists/Owners.csv",
            format!("who,team\nuser0@contoso.com,red\nuser{user}@contoso.com,blue\n"),
        ),
    ]
}

/// The rule set some time later.
pub fn changed(rng: &mut Rng, rules: &[Written], late: bool) -> Vec<Written> {
    let mut rules = rules.to_vec();
    let place = rng.index(rules.len());
    match rng.below(4) {
        0 => rules[place] = rule(rng, rules[place].id, late),
        1 if rules.len() > 1 => {
            rules.remove(place);
        }
        2 => {
            let id = rules.iter().map(|rule| rule.id).max().unwrap_or(0) + 1;
            rules.push(rule(rng, id, late));
        }
        _ => {
            rules[place].shown = shown(rng, &rules[place].meaning);
        }
    }
    rules
}

fn rule(rng: &mut Rng, id: u64, late: bool) -> Written {
    let patterns = match rng.below(17) {
        0..4 => 1,
        4..12 => 2,
        12..16 => 3,
        _ => 4,
    };
    let clear = rng.one_in(3);
    let total = patterns + usize::from(clear);
    let names: Vec<&str> = (0..total)
        .map(|place| {
            if place < patterns {
                NAMES[place]
            } else {
                CLEAR
            }
        })
        .collect();
    let window = *rng.choose(&[1, 5, 20, 60, 60, 300, 1_200]);
    let mut grouping = grouping(rng, &names);
    let mut text = format!(
        "id: PH_Rule_SIM_{id}\nname: Rule {id}\ncategory: Security\nwindow: {window}s\npatterns:\n"
    );
    for (place, name) in names.iter().enumerate() {
        text += &pattern(rng, name, &grouping.group_by[place]);
    }
    if total > 1 && (clear || !rng.one_in(6)) {
        let condition = condition(rng, &names[..patterns]);
        text += &format!("condition: {}\n", condition.text);
        differ(rng, &names, &condition, &mut grouping);
    }
    if !grouping.relations.is_empty() {
        text += &format!("relations: [{}]\n", grouping.relations.join(", "));
    }
    text += &incident(rng, &names, &grouping);
    let quiet = *rng.choose(&[1, 10, 60, 300, 300, 4_000, 4_000, 40_000]);
    match (clear, rng.one_in(2)) {
        (true, true) => text += &format!("clear: {{ when: Restored, quiet: {quiet}s }}\n"),
        (true, false) => text += "clear: { when: Restored }\n",
        (false, true) => text += &format!("clear: {{ quiet: {quiet}s }}\n"),
        (false, false) => (),
    }
    text += &times(rng, late);
    let shown = shown(rng, &text);
    Written {
        id,
        meaning: text,
        shown,
    }
}

fn times(rng: &mut Rng, late: bool) -> String {
    let patience = *rng.choose(&[0, 0, 60, 900]);
    let lateness = if late {
        *rng.choose(&[900, 1_000, 1_800, 4_000])
    } else {
        *rng.choose(&[1_800, 7_200])
    };
    match rng.below(3) {
        0 => String::new(),
        1 => format!("patience: {patience}s\n"),
        _ => format!("patience: {patience}s\nlateness: {lateness}s\n"),
    }
}

fn grouping(rng: &mut Rng, names: &[&str]) -> Grouping {
    let all = |group: &[&'static str]| vec![group.to_vec(); names.len()];
    let related = |attributes: &[&'static str], group_by: &[Vec<&'static str>]| {
        let mut relations = Vec::new();
        for (place, name) in names.iter().enumerate().skip(1) {
            for (part, attribute) in attributes.iter().enumerate() {
                let own = group_by[place][part];
                relations.push(format!("{}.{attribute} = {name}.{own}", names[0]));
            }
        }
        relations
    };
    if names.len() == 1 {
        let one = *rng.choose(&[
            &[USER][..],
            &[USER, ADDRESS],
            &[ADDRESS],
            &[],
            &[TARGET],
            &[TARGET, TARGET_ADDRESS],
            &[USER, TARGET_ADDRESS],
            &[TOUCHED],
            &[TOUCHED, TARGET],
        ]);
        return Grouping {
            group_by: all(one),
            related: one.len(),
            relations: Vec::new(),
        };
    }
    match rng.below(8) {
        // One key for all, with groups or without.
        0 => Grouping {
            group_by: names
                .iter()
                .map(|_| {
                    rng.choose(&[&[USER][..], &[ADDRESS], &[], &[TARGET], &[TOUCHED]])
                        .to_vec()
                })
                .collect(),
            related: 0,
            relations: Vec::new(),
        },
        1 => {
            let group_by = all(&[USER, ADDRESS]);
            let relations = related(&[USER, ADDRESS], &group_by);
            Grouping {
                group_by,
                related: 2,
                relations,
            }
        }
        // Who did it is whom it is done to; some patterns group by more than the key.
        kind => {
            let group_by: Vec<Vec<&'static str>> = names
                .iter()
                .enumerate()
                .map(|(place, _)| {
                    let crossed = kind < 4 && place > 0 && rng.one_in(2);
                    let crossed = crossed.then(|| *rng.choose(&[OWNER, TARGET, TOUCHED]));
                    let mut group_by = vec![crossed.unwrap_or(USER)];
                    if rng.one_in(2) {
                        group_by.push(*rng.choose(&[ADDRESS, TARGET_ADDRESS]));
                    }
                    if rng.one_in(6) {
                        group_by.push(KIND);
                    }
                    group_by
                })
                .collect();
            let relations = related(&[USER], &group_by);
            Grouping {
                group_by,
                related: 1,
                relations,
            }
        }
    }
}

fn pattern(rng: &mut Rng, name: &str, group_by: &[&str]) -> String {
    let written = group_by.iter().map(|name| match *name {
        TOUCHED => TOUCHED_IS,
        name => name,
    });
    let mut text = format!(
        "  - name: {name}\n    where: '{}'\n    group_by: [{}]\n",
        rng.choose(&WHERES),
        written.collect::<Vec<_>>().join(", "),
    );
    match rng.below(10) {
        0..3 => (),
        3..9 => text += &format!("    having: {}\n", rng.choose(&LASTING)),
        _ => text += &format!("    having: {}\n", rng.choose(&FALSIFIABLE)),
    }
    if rng.one_in(6) {
        let mut new = group_by.to_vec();
        for more in [ADDRESS, "record.properties.number", TARGET_ADDRESS] {
            if !new.contains(&more) && (new.is_empty() || rng.one_in(2)) {
                new.push(more);
            }
        }
        let period = rng.choose(&["10s", "5m", "2h"]);
        text += &format!("    new: \"[{}] over {period}\"\n", new.join(", "));
    }
    text
}

/// Now and then adds that an attribute must differ between the two sides of an operator.
fn differ(rng: &mut Rng, names: &[&str], condition: &Conditioned, grouping: &mut Grouping) {
    let once = |name: &String| {
        let words = condition.text.split([' ', '(', ')']);
        words.filter(|word| word == name).count() == 1
    };
    for pair in condition.pairs.iter().filter(|pair| pair.iter().all(once)) {
        let finer = pair.each_ref().map(|name| {
            let place = names.iter().position(|known| known == name);
            &grouping.group_by[place.expect("a pattern")][grouping.related..]
        });
        if finer.iter().any(|finer| finer.is_empty()) || rng.one_in(4) {
            continue;
        }
        let [left, right] = pair;
        let [of_left, of_right] = finer.map(|finer| rng.choose(finer));
        let relation = match rng.one_in(2) {
            true => format!("{left}.{of_left} != {right}.{of_right}"),
            false => format!("{right}.{of_right} != {left}.{of_left}"),
        };
        grouping.relations.push(relation);
    }
}

/// A condition that names each pattern, some now and then twice.
fn condition(rng: &mut Rng, names: &[&str]) -> Conditioned {
    let mut pairs = Vec::new();
    let mut parts: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    if rng.one_in(8) {
        parts.push((*rng.choose(names)).to_owned());
    }
    for place in (1..parts.len()).rev() {
        parts.swap(place, rng.index(place + 1));
    }
    while parts.len() > 1 {
        let place = rng.index(parts.len() - 1);
        let right = parts.remove(place + 1);
        let follows = place + 1 < parts.len() && rng.one_in(3);
        let unless = follows.then(|| parts.remove(place + 1));
        let unless = unless.filter(|unless| *unless != right && *unless != parts[place]);
        let left = &parts[place];
        let part = |text: &str| match text.contains(' ') {
            true => format!("({text})"),
            false => text.to_owned(),
        };
        let operator = match unless {
            Some(_) => "FOLLOWED_BY",
            None => rng.choose(&OPERATORS),
        };
        if operator != "OR" {
            pairs.push([left.clone(), right.clone()]);
        }
        let text = match unless {
            Some(unless) => {
                let (right, unless) = (part(&right), part(&unless));
                format!("{left} FOLLOWED_BY {right} UNLESS {unless}")
            }
            None => format!("{left} {operator} {}", part(&right)),
        };
        let is_open = parts.len() == 1 || rng.one_in(3);
        parts[place] = match is_open && !right.contains(' ') {
            true => text,
            false => format!("({text})"),
        };
    }
    pairs.retain(|pair| pair.iter().all(|side| names.contains(&side.as_str())));
    Conditioned {
        text: parts.remove(0),
        pairs,
    }
}

fn incident(rng: &mut Rng, names: &[&str], grouping: &Grouping) -> String {
    if rng.one_in(3) {
        return String::new();
    }
    let mut attributes = Vec::new();
    for (place, name) in names.iter().enumerate() {
        for attribute in &grouping.group_by[place] {
            let short = attribute.rsplit('.').next().unwrap_or(attribute);
            let shown = match attributes.is_empty() {
                true => (*attribute).to_owned(),
                false => format!("{name}{short}"),
            };
            attributes.push(format!("\"{shown}\": {name}.{attribute}"));
        }
        let aggregates = [
            "COUNT(*)",
            "SUM(record.properties.number)",
            "COUNT(DISTINCT user)",
            "FIRST(eventType)",
            "LAST(record.properties.number)",
            "MODE(srcIpAddr)",
            "SPAN()",
            "LAST(record.properties.targets.name)",
            "MODE(record.properties.targets.ip)",
            "MEDIAN(record.properties.number)",
            "SUM(IF(user IS NULL, 1, record.properties.number))",
        ];
        let aggregate = rng.choose(&aggregates);
        attributes.push(format!("{name}_value: \"{name}.{aggregate}\""));
    }
    format!("incident:\n  attributes: {{ {} }}\n", attributes.join(", "))
}

/// Severity and exceptions of a rule that is otherwise this.
fn shown(rng: &mut Rng, rule: &str) -> String {
    let has_user = rule.contains("\"user\"");
    let has_value = rule.contains("A_value");
    let severity = 1 + rng.below(10);
    let mut text = match rng.below(4) {
        0 if has_user => format!(
            "severity: [{{ when: 'user IN (Group@Admins)', value: 9 }}, \
             {{ when: 'event_count >= 4', value: 7 }}, {{ value: {severity} }}]\n"
        ),
        2 if has_value => {
            format!("severity: [{{ when: 'A_value > 2', value: 8 }}, {{ value: {severity} }}]\n")
        }
        1 => format!(
            "severity: [{{ when: 'trigger_count > 1 OR event_count > 3', value: 8 }}, \
             {{ value: {severity} }}]\n"
        ),
        _ => format!("severity: {severity}\n"),
    };
    let exception = match rng.below(6) {
        0 if has_user => "user = \"user2@contoso.com\"",
        1 if has_user => "user IN (Group@Admins)",
        2 => "event_count > 4",
        _ => return text,
    };
    text += &format!("exceptions:\n  - {{ where: '{exception}'");
    if rng.one_in(2) {
        text += &format!(", from: {}", watchfire::time::rfc3339(START + 60_000));
    }
    text += " }\n";
    text
}
