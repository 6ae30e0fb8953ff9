//! The latest messages, which are kept for `/history`, `/show` and `/url`.

use std::collections::{HashSet, VecDeque};

use jiff::civil::Date;

use crate::cmd::terminal::{Author, ChatMessage, Entry, State, Style, render_plain, url};

use super::glance::day_row;

/// How many there are at most.
const KEPT: usize = 1000;

/// The latest messages.
#[derive(Default)]
pub(super) struct FormerMessages {
    /// Oldest first, each with the day on which it was shown.
    messages: VecDeque<(Date, ChatMessage)>,
    /// Whom the user ignores: what they said before is not shown either.
    ignored: HashSet<Author>,
}

impl FormerMessages {
    /// Adds a message that is shown on this day.
    pub(super) fn push(&mut self, message: ChatMessage, day: Date) {
        if self.messages.len() == KEPT {
            self.messages.pop_front();
        }
        self.messages.push_back((day, message));
    }

    /// The user ignores these, and nobody else.
    pub(super) fn ignore(&mut self, authors: HashSet<Author>) {
        self.ignored = authors;
    }

    /// Takes note of what has become of the user's messages with these numbers.
    pub(super) fn turn(&mut self, numbers: &[u64], state: State) {
        for (_, message) in &mut self.messages {
            message.turn(numbers, state);
        }
    }

    /// The messages, but for those of people whom the user ignores, oldest first, with their days.
    pub(super) fn shown(&self) -> impl DoubleEndedIterator<Item = &(Date, ChatMessage)> {
        let is_shown =
            |(_, message): &&(Date, ChatMessage)| !self.ignored.contains(&message.author);
        self.messages.iter().filter(is_shown)
    }

    /// The same, newest first.
    pub(super) fn newest_first(&self) -> impl Iterator<Item = &ChatMessage> {
        self.shown().rev().map(|(_, message)| message)
    }

    /// The last `count` messages, one a line, and the day before those of another day than the line before.
    /// The first line is of today, unless it says otherwise.
    pub(super) fn lines(&self, count: usize, today: Date) -> String {
        let skipped = self.shown().count().saturating_sub(count);
        let mut day = today;
        let mut lines = String::new();
        for (date, message) in self.shown().skip(skipped) {
            if std::mem::replace(&mut day, *date) != *date {
                lines.push_str(&day_row(*date));
                lines.push('\n');
            }
            let message = Entry::Message(message.clone());
            lines.push_str(&render_plain(&message, Style::PLAIN));
        }
        lines.trim_end().to_owned()
    }

    /// The address of a web page that was said, the last one being the first, and before it whose it is.
    pub(super) fn url(&self, number: usize) -> Option<(String, String)> {
        let mut left = number.checked_sub(1)?;
        for message in self.newest_first() {
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
            return Some((whose, url));
        }
        None
    }
}
