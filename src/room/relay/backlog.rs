//! What is on its way to one member: frames that wait, and frames that were sent and that the
//! member has not acknowledged. They outlive its connection (PROTOCOL §8).

use std::collections::VecDeque;

use crate::cipher::encoding::Malformed;
use crate::room::frame::Frame;

use super::Outgoing;

/// The most frames and bytes that are taken at once.
const BATCH_FRAMES: usize = 256;
const BATCH_BYTES: usize = 64 * 1024;

/// After so many counted frames, or bytes of them, the member is asked for an acknowledgement.
const ASK_FRAMES: usize = 64;
const ASK_BYTES: usize = 64 * 1024;

/// For how many frames space is kept while there are none.
const KEPT_FRAMES: usize = 8;

/// There is no room for a frame: the member does not read, or does not acknowledge.
#[derive(Debug, PartialEq, Eq)]
pub struct Overflow;

/// A member's frames, oldest first.
#[derive(Debug)]
pub struct Backlog {
    unacknowledged: VecDeque<Outgoing>,
    waiting: VecDeque<Outgoing>,
    /// All of them together.
    bytes: usize,
    max_bytes: usize,
    /// How many counted frames the member has acknowledged.
    acknowledged: u64,
    /// What was sent since the member was last asked for an acknowledgement.
    unasked_frames: usize,
    unasked_bytes: usize,
}

impl Backlog {
    /// An empty one of at most `max_bytes` bytes, counted as [`Outgoing::weight`] does.
    #[must_use]
    pub fn new(max_bytes: usize) -> Self {
        Self {
            unacknowledged: VecDeque::new(),
            waiting: VecDeque::new(),
            bytes: 0,
            max_bytes,
            acknowledged: 0,
            unasked_frames: 0,
            unasked_bytes: 0,
        }
    }

    /// Whether nothing waits to be sent.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Adds a frame.
    ///
    /// # Errors
    /// Where there is no room for it.
    pub fn post(&mut self, frame: Outgoing) -> Result<(), Overflow> {
        if self.bytes + frame.weight() > self.max_bytes {
            return Err(Overflow);
        }
        self.bytes += frame.weight();
        self.waiting.push_back(frame);
        Ok(())
    }

    /// Moves frames that wait into `batch`, as many as are to be written at once.
    pub fn take(&mut self, batch: &mut Vec<Outgoing>) {
        let mut bytes = 0;
        while bytes < BATCH_BYTES && batch.len() < BATCH_FRAMES {
            let Some(frame) = self.waiting.pop_front() else {
                break;
            };
            bytes += frame.len();
            if frame.is_counted() {
                self.unasked_frames += 1;
                self.unasked_bytes += frame.len();
                self.unacknowledged.push_back(frame.clone());
            } else {
                self.bytes -= frame.weight();
            }
            batch.push(frame);
        }
        if self.unasked_frames >= ASK_FRAMES || self.unasked_bytes >= ASK_BYTES {
            batch.push(self.ping());
        }
    }

    /// The frame that asks the member for an acknowledgement, if there is something to
    /// acknowledge that it has not been asked for. It is quiet: what a rush has taken is given back.
    pub fn ask(&mut self) -> Option<Outgoing> {
        if self.waiting.is_empty() && self.waiting.capacity() > KEPT_FRAMES {
            self.waiting = VecDeque::new();
        }
        if self.unasked_frames == 0 {
            return None;
        }
        Some(self.ping())
    }

    fn ping(&mut self) -> Outgoing {
        (self.unasked_frames, self.unasked_bytes) = (0, 0);
        Frame::ping().into()
    }

    /// Whether [`Backlog::ask`] has something to do.
    #[must_use]
    pub fn wants_quiet(&self) -> bool {
        self.unasked_frames > 0 || self.waiting.capacity() > KEPT_FRAMES
    }

    /// The member has taken so many counted frames.
    ///
    /// # Errors
    /// Where it said more before, or more than were sent.
    pub fn acknowledge(&mut self, count: u64) -> Result<(), Malformed> {
        let news = count.checked_sub(self.acknowledged).ok_or(Malformed)?;
        let news = usize::try_from(news).map_err(|_| Malformed)?;
        if news > self.unacknowledged.len() {
            return Err(Malformed);
        }
        let taken: usize = self.unacknowledged.drain(..news).map(|f| f.weight()).sum();
        self.bytes -= taken;
        self.acknowledged = count;
        // What a burst needed is given back.
        if self.unacknowledged.is_empty() && self.unacknowledged.capacity() > KEPT_FRAMES {
            self.unacknowledged = VecDeque::new();
        }
        Ok(())
    }

