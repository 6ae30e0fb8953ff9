//! The printer: the one thread beside the line editor that writes to the terminal, and the sole owner
//! of rustyline's external printer.
//!
//! It takes entries from the queue, renders them at the terminal's present width, and prints them
//! above the input in batches. It keeps the latest entries, so that it can draw the screen again. It
//! ends when the queue is closed, after it has printed what was left in it.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustyline::ExternalPrinter;

use super::entry::{Author, Entry, State};
use super::input_area::{EditorPhase, InputArea, InputLayout, Size};
use super::queue::BoundedQueue;
use super::render::{WRAP_OFF, WRAP_ON, height, render};
use super::status::Status;
use super::style::Style;
use super::window::Window;

/// About the most that goes to the terminal at once, in bytes: between two batches the editor answers
/// keys.
const BATCH: usize = 16 * 1024;
/// How many of the latest entries the printer keeps for drawing the screen again.
const KEPT_ENTRIES: usize = 500;
/// How many entries wait while the input is in the way. When there are as many, the printer prints
/// them all at once, and draws the screen again when it can.
const HELD: usize = 1000;
/// How long the printer waits while nothing happens.
const IDLE: Duration = Duration::from_hours(1);
/// How long a new width must last before the printer draws the screen again: a window has many widths
/// while somebody drags it, and rustyline must have seen the new one first.
const SETTLED: Duration = Duration::from_millis(100);
/// How often the printer looks whether the prompt is on the screen.
const STARTING: Duration = Duration::from_millis(10);

/// Moves the cursor home (ECMA-48 §8.3.21).
const HOME: &str = "\x1b[H";
/// Erases a row, and moves to the next one, if there is one (§8.3.41, §8.3.19). Many terminals copy the
/// screen into the scrollback where it is erased all at once.
const CLEAR_ROW: &str = "\x1b[2K\x1b[B";
/// Moves one row up and one down, and so shows nothing.
const NOTHING: &str = "\x1b[A\n";

/// The printer. It has a dozen fields, because how the screen can be drawn again depends on all that
/// was drawn before.
pub(super) struct Printer<P> {
    terminal: P,
    queue: Arc<BoundedQueue<Entry>>,
    area: Arc<InputArea>,
    window: Arc<Window>,
    style: Style,
    /// What the state field says, where there is one.
    status: Option<Status>,
    /// Counts what the printer has printed, so that `stop` can tell slow from stuck.
    progress: Arc<AtomicU64>,
    /// The entries that are taken from the queue and not printed yet.
    waiting: VecDeque<Entry>,
    /// Whether rustyline was given rows that it may not have printed yet.
    unseen: bool,
    /// The latest entries that are printed, oldest first.
    recent: VecDeque<Entry>,
    /// Whose words are not shown.
    ignored: HashSet<Author>,
    /// The size for which the printer last drew the screen.
    drawn: Size,
    /// The size that the screen has instead, and since when.
    resized: Option<(Size, Instant)>,
    /// Whether the screen shows what it should not: rustyline has miscounted rows and erased some, or
    /// the entries should look different now.
    damaged: bool,
    /// Whether the screen is empty but for its first row, which is blank: printed text always ends a
    /// row. The first entry then has the screen drawn again.
    begins_low: bool,
}

/// What goes to the terminal at once.
#[derive(Default)]
struct PrintBatch {
    rows: String,
    /// What the terminal gets behind the rows.
    codes: String,
    /// The last title in the batch.
    title: Option<String>,
    /// Whether the state field is another one.
    is_field_new: bool,
    /// The last mark in the batch.
    shown: Option<u64>,
}

impl<P: ExternalPrinter> Printer<P> {
    pub(super) fn new(
        terminal: P,
        queue: Arc<BoundedQueue<Entry>>,
        (area, window): (Arc<InputArea>, Arc<Window>),
        style: Style,
        progress: Arc<AtomicU64>,
    ) -> Self {
        let status = area.field().map(|_| Status::default());
        Self {
            terminal,
            queue,
            area,
            window,
            style,
            status,
            progress,
            waiting: VecDeque::new(),
            unseen: false,
            recent: VecDeque::new(),
            ignored: HashSet::new(),
            drawn: Size::now(),
            resized: None,
            damaged: false,
            begins_low: false,
        }
    }

