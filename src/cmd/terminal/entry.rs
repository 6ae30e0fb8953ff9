//! What can be shown. `render` decides how it looks.

use jiff::civil::Time;

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
    /// Something that the user must not overlook, behind `!`.
    Warning(SafeText),
    /// How friends get in by an invite, which the user is to copy.
    Invite {
        /// The whole command in one line, with the invite in it. It is for pipes and files.
        directions: SafeText,
        /// The invite alone. A terminal shows it in a row of its own.
        invite: SafeText,
    },
    /// An answer of the program's own, several lines long, behind `|`: help, lists.
    Block(SafeText),
    /// One line of JSON, which is written as it is. It is for a program that reads the output.
    Line(String),
    /// The relay has taken the messages with these numbers, which were shown as unsent.
    Taken(Vec<u64>),
    /// The screen is cleared of everything shown so far.
    Clear,
    /// The terminal's bell rings.
    Bell,
    /// Everything has this style from now on, also what is on the screen already.
    Style(Style),
    /// Shows nothing. When the printer comes to it, all earlier entries are on the screen.
    Mark(u64),
}

/// What a member said or did. Nicks are printable ASCII, so they need no sanitising.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cmd) struct ChatMessage {
    /// Its time, in the user's time zone.
    pub(in crate::cmd) time: Time,
    /// Its author's nick, behind a `?` where the user has not accepted the identity.
    pub(in crate::cmd) nick: String,
    /// The author's colour.
    pub(in crate::cmd) hue: Hue,
    /// Whether the author is the user.
    pub(in crate::cmd) own: bool,
    /// The one reader of a direct message, "you" where that is the user; `None` for all others.
    pub(in crate::cmd) to: Option<String>,
    /// Whether it is an action (`/me waves`).
    pub(in crate::cmd) action: bool,
    /// Whether it mentions the user.
    pub(in crate::cmd) mentions: bool,
    /// Its number, if it is the user's own and the relay has not taken it yet.
    pub(in crate::cmd) waiting: Option<u64>,
    /// How many of the messages above it its author had not seen.
    pub(in crate::cmd) unseen: usize,
    /// What the program says of it, in a row of its own below the text.
    pub(in crate::cmd) remark: Option<SafeText>,
    /// Its text.
    pub(in crate::cmd) text: SafeText,
}

#[cfg(test)]
impl ChatMessage {
    /// What somebody else said to all at 21:04.
    pub(super) fn sample(nick: &str, text: &str) -> Self {
        Self {
            time: Time::constant(21, 4, 59, 0),
            nick: nick.to_owned(),
            hue: Hue::of(&[0; 32]),
            own: false,
            to: None,
            action: false,
            mentions: false,
            waiting: None,
            unseen: 0,
            remark: None,
            text: SafeText::new(text),
        }
    }
}
