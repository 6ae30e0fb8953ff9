//! What a user types, carried out: messages are said, commands done.

use crate::cipher::seal::MAX_TEXT;
use crate::cmd::terminal::Entry;
use crate::room::message::Kind;
use crate::room::names::Nick;
use crate::room::session::{Person, Receipt, SayError, To};
use crate::room::text::SafeText;

use super::client::{Client, seconds};
use super::commands::{self, Command, Typed};
use super::directions;
use super::trust::Trust;
use super::words::{self, notice, warning};

impl Client<'_> {
    pub(super) fn typed_line(&mut self, line: &str, shown: u64) {
        match Typed::parse(line) {
            Typed::Text(text) => self.say(text, shown),
            Typed::Command(command) => self.command(command),
            Typed::Misused(usage) => {
                self.terminal
                    .show(warning(format!("it is used like this: {usage}")));
            }
            Typed::Unknown(line) => {
                let name = line.split_whitespace().next().unwrap_or(line);
                self.terminal.show(warning(format!(
                    "not sent: there is no command {name}; /help lists them, // sends a slash"
                )));
            }
        }
    }

    fn command(&mut self, command: Command<'_>) {
        match command {
            Command::Help => self.block(&commands::help()),
            Command::Names => {
                self.own_fingerprint();
                let others = self.session.others();
                self.names(&others);
                self.unconfirmed(&others);
            }
            Command::Fingerprint { nick: None } => self.own_fingerprint(),
            Command::Fingerprint { nick: Some(nick) } => {
                if let Some(person) = self.find(nick) {
                    let about = self.trust.identify(self.session.policy(), &person);
                    self.terminal
                        .show(notice(format!("{} {about}", person.nick)));
                }
            }
            Command::Verify { nick, digits: "" } => {
                if let Some(person) = self.find(nick) {
                    let digits = Trust::comparison(&self.session, &person);
                    let (nick, own) = (&person.nick, self.nick);
                    self.block(&format!(
                        "Is {nick} really {nick}? Call {nick}, or meet, and have {nick} type /verify {own} too.\nUnless somebody is posing as one of you, both of you see this number:\n{digits}\nRead it to each other, never in here. If it is the same, type it after /verify {nick}"
                    ));
                }
            }
            Command::Verify { nick, digits } => {
                if let Some(person) = self.find(nick) {
                    let now = seconds();
                    let remark = self.trust.verify(&mut self.session, &person, digits, now);
                    self.remark(remark);
                }
            }
            Command::Code { digits: "" } => self.code(),
            Command::Code { digits } => {
                for remark in self.trust.verify_all(&mut self.session, digits, seconds()) {
                    self.remark(remark);
                }
            }
            Command::Trust { nick, end } => {
                if let Some(person) = self.find(nick) {
                    let now = seconds();
                    let remark = self.trust.accept(&mut self.session, &person, end, now);
                    self.remark(remark);
                }
            }
            Command::Invite => self.invite(),
            Command::Rekey if self.session.can_rekey() => self.make_key(),
            Command::Rekey if !self.session.is_inside() => {
                self.terminal.show(notice(
                    "there is no connection at the moment; try again when it is back",
                ));
            }
            Command::Rekey => self.terminal.show(notice(
                "your session key was changed less than a minute ago; try again then",
            )),
            Command::Reconnect => {
                self.terminal.show(notice("making a new connection"));
                self.connection.redial();
            }
            Command::Audit if self.audit.is_empty() => {
                self.terminal.show(notice("nothing went wrong so far"));
            }
            Command::Audit => self.block(&self.audit.join("\n")),
            Command::Quit => self.quit(),
        }
    }

    /// Shows the code of the room, with the nicks that it is for: it says nothing of anybody else.
    fn code(&self) {
        let others = self.session.others();
        if others.is_empty() {
            self.terminal.show(notice("nobody else is here yet"));
            return;
        }
        let code = Trust::room_code(&self.session);
        let mut nicks: Vec<&str> = others.iter().map(|person| person.nick.as_str()).collect();
        nicks.push(self.nick.as_str());
        nicks.sort_by_key(|nick| nick.to_ascii_lowercase());
        let nicks = nicks.join(", ");
        self.block(&format!(
            "Is everybody here who they say? Call each other, or meet, and have all type /code.\nUnless somebody is posing as another, all of you see this code, which is for {nicks}:\n{code}\nRead it to each other, never in here. If it is the same for all, type it after /code"
        ));
    }

    /// Says how friends get into this room.
    fn invite(&self) {
        let (relay, room, nick) = (self.name, self.room, self.nick);
        let directions = directions(relay, room);
        self.terminal.show(notice(format!(
            "friends join with: e2echat join {directions}"
        )));
        self.terminal.show(notice(if room.is_invite() {
            "only those who have this invite can enter; hand it on by another way than this relay"
                .to_owned()
        } else {
            format!(
                "that is no invite: anybody who guesses the name {room} can enter; to make a room that nobody can guess, leave and type: e2echat join {relay} --nick {nick} --new-room"
            )
        }));
    }

    /// Whoever has this nick, or one that looks like it.
    fn find(&self, nick: &str) -> Option<Person> {
        let skeleton = nick.parse::<Nick>().ok().map(|nick| nick.skeleton());
        let mut others = self.session.others().into_iter();
        let found = others.find(|person| Some(person.nick.skeleton()) == skeleton);
        if found.is_none() {
            self.terminal
                .show(warning(if skeleton == Some(self.nick.skeleton()) {
                    "that is you; your own fingerprint is what /fingerprint shows".to_owned()
                } else {
                    format!("nobody here is called {nick}; /names shows who is here")
                }));
        }
        found
    }

    fn own_fingerprint(&self) {
        let fingerprint = self.session.card().fingerprint();
        self.terminal
            .show(notice(format!("you are {} {fingerprint}", self.nick)));
    }

    pub(super) fn names(&self, people: &[Person]) {
        if people.is_empty() {
            self.terminal.show(notice("nobody else is here yet"));
        }
        for person in people {
            let about = self.trust.introduce(self.session.policy(), person);
            self.terminal
                .show(notice(format!("here: {} {about}", person.nick)));
        }
    }

    /// Says who has not shown that they are there. It takes an honest member less than a second, so
    /// it is not worth a word when somebody comes.
    fn unconfirmed(&self, people: &[Person]) {
        let nicks: Vec<&str> = people
            .iter()
            .filter(|person| !person.is_confirmed)
            .map(|person| person.nick.as_str())
            .collect();
        if !nicks.is_empty() {
            self.terminal.show(notice(format!(
                "of {} nothing signed has come yet: so far, only the relay says that they are here",
                nicks.join(", ")
            )));
        }
    }

    fn block(&self, text: &str) {
        self.terminal.show(Entry::Block(SafeText::new(text)));
    }

    pub(super) fn say(&mut self, text: &str, shown: u64) {
        match self
            .session
            .say(To::Room { shown }, Kind::Text, text, self.clock.now())
        {
            Ok(Receipt { readers, .. }) => {
                let text = SafeText::new(text);
                self.terminal
                    .show(words::message(self.nick, true, Kind::Text, text));
                let others = self.session.others().len();
                if others == 0 {
                    self.terminal
                        .show(notice("nobody else is here, so nobody reads this"));
                } else if readers < others {
                    let left_out = others - readers;
                    self.terminal.show(notice(format!(
                        "{readers} can read this, {left_out} left out: not trusted, or come while you typed; see /names"
                    )));
                }
                return;
            }
            Err(SayError::Empty) => {
                self.terminal.show(warning("not sent: the line is empty"));
            }
            Err(SayError::TooLong(bytes)) => self.too_long(bytes as u64),
            Err(SayError::TooManyLeftOut) => {
                self.refused |= !self.terminal.is_interactive();
                self.terminal.show(warning(format!(
                    "not sent: it would leave out so many that their names do not fit into a message: {text}"
                )));
            }
            Err(SayError::NotInRoom | SayError::NotThere) => {
                self.refused |= !self.terminal.is_interactive();
                self.terminal
                    .show(warning(format!("not sent, as you are leaving: {text}")));
            }
        }
        self.terminal.credit();
    }

    pub(super) fn too_long(&mut self, bytes: u64) {
        self.refused |= !self.terminal.is_interactive();
        let back = if self.terminal.is_interactive() {
            "; the Up key brings it back"
        } else {
            ""
        };
        self.terminal.show(warning(format!(
            "not sent: it has {bytes} bytes, and a message has at most {MAX_TEXT}{back}"
        )));
    }
}
