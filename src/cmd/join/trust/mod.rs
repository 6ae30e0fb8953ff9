//! Trust in the others' identities: what the user knows of them, and accepts or verifies.

mod comparing;
pub(in crate::cmd::join) mod known_people;
pub(in crate::cmd::join) mod typed;

pub(in crate::cmd::join) use self::typed::GROUPS;

use std::collections::HashSet;

use crate::cipher::fingerprint::Fingerprint;
use crate::cmd::people::line::{Note, RecordKind};
use crate::room::names::Nick;
use crate::room::session::{Person, Policy, Session, Standing};

use self::known_people::{KnownPeople, Unwritten};

/// How many of a fingerprint's last characters the user must type in order to accept it. They are 58 bits.
/// Somebody who wants a key whose fingerprint has the same end can try the products of any two of many
/// primes. That takes 2^58 tries, but only some 2^29 primes.
pub(in crate::cmd::join) const MIN_SUFFIX: usize = 10;

/// How many columns the nicks of those take who are named one by one.
const LONGEST_LIST: usize = 32;

/// What the user knows of the people in a room.
pub(in crate::cmd::join) struct Trust {
    people: KnownPeople,
    /// Of which nicks it was told that others have them too, by [`Nick::skeleton`].
    namesakes: HashSet<String>,
    /// Whether somebody new is somebody known the next time.
    remembers_new: bool,
    /// Whether the user has had the advice about people whom they meet for the first time.
    has_advised: bool,
    /// Whether the disk has been too full for what the user knows of somebody.
    is_disk_full: bool,
}

/// The end of a fingerprint that is read out, and that `/trust` takes.
pub(in crate::cmd::join) fn end_of(fingerprint: Fingerprint) -> String {
    let shown = fingerprint.to_string();
    let begin = shown.len().saturating_sub(MIN_SUFFIX);
    shown.get(begin..).unwrap_or_default().to_owned()
}

/// What the client says to the user about a person's identity.
pub(in crate::cmd::join) enum Remark {
    /// Something that is good to know.
    Notice(String),
    /// The client does not do what the user wants, who has made a mistake.
    Mistake(String),
    /// The file does not take what the user knows of somebody.
    Failure(String),
    /// The person with this nick is another one than the user knows by it from elsewhere.
    Namesake(Nick, String),
    /// The person with this nick may be an impostor.
    Alarm(Nick, String),
    /// Somebody in the room may be an impostor: others see another code.
    CodesDiffer(String),
}

impl Trust {
    pub(in crate::cmd::join) fn new(people: KnownPeople, remembers_new: bool) -> Self {
        Self {
            people,
            namesakes: HashSet::new(),
            remembers_new,
            has_advised: false,
            is_disk_full: false,
        }
    }

    /// Whether the disk has been too full for what the user knows of somebody.
    pub(in crate::cmd::join) fn is_disk_full(&self) -> bool {
        self.is_disk_full
    }

    fn failure(&mut self, unwritten: Unwritten) -> Remark {
        self.is_disk_full |= unwritten.is_disk_full;
        Remark::Failure(unwritten.words)
    }

    /// The words that say that others could write to the file until now; `None` if not.
    pub(in crate::cmd::join) fn opening(&self) -> Option<String> {
        self.people.opening()
    }

    /// The words that say how many lines of the file cannot be read; `None` if all can.
    pub(in crate::cmd::join) fn damage(&self) -> Option<String> {
        self.people.damage()
    }

    fn standing(&self, person: &Person) -> Standing {
        self.people.standing(&person.nick, person.fingerprint)
    }

    /// The standing of an identity that had this nick, whether it is there or not.
    pub(in crate::cmd::join) fn standing_of(
        &self,
        nick: &Nick,
        fingerprint: Fingerprint,
    ) -> Standing {
        self.people.standing(nick, fingerprint)
    }

