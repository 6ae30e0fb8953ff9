//! Notices: what a relay tells a client before it hangs up. A notice is a code, which the client
//! words (PROTOCOL §9).

use super::card::CardError;

/// What a client that has been in the room does when its connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// It makes another connection.
    Again,
    /// It makes another one too, but not over and over: no relay has a reason for this, so somebody on the
    /// way has put something in, towards one side or the other.
    Doubt,
    /// It ends: the relay would say the same once more.
    End,
}

/// Declares each notice once: the code on the wire, what a client does about it in the room and when it
/// comes back, and the words on the screen.
macro_rules! notices {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $inside:ident, $back:ident, $words:literal;)*) => {
        /// Why the relay ends a connection (PROTOCOL §9).
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Notice {
            $($(#[$doc])* $name,)*
        }

        impl Notice {
            /// The code on the wire.
            #[must_use]
            pub fn code(self) -> u8 {
                match self {
                    $(Self::$name => $code,)*
                }
            }

            /// The notice with this code, if there is one.
            #[must_use]
            pub fn from_code(code: u8) -> Option<Self> {
                match code {
                    $($code => Some(Self::$name),)*
                    _ => None,
                }
            }

            /// What a client does that gets it in the room.
            #[must_use]
            pub fn inside(self) -> Next {
                match self {
                    $(Self::$name => Next::$inside,)*
                }
            }

            /// What a client does that was in the room and gets it on its way back.
            #[must_use]
            pub fn on_the_way_back(self) -> Next {
                match self {
                    $(Self::$name => Next::$back,)*
                }
            }
        }

        impl std::fmt::Display for Notice {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(match self {
                    $(Self::$name => $words,)*
                })
            }
        }
    };
}

notices! {
    /// The relay speaks another version.
    Version = 1, Doubt, End, "the relay speaks another version of the protocol";
    /// A frame was malformed, too long, unknown or out of place.
    Malformed = 2, Doubt, Doubt, "the relay did not understand what this client sent";
    /// The handshake was not done in time.
    HandshakeTooSlow = 3, Doubt, Again, "entering the room took too long";
    /// The card cannot be parsed.
    CardMalformed = 4, Doubt, Doubt, "the relay did not understand this client's card";
    /// The card is for another room.
    CardRoom = 5, Doubt, Doubt, "the card is for another room";
    /// The card's nick is not a valid nick.
    CardNick = 6, Doubt, Doubt, "the relay does not allow this nick";
    /// The card's identity key is not accepted.
    CardIdentityKey = 7, Doubt, Doubt, "the relay does not accept the identity key";
    /// The card's session key is not accepted.
    CardSessionKey = 8, Doubt, Doubt, "the relay does not accept the session key";
    /// The card's signature is wrong.
    CardSignature = 9, Doubt, Doubt, "the signature on the card is wrong";
    /// The client did not prove that it has the identity key.
    Possession = 10, Doubt, Doubt, "this client did not prove that it has the identity key";
    /// The nick is taken, or looks like one that is.
    NickTaken = 11, Doubt, End, "the nick is taken in this room, or looks like one that is";
    /// The session key is in the room already, under another session id.
    KeyTaken = 12, Doubt, End, "the session key is in this room already";
    /// The room has as many members as it may have.
    RoomFull = 13, Doubt, Again, "the room is full";
    /// The relay has as many connections as it may have, or no memory for another.
    RelayFull = 14, Doubt, Again, "the relay is full";
    /// The client did not read fast enough.
    QueueFull = 15, Again, Again, "your program was too slow to read what the others wrote, and was let go";
    /// The client sent nothing for too long.
    Idle = 16, Again, Again, "the relay heard nothing from this client for too long";
    /// The relay is ending.
    Shutdown = 17, Again, Again, "the relay is shutting down";
    /// The same identity entered from elsewhere under the same nick (PROTOCOL §8).
    Replaced = 18, End, End, "you have entered this room once more, from elsewhere";
    /// The client's address has as many connections as it may have.
    AddressFull = 19, Doubt, Again, "too many connections from this address";
    /// There were too many joins from the client's address within a minute.
    JoinsTooFast = 20, Doubt, Again, "too many joins from this address";
    /// The relay has an allow list, and this identity is not on it.
    NotListed = 21, Doubt, End, "this identity is not on the relay's list";
    /// The identity has as many places in the room as it may.
    IdentityFull = 22, Doubt, Again, "this identity is in the room too many times already";
}

impl From<CardError> for Notice {
    fn from(error: CardError) -> Self {
        match error {
            CardError::Room => Self::CardRoom,
            CardError::Nick => Self::CardNick,
            CardError::IdentityKey => Self::CardIdentityKey,
            CardError::SessionKey => Self::CardSessionKey,
            CardError::Signature => Self::CardSignature,
            // A relay has no room key: it cannot check the MAC, so it never finds it wrong.
            CardError::Malformed | CardError::Mac => Self::CardMalformed,
        }
    }
}
