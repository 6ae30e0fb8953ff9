//! One connection to the relay: two threads.
//!
//! The reading thread takes frames off the socket and delivers them. When nothing has come for a while
//! it asks the relay for an answer, and when none comes either, it takes the connection for dead. It
//! ends when the connection does, and delivers why. The writing thread takes frames from a channel. It
//! ends when the channel is closed or the socket fails, and a failure also ends the reading thread.
//! Dropping the [`Link`] ends both.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use crate::cmd::credits::Credits;
use crate::room::frame::{
    Frame, MAX_FRAME, MAX_HANDSHAKE_FRAME, ToClient, is_counted_frame, is_ping,
};
use crate::room::session::weight;
use crate::room::stream::{ReadError, read_frame};

use super::running::Running;

/// How long connecting may take, and then each frame until this member is in the room.
pub(in crate::cmd::join) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// How many bytes of memory frames may take that the main thread has not dealt with, before the socket is
/// left unread: what the relay says of the user's own words comes behind them.
const MOST_BYTES: usize = 8 << 20;

/// The most bytes that are written at once.
const BATCH_BYTES: usize = 64 * 1024;

/// The least idle time, in seconds, that a relay can set. A third of it is how long a client waits
/// before it asks for an answer: a hostile relay must not have it ask many times a second.
const MIN_IDLE: u32 = 3;

/// What comes from the relay.
#[derive(Debug)]
pub(in crate::cmd::join) enum FromRelay {
    /// A frame. Whoever has it tells [`Link::credit`] how much waits.
    Frame(Vec<u8>),
    /// The connection is over.
    Down(ReadError),
}

/// A way to the relay that is open.
pub(in crate::cmd::join) struct Connected {
    pub(in crate::cmd::join) stream: TcpStream,
    /// The program at its other end, if it leads through one.
    pub(in crate::cmd::join) program: Option<Running>,
}

impl From<TcpStream> for Connected {
    fn from(stream: TcpStream) -> Self {
        Self {
            stream,
            program: None,
        }
    }
}

/// What the writing thread is to write.
enum ToWrite {
    Frame(Frame),
    /// The answer to PING: how many counted frames have been read by the time that it is written.
    Ack,
}

/// What the answers to PING say. At most one answer waits at a time.
struct ReadCount {
    frames: AtomicU64,
    is_ack_due: AtomicBool,
}

/// A connection.
pub(in crate::cmd::join) struct Link {
    stream: Arc<TcpStream>,
    to_write: Sender<ToWrite>,
    credits: Arc<Credits>,
    /// How many bytes of memory the delivered frames take that are not dealt with.
    waiting: usize,
    /// Whether this end has ended the connection.
    is_given_up: Arc<AtomicBool>,
    /// The program that is the connection, if there is one. It ends last.
    program: Option<Running>,
}

