//! Members that hand on what nobody wrote, or what they may not: what each member sees of it, event by event
//! (PROTOCOL §5, Handing on).

use std::collections::HashSet;
use std::slice;

use e2echat::cipher::keys::{KeySize, SessionKey};
use e2echat::cipher::seal::Body;
use e2echat::room::card::{Card, SessionId};
use e2echat::room::chain::Claim;
use e2echat::room::content::{Bundle, Share, Unproven};
use e2echat::room::frame::Departure;
use e2echat::room::handed::Refusal;
use e2echat::room::message::{Header, Kind, LeftOutFor, OpenError, Stream};
use e2echat::room::names::RoomName;
use e2echat::room::session::{Author, Event, Handed, SharedWith};
use e2echat::room::statement::Occasion;
use e2echat::room::text::SafeText;

use crate::handing_on::{share_over, shares};
use crate::support::peer::lobby;
use crate::support::world::{Insider, Member, World, catch_up, left, nick_of, said, three};

/// Mallory, who hands on what the test wants to Bob, and Eve, who has written it and has gone.
struct Scene {
    world: World,
    ada: Member,
    bob: Member,
    mallory: Insider,
    eve: Insider,
    /// The numbers of Mallory's next messages: to the room, and to Bob.
    room: u64,
    direct: u64,
}

fn scene() -> Scene {
    let (mut world, ada, bob, mut carol) = three();
    world.leave(&mut carol);
    let mallory = world.enter_insider("mallory");
    let mut scene = Scene {
        world,
        ada,
        bob,
        mallory,
        eve: Insider::new("eve"),
        room: 0,
        direct: 0,
    };
    catch_up(&mut scene.ada);
    catch_up(&mut scene.bob);
    scene
}

/// What an author wrote, as whoever has read it can hand it on.
fn copy(author: &Insider, (header, body): (Header, Body)) -> Unproven {
    let header = header.encode();
    Unproven {
        signature: author.identity.key.sign(&header),
        header,
        nonce: *body.nonce(),
        kind: body.kind(),
        text: body.into_content(),
    }
}

fn bundle(authors: &[&Card], messages: &[Unproven]) -> Bundle {
    Bundle {
        cards: authors.iter().map(|card| card.bytes().to_vec()).collect(),
        messages: messages.to_vec(),
    }
}

/// The alarm that so much of what Mallory hands on is not shown.
fn refused(reason: Refusal, count: u32) -> Event {
    Event::NotHandedOn {
        by: nick_of("mallory"),
        reason,
        count,
    }
}

/// The event that Mallory hands on what an author wrote when a world began.
fn handed(author: &Card, text: &str) -> Event {
    Event::HandedOn(Handed {
        by: nick_of("mallory"),
        author: Author {
            nick: author.nick().clone(),
            fingerprint: author.fingerprint(),
            is_lasting: true,
        },
        kind: Kind::Text,
        text: SafeText::new(text),
        time: 2000,
    })
}

impl Scene {
    /// What Eve wrote to the room, with this number.
    fn wrote(&self, number: u64, text: &str) -> Unproven {
        copy(&self.eve, self.eve.compose(&self.world, number, text))
    }

    /// What Eve wrote, but for what the test changes in its header before she signs it.
    fn wrote_otherwise(&self, change: impl FnOnce(&mut Header)) -> Unproven {
        let (mut header, body) = self.eve.compose(&self.world, 0, "hello");
        change(&mut header);
        copy(&self.eve, (header, body))
    }

    /// Mallory sends Bob something of this kind, to the room or to him alone. Returns what he sees.
    fn send(&mut self, kind: u8, content: Vec<u8>, is_direct: bool) -> Vec<Event> {
        self.send_with(kind, content, is_direct, None)
    }

    /// The same, with a claim that may be another one than that of somebody who has seen all.
    fn send_with(
        &mut self,
        kind: u8,
        content: Vec<u8>,
        is_direct: bool,
        claim: Option<Claim>,
    ) -> Vec<Event> {
        let body = Body::new(kind, content).expect("not too long");
        let (mut header, _) = self.mallory.compose(&self.world, self.room, "words");
        header.commitment = body.commitment();
        if let Some(claim) = claim {
            header.claim = claim;
        }
        if is_direct {
            header.stream = Stream::Direct(self.bob.sid());
            header.number = self.direct;
            self.direct += 1;
        } else {
            self.room += 1;
        }
        let readers = [&self.bob];
        self.world
            .publish(&mut self.mallory, &header, &body, &readers);
        catch_up(&mut self.bob)
    }

