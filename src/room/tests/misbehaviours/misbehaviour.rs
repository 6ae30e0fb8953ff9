//! What a relay does that it should not, alone or with something else.

use std::collections::HashMap;
use std::ops::Range;
use std::time::Duration;

use crate::room::chain::entry_digest;
use crate::room::frame::{Frame, Signed, ToClient, ToRelay};
use crate::room::message::{Header, Stream};
use crate::room::statement::{Occasion, Purpose, Statement};

use super::relay::{Put, What};
use super::world::payload;

/// A frame, and how much later it comes.
type Late = (Duration, Vec<u8>);

/// What becomes of one frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Trick {
    Drop,
    Hold20,
    Hold200,
    /// It comes after the next one.
    Swap,
    Repeat,
    /// It comes once more, after 150 s.
    RepeatLate,
    /// Its entry is shown to its reader alone.
    ShowToOne,
    /// It comes without its ciphertext.
    Strip,
    /// A bit of what is signed is another one: of a header, a statement, a card.
    AlterSigned,
    AlterSignature,
    AlterCiphertext,
    /// It is said to be of another kind.
    AlterKind,
    /// The digest of its entry comes for it, as if it were a statement.
    Digest,
}

impl Trick {
    pub const ALL: [Self; 13] = [
        Self::Drop,
        Self::Hold20,
        Self::Hold200,
        Self::Swap,
        Self::Repeat,
        Self::RepeatLate,
        Self::ShowToOne,
        Self::Strip,
        Self::AlterSigned,
        Self::AlterSignature,
        Self::AlterCiphertext,
        Self::AlterKind,
        Self::Digest,
    ];

    /// Whether it is something else than doing nothing.
    fn applies_to(self, put: &Put) -> bool {
        let is_entry = put.entry.is_some() && !put.is_own;
        match self {
            Self::Drop
            | Self::Hold20
            | Self::Hold200
            | Self::Swap
            | Self::Repeat
            | Self::RepeatLate => true,
            Self::ShowToOne => put.entry.is_some(),
            Self::Strip | Self::AlterCiphertext => put.has_ciphertext,
            Self::AlterSigned => !put.is_own && put.what != What::Refused,
            Self::AlterSignature => {
                let is_signed = [What::Message, What::Statement, What::Goodbye];
                let is_alone = [What::Direct, What::Receipt].contains(&put.what);
                is_entry && is_signed.contains(&put.what) || is_alone
            }
            Self::AlterKind => is_entry,
            Self::Digest => is_entry && put.what != What::Statement,
        }
    }

    /// What comes instead of a frame with this number.
    fn change(self, number: usize, out: &mut Vec<Late>) {
        let flip_in = |out: &mut Vec<Late>, region: fn(Regions) -> Range<usize>| {
            for (_, frame) in out {
                let range = region(regions(frame));
                flip(frame, range, number);
            }
        };
        match self {
            Self::Drop => out.clear(),
            Self::Hold20 => put_off(out, 20),
            Self::Hold200 => put_off(out, 200),
            // What comes before it, and what is shown to whom else, is not seen from here.
            Self::Swap | Self::ShowToOne => {}
            Self::Repeat => out.extend(out.clone()),
            Self::RepeatLate => {
                let mut again = out.clone();
                put_off(&mut again, 150);
                out.extend(again);
            }
            Self::Strip => out.iter_mut().for_each(|(_, frame)| strip(frame)),
            Self::AlterSigned => flip_in(out, |regions| regions.signed),
            Self::AlterSignature => flip_in(out, |regions| regions.signature),
            Self::AlterCiphertext => flip_in(out, |regions| regions.ciphertext),
            Self::AlterKind => {
                for (_, frame) in out {
                    frame[1] ^= 1 << (number % 3);
                }
            }
            Self::Digest => {
                for (_, frame) in out {
                    if let Ok(ToClient::Entry { entry, .. }) = ToClient::parse(frame) {
                        *frame = payload(&Frame::passed(&[entry_digest(entry)]));
                    }
                }
            }
        }
    }
}

