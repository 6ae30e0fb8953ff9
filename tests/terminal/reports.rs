//! What terminals send beside text, as data: what then stands in the line, and is said.

use std::thread;
use std::time::Duration;

use crate::support::person::Person;
use crate::support::process::Relay;

/// What is sent between two words, and what is said then: all in one line, ⏎ where it breaks.
const SENT: &[(&[u8], &str)] = &[
    // Bytes that are not UTF-8 are read as Windows-1252.
    (b" it\x92s fine ", "one it’s fine two"),
    (b" caf\xe9 cr\xe8me, 5 \x80 ", "one café crème, 5 € two"),
    (
        b"\x1b[200~ l\xe0, o\xf9 na\xeft \x93l'\xe9t\xe9\x94 \x1b[201~",
        "one là, où naït “l'été” two",
    ),
    (b" \xff\xfe \x81 ", "one ÿþ \u{fffd} two"),
    (b" \xf0\x9f\xa6\x80 ", "one 🦀 two"),
    // Keys that nobody knows.
    (b"\x1b[27;5;46~", "onetwo"),
    (b"\x1b[57441;2u", "onetwo"),
    (b"\x1b[13;2:3u", "onetwo"),
    (b"\x1b[25;2~", "onetwo"),
    (b"\x1b[7$", "onetwo"),
    (b"\x1bOP\x1b[[A\x1b[24;2~", "onetwo"),
    // Mouse and focus.
    (b"\x1b[<0;10;20M\x1b[<0;10;20m", "onetwo"),
    (b"\x1b[M !!\x1b[M#\xff!", "onetwo"),
    (b"\x1b[32;10;20M", "onetwo"),
    (b"\x1b[I\x1b[O", "onetwo"),
    // Answers that come late.
    (b"\x1b]11;rgb:0000/0000/0000\x1b\\", "onetwo"),
    (b"\x1b]10;rgb:ffff/ffff/ffff\x07", "onetwo"),
    (b"\x1bP>|xterm(390)\x1b\\", "onetwo"),
    (b"\x1b_Gi=31;OK\x1b\\", "onetwo"),
    (
        b"\x1b[24;80R\x1b[?1;2c\x1b[?2026;2$y\x1b[8;24;80t",
        "onetwo",
    ),
    (
        b"\x1b[200~ pa\x1b[24;80Rst\x1b]11;rgb:0/0/0\x07ed \x1b[201~",
        "one pasted two",
    ),
    (
        b"\x1b[200~ a\x1b[Ab\x1bOBc\x1b[27;2;13~d \x1b[201~",
        "one abcd two",
    ),
    // Strings that terminals and multiplexers send.
    (b"\x1b^a private message\x1b\\", "onetwo"),
    (b"\x1bXa string\x1b\\", "onetwo"),
    (b"\x1b_a program\x1b\\", "onetwo"),
    ("\u{9e}private\u{9c}\u{98}string\u{9c}".as_bytes(), "onetwo"),
    // Enter with another key breaks the line.
    (b"\x1b\r", "one ⏎ two"),
    (b"\x1b[27;2;13~", "one ⏎ two"),
    (b"\x1b[27;5;13~", "one ⏎ two"),
    (b"\x1b[13;2u", "one ⏎ two"),
    (b"\x1b[13;5u", "one ⏎ two"),
    (b"\x1b[13;3u", "one ⏎ two"),
    // Keys that do something, however they are reported.
    (b"x\x1b[127u", "onetwo"),
    (b"\x1b[49:33;2u\x1b[228;1;228u", "one!ätwo"),
    (b"\x1bOq\x1bOn\x1bOr", "one1.2two"),
    (b"x\x1b[D\x1b[3~", "onetwo"),
    (b"x\x1bOD\x1b[3~", "onetwo"),
    (b" x\x1b[1;5D\x1b[107;5u", "one two"),
    (b"\x1b[97;5u>\x1b[101;5u", ">onetwo"),
];

#[test]
fn what_terminals_send_is_text_a_key_or_nothing() {
    let relay = Relay::start(&[]);
    let mut ada = Person::join_at(&relay, "ada", 24, 80);
    let bob = ada.welcomes(&relay, "bob");
    for (number, (sent, said)) in SENT.iter().enumerate() {
        let line = [format!("{number} one").as_bytes(), sent, b"two\r"].concat();
        ada.screen.send(&line);
        let said = said.replacen("one", &format!("{number} one"), 1);
        bob.wait_for_message("ada", &said);
    }
}

/// A slow network tears sequences apart: behind the Escape, within a number, within a character.
#[test]
fn what_comes_in_pieces_is_put_together() {
    let relay = Relay::start(&[]);
    let mut ada = Person::join_at(&relay, "ada", 24, 80);
    let bob = ada.welcomes(&relay, "bob");
    for (number, (pieces, said)) in [
        (&[&b"\x1b"[..], b"[27;2;13~"][..], "one ⏎ two"),
        (&[b"\x1b[", b"13", b";2u"], "one ⏎ two"),
        (&[b"\x1b[<0;1", b"0;20M"], "onetwo"),
        (&[b"\x1b]11;rgb:00", b"00/0000/0000\x1b", b"\\"], "onetwo"),
        (&[b"\x1bP>|xt", b"erm(390)\x1b\\"], "onetwo"),
        (&[b"\x1b[M ", b"!", b"!"], "onetwo"),
        (&[b"\x1b^pri", b"vate\x1b", b"\\"], "onetwo"),
        (&[b"\xf0\x9f", b"\xa6\x80"], "one🦀two"),
        (
            &[b"\x1b[2", b"00~ pas", b"ted\x1b[2", b"01~"],
            "one pastedtwo",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        ada.screen.type_text(&format!("{number} one"));
        for piece in pieces {
            ada.screen.send(piece);
            // It is time itself that is looked at: a program that waits for less gives up.
            thread::sleep(Duration::from_millis(150));
        }
        ada.screen.enter("two");
        let said = said.replacen("one", &format!("{number} one"), 1);
        bob.wait_for_message("ada", &said);
    }
}

/// An Escape alone, which people press out of habit, changes nothing, and so does a report that breaks
/// off.
#[test]
fn what_breaks_off_takes_nothing_with_it() {
    let relay = Relay::start(&[]);
    let mut ada = Person::join_at(&relay, "ada", 24, 80);
    let bob = ada.welcomes(&relay, "bob");
    for (sent, pause, said) in [
        (&b"\x1b"[..], 150, "hello"),
        (b"\x1b\x1b", 150, "hello"),
        (b"\x1b[27;2", 1500, "hello"),
        (b"\x1bO", 1500, "hello"),
        (b"\x1b]11;rgb:", 1500, "11;rgb:hello"),
        (b"\xe9", 1500, "éhello"),
    ] {
        ada.screen.send(sent);
        thread::sleep(Duration::from_millis(pause));
        ada.screen.enter("hello");
        bob.wait_for_message("ada", said);
        ada.screen.enter("next");
        bob.wait_for_message("ada", "next");
    }
}

/// Scripts send Ctrl-J for Enter.
#[test]
fn ctrl_j_stays_enter() {
    let relay = Relay::start(&[]);
    let mut ada = Person::join_at(&relay, "ada", 24, 80);
    let bob = ada.welcomes(&relay, "bob");
    for end in [
        "\n",
        "\x1b[106;5u",
        "\x1b[27;5;106~",
        "\r",
        "\x1bOM",
        "\x1b[13u",
    ] {
        let line = format!("by {end:?}");
        ada.screen.type_text(&line);
        ada.screen.press(end);
        bob.wait_for_message("ada", &line);
    }
}
