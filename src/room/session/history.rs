//! What a member has seen of the room's chain: what others sign of it is compared with this
//! (PROTOCOL §5).

use std::collections::VecDeque;

use crate::cipher::encoding::Digest;
use crate::room::card::{MAX_PAST, MAX_PAST_UNREAD, Stay};
use crate::room::chain::{Claim, EntryKind, Link};
use crate::room::frame::RunId;

/// How many positions are remembered. A claim that is older cannot be compared.
const REMEMBERED: usize = 65_536;

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
    /// The relay's runs in which this member wanted to enter, the present one last.
    runs: Vec<RunId>,
    /// Ascending; the last one is the present position.
    points: VecDeque<Point>,
    /// From the first to the last position of each stay, the present one last.
    stays: VecDeque<(At, At)>,
    /// Whether somebody else was there in the present stay.
    had_company: bool,
    /// Stays that are over, and of which no other member is known to have been told.
    untold: Vec<Stay>,
    /// The positions of messages that this member did not open; ascending, above `claimed`.
    unread: VecDeque<u64>,
    /// The position of the latest claim that the others have, in the present stay.
    claimed: u64,
    /// The last positions of messages that this member did not open in the present stay, whatever it has
    /// claimed since: somebody may have taken no notice of that. All those that are not listed are below
    /// `listed_from`.
    unread_in_stay: VecDeque<u64>,
    listed_from: u64,
    /// Whether this member has entered anew because everybody had seen something else.
    pub(super) has_given_in: bool,
    /// Whether the user has been told that the relay's program is newer than this one.
    pub(super) is_relay_newer: bool,
}

/// This member has been taken out of the room again and again, before anybody could be told.
pub(super) struct CutOff;

impl History {
    /// This member wants to enter, in this run. Returns whether the relay can be in it: in a new one,
    /// or the present one, but in none that was over before, as it would repeat its positions.
    pub(super) fn knock(&mut self, run: RunId) -> bool {
        if self.runs.last() == Some(&run) {
            return true;
        }
        let is_new = !self.runs.contains(&run);
        if is_new {
            self.runs.push(run);
        }
        is_new && self.runs.len() <= RUNS * RUNS
    }

    /// Which run it is in which this member wants to enter.
    pub(super) fn run(&self) -> usize {
        self.runs.len().saturating_sub(1)
    }

