//! Who the others are: what is known of them, and what the user says of them.

pub(in crate::cmd) mod known_people;

use crate::cipher::fingerprint::Fingerprint;
use crate::room::comparison;
use crate::room::names::Nick;
use crate::room::session::{Person, Policy, Session, Standing};

use self::known_people::{Meeting, People};

/// How many of a fingerprint's last characters must be given in order to accept it: 58 bits. Somebody
/// who wants to pose under a key with the same end can try the products of each two of many primes,
/// and so needs the primes for half as many bits alone.
const SUFFIX: usize = 10;

/// The people of a room and what is known of them.
pub(in crate::cmd::join) struct Trust {
    people: People,
    /// Whether somebody new is somebody known the next time.
    remembers_new: bool,
    /// Whether the user was told what to do about people whom they meet for the first time.
    has_advised: bool,
}

/// What is to be said about somebody.
pub(in crate::cmd::join) enum Remark {
    Notice(String),
    /// Something is not done.
    Refusal(String),
    /// Something may be wrong with somebody.
    Alarm(Nick, String),
}

impl Trust {
    pub(in crate::cmd::join) fn new(people: People, remembers_new: bool) -> Self {
        Self {
            people,
            remembers_new,
            has_advised: false,
        }
    }

    /// What is wrong with the file.
    pub(in crate::cmd::join) fn damage(&self) -> Option<String> {
        self.people.damage()
    }

    /// Somebody is there. Tells the session what is known of them, and returns what to say.
    pub(in crate::cmd::join) fn meet(
        &mut self,
        session: &mut Session,
        person: &mut Person,
        now: i64,
    ) -> Option<Remark> {
        let was_refused = person.standing == Standing::Changed;
        person.standing = match self.people.standing(person) {
            // To whom nothing goes under one nick, to them nothing goes under another.
            Standing::New if was_refused => Standing::Changed,
            standing => standing,
        };
        session.set_standing(person.sid, person.standing);
        match person.standing {
            Standing::Changed if self.people.get(&person.nick).is_none() => {
                Some(refused(&person.nick))
            }
            Standing::Changed => Some(changed(&person.nick)),
            Standing::New if person.is_lasting && self.remembers_new => {
                let written = self.people.remember(Meeting::Seen, person, now);
                written
                    .err()
                    .map(|error| Remark::Refusal(error.to_string()))
            }
            Standing::New | Standing::Known | Standing::Verified => None,
        }
    }

    /// Somebody is called something else, which the same identity has signed: what is known goes with it, unless the new nick is remembered as another's.
    pub(in crate::cmd::join) fn follow(
        &mut self,
        session: &mut Session,
        person: &mut Person,
        now: i64,
    ) -> Option<Remark> {
        let meeting = match person.standing {
            Standing::Verified => Meeting::Verified,
            Standing::Known => Meeting::Accepted,
            Standing::New | Standing::Changed => return self.meet(session, person, now),
        };
        if self.people.standing(person) != Standing::New {
            return self.meet(session, person, now);
        }
        let written = self.people.remember(meeting, person, now);
        person.standing = self.people.standing(person);
        session.set_standing(person.sid, person.standing);
        written
            .err()
            .map(|error| Remark::Refusal(error.to_string()))
    }

    /// What stands behind somebody's name where it is announced. A fingerprint that has changed is
    /// not there: who could copy it would accept it without having asked.
    pub(in crate::cmd::join) fn introduce(&self, policy: &Policy, person: &Person) -> String {
        let about = self.describe(policy, person);
        if person.standing == Standing::Changed {
            format!("({about})")
        } else {
            format!("{} ({about})", person.fingerprint)
        }
    }

    /// The same with the fingerprint in any case.
    pub(in crate::cmd::join) fn identify(&self, policy: &Policy, person: &Person) -> String {
        let about = self.describe(policy, person);
        let before = match self.people.get(&person.nick) {
            Some(known) if person.standing == Standing::Changed => {
                format!("; it was {}", known.fingerprint)
            }
            _ => String::new(),
        };
        format!("{} ({about}{before})", person.fingerprint)
    }

