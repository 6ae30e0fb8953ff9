//! The public keys of `tests/vectors`, and what they sign: the same in every run, and signed once.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::OnceLock;

use e2echat::cipher::encoding::Encoder;
use e2echat::cipher::keys::IdentityKey;
use e2echat::cipher::pem::IdentityPem;
use e2echat::room::card::{Card, SessionId, Stay};
use e2echat::room::names::RoomName;

pub fn room() -> &'static RoomName {
    static ROOM: OnceLock<RoomName> = OnceLock::new();
    ROOM.get_or_init(RoomName::lobby)
}

/// One of three that sign.
pub fn identity(number: usize) -> &'static IdentityKey {
    static KEYS: OnceLock<[IdentityKey; 3]> = OnceLock::new();
    let keys = KEYS.get_or_init(|| {
        [
            include_str!("../../vectors/keys/ada_identity.pem"),
            include_str!("../../vectors/keys/bob_identity.pem"),
            include_str!("../../vectors/keys/cara_identity.pem"),
        ]
        .map(read)
    });
    &keys[number % keys.len()]
}

/// One of a few whose public half is a session key.
fn session(number: usize) -> &'static IdentityKey {
    static KEYS: OnceLock<[IdentityKey; 5]> = OnceLock::new();
    let keys = KEYS.get_or_init(|| {
        [
            include_str!("../../vectors/keys/ada_session.pem"),
            include_str!("../../vectors/keys/bob_session.pem"),
            include_str!("../../vectors/keys/cara_session.pem"),
            include_str!("../../vectors/keys/bob_session_2100.pem"),
            include_str!("../../vectors/keys/bob_session_3072.pem"),
        ]
        .map(read)
    });
    &keys[number % keys.len()]
}

fn read(pem: &str) -> IdentityKey {
    IdentityPem::parse(pem).unwrap().open().unwrap()
}

/// Signatures, by who signed what.
type Signatures = HashMap<(usize, Vec<u8>), Vec<u8>>;

/// A signature, which is made once for the same bytes: it takes longer than all the rest.
pub fn sign(signer: usize, bytes: &[u8]) -> Vec<u8> {
    thread_local! {
        static MADE: RefCell<Signatures> = RefCell::default();
    }
    MADE.with_borrow_mut(|made| {
        // A fuzzer runs for days.
        if made.len() > 10_000 {
            made.clear();
        }
        let entry = made.entry((signer, bytes.to_vec()));
        entry
            .or_insert_with(|| identity(signer).sign(bytes))
            .clone()
    })
}

/// What a card says.
#[derive(Clone, Copy)]
pub struct Fields<'a> {
    pub nick: &'a str,
    pub identity: usize,
    pub session: usize,
    pub generation: u32,
    pub previous: SessionId,
    pub first: SessionId,
    pub next: u64,
    pub past: &'a [Stay],
}

impl<'a> Fields<'a> {
    pub fn new(nick: &'a str, identity: usize, session: usize) -> Self {
        Self {
            nick,
            identity,
            session,
            generation: 0,
            previous: SessionId([0; 32]),
            first: SessionId([0; 32]),
            next: 0,
            past: &[],
        }
    }

    /// All but the signature.
    pub fn unsigned(&self) -> Vec<u8> {
        let mut fields = Encoder::tagged("e2echat/2 card")
            .bytes(&room().id().0)
            .string(self.nick.as_bytes())
            .string(identity(self.identity).public().spki())
            .string(session(self.session).public().spki())
            .boolean(true)
            .u32(self.generation)
            .bytes(&self.previous.0)
            .bytes(&self.first.0)
            .u64(0)
            .u64(self.next)
            .count(self.past.len());
        for stay in self.past {
            fields = stay.claim.encode(fields.u64(stay.first));
        }
        let mac = room().key().mac(fields.as_slice());
        fields.bytes(&mac).finish()
    }

    pub fn bytes(&self) -> Vec<u8> {
        let unsigned = self.unsigned();
        let signature = sign(self.identity, &unsigned);
        Encoder::default()
            .bytes(&unsigned)
            .string(&signature)
            .finish()
    }

    /// The card, if it is one.
    pub fn card(&self) -> Option<Card> {
        Card::parse(&self.bytes(), room().id()).ok()
    }
}
