//! What documents show as said by the program is compared with the words in the program's source.

use super::markdown::Document;

/// Where the words are, those of alarms first.
const WORDS: [&str; 24] = [
    include_str!("../../src/cmd/join/output/alarms.rs"),
    include_str!("../../src/cmd/join/trust/mod.rs"),
    include_str!("../../src/cmd/join/trust/comparing.rs"),
    include_str!("../../src/cmd/join/events.rs"),
    include_str!("../../src/cmd/join/commands/say.rs"),
    include_str!("../../src/cmd/join/outbox.rs"),
    include_str!("../../src/cmd/join/client.rs"),
    include_str!("../../src/cmd/join/trust/known_people.rs"),
    include_str!("../../src/cmd/join/output/report.rs"),
    include_str!("../../src/cmd/join/output/screen.rs"),
    include_str!("../../src/cmd/join/output/wording.rs"),
    include_str!("../../src/cmd/join/commands/people.rs"),
    include_str!("../../src/cmd/join/commands/display.rs"),
    include_str!("../../src/cmd/join/exit.rs"),
    include_str!("../../src/cmd/join/next_key.rs"),
    include_str!("../../src/cmd/join/destination.rs"),
    include_str!("../../src/cmd/join/mod.rs"),
    include_str!("../../src/cmd/join/introduction.rs"),
    include_str!("../../src/cmd/join/output/present.rs"),
    include_str!("../../src/cmd/join/output/search.rs"),
    include_str!("../../src/cmd/join/output/handed.rs"),
    include_str!("../../src/cmd/join/output/speech.rs"),
    include_str!("../../src/cmd/join/late.rs"),
    include_str!("../../src/cmd/join/commands/share.rs"),
];

/// Where the words are of why somebody is gone. The nick stands before them.
const DEPARTURES: &str = include_str!("../../src/room/frame/departure.rs");

/// The texts in a source, as they are written there.
fn literals(source: &str) -> Vec<String> {
    let code = source.split("#[cfg(test)]").next().unwrap_or_default();
    let code = code
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    let code = code.collect::<Vec<_>>().join("\n");
    // There are no quotes within these texts.
    code.split('"')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

/// The texts of which each says that something is wrong, or may be.
fn alarms() -> Vec<String> {
    let [words, trust, ..] = WORDS;
    let (_, table) = words.split_once("\nincidents! {").unwrap();
    let (_, changed) = trust.split_once("\nfn changed(").unwrap();
    let (changed, _) = changed.split_once("\n}\n").unwrap();
    let texts = [table, changed].into_iter().flat_map(literals);
    texts.filter(|text| text.contains(' ')).collect()
}

/// What stays the same in a text, whoever it is about.
fn constant(literal: &str) -> Vec<&str> {
    let mut parts = literal.split('{');
    let first = parts.next().unwrap_or_default();
    let rest = parts.map(|part| part.split_once('}').map_or("", |(_, text)| text));
    std::iter::once(first).chain(rest).collect()
}

/// Whether the program says this line where it says this text.
fn is_said(line: &str, literal: &str) -> bool {
    let parts = constant(literal);
    let (Some(first), Some(last)) = (parts.first(), parts.last()) else {
        return false;
    };
    if parts.len() == 1 {
        return line == literal;
    }
    let Some(mut rest) = line.strip_prefix(first) else {
        return false;
    };
    for part in &parts[1..] {
        let Some(at) = rest.find(part) else {
            return false;
        };
        rest = &rest[at + part.len()..];
    }
    line.ends_with(last)
}

/// The warnings and notices on the screens of a document, whole where they take several rows.
fn shown(document: &Document, sign: char) -> Vec<String> {
    let (begin, goes_on) = (format!("{sign} "), format!("{sign}   "));
    let mut said: Vec<String> = Vec::new();
    for block in document.blocks.iter().filter(|it| it.language == "text") {
        for row in &block.lines {
            if let Some(more) = row.strip_prefix(&goes_on) {
                let whole = said.last_mut().unwrap();
                *whole = format!("{whole} {more}");
            } else if let Some(text) = row.strip_prefix(&begin) {
                said.push(text.to_owned());
            }
        }
    }
    said
}

/// Warnings and notices in a document that the program does not say. A text that is nearly all names
/// would fit everything, so it does not count.
pub fn never_said(document: &Document) -> Vec<String> {
    let departures = literals(DEPARTURES).into_iter();
    let departures = departures.map(|text| format!("{{nick}} {text}"));
    let texts = WORDS.into_iter().flat_map(literals);
    let texts: Vec<String> = texts.chain(departures).collect();
    let of = |sign, least| {
        let is_said = |line: &String| {
            let telling = texts
                .iter()
                .filter(|text| constant(text).concat().len() > least);
            telling.into_iter().any(|text| is_said(line, text))
        };
        let never = shown(document, sign).into_iter();
        never.filter(move |line| !is_said(line)).collect::<Vec<_>>()
    };
    let lines = [of('!', 15), of('?', 15), of('*', 5)].concat().into_iter();
    lines
        .map(|line| format!("{}: the program does not say: {line}", document.name))
        .collect()
}

/// Alarms of the program that the guide does not show.
pub fn unexplained(guide: &Document) -> Vec<String> {
    let shown = [shown(guide, '!'), shown(guide, '*')].concat();
    let is_shown = |text: &String| shown.iter().any(|line| is_said(line, text));
    let missing = alarms().into_iter().filter(|text| !is_shown(text));
    missing
        .map(|text| format!("docs/GUIDE.md does not show: {text}"))
        .collect()
}
