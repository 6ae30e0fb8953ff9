//! Scenes of who is there, and of what is known of them.

use super::stage::{LIGHT, PLAIN, SMALL, play};

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
        let mut carl = stage.joins("carl");
        ada.sees("carl joined");
        ada.enter("/ignore bob");
        ada.sees("from now on");
        bob.say("blah blah");
        carl.wait_for_message("bob", "blah blah");
        // Messages are shown in their order: so bob's has come to ada, too.
        carl.say("what?");
        ada.sees("<carl> what?");
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

/// What ada knows: bob is verified in the lobby of another relay, and so is another carl than the one who comes.
const FROM_ELSEWHERE: &str = "\
1794787200 seen chat.example.org:4000 7HzBM8PMZ2BvqYDZGlXv4dVQkZTBPaAYsjhmqjvL7pk robert SHA256:SCakTKtpgHny/TPaGXMT2QLCSBNNBWQCuk4xWvIe744
1794787200 room cellar chat.example.org:4000 7HzBM8PMZ2BvqYDZGlXv4dVQkZTBPaAYsjhmqjvL7pk
1794873600 verified chat.example.org:4000 7HzBM8PMZ2BvqYDZGlXv4dVQkZTBPaAYsjhmqjvL7pk robert SHA256:SCakTKtpgHny/TPaGXMT2QLCSBNNBWQCuk4xWvIe744
1794873600 verified chat.example.org:4000 7HzBM8PMZ2BvqYDZGlXv4dVQkZTBPaAYsjhmqjvL7pk carl SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU
";

#[test]
fn known_from_elsewhere() {
    play("known_from_elsewhere", &[PLAIN, SMALL], |stage| {
        stage.knows("ada", FROM_ELSEWHERE);
        let mut ada = stage.sits("ada");
        let _bob = stage.joins("bob");
        ada.sees("verified");
        let _carl = stage.joins("carl");
        ada.sees("another");
        stage.picture("one is verified, and one is another", &ada);
        ada.enter("/note bob Robert from work");
        ada.sees("noted");
        ada.enter("/clear");
        ada.enter("/names");
        ada.sees("here: carl");
        ada.enter("/whois bob");
        stage.picture("what is known of them", &ada);
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
        ada.enter(&format!("/verify bob{}", " 12345".repeat(12)));
        stage.picture("other digits", &ada);
        ada.enter("/code");
        stage.picture("the code of the room", &ada);
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
