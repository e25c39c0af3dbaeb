//! Logging in: tokens of every kind of endpoint, connection strings and certificates, on a real
//! Kafka with TLS.

pub mod certificates;
pub mod endpoint;
mod traffic;

use std::path::Path;
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::time::Duration;

use crate::kafka::{Broker, Listener, free_port};
use crate::worker::setup::{Setup, now};
use certificates::Certificates;
use endpoint::{Answer, Endpoint, Request};

/// What must never be shown.
const SECRET: &str = "hUsh~Secret+/=";

/// A connection string whose key is a secret.
const CONNECTION: &str =
    "Endpoint=sb://127.0.0.1/;SharedAccessKeyName=n;SharedAccessKey=hUshSecretKey=";

/// A broker with TLS, which takes tokens on one listener, passwords on another, and certificates
/// on a third; on a fourth everybody may do everything.
struct Field {
    broker: Broker,
    certificates: Certificates,
    tokens: u16,
    passwords: u16,
    mutual: u16,
}

fn field() -> &'static Field {
    static FIELD: OnceLock<Field> = OnceLock::new();
    FIELD.get_or_init(|| {
        let certificates = Certificates::make();
        let [tokens, passwords, mutual] = [free_port(), free_port(), free_port()];
        let listeners = [
            ("TOKENS", tokens, "SASL_SSL"),
            ("PASSWORDS", passwords, "SASL_SSL"),
            ("MUTUAL", mutual, "SSL"),
        ];
        let listeners = listeners.map(|(name, port, protocol)| Listener {
            name,
            port,
            protocol,
        });
        let package = "org.apache.kafka.common.security";
        let more = format!(
            "ssl.keystore.type=PEM\nssl.keystore.location={server}\n\
             ssl.truststore.type=PEM\nssl.truststore.location={ca}\n\
             listener.name.mutual.ssl.client.auth=required\n\
             listener.name.passwords.sasl.enabled.mechanisms=PLAIN\n\
             listener.name.passwords.plain.sasl.jaas.config={package}.plain.PlainLoginModule \
             required user_$ConnectionString=\"{CONNECTION}\";\n\
             listener.name.tokens.sasl.enabled.mechanisms=OAUTHBEARER\n\
             listener.name.tokens.oauthbearer.sasl.jaas.config=\
             {package}.oauthbearer.OAuthBearerLoginModule required \
             unsecuredLoginStringClaim_sub=\"broker\";\n\
             listener.name.tokens.oauthbearer.sasl.server.callback.handler.class=\
             {package}.oauthbearer.internals.unsecured.\
             OAuthBearerUnsecuredValidatorCallbackHandler\n\
             listener.name.tokens.oauthbearer.connections.max.reauth.ms=3600000\n",
            server = certificates.path("server.both").display(),
            ca = certificates.path("ca.pem").display(),
        );
        Field {
            broker: Broker::start_listening(&listeners, &more),
            certificates,
            tokens,
            passwords,
            mutual,
        }
    })
}

impl Field {
    /// The lines under `[kafka]` that say whom this machine trusts, and more.
    fn trusting(&self, port: u16, more: &str) -> String {
        let ca = self.certificates.path("ca.pem");
        format!(
            "[kafka]\n\"bootstrap.servers\" = \"127.0.0.1:{port}\"\n\
             \"ssl.ca.location\" = \"{}\"\n{more}",
            ca.display()
        )
    }
}

