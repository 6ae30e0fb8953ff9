//! The terminal, or lines on standard input and output where the program runs in a pipe. Entries go
//! in, rows come out; this module takes nothing from `room` but `SafeText` and the length of a message, and knows no rooms.
//!
//! # Who may write
//!
//! Between [`Terminal::start`] and [`Terminal::stop`] nothing else writes to standard output or
//! standard error. Everything that is shown is an [`Entry`], in the order of the calls of
//! [`Terminal::show`]. The user's own messages are entries too, so that there is one order. An entry
//! holds text from others only as `SafeText`, or in codes that `notification` has made of it. While the program
//! is being stopped the keyboard writes what gives the terminal back.
//!
//! # On a terminal
//!
//! Standard input and output are terminals that can move a cursor. There are three threads, or two on
//! Windows:
//!
//! - *keyboard* (`keyboard`) reads the terminal, and gives rustyline what rustyline understands. It ends
//!   when `stop` has it hang up, or when the terminal is gone. Windows has none: there rustyline gets
//!   keys, not bytes.
//! - *editor* (`editor.rs`) sits in rustyline's `readline` and delivers what the user types. It ends
//!   when the keyboard hangs up.
//! - *printer* (`printer.rs`) takes entries from the queue and has rustyline print them above the
//!   input. It ends when the queue is closed and the printer has shown everything in it.
//!
//! The printer waits for the editor's thread, so that thread must wait for nobody: `deliver` must
//! not block, and the editor's thread wakes the queue but never pushes to it.
//!
//! # Heard, or without a cursor
//!
//! Where the user wants it, or the terminal cannot move a cursor, there is no rustyline. The *keyboard* is the same, and
//! two other threads (`linear.rs`) read it, and write each row once.
//!
//! # Without a terminal
//!
//! There are two threads, *reader* and *writer* (`plain.rs`). There is no prompt, each entry is one
//! line, and there is colour only if the user asked for it.
//!
//! # The end
//!
//! `stop`, or dropping the [`Terminal`], closes the queue, waits for the printer, then has the keyboard
//! hang up, and waits for the editor. Either may make no progress, because the other end of the terminal
//! has stopped reading. `stop` gives it up after [`PATIENCE`], and restores the mode all the same.

mod attention;
mod beginning;
mod completion;
mod detect;
#[cfg_attr(not(unix), path = "no_draft.rs")]
mod draft;
mod edit;
mod editor;
mod entry;
mod gutter;
mod history;
mod hurry;
mod input;
mod input_area;
mod keyboard;
mod keys;
mod kind;
mod linear;
mod notification;
mod osc;
mod plain;
mod printer;
mod queue;
mod quit_keys;
mod readable;
mod render;
mod status;
mod style;
mod theme;
pub(super) mod url;
mod window;
mod wrap;

use std::io::{self, IsTerminal};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::Context as _;

pub(super) use self::beginning::{Beginning, Format};
pub(super) use self::completion::Completion;
pub(super) use self::detect::knows_osc;
pub(super) use self::entry::{Author, ChatMessage, Entry, OwnWords, State};
pub(super) use self::hurry::HurryHandle;
pub(super) use self::input::{Input, MAX_LINE};
pub(super) use self::notification::{Between, Protocol};
pub(super) use self::quit_keys::QuitKeys;
pub(super) use self::readable::check_readable;
#[cfg(test)]
pub(super) use self::render::render;
pub(super) use self::render::{render_plain, render_whole};
pub(super) use self::status::Status;
pub(super) use self::style::{ColorChoice, Style};
pub(super) use self::theme::{Hue, Theme};

use self::attention::Attention;
use self::completion::Complete;
use self::editor::Shared;
use self::input::Deliver;
use self::input_area::{InputArea, Size};
use self::keyboard::{Console, Keyboard, Told};
use self::kind::Kind;
use self::linear::{Linear, Page};
use self::printer::Printer;
use self::queue::BoundedQueue;
use self::window::Window;
use super::credits::Credits;
use crate::room::text::SafeText;

