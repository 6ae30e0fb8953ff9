//! Which room the relay has shown to a member, and in which order its messages: what members
//! compare in order to notice that they were shown different ones (PROTOCOL §5).

use std::collections::VecDeque;

use crate::cipher::encoding::Digest;

use super::card::SessionId;
use super::message::{Header, Stream, audience_digest, parent_digest};

/// How many digests of one epoch, and how many members of past rosters, are remembered. What is
/// older than that cannot be compared; a message that is still under way is not.
const DIGESTS: usize = 4096;
const PAST_MEMBERS: usize = 64 * 1024;

/// What a member has seen of a room.
#[derive(Debug, Default)]
pub(super) struct Transcript {
    /// Ascending, without gaps; the last one is the present epoch.
    epochs: VecDeque<Epoch>,
    /// How many members all of them have together.
    members: usize,
    /// The epoch in which the member joined.
    joined: Option<u64>,
}

#[derive(Debug)]
struct Epoch {
    number: u64,
    /// Ascending.
    roster: Vec<SessionId>,
    /// The latest digests of the chain, the last of them chain(`seen`).
    chain: VecDeque<Digest>,
    seen: u64,
    /// Whether somebody was found to have another view of it.
    disputed: bool,
}

/// How somebody's view compares with one's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    /// They are the same, as far as one can tell.
    Same,
    /// They differ, for the first time in this epoch.
    Different,
    /// It is a view of a time before one was there.
    TooEarly,
}

impl Transcript {
    /// Begins an epoch with this roster, oneself included, in ascending order.
    pub(super) fn begin(&mut self, number: u64, roster: Vec<SessionId>) {
        self.joined.get_or_insert(number);
        self.members += roster.len();
        let chain = VecDeque::from([audience_digest(&roster)]);
        self.epochs.push_back(Epoch {
            number,
            roster,
            chain,
            seen: 0,
            disputed: false,
        });
        while self.members > PAST_MEMBERS && self.epochs.len() > 1 {
            let oldest = self.epochs.pop_front();
            self.members -= oldest.map_or(0, |epoch| epoch.roster.len());
        }
    }

    /// What to say of one's own view: the number of messages seen in the present epoch, and the
    /// parent digest.
    pub(super) fn view(&self) -> (u64, Digest) {
        self.epochs.back().map_or((0, [0; 32]), |epoch| {
            let last = epoch.chain.back().expect("a chain has a beginning");
            (epoch.seen, *last)
        })
    }

    /// Compares with the view that stands in a header.
    pub(super) fn compare(&mut self, header: &Header, reader: SessionId) -> Comparison {
        if self.joined.is_none_or(|joined| header.epoch < joined) {
            return Comparison::TooEarly;
        }
        let latest = self.epochs.back().map_or(0, |epoch| epoch.number);
        let Some(epoch) = self.epoch(header.epoch) else {
            // Nobody can have seen what the relay does only later.
            return if header.epoch > latest {
                Comparison::Different
            } else {
                Comparison::Same
            };
        };
        if epoch.disputed || epoch.agrees_with(header, reader) {
            return Comparison::Same;
        }
        epoch.disputed = true;
        Comparison::Different
    }

    fn epoch(&mut self, number: u64) -> Option<&mut Epoch> {
        self.epochs.iter_mut().rfind(|epoch| epoch.number == number)
    }

    /// Adds a message to the room to the chain of the epoch it was written in.
    pub(super) fn append(&mut self, epoch: u64, header: &[u8]) {
        let Some(epoch) = self.epoch(epoch) else {
            return;
        };
        let last = epoch.chain.back().expect("a chain has a beginning");
        epoch.chain.push_back(parent_digest(last, header));
        epoch.seen += 1;
        if epoch.chain.len() > DIGESTS {
            epoch.chain.pop_front();
        }
    }

    /// Remembers that messages are missing: views differ then, which has been reported already.
    pub(super) fn is_incomplete(&mut self) {
        for epoch in &mut self.epochs {
            epoch.disputed = true;
        }
    }
}

