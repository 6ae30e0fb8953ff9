//! Frames on their way into a socket, which may take only some of them at a time.

use std::io::{self, IoSlice};
use std::net::TcpStream;

use crate::room::relay::{OutgoingFrame, Unsent};

/// How much a socket took of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SendProgress {
    All,
    /// A part: the socket is full now.
    Part,
    /// Nothing: the socket was full before.
    Nothing,
}

/// Frames that are sent together, and how much of them has been sent.
#[derive(Debug)]
pub(super) struct WriteBatch {
    unsent: Unsent,
    /// How many frames have been sent whole, and how many bytes of the next one.
    whole: usize,
    sent: usize,
}

impl From<Unsent> for WriteBatch {
    fn from(unsent: Unsent) -> Self {
        Self {
            unsent,
            whole: 0,
            sent: 0,
        }
    }
}

impl WriteBatch {
    /// How many frames the batch began with.
    pub(super) fn len(&self) -> usize {
        self.unsent.frames().len()
    }

    fn left(&self) -> &[OutgoingFrame] {
        self.unsent.frames().get(self.whole..).unwrap_or_default()
    }

    /// Sends as much as the socket takes without waiting, with one system call, and without copying
    /// the frames first.
    ///
    /// # Errors
    /// Where the connection is broken.
    pub(super) fn send(&mut self, stream: &TcpStream) -> io::Result<SendProgress> {
        let mut slices = Vec::with_capacity(3 * self.left().len());
        let mut skipped = self.sent;
        for slice in self.left().iter().flat_map(OutgoingFrame::slices) {
            let rest = slice.get(skipped..).unwrap_or_default();
            skipped = skipped.saturating_sub(slice.len());
            if !rest.is_empty() {
                slices.push(IoSlice::new(rest));
            }
        }
        match send(stream, &slices) {
            Ok(written) => Ok(self.advance(written)),
            Err(error) if is_temporary(&error) => Ok(SendProgress::Nothing),
            Err(error) => Err(error),
        }
    }

    fn advance(&mut self, written: usize) -> SendProgress {
        self.sent += written;
        while let Some(next) = self.left().first().map(OutgoingFrame::len)
            && next <= self.sent
        {
            self.sent -= next;
            self.whole += 1;
        }
        if self.left().is_empty() {
            SendProgress::All
        } else if written > 0 {
            SendProgress::Part
        } else {
            SendProgress::Nothing
        }
    }
}

/// Whether a socket is only full. Systems say so with different errors.
fn is_temporary(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted
    )
}

/// Sends without waiting, although the socket is one on which reads wait.
#[cfg(unix)]
fn send(stream: &TcpStream, slices: &[IoSlice<'_>]) -> io::Result<usize> {
    use nix::sys::socket::{MsgFlags, sendmsg};
    use std::os::fd::AsRawFd as _;
    let flags = MsgFlags::MSG_DONTWAIT;
    Ok(sendmsg::<()>(stream.as_raw_fd(), slices, &[], flags, None)?)
}

/// Sends without waiting where no flag of a write can ask for that: asks the socket before each
/// small piece whether it takes any more. A write that took too long would not do: Windows does not
/// tell how much of it was sent.
#[cfg(not(unix))]
fn send(mut stream: &TcpStream, slices: &[IoSlice<'_>]) -> io::Result<usize> {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use std::io::Write as _;
    const PIECE: usize = 4096;
    let mut sent = 0;
    for piece in slices.iter().flat_map(|slice| slice.chunks(PIECE)) {
        let mut socket = [PollFd::new(&stream, PollFlags::OUT)];
        if poll(&mut socket, Some(&Timespec::default()))? == 0 {
            break;
        }
        stream
            .write_all(piece)
            .map_err(|_| io::ErrorKind::BrokenPipe)?;
        sent += piece.len();
    }
    Ok(sent)
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{Ipv4Addr, TcpListener};
    use std::thread;
    use std::time::Duration;

    use super::*;
    use crate::room::frame::{Frame, MAX_FRAME};
    use crate::room::relay::Backlog;

    #[test]
    fn what_a_full_socket_leaves_is_sent_later_byte_for_byte() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        near.set_write_timeout(Some(Duration::from_millis(5)))
            .unwrap();
        let (mut far, _) = listener.accept().unwrap();
        // The socket is full of something else, and does not grow.
        #[cfg(unix)]
        for socket in [&near, &far] {
            use nix::sys::socket::{setsockopt, sockopt};
            setsockopt(socket, sockopt::SndBuf, &8192).unwrap();
            setsockopt(socket, sockopt::RcvBuf, &8192).unwrap();
        }
        near.set_nonblocking(true).unwrap();
        let mut expected = Vec::new();
        while let Ok(count) = (&near).write(&[7; 4096]) {
            expected.resize(expected.len() + count, 7);
        }
        near.set_nonblocking(false).unwrap();
        // As many frames as go into one bundle, and then a long one.
        let frames: Vec<Frame> = (0..100u8)
            .map(|number| Frame::member(&[number]))
            .chain([Frame::member(&vec![100; MAX_FRAME - 8])])
            .collect();
        expected.extend(frames.iter().flat_map(Frame::encode));
        let mut backlog = Backlog::new(usize::MAX);
        for frame in frames {
            backlog.post(frame.into()).unwrap();
        }
        let mut batch = WriteBatch::from(backlog.take().unwrap());
        assert_eq!(batch.len(), 101);
        while batch.send(&near).unwrap() != SendProgress::Nothing {}
        assert!(!batch.left().is_empty(), "the socket is never full");
        let length = expected.len();
        let reader = thread::spawn(move || {
            let mut read = vec![0; length];
            far.read_exact(&mut read).unwrap();
            read
        });
        while batch.send(&near).unwrap() != SendProgress::All {
            thread::sleep(Duration::from_millis(1));
        }
        assert!(reader.join().unwrap() == expected);
    }

    #[test]
    fn a_broken_connection_is_not_a_full_one() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        near.shutdown(std::net::Shutdown::Both).unwrap();
        let mut backlog = Backlog::new(usize::MAX);
        backlog.post(Frame::ping().into()).unwrap();
        let mut batch = WriteBatch::from(backlog.take().unwrap());
        batch.send(&near).unwrap_err();
    }
}
