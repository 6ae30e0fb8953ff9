//! What people type of a number or of a fingerprint that somebody has told them: in any script's digits, in any
//! groups, and whatever stands around it.

/// The zeros of all scripts that have decimal digits (Unicode 18's category Nd), each followed by its 1 to 9.
const ZEROS: [u32; 77] = [
    0x30, 0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66,
    0xde6, 0xe50, 0xed0, 0xf20, 0x1040, 0x1090, 0x17e0, 0x1810, 0x1946, 0x19d0, 0x1a80, 0x1a90,
    0x1b50, 0x1bb0, 0x1c40, 0x1c50, 0xa620, 0xa8d0, 0xa900, 0xa9d0, 0xa9f0, 0xaa50, 0xabf0, 0xff10,
    0x104a0, 0x10d30, 0x10d40, 0x11066, 0x110f0, 0x11136, 0x111d0, 0x112f0, 0x11450, 0x114d0,
    0x11650, 0x116c0, 0x116d0, 0x116da, 0x11730, 0x118e0, 0x11950, 0x11bf0, 0x11c50, 0x11d50,
    0x11da0, 0x11de0, 0x11f50, 0x16130, 0x16a60, 0x16ac0, 0x16b50, 0x16d70, 0x1ccf0, 0x1d7ce,
    0x1d7d8, 0x1d7e2, 0x1d7ec, 0x1d7f6, 0x1e140, 0x1e2f0, 0x1e4f0, 0x1e5f1, 0x1e950, 0x1fbf0,
];

/// How many characters of base64 a fingerprint has.
const FINGERPRINT: usize = 43;

/// The value of a digit of any script, as ASCII's digit.
fn digit(sign: char) -> Option<char> {
    let code = u32::from(sign);
    let zero = ZEROS.iter().rev().find(|zero| **zero <= code)?;
    char::from_digit(code - zero, 10)
}

/// The digits in a text, as ASCII's.
pub(in crate::cmd::join) fn digits(text: &str) -> String {
    text.chars().filter_map(digit).collect()
}

/// The digits in a text, as ASCII's, where letters that look like digits stand for them: in groups of both.
pub(in crate::cmd::join) fn likely_digits(text: &str) -> String {
    let is_in_group = |sign: char| sign.is_alphanumeric() || sign == '|';
    let groups = text.split(|sign| !is_in_group(sign)).filter(|group| {
        let has_digit = group.chars().any(|sign| digit(sign).is_some());
        let is_of_letters = group.chars().count() == GROUP;
        group.chars().all(may_be_digit) && (has_digit || is_of_letters)
    });
    let signs = groups.flat_map(str::chars);
    signs
        .filter_map(|sign| digit(sign).or_else(|| like_a_digit(sign)))
        .collect()
}

/// What is left of a text where it is compared with the end of a fingerprint as people copy it: without what
/// stands between the characters, without capitals, and with one of all that look alike.
pub(in crate::cmd::join) fn blurred(text: &str) -> String {
    let characters = text.chars().filter(|sign| is_in_base64(*sign));
    // Only a capital Q looks like a 0, and only a small l like a 1: the other ones are the same here.
    let alike = characters.map(|sign| {
        let (small, capital) = (sign.to_ascii_lowercase(), sign.to_ascii_uppercase());
        let digit = [small, capital].into_iter().find_map(like_a_digit);
        digit.unwrap_or(capital)
    });
    alike.collect()
}

/// How what was typed stands to a number that it is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    /// It is that number.
    Same,
    /// It is another number with as many digits.
    Differs,
    /// It is no such number. This is what it is, in words.
    NoNumber(String),
}

/// Compares what was typed with a number.
pub(super) fn compare(typed: &str, number: &str) -> Comparison {
    let (typed_digits, number) = (digits(typed), digits(number));
    let (count, wanted) = (typed_digits.len(), number.len());
    if count == wanted {
        return if typed_digits == number {
            Comparison::Same
        } else {
            Comparison::Differs
        };
    }
    let counted = match count {
        0 => "there is no digit in that".to_owned(),
        1 => format!("that has 1 digit, and the number has {wanted}"),
        _ => format!("that has {count} digits, and the number has {wanted}"),
    };
    let likely = groups(typed)
        .flat_map(str::chars)
        .filter(|sign| may_be_digit(*sign));
    let letter = letter_for_digit(typed).filter(|_| likely.count() >= wanted);
    let about_letter = letter.map_or(String::new(), |(letter, digit)| {
        format!(", of which {letter}, a letter, may be meant as {digit}")
    });
    Comparison::NoNumber(counted + &about_letter)
}

/// A letter among the digits that looks like one of them, and that one.
fn letter_for_digit(text: &str) -> Option<(char, char)> {
    groups(text).find_map(|word| {
        word.chars()
            .find_map(|sign| Some((sign, like_a_digit(sign)?)))
    })
}

/// The words that have a digit in them.
fn groups(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split_whitespace();
    words.filter(|word| word.chars().any(|sign| digit(sign).is_some()))
}