/// How a relay lies to somebody who enters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lie {
    Position,
    Digest,
    /// One who is there is not named.
    Fewer,
    /// One is named who is not there, and whose card is good.
    Ghost,
}

/// Something that a relay does. Times are seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misbehaviour {
    One(Trick, usize),
    /// From then on no statements of one member come to another, or nothing at all.
    Starve {
        from: usize,
        to: usize,
        since: u64,
        of_all: bool,
    },
    /// The first thing of this kind is dropped.
    DropOnce {
        from: usize,
        to: usize,
        what: What,
        since: u64,
    },
    /// What these members (bits) say is shown to each other alone, and what the others say to the others.
    Fork {
        group: u8,
        since: u64,
        until: u64,
    },
    /// All of one member comes to another so many seconds late.
    Visit {
        from: usize,
        to: usize,
        late: u64,
    },
    /// A member's statements are kept and fed to another slowly, and its leaving is not shown.
    KeepAlive {
        from: usize,
        to: usize,
        since: u64,
    },
    /// What a member sends is acknowledged for a minute, and put before nobody.
    Swallow {
        who: usize,
        what: What,
        since: u64,
    },
    /// Nothing that a member sends is taken for a while.
    HoldUp {
        who: usize,
        since: u64,
        until: u64,
    },
    WithholdOwn {
        who: usize,
        since: u64,
    },
    WithholdAcks {
        who: usize,
        since: u64,
    },
    Welcome {
        who: usize,
        lie: Lie,
    },
    /// A member is thrown out, and comes back.
    ThrowOut {
        who: usize,
        at: u64,
    },
    /// The relay pretends to one member that it was restarted.
    PretendRestart {
        who: usize,
        at: u64,
    },
    Restart {
        at: u64,
    },
    /// A member is said to another one to be asleep, and is not, or was said to be before.
    SayAsleep {
        who: usize,
        to: usize,
        at: u64,
    },
}

impl Misbehaviour {
    /// What it is called in the tables.
    pub fn name(&self) -> String {
        let name = format!("{self:?}");
        match self {
            Self::One(trick, _) => format!("{trick:?}"),
            Self::Welcome { lie, .. } => format!("Welcome{lie:?}"),
            _ => name.split([' ', '{']).next().unwrap_or_default().to_owned(),
        }
    }

    /// When the last thing happens that does not come of a frame.
    pub fn end(&self) -> u64 {
        match self {
            Self::Fork { until: at, .. }
            | Self::HoldUp { until: at, .. }
            | Self::ThrowOut { at, .. }
            | Self::PretendRestart { at, .. }
            | Self::SayAsleep { at, .. }
            | Self::Restart { at } => *at,
            _ => 0,
        }
    }
}

/// All that a relay does that it should not.
#[derive(Default)]
pub struct Misbehaviours {
    pub all: Vec<Misbehaviour>,
    /// A good card of somebody who is not there.
    pub ghost: Vec<u8>,
    /// The entries that are shown to one alone: the entry, the member.
    alone: HashMap<usize, usize>,
    /// Frames that come after the next one to the same member.
    swapped: HashMap<usize, Vec<Late>>,
    /// How often each has struck.
    count: Vec<u64>,
}

impl Misbehaviours {
    /// `puts` are those of a run of the same script without misbehaviour.
    pub fn new(all: Vec<Misbehaviour>, puts: &[Put]) -> Self {
        let mut alone = HashMap::new();
        for one in &all {
            if let Misbehaviour::One(Trick::ShowToOne, number) = one
                && let Some(put) = puts.get(*number)
                && let Some(entry) = put.entry
            {
                alone.insert(entry, put.to);
            }
        }
        Self {
            count: vec![0; all.len()],
            all,
            alone,
            ..Self::default()
        }
    }

    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Whether the relay takes what a member has sent, and does nothing with it.
    pub fn swallows(&self, who: usize, frame: &[u8], now: Duration) -> bool {
        self.all.iter().any(|one| match *one {
            Misbehaviour::Swallow {
                who: of,
                what,
                since,
            } => {
                let time = seconds(since)..=seconds(since + 60);
                of == who && time.contains(&now) && what_is_sent(frame) == Some(what)
            }
            _ => false,
        })
    }

