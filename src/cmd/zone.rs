//! The user's time zone, as the C library reads it. `jiff` reads fewer forms of `TZ` than that.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ZonedDateTime};

/// Where the zones are, beside the folder that `TZDIR` names.
const FOLDERS: [&str; 3] = ["/usr/share/zoneinfo", "/usr/lib/zoneinfo", "/etc/zoneinfo"];

/// The longest file of a zone that is read, in bytes.
const MAX_FILE: u64 = 1 << 20;

/// When summer time begins, and when it ends, where `TZ` does not say it, as in glibc.
const RULES: [&str; 2] = ["M3.2.0", "M11.1.0"];

/// Whether somebody has asked for the zone in order to show a time.
static IS_ASKED_FOR: AtomicBool = AtomicBool::new(false);
/// Whether the user knows that no zone is found.
static IS_TOLD: AtomicBool = AtomicBool::new(false);

/// The zone. `None` where none is found: the times are in UTC then.
fn found() -> Option<&'static TimeZone> {
    static ZONE: OnceLock<Option<TimeZone>> = OnceLock::new();
    let find = || match std::env::var_os("TZ") {
        None => TimeZone::try_system()
            .ok()
            .filter(|zone| !zone.is_unknown()),
        Some(name) => named(&name),
    };
    ZONE.get_or_init(find).as_ref()
}

/// The zone in which a time is about to be shown.
pub(super) fn local() -> TimeZone {
    IS_ASKED_FOR.store(true, Ordering::Relaxed);
    found().cloned().unwrap_or(TimeZone::UTC)
}

/// Now, to be shown in that zone.
pub(super) fn now() -> ZonedDateTime {
    Timestamp::now().to_zoned_datetime(local())
}

/// Which day it is in that zone, whether or not a time is shown.
pub(super) fn today() -> Date {
    let zone = found().cloned().unwrap_or(TimeZone::UTC);
    Timestamp::now().to_zoned_datetime(zone).date()
}

/// Says, once, that times are in UTC, if a time is about to be shown and no zone is found.
pub(super) fn take_warning() -> Option<String> {
    let is_due = IS_ASKED_FOR.load(Ordering::Relaxed) && found().is_none();
    if !is_due || IS_TOLD.swap(true, Ordering::Relaxed) {
        return None;
    }
    let why = match std::env::var_os("TZ") {
        Some(name) => format!("there is no time zone {} here", name.to_string_lossy()),
        None => "this system does not say its time zone".to_owned(),
    };
    Some(format!("times are shown in UTC: {why}"))
}

/// The zone that a value of `TZ` names: a file, or a description of its own (POSIX, "Other Environment Variables").
fn named(name: &OsStr) -> Option<TimeZone> {
    let name = name.to_str()?;
    let name = name.strip_prefix(':').unwrap_or(name);
    if name.is_empty() {
        return Some(TimeZone::UTC);
    }
    let folder = std::env::var_os("TZDIR").filter(|folder| !folder.is_empty());
    let folders = folder.map(PathBuf::from).into_iter();
    let mut folders = folders.chain(FOLDERS.map(PathBuf::from));
    // An absolute path stays one.
    folders
        .find_map(|folder| in_file(name, &folder.join(name)))
        .or_else(|| TimeZone::get(name).ok())
        .or_else(|| described(name))
}

/// The zone that describes itself. glibc cuts numbers that are too large, and takes what is left out from
/// its own rules.
fn described(text: &str) -> Option<TimeZone> {
    let (standard, rest) = offset(behind_name(text)?)?;
    let Some(rest) = behind_name(rest) else {
        return TimeZone::posix(&format!("STD{}", shown(standard))).ok();
    };
    let (summer, rest) = offset(rest).unwrap_or((standard - 3600, rest));
    let mut rules = rest.strip_prefix(',').unwrap_or(rest).split(',');
    let [begins, ends] = RULES.map(|rule| {
        let given = rules.next().filter(|given| !given.is_empty());
        given.unwrap_or(rule)
    });
    let (standard, summer) = (shown(standard), shown(summer));
    TimeZone::posix(&format!("STD{standard}DST{summer},{begins},{ends}")).ok()
}

/// What stands behind the name of a zone: three letters or more, or anything between `<` and `>`.
fn behind_name(text: &str) -> Option<&str> {
    let (name, rest) = if let Some(quoted) = text.strip_prefix('<') {
        quoted.split_once('>')?
    } else {
        let end = text.find(|sign: char| !sign.is_ascii_alphabetic());
        text.split_at(end.unwrap_or(text.len()))
    };
    (name.len() >= 3).then_some(rest)
}

