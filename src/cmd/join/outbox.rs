//! What the user has said and the relay has not taken yet. It is shown once the relay has taken it, or
//! after a while as unsent.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::room::session::{Receipt, Session};

use super::output::report::{Report, Speech};
use super::output::screen::Screen;

/// The user's own words are shown when the relay has taken them; or after this time, as words that it
/// has not.
const SHOWN_UNSENT_AFTER: Duration = Duration::from_secs(5);

/// Why what a script asked for is not done in the end.
const NOT_TAKEN: &str =
    "not delivered, as your nick or key has changed before the relay took it; say it again";

/// A message that the relay has not taken yet. It came as a line of the input; [`Screen::credit`] has
/// another line read once the message is dealt with.
struct PendingMessage {
    receipt: Receipt,
    speech: Speech,
    /// What is shown with it of who can read it.
    remark: Option<String>,
    /// What a script calls it.
    id: Option<String>,
    since: Instant,
    /// Whether it is on the screen, as unsent.
    is_shown: bool,
}

impl PendingMessage {
    /// Shows it, as unsent if the relay has not taken it.
    fn show(&mut self, is_unsent: bool, screen: &mut Screen) {
        self.is_shown = true;
        let mut speech = self.speech.clone();
        speech.waiting = is_unsent.then_some(self.receipt.number);
        screen.show(&Report::Said(speech));
        if let Some(remark) = self.remark.take() {
            screen.aside(remark);
        }
    }
}

/// The user's messages that the relay has not taken yet.
#[derive(Default)]
pub(super) struct Outbox {
    /// Oldest first.
    pending: VecDeque<PendingMessage>,
    /// The numbers of what was shown as unsent and has been taken since. What is shown is marked anew once
    /// nothing of it waits any more.
    late: Vec<u64>,
}

impl Outbox {
    /// Adds what the session has just sent, with what is to be said of who can read it. A script may
    /// have named it.
    pub(super) fn push(
        &mut self,
        receipt: Receipt,
        speech: Speech,
        remark: Option<String>,
        id: Option<&str>,
    ) {
        self.pending.push_back(PendingMessage {
            receipt,
            speech,
            remark,
            id: id.map(str::to_owned),
            since: Instant::now(),
            is_shown: false,
        });
    }

    /// Shows what the relay has taken, and what it has not taken for long.
    pub(super) fn settle(&mut self, session: &Session, screen: &mut Screen) {
        while let Some(mut said) = self
            .pending
            .pop_front_if(|said| !session.awaits(&said.receipt))
        {
            screen.credit();
            if said.is_shown {
                self.late.push(said.receipt.number);
            } else {
                said.show(false, screen);
            }
            screen.show(&Report::Done {
                id: said.id,
                readers: Some(said.receipt.readers),
            });
        }
        if !self.late.is_empty() && !self.pending.iter().any(|said| said.is_shown) {
            screen.mark_taken(std::mem::take(&mut self.late));
            screen.aside("the relay has taken what was waiting");
        }
        let is_up = session.is_inside();
        let is_overdue =
            |said: &&mut PendingMessage| !is_up || said.since.elapsed() >= SHOWN_UNSENT_AFTER;
        for said in self.pending.iter_mut().take_while(is_overdue) {
            if !said.is_shown {
                said.show(true, screen);
            }
        }
    }

    /// When something is to be shown as unsent, if it is still on its way then.
    pub(super) fn next_due(&self) -> Option<Instant> {
        let mut hidden = self.pending.iter().filter(|said| !said.is_shown);
        hidden.next().map(|said| said.since + SHOWN_UNSENT_AFTER)
    }

    /// The relay has not taken what has this receipt, and will not: what is shown of it stays marked,
    /// and a script that named it is told.
    pub(super) fn give_up(&mut self, receipt: u64, screen: &mut Screen) {
        let is_it = |said: &PendingMessage| said.receipt.number == receipt;
        let place = self.pending.iter().position(is_it);
        let Some(said) = place.and_then(|place| self.pending.remove(place)) else {
            return;
        };
        screen.credit();
        if said.id.is_some() {
            screen.refuse(said.id.as_deref(), NOT_TAKEN);
        }
    }

    /// Tells what was said and the relay has not taken, as nobody will try any more. Returns how much
    /// that is.
    pub(super) fn tell_untaken(&self, session: &Session, screen: &mut Screen) -> usize {
        let mut untaken = 0;
        for said in &self.pending {
            if session.awaits(&said.receipt) {
                let text = &said.speech.text;
                screen.refuse(said.id.as_deref(), format!("not delivered: {text}"));
                untaken += 1;
            }
        }
        untaken
    }
}
