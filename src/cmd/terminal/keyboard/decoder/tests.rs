//! What terminals send, as data: what rustyline must read of it.

use super::*;

/// What rustyline reads of these bytes, and of nothing more.
fn read_of(sent: &[u8]) -> Vec<u8> {
    let mut decoder = Decoder::default();
    let mut read = decoder.decode(sent);
    read.extend(decoder.give_up());
    assert_eq!(decoder.patience(), None);
    read
}

fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

const UP: &str = "\x1b[A";
const WORD_LEFT: &str = "\x1b[1;5D";
const LINE: &str = "\x1b\r";

/// What terminals send, and what rustyline reads.
const REPORTS: &[(&[u8], &str)] = &[
    // Text, and what is not UTF-8.
    (b"hello\r", "hello\r"),
    ("日本語 🦀".as_bytes(), "日本語 🦀"),
    (b"it\x92s fine", "it’s fine"),
    (b"caf\xe9 cr\xe8me \xe0 la carte", "café crème à la carte"),
    (
        b"100 \x80, na\xefve, \x93so\x94 \x97 \xabl\xe0\xbb",
        "100 €, naïve, “so” — «là»",
    ),
    (b"a\x81b\xffc", "a\u{fffd}bÿc"),
    (b"\xf0\x9f\xa6 cut off", "ð\u{178}¦ cut off"),
    (b"lone \xc3", "lone Ã"),
    (b"\xed\xa0\x80 a surrogate", "í\u{a0}€ a surrogate"),
    // Keys that rustyline knows, in the ways of several terminals.
    (b"\x1b[A", UP),
    (b"\x1bOA", UP),
    (b"\x1b[1A", UP),
    (b"\x1b[1;1A", UP),
    (b"\x1b[1;5D", WORD_LEFT),
    (b"\x1bOd", WORD_LEFT),
    (b"\x1bO5D", WORD_LEFT),
    (b"\x1bO1;5D", WORD_LEFT),
    (b"\x1b[5D", WORD_LEFT),
    (b"\x1b\x1b[D", "\x1b[1;3D"),
    (b"\x1b\x1b[1;5D", "\x1b[1;7D"),
    (b"\x1b[1;69D", WORD_LEFT), // with Caps Lock
    (b"\x1b[7~\x1b[8~", "\x1b[H\x1b[F"),
    (b"\x1b[1~\x1b[4~", "\x1b[H\x1b[F"),
    (b"\x1b[3~", "\x1b[3~"),
    (b"\x1b[Z", "\x1b[Z"),
    (b"\x1bb\x1bf\x1b\x7f", "\x1bb\x1bf\x1b\x7f"),
    (b"\x1bOq\x1bOn\x1bOM", "1.\r"), // the keypad
    // A line break, by Enter with another key.
    (b"\x1b\r", LINE),
    (b"\x1b\n", LINE),
    (b"\x1b[27;2;13~", LINE),
    (b"\x1b[27;5;13~", LINE),
    (b"\x1b[27;3;13~", LINE),
    (b"\x1b[13;2u", LINE),
    (b"\x1b[13;5u", LINE),
    (b"\x1b[13;3u", LINE),
    (b"\x1b[13;66u", LINE), // with Caps Lock
    (b"\x1b[13;2:1u", LINE),
    (b"\x1bO2M", LINE),
    (b"\x1b[57414;2u", LINE), // Enter of the keypad
    (b"\x1b[13u", "\r"),
    (b"\x1b[106;5u", "\n"), // Ctrl-J stays Enter
    // Keys that are reported by numbers.
    (b"\x1b[97;5u", "\x01"),
    (b"\x1b[27;5;117~", "\x15"),
    (b"\x1b[98;3u", "\x1bb"),
    (b"\x1b[97;2u", "A"),
    (b"\x1b[49:33;2u", "!"),
    (b"\x1b[228;1;228u", "ä"),
    (b"\x1b[27;2;196~", "Ä"),
    (b"\x1b[9;2u", "\x1b[Z"),
    (b"\x1b[127u", "\x7f"),
    (b"\x1b[57400u", "1"),
    (b"\x1b[57419u", UP),
    // Keys without a meaning here.
    (b"\x1b[13;2:3u", ""),  // Shift-Enter is released
    (b"\x1b[27u", ""),      // Escape
    (b"\x1b[57441;2u", ""), // Shift alone
    (b"\x1b[97;9u", ""),    // Super
    (b"\x1b[1;3:3A", ""),   // Up is released
    (b"\x1b[27;5;46~", ""), // Ctrl and a full stop
    (b"\x1bOP\x1b[15~\x1b[[A\x1b[24;5~\x1b[1;2P", ""), // function keys
    (b"\x1b[2~\x1b[5~\x1b[6;5~", ""),
    (b"\x1b[7$\x1b[3^\x1b[8@", ""), // rxvt
    (b"\x1b[25;2~\x1b[E", ""),
    // Mouse, focus, and answers to what nobody here has asked.
    (b"\x1b[<0;10;20M\x1b[<0;10;20m", ""),
    (b"\x1b[<64;100;30M", ""),
    (b"\x1b[M !!\x1b[M#!!", ""),
    (b"\x1b[M \xff\xa1", ""),
    (b"\x1b[M \xc4\x80\xc4\x81", ""), // mode 1005
    (b"\x1b[32;10;20M", ""),          // mode 1015
    (b"\x1b[I\x1b[O", ""),
    (b"\x1b[24;80R", ""),
    (b"\x1b[?1;2c\x1b[>41;390;0c", ""),
    (b"\x1b[0n\x1b[8;24;80t\x1b[?2026;2$y\x1b[4;1$y", ""),
    (b"\x1b[?1u", ""),
    (b"\x1b]11;rgb:0000/0000/0000\x1b\\", ""),
    (b"\x1b]10;rgb:ffff/ffff/ffff\x07", ""),
    (b"\x1b]52;c;aGVsbG8=\x1b\\", ""),
    (b"\x1b]lwindow title\x1b\\", ""),
    (b"\x1bP>|xterm(390)\x1b\\", ""),
    (b"\x1bP1$r0m\x1b\\\x1bP1+r544e=787465726d\x1b\\", ""),
    (b"\x1bP!|00000000\x1b\\", ""),
    (b"\x1b_Gi=31;OK\x1b\\", ""),
    (b"\x1b_hello\x1b\\\x1b_ title of a window\x07", ""),
    (b"\x1b^a private message\x1b\\", ""),
    (b"\x1bXa string\x1b\\\x1bX\x1b\\", ""),
    (
        "\u{98}a string\u{9c}\u{9e}private\u{9c}\u{9f}program\u{9c}".as_bytes(),
        "",
    ),
    // The same in the controls that are one character.
    (
        "\u{9b}24;80R\u{9d}11;rgb:0/0/0\u{9c}\u{90}>|foot\u{9c}\u{9b}A".as_bytes(),
        UP,
    ),
    // What somebody types with Alt is no answer.
    (b"\x1b]hello", "\x1b]hello"),
    (b"\x1bPhello", "\x1bPhello"),
    (b"\x1b]1 hello\r", "\x1b]1 hello\r"),
    (b"\x1bXhello\r", "\x1bXhello\r"),
    (b"\x1b^hello\r", "\x1b^hello\r"),
    (b"\x1b_hello\r", "\x1b_hello\r"),
    (b"\x1b[1\r", "\r"),
    // Pastes: keys and answers are no part of them.
    (b"\x1b[200~a\nb\x1b[201~", "\x1b[200~a\nb\x1b[201~"),
    (
        b"\x1b[200~a\x1b[Ab\x1bOBc\x1b[201~",
        "\x1b[200~abc\x1b[201~",
    ),
    (
        b"\x1b[200~a\x1b[27;2;13~b\x1b[13;2uc\x1b[201~",
        "\x1b[200~abc\x1b[201~",
    ),
    (
        b"\x1b[200~a\x1b[24;80Rb\x1b]11;rgb:0/0/0\x1b\\c\x1b[201~",
        "\x1b[200~abc\x1b[201~",
    ),
    (
        b"\x1b[200~a\x1b^b\x1b\\c\x1bXd\x1b[201~",
        "\x1b[200~acXd\x1b[201~",
    ),
    (
        b"\x1b[200~\x1b[31mred\x1b[0m \x1b[Mxyz\x1b[201~",
        "\x1b[200~red xyz\x1b[201~",
    ),
    (
        b"\x1b[200~it\x92s\x1b[200~ \xe9t\xe9\x1b[201~",
        "\x1b[200~it’s été\x1b[201~",
    ),
    (b"\x1b[200~\x1b\x1b]x\x1b[\x1b[201~", "\x1b[200~]x\x1b[201~"),
    (b"\x1b[200~a\x1b]1\x1b[201~b", "\x1b[200~a]1\x1b[201~b"),
];

