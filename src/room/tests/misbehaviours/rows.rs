//! What was tried on an earlier version of the protocol, and nobody noticed, each by itself.

use std::time::Duration;

use crate::cipher::keys::quick;

use super::misbehaviour::Misbehaviour as M;
use super::oracle::{Alarm, Said};
use super::relay::{Put, What};
use super::script::{Act, Script, three};
use super::world::{World, identity, session_key};
use super::{honest, play};

const ADA: usize = 0;
const BOB: usize = 1;
const CARA: usize = 2;
const DORA: usize = 3;

/// A run in which nothing goes unnoticed.
fn noticed(script: &Script, misbehaviours: Vec<M>) -> World {
    quick::set(true);
    let honest = honest(script);
    let world = play(script, misbehaviours, &honest.puts);
    let wrong = world.judge(Some(&honest));
    assert!(wrong.is_empty(), "{wrong:#?}");
    world
}

fn has_alarm(world: &World, who: usize, kind: &str) -> bool {
    let mut alarms = world.members[&who].alarms.iter();
    alarms.any(|alarm| alarm.kind == kind)
}

/// The alarms of all members, but those that somebody's connection was lost.
fn alarms(world: &World) -> Vec<(usize, &Alarm)> {
    let members = world.members.iter();
    let alarms = members.flat_map(|(who, member)| member.alarms.iter().map(|alarm| (*who, alarm)));
    alarms.filter(|(_, alarm)| !alarm.is_weak).collect()
}

fn starve(from: usize, to: usize, since: u64) -> M {
    M::Starve {
        from,
        to,
        since,
        of_all: false,
    }
}

#[test]
fn dropped_messages_are_noticed_though_all_statements_are_dropped_and_something_signed_passes() {
    for (from, to, what, since) in [(ADA, BOB, What::Message, 25), (ADA, BOB, What::Direct, 38)] {
        let drop = M::DropOnce {
            from,
            to,
            what,
            since,
        };
        let world = noticed(&three(), vec![drop, starve(from, to, since)]);
        assert!(world.accuses(to, from, None) || world.accuses(from, to, None));
        let world = noticed(&three(), vec![drop, starve(to, from, since)]);
        assert!(world.accuses(to, from, None) || world.accuses(from, to, None));
    }
}

#[test]
fn a_split_of_the_roster_is_noticed_though_statements_are_dropped_besides() {
    let mut all = vec![M::DropOnce {
        from: CARA,
        to: ADA,
        what: What::Joined,
        since: 0,
    }];
    for other in [BOB, CARA] {
        all.extend([starve(other, ADA, 0), starve(ADA, other, 0)]);
    }
    let world = noticed(&three(), all);
    assert!(has_alarm(&world, ADA, "OtherView"), "{:?}", alarms(&world));
    assert!(has_alarm(&world, BOB, "OtherView"), "{:?}", alarms(&world));
}

#[test]
fn a_visit_that_is_played_seven_minutes_later_is_seen_for_what_it_is() {
    let script = vec![
        (5, ADA, Act::Join),
        (10, BOB, Act::Join),
        (20, BOB, Act::Say),
        (25, BOB, Act::SayTo(ADA)),
        (40, BOB, Act::Leave),
        (445, ADA, Act::Say),
    ];
    let visit = M::Visit {
        from: BOB,
        to: ADA,
        late: 420,
    };
    let world = noticed(&script, vec![visit]);
    assert!(world.accuses(ADA, BOB, None));
    let shown = world.members[&ADA].screen.iter();
    let mut of_bob = shown.filter(|message| world.said[message.number].author == BOB);
    assert!(of_bob.all(|message| message.is_late));
    let answers = world.said.iter().filter(|said| said.author == ADA);
    for answer in answers {
        assert!(answer.readers.values().all(|fate| !fate.is_confirmed));
    }
}

#[test]
fn who_has_left_is_not_shown_as_present_for_long_however_slowly_that_is_played() {
    for (to, since) in [(ADA, 60), (BOB, 200)] {
        let keep = M::KeepAlive {
            from: CARA,
            to,
            since,
        };
        let world = noticed(&three(), vec![keep]);
        let others = world.members[&to].session.others();
        assert!(
            others
                .iter()
                .all(|person| person.nick.as_str() != "cara" || !person.is_present)
        );
    }
}

