//! Admission control: every connection and every join passes here, and the log hears of those that
//! are refused.

use std::fmt::Display;
use std::io;
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use log::Level;

use crate::cipher::fingerprint::Fingerprint;
use crate::cmd::lock::lock;
use crate::cmd::reason;
use crate::room::frame::Departure;
use crate::room::notice::Notice;

use super::allow::AllowList;
use super::connections::{ConnectionLimiter, ConnectionLimits, Network, Verdict};
use super::memory::MemoryBudget;
use crate::cmd::serve::listening::Peer;
use crate::cmd::serve::logging::outage::Outage;
use crate::cmd::serve::logging::rate_limited::RateLimitedLog;
use crate::cmd::serve::stats::Stats;

/// What all connections of a relay share: its limits, its counters and its log of newcomers and
/// members.
pub(in crate::cmd::serve) struct AdmissionControl {
    limiter: Mutex<ConnectionLimiter>,
    allow_list: Option<AllowList>,
    shortage: Mutex<Outage>,
    /// How much may be kept for members.
    pub(in crate::cmd::serve) memory: Arc<MemoryBudget>,
    is_ending: AtomicBool,
    started: Instant,
    /// What `--stats` logs.
    pub(in crate::cmd::serve) stats: Stats,
    /// The log's lines about those who are no members.
    pub(in crate::cmd::serve) stranger_log: RateLimitedLog,
    /// The log's lines about members.
    pub(in crate::cmd::serve) member_log: RateLimitedLog,
}

impl AdmissionControl {
    /// The admission control of a relay that has no connection yet. Without an allow list, any
    /// identity may enter.
    pub(in crate::cmd::serve) fn new(
        limits: ConnectionLimits,
        allow_list: Option<AllowList>,
        memory: MemoryBudget,
    ) -> Self {
        Self {
            limiter: Mutex::new(ConnectionLimiter::new(limits)),
            allow_list,
            shortage: Mutex::default(),
            memory: Arc::new(memory),
            is_ending: AtomicBool::new(false),
            started: Instant::now(),
            stats: Stats::default(),
            stranger_log: RateLimitedLog::new("strangers"),
            member_log: RateLimitedLog::new("members"),
        }
    }

    /// Admits a connection for as long as the returned [`Pass`] lives. `None` means that the caller
    /// is to hang up at once, without a word.
    pub(in crate::cmd::serve) fn admit(self: &Arc<Self>, peer: Peer) -> Option<Pass> {
        let network = Network::from(peer);
        let verdict = lock(&self.limiter).admit(network);
        if verdict == Verdict::Ignored {
            self.stats.refusals.add(1);
            let line = format_args!("hung up on {peer}: there are too many");
            self.stranger_log.write(Level::Info, line);
            return None;
        }
        Some(Pass {
            admission: Arc::clone(self),
            network,
            verdict,
        })
    }

    /// How many connections are admitted at present.
    pub(in crate::cmd::serve) fn connections(&self) -> usize {
        lock(&self.limiter).connections()
    }

    /// Whether a network uses more than it may, the places kept for it included.
    pub(in crate::cmd::serve) fn is_over_limit(&self, network: Network) -> bool {
        lock(&self.limiter).is_over_limit(network)
    }

    /// Checks that the allow list, if there is one, has this identity.
    ///
    /// # Errors
    /// The notice to send before hanging up.
    pub(in crate::cmd::serve) fn check_listed(
        &self,
        fingerprint: Fingerprint,
    ) -> Result<(), Notice> {
        match &self.allow_list {
            Some(allow_list) if !allow_list.look_up(fingerprint) => Err(Notice::NotListed),
            _ => Ok(()),
        }
    }

    /// Counts somebody who was refused and told why, and logs it.
    pub(in crate::cmd::serve) fn log_refusal(&self, who: impl Display, notice: Notice) {
        self.stats.refusals.add(1);
        let line = format_args!("refused {who}: {notice}");
        self.stranger_log.write(Level::Info, line);
    }

    /// Counts a member that has left or was dropped, and logs it.
    pub(in crate::cmd::serve) fn log_departure(&self, who: impl Display, departure: Departure) {
        if departure == Departure::Slow {
            self.stats.slow.add(1);
        }
        // A client that was told that the relay ends hangs up. Its broken connection is not its
        // fault.
        let line = if departure == Departure::Lost && self.is_ending() {
            format!("{who} was sent away, as the relay ends")
        } else {
            format!("{who} {departure}")
        };
        self.member_log.write(Level::Info, format_args!("{line}"));
    }

