//! What a session tells of the room: what happened, why something was not sent, why it ended.

use std::time::Duration;

use crate::cipher::encoding::Malformed;
use crate::cipher::fingerprint::Fingerprint;
use crate::room::Time;
use crate::room::card::{CardError, SessionId};
use crate::room::frame::Departure;
use crate::room::handed::Refusal;
use crate::room::message::{Kind, LeftOutFor, OpenError};
use crate::room::names::Nick;
use crate::room::notice::{Next, Notice};
use crate::room::roster::Conflict;
use crate::room::text::SafeText;

use super::outbox::{Fate, News, Undelivered};

/// A member as a person sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// What it is called.
    pub nick: Nick,
    /// The fingerprint of its identity.
    pub fingerprint: Fingerprint,
    /// Whether that identity outlives the session.
    pub is_lasting: bool,
    /// Whether it has signed, within three beacon periods, that it saw something of this member's.
    pub is_present: bool,
    /// How it is without a connection, if the relay says so.
    pub asleep: Option<Asleep>,
    /// Whether it has signed that it was shown something else than this member.
    pub differs: bool,
    /// What is known of it.
    pub standing: Standing,
    /// The session id that it has at present.
    pub sid: SessionId,
}

/// How somebody is without a connection, as the relay says, by its clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asleep {
    /// Since when.
    pub since: Time,
    /// Until when their place is kept: what is said until then waits for them.
    pub until: Time,
}

/// How somebody is in the room, in times of this member's clock that only goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presence {
    /// When they came, or this member did, whichever was later.
    pub here_since: Duration,
    /// When their session key was first seen.
    pub key_since: Duration,
    /// When something that they signed came last.
    pub heard: Duration,
    /// The change of the roster with which they came to be called as they are.
    pub named: u64,
    /// Why they are not at the keyboard, if they have said so.
    pub away: Option<SafeText>,
}

/// What the user knows of somebody's identity. The session asks nobody for it: it is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// Another identity is remembered under this nick. It gets no messages.
    Changed,
    /// It is here for the first time, or does not last.
    #[default]
    New,
    /// It was here before.
    Known,
    /// The user has compared its safety number.
    Verified,
}

/// Why a card that the relay presented is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disbelief {
    /// The card itself is wrong.
    Card(CardError),
    /// It does not go together with another member's.
    Conflict(Conflict),
    /// It takes the place of a card that it does not follow.
    Succession,
}

impl std::fmt::Display for Disbelief {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Card(error) => error.fmt(f),
            Self::Conflict(conflict) => conflict.fmt(f),
            Self::Succession => f.write_str("it does not follow the card that it would replace"),
        }
    }
}

