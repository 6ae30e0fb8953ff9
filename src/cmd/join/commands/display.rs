//! Commands about what is on the screen: help, what was said so far, how it looks, when the bell rings.

use clap::ValueEnum as _;

use crate::cmd::terminal::{Style, Theme};

use super::table;
use crate::cmd::join::output::screen::{Bell, Screen};

/// How many messages `/history` shows where no number is given.
const HISTORY: usize = 20;

pub(super) fn help(screen: &mut Screen, command: &str) {
    match table::help(command) {
        Some(help) => screen.answer(help),
        None => screen.refuse(
            None,
            format!("there is no command {command}; /help lists them"),
        ),
    }
}

pub(super) fn history(screen: &mut Screen, count: Option<usize>) {
    let history = screen.history(count.unwrap_or(HISTORY));
    if history.is_empty() {
        screen.notice("nothing was said so far");
    } else {
        screen.answer(history);
    }
}

pub(super) fn audit(screen: &mut Screen, alarms: &[String]) {
    if alarms.is_empty() {
        screen.notice("nothing went wrong so far");
    } else {
        screen.answer(alarms.join("\n"));
    }
}

pub(super) fn set_timestamps(screen: &mut Screen, switch: &str) {
    let style = screen.style();
    let timestamps = match switch {
        "" => !style.timestamps,
        switch => switch == "on",
    };
    screen.restyle(Style {
        timestamps,
        ..style
    });
}

pub(super) fn set_theme(screen: &mut Screen, name: &str) {
    let style = screen.style();
    if let Ok(theme) = Theme::from_str(name, true) {
        screen.restyle(Style { theme, ..style });
    }
    let theme = screen.style().theme;
    screen.notice(format!("these are colours for a {theme} background"));
}

pub(super) fn set_bell(screen: &mut Screen, when: &str) {
    match when {
        "off" => screen.set_bell(Bell::Never),
        "mentions" => screen.set_bell(Bell::Mentions),
        "all" => screen.set_bell(Bell::All),
        _ => {}
    }
    screen.notice(match screen.bell() {
        Bell::Never => "the bell never rings",
        Bell::Mentions => "the bell rings when somebody names you, or writes to you alone",
        Bell::All => "the bell rings whenever somebody says something",
    });
}
