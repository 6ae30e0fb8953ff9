//! Scenes of leaving, by hand and by accident, and of being without a connection.

use nix::sys::signal::Signal;

use super::stage::{PLAIN, SMALL, play};

const CTRL_C: &str = "\x03";
const CTRL_D: &str = "\x04";

#[test]
fn once_more() {
    play("once_more", &[PLAIN, SMALL], |stage| {
        let mut ada = stage.sits("ada");
        ada.press(CTRL_C);
        ada.sees("once more");
        ada.type_text("half a line");
        ada.press(CTRL_C);
        ada.press(CTRL_C);
        stage.picture("asked twice, as something was typed meanwhile", &ada);
        ada.press(CTRL_C);
        assert!(ada.wait_exit().success());
    });
}

#[test]
fn host_once_more() {
    play("host_once_more", &[PLAIN], |stage| {
        let host = [
            "serve",
            "--bind",
            "127.0.0.1",
            "--port",
            "0",
            "--nick",
            "ada",
        ];
        let mut ada = stage.runs(stage.home("ada"), &host);
        ada.sees("nobody else");
        ada.press(CTRL_D);
        ada.sees("Ctrl-D once more");
        ada.type_text("x");
        ada.press("\x7f");
        ada.press(CTRL_C);
        stage.picture("asked by each key", &ada);
        ada.press(CTRL_D);
        assert!(ada.wait_exit().success());
        let mut ada = stage.runs(stage.home("ada"), &host);
        ada.sees("nobody else");
        ada.signal(Signal::SIGINT);
        assert!(ada.wait_exit().success());
    });
}

#[test]
fn names_offline() {
    play("names_offline", &[PLAIN, SMALL], |stage| {
        let mut ada = stage.sits("ada");
        let _bob = stage.joins("bob");
        ada.sees("/verify bob");
        stage.relay.signal(Signal::SIGTERM);
        ada.sees("shutting down");
        ada.enter("/clear");
        ada.enter("/names");
        stage.picture("who was here when it was known", &ada);
    });
}
