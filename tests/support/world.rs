//! A room in one process: the relay's state machine and the members' sessions. Between them a test does
//! to the frames what it wants.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use e2echat::cipher::encoding::Encoder;
use e2echat::cipher::keys::{KeySize, PublicKey, SessionKey};
use e2echat::cipher::pem::encode;
use e2echat::cipher::seal::Body;
use e2echat::room::card::{Card, Identity, SessionId};
use e2echat::room::chain::{Claim, EntryKind, Link, entry_digest, roster_digest};
use e2echat::room::frame::{
    Absence, Challenge, Departure, Frame, RelayLimits, RunId, Signed, ToClient, left_entry,
};
use e2echat::room::message::{Header, Kind, SealedMessage, Stream};
use e2echat::room::names::Nick;
use e2echat::room::notice::Notice;
use e2echat::room::numbers::Ranges;
use e2echat::room::relay::{Intake, Mailbox, OutgoingFrame, Room, admit};
use e2echat::room::session::{
    End, Event, Now, Person, Policy, SayError, Session, Standing, To, Undelivered, Written,
};
use e2echat::room::statement::{Occasion, Purpose, Statement};
use e2echat::room::text::SafeText;

use super::peer::{lobby, next_identity};

const CHALLENGE: Challenge = Challenge {
    nonce: [1; 32],
    run: RunId([2; 16]),
};

const LIMITS: RelayLimits = RelayLimits {
    idle: 90,
    members: 4,
    blocks: 0,
    bytes: 0,
};

/// The time at which a world begins.
pub const NOW: Now = Now {
    time: 0,
    uptime: Duration::ZERO,
};

/// The policy of members of which a test says nothing else.
pub const POLICY: Policy = Policy {
    at_least: Standing::New,
    rekey_after: Duration::from_hours(1),
    no_share: false,
};

/// The time of a world, which all its members share.
type Clock = Rc<Cell<Now>>;

/// A time long enough for every member to send a beacon.
pub const BEACON_PERIOD: Duration = Duration::from_mins(1);

/// A frame without its length: type and fields.
pub fn payload(frame: &Frame) -> Vec<u8> {
    frame.encode().split_off(4)
}

/// The entry that somebody joined, as a relay sends it.
pub fn joining(card: &[u8]) -> Vec<u8> {
    payload(&Frame::entry(EntryKind::Joined, card))
}

/// The entry that the relay has taken somebody out.
pub fn leaving(sid: SessionId, departure: Departure) -> Vec<u8> {
    payload(&Frame::entry(EntryKind::Left, &left_entry(sid, departure)))
}

/// The entry that somebody goes on with another card.
pub fn rekeying(card: &[u8]) -> Vec<u8> {
    payload(&Frame::entry(EntryKind::Rekeyed, card))
}

/// Frames on their way to a member.
#[derive(Clone, Default)]
struct Inbox(Rc<RefCell<Vec<Vec<u8>>>>);

impl Mailbox for Inbox {
    fn post(&self, frame: OutgoingFrame) {
        let bytes = frame.slices().concat().split_off(4);
        self.0.borrow_mut().push(bytes);
    }

    fn dismiss(&self, notice: Notice) {
        self.post(Frame::notice(notice.code()).into());
    }
}

/// A member, and what is on its way to it.
pub struct Member {
    pub session: Session,
    /// The PEM of its identity.
    pub identity: String,
    /// Who has confirmed which of its messages, by the number of the receipt. It is what goes well, and
    /// so it is in none of the events that a test is given.
    pub confirmed: Vec<(u64, Nick)>,
    clock: Clock,
    inbox: Inbox,
    /// The relay's intake for this member, once it is in the room.
    intake: Option<Intake>,
}

