//! What the relay does with a message, without sockets: parsing it, checking it, and putting a
//! frame for each reader into a mailbox. And what it costs to write and to read a frame.
//!
//!     cargo bench --bench relay

#![allow(clippy::indexing_slicing, reason = "a benchmark may panic")]
#![allow(missing_docs, reason = "a benchmark is not a library")]
#![allow(unreachable_pub, reason = "a benchmark is not a library")]

mod common;

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use e2echat::cipher::keys::KeySize;
use e2echat::cipher::seal::Body;
use e2echat::room::card::{Card, Identity};
use e2echat::room::chain::{Claim, Link};
use e2echat::room::frame::{Frame, RelayLimits, RunId, ToRelay};
use e2echat::room::message::{Header, Kind, SealedMessage, Stream};
use e2echat::room::notice::Notice;
use e2echat::room::numbers::Ranges;
use e2echat::room::relay::{Intake, Mailbox, OutgoingFrame, RetentionBudget, Room};

const RUN: RunId = RunId([0; 16]);

/// A mailbox that counts the bytes that it gets, as the real one does, and keeps none.
#[derive(Clone, Default)]
struct Counting(Rc<Cell<usize>>);

impl Mailbox for Counting {
    fn post(&self, frame: OutgoingFrame) {
        self.0.set(self.0.get() + frame.len());
    }

    fn dismiss(&self, _: Notice) {}
}

/// A message of one block from the first of `cards` to all the others, as frames.
fn message(cards: &[Card], identity: &Identity) -> Vec<Frame> {
    let (sender, others) = cards.split_first().expect("a sender");
    let body = Body::new(Kind::Text.code(), "a usual line of chat").expect("a text");
    let header = Header {
        room: sender.room(),
        sender: sender.sid(),
        stream: Stream::Room,
        number: 0,
        time: 0,
        flags: 0,
        left_out: Vec::new(),
        claim: Claim {
            run: RUN,
            link: Link::start(RUN, sender.room(), 1),
            roster: [0; 32],
            unread: Ranges::default(),
        },
        commitment: body.commitment(),
    };
    let readers: Vec<_> = others
        .iter()
        .map(|card| (card.sid(), card.session()))
        .collect();
    SealedMessage::seal(&header, &body, &identity.key, &readers).frames()
}

/// A frame as it comes off the socket: type and fields.
fn received(frame: &Frame) -> Vec<u8> {
    frame.encode().split_off(4)
}

#[divan::bench(args = [10, 100, 1000])]
fn fan_out(bencher: Bencher, members: usize) {
    let identity = common::identity(KeySize::Bits2048);
    let cards = common::cards(&identity, members, KeySize::Bits2048);
    let limits = RelayLimits {
        members: u32::MAX,
        ..RelayLimits::default()
    };
    let start = Link::start(RUN, cards[0].room(), 0);
    let mut room = Room::new(start, &limits, 0);
    for card in &cards {
        room.join(card, &Counting::default())
            .expect("there is room");
    }
    let frames: Vec<Vec<u8>> = message(&cards, &identity).iter().map(received).collect();
    let pool = Arc::new(RetentionBudget::default());
    bencher
        .counter(ItemsCount::new(members - 1))
        .bench_local(|| {
            // A new message each time, as no number may come twice.
            let mut intake = Intake::new(&cards[0], RUN, 1, &limits);
            for frame in &frames {
                let request = intake.take(pool.take(black_box(frame).clone()));
                let request = request.expect("it is allowed");
                room.carry_out(&mut intake, &request).expect("it stays");
            }
        });
}

#[divan::bench(args = [1, 100])]
fn encode_send(bencher: Bencher, readers: usize) {
    let identity = common::identity(KeySize::Bits2048);
    let cards = common::cards(&identity, readers + 1, KeySize::Bits2048);
    let frames = message(&cards, &identity);
    bencher.bench(|| {
        black_box(&frames)
            .iter()
            .map(Frame::encode)
            .collect::<Vec<_>>()
    });
}

#[divan::bench(args = [1, 100])]
fn decode_send(bencher: Bencher, readers: usize) {
    let identity = common::identity(KeySize::Bits2048);
    let cards = common::cards(&identity, readers + 1, KeySize::Bits2048);
    let frames: Vec<Vec<u8>> = message(&cards, &identity).iter().map(received).collect();
    bencher.bench(|| {
        for frame in &frames {
            black_box(ToRelay::parse(frame).expect("it is a SEND frame"));
        }
    });
}

#[divan::bench]
fn parse_card(bencher: Bencher) {
    let identity = common::identity(KeySize::Bits2048);
    let cards = common::cards(&identity, 1, KeySize::Bits2048);
    bencher.bench(|| Card::parse(black_box(cards[0].bytes()), cards[0].room()));
}

fn main() {
    divan::main();
}
