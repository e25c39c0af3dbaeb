//! What holds, and where each of it comes from.

use std::collections::BTreeMap;

use toml::de::{DeTable, DeValue};

use super::environment::{CONNECTION, CONNECTION_FILE, property_of, variable_of};
use super::keys::{KEYS, Part, Usual};
use super::{Config, Input, Memory, Written};

/// Something that is set, or is as it is where nothing is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The key; a property of `[kafka]` as `kafka."property"`.
    pub key: String,
    /// The value as it would be written; `None`: there is none.
    pub value: Option<String>,
    /// Where it comes from.
    pub from: Origin,
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nothing is written; what that means, where it is no value.
    Default(&'static str),
    /// A share of the memory that the process may take.
    MemoryLimit,
    /// What a namespace of Event Hubs needs.
    EventHubs,
    /// A line of the file.
    Line {
        /// The file's name.
        file: String,
        /// The line, from 1.
        line: usize,
    },
    /// An environment variable.
    Variable(String),
    /// A flag.
    Flag,
}

/// What is shown in place of a secret.
const HIDDEN: &str = "(not shown)";

/// All keys in the order of the documentation, then the properties of the client. `config` was
/// built from `input`.
pub fn settings(input: &Input<'_>, config: &Config) -> Vec<Setting> {
    let written = input.file.map(|(file, text)| Text::read(file, text));
    let written = written.unwrap_or_default();
    let keys = KEYS.iter().map(|key| {
        let (value, from) = flag(&input.flags, key.name)
            .map(|value| (Some(value), Origin::Flag))
            .or_else(|| variable(input, key.name))
            .or_else(|| written.found(key.name))
            .unwrap_or_else(|| usual(key.default, input.memory_limit));
        let key = key.name.to_owned();
        with_brokers(Setting { key, value, from }, config)
    });
    keys.chain(properties(input, config, &written)).collect()
}

/// What Event Hubs and its connection string make of a key of which nothing is written.
fn with_brokers(setting: Setting, config: &Config) -> Setting {
    if !matches!(setting.from, Origin::Default(_)) {
        return setting;
    }
    if let Some(hub) = config
        .kafka
        .hub
        .as_ref()
        .filter(|_| setting.key == "sources")
    {
        return Setting {
            value: Some(toml::Value::from(vec![hub.clone()]).to_string()),
            from: Origin::Variable(CONNECTION.to_owned()),
            ..setting
        };
    }
    if config.kafka.event_hubs && setting.key == "commit_interval" {
        let interval = humantime::format_duration(config.commit_interval);
        return Setting {
            value: Some(quoted(&interval.to_string())),
            from: Origin::EventHubs,
            ..setting
        };
    }
    setting
}

/// The client's properties as they are used, without secrets.
fn properties(input: &Input<'_>, config: &Config, written: &Text) -> Vec<Setting> {
    let shown = config.kafka.properties.iter();
    let mut all: BTreeMap<&String, String> =
        shown.map(|(key, value)| (key, quoted(value))).collect();
    let secrets = config.kafka.secrets.keys();
    all.extend(secrets.map(|key| (key, HIDDEN.to_owned())));
    let all = all.into_iter().map(|(property, value)| Setting {
        key: format!("kafka.{}", quoted(property)),
        value: Some(value),
        from: origin(property, input, written),
    });
    all.collect()
}

/// Where a property of the client comes from.
fn origin(property: &str, input: &Input<'_>, written: &Text) -> Origin {
    let names = [property.to_owned(), format!("{property}_file")];
    let sets = |(variable, value): &(&String, &String)| {
        property_of(variable, value).is_some_and(|name| names.contains(&name))
    };
    let variable = || input.environment.iter().find(sets);
    let variable = || Some(Origin::Variable(variable()?.0.clone()));
    let line = || {
        names
            .iter()
            .find_map(|name| written.line(&format!("kafka.{name}")))
    };
    let connection = || {
        let mut names = [CONNECTION, CONNECTION_FILE].into_iter();
        let given = names.find(|name| input.environment.contains_key(*name));
        given.map(|name| Origin::Variable(name.to_owned()))
    };
    let is_flag = flag(&input.flags, &format!("kafka.{property}")).is_some();
    is_flag
        .then_some(Origin::Flag)
        .or_else(variable)
        .or_else(line)
        .or_else(connection)
        .unwrap_or(Origin::EventHubs)
}

fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

/// What a key is where nothing is written.
fn usual(default: Usual, limit: Option<u64>) -> (Option<String>, Origin) {
    match default {
        Usual::Is(text) => {
            let is_bare = text == "false" || text.parse::<u64>().is_ok();
            let shown = if is_bare {
                text.to_owned()
            } else {
                quoted(text)
            };
            (Some(shown), Origin::Default(""))
        }
        Usual::Absent(words) => (None, Origin::Default(words)),
        Usual::Memory(part) => {
            let memory = Memory::within(limit);
            let bytes = match part {
                Part::Keys => memory.keys,
                Part::Recovery => memory.recovery,
                Part::BlockCache => memory.block_cache,
                Part::WriteBuffer => memory.write_buffer,
            };
            let from = limit.map_or(Origin::Default(""), |_| Origin::MemoryLimit);
            (Some(quoted(&format!("{}MiB", bytes >> 20))), from)
        }
    }
}

/// What a flag says of a key.
fn flag(flags: &Written, key: &str) -> Option<String> {
    let list = |list: &Vec<String>| toml::Value::from(list.clone()).to_string();
    match key {
        "app" => flags.app.as_deref().map(quoted),
        "sources" => flags.sources.as_ref().map(list),
        "rules" => flags.rules.as_ref().map(list),
        "attributes" => flags.attributes.as_ref().map(list),
        "tables" => flags.tables.as_ref().map(list),
        "state_dir" => flags.state_dir.as_deref().map(quoted),
        "delivery" => flags.delivery.map(|delivery| quoted(delivery.name())),
        _ => {
            let property = key.strip_prefix("kafka.")?;
            flags.kafka.get(property).map(toml::Value::to_string)
        }
    }
}

fn variable(input: &Input<'_>, key: &str) -> Option<(Option<String>, Origin)> {
    let variable = variable_of(key);
    let value = input.environment.get(&variable)?;
    Some((Some(quoted(value)), Origin::Variable(variable)))
}

/// What a file sets, and where.
#[derive(Default)]
struct Text {
    file: String,
    /// By key: the value as it would be written, and its line.
    keys: BTreeMap<String, (String, usize)>,
}

impl Text {
    /// That of a text that could be read as a configuration.
    fn read(file: &str, text: &str) -> Text {
        let mut keys = BTreeMap::new();
        if let Ok(table) = DeTable::parse(text) {
            add("", table.get_ref(), text, &mut keys);
        }
        Text {
            file: file.to_owned(),
            keys,
        }
    }

    fn found(&self, key: &str) -> Option<(Option<String>, Origin)> {
        let (value, _) = self.keys.get(key)?;
        Some((Some(value.clone()), self.line(key)?))
    }

    fn line(&self, key: &str) -> Option<Origin> {
        let (_, line) = self.keys.get(key)?;
        Some(Origin::Line {
            file: self.file.clone(),
            line: *line,
        })
    }
}

/// Adds the keys of a table, those of tables within it with a dot between.
fn add(under: &str, table: &DeTable<'_>, text: &str, keys: &mut BTreeMap<String, (String, usize)>) {
    for (name, value) in table {
        let key = match under {
            "" => name.get_ref().to_string(),
            _ => format!("{under}.{}", name.get_ref()),
        };
        if let DeValue::Table(within) = value.get_ref() {
            add(&key, within, text, keys);
            continue;
        }
        let before = text.get(..name.span().start).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let written = text.get(value.span()).unwrap_or_default();
        let one_line: Vec<&str> = written.split_whitespace().collect();
        keys.insert(key, (one_line.join(" "), line));
    }
}
