//! A relay that listens on a socket in the file system, for what stands before it on the same machine.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _, symlink};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::thread;

use nix::errno::Errno;
use nix::sys::signal::Signal;

use crate::support::process::{Client, Home, Relay};
use crate::support::tool::reason;

/// Starts a relay that listens there too.
fn start(path: &Path, options: &[&str]) -> Relay {
    let place = format!("unix:{}", path.display());
    Relay::start(&[&["--bind", &place], options].concat())
}

/// Checks that no relay listens there, for this reason.
#[track_caller]
fn assert_refused(path: &Path, error: &str) {
    let place = format!("unix:{}", path.display());
    let refused = Home::new().run(&["serve", "--bind", &place]);
    refused.assert_failure(&format!("cannot listen on {place}: {error}"));
}

fn is_socket(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket())
}

/// What stands before the relay: it passes on everything between a port of its own and the socket.
fn stand_before(path: &Path) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let address = listener.local_addr().expect("a socket has an address");
    let path = path.to_owned();
    thread::spawn(move || {
        for client in listener.incoming() {
            let client = client.expect("a connection");
            let relay = TcpStream::from(OwnedFd::from(
                UnixStream::connect(&path).expect("the relay listens"),
            ));
            for (from, to) in [(&client, &relay), (&relay, &client)] {
                let [mut from, mut to] = [from, to].map(|it| it.try_clone().expect("a copy"));
                thread::spawn(move || {
                    // It fails where an end resets the connection.
                    let _ = io::copy(&mut from, &mut to);
                    let _ = to.shutdown(std::net::Shutdown::Write);
                });
            }
        }
    });
    address
}

#[test]
fn people_talk_over_it_and_limits_by_address_have_no_effect_there() {
    let home = Home::new();
    let path = home.file("relay.sock");
    let relay = start(
        &path,
        &["-v", "--max-per-address", "1", "--joins-per-minute", "1"],
    );
    let announced = format!("listening on unix:{}", path.display());
    relay.wait_for_line("socket", |line| line == announced);
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o660);
    let before = stand_before(&path);
    let [mut ada, bob] = ["ada", "bob"].map(|nick| Client::join(before, nick, &[]));
    ada.meets("bob");
    ada.say("hello bob");
    bob.wait_for_message("ada", "hello bob");
    // Over an address there is room for one, who meets them.
    let mut carol = Client::join(relay.address(), "carol", &[]);
    bob.meets("carol");
    carol.say("hello all");
    bob.wait_for_message("carol", "hello all");
    relay.wait_for_log("where ada is from", |line| {
        line.contains(" ada SHA256:") && line.ends_with("joined from the unix socket, connection 1")
    });
    for client in [ada, bob, carol] {
        assert_eq!(client.leave().code(), Some(0));
    }
    assert_eq!(relay.end(Signal::SIGTERM).code(), Some(0));
    assert!(!path.exists(), "it is removed at the end");
}

#[test]
fn a_socket_at_which_nobody_listens_gives_way_and_another_does_not() {
    let home = Home::new();
    let path = home.file("relay.sock");
    // As a relay leaves it that was killed.
    drop(UnixListener::bind(&path).unwrap());
    assert!(is_socket(&path));
    let relay = start(&path, &[]);
    let ada = Client::join(stand_before(&path), "ada", &[]);
    assert_refused(&path, "another program listens there");
    assert_eq!(ada.leave().code(), Some(0));
    let relay = {
        relay.end(Signal::SIGKILL);
        assert!(is_socket(&path));
        start(&path, &[])
    };
    assert_eq!(
        Client::join(stand_before(&path), "bob", &[]).leave().code(),
        Some(0)
    );
    drop(relay);
}

#[test]
fn what_is_no_place_for_a_socket_is_said_and_nothing_is_touched() {
    let home = Home::new();
    let file = home.file("file");
    fs::write(&file, "mine").unwrap();
    assert_refused(&file, "something else is there");
    assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
    let link = home.file("link");
    symlink(home.file("nowhere"), &link).unwrap();
    assert_refused(&link, "something else is there");
    assert_eq!(fs::read_link(&link).unwrap(), home.file("nowhere"));
    assert_refused(home.path(), "something else is there");
    assert_refused(&home.file("no/relay.sock"), "there is no such folder");
    assert_refused(&file.join("relay.sock"), &reason(Errno::ENOTDIR));
    assert_refused(
        &home.file(&"x".repeat(120)),
        "the path is too long for a socket",
    );
    let refused = home.run(&["serve", "--bind", "unix:"]);
    refused.assert_misused("a path is missing behind `unix:`");
    let refused = home.run(&["serve", "--bind", "unix:relay.sock", "--nick", "ada"]);
    refused.assert_failure(
        "whoever sits in a room of this relay comes over an IP address, and it has none",
    );
    assert!(!home.file("relay.sock").exists());
}

#[test]
fn a_file_that_is_gone_or_another_s_at_the_end_is_left_alone() {
    let home = Home::new();
    let path = home.file("relay.sock");
    let relay = start(&path, &[]);
    relay.wait_for_line("socket", |line| line.starts_with("listening on unix:"));
    fs::remove_file(&path).unwrap();
    assert_eq!(relay.end(Signal::SIGTERM).code(), Some(0));
    let relay = start(&path, &[]);
    relay.wait_for_line("socket", |line| line.starts_with("listening on unix:"));
    fs::remove_file(&path).unwrap();
    fs::write(&path, "mine").unwrap();
    assert_eq!(relay.end(Signal::SIGTERM).code(), Some(0));
    assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
}
