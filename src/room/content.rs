//! What a body says, by its kind (PROTOCOL §5, Body).

use crate::cipher::encoding::{Decoder, Encoder, Malformed};
use crate::cipher::seal::Nonce;

use super::names::SessionId;

/// The most bytes of a text.
pub const MAX_TEXT: usize = 4096;

/// The most messages that one announcement is of.
pub const MAX_SHARED: u32 = 1000;

/// What the text of a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// What the sender says.
    Text,
    /// What the sender does, in the third person.
    Action,
    /// Why the sender is not at the keyboard.
    Away,
    /// That the sender is back at the keyboard; the text is not shown.
    Back,
    /// That the sender asks to be handed what it has missed; the text is not shown.
    CatchUp,
}

impl Kind {
    /// The kind's number in a body.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Text => 0,
            Self::Action => 1,
            Self::Away => 2,
            Self::Back => 3,
            Self::CatchUp => 6,
        }
    }

    /// The kind with this number, or `None` where that is none of a text.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::Text),
            1 => Some(Self::Action),
            2 => Some(Self::Away),
            3 => Some(Self::Back),
            6 => Some(Self::CatchUp),
            _ => None,
        }
    }
}

const SHARE: u8 = 4;
const BUNDLE: u8 = 5;

/// That a member hands on so many messages to another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// To whom.
    pub reader: SessionId,
    /// How many: from 1 to [`MAX_SHARED`].
    pub count: u32,
}

/// A message that is handed on, of which nothing is proven yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unproven {
    /// The header, as its author signed it.
    pub header: Vec<u8>,
    /// The author's signature.
    pub signature: Vec<u8>,
    /// What opens the header's commitment.
    pub nonce: Nonce,
    /// The number of the text's kind.
    pub kind: u8,
    /// The text, of which it is not known whether it is one.
    pub text: Vec<u8>,
}

/// Messages that are handed on together, and cards of their authors. It has the right form, and nothing
/// else is known of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bundle {
    /// The cards.
    pub cards: Vec<Vec<u8>>,
    /// The messages.
    pub messages: Vec<Unproven>,
}

/// What a message says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A text of 1 to [`MAX_TEXT`] bytes.
    Text(Kind, String),
    /// An announcement, to the room.
    Share(Share),
    /// What was announced, to its reader alone.
    Bundle(Bundle),
}

impl Share {
    /// Its kind's number in a body.
    pub const CODE: u8 = SHARE;

    /// Its content in a body.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let fields = Encoder::default().bytes(&self.reader.0).u32(self.count);
        fields.finish()
    }

    fn parse(content: &[u8]) -> Result<Self, Malformed> {
        let mut fields = Decoder::new(content);
        let share = Self {
            reader: SessionId(fields.bytes()?),
            count: fields.u32()?,
        };
        fields.finish()?;
        let is_good = (1..=MAX_SHARED).contains(&share.count);
        is_good.then_some(share).ok_or(Malformed)
    }
}

impl Unproven {
    /// How many bytes it takes in a bundle.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "it has a nonce")]
    pub fn len(&self) -> usize {
        4 + self.header.len() + 4 + self.signature.len() + 16 + 1 + 4 + self.text.len()
    }
}

impl Bundle {
    /// Its kind's number in a body.
    pub const CODE: u8 = BUNDLE;

    /// Its content in a body.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut fields = Encoder::default().count(self.cards.len());
        for card in &self.cards {
            fields = fields.string(card);
        }
        fields = fields.count(self.messages.len());
        for message in &self.messages {
            fields = fields
                .string(&message.header)
                .string(&message.signature)
                .bytes(&message.nonce)
                .byte(message.kind)
                .string(&message.text);
        }
        fields.finish()
    }

    fn parse(content: &[u8]) -> Result<Self, Malformed> {
        let mut fields = Decoder::new(content);
        let cards = (0..fields.count(4)?)
            .map(|_| fields.string().map(<[u8]>::to_vec))
            .collect::<Result<_, Malformed>>()?;
        let messages = (0..fields.count(4 + 4 + 16 + 1 + 4)?)
            .map(|_| {
                Ok(Unproven {
                    header: fields.string()?.to_vec(),
                    signature: fields.string()?.to_vec(),
                    nonce: fields.bytes()?,
                    kind: fields.byte()?,
                    text: fields.string()?.to_vec(),
                })
            })
            .collect::<Result<Vec<_>, Malformed>>()?;
        fields.finish()?;
        if messages.is_empty() {
            return Err(Malformed);
        }
        Ok(Self { cards, messages })
    }
}

