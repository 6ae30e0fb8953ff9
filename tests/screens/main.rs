//! What a person sees, as pictures of the screen: each test plays a scene in the real program, and
//! compares what is on the screen with the pictures in the file of its name beside this one.
//!
//! Where pictures have changed for the better, `E2ECHAT_ACCEPT=1 cargo test --test screens NAME`
//! writes what there is into the file, and `git diff` shows what that was.

#[path = "../support/mod.rs"]
mod support;

mod album;
mod picture;
mod stage;

use stage::{DARK, LIGHT, PLAIN, SMALL, play};

/// Keys, as the bytes that a terminal sends for them.
const UP: &str = "\x1b[A";
const DOWN: &str = "\x1b[B";
const CTRL_R: &str = "\x12";
const CTRL_U: &str = "\x15";

#[test]
fn entering() {
    play("entering", &[PLAIN, SMALL], |stage| {
        let ada = stage.sits("ada");
        stage.picture("alone", &ada);
        let _bob = stage.joins("bob");
        ada.sees("joined");
        let carl = stage.sits("carl");
        stage.picture("with others", &carl);
    });
}

#[test]
fn help() {
    play("help", &[PLAIN, SMALL], |stage| {
        let mut ada = stage.sits("ada");
        ada.enter("/help");
        stage.picture("all commands", &ada);
    });
}

#[test]
fn messages() {
    play("messages", &[PLAIN, SMALL, DARK, LIGHT], |stage| {
        let mut ada = stage.sits("ada");
        let mut bob = stage.joins("bob");
        ada.sees("joined");
        ada.enter("hello");
        bob.wait_for_message("ada", "hello");
        bob.say("hi ada, long time no see");
        ada.sees("see");
        bob.say(
            "I have been away, and in all those weeks there was no telephone, no letter and not one pigeon",
        );
        ada.sees("pigeon");
        ada.type_text("welcome ba");
        stage.picture("each way, and half a sentence", &ada);
    });
}

/// At 40 columns words and wide characters meet the right edge in every way.
#[test]
fn wrapping() {
    play("wrapping", &[SMALL], |stage| {
        let ada = stage.sits("ada");
        let mut bob = stage.joins("bob");
        ada.sees("joined");
        bob.say("日本語の文章は言葉の間に空白がないので、どこでも折り返すことができます。");
        bob.say("🦀🎉👍🏽 crabs 👩\u{200d}🚀 and re\u{301}sume\u{301}s");
        ada.sees("crabs");
        stage.picture("wide characters, and marks on others", &ada);
        bob.say(&"0123456789".repeat(30));
        stage.picture("a word of 300 characters", &ada);
    });
}

#[test]
fn paste() {
    play("paste", &[PLAIN, SMALL], |stage| {
        let mut ada = stage.sits("ada");
        let bob = stage.joins("bob");
        ada.sees("joined");
        ada.paste("shopping list:\n  - bread\n  - tea");
        stage.picture("not sent yet", &ada);
        ada.press("\r");
        bob.wait_for_message("ada", "shopping list: ⏎   - bread ⏎   - tea");
        stage.picture("one message", &ada);
    });
}

#[test]
fn history() {
    play("history", &[PLAIN], |stage| {
        let mut ada = stage.sits("ada");
        let bob = stage.joins("bob");
        ada.sees("joined");
        for line in ["tea or coffee", "coffee then", "and for you"] {
            ada.enter(line);
            bob.wait_for_message("ada", line);
        }
        ada.type_text("half");
        ada.press(UP);
        ada.press(UP);
        stage.picture("two lines up", &ada);
        ada.press(DOWN);
        ada.press(DOWN);
        stage.picture("down again to what was half typed", &ada);
        ada.press(CTRL_U);
        ada.type_text("tea");
        ada.press(CTRL_R);
        stage.picture("Ctrl-R behind `tea`", &ada);
        ada.press(CTRL_U);
        ada.type_text("off");
        ada.press(CTRL_R);
        stage.picture("Ctrl-R behind `off`", &ada);
        ada.press(CTRL_R);
        stage.picture("and Ctrl-R again", &ada);
        ada.press("\r");
        bob.wait_for_message("ada", "tea or coffee");
        stage.picture("it is sent as it is", &ada);
    });
}

#[test]
fn resize() {
    play("resize", &[PLAIN], |stage| {
        let mut ada = stage.sits("ada");
        let mut bob = stage.joins("bob");
        ada.sees("joined");
        bob.say(&"wrapped at every width ".repeat(5));
        ada.sees("width");
        ada.type_text(&"typed so much that it wraps too ".repeat(3));
        stage.picture("as it was", &ada);
        for (title, rows, columns) in [
            ("narrower", 24, 40),
            ("wider", 24, 100),
            ("smaller than the gutter", 24, 12),
            ("as before", 24, 80),
        ] {
            ada.resize(rows, columns);
            stage.picture(title, &ada);
        }
    });
}

#[test]
fn comings_and_goings() {
    play("comings_and_goings", &[PLAIN, SMALL], |stage| {
        let ada = stage.sits("ada");
        let bob = stage.joins("bob");
        ada.sees("bob");
        let _carl = stage.joins("carl");
        ada.sees("carl");
        bob.leave();
        ada.sees("left");
        let _bob = stage.joins("bob");
        stage.picture("one has left and come again", &ada);
    });
}

#[test]
fn warning() {
    play("warning", &[PLAIN, SMALL, DARK, LIGHT], |stage| {
        let mut ada = stage.sits("ada");
        ada.enter(
            "/mgs bob our secret, which is so long that it takes more than one row of the screen",
        );
        stage.picture("a command that does not exist", &ada);
    });
}
