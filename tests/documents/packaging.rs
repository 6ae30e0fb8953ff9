//! What the program is installed with: the service, and the image. What there is no tool for here
//! is compared with what the repository has.

use std::collections::BTreeSet;
use std::process::Command;

use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::support::process::{Home, Relay, tested_program};
use crate::support::tool::{root, run};

const INSTALLED: &str = "/usr/local/bin/e2echat";

/// The most exposure of 100 that `systemd-analyze security` may find.
const EXPOSURE: u32 = 15;

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}

#[test]
fn systemd_understands_the_service_and_finds_it_well_shut_in() {
    let folder = TempDir::new().unwrap();
    let unit = folder.path().join("e2echat.service");
    let text = read("packaging/e2echat.service");
    // It is not installed here.
    let text = text.replace(INSTALLED, tested_program());
    std::fs::write(&unit, text).unwrap();
    let unit = unit.to_str().unwrap();
    let threshold = format!("--threshold={EXPOSURE}");
    let judge = |arguments: &[&str]| {
        let (_, complaints) = run("systemd-analyze", arguments).unwrap();
        assert_eq!(complaints, "", "{arguments:?}");
    };
    let Some((help, _)) = run("systemd-analyze", &["--help"]) else {
        return;
    };
    judge(&["verify", "--man=no", unit]);
    if help.contains("--offline") {
        judge(&["security", "--offline=true", &threshold, unit]);
    } else {
        println!("skipped: this systemd-analyze judges only what is installed");
    }
}

#[test]
fn what_the_service_starts_is_a_relay_that_ends_well_when_it_is_stopped() {
    let unit = read("packaging/e2echat.service");
    let begin = format!("ExecStart={INSTALLED}");
    let mut arguments = unit.lines().filter_map(|line| line.strip_prefix(&begin));
    let home = Home::new();
    let mut command = home.e2echat();
    command.args(arguments.next().unwrap().split_whitespace());
    command.args(["--bind", "127.0.0.1", "--port", "0"]);
    let relay = Relay::from_command(&mut command, home);
    assert_eq!(relay.end(Signal::SIGTERM).code(), Some(0));
}

/// What the Dockerfile copies from the repository.
fn copied() -> BTreeSet<String> {
    let text = read("Dockerfile");
    let copies = text.lines().filter_map(|line| line.strip_prefix("COPY "));
    let ours = copies.filter(|line| !line.starts_with("--from="));
    ours.flat_map(|line| {
        let mut paths: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        paths.pop();
        paths
    })
    .collect()
}

#[test]
fn what_the_image_is_made_of_is_enough_for_cargo() {
    let folder = TempDir::new().unwrap();
    for path in copied() {
        std::os::unix::fs::symlink(root().join(&path), folder.path().join(&path)).unwrap();
    }
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--locked", "--offline"])
        .args(["--format-version", "1"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaints}");
}

#[test]
fn the_image_is_given_what_it_is_made_of_and_nothing_else() {
    let text = read(".dockerignore");
    let given = text.lines().filter_map(|line| line.strip_prefix('!'));
    assert_eq!(given.map(str::to_owned).collect::<BTreeSet<_>>(), copied());
    assert!(text.lines().any(|line| line == "*"));
}
