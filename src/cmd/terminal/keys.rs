//! What each key does in the line editor.
//!
//! rustyline prints from other threads only while it waits for a first key. Whatever makes it
//! wait for a second one (quoted insert, incremental search, completion, Ctrl-X, a numeric
//! argument) would stop the conversation, so none of that is reachable: every key is listed here,
//! and the rest do nothing. Tab and Ctrl-R have completion and search of our own. Ctrl-Z does nothing: rustyline expects to be stopped before it goes on,
//! but in a program with threads it goes on first, and comes back to a terminal that is not raw.

use std::sync::{Arc, Mutex, PoisonError};

use rustyline::{
    At, Cmd, ConditionalEventHandler, Event, EventContext, KeyCode as K, KeyEvent, Modifiers as M,
    Movement, RepeatCount, Word,
};

use super::completion::Round;
use super::edit::{Edit, Pending};
use super::history::History;
use super::input_area::InputArea;
use super::queue::Queue;
use super::{Complete, Deliver, Entry, Input};

/// The handler of all keys. Called on the editor's thread.
pub(super) struct Keys {
    pub(super) deliver: Deliver,
    pub(super) complete: Complete,
    pub(super) area: Arc<InputArea>,
    pub(super) queue: Arc<Queue<Entry>>,
    pub(super) pending: Pending,
    /// In a mutex only because rustyline shares its handlers.
    pub(super) memory: Mutex<Memory>,
}

/// What one key leaves for the next.
#[derive(Default)]
pub(super) struct Memory {
    history: History,
    /// What Tab goes round, from the first Tab to the first other key.
    round: Option<Round>,
}

impl ConditionalEventHandler for Keys {
    fn handle(&self, event: &Event, _: RepeatCount, _: bool, input: &EventContext) -> Option<Cmd> {
        let &KeyEvent(key, modifiers) = event.get(0)?;
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let Memory { history, round } = &mut *memory;
        let key = (key, modifiers);
        match key {
            TAB | CTRL_I => return Some(self.tab(round, true, input)),
            BACK_TAB => return Some(self.tab(round, false, input)),
            _ => *round = None,
        }
        match key {
            CTRL_R => return Some(self.recall(history, input, |h| h.search(input.line()))),
            _ => history.end_search(),
        }
        let command = match key {
            (K::Enter, M::NONE) | (K::Char('J' | 'M'), M::CTRL) => {
                self.submit(history, input.line())
            }
            (K::Enter, M::ALT) => Cmd::Newline,
            (K::Char('C'), M::CTRL) => self.clear_or_quit(history, input.line()),
            (K::Char('D'), M::CTRL) => self.delete_or_quit(input.line()),
            (K::Char('L'), M::CTRL) => self.redraw(),
            (K::Up, M::NONE) | (K::Char('P'), M::CTRL) => self.up(history, input),
            (K::Down, M::NONE) | (K::Char('N'), M::CTRL) => self.down(history, input),
            (K::Char('A'), M::CTRL) => Cmd::Move(Movement::BeginningOfLine),
            (K::Char('E'), M::CTRL) => Cmd::Move(Movement::EndOfLine),
            (K::Char('B'), M::CTRL) => Cmd::Move(Movement::BackwardChar(1)),
            (K::Char('F'), M::CTRL) => Cmd::Move(Movement::ForwardChar(1)),
            (K::Char('b') | K::Left, M::ALT) | (K::Left, M::CTRL) => Cmd::Move(WORD_LEFT),
            (K::Char('f') | K::Right, M::ALT) | (K::Right, M::CTRL) => Cmd::Move(WORD_RIGHT),
            (K::Char('K'), M::CTRL) => Cmd::Kill(Movement::EndOfLine),
            (K::Char('d'), M::ALT) => Cmd::Kill(WORD_RIGHT),
            (K::Backspace, M::ALT) => Cmd::Kill(WORD_LEFT),
            _ if is_rustylines(key) => return None,
            _ => Cmd::Noop,
        };
        Some(command)
    }
}

const TAB: (K, M) = (K::Tab, M::NONE);
const CTRL_I: (K, M) = (K::Char('I'), M::CTRL);
const BACK_TAB: (K, M) = (K::BackTab, M::NONE);
const CTRL_R: (K, M) = (K::Char('R'), M::CTRL);

/// Keys that keep the meaning that rustyline gives them: typing, a paste, moving and deleting by
/// character; transpose, kill, yank, undo and quit.
fn is_rustylines((key, modifiers): (K, M)) -> bool {
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
    fn submit(&self, history: &mut History, line: &str) -> Cmd {
        if !line.trim().is_empty() {
            history.add(line);
            (self.deliver)(Input::Line {
                text: line.trim_end_matches('\n').to_owned(),
                is_utf8: true,
                shown: self.area.shown(),
            });
        }
        Cmd::Kill(Movement::WholeBuffer)
    }

    fn clear_or_quit(&self, history: &mut History, line: &str) -> Cmd {
        if line.is_empty() {
            (self.deliver)(Input::Quit);
        }
        history.leave();
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
    fn up(&self, history: &mut History, input: &EventContext) -> Cmd {
        let before = input.line().get(..input.pos());
        if before.is_some_and(|before| before.contains('\n')) {
            return Cmd::Move(Movement::LineUp(1));
        }
        self.recall(history, input, |history| history.older(input.line()))
    }

    /// Down, within what is typed and then beyond it.
    fn down(&self, history: &mut History, input: &EventContext) -> Cmd {
        let after = input.line().get(input.pos()..);
        if after.is_some_and(|after| after.contains('\n')) {
            return Cmd::Move(Movement::LineDown(1));
        }
        self.recall(history, input, History::newer)
    }

    /// Shows another line of the history, if there is one.
    fn recall(
        &self,
        history: &mut History,
        input: &EventContext,
        go: impl FnOnce(&mut History) -> bool,
    ) -> Cmd {
        if !go(history) {
            return Cmd::Noop;
        }
        self.make(Edit {
            range: 0..input.line().len(),
            text: history.current().to_owned(),
        })
    }

    /// Completes the word before the cursor, or goes on to another candidate.
    fn tab(&self, round: &mut Option<Round>, forwards: bool, input: &EventContext) -> Cmd {
        let (line, cursor) = (input.line(), input.pos());
        if let Some(round) = round {
            return self.make(round.turn(forwards));
        }
        let Some((new, edit)) = Round::start((self.complete)(line, cursor), line, cursor) else {
            return Cmd::Noop;
        };
        // What was completed for certain is what the next Tab goes on from.
        *round = Some(new).filter(Round::has_choice);
        self.make(edit)
    }

    /// Has the editor's completer make an edit: `Cmd::Replace` would leave the cursor elsewhere.
    fn make(&self, edit: Edit) -> Cmd {
        self.pending.put(edit);
        Cmd::Complete
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;
    use crate::cmd::terminal::Completion;

    #[test]
    fn a_line_carries_the_mark_that_was_shown_when_it_was_entered() {
        let (sender, receiver) = channel();
        let area = Arc::new(InputArea::new());
        let keys = Keys {
            deliver: Arc::new(move |input| drop(sender.send(input))),
            complete: Arc::new(|_, _| Completion::default()),
            area: Arc::clone(&area),
            queue: Arc::new(Queue::new()),
            pending: Pending::default(),
            memory: Mutex::default(),
        };
        let enter = |text: &str| {
            keys.submit(&mut History::default(), text);
            match receiver.try_recv() {
                Ok(Input::Line { text, shown, .. }) => (text, shown),
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