impl Member {
    fn new(nick: &str, policy: Policy, clock: &Clock) -> Self {
        let identity = Identity {
            key: next_identity(),
            is_lasting: true,
        };
        let file = encode(&identity.key, None);
        let key = SessionKey::generate(KeySize::Bits2048);
        let now = clock.get();
        let session = Session::new(identity, key, &nick_of(nick), &lobby(), policy, now);
        Self {
            clock: Rc::clone(clock),
            intake: None,
            confirmed: Vec::new(),
            session,
            identity: file,
            inbox: Inbox::default(),
        }
    }

    /// The time of the world that the member is in.
    pub fn now(&self) -> Now {
        self.clock.get()
    }

    /// How many counted frames the relay has taken from the member (PROTOCOL §8).
    pub fn taken(&self) -> u64 {
        self.intake.as_ref().map_or(0, Intake::received)
    }

    /// The position of its joining.
    pub fn joined(&self) -> u64 {
        let intake = self.intake.as_ref();
        intake.expect("it is in the room").joined()
    }

    /// The member's session id.
    pub fn sid(&self) -> SessionId {
        self.session.card().sid()
    }

    /// Puts frames on their way to the member.
    pub fn deliver(&self, frames: impl IntoIterator<Item = Vec<u8>>) {
        self.inbox.0.borrow_mut().extend(frames);
    }

    /// Takes away all frames that are on their way to the member.
    pub fn intercept(&self) -> Vec<Vec<u8>> {
        self.inbox.0.take()
    }

    /// Takes away the one message that is on its way. The member receives what comes before it.
    #[track_caller]
    pub fn intercept_message(&mut self) -> Delivery {
        let mut frames = self.intercept();
        let message = frames.pop().expect("a message");
        for frame in frames {
            assert_eq!(self.receive(&frame), []);
        }
        Delivery::parse(&message)
    }

    /// Has the member say something to everybody whom it sees.
    pub fn say(&mut self, text: &str) -> Result<usize, SayError> {
        let shown = self.session.changes();
        self.say_to(To::Room { shown }, text)
    }

    /// Has the member say something.
    pub fn say_to(&mut self, to: To, text: &str) -> Result<usize, SayError> {
        let said = self.session.say(to, Kind::Text, text, self.now());
        said.map(|receipt| receipt.readers)
    }

    /// Who has confirmed the message with this receipt, by nick.
    pub fn confirmed_by(&self, receipt: u64) -> Vec<String> {
        let by = self.confirmed.iter().filter(|(of, _)| *of == receipt);
        let mut by: Vec<String> = by.map(|(_, nick)| nick.to_string()).collect();
        by.sort();
        by
    }

    /// Has the member do what is due.
    pub fn tick(&mut self) -> Vec<Event> {
        let events = self.session.tick(self.now());
        self.note(events)
    }

    /// Has the member take a new session key.
    pub fn rekey(&mut self) {
        let key = SessionKey::generate(KeySize::Bits2048);
        self.session.rekey(key, self.now());
    }

    /// The member's connection is over.
    pub fn disconnect(&mut self) {
        self.session.disconnect(self.now());
    }

    /// Hands the member a frame that does not end its session. What the relay has taken and readers have
    /// confirmed is not among the events.
    #[track_caller]
    pub fn receive(&mut self, frame: &[u8]) -> Vec<Event> {
        let events = self.receive_all(frame);
        self.note(events)
    }

    /// Hands the member a frame that does not end its session. Returns all events.
    #[track_caller]
    pub fn receive_all(&mut self, frame: &[u8]) -> Vec<Event> {
        let now = self.now();
        self.session
            .receive(frame, now)
            .expect("the session goes on")
    }

    /// Hands the member a frame that ends its session.
    #[track_caller]
    pub fn ends(&mut self, frame: &[u8]) -> End {
        let now = self.now();
        self.session
            .receive(frame, now)
            .expect_err("the session ends")
    }

    /// Notes what has gone well, and leaves it out.
    fn note(&mut self, events: Vec<Event>) -> Vec<Event> {
        let mut others = Vec::new();
        for event in events {
            match event {
                Event::Confirmed {
                    receipt, reader, ..
                } => self.confirmed.push((receipt, reader)),
                Event::Taken(_) => {}
                other => others.push(other),
            }
        }
        others
    }
}

