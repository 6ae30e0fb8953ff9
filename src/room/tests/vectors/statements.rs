//! Statements, and what people compare and hand on: the families `statement`, `comparison` and
//! `invite`.

use crate::cipher::encoding::Digest;
use crate::room::card::SessionId;
use crate::room::comparison::{pair_code, room_code};
use crate::room::frame::RunId;
use crate::room::names::{NameError, RoomId, RoomName};
use crate::room::statement::{DirectEntry, Occasion, PastEntry, Statement, ToldEntry};

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
    let sids = |field| vector.arrays(field).into_iter().map(SessionId);
    let digests = |field| -> Vec<Digest> { vector.arrays(field) };
    let numbers = |field| vector.all(field).map(|number| number.parse().unwrap());
    let told = sids("reader").zip(numbers("total"));
    let streams = sids("from").zip(sids("to")).zip(numbers("direct_next"));
    let past = numbers("past_epoch").zip(numbers("past_seen"));
    Statement {
        room: RoomId(vector.array("room")),
        sender: SessionId(vector.array("sender")),
        run: RunId(vector.array("run")),
        epoch: vector.number("epoch"),
        roster: vector.array("roster"),
        seen: vector.number("seen"),
        parent: vector.array("parent"),
        time: vector.number("time"),
        occasion: match vector.get("occasion") {
            "0" => Occasion::Beacon,
            _ => Occasion::Leave,
        },
        next: vector.number("next"),
        told: told
            .map(|(reader, total)| ToldEntry { reader, total })
            .collect(),
        direct: streams
            .map(|((from, to), next)| DirectEntry { from, to, next })
            .collect(),
        past: past
            .zip(digests("past_parent"))
            .map(|((epoch, seen), parent)| PastEntry {
                epoch,
                seen,
                parent,
            })
            .collect(),
        unread: digests("unread"),
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
