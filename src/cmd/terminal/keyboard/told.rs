//! What the keyboard tells of the user and the window, beside what is typed.

/// What is done at each of these. The keyboard's thread does it, so it must not block.
#[cfg_attr(not(unix), expect(dead_code, reason = "there it tells nothing"))]
pub(in crate::cmd::terminal) struct Told {
    /// The program goes on after it was stopped, or the window may be another one: what is on the screen may
    /// be something else then.
    pub(in crate::cmd::terminal) returned: Box<dyn Fn() + Send>,
    /// Something is typed or pasted.
    pub(in crate::cmd::terminal) typed: Box<dyn Fn() + Send>,
    /// The terminal has got the focus, or has lost it.
    pub(in crate::cmd::terminal) focus: Box<dyn Fn(bool) + Send>,
    /// The program is about to be stopped. Returns what is to be written to the terminal before that.
    pub(in crate::cmd::terminal) stopping: Box<dyn Fn() -> String + Send>,
}
