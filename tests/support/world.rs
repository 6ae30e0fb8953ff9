//! A room in one process: the relay's state machine and the members' sessions. Between them a test does
//! to the frames what it wants.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use e2echat::cipher::encoding::Encoder;
use e2echat::cipher::keys::{IdentityKey, KeySize, SessionKey};
use e2echat::cipher::pem::encode;
use e2echat::cipher::seal::Body;
use e2echat::room::card::{Card, Identity, SessionId};
use e2echat::room::frame::{Challenge, Departure, Frame, RelayLimits, RunId, ToClient};
use e2echat::room::message::{Header, Kind, SealedMessage, Stream, audience_digest};
use e2echat::room::names::Nick;
use e2echat::room::notice::Notice;
use e2echat::room::relay::{Intake, Mailbox, MemberRequest, OutgoingFrame, Room, admit};
use e2echat::room::session::{End, Event, Now, Person, Policy, SayError, Session, Standing, To};
use e2echat::room::text::SafeText;

use super::peer::lobby;

const CHALLENGE: Challenge = Challenge {
    nonce: [1; 32],
    run: RunId([2; 16]),
};

const LIMITS: RelayLimits = RelayLimits {
    idle: 90,
    grace: 0,
    members: 4,
    blocks: 0,
    bytes: 0,
};

/// The time at which everything happens that takes no time.
pub const NOW: Now = Now {
    time: 0,
    uptime: Duration::ZERO,
};

const POLICY: Policy = Policy {
    at_least: Standing::New,
    rekey_after: Duration::from_hours(1),
};

/// The time of a world, which all its members share.
type Clock = Rc<Cell<Now>>;

/// A time long enough for every member to send a beacon.
pub const BEACON_PERIOD: Duration = Duration::from_mins(1);

/// A frame without its length: type and fields.
pub fn payload(frame: &Frame) -> Vec<u8> {
    frame.encode().split_off(4)
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
    clock: Clock,
    inbox: Inbox,
    /// The relay's intake for this member, once it is in the room.
    intake: Option<Intake>,
}

impl Member {
    fn new(nick: &str, clock: &Clock) -> Self {
        let identity = Identity {
            key: IdentityKey::generate(KeySize::Bits2048),
            is_lasting: true,
        };
        let file = encode(&identity.key, None);
        let key = SessionKey::generate(KeySize::Bits2048);
        let now = clock.get();
        let session = Session::new(identity, key, &nick_of(nick), &lobby(), POLICY, now);
        Self {
            clock: Rc::clone(clock),
            intake: None,
            session,
            identity: file,
            inbox: Inbox::default(),
        }
    }

    /// How many counted frames the relay has taken from the member (PROTOCOL §8).
    pub fn taken(&self) -> u64 {
        self.intake.as_ref().map_or(0, Intake::received)
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
        let said = self.session.say(to, Kind::Text, text, self.clock.get());
        said.map(|receipt| receipt.readers)
    }

    /// Has the member do what is due.
    pub fn tick(&mut self) -> Vec<Event> {
        self.session.tick(self.clock.get())
    }

    /// Has the member take a new session key.
    pub fn rekey(&mut self) {
        let key = SessionKey::generate(KeySize::Bits2048);
        self.session.rekey(key, self.clock.get());
    }

    /// Hands the member a frame that does not end its session.
    #[track_caller]
    pub fn receive(&mut self, frame: &[u8]) -> Vec<Event> {
        self.session
            .receive(frame, self.clock.get())
            .expect("the session goes on")
    }

    /// Hands the member a frame that ends its session.
    #[track_caller]
    pub fn ends(&mut self, frame: &[u8]) -> End {
        self.session
            .receive(frame, self.clock.get())
            .expect_err("the session ends")
    }
}

/// The fields of DELIVER.
#[derive(Clone)]
pub struct Delivery {
    pub header: Vec<u8>,
    pub signature: Vec<u8>,
    pub ciphertext: Vec<u8>,
}

impl Delivery {
    #[track_caller]
    fn parse(frame: &[u8]) -> Self {
        match ToClient::parse(frame) {
            Ok(ToClient::Deliver {
                header,
                signature,
                ciphertext,
            }) => Self {
                header: header.to_vec(),
                signature: signature.to_vec(),
                ciphertext: ciphertext.to_vec(),
            },
            other => panic!("not a message: {other:?}"),
        }
    }

    /// Makes a frame of the fields.
    pub fn frame(&self) -> Vec<u8> {
        Encoder::default()
            .byte(0x11)
            .string(&self.header)
            .string(&self.signature)
            .string(&self.ciphertext)
            .finish()
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
        Self {
            room: Room::new(0, &LIMITS),
            challenge: CHALLENGE,
            clock: Rc::new(Cell::new(NOW)),
        }
    }

