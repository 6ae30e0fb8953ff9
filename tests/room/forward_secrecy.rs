//! What is over stays over: once a session key is gone, everything that ever went through the relay
//! opens nothing, whoever has it, and whatever else they get.

#[cfg(target_os = "linux")]
use std::collections::HashSet;
use std::time::Duration;

#[cfg(target_os = "linux")]
use rsa::BoxedUint;
use rsa::pkcs8::DecodePrivateKey as _;
use rsa::{Oaep, PrivateKey};
use sha2::Sha256;

use e2echat::cipher::encoding::Encoder;
use e2echat::cipher::keys::{KeySize, SessionKey};
use e2echat::room::card::SessionId;
use e2echat::room::session::{End, Event};

use crate::support::world::{
    Delivery, Member, catch_up, nick_of, said, three, unopened_by, written_at,
};

/// How long a key outlives the next one's coming back from the relay, how long the announcement of the
/// next one at most, and a moment.
const REMAINS: Duration = Duration::from_mins(1);
const REMAINS_AT_MOST: Duration = Duration::from_mins(10);
const MOMENT: Duration = Duration::from_millis(1);

#[test]
fn a_message_that_comes_after_the_key_is_gone_is_not_opened_and_one_before_is() {
    let (mut world, mut ada, mut bob, _carol) = three();
    world.say(&mut ada, "kept for a while");
    world.say(&mut ada, "kept for too long");
    let [early, late] = <[_; 2]>::try_from(bob.intercept()).unwrap();
    world.rekey(&mut bob);
    assert_eq!(catch_up(&mut bob), []);
    // Nothing but messages was passed on.
    world.advance(REMAINS.saturating_sub(MOMENT));
    assert_eq!(bob.tick(), []);
    assert!(!bob.session.can_rekey(), "the old key is there");
    assert_eq!(bob.receive(&early), [said("ada", "kept for a while")]);
    world.advance(MOMENT);
    assert_eq!(bob.tick(), []);
    assert!(bob.session.can_rekey(), "it is not any more");
    let destroyed = [Event::TooLate(nick_of("ada"))];
    assert_eq!(bob.receive(&late), destroyed);
    // What was opened once is not opened again either.
    assert_eq!(bob.ends(&early), End::Malformed);
}

#[test]
fn what_was_on_its_way_before_a_new_key_opens_though_its_reader_is_minutes_behind() {
    let (mut world, mut ada, mut bob, _carol) = three();
    world.say(&mut ada, "first");
    world.say(&mut ada, "kept for too long");
    world.say(&mut ada, "second");
    world.rekey(&mut bob);
    let [first, kept, second, own, ack] = <[_; 5]>::try_from(bob.intercept()).unwrap();
    // It is his uptime that counts, from when he has dealt with the answer.
    let behind = Duration::from_mins(8);
    world.advance(behind);
    bob.tick();
    for (frame, text) in [(first, "first"), (second, "second")] {
        let late = written_at(2_000, 480_001, said("ada", text));
        assert_eq!(bob.receive(&frame), [late]);
    }
    for frame in [own, ack] {
        assert_eq!(bob.receive(&frame), []);
    }
    world.advance(REMAINS.saturating_sub(MOMENT));
    bob.tick();
    assert!(!bob.session.can_rekey(), "the old key is there");
    world.advance(MOMENT);
    bob.tick();
    assert!(bob.session.can_rekey(), "it is not any more");
    assert_eq!(bob.receive(&kept), [Event::TooLate(nick_of("ada"))]);
}