    /// Mallory tells the room that it hands so much on to this member.
    fn announce(&mut self, reader: SessionId, count: u32) -> Vec<Event> {
        let share = Share { reader, count };
        self.send(Share::CODE, share.encode(), false)
    }

    fn hand(&mut self, bundle: &Bundle) -> Vec<Event> {
        self.send(Bundle::CODE, bundle.encode(), true)
    }

    /// Mallory announces one message to Bob, and hands it on.
    fn hand_one(&mut self, authors: &[&Card], message: Unproven) -> Vec<Event> {
        let announced = self.announce(self.bob.sid(), 1);
        assert_eq!(announced, [shares("mallory", SharedWith::Me, 1)]);
        self.hand(&bundle(authors, &[message]))
    }

    /// Bob sees nothing of one message but that it is not shown, for this reason.
    #[track_caller]
    fn assert_refused(&mut self, authors: &[&Card], message: Unproven, reason: Refusal) {
        let seen = self.hand_one(authors, message);
        let expected = [refused(reason, 1), share_over("mallory", 0, 0, 1)];
        assert_eq!(seen, expected);
    }
}

#[test]
fn a_header_that_nobody_signed_and_a_signature_of_somebody_else() {
    let mut scene = scene();
    let eve = scene.eve.card.clone();
    let mut forged = scene.wrote(0, "hello");
    let mut header = Header::parse(&forged.header).unwrap();
    header.time += 1;
    forged.header = header.encode();
    scene.assert_refused(&[&eve], forged, Refusal::Signature);
    let by_mallory = scene.eve.compose(&scene.world, 0, "hello");
    let by_mallory = copy(&scene.mallory, by_mallory);
    scene.assert_refused(&[&eve], by_mallory, Refusal::Signature);
    let mut garbage = scene.wrote(0, "hello");
    garbage.header.truncate(100);
    scene.assert_refused(&[&eve], garbage, Refusal::Malformed);
    let good = scene.wrote(0, "hello");
    let seen = scene.hand_one(&[&eve], good);
    let over = share_over("mallory", 1, 0, 0);
    assert_eq!(seen, [handed(&eve, "hello"), over]);
}

#[test]
fn an_opening_that_does_not_fit_and_words_that_are_none() {
    let mut scene = scene();
    let eve = scene.eve.card.clone();
    let changes: [fn(&mut Unproven); 3] = [
        |it| it.text = b"hello!".to_vec(),
        |it| it.nonce[0] ^= 1,
        |it| it.kind = Kind::Action.code(),
    ];
    for change in changes {
        let mut message = scene.wrote(0, "hello");
        change(&mut message);
        scene.assert_refused(&[&eve], message, Refusal::Commitment);
    }
    let changes: [fn(&mut Unproven); 5] = [
        |it| it.text.clear(),
        |it| it.text = vec![b'x'; 4097],
        |it| it.text = vec![0xff],
        |it| it.kind = Kind::Away.code(),
        |it| it.kind = Share::CODE,
    ];
    for change in changes {
        let mut message = scene.wrote(0, "hello");
        change(&mut message);
        scene.assert_refused(&[&eve], message, Refusal::Malformed);
    }
}

#[test]
fn another_rooms_message_a_direct_one_and_what_its_author_keeps_from_others() {
    let mut scene = scene();
    let eve = scene.eve.card.clone();
    let bob = scene.bob.sid();
    let elsewhere = "elsewhere".parse::<RoomName>().unwrap().id();
    let left_out = vec![(bob, LeftOutFor::NotKnown)];
    let cases = [
        (
            Refusal::Room,
            scene.wrote_otherwise(|header| header.room = elsewhere),
        ),
        (
            Refusal::Direct,
            scene.wrote_otherwise(|header| header.stream = Stream::Direct(bob)),
        ),
        (
            Refusal::Forbidden,
            scene.wrote_otherwise(|header| header.flags = 1),
        ),
        (
            Refusal::Forbidden,
            scene.wrote_otherwise(|header| header.flags = 0xff),
        ),
        (
            Refusal::LeavesOut,
            scene.wrote_otherwise(|header| header.left_out = left_out),
        ),
    ];
    for (reason, message) in cases {
        scene.assert_refused(&[&eve], message, reason);
    }
    // The other flags mean nothing, and it matters to nobody who else is left out.
    let ada = scene.ada.sid();
    let message = scene.wrote_otherwise(|header| {
        header.flags = 0xfe;
        header.left_out = vec![(ada, LeftOutFor::NotKnown)];
    });
    let seen = scene.hand_one(&[&eve], message);
    let over = share_over("mallory", 1, 0, 0);
    assert_eq!(seen, [handed(&eve, "hello"), over]);
}

