//! The ways in which a raw value becomes an attribute.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr};

use crate::canonical;
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
        Cow::Borrowed(text) => Cow::Borrowed(without_blanks(text)),
        Cow::Owned(text) => Cow::Owned(without_blanks(text).to_owned()),
    }
}

/// A text without outer blanks. Nearly all have none.
pub(crate) fn without_blanks(text: &str) -> &str {
    let is_plain = |end: Option<&u8>| end.is_some_and(u8::is_ascii_graphic);
    let bytes = text.as_bytes();
    match is_plain(bytes.first()) && is_plain(bytes.last()) {
        true => text,
        false => text.trim(),
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

/// What event types of Azure's operations begin with.
const PREFIX: &str = "MS_EvtHub_";

/// `MS_EvtHub_compute_virtualmachines_runcommand_action`: the operation in lower case, without a
/// leading `microsoft.` and trailing points, with `_` for slashes and blanks and `-` for all kinds
/// of dashes. Written into `spare`.
pub(super) fn event_type(operation: &str, mut spare: String) -> String {
    let name = match operation.split_at_checked("microsoft.".len()) {
        Some((vendor, rest)) if vendor.eq_ignore_ascii_case("microsoft.") => rest,
        Some(_) | None => operation,
    };
    let name = name.trim_end_matches(|c: char| c == '.' || c.is_whitespace());
    spare.clear();
    spare.push_str(PREFIX);
    if !name.is_ascii() {
        spare.extend(name.chars().map(|c| typed(c).to_ascii_lowercase()));
        return spare;
    }
    spare.push_str(name);
    let mut bytes = spare.into_bytes();
    for byte in bytes.iter_mut().skip(PREFIX.len()) {
        *byte = match *byte {
            b'/' | b' ' | b'\t'..=b'\r' => b'_',
            other => other.to_ascii_lowercase(),
        };
    }
    // All of them are ASCII.
    String::from_utf8(bytes).unwrap_or_default()
}

/// `prefix` and the parts behind it, with slashes between; nothing without parts.
pub(super) fn joined<'t>(
    prefix: &str,
    parts: impl Iterator<Item = Cow<'t, str>>,
) -> Option<Cow<'t, str>> {
    let parts: Vec<Cow<'t, str>> = parts.collect();
    (!parts.is_empty()).then(|| Cow::Owned(format!("{prefix}/{}", parts.join("/"))))
}

/// The name that a step gives, if `value` is anything.
pub(super) fn named<'t>(value: &Value<'_>, name: Cow<'static, str>) -> Option<Value<'t>> {
    text(value).map(|_| Value::Text(name))
}

/// `prefix` and the parts behind it, with `_` between and for slashes and blanks; nothing without
/// parts.
pub(super) fn own_event_type<'t>(
    prefix: &str,
    parts: impl Iterator<Item = Cow<'t, str>>,
) -> Option<Cow<'t, str>> {
    let mut parts = parts.peekable();
    parts.peek()?;
    let mut name = prefix.to_owned();
    for part in parts {
        if !name.is_empty() {
            name.push('_');
        }
        name.extend(part.chars().map(typed));
    }
    Some(Cow::Owned(name))
}

/// A character of an event type.
fn typed(character: char) -> char {
    match character {
        '/' => '_',
        '\u{2010}'..='\u{2015}' | '\u{2212}' => '-',
        blank if blank.is_whitespace() => '_',
        other => other,
    }
}

/// Makes each text of `value` into another one; where there is none, it is left out.
fn each<'t>(
    value: &Value<'t>,
    make: impl Fn(Cow<'t, str>) -> Option<Cow<'t, str>> + Copy,
) -> Option<Value<'t>> {
    match value {
        Value::Many(values) => {
            let made: Vec<Value<'t>> = values
                .iter()
                .filter_map(|value| each(value, make))
                .collect();
            (!made.is_empty()).then_some(Value::Many(made))
        }
        Value::Text(_) | Value::Integer(_) | Value::Float(_) | Value::Bool(_) => {
            text(value).and_then(make).map(Value::Text)
        }
    }
}

/// What programs write where they know nobody, in lower case.
const NOBODY: [&str; 9] = [
    "see actor details in properties",
    "portal",
    "null",
    "none",
    "n/a",
    "na",
    "-",
    "unknown",
    "not available",
];

