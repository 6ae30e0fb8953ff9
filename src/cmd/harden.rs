//! Keeps the program's memory to itself.

/// Asks the system for no core dumps, which would hold private keys, and on Linux, that other
/// processes of the same user cannot read this one's memory. A failure is ignored: the program
/// works without.
pub(super) fn keep_memory_private() {
    #[cfg(unix)]
    {
        use nix::sys::resource::{Resource, setrlimit};
        let _ = setrlimit(Resource::RLIMIT_CORE, 0, 0);
    }
    #[cfg(target_os = "linux")]
    {
        let _ = nix::sys::prctl::set_dumpable(false);
    }
}
