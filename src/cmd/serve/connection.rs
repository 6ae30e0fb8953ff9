//! One connection of the relay: two threads, one after the other.
//!
//! The handshake thread finds out who is there, enters the member into its room, and ends: RSA
//! arithmetic touches far more stack than all that follows. The reader thread takes what the client
//! sends. At the end it takes the member out of its room, unless the member may come back. What is
//! sent to the client goes into the member's [`MemberOutbox`](super::outbox::MemberOutbox), which a
//! [writer](super::writers) empties. The writer shuts the socket down when the outbox is closed
//! and empty, or when the socket fails: that ends the reader thread, at once or when the client
//! hangs up (see
//! [`AdmissionControl::hang_up`](crate::cmd::serve::admission::control::AdmissionControl::hang_up)).

use std::io::{self, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use log::Level;

use crate::cmd::deadline::DeadlineReader;
use crate::cmd::foreign::Protocol;
use crate::room::card::Card;
use crate::room::frame::{Departure, Frame, MAGIC, MAX_FRAME, MAX_HANDSHAKE_FRAME, VERSION};
use crate::room::names::RoomId;
use crate::room::notice::Notice;
use crate::room::relay::{Newcomer, admit};
use crate::room::stream::{ReadError, read_frame, read_frame_if};

use super::listening::Peer;
use super::outbox::CloseReason;
use super::socket::has_unread;
use super::threads::{ARITHMETIC_STACK, READER_STACK};
use crate::cmd::serve::admission::connections::Network;
use crate::cmd::serve::admission::control::Pass;
use crate::cmd::serve::admission::memory::Charge;
use crate::cmd::serve::rooms::{AfterFrame, KeptPlaces, Membership, Relay, who};

/// The reader's buffer, in bytes, while nothing has come, and while there is more than that.
const IDLE_BUFFER: usize = 64;
const BUSY_BUFFER: usize = 64 * 1024;

/// How long a write takes at most, where a socket cannot be asked not to wait at all.
const WRITE_WAIT: Duration = Duration::from_millis(5);

/// How long a client that was sent a last notice may take to hang up.
const LINGER: Duration = Duration::from_secs(1);

/// Starts the handshake thread.
///
/// # Errors
/// Where the system has no thread to give.
pub(super) fn spawn(
    relay: Arc<Relay>,
    kept: Arc<KeptPlaces>,
    pass: Pass,
    stream: TcpStream,
    peer: Peer,
) -> io::Result<()> {
    thread::Builder::new()
        .name("handshake".into())
        .stack_size(ARITHMETIC_STACK)
        .spawn(move || {
            if let Err(error) = handle_connection(&relay, kept, stream, peer, pass) {
                let line = format_args!("{peer}: {error}");
                relay.admission.stranger_log.write(Level::Debug, line);
            }
        })
        .map(drop)
}

/// Why a client does not get into a room.
enum EntryError {
    /// The client does not speak the protocol, or hung up: there is nobody to tell.
    Silent,
    /// The client speaks this protocol.
    Foreign(Protocol),
    /// The notice to send before hanging up (PROTOCOL §9), and who it is, once that is known.
    Told(Notice, Option<String>),
}

impl EntryError {
    /// Somebody with this card does not get in.
    fn of(card: &Card, notice: Notice) -> Self {
        Self::Told(notice, Some(who(card)))
    }
}

impl From<Notice> for EntryError {
    fn from(notice: Notice) -> Self {
        Self::Told(notice, None)
    }
}

impl From<ReadError> for EntryError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::TimedOut => Notice::HandshakeTooSlow.into(),
            ReadError::Length(_) => Notice::Malformed.into(),
            ReadError::Closed | ReadError::Broken | ReadError::Io(_) => Self::Silent,
        }
    }
}

impl From<io::Error> for EntryError {
    fn from(error: io::Error) -> Self {
        ReadError::from(error).into()
    }
}

