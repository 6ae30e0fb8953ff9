//! A bad network between clients and relay. It breaks connections in one way or another after a random
//! time, lets bytes through in odd pieces, and stands still now and then.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::sys::socket::{setsockopt, sockopt::Linger};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

/// How often a thread looks whether it must break its connection.
const LOOK: Duration = Duration::from_millis(10);
/// How long a connection lasts at most, in a storm.
const LIFE: Duration = Duration::from_millis(1500);
/// One connection in so many is broken while it is being made.
const STILLBORN: u32 = 8;

/// How a connection ends.
#[derive(Clone, Copy, Debug)]
enum Blow {
    /// Both ends see an end of the stream.
    Cut,
    /// Both ends see a reset, and what was under way is lost.
    Reset,
    /// One direction ends at once, and the other one a little later.
    HalfClose { to_relay: bool },
    /// Nothing goes through for a while; then it is reset.
    Stall,
}

/// The proxy that stands for the network. Dropping it ends its threads once the connections are over.
pub struct Storm {
    address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

struct Shared {
    relay: SocketAddr,
    rng: Mutex<StdRng>,
    is_raging: AtomicBool,
    is_swallowing: AtomicBool,
    is_blocked: AtomicBool,
    is_ending: AtomicBool,
    blows: AtomicUsize,
}

impl Storm {
    /// Starts a storm in front of a relay. It is calm at first.
    pub fn start(relay: SocketAddr, seed: u64) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("a socket has an address");
        let shared = Arc::new(Shared {
            relay,
            rng: Mutex::new(StdRng::seed_from_u64(seed)),
            is_raging: AtomicBool::new(false),
            is_swallowing: AtomicBool::new(false),
            is_blocked: AtomicBool::new(false),
            is_ending: AtomicBool::new(false),
            blows: AtomicUsize::new(0),
        });
        let acceptor = thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                for client in listener.incoming() {
                    if shared.is_ending.load(Ordering::SeqCst) {
                        return;
                    }
                    // This fails if the relay is gone, or the client was faster.
                    let _ = client.and_then(|client| shared.connect(client));
                }
            }
        });
        Self {
            address,
            shared,
            acceptor: Some(acceptor),
        }
    }

    /// The address to which clients connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Switches the storm on or off. While it is on, connections break, also those that there were before.
    pub fn rage(&self, is_raging: bool) {
        self.shared.is_raging.store(is_raging, Ordering::SeqCst);
    }

    /// Switches silence on or off. While it is on, nothing goes through in either direction, and neither
    /// end notices.
    pub fn swallow(&self, is_swallowing: bool) {
        let shared = &self.shared;
        shared.is_swallowing.store(is_swallowing, Ordering::SeqCst);
    }

    /// Switches an outage on or off. While it is on, all connections are cut, also those that there were
    /// before.
    pub fn block(&self, is_blocked: bool) {
        self.shared.is_blocked.store(is_blocked, Ordering::SeqCst);
    }

    /// How many connections this has broken.
    pub fn blows(&self) -> usize {
        self.shared.blows.load(Ordering::SeqCst)
    }
}

impl Drop for Storm {
    fn drop(&mut self) {
        self.shared.is_ending.store(true, Ordering::SeqCst);
        // The accepting thread looks whether it should end only when somebody connects.
        let _ = TcpStream::connect(self.address);
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}

impl Shared {
    fn random<T>(&self, draw: impl FnOnce(&mut StdRng) -> T) -> T {
        draw(&mut self.rng.lock().expect("nobody panics"))
    }

    fn connect(self: &Arc<Self>, client: TcpStream) -> io::Result<()> {
        if self.is_blocked.load(Ordering::SeqCst) {
            return Ok(());
        }
        let relay = TcpStream::connect(self.relay)?;
        let way = Arc::new(Way {
            shared: Arc::clone(self),
            client,
            relay,
            is_standing: AtomicBool::new(false),
            is_over: AtomicBool::new(false),
        });
        for stream in [&way.client, &way.relay] {
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(LOOK))?;
        }
        for to_relay in [true, false] {
            let way = Arc::clone(&way);
            thread::spawn(move || way.pass_on(to_relay));
        }
        thread::spawn(move || way.break_in_time());
        Ok(())
    }
}

