//! The relay's side: who may enter, and one room's roster and forwarding (PROTOCOL §7, §8).
//!
//! It sees cards, headers and ciphertexts, and has no key to open anything. What it sends goes
//! into each member's [`Mailbox`]; how it gets from there to a socket is not its affair.

mod assembly;
mod outgoing;

use std::collections::HashMap;
use std::sync::Arc;

use super::card::{Card, SessionId};
use super::frame::{Challenge, Departure, Frame, Limits, State, ToRelay};
use super::names::RoomId;
use super::notice::Notice;
use super::roster::Roster;

pub use self::assembly::{Assembly, Message, check_statement};
pub use self::outgoing::Outgoing;

/// Where frames for a member are put. Putting one there must not block.
pub trait Mailbox: Clone {
    /// Takes a frame. Frames leave in the order in which they came.
    fn post(&self, frame: Outgoing);
}

/// Checks the first frame of a client that wants to enter `room`.
///
/// # Errors
/// With what to tell it before hanging up.
pub fn admit(frame: &[u8], challenge: &Challenge, room: RoomId) -> Result<Card, Notice> {
    let Ok(ToRelay::Hello {
        card,
        received,
        proof,
    }) = ToRelay::parse(frame)
    else {
        return Err(Notice::Malformed);
    };
    let card = Card::parse(card, room)?;
    if card.generation() != 0 {
        return Err(Notice::CardMalformed);
    }
    let possession = challenge.possession(card.sid(), received);
    if card.identity().verifies(&possession, proof) {
        Ok(card)
    } else {
        Err(Notice::Possession)
    }
}

struct Occupant<M> {
    card: Arc<[u8]>,
    mailbox: M,
    /// The session id that it had before.
    former: Option<SessionId>,
}

/// A room: its members and the number of its last change.
pub struct Room<M> {
    epoch: u64,
    max_members: usize,
    roster: Roster<Occupant<M>>,
    /// The present session ids of those who had another before, to which messages may still be
    /// under way.
    successors: HashMap<SessionId, SessionId>,
}

impl<M: Mailbox> Room<M> {
    /// An empty room, whose first change will have the number after `epoch`.
    #[must_use]
    pub fn new(epoch: u64, limits: &Limits) -> Self {
        Self {
            epoch,
            max_members: usize::try_from(limits.members).unwrap_or(usize::MAX),
            roster: Roster::default(),
            successors: HashMap::new(),
        }
    }

    /// The number of the last change.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// How many members there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.roster.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.roster.is_empty()
    }

    /// The mailboxes of all members.
    pub fn mailboxes(&self) -> impl Iterator<Item = &M> {
        self.roster.iter().map(|(_, occupant)| &occupant.mailbox)
    }

    /// Adds a member: it gets WELCOME and the roster, the others learn of it.
    ///
    /// # Errors
    /// With what to tell it before hanging up.
    pub fn join(&mut self, card: &Card, mailbox: &M) -> Result<(), Notice> {
        if self.roster.len() >= self.max_members {
            return Err(Notice::RoomFull);
        }
        let occupant = Occupant {
            card: Arc::clone(card.bytes()),
            mailbox: mailbox.clone(),
            former: None,
        };
        let others = self.roster.len();
        self.roster.insert(card, occupant)?;
        self.epoch += 1;
        mailbox.post(Frame::welcome(self.epoch, others).into());
        let joined = Outgoing::from(Frame::joined(self.epoch, card.bytes()));
        for (sid, other) in self.roster.iter() {
            if sid != card.sid() {
                mailbox.post(Frame::member(&other.card).into());
                other.mailbox.post(joined.clone());
            }
        }
        Ok(())
    }

    /// Removes a member, if it is there, and tells the others.
    pub fn leave(&mut self, sid: SessionId, departure: Departure) {
        if let Some(gone) = self.roster.remove(sid) {
            self.successors
                .retain(|former, _| gone.former != Some(*former));
            self.epoch += 1;
            let left = Outgoing::from(Frame::left(self.epoch, sid, departure));
            for mailbox in self.mailboxes() {
                mailbox.post(left.clone());
            }
        }
    }

    /// Gives a member the session key of `card`, which follows its present one.
    ///
    /// # Errors
    /// Where somebody has that key.
    pub fn rekey(&mut self, sid: SessionId, card: &Card) -> Result<(), Notice> {
        let Some(mut occupant) = self.roster.remove(sid) else {
            return Ok(());
        };
        self.successors
            .retain(|former, _| occupant.former != Some(*former));
        occupant.card = Arc::clone(card.bytes());
        occupant.former = Some(sid);
        self.roster.insert(card, occupant)?;
        self.successors.insert(sid, card.sid());
        self.epoch += 1;
        let rekeyed = Outgoing::from(Frame::rekeyed(self.epoch, card.bytes()));
        for mailbox in self.mailboxes() {
            mailbox.post(rekeyed.clone());
        }
        Ok(())
    }

    /// Passes a statement of `sender`'s, which is the frame `bytes`, to those it is for.
    pub fn forward_statement(&self, sender: SessionId, bytes: &Arc<[u8]>, state: &State<'_>) {
        let frame = Outgoing::statement(bytes, state.signed.clone());
        if state.to.is_empty() {
            for (sid, occupant) in self.roster.iter() {
                if sid != sender {
                    occupant.mailbox.post(frame.clone());
                }
            }
        }
        for reader in state.to.iter().filter_map(|sid| self.occupant(*sid)) {
            reader.mailbox.post(frame.clone());
        }
    }

    fn occupant(&self, sid: SessionId) -> Option<&Occupant<M>> {
        let present = self.successors.get(&sid).copied().unwrap_or(sid);
        self.roster.get(present)
    }

    /// Passes each parcel of a message to its reader. Parcels for somebody who is not there are
    /// dropped.
    pub fn forward(&self, message: &Message) {
        for part in &message.0 {
            for parcel in &part.send.parcels {
                if let Some(reader) = self.occupant(parcel.to) {
                    reader.mailbox.post(Outgoing::deliver(
                        &part.frame,
                        part.send.signed.clone(),
                        parcel.ciphertext.clone(),
                    ));
                }
            }
        }
    }
}