#[test]
fn what_left_somebody_out_before_it_changed_its_session_key() {
    let mut scene = scene();
    let eve = scene.eve.card.clone();
    let before = scene.bob.sid();
    scene.world.rekey(&mut scene.bob);
    catch_up(&mut scene.bob);
    assert_ne!(scene.bob.sid(), before);
    let message = scene.wrote_otherwise(|header| {
        header.left_out = vec![(before, LeftOutFor::NotVerified)];
    });
    scene.assert_refused(&[&eve], message, Refusal::LeavesOut);
}

#[test]
fn a_card_that_is_missing_or_wrong() {
    let mut scene = scene();
    let eve = scene.eve.card.clone();
    let message = scene.wrote(0, "hello");
    let others = [scene.mallory.card.clone(), scene.ada.session.card().clone()];
    scene.assert_refused(&[], message.clone(), Refusal::Card);
    scene.assert_refused(&[&others[0], &others[1]], message.clone(), Refusal::Card);
    // Mallory's card says that hers was its own before: it is not taken for hers.
    let key = SessionKey::generate(KeySize::Bits2048);
    let (nick, mallory) = (nick_of("eve"), &scene.mallory.identity);
    let key = key.public();
    let thief = eve.issue_successor(&lobby().key(), mallory, &nick, key, 0, 0);
    scene.assert_refused(&[&thief], message.clone(), Refusal::Signature);
    let seen = scene.hand_one(&[&thief, &eve], message);
    let over = share_over("mallory", 1, 0, 0);
    assert_eq!(seen, [handed(&eve, "hello"), over]);
    // Somebody who does not know the name of the room has never written in it.
    scene.eve = Insider::without_the_name("eve");
    let eve = scene.eve.card.clone();
    let message = scene.wrote(0, "hello");
    scene.assert_refused(&[&eve], message, Refusal::Card);
}

#[test]
fn an_author_who_is_somebody_else_now_is_shown_as_who_it_was() {
    let mut scene = scene();
    let before = scene.eve.card.clone();
    let message = scene.wrote(0, "hello");
    let now = scene.world.enter_insider("eve");
    assert_eq!(catch_up(&mut scene.bob).len(), 1, "she joins");
    assert_ne!(now.card.fingerprint(), before.fingerprint());
    let seen = scene.hand_one(&[&now.card, &before], message.clone());
    let over = share_over("mallory", 1, 0, 0);
    assert_eq!(seen, [handed(&before, "hello"), over]);
    scene.assert_refused(&[&now.card], message, Refusal::Card);
}

