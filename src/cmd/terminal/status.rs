//! The state field, which stands before the prompt and says how it stands with the connection and with the
//! user's own words. Nothing stands in it while all is well. It always has the same width: rustyline counts
//! the columns of the prompt once.

use super::style::{Look, Style};

/// The field's width in columns.
pub(super) const WIDTH: usize = 7;
/// The most messages that it counts: more take no more room.
const MOST: usize = 99;

/// What the field says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::cmd) enum Status {
    /// The user is in the room, and everybody has confirmed what the user said.
    #[default]
    Well,
    /// So many of the user's messages are not confirmed by all their readers.
    Waiting(usize),
    /// There is no connection, since this time of day, or this day: five characters.
    Down(String),
}

impl Status {
    /// The field, [`WIDTH`] columns wide.
    pub(super) fn field(&self, style: Style) -> String {
        let (text, look) = match self {
            Self::Well => (String::new(), Look::default()),
            Self::Waiting(number @ ..=MOST) => {
                (format!("{number} wait"), Look::colored(style.theme.quiet()))
            }
            Self::Waiting(_) => (format!("{MOST}+wait"), Look::colored(style.theme.quiet())),
            Self::Down(since) => (
                format!("!{since}"),
                Look {
                    bold: true,
                    ..Look::colored(style.theme.alarming())
                },
            ),
        };
        let space = " ".repeat(WIDTH.saturating_sub(text.len()));
        style.paint(look, &text) + &space
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_it_says_it_has_one_width() {
        for (status, shown) in [
            (Status::Well, "       "),
            (Status::Waiting(1), "1 wait "),
            (Status::Waiting(99), "99 wait"),
            (Status::Waiting(100), "99+wait"),
            (Status::Waiting(usize::MAX), "99+wait"),
            (Status::Down("14:02".to_owned()), "!14:02 "),
            (Status::Down("11-28".to_owned()), "!11-28 "),
        ] {
            let field = status.field(Style::PLAIN);
            assert_eq!((field.as_str(), field.len()), (shown, WIDTH));
        }
    }
}
