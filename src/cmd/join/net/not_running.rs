//! On this system no program can be the connection, and none is read from the command line.

use std::convert::Infallible;
use std::net::TcpStream;

/// Nor is one at present.
#[derive(Default)]
pub(super) struct Present;

impl Present {
    /// Does nothing.
    #[expect(clippy::unused_self, reason = "on Unix it is asked")]
    pub(super) fn end(&self) {}
}

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
        _: (&[u8], &Present),
    ) -> anyhow::Result<(TcpStream, Self)> {
        anyhow::bail!("on this system no program can be the connection")
    }

    /// What it has said.
    pub(super) fn last_words(&self) -> Option<String> {
        match self.0 {}
    }
}
