//! A draft in the user's own editor.
//!
//! The draft stands in a file while the editor has it, in a folder of its own that nobody else can enter. The folder
//! lies in memory: what is not sent is not to be found on a disk. It is removed with everything that the editor has
//! put there, however the editor ends.

mod folder;
mod program;

use super::keyboard::Console;
use crate::room::content::MAX_TEXT;

use self::folder::Folder;

/// The most that is read of what the editor leaves, in bytes.
const MAX_READ: u64 = 1 << 20;

/// What becomes of a draft.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Edited {
    /// It is this now.
    Draft(String),
    /// It stays as it was.
    Kept,
    /// It stays as it was, because this is too long to be sent.
    TooLong(String),
}

/// Has the user edit a draft, with the terminal. Tells what goes wrong, one line each.
pub(super) fn edit(draft: &str, console: &Console, tell: impl Fn(String)) -> Edited {
    let keep = |why: String| {
        tell(format!("the draft is as it was: {why}"));
        Edited::Kept
    };
    let folder = match Folder::new() {
        Ok(folder) => folder,
        Err(why) => return keep(why),
    };
    let left = write_and_edit(draft, &folder, console);
    if let Err(why) = folder.remove() {
        tell(why);
    }
    let text = match left.and_then(text) {
        Ok(text) => text,
        Err(why) => return keep(why),
    };
    if text.len() > MAX_TEXT {
        keep(format!(
            "the editor left {} bytes, and a message has at most {MAX_TEXT}; the Up key brings them back",
            text.len()
        ));
        return Edited::TooLong(text);
    }
    Edited::Draft(text)
}

/// What the editor leaves of a draft.
fn write_and_edit(draft: &str, folder: &Folder, console: &Console) -> Result<Vec<u8>, String> {
    let file = folder.write(draft)?;
    let words = program::words()?;
    program::run(&words, &file, &console.lend()?)?;
    folder.read(MAX_READ)
}

/// The text that the editor has left.
fn text(bytes: Vec<u8>) -> Result<String, String> {
    let text = String::from_utf8(bytes).map_err(|_| "what the editor left is not UTF-8")?;
    let text = text.replace("\r\n", "\n");
    let text = text.trim_end_matches('\n');
    if text.trim().is_empty() {
        return Err("the editor left nothing in it".to_owned());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_what_was_written_without_the_end_of_its_last_line() {
        for (left, draft) in [
            (&b"one\n"[..], Ok("one")),
            (b"one", Ok("one")),
            (b"  one\r\ntwo \r\n\r\n", Ok("  one\ntwo ")),
            (b"", Err("the editor left nothing in it")),
            (b" \n\t\n", Err("the editor left nothing in it")),
            (b"caf\xe9\n", Err("what the editor left is not UTF-8")),
        ] {
            let expected = draft.map(str::to_owned).map_err(str::to_owned);
            assert_eq!(text(left.to_vec()), expected);
        }
    }
}
