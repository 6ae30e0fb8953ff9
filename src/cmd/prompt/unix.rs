//! Questions on a terminal as Unix has them.
//!
//! The terminal goes on editing lines and making signals of keys; only its echo is off. A signal could
//! end or stop the program meanwhile, and leave a shell without an echo. So a thread, the guard, takes
//! such signals (`sigwait`), restores the mode, and then raises the signal once more. It can take only
//! what every other thread blocks, and a new thread blocks what its parent blocks. So the program must
//! ask questions before it starts any other thread.
//!
//! `cmd/signals.rs` takes signals in another way, by handlers of signal-hook, and neither way serves
//! both. Such a handler stays for ever: once the question is answered, Ctrl-C would no longer end
//! `keygen`, nor Ctrl-Z stop it. And `sigwait` would need all threads of `join` to block the signals,
//! although a signal must end `join` at once while it is not in the room yet.

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

/// The terminal that the program was started from, whatever standard input and output are.
const TERMINAL: &str = "/dev/tty";
/// How long after a line the next line of the same paste may come, in milliseconds.
const PASTE_PAUSE_MILLIS: i64 = 100;
/// The longest time for which typed text is thrown away: somebody may lean on a key.
const DISCARD_LIMIT: Duration = Duration::from_secs(1);
/// The signals that would end or stop the program and that a thread can take.
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
/// Tells the guard to end. It goes to that thread alone.
const DONE: Signal = Signal::SIGUSR1;

pub(super) struct SystemPrompt {
    terminal: File,
    /// The mode that the terminal had.
    before: Termios,
    /// [`SIGNALS`] and [`DONE`].
    signals: SigSet,
    is_done: Arc<AtomicBool>,
    guard: Option<JoinHandle<()>>,
}

impl SystemPrompt {
    pub(super) fn open() -> io::Result<Self> {
        let terminal = File::options().read(true).write(true).open(TERMINAL)?;
        let before = tcgetattr(&terminal)?;
        let mut hidden = before.clone();
        hidden
            .local_flags
            .remove(LocalFlags::ECHO | LocalFlags::ECHONL);
        // Another program may have left the terminal in raw mode.
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
        let guard = SignalGuard {
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
        let line = self.read_line();
        // The terminal has not shown Enter either.
        self.terminal.write_all(b"\n")?;
        line.map(|line| without_keys(&String::from_utf8_lossy(&line)))
    }

    /// Reads what the user types, up to Enter. The rest stays in the terminal: one that edits lines
    /// gives out no more than one line at once.
    fn read_line(&mut self) -> io::Result<Vec<u8>> {
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
            // The user has pressed Ctrl-D at the beginning of a line, or twice within one.
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    pub(super) fn has_more(&self) -> bool {
        has_more(&self.terminal)
    }
}

impl Drop for SystemPrompt {
    fn drop(&mut self) {
        discard_typed(&self.terminal);
        // The mode is restored before any signal has its effect.
        let _ = tcsetattr(&self.terminal, SetArg::TCSANOW, &self.before);
        if let Some(guard) = self.guard.take() {
            self.is_done.store(true, Ordering::SeqCst);
            // Nobody has joined the thread, so its id is still its own: a number, or a pointer with musl.
            let _ = pthread_kill(guard.as_pthread_t() as _, DONE);
            let _ = guard.join();
            // The guard may just have switched the echo off again, after the program was stopped.
            let _ = tcsetattr(&self.terminal, SetArg::TCSANOW, &self.before);
        }
        let _ = self.signals.thread_unblock();
    }
}

/// The thread that takes signals while the echo is off.
struct SignalGuard {
    terminal: File,
    before: Termios,
    hidden: Termios,
    signals: SigSet,
    is_done: Arc<AtomicBool>,
}

impl SignalGuard {
    fn run(mut self) {
        // In the background, setting the terminal's mode would stop the program by SIGTTOU, before
        // the signal that came could end it.
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
            // The program still runs: it ignores this signal, or the signal stopped it until now.
            let _ = this.thread_block();
            if !self.is_done.load(Ordering::SeqCst) {
                let _ = tcsetattr(&self.terminal, SetArg::TCSANOW, &self.hidden);
            }
        }
    }
}

/// Throws away what the user has typed and nobody has read, and what the user is just pasting.
fn discard_typed(terminal: &File) {
    let since = Instant::now();
    while has_more(terminal) && since.elapsed() < DISCARD_LIMIT {
        let _ = tcflush(terminal, FlushArg::TCIFLUSH);
    }
    // `has_more` does not count a part of a line.
    let _ = tcflush(terminal, FlushArg::TCIFLUSH);
}

/// Whether a line can be read. This does not use `poll`, which on macOS does not work for terminals.
fn has_more(terminal: &File) -> bool {
    let mut readable = FdSet::new();
    readable.insert(terminal.as_fd());
    let mut pause = TimeVal::milliseconds(PASTE_PAUSE_MILLIS);
    select(None, &mut readable, None, None, &mut pause).is_ok_and(|ready| ready > 0)
}

/// A line without control characters and escape sequences: arrow keys, the marks around a paste.
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
