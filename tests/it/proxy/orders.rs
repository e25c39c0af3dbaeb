//! What is to be done to which requests.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::ApiKey;

use super::boundaries::Boundaries;
use super::dialect::{Dialect, Limits};
use super::wire::Request;

/// What is done to a connection on which nothing is said.
pub const IDLE: &str = "idle connection ended";

/// What is done to a request or to its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// The client is told this error; the broker never hears of the request.
    Refuse(ResponseError),
    /// The broker does what it is asked to, and the client is told this error.
    Tell(ResponseError),
    /// The broker does what it is asked to, and the connection ends in place of the answer.
    LoseAnswer,
    /// The connection ends, and the broker never hears of the request.
    LoseRequest,
    /// The answer comes so much later, and says that it was held back.
    Throttle(Duration),
    /// A fetch brings nothing, and no error.
    Empty,
    /// No offset is committed.
    Forget,
}

/// A deed, and the requests that it is done to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    pub api: ApiKey,
    pub deed: Deed,
    /// To so many of them; `None`: to all.
    pub times: Option<u32>,
}

/// The orders for the requests of one client, to all brokers.
#[derive(Default)]
pub struct Orders {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    dialect: Dialect,
    orders: Vec<Order>,
    boundaries: Option<Boundaries>,
    limits: Limits,
    done: BTreeMap<String, u32>,
    seen: BTreeMap<String, u32>,
}

impl Orders {
    /// None, for a broker that speaks so.
    pub fn speaking(dialect: Dialect) -> Arc<Orders> {
        let orders = Orders::default();
        orders.speak(dialect);
        Arc::new(orders)
    }

    /// How the broker speaks.
    pub fn dialect(&self) -> Dialect {
        self.state.lock().unwrap().dialect
    }

    /// Has the broker speak so, on connections that are made from now on.
    pub fn speak(&self, dialect: Dialect) {
        self.state.lock().unwrap().dialect = dialect;
    }

    /// Gives an order besides those that there are; the first one that fits is done.
    pub fn give(&self, api: ApiKey, deed: Deed, times: Option<u32>) {
        let order = Order { api, deed, times };
        self.state.lock().unwrap().orders.push(order);
    }

    /// Does this at the end of every transaction that is to be committed.
    pub fn give_at_boundaries(&self, boundaries: Boundaries) {
        self.state.lock().unwrap().boundaries = Some(boundaries);
    }

    /// At how many commits something was done.
    pub fn boundaries(&self) -> u32 {
        let state = self.state.lock().unwrap();
        state.boundaries.as_ref().map_or(0, Boundaries::count)
    }

    /// Takes all orders back.
    pub fn clear(&self) {
        let mut state = self.state.lock().unwrap();
        state.orders.clear();
        state.boundaries = None;
    }

    /// Notes that a connection ended because nothing was said on it.
    pub fn note_idle(&self) {
        let mut state = self.state.lock().unwrap();
        *state.done.entry(IDLE.to_owned()).or_insert(0) += 1;
    }

    /// The orders that are not done yet.
    pub fn left(&self) -> Vec<Order> {
        self.state.lock().unwrap().orders.clone()
    }

    /// Whether all orders are done.
    pub fn are_done(&self) -> bool {
        self.state.lock().unwrap().orders.is_empty()
    }

    /// How often what was done to which requests.
    pub fn done(&self) -> BTreeMap<String, u32> {
        self.state.lock().unwrap().done.clone()
    }

    /// How many of these requests came, whatever was done to them.
    pub fn seen(&self, api: ApiKey) -> u32 {
        let state = self.state.lock().unwrap();
        state.seen.get(&format!("{api:?}")).copied().unwrap_or(0)
    }

    /// What is to be done to a request.
    pub fn decide(&self, request: &Request) -> Option<Deed> {
        let mut state = self.state.lock().unwrap();
        let State {
            dialect,
            orders,
            boundaries,
            limits,
            done,
            seen,
        } = &mut *state;
        *seen.entry(format!("{:?}", request.api)).or_insert(0) += 1;
        let at_boundary = boundaries.as_mut().and_then(|b| b.decide(request));
        let deed = at_boundary
            .or_else(|| decide(orders, request.api))
            .or_else(|| dialect.decide(limits, request))?;
        *done
            .entry(format!("{:?} {deed:?}", request.api))
            .or_insert(0) += 1;
        Some(deed)
    }
}

/// The deed of the first order that fits; an order that is done goes.
fn decide(orders: &mut Vec<Order>, api: ApiKey) -> Option<Deed> {
    let place = orders.iter().position(|order| order.api == api)?;
    let order = &mut orders[place];
    let deed = order.deed;
    if let Some(times) = &mut order.times {
        *times -= 1;
        if *times == 0 {
            orders.remove(place);
        }
    }
    Some(deed)
}
