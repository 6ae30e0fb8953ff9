//! What the window tells at a glance: in its title, in the state field, and in rows of their own. It is for a
//! terminal alone.

use jiff::ZonedDateTime;
use jiff::civil::Date;

use crate::cmd::terminal::{Entry, Status};
use crate::room::text::SafeText;

/// What is told at a glance, and was told last.
pub(super) struct Glance {
    /// What the room is called where others may see it.
    room: String,
    missed: Missed,
    /// The day of what was shown last.
    day: Date,
    status: Status,
    /// Since when there is no connection.
    down_since: Option<ZonedDateTime>,
}

/// What was said while the user looked elsewhere.
#[derive(Clone, Copy, Default)]
struct Missed {
    messages: u64,
    /// Of these, those that name the user or were said to the user alone.
    for_user: u64,
}

impl Glance {
    /// Begins on this day, in the room of this name.
    pub(super) fn new(room: String, day: Date) -> Self {
        Self {
            room,
            missed: Missed::default(),
            day,
            status: Status::default(),
            down_since: None,
        }
    }

    /// What the room is called.
    pub(super) fn room(&self) -> &str {
        &self.room
    }

    /// The room is called something else from now on.
    pub(super) fn set_room(&mut self, room: String) {
        self.room = room;
    }

    /// The title: the room, and how often somebody called the user who looked elsewhere.
    pub(super) fn title(&self) -> String {
        let room = &self.room;
        match self.missed.for_user {
            0 => format!("{room} - e2echat"),
            calls => format!("({calls}) {room} - e2echat"),
        }
    }

    /// Somebody has said something while the user looks elsewhere, perhaps for the user.
    pub(super) fn note_missed(&mut self, is_for_user: bool) {
        self.missed.messages += 1;
        self.missed.for_user += u64::from(is_for_user);
    }

    /// The user is back. Returns the row that tells what was said meanwhile, if anything was.
    pub(super) fn take_missed(&mut self) -> Option<Entry> {
        let Missed { messages, for_user } = std::mem::take(&mut self.missed);
        let text = match for_user {
            _ if messages == 0 => return None,
            0 => format!("— {messages} new —"),
            _ => format!("— {messages} new, {for_user} for you —"),
        };
        Some(Entry::Notice(SafeText::new(&text)))
    }

    /// Something is shown on this day. Returns the row that marks the day, if it is new.
    pub(super) fn note_day(&mut self, day: Date) -> Option<Entry> {
        let is_new = std::mem::replace(&mut self.day, day) != day;
        is_new.then(|| Entry::Notice(SafeText::new(&day_row(day))))
    }

    /// Takes note of how it stands now: whether the user is in the room, and how many of the user's messages
    /// wait. Returns what the state field says, if that is something else than before.
    pub(super) fn note_status(
        &mut self,
        is_inside: bool,
        waiting: usize,
        now: &ZonedDateTime,
    ) -> Option<Status> {
        let status = if is_inside {
            self.down_since = None;
            match waiting {
                0 => Status::Well,
                waiting => Status::Waiting(waiting),
            }
        } else {
            let since = self.down_since.get_or_insert_with(|| now.clone());
            // On another day a time of day would say too little.
            let is_today = since.date() == now.date();
            let form = if is_today { "%H:%M" } else { "%m-%d" };
            Status::Down(since.strftime(form).to_string())
        };
        let is_new = status != self.status;
        is_new.then(|| self.status.clone_from(&status))?;
        Some(status)
    }
}

/// The words of the row that marks a day.
pub(super) fn day_row(day: Date) -> String {
    format!("— {day} —")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(time: &str) -> ZonedDateTime {
        let time: jiff::Timestamp = time.parse().unwrap();
        time.to_zoned_datetime(jiff::tz::TimeZone::UTC)
    }

    fn glance() -> Glance {
        Glance::new("lobby".to_owned(), at("2026-11-28T12:00:00Z").date())
    }

    fn notice(text: &str) -> Entry {
        Entry::Notice(SafeText::new(text))
    }

    #[test]
    fn the_state_field_says_what_is_not_well_and_says_it_once() {
        let mut glance = glance();
        let noon = at("2026-11-28T12:00:00Z");
        assert_eq!(glance.note_status(true, 0, &noon), None);
        assert_eq!(glance.note_status(true, 3, &noon), Some(Status::Waiting(3)));
        assert_eq!(glance.note_status(true, 3, &noon), None);
        let down = Some(Status::Down("12:00".to_owned()));
        assert_eq!(glance.note_status(false, 3, &noon), down);
        let later = at("2026-11-28T23:59:00Z");
        assert_eq!(glance.note_status(false, 4, &later), None);
        let tomorrow = at("2026-11-29T00:00:00Z");
        let down = Some(Status::Down("11-28".to_owned()));
        assert_eq!(glance.note_status(false, 4, &tomorrow), down);
        assert_eq!(glance.note_status(true, 0, &tomorrow), Some(Status::Well));
        let down = Some(Status::Down("00:00".to_owned()));
        assert_eq!(glance.note_status(false, 0, &tomorrow), down);
    }

    #[test]
    fn what_was_missed_is_in_the_title_and_is_told_once() {
        let mut glance = glance();
        assert_eq!(glance.take_missed(), None);
        glance.note_missed(false);
        assert_eq!(glance.title(), "lobby - e2echat");
        assert_eq!(glance.take_missed(), Some(notice("— 1 new —")));
        (0..12).for_each(|number| glance.note_missed(number < 2));
        assert_eq!(glance.title(), "(2) lobby - e2echat");
        assert_eq!(glance.take_missed(), Some(notice("— 12 new, 2 for you —")));
        assert_eq!(glance.title(), "lobby - e2echat");
        assert_eq!(glance.take_missed(), None);
    }

    #[test]
    fn a_new_day_is_marked_once() {
        let mut glance = glance();
        let (today, tomorrow) = (glance.day, at("2026-11-29T00:00:00Z").date());
        assert_eq!(glance.note_day(today), None);
        assert_eq!(glance.note_day(tomorrow), Some(notice("— 2026-11-29 —")));
        assert_eq!(glance.note_day(tomorrow), None);
    }
}