    /// Reports that the system lacks what a newcomer needs: a descriptor, a thread or memory. Logs
    /// a warning unless the shortage goes on already.
    pub(in crate::cmd::serve) fn report_shortage(&self, error: &io::Error) {
        if lock(&self.shortage).record(self.uptime()) {
            log::warn!(
                "cannot take newcomers at the moment: {}; members stay who read; lower --max-connections, or allow the relay more threads, open files and memory (--max-memory)",
                reason(error)
            );
        }
    }

    /// Logs how many lines were left out, and the end of a shortage. Call it about once a second.
    pub(in crate::cmd::serve) fn catch_up(&self) {
        self.stranger_log.catch_up();
        self.member_log.catch_up();
        if let Some(times) = lock(&self.shortage).take_ended(self.uptime()) {
            log::warn!("newcomers are taken again, after {times} failures");
        }
    }

    /// Refuses everybody from now on: the relay ends.
    pub(in crate::cmd::serve) fn close(&self) {
        self.is_ending.store(true, Ordering::Relaxed);
    }

    fn is_ending(&self) -> bool {
        self.is_ending.load(Ordering::Relaxed)
    }

    /// Checks that there is memory for one more member. Logs a warning if not.
    ///
    /// # Errors
    /// The notice to send before hanging up.
    pub(in crate::cmd::serve) fn check_memory(&self) -> Result<(), Notice> {
        if self.memory.is_short() {
            self.report_shortage(&io::ErrorKind::OutOfMemory.into());
            return Err(Notice::RelayFull);
        }
        Ok(())
    }

    /// Checks that the relay is not ending.
    ///
    /// # Errors
    /// The notice to send before hanging up.
    pub(in crate::cmd::serve) fn check_open(&self) -> Result<(), Notice> {
        if self.is_ending() {
            Err(Notice::Shutdown)
        } else {
            Ok(())
        }
    }

    /// Shuts a member's socket down after the last byte was written to it, which ends the thread
    /// that reads from it. When the relay ends, only the sending half is shut down, and the thread
    /// reads on until the client hangs up: a system that receives something for a closed socket
    /// discards what it has yet to deliver.
    pub(in crate::cmd::serve) fn hang_up(&self, stream: &TcpStream) {
        let how = if self.is_ending() {
            Shutdown::Write
        } else {
            Shutdown::Both
        };
        // It fails where the client has hung up already.
        let _ = stream.shutdown(how);
    }

    /// The time since the relay started.
    pub(in crate::cmd::serve) fn uptime(&self) -> Duration {
        self.started.elapsed()
    }
}

/// An admitted or refused connection, counted until this is dropped.
pub(in crate::cmd::serve) struct Pass {
    admission: Arc<AdmissionControl>,
    network: Network,
    verdict: Verdict,
}

impl Pass {
    /// Checks that the connection was admitted, and that the relay is not ending.
    ///
    /// # Errors
    /// The notice to send before hanging up.
    pub(in crate::cmd::serve) fn check(&self) -> Result<(), Notice> {
        match self.verdict {
            Verdict::Refused(notice) => Err(notice),
            Verdict::Admitted | Verdict::Ignored => self.admission.check_open(),
        }
    }

    /// Counts a join from the connection's network.
    ///
    /// # Errors
    /// The notice to send before hanging up.
    pub(in crate::cmd::serve) fn check_join(&self) -> Result<(), Notice> {
        if lock(&self.admission.limiter).try_join(self.network, self.admission.uptime()) {
            Ok(())
        } else {
            Err(Notice::JoinsTooFast)
        }
    }

    /// The network that the connection is from.
    pub(in crate::cmd::serve) fn network(&self) -> Network {
        self.network
    }

    /// Counts the end of the connection, and the place that is kept for its member for as long as the
    /// returned value lives.
    pub(in crate::cmd::serve) fn keep_place(self) -> KeptSeat {
        let (admission, network) = (Arc::clone(&self.admission), self.network);
        // The connection is given back first, so that it and the place never count at the same time.
        drop(self);
        lock(&admission.limiter).keep_place(network);
        KeptSeat { admission, network }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        lock(&self.admission.limiter).release(self.network, self.verdict);
    }
}

/// A place that is kept for a member without a connection, counted until this is dropped.
pub(in crate::cmd::serve) struct KeptSeat {
    admission: Arc<AdmissionControl>,
    network: Network,
}

impl Drop for KeptSeat {
    fn drop(&mut self) {
        lock(&self.admission.limiter).release_place(self.network);
    }
}
