use std::path::PathBuf;
use std::sync::Arc;

use apache_avro::Codec;

use super::*;
use crate::cli::backtest::rules::plan_of;
use crate::encode::Encoding;
use crate::generate::{Generator, Options};
use crate::io::disk::files::tests::{capture, gzip, zstd};
use crate::rule::Texts;
use crate::time::rfc3339;

const RULE: &str = concat!(
    "{id: R, name: R, severity: 5, window: 5m, ",
    "patterns: [{name: P, where: user = \"a@b.c\"}]}",
);

/// Rules that hold many keys: of users, of pairs of events, and of values that are new.
const MANY: &str = r#"
id: COUNT
name: x
severity: 5
window: 120s
patterns:
  - { name: P, where: user IS NOT NULL, group_by: [user], having: COUNT(*) >= 3 }
---
id: PAIR
name: x
severity: 5
window: 60s
patterns:
  - { name: A, where: eventType ENDS_WITH "_write", group_by: [user] }
  - { name: B, where: eventType ENDS_WITH "_action", group_by: [user] }
condition: A FOLLOWED_BY B
relations: [A.user = B.user]
---
id: NEW
name: x
severity: 5
window: 60s
patterns:
  - { name: P, where: eventType IS NOT NULL, group_by: [user], new: "[user] over 1h" }
"#;

fn plan(rules: &str) -> Arc<Plan> {
    let rules = vec![("rules".to_owned(), rules.to_owned())];
    plan_of(&Texts {
        rules,
        lists: Vec::new(),
        ..Texts::default()
    })
    .unwrap()
}

/// When the incidents of a file with `content` begin, and how many records are refused.
fn check(content: &[u8], expected: &[&str], refused: u64) {
    let (plan, reading) = (plan(RULE), Reading::default());
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, content).unwrap();
    let sources = [Source::File(file.path().to_owned())];
    for threads in [1, 2] {
        let request = Request {
            threads,
            ..Request::new(&plan, &sources, &reading)
        };
        let Outcome { folded, seen, .. } = run(&request).unwrap();
        let incidents = folded.incidents.iter();
        let found: Vec<String> = incidents.map(|i| rfc3339(i.incident.first_seen)).collect();
        assert_eq!(found, expected);
        assert_eq!(seen.rejected, refused);
    }
}

#[test]
fn lines_and_captures() {
    let dated = r#"{"Caller":"a@b.c","time":"2019-03-22T13:02:03Z"}"#;
    let undated = r#"{"Caller":"a@b.c"}"#;
    let in_the_future = r#"{"Caller":"a@b.c","time":"2039-03-22T13:02:03Z"}"#;
    let at = ["2019-03-22T13:02:03.000Z"];
    check(dated.as_bytes(), &at, 0);
    check(&gzip(dated.as_bytes()), &at, 0);
    check(&zstd(dated.as_bytes()), &at, 0);
    check(undated.as_bytes(), &[], 1);
    for record in [dated, undated, in_the_future] {
        let captured: &[_] = &[("3/22/2019 1:02:03 PM", Some(record))];
        check(&capture(Codec::Snappy, &[captured]), &at, 0);
    }
}

/// A stream of so many messages in several files.
fn stream(folder: &Path, messages: usize) -> Vec<Source> {
    let messages: Vec<Vec<u8>> = Generator::new(5, Options::usual(1_772_355_600_000))
        .take(messages)
        .map(|message| message.bytes)
        .collect();
    let files = messages.chunks(150).zip(0..);
    let write = |(lines, number): (&[Vec<u8>], u32)| {
        let path = folder.join(format!("{number}.json"));
        std::fs::write(&path, lines.join(&b"\n"[..])).unwrap();
        Source::File(path)
    };
    files.map(write).collect()
}

/// The incidents as they are written.
fn lines(request: &Request<'_>) -> (Vec<Vec<u8>>, Outcome) {
    let outcome = run(request).unwrap();
    let incidents = outcome.folded.incidents.iter();
    let lines = incidents
        .map(|found| Encoding::Json.encode(&found.incident))
        .collect();
    (lines, outcome)
}

