//! How the user is told of what is said while they look elsewhere: the options, the words of `/notify`, and what
//! is then done. A notification may stand on a screen that others see, so it has nick and room only, unless the
//! user wants the text in it, too.

mod program;

use std::time::{Duration, Instant};

use clap::ArgAction;

use crate::cmd::command_words::CommandWords;
use crate::cmd::reason;
use crate::cmd::terminal::{Between, Protocol};
use crate::room::text::SafeText;

use self::program::{Passthrough, Runner};
use super::speech::Speech;

/// After a notification there is none for so long: a burst is one.
const BURST: Duration = Duration::from_secs(10);

/// The options that say how and of what the user is told.
#[derive(clap::Args, Debug)]
pub(in crate::cmd::join) struct NotifyOptions {
    /// How to tell you of what is said while you look elsewhere: by the bell, by a notification of the terminal
    /// (desktop takes the kind that it knows), by a command, or not at all; `mentions` and `all` are the bell,
    /// for these
    #[arg(
        long,
        value_name = "bell|osc9|osc777|osc99|desktop|command|off",
        default_value = "bell",
        hide_possible_values = true
    )]
    notify: NotifyWord,

    /// Of what to tell you then: when you are named or written to, of everything, or of nothing
    #[arg(
        long,
        value_name = "mentions|all|off",
        default_value = "mentions",
        hide_possible_values = true
    )]
    notify_for: What,

    /// Have the text of the message in notifications, which others may see, and not only nick and room
    #[arg(long, value_name = "true|false", num_args = 0..=1, require_equals = true,
          default_missing_value = "true", default_value = "false", hide_default_value = true,
          hide_possible_values = true, action = ArgAction::Set)]
    notify_text: bool,

    /// The command of `--notify command`: a program and its arguments, run without a shell; it finds what
    /// there is to tell in variables, as `E2ECHAT_NOTIFY_NICK`
    #[arg(long, value_name = "CMD")]
    notify_command: Option<CommandWords>,
}

/// A word behind `--notify` or `/notify`. The first three were all that there were once: they say of what, and
/// the others say how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(in crate::cmd::join) enum NotifyWord {
    /// Not at all.
    Off,
    /// The bell, for what names the user, or is said to the user alone.
    Mentions,
    /// The bell, for everything.
    All,
    /// The bell.
    Bell,
    /// A notification of iTerm2's kind.
    Osc9,
    /// A notification of rxvt-unicode's kind.
    Osc777,
    /// A notification of kitty's kind.
    Osc99,
    /// A notification of the kind that the terminal knows, else the bell.
    Desktop,
    /// A command.
    Command,
}

/// Of what the user is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum What {
    /// Of what names the user, or is said to the user alone.
    Mentions,
    /// Of everything.
    All,
    /// Of nothing.
    Off,
}

/// How the user is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Codes(Protocol),
    Command,
}

impl NotifyOptions {
    /// Whether they ask for a command and give none.
    pub(super) fn lack_command(&self) -> bool {
        self.notify == NotifyWord::Command && self.notify_command.is_none()
    }
}

/// Tells the user.
pub(super) struct Notifier {
    way: Way,
    what: What,
    has_text: bool,
    command: Option<CommandWords>,
    runner: Runner,
    between: Between,
    passthrough: Passthrough,
    /// When the user was told last, unless the user has come back since.
    told: Option<Instant>,
}

impl Notifier {
    pub(super) fn new(options: &NotifyOptions) -> Self {
        let mut notifier = Self {
            way: Way::Codes(Protocol::Bell),
            what: options.notify_for,
            has_text: options.notify_text,
            command: options.notify_command.clone(),
            runner: Runner::default(),
            between: Between::here(),
            passthrough: Passthrough::default(),
            told: None,
        };
        match options.notify {
            NotifyWord::Off => notifier.what = What::Off,
            NotifyWord::Mentions => notifier.what = What::Mentions,
            NotifyWord::All => notifier.what = What::All,
            word => notifier.set_way(word),
        }
        notifier
    }

