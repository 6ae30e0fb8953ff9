//! Numbers in ranges, and which messages of a stream have come (PROTOCOL §5).

use crate::cipher::encoding::{Decoder, Encoder, Malformed};

/// The most ranges that are told apart, but in a card.
pub const MAX_RANGES: usize = 256;

/// Numbers, as the ranges that they form: ascending, with something between any two.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ranges(Vec<(u64, u64)>);

impl Ranges {
    /// The highest number, if there is any.
    #[must_use]
    pub fn last(&self) -> Option<u64> {
        self.0.last().map(|(_, last)| *last)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a number is among them.
    #[must_use]
    pub fn contains(&self, number: u64) -> bool {
        let place = self.0.partition_point(|(_, last)| *last < number);
        self.0.get(place).is_some_and(|(first, _)| *first <= number)
    }

    /// How many numbers there are from `first` to `last`.
    #[must_use]
    pub fn count_within(&self, first: u64, last: u64) -> u64 {
        let clipped = |(from, to): &(u64, u64)| {
            let (from, to) = (first.max(*from), last.min(*to));
            to.checked_sub(from)
                .map_or(0, |more| more.saturating_add(1))
        };
        self.0.iter().map(clipped).fold(0, u64::saturating_add)
    }

    /// How many numbers there are that are among these, too.
    #[must_use]
    pub fn count_common(&self, others: &Self) -> u64 {
        let ranges = others.0.iter();
        ranges
            .map(|(first, last)| self.count_within(*first, *last))
            .fold(0, u64::saturating_add)
    }

    /// Adds all numbers from `first` to `last`.
    pub fn insert(&mut self, first: u64, last: u64) {
        let start = self
            .0
            .partition_point(|(_, to)| to.saturating_add(1) < first);
        let end = self
            .0
            .partition_point(|(from, _)| *from <= last.saturating_add(1));
        let touched = self.0.get(start..end).unwrap_or_default();
        let from = touched.first().map_or(first, |(from, _)| first.min(*from));
        let to = touched.last().map_or(last, |(_, to)| last.max(*to));
        self.0.splice(start..end, [(from, to)]);
    }

    /// Removes a number.
    pub fn remove(&mut self, number: u64) {
        let place = self.0.partition_point(|(_, last)| *last < number);
        let Some((first, last)) = self.0.get(place).copied() else {
            return;
        };
        if first > number {
            return;
        }
        let before = (first < number).then(|| (first, number - 1));
        let after = (number < last).then(|| (number + 1, last));
        self.0
            .splice(place..=place, before.into_iter().chain(after));
    }

    /// Removes all numbers up to this one.
    pub fn remove_through(&mut self, number: u64) {
        self.0.retain(|(_, last)| *last > number);
        if let Some((first, _)) = self.0.first_mut() {
            *first = number.saturating_add(1).max(*first);
        }
    }

    /// Makes them so many ranges at most, by adding the fewest numbers between two of them again and
    /// again.
    pub fn join_closest(&mut self, most: usize) {
        while self.0.len() > most.max(1) {
            let gaps = self.0.array_windows().enumerate();
            let closest = gaps.min_by_key(|(_, [(_, last), (first, _)])| first - last);
            let Some((place, [(first, _), (_, last)])) = closest else {
                return;
            };
            let joined = (*first, *last);
            self.0.splice(place..=place + 1, [joined]);
        }
        self.give_back_space();
    }

    /// Takes the lowest range if there are more than [`MAX_RANGES`].
    fn take_excess(&mut self) -> Option<(u64, u64)> {
        let excess = (self.0.len() > MAX_RANGES).then(|| self.0.remove(0));
        self.give_back_space();
        excess
    }

    /// Gives back the space for one range too many, which is as much again: whoever wants the memory of
    /// others has them keep many of these.
    fn give_back_space(&mut self) {
        self.0.shrink_to(MAX_RANGES);
    }

    /// How many bytes of memory it takes.
    pub(super) fn memory(&self) -> usize {
        self.0.capacity() * size_of::<(u64, u64)>()
    }

    /// Adds its fields to a structure.
    pub(super) fn encode(&self, fields: Encoder) -> Encoder {
        let mut fields = fields.count(self.0.len());
        for (first, last) in &self.0 {
            fields = fields.u64(*first).u64(*last);
        }
        fields
    }

    /// Reads so many ranges at most.
    ///
    /// # Errors
    /// Where they are more, or not of the form that [`Ranges::encode`] writes.
    pub(super) fn parse(fields: &mut Decoder<'_>, most: usize) -> Result<Self, Malformed> {
        let count = fields.count(16)?;
        if count > most {
            return Err(Malformed);
        }
        let ranges = (0..count)
            .map(|_| Ok((fields.u64()?, fields.u64()?)))
            .collect::<Result<Vec<(u64, u64)>, Malformed>>()?;
        let are_apart = ranges.is_sorted_by(|(_, last), (first, _)| {
            last.checked_add(1).is_some_and(|after| after < *first)
        });
        let are_ranges = ranges.iter().all(|(first, last)| first <= last);
        if are_apart && are_ranges {
            Ok(Self(ranges))
        } else {
            Err(Malformed)
        }
    }
}

impl FromIterator<(u64, u64)> for Ranges {
    fn from_iter<T: IntoIterator<Item = (u64, u64)>>(of: T) -> Self {
        let mut ranges = Self::default();
        for (first, last) in of {
            ranges.insert(first, last);
        }
        ranges
    }
}

/// What became of a message at its reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was opened, and handed to the display.
    Opened,
    /// It was not, for whatever reason.
    Unopened,
}

