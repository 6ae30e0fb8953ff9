//! What travels: whatever is read is written as the same bytes again, so that nothing has two forms.

use e2echat::cipher::encoding::Encoder;
use e2echat::cipher::seal::{Body, Recipient, seal};
use e2echat::room::card::{Card, CardError, MAX_PAST, MAX_PAST_UNREAD};
use e2echat::room::chain::{Claim, EntryKind, signed_entry};
use e2echat::room::content::{Bundle, Content, MAX_SHARED, MAX_TEXT, Share};
use e2echat::room::frame::{
    Absence, Frame, MAX_FRAME, MAX_HANDSHAKE_FRAME, Part, Signed, ToClient, ToRelay, left_entry,
    parse_awake, parse_left,
};
use e2echat::room::handed::{Authors, Proven};
use e2echat::room::message::{Header, Stream};
use e2echat::room::numbers::{Had, MAX_RANGES, Outcome};
use e2echat::room::statement::{Purpose, Receipt, Statement};
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
            opens,
            proof,
        } => payload(&Frame::hello(card, *resumes, *received, *opens, proof)),
        ToRelay::Send(send) => {
            assert!(bytes[send.signed.clone()][4..].starts_with(&bytes[send.header.clone()]));
            let mut fields = Encoder::default()
                .byte(0x10)
                .bytes(&bytes[send.signed.clone()])
                .byte(match send.part {
                    Part::More => 0,
                    Part::Last => 1,
                    Part::Again => 3,
                })
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
            let signed = &bytes[state.signed.clone()];
            assert_eq!(signed, signed_entry(state.statement, state.signature));
            payload(&Frame::statement(state.statement, state.signature))
        }
        ToRelay::Ping => payload(&Frame::ping()),
        ToRelay::Ack(count) => payload(&Frame::ack(*count)),
    }
}

fn to_client(frame: &ToClient<'_>) -> Vec<u8> {
    let written = match frame {
        ToClient::Challenge(challenge, limits) => Frame::challenge(challenge, limits),
        ToClient::Member(card) => Frame::member(card),
        ToClient::Absent(absence) => Frame::absent(absence),
        ToClient::Own => Frame::own(),
        ToClient::Passed(digests) => Frame::passed(digests),
        ToClient::Refused(code) => Frame::refused(*code),
        ToClient::Ping => Frame::ping(),
        ToClient::Ack(count) => Frame::ack(*count),
        ToClient::Notice(code) => Frame::notice(*code),
        // These are written otherwise: their numbers go together, or they are not written at once.
        ToClient::Welcome(welcome) => {
            return Encoder::default()
                .byte(0x03)
                .u64(welcome.before.position)
                .bytes(&welcome.before.digest)
                .boolean(welcome.resumed)
                .u64(welcome.received)
                .u32(welcome.members)
                .u32(welcome.grace)
                .finish();
        }
        ToClient::Entry {
            kind,
            entry,
            ciphertext,
        } => {
            check_entry(*kind, entry);
            return Encoder::default()
                .byte(0x11)
                .byte(kind.code())
                .string(entry)
                .string(ciphertext)
                .finish();
        }
        ToClient::Deliver(signed, ciphertext) => {
            return strings(0x13, &[signed.bytes, signed.signature, ciphertext]);
        }
        ToClient::Receipt(signed) => return strings(0x16, &[signed.bytes, signed.signature]),
    };
    payload(&written)
}

