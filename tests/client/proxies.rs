//! Through a SOCKS5 proxy: two people talk, a connection that breaks is made again, and what goes
//! wrong is said in a line. The proxy is our own; Tor's would do the same.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::support::process::{Client, Ended, Home, Relay};

/// Nothing on this machine knows where that is: the domain is nobody's (RFC 2606).
const RELAY: &str = "relay.invalid:4000";

/// What a client asked a proxy for.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Asked {
    /// Its login, as `USER:PASSWORD`.
    login: Option<String>,
    /// `name`, `ipv4` or `ipv6`.
    kind: &'static str,
    host: String,
    port: u16,
}

/// A proxy that connects everybody to one relay, whatever they ask for.
struct Socks {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    clients: Arc<Mutex<Vec<TcpStream>>>,
}

impl Socks {
    fn start(relay: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let proxy = Self {
            address: listener.local_addr().unwrap(),
            asked: Arc::default(),
            clients: Arc::default(),
        };
        let (asked, clients) = (Arc::clone(&proxy.asked), Arc::clone(&proxy.clients));
        thread::spawn(move || {
            for mut client in listener.incoming().map(Result::unwrap) {
                asked.lock().unwrap().push(take_request(&mut client));
                clients.lock().unwrap().push(client.try_clone().unwrap());
                let server = TcpStream::connect(relay).unwrap();
                client
                    .write_all(&[5, 0, 0, 1, 127, 0, 0, 1, 0x0f, 0xa0])
                    .unwrap();
                pass_on(&client, &server);
                pass_on(&server, &client);
            }
        });
        proxy
    }

    fn url(&self) -> String {
        format!("socks5://{}", self.address)
    }

    /// Hangs up on everybody.
    fn cut(&self) {
        for client in self.clients.lock().unwrap().drain(..) {
            let _ = client.shutdown(Shutdown::Both);
        }
    }

    fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

fn read<const N: usize>(client: &mut TcpStream) -> [u8; N] {
    let mut bytes = [0; N];
    client.read_exact(&mut bytes).unwrap();
    bytes
}

fn read_text(client: &mut TcpStream) -> String {
    let [length] = read(client);
    let mut text = vec![0; length.into()];
    client.read_exact(&mut text).unwrap();
    String::from_utf8(text).unwrap()
}

/// Agrees with a client on how to talk, up to what it asks for (RFCs 1928 and 1929).
fn take_request(client: &mut TcpStream) -> Asked {
    let [version, 1, method] = read(client) else {
        panic!("not one method");
    };
    assert_eq!(version, 5);
    client.write_all(&[5, method]).unwrap();
    let login = (method == 2).then(|| {
        assert_eq!(read(client), [1]);
        let login = format!("{}:{}", read_text(client), read_text(client));
        client.write_all(&[1, 0]).unwrap();
        login
    });
    let [5, 1, 0, kind] = read(client) else {
        panic!("not a request to connect");
    };
    let (kind, host) = match kind {
        1 => ("ipv4", Ipv4Addr::from(read(client)).to_string()),
        3 => ("name", read_text(client)),
        4 => ("ipv6", Ipv6Addr::from(read(client)).to_string()),
        kind => panic!("an address of kind {kind}"),
    };
    Asked {
        login,
        kind,
        host,
        port: u16::from_be_bytes(read(client)),
    }
}

/// Passes bytes on, one way, until the stream ends.
fn pass_on(from: &TcpStream, to: &TcpStream) {
    let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
    thread::spawn(move || {
        // It fails where an end resets the connection.
        let _ = io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    });
}

#[test]
fn two_people_talk_through_a_proxy_that_looks_the_relay_up() {
    let relay = Relay::start(&[]);
    let proxy = Socks::start(relay.address());
    let mut ada = Client::start_at(RELAY, "ada", &["--proxy", &proxy.url()]);
    ada.wait_for_roster();
    let home = Home::new();
    let mut command = home.e2echat();
    let url = format!("socks5://bob:secret@{}", proxy.address);
    command
        .args(["join", RELAY, "--nick", "bob"])
        .env("E2ECHAT_PROXY", url);
    let mut bob = Client::from_command(&mut command, home);
    bob.wait_for_roster();
    ada.wait_for_line("bob", |line| line.starts_with("* bob joined "));
    ada.say("hello bob");
    bob.wait_for_message("ada", "hello bob");
    bob.say("hello ada");
    ada.wait_for_message("bob", "hello ada");
    let asked = |login: Option<&str>| Asked {
        login: login.map(str::to_owned),
        kind: "name",
        host: "relay.invalid".to_owned(),
        port: 4000,
    };
    assert_eq!(proxy.asked(), [asked(None), asked(Some("bob:secret"))]);
    for client in [ada, bob] {
        assert_eq!(client.warnings(), [""; 0]);
        assert_eq!(client.leave().code(), Some(0));
    }
}

#[test]
fn a_connection_that_breaks_is_made_again_through_the_proxy() {
    let relay = Relay::start(&[]);
    let proxy = Socks::start(relay.address());
    let ada = Client::join(relay.address(), "ada", &[]);
    let mut bob = Client::start_at(RELAY, "bob", &["--proxy", &proxy.url()]);
    bob.wait_for_roster();
    proxy.cut();
    bob.wait_for_line("loss", |line| line.starts_with("* lost the connection to "));
    bob.say("still here");
    ada.wait_for_message("bob", "still here");
    let hosts: Vec<String> = proxy.asked().into_iter().map(|asked| asked.host).collect();
    assert_eq!(hosts, ["relay.invalid", "relay.invalid"]);
    assert_eq!(ada.warnings(), [""; 0]);
    assert_eq!(bob.leave().code(), Some(0));
}

#[test]
fn a_relay_that_is_named_by_its_ip_address() {
    let relay = Relay::start(&[]);
    let proxy = Socks::start(relay.address());
    for (number, (address, kind, host)) in [
        ("192.0.2.7:5000", "ipv4", "192.0.2.7"),
        ("[2001:db8::7]:5000", "ipv6", "2001:db8::7"),
    ]
    .into_iter()
    .enumerate()
    {
        let ada = Client::start_at(address, "ada", &["--proxy", &proxy.url()]);
        ada.wait_for_roster();
        assert_eq!(ada.leave().code(), Some(0));
        let asked = proxy.asked();
        assert_eq!((asked[number].kind, &*asked[number].host), (kind, host));
    }
}

/// A proxy that reads so many bytes, answers, and so on to the end, when it hangs up.
fn scripted(script: &[(usize, &[u8])]) -> SocketAddr {
    let script: Vec<(usize, Vec<u8>)> = script
        .iter()
        .map(|(length, answer)| (*length, answer.to_vec()))
        .collect();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        for (length, answer) in script {
            client.read_exact(&mut vec![0; length]).unwrap();
            client.write_all(&answer).unwrap();
        }
    });
    address
}

