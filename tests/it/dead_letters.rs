//! docs/dead-letters.md against what dead letters are.

use std::collections::BTreeSet;

use watchfire::decode::Reject;
use watchfire::detect::{DeadLetter, SourcePartition};

const DOC: &str = include_str!("../../docs/dead-letters.md");

/// The words in the first column of the table under this title.
fn documented(title: &str) -> BTreeSet<String> {
    let (_, rest) = DOC.split_once(title).unwrap();
    let lines = rest.lines().skip_while(|line| !line.starts_with("| `"));
    let rows = lines.take_while(|line| line.starts_with("| `"));
    let words = rows.map(|row| row.trim_start_matches("| `").split('`').next().unwrap());
    words.map(str::to_owned).collect()
}

#[test]
fn every_header_is_documented() {
    let letter = DeadLetter {
        source: SourcePartition {
            source: 0,
            partition: 3,
        },
        offset: 7,
        index: 1,
        reason: Reject::Empty.reason(),
        explanation: String::new(),
        by_reason: vec![(Reject::Empty.reason(), 1)],
        bytes: Vec::new(),
        cut: true,
    };
    let headers = letter.headers("logs");
    let names: BTreeSet<String> = headers.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names, documented("**The headers**"));
}

#[test]
fn every_reason_is_documented() {
    let reasons = Reject::ALL.iter().map(|reject| reject.reason().to_owned());
    let mut reasons: BTreeSet<String> = reasons.collect();
    reasons.insert(watchfire::detect::MATCH_TOO_LARGE.to_owned());
    assert_eq!(reasons, documented("## Reasons"));
}