#[test]
fn the_key_is_gone_in_time_though_the_relay_withholds_its_answer() {
    // For good, or until the moment before: then it does not stay for another minute.
    for answers_at_last in [false, true] {
        let (mut world, mut ada, mut bob, _carol) = three();
        world.say(&mut ada, "kept for too long");
        let kept = bob.intercept();
        world.rekey(&mut bob);
        let [own, _ack] = <[_; 2]>::try_from(bob.intercept()).unwrap();
        world.advance(REMAINS_AT_MOST.saturating_sub(MOMENT));
        bob.tick();
        if answers_at_last {
            assert_eq!(bob.receive(&own), []);
            assert!(!bob.session.can_rekey(), "the old key is there");
        }
        world.advance(MOMENT);
        bob.tick();
        let destroyed = [Event::TooLate(nick_of("ada"))];
        assert_eq!(bob.receive(&kept[0]), destroyed);
        // Nor does a message open that somebody writes who was not told of the new key.
        ada.intercept();
        world.say(&mut ada, "to the old key");
        let [late] = <[_; 1]>::try_from(bob.intercept()).unwrap();
        assert_eq!(bob.receive(&late), destroyed);
    }
}

/// Of what is for a key that was changed twice since, the relay passes on nothing.
#[test]
fn a_message_for_a_key_that_was_changed_twice_comes_too_late_and_its_author_is_told() {
    let (mut world, mut ada, mut bob, mut carol) = three();
    ada.say("written before").expect("it can be said");
    for _ in 0..2 {
        world.rekey(&mut bob);
        world.pass(REMAINS, [&mut bob, &mut carol]);
    }
    world.relay(&mut ada);
    assert_eq!(catch_up(&mut bob), [Event::TooLate(nick_of("ada"))]);
    let [a, ..] = world.pass(REMAINS, [&mut ada, &mut bob, &mut carol]);
    assert!(
        a.contains(&unopened_by("bob", 1, "written before")),
        "{a:?}"
    );
    assert_eq!(ada.confirmed_by(1), ["carol"]);
}

/// Whether an RSA key, whatever it is for, opens the first block of a message to `reader`.
fn opens(key: &PrivateKey, reader: SessionId, message: &Delivery) -> bool {
    let count = message.ciphertext.len() / 256;
    let label: [u8; 32] = Encoder::tagged("e2echat/2 label")
        .string(&message.header)
        .bytes(&reader.0)
        .count(0)
        .count(count)
        .digest();
    let scheme = Oaep::<Sha256>::new_with_label(label);
    key.decrypt(scheme, &message.ciphertext[..256]).is_ok()
}

#[test]
fn a_recording_and_all_identity_files_open_nothing() {
    let (mut world, mut ada, mut bob, mut carol) = three();
    world.say(&mut ada, "secret");
    let mut recorded = Vec::new();
    for member in [&mut bob, &mut carol] {
        let message = member.intercept_message();
        assert_eq!(member.receive(&message.frame()), [said("ada", "secret")]);
        recorded.push((member.sid(), message));
    }
    for member in [&mut bob, &mut carol] {
        world.rekey(member);
    }
    for member in [&mut bob, &mut carol] {
        catch_up(member);
    }
    world.advance(REMAINS);
    for member in [&mut bob, &mut carol] {
        member.tick();
        assert!(member.session.can_rekey(), "the old key is gone");
    }
    for (reader, message) in &recorded {
        for member in [&ada, &bob, &carol] {
            let identity = PrivateKey::from_pkcs8_pem(&member.identity).unwrap();
            assert!(!opens(&identity, *reader, message));
        }
        // Nor do the live sessions, which have identities and all keys that are left.
        for member in [&mut bob, &mut carol] {
            assert_eq!(member.ends(&message.frame()), End::Malformed);
        }
    }
}

#[cfg(target_os = "linux")]
mod memory {
    //! The memory of a process is searched from outside for numbers that divide a public modulus,
    //! so that the search needs no secret and finds no copy of its own.

    use std::fs::{self, File};
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::os::unix::fs::{FileExt as _, MetadataExt as _};
    use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

    use super::*;
    use crate::support::process::{Client, Relay};

    const HOLDER: &str = "forward_secrecy::memory::holder";
    const PRIME: usize = 128;

    fn say(line: &str) {
        println!("::{line}");
        std::io::stdout().flush().unwrap();
    }

