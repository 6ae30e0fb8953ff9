//! One room, and members that follow its chain.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crate::cipher::encoding::Digest;
use crate::cipher::keys::IdentityKey;
use crate::cipher::pem::IdentityPem;
use crate::room::card::{Identity, Stay};
use crate::room::chain::{Claim, entry_digest, signed_entry};
use crate::room::frame::{Part, RunId, Signed, ToClient, parse_awake, parse_left};
use crate::room::message::{Header, Stream};
use crate::room::names::RoomName;
use crate::room::numbers::{Had, Ranges};
use crate::room::statement::{Occasion, Purpose, Receipt, Statement};

use super::*;

const RUN: RunId = RunId([7; 16]);
const LIMITS: RelayLimits = RelayLimits {
    idle: 90,
    members: 4,
    blocks: 5000,
    bytes: 1 << 20,
};
const GRACE: u32 = 60;

macro_rules! key {
    ($name:literal) => {
        IdentityPem::parse(include_str!(concat!(
            "../../../tests/vectors/keys/",
            $name,
            ".pem"
        )))
        .unwrap()
        .open()
        .unwrap()
    };
}

fn lobby() -> RoomName {
    "lobby".parse().unwrap()
}

/// What was put there, without the lengths.
#[derive(Clone, Default)]
struct Inbox(Rc<RefCell<VecDeque<Vec<u8>>>>, Option<IpAddr>);

impl Mailbox for Inbox {
    fn post(&self, frame: OutgoingFrame) {
        let bytes = frame.slices().concat();
        assert_eq!(bytes.len(), frame.len());
        let (length, frame) = bytes.split_at(4);
        assert_eq!(length, u32::try_from(frame.len()).unwrap().to_be_bytes());
        self.0.borrow_mut().push_back(frame.to_vec());
    }

    fn dismiss(&self, notice: Notice) {
        self.post(Frame::notice(notice.code()).into());
    }

    fn address(&self) -> Option<IpAddr> {
        self.1
    }
}

/// What a member takes from its inbox.
#[derive(Debug, PartialEq, Eq)]
enum Taken {
    Member,
    Joined,
    Left(SessionId, Departure),
    Rekeyed,
    Message(Vec<u8>),
    Statement,
    Goodbye,
    Own,
    Direct(Vec<u8>),
    Receipt,
    Refused(u8),
    Notice(u8),
    Asleep(Absence),
    Awake(SessionId),
    Absent(Absence),
}

struct Person {
    identity: Identity,
    card: Card,
    intake: Intake,
    inbox: Inbox,
    link: Link,
    /// What is to come back.
    outstanding: VecDeque<(EntryKind, Digest)>,
}

impl Person {
    fn sign(&self, bytes: &[u8]) -> Vec<u8> {
        self.identity.key.sign(bytes)
    }

    fn claim(&self) -> Claim {
        Claim {
            run: RUN,
            link: self.link,
            roster: [0; 32],
            unread: Ranges::default(),
        }
    }

    fn header(&self, sender: SessionId, stream: Stream, number: u64) -> Vec<u8> {
        let header = Header {
            room: lobby().id(),
            sender,
            stream,
            number,
            time: 0,
            flags: 0,
            left_out: Vec::new(),
            claim: self.claim(),
            commitment: [0; 32],
        };
        header.encode()
    }

    /// A message under this session id, in one frame.
    fn message(
        &mut self,
        sender: SessionId,
        stream: Stream,
        number: u64,
        part: Part,
        parcels: &[(SessionId, &[u8])],
    ) -> Frame {
        let header = self.header(sender, stream, number);
        let signature = self.sign(&header);
        if stream == Stream::Room && part == Part::Last {
            let entry = entry_digest(&signed_entry(&header, &signature));
            self.outstanding.push_back((EntryKind::Message, entry));
        }
        let parcels: Vec<_> = parcels
            .iter()
            .map(|(to, ciphertext)| (*to, ciphertext.to_vec()))
            .collect();
        Frame::send(&header, &signature, part, &parcels)
    }

    fn statement(&mut self, sender: SessionId, purpose: Purpose) -> Frame {
        let kind = match purpose {
            Purpose::ToAll(Occasion::Goodbye) => Some(EntryKind::Goodbye),
            Purpose::ToAll(_) => Some(EntryKind::Statement),
            Purpose::Receipt(..) => None,
        };
        let statement = Statement {
            room: lobby().id(),
            sender,
            time: 0,
            next: 0,
            claim: self.claim(),
            purpose,
        };
        let statement = statement.encode();
        let signature = self.sign(&statement);
        let entry = entry_digest(&signed_entry(&statement, &signature));
        self.outstanding.extend(kind.map(|kind| (kind, entry)));
        Frame::statement(&statement, &signature)
    }