    /// Finds the standing of somebody who is there, and sets it in `person` and in the session. Remembers
    /// somebody who is new here, at `now` in seconds since 1970. Returns what to say about it.
    ///
    /// Whoever has taken another nick, which the same identity has signed, is met anew: what the user knows of them
    /// goes with the identity, unless the user knows another one here under the new nick.
    pub(in crate::cmd::join) fn meet(
        &mut self,
        session: &mut Session,
        person: &mut Person,
        now: i64,
    ) -> Vec<Remark> {
        let was_refused = person.standing == Standing::Changed;
        let is_first = self.people.expected(&person.nick).is_none();
        person.standing = match self.standing(person) {
            // Nothing goes to them under one nick, so nothing goes to them under another.
            _ if was_refused && is_first => Standing::Changed,
            standing => standing,
        };
        session.set_standing(person.sid, person.standing);
        let is_remembered = match person.standing {
            Standing::Changed if is_first => return vec![refused(&person.nick)],
            Standing::Changed => return vec![changed(&person.nick)],
            Standing::New => person.is_lasting && self.remembers_new,
            Standing::Known | Standing::Verified => true,
        };
        let mut remarks = Vec::new();
        if is_first && is_remembered {
            let before = self.is_disk_full;
            let written = self.people.remember(RecordKind::Seen, None, person, now);
            let failure = written.err().map(|unwritten| self.failure(unwritten));
            // Of those who come and go, that is told once.
            remarks.extend(failure.filter(|_| !before));
        }
        if let Some(words) = self.people.namesake(person, is_first)
            && self.namesakes.insert(person.nick.skeleton())
        {
            remarks.push(Remark::Namesake(person.nick.clone(), words));
        }
        remarks
    }

    /// Notes something of somebody; nothing takes the note away.
    pub(in crate::cmd::join) fn note(
        &mut self,
        session: &mut Session,
        person: &Person,
        text: &str,
        now: i64,
    ) -> Remark {
        let nick = &person.nick;
        if !person.is_lasting {
            return Remark::Mistake(format!(
                "nothing is noted: {nick} has saved no identity, and the next {nick} may be anybody"
            ));
        }
        let note = match Note::parse(text) {
            Ok(note) => note,
            Err(count) => {
                return Remark::Mistake(format!(
                    "nothing is noted: that has {count} characters, and a note at most {}",
                    Note::MOST
                ));
            }
        };
        let words = match &note {
            Some(note) => format!("you have noted of {nick}: {note}"),
            None => format!("nothing is noted of {nick}"),
        };
        let written = self.people.note(person, note, now);
        let standing = match self.standing(person) {
            _ if person.standing == Standing::Changed => Standing::Changed,
            standing => standing,
        };
        session.set_standing(person.sid, standing);
        let policy = session.policy();
        let changes = policy.admits(standing) != policy.admits(person.standing);
        match written {
            Err(unwritten) => self.failure(unwritten),
            Ok(()) if changes && policy.admits(standing) => Remark::Notice(format!(
                "{words}; so you know {nick} now, who gets what you write"
            )),
            Ok(()) if changes => Remark::Notice(format!(
                "{words}; so you do not know {nick} any more, who gets no messages"
            )),
            Ok(()) => Remark::Notice(words),
        }
    }

    /// All that is known of somebody besides, in rows.
    pub(in crate::cmd::join) fn rows(&self, person: &Person) -> Vec<String> {
        self.people.rows(person)
    }

    /// What stands behind a nick where the client announces the person. It does not show a fingerprint
    /// that has changed: a user who could copy it would accept it and ask nobody.
    pub(in crate::cmd::join) fn introduce(&self, policy: &Policy, person: &Person) -> String {
        let about = self.describe(policy, person);
        if person.standing == Standing::Changed {
            format!("({about})")
        } else {
            format!("{} ({about})", person.fingerprint)
        }
    }

    /// What stands behind a nick where the user asks for the person: the fingerprint in any case, and if
    /// it has changed, also the former one.
    pub(in crate::cmd::join) fn identify(&self, policy: &Policy, person: &Person) -> String {
        let about = self.describe(policy, person);
        let before = match self.people.expected(&person.nick) {
            Some(expected) if person.standing == Standing::Changed => {
                format!("; it was {}", expected.fingerprint)
            }
            _ => String::new(),
        };
        format!("{} ({about}{before})", person.fingerprint)
    }

    /// A person's standing in words, and whether the person gets no messages.
    pub(in crate::cmd::join) fn describe(&self, policy: &Policy, person: &Person) -> String {
        let since = || {
            let since = self.people.since(person.fingerprint);
            since.map_or(String::new(), |day| format!(" since {day}"))
        };
        let known = match person.standing {
            Standing::New if person.is_lasting => {
                let elsewhere = self.people.seen_elsewhere(person.fingerprint);
                elsewhere.map_or("new".to_owned(), |seen| format!("new here, {seen}"))
            }
            Standing::Changed | Standing::New => standing(person).to_owned(),
            Standing::Known if !person.is_lasting => "known for this stay only".to_owned(),
            Standing::Known => format!("known{}", since()),
            Standing::Verified if !person.is_lasting => "verified for this stay only".to_owned(),
            Standing::Verified => format!("verified, known{}", since()),
        };
        known + left_out(policy, person)
    }

