//! The encapsulated blocks of a text (RFC 7468 §2), read as leniently as it allows.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

const BEGIN: &str = "-----BEGIN ";
const DASHES: &str = "-----";

/// What stands between a BEGIN and its END.
pub(super) struct Block<'a> {
    pub(super) label: &'a str,
    /// None where the text ends, or another block begins, before this one's END.
    pub(super) body: Option<Body<'a>>,
}

/// The lines of a block.
#[derive(Clone, Copy)]
pub(super) struct Body<'a>(&'a str);

impl<'a> Body<'a> {
    /// What a header (RFC 1421 §4.6) says, where there is one of this name.
    pub(super) fn header(self, name: &str) -> Option<&'a str> {
        self.0
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find_map(|(found, value)| (found.trim() == name).then_some(value.trim()))
    }

    /// The bytes that the lines stand for.
    pub(super) fn decode(self) -> Option<Vec<u8>> {
        // Base64 has no colon.
        decode(self.0.lines().filter(|line| !line.contains(':')))
    }
}

/// The bytes that lines of base64 stand for, however long these are and whatever blanks surround
/// them.
pub(super) fn decode<'a>(lines: impl Iterator<Item = &'a str>) -> Option<Vec<u8>> {
    let base64: String = lines.flat_map(str::split_whitespace).collect();
    STANDARD.decode(base64).ok()
}

/// All blocks of a text in which every line ends with LF.
pub(super) fn blocks(text: &str) -> impl Iterator<Item = Block<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (_, begun) = rest.split_once(BEGIN)?;
        let (line, _) = begun.split_once('\n').unwrap_or((begun, ""));
        let Some((label, _)) = line.split_once(DASHES) else {
            rest = begun;
            let label = line.trim_end();
            return Some(Block { label, body: None });
        };
        let after = begun.get(label.len() + DASHES.len()..)?;
        let whole = after
            .split_once(&format!("-----END {label}-----"))
            .filter(|(body, _)| !body.contains(BEGIN));
        rest = whole.map_or(after, |(_, behind)| behind);
        let body = whole.map(|(body, _)| Body(body));
        Some(Block { label, body })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(&str, Option<Vec<u8>>)> {
        blocks(text)
            .map(|block| (block.label, block.body.and_then(Body::decode)))
            .collect()
    }

    #[test]
    fn a_block_is_found_wherever_it_stands_and_however_its_lines_are_cut() {
        let hello = Some(b"hello".to_vec());
        for text in [
            "-----BEGIN X Y-----\naGVsbG8=\n-----END X Y-----\n",
            "-----BEGIN X Y-----\naGVsbG8=\n-----END X Y-----",
            "words\n-----BEGIN X Y-----\n\naG \nVs\t\n\n  bG8=\n-----END X Y-----\nmore words",
            "-----BEGIN X Y----- aGVsbG8= -----END X Y-----",
            "-----BEGIN X Y-----\nComment: of 2026\n\naGVsbG8=\n-----END X Y-----",
        ] {
            assert_eq!(read(text), [("X Y", hello.clone())], "{text:?}");
        }
    }

    #[test]
    fn what_is_cut_short_has_no_body() {
        for text in [
            "-----BEGIN X",
            "-----BEGIN X-----",
            "-----BEGIN X-----\naGVsbG8=\n-----END X----",
            "-----BEGIN X-----\naGVsbG8=\n-----END Y-----",
        ] {
            assert_eq!(read(text), [("X", None)], "{text:?}");
        }
        let text = "-----BEGIN X-----\naGVs\n-----BEGIN X-----\naGVsbG8=\n-----END X-----\n";
        let both = [("X", None), ("X", Some(b"hello".to_vec()))];
        assert_eq!(read(text), both);
        assert_eq!(read("no block"), []);
    }
}
