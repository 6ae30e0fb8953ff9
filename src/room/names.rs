//! What names people, rooms, sessions and a relay's runs (PROTOCOL §2, §4, §7).

use hmac::{Hmac, KeyInit as _, Mac as _};
use rand::RngExt as _;
use sha2::Sha256;

use crate::cipher::encoding::{Digest, Encoder};

/// The most characters in a nick.
const MAX_NICK: usize = 24;
/// The most characters in a room name.
const MAX_ROOM_NAME: usize = 64;

/// Why a name is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameError {
    /// It has no characters, or more than `max`.
    Length {
        /// The most characters that it may have.
        max: usize,
    },
    /// It has a character other than ASCII letters, digits, `_`, `-` and `.`.
    Character,
    /// It begins or ends as an invite does, and is none: somebody has mistyped it.
    Mistyped,
}

impl std::fmt::Display for NameError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Length { max } => write!(f, "it must have 1 to {max} characters"),
            Self::Character => f.write_str("it may have letters, digits, _, - and ."),
            Self::Mistyped => f.write_str("this invite is mistyped: copy it again, all of it"),
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

/// What a member is called: 1 to 24 characters (PROTOCOL §2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nick(String);

impl Nick {
    /// The nick as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The skeleton of the nick: nicks that look alike have the same one (PROTOCOL §2, *alike*).
    #[must_use]
    pub fn skeleton(&self) -> String {
        let looks = |c: char| match c.to_ascii_lowercase() {
            'i' | '1' => 'l',
            '0' => 'o',
            c => c,
        };
        self.0.chars().map(looks).collect()
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

/// What a room is called on screens whose name is an invite: the name is its secret.
pub const PRIVATE_ROOM: &str = "private room";

/// The name of a room, which the relay does not learn: 1 to 64 characters in lower case (PROTOCOL
/// §2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomName(String);

impl RoomName {
    /// A new name that nobody can guess: an invite for those who are given it (PROTOCOL §12).
    #[must_use]
    pub fn invite() -> Self {
        let mut rng = rand::rng();
        let random: String = (0..RANDOM_CHARACTERS)
            .map(|_| digit(rng.random_range(0..32)))
            .collect();
        let all: Vec<char> = random.chars().chain(checksum(&random)).collect();
        let groups: Vec<String> = all
            .chunks(GROUP)
            .map(|group| group.iter().collect())
            .collect();
        Self(format!("{INVITE}{}", groups.join("-")))
    }

    /// The room of those who name none.
    #[must_use]
    pub fn lobby() -> Self {
        Self("lobby".to_owned())
    }

    /// Whether it is an invite, which nobody can guess.
    #[must_use]
    pub fn is_invite(&self) -> bool {
        self.0.starts_with(INVITE)
    }

    /// The room id, by which the relay knows the room (PROTOCOL §2).
    #[must_use]
    pub fn id(&self) -> RoomId {
        RoomId(self.derive("e2echat/1 room id"))
    }

    /// The room key, which authenticates cards among those who know the name (PROTOCOL §2).
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
        check(name, MAX_ROOM_NAME)?;
        let name = name.to_ascii_lowercase();
        match name.strip_prefix(INVITE) {
            Some(groups) if is_well_formed(groups) => Ok(Self(name)),
            Some(_) => Err(NameError::Mistyped),
            // Only its beginning is mistyped: nobody gives a room such a name.
            None if ends_as_invite(&name) => Err(NameError::Mistyped),
            None => Ok(Self(name)),
        }
    }
}

/// What invites begin with (PROTOCOL §12).
const INVITE: &str = "inv-";
/// The characters of invites, of 5 bits each. None looks like another.
const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// How many characters of an invite are random, how many are the checksum, and how many make a
/// group.
const RANDOM_CHARACTERS: usize = 20;
const CHECKSUM_CHARACTERS: u32 = 4;
const GROUP: usize = 4;
/// The length of what follows [`INVITE`]: six groups and the hyphens between them.
const GROUPS_LENGTH: usize = 6 * (GROUP + 1) - 1;

fn digit(value: usize) -> char {
    let digit = DIGITS.get(value % DIGITS.len());
    char::from(*digit.expect("a remainder is less than what it is by"))
}

/// The checksum of an invite: the first 20 bits of a digest over the random characters, as four
/// characters.
fn checksum(random: &str) -> impl Iterator<Item = char> {
    let [a, b, c, ..] = Encoder::tagged("e2echat/1 invite")
        .string(random.as_bytes())
        .digest();
    let bits = usize::from(a) << 12 | usize::from(b) << 4 | usize::from(c) >> 4;
    (1..=CHECKSUM_CHARACTERS).map(move |n| digit(bits >> (5 * (CHECKSUM_CHARACTERS - n))))
}

fn is_well_formed(groups: &str) -> bool {
    let is_grouped = groups
        .split('-')
        .all(|group| group.len() == GROUP && group.bytes().all(|c| DIGITS.contains(&c)));
    let all = groups.replace('-', "");
    let parts = all.split_at_checked(RANDOM_CHARACTERS);
    is_grouped && parts.is_some_and(|(random, sum)| checksum(random).eq(sum.chars()))
}

fn ends_as_invite(name: &str) -> bool {
    let start = name.len().checked_sub(GROUPS_LENGTH);
    start
        .and_then(|start| name.get(start..))
        .is_some_and(is_well_formed)
}

impl std::fmt::Display for RoomName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// The room id: 32 bytes that name a room on the wire (PROTOCOL §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RoomId(pub [u8; 32]);

/// The 32 bytes that name a member: a digest of room, nick and both keys (PROTOCOL §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub [u8; 32]);

/// The 16 random bytes that name one run of a relay (PROTOCOL §7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunId(pub [u8; 16]);

/// The key of the HMAC on a room's cards (PROTOCOL §4).
pub struct RoomKey([u8; 32]);

impl RoomKey {
    /// HMAC-SHA256 (RFC 2104) of `bytes`.
    #[must_use]
    pub fn mac(&self, bytes: &[u8]) -> [u8; 32] {
        self.hmac(bytes).finalize().into_bytes().into()
    }