    /// Prints entries until the queue is closed and empty.
    pub(super) fn run(mut self) {
        loop {
            let pause = if self.resized.is_some() {
                SETTLED
            } else {
                IDLE
            };
            let taken = self.queue.take(pause);
            self.waiting.extend(taken.items);
            let size = Size::now();
            let layout = self.area.layout(size);
            if layout.phase == EditorPhase::Starting {
                thread::sleep(STARTING);
                continue;
            }
            let asked = self.area.take_redraw();
            self.damaged |= self.area.take_damaged();
            let settled = self.settle(size);
            let must_print = taken.closed || self.waiting.len() >= HELD;
            if asked || (layout.is_countable && settled && self.must_redraw(size)) {
                self.redraw(size, &layout);
            }
            if layout.is_countable && settled {
                self.print_waiting(size.columns, BATCH);
            } else if asked || must_print {
                self.damaged |= !layout.is_countable && !self.waiting.is_empty();
                self.print_waiting(size.columns, usize::MAX);
            }
            if taken.closed {
                // rustyline takes this text only when the last batch is on the screen.
                self.print(NOTHING.to_owned());
                return;
            }
        }
    }

    /// Takes note of the screen's size. Returns whether the screen has the width for which it was
    /// drawn, or has had another one for long enough. In between the printer prints nothing: rustyline
    /// may just be clearing rows by the old width, and the printer can draw only the latest rows again.
    fn settle(&mut self, size: Size) -> bool {
        if size.columns == self.drawn.columns {
            self.drawn.rows = size.rows;
            // The width has changed and changed back. rustyline may have cleared rows meanwhile.
            self.damaged |= self.resized.take().is_some();
            return true;
        }
        match self.resized {
            Some((same, since)) if same == size => since.elapsed() >= SETTLED,
            _ => {
                self.resized = Some((size, Instant::now()));
                false
            }
        }
    }

    /// Whether the screen shows rows that are wrapped for another width, or is damaged.
    fn must_redraw(&self, size: Size) -> bool {
        self.damaged || size.columns != self.drawn.columns
    }

    /// Prints the waiting entries, in batches of about `most` bytes.
    fn print_waiting(&mut self, columns: usize, most: usize) {
        while !self.waiting.is_empty() {
            let mut batch = PrintBatch::default();
            while batch.rows.len() < most
                && let Some(entry) = self.waiting.pop_front()
            {
                self.add(&mut batch, entry, columns);
            }
            if !batch.rows.is_empty() {
                self.print_rows(&batch.rows);
                self.unseen = true;
            }
            if let Some(title) = batch.title {
                batch.codes.push_str(&self.window.set_title(title));
            }
            if !batch.codes.is_empty() || batch.is_field_new {
                self.print(format!("{}{NOTHING}", batch.codes));
            }
            if let Some(mark) = batch.shown.filter(|mark| *mark != self.area.shown_mark()) {
                if std::mem::take(&mut self.unseen) {
                    // The editor may be busy with keys, Enter perhaps. rustyline takes this text only
                    // when it has taken the last batch, so `print` waits for that.
                    self.print(NOTHING.to_owned());
                }
                self.area.set_shown_mark(mark);
            }
        }
    }

