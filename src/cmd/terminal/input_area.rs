//! The place on the screen where the user types, as the printer needs to know it.
//!
//! rustyline puts printed text above the input by counting the input's rows and clearing them.
//! Where its count cannot be right it would clear rows of the conversation, so the printer holds
//! back until it can. The editor's thread writes here, the printer's thread reads.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::wrap;

/// The terminal's size in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) columns: usize,
    pub(super) rows: usize,
}

impl Size {
    /// The size at present, or what rustyline assumes where the terminal does not tell.
    pub(super) fn now() -> Self {
        let (columns, rows) =
            terminal_size::terminal_size().map_or((80, 24), |(width, height)| (width.0, height.0));
        Self {
            columns: columns.into(),
            rows: rows.into(),
        }
    }
}

/// What the input area looks like.
pub(super) struct InputArea {
    state: Mutex<State>,
}

struct State {
    phase: Phase,
    prompt: String,
    line: String,
    redraw: bool,
    /// The last mark that the printer came to.
    shown: u64,
}

/// Where the editor is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The prompt is not up yet: what is printed would meet it half drawn.
    Starting,
    /// The prompt is up.
    Reading,
    /// The editor has ended and the terminal is as it was before.
    Ended,
}

/// What the printer asks before it prints.
pub(super) struct Outlook {
    pub(super) phase: Phase,
    /// The rows that the input takes.
    pub(super) rows: usize,
    /// Whether rustyline counts those rows as the terminal does.
    pub(super) countable: bool,
}

impl InputArea {
    pub(super) fn new() -> Self {
        let (phase, prompt, line) = (Phase::Starting, String::new(), String::new());
        Self {
            state: Mutex::new(State {
                phase,
                prompt,
                line,
                redraw: false,
                shown: 0,
            }),
        }
    }

    /// The editor is about to read behind this prompt.
    pub(super) fn starts(&self, prompt: &str) {
        let mut state = self.lock();
        state.phase = Phase::Starting;
        prompt.clone_into(&mut state.prompt);
        state.line.clear();
    }

    /// The editor is about to show this line. Whether that may change what the printer can do.
    pub(super) fn shows(&self, line: &str) -> bool {
        let mut state = self.lock();
        let first = state.phase != Phase::Reading;
        state.phase = Phase::Reading;
        // Only a line that takes several rows can be in the printer's way.
        let size = Size::now();
        let was_long = state.rows(size) > 1;
        line.clone_into(&mut state.line);
        first || was_long || state.rows(size) > 1
    }

    /// Everything up to this mark is on the screen.
    pub(super) fn is_shown(&self, mark: u64) {
        self.lock().shown = mark;
    }

    /// Up to which mark everything is on the screen.
    pub(super) fn shown(&self) -> u64 {
        self.lock().shown
    }

    /// The editor has ended.
    pub(super) fn ended(&self) {
        self.lock().phase = Phase::Ended;
    }

    /// What was being typed when the line was last shown.
    pub(super) fn line(&self) -> String {
        self.lock().line.clone()
    }

    /// The user wants the screen drawn again.
    pub(super) fn ask_redraw(&self) {
        self.lock().redraw = true;
    }

    /// Whether the user wants the screen drawn again. Asking answers it.
    pub(super) fn take_redraw(&self) -> bool {
        std::mem::take(&mut self.lock().redraw)
    }

    /// Where the input stands on a screen of this size.
    pub(super) fn outlook(&self, size: Size) -> Outlook {
        let state = self.lock();
        let rows = state.rows(size);
        let certain = rows == 1 || !state.line.contains(has_uncertain_width);
        Outlook {
            phase: state.phase,
            rows,
            countable: rows < size.rows && certain,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The rows that prompt and line take: at least as many as the terminal needs.
    fn rows(&self, size: Size) -> usize {
        let mut before = wrap::width(&self.prompt);
        let mut rows = 0;
        for line in self.line.split('\n') {
            // A row may end one column early, before a wide character.
            let columns = size.columns.saturating_sub(1).max(1);
            rows += 1 + (before + wrap::width(line)) / columns;
            before = 0;
        }
        rows
    }
}

/// Characters that terminals join with their neighbours, each in its own way.
fn has_uncertain_width(character: char) -> bool {
    matches!(
        character,
        // Zero width joiner, text and emoji presentation, skin tones, flag letters.
        '\u{200d}' | '\u{fe0e}' | '\u{fe0f}' | '\u{1f3fb}'..='\u{1f3ff}' | '\u{1f1e6}'..='\u{1f1ff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size {
        columns: 80,
        rows: 24,
    };

    fn countable(line: &str) -> bool {
        let area = InputArea::new();
        area.starts("> ");
        area.shows(line);
        area.outlook(SIZE).countable
    }

    #[test]
    fn ordinary_lines_do_not_hold_up_printing() {
        assert!(countable(""));
        assert!(countable(&"words ".repeat(100)));
        assert!(countable("👩\u{200d}🚀"));
    }

    #[test]
    fn a_paste_taller_than_the_screen_does() {
        assert!(!countable(&"row\n".repeat(60)));
        assert!(!countable(&"x".repeat(80 * 24)));
    }

    #[test]
    fn joined_emoji_in_wrapped_input_do() {
        assert!(!countable(&"👩\u{200d}🚀".repeat(40)));
    }

    #[test]
    fn nothing_is_printed_before_the_prompt_is_up() {
        let area = InputArea::new();
        assert_eq!(area.outlook(SIZE).phase, Phase::Starting);
        assert!(area.shows(""), "the printer must hear of it");
        assert_eq!(area.outlook(SIZE).phase, Phase::Reading);
    }
}
