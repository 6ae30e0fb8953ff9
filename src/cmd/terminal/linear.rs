//! Input and output on a terminal that somebody listens to, or that cannot move its cursor: each row is written once,
//! whole, and never again.
//!
//! The system could edit the line that is typed. But then nobody could say whether one is begun, so that what comes
//! would be written into it; nor could it be shown again, and edited further. So the reader edits it, and takes its keys
//! from the keyboard (`keyboard`), as the line editor does. What comes meanwhile waits.
//!
//! There are two threads. The *reader* takes keys, shows what is typed, and delivers lines. The *writer* takes entries
//! from the queue. Both write to the terminal, one at a time ([`Page`]).

mod key;

use std::io::{self, BufRead, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use unicode_segmentation::UnicodeSegmentation as _;

use super::draft::{self, Edited};
use super::entry::Entry;
use super::history::History;
use super::input::{Deliver, Input, MAX_LINE};
use super::input_area::Size;
use super::keyboard::Console;
use super::queue::BoundedQueue;
use super::quit_keys::{Asked, QuitKeys};
use super::render::render_plain;
use super::style::Style;
use super::wrap;
use crate::cmd::lock::lock;

use self::key::Key;

/// How long what comes waits for the end of the line that is typed.
const PATIENCE: Duration = Duration::from_secs(20);
/// How many entries wait at most.
const HELD: usize = 1000;
/// How long the writer waits while nothing happens.
const IDLE: Duration = Duration::from_hours(1);
/// Rings the terminal's bell.
const BELL: &str = "\x07";
/// Takes the last column off what is typed.
const ERASE: &str = "\x08 \x08";

/// The terminal, and what is typed at its end.
pub(super) struct Page<W> {
    output: W,
    typed: String,
    /// Whether what is typed is shown: else another program does that.
    echoes: bool,
    /// The last mark before which everything is written.
    shown: u64,
}

impl<W: Write> Page<W> {
    pub(super) fn new(output: W, echoes: bool) -> Self {
        Self {
            output,
            typed: String::new(),
            echoes,
            shown: 0,
        }
    }

    /// Writes something of what is typed. Where that fails the terminal is gone, and the keyboard says so.
    fn echo(&mut self, text: &str) {
        if self.echoes {
            let _ = self.output.write_all(text.as_bytes());
            let _ = self.output.flush();
        }
    }

    fn push(&mut self, character: char) {
        if self.typed.len() < MAX_LINE {
            self.typed.push(character);
            self.echo(character.encode_utf8(&mut [0; 4]));
        }
    }

    /// Leaves so many bytes of what is typed. The rest of a row is erased; of several rows, the end is shown on a new
    /// one, with what stands before it.
    fn shorten(&mut self, length: usize) {
        let before = wrap::width(&self.typed);
        let is_row = before < Size::now().columns && !self.typed.contains(['\n', '\t']);
        self.typed.truncate(length);
        if is_row {
            let columns = before.saturating_sub(wrap::width(&self.typed));
            self.echo(&ERASE.repeat(columns));
        } else {
            self.echo(&format!("\n{}", self.typed));
        }
    }

    /// Has this typed in the place of what is, on a row of its own.
    fn replace(&mut self, text: String) {
        self.end_row();
        self.echo(&text);
        self.typed = text;
    }

    /// Ends the row of what is typed, if it has one.
    fn end_row(&mut self) {
        if !self.typed.is_empty() {
            self.echo("\n");
        }
    }

    /// Writes rows, and what is typed again below them.
    fn write(&mut self, rows: &str, progress: &AtomicU64) -> io::Result<()> {
        self.end_row();
        for row in rows.split_inclusive('\n') {
            self.output.write_all(row.as_bytes())?;
            progress.fetch_add(1, Ordering::SeqCst);
        }
        let typed = if self.echoes { &self.typed } else { "" };
        self.output.write_all(typed.as_bytes())?;
        self.output.flush()
    }
}

/// What both threads have.
pub(super) struct Linear<W> {
    pub(super) page: Mutex<Page<W>>,
    pub(super) queue: Arc<BoundedQueue<Entry>>,
    pub(super) deliver: Deliver,
    pub(super) asking: QuitKeys,
}

impl<W: Write> Linear<W> {
    fn page(&self) -> MutexGuard<'_, Page<W>> {
        lock(&self.page)
    }

    /// Writes entries until the queue is closed and empty.
    ///
    /// # Errors
    /// If the terminal takes nothing more. The queue is then closed, and [`Input::OutputClosed`] delivered.
    pub(super) fn write_entries(&self, mut style: Style, progress: &AtomicU64) -> io::Result<()> {
        let mut waiting = Waiting::default();
        loop {
            let taken = self.queue.take(waiting.pause());
            for entry in taken.items {
                waiting.add(&entry, &mut style);
            }
            let mut page = self.page();
            if !page.typed.is_empty() && !taken.closed && !waiting.is_due() {
                continue;
            }
            let Waiting { rows, mark, .. } = std::mem::take(&mut waiting);
            if taken.closed {
                // What is typed stays to be seen, above.
                page.end_row();
                page.typed.clear();
            }
            if !rows.is_empty()
                && let Err(error) = page.write(&rows, progress)
            {
                drop(page);
                self.queue.close();
                (self.deliver)(Input::OutputClosed);
                return Err(error);
            }
            page.shown = mark.unwrap_or(page.shown);
            if taken.closed {
                return Ok(());
            }
        }
    }

    /// Does what keys say, until there are none any more.
    pub(super) fn read_keys(&self, input: impl BufRead, console: &Console) {
        let mut history = History::default();
        let mut asked = Asked::default();
        let mut bytes = input.bytes().map_while(Result::ok);
        while let Some(key) = Key::read(&mut bytes) {
            let mut page = self.page();
            let was_free = page.typed.is_empty();
            if !was_free || !matches!(key, Key::Interrupt | Key::End) {
                asked.forget();
            }
            match key {
                Key::Character(character) => page.push(character),
                Key::Enter => self.submit(&mut page, &mut history),
                Key::Backspace => {
                    let last = page.typed.grapheme_indices(true).next_back();
                    if let Some((at, _)) = last {
                        page.shorten(at);
                    }
                }
                Key::EraseWord => {
                    let words = page.typed.trim_end();
                    let at = words.rfind(char::is_whitespace).map_or(0, |at| at + 1);
                    page.shorten(at);
                }
                Key::EraseAll => page.shorten(0),
                Key::Interrupt if was_free => (self.deliver)(asked.press_ctrl_c()),
                Key::End if was_free => (self.deliver)(asked.press_ctrl_d(self.asking)),
                Key::Interrupt => {
                    page.end_row();
                    page.typed.clear();
                    history.leave_for_draft();
                }
                Key::Older => {
                    if history.go_back(&page.typed) {
                        page.replace(history.current().to_owned());
                    }
                }
                Key::Newer => {
                    if history.go_forward() {
                        page.replace(history.current().to_owned());
                    }
                }
                Key::Edit => self.edit(&mut page, &mut history, console),
                Key::End | Key::None => {}
            }
            let is_free = page.typed.is_empty();
            drop(page);
            if is_free {
                self.queue.wake();
            }
        }
        (self.deliver)(Input::Quit);
    }

    fn submit(&self, page: &mut Page<W>, history: &mut History) {
        page.echo("\n");
        let line = std::mem::take(&mut page.typed);
        if !line.trim().is_empty() {
            history.add(&line);
        }
        (self.deliver)(Input::Line {
            text: line.trim_end_matches('\n').to_owned(),
            is_utf8: true,
            shown: page.shown,
        });
    }

    /// Has the user edit what is typed in an editor of their own. The writer waits.
    fn edit(&self, page: &mut Page<W>, history: &mut History, console: &Console) {
        page.end_row();
        let draft = std::mem::take(&mut page.typed);
        let tell = |why| (self.deliver)(Input::NotDone(why));
        let draft = match draft::edit(&draft, console, tell) {
            Edited::Draft(text) => text,
            Edited::Kept => draft,
            Edited::TooLong(text) => {
                history.add(&text);
                draft
            }
        };
        page.replace(draft);
    }
}

/// What has come and is not written yet.
#[derive(Default)]
struct Waiting {
    rows: String,
    entries: usize,
    since: Option<Instant>,
    /// The last mark in it.
    mark: Option<u64>,
}

impl Waiting {
    fn add(&mut self, entry: &Entry, style: &mut Style) {
        match entry {
            Entry::Style(new) => *style = *new,
            Entry::Mark(mark) => self.mark = Some(*mark),
            // It does for every other way to call somebody: the terminal may not know that.
            Entry::Codes(_) => self.rows.push_str(BELL),
            entry => {
                let style = Style {
                    color: false,
                    ..*style
                };
                self.rows += &render_plain(entry, style);
            }
        }
        if !self.rows.is_empty() {
            self.entries += 1;
            self.since.get_or_insert_with(Instant::now);
        }
    }

    /// How long it waits from now on.
    fn pause(&self) -> Duration {
        self.since
            .map_or(IDLE, |since| PATIENCE.saturating_sub(since.elapsed()))
    }

    /// Whether it waits no longer, whatever is typed.
    fn is_due(&self) -> bool {
        let is_late = self.since.is_none_or(|since| since.elapsed() >= PATIENCE);
        is_late || self.entries >= HELD
    }
}

#[cfg(test)]
mod tests;
