//! The main thread of a client: it owns the session and decides everything. What the user types
//! is carried out in `typed`.

use std::io;
use std::net::TcpStream;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use crate::cipher::keys::{KeySize, SessionKey};
use crate::cipher::seal::MAX_TEXT;
use crate::cmd::terminal::{Entry, Input, Terminal};
use crate::cmd::{failure, reason, unwritable};
use crate::room::Time;
use crate::room::names::{Nick, RoomName};
use crate::room::session::{Event, Now, Person, Session};

use super::connection::Connection;
use super::link::FromRelay;
use super::trust::{Remark, Trust};
use super::words::{self, notice, warning};

/// How long the relay has for a last acknowledgement when somebody leaves by hand.
const GOODBYE: Duration = Duration::from_secs(3);

/// How long after one's own return it is said who has not come back.
const PATIENCE_FOR_OTHERS: Duration = Duration::from_mins(1);

/// How often the session is asked what is due.
const TICK: Duration = Duration::from_millis(100);

/// All that can happen to a client.
pub(super) enum Happening {
    /// The user wants something.
    Typed(Input),
    /// The relay sent something, over this link.
    Relayed(u64, FromRelay),
    /// An attempt to connect is over.
    Dialled(u64, anyhow::Result<TcpStream>),
    /// The session key that was asked for is made.
    KeyMade(Box<SessionKey>),
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
    pub(super) nick: &'a Nick,
    pub(super) room: &'a RoomName,
    pub(super) key_size: KeySize,
    pub(super) clock: Clock,
    pub(super) session: Session,
    pub(super) trust: Trust,
    pub(super) terminal: Terminal,
    pub(super) connection: Connection,
    /// How long to try to get a broken connection back.
    pub(super) patience: Duration,
    /// Who was there when the connection broke, and has not come back, and when that is said.
    pub(super) missed: Option<(Vec<Nick>, Instant)>,
    /// Where a key that is made in the background arrives.
    pub(super) sender: Sender<Happening>,
    /// What went wrong, with the time of day.
    pub(super) audit: Vec<String>,
    /// Whether the user wants to leave, once the relay has taken what was said.
    pub(super) leaving: bool,
    /// When to go without that.
    pub(super) deadline: Option<Instant>,
    /// Whether a line was too long to be sent, and nobody sits there who could send it otherwise.
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
                        FromRelay::Down(error) => self.lost(words::down(self.name, &error)),
                    };
                    match relayed {
                        Err(_) if self.leaving && self.session.has_said_goodbye() => return Ok(()),
                        relayed => relayed?,
                    }
                }
                Ok(Happening::Dialled(link, stream)) if self.connection.is_present(link) => {
                    self.connection.dialled(stream, self.session.received());
                }
                Ok(Happening::KeyMade(key)) => self.session.rekey(*key, self.clock.now()),
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
                let error = words::end(self.name, end);
                if words::is_final(end, was_inside) {
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
            self.terminal.show(notice(format!(
                "{why}; trying to get it back; what you say meanwhile is sent then"
            )));
        }
        self.session.disconnect();
        self.connection.pause();
        Ok(())
    }

    /// Does what is due.
    fn tick(&mut self) -> anyhow::Result<()> {
        self.connection.tick(self.session.is_waiting());
        if !self.connection.is_up() && self.connection.broken_for() >= self.patience {
            return Err(words::no_way_back(self.name, self.patience));
        }
        if let Some((absent, _)) = self.missed.take_if(|(_, at)| *at <= Instant::now()) {
            self.terminal.show(words::absent(&absent));
        }
        let due = self.session.tick(self.clock.now());
        self.show(due);
        self.connection.send(self.session.take_outgoing());
        Ok(())
    }

    fn typed(&mut self, input: Input) {
        match input {
            Input::Line { text, shown } if self.terminal.is_interactive() => {
                self.typed_line(&text, shown);
            }
            Input::Line { text, .. } => self.say(&text, self.session.changes()),
            Input::TooLong { bytes } => {
                self.too_long(bytes);
                self.terminal.credit();
            }
            Input::End => self.leave(),
            Input::Quit => self.quit(),
            // What is still coming in is sent, for as long as that does not take forever.
            // `Terminal::stop` tells why the output is closed.
            Input::OutputClosed => self.deadline = Some(Instant::now() + GOODBYE),
        }
    }

    pub(super) fn remark(&mut self, remark: Remark) {
        match remark {
            Remark::Notice(text) => self.terminal.show(notice(text)),
            Remark::Warning(text) => self.alarm(warning(text)),
        }
    }

    /// Shows a warning and keeps it for `/audit`.
    fn alarm(&mut self, entry: Entry) {
        if let Entry::Warning(text) = &entry {
            let time = jiff::Zoned::now().strftime("%H:%M:%S");
            self.audit.push(format!("{time} {text}"));
        }
        self.terminal.show(entry);
    }

    /// Makes a session key without keeping anybody waiting.
    pub(super) fn make_key(&self) {
        let (sender, size) = (self.sender.clone(), self.key_size);
        let made = thread::Builder::new().name("keygen".into()).spawn(move || {
            // It fails when the program is ending.
            let _ = sender.send(Happening::KeyMade(Box::new(SessionKey::generate(size))));
        });
        if let Err(error) = made {
            self.terminal.show(warning(format!(
                "cannot make a new session key: {}",
                reason(&error)
            )));
        }
    }

    /// Shows what happened.
    pub(super) fn show(&mut self, events: Vec<Event>) {
        let is_shown = !events.is_empty();
        for event in events {
            match event {
                Event::Entered(mut people) => {
                    let remarks = self.meet(&mut people);
                    self.names(&people);
                    self.advise(&people);
                    for remark in remarks {
                        self.remark(remark);
                    }
                }
                Event::Joined(person) => {
                    let mut people = [person];
                    let remarks = self.meet(&mut people);
                    for person in &people {
                        let about = self.trust.introduce(self.session.policy(), person);
                        self.terminal
                            .show(notice(format!("{} joined {about}", person.nick)));
                    }
                    self.advise(&people);
                    for remark in remarks {
                        self.remark(remark);
                    }
                }
                Event::Resumed => self.terminal.show(notice("connected again")),
                Event::Returned { mut people, absent } => {
                    let remarks = self.meet(&mut people);
                    self.terminal.show(words::returned(&people));
                    for remark in remarks {
                        self.remark(remark);
                    }
                    let until = Instant::now() + PATIENCE_FOR_OTHERS;
                    self.missed = (!absent.is_empty()).then_some((absent, until));
                }
                Event::Back(person) => {
                    let nick = person.nick.clone();
                    let remarks = self.meet(&mut [person]);
                    self.is_back(&nick);
                    for remark in remarks {
                        self.remark(remark);
                    }
                }
                Event::Taken(messages) => (0..messages).for_each(|_| self.terminal.credit()),
                Event::RekeyDue => self.make_key(),
                event => {
                    if let Some(entry) = words::event(event) {
                        self.alarm(entry);
                    }
                }
            }
        }
        if is_shown {
            self.terminal.show(Entry::Mark(self.session.changes()));
        }
    }

    /// Somebody is back. After the relay has been away, so is everybody, and this is said once.
    fn is_back(&mut self, nick: &Nick) {
        let Some((absent, _)) = &mut self.missed else {
            self.terminal.show(notice(format!("{nick} is back")));
            return;
        };
        absent.retain(|other| other != nick);
        if absent.is_empty() {
            self.missed = None;
            self.terminal.show(notice("everybody is back"));
        }
    }

    /// Finds out what is known of people, and what is to be said of it.
    fn meet(&mut self, people: &mut [Person]) -> Vec<Remark> {
        let now = seconds();
        let mut remarks = Vec::new();
        for person in people {
            remarks.extend(self.trust.meet(&mut self.session, person, now));
        }
        remarks
    }

    /// Says what to do about these people, where somebody sits who can do it.
    fn advise(&mut self, people: &[Person]) {
        if !self.terminal.is_interactive() {
            return;
        }
        let policy = self.session.policy();
        let advice = Trust::advice(policy, people)
            .or_else(|| self.trust.first_contact(self.room.is_invite(), people));
        if let Some(advice) = advice {
            self.terminal.show(notice(advice));
        }
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
    pub(super) fn finish(self, end: anyhow::Result<()>) -> anyhow::Result<()> {
        let untaken: Vec<&str> = self.session.untaken().collect();
        for text in &untaken {
            self.terminal
                .show(warning(format!("not delivered: {text}")));
        }
        let held: Vec<(Vec<Nick>, &str)> = self.session.undelivered().collect();
        for (nicks, text) in &held {
            self.terminal.show(words::undelivered(nicks, text));
        }
        let untaken = untaken.len() + held.len();
        let shown = self.terminal.stop();
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