/// A message on its way to a reader.
#[derive(Clone, Debug)]
pub struct Delivery {
    pub header: Vec<u8>,
    pub signature: Vec<u8>,
    pub ciphertext: Vec<u8>,
    /// Whether it is an entry of the room's chain, and not for this reader alone.
    pub is_entry: bool,
}

impl Delivery {
    #[track_caller]
    pub fn parse(frame: &[u8]) -> Self {
        let (signed, ciphertext, is_entry) = match ToClient::parse(frame) {
            Ok(ToClient::Deliver(signed, ciphertext)) => (signed, ciphertext, false),
            Ok(ToClient::Entry {
                kind: EntryKind::Message,
                entry,
                ciphertext,
            }) => (Signed::parse(entry).expect("two fields"), ciphertext, true),
            other => panic!("not a message: {other:?}"),
        };
        Self {
            header: signed.bytes.to_vec(),
            signature: signed.signature.to_vec(),
            ciphertext: ciphertext.to_vec(),
            is_entry,
        }
    }

    /// Makes a frame of it: ENTRY or DELIVER.
    pub fn frame(&self) -> Vec<u8> {
        let signed = Encoder::default()
            .string(&self.header)
            .string(&self.signature)
            .finish();
        let fields = if self.is_entry {
            Encoder::default()
                .byte(0x11)
                .byte(EntryKind::Message.code())
                .string(&signed)
        } else {
            Encoder::default().byte(0x13).bytes(&signed)
        };
        fields.string(&self.ciphertext).finish()
    }
}

/// An honest relay with one room.
pub struct World {
    room: Room<Inbox>,
    challenge: Challenge,
    clock: Clock,
}

impl World {
    /// Makes a world with an empty room.
    pub fn new() -> Self {
        Self::in_run(CHALLENGE.run)
    }

    /// Makes a world with an empty room, of a relay that was started anew.
    pub fn restarted() -> Self {
        Self::in_run(RunId([3; 16]))
    }

    fn in_run(run: RunId) -> Self {
        Self {
            room: empty_room(run),
            challenge: Challenge { run, ..CHALLENGE },
            clock: Rc::new(Cell::new(NOW)),
        }
    }

    /// The time.
    pub fn now(&self) -> Now {
        self.clock.get()
    }

    /// The place of the last entry in the room's chain.
    pub fn link(&self) -> Link {
        self.room.link()
    }

    /// What somebody claims who has seen all.
    pub fn claim(&self) -> Claim {
        let mut roster: Vec<SessionId> = self.room.places().map(|(sid, ..)| sid).collect();
        roster.sort_unstable();
        Claim {
            run: self.challenge.run,
            link: self.link(),
            roster: roster_digest(&roster),
            unread: Ranges::default(),
        }
    }

    /// Lets somebody in. WELCOME and the roster are then on their way to the new member.
    pub fn enter(&mut self, nick: &str) -> Result<Member, Notice> {
        self.enter_with(nick, POLICY)
    }

    /// Lets somebody in who writes to others under this policy.
    pub fn enter_with(&mut self, nick: &str, policy: Policy) -> Result<Member, Notice> {
        let mut member = Member::new(nick, policy, &self.clock);
        self.admit(&mut member)?;
        Ok(member)
    }

    /// Lets a member in once more, whose connection was broken for too long, or to another run.
    pub fn enter_again(&mut self, member: &mut Member) -> Result<(), Notice> {
        member.disconnect();
        member.intercept();
        self.admit(member)
    }

    /// Has the relay forget everything, and begin another run.
    pub fn restart(&mut self) {
        let [first, ..] = self.challenge.run.0;
        self.challenge.run = RunId([first + 1; 16]);
        self.room = empty_room(self.challenge.run);
    }

