//! What the command line names as input and as output.

use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Result, bail};

use crate::io::backtest::input::Source;
use crate::io::backtest::topic::{Bound, Cluster, TopicRange};
use crate::io::disk::files::{self, Listing};
use crate::time::{self, Millis};

/// Before the name of a topic.
const KAFKA: &str = "kafka://";

/// Something to read.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// A file or a directory.
    Path(PathBuf),
    /// A topic, and where to begin and to end.
    Topic(String, (When, When)),
}

impl Input {
    /// Whether brokers are needed for it.
    pub fn is_topic(&self) -> bool {
        matches!(self, Input::Topic(..))
    }
}

/// All that is to be read, files and ranges of topics, and what the files are.
///
/// # Errors
///
/// There is nothing to read, a topic is not there, or with `strict` a path not.
pub fn sources(
    inputs: &[Input],
    cluster: Option<&Cluster>,
    now: Millis,
    strict: bool,
) -> Result<(Vec<Source>, Listing)> {
    let (mut paths, mut topics) = (Vec::new(), Vec::new());
    for input in inputs {
        match (input, cluster) {
            (Input::Path(path), _) => paths.push(path.clone()),
            (Input::Topic(topic, (from, to)), Some(cluster)) => {
                let bounds = (from.bound(now), to.bound(now));
                topics.push(Source::Topic(TopicRange::find(cluster, topic, bounds)?));
            }
            (Input::Topic(..), None) => (),
        }
    }
    let listing = files::list(&paths)?;
    if !paths.is_empty() {
        listing.check(strict)?;
    }
    let files = listing.files.iter().cloned().map(Source::File);
    Ok((files.chain(topics).collect(), listing))
}

impl std::fmt::Display for Input {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Input::Path(path) => write!(f, "{}", path.display()),
            Input::Topic(topic, _) => write!(f, "{KAFKA}{topic}"),
        }
    }
}

/// Something to write to.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// A file; `-`: standard output.
    Path(PathBuf),
    /// A topic.
    Topic(String),
}

/// An end: of the time that is looked at, or of the way of the incidents.
#[derive(Clone, Debug, PartialEq)]
pub enum To {
    /// A time.
    Time(When),
    /// A topic.
    Topic(String),
}

/// A time that the command line names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// The oldest there is.
    Earliest,
    /// So many milliseconds before the start of the command.
    Ago(Millis),
    /// A moment.
    At(Millis),
}

impl FromStr for When {
    type Err = anyhow::Error;

    /// `earliest`, `now`, `now-24h`, a date, or a date and time.
    fn from_str(text: &str) -> Result<When> {
        match text.strip_prefix("now-") {
            _ if text == "earliest" => return Ok(When::Earliest),
            _ if text == "now" => return Ok(When::Ago(0)),
            Some(ago) => {
                if let Ok(ago) = humantime::parse_duration(ago) {
                    return Ok(When::Ago(
                        Millis::try_from(ago.as_millis()).unwrap_or(Millis::MAX),
                    ));
                }
            }
            None => {
                let at_midnight = || time::parse(&format!("{text}T00:00:00Z"));
                if let Some(time) = time::parse(text).or_else(at_midnight) {
                    return Ok(When::At(time));
                }
            }
        }
        bail!(
            "\"{text}\" is no time; expected one such as 2026-11-01T00:00:00Z, 2026-11-01, now or \
             now-24h"
        )
    }
}

impl When {
    /// The moment, 1970 at the earliest, before which nothing happened; `None`: there is no bound.
    pub fn millis(self, now: Millis) -> Option<Millis> {
        match self {
            When::Earliest => None,
            When::Ago(ago) => Some(now.saturating_sub(ago).max(0)),
            When::At(time) => Some(time.max(0)),
        }
    }

    /// As a bound of a topic, whose end is now.
    pub fn bound(self, now: Millis) -> Bound {
        match (self, self.millis(now)) {
            (When::Ago(0), _) => Bound::Latest,
            (_, None) => Bound::Earliest,
            (_, Some(time)) => Bound::At(time),
        }
    }
}

