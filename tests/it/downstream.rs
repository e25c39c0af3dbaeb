//! What stands beside the program: the examples for those who take incidents, the quick starts,
//! completions and manual. Python's part of it is in `tests/deploy`.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::cache;
use crate::kafka::{bootstrap, unique};
use crate::shell::{Ran, program};
use crate::worker::process::Worker;
use crate::worker::setup::{Setup, Traffic};

/// Runs a script of `tests/deploy` with the clients of the independent reader.
fn python(script: &str, arguments: &[&str]) -> String {
    let python = cache().join("reader/bin/python");
    assert!(python.is_file(), "run `make test`, which installs it");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/deploy");
    let mut command = Command::new(python);
    command.arg("-B").arg(folder.join(script)).args(arguments);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script}: {said}{errors}");
    said
}

/// In Avro first, then in JSON, so that the topic has both.
#[test]
fn the_examples_read_what_workers_write() {
    let setup = Setup::new("examples", "");
    setup.add_sequences();
    for encoding in ["avro", "json"] {
        let config = setup.config_with(encoding, |text| {
            let section = format!("[incidents]\nencoding = \"{encoding}\"\n[kafka]");
            text.replace("[kafka]", &section)
        });
        let worker = Worker::start(&config);
        worker.wait_for("ready");
        Traffic::start(&setup, 60, Duration::from_millis(5)).finish();
        setup.wait_until_read();
        worker.stop();
    }
    let topic = format!("{}.incidents", setup.app);
    println!(
        "{}",
        python("live_examples.py", &[&setup.bootstrap, &topic])
    );
}

#[test]
fn the_quick_starts_work_as_they_stand() {
    let binary = env!("CARGO_BIN_EXE_watchfire");
    println!("{}", python("quickstart.py", &["eventhubs", binary]));
    let arguments = ["kafka", binary, bootstrap(), &unique("quickstart")];
    println!("{}", python("quickstart.py", &arguments));
}

#[test]
fn completions_and_manual_know_every_command() {
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| Ran::of(&mut program(folder.path(), arguments));
    let commands = ["run", "topics", "incidents", "dead-letters", "backtest"];
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let ran = run(&["completions", shell]);
        assert_eq!(ran.code, 0, "{shell}: {}", ran.err);
        for command in commands {
            assert!(ran.out.contains(command), "{shell}: {command}");
        }
    }
    assert_eq!(run(&["manual", "man/man1"]).code, 0);
    let page = |command: &str| {
        let file = format!("man/man1/watchfire{command}.1");
        std::fs::read_to_string(folder.path().join(file)).unwrap()
    };
    for command in commands {
        let page = page(&format!("-{command}"));
        assert!(page.contains(".SH SYNOPSIS"), "{command}");
    }
    // A page has all flags of its command.
    let replay = page("-dead-letters-replay");
    assert!(replay.contains("dry\\-run"), "{replay}");
    let ran = run(&["manual", "man/man1/watchfire.1/in-a-file"]);
    assert_eq!(ran.code, 1);
    assert!(
        ran.err.contains("the manual cannot be written"),
        "{}",
        ran.err
    );
}
