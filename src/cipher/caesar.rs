//! The Caesar cipher: letters move some places onward in the alphabet (PROTOCOL §3, §5).
//!
//! The cipher adds no security at all. It is here because the original chat room had it.

/// A Caesar cipher with its parameter, a shift of 1 to 25 letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caesar {
    shift: u8,
}

impl Caesar {
    /// The cipher that moves letters `shift` places onward, or `None` where `shift` is not from 1
    /// to 25.
    #[must_use]
    pub fn new(shift: u8) -> Option<Self> {
        (1..=25).contains(&shift).then_some(Self { shift })
    }

    /// The cipher of an RSA modulus (big-endian): its shift is the modulus's remainder by 25, plus
    /// 1 (PROTOCOL §3).
    #[must_use]
    pub fn from_modulus(modulus: &[u8]) -> Self {
        let remainder = modulus.iter().fold(0, |remainder, byte| {
            (remainder * 256 + u16::from(*byte)) % 25
        });
        let shift = u8::try_from(remainder + 1).expect("a remainder by 25 fits into a byte");
        Self { shift }
    }

    /// The shift, 1 to 25.
    #[must_use]
    pub fn shift(self) -> u8 {
        self.shift
    }

    /// Moves every ASCII letter onward and leaves all other bytes as they are, so that UTF-8 stays
    /// UTF-8.
    pub fn encrypt(self, text: &mut [u8]) {
        rotate(text, self.shift);
    }

    /// Undoes [`Caesar::encrypt`].
    pub fn decrypt(self, text: &mut [u8]) {
        rotate(text, 26 - self.shift);
    }
}

fn rotate(text: &mut [u8], places: u8) {
    for byte in text {
        let first = match byte {
            b'a'..=b'z' => b'a',
            b'A'..=b'Z' => b'A',
            _ => continue,
        };
        *byte = first + (*byte - first + places) % 26;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encrypted(shift: u8, text: &str) -> String {
        let mut bytes = text.as_bytes().to_vec();
        Caesar::new(shift).unwrap().encrypt(&mut bytes);
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn abcd_becomes_cdef_at_2() {
        assert_eq!(encrypted(2, "abcd"), "cdef");
    }

    #[test]
    fn letters_go_round_the_end_and_keep_their_case() {
        assert_eq!(encrypted(3, "xyz XYZ"), "abc ABC");
    }

    #[test]
    fn everything_but_ascii_letters_stays() {
        assert_eq!(encrypted(13, "1 + 1, héé 日本\n"), "1 + 1, uéé 日本\n");
    }

    #[test]
    fn decrypting_undoes_every_shift() {
        let text = "The quick brown fox, 1984: Zoë";
        for shift in 1..=25 {
            let mut bytes = encrypted(shift, text).into_bytes();
            assert_ne!(bytes, text.as_bytes());
            Caesar::new(shift).unwrap().decrypt(&mut bytes);
            assert_eq!(bytes, text.as_bytes());
        }
    }

    #[test]
    fn shifts_that_change_nothing_are_not_to_be_had() {
        assert_eq!(Caesar::new(0), None);
        assert_eq!(Caesar::new(26), None);
    }

    #[test]
    fn the_parameter_is_the_modulus_by_25_plus_1() {
        assert_eq!(Caesar::from_modulus(&[24]).shift(), 25);
        assert_eq!(Caesar::from_modulus(&[25]).shift(), 1);
        // 0x0100 is 256, and 256 = 10 · 25 + 6.
        assert_eq!(Caesar::from_modulus(&[1, 0]).shift(), 7);
    }
}
