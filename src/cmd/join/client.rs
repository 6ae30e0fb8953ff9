//! The main thread of a client. It takes what happens, one thing after another (`run`), and has its
//! parts do what follows. Each part owns one piece of state, in a file of its own.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use crate::cipher::keys::SessionKey;
use crate::cmd::terminal::Input;
use crate::cmd::unwritable;
use crate::room::message::Kind;
use crate::room::notice::{Next, Notice};
use crate::room::session::{Done, End, Event, Fate, Session};
use crate::room::stream::ReadError;

use super::away::Away;
use super::catch_up::CatchUp;
use super::clock::Clock;
use super::destination::Destination;
use super::exit::Exit;
use super::held_back::HeldBack;
use super::here::Here;
use super::incoming::Incoming;
use super::net::link::FromRelay;
use super::net::reconnect::{Connection, LinkEvent};
use super::next_key::NextKey;
use super::openers::Openers;
use super::outbox::Outbox;
use super::output::filter::Filter;
use super::output::quiet::Quiet;
use super::output::report::{LinkState, Report};
use super::output::screen::Screen;
use super::output::wording;
use super::reply::ReplyTo;
use super::saving::Saving;
use super::trust::Trust;

/// Where waiting takes so much longer than it should, the machine was suspended, or the program stopped.
const STOOD_STILL: Duration = Duration::from_secs(10);

/// What the other threads tell the main thread.
pub(super) enum Happening {
    /// A line came in, or the wish to leave.
    Typed(Input),
    /// Something came of a link to the relay.
    Link(LinkEvent),
    /// A session key is made that was asked for.
    KeyMade(Box<SessionKey>),
    /// What there was to do beside for a message is done.
    Opened(Done),
}

/// Delivers things of one kind to the main thread, for as long as that runs.
pub(super) fn deliver<T: 'static>(
    happenings: &Sender<Happening>,
    kind: fn(T) -> Happening,
) -> impl Fn(T) + Send + Sync + use<T> {
    let happenings = happenings.clone();
    move |it| {
        // It fails when the program is ending already.
        let _ = happenings.send(kind(it));
    }
}

/// A client that is in a room. Each field is a part with one job; the main thread asks one after the
/// other, so they stand side by side.
pub(super) struct Client<'a> {
    pub(super) destination: Destination<'a>,
    pub(super) clock: Clock,
    pub(super) session: Session,
    pub(super) trust: Trust,
    pub(super) here: Here,
    pub(super) connection: Connection,
    pub(super) screen: Screen,
    pub(super) filter: Filter,
    pub(super) quiet: Quiet,
    pub(super) outbox: Outbox,
    pub(super) held_back: HeldBack,
    pub(super) reply_to: ReplyTo,
    pub(super) saving: Saving,
    pub(super) away: Away,
    pub(super) catch_up: CatchUp,
    pub(super) incoming: Incoming,
    pub(super) next_key: NextKey,
    pub(super) exit: Exit,
    pub(super) openers: Openers,
    /// Why the link is down, while what came over it before is not dealt with.
    pub(super) down: Option<ReadError>,
    /// How many messages came over the connection of before, when the program had stood still: they were
    /// here already, unread.
    pub(super) came_on_waking: usize,
}

