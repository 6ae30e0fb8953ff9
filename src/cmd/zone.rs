//! The user's time zone, as the C library reads it. `jiff` reads fewer forms of `TZ` than that.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use jiff::tz::TimeZone;
use jiff::{Timestamp, ZonedDateTime};

/// Where the zones are, beside the folder that `TZDIR` names.
const FOLDERS: [&str; 3] = ["/usr/share/zoneinfo", "/usr/lib/zoneinfo", "/etc/zoneinfo"];

/// The longest file of a zone that is read, in bytes.
const MAX_FILE: u64 = 1 << 20;

/// When summer time begins and ends where `TZ` does not say it, as in glibc.
const RULES: &str = ",M3.2.0,M11.1.0";

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

/// The zone in which times are shown.
pub(super) fn local() -> TimeZone {
    found().cloned().unwrap_or(TimeZone::UTC)
}

/// Now, in that zone.
pub(super) fn now() -> ZonedDateTime {
    Timestamp::now().to_zoned_datetime(local())
}

/// Whether no zone is found.
pub(super) fn is_unknown() -> bool {
    found().is_none()
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
        .or_else(|| TimeZone::posix(name).ok())
        .or_else(|| TimeZone::posix(&format!("{}{RULES}", name.trim_end_matches(','))).ok())
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
            ("UTC0", "12:00", "12:00"),
            ("UTC", "12:00", "12:00"),
            ("", "12:00", "12:00"),
            (":", "12:00", "12:00"),
        ] {
            let expected = [winter, summer].map(str::to_owned);
            assert_eq!(clock(name), Some(expected), "{name}");
        }
        for name in ["Nowhere/Else", "posix", "/", "..", "CET+"] {
            assert_eq!(clock(name), None, "{name}");
        }
    }
}
