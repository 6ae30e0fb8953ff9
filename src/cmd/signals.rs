//! The signals that ask the program to end, but for those that it is to ignore: `nohup` has it ignore
//! SIGHUP, and a shell without job control has it ignore SIGINT in the background.
//!
//! A question on the terminal takes signals in another way (`prompt/unix.rs`), as neither way serves
//! both. A handler of signal-hook stays for ever: once the question is answered, Ctrl-C would no longer
//! end `keygen`, nor Ctrl-Z stop it. And `sigwait` needs every thread to block the signals, from the
//! start of the program on. But the editor's thread must take SIGINT, by which the program ends it
//! (`terminal/editor.rs`), and a signal must end `join` at once while it is not in the room yet.

/// Starts a thread that calls `act` on each of SIGINT, SIGTERM and SIGHUP, but for those that the
/// program was started to ignore. The program calls this once.
///
/// # Errors
/// If the system takes no handler, or gives no thread.
#[cfg(unix)]
pub(super) fn on_signal(mut act: impl FnMut() + Send + 'static) -> anyhow::Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    use signal_hook::iterator::Signals;

    let heeded = [SIGINT, SIGTERM, SIGHUP].into_iter();
    let mut signals = Signals::new(heeded.filter(|signal| !is_ignored(*signal)))?;
    let wait = move || signals.forever().for_each(|_| act());
    std::thread::Builder::new()
        .name("signal".into())
        .spawn(wait)?;
    Ok(())
}

#[cfg(not(unix))]
pub(super) fn on_signal(act: impl FnMut() + Send + 'static) -> anyhow::Result<()> {
    Ok(ctrlc::set_handler(act)?)
}

/// Whether the program ignores a signal. To ask the system itself would take `unsafe`.
#[cfg(unix)]
fn is_ignored(signal: i32) -> bool {
    ignored_signals().map_or_else(
        || is_ignored_by_a_child(signal),
        |set| set >> (signal - 1) & 1 == 1,
    )
}

/// The signals that the program ignores, one bit each, from Linux's `proc_pid_status(5)`. `None` where
/// there is no such file.
#[cfg(unix)]
fn ignored_signals() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let mut lines = status.lines();
    let set = lines.find_map(|line| line.strip_prefix("SigIgn:"))?;
    u64::from_str_radix(set.trim(), 16).ok()
}

/// Whether the program ignores a signal, where there is no such file: a child ignores what its parent
/// does. The child sends itself the signal, and exits with success if it lives on.
#[cfg(unix)]
fn is_ignored_by_a_child(signal: i32) -> bool {
    let mut shell = std::process::Command::new("/bin/sh");
    shell.args(["-c", &format!("kill -{signal} $$")]);
    shell.status().is_ok_and(|status| status.success())
}
