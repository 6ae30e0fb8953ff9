//! Frames on their way into a socket, which may take only some of them at a time.

use std::io;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::room::relay::{OutgoingFrame, Unsent};

use super::socket::send;

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

    /// Sends as much as the socket takes without waiting, with one system call. The frames are put
    /// together in `buffer` first: the system copies what lies in one piece far quicker than the many
    /// short pieces that frames are made of.
    ///
    /// # Errors
    /// Where the connection is broken.
    pub(super) fn send(
        &mut self,
        stream: &TcpStream,
        buffer: &mut Vec<u8>,
    ) -> io::Result<SendProgress> {
        buffer.clear();
        for slice in self.left().iter().flat_map(OutgoingFrame::slices) {
            buffer.extend_from_slice(slice);
        }
        match send(stream, buffer.get(self.sent..).unwrap_or_default()) {
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

/// A batch that is to be sent before anything else: what a full socket has left, or a PING.
pub(super) struct PendingBatch {
    pub(super) batch: WriteBatch,
    /// Since when the socket takes nothing.
    pub(super) since: Instant,
    /// For how long the writer leaves a full socket alone.
    pub(super) pause: Duration,
    /// When the writer sends it.
    pub(super) until: Instant,
}

/// Whether a socket is only full. Systems say so with different errors.
fn is_temporary(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted
    )
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{Ipv4Addr, TcpListener};
    use std::thread;

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
        while batch.send(&near, &mut Vec::new()).unwrap() != SendProgress::Nothing {}
        assert!(!batch.left().is_empty(), "the socket is never full");
        let length = expected.len();
        let reader = thread::spawn(move || {
            let mut read = vec![0; length];
            far.read_exact(&mut read).unwrap();
            read
        });
        while batch.send(&near, &mut Vec::new()).unwrap() != SendProgress::All {
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
        batch.send(&near, &mut Vec::new()).unwrap_err();
    }
}