    /// Until when the relay takes nothing from a member, if that is so.
    pub fn held_until(&self, of: usize, now: Duration) -> Option<Duration> {
        let mut all = self.all.iter();
        all.find_map(|one| match *one {
            Misbehaviour::HoldUp { who, since, until } => {
                let is_so = who == of && (seconds(since)..seconds(until)).contains(&now);
                is_so.then(|| seconds(until))
            }
            _ => None,
        })
    }

    pub fn withholds_acks(&self, of: usize, now: Duration) -> bool {
        self.all.iter().any(|one| match *one {
            Misbehaviour::WithholdAcks { who, since } => who == of && now >= seconds(since),
            _ => false,
        })
    }

    /// What a member that enters gets instead of WELCOME, or of anything else that is not counted.
    pub fn welcome(&mut self, to: usize, frame: Vec<u8>) -> Vec<Vec<u8>> {
        let lies = self.all.iter().zip(&mut self.count);
        let lie = lies.filter_map(|(one, count)| match *one {
            Misbehaviour::Welcome { who, lie } if who == to => Some((lie, count)),
            _ => None,
        });
        let Some((lie, count)) = lie.last() else {
            return vec![frame];
        };
        match ToClient::parse(&frame) {
            Ok(ToClient::Welcome(welcome)) if !welcome.resumed => {
                let mut before = welcome.before;
                let mut members = usize::try_from(welcome.members).unwrap();
                *count = 0;
                match lie {
                    Lie::Position => before.position += 1,
                    Lie::Digest => before.digest[0] ^= 1,
                    Lie::Fewer if members > 0 => {
                        members -= 1;
                        *count = 1;
                    }
                    Lie::Fewer => {}
                    Lie::Ghost => members += 1,
                }
                let mut frames = vec![payload(&Frame::welcome(&before, members, welcome.grace))];
                if lie == Lie::Ghost {
                    frames.push(payload(&Frame::member(&self.ghost)));
                }
                frames
            }
            Ok(ToClient::Member(_)) if *count > 0 => {
                *count = 0;
                Vec::new()
            }
            _ => vec![frame],
        }
    }

