//! The terminal itself, and who has it: the keyboard, or a program to which it is lent meanwhile.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, Read as _, Write as _, stdout};
use std::os::fd::AsFd as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use nix::libc::termios;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::termios::{
    ControlFlags, InputFlags, LocalFlags, SetArg, SpecialCharacterIndices, Termios, tcgetattr,
    tcsetattr,
};
use nix::unistd::{Pid, getpgrp, tcgetpgrp, tcsetpgrp};
use signal_hook::consts::SIGTSTP;
use signal_hook::low_level::emulate_default_handler;

use crate::cmd::lock::lock;

/// The terminal that standard input was.
pub(in crate::cmd::terminal) struct Console {
    terminal: File,
    /// The mode that it had. What is changed in a `Termios` is not in the `termios` that it becomes.
    before: termios,
    /// Whoever holds it reads the terminal, and sets its mode.
    turn: Mutex<()>,
    /// Set by the signal that asks the program to stop (SIGTSTP), until it does.
    asked_to_stop: Arc<AtomicBool>,
    is_closed: AtomicBool,
}

/// The terminal while it is lent: it has its mode of before. Dropping it takes the terminal back.
pub(in crate::cmd::terminal) struct Loan<'a> {
    console: &'a Console,
    /// The group of processes that has it.
    borrower: Cell<Option<Pid>>,
    _turn: MutexGuard<'a, ()>,
}

impl Console {
    /// The terminal that is standard input now.
    pub(super) fn open() -> io::Result<Self> {
        let terminal: File = io::stdin().as_fd().try_clone_to_owned()?.into();
        let before = tcgetattr(&terminal)?;
        Ok(Self::with_mode(terminal, before.into()))
    }

    fn with_mode(terminal: File, before: termios) -> Self {
        Self {
            terminal,
            before,
            turn: Mutex::default(),
            asked_to_stop: Arc::default(),
            is_closed: AtomicBool::new(false),
        }
    }

    /// One that has nothing to read.
    #[cfg(test)]
    pub(in crate::cmd::terminal) fn silent() -> Arc<Self> {
        let pair = nix::pty::openpty(None, None).expect("a pseudo-terminal");
        let mode = tcgetattr(&pair.slave).expect("it has a mode");
        let nothing = File::open("/dev/null").expect("there is nothing");
        Arc::new(Self::with_mode(nothing, mode.into()))
    }

    pub(super) fn terminal(&self) -> &File {
        &self.terminal
    }

    /// The mode that the keyboard gives it.
    pub(super) fn raw(&self) -> Termios {
        raw(self.before.into())
    }

    /// Whether the terminal is to show what is typed. Where it is not, another program does that: the one whose
    /// window it is.
    pub(in crate::cmd::terminal) fn echoes(&self) -> bool {
        Termios::from(self.before)
            .local_flags
            .contains(LocalFlags::ECHO)
    }

    /// Reads what the terminal has, once it is not lent.
    pub(super) fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let _turn = self.take_turn();
        (&self.terminal).read(buffer)
    }

    pub(super) fn set_raw(&self) -> nix::Result<()> {
        tcsetattr(&self.terminal, SetArg::TCSANOW, &self.raw())
    }

    /// Sets the keyboard's mode again, if the program is in the foreground: in the background the system would stop
    /// it for that.
    pub(super) fn set_raw_again(&self) {
        let _turn = self.take_turn();
        if self.is_in_foreground() {
            let _ = self.set_raw();
        }
    }

    /// Whether the program is in the foreground, so that it may change the terminal.
    pub(in crate::cmd::terminal) fn is_in_foreground(&self) -> bool {
        tcgetpgrp(&self.terminal).is_ok_and(|group| group == getpgrp())
    }

    /// What the signal sets that asks the program to stop.
    pub(super) fn asked_to_stop(&self) -> &Arc<AtomicBool> {
        &self.asked_to_stop
    }

    /// If the program is asked to stop, gives the terminal back, with what `last` returns, and has the system stop
    /// the program until it is to go on.
    pub(super) fn stop_if_asked(&self, last: impl Fn() -> String) {
        if !self.asked_to_stop.swap(false, Ordering::SeqCst) {
            return;
        }
        let last = last();
        if self.is_in_foreground() {
            // A terminal that takes nothing would keep the program from stopping.
            let mut output = [PollFd::new(self.terminal.as_fd(), PollFlags::POLLOUT)];
            if poll(&mut output, PollTimeout::ZERO).is_ok_and(|ready| ready > 0) {
                let mut output = stdout();
                let _ = output
                    .write_all(last.as_bytes())
                    .and_then(|()| output.flush());
            }
            self.restore();
        }
        let _ = emulate_default_handler(SIGTSTP);
    }

    /// Restores the mode of before, whoever has the terminal.
    pub(super) fn restore(&self) {
        let _ = tcsetattr(&self.terminal, SetArg::TCSANOW, &self.before.into());
    }

    /// Lends nothing more, and wants back what is lent.
    pub(in crate::cmd::terminal) fn close(&self) {
        self.is_closed.store(true, Ordering::SeqCst);
    }

    /// Lends the terminal, in the mode of before. What is typed meanwhile is the borrower's.
    ///
    /// # Errors
    /// In words, where the terminal is not the program's to lend.
    pub(in crate::cmd::terminal) fn lend(&self) -> Result<Loan<'_>, &'static str> {
        let turn = self.take_turn();
        // Without a controlling terminal there are no groups.
        if tcgetpgrp(&self.terminal).is_ok_and(|group| group != getpgrp()) {
            return Err("another program has the terminal");
        }
        if self.is_closed.load(Ordering::SeqCst) {
            return Err("this program is ending");
        }
        self.restore();
        Ok(Loan {
            console: self,
            borrower: Cell::new(None),
            _turn: turn,
        })
    }

    fn take_turn(&self) -> MutexGuard<'_, ()> {
        lock(&self.turn)
    }
}

