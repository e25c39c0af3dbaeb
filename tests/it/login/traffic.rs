//! Traffic while tokens expire.

use std::process::Command;
use std::time::{Duration, Instant};

use super::{Answer, Endpoint, field, granted_by_platform, with_tokens};
use crate::worker::process::Worker;
use crate::worker::setup::{Setup, Traffic};

/// Runs a worker whose tokens live so long under `messages` messages of three records, with a
/// pause after each, and holds that every one is taken, once, and that no login ever failed.
fn run(life: Duration, messages: u32, pause: Duration) {
    let endpoint = Endpoint::start(move |_, _| granted_by_platform(life));
    let setup = Setup::at(field().broker.bootstrap(), "tokens", "");
    let config = with_tokens(&setup, &endpoint);
    let mut command = Command::new(env!("CARGO_BIN_EXE_watchfire"));
    command.env("AZURE_POD_IDENTITY_AUTHORITY_HOST", &endpoint.url);
    let worker = Worker::start_by(command, &config);
    worker.wait_for("ready");
    let start = Instant::now();
    Traffic::start(&setup, messages, pause).finish();
    let took = start.elapsed();
    setup.wait_until_read();
    let log = worker.stop();
    let published = setup.check();
    assert!(published > 0);
    for trouble in ["no broker answers", "was refused", "no new token"] {
        assert!(!log.contains(trouble), "{log}");
    }
    let tokens = endpoint.asked().len();
    println!(
        "{tokens} tokens of {life:?} in {took:?}: {} records at {:.0} a second, {published} \
         publications, no login failed",
        messages * 3,
        f64::from(messages * 3) / took.as_secs_f64()
    );
    let lives = usize::try_from(took.as_secs() / life.as_secs()).unwrap();
    assert!(tokens > lives, "{tokens} tokens for {lives} lives of one");
}

#[test]
fn tokens_that_expire_under_traffic_leave_no_gap() {
    run(Duration::from_secs(9), 800, Duration::from_millis(20));
}

/// An endpoint that is away for longer than a token lives ends no worker; what waits meanwhile is
/// read when tokens come again.
#[test]
fn an_endpoint_that_is_away_for_a_while_is_waited_for() {
    let life = Duration::from_secs(8);
    let endpoint = Endpoint::start(move |_, before| match before {
        2..=4 => Answer::of(503, "busy"),
        _ => granted_by_platform(life),
    });
    let setup = Setup::at(field().broker.bootstrap(), "away", "");
    let config = with_tokens(&setup, &endpoint);
    let mut command = Command::new(env!("CARGO_BIN_EXE_watchfire"));
    command.env("AZURE_POD_IDENTITY_AUTHORITY_HOST", &endpoint.url);
    let worker = Worker::start_by(command, &config);
    worker.wait_for("ready");
    worker.wait_for("no new token to log in with: the token endpoint");
    let traffic = Traffic::start(&setup, 300, Duration::from_millis(20));
    worker.wait_for("tokens to log in with come again");
    traffic.finish();
    setup.wait_until_read();
    worker.stop();
    assert!(setup.check() > 0);
}

/// Tokens of 20 s for as long as is said, at a thousand records a second.
#[test]
fn tokens_of_twenty_seconds_leave_no_gap() {
    let Ok(seconds) = std::env::var("WATCHFIRE_TEST_LOGIN_SECONDS") else {
        return;
    };
    let messages = seconds.parse::<u32>().unwrap() * 1000 / 3;
    run(
        Duration::from_secs(20),
        messages,
        Duration::from_micros(2600),
    );
}
