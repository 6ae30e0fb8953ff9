//! What was said and is on its way to the relay: shown once the relay has taken it, or after a while as
//! unsent.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::room::session::{Receipt, Session};

use super::output::report::{Report, Speech};
use super::output::screen::Screen;

/// One's own words are shown when the relay has taken them; or after this time, as words that it
/// has not.
const PATIENCE: Duration = Duration::from_secs(5);

/// Something that was said, and is on its way to the relay.
pub(super) struct OnItsWay {
    receipt: Receipt,
    text: String,
    /// What to show, if anything.
    speech: Option<Speech>,
    /// What to say of who can read it.
    remark: Option<String>,
    id: Option<String>,
    since: Instant,
    is_shown: bool,
    /// Whether it is from a line that another one waits for.
    is_credited: bool,
}

impl OnItsWay {
    /// It is sent now; nothing is shown of it, and nobody waits for it.
    pub(super) fn new(receipt: Receipt, text: &str, id: Option<&str>) -> Self {
        Self {
            receipt,
            text: text.to_owned(),
            speech: None,
            remark: None,
            id: id.map(str::to_owned),
            since: Instant::now(),
            is_shown: false,
            is_credited: false,
        }
    }

    /// It is from a line that another one waits for, and is shown like this once it is taken.
    pub(super) fn shown_as(self, speech: Speech, remark: Option<String>) -> Self {
        Self {
            speech: Some(speech),
            remark,
            is_credited: true,
            ..self
        }
    }
}

/// What is on its way.
#[derive(Default)]
pub(super) struct Outbox {
    /// Oldest first.
    on_its_way: VecDeque<OnItsWay>,
    /// The numbers of what was shown as unsent and has been taken since. What is shown is marked anew once
    /// nothing of it waits any more.
    late: Vec<u64>,
}

impl Outbox {
    /// Adds what was sent last.
    pub(super) fn push(&mut self, said: OnItsWay) {
        self.on_its_way.push_back(said);
    }

    /// Shows what the relay has taken, and what it has not taken for long.
    pub(super) fn settle(&mut self, session: &Session, screen: &mut Screen) {
        while let Some(said) = self
            .on_its_way
            .pop_front_if(|said| !session.awaits(&said.receipt))
        {
            if said.is_shown {
                self.late.push(said.receipt.number);
            }
            let readers = said.receipt.readers;
            if said.is_credited {
                screen.terminal.credit();
            }
            if !said.is_shown {
                show(screen, said.speech, said.remark);
            }
            if said.is_credited {
                screen.show(&Report::Done {
                    id: said.id,
                    readers: Some(readers),
                });
            }
        }
        if !self.late.is_empty() && !self.on_its_way.iter().any(|said| said.is_shown) {
            screen.mark_taken(std::mem::take(&mut self.late));
            let text = "the relay has taken what was waiting".to_owned();
            screen.show(&Report::Aside(text));
        }
        let is_up = session.is_inside();
        let is_due = |said: &OnItsWay| !is_up || said.since.elapsed() >= PATIENCE;
        let mut overdue = Vec::new();
        for said in &mut self.on_its_way {
            if !is_due(said) {
                break;
            }
            if !said.is_shown && said.speech.is_some() {
                said.is_shown = true;
                let waiting = Some(said.receipt.number);
                let speech = said
                    .speech
                    .take()
                    .map(|speech| Speech { waiting, ..speech });
                overdue.push((speech, said.remark.take()));
            }
        }
        for (speech, remark) in overdue {
            show(screen, speech, remark);
        }
    }

    /// The relay has not taken what has this receipt, and will not: what is shown of it stays marked.
    /// Returns what a script calls it.
    pub(super) fn give_up(&mut self, receipt: u64, screen: &mut Screen) -> Option<String> {
        let is_it = |said: &OnItsWay| said.receipt.number == receipt;
        let place = self.on_its_way.iter().position(is_it)?;
        let said = self.on_its_way.remove(place)?;
        if said.is_credited {
            screen.terminal.credit();
        }
        said.id
    }

    /// What was said and the relay has not taken, each with what a script calls it. That the user was
    /// away need not be known any more.
    pub(super) fn untaken(&self, session: &Session) -> Vec<(Option<String>, String)> {
        let is_untaken = |said: &&OnItsWay| said.is_credited && session.awaits(&said.receipt);
        let untaken = self.on_its_way.iter().filter(is_untaken);
        untaken
            .map(|said| (said.id.clone(), said.text.clone()))
            .collect()
    }
}

fn show(screen: &mut Screen, speech: Option<Speech>, remark: Option<String>) {
    if let Some(speech) = speech {
        screen.show(&Report::Said(speech));
    }
    if let Some(remark) = remark {
        screen.show(&Report::Aside(remark));
    }
}
