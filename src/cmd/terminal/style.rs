//! Colour and times: how entries look beyond their words. Colour never carries meaning alone.

use std::io::{self, IsTerminal as _};

use super::detect::is_dumb;
use super::theme::Theme;

/// How entries look beyond their words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cmd) struct Style {
    /// Whether to use colour, bold and reverse.
    pub(in crate::cmd) color: bool,
    /// Which colours to use.
    pub(in crate::cmd) theme: Theme,
    /// Whether messages begin with their time.
    pub(in crate::cmd) timestamps: bool,
    /// Whether addresses that rows break are links.
    pub(in crate::cmd) links: bool,
}

impl Style {
    /// The style of files and pipes, without colour.
    pub(in crate::cmd) const PLAIN: Self = Self {
        color: false,
        theme: Theme::Dark,
        timestamps: true,
        links: false,
    };

    /// The text with the codes for a look around it, if this style has colour.
    pub(super) fn paint(self, look: Look, text: &str) -> String {
        let codes = look.codes();
        if self.color && !codes.is_empty() && !text.is_empty() {
            format!("\x1b[{codes}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

/// What a piece of text looks like where there is colour.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Look {
    /// A number of the 256 colours; `None` is the terminal's own colour.
    pub(super) color: Option<u8>,
    pub(super) bold: bool,
    /// Whether text and background change places.
    pub(super) reverse: bool,
}

impl Look {
    pub(super) fn colored(color: u8) -> Self {
        Self {
            color: Some(color),
            ..Self::default()
        }
    }

    /// The parameters of SGR (ECMA-48 §8.3.117).
    fn codes(self) -> String {
        let mut codes = Vec::new();
        if self.bold {
            codes.push("1".to_owned());
        }
        if self.reverse {
            codes.push("7".to_owned());
        }
        if let Some(color) = self.color {
            codes.push(format!("38;5;{color}"));
        }
        codes.join(";")
    }
}

/// When to use colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(in crate::cmd) enum ColorChoice {
    /// On a terminal, unless `NO_COLOR` is set and not empty
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

impl ColorChoice {
    /// Whether to use colour on standard output, given the terminal and `NO_COLOR`.
    #[must_use]
    pub(in crate::cmd) fn resolve(self) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => {
                io::stdout().is_terminal()
                    && !is_dumb()
                    && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
            }
        }
    }
}
