//! Messages as a member receives them: the family `message`.

use std::collections::VecDeque;
use std::time::Duration;

use crate::cipher::encoding::Encoder;
use crate::cipher::keys::{DECRYPTIONS, SessionKey};
use crate::room::card::{Card, Identity};
use crate::room::chain::{Link, signed_entry};
use crate::room::frame::{Challenge, Departure, Frame, RelayLimits, RunId, ToRelay};
use crate::room::handed::Refusal;
use crate::room::message::{Kind, OpenError};
use crate::room::names::RoomName;
use crate::room::numbers::Ranges;
use crate::room::session::{End, Event, Now, Policy, Session, SharedWith, Standing};
use crate::room::statement::Statement;
use crate::room::text::SafeText;

use super::{Vector, family, key_called, ranges_in, reason};

const RUN: RunId = RunId([0x11; 16]);

/// The position before bob's joining.
const BEFORE: u64 = 6;

const POLICY: Policy = Policy {
    at_least: Standing::New,
    rekey_after: Duration::from_hours(1),
    no_share: false,
};

#[test]
fn messages() {
    for vector in family("message") {
        let enters = vector.all("enters").next().unwrap_or("yes");
        let mut reader = match Reader::enter(&vector) {
            Ok(reader) => reader,
            Err(end) => {
                assert_eq!((end, enters), (End::Malformed, "error"), "{}", vector.name);
                continue;
            }
        };
        assert_eq!(enters, "yes", "{}", vector.name);
        let mut fields = vector.fields.iter().peekable();
        let is_step = |name: &str| name == "frame";
        while fields.next_if(|(name, _)| !is_step(name)).is_some() {}
        let mut steps = 0;
        while let Some((_, frame)) = fields.next() {
            steps += 1;
            let mut step = Step {
                vector: &vector,
                is_at: format!("{}, step {steps}", vector.name),
                frame,
                fields: Vec::new(),
            };
            while let Some((name, value)) = fields.next_if(|(name, _)| !is_step(name)) {
                step.fields.push((name, value));
            }
            reader.take(&step);
        }
        assert!(steps > 0, "{} has no step", vector.name);
    }
}

#[test]
fn a_thousand_blocks_without_a_valid_signature_cost_no_private_key_operation() {
    let vector = Vector::read("message_one_block");
    let mut bob = Reader::enter(&vector).unwrap().session;
    let [header, signature] = ["header", "signature"].map(|field| vector.bytes(field));
    let forged: Vec<u8> = signature.iter().map(|byte| byte ^ 1).collect();
    let mut decryptions = |signature: &[u8], blocks: usize| {
        let before = DECRYPTIONS.get();
        let frame = entry(
            3,
            &signed_entry(&header, signature),
            &vec![0x55; 256 * blocks],
        );
        assert_eq!(bob.receive(&frame, now(0)).unwrap().len(), 1);
        DECRYPTIONS.get() - before
    };
    // Also where the number is one that a message can have.
    for blocks in [1024, 20, 1] {
        assert_eq!(decryptions(&forged, blocks), 0, "{blocks}");
    }
    assert_eq!(decryptions(&signature, 20), 1, "with it they are looked at");
}

fn now(seconds: u64) -> Now {
    Now {
        time: 0,
        uptime: Duration::from_secs(seconds),
    }
}

/// A step of a vector: what comes, and what must come of it.
struct Step<'a> {
    vector: &'a Vector,
    /// What it is called where it fails.
    is_at: String,
    frame: &'a str,
    fields: Vec<(&'a str, &'a str)>,
}

