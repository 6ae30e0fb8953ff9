//! Questions where terminals have no mode that outlives a program.

use std::io;

pub(super) struct Prompt;

impl Prompt {
    #[expect(
        clippy::unnecessary_wraps,
        reason = "where terminals have modes, it can fail"
    )]
    pub(super) fn open() -> io::Result<Self> {
        Ok(Self)
    }

    #[expect(
        clippy::unused_self,
        clippy::needless_pass_by_ref_mut,
        reason = "where terminals have modes, it is what knows the terminal"
    )]
    pub(super) fn ask(&mut self, question: &str) -> io::Result<String> {
        rpassword::prompt_password(question)
    }

    /// Nothing can tell here: each line is asked for.
    #[expect(
        clippy::unused_self,
        reason = "where terminals have modes, it is what knows the terminal"
    )]
    pub(super) fn has_more(&self) -> bool {
        false
    }
}

/// A console's input is the program's that reads it, and is left alone.
pub(super) fn discard_typed() {}
