//! Shows reports: on the terminal, in words or as JSON. Writes them into the log, and keeps messages for
//! `/history`.

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;

use crate::cmd::terminal::{
    ChatMessage, ColorChoice, Completion, Entry, Format, HurryHandle, Input, State, Style,
    Terminal, Theme, knows_links, render_plain, render_whole, url,
};

use crate::cmd::zone;

use super::json;
use super::log_file::LogFile;
use super::report::Report;
use super::speech::Speech;

/// How many of the latest messages `/history` can show.
const KEPT: usize = 1000;

/// The longest text of one answer to a program, in bytes, if it has more than one line. Escaped, it is not twice as
/// long, which is as much as a script may send.
const LONGEST_ANSWER: usize = 32 << 10;

/// What is said once, when two messages have crossed for the first time.
const CROSSED: &str = "the ~ says: written before its author had seen the line above";

/// The options that say how reports are shown.
#[derive(clap::Args, Debug)]
pub(in crate::cmd::join) struct Output {
    /// Append all that is shown to this file, which only you can read
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,

    /// When to use colour
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    color: ColorChoice,

    /// Which colours: those for a dark or for a light background [default: what the terminal says
    /// of itself, or dark]
    #[arg(long, value_name = "NAME")]
    theme: Option<Theme>,

    /// Whether messages are shown with their time
    #[arg(
        long,
        value_name = "on|off",
        default_value = "on",
        hide_possible_values = true
    )]
    timestamp: Switch,

    /// When to ring the bell: never, when you are named or written to, or always
    #[arg(
        long,
        value_name = "off|mentions|all",
        default_value = "off",
        hide_possible_values = true
    )]
    notify: Bell,

    /// Write each line once and draw nothing again, without colour, for those who hear the screen; what
    /// comes while you type waits until Enter, 20 seconds at most
    #[arg(long, value_name = "true|false", num_args = 0..=1, require_equals = true,
          default_missing_value = "true", default_value = "false", hide_default_value = true,
          hide_possible_values = true, action = clap::ArgAction::Set)]
    plain: bool,
}

/// Whether something is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Switch {
    On,
    Off,
}

impl Output {
    /// Opens the log file, if the user wants one.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub(in crate::cmd::join) fn open_log(&self) -> anyhow::Result<Option<LogFile>> {
        self.log.as_deref().map(LogFile::open).transpose()
    }

    /// Starts the terminal, or lines in its place. The terminal's threads call `complete` and `deliver`,
    /// which must not block.
    ///
    /// # Errors
    /// Those of [`Terminal::start`].
    pub(in crate::cmd::join) fn start(
        &self,
        format: Format,
        log: Option<LogFile>,
        complete: impl Fn(&str, usize) -> Completion + Send + Sync + 'static,
        deliver: impl Fn(Input) + Send + Sync + 'static,
    ) -> anyhow::Result<Screen> {
        let style = Style {
            color: self.color.resolve(),
            theme: self.theme.unwrap_or_else(Theme::from_env),
            timestamps: self.timestamp == Switch::On,
            links: knows_links(),
        };
        let is_json = format == Format::Lines;
        let format = if self.plain && !is_json {
            Format::Heard
        } else {
            format
        };
        Ok(Screen {
            terminal: Terminal::start("> ", format, style, complete, deliver)?,
            is_json,
            request: None,
            style,
            bell: self.notify,
            log,
            is_log_cut: false,
            is_crossing_explained: false,
            history: VecDeque::new(),
        })
    }

    /// The words that say where all that is shown is written to, if the user wants that.
    pub(in crate::cmd::join) fn log_notice(&self) -> Option<String> {
        let path = self.log.as_deref()?.display();
        Some(format!("all that is shown here is also written to {path}"))
    }
}

/// The request that the client is carrying out.
struct OpenRequest {
    /// The `id` that the script gave it.
    id: Option<String>,
    is_refused: bool,
}

/// When the bell rings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(in crate::cmd::join) enum Bell {
    /// Never.
    #[value(name = "off")]
    Never,
    /// When somebody mentions the user, or says something to the user alone.
    Mentions,
    /// When somebody says anything.
    All,
}

impl Bell {
    /// Whether it rings when this is said.
    fn rings_for(self, speech: &Speech) -> bool {
        let is_for_user = speech.mentions || speech.to.is_some();
        speech.own.is_none() && (self == Self::All || self == Self::Mentions && is_for_user)
    }
}