/// A token that the broker takes for so long, from now on. Nothing protects it but that the broker
/// is a test's.
fn token(life: Duration) -> String {
    let now = now() / 1000;
    let claims = serde_json::json!({
        "sub": "watchfire", "iat": now, "exp": now + i64::try_from(life.as_secs()).unwrap(),
    });
    let [head, claims] = [r#"{"alg":"none"}"#, &claims.to_string()].map(base64url);
    format!("{head}.{claims}.")
}

/// Without padding.
fn base64url(text: &str) -> String {
    let usual = openssl::base64::encode_block(text.as_bytes());
    let url = usual.replace('+', "-").replace('/', "_");
    url.trim_end_matches('=').to_owned()
}

/// An answer with a good token, as Entra ID gives it.
fn granted(life: Duration) -> Answer {
    let body = serde_json::json!({
        "token_type": "Bearer", "expires_in": life.as_secs(), "access_token": token(life),
    });
    Answer::of(200, body.to_string())
}

/// The same as platforms give it: numbers are text.
fn granted_by_platform(life: Duration) -> Answer {
    let expires = now() / 1000 + i64::try_from(life.as_secs()).unwrap();
    let body = serde_json::json!({
        "access_token": token(life), "expires_on": expires.to_string(), "token_type": "Bearer",
    });
    Answer::of(200, body.to_string())
}

const HOUR: Duration = Duration::from_secs(3600);

/// A configuration with `[login]` and the token listener.
fn configuration(dir: &Path, login: &str) -> std::path::PathBuf {
    let field = field();
    let path = dir.join("w.toml");
    let kafka = field.trusting(field.tokens, "");
    let text = format!("app = \"nobody\"\n[login]\n{login}\n{kafka}");
    std::fs::write(&path, text).unwrap();
    path
}

/// Runs `topics check` under these variables alone. Never is a secret shown.
fn checked(config: &Path, variables: &[(&str, &str)]) -> Output {
    let output = Command::new(env!("CARGO_BIN_EXE_watchfire"))
        .args(["topics", "check", "--config"])
        .arg(config)
        .env_clear()
        .env("WATCHFIRE_LOG", "debug")
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    for text in [&output.stdout, &output.stderr] {
        let text = String::from_utf8_lossy(text);
        assert!(!text.contains("hUsh"), "a secret is shown: {text}");
        assert!(!text.contains("eyJ"), "a token is shown: {text}");
    }
    output
}

/// Holds that the brokers were talked to: they were asked which topics there are.
fn is_logged_in(output: &Output) {
    let said = String::from_utf8_lossy(&output.stdout);
    let why = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("topic nobody.matches does not exist"),
        "{said}{why}"
    );
}

/// Holds that it ends with an error that has all of these.
fn is_refused(output: &Output, words: &[&str]) {
    let why = String::from_utf8_lossy(&output.stderr);
    let last = why
        .lines()
        .rfind(|line| line.starts_with("error"))
        .unwrap_or(&why);
    assert_eq!(output.status.code(), Some(1), "{why}");
    for word in words {
        assert!(last.contains(word), "no {word}: {why}");
    }
}

fn field_of<'r>(request: &'r Request, name: &str) -> &'r str {
    request.fields.get(name).map_or("", String::as_str)
}

#[test]
fn an_application_logs_in_with_its_secret() {
    let ca = field().certificates.path("ca.pem");
    let endpoint = Endpoint::start_closed(field().certificates.dir(), |_, _| granted(HOUR));
    let dir = tempfile::tempdir().unwrap();
    let login = format!(
        "method = \"client_secret\"\ntenant_id = \"t-1\"\nclient_id = \"c-1\"\nauthority = \"{}\"\n\
         scope = \"https://ns.servicebus.windows.net/.default\"\nca_file = \"{}\"",
        endpoint.url,
        ca.display()
    );
    let config = configuration(dir.path(), &login);
    is_logged_in(&checked(
        &config,
        &[("WATCHFIRE_LOGIN_CLIENT_SECRET", SECRET)],
    ));
    // From a file as well; and whoever knows nobody's authority does not hand it over.
    let secret = dir.path().join("secret");
    std::fs::write(&secret, format!("{SECRET}\n")).unwrap();
    let in_a_file = format!("{login}\nclient_secret_file = \"{}\"", secret.display());
    is_logged_in(&checked(&configuration(dir.path(), &in_a_file), &[]));
    let asked = endpoint.asked();
    assert_eq!(asked.len(), 2);
    for request in &asked {
        assert_eq!(request.what, "POST /t-1/oauth2/v2.0/token");
        for (name, value) in [
            ("grant_type", "client_credentials"),
            ("client_id", "c-1"),
            ("client_secret", SECRET),
            ("scope", "https://ns.servicebus.windows.net/.default"),
        ] {
            assert_eq!(field_of(request, name), value);
        }
    }
}

#[test]
fn an_endpoint_that_nobody_vouches_for_is_told_nothing() {
    let endpoint = Endpoint::start_closed(field().certificates.dir(), |_, _| granted(HOUR));
    let dir = tempfile::tempdir().unwrap();
    let login = format!(
        "method = \"client_secret\"\ntenant_id = \"t\"\nclient_id = \"c\"\nauthority = \"{}\"\n\
         scope = \"s\"",
        endpoint.url
    );
    let mut child = Command::new(env!("CARGO_BIN_EXE_watchfire"))
        .args(["topics", "check", "--config"])
        .arg(configuration(dir.path(), &login))
        .env("WATCHFIRE_LOGIN_CLIENT_SECRET", SECRET)
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let lines = std::io::BufReader::new(child.stderr.take().unwrap());
    let said = std::io::BufRead::lines(lines).map_while(Result::ok);
    let line = said
        .into_iter()
        .find(|line| line.contains("let login.ca_file name"));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(line.is_some(), "it does not say what to do");
    assert!(endpoint.asked().is_empty());
}

