//! Limits the reports that others can cause again and again: shows a few, and counts the rest. So nobody
//! can fill the screen, the log or the memory with them.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::cipher::fingerprint::Fingerprint;
use crate::room::names::Nick;

use super::report::Report;
use crate::cmd::zone;

/// How many repeats are kept: enough for all that a full room can cause at once. A report that comes again
/// and again takes one place, so whoever causes it drives out no others.
const KEPT_REPEATS: usize = 1000;

/// How many of the latest repeats `/audit` looks at.
const LISTED: usize = 100;

/// The first reports of a kind are each worth a line. After them there is one line in each such time, which
/// says how many there were.
const PERIOD: Duration = Duration::from_mins(1);

/// How many lines there may be in that time about whether a member is away, as people change their mind; and
/// about what it hands on, or asks for.
const WISHES: u64 = 10;

/// Whom, or what, a report is about. Reports of one kind and one subject are counted together.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Subject {
    /// The member with this identity.
    Member(Fingerprint),
    /// What these words say, perhaps of a member.
    Words(String, Option<Fingerprint>),
    /// No member.
    Nobody,
}

impl Subject {
    fn member(&self) -> Option<Fingerprint> {
        match self {
            Self::Member(member) => Some(*member),
            Self::Words(_, member) => *member,
            Self::Nobody => None,
        }
    }
}

/// A report that has come, perhaps more than once.
pub(in crate::cmd::join) struct Repeat {
    /// The kind, which is a word of JSON.
    kind: &'static str,
    subject: Subject,
    /// The report as it came last.
    report: Report,
    /// The local time of day at which it came last.
    time: String,
    /// How often it has come, in all.
    count: u64,
    /// When the present period began.
    since: Instant,
    /// How many lines the client has shown in this period.
    shown: u64,
    /// How often it has come without a line, and no line has said so.
    held: u64,
}

impl Repeat {
    /// How many lines there may be in a period.
    fn line_limit(&self) -> u64 {
        match &self.report {
            Report::Incident { what, .. } => what.row().per_minute,
            _ => WISHES,
        }
    }

    /// Takes note that the report has come again. Missing messages, those who are quiet, and what is handed on
    /// add up while no line has told of them.
    fn recur(&mut self, report: &Report) {
        let is_taken_in = match (&mut self.report, report) {
            (Report::Incident { what: before, .. }, Report::Incident { what, .. })
                if self.held > 0 =>
            {
                before.take_in(what)
            }
            (Report::Share(before), Report::Share(share)) if self.held > 0 => {
                before.take_in(share);
                true
            }
            (Report::ShareEnd(before), Report::ShareEnd(end)) if self.held > 0 => {
                before.take_in(end);
                true
            }
            _ => false,
        };
        if !is_taken_in {
            self.report = report.clone();
        }
        let now = zone::now();
        self.time = now.strftime("%H:%M:%S").to_string();
        self.count += 1;
    }

    /// Takes the reports that were held back, as one with their number.
    fn release(&mut self, now: Instant) -> Option<Report> {
        let held = std::mem::take(&mut self.held);
        if held == 0 {
            return None;
        }
        (self.since, self.shown) = (now, 1);
        Some(self.report.clone().with_count(held))
    }

    /// The line for `/audit`; `None` if it is no alarm.
    fn line(&self) -> Option<String> {
        let Report::Incident { what, .. } = &self.report else {
            return None;
        };
        if !self.report.is_alarm() {
            return None;
        }
        let text = what.words();
        let (time, count) = (&self.time, self.count);
        Some(match count {
            1 => format!("{time} {text}"),
            _ => format!("{time} ({count} times) {text}"),
        })
    }
}

/// The repeats of late, the latest last.
#[derive(Default)]
pub(in crate::cmd::join) struct Repeats {
    kept: VecDeque<Repeat>,
    /// What was held back of repeats that are not kept any more.
    forgotten: Vec<Report>,
}

