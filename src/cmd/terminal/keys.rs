//! What each key does in the line editor.
//!
//! rustyline prints text from other threads only while it waits for the first key of a command. A
//! command that waits for a second key would stop the conversation: quoted insert, incremental search,
//! completion, Ctrl-X, a numeric argument. So no key reaches those. This module lists every key that
//! does something, and the rest do nothing. Tab and Ctrl-R complete and search in ways of our own.
//!
//! Ctrl-Z does nothing either. rustyline expects the system to stop it before it goes on. In a program
//! with threads it goes on first, and comes back to a terminal that is not in raw mode.

use std::sync::{Arc, Mutex};

use rustyline::{
    At, Cmd, ConditionalEventHandler, Event, EventContext, KeyCode as K, KeyEvent, Modifiers as M,
    Movement, RepeatCount, Word,
};

use super::attention::Attention;
use super::completion::{CandidateCycle, Complete};
use super::draft::{self, Edited};
use super::edit::{Edit, PendingEdit};
use super::entry::Entry;
use super::history::History;
use super::input::{Deliver, Input};
use super::input_area::InputArea;
use super::keyboard::Console;
use super::queue::BoundedQueue;
use super::quit_keys::{Asked, QuitKeys};
use super::window::Window;
use crate::cmd::lock::lock;

/// The handler of all keys. rustyline calls it on the editor's thread.
pub(super) struct Keys {
    pub(super) deliver: Deliver,
    pub(super) asking: QuitKeys,
    pub(super) complete: Complete,
    pub(super) area: Arc<InputArea>,
    pub(super) attention: Arc<Attention>,
    pub(super) window: Arc<Window>,
    pub(super) queue: Arc<BoundedQueue<Entry>>,
    pub(super) pending: PendingEdit,
    pub(super) console: Arc<Console>,
    /// It is in a mutex only because rustyline shares its handlers.
    pub(super) state: Mutex<KeyState>,
}

/// What one key leaves for the next.
#[derive(Default)]
pub(super) struct KeyState {
    history: History,
    /// The cycle of Tab, from the first Tab to the first other key.
    cycle: Option<CandidateCycle>,
    asked: Asked,
}