impl Client<'_> {
    /// Deals with what happens until there is a reason to end.
    pub(super) fn run(&mut self, happenings: &Receiver<Happening>) -> anyhow::Result<()> {
        loop {
            let (idle, before) = (self.idle_time(), self.clock.now());
            let happening = match happenings.recv_timeout(idle) {
                Ok(happening) => Some(happening),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            };
            let waited = self.clock.now().uptime.saturating_sub(before.uptime);
            if waited.saturating_sub(idle) >= STOOD_STILL {
                self.connection.wake();
                self.came_on_waking = 0;
            }
            match self.take(happening) {
                Err(_) if self.exit.is_leaving() && self.session.has_said_goodbye() => {
                    return Ok(());
                }
                taken => taken?,
            }
            if self.exit.deadline().is_some_and(|at| at <= Instant::now()) {
                if self.exit.is_leaving() {
                    return Ok(());
                }
                self.leave_soon();
            }
            self.tick()?;
            let is_down = !self.connection.is_up();
            if self.exit.is_leaving() && is_down && !self.wait_to_leave() {
                return Ok(());
            }
        }
    }

    fn take(&mut self, happening: Option<Happening>) -> anyhow::Result<()> {
        match happening {
            Some(Happening::Typed(input)) => self.take_input(input),
            Some(Happening::Link(event)) => {
                match self.connection.take(event, self.session.received()) {
                    Some(FromRelay::Frame(frame)) => {
                        let events = self.session.take_in(&frame, self.clock.now());
                        self.take_events(events)?;
                    }
                    Some(FromRelay::Down(error)) => self.down = Some(error),
                    None => {
                        self.tell_why_not_back();
                        return Ok(());
                    }
                }
                return self.deal();
            }
            Some(Happening::Opened(done)) => {
                self.session.take_done(done);
                return self.deal();
            }
            Some(Happening::KeyMade(key)) => {
                let now = self.clock.now();
                self.next_key
                    .take(*key, &mut self.session, now, &mut self.screen);
            }
            None => {}
        }
        Ok(())
    }

    /// Deals with what has come, as far as it is verified and opened; and then with the end of the connection,
    /// if that has come: whoever leaves by hand does not wait for what came before it.
    fn deal(&mut self) -> anyhow::Result<()> {
        loop {
            self.openers.hand_out(self.session.take_jobs());
            let Some(events) = self.session.deal(self.clock.now()) else {
                break;
            };
            self.take_events(events)?;
        }
        let waiting = self.session.backlog();
        self.connection.credit(waiting);
        let is_in_a_hurry = self.exit.deadline().is_some() && self.session.has_said_goodbye();
        let is_over = waiting == 0 || is_in_a_hurry;
        let Some(error) = self.down.take_if(|_| is_over) else {
            return Ok(());
        };
        // Whoever is not in the room yet reads nothing but what comes of the attempt.
        let is_broken = self.connection.is_broken();
        let slow_for = self.connection.slow_for().filter(|_| !is_broken);
        let words = self.connection.last_words();
        let lost = wording::connection_lost(self.destination.relay, &error, slow_for, words);
        if matches!(error, ReadError::Length(_)) {
            return self.leave_bad_link(End::Malformed, lost);
        }
        self.lose_connection(lost)
    }

    /// Tells what came of a frame, or what is to be told of the session's end.
    fn take_events(&mut self, events: Result<Vec<Event>, End>) -> anyhow::Result<()> {
        match events {
            Ok(events) => {
                if self.session.is_inside() {
                    self.connection.settle();
                }
                self.tell_events(events);
                Ok(())
            }
            Err(end) => {
                let most = self.session.limits().members;
                let error = wording::session_ended(self.destination.relay, end, most);
                let next = end.next(self.session.is_inside());
                if next == Next::Anew {
                    return self.leave_bad_link(end, error);
                }
                let (session, now) = (&mut self.session, self.clock.now());
                let is_refused = matches!(end, End::Notice(refusal)
                    if self.next_key.retreat(refusal, session, now, &mut self.screen));
                if !is_refused && next == Next::End {
                    return Err(match end {
                        End::Notice(Notice::NickTaken) => {
                            let nick = self.session.card().nick();
                            wording::nick_lost(self.destination.relay, nick)
                        }
                        _ => error,
                    });
                }
                if let End::Notice(refusal) = end
                    && self.connection.is_broken()
                    && self.connection.note_refusal(refusal)
                {
                    self.screen.notice(wording::refused_again(
                        self.destination.relay,
                        refusal,
                        most,
                    ));
                    self.connection.setbacks().note_told(&error);
                }
                self.lose_connection(error)
            }
        }
    }

    /// Something has come that no relay sends, or the relay says that of this client: somebody on the way
    /// has put it there, or the relay is broken. The room is entered anew over another connection, but not
    /// again and again. What has not begun as a relay may stand in its place for a while, and is no news.
    fn leave_bad_link(&mut self, end: End, error: anyhow::Error) -> anyhow::Result<()> {
        if !self.session.is_greeted() {
            return self.lose_connection(error);
        }
        if self.connection.note_bad() {
            return Err(error);
        }
        self.raise(&wording::bad_frame(end).into());
        self.session.enter_anew();
        self.lose_connection(error)
    }

    /// The connection is lost: it will be made again, unless that has been tried for too long.
    fn lose_connection(&mut self, error: anyhow::Error) -> anyhow::Result<()> {
        if self.session.has_said_goodbye() || self.connection.is_hopeless() {
            return Err(error);
        }
        if self.session.is_inside() {
            self.here.lose_sight(self.clock.now());
            if !self.connection.is_woken() {
                self.came_on_waking = 0;
            }
        }
        // Of many attempts that fail only the first loss is news.
        if !self.connection.is_broken() && !self.connection.is_hurried() {
            let why = error.to_string();
            let why = why.lines().next().unwrap_or_default();
            self.screen.show(&Report::Link(
                LinkState::Lost,
                format!("{why}; trying to get it back; what you say meanwhile is sent then"),
            ));
            self.connection.setbacks().note_told(&error);
        } else {
            self.connection.setbacks().note_failure(&error);
            self.tell_why_not_back();
        }
        self.session.disconnect(self.clock.now());
        self.connection.pause();
        self.down = None;
        Ok(())
    }

    /// Tells why attempts to get the connection back fail, where that is another reason than was told.
    fn tell_why_not_back(&mut self) {
        if let Some(why) = self.connection.setbacks().take_news() {
            self.screen.notice(wording::not_back(&why));
        }
    }

    /// How long there is nothing to do unless something happens.
    fn idle_time(&self) -> Duration {
        let due = [
            self.exit.deadline(),
            self.connection.next_due(),
            self.away.next_due(),
            self.catch_up.next_due(),
            self.filter.next_due(),
            self.outbox.next_due(),
            self.next_field_due(),
            self.session.next_due().and_then(|due| self.clock.at(due)),
        ];
        let next = due.into_iter().flatten().min();
        next.map_or(Duration::MAX, |at| {
            at.saturating_duration_since(Instant::now())
        })
    }

    /// When the state field says something else, if nothing happens until then.
    fn next_field_due(&self) -> Option<Instant> {
        let is_seen = self.screen.has_field() && self.session.is_inside();
        is_seen.then(|| self.outbox.next_waiting()).flatten()
    }

    /// Has the state field say how it stands.
    fn show_status(&mut self) {
        if self.screen.has_field() {
            let is_inside = self.session.is_inside() && self.connection.is_up();
            self.screen.set_status(is_inside, self.outbox.waiting());
        }
    }

    /// Does what is due.
    fn tick(&mut self) -> anyhow::Result<()> {
        self.screen.notice_size();
        self.connection.tick(self.session.is_waiting());
        if !self.connection.is_up() && self.connection.is_hopeless() {
            let (relay, patience) = (self.destination.relay, self.connection.patience());
            return Err(wording::reconnect_failed(relay, patience));
        }
        let now = self.clock.now();
        let overdue = self.here.take_overdue(&self.session, now);
        if !overdue.is_empty() {
            self.screen.show(&wording::gone_meanwhile(&overdue));
        }
        if let Some(reason) = self.away.take_due() {
            self.announce(Kind::Away, &reason);
        }
        self.answer_catch_up();
        self.tell_held_back(false);
        let due = self.session.tick(self.clock.now());
        self.tell_events(due);
        self.outbox.settle(&self.session, &mut self.screen);
        if self.exit.is_leaving() && !self.wait_to_leave() {
            self.session.leave(now);
        }
        self.connection.send(self.session.take_outgoing());
        // The relay hangs up then, of which not every program that leads there tells.
        let is_over = self.session.has_said_goodbye() && !self.session.is_waiting();
        if is_over && self.exit.deadline().is_none() {
            self.exit.allow_a_moment();
        }
        self.show_status();
        Ok(())
    }

    /// Returns whether somebody who leaves waits: until the relay has taken everything, late copies for those
    /// who are back among it; and for a while for those who are missing and for whom something waits. Outside
    /// the room anybody may be missing.
    fn wait_to_leave(&mut self) -> bool {
        let session = &self.session;
        let is_untaken = session.untaken().next().is_some();
        if is_untaken || session.is_handing_on() || session.is_copying() {
            return true;
        }
        let is_missing = if self.session.is_inside() {
            self.session.waits_for_missing(self.clock.now())
        } else {
            unconfirmed(&self.session).next().is_some()
        };
        is_missing && self.exit.wait_for_missing()
    }

    /// Leaves once the relay has taken everything, however long that takes, and those who are missing have
    /// had a while to come back.
    pub(super) fn leave(&mut self) {
        self.exit.leave();
    }

    /// Leaves, and waits only a moment for the relay.
    pub(super) fn leave_soon(&mut self) {
        self.session.leave(self.clock.now());
        self.exit.leave_soon();
    }

    /// Says what was not delivered, and gives the terminal back.
    pub(super) fn finish(mut self, end: anyhow::Result<()>) -> anyhow::Result<()> {
        self.outbox.settle(&self.session, &mut self.screen);
        self.tell_held_back(true);
        let untaken = self.outbox.tell_untaken(&self.session, &mut self.screen);
        let told = self.tell_waiting();
        if untaken + told.len() > 0 {
            self.exit.note_undelivered();
        }
        let unconfirmed = unconfirmed(&self.session);
        let unconfirmed = unconfirmed
            .filter(|receipt| !told.contains(receipt))
            .count();
        if unconfirmed > 0 {
            self.screen.notice(wording::unconfirmed(unconfirmed));
        }
        if self.screen.is_log_cut() || self.trust.is_disk_full() {
            self.exit.note_unwritten();
        }
        let is_json = self.screen.is_json();
        let shown = self.screen.stop();
        end?;
        if let Err(error) = shown
            && error.kind() != io::ErrorKind::BrokenPipe
        {
            return Err(unwritable(&error));
        }
        self.exit.status(is_json)
    }
}

/// The receipts of what the relay has taken, and that not everybody has confirmed who may still do that.
fn unconfirmed(session: &Session) -> impl Iterator<Item = u64> {
    let is_open = |fate: &Option<Fate>| matches!(fate, None | Some(Fate::Unconfirmed));
    let taken = session.said().filter(|said| said.is_taken);
    let open = taken.filter(move |said| said.readers.iter().any(|(_, fate)| is_open(fate)));
    open.map(|said| said.receipt)
}
