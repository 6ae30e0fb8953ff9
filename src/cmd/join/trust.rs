//! Who the others are: what is known of them, and what the user says of them.

use crate::cipher::encoding::Encoder;
use crate::cipher::fingerprint::{Fingerprint, digit_groups};
use crate::room::session::{Person, Session, Standing};

use super::people::{Meeting, People};

/// How many of a fingerprint's last characters must be given in order to accept it.
const SUFFIX: usize = 6;

/// The people of a room and what is known of them.
pub(super) struct Trust {
    people: People,
    /// Whether somebody new is somebody known the next time.
    remembers_new: bool,
}

/// What is to be said about somebody.
pub(super) enum Remark {
    Notice(String),
    Warning(String),
}

impl Trust {
    pub(super) fn new(people: People, remembers_new: bool) -> Self {
        Self {
            people,
            remembers_new,
        }
    }

    /// What is wrong with the file.
    pub(super) fn damage(&self) -> Option<String> {
        self.people.damage()
    }

    /// Somebody is there. Tells the session what is known of them, and returns what to say.
    pub(super) fn meet(
        &mut self,
        session: &mut Session,
        person: &mut Person,
        now: i64,
    ) -> Option<Remark> {
        person.standing = self.people.standing(person);
        session.set_standing(person.sid, person.standing);
        match person.standing {
            Standing::Changed => Some(self.changed(person)),
            Standing::New if person.is_lasting && self.remembers_new => {
                let written = self.people.remember(Meeting::Seen, person, now);
                written
                    .err()
                    .map(|error| Remark::Warning(error.to_string()))
            }
            Standing::New | Standing::Known | Standing::Verified => None,
        }
    }

    fn changed(&self, person: &Person) -> Remark {
        let nick = &person.nick;
        let fingerprint = person.fingerprint.to_string();
        let end = suffix(&fingerprint);
        let before = self
            .people
            .get(nick)
            .map_or("another", |known| known.fingerprint.as_str());
        Remark::Warning(format!(
            "THE IDENTITY OF {nick} HAS CHANGED: {nick} has made a new key, or somebody else is here under this name. Nothing that you write goes there. Ask {nick}, on the telephone or face to face, whether the fingerprint ends in {end} now, and only then type: /trust {nick} {end} (it was {before} and is {fingerprint} now)",
        ))
    }

    /// What stands behind somebody's name in lists.
    pub(super) fn describe(&self, person: &Person) -> String {
        let since = || {
            let known = self.people.get(&person.nick)?;
            let since = jiff::Timestamp::from_second(known.since).ok()?;
            let day = since.to_zoned(jiff::tz::TimeZone::system()).date();
            Some(format!(" since {day}"))
        };
        let known = match person.standing {
            Standing::Changed => "IDENTITY CHANGED, gets no messages".to_owned(),
            Standing::New if person.is_lasting => "new".to_owned(),
            Standing::New => "for this stay only".to_owned(),
            Standing::Known => format!("known{}", since().unwrap_or_default()),
            Standing::Verified => format!("verified, known{}", since().unwrap_or_default()),
        };
        let confirmed = if person.is_confirmed {
            ""
        } else {
            ", unconfirmed"
        };
        format!("({known}{confirmed})")
    }

    /// Accepts somebody's changed identity, given the end of its fingerprint.
    pub(super) fn accept(
        &mut self,
        session: &mut Session,
        person: &Person,
        end: &str,
        now: i64,
    ) -> Remark {
        let nick = &person.nick;
        let fingerprint = person.fingerprint.to_string();
        if person.standing != Standing::Changed {
            return Remark::Notice(format!("the identity of {nick} has not changed"));
        }
        if end.chars().count() < SUFFIX || !fingerprint.ends_with(end) {
            return Remark::Warning(format!(
                "nothing is accepted: {nick} has {fingerprint} now. Give its last {SUFFIX} characters or more, and only if {nick} has told them to you; if {nick} told you others, somebody else is here under this name"
            ));
        }
        self.settle(session, Meeting::Accepted, person, now)
    }

    /// The digits that both sides see when they compare.
    pub(super) fn comparison(session: &Session, person: &Person) -> String {
        let mut both = [session.card().fingerprint(), person.fingerprint];
        both.sort();
        both.map(|fingerprint| fingerprint.safety_number())
            .join(" ")
    }

    /// Marks somebody as verified, given the digits that were compared.
    pub(super) fn verify(
        &mut self,
        session: &mut Session,
        person: &Person,
        digits: &str,
        now: i64,
    ) -> Remark {
        let nick = &person.nick;
        if !same_digits(digits, &Self::comparison(session, person)) {
            return Remark::Warning(format!(
                "the numbers differ: {nick} is NOT verified. Compare again with /verify {nick}; if they still differ, somebody is posing as {nick} or as you: write nothing secret here"
            ));
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
        session.set_standing(person.sid, self.people.standing(person));
        match (written, meeting) {
            (Err(error), _) => Remark::Warning(format!("{error}. It counts until you leave")),
            (Ok(()), Meeting::Verified) if person.is_lasting => {
                Remark::Notice(format!("{nick} is verified"))
            }
            (Ok(()), Meeting::Verified) => Remark::Notice(format!(
                "{nick} is verified for this stay, as this identity is made for one"
            )),
            (Ok(()), _) => Remark::Notice(format!("{nick} is known by {} now", person.fingerprint)),
        }
    }

    /// The digits that everybody in a room sees, if all of them see the same people.
    pub(super) fn room_code(session: &Session) -> String {
        let mut all: Vec<Fingerprint> = session.others().iter().map(|p| p.fingerprint).collect();
        all.push(session.card().fingerprint());
        all.sort();
        // Two digests, as one has the digits for 100 bits.
        let halves = [1, 2].map(|half| {
            let mut fields = Encoder::tagged("e2echat/1 room code").byte(half);
            for fingerprint in &all {
                fields = fields.bytes(fingerprint.as_bytes());
            }
            digit_groups(&fields.digest())
        });
        halves.join(" ")
    }

    /// Marks everybody as verified, given the digits that were compared.
    pub(super) fn verify_all(
        &mut self,
        session: &mut Session,
        digits: &str,
        now: i64,
    ) -> Vec<Remark> {
        if !same_digits(digits, &Self::room_code(session)) {
            return vec![Remark::Warning(
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

fn suffix(fingerprint: &str) -> &str {
    let start = fingerprint.len().saturating_sub(SUFFIX);
    fingerprint.get(start..).unwrap_or(fingerprint)
}

/// Whether two numbers are the same but for how they are grouped. No digits are never the same.
fn same_digits(one: &str, other: &str) -> bool {
    let digits = |text: &str| -> String { text.chars().filter(char::is_ascii_digit).collect() };
    digits(one) == digits(other) && !digits(one).is_empty()
}
