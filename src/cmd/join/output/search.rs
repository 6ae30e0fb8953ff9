//! What `/search` finds in the messages that are kept. Capitals and accents make no difference, nor does how
//! blanks, quotes and dashes are written.

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::canonical_combining_class;

use crate::cmd::terminal::{ChatMessage, Entry, Style, render_plain};
use crate::room::text::SafeText;

/// How many messages are shown of those that are found: the latest.
const MOST_FOUND: usize = 20;

/// How many messages are shown around one that is found, on each side.
const AROUND: usize = 1;

/// How many characters are shown of a message, and how many of them before the place that is found.
const SHOWN: usize = 200;
const BEFORE: usize = 60;

/// How many characters of what is sought stand in the answer.
const SOUGHT: usize = 60;

/// What stands before a message that is found, and before one around it.
const FOUND: &str = "> ";
const BESIDE: &str = "  ";

/// What has come of a search.
pub(in crate::cmd::join) enum Search {
    /// There is nothing in it that a message could have.
    Empty,
    /// No message has it, of so many.
    Nothing { sought: String, kept: usize },
    /// The answer.
    Found(String),
}

/// Looks for a text in messages.
pub(super) fn search(messages: &[&ChatMessage], sought: &str) -> Search {
    let safe = SafeText::new(sought);
    let folded = Folded::new(safe.as_str());
    let needle = folded.text.trim();
    if needle.is_empty() {
        return Search::Empty;
    }
    let words: Vec<&str> = safe.as_str().split_whitespace().collect();
    let sought = SafeText::new(&words.join(" "))
        .beginning(SOUGHT)
        .to_string();
    let places = messages.iter().map(|it| find(it.text.as_str(), needle));
    let places: Vec<Option<usize>> = places.collect();
    let numbers = places.iter().enumerate();
    let found: Vec<usize> = numbers
        .filter_map(|(number, place)| place.map(|_| number))
        .collect();
    let (all, kept) = (found.len(), messages.len());
    let Some(shown) = found
        .get(all.saturating_sub(MOST_FOUND)..)
        .filter(|_| all > 0)
    else {
        return Search::Nothing { sought, kept };
    };
    let mut lines = vec![match all - shown.len() {
        0 => format!("{all} of the last {kept} messages: {sought}"),
        _ => format!(
            "{all} of the last {kept} messages, and here the last {}: {sought}",
            shown.len()
        ),
    }];
    let is_near = |number: usize| shown.iter().any(|&it| it.abs_diff(number) <= AROUND);
    let mut last = None;
    for (number, (message, place)) in messages.iter().zip(&places).enumerate() {
        if !is_near(number) {
            continue;
        }
        if last.is_some_and(|last| last + 1 < number) {
            lines.push("…".to_owned());
        }
        last = Some(number);
        let mark = if shown.contains(&number) {
            FOUND
        } else {
            BESIDE
        };
        lines.push(mark.to_owned() + &line(message, place.unwrap_or(0)));
    }
    Search::Found(lines.join("\n"))
}

/// A message in one line, with as much of its text as is shown around this place in it.
fn line(message: &ChatMessage, place: usize) -> String {
    let message = ChatMessage {
        text: SafeText::new(&excerpt(message.text.as_str(), place)),
        remark: None,
        ..message.clone()
    };
    let line = render_plain(&Entry::Message(message), Style::PLAIN);
    line.trim_end().to_owned()
}

fn excerpt(text: &str, place: usize) -> String {
    let before = text.get(..place).unwrap_or_default().chars().count();
    let is_long = text.chars().nth(SHOWN).is_some();
    let skipped = if is_long {
        before.saturating_sub(BEFORE)
    } else {
        0
    };
    let begin = if skipped > 0 { "…" } else { "" };
    let mut rest = text.chars().skip(skipped);
    let shown: String = rest.by_ref().take(SHOWN).collect();
    let end = if rest.next().is_some() { "…" } else { "" };
    format!("{begin}{shown}{end}")
}

/// Where something that is folded begins in a text, in bytes of the text.
fn find(text: &str, folded: &str) -> Option<usize> {
    let whole = Folded::new(text);
    let at = whole.text.find(folded)?;
    whole.places.get(at).copied()
}

/// A text as it is compared.
struct Folded {
    text: String,
    /// Where in the text each byte of it comes from.
    places: Vec<usize>,
}

impl Folded {
    fn new(text: &str) -> Self {
        let mut folded = Self {
            text: String::with_capacity(text.len()),
            places: Vec::with_capacity(text.len()),
        };
        for (place, character) in text.char_indices() {
            let lower = character.to_lowercase().nfkd();
            // What is taken apart can be a capital again: the sign for a trade mark is.
            for part in lower.flat_map(char::to_lowercase).filter(|it| counts(*it)) {
                match part {
                    'ß' => folded.push("ss", place),
                    'æ' => folded.push("ae", place),
                    'œ' => folded.push("oe", place),
                    'ø' => folded.push("o", place),
                    'đ' | 'ð' => folded.push("d", place),
                    'ħ' => folded.push("h", place),
                    'ı' => folded.push("i", place),
                    'ł' => folded.push("l", place),
                    'ς' => folded.push("σ", place),
                    '‘' | '’' | '‚' | '′' => folded.push("'", place),
                    '“' | '”' | '„' | '«' | '»' | '″' => folded.push("\"", place),
                    '‐'..='―' | '−' => folded.push("-", place),
                    blank if blank.is_whitespace() => {
                        if !folded.text.ends_with(' ') {
                            folded.push(" ", place);
                        }
                    }
                    other => folded.push(other.encode_utf8(&mut [0; 4]), place),
                }
            }
        }
        folded
    }

