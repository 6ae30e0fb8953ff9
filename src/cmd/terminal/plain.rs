//! Input and output where there is no terminal: lines in, lines out, on two threads.
//!
//! The reader takes bytes from standard input and delivers lines. Unless somebody types them, it takes
//! a credit for each, so it never runs further ahead than the program allows. It ends with the input
//! or with the program: nothing can interrupt a read, and nothing is lost if it never returns. The
//! writer takes entries from the queue, and writes and flushes each as one line. It ends when the queue
//! is closed, or when standard output takes nothing more.

use std::borrow::Cow;
use std::io::{self, BufRead, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::entry::Entry;
use super::input::{Deliver, Input, MAX_LINE};
use super::queue::BoundedQueue;
use super::render::render_plain;
use super::style::Style;
use crate::cmd::credits::Credits;

/// How long the writer waits at once; it waits again when that is over.
const FOREVER: Duration = Duration::from_hours(1);

/// Delivers the lines of an input, and then its end.
pub(super) fn read_lines(input: impl BufRead, credits: Option<&Credits>, deliver: &Deliver) {
    let mut lines = Lines { input };
    loop {
        match lines.next() {
            Ok(Some(line)) => {
                if let Some(credits) = credits {
                    credits.take(1);
                }
                deliver(line);
            }
            Ok(None) => return deliver(Input::End),
            Err(error) => return deliver(Input::Failed(error)),
        }
    }
}

/// Writes entries until the queue is closed and empty.
///
/// # Errors
/// If the output takes nothing more. The queue is then closed, and [`Input::OutputClosed`] delivered.
pub(super) fn write_entries(
    queue: &BoundedQueue<Entry>,
    mut output: impl Write,
    mut style: Style,
    deliver: &Deliver,
    progress: &AtomicU64,
) -> io::Result<()> {
    loop {
        let taken = queue.take(FOREVER);
        for entry in &taken.items {
            if let Entry::Style(new) = entry {
                style = *new;
            }
            let line = render_plain(entry, style);
            if let Err(error) = output
                .write_all(line.as_bytes())
                .and_then(|()| output.flush())
            {
                queue.close();
                deliver(Input::OutputClosed);
                return Err(error);
            }
            progress.fetch_add(1, Ordering::SeqCst);
        }
        if taken.closed {
            return Ok(());
        }
    }
}

/// Cuts bytes into lines, and keeps at most [`MAX_LINE`] bytes of one.
struct Lines<R> {
    input: R,
}

impl<R: BufRead> Lines<R> {
    /// Reads the next line, without its end and with U+FFFD in place of what is not UTF-8. Returns
    /// `None` at the end of the input.
    fn next(&mut self) -> io::Result<Option<Input>> {
        let mut line = Vec::new();
        let mut bytes: u64 = 0;
        loop {
            let chunk = match self.input.fill_buf() {
                Ok(chunk) => chunk,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if chunk.is_empty() && bytes == 0 {
                return Ok(None);
            }
            let end = chunk.iter().position(|&byte| byte == b'\n');
            let part = end.map_or(chunk, |end| chunk.get(..end).unwrap_or(chunk));
            let ended = end.is_some() || chunk.is_empty();
            let used = part.len() + usize::from(end.is_some());
            let room = MAX_LINE.saturating_sub(line.len());
            line.extend_from_slice(part.get(..room).unwrap_or(part));
            bytes += part.len() as u64;
            self.input.consume(used);
            if ended {
                return Ok(Some(to_input(&line, bytes)));
            }
        }
    }
}

/// The input for a line of `bytes` bytes, of which `line` is what was kept.
fn to_input(line: &[u8], bytes: u64) -> Input {
    if bytes > line.len() as u64 {
        return Input::TooLong { bytes };
    }
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let text = String::from_utf8_lossy(line);
    Input::Line {
        is_utf8: matches!(text, Cow::Borrowed(_)),
        text: text.into_owned(),
        shown: 0,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, mpsc};
    use std::thread;

    use super::*;
    use crate::room::text::SafeText;

    fn read(input: impl BufRead) -> Vec<Input> {
        let (sender, receiver) = mpsc::channel();
        let deliver: Deliver = Arc::new(move |input| drop(sender.send(input)));
        read_lines(input, None, &deliver);
        drop(deliver);
        receiver.iter().collect()
    }

    fn lines(input: &[u8]) -> Vec<String> {
        read(io::BufReader::with_capacity(3, input))
            .into_iter()
            .map(|input| match input {
                Input::Line { text, .. } => text,
                other => format!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn lines_of_all_kinds() {
        assert_eq!(
            lines(b"one\r\n\n  \ntwo\nlast"),
            ["one", "", "  ", "two", "last", "End"]
        );
        assert_eq!(lines(b""), ["End"]);
    }

    #[test]
    fn a_line_that_is_not_utf8_does_not_end_the_input() {
        assert_eq!(lines(b"a\xffb\nc\n"), ["a\u{fffd}b", "c", "End"]);
    }

    #[test]
    fn an_endless_line_does_not_fill_the_memory() {
        let endless = io::Read::take(io::repeat(b'x'), 100_000_000);
        let input = io::Read::chain(endless, &b"\nnext\n"[..]);
        let inputs = read(io::BufReader::new(input));
        assert!(matches!(
            inputs.as_slice(),
            [Input::TooLong { bytes: 100_000_000 }, Input::Line { text, .. }, Input::End] if text == "next"
        ));
    }

    #[test]
    fn the_longest_line_is_delivered() {
        let longest = "x".repeat(MAX_LINE);
        assert!(
            matches!(read(longest.as_bytes()).first(), Some(Input::Line { text, .. }) if *text == longest)
        );
        let longer = longest + "x";
        assert!(matches!(
            read(longer.as_bytes()).first(),
            Some(Input::TooLong { bytes: 65_537 })
        ));
    }

    #[test]
    fn the_reader_does_not_run_ahead() {
        const CREDITS: usize = 5;
        let (sender, receiver) = mpsc::channel();
        let deliver: Deliver = Arc::new(move |input| drop(sender.send(input)));
        let credits = Arc::new(Credits::new(CREDITS));
        let given = Arc::clone(&credits);
        let reading = thread::spawn(move || {
            let lines = "line\n".repeat(3 * CREDITS);
            read_lines(lines.as_bytes(), Some(&given), &deliver);
        });
        let mut seen = 0;
        while receiver.recv_timeout(Duration::from_millis(200)).is_ok() {
            seen += 1;
        }
        assert_eq!(seen, CREDITS);
        (0..2 * CREDITS).for_each(|_| {
            credits.give(1);
            assert!(receiver.recv().is_ok());
        });
        assert!(reading.join().is_ok());
    }

    #[test]
    fn a_closed_output_is_reported_once_and_holds_up_nobody() {
        struct Broken;
        impl Write for Broken {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let (sender, receiver) = mpsc::channel();
        let deliver: Deliver = Arc::new(move |input| drop(sender.send(input)));
        let queue = BoundedQueue::new();
        let notice = || Entry::Notice(SafeText::new("hello"));
        queue.push(notice());
        let written = write_entries(&queue, Broken, Style::PLAIN, &deliver, &AtomicU64::new(0));
        assert_eq!(
            written.map_err(|error| error.kind()),
            Err(io::ErrorKind::BrokenPipe)
        );
        (0..10_000).for_each(|_| queue.push(notice()));
        drop(deliver);
        assert_eq!(receiver.iter().count(), 1);
    }
}