    fn beacon(&mut self) -> Frame {
        self.statement(self.card.sid(), Purpose::ToAll(Occasion::Beacon))
    }

    /// The card with which it goes on under another nick and key, which it has from now on.
    fn rekey(&mut self, nick: &str, session: &IdentityKey) -> (Card, Frame) {
        let (key, nick) = (lobby().key(), nick.parse().unwrap());
        let card = &self.card;
        let next = card.issue_successor(&key, &self.identity, &nick, session.public(), 0, 0);
        let frame = Frame::rekey(next.bytes());
        let entry = entry_digest(next.bytes());
        self.outstanding.push_back((EntryKind::Rekeyed, entry));
        (next, frame)
    }

    /// Takes what has come, and follows the chain.
    fn take(&mut self) -> Vec<Taken> {
        let frames: Vec<Vec<u8>> = self.inbox.0.borrow_mut().drain(..).collect();
        let mut taken = Vec::new();
        for frame in frames {
            taken.push(match ToClient::parse(&frame).unwrap() {
                ToClient::Welcome(welcome) => {
                    assert_eq!(welcome.grace, GRACE);
                    let joined = entry_digest(self.card.bytes());
                    self.link = welcome.before.then(EntryKind::Joined, &joined);
                    assert_eq!(self.link.position, self.intake.joined());
                    continue;
                }
                ToClient::Member(card) => {
                    Card::parse(card, lobby().id()).unwrap();
                    Taken::Member
                }
                ToClient::Entry {
                    kind,
                    entry,
                    ciphertext,
                } => {
                    self.link = self.link.then(kind, &entry_digest(entry));
                    match kind {
                        EntryKind::Joined => Taken::Joined,
                        EntryKind::Rekeyed => Taken::Rekeyed,
                        EntryKind::Left => {
                            let (sid, departure) = parse_left(entry).unwrap();
                            Taken::Left(sid, departure)
                        }
                        EntryKind::Message => {
                            Header::parse(Signed::parse(entry).unwrap().bytes).unwrap();
                            Taken::Message(ciphertext.to_vec())
                        }
                        EntryKind::Statement => Taken::Statement,
                        EntryKind::Goodbye => Taken::Goodbye,
                        EntryKind::Asleep => Taken::Asleep(Absence::parse(entry).unwrap()),
                        EntryKind::Awake => Taken::Awake(parse_awake(entry).unwrap()),
                        EntryKind::Unknown(_) => unreachable!(),
                    }
                }
                ToClient::Own => {
                    let (kind, entry) = self.outstanding.pop_front().expect("an own entry");
                    self.link = self.link.then(kind, &entry);
                    Taken::Own
                }
                ToClient::Deliver(_, ciphertext) => Taken::Direct(ciphertext.to_vec()),
                ToClient::Receipt(signed) => {
                    Statement::parse(signed.bytes).unwrap();
                    Taken::Receipt
                }
                ToClient::Refused(code) => {
                    self.outstanding.pop_front();
                    Taken::Refused(code)
                }
                ToClient::Notice(code) => Taken::Notice(code),
                ToClient::Absent(absence) => Taken::Absent(absence),
                other => unreachable!("{other:?}"),
            });
        }
        taken
    }
}

fn room() -> Room<Inbox> {
    Room::new(Link::start(RUN, lobby().id(), 41), &LIMITS, GRACE)
}

/// Lets somebody in, who has taken what comes first.
fn enter(room: &mut Room<Inbox>, nick: &str, key: IdentityKey, session: &IdentityKey) -> Person {
    let identity = Identity {
        key,
        is_lasting: true,
    };
    let nick = nick.parse().unwrap();
    let card = Card::issue(&lobby(), &nick, &identity, session.public(), 0);
    present(room, identity, card)
}

fn present(room: &mut Room<Inbox>, identity: Identity, card: Card) -> Person {
    present_from(room, identity, card, None)
}

fn present_from(
    room: &mut Room<Inbox>,
    identity: Identity,
    card: Card,
    address: Option<IpAddr>,
) -> Person {
    let inbox = Inbox(Rc::default(), address);
    let joined = room.join(&card, &inbox).unwrap();
    let intake = Intake::new(&card, RUN, joined, &LIMITS);
    let mut person = Person {
        identity,
        card,
        intake,
        inbox,
        link: room.link(),
        outstanding: VecDeque::new(),
    };
    person.take();
    person
}

/// Ada, Bob and Cara, who have taken all that has come.
fn three() -> (Room<Inbox>, [Person; 3]) {
    let mut room = room();
    let mut ada = enter(&mut room, "ada", key!("ada_identity"), &key!("ada_session"));
    let mut bob = enter(&mut room, "bob", key!("bob_identity"), &key!("bob_session"));
    let cara = enter(
        &mut room,
        "cara",
        key!("cara_identity"),
        &key!("cara_session"),
    );
    assert_eq!(ada.take(), [Taken::Joined, Taken::Joined]);
    assert_eq!(bob.take(), [Taken::Joined]);
    (room, [ada, bob, cara])
}

