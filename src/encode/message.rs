//! An incident as a message: its key, its headers and its bytes.

use super::{Encoding, avro};
use crate::incident::{Incident, Status};
use crate::time::rfc3339;

/// How readers of incidents in Avro find the schema that they were written with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Framing {
    /// By its fingerprint before the datum: Avro single objects.
    SingleObject,
    /// By its number in a registry before the datum, as serializers of Confluent's write it: a
    /// zero, then four bytes, the highest first.
    Confluent(u32),
    /// By its id in a registry in the header `content-type`, as serializers of Azure's write it.
    Azure(String),
}

/// How incidents are published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publishing {
    /// How they are written.
    pub encoding: Encoding,
    /// How the schema is found, of Avro.
    pub framing: Framing,
    /// The application, if messages are to be CloudEvents.
    pub cloudevents_of: Option<String>,
    /// What a message may hold.
    pub bytes_max: usize,
}

/// A message that is ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// The incident's id.
    pub key: String,
    /// What consumers can choose by without reading the value.
    pub headers: Vec<(&'static str, String)>,
    /// The incident.
    pub value: Vec<u8>,
}

impl Publishing {
    /// The message of a publication. Nothing of it depends on when it is made.
    pub fn message(&self, mut incident: Incident) -> Outgoing {
        let value = self.fitting(&mut incident);
        Outgoing {
            key: incident.incident_id.to_string(),
            headers: self.headers(&incident),
            value,
        }
    }

    /// The bytes of the incident, of which something is cut if they are too many.
    fn fitting(&self, incident: &mut Incident) -> Vec<u8> {
        incident.fit(self.bytes_max);
        let mut value = self.encode(incident);
        // What is cut goes by the bytes in Avro; in text all of it takes more.
        while value.len() > self.bytes_max {
            let before = incident.bytes();
            let excess = value.len() - self.bytes_max;
            incident.fit(before.saturating_sub(excess / 4 + 1));
            if incident.bytes() == before {
                break;
            }
            value = self.encode(incident);
        }
        value
    }

    fn encode(&self, incident: &Incident) -> Vec<u8> {
        match (self.encoding, &self.framing) {
            (Encoding::Avro, Framing::Confluent(id)) => avro::numbered(incident, *id),
            (Encoding::Avro, Framing::Azure(_)) => avro::bare(incident),
            (Encoding::Avro, Framing::SingleObject) | (Encoding::Json | Encoding::Ocsf, _) => {
                self.encoding.encode(incident)
            }
        }
    }

    fn content_type(&self) -> String {
        match &self.framing {
            Framing::Azure(id) => format!("avro/binary+{id}"),
            Framing::SingleObject | Framing::Confluent(_) => {
                self.encoding.content_type().to_owned()
            }
        }
    }

    fn headers(&self, incident: &Incident) -> Vec<(&'static str, String)> {
        let mut headers = vec![
            ("rule", incident.rule_id.to_string()),
            ("severity", incident.severity.to_string()),
            ("status", incident.status.name().to_owned()),
            ("revision", incident.revision.to_string()),
        ];
        if let Some(app) = &self.cloudevents_of {
            let (id, revision) = (incident.incident_id, incident.revision);
            headers.extend([
                ("ce_specversion", "1.0".to_owned()),
                ("ce_id", format!("{id}:{revision}")),
                ("ce_source", format!("/watchfire/{app}")),
                ("ce_type", event_type(incident.status).to_owned()),
                ("ce_subject", id.to_string()),
                ("ce_time", rfc3339(incident.last_seen)),
            ]);
        }
        if self.cloudevents_of.is_some() || matches!(self.framing, Framing::Azure(_)) {
            headers.push(("content-type", self.content_type()));
        }
        headers
    }
}

