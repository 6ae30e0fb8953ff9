//! Where reports go: onto the terminal, in words or as JSON, into the log, and into the history.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;

use crate::cmd::terminal::{
    ColorChoice, Entry, Format, Input, Message, Style, Terminal, Theme, render_plain,
};

use super::json;
use super::log_file::LogFile;
use super::report::Report;
use crate::cmd::join::commands::complete::Nicks;

/// How many messages `/history` can show.
const KEPT: usize = 1000;

/// How things are shown, and where else.
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
    /// Opens the log, if there is to be one.
    pub(in crate::cmd::join) fn open_log(&self) -> anyhow::Result<Option<LogFile>> {
        self.log.as_deref().map(LogFile::open).transpose()
    }

    /// Starts the terminal, or what stands in for it. `deliver` must not block.
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

/// A request that is carried out.
struct Pending {
    /// What the program calls it.
    id: Option<String>,
    is_refused: bool,
}

/// The terminal, and who reads along.
pub(in crate::cmd::join) struct Screen {
    pub(in crate::cmd::join) terminal: Terminal,
    /// Whether a program reads, for which everything is JSON.
    is_json: bool,
    /// What that program asked for.
    request: Option<Pending>,
    style: Style,
    log: Option<LogFile>,
    /// The latest messages.
    history: VecDeque<Message>,
}

impl Screen {
    /// Shows something.
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

    /// From now on, what is shown answers a request that a program has called so.
    pub(in crate::cmd::join) fn begin_request(&mut self, id: Option<String>) {
        let is_refused = false;
        self.request = Some(Pending { id, is_refused });
    }

    /// The request has been carried out: this is said, unless it was refused. Returns whether it was.
    pub(in crate::cmd::join) fn end_request(&mut self) -> bool {
        let Some(Pending { id, is_refused }) = self.request.take() else {
            return false;
        };
        if !is_refused {
            self.show(&Report::Done { id, readers: None });
        }
        is_refused
    }

    /// Writes an entry into the log, and keeps it if it is a message.
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

    /// The last so many messages, one a line.
    pub(in crate::cmd::join) fn history(&self, count: usize) -> String {
        let skipped = self.history.len().saturating_sub(count);
        let messages = self.history.iter().skip(skipped).cloned();
        let lines = messages.map(|message| render_plain(&Entry::Message(message), Style::PLAIN));
        lines.collect::<String>().trim_end().to_owned()
    }

    /// The relay has taken the messages with these numbers, which were shown as waiting.
    pub(in crate::cmd::join) fn mark_taken(&mut self, numbers: Vec<u64>) {
        for message in &mut self.history {
            message.waiting.take_if(|number| numbers.contains(number));
        }
        self.terminal.show(Entry::Taken(numbers));
    }

    /// How things look.
    pub(in crate::cmd::join) fn style(&self) -> Style {
        self.style
    }

    /// Has everything look like this.
    pub(in crate::cmd::join) fn restyle(&mut self, style: Style) {
        self.style = style;
        self.terminal.show(Entry::Style(style));
    }

    /// Whether the user sits at a terminal.
    pub(in crate::cmd::join) fn is_interactive(&self) -> bool {
        self.terminal.is_interactive()
    }

    /// Whether somebody types what is read.
    pub(in crate::cmd::join) fn has_keyboard(&self) -> bool {
        self.terminal.has_keyboard()
    }

    /// Whether a program reads.
    pub(in crate::cmd::join) fn is_json(&self) -> bool {
        self.is_json
    }
}