impl Step<'_> {
    fn find(&self, name: &str) -> Option<&str> {
        let field = self.fields.iter().find(|(field, _)| *field == name);
        field.map(|(_, value)| *value)
    }

    fn get(&self, name: &str) -> &str {
        let value = self.find(name);
        value.unwrap_or_else(|| panic!("{}: no {name}", self.is_at))
    }

    fn bytes(&self, name: &str) -> Vec<u8> {
        self.vector.decode(name, self.get(name))
    }

    fn strings<const N: usize>(&self, kind: u8, names: &[&str; N]) -> Vec<u8> {
        let mut fields = Encoder::default().byte(kind);
        for name in names {
            fields = fields.string(&self.bytes(name));
        }
        fields.finish()
    }

    /// PASSED, which says that it has so many digests. No function of the program makes one of another
    /// number.
    fn passed(&self, count: u32) -> Vec<u8> {
        let digests = self.fields.iter().filter(|(field, _)| *field == "digest");
        let digests = digests.flat_map(|(field, value)| self.vector.decode(field, value));
        let digests: Vec<u8> = digests.collect();
        let times = self.find("times").map_or(1, |times| times.parse().unwrap());
        let frame = Encoder::default().byte(0x18).u32(count);
        [frame.finish(), digests.repeat(times)].concat()
    }

    /// The frame that comes: its type and fields.
    fn frame(&self) -> Vec<u8> {
        let words: Vec<&str> = self.frame.split(' ').collect();
        match words[..] {
            ["entry", kind] => {
                let content = if self.find("entry").is_some() {
                    self.bytes("entry")
                } else {
                    signed_entry(&self.bytes("header"), &self.bytes("signature"))
                };
                entry(kind.parse().unwrap(), &content, &self.bytes("ciphertext"))
            }
            ["deliver"] => self.strings(0x13, &["header", "signature", "ciphertext"]),
            ["receipt"] => self.strings(0x16, &["statement", "signature"]),
            ["passed", count] => self.passed(count.parse().unwrap()),
            ["ack"] => fields_of(&Frame::ack(0)),
            _ => panic!("{}: what is {}?", self.is_at, self.frame),
        }
    }
}

/// The type and the fields of a frame.
fn fields_of(frame: &Frame) -> Vec<u8> {
    frame.encode().split_off(4)
}

fn challenge() -> Frame {
    let challenge = Challenge {
        nonce: [0; 32],
        run: RUN,
    };
    let limits = RelayLimits {
        members: 10,
        idle: 86_400,
        ..RelayLimits::default()
    };
    Frame::challenge(&challenge, &limits)
}

/// Bob's session in the lobby, which the others entered before him.
struct Reader {
    session: Session,
    seconds: u64,
    /// What his statements to all list as unread, of which none is back.
    unread: VecDeque<Ranges>,
}

impl Reader {
    fn enter(vector: &Vector) -> Result<Self, End> {
        let identity = Identity {
            key: key_called("bob_identity"),
            is_lasting: false,
        };
        let key = SessionKey::from_identity(vector.key("session"));
        let lobby: RoomName = "lobby".parse().unwrap();
        let card = Card::parse(&vector.bytes("card"), lobby.id()).unwrap();
        let mut session = Session::with_card(identity, key, card, &lobby, POLICY, now(0));
        let chain = Vector::read("chain_before_the_reader");
        let before = Link {
            position: BEFORE,
            digest: *chain.arrays("chain").last().unwrap(),
        };
        let others = ["card_good", "card_of_cara"].map(|name| Vector::read(name).bytes("card"));
        let welcome = Frame::welcome(&before, others.len(), 60);
        let mut frames = vec![fields_of(&challenge()), fields_of(&welcome)];
        let members = others
            .iter()
            .map(|card| Some(fields_of(&Frame::member(card))));
        // The last place is behind the last card.
        for (place, member) in (1..).zip(members.chain([None])) {
            frames.extend(absences(vector, place));
            frames.extend(member);
        }
        for frame in frames {
            session.receive(&frame, now(0))?;
        }
        assert_eq!(session.others().len(), others.len());
        let mut reader = Self {
            session,
            seconds: 0,
            unread: VecDeque::new(),
        };
        reader.take_statements();
        Ok(reader)
    }

    /// Sees what he states to all.
    fn take_statements(&mut self) {
        for frame in self.session.take_outgoing() {
            if let Ok(ToRelay::Statement(signed)) = ToRelay::parse(&fields_of(&frame)) {
                let statement = Statement::parse(signed.statement).unwrap();
                self.unread.push_back(statement.claim.unread);
            }
        }
    }

