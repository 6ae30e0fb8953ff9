//! Who is here, as the user was told last, and who has yet to come back.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::cipher::fingerprint::Fingerprint;
use crate::room::names::Nick;
use crate::room::session::Session;

use super::commands::complete::Nicks;
use super::output::report::Who;

/// How long after the user's own return it is said who has not come back.
const PATIENCE_FOR_OTHERS: Duration = Duration::from_mins(1);

/// Those whom the user knows to be here, or expects back.
pub(super) struct Here {
    /// The change of the roster that was told last.
    change: u64,
    /// Who was here then, by nick.
    people: HashMap<String, Who>,
    /// Their nicks, for Tab.
    nicks: Arc<Nicks>,
    /// Who was here when the connection broke and has not come back, and when that is said.
    awaited: Option<(Vec<Nick>, Instant)>,
}

impl Here {
    /// Nobody is here yet. Tab completes the nicks in `nicks`.
    pub(super) fn new(nicks: Arc<Nicks>) -> Self {
        Self {
            change: 0,
            people: HashMap::new(),
            nicks,
            awaited: None,
        }
    }

    /// What was told so far is what the session knows now.
    pub(super) fn update(&mut self, session: &Session) {
        if self.change == session.changes() {
            return;
        }
        let others = session.others();
        let nicks = others.iter().map(|person| person.nick.to_string());
        self.nicks.set(nicks.collect());
        let people = others
            .iter()
            .map(|person| (person.nick.to_string(), Who::from(person)));
        (self.change, self.people) = (session.changes(), people.collect());
    }

    /// Who has this nick in the roster that the user was shown last. The session may know of another
    /// one already.
    pub(super) fn find(&self, nick: &Nick) -> Option<&Who> {
        self.people.get(nick.as_str())
    }

    /// Whether somebody with this identity is in the roster that the user was shown last.
    pub(super) fn is_here(&self, fingerprint: Fingerprint) -> bool {
        let mut people = self.people.values();
        people.any(|who| who.fingerprint == fingerprint)
    }

    /// The user is back, and these are not yet.
    pub(super) fn expect_back(&mut self, absent: Vec<Nick>) {
        let until = Instant::now() + PATIENCE_FOR_OTHERS;
        self.awaited = (!absent.is_empty()).then_some((absent, until));
    }

    /// Whether anybody is expected back.
    pub(super) fn expects_anybody(&self) -> bool {
        self.awaited.is_some()
    }

    /// Whoever is expected back under one nick is expected under another.
    pub(super) fn rename_awaited(&mut self, former: &Nick, nick: &Nick) {
        if let Some((absent, _)) = &mut self.awaited {
            for awaited in absent.iter_mut().filter(|awaited| *awaited == former) {
                awaited.clone_from(nick);
            }
        }
    }

    /// Somebody is back. Returns whether that was the last one who was expected.
    pub(super) fn note_back(&mut self, nick: &Nick) -> bool {
        let Some((absent, _)) = &mut self.awaited else {
            return false;
        };
        absent.retain(|awaited| awaited != nick);
        let is_last = absent.is_empty();
        if is_last {
            self.awaited = None;
        }
        is_last
    }

    /// When it is to be said who has not come back, if anybody has not.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.awaited.as_ref().map(|(_, at)| *at)
    }

    /// Takes those who have not come back, if it is time to say so.
    pub(super) fn take_overdue(&mut self) -> Option<Vec<Nick>> {
        let overdue = self.awaited.take_if(|(_, at)| *at <= Instant::now());
        overdue.map(|(absent, _)| absent)
    }
}
