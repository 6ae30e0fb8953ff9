//! `e2echat join`: a member's client.
//!
//! The main thread owns the [`Session`] and decides everything. All that happens reaches it
//! through one channel: what is typed (from the terminal's threads), frames (from the link's
//! reading thread), signals. What it decides goes to the link's writing thread and to the
//! terminal, each through a queue of its own. The channel is not bounded, because the terminal's
//! threads must never wait; credits bound what can be in it.

pub(super) mod address;
mod asking;
mod client;
pub(super) mod commands;
mod completion;
mod connection;
mod doing;
pub(super) mod json;
mod link;
pub(super) mod people;
mod proxy;
mod report;
mod saying;
mod screen;
mod telling;
mod trust;
mod typed;
mod way;
mod words;

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use crate::cipher::keys::{IdentityKey, KeySize, SessionKey};
use crate::room::card::{Card, Identity};
use crate::room::names::{Nick, RoomName};
use crate::room::session::{End, Event, Policy, Session, Standing};
use crate::room::stream::ReadError;

use self::address::{Address, Place, Room};
use self::client::{Client, Clock, Happening, Notify};
use self::completion::Nicks;
use self::connection::{Connection, Dial};
use self::link::{FromRelay, PATIENCE};
use self::people::People;
use self::proxy::Proxy;
use self::report::Report;
use self::screen::{Output, Screen};
use self::trust::Trust;
pub(super) use self::way::Way;

use super::terminal::{Hurry, Input};
use super::{identity, on_signal};

/// Enter a room and talk
#[derive(clap::Args, Debug)]
#[command(after_help = "\
On a terminal, type and press Enter; /help lists the commands. Without one, every line of standard
input is sent, every event is a line on standard output, and the end of the input leaves:

  echo 'the build is green' | e2echat join chat.example.org --nick bot

Environment:
  E2ECHAT_NICK, E2ECHAT_ROOM, E2ECHAT_IDENTITY  instead of the options; E2ECHAT_ROOM may be an invite
  E2ECHAT_PROXY                                 the same; unlike in an option, others on this machine
                                                do not see a password in it
  E2ECHAT_PASSPHRASE                            the identity's passphrase, instead of being asked
  NO_COLOR                                      no colour, if it is not empty

Exit status: 0 after a clean end, 1 after a failure or if something was not delivered, 2 for wrong
usage.

Examples:
  e2echat join chat.example.org --nick ada
  e2echat join chat.example.org --nick ada --new-room   make a room that nobody can guess
  e2echat join chat.example.org:4000/inv-... --nick bob  enter it
  e2echat join --nick bob                               the same; the invite is asked for
  e2echat join 192.0.2.7:5000 --nick ada --room cellar
  e2echat join chat.example.org --nick ada --proxy socks5://127.0.0.1:9050   through Tor
  e2echat join [2001:db8::7]:5000 --nick ada --identity ~/keys/work.pem")]
pub(super) struct Args {
    /// Where the relay is, or an invite, which tells the room too; the port is 4000 if none is given
    #[arg(value_name = "HOST[:PORT][/ROOM]")]
    place: Option<Place>,

    /// What you are called in the room: 1 to 24 letters, digits and any of `_-.`
    #[arg(long, env = "E2ECHAT_NICK", hide_env = true)]
    nick: Nick,

    /// Connect through this SOCKS5 proxy, such as Tor's, which looks up the relay's name; the port
    /// is 1080 if none is given
    #[arg(
        long,
        env = "E2ECHAT_PROXY",
        hide_env = true,
        value_name = "socks5://[USER:PASSWORD@]HOST[:PORT]"
    )]
    proxy: Option<Proxy>,

    #[command(flatten)]
    seat: Seat,
}

/// As what, and where, one sits in a room.
#[derive(clap::Args, Debug)]
pub(super) struct Seat {
    /// The room, which everybody can enter who knows or guesses its name [default: lobby]
    #[arg(long, env = "E2ECHAT_ROOM", hide_env = true, value_name = "NAME")]
    room: Option<Room>,

    /// Make a room with a name that nobody can guess, and show the invite to it
    #[arg(long, conflicts_with = "room")]
    new_room: bool,

    /// File with your identity [default: what `e2echat keygen` saved, or one for this run only]
    #[arg(long, env = "E2ECHAT_IDENTITY", hide_env = true, value_name = "FILE")]
    identity: Option<PathBuf>,

    /// Write only to people whom you know: you met them here before, without this option, or have
    /// accepted them with /trust or /verify; the others see that they are left out
    #[arg(long)]
    only_known: bool,

