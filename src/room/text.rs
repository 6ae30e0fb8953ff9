//! Text from others, made harmless on receipt.
//!
//! A member can put anything into a message, and a terminal obeys what is written to it: it moves
//! the cursor, changes its title, fills the clipboard, or shows text in another order than it is
//! read. [`SafeText`] is the only form in which such text travels on, and a terminal can take all
//! of it. This module knows nothing of the widths of terminals: the renderer wraps.

mod invisible;
mod joining;

use std::fmt;
use std::str::FromStr;

use unicode_width::UnicodeWidthChar;

/// How many combining marks a character may carry. Living languages need three at most; a character
/// with hundreds of them paints over the rows above it.
const MARKS_PER_CHARACTER: usize = 4;

/// What a tab becomes. A real tab would end at a column that the renderer cannot know.
const TAB: &str = "    ";

/// How a character is treated that may not pass.
#[derive(Clone, Copy)]
enum Treatment {
    /// It is left out without a trace: it is invisible, and common in honest text.
    Drop,
    /// It becomes U+FFFD: nobody types it, so the reader should see that something was there.
    Replace,
    /// It becomes a line break: that is what it means.
    Break,
}

/// What may not reach a terminal, ascending; but for joiners, selectors and tags where they belong
/// ([`invisible`]). Controls (C0, DEL, C1) are not listed:
/// [`char::is_control`] knows them.
const FORBIDDEN: &[(char, char, Treatment)] = &[
    // Soft hyphen: invisible, or a hyphen, as the terminal pleases.
    ('\u{ad}', '\u{ad}', Treatment::Drop),
    // Combining grapheme joiner.
    ('\u{34f}', '\u{34f}', Treatment::Drop),
    // Arabic letter mark: a bidirectional mark.
    ('\u{61c}', '\u{61c}', Treatment::Drop),
    // Hangul choseong and jungseong fillers: letters that show nothing.
    ('\u{115f}', '\u{1160}', Treatment::Replace),
    // Khmer inherent vowels: invisible.
    ('\u{17b4}', '\u{17b5}', Treatment::Drop),
    // Mongolian variation selectors and vowel separator.
    ('\u{180b}', '\u{180f}', Treatment::Drop),
    // Zero width space, non-joiner and joiner, left-to-right and right-to-left mark.
    ('\u{200b}', '\u{200f}', Treatment::Drop),
    // Line and paragraph separator.
    ('\u{2028}', '\u{2029}', Treatment::Break),
    // Bidirectional embeddings and overrides: the text reads in another order than it is stored.
    ('\u{202a}', '\u{202e}', Treatment::Replace),
    // Word joiner and invisible operators.
    ('\u{2060}', '\u{2065}', Treatment::Drop),
    // Bidirectional isolates.
    ('\u{2066}', '\u{2069}', Treatment::Replace),
    // Deprecated format characters.
    ('\u{206a}', '\u{206f}', Treatment::Drop),
    // Hangul filler.
    ('\u{3164}', '\u{3164}', Treatment::Replace),
    // Private use: whatever the reader's font makes of it.
    ('\u{e000}', '\u{f8ff}', Treatment::Replace),
    // Noncharacters.
    ('\u{fdd0}', '\u{fdef}', Treatment::Replace),
    // Variation selectors.
    ('\u{fe00}', '\u{fe0f}', Treatment::Drop),
    // Byte order mark, zero width no-break space.
    ('\u{feff}', '\u{feff}', Treatment::Drop),
    // Halfwidth Hangul filler.
    ('\u{ffa0}', '\u{ffa0}', Treatment::Replace),
    // Unassigned and ignorable, then interlinear annotation, then what stands for a picture.
    ('\u{fff0}', '\u{fffc}', Treatment::Replace),
    // Noncharacters, here and at the end of every plane.
    ('\u{fffe}', '\u{ffff}', Treatment::Replace),
    // Egyptian hieroglyph format controls.
    ('\u{13430}', '\u{1343f}', Treatment::Replace),
    // Khitan small script filler.
    ('\u{16fe4}', '\u{16fe4}', Treatment::Drop),
    // Shorthand format controls.
    ('\u{1bca0}', '\u{1bca3}', Treatment::Replace),
    // Musical null notehead, then musical format controls.
    ('\u{1d159}', '\u{1d159}', Treatment::Replace),
    ('\u{1d173}', '\u{1d17a}', Treatment::Replace),
    ('\u{1fffe}', '\u{1ffff}', Treatment::Replace),
    ('\u{2fffe}', '\u{2ffff}', Treatment::Replace),
    ('\u{3fffe}', '\u{3ffff}', Treatment::Replace),
    ('\u{4fffe}', '\u{4ffff}', Treatment::Replace),
    ('\u{5fffe}', '\u{5ffff}', Treatment::Replace),
    ('\u{6fffe}', '\u{6ffff}', Treatment::Replace),
    ('\u{7fffe}', '\u{7ffff}', Treatment::Replace),
    ('\u{8fffe}', '\u{8ffff}', Treatment::Replace),
    ('\u{9fffe}', '\u{9ffff}', Treatment::Replace),
    ('\u{afffe}', '\u{affff}', Treatment::Replace),
    ('\u{bfffe}', '\u{bffff}', Treatment::Replace),
    ('\u{cfffe}', '\u{cffff}', Treatment::Replace),
    ('\u{dfffe}', '\u{dffff}', Treatment::Replace),
    // Tags and further variation selectors: whole hidden texts have been written in tags.
    ('\u{e0000}', '\u{e0fff}', Treatment::Drop),
    ('\u{efffe}', '\u{effff}', Treatment::Replace),
    // Private use planes, their noncharacters included.
    ('\u{f0000}', '\u{10ffff}', Treatment::Replace),
];

