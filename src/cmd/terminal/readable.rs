//! Whether standard input can be read at all. Rust takes one that is closed, or open for writing alone, for one
//! that has ended: it opens `/dev/null` in the place of a closed one, for reading and writing, and hides the
//! error of the other.

use std::io;

/// Says why standard input cannot be read, before anybody hears of the user.
///
/// # Errors
/// If it is closed, or open for writing alone.
#[cfg(unix)]
pub(in crate::cmd) fn check_readable() -> io::Result<()> {
    use nix::fcntl::{FcntlArg, OFlag, fcntl};
    use nix::sys::stat::fstat;

    let stdin = io::stdin();
    let mode = fcntl(&stdin, FcntlArg::F_GETFL).map(OFlag::from_bits_retain)? & OFlag::O_ACCMODE;
    if mode == OFlag::O_WRONLY {
        return Err(io::Error::other("it is open for writing alone"));
    }
    let is_null = || {
        let (there, null) = (fstat(&stdin).ok(), nix::sys::stat::stat("/dev/null").ok());
        there
            .zip(null)
            .is_some_and(|(there, null)| there.st_rdev == null.st_rdev)
    };
    // Whoever wants an empty one opens `/dev/null` for reading.
    if mode == OFlag::O_RDWR && is_null() {
        return Err(io::Error::other(
            "it is closed, or /dev/null that is open for writing",
        ));
    }
    Ok(())
}

/// On other systems nothing tells one from the other.
#[cfg(not(unix))]
pub(in crate::cmd) fn check_readable() -> io::Result<()> {
    Ok(())
}
