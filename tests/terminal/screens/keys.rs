//! Scenes of what keys, commands and the window's size do to the screen.

use super::stage::{DARK, HEARD, PLAIN, SMALL, play};

/// Keys, as the bytes that a terminal sends for them.
const UP: &str = "\x1b[A";
const DOWN: &str = "\x1b[B";
const TAB: &str = "\t";
const SHIFT_TAB: &str = "\x1b[Z";
const CTRL_L: &str = "\x0c";
const CTRL_R: &str = "\x12";
const CTRL_U: &str = "\x15";

#[test]
fn paste() {
    play("paste", &[PLAIN, SMALL], |stage| {
        let mut ada = stage.sits("ada");
        let bob = stage.joins("bob");
        ada.sees("/verify bob");
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
        ada.sees("/verify bob");
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
fn completion() {
    play("completion", &[PLAIN], |stage| {
        let mut ada = stage.sits("ada");
        let _bob = stage.joins("bob");
        let _carl = stage.joins("carl");
        ada.sees("carl joined");
        ada.type_text("/wh");
        ada.press(TAB);
        stage.picture("what the commands have in common", &ada);
        ada.press(TAB);
        ada.press(TAB);
        stage.picture("the second of them", &ada);
        ada.press(SHIFT_TAB);
        stage.picture("back to the first", &ada);
        ada.press(TAB);
        ada.type_text("b");
        ada.press(TAB);
        stage.picture("a nick behind a command", &ada);
        ada.press(CTRL_U);
        ada.type_text("/unig");
        ada.press(TAB);
        ada.press(TAB);
        ada.press(TAB);
        stage.picture("the only command, then the nicks one after the other", &ada);
        ada.press(CTRL_U);
        ada.type_text("CA");
        ada.press(TAB);
        ada.type_text("hello");
        stage.picture("a nick at the beginning, then text", &ada);
        ada.press(CTRL_U);
        ada.type_text("/nothing");
        ada.press(TAB);
        ada.type_text("!");
        stage.picture("where there is nothing to complete", &ada);
    });
}

#[test]
fn resize() {
    play("resize", &[PLAIN], |stage| {
        let mut ada = stage.sits("ada");
        let mut bob = stage.joins("bob");
        ada.sees("/verify bob");
        bob.say(&"wrapped at every width ".repeat(4));
        bob.say(&"日本語 re\u{301}sume\u{301} 🦀 ".repeat(5));
        ada.sees("🦀");
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
fn heard() {
    play("heard", &[HEARD], |stage| {
        let mut ada = stage.sits("ada");
        let mut bob = stage.joins("bob");
        ada.sees("/verify bob");
        ada.type_text("half a sent");
        bob.say(&"words for more than one row ".repeat(4));
        bob.say("and more");
        bob.wait_for_message("bob", "and more");
        stage.picture("what comes waits", &ada);
        ada.enter("ence");
        bob.wait_for_message("ada", "half a sentence");
        stage.picture("and is there with Enter", &ada);
        ada.enter("/help msg");
        ada.sees("| /msg NICK TEXT");
        ada.type_text("and on");
        stage.picture("a command, and another line", &ada);
    });
}

#[test]
fn clear() {
    play("clear", &[PLAIN], |stage| {
        let mut ada = stage.sits("ada");
        ada.enter("/clear");
        stage.picture("nothing is left", &ada);
        let _bob = stage.joins("bob");
        ada.sees("/verify bob");
        ada.press(CTRL_L);
        stage.picture("what came since, drawn again", &ada);
    });
}

#[test]
fn style() {
    play("style", &[DARK], |stage| {
        let mut ada = stage.sits("ada");
        let mut bob = stage.sits("bob");
        ada.sees("/verify bob");
        bob.enter("hello");
        bob.enter("/me waves");
        ada.sees("waves");
        ada.enter("/theme light");
        stage.picture("another theme", &ada);
        ada.enter("/timestamp off");
        stage.picture("no times", &ada);
    });
}

#[test]
fn former_words() {
    play("former_words", &[PLAIN, SMALL], |stage| {
        let mut ada = stage.sits("ada");
        let mut bob = stage.joins("bob");
        ada.sees("/verify bob");
        ada.enter("/me hums");
        ada.sees("* ada hums");
        bob.say("what was the name of that song, the one that they always played at the end?");
        ada.sees("the end?");
        ada.enter("/clear");
        ada.enter("/history 2");
        stage.picture("behind a cleared screen", &ada);
    });
}
