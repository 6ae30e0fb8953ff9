//! How much memory there still is for the relay. Where none is left the system ends the whole
//! process: so before that the relay refuses newcomers, and keeps less for members that do not
//! read.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sysinfo::{MemoryRefreshKind, ProcessRefreshKind, ProcessesToUpdate, System};

/// The reserve, in bytes: this share (one part in so many) of what is there at the start, and no
/// more than this.
const RESERVE_SHARE: u64 = 8;
const MAX_RESERVE: u64 = 256 << 20;

/// How much of the reserve (one part in so many) is kept back from strangers, from what waits for
/// members, and from the long frames that members send.
const STRANGERS_SHARE: u64 = 2;
const WAITING_SHARE: u64 = 4;
const FRAMES_SHARE: u64 = 8;

/// The most that can be taken in a millisecond, in bytes: about what a machine can receive.
const BYTES_PER_MS: u64 = 1 << 20;

/// The longest and the shortest time between two measurements.
const MAX_INTERVAL: Duration = Duration::from_secs(1);
const MIN_INTERVAL: Duration = Duration::from_millis(5);

/// Measures how much memory the system has.
pub(in crate::cmd::serve) struct Gauge(Option<System>);

impl Gauge {
    /// A gauge for this system. Where sysinfo does not know the system, the gauge knows only the
    /// process's own limits.
    pub(in crate::cmd::serve) fn new() -> Self {
        Self(System::new().ok())
    }

    /// How many bytes this process may still take: the least of what the machine, the control group
    /// and the process's own limits have left, as far as the system tells.
    pub(in crate::cmd::serve) fn measure(&mut self) -> Option<u64> {
        let system = self.0.as_mut();
        let shared = system.map(|system| [machine(system), group(system)]);
        let shared = shared.into_iter().flatten();
        shared.chain(own_limits()).flatten().min()
    }
}

fn machine(system: &mut System) -> Option<u64> {
    system.refresh_memory_specifics(MemoryRefreshKind::nothing().with_ram().with_swap());
    let is_known = system.total_memory() > 0;
    is_known.then(|| system.available_memory() + system.free_swap())
}

/// What the control group has left, counted by its programs' own memory: the system gives back what
/// it keeps of files. Sockets, page tables, and other groups under a common limit are not counted:
/// they are at the expense of the reserve.
fn group(system: &mut System) -> Option<u64> {
    let own = sysinfo::get_current_pid().ok()?;
    system.refresh_processes_specifics(
        ProcessesToUpdate::Some(&[own]),
        false,
        ProcessRefreshKind::nothing().without_tasks(),
    );
    let limits = system.process(own)?.cgroup_limits()?;
    Some(limits.total_memory.saturating_sub(limits.rss))
}

/// What is left of the limits that the process was started under (`ulimit -v` and `-d`).
#[cfg(target_os = "linux")]
fn own_limits() -> [Option<u64>; 2] {
    use nix::sys::resource::{Resource, getrlimit};
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    [
        (Resource::RLIMIT_AS, "VmSize:"),
        (Resource::RLIMIT_DATA, "VmData:"),
    ]
    .map(|(resource, name)| {
        let (limit, _) = getrlimit(resource).ok()?;
        Some(limit.saturating_sub(taken(&status, name)?))
    })
}

#[cfg(not(target_os = "linux"))]
fn own_limits() -> [Option<u64>; 0] {
    []
}

/// The bytes in a line of `proc_pid_status(5)`.
#[cfg(target_os = "linux")]
fn taken(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes << 10)
}

/// The memory that was left at the last measurement, less what newcomers and frames have been given
/// since.
#[derive(Debug)]
pub(in crate::cmd::serve) struct MemoryBudget {
    left: AtomicU64,
    reserve: u64,
}

impl MemoryBudget {
    /// A budget with `left` bytes at the start. Warns if that is not known: such a relay never
    /// thinks that it is short.
    pub(in crate::cmd::serve) fn new(left: Option<u64>) -> Self {
        if left.is_none() {
            log::warn!(
                "the system does not tell how much memory there is: see to it that the limits fit the machine"
            );
        }
        let reserve = left.map_or(0, |left| (left / RESERVE_SHARE).min(MAX_RESERVE));
        Self {
            left: AtomicU64::new(left.unwrap_or(u64::MAX)),
            reserve,
        }
    }

    /// Sets what is left to what was measured, if it was.
    pub(in crate::cmd::serve) fn update(&self, left: Option<u64>) {
        if let Some(left) = left {
            self.left.store(left, Ordering::Relaxed);
        }
    }