/// Text that can be written to a terminal: printable characters and line breaks, nothing else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SafeText(String);

impl SafeText {
    /// Makes text harmless. Tabs become spaces, and every form of line break becomes `\n`. What
    /// could hide, reorder or command is left out or becomes U+FFFD. A character keeps at most four
    /// combining marks. An invisible sign stays where it makes text look as it should.
    #[must_use]
    pub fn new(untrusted: &str) -> Self {
        let mut safe = String::with_capacity(untrusted.len());
        // A mark at the start of a line would combine with what the renderer puts before it.
        let mut marks_left = 0;
        let mut is_gap = false;
        let mut characters = untrusted.chars();
        loop {
            let rest = characters.as_str();
            let belonging = invisible::length(&safe, is_gap, rest);
            let (belonging, others) = rest.split_at(belonging);
            if !belonging.is_empty() {
                safe.push_str(belonging);
                characters = others.chars();
                continue;
            }
            let Some(character) = characters.next() else {
                return Self(safe);
            };
            is_gap = false;
            match character {
                '\t' => safe.push_str(TAB),
                '\r' => {
                    if !characters.as_str().starts_with('\n') {
                        safe.push('\n');
                    }
                }
                '\n' => safe.push('\n'),
                _ => match treatment(character) {
                    Some(Treatment::Drop) => {
                        is_gap = true;
                        continue;
                    }
                    Some(Treatment::Replace) => safe.push(char::REPLACEMENT_CHARACTER),
                    Some(Treatment::Break) => safe.push('\n'),
                    None if is_mark(character) => {
                        if marks_left > 0 {
                            marks_left -= 1;
                            safe.push(character);
                        }
                        continue;
                    }
                    None => safe.push(character),
                },
            }
            marks_left = if safe.ends_with('\n') {
                0
            } else {
                MARKS_PER_CHARACTER
            };
        }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// So many characters of it, and a sign where it goes on.
    #[must_use]
    pub fn beginning(&self, most: usize) -> Self {
        if self.0.chars().nth(most).is_none() {
            return self.clone();
        }
        Self(self.0.chars().take(most).chain(['…']).collect())
    }
}

/// Reads a value from what a person typed or copied, by what can be seen of it: messengers and web
/// pages put invisible characters into what one copies from them.
///
/// # Errors
/// What `T` says of the visible text.
pub fn parse_visible<T: FromStr>(text: &str) -> Result<T, T::Err> {
    SafeText::new(text.trim()).as_str().trim().parse()
}

impl fmt::Display for SafeText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How a character is treated, if it may not pass.
fn treatment(character: char) -> Option<Treatment> {
    if character.is_control() {
        return Some(Treatment::Replace);
    }
    let after = FORBIDDEN.partition_point(|&(first, _, _)| first <= character);
    let &(_, last, treatment) = FORBIDDEN.get(after.checked_sub(1)?)?;
    (character <= last).then_some(treatment)
}

/// Whether a character has no width of its own, and so sits on the one before it.
fn is_mark(character: char) -> bool {
    character.width() == Some(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn safe(untrusted: &str) -> String {
        SafeText::new(untrusted).to_string()
    }

    #[test]
    fn preserves_what_people_write() {
        for text in [
            "hello, world",
            "résumé",
            "re\u{301}sume\u{301}",
            "日本語",
            "שלום עולם",
            "السلام عليكم",
            "नमस्ते",
            "Tiếng Việt",
            "한국어",
            "🦀 👍🏽 🇩🇪",
            "a\nb",
            "\u{fffd}",
        ] {
            assert_eq!(safe(text), text);
        }
    }

    #[test]
    fn strips_osc52_clipboard_payload() {
        assert_eq!(
            safe("a\x1b]52;c;cHduZWQ=\x07b"),
            "a\u{fffd}]52;c;cHduZWQ=\u{fffd}b"
        );
    }

    #[test]
    fn strips_title_change() {
        assert_eq!(
            safe("\x1b]0;root@bank\x1b\\"),
            "\u{fffd}]0;root@bank\u{fffd}\\"
        );
    }

    #[test]
    fn strips_cursor_movement_in_seven_and_eight_bit_form() {
        assert_eq!(safe("\x1b[2J\u{9b}2J"), "\u{fffd}[2J\u{fffd}2J");
    }

    #[test]
    fn strips_every_control() {
        for control in ('\0'..='\u{9f}').filter(|c| c.is_control()) {
            let shown = safe(&format!("a{control}b"));
            match control {
                '\t' => assert_eq!(shown, "a    b"),
                '\n' | '\r' => assert_eq!(shown, "a\nb"),
                _ => assert_eq!(shown, "a\u{fffd}b"),
            }
        }
    }

    #[test]
    fn strips_bidi_overrides() {
        assert_eq!(safe("abc\u{202e}fdp.exe"), "abc\u{fffd}fdp.exe");
        for control in "\u{61c}\u{200e}\u{200f}\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2066}\u{2067}\u{2068}\u{2069}".chars() {
            assert!(!safe(&format!("a{control}b")).contains(control), "{control:?}");
        }
    }

    #[test]
    fn strips_zero_width_text() {
        assert_eq!(
            safe("pass\u{200b}\u{200c}\u{200d}\u{2060}\u{feff}\u{ad}word"),
            "password"
        );
    }

    #[test]
    fn strips_text_hidden_in_tags() {
        let hidden: String = "ignore this"
            .chars()
            .filter_map(|c| char::from_u32(0xe0000 + u32::from(c)))
            .collect();
        assert_eq!(safe(&format!("hi{hidden}")), "hi");
    }

    #[test]
    fn strips_blank_letters() {
        assert_eq!(
            safe("\u{3164}\u{115f}\u{1160}\u{ffa0}"),
            "\u{fffd}".repeat(4)
        );
    }

    #[test]
    fn strips_private_use_and_noncharacters() {
        for character in [
            '\u{e000}',
            '\u{f8ff}',
            '\u{f0000}',
            '\u{10ffff}',
            '\u{fdd0}',
            '\u{ffff}',
            '\u{5fffe}',
        ] {
            assert_eq!(safe(&character.to_string()), "\u{fffd}", "{character:?}");
        }
    }

    /// Text in which invisible signs belong where they are.
    const WHOLE: &[&str] = &[
        "👩\u{200d}🚀 ❤\u{fe0f} 1\u{fe0f}\u{20e3} #\u{fe0f}\u{20e3}",
        "👩\u{200d}👩\u{200d}👧\u{200d}👦",
        "👩🏽\u{200d}❤\u{fe0f}\u{200d}💋\u{200d}👨🏿",
        "🏳\u{fe0f}\u{200d}🌈 🏴\u{200d}☠\u{fe0f}",
        "🏃🏻\u{200d}♀\u{fe0f}\u{200d}➡\u{fe0f}",
        "❤\u{fe0e} ☎\u{fe0e} ⌚\u{fe0e} ©\u{fe0f} ™\u{fe0f}",
        // The flags of Scotland, Wales and Texas.
        "🏴\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f}",
        "🏴\u{e0067}\u{e0062}\u{e0077}\u{e006c}\u{e0073}\u{e007f}!",
        "🏴\u{e0075}\u{e0073}\u{e0074}\u{e0078}\u{e007f}",
        // Persian, Urdu, Kurdish; with vowels.
        "می\u{200c}خواهم کتاب\u{200c}ها خانه\u{200c}ای",
        "بے\u{fffd} بی\u{200c}وقوف",
        "بِ\u{200c}ب",
        // Hindi, Bengali, Malayalam (at a word's end), Sinhala, Kannada.
        "क्\u{200d}ष क्\u{200c}ष",
        "র\u{9cd}\u{200d}য",
        "ന്\u{200d} അവന്\u{200d}",
        "ශ්\u{200d}රී",
        "ರ\u{ccd}\u{200c}ಕ",
    ];

    #[test]
    fn keeps_what_makes_text_readable() {
        for text in WHOLE {
            assert_eq!(safe(text), *text);
        }
    }

    /// Where the same signs do not belong, or too many of them stand, and what is left then.
    const STRAY: &[(&str, &str)] = &[
        ("a\u{200d}b 日\u{200d}本 1\u{200d}2", "ab 日本 12"),
        ("👩\u{200d} 🚀", "👩 🚀"),
        ("👩\u{200d}a", "👩a"),
        ("a\u{200d}🚀", "a🚀"),
        ("\u{200d}🚀\u{200d}", "🚀"),
        ("👩\u{200d}\u{200d}🚀", "👩\u{200d}🚀"),
        ("🇩🇪\u{200d}🚀", "🇩🇪🚀"),
        (
            "👩\u{200d}👩\u{200d}👧\u{200d}👦\u{200d}👶\u{200d}🚀",
            "👩\u{200d}👩\u{200d}👧\u{200d}👦👶\u{200d}🚀",
        ),
        ("a\u{fe0f}b\u{fe0e} 日\u{fe0f} 1\u{fe0f}", "ab 日 1"),
        ("❤\u{fe0f}\u{fe0f}\u{fe0e}", "❤\u{fe0f}"),
        ("\u{fe0f}❤\u{fe00}\u{fe01}", "❤"),
        ("a\u{fe0f}\u{20e3}", "a\u{20e3}"),
        (
            "🏳\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f}",
            "🏳",
        ),
        ("🏴\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}", "🏴"),
        ("🏴\u{e0067}\u{e0062}\u{e007f}", "🏴"),
        (
            "🏴\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e0074}\u{e0074}\u{e007f}",
            "🏴",
        ),
        (
            "🏴\u{e0047}\u{e0042}\u{e0053}\u{e0043}\u{e0054}\u{e007f}",
            "🏴",
        ),
        (
            "🏴\u{e0067}\u{e0062}\u{e0020}\u{e0063}\u{e0074}\u{e007f}",
            "🏴",
        ),
        ("pass\u{200c}word של\u{200c}ום", "password שלום"),
        ("ا\u{200c}ب دو\u{200c}م", "اب دوم"),
        ("می\u{200c}\u{200c}خواهم", "می\u{200c}خواهم"),
        ("می\u{200c} \u{200c}خواهم می\u{200c}a", "می خواهم میa"),
        ("ب\u{200d}ب", "بب"),
        ("क\u{200d}ष क\u{200c}ष", "कष कष"),
        ("क्\u{200d}\u{200d}ष", "क्\u{200d}ष"),
        ("क्\u{200c}a क्\u{200c} ", "क्a क् "),
        ("a\u{94d}\u{200d}b", "a\u{94d}b"),
    ];

    #[test]
    fn drops_the_same_signs_anywhere_else() {
        for (text, left) in STRAY {
            assert_eq!(safe(text), *left, "{text:?}");
        }
    }

    /// However long a text of them is, an invisible sign never follows another, and something visible
    /// follows each joiner.
    #[test]
    fn bounds_a_flood_of_invisible_signs() {
        const SIGNS: &[char] = &[
            '\u{200c}',
            '\u{200d}',
            '\u{fe0e}',
            '\u{fe0f}',
            '\u{20e3}',
            '\u{1f3ff}',
            '❤',
            '👩',
            '🏴',
            '1',
            'a',
            'ب',
            'ا',
            'क',
            '\u{94d}',
            '\u{301}',
            '\u{e0067}',
            '\u{e0031}',
            '\u{e007f}',
            ' ',
            '\u{202e}',
        ];
        let mut state = 1_u32;
        let text: String = std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            SIGNS[(state >> 16) as usize % SIGNS.len()]
        })
        .take(200_000)
        .collect();
        let once = SafeText::new(&text);
        assert_eq!(SafeText::new(once.as_str()), once);
        let invisible =
            |sign: char| matches!(sign, '\u{200c}' | '\u{200d}' | '\u{fe0e}' | '\u{fe0f}');
        let signs: Vec<char> = once.as_str().chars().collect();
        for (at, three) in signs.windows(3).enumerate() {
            // A selector, and then a joiner.
            let is_run = three.iter().all(|sign| invisible(*sign))
                || three[0] == three[1] && invisible(three[0]);
            assert!(!is_run, "{:?}", &signs[at..at + 3]);
        }
        assert!(
            !once.as_str().contains('\u{e0031}'),
            "no flag has such a tag"
        );
    }

