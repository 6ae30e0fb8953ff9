//! The signals that ask the program to end, but for those that its parent has it ignore: `nohup`
//! does so with SIGHUP, and a shell without job control with SIGINT for what runs in the
//! background.

/// Calls `act` on each of SIGINT, SIGTERM and SIGHUP that was not ignored when the program started.
/// Call it once.
///
/// # Errors
/// Where the system has no handler or no thread to give.
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

/// Whether a signal is ignored. Rust's standard library cannot be asked without `unsafe`.
#[cfg(unix)]
fn is_ignored(signal: i32) -> bool {
    is_known_to_be_ignored(signal).unwrap_or_else(|| is_ignored_by_a_child(signal))
}

/// Whether a signal is ignored, where the system has a file that tells.
#[cfg(unix)]
pub(super) fn is_known_to_be_ignored(signal: i32) -> Option<bool> {
    ignored_signals().map(|set| set >> (signal - 1) & 1 == 1)
}

/// The signals that are ignored, a bit each, from `proc_pid_status(5)`. `None` where the system has
/// no such file.
#[cfg(unix)]
fn ignored_signals() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let mut lines = status.lines();
    let set = lines.find_map(|line| line.strip_prefix("SigIgn:"))?;
    u64::from_str_radix(set.trim(), 16).ok()
}

/// Whether a signal is ignored, where there is no such file: a child ignores what its parent does.
/// The child sends itself the signal, and ends well if it lives on.
#[cfg(unix)]
fn is_ignored_by_a_child(signal: i32) -> bool {
    let mut shell = std::process::Command::new("/bin/sh");
    shell.args(["-c", &format!("kill -{signal} $$")]);
    shell.status().is_ok_and(|status| status.success())
}