    /// The relay's first frame.
    pub fn challenge(&self) -> Vec<u8> {
        payload(&Frame::challenge(&self.challenge, &LIMITS))
    }

    fn admit(&mut self, member: &mut Member) -> Result<(), Notice> {
        assert_eq!(member.receive(&self.challenge()), []);
        let frames = member.session.take_outgoing();
        let [hello] = frames.as_slice() else {
            panic!("not one frame, but {}", frames.len());
        };
        let card = admit(&payload(hello), &self.challenge, lobby().id())?.card;
        member.intake = Some(self.join(&card, &member.inbox)?);
        Ok(())
    }

    fn join(&mut self, card: &Card, inbox: &Inbox) -> Result<Intake, Notice> {
        let joined = self.room.join(card, inbox)?;
        Ok(Intake::new(card, self.challenge.run, joined, &LIMITS))
    }

    /// Takes the frames that a member has to send, passes them on, and puts their acknowledgement on its
    /// way to the member, behind what they have caused for it.
    pub fn relay(&mut self, member: &mut Member) {
        if self.pass_on(member) {
            member.deliver([payload(&Frame::ack(member.taken()))]);
        }
    }

    /// Takes the frames that a member has to send, and passes them on. Returns whether there were any.
    pub fn pass_on(&mut self, member: &mut Member) -> bool {
        let frames = member.session.take_outgoing();
        let is_any = !frames.is_empty();
        self.take(member, frames);
        is_any
    }

    /// Passes on these frames from a member.
    fn take(&mut self, member: &mut Member, frames: Vec<Frame>) {
        if !frames.is_empty() {
            let intake = member.intake.as_mut().expect("it is in the room");
            self.carry_out(intake, frames);
        }
    }

    fn carry_out(&mut self, intake: &mut Intake, frames: Vec<Frame>) {
        for frame in frames {
            let request = intake.take(payload(&frame)).expect("what a relay takes");
            let done = self.room.carry_out(intake, &request);
            done.expect("it signs as nobody else");
        }
    }

    /// Takes the frames that a member has to send, and lets somebody in before the last of them.
    pub fn enter_during(&mut self, member: &mut Member, nick: &str) -> Member {
        let mut frames = member.session.take_outgoing();
        let last = frames.pop().expect("something to send");
        self.take(member, frames);
        let newcomer = self.enter(nick).expect("there is room");
        self.take(member, vec![last]);
        member.deliver([payload(&Frame::ack(member.taken()))]);
        newcomer
    }

    /// Has a member say something. Returns how many are to read it.
    pub fn say(&mut self, member: &mut Member, text: &str) -> usize {
        let said = member.say(text);
        self.relay(member);
        said.expect("it can be said")
    }

    /// Has a member say something to another one alone.
    pub fn say_to(&mut self, member: &mut Member, to: SessionId, text: &str) {
        let said = member.say_to(To::Member(to), text);
        self.relay(member);
        said.expect("it can be said");
    }

    /// Has a member take a new session key.
    pub fn rekey(&mut self, member: &mut Member) {
        member.rekey();
        self.relay(member);
    }

    /// Has a member say goodbye and go. It receives what is on its way to it.
    pub fn leave(&mut self, member: &mut Member) {
        member.session.leave(self.now());
        self.relay(member);
        while !member.session.has_said_goodbye() || member.session.is_waiting() {
            catch_up(member);
            self.relay(member);
        }
    }

    /// Lets time go by.
    pub fn advance(&mut self, by: Duration) {
        let now = self.now();
        self.clock.set(Now {
            time: now.time + u64::try_from(by.as_millis()).expect("not that long"),
            uptime: now.uptime + by,
        });
    }

    /// Lets time go by, second by second, while the relay is honest. Returns the events of each member.
    pub fn pass<const N: usize>(
        &mut self,
        by: Duration,
        members: [&mut Member; N],
    ) -> [Vec<Event>; N] {
        self.pass_choosing(by, members, |_, _| true)
    }