/// The bytes of an entry too have one form.
fn check_entry(kind: EntryKind, entry: &[u8]) {
    match kind {
        EntryKind::Left => {
            if let Ok((sid, departure)) = parse_left(entry) {
                assert_eq!(left_entry(sid, departure), entry);
            }
        }
        EntryKind::Message | EntryKind::Statement | EntryKind::Goodbye => {
            if let Ok(signed) = Signed::parse(entry) {
                assert_eq!(signed_entry(signed.bytes, signed.signature), entry);
            }
        }
        EntryKind::Asleep => {
            if let Ok(absence) = Absence::parse(entry) {
                assert_eq!(absence.entry(), entry);
            }
        }
        EntryKind::Awake => {
            if let Ok(sid) = parse_awake(entry) {
                assert_eq!(sid.0, entry);
            }
        }
        EntryKind::Joined | EntryKind::Rekeyed | EntryKind::Unknown(_) => {}
    }
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
    assert!(card.past().len() <= MAX_PAST && card.next() < u64::MAX);
    for stay in card.past() {
        assert!(stay.first <= stay.claim.link.position);
        check_claim(&stay.claim, MAX_PAST_UNREAD);
    }
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

fn check_claim(claim: &Claim, most_unread: usize) {
    assert!(claim.unread.last() <= Some(claim.link.position));
    let mut joined = claim.unread.clone();
    joined.join_closest(most_unread);
    assert_eq!(joined, claim.unread, "more ranges than there may be");
}

/// Whatever a receipt says of a stream has an answer for each number, and stays in order when more comes.
fn after_more(had: &Had) -> Had {
    let next = had.next;
    assert_eq!(had.outcome(next), None);
    let mut later = had.clone();
    for number in [
        0,
        next / 2,
        next.saturating_sub(1),
        next,
        next.saturating_add(7),
    ] {
        let number = number.min(u64::MAX - 1);
        let is_missing = had.missing.contains(number);
        assert!(!is_missing || had.outcome(number).is_none());
        later.take(number, Outcome::Unopened);
        assert_eq!(later.outcome(number), Some(Outcome::Unopened));
        later.take(number, Outcome::Opened);
        assert_eq!(later.outcome(number), Some(Outcome::Opened));
        assert!(later.next > number && later.next >= had.next);
    }
    later.expect(later.next.saturating_add(3));
    later
}

/// A statement.
pub fn statement(bytes: &[u8]) {
    if let Ok(statement) = Statement::parse(bytes) {
        assert_eq!(statement.encode(), bytes);
        assert!(statement.next < u64::MAX);
        check_claim(&statement.claim, MAX_RANGES);
        if let Purpose::Receipt(author, receipt) = &statement.purpose {
            let later = Receipt {
                direct: after_more(&receipt.direct),
                room: receipt.room.as_ref().map(after_more),
            };
            let purpose = Purpose::Receipt(*author, later);
            let later = Statement {
                purpose,
                ..statement.clone()
            };
            assert_eq!(Statement::parse(&later.encode()), Ok(later));
        }
    }
}

/// A message's header.
pub fn header(bytes: &[u8]) {
    if let Ok(header) = Header::parse(bytes) {
        assert_eq!(header.encode(), bytes);
        assert!(header.number < u64::MAX);
        check_claim(&header.claim, MAX_RANGES);
    }
}

/// What a body says: its kind, and its content. Of what is handed on, whatever that proves.
pub fn content(bytes: &[u8]) {
    let Some((kind, content)) = bytes.split_first() else {
        return;
    };
    let written = match Content::parse(*kind, content.to_vec()) {
        Ok(Some(Content::Text(kind, text))) => {
            assert!((1..=MAX_TEXT).contains(&text.len()));
            (kind.code(), text.into_bytes())
        }
        Ok(Some(Content::Share(share))) => {
            assert!((1..=MAX_SHARED).contains(&share.count));
            (Share::CODE, share.encode())
        }
        Ok(Some(Content::Bundle(bundle))) => {
            assert!(!bundle.messages.is_empty());
            let written = bundle.encode();
            let authors = Authors::read(&bundle.cards, room().id(), &room().key());
            for message in bundle.messages {
                let proven = Proven::prove(message, &authors, room().id(), |_| false);
                if let Ok(proven) = proven {
                    let header = proven.header;
                    assert!(header.stream == Stream::Room && header.flags & 1 == 0);
                    let author = proven.author;
                    assert!(author.sid() == header.sender || author.has_previous(header.sender));
                }
            }
            (Bundle::CODE, written)
        }
        Ok(None) | Err(_) => return,
    };
    assert_eq!(written, (*kind, content.to_vec()));
}
