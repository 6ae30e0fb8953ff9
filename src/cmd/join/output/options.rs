//! The options that say how reports are shown.

use std::path::PathBuf;

use crate::cmd::terminal::{Beginning, ColorChoice, Format, QuitKeys, Style, Theme, knows_osc};

use super::log_file::LogFile;
use super::notify::{Notifier, NotifyOptions};

/// The options.
#[derive(clap::Args, Debug)]
pub(in crate::cmd::join) struct Output {
    /// Append all that is shown to this file, which only you can read
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,

    /// When to use colour
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    color: ColorChoice,

    /// Which colours: those for a dark or for a light background [default: what the terminal says
    /// of itself, or dark]
    #[arg(long, value_name = "NAME")]
    theme: Option<Theme>,

    /// Whether messages and what the program says are shown with their time
    #[arg(
        long,
        value_name = "on|off",
        default_value = "on",
        hide_possible_values = true
    )]
    timestamp: Switch,

    /// What stands before what you type: whether you are connected, and how many of your messages wait to be
    /// confirmed; or nothing of that
    #[arg(
        long,
        value_name = "state|plain",
        default_value = "state",
        hide_possible_values = true
    )]
    prompt: PromptForm,

    #[command(flatten)]
    notify: NotifyOptions,

    /// Write each line once and draw nothing again, without colour, for those who hear the screen; what
    /// comes while you type waits until Enter, 20 seconds at most
    #[arg(long, value_name = "true|false", num_args = 0..=1, require_equals = true,
          default_missing_value = "true", default_value = "false", hide_default_value = true,
          hide_possible_values = true, action = clap::ArgAction::Set)]
    plain: bool,
}

/// Whether something is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Switch {
    On,
    Off,
}

/// What stands before what the user types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum PromptForm {
    /// The state field, and then the sign.
    State,
    /// The sign alone.
    Plain,
}

impl Output {
    /// Opens the log file, if the user wants one.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub(in crate::cmd::join) fn open_log(&self) -> anyhow::Result<Option<LogFile>> {
        self.log.as_deref().map(LogFile::open).transpose()
    }

    /// How the terminal begins, with this title.
    pub(super) fn beginning(
        &self,
        format: Format,
        quit_keys: QuitKeys,
        title: String,
    ) -> Beginning {
        let format = match format {
            Format::Screen if self.plain => Format::Heard,
            format => format,
        };
        Beginning {
            format,
            style: Style {
                color: self.color.resolve(),
                theme: self.theme.unwrap_or_else(Theme::from_env),
                timestamps: self.timestamp == Switch::On,
                links: knows_osc(),
            },
            has_field: self.prompt == PromptForm::State,
            quit_keys,
            title,
        }
    }

    /// What calls the user who looks elsewhere.
    pub(super) fn notifier(&self) -> Notifier {
        Notifier::new(&self.notify)
    }

    /// Whether a command is to call the user, and there is none.
    pub(in crate::cmd::join) fn lacks_command(&self) -> bool {
        self.notify.lack_command()
    }

    /// The words that say where all that is shown is written to, if the user wants that.
    pub(in crate::cmd::join) fn log_notice(&self) -> Option<String> {
        let path = self.log.as_deref()?.display();
        Some(format!("all that is shown here is also written to {path}"))
    }
}
