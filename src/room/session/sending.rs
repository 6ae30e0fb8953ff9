//! What this member has sent over the present stay: until the relay has acknowledged it, for sending it
//! again where the connection goes on; and what of it has its place in the chain, until it has come
//! back (PROTOCOL §8).

use std::collections::VecDeque;
use std::time::Duration;

use crate::cipher::encoding::{Digest, Malformed};
use crate::room::card::Card;
use crate::room::chain::{Claim, EntryKind};
use crate::room::content::Unproven;
use crate::room::frame::Frame;

/// Something that is counted.
pub(super) enum Sent {
    /// A frame.
    Frame(Frame),
    /// The message with this receipt, which is in the outbox.
    Message(u64),
}

/// What becomes an entry of the chain.
pub(super) enum Own {
    /// A statement to all.
    Statement {
        kind: EntryKind,
        digest: Digest,
        claim: Claim,
    },
    /// Another card.
    Rekey(Box<Card>),
    /// The message with this receipt.
    Message(u64),
}

/// How many bytes of statements and copies are kept that the relay has not acknowledged, or of which it
/// has not told their places. A relay that takes none of them, or puts none into the chain, cannot fill the
/// memory: this member enters anew, and they are gone.
const MOST_BYTES: usize = 64 << 20;

/// An entry that has not come back.
pub(super) struct NotBack {
    pub(super) own: Own,
    /// When it was signed, by active time.
    pub(super) signed: Duration,
    /// Which of the things that this member has sent it is.
    pub(super) order: u64,
    /// How many counted frames were sent with its last one.
    through: u64,
}

impl NotBack {
    /// About how many bytes of memory it takes. A message is in the outbox.
    fn memory(&self) -> usize {
        let claimed = match &self.own {
            Own::Statement { claim, .. } => claim.unread.memory(),
            Own::Rekey(_) | Own::Message(_) => 0,
        };
        size_of::<Self>() + claimed
    }
}

/// An entry that has come back: all that is known of it, as the outbox may forget it before its place in the
/// chain is reached.
pub(super) struct CameBack {
    pub(super) kind: EntryKind,
    pub(super) digest: Digest,
    /// What it claims, unless it is a card.
    pub(super) claim: Option<Claim>,
    /// The card that it is, if it is one.
    pub(super) card: Option<Box<Card>>,
    /// What of it can be handed on.
    pub(super) copy: Option<Unproven>,
    /// When it was signed, by active time.
    pub(super) signed: Duration,
    /// Which of the things that this member has sent it is.
    pub(super) order: u64,
}

/// What an ACK says.
pub(super) struct Acknowledged {
    /// The receipts of the messages that the relay has taken as a whole.
    pub(super) messages: Vec<u64>,
    /// Whether it counts an entry that has not come back.
    pub(super) is_swallowed: bool,
    /// Whether it counts more than the one before.
    pub(super) is_news: bool,
}

/// All that was sent and is not done with, oldest first.
#[derive(Default)]
pub(super) struct Sending {
    /// Each with the number of its frames.
    unacknowledged: VecDeque<(usize, Sent)>,
    /// How many counted frames the relay has acknowledged, and how many of these are of the first
    /// thing in `unacknowledged`, which it has not acknowledged as a whole.
    taken: u64,
    partly: usize,
    sent: u64,
    not_back: VecDeque<NotBack>,
    orders: u64,
}

impl Sending {
    pub(super) fn is_empty(&self) -> bool {
        self.unacknowledged.is_empty()
    }

    /// Whether more is waiting for an acknowledgement, or to come back, than can be kept. Messages are kept
    /// elsewhere.
    pub(super) fn is_overrun(&self) -> bool {
        let unacknowledged = self.unacknowledged.iter().map(|(_, sent)| match sent {
            Sent::Frame(frame) => frame.size(),
            Sent::Message(_) => 0,
        });
        let not_back = self.not_back.iter().map(NotBack::memory);
        unacknowledged.chain(not_back).sum::<usize>() > MOST_BYTES
    }

    /// The number of the next thing that this member sends, over all its stays.
    pub(super) fn next_order(&mut self) -> u64 {
        self.orders += 1;
        self.orders
    }

    /// Something is sent, in so many frames.
    pub(super) fn push(&mut self, sent: Sent, frames: usize) {
        self.sent += u64::try_from(frames).unwrap_or(u64::MAX);
        self.unacknowledged.push_back((frames, sent));
    }

    /// What was pushed last is an entry.
    pub(super) fn expect_back(&mut self, own: Own, signed: Duration, order: u64) {
        self.not_back.push_back(NotBack {
            own,
            signed,
            order,
            through: self.sent,
        });
    }

    /// The relay has put this member's oldest entry that was not back into the chain.
    pub(super) fn take_back(&mut self) -> Option<NotBack> {
        self.not_back.pop_front()
    }

    /// The relay has refused the oldest entry that was not back. Returns whether it may: if that is a
    /// card.
    pub(super) fn take_refused(&mut self) -> bool {
        let is_card = |not_back: &mut NotBack| matches!(not_back.own, Own::Rekey(_));
        self.not_back.pop_front_if(is_card).is_some()
    }