/// Whether it stands for nobody; a service of Microsoft is nobody who calls.
fn is_nobody(name: &str) -> bool {
    let is_service = name
        .get(..10)
        .is_some_and(|start| start.eq_ignore_ascii_case("microsoft."));
    is_service && !name.contains('@') || is_no_name(name)
}

fn is_no_name(name: &str) -> bool {
    let is_zero = name.bytes().all(|byte| byte == b'0' || byte == b'-') && name.contains('0');
    name.starts_with(['{', '['])
        || is_zero && name.len() >= 32
        || NOBODY
            .iter()
            .any(|nobody| name.eq_ignore_ascii_case(nobody))
}

/// Who acted, as all categories write it.
pub(super) fn principal<'t>(value: &Value<'t>) -> Option<Value<'t>> {
    each(value, principal_text)
}

fn principal_text(name: Cow<'_, str>) -> Option<Cow<'_, str>> {
    if is_nobody(&name) {
        return None;
    }
    if let Some(home) = of_guest(&name) {
        return Some(Cow::Owned(home));
    }
    if let Some(application) = at_tenant(&name) {
        return Some(Cow::Owned(application.to_owned()));
    }
    Some(guid(name))
}

/// The application of `application@tenant`, both by id: so databases call one.
fn at_tenant(name: &str) -> Option<&str> {
    const LENGTH: usize = 36;
    let (application, tenant) = name.split_once('@')?;
    let is_guid = |text: &str| {
        let mut bytes = text.bytes();
        text.len() == LENGTH && bytes.all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
    };
    (is_guid(application) && is_guid(tenant)).then_some(application)
}

/// The address of a guest at home: of `ana_contoso.com#EXT#@fabrikam.com` and of
/// `live.com#ana@contoso.com` it is `ana@contoso.com`.
fn of_guest(name: &str) -> Option<String> {
    const MARK: &str = "#EXT#";
    let place = name.find('#')?;
    let (before, rest) = name.split_at_checked(place)?;
    if rest
        .get(..MARK.len())
        .is_some_and(|mark| mark.eq_ignore_ascii_case(MARK))
    {
        let (local, domain) = before.rsplit_once('_')?;
        return Some(format!("{local}@{domain}"));
    }
    let (_, address) = name.rsplit_once('#')?;
    address.contains('@').then(|| address.to_owned())
}

/// A mail address that stands where a name may.
pub(super) fn mail<'t>(value: &Value<'t>) -> Option<Value<'t>> {
    each(value, |name| {
        let is_mail = name.contains('@') && !name.contains(char::is_whitespace);
        if is_mail { principal_text(name) } else { None }
    })
}

pub(super) fn id<'t>(value: &Value<'t>) -> Option<Value<'t>> {
    each(value, |id| (!is_nobody(&id)).then(|| guid(id)))
}

/// A GUID without dashes with them; anything else as it is.
fn guid(id: Cow<'_, str>) -> Cow<'_, str> {
    let is_bare = id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    let part = |range: std::ops::Range<usize>| id.get(range).unwrap_or_default();
    if is_bare {
        let parts = [
            part(0..8),
            part(8..12),
            part(12..16),
            part(16..20),
            part(20..32),
        ];
        Cow::Owned(parts.join("-"))
    } else {
        id
    }
}

/// `name` of `name[name] @ host [192.0.2.1]`.
pub(super) fn database_user<'t>(value: &Value<'t>) -> Option<Value<'t>> {
    let name = text(value)?;
    let (name, _) = name.split_once('[').unwrap_or((&name, ""));
    let name = name.trim();
    if name.is_empty() {
        return None;
    }
    principal_text(Cow::Owned(name.to_owned())).map(Value::Text)
}

pub(super) fn display_name<'t>(value: &Value<'t>) -> Option<Value<'t>> {
    each(value, |name| (!is_no_name(&name)).then_some(name))
}

