//! Which room the relay has shown to a member, and in which order its messages: what members
//! compare in order to notice that they were shown different ones (PROTOCOL §5).

use std::collections::{HashSet, VecDeque};

use crate::cipher::encoding::Digest;

use super::card::SessionId;
use super::frame::RunId;
use super::message::{audience_digest, parent_digest};

/// How many digests of an epoch are kept. An older view cannot be compared; a message that took a
/// normal time never has one.
const DIGESTS: usize = 4096;
/// How many members the rosters of past epochs that are kept have together.
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
    /// The audience digest of all of them.
    digest: Digest,
    /// The latest digests of the chain, the last of them chain(`seen`).
    chain: VecDeque<Digest>,
    seen: u64,
    /// Whether messages are known to be missing.
    is_incomplete: bool,
    /// Who was found to have another view: this is said once of each.
    different: HashSet<SessionId>,
}

/// What somebody signed of their view of a room.
#[derive(Clone, Copy, Debug)]
pub(super) struct View<'a> {
    pub(super) run: RunId,
    pub(super) epoch: u64,
    pub(super) seen: u64,
    pub(super) parent: &'a Digest,
    pub(super) audience: &'a Digest,
    pub(super) among: Among<'a>,
}

/// Which members an audience digest is over.
#[derive(Clone, Copy, Debug)]
pub(super) enum Among<'a> {
    /// Everybody but these, in ascending order.
    AllBut(&'a [SessionId]),
    /// These two.
    Both(SessionId, SessionId),
}

/// How somebody's view compares with one's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    /// They are the same.
    Same,
    /// They cannot be compared any more, or are known to differ.
    Unknown,
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
        let digest = audience_digest(&roster);
        self.epochs.push_back(Epoch {
            number,
            roster,
            digest,
            chain: VecDeque::from([digest]),
            seen: 0,
            is_incomplete: false,
            different: HashSet::new(),
        });
        while self.members > PAST_MEMBERS && self.epochs.len() > 1 {
            let oldest = self.epochs.pop_front();
            self.members -= oldest.map_or(0, |epoch| epoch.roster.len());
        }
    }

    /// One's own view of the whole room, to be signed.
    pub(super) fn view(&self, run: RunId) -> Option<View<'_>> {
        let epoch = self.epochs.back()?;
        Some(View {
            run,
            epoch: epoch.number,
            seen: epoch.seen,
            parent: epoch.chain.back()?,
            audience: &epoch.digest,
            among: Among::AllBut(&[]),
        })
    }

    /// Compares with the view that `sender` has signed.
    pub(super) fn compare(&mut self, run: RunId, sender: SessionId, view: &View<'_>) -> Comparison {
        let latest = self.epochs.back().map_or(0, |epoch| epoch.number);
        // A relay that means well tells everybody of the same run, and nobody can have seen what it
        // does only later.
        if view.run != run || view.epoch > latest {
            return self
                .epochs
                .back_mut()
                .map_or(Comparison::TooEarly, |epoch| epoch.differs(sender));
        }
        if self.joined.is_none_or(|joined| view.epoch < joined) {
            return Comparison::TooEarly;
        }
        let Some(epoch) = self.epoch(view.epoch) else {
            return Comparison::Unknown;
        };
        if !epoch.has_audience(view) {
            return epoch.differs(sender);
        }
        match epoch.has_parent(view) {
            Some(true) => Comparison::Same,
            Some(false) if !epoch.is_incomplete => epoch.differs(sender),
            _ => Comparison::Unknown,
        }
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

    /// Messages are missing, which has been reported: that others have seen more is no news.
    pub(super) fn mark_incomplete(&mut self) {
        for epoch in &mut self.epochs {
            epoch.is_incomplete = true;
        }
    }
}

impl Epoch {
    /// Somebody has another view: that is to be said once.
    fn differs(&mut self, sender: SessionId) -> Comparison {
        if self.different.insert(sender) {
            Comparison::Different
        } else {
            Comparison::Unknown
        }
    }

    /// Whether an audience digest is over those members of the roster.
    fn has_audience(&self, view: &View<'_>) -> bool {
        let audience = match view.among {
            Among::AllBut([]) => self.digest,
            Among::AllBut(left_out) => {
                let readers = self.roster.iter().copied();
                let readers = readers.filter(|sid| left_out.binary_search(sid).is_err());
                audience_digest(&readers.collect::<Vec<SessionId>>())
            }
            Among::Both(one, other) => audience_digest(&[one.min(other), one.max(other)]),
        };
        audience == *view.audience
    }

