//! What the other threads tell the main thread.

use std::net::TcpStream;

use crate::cipher::keys::SessionKey;
use crate::cmd::terminal::Input;

use super::net::link::FromRelay;

/// All that can happen to a client.
pub(super) enum Happening {
    /// A line came in, or the wish to leave.
    Typed(Input),
    /// The relay sent something over the link with this number, or the link is down.
    Relayed(u64, FromRelay),
    /// An attempt to make the link with this number is over.
    Dialled(u64, anyhow::Result<TcpStream>),
    /// A session key is made that was asked for.
    KeyMade(Box<SessionKey>),
}
