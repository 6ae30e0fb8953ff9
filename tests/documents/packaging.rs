//! What the program is installed with: the service, and the image. What there is no tool for here
//! is compared with what the repository has.

use std::collections::BTreeSet;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::support::process::{Ended, Home, Relay, tested_program};
use crate::support::tool::{root, run};

/// What the service starts: systemd looks for it where programs are.
const STARTED: &str = "ExecStart=e2echat";

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
    let text = text.replace(STARTED, &format!("ExecStart={}", tested_program()));
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
    let mut arguments = unit.lines().filter_map(|line| line.strip_prefix(STARTED));
    let home = Home::new();
    let mut command = home.e2echat();
    command.args(arguments.next().unwrap().split_whitespace());
    command.args(["--bind", "127.0.0.1", "--port", "0"]);
    let relay = Relay::from_command(&mut command, home);
    assert_eq!(relay.end(Signal::SIGTERM).code(), Some(0));
}

/// The value of a setting of the service.
fn setting(unit: &str, name: &str) -> String {
    let begin = format!("{name}=");
    let mut values = unit.lines().filter_map(|line| line.strip_prefix(&begin));
    values
        .next()
        .unwrap_or_else(|| panic!("no {name}"))
        .to_owned()
}

#[test]
fn after_the_steps_of_the_guide_for_hosts_systemd_has_nothing_to_say() {
    let folder = TempDir::new().unwrap();
    let here = |path: &str| format!("{}{path}", folder.path().display());
    for folder in ["/usr/local/bin", "/etc/systemd/system"] {
        std::fs::create_dir_all(here(folder)).unwrap();
    }
    let hosting = read("docs/HOSTING.md");
    let (first_chapter, _) = hosting.split_once("## The firewall").unwrap();
    let rows = first_chapter.lines().map(str::trim);
    let steps: Vec<&str> = rows.filter(|row| row.starts_with("install ")).collect();
    assert!(!steps.is_empty());
    for step in steps {
        let step = step.replace(" /", &format!(" {}/", folder.path().display()));
        let step = step.replace("target/release/e2echat", tested_program());
        run("sh", &["-e", "-c", &step]).unwrap();
    }
    let unit = here("/etc/systemd/system/e2echat.service");
    let text = std::fs::read_to_string(&unit).unwrap();
    // systemd looks in the real folders alone.
    let program = format!("ExecStart={}", here("/usr/local/bin/e2echat"));
    std::fs::write(&unit, text.replace(STARTED, &program)).unwrap();
    if run("systemd-analyze", &["--version"]).is_none() || run("man", &["--version"]).is_none() {
        return;
    }
    let pages = format!("MANPATH={}", here("/usr/local/share/man"));
    let (_, complaints) = run("env", &[&pages, "systemd-analyze", "verify", &unit]).unwrap();
    assert_eq!(complaints, "");
}

#[test]
fn the_service_is_started_until_it_can_be_and_not_with_wrong_options() {
    let unit = read("packaging/e2echat.service");
    // An address of nobody: RFC 5737 §3.
    let too_early = Home::new().run(&["serve", "--bind", "192.0.2.1", "--port", "0"]);
    assert_eq!(too_early.code(), Some(1), "{too_early:#?}");
    assert_eq!(setting(&unit, "Restart"), "on-failure");
    assert_eq!(setting(&unit, "StartLimitIntervalSec"), "0");
    let wrong = Home::new().run(&["serve", "--prot", "4000"]);
    assert_eq!(wrong.code(), Some(2), "{wrong:#?}");
    assert_eq!(setting(&unit, "RestartPreventExitStatus"), "2");
}

