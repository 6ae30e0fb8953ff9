//! From a stream of bytes to frames (PROTOCOL §6). This module knows the lengths of frames, and
//! nothing of what is in them.

use std::io::{self, ErrorKind, Read};

/// Why no frame came out of a stream.
#[derive(Debug)]
pub enum ReadError {
    /// The stream ended between two frames.
    Closed,
    /// The stream ended within a frame.
    Broken,
    /// A frame's length is 0 or above the limit. These bytes were to be the length.
    Length([u8; 4]),
    /// Nothing came for as long as the reader waits.
    TimedOut,
    /// Reading failed.
    Io(io::Error),
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::UnexpectedEof => Self::Broken,
            // A socket's timeout is one of these two, depending on the platform.
            ErrorKind::WouldBlock | ErrorKind::TimedOut => Self::TimedOut,
            _ => Self::Io(error),
        }
    }
}

/// How many bytes of memory a frame gets at first, however long it says it is.
const FIRST_ROOM: usize = 16 << 10;

/// Reads one frame: its type and fields, at most `limit` bytes, without the length before them.
/// Nothing is allocated for a length above `limit`, and no more for a long frame than the greater
/// of 16 KiB and four times what has come of it.
///
/// # Errors
/// Where no whole frame comes, its length is 0 or above `limit`, or there is no memory for it.
pub fn read_frame(reader: &mut impl Read, limit: usize) -> Result<Vec<u8>, ReadError> {
    read_frame_if(reader, limit, |_| true)
}

/// Reads one frame as [`read_frame`] does, but asks `may_grow` before each further piece of memory
/// for a long one, with the bytes of that piece.
///
/// # Errors
/// As [`read_frame`], and where `may_grow` says no.
pub fn read_frame_if(
    reader: &mut impl Read,
    limit: usize,
    mut may_grow: impl FnMut(usize) -> bool,
) -> Result<Vec<u8>, ReadError> {
    let mut length = [0; 4];
    let (first, rest) = length.split_at_mut(1);
    loop {
        match reader.read(first) {
            Ok(0) => return Err(ReadError::Closed),
            Ok(_) => break,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    reader.read_exact(rest)?;
    let no_length = || ReadError::Length(length);
    let length = usize::try_from(u32::from_be_bytes(length)).map_err(|_| no_length())?;
    if !(1..=limit).contains(&length) {
        return Err(no_length());
    }
    let mut frame = Vec::new();
    while frame.len() < length {
        let filled = frame.len();
        let more = (3 * filled).max(FIRST_ROOM).min(length - filled);
        if filled > 0 && !may_grow(more) || frame.try_reserve_exact(more).is_err() {
            return Err(io::Error::from(ErrorKind::OutOfMemory).into());
        }
        let more = u64::try_from(more).map_err(|_| no_length())?;
        reader.by_ref().take(more).read_to_end(&mut frame)?;
        if frame.len() == filled {
            return Err(ReadError::Broken);
        }
    }
    Ok(frame)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(mut bytes: &[u8]) -> Result<Vec<u8>, ReadError> {
        read_frame(&mut bytes, 8)
    }

    #[test]
    fn frames_come_out_one_by_one() {
        let mut stream = &b"\0\0\0\x02ab\0\0\0\x01c"[..];
        assert_eq!(read_frame(&mut stream, 8).unwrap(), b"ab");
        assert_eq!(read_frame(&mut stream, 8).unwrap(), b"c");
        assert!(matches!(read_frame(&mut stream, 8), Err(ReadError::Closed)));
    }

    #[test]
    fn a_long_frame_comes_whole_or_not_at_all() {
        let frame: Vec<u8> = (0..=255).cycle().take(5 * FIRST_ROOM / 2).collect();
        let length = u32::try_from(frame.len()).unwrap().to_be_bytes();
        let bytes = [&length[..], &frame].concat();
        assert_eq!(read_frame(&mut &bytes[..], frame.len()).unwrap(), frame);
        let (broken, _) = bytes.split_at(FIRST_ROOM + 100);
        let read = read_frame(&mut &*broken, frame.len());
        assert!(matches!(read, Err(ReadError::Broken)));
        let read = read_frame_if(&mut &bytes[..], frame.len(), |more| more < FIRST_ROOM);
        assert!(matches!(read, Err(ReadError::Io(_))));
    }

    #[test]
    fn an_end_between_frames_is_not_an_end_within_one() {
        assert!(matches!(read(b""), Err(ReadError::Closed)));
        assert!(matches!(read(b"\0\0"), Err(ReadError::Broken)));
        assert!(matches!(read(b"\0\0\0\x02a"), Err(ReadError::Broken)));
    }

    #[test]
    fn lengths_of_0_and_above_the_limit_are_refused() {
        assert!(matches!(read(b"\0\0\0\0"), Err(ReadError::Length(_))));
        assert!(matches!(
            read(b"\0\0\0\x09123456789"),
            Err(ReadError::Length(_))
        ));
        assert!(matches!(
            read(b"\xff\xff\xff\xff"),
            Err(ReadError::Length(_))
        ));
    }
}
