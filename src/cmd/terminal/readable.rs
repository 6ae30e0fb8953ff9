//! Whether standard input can be read at all. Rust takes one that is open for writing alone for one that has ended,
//! as it hides the error. In the place of one that is closed it opens `/dev/null`, which is at its end: so closed
//! and empty are the same.

use std::io;

/// Says why standard input cannot be read, before anybody hears of the user.
///
/// # Errors
/// If it is open for writing alone.
#[cfg(unix)]
pub(in crate::cmd) fn check_readable() -> io::Result<()> {
    use nix::fcntl::{FcntlArg, OFlag, fcntl};

    let mode = fcntl(io::stdin(), FcntlArg::F_GETFL).map(OFlag::from_bits_retain)?;
    if mode & OFlag::O_ACCMODE == OFlag::O_WRONLY {
        return Err(io::Error::other("it is open for writing alone"));
    }
    Ok(())
}

/// On other systems nothing tells one from the other.
#[cfg(not(unix))]
pub(in crate::cmd) fn check_readable() -> io::Result<()> {
    Ok(())
}
