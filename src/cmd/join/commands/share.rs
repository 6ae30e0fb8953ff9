//! Handing earlier messages on, and asking for it.

use std::time::Duration;

use jiff::ZonedDateTime;
use jiff::civil::Time as TimeOfDay;

use crate::cmd::zone;
use crate::room::Time;
use crate::room::content::MAX_SHARED;
use crate::room::message::Kind;
use crate::room::session::{Person, SayError, ShareError, Which};

use crate::cmd::join::client::Client;
use crate::cmd::join::output::handed::messages;
use crate::cmd::join::trust::typed::digits;

/// How many messages are handed on where it is not said how many.
const DEFAULT: u32 = 20;

/// A time of day that has not come yet is yesterday's, if that was not longer ago.
const YESTERDAY: Duration = Duration::from_hours(12);

impl Client<'_> {
    /// Hands on earlier messages to whoever has this nick, or this fingerprint.
    pub(super) fn share(&mut self, nick: &str, which: &str) {
        let which = match parse_which(which, &zone::now()) {
            Ok(which) => which,
            Err(error) => return self.screen.refuse(None, error),
        };
        let others = self.session.others();
        let by_fingerprint = others.iter().find(|it| it.fingerprint.to_string() == nick);
        let person = match by_fingerprint {
            Some(person) => person.clone(),
            None => match self.find_person(nick, "nothing is handed on: that is you") {
                Ok(person) => person,
                Err(error) => return self.screen.refuse(None, error),
            },
        };
        let nick = &person.nick;
        match self.session.share(person.sid, which, self.clock.now()) {
            Ok(shared) => {
                let too_long = match shared.too_long {
                    0 => String::new(),
                    count => format!("; {} too long for that", are(count)),
                };
                self.screen.notice(format!(
                    "handing on {} to {nick}: all who are here are told{too_long}",
                    messages(shared.count)
                ));
            }
            Err(error) => self.screen.refuse(None, why_not(&person, error)),
        }
    }

    /// Asks everybody to hand on what the user missed.
    pub(super) fn ask_to_catch_up(&mut self) {
        if self.session.count_others() == 0 {
            return self
                .screen
                .refuse(None, "nobody else is here who could hand anything on");
        }
        // It would be said later only, and the row below would not be true.
        if !self.session.is_up_to_date() {
            return self.screen.refuse(
                None,
                "nobody is asked: you are not connected; try it when you are",
            );
        }
        if self.announce(Kind::CatchUp, "catch up") {
            self.screen
                .notice("all who are here are asked to hand on to you what was said earlier");
        }
    }
}

/// `1 message is`, `2 messages are`.
fn are(count: u32) -> String {
    let verb = if count == 1 { "is" } else { "are" };
    format!("{} {verb}", messages(count))
}

fn why_not(person: &Person, error: ShareError) -> String {
    let nick = &person.nick;
    match error {
        ShareError::NotThere => format!("nothing is handed on: {nick} is not here any more"),
        ShareError::Asleep => {
            format!("nothing is handed on: {nick} is not connected; try it when {nick} is")
        }
        ShareError::LeftOut(_) => format!(
            "nothing is handed on, as you send nothing to {nick} for now; /whois {nick} shows why"
        ),
        ShareError::Busy => {
            format!("nothing more is handed on to {nick} before what is on its way has come")
        }
        ShareError::Nothing => format!(
            "there is nothing to hand on to {nick}: nothing was said to all, or nothing that {nick} may have"
        ),
        ShareError::Unsaid(SayError::NotInRoom) => {
            "nothing is handed on: you are not connected; try it when you are".to_owned()
        }
        ShareError::Unsaid(_) => {
            "nothing is handed on, as the room cannot be told of it".to_owned()
        }
    }
}