    /// Does from now on what a word of `/notify` says.
    ///
    /// # Errors
    /// In words, where there is no command.
    pub(super) fn set(&mut self, word: NotifyWord) -> Result<(), &'static str> {
        match word {
            NotifyWord::Off => self.what = What::Off,
            NotifyWord::Mentions => self.what = What::Mentions,
            NotifyWord::All => self.what = What::All,
            NotifyWord::Command if self.command.is_none() => {
                return Err("there is no command: `--notify-command CMD` names one at the start");
            }
            word => {
                self.set_way(word);
                if self.what == What::Off {
                    self.what = What::Mentions;
                }
            }
        }
        Ok(())
    }

    fn set_way(&mut self, word: NotifyWord) {
        self.way = match word {
            NotifyWord::Osc9 => Way::Codes(Protocol::Osc9),
            NotifyWord::Osc777 => Way::Codes(Protocol::Osc777),
            NotifyWord::Osc99 => Way::Codes(Protocol::Osc99),
            NotifyWord::Desktop => Way::Codes(Protocol::of_terminal()),
            NotifyWord::Command => Way::Command,
            _ => Way::Codes(Protocol::Bell),
        };
        let is_wrapped = self.between == Between::Tmux && self.way != Way::Codes(Protocol::Bell);
        if is_wrapped && self.way != Way::Command {
            self.passthrough.ask();
        }
    }

    /// What it does, in words.
    pub(super) fn words(&self) -> String {
        let what = match self.what {
            What::Off => return "the bell never rings, and nothing else calls you".to_owned(),
            What::Mentions => "when somebody names you, or writes to you alone",
            What::All => "whenever somebody says something",
        };
        let way = match self.way {
            Way::Codes(Protocol::Bell) => "the bell rings",
            Way::Codes(_) => "the terminal notifies you",
            Way::Command => "your command runs",
        };
        format!("{way} {what}, while you look elsewhere")
    }

    /// Tells the user, who looks elsewhere, that somebody has said something in the room. Returns the codes
    /// for the terminal, if that is to be told.
    ///
    /// # Errors
    /// In words, where the command cannot be run. The bell rings from then on.
    pub(super) fn tell(&mut self, speech: &Speech, room: &str) -> Result<Option<String>, String> {
        let is_wanted = match self.what {
            What::Off => false,
            What::Mentions => speech.is_for_user(),
            What::All => true,
        };
        let is_of_burst = self.told.is_some_and(|told| told.elapsed() < BURST);
        if !is_wanted || is_of_burst {
            return Ok(None);
        }
        self.told = Some(Instant::now());
        match self.way {
            Way::Command => self.run(speech, room).map(|()| None),
            Way::Codes(protocol) => {
                let text = self.text(speech, room);
                let is_handed_on = self.passthrough.is_on();
                Ok(Some(protocol.codes(&text, self.between, is_handed_on)))
            }
        }
    }

    /// The user has come back: the next time they are told at once.
    pub(super) fn end_burst(&mut self) {
        self.told = None;
    }

    fn text(&self, speech: &Speech, room: &str) -> String {
        let (nick, does) = (speech.author(), does(speech));
        let text = if self.has_text {
            format!(": {}", speech.text)
        } else {
            String::new()
        };
        format!("{nick} {does} in {room}{text}")
    }

    fn run(&mut self, speech: &Speech, room: &str) -> Result<(), String> {
        let Some(words) = &self.command else {
            return Ok(());
        };
        let kind = match speech {
            _ if speech.to.is_some() => "direct",
            _ if speech.mentions => "mention",
            _ => "message",
        };
        let mut command = words.to_command();
        command
            .env("E2ECHAT_NOTIFY_NICK", speech.author())
            .env("E2ECHAT_NOTIFY_ROOM", room)
            .env("E2ECHAT_NOTIFY_KIND", kind);
        if self.has_text {
            command.env("E2ECHAT_NOTIFY_TEXT", SafeText::new(&speech.text).as_str());
        }
        self.runner.start(&mut command).map_err(|error| {
            self.way = Way::Codes(Protocol::Bell);
            let reason = reason(&error);
            format!("cannot run the command of --notify-command: {reason}; the bell rings instead")
        })
    }
}