#[test]
fn rustyline_reads_what_it_knows_and_nothing_else() {
    for (sent, expected) in REPORTS {
        assert_eq!(shown(&read_of(sent)), *expected, "{:?}", shown(sent));
    }
}

#[test]
fn it_makes_no_difference_in_which_pieces_the_bytes_come() {
    for (sent, expected) in REPORTS {
        for at in 0..sent.len() {
            let mut decoder = Decoder::default();
            let mut read = decoder.decode(&sent[..at]);
            read.extend(decoder.decode(&sent[at..]));
            read.extend(decoder.give_up());
            assert_eq!(shown(&read), *expected, "{:?} at {at}", shown(sent));
        }
        let mut decoder = Decoder::default();
        let mut read: Vec<u8> = sent
            .chunks(1)
            .flat_map(|byte| decoder.decode(byte))
            .collect();
        read.extend(decoder.give_up());
        assert_eq!(shown(&read), *expected, "{:?} by bytes", shown(sent));
    }
}

#[test]
fn text_stands_beside_every_report_as_it_was_typed() {
    for (sent, expected) in REPORTS {
        if sent.ends_with(b"hello") || !expected.is_empty() && sent.len() == expected.len() {
            continue;
        }
        let beside = [b"before ", *sent, b" behind"].concat();
        let read = read_of(&beside);
        assert_eq!(
            shown(&read),
            format!("before {expected} behind"),
            "{:?}",
            shown(sent)
        );
    }
}

