//! Which room the relay has shown to a member, and in which order its messages: what members
//! compare in order to notice that they were shown different ones (PROTOCOL §5).

use std::collections::{HashSet, VecDeque};
use std::ops::RangeInclusive;

use crate::cipher::encoding::Digest;

use super::card::SessionId;
use super::frame::RunId;
use super::message::{audience_digest, parent_digest};
use super::statement::{MAX_PAST, PastEntry};

/// How many digests of an epoch are kept. An older view cannot be compared; a message that took a
/// normal time never has one.
const DIGESTS: usize = 4096;
/// How many members the rosters of past epochs that are kept have together.
const PAST_MEMBERS: usize = 64 * 1024;
/// How many stays in the room, and runs of the relay, are remembered.
const STAYS: usize = 64;

/// A version of the roster: an epoch of one of the relay's runs, which are counted from 0 as this
/// member has met them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version {
    pub(super) run: usize,
    pub(super) epoch: u64,
}

/// What a member has seen of a room.
#[derive(Debug, Default)]
pub(super) struct Transcript {
    /// The relay's runs in which the member wanted to enter, the present one last.
    runs: Vec<RunId>,
    /// How often it did until it knew to be in the room.
    attempts: usize,
    /// Ascending; the last one is the present epoch.
    epochs: VecDeque<Epoch>,
    /// How many members all of them have together.
    members: usize,
    /// From when to when the member was in the room, each time.
    stays: VecDeque<RangeInclusive<Version>>,
}

#[derive(Debug)]
struct Epoch {
    version: Version,
    /// Ascending.
    roster: Vec<SessionId>,
    /// The audience digest of all of them.
    digest: Digest,
    /// The latest digests of the chain, the last of them chain(`seen`).
    chain: VecDeque<Digest>,
    seen: u64,
    /// Of these, how many one has stated to all.
    stated: u64,
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
    /// Whether the parent can be compared: not that of a message which is sent again.
    pub(super) is_in_chain: bool,
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
    /// It is a view of a time between two stays, or before the first one if that took more than one
    /// attempt. One may have been in the room without seeing it: the relay may have let one in, and
    /// it keeps those whose connections are broken.
    Unseen,
}

impl Transcript {
    /// The member wants to enter, in this run. Returns whether the relay can be in it: in a new one,
    /// or the present one, but none that was over before.
    pub(super) fn knock(&mut self, run: RunId) -> bool {
        if self.stays.is_empty() {
            self.attempts += 1;
        }
        let is_present = self.runs.last() == Some(&run);
        let may_be = is_present || !self.runs.contains(&run);
        if may_be && !is_present {
            self.runs.push(run);
        }
        may_be
    }

    /// The member enters the room, in an epoch of the run in which it wanted to.
    pub(super) fn enter(&mut self, epoch: u64) {
        // Of the stay before, others may have seen more.
        self.mark_incomplete();
        let version = self.present(epoch);
        self.stays.push_back(version..=version);
        if self.stays.len() > STAYS {
            self.stays.pop_front();
        }
    }

    /// An epoch of the present run.
    fn present(&self, epoch: u64) -> Version {
        Version {
            run: self.runs.len().saturating_sub(1),
            epoch,
        }
    }

    /// An epoch of a run, if it is one in which the member wanted to enter.
    pub(super) fn version(&self, run: RunId, epoch: u64) -> Option<Version> {
        let run = self.runs.iter().rposition(|known| *known == run)?;
        Some(Version { run, epoch })
    }

    /// Begins an epoch with this roster, oneself included, in ascending order.
    pub(super) fn begin(&mut self, number: u64, roster: Vec<SessionId>) {
        let version = self.present(number);
        if let Some(stay) = self.stays.back_mut() {
            *stay = *stay.start()..=version;
        }
        self.members += roster.len();
        let digest = audience_digest(&roster);
        self.epochs.push_back(Epoch {
            version,
            roster,
            digest,
            chain: VecDeque::from([digest]),
            seen: 0,
            stated: 0,
            is_incomplete: false,
            different: HashSet::new(),
        });
        while self.members > PAST_MEMBERS && self.epochs.len() > 1 {
            let oldest = self.epochs.pop_front();
            self.members -= oldest.map_or(0, |epoch| epoch.roster.len());
        }
    }

