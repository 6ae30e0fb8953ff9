//! The protocol (`docs/PROTOCOL.md`): names, cards, messages, frames, and the state machines of
//! both sides.
//!
//! Bytes and the time go in, frames and events come out: there is no socket, thread, clock or file
//! here. From the outside in:
//!
//! - [`stream`]: from bytes to frames, over any reader.
//! - [`frame`]: from frames to typed fields, each side its own.
//! - [`relay`]: the relay's room, blind to content. It never names a private key.
//! - [`session`]: the client's session in a room.
//! - [`chain`]: the order of a room's entries, and how far somebody has come in it.
//! - [`names`], [`card`], [`message`], [`statement`], [`numbers`], [`notice`], [`roster`]: what both
//!   sides share.
//! - [`comparison`]: the digits that people compare by another way than the relay's.
//! - [`text`]: text from others, made harmless.

pub mod card;
pub mod chain;
pub mod comparison;
pub mod content;
pub mod frame;
pub mod handed;
pub mod message;
pub mod names;
pub mod notice;
pub mod numbers;
pub mod relay;
pub mod roster;
pub mod session;
pub mod statement;
pub mod stream;
pub mod text;

#[cfg(test)]
mod tests;

/// Milliseconds since 1970-01-01 UTC (PROTOCOL §1).
pub type Time = u64;