    /// What a member gets instead of a frame, and how late.
    pub fn meddle(&mut self, put: &Put, frame: Vec<u8>) -> Vec<Late> {
        let (now, shown) = (put.at, put.entry.and_then(|entry| self.alone.get(&entry)));
        let mut out = vec![(Duration::ZERO, frame)];
        if shown.is_some_and(|alone| *alone != put.to) {
            out.clear();
        }
        let of_member = !put.is_own && put.what != What::Refused;
        let is_stated = [What::Statement, What::Receipt, What::Goodbye].contains(&put.what);
        let is_said = [What::Message, What::Direct].contains(&put.what);
        let is_between = |from, to| of_member && (put.from, put.to) == (from, to);
        let mut is_swapped = false;
        for (one, count) in self.all.iter().zip(&mut self.count) {
            match *one {
                Misbehaviour::One(trick, number)
                    if number == put.number && trick.applies_to(put) =>
                {
                    is_swapped |= trick == Trick::Swap;
                    trick.change(number, &mut out);
                }
                Misbehaviour::Starve {
                    from,
                    to,
                    since,
                    of_all,
                } => {
                    let is_dropped = is_stated || of_all && is_said;
                    if is_between(from, to) && is_dropped && now >= seconds(since) {
                        out.clear();
                    }
                }
                Misbehaviour::DropOnce {
                    from,
                    to,
                    what,
                    since,
                } => {
                    let is_it = is_between(from, to) && put.what == what && *count == 0;
                    if is_it && now >= seconds(since) {
                        *count = 1;
                        out.clear();
                    }
                }
                Misbehaviour::Fork {
                    group,
                    since,
                    until,
                } => {
                    let is_in = |who: usize| group & (1 << who) != 0;
                    let is_apart = of_member && is_in(put.from) != is_in(put.to);
                    if is_apart && (seconds(since)..seconds(until)).contains(&now) {
                        out.clear();
                    }
                }
                Misbehaviour::Visit { from, to, late } if is_between(from, to) => {
                    put_off(&mut out, late);
                }
                Misbehaviour::KeepAlive { from, to, since } if is_between(from, to) => {
                    if matches!(put.what, What::Goodbye | What::Left) {
                        out.clear();
                    } else if put.what == What::Statement && now >= seconds(since) {
                        *count += 1;
                        put_off(&mut out, 100 * *count);
                    }
                }
                Misbehaviour::WithholdOwn { who, since }
                    if put.is_own && put.to == who && now >= seconds(since) =>
                {
                    out.clear();
                }
                _ => {}
            }
        }
        if is_swapped {
            self.swapped.insert(put.to, out);
            return Vec::new();
        }
        if !out.is_empty() {
            out.extend(self.swapped.remove(&put.to).into_iter().flatten());
        }
        out
    }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn put_off(out: &mut [Late], late: u64) {
    for (delay, _) in out {
        *delay += seconds(late);
    }
}

/// Where in a frame to a client what is.
#[derive(Default)]
struct Regions {
    signed: Range<usize>,
    signature: Range<usize>,
    ciphertext: Range<usize>,
}

fn regions(frame: &[u8]) -> Regions {
    let range = |part: &[u8]| {
        let start = part.as_ptr().addr() - frame.as_ptr().addr();
        start..start + part.len()
    };
    let of = |signed: Signed<'_>, ciphertext: &[u8]| Regions {
        signed: range(signed.bytes),
        signature: range(signed.signature),
        ciphertext: range(ciphertext),
    };
    let Ok(parsed) = ToClient::parse(frame) else {
        return Regions::default();
    };
    match parsed {
        ToClient::Entry {
            entry, ciphertext, ..
        } => Signed::parse(entry).map_or_else(
            |_| Regions {
                signed: range(entry),
                ..Regions::default()
            },
            |signed| of(signed, ciphertext),
        ),
        ToClient::Deliver(signed, ciphertext) => of(signed, ciphertext),
        ToClient::Receipt(signed) => of(signed, &frame[..0]),
        _ => Regions::default(),
    }
}

/// Changes a bit in a range: another one in each frame.
fn flip(frame: &mut [u8], range: Range<usize>, number: usize) {
    if !range.is_empty() {
        let place = number.wrapping_mul(0x9e37_79b9) >> 4;
        frame[range.start + place % range.len()] ^= 1 << (number % 8);
    }
}

/// Takes the ciphertext off a frame.
fn strip(frame: &mut Vec<u8>) {
    let ciphertext = regions(frame).ciphertext;
    if !ciphertext.is_empty() {
        frame.truncate(ciphertext.start - 4);
        frame.extend([0; 4]);
    }
}

/// What a frame of a member's is.
fn what_is_sent(frame: &[u8]) -> Option<What> {
    match ToRelay::parse(frame).ok()? {
        ToRelay::Send(send) => {
            let header = Header::parse(&frame[send.header]).ok()?;
            Some(match header.stream {
                Stream::Room => What::Message,
                Stream::Direct(_) => What::Direct,
            })
        }
        ToRelay::Statement(parsed) => {
            let statement = Statement::parse(parsed.statement).ok()?;
            Some(match statement.purpose {
                Purpose::ToAll(Occasion::Goodbye) => What::Goodbye,
                Purpose::ToAll(_) => What::Statement,
                Purpose::Receipt(..) => What::Receipt,
            })
        }
        ToRelay::Rekey(_) => Some(What::Rekeyed),
        _ => None,
    }
}

/// Every trick at every frame of a run without misbehaviour, up to the end of its script.
pub fn tricks(puts: &[Put], end: Duration) -> Vec<Misbehaviour> {
    let mut all = Vec::new();
    for put in puts.iter().filter(|put| put.at <= end) {
        let tricks = Trick::ALL.into_iter();
        let tricks = tricks.filter(|trick| trick.applies_to(put));
        all.extend(tricks.map(|trick| Misbehaviour::One(trick, put.number)));
    }
    all
}

