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
    /// Compares a claim that somebody has signed with what this member has seen, and learns from it who
    /// is there and what has come. Returns what is to be told, and whether the claim fits: it is equal,
    /// and of the present stay of both.
    pub(super) fn weigh(
        &mut self,
        sid: SessionId,
        claim: &Claim,
        what: What,
        now: Now,
    ) -> (Vec<Event>, bool) {
        if let Some(peer) = self.members.roster.get_mut(sid) {
            peer.seen.heard = now.uptime;
        }
        let is_of_this_run = self.history.is_of_this_run(claim);
        match self.history.compare(claim) {
            Verdict::Different => (self.disagree(sid), false),
            // A message may be sent again, a statement is not.
            _ if !is_of_this_run && what != What::Message => (self.disagree(sid), false),
            // What was different once makes all that follows it worth nothing.
            Verdict::Same if is_of_this_run && !self.differs(sid) => {
                let mut events = self.learn_presence(sid, claim, what);
                let (news, fits) = self.learn_what_came(sid, claim);
                events.extend(news);
                (events, fits)
            }
            Verdict::Same | Verdict::Unknown => (Vec::new(), false),
        }
    }

    fn differs(&self, sid: SessionId) -> bool {
        let peer = self.members.roster.get(sid);
        peer.is_some_and(|peer| peer.watch.differs)
    }

    /// Whether a claim was made before the present stay of its signer, or of this member.
    pub(super) fn is_from_before(&self, sid: SessionId, claim: &Claim) -> bool {
        let peer = self.members.roster.get(sid);
        let base = peer.map_or(0, |peer| peer.base).max(self.history.base());
        !self.history.is_of_this_run(claim) || claim.link.position < base
    }

    /// Somebody was shown something else than this member: that is said once.
    fn disagree(&mut self, sid: SessionId) -> Vec<Event> {
        let Some(peer) = self.members.roster.get_mut(sid) else {
            return Vec::new();
        };
        if std::mem::replace(&mut peer.watch.differs, true) {
            return Vec::new();
        }
        vec![Event::OtherView(peer.nick().clone())]
    }

    /// Learns from a claim that is equal what its signer has seen of this member's.
    fn learn_presence(&mut self, sid: SessionId, claim: &Claim, what: What) -> Vec<Event> {
        let (active, period) = (self.presence.active.get(), self.period());
        let covered = self.presence.own.covered_by(claim.link.position);
        let Some(peer) = self.members.roster.get_mut(sid) else {
            return Vec::new();
        };
        let nick = peer.nick().clone();
        let wakes = peer.confirm_awake(claim.link.position, active);
        let mut events = Vec::from_iter(wakes.then(|| Event::Awake(nick.clone())));
        if let Some(entry) = covered {
            peer.watch.covers(entry);
        }
        let is_beacon = what == What::Beacon && claim.link.position >= peer.base;
        if peer.watch.falls_blind(is_beacon, active, period) {
            events.push(Event::Blind(nick.clone()));
        }
        // Receipts go before the next beacon: an honest relay cannot part the two.
        let covered = covered.filter(|entry| what == What::Beacon && entry.position > peer.base);
        if let Some(entry) = covered {
            // The relay may not know what a member was before it came.
            let before = if peer.has_rekeyed {
                peer.card.previous()
            } else {
                sid
            };
            let readers = [sid, before];
            let origin = peer.card.origin();
            let news = self.outbox.give_up_overtaken(origin, readers, entry.order);
            events.extend(news.into_iter().map(Event::of_news));
            let is_owed = self.outbox.is_owed_receipt(origin, readers, entry.order);
            if is_owed && !std::mem::replace(&mut peer.told.unanswered, true) {
                events.push(Event::Unanswered(nick));
            }
        }
        events
    }

    /// Learns from a claim that is equal which messages have come to its signer. Returns also whether it
    /// is of the present stay of both.
    fn learn_what_came(&mut self, sid: SessionId, claim: &Claim) -> (Vec<Event>, bool) {
        let Some(peer) = self.members.roster.get(sid) else {
            return (Vec::new(), false);
        };
        if self.is_from_before(sid, claim) {
            return (Vec::new(), false);
        }
        let first = peer.base.max(self.history.base());
        self.history.past_is_told();
        if !self.history.is_whole(claim) {
            return (Vec::new(), true);
        }
        let first = At {
            run: self.history.now().run,
            position: first,
        };
        let news = self.outbox.confirm(peer.card.origin(), first, claim);
        (news.into_iter().map(Event::of_news).collect(), true)
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
                    let peer = self.members.roster.get_mut(card.sid());
                    if let Some(peer) = peer
                        && !std::mem::replace(&mut peer.has_differed, true)
                    {
                        events.push(Event::OtherViewBefore(peer.nick().clone()));
                    }
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
