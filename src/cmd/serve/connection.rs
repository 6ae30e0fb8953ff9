//! One connection of the relay: two threads around one socket.
//!
//! The reading thread owns the connection: it does the handshake, starts the writing thread, takes
//! what the client sends, and at the end takes the member out of its room and waits for the writing
//! thread. That one empties the member's [`Outbox`] into the socket, and ends when the queue is
//! closed and empty, or the socket fails; either way it shuts the socket down, which ends the
//! reading thread.

use std::io::{self, BufReader, IoSlice, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::cmd::deadline::DeadlineReader;
use crate::room::card::Card;
use crate::room::frame::{
    Departure, Frame, MAGIC, MAX_FRAME, MAX_HANDSHAKE_FRAME, ToRelay, VERSION,
};
use crate::room::names::RoomId;
use crate::room::notice::Notice;
use crate::room::relay::{Mailbox as _, Outgoing, admit};
use crate::room::stream::{ReadError, read_frame};

use super::outbox::{Closed, Outbox};
use super::relay::{Counted, Membership, Relay};

/// Room for a frame's parsing and RSA arithmetic, and no more: there may be thousands of threads.
const READER_STACK: usize = 256 * 1024;
const WRITER_STACK: usize = 64 * 1024;

/// How long a client may leave its socket unread before the connection is given up, and how often
/// it is looked at whether that is worth waiting for.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
const WRITE_CHECK: Duration = Duration::from_millis(500);

/// How long a client that was told goodbye may take to hang up.
const LINGER: Duration = Duration::from_secs(1);

/// Starts the threads of a connection.
///
/// # Errors
/// Where the system has no thread to give.
pub(super) fn spawn(
    relay: Arc<Relay>,
    counted: Counted,
    stream: TcpStream,
    peer: SocketAddr,
) -> io::Result<()> {
    thread::Builder::new()
        .name("reader".into())
        .stack_size(READER_STACK)
        .spawn(move || {
            let full = counted.number() > relay.config.max_connections;
            if let Err(error) = serve(&relay, stream, peer, full) {
                log::debug!("{peer}: {error}");
            }
        })
        .map(drop)
}

/// Why somebody does not get into a room.
enum Refusal {
    /// Whoever it is does not speak the protocol, or hung up: there is nobody to tell.
    Silent,
    /// This is what to tell them.
    Told(Notice),
}

impl From<Notice> for Refusal {
    fn from(notice: Notice) -> Self {
        Self::Told(notice)
    }
}

impl From<ReadError> for Refusal {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::TimedOut => Self::Told(Notice::HandshakeTooSlow),
            ReadError::Length => Self::Told(Notice::Malformed),
            ReadError::Closed | ReadError::Broken | ReadError::Io(_) => Self::Silent,
        }
    }
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        ReadError::from(error).into()
    }
}

fn serve(relay: &Relay, stream: TcpStream, peer: SocketAddr, full: bool) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_write_timeout(Some(WRITE_CHECK))?;
    match shake_hands(relay, &stream, full) {
        Ok((room, card)) => {
            let idle = Duration::from_secs(relay.config.limits.idle.into());
            stream.set_read_timeout(Some(idle))?;
            serve_member(relay, stream, peer, room, &card)
        }
        Err(Refusal::Silent) => {
            log::debug!("{peer} hung up early, or does not speak the protocol");
            Ok(())
        }
        Err(Refusal::Told(notice)) => {
            log::info!("refused {peer}: {notice}");
            (&stream).write_all(&Frame::notice(notice.code()).encode())?;
            linger(&stream)
        }
    }
}

/// Finds out who wants to enter which room.
fn shake_hands(relay: &Relay, stream: &TcpStream, full: bool) -> Result<(RoomId, Card), Refusal> {
    let mut reader = DeadlineReader::new(stream, Instant::now() + relay.config.handshake);
    let mut magic = [0; MAGIC.len()];
    if reader.read_exact(&mut magic).is_err() || magic != MAGIC {
        return Err(Refusal::Silent);
    }
    let (mut version, mut room) = ([0], [0; 32]);
    reader.read_exact(&mut version)?;
    if version != [VERSION] {
        return Err(Notice::Version.into());
    }
    reader.read_exact(&mut room)?;
    if full {
        return Err(Notice::RelayFull.into());
    }
    let challenge = relay.challenge();
    let frame = Frame::challenge(&challenge, &relay.config.limits);
    (&*stream).write_all(&frame.encode())?;
    let hello = read_frame(&mut reader, MAX_HANDSHAKE_FRAME)?;
    let room = RoomId(room);
    Ok((room, admit(&hello, &challenge, room)?))
}

/// Waits until a client that was told goodbye has hung up: closing earlier, with something of its
/// still unread, could destroy the goodbye on its way.
fn linger(stream: &TcpStream) -> io::Result<()> {
    stream.shutdown(Shutdown::Write)?;
    let mut rest = DeadlineReader::new(stream, Instant::now() + LINGER);
    io::copy(&mut rest, &mut io::sink()).map(drop)
}

