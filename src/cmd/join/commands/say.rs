//! Texts, and the commands that say something: to whom it goes, and what is told if it cannot be said.

use crate::room::content::MAX_TEXT;
use crate::room::message::Kind;
use crate::room::session::{Person, Receipt, SayError, To};

use crate::cmd::join::client::Client;
use crate::cmd::join::output::screen::Screen;
use crate::cmd::join::output::speech::{Speech, Who};
use crate::cmd::terminal::{OwnWords, State};

/// What is said of an absence for which the user gives no reason.
const NO_REASON: &str = "not at the keyboard";

/// What the user wants to say.
#[derive(Clone, Copy)]
pub(super) struct Saying<'a> {
    /// To whom alone, if not to everybody.
    pub(super) to: Option<&'a Person>,
    pub(super) kind: Kind,
    pub(super) text: &'a str,
    /// The change of the roster that was on the screen.
    pub(super) shown: u64,
    /// What a script calls it.
    pub(super) id: Option<&'a str>,
}

impl<'a> Saying<'a> {
    /// It is for everybody who was on the screen with the change `shown`.
    pub(super) fn to_all(kind: Kind, text: &'a str, shown: u64) -> Self {
        Self {
            to: None,
            kind,
            text,
            shown,
            id: None,
        }
    }
}

