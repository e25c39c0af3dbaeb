//! The `[login]` section: where tokens come from, for brokers that take those of Microsoft Entra
//! ID, as Event Hubs does.

use std::collections::BTreeMap;

use super::environment::CLIENT_SECRET;
use super::kafka::Kafka;
use super::secret::{ReadSecret, Secret};
use super::written::{LoginMethod, WrittenLogin};

/// Where a machine in Azure gets tokens of its own.
const MACHINE: &str = "http://169.254.169.254";

/// Where Entra ID is, by the end of a namespace's name; the first is Azure's public cloud.
const AUTHORITIES: [(&str, &str); 3] = [
    (".windows.net", "https://login.microsoftonline.com"),
    (".usgovcloudapi.net", "https://login.microsoftonline.us"),
    (".chinacloudapi.cn", "https://login.chinacloudapi.cn"),
];

/// How tokens are got, and for what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// Whom they are asked of, and as whom.
    pub method: Method,
    /// What they are for: `https://NAMESPACE/.default`.
    pub scope: String,
    /// The file of the authorities that may sign the token endpoint's certificate; `None`: those
    /// of the system.
    pub ca_file: Option<String>,
}

/// Whom tokens are asked of, and as whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Method {
    /// Entra ID, as an application that knows a secret.
    ClientSecret(Application, Kept),
    /// Entra ID, as an application, by the token that the platform keeps in this file.
    WorkloadIdentity(Application, String),
    /// The platform itself, as the identity that it has given to the machine, or as the one with
    /// this client id.
    ManagedIdentity(Platform, Option<String>),
}

/// An application that Entra ID knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Application {
    /// Where Entra ID is: `https://login.microsoftonline.com`.
    pub authority: String,
    /// The directory, by its id or name.
    pub tenant: String,
    /// The application's id.
    pub client_id: String,
}

/// Where a secret is kept. One in a file is read each time: it may be replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// Here.
    Value(Secret),
    /// In the file of this name.
    InFile(String),
}

/// What gives tokens to a program that it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Platform {
    /// The metadata service of a virtual machine, at this address.
    Machine(String),
    /// App Service, Functions and Container Apps: this address, and what they want to hear there.
    AppService(String, Secret),
}

/// What a login is built from.
pub(super) struct Sources<'a> {
    /// What was written under `[login]`.
    pub written: &'a WrittenLogin,
    /// All environment variables.
    pub environment: &'a BTreeMap<String, String>,
    /// Reads a file that holds a secret.
    pub read: ReadSecret<'a>,
}

impl Login {
    /// What is written, and where nothing is, what the variables of Azure's platforms say; and
    /// tells the client that it logs in with tokens. `None`: it logs in otherwise, or not at all.
    pub(super) fn build(
        sources: &Sources<'_>,
        kafka: &mut Kafka,
        problems: &mut Vec<String>,
    ) -> Option<Login> {
        let written = sources.written;
        let is_default = || kafka.event_hubs && !kafka.has_login();
        let method = written
            .method
            .or_else(|| is_default().then(|| sources.usual()));
        let Some(method) = method else {
            if *written != WrittenLogin::default() {
                problems.push(format!("login: no method; write one of {}", names()));
            }
            if kafka.wants_tokens() {
                problems.push(format!(
                    "kafka.\"sasl.mechanism\": OAUTHBEARER needs tokens; write under [login] where \
                     they come from: method = {}",
                    names()
                ));
            }
            return None;
        };
        if let Some(other) = kafka.other_login() {
            problems.push(format!(
                "login.method is {}, and {other} says another way to log in; remove one of them",
                method.name()
            ));
            return None;
        }
        let host = kafka.host();
        let scope = match (&written.scope, kafka.event_hubs) {
            (Some(scope), _) => scope.clone(),
            (None, true) => format!("https://{host}/.default"),
            (None, false) => {
                problems.push(
                    "login.scope: say what the tokens are for; it follows from the address only \
                     where that is an Event Hubs namespace"
                        .to_owned(),
                );
                return None;
            }
        };
        if !is_visible(&scope) {
            problems.push("login.scope: expected an address without blanks".to_owned());
        }
        let method = sources.method(method, &host, problems)?;
        if let Some(path) = &written.ca_file {
            sources.check_readable("login.ca_file", path, problems);
        }
        kafka.use_tokens();
        Some(Login {
            method,
            scope,
            ca_file: written.ca_file.clone(),
        })
    }
}

fn names() -> String {
    let names = LoginMethod::ALL.map(LoginMethod::name);
    names.join(", ")
}

