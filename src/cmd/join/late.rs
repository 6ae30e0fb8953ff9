//! What is told of what is handed on to whoever comes late; and what the program hands on by itself.

use crate::room::Time;
use crate::room::content::MAX_SHARED;
use crate::room::frame::Departure;
use crate::room::names::Nick;
use crate::room::session::{Author, Event, Handed, SharedWith, Standing, Which};

use super::client::Client;
use super::output::handed::{HandedOn, Share, ShareEnd, Shared, messages};
use super::output::report::Report;
use super::output::speech::{Speech, Who};

/// Somebody whose connection broke may have missed what was said so long before the relay tells that, in
/// milliseconds.
const UNNOTICED: Time = 3 * 60 * 1000;

impl Client<'_> {
    /// Takes note of who is in the room and who is not: whoever comes late has missed what was said between.
    pub(super) fn note_attendance(&mut self, event: &Event) {
        let now = self.clock.now().time;
        match event {
            Event::Joined(person) | Event::Back(person) => {
                self.catch_up.note_here(person.fingerprint);
            }
            Event::Left {
                nick, departure, ..
            } => {
                let unnoticed = if *departure == Departure::Left {
                    0
                } else {
                    UNNOTICED
                };
                if let Some(who) = self.here.find(nick) {
                    self.catch_up
                        .note_gone(who.fingerprint, now.saturating_sub(unnoticed));
                }
            }
            Event::Asleep(nick, _) => {
                if let Some(who) = self.who(nick) {
                    self.catch_up
                        .note_gone(who.fingerprint, now.saturating_sub(UNNOTICED));
                }
            }
            // What waited for them comes.
            Event::Awake(nick) => {
                if let Some(who) = self.who(nick) {
                    self.catch_up.note_here(who.fingerprint);
                }
            }
            _ => {}
        }
    }

    /// Tells what is handed on, and who asks for it. Returns an event that is about something else.
    pub(super) fn tell_late(&mut self, event: Event) -> Option<Event> {
        match event {
            Event::Shares { by, with, count } => self.tell_share(&by, with, count),
            Event::HandedOn(handed) => self.tell_handed_on(handed),
            Event::ShareOver {
                by,
                shown,
                had,
                ignored,
                refused,
                missing,
            } => self.tell_share_end(&by, [shown, had, ignored, refused, missing]),
            Event::ShareGoesOn {
                reader,
                delivered,
                count,
            } => self.screen.notice(format!(
                "{reader} has got {delivered} of {} so far",
                messages(count)
            )),
            Event::ShareDone {
                reader: to,
                delivered,
                count,
            } => self.screen.show(&Report::Shared(Shared {
                to,
                delivered,
                count,
            })),
            Event::AsksToCatchUp(nick) => self.tell_catch_up(&nick),
            event => return Some(event),
        }
        None
    }

    /// Tells that somebody hands on earlier messages.
    fn tell_share(&mut self, by: &Nick, with: SharedWith, count: u32) {
        let Some(by) = self.who(by) else {
            return;
        };
        let is_to_user = with == SharedWith::Me;
        let to = match with {
            SharedWith::Me => Some(self.session.card().nick().clone()),
            SharedWith::Other(nick) => Some(nick),
            SharedWith::SomebodyGone => None,
        };
        if by.standing == Standing::Verified
            && let Some(reader) = to.as_ref().and_then(|to| self.who(to))
        {
            self.catch_up.note_answered(reader.fingerprint);
        }
        let share = Share {
            by,
            to,
            is_to_user,
            count,
        };
        if is_to_user {
            if let Some(heading) = self.incoming.begin(share) {
                self.screen.show(&Report::Share(heading));
            }
        } else {
            self.raise(&Report::Share(share));
        }
    }

    /// Shows what somebody hands on.
    fn tell_handed_on(&mut self, handed: Handed) {
        let Some(by) = self.who(&handed.by) else {
            return;
        };
        let author = &handed.author;
        if let Some(heading) = self.incoming.note_shown(by.fingerprint) {
            self.screen.show(&Report::Share(heading));
        }
        let (who, about) = self.meet_author(author);
        let is_first = self
            .incoming
            .note_author(by.fingerprint, author.fingerprint);
        self.screen.show(&Report::HandedOn(HandedOn {
            by: handed.by,
            speech: Speech {
                who,
                own: None,
                to: None,
                kind: handed.kind,
                text: handed.text.as_str().to_owned(),
                mentions: false,
                written: None,
                unseen: 0,
            },
            time: handed.time,
            remark: about.filter(|_| is_first),
        }));
    }

    /// Who wrote an earlier message, and what is to be said of them.
    fn meet_author(&self, author: &Author) -> (Who, Option<String>) {
        let (nick, fingerprint) = (&author.nick, author.fingerprint);
        let present = self.session.person_with(fingerprint);
        let own = self.session.card();
        let is_user = own.fingerprint() == fingerprint;
        let has_nick_of_user = !is_user && own.nick().skeleton() == nick.skeleton();
        let namesake = self.session.person(nick);
        let has_nick_of_another = namesake.is_some_and(|it| it.fingerprint != fingerprint);
        let standing = match &present {
            _ if is_user => Standing::Verified,
            _ if has_nick_of_user => Standing::Changed,
            Some(person) => person.standing,
            None if has_nick_of_another => Standing::Changed,
            None => self.trust.standing_of(nick, fingerprint),
        };
        let about = match standing {
            _ if is_user => Some("you wrote that, in another stay".to_owned()),
            _ if has_nick_of_user => Some(format!(
                "whoever wrote that as {nick} is not you: it is another identity"
            )),
            Standing::Changed => Some(format!(
                "whoever wrote that as {nick} is not the {nick} whom you know or see here: it is another identity"
            )),
            Standing::New if present.is_none() => {
                let kind = if author.is_lasting {
                    "new"
                } else {
                    "for that stay only"
                };
                Some(format!("{nick} was {fingerprint} ({kind})"))
            }
            _ => present
                .as_ref()
                .filter(|person| person.nick != *nick)
                .map(|person| format!("{nick} is called {} now", person.nick)),
        };
        let who = Who {
            nick: nick.clone(),
            fingerprint,
            standing,
        };
        (who, about)
    }

    /// Tells that all has come that somebody hands on, or that it has ended. Of the messages so many were
    /// shown, had before, refused, and have not come.
    fn tell_share_end(&mut self, by: &Nick, counts: [u32; 5]) {
        let [shown, had, ignored, refused, missing] = counts;
        // Whoever has gone before all has come may not be in the room any more, and another one in their place.
        let gone = self.here.find(by).filter(|_| missing > 0).cloned();
        let Some(by) = gone.or_else(|| self.who(by)) else {
            return;
        };
        self.incoming.end(by.fingerprint);
        let end = Report::ShareEnd(ShareEnd {
            by,
            shown,
            had,
            ignored,
            refused,
            missing,
        });
        // Nobody has a new message to hand on for ever, but the same ones as often as they like.
        if shown > 0 {
            self.screen.show(&end);
        } else {
            self.raise(&end);
        }
    }

    /// Tells that somebody asks to be handed what they missed, and answers, if the user wants that.
    fn tell_catch_up(&mut self, nick: &Nick) {
        let Some(who) = self.who(nick) else {
            return;
        };
        if self.catch_up.answers_verified()
            && who.standing == Standing::Verified
            && !self.filter.is_ignored(who.fingerprint)
        {
            self.catch_up.ask(who.fingerprint);
        }
        self.raise(&Report::CatchUp(who));
    }

    /// Hands on to those whose turn it is what they missed.
    pub(super) fn answer_catch_up(&mut self) {
        if !self.session.is_up_to_date() {
            return self.catch_up.put_off_due();
        }
        for asker in self.catch_up.take_due() {
            let person = self.session.person_with(asker);
            let person = person.filter(|person| person.standing == Standing::Verified);
            let (Some(person), Some(since)) = (person, self.catch_up.missed_since(asker)) else {
                continue;
            };
            let which = match since {
                0 => Which::Last(MAX_SHARED),
                since => Which::Since(since),
            };
            let now = self.clock.now();
            // Where there is nothing to hand on, or somebody is gone, that is no news.
            if let Ok(shared) = self.session.share(person.sid, which, now) {
                self.screen.notice(format!(
                    "handing on {} to {}, who has asked for it, as you wished with --catchup",
                    messages(shared.count),
                    person.nick
                ));
            }
        }
    }
}
