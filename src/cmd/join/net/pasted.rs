//! Finds an invite in what somebody has pasted: alone, in quotes, in a whole command, in rows of this
//! program's screen.

use crate::cmd::arguments::DASHES;
use crate::room::names::{NameError, RoomName};
use crate::room::text::SafeText;

use crate::cmd::address::{Address, RoomOrInvite};

/// Characters that may stand around an invite: quotes, brackets, and what ends a sentence.
const AROUND: [char; 25] = [
    '"', '\'', '`', '“', '”', '„', '‘', '’', '‚', '«', '»', '‹', '›', '<', '>', '(', ')', '{', '}',
    ',', '.', ';', '*', '_', '\u{fffd}',
];

/// Signs that stand before the words of a row: this program's own, and a shell's.
const MARKS: [&str; 7] = ["*", "!", "|", "$", "#", "%", ">"];

/// Finds the invite in pasted rows, by what can be seen of them.
///
/// # Errors
/// In words, if the rows have no invite, or a mistyped one.
pub fn invite_in(rows: &[String]) -> Result<(Address, RoomName), String> {
    let typed = rows.iter().map(|row| row.replace(DASHES, "-"));
    let shown: Vec<SafeText> = typed.map(|row| SafeText::new(&row)).collect();
    let rows: Vec<Vec<&str>> = shown.iter().map(|row| words(row.as_str())).collect();
    for (at, row) in rows.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|before| rows.get(before));
        let is_rest = before.is_some_and(|before| is_start_of_host(before));
        if is_rest && row.first().copied().and_then(invite).is_some() {
            // The host's name was cut, and its rest alone would lead to another host.
            return Err(NameError::Mistyped.to_string());
        }
        let found = row.iter().copied().find_map(invite);
        let broken = || rows.get(at..).and_then(broken_invite);
        if let Some(found) = found.or_else(broken) {
            return Ok(found);
        }
    }
    let words = rows.concat();
    match words.as_slice() {
        [] => Err("no invite was given".to_owned()),
        // One word can also be a room that has a name, which others can guess.
        [word] => match word.parse()? {
            RoomOrInvite::Invite(relay, room) => Ok((relay, room)),
            RoomOrInvite::Name(_) => Err(NO_INVITE.to_owned()),
        },
        words => {
            let mut tried = words.iter().filter(|word| word.contains("inv-"));
            let mistyped =
                tried.find_map(|word| word.trim_matches(AROUND).parse::<RoomOrInvite>().err());
            Err(mistyped.unwrap_or_else(|| NO_INVITE.to_owned()))
        }
    }
}

const NO_INVITE: &str = "an invite has the form HOST:PORT/inv-...";

/// Whether rows without an invite look as if it came in the next row: the last is this program's own, or
/// ends where a command has its invite.
pub(in crate::cmd::join) fn is_unfinished(rows: &[String]) -> bool {
    rows.last().is_some_and(|row| {
        row.trim_start().starts_with("* ") || words(row).last().is_some_and(|word| *word == "join")
    })
}

/// The words of a row, without the gutter and the signs before them.
fn words(row: &str) -> Vec<&str> {
    let row = row.trim_start();
    // A member's words stand behind the gutter: `21:04 <bob> hello`.
    let author = row.find('<').filter(|start| *start <= "21:04 ".len());
    let row = match author.and_then(|_| row.split_once("> ")) {
        Some((_, words)) => words,
        None => row,
    };
    let words = row.split_whitespace();
    words.skip_while(|word| MARKS.contains(word)).collect()
}

/// Reads a word that is an invite, or contains one: in a link, behind the name of a variable or option.
fn invite(word: &str) -> Option<(Address, RoomName)> {
    let is_between = |sign| matches!(sign, '=' | '(' | ')' | '&' | ';' | '<' | '>');
    word.split(is_between).find_map(|part| {
        // An opening bracket may begin an IPv6 address, so only closing ones go.
        let bare = part.trim_matches(AROUND).trim_end_matches([']', '!', '?']);
        let rest = PREFIXES.iter().find_map(|prefix| bare.strip_prefix(prefix));
        match rest.unwrap_or(bare).parse() {
            Ok(RoomOrInvite::Invite(relay, room)) if room.is_invite() => Some((relay, room)),
            _ => None,
        }
    })
}

/// What messengers and people put before an invite.
const PREFIXES: [&str; 4] = ["https://", "http://", "invite:", "room:"];

