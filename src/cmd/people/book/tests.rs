use super::*;

const ONE: &str = "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU";
const TWO: &str = "SHA256:n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg";

/// What a file with these lines says of all people.
fn people(lines: &[String]) -> AddressBook {
    let mut book = AddressBook::default();
    book.read(lines.join("\n").as_bytes(), |_| {});
    book
}

fn line(since: i64, word: &str, nick: &str, fingerprint: &str) -> String {
    format!("{since} {word} relay room {nick} {fingerprint}")
}

/// Who is expected under a nick in the room `room` of the relay `relay`, since when, and whether they are verified.
fn known(book: &AddressBook, nick: &str) -> Option<(String, i64, bool)> {
    let here = book.clone().place("relay", "room");
    let expected = book.expected(here, &nick.parse().unwrap())?;
    let person = book.get(expected.fingerprint)?;
    let is_verified = person.verified().is_some();
    Some((
        expected.fingerprint.to_string(),
        expected.since,
        is_verified,
    ))
}

fn standing(book: &AddressBook, room: &str, nick: &str, fingerprint: &str) -> Standing {
    let here = book.clone().place("relay", room);
    let (nick, fingerprint) = (nick.parse().unwrap(), fingerprint.parse().unwrap());
    let mut book = book.clone();
    book.place("relay", room);
    book.standing(here, &nick, fingerprint)
}

#[test]
fn the_first_one_seen_under_a_nick_stays_until_another_is_accepted() {
    let lines = [line(1, "seen", "bob", ONE), line(2, "seen", "bob", TWO)];
    assert_eq!(known(&people(&lines), "bob"), Some((ONE.into(), 1, false)));
    let mut lines = lines.to_vec();
    lines.push(line(3, "accepted", "bob", TWO));
    assert_eq!(known(&people(&lines), "bob"), Some((TWO.into(), 3, false)));
    assert_eq!(known(&people(&lines), "carol"), None);
}

#[test]
fn who_is_verified_stays_so_for_as_long_as_the_identity_is_the_same() {
    let mut lines = vec![line(1, "seen", "bob", ONE), line(2, "verified", "bob", ONE)];
    assert_eq!(known(&people(&lines), "bob"), Some((ONE.into(), 1, true)));
    lines.push(line(3, "accepted", "bob", ONE));
    assert_eq!(known(&people(&lines), "bob"), Some((ONE.into(), 1, true)));
    lines.push(line(4, "accepted", "bob", TWO));
    assert_eq!(known(&people(&lines), "bob"), Some((TWO.into(), 4, false)));
    lines.push(line(5, "verified", "bob", ONE));
    assert_eq!(known(&people(&lines), "bob"), Some((ONE.into(), 5, true)));
}

#[test]
fn nicks_that_look_alike_are_one() {
    let people = people(&[line(1, "seen", "Lola", ONE)]);
    for nick in ["lola", "1o1a", "LOLA", "i0ia"] {
        assert_eq!(known(&people, nick), Some((ONE.into(), 1, false)), "{nick}");
    }
}

#[test]
fn other_rooms_and_relays_are_not_this_one() {
    let other_room = format!("1 seen relay attic bob {ONE}");
    let other_relay = format!("1 seen elsewhere room bob {ONE}");
    let people = people(&[other_room, other_relay]);
    assert_eq!(known(&people, "bob"), None);
    assert_eq!(people.damaged(), 0);
}

#[test]
fn one_relay_is_one_however_its_address_is_spelled() {
    for (typed, written) in [
        ("127.0.0.1:4000", "127.1:4000"),
        ("[::1]:4000", "[0::1]:4000"),
        ("[::1]:4000", "[0:0:0:0:0:0:0:1]:4000"),
        ("127.0.0.1:4000", "[::ffff:127.0.0.1]:4000"),
        ("chat.example.org:4000", "chat.example.org.:4000"),
        ("[fe80::1%eth0]:4000", "[FE80::1%eth0]:4000"),
    ] {
        let nick = "bob".parse().unwrap();
        let mut people = AddressBook::default();
        let here = people.enter(typed, &RoomName::lobby());
        let mut other = people.clone();
        let line = other.record(RecordKind::Seen, here, &nick, ONE.parse().unwrap(), 1);
        people.read(line.replace(typed, written).as_bytes(), |_| {});
        assert!(people.expected(here, &nick).is_some(), "{written}");
        assert_eq!(people.damaged(), 0, "{written}");
        // Whoever is there at another port is somebody else.
        let mut others = AddressBook::default();
        let there = others.enter(&typed.replace("4000", "5000"), &RoomName::lobby());
        others.read(line.as_bytes(), |_| {});
        assert!(others.expected(there, &nick).is_none(), "{written}");
    }
}

