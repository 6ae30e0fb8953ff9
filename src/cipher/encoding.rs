//! Encoding and decoding of the data types of RFC 4251 §5, and digests over them (PROTOCOL §1).

use sha2::{Digest as _, Sha256};

/// A SHA-256 digest (FIPS 180-4).
pub type Digest = [u8; 32];

/// Writes fields one after another. Each method appends one field.
#[derive(Debug, Default)]
pub struct Encoder(Vec<u8>);

impl Encoder {
    /// A structure that is to be hashed, signed or authenticated. It begins with its tag, a
    /// `string` (PROTOCOL §1).
    #[must_use]
    pub fn tagged(tag: &str) -> Self {
        Self::default().string(tag.as_bytes())
    }

    /// A `byte`.
    #[must_use]
    pub fn byte(self, value: u8) -> Self {
        self.bytes(&[value])
    }

    /// A `boolean`: one byte, 0 or 1.
    #[must_use]
    pub fn boolean(self, value: bool) -> Self {
        self.byte(u8::from(value))
    }

    /// A `byte[n]`: bytes without their length, which the reader knows.
    #[must_use]
    pub fn bytes(mut self, value: &[u8]) -> Self {
        self.0.extend_from_slice(value);
        self
    }

    /// A `uint32`, big-endian.
    #[must_use]
    pub fn u32(self, value: u32) -> Self {
        self.bytes(&value.to_be_bytes())
    }

    /// A `uint64`, big-endian.
    #[must_use]
    pub fn u64(self, value: u64) -> Self {
        self.bytes(&value.to_be_bytes())
    }

    /// The number of things in memory, as a `uint32`.
    ///
    /// # Panics
    /// Where there are 2^32 or more.
    #[must_use]
    pub fn count(self, value: usize) -> Self {
        self.u32(u32::try_from(value).expect("nothing here holds four thousand million things"))
    }

    /// A `string`: its length as a `uint32`, then its bytes.
    #[must_use]
    pub fn string(self, value: &[u8]) -> Self {
        self.count(value.len()).bytes(value)
    }

    /// The bytes of all fields.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        self.0
    }

    /// The bytes written so far.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        &self.0
    }

    /// SHA-256 of the bytes written.
    #[must_use]
    pub fn digest(self) -> Digest {
        Sha256::digest(self.0).into()
    }
}

/// The bytes are not the structure that was to be read. There is no detail: nobody could act on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

impl std::fmt::Display for Malformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("malformed")
    }
}

impl std::error::Error for Malformed {}

/// Reads fields one after another, without copying, and without allocating for a length that the
/// bytes do not bear out. Each method takes one field off; after an error nothing is to be read any
/// more.
#[derive(Clone, Debug)]
pub struct Decoder<'a> {
    all: &'a [u8],
    rest: &'a [u8],
}

