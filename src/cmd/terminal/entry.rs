//! What can be shown. `render` decides how it looks.

use std::collections::HashSet;

use jiff::civil::{Date, Time};

use super::status::Status;
use super::style::Style;
use super::theme::Hue;
use crate::room::text::SafeText;

/// One thing to show, or to do to what is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cmd) enum Entry {
    /// What a member said or did.
    Message(ChatMessage),
    /// Something that the user may want to know, behind `*`.
    Notice(SafeText),
    /// Why something is not done that the user asked for, behind `?`: no more than a mistake, perhaps.
    Mistake(SafeText),
    /// Something that the user must not overlook, behind `!`.
    Warning(SafeText),
    /// One of the three before, with its time. Where nothing is drawn the time is left out: programs read that, or
    /// somebody hears it, and the log has times of its own.
    Timed(Time, Box<Entry>),
    /// How friends get in by an invite, which the user is to copy.
    Invite {
        /// The whole command in one line, with the invite in it. It is for pipes and files.
        directions: SafeText,
        /// The invite alone. A terminal shows it in a row of its own.
        invite: SafeText,
    },
    /// The address of a web page in what somebody said, which the user is to copy.
    Url {
        /// Where it stands.
        whose: SafeText,
        /// The address alone. A terminal shows it in a row of its own.
        url: SafeText,
    },
    /// An answer of the program's own, several lines long, behind `|`: help, lists.
    Block(SafeText),
    /// One line of JSON, which is written as it is. It is for a program that reads the output.
    Line(String),
    /// This has become of the user's own messages with these numbers.
    Turned(Vec<u64>, State),
    /// The screen is cleared of everything shown so far.
    Clear,
    /// The terminal gets these control codes, which move no cursor and show nothing by themselves.
    Codes(String),
    /// The window has this title from now on.
    Title(String),
    /// The state field says this from now on.
    Status(Status),
    /// Everything has this style from now on, also what is on the screen already.
    Style(Style),
    /// The user ignores these authors, and nobody else: nothing that they have said is shown any more.
    Ignored(HashSet<Author>),
    /// Shows nothing. When the printer comes to it, all earlier entries are on the screen.
    Mark(u64),
}

/// Somebody who says something, by a value that nobody else has.
pub(in crate::cmd) type Author = [u8; 32];

/// What has become of the user's own words, as far as the gutter tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cmd) enum State {
    /// The relay has not taken them.
    Unsent,
    /// The relay has taken them, and there is no reason to doubt that they arrive.
    Taken,
    /// Somebody has not confirmed them, for longer than that takes.
    Late,
    /// They have not reached somebody, and will not.
    Undelivered,
}

/// Of the user's own words: their number, and what has become of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cmd) struct OwnWords {
    pub(in crate::cmd) number: u64,
    pub(in crate::cmd) state: State,
}

/// What a member said or did. Nicks are printable ASCII, so they need no sanitising.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cmd) struct ChatMessage {
    /// Its time, in the user's time zone.
    pub(in crate::cmd) time: Time,
    /// Its date, if that is to be shown.
    pub(in crate::cmd) date: Option<Date>,
    /// Whether somebody else than its author has handed it on.
    pub(in crate::cmd) is_handed_on: bool,
    /// Its author's nick, behind a `?` where the user has not accepted the identity.
    pub(in crate::cmd) nick: String,
    /// Who the author is, whatever the nick.
    pub(in crate::cmd) author: Author,
    /// The author's colour.
    pub(in crate::cmd) hue: Hue,
    /// What has become of it, if the author is the user.
    pub(in crate::cmd) own: Option<OwnWords>,
    /// The one reader of a direct message, "you" where that is the user; `None` for all others.
    pub(in crate::cmd) to: Option<String>,
    /// Whether it is an action (`/me waves`).
    pub(in crate::cmd) action: bool,
    /// Whether it mentions the user.
    pub(in crate::cmd) mentions: bool,
    /// How many of the messages above it its author had not seen.
    pub(in crate::cmd) unseen: usize,
    /// What the program says of it, in a row of its own below the text.
    pub(in crate::cmd) remark: Option<SafeText>,
    /// Its text.
    pub(in crate::cmd) text: SafeText,
}

impl ChatMessage {
    /// What has become of it, if it is the user's own.
    pub(in crate::cmd) fn state(&self) -> Option<State> {
        self.own.map(|own| own.state)
    }

    /// Takes note of what has become of the user's own messages with these numbers. Returns whether it is
    /// one of them.
    pub(in crate::cmd) fn turn(&mut self, numbers: &[u64], state: State) -> bool {
        let own = self.own.as_mut();
        let turned = own.filter(|own| numbers.contains(&own.number) && own.state != state);
        turned.map(|own| own.state = state).is_some()
    }
}

#[cfg(test)]
impl ChatMessage {
    /// What somebody else said to all at 21:04.
    pub(in crate::cmd) fn sample(nick: &str, text: &str) -> Self {
        Self {
            time: Time::constant(21, 4, 59, 0),
            date: None,
            is_handed_on: false,
            nick: nick.to_owned(),
            author: [0; 32],
            hue: Hue::of(&[0; 32]),
            own: None,
            to: None,
            action: false,
            mentions: false,
            unseen: 0,
            remark: None,
            text: SafeText::new(text),
        }
    }
}
