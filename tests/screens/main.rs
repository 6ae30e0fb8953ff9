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

use nix::sys::signal::Signal;

use album::FOLDER;
use stage::{DARK, LIGHT, PLAIN, SMALL, SMALL_DARK, play};

/// Keys, as the bytes that a terminal sends for them.
const UP: &str = "\x1b[A";
const DOWN: &str = "\x1b[B";
const TAB: &str = "\t";
const SHIFT_TAB: &str = "\x1b[Z";
const CTRL_L: &str = "\x0c";
const CTRL_R: &str = "\x12";
const CTRL_U: &str = "\x15";

#[test]
fn entering() {
    play("entering", &[PLAIN, SMALL], |stage| {
        let ada = stage.sits("ada");
        stage.picture("alone", &ada);
        let _bob = stage.joins("bob");
        ada.sees("/verify bob");
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
    play(
        "messages",
        &[PLAIN, SMALL, DARK, LIGHT, SMALL_DARK],
        |stage| {
            let mut ada = stage.sits("ada");
            let mut bob = stage.joins("bob");
            ada.sees("/verify bob");
            ada.enter("hello");
            ada.sees("<ada> hello");
            bob.say("hi ada, long time no see");
            ada.sees("see");
            bob.say(
            "I have been away, and in all those weeks there was no telephone, no letter and not one pigeon",
        );
            ada.sees("pigeon");
            ada.type_text("welcome ba");
            stage.picture("each way, and half a sentence", &ada);
        },
    );
}

/// At 40 columns words and wide characters meet the right edge in every way.
#[test]
fn wrapping() {
    play("wrapping", &[SMALL], |stage| {
        let ada = stage.sits("ada");
        let mut bob = stage.joins("bob");
        ada.sees("/verify bob");
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
fn action() {
    play("action", &[PLAIN, DARK], |stage| {
        let mut ada = stage.sits("ada");
        let mut bob = stage.sits("bob");
        ada.sees("/verify bob");
        ada.enter("/me waves");
        ada.sees("* ada waves");
        bob.enter("/me bows, and says that this is the finest room that he has sat in since the one with the piano");
        stage.picture("each way", &ada);
    });
}

#[test]
fn direct() {
    play("direct", &[PLAIN, SMALL, DARK, LIGHT], |stage| {
        let mut ada = stage.sits("ada");
        let mut bob = stage.sits("bob");
        ada.sees("/verify bob");
        ada.enter("/msg bob for your eyes only");
        bob.sees("eyes");
        ada.sees("<ada → bob>");
        bob.enter("/reply and for yours: a letter that is longer than the row on which it begins, and so on");
        ada.sees("yours");
        ada.enter("/msg carl who is not here");
        stage.picture("the one who began", &ada);
        stage.picture("the other", &bob);
    });
}

#[test]
fn mention() {
    play(
        "mention",
        &[PLAIN, SMALL, DARK, LIGHT, SMALL_DARK],
        |stage| {
            let ada = stage.sits("ada");
            let mut bob = stage.sits("bob");
            ada.sees("/verify bob");
            bob.enter("one for everybody");
            bob.enter(
                "and one for you, Ada, which is long enough to go on in another row of the screen",
            );
            bob.enter("/me looks at ada");
            stage.picture("in what was said and done", &ada);
        },
    );
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
fn nick() {
    play("nick", &[PLAIN], |stage| {
        let mut ada = stage.sits("ada");
        let mut bob = stage.sits("bob");
        ada.sees("/verify bob");
        bob.enter("/nick robert");
        ada.sees("robert");
        bob.enter("it is still me");
        ada.sees("<robert>");
        ada.enter("/nick robert");
        stage.picture("the one who keeps hers", &ada);
        stage.picture("the one who changes his", &bob);
    });
}

#[test]
fn away() {
    play("away", &[PLAIN], |stage| {
        let mut ada = stage.sits("ada");
        let mut bob = stage.sits("bob");
        ada.sees("/verify bob");
        bob.enter("/away at lunch");
        ada.sees("lunch");
        ada.enter("/msg bob the tea is ready");
        bob.sees("tea");
        ada.sees("<ada → bob>");
        bob.enter("/back");
        stage.picture("away, written to, and back", &ada);
        stage.picture("the other", &bob);
    });
}

#[test]
fn ignore() {
    play("ignore", &[PLAIN], |stage| {
        let mut ada = stage.sits("ada");
        let mut bob = stage.joins("bob");
        ada.sees("/verify bob");
        ada.enter("/ignore bob");
        ada.sees("ignore");
        bob.say("blah blah");
        bob.wait_for_message("bob", "blah blah");
        ada.enter("/ignore");
        ada.enter("/unignore bob");
        ada.enter("hm");
        ada.sees("<ada> hm");
        bob.say("sorry");
        stage.picture("nothing in between", &ada);
    });
}

#[test]
fn whois() {
    play("whois", &[PLAIN, SMALL], |stage| {
        let mut ada = stage.sits("ada");
        let _bob = stage.joins("bob");
        ada.sees("/verify bob");
        ada.enter("/whois bob");
        ada.enter("/names");
        stage.picture("somebody new", &ada);
    });
}

#[test]
fn unsent() {
    play("unsent", &[PLAIN, DARK], |stage| {
        let mut ada = stage.sits("ada");
        let _bob = stage.joins("bob");
        ada.sees("/verify bob");
        stage.relay.signal(Signal::SIGSTOP);
        ada.enter("can anybody hear me?");
        ada.sees("unsent");
        stage.picture("the relay does not answer", &ada);
        stage.relay.signal(Signal::SIGCONT);
        ada.sees("has taken");
        stage.picture("it does again", &ada);
    });
}

#[test]
fn changed_identity() {
    play("changed_identity", &[PLAIN, SMALL, LIGHT], |stage| {
        let mut ada = stage.sits("ada");
        let bob = stage.joins("bob");
        ada.sees("/verify bob");
        bob.leave();
        ada.sees("left");
        let _carl = stage.joins_as("bob", "carl");
        ada.sees("!");
        ada.enter("is it you?");
        stage.picture("somebody under the nick of another", &ada);
    });
}

#[test]
fn verification() {
    play("verification", &[PLAIN, SMALL], |stage| {
        let mut ada = stage.sits("ada");
        let _bob = stage.joins("bob");
        ada.sees("/verify bob");
        ada.enter("/verify bob");
        stage.picture("what to compare", &ada);
        ada.enter("/verify bob 12345 12345 12345 12345 12345 12345");
        stage.picture("other digits", &ada);
        ada.enter("/code");
        stage.picture("the code of the room", &ada);
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

#[test]
fn relay_gone() {
    play("relay_gone", &[PLAIN, DARK], |stage| {
        let mut ada = stage.sits("ada");
        let _bob = stage.joins("bob");
        ada.sees("/verify bob");
        stage.relay.signal(Signal::SIGTERM);
        ada.sees("shutting down");
        ada.enter("is anybody there?");
        stage.picture("and something said to nobody", &ada);
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

#[test]
fn every_picture_is_looked_at() {
    for file in std::fs::read_dir(FOLDER).expect("the folder is there") {
        let path = file.expect("a file").path();
        let scene = path.file_stem().expect("a name").to_string_lossy();
        let is_played = include_str!("main.rs").contains(&format!("\"{scene}\","));
        let is_album = path.extension().is_some_and(|extension| extension == "txt");
        assert!(is_played || !is_album, "nobody plays {}", path.display());
    }
}
