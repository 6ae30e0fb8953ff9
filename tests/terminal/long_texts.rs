//! What is longer than a row, or than a screen: web addresses, and messages of hundreds of lines.

use std::collections::BTreeSet;

use crate::support::person::Person;
use crate::support::process::{Client, Home, Relay};
use crate::support::screen::Screen;

/// What bob says; the address in it that `/url` shows; and whether a row of 40 columns makes a link of it.
const SAID: &[(&str, &str, bool)] = &[
    (
        "see https://example.org/a/path/that/is/longer/than/a/row?of=ada&s=screen#part.",
        "https://example.org/a/path/that/is/longer/than/a/row?of=ada&s=screen#part",
        true,
    ),
    (
        "(http://www.example.org:8080/wiki/Something_(that_has_brackets_of_its_own)), or so",
        "http://www.example.org:8080/wiki/Something_(that_has_brackets_of_its_own)",
        true,
    ),
    (
        "HTTPS://EXAMPLE.ORG/IN/LARGE/LETTERS/ALL/THE/WAY/DOWN/TO/THE/END",
        "HTTPS://EXAMPLE.ORG/IN/LARGE/LETTERS/ALL/THE/WAY/DOWN/TO/THE/END",
        true,
    ),
    (
        "<https://example.org/;a=1;b=2/%20/~user/@x/!y,z'*+$&=:/and/so/on/and/on>",
        "https://example.org/;a=1;b=2/%20/~user/@x/!y,z'*+$&=:/and/so/on/and/on",
        true,
    ),
    ("short: http://a.example/b", "http://a.example/b", false),
    // One letter is Cyrillic: a link would go elsewhere than the eye.
    (
        "https://exаmple.org/a/path/that/is/longer/than/a/row/of/the/screen",
        "https://exаmple.org/a/path/that/is/longer/than/a/row/of/the/screen",
        false,
    ),
    (
        "https://example.org/größe/straße/más/allá/où/ça/не/помещается/в/строку",
        "https://example.org/größe/straße/más/allá/où/ça/не/помещается/в/строку",
        false,
    ),
];

/// What is no web address, however long it is.
const NO_ADDRESSES: &[&str] = &[
    "javascript:alert(document.cookie)//which/is/longer/than/a/row/of/the/screen",
    "file:///etc/passwd/which/is/longer/than/a/row/of/the/screen/of/ada",
    "ssh://example.org/which/is/longer/than/a/row/of/the/screen/of/ada",
    "xhttps://example.org/which/is/longer/than/a/row/of/the/screen/of/ada",
];

/// The targets of the links that a program has written.
fn links(screen: &Screen) -> BTreeSet<String> {
    let raw = screen.raw();
    let codes = raw.split("\x1b]8;").skip(1);
    let targets = codes.filter_map(|code| {
        let (parameters, rest) = code.split_once(';')?;
        let (target, _) = rest.split_once("\x1b\\")?;
        assert!(
            target.is_empty() != parameters.starts_with("id="),
            "{code:?}"
        );
        (!target.is_empty()).then(|| target.to_owned())
    });
    targets.collect()
}

/// Clears the screen.
fn clear(screen: &mut Screen) {
    screen.enter("/clear");
    screen.wait_for("empty screen", |shown| shown.trim() == ">");
}

#[test]
fn an_address_that_rows_break_is_a_link_to_what_is_shown_and_can_be_copied() {
    let relay = Relay::start(&[]);
    let mut ada = Person::join_at(&relay, "ada", 24, 40);
    let mut bob = Client::join(relay.address(), "bob", &[]);
    ada.screen.sees("* bob joined");
    for (text, _, _) in SAID {
        bob.say(text);
    }
    for text in NO_ADDRESSES {
        bob.say(text);
    }
    bob.say("that is all");
    ada.screen.sees("that is all");
    let expected = SAID.iter().filter(|(_, _, is_link)| *is_link);
    assert_eq!(
        links(&ada.screen),
        expected.map(|(_, url, _)| (*url).to_owned()).collect()
    );
    for (number, (_, url, _)) in SAID.iter().rev().enumerate() {
        clear(&mut ada.screen);
        ada.screen.enter(&format!("/url {}", number + 1));
        // A row that the terminal itself has broken is one line, as a copy of it is.
        let shown = ada
            .screen
            .wait_for("address", |shown| shown.contains("that is all of"));
        let rows: Vec<&str> = shown.trim_start().lines().collect();
        let [above, alone, below, ..] = rows.as_slice() else {
            panic!("other rows: {shown}");
        };
        assert!(
            above.starts_with("* the address that bob wrote at "),
            "{shown}"
        );
        assert_eq!(
            (*alone, *below),
            (*url, "* that is all of the address"),
            "{shown}"
        );
    }
    for (none, answer) in [
        ("/url 8", "* no such web address was said"),
        ("/url 4294967296", "* no such web address was said"),
        ("/url 0", "? it is used like this: /url [N]"),
    ] {
        ada.screen.enter(none);
        ada.screen.sees(answer);
        clear(&mut ada.screen);
    }
}

