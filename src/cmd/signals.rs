//! The signals that ask the program to end, but for those that it is to ignore: `nohup` has it ignore
//! SIGHUP, and a shell without job control, SIGINT for what it runs in the background.

/// Calls `act` on each of SIGINT, SIGTERM and SIGHUP that was not ignored when the program started.
/// To be called once.
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

/// Whether a signal is ignored, as `proc_pid_status(5)` says it.
#[cfg(target_os = "linux")]
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|set| u64::from_str_radix(set.trim(), 16).ok());
    ignored.is_some_and(|set| set >> (signal - 1) & 1 == 1)
}

/// Whether a signal is ignored. Other systems have no file that says so, but a child ignores what its
/// parent does: this one sends itself the signal, and ends well if it lives on.
#[cfg(all(unix, not(target_os = "linux")))]
fn is_ignored(signal: i32) -> bool {
    let mut shell = std::process::Command::new("/bin/sh");
    shell.args(["-c", &format!("kill -{signal} $$")]);
    shell.status().is_ok_and(|status| status.success())
}