/// The sign-in names of accounts in a list of entities, which is given as JSON: there the domain
/// stands beside the name, as `suffix`.
pub(super) fn account<'t>(entities: &Value<'_>, suffix: &str) -> Option<Value<'t>> {
    let mut names: Vec<Value<'t>> = match entities {
        Value::Text(text) => {
            let read: serde_json::Value = serde_json::from_str(text).ok()?;
            let one = std::slice::from_ref(&read);
            let entities = read.as_array().map_or(one, Vec::as_slice);
            let names = entities
                .iter()
                .filter_map(|entity| sign_in_name(entity, suffix));
            names.collect()
        }
        Value::Many(lists) => {
            let names = lists.iter().filter_map(|list| account(list, suffix));
            names.collect()
        }
        Value::Integer(_) | Value::Float(_) | Value::Bool(_) => Vec::new(),
    };
    if names.len() > 1 {
        return Some(Value::Many(names));
    }
    names.pop()
}

fn sign_in_name<'t>(entity: &serde_json::Value, suffix: &str) -> Option<Value<'t>> {
    let fields = entity.as_object()?;
    let text = |name: &str| {
        let mut named = fields
            .iter()
            .filter(|(key, _)| key.eq_ignore_ascii_case(name));
        let text = named.find_map(|(_, value)| value.as_str())?.trim();
        (!text.is_empty()).then_some(text)
    };
    let name = format!("{}@{}", text("Name")?, text(suffix)?);
    principal_text(Cow::Owned(name)).map(Value::Text)
}

/// The value of `key` in a list of keys and values, which is given as JSON.
pub(super) fn of_key<'t>(list: &Value<'_>, key: &str) -> Option<Value<'t>> {
    match list {
        Value::Text(text) => {
            let read: serde_json::Value = serde_json::from_str(text).ok()?;
            let one = std::slice::from_ref(&read);
            let pairs = read.as_array().map_or(one, Vec::as_slice);
            pairs.iter().find_map(|pair| value_of(pair, key))
        }
        Value::Many(pairs) => pairs.iter().find_map(|pair| of_key(pair, key)),
        Value::Integer(_) | Value::Float(_) | Value::Bool(_) => None,
    }
}

/// What a key, and its value, is called in lists of them; the last are those of a caller.
const KEYS: [&str; 4] = ["key", "Key", "name", "CallerIdentityType"];
const VALUES: [&str; 3] = ["value", "Value", "CallerIdentityValue"];

fn value_of<'t>(pair: &serde_json::Value, key: &str) -> Option<Value<'t>> {
    let text = |name: &str| pair.get(name).and_then(serde_json::Value::as_str);
    let named = KEYS.iter().find_map(|name| text(name))?;
    let value = VALUES.iter().find_map(|name| text(name))?;
    let is_it = named.eq_ignore_ascii_case(key);
    is_it.then(|| Value::Text(Cow::Owned(value.to_owned())))
}

/// An IP address, without a port behind a v4 address or brackets; of a list the first. An IPv4
/// address within an IPv6 one is that, and an IPv6 address is spelled as RFC 5952 says.
pub(super) fn address<'t>(value: &Value<'t>) -> Option<Value<'t>> {
    let found = part(text(value)?, |text| {
        let first = text.split([',', ';']).next().unwrap_or_default().trim();
        of_address(first)
    });
    found.map(in_one_spelling)
}

fn in_one_spelling(value: Value<'_>) -> Value<'_> {
    let spelled = match &value {
        Value::Text(text) => canonical::address(text),
        Value::Integer(_) | Value::Float(_) | Value::Bool(_) | Value::Many(_) => None,
    };
    spelled.map_or(value, |text| Value::Text(Cow::Owned(text)))
}

/// The id of a resource, without slashes behind it.
pub(super) fn resource_id<'t>(value: &Value<'t>) -> Option<Value<'t>> {
    each(value, |id| {
        let length = id.trim_end_matches('/').len();
        let id = match id {
            Cow::Borrowed(id) => Cow::Borrowed(id.get(..length)?),
            Cow::Owned(mut id) => {
                id.truncate(length);
                Cow::Owned(id)
            }
        };
        (!id.is_empty()).then_some(id)
    })
}

/// The address in a text that is one, perhaps with a zone or a port.
fn of_address(text: &str) -> Option<&str> {
    let text = text.split_once('%').map_or(text, |(address, _)| address);
    if text.parse::<IpAddr>().is_ok() {
        return Some(unmapped(text));
    }
    let without_port = match text.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?.0,
        None => text.rsplit_once(':')?.0,
    };
    let is_v6 = text.starts_with('[') && without_port.parse::<IpAddr>().is_ok();
    (is_v6 || without_port.parse::<Ipv4Addr>().is_ok()).then(|| unmapped(without_port))
}