impl Loan<'_> {
    /// The terminal, as a program's standard input.
    ///
    /// # Errors
    /// If the system has no descriptor to give.
    pub(in crate::cmd::terminal) fn input(&self) -> io::Result<File> {
        self.console.terminal.try_clone()
    }

    /// Whether the terminal is wanted back.
    pub(in crate::cmd::terminal) fn is_over(&self) -> bool {
        self.console.is_closed.load(Ordering::SeqCst)
    }

    /// Stops the program if it is asked to, as the keyboard does: that may wait for the terminal.
    pub(in crate::cmd::terminal) fn stop_if_asked(&self) {
        self.console.stop_if_asked(String::new);
    }

    /// Puts a group of processes into the foreground: signals that keys make are for it alone. Returns false where a
    /// third one is there, as a shell may be that has stopped this program.
    pub(in crate::cmd::terminal) fn hand_to(&self, group: Pid) -> bool {
        self.borrower.set(Some(group));
        let is_ours = self.is_in_foreground();
        if is_ours {
            let _ = unstopped(|| tcsetpgrp(&self.console.terminal, group));
        }
        is_ours
    }

    /// Whether this program or the borrower is in the foreground. Without a controlling terminal nobody is elsewhere.
    fn is_in_foreground(&self) -> bool {
        let group = tcgetpgrp(&self.console.terminal);
        group.map_or(true, |group| {
            group == getpgrp() || Some(group) == self.borrower.get()
        })
    }
}

impl Drop for Loan<'_> {
    fn drop(&mut self) {
        let console = self.console;
        // Where a shell has it, the keyboard sets its mode once the program goes on.
        if self.is_in_foreground() {
            unstopped(|| {
                let _ = tcsetpgrp(&console.terminal, getpgrp());
                let _ = console.set_raw();
            });
        }
    }
}

/// Does something to the terminal for which the system would stop a program in the background.
fn unstopped<T>(act: impl FnOnce() -> T) -> T {
    let stop = SigSet::from_iter([Signal::SIGTTOU]);
    let _ = stop.thread_block();
    let result = act();
    let _ = stop.thread_unblock();
    result
}

/// The mode in which a terminal gives out each byte at once as it is, and shows none. Output is processed
/// as before. It is rustyline's raw mode, but that a read waits for nothing: another program may take
/// the bytes for which `poll` has woken the thread.
fn raw(mut raw: Termios) -> Termios {
    raw.input_flags &= !(InputFlags::BRKINT
        | InputFlags::ICRNL
        | InputFlags::INPCK
        | InputFlags::ISTRIP
        | InputFlags::IXON);
    raw.control_flags |= ControlFlags::CS8;
    raw.local_flags &=
        !(LocalFlags::ECHO | LocalFlags::ICANON | LocalFlags::IEXTEN | LocalFlags::ISIG);
    for index in [
        SpecialCharacterIndices::VMIN,
        SpecialCharacterIndices::VTIME,
    ] {
        if let Some(least) = raw.control_chars.get_mut(index as usize) {
            *least = 0;
        }
    }
    raw
}
