//! Questions where terminals have no mode that outlives a program. What nobody has read of what is typed is
//! kept there for whoever reads next, and nothing here can change that.

use std::io;

pub(super) struct Prompt;

impl Prompt {
    pub(super) fn open() -> io::Result<Self> {
        Ok(Self)
    }

    pub(super) fn ask(&mut self, question: &str) -> io::Result<String> {
        rpassword::prompt_password(question)
    }

    /// Nothing can tell here: each row is asked for.
    pub(super) fn has_more(&self) -> bool {
        false
    }
}