    /// His oldest statement comes back, after the time that passes until he makes one. It lists these as
    /// unread.
    fn take_own(&mut self, step: &Step<'_>) -> Vec<Event> {
        let mut events = Vec::new();
        while self.unread.is_empty() {
            events.extend(self.wait(1));
        }
        let unread = self.unread.pop_front().unwrap();
        assert_eq!(unread, ranges_in(step.get("unread")), "{}", step.is_at);
        let own = self
            .session
            .receive(&fields_of(&Frame::own()), now(self.seconds));
        events.extend(own.unwrap());
        events
    }

    /// Another connection goes on where the one before broke.
    fn resume(&mut self) -> Result<Vec<Event>, End> {
        let mut events = Vec::new();
        for frame in [challenge(), Frame::welcome_back(0, 60)] {
            let frame = fields_of(&frame);
            events.extend(self.session.receive(&frame, now(self.seconds))?);
        }
        Ok(events)
    }

    /// Takes a step, and checks what comes of it.
    fn take(&mut self, step: &Step<'_>) {
        let (is_at, expected) = (&step.is_at, step.get("expect"));
        let received = if let Some(seconds) = step.frame.strip_prefix("wait ") {
            Ok(self.wait(seconds.parse().unwrap()))
        } else if step.frame == "own" {
            Ok(self.take_own(step))
        } else if step.frame == "break" {
            self.session.disconnect(now(self.seconds));
            Ok(Vec::new())
        } else if step.frame == "resume" {
            self.resume()
        } else {
            self.session.receive(&step.frame(), now(self.seconds))
        };
        let events = match received {
            Ok(events) => events,
            Err(end) => {
                assert_eq!((end, expected), (End::Malformed, "error"), "{is_at}");
                return;
            }
        };
        let outcomes: Vec<String> = events.iter().filter_map(outcome_of).collect();
        let outcome = match &*outcomes.join(", ") {
            "" => "nothing".to_owned(),
            outcomes => outcomes.to_owned(),
        };
        assert_eq!(outcome, expected, "{is_at}");
        let handed: Vec<String> = events.iter().filter_map(handed_of).collect();
        let is_handed = |(field, value): &(&str, &str)| {
            (*field == "handed").then(|| SafeText::new(value).to_string())
        };
        let expected: Vec<String> = step.fields.iter().filter_map(is_handed).collect();
        assert_eq!(handed, expected, "{is_at}");
        for event in &events {
            let (kind, text) = match event {
                Event::Message { kind, text, .. } => (*kind, text),
                Event::Away(_, Some(text)) => (Kind::Away, text),
                Event::LeftOut(_, why) => {
                    let expected = reason(step.get("reason").parse().unwrap());
                    assert_eq!(*why, expected, "{is_at}");
                    continue;
                }
                _ => continue,
            };
            assert_eq!(kind.code().to_string(), step.get("kind"), "{is_at}");
            assert_eq!(*text, SafeText::new(step.get("text")), "{is_at}");
        }
    }

    /// So many seconds pass.
    fn wait(&mut self, seconds: u64) -> Vec<Event> {
        let mut events = Vec::new();
        for _ in 0..seconds {
            self.seconds += 1;
            events.extend(self.session.tick(now(self.seconds)));
            self.take_statements();
        }
        events
    }
}

/// The frames ABSENT that come right before the card at this place.
fn absences(vector: &Vector, place: usize) -> impl Iterator<Item = Vec<u8>> {
    let absences = vector.all("absent").filter_map(move |absence| {
        let (before, fields) = absence.split_once(' ').unwrap_or((absence, ""));
        (before == place.to_string()).then(|| vector.decode("absent", fields))
    });
    absences.map(|fields| [vec![0x05], fields].concat())
}

/// The type and the fields of an ENTRY frame. No function of the program makes one in one piece.
fn entry(kind: u8, entry: &[u8], ciphertext: &[u8]) -> Vec<u8> {
    let fields = Encoder::default().byte(0x11).byte(kind);
    fields.string(entry).string(ciphertext).finish()
}

