//! Questions on a terminal as Unix has them.
//!
//! The terminal goes on editing lines and making signals of keys, and only shows nothing. A signal
//! that would end or stop the program while that is so is taken by a thread, which first puts the
//! mode back. It can only take what every other thread blocks, and a new thread blocks what the one
//! blocks that starts it: so questions are asked before any other thread is started, or none of this
//! holds.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::thread::JoinHandleExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::sys::pthread::pthread_kill;
use nix::sys::select::{FdSet, select};
use nix::sys::signal::{SigSet, Signal, raise};
use nix::sys::termios::{
    FlushArg, InputFlags, LocalFlags, SetArg, Termios, tcflush, tcgetattr, tcsetattr,
};
use nix::sys::time::{TimeVal, TimeValLike as _};

/// The terminal that the program was started from, wherever standard input and output lead.
const TERMINAL: &str = "/dev/tty";
/// How long after a line the next one of the same paste may come.
const PAUSE: i64 = 100;
/// How long what is typed is thrown away for: somebody may lean on a key.
const PATIENCE: Duration = Duration::from_secs(1);
/// What would end or stop the program and can be taken.
const SIGNALS: [Signal; 10] = [
    Signal::SIGHUP,
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGABRT,
    Signal::SIGUSR2,
    Signal::SIGALRM,
    Signal::SIGTERM,
    Signal::SIGXCPU,
    Signal::SIGVTALRM,
    Signal::SIGTSTP,
];
/// What tells the thread that it is not needed any more. Sent to that thread alone.
const DONE: Signal = Signal::SIGUSR1;

pub(super) struct Prompt {
    terminal: File,
    /// The mode that it had.
    before: Termios,
    signals: SigSet,
    is_done: Arc<AtomicBool>,
    guard: Option<JoinHandle<()>>,
}

impl Prompt {
    pub(super) fn open() -> io::Result<Self> {
        let terminal = File::options().read(true).write(true).open(TERMINAL)?;
        let before = tcgetattr(&terminal)?;
        let mut hidden = before.clone();
        hidden
            .local_flags
            .remove(LocalFlags::ECHO | LocalFlags::ECHONL);
        // Another program may have left it raw.
        hidden
            .local_flags
            .insert(LocalFlags::ICANON | LocalFlags::ISIG);
        hidden.input_flags.insert(InputFlags::ICRNL);
        let signals = SIGNALS.into_iter().chain([DONE]).collect();
        let mut prompt = Self {
            terminal,
            before,
            signals,
            is_done: Arc::default(),
            guard: None,
        };
        signals.thread_block()?;
        prompt.guard = Some(prompt.start_guard(hidden.clone())?);
        tcsetattr(&prompt.terminal, SetArg::TCSANOW, &hidden)?;
        Ok(prompt)
    }

    fn start_guard(&self, hidden: Termios) -> io::Result<JoinHandle<()>> {
        let guard = Guard {
            terminal: self.terminal.try_clone()?,
            before: self.before.clone(),
            hidden,
            signals: self.signals,
            is_done: Arc::clone(&self.is_done),
        };
        let builder = thread::Builder::new().name("prompt".to_owned());
        builder.spawn(move || guard.run())
    }

    pub(super) fn ask(&mut self, question: &str) -> io::Result<String> {
        self.terminal.write_all(question.as_bytes())?;
        let line = self.line();
        // Enter was not shown either.
        self.terminal.write_all(b"\n")?;
        line.map(|line| without_keys(&String::from_utf8_lossy(&line)))
    }

