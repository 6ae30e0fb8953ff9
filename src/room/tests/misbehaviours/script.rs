//! What members do, and when.

use std::time::Duration;

/// Members are numbers here: 0 is called ada at first, and so on.
pub const NICKS: [&str; 4] = ["ada", "bob", "cara", "dora"];

/// What a member does.
#[derive(Clone, Copy, Debug)]
pub enum Act {
    Join,
    /// It says something to the room.
    Say,
    /// It says something to one other.
    SayTo(usize),
    Rekey,
    /// It wants to be called so.
    Rename(&'static str),
    /// Its connection breaks, and there is none for so many seconds.
    Cut(u64),
    /// The same, and the relay keeps places for longer than that.
    Sleep(u64),
    Leave,
}

/// What who does after how many seconds.
pub type Script = Vec<(u64, usize, Act)>;

const ADA: usize = 0;
const BOB: usize = 1;
const CARA: usize = 2;

/// Three members: they come and talk, one has another key, one another nick, one has its connection
/// broken and goes on where it broke, one has it broken for longer and enters anew, one leaves.
pub fn three() -> Script {
    use Act::{Cut, Join, Leave, Rekey, Rename, Say, SayTo};
    vec![
        (5, ADA, Join),
        (10, BOB, Join),
        (20, CARA, Join),
        (30, ADA, Say),
        (35, BOB, Say),
        (40, ADA, SayTo(BOB)),
        (50, BOB, Rekey),
        (51, ADA, Say),
        (60, ADA, Rename("ann")),
        (61, BOB, Say),
        (70, CARA, Cut(20)),
        (75, BOB, Say),
        (93, CARA, Say),
        (100, BOB, Cut(90)),
        (110, ADA, Say),
        (115, CARA, SayTo(BOB)),
        (215, BOB, Say),
        (225, BOB, SayTo(ADA)),
        (240, ADA, Say),
        (262, CARA, Leave),
        (262, ADA, Say),
        (270, BOB, Say),
    ]
}

/// Three members, of whom one sleeps while the others go on, and another one for a while at the same time.
pub fn sleepers() -> Script {
    use Act::{Join, Leave, Rekey, Rename, Say, SayTo, Sleep};
    vec![
        (5, ADA, Join),
        (10, BOB, Join),
        (20, CARA, Join),
        (30, CARA, Say),
        (35, CARA, Sleep(300)),
        (40, ADA, Say),
        (110, ADA, Say),
        (115, BOB, SayTo(CARA)),
        (120, ADA, Rekey),
        (130, BOB, Rename("ben")),
        (200, BOB, Sleep(90)),
        (210, ADA, Say),
        (300, BOB, Say),
        (350, ADA, Say),
        (355, CARA, Say),
        (360, CARA, SayTo(BOB)),
        (380, BOB, Leave),
    ]
}

/// For how many seconds the relay keeps the place of a member whose connection broke.
pub fn grace(script: &Script) -> u32 {
    let has_sleep = script.iter().any(|(.., act)| matches!(act, Act::Sleep(_)));
    if has_sleep { 1200 } else { 60 }
}

/// When the last thing is done.
pub fn end(script: &Script) -> Duration {
    let last = script.iter().map(|(at, ..)| *at).max();
    Duration::from_secs(last.unwrap_or_default())
}