    /// Lets time go by, second by second, while of all frames those reach the members that the relay
    /// chooses: it is given the place of the member in the list, and the frame.
    pub fn pass_choosing<const N: usize>(
        &mut self,
        by: Duration,
        mut members: [&mut Member; N],
        mut is_passed_on: impl FnMut(usize, &[u8]) -> bool,
    ) -> [Vec<Event>; N] {
        let mut noticed = [const { Vec::new() }; N];
        for _ in 0..by.as_secs() {
            self.advance(Duration::from_secs(1));
            for (member, noticed) in members.iter_mut().zip(&mut noticed) {
                noticed.extend(member.tick());
                self.relay(member);
            }
            for (place, member) in members.iter_mut().enumerate() {
                let mut frames = member.intercept();
                frames.retain(|frame| is_passed_on(place, frame));
                member.deliver(frames);
                noticed[place].extend(catch_up(member));
            }
        }
        noticed
    }

    /// Lets an insider in: a member whose keys the test holds, and who signs whatever the test wants.
    pub fn enter_insider(&mut self, nick: &str) -> Insider {
        let mut insider = Insider::new(nick);
        self.admit_insider(&mut insider);
        insider
    }

    /// Lets this insider in.
    pub fn admit_insider(&mut self, insider: &mut Insider) {
        let intake = self.join(&insider.card, &insider.inbox);
        insider.intake = Some(intake.expect("there is room"));
    }

    /// Takes an insider out, as if its connection were lost.
    pub fn lose_insider(&mut self, insider: &Insider) {
        let intake = insider.intake.as_ref().expect("it is in the room");
        self.room.leave(intake.joined(), Departure::Lost);
    }

    /// Has the relay take these frames from an insider, and pass them on.
    pub fn pass_on_from(&mut self, insider: &mut Insider, frames: Vec<Frame>) {
        let intake = insider.intake.as_mut().expect("it is in the room");
        self.carry_out(intake, frames);
    }

    /// Has an insider say this to `readers`.
    pub fn publish(
        &mut self,
        insider: &mut Insider,
        header: &Header,
        body: &Body,
        readers: &[&Member],
    ) {
        let frames = insider.seal(header, body, readers).frames();
        self.pass_on_from(insider, frames);
    }

    /// Has an insider go on under another card.
    pub fn rekey_insider(&mut self, insider: &mut Insider, card: Card) {
        self.pass_on_from(insider, vec![Frame::rekey(card.bytes())]);
        insider.card = card;
    }

    /// Has a member's connection break, and tells the others that it has had none for a minute, and that its
    /// place is kept for so long from now on.
    pub fn put_to_sleep(&mut self, member: &mut Member, kept: Duration) {
        member.disconnect();
        let time = self.now().time;
        let until = time + u64::try_from(kept.as_millis()).expect("not that long");
        let since = time.saturating_sub(60_000);
        self.room.put_to_sleep(member.joined(), since..until);
    }

    /// Has a member that was asleep come back. On their way to it are what waited, statements by the digests of
    /// their entries, and what follows that.
    pub fn wake(&mut self, member: &mut Member) {
        let waiting = knock(self, member);
        self.room.wake(member.joined());
        let behind = member.intercept();
        member.deliver([payload(&Frame::welcome_back(member.taken(), 0))]);
        member.deliver(by_digests(member.sid(), waiting));
        member.deliver(behind);
        member.deliver([payload(&Frame::ack(member.taken()))]);
    }

    /// Takes a member out, as if its connection were lost.
    pub fn lose(&mut self, member: &Member) {
        let intake = member.intake.as_ref().expect("it is in the room");
        self.room.leave(intake.joined(), Departure::Lost);
    }
}

fn empty_room(run: RunId) -> Room<Inbox> {
    Room::new(Link::start(run, lobby().id(), 0), &LIMITS, 0)
}

