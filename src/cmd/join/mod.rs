//! `e2echat join`: a member's client.
//!
//! The main thread owns the [`Session`] and decides everything. All that happens reaches it
//! through one channel: what is typed (from the terminal's threads), frames (from the link's
//! reading thread), what was found in them (from the openers), signals. What it decides goes to the link's writing thread and to the
//! terminal, each through a queue of its own. The channel is not bounded, because the terminal's
//! threads must never wait; credits bound what can be in it.
//!
//! - `args`: what the command line asks for. `destination`: the room that is joined.
//! - `client`: the main thread's loop.
//! - `commands`: what is done about what the user types. `events`: what is told of what happens in the
//!   room. `attendance`: of who comes and goes. `late`: of what is handed on to whoever comes late.
//! - `net`: how frames get to the relay and back.
//! - `output`: all that is told, in words and as JSON, and where it goes.
//! - `trust`: what is known of others, and the file that remembers it.
//! - What the client keeps besides: `here`, `outbox`, `held_back`, `reply`, `saving`, `away`, `catch_up`, `next_key`, `exit`,
//!   `clock`.
//! - `introduction`: what is said first in the room. `connecting`: what is said while there is no room yet.
//!   `question`: where to go, if nothing says it.

mod args;
mod attendance;
mod away;
mod capacity;
mod catch_up;
mod client;
mod clock;
pub(super) mod commands;
mod connecting;
mod destination;
mod events;
mod exit;
mod held_back;
mod here;
mod incoming;
mod introduction;
mod late;
pub(super) mod net;
mod next_key;
mod openers;
mod outbox;
pub(super) mod output;
mod question;
mod reply;
mod saving;
pub(super) mod trust;

use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use crate::cipher::keys::SessionKey;
use crate::room::card::Identity;
use crate::room::names::Nick;
use crate::room::session::{End, Event, Session};

pub(super) use self::args::{Args, Seat};
pub(super) use self::destination::Destination;
pub(super) use self::net::route::Route;
pub(super) use self::question::ask_where_to;
pub(super) use self::saving::Saving;

use self::away::Away;
use self::catch_up::CatchUp;
use self::client::{Client, Happening, deliver};
use self::clock::{Clock, unix_seconds};
use self::commands::complete::complete;
use self::connecting::Connecting;
use self::exit::Exit;
use self::held_back::HeldBack;
use self::here::{Here, Nicks};
use self::incoming::Incoming;
use self::introduction::introduce;
use self::net::link::FromRelay;
use self::net::reconnect::{Connection, Dialler};
use self::next_key::NextKey;
use self::openers::Openers;
use self::outbox::Outbox;
use self::output::filter::Filter;
use self::output::quiet::Quiet;
use self::output::report::Report;
use self::output::screen::Screen;
use self::output::wording;
use self::reply::ReplyTo;
use self::trust::Trust;
use self::trust::known_people::KnownPeople;

use super::reason;
use super::settings::name::SavedName;
use super::settings::rooms::SavedRoom;
use super::signals::on_signal;
use super::terminal::{Format, HurryHandle, Input, QuitKeys, check_readable};

/// Runs the command: joins as whom, and where, the arguments say.
/// `entered` is the saved room that they name.
pub(super) fn run(args: &Args, entered: Option<(SavedName, SavedRoom)>) -> anyhow::Result<()> {
    let (relay, room) = args.relay_and_room(entered.as_ref())?;
    let name = entered.map(|(name, _)| name);
    let mut saving = Saving::find(relay.clone(), room.clone(), name)?;
    let destination = Destination {
        relay: &relay.to_string(),
        room: &room,
        is_hosted: false,
    };
    let detour = args.detour()?;
    saving.note_way(args.seat.identity_file(), detour);
    let route = Route::to(relay, saving.detour().cloned());
    let (identity, session_key) = args.seat.keys()?;
    let member = Member {
        nick: &args.nick,
        identity,
        session_key,
    };
    let (seat, format) = (&args.seat, args.format());
    let save_as = args.save.as_ref();
    let how = (saving, save_as, format);
    join_room(destination, route, member, seat, how, || Ok(()))
}

/// Who joins.
pub(super) struct Member<'a> {
    pub(super) nick: &'a Nick,
    pub(super) identity: Identity,
    pub(super) session_key: SessionKey,
}