impl<'a> Decoder<'a> {
    /// A decoder at the first of `bytes`.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self {
            all: bytes,
            rest: bytes,
        }
    }

    /// How many bytes have been read.
    #[must_use]
    pub fn position(&self) -> usize {
        self.all.len() - self.rest.len()
    }

    /// The bytes read so far.
    #[must_use]
    pub fn consumed(&self) -> &'a [u8] {
        self.all.split_at(self.position()).0
    }

    /// The next `n` bytes.
    ///
    /// # Errors
    /// Where fewer are left.
    pub fn take(&mut self, n: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.rest.split_at_checked(n).ok_or(Malformed)?;
        self.rest = rest;
        Ok(taken)
    }

    /// Bytes of a fixed length.
    ///
    /// # Errors
    /// As [`Decoder::take`].
    pub fn bytes<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(Malformed)?;
        self.rest = rest;
        Ok(*taken)
    }

    /// A `byte`.
    ///
    /// # Errors
    /// As [`Decoder::take`].
    pub fn byte(&mut self) -> Result<u8, Malformed> {
        self.bytes().map(|[byte]| byte)
    }

    /// A boolean.
    ///
    /// # Errors
    /// As [`Decoder::take`], and for a byte that is neither 0 nor 1.
    pub fn boolean(&mut self) -> Result<bool, Malformed> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Malformed),
        }
    }

    /// A `uint32`, big-endian.
    ///
    /// # Errors
    /// As [`Decoder::take`].
    pub fn u32(&mut self) -> Result<u32, Malformed> {
        self.bytes().map(u32::from_be_bytes)
    }

    /// A `uint64`, big-endian.
    ///
    /// # Errors
    /// As [`Decoder::take`].
    pub fn u64(&mut self) -> Result<u64, Malformed> {
        self.bytes().map(u64::from_be_bytes)
    }

    /// The number of things that follow, a `uint32`, where each takes `size` bytes or more. It is
    /// never more than the bytes that are left can hold, so that it is safe to allocate for it.
    ///
    /// # Errors
    /// As [`Decoder::take`], and where the bytes that are left cannot hold so many.
    pub fn count(&mut self, size: usize) -> Result<usize, Malformed> {
        let count = usize::try_from(self.u32()?).map_err(|_| Malformed)?;
        if count > self.rest.len() / size {
            return Err(Malformed);
        }
        Ok(count)
    }

    /// A `string`: its length as a `uint32`, then its bytes.
    ///
    /// # Errors
    /// As [`Decoder::take`].
    pub fn string(&mut self) -> Result<&'a [u8], Malformed> {
        let length = usize::try_from(self.u32()?).map_err(|_| Malformed)?;
        self.take(length)
    }

    /// The tag that the structure must begin with (PROTOCOL §1).
    ///
    /// # Errors
    /// As [`Decoder::take`], and for another tag.
    pub fn tag(&mut self, tag: &str) -> Result<(), Malformed> {
        if self.string()? == tag.as_bytes() {
            Ok(())
        } else {
            Err(Malformed)
        }
    }

    /// Checks that the structure ends here.
    ///
    /// # Errors
    /// Where bytes are left over.
    pub fn finish(self) -> Result<(), Malformed> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(Malformed)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let bytes = Encoder::tagged("tag")
            .boolean(true)
            .u32(7)
            .u64(u64::MAX)
            .string(b"text")
            .bytes(&[1, 2, 3])
            .finish();
        let mut decoder = Decoder::new(&bytes);
        decoder.tag("tag").unwrap();
        assert_eq!(decoder.consumed(), b"\0\0\0\x03tag");
        assert_eq!(decoder.boolean(), Ok(true));
        assert_eq!(decoder.u32(), Ok(7));
        assert_eq!(decoder.u64(), Ok(u64::MAX));
        assert_eq!(decoder.string(), Ok(&b"text"[..]));
        assert_eq!(decoder.bytes(), Ok([1, 2, 3]));
        decoder.finish().unwrap();
    }

    #[test]
    fn a_length_of_4_gib_is_an_error() {
        assert_eq!(Decoder::new(&[0xff; 8]).string(), Err(Malformed));
    }

    #[test]
    fn a_count_that_the_rest_cannot_hold_is_an_error() {
        let bytes = Encoder::default().u32(3).bytes(&[0; 11]).finish();
        assert_eq!(Decoder::new(&bytes).count(4), Err(Malformed));
        let bytes = Encoder::default().u32(3).bytes(&[0; 12]).finish();
        assert_eq!(Decoder::new(&bytes).count(4), Ok(3));
    }

    #[test]
    fn a_boolean_of_2_a_wrong_tag_and_trailing_bytes_are_errors() {
        assert_eq!(Decoder::new(&[2]).boolean(), Err(Malformed));
        let bytes = Encoder::tagged("one").finish();
        assert_eq!(Decoder::new(&bytes).tag("two"), Err(Malformed));
        assert_eq!(Decoder::new(&[0]).finish(), Err(Malformed));
    }
}