    /// Adds an entry to a batch, or does what it asks for.
    fn add(&mut self, batch: &mut PrintBatch, entry: Entry, columns: usize) {
        match entry {
            Entry::Mark(mark) => batch.shown = Some(mark),
            Entry::Codes(codes) => batch.codes.push_str(&codes),
            Entry::Title(title) => batch.title = Some(title),
            Entry::Status(status) => {
                if let Some(shown) = &mut self.status {
                    *shown = status;
                    self.draw_field();
                    batch.is_field_new = true;
                }
            }
            Entry::Turned(numbers, state) => {
                if self.turn(&numbers, state) {
                    self.redraw_soon();
                }
            }
            Entry::Style(style) => {
                self.style = style;
                self.draw_field();
                self.redraw_soon();
            }
            Entry::Ignored(authors) => {
                self.ignored = authors;
                self.redraw_soon();
            }
            Entry::Clear => {
                batch.rows.clear();
                self.recent.clear();
                self.redraw_soon();
            }
            entry => {
                batch.rows.push_str(&render(&entry, columns, self.style));
                if self.recent.len() == KEPT_ENTRIES {
                    self.recent.pop_front();
                }
                self.recent.push_back(entry);
                if std::mem::take(&mut self.begins_low) {
                    self.redraw_soon();
                }
            }
        }
    }

    /// Has the editor draw the state field as it is now, when it next draws its line.
    fn draw_field(&self) {
        if let Some(status) = &self.status {
            self.area.set_field(status.field(self.style));
        }
    }

    /// Takes note of what has become of the user's messages with these numbers. Returns whether any of
    /// them looks different now.
    fn turn(&mut self, numbers: &[u64], state: State) -> bool {
        let mut is_any = false;
        for entry in &mut self.recent {
            if let Entry::Message(message) = entry {
                is_any |= message.turn(numbers, state);
            }
        }
        is_any
    }

    /// Has `run` draw the screen again as soon as it can.
    fn redraw_soon(&mut self) {
        self.damaged = true;
        self.queue.wake();
    }

    /// Draws the last screenful again from the latest entries. What fitted onto a wider screen and does not
    /// fit now is left out: most terminals break rows anew themselves, and have put it into the scrollback.
    fn redraw(&mut self, size: Size, layout: &InputLayout) {
        let room = size.rows.saturating_sub(layout.rows).max(1);
        let mut rows = 0;
        let mut newest_first = Vec::new();
        let is_shown = |entry: &&Entry| match entry {
            Entry::Message(message) => !self.ignored.contains(&message.author),
            _ => true,
        };
        for entry in self.recent.iter().rev().filter(is_shown) {
            if rows >= room {
                break;
            }
            let text = render(entry, size.columns, self.style);
            rows += text
                .lines()
                .map(|row| height(row, size.columns))
                .sum::<usize>();
            newest_first.push(text);
        }
        let text: String = newest_first.into_iter().rev().collect();
        let mut surplus = rows.saturating_sub(room);
        // Another program may have switched the reports off.
        let mut screen = [
            &self.window.enter(),
            HOME,
            &CLEAR_ROW.repeat(size.rows),
            HOME,
        ]
        .concat();
        for row in text.split_inclusive('\n') {
            let height = height(row, size.columns);
            if height <= surplus {
                surplus -= height;
            } else {
                // A row that fits in part is shown whole, and its beginning scrolls away.
                surplus = 0;
                screen.push_str(row);
            }
        }
        self.drawn = size;
        self.resized = None;
        self.damaged = false;
        self.begins_low = rows == 0;
        self.print_rows(&screen);
    }

    fn print_rows(&mut self, rows: &str) {
        self.print(format!(
            "{WRAP_OFF}{}{WRAP_ON}\n",
            rows.trim_end_matches('\n')
        ));
    }

