//! One connection to the relay: its first words, and then two threads.
//!
//! The reading thread takes frames off the socket and delivers them; it ends, with a last word,
//! when the connection does. When nothing has come for a while it asks the relay for an answer, and
//! when none comes either, takes the connection for dead. The writing thread takes frames from a
//! channel; it ends when the channel is closed or the socket fails, and a failure also ends the
//! reading thread. Dropping the [`Link`] ends both.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use crate::cmd::credits::Credits;
use crate::room::frame::{
    Frame, MAX_FRAME, MAX_HANDSHAKE_FRAME, ToClient, is_counted_frame, is_ping, preamble,
};
use crate::room::names::RoomId;
use crate::room::stream::{ReadError, read_frame};

/// How long connecting, and then entering the room, may take.
pub(in crate::cmd::join) const PATIENCE: Duration = Duration::from_secs(10);

/// How many frames may wait for the main thread before the socket is left unread.
const FRAMES: usize = 1024;

/// The most bytes that are written at once.
const BATCH_BYTES: usize = 64 * 1024;

/// The least time for which a relay can make a client wait before it asks for an answer, in
/// seconds: a hostile one must not make it ask many times a second.
const MIN_IDLE: u32 = 3;

/// What comes from the relay.
#[derive(Debug)]
pub(in crate::cmd::join) enum FromRelay {
    /// A frame. [`Link::credit`] is due when it has been dealt with.
    Frame(Vec<u8>),
    /// The connection is over.
    Down(ReadError),
}

/// Says over a new connection which room it is for.
pub(in crate::cmd::join) fn open(mut stream: TcpStream, room: RoomId) -> io::Result<TcpStream> {
    stream.set_nodelay(true)?;
    stream.write_all(&preamble(room))?;
    Ok(stream)
}

/// What the writing thread is to write.
enum Outgoing {
    Frame(Frame),
    /// How many counted frames have been read.
    Ack,
}

/// What has been read, for the answers to PING. At most one answer is waiting at a time.
struct Received {
    counted: AtomicU64,
    is_ack_due: AtomicBool,
}

/// A connection.
pub(in crate::cmd::join) struct Link {
    stream: Arc<TcpStream>,
    outgoing: Sender<Outgoing>,
    credits: Arc<Credits>,
    /// Whether this end has ended it.
    is_given_up: Arc<AtomicBool>,
}

impl Link {
    /// Starts the threads. So many counted frames were received over the connection before, in
    /// case it goes on.
    pub(in crate::cmd::join) fn start(
        stream: TcpStream,
        received: u64,
        deliver: impl Fn(FromRelay) + Send + 'static,
    ) -> io::Result<Self> {
        stream.set_read_timeout(Some(PATIENCE))?;
        let (outgoing, queue) = channel();
        let received = Arc::new(Received {
            counted: AtomicU64::new(received),
            is_ack_due: AtomicBool::new(false),
        });
        let link = Self {
            stream: Arc::new(stream),
            outgoing: outgoing.clone(),
            credits: Arc::new(Credits::new(FRAMES)),
            is_given_up: Arc::default(),
        };
        let reader = Reader {
            stream: Arc::clone(&link.stream),
            credits: Arc::clone(&link.credits),
            received: Arc::clone(&received),
            outgoing,
        };
        thread::Builder::new().name("link-reader".into()).spawn({
            let is_given_up = Arc::clone(&link.is_given_up);
            move || {
                let error = reader.read(&deliver);
                deliver(FromRelay::Down(if is_given_up.load(Ordering::SeqCst) {
                    ReadError::TimedOut
                } else {
                    error
                }));
            }
        })?;
        thread::Builder::new().name("link-writer".into()).spawn({
            let stream = Arc::clone(&link.stream);
            move || write(&stream, &queue, &received)
        })?;
        Ok(link)
    }

    /// Sends frames after all that were sent before.
    pub(in crate::cmd::join) fn send(&self, frames: Vec<Frame>) {
        for frame in frames {
            // It fails when the socket has: then the reading thread says so.
            let _ = self.outgoing.send(Outgoing::Frame(frame));
        }
    }

    /// Says that a frame has been dealt with, so that another may be read.
    pub(in crate::cmd::join) fn credit(&self) {
        self.credits.give();
    }

    /// Ends the connection, as nothing has come over it for too long. What did come is still
    /// delivered, and then why it ended.
    pub(in crate::cmd::join) fn give_up(&self) {
        self.is_given_up.store(true, Ordering::SeqCst);
        // It fails where the other end was faster.
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.give_up();
        self.credits.give();
    }
}

/// What the reading thread has.
struct Reader {
    stream: Arc<TcpStream>,
    credits: Arc<Credits>,
    received: Arc<Received>,
    outgoing: Sender<Outgoing>,
}

impl Reader {
    /// Reads frames until the connection is over, and returns why.
    fn read(&self, deliver: &impl Fn(FromRelay)) -> ReadError {
        let mut reader = BufReader::new(&*self.stream);
        let mut limit = MAX_HANDSHAKE_FRAME;
        loop {
            self.credits.take();
            let frame = match self.wait(&mut reader, limit == MAX_FRAME) {
                Ok(()) => read_frame(&mut reader, limit),
                Err(error) => Err(error),
            };
            let frame = match frame {
                Ok(frame) => frame,
                Err(error) => return error,
            };
            if limit == MAX_HANDSHAKE_FRAME {
                match ToClient::parse(&frame) {
                    Ok(ToClient::Challenge(_, limits)) => {
                        let idle = Duration::from_secs(limits.idle.max(MIN_IDLE).into());
                        if let Err(error) = self.stream.set_read_timeout(Some(idle / 3)) {
                            return error.into();
                        }
                    }
                    Ok(ToClient::Welcome(welcome)) => {
                        limit = MAX_FRAME;
                        if !welcome.resumed {
                            self.received.counted.store(0, Ordering::SeqCst);
                        }
                    }
                    // What else there is, is for the session to judge.
                    _ => {}
                }
            }
            let counted = u64::from(is_counted_frame(&frame));
            self.received.counted.fetch_add(counted, Ordering::SeqCst);
            if is_ping(&frame) && !self.received.is_ack_due.swap(true, Ordering::SeqCst) {
                // It fails when the socket has, which is about to show here too.
                let _ = self.outgoing.send(Outgoing::Ack);
            }
            deliver(FromRelay::Frame(frame));
        }
    }

    /// Waits until something comes. After some time without a word the relay is asked for one.
    fn wait(&self, reader: &mut BufReader<&TcpStream>, may_ask: bool) -> Result<(), ReadError> {
        let mut has_asked = !may_ask;
        loop {
            match reader.fill_buf() {
                Ok(_) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => match ReadError::from(error) {
                    ReadError::TimedOut if !has_asked => {
                        has_asked = true;
                        let _ = self.outgoing.send(Outgoing::Frame(Frame::ping()));
                    }
                    error => return Err(error),
                },
            }
        }
    }
}

fn write(mut stream: &TcpStream, queue: &Receiver<Outgoing>, received: &Received) {
    let encode = |outgoing| match outgoing {
        Outgoing::Frame(frame) => frame.encode(),
        Outgoing::Ack => {
            received.is_ack_due.store(false, Ordering::SeqCst);
            Frame::ack(received.counted.load(Ordering::SeqCst)).encode()
        }
    };
    while let Ok(outgoing) = queue.recv() {
        let mut bytes = encode(outgoing);
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
