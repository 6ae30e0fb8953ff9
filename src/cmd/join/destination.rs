//! Which room of which relay somebody joins, and how friends get there.

use crate::room::names::RoomName;

use super::output::report::Report;

/// A room of a relay.
#[derive(Clone, Copy)]
pub(in crate::cmd) struct Destination<'a> {
    /// What people call the relay.
    pub(in crate::cmd) relay: &'a str,
    pub(in crate::cmd) room: &'a RoomName,
    /// Whether the relay is this program's own, and ends with it.
    pub(in crate::cmd) is_hosted: bool,
}

impl Destination<'_> {
    /// What friends have to type who want to come to this room.
    pub(in crate::cmd) fn directions(self) -> String {
        let Self { relay, room, .. } = self;
        let place = if room.is_invite() {
            format!("{relay}/{room} --nick NAME")
        } else if *room == RoomName::lobby() {
            format!("{relay} --nick NAME")
        } else {
            format!("{relay} --nick NAME --room {room}")
        };
        format!("friends join with: e2echat join {place}")
    }

    /// The directions as a report. An invite can be copied from it.
    pub(super) fn report_directions(self) -> Report {
        let directions = self.directions();
        if self.room.is_invite() {
            let invite = format!("{}/{}", self.relay, self.room);
            Report::Invite { directions, invite }
        } else {
            Report::Notice(directions)
        }
    }
}
