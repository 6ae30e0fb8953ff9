//! Nicks and room names (PROTOCOL §2).

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::cipher::encoding::{Digest, Encoder};

/// The most characters in a nick.
pub const MAX_NICK: usize = 24;
/// The most characters in a room name.
pub const MAX_ROOM_NAME: usize = 64;

/// Why a name is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameError {
    /// It has no characters, or more than this many.
    Length {
        /// The most that it may have.
        max: usize,
    },
    /// It has a character other than ASCII letters, digits, `_`, `-` and `.`.
    Character,
}

impl std::fmt::Display for NameError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Length { max } => write!(f, "it must have 1 to {max} characters"),
            Self::Character => f.write_str("it may have letters a to z, digits, _, - and ."),
        }
    }
}

impl std::error::Error for NameError {}

fn check(name: &str, max: usize) -> Result<(), NameError> {
    if !(1..=max).contains(&name.chars().count()) {
        return Err(NameError::Length { max });
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if name.chars().all(allowed) {
        Ok(())
    } else {
        Err(NameError::Character)
    }
}

/// What a member is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nick(String);

impl Nick {
    /// The nick as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What is the same for all nicks that look alike.
    #[must_use]
    pub fn skeleton(&self) -> String {
        self.0
            .to_ascii_lowercase()
            .replace(['i', '1'], "l")
            .replace('0', "o")
    }
}

impl std::str::FromStr for Nick {
    type Err = NameError;

    fn from_str(name: &str) -> Result<Self, NameError> {
        check(name, MAX_NICK).map(|()| Self(name.to_owned()))
    }
}

impl std::fmt::Display for Nick {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name of a room, which the relay does not learn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomName(String);

impl RoomName {
    /// What the relay knows the room by.
    #[must_use]
    pub fn id(&self) -> RoomId {
        RoomId(self.derive("e2echat/1 room id"))
    }

    /// What authenticates cards among those who know the name.
    #[must_use]
    pub fn key(&self) -> RoomKey {
        RoomKey(self.derive("e2echat/1 room key"))
    }

    fn derive(&self, tag: &str) -> Digest {
        Encoder::tagged(tag).string(self.0.as_bytes()).digest()
    }
}

impl std::str::FromStr for RoomName {
    type Err = NameError;

    fn from_str(name: &str) -> Result<Self, NameError> {
        check(name, MAX_ROOM_NAME).map(|()| Self(name.to_ascii_lowercase()))
    }
}

impl std::fmt::Display for RoomName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// The 32 bytes that name a room on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RoomId(pub [u8; 32]);

/// The key of the HMAC on a room's cards.
pub struct RoomKey([u8; 32]);

impl RoomKey {
    /// HMAC-SHA256 (RFC 2104) of `bytes`.
    #[must_use]
    pub fn mac(&self, bytes: &[u8]) -> [u8; 32] {
        self.hmac(bytes).finalize().into_bytes().into()
    }

    /// Whether `mac` is that of `bytes`, found out in constant time.
    #[must_use]
    pub fn verifies(&self, bytes: &[u8], mac: &[u8; 32]) -> bool {
        self.hmac(bytes).verify_slice(mac).is_ok()
    }

    fn hmac(&self, bytes: &[u8]) -> Hmac<Sha256> {
        Hmac::new_from_slice(&self.0)
            .expect("HMAC takes keys of any length")
            .chain_update(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nick(name: &str) -> Nick {
        name.parse().unwrap()
    }

    #[test]
    fn nicks_that_look_alike_have_one_skeleton() {
        for (one, other) in [("Lola", "1o1a"), ("bill", "BIl1"), ("Oscar", "0scar")] {
            assert_eq!(nick(one).skeleton(), nick(other).skeleton());
        }
        assert_ne!(nick("ada").skeleton(), nick("adda").skeleton());
    }

    #[test]
    fn a_nick_of_25_characters_is_refused() {
        assert!("a".repeat(24).parse::<Nick>().is_ok());
        let refused = "a".repeat(25).parse::<Nick>();
        assert_eq!(refused, Err(NameError::Length { max: 24 }));
        assert_eq!("".parse::<Nick>(), Err(NameError::Length { max: 24 }));
    }

    #[test]
    fn look_alikes_from_other_scripts_spaces_and_escapes_are_refused() {
        for name in ["аda", "a da", "a\u{1b}[2J", "ada\n", "<ada>", "ada\u{202e}"] {
            assert_eq!(name.parse::<Nick>(), Err(NameError::Character), "{name:?}");
        }
    }

    #[test]
    fn a_room_is_the_same_in_capitals() {
        let lobby: RoomName = "lobby".parse().unwrap();
        let capitals: RoomName = "LOBBY".parse().unwrap();
        assert_eq!(lobby.id(), capitals.id());
        assert_ne!(lobby.id().0, lobby.key().0);
    }
}
