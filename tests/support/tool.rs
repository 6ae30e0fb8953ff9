//! Programs that may or may not be installed, and judge files of ours.

use std::path::Path;
use std::process::{Command, Stdio};

use nix::errno::Errno;

use super::process::Home;

/// The repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The reason that this system's C library gives for an error, as the program shows it: another
/// library has other words for some.
pub fn reason(error: Errno) -> String {
    let said = std::io::Error::from(error).to_string();
    let words = said.split(" (os error").next().expect("a beginning");
    words.to_lowercase()
}

/// What a program says when it is run like this in the repository, where it must succeed: on
/// standard output and on standard error. Where it is not installed, that is said, and there is
/// None.
#[allow(clippy::print_stdout, reason = "a test that is skipped says so")]
#[track_caller]
pub fn run(program: &str, arguments: &[&str]) -> Option<(String, String)> {
    let home = Home::new();
    let mut command = Command::new(program);
    home.isolate(&mut command);
    command
        .args(arguments)
        .current_dir(root())
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::null());
    let Ok(output) = command.output() else {
        println!("skipped: there is no {program} on the PATH");
        return None;
    };
    let [stdout, stderr] =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {stdout}{stderr}"
    );
    Some((stdout, stderr))
}