/// How long a thread may make no progress before `stop` gives it up.
const PATIENCE: Duration = Duration::from_secs(2);
/// How many lines from standard input may be under way to the relay.
const MAX_LINES_UNDER_WAY: usize = 64;
/// What stands before what the user types.
const PROMPT: &str = "> ";
/// With fewer columns, there is no state field: what is typed needs the room.
const MIN_COLUMNS_FOR_FIELD: usize = 30;
/// How often `stop` looks whether a thread has ended.
const POLL: Duration = Duration::from_millis(5);
/// Alt-E, as the keyboard gives it.
const ALT_E: &[u8] = b"\x1be";

/// The running terminal. Dropping it does what [`Terminal::stop`] does.
pub(super) struct Terminal {
    queue: Arc<BoundedQueue<Entry>>,
    /// None where somebody types: nobody types so fast that there must be a bound.
    credits: Option<Arc<Credits>>,
    /// Counts what the printer or the writer writes.
    progress: Arc<AtomicU64>,
    attention: Arc<Attention>,
    window: Arc<Window>,
    /// The size that it had when it was looked at last.
    size: Size,
    kind: Kind,
    has_field: bool,
    has_keyboard: bool,
    /// None where there is no terminal, or once `stop` has waited for the editor.
    keyboard: Option<Keyboard>,
    /// The thread of the line editor, or of what reads keys in its place.
    editor: Option<JoinHandle<()>>,
    /// The thread of the printer or the writer. None once `stop` has waited for it.
    output: Option<JoinHandle<io::Result<()>>>,
}

impl Terminal {
    /// Starts the threads.
    ///
    /// The editor asks `complete` what can stand at the cursor, which is a place in the line, in
    /// bytes. The threads call `deliver` for each input. Neither may block.
    ///
    /// # Errors
    ///
    /// If rustyline cannot use the terminal, or the system gives no thread.
    pub(super) fn start(
        beginning: Beginning,
        complete: impl Fn(&str, usize) -> Completion + Send + Sync + 'static,
        deliver: impl Fn(Input) + Send + Sync + 'static,
    ) -> anyhow::Result<Self> {
        let Beginning {
            format,
            style,
            has_field,
            quit_keys,
            title,
        } = beginning;
        let deliver: Deliver = Arc::new(deliver);
        let has_keyboard = format != Format::Lines && io::stdin().is_terminal();
        let mut terminal = Self {
            queue: Arc::new(BoundedQueue::new()),
            credits: (!has_keyboard).then(|| Arc::new(Credits::new(MAX_LINES_UNDER_WAY))),
            progress: Arc::new(AtomicU64::new(0)),
            attention: Arc::new(Attention::new()),
            window: Arc::new(Window::new(knows_osc().then_some(title))),
            size: Size::now(),
            kind: Kind::of(format),
            has_field: false,
            has_keyboard,
            keyboard: None,
            editor: None,
            output: None,
        };
        let area = Arc::new(InputArea::new());
        match terminal
            .is_interactive()
            .then(|| terminal.start_keyboard(&area, &deliver))
        {
            Some(Ok(console)) if terminal.kind == Kind::Linear => {
                terminal.start_linear(style, quit_keys, deliver, console)?;
            }
            Some(Ok(console)) => {
                terminal.has_field = has_field && terminal.size.columns >= MIN_COLUMNS_FOR_FIELD;
                if terminal.has_field {
                    area.set_field(Status::default().field(style));
                }
                let shared = Shared {
                    deliver,
                    area,
                    queue: Arc::clone(&terminal.queue),
                    attention: Arc::clone(&terminal.attention),
                    window: Arc::clone(&terminal.window),
                    console,
                };
                terminal.start_editor(style, quit_keys, Arc::new(complete), shared)?;
            }
            Some(Err(error)) => {
                terminal.kind = Kind::Lines;
                terminal.start_plain(style, &deliver)?;
                terminal.show(Entry::Notice(SafeText::new(&format!(
                    "lines cannot be edited here: {error}"
                ))));
            }
            None => terminal.start_plain(style, &deliver)?,
        }
        Ok(terminal)
    }

