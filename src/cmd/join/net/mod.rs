//! How frames get to the relay and back.
//!
//! - `pasted`: an invite in what somebody has pasted.
//! - `route`, `side_by_side`, `socks5`, `through`, `running`: how to get to a relay, straight, through a proxy or a program.
//! - `link`: one connection, with a thread that reads and one that writes.
//! - `pace`: whether this program keeps up with what comes.
//! - `reconnect`: one link after another, when they break. `setbacks`: why that fails.

pub(in crate::cmd::join) mod link;
mod pace;
pub(in crate::cmd) mod pasted;
pub(in crate::cmd::join) mod reconnect;
pub(in crate::cmd::join) mod route;
#[cfg_attr(not(unix), path = "not_running.rs")]
mod running;
mod setbacks;
mod side_by_side;
pub(in crate::cmd::join) mod socks5;
pub(in crate::cmd::join) mod through;
