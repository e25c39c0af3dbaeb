//! What a token endpoint answers. Nothing of it is trusted, and nothing that was sent is shown.

use serde_json::Value;

use super::{Problem, Token};
use crate::config::Secret;
use crate::config::login::Method;
use crate::time::Millis;

/// The longest that a token may be used: nobody gives one for longer.
const LIFE_MAX_SECONDS: i64 = 30 * 24 * 3600;

/// How much of an answer is said.
const SAID_CHARACTERS_MAX: usize = 300;

/// What to do about the errors that Entra ID numbers.
const ADVICE: [(&str, &str); 9] = [
    (
        "AADSTS7000215",
        "the secret is wrong: it is the secret's value that is needed, not its id",
    ),
    ("AADSTS7000222", "the secret has expired: make a new one"),
    (
        "AADSTS700016",
        "the tenant has no such application: check login.client_id and login.tenant_id",
    ),
    (
        "AADSTS90002",
        "there is no such tenant: check login.tenant_id",
    ),
    (
        "AADSTS900023",
        "there is no such tenant: check login.tenant_id",
    ),
    (
        "AADSTS500011",
        "nothing has this name: check login.scope, which is https://NAMESPACE/.default",
    ),
    (
        "AADSTS70021",
        "no federated credential of the application fits this token: compare its issuer and \
         subject with the service account's",
    ),
    (
        "AADSTS700213",
        "no federated credential of the application fits this token: compare its issuer and \
         subject with the service account's",
    ),
    (
        "AADSTS700024",
        "the platform's token is too old or too new: check this machine's clock, and that the \
         platform renews the file",
    ),
];

/// Who was asked, how, and what must not be shown.
pub(super) struct About<'a> {
    /// In words.
    pub whom: &'a str,
    pub method: &'a Method,
    pub secret: Option<&'a Secret>,
}

/// Reads an answer that came at `now`.
pub(super) fn read(
    about: &About<'_>,
    status: u16,
    body: &[u8],
    now: Millis,
) -> Result<Token, Problem> {
    let json: Option<Value> = serde_json::from_slice(body).ok();
    match (status, json) {
        (200, Some(json)) => token(about, &json, now),
        (200, None) => Err(temporary(
            about,
            "answered with something that is no JSON; is it behind a proxy that wants a login?",
        )),
        (status, json) => Err(refusal(about, status, json.as_ref())),
    }
}

fn temporary(about: &About<'_>, what: &str) -> Problem {
    Problem {
        words: format!("{} {what}", about.whom),
        lasting: false,
    }
}

fn token(about: &About<'_>, json: &Value, now: Millis) -> Result<Token, Problem> {
    let Some(value) = json.get("access_token").and_then(Value::as_str) else {
        return Err(temporary(about, "answered without an access_token"));
    };
    // The client library shows a token that has other characters.
    if value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(temporary(
            about,
            "gave a token with characters that no token has",
        ));
    }
    let number = |name: &str| {
        let found = json.get(name)?;
        found
            .as_i64()
            .or_else(|| found.as_str()?.trim().parse().ok())
    };
    let life = number("expires_in").or_else(|| Some(number("expires_on")? - now / 1000));
    match life {
        None => Err(temporary(
            about,
            "gave a token without saying when it expires",
        )),
        Some(life) if life <= 0 => Err(temporary(
            about,
            "gave a token that has expired already; check this machine's clock",
        )),
        Some(life) => Ok(Token {
            value: Secret::new(value),
            expires: now + life.min(LIFE_MAX_SECONDS) * 1000,
        }),
    }
}

fn refusal(about: &About<'_>, status: u16, json: Option<&Value>) -> Problem {
    let text = |name: &str| json?.get(name)?.as_str();
    let error = text("error").unwrap_or_default();
    let description = text("error_description").or_else(|| text("message"));
    let description = description.unwrap_or_default();
    let said = [error, description].map(|part| shown(about, part));
    let said = said.into_iter().filter(|part| !part.is_empty());
    let said: Vec<String> = said.collect();
    let said = match said.is_empty() {
        true => "no reason".to_owned(),
        false => said.join(": "),
    };
    Problem {
        words: format!(
            "{} answered {status}: {said}{}",
            about.whom,
            advice(about, status, description)
        ),
        lasting: is_lasting(about, status),
    }
}

/// Whether the same question will have the same answer. The metadata service of a machine says
/// that it is not there while it is being replaced.
fn is_lasting(about: &About<'_>, status: u16) -> bool {
    let comes_back = match about.method {
        Method::ManagedIdentity(..) => [404, 408, 410, 429].contains(&status),
        Method::ClientSecret(..) | Method::WorkloadIdentity(..) => [408, 429].contains(&status),
    };
    (300..500).contains(&status) && !comes_back
}

fn advice(about: &About<'_>, status: u16, description: &str) -> String {
    let number = description.split([':', ' ']).next().unwrap_or_default();
    let known = ADVICE.iter().find(|(known, _)| *known == number);
    let advice = match (known, about.method) {
        (Some((_, advice)), _) => *advice,
        (None, Method::ManagedIdentity(..)) if (400..404).contains(&status) => {
            "check that the machine has a managed identity, and that login.client_id (or \
             AZURE_CLIENT_ID) is one of its own"
        }
        (None, _) if (300..400).contains(&status) => "it must answer itself: check its address",
        (None, Method::ClientSecret(..) | Method::WorkloadIdentity(..)) if status == 404 => {
            "check login.authority"
        }
        (None, _) => return String::new(),
    };
    format!("; {advice}")
}