/// What happened in the room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// This member is in the room, with these others.
    Entered(Vec<Person>),
    /// The connection goes on where it broke: nothing is lost.
    Resumed,
    /// All has come that waited for this member, who had no connection.
    CaughtUp {
        /// For how long it had none: a minute or more.
        out: Duration,
        /// How many messages waited.
        messages: usize,
    },
    /// Somebody has no connection, and what is said waits for them: so far only the relay says so.
    Asleep(Nick, Asleep),
    /// That has been so for an hour.
    StillAsleep(Nick),
    /// Somebody has a connection again.
    Awake(Nick),
    /// This member has entered the room once more, which the relay had taken it out of.
    Returned {
        /// Who is there.
        people: Vec<Person>,
        /// How long it was out of the room.
        out: Duration,
    },
    /// While this member was out of the room for so long, so many messages came from these, which were
    /// not for it.
    Meanwhile(Duration, Vec<(Nick, u64)>),
    /// Somebody came.
    Joined(Person),
    /// Somebody came back whose connection was broken for long.
    Back(Person),
    /// Somebody went.
    Left {
        /// Who.
        nick: Nick,
        /// Why: as they signed, or as the relay says.
        departure: Departure,
        /// How they were without a connection, if the relay has said so.
        asleep: Option<Asleep>,
    },
    /// Somebody has another session key.
    Rekeyed(Nick),
    /// Somebody is called something else from now on: it is the same identity that signed this.
    Renamed {
        /// What it was called before.
        former: Nick,
        /// Who it is.
        person: Person,
    },
    /// This member is called so from now on.
    Called(Nick),
    /// Somebody is not at the keyboard, for this reason, or is there again.
    Away(Nick, Option<SafeText>),
    /// This member's next session key should be made: [`super::Session::rekey`] takes it.
    RekeyDue,
    /// The relay presented somebody whose card is not believed: it gets no messages.
    Disbelieved(Disbelief),
    /// A member signed a card under which it cannot go on: it gets no more messages. That it left
    /// follows.
    CastOut(Nick, Disbelief),
    /// Somebody wrote.
    Message {
        /// Who.
        from: Nick,
        /// Whether it is for this member alone.
        direct: bool,
        /// What the text is.
        kind: Kind,
        /// What they wrote, made harmless.
        text: SafeText,
        /// When they wrote it, if that is not now.
        written: Option<Written>,
        /// How many of the messages of others that stand above it they had not seen when they wrote it.
        unseen: usize,
    },
    /// Somebody tells the room that they hand on earlier messages.
    Shares {
        /// Who.
        by: Nick,
        /// To whom.
        with: SharedWith,
        /// How many.
        count: u32,
    },
    /// Somebody hands on to this member what somebody else wrote to the room earlier.
    HandedOn(Handed),
    /// What somebody handed on to this member is not shown: so many messages.
    NotHandedOn {
        /// Who.
        by: Nick,
        /// Why.
        reason: Refusal,
        /// How many.
        count: u32,
    },
    /// That was all that somebody hands on to this member, for now. They may have gone.
    ShareOver {
        /// Who.
        by: Nick,
        /// How many messages were shown.
        shown: u32,
        /// How many this member has or had: they were not shown again.
        had: u32,
        /// How many were not shown, as their authors are ignored.
        ignored: u32,
        /// How many were not shown for a reason that was told.
        refused: u32,
        /// How many were announced and do not come: 0, unless one of the two has left or entered anew, something
        /// else is announced since, or too many others hand something on.
        missing: u32,
    },
    /// So many of the messages that this member hands on to somebody are with them.
    ShareGoesOn {
        /// To whom.
        reader: Nick,
        /// How many of the messages the reader has confirmed.
        delivered: u32,
        /// How many are handed on.
        count: u32,
    },
    /// What this member handed on to somebody is with them, or does not come any more: one of the two has left,
    /// or entered anew.
    ShareDone {
        /// To whom.
        reader: Nick,
        /// How many messages the reader has confirmed.
        delivered: u32,
        /// How many were announced.
        count: u32,
    },
    /// Somebody asks to be handed what they missed.
    AsksToCatchUp(Nick),
    /// Somebody wrote, and left this member out on purpose.
    LeftOut(Nick, LeftOutFor),
    /// What somebody wrote leaves these others out, who were not left out before.
    LeftOthersOut(Nick, Vec<Nick>),
    /// What somebody signed shows that the relay shows the two of them different rooms or different
    /// messages. A chain does not heal: it is so until one of the two enters anew.
    OtherView(Nick),
    /// That was so in a stay of theirs that is over.
    OtherViewBefore(Nick),
    /// Everybody who is present was shown something else than this member: it is to enter anew.
    Contradicted,
    /// So many messages of somebody's did not arrive.
    Missing(Nick, u64),
    /// Somebody signed two messages for one place.
    Equivocation(Nick),
    /// Nothing has come from somebody that shows that they are there, for so long in which this member was.
    Quiet(Nick, Duration),
    /// Somebody speaks, and shows in nothing that it signs that it saw anything of this member's.
    Blind(Nick),
    /// Somebody has seen what was sent after a direct message, and has not confirmed that.
    Unanswered(Nick),
    /// Somebody's program says something that this one does not know.
    Newer(Nick),
    /// The relay's program does.
    NewerRelay,
    /// The relay has refused this nick, which somebody else has: nothing has changed.
    Refused(Nick),
    /// Somebody has used one session key for so long that it gets no more messages.
    StaleKey(Nick),
    /// Something came under somebody's name and is not shown.
    Unopened(Nick, OpenError),
    /// Somebody wrote, and it came when the key that it is for had been destroyed. They are told.
    TooLate(Nick),
    /// Something came from nobody in the room, or made no sense, and is not shown.
    Stray,
    /// The relay has taken so many more of the messages that were said.
    Taken(usize),
    /// The relay has not taken something that was said, and will not: it reaches nobody.
    NotTaken {
        /// The number of its receipt.
        receipt: u64,
        /// Whom it was for.
        readers: Vec<Nick>,
        /// What it said.
        text: String,
    },
    /// A reader has signed that its program opened a message, and handed it to the display.
    Confirmed {
        /// The number of its receipt.
        receipt: u64,
        /// Who.
        reader: Nick,
    },
    /// A reader has not confirmed a message for three beacon periods.
    Unconfirmed {
        /// The number of its receipt.
        receipt: u64,
        /// Who.
        reader: Nick,
        /// What it said.
        text: String,
    },
    /// A message has not reached somebody, and will not.
    Undelivered {
        /// The number of its receipt.
        receipt: u64,
        /// Whom.
        reader: Nick,
        /// What it said.
        text: String,
        /// Why.
        reason: Undelivered,
    },
    /// This member was out of the room again and again, before anybody there had shown that they see it.
    CutOff,
    /// The relay says that it has taken something of this member's, and has put it before nobody.
    Swallowed,
    /// The relay does not acknowledge what was sent: the connection is to be made again.
    Dead,
    /// That is so over one connection after the other.
    Deaf,
}

