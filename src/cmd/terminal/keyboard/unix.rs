//! The keyboard's thread, and the pseudo-terminal behind which rustyline sits.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::{self, JoinHandle};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::openpty;
use nix::sys::termios::SpecialCharacterIndices::VMIN;
use nix::unistd::dup2_stdin;
use signal_hook::SigId;
use signal_hook::consts::{SIGCONT, SIGTSTP, SIGWINCH};
use signal_hook::flag;
use signal_hook::low_level::{pipe, unregister};

use super::console::Console;
use super::decoder::{Decoder, Sign};
use super::told::Told;
use crate::cmd::signals::is_known_to_be_ignored;

/// Has the terminal put brackets around what is pasted, and report when it gets or loses the focus.
pub(in crate::cmd::terminal) const REPORTS_ON: &str = "\x1b[?2004h\x1b[?1004h";
pub(in crate::cmd::terminal) const REPORTS_OFF: &str = "\x1b[?1004l\x1b[?2004l";
/// How much is read of the terminal at once, and how much of it rustyline may leave unread before no more
/// is read.
const BUFFER: usize = 4096;
/// What `poll` reports of a terminal that is gone.
const GONE: PollFlags = PollFlags::POLLHUP
    .union(PollFlags::POLLERR)
    .union(PollFlags::POLLNVAL);

/// The running keyboard.
pub(in crate::cmd::terminal) struct Keyboard {
    /// The terminal itself, which standard input was.
    console: Arc<Console>,
    /// What is written to it counts as typed. Closing it ends the thread, and with it what rustyline reads. None
    /// once it is closed.
    open: Option<UnixStream>,
    signals: Vec<SigId>,
    thread: Option<JoinHandle<()>>,
}

impl Keyboard {
    /// Puts the terminal into raw mode, and itself between the terminal and standard input.
    ///
    /// # Errors
    /// If the system gives no pseudo-terminal, or no thread.
    pub(in crate::cmd::terminal) fn start(told: Told) -> io::Result<Self> {
        let console = Arc::new(Console::open()?);
        // It is raw from the beginning: it shows nothing and makes no signals of keys. Whoever reads it waits.
        let mut mode = console.raw();
        if let Some(least) = mode.control_chars.get_mut(VMIN as usize) {
            *least = 1;
        }
        let pair = openpty(None, &mode)?;
        // A program that is started meanwhile must not have this end, or rustyline would never see it
        // closed. So it is a copy, which is closed there.
        let rustyline: File = pair.master.try_clone()?.into();
        drop(pair.master);
        fcntl(&rustyline, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        let (open, end) = UnixStream::pair()?;
        let (signalled, signals) = watch_signals(console.asked_to_stop())?;
        let reader = Reader {
            console: Arc::clone(&console),
            rustyline,
            end,
            signalled,
            decoder: Decoder::default(),
            pressed: Vec::new(),
            decoded: Vec::new(),
        };
        let mut keyboard = Self {
            console,
            open: Some(open),
            signals,
            thread: None,
        };
        match keyboard.take_terminal(&pair.slave, reader, told) {
            Ok(()) => Ok(keyboard),
            Err(error) => {
                keyboard.give_back();
                Err(error)
            }
        }
    }

    fn take_terminal(&mut self, input: &OwnedFd, reader: Reader, told: Told) -> io::Result<()> {
        self.console.set_raw()?;
        dup2_stdin(input)?;
        let builder = thread::Builder::new().name("keyboard".to_owned());
        self.thread = Some(builder.spawn(move || reader.run(&told))?);
        Ok(())
    }

    /// The terminal itself, to lend it to a program.
    pub(in crate::cmd::terminal) fn console(&self) -> &Arc<Console> {
        &self.console
    }

    /// Presses a key, as the bytes by which rustyline knows it, behind all that is typed so far. Returns whether
    /// there is a keyboard that takes it.
    pub(in crate::cmd::terminal) fn press(&self, key: &[u8]) -> bool {
        let open = self.open.as_ref();
        open.is_some_and(|mut open| open.write_all(key).is_ok())
    }

    /// Has rustyline read the end of its input, and no key more.
    pub(in crate::cmd::terminal) fn hang_up(&mut self) {
        self.open = None;
    }

    /// Restores the terminal's mode at once, without waiting until the terminal has taken pending output.
    pub(in crate::cmd::terminal) fn restore_mode(&self) {
        self.console.restore();
    }

    /// Gives the terminal back as it was, once the thread has ended: it must not set the mode again.
    pub(in crate::cmd::terminal) fn give_back(mut self) {
        self.hang_up();
        if let Some(thread) = self.thread.take() {
            // If the thread has panicked, the panic is on standard error.
            let _ = thread.join();
        }
        self.restore_mode();
        let _ = dup2_stdin(self.console.terminal());
        for id in self.signals {
            unregister(id);
        }
    }
}

/// Has what is returned first become readable at each signal on which the screen may be wrong, and at one that
/// asks to stop, which sets `asked_to_stop`.
fn watch_signals(asked_to_stop: &Arc<AtomicBool>) -> io::Result<(UnixStream, Vec<SigId>)> {
    let (signalled, signal) = UnixStream::pair()?;
    signalled.set_nonblocking(true)?;
    let watch = |number| pipe::register(number, signal.try_clone()?);
    let mut ids = vec![watch(SIGCONT)?, watch(SIGWINCH)?];
    // Whoever has started the program may want that nothing stops it.
    if is_known_to_be_ignored(SIGTSTP) != Some(true) {
        // It is set before the thread is woken.
        ids.push(flag::register(SIGTSTP, Arc::clone(asked_to_stop))?);
        ids.push(watch(SIGTSTP)?);
    }
    Ok((signalled, ids))
}

/// What the thread owns. rustyline reads the end of its input when the thread ends.
struct Reader {
    console: Arc<Console>,
    /// The other end of what rustyline reads.
    rustyline: File,
    /// Gives the keys that the program presses, and its end when the keyboard hangs up.
    end: UnixStream,
    signalled: UnixStream,
    decoder: Decoder,
    /// Keys that the program has pressed in the middle of a paste.
    pressed: Vec<u8>,
    /// What rustyline has not taken yet.
    decoded: Vec<u8>,
}

/// What the thread waits for.
struct Ready {
    /// The program has pressed a key, or hung up.
    end: bool,
    signalled: bool,
    /// The terminal has bytes, or has gone.
    terminal: Option<PollFlags>,
    rustyline: bool,
}

impl Reader {
    fn run(mut self, told: &Told) {
        // An error means that the terminal is gone. rustyline then reads the end of its input.
        while let Ok(ready) = self.wait() {
            let Some(ready) = ready else {
                let rest = self.decoder.give_up();
                self.decoded.extend(rest);
                continue;
            };
            if ready.end && !self.take_pressed() {
                return;
            }
            if ready.signalled {
                let _ = self.signalled.read(&mut [0; 64]);
                self.console.stop_if_asked(&told.stopping);
                self.console.set_raw_again();
                (told.returned)();
            }
            if ready
                .terminal
                .is_some_and(|flags| self.read(flags).is_err())
            {
                return;
            }
            match self.decoder.take_sign() {
                Some(Sign::Key) => (told.typed)(),
                Some(Sign::Focus(has_focus)) => (told.focus)(has_focus),
                None => {}
            }
            if !self.decoder.is_in_paste() {
                self.decoded.append(&mut self.pressed);
            }
            if ready.rustyline {
                self.write();
            }
        }
    }

