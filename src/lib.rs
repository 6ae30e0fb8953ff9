//! e2echat: a terminal chat room in which whoever runs the server can read nothing.
//!
//! Three floors, and imports point downward only:
//!
//! - [`cmd`]: the commands `serve`, `join`, `rooms`, `config` and `keygen`: arguments, threads, sockets, files, the
//!   terminal.
//! - [`room`]: the protocol: wire format, cards, messages, and the state machines of relay and
//!   client. It does no I/O.
//! - [`cipher`]: Caesar, RSA keys, sealing and opening, fingerprints. It knows nothing of rooms,
//!   sockets or terminals.
//!
//! `docs/PROTOCOL.md` is the protocol; comments cite its sections as "PROTOCOL §n".

pub mod cipher;
pub mod cmd;
pub mod room;

use std::alloc::System;

use zeroizing_alloc::ZeroAlloc;

/// Wipes freed memory: dropping an RSA key alone leaves copies of its primes behind. The allocator
/// is here and not in `main.rs` so that the tests, which search memory for such copies, run with
/// this very one.
#[global_allocator]
static ALLOCATOR: ZeroAlloc<System> = ZeroAlloc(System);
