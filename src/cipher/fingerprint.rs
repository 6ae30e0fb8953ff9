//! Fingerprints of identities (PROTOCOL §3).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use sha2::{Digest as _, Sha256};

use super::encoding::{Digest, Malformed};

/// SHA-256 of an identity's `SubjectPublicKeyInfo` in DER. It displays as `ssh-keygen -l` shows
/// one: `SHA256:` and base64 without padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(Digest);

impl Fingerprint {
    /// The fingerprint of a key, from the DER of its `SubjectPublicKeyInfo`.
    #[must_use]
    pub fn of(spki: &[u8]) -> Self {
        Self(Sha256::digest(spki).into())
    }

    /// The digest itself.
    #[must_use]
    pub fn as_bytes(&self) -> &Digest {
        &self.0
    }

    /// The fingerprint in digits, for reading aloud: six groups of five (PROTOCOL §3).
    #[must_use]
    pub fn safety_number(&self) -> String {
        digit_groups(&self.0)
    }
}

/// A digest in six groups of five digits, which hold about 100 of its bits: each group is five
/// bytes as a big-endian number, modulo 100,000 (PROTOCOL §3).
#[must_use]
pub fn digit_groups(digest: &Digest) -> String {
    let groups: Vec<String> = digest
        .chunks_exact(5)
        .map(|chunk| {
            let number = chunk
                .iter()
                .fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
            format!("{:05}", number % 100_000)
        })
        .collect();
    groups.join(" ")
}

/// What the text of a fingerprint begins with.
const ALGORITHM: &str = "SHA256:";

impl std::fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{ALGORITHM}{}", STANDARD_NO_PAD.encode(self.0))
    }
}

impl std::str::FromStr for Fingerprint {
    type Err = Malformed;

    /// Reads the text that a fingerprint displays as, and no other spelling.
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let digest = text.strip_prefix(ALGORITHM).ok_or(Malformed)?;
        let digest = STANDARD_NO_PAD.decode(digest).map_err(|_| Malformed)?;
        digest.try_into().map(Self).map_err(|_| Malformed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_shown_as_openssh_shows_one() {
        // SHA-256 of nothing: FIPS 180-4's e3b0c442… in base64.
        assert_eq!(
            Fingerprint::of(b"").to_string(),
            "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU"
        );
    }

    #[test]
    fn it_is_read_as_it_is_shown_and_not_otherwise() {
        let shown = Fingerprint::of(b"").to_string();
        assert_eq!(shown.parse(), Ok(Fingerprint::of(b"")));
        let (start, _) = shown.split_at(shown.len() - 1);
        for other in [
            "",
            "SHA256:",
            start,
            &format!("{shown}="),
            &format!("{shown}A"),
            &format!(" {shown}"),
            // The bits that belong to no byte must be 0.
            &format!("{start}V"),
            &shown.replace("SHA256", "sha256"),
            &shown.replace('+', "-"),
        ] {
            assert_eq!(other.parse::<Fingerprint>(), Err(Malformed), "{other}");
        }
    }

    #[test]
    fn the_safety_number_has_six_groups_of_five_digits() {
        let mut bytes = [0; 32];
        bytes[4] = 7; // 7
        bytes[5..10].fill(0xff); // 2^40 - 1 = 1099511627775
        assert_eq!(
            Fingerprint(bytes).safety_number(),
            "00007 27775 00000 00000 00000 00000"
        );
    }
}
