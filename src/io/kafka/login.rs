//! The token that the clients of this process log in with. A thread of its own asks for the next
//! one long before the last one expires, so that no client waits for it.

mod answer;
mod ask;

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::config::{Login, Secret};
use crate::io::clock;
use crate::io::lock::lock;
use crate::time::Millis;

/// After a first failure it is asked again so soon, then after twice the time each time.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// At most.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// A token that brokers refuse is replaced no sooner than this after it was got.
const RENEWED_AT_MOST_EVERY: Duration = Duration::from_secs(10);

/// A token.
#[derive(Clone, Debug)]
pub struct Token {
    /// What is sent to the brokers.
    pub value: Secret,
    /// When it expires.
    pub expires: Millis,
}

/// Why there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What, where, and what to do.
    pub words: String,
    /// Whether asking again is of no use.
    pub lasting: bool,
}

#[derive(Default)]
struct State {
    token: Option<Token>,
    got: Millis,
    problem: Option<Problem>,
}

/// The tokens of the process, asked for as soon as a client wants one.
pub struct Tokens {
    login: Login,
    state: Arc<Mutex<State>>,
    /// Asks for a new one at once. The thread, once it runs, ends when this goes.
    renew: Mutex<Option<Sender<()>>>,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tokens")
    }
}

impl Token {
    /// What the client library is told to be the end, at `now`: when half of what is left is over.
    /// It asks for another after eight tenths of that, and so well before it must log in again on a
    /// connection, which is when nine tenths of what was left are over.
    pub fn renewed_by(&self, now: Millis) -> Millis {
        now + ((self.expires - now) / 2).max(1)
    }
}

/// A token, asked for once: for who needs one only now.
pub fn once(login: &Login) -> Result<Token, Problem> {
    ask::token(login)
}

impl Tokens {
    /// None is asked for yet.
    pub fn new(login: Login) -> Tokens {
        Tokens {
            login,
            state: Arc::default(),
            renew: Mutex::default(),
        }
    }

    /// Sees to it that tokens are asked for.
    pub fn want(&self) -> Result<()> {
        let mut renew = lock(&self.renew);
        if renew.is_none() {
            let (sender, wanted) = channel();
            let (login, state) = (self.login.clone(), Arc::clone(&self.state));
            std::thread::Builder::new()
                .name("tokens".to_owned())
                .spawn(move || keep(&login, &state, &wanted))
                .context("no thread could be started")?;
            *renew = Some(sender);
        }
        Ok(())
    }

    /// A token that has not expired, or why there is none; `None`: none has been got yet.
    pub fn current(&self) -> Option<Result<Token, Problem>> {
        let state = lock(&self.state);
        let valid = state
            .token
            .clone()
            .filter(|token| token.expires > clock::now());
        valid.map(Ok).or_else(|| state.problem.clone().map(Err))
    }

    /// Whether a token was ever got.
    pub fn had_one(&self) -> bool {
        lock(&self.state).token.is_some()
    }

    /// Why there is none; `None`: there is one, or it is being asked for.
    pub fn problem(&self) -> Option<Problem> {
        self.current().and_then(Result::err)
    }

    /// Asks for another token: brokers refuse this one.
    pub fn renew(&self) {
        let got = lock(&self.state).got;
        let age = u128::try_from(clock::now() - got).unwrap_or_default();
        let renew = lock(&self.renew);
        let sent = renew
            .as_ref()
            .filter(|_| age > RENEWED_AT_MOST_EVERY.as_millis());
        if sent.is_some_and(|renew| renew.send(()).is_err()) {
            tracing::debug!("the thread that asks for tokens has ended");
        }
    }
}

/// Asks, again and again, until nobody wants tokens any more.
fn keep(login: &Login, state: &Mutex<State>, wanted: &Receiver<()>) {
    let mut pause = FIRST_PAUSE;
    let mut said: Option<String> = None;
    loop {
        let wait = match ask::token(login) {
            Ok(token) => {
                if said.take().is_some() {
                    tracing::info!("tokens to log in with come again");
                }
                pause = FIRST_PAUSE;
                take(state, token)
            }
            Err(problem) => {
                if said.as_ref() != Some(&problem.words) {
                    tracing::warn!("no new token to log in with: {}", problem.words);
                    said = Some(problem.words.clone());
                }
                lock(state).problem = Some(problem);
                let wait = pause;
                pause = (pause * 2).min(LONGEST_PAUSE);
                wait
            }
        };
        match wanted.recv_timeout(wait) {
            Ok(()) => while wanted.try_recv().is_ok() {},
            Err(RecvTimeoutError::Timeout) => (),
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// Keeps a token, and says when to ask for the next one: when a third of its time is over. The
/// client library asks for another later ([`Token::renewed_by`]), and then there is one.
fn take(state: &Mutex<State>, token: Token) -> Duration {
    let now = clock::now();
    let life = u64::try_from(token.expires - now).unwrap_or_default();
    tracing::debug!(
        seconds_left = life / 1000,
        "there is a new token to log in with"
    );
    *lock(state) = State {
        token: Some(token),
        got: now,
        problem: None,
    };
    Duration::from_millis(life / 3).max(FIRST_PAUSE)
}