    fn wait() {
        std::io::stdin().read_line(&mut String::new()).unwrap();
    }

    fn modulus(member: &Member) -> String {
        let modulus = member.session.card().session().modulus();
        let digits = modulus.iter().map(|byte| format!("{byte:02x}"));
        digits.collect::<Vec<String>>().concat()
    }

    /// What runs in the process that is searched: a session that decrypts and changes its key.
    #[test]
    #[ignore = "it is a part of another test, which runs it in a process of its own"]
    fn holder() {
        let (mut world, mut ada, mut bob, _carol) = three();
        for text in ["one", &"several blocks ".repeat(100)] {
            world.say(&mut ada, text);
            assert_eq!(catch_up(&mut bob), [said("ada", text)]);
        }
        say(&modulus(&bob));
        wait();
        // As the program does, with keys made by a thread of their own.
        let made = std::thread::spawn(|| SessionKey::generate(KeySize::Bits2048));
        bob.session.rekey(made.join().unwrap(), world.now());
        world.relay(&mut bob);
        catch_up(&mut ada);
        assert_eq!(catch_up(&mut bob), []);
        world.say(&mut ada, "to the new key");
        assert_eq!(catch_up(&mut bob), [said("ada", "to the new key")]);
        world.advance(REMAINS);
        bob.tick();
        say(&modulus(&bob));
        wait();
        // Neither key goes before it has been searched for.
        drop(bob);
    }

    struct Holder {
        process: Child,
        input: ChildStdin,
        output: BufReader<ChildStdout>,
    }

    impl Holder {
        fn start() -> Self {
            let mut process = Command::new(std::env::current_exe().unwrap())
                .args([HOLDER, "--exact", "--ignored", "--nocapture"])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            Self {
                input: process.stdin.take().unwrap(),
                output: BufReader::new(process.stdout.take().unwrap()),
                process,
            }
        }

        fn modulus(&mut self) -> BoxedUint {
            let mut line = String::new();
            loop {
                line.clear();
                assert_ne!(self.output.read_line(&mut line).unwrap(), 0, "it has ended");
                if let Some((_, hex)) = line.split_once("::") {
                    let hex = hex.trim();
                    let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
                    let bytes: Vec<u8> = (0..hex.len()).step_by(2).map(byte).collect();
                    return BoxedUint::from_be_slice(&bytes, 2048).unwrap();
                }
            }
        }

        fn go_on(&mut self) {
            self.input.write_all(b"\n").unwrap();
        }

        /// All that it may write to, by address.
        fn memory(&self) -> Vec<(String, Vec<u8>)> {
            let process = format!("/proc/{}", self.process.id());
            let memory = File::open(format!("{process}/mem")).unwrap();
            let maps = fs::read_to_string(format!("{process}/maps")).unwrap();
            let mut regions = Vec::new();
            for line in maps.lines() {
                let mut words = line.split_whitespace();
                let (Some(range), Some(flags)) = (words.next(), words.next()) else {
                    continue;
                };
                let (start, end) = range.split_once('-').unwrap();
                let [start, end] = [start, end].map(|n| u64::from_str_radix(n, 16).unwrap());
                if !flags.starts_with("rw") {
                    continue;
                }
                let mut bytes = vec![0; usize::try_from(end - start).unwrap()];
                if memory.read_exact_at(&mut bytes, start).is_ok() {
                    regions.push((line.to_owned(), bytes));
                }
            }
            regions
        }
    }

    impl Drop for Holder {
        fn drop(&mut self) {
            let _ = self.process.kill();
            let _ = self.process.wait();
        }
    }

    /// The number that these bytes are, if it can be a prime of a key.
    fn candidate(bytes: &[u8], first: u8, last: u8) -> bool {
        // The key's modulus has all its bits, so each prime has its two highest; it is odd.
        first >= 0xb5 && last % 2 == 1 && !bytes.chunks_exact(4).any(|four| four == [0; 4])
    }

