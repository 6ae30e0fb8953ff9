//! What a member pays for what it sends, as its room has it.

use std::time::Duration;

use super::intake::Intake;
use super::throttle::{LEAST_OPENED, OPENED, Portion};
use super::{Mailbox, Room};

impl<M: Mailbox> Room<M> {
    /// The member that joined at this position says that it can open so many blocks a second.
    pub fn set_opens(&mut self, joined: u64, opens: u32) {
        let mut occupants = self.roster.iter_mut();
        if let Some((_, occupant)) = occupants.find(|(_, occupant)| occupant.joined == joined) {
            occupant.opens = opens.max(LEAST_OPENED);
        }
    }

    /// For how long the relay reads nothing from a member whose connection is new: until the member has paid
    /// what it owes. It owes, too, what those left unpaid who came from its address before and have gone.
    #[must_use]
    pub fn first_pause(&self, intake: &Intake, uptime: Duration) -> Duration {
        let occupant = self.roster.get(intake.sid());
        occupant.map_or(Duration::ZERO, |occupant| occupant.throttle.pause(uptime))
    }

    /// Charges a member for the latest frame that was taken from it. Returns for how long the relay is to read
    /// nothing more from it. `uptime` is the time since any moment, the same moment for all calls.
    pub fn charge(&mut self, intake: &Intake, uptime: Duration) -> Duration {
        self.charged = uptime;
        let (sid, cost) = (intake.sid(), intake.cost());
        let occupant = self.roster.get(sid);
        let occupant = occupant.filter(|occupant| occupant.joined == intake.joined());
        let Some(is_shared) = occupant.map(|occupant| occupant.throttle.is_shared()) else {
            return Duration::ZERO;
        };
        let is_message = cost.carried > 0;
        let portion = (is_message && is_shared).then(|| self.portion(intake.joined(), uptime));
        let occupant = self.roster.get_mut(sid);
        occupant.map_or(Duration::ZERO, |occupant| {
            occupant.throttle.take(cost, portion.as_ref(), uptime)
        })
    }

    /// The member that joined at this position has spoken now. Returns its portion of what readers can take.
    fn portion(&mut self, joined: u64, uptime: Duration) -> Portion {
        let readers = self.roster.iter().map(|(_, occupant)| occupant);
        let awake = readers.filter(|occupant| occupant.absence.is_none());
        let opens = awake.map(|occupant| occupant.opens);
        Portion {
            speakers: self.speakers.count(joined, uptime),
            opened: opens.min().unwrap_or(OPENED),
        }
    }
}
