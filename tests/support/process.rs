//! Runs the program itself, as a relay and as a client. No process outlives its test.
//!
//! Nothing here sleeps for a fixed time to let something happen: a wait polls, up to a deadline.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

/// How long a wait lasts at most; then the test fails.
pub const DEADLINE: Duration = Duration::from_mins(1);
/// How often a wait looks.
const POLL: Duration = Duration::from_millis(5);

/// Waits until `found` finds something. Fails with what `describe` says if it does not in time.
pub fn wait_for<T>(found: impl FnMut() -> Option<T>, describe: impl Fn() -> String) -> T {
    wait_within(DEADLINE, found, describe)
}

/// Waits likewise, but this long at most.
pub fn wait_within<T>(
    deadline: Duration,
    mut found: impl FnMut() -> Option<T>,
    describe: impl Fn() -> String,
) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(start.elapsed() < deadline, "{}", describe());
        thread::sleep(POLL);
    }
}

/// Sends a signal. Of a process that is to be stopped, all threads stand still afterwards: on Linux some may go on
/// for a moment until one of them has seen the signal.
#[track_caller]
fn signal_to(process: Pid, signal: Signal) {
    kill(process, signal).expect("the program can be signalled");
    if signal != Signal::SIGSTOP {
        return;
    }
    let Ok(threads) = std::fs::read_dir(format!("/proc/{process}/task")) else {
        return;
    };
    for thread in threads.flatten() {
        let stat = thread.path().join("stat");
        let stands = || {
            let stat = std::fs::read_to_string(&stat);
            // A thread that is over stands still, too.
            stat.map_or(true, |stat| stat.contains(") T "))
                .then_some(())
        };
        wait_for(stands, || "a thread goes on".to_owned());
    }
}

/// Whether a process has ended, though perhaps nobody has asked how.
pub fn has_ended(process: Pid) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"));
    kill(process, None).is_err() || stat.is_ok_and(|stat| stat.contains(") Z "))
}

/// The program that is tested: the one that Cargo has built for that, or the one that `E2ECHAT_TESTED`
/// names.
pub fn tested_program() -> &'static str {
    static PROGRAM: LazyLock<Option<String>> =
        LazyLock::new(|| std::env::var("E2ECHAT_TESTED").ok());
    PROGRAM.as_deref().unwrap_or(env!("CARGO_BIN_EXE_e2echat"))
}

/// A user's own empty folder, where settings would be.
pub struct Home(TempDir);

impl Home {
    /// Makes a new folder.
    pub fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// A file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// The program, with this folder as the user's and without our variables in the environment.
    pub fn e2echat(&self) -> Command {
        let mut command = Command::new(tested_program());
        self.isolate(&mut command);
        command
    }

    /// Gives a command this folder, and takes away the variables that could change what it does.
    pub fn isolate(&self, command: &mut Command) {
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("E2ECHAT_") {
                command.env_remove(name);
            }
        }
        command
            .env("HOME", self.path())
            .env("XDG_CONFIG_HOME", self.path().join("config"))
            .env("XDG_DATA_HOME", self.path().join("data"))
            .env("TZ", "UTC")
            .current_dir(self.path());
    }

    /// Makes an identity and saves it in a file of this name. Returns the path and the fingerprint.
    #[track_caller]
    pub fn identity(&self, name: &str) -> (String, String) {
        let path = self.file(name).display().to_string();
        let made = self.run(&["keygen", "--output", &path]);
        let fingerprint = made
            .stdout
            .iter()
            .find_map(|line| line.strip_prefix("fingerprint"));
        let fingerprint = fingerprint.unwrap_or_else(|| panic!("no fingerprint: {made:#?}"));
        (path, fingerprint.trim().to_owned())
    }

    /// The path of this user's file of known people.
    pub fn known_people(&self) -> PathBuf {
        self.file("data/e2echat/known-people")
    }

    /// Runs the program to its end, with nothing on its standard input.
    pub fn run(&self, arguments: &[&str]) -> Ended {
        Ended::of(self.e2echat().args(arguments))
    }
}

/// What a program that has ended leaves behind.
#[derive(Debug)]
pub struct Ended {
    pub status: ExitStatus,
    pub stdout: Vec<String>,
    pub stderr: Vec<String>,
}

impl Ended {
    /// Runs a command to its end.
    pub fn of(command: &mut Command) -> Self {
        Process::start(command, Input::Nothing).ended()
    }