/// Which messages of a stream have come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Had {
    /// One above the highest number that has come.
    pub next: u64,
    /// Those below that have not come.
    pub missing: Ranges,
    /// Those below that came and could not be opened, or that are not waited for any more.
    pub unopened: Ranges,
}

impl Had {
    /// What became of the message with this number, if that is known.
    #[must_use]
    pub fn outcome(&self, number: u64) -> Option<Outcome> {
        if number >= self.next || self.missing.contains(number) {
            None
        } else if self.unopened.contains(number) {
            Some(Outcome::Unopened)
        } else {
            Some(Outcome::Opened)
        }
    }

    /// A message has come, for the first time with this number, or opens only now.
    pub fn take(&mut self, number: u64, outcome: Outcome) {
        self.expect(number);
        self.next = self.next.max(number.saturating_add(1));
        self.missing.remove(number);
        self.unopened.remove(number);
        if outcome == Outcome::Unopened {
            self.unopened.insert(number, number);
        }
        self.bound();
    }

    /// Keeps no more ranges than can be told.
    fn bound(&mut self) {
        if let Some((first, last)) = self.missing.take_excess() {
            self.unopened.insert(first, last);
        }
        // What is between is said to have not come: better than the other way round.
        self.unopened.join_closest(MAX_RANGES);
    }

    /// The next message that comes has this number, or a higher one.
    pub fn expect(&mut self, number: u64) {
        if self.next < number {
            self.missing.insert(self.next, number - 1);
            self.next = number;
            self.bound();
        }
    }

    /// Adds its fields to a structure.
    pub(super) fn encode(&self, fields: Encoder) -> Encoder {
        self.unopened
            .encode(self.missing.encode(fields.u64(self.next)))
    }