#[test]
fn a_pod_logs_in_with_the_token_of_its_platform() {
    let endpoint = Endpoint::start(|_, _| granted(HOUR));
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("azure-identity-token");
    std::fs::write(&file, "hUsh.assertion").unwrap();
    let login = "method = \"workload_identity\"\nscope = \"https://ns/.default\"";
    let config = configuration(dir.path(), login);
    let variables = [
        ("AZURE_FEDERATED_TOKEN_FILE", file.to_str().unwrap()),
        ("AZURE_TENANT_ID", "t-1"),
        ("AZURE_CLIENT_ID", "c-1"),
        ("AZURE_AUTHORITY_HOST", &endpoint.url),
    ];
    is_logged_in(&checked(&config, &variables));
    let request = &endpoint.asked()[0];
    assert_eq!(request.what, "POST /t-1/oauth2/v2.0/token");
    assert_eq!(field_of(request, "client_assertion"), "hUsh.assertion");
    assert_eq!(
        field_of(request, "client_assertion_type"),
        "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    );
    assert_eq!(field_of(request, "client_secret"), "");
}

#[test]
fn a_machine_logs_in_as_itself() {
    let endpoint = Endpoint::start(|_, _| granted_by_platform(HOUR));
    let dir = tempfile::tempdir().unwrap();
    let login = "method = \"managed_identity\"\nscope = \"https://ns/.default\"";
    let config = configuration(dir.path(), login);
    let machine = ("AZURE_POD_IDENTITY_AUTHORITY_HOST", endpoint.url.as_str());
    // What a platform tells its programs goes through no proxy.
    let proxy = ("HTTP_PROXY", "http://127.0.0.1:9");
    is_logged_in(&checked(&config, &[machine, proxy]));
    let url = format!("{}/msi/token", endpoint.url);
    is_logged_in(&checked(
        &config,
        &[
            ("IDENTITY_ENDPOINT", &url),
            ("IDENTITY_HEADER", "hUshHeader"),
            ("AZURE_CLIENT_ID", "c-1"),
        ],
    ));
    let asked = endpoint.asked();
    let [machine, service] = &asked[..] else {
        panic!("{asked:?}");
    };
    assert_eq!(machine.what, "GET /metadata/identity/oauth2/token");
    assert_eq!(field_of(machine, "api-version"), "2018-02-01");
    assert_eq!(field_of(machine, "resource"), "https://ns");
    assert_eq!(field_of(machine, "client_id"), "");
    assert_eq!(machine.headers["metadata"], "true");
    assert_eq!(service.what, "GET /msi/token");
    assert_eq!(field_of(service, "api-version"), "2019-08-01");
    assert_eq!(field_of(service, "client_id"), "c-1");
    assert_eq!(service.headers["x-identity-header"], "hUshHeader");
}

/// What becomes of a login whose endpoint answers this.
fn with_answers(answer: impl Fn(&Request, usize) -> Answer + Send + Sync + 'static) -> Output {
    let endpoint = Endpoint::start(answer);
    let dir = tempfile::tempdir().unwrap();
    let login = format!(
        "method = \"client_secret\"\ntenant_id = \"t\"\nclient_id = \"c\"\nauthority = \"{}\"\n\
         scope = \"s\"",
        endpoint.url
    );
    let config = configuration(dir.path(), &login);
    checked(&config, &[("WATCHFIRE_LOGIN_CLIENT_SECRET", SECRET)])
}

#[test]
fn an_endpoint_that_refuses_ends_the_command_at_once_and_is_quoted() {
    let refused = with_answers(|request, _| {
        let secret = field_of(request, "client_secret");
        let body = serde_json::json!({
            "error": "invalid_client",
            "error_description": format!(
                "AADSTS7000215: Invalid client secret {secret} provided. Trace ID: 1\r\nmore"
            ),
        });
        Answer::of(401, body.to_string())
    });
    is_refused(
        &refused,
        &[
            "no token to log in with: the token endpoint http://127.0.0.1:",
            "/t/oauth2/v2.0/token answered 401: invalid_client: AADSTS7000215: Invalid client \
             secret (secret) provided.",
            "it is the secret's value that is needed",
        ],
    );
    let elsewhere = Endpoint::start(|_, _| granted(HOUR));
    let place = elsewhere.url.clone();
    let moved = with_answers(move |_, _| Answer {
        header: Some(("Location", place.clone())),
        ..Answer::of(307, "")
    });
    is_refused(&moved, &["answered 307", "check its address"]);
    assert!(elsewhere.asked().is_empty(), "a secret went elsewhere");
}

#[test]
fn an_endpoint_that_stumbles_is_asked_again() {
    // Whatever it is that comes, and then a token; slowly, too.
    let stumbles: [fn() -> Answer; 3] = [
        || Answer::of(503, "<html>busy</html>"),
        || Answer::of(200, "x".repeat(10_000_000)),
        || Answer::of(200, r#"{"access_token":"hUsh\u0000","expires_in":60}"#),
    ];
    is_logged_in(&with_answers(move |_, before| match stumbles.get(before) {
        Some(answer) => answer(),
        None => Answer {
            after: Duration::from_secs(1),
            ..granted(HOUR)
        },
    }));
}

#[test]
fn a_broker_that_refuses_the_token_is_quoted() {
    // It expired an hour ago, whatever the endpoint says.
    let refused = with_answers(|_, _| {
        let claims = format!(r#"{{"sub":"watchfire","exp":{}}}"#, now() / 1000 - 3600);
        let token = format!("{}.{}.", base64url(r#"{"alg":"none"}"#), base64url(&claims));
        Answer::of(
            200,
            format!(r#"{{"access_token":"{token}","expires_in":3600}}"#),
        )
    });
    is_refused(&refused, &["refused the token", "Check that login.scope"]);
}

#[test]
fn a_connection_string_logs_in_with_tls() {
    let field = field();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("w.toml");
    let text = format!("app = \"nobody\"\n{}", field.trusting(field.passwords, ""));
    std::fs::write(&path, text).unwrap();
    let check = |connection: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_watchfire"));
        command.args(["topics", "check", "--config"]).arg(&path);
        command.arg(format!("--brokers=127.0.0.1:{}", field.passwords));
        command.env("EVENTHUBS_CONNECTION_STRING", connection);
        command.output().unwrap()
    };
    is_logged_in(&check(CONNECTION));
    let wrong = check(&CONNECTION.replace("hUshSecretKey", "other"));
    is_refused(&wrong, &["refused the login", "Check sasl.mechanism"]);
}

#[test]
fn a_certificate_logs_in() {
    let field = field();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("w.toml");
    let check = |more: &str| {
        let text = format!("app = \"nobody\"\n{}", field.trusting(field.mutual, more));
        std::fs::write(&path, text).unwrap();
        checked(&path, &[])
    };
    let place = |name| field.certificates.path(name).display().to_string();
    let own = format!(
        "\"security.protocol\" = \"SSL\"\n\"ssl.certificate.location\" = \"{}\"\n\
         \"ssl.key.location\" = \"{}\"\n",
        place("client.pem"),
        place("client.key"),
    );
    is_logged_in(&check(&own));
    let forgotten = own.replace("\"security.protocol\" = \"SSL\"\n", "");
    let said = String::from_utf8(said_at_first(&path, field, &forgotten)).unwrap();
    assert!(
        said.contains("is not used: the connection has no TLS"),
        "{said}"
    );
    let gone = own.replace("client.pem", "gone.pem");
    is_refused(&check(&gone), &["ssl.certificate.location"]);
}

/// The first line of stderr with such a configuration; the command is ended then.
fn said_at_first(path: &Path, field: &Field, more: &str) -> Vec<u8> {
    let text = format!("app = \"nobody\"\n{}", field.trusting(field.mutual, more));
    std::fs::write(path, text).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_watchfire"))
        .args(["topics", "check", "--config"])
        .arg(path)
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = std::io::BufReader::new(child.stderr.take().unwrap());
    let mut line = Vec::new();
    std::io::BufRead::read_until(&mut lines, b'\n', &mut line).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    line
}

/// An application on the plain listener, and the configuration of a worker that logs in with
/// tokens.
fn with_tokens(setup: &Setup, endpoint: &Endpoint) -> std::path::PathBuf {
    let field = field();
    let login = format!(
        "[login]\nmethod = \"managed_identity\"\nscope = \"https://ns/.default\"\n{}",
        field.trusting(field.tokens, "")
    );
    let config = setup.config_with("tokens", |text| {
        let (before, after) = text.split_once("[kafka]\n").unwrap();
        let after = after.split_once('\n').unwrap().1;
        format!("{before}{login}{after}")
    });
    std::fs::write(setup.path("endpoint"), &endpoint.url).unwrap();
    config
}
