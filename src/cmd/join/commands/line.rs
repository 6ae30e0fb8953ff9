//! A typed line, as everybody would see it: that decides whether it is a command.
//!
//! Messengers and web pages put signs into what one copies from them that show nothing. Before a
//! command they must not turn it into words for the whole room, and in a nick they are no part of it.

use crate::room::text::SafeText;

use super::table;

/// A line, in which what is for this program is as it is shown. What is to be said is as it was
/// typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line(String);

impl Line {
    /// A line that was typed.
    #[must_use]
    pub fn new(typed: &str) -> Self {
        let shown = SafeText::new(typed);
        let Some(rest) = shown.as_str().strip_prefix('/') else {
            return Self(typed.to_owned());
        };
        if rest.starts_with('/') {
            // Nothing but what is not shown stands before and between the two.
            let text = typed.split_once('/').map_or("", |(_, rest)| rest);
            let hidden = text.find('/').unwrap_or_default();
            return Self(format!("/{}", text.get(hidden..).unwrap_or_default()));
        }
        let name = shown.as_str().split(char::is_whitespace).next();
        let row = name.and_then(table::find);
        match row.and_then(table::Row::words_before_text) {
            None => Self(shown.to_string()),
            Some(words) => Self(with_text(typed, words)),
        }
    }

    /// The line.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A command whose text begins behind so many words, and is left as it is.
fn with_text(typed: &str, words: usize) -> String {
    let mut shown = Vec::new();
    let mut rest = typed;
    while shown.len() < words && !rest.is_empty() {
        rest = rest.trim_start();
        let (word, after) = rest.split_at(rest.find(char::is_whitespace).unwrap_or(rest.len()));
        let word = SafeText::new(word);
        if !word.as_str().is_empty() {
            shown.push(word.to_string());
        }
        rest = after;
    }
    let is_empty = SafeText::new(rest).as_str().trim().is_empty();
    shown.join(" ") + if is_empty { "" } else { rest }
}
