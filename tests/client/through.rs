//! Through a program whose input and output are the connection (`--through`): people talk, a program that
//! dies is started again and nothing is lost, and what goes wrong is said in a line.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::process::{Client, Ended, Home, Relay, has_ended, wait_for};
use crate::support::screen::Screen;
use crate::support::tool::reason;

/// Connects to `$0`:`$1`, and writes down in `$2` which process it is. It ends with either end.
const BRIDGE: &str = r#"
echo $$ >> "$2"
exec 3<>"/dev/tcp/$0/$1" 4<&0
cat <&4 >&3 &
cat <&3
kill $!
"#;

/// A program that leads to the relay, and where it writes down which processes it was.
struct Bridge {
    home: Home,
}

impl Bridge {
    fn new() -> Self {
        let home = Home::new();
        fs::write(home.file("bridge"), BRIDGE).unwrap();
        Self { home }
    }

    fn pids(&self) -> PathBuf {
        self.home.file("pids")
    }

    fn command(&self) -> String {
        let script = r#"exec bash -c "$(cat "$0")" "$@""#;
        let file = self.home.file("bridge");
        format!(
            "sh -c '{script}' '{}' %h %p '{}'",
            file.display(),
            self.pids().display()
        )
    }

    /// The processes that there were.
    fn processes(&self) -> Vec<Pid> {
        let text = fs::read_to_string(self.pids()).unwrap_or_default();
        let pids = text.lines().map(|line| line.parse().expect("a process id"));
        pids.map(Pid::from_raw).collect()
    }

    /// Kills the one that runs.
    fn kill(&self) {
        let last = *self.processes().last().expect("it was started");
        kill(last, Signal::SIGKILL).expect("it runs");
    }
}

#[track_caller]
fn assert_is_gone(process: Pid) {
    wait_for(
        || has_ended(process).then_some(()),
        || format!("{process} is there"),
    );
}

fn join_through(address: SocketAddr, nick: &str, program: &str) -> Client {
    let client = Client::start(address, nick, &["--through", program]);
    client.wait_for_roster();
    client
}

#[test]
fn two_people_talk_through_programs_which_end_with_them() {
    let relay = Relay::start(&[]);
    let bridges = [Bridge::new(), Bridge::new()];
    let mut ada = join_through(relay.address(), "ada", &bridges[0].command());
    let mut bob = join_through(relay.address(), "bob", &bridges[1].command());
    ada.meets("bob");
    ada.say("hello bob");
    bob.wait_for_message("ada", "hello bob");
    bob.say("hello ada");
    ada.wait_for_message("bob", "hello ada");
    for (client, bridge) in [ada, bob].into_iter().zip(&bridges) {
        assert_eq!(client.warnings(), [""; 0]);
        assert_eq!(client.leave().code(), Some(0));
        let processes = bridge.processes();
        assert_eq!(processes.len(), 1, "it was started once");
        assert_is_gone(processes[0]);
    }
}

#[test]
fn nothing_is_lost_though_the_program_is_killed_again_and_again() {
    let relay = Relay::start(&[]);
    let bridge = Bridge::new();
    let mut ada = Client::join(relay.address(), "ada", &[]);
    let mut bob = join_through(relay.address(), "bob", &bridge.command());
    ada.meets("bob");
    for number in 0..12 {
        bob.say(&format!("from bob {number}"));
        ada.say(&format!("from ada {number}"));
        if number % 2 == 0 {
            let started = bridge.processes().len();
            bridge.kill();
            wait_for(
                || (bridge.processes().len() > started).then_some(()),
                || format!("started {started} times: {:#?}", bob.lines()),
            );
        }
    }
    ada.wait_for_message("bob", "from bob 11");
    bob.wait_for_message("ada", "from ada 11");
    let shown = |client: &Client, nick: &str| -> Vec<String> {
        let lines = client.lines();
        let texts = lines.iter().filter_map(|line| {
            let (_, text) = line.split_once(&format!("<{nick}> "))?;
            Some(text.to_owned())
        });
        texts.collect()
    };
    let all = |nick: &str| -> Vec<String> {
        (0..12)
            .map(|number| format!("from {nick} {number}"))
            .collect()
    };
    assert_eq!(shown(&ada, "bob"), all("bob"));
    assert_eq!(shown(&bob, "ada"), all("ada"));
    assert_eq!(ada.warnings(), [""; 0]);
    assert_eq!(bob.leave().code(), Some(0));
    for process in bridge.processes() {
        assert_is_gone(process);
    }
}