impl ConditionalEventHandler for Keys {
    fn handle(&self, event: &Event, _: RepeatCount, _: bool, input: &EventContext) -> Option<Cmd> {
        let &KeyEvent(key, modifiers) = event.get(0)?;
        // Elsewhere the keyboard does so, in the order in which keys and reports come.
        if cfg!(not(unix)) && self.attention.note_key() {
            (self.deliver)(Input::Returned);
        }
        let mut state = lock(&self.state);
        let KeyState {
            history,
            cycle,
            asked,
        } = &mut *state;
        let key = (key, modifiers);
        if !matches!(key, CTRL_C | CTRL_D) {
            asked.forget();
        }
        if !matches!(key, TAB | CTRL_I | BACK_TAB) {
            *cycle = None;
        }
        if key != CTRL_R {
            history.end_search();
        }
        let command = match key {
            TAB | CTRL_I => self.complete_word(cycle, true, input),
            BACK_TAB => self.complete_word(cycle, false, input),
            CTRL_R => self.recall(history, input, |history| history.search(input.line())),
            (K::Enter, M::NONE) | (K::Char('J' | 'M'), M::CTRL) => {
                self.submit(history, input.line())
            }
            (K::Enter, M::ALT) => Cmd::Newline,
            CTRL_C => self.clear_or_quit(history, asked, input.line()),
            CTRL_D => self.delete_or_quit(asked, input.line()),
            (K::Char('L'), M::CTRL) => self.redraw(),
            (K::Up, M::NONE) | (K::Char('P'), M::CTRL) => self.move_up(history, input),
            (K::Down, M::NONE) | (K::Char('N'), M::CTRL) => self.move_down(history, input),
            (K::Char('A'), M::CTRL) => Cmd::Move(Movement::BeginningOfLine),
            (K::Char('E'), M::CTRL) => Cmd::Move(Movement::EndOfLine),
            (K::Char('B'), M::CTRL) => Cmd::Move(Movement::BackwardChar(1)),
            (K::Char('F'), M::CTRL) => Cmd::Move(Movement::ForwardChar(1)),
            (K::Char('b') | K::Left, M::ALT) | (K::Left, M::CTRL) => Cmd::Move(WORD_LEFT),
            (K::Char('f') | K::Right, M::ALT) | (K::Right, M::CTRL) => Cmd::Move(WORD_RIGHT),
            (K::Char('K'), M::CTRL) => Cmd::Kill(Movement::EndOfLine),
            (K::Char('d'), M::ALT) => Cmd::Kill(WORD_RIGHT),
            (K::Char('e'), M::ALT) => self.edit(history, input.line()),
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
const CTRL_C: (K, M) = (K::Char('C'), M::CTRL);
const CTRL_D: (K, M) = (K::Char('D'), M::CTRL);
const CTRL_R: (K, M) = (K::Char('R'), M::CTRL);

/// Whether a key keeps the meaning that rustyline gives it: typing, a paste, moving and deleting by
/// character; transpose, kill, yank and undo.
fn is_rustylines((key, modifiers): (K, M)) -> bool {
    match key {
        K::Char('H' | 'T' | 'U' | 'W' | 'Y' | '_') if modifiers == M::CTRL => true,
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
        }
        // Enter alone may answer a question.
        (self.deliver)(Input::Line {
            text: line.trim_end_matches('\n').to_owned(),
            is_utf8: true,
            shown: self.area.shown_mark(),
        });
        Cmd::Kill(Movement::WholeBuffer)
    }

    fn clear_or_quit(&self, history: &mut History, asked: &mut Asked, line: &str) -> Cmd {
        if line.is_empty() {
            (self.deliver)(asked.press_ctrl_c());
        } else {
            asked.forget();
        }
        history.leave_for_draft();
        Cmd::Kill(Movement::WholeBuffer)
    }

    fn delete_or_quit(&self, asked: &mut Asked, line: &str) -> Cmd {
        if line.is_empty() {
            (self.deliver)(asked.press_ctrl_d(self.asking));
        } else {
            asked.forget();
        }
        Cmd::Kill(Movement::ForwardChar(1))
    }

    fn redraw(&self) -> Cmd {
        self.area.request_redraw();
        self.queue.wake();
        Cmd::Noop
    }

    /// Has the user edit the line in an editor of their own. rustyline draws nothing before this returns, and so the
    /// printer waits.
    fn edit(&self, history: &mut History, line: &str) -> Cmd {
        self.window.hand_over();
        let edited = draft::edit(line, &self.console, |why| {
            (self.deliver)(Input::NotDone(why));
        });
        // Else a shell has the terminal, and this is done when the screen is drawn again.
        if self.console.is_in_foreground() {
            self.window.take_over();
        }
        self.area.set_damaged();
        self.queue.wake();
        match edited {
            Edited::Draft(text) => self.request(Edit {
                range: 0..line.len(),
                text,
            }),
            Edited::Kept => Cmd::Noop,
            Edited::TooLong(text) => {
                history.add(&text);
                Cmd::Noop
            }
        }
    }

    /// Moves up within the input, or from its first row to an older line of the history.
    fn move_up(&self, history: &mut History, input: &EventContext) -> Cmd {
        let before = input.line().get(..input.pos());
        if before.is_some_and(|before| before.contains('\n')) {
            return Cmd::Move(Movement::LineUp(1));
        }
        self.recall(history, input, |history| history.go_back(input.line()))
    }

    /// Moves down within the input, or from its last row to a newer line of the history.
    fn move_down(&self, history: &mut History, input: &EventContext) -> Cmd {
        let after = input.line().get(input.pos()..);
        if after.is_some_and(|after| after.contains('\n')) {
            return Cmd::Move(Movement::LineDown(1));
        }
        self.recall(history, input, History::go_forward)
    }

    /// Has `go` move in the history, and puts the line there into the input, if there is one.
    fn recall(
        &self,
        history: &mut History,
        input: &EventContext,
        go: impl FnOnce(&mut History) -> bool,
    ) -> Cmd {
        if !go(history) {
            return Cmd::Noop;
        }
        self.request(Edit {
            range: 0..input.line().len(),
            text: history.current().to_owned(),
        })
    }

    /// Completes the word before the cursor, or steps to another candidate.
    fn complete_word(
        &self,
        cycle: &mut Option<CandidateCycle>,
        forwards: bool,
        input: &EventContext,
    ) -> Cmd {
        let (line, cursor) = (input.line(), input.pos());
        if let Some(cycle) = cycle {
            return self.request(cycle.step(forwards));
        }
        let Some((new, edit)) = CandidateCycle::start((self.complete)(line, cursor), line, cursor)
        else {
            return Cmd::Noop;
        };
        // With one candidate the word is complete, and the next Tab begins with what then stands there.
        *cycle = Some(new).filter(CandidateCycle::has_choice);
        self.request(edit)
    }

    /// Asks the editor's completer to make an edit: `Cmd::Replace` would put the cursor elsewhere.
    fn request(&self, edit: Edit) -> Cmd {
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
            asking: QuitKeys::CtrlC,
            complete: Arc::new(|_, _| Completion::default()),
            area: Arc::clone(&area),
            attention: Arc::new(Attention::new()),
            window: Arc::new(Window::new(None)),
            queue: Arc::new(BoundedQueue::new()),
            pending: PendingEdit::default(),
            console: Console::silent(),
            state: Mutex::default(),
        };
        let enter = |text: &str| {
            keys.submit(&mut History::default(), text);
            match receiver.try_recv() {
                Ok(Input::Line { text, shown, .. }) => (text, shown),
                other => panic!("not a line: {other:?}"),
            }
        };
        assert_eq!(enter("too early"), ("too early".to_owned(), 0));
        area.set_shown_mark(6);
        // Somebody joins, and the printer has not come to their mark yet.
        keys.queue.push(Entry::Mark(7));
        assert_eq!(enter("before"), ("before".to_owned(), 6));
        area.set_shown_mark(7);
        assert_eq!(enter("after"), ("after".to_owned(), 7));
    }
}