fn join(relay: &str, proxy: &str) -> Ended {
    let ended = Home::new().run(&["join", relay, "--nick", "ada", "--proxy", proxy]);
    assert_eq!(ended.stdout, [""; 0], "{ended:#?}");
    ended
}

/// Checks that this is said of a proxy that answers like this, where `PROXY` is its address.
#[track_caller]
fn assert_refused(login: &str, script: &[(usize, &[u8])], error: &str) {
    let address = scripted(script);
    let ended = join(RELAY, &format!("socks5://{login}{address}"));
    ended.assert_failure(&error.replace("PROXY", &address.to_string()));
}

const HELLO: usize = 3;
/// A login as ada, with the password `secret`.
const LOGIN: usize = 12;
/// To connect to [`RELAY`].
const REQUEST: usize = 20;

#[test]
fn a_proxy_that_is_not_there() {
    // The port was free a moment ago.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    join(RELAY, &format!("socks5://{address}")).assert_failure(&format!(
        "cannot connect to the proxy {address}: connection refused"
    ));
    let ended = join(RELAY, "socks5://nowhere.invalid:9050");
    let expected = "e2echat: error: cannot find the proxy nowhere.invalid: ";
    assert!(ended.stderr[0].starts_with(expected), "{ended:#?}");
    assert_eq!(
        (ended.code(), ended.stderr.len()),
        (Some(1), 2),
        "{ended:#?}"
    );
}

#[test]
fn a_proxy_of_another_kind() {
    let http: &[(usize, &[u8])] = &[(HELLO, b"HTTP/1.1 400 Bad Request\r\n\r\n")];
    assert_refused("", http, "what answers at PROXY is not a SOCKS5 proxy");
}