impl Sources<'_> {
    /// A variable that is set to something.
    fn variable(&self, name: &str) -> Option<&str> {
        let value = self.environment.get(name)?.trim();
        (!value.is_empty()).then_some(value)
    }

    /// What the platform has prepared.
    fn usual(&self) -> LoginMethod {
        let secret = [CLIENT_SECRET, "AZURE_CLIENT_SECRET"];
        let has_secret = secret.iter().any(|name| self.variable(name).is_some());
        if self.variable("AZURE_FEDERATED_TOKEN_FILE").is_some() {
            LoginMethod::WorkloadIdentity
        } else if has_secret || self.written.client_secret_file.is_some() {
            LoginMethod::ClientSecret
        } else {
            LoginMethod::ManagedIdentity
        }
    }

    fn method(
        &self,
        method: LoginMethod,
        host: &str,
        problems: &mut Vec<String>,
    ) -> Option<Method> {
        match method {
            LoginMethod::ClientSecret => {
                let application = self.application(host, problems);
                let secret = self.secret(problems);
                Some(Method::ClientSecret(application?, secret?))
            }
            LoginMethod::WorkloadIdentity => {
                let application = self.application(host, problems);
                let written = self.written.token_file.as_deref();
                let file = written.or_else(|| self.variable("AZURE_FEDERATED_TOKEN_FILE"));
                let Some(file) = file else {
                    problems.push(
                        "login.token_file: name the file that the platform keeps the token in; \
                         Kubernetes says it as AZURE_FEDERATED_TOKEN_FILE where the pod has the \
                         label azure.workload.identity/use"
                            .to_owned(),
                    );
                    return None;
                };
                self.check_readable("login.token_file", file, problems);
                Some(Method::WorkloadIdentity(application?, file.to_owned()))
            }
            LoginMethod::ManagedIdentity => {
                let platform = self.platform(problems)?;
                let client_id = self.client_id();
                let client_id = client_id.map(|id| checked("login.client_id", id, problems));
                Some(Method::ManagedIdentity(platform, client_id))
            }
        }
    }

    fn client_id(&self) -> Option<&str> {
        let written = self.written.client_id.as_deref();
        written.or_else(|| self.variable("AZURE_CLIENT_ID"))
    }

    fn application(&self, host: &str, problems: &mut Vec<String>) -> Option<Application> {
        let usual = AUTHORITIES.iter().find(|(end, _)| host.ends_with(end));
        let usual = usual.or(AUTHORITIES.first());
        let usual = usual.map_or("", |(_, authority)| authority);
        let written = self.written.authority.as_deref();
        let authority = written.or_else(|| self.variable("AZURE_AUTHORITY_HOST"));
        let authority = authority.unwrap_or(usual).trim_end_matches('/');
        if !is_safe_address(authority) {
            problems.push(
                "login.authority: expected https://HOST; without TLS only on this machine"
                    .to_owned(),
            );
        }
        let tenant = self.written.tenant_id.as_deref();
        let tenant = tenant.or_else(|| self.variable("AZURE_TENANT_ID"));
        let mut need = |key: &str, found: Option<&str>, variable: &str| match found {
            Some(found) => Some(checked(key, found, problems)),
            None => {
                problems.push(format!("{key}: not written; {variable} says it as well"));
                None
            }
        };
        let tenant = need("login.tenant_id", tenant, "AZURE_TENANT_ID");
        let client_id = need("login.client_id", self.client_id(), "AZURE_CLIENT_ID");
        Some(Application {
            authority: authority.to_owned(),
            tenant: tenant?,
            client_id: client_id?,
        })
    }

    fn secret(&self, problems: &mut Vec<String>) -> Option<Kept> {
        if let Some(secret) = self.variable(CLIENT_SECRET) {
            return Some(Kept::Value(Secret::new(secret)));
        }
        if let Some(path) = &self.written.client_secret_file {
            self.check_readable("login.client_secret_file", path, problems);
            return Some(Kept::InFile(path.clone()));
        }
        if let Some(secret) = self.variable("AZURE_CLIENT_SECRET") {
            return Some(Kept::Value(Secret::new(secret)));
        }
        problems.push(format!(
            "login.method is client_secret, and there is none: put it into the environment as \
             {CLIENT_SECRET}, or into a file that login.client_secret_file names"
        ));
        None
    }

    fn platform(&self, problems: &mut Vec<String>) -> Option<Platform> {
        let endpoint = self.variable("IDENTITY_ENDPOINT");
        match (endpoint, self.variable("IDENTITY_HEADER")) {
            (Some(endpoint), Some(header)) if endpoint.starts_with("http://") => {
                let header = Secret::new(header);
                Some(Platform::AppService(endpoint.to_owned(), header))
            }
            (Some(_), _) => {
                problems.push(
                    "login.method is managed_identity, and IDENTITY_ENDPOINT is of a platform \
                     whose tokens cannot be got here (Azure Arc, Service Fabric); use \
                     client_secret there"
                        .to_owned(),
                );
                None
            }
            (None, _) => {
                // The name that Azure's own libraries give it.
                let machine = self.variable("AZURE_POD_IDENTITY_AUTHORITY_HOST");
                let machine = machine.unwrap_or(MACHINE).trim_end_matches('/');
                Some(Platform::Machine(machine.to_owned()))
            }
        }
    }

    fn check_readable(&self, key: &str, path: &str, problems: &mut Vec<String>) {
        match (self.read)(path) {
            Ok(content) if content.trim().is_empty() => {
                problems.push(format!("{key}: the file that it names is empty"));
            }
            Ok(_) => (),
            Err(why) => problems.push(format!(
                "{key}: the file that it names cannot be read: {why}"
            )),
        }
    }
}

/// An id or a name. It becomes a part of an address, so nothing else may stand in it.
fn checked(key: &str, found: &str, problems: &mut Vec<String>) -> String {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
    if found.is_empty() || !found.chars().all(legal) {
        problems.push(format!("{key}: an id or name has only a-z A-Z 0-9 - ."));
    }
    found.to_owned()
}

fn is_visible(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Whether a secret may be sent there: to nobody in the clear, but on this machine.
fn is_safe_address(address: &str) -> bool {
    let Some((scheme, rest)) = address.split_once("://") else {
        return false;
    };
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '/' | '_');
    let host = rest.split([':', '/']).next().unwrap_or_default();
    let is_here = ["localhost", "127.0.0.1"].contains(&host);
    let is_closed = scheme == "https" || scheme == "http" && is_here;
    is_closed && !host.is_empty() && rest.chars().all(legal)
}

#[cfg(test)]
mod tests;
