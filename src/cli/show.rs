//! `watchfire incidents show`: all that was said of one incident.

use std::sync::Arc;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::process::ExitCode;

use anyhow::{Result, bail};

use super::settings::Settings;
use super::tail::{Format, read};
use super::{log, screen};
use crate::config::Config;
use crate::encode::json;
use crate::encode::read::IncidentReader;
use crate::escape;
use crate::incident::{Evidence, Incident};
use crate::io::kafka::client::Health;
use crate::io::kafka::tail::{self, Begin, Range};
use crate::io::kafka::topics::Names;
use crate::record::Hash;
use crate::time::{Millis, rfc3339};

/// The most ids that an error names.
const NAMED_MAX: usize = 20;

/// Show all that was said of one incident, with its evidence.
///
/// Reads the incidents topic from its beginning to its end. Exits 1 if it has no such incident.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The incident_id, or so much of its beginning that no other begins so.
    #[arg(value_name = "ID", value_parser = beginning)]
    id: String,
    /// How it is shown.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    #[command(flatten)]
    settings: Settings,
}

fn beginning(text: &str) -> Result<String, String> {
    let is_hex = text.bytes().all(|digit| digit.is_ascii_hexdigit());
    match is_hex && (1..=32).contains(&text.len()) {
        true => Ok(text.to_ascii_lowercase()),
        false => Err("expected an incident_id, or its first hexadecimal digits".to_owned()),
    }
}

/// One publication, and when it was published.
struct Said {
    time: Option<Millis>,
    incident: Incident,
}