#[test]
fn ones_own_entry_that_does_not_come_back_is_told_at_once() {
    quick::set(true);
    let honest = honest(&three());
    for (who, what) in [(ADA, What::Message), (BOB, What::Rekeyed)] {
        let is_it = |put: &&Put| put.is_own && put.to == who && put.what == what;
        let put = honest.puts.iter().find(is_it).unwrap();
        let drop = M::One(super::misbehaviour::Trick::Drop, put.number);
        let world = noticed(&three(), vec![drop]);
        let mut alarms = world.members[&who].alarms.iter();
        let told = alarms.find(|alarm| alarm.kind == "Swallowed").unwrap();
        assert!(told.at < put.at + Duration::from_secs(2));
    }
}

#[test]
fn a_yes_that_is_held_back_until_a_second_question_is_marked() {
    let script = vec![
        (5, ADA, Act::Join),
        (10, BOB, Act::Join),
        (30, ADA, Act::Say),
        (40, BOB, Act::Say),
        (50, ADA, Act::Say),
    ];
    let hold = M::HoldUp {
        who: BOB,
        since: 39,
        until: 55,
    };
    let world = noticed(&script, vec![hold]);
    let unseen: Vec<usize> = world.members[&ADA]
        .screen
        .iter()
        .map(|message| message.unseen)
        .collect();
    assert_eq!(unseen, [0, 0, 1], "the yes comes last");
}

#[test]
fn what_all_have_forgotten_or_not_divides_nobody() {
    use Act::{Cut, Join, Leave, Say};
    let script = vec![
        (5, ADA, Join),
        (10, BOB, Join),
        (20, CARA, Join),
        (30, CARA, Say),
        (40, BOB, Cut(130)),
        (50, CARA, Leave),
        (250, ADA, Say),
        (252, DORA, Say),
        (400, ADA, Say),
        (402, DORA, Say),
        (404, BOB, Say),
    ];
    quick::set(true);
    // The relay is restarted, and does not remember who was there; nor does Bob, who was not.
    let mut world = World::new(
        &script,
        super::Misbehaviours::new(vec![M::Restart { at: 300 }], &[]),
    );
    world.run(Duration::from_mins(1));
    // Somebody else's program, or one and the same, has the session key of one who has left.
    world.join(DORA, identity(DORA), session_key(CARA), "dora");
    world.run(Duration::from_secs(404 + 420));
    assert_eq!(alarms(&world), []);
    // Bob was not there when Cara said goodbye, and so he expects her back.
    let is_for_cara = |said: &&Said| said.readers.contains_key(&CARA);
    let for_cara = world.said.iter().filter(is_for_cara);
    let authors: Vec<usize> = for_cara.map(|said| said.author).collect();
    assert_eq!(authors, [BOB]);
    for said in &world.said[1..] {
        for (reader, fate) in &said.readers {
            let is_gone = *reader == CARA;
            assert_eq!(fate.is_confirmed, !is_gone, "{reader}: {}", said.text);
            assert_eq!(fate.is_told, is_gone, "{reader}: {}", said.text);
        }
    }
    assert_eq!(world.judge(None), Vec::<String>::new());
}

#[test]
fn more_members_than_the_relay_has_promised_are_the_end() {
    quick::set(true);
    let script = (0..4)
        .map(|who| (10 * (who as u64 + 1), who, Act::Join))
        .collect();
    let mut world = World::new(&script, super::Misbehaviours::default());
    world.promised_members = 3;
    world.run(Duration::from_secs(39));
    assert_eq!(alarms(&world), []);
    world.run(Duration::from_secs(50));
    for who in [ADA, BOB, CARA, DORA] {
        assert!(has_alarm(&world, who, "End::Malformed"), "{who}");
    }
}

#[test]
fn a_race_for_a_nick_is_won_by_one_and_divides_nobody() {
    use Act::{Join, Rename, Say};
    let script = vec![
        (5, ADA, Join),
        (10, BOB, Join),
        (20, CARA, Join),
        (40, BOB, Rename("zed")),
        (40, CARA, Rename("zed")),
        (40, ADA, Say),
        (41, BOB, Say),
        (42, CARA, Say),
        (300, CARA, Say),
    ];
    quick::set(true);
    let world = honest(&script);
    assert_eq!(alarms(&world), []);
    let nicks = |who| {
        world.members[&who]
            .session
            .card()
            .nick()
            .as_str()
            .to_owned()
    };
    assert_eq!([BOB, CARA].map(nicks), ["zed", "cara"]);
    for said in &world.said {
        assert!(
            said.readers.values().all(|fate| fate.is_confirmed),
            "{}",
            said.text
        );
    }
    assert_eq!(world.judge(None), Vec::<String>::new());
}
