//! Commands that are about others: who is here, what is known of them, and making sure of it.

use crate::room::names::Nick;
use crate::room::session::Person;
use crate::room::text::SafeText;

use crate::cmd::join::client::{Client, seconds};
use crate::cmd::join::output::report::{Report, Who};
use crate::cmd::join::output::wording::duration;
use crate::cmd::join::trust::Trust;
use crate::cmd::join::way_in;

impl Client<'_> {
    /// Does something with whoever has this nick, or one that looks like it, or says that there is
    /// nobody.
    pub(in crate::cmd::join) fn with(&mut self, nick: &str, act: impl FnOnce(&mut Self, &Person)) {
        match self.find(nick) {
            Ok(person) => act(self, &person),
            Err(error) => self.refuse(None, error),
        }
    }

    pub(in crate::cmd::join) fn find(&self, nick: &str) -> Result<Person, String> {
        let nobody = || format!("nobody here is called {nick}; /names shows who is here");
        let wanted: Nick = nick.parse().map_err(|_| nobody())?;
        if wanted.skeleton() == self.session.card().nick().skeleton() {
            return Err("that is you; your own fingerprint is what /fingerprint shows".to_owned());
        }
        self.session.person(&wanted).ok_or_else(nobody)
    }

    pub(in crate::cmd::join) fn who_is_here(&mut self) {
        self.own_fingerprint();
        let others = self.session.others();
        self.names(&others);
        self.unconfirmed(&others);
    }

    pub(in crate::cmd::join) fn fingerprint(&mut self, person: &Person) {
        let about = self.trust.identify(self.session.policy(), person);
        self.notice(format!("{} {about}", person.nick));
    }

    /// Shows the digits to compare, or marks somebody as verified, given these.
    pub(in crate::cmd::join) fn verify(&mut self, person: &Person, digits: &str) {
        if !digits.is_empty() {
            let session = &mut self.session;
            let remark = self.trust.verify(session, person, digits, seconds());
            return self.remark([remark]);
        }
        let digits = Trust::comparison(&self.session, person);
        let (nick, own) = (&person.nick, self.session.card().nick());
        self.answer(format!(
            "Is {nick} really {nick}? Call {nick}, or meet, and have {nick} type /verify {own} too.\nUnless somebody is posing as one of you, both of you see this number:\n{digits}\nRead it to each other, never in here. If it is the same, type it after /verify {nick}"
        ));
    }

    pub(in crate::cmd::join) fn verify_all(&mut self, digits: &str) {
        let session = &mut self.session;
        let remarks = self.trust.verify_all(session, digits, seconds());
        self.remark(remarks);
    }

    pub(in crate::cmd::join) fn accept(&mut self, person: &Person, end: &str) {
        let session = &mut self.session;
        let remark = self.trust.accept(session, person, end, seconds());
        self.remark([remark]);
    }

    /// Shows all that is known of somebody.
    pub(in crate::cmd::join) fn whois(&mut self, person: &Person) {
        let now = self.clock.now().uptime;
        let about = self.trust.identify(self.session.policy(), person);
        let mut lines = vec![format!("{} {about}", person.nick)];
        if let Some(presence) = self.session.presence(person.sid) {
            let ago = |since| duration(now.saturating_sub(since));
            lines.push(format!("seen here for {}", ago(presence.here_since)));
            lines.push(format!("session key seen for {}", ago(presence.key_since)));
            lines.push(if person.is_confirmed {
                format!("last heard {} ago", ago(presence.heard))
            } else {
                "nothing signed has come yet: so far, only the relay says that this is so"
                    .to_owned()
            });
            let away = self.absence(person);
            // Each line of it, so that none looks like one of these.
            let away = away.iter().flat_map(|text| text.as_str().lines());
            lines.extend(away.map(|line| format!("away: {line}")));
        }
        let is_ignored = self.ignored.contains_key(&person.fingerprint);
        lines.extend(is_ignored.then(|| "you ignore what is said under this identity".to_owned()));
        self.answer(lines.join("\n"));
    }

    /// Why somebody is away, if so, in words that the user wants to see.
    pub(in crate::cmd::join) fn absence(&self, person: &Person) -> Option<SafeText> {
        let is_heard = !self.ignored.contains_key(&person.fingerprint);
        let presence = self.session.presence(person.sid);
        presence?.away.filter(|_| is_heard)
    }

    /// Shows the code of the room, with the nicks that it is for: it says nothing of anybody else.
    pub(in crate::cmd::join) fn code(&mut self) {
        let others = self.session.others();
        if others.is_empty() {
            return self.notice("nobody else is here yet");
        }
        let code = Trust::room_code(&self.session);
        let mut nicks: Vec<&str> = others.iter().map(|person| person.nick.as_str()).collect();
        nicks.push(self.session.card().nick().as_str());
        nicks.sort_by_key(|nick| nick.to_ascii_lowercase());
        let nicks = nicks.join(", ");
        self.answer(format!(
            "Is everybody here who they say? Call each other, or meet, and have all type /code.\nUnless somebody is posing as another, all of you see this code, which is for {nicks}:\n{code}\nRead it to each other, never in here. If it is the same for all, type it after /code"
        ));
    }

    /// Says how friends get into this room.
    pub(in crate::cmd::join) fn invite(&mut self) {
        let (relay, room, nick) = (self.name, self.room, self.session.card().nick());
        let about = if room.is_invite() {
            "only those who have this invite can enter; hand it on by another way than this relay"
                .to_owned()
        } else {
            format!(
                "that is no invite: anybody who guesses the name {room} can enter; to make a room that nobody can guess, leave and type: e2echat join {relay} --nick {nick} --new-room"
            )
        };
        self.screen.show(&way_in(relay, room));
        self.notice(about);
    }

    pub(in crate::cmd::join) fn own_fingerprint(&mut self) {
        let Who {
            nick, fingerprint, ..
        } = self.who_i_am();
        self.screen.show(&Report::You { nick, fingerprint });
    }

    pub(in crate::cmd::join) fn names(&mut self, people: &[Person]) {
        self.roster(people);
        if people.is_empty() {
            let text = "nobody else is here yet".to_owned();
            self.screen.show(&Report::Aside(text));
        }
        for person in people {
            let about = self.trust.introduce(self.session.policy(), person);
            let away = self.absence(person);
            let away = away.map_or(String::new(), |text| format!(", away: {text}"));
            self.screen
                .show(&Report::Here(person.into(), format!("{about}{away}")));
        }
    }

    /// Tells a program who is here.
    pub(in crate::cmd::join) fn roster(&mut self, people: &[Person]) {
        let others = people.iter().map(Who::from).collect();
        self.screen.show(&Report::Roster(others));
    }

    /// Says who has not shown that they are there. It takes an honest member less than a second, so
    /// it is not worth a word when somebody comes.
    fn unconfirmed(&mut self, people: &[Person]) {
        let nicks: Vec<&str> = people
            .iter()
            .filter(|person| !person.is_confirmed)
            .map(|person| person.nick.as_str())
            .collect();
        if !nicks.is_empty() {
            self.notice(format!(
                "of {} nothing signed has come yet: so far, only the relay says that they are here",
                nicks.join(", ")
            ));
        }
    }

    pub(in crate::cmd::join) fn answer(&mut self, text: impl Into<String>) {
        self.screen.show(&Report::Answer(text.into()));
    }
}