impl Event {
    /// What is told of a message of one's own.
    pub(super) fn of_news(news: News) -> Self {
        let News {
            receipt,
            text,
            reader,
            fate,
        } = news;
        match fate {
            Fate::Confirmed => Self::Confirmed { receipt, reader },
            Fate::Unconfirmed => Self::Unconfirmed {
                receipt,
                reader,
                text,
            },
            Fate::Undelivered(reason) => Self::Undelivered {
                receipt,
                reader,
                text,
                reason,
            },
        }
    }
}

/// To whom somebody hands something on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SharedWith {
    /// To this member.
    Me,
    /// To another one.
    Other(Nick),
    /// To somebody who is not in the room any more.
    SomebodyGone,
}

/// Who wrote what is handed on, as their card said then: they need not be in the room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Author {
    /// What they were called.
    pub nick: Nick,
    /// The fingerprint of their identity.
    pub fingerprint: Fingerprint,
    /// Whether that identity outlives the session.
    pub is_lasting: bool,
}

/// An earlier message to the room, of which it is proven who wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handed {
    /// Who hands it on.
    pub by: Nick,
    /// Who wrote it.
    pub author: Author,
    /// What the text is: [`Kind::Text`] or [`Kind::Action`].
    pub kind: Kind,
    /// What they wrote, made harmless.
    pub text: SafeText,
    /// When they wrote it, by their clock.
    pub time: Time,
}

/// When something was written that is told later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// The time that its author's clock showed.
    pub time: Time,
    /// How long before it came that was, by the same clock.
    pub ago: Duration,
}

/// Why a session ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The relay said so.
    Notice(Notice),
    /// The relay said so, for a reason that this version does not know.
    UnknownNotice(u8),
    /// The relay sent what no relay sends.
    Malformed,
}

impl End {
    /// What the client does that was, or is, in the room.
    #[must_use]
    pub fn next(self, is_inside: bool) -> Next {
        match self {
            Self::Malformed => Next::Doubt,
            Self::Notice(notice) if is_inside => notice.inside(),
            Self::Notice(notice) => notice.on_the_way_back(),
            // A relay that is newer may have more reasons not to let anybody in.
            Self::UnknownNotice(_) if is_inside => Next::Doubt,
            Self::UnknownNotice(_) => Next::End,
        }
    }
}

impl From<Malformed> for End {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

/// Why a text is not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SayError {
    /// There is nothing in it.
    Empty,
    /// It has so many bytes, which is more than [`MAX_TEXT`](crate::room::content::MAX_TEXT).
    TooLong(usize),
    /// So many are left out that their names do not fit into a frame.
    TooManyLeftOut,
    /// This member is not in the room, or no longer.
    NotInRoom,
    /// Whom it is for is not in the room, or is not trusted.
    NotThere,
}

/// Why nothing is handed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShareError {
    /// Whom it is for is not in the room.
    NotThere,
    /// They have no connection.
    Asleep,
    /// They get nothing that this member writes, for this reason.
    LeftOut(LeftOutFor),
    /// Something is being handed on to them already, which is not sent yet.
    Busy,
    /// There is nothing that they may have.
    Nothing,
    /// The announcement cannot be sent.
    Unsaid(SayError),
}

impl From<SayError> for ShareError {
    fn from(error: SayError) -> Self {
        Self::Unsaid(error)
    }
}