/// Whether a sign is a digit, or a letter that looks like one.
fn may_be_digit(sign: char) -> bool {
    digit(sign).is_some() || like_a_digit(sign).is_some()
}

/// The digit that a letter looks like.
fn like_a_digit(letter: char) -> Option<char> {
    match letter {
        'O' | 'o' | 'Q' | 'D' | 'О' | 'о' | 'Ο' | 'ο' => Some('0'),
        'l' | 'I' | 'i' | '|' | 'І' | 'і' | 'Ӏ' | 'Ι' => Some('1'),
        'Z' | 'z' => Some('2'),
        'З' | 'з' => Some('3'),
        'S' | 's' => Some('5'),
        'B' => Some('8'),
        _ => None,
    }
}

/// How many digits make a group.
const GROUP: usize = 5;

/// How many of a safety number's last groups do as well, on the telephone. They are 66 bits.
pub(in crate::cmd::join) const GROUPS: usize = 4;

/// How many of a safety number's last digits the user must type in order to accept an identity.
pub(in crate::cmd::join) const MIN_DIGITS: usize = GROUP * GROUPS;

/// What was typed as the end of a fingerprint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TypedEnd {
    /// These characters of base64, without what stands around and between them.
    Characters(String),
    /// Digits, which may be the end of a safety number.
    Digits(String),
    /// Digits with a letter among them that looks like one, and that one.
    LooksLike(char, char),
    /// Words. These characters of base64 are in them, which may be an end all the same: of ten random characters
    /// that is so once in some thousands of times.
    Words(String),
    /// Neither, or what is too long.
    Other,
}

/// Reads the end of a fingerprint, or of a safety number.
pub(super) fn read_end(typed: &str) -> TypedEnd {
    // The whole fingerprint ends as its end does, whatever stands behind it.
    let rest = typed.split_once("SHA256:").map_or(typed, |(_, end)| {
        let whole = end.split_whitespace().next().unwrap_or_default();
        if whole.chars().count() == FINGERPRINT {
            whole
        } else {
            end
        }
    });
    let is_word = |word: &&str| word.chars().any(char::is_alphabetic);
    let (words, numbers): (Vec<&str>, Vec<&str>) = rest.split_whitespace().partition(is_word);
    let digits = digits(&numbers.concat());
    let is_number_alone = words.is_empty() && !digits.is_empty() && !rest.contains('+');
    // No fingerprint has so many digits in a row, so there are words around them.
    if digits.len() >= MIN_DIGITS || is_number_alone {
        return TypedEnd::Digits(digits);
    }
    if let Some((letter, digit)) = letter_in_groups(rest) {
        return TypedEnd::LooksLike(letter, digit);
    }
    let rest = rest.trim_matches(|sign: char| !is_in_base64(sign) && !sign.is_alphanumeric());
    let is_between = |sign: char| sign.is_whitespace() || "-–.,…·*|'\"".contains(sign);
    let is_foreign = rest
        .chars()
        .any(|sign| !is_in_base64(sign) && !is_between(sign));
    let characters: String = rest.chars().filter(|sign| is_in_base64(*sign)).collect();
    if is_foreign || characters.len() > FINGERPRINT {
        TypedEnd::Other
    } else if is_in_words(rest) {
        TypedEnd::Words(characters)
    } else {
        TypedEnd::Characters(characters)
    }
}

/// A letter among groups of digits that looks like a digit, and that one, where there are enough groups with it.
fn letter_in_groups(text: &str) -> Option<(char, char)> {
    let signs = groups(text).flat_map(str::chars);
    let (like, others): (Vec<char>, Vec<char>) = signs
        .filter(|sign| sign.is_alphanumeric())
        .partition(|sign| may_be_digit(*sign));
    let are_groups = like.len() >= MIN_DIGITS && others.is_empty();
    letter_for_digit(text).filter(|_| are_groups)
}

fn is_in_base64(sign: char) -> bool {
    sign.is_ascii_alphanumeric() || matches!(sign, '+' | '/')
}

