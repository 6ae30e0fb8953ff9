//! Scenes of what the window tells at a glance: how it stands, what came meanwhile, and which day it is.

use std::thread;
use std::time::{Duration, SystemTime};

use nix::sys::signal::Signal;

use super::stage::{DARK, LIGHT, PLAIN, SMALL, SMALL_DARK, play};

const FOCUS_IN: &[u8] = b"\x1b[I";

/// What is typed at a narrow terminal takes more than one row, and stays while the field changes.
#[test]
fn state_field() {
    play(
        "state_field",
        &[PLAIN, SMALL, DARK, LIGHT, SMALL_DARK],
        |stage| {
            let mut ada = stage.sits("ada");
            let _bob = stage.joins("bob");
            ada.sees("/verify bob");
            stage.relay.signal(Signal::SIGSTOP);
            ada.enter("can you hear me?");
            ada.sees("unsent");
            ada.type_text("and while nobody answers, this is typed");
            stage.picture("one message waits", &ada);
            stage.relay.signal(Signal::SIGCONT);
            ada.sees("has taken");
            stage.picture("all is well", &ada);
            stage.relay.signal(Signal::SIGTERM);
            ada.sees("shutting down");
            stage.picture("not connected", &ada);
        },
    );
}

#[test]
fn meanwhile() {
    play("meanwhile", &[PLAIN, SMALL, DARK], |stage| {
        let mut ada = stage.sits("ada");
        let mut bob = stage.joins("bob");
        ada.sees("/verify bob");
        bob.say("seen");
        ada.sees("<bob> seen");
        ada.type_text("half typed");
        ada.sees("half typed");
        ada.looks_away();
        bob.say("ada: are you there?");
        bob.say("hm");
        ada.sees("<bob> hm");
        stage.picture("somebody who looks elsewhere", &ada);
        ada.send(FOCUS_IN);
        stage.picture("and comes back", &ada);
    });
}

/// So many seconds after this a day is over, in the time zone that is returned.
fn zone_with_midnight_in(seconds: u64) -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let of_day = now.expect("a time after 1970").as_secs() % 86_400;
    let east = (2 * 86_400 - seconds - of_day) % 86_400;
    let (hours, minutes) = (east / 3600, east / 60 % 60);
    format!("<day>-{hours:02}:{minutes:02}:{:02}", east % 60)
}

#[test]
fn days() {
    const MIDNIGHT: Duration = Duration::from_secs(15);
    play("days", &[PLAIN, SMALL, DARK], |stage| {
        let zone = zone_with_midnight_in(MIDNIGHT.as_secs());
        let midnight = SystemTime::now() + MIDNIGHT;
        let mut ada = stage.sits_with("ada", &[("TZ", &zone)]);
        let mut bob = stage.joins("bob");
        ada.sees("/verify bob");
        bob.say("good night");
        ada.sees("good night");
        let left = midnight.duration_since(SystemTime::now());
        // It is the time itself that is waited for.
        thread::sleep(left.expect("it is not midnight yet") + Duration::from_secs(1));
        bob.say("good morning");
        ada.sees("good morning");
        stage.picture("the next morning", &ada);
        ada.enter("/clear");
        ada.enter("/history");
        stage.picture("both days again", &ada);
    });
}
