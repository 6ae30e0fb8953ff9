//! Runs other programs, which judge our files, if they are installed.

use std::path::Path;
use std::process::{Command, Stdio};

use nix::errno::Errno;

use super::process::Home;

/// The folder of the repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The reason for an error in the words of this system's C library, as the program shows it: other
/// libraries have other words for some.
pub fn reason(error: Errno) -> String {
    let said = std::io::Error::from(error).to_string();
    let words = said.split(" (os error").next().expect("a beginning");
    words.to_lowercase()
}

/// Runs a program in the repository, where it must succeed. Returns what it writes to standard output
/// and to standard error. Prints `skipped:` and returns `None` if the program is not installed.
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
