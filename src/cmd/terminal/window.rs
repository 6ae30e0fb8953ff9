//! What the terminal does for the program as a whole, and is undone at the end: the reports of pastes and of
//! the focus, and the window's title. The terminal itself keeps the title of before (XTWINOPS 22 and 23).

use std::io::{self, Write as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::keyboard::{REPORTS_OFF, REPORTS_ON};
use super::osc::osc;

const PUSH_TITLE: &str = "\x1b[22;2t";
const POP_TITLE: &str = "\x1b[23;2t";
/// The number of the OSC that sets the title.
const TITLE: &str = "2";

/// The window.
pub(super) struct Window(Mutex<State>);

struct State {
    /// None where the terminal would show what sets it.
    title: Option<String>,
    /// Whether the terminal keeps the title of before.
    is_pushed: bool,
}

impl Window {
    pub(super) fn new(title: Option<String>) -> Self {
        Self(Mutex::new(State {
            title,
            is_pushed: false,
        }))
    }

    /// Changes the title. Returns what is to be written for that.
    pub(super) fn set_title(&self, title: String) -> String {
        let mut state = self.lock();
        let Some(present) = state.title.as_mut() else {
            return String::new();
        };
        *present = title;
        if state.is_pushed {
            state.show_title()
        } else {
            // The program is being stopped. The title is shown when it goes on.
            String::new()
        }
    }

    /// What is to be written at the beginning, and again whenever another program may have undone it.
    pub(super) fn enter(&self) -> String {
        let mut state = self.lock();
        let is_pushed = state.is_pushed || state.title.is_none();
        let push = if is_pushed { "" } else { PUSH_TITLE };
        state.is_pushed |= state.title.is_some();
        [REPORTS_ON, push, &state.show_title()].concat()
    }

    /// What is to be written at the end.
    pub(super) fn leave(&self) -> String {
        let was_pushed = std::mem::take(&mut self.lock().is_pushed);
        let pop = if was_pushed { POP_TITLE } else { "" };
        [pop, REPORTS_OFF].concat()
    }

    /// Makes the window the program's. The editor's thread does this and the next: it writes to the terminal anyway,
    /// and that may take for ever.
    pub(super) fn take_over(&self) {
        print(&self.enter());
    }

    /// Makes it another program's.
    pub(super) fn hand_over(&self) {
        print(&self.leave());
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn show_title(&self) -> String {
        let title = self.title.as_deref();
        title.map_or(String::new(), |title| osc(TITLE, title))
    }
}

/// The time in which the window is the program's, until it is dropped.
pub(super) struct Entered(Arc<Window>);

impl Entered {
    pub(super) fn begin(window: Arc<Window>) -> Self {
        window.take_over();
        Self(window)
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.0.hand_over();
    }
}

/// Writes what moves no cursor. Where that fails the terminal is gone.
fn print(codes: &str) {
    let mut output = io::stdout();
    let _ = output
        .write_all(codes.as_bytes())
        .and_then(|()| output.flush());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_title_of_before_is_kept_once_and_given_back_once() {
        let window = Window::new(Some("lobby".to_owned()));
        let begin = format!("{REPORTS_ON}{PUSH_TITLE}\x1b]2;lobby\x1b\\");
        assert_eq!(window.enter(), begin);
        assert_eq!(window.enter(), format!("{REPORTS_ON}\x1b]2;lobby\x1b\\"));
        assert_eq!(
            window.set_title("(1) lobby".to_owned()),
            "\x1b]2;(1) lobby\x1b\\"
        );
        assert_eq!(window.leave(), format!("{POP_TITLE}{REPORTS_OFF}"));
        assert_eq!(window.set_title("lobby".to_owned()), "");
        assert_eq!(window.leave(), REPORTS_OFF);
        assert_eq!(window.enter(), begin);
    }

    #[test]
    fn a_terminal_that_would_show_them_gets_no_titles() {
        let window = Window::new(None);
        assert_eq!(window.enter(), REPORTS_ON);
        assert_eq!(window.set_title("lobby".to_owned()), "");
        assert_eq!(window.leave(), REPORTS_OFF);
    }
}