/// The terminal, and who reads along.
pub(in crate::cmd::join) struct Screen {
    terminal: Terminal,
    /// Whether a program reads, for which everything is JSON.
    is_json: bool,
    /// The request of that program that the client is carrying out.
    request: Option<OpenRequest>,
    style: Style,
    bell: Bell,
    log: Option<LogFile>,
    is_log_cut: bool,
    /// Whether the user has been told what the sign of messages that cross means.
    is_crossing_explained: bool,
    /// The latest messages.
    history: VecDeque<ChatMessage>,
}

impl Screen {
    /// Shows a report, and writes it into the log.
    pub(in crate::cmd::join) fn show(&mut self, report: &Report) {
        let entry = report.entry();
        // It stands above the first time that is shown.
        if let Some(warning) = zone::take_warning() {
            self.aside(warning);
        }
        let written = entry.as_ref().map(|entry| self.keep(entry));
        if self.is_json {
            let request = self.request.as_mut();
            let id = request.and_then(|request| {
                request.is_refused |= report.is_refusal();
                request.id.as_deref()
            });
            if let Some(line) = json::line(report, id) {
                self.terminal.show(Entry::Line(line));
            }
        } else if let Some(entry) = entry {
            self.terminal.show(entry);
        }
        // What is not in the log stands above it.
        if let Some(Err(failure)) = written {
            self.show(&Report::Failure(failure));
        }
        if matches!(report, Report::Said(speech) if speech.unseen > 0)
            && !std::mem::replace(&mut self.is_crossing_explained, true)
        {
            self.aside(CROSSED);
        }
        if matches!(report, Report::Said(speech) if self.bell.rings_for(speech)) {
            self.terminal.show(Entry::Bell);
        }
    }

    /// Draws the screen again if the terminal has another size than before. Call it every few seconds.
    pub(in crate::cmd::join) fn notice_size(&mut self) {
        self.terminal.notice_size();
    }

    /// Shows something to know.
    pub(in crate::cmd::join) fn notice(&mut self, text: impl Into<String>) {
        self.show(&Report::Notice(text.into()));
    }

    /// Shows something to know to a person: a program is told it otherwise.
    pub(in crate::cmd::join) fn aside(&mut self, text: impl Into<String>) {
        self.show(&Report::Aside(text.into()));
    }

    /// Shows the answer to a command, several lines long. A program gets a long one in several.
    pub(in crate::cmd::join) fn answer(&mut self, text: impl Into<String>) {
        let text = text.into();
        if !self.is_json {
            return self.show(&Report::Answer(text));
        }
        let mut part = String::new();
        for line in text.lines() {
            if !part.is_empty() && part.len() + 1 + line.len() > LONGEST_ANSWER {
                self.show(&Report::Answer(std::mem::take(&mut part)));
            }
            if !part.is_empty() {
                part.push('\n');
            }
            part.push_str(line);
        }
        self.show(&Report::Answer(part));
    }

    /// Says why something is not done, which a script may have named: the user made a mistake, or it does
    /// not fit in just now.
    pub(in crate::cmd::join) fn refuse(&mut self, id: Option<&str>, text: impl Into<String>) {
        self.show(&Report::Refusal {
            id: id.map(str::to_owned),
            text: text.into(),
            is_mistake: true,
        });
    }

    /// Says what has failed of something that the user wanted, and a script may have named.
    pub(in crate::cmd::join) fn fail(&mut self, id: Option<&str>, text: impl Into<String>) {
        self.show(&Report::Refusal {
            id: id.map(str::to_owned),
            text: text.into(),
            is_mistake: false,
        });
    }

    /// Begins a request: from now on reports answer it, and carry its `id`.
    pub(in crate::cmd::join) fn begin_request(&mut self, id: Option<String>) {
        let is_refused = false;
        self.request = Some(OpenRequest { id, is_refused });
    }

    /// Ends the request, and reports that it is done, unless it was refused. Returns whether it was refused.
    pub(in crate::cmd::join) fn end_request(&mut self) -> bool {
        let Some(OpenRequest { id, is_refused }) = self.request.take() else {
            return false;
        };
        if !is_refused {
            self.show(&Report::Done { id, readers: None });
        }
        is_refused
    }

    /// Writes an entry into the log, and keeps it for `/history` if it is a message.
    ///
    /// # Errors
    /// In words, where the log ends with it.
    fn keep(&mut self, entry: &Entry) -> Result<(), String> {
        let written = self.log.as_mut().map_or(Ok(()), |log| log.write(entry));
        if written.is_err() {
            self.log = None;
            self.is_log_cut = true;
        }
        if let Entry::Message(message) = entry {
            if self.history.len() == KEPT {
                self.history.pop_front();
            }
            self.history.push_back(message.clone());
        }
        written
    }