    /// What is known of somebody.
    fn describe(&self, policy: &Policy, person: &Person) -> String {
        let since = || {
            let known = self.people.get(&person.nick)?;
            let since = jiff::Timestamp::from_second(known.since).ok()?;
            let day = since.to_zoned_datetime(jiff::tz::TimeZone::system()).date();
            Some(format!(" since {day}"))
        };
        let known = match person.standing {
            Standing::Changed => "IDENTITY CHANGED".to_owned(),
            Standing::New if person.is_lasting => "new".to_owned(),
            Standing::New => "for this stay only".to_owned(),
            Standing::Known => format!("known{}", since().unwrap_or_default()),
            Standing::Verified => format!("verified, known{}", since().unwrap_or_default()),
        };
        let left_out = if policy.admits(person.standing) {
            ""
        } else {
            ", gets no messages"
        };
        format!("{known}{left_out}")
    }

    /// What to do about those of these people who get no messages because the user wants it so.
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
        let (option, remedy) = if policy.at_least == Standing::Verified {
            ("--only-verified", format!("/verify {nick}"))
        } else {
            ("--only-known", format!("/verify {nick} or /trust {nick}"))
        };
        Some(format!(
            "nothing that you write goes to {}, as you asked with {option}; to change that, type {remedy}",
            left_out.join(", ")
        ))
    }

    /// What to do about people who are there for the first time. It is said once: whoever does not
    /// want to know need not read it again.
    pub(in crate::cmd::join) fn first_contact(
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
            // By an invite nobody can have come in between.
            _ if by_invite || self.has_advised => return None,
            [] => return None,
            [nick] => format!("/verify {nick}"),
            _ => "/code".to_owned(),
        };
        self.has_advised = true;
        Some(format!(
            "to make sure that nobody is posing as {}, whom you meet for the first time, type {command}",
            new.join(" or ")
        ))
    }

    /// Accepts somebody's identity that is new or has changed, given the end of its fingerprint.
    pub(in crate::cmd::join) fn accept(
        &mut self,
        session: &mut Session,
        person: &Person,
        end: &str,
        now: i64,
    ) -> Remark {
        let nick = &person.nick;
        let fingerprint = person.fingerprint.to_string();
        let policy = session.policy();
        let is_left_out = person.standing == Standing::New && policy.at_least == Standing::Known;
        if person.standing != Standing::Changed && !is_left_out {
            return Remark::Notice(format!(
                "the identity of {nick} has not changed; /verify {nick} makes sure of it"
            ));
        }
        if end.is_empty() {
            return Remark::Notice(format!(
                "ask {}, and type them after /trust {nick}",
                for_end(nick)
            ));
        }
        if end.chars().count() < SUFFIX {
            return Remark::Refusal(format!(
                "nothing is accepted: type at least {SUFFIX} characters after /trust {nick}, as {nick} has told them to you"
            ));
        }
        if !fingerprint.ends_with(end) {
            let text = format!(
                "nothing is accepted: the fingerprint of whoever is here as {nick} does not end so. Have {nick} read the end of it to you once more, in capitals or not as it stands there; if it is what you typed, somebody else is here under this name: write nothing secret here"
            );
            return Remark::Alarm(nick.clone(), text);
        }
        self.settle(session, Meeting::Accepted, person, now)
    }

    /// The digits that both sides see when they compare.
    pub(in crate::cmd::join) fn comparison(session: &Session, person: &Person) -> String {
        comparison::pair_code(session.card().fingerprint(), person.fingerprint)
    }

    /// Marks somebody as verified, given the digits that were compared.
    pub(in crate::cmd::join) fn verify(
        &mut self,
        session: &mut Session,
        person: &Person,
        digits: &str,
        now: i64,
    ) -> Remark {
        let nick = &person.nick;
        if !same_digits(digits, &Self::comparison(session, person)) {
            let text = format!(
                "the numbers differ: {nick} is NOT verified. Compare again with /verify {nick}; if they still differ, somebody is posing as {nick} or as you: write nothing secret here"
            );
            return Remark::Alarm(nick.clone(), text);
        }
        self.settle(session, Meeting::Verified, person, now)
    }

    fn settle(
        &mut self,
        session: &mut Session,
        meeting: Meeting,
        person: &Person,
        now: i64,
    ) -> Remark {
        let nick = &person.nick;
        let written = self.people.remember(meeting, person, now);
        let standing = self.people.standing(person);
        session.set_standing(person.sid, standing);
        match (written, meeting) {
            (Err(error), _) => Remark::Refusal(format!("{error}. It counts until you leave")),
            (Ok(()), Meeting::Verified) if person.is_lasting => {
                Remark::Notice(format!("{nick} is verified"))
            }
            (Ok(()), Meeting::Verified) => Remark::Notice(format!(
                "{nick} is verified for this stay, as this identity is made for one"
            )),
            (Ok(()), _) if !session.policy().admits(standing) => Remark::Notice(format!(
                "{nick} is known by {} now, and gets no messages before you have typed /verify {nick}, as you asked with --only-verified",
                person.fingerprint
            )),
            (Ok(()), _) => Remark::Notice(format!("{nick} is known by {} now", person.fingerprint)),
        }
    }

    /// The digits that everybody in a room sees, if all of them see the same people.
    pub(in crate::cmd::join) fn room_code(session: &Session) -> String {
        let mut everybody: Vec<Fingerprint> =
            session.others().iter().map(|p| p.fingerprint).collect();
        everybody.push(session.card().fingerprint());
        comparison::room_code(everybody)
    }

    /// Marks everybody as verified, given the digits that were compared.
    pub(in crate::cmd::join) fn verify_all(
        &mut self,
        session: &mut Session,
        digits: &str,
        now: i64,
    ) -> Vec<Remark> {
        if !same_digits(digits, &Self::room_code(session)) {
            return vec![Remark::Refusal(
                "the codes differ: nobody is verified. Compare again with /code, which changes when somebody comes or goes; if they still differ, somebody is posing as another: write nothing secret here".to_owned(),
            )];
        }
        let others = session.others();
        others
            .iter()
            .map(|person| self.settle(session, Meeting::Verified, person, now))
            .collect()
    }
}