/// Has the room do what a frame of this member's asks.
fn send(room: &mut Room<Inbox>, from: &mut Person, frame: &Frame) -> Result<(), Malformed> {
    let payload = frame.encode().split_off(4);
    let request = from.intake.take(payload)?;
    room.carry_out(&mut from.intake, &request)
}

fn number(byte: u8) -> Vec<u8> {
    vec![byte; 3]
}

#[test]
fn all_follow_one_chain_over_every_kind_of_entry() {
    let (mut room, [mut ada, mut bob, mut cara]) = three();
    let [a, b, c] = [&ada, &bob, &cara].map(|person| person.card.sid());

    let parcels = [(b, &[1; 3][..]), (c, &[2; 3])];
    let message = ada.message(a, Stream::Room, 0, Part::Last, &parcels);
    send(&mut room, &mut ada, &message).unwrap();
    let beacon = bob.beacon();
    send(&mut room, &mut bob, &beacon).unwrap();
    // Written before the others' came back to it.
    let bare = ada.message(a, Stream::Room, 1, Part::Last, &[(b, &[3; 3])]);
    send(&mut room, &mut ada, &bare).unwrap();
    let (next, rekey) = cara.rekey("cara", &key!("bob_session_2100"));
    send(&mut room, &mut cara, &rekey).unwrap();
    let late = bob.message(
        b,
        Stream::Room,
        0,
        Part::Last,
        &[(a, &[4; 3]), (c, &[5; 3])],
    );
    send(&mut room, &mut bob, &late).unwrap();
    let goodbye = ada.statement(a, Purpose::ToAll(Occasion::Goodbye));
    send(&mut room, &mut ada, &goodbye).unwrap();
    room.leave(bob.intake.joined(), Departure::Slow);

    assert_eq!(
        ada.take(),
        [
            Taken::Own,
            Taken::Statement,
            Taken::Own,
            Taken::Rekeyed,
            Taken::Message(number(4)),
            Taken::Own,
        ]
    );
    assert_eq!(
        bob.take(),
        [
            Taken::Message(number(1)),
            Taken::Own,
            Taken::Message(number(3)),
            Taken::Rekeyed,
            Taken::Own,
            Taken::Goodbye,
        ]
    );
    // What is for the key that she had before is for her, and of what is not, she knows.
    assert_eq!(
        cara.take(),
        [
            Taken::Message(number(2)),
            Taken::Statement,
            Taken::Message(Vec::new()),
            Taken::Own,
            Taken::Message(number(5)),
            Taken::Goodbye,
            Taken::Left(b, Departure::Slow),
        ]
    );
    assert_eq!(cara.intake.sid(), next.sid());
    assert_eq!(cara.link, room.link());
    assert_eq!(bob.link.position + 1, room.link().position);
    assert_eq!(ada.link, bob.link);
    assert_eq!(room.len(), 1);
}

#[test]
fn a_message_in_several_frames_is_one_entry_at_the_last() {
    let (mut room, [mut ada, mut bob, mut cara]) = three();
    let [a, b, c] = [&ada, &bob, &cara].map(|person| person.card.sid());
    let before = room.link();
    let header = ada.header(a, Stream::Room, 0);
    let signature = ada.sign(&header);
    let entry = entry_digest(&signed_entry(&header, &signature));
    ada.outstanding.push_back((EntryKind::Message, entry));
    let frame = |part, to, byte| Frame::send(&header, &signature, part, &[(to, number(byte))]);
    send(&mut room, &mut ada, &frame(Part::More, c, 1)).unwrap();
    assert_eq!(room.link(), before);
    send(&mut room, &mut ada, &frame(Part::Again, b, 2)).unwrap_err();
    send(&mut room, &mut ada, &frame(Part::Last, b, 2)).unwrap();
    assert_eq!(room.link().position, before.position + 1);
    assert_eq!(ada.take(), [Taken::Own]);
    assert_eq!(bob.take(), [Taken::Message(number(2))]);
    assert_eq!(cara.take(), [Taken::Message(number(1))]);
    for person in [ada, bob, cara] {
        assert_eq!(person.link, room.link());
    }
}

