//! What can be shown. How it looks is the renderer's affair.

use jiff::civil::Time;

use super::style::Style;
use super::theme::Hue;
use crate::room::text::SafeText;

/// One thing to show, or to do to what is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cmd) enum Entry {
    /// What a member said or did.
    Message(Message),
    /// Something that the user may want to know.
    Notice(SafeText),
    /// Something that the user must not overlook.
    Warning(SafeText),
    /// How friends get in by an invite, which is to be copied.
    Invite {
        /// In one line.
        directions: SafeText,
        /// The invite in it.
        invite: SafeText,
    },
    /// An answer of the program's own, several lines long: help, lists.
    Block(SafeText),
    /// One line for a program that reads along, as it is. Never on a terminal.
    Line(String),
    /// The relay has taken the messages with these numbers, which have been shown as waiting.
    Taken(Vec<u64>),
    /// Everything shown so far is taken off the screen.
    Clear,
    /// The terminal's bell rings.
    Bell,
    /// Everything looks like this from now on, and so does what is on the screen.
    Style(Style),
    /// Nothing to see: what came before this has been shown.
    Mark(u64),
}

/// What a member said or did. The nicks are ASCII and printable, so they need no sanitising.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cmd) struct Message {
    /// Its local time.
    pub(in crate::cmd) time: Time,
    /// Its author's nick, behind a `?` where the identity is not accepted.
    pub(in crate::cmd) nick: String,
    /// The author's colour.
    pub(in crate::cmd) hue: Hue,
    /// Whether the author is the user.
    pub(in crate::cmd) own: bool,
    /// For a direct message, its one reader; "you" where that is the user.
    pub(in crate::cmd) to: Option<String>,
    /// Whether it is an action (`/me waves`).
    pub(in crate::cmd) action: bool,
    /// Whether it mentions the user.
    pub(in crate::cmd) mentions: bool,
    /// Its number, if it is the user's own and the relay has not taken it.
    pub(in crate::cmd) waiting: Option<u64>,
    /// The text.
    pub(in crate::cmd) text: SafeText,
}

#[cfg(test)]
impl Message {
    /// What somebody else said to all at 21:04, for tests.
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
            text: SafeText::new(text),
        }
    }
}