    /// Waits until there is something to do. Returns none if what has begun to come does not go on.
    fn wait(&self) -> nix::Result<Option<Ready>> {
        let is_full = self.decoded.len() >= BUFFER;
        let (reads, writes) = (
            if is_full {
                PollFlags::empty()
            } else {
                PollFlags::POLLIN
            },
            if self.decoded.is_empty() {
                PollFlags::empty()
            } else {
                PollFlags::POLLOUT
            },
        );
        let mut watched = [
            PollFd::new(self.end.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.signalled.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.console.terminal().as_fd(), reads),
            PollFd::new(self.rustyline.as_fd(), writes),
        ];
        let patience = self.decoder.patience().filter(|_| !is_full);
        let timeout = patience.map_or(Ok(PollTimeout::NONE), PollTimeout::try_from);
        match poll(&mut watched, timeout.unwrap_or(PollTimeout::MAX)) {
            Ok(0) => return Ok(None),
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error),
        }
        let [end, signalled, terminal, rustyline] =
            watched.map(|watched| watched.revents().filter(|flags| !flags.is_empty()));
        Ok(Some(Ready {
            end: end.is_some(),
            signalled: signalled.is_some(),
            terminal,
            rustyline: rustyline.is_some(),
        }))
    }

    /// Takes the keys that the program has pressed. Returns false where it has hung up instead.
    fn take_pressed(&mut self) -> bool {
        let mut buffer = [0; 64];
        let read = self.end.read(&mut buffer).unwrap_or_default();
        self.pressed
            .extend_from_slice(buffer.get(..read).unwrap_or_default());
        read > 0
    }

    /// Reads what the terminal has.
    ///
    /// # Errors
    /// If the terminal is gone.
    fn read(&mut self, flags: PollFlags) -> io::Result<()> {
        let mut buffer = [0; BUFFER];
        match self.console.read(&mut buffer) {
            // Where the terminal is gone, `poll` would report that again at once.
            Ok(0) if flags.intersects(GONE) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => {
                let decoded = self.decoder.decode(buffer.get(..read).unwrap_or_default());
                self.decoded.extend(decoded);
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Gives rustyline as much as it takes.
    fn write(&mut self) {
        if let Ok(written) = self.rustyline.write(&self.decoded) {
            self.decoded.drain(..written);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A thread whose terminal has nothing to read.
    fn reader() -> Reader {
        let pair = openpty(None, None).unwrap();
        Reader {
            console: Console::silent(),
            rustyline: pair.master.into(),
            end: UnixStream::pair().unwrap().0,
            signalled: UnixStream::pair().unwrap().0,
            decoder: Decoder::default(),
            pressed: Vec::new(),
            decoded: Vec::new(),
        }
    }

    #[test]
    fn a_terminal_that_is_gone_ends_the_thread_however_the_system_says_so() {
        for flag in [PollFlags::POLLHUP, PollFlags::POLLERR, PollFlags::POLLNVAL] {
            for flags in [flag, flag | PollFlags::POLLIN] {
                assert!(reader().read(flags).is_err(), "{flags:?}");
            }
        }
        // Another program has taken the bytes.
        assert!(reader().read(PollFlags::POLLIN).is_ok());
    }
}
