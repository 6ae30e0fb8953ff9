//! What the user types or a script asks for, and what is done about it.
//!
//! - `table`: all commands. Lines are understood by it, help is shown from it, and Tab completes from it
//!   (`complete`).
//! - `line`: whether a typed line is a command or a text.
//! - `dispatch`: which function does a command.
//! - `say`: commands that say something, and texts. `people`: those about others. `display`: those about
//!   what is on the screen. `identity`: saving one's own.

pub(in crate::cmd::join) mod complete;
mod dispatch;
mod display;
mod identity;
pub(in crate::cmd) mod line;
mod people;
mod say;
mod share;
pub(in crate::cmd) mod table;
