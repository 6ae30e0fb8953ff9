//! What was told of what somebody hands on to the user: the heading, and its authors.

use std::collections::{HashSet, VecDeque};

use crate::cipher::fingerprint::Fingerprint;

use super::output::handed::Share;

/// From how many members it is remembered at most: enough for a room.
const REMEMBERED_MEMBERS: usize = 256;

/// What one member hands on, or has handed on last.
struct Told {
    by: Fingerprint,
    /// What is to stand above the first message, until it does.
    heading: Option<Share>,
    /// Whether any message was shown.
    brings_news: bool,
    /// The authors of whom something was said.
    authors: HashSet<Fingerprint>,
}

/// What is handed on to the user: whoever began first stands first.
#[derive(Default)]
pub(super) struct Incoming(VecDeque<Told>);

impl Incoming {
    /// A member begins. Returns the heading, if it is to be shown at once: whoever handed on last what the user
    /// had already may do that as often as they like, and gets a heading only for what is new.
    pub(super) fn begin(&mut self, share: Share) -> Option<Share> {
        let by = share.by.fingerprint;
        let place = self.0.iter().position(|told| told.by == by);
        let before = place.and_then(|place| self.0.remove(place));
        let is_welcome = before.is_none_or(|before| before.brings_news);
        if self.0.len() == REMEMBERED_MEMBERS {
            self.0.pop_front();
        }
        let (heading, at_once) = if is_welcome {
            (None, Some(share))
        } else {
            (Some(share), None)
        };
        self.0.push_back(Told {
            by,
            heading,
            brings_news: false,
            authors: HashSet::new(),
        });
        at_once
    }

    fn get_mut(&mut self, by: Fingerprint) -> Option<&mut Told> {
        self.0.iter_mut().find(|told| told.by == by)
    }

    /// A message is shown. Returns what is to stand above it, if that is not shown yet.
    pub(super) fn note_shown(&mut self, by: Fingerprint) -> Option<Share> {
        let told = self.get_mut(by)?;
        told.brings_news = true;
        told.heading.take()
    }

    /// A message of this author comes. Returns whether it is the first one.
    pub(super) fn note_author(&mut self, by: Fingerprint, author: Fingerprint) -> bool {
        let told = self.get_mut(by);
        told.is_none_or(|told| told.authors.insert(author))
    }

    /// All has come.
    pub(super) fn end(&mut self, by: Fingerprint) {
        if let Some(told) = self.get_mut(by) {
            told.authors = HashSet::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::cmd::join::output::speech::Who;
    use crate::room::session::Standing;

    use super::*;

    fn share(by: u8) -> Share {
        Share {
            by: Who {
                nick: "mallory".parse().unwrap(),
                fingerprint: Fingerprint::of(&[by]),
                standing: Standing::New,
            },
            to: None,
            is_to_user: true,
            count: 1,
        }
    }

    #[test]
    fn whoever_hands_on_the_same_again_and_again_gets_a_heading_for_what_is_new() {
        let mut incoming = Incoming::default();
        let mallory = Fingerprint::of(&[1]);
        assert!(incoming.begin(share(1)).is_some());
        for _ in 0..100 {
            incoming.end(mallory);
            assert!(incoming.begin(share(1)).is_none());
        }
        assert!(incoming.begin(share(2)).is_some());
        assert!(incoming.note_shown(mallory).is_some());
        assert!(incoming.note_shown(mallory).is_none());
        incoming.end(mallory);
        assert!(incoming.begin(share(1)).is_some());
        assert!(incoming.note_shown(mallory).is_none());
    }
}