    /// The exit status. A program that a signal killed has none.
    pub fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// Checks that the program refused its arguments, with a text that contains `error`.
    #[track_caller]
    pub fn assert_misused(&self, error: &str) {
        assert_eq!(self.code(), Some(2), "{self:#?}");
        assert_eq!(self.stdout, [""; 0], "{self:#?}");
        assert!(self.stderr.join("\n").contains(error), "{self:#?}");
    }

    /// Checks that the program failed as ours does: one line of error, one of advice.
    #[track_caller]
    pub fn assert_failure(&self, error: &str) {
        assert_eq!(self.code(), Some(1), "{self:#?}");
        let [first, hint] = self.stderr.as_slice() else {
            panic!("not one line of error and one of advice: {self:#?}");
        };
        assert_eq!(*first, format!("e2echat: error: {error}"), "{self:#?}");
        assert!(hint.starts_with("  ") && hint.len() > 10, "{self:#?}");
    }
}

/// Where a program's standard input comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Input {
    Nothing,
    Pipe,
}

/// What a running program takes of the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Belongings {
    pub threads: usize,
    pub descriptors: usize,
}

/// How often the threads of a running program have stopped to wait for something.
pub fn waits_of(pid: u32) -> u64 {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).expect("the program runs");
    let statuses = tasks.filter_map(|task| {
        // A thread may end meanwhile.
        std::fs::read_to_string(task.ok()?.path().join("status")).ok()
    });
    let waits = statuses.filter_map(|status| {
        let mut lines = status.lines();
        let count = lines.find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))?;
        count.trim().parse::<u64>().ok()
    });
    waits.sum()
}

/// The memory that a running program has, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    /// Now, and the most that it has had so far.
    pub resident: usize,
    pub peak: usize,
}

/// What a running program has of memory. Linux alone tells.
pub fn memory_of(pid: u32) -> Memory {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the program runs");
    let field = |name: &str| -> usize {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let number = line.and_then(|line| line.split_whitespace().next());
        1024 * number
            .expect("this is Linux")
            .parse::<usize>()
            .expect("a number")
    };
    Memory {
        resident: field("VmRSS:"),
        peak: field("VmHWM:"),
    }
}

/// A running program. Dropping it kills the program.
struct Process {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Lines,
    stderr: Lines,
}

impl Process {
    fn start(command: &mut Command, input: Input) -> Self {
        let stdin = match input {
            Input::Nothing => Stdio::null(),
            Input::Pipe => Stdio::piped(),
        };
        let mut child = command
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        Self {
            stdin: child.stdin.take(),
            stdout: Lines::read(child.stdout.take().expect("a pipe")),
            stderr: Lines::read(child.stderr.take().expect("a pipe")),
            child,
        }
    }

    fn write(&mut self, bytes: &[u8]) {
        let stdin = self.stdin.as_mut().expect("the input is open");
        stdin.write_all(bytes).expect("the program reads its input");
    }

    fn id(&self) -> u32 {
        self.child.id()
    }

    fn signal(&self, signal: Signal) {
        let pid = self.id().try_into().expect("a process id");
        signal_to(Pid::from_raw(pid), signal);
    }

    /// Whether its main thread waits for something.
    fn is_at_rest(&self) -> bool {
        let path = format!("/proc/{}/stat", self.child.id());
        let stat = std::fs::read_to_string(path).expect("the program runs");
        let (_, fields) = stat.rsplit_once(") ").expect("its name and its state");
        fields.starts_with('S')
    }

    fn belongings(&self) -> Belongings {
        let count = |what: &str| {
            let entries = std::fs::read_dir(format!("/proc/{}/{what}", self.child.id()));
            entries.expect("the program runs").count()
        };
        Belongings {
            threads: count("task"),
            descriptors: count("fd"),
        }
    }

