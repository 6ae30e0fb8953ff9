//! What a message brought, and how that is handed to the display.

use std::time::Duration;

use crate::room::Time;
use crate::room::card::SessionId;
use crate::room::chain::{Claim, roster_digest};
use crate::room::content::{Content, Unproven};
use crate::room::message::{Header, Kind, Opened, Stream};
use crate::room::names::Nick;
use crate::room::text::SafeText;

use super::event::{Event, Written};
use super::placing::{Arrived, Parties};
use super::{Now, Session};

/// A message that is older than this when it comes was kept back somewhere.
const OLD: Duration = Duration::from_mins(1);

/// So many characters are kept of why somebody is away. When it comes, it is told whole.
const REASON: usize = 250;

impl Session {
    /// Hands what a message brought to the display.
    pub(super) fn show(
        &mut self,
        arrived: &Arrived<'_>,
        parties: &Parties,
        opened: Opened,
        is_late: bool,
        now: Now,
    ) -> Vec<Event> {
        let (header, author) = (&arrived.header, parties.author);
        let (content, nonce) = match opened {
            Opened::LeftOut(reason) => return vec![Event::LeftOut(parties.nick.clone(), reason)],
            Opened::Content(content, nonce) => (content, nonce),
        };
        let (kind, said) = match content {
            Content::Text(kind, text) => (kind, text),
            Content::Share(share) => {
                let is_over = self.is_from_before(author, &header.claim);
                return self.take_share(author, share, is_over);
            }
            // It belongs to something that ended when one of the two entered anew.
            Content::Bundle(_) if self.is_from_before(author, &header.claim) => return Vec::new(),
            Content::Bundle(bundle) => return self.take_bundle(author, bundle),
        };
        let text = SafeText::new(&said);
        let mut events = Vec::from_iter(self.left_others_out(author, header));
        let away = match kind {
            Kind::Away => Some(text),
            Kind::Back => None,
            Kind::CatchUp => {
                events.push(Event::AsksToCatchUp(parties.nick.clone()));
                return events;
            }
            Kind::Text | Kind::Action => {
                let direct = arrived.is_direct();
                if !direct {
                    let copy = Unproven {
                        header: arrived.signed.bytes.to_vec(),
                        signature: arrived.signed.signature.to_vec(),
                        nonce,
                        kind: kind.code(),
                        text: said.into_bytes(),
                    };
                    self.keep(copy, Some(author), now);
                }
                // Whom a reply would go to changes with it.
                self.members.changes += u64::from(direct);
                let ago = self.age(author, header.time, now);
                let written = now.uptime.saturating_sub(ago);
                events.push(Event::Message {
                    from: parties.nick.clone(),
                    direct,
                    kind,
                    text,
                    written: (is_late || ago > OLD).then_some(Written {
                        time: header.time,
                        ago,
                    }),
                    unseen: self.unseen(&header.claim, parties.origin, written),
                });
                if arrived.is_entry {
                    let position = self.history.now().position;
                    self.shown.push(position, parties.origin, written);
                }
                return events;
            }
        };
        let kept = away.as_ref().map(|text| text.beginning(REASON));
        let peer = self.members.roster.get_mut(author);
        let before = peer.map(|peer| std::mem::replace(&mut peer.away, kept.clone()));
        let is_news = before.is_some_and(|before| before != kept);
        events.extend(is_news.then(|| Event::Away(parties.nick.clone(), away)));
        events
    }

    /// How many of the others' messages on the screen its author had not seen who wrote something at this
    /// time, in this member's uptime, and makes this claim.
    fn unseen(&self, claim: &Claim, author: SessionId, written: Duration) -> usize {
        let is_of_this_run = self.history.is_of_this_run(claim);
        let seen = if is_of_this_run {
            claim.link.position
        } else {
            0
        };
        self.shown.unseen(seen, author, written)
    }

    /// How long ago something was written that has come now, as far as its author's clock tells. Of what has
    /// waited for this member its own clock tells that, where nothing shows how they compare: whoever it has
    /// not heard before came after its connection broke.
    fn age(&mut self, sid: SessionId, time: Time, now: Now) -> Duration {
        let catching_up = self.door.catching_up.as_ref();
        let since = catching_up.map(|it| it.since);
        let Some(peer) = self.members.roster.get_mut(sid) else {
            return Duration::ZERO;
        };
        let Some(since) = since else {
            return peer.clock.age(time, now.uptime);
        };
        let out = now.uptime.saturating_sub(since);
        let by_own_clock = || Duration::from_millis(now.time.saturating_sub(time)).min(out);
        let age = peer.clock.age_of_waiting(time, now.uptime);
        age.unwrap_or_else(by_own_clock)
    }

    /// Tells whom a message leaves out, where it is not the same people as before.
    fn left_others_out(&mut self, sid: SessionId, header: &Header) -> Option<Event> {
        if header.stream != Stream::Room {
            return None;
        }
        let others = header.left_out.iter();
        let others: Vec<(SessionId, Nick)> = others
            .filter_map(|(sid, _)| Some((*sid, self.members.roster.get(*sid)?.nick().clone())))
            .collect();
        let (sids, mut nicks): (Vec<SessionId>, Vec<Nick>) = others.into_iter().unzip();
        nicks.sort_by(|one, other| one.as_str().cmp(other.as_str()));
        let peer = self.members.roster.get_mut(sid)?;
        let left_out = (!sids.is_empty()).then(|| roster_digest(&sids));
        let before = std::mem::replace(&mut peer.told.left_out, left_out);
        let is_news = left_out.is_some() && before != left_out;
        is_news.then(|| Event::LeftOthersOut(peer.nick().clone(), nicks))
    }
}