#[test]
fn more_than_the_room_was_told_and_to_somebody_else_than_it_was_told() {
    let mut scene = scene();
    let eve = scene.eve.card.clone();
    let messages: Vec<Unproven> = (0..4).map(|number| scene.wrote(number, "hello")).collect();
    let all = bundle(&[&eve], &messages);
    assert_eq!(scene.hand(&all), [refused(Refusal::Unannounced, 4)]);
    let ada = scene.ada.sid();
    let to_ada = shares("mallory", SharedWith::Other(nick_of("ada")), 4);
    assert_eq!(scene.announce(ada, 4), [to_ada]);
    assert_eq!(scene.hand(&all), [refused(Refusal::Unannounced, 4)]);
    let gone = scene.eve.card.sid();
    let to_nobody = shares("mallory", SharedWith::SomebodyGone, 4);
    assert_eq!(scene.announce(gone, 4), [to_nobody]);
    assert_eq!(scene.hand(&all), [refused(Refusal::Unannounced, 4)]);
    let to_me = |count| shares("mallory", SharedWith::Me, count);
    let bob = scene.bob.sid();
    assert_eq!(scene.announce(bob, 2), [to_me(2)]);
    let expected = [
        handed(&eve, "hello"),
        handed(&eve, "hello"),
        refused(Refusal::Unannounced, 2),
        share_over("mallory", 2, 0, 0),
    ];
    assert_eq!(scene.hand(&all), expected);
    assert_eq!(scene.hand(&all), [refused(Refusal::Unannounced, 4)]);
    // Announcements do not add up: the latest counts.
    assert_eq!(scene.announce(bob, 1000), [to_me(1000)]);
    let over = Event::ShareOver {
        by: nick_of("mallory"),
        shown: 0,
        had: 0,
        ignored: 0,
        refused: 0,
        missing: 1000,
    };
    assert_eq!(scene.announce(bob, 1), [over, to_me(1)]);
    let expected = [
        refused(Refusal::Unannounced, 3),
        share_over("mallory", 0, 1, 0),
    ];
    assert_eq!(scene.hand(&all), expected);
}

#[test]
fn ten_thousand_messages() {
    let mut scene = scene();
    let eve = scene.eve.card.clone();
    let bob = scene.bob.sid();
    let unopened = Event::Unopened(nick_of("mallory"), OpenError::CannotOpen);
    assert_eq!(scene.announce(bob, 10_000), [unopened]);
    assert_eq!(scene.announce(bob, 1000).len(), 1);
    let empty = Unproven {
        header: Vec::new(),
        signature: Vec::new(),
        nonce: [0; 16],
        kind: 0,
        text: Vec::new(),
    };
    let most = bundle(&[], &vec![empty; 400]);
    let malformed = |count| refused(Refusal::Malformed, count);
    assert_eq!(scene.hand(&most), [malformed(400)]);
    assert_eq!(scene.hand(&most), [malformed(400)]);
    let expected = [
        malformed(200),
        refused(Refusal::Unannounced, 200),
        share_over("mallory", 0, 0, 1000),
    ];
    assert_eq!(scene.hand(&most), expected);
    for _ in 0..22 {
        let refused = refused(Refusal::Unannounced, 400);
        assert_eq!(scene.hand(&most), [refused], "no work is done for it");
    }
    let good = scene.wrote(0, "hello");
    let seen = scene.hand_one(&[&eve], good);
    let over = share_over("mallory", 1, 0, 0);
    assert_eq!(seen, [handed(&eve, "hello"), over]);
}

#[test]
fn the_same_message_twice() {
    let mut scene = scene();
    let eve = scene.eve.card.clone();
    let (one, two) = (scene.wrote(0, "one"), scene.wrote(1, "two"));
    let bob = scene.bob.sid();
    assert_eq!(scene.announce(bob, 3).len(), 1);
    let twice = bundle(&[&eve], &[one.clone(), one.clone(), two.clone()]);
    let expected = [
        handed(&eve, "one"),
        handed(&eve, "two"),
        refused(Refusal::Order, 1),
        share_over("mallory", 2, 0, 1),
    ];
    assert_eq!(scene.hand(&twice), expected);
    assert_eq!(scene.announce(bob, 2).len(), 1);
    let again = bundle(&[&eve], &[one, two]);
    assert_eq!(scene.hand(&again), [share_over("mallory", 0, 2, 0)]);
}

#[test]
fn an_authors_messages_in_another_order() {
    let mut scene = scene();
    let eve = scene.eve.card.clone();
    let (yes, no) = (scene.wrote(4, "yes"), scene.wrote(5, "no"));
    let bob = scene.bob.sid();
    assert_eq!(scene.announce(bob, 2).len(), 1);
    // Not even over two bundles.
    let seen = scene.hand(&bundle(&[&eve], &[no]));
    assert_eq!(seen, [handed(&eve, "no")]);
    let seen = scene.hand(&bundle(&[&eve], &[yes]));
    let over = share_over("mallory", 1, 0, 1);
    assert_eq!(seen, [refused(Refusal::Order, 1), over]);
}