/// The warning does not say what the fingerprint is now: somebody who can copy it asks nobody.
fn changed(nick: &Nick) -> Remark {
    let text = format!(
        "THE IDENTITY OF {nick} HAS CHANGED: {nick} has made a new key, or somebody else is here under this name. Nothing that you write goes there. Ask {}, and only then type: /trust {nick} and these characters",
        for_end(nick)
    );
    Remark::Alarm(nick.clone(), text)
}

/// The warning for somebody who came under a nick that is remembered as another's, and has taken one
/// that nobody has had.
fn refused(nick: &Nick) -> Remark {
    let text = format!(
        "{nick} is whoever came with another identity than the one you know: nothing that you write goes there under this nick either. Ask {}, and only then type: /trust {nick} and these characters",
        for_end(nick)
    );
    Remark::Alarm(nick.clone(), text)
}

/// Whom to ask, how, and for what.
fn for_end(nick: &Nick) -> String {
    format!(
        "{nick}, on the telephone or face to face, for the last {SUFFIX} characters of the fingerprint that {nick} sees with /fingerprint"
    )
}

/// Whether two numbers are the same but for how they are grouped. No digits are never the same.
fn same_digits(one: &str, other: &str) -> bool {
    let digits = |text: &str| -> String { text.chars().filter(char::is_ascii_digit).collect() };
    digits(one) == digits(other) && !digits(one).is_empty()
}