    /// A new connection takes over, over which the member says that it has taken so many counted
    /// frames: the others are sent again. Frames that are not counted belonged to the connection
    /// before.
    ///
    /// # Errors
    /// As [`Backlog::acknowledge`].
    pub fn resume(&mut self, received: u64) -> Result<(), Malformed> {
        self.acknowledge(received)?;
        self.unacknowledged.append(&mut self.waiting);
        std::mem::swap(&mut self.unacknowledged, &mut self.waiting);
        self.waiting.retain(Outgoing::is_counted);
        self.bytes = self.waiting.iter().map(Outgoing::weight).sum();
        (self.unasked_frames, self.unasked_bytes) = (0, 0);
        Ok(())
    }

    /// Adds a frame before all that waits, and that is not counted.
    pub fn post_first(&mut self, frame: Outgoing) {
        self.bytes += frame.weight();
        self.waiting.push_front(frame);
    }

    /// Drops everything that waits.
    pub fn clear(&mut self) {
        self.waiting.clear();
        self.unacknowledged.clear();
        self.bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted() -> Outgoing {
        Frame::leave().into()
    }

    fn taken(backlog: &mut Backlog) -> usize {
        let mut batch = Vec::new();
        backlog.take(&mut batch);
        batch.iter().filter(|frame| frame.is_counted()).count()
    }

    #[test]
    fn what_was_not_acknowledged_is_sent_again_and_nothing_else() {
        let mut backlog = Backlog::new(1 << 20);
        for _ in 0..5 {
            backlog.post(counted()).unwrap();
            backlog.post(Frame::ack(1).into()).unwrap();
        }
        assert_eq!(taken(&mut backlog), 5);
        backlog.post(counted()).unwrap();
        backlog.acknowledge(2).unwrap();
        backlog.resume(3).unwrap();
        backlog.post_first(Frame::welcome_back(0).into());
        let mut batch = Vec::new();
        backlog.take(&mut batch);
        let is_counted: Vec<bool> = batch.iter().map(Outgoing::is_counted).collect();
        assert_eq!(is_counted, [false, true, true, true]);
    }

    #[test]
    fn acknowledgements_of_what_was_never_sent_or_taken_back_are_refused() {
        let mut backlog = Backlog::new(1 << 20);
        backlog.post(counted()).unwrap();
        assert_eq!(backlog.acknowledge(1), Err(Malformed));
        assert_eq!(taken(&mut backlog), 1);
        assert_eq!(backlog.acknowledge(2), Err(Malformed));
        assert_eq!(backlog.acknowledge(u64::MAX), Err(Malformed));
        assert_eq!(backlog.acknowledge(1), Ok(()));
        assert_eq!(backlog.acknowledge(0), Err(Malformed));
        assert_eq!(backlog.resume(0), Err(Malformed));
    }

    #[test]
    fn what_is_not_acknowledged_fills_it_too() {
        let mut backlog = Backlog::new(3 * counted().weight());
        for _ in 0..3 {
            backlog.post(counted()).unwrap();
        }
        assert_eq!(taken(&mut backlog), 3);
        assert_eq!(backlog.post(counted()), Err(Overflow));
        backlog.acknowledge(1).unwrap();
        assert_eq!(backlog.post(counted()), Ok(()));
    }

    #[test]
    fn the_member_is_asked_once_for_what_was_sent() {
        let mut backlog = Backlog::new(1 << 20);
        let pings = |backlog: &mut Backlog| {
            let mut batch = Vec::new();
            backlog.take(&mut batch);
            batch.len()
        };
        backlog.post(counted()).unwrap();
        assert_eq!(pings(&mut backlog), 1);
        assert!(backlog.wants_quiet());
        assert!(backlog.ask().is_some());
        assert!(backlog.ask().is_none());
        for _ in 0..ASK_FRAMES {
            backlog.post(counted()).unwrap();
        }
        assert_eq!(pings(&mut backlog), ASK_FRAMES + 1);
        assert!(backlog.ask().is_none());
        assert!(!backlog.wants_quiet());
    }
}