#[test]
fn a_short_part_of_a_long_frame_is_the_same_whether_it_is_copied_or_not() {
    let (mut room, [mut ada, mut bob, mut cara]) = three();
    let [a, b, c] = [&ada, &bob, &cara].map(|person| person.card.sid());
    let long = vec![1; 20_000];
    let parcels = [(b, &long[..]), (c, &[2; 3])];
    let budget = Arc::new(RetentionBudget::default());
    for sequence in 0..2 {
        let message = ada.message(a, Stream::Room, sequence, Part::Last, &parcels);
        let payload = message.encode().split_off(4);
        let request = if sequence == 0 {
            ada.intake.take(budget.take(payload)).unwrap()
        } else {
            ada.intake.take(payload).unwrap()
        };
        room.carry_out(&mut ada.intake, &request).unwrap();
        assert_eq!(bob.take(), [Taken::Message(long.clone())]);
        assert_eq!(cara.take(), [Taken::Message(number(2))]);
        assert_eq!((bob.link, cara.link), (room.link(), room.link()));
    }
}

#[test]
fn whoever_says_goodbye_is_out_at_that_entry_and_has_no_other() {
    let (mut room, [mut ada, mut bob, mut cara]) = three();
    let goodbye = ada.statement(ada.card.sid(), Purpose::ToAll(Occasion::Goodbye));
    send(&mut room, &mut ada, &goodbye).unwrap();
    let at = room.link();
    // Its connection ends, and nothing that still comes over that is taken.
    let beacon = ada.beacon();
    send(&mut room, &mut ada, &beacon).unwrap();
    room.leave(ada.intake.joined(), Departure::Left);
    assert_eq!(room.link(), at);
    assert_eq!(ada.take(), [Taken::Own]);
    assert_eq!(bob.take(), [Taken::Goodbye]);
    assert_eq!(cara.take(), [Taken::Goodbye]);
    assert_eq!((ada.link, bob.link, cara.link), (at, at, at));
    // Its nick and its key are free.
    let other = enter(&mut room, "AdA", key!("bob_session"), &key!("ada_session"));
    assert_eq!(other.intake.joined(), at.position + 1);
}

#[test]
fn a_rekey_to_what_somebody_has_is_refused_and_changes_nothing() {
    let (mut room, [mut ada, mut bob, mut cara]) = three();
    let before = room.link();
    for (nick, session, notice) in [
        ("AdA", key!("bob_session_2100"), Notice::NickTaken),
        ("bob", key!("cara_session"), Notice::KeyTaken),
    ] {
        let (_, rekey) = bob.rekey(nick, &session);
        send(&mut room, &mut bob, &rekey).unwrap();
        assert_eq!(bob.take(), [Taken::Refused(notice.code())]);
    }
    assert_eq!(room.link(), before);
    assert_eq!(bob.intake.sid(), bob.card.sid());
    assert_eq!((ada.take(), cara.take()), (vec![], vec![]));
    // It goes on as it was, and takes what is free.
    let beacon = bob.beacon();
    send(&mut room, &mut bob, &beacon).unwrap();
    let (next, rekey) = bob.rekey("bob", &key!("bob_session_2100"));
    send(&mut room, &mut bob, &rekey).unwrap();
    assert_eq!(bob.take(), [Taken::Own, Taken::Own]);
    assert_eq!(bob.intake.sid(), next.sid());
    assert_eq!(ada.take(), [Taken::Statement, Taken::Rekeyed]);
    // What it gave up is free, and what it has is not.
    let sessions = [key!("bob_session_2100"), key!("bob_session")];
    let results = sessions.map(|session| {
        let (_, rekey) = ada.rekey("ada", &session);
        send(&mut room, &mut ada, &rekey).unwrap();
        ada.take()
    });
    let taken = Taken::Refused(Notice::KeyTaken.code());
    assert_eq!(results, [[taken], [Taken::Own]]);
}

#[test]
fn a_card_that_does_not_follow_the_present_one_ends_the_stay() {
    let (mut room, [mut ada, ..]) = three();
    let (_, first) = ada.rekey("ada", &key!("bob_session_2100"));
    let (_, second) = ada.rekey("ada", &key!("bob_session_3072"));
    send(&mut room, &mut ada, &first).unwrap();
    send(&mut room, &mut ada, &second).unwrap_err();
}

#[test]
fn a_card_to_go_on_with_tells_of_no_former_stays() {
    let (mut room, [mut ada, ..]) = three();
    let (next, _) = ada.rekey("ada", &key!("bob_session_2100"));
    let past = Stay {
        first: 1,
        claim: ada.claim(),
    };
    let telling = next.reissue(&lobby().key(), &ada.identity, 0, &[past], 0);
    send(&mut room, &mut ada, &Frame::rekey(telling.bytes())).unwrap_err();
}

