//! What follows from a comparison: somebody is verified, or accepted, or the user is warned. What was typed in
//! another form than it has is no reason for a warning.

use crate::cipher::fingerprint::Fingerprint;
use crate::cmd::people::line::{RecordKind, Way};
use crate::room::comparison;
use crate::room::names::Nick;
use crate::room::session::{Person, Session, Standing};

use super::typed::{Comparison, MIN_DIGITS, TypedEnd, blurred, compare, digits, read_end};
use super::{MIN_SUFFIX, Remark, Trust, how_to_ask};
use crate::cmd::join::output::list;

impl Trust {
    /// Accepts a person's identity that is new or has changed, if `end` is the end of its fingerprint, or of its
    /// safety number.
    pub(in crate::cmd::join) fn accept(
        &mut self,
        session: &mut Session,
        person: &Person,
        end: &str,
        now: i64,
    ) -> Remark {
        let nick = &person.nick;
        let policy = session.policy();
        let is_left_out = person.standing == Standing::New && policy.at_least == Standing::Known;
        if person.standing != Standing::Changed && !is_left_out {
            return Remark::Notice(format!(
                "the identity of {nick} has not changed; /verify {nick} makes sure of it"
            ));
        }
        if end.is_empty() {
            return Remark::Notice(format!(
                "ask {}, or for the last four groups of digits there, and type them after /trust {nick}",
                how_to_ask(nick)
            ));
        }
        let differs = |again: &str| {
            Remark::Alarm(
                nick.clone(),
                format!(
                    "nothing is accepted: the fingerprint of whoever is here as {nick} does not end so. Have {nick} read {again}; if it is what you typed, somebody else is here under this name: write nothing secret here"
                ),
            )
        };
        match judge_end(nick, person.fingerprint, end) {
            Ok(Judgement::Same) => self.record(session, RecordKind::Accepted, None, person, now),
            Ok(Judgement::OtherCharacters) => {
                differs("the end of it to you once more, in capitals or not as it stands there")
            }
            Ok(Judgement::OtherDigits) => {
                differs("the last four groups of the safety number to you once more")
            }
            Err(form) => Remark::Mistake(format!("nothing is accepted: {form}")),
        }
    }

    /// The digits that both sides see when they compare (PROTOCOL §12).
    pub(in crate::cmd::join) fn comparison(session: &Session, person: &Person) -> String {
        comparison::pair_code(session.card().fingerprint(), person.fingerprint)
    }

    /// Marks a person as verified, if `digits` are those of the comparison.
    pub(in crate::cmd::join) fn verify(
        &mut self,
        session: &mut Session,
        person: &Person,
        typed: &str,
        now: i64,
    ) -> Remark {
        let nick = &person.nick;
        let is_verified = person.standing == Standing::Verified;
        match compare(typed, &Self::comparison(session, person)) {
            Comparison::Same => self.record(session, RecordKind::Verified, None, person, now),
            Comparison::Differs
                if compare(typed, &Self::room_code(session)) == Comparison::Same =>
            {
                Remark::Mistake(format!(
                    "that is the code of the room, and not the number of {nick} and you: type it after /code"
                ))
            }
            Comparison::Differs => {
                let state = if is_verified {
                    "stays verified, as you have compared before"
                } else {
                    "is NOT verified"
                };
                Remark::Alarm(
                    nick.clone(),
                    format!(
                        "the numbers differ: {nick} {state}. Compare again with /verify {nick}; if they still differ, somebody is posing as {nick} or as you: write nothing secret here"
                    ),
                )
            }
            Comparison::NoNumber(form) => {
                let state = if is_verified {
                    "is verified already, and stays so"
                } else {
                    "is not verified by that"
                };
                Remark::Mistake(format!(
                    "{form}: type all twelve groups after /verify {nick}; {nick} {state}"
                ))
            }
        }
    }

