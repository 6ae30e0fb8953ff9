//! One connection of the relay: two threads around one socket.
//!
//! The reading thread owns the connection: it does the handshake, starts the writing thread, takes
//! what the client sends, and at the end takes the member out of its room and waits for the writing
//! thread. That one empties the member's [`Outbox`] into the socket, and ends when the queue is
//! closed and empty, or the socket fails; either way it shuts the socket down, which ends the
//! reading thread, at once or when the client hangs up (see [`Guard::hang_up`](super::guard::Guard::hang_up)).

use std::io::{self, BufReader, IoSlice, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use log::Level;

use crate::cmd::deadline::DeadlineReader;
use crate::room::frame::{Departure, Frame, MAGIC, MAX_FRAME, MAX_HANDSHAKE_FRAME, VERSION};
use crate::room::names::RoomId;
use crate::room::notice::Notice;
use crate::room::relay::{Entry, Outgoing, admit};
use crate::room::stream::{ReadError, read_frame};

use super::guard::Pass;
use super::outbox::{Closed, Outbox};
use super::relay::{Membership, Next, Relay};

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
    pass: Pass,
    stream: TcpStream,
    peer: SocketAddr,
) -> io::Result<()> {
    thread::Builder::new()
        .name("reader".into())
        .stack_size(READER_STACK)
        .spawn(move || {
            if let Err(error) = serve(&relay, stream, peer, pass) {
                let line = format_args!("{peer}: {error}");
                relay.guard.strangers.write(Level::Debug, line);
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

fn serve(relay: &Relay, stream: TcpStream, peer: SocketAddr, pass: Pass) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_write_timeout(Some(WRITE_CHECK))?;
    let stream = Arc::new(stream);
    let placed = shake_hands(relay, &stream, &pass).and_then(|(room, entry)| {
        let who = format!("{} {}", entry.card.nick(), entry.card.fingerprint());
        let (membership, connection) = take_place(relay, &stream, room, entry)?;
        Ok((membership, connection, who))
    });
    match placed {
        Ok((membership, connection, who)) => {
            let idle = Duration::from_secs(relay.config.limits.idle.into());
            stream.set_read_timeout(Some(idle))?;
            let verb = if connection == 0 { "joined" } else { "resumed" };
            let line = format_args!("{who} {verb} from {peer}");
            relay.guard.members.write(Level::Info, line);
            serve_member(relay, membership, connection, stream, pass, &who)
        }
        Err(Refusal::Silent) => {
            let line = format_args!("{peer} hung up early, or does not speak the protocol");
            relay.guard.strangers.write(Level::Debug, line);
            Ok(())
        }
        Err(Refusal::Told(notice)) => {
            relay.guard.refused(peer, notice);
            (&*stream).write_all(&Frame::notice(notice.code()).encode())?;
            linger(&stream)
        }
    }
}

/// Finds out who wants to enter which room.
fn shake_hands(relay: &Relay, stream: &TcpStream, pass: &Pass) -> Result<(RoomId, Entry), Refusal> {
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
    pass.check()?;
    let challenge = relay.challenge();
    let frame = Frame::challenge(&challenge, &relay.config.limits);
    (&*stream).write_all(&frame.encode())?;
    let hello = read_frame(&mut reader, MAX_HANDSHAKE_FRAME)?;
    pass.check_join()?;
    let room = RoomId(room);
    let entry = admit(&hello, &challenge, room)?;
    relay.guard.check_listed(entry.card.fingerprint())?;
    Ok((room, entry))
}

/// Waits until a client that was told goodbye has hung up: closing earlier, with something of its
/// still unread, could destroy the goodbye on its way.
fn linger(stream: &TcpStream) -> io::Result<()> {
    stream.shutdown(Shutdown::Write)?;
    let mut rest = DeadlineReader::new(stream, Instant::now() + LINGER);
    io::copy(&mut rest, &mut io::sink()).map(drop)
}

/// Gives a client the place of the member that it wants to go on as, or a new one.
fn take_place<'a>(
    relay: &'a Relay,
    stream: &Arc<TcpStream>,
    room: RoomId,
    entry: Entry,
) -> Result<(Membership<'a>, u64), Refusal> {
    if let Some(stay) = entry.resumes {
        let resumed = relay.resume(room, &entry.card, stay, stream)?;
        if let Some((membership, connection)) = resumed {
            let welcome = Frame::welcome_back(membership.received());
            if (&**stream).write_all(&welcome.encode()).is_err() {
                // This connection is broken too, as is about to show: the place is kept.
                let _ = stream.shutdown(Shutdown::Both);
            }
            return Ok((membership, connection));
        }
    }
    let outbox = Arc::new(Outbox::new(relay.config.queue_bytes, Arc::clone(stream)));
    Ok((relay.join(room, entry.card, &outbox)?, 0))
}

fn serve_member(
    relay: &Relay,
    mut membership: Membership<'_>,
    connection: u64,
    stream: Arc<TcpStream>,
    pass: Pass,
    who: &str,
) -> io::Result<()> {
    let outbox = Arc::clone(membership.outbox());
    let writer = thread::Builder::new()
        .name("writer".into())
        .stack_size(WRITER_STACK)
        .spawn({
            let (stream, outbox) = (Arc::clone(&stream), Arc::clone(&outbox));
            let guard = Arc::clone(&relay.guard);
            move || {
                write_frames(&stream, &outbox, connection);
                guard.hang_up(&stream);
            }
        })
        .inspect_err(|error| relay.guard.is_short(error))?;
    let departure = read_frames(&stream, &mut membership);
    let is_broken = matches!(departure, Departure::Lost | Departure::Silent);
    if is_broken && outbox.closed().is_none() && membership.is_kept() {
        // It fails where the other end was faster.
        let _ = stream.shutdown(Shutdown::Both);
        drop((stream, pass));
        if let Some(departure) = membership.keep(connection, departure) {
            relay.guard.departed(who, departure);
        }
    } else {
        membership.end(departure);
        relay.guard.departed(who, departure);
    }
    writer
        .join()
        .map_err(|_| io::Error::other("the writing thread panicked"))
}

/// After so many counted frames without a pause the member gets an acknowledgement.
const ACKNOWLEDGE_AFTER: u64 = 64;

/// Takes what the member sends, until there is a reason for it to go.
fn read_frames(stream: &TcpStream, membership: &mut Membership<'_>) -> Departure {
    let mut reader = BufReader::new(stream);
    let mut acknowledged = membership.received();
    loop {
        let frame = match read_frame(&mut reader, MAX_FRAME) {
            Ok(frame) => frame,
            Err(ReadError::TimedOut) => return Departure::Silent,
            Err(ReadError::Length) => return Departure::Misbehaved,
            Err(ReadError::Closed | ReadError::Broken | ReadError::Io(_)) => {
                return match membership.outbox().closed() {
                    Some(Closed::Overflow) => Departure::Slow,
                    _ => Departure::Lost,
                };
            }
        };
        let next = membership.take(frame);
        let pause = membership.pay();
        let news = membership.received() - acknowledged;
        // One acknowledgement for all that came at once, and one before each pause: who hears
        // nothing for long takes the connection for dead.
        let is_last = reader.buffer().is_empty() || !pause.is_zero();
        let is_due = news >= ACKNOWLEDGE_AFTER || news > 0 && is_last;
        if is_due || matches!(next, Next::Acknowledge | Next::End(Departure::Left)) {
            membership.acknowledge();
            acknowledged = membership.received();
        }
        if let Next::End(departure) = next {
            return departure;
        }
        if !membership.rest(pause) {
            return Departure::Lost;
        }
    }
}

/// Empties the outbox into the socket until either is done.
fn write_frames(stream: &TcpStream, outbox: &Outbox, connection: u64) {
    let mut batch = Vec::new();
    loop {
        batch.clear();
        outbox.take(connection, &mut batch);
        if batch.is_empty() || write_batch(stream, outbox, &batch).is_err() {
            break;
        }
    }
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