#[test]
fn what_is_signed_with_the_session_id_before_is_taken_until_the_next() {
    let (mut room, [mut ada, mut bob, _]) = three();
    let old = ada.card.sid();
    let (card, rekey) = ada.rekey("ada", &key!("bob_session_2100"));
    send(&mut room, &mut ada, &rekey).unwrap();
    let beacon = ada.statement(old, Purpose::ToAll(Occasion::Beacon));
    send(&mut room, &mut ada, &beacon).unwrap();
    let message = ada.message(old, Stream::Room, 0, Part::Last, &[]);
    send(&mut room, &mut ada, &message).unwrap();
    assert_eq!(ada.take(), [Taken::Own, Taken::Own, Taken::Own]);
    let nothing = Taken::Message(Vec::new());
    assert_eq!(bob.take(), [Taken::Rekeyed, Taken::Statement, nothing]);
    // To the session id before, too.
    let receipt = Purpose::Receipt(
        old,
        Receipt {
            direct: Had::default(),
            room: None,
        },
    );
    let receipt = bob.statement(bob.card.sid(), receipt);
    send(&mut room, &mut bob, &receipt).unwrap();
    assert_eq!((ada.take(), bob.take()), (vec![Taken::Receipt], vec![]));

    ada.card = card;
    let (_, rekey) = ada.rekey("ada", &key!("bob_session_3072"));
    send(&mut room, &mut ada, &rekey).unwrap();
    let beacon = ada.statement(old, Purpose::ToAll(Occasion::Beacon));
    send(&mut room, &mut ada, &beacon).unwrap_err();
}

#[test]
fn nobody_signs_for_somebody_else() {
    let (mut room, [mut ada, mut bob, _]) = three();
    let of_bob = ada.statement(bob.card.sid(), Purpose::ToAll(Occasion::Beacon));
    send(&mut room, &mut ada, &of_bob).unwrap_err();
    // Under her session id, but with his key.
    let of_ada = bob.statement(ada.card.sid(), Purpose::ToAll(Occasion::Beacon));
    send(&mut room, &mut ada, &of_ada).unwrap_err();
    // A card may say whatever its member had before.
    let (key, nick) = (lobby().key(), "eve".parse().unwrap());
    let identity = Identity {
        key: key!("bob_session_2100"),
        is_lasting: true,
    };
    let session = key!("bob_session_3072");
    let card = ada
        .card
        .issue_successor(&key, &identity, &nick, session.public(), 0, 0);
    let mut eve = present(&mut room, identity, card);
    let of_ada = eve.statement(ada.card.sid(), Purpose::ToAll(Occasion::Goodbye));
    send(&mut room, &mut eve, &of_ada).unwrap_err();
    assert_eq!(room.len(), 4);
    // Nor does she get what is for Ada.
    let message = bob.message(
        bob.card.sid(),
        Stream::Room,
        0,
        Part::Last,
        &[(ada.card.sid(), &[1; 3])],
    );
    send(&mut room, &mut bob, &message).unwrap();
    assert_eq!(ada.take(), [Taken::Joined, Taken::Message(number(1))]);
    assert_eq!(eve.take(), [Taken::Message(Vec::new())]);
}

/// Lets Eve in with a card that follows somebody else's.
fn eve_after(room: &mut Room<Inbox>, card: &Card) -> Person {
    let identity = Identity {
        key: key!("bob_session_2100"),
        is_lasting: true,
    };
    let (key, nick, session) = (
        lobby().key(),
        "eve".parse().unwrap(),
        key!("bob_session_4096"),
    );
    let card = card.issue_successor(&key, &identity, &nick, session.public(), 0, 0);
    present(room, identity, card)
}

/// Lets a member in that was taken out, or to another room.
fn present_again(room: &mut Room<Inbox>, person: &mut Person) {
    person.inbox = Inbox::default();
    let joined = room.join(&person.card, &person.inbox).unwrap();
    person.intake = Intake::new(&person.card, RUN, joined, &LIMITS);
    person.outstanding.clear();
    person.take();
}

/// Sends a direct message, a late copy and a receipt to this session id.
fn send_alone(room: &mut Room<Inbox>, from: &mut Person, to: SessionId) {
    let author = from.card.sid();
    let parcels = [(to, &[1; 3][..])];
    let direct = from.message(author, Stream::Direct(to), 0, Part::Last, &parcels);
    let copy = from.message(author, Stream::Room, 0, Part::Again, &parcels);
    let receipt = Receipt {
        direct: Had::default(),
        room: None,
    };
    let receipt = from.statement(author, Purpose::Receipt(to, receipt));
    for frame in [direct, copy, receipt] {
        send(room, from, &frame).unwrap();
    }
}

/// What comes of that.
fn sent_alone() -> [Taken; 3] {
    [
        Taken::Direct(number(1)),
        Taken::Direct(number(1)),
        Taken::Receipt,
    ]
}

#[test]
fn what_is_for_one_who_is_away_goes_to_nobody_whose_card_names_its_session_id() {
    let (mut room, [mut ada, bob, _]) = three();
    let gone = bob.card.sid();
    room.leave(bob.intake.joined(), Departure::Lost);
    let mut eve = eve_after(&mut room, &bob.card);
    send_alone(&mut room, &mut ada, gone);
    let message = ada.message(
        ada.card.sid(),
        Stream::Room,
        0,
        Part::Last,
        &[(gone, &[1; 3])],
    );
    send(&mut room, &mut ada, &message).unwrap();
    assert_eq!(eve.take(), [Taken::Message(Vec::new())]);
}

