//! The line editor and its thread.
//!
//! The thread enters `readline` once: Enter is a key like any other ([`Keys`]). So raw mode never
//! drops between two lines, and printed text is never glued to what the user types. The thread ends
//! when [`Editor::interrupt`] sends it a signal, or when the terminal is gone; either way it leaves
//! the terminal as it found it.

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

use super::completion::Complete;
use super::edit::{Edit, PendingEdit};
use super::entry::Entry;
use super::input::{Deliver, Input};
use super::input_area::{EditorPhase, InputArea, Size};
use super::keys::Keys;
use super::queue::BoundedQueue;

/// How long a lone Escape waits for the rest of a key's sequence.
const KEY_SEQUENCE_MILLIS: u16 = 50;

/// The handle of a running line editor.
pub(super) struct Editor {
    thread: JoinHandle<()>,
    area: Arc<InputArea>,
    stopping: Arc<AtomicBool>,
}

impl Editor {
    /// Starts the thread. Returns also the one thing that may write to the terminal while it runs.
    ///
    /// # Errors
    /// If rustyline cannot use the terminal, or the system gives no thread.
    pub(super) fn start(
        prompt: &str,
        complete: Complete,
        deliver: &Deliver,
        area: &Arc<InputArea>,
        queue: &Arc<BoundedQueue<Entry>>,
    ) -> anyhow::Result<(Self, impl ExternalPrinter + Send + use<>)> {
        // Vi's insert mode has no numeric argument. In Emacs mode Alt and a digit begin one before
        // rustyline asks any binding.
        let config = Builder::new()
            .edit_mode(EditMode::Vi)
            .keyseq_timeout(Some(KEY_SEQUENCE_MILLIS))
            .completion_type(CompletionType::List)
            .color_mode(ColorMode::Enabled)
            .grapheme_cluster_mode(GraphemeClusterMode::WcWidth)
            .build();
        let mut readline =
            rustyline::Editor::<EditorHelper, MemHistory>::with_history(config, MemHistory::new())
                .context("cannot use the terminal")?;
        let pending = PendingEdit::default();
        readline.set_helper(Some(EditorHelper {
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
            state: Mutex::default(),
        };
        readline.bind_sequence(Event::Any, EventHandler::Conditional(Box::new(keys)));
        let printer = readline
            .create_external_printer()
            .context("cannot print to the terminal")?;

        let stopping = Arc::new(AtomicBool::new(false));
        let editor = EditorThread {
            readline,
            end: EndAnnouncer {
                deliver: Arc::clone(deliver),
                area: Arc::clone(area),
                queue: Arc::clone(queue),
            },
            stopping: Arc::clone(&stopping),
        };
        let prompt = prompt.to_owned();
        let thread = thread::Builder::new()
            .name("editor".to_owned())
            .spawn(move || editor.run(&prompt))
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

    /// Asks the thread to end. The caller repeats it until the thread has ended: a signal can come at
    /// a moment when rustyline ignores it.
    ///
    /// While rustyline reads it has a handler for SIGINT. Before and after, the signal would meet the
    /// program's own handler, so this sends it only in between.
    pub(super) fn interrupt(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        if self.area.layout(Size::now()).phase == EditorPhase::Reading {
            interrupt(&self.thread);
        }
    }

    /// Waits for the thread to end.
    pub(super) fn join(self) {
        // If the thread has panicked, the panic is on standard error, and has restored the terminal.
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
    // Nobody has joined the thread, so its id is still its own.
    let _ = pthread_kill(id, Signal::SIGINT);
}

/// Elsewhere nothing can wake a thread that waits for a key. It ends with the program.
#[cfg(not(unix))]
fn interrupt(_: &JoinHandle<()>) {}

/// What the editor's thread owns.
struct EditorThread {
    readline: rustyline::Editor<EditorHelper, MemHistory>,
    end: EndAnnouncer,
    stopping: Arc<AtomicBool>,
}

impl EditorThread {
    fn run(mut self, prompt: &str) {
        let mut prompt = prompt;
        let mut typed = String::new();
        loop {
            self.end.area.set_prompt(prompt);
            match self.readline.readline_with_initial(prompt, (&typed, "")) {
                Err(ReadlineError::Interrupted) if !self.stopping.load(Ordering::SeqCst) => {
                    // A signal from outside. The program will stop, but until then the printer
                    // needs rustyline to print; what the user typed stays on the row above.
                    (self.end.deliver)(Input::Quit);
                    prompt = "";
                    typed.clear();
                }
                // A key that is not UTF-8 neither ends the editor nor loses the line.
                Err(ReadlineError::Io(error)) if error.kind() == io::ErrorKind::InvalidData => {
                    typed = self.end.area.line();
                }
                Ok(_) | Err(_) => return,
            }
        }
    }
}

/// Announces the end of the thread when dropped, so also where a panic ends it.
struct EndAnnouncer {
    deliver: Deliver,
    area: Arc<InputArea>,
    queue: Arc<BoundedQueue<Entry>>,
}

impl Drop for EndAnnouncer {
    fn drop(&mut self) {
        self.area.set_ended();
        self.queue.wake();
        (self.deliver)(Input::Quit);
    }
}

/// What rustyline asks before it shows the line, and what makes edits for it.
struct EditorHelper {
    area: Arc<InputArea>,
    queue: Arc<BoundedQueue<Entry>>,
    pending: PendingEdit,
}

impl Hinter for EditorHelper {
    type Hint = String;

    /// Hints nothing. rustyline calls this whenever the line is about to change on the screen.
    fn hint(&self, line: &str, _: usize, _: &Context<'_>) -> Option<String> {
        if self.area.set_line(line) {
            self.queue.wake();
        }
        None
    }
}

impl Highlighter for EditorHelper {
    /// Leaves out control characters that came with a paste: a terminal would obey them, and
    /// rustyline counts no columns for them.
    fn highlight<'l>(&self, line: &'l str, _: usize) -> Cow<'l, str> {
        let harmful = |c: char| c.is_control() && c != '\n' && c != '\t';
        if line.contains(harmful) {
            Cow::Owned(line.replace(harmful, ""))
        } else {
            Cow::Borrowed(line)
        }
    }
}

/// Makes the edits that keys ask for. There is always exactly one candidate: so rustyline takes it at
/// once, shows no list and waits for no key.
impl Completer for EditorHelper {
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

impl Validator for EditorHelper {}

impl Helper for EditorHelper {}