impl Repeats {
    /// Takes note of a report, which is about the member with this identity, if `about` is given. Returns
    /// its repeat, or `None` for a report that others cannot cause again and again.
    pub(in crate::cmd::join) fn note(
        &mut self,
        report: &Report,
        about: Option<Fingerprint>,
        now: Instant,
    ) -> Option<&mut Repeat> {
        let (kind, subject) = topic(report, about)?;
        let is_same = |it: &Repeat| it.kind == kind && it.subject == subject;
        let place = self.kept.iter().position(is_same);
        let before = place.and_then(|place| self.kept.remove(place));
        let mut repeat = before.unwrap_or_else(|| Repeat {
            kind,
            subject,
            report: report.clone(),
            time: String::new(),
            count: 0,
            since: now,
            shown: 0,
            held: 0,
        });
        repeat.recur(report);
        if self.kept.len() == KEPT_REPEATS
            && let Some(mut oldest) = self.kept.pop_front()
        {
            self.forgotten.extend(oldest.release(now));
        }
        self.kept.push_back(repeat);
        self.kept.back_mut()
    }

    /// Takes note of a report. Returns whether the client should show it now. Otherwise it is held back,
    /// and [`Repeats::release`] returns it later, with the others of its kind.
    pub(in crate::cmd::join) fn admit(
        &mut self,
        report: &Report,
        about: Option<Fingerprint>,
        now: Instant,
    ) -> bool {
        let Some(repeat) = self.note(report, about, now) else {
            return true;
        };
        if repeat.held == 0 && now.saturating_duration_since(repeat.since) >= PERIOD {
            (repeat.since, repeat.shown) = (now, 0);
        }
        let is_shown = repeat.shown < repeat.line_limit();
        if is_shown {
            repeat.shown += 1;
        } else {
            repeat.held += 1;
        }
        is_shown
    }

    /// Takes the reports that were held back for a [`PERIOD`], or all of them.
    pub(in crate::cmd::join) fn release(&mut self, now: Instant, all: bool) -> Vec<Report> {
        let mut released = std::mem::take(&mut self.forgotten);
        let is_due = |it: &&mut Repeat| all || now.saturating_duration_since(it.since) >= PERIOD;
        let due = self.kept.iter_mut().filter(is_due);
        released.extend(due.filter_map(|repeat| repeat.release(now)));
        released
    }

    /// When [`Repeats::release`] has something to return, if it will.
    pub(in crate::cmd::join) fn next_due(&self) -> Option<Instant> {
        let forgotten = self.forgotten.first().map(|_| Instant::now());
        let held = self.kept.iter().filter(|repeat| repeat.held > 0);
        held.map(|repeat| repeat.since + PERIOD)
            .chain(forgotten)
            .min()
    }

    /// Drops what was held back and comes of what this member sends.
    pub(in crate::cmd::join) fn hush(&mut self, sender: Fingerprint) {
        for repeat in &mut self.kept {
            if repeat.subject.member() == Some(sender) && repeat.report.is_of_sender() {
                repeat.held = 0;
            }
        }
    }

    /// The lines for `/audit`: the latest alarms, the latest last.
    pub(in crate::cmd::join) fn alarms(&self) -> Vec<String> {
        let before = self.kept.len().saturating_sub(LISTED);
        let latest = self.kept.iter().skip(before);
        latest.filter_map(Repeat::line).collect()
    }
}

