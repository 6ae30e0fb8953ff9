//! The line editor and its thread.
//!
//! The thread enters `readline` once: Enter is a key like any other ([`Keys`]). So raw mode never
//! drops between two lines, and printed text is never glued to what the user types. The thread ends
//! when the keyboard hangs up, because the program ends or the terminal is gone.

use std::borrow::Cow;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use anyhow::Context as _;
use rustyline::completion::Completer;
use rustyline::config::{Builder, EditMode};
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::MemHistory;
use rustyline::line_buffer::LineBuffer;
use rustyline::validate::Validator;
use rustyline::{
    Changeset, ColorMode, CompletionType, Context, Event, EventHandler, ExternalPrinter,
    GraphemeClusterMode, Helper,
};

use super::attention::Attention;
use super::completion::Complete;
use super::edit::{Edit, PendingEdit};
use super::entry::Entry;
use super::input::{Deliver, Input};
use super::input_area::InputArea;
use super::keyboard::Console;
use super::keys::Keys;
use super::queue::BoundedQueue;
use super::quit_keys::QuitKeys;
use super::window::{Entered, Window};

/// What the thread has in common with others.
pub(super) struct Shared {
    pub(super) deliver: Deliver,
    pub(super) area: Arc<InputArea>,
    pub(super) queue: Arc<BoundedQueue<Entry>>,
    pub(super) attention: Arc<Attention>,
    pub(super) window: Arc<Window>,
    pub(super) console: Arc<Console>,
}

/// Starts the thread. Returns also the one thing that may write to the terminal while it runs.
///
/// # Errors
/// If rustyline cannot use the terminal, or the system gives no thread.
pub(super) fn start(
    prompt: &str,
    quit_keys: QuitKeys,
    complete: Complete,
    shared: &Shared,
) -> anyhow::Result<(JoinHandle<()>, impl ExternalPrinter + Send + use<>)> {
    // Vi's insert mode has no numeric argument. In Emacs mode Alt and a digit begin one before
    // rustyline asks any binding.
    let config = Builder::new()
        .edit_mode(EditMode::Vi)
        // The keyboard sets both, and sends no Escape alone.
        .bracketed_paste(false)
        .keyseq_timeout(None)
        .completion_type(CompletionType::List)
        .color_mode(ColorMode::Enabled)
        .grapheme_cluster_mode(GraphemeClusterMode::WcWidth)
        .build();
    let mut readline =
        rustyline::Editor::<EditorHelper, MemHistory>::with_history(config, MemHistory::new())
            .context("cannot use the terminal")?;
    let pending = PendingEdit::default();
    readline.set_helper(Some(EditorHelper {
        area: Arc::clone(&shared.area),
        queue: Arc::clone(&shared.queue),
        pending: pending.clone(),
    }));
    let keys = Keys {
        deliver: Arc::clone(&shared.deliver),
        asking: quit_keys,
        complete,
        area: Arc::clone(&shared.area),
        attention: Arc::clone(&shared.attention),
        window: Arc::clone(&shared.window),
        queue: Arc::clone(&shared.queue),
        pending,
        console: Arc::clone(&shared.console),
        state: Mutex::default(),
    };
    readline.bind_sequence(Event::Any, EventHandler::Conditional(Box::new(keys)));
    let printer = readline
        .create_external_printer()
        .context("cannot print to the terminal")?;

    let end = EndAnnouncer {
        deliver: Arc::clone(&shared.deliver),
        area: Arc::clone(&shared.area),
        queue: Arc::clone(&shared.queue),
    };
    let (prompt, window) = (prompt.to_owned(), Arc::clone(&shared.window));
    let thread = thread::Builder::new()
        .name("editor".to_owned())
        .spawn(move || {
            end.area.set_prompt(&prompt);
            let _entered = Entered::begin(window);
            // Whatever ends it, there are no keys any more.
            let _ = readline.readline(&prompt);
        })
        .context("cannot start the editor's thread")?;
    Ok((thread, printer))
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
    /// Puts the state field before the prompt, in place of as many spaces.
    fn highlight_prompt<'b, 's: 'b, 'p: 'b>(&'s self, prompt: &'p str, _: bool) -> Cow<'b, str> {
        match self.area.field() {
            Some(field) => Cow::Owned(field + prompt.trim_start()),
            None => Cow::Borrowed(prompt),
        }
    }

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
