//! The addresses of web pages in text, and how a terminal learns of one that its rows break.

use std::ops::Range;

/// What an address begins with, in any case.
const SCHEMES: [&str; 2] = ["https://", "http://"];
/// What ends an address, besides what is blank.
const ENDS: &[char] = &['<', '>', '"', '`', '\u{fffd}'];
/// What stands behind an address rather than in it.
const BEHIND: &[char] = &['.', ',', ';', ':', '!', '?', '\'', '*', '_', '~'];
const BRACKETS: [(char, char); 3] = [('(', ')'), ('[', ']'), ('{', '}')];
/// The longest address that terminals take for a link, in bytes; most take no longer one.
const MAX_LINK: usize = 2083;

/// Where the addresses in a text are, in bytes.
pub(in crate::cmd) fn find(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some((start, length)) = next(text, from) {
        if length > 0 {
            found.push(start..start + length);
        }
        from = start + length.max(1);
    }
    found
}

/// Where the next address begins, and its length; none where there is only a scheme.
fn next(text: &str, from: usize) -> Option<(usize, usize)> {
    let rest = text.get(from..)?;
    let (at, _) = rest.char_indices().find(|&(at, character)| {
        matches!(character, 'h' | 'H') && scheme(rest.get(at..).unwrap_or("")).is_some()
    })?;
    let start = from + at;
    let address = text.get(start..)?;
    let scheme = scheme(address)?;
    let before = text.get(..start)?.chars().next_back();
    let is_word = before.is_some_and(char::is_alphanumeric);
    let length = trimmed(address).len();
    Some((
        start,
        if is_word || length <= scheme {
            0
        } else {
            length
        },
    ))
}

/// The length of the scheme that an address begins with.
fn scheme(address: &str) -> Option<usize> {
    let begins = |scheme: &&str| {
        let beginning = address.get(..scheme.len());
        beginning.is_some_and(|beginning| beginning.eq_ignore_ascii_case(scheme))
    };
    SCHEMES
        .iter()
        .find(|scheme| begins(scheme))
        .map(|it| it.len())
}

/// The address, without what stands behind it.
fn trimmed(address: &str) -> &str {
    let is_part = |character: char| {
        let is_known = character.is_ascii_graphic() || character.is_alphanumeric();
        is_known && !ENDS.contains(&character)
    };
    let end = address.find(|character| !is_part(character));
    let mut address = address.get(..end.unwrap_or(address.len())).unwrap_or("");
    loop {
        let shorter = address.trim_end_matches(BEHIND);
        let unopened = BRACKETS.iter().find_map(|&(open, close)| {
            let closed = shorter.strip_suffix(close)?;
            (closed.matches(open).count() <= closed.matches(close).count()).then_some(closed)
        });
        match unopened {
            Some(closed) => address = closed,
            None => return shorter,
        }
    }
}

/// The rows of a text: those, with the codes by which a terminal makes a link of an address that they
/// break (OSC 8), if it knows links. It recognises other addresses by itself. The link goes to exactly what
/// is shown: so there is none to what has letters that only look like others.
pub(super) fn rows(text: &str, rows: &[Range<usize>], knows_links: bool) -> Vec<String> {
    let mut addresses = if knows_links { find(text) } else { Vec::new() };
    addresses.retain(|address| {
        let target = text.get(address.clone()).unwrap_or("");
        let is_whole = |row: &Range<usize>| row.start <= address.start && address.end <= row.end;
        let is_plain = target.len() <= MAX_LINK && target.chars().all(|c| c.is_ascii_graphic());
        is_plain && !rows.iter().any(is_whole)
    });
    let row = |row| with_links(text, row, &addresses);
    rows.iter().map(row).collect()
}

fn with_links(text: &str, row: &Range<usize>, addresses: &[Range<usize>]) -> String {
    let mut linked = String::new();
    let mut at = row.start;
    let part = |range: Range<usize>| text.get(range).unwrap_or("");
    for address in addresses {
        let (start, end) = (address.start.max(row.start), address.end.min(row.end));
        if start < end {
            let target = part(address.clone());
            let (before, part) = (part(at..start), part(start..end));
            // The id says that the parts are one link.
            let codes = [
                "\x1b]8;id=e2echat;",
                target,
                "\x1b\\",
                part,
                "\x1b]8;;\x1b\\",
            ];
            linked.extend([before].into_iter().chain(codes));
            at = end;
        }
    }
    linked + part(at..row.end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cmd::terminal::wrap;

    fn found(text: &str) -> Vec<&str> {
        find(text).into_iter().map(|at| &text[at]).collect()
    }

    #[test]
    fn addresses_are_found_without_what_stands_around_them() {
        for (text, addresses) in [
            ("see https://example.org/a", &["https://example.org/a"][..]),
            ("HTTP://EXAMPLE.ORG", &["HTTP://EXAMPLE.ORG"]),
            ("(https://example.org/a).", &["https://example.org/a"]),
            (
                "https://en.example.org/wiki/Cat_(animal), or",
                &["https://en.example.org/wiki/Cat_(animal)"],
            ),
            ("<https://example.org/a>", &["https://example.org/a"]),
            (
                "\"https://example.org/?q=a&b=c#d\"!",
                &["https://example.org/?q=a&b=c#d"],
            ),
            (
                "http://a.example/ and https://b.example/",
                &["http://a.example/", "https://b.example/"],
            ),
            (
                "http://a.example/\nhttp://b.example/",
                &["http://a.example/", "http://b.example/"],
            ),
            (
                "https://example.org/müller/日本",
                &["https://example.org/müller/日本"],
            ),
            ("https://example.org/a。次", &["https://example.org/a"]),
            (
                "http://[2001:db8::1]:8080/x",
                &["http://[2001:db8::1]:8080/x"],
            ),
            (
                "[text](https://example.org/a_b)",
                &["https://example.org/a_b"],
            ),
            ("https://example.org/a…", &["https://example.org/a"]),
            (
                "https:// http://. xhttps://example.org ftp://example.org hhttp",
                &[],
            ),
            ("javascript:alert(1) file:///etc/passwd example.org", &[]),
            ("", &[]),
        ] {
            assert_eq!(found(text), addresses, "{text}");
        }
    }

    #[test]
    fn only_what_the_rows_break_becomes_a_link_and_only_to_what_is_shown() {
        let link = |target: &str, part: &str| {
            format!("\x1b]8;id=e2echat;{target}\x1b\\{part}\x1b]8;;\x1b\\")
        };
        let address = "https://example.org/abcdefghij";
        let text = format!("a {address} b");
        assert_eq!(rows(&text, &wrap::ranges(&text, 80), true).concat(), text);
        assert_eq!(
            rows(&text, &[0..12, 12..text.len()], true),
            [
                format!("a {}", link(address, &address[..10])),
                format!("{} b", link(address, &address[10..])),
            ]
        );
        let too_long = format!("https://example.org/{}", "x".repeat(MAX_LINK));
        for text in [
            "https://exаmple.org/a_cyrillic_letter",
            "ftp://example.org/abcdefghij",
            &too_long,
        ] {
            let at = text.char_indices().nth(15).unwrap().0;
            let broken = [0..at, at..text.len()];
            assert_eq!(rows(text, &broken, true).concat(), text);
        }
    }
}