/// Which messages are meant, at this time.
///
/// # Errors
/// In words, where that cannot be told.
fn parse_which(which: &str, now: &ZonedDateTime) -> Result<Which, String> {
    let mut words = which.split_whitespace();
    match (words.next(), words.next(), words.next()) {
        (None, ..) => Ok(Which::Last(DEFAULT)),
        (Some("since"), Some(time), None) => parse_since(time, now).map(Which::Since),
        (Some(number), None, _) => {
            let typed = digits(number);
            let number = typed
                .parse::<u32>()
                .ok()
                .filter(|_| typed.len() == number.chars().count());
            let number = number.filter(|number| (1..=MAX_SHARED).contains(number));
            number.map(Which::Last).ok_or_else(|| {
                format!(
                    "nothing is handed on: say how many, from 1 to {MAX_SHARED}, or since 14:30"
                )
            })
        }
        _ => Err("it is used like this: /share NICK [N|since HH:MM]".to_owned()),
    }
}

/// The last time at which it was this time of day.
fn parse_since(time: &str, now: &ZonedDateTime) -> Result<Time, String> {
    let parsed = TimeOfDay::strptime("%H:%M", time);
    let at = parsed.map_err(|_| {
        format!("nothing is handed on: {time} is no time of day; write it like 14:30")
    })?;
    let to_come = || format!("nothing is handed on: {time} is still to come");
    let zoned = |date: jiff::civil::Date| {
        date.to_datetime(at)
            .to_zoned_datetime(now.time_zone().clone())
            .map_err(|_| to_come())
    };
    let mut since = zoned(now.date())?.timestamp();
    if since > now.timestamp() {
        let yesterday = now.date().yesterday().map_err(|_| to_come())?;
        since = zoned(yesterday)?.timestamp();
        if now.timestamp().duration_since(since) >= YESTERDAY.try_into().unwrap_or_default() {
            return Err(to_come());
        }
    }
    Ok(Time::try_from(since.as_millisecond()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> ZonedDateTime {
        format!("{text}[Europe/Berlin]").parse().unwrap()
    }

    fn since(text: &str, now: &str) -> Result<Time, String> {
        match parse_which(&format!("since {text}"), &at(now))? {
            Which::Since(time) => Ok(time),
            Which::Last(_) => panic!("a number"),
        }
    }

    #[test]
    fn which_messages_are_meant() {
        let now = at("2026-11-27T14:00:00");
        assert_eq!(parse_which("", &now), Ok(Which::Last(20)));
        assert_eq!(parse_which("1", &now), Ok(Which::Last(1)));
        assert_eq!(parse_which("1000", &now), Ok(Which::Last(1000)));
        for wrong in ["0", "1001", "-1", "many", "4294967296"] {
            assert!(
                parse_which(wrong, &now)
                    .unwrap_err()
                    .contains("from 1 to 1000")
            );
        }
        for wrong in ["since", "since 14:00 15:00", "20 messages"] {
            assert!(parse_which(wrong, &now).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_time_of_day_is_the_last_one_and_not_one_that_is_to_come() {
        let millisecond =
            |text: &str| Time::try_from(at(text).timestamp().as_millisecond()).unwrap();
        for (time, now, meant) in [
            ("13:59", "2026-11-27T14:00:00", "2026-11-27T13:59:00"),
            ("14:00", "2026-11-27T14:00:00", "2026-11-27T14:00:00"),
            ("0:05", "2026-11-27T14:00:00", "2026-11-27T00:05:00"),
            ("23:00", "2026-11-27T09:30:00", "2026-11-26T23:00:00"),
        ] {
            assert_eq!(since(time, now), Ok(millisecond(meant)), "{time} at {now}");
        }
        for (time, now) in [
            ("14:01", "2026-11-27T14:00:00"),
            ("23:59", "2026-11-27T12:00:00"),
            ("20:00", "2026-11-27T08:00:00"),
        ] {
            let error = since(time, now).unwrap_err();
            assert!(
                error.ends_with("is still to come"),
                "{time} at {now}: {error}"
            );
        }
        for wrong in ["25:00", "14:60", "noon", "14"] {
            assert!(
                since(wrong, "2026-11-27T14:00:00")
                    .unwrap_err()
                    .contains("no time of day")
            );
        }
    }
}
