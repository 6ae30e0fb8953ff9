//! A user at a terminal, who has a folder of their own.

use portable_pty::CommandBuilder;

use super::process::{Client, Home, Relay, tested_program};
use super::screen::{self, Screen};

/// A person in the room, at a terminal.
pub struct Person {
    pub screen: Screen,
    _home: Home,
}

impl Person {
    /// Enters the room, at a terminal so wide that no row wraps.
    pub fn join(relay: &Relay, nick: &str) -> Self {
        Self::join_at(relay, nick, 50, 600)
    }

    /// Enters the room, at a terminal of this size.
    pub fn join_at(relay: &Relay, nick: &str, rows: u16, columns: u16) -> Self {
        let home = Home::new();
        let relay = relay.address().to_string();
        let arguments = ["join", &relay, "--nick", nick];
        Self {
            screen: Screen::join_at(&home, &arguments, rows, columns),
            _home: home,
        }
    }

    /// Waits until it is on the screen that somebody has come: before that, they are left out of
    /// what is typed.
    #[track_caller]
    pub fn meets(&self, nick: &str) {
        self.screen.sees(&format!("* {nick} joined "));
    }

    /// Has somebody enter without a terminal, and meets them.
    #[track_caller]
    pub fn welcomes(&self, relay: &Relay, nick: &str) -> Client {
        let client = Client::join(relay.address(), nick, &[]);
        self.meets(nick);
        client
    }
}

/// A program as this user, in the user's folder, without our variables in the environment.
fn command(home: &Home, program: &str) -> CommandBuilder {
    let mut command = screen::command(program);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("E2ECHAT_") {
            command.env_remove(name);
        }
    }
    command.cwd(home.path());
    command.env("HOME", home.path());
    command.env("XDG_CONFIG_HOME", home.file("config"));
    command.env("XDG_DATA_HOME", home.file("data"));
    command
}

impl Screen {
    /// Starts our program as this user, without our variables in the environment.
    pub fn e2echat(home: &Home, arguments: &[&str], rows: u16, columns: u16) -> Self {
        Self::e2echat_with(home, &[], arguments, rows, columns)
    }

    /// Starts our program as this user, with these variables in the environment.
    pub fn e2echat_with(
        home: &Home,
        variables: &[(&str, &str)],
        arguments: &[&str],
        rows: u16,
        columns: u16,
    ) -> Self {
        let mut command = command(home, tested_program());
        command.args(arguments);
        for (name, value) in variables {
            command.env(name, value);
        }
        Self::spawn(command, rows, columns)
    }

    /// Starts a shell as this user, in which `e2echat` is our program.
    pub fn shell(home: &Home, script: &str) -> Self {
        let program = tested_program();
        let mut command = command(home, "sh");
        command.args([
            "-c",
            &format!("e2echat() {{ '{program}' \"$@\"; }}\n{script}"),
        ]);
        Self::spawn(command, 24, 80)
    }

    /// Starts our program as this user in a room, on a screen so wide that no row wraps, and waits
    /// for the prompt.
    pub fn join(home: &Home, relay: &str, nick: &str, options: &[&str]) -> Self {
        let arguments = [&["join", relay, "--nick", nick], options].concat();
        Self::join_at(home, &arguments, 50, 600)
    }

    /// Starts our program as this user with these arguments, on a screen of this size, and waits for
    /// the prompt.
    fn join_at(home: &Home, arguments: &[&str], rows: u16, columns: u16) -> Self {
        let screen = Self::e2echat(home, arguments, rows, columns);
        screen.wait_for("prompt", |shown| {
            shown.contains("here") && shown.lines().any(|line| line.starts_with('>'))
        });
        screen.comes_to_rest();
        screen
    }

    /// Waits until a row of the screen is as expected, and returns it.
    #[track_caller]
    pub fn wait_for_row(&self, what: &str, expected: impl Fn(&str) -> bool) -> String {
        let shown = self.wait_for(what, |shown| shown.lines().any(&expected));
        self.comes_to_rest();
        let row = shown.lines().find(|row| expected(row));
        row.expect("it has been seen").to_owned()
    }
}
