//! The tests of what stands on the page, and of its keys.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use super::*;
use crate::room::text::SafeText;

/// A terminal, of which a test gets what is written.
struct Sink(Sender<String>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = self.0.send(String::from_utf8_lossy(bytes).into_owned());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A terminal on which nothing is typed yet, what is written to it, and what is delivered.
fn linear() -> (Linear<Sink>, Receiver<String>, Receiver<Input>) {
    let (written, writing) = channel();
    let (delivered, delivering) = channel();
    let linear = Linear {
        page: Mutex::new(Page::new(Sink(written), true)),
        queue: Arc::new(BoundedQueue::new()),
        deliver: Arc::new(move |input| drop(delivered.send(input))),
        asking: QuitKeys::Both,
    };
    (linear, writing, delivering)
}

/// What is written, and the lines that are delivered, of these keys.
fn typed(keys: &str) -> (String, Vec<String>) {
    let (linear, written, delivered) = linear();
    linear.read_keys(keys.as_bytes(), &Console::silent());
    drop(linear);
    let lines = delivered.iter().filter_map(|input| match input {
        Input::Line { text, .. } => Some(text),
        _ => None,
    });
    (written.iter().collect(), lines.collect())
}

#[test]
fn keys_edit_the_line_and_show_what_they_do() {
    for (keys, shown, line) in [
        ("hello\r", "hello\n", "hello"),
        (
            "日本\x7f\x08x\r",
            "日本\x08 \x08\x08 \x08\x08 \x08\x08 \x08x\n",
            "x",
        ),
        ("ab cd\x17\r", "ab cd\x08 \x08\x08 \x08\n", "ab "),
        ("ab\x15c\r", "ab\x08 \x08\x08 \x08c\n", "c"),
        ("ab\x03c\r", "ab\nc\n", "c"),
        ("a\x1b\rb\x7f\r", "a\nb\na\n\n", "a"),
        ("\x1b[C\x1b[1;5A\x1b[200~a\x07\x1b[Z\r", "a\n", "a"),
    ] {
        let (written, lines) = typed(keys);
        assert_eq!(written, shown, "{keys:?}");
        assert_eq!(lines, [line], "{keys:?}");
    }
    let (written, lines) = typed("one\rtwo\rha\x1b[A\x1b[A\x1b[B\x1b[B\r");
    assert_eq!(written, "one\ntwo\nha\ntwo\none\ntwo\nha\n");
    assert_eq!(lines, ["one", "two", "ha"]);
}

#[test]
fn keys_that_leave_ask_first_and_another_key_in_between_has_them_ask_again() {
    for (keys, expected) in [
        ("\x03", "C end"),
        ("\x04", "D end"),
        ("\x03\x03", "C end end"),
        ("\x03\x04", "C end end"),
        ("\x03a\x7f\x03", "C C end"),
        ("a\x03\x03", "C end"),
        ("a\x04\x15\x04", "D end"),
    ] {
        let (linear, _written, delivered) = linear();
        linear.read_keys(keys.as_bytes(), &Console::silent());
        drop(linear);
        let words = delivered.iter().map(|input| match input {
            Input::AskToQuit { key } => key.trim_start_matches("Ctrl-"),
            Input::Quit => "end",
            other => panic!("{other:?}"),
        });
        assert_eq!(words.collect::<Vec<_>>().join(" "), expected, "{keys:?}");
    }
}

#[test]
fn what_a_terminal_may_not_know_is_not_written_and_the_bell_calls() {
    let (linear, written, _delivered) = linear();
    let codes = Entry::Codes("\x1b]9;e2echat: bob names you\x1b\\".to_owned());
    for entry in [codes, Entry::Title("lobby".to_owned()), Entry::Clear] {
        linear.queue.push(entry);
    }
    linear.queue.close();
    let end = linear.write_entries(Style::PLAIN, &AtomicU64::new(0));
    assert!(end.is_ok());
    drop(linear);
    assert_eq!(written.iter().collect::<String>(), BELL);
}

#[test]
fn a_flood_does_not_wait_for_enter_and_at_the_end_all_is_written() {
    let (linear, written, _delivered) = linear();
    let linear = Arc::new(linear);
    linear.page().push('x');
    let writer = Arc::clone(&linear);
    let writing = thread::spawn(move || writer.write_entries(Style::PLAIN, &AtomicU64::new(0)));
    let notice = |i: usize| Entry::Notice(SafeText::new(&i.to_string()));
    (0..HELD).for_each(|i| linear.queue.push(notice(i)));
    let all: Vec<_> = (0..HELD).map(|i| format!("* {i}\n")).collect();
    let expected = format!("x\n{}x", all.concat());
    let mut seen = String::new();
    while seen.len() < expected.len() {
        seen += &written.recv().unwrap();
    }
    assert_eq!(seen, expected);
    linear.queue.push(notice(HELD));
    linear.queue.close();
    assert!(writing.join().unwrap().is_ok());
    drop(linear);
    assert_eq!(written.iter().collect::<String>(), format!("\n* {HELD}\n"));
}