#[test]
fn an_author_who_says_one_thing_to_the_room_and_another_through_somebody_else() {
    let mut scene = scene();
    scene.world.admit_insider(&mut scene.eve);
    catch_up(&mut scene.bob);
    let (header, body) = scene.eve.compose(&scene.world, 0, "yes");
    let readers = [&scene.bob];
    scene
        .world
        .publish(&mut scene.eve, &header, &body, &readers);
    assert_eq!(catch_up(&mut scene.bob), [said("eve", "yes")]);
    let eve = scene.eve.card.clone();
    let no = scene.wrote(0, "no");
    let expected = [
        Event::Equivocation(nick_of("eve")),
        share_over("mallory", 0, 0, 1),
    ];
    assert_eq!(scene.hand_one(&[&eve], no), expected);
    // Who has that nick later is not blamed.
    scene.world.lose_insider(&scene.eve);
    let another = scene.world.enter_insider("eve");
    catch_up(&mut scene.bob);
    let maybe = scene.wrote(0, "maybe");
    scene.assert_refused(&[&eve], maybe, Refusal::Equivocal);
    scene.world.lose_insider(&another);
    scene.world.admit_insider(&mut scene.eve);
    catch_up(&mut scene.bob);
    // What Bob has had is not shown again, and no number is taken by what is handed on.
    let yes = copy(&scene.eve, (header, body));
    let seen = scene.hand_one(&[&eve], yes);
    assert_eq!(seen, [share_over("mallory", 0, 1, 0)]);
    let later = scene.wrote(7, "later");
    let seen = scene.hand_one(&[&eve], later);
    let over = share_over("mallory", 1, 0, 0);
    assert_eq!(seen, [handed(&eve, "later"), over]);
    let (header, body) = scene.eve.compose(&scene.world, 1, "next");
    let readers = [&scene.bob];
    scene
        .world
        .publish(&mut scene.eve, &header, &body, &readers);
    assert_eq!(catch_up(&mut scene.bob), [said("eve", "next")]);
}

#[test]
fn a_share_to_one_alone_a_bundle_to_all_and_what_has_another_form() {
    let mut scene = scene();
    let eve = scene.eve.card.clone();
    let bob = scene.bob.sid();
    let share = Share {
        reader: bob,
        count: 1,
    };
    let share = share.encode();
    let good = bundle(&[&eve], &[scene.wrote(0, "hello")]).encode();
    let cases = [
        (Share::CODE, share.clone(), true),
        (Bundle::CODE, good.clone(), false),
        (Kind::CatchUp.code(), b"catch up".to_vec(), true),
        (Kind::CatchUp.code(), vec![0xff], false),
        (Kind::Text.code(), vec![b'x'; 4097], false),
        (Share::CODE, share[..35].to_vec(), false),
        (Share::CODE, [&share[..], &[0]].concat(), false),
        (Bundle::CODE, good[..good.len() - 1].to_vec(), true),
        (Bundle::CODE, [&good[..], &[0]].concat(), true),
        (Bundle::CODE, Bundle::default().encode(), true),
    ];
    let unopened = Event::Unopened(nick_of("mallory"), OpenError::CannotOpen);
    for (kind, content, is_direct) in cases {
        let seen = scene.send(kind, content, is_direct);
        assert_eq!(seen, slice::from_ref(&unopened), "{kind}");
    }
}

#[test]
fn what_somebody_hands_on_who_is_ignored_is_shown_when_another_one_does() {
    let mut scene = scene();
    let eve = scene.eve.card.clone();
    let message = scene.wrote(0, "hello");
    let mallory = HashSet::from([scene.mallory.card.fingerprint()]);
    let bob = scene.bob.sid();
    let announced = shares("mallory", SharedWith::Me, 1);
    // Ignored before it is announced, and after that.
    scene.bob.session.set_ignored(mallory.clone());
    assert_eq!(scene.announce(bob, 1), []);
    assert_eq!(scene.hand(&bundle(&[&eve], slice::from_ref(&message))), []);
    scene.bob.session.set_ignored(HashSet::new());
    assert_eq!(scene.announce(bob, 1), slice::from_ref(&announced));
    scene.bob.session.set_ignored(mallory);
    assert_eq!(scene.hand(&bundle(&[&eve], slice::from_ref(&message))), []);
    // Nothing is told of the end of what is not shown.
    scene.bob.session.set_ignored(HashSet::new());
    assert_eq!(scene.announce(bob, 1), [announced]);
    let seen = scene.hand(&bundle(&[&eve], &[message]));
    assert_eq!(
        seen,
        [handed(&eve, "hello"), share_over("mallory", 1, 0, 0)]
    );
}