/// The type of a CloudEvent that says this of an incident.
fn event_type(status: Status) -> &'static str {
    match status {
        Status::Open => "watchfire.incident.open",
        Status::Updated => "watchfire.incident.updated",
        Status::Closed => "watchfire.incident.closed",
        Status::Retracted => "watchfire.incident.retracted",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encode::read::IncidentReader;
    use crate::incident::AttributeValue;
    use crate::incident::tests::with_attributes;

    fn publishing(encoding: Encoding, bytes_max: usize) -> Publishing {
        Publishing {
            encoding,
            framing: Framing::SingleObject,
            cloudevents_of: None,
            bytes_max,
        }
    }

    #[test]
    fn headers_say_where_a_message_goes() {
        let incident = with_attributes(&[]);
        let id = incident.incident_id.to_string();
        let mut publishing = publishing(Encoding::Json, 900_000);
        let message = publishing.message(incident.clone());
        assert_eq!(message.key, id);
        let names = |message: &Outgoing| {
            let headers = message.headers.iter();
            headers
                .map(|(name, value)| format!("{name}={value}"))
                .collect::<Vec<_>>()
        };
        let (rule, revision) = (&incident.rule_id, incident.revision);
        let (severity, status) = (incident.severity, incident.status.name());
        let routing = [
            format!("rule={rule}"),
            format!("severity={severity}"),
            format!("status={status}"),
            format!("revision={revision}"),
        ];
        assert_eq!(names(&message), routing);
        publishing.cloudevents_of = Some("soc".to_owned());
        let ours = [
            "ce_specversion=1.0".to_owned(),
            format!("ce_id={id}:{revision}"),
            "ce_source=/watchfire/soc".to_owned(),
            format!("ce_type=watchfire.incident.{}", status.to_lowercase()),
            format!("ce_subject={id}"),
            format!("ce_time={}", rfc3339(incident.last_seen)),
            "content-type=application/json".to_owned(),
        ];
        let all = names(&publishing.message(incident));
        assert_eq!(all, [&routing[..], &ours].concat());
    }

    #[test]
    fn a_registry_s_readers_find_the_schema() {
        let incident = with_attributes(&[("user", AttributeValue::Text("a".to_owned()))]);
        let single = publishing(Encoding::Avro, 900_000).message(incident.clone());
        let reader = IncidentReader::new().unwrap();
        let framed = |framing| {
            let publishing = Publishing {
                framing,
                ..publishing(Encoding::Avro, 900_000)
            };
            let message = publishing.message(incident.clone());
            assert_eq!(reader.read(&message.value).unwrap(), incident);
            message
        };
        let datum = &single.value[10..];
        let confluent = framed(Framing::Confluent(0x0102_0304));
        assert_eq!(confluent.value, [&[0, 1, 2, 3, 4], datum].concat());
        assert_eq!(confluent.headers, single.headers);
        let azure = framed(Framing::Azure("5f3e".to_owned()));
        assert_eq!(azure.value, datum);
        let last = azure.headers.last().cloned();
        assert_eq!(last, Some(("content-type", "avro/binary+5f3e".to_owned())));
        for broken in [&[0, 0, 0][..], &[0, 0, 0, 0, 1, 64], &[64], &datum[..40]] {
            assert!(reader.read(broken).is_err(), "{broken:?}");
        }
        assert!(reader.read(&[datum, &[0]].concat()).is_err());
    }

    #[test]
    fn what_is_too_large_in_text_is_cut() {
        let mut incident = with_attributes(&[("user", AttributeValue::Text("\u{1b}".repeat(300)))]);
        let one = incident.evidence.first().cloned();
        incident.evidence = one.into_iter().cycle().take(200).collect();
        for encoding in [Encoding::Avro, Encoding::Json, Encoding::Ocsf] {
            let whole = publishing(encoding, 900_000).message(incident.clone());
            assert_eq!(whole.value, encoding.encode(&incident), "{encoding:?}");
            for bytes_max in [10_000, 20_000, 40_000] {
                let message = publishing(encoding, bytes_max).message(incident.clone());
                assert!(message.value.len() <= bytes_max, "{encoding:?} {bytes_max}");
                // Of the size in Avro no more is known than what it is at most.
                let least = match encoding {
                    Encoding::Avro => 0,
                    Encoding::Json | Encoding::Ocsf => bytes_max / 2,
                };
                assert!(message.value.len() > least, "{encoding:?} {bytes_max}");
            }
        }
    }
}
