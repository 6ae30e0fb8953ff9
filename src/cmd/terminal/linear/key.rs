//! The keys that mean something where rows are written one after the other, as the keyboard gives them.

use std::str;

const ESCAPE: u8 = 0x1b;

/// A key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Character(char),
    Enter,
    Backspace,
    EraseWord,
    EraseAll,
    Interrupt,
    End,
    /// The line before, of those that were sent.
    Older,
    /// The line after.
    Newer,
    /// Opens an editor.
    Edit,
    /// Means nothing.
    None,
}

impl Key {
    /// Reads a key, if there is one more.
    pub(super) fn read(bytes: &mut impl Iterator<Item = u8>) -> Option<Self> {
        Some(match bytes.next()? {
            ESCAPE => Self::behind_escape(bytes)?,
            b'\r' | b'\n' => Self::Enter,
            0x08 | 0x7f => Self::Backspace,
            0x03 => Self::Interrupt,
            0x04 => Self::End,
            0x0e => Self::Newer,
            0x10 => Self::Older,
            0x15 => Self::EraseAll,
            0x17 => Self::EraseWord,
            byte => Self::character(byte, bytes),
        })
    }

    fn behind_escape(bytes: &mut impl Iterator<Item = u8>) -> Option<Self> {
        Some(match bytes.next()? {
            b'[' => {
                let mut parameters = 0;
                // The end of a control sequence (ECMA-48 §5.4).
                let end = bytes.find(|byte| {
                    parameters += 1;
                    (0x40..=0x7e).contains(byte)
                })?;
                match (parameters, end) {
                    (1, b'A') => Self::Older,
                    (1, b'B') => Self::Newer,
                    _ => Self::None,
                }
            }
            b'\r' => Self::Character('\n'),
            b'e' => Self::Edit,
            0x7f => Self::EraseWord,
            _ => Self::None,
        })
    }

    /// The character that begins with this byte. Control characters are none: a terminal would obey them.
    fn character(first: u8, bytes: &mut impl Iterator<Item = u8>) -> Self {
        let more = match first {
            0xc2..=0xdf => 1,
            0xe0..=0xef => 2,
            0xf0..=0xf4 => 3,
            _ => 0,
        };
        let mut character = vec![first];
        character.extend(bytes.take(more));
        let text = str::from_utf8(&character).ok();
        let character = text.and_then(|text| text.chars().next());
        character
            .filter(|it| !it.is_control() || *it == '\t')
            .map_or(Self::None, Self::Character)
    }
}
