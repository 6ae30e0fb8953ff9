//! The terminal, or what stands in for it when the program runs in a pipe. It knows nothing of
//! rooms but what harmless text is: entries go in, lines come out.
//!
//! # Who may write
//!
//! Between [`Terminal::start`] and [`Terminal::stop`] nothing else writes to standard output or
//! standard error. Everything that is shown is an [`Entry`], in the order of the calls of
//! [`Terminal::show`]; the user's own messages too, so that there is one order. Text from others
//! is in an entry only as `SafeText`.
//!
//! # On a terminal
//!
//! When standard input and output are terminals that can move a cursor. Two threads:
//!
//! - *editor* (`editor.rs`) sits in rustyline's `readline` and delivers what is typed. It ends
//!   when `stop` interrupts it, or when the terminal is gone, and restores the terminal's mode.
//! - *printer* (`printer.rs`) takes entries from the queue and has rustyline print them above the
//!   input. It ends when the queue is closed and everything in it has been shown.
//!
//! The printer waits for the editor's thread, which therefore waits for nobody: `deliver` must
//! not block, and the queue is only ever woken from there, never pushed to.
//!
//! # Without one
//!
//! Two threads, *reader* and *writer* (`plain.rs`): no prompt, one line per entry, and colour only
//! if it was asked for.
//!
//! # The end
//!
//! `stop`, or dropping the [`Terminal`], closes the queue, waits for the printer, then interrupts
//! the editor and waits for it. A printer or editor that makes no progress (the other end of the
//! terminal stands still) is given up after [`PATIENCE`], and the mode is restored all the same.

mod completion;
mod edit;
mod editor;
mod entry;
mod gutter;
mod history;
mod input_area;
mod keys;
mod plain;
mod printer;
mod queue;
mod render;
mod restore;
mod style;
mod theme;
mod wrap;

use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::Context as _;

pub(super) use self::completion::Completion;
pub(super) use self::entry::{Entry, Message};
pub(super) use self::plain::MAX_LINE;
#[cfg(test)]
pub(super) use self::render::render;
pub(super) use self::render::render_plain;
pub(super) use self::style::{ColorChoice, Style};
pub(super) use self::theme::{Hue, Theme};

use self::editor::Editor;
use self::input_area::InputArea;
use self::printer::Printer;
use self::queue::Queue;
use self::restore::SavedMode;
use super::credits::Credits;

/// How long a thread may make no progress before it is given up.
const PATIENCE: Duration = Duration::from_secs(2);
/// How many lines from standard input may be under way to the relay.
const LINES: usize = 64;
/// How often a thread that should end is looked at.
const POLL: Duration = Duration::from_millis(5);
/// How often the editor is asked to end.
const ASK_AGAIN: Duration = Duration::from_millis(50);

/// What comes from the user.
#[derive(Debug)]
pub(super) enum Input {
    /// A line, not blank. Pasted or typed with Alt-Enter it may contain line breaks.
    Line {
        /// The line, with what is not UTF-8 replaced.
        text: String,
        /// Whether nothing had to be. On a terminal nothing has.
        is_utf8: bool,
        /// The last [`Entry::Mark`] that was on the screen when Enter was pressed; 0 without a
        /// terminal.
        shown: u64,
    },
    /// A line too long to be kept. Never from a terminal.
    TooLong {
        /// Its size.
        bytes: u64,
    },
    /// The end of standard input. Never from a terminal.
    End,
    /// The user wants to leave, or a signal does, or the terminal is gone. May come repeatedly.
    Quit,
    /// Nothing more can be written to standard output; [`Terminal::stop`] says why. Never from a
    /// terminal.
    OutputClosed,
}

/// What stands for the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// A terminal where there is one, else lines.
    Screen,
    /// Lines, whatever standard input and output are.
    Lines,
}

/// What can stand at a place in a line. Called on the editor's thread.
type Complete = Arc<dyn Fn(&str, usize) -> Completion + Send + Sync>;

/// Where inputs go. Called on the editor's or reader's thread.
type Deliver = Arc<dyn Fn(Input) + Send + Sync>;

/// The running terminal. Dropping it is `stop`.
pub(super) struct Terminal {
    queue: Arc<Queue<Entry>>,
    /// None where somebody types: not so fast that it has to be bounded.
    credits: Option<Arc<Credits>>,
    progress: Arc<AtomicU64>,
    saved: SavedMode,
    is_interactive: bool,
    has_keyboard: bool,
    /// None where there is no terminal, or once it has been waited for.
    editor: Option<Editor>,
    /// The printer or the writer. None once it has been waited for.
    output: Option<JoinHandle<io::Result<()>>>,
}

/// Ends all waiting in [`Terminal::show`]. For the signal handler: the program may be waiting
/// there for a terminal or a pipe that stands still, and would not hear of the signal.
#[derive(Clone)]
pub(super) struct Hurry(Arc<Queue<Entry>>);

impl Hurry {
    /// From now on an entry that would have to wait is dropped.
    pub(super) fn hurry(&self) {
        self.0.hurry();
    }
}

