//! The relay's log: how much of what others bring about is in it (`journal`), what goes wrong again and
//! again (`trouble`), and the thread that writes it (`logger`).

pub(in crate::cmd::serve) mod logger;
pub(in crate::cmd::serve) mod outage;
pub(in crate::cmd::serve) mod rate_limited;
