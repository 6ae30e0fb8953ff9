//! Relays that are not there, or are something else: the client says so in one line, and ends.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::thread;
use std::time::Duration;

use e2echat::room::chain::Link;
use e2echat::room::frame::{Challenge, Frame, PREAMBLE, RelayLimits, RunId};
use e2echat::room::notice::Notice;

use crate::support::peer::frame;
use crate::support::process::{Client, Ended, Home, Relay, tested_program};
use crate::support::screen::Screen;

/// Where a room begins.
const START: Link = Link {
    position: 0,
    digest: [0; 32],
};

/// A server that does something to its first client, and then waits until that hangs up.
fn server(serve: impl FnOnce(&mut TcpStream) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        serve(&mut stream);
        let mut rest = Vec::new();
        // It fails where the client resets the connection, which is as good.
        let _ = stream.read_to_end(&mut rest);
    });
    address
}

fn join(address: SocketAddr) -> Ended {
    let ended = Home::new().run(&["join", &address.to_string(), "--nick", "ada"]);
    assert_eq!(ended.stdout, [""; 0], "{ended:#?}");
    ended
}

/// What a relay of this protocol says first.
fn challenge() -> Vec<u8> {
    let challenge = Challenge {
        nonce: [1; 32],
        run: RunId([2; 16]),
    };
    let limits = RelayLimits {
        idle: 90,
        members: 200,
        ..RelayLimits::default()
    };
    Frame::challenge(&challenge, &limits).encode()
}

/// A server that writes these bytes once the client has said who it is, and nothing else.
fn scripted(bytes: Vec<u8>) -> SocketAddr {
    server(move |stream| {
        let mut preamble = [0; PREAMBLE];
        stream.read_exact(&mut preamble).unwrap();
        stream.write_all(&bytes).unwrap();
    })
}

#[track_caller]
fn assert_not_a_relay(bytes: Vec<u8>) {
    let address = scripted(bytes);
    join(address).assert_failure(&format!(
        "what answers at {address} is not an e2echat relay"
    ));
}

#[test]
fn a_relay_that_is_not_there() {
    // The port was free a moment ago.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    join(address).assert_failure(&format!("cannot connect to {address}: connection refused"));
}

#[test]
fn a_name_that_is_not_there() {
    let ended = Home::new().run(&["join", "nowhere.invalid", "--nick", "ada"]);
    assert_eq!(ended.code(), Some(1), "{ended:#?}");
    assert_eq!(ended.stderr.len(), 2, "{ended:#?}");
    let expected = "e2echat: error: cannot find the relay nowhere.invalid: ";
    assert!(ended.stderr[0].starts_with(expected), "{ended:#?}");
}

#[test]
fn an_http_server() {
    assert_not_a_relay(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n".to_vec());
}

#[test]
fn a_server_that_speaks_first() {
    let address = server(|stream| stream.write_all(b"SSH-2.0-OpenSSH_9.6\r\n").unwrap());
    join(address).assert_failure(&format!(
        "what answers at {address} is not an e2echat relay"
    ));
}

/// One test for all that keep a client waiting, so that they wait at the same time.
#[test]
fn ports_that_say_nothing_too_little_or_too_slowly_hold_the_client_for_10_seconds() {
    let silent = server(|_| ());
    let slow = server(|stream| {
        for byte in challenge() {
            if stream.write_all(&[byte]).is_err() {
                return;
            }
            thread::sleep(Duration::from_secs(1));
        }
    });
    let announced = Frame::welcome(&START, 199, 0).encode();
    let unfinished = scripted([challenge(), announced].concat());
    let no_answer = |address| format!("no answer from {address} within 10 seconds");
    let too_slow = |address| {
        format!("the line to {address} is too slow: of the 199 others in the room 0 came")
    };
    let cases = [
        (silent, no_answer(silent)),
        (slow, no_answer(slow)),
        (unfinished, too_slow(unfinished)),
    ];
    thread::scope(|scope| {
        for (address, error) in &cases {
            scope.spawn(|| join(*address).assert_failure(error));
        }
    });
}

/// How long a slow line takes for each piece of what leads into a room: twice that is more than a client
/// waits for one frame.
const SLOWNESS: Duration = Duration::from_secs(6);

#[test]
fn a_slow_line_leads_into_the_room_as_long_as_something_comes() {
    let relay = Relay::start(&[]);
    let mut ada = Client::join(relay.address(), "ada", &[]);
    let to = relay.address();
    let line = server(move |mut near| {
        let mut far = TcpStream::connect(to).expect("the relay is there");
        let (mut from, mut back) = (near.try_clone().unwrap(), far.try_clone().unwrap());
        thread::spawn(move || io::copy(&mut from, &mut back));
        // CHALLENGE comes at once, then WELCOME, then the cards.
        let mut frame = vec![0; challenge().len()];
        for pause in [Duration::ZERO, SLOWNESS, SLOWNESS] {
            far.read_exact(&mut frame).expect("the relay says so much");
            thread::sleep(pause);
            near.write_all(&frame).expect("the client reads it");
            frame = vec![0; Frame::welcome(&START, 1, 0).encode().len()];
        }
        let _ = io::copy(&mut far, &mut near);
    });
    let mut bob = Client::join(line, "bob", &[]);
    bob.say("what a line");
    ada.wait_for_message("bob", "what a line");
    ada.say("welcome");
    bob.wait_for_message("ada", "welcome");
}

#[test]
fn a_server_that_closes_at_once() {
    let address = server(|stream| stream.shutdown(Shutdown::Both).unwrap());
    let ended = join(address);
    assert_eq!(ended.code(), Some(1));
    assert_eq!(ended.stderr.len(), 2, "{ended:#?}");
}

#[test]
fn a_server_that_closes_after_the_first_bytes_and_within_a_frame() {
    for answer in [Vec::new(), challenge()[..20].to_vec()] {
        let address = server(move |stream| {
            let mut preamble = [0; PREAMBLE];
            stream.read_exact(&mut preamble).unwrap();
            stream.write_all(&answer).unwrap();
            stream.shutdown(Shutdown::Write).unwrap();
        });
        join(address).assert_failure(&format!("{address} hung up without a word"));
    }
}

#[test]
fn a_length_of_4_gib() {
    assert_not_a_relay(u32::MAX.to_be_bytes().to_vec());
}

#[test]
fn a_frame_type_that_nobody_knows() {
    assert_not_a_relay(frame(0x7f, b"hello"));
}

#[test]
fn a_welcome_before_the_challenge() {
    assert_not_a_relay(Frame::welcome(&START, 0, 0).encode());
}

#[test]
fn a_challenge_twice() {
    assert_not_a_relay([challenge(), challenge()].concat());
}

#[test]
fn a_challenge_with_a_byte_too_many() {
    let mut long = challenge().split_off(4);
    long.push(0);
    assert_not_a_relay(frame(long[0], &long[1..]));
}

#[test]
fn a_welcome_that_takes_up_what_never_was() {
    // PROTOCOL §6: position, chain, resumed, received, members, grace.
    let mut welcome = vec![0; 8 + 32 + 1 + 8 + 4 + 4];
    welcome[8 + 32] = 1;
    assert_not_a_relay([challenge(), frame(0x03, &welcome)].concat());
}

#[test]
fn a_relay_of_another_version() {
    let address = scripted(Frame::notice(Notice::Version.code()).encode());
    let expected = format!("the relay speaks another version of the protocol ({address})");
    join(address).assert_failure(&expected);
}

#[test]
fn a_notice_from_the_future() {
    let address = scripted(Frame::notice(99).encode());
    let expected = format!("{address} hung up for a reason that this version does not know (99)");
    join(address).assert_failure(&expected);
}

#[test]
fn a_terminal_says_after_a_second_what_the_program_connects_to() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let home = Home::new();
    let screen = Screen::e2echat(&home, &["join", &address, "--nick", "ada"], 24, 200);
    let connecting = format!("* connecting to {address} …");
    screen.wait_for_row(&connecting, |row| row == connecting);
    // To a pipe it is nothing.
    drop(listener);
    let ended = home.run(&["join", &address, "--nick", "ada"]);
    assert_eq!(ended.stdout, [""; 0], "{ended:#?}");
}