/// The first line of what was said, without what it was told.
fn shown(about: &About<'_>, said: &str) -> String {
    let line = said.lines().next().unwrap_or_default().trim();
    let line = line.split(" Trace ID:").next().unwrap_or_default();
    let line = match about.secret.map(Secret::reveal).filter(|s| !s.is_empty()) {
        Some(secret) => line.replace(secret, "(secret)"),
        None => line.to_owned(),
    };
    line.chars()
        .filter(|c| !c.is_control())
        .take(SAID_CHARACTERS_MAX)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::login::{Application, Kept, Platform};

    fn secret() -> Method {
        let application = Application {
            authority: "https://e".to_owned(),
            tenant: "t".to_owned(),
            client_id: "c".to_owned(),
        };
        Method::ClientSecret(application, Kept::Value(Secret::new("hUsh")))
    }

    fn machine() -> Method {
        Method::ManagedIdentity(Platform::Machine("http://m".to_owned()), None)
    }

    /// What an answer at second 1,000 is read as: when the token expires, or what is wrong, with
    /// `!` before it where asking again is of no use.
    fn check(method: &Method, status: u16, body: &str, expected: &str) {
        let about = About {
            whom: "X",
            method,
            secret: Some(&Secret::new("hUsh")),
        };
        let found = match read(&about, status, body.as_bytes(), 1_000_000) {
            Ok(token) => format!("{} until {}", token.value.reveal(), token.expires),
            Err(Problem { words, lasting }) => format!("{}{words}", if lasting { "!" } else { "" }),
        };
        assert!(found.contains(expected), "{body}: {found}, not {expected}");
        assert!(!found.contains("hUsh"), "{found}");
        assert!(found.len() < 1000, "{found}");
    }

    #[test]
    fn tokens_are_read_as_each_platform_writes_them() {
        let check = |body: &str, expected: &str| check(&machine(), 200, body, expected);
        check(
            r#"{"token_type":"Bearer","expires_in":3599,"access_token":"eyJ.a-_="}"#,
            "eyJ.a-_= until 4599000",
        );
        check(
            r#"{"access_token":"a","expires_in":"86399","expires_on":"1"}"#,
            "a until 87399000",
        );
        check(
            r#"{"access_token":"a","expires_on":"1060"}"#,
            "a until 1060000",
        );
        check(
            r#"{"access_token":"a","expires_in":9223372036854775807}"#,
            "a until 2593000000",
        );
        check(
            r#"{"access_token":"a","expires_on":"1000"}"#,
            "X gave a token that has expired already; check this machine's clock",
        );
        check(
            r#"{"access_token":"a","expires_in":-5}"#,
            "has expired already",
        );
        check(r#"{"access_token":"a"}"#, "without saying when it expires");
        check(
            r#"{"access_token":"a","expires_in":"soon"}"#,
            "without saying when",
        );
        check(
            r#"{"access_token":"a\nb","expires_in":1}"#,
            "characters that no token has",
        );
        check(
            r#"{"access_token":"","expires_in":1}"#,
            "characters that no token has",
        );
        check(
            r#"{"access_token":5,"expires_in":1}"#,
            "without an access_token",
        );
        check("[]", "without an access_token");
        check("<html>", "no JSON");
        check("", "no JSON");
    }

    #[test]
    fn refusals_say_what_to_do() {
        let entra = |status, body: &str, expected: &str| check(&secret(), status, body, expected);
        entra(
            401,
            r#"{"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret
            provided. Trace ID: 1"}"#,
            "no reason",
        );
        entra(
            401,
            r#"{"error": "invalid_client", "error_description":
                "AADSTS7000215: Invalid hUsh. Trace ID: 1\r\nx"}"#,
            "!X answered 401: invalid_client: AADSTS7000215: Invalid (secret).; the secret is \
             wrong",
        );
        entra(
            400,
            r#"{"error":"e","error_description":"AADSTS90002: Tenant 't' not found."}"#,
            "there is no such tenant: check login.tenant_id",
        );
        entra(404, "", "!X answered 404: no reason; check login.authority");
        entra(302, "", "!X answered 302: no reason; it must answer itself");
        entra(429, "{}", "X answered 429: no reason");
        entra(503, "<html>busy</html>", "X answered 503: no reason");
        entra(500, r#"{"error":"\u001b[2J"}"#, "X answered 500: [2J");
        let machine =
            |status, body: &str, expected: &str| check(&machine(), status, body, expected);
        machine(
            400,
            r#"{"error":"invalid_request","error_description":"Identity not found"}"#,
            "!X answered 400: invalid_request: Identity not found; check that the machine has",
        );
        machine(410, "", "X answered 410");
        machine(404, "", "X answered 404");
        let long = format!(r#"{{"error":"{}"}}"#, "x".repeat(60_000));
        machine(500, &long, "X answered 500: xxx");
    }

    #[test]
    fn what_comes_back_is_asked_for_again() {
        for (status, of_entra, of_machine) in [
            (400, true, true),
            (404, true, false),
            (408, false, false),
            (410, true, false),
            (429, false, false),
            (500, false, false),
            (302, true, true),
        ] {
            for (method, lasting) in [(secret(), of_entra), (machine(), of_machine)] {
                let about = About {
                    whom: "X",
                    method: &method,
                    secret: None,
                };
                assert_eq!(is_lasting(&about, status), lasting, "{status} {method:?}");
            }
        }
    }
}