/// Shows the incident.
pub fn run(args: &Args) -> Result<ExitCode> {
    let config = match args.settings.load() {
        Ok(config) => config,
        Err(code) => return Ok(code),
    };
    log::start_at("warn", false)?;
    let topic = Names::of(&config.app).incidents;
    let mut found = find(&config, &args.id)?;
    let mut ids: Vec<String> = found.keys().map(ToString::to_string).collect();
    match found.pop_first() {
        None => bail!(
            "topic {topic} has no incident whose id begins with {}",
            args.id
        ),
        Some(_) if !found.is_empty() => {
            if ids.len() > NAMED_MAX {
                ids.truncate(NAMED_MAX);
                ids.push("and more".to_owned());
            }
            bail!("several ids begin with {}: {}", args.id, ids.join(", "))
        }
        Some((_, said)) => show(&said, args.format)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// All that the topic has of incidents whose ids begin so; of more than one, their ids alone, and
/// not more of them than are named.
fn find(config: &Config, beginning: &str) -> Result<BTreeMap<Hash, Vec<Said>>> {
    let health = Health::of(config);
    let reader = IncidentReader::new()?;
    let range = Range {
        begin: Begin::Oldest,
        until_end: true,
    };
    let mut found: BTreeMap<Hash, Vec<Said>> = BTreeMap::new();
    let topic = Names::of(&config.app).incidents;
    tail::tail(config, &health, &topic, range, &mut |message| {
        let Some(incident) = read(&reader, message) else {
            return Ok(ControlFlow::Continue(()));
        };
        let id = incident.incident_id;
        let has_room = found.len() <= NAMED_MAX || found.contains_key(&id);
        if has_room && id.to_string().starts_with(beginning) {
            let time = message.time;
            found.entry(id).or_default().push(Said { time, incident });
            if found.len() > 1 {
                found.values_mut().for_each(Vec::clear);
            }
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(found)
}

fn show(said: &[Said], format: Format) -> Result<()> {
    let mut text = String::new();
    match format {
        Format::Json => {
            for Said { incident, .. } in said {
                text.push_str(&json::line(incident));
                text.push('\n');
            }
        }
        Format::Table => {
            if let Some(Said { incident, .. }) = said.last() {
                let lines = head(incident).into_iter().chain(publications(said));
                for line in lines.chain(evidence(&incident.evidence)) {
                    text.push_str(escape::value(&line).trim_end());
                    text.push('\n');
                }
            }
        }
    }
    Ok(screen::out(format_args!("{text}"))?)
}

/// What it is, as it was last said.
fn head(incident: &Incident) -> Vec<String> {
    let Incident {
        incident_id,
        rule_id,
        rule_name,
        rule_fingerprint,
        severity,
        category,
        subcategory,
        ..
    } = incident;
    let band = incident.severity_band();
    let list = |ids: &[Arc<str>]| ids.join(", ");
    let mut lines = vec![
        format!("incident    {incident_id}"),
        format!("title       {}", incident.title),
        format!("rule        {rule_id}: {rule_name}"),
        format!("fingerprint {rule_fingerprint}"),
        format!("severity    {severity} {band}, {category}, {subcategory}"),
        format!(
            "techniques  {} ({})",
            list(&incident.techniques),
            list(&incident.tactics)
        ),
    ];
    lines.extend(
        incident
            .sorted_attributes()
            .into_iter()
            .map(|(name, value)| format!("  {name} = {value}")),
    );
    lines.extend(links(incident));
    lines
}

/// What it has to do with others.
fn links(incident: &Incident) -> Vec<String> {
    let mut lines = Vec::new();
    if incident.late {
        lines.push("late: found apart, from events that came too late".to_owned());
    }
    let ids = |ids: &[Hash]| ids.iter().map(ToString::to_string).collect::<Vec<_>>();
    if incident.truncated {
        lines.push("truncated: something of it was cut, or left out".to_owned());
    }
    if let Some(id) = incident.replaced_by {
        lines.push(format!("replaced by {id}"));
    }
    if !incident.replaces.is_empty() {
        lines.push(format!(
            "replaces    {}",
            ids(&incident.replaces).join(", ")
        ));
    }
    lines
}

/// Every publication, in the order in which they were said.
fn publications(said: &[Said]) -> Vec<String> {
    let titles = [
        "SAID AT",
        "REV",
        "STATUS",
        "WHY",
        "EVENTS",
        "TRIGGERS",
        "FIRST SEEN",
        "LAST SEEN",
    ];
    let mut rows = vec![titles.map(str::to_owned).to_vec()];
    for Said { time, incident } in said {
        rows.push(vec![
            time.map_or("-".to_owned(), rfc3339),
            incident.revision.to_string(),
            incident.status.name().to_owned(),
            incident
                .close_reason
                .map_or("-", |reason| reason.name())
                .to_owned(),
            incident.event_count.to_string(),
            incident.trigger_count.to_string(),
            rfc3339(incident.first_seen),
            rfc3339(incident.last_seen),
        ]);
    }
    let rows = super::explanation::aligned(rows);
    std::iter::once(String::new()).chain(rows).collect()
}

/// The events that it rests on.
fn evidence(evidence: &[Evidence]) -> Vec<String> {
    let titles = [
        "EVIDENCE",
        "PATTERN",
        "RECORD",
        "EVENT TYPE",
        "RESOURCE",
        "CORRELATION",
        "HASH",
    ];
    let mut rows = vec![titles.map(str::to_owned).to_vec()];
    for one in evidence {
        let or_none = |text: &Option<Arc<str>>| text.as_deref().unwrap_or("-").to_owned();
        let correlation_id = one.correlation_id.as_ref();
        let Evidence {
            topic,
            partition,
            offset,
            index,
            ..
        } = one;
        rows.push(vec![
            rfc3339(one.time),
            one.pattern.to_string(),
            format!("{topic}/{partition}/{offset}/{index}"),
            or_none(&one.event_type),
            or_none(&one.resource_id),
            correlation_id.map_or_else(|| "-".to_owned(), ToString::to_string),
            one.record_hash.to_string(),
        ]);
    }
    let rows = super::explanation::aligned(rows);
    std::iter::once(String::new()).chain(rows).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::incident::AttributeValue;
    use crate::incident::tests::with_attributes;

    #[test]
    fn beginnings_of_ids_are_hexadecimal() {
        assert_eq!(beginning("3898DF6b"), Ok("3898df6b".to_owned()));
        for bad in ["", "xyz", &"a".repeat(33), "é"] {
            assert!(beginning(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn says_what_it_is() {
        let user = AttributeValue::Text("mara".to_owned());
        let incident = with_attributes(&[("user", user)]);
        let text = head(&incident).join("\n");
        for part in ["incident    1a1a1a1a", "MEDIUM, Security", "  user = mara"] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
        assert_eq!(
            evidence(&incident.evidence).len(),
            2 + incident.evidence.len()
        );
        let said = [Said {
            time: Some(0),
            incident,
        }];
        assert!(publications(&said)[2].starts_with("1970-01-01T00:00:00.000Z  "));
    }
}