    /// What is typed, up to Enter. What comes after it is not touched: a terminal that edits lines
    /// gives out no more than one.
    fn line(&mut self) -> io::Result<Vec<u8>> {
        let mut line = Vec::new();
        let mut buffer = [0; 4096];
        loop {
            let read = match self.terminal.read(&mut buffer) {
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            line.extend_from_slice(buffer.get(..read).unwrap_or_default());
            if line.pop_if(|last| *last == b'\n').is_some() {
                return Ok(line);
            }
            // Ctrl-D, at the beginning of a line or twice in it.
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    pub(super) fn has_more(&self) -> bool {
        has_more(&self.terminal)
    }
}

impl Drop for Prompt {
    fn drop(&mut self) {
        discard_typed(&self.terminal);
        // Before any signal has its effect.
        let _ = tcsetattr(&self.terminal, SetArg::TCSANOW, &self.before);
        if let Some(guard) = self.guard.take() {
            self.is_done.store(true, Ordering::SeqCst);
            // It has not been joined, so its id is still its own: a number, or a pointer with musl.
            let _ = pthread_kill(guard.as_pthread_t() as _, DONE);
            let _ = guard.join();
            // It may just have hidden what is typed again, after the program had been stopped.
            let _ = tcsetattr(&self.terminal, SetArg::TCSANOW, &self.before);
        }
        let _ = self.signals.thread_unblock();
    }
}

/// What takes signals while nothing is shown.
struct Guard {
    terminal: File,
    before: Termios,
    hidden: Termios,
    signals: SigSet,
    is_done: Arc<AtomicBool>,
}

impl Guard {
    fn run(mut self) {
        // In the background, a change of the terminal would stop the program before a signal ends it.
        let _ = SigSet::from_iter([Signal::SIGTTOU]).thread_block();
        while let Ok(signal) = self.signals.wait() {
            if signal == DONE && self.is_done.load(Ordering::SeqCst) {
                return;
            }
            let _ = tcflush(&self.terminal, FlushArg::TCIFLUSH);
            let _ = tcsetattr(&self.terminal, SetArg::TCSANOW, &self.before);
            let _ = self.terminal.write_all(b"\n");
            let this = SigSet::from_iter([signal]);
            let _ = this.thread_unblock();
            let _ = raise(signal);
            // It was one that is ignored, or that stopped the program until now.
            let _ = this.thread_block();
            if !self.is_done.load(Ordering::SeqCst) {
                let _ = tcsetattr(&self.terminal, SetArg::TCSANOW, &self.hidden);
            }
        }
    }
}

/// Throws away what was typed and nobody has read, and what is just being pasted.
fn discard_typed(terminal: &File) {
    let since = Instant::now();
    while has_more(terminal) && since.elapsed() < PATIENCE {
        let _ = tcflush(terminal, FlushArg::TCIFLUSH);
    }
    // What is no whole line yet does not count as more.
    let _ = tcflush(terminal, FlushArg::TCIFLUSH);
}

/// Whether a line can be read. Not by `poll`, which knows nothing of terminals on macOS.
fn has_more(terminal: &File) -> bool {
    let mut readable = FdSet::new();
    readable.insert(terminal.as_fd());
    let mut pause = TimeVal::milliseconds(PAUSE);
    select(None, &mut readable, None, None, &mut pause).is_ok_and(|ready| ready > 0)
}

/// A line without what is no character: arrow keys, the marks around a paste.
fn without_keys(line: &str) -> String {
    let mut kept = String::with_capacity(line.len());
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        if character == '\u{1b}' {
            if matches!(characters.next(), Some('[' | 'O')) {
                // The end of a control sequence (ECMA-48 §5.4).
                characters.find(|c| ('\x40'..='\x7e').contains(c));
            }
        } else if !character.is_control() {
            kept.push(character);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_are_no_characters_leave_nothing() {
        for (typed, kept) in [
            ("open sesame", "open sesame"),
            ("pass\u{1b}[D\u{1b}[1;5Cword", "password"),
            ("\u{1b}[200~pasted\u{1b}[201~", "pasted"),
            ("\u{1b}OPé\u{7}日\t", "é日"),
            ("end\u{1b}", "end"),
            ("end\u{1b}[", "end"),
        ] {
            assert_eq!(without_keys(typed), kept, "{typed:?}");
        }
    }
}
