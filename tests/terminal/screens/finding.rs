//! Scenes of finding again what was said, and of not seeing what one does not want to see.

use super::stage::{PLAIN, SMALL, play};

#[test]
fn search() {
    play("search", &[PLAIN, SMALL], |stage| {
        let mut ada = stage.sits("ada");
        let mut bob = stage.joins("bob");
        ada.sees("/verify bob");
        for line in [
            "shall we meet at the café?",
            "the Café de l'Été, at seven",
            "I cannot, at seven",
            "eight then",
        ] {
            bob.say(line);
            ada.sees(line);
        }
        ada.enter("my résumé is due at noon");
        ada.sees("<ada> my résumé");
        ada.enter("/clear");
        ada.enter("/search cafe DE L’ETE");
        ada.sees("1 of the last 5");
        ada.enter("/search resume");
        stage.picture("found, with what stands around it", &ada);
        ada.enter("/clear");
        ada.enter("/search nothing of the kind");
        ada.paste("/search \x07\x1b]0;title\x07 eight");
        ada.press("\r");
        ada.enter("/search \u{301}");
        stage.picture("not found, and control characters", &ada);
    });
}

#[test]
fn ignored_before() {
    play("ignored_before", &[PLAIN], |stage| {
        let mut ada = stage.sits("ada");
        let mut bob = stage.joins("bob");
        ada.sees("/verify bob");
        let mut carl = stage.joins("carl");
        ada.sees("carl joined");
        bob.say("buy my tea");
        ada.sees("buy my tea");
        carl.say("no tea please");
        ada.sees("no tea please");
        ada.enter("/ignore");
        ada.enter("/ignore bob");
        ada.sees("from now on");
        ada.enter("/search tea");
        ada.enter("/history");
        ada.enter("/search buy");
        ada.enter("/ignore");
        stage.picture("bob is not to be seen", &ada);
        ada.enter("/unignore bob");
        ada.enter("/search buy");
        stage.picture("bob again", &ada);
    });
}

#[test]
fn quiet() {
    play("quiet", &[PLAIN, SMALL], |stage| {
        let mut ada = stage.sits("ada");
        let bob = stage.joins("bob");
        ada.sees("/verify bob");
        ada.enter("/quiet on");
        ada.sees("alarms are");
        let mut carl = stage.joins("carl");
        carl.say("is it quiet here?");
        ada.sees("quiet here?");
        bob.leave();
        // Who comes under the nick of another is told, and /names tells who is here.
        carl.leave();
        let _other = stage.joins_as("bob", "carl");
        ada.sees("THE IDENTITY OF bob");
        ada.enter("/quiet");
        stage.picture("nobody comes or goes, and somebody is not who he was", &ada);
        ada.enter("/clear");
        ada.enter("/names");
        ada.enter("/quiet off");
        stage.picture("who is here is told all the same", &ada);
    });
}
