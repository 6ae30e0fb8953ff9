//! `join --log`: what is shown is written down, for its owner alone, and only where that was asked
//! for. And the relay's log, for which nobody waits.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::libc;
use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use crate::support::peer::{Member, Peer};
use crate::support::process::{Client, Home, Relay, tested_program, wait_for};
use crate::support::screen::{self, Screen};

/// The lines of a log without the time, which each must have.
fn lines(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let lines = text.lines().map(|line| {
        let (time, rest) = line.split_at(20);
        let shape: String = time
            .chars()
            .map(|c| if c.is_ascii_digit() { '0' } else { c })
            .collect();
        assert_eq!(shape, "0000-00-00 00:00:00 ", "{line}");
        rest.to_owned()
    });
    lines.collect()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// Waits until there is such a line in a log.
#[track_caller]
fn wait_for_logged(path: &Path, expected: &str) {
    wait_for(
        || lines(path).contains(&expected.to_owned()).then_some(()),
        || format!("no {expected} in {:#?}", lines(path)),
    );
}

#[test]
fn all_that_is_shown_is_appended_and_private() {
    let relay = Relay::start(&[]);
    let home = Home::new();
    let log = home.file("log");
    let options = ["--log", "log"];
    let mut ada = Client::join_from(&home, relay.address(), "ada", &options);
    assert_eq!(mode(&log), 0o600);
    let mut bob = Client::join(relay.address(), "bob", &[]);
    bob.say("* carl joined\t\u{1b}[2J");
    wait_for_logged(&log, "<bob> * carl joined    \u{fffd}[2J");
    ada.say("my own words");
    wait_for_logged(&log, "<ada> my own words");
    assert_eq!(ada.leave().code(), Some(0));
    let first = lines(&log);

    // Who comes again goes on, in the same file, and nobody else reads along any longer.
    fs::set_permissions(&log, Permissions::from_mode(0o644)).unwrap();
    let ada = Client::join_from(&home, relay.address(), "ada", &options);
    assert_eq!(mode(&log), 0o600);
    assert_eq!(ada.leave().code(), Some(0));
    let both = lines(&log);
    let (before, after) = both.split_at(first.len());
    assert_eq!(before, first);
    // The room comes first, and who one is.
    assert!(first[0].starts_with("* room lobby at "), "{first:#?}");
    let announced = |log: &[String]| log[3].clone();
    assert_eq!(announced(&first), announced(after));
    assert_eq!(
        announced(&first),
        "* all that is shown here is also written to log"
    );
}

#[test]
fn it_is_announced_on_the_screen_and_answers_are_written_too() {
    let relay = Relay::start(&[]);
    let home = Home::new();
    let log = home.file("my log");
    let path = log.display().to_string();
    let address = relay.address().to_string();
    let mut ada = Screen::join(
        &home,
        &address,
        "ada",
        &["--log", &path, "--color", "always"],
    );
    let announced = format!("* all that is shown here is also written to {path}");
    ada.wait_for_row("announcement", |row| row == announced);
    wait_for_logged(&log, &announced);
    ada.enter("/help whois");
    wait_for(
        || {
            let is_help = |line: &String| line.starts_with("| /whois NICK ");
            lines(&log).iter().any(is_help).then_some(())
        },
        || format!("no help in {:#?}", lines(&log)),
    );
    // What was typed, and what the terminal is told besides, is not.
    assert!(!lines(&log).iter().any(|line| line.contains("/help whois")));
    assert!(!fs::read_to_string(&log).unwrap().contains('\u{1b}'));
}

#[test]
fn with_json_it_is_the_same_in_words() {
    let relay = Relay::start(&[]);
    let home = Home::new();
    let options = ["--json", "--log", "log"];
    let mut bot = Client::start_command(
        home.e2echat().args(
            [
                &["join", &relay.address().to_string(), "--nick", "bot"],
                &options[..],
            ]
            .concat(),
        ),
    );
    bot.say(r#"{"type":"say","text":"two\nlines"}"#);
    wait_for_logged(&home.file("log"), "<bot> two ⏎ lines");
    bot.wait_for_line("announcement", |line| {
        line.contains("also written to log") && line.contains(r#""type":"notice""#)
    });
    assert_eq!(bot.leave().code(), Some(0));
}

#[test]
fn what_is_no_file_is_refused_before_anything_else() {
    let home = Home::new();
    mkfifo(&home.file("pipe"), Mode::S_IRWXU).unwrap();
    for (path, reason) in [
        (".", "it is not a file"),
        ("pipe", "it is not a file"),
        ("/dev/full", "it is not a file"),
        ("no/such/folder/log", "no such file or directory"),
    ] {
        // Nobody listens there, which is what it would say.
        let ended = home.run(&["join", "127.0.0.1:1", "--nick", "ada", "--log", path]);
        ended.assert_failure(&format!("cannot write to {path}: {reason}"));
        assert_eq!(ended.stdout, [""; 0]);
    }
}

/// A file that can grow no further stands for a full disk.
#[test]
fn a_full_disk_ends_the_log_and_nothing_else() {
    let relay = Relay::start(&[]);
    for options in [&[][..], &["--json"]] {
        let ada = Client::join(relay.address(), "ada", &[]);
        let home = Home::new();
        let mut shell = Command::new("sh");
        home.isolate(&mut shell);
        // 512 or 1024 bytes, as the shell counts.
        shell
            .args(["-c", r#"trap '' XFSZ; ulimit -f 1; exec "$0" "$@""#])
            .arg(tested_program())
            .args(["join", &relay.address().to_string(), "--nick", "bob"])
            .args(["--log", "log"])
            .args(options);
        let mut bob = Client::start_command(&mut shell);
        for number in 0..20 {
            let text = format!("{number} {}", "x".repeat(100));
            if options.is_empty() {
                bob.say(&text);
            } else {
                bob.say(&format!(r#"{{"type":"say","text":"{text}"}}"#));
            }
            ada.wait_for_message("bob", &text);
        }
        let ends = "cannot write to log, the log ends: file too large";
        bob.wait_for_line("end of the log", |line| line.contains(ends));
        let ended = bob.leave();
        ended.assert_failure("not everything was written down");
        let told = ended.stdout.iter().filter(|line| line.contains(ends));
        assert_eq!(told.count(), 1, "{ended:#?}");
        assert!(fs::metadata(home.file("log")).unwrap().len() <= 1024);
        assert_eq!(ada.leave().code(), Some(0));
    }
}

/// All files below a folder.
fn files(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let files = entries.flat_map(|path| {
        if path.is_dir() {
            files(&path)
        } else {
            vec![fs::read_to_string(path).unwrap()]
        }
    });
    files.collect()
}

#[test]
fn nothing_is_written_unless_it_is_asked_for() {
    let relay = Relay::start(&[]);
    let home = Home::new();
    let mut ada = Client::join_from(&home, relay.address(), "ada", &[]);
    let others = Home::new();
    let (identity, _) = others.identity("bob.pem");
    let mut bob = Client::join(relay.address(), "bob", &["--identity", &identity]);
    bob.say("between us");
    ada.wait_for_message("bob", "between us");
    ada.say("and mine");
    bob.wait_for_message("ada", "and mine");
    assert_eq!(ada.leave().code(), Some(0));
    let files = files(home.path());
    // The people whom she knows.
    assert_eq!(files.len(), 1, "{files:#?}");
    assert!(!files[0].contains("between us") && !files[0].contains("and mine"));
}

/// A relay that a shell starts, with its standard error as `redirected`, and that logs what it can.
fn relay_logging(home: &Home, before: &str, redirected: &str) -> Relay {
    let program = tested_program();
    let options = "--bind 127.0.0.1 --port 0 -vv --stats 1 --joins-per-minute 1000000";
    let script = format!("{before} exec '{program}' serve {options} {redirected}");
    let mut shell = Command::new("sh");
    home.isolate(&mut shell);
    Relay::from_command(shell.args(["-c", &script]), Home::new())
}

/// Has strangers and members come and go for so long, so that as much is logged as may be.
fn bustle(relay: SocketAddr, duration: Duration) {
    let start = Instant::now();
    while start.elapsed() < duration {
        let mut stranger = Peer::connect(relay);
        stranger.write(b"E2ECHAT\x7f");
        stranger.read_or_broken();
        let member = Member::join(relay, "guest", 0);
        drop(member);
        thread::yield_now();
    }
}

/// Checks that people come, chat and go as ever, none of them suspected of anything.
#[track_caller]
fn assert_life_goes_on(relay: SocketAddr) {
    let mut ada = Client::join(relay, "ada", &[]);
    let mut bob = Client::join(relay, "bob", &[]);
    ada.wait_for_line("bob", |line| line.starts_with("* bob joined "));
    ada.say("can you read me?");
    bob.wait_for_message("ada", "can you read me?");
    bob.say("loud and clear");
    ada.wait_for_message("bob", "loud and clear");
    assert_eq!(ada.leave().code(), Some(0));
    bob.wait_for_line("departure", |line| line == "* ada left");
    assert_eq!(bob.warnings(), [""; 0]);
    assert_eq!(bob.leave().code(), Some(0));
}

/// Checks that a relay ends as soon as it would otherwise.
#[track_caller]
fn assert_ends(relay: Relay) {
    let start = Instant::now();
    assert_eq!(relay.end(Signal::SIGTERM).code(), Some(0));
    assert!(start.elapsed() < Duration::from_secs(10));
}

/// A relay whose log goes into the smallest pipe, of which this is the other end.
fn relay_with_pipe() -> (Home, Relay, File) {
    let home = Home::new();
    mkfifo(&home.file("pipe"), Mode::S_IRWXU).unwrap();
    let mut options = OpenOptions::new();
    // Otherwise it waits for somebody who writes.
    options.read(true).custom_flags(libc::O_NONBLOCK);
    let pipe = options.open(home.file("pipe")).unwrap();
    let relay = relay_logging(&home, "", "2>pipe");
    fcntl(&pipe, FcntlArg::F_SETFL(OFlag::empty())).unwrap();
    #[cfg(target_os = "linux")]
    fcntl(&pipe, FcntlArg::F_SETPIPE_SZ(4096)).unwrap();
    (home, relay, pipe)
}

#[test]
fn a_log_that_nobody_reads_keeps_nobody_waiting_and_says_what_was_lost() {
    let (_home, relay, pipe) = relay_with_pipe();
    // Long enough for the pipe to be full, and then for more than the relay keeps: some 300 lines, of
    // which strangers and members can cause ten a second each, and fewer on a busy machine.
    bustle(relay.address(), Duration::from_secs(4));
    assert_life_goes_on(relay.address());
    bustle(relay.address(), Duration::from_secs(35));
    assert_life_goes_on(relay.address());
    let mut lines = BufReader::new(pipe).lines().map(Result::unwrap);
    let lost = lines.find(|line| line.ends_with(" lines of the log were lost, as nobody read it"));
    let lost = lost.unwrap();
    let (time, words) = lost.split_once(" … ").unwrap();
    assert!(time.starts_with("20") && time.ends_with('Z'), "{lost}");
    assert!(words.split_once(' ').unwrap().0.parse::<u64>().unwrap() > 0);
    // From there on it is complete again, and nothing is lost at the end: once members may cause lines
    // again, of which they have had their ten of this second.
    thread::sleep(Duration::from_secs(2));
    let ada = Client::join(relay.address(), "ada", &["--reconnect", "0"]);
    lines.find(|line| line.contains(" ada SHA256:") && line.contains(" joined from "));
    relay.signal(Signal::SIGTERM);
    lines.find(|line| line.contains(" ada SHA256:") && line.ends_with(" the relay ends"));
    assert_eq!(relay.ended().code(), Some(0));
    ada.ended();
}

#[test]
fn a_relay_ends_although_nobody_reads_its_log_or_somebody_has_stopped_to() {
    let (_home, relay, _pipe) = relay_with_pipe();
    bustle(relay.address(), Duration::from_secs(4));
    assert_ends(relay);
    // `serve -v 2>&1 | head -1` leaves a pipe without another end.
    let (_home, relay, pipe) = relay_with_pipe();
    drop(pipe);
    bustle(relay.address(), Duration::from_secs(2));
    assert_life_goes_on(relay.address());
    assert_ends(relay);
}

#[test]
fn a_full_disk_keeps_nobody_waiting_and_the_log_goes_on_when_there_is_room() {
    let home = Home::new();
    // 512 or 1024 bytes, as the shell counts.
    let relay = relay_logging(&home, "trap '' XFSZ; ulimit -f 1;", "2>>log");
    let log = home.file("log");
    bustle(relay.address(), Duration::from_secs(2));
    wait_for(
        || (fs::metadata(&log).unwrap().len() >= 512).then_some(()),
        || "the disk is never full".into(),
    );
    assert_life_goes_on(relay.address());
    for _ in 0..3 {
        let file = OpenOptions::new().write(true).open(&log).unwrap();
        file.set_len(0).unwrap();
        wait_for(
            || (fs::metadata(&log).unwrap().len() > 0).then_some(()),
            || "nothing more is logged".into(),
        );
    }
    assert_ends(relay);
    let relay = relay_logging(&home, "", "2>/dev/full");
    bustle(relay.address(), Duration::from_secs(1));
    assert_life_goes_on(relay.address());
    assert_ends(relay);
}

/// A relay in a terminal, once Enter is pressed, and where it will listen.
fn relay_in_terminal() -> (Screen, SocketAddr) {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let program = tested_program();
    let port = address.port();
    let serve = format!("exec '{program}' serve --bind 127.0.0.1 --port {port} -v --stats 1");
    let mut command = screen::command("sh");
    command.args(["-c", &format!("echo ready; read enter; {serve}")]);
    let screen = Screen::spawn(command, 40, 160);
    screen.sees("ready");
    (screen, address)
}

#[track_caller]
fn assert_listens(address: SocketAddr) {
    wait_for(
        || std::net::TcpStream::connect(address).ok(),
        || "it does not listen".into(),
    );
}

const CTRL_S: &str = "\x13";
const CTRL_Q: &str = "\x11";

#[test]
fn ctrl_s_in_its_terminal_stops_what_is_shown_and_nothing_else() {
    let (mut terminal, address) = relay_in_terminal();
    terminal.press("\r");
    terminal.sees("listening on ");
    terminal.press(CTRL_S);
    assert_life_goes_on(address);
    let before = terminal.raw();
    assert_life_goes_on(address);
    assert_eq!(terminal.raw(), before);
    terminal.press(CTRL_Q);
    terminal.wait_for("what has waited", |shown| {
        shown.matches(" left").count() >= 4
    });
    terminal.press(CTRL_S);
    assert_life_goes_on(address);
    terminal.signal(Signal::SIGTERM);
    assert!(terminal.wait_exit().success());
}

#[test]
fn a_relay_that_is_started_in_a_terminal_that_stands_still() {
    let (mut terminal, address) = relay_in_terminal();
    terminal.press(CTRL_S);
    terminal.press("\r");
    assert_listens(address);
    assert_life_goes_on(address);
    terminal.signal(Signal::SIGTERM);
    assert!(terminal.wait_exit().success());
}