    /// Whether `mac` is the HMAC of `bytes`. The comparison takes constant time.
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
    fn an_invite_is_taken_as_it_was_made_and_in_no_other_form() {
        let invite = RoomName::invite().to_string();
        assert_eq!(invite.len(), "inv-".len() + 6 * 5 - 1);
        let read: RoomName = invite.to_uppercase().parse().unwrap();
        assert!(read.is_invite() && read.to_string() == invite);
        assert_ne!(RoomName::invite().to_string(), invite);
        let groups = &invite["inv-".len()..];
        for beginning in ["", "i", "in-", "imv-", "invx", "nv-", "iinv-", "INF-"] {
            let mistyped = format!("{beginning}{groups}").parse::<RoomName>();
            assert_eq!(mistyped, Err(NameError::Mistyped), "{beginning}");
        }
        for mistyped in [&invite[..invite.len() - 1], "inv-", "inv-ited"] {
            assert_eq!(mistyped.parse::<RoomName>(), Err(NameError::Mistyped));
        }
        assert!("inventors".parse::<RoomName>().is_ok());
    }

    #[test]
    fn no_character_of_an_invite_can_be_mistyped() {
        let random = "k0wz7n3hq9bx4m1tce8g";
        let all: String = random.chars().chain(checksum(random)).collect();
        let groups: Vec<&str> = (0..6).map(|group| &all[4 * group..][..4]).collect();
        let invite = format!("inv-{}", groups.join("-"));
        assert!(invite.parse::<RoomName>().is_ok());
        for position in 0..invite.len() {
            for other in "0123456789abcdefghijklmnopqrstuvwxyz-_.".chars() {
                let mut mistyped: Vec<char> = invite.chars().collect();
                if mistyped[position] != other {
                    mistyped[position] = other;
                    let mistyped: String = mistyped.into_iter().collect();
                    let refused = mistyped.parse::<RoomName>();
                    assert_eq!(refused, Err(NameError::Mistyped), "{mistyped}");
                }
            }
            let mut shorter = invite.clone();
            shorter.remove(position);
            let refused = shorter.parse::<RoomName>();
            assert_eq!(refused, Err(NameError::Mistyped), "{shorter}");
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
