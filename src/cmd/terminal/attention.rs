//! Whether the user looks at this window. Many terminals report when they get and lose the focus (mode 1004
//! of xterm). Where one has reported nothing, the user counts as gone a minute after the last key.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// After this time without a key the user counts as gone, where the terminal does not report the focus.
const IDLE: Duration = Duration::from_mins(1);

/// What is known of it. The keyboard and the editor write it, the program reads it.
pub(super) struct Attention(Mutex<State>);

struct State {
    /// Whether the terminal has the focus, if it has reported that.
    has_focus: Option<bool>,
    typed: Instant,
    /// Whether somebody is to be told when the user is back.
    is_awaited: bool,
}

impl Attention {
    pub(super) fn new() -> Self {
        Self(Mutex::new(State {
            has_focus: None,
            typed: Instant::now(),
            is_awaited: false,
        }))
    }

    /// Takes note that the terminal has the focus now, or has lost it. Returns whether the user is back who
    /// was awaited.
    pub(super) fn note_focus(&self, has_focus: bool) -> bool {
        self.change(|state| state.has_focus = Some(has_focus))
    }

    /// Takes note of a key. Returns whether the user is back who was awaited.
    pub(super) fn note_key(&self) -> bool {
        self.change(|state| {
            state.typed = Instant::now();
            // A report may be lost on the way.
            state.has_focus = state.has_focus.map(|_| true);
        })
    }

    /// Whether the user looks elsewhere. If so, the user is awaited from now on.
    pub(super) fn await_absent(&self) -> bool {
        self.await_absent_at(Instant::now())
    }

    fn await_absent_at(&self, now: Instant) -> bool {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_absent = state.is_absent(now);
        state.is_awaited |= is_absent;
        is_absent
    }

    fn change(&self, change: impl FnOnce(&mut State)) -> bool {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut state);
        let is_back = state.is_awaited && !state.is_absent(Instant::now());
        state.is_awaited &= !is_back;
        is_back
    }
}

impl State {
    fn is_absent(&self, now: Instant) -> bool {
        let is_idle = || now.saturating_duration_since(self.typed) >= IDLE;
        self.has_focus.map_or_else(is_idle, |has_focus| !has_focus)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_the_terminal_reports_nothing_a_minute_without_a_key_counts() {
        let attention = Attention::new();
        let now = Instant::now();
        assert!(!attention.await_absent_at(now));
        assert!(!attention.note_key(), "nobody was awaited");
        assert!(!attention.await_absent_at(now + Duration::from_secs(59)));
        assert!(attention.await_absent_at(now + Duration::from_secs(61)));
        assert!(attention.note_key(), "back");
        assert!(!attention.note_key(), "and told once");
    }

    #[test]
    fn where_it_reports_the_focus_that_alone_counts_and_a_key_says_that_it_is_here() {
        let attention = Attention::new();
        let later = || Instant::now() + Duration::from_hours(1);
        assert!(!attention.note_focus(true));
        assert!(!attention.await_absent_at(later()), "somebody who reads");
        assert!(!attention.note_focus(false));
        assert!(attention.await_absent());
        assert!(!attention.note_focus(false), "reported twice");
        assert!(attention.note_focus(true));
        assert!(!attention.note_focus(false));
        assert!(!attention.note_focus(true), "nothing came meanwhile");
        assert!(!attention.note_focus(false));
        assert!(attention.await_absent());
        assert!(attention.note_key());
        assert!(!attention.await_absent_at(later()));
    }
}
