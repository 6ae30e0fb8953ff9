//! What the user types or a script asks for, and what is done about it.
//!
//! - `table`: the commands, from which lines are understood, help is shown, and Tab completes (`complete`).
//! - `line`: a typed line, as everybody would see it.
//! - `dispatch`: what is done about a line or a request. `say`: what is said.
//! - `myself`, `others`: the commands.

pub(in crate::cmd::join) mod complete;
mod dispatch;
pub(in crate::cmd) mod line;
mod myself;
mod others;
mod say;
pub(in crate::cmd) mod table;