/// The same card, signed as rightly, but with another MAC.
fn with_a_wrong_mac(card: &Card, by: &Identity) -> Card {
    // A signature of 2048 bits comes last, after its length.
    let mut unsigned = card.bytes()[..card.bytes().len() - 256 - 4].to_vec();
    *unsigned.last_mut().expect("a MAC") ^= 1;
    let signature = by.key.sign(&unsigned);
    let bytes = Encoder::default()
        .bytes(&unsigned)
        .string(&signature)
        .finish();
    Card::parse(&bytes, card.room()).expect("a relay cannot tell")
}

/// A member whose keys the test holds.
pub struct Insider {
    pub identity: Identity,
    pub card: Card,
    inbox: Inbox,
    /// The relay's intake for it, once it is in the room.
    intake: Option<Intake>,
}

impl Insider {
    /// Makes an insider who is in no room yet.
    pub fn new(nick: &str) -> Self {
        let identity = Identity {
            key: next_identity(),
            is_lasting: true,
        };
        let key = SessionKey::generate(KeySize::Bits2048);
        let card = Card::issue(&lobby(), &nick_of(nick), &identity, key.public(), 0);
        Self {
            identity,
            card,
            inbox: Inbox::default(),
            intake: None,
        }
    }

    /// Makes one who does not know the name of the room: its cards have a wrong MAC.
    pub fn without_the_name(nick: &str) -> Self {
        let mut insider = Self::new(nick);
        insider.card = with_a_wrong_mac(&insider.card, &insider.identity);
        insider
    }

    /// The card with which such a one goes on under another session key.
    pub fn successor_without_the_name(&self, key: &PublicKey) -> Card {
        let nick = self.card.nick();
        let next = self
            .card
            .issue_successor(&lobby().key(), &self.identity, nick, key, 0, 0);
        with_a_wrong_mac(&next, &self.identity)
    }

    /// Takes away all frames that are on their way to the insider.
    pub fn intercept(&self) -> Vec<Vec<u8>> {
        self.inbox.0.take()
    }

    /// Takes away the message that is on its way to the insider, and what comes before it.
    #[track_caller]
    pub fn intercept_message(&self) -> Delivery {
        Delivery::parse(self.intercept().last().expect("a message"))
    }

    /// The message with which the insider says something to all, and claims to have seen all that there
    /// is in this world.
    pub fn compose(&self, world: &World, number: u64, text: &str) -> (Header, Body) {
        let body = Body::new(Kind::Text.code(), text.to_owned()).expect("a text");
        let header = Header {
            room: lobby().id(),
            sender: self.card.sid(),
            stream: Stream::Room,
            number,
            time: world.now().time,
            flags: 0,
            left_out: Vec::new(),
            claim: world.claim(),
            commitment: body.commitment(),
        };
        (header, body)
    }

    /// What the insider states to all, and claims likewise. It has said nothing.
    pub fn statement(&self, world: &World, occasion: Occasion) -> Statement {
        Statement {
            room: lobby().id(),
            sender: self.card.sid(),
            time: world.now().time + 1,
            next: 0,
            claim: world.claim(),
            purpose: Purpose::ToAll(occasion),
        }
    }

    /// The frame that carries a statement, signed by the insider.
    pub fn state(&self, statement: &Statement) -> Frame {
        let statement = statement.encode();
        Frame::statement(&statement, &self.identity.key.sign(&statement))
    }

    /// A message, signed, and encrypted for `readers`.
    pub fn seal(&self, header: &Header, body: &Body, readers: &[&Member]) -> SealedMessage {
        let cards = readers.iter().map(|reader| reader.session.card());
        let readers: Vec<_> = cards.map(|card| (card.sid(), card.session())).collect();
        SealedMessage::seal(header, body, &self.identity.key, &readers)
    }

