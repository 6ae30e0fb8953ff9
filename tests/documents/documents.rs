//! What README, guides and help say is so: their command lines run, their links lead somewhere, the
//! files, tests and options that they name exist, and the alarms that they explain are the program's.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use super::alarms;
use super::commands::{self, Command};
use super::haproxy::{self, Balancer};
use super::imports::Imports;
use super::markdown::Document;
use super::named;
use super::predicates;
use super::run::Runner;
use crate::support::process::{Home, Relay};

/// Fails with all that is wrong, and not with the first alone.
#[track_caller]
fn assert_nothing_wrong(wrong: &[String]) {
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

/// All documents of the repository.
fn all() -> Vec<Document> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = ["", "docs", "findings", "fuzz", "packaging"].map(|folder| root.join(folder));
    // A package has neither findings nor fuzz targets.
    let entries = folders
        .iter()
        .filter_map(|folder| fs::read_dir(folder).ok());
    let paths = entries.flatten().map(|entry| entry.unwrap().path());
    let documents = paths.filter(|path| path.extension().is_some_and(|it| it == "md"));
    let names = documents.map(|path| path.strip_prefix(root).unwrap().display().to_string());
    names.map(|name| Document::read(&name)).collect()
}

/// Runs every command line of a document that is ours, and checks that there is a reason for each that
/// is not run.
#[track_caller]
fn every_command_line_works(name: &str) {
    let document = Document::read(name);
    let lines = commands::lines(&document);
    assert!(!lines.is_empty(), "{name} has no command lines");
    run_all(name, &lines);
}

#[track_caller]
fn run_all(name: &str, lines: &[String]) {
    let runner = Runner::start();
    let wrong = lines.iter().filter_map(|line| {
        let result = match commands::parse(line) {
            // What waits in vain panics; the line is to be told then, too.
            Ok(Command::Ours(ours)) => catch_unwind(AssertUnwindSafe(|| runner.run(&ours)))
                .unwrap_or_else(|_| Err("it waited in vain".to_owned())),
            Ok(Command::Checked) => Ok(()),
            Err(error) => Err(error),
        };
        let error = result.err()?;
        Some(format!("{name}: {line}\n  {error}"))
    });
    assert_nothing_wrong(&wrong.collect::<Vec<_>>());
}

#[test]
fn the_command_lines_of_the_readme_work() {
    every_command_line_works("README.md");
}

#[test]
fn the_command_lines_of_the_guide_work() {
    every_command_line_works("docs/GUIDE.md");
}

#[test]
fn the_command_lines_of_the_guide_for_hosts_work() {
    every_command_line_works("docs/HOSTING.md");
}

#[test]
fn the_command_lines_of_the_packaging_work() {
    every_command_line_works("packaging/README.md");
}

#[test]
fn the_command_lines_of_the_architecture_work() {
    every_command_line_works("docs/ARCHITECTURE.md");
}

#[test]
fn the_command_lines_about_fuzzing_work() {
    // A package has no fuzz targets.
    if !Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").exists() {
        return;
    }
    every_command_line_works("fuzz/README.md");
}

#[test]
fn the_examples_in_the_help_work() {
    for arguments in [
        &["--help"][..],
        &["serve", "--help"],
        &["join", "--help"],
        &["keygen", "--help"],
        &["config", "--help"],
        &["rooms", "--help"],
        &["people", "--help"],
    ] {
        let help = Home::new().run(arguments).stdout;
        let examples: Vec<String> = help
            .iter()
            .filter_map(|line| line.strip_prefix("  "))
            .filter(|line| line.starts_with("e2echat ") || line.contains("| e2echat "))
            .map(commands::without_comment)
            .collect();
        assert!(examples.len() >= 3, "{help:#?}");
        run_all(&arguments.join(" "), &examples);
    }
}

#[test]
fn every_link_leads_to_a_file_and_a_heading_that_exist() {
    let wrong = all()
        .iter()
        .flat_map(named::broken_links)
        .collect::<Vec<_>>();
    assert_nothing_wrong(&wrong);
}

#[test]
fn every_file_that_is_named_exists() {
    let wrong = all()
        .iter()
        .flat_map(named::missing_files)
        .collect::<Vec<_>>();
    assert_nothing_wrong(&wrong);
}

#[test]
fn every_test_that_is_named_exists() {
    let wrong = all()
        .iter()
        .flat_map(named::missing_tests)
        .collect::<Vec<_>>();
    assert_nothing_wrong(&wrong);
}

#[test]
fn every_option_that_is_named_exists() {
    let options = named::Options::of_the_program();
    let wrong = all()
        .iter()
        .flat_map(|document| options.missing(document))
        .collect::<Vec<_>>();
    assert_nothing_wrong(&wrong);
}

#[test]
fn what_is_shown_as_said_by_the_program_is_what_it_says() {
    let wrong = all()
        .iter()
        .flat_map(alarms::never_said)
        .collect::<Vec<_>>();
    assert_nothing_wrong(&wrong);
}

#[test]
fn the_guide_explains_every_alarm() {
    assert_nothing_wrong(&alarms::unexplained(&Document::read("docs/GUIDE.md")));
}

#[test]
fn the_load_balancer_of_the_guide_keeps_each_room_in_one_place() {
    let relays = [(); 2].map(|()| Relay::start(&["-v"]));
    let addresses = [relays[0].address(), relays[1].address()];
    let Some(balancer) = Balancer::start(&Document::read("docs/HOSTING.md"), addresses) else {
        println!("skipped: there is no haproxy on the PATH");
        return;
    };
    assert_eq!(haproxy::relays_used(&balancer, &relays), 2);
}

#[test]
fn no_room_is_split_when_a_relay_behind_the_load_balancer_is_killed_and_started_anew() {
    let mut relays = vec![Relay::start(&["-v"]), Relay::start(&["-v"])];
    let addresses = [relays[0].address(), relays[1].address()];
    let Some(balancer) = Balancer::start(&Document::read("docs/HOSTING.md"), addresses) else {
        println!("skipped: there is no haproxy on the PATH");
        return;
    };
    haproxy::assert_no_room_is_split(&balancer, &mut relays, |address| {
        let (ip, port) = (address.ip().to_string(), address.port().to_string());
        Relay::start_with(&["--bind", &ip, "--port", &port, "-v"])
    });
}

#[test]
fn imports_lead_downward_and_not_in_circles() {
    let imports = Imports::of_the_program();
    assert_nothing_wrong(&imports.upward());
    assert_nothing_wrong(&imports.circular());
}

#[test]
fn predicates_change_nothing() {
    assert_nothing_wrong(&predicates::changing());
}
