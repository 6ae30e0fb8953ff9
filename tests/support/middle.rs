//! A relay in the middle, in a room whose name it has guessed. Each real member sits in a room of their
//! own, in which the relay plays all the others, as puppets with their nicks and keys of its own. The
//! relay reads what a member says to a puppet, and has that member's own puppet say it again in the
//! other's room.

use std::collections::{BTreeMap, HashMap};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant, SystemTime};

use e2echat::cipher::keys::{IdentityKey, KeySize, SessionKey};
use e2echat::cipher::pem::{self, IdentityPem};
use e2echat::room::card::{Card, Identity};
use e2echat::room::frame::{Challenge, Departure, Frame};
use e2echat::room::message::Kind;
use e2echat::room::names::RoomName;
use e2echat::room::notice::Notice;
use e2echat::room::relay::{Intake, Mailbox, MemberRequest, OutgoingFrame, Room};
use e2echat::room::session::{Event, Now, Policy, Session, Standing, To};

use super::{LIMITS, empty_room};

/// Whole frames, to a client or to a puppet.
#[derive(Clone)]
struct Post(Sender<Vec<u8>>);

impl Mailbox for Post {
    fn post(&self, frame: OutgoingFrame) {
        // It fails where the reader is gone.
        let _ = self.0.send(frame.slices().concat());
    }

    fn dismiss(&self, notice: Notice) {
        self.post(Frame::notice(notice.code()).into());
    }
}

/// A frame without its length.
fn payload(frame: &[u8]) -> &[u8] {
    frame.get(4..).expect("a frame has a length")
}

/// A puppet: a member whom the relay plays.
struct Puppet {
    session: Session,
    intake: Intake,
    post: Post,
    inbox: Receiver<Vec<u8>>,
}

impl Puppet {
    fn enter(card: &Card, key: IdentityKey, challenge: &Challenge, stage: &mut Stage) -> Self {
        let identity = Identity {
            key,
            is_lasting: card.is_lasting(),
        };
        let policy = Policy {
            at_least: Standing::New,
            rekey_after: Duration::from_hours(1),
            no_share: false,
        };
        let key = SessionKey::generate(KeySize::Bits2048);
        let (nick, room, now) = (card.nick(), RoomName::lobby(), stage.clock.now());
        let mut session = Session::new(identity, key, nick, &room, policy, now);
        let frame = Frame::challenge(challenge, &LIMITS).encode();
        session
            .receive(payload(&frame), now)
            .expect("a challenge is what it waits for");
        session.take_outgoing();
        let (post, inbox) = channel();
        let post = Post(post);
        let card = session.card().clone();
        let joined = stage
            .room
            .join(&card, &post)
            .expect("real members with this nick were let in");
        Self {
            session,
            intake: Intake::new(&card, challenge.run, joined, &LIMITS),
            post,
            inbox,
        }
    }

    /// Has the puppet hear what has come, and send what is due.
    fn act(&mut self, room: &mut Room<Post>, now: Now) -> Vec<Event> {
        let mut events = Vec::new();
        for frame in self.inbox.try_iter() {
            events.extend(
                self.session
                    .receive(payload(&frame), now)
                    .into_iter()
                    .flatten(),
            );
        }
        events.extend(self.session.tick(now));
        if events.contains(&Event::RekeyDue) {
            let key = SessionKey::generate(KeySize::Bits2048);
            self.session.rekey(key, now);
        }
        let frames = self.session.take_outgoing();
        for frame in &frames {
            let request = self.intake.take(payload(&frame.encode()).to_vec());
            let request = request.expect("a puppet keeps to the rules");
            room.carry_out(&mut self.intake, &request)
                .expect("a puppet signs as nobody else");
        }
        if !frames.is_empty() {
            self.post.post(Frame::ack(self.intake.received()).into());
        }
        events
    }

    /// Has the puppet say goodbye, once all that it has said before is acknowledged.
    fn say_goodbye(&mut self, room: &mut Room<Post>, now: Now) {
        self.session.leave(now);
        loop {
            self.act(room, now);
            if self.session.has_said_goodbye() {
                return;
            }
        }
    }
}

#[derive(Clone, Copy)]
struct Clock(Instant);

impl Clock {
    fn now(self) -> Now {
        let time = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        Now {
            time: time.as_millis().try_into().unwrap_or_default(),
            uptime: self.0.elapsed(),
        }
    }
}

/// The room of one real member.
struct Stage {
    victim: Card,
    room: Room<Post>,
    /// The puppets, by the nicks of the members for whom they stand.
    puppets: BTreeMap<String, Puppet>,
    clock: Clock,
}

/// What a real member has said to a puppet.
struct Said {
    by: String,
    to: String,
    direct: bool,
    kind: Kind,
    text: String,
}

