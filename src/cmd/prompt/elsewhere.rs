//! Questions on systems whose terminals have no mode that outlives a program. There the system keeps
//! what is typed and not read for whoever reads next, and this program cannot throw it away.

use std::io;

pub(super) struct SystemPrompt;

impl SystemPrompt {
    pub(super) fn open() -> io::Result<Self> {
        Ok(Self)
    }

    pub(super) fn ask(&mut self, question: &str) -> io::Result<String> {
        rpassword::prompt_password(question)
    }

    /// Nothing here can tell. So the program asks for each line.
    pub(super) fn has_more(&self) -> bool {
        false
    }
}