    /// Whether this member was in the room in the run in which it wants to enter.
    pub(super) fn is_in_this_run(&self) -> bool {
        let last = self.points.back().map(|point| point.at.run);
        last.is_some() && last == self.runs.len().checked_sub(1)
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

    /// What is to be said in the card with which this member enters once more.
    ///
    /// # Errors
    /// Where that is more than a card says.
    pub(super) fn past(&self) -> Result<Vec<Stay>, CutOff> {
        let mut past = self.untold.clone();
        past.extend(self.present_stay());
        if past.len() > MAX_PAST {
            return Err(CutOff);
        }
        Ok(past)
    }

    /// The present stay, if there is one in which others were there, who may have to be told of it.
    fn present_stay(&self) -> Option<Stay> {
        let (first, _) = self.stays.back().filter(|_| self.had_company)?;
        let unread = self.unread_in_stay.iter().copied();
        Some(Stay {
            first: first.position.max(self.listed_from),
            claim: self.claim_at(self.points.back()?, unread)?,
        })
    }

    /// This member enters the room after this place of the chain, by an entry with this digest. Who is
    /// there is said by [`History::set_roster`].
    pub(super) fn enter(&mut self, before: &Link, joining: &Digest) {
        self.untold.extend(self.present_stay());
        self.unread.clear();
        self.unread_in_stay.clear();
        self.listed_from = 0;
        self.had_company = false;
        let run = self.runs.len().saturating_sub(1);
        let link = before.then(EntryKind::Joined, joining);
        let at = At {
            run,
            position: link.position,
        };
        self.claimed = before.position;
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
        if !self.is_overrun() {
            self.unread.push_back(position);
        }
        if self.unread_in_stay.len() == MAX_PAST_UNREAD
            && let Some(oldest) = self.unread_in_stay.pop_front()
        {
            self.listed_from = oldest + 1;
        }
        self.unread_in_stay.push_back(position);
    }

    /// Whether so many messages were not opened that those that came after are not listed: what has
    /// come of this stay cannot be said any more.
    fn is_overrun(&self) -> bool {
        self.unread.len() > REMEMBERED
    }

    /// Whether this member cannot say any more how far it has come, as too much did not open since a claim
    /// of its came back: it has to enter anew.
    pub(super) fn is_lost(&self) -> bool {
        self.claim(MAX_PAST_UNREAD).is_none()
    }

    /// A claim of this member's own has come back: the others have it.
    pub(super) fn claim_came_back(&mut self, claim: &Claim) {
        let at = self.at(claim.run, claim.link.position);
        if !self.is_overrun() && at.is_some_and(|at| at.run == self.now().run) {
            self.claimed = self.claimed.max(claim.link.position);
            let claimed = self.claimed;
            self.unread.retain(|position| *position > claimed);
        }
    }

    /// What this member signs now, if it remembers that: how far it has come, and up to where that is
    /// said with no more than so many positions that it did not open.
    pub(super) fn claim(&self, most_unread: usize) -> Option<Claim> {
        if self.is_overrun() {
            return None;
        }
        let beyond = self.unread.get(most_unread);
        let last = self.now();
        let end = beyond.map_or(last.position, |position| position - 1);
        let is_covered = |point: &&Point| point.at.run == last.run && point.at.position <= end;
        let point = self.points.iter().rfind(is_covered)?;
        let unread = self.unread.iter().copied().take(most_unread);
        self.claim_at(point, unread)
    }

    /// What this member saw up to a point, and which of these it did not open up to there.
    fn claim_at(&self, point: &Point, unread: impl Iterator<Item = u64>) -> Option<Claim> {
        Some(Claim {
            run: *self.runs.get(point.at.run)?,
            link: Link {
                position: point.at.position,
                digest: point.chain,
            },
            roster: point.roster,
            unread: unread
                .take_while(|position| *position <= point.at.position)
                .collect(),
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
        history.claim(4).unwrap()
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

    #[test]
    fn who_cannot_say_what_did_not_open_has_to_enter_anew() {
        let mut ada = entered();
        for _ in 0..=MAX_PAST_UNREAD {
            ada.append(EntryKind::Message, &[1; 32]);
            ada.note_unread();
        }
        // What is before the last of them is remembered for as long as there is room.
        for _ in 0..REMEMBERED - 2 {
            ada.append(EntryKind::Statement, &[2; 32]);
        }
        assert!(!ada.is_lost());
        ada.append(EntryKind::Statement, &[2; 32]);
        assert!(ada.is_lost());
        ada.enter(&start(RUN), &[2; 32]);
        assert!(!ada.is_lost());
    }

    #[test]
    fn what_was_not_opened_is_listed_until_the_others_have_it() {
        let mut ada = entered();
        for digest in 0..6 {
            ada.append(EntryKind::Message, &[digest; 32]);
            ada.note_unread();
        }
        let first = claim(&ada);
        assert_eq!(first.unread, [2, 3, 4, 5]);
        assert_eq!(
            first.link.position, 5,
            "before the first that finds no room"
        );
        ada.claim_came_back(&first);
        let second = claim(&ada);
        assert_eq!(
            (second.unread.as_slice(), second.link.position),
            (&[6, 7][..], 7)
        );
    }

    #[test]
    fn what_was_not_opened_in_a_stay_is_told_at_its_end_though_a_claim_of_it_came_back() {
        let mut ada = entered();
        let mut not_open = || {
            ada.append(EntryKind::Message, &[1; 32]);
            ada.note_unread();
            let claim = claim(&ada);
            ada.claim_came_back(&claim);
            let past = ada.past().unwrap_or_else(|_| panic!("one stay"));
            past.into_iter().next().unwrap()
        };
        let told = not_open();
        assert_eq!((told.first, told.claim.unread), (1, vec![2]));
        for _ in 1..MAX_PAST_UNREAD {
            not_open();
        }
        let told = not_open();
        let all: Vec<u64> = (3..).take(MAX_PAST_UNREAD).collect();
        assert_eq!(
            (told.first, told.claim.unread),
            (3, all),
            "the first one is not confirmed"
        );
    }

    #[test]
    fn stays_in_company_are_told_and_others_are_not() {
        let mut ada = entered();
        for _ in 0..MAX_PAST {
            let past = ada.past();
            assert!(past.is_ok_and(|past| !past.is_empty()));
            let top = claim(&ada).link;
            ada.enter(&top, &[5; 32]);
            ada.set_roster([4; 32], 1);
        }
        assert!(ada.past().is_err());
        ada.past_is_told();
        assert_eq!(ada.past().map_or(0, |past| past.len()), 1);
        let top = claim(&ada).link;
        ada.enter(&top, &[5; 32]);
        ada.set_roster([4; 32], 0);
        assert_eq!(ada.past().map_or(0, |past| past.len()), 1, "alone since");
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
        for _ in 0..REMEMBERED {
            ada.append(EntryKind::Message, &[1; 32]);
            ada.note_unread();
        }
        assert!(ada.claim(4).is_some());
        for _ in 0..8 {
            ada.append(EntryKind::Statement, &[1; 32]);
        }
        assert!(
            ada.claim(4).is_none(),
            "it would say that the fifth was opened"
        );
        assert!(ada.claim(REMEMBERED).is_some());
        ada.append(EntryKind::Message, &[1; 32]);
        ada.note_unread();
        ada.append(EntryKind::Message, &[1; 32]);
        ada.note_unread();
        assert_eq!(ada.unread.len(), REMEMBERED + 1);
        assert!(ada.claim(usize::MAX).is_none());
        let top = start(RUN);
        ada.enter(&top, &[5; 32]);
        assert!(ada.claim(4).is_some());
    }
}
