//! What the user says, from Enter until the relay has taken it.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::cipher::seal::MAX_TEXT;
use crate::room::message::Kind;
use crate::room::names::Nick;
use crate::room::session::{Person, Receipt, SayError, To};

use super::client::Client;
use crate::cmd::join::output::report::{Report, Speech};
use crate::cmd::join::output::wording;

/// One's own words are shown when the relay has taken them; or after this time, as words that it
/// has not.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why what a script asked for is not done in the end.
const NOT_TAKEN: &str =
    "not delivered, as your nick or key has changed before the relay took it; say it again";

/// Those who come learn after this time that the user is away, and all at once.
const AWAY_AGAIN: Duration = Duration::from_secs(3);

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

/// Something that was said, and is on its way to the relay.
pub(super) struct OnItsWay {
    receipt: Receipt,
    text: String,
    /// What to show, if anything.
    speech: Option<Speech>,
    /// What to say of who can read it.
    remark: Option<String>,
    id: Option<String>,
    since: Instant,
    is_shown: bool,
    /// Whether it is from a line that another one waits for.
    is_credited: bool,
}

/// What is on its way, oldest first.
pub(super) type AllOnItsWay = VecDeque<OnItsWay>;

impl Client<'_> {
    /// Says what was typed, or what a script asked for: when it is taken, another line may come.
    pub(super) fn say(&mut self, saying: &Saying<'_>) {
        match self.send(saying) {
            Ok(mut said) => {
                said.is_credited = true;
                said.speech = Some(self.speech(saying));
                said.remark = self.remark_on(saying, said.receipt.readers);
                self.on_its_way.push_back(said);
                self.settle();
            }
            Err(error) => {
                self.not_said(saying, error);
                self.screen.terminal.credit();
            }
        }
    }

    /// Says something to everybody who was on the screen with the change `shown`.
    pub(super) fn say_to_all(&mut self, text: &str, shown: u64) {
        self.say(&Saying {
            to: None,
            kind: Kind::Text,
            text,
            shown,
            id: None,
        });
    }

    /// Says something to one member, if it was under this nick when Enter was pressed.
    pub(super) fn say_directly(&mut self, to: &Person, text: &str, shown: u64) {
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
    pub(super) fn reply(&mut self, text: &str, shown: u64) {
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
    pub(super) fn tell_presence(&mut self, kind: Kind, text: &str) -> bool {
        let saying = Saying {
            to: None,
            kind,
            text,
            shown: self.session.changes(),
            id: None,
        };
        match self.send(&saying) {
            Ok(said) => {
                self.on_its_way.push_back(said);
                true
            }
            Err(error) => {
                self.not_said(&saying, error);
                false
            }
        }
    }

    /// Somebody came, who does not know whether the user is away.
    pub(super) fn expect_newcomers(&mut self) {
        self.newcomers
            .get_or_insert_with(|| Instant::now() + AWAY_AGAIN);
    }

    /// Tells those who came that the user is away, if it is time.
    pub(super) fn tell_newcomers(&mut self) {
        let is_due = self.newcomers.take_if(|at| *at <= Instant::now());
        if is_due.is_some()
            && let Some(text) = self.away.clone()
        {
            self.tell_presence(Kind::Away, &text);
        }
    }

    /// Shows what the relay has taken, and what it has not taken for long.
    pub(super) fn settle(&mut self) {
        while let Some(said) = {
            let session = &self.session;
            self.on_its_way
                .pop_front_if(|said| !session.awaits(&said.receipt))
        } {
            if said.is_shown {
                self.late.push(said.receipt.number);
            }
            let readers = said.receipt.readers;
            if said.is_credited {
                self.screen.terminal.credit();
            }
            if !said.is_shown {
                self.show_said(said.speech, said.remark);
            }
            if said.is_credited {
                self.screen.show(&Report::Done {
                    id: said.id,
                    readers: Some(readers),
                });
            }
        }
        if !self.late.is_empty() && !self.on_its_way.iter().any(|said| said.is_shown) {
            self.screen.mark_taken(std::mem::take(&mut self.late));
            let text = "the relay has taken what was waiting".to_owned();
            self.screen.show(&Report::Aside(text));
        }
        let is_up = self.session.is_inside();
        let is_due = |said: &OnItsWay| !is_up || said.since.elapsed() >= PATIENCE;
        let mut overdue = Vec::new();
        for said in &mut self.on_its_way {
            if !is_due(said) {
                break;
            }
            if !said.is_shown && said.speech.is_some() {
                said.is_shown = true;
                let waiting = Some(said.receipt.number);
                let speech = said
                    .speech
                    .take()
                    .map(|speech| Speech { waiting, ..speech });
                overdue.push((speech, said.remark.take()));
            }
        }
        for (speech, remark) in overdue {
            self.show_said(speech, remark);
        }
    }

    /// The relay has not taken what has this receipt, and will not: what is shown of it stays marked.
    pub(super) fn give_up(&mut self, receipt: u64, readers: &[Nick], text: &str) {
        let is_it = |said: &OnItsWay| said.receipt.number == receipt;
        let place = self.on_its_way.iter().position(is_it);
        let said = place.and_then(|place| self.on_its_way.remove(place));
        if said.as_ref().is_some_and(|said| said.is_credited) {
            self.screen.terminal.credit();
        }
        if let Some(id) = said.and_then(|said| said.id) {
            self.refuse(Some(&id), NOT_TAKEN);
        }
        if !readers.is_empty() {
            self.raise(&wording::not_taken(readers, text));
        }
    }

    /// What was said and the relay has not taken, each with what a script calls it. That the user was
    /// away need not be known any more.
    pub(super) fn untaken(&self) -> Vec<(Option<String>, String)> {
        let is_untaken = |said: &&OnItsWay| said.is_credited && self.session.awaits(&said.receipt);
        let untaken = self.on_its_way.iter().filter(is_untaken);
        untaken
            .map(|said| (said.id.clone(), said.text.clone()))
            .collect()
    }

    fn show_said(&mut self, speech: Option<Speech>, remark: Option<String>) {
        if let Some(speech) = speech {
            self.screen.show(&Report::Said(speech));
        }
        if let Some(remark) = remark {
            self.screen.show(&Report::Aside(remark));
        }
    }

    fn send(&mut self, saying: &Saying<'_>) -> Result<OnItsWay, SayError> {
        let to = match saying.to {
            None => To::Room {
                shown: saying.shown,
            },
            Some(person) => To::Member(person.sid),
        };
        let now = self.clock.now();
        let receipt = self.session.say(to, saying.kind, saying.text, now)?;
        Ok(OnItsWay {
            receipt,
            text: saying.text.to_owned(),
            speech: None,
            remark: None,
            id: saying.id.map(str::to_owned),
            since: Instant::now(),
            is_shown: false,
            is_credited: false,
        })
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
    pub(super) fn brought_back(&self) -> &'static str {
        if self.screen.is_interactive() {
            "; the Up key brings it back"
        } else {
            ""
        }
    }

    /// What is wrong with a text that has so many bytes.
    pub(super) fn too_long(&self, bytes: u64) -> String {
        let back = self.brought_back();
        format!("not sent: it has {bytes} bytes, and a message has at most {MAX_TEXT}{back}")
    }
}