/// What somebody does, of whom the user is told.
fn does(speech: &Speech) -> &'static str {
    if speech.to.is_some() {
        "writes to you alone"
    } else if speech.mentions {
        "names you"
    } else {
        "says something"
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Alone {
        #[command(flatten)]
        options: NotifyOptions,
    }

    fn with(arguments: &[&str]) -> Notifier {
        let words = std::iter::once("e2echat").chain(arguments.iter().copied());
        let options = Alone::try_parse_from(words).ok().unwrap().options;
        Notifier {
            between: Between::Nothing,
            ..Notifier::new(&options)
        }
    }

    fn said(text: &str, mentions: bool) -> Speech {
        Speech {
            mentions,
            ..Speech::sample("bob", text)
        }
    }

    fn told(notifier: &mut Notifier, speech: &Speech) -> Option<String> {
        notifier.tell(speech, "lobby").unwrap()
    }

    #[test]
    fn a_burst_is_one_until_the_user_is_back() {
        let mut notifier = with(&[]);
        let mention = said("ada?", true);
        let bells = (0..1000).filter_map(|_| told(&mut notifier, &mention));
        assert_eq!(bells.collect::<String>(), "\x07");
        notifier.end_burst();
        assert_eq!(told(&mut notifier, &mention).as_deref(), Some("\x07"));
    }

    #[test]
    fn what_is_told_of_is_what_the_user_wants() {
        let (mention, other) = (said("ada?", true), said("hm", false));
        let direct = Speech {
            to: Some("ada".parse().unwrap()),
            ..said("psst", false)
        };
        for (arguments, expected) in [
            (&[][..], [true, true, false]),
            (&["--notify-for", "all"], [true, true, true]),
            (&["--notify-for", "off"], [false; 3]),
            (&["--notify", "off"], [false; 3]),
            (&["--notify", "all"], [true; 3]),
            (&["--notify", "mentions"], [true, true, false]),
        ] {
            let tells = |speech| told(&mut with(arguments), speech).is_some();
            let tells = [&mention, &direct, &other].map(tells);
            assert_eq!(tells, expected, "{arguments:?}");
        }
    }

    #[test]
    fn the_words_of_the_command_say_how_or_of_what() {
        let mut notifier = with(&["--notify", "off"]);
        for (word, words) in [
            (
                NotifyWord::Osc9,
                "the terminal notifies you when somebody names you, or writes to you alone, while you look elsewhere",
            ),
            (
                NotifyWord::All,
                "the terminal notifies you whenever somebody says something, while you look elsewhere",
            ),
            (
                NotifyWord::Bell,
                "the bell rings whenever somebody says something, while you look elsewhere",
            ),
            (
                NotifyWord::Off,
                "the bell never rings, and nothing else calls you",
            ),
        ] {
            notifier.set(word).unwrap();
            assert_eq!(notifier.words(), words);
        }
        assert!(notifier.set(NotifyWord::Command).is_err());
    }

    #[test]
    fn nick_and_room_are_told_and_the_text_where_it_is_wanted() {
        let speech = said("ada: the key is under\nthe mat", true);
        let short = told(&mut with(&["--notify", "osc9"]), &speech);
        let long = told(&mut with(&["--notify", "osc9", "--notify-text"]), &speech);
        let begin = "\x1b]9;e2echat: bob names you in lobby";
        assert_eq!(short, Some(format!("{begin}\x1b\\")));
        let text = ": ada: the key is under the mat";
        assert_eq!(long, Some(format!("{begin}{text}\x1b\\")));
    }

    #[test]
    fn a_command_that_cannot_be_run_is_told_once_and_the_bell_rings_instead() {
        let mut notifier = with(&["--notify", "command", "--notify-command", "/nowhere/at all"]);
        let error = notifier.tell(&said("ada?", true), "lobby").unwrap_err();
        assert!(error.contains("no such file"), "{error}");
        notifier.end_burst();
        assert_eq!(
            told(&mut notifier, &said("ada?", true)).as_deref(),
            Some("\x07")
        );
    }
}
