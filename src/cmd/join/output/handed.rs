//! Reports of what is handed on by somebody else than its author, in words and as rows of the screen.

use jiff::Timestamp;

use crate::cmd::terminal::{ChatMessage, Entry};
use crate::cmd::zone;
use crate::room::Time;
use crate::room::names::Nick;
use crate::room::text::SafeText;

use super::speech::{Speech, Who};

/// An earlier message, proven to be its author's.
#[derive(Clone, Debug)]
pub(in crate::cmd::join) struct HandedOn {
    pub(in crate::cmd::join) by: Nick,
    /// What its author said then.
    pub(in crate::cmd::join) speech: Speech,
    /// When, by the author's clock.
    pub(in crate::cmd::join) time: Time,
    /// What is to be said of the author, where it is the first of theirs.
    pub(in crate::cmd::join) remark: Option<String>,
}

/// That somebody hands on earlier messages.
#[derive(Clone, Debug)]
pub(in crate::cmd::join) struct Share {
    pub(in crate::cmd::join) by: Who,
    /// To whom; `None` where they are not in the room any more.
    pub(in crate::cmd::join) to: Option<Nick>,
    pub(in crate::cmd::join) is_to_user: bool,
    pub(in crate::cmd::join) count: u32,
}

/// That all has come that somebody hands on to the user, or no more of it does: how many messages were shown, or not.
#[derive(Clone, Debug)]
pub(in crate::cmd::join) struct ShareEnd {
    pub(in crate::cmd::join) by: Who,
    pub(in crate::cmd::join) shown: u32,
    /// Those that the user had already.
    pub(in crate::cmd::join) had: u32,
    /// Those of people whom the user ignores.
    pub(in crate::cmd::join) ignored: u32,
    /// Those of which it was told why they are not shown.
    pub(in crate::cmd::join) refused: u32,
    /// Those that have not come.
    pub(in crate::cmd::join) missing: u32,
}

/// What has become of what the user hands on.
#[derive(Clone, Debug)]
pub(in crate::cmd::join) struct Shared {
    pub(in crate::cmd::join) to: Nick,
    pub(in crate::cmd::join) delivered: u32,
    pub(in crate::cmd::join) count: u32,
}

/// `1 message`, `20 messages`.
pub(in crate::cmd::join) fn messages(count: u32) -> String {
    match count {
        1 => "1 message".to_owned(),
        _ => format!("{count} messages"),
    }
}

impl HandedOn {
    /// The row for the screen: with the time at which it was written, and the date if that is another day.
    pub(super) fn entry(&self) -> Entry {
        let at = i64::try_from(self.time).ok();
        let at = at.and_then(|at| Timestamp::from_millisecond(at).ok());
        let at = at.unwrap_or(Timestamp::MAX);
        let at = at.to_zoned_datetime(zone::local());
        let date = Some(at.date()).filter(|date| *date != zone::now().date());
        let remark = self.remark.as_deref().map(SafeText::new);
        Entry::Message(ChatMessage {
            time: at.time(),
            date,
            is_handed_on: true,
            remark,
            ..self.speech.message()
        })
    }
}

impl Share {
    /// The same member hands more on to the same one.
    pub(super) fn take_in(&mut self, other: &Self) {
        self.count = self.count.saturating_add(other.count);
    }

    pub(super) fn words(&self) -> String {
        let (by, count) = (&self.by.nick, self.count);
        let earlier = match count {
            1 => "1 earlier message".to_owned(),
            _ => format!("{count} earlier messages"),
        };
        match &self.to {
            _ if self.is_to_user => format!("earlier, handed on by {by}: {}", messages(count)),
            Some(to) => format!("{by} hands on {earlier} to {to}"),
            None => format!("{by} hands on {earlier} to somebody who is not here any more"),
        }
    }
}

impl ShareEnd {
    /// The same member has handed more on.
    pub(super) fn take_in(&mut self, other: &Self) {
        let counts = [
            (&mut self.shown, other.shown),
            (&mut self.had, other.had),
            (&mut self.ignored, other.ignored),
            (&mut self.refused, other.refused),
            (&mut self.missing, other.missing),
        ];
        for (count, more) in counts {
            *count = count.saturating_add(more);
        }
    }

    pub(super) fn words(&self) -> String {
        let (by, shown) = (&self.by.nick, self.shown);
        let others = [
            (self.had, "you had"),
            (self.ignored, "from people whom you ignore"),
            (self.refused, "not shown"),
            (self.missing, "not come"),
        ];
        let others = others.iter().filter(|(count, _)| *count > 0);
        let others: Vec<String> = others
            .map(|(count, what)| format!(", {count} {what}"))
            .collect();
        format!("that was all from {by}: {shown} shown{}", others.concat())
    }
}

impl Shared {
    pub(super) fn words(&self) -> String {
        let Self {
            to,
            delivered,
            count,
        } = self;
        match count {
            _ if delivered < count => {
                format!("{to} has confirmed {delivered} of {}", messages(*count))
            }
            1 => format!("{to} has got the message"),
            _ => format!("{to} has got all {count} messages"),
        }
    }
}