fn serve_member(
    relay: &Relay,
    stream: TcpStream,
    peer: SocketAddr,
    room: RoomId,
    card: &Card,
) -> io::Result<()> {
    let stream = Arc::new(stream);
    let outbox = Arc::new(Outbox::new(relay.config.queue_bytes));
    let writer = thread::Builder::new()
        .name("writer".into())
        .stack_size(WRITER_STACK)
        .spawn({
            let (stream, outbox) = (Arc::clone(&stream), Arc::clone(&outbox));
            move || write_frames(&stream, &outbox)
        })?;
    let (nick, fingerprint) = (card.nick(), card.fingerprint());
    match relay.join(room, card, &outbox) {
        Ok(mut membership) => {
            log::info!("{nick} {fingerprint} joined from {peer}");
            let departure = read_frames(&stream, &mut membership);
            membership.end(departure);
            log::info!("{nick} {fingerprint} {departure}");
        }
        Err(notice) => {
            log::info!("refused {nick} {fingerprint} from {peer}: {notice}");
            outbox.close(Some(notice));
        }
    }
    writer
        .join()
        .map_err(|_| io::Error::other("the writing thread panicked"))
}

/// Takes what the member sends, until there is a reason for it to go.
fn read_frames(stream: &TcpStream, membership: &mut Membership<'_>) -> Departure {
    let mut reader = BufReader::new(stream);
    let outbox = Arc::clone(membership.outbox());
    let mut assembly = membership.assembly();
    let mut received = 0;
    let mut acknowledged = 0;
    loop {
        let frame: Arc<[u8]> = match read_frame(&mut reader, MAX_FRAME) {
            Ok(frame) => frame.into(),
            Err(ReadError::TimedOut) => return Departure::Silent,
            Err(ReadError::Length) => return Departure::Misbehaved,
            Err(ReadError::Closed | ReadError::Broken | ReadError::Io(_)) => {
                return match outbox.closed() {
                    Some(Closed::Overflow) => Departure::Slow,
                    _ => Departure::Lost,
                };
            }
        };
        let ack_now = match ToRelay::parse(&frame) {
            Ok(ToRelay::Send(send)) => {
                match assembly.add(frame, send) {
                    Ok(Some(message)) => membership.forward(&message),
                    Ok(None) => {}
                    Err(_) => return Departure::Misbehaved,
                }
                received += 1;
                // One acknowledgement for all that came at once.
                reader.buffer().is_empty()
            }
            Ok(ToRelay::State(state)) if membership.state(&frame, &state).is_ok() => {
                received += 1;
                reader.buffer().is_empty()
            }
            Ok(ToRelay::Rekey(card)) => {
                let Ok(sid) = membership.rekey(card) else {
                    return Departure::Misbehaved;
                };
                assembly.succeed(sid);
                received += 1;
                reader.buffer().is_empty()
            }
            Ok(ToRelay::Ping) => true,
            Ok(ToRelay::Ack(count)) if (acknowledged..=outbox.counted()).contains(&count) => {
                acknowledged = count;
                false
            }
            Ok(ToRelay::Leave) => {
                outbox.post(Frame::ack(received + 1).into());
                return Departure::Left;
            }
            _ => return Departure::Misbehaved,
        };
        if ack_now {
            outbox.post(Frame::ack(received).into());
        }
    }
}

/// Empties the outbox into the socket until either is done, and then shuts the socket down.
fn write_frames(stream: &TcpStream, outbox: &Outbox) {
    let mut batch = Vec::new();
    loop {
        batch.clear();
        outbox.take(&mut batch);
        if batch.is_empty() || write_batch(stream, outbox, &batch).is_err() {
            break;
        }
    }
    outbox.close(None);
    // It fails where the client was faster.
    let _ = stream.shutdown(Shutdown::Both);
}

/// Whether an error is what a socket's timeout gives, which depends on the platform.
fn is_timeout(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}

/// Writes many frames with few calls, from where their bytes are. A client whose socket is full
/// gets the time that there is, but none if its queue has overflowed meanwhile.
fn write_batch(mut stream: &TcpStream, outbox: &Outbox, batch: &[Outgoing]) -> io::Result<()> {
    let mut slices: Vec<IoSlice<'_>> = batch
        .iter()
        .flat_map(Outgoing::slices)
        .map(IoSlice::new)
        .collect();
    let mut slices = &mut slices[..];
    let mut deadline = Instant::now() + WRITE_TIMEOUT;
    while !slices.is_empty() {
        match stream.write_vectored(slices) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                IoSlice::advance_slices(&mut slices, written);
                deadline = Instant::now() + WRITE_TIMEOUT;
            }
            Err(error)
                if is_timeout(&error)
                    && outbox.closed() != Some(Closed::Overflow)
                    && Instant::now() < deadline => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