    /// Where in the memory the primes of a modulus are, and which.
    fn primes(modulus: &BoxedUint, memory: &[(String, Vec<u8>)]) -> Vec<(String, Vec<u8>)> {
        let divides = |number: BoxedUint| {
            let number = number.into_nz().expect("a candidate is odd");
            bool::from(modulus.rem_vartime(&number).is_zero())
        };
        let mut found = Vec::new();
        for (region, bytes) in memory {
            for (at, window) in bytes.windows(PRIME).enumerate() {
                let (low, high) = (window[0], window[PRIME - 1]);
                let bits = u32::try_from(8 * PRIME).unwrap();
                if at % 8 == 0 && candidate(window, high, low) {
                    let number = BoxedUint::from_le_slice(window, bits).unwrap();
                    if divides(number) {
                        found.push((format!("{region} + {at:x}, limbs"), window.to_vec()));
                    }
                }
                if candidate(window, low, high) {
                    let number = BoxedUint::from_be_slice(window, bits).unwrap();
                    if divides(number) {
                        let mut window = window.to_vec();
                        window.reverse();
                        found.push((format!("{region} + {at:x}, big-endian"), window));
                    }
                }
            }
        }
        found
    }

    /// Where in the memory there are eight bytes of these numbers together, in either order.
    fn pieces(numbers: &[Vec<u8>], memory: &[(String, Vec<u8>)]) -> Vec<String> {
        let mut needles = HashSet::new();
        for number in numbers {
            for piece in number.chunks_exact(8) {
                let mut piece = <[u8; 8]>::try_from(piece).unwrap();
                needles.insert(piece);
                piece.reverse();
                needles.insert(piece);
            }
        }
        let mut found = Vec::new();
        for (region, bytes) in memory {
            for (at, window) in bytes.windows(8).enumerate() {
                if needles.contains(window) {
                    found.push(format!("{region} + {at:x}"));
                }
            }
        }
        found
    }

    /// A relay has keys too where its host sits in a room.
    #[test]
    fn no_core_dump_is_written_and_nobody_else_reads_the_memory() {
        let relay = Relay::start(&[]);
        let client = Client::join(relay.address(), "ada", &[]);
        for process in [relay.id(), client.id()].map(|id| format!("/proc/{id}")) {
            let limits = fs::read_to_string(format!("{process}/limits")).unwrap();
            let core = limits
                .lines()
                .find(|line| line.starts_with("Max core file size"));
            let words: Vec<&str> = core.unwrap().split_whitespace().collect();
            assert_eq!(words[4..6], ["0", "0"], "soft and hard");
            // Such files are their user's where that user may read the memory.
            let owner = fs::metadata(format!("{process}/mem")).unwrap().uid();
            assert_eq!(owner, 0, "root's alone");
        }
    }

    #[test]
    fn no_prime_of_a_destroyed_key_is_left() {
        let mut holder = Holder::start();
        let old = holder.modulus();
        let memory = holder.memory();
        let before = primes(&old, &memory);
        let numbers: Vec<Vec<u8>> = before.into_iter().map(|(_, number)| number).collect();
        let different: HashSet<&Vec<u8>> = numbers.iter().collect();
        assert_eq!(different.len(), 2, "a key in use is found");
        assert!(!pieces(&numbers, &memory).is_empty());
        holder.go_on();
        let new = holder.modulus();
        let memory = holder.memory();
        assert!(!primes(&new, &memory).is_empty(), "a key in use is found");
        let places = |found: Vec<(String, Vec<u8>)>| -> Vec<String> {
            found.into_iter().map(|(place, _)| place).collect()
        };
        let left = places(primes(&old, &memory));
        assert!(left.is_empty(), "{left:#?}");
        let left = pieces(&numbers, &memory);
        assert!(left.is_empty(), "pieces: {left:#?}");
        holder.go_on();
    }
}
