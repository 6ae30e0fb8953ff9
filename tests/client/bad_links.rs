//! Connections on which somebody on the way puts what no relay sends, or which break as soon as they
//! have led into the room.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::process::{Client, Relay};

/// A frame of a type that there is not.
const NO_FRAME: [u8; 5] = [0, 0, 0, 1, 0x7f];

/// How long somebody on the way lets a client be in the room.
const MOMENT: Duration = Duration::from_millis(300);

/// A wire to the relay: it gives out the client's end of each connection that is made over it.
pub(super) fn wire(relay: SocketAddr) -> (SocketAddr, Receiver<TcpStream>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let address = listener.local_addr().expect("a socket has an address");
    let (made, connections) = channel();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let relay = TcpStream::connect(relay).expect("the relay listens");
            pass_on(client.try_clone().unwrap(), relay.try_clone().unwrap());
            pass_on(relay, client.try_clone().unwrap());
            if made.send(client).is_err() {
                return;
            }
        }
    });
    (address, connections)
}

fn pass_on(mut from: TcpStream, mut to: TcpStream) {
    thread::spawn(move || {
        let mut bytes = [0; 4096];
        while let Ok(count @ 1..) = from.read(&mut bytes) {
            if to.write_all(&bytes[..count]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
    });
}

fn is_told_of_it(line: &str) -> bool {
    line.starts_with("! what came over the connection is nothing that a relay sends")
}

fn is_back(line: &str) -> bool {
    line.starts_with("* connected again; here: ")
}

#[test]
fn one_bad_frame_is_a_broken_connection_and_not_the_end() {
    let relay = Relay::start(&[]);
    let (address, connections) = wire(relay.address());
    let mut ada = Client::join(address, "ada", &[]);
    let mut connection = connections.recv().unwrap();
    let mut bob = Client::join(relay.address(), "bob", &[]);
    bob.say("hello");
    ada.wait_for_message("bob", "hello");
    connection.write_all(&NO_FRAME).unwrap();
    ada.wait_for_line("what came", is_told_of_it);
    ada.wait_for_line("the return", is_back);
    ada.say("here I am again");
    bob.wait_for_message("ada", "here I am again");
    bob.say("good");
    ada.wait_for_message("bob", "good");
    assert_eq!(ada.leave().code(), Some(0));
    assert_eq!(bob.warnings(), [""; 0]);
}

#[test]
fn bad_frames_over_one_connection_after_the_other_are_the_end() {
    let relay = Relay::start(&[]);
    let (address, connections) = wire(relay.address());
    let ada = Client::join(address, "ada", &[]);
    let mut made = 0;
    for mut connection in &connections {
        made += 1;
        thread::sleep(MOMENT);
        let _ = connection.write_all(&NO_FRAME);
        if made == 5 {
            break;
        }
    }
    let ended = ada.ended();
    ended.assert_failure(&format!(
        "{address} sent what an e2echat relay does not send"
    ));
    assert!(connections.try_recv().is_err(), "it went on");
}

#[test]
fn pauses_grow_although_each_attempt_succeeds_for_a_moment() {
    let relay = Relay::start(&[]);
    let (address, connections) = wire(relay.address());
    let _ada = Client::join(address, "ada", &[]);
    let first = connections.recv().unwrap();
    thread::sleep(MOMENT);
    let start = Instant::now();
    first.shutdown(Shutdown::Both).unwrap();
    for _ in 0..4 {
        let connection = connections.recv().unwrap();
        thread::sleep(MOMENT);
        let _ = connection.shutdown(Shutdown::Both);
    }
    // Each pause is at least a fifth of 1, 2, 4 and 8 seconds.
    let least = Duration::from_secs(1 + 2 + 4 + 8) / 5;
    assert!(start.elapsed() >= least, "{:?}", start.elapsed());
}
