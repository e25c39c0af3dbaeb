//! What is asked of whom for a token.

use std::time::Duration;

use ureq::Agent;
use ureq::tls::{PemItem, RootCerts, TlsConfig, TlsProvider, parse_pem};

use super::{Problem, Token, answer};
use crate::config::Secret;
use crate::config::login::{Application, Kept, Login, Method, Platform};
use crate::io::clock;

/// The longest that an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// More than any token takes.
const ANSWER_BYTES_MAX: u64 = 64 * 1024;

const API_MACHINE: &str = "2018-02-01";
const API_APP_SERVICE: &str = "2019-08-01";
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// What is asked, and of whom.
struct Question {
    url: String,
    query: Vec<(&'static str, String)>,
    header: Option<(&'static str, Secret)>,
    /// What is sent; `None`: nothing.
    form: Option<Vec<(&'static str, String)>>,
    /// What must not be shown, should the answer have it.
    secret: Option<Secret>,
}

impl Question {
    /// Who is asked, as errors name it.
    fn whom(&self) -> String {
        format!("the token endpoint {}", self.url)
    }
}

/// Asks for a token, once.
pub(super) fn token(login: &Login) -> Result<Token, Problem> {
    let question = match &login.method {
        Method::ClientSecret(application, kept) => {
            let secret = match kept {
                Kept::Value(secret) => secret.clone(),
                Kept::InFile(path) => read("login.client_secret_file", path)?,
            };
            let own = vec![("client_secret", secret.reveal().to_owned())];
            of_entra(application, &login.scope, own, secret)
        }
        Method::WorkloadIdentity(application, path) => {
            let assertion = read("login.token_file", path)?;
            let own = vec![
                ("client_assertion_type", ASSERTION_TYPE.to_owned()),
                ("client_assertion", assertion.reveal().to_owned()),
            ];
            of_entra(application, &login.scope, own, assertion)
        }
        Method::ManagedIdentity(platform, client_id) => {
            of_platform(platform, &login.scope, client_id.as_deref())
        }
    };
    let asked = send(login, &question)?;
    let about = answer::About {
        whom: &question.whom(),
        method: &login.method,
        secret: question.secret.as_ref(),
    };
    answer::read(&about, asked.status, &asked.body, clock::now())
}

fn of_entra(
    application: &Application,
    scope: &str,
    own: Vec<(&'static str, String)>,
    secret: Secret,
) -> Question {
    let Application {
        authority,
        tenant,
        client_id,
    } = application;
    let mut form = vec![
        ("grant_type", "client_credentials".to_owned()),
        ("client_id", client_id.clone()),
        ("scope", scope.to_owned()),
    ];
    form.extend(own);
    Question {
        url: format!("{authority}/{tenant}/oauth2/v2.0/token"),
        query: Vec::new(),
        header: None,
        form: Some(form),
        secret: Some(secret),
    }
}

fn of_platform(platform: &Platform, scope: &str, client_id: Option<&str>) -> Question {
    let (url, api, header) = match platform {
        Platform::Machine(address) => (
            format!("{address}/metadata/identity/oauth2/token"),
            API_MACHINE,
            ("Metadata", Secret::new("true")),
        ),
        Platform::AppService(address, header) => (
            address.clone(),
            API_APP_SERVICE,
            ("X-IDENTITY-HEADER", header.clone()),
        ),
    };
    let resource = scope.strip_suffix("/.default").unwrap_or(scope);
    let mut query = vec![
        ("api-version", api.to_owned()),
        ("resource", resource.to_owned()),
    ];
    query.extend(client_id.map(|id| ("client_id", id.to_owned())));
    Question {
        url,
        query,
        secret: Some(header.1.clone()).filter(|_| matches!(platform, Platform::AppService(..))),
        header: Some(header),
        form: None,
    }
}

/// What a file holds, read anew each time: whoever keeps it replaces it.
fn read(key: &str, path: &str) -> Result<Secret, Problem> {
    let content = std::fs::read_to_string(path);
    let problem = |why: &str| Problem {
        words: format!("{key}: the file that it names {why}"),
        lasting: false,
    };
    match content {
        Ok(content) if content.trim().is_empty() => Err(problem("is empty")),
        Ok(content) => Ok(Secret::new(&content)),
        Err(error) => Err(problem(&format!("cannot be read: {error}"))),
    }
}

struct Answered {
    status: u16,
    body: Vec<u8>,
}

fn send(login: &Login, question: &Question) -> Result<Answered, Problem> {
    let agent = agent(login)?;
    let sent = match &question.form {
        Some(form) => {
            let form = form.iter().map(|(name, value)| (*name, value.as_str()));
            agent.post(&question.url).send_form(form)
        }
        None => {
            let query = question.query.iter();
            let mut request = agent
                .get(&question.url)
                .query_pairs(query.map(|(name, value)| (*name, value.as_str())));
            if let Some((name, value)) = &question.header {
                request = request.header(*name, value.reveal());
            }
            request.call()
        }
    };
    let mut answer = sent.map_err(|error| unanswered(login, question, &error))?;
    let status = answer.status().as_u16();
    let body = answer.body_mut().with_config().limit(ANSWER_BYTES_MAX);
    let body = body
        .read_to_vec()
        .map_err(|error| unanswered(login, question, &error))?;
    Ok(Answered { status, body })
}

/// Who follows redirects may hand a secret to somebody else, and what a platform gives to its
/// programs goes through no proxy.
fn agent(login: &Login) -> Result<Agent, Problem> {
    let mut config = Agent::config_builder()
        .timeout_global(Some(PATIENCE))
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .max_idle_connections(0)
        .user_agent("watchfire")
        .tls_config(tls(login)?);
    if matches!(login.method, Method::ManagedIdentity(..)) {
        config = config.proxy(None);
    }
    Ok(config.build().new_agent())
}

fn tls(login: &Login) -> Result<TlsConfig, Problem> {
    let roots = match &login.ca_file {
        None => RootCerts::PlatformVerifier,
        Some(path) => {
            let text = read("login.ca_file", path)?;
            let certificates = parse_pem(text.reveal().as_bytes()).filter_map(|item| match item {
                Ok(PemItem::Certificate(certificate)) => Some(certificate),
                Ok(_) | Err(_) => None,
            });
            let certificates: Vec<_> = certificates.collect();
            if certificates.is_empty() {
                return Err(Problem {
                    words: "login.ca_file: the file that it names has no certificate (PEM)"
                        .to_owned(),
                    lasting: true,
                });
            }
            RootCerts::new_with_certs(&certificates)
        }
    };
    Ok(TlsConfig::builder()
        .provider(TlsProvider::NativeTls)
        .root_certs(roots)
        .build())
}

/// What is said where no answer came, or not a whole one.
fn unanswered(login: &Login, question: &Question, error: &ureq::Error) -> Problem {
    let said = error.to_string();
    let is_tls = said.contains("certificate");
    let advice = match &login.method {
        Method::ManagedIdentity(Platform::Machine(_), _) => {
            "only machines in Azure that have a managed identity get tokens there; elsewhere set \
             EVENTHUBS_CONNECTION_STRING, or another login.method"
        }
        Method::ManagedIdentity(Platform::AppService(..), _) => "give the app a managed identity",
        Method::ClientSecret(..) | Method::WorkloadIdentity(..) if is_tls => {
            "let login.ca_file name the certificate of the authority that signed the endpoint's"
        }
        Method::ClientSecret(..) | Method::WorkloadIdentity(..) => {
            "check login.authority, and that this machine may connect to it (HTTPS_PROXY counts)"
        }
    };
    Problem {
        words: format!("{} gave no answer: {said}; {advice}", question.whom()),
        lasting: false,
    }
}