#[test]
fn little_memory_and_more_threads_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let (plan, sources, reading) = (plan(MANY), stream(folder.path(), 400), Reading::default());
    let usual = Request::new(&plan, &sources, &reading);
    let (expected, outcome) = lines(&usual);
    assert!(!outcome.used_disk);
    let of = |id: &str| {
        let incidents = outcome.folded.incidents.iter();
        incidents
            .filter(|found| &*found.incident.rule_id == id)
            .count()
    };
    assert!(
        ["COUNT", "PAIR", "NEW"].iter().all(|id| of(id) > 5),
        "{}",
        expected.len()
    );
    for (threads, memory_bytes) in [(3, MEMORY_BYTES), (1, 30_000), (3, 200_000), (2, 1)] {
        let request = Request {
            threads,
            memory_bytes,
            scratch: scratch.path(),
            ..Request::new(&plan, &sources, &reading)
        };
        let (found, outcome) = lines(&request);
        assert_eq!(outcome.used_disk, memory_bytes < MEMORY_BYTES);
        assert!(found == expected, "{threads} threads, {memory_bytes} bytes");
    }
    assert_eq!(
        std::fs::read_dir(scratch.path()).unwrap().count(),
        0,
        "the disk is given back"
    );
}

/// Rules whose incidents depend on what comes after, and on what was cleared.
const ABSENT: &str = r#"---
id: ABSENT
name: x
severity: 5
window: 40s
patterns:
  - { name: A, where: eventType ENDS_WITH "_action", group_by: [user] }
  - { name: B, where: eventType ENDS_WITH "_write", group_by: [user] }
condition: A NOT_FOLLOWED_BY B
relations: [A.user = B.user]
---
id: CLEARED
name: x
severity: 5
window: 30s
patterns:
  - { name: A, where: eventType ENDS_WITH "_action", group_by: [user] }
  - { name: B, where: eventType ENDS_WITH "_write", group_by: [user] }
condition: A
relations: [A.user = B.user]
clear: { when: B, quiet: 90s }
"#;

#[test]
fn limits_of_time_change_no_incident() {
    let folder = tempfile::tempdir().unwrap();
    let (plan, reading) = (plan(&format!("{MANY}{ABSENT}")), Reading::default());
    let sources = stream(folder.path(), 150);
    let found = |within| {
        let request = Request {
            within,
            ..Request::new(&plan, &sources, &reading)
        };
        lines(&request)
    };
    let (whole, all) = found(Within::default());
    let (first, last) = all.seen.times.unwrap();
    let begins = |line: &[u8]| {
        let incident: serde_json::Value = serde_json::from_slice(line).unwrap();
        crate::time::parse(incident["first_seen"].as_str().unwrap()).unwrap()
    };
    let limit = |number: i64| first + (last - first) * number / 4 + 1;
    let (mut shown, mut before) = (0, 0);
    for number in 0..4 {
        let within = Within {
            from: (number > 0).then(|| limit(number)),
            to: (number < 3).then(|| limit(number + 1)),
        };
        let expected = whole.iter().filter(|line| within.contains(begins(line)));
        let expected: Vec<&Vec<u8>> = expected.collect();
        let (part, outcome) = found(within);
        assert!(part.iter().eq(expected), "{within:?}");
        assert_eq!(outcome.seen.records, all.seen.records);
        assert_eq!(outcome.seen.all_times, Some((first, last)));
        shown += part.len();
        let counts = outcome.folded.counts.iter();
        before += counts.map(|counts| counts.began_before).sum::<u64>();
    }
    assert_eq!(shown, whole.len());
    assert!(shown > 20 && before > 0, "{shown}, {before}");
}

