//! The line editor and its thread.
//!
//! `readline` is entered once: Enter is a key like any other ([`Keys`]), so raw mode never drops
//! between two lines and nothing printed is ever glued to what is typed. The thread ends when
//! [`Editor::interrupt`] sends it a signal, or when the terminal is gone; either way it leaves the
//! terminal as it found it.

use std::borrow::Cow;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use anyhow::Context as _;
use rustyline::completion::Completer;
use rustyline::config::{Builder, EditMode};
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::MemHistory;
use rustyline::line_buffer::LineBuffer;
use rustyline::validate::Validator;
use rustyline::{
    Changeset, ColorMode, CompletionType, Context, Event, EventHandler, ExternalPrinter,
    GraphemeClusterMode, Helper,
};

use super::edit::{Edit, Pending};
use super::input_area::{InputArea, Phase, Size};
use super::keys::Keys;
use super::queue::Queue;
use super::{Complete, Deliver, Entry, Input};

/// How long a lone Escape waits for the rest of a key's sequence.
const KEY_SEQUENCE_MILLIS: u16 = 50;

/// A running line editor.
pub(super) struct Editor {
    thread: JoinHandle<()>,
    area: Arc<InputArea>,
    stopping: Arc<AtomicBool>,
}

impl Editor {
    /// Starts the thread, and hands out the only thing that may write to the terminal meanwhile.
    pub(super) fn start(
        prompt: &str,
        complete: Complete,
        deliver: &Deliver,
        area: &Arc<InputArea>,
        queue: &Arc<Queue<Entry>>,
    ) -> anyhow::Result<(Self, impl ExternalPrinter + Send + use<>)> {
        // Vi's insert mode, for what it lacks: in Emacs mode Alt and a digit begin a numeric
        // argument before any binding is asked.
        let config = Builder::new()
            .edit_mode(EditMode::Vi)
            .keyseq_timeout(Some(KEY_SEQUENCE_MILLIS))
            .completion_type(CompletionType::List)
            .color_mode(ColorMode::Enabled)
            .grapheme_cluster_mode(GraphemeClusterMode::WcWidth)
            .build();
        let mut readline =
            rustyline::Editor::<Display, MemHistory>::with_history(config, MemHistory::new())
                .context("cannot use the terminal")?;
        let pending = Pending::default();
        readline.set_helper(Some(Display {
            area: Arc::clone(area),
            queue: Arc::clone(queue),
            pending: pending.clone(),
        }));
        let keys = Keys {
            deliver: Arc::clone(deliver),
            complete,
            area: Arc::clone(area),
            queue: Arc::clone(queue),
            pending,
            memory: Mutex::default(),
        };
        readline.bind_sequence(Event::Any, EventHandler::Conditional(Box::new(keys)));
        let printer = readline
            .create_external_printer()
            .context("cannot print to the terminal")?;

        let stopping = Arc::new(AtomicBool::new(false));
        let reader = Reader {
            readline,
            end: End {
                deliver: Arc::clone(deliver),
                area: Arc::clone(area),
                queue: Arc::clone(queue),
            },
            stopping: Arc::clone(&stopping),
        };
        let prompt = prompt.to_owned();
        let thread = thread::Builder::new()
            .name("editor".to_owned())
            .spawn(move || reader.run(&prompt))
            .context("cannot start the editor's thread")?;
        Ok((
            Self {
                thread,
                area: Arc::clone(area),
                stopping,
            },
            printer,
        ))
    }

    /// Whether the thread has ended, and with it raw mode.
    pub(super) fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }

    /// Asks the thread to end. To be repeated until it has: a signal can come at a moment when
    /// rustyline ignores it.
    ///
    /// While rustyline reads it has a handler for SIGINT; before and after, the signal would meet
    /// the program's own, so it is only sent in between.
    pub(super) fn interrupt(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        if self.area.outlook(Size::now()).phase == Phase::Reading {
            interrupt(&self.thread);
        }
    }

    /// Waits for the thread to end.
    pub(super) fn join(self) {
        // A panic there has been reported on standard error, and has restored the terminal.
        let _ = self.thread.join();
    }
}

#[cfg(unix)]
fn interrupt(thread: &JoinHandle<()>) {
    use std::os::unix::thread::JoinHandleExt as _;

    use nix::sys::pthread::{Pthread, pthread_kill};
    use nix::sys::signal::Signal;

    // The standard library has a number for a thread's id, where musl's C library has a pointer.
    let id = thread.as_pthread_t() as Pthread;
    // The handle has not been joined, so the thread's id is still its own.
    let _ = pthread_kill(id, Signal::SIGINT);
}

/// Elsewhere a thread that waits for a key cannot be woken, and is left behind in the end.
#[cfg(not(unix))]
fn interrupt(_: &JoinHandle<()>) {}

/// What the editor's thread owns.
struct Reader {
    readline: rustyline::Editor<Display, MemHistory>,
    end: End,
    stopping: Arc<AtomicBool>,
}

impl Reader {
    fn run(mut self, prompt: &str) {
        let mut prompt = prompt;
        let mut typed = String::new();
        loop {
            self.end.area.starts(prompt);
            match self.readline.readline_with_initial(prompt, (&typed, "")) {
                Err(ReadlineError::Interrupted) if !self.stopping.load(Ordering::SeqCst) => {
                    // A signal from outside. The program will stop, but until then the printer
                    // needs someone to print; what was typed stays on the row above.
                    (self.end.deliver)(Input::Quit);
                    prompt = "";
                    typed.clear();
                }
                // A key that is not UTF-8: no reason to end, and no reason to lose the line.
                Err(ReadlineError::Io(error)) if error.kind() == io::ErrorKind::InvalidData => {
                    typed = self.end.area.line();
                }
                Ok(_) | Err(_) => return,
            }
        }
    }
}

/// Announces the end of the thread, also where a panic ends it.
struct End {
    deliver: Deliver,
    area: Arc<InputArea>,
    queue: Arc<Queue<Entry>>,
}

impl Drop for End {
    fn drop(&mut self) {
        self.area.ended();
        self.queue.wake();
        (self.deliver)(Input::Quit);
    }
}

/// What rustyline asks before it shows something.
struct Display {
    area: Arc<InputArea>,
    queue: Arc<Queue<Entry>>,
    pending: Pending,
}

impl Hinter for Display {
    type Hint = String;

    /// Called whenever the line is about to change on the screen; there is nothing to hint.
    fn hint(&self, line: &str, _: usize, _: &Context<'_>) -> Option<String> {
        if self.area.shows(line) {
            self.queue.wake();
        }
        None
    }
}

impl Highlighter for Display {
    /// Leaves out controls that came with a paste. rustyline counts them as no columns.
    fn highlight<'l>(&self, line: &'l str, _: usize) -> Cow<'l, str> {
        let harmful = |c: char| c.is_control() && c != '\n' && c != '\t';
        if line.contains(harmful) {
            Cow::Owned(line.replace(harmful, ""))
        } else {
            Cow::Borrowed(line)
        }
    }
}

/// Makes the edits that keys want. rustyline asks for a candidate, puts none of its own in its
/// place and waits for nothing, as there is only ever one.
impl Completer for Display {
    type Candidate = String;

    fn complete(
        &self,
        _: &str,
        _: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        Ok((0, vec![String::new()]))
    }

    fn update(&self, line: &mut LineBuffer, _: usize, _: &str, changes: &mut Changeset) {
        let Edit { range, text } = self.pending.take();
        line.replace(range, &text, changes);
    }
}

impl Validator for Display {}

impl Helper for Display {}
