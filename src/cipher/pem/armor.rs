//! The encapsulated blocks of a text (RFC 7468 §2), read as leniently as it allows. Libraries for
//! PEM want lines of 64 characters, one block, and nothing around it. What people have went through
//! mails, forms and variables, and the key in it is whole.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

const BEGIN: &str = "-----BEGIN ";
const DASHES: &str = "-----";

/// The label that `certtool` gives to PKCS#12.
pub(super) const PKCS12: &str = "PKCS12";

/// Whether a file is one PEM block that every program reads, with nothing around the block or its
/// lines.
#[must_use]
pub fn is_tidy(file: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(file) else {
        return false;
    };
    let body = match text.split_once("\n\n") {
        Some((head, body)) if head.lines().skip(1).all(|line| line.contains(": ")) => body,
        _ => text,
    };
    let is_edge = |line: &str| {
        line.starts_with(DASHES) && line.ends_with(DASHES) && line.matches(DASHES).count() == 2
    };
    text.starts_with(BEGIN)
        && text.matches(BEGIN).count() == 1
        && body
            .trim_end_matches('\n')
            .split('\n')
            .all(|line| is_edge(line) || !line.is_empty() && line.chars().all(is_base64))
}

fn is_base64(sign: char) -> bool {
    sign.is_ascii_alphanumeric() || "+/=".contains(sign)
}

/// One block: what stands between a BEGIN and its END.
pub(super) struct Block<'a> {
    pub(super) label: &'a str,
    /// `None` where the text ends, or another block begins, before this one's END.
    pub(super) body: Option<BlockText<'a>>,
}

/// The lines of a block, its headers among them.
#[derive(Clone, Copy)]
pub(super) struct BlockText<'a>(&'a str);

impl<'a> BlockText<'a> {
    /// The value of the header of this name (RFC 1421 §4.6), if there is one.
    pub(super) fn header(self, name: &str) -> Option<&'a str> {
        self.0
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find_map(|(found, value)| (bare(found) == name).then_some(value.trim()))
    }

    /// The bytes that the base64 of the block stands for, or `None` where it is not base64.
    pub(super) fn decode(self) -> Option<Vec<u8>> {
        // A line with a colon is a header: base64 has none.
        decode(self.0.lines().filter(|line| !line.contains(':')))
    }
}

/// A word without what surrounds it: quotation marks, and what mails put before lines that they
/// quote.
fn bare(word: &str) -> &str {
    word.trim_matches(|sign| !is_base64(sign))
}

/// The bytes that lines of base64 stand for, however long the lines are and whatever blanks and
/// marks surround them.
pub(super) fn decode<'a>(lines: impl Iterator<Item = &'a str>) -> Option<Vec<u8>> {
    let base64: String = lines.flat_map(str::split_whitespace).map(bare).collect();
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
        let body = whole.map(|(body, _)| BlockText(body));
        Some(Block { label, body })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(&str, Option<Vec<u8>>)> {
        blocks(text)
            .map(|block| (block.label, block.body.and_then(BlockText::decode)))
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
            "> -----BEGIN X Y-----\n> aGVs\n> > bG8=\n> -----END X Y-----\n> --",
            "\"-----BEGIN X Y-----\",\n\"aGVs\",\n\"bG8=\",\n\"-----END X Y-----\"",
            "-----BEGIN X Y-----\nComment: of 2026\n\naGVsbG8=\n-----END X Y-----",
        ] {
            assert_eq!(read(text), [("X Y", hello.clone())], "{text:?}");
        }
    }

    #[test]
    fn a_file_is_tidy_if_every_program_reads_it() {
        let plain = "-----BEGIN X-----\naGVs\nbG8=\n-----END X-----\n";
        let headers = plain.replacen('\n', "\nProc-Type: 4,ENCRYPTED\nDEK-Info: A,0\n\n", 1);
        for tidy in [plain, plain.trim_end(), &headers] {
            assert!(is_tidy(tidy.as_bytes()), "{tidy:?}");
            for untidy in [
                format!("\u{feff}{tidy}"),
                format!("# mine\n{tidy}"),
                format!("{tidy}{plain}"),
                format!("{tidy} "),
                tidy.replace("aGVs", " aGVs"),
                tidy.replace("aGVs\n", "aGVs\n\n"),
                tidy.replace("aGVs", "aGVs\u{200b}"),
                tidy.replace('\n', "\r\n"),
                tidy.replace('\n', "\r"),
                tidy.replace('\n', " "),
                tidy.replace('\n', ""),
                tidy.replace('\n', "\\n"),
                tidy.replace('\n', "\n> "),
            ] {
                assert!(!is_tidy(untidy.as_bytes()), "{untidy:?}");
            }
        }
        assert!(!is_tidy(b"\xff") && !is_tidy(b""));
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
