//! What is asked of a schema registry, and what it answers. Nothing of the answer is trusted, and
//! nothing that was sent is shown.

use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;
use ureq::Agent;
use ureq::tls::{
    Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, TlsProvider, parse_pem,
};

use crate::config::registry::RegistryLogin;
use crate::config::{Login, Registry};
use crate::io::kafka::login;

/// The longest that an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// More than any answer takes.
const ANSWER_BYTES_MAX: u64 = 1 << 20;

/// How much of an answer is said.
const SAID_MAX: usize = 300;

/// What tokens for Azure's registry are for.
const AZURE_SCOPE: &str = "https://eventhubs.azure.net/.default";

/// Why there is no answer to be used.
pub enum Refused {
    /// Perhaps there is one later.
    Away(anyhow::Error),
    /// Asking again is of no use.
    Lasting(anyhow::Error),
}

/// A schema as it is sent.
#[derive(Clone, Copy)]
pub enum Body<'b> {
    /// As an object.
    Confluent(&'b str),
    /// Alone.
    Azure(&'b str),
}

/// What came.
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The header `Schema-Id`.
    pub schema_id: Option<String>,
    body: Vec<u8>,
}

impl Answer {
    /// What it holds; null where that is no JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// It, if it is a good one.
    pub fn checked(self, asker: &Asker<'_>) -> Result<Answer, Refused> {
        let url = &asker.registry.url;
        let status = self.status;
        match status {
            200..=299 => Ok(self),
            401 | 403 => Err(Refused::Lasting(anyhow!(
                "the schema registry {url} does not let us in ({status}): {}. Check {}",
                self.said(),
                asker.login_advice()
            ))),
            409 | 422 => Err(Refused::Lasting(anyhow!(
                "the schema registry {url} refuses the schema ({status}): {}",
                self.said()
            ))),
            408 | 429 | 500..=599 => Err(Refused::Away(anyhow!(
                "the schema registry {url} cannot answer ({status}): {}",
                self.said()
            ))),
            _ => Err(Refused::Lasting(anyhow!(
                "the schema registry {url} answers {status}: {}. Check registry.url and \
                 registry.kind",
                self.said()
            ))),
        }
    }

    /// What it says of an error.
    fn said(&self) -> String {
        let json = self.json();
        let message = json
            .get("message")
            .or_else(|| json.pointer("/error/message"));
        let said = match message.and_then(Value::as_str) {
            Some(message) => message.to_owned(),
            None => String::from_utf8_lossy(&self.body).into_owned(),
        };
        said.chars().take(SAID_MAX).collect()
    }
}

/// Asks a registry.
pub struct Asker<'r> {
    registry: &'r Registry,
    login: Option<&'r Login>,
    agent: Agent,
}

