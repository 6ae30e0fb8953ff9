//! `e2echat rooms`: lists the saved rooms, and forgets one.

use super::print;
use super::settings::name::SavedName;
use super::settings::rooms::{SavedRoom, SavedRooms};
use crate::room::names::{PRIVATE_ROOM, RoomName};
use crate::room::text::{SafeText, parse_visible};

/// List the rooms that you have saved, or forget one
#[derive(clap::Args, Debug)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Saved rooms are in rooms.toml, in this user's data folder, which only you can read.

Examples:
  e2echat rooms                 list them, without their invites
  e2echat rooms --show-invite   list them with their invites
  e2echat rooms forget --help   forget one"
)]
pub(super) struct Args {
    /// Show the invites too; whoever has an invite can enter
    #[arg(long)]
    show_invite: bool,

    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(clap::Subcommand, Debug)]
enum Action {
    /// Forget a saved room; its invite is gone then
    Forget {
        /// What it is saved as
        #[arg(value_parser = parse_visible::<SavedName>)]
        name: SavedName,
    },
}

/// Runs the command.
pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    if let Some(Action::Forget { name }) = &args.action {
        SavedRooms::forget(name)?;
        return print(&format!("{name} is forgotten\n"));
    }
    let rooms = SavedRooms::read()?;
    let width = rooms.iter().map(|(name, _)| name.as_str().len()).max();
    let line = |(name, room): (&SavedName, &SavedRoom)| {
        let place = place(room, args.show_invite);
        let width = width.unwrap_or_default();
        format!("{:<width$}  {place}{}\n", name.as_str(), way(room))
    };
    print(&rooms.iter().map(line).collect::<String>())
}

/// Where a room is.
fn place(room: &SavedRoom, with_invite: bool) -> String {
    if let Some(invite) = &room.invite {
        let relay = invite.rsplit_once('/').map_or("", |(relay, _)| relay);
        return if with_invite {
            invite.clone()
        } else {
            format!("{PRIVATE_ROOM} at {relay}")
        };
    }
    let relay = room.relay.as_deref().unwrap_or_default();
    let lobby = RoomName::lobby().to_string();
    let name = room.room.as_ref().unwrap_or(&lobby);
    match name.parse::<RoomName>() {
        Ok(name) if name.is_invite() && !with_invite => format!("{PRIVATE_ROOM} at {relay}"),
        _ => format!("room {name} at {relay}"),
    }
}

/// As whom and how one goes there.
fn way(room: &SavedRoom) -> String {
    let nick = room.nick.iter().map(|nick| format!(", as {nick}"));
    let identity = room.identity.iter().map(|file| format!(", with {file}"));
    let proxy = room.proxy.iter().map(|proxy| {
        let host = proxy.rsplit(['@', '/']).next().unwrap_or_default();
        format!(", through the proxy {host}")
    });
    let program = room.through.iter();
    let program = program.map(|program| format!(", through {}", SafeText::new(program)));
    nick.chain(identity).chain(proxy).chain(program).collect()
}
