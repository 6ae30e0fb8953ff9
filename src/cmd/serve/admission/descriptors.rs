//! File descriptors: the relay raises its limit to what its connections need.

use super::connections::MAX_REFUSED;

/// Descriptors for the standard streams, for files, and for the sockets of a host who sits in a
/// room.
const RESERVE: usize = 24;
/// Descriptors for each listening socket: its own, and that of the connection that it has just
/// taken.
const PER_LISTENER: usize = 2;

/// How many descriptors the relay needs beside those of the connections that it admits.
fn overhead(listeners: usize) -> usize {
    MAX_REFUSED + RESERVE + PER_LISTENER * listeners
}

/// Raises the limit on open files to what `connections` need, one descriptor each. Returns how many
/// connections the system has descriptors for, and warns if these are fewer.
pub(in crate::cmd::serve) fn raise_limit(connections: usize, listeners: usize) -> usize {
    let overhead = overhead(listeners);
    let needed = connections.saturating_add(overhead);
    let Some(available) = raise_soft_limit(needed).filter(|available| *available < needed) else {
        return connections;
    };
    let possible = available.saturating_sub(overhead).max(1);
    log::warn!(
        "the system allows {available} open files, which is enough for {possible} connections at once and not for {connections}: start the relay under `ulimit -n {needed}` or, as a service, LimitNOFILE={needed}"
    );
    possible
}

/// Raises the soft limit to `needed`, or as far as the hard limit allows. Returns the limit that is
/// in force then, or `None` where the system does not tell.
#[cfg(unix)]
fn raise_soft_limit(needed: usize) -> Option<usize> {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).ok()?;
    let raised = hard.min(needed.try_into().ok()?);
    let available = if soft >= raised {
        soft
    } else if setrlimit(Resource::RLIMIT_NOFILE, raised, hard).is_ok() {
        raised
    } else {
        soft
    };
    Some(usize::try_from(available).unwrap_or(usize::MAX))
}

#[cfg(not(unix))]
fn raise_soft_limit(_: usize) -> Option<usize> {
    None
}
