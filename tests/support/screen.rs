//! A pseudo-terminal with a program in it, and the screen that a person would see.
//!
//! Tests look at the screen and not at the bytes: only the screen shows that a row was erased or glued
//! to another. Nothing here sleeps for a fixed time to let something happen: a wait polls, up to a
//! deadline.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::num::NonZero;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::sys::termios::LocalFlags;
use nix::unistd::Pid;
use portable_pty::{Child, CommandBuilder, ExitStatus, MasterPty, PtySize, native_pty_system};

/// How long a wait lasts at most; then the test fails.
const DEADLINE: Duration = Duration::from_secs(20);
/// How often a wait looks.
const POLL: Duration = Duration::from_millis(5);
/// How long a program must write nothing in order to have come to rest.
const REST: Duration = Duration::from_millis(100);
/// How many rows above the screen this terminal keeps.
const SCROLLBACK: usize = 100_000;

/// A program in a pseudo-terminal. Dropping it kills the program.
pub struct Screen {
    keyboard: Box<dyn Write + Send>,
    seen: Arc<Mutex<Seen>>,
    reader: Option<JoinHandle<()>>,
    child: Box<dyn Child + Send + Sync>,
    master: Box<dyn MasterPty + Send>,
}

/// What the program has written.
struct Seen {
    emulator: vt100::Parser,
    raw: Vec<u8>,
}

/// A program for a terminal. Its environment is this process's, with fixed values for the variables that
/// could change the output.
pub fn command(program: impl AsRef<OsStr>) -> CommandBuilder {
    let mut command = CommandBuilder::new(program);
    for (name, value) in [("TERM", "xterm"), ("TZ", "UTC"), ("LANG", "C.UTF-8")] {
        command.env(name, value);
    }
    for name in [
        "TERM_PROGRAM",
        "COLORFGBG",
        "NO_COLOR",
        "LC_ALL",
        "LC_TERMINAL",
        "KITTY_WINDOW_ID",
        "TMUX",
        "STY",
    ] {
        command.env_remove(name);
    }
    command
}

impl Screen {
    /// Starts a program.
    pub fn spawn(command: CommandBuilder, rows: u16, columns: u16) -> Self {
        let pair = native_pty_system()
            .openpty(size(rows, columns))
            .expect("a pseudo-terminal");
        let child = pair
            .slave
            .spawn_command(command)
            .expect("the program starts");
        // The reader sees the program's end only when no other process has this end open.
        drop(pair.slave);
        let mut output = pair
            .master
            .try_clone_reader()
            .expect("the terminal can be read");
        let keyboard = pair
            .master
            .take_writer()
            .expect("the terminal can be written");
        let emulator = vt100::Parser::new(nonzero(rows), nonzero(columns), SCROLLBACK);
        let seen = Arc::new(Mutex::new(Seen {
            emulator,
            raw: Vec::new(),
        }));
        let writer = Arc::clone(&seen);
        let reader = thread::spawn(move || {
            let mut buffer = vec![0; 64 * 1024];
            while let Ok(read @ 1..) = output.read(&mut buffer) {
                let bytes = buffer
                    .get(..read)
                    .expect("no more is read than there is room for");
                let mut seen = writer.lock().expect("no test panics while it looks");
                seen.emulator.process(bytes);
                seen.raw.extend_from_slice(bytes);
            }
        });
        Self {
            keyboard,
            seen,
            reader: Some(reader),
            child,
            master: pair.master,
        }
    }

    /// Types text, all at once.
    pub fn type_text(&mut self, text: &str) {
        self.send(text.as_bytes());
    }

    /// Sends the program what a terminal sends for keys, or by itself.
    pub fn send(&mut self, bytes: &[u8]) {
        self.keyboard
            .write_all(bytes)
            .expect("the program can be typed to");
        self.keyboard.flush().expect("the program can be typed to");
    }

    /// Types text and Enter.
    pub fn enter(&mut self, text: &str) {
        self.type_text(text);
        self.press("\r");
    }

    /// Presses a key, given as the bytes it sends: `"\x03"` is Ctrl-C, `"\x1b[A"` is Up.
    pub fn press(&mut self, key: &str) {
        self.type_text(key);
    }

    /// Pastes text in brackets, as modern terminals do.
    pub fn paste(&mut self, text: &str) {
        self.type_text(&format!("\x1b[200~{text}\x1b[201~"));
    }

    /// The rows of the screen, without spaces at their ends and without empty rows at the bottom; and without
    /// what is to be seen in pictures alone: the time of notices, which is another one each time, and the state
    /// field before the prompt while nothing stands in it.
    pub fn contents(&self) -> String {
        let contents = self.seen().emulator.screen().contents();
        let rows: Vec<String> = contents.split('\n').map(bare).collect();
        rows.join("\n")
    }

    /// Has `look` look at the screen cell by cell.
    pub fn with_emulator<T>(&self, look: impl FnOnce(&vt100::Screen) -> T) -> T {
        look(self.seen().emulator.screen())
    }

    /// The row and column of the cursor, from 0.
    pub fn cursor(&self) -> (u16, u16) {
        self.seen().emulator.screen().cursor_position()
    }

