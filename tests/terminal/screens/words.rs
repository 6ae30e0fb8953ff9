//! Scenes of what is said: to all, to one, to the program, and in vain.

use std::time::{Duration, SystemTime};

use nix::sys::signal::Signal;

use super::stage::{DARK, LIGHT, PLAIN, SMALL, SMALL_DARK, play};
use crate::support::peer::Member;

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

/// Bob has not seen what ada says, and some of his words are seven minutes old when they come.
#[test]
fn crossing() {
    play("crossing", &[PLAIN, SMALL], |stage| {
        let mut ada = stage.sits("ada");
        let mut bob = Member::join(stage.relay.address(), "bob", 0);
        ada.sees("/verify bob");
        // Bob's fingerprint is another one each time.
        ada.enter("/clear");
        ada.enter("shall we meet at seven?");
        ada.enter("or would eight be better?");
        ada.sees("<ada> or would eight");
        bob.say(0, SystemTime::now(), "yes");
        ada.sees("<bob> yes");
        let then = SystemTime::now() - Duration::from_secs(440);
        bob.say(1, then, "I am on my way");
        stage.picture("both", &ada);
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
