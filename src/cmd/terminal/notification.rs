//! How a terminal is asked to tell its user something who looks elsewhere: which control codes say it, and
//! what becomes of them between the program and the terminal.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::osc::{in_one_line, osc};

/// Rings the terminal's bell.
const BELL: &str = "\x07";
/// What a notification is from.
const PROGRAM: &str = "e2echat";

/// The codes for a notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cmd) enum Protocol {
    /// The bell, which says nothing but that there is something.
    Bell,
    /// iTerm2's: a line of text.
    Osc9,
    /// rxvt-unicode's: a title and a text.
    Osc777,
    /// kitty's: a title and a text, in as many parts as one likes.
    Osc99,
}

/// What lies between the program and the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cmd) enum Between {
    /// Nothing that looks at the codes.
    Nothing,
    /// tmux, which hands on to the terminal what is wrapped, if it is set up for that.
    Tmux,
    /// GNU screen, dvtm or the console of Linux, which swallow notifications, or show them as text.
    Other,
}

/// A variable of the environment, where it is set.
type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

impl Protocol {
    /// The one that the terminal understands, by what it says of itself; else the bell.
    pub(in crate::cmd) fn of_terminal() -> Self {
        Self::said_by(&variable)
    }

    fn said_by(variable: Lookup<'_>) -> Self {
        let (term, program) = (variable("TERM"), variable("TERM_PROGRAM"));
        let term = term.unwrap_or_default();
        let begins = |name: &str| term.starts_with(name);
        if variable("KITTY_WINDOW_ID").is_some() || begins("xterm-kitty") {
            return Self::Osc99;
        }
        match program.as_deref() {
            Some("iTerm.app") => return Self::Osc9,
            Some("WezTerm" | "ghostty") => return Self::Osc777,
            _ => {}
        }
        // iTerm2 says that over SSH, too.
        if variable("LC_TERMINAL").as_deref() == Some("iTerm2") {
            return Self::Osc9;
        }
        let known = ["foot", "rxvt-unicode", "wezterm", "xterm-ghostty"];
        if known.into_iter().any(begins) {
            Self::Osc777
        } else {
            Self::Bell
        }
    }

    /// The codes that tell this. It is made harmless here. `is_handed_on` says whether tmux hands on what is
    /// wrapped. Where nothing would reach the terminal the bell does.
    pub(in crate::cmd) fn codes(self, text: &str, between: Between, is_handed_on: bool) -> String {
        let codes = match self {
            Self::Bell => return BELL.to_owned(),
            // The program's name stands before the text: a number and a semicolon would mean something else.
            Self::Osc9 => osc("9", &format!("{PROGRAM}: {text}")),
            // A semicolon would end the text.
            Self::Osc777 => osc(&format!("777;notify;{PROGRAM}"), &text.replace(';', ",")),
            Self::Osc99 => {
                let id = std::process::id();
                let text = STANDARD.encode(in_one_line(text));
                let title = osc(&format!("99;i=e2echat-{id}:d=0"), PROGRAM);
                // The text is a number of four signs each, which no cutting may divide.
                format!("{title}\x1b]99;i=e2echat-{id}:d=1:p=body:e=1;{text}\x1b\\")
            }
        };
        match between {
            Between::Nothing => codes,
            // tmux takes the Escape of the first string's end for its own, unless there are two.
            Between::Tmux if is_handed_on => {
                format!("\x1bPtmux;{}\x1b\\", codes.replace('\x1b', "\x1b\x1b"))
            }
            Between::Tmux | Between::Other => BELL.to_owned(),
        }
    }
}

impl Between {
    /// What there is, as the environment says.
    pub(in crate::cmd) fn here() -> Self {
        Self::said_by(&variable)
    }

