//! What the user sits at.

use super::beginning::Format;
use super::detect::{has_terminal, is_dumb};

/// What the user sits at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A terminal with a line editor, above which things are printed.
    Drawn,
    /// A terminal on which rows stand one after the other.
    Linear,
    /// No terminal, or one that is not for both input and output.
    Lines,
}

impl Kind {
    pub(super) fn of(format: Format) -> Self {
        match format {
            Format::Screen if has_terminal() && !is_dumb() => Self::Drawn,
            // Elsewhere than on Unix there is no keyboard to take keys from.
            Format::Screen | Format::Heard if has_terminal() && cfg!(unix) => Self::Linear,
            _ => Self::Lines,
        }
    }
}