    /// All rows that have been on the screen and were not erased, oldest first, and bare as in `contents`.
    pub fn transcript(&self) -> Vec<String> {
        let mut seen = self.seen();
        let screen = seen.emulator.screen_mut();
        let (rows, columns) = screen.size();
        let (rows, columns) = (usize::from(rows.get()), columns.get());
        let mut transcript = Vec::new();
        let mut above = screen.scrollback_len();
        loop {
            screen.set_scrollback(above);
            let wanted = if above == 0 { rows } else { above.min(rows) };
            transcript.extend(screen.rows(0, columns).take(wanted).map(|row| bare(&row)));
            if above == 0 {
                return transcript;
            }
            above -= wanted;
        }
    }

    /// Everything the program has written.
    pub fn raw(&self) -> String {
        String::from_utf8_lossy(&self.seen().raw).into_owned()
    }

    /// The window's title: the last one that the program has set. Empty where it has given it back.
    pub fn title(&self) -> String {
        let raw = self.raw();
        let last = raw.rsplit_once("\x1b]2;").map_or("", |(_, last)| last);
        match last.split_once("\x1b\\") {
            Some((title, rest)) if !rest.contains("\x1b[23;2t") => title.to_owned(),
            _ => String::new(),
        }
    }

    /// Waits until the screen is as expected, and returns it.
    pub fn wait_for(&self, what: &str, expected: impl Fn(&str) -> bool) -> String {
        let start = Instant::now();
        loop {
            let contents = self.contents();
            if expected(&contents) {
                return contents;
            }
            assert!(
                start.elapsed() < DEADLINE,
                "no {what} on the screen:\n{contents}"
            );
            thread::sleep(POLL);
        }
    }

    /// Waits until this text is on the screen and the program has come to rest.
    #[track_caller]
    pub fn sees(&self, text: &str) {
        self.wait_for(text, |shown| shown.contains(text));
        self.comes_to_rest();
    }

    /// Waits until the program writes nothing more. What it has shown counts as seen only a moment later,
    /// and until then a typed line leaves out whoever came last.
    #[track_caller]
    pub fn comes_to_rest(&self) {
        let start = Instant::now();
        let (mut written, mut since) = (self.seen().raw.len(), start);
        while since.elapsed() < REST {
            assert!(start.elapsed() < DEADLINE, "it never comes to rest");
            thread::sleep(POLL);
            let now = self.seen().raw.len();
            if now != written {
                (written, since) = (now, Instant::now());
            }
        }
    }

    /// Takes the focus from the window, as the terminal reports it, and waits until the program knows that: what
    /// comes before it draws the screen again it has read by then.
    #[track_caller]
    pub fn looks_away(&mut self) {
        let drawn = |screen: &Self| screen.raw().matches("\x1b[2K").count();
        let before = drawn(self);
        self.send(b"\x1b[O");
        self.signal(Signal::SIGWINCH);
        self.wait_for("another drawing", |_| drawn(self) > before);
        self.comes_to_rest();
    }

    /// Changes the size of the window.
    pub fn resize(&mut self, rows: u16, columns: u16) {
        self.seen()
            .emulator
            .screen_mut()
            .set_size(nonzero(rows), nonzero(columns));
        self.master
            .resize(size(rows, columns))
            .expect("the terminal can be resized");
    }

    /// Whether the terminal echoes and edits lines itself, as a shell expects.
    pub fn is_cooked(&self) -> bool {
        let mode = self
            .master
            .get_termios()
            .expect("the terminal has a mode")
            .local_flags
            .bits();
        let cooked = (LocalFlags::ECHO | LocalFlags::ICANON | LocalFlags::ISIG).bits();
        mode & cooked == cooked
    }

    /// Whether the program has left the terminal expecting bracketed pastes.
    pub fn brackets_pastes(&self) -> bool {
        self.seen().emulator.screen().bracketed_paste()
    }

    /// Sends the program a signal.
    pub fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).expect("the program can be signalled");
    }

    /// The program's process id.
    pub fn pid(&self) -> Pid {
        let pid = self
            .child
            .process_id()
            .expect("the program has not been waited for");
        Pid::from_raw(pid.try_into().expect("process ids are positive"))
    }

    /// Waits until the program has ended and all it wrote is on the screen.
    pub fn wait_exit(&mut self) -> ExitStatus {
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self
                .child
                .try_wait()
                .expect("the program can be waited for")
            {
                break status;
            }
            assert!(
                start.elapsed() < DEADLINE,
                "no end of the program:\n{}",
                self.contents()
            );
            thread::sleep(POLL);
        };
        if let Some(reader) = self.reader.take() {
            reader.join().expect("the terminal has been read");
        }
        status
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().expect("the reader does not panic")
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // This fails if the program has ended, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A row without the time of a notice, and without an empty state field.
fn bare(row: &str) -> String {
    const EMPTY_FIELD: &str = "       ";
    if let Some(input) = row.strip_prefix(EMPTY_FIELD)
        && input.starts_with('>')
    {
        return input.to_owned();
    }
    let begin: String = row.chars().take("* 21:04 ".len()).collect();
    let is_timed = begin
        .chars()
        .zip("* 00:00 ".chars())
        .all(|(c, form)| match form {
            '*' => "*?!".contains(c),
            '0' => c.is_ascii_digit(),
            form => c == form,
        });
    match row.get(begin.len()..) {
        Some(text) if is_timed && begin.len() == "* 21:04 ".len() => begin[..2].to_owned() + text,
        _ => row.to_owned(),
    }
}

fn size(rows: u16, cols: u16) -> PtySize {
    PtySize {
        rows,
        cols,
        pixel_width: 0,
        pixel_height: 0,
    }
}

fn nonzero(length: u16) -> NonZero<u16> {
    NonZero::new(length).expect("a screen has rows and columns")
}