#[test]
fn the_service_may_listen_on_the_socket_of_the_guide_for_hosts_and_its_group_may_connect() {
    let unit = read("packaging/e2echat.service");
    let families = setting(&unit, "RestrictAddressFamilies");
    assert!(families.split(' ').any(|it| it == "AF_UNIX"), "{families}");
    let folder = format!("/run/{}/", setting(&unit, "RuntimeDirectory"));
    let hosting = read("docs/HOSTING.md");
    let (_, socket) = hosting.split_once("unix:").unwrap();
    assert!(socket.starts_with(&folder), "{socket}");
    // As systemd makes it.
    let home = Home::new();
    let mode = u32::from_str_radix(&setting(&unit, "RuntimeDirectoryMode"), 8).unwrap();
    std::fs::set_permissions(home.path(), Permissions::from_mode(mode)).unwrap();
    let socket = home.file("relay.sock");
    let mut command = Command::new("sh");
    home.isolate(&mut command);
    command.args([
        "-c",
        &format!(
            "umask {}; exec {} serve --bind 127.0.0.1 --port 0 --bind unix:{}",
            setting(&unit, "UMask"),
            tested_program(),
            socket.display()
        ),
    ]);
    let relay = Relay::from_command(&mut command, home);
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&socket), 0o660);
    assert_eq!(mode(socket.parent().unwrap()), 0o750);
    assert_eq!(relay.end(Signal::SIGTERM).code(), Some(0));
    assert!(!socket.exists());
}

/// What the Dockerfile copies from the repository.
fn copied() -> BTreeSet<String> {
    copies()
        .iter()
        .flat_map(|paths| paths.split(' '))
        .map(str::to_owned)
        .collect()
}

/// The same, by lines.
fn copies() -> Vec<String> {
    let text = read("Dockerfile");
    let copies = text.lines().filter_map(|line| line.strip_prefix("COPY "));
    let ours = copies.filter(|line| !line.starts_with("--from="));
    ours.map(|line| line.rsplit_once(' ').unwrap().0.to_owned())
        .collect()
}

/// Does in a folder what the lines of the Dockerfile do. Cargo only looks whether it could build.
#[test]
fn what_the_image_is_made_of_is_enough_for_cargo() {
    const CARGO: &str = "cargo() {
        case $1 in
        build) \"$CARGO\" metadata --no-deps --locked --offline --format-version 1 > metadata ;;
        esac
    }";
    let text = read("Dockerfile");
    let (build, _) = text.split_once("\nFROM gcr").unwrap();
    let folder = TempDir::new().unwrap();
    let mut has_built = Vec::new();
    for line in build.lines() {
        if let Some(paths) = line.strip_prefix("COPY ") {
            let (paths, _) = paths.rsplit_once(' ').unwrap();
            for path in paths.split(' ') {
                std::os::unix::fs::symlink(root().join(path), folder.path().join(path)).unwrap();
            }
        } else if let Some(command) = line.strip_prefix("RUN ") {
            let ended = Ended::of(
                Command::new("bash")
                    .args(["-e", "-c", &format!("{CARGO}\n{command}")])
                    .env("CARGO", env!("CARGO"))
                    .current_dir(folder.path()),
            );
            assert_eq!(ended.code(), Some(0), "{command}: {ended:#?}");
            if command.contains("cargo build ") {
                has_built.push(folder.path().join("src/cmd").exists());
            }
        }
    }
    // Once with nothing of ours, so that the layer stays when our code changes, and once with it.
    assert_eq!(has_built, [false, true]);
    let metadata = std::fs::read_to_string(folder.path().join("metadata")).unwrap();
    assert!(metadata.contains("src/main.rs"), "{metadata}");
}

#[test]
fn the_dependencies_of_the_image_are_built_again_only_when_they_change() {
    let text = read("Dockerfile");
    let dependencies = text.find("RUN cargo build ").unwrap();
    let ours = text.find("COPY src ").unwrap();
    assert!(dependencies < ours);
    assert_eq!(copies(), ["Cargo.toml Cargo.lock", "src"]);
    // What stands there for our crate is not taken for it, whatever the times of the files say.
    assert!(text[ours..].contains("RUN touch src/lib.rs src/main.rs && cargo build "));
}

