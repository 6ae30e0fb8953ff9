//! Operating system commands (OSC, ECMA-48 §8.3.89): strings for the terminal itself, which shows them in its
//! title, or as a notification. Here alone text gets into one, so nothing in it can end the string.

use crate::room::text::SafeText;

/// The longest text in one, in characters.
const MAX_TEXT: usize = 200;

/// The command of this number with this text.
pub(super) fn osc(number: &str, text: &str) -> String {
    format!("\x1b]{number};{}\x1b\\", in_one_line(text))
}

/// Text without control characters and line breaks, cut where it is long.
pub(super) fn in_one_line(text: &str) -> String {
    // A long text would be looked at whole otherwise.
    let begin: String = text.chars().take(4 * MAX_TEXT).collect();
    let safe = SafeText::new(&begin);
    let words = safe.as_str().split_whitespace();
    let line = words.collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(MAX_TEXT) {
        Some((at, _)) => format!("{}…", line.get(..at).unwrap_or(&line)),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What others have tried to get out of such a string.
    const HOSTILE: [&str; 8] = [
        "\x1b\\\x1b]0;mine\x07",
        "\x07\x1b[2J",
        "\u{9c}\u{9d}52;c;cHduZWQ=\u{9c}",
        "\x1bPtmux;\x1b\x1b]0;mine\x07\x1b\\",
        "a\nb\r\nc\u{2028}d\x18\x1a",
        "\u{202e}esrever",
        "\x1b",
        "\0\x7f",
    ];

    #[test]
    fn nothing_in_it_ends_the_string_or_begins_another() {
        for text in HOSTILE {
            let sent = osc("2", &format!("before {text} after"));
            let inner = sent.strip_prefix("\x1b]2;before ").unwrap();
            let inner = inner.strip_suffix(" after\x1b\\").unwrap();
            assert!(!inner.contains(char::is_control), "{sent:?}");
        }
    }

    #[test]
    fn a_long_text_is_cut() {
        let sent = osc("9", &"é".repeat(100_000));
        assert_eq!(sent, format!("\x1b]9;{}…\x1b\\", "é".repeat(MAX_TEXT)));
        let marks = osc("9", &"\u{301}".repeat(100_000));
        assert!(marks.len() < 4 * MAX_TEXT + 20, "{}", marks.len());
    }
}