    /// Makes a world with an empty room, of a relay that was started anew.
    pub fn restarted() -> Self {
        let mut world = Self::new();
        world.challenge.run = RunId([3; 16]);
        world
    }

    /// The number of the room's last change.
    pub fn epoch(&self) -> u64 {
        self.room.epoch()
    }

    /// Lets somebody in. WELCOME and the roster are then on their way to the new member.
    pub fn enter(&mut self, nick: &str) -> Result<Member, Notice> {
        let mut member = Member::new(nick, &self.clock);
        self.admit(&mut member)?;
        Ok(member)
    }

    /// Lets a member in once more, whose connection was broken for too long, or to another run.
    pub fn enter_again(&mut self, member: &mut Member) -> Result<(), Notice> {
        member.session.disconnect();
        member.intercept();
        self.admit(member)
    }

    /// Has the relay forget everything, and begin another run.
    pub fn restart(&mut self) {
        let [first, ..] = self.challenge.run.0;
        self.challenge.run = RunId([first + 1; 16]);
        self.room = Room::new(0, &LIMITS);
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
        let joined = self.room.join(&card, &member.inbox)?;
        member.intake = Some(Intake::new(&card, self.challenge.run, joined, &LIMITS));
        Ok(())
    }

    /// Takes the frames that a member has to send, passes them on, and acknowledges them.
    pub fn relay(&mut self, member: &mut Member) {
        while self.pass_on(member) {
            let ack = Frame::ack(member.taken());
            member.receive(&payload(&ack));
        }
    }

    /// Takes the frames that a member has to send, and passes them on. Returns whether there were any.
    pub fn pass_on(&mut self, member: &mut Member) -> bool {
        self.try_to_pass_on(member).expect("a key of its own")
    }

    /// Does the same. Returns an error if the relay removes the member for what it sends.
    pub fn try_to_pass_on(&mut self, member: &mut Member) -> Result<bool, Notice> {
        let frames = member.session.take_outgoing();
        let is_any = !frames.is_empty();
        self.take(member, frames)?;
        Ok(is_any)
    }

    /// Passes on these frames from a member.
    fn take(&mut self, member: &mut Member, frames: Vec<Frame>) -> Result<(), Notice> {
        if !frames.is_empty() {
            let intake = member.intake.as_mut().expect("it is in the room");
            for frame in frames {
                let request = intake.take(payload(&frame)).expect("an honest client");
                self.room.carry_out(intake.sid(), &request)?;
                if matches!(request, MemberRequest::Leave) {
                    let (sid, joined) = (intake.sid(), intake.joined());
                    self.room.leave(sid, joined, Departure::Left);
                }
            }
        }
        Ok(())
    }

    /// Takes the frames that a member has to send, and lets somebody in before the last of them.
    pub fn enter_during(&mut self, member: &mut Member, nick: &str) -> Member {
        let mut frames = member.session.take_outgoing();
        let last = frames.pop().expect("something to send");
        self.take(member, frames).expect("a key of its own");
        let newcomer = self.enter(nick).expect("there is room");
        self.take(member, vec![last]).expect("a key of its own");
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

    /// Has a member say goodbye and go.
    pub fn leave(&mut self, member: &mut Member) {
        member.session.leave(self.clock.get());
        self.relay(member);
    }

    /// Lets time go by.
    pub fn advance(&mut self, by: Duration) {
        let now = self.clock.get();
        self.clock.set(Now {
            time: now.time + u64::try_from(by.as_millis()).expect("not that long"),
            uptime: now.uptime + by,
        });
    }

    /// Lets time go by, second by second, while the relay is honest. Returns the events of each member.
    pub fn pass<const N: usize>(
        &mut self,
        by: Duration,
        mut members: [&mut Member; N],
    ) -> [Vec<Event>; N] {
        let mut noticed = [const { Vec::new() }; N];
        for _ in 0..by.as_secs() {
            self.advance(Duration::from_secs(1));
            for (member, noticed) in members.iter_mut().zip(&mut noticed) {
                noticed.extend(member.tick());
                self.relay(member);
            }
            for (member, noticed) in members.iter_mut().zip(&mut noticed) {
                noticed.extend(catch_up(member));
            }
        }
        noticed
    }

    /// Lets an insider in: a member whose keys the test holds, and who signs whatever the test wants.
    pub fn enter_insider(&mut self, nick: &str) -> Insider {
        let insider = Insider::new(nick);
        self.room
            .join(&insider.card, &insider.inbox)
            .expect("there is room");
        insider
    }

    /// Has an insider go on under another card.
    pub fn rekey_insider(&mut self, insider: &mut Insider, card: Card) {
        let request = MemberRequest::Rekey(Box::new(card.clone()));
        let done = self.room.carry_out(card.sid(), &request);
        done.expect("the relay has nothing against it");
        insider.card = card;
    }

    /// Takes a member out, as if its connection were lost.
    pub fn lose(&mut self, member: &Member) {
        let intake = member.intake.as_ref().expect("it is in the room");
        self.room
            .leave(intake.sid(), intake.joined(), Departure::Lost);
    }
}

/// A member whose keys the test holds.
pub struct Insider {
    pub identity: Identity,
    pub card: Card,
    inbox: Inbox,
}

impl Insider {
    /// Makes an insider who is in no room yet.
    pub fn new(nick: &str) -> Self {
        let identity = Identity {
            key: IdentityKey::generate(KeySize::Bits2048),
            is_lasting: true,
        };
        let key = SessionKey::generate(KeySize::Bits2048);
        let card = Card::issue(&lobby(), &nick_of(nick), &identity, key.public(), 0);
        Self {
            identity,
            card,
            inbox: Inbox::default(),
        }
    }