    /// Whether a parent digest is in the chain, as far as one remembers.
    fn has_parent(&self, view: &View<'_>) -> Option<bool> {
        let Some(back) = self.seen.checked_sub(view.seen) else {
            return Some(false);
        };
        let back = usize::try_from(back).unwrap_or(usize::MAX);
        let digest = self.chain.iter().rev().nth(back)?;
        Some(digest == view.parent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: RunId = RunId([0; 16]);

    const ADA: SessionId = SessionId([1; 32]);
    const BOB: SessionId = SessionId([2; 32]);
    const CARL: SessionId = SessionId([3; 32]);

    /// Three members who have seen the same from epoch 5 on.
    fn transcript() -> Transcript {
        let mut transcript = Transcript::default();
        transcript.begin(5, vec![ADA, BOB, CARL]);
        transcript
    }

    /// What a member signs that has seen `theirs`, judged by one that has seen `own`.
    fn compared(own: &mut Transcript, theirs: &Transcript) -> Comparison {
        own.compare(RUN, BOB, &theirs.view(RUN).unwrap())
    }

    #[test]
    fn those_who_were_shown_the_same_agree() {
        let [mut ada, mut bob] = [transcript(), transcript()];
        for text in [b"one", b"two"] {
            assert_eq!(compared(&mut ada, &bob), Comparison::Same);
            ada.append(5, text);
            // Bob, who is behind by one, is no liar.
            assert_eq!(compared(&mut ada, &bob), Comparison::Same);
            bob.append(5, text);
        }
        // What crosses with a change is still judged by the roster that it was written for.
        ada.begin(6, vec![ADA, BOB]);
        assert_eq!(compared(&mut ada, &bob), Comparison::Same);
    }

    #[test]
    fn two_messages_in_another_order_are_noticed_once_an_epoch() {
        let [mut ada, mut bob] = [transcript(), transcript()];
        ada.append(5, b"one");
        ada.append(5, b"two");
        bob.append(5, b"two");
        bob.append(5, b"one");
        assert_eq!(compared(&mut ada, &bob), Comparison::Different);
        assert_eq!(compared(&mut ada, &bob), Comparison::Unknown);
        bob.begin(6, vec![ADA, BOB]);
        bob.append(6, b"three");
        ada.begin(6, vec![ADA, BOB]);
        assert_eq!(compared(&mut ada, &bob), Comparison::Different);
    }

    #[test]
    fn a_message_kept_from_one_of_them_is_noticed() {
        let [mut ada, mut bob] = [transcript(), transcript()];
        bob.append(5, b"not for ada");
        assert_eq!(compared(&mut ada, &bob), Comparison::Different);
    }

    #[test]
    fn another_roster_is_noticed() {
        let mut ada = transcript();
        let mut bob = Transcript::default();
        bob.begin(5, vec![ADA, BOB]);
        assert_eq!(compared(&mut ada, &bob), Comparison::Different);
    }

    #[test]
    fn an_epoch_that_is_yet_to_come_is_noticed() {
        let [mut ada, mut bob] = [transcript(), transcript()];
        bob.begin(6, vec![ADA, BOB, CARL]);
        assert_eq!(compared(&mut ada, &bob), Comparison::Different);
    }

    #[test]
    fn a_message_from_before_one_joined_is_told_apart() {
        let bob = transcript();
        let mut ada = Transcript::default();
        assert_eq!(compared(&mut ada, &bob), Comparison::TooEarly);
        ada.begin(6, vec![ADA, BOB]);
        assert_eq!(compared(&mut ada, &bob), Comparison::TooEarly);
    }

    #[test]
    fn the_audience_is_the_roster_without_those_left_out() {
        let [mut ada, bob] = [transcript(), transcript()];
        let digest = audience_digest(&[ADA, BOB]);
        let view = View {
            audience: &digest,
            ..bob.view(RUN).unwrap()
        };
        let without_carl = View {
            among: Among::AllBut(&[CARL]),
            ..view
        };
        let direct = View {
            among: Among::Both(BOB, ADA),
            ..view
        };
        assert_eq!(ada.compare(RUN, BOB, &without_carl), Comparison::Same);
        assert_eq!(ada.compare(RUN, BOB, &direct), Comparison::Same);
        assert_eq!(ada.compare(RUN, BOB, &view), Comparison::Different);
    }

    #[test]
    fn a_liar_and_a_gap_do_not_hide_another_view_of_somebody_else() {
        let mut ada = transcript();
        ada.mark_incomplete();
        let mut ghost = Transcript::default();
        ghost.begin(5, vec![ADA, BOB]);
        let view = ghost.view(RUN).unwrap();
        assert_eq!(ada.compare(RUN, CARL, &view), Comparison::Different);
        assert_eq!(ada.compare(RUN, CARL, &view), Comparison::Unknown);
        assert_eq!(ada.compare(RUN, BOB, &view), Comparison::Different);
    }

    #[test]
    fn long_epochs_and_many_of_them_do_not_fill_the_memory() {
        let mut ada = transcript();
        let early = transcript();
        for _ in 0..2 * DIGESTS {
            ada.append(5, b"again");
        }
        assert_eq!(ada.epochs[0].chain.len(), DIGESTS);
        assert_eq!(compared(&mut ada, &early), Comparison::Unknown);
        for number in 6..PAST_MEMBERS as u64 {
            ada.begin(number, vec![ADA, BOB]);
        }
        assert!(ada.members <= PAST_MEMBERS);
        assert_eq!(compared(&mut ada, &early), Comparison::Unknown);
    }
}