/// The seconds to add to the time of a zone for UTC, and what stands behind them.
fn offset(text: &str) -> Option<(i32, &str)> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let end = unsigned.find(|sign: char| !sign.is_ascii_digit() && sign != ':');
    let (numbers, rest) = unsigned.split_at(end.unwrap_or(unsigned.len()));
    let mut numbers = numbers.split(':');
    let mut next = |most: i32| match numbers.next() {
        None | Some("") => 0,
        // What is too long for a number is too large, too.
        Some(digits) => digits.parse().unwrap_or(most).min(most),
    };
    let seconds = 3600 * next(24) + 60 * next(59) + next(59);
    let is_number = unsigned.starts_with(|sign: char| sign.is_ascii_digit());
    let sign = if text.starts_with('-') { -1 } else { 1 };
    is_number.then_some((sign * seconds, rest))
}

/// An offset as a zone that describes itself has it.
fn shown(offset: i32) -> String {
    let (sign, seconds) = (if offset < 0 { "-" } else { "" }, offset.abs());
    let (minutes, seconds) = (seconds / 60, seconds % 60);
    format!("{sign}{}:{:02}:{seconds:02}", minutes / 60, minutes % 60)
}

fn in_file(name: &str, path: &Path) -> Option<TimeZone> {
    let there = fs::metadata(path).ok()?;
    let is_short_file = there.is_file() && there.len() <= MAX_FILE;
    let bytes = is_short_file.then(|| fs::read(path).ok()).flatten()?;
    TimeZone::tzif(name, &bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the clock shows in this zone, in winter and in summer.
    fn clock(name: &str) -> Option<[String; 2]> {
        let zone = named(OsStr::new(name))?;
        let at = |time: &str| {
            let time: Timestamp = time.parse().unwrap();
            time.to_zoned_datetime(zone.clone())
                .strftime("%H:%M")
                .to_string()
        };
        Some(["2026-01-15T12:00:00Z", "2026-07-15T12:00:00Z"].map(at))
    }

    #[test]
    fn zones_that_describe_themselves_are_read_as_the_c_library_reads_them() {
        for (name, winter, summer) in [
            ("CET-1CEST", "13:00", "14:00"),
            ("CET-1CEST,M3.5.0,M10.5.0/3", "13:00", "14:00"),
            (":CET-1CEST", "13:00", "14:00"),
            ("CET-1CEST,", "13:00", "14:00"),
            ("EST5EDT4", "07:00", "08:00"),
            ("<+0330>-3:30", "15:30", "15:30"),
            ("<-03>3<-02>", "09:00", "10:00"),
            ("JST-9", "21:00", "21:00"),
            ("CET-1CEST,M3.5.0", "13:00", "14:00"),
            ("CET-1CEST,M3.5.0,", "13:00", "14:00"),
            ("CET-1CEST,J60", "13:00", "14:00"),
            ("CET-1CEST,59,300", "13:00", "14:00"),
            ("CET-1CEST,M3.5.0/26,M10.5.0/-2", "13:00", "14:00"),
            ("CET-1CEST,M3.5.0,M10.5.0,x", "13:00", "14:00"),
            ("CET-1CE", "13:00", "13:00"),
            ("CET-1 ", "13:00", "13:00"),
            ("CET-1:30:15CEST", "13:30", "14:30"),
            ("cet-1cest-99", "13:00", "12:00"),
            ("IST-5:30", "17:30", "17:30"),
            ("IST-5:", "17:00", "17:00"),
            ("IST-005:030", "17:30", "17:30"),
            ("IST-5:75", "17:59", "17:59"),
            ("IST-5:30:99", "17:30", "17:30"),
            ("IST-25:30", "12:30", "12:30"),
            ("IST-99999999999", "12:00", "12:00"),
            ("UTC0", "12:00", "12:00"),
            ("UTC", "12:00", "12:00"),
            ("", "12:00", "12:00"),
            (":", "12:00", "12:00"),
        ] {
            let expected = [winter, summer].map(str::to_owned);
            assert_eq!(clock(name), Some(expected), "{name}");
        }
        for name in [
            "Nowhere/Else",
            "posix",
            "/",
            "..",
            "CET+",
            "AB-1",
            "<CET-1",
            "<>-1",
            "CET -1",
            "CET-1CEST,M13.1.0",
            "CET-1CEST,x",
        ] {
            assert_eq!(clock(name), None, "{name}");
        }
    }
}