/// What is handed on: its author, kind and text.
fn handed_of(event: &Event) -> Option<String> {
    let Event::HandedOn(handed) = event else {
        return None;
    };
    let (nick, kind) = (&handed.author.nick, handed.kind.code());
    Some(format!("{nick} {kind} {}", handed.text))
}

/// What the vectors call what has happened; nothing for what they do not tell of.
fn outcome_of(event: &Event) -> Option<String> {
    Some(match event {
        Event::Message {
            direct, written, ..
        } => {
            let late = if written.is_some() { "late " } else { "" };
            let direct = if *direct { "direct " } else { "" };
            format!("{late}{direct}text")
        }
        Event::Away(_, Some(_)) => "away".to_owned(),
        Event::LeftOut(..) => "left out".to_owned(),
        Event::Stray => "stray".to_owned(),
        Event::Unopened(_, OpenError::Signature | OpenError::SignatureAgain) => {
            "signature".to_owned()
        }
        Event::Unopened(_, OpenError::NotForMe) => "not for this reader".to_owned(),
        Event::Unopened(_, OpenError::NoCiphertext) => "no ciphertext".to_owned(),
        Event::Unopened(_, OpenError::CannotOpen) => "cannot open".to_owned(),
        Event::Unopened(_, OpenError::Kind) => "unknown kind".to_owned(),
        Event::Equivocation(_) => "equivocation".to_owned(),
        Event::OtherView(_) | Event::OtherViewBefore(_) => "other view".to_owned(),
        Event::Missing(_, number) => format!("missing {number}"),
        Event::Joined(_) | Event::Back(_) => "joined".to_owned(),
        Event::Left { departure, .. } => match departure {
            Departure::Left => "goodbye".to_owned(),
            // That of somebody who is cast out comes with the refusal.
            Departure::Misbehaved => return None,
            _ => "left".to_owned(),
        },
        Event::Rekeyed(_) | Event::Renamed { .. } => "rekeyed".to_owned(),
        Event::Disbelieved(_) | Event::CastOut(..) => "refused".to_owned(),
        Event::Asleep(..) => "asleep".to_owned(),
        Event::Awake(_) => "awake".to_owned(),
        Event::Resumed => "resumed".to_owned(),
        Event::CaughtUp { messages, .. } => format!("caught up {messages}"),
        Event::Shares { with, count, .. } => match with {
            SharedWith::Me => format!("share {count}"),
            SharedWith::Other(_) => format!("share {count} to another"),
            SharedWith::SomebodyGone => format!("share {count} to nobody"),
        },
        Event::HandedOn(_) => "handed on".to_owned(),
        Event::NotHandedOn { reason, count, .. } => {
            let reason = match reason {
                Refusal::Malformed => "malformed",
                Refusal::Room => "room",
                Refusal::Direct => "direct",
                Refusal::Forbidden => "forbidden",
                Refusal::LeavesOut => "leaves out",
                Refusal::Commitment => "commitment",
                Refusal::Card => "card",
                Refusal::Signature => "signature",
                Refusal::Order => "order",
                Refusal::Equivocal => "equivocal",
                Refusal::Unannounced => "unannounced",
            };
            format!("not handed on {reason} {count}")
        }
        Event::ShareOver {
            shown,
            had,
            refused,
            missing,
            ..
        } => {
            let over = format!("share over {shown} {had} {refused}");
            match missing {
                0 => over,
                missing => format!("{over} missing {missing}"),
            }
        }
        Event::AsksToCatchUp(_) => "asks to catch up".to_owned(),
        Event::Newer(_) => "newer program".to_owned(),
        Event::NewerRelay => "newer relay".to_owned(),
        // What a header says of other readers is no outcome for this one, nor is who is there, or that
        // the program is to enter anew.
        Event::LeftOthersOut(..) | Event::Quiet(..) | Event::Contradicted => return None,
        event => format!("{event:?}"),
    })
}
