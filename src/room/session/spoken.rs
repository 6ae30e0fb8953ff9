//! What a member has said lately, so that it can tell its user what a reader could not open.

use std::collections::VecDeque;

use crate::cipher::encoding::Digest;
use crate::room::names::Nick;

/// How many messages are remembered.
const LATELY: usize = 1024;

struct Message {
    /// The digest of its header.
    digest: Digest,
    text: String,
    /// Who could not open it: that is said once of each.
    unread_by: Vec<Nick>,
}

/// The latest messages, oldest first.
#[derive(Default)]
pub(super) struct Spoken(VecDeque<Message>);

impl Spoken {
    /// Something is said.
    pub(super) fn push(&mut self, digest: Digest, text: String) {
        if self.0.len() == LATELY {
            self.0.pop_front();
        }
        self.0.push_back(Message {
            digest,
            text,
            unread_by: Vec::new(),
        });
    }

    /// A reader could not open these messages, whose digests are in ascending order. Returns the
    /// texts of which that is news.
    pub(super) fn unread_by(&mut self, reader: &Nick, digests: &[Digest]) -> Vec<String> {
        let is_unread = |said: &&mut Message| {
            digests.binary_search(&said.digest).is_ok() && !said.unread_by.contains(reader)
        };
        let unread = self.0.iter_mut().filter(is_unread);
        unread
            .map(|said| {
                said.unread_by.push(reader.clone());
                said.text.clone()
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_said_once_of_each_reader_what_it_could_not_open() {
        let [bob, carol, dora] = ["bob", "carol", "dora"].map(|nick| nick.parse().expect("a nick"));
        let mut spoken = Spoken::default();
        spoken.push([2; 32], "one".to_owned());
        spoken.push([1; 32], "two".to_owned());
        assert_eq!(spoken.unread_by(&bob, &[[2; 32]]), ["one"]);
        let both = [[1; 32], [2; 32], [3; 32]];
        assert_eq!(spoken.unread_by(&bob, &both), ["two"]);
        assert_eq!(spoken.unread_by(&carol, &both), ["one", "two"]);
        assert!(spoken.unread_by(&carol, &both).is_empty());
        for number in 0..LATELY {
            spoken.push([4; 32], number.to_string());
        }
        assert!(spoken.unread_by(&dora, &both).is_empty(), "long ago");
    }
}
