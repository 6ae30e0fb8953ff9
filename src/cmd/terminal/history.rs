//! The lines that Up and Down bring back. Ctrl-R brings back those among them that contain what the
//! user typed.
//!
//! rustyline's own history does not serve: it takes no lines while rustyline reads, and rustyline
//! reads all the time. Its search waits for keys of its own, and nothing can be printed meanwhile.

/// How many lines are kept.
const LIMIT: usize = 500;

/// The lines that the user sent, and where among them the user is.
#[derive(Default)]
pub(super) struct History {
    lines: Vec<String>,
    /// What the user was typing when leaving it for an older line.
    draft: String,
    /// How many lines back from the draft the user is.
    back: usize,
    /// What Ctrl-R searches for, until the user presses another key.
    sought: Option<String>,
}

impl History {
    /// Keeps a line that the user sent, unless it is the latest already. Returns to an empty draft.
    pub(super) fn add(&mut self, line: &str) {
        self.leave_for_draft();
        if self.lines.last().map(String::as_str) != Some(line) {
            if self.lines.len() == LIMIT {
                self.lines.remove(0);
            }
            self.lines.push(line.to_owned());
        }
    }

    /// Returns to an empty draft.
    pub(super) fn leave_for_draft(&mut self) {
        self.back = 0;
        self.draft.clear();
    }

    /// Goes to the line before; `typed` is what the input holds. Returns whether there is one.
    pub(super) fn go_back(&mut self, typed: &str) -> bool {
        if self.back == self.lines.len() {
            return false;
        }
        if self.back == 0 {
            typed.clone_into(&mut self.draft);
        }
        self.back += 1;
        true
    }

    /// Goes to the line after, in the end to the draft. Returns whether there is one.
    pub(super) fn go_forward(&mut self) -> bool {
        if self.back == 0 {
            return false;
        }
        self.back -= 1;
        true
    }

    /// Goes to the latest line before this one that contains what the user had typed when the search
    /// began. Returns whether there is one. A search for an empty text finds nothing: whoever presses
    /// Ctrl-R first and then types, as in a shell, would type behind the line that came.
    pub(super) fn search(&mut self, typed: &str) -> bool {
        if typed.is_empty() {
            return false;
        }
        if self.sought.is_none() && typed != self.current() {
            self.back = 0;
        }
        let sought = self.sought.get_or_insert_with(|| typed.to_owned());
        let older = self.lines.len() - self.back;
        let found = self
            .lines
            .iter()
            .take(older)
            .rposition(|line| line != typed && line.contains(sought.as_str()));
        let Some(at) = found else { return false };
        if self.back == 0 {
            typed.clone_into(&mut self.draft);
        }
        self.back = self.lines.len() - at;
        true
    }

    /// Ends the search, so that the next Ctrl-R begins a new one.
    pub(super) fn end_search(&mut self) {
        self.sought = None;
    }

    /// The line where the user is, or the draft.
    pub(super) fn current(&self) -> &str {
        let from_end = self.lines.len().wrapping_sub(self.back);
        self.lines.get(from_end).unwrap_or(&self.draft)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(lines: &[&str]) -> History {
        let mut history = History::default();
        for line in lines {
            history.add(line);
        }
        history
    }

    fn older(history: &mut History, typed: &str) -> Option<String> {
        history.go_back(typed).then(|| history.current().to_owned())
    }

    fn newer(history: &mut History) -> Option<String> {
        history.go_forward().then(|| history.current().to_owned())
    }

    #[test]
    fn up_and_down_return_to_the_draft() {
        let mut history = of(&["one", "two"]);
        assert_eq!(older(&mut history, "half ty").as_deref(), Some("two"));
        assert_eq!(older(&mut history, "two").as_deref(), Some("one"));
        assert_eq!(older(&mut history, "one"), None);
        assert_eq!(newer(&mut history).as_deref(), Some("two"));
        assert_eq!(newer(&mut history).as_deref(), Some("half ty"));
        assert_eq!(newer(&mut history), None);
    }

    fn search(history: &mut History, typed: &str) -> Option<String> {
        history.search(typed).then(|| history.current().to_owned())
    }

    #[test]
    fn a_search_goes_from_line_to_line_and_stays_at_the_oldest() {
        let mut history = of(&["tea", "see the tree", "coffee", "tree"]);
        assert_eq!(search(&mut history, "tr").as_deref(), Some("tree"));
        assert_eq!(
            search(&mut history, "tree").as_deref(),
            Some("see the tree")
        );
        assert_eq!(search(&mut history, "see the tree"), None);
        assert_eq!(newer(&mut history).as_deref(), Some("coffee"));
    }

    #[test]
    fn a_search_that_has_ended_begins_anew_with_what_is_typed() {
        let mut history = of(&["one tea", "two", "one"]);
        assert_eq!(search(&mut history, "on").as_deref(), Some("one"));
        assert_eq!(search(&mut history, "one").as_deref(), Some("one tea"));
        history.end_search();
        assert_eq!(search(&mut history, "tw").as_deref(), Some("two"));
        assert_eq!(newer(&mut history).as_deref(), Some("one"));
        assert_eq!(newer(&mut history).as_deref(), Some("tw"));
        assert_eq!(search(&mut history, "tw").as_deref(), Some("two"));
    }

    #[test]
    fn a_search_shows_no_line_twice_in_a_row() {
        let mut history = of(&["tea", "a", "tea", "b", "tea"]);
        assert_eq!(search(&mut history, "te").as_deref(), Some("tea"));
        assert_eq!(search(&mut history, "tea"), None);
    }

    #[test]
    fn a_search_for_nothing_finds_nothing() {
        let mut history = of(&["one", "two"]);
        assert_eq!(search(&mut history, ""), None);
        assert_eq!(older(&mut history, "").as_deref(), Some("two"));
    }

    #[test]
    fn a_line_sent_twice_is_kept_once() {
        let mut history = of(&["one", "one"]);
        assert_eq!(older(&mut history, "").as_deref(), Some("one"));
        assert_eq!(older(&mut history, "one"), None);
    }

    #[test]
    fn sending_an_old_line_starts_at_the_end_again() {
        let mut history = of(&["one", "two"]);
        history.go_back("");
        history.go_back("two");
        history.add("one");
        assert_eq!(older(&mut history, "").as_deref(), Some("one"));
        assert_eq!(older(&mut history, "one").as_deref(), Some("two"));
    }

    #[test]
    fn the_oldest_lines_are_forgotten() {
        let mut history = History::default();
        (0..2 * LIMIT).for_each(|i| history.add(&i.to_string()));
        let kept = std::iter::from_fn(|| older(&mut history, "")).count();
        assert_eq!(kept, LIMIT);
    }
}
