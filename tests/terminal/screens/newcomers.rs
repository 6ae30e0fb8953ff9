//! Scenes of the first minute in a room, and of being taken for somebody else.

use std::time::Instant;

use super::stage::{PLAIN, SMALL, Stage, play};
use crate::support::peer::{Member, made_up_key};
use crate::support::process::{DEADLINE, Home};

/// So many people are in the room, who do nothing. The relay lets an identity in eight times.
fn crowd(stage: &Stage, people: usize) -> Vec<Member> {
    let join = |number: usize| {
        let nick = format!("guest{number:02}");
        Member::join_with(stage.relay.address(), &nick, number / 8, &made_up_key())
    };
    (1..=people).map(join).collect()
}

#[test]
fn first_minute() {
    play("first_minute", &[PLAIN, SMALL], |stage| {
        let alone = stage.sits_as("zoe", &Home::new());
        stage.picture("alone", &alone);
        drop(alone);
    });
}

#[test]
fn among_three() {
    play("among_three", &[PLAIN, SMALL], |stage| {
        let _people = crowd(stage, 3);
        let zoe = stage.sits_as("zoe", &Home::new());
        stage.picture("with three, none of whom is known", &zoe);
    });
}

#[test]
fn among_many() {
    play("among_many", &[PLAIN, SMALL], |stage| {
        let mut people = crowd(stage, 31);
        let mut zoe = stage.sits_as("zoe", &Home::new());
        stage.picture("with 31", &zoe);
        let come = |nick: &str| Member::join_with(stage.relay.address(), nick, 5, &made_up_key());
        people.push(come("first"));
        zoe.sees("/quiet off");
        people.push(come("second"));
        // Nothing says that he has come.
        let since = Instant::now();
        while !zoe.contents().contains("| seen here for") {
            assert!(since.elapsed() < DEADLINE, "{}", zoe.contents());
            zoe.enter("/whois second");
            zoe.comes_to_rest();
        }
        zoe.enter("/quiet off");
        zoe.sees("is told");
        people.push(come("third"));
        zoe.sees("third joined");
        assert!(
            !zoe.transcript()
                .iter()
                .any(|row| row.contains("second joined"))
        );
        zoe.enter("/clear");
        zoe.wait_for("clear screen", |shown| !shown.contains("joined"));
        people.push(come("fourth"));
        zoe.sees("fourth joined");
        stage.picture("it is told again", &zoe);
    });
}

#[test]
fn an_identity_of_one_run_is_saved_where_the_next_run_finds_it() {
    play("keygen", &[PLAIN], |stage| {
        let home = Home::new();
        let mut zoe = stage.sits_as("zoe", &home);
        zoe.sees("you are zoe for this run; /keygen saves this identity");
        zoe.enter("/fingerprint");
        let shown = zoe.wait_for("fingerprint", |shown| {
            shown.contains("* you are zoe SHA256:")
        });
        let row = shown
            .lines()
            .find_map(|row| row.strip_prefix("* you are zoe SHA256:"));
        let fingerprint = row.expect("it has been seen").to_owned();
        zoe.enter("/clear");
        zoe.enter("/keygen");
        zoe.sees("this identity is saved in");
        zoe.enter("/clear");
        zoe.enter("/keygen");
        zoe.sees("? not saved: ");
        zoe.enter("/quit");
        assert!(zoe.wait_exit().success());
        let told = home.run(&["keygen", "--show"]);
        assert!(told.stdout.concat().contains(&fingerprint), "{told:#?}");
        let mut zoe = stage.sits_as("zoe", &home);
        zoe.enter("/keygen");
        stage.picture("the next time", &zoe);
        zoe.enter("/fingerprint");
        zoe.sees(&fingerprint);
    });
}

#[test]
fn taken_for_another() {
    play("taken_for_another", &[PLAIN, SMALL], |stage| {
        let mut ada = stage.joins("ada");
        let bob = stage.joins("bob");
        ada.wait_for_line("bob", |line| line.starts_with("* bob joined "));
        bob.leave();
        ada.wait_for_line("departure", |line| line == "* bob left");
        let mut carl = stage.sits_as("bob", stage.home("carl"));
        ada.wait_for_line("alarm", |line| line.starts_with("! THE IDENTITY OF bob"));
        carl.enter("/clear");
        carl.wait_for("clear screen", |shown| !shown.contains("you are"));
        ada.say("is it you?");
        carl.sees("HDEM4W5Gek");
        stage.picture("whoever is known as another", &carl);
    });
}