    /// The relay has taken so many frames.
    ///
    /// # Errors
    /// Where it said more before, or more than were sent.
    pub(super) fn acknowledge(&mut self, count: u64) -> Result<Acknowledged, Malformed> {
        let news = count.checked_sub(self.taken).ok_or(Malformed)?;
        if count > self.sent {
            return Err(Malformed);
        }
        let mut frames = self.partly + usize::try_from(news).map_err(|_| Malformed)?;
        let mut messages = Vec::new();
        while let Some((number, sent)) = self
            .unacknowledged
            .pop_front_if(|(number, _)| *number <= frames)
        {
            frames -= number;
            if let Sent::Message(receipt) = sent {
                messages.push(receipt);
            }
        }
        self.partly = frames;
        self.taken = count;
        let first = self.not_back.front();
        Ok(Acknowledged {
            messages,
            is_swallowed: first.is_some_and(|first| first.through <= count),
            is_news: news > 0,
        })
    }

    /// What the relay has not taken, for a connection that goes on where it broke: the frames, made
    /// by `frames` of each thing.
    pub(super) fn frames(&self, frames: impl Fn(&Sent) -> Vec<Frame>) -> Vec<Frame> {
        let all = self
            .unacknowledged
            .iter()
            .flat_map(|(_, sent)| frames(sent));
        all.skip(self.partly).collect()
    }

    /// Another stay begins: nothing was sent in it yet.
    pub(super) fn begin_again(&mut self) {
        *self = Self {
            orders: self.orders,
            ..Self::default()
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::room::chain::Link;
    use crate::room::names::{RoomId, RunId};

    fn message(sending: &mut Sending, receipt: u64, frames: usize) {
        sending.push(Sent::Message(receipt), frames);
        let order = sending.next_order();
        sending.expect_back(Own::Message(receipt), Duration::ZERO, order);
    }

    #[test]
    fn a_message_is_taken_with_its_last_frame_and_not_before_it_is_back() {
        let mut sending = Sending::default();
        message(&mut sending, 1, 1);
        message(&mut sending, 2, 3);
        assert!(sending.acknowledge(1).is_ok_and(|it| it.is_swallowed));
        assert!(sending.take_back().is_some());
        let part = sending
            .acknowledge(3)
            .unwrap_or_else(|_| panic!("two of three"));
        assert!(part.messages.is_empty() && !part.is_swallowed);
        let frames = |sent: &Sent| {
            vec![Frame::ping(); 1 + 2 * usize::from(matches!(sent, Sent::Message(2)))]
        };
        assert_eq!(sending.frames(frames).len(), 1);
        assert!(sending.take_back().is_some());
        assert!(
            sending
                .acknowledge(4)
                .is_ok_and(|it| it.messages == [2] && !it.is_swallowed)
        );
        assert!(sending.is_empty());
    }

    #[test]
    fn acknowledgements_of_what_was_never_sent_or_taken_back_are_refused() {
        let mut sending = Sending::default();
        assert!(sending.acknowledge(1).is_err());
        sending.push(Sent::Frame(Frame::ping()), 1);
        assert!(sending.acknowledge(2).is_err());
        assert!(sending.acknowledge(u64::MAX).is_err());
        assert!(sending.acknowledge(1).is_ok());
        assert!(sending.acknowledge(0).is_err());
    }

    #[test]
    fn a_relay_that_acknowledges_nothing_does_not_fill_the_memory() {
        let mut sending = Sending::default();
        let statement = Frame::statement(&vec![0; 1 << 20], &[]);
        for _ in 0..64 {
            assert!(!sending.is_overrun());
            sending.push(Sent::Frame(statement.clone()), 1);
        }
        assert!(sending.is_overrun());
        sending.begin_again();
        assert!(!sending.is_overrun());
    }

    #[test]
    fn a_relay_that_acknowledges_all_and_gives_nothing_back_does_not_fill_the_memory() {
        let mut sending = Sending::default();
        let run = RunId([0; 16]);
        let claim = Claim {
            run,
            link: Link::start(run, RoomId([0; 32]), 1000),
            roster: [0; 32],
            unread: (0..256).map(|number| (2 * number, 2 * number)).collect(),
        };
        let statement = Frame::statement(&[], &[]);
        let most = MOST_BYTES / (256 * size_of::<(u64, u64)>());
        for number in 1..=most {
            assert!(!sending.is_overrun(), "after {number}");
            sending.push(Sent::Frame(statement.clone()), 1);
            let own = Own::Statement {
                kind: EntryKind::Statement,
                digest: [0; 32],
                claim: claim.clone(),
            };
            let order = sending.next_order();
            sending.expect_back(own, Duration::ZERO, order);
            let count = number.try_into().unwrap();
            assert!(sending.acknowledge(count).is_ok_and(|it| it.is_swallowed));
            if sending.is_overrun() {
                return;
            }
        }
        panic!("{most} claims are kept");
    }

    #[test]
    fn nothing_but_a_card_is_refused() {
        let mut sending = Sending::default();
        assert!(!sending.take_refused());
        message(&mut sending, 1, 1);
        assert!(!sending.take_refused());
        assert!(sending.take_back().is_some());
    }
}
