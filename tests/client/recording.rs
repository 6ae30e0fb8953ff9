//! What somebody on the way, or whoever runs the relay, gets to see of a conversation.

use e2echat::cipher::caesar::Caesar;
use e2echat::room::frame::{MAX_FRAME, PREAMBLE, ToClient, ToRelay};
use e2echat::room::stream::{ReadError, read_frame};

use crate::support::process::{Client, Relay};
use crate::support::proxy::{Proxy, Recording};

/// Longer than a block, so that it takes more than one.
const LONG: &str = "The quick brown fox jumps over the lazy dog, then rests. Sphinx of black quartz, \
    judge my vow. Pack my box with five dozen liquor jugs. How vexingly quick daft zebras jump! \
    Bright vixens jump; dozy fowl quack, and nobody minds.";
const SECRETS: [(&str, &str); 3] = [
    ("ada", "Attack the bakery at dawn"),
    ("bob", "Bring the Zwetschgenkuchen"),
    ("carol", LONG),
];

/// The frames in a stream, which must end with a whole one.
fn frames(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    loop {
        match read_frame(&mut bytes, MAX_FRAME) {
            Ok(frame) => frames.push(frame),
            Err(ReadError::Closed) => return frames,
            Err(error) => panic!("after {} frames: {error:?}", frames.len()),
        }
    }
}

/// The ciphertexts that a member sent, and those that it got.
fn ciphertexts(recording: &Recording) -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
    let (mut sent, mut received) = (Vec::new(), Vec::new());
    for frame in frames(&recording.to_relay[PREAMBLE..]) {
        if let ToRelay::Send(send) = ToRelay::parse(&frame).expect("a client's frame") {
            for parcel in send.parcels {
                // The range holds the field: a length, then the bytes.
                let field = &frame[parcel.ciphertext];
                sent.push(field[4..].to_vec());
            }
        }
    }
    for frame in frames(&recording.to_client) {
        let parsed = ToClient::parse(&frame).expect("a relay's frame");
        if let ToClient::Entry { ciphertext, .. } | ToClient::Deliver(_, ciphertext) = parsed {
            received.push(ciphertext.to_vec());
        }
    }
    // A member's own messages come back to it without their content.
    sent.retain(|ciphertext| !ciphertext.is_empty());
    received.retain(|ciphertext| !ciphertext.is_empty());
    (sent, received)
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack
        .windows(needle.len())
        .any(|window| window.eq_ignore_ascii_case(needle))
}

/// Three members say one thing each to the others, and leave.
fn record_a_conversation() -> Vec<Recording> {
    let relay = Relay::start(&[]);
    let proxy = Proxy::start(relay.address());
    let mut clients: Vec<Client> = Vec::new();
    for (nick, _) in SECRETS {
        let newcomer = Client::join(proxy.address(), nick, &[]);
        for client in &clients {
            let joined = format!("* {nick} joined ");
            client.wait_for_line(&joined, |line| line.starts_with(&joined));
        }
        clients.push(newcomer);
    }
    for (client, (_, text)) in clients.iter_mut().zip(SECRETS) {
        client.say(text);
    }
    for client in &clients {
        for (nick, text) in SECRETS {
            client.wait_for_message(nick, text);
        }
    }
    for client in clients {
        assert_eq!(client.leave().code(), Some(0));
    }
    let recordings = proxy.recordings();
    assert_eq!(recordings.len(), 3);
    recordings
}

#[test]
fn a_recording_holds_none_of_the_text_under_any_caesar_shift() {
    for recording in record_a_conversation() {
        for track in [&recording.to_relay, &recording.to_client] {
            // It is a recording of the conversation at all: nicks are no secret.
            assert!(contains(track, b"e2echat/2 message"));
            for (_, text) in SECRETS {
                let words = text.split(' ').filter(|word| word.len() >= 6);
                for shift in 0..=25 {
                    for word in words.clone() {
                        let mut word = word.as_bytes().to_vec();
                        if let Some(caesar) = Caesar::new(shift) {
                            caesar.encrypt(&mut word);
                        } else {
                            assert_eq!(shift, 0);
                        }
                        assert!(!contains(track, &word), "{text:?} shifted by {shift}");
                    }
                }
            }
        }
    }
}

#[test]
fn every_ciphertext_block_has_256_bytes_and_none_is_sent_twice() {
    let recordings = record_a_conversation();
    let (mut all_sent, mut all_received) = (Vec::new(), Vec::new());
    for (recording, (_, text)) in recordings.iter().zip(SECRETS) {
        let (sent, received) = ciphertexts(recording);
        assert_eq!(sent.len(), 2, "one for each of the two others");
        assert_eq!(received.len(), 2, "one from each of the two others");
        // 16 bytes of nonce and 1 of kind come before the text; a block takes 190.
        let blocks = (17 + text.len()).div_ceil(190);
        assert!(
            sent.iter()
                .all(|ciphertext| ciphertext.len() == 256 * blocks)
        );
        all_sent.extend(sent);
        all_received.extend(received);
    }
    all_sent.sort();
    all_received.sort();
    assert_eq!(all_sent, all_received, "the relay passes on what it got");
    let mut blocks: Vec<&[u8]> = all_sent.iter().flat_map(|text| text.chunks(256)).collect();
    assert!(blocks.iter().all(|block| block.len() == 256));
    let sent = blocks.len();
    blocks.sort_unstable();
    blocks.dedup();
    assert_eq!(blocks.len(), sent, "no reader's block is another's");
}

#[test]
fn each_reader_is_sent_its_own_ciphertext_and_nobody_elses() {
    let recordings = record_a_conversation();
    for (index, recording) in recordings.iter().enumerate() {
        let (_, received) = ciphertexts(recording);
        for (other, recording) in recordings.iter().enumerate() {
            let (sent, received_there) = ciphertexts(recording);
            if other != index {
                let mine = sent.iter().filter(|parcel| received.contains(parcel));
                assert_eq!(mine.count(), 1);
                assert!(
                    received_there
                        .iter()
                        .all(|parcel| !received.contains(parcel))
                );
            }
        }
    }
}
