//! A schema registry: where the schema of incidents is registered, so that standard readers find
//! it.

use std::collections::BTreeMap;

use super::environment::{REGISTRY_PASSWORD, REGISTRY_TOKEN};
use super::secret::{ReadSecret, Secret};
use super::written::{RegistryKind, WrittenRegistry};

/// A schema registry and how to use it.
#[derive(Clone, Debug)]
pub struct Registry {
    /// Its address, without a slash at the end.
    pub url: String,
    /// What it speaks.
    pub kind: Kind,
    /// Whether a schema that it does not have is registered.
    pub register: bool,
    /// What is said to be let in.
    pub login: RegistryLogin,
    /// The file of the authorities that may sign its certificate; `None`: those of the system.
    pub ca_file: Option<String>,
    /// The files of our certificate and its key, if we show one.
    pub certificate: Option<(String, String)>,
}

/// What a registry speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The API of Confluent's registry, which others have, too.
    Confluent,
    /// Azure's, with the group that the schema belongs to.
    Azure(String),
}

/// What is said to be let in.
#[derive(Clone, Debug)]
pub enum RegistryLogin {
    /// Nothing.
    Nobody,
    /// A name and a password.
    Basic(String, Secret),
    /// A token.
    Bearer(Secret),
    /// A token of Entra ID, got as `[login]` says.
    Entra,
}

/// What that is read from.
pub struct Sources<'s> {
    /// The section `[registry]`.
    pub written: &'s WrittenRegistry,
    /// All environment variables.
    pub environment: &'s BTreeMap<String, String>,
    /// Reads a file that holds a secret.
    pub read: ReadSecret<'s>,
}

impl Registry {
    /// What is written; `None`: there is no registry.
    pub fn build(sources: &Sources<'_>, problems: &mut Vec<String>) -> Option<Registry> {
        let written = sources.written;
        let url = written.url.as_deref()?.trim().trim_end_matches('/');
        let kind = match (written.kind, &written.group) {
            (Some(RegistryKind::Azure), Some(group)) => Kind::Azure(group.clone()),
            (Some(RegistryKind::Azure), None) => {
                problems.push("registry.group: say which schema group is meant".to_owned());
                return None;
            }
            (Some(RegistryKind::Confluent) | None, _) => Kind::Confluent,
        };
        let login = sources.login(&kind, problems);
        check_url(url, &login, problems);
        let certificate = match (&written.certificate_file, &written.key_file) {
            (Some(certificate), Some(key)) => Some((certificate.clone(), key.clone())),
            (None, None) => None,
            (Some(_), None) | (None, Some(_)) => {
                let both = "registry.certificate_file, registry.key_file: one needs the other";
                problems.push(both.to_owned());
                None
            }
        };
        Some(Registry {
            url: url.to_owned(),
            kind,
            register: written.register.unwrap_or(true),
            login,
            ca_file: written.ca_file.clone(),
            certificate,
        })
    }
}

/// Secrets go nowhere unless nobody on the way can read them.
fn check_url(url: &str, login: &RegistryLogin, problems: &mut Vec<String>) {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let host = rest.split('/').next().unwrap_or_default();
    if !matches!(scheme, "http" | "https") || host.is_empty() || host.contains('@') {
        let problem = "registry.url: expected https:// and a host, without a name and password: \
                       these stand in registry.username and registry.password_file";
        problems.push(problem.to_owned());
        return;
    }
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let is_here = matches!(name, "localhost" | "127.0.0.1" | "[::1]");
    if scheme == "http" && !is_here && !matches!(login, RegistryLogin::Nobody) {
        let problem = "registry.url: a password or token would go over http:// where others can \
                       read it; use https://";
        problems.push(problem.to_owned());
    }
}