/// One connection, from a client to the relay.
struct Way {
    shared: Arc<Shared>,
    client: TcpStream,
    relay: TcpStream,
    /// Whether nothing goes through at present, in either direction.
    is_standing: AtomicBool,
    is_over: AtomicBool,
}

impl Way {
    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst)
    }

    fn ends(&self, to_relay: bool) -> (&TcpStream, &TcpStream) {
        if to_relay {
            (&self.client, &self.relay)
        } else {
            (&self.relay, &self.client)
        }
    }

    /// Passes bytes on, one way, in odd pieces.
    fn pass_on(&self, to_relay: bool) {
        let (mut from, mut to) = self.ends(to_relay);
        let mut buffer = [0; 4096];
        while !self.is_over() {
            if self.is_standing.load(Ordering::SeqCst) {
                thread::sleep(LOOK);
                continue;
            }
            let size = self.shared.random(|rng| {
                let most = if rng.random_ratio(1, 4) { 7 } else { 4096 };
                rng.random_range(1..=most)
            });
            let bytes = match from.read(&mut buffer[..size]) {
                Ok(0) => break,
                Ok(read) => &buffer[..read],
                Err(error) if is_timeout(&error) => continue,
                Err(_) => break,
            };
            let is_swallowed = self.shared.is_swallowing.load(Ordering::SeqCst);
            if !is_swallowed && to.write_all(bytes).is_err() {
                break;
            }
        }
        if self.is_over() {
            return;
        }
        // The end of the stream goes on, too. This fails if the other end was faster.
        let _ = to.shutdown(Shutdown::Write);
        let _ = from.shutdown(Shutdown::Read);
    }

    /// Waits until the connection's time is over, and breaks it.
    fn break_in_time(&self) {
        let shared = &self.shared;
        while !shared.is_raging.load(Ordering::SeqCst) {
            if self.is_closed() || shared.is_ending.load(Ordering::SeqCst) {
                return;
            }
            if shared.is_blocked.load(Ordering::SeqCst) {
                self.cut();
                return;
            }
            thread::sleep(LOOK);
        }
        let (life, blow) = shared.random(|rng| {
            let most = if rng.random_ratio(1, STILLBORN) {
                Duration::from_millis(30)
            } else {
                LIFE
            };
            (rng.random_range(Duration::ZERO..most), Blow::draw(rng))
        });
        let until = Instant::now() + life;
        while Instant::now() < until && !self.is_closed() {
            thread::sleep(LOOK.min(life));
        }
        shared.blows.fetch_add(1, Ordering::SeqCst);
        match blow {
            Blow::Cut => self.cut(),
            Blow::Reset => self.reset(),
            Blow::HalfClose { to_relay } => {
                let (from, to) = self.ends(to_relay);
                let _ = to.shutdown(Shutdown::Write);
                let _ = from.shutdown(Shutdown::Read);
                thread::sleep(LIFE / 10);
                self.cut();
            }
            Blow::Stall => {
                self.is_standing.store(true, Ordering::SeqCst);
                thread::sleep(LIFE / 3);
                self.reset();
            }
        }
    }

    /// Whether both ends have hung up.
    fn is_closed(&self) -> bool {
        let is_gone = |stream: &TcpStream| {
            matches!(stream.take_error(), Ok(Some(_)) | Err(_)) || stream.peer_addr().is_err()
        };
        is_gone(&self.client) && is_gone(&self.relay)
    }

    fn cut(&self) {
        self.is_over.store(true, Ordering::SeqCst);
        for stream in [&self.client, &self.relay] {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Resets the connection. That happens when the last thread drops the sockets, which is soon.
    fn reset(&self) {
        let linger = nix::libc::linger {
            l_onoff: 1,
            l_linger: 0,
        };
        for stream in [&self.client, &self.relay] {
            setsockopt(stream, Linger, &linger).expect("a socket can be told so");
        }
        self.is_over.store(true, Ordering::SeqCst);
    }
}

impl Blow {
    fn draw(rng: &mut StdRng) -> Self {
        match rng.random_range(0..5) {
            0 => Self::Cut,
            1 => Self::HalfClose {
                to_relay: rng.random(),
            },
            2 => Self::Stall,
            _ => Self::Reset,
        }
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted
    )
}
