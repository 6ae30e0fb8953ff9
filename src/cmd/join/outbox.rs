//! What the user has said, until it is known of all readers what has become of it. It is shown once the
//! relay has taken it, or after a while as unsent. What becomes of it then is told by its gutter, and to a
//! script under the `id` that it gave.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use crate::cmd::terminal::{OwnWords, State};
use crate::room::session::{Receipt, Session};

use super::output::report::Report;
use super::output::screen::Screen;
use super::output::speech::Speech;

/// The user's own words are shown when the relay has taken them; or after this time, as words that it
/// has not.
const SHOWN_UNSENT_AFTER: Duration = Duration::from_secs(5);

/// What is not confirmed counts as waiting after this time: in most rooms it takes no longer.
const WAITING_AFTER: Duration = Duration::from_secs(5);

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
    /// Shows it, with what has become of it.
    fn show(&mut self, state: State, screen: &mut Screen) {
        self.is_shown = true;
        let number = self.receipt.number;
        let own = Some(OwnWords { number, state });
        let speech = self.speech.clone();
        screen.show(&Report::Said(Speech { own, ..speech }));
        if let Some(remark) = self.remark.take() {
            screen.aside(remark);
        }
    }
}

/// A message of which it is not known of all readers what has become of it.
struct OpenMessage {
    /// What a script calls it.
    id: Option<String>,
    readers: usize,
    /// Of how many readers it is not known.
    open: usize,
    state: State,
    since: Instant,
}

/// The user's messages that the relay has not taken yet, and those that not all readers have confirmed.
#[derive(Default)]
pub(super) struct Outbox {
    /// Oldest first.
    pending: VecDeque<PendingMessage>,
    /// By the numbers of their receipts.
    open: HashMap<u64, OpenMessage>,
    /// The numbers of what was shown as unsent and has been taken since. What is shown is marked anew once
    /// nothing of it waits any more.
    taken: Vec<u64>,
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
        let id = id.map(str::to_owned);
        if receipt.readers > 0 {
            let open = OpenMessage {
                id: id.clone(),
                readers: receipt.readers,
                open: receipt.readers,
                state: State::Taken,
                since: Instant::now(),
            };
            self.open.insert(receipt.number, open);
        }
        self.pending.push_back(PendingMessage {
            receipt,
            speech,
            remark,
            id,
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
            let number = said.receipt.number;
            if said.is_shown {
                self.taken.push(number);
            } else {
                let open = self.open.get(&number);
                said.show(open.map_or(State::Taken, |open| open.state), screen);
            }
            screen.show(&Report::Done {
                id: said.id,
                readers: Some(said.receipt.readers),
            });
            self.end(number, screen);
        }
        if !self.taken.is_empty() && !self.pending.iter().any(|said| said.is_shown) {
            screen.turn(std::mem::take(&mut self.taken), State::Taken);
            screen.aside("the relay has taken what was waiting");
        }
        let is_up = session.is_inside();
        let is_overdue =
            |said: &&mut PendingMessage| !is_up || said.since.elapsed() >= SHOWN_UNSENT_AFTER;
        for said in self.pending.iter_mut().take_while(is_overdue) {
            if !said.is_shown {
                said.show(State::Unsent, screen);
            }
        }
    }

    /// When something is to be shown as unsent, if it is still on its way then.
    pub(super) fn next_due(&self) -> Option<Instant> {
        let mut hidden = self.pending.iter().filter(|said| !said.is_shown);
        hidden.next().map(|said| said.since + SHOWN_UNSENT_AFTER)
    }

    /// A reader has confirmed what has this receipt.
    pub(super) fn note_confirmed(&mut self, receipt: u64, screen: &mut Screen) {
        if let Some(open) = self.open.get_mut(&receipt) {
            open.open = open.open.saturating_sub(1);
        }
        self.end(receipt, screen);
    }

    /// A reader has not confirmed what has this receipt for too long.
    pub(super) fn note_late(&mut self, receipt: u64, screen: &mut Screen) {
        let open = self.open.get_mut(&receipt);
        if let Some(open) = open.filter(|open| open.state == State::Taken) {
            open.state = State::Late;
            screen.turn(vec![receipt], State::Late);
        }
    }

    /// What has this receipt has not reached a reader, and will not.
    pub(super) fn note_undelivered(&mut self, receipt: u64, screen: &mut Screen) {
        if let Some(open) = self.open.get_mut(&receipt) {
            open.open = open.open.saturating_sub(1);
            if open.state != State::Undelivered {
                open.state = State::Undelivered;
                screen.turn(vec![receipt], State::Undelivered);
            }
        }
        self.end(receipt, screen);
    }

    /// Forgets a message that the relay has taken, if it is known of all readers what has become of it.
    /// Tells a script if all have confirmed it.
    fn end(&mut self, receipt: u64, screen: &mut Screen) {
        let is_pending = |said: &PendingMessage| said.receipt.number == receipt;
        let is_over = self.open.get(&receipt).is_some_and(|open| open.open == 0);
        if !is_over || self.pending.iter().any(is_pending) {
            return;
        }
        let over = self.open.remove(&receipt);
        let Some(over) = over.filter(|over| over.state != State::Undelivered) else {
            return;
        };
        if over.state == State::Late {
            screen.turn(vec![receipt], State::Taken);
        }
        let (id, readers) = (over.id, over.readers);
        screen.show(&Report::Confirmed { id, readers });
    }

    /// How many messages have waited for longer than usual for somebody to confirm them, or for the relay.
    pub(super) fn waiting(&self) -> usize {
        let now = Instant::now();
        self.waiting_from().filter(|from| *from <= now).count()
    }

    /// When one message more has waited for that long, if nothing becomes of it until then.
    pub(super) fn next_waiting(&self) -> Option<Instant> {
        let now = Instant::now();
        self.waiting_from().filter(|from| *from > now).min()
    }

    /// From when on each message counts as waiting.
    fn waiting_from(&self) -> impl Iterator<Item = Instant> {
        // What nobody else can read waits for the relay alone.
        let unread = self.pending.iter();
        let unread = unread.filter(|said| said.receipt.readers == 0);
        let since = self.open.values().map(|open| open.since);
        let since = since.chain(unread.map(|said| said.since));
        since.map(|since| since + WAITING_AFTER)
    }

    /// What a script calls what has this receipt, while anything of it is open.
    pub(super) fn id(&self, receipt: u64) -> Option<String> {
        self.open.get(&receipt)?.id.clone()
    }

    /// The relay has not taken what has this receipt, and will not: what is shown of it stays marked,
    /// and a script that named it is told.
    pub(super) fn give_up(&mut self, receipt: u64, screen: &mut Screen) {
        self.open.remove(&receipt);
        let is_it = |said: &PendingMessage| said.receipt.number == receipt;
        let place = self.pending.iter().position(is_it);
        let Some(said) = place.and_then(|place| self.pending.remove(place)) else {
            return;
        };
        screen.credit();
        if said.id.is_some() {
            screen.fail(said.id.as_deref(), NOT_TAKEN);
        }
    }

    /// Tells what was said and the relay has not taken, as nobody will try any more. Returns how much
    /// that is.
    pub(super) fn tell_untaken(&self, session: &Session, screen: &mut Screen) -> usize {
        let mut untaken = 0;
        for said in &self.pending {
            if session.awaits(&said.receipt) {
                let text = &said.speech.text;
                screen.fail(said.id.as_deref(), format!("not delivered: {text}"));
                untaken += 1;
            }
        }
        untaken
    }
}
