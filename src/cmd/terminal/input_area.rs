//! The place on the screen where the user types, as far as the printer must know it.
//!
//! To put printed text above the input, rustyline counts the input's rows and clears them. Where it
//! miscounts, it would clear rows of the conversation, so the printer then holds back. The editor's
//! thread writes here what it shows. The printer's thread reads that, and writes up to which mark the
//! screen shows everything.

use std::sync::{Mutex, MutexGuard};

use super::wrap;
use crate::cmd::lock::lock;

/// The terminal's size in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) columns: usize,
    pub(super) rows: usize,
}

impl Size {
    /// The present size. Where the terminal does not tell, it is 80 by 24, as rustyline assumes.
    pub(super) fn now() -> Self {
        let (columns, rows) =
            terminal_size::terminal_size().map_or((80, 24), |(width, height)| (width.0, height.0));
        Self {
            columns: columns.into(),
            rows: rows.into(),
        }
    }
}

/// The input area, which the editor and the printer share.
pub(super) struct InputArea {
    state: Mutex<InputState>,
}

struct InputState {
    phase: EditorPhase,
    prompt: String,
    /// The state field as it is to be drawn, where there is one.
    field: Option<String>,
    line: String,
    wants_redraw: bool,
    is_damaged: bool,
    /// The last [`Mark`](super::Entry::Mark) that the printer came to.
    shown_mark: u64,
}

/// Where the editor is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EditorPhase {
    /// The prompt is not on the screen yet. Printed text could meet it half drawn.
    Starting,
    /// The prompt is on the screen.
    Reading,
    /// The editor has ended, and the terminal is as it was before.
    Ended,
}

/// What the printer must know of the input before it prints.
pub(super) struct InputLayout {
    pub(super) phase: EditorPhase,
    /// The rows that the input takes.
    pub(super) rows: usize,
    /// Whether rustyline is sure to count those rows as the terminal does.
    pub(super) is_countable: bool,
}

impl InputArea {
    pub(super) fn new() -> Self {
        let (phase, prompt, line) = (EditorPhase::Starting, String::new(), String::new());
        Self {
            state: Mutex::new(InputState {
                phase,
                prompt,
                field: None,
                line,
                wants_redraw: false,
                is_damaged: false,
                shown_mark: 0,
            }),
        }
    }

    /// Takes note that the editor is about to show this prompt, with an empty line behind it.
    pub(super) fn set_prompt(&self, prompt: &str) {
        let mut state = self.lock();
        state.phase = EditorPhase::Starting;
        prompt.clone_into(&mut state.prompt);
        state.line.clear();
    }

    /// Takes note of the state field, which the editor draws from now on.
    pub(super) fn set_field(&self, field: String) {
        self.lock().field = Some(field);
    }

    /// The state field, if there is one.
    pub(super) fn field(&self) -> Option<String> {
        self.lock().field.clone()
    }

    /// Takes note that the editor is about to show this line. Returns whether that may change what the
    /// printer can do.
    pub(super) fn set_line(&self, line: &str) -> bool {
        let mut state = self.lock();
        let first = state.phase != EditorPhase::Reading;
        state.phase = EditorPhase::Reading;
        // Only a line that takes several rows can be in the printer's way.
        let size = Size::now();
        let was_long = state.rows(size) > 1;
        line.clone_into(&mut state.line);
        first || was_long || state.rows(size) > 1
    }

    /// Takes note that everything up to this mark is on the screen.
    pub(super) fn set_shown_mark(&self, mark: u64) {
        self.lock().shown_mark = mark;
    }

    /// The mark up to which everything is on the screen; 0 before the first.
    pub(super) fn shown_mark(&self) -> u64 {
        self.lock().shown_mark
    }

    /// Takes note that the editor has ended.
    pub(super) fn set_ended(&self) {
        self.lock().phase = EditorPhase::Ended;
    }

    /// Takes note that the screen may show something else: another program has used it meanwhile, or it
    /// is another one.
    pub(super) fn set_damaged(&self) {
        self.lock().is_damaged = true;
    }

    /// Takes the note that the screen may show something else. Returns whether there was one.
    pub(super) fn take_damaged(&self) -> bool {
        std::mem::take(&mut self.lock().is_damaged)
    }

    /// Asks the printer to draw the screen again, whatever is in the way.
    pub(super) fn request_redraw(&self) {
        self.lock().wants_redraw = true;
    }

    /// Takes the request to draw the screen again. Returns whether there was one.
    pub(super) fn take_redraw(&self) -> bool {
        std::mem::take(&mut self.lock().wants_redraw)
    }

    /// How the input lies on a screen of this size.
    pub(super) fn layout(&self, size: Size) -> InputLayout {
        let state = self.lock();
        let rows = state.rows(size);
        let certain = rows == 1 || !state.line.contains(has_uncertain_width);
        InputLayout {
            phase: state.phase,
            rows,
            is_countable: rows < size.rows && certain,
        }
    }

    fn lock(&self) -> MutexGuard<'_, InputState> {
        lock(&self.state)
    }
}

impl InputState {
    /// The rows that prompt and line take, counted so that the terminal needs no more.
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

/// Whether a character is one that terminals join with its neighbours, each in its own way.
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
        area.set_prompt("> ");
        area.set_line(line);
        area.layout(SIZE).is_countable
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
        assert_eq!(area.layout(SIZE).phase, EditorPhase::Starting);
        assert!(area.set_line(""), "the printer must hear of it");
        assert_eq!(area.layout(SIZE).phase, EditorPhase::Reading);
    }
}