impl Stage {
    fn act(&mut self) -> Vec<Said> {
        let now = self.clock.now();
        let mut said = Vec::new();
        for (nick, puppet) in &mut self.puppets {
            for event in puppet.act(&mut self.room, now) {
                match event {
                    Event::Message {
                        from,
                        direct,
                        kind,
                        text,
                        ..
                    } if from == *self.victim.nick() => said.push(Said {
                        by: from.to_string(),
                        to: nick.clone(),
                        direct,
                        kind,
                        text: text.to_string(),
                    }),
                    _ => {}
                }
            }
        }
        said
    }

    /// Has the puppet of the member who said something say it again.
    fn repeat(&mut self, said: &Said) -> Option<()> {
        let puppet = self.puppets.get_mut(&said.by)?;
        let to = if said.direct {
            let others = puppet.session.others();
            To::Member(others.iter().find(|it| it.nick == *self.victim.nick())?.sid)
        } else {
            To::Room {
                shown: puppet.session.changes(),
            }
        };
        let now = self.clock.now();
        puppet.session.say(to, said.kind, &said.text, now).ok()?;
        Some(())
    }
}

/// The relay's puppets, and those who watch them.
pub(super) struct Middle {
    challenge: Challenge,
    stages: BTreeMap<String, Stage>,
    /// The PEMs of the puppets, by nick: somebody who comes again has the same identity as before.
    identities: HashMap<String, String>,
    clock: Clock,
    on_read: fn(&str),
}

impl Middle {
    pub(super) fn new(challenge: Challenge, on_read: fn(&str)) -> Self {
        Self {
            challenge,
            stages: BTreeMap::new(),
            identities: HashMap::new(),
            clock: Clock(Instant::now()),
            on_read,
        }
    }

    fn identity(&mut self, nick: &str) -> IdentityKey {
        let saved = self.identities.entry(nick.to_owned()).or_insert_with(|| {
            let key = IdentityKey::generate(KeySize::Bits2048);
            pem::encode(&key, None)
        });
        let file = IdentityPem::parse(saved).ok();
        file.and_then(|file| file.open().ok())
            .expect("it was written here")
    }

    /// Lets a real member in.
    pub(super) fn join(&mut self, card: &Card, to_client: Sender<Vec<u8>>) -> Option<u64> {
        let nick = card.nick().to_string();
        let mut stage = Stage {
            victim: card.clone(),
            room: empty_room(card.room()),
            puppets: BTreeMap::new(),
            clock: self.clock,
        };
        let others: Vec<Card> = self.stages.values().map(|it| it.victim.clone()).collect();
        if others
            .iter()
            .any(|it| it.nick().skeleton() == card.nick().skeleton())
        {
            return None;
        }
        for other in &others {
            let of = other.nick().to_string();
            let puppet = Puppet::enter(other, self.identity(&of), &self.challenge, &mut stage);
            stage.puppets.insert(of, puppet);
        }
        let joined = stage.room.join(card, &Post(to_client)).ok()?;
        let challenge = self.challenge;
        for other in &others {
            let key = self.identity(&nick);
            let stage = self.stages.get_mut(other.nick().as_str())?;
            let puppet = Puppet::enter(card, key, &challenge, stage);
            stage.puppets.insert(nick.clone(), puppet);
        }
        self.stages.insert(nick, stage);
        self.play();
        Some(joined)
    }

    /// A real member asks for something.
    pub(super) fn take(
        &mut self,
        nick: &str,
        intake: &mut Intake,
        request: &MemberRequest,
    ) -> Option<()> {
        let room = &mut self.stages.get_mut(nick)?.room;
        room.carry_out(intake, request).ok()?;
        self.play();
        Some(())
    }

    /// Takes a real member out.
    pub(super) fn leave(&mut self, nick: &str, departure: Departure) {
        self.stages.remove(nick);
        let now = self.clock.now();
        for stage in self.stages.values_mut() {
            if let Some(mut puppet) = stage.puppets.remove(nick) {
                if departure == Departure::Left {
                    puppet.say_goodbye(&mut stage.room, now);
                } else {
                    stage.room.leave(puppet.intake.joined(), departure);
                }
            }
        }
        self.play();
    }

    /// Has the puppets do what is due, until nobody has anything to repeat.
    pub(super) fn play(&mut self) {
        loop {
            let said: Vec<Said> = self.stages.values_mut().flat_map(Stage::act).collect();
            if said.is_empty() {
                return;
            }
            for said in said {
                (self.on_read)(&said.text);
                if let Some(stage) = self.stages.get_mut(&said.to) {
                    stage.repeat(&said);
                }
            }
        }
    }
}