/// Whether a text reads as words of small letters, each perhaps with a capital at its beginning.
fn is_in_words(text: &str) -> bool {
    let bare = |word: &str| {
        word.trim_matches(|sign: char| !sign.is_alphanumeric())
            .to_owned()
    };
    text.split_whitespace().map(bare).all(|word| {
        let mut letters = word.chars();
        letters.next().is_none_or(char::is_alphabetic)
            && letters.all(|letter| letter.is_lowercase() || letter == '\'')
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cipher::fingerprint::Fingerprint;

    const NUMBER: &str = "01234 56789 01234 56789";

    #[test]
    fn any_scripts_digits_count_and_what_stands_around_them_does_not() {
        for typed in [
            NUMBER,
            "01234567890123456789",
            "| 01234 56789 01234 56789",
            "it is: 01234-56789-01234-56789.",
            "(01234,56789,01234,56789)!",
            "٠١٢٣٤ ٥٦٧٨٩ ٠١٢٣٤ ٥٦٧٨٩",
            "۰۱۲۳۴ ۵۶۷۸۹ ۰۱۲۳۴ ۵۶۷۸۹",
            "०१२३४ ५६७८९ ०१२३४ ५६७८९",
            "０１２３４　５６７８９　０１２３４　５６７８９",
            "𝟘𝟙𝟚𝟛𝟜 𝟝𝟞𝟟𝟠𝟡 01234 56789",
        ] {
            assert_eq!(compare(typed, NUMBER), Comparison::Same, "{typed}");
        }
        assert_eq!(
            compare("01234 56789 01234 56788", NUMBER),
            Comparison::Differs
        );
        for zero in ZEROS {
            for value in 0..10 {
                let sign = char::from_u32(zero + value).unwrap();
                assert_eq!(digit(sign), char::from_digit(value, 10), "{sign}");
            }
        }
        for sign in ['O', '²', '½', '一', '/', ':', 'a'] {
            assert_eq!(digit(sign), None, "{sign}");
        }
    }

    #[test]
    fn letters_count_as_digits_in_groups_of_digits() {
        for (typed, read) in [
            ("O1234 5678g 0l234 56789", "012340123456789"),
            ("it is 47O51-4I789, bob", "4705141789"),
            ("so is OlOIo: 5S", "0101055"),
            ("|4705| 4|789|", "147051417891"),
            ("I do not know", ""),
        ] {
            assert_eq!(likely_digits(typed), read, "{typed}");
        }
    }

    #[test]
    fn what_is_copied_from_a_fingerprint_is_blurred_to_one_form() {
        for typed in [
            "k4xWvIe744",
            "K4XWVIE744",
            "k4xWv Ie744",
            "k 4 x W v l e 7 4 4.",
            "k4xWv-1e744",
        ] {
            assert_eq!(blurred(typed), "K4XWV1E744", "{typed}");
        }
        for number in 0..1000_u32 {
            let shown = Fingerprint::of(&number.to_be_bytes()).to_string();
            for other in [shown.to_ascii_lowercase(), shown.to_ascii_uppercase()] {
                assert_eq!(blurred(&other), blurred(&shown), "{shown}");
            }
        }
    }

    #[test]
    fn what_is_no_such_number_says_what_it_is() {
        for (typed, words) in [
            ("ok", "there is no digit in that"),
            ("4", "that has 1 digit, and the number has 20"),
            ("01234 56789", "that has 10 digits, and the number has 20"),
            ("SHA256:zmN5", "that has 4 digits, and the number has 20"),
            (
                "O1234 56789 01234 56789",
                "that has 19 digits, and the number has 20, of which O, a letter, may be meant as 0",
            ),
            (
                "0l234 56789 01234 56789",
                "that has 19 digits, and the number has 20, of which l, a letter, may be meant as 1",
            ),
        ] {
            assert_eq!(
                compare(typed, NUMBER),
                Comparison::NoNumber(words.to_owned()),
                "{typed}"
            );
        }
    }

    #[test]
    fn the_end_of_a_fingerprint_is_read_from_what_stands_around_it() {
        let end = || TypedEnd::Characters("3b+G/x9AbQ".to_owned());
        for typed in [
            "3b+G/x9AbQ",
            "3b+G/x9AbQ.",
            "3b+G/ x9AbQ",
            "\"3b+G/x9AbQ\"",
            "…3b+G/x9AbQ",
            "3b+G/x9AbQ=",
            "SHA256:3b+G/x9AbQ",
        ] {
            assert_eq!(read_end(typed), end(), "{typed}");
        }
        for typed in [
            "47137 51710 64734 60939",
            "47137-51710-64734-60939.",
            "it is 47137 51710 64734 60939",
            "47137 and 51710 and 64734 and 60939",
            "+47137 51710 64734 60939",
        ] {
            let digits = "47137517106473460939".to_owned();
            assert_eq!(read_end(typed), TypedEnd::Digits(digits), "{typed}");
        }
        for (typed, characters) in [
            ("yes please do", "yespleasedo"),
            ("Yes, it is him", "Yesitishim"),
            ("that's really bob", "thatsreallybob"),
        ] {
            let words = TypedEnd::Words(characters.to_owned());
            assert_eq!(read_end(typed), words, "{typed}");
        }
        for typed in [
            "да это он точно",
            "bob@example.org",
            "theLast10 chars: oops1",
            &"a1B".repeat(20),
        ] {
            assert_eq!(read_end(typed), TypedEnd::Other, "{typed}");
        }
        for (typed, letter, digit) in [
            ("O7137 517lO 64734 60939", 'O', '0'),
            ("47137 51710 64734 6093l", 'l', '1'),
        ] {
            let looks_like = TypedEnd::LooksLike(letter, digit);
            assert_eq!(read_end(typed), looks_like, "{typed}");
        }
        let whole = "oW+lSJ6nhCzQ0cX8mT2vK4pYd1RrBfEaGuNxWqLiHs0";
        for typed in [
            format!("SHA256:{whole}"),
            format!("bob SHA256:{whole} (new)"),
        ] {
            let characters = TypedEnd::Characters(whole.to_owned());
            assert_eq!(read_end(&typed), characters, "{typed}");
        }
    }
}
