//! Where scenes are played: a relay, and people whose identities, and so whose fingerprints and
//! colours, are the same each time. The identities were made for this and are used nowhere else.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::album::{Album, FOLDER};
use crate::support::process::{Client, Home, Relay};
use crate::support::screen::Screen;

/// How a scene is looked at.
#[derive(Clone, Copy)]
pub(crate) struct View {
    name: &'static str,
    rows: u16,
    columns: u16,
    options: &'static [&'static str],
}

pub(crate) const PLAIN: View = View {
    name: "80×24",
    rows: 24,
    columns: 80,
    options: &["--color", "never"],
};
pub(crate) const SMALL: View = View {
    name: "40×12",
    rows: 12,
    columns: 40,
    ..PLAIN
};
pub(crate) const DARK: View = View {
    name: "80×24, dark",
    options: &["--color", "always", "--theme", "dark"],
    ..PLAIN
};
pub(crate) const SMALL_DARK: View = View {
    name: "40×12, dark",
    options: DARK.options,
    ..SMALL
};
pub(crate) const LIGHT: View = View {
    name: "80×24, light",
    options: &["--color", "always", "--theme", "light"],
    ..PLAIN
};

pub(crate) const HEARD: View = View {
    name: "80×24, heard",
    options: &[HEARD_OPTION],
    ..PLAIN
};
const HEARD_OPTION: &str = "--plain";

/// Plays a scene under each view, and compares what is seen with the pictures of that name.
#[track_caller]
pub(crate) fn play(name: &str, views: &[View], scene: impl Fn(&mut Stage)) {
    let mut album = Album::open(name);
    for &view in views {
        let mut stage = Stage::new(view, album);
        scene(&mut stage);
        album = stage.album;
    }
    album.close();
}

/// A relay, and people.
pub(crate) struct Stage {
    pub(crate) relay: Relay,
    view: View,
    album: Album,
    homes: [(&'static str, Home); 3],
}

impl Stage {
    fn new(view: View, album: Album) -> Self {
        Self {
            relay: Relay::start(&[]),
            view,
            album,
            homes: ["ada", "bob", "carl"].map(|nick| (nick, home_of(nick))),
        }
    }

    /// Somebody enters the room at a terminal.
    #[track_caller]
    pub(crate) fn sits(&self, nick: &str) -> Screen {
        self.sits_as(nick, self.home(nick))
    }

    /// Somebody with this folder enters the room under any nick, at a terminal.
    #[track_caller]
    pub(crate) fn sits_as(&self, nick: &str, home: &Home) -> Screen {
        self.sits_so(nick, home, &[])
    }

    /// Somebody enters the room at a terminal, with these variables in the environment.
    #[track_caller]
    pub(crate) fn sits_with(&self, nick: &str, variables: &[(&str, &str)]) -> Screen {
        self.sits_so(nick, self.home(nick), variables)
    }

    #[track_caller]
    fn sits_so(&self, nick: &str, home: &Home, variables: &[(&str, &str)]) -> Screen {
        let address = self.relay.address().to_string();
        let arguments = [&["join", &address, "--nick", nick], self.view.options].concat();
        let View { rows, columns, .. } = self.view;
        let screen = Screen::e2echat_with(home, variables, &arguments, rows, columns);
        screen.wait_for("roster", |shown| {
            shown.contains("nobody else") || shown.contains("type /")
        });
        if !self.view.options.contains(&HEARD_OPTION) {
            screen.sees("\n> ");
        }
        screen
    }

    /// Somebody with this folder runs the program at a terminal.
    pub(crate) fn runs(&self, home: &Home, arguments: &[&str]) -> Screen {
        let View { rows, columns, .. } = self.view;
        let arguments = [arguments, self.view.options].concat();
        Screen::e2echat(home, &arguments, rows, columns)
    }

    /// Somebody enters the room without one.
    #[track_caller]
    pub(crate) fn joins(&self, nick: &str) -> Client {
        self.joins_as(nick, nick)
    }

    /// Somebody enters the room under any nick.
    #[track_caller]
    pub(crate) fn joins_as(&self, nick: &str, who: &str) -> Client {
        Client::join_from(self.home(who), self.relay.address(), nick, &[])
    }

    /// Has somebody know people already, by these lines.
    pub(crate) fn knows(&self, nick: &str, lines: &str) {
        let file = self.home(nick).known_people();
        fs::create_dir_all(file.parent().expect("a folder")).expect("a folder for the data");
        fs::write(file, lines).expect("it is ours");
    }

    /// Compares a screen with the next picture.
    #[track_caller]
    pub(crate) fn picture(&mut self, title: &str, screen: &Screen) {
        let title = format!("{}: {title}", self.view.name);
        self.album.compare(&title, screen);
    }

    pub(crate) fn home(&self, nick: &str) -> &Home {
        let home = self.homes.iter().find(|(owner, _)| *owner == nick);
        &home.expect("somebody who has an identity").1
    }
}

/// The folder of somebody whose identity is kept beside this file.
fn home_of(nick: &str) -> Home {
    let identities = Path::new(FOLDER).join("identities");
    let home = Home::new();
    let folder = home.file("config/e2echat");
    fs::create_dir_all(&folder).expect("a folder for the settings");
    let own = folder.join("identity.pem");
    fs::copy(identities.join(nick).with_extension("pem"), &own).expect("the identity is there");
    fs::set_permissions(&own, fs::Permissions::from_mode(0o600)).expect("it is ours");
    home
}
