//! Cuts text into rows of a given width, between words where that is possible. A word longer than a
//! row is broken, but not within what is one character to its reader, if that fits. The width of a text is
//! the sum of its characters' widths, each as wide as any terminal draws it: a terminal that joins
//! characters can only need less.

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation as _;
use unicode_width::UnicodeWidthChar;

/// Has terminals draw the character before as an emoji, which takes two columns. Some do.
const EMOJI: char = '\u{fe0f}';
/// The letters of flags. Some terminals draw each of a pair as wide as the flag.
const FLAG_LETTERS: std::ops::RangeInclusive<char> = '\u{1f1e6}'..='\u{1f1ff}';

/// The most columns that text takes.
pub(super) fn width(text: &str) -> usize {
    let mut characters = text.chars().peekable();
    let mut width = 0;
    while let Some(character) = characters.next() {
        let is_wide = characters.peek() == Some(&EMOJI) || FLAG_LETTERS.contains(&character);
        width += if is_wide {
            2
        } else {
            character.width().unwrap_or(0)
        };
    }
    width
}

/// Cuts a text into rows, one at least. A row is wider than `columns` only where a single character
/// is. Line breaks in the text are kept; spaces at the end of a row are not.
pub(super) fn rows(text: &str, columns: usize) -> Vec<&str> {
    let ranges = ranges(text, columns);
    ranges.into_iter().filter_map(|row| text.get(row)).collect()
}

/// Where the rows of a text are in it, in bytes.
pub(super) fn ranges(text: &str, columns: usize) -> Vec<Range<usize>> {
    let mut rows = Vec::new();
    let mut start = 0;
    for line in text.split('\n') {
        let mut rest = line.trim_end();
        let mut at = start;
        loop {
            let (row, after) = rest.split_at(row_end(rest, columns));
            rows.push(at..at + row.trim_end().len());
            at += rest.len();
            rest = after.trim_start();
            at -= rest.len();
            if rest.is_empty() {
                break;
            }
        }
        start += line.len() + 1;
    }
    rows
}

/// Cuts one line into rows, of which those after the first are indented by `indent` columns.
pub(super) fn hanging(line: &str, columns: usize, indent: usize) -> Vec<String> {
    let (first, rest) = line.split_at(row_end(line, columns));
    let mut hanging = vec![first.trim_end().to_owned()];
    if !rest.trim().is_empty() {
        let following = rows(rest.trim(), columns.saturating_sub(indent));
        hanging.extend(following.iter().map(|row| " ".repeat(indent) + row));
    }
    hanging
}

/// Where the first row of a line ends, in bytes: behind the last word that fits, or within the first
/// word.
fn row_end(line: &str, columns: usize) -> usize {
    let mut used = 0;
    let mut word_end = None;
    for (at, part) in line.grapheme_indices(true) {
        if part == " " && at > 0 {
            word_end = Some(at);
        }
        used += width(part);
        // A space that does not fit stays in the row, whose end is trimmed.
        if used > columns && part != " " {
            return match word_end {
                Some(end) if !line.get(..end).unwrap_or("").trim().is_empty() => end,
                _ if at > 0 => at,
                _ => part_end(part, columns),
            };
        }
    }
    line.len()
}

/// Where in it a row ends into which what is one character to its reader does not fit, in bytes.
fn part_end(part: &str, columns: usize) -> usize {
    let mut characters = part.char_indices().skip(1);
    let overflows = |&(at, character): &(usize, char)| {
        let with = part.get(..at + character.len_utf8()).unwrap_or(part);
        character.width() > Some(0) && width(with) > columns
    };
    characters.find(overflows).map_or(part.len(), |(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wraps_by_words() {
        assert_eq!(rows("the quick brown fox", 10), ["the quick", "brown fox"]);
        assert_eq!(rows("exactly ten", 11), ["exactly ten"]);
    }

    #[test]
    fn breaks_a_word_longer_than_a_row() {
        assert_eq!(rows("abcdefghijkl mn", 5), ["abcde", "fghij", "kl mn"]);
        assert_eq!(rows("ab cdefghij", 5), ["ab", "cdefg", "hij"]);
    }

    #[test]
    fn never_splits_a_wide_character() {
        assert_eq!(rows("日本語テスト", 5), ["日本", "語テ", "スト"]);
        assert_eq!(rows("🦀🦀", 3), ["🦀", "🦀"]);
    }

    /// What is one character to its reader, and how wide some terminal draws it.
    const WIDEST: &[(&str, usize)] = &[
        ("❤\u{fe0f}", 2),
        ("1\u{fe0f}\u{20e3}", 2),
        ("👩\u{200d}🚀", 4),
        ("👩\u{200d}👩\u{200d}👧\u{200d}👦", 8),
        ("👩🏽\u{200d}❤\u{fe0f}\u{200d}👨🏿", 10),
        ("🇩🇪", 4),
        ("👍🏽", 4),
        (
            "🏴\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f}",
            2,
        ),
        ("e\u{301}", 1),
        ("ب", 1),
    ];

    #[test]
    fn a_row_is_filled_by_the_widest_that_its_parts_can_be() {
        for &(part, columns) in WIDEST {
            assert_eq!(width(part), columns, "{part}");
            let text = part.repeat(7);
            for room in columns..40 {
                let each = room / columns;
                for row in rows(&text, room) {
                    assert!(width(row) <= room, "{row} in {room}");
                    assert_eq!(row.len() % part.len(), 0, "{row}: it is torn");
                    assert!(row.len() <= each * part.len());
                }
            }
        }
    }

    #[test]
    fn what_fits_into_no_row_is_torn_between_its_parts() {
        let family = "👩\u{200d}👩\u{200d}👧\u{200d}👦";
        assert_eq!(rows(family, 5), ["👩\u{200d}👩\u{200d}", "👧\u{200d}👦"]);
        assert_eq!(rows(family, 1).len(), 4);
        assert_eq!(rows("a👩\u{200d}🚀", 4), ["a", "👩\u{200d}🚀"]);
    }

    #[test]
    fn a_mark_stays_with_its_character() {
        assert_eq!(rows("abe\u{301}c", 3), ["abe\u{301}", "c"]);
    }

    #[test]
    fn a_row_too_narrow_for_its_character_still_ends() {
        assert_eq!(rows("日本", 1), ["日", "本"]);
        assert_eq!(rows("ab", 0), ["a", "b"]);
        assert_eq!(rows("   ", 0), [""]);
    }

    #[test]
    fn keeps_line_breaks_and_indentation() {
        assert_eq!(rows("a\n\n  b\n", 10), ["a", "", "  b", ""]);
    }

    #[test]
    fn a_table_can_keep_its_column() {
        assert_eq!(
            hanging("/a  the first letter", 14, 4),
            ["/a  the first", "    letter"]
        );
        assert_eq!(hanging("/a  first", 14, 4), ["/a  first"]);
        assert_eq!(hanging("", 14, 4), [""]);
        assert_eq!(
            hanging("日本 日本", 1, 4),
            ["日", "    本", "    日", "    本"]
        );
    }

    #[test]
    fn spaces_alone_neither_loop_nor_fill_rows() {
        assert_eq!(rows(&" ".repeat(1000), 10), [""]);
        assert_eq!(rows(&format!("{}x", " ".repeat(25)), 10).last(), Some(&"x"));
    }
}
