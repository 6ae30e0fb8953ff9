//! What a member has seen of the room's chain: what others sign of it is compared with this
//! (PROTOCOL §5).

use std::collections::VecDeque;

use crate::cipher::encoding::Digest;
use crate::room::card::{MAX_PAST, MAX_PAST_UNREAD, Stay};
use crate::room::chain::{Claim, EntryKind, Link, REMEMBERED};
use crate::room::frame::RunId;
use crate::room::numbers::{MAX_RANGES, Ranges};

/// How many of the relay's runs, and of one's own stays, are remembered.
const RUNS: usize = 64;

/// A position in one of the relay's runs, which are counted from 0 as this member has met them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct At {
    pub(super) run: usize,
    pub(super) position: u64,
}

/// What this member saw up to a position.
struct Point {
    at: At,
    chain: Digest,
    roster: Digest,
}

/// How somebody's claim compares with what this member has seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is the same.
    Same,
    /// It is not, or is of what this member has yet to be shown.
    Different,
    /// It is of what this member was not shown, or does not remember.
    Unknown,
}

/// What a member has seen of a room.
#[derive(Default)]
pub(super) struct History {
    /// The relay's runs in which this member wanted to enter.
    runs: Vec<RunId>,
    /// Which of them it is in which it wants to enter now.
    run: usize,
    /// Ascending; the last one is the present position.
    points: VecDeque<Point>,
    /// From the first to the last position of each stay, the present one last.
    stays: VecDeque<(At, At)>,
    /// Whether somebody else was there in the present stay.
    had_company: bool,
    /// Stays that are over, and of which no other member is known to have been told.
    untold: Vec<Stay>,
    /// The positions of messages that this member did not open since the latest claim that the others
    /// have, and in the present stay, whatever it has claimed: somebody may have taken no notice of that.
    unread: Ranges,
    unread_in_stay: Ranges,
    /// The position at which somebody woke last, who may not have been shown what this member had claimed
    /// before.
    woke: u64,
    /// The position at which this member woke last: it may not have been shown what others had claimed
    /// before. `None` while it is told what it slept through.
    own_woke: Option<u64>,
    /// Whether this member has entered anew because everybody had seen something else.
    pub(super) has_given_in: bool,
    /// Whether the user has been told that the relay's program is newer than this one.
    pub(super) is_relay_newer: bool,
}

impl History {
    /// This member wants to enter, in this run. Returns whether the relay can be in it: in a new one,
    /// or the present one, but in none that was over before, as it would repeat its positions.
    pub(super) fn knock(&mut self, run: RunId) -> bool {
        let known = self.runs.iter().position(|known| *known == run);
        let is_over = known < self.last_run() && known.is_some();
        if is_over || self.runs.len() >= RUNS * RUNS {
            return false;
        }
        self.run = known.unwrap_or(self.runs.len());
        if known.is_none() {
            self.runs.push(run);
        }
        true
    }

    /// Which run it is in which this member wants to enter.
    pub(super) fn run(&self) -> usize {
        self.run
    }

    /// The run in which this member was in the room the last time. Those before it are over: it was not in
    /// those after it, and anybody on the way can say that there was one.
    fn last_run(&self) -> Option<usize> {
        self.points.back().map(|point| point.at.run)
    }

    /// Whether this member was in the room in the run in which it wants to enter.
    pub(super) fn is_in_this_run(&self) -> bool {
        self.last_run() == Some(self.run)
    }

    /// Whether this member can enter after this place of the run in which it was last: no position comes
    /// twice.
    pub(super) fn can_go_on_from(&self, before: &Link) -> bool {
        let last = self.points.back();
        last.is_none_or(|last| {
            let is_later = last.at.position < before.position;
            is_later || (last.at.position, last.chain) == (before.position, before.digest)
        })
    }

    /// What is to be said in the card with which this member enters once more: of its latest stays.
    pub(super) fn past(&self) -> Vec<Stay> {
        let mut past = self.untold.clone();
        past.extend(self.present_stay());
        let excess = past.len().saturating_sub(MAX_PAST);
        past.split_off(excess)
    }

    /// Whether this member was taken out of the room so often, before anybody was told what it saw there,
    /// that a card does not say all.
    pub(super) fn is_cut_off(&self) -> bool {
        self.untold.len() > MAX_PAST
    }

    /// The present stay, if there is one in which others were there, who may have to be told of it.
    fn present_stay(&self) -> Option<Stay> {
        let (first, _) = self.stays.back().filter(|_| self.had_company)?;
        Some(Stay {
            first: first.position,
            claim: self.claim_without(&self.unread_in_stay)?,
        })
    }