#[test]
fn what_is_handed_on_of_somebody_who_is_ignored_is_shown_when_it_is_handed_on_later() {
    let mut scene = scene();
    let eve = scene.eve.card.clone();
    let message = scene.wrote(0, "hello");
    let bob = scene.bob.sid();
    scene
        .bob
        .session
        .set_ignored(HashSet::from([eve.fingerprint()]));
    let over = Event::ShareOver {
        by: nick_of("mallory"),
        shown: 0,
        had: 0,
        ignored: 1,
        refused: 0,
        missing: 0,
    };
    assert_eq!(scene.announce(bob, 1).len(), 1);
    let seen = scene.hand(&bundle(&[&eve], slice::from_ref(&message)));
    assert_eq!(seen, [over]);
    scene.bob.session.set_ignored(HashSet::new());
    assert_eq!(scene.announce(bob, 1).len(), 1);
    let seen = scene.hand(&bundle(&[&eve], &[message]));
    assert_eq!(
        seen,
        [handed(&eve, "hello"), share_over("mallory", 1, 0, 0)]
    );
}

#[test]
fn who_hands_on_and_says_goodbye_is_told_to_have_handed_on_less() {
    let mut scene = scene();
    let eve = scene.eve.card.clone();
    let bob = scene.bob.sid();
    assert_eq!(scene.announce(bob, 3).len(), 1);
    let one = bundle(&[&eve], &[scene.wrote(0, "one")]);
    assert_eq!(scene.hand(&one), [handed(&eve, "one")]);
    let goodbye = scene.mallory.statement(&scene.world, Occasion::Goodbye);
    let goodbye = scene.mallory.state(&goodbye);
    scene.world.pass_on_from(&mut scene.mallory, vec![goodbye]);
    let over = Event::ShareOver {
        by: nick_of("mallory"),
        shown: 1,
        had: 0,
        ignored: 0,
        refused: 0,
        missing: 2,
    };
    let seen = catch_up(&mut scene.bob);
    assert_eq!(seen, [over, left("mallory", Departure::Left)]);
}

#[test]
fn who_hands_on_and_goes_leaves_nothing_behind() {
    let mut scene = scene();
    let eve = scene.eve.card.clone();
    let bob = scene.bob.sid();
    assert_eq!(scene.announce(bob, 5).len(), 1);
    let one = bundle(&[&eve], &[scene.wrote(0, "one")]);
    assert_eq!(scene.hand(&one), [handed(&eve, "one")]);
    scene.world.lose_insider(&scene.mallory);
    catch_up(&mut scene.bob);
    // Somebody else has that nick now, and has announced nothing.
    scene.mallory = scene.world.enter_insider("mallory");
    catch_up(&mut scene.bob);
    (scene.room, scene.direct) = (0, 0);
    let two = bundle(&[&eve], &[scene.wrote(1, "two")]);
    assert_eq!(scene.hand(&two), [refused(Refusal::Unannounced, 1)]);
}

#[test]
fn what_was_announced_before_somebody_entered_anew_is_over() {
    let mut scene = scene();
    let eve = scene.eve.card.clone();
    let bob = scene.bob.sid();
    let message = scene.wrote(0, "hello");
    // Mallory has signed both before, and the relay brings them when Bob is back.
    let claim = scene.world.claim();
    scene.world.lose(&scene.bob);
    scene.world.enter_again(&mut scene.bob).unwrap();
    catch_up(&mut scene.bob);
    let share = Share {
        reader: bob,
        count: 1,
    };
    let one = bundle(&[&eve], slice::from_ref(&message));
    let contents = [
        (Share::CODE, share.encode(), false),
        (Bundle::CODE, one.encode(), true),
    ];
    for (kind, content, is_direct) in contents {
        let seen = scene.send_with(kind, content, is_direct, Some(claim.clone()));
        assert_eq!(seen, [], "{kind}");
    }
    let seen = scene.hand_one(&[&eve], message);
    assert_eq!(
        seen,
        [handed(&eve, "hello"), share_over("mallory", 1, 0, 0)]
    );
}
