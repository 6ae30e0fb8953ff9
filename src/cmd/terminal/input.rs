//! What comes from the user, typed or through a pipe.

use std::io;
use std::sync::Arc;

/// The longest line that the reader delivers, in bytes without the line's end. Of a longer one it
/// delivers only the size.
pub(in crate::cmd) const MAX_LINE: usize = 64 * 1024;

/// What comes from the user.
#[derive(Debug)]
pub(in crate::cmd) enum Input {
    /// A line. From a terminal it may contain line breaks, pasted or typed with
    /// Alt-Enter.
    Line {
        /// The line, with U+FFFD in place of what is not UTF-8.
        text: String,
        /// Whether the line was UTF-8. A line from a terminal always is.
        is_utf8: bool,
        /// The last [`Entry::Mark`](super::Entry::Mark) that was on the screen when the user pressed Enter; 0 without a
        /// terminal.
        shown: u64,
    },
    /// A line of more than [`MAX_LINE`] bytes, of which only the size is kept. Never from a terminal.
    TooLong {
        /// The size in bytes.
        bytes: u64,
    },
    /// The user is back, for whom the program has waited: see [`Terminal::await_absent`](super::Terminal::await_absent).
    Returned,
    /// The end of standard input. Never from a terminal.
    End,
    /// What the user wanted of the line editor is not done, or not all of it; in words. Never without a terminal.
    NotDone(String),
    /// The input fails, for this reason, and gives nothing more.
    Failed(io::Error),
    /// The user has pressed a key that leaves where it is pressed once more. Only from a terminal.
    AskToQuit {
        /// What the key is called.
        key: &'static str,
    },
    /// The user asks to leave, or a signal does, or the terminal is gone. This may come repeatedly.
    Quit,
    /// Standard output takes nothing more; [`Terminal::stop`](super::Terminal::stop) says why. Never from a terminal.
    OutputClosed,
}

/// Takes inputs. The editor's or the reader's thread calls it.
pub(super) type Deliver = Arc<dyn Fn(Input) + Send + Sync>;
