//! What is asked of a socket that waits when it is read, and that must not wait here.

use std::io;
use std::net::TcpStream;

/// Sends as much as the socket takes without waiting.
#[cfg(unix)]
pub(super) fn send(stream: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
    use nix::sys::socket::{MsgFlags, send};
    use std::os::fd::AsRawFd as _;
    Ok(send(stream.as_raw_fd(), bytes, MsgFlags::MSG_DONTWAIT)?)
}

/// Sends without waiting where no flag of a write can ask for that: asks the socket before each
/// small piece whether it takes any more. A write that took too long would not do: Windows does not
/// tell how much of it was sent.
#[cfg(not(unix))]
pub(super) fn send(mut stream: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
    use std::io::Write as _;
    const PIECE: usize = 4096;
    let mut sent = 0;
    for piece in bytes.chunks(PIECE) {
        if !is_ready(stream, rustix::event::PollFlags::OUT)? {
            break;
        }
        stream
            .write_all(piece)
            .map_err(|_| io::ErrorKind::BrokenPipe)?;
        sent += piece.len();
    }
    Ok(sent)
}

/// Whether something has come that nobody has read.
#[cfg(unix)]
pub(super) fn has_unread(stream: &TcpStream) -> bool {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    use std::os::fd::AsFd as _;
    let mut socket = [PollFd::new(stream.as_fd(), PollFlags::POLLIN)];
    poll(&mut socket, PollTimeout::ZERO).is_ok_and(|count| count > 0)
}

/// Whether something has come that nobody has read.
#[cfg(not(unix))]
pub(super) fn has_unread(stream: &TcpStream) -> bool {
    is_ready(stream, rustix::event::PollFlags::IN).unwrap_or(false)
}

#[cfg(not(unix))]
fn is_ready(stream: &TcpStream, what: rustix::event::PollFlags) -> io::Result<bool> {
    use rustix::event::{PollFd, Timespec, poll};
    let mut socket = [PollFd::new(&stream, what)];
    Ok(poll(&mut socket, Some(&Timespec::default()))? > 0)
}
