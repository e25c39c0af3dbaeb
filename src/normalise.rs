//! Attribute names.

use crate::event::Attribute;

const KNOWN: &[&str] = &[
    "eventType",
    "user",
    "srcIpAddr",
    "azureEventId",
    "azureCorrelationId",
    "azureEventCategory",
    "azureSubstatus",
    "correlationId",
    "subscriptionId",
    "tenantId",
    "resourceName",
    "opName",
    "activityName",
];

/// The FortiSIEM names.
pub fn known() -> &'static [&'static str] {
    KNOWN
}

/// The attribute written as `name`: a FortiSIEM name or `record.a."b c"`.
pub fn attribute(name: &str) -> Result<Attribute, String> {
    if let Some(known) = KNOWN.iter().find(|known| known.eq_ignore_ascii_case(name)) {
        return Ok(Attribute::Named(known));
    }
    let (root, path) = name.split_once('.').unwrap_or((name, ""));
    if !root.eq_ignore_ascii_case("record") {
        return Err(format!("no attribute is called `{name}`"));
    }
    let mut segments = vec![String::new()];
    let mut chars = path.chars();
    let mut quoted = false;
    while let Some(c) = chars.next() {
        match c {
            '"' => quoted = !quoted,
            '.' if !quoted => segments.push(String::new()),
            _ => {
                let c = if c == '\\' {
                    chars.next().unwrap_or(c)
                } else {
                    c
                };
                segments
                    .iter_mut()
                    .last()
                    .into_iter()
                    .for_each(|last| last.push(c.to_ascii_lowercase()));
            }
        }
    }
    if segments.iter().any(String::is_empty) {
        return Err(format!("`{name}` lacks a segment: write record.a.b"));
    }
    Ok(Attribute::Path(segments))
}
pub const EVENT_TYPE: Attribute = Attribute::Named("eventType");
pub const CORRELATION_ID: Attribute = Attribute::Named("correlationId");
pub const RESOURCE_ID: Attribute = Attribute::Named("resourceId");
