//! Where invisible signs belong: where Unicode says that they make text look as it should. Anywhere else
//! they could hide something, or make two texts look the same.

use unicode_normalization::char::canonical_combining_class;
use unicode_segmentation::UnicodeSegmentation as _;

use super::is_mark;
use super::joining::{joins_next, joins_previous};

const NON_JOINER: char = '\u{200c}';
const JOINER: char = '\u{200d}';
/// Has an emoji look like text, or like a picture.
const SELECTORS: [char; 2] = ['\u{fe0e}', '\u{fe0f}'];
const SKIN_TONES: std::ops::RangeInclusive<char> = '\u{1f3fb}'..='\u{1f3ff}';
/// Makes a key of the digit before it.
const KEYCAP: char = '\u{20e3}';
const BLACK_FLAG: char = '\u{1f3f4}';
/// Tags are ASCII, so far up.
const TAGS: u32 = 0xe0000;
const END_OF_TAGS: char = '\u{e007f}';
/// How many joiners an emoji has at most: no emoji that Unicode recommends has more.
const MAX_JOINERS: usize = 3;
/// The combining class of the signs that take the vowel from the letter before (virama).
const VIRAMA: u8 = 9;

/// How many bytes of the text that comes next are invisible signs that belong behind the text before. If
/// something was dropped between both, tags are not those of a flag.
pub(super) fn length(before: &str, is_gap: bool, next: &str) -> usize {
    let mut signs = next.chars();
    let Some(sign) = signs.next() else { return 0 };
    let after = signs.as_str();
    let belongs = match sign {
        JOINER => joins_emoji(before, after) || shapes(before) && !begins(after, is_mark),
        NON_JOINER => keeps_apart(before, after) || shapes(before) && begins_alike(before, after),
        _ if SELECTORS.contains(&sign) => {
            let is_key = |base: char| matches!(base, '0'..='9' | '#' | '*');
            ends(before, is_pictographic) || ends(before, is_key) && after.starts_with(KEYCAP)
        }
        _ if before.ends_with(BLACK_FLAG) && !is_gap => return flag_tags(next),
        _ => false,
    };
    if belongs { sign.len_utf8() } else { 0 }
}

fn begins(text: &str, is_so: impl Fn(char) -> bool) -> bool {
    text.chars().next().is_some_and(is_so)
}

fn ends(text: &str, is_so: impl Fn(char) -> bool) -> bool {
    text.chars().next_back().is_some_and(is_so)
}

/// Whether a joiner makes one emoji of two (UTS #51, ED-16).
fn joins_emoji(before: &str, after: &str) -> bool {
    let emoji = before.graphemes(true).next_back().unwrap_or_default();
    let is_suffix = |sign: char| SELECTORS.contains(&sign) || SKIN_TONES.contains(&sign);
    ends(emoji.trim_end_matches(is_suffix), is_pictographic)
        && emoji.matches(JOINER).count() < MAX_JOINERS
        && begins(after, is_pictographic)
}

/// Whether a sign is a picture. This asks for the rule by which a joiner makes one character of two pictures
/// (UAX #29, GB11).
fn is_pictographic(sign: char) -> bool {
    let joined: String = [sign, JOINER, '©'].into_iter().collect();
    !sign.is_ascii() && joined.graphemes(true).count() == 1
}

/// Whether a non-joiner keeps two letters apart that would be joined otherwise (UAX #31, A1).
fn keeps_apart(before: &str, after: &str) -> bool {
    let is_first = !before.ends_with([JOINER, NON_JOINER]);
    is_first && ends(before.trim_end_matches(is_mark), joins_next) && begins(after, joins_previous)
}

/// Whether the text ends in a letter without its vowel, whose shape a joiner or a non-joiner changes
/// (UAX #31, A2 and B).
fn shapes(before: &str) -> bool {
    let mut signs = before.chars().rev();
    let virama = signs
        .next()
        .filter(|&sign| canonical_combining_class(sign) == VIRAMA);
    let letter = signs.find(|&sign| !is_mark(sign));
    virama
        .zip(letter)
        .is_some_and(|(virama, letter)| is_of_one_script(virama, letter))
}

fn begins_alike(before: &str, after: &str) -> bool {
    let both = before.chars().next_back().zip(after.chars().next());
    both.is_some_and(|(virama, letter)| is_of_one_script(virama, letter))
}

/// Whether a sign and a letter are of one script. The scripts that have a virama have 128 places each.
fn is_of_one_script(sign: char, letter: char) -> bool {
    letter.is_alphabetic() && u32::from(sign) >> 7 == u32::from(letter) >> 7
}

/// The length of the tags that make the flag of a part of a country of a black flag: the country, the
/// part, and their end (UTS #51, ED-14a; UTS #35, `unicode_subdivision_id`).
fn flag_tags(next: &str) -> usize {
    let tag = |sign: char| {
        u32::from(sign)
            .checked_sub(TAGS)
            .and_then(|tag| u8::try_from(tag).ok())
    };
    let tags: Vec<u8> = next
        .chars()
        .map_while(tag)
        .take_while(u8::is_ascii_alphanumeric)
        .collect();
    let country = match *tags {
        [first, second, ..] if first.is_ascii_lowercase() && second.is_ascii_lowercase() => 2,
        [first, second, third, ..] if [first, second, third].iter().all(u8::is_ascii_digit) => 3,
        _ => return 0,
    };
    let is_part = matches!(tags.len() - country, 1..=4) && !tags.iter().any(u8::is_ascii_uppercase);
    let is_ended = next.chars().nth(tags.len()) == Some(END_OF_TAGS);
    if is_part && is_ended {
        (tags.len() + 1) * END_OF_TAGS.len_utf8()
    } else {
        0
    }
}
