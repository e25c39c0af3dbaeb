//! What a worker serves over HTTP.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use super::process::Worker;
use super::setup::{Setup, Traffic};
use crate::kafka::{bootstrap, until};

pub const TOKEN: &str = "let-me-in";

/// A port that nobody listens at.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// What the worker answers: its status, and all of it.
pub fn get(port: u16, path: &str, token: Option<&str>) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    let token = token.map_or(String::new(), |token| {
        format!("Authorization: Bearer {token}\r\n")
    });
    let request = format!("GET {path} HTTP/1.1\r\nHost: w\r\nConnection: close\r\n{token}\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let status = answer.split(' ').nth(1)?.parse().ok()?;
    Some((status, answer))
}

/// The value of a series.
fn value(metrics: &str, series: &str) -> Option<f64> {
    let mut lines = metrics.lines();
    lines.find_map(|line| line.strip_prefix(series)?.trim().parse().ok())
}

#[test]
fn a_worker_serves_health_to_all_and_metrics_to_who_has_the_token() {
    let port = free_port();
    let token = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(token.path(), format!("{TOKEN}\n")).unwrap();
    let more = format!(
        "http = {{ listen = \"127.0.0.1:{port}\", token_file = {:?} }}\n",
        token.path()
    );
    let setup = Setup::new("http", &more);
    let worker = Worker::start(&setup.config("a"));
    until("the worker is ready", || {
        get(port, "/readyz", None).is_some_and(|(status, _)| status == 200)
    });
    Traffic::start(&setup, 600, Duration::ZERO).finish();
    setup.wait_until_read();
    assert_eq!(get(port, "/healthz", None).unwrap().0, 200);
    assert_eq!(get(port, "/elsewhere", Some(TOKEN)).unwrap().0, 404);
    for wrong in [None, Some("let-me"), Some("let-me-in-too")] {
        let (status, answer) = get(port, "/metrics", wrong).unwrap();
        assert_eq!(status, 401, "{answer}");
        assert!(!answer.contains("watchfire_messages"), "{answer}");
    }
    // Those who only hold a connection are in nobody's way.
    let silent: Vec<TcpStream> = (0..40)
        .map(|_| TcpStream::connect(("127.0.0.1", port)).unwrap())
        .collect();
    let metrics = || get(port, "/metrics", Some(TOKEN)).unwrap().1;
    until("all that was published is counted", || {
        let opened = "watchfire_incidents_total{rule=\"PH_Rule_TEST\",status=\"OPEN\"}";
        value(&metrics(), opened).is_some_and(|n| n > 0.0)
    });
    drop(silent);
    let metrics = metrics();
    assert_eq!(
        value(&metrics, "watchfire_records_total"),
        Some(1_800.0),
        "{metrics}"
    );
    assert_eq!(value(&metrics, "watchfire_ready"), Some(1.0));
    assert_eq!(
        value(&metrics, "watchfire_partitions{stage=\"detect\"}"),
        Some(3.0)
    );
    assert!(value(&metrics, "process_resident_memory_bytes") > Some(1e6));
    assert!(metrics.contains("openmetrics-text") && metrics.ends_with("# EOF\n"));
    let log = worker.stop();
    assert!(!log.contains(TOKEN), "{log}");
    assert!(setup.check() > 0);
}

#[test]
fn an_address_that_others_reach_needs_a_token_and_one_that_is_taken_is_said() {
    let more = "http.listen = \"0.0.0.0:0\"\n";
    let setup = Setup::without_topics(bootstrap(), "http-refused", more);
    let (code, log) = Worker::start(&setup.config("a")).wait();
    assert_eq!(code, Some(2), "{log}");
    assert!(log.contains("http.token_file"), "{log}");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let setup = Setup::new(
        "http-taken",
        &format!("http.listen = \"127.0.0.1:{port}\"\n"),
    );
    let (code, log) = Worker::start(&setup.config("a")).wait();
    assert_eq!(code, Some(1), "{log}");
    assert!(log.contains("cannot listen at"), "{log}");
}
