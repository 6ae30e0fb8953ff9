//! Completion by Tab, in place. This module knows candidates, and not what they mean.
//!
//! rustyline's own completion shows a list and then waits for a key, and nothing can be printed
//! meanwhile.

use std::sync::Arc;

use super::edit::Edit;

/// What can stand at the cursor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::cmd) struct Completion {
    /// Where in the line the word at the cursor begins, in bytes.
    pub(in crate::cmd) start: usize,
    /// The texts of which each can replace everything from there to the cursor.
    pub(in crate::cmd) candidates: Vec<String>,
}

/// Says what can stand at a place in a line, given in bytes. The editor's thread calls it.
pub(super) type Complete = Arc<dyn Fn(&str, usize) -> Completion + Send + Sync>;

/// The candidates that one Tab after another puts into the line. Any other key ends the cycle.
pub(super) struct CandidateCycle {
    /// One at least.
    candidates: Vec<String>,
    /// Which candidate is in the line; none while the line has what all candidates have in common.
    chosen: Option<usize>,
    /// Where in the line the text of the cycle begins, in bytes.
    start: usize,
    /// Where it ends.
    end: usize,
}

impl CandidateCycle {
    /// Begins a cycle at the word before the cursor, and returns its first edit. Returns `None` where
    /// there is no candidate, or the completion does not fit the line.
    pub(super) fn start(completion: Completion, line: &str, cursor: usize) -> Option<(Self, Edit)> {
        let Completion { start, candidates } = completion;
        let typed = line.get(start..cursor)?;
        let common = common_start(&candidates)?.to_owned();
        let mut cycle = Self {
            candidates,
            chosen: None,
            start,
            end: cursor,
        };
        let edit = if common.len() > typed.len() {
            cycle.put(common)
        } else {
            cycle.step(true)
        };
        Some((cycle, edit))
    }

    /// Whether there is more than one candidate.
    pub(super) fn has_choice(&self) -> bool {
        self.candidates.len() > 1
    }

    /// Steps to the next candidate, or back to the one before. Returns the edit for it.
    pub(super) fn step(&mut self, forwards: bool) -> Edit {
        let count = self.candidates.len();
        let next = match (self.chosen, forwards) {
            (None, true) => 0,
            (Some(at), true) => (at + 1) % count,
            (None, false) => count - 1,
            (Some(at), false) => (at + count - 1) % count,
        };
        self.chosen = Some(next);
        self.put(self.candidates.get(next).cloned().unwrap_or_default())
    }

    fn put(&mut self, text: String) -> Edit {
        let range = self.start..self.end;
        self.end = self.start + text.len();
        Edit { range, text }
    }
}

/// The longest text that all candidates begin with; `None` where there are no candidates.
fn common_start(candidates: &[String]) -> Option<&str> {
    let (first, others) = candidates.split_first()?;
    let common = others.iter().fold(first.len(), |length, other| {
        let same = first.chars().zip(other.chars());
        let equal = same.take_while(|(one, another)| one == another);
        length.min(equal.map(|(character, _)| character.len_utf8()).sum())
    });
    first.get(..common)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the line is after these keys at its end: `>` for Tab, `<` for Shift-Tab.
    fn typed(line: &str, start: usize, candidates: &[&str], keys: &str) -> String {
        let mut shown = line.to_owned();
        let mut cycle: Option<CandidateCycle> = None;
        for key in keys.chars() {
            let edit = if let Some(cycle) = &mut cycle {
                cycle.step(key == '>')
            } else {
                let candidates = candidates.iter().map(|&c| c.to_owned()).collect();
                let completion = Completion { start, candidates };
                let Some((new, edit)) = CandidateCycle::start(completion, line, line.len()) else {
                    return shown;
                };
                cycle = Some(new);
                edit
            };
            shown.replace_range(edit.range, &edit.text);
        }
        shown
    }

    #[test]
    fn the_only_candidate_is_put_in() {
        assert_eq!(typed("/he", 0, &["/help "], ">"), "/help ");
        assert_eq!(typed("/help", 0, &["/help "], ">>"), "/help ");
    }

    #[test]
    fn what_candidates_have_in_common_comes_first_then_one_after_the_other() {
        let of = |keys| typed("hi a", 3, &["adam", "adalbert"], keys);
        assert_eq!(of(">"), "hi ada");
        assert_eq!(of(">>"), "hi adam");
        assert_eq!(of(">>>"), "hi adalbert");
        assert_eq!(of(">>>>"), "hi adam");
        assert_eq!(of("><"), "hi adalbert");
        assert_eq!(of("><<<"), "hi adalbert");
    }

    #[test]
    fn where_there_is_nothing_in_common_to_add_the_first_comes_at_once() {
        assert_eq!(typed("A", 0, &["ada", "bob"], ">"), "ada");
        assert_eq!(typed("", 0, &["ada", "bob"], ">>"), "bob");
        assert_eq!(typed("/na", 0, &["/names", "/nick"], ">"), "/names");
    }

    #[test]
    fn characters_of_several_bytes_are_not_cut() {
        assert_eq!(typed("n", 0, &["né", "nè"], ">"), "né");
        assert_eq!(typed("日", 0, &["日本", "日本語"], ">>>"), "日本語");
    }

    #[test]
    fn a_completion_that_does_not_fit_the_line_is_none() {
        assert_eq!(typed("hi", 0, &[], ">"), "hi");
        assert_eq!(typed("hi", 7, &["ada"], ">"), "hi");
        assert_eq!(typed("é", 1, &["ada"], ">"), "é");
    }
}
