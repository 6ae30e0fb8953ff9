//! What each key does in the line editor.
//!
//! rustyline prints from other threads only while it waits for a first key. Whatever makes it
//! wait for a second one (quoted insert, incremental search, completion, Ctrl-X, a numeric
//! argument) would stop the conversation, so none of that is reachable: every key is listed here,
//! and the rest do nothing. Nor does Ctrl-Z: rustyline expects to be stopped before it goes on,
//! but in a program with threads it goes on first, and comes back to a terminal that is not raw.

use std::sync::{Arc, Mutex, PoisonError};

use rustyline::{
    At, Cmd, ConditionalEventHandler, Event, EventContext, KeyCode as K, KeyEvent, Modifiers as M,
    Movement, RepeatCount, Word,
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
        let command = match (key, modifiers) {
            (K::Enter, M::NONE) | (K::Char('J' | 'M'), M::CTRL) => self.submit(input.line()),
            (K::Enter, M::ALT) => Cmd::Newline,
            (K::Char('C'), M::CTRL) => self.clear_or_quit(input.line()),
            (K::Char('D'), M::CTRL) => self.delete_or_quit(input.line()),
            (K::Char('L'), M::CTRL) => self.redraw(),
            (K::Up, M::NONE) | (K::Char('P'), M::CTRL) => self.up(input),
            (K::Down, M::NONE) | (K::Char('N'), M::CTRL) => self.down(input),
            (K::Char('A'), M::CTRL) => Cmd::Move(Movement::BeginningOfLine),
            (K::Char('E'), M::CTRL) => Cmd::Move(Movement::EndOfLine),
            (K::Char('B'), M::CTRL) => Cmd::Move(Movement::BackwardChar(1)),
            (K::Char('F'), M::CTRL) => Cmd::Move(Movement::ForwardChar(1)),
            (K::Char('b') | K::Left, M::ALT) | (K::Left, M::CTRL) => Cmd::Move(WORD_LEFT),
            (K::Char('f') | K::Right, M::ALT) | (K::Right, M::CTRL) => Cmd::Move(WORD_RIGHT),
            (K::Char('K'), M::CTRL) => Cmd::Kill(Movement::EndOfLine),
            (K::Char('d'), M::ALT) => Cmd::Kill(WORD_RIGHT),
            (K::Backspace, M::ALT) => Cmd::Kill(WORD_LEFT),
            _ if is_rustylines(key, modifiers) => return None,
            _ => Cmd::Noop,
        };
        Some(command)
    }
}

/// Keys that keep the meaning that rustyline gives them: typing, a paste, moving and deleting by
/// character; transpose, kill, yank, undo and quit.
fn is_rustylines(key: K, modifiers: M) -> bool {
    match key {
        K::Char('H' | 'T' | 'U' | 'W' | 'Y' | '_' | '\\') if modifiers == M::CTRL => true,
        K::Char(_)
        | K::BracketedPasteStart
        | K::Left
        | K::Right
        | K::Home
        | K::End
        | K::Backspace
        | K::Delete => modifiers.is_empty(),
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
            (self.deliver)(Input::Line {
                text: line.trim_end_matches('\n').to_owned(),
                shown: self.area.shown(),
            });
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

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn a_line_carries_the_mark_that_was_shown_when_it_was_entered() {
        let (sender, receiver) = channel();
        let area = Arc::new(InputArea::new());
        let keys = Keys {
            deliver: Arc::new(move |input| drop(sender.send(input))),
            area: Arc::clone(&area),
            queue: Arc::new(Queue::new()),
            history: Arc::default(),
        };
        let enter = |text: &str| {
            keys.submit(text);
            match receiver.try_recv() {
                Ok(Input::Line { text, shown }) => (text, shown),
                other => panic!("not a line: {other:?}"),
            }
        };
        assert_eq!(enter("too early"), ("too early".to_owned(), 0));
        area.is_shown(6);
        // Somebody joins: their mark is on its way, and not on the screen.
        keys.queue.push(Entry::Mark(7));
        assert_eq!(enter("before"), ("before".to_owned(), 6));
        area.is_shown(7);
        assert_eq!(enter("after"), ("after".to_owned(), 7));
    }
}