    fn ended(&mut self) -> Ended {
        let child = &mut self.child;
        let (stdout, stderr) = (&mut self.stdout, &mut self.stderr);
        let status = wait_for(
            || child.try_wait().expect("the program can be waited for"),
            || format!("no end: {:#?} {:#?}", stdout.all(), stderr.all()),
        );
        Ended {
            status,
            stdout: stdout.finish(),
            stderr: stderr.finish(),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // This fails if the program has ended, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The lines that a program has written so far.
struct Lines {
    read: Arc<Mutex<Vec<String>>>,
    reader: Option<JoinHandle<()>>,
}

impl Lines {
    fn read(pipe: impl Read + Send + 'static) -> Self {
        let read = Arc::new(Mutex::new(Vec::new()));
        let writer = Arc::clone(&read);
        let reader = thread::spawn(move || {
            for line in BufReader::new(pipe).lines() {
                let line = line.expect("the program writes UTF-8");
                writer.lock().expect("nobody panics here").push(line);
            }
        });
        Self {
            read,
            reader: Some(reader),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<String>> {
        self.read.lock().expect("nobody panics here")
    }

    fn all(&self) -> Vec<String> {
        self.lock().clone()
    }

    #[track_caller]
    fn wait_for(&self, what: &str, expected: impl Fn(&str) -> bool) -> String {
        wait_for(
            || self.lock().iter().find(|line| expected(line)).cloned(),
            || format!("no {what} in {:#?}", self.all()),
        )
    }

    /// Waits until the program has ended, and returns all lines.
    fn finish(&mut self) -> Vec<String> {
        if let Some(reader) = self.reader.take() {
            reader.join().expect("the program writes UTF-8");
        }
        self.all()
    }
}

/// A relay on a free port of this machine.
pub struct Relay {
    process: Process,
    address: SocketAddr,
    _home: Home,
}

impl Relay {
    /// Its process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Starts a relay and waits until it listens.
    pub fn start(options: &[&str]) -> Self {
        let own = ["--bind", "127.0.0.1", "--port", "0"];
        Self::start_with(&[&own, options].concat())
    }

    /// Starts a relay with these options and no others, and waits until it listens.
    pub fn start_with(options: &[&str]) -> Self {
        let home = Home::new();
        let mut command = home.e2echat();
        command.arg("serve").args(options);
        Self::from_command(&mut command, home)
    }

    /// Starts a command that is a relay, and waits until it listens.
    pub fn from_command(command: &mut Command, home: Home) -> Self {
        let process = Process::start(command, Input::Pipe);
        let line = process
            .stdout
            .wait_for("address", |line| line.starts_with("listening on "));
        let address = line
            .trim_start_matches("listening on ")
            .parse()
            .expect("an address and a port");
        Self {
            process,
            address,
            _home: home,
        }
    }

    /// The address on which it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it has of the system.
    pub fn belongings(&self) -> Belongings {
        self.process.belongings()
    }

    /// Limits its open files to this number, whatever limit it started with.
    #[cfg(target_os = "linux")]
    pub fn limit_open_files(&self, most: usize) {
        let mut command = Command::new("prlimit");
        command.args(["--pid", &self.process.child.id().to_string()]);
        command.arg(format!("--nofile={most}:{most}"));
        let status = command.status().expect("prlimit is installed");
        assert!(status.success(), "{status}");
    }

    /// Waits for a line of its log, which is its standard error.
    #[track_caller]
    pub fn wait_for_log(&self, what: &str, expected: impl Fn(&str) -> bool) -> String {
        self.process.stderr.wait_for(what, expected)
    }

    /// Its log so far.
    pub fn log(&self) -> Vec<String> {
        self.process.stderr.all()
    }

    /// Waits for a line on standard output.
    #[track_caller]
    pub fn wait_for_line(&self, what: &str, expected: impl Fn(&str) -> bool) -> String {
        self.process.stdout.wait_for(what, expected)
    }

    /// What it has written to standard output so far.
    pub fn lines(&self) -> Vec<String> {
        self.process.stdout.all()
    }

    /// Writes a line to its standard input, as the host who sits in a room.
    pub fn say(&mut self, line: &str) {
        self.process.write(format!("{line}\n").as_bytes());
    }

    /// Ends it by the end of its standard input, as a host does.
    pub fn end_input(mut self) -> Ended {
        drop(self.process.stdin.take());
        self.process.ended()
    }

    /// Ends it with a signal.
    pub fn end(self, signal: Signal) -> Ended {
        self.signal(signal);
        self.ended()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Waits for its end.
    pub fn ended(mut self) -> Ended {
        self.process.ended()
    }
}

/// A client without a terminal.
pub struct Client {
    process: Process,
    _home: Option<Home>,
}

impl Client {
    /// Its process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Starts a client and waits until it is in the room.
    #[track_caller]
    pub fn join(relay: SocketAddr, nick: &str, options: &[&str]) -> Self {
        let client = Self::start(relay, nick, options);
        client.wait_for_roster();
        client
    }

    /// Starts a client of a user who has more than one, or who comes again. Waits until it is in the room.
    #[track_caller]
    pub fn join_from(home: &Home, relay: SocketAddr, nick: &str, options: &[&str]) -> Self {
        let relay = relay.to_string();
        let mut command = home.e2echat();
        command.args(["join", &relay, "--nick", nick]).args(options);
        let client = Self::start_command(&mut command);
        client.wait_for_roster();
        client
    }

    /// Starts a command that is a client, of a user whose folder the caller keeps.
    pub fn start_command(command: &mut Command) -> Self {
        Self {
            process: Process::start(command, Input::Pipe),
            _home: None,
        }
    }

    /// Waits until it is in the room.
    #[track_caller]
    pub fn wait_for_roster(&self) {
        self.wait_for_line("roster", |line| {
            line.starts_with("* here: ") || line == "* nobody else is here yet"
        });
    }

    /// Starts a client.
    pub fn start(relay: SocketAddr, nick: &str, options: &[&str]) -> Self {
        Self::start_at(&relay.to_string(), nick, options)
    }

    /// Starts a client, with the relay's address as a person writes it.
    pub fn start_at(relay: &str, nick: &str, options: &[&str]) -> Self {
        let home = Home::new();
        let mut command = home.e2echat();
        command.args(["join", relay, "--nick", nick]).args(options);
        Self::from_command(&mut command, home)
    }

    /// Starts a command that is a client.
    pub fn from_command(command: &mut Command, home: Home) -> Self {
        Self {
            process: Process::start(command, Input::Pipe),
            _home: Some(home),
        }
    }

    /// Writes a line to its standard input.
    pub fn say(&mut self, line: &str) {
        self.write(format!("{line}\n").as_bytes());
    }

    /// Writes bytes to its standard input.
    pub fn write(&mut self, bytes: &[u8]) {
        self.process.write(bytes);
    }

    /// Waits for a line on its standard output, and returns it.
    #[track_caller]
    pub fn wait_for_line(&self, what: &str, expected: impl Fn(&str) -> bool) -> String {
        self.process.stdout.wait_for(what, expected)
    }

    /// Waits until it is told that somebody has come.
    #[track_caller]
    pub fn meets(&self, nick: &str) {
        let joined = format!("* {nick} joined ");
        self.wait_for_line(&joined, |line| line.starts_with(&joined));
    }

    /// Waits for a line that says that `nick` said `text`, and nothing more.
    #[track_caller]
    pub fn wait_for_message(&self, nick: &str, text: &str) {
        self.wait_for_line(text, |line| is_message(line, nick, text));
    }

    /// What it has written so far.
    pub fn lines(&self) -> Vec<String> {
        self.process.stdout.all()
    }

    /// Whether it has written such a line: without a copy of all lines, which may be very many.
    pub fn has_shown(&self, expected: impl Fn(&str) -> bool) -> bool {
        self.process.stdout.lock().iter().any(|line| expected(line))
    }

    /// Has nobody take what it writes, until what this returns is dropped.
    #[must_use]
    pub fn hold_output(&self) -> impl Drop {
        self.process.stdout.lock()
    }

    /// Waits until it has nothing to do, and has not had for some time.
    #[track_caller]
    pub fn comes_to_rest(&self) {
        wait_for(
            || {
                let looks = (0..10).map(|_| {
                    thread::sleep(Duration::from_millis(10));
                    self.process.is_at_rest()
                });
                looks.min().filter(|is_at_rest| *is_at_rest)
            },
            || format!("{:#?}", self.lines()),
        );
    }

    /// What it has of the system.
    pub fn belongings(&self) -> Belongings {
        self.process.belongings()
    }

    /// The lines so far that begin with `!`, as alarms do, or with `?`, as mistakes do.
    pub fn warnings(&self) -> Vec<String> {
        let mut lines = self.lines();
        lines.retain(|line| line.starts_with(['!', '?']));
        lines
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Closes its standard input and waits for its end.
    pub fn leave(mut self) -> Ended {
        drop(self.process.stdin.take());
        self.process.ended()
    }

    /// Waits for its end, with its standard input still open.
    pub fn ended(mut self) -> Ended {
        self.process.ended()
    }
}

/// Whether a line shows that `nick` said `text`: `21:04 <nick> text`.
pub fn is_message(line: &str, nick: &str, text: &str) -> bool {
    let words = line.split_once(' ').map(|(_, words)| words);
    words == Some(&format!("<{nick}> {text}"))
}
