//! What each key does in the line editor.
//!
//! rustyline prints from other threads only while it waits for a first key. Whatever makes it
//! wait for a second one (quoted insert, incremental search, completion, Ctrl-X, a numeric
//! argument) would stop the conversation, so none of that is reachable: every key is listed here,
//! and the rest do nothing.

use std::sync::{Arc, Mutex, PoisonError};

use rustyline::{
    At, Cmd, ConditionalEventHandler, Event, EventContext, KeyCode, KeyEvent, Modifiers, Movement,
    RepeatCount, Word,
};

use super::history::History;
use super::input_area::InputArea;
use super::queue::Queue;
use super::{Deliver, Entry, Input};

/// The handler of all keys. Called on the editor's thread.
pub(super) struct Keys {
    pub(super) deliver: Deliver,
    pub(super) area: Arc<InputArea>,
    pub(super) queue: Arc<Queue<Entry>>,
    pub(super) history: Arc<Mutex<History>>,
}

impl ConditionalEventHandler for Keys {
    fn handle(&self, event: &Event, _: RepeatCount, _: bool, input: &EventContext) -> Option<Cmd> {
        let &KeyEvent(key, modifiers) = event.get(0)?;
        let (ctrl, alt) = (Modifiers::CTRL, Modifiers::ALT);
        let command = match (key, modifiers) {
            (KeyCode::Enter, Modifiers::NONE) => self.submit(input.line()),
            (KeyCode::Char('J' | 'M'), m) if m == ctrl => self.submit(input.line()),
            (KeyCode::Enter, m) if m == alt => Cmd::Newline,
            (KeyCode::Char('C'), m) if m == ctrl => self.clear_or_quit(input.line()),
            (KeyCode::Char('D'), m) if m == ctrl => self.delete_or_quit(input.line()),
            (KeyCode::Char('L'), m) if m == ctrl => self.redraw(),
            (KeyCode::Up, Modifiers::NONE) => self.up(input),
            (KeyCode::Char('P'), m) if m == ctrl => self.up(input),
            (KeyCode::Down, Modifiers::NONE) => self.down(input),
            (KeyCode::Char('N'), m) if m == ctrl => self.down(input),
            (KeyCode::Char('A'), m) if m == ctrl => Cmd::Move(Movement::BeginningOfLine),
            (KeyCode::Char('E'), m) if m == ctrl => Cmd::Move(Movement::EndOfLine),
            (KeyCode::Char('B'), m) if m == ctrl => Cmd::Move(Movement::BackwardChar(1)),
            (KeyCode::Char('F'), m) if m == ctrl => Cmd::Move(Movement::ForwardChar(1)),
            (KeyCode::Char('K'), m) if m == ctrl => Cmd::Kill(Movement::EndOfLine),
            (KeyCode::Char('b') | KeyCode::Left, m) if m == alt => Cmd::Move(WORD_LEFT),
            (KeyCode::Char('f') | KeyCode::Right, m) if m == alt => Cmd::Move(WORD_RIGHT),
            (KeyCode::Left, m) if m == ctrl => Cmd::Move(WORD_LEFT),
            (KeyCode::Right, m) if m == ctrl => Cmd::Move(WORD_RIGHT),
            (KeyCode::Char('d'), m) if m == alt => Cmd::Kill(WORD_RIGHT),
            (KeyCode::Backspace, m) if m == alt => Cmd::Kill(WORD_LEFT),
            _ if is_rustylines(key, modifiers) => return None,
            _ => Cmd::Noop,
        };
        Some(command)
    }
}

/// Keys that keep the meaning that rustyline gives them: typing, a paste, moving and deleting by
/// character; transpose, kill, yank, undo, suspend and quit.
fn is_rustylines(key: KeyCode, modifiers: Modifiers) -> bool {
    match key {
        KeyCode::Char('H' | 'T' | 'U' | 'W' | 'Y' | 'Z' | '_' | '\\')
            if modifiers == Modifiers::CTRL =>
        {
            true
        }
        KeyCode::Char(_)
        | KeyCode::BracketedPasteStart
        | KeyCode::Left
        | KeyCode::Right
        | KeyCode::Home
        | KeyCode::End
        | KeyCode::Backspace
        | KeyCode::Delete => modifiers.is_empty(),
        _ => false,
    }
}

const WORD_LEFT: Movement = Movement::BackwardWord(1, Word::Emacs);
const WORD_RIGHT: Movement = Movement::ForwardWord(1, At::AfterEnd, Word::Emacs);

impl Keys {
    fn submit(&self, line: &str) -> Cmd {
        if !line.trim().is_empty() {
            self.history
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .add(line);
            (self.deliver)(Input::Line(line.trim_end_matches('\n').to_owned()));
        }
        Cmd::Kill(Movement::WholeBuffer)
    }

    fn clear_or_quit(&self, line: &str) -> Cmd {
        if line.is_empty() {
            (self.deliver)(Input::Quit);
        }
        Cmd::Kill(Movement::WholeBuffer)
    }

    fn delete_or_quit(&self, line: &str) -> Cmd {
        if line.is_empty() {
            (self.deliver)(Input::Quit);
        }
        Cmd::Kill(Movement::ForwardChar(1))
    }

    fn redraw(&self) -> Cmd {
        self.area.ask_redraw();
        self.queue.wake();
        Cmd::Noop
    }

    /// Up, within what is typed and then beyond it.
    fn up(&self, input: &EventContext) -> Cmd {
        if input
            .line()
            .get(..input.pos())
            .is_some_and(|before| before.contains('\n'))
        {
            return Cmd::Move(Movement::LineUp(1));
        }
        self.recall(|history| history.older(input.line()))
    }

    /// Down, within what is typed and then beyond it.
    fn down(&self, input: &EventContext) -> Cmd {
        if input
            .line()
            .get(input.pos()..)
            .is_some_and(|after| after.contains('\n'))
        {
            return Cmd::Move(Movement::LineDown(1));
        }
        self.recall(History::newer)
    }

    /// Shows another line of the history, if there is one.
    fn recall(&self, go: impl FnOnce(&mut History) -> bool) -> Cmd {
        let mut history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
        if !go(&mut history) {
            Cmd::Noop
        } else if history.current().is_empty() {
            Cmd::Kill(Movement::WholeBuffer)
        } else {
            // `Cmd::Replace` would leave the cursor at the beginning; see the editor's completer.
            Cmd::Complete
        }
    }
}
