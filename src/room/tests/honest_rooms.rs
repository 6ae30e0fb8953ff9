//! Simulated rooms: each run follows a seed, in simulated time. With an honest relay every member
//! is told exactly what there is to be told, and never an alarm; every author is told what became of
//! each message at each reader; and nobody is shown as present who is not.
//!
//! Every `cargo test` makes two thousand runs, nearly all of small rooms; [`Kind`] says how many of
//! which kind. The name of a test chooses the kind:
//!
//!     E2ECHAT_SEED=1000000 E2ECHAT_RUNS=1000000 cargo test --lib nobody_notices -- --nocapture
//!
//! `E2ECHAT_SEED` says which run comes first, `E2ECHAT_RUNS` how many there are, and
//! `E2ECHAT_MEMBERS` how many members a room has. A run that fails prints its seed at once,
//! and fails with it again: keys come from a seed too, and nothing depends on the rest, the random
//! numbers in signatures and ciphertexts.
//!
//! This is a part of the library, and not one of the programs in `tests/`: only the library can give a
//! session a key that was used before, and have keys do without arithmetic.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "all of it is a test, which may panic and print"
)]
#![allow(
    unreachable_pub,
    clippy::struct_excessive_bools,
    clippy::items_after_statements,
    reason = "all of it is a test"
)]

mod ledger;
mod simulation;

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use rand::RngExt as _;

use crate::cipher::keys::quick;

use simulation::{Simulation, Troubles};

/// One run in so many has keys that are real.
const REAL: u64 = 50;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);

/// Runs of one kind.
struct Kind {
    /// The seeds of the runs that every `cargo test` makes.
    seeds: Range<u64>,
    /// One in so many is of a larger room. Most of what goes wrong when things happen in an
    /// unexpected order goes wrong in a small room too, of which many more fit into the same time.
    /// With 0, all rooms are alike.
    larger: u64,
    troubles: Troubles,
    /// How often trouble comes, and how much time passes then.
    rounds: usize,
    between: Duration,
}

const CALM: Troubles = Troubles {
    breaks: None,
    grace: MINUTE,
    restarts: false,
    collisions: false,
    slowness: Duration::ZERO,
    is_busy: false,
    stops: None,
    kills: false,
};

const HONEST: Kind = Kind {
    seeds: 1..701,
    larger: 200,
    troubles: CALM,
    rounds: 3,
    between: Duration::ZERO,
};

const BROKEN: Kind = Kind {
    seeds: 10_001..10_401,
    larger: 40,
    troubles: Troubles {
        // After a change of its key a member opens what is under way to the old one for a
        // minute, within which everybody must have heard of the new one.
        breaks: Some(Duration::from_secs(6)),
        ..CALM
    },
    rounds: 4,
    between: Duration::ZERO,
};

const FORGOTTEN: Kind = Kind {
    seeds: 20_001..20_261,
    larger: 30,
    troubles: Troubles {
        breaks: Some(Duration::from_secs(100)),
        restarts: true,
        ..CALM
    },
    rounds: 3,
    between: Duration::ZERO,
};

/// The others change their keys meanwhile, more than once.
const AWAY: Kind = Kind {
    seeds: 30_001..30_061,
    larger: 15,
    troubles: Troubles {
        breaks: Some(Duration::from_mins(10)),
        restarts: true,
        ..CALM
    },
    rounds: 3,
    between: MINUTE,
};

const COLLIDING: Kind = Kind {
    seeds: 40_001..40_201,
    larger: 40,
    troubles: Troubles {
        breaks: Some(Duration::from_secs(100)),
        restarts: true,
        collisions: true,
        ..CALM
    },
    rounds: 3,
    between: Duration::from_secs(2),
};

const SLOW: Kind = Kind {
    seeds: 50_001..50_151,
    larger: 40,
    troubles: Troubles {
        breaks: Some(Duration::from_secs(6)),
        slowness: Duration::from_secs(15),
        ..CALM
    },
    rounds: 3,
    between: Duration::from_secs(10),
};

const STOPPED: Kind = Kind {
    seeds: 60_001..60_151,
    larger: 30,
    troubles: Troubles {
        stops: Some(Duration::from_mins(10)),
        ..CALM
    },
    rounds: 3,
    between: Duration::from_secs(20),
};

/// Whoever is slow is so by more than the time for which an old key is kept; but it acknowledges what comes,
/// as a program does that cannot keep up.
const BUSY: Kind = Kind {
    seeds: 70_001..70_151,
    larger: 30,
    troubles: Troubles {
        slowness: Duration::from_secs(80),
        is_busy: true,
        ..CALM
    },
    rounds: 4,
    between: Duration::from_secs(20),
};

