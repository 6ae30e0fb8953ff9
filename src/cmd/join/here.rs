//! Who is here, as the user was told last, and who has yet to come back.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use crate::cipher::fingerprint::Fingerprint;
use crate::cmd::lock::lock;
use crate::room::Time;
use crate::room::names::Nick;
use crate::room::session::{Now, Session};

use super::output::nicks_of;
use super::output::speech::Who;

/// The nicks of those who are here. The main thread writes them, and the editor's thread reads them.
#[derive(Default)]
pub(super) struct Nicks(Mutex<Vec<String>>);

impl Nicks {
    /// Sets who is here now.
    pub(super) fn set(&self, nicks: Vec<String>) {
        *lock(&self.0) = nicks;
    }

    /// Who is here now.
    pub(super) fn get(&self) -> Vec<String> {
        lock(&self.0).clone()
    }
}

/// Those whom the user knows to be here, or expects back.
pub(super) struct Here {
    /// The change of the roster that was told last.
    change: u64,
    /// Who was here then, by nick.
    people: HashMap<String, Who>,
    /// Their nicks, for Tab.
    nicks: Arc<Nicks>,
    /// Whom the session expects back, and at which time that was looked at last.
    missing: Option<(Vec<Nick>, Now)>,
    /// When the user was last connected, if that is not so now.
    seen: Option<Time>,
}

impl Here {
    /// Nobody is here yet. Tab completes the nicks in `nicks`.
    pub(super) fn new(nicks: Arc<Nicks>) -> Self {
        Self {
            change: 0,
            people: HashMap::new(),
            nicks,
            missing: None,
            seen: None,
        }
    }

    /// The connection is lost: who is here is what was known now.
    pub(super) fn lose_sight(&mut self, now: Now) {
        self.seen = Some(now.time);
    }

    /// When the user was last connected, if that is not so now.
    pub(super) fn last_seen(&self, session: &Session) -> Option<Time> {
        self.seen.filter(|_| !session.is_inside())
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
    pub(super) fn expect_back(&mut self, missing: Vec<Nick>, now: Now) {
        self.missing = (!missing.is_empty()).then_some((missing, now));
    }

    /// Whether anybody is expected back.
    pub(super) fn expects_anybody(&self) -> bool {
        self.missing.is_some()
    }

    /// Something has happened: whoever is not expected any more, although no time has passed, is back.
    /// Returns whether that was the last one.
    pub(super) fn note_returns(&mut self, session: &Session) -> bool {
        let all_back = self.missing.take_if(|(missing, looked)| {
            *missing = nicks_of(&session.expected(*looked));
            missing.is_empty()
        });
        all_back.is_some()
    }

    /// Time has passed, and nothing has happened: takes those who are not expected any more.
    pub(super) fn take_overdue(&mut self, session: &Session, now: Now) -> Vec<Nick> {
        let Some((missing, _)) = self.missing.take() else {
            return Vec::new();
        };
        let expected = nicks_of(&session.expected(now));
        let overdue = missing.into_iter().filter(|it| !expected.contains(it));
        let overdue = overdue.collect();
        self.expect_back(expected, now);
        overdue
    }
}
