//! Health, metrics and a page over HTTP/1.1.
//!
//! `/healthz`, `/readyz` and the page itself, which knows nothing, are for everybody; `/metrics`
//! and `/status.json`, which the page shows, for who has the token, if there is one.
//! Nobody can hold the worker up: few connections are served at a time, and none that does not
//! say what it wants.

mod page;

use std::net::TcpListener as Bound;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context as _, Result};
use axum::Router;
use axum::extract::State;
use axum::http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::asked::Asked;
use super::kafka::client::{self, Health};
use super::metrics::{self, Seen};
use super::overview::Overview;
use super::roster::Roster;
use super::status::Status;
use crate::config::{Config, Http, Secret};
use crate::record::Hash;

/// Connections that are served at a time; others wait.
const CONNECTIONS_MAX: usize = 64;

/// How long a client may take to say what it wants, and stay without wanting anything.
const PATIENCE: Duration = Duration::from_secs(10);

/// After a connection could not be accepted, for there are too many files open.
const PAUSE: Duration = Duration::from_millis(100);

/// What is said to be JSON or a page is no script.
const NO_SNIFFING: [(HeaderName, &str); 1] = [(X_CONTENT_TYPE_OPTIONS, "nosniff")];

/// What is served.
struct Served {
    app: String,
    token: Option<Secret>,
    health: Arc<Health>,
    status: Arc<Status>,
    overview: Overview,
    asked: Mutex<Asked>,
    roster: Arc<Roster>,
}

/// A server that listens, and serves nothing yet.
pub struct Server {
    bound: Bound,
    served: Arc<Served>,
}

impl Server {
    /// Listens where that is configured.
    ///
    /// # Errors
    ///
    /// The address is not this machine's, or another process listens there.
    pub fn bind(
        http: &Http,
        config: &Config,
        health: &Arc<Health>,
        status: &Arc<Status>,
    ) -> Result<Server> {
        let listen = http.listen;
        let bound = Bound::bind(listen).with_context(|| {
            format!(
                "http.listen: cannot listen at {listen}; does another worker, or is it elsewhere?"
            )
        })?;
        bound.set_nonblocking(true).context("http.listen")?;
        let address = bound.local_addr().context("http.listen")?;
        tracing::info!(%address, "serving health, metrics and a page");
        Ok(Server {
            bound,
            served: Arc::new(Served {
                app: config.app.clone(),
                token: http.token.clone(),
                health: Arc::clone(health),
                status: Arc::clone(status),
                overview: Overview::new(config),
                asked: Mutex::default(),
                roster: Arc::new(Roster::new(config, health)),
            }),
        })
    }

    /// Serves until the process ends.
    pub async fn serve(self) {
        let router = router(self.served);
        match TcpListener::from_std(self.bound) {
            Ok(listener) => accept(&listener, &router).await,
            Err(error) => tracing::warn!(%error, "health and metrics cannot be served"),
        }
    }
}

fn router(served: Arc<Served>) -> Router {
    Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(serve_metrics))
        .route("/status.json", get(serve_status))
        .route("/", get(serve_page))
        .with_state(served)
}

async fn accept(listener: &TcpListener, router: &Router) {
    let connections = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(permit) = Arc::clone(&connections).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                let router = router.clone();
                tokio::spawn(async move {
                    serve_one(stream, router).await;
                    drop(permit);
                });
            }
            Err(error) => {
                tracing::debug!(%error, "a connection to the HTTP server failed");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

async fn serve_one(stream: TcpStream, router: Router) {
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "a client of the HTTP server is gone");
    }
}

async fn healthz(State(served): State<Arc<Served>>) -> Response {
    match served.health.stopping() {
        false => "ok\n".into_response(),
        true => (StatusCode::SERVICE_UNAVAILABLE, "stopping\n").into_response(),
    }
}

async fn readyz(State(served): State<Arc<Served>>) -> Response {
    let why = match served.health.stopping() {
        true => Some("stopping".to_owned()),
        false => served.status.not_ready(),
    };
    match why {
        None => "ready\n".into_response(),
        Some(why) => (
            StatusCode::SERVICE_UNAVAILABLE,
            format!("not ready: {why}\n"),
        )
            .into_response(),
    }
}

async fn serve_metrics(State(served): State<Arc<Served>>, headers: HeaderMap) -> Response {
    if !served.lets_in(&headers) {
        return unknown();
    }
    match served.seen().text() {
        Ok(text) => ([(CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response(),
        Err(error) => {
            let said = client::chain(&error.into());
            (StatusCode::INTERNAL_SERVER_ERROR, said).into_response()
        }
    }
}

async fn serve_status(State(served): State<Arc<Served>>, headers: HeaderMap) -> Response {
    if !served.lets_in(&headers) {
        return unknown();
    }
    if served.roster.is_due() {
        let roster = Arc::clone(&served.roster);
        // Nobody waits for it: the next answer has it.
        tokio::task::spawn_blocking(move || roster.ask());
    }
    let group = served.roster.answer();
    let document = served
        .overview
        .document(&served.health, &served.status, &served.asked, &group);
    let kind = [
        (CONTENT_TYPE, "application/json"),
        (CACHE_CONTROL, "no-store"),
    ];
    (kind, NO_SNIFFING, document.to_string()).into_response()
}

async fn serve_page() -> Response {
    let kind = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CACHE_CONTROL, "no-cache"),
    ];
    (kind, NO_SNIFFING, page::HEADERS, page::html()).into_response()
}

/// Who asks has not said the token.
fn unknown() -> Response {
    let wanted = [(WWW_AUTHENTICATE, "Bearer")];
    (StatusCode::UNAUTHORIZED, wanted, "a token is needed\n").into_response()
}

impl Served {
    fn seen(&self) -> Seen {
        Seen::now(&self.app, &self.health, &self.status, &self.asked)
    }

    /// Whether a client has the token, if it needs one.
    fn lets_in(&self, headers: &HeaderMap) -> bool {
        let Some(token) = &self.token else {
            return true;
        };
        let said = headers.get(AUTHORIZATION);
        let said = said.and_then(|said| said.to_str().ok()?.strip_prefix("Bearer "));
        // Hashes, so that how long the comparison takes says nothing of the token.
        said.is_some_and(|said| {
            Hash::of(said.trim().as_bytes()) == Hash::of(token.reveal().as_bytes())
        })
    }
}