    fn said_by(variable: Lookup<'_>) -> Self {
        let term = variable("TERM").unwrap_or_default();
        let shows_them = term.starts_with("dvtm") || term.starts_with("linux");
        if variable("STY").is_some() || shows_them {
            Self::Other
        } else if variable("TMUX").is_some() {
            Self::Tmux
        } else {
            Self::Nothing
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(variables: &[(&str, &str)], name: &str) -> Option<String> {
        let mut variables = variables.iter();
        let found = variables.find(|(other, _)| *other == name);
        found.map(|(_, value)| (*value).to_owned())
    }

    #[test]
    fn the_terminal_says_what_it_understands_and_what_lies_between() {
        for (variables, protocol, between) in [
            (
                &[("TERM", "xterm-256color")][..],
                Protocol::Bell,
                Between::Nothing,
            ),
            (&[], Protocol::Bell, Between::Nothing),
            (
                &[("TERM", "xterm-kitty")],
                Protocol::Osc99,
                Between::Nothing,
            ),
            (
                &[
                    ("TERM", "tmux-256color"),
                    ("TMUX", "/tmp/s,1,0"),
                    ("KITTY_WINDOW_ID", "1"),
                ],
                Protocol::Osc99,
                Between::Tmux,
            ),
            (
                &[("TERM_PROGRAM", "iTerm.app")],
                Protocol::Osc9,
                Between::Nothing,
            ),
            (
                &[("LC_TERMINAL", "iTerm2")],
                Protocol::Osc9,
                Between::Nothing,
            ),
            (
                &[("TERM_PROGRAM", "WezTerm")],
                Protocol::Osc777,
                Between::Nothing,
            ),
            (
                &[("TERM", "foot-extra")],
                Protocol::Osc777,
                Between::Nothing,
            ),
            (
                &[("TERM", "rxvt-unicode-256color")],
                Protocol::Osc777,
                Between::Nothing,
            ),
            (
                &[
                    ("TERM", "screen.xterm-256color"),
                    ("STY", "1.a"),
                    ("TMUX", "x"),
                ],
                Protocol::Bell,
                Between::Other,
            ),
            (&[("TERM", "dvtm-256color")], Protocol::Bell, Between::Other),
            (
                &[("TERM_PROGRAM", "vscode")],
                Protocol::Bell,
                Between::Nothing,
            ),
        ] {
            let variable = |name: &str| said(variables, name);
            assert_eq!(Protocol::said_by(&variable), protocol, "{variables:?}");
            assert_eq!(Between::said_by(&variable), between, "{variables:?}");
        }
    }

    #[test]
    fn what_cannot_reach_the_terminal_is_the_bell() {
        for protocol in [
            Protocol::Bell,
            Protocol::Osc9,
            Protocol::Osc777,
            Protocol::Osc99,
        ] {
            assert_eq!(protocol.codes("hi", Between::Other, true), BELL);
            assert_eq!(protocol.codes("hi", Between::Tmux, false), BELL);
        }
        assert_eq!(
            Protocol::Osc9.codes("hi", Between::Tmux, true),
            "\x1bPtmux;\x1b\x1b]9;e2echat: hi\x1b\x1b\\\x1b\\"
        );
    }

    #[test]
    fn no_text_gets_out_of_a_notification() {
        let hostile = "4;1;50 \x1b\\\x1b]0;mine\x07 \u{9c};a;b\nc";
        for (protocol, begin) in [
            (Protocol::Osc9, "\x1b]9;e2echat: "),
            (Protocol::Osc777, "\x1b]777;notify;e2echat;"),
        ] {
            let codes = protocol.codes(hostile, Between::Nothing, false);
            let inner = codes.strip_prefix(begin).unwrap();
            let inner = inner.strip_suffix("\x1b\\").unwrap();
            assert!(!inner.contains(char::is_control), "{codes:?}");
            assert!(
                protocol == Protocol::Osc9 || !inner.contains(';'),
                "{codes:?}"
            );
        }
        let codes = Protocol::Osc99.codes(hostile, Between::Nothing, false);
        let (_, body) = codes.split_once(":p=body:e=1;").unwrap();
        let body = body.strip_suffix("\x1b\\").unwrap();
        let is_base64 = |c: char| c.is_ascii_alphanumeric() || "+/=".contains(c);
        assert!(body.chars().all(is_base64), "{body:?}");
        let text = String::from_utf8(STANDARD.decode(body).unwrap()).unwrap();
        assert!(!text.contains(char::is_control), "{text:?}");
    }
}
