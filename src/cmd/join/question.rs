//! The question where to go, on the terminal, which does not show what is typed: an invite is a secret.

use crate::cmd::prompt::Prompt;
use crate::cmd::settings::Answer;
use crate::cmd::settings::rooms::SavedRooms;

use super::args::usage;
use super::net::pasted;

/// How many rows of a paste are read in search of an invite.
const MAX_ROWS: usize = 50;

/// Asks for an invite or a saved room.
///
/// # Errors
/// If nobody can answer, or the answer leads nowhere.
pub(in crate::cmd) fn ask_where_to(rooms: &SavedRooms) -> anyhow::Result<Answer> {
    let unanswered = |_| {
        usage(
            "it is not said where to go: put HOST:PORT or an invite after `e2echat join`, or an invite in E2ECHAT_ROOM",
        )
    };
    let mut prompt = Prompt::open().map_err(unanswered)?;
    let mut rows = Vec::new();
    let mut question = question(rooms);
    loop {
        rows.push(prompt.ask(&question).map_err(unanswered)?);
        if let [row] = rows.as_slice()
            && let Some(chosen) = chosen(rooms, row.trim())
        {
            return chosen;
        }
        match pasted::invite_in(&rows) {
            Ok((relay, room)) => return Ok(Answer::Invite(format!("{relay}/{room}"))),
            Err(error) if rows.len() == MAX_ROWS => return Err(usage(&error)),
            Err(_) if prompt.has_more() || pasted::is_unfinished(&rows) => {}
            Err(error) => return Err(usage(&error)),
        }
        "invite: ".clone_into(&mut question);
    }
}

/// What is asked, below the list of rooms, if there are any.
fn question(rooms: &SavedRooms) -> String {
    if rooms.is_empty() {
        return "invite: ".to_owned();
    }
    let lines = rooms.iter().enumerate();
    let lines = lines.map(|(index, (name, _))| format!("{:>3}  {name}\n", index + 1));
    lines.collect::<String>() + "number, or invite: "
}

/// The room that an answer chooses; nothing where it is no number and no name.
fn chosen(rooms: &SavedRooms, answer: &str) -> Option<anyhow::Result<Answer>> {
    if let Some((name, _)) = rooms.get(answer) {
        return Some(Ok(Answer::Saved(name.clone())));
    }
    let number: usize = answer.parse().ok().filter(|_| !rooms.is_empty())?;
    let nth = number
        .checked_sub(1)
        .and_then(|index| rooms.iter().nth(index));
    let none = || usage(&format!("there is no number {number} in the list"));
    Some(
        nth.map(|(name, _)| Answer::Saved(name.clone()))
            .ok_or_else(none),
    )
}