fn handle_connection(
    relay: &Arc<Relay>,
    kept: Arc<KeptPlaces>,
    stream: TcpStream,
    peer: Peer,
    pass: Pass,
) -> io::Result<()> {
    stream.set_write_timeout(Some(WRITE_WAIT))?;
    let stream = Arc::new(stream);
    let placed = shake_hands(relay, &stream, &pass)
        .and_then(|(room, newcomer)| enter_room(relay, &stream, pass.network(), room, &newcomer));
    match placed {
        Ok((membership, connection)) => {
            let verb = if connection == 0 { "joined" } else { "resumed" };
            let line = format_args!("{} {verb} from {peer}", membership.who());
            relay.admission.member_log.write(Level::Info, line);
            let idle = Duration::from_secs(relay.config.limits.idle.into());
            stream.set_read_timeout(Some(idle))?;
            // What a new thread is given lies on its stack twice.
            let membership = Box::new(membership);
            thread::Builder::new()
                .name("reader".into())
                .stack_size(READER_STACK)
                .spawn(move || serve_member(membership, connection, stream, pass, &kept))
                .map(drop)
                .inspect_err(|error| relay.admission.report_shortage(error))
        }
        Err(EntryError::Silent) => {
            let line = format_args!("{peer} hung up early, or does not speak the protocol");
            relay.admission.stranger_log.write(Level::Debug, line);
            Ok(())
        }
        Err(EntryError::Foreign(protocol)) => {
            let hint = match protocol {
                Protocol::Proxy => ": have the load balancer send no such header",
                Protocol::Tls => ": put no TLS around it, as all is encrypted already",
                Protocol::Http | Protocol::Ssh | Protocol::Socks => "",
            };
            let line =
                format_args!("refused {peer}: it speaks {protocol}, and this relay does not{hint}");
            relay.admission.stranger_log.write(Level::Info, line);
            Ok(())
        }
        Err(EntryError::Told(notice, who)) => {
            match who {
                Some(who) => {
                    let who = format_args!("{who} from {peer}");
                    relay.admission.log_refusal(who, notice);
                }
                None => relay.admission.log_refusal(peer, notice),
            }
            (&*stream).write_all(&Frame::notice(notice.code()).encode())?;
            linger(&stream)
        }
    }
}

