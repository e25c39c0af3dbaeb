//! A token endpoint of the tests' own.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use openssl::ssl::{SslAcceptor, SslAcceptorBuilder, SslFiletype, SslMethod, SslVerifyMode};

/// What was asked.
#[derive(Clone, Debug)]
pub struct Request {
    /// Such as `POST /t/oauth2/v2.0/token`, without the query.
    pub what: String,
    /// With names in lower case.
    pub headers: BTreeMap<String, String>,
    /// Of the query and of the form, decoded.
    pub fields: BTreeMap<String, String>,
}

/// What is answered.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub body: String,
    /// Waits so long before.
    pub after: Duration,
    /// A header besides.
    pub header: Option<(&'static str, String)>,
}

impl Answer {
    pub fn of(status: u16, body: impl Into<String>) -> Answer {
        Answer {
            status,
            body: body.into(),
            after: Duration::ZERO,
            header: None,
        }
    }
}

type Answering = dyn Fn(&Request, usize) -> Answer + Send + Sync;

/// A server on loopback. It serves until the process ends.
pub struct Endpoint {
    pub url: String,
    asked: Arc<Mutex<Vec<Request>>>,
}

impl Endpoint {
    /// Answers what `answer` says to a request and how many were before it.
    pub fn start(answer: impl Fn(&Request, usize) -> Answer + Send + Sync + 'static) -> Endpoint {
        Endpoint::serve("http", None, Arc::new(answer))
    }

    /// The same with TLS, with the certificate of the server in this directory.
    pub fn start_closed(
        certificates: &Path,
        answer: impl Fn(&Request, usize) -> Answer + Send + Sync + 'static,
    ) -> Endpoint {
        let acceptor = Endpoint::acceptor(certificates).build();
        Endpoint::serve("https", Some(acceptor), Arc::new(answer))
    }

    /// The same for whoever shows a certificate that the authority has signed.
    pub fn start_mutual(
        certificates: &Path,
        answer: impl Fn(&Request, usize) -> Answer + Send + Sync + 'static,
    ) -> Endpoint {
        let mut acceptor = Endpoint::acceptor(certificates);
        acceptor.set_ca_file(certificates.join("ca.pem")).unwrap();
        acceptor.set_verify(SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT);
        Endpoint::serve("https", Some(acceptor.build()), Arc::new(answer))
    }

    fn acceptor(certificates: &Path) -> SslAcceptorBuilder {
        let mut acceptor = SslAcceptor::mozilla_intermediate(SslMethod::tls()).unwrap();
        let (key, chain) = ("server.key", "server.pem");
        acceptor
            .set_private_key_file(certificates.join(key), SslFiletype::PEM)
            .unwrap();
        acceptor
            .set_certificate_chain_file(certificates.join(chain))
            .unwrap();
        acceptor
    }

    fn serve(scheme: &str, tls: Option<SslAcceptor>, answer: Arc<Answering>) -> Endpoint {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("{scheme}://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (tls, theirs) = (tls.map(Arc::new), Arc::clone(&asked));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (tls, asked, answer) = (tls.clone(), Arc::clone(&theirs), Arc::clone(&answer));
                std::thread::spawn(move || {
                    let answered = |request: &Request| {
                        let mut asked = asked.lock().unwrap();
                        asked.push(request.clone());
                        let before = asked.len() - 1;
                        drop(asked);
                        answer(request, before)
                    };
                    match tls {
                        None => converse(stream, answered),
                        // Whoever does not trust the certificate goes away.
                        Some(tls) => tls.accept(stream).map_or((), |s| converse(s, answered)),
                    }
                });
            }
        });
        Endpoint { url, asked }
    }

    /// All that was asked so far.
    pub fn asked(&self) -> Vec<Request> {
        self.asked.lock().unwrap().clone()
    }
}

/// Reads one request and answers it. Whoever goes away meanwhile is no fault of ours.
fn converse<S: Read + Write>(mut stream: S, answer: impl Fn(&Request) -> Answer) {
    let Some(request) = read(&mut stream) else {
        return;
    };
    let Answer {
        status,
        body,
        after,
        header,
    } = answer(&request);
    std::thread::sleep(after);
    let header = header.map_or(String::new(), |(name, value)| {
        format!("{name}: {value}\r\n")
    });
    let head = format!(
        "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Connection: close\r\n{header}\r\n",
        body.len()
    );
    let written = stream.write_all(head.as_bytes());
    if written
        .and_then(|()| stream.write_all(body.as_bytes()))
        .is_ok()
    {
        drop(stream.flush());
    }
}

fn read<S: Read>(stream: &mut S) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim().split_once(':') else {
            break;
        };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length");
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    reader.read_exact(&mut body).ok()?;
    let body = String::from_utf8(body).unwrap();
    let pairs = query.split('&').chain(body.split('&'));
    Some(Request {
        what: format!("{method} {path}"),
        headers,
        fields: pairs
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| (decoded(name), decoded(value)))
            .collect(),
    })
}

/// Without percent signs and pluses.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [rest.next().unwrap(), rest.next().unwrap()];
                u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
            }
            other => other,
        });
    }
    String::from_utf8(bytes).unwrap()
}