/// The kind and the subject of a report; `None` if others cannot cause it again and again.
fn topic(report: &Report, about: Option<Fingerprint>) -> Option<(&'static str, Subject)> {
    let member = about.map_or(Subject::Nobody, Subject::Member);
    match report {
        Report::Incident { what, .. } if what.row().per_minute > 1 => {
            Some((what.row().kind, Subject::Words(what.words(), about)))
        }
        Report::Incident { what, .. } => Some((what.row().kind, member)),
        Report::Away(who, _) => Some(("away", Subject::Member(who.fingerprint))),
        Report::Share(share) => {
            let to = share.to.as_ref().map(Nick::to_string);
            let subject = Subject::Words(to.unwrap_or_default(), about);
            Some(("share", subject))
        }
        Report::ShareEnd(_) => Some(("share-end", member)),
        Report::CatchUp(who) => Some(("catch-up", Subject::Member(who.fingerprint))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::cmd::join::output::alarms::{Incident, Reason};
    use crate::cmd::join::output::handed::Share;
    use crate::cmd::join::output::report::words_with_count;
    use crate::cmd::join::output::speech::Who;
    use crate::cmd::terminal::Entry;
    use crate::room::message::OpenError;
    use crate::room::session::Standing;
    use crate::room::text::SafeText;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn mallory() -> Nick {
        "mallory".parse().unwrap()
    }

    fn member(number: usize) -> Fingerprint {
        Fingerprint::of(&number.to_be_bytes())
    }

    fn unopened(reason: OpenError) -> Report {
        let nick = mallory();
        Incident::Unopened { nick, reason }.into()
    }

    fn missing(messages: u64) -> Report {
        let nick = mallory();
        Incident::Missing { nick, messages }.into()
    }

    fn stray() -> Report {
        Incident::Stray {}.into()
    }

    /// The words and numbers of incidents.
    fn told(reports: &[Report]) -> Vec<(String, u64)> {
        let told = reports.iter().map(|report| match report {
            Report::Incident { what, count } => (words_with_count(what, *count), *count),
            _ => panic!("no incident: {report:?}"),
        });
        told.collect()
    }

    #[test]
    fn a_flood_is_one_line_and_then_one_a_minute_with_the_number_of_the_others() {
        let (mut repeats, start) = (Repeats::default(), Instant::now());
        let unopened = unopened(OpenError::Signature);
        let it = "something came under the name of mallory and is not shown: its signature is wrong; ask mallory to say it again";
        let shown = (0..5000).filter(|_| repeats.admit(&unopened, Some(member(1)), start));
        assert_eq!(shown.count(), 1);
        assert_eq!(told(&repeats.release(start + 59 * SECOND, false)), []);
        let later = start + 60 * SECOND;
        let released = repeats.release(later, false);
        assert_eq!(
            told(&released),
            [(format!("{it} (4999 times in the last minute)"), 4999)]
        );
        // The line with the number counts as a line, too.
        assert!(!repeats.admit(&unopened, Some(member(1)), later));
        assert_eq!(told(&repeats.release(later + 59 * SECOND, false)), []);
        // What is held back when the program ends comes then.
        let released = repeats.release(later + SECOND, true);
        assert_eq!(told(&released), [(it.to_owned(), 1)]);
        assert_eq!(told(&repeats.release(later + SECOND, true)), []);
        assert!(repeats.admit(&unopened, Some(member(1)), later + 120 * SECOND));
        let [line] = &repeats.alarms()[..] else {
            panic!("{:?}", repeats.alarms());
        };
        assert!(line.ends_with(&format!(" (5002 times) {it}")), "{line}");
    }

    #[test]
    fn another_kind_or_another_member_is_another_thing() {
        let (mut repeats, now) = (Repeats::default(), Instant::now());
        let bad = unopened(OpenError::Signature);
        let bad_in_other_words = unopened(OpenError::NotForMe);
        for (first, second, about) in [
            (&bad, &bad_in_other_words, Some(member(1))),
            (&bad, &bad_in_other_words, Some(member(2))),
            (&missing(1), &missing(2), Some(member(1))),
            (&stray(), &stray(), None),
        ] {
            assert!(repeats.admit(first, about, now));
            assert!(!repeats.admit(second, about, now));
        }
        // So is another name under which somebody comes whom the user does not know by it.
        for name in ["bob", "carol"] {
            for about in [1, 2].map(member).map(Some) {
                let (nick, text) = (mallory(), name.to_owned());
                let identity = Incident::Identity { nick, text }.into();
                let shown = (0..100).filter(|_| repeats.admit(&identity, about, now));
                assert_eq!(shown.count(), 10);
            }
        }
    }

    #[test]
    fn messages_that_are_missing_add_up() {
        let (mut repeats, now) = (Repeats::default(), Instant::now());
        for messages in [5, 7, 1, 50] {
            repeats.admit(&missing(messages), Some(member(1)), now);
        }
        let released = repeats.release(now, true);
        let [(text, 3)] = &told(&released)[..] else {
            panic!("not one for three: {released:?}");
        };
        assert!(text.starts_with("58 messages from mallory did not arrive: "));
    }

    #[test]
    fn those_who_are_quiet_add_up() {
        let (mut repeats, now) = (Repeats::default(), Instant::now());
        for (names, seconds) in [("erin fay", 240), ("Carl dan", 250), ("bob dan", 244)] {
            let nicks = names.split(' ').map(|name| name.parse().unwrap());
            let (nicks, time) = (nicks.collect(), Duration::from_secs(seconds));
            repeats.admit(&Incident::Quiet { nicks, time }.into(), None, now);
        }
        let released = repeats.release(now, true);
        let [(text, 2)] = &told(&released)[..] else {
            panic!("not one for two: {released:?}");
        };
        let words = "for 4 min nothing has come that shows that these are there: bob, Carl, dan;";
        assert!(text.starts_with(words), "{text}");
    }

    #[test]
    fn what_was_not_delivered_is_said_each_time() {
        let (mut repeats, now) = (Repeats::default(), Instant::now());
        for reason in [Reason::NotTaken, Reason::Gone] {
            let undelivered = Incident::Undelivered {
                receipt: 1,
                id: None,
                readers: vec![mallory()],
                text: "hello".to_owned(),
                reason,
                messages: 1,
            };
            let report = undelivered.into();
            for _ in 0..3 {
                assert!(repeats.admit(&report, None, now));
            }
        }
    }

    #[test]
    fn nothing_is_lost_of_what_is_not_remembered_any_more() {
        let (mut repeats, now) = (Repeats::default(), Instant::now());
        for number in 0..=KEPT_REPEATS {
            for _ in 0..3 {
                repeats.admit(&stray(), Some(member(number)), now);
            }
        }
        assert_eq!(repeats.kept.len(), KEPT_REPEATS);
        assert_eq!(repeats.alarms().len(), LISTED);
        let released = told(&repeats.release(now, false));
        let [(text, 2)] = &released[..] else {
            panic!("not one for two: {released:?}");
        };
        assert!(text.ends_with(" (2 times in the last minute)"), "{text}");
    }

    #[test]
    fn whoever_is_not_to_be_heard_is_not_heard_later_either() {
        let (mut repeats, now) = (Repeats::default(), Instant::now());
        let (nicks, time) = (vec![mallory()], Duration::from_mins(4));
        let quiet = Incident::Quiet { nicks, time }.into();
        for report in [&unopened(OpenError::Signature), &quiet] {
            for _ in 0..3 {
                repeats.admit(report, Some(member(1)), now);
            }
        }
        repeats.hush(member(1));
        let [Report::Incident { what, count }] = &repeats.release(now, true)[..] else {
            panic!("not one alarm");
        };
        assert!(matches!(what, Incident::Quiet { .. }), "{what:?}");
        assert_eq!(*count, 2);
    }

    #[test]
    fn what_is_handed_on_adds_up_for_each_reader() {
        let (mut repeats, start) = (Repeats::default(), Instant::now());
        let by = Who {
            nick: mallory(),
            fingerprint: member(1),
            standing: Standing::New,
        };
        let share = |to: &str, count| {
            Report::Share(Share {
                by: by.clone(),
                to: Some(to.parse().unwrap()),
                is_to_user: false,
                count,
            })
        };
        let mut admit = |report: &Report| repeats.admit(report, Some(member(1)), start);
        for _ in 0..WISHES {
            assert!(admit(&share("carol", 1)));
        }
        assert!(admit(&share("dora", 7)), "another reader");
        for count in [1, 300, 2] {
            assert!(!admit(&share("carol", count)));
        }
        let released = repeats.release(start + PERIOD, false);
        let told: Vec<_> = released.iter().map(Report::entry).collect();
        let words = "mallory hands on 303 earlier messages to carol";
        let expected = Entry::Notice(SafeText::new(words));
        assert_eq!(told, [Some(expected)]);
        // Who is ignored is not told of, whoever it hands something on to.
        assert!(repeats.admit(&share("carol", 1), Some(member(1)), start + PERIOD));
        for _ in 0..WISHES {
            repeats.admit(&share("carol", 1), Some(member(1)), start + PERIOD);
        }
        repeats.hush(member(1));
        assert!(repeats.release(start + 3 * PERIOD, true).is_empty());
    }
}
