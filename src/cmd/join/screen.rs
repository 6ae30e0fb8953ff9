//! Where reports go: onto the terminal, in words or as JSON, into the log, and into the history.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Zoned;

use crate::cmd::terminal::{
    ColorChoice, Entry, Format, Input, Message, Style, Terminal, Theme, render_plain,
};
use crate::cmd::{failure, reason};

use super::completion::Nicks;
use super::json;
use super::report::Report;

/// How many messages `/history` can show.
const KEPT: usize = 1000;

/// In what form things are shown, and where.
#[derive(clap::Args, Debug)]
pub(super) struct Output {
    /// Speak JSON, one object a line, on standard input and output: see docs/JSON.md
    #[arg(long)]
    json: bool,

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
}

impl Output {
    /// Opens the log, if there is to be one.
    pub(super) fn open_log(&self) -> anyhow::Result<Option<Log>> {
        self.log.as_deref().map(Log::open).transpose()
    }

    /// Starts the terminal, or what stands in for it. `deliver` must not block.
    pub(super) fn start(
        &self,
        log: Option<Log>,
        nicks: Arc<Nicks>,
        deliver: impl Fn(Input) + Send + Sync + 'static,
    ) -> anyhow::Result<Screen> {
        let format = if self.json {
            Format::Lines
        } else {
            Format::Screen
        };
        let style = Style {
            color: self.color.resolve(),
            theme: self.theme.unwrap_or_else(Theme::from_env),
            timestamps: true,
        };
        let complete = move |line: &str, cursor| nicks.complete(line, cursor);
        let mut screen = Screen {
            terminal: Terminal::start("> ", format, style, complete, deliver)?,
            is_json: self.json,
            style,
            log,
            history: VecDeque::new(),
        };
        if let Some(path) = &self.log {
            screen.show(&Report::Notice(format!(
                "all that is shown here is also written to {}",
                path.display()
            )));
        }
        Ok(screen)
    }
}

/// The terminal, and who reads along.
pub(super) struct Screen {
    pub(super) terminal: Terminal,
    /// Whether a program reads, for which everything is JSON.
    is_json: bool,
    style: Style,
    log: Option<Log>,
    /// The latest messages.
    history: VecDeque<Message>,
}

impl Screen {
    /// Shows something.
    pub(super) fn show(&mut self, report: &Report) {
        let entry = report.entry();
        if let Some(entry) = &entry {
            self.keep(entry);
        }
        if self.is_json {
            if let Some(line) = json::line(report) {
                self.terminal.show(Entry::Line(line));
            }
        } else if let Some(entry) = entry {
            self.terminal.show(entry);
        }
    }

    /// Writes an entry into the log, and keeps it if it is a message.
    fn keep(&mut self, entry: &Entry) {
        if let Some(log) = &mut self.log
            && let Err(error) = log.write(entry)
        {
            let path = log.path.display();
            let text = format!("cannot write to {path}, the log ends: {}", reason(&error));
            self.log = None;
            self.show(&Report::refusal(text));
        }
        if let Entry::Message(message) = entry {
            if self.history.len() == KEPT {
                self.history.pop_front();
            }
            self.history.push_back(message.clone());
        }
    }

    /// The last so many messages, one a line.
    pub(super) fn history(&self, count: usize) -> String {
        let skipped = self.history.len().saturating_sub(count);
        let messages = self.history.iter().skip(skipped).cloned();
        let lines = messages.map(|message| render_plain(&Entry::Message(message), Style::PLAIN));
        lines.collect::<String>().trim_end().to_owned()
    }

    /// The relay has taken all that was shown as waiting.
    pub(super) fn nothing_waits(&mut self) {
        for message in &mut self.history {
            message.waiting = false;
        }
        self.terminal.show(Entry::Taken);
    }

    /// How things look.
    pub(super) fn style(&self) -> Style {
        self.style
    }

    /// Has everything look like this.
    pub(super) fn restyle(&mut self, style: Style) {
        self.style = style;
        self.terminal.show(Entry::Style(style));
    }

    /// Whether the user sits at a terminal.
    pub(super) fn is_interactive(&self) -> bool {
        self.terminal.is_interactive()
    }

    /// Whether a program reads.
    pub(super) fn is_json(&self) -> bool {
        self.is_json
    }
}

/// A file to which all that is shown is appended, readable by its owner alone.
pub(super) struct Log {
    file: File,
    path: PathBuf,
}

impl Log {
    /// Opens the file, or makes it.
    ///
    /// # Errors
    /// Where that cannot be done, or it is no file.
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        // To open a pipe would wait for whoever reads it.
        let is_other = std::fs::metadata(path).is_ok_and(|there| !there.is_file());
        let opened = if is_other {
            Err(io::Error::other("it is not a file"))
        } else {
            options.open(path)
        };
        let file = opened.map_err(|error| {
            failure(
                format!("cannot write to {}: {}", path.display(), reason(&error)),
                "choose another file with --log",
            )
        })?;
        Ok(Self {
            file,
            path: path.to_owned(),
        })
    }

    /// Appends what is shown, behind the time.
    fn write(&mut self, entry: &Entry) -> io::Result<()> {
        let now = Zoned::now().strftime("%Y-%m-%d %H:%M:%S").to_string();
        let style = Style {
            timestamps: false,
            ..Style::PLAIN
        };
        let shown = render_plain(entry, style);
        let lines = shown.lines().map(|line| format!("{now} {line}\n"));
        self.file.write_all(lines.collect::<String>().as_bytes())
    }
}
