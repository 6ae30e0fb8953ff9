//! Shows reports: on the terminal, in words or as JSON. Writes them into the log, and keeps messages for
//! `/history`.

use std::collections::HashSet;
use std::io;

use crate::cmd::terminal::{
    Author, ChatMessage, Completion, Entry, Format, HurryHandle, Input, QuitKeys, State, Style,
    Terminal, render_whole,
};
use crate::cmd::zone;

use super::former::FormerMessages;
use super::glance::Glance;
use super::json;
use super::log_file::LogFile;
use super::notify::{Notifier, NotifyWord};
use super::options::Output;
use super::report::Report;
use super::search::{self, Search};
use super::speech::Speech;

/// The longest text of one answer to a program, in bytes, if it has more than one line. Escaped, it is not twice as
/// long, which is as much as a script may send.
const LONGEST_ANSWER: usize = 32 << 10;

/// What is said once, when two messages have crossed for the first time.
const CROSSED: &str = "the ~ says: written before its author had seen the line above";

/// The request that the client is carrying out.
struct OpenRequest {
    /// The `id` that the script gave it.
    id: Option<String>,
    is_refused: bool,
}

/// The terminal, and who reads along.
pub(in crate::cmd::join) struct Screen {
    terminal: Terminal,
    /// Whether a program reads, for which everything is JSON.
    is_json: bool,
    /// The request of that program that the client is carrying out.
    request: Option<OpenRequest>,
    style: Style,
    notifier: Notifier,
    glance: Glance,
    log: Option<LogFile>,
    is_log_cut: bool,
    /// Whether the user has been told what the sign of messages that cross means.
    is_crossing_explained: bool,
    former: FormerMessages,
}

impl Screen {
    /// Starts the terminal, or lines in its place, for the room that others may see called so. The terminal's
    /// threads call `complete` and `deliver`, which must not block.
    ///
    /// # Errors
    /// Those of [`Terminal::start`].
    pub(in crate::cmd::join) fn start(
        options: &Output,
        format: Format,
        log: Option<LogFile>,
        room: String,
        quit_keys: QuitKeys,
        complete: impl Fn(&str, usize) -> Completion + Send + Sync + 'static,
        deliver: impl Fn(Input) + Send + Sync + 'static,
    ) -> anyhow::Result<Self> {
        let glance = Glance::new(room, zone::today());
        let beginning = options.beginning(format, quit_keys, glance.title());
        let style = beginning.style;
        Ok(Self {
            terminal: Terminal::start(beginning, complete, deliver)?,
            is_json: format == Format::Lines,
            request: None,
            style,
            notifier: options.notifier(),
            glance,
            log,
            is_log_cut: false,
            is_crossing_explained: false,
            former: FormerMessages::default(),
        })
    }

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
            self.show_on_terminal(entry);
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
        if let Report::Said(speech) = report
            && speech.own.is_none()
        {
            self.note_said(speech);
        }
    }

    /// Shows an entry. To a person it has its time, where it has none in itself, and the day before it where that
    /// is new.
    fn show_on_terminal(&mut self, entry: Entry) {
        if !self.is_interactive() {
            return self.terminal.show(entry);
        }
        if let Some(day) = self.glance.note_day(zone::today()) {
            self.terminal.show(day);
        }
        self.terminal.show(match entry {
            Entry::Notice(_) | Entry::Mistake(_) | Entry::Warning(_) => {
                Entry::Timed(zone::now().time(), Box::new(entry))
            }
            entry => entry,
        });
    }

    /// Somebody has said something. Calls the user, where the user looks elsewhere.
    fn note_said(&mut self, speech: &Speech) {
        if !self.terminal.await_absent() {
            return;
        }
        self.glance.note_missed(speech.is_for_user());
        if speech.is_for_user() {
            self.show_title();
        }
        match self.notifier.tell(speech, self.glance.room()) {
            Ok(Some(codes)) => self.terminal.show(Entry::Codes(codes)),
            Ok(None) => {}
            Err(failure) => self.show(&Report::Failure(failure)),
        }
    }

    /// The user is back, and is told what was said meanwhile.
    pub(in crate::cmd::join) fn welcome_back(&mut self) {
        self.notifier.end_burst();
        if let Some(row) = self.glance.take_missed() {
            self.terminal.show(row);
            self.show_title();
        }
    }

    fn show_title(&self) {
        self.terminal.show(Entry::Title(self.glance.title()));
    }

    /// The room is called something else from now on.
    pub(in crate::cmd::join) fn set_room(&mut self, room: String) {
        self.glance.set_room(room);
        self.show_title();
    }

    /// Whether a state field stands before the prompt.
    pub(in crate::cmd::join) fn has_field(&self) -> bool {
        self.terminal.has_field()
    }

    /// Shows in the state field how it stands: whether the user is in the room, and how many of the user's
    /// messages are not confirmed.
    pub(in crate::cmd::join) fn set_status(&mut self, is_inside: bool, waiting: usize) {
        let status = self.glance.note_status(is_inside, waiting, &zone::now());
        if let Some(status) = status {
            self.terminal.show(Entry::Status(status));
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
            self.former.push(message.clone(), zone::today());
        }
        written
    }

    /// Whether the log has ended before the program.
    pub(in crate::cmd::join) fn is_log_cut(&self) -> bool {
        self.is_log_cut
    }

    /// The last `count` messages, one a line, and the day before those of another day. Those of people whom the
    /// user ignores are not among them.
    pub(in crate::cmd::join) fn history(&self, count: usize) -> String {
        self.former.lines(count, zone::today())
    }

    /// The user ignores these, and nobody else.
    pub(in crate::cmd::join) fn ignore(&mut self, authors: HashSet<Author>) {
        self.former.ignore(authors.clone());
        self.terminal.show(Entry::Ignored(authors));
    }

    /// What is found where this text is looked for in the latest messages.
    pub(in crate::cmd::join) fn search(&self, sought: &str) -> Search {
        let messages: Vec<&ChatMessage> = self.former.shown().map(|(_, it)| it).collect();
        search::search(&messages, sought)
    }

    /// A message of which the screen shows only the beginning, the last one being the first: all of its
    /// lines, each behind its author.
    pub(in crate::cmd::join) fn long_message(&self, number: usize) -> Option<String> {
        let is_cut = |message: &ChatMessage| self.terminal.is_cut(message, self.style);
        let mut cut = self.former.newest_first().filter(|it| is_cut(it));
        let message = cut.nth(number.checked_sub(1)?)?;
        Some(render_whole(message).trim_end().to_owned())
    }

    /// The address of a web page that was said, the last one being the first.
    pub(in crate::cmd::join) fn url(&self, number: usize) -> Option<Report> {
        let (whose, url) = self.former.url(number)?;
        Some(Report::Url { whose, url })
    }

    /// Shows what has become of the user's messages with these numbers, where they are shown.
    pub(in crate::cmd::join) fn turn(&mut self, numbers: Vec<u64>, state: State) {
        self.former.turn(&numbers, state);
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

    /// Does from now on what a word of `/notify` says, or says why not.
    pub(in crate::cmd::join) fn set_notify(&mut self, word: NotifyWord) {
        if let Err(error) = self.notifier.set(word) {
            self.refuse(None, error);
        }
    }

    /// How the user is called who looks elsewhere, in words.
    pub(in crate::cmd::join) fn notify_words(&self) -> String {
        self.notifier.words()
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
