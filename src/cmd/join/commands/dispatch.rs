//! Which function does what the user types or a script asks for.

use crate::cmd::terminal::{Input, MAX_LINE};
use crate::room::message::Kind;

use super::display;
use super::line::{Line, Typed};
use super::people::number_apart;
use super::say::{Saying, too_long};
use super::table::Command;
use crate::cmd::join::client::Client;
use crate::cmd::join::output::json::{JsonRequest, RequestBody};

/// What is said of the user where somebody else is meant.
const IT_IS_YOU: &str = "that is you; your own fingerprint is what /fingerprint shows";

impl Client<'_> {
    /// Does what comes in: a line, or the wish to leave.
    pub(in crate::cmd::join) fn take_input(&mut self, input: Input) {
        match input {
            Input::Line { is_utf8: false, .. } if self.screen.is_json() => {
                self.refuse_request(None, "this line is not UTF-8");
            }
            Input::Line { text, .. } if self.screen.is_json() => self.request(&text),
            Input::Line { text, shown, .. } if self.screen.has_keyboard() => {
                let is_interactive = self.screen.is_interactive();
                let changes = self.session.changes();
                let shown = if is_interactive { shown } else { changes };
                if let Some(held) = self.held_back.take_confirmed(&text) {
                    self.typed(&held, shown);
                } else if !is_interactive || !text.trim().is_empty() {
                    self.look_at_typed(&text, shown);
                }
            }
            Input::Line { text, .. } => {
                self.say(&Saying::to_all(Kind::Text, &text, self.session.changes()));
            }
            Input::TooLong { bytes } if self.screen.is_json() => {
                let error = format!("this line has {bytes} bytes, and at most {MAX_LINE} are read");
                self.refuse_request(None, error);
            }
            Input::TooLong { bytes } => {
                self.exit.note_undone();
                let error = too_long(bytes, &self.screen);
                self.screen.refuse(None, error);
                self.screen.credit();
            }
            Input::NotDone(why) => self.screen.refuse(None, why),
            Input::Returned => self.screen.welcome_back(),
            Input::End => self.leave(),
            Input::Failed(error) => {
                self.exit.note_unreadable(&error);
                self.leave();
            }
            Input::AskToQuit { key } => {
                let also = if self.destination.is_hosted {
                    ", and ends the relay for all"
                } else {
                    ""
                };
                self.screen
                    .aside(format!("{key} once more leaves the room{also}"));
            }
            Input::Quit => self.leave_soon(),
            // `Terminal::stop` tells why the output is closed.
            Input::OutputClosed => self.exit.allow_a_moment(),
        }
    }

    /// Does what a line asks for, as [`Client::typed`] does; or holds it back, where it says to others what is to be
    /// compared with them by another way.
    fn look_at_typed(&mut self, line: &str, shown: u64) {
        let cleaned = Line::new(line);
        let text = match Typed::parse(&cleaned) {
            Typed::Text(text)
            | Typed::Command(
                Command::Me(text)
                | Command::Msg { text, .. }
                | Command::Reply(text)
                | Command::Away(text),
            ) => text,
            _ => "",
        };
        if self.held_back.hold(&self.session, line, text) {
            return self.screen.refuse(
                None,
                "not sent: this must not be compared in here, where somebody in between reads it and changes it; Enter again sends it",
            );
        }
        self.typed(line, shown);
    }

    /// Does what a line asks for that was typed when the change `shown` of the roster was on the screen.
    fn typed(&mut self, line: &str, shown: u64) {
        let back = self.screen.hint_at_history();
        let error = match Typed::parse(&Line::new(line)) {
            Typed::Text(text) => return self.say(&Saying::to_all(Kind::Text, text, shown)),
            Typed::Command(command) => return self.command(command, shown),
            Typed::Misused(usage) => format!("it is used like this: {usage}"),
            Typed::Unknown(line) => {
                let name = line.split_whitespace().next().unwrap_or(line);
                format!("not sent: there is no command {name}; /help lists them, // sends a slash")
            }
            Typed::Spaced => format!(
                "not sent: there is a space before the slash, or what is not shown; a command begins with the slash, and // sends one{back}"
            ),
            Typed::Quoted(name) => format!(
                "not sent: everybody would read what begins with {name} in it; say that alone, or put a word before it{back}"
            ),
            Typed::LooksLike => format!(
                "not sent: what it begins with looks like a slash and is another sign; a command begins with the slash, and // sends one{back}"
            ),
        };
        self.screen.refuse(None, error);
    }

    /// Does what a script asks for.
    fn request(&mut self, line: &str) {
        let JsonRequest { id, body } = match JsonRequest::parse(line) {
            Ok(request) => request,
            Err((id, error)) => return self.refuse_request(id.as_deref(), error),
        };
        let (to, is_action, text) = match body {
            RequestBody::Say {
                to,
                is_action,
                text,
            } => (to, is_action, text),
            RequestBody::Command(line) => return self.requested_command(id, &line),
        };
        let id = id.as_deref();
        let to = match to.map(|nick| self.find_reader(&nick)).transpose() {
            Ok(to) => to,
            Err(error) => return self.refuse_request(id, error),
        };
        self.say(&Saying {
            to: to.as_ref(),
            kind: if is_action { Kind::Action } else { Kind::Text },
            text: &text,
            shown: self.session.changes(),
            id,
        });
    }

    /// Says why something that a script asks for is not done.
    fn refuse_request(&mut self, id: Option<&str>, error: impl Into<String>) {
        self.exit.note_undone();
        self.screen.refuse(id, error);
        self.screen.credit();
    }

    /// Does a command that a script asks for.
    fn requested_command(&mut self, id: Option<String>, line: &str) {
        let why_not = match Typed::parse(&Line::new(line)) {
            Typed::Text(_) | Typed::Spaced | Typed::LooksLike | Typed::Quoted(_) => {
                Some("a command begins with one slash")
            }
            Typed::Command(command) => why_not_in_a_script(command),
            Typed::Misused(_) | Typed::Unknown(_) => None,
        };
        if let Some(why_not) = why_not {
            return self.refuse_request(id.as_deref(), why_not);
        }
        self.screen.begin_request(id);
        self.typed(line, self.session.changes());
        if self.screen.end_request() {
            self.exit.note_undone();
        }
        self.screen.credit();
    }

    fn command(&mut self, command: Command<'_>, shown: u64) {
        let (session, screen) = (&mut self.session, &mut self.screen);
        match command {
            Command::Help(name) => display::help(screen, name),
            Command::Names => self.names(),
            Command::Whois(nick) => self.with_person(nick, IT_IS_YOU, Self::whois),
            Command::Note { nick, text } => self.with_person(
                nick,
                "that is you; a note is for somebody else",
                |client, person| {
                    client.note(person, text);
                },
            ),
            Command::Me(text) => self.say(&Saying::to_all(Kind::Action, text, shown)),
            Command::Msg { nick, text } => self.say_to(nick, text, shown),
            Command::Reply(text) => self.reply(text, shown),
            Command::Nick(nick) => self.next_key.rename(nick, session, screen),
            Command::Ignore("") => self.list_ignored(),
            Command::Ignore(nick) => self.with_person(
                nick,
                "that is you; what you say yourself is always shown",
                Self::ignore,
            ),
            Command::Unignore(nick) => self.unignore(nick),
            Command::Away(text) => self.go_away(text),
            Command::Back => self.come_back(),
            Command::Share { nick, which } => self.share(nick, which),
            Command::CatchUp => self.ask_to_catch_up(),
            Command::Edit if screen.edit() => {}
            Command::Edit => screen.refuse(None, "no editor can be opened here"),
            Command::Clear => screen.clear(),
            Command::History(count) => display::history(screen, count),
            Command::Search(text) => display::search(screen, text),
            Command::Show(number) => display::show(screen, number.unwrap_or(1)),
            Command::Url(number) => display::url(screen, number.unwrap_or(1)),
            Command::Seen(count) => display::seen(screen, session, count),
            Command::Timestamp(switch) => display::set_timestamps(screen, switch),
            Command::Notify(when) => display::set_notify(screen, when),
            Command::Quiet(switch) => self.set_quiet(switch),
            Command::Theme(name) => display::set_theme(screen, name),
            Command::Fingerprint { nick: None } => {
                self.own_fingerprint();
                let own = self.session.card().fingerprint();
                self.screen.aside(format!("your {}", number_apart(own)));
            }
            Command::Fingerprint { nick: Some(nick) } => {
                self.with_person(nick, IT_IS_YOU, Self::fingerprint);
            }
            Command::Verify { nick, digits } => self.with_person(
                nick,
                "that is you; type the nick of the person with whom you compare",
                |client, person| {
                    client.verify(person, digits);
                },
            ),
            Command::Code { digits: "" } => self.code(),
            Command::Code { digits } => self.verify_all(digits),
            Command::Trust { nick, end } => self.with_person(
                nick,
                "that is you; type the nick of the person whose identity you accept",
                |client, person| {
                    client.accept(person, end);
                },
            ),
            Command::Invite => self.invite(),
            Command::Save(name) => self.save(name),
            Command::Keygen => self.save_identity(),
            Command::Rekey => self.next_key.rekey(session, screen),
            Command::Reconnect if session.is_inside() => {
                screen.notice("entering the room anew");
                self.enter_anew();
            }
            Command::Reconnect => {
                screen.notice("making a new connection");
                self.connection.redial();
            }
            Command::Audit => display::audit(screen, &self.filter.alarms()),
            Command::Quit => self.leave_soon(),
        }
    }
}

/// Why a script cannot ask for a command, if it cannot.
fn why_not_in_a_script(command: Command<'_>) -> Option<&'static str> {
    match command {
        Command::Me(_) => Some("to say what you do, use the type act"),
        Command::Msg { .. } | Command::Reply(_) => {
            Some("to say something to one person alone, use the type direct")
        }
        Command::Edit
        | Command::Clear
        | Command::Timestamp(_)
        | Command::Notify(_)
        | Command::Quiet(_)
        | Command::Theme(_) => Some("that is for a screen, and there is none"),
        _ => None,
    }
}