    /// This member enters the room after this place of the chain, by an entry with this digest. Who is
    /// there is said by [`History::set_roster`].
    pub(super) fn enter(&mut self, before: &Link, joining: &Digest) {
        self.untold.extend(self.present_stay());
        // One more than a card says, to know that there was one.
        if self.untold.len() > MAX_PAST + 1 {
            self.untold.remove(0);
        }
        self.unread = Ranges::default();
        self.unread_in_stay = Ranges::default();
        self.had_company = false;
        (self.woke, self.own_woke) = (0, Some(0));
        let run = self.run;
        let link = before.then(EntryKind::Joined, joining);
        let at = At {
            run,
            position: link.position,
        };
        self.stays.push_back((at, at));
        if self.stays.len() > RUNS {
            self.stays.pop_front();
        }
        self.push(at, link.digest, [0; 32]);
    }

    fn push(&mut self, at: At, chain: Digest, roster: Digest) {
        if let Some((_, last)) = self.stays.back_mut() {
            *last = at;
        }
        if self.points.len() == REMEMBERED {
            self.points.pop_front();
        }
        self.points.push_back(Point { at, chain, roster });
    }

    /// An entry with this digest follows.
    pub(super) fn append(&mut self, kind: EntryKind, entry: &Digest) {
        let Some(Point { at, chain, roster }) = self.points.back() else {
            return;
        };
        let link = Link {
            position: at.position,
            digest: *chain,
        };
        let (run, roster) = (at.run, *roster);
        let link = link.then(kind, entry);
        let at = At {
            run,
            position: link.position,
        };
        self.push(at, link.digest, roster);
    }

    /// What came after this position of the present stay was no entry.
    pub(super) fn go_back_to(&mut self, at: At) {
        while self.points.back().is_some_and(|point| point.at > at) {
            self.points.pop_back();
        }
        if let Some((_, last)) = self.stays.back_mut() {
            *last = at.min(*last);
        }
    }

    /// At the present position the roster has this digest, and so many others are in it.
    pub(super) fn set_roster(&mut self, digest: Digest, others: usize) {
        self.had_company |= others > 0;
        if let Some(point) = self.points.back_mut() {
            point.roster = digest;
        }
    }

    /// The present position.
    pub(super) fn now(&self) -> At {
        self.points
            .back()
            .map_or_else(At::default, |point| point.at)
    }

    /// The position of this member's own joining.
    pub(super) fn base(&self) -> u64 {
        self.stays.back().map_or(0, |(first, _)| first.position)
    }

    /// A position of a run, if it is one in which this member wanted to enter.
    pub(super) fn at(&self, run: RunId, position: u64) -> Option<At> {
        let run = self.runs.iter().rposition(|known| *known == run)?;
        Some(At { run, position })
    }

    /// The first position of the stay of this member's that a position is in.
    pub(super) fn stay_around(&self, at: At) -> Option<u64> {
        let mut stays = self.stays.iter();
        let around = stays.find(|(first, last)| (*first..=*last).contains(&at));
        around.map(|(first, _)| first.position)
    }

    /// A message at the present position was not opened.
    pub(super) fn note_unread(&mut self) {
        let position = self.now().position;
        for (unread, most) in [
            (&mut self.unread, MAX_RANGES),
            (&mut self.unread_in_stay, MAX_PAST_UNREAD),
        ] {
            unread.insert(position, position);
            // What is between is said not to have been opened: better than the other way round.
            unread.join_closest(most);
        }
    }

    /// Somebody wakes at the present position: it is told once more what this member did not open.
    pub(super) fn somebody_woke(&mut self) {
        self.woke = self.now().position;
        self.unread = self.unread_in_stay.clone();
    }

    /// This member slept from the present position on.
    pub(super) fn fell_asleep(&mut self) {
        self.own_woke = None;
    }

    /// It slept up to here, if it slept.
    pub(super) fn woke_up(&mut self) {
        let position = self.now().position;
        self.own_woke.get_or_insert(position);
    }

    /// Whether what is told at present is what this member slept through.
    pub(super) fn sleeps(&self) -> bool {
        self.own_woke.is_none()
    }

    /// Whether a claim of the present stay says all that its signer did not open, as far as this member
    /// does not know it from other claims: it may have slept through these.
    pub(super) fn is_whole(&self, claim: &Claim) -> bool {
        let woke = self.own_woke;
        woke.is_some_and(|woke| claim.link.position >= woke)
    }

    /// A claim of this member's own has come back: the others have it.
    pub(super) fn claim_came_back(&mut self, claim: &Claim) {
        let at = self.at(claim.run, claim.link.position);
        if at.is_some_and(|at| at.run == self.now().run && at.position >= self.woke) {
            self.unread.remove_through(claim.link.position);
        }
    }

