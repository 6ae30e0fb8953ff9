//! A proxy on the way between clients and relay, which records every byte.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

/// What went over one connection.
#[derive(Clone, Debug, Default)]
pub struct Recording {
    pub to_relay: Vec<u8>,
    pub to_client: Vec<u8>,
}

type Tape = Arc<Mutex<Recording>>;

/// A running proxy. Dropping it ends its threads.
pub struct Proxy {
    address: SocketAddr,
    tapes: Arc<Mutex<Vec<Tape>>>,
    ending: Arc<AtomicBool>,
    acceptor: Option<JoinHandle<()>>,
}

impl Proxy {
    /// Starts a proxy in front of a relay.
    pub fn start(relay: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("a socket has an address");
        let tapes: Arc<Mutex<Vec<Tape>>> = Arc::default();
        let ending = Arc::new(AtomicBool::new(false));
        let acceptor = thread::spawn({
            let (tapes, ending) = (Arc::clone(&tapes), Arc::clone(&ending));
            move || {
                for client in listener.incoming() {
                    if ending.load(Ordering::SeqCst) {
                        return;
                    }
                    let client = client.expect("a connection");
                    let tape = Tape::default();
                    tapes.lock().expect("nobody panics").push(Arc::clone(&tape));
                    let relay = TcpStream::connect(relay).expect("the relay listens");
                    pass_on(&client, &relay, &tape, |tape| &mut tape.to_relay);
                    pass_on(&relay, &client, &tape, |tape| &mut tape.to_client);
                }
            }
        });
        Self {
            address,
            tapes,
            ending,
            acceptor: Some(acceptor),
        }
    }

    /// The address to which clients connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What went over each connection, in the order in which clients made them.
    pub fn recordings(&self) -> Vec<Recording> {
        let tapes = self.tapes.lock().expect("nobody panics");
        let copy = |tape: &Tape| tape.lock().expect("nobody panics").clone();
        tapes.iter().map(copy).collect()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.ending.store(true, Ordering::SeqCst);
        // The accepting thread looks whether it should end only when somebody connects.
        let _ = TcpStream::connect(self.address);
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}

/// Passes bytes on, one way, on a thread that ends with the connection. It records bytes before it passes
/// them on.
fn pass_on(
    from: &TcpStream,
    to: &TcpStream,
    tape: &Tape,
    track: impl Fn(&mut Recording) -> &mut Vec<u8> + Send + 'static,
) {
    let clone = |stream: &TcpStream| stream.try_clone().expect("a socket can be cloned");
    let (mut from, mut to, tape) = (clone(from), clone(to), Arc::clone(tape));
    thread::spawn(move || {
        let mut buffer = [0; 16 * 1024];
        while let Ok(read @ 1..) = from.read(&mut buffer) {
            let bytes = buffer.get(..read).expect("no more than fits");
            track(&mut tape.lock().expect("nobody panics")).extend_from_slice(bytes);
            if to.write_all(bytes).is_err() {
                break;
            }
        }
        // These fail if the other end was faster.
        let _ = to.shutdown(Shutdown::Write);
        let _ = from.shutdown(Shutdown::Read);
    });
}
