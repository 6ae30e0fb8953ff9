//! What people are to compare by another way than the room, and type into the room: it is held back once. Whoever
//! sits in between reads it there, and puts something else in its place for the others.

use crate::cipher::fingerprint::Fingerprint;
use crate::room::session::Session;

use super::trust::typed::{MIN_DIGITS, blurred, digits, likely_digits};
use super::trust::{MIN_SUFFIX, Trust};

/// So many digits in a row of a number are as good as the number.
const IN_A_ROW: usize = 25;

/// The line that was held back, until another comes.
#[derive(Default)]
pub(super) struct HeldBack(Option<String>);

impl HeldBack {
    /// The line that the user wants to be sent all the same, who has typed this one: the same again, or no more
    /// than Enter.
    pub(super) fn take_confirmed(&mut self, line: &str) -> Option<String> {
        let held = self.0.take()?;
        (line.trim().is_empty() || line == held).then_some(held)
    }

    /// Holds a line back if it must not be sent without another word. Returns whether it does.
    pub(super) fn hold(&mut self, session: &Session, line: &str, text: &str) -> bool {
        let is_held = gives_away(session, text);
        self.0 = is_held.then(|| line.to_owned());
        is_held
    }
}

/// Whether a text has in it what the program would show now for a comparison: a number, or the end of a fingerprint
/// or of a safety number.
fn gives_away(session: &Session, text: &str) -> bool {
    let others = session.others();
    let own = session.card().fingerprint();
    let mut fingerprints = others.iter().map(|person| person.fingerprint);
    let pairs = others
        .iter()
        .map(|person| Trust::comparison(session, person));
    let numbers = pairs.chain([Trust::room_code(session)]);
    let typed = [digits(text), likely_digits(text)];
    let has_digits = |part: &[u8]| typed.iter().any(|typed| contains(typed.as_bytes(), part));
    let has_number = |number: String| {
        let number = digits(&number);
        number.as_bytes().windows(IN_A_ROW).any(has_digits)
    };
    let blurred_text = blurred(text);
    let has_end = |fingerprint: Fingerprint| {
        let (shown, number) = (
            fingerprint.to_string(),
            digits(&fingerprint.safety_number()),
        );
        blurred_text.contains(&blurred(last(&shown, MIN_SUFFIX)))
            || has_digits(last(&number, MIN_DIGITS).as_bytes())
    };
    // Alone in the room there is nobody to compare with.
    !others.is_empty()
        && (has_end(own) || fingerprints.any(has_end) || numbers.into_iter().any(has_number))
}

fn last(text: &str, count: usize) -> &str {
    let start = text.len().saturating_sub(count);
    text.get(start..).unwrap_or_default()
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}
