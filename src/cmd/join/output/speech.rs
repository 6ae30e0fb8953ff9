//! Who somebody is, and what they say, as reports tell of it.

use std::time::Duration;

use crate::cipher::fingerprint::Fingerprint;
use crate::cmd::terminal::{ChatMessage, Hue, OwnWords};
use crate::cmd::zone;
use crate::room::card::Card;
use crate::room::message::Kind;
use crate::room::names::Nick;
use crate::room::session::{Person, Standing, Written};
use crate::room::text::SafeText;

/// A person, as far as reports tell of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cmd::join) struct Who {
    pub(in crate::cmd::join) nick: Nick,
    pub(in crate::cmd::join) fingerprint: Fingerprint,
    pub(in crate::cmd::join) standing: Standing,
}

impl Who {
    /// The user, with this card. Users need not verify themselves.
    pub(in crate::cmd::join) fn user(own: &Card) -> Self {
        Self {
            nick: own.nick().clone(),
            fingerprint: own.fingerprint(),
            standing: Standing::Verified,
        }
    }
}

impl From<&Person> for Who {
    fn from(person: &Person) -> Self {
        Self {
            nick: person.nick.clone(),
            fingerprint: person.fingerprint,
            standing: person.standing,
        }
    }
}

/// What somebody said or did.
#[derive(Clone, Debug)]
pub(in crate::cmd::join) struct Speech {
    pub(in crate::cmd::join) who: Who,
    /// What has become of it, if the user said it.
    pub(in crate::cmd::join) own: Option<OwnWords>,
    /// The one reader of a direct message; `None` for what goes to everybody.
    pub(in crate::cmd::join) to: Option<Nick>,
    pub(in crate::cmd::join) kind: Kind,
    pub(in crate::cmd::join) text: String,
    /// Whether it mentions the user.
    pub(in crate::cmd::join) mentions: bool,
    /// When it was written, if that was not just now.
    pub(in crate::cmd::join) written: Option<Written>,
    /// How many of the messages above it its author had not seen.
    pub(in crate::cmd::join) unseen: usize,
}

impl Speech {
    /// Whether it mentions the user, or is said to the user alone.
    pub(super) fn is_for_user(&self) -> bool {
        self.own.is_none() && (self.mentions || self.to.is_some())
    }

    /// The author's nick. A `?`, which no nick can have, marks an identity that the user has not accepted.
    pub(super) fn author(&self) -> String {
        let nick = &self.who.nick;
        if self.who.standing == Standing::Changed {
            format!("?{nick}")
        } else {
            nick.to_string()
        }
    }

    /// The entry for the screen.
    pub(super) fn message(&self) -> ChatMessage {
        ChatMessage {
            time: zone::now().time(),
            date: None,
            is_handed_on: false,
            nick: self.author(),
            author: *self.who.fingerprint.as_bytes(),
            hue: Hue::of(self.who.fingerprint.as_bytes()),
            own: self.own,
            to: self.to.as_ref().map(|nick| {
                if self.own.is_some() {
                    nick.to_string()
                } else {
                    "you".to_owned()
                }
            }),
            action: self.kind == Kind::Action,
            mentions: self.mentions,
            unseen: self.unseen,
            remark: self.written.map(|written| {
                let (ago, nick) = (ago(written.ago), &self.who.nick);
                SafeText::new(&format!("written {ago} ago by {nick}'s clock"))
            }),
            text: SafeText::new(&self.text),
        }
    }
}

/// A duration in its largest unit, spelled out: `7 minutes`.
fn ago(time: Duration) -> String {
    let seconds = time.as_secs();
    let (number, unit) = match seconds {
        0 => return "a moment".to_owned(),
        1..60 => (seconds, "second"),
        60..3600 => (seconds / 60, "minute"),
        3600..86_400 => (seconds / 3600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    let ending = if number == 1 { "" } else { "s" };
    format!("{number} {unit}{ending}")
}

/// Whether a text contains a nick as a word of its own, in capitals or not.
pub(in crate::cmd::join) fn mentions(text: &str, nick: &Nick) -> bool {
    let is_of_nicks = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
    let (text, nick) = (text.to_lowercase(), nick.as_str().to_lowercase());
    text.match_indices(&nick).any(|(start, found)| {
        let before = text.get(..start).and_then(|text| text.chars().next_back());
        let after = text.get(start + found.len()..);
        let after = after.and_then(|text| text.chars().next());
        !before.is_some_and(is_of_nicks) && !after.is_some_and(is_of_nicks)
    })
}

#[cfg(test)]
impl Speech {
    /// What somebody says to all.
    pub(super) fn sample(nick: &str, text: &str) -> Self {
        let fingerprint = Fingerprint::of(&[0]);
        Self {
            who: Who {
                nick: nick.parse().expect("a nick"),
                fingerprint,
                standing: Standing::New,
            },
            own: None,
            to: None,
            kind: Kind::Text,
            mentions: false,
            text: text.to_owned(),
            written: None,
            unseen: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_long_ago_something_was() {
        for (seconds, words) in [
            (0, "a moment"),
            (1, "1 second"),
            (59, "59 seconds"),
            (119, "1 minute"),
            (450, "7 minutes"),
            (7200, "2 hours"),
            (86_400, "1 day"),
            (u64::MAX, "213503982334601 days"),
        ] {
            assert_eq!(ago(Duration::from_secs(seconds)), words);
        }
    }

    #[test]
    fn a_nick_is_mentioned_where_it_is_a_word() {
        let ada: Nick = "ada".parse().unwrap();
        for text in [
            "ada: hi",
            "hi Ada!",
            "is ADA there?",
            "so, ada.",
            "@ada",
            "ada",
        ] {
            assert!(mentions(text, &ada), "{text}");
        }
        for text in ["adagio", "Granada", "ada-lovelace", "ada_", "", "bob"] {
            assert!(!mentions(text, &ada), "{text}");
        }
    }
}
