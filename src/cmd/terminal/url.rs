//! The addresses of web pages in text, and how a terminal learns of one that its rows break.

use std::ops::Range;

/// What an address begins with, in any case.
const SCHEMES: [&str; 2] = ["https://", "http://"];
/// What ends an address, besides what is blank.
const ENDS: &[char] = &['<', '>', '"', '`', '\u{fffd}'];
/// What stands behind an address rather than in it.
const BEHIND: &[char] = &['.', ',', ';', ':', '!', '?', '\'', '*', '_', '~'];
const BRACKETS: [(char, char); 3] = [('(', ')'), ('[', ']'), ('{', '}')];
/// The longest address, in bytes, with what stands behind it. Most terminals take no longer one for a link.
const MAX_LINK: usize = 2083;

/// Where the addresses in a text are, in bytes. Others write the text, so each part of it is looked at a
/// fixed number of times: what begins with a scheme is passed as a whole, whether it is an address or not.
pub(in crate::cmd) fn find(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some((start, scheme)) = next(text, from) {
        let before = text.get(..start).and_then(|it| it.chars().next_back());
        let run = run(text.get(start..).unwrap_or(""));
        from = start + run.len();
        let is_word = before.is_some_and(char::is_alphanumeric);
        if is_word || run.len() > MAX_LINK {
            continue;
        }
        let length = trimmed(run).len();
        if length > scheme {
            found.push(start..start + length);
        }
    }
    found
}

/// Where the next scheme begins, and its length.
fn next(text: &str, from: usize) -> Option<(usize, usize)> {
    let rest = text.get(from..)?;
    rest.match_indices(['h', 'H'])
        .find_map(|(at, _)| Some((from + at, scheme(rest.get(at..)?)?)))
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

/// The characters at the beginning that may be parts of an address.
fn run(text: &str) -> &str {
    let is_part = |character: char| {
        let is_known = character.is_ascii_graphic() || character.is_alphanumeric();
        is_known && !ENDS.contains(&character)
    };
    let end = text.find(|character| !is_part(character));
    text.get(..end.unwrap_or(text.len())).unwrap_or("")
}

/// The address, without what stands behind it: brackets that close what is not opened in it, too.
fn trimmed(run: &str) -> &str {
    let mut unopened = BRACKETS.map(|(open, close)| {
        let closed = run.matches(close).count();
        (close, closed.saturating_sub(run.matches(open).count()))
    });
    run.trim_end_matches(|character| {
        let mut brackets = unopened.iter_mut();
        match brackets.find(|(close, left)| *close == character && *left > 0) {
            Some((_, left)) => {
                *left -= 1;
                true
            }
            None => BEHIND.contains(&character),
        }
    })
}

/// The rows of a text: those, with the codes by which a terminal makes a link of an address that they
/// break (OSC 8), if it knows links. It recognises other addresses by itself. The link goes to exactly what
/// is shown: so there is none to what has letters that only look like others.
pub(super) fn rows(text: &str, rows: &[Range<usize>], knows_links: bool) -> Vec<String> {
    let mut addresses = if knows_links { find(text) } else { Vec::new() };
    addresses.retain(|address| {
        let target = text.get(address.clone()).unwrap_or("");
        let is_whole = |row: &Range<usize>| row.start <= address.start && address.end <= row.end;
        let is_plain = target.chars().all(|c| c.is_ascii_graphic());
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

    /// If the time grew with the square of the length, none of these would end.
    #[test]
    fn no_text_makes_the_search_long() {
        let schemes_in_words = "ahttp://".repeat(20_000);
        let brackets = ")".repeat(1_000_000);
        let schemes_alone = format!("/http://{} ", ")".repeat(MAX_LINK - 7)).repeat(500);
        let address = format!("http://a{} ", ")]}.".repeat(MAX_LINK / 4 - 2)).repeat(500);
        assert_eq!(found(&format!("{schemes_in_words}{brackets}")), [""; 0]);
        assert_eq!(found(&format!("http://a{brackets}")), [""; 0]);
        assert_eq!(found(&schemes_alone), [""; 0]);
        assert_eq!(found(&address), ["http://a"; 500]);
        assert_eq!(found(&"https://".repeat(100_000)), [""; 0]);
    }

    #[test]
    fn what_is_no_address_is_passed_as_a_whole() {
        let longest = format!("http://{}", "x".repeat(MAX_LINK - 7));
        assert_eq!(found(&longest), [&longest]);
        for none in [&format!("{longest}x/http://a"), "ahttp://a/http://a"] {
            assert_eq!(found(none), [""; 0]);
            assert_eq!(found(&format!("{none} http://b")), ["http://b"]);
        }
    }

    #[test]
    fn only_as_many_brackets_are_cut_off_as_are_not_opened() {
        for (text, address) in [
            ("http://a/((b)))).)", "http://a/((b))"),
            ("http://a/(b]),).", "http://a/(b])"),
            ("http://a/[(b)].)]}", "http://a/[(b)]"),
            ("http://a/)(", "http://a/)("),
            ("http://a/)(b))", "http://a/)(b"),
        ] {
            assert_eq!(found(text), [address], "{text}");
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
