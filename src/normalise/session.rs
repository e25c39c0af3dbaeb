//! What PostgreSQL says of sessions in words: who, from where, and whether they were let in.
//!
//! Only messages that begin as those about sessions do are read: what people ask a database may
//! hold any words.

use std::borrow::Cow;

use crate::event::Value;

use super::derive;

/// How messages about sessions begin, in lower case, and the outcome that they say.
const SESSIONS: [(&str, Option<bool>); 8] = [
    ("connection received: ", None),
    ("connection authenticated: ", Some(true)),
    ("connection authorized: ", Some(true)),
    ("replication connection authorized: ", Some(true)),
    ("disconnection: ", None),
    ("password authentication failed for ", Some(false)),
    ("no pg_hba.conf entry for ", Some(false)),
    ("pg_hba.conf rejects connection for ", Some(false)),
];

/// What stands before a message, behind a prefix of the log.
const LEVELS: [&str; 3] = ["LOG", "ERROR", "FATAL"];

/// The message and its outcome, if it is about a session.
fn session(text: &str) -> Option<(&str, Option<bool>)> {
    let is_level = |before: &str| LEVELS.iter().any(|level| before.ends_with(level));
    let message = match text.split_once(": ") {
        Some((before, message)) if is_level(before) => message.trim_start(),
        Some(_) | None => text,
    };
    let begins = |known: &&(&str, Option<bool>)| {
        let begin = message.get(..known.0.len());
        begin.is_some_and(|begin| begin.eq_ignore_ascii_case(known.0))
    };
    let (_, outcome) = SESSIONS.iter().find(begins)?;
    Some((message, *outcome))
}

/// What stands behind the first of `marks` that is there: within quotes, or to the next blank.
fn behind<'t>(value: &Value<'_>, marks: &[&str]) -> Option<Value<'t>> {
    let text = derive::text(value)?;
    let (message, _) = session(&text)?;
    let mut found = marks.iter().filter_map(|mark| message.split_once(mark));
    let (_, rest) = found.next()?;
    let word = match rest.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next(),
        None => rest.split(' ').next(),
    };
    word.map(|word| Value::Text(Cow::Owned(word.to_owned())))
}

/// Whose session it is.
pub(super) fn user<'t>(value: &Value<'t>) -> Option<Value<'t>> {
    derive::principal(&behind(value, &["user=", " user ", "identity="])?)
}

/// From where it comes.
pub(super) fn address<'t>(value: &Value<'t>) -> Option<Value<'t>> {
    derive::address(&behind(value, &["host=", " host "])?)
}

/// Whether it was let in.
pub(super) fn outcome<'t>(value: &Value<'t>) -> Option<Value<'t>> {
    let text = derive::text(value)?;
    let (_, outcome) = session(&text)?;
    outcome.map(derive::said)
}
