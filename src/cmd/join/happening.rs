//! What reaches the main thread from all others.

use std::net::TcpStream;

use crate::cipher::keys::SessionKey;
use crate::cmd::terminal::Input;

use super::net::link::FromRelay;

/// All that can happen to a client.
pub(super) enum Happening {
    /// The user wants something.
    Typed(Input),
    /// The relay sent something, over this link.
    Relayed(u64, FromRelay),
    /// An attempt to connect is over.
    Dialled(u64, anyhow::Result<TcpStream>),
    /// The session key that was asked for is made.
    KeyMade(Box<SessionKey>),
}
