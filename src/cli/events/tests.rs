use super::*;

/// What is written of a file with `content`, and how much was counted.
fn told(content: impl AsRef<[u8]>, filter: Option<&str>, raw: bool) -> (String, Counts) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("in.ndjson");
    std::fs::write(&path, content).unwrap();
    let mut attributes = normalise::all();
    let filter = filter.map(|filter| Filter::parse(filter, &mut attributes).unwrap());
    let shown = Shown {
        attributes: &attributes,
        filter: filter.as_ref(),
    };
    let (mut out, mut counts) = (Vec::new(), Counts::default());
    let mut lines = Told::Lines(Lines::new(&mut out, raw));
    let decoder = Decoder::new(&attributes);
    let sources = [Source::File(path)];
    let reading = Reading::default();
    let unreadable = shown.read(&decoder, &sources, &reading, &mut counts, &mut lines);
    assert!(unreadable.unwrap().is_empty());
    let text = String::from_utf8(out).unwrap();
    let folder = folder.path().display().to_string();
    (text.replace(&folder, ""), counts)
}

/// The lines for a file with `content`, and how many events, shown and refused.
fn check(content: impl AsRef<[u8]>, filter: Option<&str>, lines: &[&str], counts: (u64, u64, u64)) {
    let (text, counted) = told(content, filter, false);
    assert_eq!(text.lines().collect::<Vec<_>>(), lines);
    assert_eq!((counted.events, counted.shown, counted.refused), counts);
}

const CONTENT: &str = concat!(
    r#"{"time":"2026-01-02T03:04:05Z","operationName":"Microsoft.Compute/a/ACTION"}"#,
    "\n",
    r#"{"records":[{"TimeGenerated":"2026-01-02T03:04:06.7899Z","Caller":"a@b.c"},7]}"#,
    "\n",
);

#[test]
fn events_and_rejects() {
    let first = concat!(
        r#"{"time":"2026-01-02T03:04:05.000Z","eventType":"MS_EvtHub_compute_a_action","#,
        r#""opName":"Microsoft.Compute/a/ACTION"}"#
    );
    let second = r#"{"time":"2026-01-02T03:04:06.789Z","user":"a@b.c"}"#;
    let refused = concat!(
        r#"{"explanation":"a record must be a JSON object; this is another value","#,
        r#""file":"/in.ndjson","index":1,"line":2,"record":"7","reject":"not-an-object"}"#
    );
    check(CONTENT, None, &[first, second, refused], (2, 2, 1));
    check(CONTENT, Some(r#"user = "a@b.c""#), &[second], (2, 1, 1));
}

#[test]
fn a_capture_dates_records_without_time() {
    let record = r#"{"Caller":"a@b.c"}"#;
    let refused = concat!(
        r#"{"explanation":"neither the record nor its message says when it happened","#,
        r#""file":"/in.ndjson","index":0,"line":1,"record":"{\"Caller\":\"a@b.c\"}","#,
        r#""reject":"no-time"}"#
    );
    let shown = r#"{"time":"2019-03-22T13:02:03.000Z","user":"a@b.c"}"#;
    let captured = files::tests::capture(
        apache_avro::Codec::Null,
        &[&[("3/22/2019 1:02:03 PM", Some(record))]],
    );
    check(record, None, &[refused], (0, 0, 1));
    check(captured, None, &[shown], (1, 1, 0));
}

#[test]
fn raw_shows_the_record_and_its_place() {
    let (text, _) = told(CONTENT, Some(r#"user = "a@b.c""#), true);
    let expected = concat!(
        r#"{"time":"2026-01-02T03:04:06.789Z","user":"a@b.c","#,
        r#""at":{"file":"/in.ndjson","index":0,"line":2},"#,
        r#""record":"{\"TimeGenerated\":\"2026-01-02T03:04:06.7899Z\",\"Caller\":\"a@b.c\"}"}"#,
        "\n"
    );
    assert_eq!(text, expected);
}

/// What a summary says of a file with `content`.
fn summed(content: &str, json: bool) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("in.ndjson");
    std::fs::write(&path, content).unwrap();
    let attributes = normalise::all();
    let shown = Shown {
        attributes: &attributes,
        filter: None,
    };
    let (mut summary, mut counts) = (Summary::default(), Counts::default());
    let decoder = Decoder::new(&attributes);
    let (sources, reading) = ([Source::File(path)], Reading::default());
    let mut told = Told::Summary(&mut summary);
    shown
        .read(&decoder, &sources, &reading, &mut counts, &mut told)
        .unwrap();
    let mut out = Vec::new();
    summary.write(&counts, &[], json, &mut out).unwrap();
    let folder = folder.path().display().to_string();
    String::from_utf8(out).unwrap().replace(&folder, "")
}

#[test]
fn a_summary_counts_by_category() {
    let signin = |more: &str| {
        format!(
            concat!(
                r#"{{"time":"2026-01-02T03:04:05Z","category":"SignInLogs","#,
                r#""operationName":"Sign-in activity"{}}}"#
            ),
            more
        )
    };
    let content = [
        signin(r#","resultType":"0","properties":{"userPrincipalName":"a@b.c"}"#),
        signin(""),
        r#"{"time":"2026-01-02T03:04:05Z","x":"\u001b[31m"}"#.to_owned(),
        r#"{"time":"2026-01-02T03:04:05Z","category":"\u001b[31mX"}"#.to_owned(),
        "7".to_owned(),
    ];
    let content = content.join("\n");
    let expected = "\
5 messages, 5 records: 4 events, 4 shown, 1 records refused, 1 events not recognised
refused as not-an-object: 1, first /in.ndjson:5 record 0
nothing but a time is known: 1, first /in.ndjson:3 record 0

    events     user  address  outcome     time  category
         2      50%        -      50%     100%  SignInLogs
         2                                      MS_EvtHub_sign-in_activity
         1        -        -        -     100%  \\u001b[31mX
         1                                      MS_EvtHub_\\u001b[31mx
         1        -        -        -     100%  (none)
";
    assert_eq!(summed(&content, false), expected);
    let json: serde_json::Value = serde_json::from_str(&summed(&content, true)).unwrap();
    assert_eq!(json["records"], 5);
    assert_eq!(json["refused"]["not-an-object"]["records"], 1);
    assert_eq!(json["unrecognised"]["first"], "/in.ndjson:3 record 0");
    assert_eq!(
        json["categories"][2]["eventTypes"]["MS_EvtHub_sign-in_activity"],
        2
    );
}

#[test]
fn a_summary_of_hostile_names_is_bounded() {
    let record = |n: usize| format!(r#"{{"time":"2026-01-02T03:04:05Z","category":"{n}"}}"#);
    let content: Vec<String> = (0..3_000).map(record).collect();
    let json: serde_json::Value = serde_json::from_str(&summed(&content.join("\n"), true)).unwrap();
    let categories = json["categories"].as_array().unwrap();
    assert_eq!(categories.len(), 1_001);
    assert_eq!(
        categories
            .iter()
            .map(|c| c["events"].as_u64().unwrap())
            .sum::<u64>(),
        3_000
    );
}
