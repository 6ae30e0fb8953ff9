//! The program in a folder that is all it can see: no library, no zones, no settings. A program that has its C library in it
//! needs none of them; `.ci/run` tests it so.

use std::fs;
use std::process::Command;

use nix::sys::signal::Signal;

use crate::support::process::{Client, Ended, Home, Relay, tested_program};

/// The program, in a folder that it sees as the root.
fn alone(folder: &Home) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--root"]);
    command.arg(folder.path()).arg("/e2echat").env_clear();
    command
}

#[test]
#[ignore = "needs a program that has its C library in it"]
fn alone_in_a_folder_it_chats_finds_a_host_by_name_and_says_that_times_are_in_utc() {
    let folder = Home::new();
    fs::copy(tested_program(), folder.file("e2echat")).unwrap();
    let version = Ended::of(alone(&folder).arg("--version"));
    if version.code() != Some(0) {
        println!(
            "skipped: the program alone in a folder: {}",
            version.stderr.join(" ")
        );
        return;
    }
    // What a resolver reads first.
    fs::create_dir(folder.file("etc")).unwrap();
    fs::write(folder.file("etc/hosts"), "127.0.0.1 relay.example\n").unwrap();
    let mut serve = alone(&folder);
    serve.args(["serve", "--bind", "127.0.0.1", "--port", "0"]);
    let relay = Relay::from_command(&mut serve, Home::new());
    let place = format!("relay.example:{}", relay.address().port());
    let join = |nick| {
        let mut command = alone(&folder);
        command.args(["join", &place, "--nick", nick]);
        Client::from_command(&mut command, Home::new())
    };
    let ada = join("ada");
    ada.wait_for_line("nobody", |line| line == "* nobody else is here yet");
    let mut bob = join("bob");
    ada.meets("bob");
    bob.say("is there anything else?");
    ada.wait_for_message("bob", "is there anything else?");
    let zone = "* times are shown in UTC: this system does not say its time zone";
    ada.wait_for_line(zone, |line| line == zone);
    assert_eq!(bob.leave().code(), Some(0));
    assert_eq!(ada.leave().code(), Some(0));
    assert_eq!(relay.end(Signal::SIGTERM).code(), Some(0));
}
