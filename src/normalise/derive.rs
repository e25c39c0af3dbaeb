//! The ways in which a raw value becomes an attribute.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr};

use crate::event::Value;

/// A level of the activity log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    Critical,
    Error,
    Warning,
    Informational,
    Verbose,
}

impl Level {
    pub(super) fn word(self) -> &'static str {
        match self {
            Level::Critical => "Critical",
            Level::Error => "Error",
            Level::Warning => "Warning",
            Level::Informational => "Informational",
            Level::Verbose => "Verbose",
        }
    }

    /// FortiSIEM's severity: 9 and 10 are high, 5 to 8 medium, 1 to 4 low.
    pub(super) fn severity(self) -> i64 {
        match self {
            Level::Critical => 10,
            Level::Error => 7,
            Level::Warning => 5,
            Level::Informational => 2,
            Level::Verbose => 1,
        }
    }
}

/// A text without outer blanks; of several the first. Empty and `<null>` are none.
pub(super) fn text<'t>(value: &Value<'t>) -> Option<Cow<'t, str>> {
    let text = match value {
        Value::Text(text) => trimmed(text),
        Value::Integer(number) => Cow::Owned(number.to_string()),
        Value::Many(values) => return values.iter().find_map(text),
        Value::Float(_) | Value::Bool(_) => return None,
    };
    (!text.is_empty() && text != "<null>").then_some(text)
}

/// The same, but several stay several.
pub(super) fn texts<'t>(value: &Value<'t>) -> Option<Value<'t>> {
    match value {
        Value::Many(values) => {
            let texts: Vec<Value<'t>> = values.iter().filter_map(texts).collect();
            (!texts.is_empty()).then_some(Value::Many(texts))
        }
        Value::Text(_) | Value::Integer(_) | Value::Float(_) | Value::Bool(_) => {
            text(value).map(Value::Text)
        }
    }
}

fn trimmed<'t>(text: &Cow<'t, str>) -> Cow<'t, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
        Cow::Owned(text) => Cow::Owned(text.trim().to_owned()),
    }
}

/// A part of a text that `pick` finds.
fn part<'t>(text: Cow<'t, str>, pick: impl Fn(&str) -> Option<&str>) -> Option<Value<'t>> {
    let part = match &text {
        Cow::Borrowed(text) => Cow::Borrowed(pick(text)?),
        Cow::Owned(text) => Cow::Owned(pick(text)?.to_owned()),
    };
    (!part.is_empty()).then_some(Value::Text(part))
}

/// `MS_EvtHub_compute_virtualmachines_runcommand_action`: the operation in lower case, without a
/// leading `microsoft.`, with `_` for slashes and blanks. Written into `spare`.
pub(super) fn event_type(operation: &str, mut spare: String) -> String {
    let name = match operation.split_at_checked("microsoft.".len()) {
        Some((vendor, rest)) if vendor.eq_ignore_ascii_case("microsoft.") => rest,
        Some(_) | None => operation,
    };
    spare.clear();
    spare.push_str("MS_EvtHub_");
    let prefix = spare.len();
    spare.push_str(name);
    if name.contains(['/', ' ', '\t', '\n', '\r']) {
        let named = name.replace(['/', ' ', '\t', '\n', '\r'], "_");
        spare.truncate(prefix);
        spare.push_str(&named);
    }
    if let Some(named) = spare.get_mut(prefix..) {
        named.make_ascii_lowercase();
    }
    spare
}

/// An IP address, without a port behind a v4 address or brackets.
pub(super) fn address<'t>(value: &Value<'t>) -> Option<Value<'t>> {
    part(text(value)?, |text| {
        if text.parse::<IpAddr>().is_ok() {
            return Some(text);
        }
        let without_port = match text.strip_prefix('[') {
            Some(rest) => rest.split_once(']')?.0,
            None => text.rsplit_once(':')?.0,
        };
        let is_v6 = text.starts_with('[') && without_port.parse::<IpAddr>().is_ok();
        (is_v6 || without_port.parse::<Ipv4Addr>().is_ok()).then_some(without_port)
    })
}

pub(super) fn integer<'t>(value: &Value<'t>) -> Option<Value<'t>> {
    match value {
        Value::Integer(number) => Some(Value::Integer(*number)),
        Value::Text(text) => text.trim().parse().ok().map(Value::Integer),
        Value::Many(values) => values.iter().find_map(integer),
        Value::Float(_) | Value::Bool(_) => None,
    }
}

/// In old activity log records the category is what was done, not what kind of event it is.
pub(super) fn event_category<'t>(value: &Value<'t>) -> Option<Value<'t>> {
    let category = text(value)?;
    let is_verb = ["write", "delete", "action"]
        .iter()
        .any(|v| category.eq_ignore_ascii_case(v));
    Some(Value::Text(if is_verb {
        Cow::Borrowed("Administrative")
    } else {
        category
    }))
}

/// Sign-ins give an error code: 0 is success, and all others have at least five digits.
pub(super) fn outcome<'t>(value: &Value<'t>) -> Option<Value<'t>> {
    let result = text(value)?;
    let result = result.trim_end_matches('.');
    let is = |words: [&str; 3]| words.iter().any(|word| result.eq_ignore_ascii_case(word));
    let outcome = if is(["success", "succeeded", "0"]) {
        "Success"
    } else if is(["failure", "failed", "fail"])
        || result.parse().is_ok_and(|code: u32| code >= 10_000)
    {
        "Failure"
    } else {
        return None;
    };
    Some(Value::Text(Cow::Borrowed(outcome)))
}

pub(super) fn level(value: &Value<'_>) -> Option<Level> {
    let level = text(value)?;
    const WORDS: [(&str, &str, Level); 7] = [
        ("critical", "1", Level::Critical),
        ("error", "2", Level::Error),
        ("warning", "3", Level::Warning),
        ("informational", "4", Level::Informational),
        ("information", "4", Level::Informational),
        ("verbose", "5", Level::Verbose),
        ("debug", "5", Level::Verbose),
    ];
    let is = |(word, number, _): &&(&str, &str, Level)| {
        level.eq_ignore_ascii_case(word) || level == *number
    };
    WORDS.iter().find(is).map(|(_, _, level)| *level)
}

pub(super) fn resource_name<'t>(value: &Value<'t>) -> Option<Value<'t>> {
    part(text(value)?, |id| {
        id.rsplit('/').find(|segment| !segment.is_empty())
    })
}

/// The segment after `before` in a resource's id. Of a hierarchy, `tenant/group/../subscription`,
/// the first is the tenant; there it has 36 characters.
pub(super) fn segment<'t>(value: &Value<'t>, before: &str) -> Option<Value<'t>> {
    part(text(value)?, |id| {
        let mut segments = id.split('/');
        if segments.any(|segment| segment.eq_ignore_ascii_case(before)) {
            return segments.next();
        }
        let (first, _) = id.split_once('/')?;
        (before == "tenants" && first.len() == 36).then_some(first)
    })
}
