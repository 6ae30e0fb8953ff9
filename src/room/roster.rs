//! The roster: who is in a room, under the rules that both sides enforce. No two members have nicks
//! that look alike or the same session key (PROTOCOL §4).

use std::collections::{BTreeMap, HashSet};

use sha2::{Digest as _, Sha256};

use crate::cipher::encoding::Digest;

use super::card::{Card, SessionId};
use super::notice::Notice;

/// Why a card conflicts with the roster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conflict {
    /// A member has this nick, or one that looks like it.
    Nick,
    /// A member has this session key.
    SessionKey,
}

impl std::fmt::Display for Conflict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Nick => "its nick is taken, or looks like one that is",
            Self::SessionKey => "its session key is another member's",
        })
    }
}

impl From<Conflict> for Notice {
    fn from(conflict: Conflict) -> Self {
        match conflict {
            Conflict::Nick => Self::NickTaken,
            Conflict::SessionKey => Self::KeyTaken,
        }
    }
}

/// The most members that a room has, whatever a relay allows.
pub const MAX_MEMBERS: u32 = 4096;

/// The members of a room, ascending by session id, each with a `T`.
#[derive(Debug)]
pub struct Roster<T> {
    /// Boxed, as a tree sets space aside for eleven at once: most rooms have fewer.
    members: BTreeMap<SessionId, Box<RosterEntry<T>>>,
    skeletons: HashSet<String>,
    moduli: HashSet<Digest>,
}

#[derive(Debug)]
struct RosterEntry<T> {
    skeleton: String,
    modulus: Digest,
    value: T,
}

impl<T> RosterEntry<T> {
    fn of(card: &Card, value: T) -> Self {
        Self {
            skeleton: card.nick().skeleton(),
            modulus: modulus_digest(card),
            value,
        }
    }
}

impl<T> Default for Roster<T> {
    fn default() -> Self {
        Self {
            members: BTreeMap::new(),
            skeletons: HashSet::new(),
            moduli: HashSet::new(),
        }
    }
}

impl<T> Roster<T> {
    /// Takes the nick and the session key of `card`, so that nobody else can have them.
    ///
    /// # Errors
    /// Where one of them is taken.
    pub fn reserve(&mut self, card: &Card) -> Result<(), Conflict> {
        self.check(card)?;
        self.skeletons.insert(card.nick().skeleton());
        self.moduli.insert(modulus_digest(card));
        Ok(())
    }

    /// Checks that the nick and the session key of `card` are free.
    ///
    /// # Errors
    /// Where one of them is taken.
    pub fn check(&self, card: &Card) -> Result<(), Conflict> {
        if self.skeletons.contains(&card.nick().skeleton()) {
            return Err(Conflict::Nick);
        }
        if self.moduli.contains(&modulus_digest(card)) {
            return Err(Conflict::SessionKey);
        }
        Ok(())
    }

    /// Frees what [`Roster::reserve`] took.
    pub fn release(&mut self, card: &Card) {
        self.skeletons.remove(&card.nick().skeleton());
        self.moduli.remove(&modulus_digest(card));
    }

    /// Adds the member that `card` presents.
    ///
    /// # Errors
    /// As [`Roster::reserve`]. A member that is there already conflicts with itself.
    pub fn insert(&mut self, card: &Card, value: T) -> Result<(), Conflict> {
        self.check(card)?;
        self.put(card.sid(), RosterEntry::of(card, value));
        Ok(())
    }

    /// Gives the member `before`, if it is there, the nick, the session key and the session id of
    /// `card`.
    ///
    /// # Errors
    /// Where somebody else has that nick or that key: nothing changes.
    pub fn change(&mut self, before: SessionId, card: &Card) -> Result<(), Conflict> {
        let Some(member) = self.take(before) else {
            return Ok(());
        };
        let checked = self.check(card);
        match checked {
            Ok(()) => self.put(card.sid(), RosterEntry::of(card, member.value)),
            Err(_) => self.put(before, member),
        }
        checked
    }

    /// Removes a member, if it is there, and returns its `T`.
    pub fn remove(&mut self, sid: SessionId) -> Option<T> {
        self.take(sid).map(|member| member.value)
    }

    fn put(&mut self, sid: SessionId, member: RosterEntry<T>) {
        self.skeletons.insert(member.skeleton.clone());
        self.moduli.insert(member.modulus);
        self.members.insert(sid, Box::new(member));
    }

    fn take(&mut self, sid: SessionId) -> Option<RosterEntry<T>> {
        let member = self.members.remove(&sid)?;
        self.skeletons.remove(&member.skeleton);
        self.moduli.remove(&member.modulus);
        Some(*member)
    }

    /// The `T` of a member.
    #[must_use]
    pub fn get(&self, sid: SessionId) -> Option<&T> {
        self.members.get(&sid).map(|member| &member.value)
    }

    /// The `T` of a member, to be changed.
    pub fn get_mut(&mut self, sid: SessionId) -> Option<&mut T> {
        self.members.get_mut(&sid).map(|member| &mut member.value)
    }

    /// The members in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = (SessionId, &T)> {
        self.members
            .iter()
            .map(|(sid, member)| (*sid, &member.value))
    }

    /// The members in ascending order, to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (SessionId, &mut T)> {
        self.members
            .iter_mut()
            .map(|(sid, member)| (*sid, &mut member.value))
    }

    /// How many members there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }
}

/// SHA-256 of the modulus of a card's session key: by it, session keys are told apart.
#[must_use]
pub fn modulus_digest(card: &Card) -> Digest {
    Sha256::digest(card.session().modulus()).into()
}
