//! What Tab completes: commands, their arguments, and the nicks of those who are here.

use crate::cmd::terminal::Completion;

use super::table::{self, Argument};
use crate::cmd::join::here::Nicks;

/// What can stand at `cursor`, which is a place in `line`, in bytes, where these nicks are here.
pub(in crate::cmd::join) fn complete(nicks: &Nicks, line: &str, cursor: usize) -> Completion {
    let before = line.get(..cursor).unwrap_or(line);
    let start = before.rfind(char::is_whitespace).map_or(0, |at| at + 1);
    let word = before.get(start..).unwrap_or_default();
    let mut words = before.get(..start).unwrap_or_default().split_whitespace();
    let candidates = match words.next() {
        None if word.starts_with('/') => commands_beginning(word, " "),
        None if word.is_empty() => Vec::new(),
        None => nicks_beginning(nicks, word, ": "),
        Some(first) => match table::find(first) {
            Some(row) if words.next().is_none() => match row.argument() {
                Argument::Nick => nicks_beginning(nicks, word, " "),
                Argument::Command => commands_beginning(&format!("/{word}"), "")
                    .into_iter()
                    .map(|name| name.trim_start_matches('/').to_owned())
                    .collect(),
                Argument::OneOf(words) => beginning(words.split('|'), word, ""),
                Argument::Other => Vec::new(),
            },
            _ if word.is_empty() => Vec::new(),
            _ => nicks_beginning(nicks, word, " "),
        },
    };
    Completion { start, candidates }
}

fn nicks_beginning(nicks: &Nicks, word: &str, after: &str) -> Vec<String> {
    beginning(nicks.get().iter().map(String::as_str), word, after)
}

fn commands_beginning(word: &str, after: &str) -> Vec<String> {
    beginning(table::all().flat_map(table::Row::names), word, after)
}

/// Those names that begin with a word, in upper or lower case, each with `after` behind it.
fn beginning<'a>(all: impl Iterator<Item = &'a str>, word: &str, after: &str) -> Vec<String> {
    let begins = |name: &&str| {
        let start = name.get(..word.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(word))
    };
    all.filter(begins)
        .map(|name| format!("{name}{after}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn completions(line: &str) -> (usize, Vec<String>) {
        let nicks = Nicks::default();
        nicks.set(["Ada", "alan", "bob"].map(str::to_owned).to_vec());
        let Completion { start, candidates } = complete(&nicks, line, line.len());
        (start, candidates)
    }

    fn owned(start: usize, candidates: &[&str]) -> (usize, Vec<String>) {
        (
            start,
            candidates.iter().map(|it| (*it).to_owned()).collect(),
        )
    }

    #[test]
    fn a_nick_at_the_beginning_is_spoken_to() {
        assert_eq!(completions("a"), owned(0, &["Ada: ", "alan: "]));
        assert_eq!(completions("hello B"), owned(6, &["bob "]));
        assert_eq!(completions("x"), owned(0, &[]));
        assert_eq!(completions(""), owned(0, &[]), "Tab alone says nothing");
    }

    #[test]
    fn commands_and_what_stands_behind_them() {
        assert_eq!(completions("/wh"), owned(0, &["/who ", "/whois "]));
        assert_eq!(completions("/whois b"), owned(7, &["bob "]));
        assert_eq!(
            completions("/ignore "),
            owned(8, &["Ada ", "alan ", "bob "])
        );
        assert_eq!(completions("hello "), owned(6, &[]));
        assert_eq!(completions("/help unig"), owned(6, &["unignore"]));
        assert_eq!(completions("/notify m"), owned(8, &["mentions"]));
        assert_eq!(
            completions("/notify "),
            owned(
                8,
                &[
                    "off", "mentions", "all", "bell", "osc9", "osc777", "osc99", "desktop",
                    "command"
                ]
            )
        );
        assert_eq!(completions("/msg bob a"), owned(9, &["Ada ", "alan "]));
        assert_eq!(completions("/quit n"), owned(6, &[]));
    }

    #[test]
    fn a_cursor_in_the_middle_of_a_letter_is_no_reason_to_end() {
        let nicks = Nicks::default();
        complete(&nicks, "ä", 1);
        complete(&nicks, "ä", 99);
    }
}
