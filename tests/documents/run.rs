//! Runs command lines of ours as they stand there, in a shell, in a new home each.
//!
//! Every relay that a line names is one on this machine, as a proxy says, or the program that leads there. What is changed in a line:
//! where it listens, which proxy it uses, where a list is, and `...` where an invite would be. The files
//! that it reads are there, and what it would ask for on a terminal is in its environment. Its input is
//! at its end, which ends a client; a relay is ended by a signal.

use std::fs::Permissions;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use nix::sys::signal::Signal;

use super::socks;
use crate::support::process::{Client, Home, Relay, tested_program};

/// What command lines need.
pub struct Runner {
    /// Has the program under its name.
    path: Home,
    proxy: SocketAddr,
    /// Without the relay before it.
    invite: String,
    _host: Client,
    _relay: Relay,
}

impl Runner {
    pub fn start() -> Self {
        let path = Home::new();
        let program = tested_program();
        std::os::unix::fs::symlink(program, path.file("e2echat")).unwrap();
        let relay = Relay::start(&[]);
        // What a line leads through: here, all lead to the relay.
        for program in ["openssl", "ssh"] {
            let (ip, port) = (relay.address().ip(), relay.address().port());
            let script = format!(
                "#!/bin/bash\nexec 3<>/dev/tcp/{ip}/{port} 4<&0\ncat <&4 >&3 &\ncat <&3\nkill $!\n"
            );
            std::fs::write(path.file(program), script).unwrap();
            std::fs::set_permissions(path.file(program), Permissions::from_mode(0o700)).unwrap();
        }
        let host = Client::join(relay.address(), "host", &["--new-room"]);
        let line = host.wait_for_line("invite", |line| line.contains("/inv-"));
        let invite = line.split(' ').find_map(|word| word.split_once("/inv-"));
        Self {
            path,
            proxy: socks::start(relay.address()),
            invite: format!("inv-{}", invite.unwrap().1),
            _host: host,
            _relay: relay,
        }
    }

    /// Runs a line, which has to succeed.
    pub fn run(&self, line: &str) -> Result<(), String> {
        let home = Home::new();
        let line = self.fit(line);
        let words: Vec<&str> = line.split_whitespace().collect();
        provide(&home, &words);
        let mut command = Command::new("sh");
        home.isolate(&mut command);
        let system = std::env::var("PATH").unwrap_or_default();
        command
            .args(["-c", &line])
            .env("PATH", format!("{}:{system}", self.path.path().display()))
            .env("E2ECHAT_PROXY", format!("socks5://{}", self.proxy))
            .env("E2ECHAT_PASSPHRASE", "of a test");
        if line.contains("e2echat serve ") && !line.contains("--help") {
            command.env_remove("E2ECHAT_PROXY");
            let ended = Relay::from_command(&mut command, home).end(Signal::SIGTERM);
            return match ended.code() {
                Some(0) => Ok(()),
                _ => Err(format!("{ended:#?}")),
            };
        }
        if line.contains("join --nick") {
            // It would ask on the terminal.
            let invite = format!("chat.example.org:4000/{}", self.invite);
            command.env("E2ECHAT_ROOM", invite);
        }
        let ended = Client::from_command(&mut command, home).leave();
        let is_well = ended.code() == Some(0);
        let is_client = line.contains("e2echat join ") && !line.contains("--help");
        let has_entered = || ended.stdout.iter().any(|line| line.contains("here"));
        if is_well && (!is_client || has_entered()) {
            Ok(())
        } else {
            Err(format!("{ended:#?}"))
        }
    }

    /// Lets a line be run here: on ports that are free, and with an invite that is one.
    fn fit(&self, line: &str) -> String {
        let line = line.replace("inv-...", &self.invite);
        let mut words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        if words.iter().any(|word| word == "serve") {
            for (option, value) in [("--port", "0"), ("--bind", "127.0.0.1")] {
                match value_of(&mut words, option) {
                    Some(given) => value.clone_into(given),
                    None => words.extend([option, value].map(str::to_owned)),
                }
            }
            // The shell is to be the relay, as a signal goes to it.
            words.insert(0, "exec".to_owned());
        }
        if let Some(proxy) = value_of(&mut words, "--proxy") {
            *proxy = format!("socks5://{}", self.proxy);
        }
        if let Some(list) = value_of(&mut words, "--allow") {
            // It is in the home, where the line is run.
            *list = list.trim_start_matches('/').to_owned();
        }
        words.join(" ")
    }
}

/// What stands behind an option.
fn value_of<'a>(words: &'a mut [String], option: &str) -> Option<&'a mut String> {
    let at = words.iter().position(|word| word == option)?;
    words.get_mut(at + 1)
}

/// Makes the files that a line reads.
fn provide(home: &Home, words: &[&str]) {
    if words.contains(&"--show") {
        assert_eq!(home.run(&["keygen"]).code(), Some(0));
    }
    let named = words
        .get(words.len().saturating_sub(2)..)
        .unwrap_or_default();
    if matches!(named, ["join" | "forget" | "config", "work"]) {
        let rooms = home.file("data/e2echat/rooms.toml");
        std::fs::create_dir_all(rooms.parent().unwrap()).unwrap();
        std::fs::write(
            &rooms,
            "[work]\nnick = \"ada\"\nrelay = \"chat.example.org\"\n",
        )
        .unwrap();
        std::fs::set_permissions(rooms, Permissions::from_mode(0o600)).unwrap();
    }
    for pair in words.windows(2) {
        let [option, file] = pair else { continue };
        let file = home.file(file.trim_start_matches("~/"));
        match *option {
            "--identity" | "--allow" => {
                std::fs::create_dir_all(file.parent().unwrap()).unwrap();
                let (_, fingerprint) = home.identity(file.to_str().unwrap());
                if *option == "--allow" {
                    std::fs::write(file, fingerprint + "\n").unwrap();
                }
            }
            _ => {}
        }
    }
}