    /// Hands text to rustyline, and waits while rustyline has not taken the text before.
    fn print(&mut self, text: String) {
        // An error means that the terminal is gone. The editor notices that too, and says so.
        let _ = self.terminal.print(text);
        self.progress.fetch_add(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::thread::JoinHandle;

    use super::*;
    use crate::room::text::SafeText;

    /// How long a test waits for what must come, and for what must not.
    const LONG: Duration = Duration::from_mins(1);
    const SHORT: Duration = Duration::from_millis(100);

    struct Sink(Sender<String>);

    impl ExternalPrinter for Sink {
        fn print(&mut self, text: String) -> rustyline::Result<()> {
            let _ = self.0.send(text);
            Ok(())
        }
    }

    struct Running {
        queue: Arc<BoundedQueue<Entry>>,
        area: Arc<InputArea>,
        printed: Receiver<String>,
        thread: JoinHandle<()>,
    }

    /// A printer above an input that holds this line.
    fn running(line: &str) -> Running {
        let (queue, area) = (Arc::new(BoundedQueue::new()), Arc::new(InputArea::new()));
        area.set_prompt("> ");
        area.set_line(line);
        let (sender, receiver) = channel();
        let printer = Printer::new(
            Sink(sender),
            Arc::clone(&queue),
            (Arc::clone(&area), Arc::new(Window::new(None))),
            Style::PLAIN,
            Arc::default(),
        );
        let thread = thread::spawn(move || printer.run());
        Running {
            queue,
            area,
            printed: receiver,
            thread,
        }
    }

    impl Running {
        fn show(&self, text: &str) {
            self.queue.push(Entry::Notice(SafeText::new(text)));
        }

        /// Closes the queue, and returns what was printed from now on.
        fn stop(self) -> String {
            self.queue.close();
            assert!(self.thread.join().is_ok());
            self.printed.iter().collect()
        }
    }

    fn too_tall() -> String {
        "row\n".repeat(10_000)
    }

    #[test]
    fn a_flood_at_the_end_is_shown_whole() {
        let printer = running("");
        (0..5000).for_each(|i| printer.show(&format!("{i} of 5000")));
        let shown = printer.stop();
        let rows: Vec<_> = shown
            .lines()
            .filter(|row| row.contains("of 5000"))
            .collect();
        assert_eq!(rows.len(), 5000);
        assert!(rows.last().is_some_and(|row| row.contains("4999 of 5000")));
    }

    #[test]
    fn a_tall_input_holds_back_until_it_is_gone() {
        let printer = running(&too_tall());
        printer.show("hello");
        assert!(printer.printed.recv_timeout(SHORT).is_err());
        assert!(printer.area.set_line(""), "the printer must hear of it");
        printer.queue.wake();
        assert!(
            printer
                .printed
                .recv_timeout(LONG)
                .is_ok_and(|text| text.contains("* hello"))
        );
        printer.stop();
    }

    #[test]
    fn a_tall_input_does_not_hold_back_for_ever() {
        let printer = running(&too_tall());
        (0..HELD).for_each(|_| printer.show("hello"));
        assert!(
            printer
                .printed
                .recv_timeout(LONG)
                .is_ok_and(|text| text.contains("* hello"))
        );
        printer.stop();
    }

    #[test]
    fn a_tall_input_does_not_keep_the_program_from_ending() {
        let printer = running(&too_tall());
        printer.show("goodbye");
        assert!(printer.stop().contains("* goodbye"));
    }

    #[test]
    fn a_row_wider_than_it_was_counted_does_not_go_on_at_column_0() {
        let printer = running("");
        printer.show("hello");
        let shown = printer.stop();
        assert!(shown.starts_with("\x1b[?7l* hello\x1b[?7h\n"), "{shown:?}");
    }

    /// Waits until everything up to this mark counts as shown.
    fn wait_for_mark(area: &InputArea, mark: u64) {
        let start = Instant::now();
        while area.shown_mark() != mark {
            assert!(start.elapsed() < LONG, "at {}", area.shown_mark());
            thread::yield_now();
        }
    }

    #[test]
    fn a_mark_counts_once_what_came_before_it_is_printed() {
        let printer = running("");
        printer.show("ada joined");
        printer.queue.push(Entry::Mark(6));
        wait_for_mark(&printer.area, 6);
        assert!(
            printer
                .printed
                .try_recv()
                .is_ok_and(|text| text.contains("* ada joined"))
        );
        assert_eq!(printer.printed.try_recv().as_deref(), Ok(NOTHING));

        // The input is so tall that bob's joining does not get onto the screen.
        printer.area.set_line(&too_tall());
        printer.show("bob joined");
        printer.queue.push(Entry::Mark(7));
        assert!(printer.printed.recv_timeout(SHORT).is_err());
        assert_eq!(printer.area.shown_mark(), 6);
        printer.area.set_line("");
        printer.queue.wake();
        wait_for_mark(&printer.area, 7);
        assert!(
            printer
                .printed
                .try_recv()
                .is_ok_and(|text| text.contains("* bob joined"))
        );
        printer.stop();
    }

    #[test]
    fn a_mark_is_not_reached_while_the_editor_is_busy_with_keys() {
        /// Takes texts as rustyline does: one waits for the editor, and the next one for that place.
        struct BusyEditor(std::sync::mpsc::SyncSender<String>);
        impl ExternalPrinter for BusyEditor {
            fn print(&mut self, text: String) -> rustyline::Result<()> {
                let _ = self.0.send(text);
                Ok(())
            }
        }
        let (queue, area) = (Arc::new(BoundedQueue::new()), Arc::new(InputArea::new()));
        area.set_prompt("> ");
        area.set_line("");
        let (sender, taken) = std::sync::mpsc::sync_channel(1);
        let progress = Arc::new(AtomicU64::new(0));
        let printer = Printer::new(
            BusyEditor(sender),
            Arc::clone(&queue),
            (Arc::clone(&area), Arc::new(Window::new(None))),
            Style::PLAIN,
            Arc::clone(&progress),
        );
        let thread = thread::spawn(|| printer.run());
        queue.push(Entry::Notice(SafeText::new("ada joined")));
        queue.push(Entry::Mark(1));
        thread::sleep(SHORT);
        assert_eq!(area.shown_mark(), 0, "nobody can have read it");
        assert!(taken.recv().is_ok_and(|text| text.contains("ada joined")));
        wait_for_mark(&area, 1);
        drop(taken);
        queue.close();
        thread.join().unwrap();
    }

    #[test]
    fn a_mark_is_not_seen() {
        let printer = running("");
        printer.show("one");
        printer.queue.push(Entry::Mark(1));
        printer.show("two");
        printer.queue.push(Entry::Mark(2));
        let area = Arc::clone(&printer.area);
        let shown = printer.stop();
        let rows = shown.lines().filter(|row| row.contains("* "));
        assert_eq!(rows.count(), 2, "{shown:?}");
        assert_eq!(area.shown_mark(), 2);
    }

    #[test]
    fn what_has_been_cleared_is_not_drawn_again() {
        let printer = running("");
        printer.show("old");
        printer.queue.push(Entry::Mark(1));
        wait_for_mark(&printer.area, 1);
        printer.queue.push(Entry::Clear);
        printer.show("new");
        let mut shown = wait_for_redraw(&printer);
        // The new entry may come too late to be drawn with the rest.
        while !shown.contains("* new") {
            shown += &printer.printed.recv_timeout(LONG).unwrap();
        }
        assert!(!shown.contains("* old"), "{shown:?}");
        printer.stop();
    }

    #[test]
    fn another_style_is_for_what_is_on_the_screen_too() {
        let printer = running("");
        printer.show("old");
        let style = Style {
            color: true,
            ..Style::PLAIN
        };
        printer.queue.push(Entry::Style(style));
        let shown = wait_for_redraw(&printer);
        assert!(shown.contains("m*\x1b"), "{shown:?}");
        printer.stop();
    }

    /// Waits until the printer draws the screen again, and returns what it draws.
    fn wait_for_redraw(printer: &Running) -> String {
        loop {
            match printer.printed.recv_timeout(LONG) {
                Ok(text) if text.contains(CLEAR_ROW) => return text,
                Ok(_) => {}
                Err(error) => panic!("nothing is drawn again: {error}"),
            }
        }
    }

    #[test]
    fn the_bell_rings_without_a_row_of_its_own() {
        let printer = running("");
        printer.queue.push(Entry::Codes("\x07".to_owned()));
        let shown = printer.printed.recv_timeout(LONG);
        assert_eq!(shown.as_deref(), Ok("\x07\x1b[A\n"));
        printer.stop();
    }
}