    /// A message, as the relay passes it on to `reader`.
    pub fn deliver(&self, header: &Header, body: &Body, reader: &Member) -> Delivery {
        let sealed = self.seal(header, body, &[reader]);
        let [(_, ciphertext)] = sealed.parcels.try_into().expect("one reader");
        Delivery {
            header: sealed.header,
            signature: sealed.signature,
            ciphertext,
            is_entry: header.stream == Stream::Room,
        }
    }
}

/// Has a member whose connection was broken say HELLO over another one. Returns what waits for it.
pub fn knock(world: &World, member: &mut Member) -> Vec<Vec<u8>> {
    member.disconnect();
    let mut waiting = member.intercept();
    waiting.retain(|frame| !matches!(ToClient::parse(frame), Ok(ToClient::Ack(_))));
    assert_eq!(member.receive(&world.challenge()), []);
    assert_eq!(member.session.take_outgoing().len(), 1, "HELLO alone");
    waiting
}

/// What waits for whoever has this session id, as a relay keeps it that has, of the statements after its own
/// ASLEEP, the digests of their entries alone.
pub fn by_digests(own: SessionId, waiting: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    let (mut digests, mut sleeps) = (Vec::new(), false);
    for frame in waiting {
        if let Ok(ToClient::Entry { kind, entry, .. }) = ToClient::parse(&frame) {
            if kind == EntryKind::Statement && sleeps {
                digests.push(entry_digest(entry));
                continue;
            }
            let absence = Absence::parse(entry).ok();
            sleeps |= kind == EntryKind::Asleep && absence.is_some_and(|it| it.sid == own);
        }
        if !digests.is_empty() {
            frames.push(payload(&Frame::passed(&std::mem::take(&mut digests))));
        }
        frames.push(frame);
    }
    if !digests.is_empty() {
        frames.push(payload(&Frame::passed(&digests)));
    }
    frames
}

/// Whether a frame on its way to a member brings what another one states: to all, or to it alone.
pub fn is_statement(frame: &[u8]) -> bool {
    match ToClient::parse(frame) {
        Ok(ToClient::Entry { kind, .. }) => kind == EntryKind::Statement,
        Ok(ToClient::Receipt(_)) => true,
        _ => false,
    }
}

/// The event that somebody joined.
pub fn joined(member: &Member) -> Event {
    Event::Joined(person(member))
}

/// Hands a member all frames that are on their way to it.
pub fn catch_up(member: &mut Member) -> Vec<Event> {
    let frames = member.intercept();
    let events = frames.iter().map(|frame| member.receive(frame));
    events.flatten().collect()
}

/// A nick.
pub fn nick_of(nick: &str) -> Nick {
    nick.parse().expect("a nick")
}

/// A member as the others see it.
pub fn person(member: &Member) -> Person {
    let card = member.session.card();
    Person {
        nick: card.nick().clone(),
        fingerprint: card.fingerprint(),
        is_lasting: card.is_lasting(),
        is_present: false,
        asleep: None,
        differs: false,
        standing: Standing::New,
        sid: card.sid(),
    }
}

/// The event that `nick` left.
pub fn left(nick: &str, departure: Departure) -> Event {
    Event::Left {
        nick: nick_of(nick),
        departure,
    }
}

/// The event that `nick` said `text` to the room.
pub fn said(nick: &str, text: &str) -> Event {
    Event::Message {
        from: nick_of(nick),
        direct: false,
        kind: Kind::Text,
        text: SafeText::new(text),
        written: None,
        unseen: 0,
    }
}

/// The event that `nick` said `text` to this member alone.
pub fn said_directly(nick: &str, text: &str) -> Event {
    Event::Message {
        from: nick_of(nick),
        direct: true,
        kind: Kind::Text,
        text: SafeText::new(text),
        written: None,
        unseen: 0,
    }
}

/// The event that this many messages from `nick` are missing.
pub fn missing(nick: &str, count: u64) -> Event {
    Event::Missing(nick_of(nick), count)
}