impl<'r> Asker<'r> {
    /// Nobody was asked yet.
    ///
    /// # Errors
    ///
    /// A file of certificates or keys has none.
    pub fn new(registry: &'r Registry, login: Option<&'r Login>) -> Result<Asker<'r>> {
        let config = Agent::config_builder()
            .timeout_global(Some(PATIENCE))
            .http_status_as_error(false)
            // Who follows redirects may hand a secret to somebody else.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent("watchfire")
            .tls_config(tls(registry)?);
        Ok(Asker {
            registry,
            login,
            agent: config.build().new_agent(),
        })
    }

    /// Posts a schema.
    pub fn post(&self, path: &str, body: Body<'_>) -> Result<Answer, Refused> {
        self.send(
            self.agent.post(format!("{}{path}", self.registry.url)),
            body,
        )
    }

    /// Puts a schema.
    pub fn put(&self, path: &str, body: Body<'_>) -> Result<Answer, Refused> {
        self.send(self.agent.put(format!("{}{path}", self.registry.url)), body)
    }

    fn send(
        &self,
        mut request: ureq::RequestBuilder<ureq::typestate::WithBody>,
        body: Body<'_>,
    ) -> Result<Answer, Refused> {
        if let Some(authorization) = self.authorization()? {
            request = request.header("Authorization", authorization);
        }
        let (kind, text) = match body {
            Body::Confluent(text) => ("application/vnd.schemaregistry.v1+json", text),
            Body::Azure(text) => ("application/json; serialization=Avro", text),
        };
        let sent = request.header("Content-Type", kind).send(text);
        let mut answer = sent.map_err(|error| self.unanswered(&error))?;
        let status = answer.status().as_u16();
        let schema_id = answer.headers().get("schema-id");
        let schema_id = schema_id.and_then(|id| Some(id.to_str().ok()?.to_owned()));
        let body = answer.body_mut().with_config().limit(ANSWER_BYTES_MAX);
        Ok(Answer {
            status,
            schema_id,
            body: body
                .read_to_vec()
                .map_err(|error| self.unanswered(&error))?,
        })
    }

    fn authorization(&self) -> Result<Option<String>, Refused> {
        Ok(match &self.registry.login {
            RegistryLogin::Nobody => None,
            RegistryLogin::Basic(name, password) => {
                let both = BASE64_STANDARD.encode(format!("{name}:{}", password.reveal().trim()));
                Some(format!("Basic {both}"))
            }
            RegistryLogin::Bearer(token) => Some(format!("Bearer {}", token.reveal().trim())),
            RegistryLogin::Entra => {
                let none = "registry.kind = \"azure\" needs a token: say in [login] where it comes \
                            from, or set registry.token_file";
                let login = self.login.context(none).map_err(Refused::Lasting)?;
                let mut login = login.clone();
                AZURE_SCOPE.clone_into(&mut login.scope);
                let token = login::once(&login).map_err(|problem| match problem.lasting {
                    true => Refused::Lasting(anyhow!("{}", problem.words)),
                    false => Refused::Away(anyhow!("{}", problem.words)),
                })?;
                Some(format!("Bearer {}", token.value.reveal()))
            }
        })
    }

    fn login_advice(&self) -> &'static str {
        match &self.registry.login {
            RegistryLogin::Nobody => "registry.username or registry.token_file: none is set",
            RegistryLogin::Basic(..) => "registry.username and its password",
            RegistryLogin::Bearer(_) => "the token of registry.token_file",
            RegistryLogin::Entra => {
                "that the identity has the role Schema Registry Contributor, or Reader with \
                 registry.register = false"
            }
        }
    }

    fn unanswered(&self, error: &ureq::Error) -> Refused {
        let url = &self.registry.url;
        let said = error.to_string();
        let advice = match said.contains("certificate") {
            true => "registry.ca_file must name the authority that signed its certificate",
            false => "check registry.url, and that this machine may connect to it",
        };
        Refused::Away(anyhow!(
            "the schema registry {url} gave no answer: {said}; {advice}"
        ))
    }
}

fn tls(registry: &Registry) -> Result<TlsConfig> {
    let roots = match &registry.ca_file {
        None => RootCerts::PlatformVerifier,
        Some(path) => RootCerts::new_with_certs(&certificates("registry.ca_file", path)?),
    };
    let own = registry.certificate.as_ref().map(|(certificate, key)| {
        let chain = certificates("registry.certificate_file", certificate)?;
        let text = std::fs::read(key).with_context(|| format!("registry.key_file: {key}"))?;
        let key = PrivateKey::from_pem(&text).context("registry.key_file: no key (PEM)")?;
        anyhow::Ok(ClientCert::new_with_certs(&chain, key))
    });
    Ok(TlsConfig::builder()
        .provider(TlsProvider::NativeTls)
        .root_certs(roots)
        .client_cert(own.transpose()?)
        .build())
}

fn certificates(key: &str, path: &str) -> Result<Vec<Certificate<'static>>> {
    let text = std::fs::read(path).with_context(|| format!("{key}: {path}"))?;
    let certificates = parse_pem(&text).filter_map(|item| match item {
        Ok(PemItem::Certificate(certificate)) => Some(certificate),
        Ok(_) | Err(_) => None,
    });
    let certificates: Vec<_> = certificates.collect();
    match certificates.is_empty() {
        true => Err(anyhow!("{key}: the file {path} has no certificate (PEM)")),
        false => Ok(certificates),
    }
}