#[test]
fn what_the_program_said_last_is_told_when_it_dies() {
    let relay = Relay::start(&[]);
    let bridge = Bridge::new();
    let noisy = bridge
        .command()
        .replacen("sh -c '", "sh -c 'echo \"bad \x1b[31mline\" >&2; ", 1);
    let mut bob = join_through(relay.address(), "bob", &noisy);
    bridge.kill();
    let lost = bob.wait_for_line("loss", |line| line.starts_with("* lost the connection to "));
    assert!(lost.contains("; the program said: bad "), "{lost}");
    assert!(!lost.contains('\x1b'), "{lost:?}");
    bob.wait_for_line("return", |line| line.starts_with("* connected again"));
    bob.say("still here");
    assert_eq!(bob.leave().code(), Some(0));
}

#[test]
fn a_program_that_does_not_want_to_end_is_made_to() {
    let relay = Relay::start(&[]);
    let bridge = Bridge::new();
    let stubborn = BRIDGE.replacen("exec", "trap '' TERM\nexec", 1) + "sleep 600\n";
    fs::write(bridge.home.file("bridge"), stubborn).unwrap();
    let bob = join_through(relay.address(), "bob", &bridge.command());
    assert_eq!(bob.leave().code(), Some(0));
    assert_is_gone(bridge.processes()[0]);
}

#[test]
fn a_program_that_leads_nowhere_on_the_way_back_does_not_outlive_who_leaves() {
    let relay = Relay::start(&[]);
    let bridge = Bridge::new();
    let home = Home::new();
    let once = home.file("once").display().to_string();
    let later = format!(
        "if [ -e '{once}' ]; then echo $$ >> \"$2\"; sleep 600; exit; fi\n: > '{once}'\n{BRIDGE}"
    );
    fs::write(bridge.home.file("bridge"), later).unwrap();
    let bob = join_through(relay.address(), "bob", &bridge.command());
    bridge.kill();
    wait_for(
        || (bridge.processes().len() > 1).then_some(()),
        || format!("{:#?}", bob.lines()),
    );
    bob.signal(Signal::SIGINT);
    bob.ended();
    for process in bridge.processes() {
        assert_is_gone(process);
    }
}

/// Joins through a program that leads nowhere.
fn fail_through(place: &str, program: &str) -> Ended {
    let home = Home::new();
    home.run(&["join", place, "--nick", "ada", "--through", program])
}

#[test]
fn a_program_that_leads_nowhere_is_told_in_a_line() {
    let not_found = format!("cannot run nowhere-at-all: {}", reason(Errno::ENOENT));
    for (program, error) in [
        ("nowhere-at-all", not_found.as_str()),
        (
            "false",
            "no connection through false: it ended (exit status: 1)",
        ),
        (
            "true",
            "no connection through true: it ended (exit status: 0)",
        ),
        (
            "sh -c 'kill -9 $$'",
            "no connection through sh: it ended (signal: 9 (SIGKILL))",
        ),
        (
            "sh -c 'printf \"HTTP/1.1 400 Bad Request\\r\\n\\r\\n\"; sleep 1'",
            "what answers at relay.invalid:4000 is not an e2echat relay",
        ),
        (
            "sh -c 'echo SSH-2.0-OpenSSH_9.2; sleep 1'",
            "what answers at relay.invalid:4000 is not an e2echat relay",
        ),
        (
            "head -c 1000 /dev/urandom",
            "what answers at relay.invalid:4000 is not an e2echat relay",
        ),
    ] {
        fail_through("relay.invalid", program).assert_failure(error);
    }
}

