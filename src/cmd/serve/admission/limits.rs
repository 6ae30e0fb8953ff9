//! The options that keep strangers and members from taking more than their share.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use crate::room::relay::Rate;

use super::allow::AllowList;
use super::connections::ConnectionLimits;
use super::control::AdmissionControl;
use super::memory::MemoryBudget;

const MINUTE: Duration = Duration::from_mins(1);

/// The least that `--max-blocks` and `--max-bytes` may be. After a frame, the relay takes nothing from
/// its sender until the frame is paid for: with these limits, 4 seconds for the longest frame of 256
/// KiB or 1024 blocks. With lower ones, a client would wait so long for an acknowledgement that it
/// takes the connection for dead.
const LEAST_BLOCKS: u32 = 256;
const LEAST_BYTES: u32 = 64 * 1024;

#[derive(clap::Args, Debug)]
pub(in crate::cmd::serve) struct LimitArgs {
    /// The most connections at once from one address (of IPv6, one /64); places that are kept for
    /// broken ones count, and give way to newcomers from there
    #[arg(long, value_name = "N", default_value = "100")]
    max_per_address: NonZeroU32,

    /// The most joins a minute from one address
    #[arg(long, value_name = "N", default_value = "300")]
    joins_per_minute: NonZeroU32,

    /// The most places of one identity in a room
    #[arg(long, value_name = "N", default_value = "8")]
    max_per_identity: NonZeroU32,

    /// The most 256-byte blocks a second that a member may send; 0: no limit
    #[arg(long, value_name = "N", default_value_t = 5000,
          value_parser = none_or_at_least::<LEAST_BLOCKS>)]
    max_blocks: u32,

    /// The most bytes a second that a member may send; 0: no limit
    #[arg(long, value_name = "N", default_value_t = 4 << 20,
          value_parser = none_or_at_least::<LEAST_BYTES>)]
    max_bytes: u32,

    /// The most bytes that are kept for all members together: what waits for them, messages whose end has
    /// not come, and kept places [default: a quarter of what the machine has free at the start]
    #[arg(long, value_name = "BYTES")]
    max_memory: Option<usize>,

    /// Let in only the identities in this file, one SHA256:... fingerprint a line
    #[arg(long, value_name = "FILE")]
    allow: Option<PathBuf>,
}

fn none_or_at_least<const LEAST: u32>(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(number) if number == 0 || number >= LEAST => Ok(number),
        _ => Err(format!("not 0, nor a number from {LEAST} on")),
    }
}

impl LimitArgs {
    /// The most places of one identity in a room.
    pub(in crate::cmd::serve) fn places_per_identity(&self) -> usize {
        usize::try_from(self.max_per_identity.get()).unwrap_or(usize::MAX)
    }

    /// The most blocks of 256 bytes a second from one member; 0 for any number.
    pub(in crate::cmd::serve) fn blocks_per_second(&self) -> u32 {
        self.max_blocks
    }

    /// The most bytes a second from one member; 0 for any number.
    pub(in crate::cmd::serve) fn bytes_per_second(&self) -> u32 {
        self.max_bytes
    }

    /// The admission control with these limits, for at most so many connections in all.
    ///
    /// # Errors
    /// Where the allow list cannot be used.
    pub(in crate::cmd::serve) fn admission_control(
        &self,
        connections: usize,
    ) -> anyhow::Result<AdmissionControl> {
        let limits = ConnectionLimits {
            connections,
            per_network: usize::try_from(self.max_per_address.get()).unwrap_or(usize::MAX),
            joins: Rate::new(self.joins_per_minute, MINUTE, MINUTE),
        };
        let own = self.max_memory.map(MemoryBudget::new);
        let memory = own.unwrap_or_else(MemoryBudget::of_this_machine);
        let allowed = self.allow.as_deref().map(AllowList::open).transpose()?;
        Ok(AdmissionControl::new(limits, allowed, memory))
    }
}
