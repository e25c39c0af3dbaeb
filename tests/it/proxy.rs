//! A proxy between a client and a broker that knows what they say to each other. To single
//! requests and answers it does what brokers do to them on bad days, by [`Orders`]; and it can
//! make a broker speak the [`Dialect`](dialect::Dialect) of Event Hubs.
//!
//! Where a broker names its own port, its answers name the proxy's.

mod answers;
pub mod boundaries;
pub mod dialect;
pub mod orders;
mod wire;
pub mod wrong;

use std::collections::BTreeMap;
use std::io::Result;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use kafka_protocol::messages::ResponseKind;

use orders::{Deed, Orders};
use wire::{Request, read_frame, write_frame};

/// The way to one broker. Dropping it ends all its connections.
pub struct Proxy {
    shared: Arc<Shared>,
}

struct Shared {
    /// Where the broker listens.
    target: u16,
    /// Where the proxy does.
    port: u16,
    orders: Arc<Orders>,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    ended: bool,
    next: u64,
    /// Both ends of each connection.
    ends: BTreeMap<u64, [TcpStream; 2]>,
}

impl Proxy {
    /// A way to the port `target`, which need not listen yet.
    pub fn to(target: u16, orders: &Arc<Orders>) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let shared = Arc::new(Shared {
            target,
            port: listener.local_addr().unwrap().port(),
            orders: Arc::clone(orders),
            open: Mutex::default(),
        });
        let accepting = Arc::clone(&shared);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if accepting.open.lock().unwrap().ended {
                    return;
                }
                let shared = Arc::clone(&accepting);
                // Where the broker is away the client sees that the connection ends.
                std::thread::spawn(move || drop(shared.connect(&client)));
            }
        });
        Proxy { shared }
    }

    /// A way to the broker at `bootstrap`.
    pub fn before(bootstrap: &str, orders: &Arc<Orders>) -> Proxy {
        let (_, port) = bootstrap.rsplit_once(':').expect("an address with a port");
        Proxy::to(port.parse().expect("a port"), orders)
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.shared.port
    }

    /// The same as an address.
    pub fn bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.port())
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let mut open = self.shared.open.lock().unwrap();
        open.ended = true;
        for stream in open.ends.values().flatten() {
            end(stream);
        }
        drop(open);
        // Wakes whoever accepts.
        drop(TcpStream::connect(("127.0.0.1", self.port())));
    }
}

/// Ends a connection, which the other side may have done already.
fn end(stream: &TcpStream) {
    drop(stream.shutdown(Shutdown::Both));
}

impl Shared {
    /// Serves a connection until one side ends it.
    fn connect(&self, client: &TcpStream) -> Result<()> {
        let broker = TcpStream::connect(("127.0.0.1", self.target))?;
        client.set_nodelay(true)?;
        broker.set_nodelay(true)?;
        client.set_read_timeout(self.orders.dialect().idle)?;
        let number = {
            let mut open = self.open.lock().unwrap();
            if open.ended {
                return Ok(());
            }
            open.next += 1;
            let number = open.next;
            let ends = [client.try_clone()?, broker.try_clone()?];
            open.ends.insert(number, ends);
            number
        };
        let connection = Connection {
            shared: self,
            client,
            broker: &broker,
            writing: Mutex::default(),
            awaited: Mutex::default(),
        };
        std::thread::scope(|scope| {
            scope.spawn(|| connection.carry(Connection::requests));
            connection.carry(Connection::answers);
        });
        self.open.lock().unwrap().ends.remove(&number);
        Ok(())
    }
}

/// A client's connection, and the one to the broker that belongs to it.
struct Connection<'s> {
    shared: &'s Shared,
    client: &'s TcpStream,
    broker: &'s TcpStream,
    /// Held by whoever writes to the client.
    writing: Mutex<()>,
    /// Requests that the broker has got, by what their answers are known by, and what is to be
    /// done to those.
    awaited: Mutex<BTreeMap<i32, (Request, Option<Deed>)>>,
}

impl Connection<'_> {
    /// Carries one way until one side ends it, then ends both ways.
    fn carry(&self, way: impl Fn(&Self) -> Result<()>) {
        // Why it ended makes no difference.
        drop(way(self));
        end(self.client);
        end(self.broker);
    }

    fn requests(&self) -> Result<()> {
        loop {
            let frame = match read_frame(self.client) {
                Err(error) if self.is_awaiting(&error) => continue,
                Err(error) if wire::is_timeout(&error) => {
                    self.shared.orders.note_idle();
                    return Ok(());
                }
                read => read?,
            };
            let Some(request) = Request::read(&frame) else {
                write_frame(self.broker, &frame)?;
                continue;
            };
            let deed = self.shared.orders.decide(&request);
            if deed == Some(Deed::LoseRequest) {
                return Ok(());
            }
            let refusal = match deed {
                Some(Deed::Refuse(error)) => answers::refusal(&request.kind, error),
                Some(_) | None => None,
            };
            if let Some(refusal) = refusal {
                self.answer(&request, &refusal)?;
                continue;
            }
            if request.is_answered() {
                let mut awaited = self.awaited.lock().unwrap();
                awaited.insert(request.correlation, (request, deed));
            }
            write_frame(self.broker, &frame)?;
        }
    }

    /// Whether nothing was said for long because the answer is still to come.
    fn is_awaiting(&self, error: &std::io::Error) -> bool {
        wire::is_timeout(error) && !self.awaited.lock().unwrap().is_empty()
    }

    fn answers(&self) -> Result<()> {
        loop {
            let frame = read_frame(self.broker)?;
            let awaited = wire::correlation(&frame)
                .and_then(|number| self.awaited.lock().unwrap().remove(&number));
            let Some((request, deed)) = awaited else {
                self.pass(&frame)?;
                continue;
            };
            if deed == Some(Deed::LoseAnswer) {
                return Ok(());
            }
            let answer = match deed.is_some() || request.is_about_brokers() {
                true => request.answer(&frame),
                false => None,
            };
            let changed = answer.and_then(|mut answer| {
                let is_changed = self.change(&request, &mut answer, deed);
                is_changed.then_some(answer)
            });
            if let Some(Deed::Throttle(time)) = deed {
                std::thread::sleep(time);
            }
            match changed {
                Some(answer) => self.answer(&request, &answer)?,
                None => self.pass(&frame)?,
            }
        }
    }

    /// Makes of a broker's answer what the client is to be told; whether that is anything else.
    fn change(&self, request: &Request, answer: &mut ResponseKind, deed: Option<Deed>) -> bool {
        let Shared {
            target,
            port,
            orders,
            ..
        } = self.shared;
        let mut is_changed = answers::readdress(answer, *target, *port);
        if let ResponseKind::ApiVersions(versions) = answer {
            orders.dialect().offer(versions);
            is_changed = true;
        }
        is_changed
            | match deed {
                Some(Deed::Tell(error)) => {
                    let told = answers::refusal(&request.kind, error);
                    told.map(|told| *answer = told).is_some()
                }
                Some(Deed::Throttle(time)) => answers::throttle(answer, time),
                Some(Deed::Empty) => answers::empty(answer),
                Some(Deed::Forget) => answers::forget(answer),
                Some(Deed::Refuse(_) | Deed::LoseAnswer | Deed::LoseRequest) | None => false,
            }
    }

    fn answer(&self, request: &Request, answer: &ResponseKind) -> Result<()> {
        self.pass(&request.frame_of(answer))
    }

    fn pass(&self, frame: &[u8]) -> Result<()> {
        let _writing = self.writing.lock().unwrap();
        write_frame(self.client, frame)
    }
}
