//! The main thread of a client: it owns the session and decides everything. What happens is told in
//! `telling`, what the user types is carried out in `typed`, what is said is followed in `saying`.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use crate::cipher::fingerprint::Fingerprint;
use crate::cipher::keys::{KeySize, SessionKey};
use crate::cipher::seal::MAX_TEXT;
use crate::cmd::terminal::{Input, MAX_LINE};
use crate::cmd::{failure, reason, unwritable};
use crate::room::Time;
use crate::room::names::{Nick, RoomName};
use crate::room::notice::Notice;
use crate::room::session::{End, Now, Session};

use super::happening::Happening;
use crate::cmd::join::commands::complete::Nicks;
use crate::cmd::join::net::link::FromRelay;
use crate::cmd::join::net::reconnect::Connection;
use crate::cmd::join::outbox::Outbox;
use crate::cmd::join::output::alarms::Incident;
use crate::cmd::join::output::repeats::Repeats;
use crate::cmd::join::output::report::{LinkState, Report, Who};
use crate::cmd::join::output::screen::Screen;
use crate::cmd::join::output::wording;
use crate::cmd::join::trust::Trust;

/// How long the relay has for a last acknowledgement when somebody leaves by hand.
const GOODBYE: Duration = Duration::from_secs(3);

/// How often the session is asked what is due.
const TICK: Duration = Duration::from_millis(100);

/// When the bell rings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Notify {
    #[default]
    Never,
    /// When somebody mentions the user, or says something to the user alone.
    Mentions,
    /// When somebody says anything.
    All,
}

/// Tells the time by both clocks.
pub(super) struct Clock(Instant);

impl Clock {
    /// Begins to count now.
    pub(super) fn start() -> Self {
        Self(Instant::now())
    }

    /// The time.
    pub(super) fn now(&self) -> Now {
        let time = jiff::Timestamp::now().as_millisecond();
        Now {
            time: Time::try_from(time).unwrap_or(0),
            uptime: self.0.elapsed(),
        }
    }
}

/// A client that is in a room.
pub(super) struct Client<'a> {
    /// What people call the relay.
    pub(super) name: &'a str,
    pub(super) room: &'a RoomName,
    pub(super) key_size: KeySize,
    pub(super) clock: Clock,
    pub(super) session: Session,
    pub(super) trust: Trust,
    pub(super) screen: Screen,
    pub(super) connection: Connection,
    /// How long to try to get a broken connection back.
    pub(super) patience: Duration,
    /// Who was there when the connection broke, and has not come back, and when that is said.
    pub(super) missed: Option<(Vec<Nick>, Instant)>,
    /// Who is here, as was told last, in this version of the roster.
    pub(super) here: (u64, HashMap<String, Who>),
    /// The same for Tab.
    pub(super) nicks: Arc<Nicks>,
    pub(super) outbox: Outbox,
    /// Why the user is away, if so.
    pub(super) away: Option<String>,
    /// When those who came learn of it.
    pub(super) newcomers: Option<Instant>,
    /// Who said something to the user alone last, and with which change that became so.
    pub(super) to_reply: Option<(Fingerprint, u64)>,
    /// Of whom nothing is shown.
    pub(super) ignored: HashMap<Fingerprint, Nick>,
    /// When the bell rings.
    pub(super) notify: Notify,
    /// What the user wants to be called, once there is a key for it.
    pub(super) new_nick: Option<Nick>,
    /// Where a key that is made in the background arrives.
    pub(super) sender: Sender<Happening>,
    /// What went wrong lately.
    pub(super) alarms: Repeats,
    /// What else others had said lately.
    pub(super) hints: Repeats,
    /// Whether the user wants to leave, once the relay has taken what was said.
    pub(super) leaving: bool,
    /// When to go without that.
    pub(super) deadline: Option<Instant>,
    /// Whether something of what a pipe or a script wanted was not done, and nobody sits there who
    /// could try otherwise: the exit status says it.
    pub(super) refused: bool,
}