    fn push(&mut self, part: &str, place: usize) {
        self.text.push_str(part);
        self.places.resize(self.text.len(), place);
    }
}

/// Whether a sign makes a difference. Accents and vowel points make none; what makes another letter of one, in
/// Japanese and in the scripts of India and its neighbours, does. Signs that only say how others look make none.
fn counts(sign: char) -> bool {
    let class = canonical_combining_class(sign);
    let is_accent = matches!(class, 10..=35 | 200..=240);
    !is_accent && !matches!(sign, '\u{200c}' | '\u{200d}' | '\u{fe00}'..='\u{fe0f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has(text: &str, sought: &str) -> bool {
        find(text, Folded::new(sought).text.trim()).is_some()
    }

    #[test]
    fn capitals_and_accents_make_no_difference() {
        for (text, sought) in [
            ("a Résumé", "resume"),
            ("a resume", "RÉSUMÉ"),
            ("re\u{301}sume\u{301}", "résumé"),
            ("DIE STRAẞE", "strasse"),
            ("die strasse", "Straße"),
            ("Ærø und Łódź", "aero und lodz"),
            ("İstanbul ısı", "istanbul isi"),
            ("ΟΔΥΣΣΕΥΣ", "Οδυσσεύς"),
            ("ёлка", "Елка"),
            ("ﬁne Ａｄａ ™", "fine ada tm"),
            ("don’t “go” – now", "don't \"go\" - now"),
            ("two\nlines  here", "two lines here"),
            ("한국어", "\u{1112}\u{1161}\u{11ab}국어"),
            ("שָׁלוֹם", "שלום"),
            ("مُحَمَّد", "محمد"),
            ("❤\u{fe0f}", "❤"),
            ("日本語", "本"),
        ] {
            assert!(has(text, sought), "{sought} in {text}");
        }
        for (text, sought) in [("か", "が"), ("は", "ぱ"), ("abc", "abd"), ("a b", "ab")] {
            assert!(!has(text, sought), "{sought} in {text}");
        }
    }

    #[test]
    fn what_is_found_is_shown_with_what_stands_around_it() {
        let texts = ["one", "two", "Three", "four", "five", "six", "threescore"];
        let messages = texts.map(|text| ChatMessage::sample("ada", text));
        let messages: Vec<&ChatMessage> = messages.iter().collect();
        let Search::Found(answer) = search(&messages, "three") else {
            panic!("nothing is found");
        };
        let expected = [
            "2 of the last 7 messages: three",
            "  21:04 <ada> two",
            "> 21:04 <ada> Three",
            "  21:04 <ada> four",
            "…",
            "  21:04 <ada> six",
            "> 21:04 <ada> threescore",
        ];
        assert_eq!(answer.lines().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn of_much_that_is_found_the_last_is_shown() {
        let messages = (0..50).map(|number| ChatMessage::sample("ada", &format!("tea {number}")));
        let messages: Vec<ChatMessage> = messages.collect();
        let messages: Vec<&ChatMessage> = messages.iter().collect();
        let Search::Found(answer) = search(&messages, "tea") else {
            panic!("nothing is found");
        };
        let shown = answer.lines().filter(|line| line.starts_with(FOUND));
        assert_eq!(shown.count(), MOST_FOUND);
        assert!(answer.ends_with("> 21:04 <ada> tea 49"), "{answer}");
        assert!(answer.starts_with("50 of the last 50 messages, and here the last 20: tea\n"));
    }

    #[test]
    fn of_a_long_message_the_place_is_shown() {
        let text = format!("{}needle{}", "é ".repeat(1000), " ü".repeat(1000));
        let messages = [ChatMessage::sample("ada", &text)];
        let messages: Vec<&ChatMessage> = messages.iter().collect();
        let Search::Found(answer) = search(&messages, "NEEDLE") else {
            panic!("nothing is found");
        };
        let shown = answer.lines().nth(1).unwrap();
        assert!(shown.contains("é needle ü"), "{shown}");
        assert!(shown.chars().count() < SHOWN + 20, "{shown}");
    }

    #[test]
    fn nothing_harmful_is_sought_or_said_again() {
        let messages = [ChatMessage::sample("ada", "a\u{1b}[2Jb")];
        let messages: Vec<&ChatMessage> = messages.iter().collect();
        for nothing in ["", " \n\t", "\u{200b}\u{200d}", "\u{301}", "\u{e0041}"] {
            assert!(
                matches!(search(&messages, nothing), Search::Empty),
                "{nothing:?}"
            );
        }
        let Search::Found(answer) = search(&messages, "\u{1b}[2J") else {
            panic!("it stands there as it is shown");
        };
        assert!(!answer.contains('\u{1b}'), "{answer:?}");
        let Search::Nothing { sought, .. } = search(&messages, "x\u{1b}]0;title\u{7}\ny") else {
            panic!("there is no such message");
        };
        assert_eq!(sought, "x\u{fffd}]0;title\u{fffd} y");
    }
}
