//! The lines that Up and Down bring back. rustyline's own history cannot be added to while it
//! reads, and it reads all the time.

/// How many lines are kept.
const LIMIT: usize = 500;

/// The lines sent so far, and where among them the user is.
#[derive(Default)]
pub(super) struct History {
    lines: Vec<String>,
    /// What was being typed when the user left it for an older line.
    draft: String,
    /// How many lines back from the draft.
    back: usize,
}

impl History {
    /// Keeps a line that was sent, and returns to an empty draft.
    pub(super) fn add(&mut self, line: &str) {
        self.back = 0;
        self.draft.clear();
        if self.lines.last().map(String::as_str) != Some(line) {
            if self.lines.len() == LIMIT {
                self.lines.remove(0);
            }
            self.lines.push(line.to_owned());
        }
    }

    /// Goes to the line before; `typed` is what the input holds. Whether there is one.
    pub(super) fn older(&mut self, typed: &str) -> bool {
        if self.back == self.lines.len() {
            return false;
        }
        if self.back == 0 {
            typed.clone_into(&mut self.draft);
        }
        self.back += 1;
        true
    }

    /// Goes to the line after, in the end to the draft. Whether there is one.
    pub(super) fn newer(&mut self) -> bool {
        if self.back == 0 {
            return false;
        }
        self.back -= 1;
        true
    }

    /// The line where the user is.
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
        history.older(typed).then(|| history.current().to_owned())
    }

    fn newer(history: &mut History) -> Option<String> {
        history.newer().then(|| history.current().to_owned())
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

    #[test]
    fn a_line_sent_twice_is_kept_once() {
        let mut history = of(&["one", "one"]);
        assert_eq!(older(&mut history, "").as_deref(), Some("one"));
        assert_eq!(older(&mut history, "one"), None);
    }

    #[test]
    fn sending_an_old_line_starts_at_the_end_again() {
        let mut history = of(&["one", "two"]);
        history.older("");
        history.older("two");
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
