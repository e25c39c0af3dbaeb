//! Archives as people have them, and as somebody makes them who means harm: the program is run on
//! them as it is.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;

const RULE: &str = "id: PH_Rule_A\nname: Actions\nseverity: 5\nwindow: 300s\npatterns:\n  \
                    - name: P\n    where: eventType = \"MS_EvtHub_a\"\n    group_by: [user]\n";

/// Bytes of address space that a run has: much less than what the archives unpack to.
const MEMORY_KIB: u64 = 1_500_000;

/// A folder with a rule, and an archive in a folder of its own.
struct Place(tempfile::TempDir);

/// What a command ended with.
#[derive(Debug)]
struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Place {
    fn new() -> Place {
        let place = Place(tempfile::tempdir().unwrap());
        fs::create_dir(place.path("in")).unwrap();
        fs::write(place.path("rule.yaml"), RULE).unwrap();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).unwrap();
    }

    /// Runs the program in the folder, with little memory.
    fn run(&self, arguments: &str) -> Ran {
        let output = Command::new("sh")
            .args(["-c", &format!("ulimit -v {MEMORY_KIB}; exec \"$0\" \"$@\"")])
            .arg(env!("CARGO_BIN_EXE_watchfire"))
            .args(arguments.split_whitespace())
            .current_dir(self.0.path())
            .output()
            .unwrap();
        Ran {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    fn backtest(&self, arguments: &str) -> Ran {
        self.run(&format!("backtest --rules rule.yaml {arguments}"))
    }
}

impl Ran {
    /// It ended well, and says this.
    #[track_caller]
    fn says(&self, parts: &[&str]) {
        assert_eq!(self.code, Some(0), "{self:?}");
        for part in parts {
            assert!(self.err.contains(part), "nothing of {part:?}: {}", self.err);
        }
    }

    /// Of each incident, how many events it has.
    fn events(&self) -> Vec<u64> {
        let incidents = self.incidents();
        let events = incidents.iter().map(|one| one["event_count"].as_u64());
        events.map(Option::unwrap).collect()
    }

    fn incidents(&self) -> Vec<Value> {
        assert_eq!(self.code, Some(0), "{self:?}");
        let lines = self.out.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

/// A record of this second.
fn record(second: u32) -> String {
    format!(
        "{{\"time\":\"2026-03-01T10:00:{second:02}Z\",\"operationName\":\"a\",\
         \"caller\":\"x@y.z\"}}\n"
    )
}

/// `megabytes` of this letter, packed: members of a megabyte, which are made once.
fn packed(letter: u8, megabytes: usize) -> Vec<u8> {
    gzip(&vec![letter; 1 << 20]).repeat(megabytes)
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
    packer.write_all(content).unwrap();
    packer.finish().unwrap()
}

/// Its line is larger than all memory, and what stands beside it counts.
#[test]
fn a_line_without_end_takes_no_memory() {
    let place = Place::new();
    let line = [
        gzip(record(1).as_bytes()),
        packed(b'x', 2_000),
        gzip(format!("\n{}", record(2)).as_bytes()),
    ];
    place.write("in/a.json.gz", line.concat());
    place.write("in/b.json", record(3));
    let ran = place.backtest("--input in");
    ran.says(&["refused: in/a.json.gz:2: record 0: message-too-large"]);
    assert_eq!(ran.events(), [3]);
    let ran = place.run("events in");
    ran.says(&["3 events, 3 shown, 1 records refused"]);
}

/// Lines that would be one document, and too large, if the first one, which is broken, were
/// trusted.
#[test]
fn a_broken_line_does_not_take_the_others_along() {
    let place = Place::new();
    let large = record(1).replace("\"a\"", &format!("\"a\",\"x\":\"{}\"", "x".repeat(1 << 20)));
    let lines = [gzip(b"{\"a\":[\n"), gzip(large.as_bytes()).repeat(66)];
    place.write("in/a.json.gz", lines.concat());
    let ran = place.backtest("--input in");
    ran.says(&["66 of 67 records (1 refused)"]);
    assert_eq!(ran.events(), [66]);
    // Brackets that are never closed are no document without end, either.
    let open = [
        gzip(b"{\"a\":[\n"),
        packed(b'x', 66),
        gzip(b"\n"),
        gzip(record(2).as_bytes()),
        gzip(record(3).as_bytes()),
    ];
    place.write("in/a.json.gz", open.concat());
    let ran = place.backtest("--input in");
    ran.says(&[
        "2 of 3 records (1 refused)",
        "a.json.gz:1: record 0: message-too-large",
    ]);
}

#[test]
fn links_make_nothing_twice_and_nothing_endless() {
    let place = Place::new();
    place.write("in/a.json", record(1));
    fs::hard_link(place.path("in/a.json"), place.path("in/hard.json")).unwrap();
    symlink("a.json", place.path("in/soft.json")).unwrap();
    symlink("../in", place.path("in/loop")).unwrap();
    symlink(".", place.path("in/loop.json")).unwrap();
    symlink("/dev/zero", place.path("in/zero.json")).unwrap();
    let made = Command::new("mkfifo")
        .arg(place.path("in/pipe.json"))
        .status();
    assert!(made.unwrap().success());
    let notes = [
        "4 files were passed over:",
        "in/loop: a link to a directory",
        "in/pipe.json: a pipe",
        "in/zero.json: a device",
        "3 files were named again, and read once:",
        "in/soft.json is the same file as in/a.json",
    ];
    let ran = place.backtest("--input in in/a.json --report r.html");
    ran.says(&notes);
    assert_eq!(ran.events(), [1]);
    let page = fs::read_to_string(place.path("r.html")).unwrap();
    assert!(notes.iter().all(|note| page.contains(note)));
    let ran = place.run("events in in/a.json");
    ran.says(&notes);
    assert_eq!(ran.out.lines().count(), 1);
    let ran = place.backtest("--input in --strict");
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(
        ran.err.contains("--strict: a file is passed over: in/loop"),
        "{}",
        ran.err
    );
}

#[test]
fn a_file_that_is_something_else_is_named() {
    let place = Place::new();
    place.write("in/good.json", record(1));
    place.write("in/rows.json", "PAR1\x15\x04\x15\x10");
    place.write("in/book.json.gz", "PK\x03\x04\x14\0\x06\0");
    let cut = gzip(record(2).repeat(100).as_bytes());
    place.write("in/cut.json.gz", &cut[..cut.len() - 9]);
    let units: Vec<u8> = record(3)
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    place.write("in/powershell.json", [&b"\xFF\xFE"[..], &units].concat());
    let notes = [
        "3 files were not read, or not to the end:",
        "in/rows.json is a Parquet file, which is not read; write its rows as JSON lines",
        "in/book.json.gz is a ZIP archive (as Excel workbooks are, too)",
        "cannot read in/cut.json.gz",
    ];
    let ran = place.backtest("--input in");
    ran.says(&notes);
    let ran = place.run("events in");
    ran.says(&notes);
    for name in ["good", "powershell"] {
        let ran = place.backtest(&format!("--input in/{name}.json"));
        assert_eq!(ran.events(), [1], "{name}");
    }
    let ran = place.run("events in --strict");
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(
        ran.err.contains("--strict: a file cannot be read: "),
        "{}",
        ran.err
    );
}

#[test]
fn a_folder_with_nothing_to_read_is_said() {
    let place = Place::new();
    place.write("in/notes.txt", record(1));
    symlink("nowhere", place.path("in/gone.json")).unwrap();
    for command in ["events in", "backtest --rules rule.yaml --input in"] {
        let ran = place.run(command);
        assert_eq!((ran.code, &*ran.out), (Some(1), ""), "{ran:?}");
        for part in [
            "nothing to read",
            ".ndjson",
            "in/gone.json: a link that leads nowhere",
            "another name has in/notes.txt",
        ] {
            assert!(ran.err.contains(part), "{}", ran.err);
        }
    }
}

const ABSENCE: &str = "id: PH_Rule_B\nname: A without B\nseverity: 6\nwindow: 10m\npatterns:\n  \
    - {name: A, where: 'eventType = \"MS_EvtHub_a\"', group_by: [user]}\n  \
    - {name: B, where: 'eventType = \"MS_EvtHub_b\"', group_by: [user]}\n\
    condition: A NOT_FOLLOWED_BY B\nrelations: [A.user = B.user]\n";

const NEW: &str = "id: PH_Rule_N\nname: New user\nseverity: 6\nwindow: 1m\npatterns:\n  \
    - {name: P, where: 'eventType = \"MS_EvtHub_a\"', group_by: [user], new: '[user] over 1d'}\n";

/// A record of this minute.
fn at(minute: u32, operation: &str) -> String {
    format!(
        "{{\"time\":\"2026-03-27T05:{minute:02}:05Z\",\"operationName\":\"{operation}\",\
         \"caller\":\"x\"}}\n"
    )
}

#[test]
fn the_end_of_what_is_asked_for_is_not_the_end_of_time() {
    let place = Place::new();
    place.write("rule.yaml", ABSENCE);
    place.write("in/a.json", at(17, "a") + &at(23, "b"));
    for to in ["", "--to 2026-03-27T05:20:00Z", "--to 2026-03-27T05:25:00Z"] {
        let ran = place.backtest(&format!("--input in {to}"));
        assert!(ran.incidents().is_empty(), "{to}: {ran:?}");
    }
    // What is not in the input, nobody can know.
    place.write("in/a.json", at(17, "a") + &at(18, "c"));
    let note = "The input ends at 2026-03-27T05:18:05.000Z, but what is said up to --to depends \
                on what came after, as late as 2026-03-27T05:30:00.000Z";
    let ran = place.backtest("--input in --to 2026-03-27T05:20:00Z --report r.html");
    ran.says(&[note, "Rules: PH_Rule_B."]);
    assert_eq!(ran.events(), [1]);
    assert!(
        fs::read_to_string(place.path("r.html"))
            .unwrap()
            .contains(note)
    );
    let ran = place.backtest("--input in --to 2026-03-27T05:15:00Z");
    assert!(ran.incidents().is_empty());
    ran.says(&["2 records are not within --from and --to"]);
}

#[test]
fn what_came_before_what_is_asked_for_is_known() {
    let place = Place::new();
    place.write("rule.yaml", NEW);
    place.write("in/a.json", at(2, "a") + &at(17, "a"));
    let ran = place.backtest("--input in --from 2026-03-27T05:10:00Z");
    assert!(ran.incidents().is_empty(), "{ran:?}");
    let note = "The input begins at 2026-03-27T05:02:05.000Z, but what is said from --from on \
                depends on what came before, as early as 2026-03-26T05:";
    ran.says(&[
        note,
        "Rules: PH_Rule_N.",
        "1 records are not within --from and --to",
    ]);
    let ran = place.backtest("--input in");
    assert_eq!(ran.events(), [1]);
    assert!(!ran.err.contains("The input begins"), "{}", ran.err);
    // An incident that had begun is not shown as another one.
    place.write("rule.yaml", RULE);
    let ran = place.backtest("--input in --from 2026-03-27T05:17:00Z");
    assert_eq!(ran.events(), [1]);
    place.write("in/a.json", at(15, "a") + &at(17, "a"));
    let ran = place.backtest("--input in --from 2026-03-27T05:16:00Z");
    assert!(ran.incidents().is_empty(), "{ran:?}");
    ran.says(&["1 incidents began before --from and went on after it; they are not shown."]);
}
