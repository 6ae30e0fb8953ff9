//! Which colours there are: one for each member, the same for everyone, and a few for the program's
//! own words. They are of the 256 colours that terminals agree on: only of these does one know how they
//! look, and so whether people can read them.

use std::fmt;

/// The background on which people have to read the colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(in crate::cmd) enum Theme {
    /// For a dark background
    #[default]
    Dark,
    /// For a light background
    Light,
}

/// A member's colour, as an angle of which the whole circle is 2^16. The theme turns it into a colour.
///
/// XEP-0392 (Consistent Color Generation) makes the angle from the first 16 bits of a digest,
/// so that other programs can show the same colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cmd) struct Hue(u16);

impl Hue {
    /// The colour of the member with this fingerprint.
    #[must_use]
    pub(in crate::cmd) fn of(&[low, high, ..]: &[u8; 32]) -> Self {
        Self(u16::from_le_bytes([low, high]))
    }
}

/// How many colours members can have: as many as one can tell apart in both themes.
const HUES: usize = 10;

/// The colours of members, as numbers of the 256. Each is the clearest of those whose hue lies in its
/// tenth of the circle.
const DARK: [u8; HUES] = [210, 214, 184, 76, 43, 44, 39, 141, 207, 211];
const LIGHT: [u8; HUES] = [160, 94, 58, 28, 29, 23, 24, 93, 127, 162];

impl Theme {
    /// The theme for the background that the variable `COLORFGBG` names, which a few terminals set;
    /// otherwise the dark one.
    #[must_use]
    pub(in crate::cmd) fn from_env() -> Self {
        std::env::var("COLORFGBG").map_or(Self::default(), |colors| Self::of_background(&colors))
    }

    /// Reads the value of `COLORFGBG`. It has two colours, or three where there is a picture behind
    /// them. The last is the background's, of the 16 colours that terminals began with.
    fn of_background(colors: &str) -> Self {
        match colors.rsplit(';').next() {
            Some("7" | "9" | "10" | "11" | "12" | "13" | "14" | "15") => Self::Light,
            _ => Self::Dark,
        }
    }

    /// The colour of a member, as a number of the 256.
    pub(super) fn member(self, Hue(angle): Hue) -> u8 {
        let colors = match self {
            Self::Dark => DARK,
            Self::Light => LIGHT,
        };
        let [color, ..] = colors;
        let tenth = (usize::from(angle) * HUES) >> u16::BITS;
        colors.get(tenth).copied().unwrap_or(color)
    }

    /// The colour of what matters less: times, notices.
    pub(super) fn quiet(self) -> u8 {
        match self {
            Self::Dark => 247,
            Self::Light => 242,
        }
    }

    /// The colour of warnings.
    pub(super) fn alarming(self) -> u8 {
        match self {
            Self::Dark => 203,
            Self::Light => 124,
        }
    }
}

impl fmt::Display for Theme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dark => "dark",
            Self::Light => "light",
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;

    use super::*;

    /// The least contrast of text that WCAG 2 calls legible (success criterion 1.4.3).
    const LEGIBLE: f64 = 4.5;

    /// Red, green and blue, from 0 to 1 and linear.
    type Linear = [f64; 3];

    fn linear(rgb: [u8; 3]) -> Linear {
        rgb.map(|value| {
            let value = f64::from(value) / 255.0;
            if value <= 0.04045 {
                value / 12.92
            } else {
                ((value + 0.055) / 1.055).powf(2.4)
            }
        })
    }

    /// What xterm, and whoever came after it, draws for a colour's number.
    fn rgb(color: u8) -> [u8; 3] {
        const STEPS: [u8; 6] = [0, 95, 135, 175, 215, 255];
        match color {
            0..16 => panic!("{color} is the user's to choose"),
            16..232 => [(color - 16) / 36, (color - 16) / 6 % 6, (color - 16) % 6]
                .map(|step| STEPS[usize::from(step)]),
            232.. => [8 + 10 * (color - 232); 3],
        }
    }

    fn luminance([red, green, blue]: Linear) -> f64 {
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }

    fn contrast(color: u8, background: [u8; 3]) -> f64 {
        let (one, other) = (luminance(linear(rgb(color))), luminance(linear(background)));
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    /// The hue in CIELUV, which is that of XEP-0392's `HSLuv`.
    fn hue(color: u8) -> f64 {
        // The rows of sRGB's matrix, and in CIELUV's terms the white that it is made for.
        const XYZ: [Linear; 3] = [
            [0.4124, 0.3576, 0.1805],
            [0.2126, 0.7152, 0.0722],
            [0.0193, 0.1192, 0.9505],
        ];
        const WHITE: [f64; 2] = [0.197_83, 0.468_32];
        let rgb = linear(rgb(color));
        let [x, y, z] = XYZ.map(|row| row.iter().zip(rgb).map(|(a, b)| a * b).sum::<f64>());
        let sum = x + 15.0 * y + 3.0 * z;
        let angle = (9.0 * y / sum - WHITE[1]).atan2(4.0 * x / sum - WHITE[0]);
        angle.to_degrees().rem_euclid(360.0)
    }

    #[test]
    fn every_colour_can_be_read_on_its_background() {
        for theme in Theme::value_variants() {
            // Dark backgrounds differ, and the lightest is the hardest; the light ones are white.
            let (members, background) = match theme {
                Theme::Dark => (DARK, [40; 3]),
                Theme::Light => (LIGHT, [255; 3]),
            };
            for color in members.into_iter().chain([theme.quiet(), theme.alarming()]) {
                let contrast = contrast(color, background);
                assert!(contrast >= LEGIBLE, "{theme}, {color}: {contrast}");
            }
        }
    }

    #[test]
    fn every_colour_is_of_its_part_of_the_circle() {
        for colors in [DARK, LIGHT] {
            for (tenth, color) in (0_i32..).zip(colors) {
                let from = f64::from(tenth) * 36.0;
                assert!(
                    (from..from + 36.0).contains(&hue(color)),
                    "{color}: {}",
                    hue(color)
                );
            }
        }
    }

    #[test]
    fn a_fingerprint_has_the_same_hue_in_both_themes() {
        let fingerprint = |low, high| {
            let mut bytes = [0xff; 32];
            [bytes[0], bytes[1]] = [low, high];
            Hue::of(&bytes)
        };
        for (low, high, tenth) in [(0, 0, 0), (0xff, 0, 0), (0, 0x80, 5), (0xff, 0xff, 9)] {
            let hue = fingerprint(low, high);
            assert_eq!(Theme::Dark.member(hue), DARK[tenth]);
            assert_eq!(Theme::Light.member(hue), LIGHT[tenth]);
        }
    }

    #[test]
    fn the_terminal_says_which_background_it_has() {
        for (said, theme) in [
            ("15;0", Theme::Dark),
            ("0;15", Theme::Light),
            ("0;default;15", Theme::Light),
            ("15;default", Theme::Dark),
            ("7;8", Theme::Dark),
            ("", Theme::Dark),
        ] {
            assert_eq!(Theme::of_background(said), theme, "{said}");
        }
    }

    #[test]
    fn a_theme_is_written_as_it_is_chosen() {
        for theme in Theme::value_variants() {
            assert_eq!(Theme::from_str(&theme.to_string(), false), Ok(*theme));
        }
    }
}