/// Whether a row is one word that can be the cut beginning of a host's name.
fn is_start_of_host(row: &[&str]) -> bool {
    matches!(row, [word] if word.contains('.') && !word.ends_with(['.', ':']))
}

/// Finds an invite that begins with the last word of the first row and goes on in the next rows, as where
/// a screen cuts rows at its width.
fn broken_invite(rows: &[Vec<&str>]) -> Option<(Address, RoomName)> {
    let (first, rest) = rows.split_first()?;
    let start = *first.last()?;
    let width = start.chars().count();
    let mut found = start.to_owned();
    for row in rest {
        let word = *row.first()?;
        // Nothing in a host's name shows that it was cut. But a cut word fills its row, and the rest of
        // it begins the next one.
        let is_cut = first.len() == 1 && start != "join" && word.chars().count() <= width;
        if !found.to_ascii_lowercase().contains("/inv-") && !is_cut {
            return None;
        }
        found += word;
        if let Some(invite) = invite(&found) {
            return Some(invite);
        }
        if row.len() > 1 {
            return None;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cmd::terminal::{Entry, Style, render};

    fn found(text: &str) -> Result<String, String> {
        let rows: Vec<String> = text.lines().map(str::to_owned).collect();
        invite_in(&rows).map(|(relay, room)| format!("{relay}/{room}"))
    }

    fn made(relay: &str) -> String {
        format!("{relay}/{}", RoomName::invite())
    }

    #[test]
    fn an_invite_is_found_in_whatever_was_copied_with_it() {
        for relay in ["chat.example.org:4000", "[2001:db8::7]:5000"] {
            let invite = made(relay);
            for text in [
                "{}",
                "  {} ",
                "e2echat join {} --nick NAME",
                "$ e2echat join {} --nick bob",
                "* friends join with: e2echat join {} --nick NAME",
                "friends join with: e2echat join\n{}",
                "* friends join with: e2echat join\n*   {} --nick NAME\n* you are ada",
                "21:04 <ada → bob> come and/or tell others: {}",
                "\"{}\"",
                "'e2echat join {}'",
                "“{}”.",
                "the room is `{}`, come in!",
                "({})",
                "<{}>",
                "\u{feff}{}\u{200b}",
                "\u{2068}{}\u{2069}",
                "**{}**, or _{}_",
                "[the room]({})",
                "E2ECHAT_ROOM={} e2echat join --nick bob",
                "e2echat join --room={} --nick bob",
                "invite:{}",
                "https://{}",
                "&lt;{}&gt;",
            ] {
                let text = text.replace("{}", &invite);
                assert_eq!(found(&text), Ok(invite.clone()), "{text}");
            }
            assert_eq!(found(&invite.to_uppercase()), Ok(invite.clone()));
            let hidden = invite.replace("inv-", "inv\u{ad}-\u{200b}");
            assert_eq!(found(&hidden), Ok(invite));
        }
    }

    #[test]
    fn other_hyphens_stand_for_hyphens() {
        let invite = made("chat.example.org:4000");
        for hyphen in DASHES {
            let text = invite.replace('-', &hyphen.to_string());
            assert_eq!(found(&text), Ok(invite.clone()), "{text}");
        }
    }

    #[test]
    fn an_invite_is_found_in_rows_of_any_width() {
        for relay in ["chat.example.org:4000", "[2001:db8::7]:5000", "a:1"] {
            let invite = made(relay);
            let notice = Entry::Notice(SafeText::new(&format!(
                "friends join with: e2echat join {invite} --nick NAME"
            )));
            for columns in 14..200 {
                let rows = render(&notice, columns, Style::PLAIN);
                assert_eq!(found(&rows), Ok(invite.clone()), "{rows}");
            }
        }
    }

    #[test]
    fn what_holds_no_invite_says_what_is_wrong() {
        let mistyped = "this invite is mistyped: copy it again, all of it";
        let wrong = made("host").replacen("inv-", "inv-0", 1);
        for (text, error) in [
            ("", "no invite was given"),
            (" * ", "no invite was given"),
            ("lobby", NO_INVITE),
            ("come and/or tell others", NO_INVITE),
            (&wrong, mistyped),
            (&format!("e2echat join {wrong} --nick NAME"), mistyped),
            (&format!("\"{wrong}\" it is"), mistyped),
            // These invites are broken where this program never breaks one.
            (&made("chat.example.org:40\n00"), mistyped),
            (&made("* chat.exa\n*   mple.org:4000"), mistyped),
        ] {
            assert_eq!(found(text), Err(error.to_owned()), "{text}");
        }
    }
}