#[test]
fn a_proxy_that_hangs_up() {
    assert_refused("", &[(HELLO, b"")], "the proxy PROXY hung up");
    // Behind its greeting it is the relay that cannot be reached.
    let unreached =
        format!("the proxy PROXY cannot connect to {RELAY}: it hung up without an answer");
    assert_refused("", &[(HELLO, &[5, 0]), (REQUEST, b"")], &unreached);
    let login: &[(usize, &[u8])] = &[(HELLO, &[5, 2]), (LOGIN, &[1, 0]), (REQUEST, b"")];
    assert_refused("ada:secret@", login, &unreached);
    let halfway: &[(usize, &[u8])] = &[(HELLO, &[5, 0]), (REQUEST, &[5, 0, 0])];
    assert_refused("", halfway, "the proxy PROXY hung up");
}

#[test]
fn a_proxy_and_its_logins() {
    let refuses: &[(usize, &[u8])] = &[(HELLO, &[5, 0xff])];
    let wants = "the proxy PROXY wants a user name and a password";
    assert_refused("", refuses, wants);
    let takes_none = "the proxy PROXY takes no user name and password";
    assert_refused("ada:secret@", refuses, takes_none);
    let rejects: &[(usize, &[u8])] = &[(HELLO, &[5, 2]), (LOGIN, &[1, 1])];
    let wrong = "the proxy PROXY does not accept this user name and password";
    assert_refused("ada:secret@", rejects, wrong);
}

#[test]
fn a_proxy_that_cannot_get_to_the_relay() {
    for (code, why) in [
        (1, "it failed (code 1)"),
        (2, "its rules forbid it"),
        (3, "network unreachable"),
        (4, "host unreachable"),
        (5, "connection refused"),
        (6, "it takes too long"),
        (7, "it failed (code 7)"),
        (8, "it does not know this kind of address"),
        (255, "it failed (code 255)"),
    ] {
        let answer = [5, code, 0, 1, 0, 0, 0, 0, 0, 0];
        let script: &[(usize, &[u8])] = &[(HELLO, &[5, 0]), (REQUEST, &answer)];
        let error = format!("the proxy PROXY cannot connect to {RELAY}: {why}");
        assert_refused("", script, &error);
    }
}

#[test]
fn a_proxy_that_leads_elsewhere() {
    let elsewhere: &[(usize, &[u8])] = &[
        (HELLO, &[5, 0]),
        (REQUEST, &[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]),
        (40, b"SSH-2.0-OpenSSH_9.6\r\n"),
    ];
    let error = format!("what answers at {RELAY} is not an e2echat relay");
    assert_refused("", elsewhere, &error);
}

#[test]
fn a_name_of_tors_is_not_looked_up() {
    let ended = Home::new().run(&["join", "Example.onion", "--nick", "ada"]);
    ended.assert_failure("example.onion can be reached through Tor alone");
    assert!(ended.stderr[1].contains("--proxy socks5://"), "{ended:#?}");
}

#[test]
fn a_password_in_a_proxy_that_is_written_wrongly_is_not_shown() {
    let home = Home::new();
    for proxy in [
        "ada:secret@proxy:9050",
        "http://ada:secret@proxy:9050",
        "socks5://ada:secret@proxy:port",
        "socks5://ada:secret/@proxy:9050/",
    ] {
        let mut by_option = home.e2echat();
        by_option.args(["join", RELAY, "--nick", "ada", "--proxy", proxy]);
        let mut by_environment = home.e2echat();
        by_environment
            .args(["join", RELAY, "--nick", "ada"])
            .env("E2ECHAT_PROXY", proxy);
        for (mut command, name) in [(by_option, "--proxy"), (by_environment, "E2ECHAT_PROXY")] {
            let ended = Client::start_command(&mut command).ended();
            ended.assert_misused(name);
            assert!(!format!("{ended:?}").contains("secret"), "{ended:#?}");
        }
    }
}

#[test]
fn a_proxy_is_never_left_out_because_it_is_written_wrongly() {
    let home = Home::new();
    // An empty variable counts as unset.
    for proxy in [" ", "127.0.0.1:9050", "http://127.0.0.1:8080"] {
        let mut command = home.e2echat();
        command
            .args(["join", RELAY, "--nick", "ada"])
            .env("E2ECHAT_PROXY", proxy);
        Client::start_command(&mut command)
            .ended()
            .assert_misused("E2ECHAT_PROXY");
    }
    for proxy in ["", "127.0.0.1:9050"] {
        let ended = home.run(&["join", RELAY, "--nick", "ada", "--proxy", proxy]);
        ended.assert_misused("--proxy");
    }
}