impl Terminal {
    /// Starts the threads. The prompt is a few characters of ASCII.
    ///
    /// `complete` is asked what can stand at the cursor, which is a place in the line, in bytes.
    /// `deliver` is called for each input. Neither may block. A handler for SIGINT, if the
    /// program has one, has been installed before: rustyline replaces it while it reads, and an
    /// interrupt then comes as [`Input::Quit`].
    ///
    /// # Errors
    ///
    /// If the terminal cannot be used, or a thread cannot be started.
    pub(super) fn start(
        prompt: &str,
        format: Format,
        style: Style,
        complete: impl Fn(&str, usize) -> Completion + Send + Sync + 'static,
        deliver: impl Fn(Input) + Send + Sync + 'static,
    ) -> anyhow::Result<Self> {
        let deliver: Deliver = Arc::new(deliver);
        let has_keyboard = format == Format::Screen && io::stdin().is_terminal();
        let mut terminal = Self {
            queue: Arc::new(Queue::new()),
            credits: (!has_keyboard).then(|| Arc::new(Credits::new(LINES))),
            progress: Arc::new(AtomicU64::new(0)),
            saved: SavedMode::save(),
            is_interactive: format == Format::Screen && has_terminal(),
            has_keyboard,
            editor: None,
            output: None,
        };
        if terminal.is_interactive {
            terminal.start_editor(prompt, style, Arc::new(complete), &deliver)?;
        } else {
            terminal.start_plain(style, &deliver)?;
        }
        Ok(terminal)
    }

    fn start_editor(
        &mut self,
        prompt: &str,
        style: Style,
        complete: Complete,
        deliver: &Deliver,
    ) -> anyhow::Result<()> {
        let area = Arc::new(InputArea::new());
        let (editor, external) = Editor::start(prompt, complete, deliver, &area, &self.queue)?;
        self.editor = Some(editor);
        let (queue, progress) = (Arc::clone(&self.queue), Arc::clone(&self.progress));
        let printer = Printer::new(external, queue, area, style, progress);
        self.output = Some(spawn("printer", move || {
            printer.run();
            Ok(())
        })?);
        Ok(())
    }

    fn start_plain(&mut self, style: Style, deliver: &Deliver) -> anyhow::Result<()> {
        let (queue, progress) = (Arc::clone(&self.queue), Arc::clone(&self.progress));
        let closed = Arc::clone(deliver);
        self.output = Some(spawn("writer", move || {
            plain::write_entries(&queue, io::stdout(), style, &closed, &progress)
        })?);
        let (credits, deliver) = (self.credits.clone(), Arc::clone(deliver));
        spawn("reader", move || {
            plain::read_lines(io::stdin().lock(), credits.as_deref(), &deliver);
        })?;
        Ok(())
    }

    /// Whether somebody types what comes in. What is shown may go elsewhere, or to a terminal that
    /// cannot move its cursor.
    #[must_use]
    pub(super) fn has_keyboard(&self) -> bool {
        self.has_keyboard
    }

    /// Whether the user sits at a terminal.
    #[must_use]
    pub(super) fn is_interactive(&self) -> bool {
        self.is_interactive
    }

    /// Shows an entry, after all that have been shown before. Waits while too many are waiting,
    /// until [`Hurry`] ends it.
    pub(super) fn show(&self, entry: Entry) {
        self.queue.push(entry);
    }

    /// What ends the waiting in [`Terminal::show`].
    #[must_use]
    pub(super) fn hurry(&self) -> Hurry {
        Hurry(Arc::clone(&self.queue))
    }

    /// Says that a line (or one too long) has been dealt with, so that another may be read. Where
    /// somebody types it changes nothing.
    pub(super) fn credit(&self) {
        if let Some(credits) = &self.credits {
            credits.give();
        }
    }

    /// Ends everything: what has been shown is on the screen, the terminal is as it was before,
    /// what was being typed stays visible.
    ///
    /// # Errors
    ///
    /// If standard output did not take everything: nobody reads it any more (`BrokenPipe`, which
    /// is no reason for complaint), or there is no room.
    pub(super) fn stop(mut self) -> io::Result<()> {
        self.shut_down()
    }

    fn shut_down(&mut self) -> io::Result<()> {
        self.queue.close();
        let mut written = Ok(());
        if let Some(output) = self.output.take()
            && self.wait_for(|| output.is_finished(), || ())
        {
            // A panic there has been reported on standard error.
            written = output.join().unwrap_or(Ok(()));
        }
        if let Some(editor) = self.editor.take() {
            if self.wait_for(|| editor.is_finished(), || editor.interrupt()) {
                editor.join();
            } else {
                self.saved.restore();
            }
        }
        written
    }

    /// Waits until a thread has finished. Gives up when it makes no progress, but in a pipe only
    /// if the program is in a hurry: whoever reads there may take his time.
    fn wait_for(&self, is_finished: impl Fn() -> bool, mut nudge: impl FnMut()) -> bool {
        let mut seen = self.progress.load(Ordering::SeqCst);
        let mut since = Instant::now();
        let mut nudged: Option<Instant> = None;
        while !is_finished() {
            let progress = self.progress.load(Ordering::SeqCst);
            let patient = !self.is_interactive && !self.queue.is_hurried();
            if progress != seen || patient {
                (seen, since) = (progress, Instant::now());
            } else if since.elapsed() >= PATIENCE {
                return false;
            }
            if nudged.is_none_or(|at| at.elapsed() >= ASK_AGAIN) {
                nudge();
                nudged = Some(Instant::now());
            }
            thread::sleep(POLL);
        }
        true
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // An early error or a panic is what will be reported; here it is the mode that counts.
        let _ = self.shut_down();
    }
}

fn spawn<R: Send + 'static>(
    name: &str,
    run: impl FnOnce() -> R + Send + 'static,
) -> anyhow::Result<JoinHandle<R>> {
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(run)
        .with_context(|| format!("cannot start the {name}'s thread"))
}

/// Whether there is a terminal on which a line can be edited.
fn has_terminal() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal() && !is_dumb()
}

/// Whether the terminal is one that cannot move the cursor, as rustyline knows them.
fn is_dumb() -> bool {
    const DUMB: [&str; 3] = ["dumb", "cons25", "emacs"];
    std::env::var("TERM").is_ok_and(|term| DUMB.iter().any(|d| term.eq_ignore_ascii_case(d)))
}