    /// Write only to people whom you have verified with /verify or /code; the others see that they
    /// are left out
    #[arg(long)]
    only_verified: bool,

    /// Length of the session key, with which others encrypt to you
    #[arg(long, default_value = "2048", value_name = "2048|3072|4096")]
    bits: KeySize,

    /// Minutes after which a new session key takes the place of the old one
    #[arg(long, value_name = "MINUTES", default_value_t = 60,
          value_parser = clap::value_parser!(u32).range(1..=720))]
    rekey: u32,

    /// Seconds for which to try to get a broken connection back [default: without end on a
    /// terminal, 300 without one]
    #[arg(long, value_name = "SECS")]
    reconnect: Option<u32>,

    #[command(flatten)]
    output: Output,
}

impl Seat {
    /// The room, apart from what an invite says.
    pub(super) fn room(&self) -> RoomName {
        match &self.room {
            _ if self.new_room => RoomName::invite(),
            Some(Room::Name(name) | Room::Invite(_, name)) => name.clone(),
            None => RoomName::lobby(),
        }
    }

    fn policy(&self) -> Policy {
        Policy {
            at_least: if self.only_verified {
                Standing::Verified
            } else if self.only_known {
                Standing::Known
            } else {
                Standing::New
            },
            rekey_after: Duration::from_secs(60 * u64::from(self.rekey)),
        }
    }

    /// How long to try to get a broken connection back.
    fn patience(&self, is_interactive: bool) -> Duration {
        match self.reconnect {
            Some(seconds) => Duration::from_secs(seconds.into()),
            None if is_interactive => Duration::MAX,
            None => Duration::from_mins(5),
        }
    }

    /// The saved identity, or one for this run only.
    fn identity(&self) -> anyhow::Result<Identity> {
        let saved = self.identity.clone().or_else(|| {
            let path = identity::default_path().ok()?;
            path.try_exists().unwrap_or(true).then_some(path)
        });
        Ok(Identity {
            is_lasting: saved.is_some(),
            key: match saved {
                Some(path) => identity::load(&path)?,
                None => IdentityKey::generate(KeySize::default()),
            },
        })
    }
}

/// What follows `e2echat join` for those who are to come to this room.
pub(super) fn directions(relay: &str, room: &RoomName) -> String {
    if room.is_invite() {
        format!("{relay}/{room} --nick NAME")
    } else if *room == RoomName::lobby() {
        format!("{relay} --nick NAME")
    } else {
        format!("{relay} --nick NAME --room {room}")
    }
}

/// Runs the command.
pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let (relay, room) = args.place()?;
    let name = relay.to_string();
    let way = match &args.proxy {
        Some(proxy) => Way::Through(proxy.clone(), relay),
        None => Way::To(relay),
    };
    run_at(&name, way, &args.nick, &room, &args.seat, || Ok(()))
}

impl Args {
    /// The relay and the room.
    fn place(&self) -> anyhow::Result<(Address, RoomName)> {
        let seat = &self.seat;
        let Some(Place { relay, room }) = &self.place else {
            return match &seat.room {
                Some(Room::Invite(relay, room)) => Ok((relay.clone(), room.clone())),
                None if !seat.new_room => ask_for_invite(),
                _ => Err(usage(
                    "it is not said where the relay is: put HOST:PORT after `e2echat join`",
                )),
            };
        };
        if let Some(Room::Invite(other, _)) = &seat.room
            && other != relay
        {
            return Err(usage(&format!(
                "the invite leads to {other}, and not to {relay}: leave {relay} out"
            )));
        }
        let Some(room) = room else {
            return Ok((relay.clone(), seat.room()));
        };
        let is_same = seat.room.is_none() || seat.room() == *room;
        if seat.new_room || !is_same {
            return Err(usage(
                "the room is given twice, after the relay and with --room, --new-room or E2ECHAT_ROOM: leave one out",
            ));
        }
        Ok((relay.clone(), room.clone()))
    }
}

/// Asks on the terminal, where it is not shown.
fn ask_for_invite() -> anyhow::Result<(Address, RoomName)> {
    let invite = rpassword::prompt_password("invite: ").map_err(|_| {
        usage("it is not said where to go: put HOST:PORT or an invite after `e2echat join`, or an invite in E2ECHAT_ROOM")
    })?;
    match invite.trim().parse() {
        Ok(Room::Invite(relay, room)) => Ok((relay, room)),
        Ok(Room::Name(_)) => Err(usage("an invite has the form HOST:PORT/inv-...")),
        Err(_) if invite.trim().is_empty() => Err(usage("no invite was given")),
        Err(error) => Err(usage(&error)),
    }
}