#[test]
fn every_line_that_is_not_whole_is_counted_and_says_nothing() {
    let whole = line(1_794_787_200, "seen", "bob", ONE);
    for cut in 0..whole.len() {
        let people = people(&[whole[..cut].to_owned(), line(1, "seen", "carol", TWO)]);
        assert_eq!(known(&people, "bob"), None, "{}", &whole[..cut]);
        assert_eq!(people.damaged(), 1, "{}", &whole[..cut]);
        assert!(known(&people, "carol").is_some());
    }
    for damaged in [
        whole.replace("seen", "scene"),
        whole.replace("1794787200", "yesterday"),
        whole.replace("bob", "<bob>"),
        whole.replace("SHA256", "MD5"),
        whole.replace(' ', "  "),
        format!("{whole}{whole}"),
        format!("{whole} "),
        "\u{fffd}".to_owned(),
    ] {
        let people = people(&[damaged.clone(), line(1, "seen", "carol", TWO)]);
        assert_eq!(known(&people, "bob"), None, "{damaged}");
        assert_eq!(people.damaged(), 1, "{damaged}");
    }
}

#[test]
fn what_is_said_of_an_identity_holds_everywhere_and_cut_off_it_says_nothing() {
    let seen = line(1, "seen", "bob", ONE);
    for (said, holds) in [
        (format!("2 verified {ONE} number"), Standing::Verified),
        (format!("2 verified {ONE} code"), Standing::Verified),
        (format!("2 verified {ONE} import"), Standing::Verified),
        (line(2, "verified", "bob", ONE), Standing::Verified),
        (format!("2 accepted {ONE} trust"), Standing::Known),
        (line(2, "accepted", "bob", ONE), Standing::Known),
        (format!("2 noted {ONE} \"from work\""), Standing::Known),
    ] {
        let book = people(&[seen.clone(), said.clone()]);
        assert_eq!(standing(&book, "attic", "robert", ONE), holds, "{said}");
        assert_eq!(standing(&book, "attic", "robert", TWO), Standing::New);
        assert_eq!(standing(&book, "room", "bob", TWO), Standing::Changed);
        for cut in 0..said.len() {
            let book = people(&[seen.clone(), said[..cut].to_owned()]);
            assert_eq!(
                standing(&book, "attic", "bob", ONE),
                Standing::New,
                "{said}"
            );
            assert_eq!(standing(&book, "room", "bob", ONE), Standing::Known);
        }
    }
    let book = people(&[
        seen.clone(),
        format!("2 noted {ONE} \"from work\""),
        format!("3 noted {ONE} \"\""),
    ]);
    assert_eq!(standing(&book, "attic", "bob", ONE), Standing::New);
    // It is an older one, whatever wrote it down later.
    let book = people(&[
        format!("3 noted {ONE} \"from \x1b[31mhome\u{202e}\""),
        format!("2 noted {ONE} \"from work\""),
    ]);
    let note = book.get(ONE.parse().unwrap()).unwrap().note().unwrap();
    assert_eq!(note.to_string(), "from \u{fffd}[31mhome\u{fffd}");
}

/// Anybody can take a nick after another, so that is no way to be known elsewhere.
#[test]
fn whoever_is_merely_seen_is_known_in_that_room_alone_whatever_nick_they_take() {
    let lines = [
        line(1, "seen", "mallory", ONE),
        // So wrote earlier versions where somebody whom they had seen took another nick.
        line(2, "accepted", "trent", ONE),
    ];
    let book = people(&lines);
    assert_eq!(standing(&book, "room", "trent", ONE), Standing::Known);
    assert_eq!(standing(&book, "room", "walter", ONE), Standing::Known);
    assert_eq!(standing(&book, "attic", "mallory", ONE), Standing::New);
    // Accepted in the place of another, or as the first one, is accepted by the user.
    for before in [
        vec![line(1, "seen", "bob", TWO)],
        vec![],
        vec![line(1, "seen", "bob", ONE)],
    ] {
        let lines = [before, vec![line(2, "accepted", "bob", ONE)]].concat();
        let book = people(&lines);
        assert_eq!(standing(&book, "attic", "bob", ONE), Standing::Known);
    }
}

