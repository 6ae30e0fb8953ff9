//! The settings file to begin from: every setting, what it is for, and nothing that holds already.

use clap::{Arg, Command};

use super::keys;

/// What stands in the example where a setting has no default. Another value has its own form.
const VALUES: [(&str, &str); 13] = [
    ("allow", "~/friends.txt"),
    ("bind", "127.0.0.1"),
    ("identity", "~/keys/work.pem"),
    ("log", "~/e2echat.log"),
    ("max-memory", "536870912"),
    ("nick", "ada"),
    ("notify-command", "notify-send e2echat"),
    ("proxy", "socks5://127.0.0.1:9050"),
    ("reconnect", "300"),
    ("relay", "chat.example.org"),
    ("room", "cellar"),
    ("theme", "dark"),
    ("through", "ssh -W localhost:%p %h"),
];

/// The text of the example.
pub(super) fn text(command: &Command) -> String {
    let mut text = "\
# Settings of e2echat. Each is the option of that name; an option, a variable and a saved room go before
# it. To settle something, take away the # before its line. `e2echat config` says what holds.
"
    .to_owned();
    let [join, serve] = keys::COMMANDS;
    for option in keys::of(command, join) {
        text += &entry(option);
    }
    text += "\n# The rest is for `e2echat serve --nick`.\n";
    let shared =
        |option: &Arg| keys::find(keys::of(command, join), keys::name_of(option)).is_some();
    for option in keys::of(command, serve).filter(|option| !shared(option)) {
        text += &entry(option);
    }
    text
}

/// What is said of a setting, and the line that settles it.
fn entry(option: &Arg) -> String {
    let help = option.get_help().map(ToString::to_string);
    let help = help.unwrap_or_default().replace('\n', " ");
    let name = keys::name_of(option).unwrap_or_default();
    let given = VALUES.iter().find(|(key, _)| *key == name);
    let value = given.map(|(_, value)| (*value).to_owned());
    let default = || {
        let mut defaults = option.get_default_values().iter();
        defaults.next().map(|value| value.to_string_lossy().into())
    };
    let value = value.or_else(default).unwrap_or_default();
    let is_bare = value.parse::<u64>().is_ok() || ["true", "false"].contains(&value.as_str());
    let value = if is_bare { value } else { format!("{value:?}") };
    format!("\n# {help}\n#{name} = {value}\n")
}