    /// Remembers what the user has decided, and how, where that is not the usual way.
    fn record(
        &mut self,
        session: &mut Session,
        kind: RecordKind,
        way: Option<Way>,
        person: &Person,
        now: i64,
    ) -> Remark {
        let nick = &person.nick;
        let written = self.people.remember(kind, way, person, now);
        let standing = self.standing(person);
        session.set_standing(person.sid, standing);
        match (written, kind) {
            (Err(mut unwritten), _) => {
                unwritten.words.push_str(". It counts until you leave");
                self.failure(unwritten)
            }
            (Ok(()), RecordKind::Verified) if person.is_lasting => {
                Remark::Notice(format!("{nick} is verified"))
            }
            (Ok(()), RecordKind::Verified) => Remark::Notice(format!(
                "{nick} is verified for this stay, as this identity is made for one"
            )),
            (Ok(()), _) if !session.policy().admits(standing) => Remark::Notice(format!(
                "{nick} is known by {} now, and gets no messages before you have typed /verify {nick}, as you asked with --only-verified",
                person.fingerprint
            )),
            (Ok(()), _) => Remark::Notice(format!("{nick} is known by {} now", person.fingerprint)),
        }
    }

    /// The digits that everybody in the room sees, if all see the same people (PROTOCOL §12).
    pub(in crate::cmd::join) fn room_code(session: &Session) -> String {
        let mut everybody: Vec<Fingerprint> =
            session.others().iter().map(|p| p.fingerprint).collect();
        everybody.push(session.card().fingerprint());
        comparison::room_code(everybody)
    }

    /// Marks everybody else in the room as verified, if `digits` are those of the room.
    pub(in crate::cmd::join) fn verify_all(
        &mut self,
        session: &mut Session,
        typed: &str,
        now: i64,
    ) -> Vec<Remark> {
        let others = session.others();
        match compare(typed, &Self::room_code(session)) {
            Comparison::Same => others
                .iter()
                .map(|person| {
                    self.record(session, RecordKind::Verified, Some(Way::Code), person, now)
                })
                .collect(),
            Comparison::Differs => vec![codes_differ(session, &others, typed)],
            Comparison::NoNumber(form) => vec![Remark::Mistake(format!(
                "{form}: type all twelve groups after /code; nobody is verified by that"
            ))],
        }
    }
}

/// What was typed as the end of a fingerprint, or of the safety number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Judgement {
    Same,
    OtherCharacters,
    OtherDigits,
}

/// Judges what was typed as the end of the fingerprint of whoever has this nick, or of the safety number.
///
/// # Errors
/// In words, where it has not the form of such an end.
fn judge_end(nick: &Nick, of: Fingerprint, typed: &str) -> Result<Judgement, String> {
    let fingerprint = of.to_string();
    let how = format!(
        "type the last {MIN_SUFFIX} characters of the fingerprint after /trust {nick}, or the last four groups of digits, as {nick} has told them to you"
    );
    let is_end_of = |of: &str, end: &str| end.len() >= MIN_SUFFIX && of.ends_with(end);
    let is_end = |end: &str| is_end_of(&fingerprint, end);
    let has_letters_of_end =
        |end: &str| is_end_of(&fingerprint.to_ascii_lowercase(), &end.to_ascii_lowercase());
    let looks_like_end = |end: &str| is_end_of(&blurred(&fingerprint), &blurred(end));
    match read_end(typed) {
        TypedEnd::Characters(end) if end.len() < MIN_SUFFIX => {
            let count = match end.len() {
                1 => "that is 1 character".to_owned(),
                count => format!("that is {count} characters"),
            };
            Err(format!("{count}; {how}"))
        }
        TypedEnd::Characters(end) | TypedEnd::Words(end) if is_end(&end) => Ok(Judgement::Same),
        TypedEnd::Characters(end) | TypedEnd::Words(end) if has_letters_of_end(&end) => Err(
            format!("these are the letters, but not as capitals or small ones; {how}"),
        ),
        TypedEnd::Characters(end) | TypedEnd::Words(end) if looks_like_end(&end) => Err(format!(
            "these look like the characters, but 0 and O, or 1, l and I, are not the same; {how}"
        )),
        TypedEnd::Characters(_) => Ok(Judgement::OtherCharacters),
        TypedEnd::Digits(end) => {
            let number = digits(&of.safety_number());
            if end.len() < MIN_DIGITS || end.len() > number.len() {
                let count = end.len();
                return is_end(&end)
                    .then_some(Judgement::Same)
                    .ok_or_else(|| format!("that is a number of {count} digits; {how}"));
            }
            Ok(if number.ends_with(&end) {
                Judgement::Same
            } else {
                Judgement::OtherDigits
            })
        }
        TypedEnd::LooksLike(letter, digit) => Err(format!(
            "{letter}, a letter, may be meant as {digit} in that; {how}"
        )),
        TypedEnd::Words(_) | TypedEnd::Other => {
            Err(format!("that is not the end of a fingerprint; {how}"))
        }
    }
}