/// The error for what was typed wrongly.
fn usage(error: &str) -> anyhow::Error {
    clap::Error::raw(
        clap::error::ErrorKind::ValueValidation,
        format!("{error}\n"),
    )
    .into()
}

/// Joins the relay that people call `name`. Calls `entered` before anything is shown.
pub(super) fn run_at(
    name: &str,
    way: Way,
    nick: &Nick,
    room: &RoomName,
    seat: &Seat,
    entered: impl FnOnce() -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let people = People::open(name, room.id())?;
    let identity = seat.identity()?;
    let log = seat.output.open_log()?;
    let key = SessionKey::generate(seat.bits);
    let clock = Clock::start();
    let policy = seat.policy();
    let mut session = Session::new(identity, key, nick, room, policy, clock.now());
    let (sender, inputs) = channel();
    let dial = Dial {
        name: name.to_owned(),
        way: Arc::new(way),
        room: room.id(),
        happenings: sender.clone(),
    };
    let stream = dial.connect()?;
    let mut connection = Connection::start(dial, stream)?;
    let on_the_way = enter(name, &mut connection, &inputs, &mut session, &clock)?;

    let hurry: Arc<OnceLock<Hurry>> = Arc::default();
    on_signal({
        let (sender, hurry) = (sender.clone(), Arc::clone(&hurry));
        move || {
            if let Some(hurry) = hurry.get() {
                hurry.hurry();
            }
            // It fails when the program is ending already; as below.
            let _ = sender.send(Happening::Typed(Input::Quit));
        }
    })?;
    entered()?;
    let nicks = Arc::<Nicks>::default();
    let mut screen = seat.output.start(log, Arc::clone(&nicks), {
        let sender = sender.clone();
        move |input| {
            let _ = sender.send(Happening::Typed(input));
        }
    })?;
    let _ = hurry.set(screen.terminal.hurry());
    introduce(&mut screen, name, room, seat.new_room, session.card());
    let trust = Trust::new(people, !seat.only_known);
    if let Some(damage) = trust.damage() {
        screen.show(&Report::refusal(damage));
    }
    let mut client = Client {
        name,
        room,
        key_size: seat.bits,
        clock,
        session,
        trust,
        patience: seat.patience(screen.is_interactive()),
        screen,
        connection,
        here: (0, HashMap::new()),
        nicks,
        on_its_way: VecDeque::new(),
        away: None,
        newcomers: None,
        to_reply: None,
        ignored: HashMap::new(),
        notify: Notify::default(),
        new_nick: None,
        missed: None,
        sender,
        audit: Vec::new(),
        leaving: false,
        deadline: None,
        refused: false,
    };
    client.show(on_the_way);
    let end = client.run(&inputs);
    client.finish(end)
}

/// Says where this is, and who the user is.
fn introduce(screen: &mut Screen, name: &str, room: &RoomName, is_new: bool, own: &Card) {
    screen.show(&Report::Room {
        relay: name.to_owned(),
        room: room.to_string(),
        is_invite: room.is_invite(),
    });
    if is_new {
        let directions = directions(name, room);
        screen.show(&Report::notice(format!(
            "friends join with: e2echat join {directions}"
        )));
    }
    screen.show(&Report::You {
        nick: own.nick().clone(),
        fingerprint: own.fingerprint(),
    });
    if !own.is_lasting() {
        screen.show(&Report::notice(
            "this identity is for this run only; `e2echat keygen` saves one",
        ));
    }
}

/// Enters the room over a new connection. Returns what happened on the way.
fn enter(
    name: &str,
    connection: &mut Connection,
    inputs: &Receiver<Happening>,
    session: &mut Session,
    clock: &Clock,
) -> anyhow::Result<Vec<Event>> {
    let deadline = Instant::now() + PATIENCE;
    let mut events = Vec::new();
    while !session.is_inside() {
        let left = deadline.saturating_duration_since(Instant::now());
        let frame = match inputs.recv_timeout(left) {
            Ok(Happening::Relayed(_, FromRelay::Frame(frame))) => frame,
            Ok(Happening::Relayed(_, FromRelay::Down(error))) => {
                return Err(words::no_handshake(name, error));
            }
            // Nothing else can happen yet.
            Ok(_) => continue,
            Err(_) => return Err(words::no_handshake(name, ReadError::TimedOut)),
        };
        let received = session.receive(&frame, clock.now());
        connection.received();
        events.extend(received.map_err(|end| match end {
            End::Malformed => words::not_a_relay(name),
            end => words::end(name, end),
        })?);
        connection.send(session.take_outgoing());
    }
    connection.is_settled();
    Ok(events)
}
