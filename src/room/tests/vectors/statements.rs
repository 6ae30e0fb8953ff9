//! Statements, and what people compare and hand on: the families `statement`, `comparison` and
//! `invite`.

use crate::room::card::SessionId;
use crate::room::comparison::{pair_code, room_code};
use crate::room::names::{NameError, RoomId, RoomName};
use crate::room::numbers::Had;
use crate::room::statement::{Occasion, Purpose, Receipt, Statement};

use super::{Vector, family, key_called};

#[test]
fn statements() {
    for vector in family("statement") {
        let name = &vector.name;
        let bytes = vector.bytes("statement");
        let Ok(statement) = Statement::parse(&bytes) else {
            vector.expect("malformed");
            continue;
        };
        vector.expect("parses");
        assert_eq!(statement, expected(&vector), "{name}");
        assert_eq!(statement.encode(), bytes, "{name}");
    }
}

fn expected(vector: &Vector) -> Statement {
    let stream = vector.bytes("stream");
    let purpose = if stream.is_empty() {
        Purpose::ToAll(match vector.number("occasion") {
            0 => Occasion::Beacon,
            1 => Occasion::Goodbye,
            code => Occasion::Unknown(code),
        })
    } else {
        assert_eq!(vector.get("occasion"), "0", "{}", vector.name);
        let has_room = vector.all("room_next").next().is_some();
        let receipt = Receipt {
            direct: had(vector, "direct"),
            room: has_room.then(|| had(vector, "room")),
        };
        Purpose::Receipt(SessionId(vector.to_array("stream", &stream)), receipt)
    };
    Statement {
        room: RoomId(vector.array("room")),
        sender: SessionId(vector.array("sender")),
        time: vector.number("time"),
        next: vector.number("next"),
        claim: vector.claim(),
        purpose,
    }
}

fn had(vector: &Vector, of: &str) -> Had {
    let ranges = |field: &str| vector.ranges(&format!("{of}_{field}"));
    Had {
        next: vector.number(&format!("{of}_next")),
        missing: ranges("missing"),
        unopened: ranges("unopened"),
    }
}

#[test]
fn comparisons() {
    for vector in family("comparison") {
        let name = &vector.name;
        let identities = vector.all("identity").map(key_called);
        let people: Vec<_> = identities.map(|key| key.public().fingerprint()).collect();
        if let Some(digits) = vector.all("pair").next() {
            assert_eq!(pair_code(people[0], people[1]), digits, "{name}");
        } else {
            assert_eq!(room_code(people), vector.get("code"), "{name}");
        }
    }
}

#[test]
fn invites() {
    for vector in family("invite") {
        let name = &vector.name;
        match vector.get("name").parse::<RoomName>() {
            Ok(room) if room.is_invite() => {
                vector.expect("invite");
                assert_eq!(room.to_string(), vector.get("invite"), "{name}");
            }
            Ok(_) => vector.expect("name"),
            Err(NameError::Mistyped) => vector.expect("mistyped"),
            Err(error) => panic!("{name}: {error}"),
        }
    }
}