/// `192.0.2.1` of `::ffff:192.0.2.1`.
fn unmapped(address: &str) -> &str {
    let inner = address
        .rsplit_once(':')
        .map(|(before, inner)| (before.to_ascii_lowercase(), inner));
    match inner {
        Some((before, inner))
            if before.ends_with("::ffff") && inner.parse::<Ipv4Addr>().is_ok() =>
        {
            inner
        }
        Some(_) | None => address,
    }
}

/// The first address that stands in a text.
pub(super) fn found_address<'t>(value: &Value<'t>) -> Option<Value<'t>> {
    let found = part(text(value)?, |text| {
        let mut words = text.split([' ', ',', ';', '[', ']', '(', ')', '"', '=']);
        words.find_map(|word| of_address(word.trim_end_matches('.')))
    });
    found.map(in_one_spelling)
}

/// A number, also from a text; one with a fraction keeps it.
pub(super) fn number<'t>(value: &Value<'t>) -> Option<Value<'t>> {
    match value {
        Value::Integer(number) => Some(Value::Integer(*number)),
        Value::Float(number) => Some(Value::Float(*number)),
        Value::Text(text) => {
            let text = text.trim();
            let float = || text.parse().ok().filter(|number: &f64| number.is_finite());
            let integer = text.parse().ok().map(Value::Integer);
            integer.or_else(|| float().map(Value::Float))
        }
        Value::Many(values) => values.iter().find_map(number),
        Value::Bool(_) => None,
    }
}

/// Below this a number of 1970's time is in seconds, else in milliseconds.
const SECONDS_MAX: i64 = 100_000_000_000;

/// Seconds or milliseconds since 1970.
pub(super) fn epoch_number(number: i64) -> Option<i64> {
    if (0..SECONDS_MAX).contains(&number) {
        number.checked_mul(1000)
    } else {
        Some(number)
    }
}

/// The same in a text, also with a fraction and as `/Date(1772355600000)/`.
pub(super) fn epoch(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Some(date) = text.strip_prefix("/Date(") {
        let date = date.strip_suffix(")/")?;
        let end = date
            .rfind(['+', '-'])
            .filter(|end| *end > 0)
            .unwrap_or(date.len());
        return date.get(..end)?.parse().ok();
    }
    let is_long = text.len() >= 9 && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_long {
        epoch_number(text.parse().ok()?)
    } else {
        None
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

const SUCCESS: &str = "Success";
const FAILURE: &str = "Failure";

pub(super) fn said<'t>(success: bool) -> Value<'t> {
    Value::Text(Cow::Borrowed(if success { SUCCESS } else { FAILURE }))
}

fn is_one_of(text: &str, words: &[&str]) -> bool {
    words.iter().any(|word| text.eq_ignore_ascii_case(word))
}

/// Sign-ins give an error code: 0 is success, and all others have at least five digits.
pub(super) fn outcome<'t>(value: &Value<'t>) -> Option<Value<'t>> {
    let result = text(value)?;
    let result = result.trim_end_matches('.');
    const WELL: [&str; 5] = ["success", "succeeded", "successful", "completed", "0"];
    if is_one_of(result, &WELL) {
        Some(said(true))
    } else if is_one_of(result, &["failure", "failed", "fail"])
        || result.parse().is_ok_and(|code: u32| code >= 10_000)
    {
        Some(said(false))
    } else {
        None
    }
}

/// An error code: 0 is success.
pub(super) fn error_code<'t>(value: &Value<'t>) -> Option<Value<'t>> {
    let code: i64 = text(value)?.parse().ok()?;
    Some(said(code == 0))
}

/// The statuses of HTTP that Azure writes in words, without blanks and in lower case.
const STATUSES: [(&str, i64); 22] = [
    ("ok", 200),
    ("created", 201),
    ("accepted", 202),
    ("nocontent", 204),
    ("partialcontent", 206),
    ("notmodified", 304),
    ("badrequest", 400),
    ("unauthorized", 401),
    ("forbidden", 403),
    ("notfound", 404),
    ("methodnotallowed", 405),
    ("requesttimeout", 408),
    ("conflict", 409),
    ("gone", 410),
    ("preconditionfailed", 412),
    ("unprocessableentity", 422),
    ("toomanyrequests", 429),
    ("internalservererror", 500),
    ("notimplemented", 501),
    ("badgateway", 502),
    ("serviceunavailable", 503),
    ("gatewaytimeout", 504),
];

