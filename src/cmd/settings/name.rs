//! What a room is saved as.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

const MAX_NAME: usize = 24;

/// The name of a saved room, in lower case. It cannot be taken for an address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(in crate::cmd) struct SavedName(String);

impl SavedName {
    pub(in crate::cmd) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SavedName {
    type Err = &'static str;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let may_be_in_it = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if !name.starts_with(|c: char| c.is_ascii_alphabetic()) || !name.chars().all(may_be_in_it) {
            return Err(
                "the name of a saved room has letters, digits, - and _, and begins with a letter",
            );
        }
        if name.len() > MAX_NAME {
            return Err("the name of a saved room has at most 24 characters");
        }
        let name = name.to_ascii_lowercase();
        if name == "localhost" || name.starts_with("inv-") {
            return Err("that is a host or an invite, and no name for a saved room");
        }
        Ok(Self(name))
    }
}

impl fmt::Display for SavedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_of_a_saved_room_can_be_an_address() {
        for name in [
            "work",
            "Work",
            "w",
            "our-room_2",
            "the-longest-that-a-name-b",
        ] {
            let long = name.len() > MAX_NAME;
            assert_eq!(name.parse::<SavedName>().is_err(), long, "{name}");
        }
        assert_eq!("Work".parse::<SavedName>().unwrap().as_str(), "work");
        for name in [
            "",
            "localhost",
            "LOCALHOST",
            "127",
            "0x7f",
            "a.b",
            "a:1",
            "::1",
            "a/b",
            "inv-x",
            "ä",
            "a b",
        ] {
            assert!(name.parse::<SavedName>().is_err(), "{name}");
        }
    }
}