impl Sources<'_> {
    fn login(&self, kind: &Kind, problems: &mut Vec<String>) -> RegistryLogin {
        let WrittenRegistry {
            username,
            password_file,
            token_file,
            ..
        } = self.written;
        let password = ("registry.password_file", password_file.as_deref());
        let password = self.secret(REGISTRY_PASSWORD, password, problems);
        let token = ("registry.token_file", token_file.as_deref());
        let token = self.secret(REGISTRY_TOKEN, token, problems);
        match (kind, username, password, token) {
            (Kind::Azure(_), None, None, None) => RegistryLogin::Entra,
            (_, None, None, Some(token)) => RegistryLogin::Bearer(token),
            (Kind::Confluent, Some(name), Some(password), None) => {
                RegistryLogin::Basic(name.clone(), password)
            }
            (Kind::Confluent, None, None, None) => RegistryLogin::Nobody,
            (_, _, _, _) => {
                problems.push(format!(
                    "registry: expected username with password_file or {REGISTRY_PASSWORD}, or \
                     token_file or {REGISTRY_TOKEN}, or none of them"
                ));
                RegistryLogin::Nobody
            }
        }
    }

    /// A secret out of the environment, else out of a file.
    fn secret(
        &self,
        variable: &str,
        (key, path): (&str, Option<&str>),
        problems: &mut Vec<String>,
    ) -> Option<Secret> {
        let said = self.environment.get(variable);
        if let Some(said) = said.filter(|said| !said.trim().is_empty()) {
            return Some(Secret::new(said));
        }
        match (self.read)(path?) {
            Ok(text) if text.trim().is_empty() => {
                problems.push(format!("{key}: the file that it names is empty"));
                None
            }
            Ok(text) => Some(Secret::new(&text)),
            Err(error) => {
                problems.push(format!("{key}: {error}"));
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built(written: WrittenRegistry) -> (Option<Registry>, Vec<String>) {
        let mut problems = Vec::new();
        let sources = Sources {
            written: &written,
            environment: &BTreeMap::new(),
            read: &|_| Ok("hush".to_owned()),
        };
        let registry = Registry::build(&sources, &mut problems);
        (registry, problems)
    }

    fn at(url: &str) -> WrittenRegistry {
        WrittenRegistry {
            url: Some(url.to_owned()),
            ..WrittenRegistry::default()
        }
    }

    #[test]
    fn a_registry_is_one_address_and_one_way_in() {
        let (registry, problems) = built(at("http://registry:8081/apis/ccompat/v7/"));
        assert_eq!(problems, Vec::<String>::new());
        let registry = registry.unwrap();
        assert_eq!(registry.url, "http://registry:8081/apis/ccompat/v7");
        assert!(registry.register && matches!(registry.login, RegistryLogin::Nobody));
        let secret = Some("file".to_owned());
        let with_token = WrittenRegistry {
            token_file: secret.clone(),
            ..at("https://registry")
        };
        let (registry, _) = built(with_token.clone());
        assert!(matches!(registry.unwrap().login, RegistryLogin::Bearer(_)));
        let azure = WrittenRegistry {
            kind: Some(RegistryKind::Azure),
            group: Some("soc".to_owned()),
            ..at("https://ns.servicebus.windows.net")
        };
        let (registry, _) = built(azure.clone());
        assert!(matches!(registry.unwrap().login, RegistryLogin::Entra));
        for (wrong, said) in [
            (at("registry:8081"), "registry.url"),
            (at("https://a:hush@registry"), "registry.url"),
            (
                WrittenRegistry {
                    url: Some("http://registry".to_owned()),
                    ..with_token.clone()
                },
                "http://",
            ),
            (
                WrittenRegistry {
                    username: Some("a".to_owned()),
                    ..at("https://r")
                },
                "expected username",
            ),
            (
                WrittenRegistry {
                    username: Some("a".to_owned()),
                    ..with_token
                },
                "expected username",
            ),
            (
                WrittenRegistry {
                    key_file: secret,
                    ..at("https://r")
                },
                "one needs the other",
            ),
            (
                WrittenRegistry {
                    group: None,
                    ..azure
                },
                "registry.group",
            ),
        ] {
            let (_, problems) = built(wrong);
            assert!(
                problems.iter().any(|one| one.contains(said)),
                "{said}: {problems:?}"
            );
            assert!(
                !problems.iter().any(|one| one.contains("hush")),
                "{problems:?}"
            );
        }
    }
}