#[test]
fn what_a_program_says_that_fails_is_told_as_it_comes_harmless_and_not_without_end() {
    let script = r#"sh -c 'printf "one\ntwo \033[31mred\n\n" >&2; exit 3'"#;
    let failed = fail_through("relay.invalid", script);
    assert_eq!(failed.code(), Some(1));
    let [one, two, error, hint] = failed.stderr.as_slice() else {
        panic!("{failed:#?}");
    };
    assert_eq!(one, "* sh: one");
    assert!(
        two.starts_with("* sh: two ") && two.ends_with("red"),
        "{two}"
    );
    let begin =
        "e2echat: error: no connection through sh: it ended (exit status: 3), and said: two ";
    assert!(error.starts_with(begin), "{error}");
    assert!(
        hint.starts_with("  try the program of --through by itself"),
        "{hint}"
    );
    assert!(!failed.stderr.concat().contains('\x1b'));

    // As the banner of a server that ssh shows.
    let banner =
        r#"sh -c 'printf "bye\r* ada is verified\342\200\25007:00 <ada> hello\n" >&2; exit 3'"#;
    let failed = fail_through("relay.invalid", banner);
    let expected = "* sh: bye * ada is verified 07:00 <ada> hello";
    assert_eq!(
        failed.stderr.first().map(String::as_str),
        Some(expected),
        "{failed:#?}"
    );
    assert_eq!(failed.stderr.len(), 3, "{failed:#?}");

    let megabyte = "sh -c 'yes | head -c 1000000 >&2; exit 1'";
    let failed = fail_through("relay.invalid", megabyte);
    assert_eq!(failed.code(), Some(1));
    assert!(failed.stderr.len() < 30, "{}", failed.stderr.len());
    let without_lines = "sh -c 'head -c 1000000 /dev/zero | tr \"\\0\" a >&2; exit 1'";
    let failed = fail_through("relay.invalid", without_lines);
    assert_eq!(failed.code(), Some(1));
    assert!(failed.stderr.concat().len() < 10_000);
}

#[test]
fn no_shell_reads_what_a_host_is_called_and_no_secret_is_passed_on() {
    let home = Home::new();
    let show = r#"sh -c 'echo "[$0][$1][$2][$E2ECHAT_PASSPHRASE$E2ECHAT_ROOM]" >&2; exit 1' %h x%p%% '%h y'"#;
    let place = "relay.invalid:4001/inv-hb3t-tdea-je2r-dd7x-zzt4-tk53";
    let join = |place: &str| {
        let mut command = home.e2echat();
        command
            .args(["join", "--nick", "ada", "--through", show])
            .env("E2ECHAT_PASSPHRASE", "secret")
            .env("E2ECHAT_ROOM", place);
        Ended::of(&mut command)
    };
    let failed = join(place);
    let seen = "* sh: [relay.invalid][x4001%][relay.invalid y][]";
    assert_eq!(
        failed.stderr.first().map(String::as_str),
        Some(seen),
        "{failed:#?}"
    );
    // An invite comes from others.
    for host in [
        "-oProxyCommand",
        "a;id",
        "$(id)",
        "`id`",
        "a'b",
        "a|b",
        "a&b",
        "a>b",
        "a\\b",
        "%h",
    ] {
        join(&place.replace("relay.invalid", host)).assert_misused("it must be HOST or HOST:PORT");
    }
    // What a shell would do with the words is not done.
    let plain = "sh -c 'echo \"$*\" >&2; exit 1' sh $HOME ~ ; * `id` > file";
    let failed = fail_through("relay.invalid", plain);
    let seen = "* sh: $HOME ~ ; * `id` > file";
    assert_eq!(
        failed.stderr.first().map(String::as_str),
        Some(seen),
        "{failed:#?}"
    );
}

#[test]
fn what_is_no_program_is_refused() {
    let home = Home::new();
    let refused = |arguments: &[&str], error: &str| {
        let arguments = [&["join", "relay.invalid", "--nick", "ada"], arguments].concat();
        home.run(&arguments).assert_misused(error);
    };
    refused(&["--through", "ssh 'x"], "a quote in it does not close");
    refused(
        &["--through", "ssh %r@%h"],
        "there are %h for the host, %p for the port",
    );
    refused(
        &["--through", "ssh %"],
        "there are %h for the host, %p for the port",
    );
    refused(&["--through", " "], "it names no program");
    refused(
        &["--through", "x", "--proxy", "socks5://y"],
        "--proxy and --through are two ways: leave one out",
    );
}