/// The same message, of which the author had not seen so many messages that stand above it.
pub fn without_having_seen(count: usize, mut said: Event) -> Event {
    if let Event::Message { unseen, .. } = &mut said {
        *unseen = count;
    }
    said
}

/// The same message, which is shown as written at this time by its author's clock, so many
/// milliseconds ago.
pub fn written_at(time: u64, ago: u64, mut said: Event) -> Event {
    if let Event::Message { written, .. } = &mut said {
        let ago = Duration::from_millis(ago);
        *written = Some(Written { time, ago });
    }
    said
}

/// The event that `reader` has not confirmed what was said for three beacon periods.
pub fn unconfirmed_by(reader: &str, receipt: u64, text: &str) -> Event {
    Event::Unconfirmed {
        receipt,
        reader: nick_of(reader),
        text: text.to_owned(),
    }
}

/// The event that `reader` could not open what was said.
pub fn unopened_by(reader: &str, receipt: u64, text: &str) -> Event {
    Event::Undelivered {
        receipt,
        reader: nick_of(reader),
        text: text.to_owned(),
        reason: Undelivered::Unopened,
    }
}

/// The event that `nick` has another view of the room.
pub fn other_view(nick: &str) -> Event {
    Event::OtherView(nick_of(nick))
}

/// How long it takes after somebody has come until all have shown that they are there.
pub const SETTLED: Duration = Duration::from_secs(2);

/// A world that Ada, then Bob, then Carol have entered. All three have seen that, and shown it.
pub fn three() -> (World, Member, Member, Member) {
    let mut world = World::new();
    let mut ada = world.enter("ada").expect("there is room");
    assert_eq!(catch_up(&mut ada), [Event::Entered(vec![])]);
    let mut bob = world.enter("bob").expect("there is room");
    assert_eq!(catch_up(&mut bob), [Event::Entered(vec![person(&ada)])]);
    let mut carol = world.enter("carol").expect("there is room");
    assert_eq!(
        catch_up(&mut carol),
        [Event::Entered(vec![person(&ada), person(&bob)])]
    );
    assert_eq!(
        catch_up(&mut ada),
        [Event::Joined(person(&bob)), Event::Joined(person(&carol))]
    );
    assert_eq!(catch_up(&mut bob), [Event::Joined(person(&carol))]);
    for member in [&mut ada, &mut bob, &mut carol] {
        world.relay(member);
    }
    for member in [&mut ada, &mut bob, &mut carol] {
        assert_eq!(catch_up(member), [], "honest statements say nothing");
    }
    let noticed = world.pass(SETTLED, [&mut ada, &mut bob, &mut carol]);
    assert_eq!(noticed, [vec![], vec![], vec![]], "nor do the next ones");
    for member in [&ada, &bob, &carol] {
        let others = member.session.others();
        assert!(others.iter().all(|person| person.is_present), "{others:?}");
    }
    (world, ada, bob, carol)
}

/// What Bob and the others see within two beacon periods after the relay has shown Bob something else: an
/// alarm about him for each of them, and for him about both, whereupon he is to enter anew. The first
/// beacon of somebody may be of before that.
#[track_caller]
pub fn assert_bob_is_parted(world: &mut World, members: [&mut Member; 3]) {
    let [a, b, c] = world.pass(2 * BEACON_PERIOD, members);
    let alarms = |events: Vec<Event>| {
        let is_alarm = |event: &Event| matches!(event, Event::OtherView(_) | Event::Contradicted);
        let mut alarms: Vec<String> = events
            .iter()
            .filter(|event| is_alarm(event))
            .map(|event| format!("{event:?}"))
            .collect();
        alarms.sort();
        alarms
    };
    let expected = |events: &[Event]| alarms(events.to_vec());
    assert_eq!(alarms(a), expected(&[other_view("bob")]));
    assert_eq!(alarms(c), expected(&[other_view("bob")]));
    let both = [other_view("ada"), other_view("carol"), Event::Contradicted];
    assert_eq!(alarms(b), expected(&both));
}
