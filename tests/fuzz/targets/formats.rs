//! What travels: whatever is read is written as the same bytes again, so that nothing has two forms.

use e2echat::cipher::encoding::Encoder;
use e2echat::cipher::seal::{Body, Recipient, seal};
use e2echat::room::card::{Card, CardError};
use e2echat::room::frame::{Frame, MAX_FRAME, MAX_HANDSHAKE_FRAME, ToClient, ToRelay};
use e2echat::room::message::Header;
use e2echat::room::statement::Statement;
use e2echat::room::stream::read_frame;

use super::keys::{room, sign};
use super::payload;

/// A frame, to either side, and the same bytes as a stream of frames.
pub fn frame(bytes: &[u8]) {
    if let Ok(parsed) = ToRelay::parse(bytes) {
        assert_eq!(to_relay(bytes, &parsed), bytes);
    }
    if let Ok(parsed) = ToClient::parse(bytes) {
        assert_eq!(to_client(&parsed), bytes);
    }
    for limit in [MAX_HANDSHAKE_FRAME, MAX_FRAME] {
        let (mut stream, mut used) = (bytes, 0);
        while let Ok(frame) = read_frame(&mut stream, limit) {
            assert!((1..=limit).contains(&frame.len()));
            used += 4 + frame.len();
            assert!(bytes[..used].ends_with(&frame));
        }
    }
}

fn to_relay(bytes: &[u8], frame: &ToRelay<'_>) -> Vec<u8> {
    match frame {
        ToRelay::Hello {
            card,
            resumes,
            received,
            proof,
        } => payload(&Frame::hello(card, *resumes, *received, proof)),
        ToRelay::Send(send) => {
            assert!(bytes[send.signed.clone()][4..].starts_with(&bytes[send.header.clone()]));
            let mut fields = Encoder::default()
                .byte(0x10)
                .bytes(&bytes[send.signed.clone()])
                .boolean(send.last)
                .count(send.parcels.len());
            for parcel in &send.parcels {
                fields = fields
                    .bytes(&parcel.to.0)
                    .bytes(&bytes[parcel.ciphertext.clone()]);
            }
            fields.finish()
        }
        ToRelay::Rekey(card) => payload(&Frame::rekey(card)),
        ToRelay::Statement(state) => {
            let mut fields = Encoder::default()
                .byte(0x15)
                .bytes(&bytes[state.signed.clone()])
                .count(state.to.len());
            for sid in &state.to {
                fields = fields.bytes(&sid.0);
            }
            fields.finish()
        }
        ToRelay::Leave => payload(&Frame::leave()),
        ToRelay::Ping => payload(&Frame::ping()),
        ToRelay::Ack(count) => payload(&Frame::ack(*count)),
    }
}

fn to_client(frame: &ToClient<'_>) -> Vec<u8> {
    let written = match frame {
        ToClient::Challenge(challenge, limits) => Frame::challenge(challenge, limits),
        ToClient::Member(card) => Frame::member(card),
        ToClient::Joined { epoch, card } => Frame::joined(*epoch, card),
        ToClient::Rekeyed { epoch, card } => Frame::rekeyed(*epoch, card),
        ToClient::Left {
            epoch,
            sid,
            departure,
        } => Frame::left(*epoch, *sid, *departure),
        ToClient::Ping => Frame::ping(),
        ToClient::Ack(count) => Frame::ack(*count),
        ToClient::Notice(code) => Frame::notice(*code),
        // These are written otherwise: their numbers go together, or they are not written at once.
        ToClient::Welcome(welcome) => {
            return Encoder::default()
                .byte(0x03)
                .u64(welcome.epoch)
                .boolean(welcome.resumed)
                .u64(welcome.received)
                .u32(welcome.members)
                .finish();
        }
        ToClient::Deliver {
            header,
            signature,
            ciphertext,
        } => return strings(0x11, &[header, signature, ciphertext]),
        ToClient::Statement {
            statement,
            signature,
        } => return strings(0x15, &[statement, signature]),
    };
    payload(&written)
}

fn strings(kind: u8, strings: &[&[u8]]) -> Vec<u8> {
    let mut fields = Encoder::default().byte(kind);
    for string in strings {
        fields = fields.string(string);
    }
    fields.finish()
}

/// A card: as it is, and as one whose author signs whatever it is.
pub fn card(bytes: &[u8]) {
    check_card(bytes);
    let with = |signature: &[u8]| Encoder::default().bytes(bytes).string(signature).finish();
    // Signing takes longer than all the rest, so it is not done in vain.
    if check_card(&with(b"")) == Some(CardError::Signature) {
        check_card(&with(&sign(0, bytes)));
    }
}

fn check_card(bytes: &[u8]) -> Option<CardError> {
    let id = room().id();
    let card = match Card::parse(bytes, id) {
        Ok(card) => card,
        Err(error) => return Some(error),
    };
    assert_eq!(**card.bytes(), *bytes);
    assert_eq!(card.room(), id);
    assert_eq!(card.generation() == 0, card.previous().0 == [0; 32]);
    assert_eq!(card.fingerprint(), card.identity().fingerprint());
    assert_eq!(card.nick().as_str().parse(), Ok(card.nick().clone()));
    // Whatever key was accepted, one can encrypt to it.
    let body = Body::new(0, "hello".to_owned()).unwrap();
    let reader = Recipient {
        id: &card.sid().0,
        key: card.session(),
    };
    let [sealed] = seal(b"header", &body, &[reader]).try_into().unwrap();
    assert_eq!(sealed.len(), card.session().size());
    let as_member = card.check_mac(&room().key());
    assert!(as_member.is_ok() || as_member == Err(CardError::Mac));
    None
}

/// A statement.
pub fn statement(bytes: &[u8]) {
    if let Ok(statement) = Statement::parse(bytes) {
        assert_eq!(statement.encode(), bytes);
        for told in &statement.told {
            assert_eq!(statement.told(told.reader), Some(*told));
        }
    }
}

/// A message's header.
pub fn header(bytes: &[u8]) {
    if let Ok(header) = Header::parse(bytes) {
        assert_eq!(header.encode(), bytes);
        assert!(header.sequence < u64::MAX);
    }
}