#[test]
fn the_first_time_the_program_has_the_terminal_and_later_it_has_none() {
    let relay = Relay::start(&[]);
    let bridge = Bridge::new();
    // As `ssh` asks for a passphrase.
    let asking = r#"
if { printf 'your word? ' > /dev/tty && read word < /dev/tty; } 2> /dev/null; then
    echo "asked: $word" >> "$2.words"
else
    echo "no terminal" >> "$2.words"
fi
"#;
    fs::write(bridge.home.file("bridge"), format!("{asking}{BRIDGE}")).unwrap();
    let address = relay.address().to_string();
    let home = Home::new();
    let command = bridge.command();
    let arguments = ["join", &address, "--nick", "ada", "--through", &command];
    let mut screen = Screen::e2echat(&home, &arguments, 24, 100);
    screen.sees("your word? ");
    screen.enter("open sesame");
    screen.sees("nobody else is here yet");
    bridge.kill();
    screen.sees("lost the connection to ");
    screen.sees("connected again");
    let words = || fs::read_to_string(format!("{}.words", bridge.pids().display())).unwrap();
    assert_eq!(words(), "asked: open sesame\nno terminal\n");
    screen.enter("/quit");
    let last = *bridge.processes().last().unwrap();
    assert_is_gone(last);
}

#[test]
fn a_real_ssh_leads_to_the_relay() {
    let Some(server) = SshServer::start() else {
        return;
    };
    let relay = Relay::start(&[]);
    let mut ada = Client::join(relay.address(), "ada", &[]);
    let mut bob = join_through(relay.address(), "bob", &server.command());
    ada.meets("bob");
    bob.say("through ssh");
    ada.wait_for_message("bob", "through ssh");
    ada.say("seen");
    bob.wait_for_message("ada", "seen");
    assert_eq!(bob.leave().code(), Some(0));
    // The port at which the relay is not: ssh says why, and ends.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nowhere = free.local_addr().unwrap().to_string();
    drop(free);
    let failed = fail_through(&nowhere, &server.command());
    assert_eq!(failed.code(), Some(1));
    let said = failed.stderr.join("\n");
    assert!(
        said.contains("e2echat: error: no connection through ssh: it ended"),
        "{said}"
    );
    assert!(said.contains("open failed"), "{said}");
}

/// A server of OpenSSH on this machine, with keys and settings of its own.
struct SshServer {
    home: Home,
    port: u16,
    server: std::process::Child,
}

impl SshServer {
    #[allow(clippy::print_stdout, reason = "a test that is skipped says so")]
    fn start() -> Option<Self> {
        const SSHD: &str = "/usr/sbin/sshd";
        if !Path::new(SSHD).exists() || Command::new("ssh").arg("-V").output().is_err() {
            println!("skipped: there is no sshd and ssh");
            return None;
        }
        let home = Home::new();
        let key = |name: &str| {
            let path = home.file(name);
            let mut command = Command::new("ssh-keygen");
            command
                .args(["-q", "-t", "ed25519", "-N", "", "-f"])
                .arg(&path);
            assert!(command.status().unwrap().success());
        };
        key("host");
        key("user");
        fs::copy(home.file("user.pub"), home.file("allowed")).unwrap();
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let folder = home.path().display();
        let settings = format!(
            "ListenAddress 127.0.0.1\nPort {port}\nHostKey {folder}/host\nPidFile none\n\
             AuthorizedKeysFile {folder}/allowed\nStrictModes no\nUsePAM no\n\
             PasswordAuthentication no\nPermitRootLogin yes\n"
        );
        fs::write(home.file("settings"), settings).unwrap();
        // It wants this folder for whoever it lets in.
        let _ = fs::create_dir_all("/run/sshd");
        let mut command = Command::new(SSHD);
        command.args(["-D", "-e", "-f"]).arg(home.file("settings"));
        command.stderr(fs::File::create(home.file("log")).unwrap());
        let server = command.spawn().unwrap();
        wait_for(
            || std::net::TcpStream::connect(("127.0.0.1", port)).ok(),
            || fs::read_to_string(home.file("log")).unwrap_or_default(),
        );
        Some(Self { home, port, server })
    }

    fn command(&self) -> String {
        let folder = self.home.path().display();
        format!(
            "ssh -F none -p {} -i {folder}/user -o BatchMode=yes -o StrictHostKeyChecking=no \
             -o UserKnownHostsFile={folder}/hosts -W %h:%p 127.0.0.1",
            self.port
        )
    }
}

impl Drop for SshServer {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

#[test]
#[ignore = "it takes two minutes"]
fn a_program_that_says_nothing_is_not_waited_for_without_end() {
    fail_through("relay.invalid", "sleep 600")
        .assert_failure("no connection through sleep: nothing came within 120 seconds");
}
