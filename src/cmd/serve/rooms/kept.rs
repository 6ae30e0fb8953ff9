//! Places that are kept for members whose connections broke (PROTOCOL §8, "Sleep"). They have no
//! threads: the relay looks at them every second.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::room::Time;
use crate::room::frame::Departure;

use super::membership::Membership;
use crate::cmd::lock::lock;
use crate::cmd::serve::admission::control::{KeptSeat, Pass};

/// A place is kept for so long at least, if any is.
const KEPT_AT_LEAST: Duration = Duration::from_mins(1);

/// When a member has had no connection for so long, the others are told.
const TOLD_AFTER: Duration = Duration::from_mins(1);

/// A place that is kept.
struct Kept {
    membership: Membership,
    /// The number of the connection that broke.
    connection: u64,
    /// Since when, and until when, in the relay's uptime.
    since: Duration,
    until: Duration,
    is_told: bool,
    _seat: KeptSeat,
}

/// The time of day when the relay's uptime is this, if it is `now` at present.
fn at(now: Duration, uptime: Duration) -> Time {
    let millis = |time: Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    let time = jiff::Timestamp::now().as_millisecond() + millis(uptime) - millis(now);
    Time::try_from(time).unwrap_or_default()
}

/// The places that are kept for members without connections.
#[derive(Default)]
pub(in crate::cmd::serve) struct KeptPlaces(Mutex<Vec<Kept>>);

impl KeptPlaces {
    /// Keeps the place of a member whose connection broke: for as long as it was in the room before with a
    /// connection, but for a minute at least, and for as long as the relay has promised at most.
    pub(in crate::cmd::serve) fn keep(
        &self,
        mut membership: Membership,
        connection: u64,
        departure: Departure,
        pass: Pass,
    ) {
        let relay = membership.relay();
        let most = Duration::from_secs(relay.config.grace.into());
        let time = membership.outbox().time_there(Instant::now());
        let time = time.max(KEPT_AT_LEAST).min(most);
        let since = relay.admission.uptime();
        membership.park(connection, departure);
        lock(&self.0).push(Kept {
            membership,
            connection,
            since,
            until: since + time,
            is_told: false,
            _seat: pass.keep_place(),
        });
    }

    /// Takes members out of their rooms whose time is over, and tells the others who has had no
    /// connection for a minute. `now` is the relay's uptime.
    pub(in crate::cmd::serve) fn sweep(&self, now: Duration) {
        let mut kept = lock(&self.0);
        let over = kept.extract_if(.., |place| {
            let is_over = place.until <= now;
            !place.membership.keep_waiting(place.connection, is_over)
        });
        let over: Vec<Kept> = over.collect();
        for place in kept.iter_mut() {
            if !place.is_told && now >= place.since + TOLD_AFTER {
                place.is_told = true;
                let time = at(now, place.since)..at(now, place.until);
                place.membership.put_to_sleep(place.connection, time);
            }
        }
        drop(kept);
        // To drop them takes the locks of the rooms.
        drop(over);
    }
}