    #[test]
    fn line_breaks_of_every_kind_are_one_kind() {
        assert_eq!(
            safe("a\r\nb\rc\u{2028}d\u{2029}e\n\rf"),
            "a\nb\nc\nd\ne\n\nf"
        );
    }

    #[test]
    fn a_carriage_return_overwrites_nothing() {
        assert_eq!(
            safe("21:04 <ada> no\r21:04 <bob> yes"),
            "21:04 <ada> no\n21:04 <bob> yes"
        );
    }

    #[test]
    fn a_beginning_says_that_it_goes_on() {
        let text = SafeText::new("at lünch");
        assert_eq!(text.beginning(8), text);
        assert_eq!(text.beginning(5).as_str(), "at lü…");
    }

    #[test]
    fn bounds_a_combining_flood() {
        let flood = "\u{301}".repeat(10_000);
        assert_eq!(
            safe(&format!("a{flood}b{flood}")),
            format!("a{0}b{0}", "\u{301}".repeat(4))
        );
    }

    #[test]
    fn an_invisible_character_does_not_refill_the_marks() {
        assert_eq!(
            safe(&format!("a{}", "\u{301}\u{200d}".repeat(100))),
            format!("a{}", "\u{301}".repeat(4))
        );
    }

    #[test]
    fn a_mark_without_a_character_does_not_touch_the_gutter() {
        assert_eq!(safe("\u{338}a\n\u{338}b"), "a\nb");
    }

    #[test]
    fn the_table_is_in_order() {
        assert!(FORBIDDEN.iter().all(|&(first, last, _)| first <= last));
        assert!(FORBIDDEN.is_sorted_by(|a, b| a.1 < b.0));
    }

    #[test]
    fn is_the_same_a_second_time() {
        let everything: String = ('\0'..=char::MAX).collect();
        let once = SafeText::new(&everything);
        assert_eq!(SafeText::new(once.as_str()), once);
        assert!(once.as_str().chars().all(|c| c == '\n' || !c.is_control()));
    }
}
