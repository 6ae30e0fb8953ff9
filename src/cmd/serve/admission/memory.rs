//! The memory budget: how many bytes the relay keeps for all its members together. Where a system has
//! no memory left it ends the whole process: so long before that the relay refuses newcomers, and keeps
//! less for members that do not read.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use sysinfo::{MemoryRefreshKind, ProcessRefreshKind, ProcessesToUpdate, System};

/// The budget, if the host says nothing: this share (one part in so many) of what there is at the start.
const SHARE: usize = 4;

/// In steps of how many bytes a member is charged: so the many who post to it seldom touch what all
/// share.
const STEP: usize = 16 << 10;

/// How many bytes this process may take: the least of what the machine and the control group have left, and of the
/// process's own limits, as far as the system tells.
fn measure() -> Option<u64> {
    let mut system = System::new().ok();
    let shared = system
        .as_mut()
        .map(|system| [machine(system), group(system)]);
    let shared = shared.into_iter().flatten();
    shared.chain(own_limits()).flatten().min()
}

fn machine(system: &mut System) -> Option<u64> {
    system.refresh_memory_specifics(MemoryRefreshKind::nothing().with_ram());
    let is_known = system.total_memory() > 0;
    is_known.then(|| system.available_memory())
}

/// What the control group has left, counted by its programs' own memory: the system gives back what
/// it keeps of files.
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

/// The limits that the process was started under (`ulimit -v` and `-d`).
#[cfg(target_os = "linux")]
fn own_limits() -> [Option<u64>; 2] {
    use nix::sys::resource::{Resource, getrlimit};
    [Resource::RLIMIT_AS, Resource::RLIMIT_DATA].map(|resource| Some(getrlimit(resource).ok()?.0))
}

#[cfg(not(target_os = "linux"))]
fn own_limits() -> [Option<u64>; 0] {
    []
}

/// How many bytes are kept for members, and how many may be.
#[derive(Debug)]
pub(in crate::cmd::serve) struct MemoryBudget {
    taken: AtomicUsize,
    most: usize,
}

impl Default for MemoryBudget {
    fn default() -> Self {
        Self::new(usize::MAX)
    }
}

impl MemoryBudget {
    /// A budget of so many bytes.
    pub(in crate::cmd::serve) fn new(most: usize) -> Self {
        Self {
            taken: AtomicUsize::new(0),
            most,
        }
    }

    /// The budget that suits this machine. Warns if nobody knows it: such a budget has no end.
    pub(in crate::cmd::serve) fn of_this_machine() -> Self {
        let Some(left) = measure() else {
            log::warn!(
                "the system does not tell how much memory there is: say with --max-memory how much the relay may keep for members"
            );
            return Self::default();
        };
        Self::new(usize::try_from(left).unwrap_or(usize::MAX) / SHARE)
    }

    fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }

    /// Whether there is none left for new members: more than three quarters are taken.
    pub(in crate::cmd::serve) fn is_short(&self) -> bool {
        self.taken() / 3 > self.most / 4
    }

    /// Whether there is none left for anything that can do without.
    pub(in crate::cmd::serve) fn is_used_up(&self) -> bool {
        self.taken() > self.most
    }
}

/// What is charged to the budget for one purpose, until this is dropped.
#[derive(Debug)]
pub(in crate::cmd::serve) struct Charge {
    budget: Arc<MemoryBudget>,
    steps: usize,
}

impl Charge {
    /// Charges nothing yet.
    pub(in crate::cmd::serve) fn new(budget: &Arc<MemoryBudget>) -> Self {
        Self {
            budget: Arc::clone(budget),
            steps: 0,
        }
    }

    pub(in crate::cmd::serve) fn budget(&self) -> &MemoryBudget {
        &self.budget
    }

    /// How many bytes are charged.
    pub(in crate::cmd::serve) fn bytes(&self) -> usize {
        self.steps * STEP
    }

    /// Charges so many bytes in all. Returns whether that is more than before, by a step at least.
    pub(in crate::cmd::serve) fn set(&mut self, bytes: usize) -> bool {
        let (before, now) = (self.steps, bytes.div_ceil(STEP));
        self.steps = now;
        let taken = &self.budget.taken;
        match now.cmp(&before) {
            std::cmp::Ordering::Less => taken.fetch_sub((before - now) * STEP, Ordering::Relaxed),
            std::cmp::Ordering::Equal => return false,
            std::cmp::Ordering::Greater => {
                taken.fetch_add((now - before) * STEP, Ordering::Relaxed)
            }
        };
        now > before
    }

    /// Charges `bytes` more, if the budget has so many. Returns whether it had.
    pub(in crate::cmd::serve) fn grow(&mut self, bytes: usize) -> bool {
        let has_room = self.budget.taken().saturating_add(bytes) <= self.budget.most;
        if has_room {
            self.set(self.bytes() + bytes);
        }
        has_room
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    #[test]
    fn the_last_quarter_is_not_for_newcomers() {
        let budget = Arc::new(MemoryBudget::new(64 * MIB));
        let mut charge = Charge::new(&budget);
        for (taken, expected) in [
            (0, (false, false)),
            (48, (false, false)),
            (49, (true, false)),
            (64, (true, false)),
            (65, (true, true)),
            (1, (false, false)),
        ] {
            charge.set(taken * MIB);
            assert_eq!(
                (budget.is_short(), budget.is_used_up()),
                expected,
                "{taken}"
            );
        }
    }

    #[test]
    fn all_share_one_budget_and_give_back_what_they_took() {
        let budget = Arc::new(MemoryBudget::new(MIB));
        let (mut one, mut other) = (Charge::new(&budget), Charge::new(&budget));
        assert!(one.set(1));
        assert!(!one.set(STEP), "it is charged already");
        assert!(other.grow(MIB / 2));
        assert!(!other.grow(MIB / 2));
        assert!(other.grow(MIB / 2 - STEP));
        assert!(!other.grow(1));
        drop(other);
        assert_eq!(budget.taken(), STEP);
        drop(one);
        assert_eq!(budget.taken(), 0);
        assert!(Charge::new(&Arc::default()).grow(1 << 60));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_system_tells_how_much_there_is() {
        assert!(measure().is_some_and(|left| left > 0));
        assert_ne!(MemoryBudget::of_this_machine().most, 0);
    }
}