#[test]
fn a_terminal_that_would_show_the_codes_of_links_gets_none() {
    let relay = Relay::start(&[]);
    let (home, address) = (Home::new(), relay.address().to_string());
    let arguments = ["join", &address, "--nick", "ada"];
    let ada = Screen::e2echat_with(&home, &[("TERM", "linux")], &arguments, 24, 40);
    ada.sees("nobody else");
    let mut bob = Client::join(relay.address(), "bob", &[]);
    ada.sees("* bob joined");
    bob.say(SAID[0].0);
    ada.sees("<bob @you> part.");
    assert_eq!(links(&ada), BTreeSet::new());
}

/// A message has at most 4096 bytes: that is many rows.
#[test]
fn a_message_of_hundreds_of_lines_can_be_read() {
    let relay = Relay::start(&[]);
    let mut ada = Person::join_at(&relay, "ada", 24, 80);
    let mut bob = Person::join_at(&relay, "bob", 24, 80);
    ada.meets("bob");
    ada.screen.enter("/show");
    ada.screen
        .sees("* no such message is too long to be shown whole");
    for (name, lines, hidden) in [("first", 300, 100), ("second", 201, 1), ("third", 500, 300)] {
        let text: Vec<String> = (1..=lines).map(|line| format!("{name}{line}")).collect();
        let mut text = text.join("\n");
        // The numbers take most of it.
        text = text.replace("third", "3.");
        bob.screen.paste(&text);
        bob.screen.press("\r");
        ada.screen
            .sees(&format!("… and {hidden} more lines: /show shows them"));
        bob.screen.enter("and a short one");
        ada.screen.sees("<bob> and a short one");
    }
    for (command, name, last, more) in [
        ("/show 3", "first", 300, 301),
        ("/show 2", "second", 201, 202),
        ("/show", "3.", 500, 501),
        ("/show 1", "3.", 500, 501),
    ] {
        clear(&mut ada.screen);
        ada.screen.enter(command);
        let end = format!("<bob> {name}{last}");
        ada.screen.wait_for(&end, |shown| shown.contains(&end));
        let shown = ada.screen.transcript();
        let begin = shown
            .iter()
            .rposition(|row| row.ends_with(&format!("<bob> {name}1")));
        let begin = begin.expect("the first line");
        for (at, line) in (1..=last).enumerate() {
            let row = &shown[begin + at];
            assert!(
                row.starts_with("| ") && row.ends_with(&format!("<bob> {name}{line}")),
                "{row}"
            );
        }
        assert!(
            !shown
                .iter()
                .any(|row| row.ends_with(&format!("{name}{more}")))
        );
    }
    ada.screen.enter("/show 4");
    ada.screen
        .sees("* no such message is too long to be shown whole");
}

/// What one asks for is not cut.
#[test]
fn a_long_history_is_shown_to_its_end() {
    let relay = Relay::start(&[]);
    let mut ada = Person::join_at(&relay, "ada", 24, 80);
    let mut bob = ada.welcomes(&relay, "bob");
    for number in 0..250 {
        bob.say(&format!("said {number:03}"));
    }
    ada.screen.sees("<bob> said 249");
    ada.screen.enter("/clear");
    ada.screen.enter("/history 250");
    ada.screen.wait_for("the last", |shown| {
        shown
            .lines()
            .any(|row| row.starts_with("| ") && row.ends_with("<bob> said 249"))
    });
    let shown = ada.screen.transcript();
    for number in 0..250 {
        let end = format!("<bob> said {number:03}");
        assert!(
            shown
                .iter()
                .any(|row| row.starts_with("| ") && row.ends_with(&end)),
            "{end}"
        );
    }
}
