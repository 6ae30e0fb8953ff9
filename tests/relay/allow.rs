//! A relay that lets in only whom a list names.

use std::fs;
use std::path::Path;

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use crate::support::process::{Client, Home, Relay};

/// Somebody with an identity of their own.
struct Person {
    nick: &'static str,
    home: Home,
    identity: String,
    fingerprint: String,
}

impl Person {
    fn new(nick: &'static str) -> Self {
        let home = Home::new();
        let (identity, fingerprint) = home.identity("identity.pem");
        Self {
            nick,
            home,
            identity,
            fingerprint,
        }
    }

    #[track_caller]
    fn enters(&self, relay: &Relay) -> Client {
        let options = ["--identity", &self.identity];
        Client::join_from(&self.home, relay.address(), self.nick, &options)
    }

    #[track_caller]
    fn is_refused(&self, relay: &Relay) {
        let address = relay.address();
        let own = ["join", &address.to_string(), "--nick", self.nick];
        let refused = self
            .home
            .run(&[&own[..], &["--identity", &self.identity]].concat());
        refused.assert_failure(&format!(
            "this identity is not on the relay's list ({address})"
        ));
    }
}

#[test]
fn the_list_is_read_again_when_it_has_changed() {
    let [ada, bob] = ["ada", "bob"].map(Person::new);
    let home = Home::new();
    let list = home.file("friends");
    let write = |text: &str| fs::write(&list, text).expect("the list can be written");
    write(&format!("# friends\n\n{} # ada\n", ada.fingerprint));
    let relay = Relay::start(&["--allow", &list.display().to_string(), "-v"]);
    let inside = ada.enters(&relay);
    bob.is_refused(&relay);
    // The host can add a friend from the log.
    let who = format!(" refused bob {} from 127.0.0.1:", bob.fingerprint);
    relay.wait_for_log(&who, |line| line.contains(&who));
    write(&format!("{}\n{}\n", ada.fingerprint, bob.fingerprint));
    assert_eq!(bob.enters(&relay).leave().code(), Some(0));
    // One of the same length, which may have the same time.
    write(&format!("{}\n{}\n", ada.fingerprint, ada.fingerprint));
    bob.is_refused(&relay);
    write(&format!("{}\n", bob.fingerprint));
    assert_eq!(bob.enters(&relay).leave().code(), Some(0));
    // Whoever is in stays in.
    assert_eq!(inside.leave().code(), Some(0));
    ada.is_refused(&relay);
}

#[test]
fn the_last_good_list_stays_while_the_file_is_bad() {
    let ada = Person::new("ada");
    let home = Home::new();
    let list = home.file("friends");
    fs::write(&list, &ada.fingerprint).expect("the list can be written");
    let relay = Relay::start(&["--allow", &list.display().to_string()]);
    let enter = || assert_eq!(ada.enters(&relay).leave().code(), Some(0));
    let warnings = || {
        let log = relay.log();
        assert!(
            log.iter()
                .all(|line| line.contains("the last good one stays"))
        );
        log.len()
    };
    enter();
    assert_eq!(warnings(), 0);
    fs::write(&list, "half a line").expect("the list can be written");
    enter();
    enter();
    assert_eq!(warnings(), 1);
    relay.wait_for_log("reason", |line| {
        line.ends_with("line 1 is not a fingerprint")
    });
    fs::remove_file(&list).expect("the list can be removed");
    enter();
    enter();
    assert_eq!(warnings(), 2);
    make_pipe(&list);
    enter();
    enter();
    assert_eq!(warnings(), 3);
    relay.wait_for_log("reason", |line| line.ends_with("it is not a file"));
    fs::remove_file(&list).expect("the pipe can be removed");
    fs::write(&list, "# nobody\n").expect("the list can be written");
    ada.is_refused(&relay);
    assert_eq!(warnings(), 3);
}

fn make_pipe(path: &Path) {
    mkfifo(path, Mode::S_IRUSR | Mode::S_IWUSR).expect("a pipe can be made");
}

#[track_caller]
fn assert_unusable(home: &Home, path: &Path, error: &str) {
    let shown = path.display();
    let ended = home.run(&["serve", "--port", "0", "--allow", &shown.to_string()]);
    ended.assert_failure(&format!("cannot use the list {shown}: {error}"));
    assert_eq!(ended.stdout, [""; 0]);
}

#[test]
fn what_is_no_list_is_an_error_at_the_start() {
    let home = Home::new();
    let file = |name: &str, content: &[u8]| {
        let path = home.file(name);
        fs::write(&path, content).expect("a file can be written");
        path
    };
    let nowhere = home.file("nowhere");
    assert_unusable(&home, &nowhere, "no such file or directory");
    assert_unusable(&home, home.path(), "it is not a file");
    assert_unusable(&home, Path::new("/dev/zero"), "it is not a file");
    let pipe = home.file("pipe");
    make_pipe(&pipe);
    assert_unusable(&home, &pipe, "it is not a file");
    let long = file("long", &vec![b'\n'; 1024 * 1024 + 1]);
    assert_unusable(&home, &long, "it is longer than 1 MiB");
    let bad = file("bad", b"# friends\n\nada\n");
    assert_unusable(&home, &bad, "line 3 is not a fingerprint");
    let noise = file("noise", b"\n\xff\xfe\x00");
    assert_unusable(&home, &noise, "line 2 is not a fingerprint");
}
