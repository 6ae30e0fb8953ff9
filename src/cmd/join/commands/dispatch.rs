//! What a user types or a script asks for, carried out: messages are said, commands done.

use crate::cmd::terminal::Entry;
use crate::room::message::Kind;

use super::line::{Line, Typed};
use super::say::Saying;
use super::table::Command;
use crate::cmd::join::client::Client;
use crate::cmd::join::output::json::{JsonRequest, RequestBody};

impl Client<'_> {
    pub(in crate::cmd::join) fn typed_line(&mut self, line: &str, shown: u64) {
        match Typed::parse(&Line::new(line)) {
            Typed::Text(text) => self.say_to_all(text, shown),
            Typed::Command(command) => self.command(command, shown),
            Typed::Misused(usage) => self.refuse(None, format!("it is used like this: {usage}")),
            Typed::Unknown(line) => {
                let name = line.split_whitespace().next().unwrap_or(line);
                self.refuse(
                    None,
                    format!(
                        "not sent: there is no command {name}; /help lists them, // sends a slash"
                    ),
                );
            }
            Typed::Spaced => {
                let back = self.brought_back();
                self.refuse(
                    None,
                    format!("not sent: there is a space before the slash, or what is not shown; a command begins with the slash, and // sends one{back}"),
                );
            }
            Typed::Quoted(name) => {
                let back = self.brought_back();
                self.refuse(
                    None,
                    format!("not sent: everybody would read what begins with {name} in it; say that alone, or put a word before it{back}"),
                );
            }
            Typed::LooksLike => {
                let back = self.brought_back();
                self.refuse(
                    None,
                    format!("not sent: what it begins with looks like a slash and is another sign; a command begins with the slash, and // sends one{back}"),
                );
            }
        }
    }

    /// Does what a script asks for.
    pub(in crate::cmd::join) fn request(&mut self, line: &str) {
        let (id, body) = match JsonRequest::parse(line) {
            Ok(JsonRequest { id, body }) => (id, body),
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
        let to = match to.map(|nick| self.find(&nick)).transpose() {
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
    pub(in crate::cmd::join) fn refuse_request(
        &mut self,
        id: Option<&str>,
        error: impl Into<String>,
    ) {
        self.refused = true;
        self.refuse(id, error);
        self.screen.terminal.credit();
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
        self.typed_line(line, self.session.changes());
        self.refused |= self.screen.end_request();
        self.screen.terminal.credit();
    }

    fn command(&mut self, command: Command<'_>, shown: u64) {
        match command {
            Command::Help(name) => self.help(name),
            Command::Names => self.who_is_here(),
            Command::Whois(nick) => self.with(nick, Self::whois),
            Command::Me(text) => self.say(&Saying {
                to: None,
                kind: Kind::Action,
                text,
                shown,
                id: None,
            }),
            Command::Msg { nick, text } => self.with(nick, |client, person| {
                client.say_directly(person, text, shown);
            }),
            Command::Reply(text) => self.reply(text, shown),
            Command::Nick(nick) => self.rename(nick),
            Command::Ignore("") => self.ignored(),
            Command::Ignore(nick) => self.with(nick, Self::ignore),
            Command::Unignore(nick) => self.unignore(nick),
            Command::Away(text) => self.go_away(text),
            Command::Back => self.come_back(),
            Command::Clear => self.screen.terminal.show(Entry::Clear),
            Command::History(count) => self.history(count),
            Command::Timestamp(switch) => self.set_timestamps(switch),
            Command::Notify(when) => self.set_notify(when),
            Command::Theme(name) => self.set_theme(name),
            Command::Fingerprint { nick: None } => self.own_fingerprint(),
            Command::Fingerprint { nick: Some(nick) } => self.with(nick, Self::fingerprint),
            Command::Verify { nick, digits } => self.with(nick, |client, person| {
                client.verify(person, digits);
            }),
            Command::Code { digits: "" } => self.code(),
            Command::Code { digits } => self.verify_all(digits),
            Command::Trust { nick, end } => self.with(nick, |client, person| {
                client.accept(person, end);
            }),
            Command::Invite => self.invite(),
            Command::Rekey => self.rekey(),
            Command::Reconnect => {
                self.notice("making a new connection");
                self.connection.redial();
            }
            Command::Audit => self.show_audit(),
            Command::Quit => self.quit(),
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
        Command::Clear | Command::Timestamp(_) | Command::Notify(_) | Command::Theme(_) => {
            Some("that is for a screen, and there is none")
        }
        _ => None,
    }
}
