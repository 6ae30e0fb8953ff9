//! Who is here, in so few rows that whoever enters has the rest of the screen for what is said.

use crate::room::names::Nick;

use super::sort;

/// The columns of a row of the usual terminal, without those for the sign and the time of a notice.
const ROW: usize = 70;

/// How much of a row can be empty, as a nick is not broken: the longest nick, its comma, and a space.
const UNUSED: usize = 26;

/// The same for the words around the nicks.
const LONGEST_WORD: usize = 12;

/// What stands behind whoever is here: where a newcomer reads on.
const HELP: &str = "; /help helps";
const ALL_AND_HELP: &str = "; /names shows all, /help helps";

/// How many rows of the usual terminal a notice takes, about.
pub(in crate::cmd::join) fn rows(text: &str) -> usize {
    1 + text.len().saturating_sub(ROW).div_ceil(ROW - UNUSED)
}

/// The words for who is here, in so many rows of the usual terminal: groups, each with what is known of those in it.
pub(in crate::cmd::join) fn here(mut groups: Vec<(String, Vec<Nick>)>, rows: usize) -> String {
    for (_, nicks) in &mut groups {
        sort(nicks);
    }
    let all = groups.iter().map(|(_, nicks)| nicks.len()).sum();
    if all == 0 {
        return format!("nobody else is here yet{HELP}");
    }
    let nicks = groups.iter().flat_map(|(_, nicks)| nicks);
    let longest = nicks.map(|nick| nick.as_str().len()).max();
    let unused = longest.unwrap_or(0).max(LONGEST_WORD) + 2;
    let most = ROW * rows - unused * rows.saturating_sub(1);
    let naming = |number: usize| {
        let help = if number < all { ALL_AND_HELP } else { HELP };
        format!("here: {}{help}", list(&groups, number))
    };
    let fitting = (0..=all).rev().map(naming).find(|it| it.len() <= most);
    fitting.unwrap_or_else(|| naming(0))
}

/// The groups, with so many people named in all.
fn list(groups: &[(String, Vec<Nick>)], mut number: usize) -> String {
    let groups = groups.iter().map(|(about, nicks)| {
        let (named, others) = nicks.split_at(number.min(nicks.len()));
        number -= named.len();
        let others = match (named.len(), others.len()) {
            (_, 0) => None,
            (0, others) => Some(others.to_string()),
            (_, others) => Some(format!("{others} more")),
        };
        let named = named.iter().map(Nick::to_string);
        let named: Vec<String> = named.chain(others).collect();
        format!("{} ({about})", named.join(", "))
    });
    groups.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(about: &str, nicks: impl IntoIterator<Item = String>) -> (String, Vec<Nick>) {
        let nicks = nicks.into_iter().map(|nick| nick.parse().unwrap());
        (about.to_owned(), nicks.collect())
    }

    #[test]
    fn all_are_named_where_there_is_room() {
        let groups = || {
            vec![
                group("verified", ["carl".to_owned(), "bob".to_owned()]),
                group("new", ["ada".to_owned()]),
            ]
        };
        let all = "here: bob, carl (verified); ada (new); /help helps";
        assert_eq!(here(groups(), 2), all);
        assert_eq!(here(groups(), 1), all);
        let nobody = "nobody else is here yet; /help helps";
        assert_eq!(here(Vec::new(), 1), nobody);
    }

    #[test]
    fn of_many_as_many_are_named_as_there_is_room_for() {
        for length in 2..=24 {
            for people in [1, 2, 3, 31, 999] {
                let nicks =
                    (0..people).map(|number| format!("n{number:0>width$}", width = length - 1));
                for rows in [1, 2] {
                    let text = here(vec![group("for this stay only", nicks.clone())], rows);
                    assert!(text.len() <= rows * ROW, "{text}");
                }
            }
        }
        let nicks = (10..41).map(|number| format!("user{number}"));
        let groups = vec![group("known", ["ada".to_owned()]), group("new", nicks)];
        assert_eq!(
            here(groups, 1),
            "here: ada (known); 31 (new); /names shows all, /help helps"
        );
    }
}
