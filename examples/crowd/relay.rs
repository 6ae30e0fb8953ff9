//! The relay that is measured, as a process of its own, and its figures in /proc.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::Context as _;

/// How many ticks a second has in /proc/PID/stat, on every Linux.
const TICKS: u64 = 100;

/// A running relay. Its process ends when this is dropped.
pub struct Relay {
    child: Child,
    pub address: SocketAddr,
    logged: Arc<AtomicUsize>,
}

/// What a process uses.
pub struct Figures {
    pub resident_kib: u64,
    pub threads: u64,
    /// `None` where the system does not tell.
    pub descriptors: Option<u64>,
    /// The processor time of all its threads, in the program and in the system.
    pub processor: Duration,
    /// How often a thread that still runs has waited for something.
    pub waits: u64,
}

impl Relay {
    /// Starts a relay on a free port that takes this many members, in one room or in many.
    pub fn start(members: usize) -> anyhow::Result<Self> {
        Self::start_with(members, &[])
    }

    /// Starts such a relay with more options.
    pub fn start_with(members: usize, more: &[[&str; 2]]) -> anyhow::Result<Self> {
        let members = members.to_string();
        let options = [
            ["--max-connections", &members],
            ["--max-members", &members],
            // All members come from one address, and as fast as they can.
            ["--max-per-address", &members],
            ["--max-per-identity", &members],
            ["--joins-per-minute", "1000000"],
            ["--max-blocks", "0"],
            ["--max-bytes", "0"],
            // Idle members say nothing here for as long as the measurement takes.
            ["--idle-timeout", "3600"],
            ["--handshake-timeout", "60"],
        ];
        Self::with(&program()?, &[&options[..], more].concat())
    }

    /// Starts a relay of this program for so many real clients on this machine. What it expects of
    /// each is as usual.
    pub fn for_clients(program: &Path, members: usize) -> anyhow::Result<Self> {
        let members = members.to_string();
        let options = [
            ["--max-members", &members],
            ["--max-per-address", &members],
            ["--joins-per-minute", "1000000"],
            ["--handshake-timeout", "60"],
        ];
        Self::with(program, &options)
    }

    /// Starts a relay of this program, with its usual limits, that soon notices when a client is stopped.
    pub fn for_sleepers(program: &Path) -> anyhow::Result<Self> {
        Self::with(program, &[["--idle-timeout", "10"]])
    }

    /// Starts a relay with its usual limits, but for two: members who only read may be silent here,
    /// and all have one identity. It logs as much as it can.
    pub fn with_usual_limits() -> anyhow::Result<Self> {
        let idle = ["--idle-timeout", "3600"];
        let options = [idle, ["--max-per-identity", "1000"], ["-v", "-v"]];
        Self::with(&program()?, &options)
    }

    fn with(program: &Path, options: &[[&str; 2]]) -> anyhow::Result<Self> {
        let mut child = Command::new(program)
            .args(["serve", "--bind", "127.0.0.1", "--port", "0"])
            .args(options.as_flattened())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let logged = Arc::new(AtomicUsize::new(0));
        if let Some(log) = child.stderr.take() {
            let logged = Arc::clone(&logged);
            thread::spawn(move || {
                for _ in BufReader::new(log).lines() {
                    logged.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let mut line = String::new();
        if let Some(output) = child.stdout.take() {
            BufReader::new(output).read_line(&mut line)?;
        }
        let address = line
            .trim_end()
            .strip_prefix("listening on ")
            .context("the relay does not say where it listens")?
            .parse()?;
        Ok(Self {
            child,
            address,
            logged,
        })
    }

    /// How many lines it has logged since the last call.
    pub fn take_log(&self) -> usize {
        self.logged.swap(0, Ordering::Relaxed)
    }

    /// What it uses now.
    pub fn figures(&self) -> anyhow::Result<Figures> {
        figures(self.child.id())
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        // It fails where the relay has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The relay's program: it lies one folder above the examples.
pub fn program() -> anyhow::Result<PathBuf> {
    let this = std::env::current_exe()?;
    let folder = this
        .ancestors()
        .nth(2)
        .context("this program has no place")?;
    Ok(folder.join("e2echat"))
}

/// What a process uses now.
pub fn figures(id: u32) -> anyhow::Result<Figures> {
    let process = PathBuf::from(format!("/proc/{id}"));
    let read = |name: &str| {
        std::fs::read_to_string(process.join(name))
            .with_context(|| format!("there is no /proc/PID/{name}: this takes Linux"))
    };
    let status = read("status")?;
    let threads = std::fs::read_dir(process.join("task"))?;
    let mut waits = 0;
    for thread in threads {
        // A thread may end meanwhile.
        if let Ok(status) = std::fs::read_to_string(thread?.path().join("status")) {
            waits += field(&status, "voluntary_ctxt_switches:")?;
        }
    }
    let descriptors = std::fs::read_dir(process.join("fd")).ok();
    Ok(Figures {
        resident_kib: field(&status, "VmRSS:")?,
        threads: field(&status, "Threads:")?,
        descriptors: descriptors.map(|entries| entries.count() as u64),
        processor: processor_time(&read("stat")?)?,
        waits,
    })
}

/// A field of `/proc/PID/status`.
fn field(status: &str, name: &str) -> anyhow::Result<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number.context("a field is missing")?.parse()?)
}

/// The fields `utime` and `stime` of `proc_pid_stat(5)`.
fn processor_time(stat: &str) -> anyhow::Result<Duration> {
    // The program's name, in brackets, may itself have spaces and brackets in it.
    let (_, fields) = stat.rsplit_once(')').context("no name in /proc/PID/stat")?;
    // The first after the name is field 3, the state.
    let ticks = fields.split_whitespace().skip(14 - 3).take(2);
    let ticks: u64 = ticks
        .map(str::parse::<u64>)
        .sum::<Result<u64, _>>()
        .context("no times in /proc/PID/stat")?;
    Ok(Duration::from_millis(ticks * 1000 / TICKS))
}
