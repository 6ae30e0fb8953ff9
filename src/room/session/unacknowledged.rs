//! What a member has sent and the relay has not acknowledged, for sending it again as it was.

use std::collections::VecDeque;

use crate::cipher::encoding::Malformed;
use crate::room::card::SessionId;
use crate::room::frame::Frame;

use super::said::Said;

/// Something that is counted.
pub(super) enum Sent {
    /// A statement or a goodbye: what was true over that connection.
    Word(Frame),
    /// A new session key.
    Key(Frame),
    /// A message.
    Message(Said),
}

impl Sent {
    fn frames(&self) -> Vec<Frame> {
        match self {
            Self::Word(frame) | Self::Key(frame) => vec![frame.clone()],
            Self::Message(said) => said.frames(),
        }
    }
}

/// All that the relay has not acknowledged, oldest first.
#[derive(Default)]
pub(super) struct Unacknowledged {
    /// Each with the number of its frames.
    sent: VecDeque<(usize, Sent)>,
    /// How many counted frames the relay has acknowledged, and how many of these are of the first
    /// thing in `sent`, which it has not acknowledged as a whole.
    taken: u64,
    partly: usize,
}

impl Unacknowledged {
    pub(super) fn is_empty(&self) -> bool {
        self.sent.is_empty()
    }

    /// The messages in it, oldest first.
    pub(super) fn messages(&self) -> impl Iterator<Item = &Said> {
        self.sent.iter().filter_map(|(_, sent)| match sent {
            Sent::Message(said) => Some(said),
            Sent::Word(_) | Sent::Key(_) => None,
        })
    }

    /// Who is told of the messages to the room that are in it and were written under this session id:
    /// for each message its readers, and those whom it leaves out.
    pub(super) fn informed_of_messages_to_the_room(&self, sender: SessionId) -> Vec<SessionId> {
        let messages = self.messages();
        let to_room = messages.filter(|said| said.sender() == sender && said.is_to_room());
        to_room.flat_map(Said::informed).collect()
    }

    /// Adds something; returns the frames that carry it.
    pub(super) fn push(&mut self, sent: Sent) -> Vec<Frame> {
        let frames = sent.frames();
        self.sent.push_back((frames.len(), sent));
        frames
    }

    /// The relay has taken so many frames. Returns how many messages it has taken for the first
    /// time.
    ///
    /// # Errors
    /// Where it said more before, or more than were sent.
    pub(super) fn acknowledge(&mut self, count: u64) -> Result<usize, Malformed> {
        let news = count.checked_sub(self.taken).ok_or(Malformed)?;
        let news = usize::try_from(news).map_err(|_| Malformed)?;
        let mut frames = self.partly.checked_add(news).ok_or(Malformed)?;
        let all: usize = self.sent.iter().map(|(frames, _)| frames).sum();
        if frames > all {
            return Err(Malformed);
        }
        let mut taken = 0;
        while let Some((number, sent)) = self.sent.pop_front_if(|(number, _)| *number <= frames) {
            frames -= number;
            taken += usize::from(matches!(sent, Sent::Message(said) if said.receipt().is_some()));
        }
        self.partly = frames;
        self.taken = count;
        Ok(taken)
    }

    /// The relay has shown that it has taken the new session key that is on its way, and so
    /// everything before it. Returns what [`Unacknowledged::acknowledge`] does.
    pub(super) fn acknowledge_key(&mut self) -> usize {
        let is_key = |(_, sent): &(usize, Sent)| matches!(sent, Sent::Key(_));
        let Some(place) = self.sent.iter().position(is_key) else {
            return 0;
        };
        let frames: usize = self.sent.iter().take(place + 1).map(|(n, _)| n).sum();
        let news = u64::try_from(frames - self.partly).expect("a usize");
        self.acknowledge(self.taken + news)
            .expect("so many were sent")
    }

    /// The frames that the relay has not taken, for a connection that goes on where it broke.
    pub(super) fn frames(&self) -> Vec<Frame> {
        let all = self.sent.iter().flat_map(|(_, sent)| sent.frames());
        all.skip(self.partly).collect()
    }

    /// Begins to count anew, in another membership, and returns what is to be sent in it again.
    ///
    /// These are the messages: statements were true over that connection, and a new session key is
    /// in the card that the member comes with.
    pub(super) fn begin_again(&mut self) -> Vec<Said> {
        (self.taken, self.partly) = (0, 0);
        let sent = std::mem::take(&mut self.sent).into_iter();
        let messages = sent.filter_map(|(_, sent)| match sent {
            Sent::Message(said) => Some(said),
            Sent::Word(_) | Sent::Key(_) => None,
        });
        messages.collect()
    }
}
