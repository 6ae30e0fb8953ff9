//! The client's connection: connecting, the handshake, and then two threads.
//!
//! The reading thread takes frames off the socket and delivers them; it ends, with a last word,
//! when the connection does. The writing thread takes frames from a channel and sends PING when
//! there has been nothing to send for a while; it ends when the channel is closed or the socket
//! fails, and a failure also ends the reading thread. Dropping the [`Link`] ends both.

use std::io::{self, BufReader, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::cmd::credits::Credits;
use crate::cmd::deadline::DeadlineReader;
use crate::cmd::{failure, reason};
use crate::room::frame::{
    Frame, Limits, MAX_FRAME, MAX_HANDSHAKE_FRAME, counts, is_ping, preamble,
};
use crate::room::session::{End, Event, Session};
use crate::room::stream::{ReadError, read_frame};

use super::client::Clock;
use super::words;

/// How long connecting, and then entering the room, may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// How many frames may wait for the main thread before the socket is left unread.
const FRAMES: usize = 1024;

/// The most bytes that are written at once.
const BATCH_BYTES: usize = 64 * 1024;

/// What comes from the relay.
#[derive(Debug)]
pub(super) enum FromRelay {
    /// A frame. [`Link::credit`] is due when it has been dealt with.
    Frame(Vec<u8>),
    /// The connection is over.
    Down(ReadError),
}

/// Connects to the relay that people call `name`.
pub(super) fn connect(name: &str, addresses: &[SocketAddr]) -> anyhow::Result<TcpStream> {
    let mut result = Err(io::ErrorKind::AddrNotAvailable.into());
    for address in addresses {
        result = TcpStream::connect_timeout(address, PATIENCE);
        if result.is_ok() {
            break;
        }
    }
    let stream = result.map_err(|error: io::Error| {
        failure(
            format!("cannot connect to {name}: {}", reason(&error)),
            "is the relay running there, and the port right?",
        )
    })?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Enters the room. Returns what happened on the way.
pub(super) fn enter(
    name: &str,
    stream: &TcpStream,
    session: &mut Session,
    clock: &Clock,
) -> anyhow::Result<Vec<Event>> {
    let mut socket = stream;
    let mut reader = DeadlineReader::new(stream, Instant::now() + PATIENCE);
    let mut events = Vec::new();
    let lost = |error| words::no_handshake(name, error);
    socket
        .write_all(&preamble(session.card().room()))
        .map_err(|error| lost(error.into()))?;
    while !session.is_inside() {
        let limit = if session.is_welcome() {
            MAX_FRAME
        } else {
            MAX_HANDSHAKE_FRAME
        };
        let frame = read_frame(&mut reader, limit).map_err(lost)?;
        if session.is_welcome() && is_ping(&frame) {
            let ack = Frame::ack(0).encode();
            socket.write_all(&ack).map_err(|error| lost(error.into()))?;
        }
        events.extend(
            session
                .receive(&frame, clock.now())
                .map_err(|end| match end {
                    End::Malformed => words::not_a_relay(name),
                    end => words::end(name, end),
                })?,
        );
        for frame in session.take_outgoing() {
            socket
                .write_all(&frame.encode())
                .map_err(|error| lost(error.into()))?;
        }
    }
    Ok(events)
}

/// What the writing thread is to write.
enum Outgoing {
    Frame(Frame),
    /// How many counted frames have been read.
    Ack,
}

/// What has been read, for the answers to PING. At most one answer is waiting at a time.
#[derive(Default)]
struct Received {
    counted: AtomicU64,
    is_ack_due: AtomicBool,
}

/// A connection whose handshake is done.
pub(super) struct Link {
    stream: Arc<TcpStream>,
    outgoing: Sender<Outgoing>,
    credits: Arc<Credits>,
}

impl Link {
    /// Starts the threads.
    pub(super) fn start(
        stream: TcpStream,
        limits: &Limits,
        deliver: impl Fn(FromRelay) + Send + 'static,
    ) -> anyhow::Result<Self> {
        // A hostile relay must not make us ping many times a second.
        let idle = Duration::from_secs(limits.idle.max(3).into());
        stream.set_read_timeout(Some(idle))?;
        let (outgoing, queue) = channel();
        let received = Arc::new(Received::default());
        let link = Self {
            stream: Arc::new(stream),
            outgoing: outgoing.clone(),
            credits: Arc::new(Credits::new(FRAMES)),
        };
        thread::Builder::new().name("link-reader".into()).spawn({
            let (stream, credits) = (Arc::clone(&link.stream), Arc::clone(&link.credits));
            let received = Arc::clone(&received);
            move || read(&stream, &credits, &received, &outgoing, deliver)
        })?;
        thread::Builder::new().name("link-writer".into()).spawn({
            let stream = Arc::clone(&link.stream);
            move || write(&stream, &queue, &received, idle / 3)
        })?;
        Ok(link)
    }

    /// Sends frames after all that were sent before.
    pub(super) fn send(&self, frames: Vec<Frame>) {
        for frame in frames {
            // It fails when the socket has: then the reading thread says so.
            let _ = self.outgoing.send(Outgoing::Frame(frame));
        }
    }

    /// Says that a frame has been dealt with, so that another may be read.
    pub(super) fn credit(&self) {
        self.credits.give();
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // It fails where the other end was faster.
        let _ = self.stream.shutdown(Shutdown::Both);
        self.credits.give();
    }
}

fn read(
    stream: &TcpStream,
    credits: &Credits,
    received: &Received,
    outgoing: &Sender<Outgoing>,
    deliver: impl Fn(FromRelay),
) {
    let mut reader = BufReader::new(stream);
    loop {
        credits.take();
        match read_frame(&mut reader, MAX_FRAME) {
            Ok(frame) => {
                let counted = u64::from(counts(&frame));
                received.counted.fetch_add(counted, Ordering::SeqCst);
                if is_ping(&frame) && !received.is_ack_due.swap(true, Ordering::SeqCst) {
                    // It fails when the socket has, which is about to show here too.
                    let _ = outgoing.send(Outgoing::Ack);
                }
                deliver(FromRelay::Frame(frame));
            }
            Err(error) => return deliver(FromRelay::Down(error)),
        }
    }
}

fn write(
    mut stream: &TcpStream,
    queue: &Receiver<Outgoing>,
    received: &Received,
    ping_after: Duration,
) {
    let encode = |outgoing| match outgoing {
        Outgoing::Frame(frame) => frame.encode(),
        Outgoing::Ack => {
            received.is_ack_due.store(false, Ordering::SeqCst);
            Frame::ack(received.counted.load(Ordering::SeqCst)).encode()
        }
    };
    loop {
        let mut bytes = match queue.recv_timeout(ping_after) {
            Ok(outgoing) => encode(outgoing),
            Err(RecvTimeoutError::Timeout) => Frame::ping().encode(),
            Err(RecvTimeoutError::Disconnected) => return,
        };
        while bytes.len() < BATCH_BYTES
            && let Ok(outgoing) = queue.try_recv()
        {
            bytes.extend(encode(outgoing));
        }
        if stream.write_all(&bytes).is_err() {
            // It fails where the other end was faster.
            let _ = stream.shutdown(Shutdown::Both);
            return;
        }
    }
}