/// The relay is restarted again and again. The others come back when some are already talking, or not at
/// all.
const RETURNING: Kind = Kind {
    seeds: 90_001..90_201,
    larger: 30,
    troubles: Troubles {
        breaks: Some(Duration::from_secs(100)),
        restarts: true,
        kills: true,
        ..CALM
    },
    rounds: 4,
    between: Duration::from_secs(15),
};

/// People are without connections for hours, and none of them loses a place.
const ASLEEP: Kind = Kind {
    seeds: 95_001..95_013,
    larger: 30,
    troubles: Troubles {
        breaks: Some(Duration::from_hours(5)),
        grace: Duration::from_hours(12),
        // The relay takes nobody out for being behind.
        is_busy: true,
        ..CALM
    },
    rounds: 3,
    between: Duration::from_mins(90),
};

const EVERYTHING: Kind = Kind {
    seeds: 80_001..80_081,
    larger: 20,
    troubles: Troubles {
        breaks: Some(Duration::from_secs(150)),
        restarts: true,
        collisions: true,
        slowness: Duration::from_secs(20),
        stops: Some(Duration::from_mins(6)),
        kills: true,
        ..CALM
    },
    rounds: 4,
    between: Duration::from_secs(5),
};

fn setting(name: &str) -> Option<u64> {
    Some(std::env::var(name).ok()?.parse().expect("a number"))
}

/// Makes a run with each seed, two at a time, and says which ones failed.
fn for_seeds(seeds: &Range<u64>, run: impl Fn(u64) + Sync) {
    let first = setting("E2ECHAT_SEED").unwrap_or(seeds.start);
    let count = setting("E2ECHAT_RUNS").unwrap_or(seeds.end - seeds.start);
    let next = AtomicU64::new(first);
    let failures = || {
        let taken = std::iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed));
        let all = taken.take_while(|seed| *seed < first + count);
        let fails = |seed: &u64| {
            let fails = catch_unwind(AssertUnwindSafe(|| run(*seed))).is_err();
            if fails {
                println!("E2ECHAT_SEED={seed} failed");
            }
            fails
        };
        all.filter(fails).collect::<Vec<u64>>()
    };
    let failed = thread::scope(|scope| {
        let other = scope.spawn(failures);
        [failures(), other.join().expect("what panics is caught")].concat()
    });
    assert!(failed.is_empty(), "failed with E2ECHAT_SEED={failed:?}");
}

/// Has one thing after another happen in a room of up to `most` members.
fn happen(room: &mut Simulation, actions: usize, most: usize) {
    for _ in 0..actions {
        let may_join = room.joined() < 2 * most && room.present() < most;
        let somebody = room.anybody();
        match (room.rng.random_range(0..100), somebody) {
            (0..20, _) | (_, None) if may_join => {
                room.join();
            }
            (0..4, Some(number)) => room.leave(number),
            (4..7, Some(number)) => room.lose(number),
            (7..17, Some(number)) => room.rekey(number),
            (17..50, Some(number)) => room.whisper(number),
            (50..52, Some(number)) => room.say(number, 2_000),
            (52..56, Some(number)) if room.can_share() => room.share(number),
            (_, Some(number)) => room.say(number, 0),
            (_, None) => {}
        }
        // Mostly things happen at once or nearly so. Now and then beacons and the destruction of
        // keys get their turn.
        let pause = match room.rng.random_range(0..100) {
            0..30 => 0,
            30..97 => room.rng.random_range(0..1_500),
            _ => room.rng.random_range(10_000..70_000),
        };
        room.pass(Duration::from_millis(pause));
    }
}

/// Has something go wrong, of what may.
fn go_wrong(room: &mut Simulation, troubles: &Troubles) {
    for _ in 0..room.rng.random_range(0..3) {
        let Some(number) = room.anybody() else {
            return;
        };
        match room.rng.random_range(0..if troubles.kills { 5 } else { 4 }) {
            4 => room.lose(number),
            0 if troubles.restarts => room.restart(),
            1 if troubles.stops.is_some() => room.stop(number),
            2 if !troubles.slowness.is_zero() => room.slow_down(number),
            _ => room.break_connection(number),
        }
    }
}

#[track_caller]
fn assert_undisturbed(room: &Simulation) {
    let surprises = &room.surprises;
    assert!(surprises.is_empty(), "{surprises:#?}");
}

/// Waits until all that is under way has arrived and everybody has spoken: at most for so long.
#[track_caller]
fn settle(room: &mut Simulation, most: Duration) {
    let mut waited = Duration::ZERO;
    let mut unsettled = room.unsettled();
    while !unsettled.is_empty() && waited < most && room.surprises.is_empty() {
        room.pass(SECOND);
        waited += SECOND;
        unsettled = room.unsettled();
    }
    assert_undisturbed(room);
    assert!(unsettled.is_empty(), "{unsettled:#?}");
}

