//! What a worker serves over HTTP: health and metrics.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::environment::HTTP_TOKEN;
use super::secret::{ReadSecret, Secret};
use super::written::WrittenHttp;

/// Where a worker serves health and metrics, and to whom.
#[derive(Clone, Debug)]
pub struct Http {
    /// The address and port that it listens at.
    pub listen: SocketAddr,
    /// What a client must say to be shown more than health; `None`: nothing.
    pub token: Option<Secret>,
}

/// What that is read from.
pub struct Sources<'s> {
    /// The section `[http]`.
    pub written: &'s WrittenHttp,
    /// All environment variables.
    pub environment: &'s BTreeMap<String, String>,
    /// Reads a file that holds a secret.
    pub read: ReadSecret<'s>,
}

impl Http {
    /// What is written; `None`: nothing is served.
    pub fn build(sources: &Sources<'_>, problems: &mut Vec<String>) -> Option<Http> {
        let token = sources.token(problems);
        let text = sources.written.listen.as_deref()?;
        let Ok(listen) = text.parse::<SocketAddr>() else {
            problems.push(
                "http.listen: expected an address and a port such as 127.0.0.1:9464 or [::]:9464"
                    .to_owned(),
            );
            return None;
        };
        if token.is_none() && !listen.ip().is_loopback() {
            problems.push(format!(
                "http.listen: at {listen} others can read what the worker says of its topics and \
                 rules. Put a token into a file that http.token_file names, or into {HTTP_TOKEN}; \
                 or listen at 127.0.0.1"
            ));
        }
        Some(Http { listen, token })
    }
}

impl Sources<'_> {
    fn token(&self, problems: &mut Vec<String>) -> Option<Secret> {
        let said = self.environment.get(HTTP_TOKEN);
        let said = said.filter(|said| !said.trim().is_empty());
        if let Some(said) = said {
            return Some(Secret::new(said));
        }
        let path = self.written.token_file.as_deref()?;
        match (self.read)(path) {
            Ok(text) if text.trim().is_empty() => {
                problems.push("http.token_file: the file that it names is empty".to_owned());
                None
            }
            Ok(text) => Some(Secret::new(&text)),
            Err(error) => {
                problems.push(format!("http.token_file: {error}"));
                None
            }
        }
    }
}
