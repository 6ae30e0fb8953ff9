//! How a terminal begins.

use super::quit_keys::QuitKeys;
use super::style::Style;

/// In which form input and output go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cmd) enum Format {
    /// On a terminal where there is one, else as lines.
    Screen,
    /// On a terminal where there is one, each row once, as somebody hears them; else as lines.
    Heard,
    /// As lines, even where standard input and output are terminals.
    Lines,
}

/// What is settled at the beginning.
pub(in crate::cmd) struct Beginning {
    pub(in crate::cmd) format: Format,
    pub(in crate::cmd) style: Style,
    /// Whether a state field stands before the prompt.
    pub(in crate::cmd) has_field: bool,
    /// Which keys ask before they leave.
    pub(in crate::cmd) quit_keys: QuitKeys,
    /// The window's title.
    pub(in crate::cmd) title: String,
}
