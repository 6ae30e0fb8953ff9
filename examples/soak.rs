//! A busy room for an hour, to see what grows: the real relay, and real clients that talk, change
//! their keys, come, go, are killed, and come back.
//!
//!     cargo build --release && cargo run --release --example soak -- --minutes 60
//!
//! Every minute, and at the start and the end, it prints the memory, threads and descriptors of the
//! relay and of the clients that stay; and it prints each warning that a client shows. The figures
//! come from /proc, so it runs on Linux.

#![allow(clippy::print_stdout, reason = "it tells what it sees")]

use std::error::Error;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rand::RngExt as _;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const STAYING: usize = 4;
const VISITING: usize = 4;
/// How often something happens.
const STEP: Duration = Duration::from_millis(500);
const MINUTE: Duration = Duration::from_mins(1);

/// How many lines all clients have written so far, and how many of these warn.
#[derive(Default)]
struct Lines {
    all: AtomicU64,
    warnings: AtomicU64,
}

/// A running program, which is killed when this is dropped.
struct Running {
    child: Child,
    stdin: Option<ChildStdin>,
}

impl Drop for Running {
    fn drop(&mut self) {
        // It fails where the program has ended, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Running {
    /// Writes a line to the program. It is lost if the program has ended.
    fn say(&mut self, line: &str) {
        if let Some(stdin) = &mut self.stdin {
            let _ = writeln!(stdin, "{line}");
        }
    }

    /// The program's resident memory in KiB, its threads, and its descriptors.
    fn figures(&self) -> Result<[u64; 3]> {
        let folder = PathBuf::from(format!("/proc/{}", self.child.id()));
        let status = fs::read_to_string(folder.join("status"))?;
        let figure = |name: &str| -> Result<u64> {
            let line = status.lines().find(|line| line.starts_with(name));
            let number = line.and_then(|line| line.split_whitespace().nth(1));
            Ok(number.ok_or("no such line")?.parse()?)
        };
        let descriptors = fs::read_dir(folder.join("fd"))?.count();
        Ok([
            figure("VmRSS:")?,
            figure("Threads:")?,
            u64::try_from(descriptors)?,
        ])
    }
}

/// What all programs need.
struct Place {
    program: PathBuf,
    home: tempfile::TempDir,
    address: String,
    lines: Arc<Lines>,
}

impl Place {
    fn command(program: &Path, home: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .env("HOME", home)
            .env("XDG_DATA_HOME", home.join("data"))
            .env("XDG_CONFIG_HOME", home.join("config"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        command
    }

    /// Makes an identity for a nick, so that a client that was killed comes back as the same
    /// person.
    fn make_identity(&self, nick: &str) -> Result<()> {
        let status = Self::command(&self.program, self.home.path())
            .args(["keygen", "--output"])
            .arg(self.home.path().join(nick))
            .stdout(Stdio::null())
            .status()?;
        if status.success() {
            Ok(())
        } else {
            Err("no identity was made".into())
        }
    }

    fn join(&self, nick: &str) -> Result<Running> {
        let mut child = Self::command(&self.program, self.home.path())
            .args(["join", &self.address, "--nick", nick, "--rekey", "1"])
            .arg("--identity")
            .arg(self.home.path().join(nick))
            .spawn()?;
        let stdout = child.stdout.take().ok_or("no output")?;
        let lines = Arc::clone(&self.lines);
        thread::spawn(move || {
            for line in BufReader::new(stdout)
                .lines()
                .map_while(std::result::Result::ok)
            {
                lines.all.fetch_add(1, Ordering::Relaxed);
                if line.starts_with("! ") {
                    lines.warnings.fetch_add(1, Ordering::Relaxed);
                    println!("{line}");
                }
            }
        });
        Ok(Running {
            stdin: child.stdin.take(),
            child,
        })
    }
}

fn start_relay(program: &Path, home: &Path) -> Result<(Running, String)> {
    let mut child = Place::command(program, home)
        .args(["serve", "--bind", "127.0.0.1", "--port", "0"])
        .args(["--grace", "10", "--joins-per-minute", "100000"])
        .spawn()?;
    let mut output = BufReader::new(child.stdout.take().ok_or("no output")?);
    let mut line = String::new();
    output.read_line(&mut line)?;
    thread::spawn(move || output.lines().map_while(std::result::Result::ok).count());
    let address = line.trim().strip_prefix("listening on ");
    let address = address.ok_or("the relay does not listen")?.to_owned();
    let stdin = child.stdin.take();
    Ok((Running { child, stdin }, address))
}

fn report(minute: u64, relay: &Running, staying: &[Running], lines: &Lines) -> Result<()> {
    let show = |figures: [u64; 3]| {
        let [memory, threads, descriptors] = figures;
        format!("{memory} KiB/{threads}/{descriptors}")
    };
    let clients = staying
        .iter()
        .map(|client| client.figures().map(show))
        .collect::<Result<Vec<String>>>()?;
    println!(
        "minute {minute}: relay {}; clients {}; {} lines shown, {} of them warnings",
        show(relay.figures()?),
        clients.join(" "),
        lines.all.load(Ordering::Relaxed),
        lines.warnings.load(Ordering::Relaxed)
    );
    Ok(())
}

/// Has a visitor come, talk, go or die.
fn visit(place: &Place, nick: &str, visitor: &mut Option<Running>) -> Result<()> {
    match (visitor.as_mut(), rand::rng().random_range(0..10)) {
        (None, 0..3) => *visitor = Some(place.join(nick)?),
        (None, _) => {}
        (Some(running), 0) => {
            // At the end of its input a client says goodbye.
            running.stdin = None;
            thread::sleep(STEP);
            *visitor = None;
        }
        // The visitor is killed. Half of them come back at once, while the relay still keeps their
        // place.
        (Some(_), 1) => *visitor = None,
        (Some(_), 2) => {
            *visitor = None;
            *visitor = Some(place.join(nick)?);
        }
        (Some(running), _) => running.say("hello from a visitor"),
    }
    Ok(())
}

fn minutes() -> Option<u64> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [] => Some(60),
        [option, minutes] if option == "--minutes" => minutes.parse().ok(),
        _ => None,
    }
}

fn main() -> Result<()> {
    let Some(minutes) = minutes() else {
        println!("usage: soak [--minutes N]");
        return Ok(());
    };
    let example = std::env::current_exe()?;
    let profile = example.parent().and_then(Path::parent);
    let program = profile.ok_or("no folder of programs")?.join("e2echat");
    let home = tempfile::tempdir()?;
    let (relay, address) = start_relay(&program, home.path())?;
    let place = Place {
        program,
        home,
        address,
        lines: Arc::default(),
    };
    let name = |kind: &str, number: usize| {
        format!("{kind}{}", ["a", "b", "c", "d"].get(number).unwrap_or(&"x"))
    };
    let mut staying = Vec::new();
    for number in 0..STAYING {
        place.make_identity(&name("stays-", number))?;
        staying.push(place.join(&name("stays-", number))?);
    }
    let mut visitors: Vec<(String, Option<Running>)> = Vec::new();
    for number in 0..VISITING {
        let nick = name("visits-", number);
        place.make_identity(&nick)?;
        visitors.push((nick, None));
    }
    thread::sleep(Duration::from_secs(3));
    let start = Instant::now();
    for minute in 0..minutes {
        report(minute, &relay, &staying, &place.lines)?;
        let end = start + MINUTE * u32::try_from(minute + 1)?;
        while Instant::now() < end {
            for client in &mut staying {
                client.say("a usual line of chat, as people write them");
            }
            for (nick, visitor) in &mut visitors {
                visit(&place, nick, visitor)?;
            }
            thread::sleep(STEP);
        }
    }
    visitors.clear();
    thread::sleep(Duration::from_secs(15));
    report(minutes, &relay, &staying, &place.lines)
}