#[test]
fn an_incident_is_told_to_its_end_and_no_further() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("in.json");
    let at = |time: &str| format!(r#"{{"Caller":"a@b.c","time":"2026-03-{time}:00Z"}}"#);
    let times = ["01T22:10", "01T23:30", "01T23:50", "02T00:10", "02T05:00"];
    std::fs::write(&path, times.map(at).join("\n")).unwrap();
    let rule = RULE.replace("window: 5m", "window: 5m, clear: {quiet: 1h}");
    let (plan, sources, reading) = (plan(&rule), [Source::File(path)], Reading::default());
    let found = |from: Option<&str>, to: Option<&str>| {
        let limit = |time: &str| crate::time::parse(&format!("2026-03-{time}:00Z")).unwrap();
        let request = Request {
            within: Within {
                from: from.map(limit),
                to: to.map(limit),
            },
            ..Request::new(&plan, &sources, &reading)
        };
        let incidents = run(&request).unwrap().folded.incidents.into_iter();
        let told = |found: fold::Found| {
            let fold::Found { incident, .. } = found;
            (rfc3339(incident.first_seen), incident.event_count)
        };
        incidents.map(told).collect::<Vec<_>>()
    };
    let told = |time: &str, events| (format!("2026-03-{time}:00.000Z"), events);
    let all = [
        told("01T22:10", 1),
        told("01T23:30", 2),
        told("02T00:10", 1),
        told("02T05:00", 1),
    ];
    assert_eq!(found(None, None), all);
    assert_eq!(found(None, Some("01T23:40")), all[..2]);
    assert_eq!(found(Some("01T23:40"), None), all[2..]);
    assert_eq!(found(Some("01T23:30"), Some("02T00:10")), all[1..2]);
    assert_eq!(found(Some("02T00:10"), Some("02T00:11")), all[2..3]);
    assert!(found(Some("02T00:11"), Some("02T05:00")).is_empty());
}

#[test]
fn a_part_of_the_time() {
    let folder = tempfile::tempdir().unwrap();
    let (plan, sources, reading) = (plan(MANY), stream(folder.path(), 400), Reading::default());
    let seen = |within| {
        let request = Request {
            within,
            ..Request::new(&plan, &sources, &reading)
        };
        run(&request).unwrap().seen
    };
    let all = seen(Within::default());
    let (first, last) = all.times.unwrap();
    let middle = first + (last - first) / 2;
    let early = seen(Within {
        to: Some(middle),
        ..Within::default()
    });
    let late = seen(Within {
        from: Some(middle),
        ..Within::default()
    });
    assert_eq!(all.outside, 0);
    assert_eq!(early.outside + late.outside, all.records - all.rejected);
    assert_eq!(early.matched + late.matched, all.matched);
    assert!(early.times.unwrap().1 < middle && middle <= late.times.unwrap().0);
}

/// How many incidents there are, of how many events, and how many matches are copies, of captures
/// with these paths, each of the same two messages.
fn check_copies(paths: &[&str], expected: (usize, u64, u64)) {
    let folder = tempfile::tempdir().unwrap();
    let record = |second| format!(r#"{{"Caller":"a@b.c","time":"2019-03-22T13:02:0{second}Z"}}"#);
    let (one, two) = (record(3), record(4));
    let captured: &[_] = &[
        ("3/22/2019 1:02:03 PM", Some(&*one)),
        ("3/22/2019 1:02:04 PM", Some(&*two)),
    ];
    let sources: Vec<Source> = paths
        .iter()
        .map(|path| {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, capture(Codec::Snappy, &[captured])).unwrap();
            Source::File(path)
        })
        .collect();
    let (plan, reading) = (plan(RULE), Reading::default());
    for (threads, memory_bytes) in [(1, MEMORY_BYTES), (3, 1)] {
        let scratch = folder.path();
        let request = Request {
            threads,
            memory_bytes,
            scratch,
            ..Request::new(&plan, &sources, &reading)
        };
        let folded = run(&request).unwrap().folded;
        let events = folded
            .incidents
            .iter()
            .map(|found| found.incident.event_count);
        let copies = folded.counts.iter().map(|counts| counts.copies).sum();
        let found = (folded.incidents.len(), events.sum(), copies);
        assert_eq!(found, expected, "{paths:?}, {threads} threads");
    }
}

