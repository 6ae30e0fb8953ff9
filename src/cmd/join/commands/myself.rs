//! Commands that are about the user: what to be called, whom to hear, how things look, what
//! was said and went wrong so far.

use clap::ValueEnum as _;

use crate::cmd::terminal::{Style, Theme};
use crate::room::message::Kind;
use crate::room::names::Nick;
use crate::room::session::Person;

use super::table;
use crate::cmd::join::client::{Client, Notify};

/// How many messages `/history` shows where it is not told.
const HISTORY: usize = 20;

/// What is said of an absence for which no reason is given.
const AWAY: &str = "not at the keyboard";

impl Client<'_> {
    pub(in crate::cmd::join) fn help(&mut self, name: &str) {
        match table::help(name) {
            Some(help) => self.answer(help),
            None => self.refuse(
                None,
                format!("there is no command {name}; /help lists them"),
            ),
        }
    }

    /// Takes another nick, and a session key for it.
    pub(in crate::cmd::join) fn rename(&mut self, nick: &str) {
        let nick: Nick = match nick.parse() {
            Ok(nick) => nick,
            Err(error) => return self.refuse(None, format!("{nick} cannot be a nick: {error}")),
        };
        if nick == *self.session.card().nick() {
            return self.notice(format!("you are called {nick} already"));
        }
        if let Some(other) = self.session.person(&nick) {
            let other = other.nick;
            return self.refuse(
                None,
                format!("there is {other} here already, so you cannot be called {nick}"),
            );
        }
        if self.new_nick.is_some() || !self.session.can_rekey() {
            // A nick goes with a session key.
            let why = self.why_no_key();
            return self.refuse(None, format!("you are not called {nick}: {why}"));
        }
        self.new_nick = Some(nick);
        self.make_key();
    }

    pub(in crate::cmd::join) fn rekey(&mut self) {
        if self.session.can_rekey() {
            self.make_key();
        } else {
            let why = self.why_no_key();
            self.notice(why);
        }
    }

    /// Why the session key cannot be changed at present.
    fn why_no_key(&self) -> &'static str {
        if self.session.is_inside() {
            "your session key was changed less than a minute ago; try again then"
        } else {
            "there is no connection at the moment; try again when it is back"
        }
    }

    pub(in crate::cmd::join) fn ignore(&mut self, person: &Person) {
        let nick = &person.nick;
        self.ignored.insert(person.fingerprint, nick.clone());
        for repeats in [&mut self.alarms, &mut self.hints] {
            repeats.hush(person.fingerprint);
        }
        self.notice(format!(
            "nothing that {nick} says is shown from now on, under whatever nick; /unignore {nick} ends that"
        ));
    }

    pub(in crate::cmd::join) fn ignored(&mut self) {
        let mut nicks: Vec<&str> = self.ignored.values().map(Nick::as_str).collect();
        nicks.sort_unstable();
        let text = match nicks.as_slice() {
            [] => "you ignore nobody".to_owned(),
            nicks => format!("you ignore: {}", nicks.join(", ")),
        };
        self.notice(text);
    }

    /// Ends it for whoever has this nick, or had it when it was ignored.
    pub(in crate::cmd::join) fn unignore(&mut self, nick: &str) {
        let present = self.find(nick).ok().map(|person| person.fingerprint);
        let before = self.ignored.len();
        self.ignored.retain(|fingerprint, called| {
            Some(*fingerprint) != present && !called.as_str().eq_ignore_ascii_case(nick)
        });
        self.notice(if self.ignored.len() < before {
            format!("what {nick} says is shown again")
        } else {
            format!("you do not ignore {nick}")
        });
    }

    pub(in crate::cmd::join) fn go_away(&mut self, text: &str) {
        let text = if text.is_empty() { AWAY } else { text };
        if self.tell_presence(Kind::Away, text) {
            self.notice(format!("you are away: {text}; /back ends that"));
            self.away = Some(text.to_owned());
        }
    }

    pub(in crate::cmd::join) fn come_back(&mut self) {
        if self.away.take().is_some() {
            self.tell_presence(Kind::Back, "back");
            self.notice("you are not away any more");
        } else {
            self.notice("you are not away");
        }
    }

    pub(in crate::cmd::join) fn history(&mut self, count: Option<usize>) {
        let history = self.screen.history(count.unwrap_or(HISTORY));
        if history.is_empty() {
            self.notice("nothing was said so far");
        } else {
            self.answer(history);
        }
    }

    pub(in crate::cmd::join) fn show_audit(&mut self) {
        let alarms = self.alarms.alarms();
        if alarms.is_empty() {
            self.notice("nothing went wrong so far");
        } else {
            self.answer(alarms.join("\n"));
        }
    }

    pub(in crate::cmd::join) fn set_timestamps(&mut self, switch: &str) {
        let timestamps = match switch {
            "" => !self.screen.style().timestamps,
            switch => switch == "on",
        };
        self.restyle(|style| Style {
            timestamps,
            ..style
        });
    }

    pub(in crate::cmd::join) fn set_theme(&mut self, name: &str) {
        if let Ok(theme) = Theme::from_str(name, true) {
            self.restyle(|style| Style { theme, ..style });
        }
        let theme = self.screen.style().theme;
        self.notice(format!("these are colours for a {theme} background"));
    }

    fn restyle(&mut self, change: impl FnOnce(Style) -> Style) {
        let style = change(self.screen.style());
        self.screen.restyle(style);
    }

    pub(in crate::cmd::join) fn set_notify(&mut self, when: &str) {
        match when {
            "off" => self.notify = Notify::Never,
            "mentions" => self.notify = Notify::Mentions,
            "all" => self.notify = Notify::All,
            _ => {}
        }
        self.notice(match self.notify {
            Notify::Never => "the bell never rings",
            Notify::Mentions => "the bell rings when somebody names you, or writes to you alone",
            Notify::All => "the bell rings whenever somebody says something",
        });
    }
}