/// Each of these tricks, and from then on no statements of one member come to another.
pub fn with_starvation(
    puts: &[Put],
    tricks: &[Misbehaviour],
    members: usize,
) -> Vec<Vec<Misbehaviour>> {
    let mut all = Vec::new();
    for trick in tricks {
        let Misbehaviour::One(_, number) = trick else {
            continue;
        };
        let since = puts[*number].at.as_secs();
        for (from, to) in pairs(members) {
            let starve = Misbehaviour::Starve {
                from,
                to,
                since,
                of_all: false,
            };
            all.push(vec![*trick, starve]);
        }
    }
    all
}

/// Each of these tricks, and soon after it the member to which it was done is thrown out.
pub fn with_eviction(puts: &[Put], tricks: &[Misbehaviour]) -> Vec<Vec<Misbehaviour>> {
    let mut all = Vec::new();
    for trick in tricks {
        let Misbehaviour::One(_, number) = trick else {
            continue;
        };
        let put = &puts[*number];
        for later in [2, 12] {
            let at = put.at.as_secs() + later;
            all.push(vec![*trick, Misbehaviour::ThrowOut { who: put.to, at }]);
        }
    }
    all
}

fn pairs(members: usize) -> Vec<(usize, usize)> {
    (0..members)
        .flat_map(|from| (0..members).map(move |to| (from, to)))
        .filter(|(from, to)| from != to)
        .collect()
}

/// What a relay may do for longer, with so many members, up to the end of a script.
pub fn habits(members: usize, end: u64) -> Vec<Vec<Misbehaviour>> {
    use Misbehaviour as M;
    let whos = || 0..members;
    let times: Vec<u64> = (60..end).step_by(60).collect();
    let mut all: Vec<Vec<M>> = Vec::new();
    for (from, to) in pairs(members) {
        for late in [30, 130, 250, 420] {
            all.push(vec![M::Visit { from, to, late }]);
        }
        for &since in &times {
            let at = since;
            all.push(vec![M::SayAsleep { who: from, to, at }]);
            for of_all in [false, true] {
                all.push(vec![M::Starve {
                    from,
                    to,
                    since,
                    of_all,
                }]);
            }
            all.push(vec![M::KeepAlive { from, to, since }]);
            let starve = M::Starve {
                from,
                to,
                since,
                of_all: false,
            };
            for what in [What::Message, What::Direct, What::Statement] {
                let drop = M::DropOnce {
                    from,
                    to,
                    what,
                    since,
                };
                let at = since + 20;
                all.push(vec![drop, starve]);
                all.push(vec![drop, M::ThrowOut { who: to, at }]);
                all.push(vec![drop, M::ThrowOut { who: from, at }]);
            }
        }
    }
    for &since in &times {
        all.push(vec![M::Restart { at: since }]);
        let groups = 1..(1_u8 << members) - 1;
        for (group, lasts) in groups.flat_map(|group| [(group, 100), (group, 250)]) {
            let until = since + lasts;
            // Who was apart enters anew.
            let apart = whos().filter(|who| group & (1 << who) != 0);
            let back = apart.map(|who| M::ThrowOut { who, at: until });
            let fork = M::Fork {
                group,
                since,
                until,
            };
            all.push(std::iter::once(fork).chain(back).collect());
        }
        for who in whos() {
            let at = since;
            all.push(vec![M::SayAsleep { who, to: who, at }]);
            all.push(vec![M::ThrowOut { who, at: since }]);
            all.push(vec![M::PretendRestart { who, at: since }]);
            all.push(vec![M::WithholdOwn { who, since }]);
            all.push(vec![M::WithholdAcks { who, since }]);
            for lasts in [20, 150, 400] {
                let until = since + lasts;
                all.push(vec![M::HoldUp { who, since, until }]);
            }
            for what in [
                What::Message,
                What::Direct,
                What::Statement,
                What::Receipt,
                What::Rekeyed,
                What::Goodbye,
            ] {
                all.push(vec![M::Swallow { who, what, since }]);
            }
        }
    }
    for who in whos() {
        all.push(vec![M::WithholdAcks { who, since: 0 }]);
        for lie in [Lie::Position, Lie::Digest, Lie::Fewer, Lie::Ghost] {
            all.push(vec![M::Welcome { who, lie }]);
        }
    }
    all
}