/// Makes a run of a room of up to so many members in which so much happens.
fn run(seed: u64, kind: &Kind, most: usize, actions: usize) {
    // Most of the time would go into arithmetic, of which all that matters here is what it binds.
    quick::set(!seed.is_multiple_of(REAL));
    let troubles = &kind.troubles;
    let mut room = Simulation::new(seed, kind.troubles);
    for _ in 0..most - 1 {
        room.join();
    }
    let pause = room.rng.random_range(Duration::ZERO..5 * SECOND);
    room.pass(pause);
    for _ in 0..kind.rounds {
        happen(&mut room, actions, most);
        go_wrong(&mut room, troubles);
        room.pass(kind.between);
    }
    room.calm_down();
    // What is on its way to whoever was slow still takes its time.
    room.pass(troubles.slowness);
    // Whoever is away comes back, and four beacon periods later all is well.
    let patience = troubles.breaks.max(troubles.stops);
    settle(&mut room, patience.unwrap_or_default() + 8 * MINUTE);
    // Neither silence nor the destruction of the last keys is an alarm. Of those who do not come back,
    // it has been told by then that they did not.
    if troubles.kills || seed.is_multiple_of(4) {
        room.pass(9 * MINUTE);
        settle(&mut room, Duration::ZERO);
    }
    // All members agree, and hear each other.
    let inside = room.inside();
    let before = room.ledger.count(&inside);
    for number in &inside {
        room.say(*number, 0);
    }
    settle(&mut room, MINUTE + 2 * troubles.slowness);
    let after = room.ledger.count(&inside);
    assert!(after.1 <= before.1, "something was said, and lost");
    let too_many = room.ledger.missed_too_many();
    assert!(too_many.is_empty(), "{too_many:#?}");
    let counts = &room.counts;
    if troubles
        .breaks
        .is_some_and(|most| most < troubles.grace / 2)
    {
        let lost = [
            counts.returned,
            counts.missing,
            counts.quiet,
            counts.unconfirmed,
        ];
        assert_eq!(lost, [0; 4], "{counts:?}");
    }
    println!("seed {seed}: {counts:?} {after:?}");
}

fn run_all(kind: &Kind) {
    let most = setting("E2ECHAT_MEMBERS").map(|most| usize::try_from(most).unwrap());
    for_seeds(&kind.seeds, |seed| match most {
        None if seed.is_multiple_of(kind.larger) => run(seed, kind, 8, 12),
        None => run(seed, kind, 3, 4),
        Some(most) => run(seed, kind, most, 2 * most),
    });
}

#[test]
fn an_honest_room_is_quiet_and_complete() {
    run_all(&HONEST);
}

#[test]
fn nobody_notices_connections_that_break_and_are_made_again() {
    run_all(&BROKEN);
}

#[test]
fn what_gets_lost_is_told() {
    run_all(&FORGOTTEN);
}

#[test]
fn who_is_away_for_long_is_known_again() {
    run_all(&AWAY);
}

#[test]
fn who_wants_a_nick_that_is_taken_has_another() {
    run_all(&COLLIDING);
}

#[test]
fn who_reads_slowly_misses_nothing() {
    run_all(&SLOW);
}

#[test]
fn who_is_a_minute_behind_misses_nothing_that_was_on_its_way() {
    run_all(&BUSY);
}

/// It was the case that two of three messages were lost.
#[test]
fn a_new_key_of_one_who_is_a_minute_behind_loses_nothing() {
    quick::set(true);
    for (behind, rekeys_at) in [(61, 0), (61, 60), (70, 90), (80, 30), (80, 150)] {
        let mut room = Simulation::new(rekeys_at, BUSY.troubles);
        let [reader, _, author] = [(); 3].map(|()| {
            let number = room.join();
            room.pass(10 * SECOND);
            number
        });
        room.fall_behind(reader, behind * SECOND);
        for second in 0..180 {
            if second == rekeys_at {
                room.rekey(reader);
            }
            room.say(author, 0);
            room.whisper(author);
            room.pass(SECOND);
        }
        settle(&mut room, 4 * MINUTE);
        let everybody = room.inside();
        assert_eq!(everybody.len(), 3);
        assert_eq!(room.ledger.count(&everybody), (3 * 180, 0));
        let counts = &room.counts;
        let told = [counts.too_late, counts.given_up, counts.unconfirmed];
        assert_eq!((told, counts.missing, counts.quiet), ([0; 3], 0, 0));
    }
}

#[test]
fn nobody_talks_past_those_who_come_back_later() {
    run_all(&RETURNING);
}

#[test]
fn who_sleeps_for_hours_misses_nothing() {
    run_all(&ASLEEP);
}

#[test]
fn a_program_that_stood_still_goes_on() {
    run_all(&STOPPED);
}

#[test]
fn all_of_it_at_once_is_no_alarm() {
    run_all(&EVERYTHING);
}