    /// After which time to measure again: when a quarter of what is left may be gone, but every 5
    /// ms at most, in which 5 MiB may be.
    pub(in crate::cmd::serve) fn interval(&self) -> Duration {
        let left = self.left.load(Ordering::Relaxed);
        Duration::from_millis(left / 4 / BYTES_PER_MS).clamp(MIN_INTERVAL, MAX_INTERVAL)
    }

    /// Takes `bytes` for a connection of which nobody knows yet whether it is a member's that comes
    /// back. Returns whether there were so many.
    pub(in crate::cmd::serve) fn take_for_stranger(&self, bytes: usize) -> bool {
        self.take(bytes, self.reserve / STRANGERS_SHARE)
    }

    /// Takes `bytes` for a frame. Returns whether there were so many.
    pub(in crate::cmd::serve) fn take_for_frame(&self, bytes: usize) -> bool {
        self.take(bytes, self.reserve / FRAMES_SHARE)
    }

    fn take(&self, bytes: usize, least: u64) -> bool {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let needed = bytes.saturating_add(least);
        let take = |left| (left >= needed).then(|| left - bytes);
        (self
            .left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take))
        .is_ok()
    }

    /// Whether there is none left for new members: less than the reserve.
    pub(in crate::cmd::serve) fn is_short(&self) -> bool {
        self.left.load(Ordering::Relaxed) < self.reserve
    }

    /// The most bytes that may wait for one member, where that is `bytes` while there is enough
    /// memory. Below the reserve it shrinks with what is left.
    pub(in crate::cmd::serve) fn queue_limit(&self, bytes: usize) -> usize {
        let left = self.left.load(Ordering::Relaxed);
        if left >= self.reserve {
            return bytes;
        }
        let least = self.reserve / WAITING_SHARE;
        let (part, all) = (left.saturating_sub(least), self.reserve - least);
        let share = bytes as u128 * u128::from(part) / u128::from(all);
        usize::try_from(share).expect("less than `bytes`")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn a_part_of_what_there_is_is_kept_back() {
        let memory = MemoryBudget::new(Some(800 * MIB));
        assert!(!memory.is_short());
        memory.update(Some(100 * MIB));
        assert!(!memory.is_short());
        assert_eq!(memory.queue_limit(1000), 1000);
        memory.update(Some(50 * MIB));
        assert!(memory.is_short());
        assert_eq!(memory.queue_limit(1000), 333);
        memory.update(Some(25 * MIB));
        assert_eq!(memory.queue_limit(1000), 0);
        memory.update(Some(0));
        assert_eq!(memory.queue_limit(1000), 0);
        memory.update(Some(800 * MIB));
        assert!(!memory.is_short());
        assert!(!MemoryBudget::new(Some(1 << 40)).is_short());
        assert!(!MemoryBudget::new(None).is_short());
        assert_eq!(MemoryBudget::new(Some(1 << 40)).reserve, MAX_RESERVE);
    }

    #[test]
    fn it_is_measured_the_more_often_the_less_there_is() {
        let pauses = [Some(0), Some(100 * MIB), Some(1 << 40), None].map(|left| {
            let memory = MemoryBudget::new(left);
            memory.interval().as_millis()
        });
        assert_eq!(pauses, [5, 25, 1000, 1000]);
    }

    #[test]
    fn what_is_given_since_the_last_measurement_counts() {
        let memory = MemoryBudget::new(Some(800 * MIB));
        memory.update(Some(53 * MIB));
        assert!(memory.take_for_stranger(1 << 20));
        assert!(memory.take_for_stranger(2 << 20));
        assert!(!memory.take_for_stranger(1), "the rest is for members");
        assert!(memory.take_for_frame(37 << 20));
        assert!(!memory.take_for_frame(1 << 20));
        memory.update(None);
        assert!(!memory.take_for_frame(1 << 20));
        memory.update(Some(53 * MIB));
        assert!(memory.take_for_stranger(1 << 20));
        assert!(MemoryBudget::new(None).take_for_stranger(usize::MAX));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_system_tells_how_much_there_is() {
        assert!(Gauge::new().measure().is_some_and(|left| left > 0));
        let status = "VmSize:\t   12 kB\nVmData:\tmuch\n";
        assert_eq!(taken(status, "VmSize:"), Some(12 << 10));
        assert_eq!(taken(status, "VmData:"), None);
        assert_eq!(taken(status, "VmStk:"), None);
    }
}
