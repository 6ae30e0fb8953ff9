//! What the user says: to whom, and what is told if it cannot be said.

use std::time::{Duration, Instant};

use crate::cipher::seal::MAX_TEXT;
use crate::cmd::join::client::Client;
use crate::cmd::join::outbox::OnItsWay;
use crate::cmd::join::output::alarms::Incident;
use crate::cmd::join::output::report::Speech;
use crate::room::message::Kind;
use crate::room::names::Nick;
use crate::room::session::{Person, Receipt, SayError, To};

/// Those who come learn after this time that the user is away, and all at once.
const AWAY_AGAIN: Duration = Duration::from_secs(3);

/// Why what a script asked for is not done in the end.
const NOT_TAKEN: &str =
    "not delivered, as your nick or key has changed before the relay took it; say it again";

/// What the user wants to say.
#[derive(Clone, Copy)]
pub(in crate::cmd::join) struct Saying<'a> {
    /// To whom alone, if not to everybody.
    pub(in crate::cmd::join) to: Option<&'a Person>,
    pub(in crate::cmd::join) kind: Kind,
    pub(in crate::cmd::join) text: &'a str,
    /// The change of the roster that was on the screen.
    pub(in crate::cmd::join) shown: u64,
    /// What a script calls it.
    pub(in crate::cmd::join) id: Option<&'a str>,
}

impl Client<'_> {
    /// Says what was typed, or what a script asked for: when it is taken, another line may come.
    pub(in crate::cmd::join) fn say(&mut self, saying: &Saying<'_>) {
        match self.send(saying) {
            Ok(receipt) => {
                let said = OnItsWay::new(receipt, saying.text, saying.id);
                let remark = self.remark_on(saying, receipt.readers);
                self.outbox.push(said.shown_as(self.speech(saying), remark));
                self.settle();
            }
            Err(error) => {
                self.not_said(saying, error);
                self.screen.terminal.credit();
            }
        }
    }

    /// Says something to everybody who was on the screen with the change `shown`.
    pub(in crate::cmd::join) fn say_to_all(&mut self, text: &str, shown: u64) {
        self.say(&Saying {
            to: None,
            kind: Kind::Text,
            text,
            shown,
            id: None,
        });
    }

    /// Says something to one member, if it was under this nick when Enter was pressed.
    pub(in crate::cmd::join) fn say_directly(&mut self, to: &Person, text: &str, shown: u64) {
        let presence = self.session.presence(to.sid);
        if presence.is_none_or(|presence| presence.named > shown) {
            let (nick, back) = (&to.nick, self.brought_back());
            return self.refuse(
                None,
                format!("not sent: {nick} has only come while you typed{back}"),
            );
        }
        self.say(&Saying {
            to: Some(to),
            kind: Kind::Text,
            text,
            shown,
            id: None,
        });
    }

    /// Says something to whoever said something to the user alone last, whatever it is called now,
    /// if that was on the screen when Enter was pressed.
    pub(in crate::cmd::join) fn reply(&mut self, text: &str, shown: u64) {
        let Some((fingerprint, since)) = self.to_reply else {
            return self.refuse(
                None,
                "not sent: nobody has said anything to you alone so far",
            );
        };
        if since > shown {
            let back = self.brought_back();
            return self.refuse(
                None,
                format!("not sent: somebody else has written to you alone while you typed{back}"),
            );
        }
        let mut others = self.session.others().into_iter();
        match others.find(|person| person.fingerprint == fingerprint) {
            Some(person) => self.say_directly(&person, text, shown),
            None => self.refuse(None, "not sent: whoever wrote to you is not here any more"),
        }
    }

    /// Tells everybody that the user is away, or back. Returns whether that went out.
    pub(in crate::cmd::join) fn tell_presence(&mut self, kind: Kind, text: &str) -> bool {
        let saying = Saying {
            to: None,
            kind,
            text,
            shown: self.session.changes(),
            id: None,
        };
        match self.send(&saying) {
            Ok(receipt) => {
                self.outbox.push(OnItsWay::new(receipt, text, None));
                true
            }
            Err(error) => {
                self.not_said(&saying, error);
                false
            }
        }
    }

    /// Somebody came, who does not know whether the user is away.
    pub(in crate::cmd::join) fn expect_newcomers(&mut self) {
        self.newcomers
            .get_or_insert_with(|| Instant::now() + AWAY_AGAIN);
    }

    /// Tells those who came that the user is away, if it is time.
    pub(in crate::cmd::join) fn tell_newcomers(&mut self) {
        let is_due = self.newcomers.take_if(|at| *at <= Instant::now());
        if is_due.is_some()
            && let Some(text) = self.away.clone()
        {
            self.tell_presence(Kind::Away, &text);
        }
    }

    /// Shows what the relay has taken, and what it has not taken for long.
    pub(in crate::cmd::join) fn settle(&mut self) {
        self.outbox.settle(&self.session, &mut self.screen);
    }

    /// The relay has not taken what has this receipt, and will not.
    pub(in crate::cmd::join) fn give_up(&mut self, receipt: u64, readers: &[Nick], text: &str) {
        if let Some(id) = self.outbox.give_up(receipt, &mut self.screen) {
            self.refuse(Some(&id), NOT_TAKEN);
        }
        if !readers.is_empty() {
            let (nicks, text) = (readers.to_vec(), text.to_owned());
            self.raise(&Incident::NotTaken { nicks, text }.into());
        }
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

    fn speech(&self, saying: &Saying<'_>) -> Speech {
        Speech {
            who: self.who_i_am(),
            own: true,
            to: saying.to.map(|person| person.nick.clone()),
            kind: saying.kind,
            text: saying.text.to_owned(),
            mentions: false,
            waiting: None,
        }
    }

    /// What is to be said of who can read it, if it is not everybody.
    fn remark_on(&self, saying: &Saying<'_>, readers: usize) -> Option<String> {
        if let Some(person) = saying.to {
            let absence = self.absence(person);
            return absence.map(|why| format!("{} is away: {why}", person.nick));
        }
        let others = self.session.others().len();
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

    fn not_said(&mut self, saying: &Saying<'_>, error: SayError) {
        let text = saying.text;
        // A blank line in a pipe is no loss; a script that asks for one is wrong.
        let is_lost = self.screen.is_json() || !matches!(error, SayError::Empty);
        let why = match error {
            SayError::Empty => "not sent: there is nothing in it".to_owned(),
            SayError::TooLong(bytes) => self.too_long(bytes as u64),
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
        self.refused |= is_lost && !self.screen.has_keyboard();
        self.refuse(saying.id, why);
    }

    /// How to get back what was typed, if there is a line editor.
    pub(in crate::cmd::join) fn brought_back(&self) -> &'static str {
        if self.screen.is_interactive() {
            "; the Up key brings it back"
        } else {
            ""
        }
    }

    /// What is wrong with a text that has so many bytes.
    pub(in crate::cmd::join) fn too_long(&self, bytes: u64) -> String {
        let back = self.brought_back();
        format!("not sent: it has {bytes} bytes, and a message has at most {MAX_TEXT}{back}")
    }
}
