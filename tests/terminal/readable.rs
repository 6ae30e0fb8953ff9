//! Text of others in which invisible signs matter: they are there where they belong, and nowhere else.

use crate::support::person::Person;
use crate::support::process::{Client, Relay};

/// What bob says, and what of it comes to ada's terminal.
const SAID: &[(&str, &str)] = &[
    (
        "family 👩\u{200d}👩\u{200d}👧\u{200d}👦.",
        "family 👩\u{200d}👩\u{200d}👧\u{200d}👦.",
    ),
    ("astronaut 👩🏽\u{200d}🚀.", "astronaut 👩🏽\u{200d}🚀."),
    (
        "rainbow 🏳\u{fe0f}\u{200d}🌈.",
        "rainbow 🏳\u{fe0f}\u{200d}🌈.",
    ),
    (
        "heart ❤\u{fe0f}, text ❤\u{fe0e}.",
        "heart ❤\u{fe0f}, text ❤\u{fe0e}.",
    ),
    ("key 1\u{fe0f}\u{20e3}.", "key 1\u{fe0f}\u{20e3}."),
    (
        "flag 🏴\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f}.",
        "flag 🏴\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f}.",
    ),
    (
        "می\u{200c}خواهم کتاب\u{200c}ها را",
        "می\u{200c}خواهم کتاب\u{200c}ها را",
    ),
    ("ශ්\u{200d}රී ලංකා", "ශ්\u{200d}රී ලංකා"),
    ("क्\u{200c}ष", "क्\u{200c}ष"),
    // Where they hide something.
    ("pass\u{200c}wo\u{200d}rd a\u{fe0f}b", "password ab"),
    ("hid\u{e0068}\u{e0069}den 🏴\u{e0068}\u{e0069}", "hidden 🏴"),
    (
        "👩\u{200d}\u{200d}\u{200d}🚀 ❤\u{fe0f}\u{fe0f}",
        "👩\u{200d}🚀 ❤\u{fe0f}",
    ),
    ("دو\u{200c}م", "دوم"),
];

#[test]
fn invisible_signs_come_where_they_belong_and_nowhere_else() {
    let relay = Relay::start(&[]);
    let ada = Person::join_at(&relay, "ada", 24, 80);
    let mut bob = Client::join(relay.address(), "bob", &[]);
    let carl = Client::join(relay.address(), "carl", &[]);
    ada.meets("bob");
    ada.meets("carl");
    for (text, shown) in SAID {
        bob.say(text);
        carl.wait_for_message("bob", shown);
        let row = format!("<bob> {shown}\x1b[?7h");
        ada.screen.wait_for(text, |_| {
            ada.screen.raw().replace("\x1b[0m", "").contains(&row)
        });
    }
}

/// Terminals differ in how wide these are, and this one wraps whatever it is told.
#[test]
fn no_row_is_without_its_author_however_wide_its_parts_are() {
    let relay = Relay::start(&[]);
    for columns in [24, 40, 41, 80] {
        let ada = Person::join_at(&relay, "ada", 24, columns);
        let mut bob = Client::join(relay.address(), "bob", &[]);
        ada.screen.sees("* bob joined");
        for part in [
            "❤\u{fe0f}",
            "1\u{fe0f}\u{20e3}",
            "🇩🇪",
            "👩\u{200d}👩\u{200d}👧\u{200d}👦",
            "👍🏽 ",
            "می\u{200c}خواهم ",
            "日本👩\u{200d}🚀",
        ] {
            bob.say(&part.repeat(25));
        }
        bob.say("the end");
        ada.screen.sees("<bob> the end");
        let rows = ada.screen.transcript();
        let said = rows.iter().skip_while(|row| !row.contains("<bob"));
        let said = said.filter(|row| !row.is_empty() && !row.starts_with('>'));
        for row in said {
            assert!(
                row.contains("<bob> "),
                "at {columns} columns: {row:?} in {rows:#?}"
            );
        }
        bob.leave();
    }
}
