//! The ways to a relay of docs/HOSTING.md that encrypt the connection: each is built from the document's own
//! lines, and two people talk on it.

use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use super::markdown::Document;
use crate::support::process::{Client, Home, Relay, wait_for};
use crate::support::tool::run;

/// What the document calls the relay, its socket, and where TLS listens.
const HOST: &str = "chat.example.org";
const SOCKET: &str = "/run/e2echat/relay.sock";
const TLS: &str = ":::4443";

fn hosting() -> Document {
    Document::read("docs/HOSTING.md")
}

/// The block of this language that has these words in it.
fn block(language: &str, words: &str) -> String {
    let document = hosting();
    let mut blocks = document.blocks.iter();
    let found = blocks.find(|it| it.language == language && it.lines.concat().contains(words));
    found.expect("the document has it").lines.join("\n") + "\n"
}

/// The program that the document gives `join` with these words in it.
fn program(words: &str) -> String {
    let document = hosting();
    let lines = document.blocks.iter().flat_map(|block| &block.lines);
    let mut programs = lines.filter_map(|line| line.split_once("--through '"));
    let found = programs.find(|(_, program)| program.starts_with(words));
    let (_, program) = found.expect("the document has it");
    program.trim_end_matches('\'').to_owned()
}

/// A port that is free now, and nobody else's a moment later.
fn free_port() -> u16 {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    free.local_addr().unwrap().port()
}

/// What stands before a relay. Dropping it ends it.
struct Before(Child);

impl Before {
    /// Starts it and waits until it listens. `None` if it is not installed.
    fn start(program: &str, arguments: &[&str], port: u16) -> Option<Self> {
        let mut command = Command::new(program);
        let child = command
            .args(arguments)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let Ok(child) = child else {
            println!("skipped: there is no {program} on the PATH");
            return None;
        };
        let before = Self(child);
        wait_for(
            || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok(),
            || format!("{program} does not listen"),
        );
        Some(before)
    }
}

impl Drop for Before {
    fn drop(&mut self) {
        // It fails where it has ended, which is as good.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A relay on a socket, and a certificate for what stands before it.
struct Scene {
    home: Home,
    relay: Relay,
    port: u16,
}

impl Scene {
    /// `None` if there is no OpenSSL.
    fn start() -> Option<Self> {
        let home = Home::new();
        let path = |name: &str| home.file(name).display().to_string();
        let (key, certificate) = (path("key.pem"), path("certificate.pem"));
        let make = format!(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
             -subj /CN={HOST} -addext subjectAltName=DNS:{HOST} -keyout {key} -out {certificate}"
        );
        run("openssl", &make.split(' ').collect::<Vec<_>>())?;
        let both = [&key, &certificate].map(|path| fs::read_to_string(path).unwrap());
        fs::write(home.file("both.pem"), both.concat()).unwrap();
        let relay = Relay::start(&["--bind", &format!("unix:{}", path("relay.sock"))]);
        Some(Self {
            home,
            relay,
            port: free_port(),
        })
    }

    /// Writes a file as the document has it, for this scene.
    fn write(&self, name: &str, text: &str) -> String {
        let path = |name: &str| self.home.file(name).display().to_string();
        for words in [SOCKET, TLS] {
            assert!(text.contains(words), "{words} in {text}");
        }
        let text = text
            .replace(SOCKET, &path("relay.sock"))
            .replace(&format!("{TLS} v4v6"), TLS)
            .replace(TLS, &format!("127.0.0.1:{}", self.port))
            .replace(&format!("/etc/haproxy/{HOST}.pem"), &path("both.pem"))
            .replace(&format!("/etc/stunnel/{HOST}.pem"), &path("both.pem"));
        let file = path(name);
        fs::write(&file, text).unwrap();
        file
    }

    /// Somebody comes over TLS, as the document says, and talks to somebody who comes straight. Who is shown another
    /// certificate does not come in.
    fn assert_is_a_way(&self) {
        let certificate = self.home.file("certificate.pem").display().to_string();
        let program = program("openssl s_client");
        let connect = format!("-connect 127.0.0.1:{}", self.port);
        let program = program.replace("-connect %h:%p", &connect);
        let trusting = format!("{program} -CAfile {certificate}");
        let mut ada = Client::join(self.relay.address(), "ada", &[]);
        let mut bob = Client::start_at(HOST, "bob", &["--through", &trusting]);
        bob.wait_for_roster();
        ada.meets("bob");
        bob.say("over TLS");
        ada.wait_for_message("bob", "over TLS");
        ada.say("seen");
        bob.wait_for_message("ada", "seen");
        assert_eq!(bob.leave().code(), Some(0));
        for (host, program) in [(HOST, &program), ("other.example", &trusting)] {
            let refused = Home::new().run(&["join", host, "--nick", "eve", "--through", program]);
            assert_eq!(refused.code(), Some(1), "{refused:#?}");
            let said = refused.stderr.join("\n");
            assert!(said.contains("no connection through openssl"), "{said}");
        }
    }
}

#[test]
fn tls_by_haproxy_before_the_socket() {
    let Some(scene) = Scene::start() else { return };
    let file = scene.write("haproxy.cfg", &block("haproxy", "frontend tls"));
    let Some(_before) = Before::start("haproxy", &["-db", "-f", &file], scene.port) else {
        return;
    };
    scene.assert_is_a_way();
}

#[test]
fn tls_by_stunnel_before_the_socket() {
    let Some(scene) = Scene::start() else { return };
    let text = format!("foreground = yes\npid =\n{}", block("stunnel", "[e2echat]"));
    let file = scene.write("stunnel.conf", &text);
    let Some(_before) = Before::start("stunnel", &[&file], scene.port) else {
        return;
    };
    scene.assert_is_a_way();
}

#[test]
fn tor_understands_what_makes_the_relay_an_onion_service() {
    let home = Home::new();
    let service = home.file("service").display().to_string();
    let text = block("torrc", "HiddenServiceDir");
    let text = text.replace("/var/lib/tor/e2echat/", &service);
    let data = home.file("data").display().to_string();
    let file = home.file("torrc");
    fs::write(&file, format!("DataDirectory {data}\n{text}")).unwrap();
    let Some((said, _)) = run("tor", &["--verify-config", "-f", file.to_str().unwrap()]) else {
        return;
    };
    assert!(said.contains("Configuration was valid"), "{said}");
    let mut warnings = said.lines().filter(|line| line.contains("[warn]"));
    assert_eq!(
        warnings.find(|line| !line.contains("as root")),
        None,
        "{said}"
    );
}

/// The way through ssh has its test at `--through` itself: here it is only seen to that the document has the same.
#[test]
fn the_way_through_ssh_is_the_one_that_is_tried() {
    assert_eq!(program("ssh"), "ssh -W localhost:%p %h");
}