    /// Reads it.
    ///
    /// # Errors
    /// Where it is not of the form that [`Had::encode`] writes.
    pub(super) fn parse(fields: &mut Decoder<'_>) -> Result<Self, Malformed> {
        let next = fields.u64()?;
        let missing = Ranges::parse(fields, MAX_RANGES)?;
        let unopened = Ranges::parse(fields, MAX_RANGES)?;
        if missing.last().max(unopened.last()) >= Some(next) {
            return Err(Malformed);
        }
        Ok(Self {
            next,
            missing,
            unopened,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranges(of: &[(u64, u64)]) -> Ranges {
        of.iter().copied().collect()
    }

    #[test]
    fn ranges_that_touch_are_one() {
        assert_eq!(ranges(&[(1, 2), (5, 6), (3, 4)]).0, [(1, 6)]);
        assert_eq!(
            ranges(&[(1, 2), (6, 7), (4, 4)]).0,
            [(1, 2), (4, 4), (6, 7)]
        );
        assert_eq!(ranges(&[(3, 4), (1, 9)]).0, [(1, 9)]);
        assert_eq!(ranges(&[(0, u64::MAX), (7, 7)]).0, [(0, u64::MAX)]);
    }

    #[test]
    fn a_number_is_removed_from_the_middle_and_the_ends() {
        let mut some = ranges(&[(1, 5)]);
        some.remove(3);
        some.remove(1);
        some.remove(5);
        some.remove(9);
        assert_eq!(some.0, [(2, 2), (4, 4)]);
        assert!(some.contains(2) && !some.contains(3) && some.contains(4));
        assert_eq!(ranges(&[(1, 5), (8, 9)]).count_within(4, 8), 3);
    }

    #[test]
    fn too_many_ranges_are_joined_where_least_is_between() {
        let mut some = ranges(&[(1, 1), (9, 9), (11, 12), (20, 20), (22, 22)]);
        some.join_closest(3);
        assert_eq!(some.0, [(1, 1), (9, 12), (20, 22)]);
        some.join_closest(1);
        assert_eq!(some.0, [(1, 22)]);
        some.remove_through(5);
        assert_eq!(some.0, [(6, 22)]);
        some.remove_through(22);
        assert_eq!(some.last(), None);
    }

    #[test]
    fn what_has_not_come_is_known_by_its_number() {
        let mut had = Had::default();
        had.take(0, Outcome::Opened);
        had.take(5, Outcome::Unopened);
        had.take(3, Outcome::Opened);
        let outcomes: Vec<Option<Outcome>> = (0..7).map(|n| had.outcome(n)).collect();
        let (opened, unopened) = (Some(Outcome::Opened), Some(Outcome::Unopened));
        assert_eq!(outcomes, [opened, None, None, opened, None, unopened, None]);
        had.take(5, Outcome::Opened);
        assert_eq!(had.outcome(5), opened);
    }

    #[test]
    fn what_cannot_be_told_apart_any_more_is_never_said_to_have_come() {
        let mut had = Had::default();
        for number in 0..2 * u64::try_from(MAX_RANGES).unwrap() + 10 {
            had.take(3 * number, Outcome::Opened);
        }
        assert_eq!(had.missing.0.len(), MAX_RANGES);
        for number in 0..had.next {
            if number % 3 != 0 {
                assert_ne!(had.outcome(number), Some(Outcome::Opened), "{number}");
            }
        }
        assert!(had.unopened.0.len() <= MAX_RANGES);
        had.expect(had.next + 5);
        assert_eq!(had.missing.0.len(), MAX_RANGES);
    }

    #[test]
    fn it_is_read_as_it_is_written_and_not_otherwise() {
        let read = |bytes: Vec<u8>| {
            let mut fields = Decoder::new(&bytes);
            let had = Had::parse(&mut fields)?;
            fields.finish().map(|()| had)
        };
        let had = Had {
            next: 9,
            missing: ranges(&[(1, 2), (4, 4)]),
            unopened: ranges(&[(8, 8)]),
        };
        assert_eq!(read(had.encode(Encoder::default()).finish()), Ok(had));
        for missing in [
            &[(4, 4), (1, 2)][..],
            &[(1, 2), (3, 3)],
            &[(2, 1)],
            &[(9, 9)],
        ] {
            let wrong = Had {
                next: 9,
                missing: Ranges(missing.to_vec()),
                unopened: Ranges::default(),
            };
            assert_eq!(
                read(wrong.encode(Encoder::default()).finish()),
                Err(Malformed)
            );
        }
    }
}