#[test]
fn two_who_are_verified_under_one_nick_are_two_people() {
    let book = people(&[
        line(1, "verified", "bob", ONE),
        format!("2 verified relay attic bob {TWO}"),
    ]);
    for (room, fingerprint, holds) in [
        ("room", ONE, Standing::Verified),
        ("attic", TWO, Standing::Verified),
        ("cellar", ONE, Standing::Verified),
        ("cellar", TWO, Standing::Verified),
        // In one room a nick is one identity's, until the user accepts another.
        ("room", TWO, Standing::Changed),
        ("attic", ONE, Standing::Changed),
    ] {
        assert_eq!(standing(&book, room, "bob", fingerprint), holds, "{room}");
    }
    assert_eq!(book.people().len(), 2);
    assert_eq!(book.called(&"BOB".parse().unwrap()).len(), 2);
}

#[test]
fn a_room_by_invite_is_never_called_by_its_name() {
    let invite = RoomName::invite();
    let mut book = AddressBook::default();
    let here = book.enter("relay:1", &invite);
    let line = book.name(here, &invite, 1);
    book.record(
        RecordKind::Seen,
        here,
        &"bob".parse().unwrap(),
        ONE.parse().unwrap(),
        1,
    );
    assert_eq!(book.words(here), "a private room at relay:1");
    let written = line + &book.lines();
    assert!(!written.contains("inv-"), "{written}");
    let read = people(&[written.trim_end().to_owned()]);
    assert_eq!((read.damaged(), read.lines()), (0, book.lines()));
    // A file that has one is damaged, and repeats nothing of it.
    let with_name = format!("1 room {invite} relay:1 room");
    let book = people(&[with_name]);
    assert_eq!((book.damaged(), book.lines()), (1, String::new()));
}

/// Whatever is in a file, in whatever order: written anew it says the same, and most of it is new.
#[test]
fn a_book_that_is_written_anew_says_the_same() {
    use rand::{RngExt as _, SeedableRng as _};
    for seed in 0..300 {
        let mut rng = rand::rngs::SmallRng::seed_from_u64(seed);
        let fingerprints: Vec<String> = (0..4_u8)
            .map(|n| Fingerprint::of(&[n]).to_string())
            .collect();
        let count = rng.random_range(1..60);
        let lines: Vec<String> = (0..count)
            .map(|_| {
                let time = rng.random_range(0..40);
                let it = &fingerprints[rng.random_range(0..4)];
                let room = ["hall", "attic"][rng.random_range(0..2)];
                let nick = ["bob", "B0b", "carol", "dave"][rng.random_range(0..4)];
                let word = ["seen", "accepted", "verified"][rng.random_range(0..3)];
                let way = ["number", "code", "import"][rng.random_range(0..3)];
                let trust = ["trust", "import"][rng.random_range(0..2)];
                match rng.random_range(0..9) {
                    8 => format!("{time} verified {it} relay:1 {room} {way}"),
                    0 => format!("{time} accepted {it} {trust}"),
                    1 => format!("{time} verified {it} {way}"),
                    2 => format!("{time} noted {it} \"{way}\""),
                    3 => format!("{time} noted {it} \"\""),
                    4 => format!("{time} room {room} relay:1 {room}"),
                    _ => format!("{time} {word} relay:1 {room} {nick} {it}"),
                }
            })
            .collect();
        let first = people(&lines);
        assert_eq!(first.damaged(), 0, "{lines:#?}");
        let text = first.lines();
        let mut again = AddressBook::default();
        again.read(text.as_bytes(), |_| panic!("{text}"));
        assert_eq!(again.lines(), text, "{seed}");
        assert!(again.old <= again.new, "{text}");
        for room in ["hall", "attic", "cellar"] {
            for nick in ["bob", "carol", "dave", "eve"] {
                for it in &fingerprints {
                    let of = |book: &AddressBook| {
                        let mut book = book.clone();
                        let here = book.place("relay:1", room);
                        let (nick, it) = (nick.parse().unwrap(), it.parse().unwrap());
                        let expected = book.expected(here, &nick).copied();
                        let mut rows = book.rows(it);
                        // Of one moment, nothing says what came first.
                        let count = rows.len();
                        for row in &mut rows {
                            *row = row.replace("first seen", "seen");
                        }
                        rows.sort();
                        let since = book.get(it).map(|person| person.since(here));
                        let person = (since, rows, count);
                        (book.standing(here, &nick, it), expected, person)
                    };
                    assert_eq!(of(&first), of(&again), "{seed}: {lines:#?}\n{text}");
                }
            }
        }
    }
}