impl FromStr for Input {
    type Err = anyhow::Error;

    /// A path, or `kafka://topic?from=..&to=..`.
    fn from_str(text: &str) -> Result<Input> {
        let Some(rest) = text.strip_prefix(KAFKA) else {
            return Ok(Input::Path(text.into()));
        };
        let (topic, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (mut from, mut to) = (When::Earliest, When::Ago(0));
        for part in query.split('&').filter(|part| !part.is_empty()) {
            match part.split_once('=') {
                Some(("from", value)) => from = value.parse()?,
                Some(("to", value)) => to = value.parse()?,
                Some(_) | None => bail!(
                    "{text}: \"{part}\" is not known; expected from=TIME and to=TIME, as in \
                     kafka://topic?from=2026-11-01T00:00:00Z&to=now"
                ),
            }
        }
        Ok(Input::Topic(checked(text, topic)?, (from, to)))
    }
}

impl FromStr for Output {
    type Err = anyhow::Error;

    /// A path, or `kafka://topic`.
    fn from_str(text: &str) -> Result<Output> {
        match text.strip_prefix(KAFKA) {
            None => Ok(Output::Path(text.into())),
            Some(topic) => Ok(Output::Topic(checked(text, topic)?)),
        }
    }
}

impl FromStr for To {
    type Err = anyhow::Error;

    /// A time, or `kafka://topic`.
    fn from_str(text: &str) -> Result<To> {
        match text.strip_prefix(KAFKA) {
            None => Ok(To::Time(text.parse()?)),
            Some(topic) => Ok(To::Topic(checked(text, topic)?)),
        }
    }
}

fn checked(text: &str, topic: &str) -> Result<String> {
    let topic = topic.trim_end_matches('/');
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if topic.is_empty() || !topic.chars().all(legal) {
        bail!(
            "{text}: \"{topic}\" is no topic; expected kafka://topic. Brokers are named with \
             --brokers or --config"
        );
    }
    Ok(topic.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_inputs() {
        fn check(text: &str, expected: Result<Input, &str>) {
            match (text.parse::<Input>(), expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{text}"),
                (Err(error), Err(part)) => {
                    assert!(error.to_string().contains(part), "{text}: {error}");
                }
                (found, _) => panic!("{text}: {found:?}"),
            }
        }
        let topic = |from, to| Ok(Input::Topic("a.b".to_owned(), (from, to)));
        let (march, hour) = (1_772_323_200_000, 3_600_000);
        check("a/b.json", Ok(Input::Path("a/b.json".into())));
        check("kafka://a.b", topic(When::Earliest, When::Ago(0)));
        check(
            "kafka://a.b?from=2026-03-01&to=now",
            topic(When::At(march), When::Ago(0)),
        );
        check(
            "kafka://a.b/?to=2026-03-01T01:00:00Z&from=now-2h",
            topic(When::Ago(2 * hour), When::At(march + hour)),
        );
        check("kafka://a.b?since=now", Err("\"since=now\" is not known"));
        check("kafka://a.b?from=soon", Err("\"soon\" is no time"));
        check("kafka://a.b?from=now24h", Err("\"now24h\" is no time"));
        check("kafka://host:9092/a.b", Err("is no topic"));
        check("kafka://", Err("is no topic"));
    }

    #[test]
    fn bounds_of_topics() {
        assert_eq!(When::Ago(0).bound(5_000), Bound::Latest);
        assert_eq!(When::Ago(2_000).bound(5_000), Bound::At(3_000));
        assert_eq!(When::Earliest.bound(5_000), Bound::Earliest);
        assert_eq!(When::At(7_000).bound(5_000), Bound::At(7_000));
        assert_eq!(When::Ago(6_000).bound(5_000), Bound::At(0));
        assert_eq!(When::At(-1).bound(5_000), Bound::At(0));
    }
}