    /// The same in short, so that it is the same of many.
    pub(in crate::cmd::join) fn describe_in_short(policy: &Policy, person: &Person) -> String {
        standing(person).to_owned() + left_out(policy, person)
    }

    /// Advice about those of these people who get no messages because of `--only-known` or
    /// `--only-verified`; `None` if there are none.
    pub(in crate::cmd::join) fn advice(policy: &Policy, people: &[Person]) -> Option<String> {
        let left_out: Vec<&str> = people
            .iter()
            .filter(|it| it.standing != Standing::Changed && !policy.admits(it.standing))
            .map(|person| person.nick.as_str())
            .collect();
        let nick = match left_out.as_slice() {
            [] => return None,
            [nick] => nick,
            _ => "NICK",
        };
        let who = left_out.join(", ");
        let who = if left_out.len() > 1 && who.len() > LONGEST_LIST {
            format!("{} of those who are here", left_out.len())
        } else {
            who
        };
        let (option, remedy) = if policy.at_least == Standing::Verified {
            ("--only-verified", format!("/verify {nick}"))
        } else {
            ("--only-known", format!("/verify {nick} or /trust {nick}"))
        };
        Some(format!(
            "nothing that you write goes to {who}, as you asked with {option}; to change that, type {remedy}"
        ))
    }

    /// Advice about people whom the user meets for the first time. It comes once: a user who does not want
    /// it need not read it again.
    pub(in crate::cmd::join) fn advise_on_newcomers(
        &mut self,
        by_invite: bool,
        people: &[Person],
    ) -> Option<String> {
        let new: Vec<&str> = people
            .iter()
            .filter(|person| person.standing == Standing::New)
            .map(|person| person.nick.as_str())
            .collect();
        let command = match new.as_slice() {
            // With an invite the relay cannot come in between: it cannot make cards for such a room.
            _ if by_invite || self.has_advised => return None,
            [] => return None,
            [nick] => format!("/verify {nick}"),
            _ => "/code".to_owned(),
        };
        self.has_advised = true;
        let who = new.join(" or ");
        Some(if new.len() > 1 && who.len() > LONGEST_LIST {
            format!("to make sure that nobody here is posing as another, type {command}")
        } else {
            format!(
                "to make sure that nobody is posing as {who}, whom you meet for the first time, type {command}"
            )
        })
    }
}

/// A person's standing in a word or two.
fn standing(person: &Person) -> &'static str {
    match person.standing {
        Standing::Changed => "IDENTITY CHANGED",
        Standing::New if person.is_lasting => "new",
        Standing::New => "for this stay only",
        Standing::Known => "known",
        Standing::Verified => "verified",
    }
}

/// That a person gets no messages, if so.
fn left_out(policy: &Policy, person: &Person) -> &'static str {
    if policy.admits(person.standing) {
        ""
    } else {
        ", gets no messages"
    }
}

/// The alarm about somebody whose identity is not the one that the user knows. It does not show the
/// fingerprint: a user who could copy it would ask nobody.
fn changed(nick: &Nick) -> Remark {
    let text = format!(
        "THE IDENTITY OF {nick} HAS CHANGED: {nick} has made a new key, or somebody else is here under this name. Nothing that you write goes there. Ask {}, and only then type: /trust {nick} and these characters",
        how_to_ask(nick)
    );
    Remark::Alarm(nick.clone(), text)
}

/// The alarm about somebody who came with another identity than the user knows under that nick, and has
/// now taken a nick under which the user knows nobody.
fn refused(nick: &Nick) -> Remark {
    let text = format!(
        "{nick} is whoever came with another identity than the one you know: nothing that you write goes there under this nick either. Ask {}, and only then type: /trust {nick} and these characters",
        how_to_ask(nick)
    );
    Remark::Alarm(nick.clone(), text)
}

/// The words that say whom to ask, how, and for what.
fn how_to_ask(nick: &Nick) -> String {
    format!(
        "{nick}, on the telephone or face to face, for the last {MIN_SUFFIX} characters of the fingerprint that {nick} sees with /fingerprint"
    )
}
