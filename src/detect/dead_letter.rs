//! Records that could not be used: what their dead letters say, written and read back.

use super::SourcePartition;
use crate::bounded;

/// The headers of a dead letter.
const REASON: &str = "reason";
const EXPLANATION: &str = "explanation";
const TOPIC: &str = "topic";
const PARTITION: &str = "partition";
const OFFSET: &str = "offset";
const INDEX: &str = "index";
const RECORDS: &str = "records";
const CUT: &str = "cut";

/// A record that could not be used, or neighbours of one message that could not, with what their
/// dead letter says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// Where it was read.
    pub source: SourcePartition,
    /// Offset of its message.
    pub offset: i64,
    /// Its place in the message; of several the first one's.
    pub index: u32,
    /// Why it was refused, of several the first one: a short word, for machines.
    pub reason: &'static str,
    /// The same in words, for a person: printable, and short. May be empty.
    pub explanation: String,
    /// How many records were refused for which reason.
    pub by_reason: Vec<(&'static str, u64)>,
    /// Its bytes as received; of several all from the first to the last.
    pub bytes: Vec<u8>,
    /// The bytes were cut at the limit.
    pub cut: bool,
}

impl DeadLetter {
    /// How many records these are.
    pub fn records(&self) -> u64 {
        self.by_reason.iter().map(|(_, count)| count).sum()
    }

    /// The headers of the message that carries it; `topic` is the name of its source. Ours come
    /// first, then those by which tools for Kafka Connect's and Kafka Streams' dead letters find
    /// the same.
    pub fn headers(&self, topic: &str) -> Vec<(&'static str, String)> {
        let partition = || self.source.partition.to_string();
        let offset = || self.offset.to_string();
        let message = || bounded::value(&self.explanation).into_owned();
        let mut headers = vec![
            (REASON, self.reason.to_owned()),
            (EXPLANATION, message()),
            (TOPIC, topic.to_owned()),
            (PARTITION, partition()),
            (OFFSET, offset()),
            (INDEX, self.index.to_string()),
            (RECORDS, self.records().to_string()),
        ];
        if self.cut {
            headers.push((CUT, "true".to_owned()));
        }
        headers.extend([
            ("__connect.errors.topic", topic.to_owned()),
            ("__connect.errors.partition", partition()),
            ("__connect.errors.offset", offset()),
            (
                "__connect.errors.exception.class.name",
                self.reason.to_owned(),
            ),
            ("__connect.errors.exception.message", message()),
            ("__streams.errors.topic", topic.to_owned()),
            ("__streams.errors.partition", partition()),
            ("__streams.errors.offset", offset()),
            ("__streams.errors.exception", self.reason.to_owned()),
            ("__streams.errors.message", message()),
        ]);
        headers
    }
}

/// What the headers of a dead letter say, read back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Letterhead {
    /// Why its records were refused, of several the first one.
    pub reason: String,
    /// The same in words.
    pub explanation: String,
    /// Where they were read.
    pub topic: String,
    /// The partition of that topic.
    pub partition: i32,
    /// The offset of their message.
    pub offset: i64,
    /// The place in the message, of several the first one's.
    pub index: u32,
    /// How many records these are.
    pub records: u64,
    /// The bytes were cut at a limit.
    pub cut: bool,
}

impl Letterhead {
    /// Reads the headers of a message.
    ///
    /// # Errors
    ///
    /// One is missing, or not what it should be: it is no dead letter.
    pub fn read(headers: &[(String, Vec<u8>)]) -> Result<Letterhead, String> {
        let text = |name: &str| {
            let found = headers.iter().find(|(known, _)| known == name);
            found.map(|(_, value)| String::from_utf8_lossy(value).into_owned())
        };
        let needed = |name: &str| text(name).ok_or_else(|| format!("no header `{name}`"));
        Ok(Letterhead {
            reason: needed(REASON)?,
            explanation: needed(EXPLANATION)?,
            topic: needed(TOPIC)?,
            partition: number(PARTITION, &needed(PARTITION)?)?,
            offset: number(OFFSET, &needed(OFFSET)?)?,
            index: number(INDEX, &needed(INDEX)?)?,
            records: number(RECORDS, &needed(RECORDS)?)?,
            cut: text(CUT).is_some_and(|cut| cut == "true"),
        })
    }
}

/// The number that a header holds.
fn number<T: std::str::FromStr>(name: &str, text: &str) -> Result<T, String> {
    let wrong = |_| format!("header `{name}` holds no number that it can have");
    text.parse().map_err(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter() -> DeadLetter {
        DeadLetter {
            source: SourcePartition {
                source: 0,
                partition: 3,
            },
            offset: 7,
            index: 2,
            reason: "no-time",
            explanation: "a word, and \u{1f525}".to_owned(),
            by_reason: vec![("no-time", 2), ("not-json", 1)],
            bytes: b"{}".to_vec(),
            cut: true,
        }
    }

    fn written(letter: &DeadLetter) -> Vec<(String, Vec<u8>)> {
        let headers = letter.headers("logs").into_iter();
        let headers = headers.map(|(name, value)| (name.to_owned(), value.into_bytes()));
        headers.collect()
    }

    #[test]
    fn headers_are_read_back() {
        let read = Letterhead::read(&written(&letter()));
        let expected = Letterhead {
            reason: "no-time".to_owned(),
            explanation: "a word, and \u{1f525}".to_owned(),
            topic: "logs".to_owned(),
            partition: 3,
            offset: 7,
            index: 2,
            records: 3,
            cut: true,
        };
        assert_eq!(read, Ok(expected));
    }

    #[test]
    fn a_message_without_them_is_no_dead_letter() {
        let mut headers = written(&letter());
        headers.retain(|(name, _)| name != "offset");
        let read = Letterhead::read(&headers);
        assert_eq!(read, Err("no header `offset`".to_owned()));
        for wrong in ["", "x", "-1.5", "99999999999999999999"] {
            headers.push(("offset".to_owned(), wrong.into()));
            assert!(Letterhead::read(&headers).is_err(), "{wrong}");
            headers.pop();
        }
    }

    #[test]
    fn what_others_look_for_says_the_same() {
        let mut letter = letter();
        letter.explanation = "x".repeat(5_000);
        let headers = written(&letter);
        let text = |name: &str| {
            let (_, value) = headers.iter().find(|(known, _)| known == name).unwrap();
            String::from_utf8(value.clone()).unwrap()
        };
        for (ours, theirs) in [
            (
                "topic",
                ["__connect.errors.topic", "__streams.errors.topic"],
            ),
            (
                "partition",
                ["__connect.errors.partition", "__streams.errors.partition"],
            ),
            (
                "offset",
                ["__connect.errors.offset", "__streams.errors.offset"],
            ),
            (
                "reason",
                [
                    "__connect.errors.exception.class.name",
                    "__streams.errors.exception",
                ],
            ),
            (
                "explanation",
                [
                    "__connect.errors.exception.message",
                    "__streams.errors.message",
                ],
            ),
        ] {
            assert_eq!(theirs.map(text), [text(ours), text(ours)], "{ours}");
        }
        let bytes: usize = headers.iter().map(|(n, v)| n.len() + v.len()).sum();
        assert!(bytes < 4_096, "{bytes}");
    }
}
