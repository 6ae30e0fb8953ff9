//! What members claim to have taken in, compared with what this member has seen (PROTOCOL §5).

use crate::room::card::{Card, SessionId};
use crate::room::chain::Claim;

use super::event::Event;
use super::history::{At, Verdict};
use super::{Now, Session};

/// What somebody has signed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Message,
    Beacon,
    Receipt,
}

impl Session {
    /// Compares a claim that somebody has signed with what this member has seen, and learns from it
    /// (PROTOCOL §5). Returns what is to be told, and whether it fits: it is equal, and of the present
    /// stay of both.
    pub(super) fn weigh(
        &mut self,
        sid: SessionId,
        claim: &Claim,
        what: What,
        now: Now,
    ) -> (Vec<Event>, bool) {
        let verdict = self.history.compare(claim);
        let is_of_this_run = self.history.is_of_this_run(claim);
        let (active, period) = (self.active.get(), self.period());
        let Some(peer) = self.members.roster.get_mut(sid) else {
            return (Vec::new(), false);
        };
        peer.seen.heard = now.uptime;
        let (nick, origin) = (peer.nick().clone(), peer.card.origin());
        // A message may be sent again, a statement is not.
        let is_out_of_time = !is_of_this_run && what != What::Message;
        if verdict == Verdict::Different || is_out_of_time {
            let is_news = !std::mem::replace(&mut peer.watch.differs, true);
            let mut events = Vec::from_iter(is_news.then_some(Event::OtherView(nick)));
            events.extend((is_news && self.is_contradicted()).then_some(Event::Contradicted));
            return (events, false);
        }
        if verdict == Verdict::Unknown || !is_of_this_run {
            return (Vec::new(), false);
        }
        let position = claim.link.position;
        let covered = self.own_entries.covered_by(position);
        if let Some(entry) = covered {
            peer.watch.covers(entry);
        }
        let is_beacon = what == What::Beacon && position >= peer.base;
        let mut events = Vec::new();
        if peer.watch.is_blind(is_beacon, active, period) {
            events.push(Event::Blind(nick.clone()));
        }
        // Receipts go before the next beacon: an honest relay cannot part the two.
        let is_owed = what == What::Beacon
            && covered.is_some_and(|entry| {
                entry.position > peer.base && self.outbox.owes_receipt(origin, entry.order)
            });
        if is_owed && !std::mem::replace(&mut peer.told.unanswered, true) {
            events.push(Event::Unanswered(nick));
        }
        let first = peer.base.max(self.history.base());
        let fits = position >= first;
        if fits {
            self.history.past_is_told();
            let run = self.history.now().run;
            let first = At {
                run,
                position: first,
            };
            let news = self.outbox.confirm(origin, first, claim);
            events.extend(news.into_iter().map(Event::of_news));
        }
        (events, fits)
    }

    /// What a card says of its member's former stays: what was said then is confirmed, or it was
    /// shown different things.
    pub(super) fn learn_past(&mut self, card: &Card) -> Vec<Event> {
        let mut events = Vec::new();
        for stay in card.past() {
            let claim = &stay.claim;
            let at = self.history.at(claim.run, claim.link.position);
            match self.history.compare(claim) {
                Verdict::Different => {
                    let peer = self.members.roster.get(card.sid());
                    events.extend(peer.map(|peer| Event::OtherView(peer.nick().clone())));
                    return events;
                }
                Verdict::Same => {
                    let own = at.and_then(|at| Some((at, self.history.stay_around(at)?)));
                    if let Some((at, own)) = own {
                        let first = At {
                            run: at.run,
                            position: own.max(stay.first),
                        };
                        let news = self.outbox.confirm(card.origin(), first, claim);
                        events.extend(news.into_iter().map(Event::of_news));
                    }
                }
                Verdict::Unknown => {}
            }
        }
        events
    }
}