impl Content {
    /// Reads the content of a body of this kind; `None` where this version does not know the kind.
    ///
    /// # Errors
    /// Where it is not of the form that its kind has.
    pub fn parse(kind: u8, content: Vec<u8>) -> Result<Option<Self>, Malformed> {
        Ok(Some(match kind {
            SHARE => Self::Share(Share::parse(&content)?),
            BUNDLE => Self::Bundle(Bundle::parse(&content)?),
            _ => match Kind::from_code(kind) {
                Some(kind) => Self::Text(kind, text(content)?),
                None => return Ok(None),
            },
        }))
    }

    /// Whether it may stand in a message to the room.
    #[must_use]
    pub fn may_be_to_room(&self) -> bool {
        !matches!(self, Self::Bundle(_))
    }

    /// Whether it may stand in a message to one member.
    #[must_use]
    pub fn may_be_direct(&self) -> bool {
        !matches!(self, Self::Share(_) | Self::Text(Kind::CatchUp, _))
    }
}

/// Takes these bytes for a text.
///
/// # Errors
/// Where they are no UTF-8, or too many.
pub fn text(bytes: Vec<u8>) -> Result<String, Malformed> {
    if (1..=MAX_TEXT).contains(&bytes.len()) {
        String::from_utf8(bytes).map_err(|_| Malformed)
    } else {
        Err(Malformed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(kind: u8, content: &[u8]) -> Result<Option<Content>, Malformed> {
        Content::parse(kind, content.to_vec())
    }

    #[test]
    fn every_kind_of_text_has_a_number_of_its_own() {
        let kinds = [
            (0, Kind::Text),
            (1, Kind::Action),
            (2, Kind::Away),
            (3, Kind::Back),
            (6, Kind::CatchUp),
        ];
        for (number, kind) in kinds {
            assert_eq!(kind.code(), number);
            assert_eq!(Kind::from_code(number), Some(kind));
            let said = Content::Text(kind, "words".to_owned());
            assert_eq!(read(number, b"words"), Ok(Some(said)));
        }
        for number in [Share::CODE, Bundle::CODE, 7, 255] {
            assert_eq!(Kind::from_code(number), None);
        }
        assert_eq!(read(7, b"\xff"), Ok(None));
    }

    #[test]
    fn texts_of_0_bytes_and_of_4_kib_and_1_are_none() {
        for kind in [0, 1, 2, 3, 6] {
            assert!(read(kind, &[b'x'; MAX_TEXT]).is_ok());
            for bad in [&b""[..], &[b'x'; MAX_TEXT + 1], b"\xed\xa0\x80"] {
                assert_eq!(read(kind, bad), Err(Malformed));
            }
        }
    }

    #[test]
    fn an_announcement_is_of_1_to_1000_messages() {
        for (count, is_good) in [(0, false), (1, true), (1000, true), (1001, false)] {
            let share = Share {
                reader: SessionId([7; 32]),
                count,
            };
            let read = read(Share::CODE, &share.encode());
            assert_eq!(read.is_ok(), is_good, "{count}");
            if is_good {
                assert_eq!(read, Ok(Some(Content::Share(share))));
            }
        }
        for length in [0, 35, 37] {
            assert_eq!(read(Share::CODE, &vec![0; length]), Err(Malformed));
        }
    }

    #[test]
    fn a_bundle_has_at_least_one_message_and_no_byte_is_left() {
        let copy = Unproven {
            header: vec![1; 3],
            signature: vec![2; 2],
            nonce: [3; 16],
            kind: 0,
            text: b"\xffno text".to_vec(),
        };
        let bundle = Bundle {
            cards: vec![vec![4; 5], Vec::new()],
            messages: vec![copy.clone(), copy.clone()],
        };
        let bytes = bundle.encode();
        assert_eq!(bytes.len(), 4 + 9 + 4 + 4 + 2 * copy.len());
        assert_eq!(
            read(Bundle::CODE, &bytes),
            Ok(Some(Content::Bundle(bundle)))
        );
        for cut in 0..bytes.len() {
            assert_eq!(read(Bundle::CODE, &bytes[..cut]), Err(Malformed), "{cut}");
        }
        assert_eq!(
            read(Bundle::CODE, &[&bytes[..], &[0]].concat()),
            Err(Malformed)
        );
        let of_nothing = Bundle::default().encode();
        assert_eq!(read(Bundle::CODE, &of_nothing), Err(Malformed));
        let endless = [[0; 4], [255; 4]].concat();
        assert_eq!(read(Bundle::CODE, &endless), Err(Malformed));
    }
}
