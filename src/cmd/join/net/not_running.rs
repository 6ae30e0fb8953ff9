//! On this system no program can be the connection, and none is read from the command line.

use std::convert::Infallible;
use std::net::TcpStream;

/// There is none.
pub(in crate::cmd::join) struct Running(Infallible);

impl Running {
    /// Is never called.
    ///
    /// # Errors
    /// Always.
    pub(super) fn start(
        _: &str,
        _: &[String],
        _: bool,
        _: &[u8],
    ) -> anyhow::Result<(TcpStream, Self)> {
        anyhow::bail!("on this system no program can be the connection")
    }

    /// What it has said.
    pub(super) fn last_words(&self) -> Option<String> {
        match self.0 {}
    }
}