impl Client<'_> {
    /// Says what a line asks for. Another line is read once the relay has taken this one, or it is refused.
    pub(super) fn say(&mut self, saying: &Saying<'_>) {
        match self.send(saying) {
            Ok(receipt) => {
                let speech = Speech {
                    who: Who::user(self.session.card()),
                    own: Some(OwnWords {
                        number: receipt.number,
                        state: State::Taken,
                    }),
                    to: saying.to.map(|person| person.nick.clone()),
                    kind: saying.kind,
                    text: saying.text.to_owned(),
                    mentions: false,
                    written: None,
                    unseen: 0,
                };
                let remark = self.remark_on_readers(saying, receipt.readers);
                self.outbox.push(receipt, speech, remark, saying.id);
                self.outbox.settle(&self.session, &mut self.screen);
            }
            Err(error) => {
                self.tell_unsent(saying, error);
                self.screen.credit();
            }
        }
    }

    /// Says something to whoever has this nick alone, from a line that was typed when `shown` was on the screen.
    pub(super) fn say_to(&mut self, nick: &str, text: &str, shown: u64) {
        match self.find_reader(nick) {
            Ok(reader) => self.say_to_one(&reader, text, shown),
            Err(error) => self.screen.refuse(None, error),
        }
    }

    /// Says something to one member, if the member had its nick already when Enter was pressed.
    fn say_to_one(&mut self, to: &Person, text: &str, shown: u64) {
        let presence = self.session.presence(to.sid);
        if presence.is_some_and(|presence| presence.named > shown) {
            let (nick, back) = (&to.nick, self.screen.hint_at_history());
            return self.screen.refuse(
                None,
                format!("not sent: {nick} has only come while you typed{back}"),
            );
        }
        self.say(&Saying {
            to: Some(to),
            ..Saying::to_all(Kind::Text, text, shown)
        });
    }

    /// Says something to whoever was the last to say something to the user alone, under whatever nick
    /// now, if what they said was on the screen when Enter was pressed.
    pub(super) fn reply(&mut self, text: &str, shown: u64) {
        let Some((fingerprint, since)) = self.reply_to.last() else {
            return self.screen.refuse(
                None,
                "not sent: nobody has said anything to you alone so far",
            );
        };
        if since > shown {
            let back = self.screen.hint_at_history();
            return self.screen.refuse(
                None,
                format!("not sent: somebody else has written to you alone while you typed{back}"),
            );
        }
        let present = self.session.person_with(fingerprint);
        match present.or_else(|| self.find_missing(|person| person.fingerprint == fingerprint)) {
            Some(person) => self.say_to_one(&person, text, shown),
            None => self
                .screen
                .refuse(None, "not sent: whoever wrote to you is not here any more"),
        }
    }

    /// Tells everybody that the user is away, and why.
    pub(super) fn go_away(&mut self, reason: &str) {
        let reason = if reason.is_empty() { NO_REASON } else { reason };
        if self.announce(Kind::Away, reason) {
            self.screen
                .notice(format!("you are away: {reason}; /back ends that"));
            self.away.begin(reason);
        }
    }

    /// Tells everybody that the user is back.
    pub(super) fn come_back(&mut self) {
        if self.away.end() {
            self.announce(Kind::Back, "back");
            self.screen.notice("you are not away any more");
        } else {
            self.screen.notice("you are not away");
        }
    }

    /// Tells everybody that the user is away or back, without a word on the user's own screen. Returns
    /// whether that is sent.
    pub(in crate::cmd::join) fn announce(&mut self, kind: Kind, text: &str) -> bool {
        let saying = Saying::to_all(kind, text, self.session.changes());
        let sent = self.send(&saying);
        if let Err(error) = sent {
            self.tell_unsent(&saying, error);
        }
        sent.is_ok()
    }

    fn send(&mut self, saying: &Saying<'_>) -> Result<Receipt, SayError> {
        let to = match saying.to {
            None => To::Room {
                shown: saying.shown,
            },
            Some(person) => To::Member(person.sid),
        };
        let now = self.clock.now();
        self.session.say(to, saying.kind, saying.text, now)
    }

    /// What is shown of who can read it, if not everybody can, or whoever it is for is away.
    fn remark_on_readers(&self, saying: &Saying<'_>, readers: usize) -> Option<String> {
        if let Some(person) = saying.to {
            if self.session.presence(person.sid).is_none() {
                return Some(format!(
                    "{} is still missing; this is kept for 5 minutes",
                    person.nick
                ));
            }
            let absence = self.absence(person);
            return absence.map(|why| format!("{} is away: {why}", person.nick));
        }
        // Whoever is expected back gets it then.
        let expected = self.session.expected(self.clock.now()).len();
        let others = self.session.count_others() + expected;
        if others == 0 {
            Some("nobody else is here, so nobody reads this".to_owned())
        } else if readers < others {
            let left_out = others - readers;
            Some(format!(
                "{readers} can read this, {left_out} left out: not trusted, or come while you typed; see /names"
            ))
        } else {
            None
        }
    }

    /// Says why something was not sent. Where nobody sits who could say it otherwise, the exit status
    /// says it too.
    fn tell_unsent(&mut self, saying: &Saying<'_>, error: SayError) {
        let text = saying.text;
        let why = match error {
            SayError::Empty => "not sent: there is nothing in it".to_owned(),
            SayError::TooLong(bytes) => too_long(bytes as u64, &self.screen),
            SayError::TooManyLeftOut => format!(
                "not sent: it would leave out so many that their names do not fit into a message: {text}"
            ),
            SayError::NotThere => {
                let nick = saying.to.map_or("nobody", |person| person.nick.as_str());
                format!(
                    "not sent, as you send nothing to {nick} for now; /whois {nick} shows why: {text}"
                )
            }
            SayError::NotInRoom => format!("not sent, as you are leaving: {text}"),
        };
        // A blank line in a pipe is no loss; a script that asks for one is wrong.
        let is_lost = self.screen.is_json() || error != SayError::Empty;
        if is_lost && !self.screen.has_keyboard() {
            self.exit.note_undone();
        }
        self.screen.refuse(saying.id, why);
    }
}

/// What is wrong with a text that has so many bytes.
pub(super) fn too_long(bytes: u64, screen: &Screen) -> String {
    let back = screen.hint_at_history();
    format!("not sent: it has {bytes} bytes, and a message has at most {MAX_TEXT}{back}")
}