#[test]
fn nobody_signs_under_the_session_id_of_one_who_is_away() {
    let (mut room, [_, bob, _]) = three();
    let gone = bob.card.sid();
    room.leave(bob.intake.joined(), Departure::Lost);
    let mut eve = eve_after(&mut room, &bob.card);
    let link = room.link();
    for occasion in [Occasion::Beacon, Occasion::Goodbye] {
        let statement = eve.statement(gone, Purpose::ToAll(occasion));
        send(&mut room, &mut eve, &statement).unwrap_err();
    }
    for (stream, part) in [
        (Stream::Room, Part::Last),
        (Stream::Room, Part::Again),
        (Stream::Direct(gone), Part::Last),
    ] {
        let message = eve.message(gone, stream, 0, part, &[]);
        send(&mut room, &mut eve, &message).unwrap_err();
    }
    assert_eq!((room.link(), room.len()), (link, 3));
}

#[test]
fn who_comes_back_with_a_new_key_has_what_was_under_way_under_the_old_one() {
    let (mut room, [mut ada, mut bob, _]) = three();
    let (card, rekey) = bob.rekey("bob", &key!("bob_session_3072"));
    send(&mut room, &mut bob, &rekey).unwrap();
    let old = std::mem::replace(&mut bob.card, card);
    room.leave(bob.intake.joined(), Departure::Lost);
    let mut eve = eve_after(&mut room, &old);
    present_again(&mut room, &mut bob);
    send_alone(&mut room, &mut ada, old.sid());
    let parcels = [(old.sid(), &[2; 3][..])];
    let message = ada.message(ada.card.sid(), Stream::Room, 0, Part::Last, &parcels);
    send(&mut room, &mut ada, &message).unwrap();
    let [direct, copy, receipt] = sent_alone();
    let message = Taken::Message(number(2));
    assert_eq!(bob.take(), [direct, copy, receipt, message]);
    assert_eq!(eve.take(), [Taken::Joined, Taken::Message(Vec::new())]);
    // What did not come through is sent again as it was.
    let message = bob.message(old.sid(), Stream::Room, 0, Part::Last, &[]);
    send(&mut room, &mut bob, &message).unwrap();
    assert_eq!(bob.take(), [Taken::Own]);
}

#[test]
fn a_relay_that_was_started_anew_keeps_nothing_from_whoever_it_is_for() {
    let (_, [mut ada, mut bob, _]) = three();
    let (card, _) = bob.rekey("bob", &key!("bob_session_3072"));
    let old = std::mem::replace(&mut bob.card, card);
    let mut room = room();
    present_again(&mut room, &mut ada);
    // Nobody has been here yet who had the session id that both name.
    let mut eve = eve_after(&mut room, &old);
    present_again(&mut room, &mut bob);
    eve.take();
    send_alone(&mut room, &mut ada, old.sid());
    assert_eq!(bob.take(), sent_alone());
    assert_eq!(eve.take(), sent_alone());
    let parcels = [(old.sid(), &[1; 3][..])];
    let copy = ada.message(ada.card.sid(), Stream::Room, 0, Part::Again, &parcels);
    send(&mut room, &mut ada, &copy).unwrap();
    assert_eq!(ada.intake.cost().blocks, 2, "it goes to both");
    let message = bob.message(old.sid(), Stream::Room, 0, Part::Last, &[]);
    send(&mut room, &mut bob, &message).unwrap();
    // Once it is known whose it is, it is nobody else's.
    let mut bob_before = Person {
        card: old.clone(),
        ..bob
    };
    present_again(&mut room, &mut bob_before);
    room.leave(bob_before.intake.joined(), Departure::Lost);
    eve.take();
    send_alone(&mut room, &mut ada, old.sid());
    assert_eq!(eve.take(), []);
}

#[test]
fn late_copies_and_direct_messages_are_no_entries() {
    let (mut room, [mut ada, mut bob, mut cara]) = three();
    let [a, b] = [&ada, &bob].map(|person| person.card.sid());
    for number in 0..3 {
        let message = ada.message(a, Stream::Room, number, Part::Last, &[]);
        send(&mut room, &mut ada, &message).unwrap();
    }
    for person in [&mut ada, &mut bob, &mut cara] {
        person.take();
    }
    let link = room.link();
    let parcels = [(b, &[1; 3][..])];
    let copy = ada.message(a, Stream::Room, 1, Part::Again, &parcels);
    let direct = ada.message(a, Stream::Direct(b), 0, Part::Last, &parcels);
    for frame in [copy, direct] {
        send(&mut room, &mut ada, &frame).unwrap();
        assert_eq!(bob.take(), [Taken::Direct(number(1))]);
        assert_eq!((ada.take(), cara.take()), (vec![], vec![]));
        assert_eq!(room.link(), link);
    }
    // It is the number of an entry that goes up, and it may not come again.
    let again = ada.message(a, Stream::Room, 1, Part::Last, &parcels);
    send(&mut room, &mut ada, &again).unwrap_err();
    let direct = ada.message(a, Stream::Direct(b), 0, Part::Again, &parcels);
    send(&mut room, &mut ada, &direct).unwrap_err();
}