#[test]
fn copies_of_a_capture_count_once() {
    check_copies(&["a.avro"], (1, 2, 0));
    check_copies(&["a.avro", "b.avro", "c.avro"], (1, 2, 4));
    let (one, other) = (
        "contoso/activity/0/2019/03/22/13/02/03.avro",
        "contoso/activity/1/2019/03/22/13/02/03.avro",
    );
    // Messages of two partitions are two, however alike.
    check_copies(&[one, other], (1, 4, 0));
    let saved = format!("saved/{one}");
    check_copies(&[one, &saved, other], (1, 4, 2));
    check_copies(&["a.avro", one], (1, 2, 2));
    check_copies(&[one, "a.avro", other], (1, 4, 2));
}

#[test]
fn a_message_that_is_too_large_is_refused_and_its_neighbours_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("in.json");
    let record = r#"{"Caller":"a@b.c","time":"2019-03-22T13:02:03Z"}"#;
    let long = "x".repeat(1_000);
    std::fs::write(&path, format!("{record}\n{long}\n{record}\n")).unwrap();
    let (plan, sources) = (plan(RULE), [Source::File(path)]);
    for threads in [1, 2] {
        let mut reading = Reading::default();
        reading.limits.message_bytes = 100;
        let request = Request {
            threads,
            ..Request::new(&plan, &sources, &reading)
        };
        let Outcome { seen, folded, .. } = run(&request).unwrap();
        assert_eq!((seen.records, seen.rejected), (3, 1));
        let [named] = &seen.named[..] else {
            panic!("{:?}", seen.named);
        };
        assert!(
            named.contains("in.json:2: record 0: message-too-large"),
            "{named}"
        );
        assert_eq!(folded.incidents[0].incident.event_count, 2);
    }
}

#[test]
fn what_cannot_be_read_is_named_or_ends_it() {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan(RULE);
    let record = r#"{"Caller":"a@b.c","time":"2019-03-22T13:02:03Z"}"#;
    let mut packed = gzip(record.repeat(2).as_bytes());
    packed.truncate(packed.len() - 9);
    let path = |name: &str| -> PathBuf { folder.path().join(name) };
    std::fs::write(path("cut.gz"), packed).unwrap();
    std::fs::write(path("good.json"), record).unwrap();
    let sources = ["cut.gz", "good.json", "gone.json"].map(|name| Source::File(path(name)));
    for threads in [1, 2] {
        let reading = Reading::default();
        let mut request = Request {
            threads,
            ..Request::new(&plan, &sources, &reading)
        };
        let outcome = run(&request).unwrap();
        assert_eq!(outcome.seen.unreadable, 2);
        let named = outcome.seen.unreadable_named;
        let places: Vec<usize> = named.iter().map(|(place, _)| *place).collect();
        assert_eq!(places, [0, 2], "{named:?}");
        assert!(named[0].1.contains("cut.gz") && named[1].1.contains("gone.json"));
        assert_eq!(outcome.folded.incidents.len(), 1);
        request.strict = true;
        let error = format!("{:#}", run(&request).unwrap_err());
        assert!(
            error.starts_with("--strict: a file cannot be read: "),
            "{error}"
        );
    }
}

#[test]
fn an_end_asked_for_keeps_what_was_read() {
    let folder = tempfile::tempdir().unwrap();
    let (plan, sources, reading) = (plan(MANY), stream(folder.path(), 400), Reading::default());
    reading.stop.store(true, Ordering::Relaxed);
    for threads in [1, 2] {
        let request = Request {
            threads,
            ..Request::new(&plan, &sources, &reading)
        };
        let seen = run(&request).unwrap().seen;
        assert!(seen.interrupted);
        assert_eq!(seen.records, 0);
    }
}