/// A status of HTTP, of a number or a word. Columns of numbers have fractions.
fn http_status(value: &Value<'_>) -> Option<i64> {
    if let Value::Float(number) = value {
        let mut statuses = STATUSES_RANGE;
        #[expect(clippy::cast_precision_loss, reason = "three digits")]
        let is_it = |status: &i64| *status as f64 == *number;
        return statuses.find(is_it);
    }
    let text = text(value)?;
    let text = text.trim_end_matches('.').trim_end_matches(".0");
    if let Ok(status) = text.parse() {
        return STATUSES_RANGE.contains(&status).then_some(status);
    }
    let is = |word: &str| {
        let letters = text.bytes().filter(|byte| *byte != b' ');
        letters
            .map(|byte| byte.to_ascii_lowercase())
            .eq(word.bytes())
    };
    let mut known = STATUSES.iter();
    known.find(|(word, _)| is(word)).map(|(_, status)| *status)
}

const STATUSES_RANGE: std::ops::Range<i64> = 100..600;

/// What HTTP says: below 400 it went well; what is only on its way is neither. A protocol that was
/// switched, 101, is all that such a call is answered.
pub(super) fn http_outcome<'t>(value: &Value<'t>) -> Option<Value<'t>> {
    let status = http_status(value).filter(|status| *status == 101 || *status >= 200)?;
    Some(said(status < 400))
}

/// A status as a number where it is one, else as it stands.
pub(super) fn status_code<'t>(value: &Value<'t>) -> Option<Value<'t>> {
    match http_status(value) {
        Some(status) => Some(Value::Integer(status)),
        None => number(value).or_else(|| texts(value)),
    }
}

pub(super) fn truth<'t>(value: &Value<'t>) -> Option<Value<'t>> {
    if let Value::Bool(success) = value {
        return Some(said(*success));
    }
    let truth = text(value)?;
    let is = |words: &[&str]| is_one_of(&truth, words);
    match (is(&["true", "1", "yes"]), is(&["false", "0", "no"])) {
        (true, _) => Some(said(true)),
        (false, true) => Some(said(false)),
        (false, false) => None,
    }
}

/// `Success`, `SASSuccess`, ..; all else is an error.
pub(super) fn storage_outcome<'t>(value: &Value<'t>) -> Option<Value<'t>> {
    let text = text(value)?.to_ascii_lowercase();
    Some(said(text.ends_with("success")))
}

/// What a firewall did: the first word, or that behind `Action: ` within a text.
pub(super) fn verdict<'t>(value: &Value<'t>) -> Option<Value<'t>> {
    let text = text(value)?;
    let behind = text.split_once("Action: ").map(|(_, behind)| behind);
    let words = behind.unwrap_or(&text);
    let word = words.split([' ', '.', ',']).next().unwrap_or_default();
    let is = |words: &[&str]| is_one_of(word, words);
    const PASSED: [&str; 8] = [
        "allow", "allowed", "accept", "permit", "alert", "log", "matched", "detected",
    ];
    match (
        is(&PASSED),
        is(&["deny", "denied", "block", "blocked", "drop", "dropped"]),
    ) {
        (true, _) => Some(said(true)),
        (false, true) => Some(said(false)),
        (false, false) => None,
    }
}

/// The outcome at the end of an action's name, `LogonFailed`, or at the beginning of a message,
/// `Successfully Connected.`.
pub(super) fn action_outcome<'t>(value: &Value<'t>) -> Option<Value<'t>> {
    let action = text(value)?.to_ascii_lowercase();
    let action = action.trim_end_matches('.');
    let ends = |words: &[&str]| words.iter().any(|word| action.ends_with(word));
    match (
        ends(&["success", "succeeded", "allowed"]) || action.starts_with("successfully "),
        ends(&["failed", "failure", "denied", "blocked"]),
    ) {
        (true, _) => Some(said(true)),
        (false, true) => Some(said(false)),
        (false, false) => None,
    }
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