#[test]
fn what_was_written_in_a_stay_before_may_come_again_with_its_number() {
    let (mut room, [mut ada, ..]) = three();
    let a = ada.card.sid();
    let old = ada.message(a, Stream::Room, 5, Part::Last, &[]);
    let inbox = Inbox::default();
    let joined = room.join(&ada.card, &inbox).unwrap();
    ada.inbox = inbox;
    ada.outstanding.clear();
    ada.intake = Intake::new(&ada.card, RUN, joined, &LIMITS);
    assert_eq!(ada.take(), [Taken::Member, Taken::Member]);
    let new = ada.message(a, Stream::Room, 6, Part::Last, &[]);
    send(&mut room, &mut ada, &old).unwrap();
    send(&mut room, &mut ada, &new).unwrap();
    send(&mut room, &mut ada, &old).unwrap();
    send(&mut room, &mut ada, &new).unwrap_err();
}

#[test]
fn what_still_comes_from_a_stay_that_is_over_is_not_taken_for_the_next_one() {
    let (mut room, [mut ada, mut bob, _]) = three();
    let beacon = ada.beacon();
    ada.outstanding.clear();
    let old = std::mem::take(&mut ada.inbox);
    let joined = room.join(&ada.card, &ada.inbox).unwrap();
    send(&mut room, &mut ada, &beacon).unwrap();
    ada.intake = Intake::new(&ada.card, RUN, joined, &LIMITS);
    assert_eq!(ada.take(), [Taken::Member, Taken::Member]);
    ada.inbox = old;
    let replaced = Taken::Notice(Notice::Replaced.code());
    assert_eq!(ada.take(), [replaced]);
    let lost = Taken::Left(ada.card.sid(), Departure::Lost);
    assert_eq!(bob.take(), [lost, Taken::Joined]);
    assert_eq!(bob.link, room.link());
}

#[test]
fn what_comes_to_all_is_paid_for_each_of_them() {
    let (mut room, [mut ada, bob, _]) = three();
    let [a, b] = [&ada, &bob].map(|person| person.card.sid());
    let parcels = [(b, &[1; 3 * 256][..])];
    let frames = [
        (ada.message(a, Stream::Room, 0, Part::Last, &[]), 2),
        (ada.message(a, Stream::Room, 1, Part::Last, &parcels), 3),
        (ada.message(a, Stream::Room, 1, Part::Again, &[]), 1),
        (ada.message(a, Stream::Direct(b), 0, Part::Last, &[]), 1),
        (ada.beacon(), 64),
    ];
    for (frame, blocks) in frames {
        send(&mut room, &mut ada, &frame).unwrap();
        assert_eq!(ada.intake.cost().blocks, blocks);
    }
}

/// Has a member send messages to all until it would have to wait. Returns how many it sent.
fn send_until_throttled(
    room: &mut Room<Inbox>,
    from: &mut Person,
    parcels: &[(SessionId, &[u8])],
    now: Duration,
) -> usize {
    let sid = from.card.sid();
    let mut pauses = (0..).map(|number| {
        let message = from.message(sid, Stream::Room, number, Part::Last, parcels);
        send(room, from, &message).unwrap();
        room.charge(&from.intake, now)
    });
    let last = pauses.position(|pause| !pause.is_zero());
    last.unwrap() + 1
}

