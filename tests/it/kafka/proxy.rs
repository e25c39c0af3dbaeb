//! A way from a client to a broker that can be disturbed: a TCP proxy on loopback.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// What a slow way adds to the time of each piece, and how large a piece is: about 100 kB/s.
const SLOW: Duration = Duration::from_millis(40);
const SLOW_BYTES: usize = 4096;

/// How a way is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// As if it were not there.
    Open,
    /// Connections break, and new ones at once.
    Cut,
    /// Connections stand, and nothing comes through; it does later, if they still stand.
    Hole,
    /// Requests reach the broker, its answers do not come back; later they do.
    Deaf,
    /// Pieces take their time, both ways.
    Slow,
    /// There is no way any more: the proxy ends.
    Gone,
}

/// One way, listening. Dropping it breaks all connections.
pub struct Link {
    port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    target: u16,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    way: Way,
    next: u64,
    /// Both ends of each connection.
    open: BTreeMap<u64, [TcpStream; 2]>,
}

/// Which way bytes go.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Requests,
    Answers,
}

impl Link {
    /// A way to the port `target`, which need not listen yet.
    pub fn to(target: u16) -> Link {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            target,
            state: Mutex::new(State {
                way: Way::Open,
                next: 0,
                open: BTreeMap::new(),
            }),
            changed: Condvar::new(),
        });
        let accepting = Arc::clone(&shared);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if accepting.way() == Way::Gone {
                    return;
                }
                let shared = Arc::clone(&accepting);
                // Nothing more is to be done where the broker is away: the client sees that the
                // connection ends.
                std::thread::spawn(move || drop(shared.connect(client)));
            }
        });
        Link { port, shared }
    }

    /// Where clients connect to.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Makes it so from now on.
    pub fn set(&self, way: Way) {
        let mut state = self.shared.state.lock().unwrap();
        state.way = way;
        if matches!(way, Way::Cut | Way::Gone) {
            for stream in state.open.values().flatten() {
                // The other side may have closed it already.
                drop(stream.shutdown(Shutdown::Both));
            }
        }
        self.shared.changed.notify_all();
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.set(Way::Gone);
        // Wakes whoever accepts.
        drop(TcpStream::connect(("127.0.0.1", self.port)));
    }
}

impl Shared {
    fn way(&self) -> Way {
        self.state.lock().unwrap().way
    }

    /// Serves a connection until one side ends it.
    fn connect(&self, client: TcpStream) -> std::io::Result<()> {
        if self.way() == Way::Cut {
            return Ok(());
        }
        let broker = TcpStream::connect(("127.0.0.1", self.target))?;
        client.set_nodelay(true)?;
        broker.set_nodelay(true)?;
        let number = {
            let mut state = self.state.lock().unwrap();
            if state.way == Way::Cut {
                return Ok(());
            }
            state.next += 1;
            let number = state.next;
            let ends = [client.try_clone()?, broker.try_clone()?];
            state.open.insert(number, ends);
            number
        };
        std::thread::scope(|scope| {
            scope.spawn(|| self.carry(&client, &broker, Direction::Requests));
            self.carry(&broker, &client, Direction::Answers);
        });
        self.state.lock().unwrap().open.remove(&number);
        Ok(())
    }

    /// Carries bytes until one side ends it, or the way is cut; then ends both.
    fn carry(&self, mut from: &TcpStream, mut to: &TcpStream, direction: Direction) {
        let mut buffer = vec![0; 64 << 10];
        loop {
            let room = match self.way() {
                Way::Slow => SLOW_BYTES,
                Way::Open | Way::Cut | Way::Hole | Way::Deaf | Way::Gone => buffer.len(),
            };
            let length = match from.read(&mut buffer[..room]) {
                Ok(0) | Err(_) => break,
                Ok(length) => length,
            };
            if !self.may_pass(direction) || to.write_all(&buffer[..length]).is_err() {
                break;
            }
        }
        drop(from.shutdown(Shutdown::Both));
        drop(to.shutdown(Shutdown::Both));
    }

    /// Waits until a piece may pass; false when it never may.
    fn may_pass(&self, direction: Direction) -> bool {
        let mut state = self.state.lock().unwrap();
        loop {
            match state.way {
                Way::Open => return true,
                Way::Cut | Way::Gone => return false,
                Way::Deaf if direction == Direction::Requests => return true,
                Way::Deaf | Way::Hole => state = self.changed.wait(state).unwrap(),
                Way::Slow => {
                    drop(state);
                    std::thread::sleep(SLOW);
                    return true;
                }
            }
        }
    }
}