    fn start_keyboard(
        &mut self,
        area: &Arc<InputArea>,
        deliver: &Deliver,
    ) -> io::Result<Arc<Console>> {
        let (area, queue) = (Arc::clone(area), Arc::clone(&self.queue));
        let attention = Arc::clone(&self.attention);
        let welcome = {
            let deliver = Arc::clone(deliver);
            move |is_back: bool| {
                if is_back {
                    deliver(Input::Returned);
                }
            }
        };
        let (typed, welcome_typed) = (Arc::clone(&attention), welcome.clone());
        // Nothing is undone where nothing is drawn.
        let window = self.is_drawn().then(|| Arc::clone(&self.window));
        let keyboard = Keyboard::start(Told {
            returned: Box::new(move || {
                area.set_damaged();
                queue.wake();
            }),
            typed: Box::new(move || welcome_typed(typed.note_key())),
            focus: Box::new(move |has_focus| welcome(attention.note_focus(has_focus))),
            stopping: Box::new(move || {
                let window = window.as_ref();
                window.map_or_else(String::new, |window| window.leave())
            }),
        })?;
        let console = Arc::clone(keyboard.console());
        self.keyboard = Some(keyboard);
        Ok(console)
    }

    fn start_editor(
        &mut self,
        style: Style,
        quit_keys: QuitKeys,
        complete: Complete,
        shared: Shared,
    ) -> anyhow::Result<()> {
        let field = shared.area.field().map_or(0, |_| status::WIDTH);
        let prompt = " ".repeat(field) + PROMPT;
        let (editor, external) = editor::start(&prompt, quit_keys, complete, &shared)?;
        self.editor = Some(editor);
        let (queue, progress) = (Arc::clone(&self.queue), Arc::clone(&self.progress));
        let shown_in = (shared.area, shared.window);
        let printer = Printer::new(external, queue, shown_in, style, progress);
        self.output = Some(spawn("printer", move || {
            printer.run();
            Ok(())
        })?);
        Ok(())
    }