#[test]
fn whoever_rejoins_again_and_again_sends_no_more_than_whoever_stays() {
    let address = |last| Some(IpAddr::from([127, 0, 0, last]));
    let second = Duration::from_secs(1);
    let (mut room, [ada, bob, gone]) = three();
    room.leave(gone.intake.joined(), Departure::Left);
    let readers = [&ada, &bob].map(|person| person.card.sid());
    // One identity replaces itself, and another comes in between, which leaves.
    let sessions = [key!("cara_session"), key!("bob_session_2100")];
    let them = [("cara", &gone.identity), ("dora", &bob.identity)];
    let mut cards = [0, 1].map(|who| {
        let (nick, identity): (&str, &Identity) = them[who];
        let (nick, session) = (nick.parse().unwrap(), sessions[who].public());
        let card = Card::issue(&lobby(), &nick, identity, session, 0);
        (&identity.key, card)
    });
    let come = |room: &mut Room<Inbox>, (key, card): &(&IdentityKey, Card), address| {
        let identity = Identity {
            key: (*key).clone(),
            is_lasting: true,
        };
        present_from(room, identity, card.clone(), address)
    };
    let blocks = 22;
    let parcels = readers.map(|reader| (reader, vec![1; blocks * 256]));
    let parcels = parcels
        .each_ref()
        .map(|(to, bytes)| (*to, bytes.as_slice()));
    let (mut now, mut sent, mut stays) = (second, 0, 0);
    while now < 11 * second {
        stays += 1;
        if stays % 3 == 0 {
            cards.reverse();
        }
        let mut eve = come(&mut room, &cards[0], address(1));
        now += room.first_pause(&eve.intake, now);
        sent += blocks * send_until_throttled(&mut room, &mut eve, &parcels, now);
        if stays % 2 == 0 {
            room.leave(eve.intake.joined(), Departure::Lost);
        }
        now += second / 100;
    }
    // What is earned in ten seconds, what may come at once, and the last message.
    assert!(sent <= 3000 + 150 + blocks, "{sent} in {stays} stays");
    // Whoever comes from elsewhere owes nothing of that.
    let mut eve = come(&mut room, &cards[0], address(1));
    send_until_throttled(&mut room, &mut eve, &parcels, now);
    room.leave(eve.intake.joined(), Departure::Lost);
    for (last, owes) in [(1, true), (2, false)] {
        let fred = come(&mut room, &cards[1], address(last));
        let pause = room.first_pause(&fred.intake, now);
        assert_eq!(!pause.is_zero(), owes, "{pause:?}");
    }
}

#[test]
fn whoever_sleeps_and_comes_from_another_machine_takes_the_own_place() {
    let (mut room, [mut ada, mut bob, mut cara]) = three();
    let absence = Absence {
        sid: cara.card.sid(),
        since: 1000,
        until: 5000,
    };
    room.put_to_sleep(cara.intake.joined(), 1000..5000);
    assert_eq!(ada.take(), [Taken::Asleep(absence)]);
    let other = enter(
        &mut room,
        "cara",
        key!("cara_identity"),
        &key!("bob_session_2100"),
    );
    let gone = Taken::Left(cara.card.sid(), Departure::Lost);
    assert_eq!(ada.take(), [gone, Taken::Joined]);
    let replaced = Taken::Notice(Notice::Replaced.code());
    assert_eq!(cara.take(), [Taken::Asleep(absence), replaced]);
    // The first machine finds its place taken, and nothing that is left of it says anything of the second.
    assert!(room.is_replaced(&cara.card));
    assert!(
        room.resumable_mailbox(&cara.card, cara.intake.joined())
            .is_none()
    );
    room.wake(cara.intake.joined());
    room.put_to_sleep(cara.intake.joined(), 1000..5000);
    room.leave(cara.intake.joined(), Departure::Lost);
    assert_eq!(ada.take(), []);
    bob.take();
    assert_eq!([ada.link, bob.link], [room.link(); 2]);
    assert_eq!(other.link, room.link());
}

#[test]
fn a_newcomer_is_told_of_whoever_sleeps_right_before_the_card_and_awake_comes_once() {
    let (mut room, [mut ada, mut bob, cara]) = three();
    for _ in 0..2 {
        room.put_to_sleep(bob.intake.joined(), 1000..5000);
    }
    let (identity, session) = (key!("ada_session"), key!("bob_session_2100"));
    let identity = Identity {
        key: identity,
        is_lasting: true,
    };
    let nick = "dora".parse().unwrap();
    let dora = Card::issue(&lobby(), &nick, &identity, session.public(), 0);
    let inbox = Inbox::default();
    room.join(&dora, &inbox).unwrap();
    let frames: Vec<Vec<u8>> = inbox.0.borrow_mut().drain(..).collect();
    let (mut absent, mut listed) = (None, Vec::new());
    for frame in &frames[1..] {
        match ToClient::parse(frame).unwrap() {
            ToClient::Absent(absence) => absent = Some(absence.sid),
            ToClient::Member(bytes) => {
                let sid = Card::parse(bytes, lobby().id()).unwrap().sid();
                listed.push((sid, absent.take() == Some(sid)));
            }
            other => unreachable!("{other:?}"),
        }
    }
    listed.sort();
    let mut expected = [(&ada, false), (&bob, true), (&cara, false)]
        .map(|(person, is_asleep)| (person.card.sid(), is_asleep));
    expected.sort_unstable();
    assert_eq!(listed, expected);
    ada.take();
    bob.take();
    for _ in 0..2 {
        room.wake(bob.intake.joined());
    }
    assert_eq!(ada.take(), [Taken::Awake(bob.card.sid())]);
    assert_eq!(bob.take(), [Taken::Awake(bob.card.sid())]);
}