#[test]
fn what_answers_in_another_protocol_is_named() {
    for (answer, protocol) in [
        (&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], "HTTP"),
        (b"\x15\x03\x01\x00\x02\x02\x46", "TLS"),
        (b"\x15\x03\x03\x00\x02\x02\x0a", "TLS"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "SSH"),
    ] {
        let address = scripted(answer.to_vec());
        let ended = join(address);
        ended.assert_failure(&format!(
            "what answers at {address} is not an e2echat relay"
        ));
        let hint = format!("  it speaks {protocol}: check the host and the port");
        assert_eq!(ended.stderr[1], hint, "{ended:#?}");
    }
}

#[test]
fn what_speaks_another_protocol_at_the_relay_is_named_in_its_log() {
    let relay = Relay::start(&["-v"]);
    for (begin, named) in [
        (
            &b"PROXY TCP4 192.0.2.7 192.0.2.8 4000 4000\r\ne2echat"[..],
            "the PROXY protocol, and this relay does not: have the load balancer send no such header",
        ),
        (
            b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c",
            "the PROXY protocol, and this relay does not: have the load balancer send no such header",
        ),
        (
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
            "TLS, and this relay does not: put no TLS around it, as all is encrypted already",
        ),
        (
            b"GET / HTTP/1.1\r\nHost: chat\r\n\r\n",
            "HTTP, and this relay does not",
        ),
        (b"POST /", "HTTP, and this relay does not"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "SSH, and this relay does not"),
        (b"\x05\x01\x00", "SOCKS, and this relay does not"),
    ] {
        let mut stream = TcpStream::connect(relay.address()).unwrap();
        let from = stream.local_addr().unwrap();
        stream.write_all(begin).unwrap();
        // It fails where the relay was faster.
        let _ = stream.shutdown(Shutdown::Write);
        let expected = format!(" refused {from}: it speaks {named}");
        relay.wait_for_log(&expected, |line| line.ends_with(&expected));
    }
}

#[test]
fn a_host_with_ipv6_alone_shows_an_address_at_which_friends_reach_it() {
    let address = "ip link set lo up && ip -6 addr add fd00:7::7/64 dev lo";
    // Not each network has a way out.
    for network in [
        &format!("{address} && ip -6 route add default dev lo"),
        address,
    ] {
        let alone = |script: &str| {
            let mut command = Command::new("unshare");
            command.args(["-n", "sh", "-c", &format!("{network} && {script}")]);
            command
        };
        if !alone("true")
            .output()
            .is_ok_and(|ended| ended.status.success())
        {
            return println!("skipped: no network of its own can be made here, with IPv6 alone");
        }
        let home = Home::new();
        let mut command = alone("exec \"$PROGRAM\" serve --port 0");
        home.isolate(&mut command);
        let relay = Relay::from_command(command.env("PROGRAM", tested_program()), home);
        let port = relay.address().port();
        let directions = format!("friends join with: e2echat join [fd00:7::7]:{port} --nick NAME");
        relay.wait_for_line("directions", |line| line == directions);
    }
}
