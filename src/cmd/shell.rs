//! Words of a command line that somebody copies into a shell. Any POSIX shell reads them, but for
//! the name of a file that cannot be shown.

use std::fmt::Write as _;
use std::path::Path;

use crate::room::text::SafeText;

/// A path as one word that a shell takes as it stands, and that no command takes for an option.
pub(super) fn quoted(path: &Path) -> String {
    let bytes = path.as_os_str().as_encoded_bytes();
    let dot = if bytes.starts_with(b"-") { "./" } else { "" };
    match path.to_str() {
        Some(text) if is_visible(text) => {
            format!("'{dot}{}'", text.replace('\'', r"'\''"))
        }
        // What cannot be shown is spelt out as `$'...'`, which bash, ksh, zsh and others read.
        _ => {
            let mut word = format!("$'{dot}");
            for byte in bytes {
                let _ = match byte {
                    b'\'' | b'\\' => write!(word, "\\{}", char::from(*byte)),
                    b' '..=b'~' => write!(word, "{}", char::from(*byte)),
                    _ => write!(word, "\\{byte:03o}"),
                };
            }
            word.push('\'');
            word
        }
    }
}

/// Whether a terminal shows a text as it is, on one line.
fn is_visible(text: &str) -> bool {
    !text.contains('\n') && SafeText::new(text).as_str() == text
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::ffi::OsStrExt as _;
    use std::process::Command;

    use super::*;

    #[test]
    fn a_shell_reads_back_any_path_and_no_command_takes_it_for_an_option() {
        for path in [
            &b"me.pem"[..],
            b"a b",
            b"it's",
            b"''",
            b"$HOME `id` $(id) \"x\" \\n * ~ ; & | < > #!",
            b"-out",
            b"--",
            b"-\n-",
            b"two\nlines\ttab \x1b[2J\x07 it's \\ 7",
            b"\xff\xfe 1",
            "für Käthe".as_bytes(),
            "a\u{202e}b e\u{301}".as_bytes(),
        ] {
            let path = Path::new(std::ffi::OsStr::from_bytes(path));
            let word = quoted(path);
            assert!(is_visible(&word), "{word:?}");
            let script = format!("printf %s {word}");
            let output = Command::new("bash").args(["-c", &script]).output();
            let read = output.unwrap().stdout;
            let dot = if path.as_os_str().as_bytes().starts_with(b"-") {
                "./"
            } else {
                ""
            };
            assert_eq!(
                read,
                [dot.as_bytes(), path.as_os_str().as_bytes()].concat(),
                "{word}"
            );
        }
    }
}