impl Epoch {
    fn agrees_with(&self, header: &Header, reader: SessionId) -> bool {
        let audience = match header.stream {
            Stream::Room => self
                .roster
                .iter()
                .copied()
                .filter(|sid| header.left_out.binary_search(sid).is_err())
                .collect(),
            Stream::Direct(_) => {
                let mut both = vec![header.sender, reader];
                both.sort_unstable();
                both
            }
        };
        if audience_digest(&audience) != header.audience {
            return false;
        }
        let Some(back) = self.seen.checked_sub(header.seen) else {
            return false;
        };
        let back = usize::try_from(back).unwrap_or(usize::MAX);
        match self.chain.iter().rev().nth(back) {
            Some(digest) => *digest == header.parent,
            // It is older than what is remembered.
            None => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::room::frame::RunId;
    use crate::room::names::RoomId;

    const ADA: SessionId = SessionId([1; 32]);
    const BOB: SessionId = SessionId([2; 32]);
    const CARL: SessionId = SessionId([3; 32]);

    /// Three members who have seen the same from epoch 5 on.
    fn transcript() -> Transcript {
        let mut transcript = Transcript::default();
        transcript.begin(5, vec![ADA, BOB, CARL]);
        transcript
    }

    /// What a member writes that has seen this.
    fn header(seen_by: &Transcript, sender: SessionId) -> Header {
        let (seen, parent) = seen_by.view();
        let present = seen_by.epochs.back().unwrap();
        Header {
            room: RoomId([0; 32]),
            sender,
            run: RunId([0; 16]),
            epoch: present.number,
            stream: Stream::Room,
            sequence: 0,
            time: 0,
            left_out: Vec::new(),
            audience: audience_digest(&present.roster),
            seen,
            parent,
            commitment: [0; 32],
        }
    }

    #[test]
    fn those_who_were_shown_the_same_agree() {
        let [mut ada, mut bob] = [transcript(), transcript()];
        for text in [b"one", b"two"] {
            assert_eq!(ada.compare(&header(&bob, BOB), ADA), Comparison::Same);
            ada.append(5, text);
            // Bob, who is behind by one, is no liar.
            assert_eq!(ada.compare(&header(&bob, BOB), ADA), Comparison::Same);
            bob.append(5, text);
        }
        // What crosses with a change is still judged by the roster that it was written for.
        let late = header(&bob, BOB);
        ada.begin(6, vec![ADA, BOB]);
        assert_eq!(ada.compare(&late, ADA), Comparison::Same);
    }

    #[test]
    fn two_messages_in_another_order_are_noticed_once_an_epoch() {
        let [mut ada, mut bob] = [transcript(), transcript()];
        ada.append(5, b"one");
        ada.append(5, b"two");
        bob.append(5, b"two");
        bob.append(5, b"one");
        assert_eq!(ada.compare(&header(&bob, BOB), ADA), Comparison::Different);
        assert_eq!(ada.compare(&header(&bob, BOB), ADA), Comparison::Same);
        bob.begin(6, vec![ADA, BOB]);
        bob.append(6, b"three");
        ada.begin(6, vec![ADA, BOB]);
        assert_eq!(ada.compare(&header(&bob, BOB), ADA), Comparison::Different);
    }

    #[test]
    fn a_message_kept_from_one_of_them_is_noticed() {
        let [mut ada, mut bob] = [transcript(), transcript()];
        bob.append(5, b"not for ada");
        assert_eq!(ada.compare(&header(&bob, BOB), ADA), Comparison::Different);
    }

    #[test]
    fn another_roster_is_noticed() {
        let mut ada = transcript();
        let mut bob = Transcript::default();
        bob.begin(5, vec![ADA, BOB]);
        assert_eq!(ada.compare(&header(&bob, BOB), ADA), Comparison::Different);
    }

    #[test]
    fn an_epoch_that_is_yet_to_come_is_noticed() {
        let [mut ada, mut bob] = [transcript(), transcript()];
        bob.begin(6, vec![ADA, BOB, CARL]);
        assert_eq!(ada.compare(&header(&bob, BOB), ADA), Comparison::Different);
    }

    #[test]
    fn a_message_from_before_one_joined_is_told_apart() {
        let bob = transcript();
        let mut ada = Transcript::default();
        let early = header(&bob, BOB);
        assert_eq!(ada.compare(&early, ADA), Comparison::TooEarly);
        ada.begin(6, vec![ADA, BOB]);
        assert_eq!(ada.compare(&early, ADA), Comparison::TooEarly);
    }

    #[test]
    fn the_audience_is_the_roster_without_those_left_out() {
        let [mut ada, bob] = [transcript(), transcript()];
        let mut without_carl = header(&bob, BOB);
        without_carl.left_out = vec![CARL];
        without_carl.audience = audience_digest(&[ADA, BOB]);
        assert_eq!(ada.compare(&without_carl, ADA), Comparison::Same);
        let mut direct = header(&bob, BOB);
        direct.stream = Stream::Direct(ADA);
        assert_eq!(ada.compare(&direct, ADA), Comparison::Different);
        let mut ada = transcript();
        direct.audience = audience_digest(&[ADA, BOB]);
        assert_eq!(ada.compare(&direct, ADA), Comparison::Same);
    }

    #[test]
    fn long_epochs_and_many_of_them_do_not_fill_the_memory() {
        let mut ada = transcript();
        let early = header(&ada, BOB);
        for _ in 0..2 * DIGESTS {
            ada.append(5, b"again");
        }
        assert_eq!(ada.epochs[0].chain.len(), DIGESTS);
        assert_eq!(ada.compare(&early, ADA), Comparison::Same);
        for number in 6..PAST_MEMBERS as u64 {
            ada.begin(number, vec![ADA, BOB]);
        }
        assert!(ada.members <= PAST_MEMBERS);
        assert_eq!(ada.compare(&early, ADA), Comparison::Same);
    }
}
