//! Keys that leave the room, and ask before they do.

use std::time::{Duration, Instant};

use super::input::Input;

/// For how long a key that asks whether to leave is remembered. Whoever presses it again after that, by habit,
/// has forgotten that it was asked.
const ASKED: Duration = Duration::from_secs(10);

/// Which keys on an empty line leave only when they are pressed twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cmd) enum QuitKeys {
    /// Ctrl-C, with which people empty a line, and press it once too often.
    CtrlC,
    /// Ctrl-D too: more ends than the user's own stay.
    Both,
}

/// When a key has asked whether to leave, if no other key came since.
#[derive(Default)]
pub(super) struct Asked(Option<Instant>);

impl Asked {
    /// Takes note of another key, or of one that does something else than leave.
    pub(super) fn forget(&mut self) {
        self.0 = None;
    }

    /// What Ctrl-C on an empty line asks for.
    pub(super) fn press_ctrl_c(&mut self) -> Input {
        self.press("Ctrl-C")
    }

    /// What Ctrl-D on an empty line asks for.
    pub(super) fn press_ctrl_d(&mut self, asking: QuitKeys) -> Input {
        match asking {
            QuitKeys::Both => self.press("Ctrl-D"),
            QuitKeys::CtrlC => Input::Quit,
        }
    }

    /// Leaves if that was asked just now, or else asks.
    fn press(&mut self, key: &'static str) -> Input {
        if self.0.take().is_some_and(|at| at.elapsed() < ASKED) {
            return Input::Quit;
        }
        self.0 = Some(Instant::now());
        Input::AskToQuit { key }
    }
}