/// Reads the preamble and HELLO (PROTOCOL §6, §7), and checks who wants to enter which room.
fn shake_hands(
    relay: &Relay,
    stream: &TcpStream,
    pass: &Pass,
) -> Result<(RoomId, Newcomer), EntryError> {
    let mut reader = DeadlineReader::new(stream, Instant::now() + relay.config.handshake);
    let mut magic = [0; MAGIC.len()];
    let come = read_what_comes(&mut reader, &mut magic);
    if magic != MAGIC {
        let protocol = magic.get(..come).and_then(Protocol::of);
        return Err(protocol.map_or(EntryError::Silent, EntryError::Foreign));
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
    let newcomer = admit(&hello, &challenge, room)?;
    let card = &newcomer.card;
    let listed = relay.admission.check_listed(card.fingerprint());
    listed.map_err(|notice| EntryError::of(card, notice))?;
    Ok((room, newcomer))
}

/// Reads until the bytes are there or no more come, and returns how many have.
fn read_what_comes(reader: &mut impl Read, bytes: &mut [u8]) -> usize {
    let mut come = 0;
    while let Some(rest) = bytes.get_mut(come..).filter(|rest| !rest.is_empty()) {
        match reader.read(rest) {
            Ok(more) if more > 0 => come += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            _ => break,
        }
    }
    come
}

/// Waits until a client that was sent a last notice has hung up. To close the socket earlier, while
/// something of the client's is unread, could destroy the notice on its way.
fn linger(stream: &TcpStream) -> io::Result<()> {
    stream.shutdown(Shutdown::Write)?;
    let mut rest = DeadlineReader::new(stream, Instant::now() + LINGER);
    io::copy(&mut rest, &mut io::sink()).map(drop)
}

/// Gives a client the place of the member that it resumes, or a new one. Returns the number of the
/// member's connection too: 0 for the first.
fn enter_room(
    relay: &Arc<Relay>,
    stream: &Arc<TcpStream>,
    network: Network,
    room: RoomId,
    newcomer: &Newcomer,
) -> Result<(Membership, u64), EntryError> {
    let card = &newcomer.card;
    let refused = |notice| EntryError::of(card, notice);
    let resumed = match newcomer.resume_point {
        Some(resume_point) => {
            let resumed = relay.resume(room, card, resume_point, stream, network);
            resumed.map_err(refused)?
        }
        None => None,
    };
    let (membership, connection) = if let Some(resumed) = resumed {
        resumed
    } else {
        let joined = relay.join(room, card, &relay.outbox(stream, network));
        (joined.map_err(refused)?, 0)
    };
    membership.set_opens(newcomer.opens);
    Ok((membership, connection))
}

fn serve_member(
    mut membership: Box<Membership>,
    connection: u64,
    stream: Arc<TcpStream>,
    pass: Pass,
    kept: &KeptPlaces,
) {
    let outbox = Arc::clone(membership.outbox());
    // What was acknowledged over the connection before may not have come, and what that was for is on
    // its way once more: this comes after it.
    if connection > 0 {
        membership.acknowledge();
    }
    let departure = read_frames(&stream, &mut membership);
    let is_broken = matches!(departure, Departure::Lost | Departure::Silent);
    if is_broken && outbox.close_reason().is_none() && membership.can_come_back() {
        // It fails where the client hung up first.
        let _ = stream.shutdown(Shutdown::Both);
        drop(stream);
        kept.keep(*membership, connection, departure, pass);
    } else {
        membership.end(departure);
        outbox.wait_for_end(connection);
        drop(pass);
    }
}

/// After how many counted frames without a pause the member gets an acknowledgement.
const ACKNOWLEDGE_AFTER: u64 = 64;

/// Takes what the member sends until there is a reason for the member to go.
fn read_frames(stream: &TcpStream, membership: &mut Membership) -> Departure {
    let mut reader = BufReader::with_capacity(IDLE_BUFFER, stream);
    let mut acknowledged = membership.received();
    if !membership.wait_out(membership.first_pause()) {
        return Departure::Lost;
    }
    let mut memory = Charge::new(&membership.relay().admission.memory);
    loop {
        // What the frame before took is free again, or charged to who has it now.
        memory.set(0);
        if reader.buffer().is_empty() {
            let room = if has_unread(stream) {
                BUSY_BUFFER
            } else {
                IDLE_BUFFER
            };
            if room != reader.capacity() {
                reader = BufReader::with_capacity(room, stream);
            }
        }
        let frame = match read_frame_if(&mut reader, MAX_FRAME, |more| memory.grow(more)) {
            Ok(frame) => frame,
            Err(ReadError::TimedOut) => return Departure::Silent,
            Err(ReadError::Length(_)) => return Departure::Misbehaved,
            Err(ReadError::Closed | ReadError::Broken | ReadError::Io(_)) => {
                return match membership.outbox().close_reason() {
                    Some(CloseReason::Overflow) => Departure::Slow,
                    _ => Departure::Lost,
                };
            }
        };
        // Of a member that is sent away nothing is taken any more, however much is on its way: it is read
        // so that the last notice is not destroyed.
        if membership.outbox().close_reason().is_some() {
            continue;
        }
        let next = membership.take(frame);
        let pause = membership.throttle();
        let news = membership.received() - acknowledged;
        // One acknowledgement for all frames that came at once, and one before each pause: a client
        // that hears nothing for long takes the connection for dead.
        let is_last = reader.buffer().is_empty() || !pause.is_zero();
        let is_due = news >= ACKNOWLEDGE_AFTER || news > 0 && is_last;
        if is_due
            || matches!(
                next,
                AfterFrame::Acknowledge | AfterFrame::End(Departure::Left)
            )
        {
            membership.acknowledge();
            acknowledged = membership.received();
        }
        if let AfterFrame::End(departure) = next {
            return departure;
        }
        if !membership.wait_out(pause) {
            return Departure::Lost;
        }
    }
}
