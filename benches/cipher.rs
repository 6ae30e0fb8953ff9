//! What costs a member processor time: keys, signatures, sealing, opening.
//!
//! Sealing for n readers should cost one `sign` and n encryptions divided by the number of cores.
//! One encryption is what `seal` for 1 reader takes beyond `sign`.
//!
//!     cargo bench --bench cipher

#![allow(missing_docs, reason = "a benchmark is not a library")]
#![allow(unreachable_pub, reason = "a benchmark is not a library")]

mod common;

use divan::{Bencher, black_box};
use e2echat::cipher::keys::{KeySize, SessionKey};
use e2echat::cipher::seal::Body;
use e2echat::room::card::SessionId;
use e2echat::room::chain::{Claim, Link};
use e2echat::room::frame::RunId;
use e2echat::room::message::{Header, Kind, SealedMessage, Stream, open, verify};
use e2echat::room::numbers::Ranges;

/// The longest text that fits into this many blocks of a 2048-bit key, which hold 190 bytes each;
/// 17 of them are the nonce and the kind.
fn text_of(blocks: usize) -> String {
    "x".repeat(blocks * 190 - 17)
}

fn header(body: &Body) -> Header {
    let (run, room) = (RunId([2; 16]), common::room().id());
    Header {
        room,
        sender: SessionId([1; 32]),
        stream: Stream::Room,
        number: 4,
        time: 5,
        flags: 0,
        left_out: Vec::new(),
        claim: Claim {
            run,
            link: Link::start(run, room, 3),
            roster: [6; 32],
            unread: Ranges::default(),
        },
        commitment: body.commitment(),
    }
}

fn body(blocks: usize) -> Body {
    Body::new(Kind::Text.code(), text_of(blocks)).expect("a text that is short enough")
}

/// The lengths of keys that are offered.
const BITS: [&str; 3] = ["2048", "3072", "4096"];

fn size(bits: &str) -> KeySize {
    bits.parse().expect("a size that is offered")
}

#[divan::bench(args = BITS, sample_count = 30)]
fn generate_key(bits: &str) -> SessionKey {
    SessionKey::generate(size(bits))
}

#[divan::bench(args = BITS)]
fn sign(bencher: Bencher, bits: &str) {
    let identity = common::identity(size(bits));
    let header = header(&body(1)).encode();
    bencher.bench(|| identity.key.sign(black_box(&header)));
}

#[divan::bench(args = [1, 10, 100, 1000])]
fn seal(bencher: Bencher, readers: usize) {
    seal_for(bencher, readers, KeySize::Bits2048);
}

#[divan::bench(args = BITS)]
fn seal_for_100(bencher: Bencher, bits: &str) {
    seal_for(bencher, 100, size(bits));
}

/// Seals under keys of one length all.
fn seal_for(bencher: Bencher, readers: usize, bits: KeySize) {
    let identity = common::identity(bits);
    let cards = common::cards(&identity, readers, bits);
    let readers: Vec<_> = cards
        .iter()
        .map(|card| (card.sid(), card.session()))
        .collect();
    let body = body(1);
    let header = header(&body);
    bencher.bench(|| SealedMessage::seal(&header, &body, &identity.key, black_box(&readers)));
}

#[divan::bench(args = BITS)]
fn verify_signature(bencher: Bencher, bits: &str) {
    let identity = common::identity(size(bits));
    let header = header(&body(1)).encode();
    let signature = identity.key.sign(&header);
    bencher.bench(|| verify(black_box(&header), &signature, identity.key.public()));
}

#[divan::bench(args = [1, 20])]
fn open_blocks(bencher: Bencher, blocks: usize) {
    open_with(bencher, blocks, KeySize::Bits2048);
}

#[divan::bench(args = BITS)]
fn open_block(bencher: Bencher, bits: &str) {
    open_with(bencher, 1, size(bits));
}

/// Opens a text of so many blocks of a key of 2048 bits.
fn open_with(bencher: Bencher, blocks: usize, bits: KeySize) {
    let identity = common::identity(KeySize::Bits2048);
    let key = SessionKey::generate(bits);
    let reader = SessionId([9; 32]);
    let body = body(blocks);
    let header = header(&body);
    let readers = [(reader, key.public())];
    let message = SealedMessage::seal(&header, &body, &identity.key, &readers);
    let (_, ciphertext) = message.parcels.first().expect("one reader");
    bencher.bench(|| {
        open(
            &message.header,
            &header,
            reader,
            Some(&key),
            black_box(ciphertext),
        )
    });
}

fn main() {
    divan::main();
}