    /// The present version, and the one in which the member entered.
    pub(super) fn versions(&self) -> (Version, Version) {
        let stay = self.stays.back();
        stay.map_or_else(Default::default, |stay| (*stay.end(), *stay.start()))
    }

    /// Whether the member was in the room then, and saw it.
    pub(super) fn was_there(&self, version: Version) -> bool {
        self.stays.iter().any(|stay| stay.contains(&version))
    }

    /// One's own view of the whole room, to be signed.
    pub(super) fn view(&self) -> Option<View<'_>> {
        let epoch = self.epochs.back()?;
        Some(View {
            run: *self.runs.get(epoch.version.run)?,
            epoch: epoch.version.epoch,
            seen: epoch.seen,
            parent: epoch.chain.back()?,
            audience: &epoch.digest,
            is_in_chain: true,
            among: Among::AllBut(&[]),
        })
    }

    /// What was seen of epochs that are over, and has not been stated to all.
    pub(super) fn past(&self) -> Vec<PastEntry> {
        let (present, entered) = self.versions();
        let news = |epoch: &&Epoch| {
            (entered..present).contains(&epoch.version) && epoch.seen != epoch.stated
        };
        let epochs = self.epochs.iter().rev().filter(news).take(MAX_PAST);
        let mut past: Vec<PastEntry> = epochs
            .filter_map(|epoch| {
                Some(PastEntry {
                    epoch: epoch.version.epoch,
                    seen: epoch.seen,
                    parent: *epoch.chain.back()?,
                })
            })
            .collect();
        past.reverse();
        past
    }

    /// One has stated to all what one has seen.
    pub(super) fn mark_stated(&mut self) {
        for epoch in &mut self.epochs {
            epoch.stated = epoch.seen;
        }
    }

    /// Compares with the view that `sender` has signed.
    pub(super) fn compare(&mut self, sender: SessionId, view: &View<'_>) -> Comparison {
        let (present, _) = self.versions();
        // A relay that means well tells everybody of the same run, and nobody can have seen what it
        // does only later.
        let version = self.version(view.run, view.epoch);
        let Some(version) = version.filter(|version| *version <= present) else {
            return self
                .epochs
                .back_mut()
                .map_or(Comparison::TooEarly, |epoch| epoch.differs(sender));
        };
        if !self.was_there(version) {
            let is_before = |stay: &RangeInclusive<Version>| *stay.start() < version;
            return if self.attempts > 1 || self.stays.iter().any(is_before) {
                Comparison::Unseen
            } else {
                Comparison::TooEarly
            };
        }
        let Some(epoch) = self.epoch(version) else {
            return Comparison::Unknown;
        };
        if !epoch.has_audience(view) {
            return epoch.differs(sender);
        }
        epoch.compare_parent(sender, view.is_in_chain, view.seen, view.parent)
    }

    /// Compares with what `sender` has signed that it had seen of an epoch that is over.
    pub(super) fn compare_past(
        &mut self,
        run: RunId,
        sender: SessionId,
        past: &PastEntry,
    ) -> Comparison {
        let version = self.version(run, past.epoch);
        match version.and_then(|version| self.epoch(version)) {
            None => Comparison::Unknown,
            Some(epoch) => epoch.compare_parent(sender, true, past.seen, &past.parent),
        }
    }

    fn epoch(&mut self, version: Version) -> Option<&mut Epoch> {
        let mut epochs = self.epochs.iter_mut();
        epochs.rfind(|epoch| epoch.version == version)
    }

    /// Adds a message to the room to the chain of the epoch it was written in.
    pub(super) fn append(&mut self, version: Version, header: &[u8]) {
        let Some(epoch) = self.epoch(version) else {
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

    /// Compares what one has seen of the chain with what somebody else has.
    fn compare_parent(
        &mut self,
        sender: SessionId,
        is_in_chain: bool,
        seen: u64,
        parent: &Digest,
    ) -> Comparison {
        match self.has_parent(seen, parent) {
            _ if !is_in_chain => Comparison::Unknown,
            Some(true) => Comparison::Same,
            Some(false) if !self.is_incomplete => self.differs(sender),
            _ => Comparison::Unknown,
        }
    }

    /// Whether a parent digest is in the chain, as far as one remembers.
    fn has_parent(&self, seen: u64, parent: &Digest) -> Option<bool> {
        let Some(back) = self.seen.checked_sub(seen) else {
            return Some(false);
        };
        let back = usize::try_from(back).unwrap_or(usize::MAX);
        let digest = self.chain.iter().rev().nth(back)?;
        Some(digest == parent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: RunId = RunId([0; 16]);

    const ADA: SessionId = SessionId([1; 32]);
    const BOB: SessionId = SessionId([2; 32]);
    const CARL: SessionId = SessionId([3; 32]);

    fn at(epoch: u64) -> Version {
        Version { run: 0, epoch }
    }

    /// Somebody who enters in this epoch.
    fn entered(epoch: u64, roster: Vec<SessionId>) -> Transcript {
        let mut transcript = Transcript::default();
        assert!(transcript.knock(RUN));
        transcript.enter(epoch);
        transcript.begin(epoch, roster);
        transcript
    }

    /// Three members who have seen the same from epoch 5 on.
    fn transcript() -> Transcript {
        entered(5, vec![ADA, BOB, CARL])
    }

    /// What a member signs that has seen `theirs`, judged by one that has seen `own`.
    fn compared(own: &mut Transcript, theirs: &Transcript) -> Comparison {
        own.compare(BOB, &theirs.view().unwrap())
    }

    #[test]
    fn those_who_were_shown_the_same_agree() {
        let [mut ada, mut bob] = [transcript(), transcript()];
        for text in [b"one", b"two"] {
            assert_eq!(compared(&mut ada, &bob), Comparison::Same);
            ada.append(at(5), text);
            // Bob, who is behind by one, is no liar.
            assert_eq!(compared(&mut ada, &bob), Comparison::Same);
            bob.append(at(5), text);
        }
        // What crosses with a change is still judged by the roster that it was written for.
        ada.begin(6, vec![ADA, BOB]);
        assert_eq!(compared(&mut ada, &bob), Comparison::Same);
    }

    #[test]
    fn two_messages_in_another_order_are_noticed_once_an_epoch() {
        let [mut ada, mut bob] = [transcript(), transcript()];
        ada.append(at(5), b"one");
        ada.append(at(5), b"two");
        bob.append(at(5), b"two");
        bob.append(at(5), b"one");
        assert_eq!(compared(&mut ada, &bob), Comparison::Different);
        assert_eq!(compared(&mut ada, &bob), Comparison::Unknown);
        bob.begin(6, vec![ADA, BOB]);
        bob.append(at(6), b"three");
        ada.begin(6, vec![ADA, BOB]);
        assert_eq!(compared(&mut ada, &bob), Comparison::Different);
    }

    #[test]
    fn a_message_kept_from_one_of_them_is_noticed() {
        let [mut ada, mut bob] = [transcript(), transcript()];
        bob.append(at(5), b"not for ada");
        assert_eq!(compared(&mut ada, &bob), Comparison::Different);
    }

    #[test]
    fn another_roster_is_noticed() {
        let mut ada = transcript();
        let bob = entered(5, vec![ADA, BOB]);
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
        assert_eq!(
            compared(&mut Transcript::default(), &bob),
            Comparison::TooEarly
        );
        let mut ada = entered(6, vec![ADA, BOB]);
        assert_eq!(compared(&mut ada, &bob), Comparison::TooEarly);
    }

    #[test]
    fn the_audience_is_the_roster_without_those_left_out() {
        let [mut ada, bob] = [transcript(), transcript()];
        let digest = audience_digest(&[ADA, BOB]);
        let view = View {
            audience: &digest,
            ..bob.view().unwrap()
        };
        let without_carl = View {
            among: Among::AllBut(&[CARL]),
            ..view
        };
        let direct = View {
            among: Among::Both(BOB, ADA),
            ..view
        };
        assert_eq!(ada.compare(BOB, &without_carl), Comparison::Same);
        assert_eq!(ada.compare(BOB, &direct), Comparison::Same);
        assert_eq!(ada.compare(BOB, &view), Comparison::Different);
    }

    #[test]
    fn a_liar_and_a_gap_do_not_hide_another_view_of_somebody_else() {
        let mut ada = transcript();
        ada.mark_incomplete();
        let ghost = entered(5, vec![ADA, BOB]);
        let view = ghost.view().unwrap();
        assert_eq!(ada.compare(CARL, &view), Comparison::Different);
        assert_eq!(ada.compare(CARL, &view), Comparison::Unknown);
        assert_eq!(ada.compare(BOB, &view), Comparison::Different);
    }

    #[test]
    fn long_epochs_and_many_of_them_do_not_fill_the_memory() {
        let mut ada = transcript();
        let early = transcript();
        for _ in 0..2 * DIGESTS {
            ada.append(at(5), b"again");
        }
        assert_eq!(ada.epochs[0].chain.len(), DIGESTS);
        assert_eq!(compared(&mut ada, &early), Comparison::Unknown);
        for number in 6..PAST_MEMBERS as u64 {
            ada.begin(number, vec![ADA, BOB]);
        }
        assert!(ada.members <= PAST_MEMBERS);
        assert_eq!(compared(&mut ada, &early), Comparison::Unknown);
    }

    #[test]
    fn an_order_that_is_over_is_compared_too() {
        let [mut ada, mut bob] = [transcript(), transcript()];
        for (transcript, texts) in [(&mut ada, [b"one", b"two"]), (&mut bob, [b"two", b"one"])] {
            for text in texts {
                transcript.append(at(5), text);
            }
            transcript.begin(6, vec![ADA, BOB]);
        }
        assert_eq!(compared(&mut ada, &bob), Comparison::Same);
        let past = bob.past();
        assert_eq!(past.len(), 1);
        assert_eq!(ada.compare_past(RUN, BOB, &past[0]), Comparison::Different);
        assert_eq!(bob.compare_past(RUN, BOB, &past[0]), Comparison::Same);
        bob.mark_stated();
        assert_eq!(bob.past(), []);
    }

    #[test]
    fn who_comes_back_is_compared_by_what_it_saw_of_each_stay() {
        let [mut ada, mut bob] = [transcript(), transcript()];
        bob.append(at(5), b"which ada missed");
        assert!(ada.knock(RUN));
        ada.enter(9);
        ada.begin(9, vec![ADA, BOB]);
        // What was written while she was there is for her, and what was in between is not.
        assert_eq!(compared(&mut ada, &bob), Comparison::Unknown);
        bob.begin(6, vec![BOB, CARL]);
        assert_eq!(compared(&mut ada, &bob), Comparison::Unseen);
    }

    #[test]
    fn who_was_let_in_without_knowing_is_told_apart_from_who_was_not_there() {
        let bob = transcript();
        let mut ada = Transcript::default();
        assert!(ada.knock(RUN) && ada.knock(RunId([1; 16])));
        ada.enter(1);
        ada.begin(1, vec![ADA, BOB]);
        assert_eq!(compared(&mut ada, &bob), Comparison::Unseen);
        let mut carl = Transcript::default();
        assert!(carl.knock(RunId([1; 16])));
        carl.enter(1);
        carl.begin(1, vec![CARL, BOB]);
        assert_eq!(compared(&mut carl, &bob), Comparison::Different);
    }

    #[test]
    fn a_run_that_is_over_does_not_come_again() {
        let mut ada = transcript();
        assert!(ada.knock(RUN) && ada.knock(RunId([1; 16])));
        assert!(!ada.knock(RUN));
    }
}