    /// Whether the log has ended before the program.
    pub(in crate::cmd::join) fn is_log_cut(&self) -> bool {
        self.is_log_cut
    }

    /// The last `count` messages, one a line.
    pub(in crate::cmd::join) fn history(&self, count: usize) -> String {
        let skipped = self.history.len().saturating_sub(count);
        let messages = self.history.iter().skip(skipped).cloned();
        let lines = messages.map(|message| render_plain(&Entry::Message(message), Style::PLAIN));
        lines.collect::<String>().trim_end().to_owned()
    }

    /// A message of which the screen shows only the beginning, the last one being the first: all of its
    /// lines, each behind its author.
    pub(in crate::cmd::join) fn long_message(&self, number: usize) -> Option<String> {
        let is_cut = |message: &&ChatMessage| self.terminal.is_cut(message, self.style);
        let message = self
            .history
            .iter()
            .rev()
            .filter(is_cut)
            .nth(number.checked_sub(1)?)?;
        Some(render_whole(message).trim_end().to_owned())
    }

    /// The address of a web page that was said, the last one being the first.
    pub(in crate::cmd::join) fn url(&self, number: usize) -> Option<Report> {
        let mut left = number.checked_sub(1)?;
        for message in self.history.iter().rev() {
            let text = message.text.as_str();
            let mut found = url::find(text);
            if found.len() <= left {
                left -= found.len();
                continue;
            }
            let url = text
                .get(found.swap_remove(found.len() - 1 - left))?
                .to_owned();
            let (nick, hour, minute) = (&message.nick, message.time.hour(), message.time.minute());
            let whose = format!("the address that {nick} wrote at {hour:02}:{minute:02}:");
            return Some(Report::Url { whose, url });
        }
        None
    }

    /// Shows what has become of the user's messages with these numbers, where they are shown.
    pub(in crate::cmd::join) fn turn(&mut self, numbers: Vec<u64>, state: State) {
        for message in &mut self.history {
            message.turn(&numbers, state);
        }
        self.terminal.show(Entry::Turned(numbers, state));
    }

    /// What was shown so far is the room after this change of the roster.
    pub(in crate::cmd::join) fn mark(&self, change: u64) {
        self.terminal.show(Entry::Mark(change));
    }

    /// Opens the user's own editor on what is typed. Returns whether that can be.
    #[must_use]
    pub(in crate::cmd::join) fn edit(&self) -> bool {
        self.terminal.edit()
    }

    /// Takes everything off the screen.
    pub(in crate::cmd::join) fn clear(&self) {
        self.terminal.show(Entry::Clear);
    }

    /// Says that a line has been dealt with, so that another may be read.
    pub(in crate::cmd::join) fn credit(&self) {
        self.terminal.credit();
    }

    /// What ends all waiting for the terminal.
    pub(in crate::cmd::join) fn hurry(&self) -> HurryHandle {
        self.terminal.hurry_handle()
    }

    /// Gives the terminal back.
    ///
    /// # Errors
    /// As [`Terminal::stop`].
    pub(in crate::cmd::join) fn stop(self) -> io::Result<()> {
        self.terminal.stop()
    }

    /// When the bell rings.
    pub(in crate::cmd::join) fn bell(&self) -> Bell {
        self.bell
    }

    /// Has the bell ring then.
    pub(in crate::cmd::join) fn set_bell(&mut self, bell: Bell) {
        self.bell = bell;
    }

    /// How things look.
    pub(in crate::cmd::join) fn style(&self) -> Style {
        self.style
    }

    /// Gives this style to everything, also to what is on the screen already.
    pub(in crate::cmd::join) fn restyle(&mut self, style: Style) {
        self.style = style;
        self.terminal.show(Entry::Style(style));
    }

    /// How the user gets back what was typed and not sent, where the terminal is sure to have that key.
    pub(in crate::cmd::join) fn hint_at_history(&self) -> &'static str {
        if self.terminal.is_drawn() {
            "; the Up key brings it back"
        } else {
            ""
        }
    }

    /// Whether the user sits at a terminal.
    pub(in crate::cmd::join) fn is_interactive(&self) -> bool {
        self.terminal.is_interactive()
    }

    /// Whether somebody types the input.
    pub(in crate::cmd::join) fn has_keyboard(&self) -> bool {
        self.terminal.has_keyboard()
    }

    /// Whether a program reads the output, as JSON.
    pub(in crate::cmd::join) fn is_json(&self) -> bool {
        self.is_json
    }
}
