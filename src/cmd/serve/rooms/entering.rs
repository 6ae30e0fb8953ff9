//! How a member enters a room, or goes on in it over another connection.

use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use crate::cipher::encoding::Malformed;
use crate::room::card::{Card, SessionId};
use crate::room::chain::Link;
use crate::room::frame::Departure;
use crate::room::names::RoomId;
use crate::room::notice::Notice;
use crate::room::relay::{Intake, ResumePoint, Room};

use super::membership::{CountedMember, Membership};
use super::table::{Relay, Rooms, SharedRoom};
use crate::cmd::lock::lock;
use crate::cmd::serve::admission::connections::Network;
use crate::cmd::serve::admission::eviction::{Candidate, choose_evicted};
use crate::cmd::serve::outbox::MemberOutbox;

impl Relay {
    /// Enters a member into a room, which is made if it is not there. The member stays for as long
    /// as the returned value lives. Where no place is left, one that is kept for somebody else may
    /// be evicted.
    ///
    /// # Errors
    /// The notice to send before hanging up.
    pub(in crate::cmd::serve) fn join(
        self: &Arc<Self>,
        id: RoomId,
        card: &Card,
        outbox: &Arc<MemberOutbox>,
    ) -> Result<Membership, Notice> {
        self.admission.check_memory()?;
        let counted = CountedMember::count(self);
        let mut rooms = lock(&self.rooms);
        self.admission.check_open()?;
        let has_own = |room: &SharedRoom| lock(room).has_own_place(card);
        let evicted = if rooms.by_id.get(&id).is_some_and(has_own) {
            None
        } else {
            self.find_evicted(&rooms, &counted, outbox.network())?
        };
        let (room, joined) = if let Some(room) = rooms.by_id.get(&id) {
            let joined = self.enter(&mut lock(room), card, outbox)?;
            (Arc::clone(room), joined)
        } else {
            let start = Link::start(self.run, id, rooms.last_position);
            let mut room = Room::new(start, &self.config.limits, self.config.grace);
            let joined = room.join(card, outbox)?;
            let room = Arc::new(Mutex::new(room));
            rooms.by_id.insert(id, Arc::clone(&room));
            (room, joined)
        };
        // Its member is out of its room within a second.
        if let Some(evicted) = evicted {
            evicted.release_if_kept();
        }
        let intake = Intake::new(card, self.run, joined, &self.config.limits);
        let (outbox, intake) = (Arc::clone(outbox), Box::new(intake));
        Ok(Membership::new(id, room, outbox, intake, card, counted))
    }

    /// The outbox whose place is to be evicted from any room for a newcomer, if one must be. The
    /// caller finds it before it enters the newcomer, and evicts it afterwards.
    ///
    /// # Errors
    /// Where a place must be evicted, and none is kept that can be.
    fn find_evicted(
        &self,
        rooms: &Rooms,
        member: &CountedMember,
        newcomer: Network,
    ) -> Result<Option<Arc<MemberOutbox>>, Notice> {
        let is_full = member.number > self.config.max_members;
        let is_over_limit = self.admission.is_over_limit(newcomer);
        if !is_full && !is_over_limit {
            return Ok(None);
        }
        let mut places = Vec::new();
        for room in rooms.by_id.values() {
            let room = lock(room);
            places.extend(
                room.mailboxes()
                    .map(|outbox| outbox.candidate(Arc::clone(outbox))),
            );
        }
        if is_over_limit {
            places.retain(|candidate| candidate.network == newcomer);
        }
        match choose_evicted(places, newcomer, Instant::now()) {
            None if is_full => Err(Notice::RelayFull),
            evicted => Ok(evicted),
        }
    }

    /// Enters a member into `room`. If the room is full, a place that is kept in it may be evicted; if the
    /// member's identity has all places that it may have, one at which it sleeps.
    /// Returns the position of the join.
    fn enter(
        &self,
        room: &mut Room<Arc<MemberOutbox>>,
        card: &Card,
        outbox: &Arc<MemberOutbox>,
    ) -> Result<u64, Notice> {
        if room.other_places(card).count() >= self.config.per_identity {
            let now = Instant::now();
            let own = room.other_places(card).map(candidate);
            let own = own.filter_map(|own| Some((own.asleep_since(now)?, own.place)));
            let longest = own.min_by_key(|(since, _)| *since);
            if !longest.is_some_and(|(_, longest)| evict(room, longest)) {
                return Err(Notice::IdentityFull);
            }
        }
        let joined = room.join(card, outbox);
        if joined != Err(Notice::RoomFull) {
            return joined;
        }
        let places = room.places().map(candidate).collect();
        if let Some(longest) = choose_evicted(places, outbox.network(), Instant::now()) {
            evict(room, longest);
        }
        room.join(card, outbox)
    }

    /// Lets a member that is still in a room go on over another connection, from its resume point.
    /// Returns the connection's number too, or `None` if the member is not in the room any more.
    ///
    /// # Errors
    /// Where the member cannot have received so many frames, or somebody with its identity and nick
    /// has entered from elsewhere since.
    pub(in crate::cmd::serve) fn resume(
        self: &Arc<Self>,
        id: RoomId,
        card: &Card,
        resume_point: ResumePoint,
        stream: &Arc<TcpStream>,
        network: Network,
    ) -> Result<Option<(Membership, u64)>, Notice> {
        let Some(room) = lock(&self.rooms).by_id.get(&id).map(Arc::clone) else {
            return Ok(None);
        };
        let outbox = {
            let room = lock(&room);
            if room.is_replaced(card) {
                return Err(Notice::Replaced);
            }
            room.resumable_mailbox(card, resume_point.joined)
                .map(Arc::clone)
        };
        let Some(outbox) = outbox else {
            return Ok(None);
        };
        let (received, grace) = (resume_point.received, self.config.grace);
        let taken = outbox.take_over(stream, network, received, grace, Instant::now());
        let taken = taken.map_err(|Malformed| Notice::Malformed)?;
        Ok(taken.map(|(intake, connection)| {
            let counted = CountedMember::count(self);
            let membership = Membership::new(id, room, outbox, intake, card, counted);
            membership.wake();
            (membership, connection)
        }))
    }
}

/// A place in a room: the position of its member's joining, and its outbox.
type Place = (u64, Arc<MemberOutbox>);

fn candidate((_, joined, outbox): (SessionId, u64, &Arc<MemberOutbox>)) -> Candidate<Place> {
    outbox.candidate((joined, Arc::clone(outbox)))
}

/// Takes a member out of its room whose place is kept. Returns whether it was.
fn evict(room: &mut Room<Arc<MemberOutbox>>, (joined, outbox): Place) -> bool {
    let is_kept = outbox.release_if_kept();
    if is_kept {
        room.leave(joined, Departure::Lost);
    }
    is_kept
}