#[test]
fn an_escape_alone_is_nothing_and_takes_nothing_with_it() {
    let mut decoder = Decoder::default();
    assert_eq!(decoder.decode(b"\x1b"), b"");
    assert_eq!(decoder.patience(), Some(ESCAPE_WAIT));
    assert_eq!(decoder.give_up(), b"");
    assert_eq!(decoder.decode(b"h"), b"h");
    decoder.decode(b"\x1b");
    decoder.give_up();
    assert_eq!(decoder.decode(b"["), b"[", "somebody types it");
    assert_eq!(decoder.decode(b"1]"), b"1]");
}

#[test]
fn an_escape_whose_rest_comes_late_is_still_its_beginning() {
    for (rest, expected) in [("[27;2;13~", LINE), ("[A", UP)] {
        let mut decoder = Decoder::default();
        decoder.decode(b"\x1b");
        decoder.give_up();
        assert_eq!(decoder.patience(), Some(WAIT));
        assert_eq!(shown(&decoder.decode(rest.as_bytes())), expected);
    }
}

#[test]
fn an_escape_that_was_given_up_takes_no_word_with_it_and_after_a_while_nothing() {
    for (typed, is_late) in [
        ("OK", false),
        ("OA", false),
        ("P1 is here", false),
        ("]11;rgb:0/0/0\x07", false),
        ("OK", true),
        ("[A", true),
        ("[1] is a reference", true),
    ] {
        let mut decoder = Decoder::default();
        decoder.decode(b"\x1b");
        assert_eq!(decoder.give_up(), b"");
        if is_late {
            assert_eq!(decoder.give_up(), b"");
            assert_eq!(decoder.patience(), None);
        }
        assert_eq!(shown(&decoder.decode(typed.as_bytes())), typed);
        assert_eq!(decoder.patience(), None);
    }
}

#[test]
fn any_number_of_escapes_is_as_two() {
    let escapes = vec![ESCAPE; 1_000_000];
    for (rest, expected) in [
        (&b"[D"[..], "\x1b[1;3D"),
        (b"x", "\x1bx"),
        (b"\r", LINE),
        (b"", ""),
    ] {
        let sent = [escapes.as_slice(), rest].concat();
        assert_eq!(shown(&read_of(&sent)), expected);
        let mut decoder = Decoder::default();
        let mut read = Vec::new();
        for piece in sent.chunks(MAX_ANSWER) {
            read.extend(decoder.decode(piece));
            assert!(decoder.begun.len() <= 2);
        }
        read.extend(decoder.give_up());
        assert_eq!(shown(&read), expected);
    }
    let pasted = [PASTE_BEGINS, b"a", &escapes, b"b", PASTE_ENDS].concat();
    assert_eq!(shown(&read_of(&pasted)), "\x1b[200~ab\x1b[201~");
}