impl Link {
    /// Starts the threads. So many counted frames were received over the connections before, in case
    /// this one goes on with them.
    pub(in crate::cmd::join) fn start(
        Connected { stream, program }: Connected,
        received: u64,
        deliver: impl Fn(FromRelay) + Send + 'static,
    ) -> io::Result<Self> {
        stream.set_read_timeout(Some(HANDSHAKE_TIMEOUT))?;
        let (to_write, queue) = channel();
        let read_count = Arc::new(ReadCount {
            frames: AtomicU64::new(received),
            is_ack_due: AtomicBool::new(false),
        });
        let link = Self {
            stream: Arc::new(stream),
            to_write: to_write.clone(),
            credits: Arc::new(Credits::new(MOST_BYTES)),
            waiting: 0,
            is_given_up: Arc::default(),
            program,
        };
        let reader = LinkReader {
            stream: Arc::clone(&link.stream),
            credits: Arc::clone(&link.credits),
            read_count: Arc::clone(&read_count),
            to_write,
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
            move || write(&stream, &queue, &read_count)
        })?;
        Ok(link)
    }

    /// Sends frames after all that were sent before.
    pub(in crate::cmd::join) fn send(&self, frames: Vec<Frame>) {
        for frame in frames {
            // It fails when the socket has: then the reading thread says so.
            let _ = self.to_write.send(ToWrite::Frame(frame));
        }
    }

    /// Says that this frame has been taken.
    pub(in crate::cmd::join) fn note_taken(&mut self, frame: &[u8]) {
        self.waiting += weight(frame);
    }

    /// Says that frames which take so many bytes of memory still wait, of those that were taken: for the
    /// others, more may be read.
    pub(in crate::cmd::join) fn credit(&mut self, waiting: usize) {
        self.credits.give(self.waiting.saturating_sub(waiting));
        self.waiting = waiting;
    }

    /// Whether all that was read has been dealt with.
    pub(in crate::cmd::join) fn is_caught_up(&self) -> bool {
        self.credits.are_all_there()
    }

    /// What the program that is the connection, if there is one, has said last.
    pub(in crate::cmd::join) fn last_words(&self) -> Option<String> {
        self.program.as_ref()?.last_words()
    }

    /// Ends the connection, as nothing has come over it for too long. What did come is still
    /// delivered, and then why the connection ended.
    pub(in crate::cmd::join) fn give_up(&self) {
        self.is_given_up.store(true, Ordering::SeqCst);
        // It fails where the other end was faster.
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.give_up();
        self.credits.give(usize::MAX);
    }
}

/// What the reading thread has.
struct LinkReader {
    stream: Arc<TcpStream>,
    credits: Arc<Credits>,
    read_count: Arc<ReadCount>,
    to_write: Sender<ToWrite>,
}

impl LinkReader {
    /// Reads frames until the connection is over, and returns why.
    fn read(&self, deliver: &impl Fn(FromRelay)) -> ReadError {
        let mut reader = BufReader::new(&*self.stream);
        let mut limit = MAX_HANDSHAKE_FRAME;
        loop {
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
                            self.read_count.frames.store(0, Ordering::SeqCst);
                        }
                    }
                    // The session judges all else.
                    _ => {}
                }
            }
            let counted = u64::from(is_counted_frame(&frame));
            self.read_count.frames.fetch_add(counted, Ordering::SeqCst);
            if is_ping(&frame) && !self.read_count.is_ack_due.swap(true, Ordering::SeqCst) {
                // It fails when the socket has, which is about to show here too.
                let _ = self.to_write.send(ToWrite::Ack);
            }
            self.credits.take(weight(&frame));
            deliver(FromRelay::Frame(frame));
        }
    }

    /// Waits until something comes. After some time in which nothing does, asks the relay for an answer
    /// once, if it `may_ask`.
    fn wait(&self, reader: &mut BufReader<&TcpStream>, may_ask: bool) -> Result<(), ReadError> {
        let mut has_asked = !may_ask;
        loop {
            match reader.fill_buf() {
                Ok(_) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => match ReadError::from(error) {
                    ReadError::TimedOut if !has_asked => {
                        has_asked = true;
                        let _ = self.to_write.send(ToWrite::Frame(Frame::ping()));
                    }
                    error => return Err(error),
                },
            }
        }
    }
}

fn write(mut stream: &TcpStream, queue: &Receiver<ToWrite>, read_count: &ReadCount) {
    let encode = |to_write| match to_write {
        ToWrite::Frame(frame) => frame.encode(),
        ToWrite::Ack => {
            read_count.is_ack_due.store(false, Ordering::SeqCst);
            Frame::ack(read_count.frames.load(Ordering::SeqCst)).encode()
        }
    };
    while let Ok(to_write) = queue.recv() {
        let mut bytes = encode(to_write);
        while bytes.len() < BATCH_BYTES
            && let Ok(to_write) = queue.try_recv()
        {
            bytes.extend(encode(to_write));
        }
        if stream.write_all(&bytes).is_err() {
            // It fails where the other end was faster.
            let _ = stream.shutdown(Shutdown::Both);
            return;
        }
    }
}
