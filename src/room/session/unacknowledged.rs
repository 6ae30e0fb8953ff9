//! What a member has sent and the relay has not acknowledged, for sending it again as it was; and
//! what the relay could not deliver, because its reader was away.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use crate::cipher::encoding::Malformed;
use crate::room::card::SessionId;
use crate::room::frame::Frame;
use crate::room::message::{Header, SealedMessage, Stream};

/// How long a message waits for a reader to come back.
const HOLD: Duration = Duration::from_mins(5);

/// A message that was said.
pub(super) struct Said {
    sealed: SealedMessage,
    text: String,
    /// The number of its receipt.
    receipt: u64,
    /// Whether the relay has had it before: it goes to a reader who was away then.
    is_repeated: bool,
}

impl Said {
    pub(super) fn new(sealed: SealedMessage, text: String, receipt: u64) -> Self {
        Self {
            sealed,
            text,
            receipt,
            is_repeated: false,
        }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Whom it is encrypted to.
    pub(super) fn readers(&self) -> impl Iterator<Item = SessionId> {
        let parcels = self.sealed.parcels.iter();
        parcels.filter(|(_, c)| !c.is_empty()).map(|(sid, _)| *sid)
    }

    /// Under which session id it was written.
    pub(super) fn sender(&self) -> Option<SessionId> {
        Some(Header::parse(&self.sealed.header).ok()?.sender)
    }

    /// Its header, if it is one that comes back: to the room, and sent for the first time.
    pub(super) fn header_to_come_back(&self) -> Option<Vec<u8>> {
        let header = Header::parse(&self.sealed.header).ok()?;
        let comes_back = header.stream == Stream::Room && !self.is_repeated;
        comes_back.then(|| self.sealed.header.clone())
    }

    /// The same message for some of its readers alone, if it has any of them.
    fn only_for(&self, is_meant: impl Fn(SessionId) -> bool) -> Option<Self> {
        let meant = self.sealed.parcels.iter().filter(|(sid, _)| is_meant(*sid));
        let parcels: Vec<_> = meant.cloned().collect();
        (!parcels.is_empty()).then(|| Self {
            sealed: SealedMessage {
                header: self.sealed.header.clone(),
                signature: self.sealed.signature.clone(),
                parcels,
            },
            text: self.text.clone(),
            receipt: self.receipt,
            is_repeated: true,
        })
    }
}

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
            Self::Message(said) => said.sealed.frames(),
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
    /// Messages for those who are away, and until when they wait.
    held: Vec<(Duration, Said)>,
    /// Messages that wait for nobody any more: the relay takes them from nobody, even if their
    /// readers come back before they are reported.
    given_up: Vec<Said>,
}

impl Unacknowledged {
    pub(super) fn is_empty(&self) -> bool {
        self.sent.is_empty()
    }

    /// Whether there is a message in it.
    pub(super) fn has_message(&self) -> bool {
        let mut sent = self.sent.iter();
        sent.any(|(_, sent)| matches!(sent, Sent::Message(_)))
    }

    /// Whether the message with this receipt is in it, and was not there before.
    pub(super) fn has(&self, receipt: u64) -> bool {
        self.sent.iter().any(|(_, sent)| {
            matches!(sent, Sent::Message(said) if said.receipt == receipt && !said.is_repeated)
        })
    }

    /// Who is told of the messages to the room that are in it and were written under this session id:
    /// for each message its readers, and those whom it leaves out.
    pub(super) fn readers_of_messages_to_the_room(&self, sender: SessionId) -> Vec<SessionId> {
        let messages = self.sent.iter().filter_map(|(_, sent)| match sent {
            Sent::Message(said) => Header::parse(&said.sealed.header).ok().zip(Some(said)),
            Sent::Word(_) | Sent::Key(_) => None,
        });
        let of_sender = messages.filter(|(it, _)| it.sender == sender && it.stream == Stream::Room);
        let parcels = of_sender.flat_map(|(_, said)| &said.sealed.parcels);
        parcels.map(|(reader, _)| *reader).collect()
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
            taken += usize::from(matches!(sent, Sent::Message(said) if !said.is_repeated));
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

    /// Keeps a message for those of its readers who are away.
    pub(super) fn hold(&mut self, said: &Said, is_away: impl Fn(SessionId) -> bool, now: Duration) {
        self.held
            .extend(said.only_for(is_away).map(|said| (now + HOLD, said)));
    }

    /// For whom messages are kept.
    pub(super) fn held_for(&self) -> HashSet<SessionId> {
        let parcels = self.held.iter().flat_map(|(_, said)| &said.sealed.parcels);
        parcels.map(|(sid, _)| *sid).collect()
    }

    /// Takes the messages that were kept for those who have come back.
    pub(super) fn take_held(&mut self, back: &HashSet<SessionId>) -> Vec<Said> {
        let is_back = |sid| back.contains(&sid);
        let mut taken = Vec::new();
        for (_, said) in &mut self.held {
            taken.extend(said.only_for(is_back));
            said.sealed.parcels.retain(|(sid, _)| !is_back(*sid));
        }
        self.held
            .retain(|(_, said)| !said.sealed.parcels.is_empty());
        taken
    }

    /// Gives up the messages that wait and were not written under this session id.
    pub(super) fn give_up_all_but(&mut self, sender: SessionId) {
        let is_other = |(_, said): &mut (Duration, Said)| said.sender() != Some(sender);
        let others = self.held.extract_if(.., is_other);
        self.given_up.extend(others.map(|(_, said)| said));
    }

    /// Gives up a message that cannot be sent again.
    pub(super) fn give_up(&mut self, said: Said) {
        self.given_up.push(said);
    }

    /// Takes the messages that are given up, or have waited too long.
    pub(super) fn take_expired(&mut self, now: Duration) -> Vec<Said> {
        let is_expired = |(until, _): &mut (Duration, Said)| *until <= now;
        let expired = self.held.extract_if(.., is_expired);
        let given_up = std::mem::take(&mut self.given_up).into_iter();
        given_up.chain(expired.map(|(_, said)| said)).collect()
    }

    /// The messages that wait for somebody, or are on their way to somebody who has come back.
    pub(super) fn held(&self) -> impl Iterator<Item = &Said> {
        let held = self.held.iter().map(|(_, said)| said);
        held.chain(&self.given_up)
            .chain(self.sent.iter().filter_map(|(_, sent)| match sent {
                Sent::Message(said) if said.is_repeated => Some(said),
                _ => None,
            }))
    }

    /// The texts that the relay has not taken.
    pub(super) fn texts(&self) -> impl Iterator<Item = &str> {
        self.sent.iter().filter_map(|(_, sent)| match sent {
            Sent::Message(said) if !said.is_repeated => Some(said.text()),
            _ => None,
        })
    }
}