#[test]
fn the_image_is_alive_when_one_can_enter_and_dead_when_one_cannot() {
    let text = read("Dockerfile");
    let (_, check) = text.split_once("HEALTHCHECK ").unwrap();
    let (_, command) = check.split_once("CMD [").unwrap();
    let (command, _) = command.split_once(']').unwrap();
    let words: Vec<&str> = command
        .split(", ")
        .map(|word| word.trim_matches('"'))
        .collect();
    assert_eq!(words[0], "/usr/local/bin/e2echat");
    let check = |address: &str| {
        let arguments = words[1..].iter();
        let arguments = arguments.map(|word| if *word == "127.0.0.1" { address } else { word });
        Home::new().run(&arguments.collect::<Vec<_>>())
    };
    let relay = Relay::start(&[]);
    let address = relay.address().to_string();
    let alive = check(&address);
    assert_eq!(alive.code(), Some(0), "{alive:#?}");
    relay.end(Signal::SIGTERM);
    // Docker knows no other status.
    let dead = check(&address);
    assert_eq!(dead.code(), Some(1), "{dead:#?}");
}

/// What `pattern` means in the repository: itself, or what a `*` in its last part stands for.
fn expand(pattern: &str) -> Vec<String> {
    let Some((begin, end)) = pattern.split_once('*') else {
        return vec![pattern.to_owned()];
    };
    let (folder, begin) = begin.rsplit_once('/').unwrap();
    let end = end.trim_start_matches('*');
    let entries = std::fs::read_dir(root().join(folder)).unwrap();
    let files = entries
        .map(|entry| entry.unwrap())
        .filter(|it| it.path().is_file());
    let names = files.map(|file| file.file_name().into_string().unwrap());
    let names = names
        .filter(|name| name.starts_with(begin) && name.ends_with(end.trim_start_matches(".*")));
    names.map(|name| format!("{folder}/{name}")).collect()
}

#[test]
fn the_debian_package_has_what_is_listed_and_starts_nothing_unasked() {
    let manifest: toml::Table = read("Cargo.toml").parse().unwrap();
    let package = manifest["package"]["metadata"]["deb"].as_table().unwrap();
    let doc = "/usr/share/doc/e2echat";
    // cargo-deb finds the service by its name, and makes this of the licence.
    let mut files = BTreeSet::from([
        "/usr/lib/systemd/system/e2echat.service".to_owned(),
        format!("{doc}/copyright"),
    ]);
    assert_eq!(package["maintainer-scripts"].as_str(), Some("packaging"));
    for asset in package["assets"].as_array().unwrap() {
        let word = |index: usize| asset[index].as_str().unwrap();
        for source in expand(word(0)) {
            let is_program = source == "target/release/e2echat";
            assert!(is_program || root().join(&source).is_file(), "no {source}");
            let name = source.rsplit('/').next().unwrap();
            let is_folder = word(1).ends_with('/');
            let file = format!("/{}{}", word(1), if is_folder { name } else { "" });
            // It packs these, as Debian has them.
            let is_packed = file.starts_with("/usr/share/man/") || file.ends_with("/changelog");
            let is_new = files.insert(file + if is_packed { ".gz" } else { "" });
            assert!(is_new, "{source} is there twice");
            let is_run = is_program || source.starts_with("examples/scripts/");
            assert_eq!(word(2), if is_run { "755" } else { "644" }, "{source}");
        }
    }
    let listed = read("packaging/deb-files");
    let listed: BTreeSet<String> = listed.lines().map(str::to_owned).collect();
    assert_eq!(files, listed);
    for option in ["enable", "start"] {
        assert_eq!(package["systemd-units"][option].as_bool(), Some(false));
    }
    let licences = package["license-file"][0].as_str().unwrap();
    let mit = read("LICENSE-MIT");
    let copyright: String = read(licences)
        .replace("\n .\n", "\n\n")
        .replace("\n ", "\n");
    let (_, terms) = mit.split_once("\n\nPermission").unwrap();
    assert!(
        copyright.contains(terms.trim()),
        "the licence is another one"
    );
    assert!(copyright.contains("License: Expat or Apache-2.0"));
}

#[test]
fn the_image_is_given_what_it_is_made_of_and_nothing_else() {
    let text = read(".dockerignore");
    let given = text.lines().filter_map(|line| line.strip_prefix('!'));
    assert_eq!(given.map(str::to_owned).collect::<BTreeSet<_>>(), copied());
    assert!(text.lines().any(|line| line == "*"));
}
