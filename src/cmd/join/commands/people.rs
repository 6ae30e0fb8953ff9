//! Commands about others: who is here, what is known of them, making sure of it, and whom to ignore.

use std::cmp::Reverse;

use crate::cipher::fingerprint::Fingerprint;
use crate::room::names::Nick;
use crate::room::session::Person;
use crate::room::text::SafeText;

use crate::cmd::join::client::Client;
use crate::cmd::join::clock::unix_seconds;
use crate::cmd::join::introduction;
use crate::cmd::join::output::report::Report;
use crate::cmd::join::output::speech::Who;
use crate::cmd::join::output::{clock_time, duration, list, nicks_of, present};
use crate::cmd::join::trust::{GROUPS, Remark, Trust};

/// What is said where the user wants to say something to themselves.
const NOT_TO_YOU: &str = "not sent: that is you; what is for you alone need not leave this machine";

impl Client<'_> {
    /// Does something with whoever has this nick, or one that looks like it, or says that there is
    /// nobody, or what `of_user` says, as it is the user.
    pub(super) fn with_person(
        &mut self,
        nick: &str,
        of_user: &str,
        act: impl FnOnce(&mut Self, &Person),
    ) {
        match self.find_person(nick, of_user) {
            Ok(person) => act(self, &person),
            Err(error) => self.screen.refuse(None, error),
        }
    }

    /// Whoever has this nick, or one that looks like it.
    ///
    /// # Errors
    /// In words, where there is nobody; those of `of_user` where it is the user.
    pub(super) fn find_person(&self, nick: &str, of_user: &str) -> Result<Person, String> {
        let nobody = || format!("nobody here is called {nick}; /names shows who is here");
        let wanted: Nick = nick.parse().map_err(|_| nobody())?;
        if wanted.skeleton() == self.session.card().nick().skeleton() {
            return Err(of_user.to_owned());
        }
        self.session.person(&wanted).ok_or_else(nobody)
    }

    /// To whom alone something may be said: whoever has this nick, or one that looks like it, and is here or
    /// expected back.
    ///
    /// # Errors
    /// In words, where there is nobody, or it is the user.
    pub(super) fn find_reader(&self, nick: &str) -> Result<Person, String> {
        self.find_person(nick, NOT_TO_YOU).or_else(|error| {
            let wanted = nick.parse().ok().map(|nick: Nick| nick.skeleton());
            let missing = self.find_missing(|person| Some(person.nick.skeleton()) == wanted);
            missing.ok_or(error)
        })
    }

    /// Whom this describes of those who are expected back.
    pub(super) fn find_missing(&self, is_it: impl Fn(&Person) -> bool) -> Option<Person> {
        let expected = self.session.expected(self.clock.now());
        expected.into_iter().find(is_it)
    }

    /// Lists who is here, the user first.
    pub(super) fn names(&mut self) {
        self.own_fingerprint();
        if let Some(seen) = self.here.last_seen(&self.session) {
            self.screen.notice(format!(
                "there is no connection at the moment: this is who was here at {}",
                clock_time(seen)
            ));
        }
        let others = self.session.others();
        self.list_people(&others);
        let missing = nicks_of(&self.session.expected(self.clock.now()));
        if !missing.is_empty() {
            self.screen
                .notice(format!("still missing: {}", list(&missing)));
        }
        self.tell_absent(&others);
    }

    /// Shows somebody's fingerprint.
    pub(super) fn fingerprint(&mut self, person: &Person) {
        let about = self.trust.identify(self.session.policy(), person);
        self.screen.notice(format!("{} {about}", person.nick));
        let number = number_apart(person.fingerprint);
        self.screen.aside(format!("{}'s {number}", person.nick));
    }

    /// Shows the digits to compare with somebody; or, given the digits that were compared, marks them as
    /// verified.
    pub(super) fn verify(&mut self, person: &Person, digits: &str) {
        if !digits.is_empty() {
            let (session, now) = (&mut self.session, unix_seconds());
            let remark = self.trust.verify(session, person, digits, now);
            return self.answer_with([remark]);
        }
        let digits = Trust::comparison(&self.session, person);
        let (nick, own) = (&person.nick, self.session.card().nick());
        self.screen.answer(format!(
            "Is {nick} really {nick}? Call {nick}, or meet, and have {nick} type /verify {own} too.\nUnless somebody is posing as one of you, both of you see this number:\n{digits}\nRead it to each other, never in here. If it is the same, type it after /verify {nick}"
        ));
    }

    /// Marks everybody as verified, given the digits of the room's code.
    pub(super) fn verify_all(&mut self, digits: &str) {
        let (session, now) = (&mut self.session, unix_seconds());
        let remarks = self.trust.verify_all(session, digits, now);
        self.answer_with(remarks);
    }

    /// Accepts somebody's identity, given the end of its fingerprint.
    pub(super) fn accept(&mut self, person: &Person, end: &str) {
        let (session, now) = (&mut self.session, unix_seconds());
        let remark = self.trust.accept(session, person, end, now);
        self.answer_with([remark]);
    }

    /// Notes something of somebody.
    pub(super) fn note(&mut self, person: &Person, text: &str) {
        let (session, now) = (&mut self.session, unix_seconds());
        let remark = self.trust.note(session, person, text, now);
        self.answer_with([remark]);
    }

    fn answer_with(&mut self, remarks: impl IntoIterator<Item = Remark>) {
        for remark in remarks {
            self.filter.answer(&remark.into(), &mut self.screen);
        }
    }

    /// Shows all that is known of somebody.
    pub(super) fn whois(&mut self, person: &Person) {
        let now = self.clock.now().uptime;
        let about = self.trust.identify(self.session.policy(), person);
        let mut lines = vec![format!("{} {about}", person.nick)];
        lines.extend(self.trust.rows(person));
        if let Some(presence) = self.session.presence(person.sid) {
            let ago = |since| duration(now.saturating_sub(since));
            lines.push(format!("seen here for {}", ago(presence.here_since)));
            lines.push(format!("session key seen for {}", ago(presence.key_since)));
            lines.push(if let Some(asleep) = person.asleep {
                let (since, until) = (clock_time(asleep.since), clock_time(asleep.until));
                format!("not connected since {since}, as the relay says; gets what is said until {until}")
            } else if person.is_present {
                format!("last heard {} ago", ago(presence.heard))
            } else if person.differs {
                parted(&[&person.nick])
            } else {
                let nick = &person.nick;
                format!(
                    "nothing signed has come lately that shows that {nick} sees you: only the relay says that {nick} is here"
                )
            });
            let away = self.absence(person);
            // Each line of the reason is marked, so that none looks like a line of ours.
            let away = away.iter().flat_map(|text| text.as_str().lines());
            lines.extend(away.map(|line| format!("away: {line}")));
        }
        let is_ignored = self.filter.is_ignored(person.fingerprint);
        lines.extend(is_ignored.then(|| "you ignore what is said under this identity".to_owned()));
        self.screen.answer(lines.join("\n"));
    }

    /// Why somebody is away, if they are and the user does not ignore them.
    pub(super) fn absence(&self, person: &Person) -> Option<SafeText> {
        let is_ignored = self.filter.is_ignored(person.fingerprint);
        let presence = self.session.presence(person.sid);
        presence?.away.filter(|_| !is_ignored)
    }

    /// Shows the code of the room, with the nicks that it is for. It says nothing of anybody else.
    pub(super) fn code(&mut self) {
        let others = self.session.others();
        if others.is_empty() {
            return self.screen.notice("nobody else is here yet");
        }
        let code = Trust::room_code(&self.session);
        let mut nicks: Vec<&str> = others.iter().map(|person| person.nick.as_str()).collect();
        nicks.push(self.session.card().nick().as_str());
        nicks.sort_by_key(|nick| nick.to_ascii_lowercase());
        let nicks = nicks.join(", ");
        self.screen.answer(format!(
            "Is everybody here who they say? Call each other, or meet, and have all type /code.\nUnless somebody is posing as another, all of you see this code, which is for {nicks}:\n{code}\nRead it to each other, never in here. If it is the same for all, type it after /code"
        ));
    }

    /// Says how friends get into this room.
    pub(super) fn invite(&mut self) {
        let (relay, room) = (self.destination.relay, self.destination.room);
        let nick = self.session.card().nick();
        let about = if room.is_invite() {
            "only those who have this invite can enter; hand it on by another way than this relay"
                .to_owned()
        } else {
            format!(
                "that is no invite: anybody who guesses the name {room} can enter; to make a room that nobody can guess, leave and type: e2echat join {relay} --nick {nick} --new-room"
            )
        };
        self.screen.show(&self.destination.report_directions());
        self.screen.notice(about);
    }

    /// Saves this room under a name.
    pub(in crate::cmd::join) fn save(&mut self, name: &str) {
        let nick = self.session.card().nick();
        self.saving.save(name, nick, &mut self.screen);
    }

    /// Says who the user is.
    pub(super) fn own_fingerprint(&mut self) {
        self.screen.show(&Report::you(self.session.card()));
    }

    /// Lists these people, with what is known of them.
    pub(in crate::cmd::join) fn list_people(&mut self, people: &[Person]) {
        self.report_roster(people);
        if people.is_empty() {
            self.screen.aside("nobody else is here yet");
        }
        for person in people {
            let about = self.trust.introduce(self.session.policy(), person);
            let away = self.absence(person);
            let away = away.map_or(String::new(), |text| format!(", away: {text}"));
            let asleep = person.asleep.map_or(String::new(), |asleep| {
                format!(", not connected since {}", clock_time(asleep.since))
            });
            let about = format!("{about}{away}{asleep}");
            self.screen.show(&Report::Here(person.into(), about));
        }
    }

    /// Lists these people in so few rows that this advice, too, has room in what is said first.
    pub(in crate::cmd::join) fn list_briefly(&mut self, people: &[Person], advice: Option<&str>) {
        let policy = self.session.policy();
        let mut people: Vec<&Person> = people.iter().collect();
        people.sort_by_key(|person| Reverse(person.standing));
        let mut groups: Vec<(String, Vec<Nick>)> = Vec::new();
        for person in people {
            let mut about = Trust::describe_in_short(policy, person);
            if person.asleep.is_some() {
                about += ", not connected";
            }
            match groups.iter_mut().find(|(other, _)| *other == about) {
                Some((_, nicks)) => nicks.push(person.nick.clone()),
                None => groups.push((about, vec![person.nick.clone()])),
            }
        }
        let introduction = introduction::rows(self.destination, self.saving.name());
        let taken = introduction + advice.map_or(0, present::rows);
        let rows = introduction::ROWS.saturating_sub(taken).clamp(1, 2);
        self.screen.aside(present::here(groups, rows));
    }

    /// Tells a program who is here.
    pub(in crate::cmd::join) fn report_roster(&mut self, people: &[Person]) {
        let others = people
            .iter()
            .map(|person| (Who::from(person), person.is_present))
            .collect();
        self.screen.show(&Report::Roster(others));
    }

    /// Says who does not show that they are there. An honest newcomer takes a second or two for it, so it
    /// is not worth a word when somebody comes.
    fn tell_absent(&mut self, people: &[Person]) {
        let (differ, others): (Vec<&Person>, Vec<&Person>) =
            people.iter().partition(|person| person.differs);
        if !differ.is_empty() {
            let differ: Vec<&Nick> = differ.iter().map(|person| &person.nick).collect();
            self.screen.notice(parted(&differ));
        }
        let absent = others
            .iter()
            .filter(|person| !person.is_present && person.asleep.is_none());
        let nicks: Vec<&str> = absent.map(|person| person.nick.as_str()).collect();
        if !nicks.is_empty() {
            self.screen.notice(format!(
                "of {} nothing signed has come lately that shows that they see you: only the relay says that they are here",
                nicks.join(", ")
            ));
        }
    }

    /// Shows nothing more of what somebody says.
    pub(super) fn ignore(&mut self, person: &Person) {
        let nick = &person.nick;
        if self.filter.is_ignored(person.fingerprint) {
            return self.screen.notice(format!(
                "you ignore {nick} already; /unignore {nick} ends that"
            ));
        }
        self.filter.ignore(person.fingerprint, nick);
        self.heed_ignored();
        self.screen.notice(format!(
            "nothing that {nick} says is shown from now on, under whatever nick, and nothing that {nick} has said; /unignore {nick} ends that"
        ));
    }

    /// Lists whom the user ignores, and whom else they could.
    pub(super) fn list_ignored(&mut self) {
        let is_here = |it| self.session.person_with(it).is_some();
        let ignored = self.filter.ignored(is_here);
        self.screen.notice(if ignored.is_empty() {
            "you ignore nobody".to_owned()
        } else {
            format!("you ignore: {}", ignored.join(", "))
        });
        let mut others = self.session.others();
        others.retain(|person| !self.filter.is_ignored(person.fingerprint));
        if !others.is_empty() {
            let nicks = list(&nicks_of(&others));
            self.screen.aside(format!("you can ignore: {nicks}"));
        }
    }

    /// Shows again what somebody says who has this nick, or had it when the user ignored them.
    pub(super) fn unignore(&mut self, nick: &str) {
        let present = self.find_person(nick, "").ok();
        let over = self
            .filter
            .unignore(present.map(|person| person.fingerprint), nick);
        self.heed_ignored();
        self.screen.notice(match over.as_slice() {
            [] => format!("you do not ignore {nick}"),
            nicks => format!("what {} says is shown again", list(nicks)),
        });
    }

    /// Whom the user ignores has changed: the session takes nothing that these hand on, and the screen shows nothing that
    /// they have said.
    fn heed_ignored(&mut self) {
        let ignored = self.filter.ignored_identities();
        let authors = ignored.iter().map(|it| *it.as_bytes()).collect();
        self.screen.ignore(authors);
        self.session.set_ignored(ignored);
    }

    /// Has it told who comes and goes, or not; or says whether it is.
    pub(super) fn set_quiet(&mut self, switch: &str) {
        if !switch.is_empty() {
            self.quiet.set(switch.eq_ignore_ascii_case("on"));
        }
        let is_quiet = self.quiet.is_on(self.session.count_others() + 1);
        self.screen.notice(if is_quiet {
            "who comes and goes is not told, alarms are; /names tells who is here"
        } else {
            "who comes and goes is told"
        });
    }
}

/// The safety number of an identity, with the groups apart that /trust takes.
pub(super) fn number_apart(fingerprint: Fingerprint) -> String {
    let number = fingerprint.safety_number();
    let groups: Vec<&str> = number.split(' ').collect();
    let (first, last) = groups.split_at(groups.len().saturating_sub(GROUPS));
    format!(
        "safety number is {}, and for /trust: {}",
        first.join(" "),
        last.join(" ")
    )
}

/// The words for people who were shown something else than the user.
fn parted(nicks: &[&Nick]) -> String {
    let nicks: Vec<&str> = nicks.iter().map(|nick| nick.as_str()).collect();
    format!(
        "the relay shows you and {} different things; /reconnect enters the room anew",
        nicks.join(", ")
    )
}