/// Joins a room, and stays there until there is a reason to end. Calls `entered` before anything is
/// shown.
pub(super) fn join_room(
    destination: Destination<'_>,
    route: Route,
    member: Member<'_>,
    seat: &Seat,
    (saving, save_as, format): (Saving, Option<&SavedName>, Format),
    entered: impl FnOnce() -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    seat.check()?;
    let Destination { relay, room, .. } = destination;
    check_readable().map_err(|error| exit::unreadable(&reason(&error)))?;
    let people = KnownPeople::open(relay, room, unix_seconds())?;
    let log = seat.output.open_log()?;
    let clock = Clock::start();
    let policy = seat.policy();
    let Member {
        nick,
        identity,
        session_key,
    } = member;
    let opens = capacity::measure(&session_key);
    let mut session = Session::new(identity, session_key, nick, room, policy, clock.now());
    session.set_opens(opens);
    let (sender, happenings) = channel();
    let dialler = Dialler {
        relay: relay.to_owned(),
        route: Arc::new(route),
        room: room.id(),
        deliver: Arc::new(deliver(&sender, Happening::Link)),
    };
    let connecting = Connecting::start(relay, format);
    let stream = dialler.connect()?;
    let mut connection = Connection::start(dialler, stream)?;
    let on_the_way = enter(relay, &mut connection, &happenings, &mut session, &clock)?;
    drop(connecting);

    let openers = Openers::start(deliver(&sender, Happening::Opened))?;
    let hurry = leave_on_signal(deliver(&sender, Happening::Typed))?;
    entered()?;
    let nicks = Arc::<Nicks>::default();
    let shown = Arc::clone(&nicks);
    let mut screen = Screen::start(
        &seat.output,
        format,
        log,
        saving.label(),
        quit_keys(destination),
        move |line, cursor| complete(&shown, line, cursor),
        deliver(&sender, Happening::Typed),
    )?;
    let _ = hurry.set(screen.hurry());
    connection.try_for(seat.patience(screen.is_interactive()));
    let own = session.card();
    introduce(&mut screen, destination, saving.name(), seat.new_room, own);
    if let Some(notice) = seat.output.log_notice() {
        screen.notice(notice);
    }
    let trust = Trust::new(people, seat.remembers_new());
    if let Some(opening) = trust.opening() {
        screen.notice(opening);
    }
    if let Some(damage) = trust.damage() {
        screen.show(&Report::Failure(damage));
    }
    let mut client = Client {
        destination,
        clock,
        session,
        trust,
        here: Here::new(nicks),
        connection,
        screen,
        filter: Filter::default(),
        quiet: Quiet::default(),
        outbox: Outbox::default(),
        held_back: HeldBack::default(),
        reply_to: ReplyTo::default(),
        saving,
        away: Away::default(),
        catch_up: CatchUp::new(seat.catchup),
        incoming: Incoming::default(),
        next_key: NextKey::new(
            seat.bits,
            deliver(&sender, |key| Happening::KeyMade(Box::new(key))),
        ),
        exit: Exit::default(),
        openers,
        down: None,
        came_on_waking: 0,
    };
    if let Some(name) = save_as {
        client.save(name.as_str());
    }
    client.tell_events(on_the_way);
    let end = client.run(&happenings);
    client.finish(end)
}

/// Has a signal end the program as the user would. The terminal is started later: it puts into the
/// returned cell what ends the waiting for it.
fn leave_on_signal(
    deliver: impl Fn(Input) + Send + 'static,
) -> anyhow::Result<Arc<OnceLock<HurryHandle>>> {
    let hurry: Arc<OnceLock<HurryHandle>> = Arc::default();
    let hurried = Arc::clone(&hurry);
    on_signal(move || {
        if let Some(hurry) = hurried.get() {
            hurry.hurry();
        }
        deliver(Input::Quit);
    })?;
    Ok(hurry)
}

/// Which keys ask before they leave. Where the host leaves, the relay ends for all.
fn quit_keys(destination: Destination<'_>) -> QuitKeys {
    if destination.is_hosted {
        QuitKeys::Both
    } else {
        QuitKeys::CtrlC
    }
}

/// Enters the room over the first connection. Returns what happened on the way.
fn enter(
    relay: &str,
    connection: &mut Connection,
    happenings: &Receiver<Happening>,
    session: &mut Session,
    clock: &Clock,
) -> anyhow::Result<Vec<Event>> {
    let mut events = Vec::new();
    while !session.is_inside() {
        let due = connection.next_due();
        let idle = due.map_or(Duration::MAX, |at| {
            at.saturating_duration_since(Instant::now())
        });
        let event = match happenings.recv_timeout(idle) {
            Ok(Happening::Link(event)) => event,
            // Nothing else can happen yet.
            Ok(_) => continue,
            // A link that is given up says so.
            Err(_) => {
                connection.tick(false);
                continue;
            }
        };
        let frame = match connection.take(event, session.received()) {
            Some(FromRelay::Frame(frame)) => frame,
            Some(FromRelay::Down(error)) => {
                let come = session.cards_come();
                return Err(wording::handshake_failed(relay, error, come));
            }
            None => continue,
        };
        let received = session.receive(&frame, clock.now());
        connection.credit(session.backlog());
        let most = session.limits().members;
        events.extend(received.map_err(|end| match end {
            End::Malformed => wording::not_a_relay(relay),
            end => wording::session_ended(relay, end, most),
        })?);
        connection.send(session.take_outgoing());
    }
    connection.settle();
    Ok(events)
}
