//! The user's next session key: made in the background, and taken with the nick that it is for.

use std::sync::Arc;
use std::thread;

use crate::cipher::keys::{KeySize, SessionKey};
use crate::cmd::reason;
use crate::room::names::Nick;
use crate::room::notice::Notice;
use crate::room::session::{Now, Session};

use super::output::screen::Screen;

/// The session key that comes after the present one.
pub(super) struct NextKey {
    size: KeySize,
    /// Delivers a key that is made to [`NextKey::take`].
    deliver: Arc<dyn Fn(SessionKey) + Send + Sync>,
    /// What the user wants to be called under it. A nick goes with a session key.
    nick: Option<Nick>,
    /// Whether the user has asked for it.
    is_asked_for: bool,
}

impl NextKey {
    /// Keys will have this size. `deliver` is to hand each to [`NextKey::take`].
    pub(super) fn new(size: KeySize, deliver: impl Fn(SessionKey) + Send + Sync + 'static) -> Self {
        Self {
            size,
            deliver: Arc::new(deliver),
            nick: None,
            is_asked_for: false,
        }
    }

    /// Makes a key without keeping anybody waiting.
    pub(super) fn make(&self, screen: &mut Screen) {
        let (deliver, size) = (Arc::clone(&self.deliver), self.size);
        let make_key = move || deliver(SessionKey::generate(size));
        let made = thread::Builder::new().name("keygen".into()).spawn(make_key);
        if let Err(error) = made {
            let reason = reason(&error);
            screen.fail(None, format!("cannot make a new session key: {reason}"));
        }
    }

    /// Makes a key, as the user asks for one.
    pub(super) fn rekey(&mut self, session: &Session, screen: &mut Screen) {
        if self.is_asked_for {
            screen.notice("your next session key is being made already");
        } else if session.can_rekey() {
            self.is_asked_for = true;
            self.make(screen);
        } else {
            screen.refuse(None, why_not_now(session));
        }
    }

    /// Makes a key for another nick.
    pub(super) fn rename(&mut self, nick: &str, session: &Session, screen: &mut Screen) {
        let nick: Nick = match nick.parse() {
            Ok(nick) => nick,
            Err(error) => return screen.refuse(None, format!("{nick} cannot be a nick: {error}")),
        };
        if nick == *session.card().nick() {
            return screen.notice(format!("you are called {nick} already"));
        }
        if let Some(other) = session.person(&nick) {
            let other = other.nick;
            return screen.refuse(
                None,
                format!("there is {other} here already, so you cannot be called {nick}"),
            );
        }
        if self.nick.is_some() || !session.can_rekey() {
            let why = why_not_now(session);
            return screen.refuse(None, format!("you are not called {nick}: {why}"));
        }
        self.nick = Some(nick);
        self.make(screen);
    }

    /// Has the session go on under a key that was made, and under the nick that it is for.
    pub(super) fn take(
        &mut self,
        key: SessionKey,
        session: &mut Session,
        now: Now,
        screen: &mut Screen,
    ) {
        let is_asked_for = std::mem::take(&mut self.is_asked_for);
        let Some(nick) = self.nick.take() else {
            let can_rekey = session.can_rekey();
            session.rekey(key, now);
            if is_asked_for && can_rekey {
                screen.notice("you have another session key now");
            } else if is_asked_for {
                let why = why_not_now(session);
                screen.refuse(None, format!("your session key is not changed: {why}"));
            }
            return;
        };
        if !session.can_rekey() {
            return screen.refuse(
                None,
                format!("you are not called {nick}: the connection was lost meanwhile; try again"),
            );
        }
        if session.rename(&nick, key, now).is_err() {
            screen.refuse(
                None,
                format!("somebody has taken the nick {nick}, or one like it, meanwhile"),
            );
        }
    }

    /// The relay has refused, at its door, the user's session key, or a nick that others may have seen: has
    /// the session go on with another key, and under the nick before. Returns whether it can.
    pub(super) fn retreat(
        &self,
        refusal: Notice,
        session: &mut Session,
        now: Now,
        screen: &mut Screen,
    ) -> bool {
        let make_key = || SessionKey::generate(self.size);
        let refused = match refusal {
            Notice::KeyTaken => return session.replace_key(make_key, now),
            Notice::NickTaken => session.retreat(make_key, now),
            _ => None,
        };
        if let Some(nick) = &refused {
            screen.refuse(None, nick_is_taken(nick));
        }
        refused.is_some()
    }
}

/// The words for a nick that the relay has refused.
pub(super) fn nick_is_taken(nick: &Nick) -> String {
    format!("the relay says that somebody has taken the nick {nick}, or one like it")
}

/// Why the session key cannot be changed at present.
fn why_not_now(session: &Session) -> &'static str {
    if session.is_inside() {
        "your session key, which a new nick changes too, was changed less than a minute ago; try again then"
    } else {
        "there is no connection at the moment; try again when it is back"
    }
}