    /// What this member signs now, if it was in the room: how far it has come.
    pub(super) fn claim(&self) -> Option<Claim> {
        self.claim_without(&self.unread)
    }

    /// How far this member has come, and that it did not open these.
    fn claim_without(&self, unread: &Ranges) -> Option<Claim> {
        let point = self.points.back()?;
        Some(Claim {
            run: *self.runs.get(point.at.run)?,
            link: Link {
                position: point.at.position,
                digest: point.chain,
            },
            roster: point.roster,
            unread: unread.clone(),
        })
    }

    /// Whether a claim is of the present run.
    pub(super) fn is_of_this_run(&self, claim: &Claim) -> bool {
        let present = self.runs.get(self.now().run);
        present == Some(&claim.run)
    }

    /// Compares with what somebody has signed.
    pub(super) fn compare(&self, claim: &Claim) -> Verdict {
        let Some(at) = self.at(claim.run, claim.link.position) else {
            return Verdict::Unknown;
        };
        if at > self.now() {
            return Verdict::Different;
        }
        let known = self.points.binary_search_by_key(&at, |point| point.at);
        match known.ok().and_then(|place| self.points.get(place)) {
            Some(point) if (point.chain, point.roster) == (claim.link.digest, claim.roster) => {
                Verdict::Same
            }
            Some(_) => Verdict::Different,
            None => Verdict::Unknown,
        }
    }