#[test]
fn parameters_without_end_are_not_kept_and_end_with_their_sequence() {
    let begins = [
        "\x1b[",
        "\x1b\x1b[",
        "\u{9b}",
        "\x1bO",
        "\x1b\x1bO",
        "\u{8f}",
    ];
    for (begins, parameters) in begins.iter().flat_map(|it| [(it, "0"), (it, "1;")]) {
        // Without the limit, the zeros and a 1 would be a key.
        let sent = [begins, &*parameters.repeat(5 * MAX_ANSWER), "1Ahello"].concat();
        for length in [MAX_ANSWER, MAX_ANSWER - 1, 7, sent.len()] {
            let mut decoder = Decoder::default();
            let mut read = Vec::new();
            for piece in sent.as_bytes().chunks(length) {
                read.extend(decoder.decode(piece));
                assert!(decoder.begun.len() <= MAX_BEGUN);
            }
            assert_eq!(shown(&read), "hello", "{begins:?} {parameters} by {length}");
        }
    }
}

#[test]
fn what_never_ends_is_given_up() {
    for (sent, expected) in [
        (&b"\x1b[27;2"[..], ""),
        (b"\x1bO", ""),
        (b"\x1b[M!", ""),
        (b"\x1b]11;rgb", "11;rgb"),
        (b"\x1b_hel", "hel"),
        (b"\x1b^hel", "hel"),
        (b"\x1bXhel", "hel"),
        (b"\xe2\x82", "â‚"),
    ] {
        let mut decoder = Decoder::default();
        assert_eq!(decoder.decode(sent), b"");
        assert_eq!(decoder.patience(), Some(WAIT));
        assert_eq!(shown(&decoder.give_up()), expected);
        assert_eq!(shown(&decoder.decode(b"and on")), "and on");
    }
    let endless = [b"\x1b]1", "x".repeat(2 * MAX_ANSWER).as_bytes()].concat();
    assert_eq!(Decoder::default().decode(&endless).len(), endless.len());
}

#[test]
fn rustyline_always_reads_utf8() {
    let mut state = 1_u32;
    let mut decoder = Decoder::default();
    let mut read = Vec::new();
    for _ in 0..100_000 {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let [.., high] = state.to_le_bytes();
        // Half of it are the beginnings of sequences.
        let byte = if high < 0x80 {
            b"\x1b[]OP_^X\xc2\x9b0;~Mu\x90\x98"[usize::from(high) % 17]
        } else {
            high
        };
        read.extend(decoder.decode(&[byte]));
    }
    read.extend(decoder.give_up());
    assert!(str::from_utf8(&read).is_ok());
}

#[test]
fn reports_of_the_focus_and_keys_are_signs_of_the_user_and_the_last_one_counts() {
    use Sign::{Focus, Key};
    for (pieces, sign, read) in [
        (&[&b"a\x1b[I"[..]][..], Some(Focus(true)), "a"),
        (&[b"\x1b[O"], Some(Focus(false)), ""),
        (&[b"\x1b[I\x1b[O"], Some(Focus(false)), ""),
        (&[b"\x1b[Oa"], Some(Key), "a"),
        (&[b"\x1b", b"[", b"O"], Some(Focus(false)), ""),
        // In a paste it is text of somebody else's, perhaps.
        (
            &[b"\x1b[200~a\x1b[Ob\x1b[201~"],
            Some(Key),
            "\x1b[200~ab\x1b[201~",
        ),
        (
            &[b"\x1b[200~a\x1b[201~\x1b[O"],
            Some(Focus(false)),
            "\x1b[200~a\x1b[201~",
        ),
        // These are reports of something else.
        (
            &[b"\x1b[1;2I\x1b[2O\x1b[24;80R\x1b]11;rgb:0/0/0\x07"],
            None,
            "",
        ),
        (&[b"\x1b[A"], Some(Key), UP),
    ] {
        let mut decoder = Decoder::default();
        let typed: Vec<_> = pieces.iter().map(|piece| decoder.decode(piece)).collect();
        let typed = shown(&typed.concat());
        assert_eq!((decoder.take_sign(), typed.as_str()), (sign, read));
        assert_eq!(decoder.take_sign(), None);
    }
}