impl Client<'_> {
    /// Deals with what happens until there is a reason to end.
    pub(super) fn run(&mut self, inputs: &Receiver<Happening>) -> anyhow::Result<()> {
        loop {
            let until_tick = Instant::now() + TICK;
            let until = self.deadline.map_or(until_tick, |at| at.min(until_tick));
            match inputs.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(Happening::Typed(input)) => self.typed(input),
                Ok(Happening::Relayed(link, what)) if self.connection.is_present(link) => {
                    let relayed = match what {
                        FromRelay::Frame(frame) => self.receive(&frame),
                        FromRelay::Down(error) => {
                            self.lost(wording::connection_lost(self.name, &error))
                        }
                    };
                    match relayed {
                        Err(_) if self.leaving && self.session.has_said_goodbye() => return Ok(()),
                        relayed => relayed?,
                    }
                }
                Ok(Happening::Dialled(link, stream)) if self.connection.is_present(link) => {
                    self.connection.dialled(stream, self.session.received());
                }
                Ok(Happening::KeyMade(key)) => self.take_key(*key),
                Ok(Happening::Relayed(..) | Happening::Dialled(..))
                | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
            if self.deadline.is_some_and(|at| at <= Instant::now()) {
                if self.leaving {
                    return Ok(());
                }
                self.quit();
            }
            self.tick()?;
            let is_down = !self.connection.is_up();
            if self.leaving && is_down && self.session.untaken().next().is_none() {
                return Ok(());
            }
        }
    }

    /// Takes a frame.
    fn receive(&mut self, frame: &[u8]) -> anyhow::Result<()> {
        let was_inside = self.session.is_inside();
        let events = self.session.receive(frame, self.clock.now());
        self.connection.received();
        match events {
            Ok(events) => {
                if self.session.is_inside() {
                    self.connection.is_settled();
                }
                self.show(events);
                Ok(())
            }
            Err(end) => {
                let error = wording::session_ended(self.name, end);
                // Before the room was entered, the nick may be one that others have seen already.
                let is_refused =
                    was_inside && end == End::Notice(Notice::NickTaken) && self.take_back_nick();
                if !is_refused && wording::is_final(end, was_inside) {
                    return Err(error);
                }
                self.lost(error)
            }
        }
    }

    /// The connection is lost: it will be made again, unless that has been tried for too long.
    fn lost(&mut self, error: anyhow::Error) -> anyhow::Result<()> {
        let has_patience = self.connection.broken_for() < self.patience;
        if self.session.has_said_goodbye() || !has_patience {
            return Err(error);
        }
        // Of many attempts that fail only the first loss is news.
        if !self.connection.is_broken() && !self.connection.is_hurried() {
            let why = error.to_string();
            let why = why.lines().next().unwrap_or_default();
            self.screen.show(&Report::Link(
                LinkState::Lost,
                format!("{why}; trying to get it back; what you say meanwhile is sent then"),
            ));
        }
        self.session.disconnect();
        self.connection.pause();
        Ok(())
    }

    /// Does what is due.
    fn tick(&mut self) -> anyhow::Result<()> {
        self.connection.tick(self.session.is_waiting());
        if !self.connection.is_up() && self.connection.broken_for() >= self.patience {
            return Err(wording::reconnect_failed(self.name, self.patience));
        }
        if let Some((absent, _)) = self.missed.take_if(|(_, at)| *at <= Instant::now()) {
            self.screen.show(&wording::gone_meanwhile(&absent));
        }
        self.tell_newcomers();
        self.tell_held_back(false);
        let due = self.session.tick(self.clock.now());
        self.show(due);
        self.settle();
        self.connection.send(self.session.take_outgoing());
        Ok(())
    }

    fn typed(&mut self, input: Input) {
        match input {
            Input::Line { is_utf8: false, .. } if self.screen.is_json() => {
                self.refuse_request(None, "this line is not UTF-8");
            }
            Input::Line { text, .. } if self.screen.is_json() => self.request(&text),
            Input::Line { text, shown, .. } if self.screen.is_interactive() => {
                self.typed_line(&text, shown);
            }
            Input::Line { text, .. } if self.screen.has_keyboard() => {
                self.typed_line(&text, self.session.changes());
            }
            Input::Line { text, .. } => self.say_to_all(&text, self.session.changes()),
            Input::TooLong { bytes } if self.screen.is_json() => {
                let error = format!("this line has {bytes} bytes, and at most {MAX_LINE} are read");
                self.refuse_request(None, error);
            }
            Input::TooLong { bytes } => {
                self.refused = true;
                let text = self.too_long(bytes);
                self.refuse(None, text);
                self.screen.terminal.credit();
            }
            Input::End => self.leave(),
            Input::Quit => self.quit(),
            // What is still coming in is sent, for as long as that does not take forever.
            // `Terminal::stop` tells why the output is closed.
            Input::OutputClosed => self.deadline = Some(Instant::now() + GOODBYE),
        }
    }

    /// Makes a session key without keeping anybody waiting.
    pub(super) fn make_key(&mut self) {
        let (sender, size) = (self.sender.clone(), self.key_size);
        let made = thread::Builder::new().name("keygen".into()).spawn(move || {
            // It fails when the program is ending.
            let _ = sender.send(Happening::KeyMade(Box::new(SessionKey::generate(size))));
        });
        if let Err(error) = made {
            let reason = reason(&error);
            self.refuse(None, format!("cannot make a new session key: {reason}"));
        }
    }

    /// Goes on under a key that was made, and perhaps another nick.
    fn take_key(&mut self, key: SessionKey) {
        let now = self.clock.now();
        let Some(nick) = self.new_nick.take() else {
            return self.session.rekey(key, now);
        };
        if !self.session.can_rekey() {
            return self.refuse(
                None,
                format!("you are not called {nick}: the connection was lost meanwhile; try again"),
            );
        }
        if self.session.rename(&nick, key, now).is_err() {
            self.refuse(
                None,
                format!("somebody has taken the nick {nick}, or one like it, meanwhile"),
            );
        }
    }

    /// The relay has refused a nick. Whether one can go on under the one before.
    fn take_back_nick(&mut self) -> bool {
        let refused = self.session.take_back_nick();
        if let Some(nick) = &refused {
            self.refuse(
                None,
                format!("the relay says that somebody has taken the nick {nick}, or one like it"),
            );
        }
        refused.is_some()
    }

    /// Leaves once the relay has taken everything, however long that takes.
    fn leave(&mut self) {
        self.session.leave(self.clock.now());
        self.leaving = true;
    }

    /// Leaves soon.
    pub(super) fn quit(&mut self) {
        if !self.leaving || self.deadline.is_none() {
            self.deadline = Some(Instant::now() + GOODBYE);
        }
        self.leave();
    }

    /// Says what was not delivered, and gives the terminal back.
    pub(super) fn finish(mut self, end: anyhow::Result<()>) -> anyhow::Result<()> {
        self.settle();
        self.tell_held_back(true);
        let untaken = self.outbox.untaken(&self.session);
        for (id, text) in &untaken {
            self.refuse(id.as_deref(), format!("not delivered: {text}"));
        }
        let held = self.session.undelivered();
        let held: Vec<Report> = held
            .map(|(nicks, text)| {
                let text = text.to_owned();
                Incident::Undelivered { nicks, text }.into()
            })
            .collect();
        for report in &held {
            self.screen.show(report);
        }
        let untaken = untaken.len() + held.len();
        let is_json = self.screen.is_json();
        let shown = self.screen.terminal.stop();
        end?;
        if let Err(error) = shown
            && error.kind() != io::ErrorKind::BrokenPipe
        {
            return Err(unwritable(&error));
        }
        if untaken > 0 {
            return Err(failure(
                "not everything that was said was delivered",
                "join again and say it again",
            ));
        }
        if self.refused && is_json {
            return Err(failure(
                "not everything that was asked for was done",
                "the error events say what was not, and why",
            ));
        }
        if self.refused {
            return Err(failure(
                "not everything was sent",
                &format!("lines have at most {MAX_TEXT} bytes, and take a moment to be sent"),
            ));
        }
        Ok(())
    }
}

/// Seconds since 1970.
pub(super) fn seconds() -> i64 {
    jiff::Timestamp::now().as_second()
}