    /// Another member has signed that it was shown this member's joining, and the card with that what
    /// was to be told.
    pub(super) fn past_is_told(&mut self) {
        self.untold.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cipher::encoding::{Decoder, Encoder};
    use crate::room::names::RoomName;

    const RUN: RunId = RunId([1; 16]);
    const NEXT_RUN: RunId = RunId([2; 16]);

    fn start(run: RunId) -> Link {
        let room: RoomName = "lobby".parse().unwrap();
        Link::start(run, room.id(), 0)
    }

    /// A member that entered as the first one.
    fn entered() -> History {
        let mut history = History::default();
        assert!(history.knock(RUN));
        history.enter(&start(RUN), &[9; 32]);
        history.set_roster([8; 32], 1);
        history
    }

    fn claim(history: &History) -> Claim {
        history.claim().unwrap()
    }

    #[test]
    fn those_who_were_shown_the_same_agree_and_so_does_who_is_behind() {
        let [mut ada, mut bob] = [entered(), entered()];
        ada.append(EntryKind::Message, &[1; 32]);
        assert_eq!(ada.compare(&claim(&bob)), Verdict::Same);
        bob.append(EntryKind::Message, &[1; 32]);
        assert_eq!(ada.compare(&claim(&bob)), Verdict::Same);
        ada.append(EntryKind::Left, &[2; 32]);
        ada.set_roster([7; 32], 0);
        assert_eq!(ada.compare(&claim(&bob)), Verdict::Same);
    }

    #[test]
    fn another_order_another_kind_another_roster_and_what_is_to_come_differ() {
        let changes: [fn(&mut History); 4] = [
            |bob| {
                bob.append(EntryKind::Message, &[2; 32]);
                bob.append(EntryKind::Message, &[1; 32]);
            },
            |bob| bob.append(EntryKind::Statement, &[1; 32]),
            |bob| bob.set_roster([7; 32], 1),
            |bob| {
                for digest in [1, 2, 3] {
                    bob.append(EntryKind::Message, &[digest; 32]);
                }
            },
        ];
        for change in changes {
            let [mut ada, mut bob] = [entered(), entered()];
            for digest in [1, 2] {
                ada.append(EntryKind::Message, &[digest; 32]);
            }
            change(&mut bob);
            assert_eq!(ada.compare(&claim(&bob)), Verdict::Different);
        }
    }

    #[test]
    fn who_enters_later_compares_from_there_on() {
        let mut ada = entered();
        let early = claim(&ada);
        ada.append(EntryKind::Message, &[1; 32]);
        let before = claim(&ada).link;
        let mut bob = History::default();
        assert!(bob.knock(RUN));
        bob.enter(&before, &[3; 32]);
        bob.set_roster([6; 32], 1);
        ada.append(EntryKind::Joined, &[3; 32]);
        ada.set_roster([6; 32], 1);
        assert_eq!(bob.compare(&early), Verdict::Unknown);
        assert_eq!(bob.compare(&claim(&ada)), Verdict::Same);
    }

    /// The next entry is a message that this member does not open.
    fn do_not_open(history: &mut History) {
        history.append(EntryKind::Message, &[1; 32]);
        history.note_unread();
    }

    #[test]
    fn what_was_not_opened_is_listed_until_the_others_have_it() {
        let mut ada = entered();
        do_not_open(&mut ada);
        do_not_open(&mut ada);
        ada.append(EntryKind::Message, &[1; 32]);
        do_not_open(&mut ada);
        let first = claim(&ada);
        assert_eq!(
            (first.link.position, &first.unread),
            (5, &Ranges::from_iter([(2, 3), (5, 5)]))
        );
        do_not_open(&mut ada);
        ada.claim_came_back(&first);
        let second = claim(&ada);
        assert_eq!(
            (second.link.position, second.unread),
            (6, Ranges::from_iter([(6, 6)]))
        );
    }

    #[test]
    fn more_than_can_be_listed_is_never_said_to_have_been_opened() {
        let mut ada = entered();
        let most = u64::try_from(MAX_RANGES).unwrap();
        for _ in 0..2 * most {
            do_not_open(&mut ada);
            ada.append(EntryKind::Message, &[1; 32]);
        }
        let claim = claim(&ada);
        assert_eq!(claim.link.position, 1 + 4 * most);
        assert!((1..=2 * most).all(|number| claim.unread.contains(2 * number)));
        let claim = claim.encode(Encoder::default()).finish();
        assert!(Claim::parse(&mut Decoder::new(&claim), MAX_RANGES).is_ok());
    }

    #[test]
    fn what_was_not_opened_in_a_stay_is_told_at_its_end_though_a_claim_of_it_came_back() {
        let mut ada = entered();
        for number in 1..=u64::try_from(MAX_PAST_UNREAD + 1).unwrap() {
            do_not_open(&mut ada);
            let claim = claim(&ada);
            ada.claim_came_back(&claim);
            ada.append(EntryKind::Message, &[1; 32]);
            let past = ada.past();
            let told = past.first().unwrap();
            assert_eq!(told.first, 1);
            assert!((1..=number).all(|number| told.claim.unread.contains(2 * number)));
            let claim = told.claim.encode(Encoder::default()).finish();
            assert!(Claim::parse(&mut Decoder::new(&claim), MAX_PAST_UNREAD).is_ok());
        }
    }

    #[test]
    fn stays_in_company_are_told_and_others_are_not() {
        let mut ada = entered();
        for number in 1..=MAX_PAST {
            assert_eq!(ada.past().len(), number);
            let top = claim(&ada).link;
            ada.enter(&top, &[5; 32]);
            ada.set_roster([4; 32], 1);
        }
        assert!(!ada.is_cut_off());
        let latest = ada.past();
        let top = claim(&ada).link;
        ada.enter(&top, &[5; 32]);
        assert!(ada.is_cut_off());
        assert_eq!((latest.len(), ada.past().len()), (MAX_PAST, MAX_PAST));
        ada.set_roster([4; 32], 1);
        ada.past_is_told();
        assert!(!ada.is_cut_off());
        assert_eq!(ada.past().len(), 1);
        let top = claim(&ada).link;
        ada.enter(&top, &[5; 32]);
        ada.set_roster([4; 32], 0);
        assert_eq!(ada.past().len(), 1, "alone since");
    }

    #[test]
    fn who_enters_again_does_so_later_or_at_the_same_place() {
        let ada = entered();
        let top = claim(&ada).link;
        let next = top.then(EntryKind::Left, &[1; 32]);
        let other = Link {
            digest: [3; 32],
            ..top
        };
        assert!(ada.can_go_on_from(&top) && ada.can_go_on_from(&next));
        assert!(!ada.can_go_on_from(&other) && !ada.can_go_on_from(&start(RUN)));
    }

    #[test]
    fn a_run_that_was_over_does_not_come_again() {
        let mut ada = entered();
        let before = claim(&ada);
        assert!(ada.knock(RUN));
        assert!(ada.knock(NEXT_RUN));
        assert!(!ada.is_in_this_run());
        ada.enter(&start(NEXT_RUN), &[9; 32]);
        assert!(ada.is_in_this_run());
        assert!(!ada.knock(RUN));
        assert_eq!(ada.compare(&before), Verdict::Same);
        assert!(!ada.is_of_this_run(&before));
        let mut other = before;
        other.roster = [0; 32];
        assert_eq!(ada.compare(&other), Verdict::Different);
    }

    #[test]
    fn the_memory_is_bounded() {
        let mut ada = entered();
        let early = claim(&ada);
        for _ in 0..REMEMBERED {
            ada.append(EntryKind::Statement, &[1; 32]);
        }
        assert_eq!(ada.points.len(), REMEMBERED);
        assert_eq!(ada.compare(&early), Verdict::Unknown);
    }
}
