//! Stacks of threads, and how many threads the system has memory mappings for. Where it has none
//! left for a new thread's signal stack, the standard library ends the whole process.

use std::fs;

/// The stack of a thread that does RSA arithmetic, in bytes. It is over four times the size of the
/// other stacks: glibc would otherwise pass it on to one of them, with all the pages that the
/// arithmetic has touched.
pub(super) const ARITHMETIC_STACK: usize = 512 * 1024;

/// The stack of a thread that lives as long as its member's connection, in bytes. Pages that are
/// never touched cost nothing, but those that were touched once stay. With glibc on Linux these are two: the
/// first one is the library's own. So functions that such a thread calls, and that need much of its stack,
/// are not inlined: then it never holds what all of them need.
pub(super) const READER_STACK: usize = 64 * 1024;

/// The mappings of a thread: a stack and a signal stack, each with a guard page.
const PER_THREAD: usize = 4;
/// The mappings of all else: the program and its libraries, the allocator, the threads that serve
/// no connection, the stacks that glibc keeps, and a handshake's thread that ends a moment after
/// the reader has begun.
const RESERVE: usize = 4096;

/// How many connections there are memory mappings for, at a thread each. `None` where nothing
/// limits them.
pub(super) fn max_connections() -> Option<usize> {
    let limit = fs::read_to_string("/proc/sys/vm/max_map_count").ok()?;
    Some(threads(limit.trim().parse().ok()?))
}

fn threads(mappings: usize) -> usize {
    (mappings.saturating_sub(RESERVE) / PER_THREAD).max(1)
}

/// How many of so many connections are possible with so many threads. Warns if these are fewer.
pub(super) fn limit_connections(connections: usize, threads: usize) -> usize {
    if connections > threads {
        let needed = connections
            .saturating_mul(PER_THREAD)
            .saturating_add(RESERVE);
        log::warn!(
            "the system allows memory mappings for {threads} connections at once and not for {connections}: have the administrator run `sysctl vm.max_map_count={needed}`"
        );
    }
    connections.min(threads)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_limit_is_enough_for_ten_thousand() {
        assert_eq!(limit_connections(10_000, threads(65_530)), 10_000);
        assert_eq!(limit_connections(20_000, threads(65_530)), 15_358);
        assert_eq!(limit_connections(1, threads(0)), 1);
    }
}
