//! `e2echat join`: a member's client.
//!
//! The main thread owns the [`Session`] and decides everything. All that happens reaches it
//! through one channel: what is typed (from the terminal's threads), frames (from the link's
//! reading thread), signals. What it decides goes to the link's writing thread and to the
//! terminal, each through a queue of its own. The channel is not bounded, because the terminal's
//! threads must never wait; credits bound what can be in it.
//!
//! - `args`: what the command line asks for.
//! - `net`: how frames get to the relay and back.
//! - `client`: the main thread's loop. `happening`: what reaches it. `events`: what happens in the room. `outbox`: what was said, until
//!   the relay has taken it.
//! - `commands`: what the user types, and what is done about it.
//! - `trust`: what is known of others, and the file that remembers it.
//! - `output`: all that is told, in words and as JSON, and where it goes.

mod args;
mod client;
pub(super) mod commands;
mod events;
mod happening;
pub(super) mod net;
mod outbox;
pub(super) mod output;
pub(super) mod trust;

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use crate::cipher::keys::SessionKey;
use crate::room::card::{Card, Identity};
use crate::room::names::{Nick, RoomName};
use crate::room::session::{End, Event, Session};
use crate::room::stream::ReadError;

pub(super) use self::args::{Args, Seat};
use self::client::{Client, Clock, Notify};
use self::commands::complete::Nicks;
use self::happening::Happening;
use self::net::link::{FromRelay, PATIENCE};
use self::net::reconnect::{Connection, Dial};
pub(super) use self::net::route::Way;
use self::outbox::Outbox;
use self::output::repeats::Repeats;
use self::output::report::Report;
use self::output::screen::Screen;
use self::output::wording;
use self::trust::Trust;
use self::trust::known_people::KnownPeopleFile;

use super::signals::on_signal;
use super::terminal::{Format, HurryHandle, Input};

/// What those who are to come to this room have to type.
pub(super) fn directions(relay: &str, room: &RoomName) -> String {
    let place = if room.is_invite() {
        format!("{relay}/{room} --nick NAME")
    } else if *room == RoomName::lobby() {
        format!("{relay} --nick NAME")
    } else {
        format!("{relay} --nick NAME --room {room}")
    };
    format!("friends join with: e2echat join {place}")
}

/// The same as a report, from which an invite can be copied.
fn way_in(relay: &str, room: &RoomName) -> Report {
    let directions = directions(relay, room);
    if room.is_invite() {
        let invite = format!("{relay}/{room}");
        Report::Invite { directions, invite }
    } else {
        Report::Notice(directions)
    }
}

/// Runs the command.
pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let (relay, room) = args.place()?;
    let name = relay.to_string();
    let way = match args.proxy()? {
        Some(proxy) => Way::Through(proxy, relay),
        None => Way::To(relay),
    };
    let member = Member {
        nick: &args.nick,
        identity: args.seat.identity()?,
    };
    let (seat, format) = (&args.seat, args.format());
    run_at(&name, way, member, &room, seat, format, || Ok(()))
}

/// As whom somebody joins.
pub(super) struct Member<'a> {
    pub(super) nick: &'a Nick,
    pub(super) identity: Identity,
}

/// Joins the relay that people call `name`. Calls `entered` before anything is shown.
pub(super) fn run_at(
    name: &str,
    way: Way,
    Member { nick, identity }: Member<'_>,
    room: &RoomName,
    seat: &Seat,
    format: Format,
    entered: impl FnOnce() -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let people = KnownPeopleFile::open(name, room.id())?;
    let is_host = matches!(way, Way::At(_));
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

    let hurry: Arc<OnceLock<HurryHandle>> = Arc::default();
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
    let mut screen = seat.output.start(format, log, Arc::clone(&nicks), {
        let sender = sender.clone();
        move |input| {
            let _ = sender.send(Happening::Typed(input));
        }
    })?;
    let _ = hurry.set(screen.terminal.hurry_handle());
    let is_new = seat.new_room || is_host && room.is_invite();
    introduce(&mut screen, name, room, is_new, session.card());
    let trust = Trust::new(people, !seat.only_known);
    if let Some(damage) = trust.damage() {
        screen.show(&Report::Failure(damage));
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
        outbox: Outbox::default(),
        away: None,
        newcomers: None,
        to_reply: None,
        ignored: HashMap::new(),
        notify: Notify::default(),
        new_nick: None,
        missed: None,
        sender,
        alarms: Repeats::default(),
        hints: Repeats::default(),
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
        screen.show(&way_in(name, room));
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
                return Err(wording::handshake_failed(name, error));
            }
            // Nothing else can happen yet.
            Ok(_) => continue,
            Err(_) => return Err(wording::handshake_failed(name, ReadError::TimedOut)),
        };
        let received = session.receive(&frame, clock.now());
        connection.received();
        events.extend(received.map_err(|end| match end {
            End::Malformed => wording::not_a_relay(name),
            end => wording::session_ended(name, end),
        })?);
        connection.send(session.take_outgoing());
    }
    connection.is_settled();
    Ok(events)
}