/// The remark that the codes of the room differ: a mere mistake where what was typed is the number of one of these.
fn codes_differ(session: &Session, others: &[Person], typed: &str) -> Remark {
    let is_number_of =
        |person: &&Person| compare(typed, &Trust::comparison(session, person)) == Comparison::Same;
    if let Some(person) = others.iter().find(is_number_of) {
        let nick = &person.nick;
        return Remark::Mistake(format!(
            "that is the number of {nick} and you, and not the code of the room: type it after /verify {nick}"
        ));
    }
    let is_verified = |person: &&Person| person.standing == Standing::Verified;
    let verified: Vec<Nick> = others
        .iter()
        .filter(is_verified)
        .map(|person| person.nick.clone())
        .collect();
    let state = match verified.as_slice() {
        [] => "nobody is verified".to_owned(),
        nicks => format!("nobody is verified but {}, as before", list(nicks)),
    };
    Remark::CodesDiffer(format!(
        "the codes differ: {state}. Compare again with /code, which changes when somebody comes or goes; if they still differ, somebody is posing as another: write nothing secret here"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_right_end_is_taken_as_people_give_it() {
        let nick: Nick = "bob".parse().unwrap();
        for number in 0..20_000_u32 {
            let fingerprint = Fingerprint::of(&number.to_be_bytes());
            let shown = fingerprint.to_string();
            let number = fingerprint.safety_number();
            let end = &shown[shown.len() - MIN_SUFFIX..];
            for typed in [
                shown.clone(),
                end.to_owned(),
                shown[shown.len() - 20..].to_owned(),
                format!("{end}."),
                format!("{} {}", &end[..5], &end[5..]),
                format!("\"{end}\""),
                number[12..].to_owned(),
                number.replace(' ', "-"),
            ] {
                let judged = judge_end(&nick, fingerprint, &typed);
                assert_eq!(judged, Ok(Judgement::Same), "{typed}");
            }
            let lower = end.to_ascii_lowercase();
            if lower != end {
                let judged = judge_end(&nick, fingerprint, &lower).unwrap_err();
                assert!(judged.starts_with("these are the letters"), "{lower}");
            }
            let misread = end.replace('0', "O").replace(['I', '1'], "l");
            if misread != end && !misread.eq_ignore_ascii_case(end) {
                let judged = judge_end(&nick, fingerprint, &misread).unwrap_err();
                assert!(judged.starts_with("these look like"), "{misread}");
            }
        }
    }

    #[test]
    fn another_end_is_no_mistake_of_form() {
        let nick: Nick = "bob".parse().unwrap();
        let fingerprint = Fingerprint::of(b"bob");
        let other = Fingerprint::of(b"another").to_string();
        for (typed, judgement) in [
            (
                &other[other.len() - MIN_SUFFIX..],
                Judgement::OtherCharacters,
            ),
            (&other, Judgement::OtherCharacters),
            ("12345 12345 12345 12345", Judgement::OtherDigits),
        ] {
            let judged = judge_end(&nick, fingerprint, typed);
            assert_eq!(judged, Ok(judgement), "{typed}");
        }
    }
}
