//! Shows reports: on the terminal, in words or as JSON. Writes them into the log, and keeps messages for
//! `/history`.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;

use crate::cmd::terminal::{
    ChatMessage, ColorChoice, Entry, Format, Input, Style, Terminal, Theme, render_plain,
};

use super::json;
use super::log_file::LogFile;
use super::report::Report;
use crate::cmd::join::commands::complete::Nicks;

/// How many of the latest messages `/history` can show.
const KEPT: usize = 1000;

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
}

impl Output {
    /// Opens the log file, if the user wants one.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub(in crate::cmd::join) fn open_log(&self) -> anyhow::Result<Option<LogFile>> {
        self.log.as_deref().map(LogFile::open).transpose()
    }

    /// Starts the terminal, or lines in its place. The terminal's threads call `deliver`, which must not
    /// block.
    ///
    /// # Errors
    /// Those of [`Terminal::start`].
    pub(in crate::cmd::join) fn start(
        &self,
        format: Format,
        log: Option<LogFile>,
        nicks: Arc<Nicks>,
        deliver: impl Fn(Input) + Send + Sync + 'static,
    ) -> anyhow::Result<Screen> {
        let style = Style {
            color: self.color.resolve(),
            theme: self.theme.unwrap_or_else(Theme::from_env),
            timestamps: true,
        };
        let complete = move |line: &str, cursor| nicks.complete(line, cursor);
        let mut screen = Screen {
            terminal: Terminal::start("> ", format, style, complete, deliver)?,
            is_json: format == Format::Lines,
            request: None,
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

/// The request that the client is carrying out.
struct OpenRequest {
    /// The `id` that the script gave it.
    id: Option<String>,
    is_refused: bool,
}

/// The terminal, the log and the history, to which all reports go.
pub(in crate::cmd::join) struct Screen {
    pub(in crate::cmd::join) terminal: Terminal,
    /// Whether a program reads the output, as JSON.
    is_json: bool,
    /// The request of that program that the client is carrying out.
    request: Option<OpenRequest>,
    style: Style,
    log: Option<LogFile>,
    /// The latest messages.
    history: VecDeque<ChatMessage>,
}

impl Screen {
    /// Shows a report, and writes it into the log.
    pub(in crate::cmd::join) fn show(&mut self, report: &Report) {
        let entry = report.entry();
        if let Some(entry) = &entry {
            self.keep(entry);
        }
        if self.is_json {
            let request = self.request.as_mut();
            let id = request.and_then(|request| {
                request.is_refused |= matches!(report, Report::Refusal { .. });
                request.id.as_deref()
            });
            if let Some(line) = json::line(report, id) {
                self.terminal.show(Entry::Line(line));
            }
        } else if let Some(entry) = entry {
            self.terminal.show(entry);
        }
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
    fn keep(&mut self, entry: &Entry) {
        if let Some(log) = &mut self.log
            && let Err(failure) = log.write(entry)
        {
            self.log = None;
            self.show(&Report::Failure(failure));
        }
        if let Entry::Message(message) = entry {
            if self.history.len() == KEPT {
                self.history.pop_front();
            }
            self.history.push_back(message.clone());
        }
    }

    /// The last `count` messages, one a line.
    pub(in crate::cmd::join) fn history(&self, count: usize) -> String {
        let skipped = self.history.len().saturating_sub(count);
        let messages = self.history.iter().skip(skipped).cloned();
        let lines = messages.map(|message| render_plain(&Entry::Message(message), Style::PLAIN));
        lines.collect::<String>().trim_end().to_owned()
    }

    /// Marks the messages with these numbers, which were shown as unsent, as taken by the relay.
    pub(in crate::cmd::join) fn mark_taken(&mut self, numbers: Vec<u64>) {
        for message in &mut self.history {
            message.waiting.take_if(|number| numbers.contains(number));
        }
        self.terminal.show(Entry::Taken(numbers));
    }

    /// The present style.
    pub(in crate::cmd::join) fn style(&self) -> Style {
        self.style
    }

    /// Gives this style to everything, also to what is on the screen already.
    pub(in crate::cmd::join) fn restyle(&mut self, style: Style) {
        self.style = style;
        self.terminal.show(Entry::Style(style));
    }

    /// Whether both input and output are a terminal with a line editor.
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