    /// Takes away the message that is on its way to the insider, and what comes before it.
    #[track_caller]
    pub fn intercept_message(&self) -> Delivery {
        let frames = self.inbox.0.take();
        Delivery::parse(frames.last().expect("a message"))
    }

    /// The message with which the insider says something to all of `others`, in the world's present epoch,
    /// in which nobody has said anything yet.
    pub fn compose(
        &self,
        world: &World,
        others: &[&Member],
        sequence: u64,
        text: &str,
    ) -> (Header, Body) {
        let body = Body::new(Kind::Text.code(), text.to_owned()).expect("a text");
        let mut roster: Vec<SessionId> = others.iter().map(|member| member.sid()).collect();
        roster.push(self.card.sid());
        roster.sort_unstable();
        let header = Header {
            room: lobby().id(),
            sender: self.card.sid(),
            run: world.challenge.run,
            epoch: world.epoch(),
            stream: Stream::Room,
            sequence,
            time: 0,
            left_out: Vec::new(),
            audience: audience_digest(&roster),
            seen: 0,
            parent: audience_digest(&roster),
            commitment: body.commitment(),
        };
        (header, body)
    }

    /// A message, as the relay delivers it to `reader`.
    pub fn deliver(&self, header: &Header, body: &Body, reader: &Member) -> Delivery {
        let to = (reader.sid(), reader.session.card().session());
        let sealed = SealedMessage::seal(header, body, &self.identity.key, &[to], &[]);
        let [(_, ciphertext)] = sealed.parcels.try_into().expect("one reader");
        Delivery {
            header: sealed.header,
            signature: sealed.signature,
            ciphertext,
        }
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
        is_confirmed: false,
        standing: Standing::New,
        sid: card.sid(),
    }
}

/// The event that `nick` left.
pub fn left(nick: &str, departure: Departure, is_signed: bool) -> Event {
    Event::Left {
        nick: nick_of(nick),
        departure,
        is_signed,
    }
}

/// The event that `nick` said `text` to the room.
pub fn said(nick: &str, text: &str) -> Event {
    Event::Message {
        from: nick_of(nick),
        direct: false,
        kind: Kind::Text,
        text: SafeText::new(text),
    }
}

/// The event that `nick` said `text` to this member alone.
pub fn said_directly(nick: &str, text: &str) -> Event {
    Event::Message {
        from: nick_of(nick),
        direct: true,
        kind: Kind::Text,
        text: SafeText::new(text),
    }
}

/// The event that this many messages from `nick` are missing.
pub fn missing(nick: &str, count: u64) -> Event {
    Event::Missing(nick_of(nick), count)
}

/// The event that nothing that `nick` signed has come.
pub fn unconfirmed(nick: &str) -> Event {
    Event::Unconfirmed(nick_of(nick))
}

/// The event that `nick` has another view of the room.
pub fn other_view(nick: &str) -> Event {
    Event::OtherView(nick_of(nick))
}

/// A world that Ada, then Bob, then Carol have entered. All three have seen that.
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
    let noticed = world.pass(Duration::from_secs(1), [&mut ada, &mut bob, &mut carol]);
    assert_eq!(noticed, [vec![], vec![], vec![]], "nor do greetings");
    // Tests begin to count here.
    world.clock.set(NOW);
    (world, ada, bob, carol)
}