    fn start_linear(
        &mut self,
        style: Style,
        quit_keys: QuitKeys,
        deliver: Deliver,
        console: Arc<Console>,
    ) -> anyhow::Result<()> {
        let linear = Arc::new(Linear {
            page: Mutex::new(Page::new(io::stdout(), console.echoes())),
            queue: Arc::clone(&self.queue),
            deliver,
            asking: quit_keys,
        });
        let (writer, progress) = (Arc::clone(&linear), Arc::clone(&self.progress));
        self.output = Some(spawn("writer", move || {
            writer.write_entries(style, &progress)
        })?);
        self.editor = Some(spawn("reader", move || {
            linear.read_keys(io::stdin().lock(), &console);
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

    /// Whether somebody types the input. The output may go elsewhere, or to a terminal that cannot
    /// move its cursor.
    #[must_use]
    pub(super) fn has_keyboard(&self) -> bool {
        self.has_keyboard
    }

    /// Whether both input and output are a terminal.
    #[must_use]
    pub(super) fn is_interactive(&self) -> bool {
        self.kind != Kind::Lines
    }

    /// Whether it can move its cursor, and is drawn again where that is needed.
    #[must_use]
    pub(super) fn is_drawn(&self) -> bool {
        self.kind == Kind::Drawn
    }

    /// Opens the user's own editor on what is typed, as Alt-E does. Returns whether that can be: the rest is told by
    /// [`Input::NotDone`].
    #[must_use]
    pub(super) fn edit(&self) -> bool {
        let keyboard = self.keyboard.as_ref();
        keyboard.is_some_and(|keyboard| keyboard.press(ALT_E))
    }

    /// Whether a state field stands before the prompt.
    #[must_use]
    pub(super) fn has_field(&self) -> bool {
        self.has_field
    }

    /// Shows an entry, behind all earlier ones. Waits while the queue is full, until [`HurryHandle`]
    /// ends that.
    pub(super) fn show(&self, entry: Entry) {
        self.queue.push(entry);
    }

    /// Whether the user looks elsewhere. If so, [`Input::Returned`] comes once when that is over.
    #[must_use]
    pub(super) fn await_absent(&self) -> bool {
        self.is_interactive() && self.attention.await_absent()
    }

    /// Whether the screen shows only the beginning of a message, because it is so long.
    #[must_use]
    pub(super) fn is_cut(&self, message: &ChatMessage, style: Style) -> bool {
        let columns = if self.is_drawn() {
            Size::now().columns
        } else {
            usize::MAX
        };
        render::is_cut(message, columns, style)
    }

    /// Has the printer draw the screen again if the terminal has another size than before. Call it every
    /// few seconds: a terminal from which the program was not started sends it no signal, and Windows
    /// has none.
    pub(super) fn notice_size(&mut self) {
        let size = Size::now();
        if self.is_drawn() && size != self.size {
            self.size = size;
            self.queue.wake();
        }
    }

    /// The handle that ends the waiting in [`Terminal::show`].
    #[must_use]
    pub(super) fn hurry_handle(&self) -> HurryHandle {
        let console = self.keyboard.as_ref().map(Keyboard::console);
        HurryHandle::new(&self.queue, console)
    }

    /// Lets the reader read one line more: the program has dealt with one, or with one too long.
    /// Where somebody types it changes nothing.
    pub(super) fn credit(&self) {
        if let Some(credits) = &self.credits {
            credits.give(1);
        }
    }

    /// Ends the threads. Afterwards all entries are on the screen, the terminal is as it was before,
    /// and what the user was typing stays visible.
    ///
    /// # Errors
    ///
    /// If standard output did not take everything: nobody reads it any more (`BrokenPipe`, which
    /// is no reason for complaint), or its disk is full.
    pub(super) fn stop(mut self) -> io::Result<()> {
        self.shut_down()
    }

    fn shut_down(&mut self) -> io::Result<()> {
        self.queue.close();
        if let Some(keyboard) = &self.keyboard {
            keyboard.console().close();
        }
        let mut written = Ok(());
        if let Some(output) = self.output.take()
            && self.wait_for(|| output.is_finished())
        {
            // If that thread has panicked, the panic is on standard error already.
            written = output.join().unwrap_or(Ok(()));
        }
        if let Some(mut keyboard) = self.keyboard.take() {
            keyboard.hang_up();
            let editor = self.editor.take();
            if self.wait_for(|| editor.as_ref().is_none_or(JoinHandle::is_finished)) {
                // If the thread has panicked, the panic is on standard error.
                let _ = editor.map(JoinHandle::join);
                keyboard.give_back();
            } else {
                keyboard.restore_mode();
            }
        }
        written
    }

    /// Waits until a thread has finished. Returns false if the thread makes no progress for
    /// [`PATIENCE`]. In a pipe it gives up only if the program is in a hurry: the reader of a pipe may
    /// take its time.
    fn wait_for(&self, is_finished: impl Fn() -> bool) -> bool {
        let mut seen = self.progress.load(Ordering::SeqCst);
        let mut since = Instant::now();
        while !is_finished() {
            let progress = self.progress.load(Ordering::SeqCst);
            let patient = !self.is_interactive() && !self.queue.is_hurried();
            if progress != seen || patient {
                (seen, since) = (progress, Instant::now());
            } else if since.elapsed() >= PATIENCE {
                return false;
            }
            thread::sleep(POLL);
        }
        true
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // The program reports the error or panic that led here. What counts here is the mode.
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
