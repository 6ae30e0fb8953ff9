//! What people do with commands, at terminals, with the real program: whom what they say reaches,
//! and whom they take for whom.

use crate::support::process::{Client, Home, Relay, wait_for};
use crate::support::screen::Screen;

/// Somebody at a terminal, with a home of their own.
struct Person {
    screen: Screen,
    home: Home,
    nick: &'static str,
}

impl Person {
    fn join(relay: &Relay, nick: &'static str, options: &[&str]) -> Self {
        let home = Home::new();
        let screen = Screen::join(&home, &relay.address().to_string(), nick, options);
        Self { screen, home, nick }
    }

    /// With an identity that lasts.
    fn join_as_ever(relay: &Relay, nick: &'static str) -> Self {
        let home = Home::new();
        let (path, _) = home.identity("identity.pem");
        let address = relay.address().to_string();
        let screen = Screen::join(&home, &address, nick, &["--identity", &path]);
        Self { screen, home, nick }
    }

    fn enter(&mut self, line: &str) {
        self.screen.enter(line);
    }

    /// Waits for a row that ends so.
    #[track_caller]
    fn sees(&self, end: &str) -> String {
        let what = format!("{end} before {}", self.nick);
        self.screen.wait_for_row(&what, |row| row.ends_with(end))
    }

    #[track_caller]
    fn sees_row(&self, what: &str, is_it: impl Fn(&str) -> bool) -> String {
        self.screen.wait_for_row(what, is_it)
    }

    /// Whether a row has ever had this in it.
    fn has_seen(&self, text: &str) -> bool {
        let rows = self.screen.transcript();
        rows.iter().any(|row| row.contains(text))
    }
}

/// Waits until each of these sees that all the others are there.
#[track_caller]
fn all_here(people: &[&Person]) {
    for person in people {
        for other in people.iter().filter(|other| other.nick != person.nick) {
            let joined = format!("* {} joined ", other.nick);
            person.sees_row(other.nick, |row| {
                let here = row.strip_prefix("* here: ").unwrap_or_default();
                let mut words = here.split([' ', ',']);
                words.any(|word| word == other.nick) || row.starts_with(&joined)
            });
        }
    }
}

#[test]
fn what_is_said_to_one_reaches_that_one_alone_and_is_marked_at_both_ends() {
    let relay = Relay::start(&[]);
    let [mut ada, mut bob, carol] =
        ["ada", "bob", "carol"].map(|nick| Person::join(&relay, nick, &[]));
    all_here(&[&ada, &bob, &carol]);
    ada.enter("/msg bob between us");
    bob.sees("<ada → you> between us");
    ada.sees("<ada → bob> between us");
    bob.enter("/reply indeed");
    ada.sees("<bob → you> indeed");
    // What comes after that has come to her too.
    bob.enter("for all");
    carol.sees("<bob> for all");
    assert!(!carol.has_seen("between us") && !carol.has_seen("indeed"));
    assert!(
        !carol.has_seen("!"),
        "nor is she told that anything is missing"
    );
}

#[test]
fn a_reply_goes_to_who_wrote_and_not_to_who_has_that_nick_now() {
    let relay = Relay::start(&[]);
    let [mut ada, mut bob] = ["ada", "bob"].map(|nick| Person::join(&relay, nick, &[]));
    all_here(&[&ada, &bob]);
    bob.enter("/msg ada it is me");
    ada.sees("<bob → you> it is me");
    bob.enter("/nick robert");
    ada.sees("* bob is called robert now, and is still the same");
    let other = Person::join(&relay, "bob", &[]);
    ada.sees_row("the other bob", |row| row.starts_with("* bob joined "));
    ada.enter("/reply for robert's eyes");
    bob.sees("<ada → you> for robert's eyes");
    ada.enter("done");
    other.sees("<ada> done");
    assert!(!other.has_seen("for robert's eyes"));
    // Once he is gone there is nobody to reply to.
    bob.enter("/quit");
    ada.sees("* robert left");
    ada.enter("/reply are you there?");
    ada.sees("? not sent: whoever wrote to you is not here any more");
}

#[test]
fn who_is_verified_stays_so_under_another_nick_and_is_known_by_it_the_next_time() {
    let relay = Relay::start(&[]);
    let mut ada = Person::join_as_ever(&relay, "ada");
    let mut bob = Person::join_as_ever(&relay, "bob");
    all_here(&[&ada, &bob]);
    ada.enter("/verify bob");
    let digits = ada.sees_row("digits", |row| {
        row.starts_with("| ") && row.chars().filter(char::is_ascii_digit).count() == 60
    });
    ada.enter(&format!("/verify bob {}", digits.trim_start_matches("| ")));
    ada.sees("* bob is verified");
    bob.enter("/nick robert");
    ada.sees("* bob is called robert now, and is still the same");
    ada.enter("/whois robert");
    ada.sees_row("robert", |row| {
        row.starts_with("| robert SHA256:") && row.contains("(verified, known since ")
    });
    assert!(!ada.has_seen("!"));
    let known = std::fs::read_to_string(ada.home.known_people()).expect("she knows people");
    assert!(
        known.contains(" verified ") && known.contains(" robert SHA256:"),
        "{known}"
    );
}

#[test]
fn somebody_takes_the_nick_of_a_person_whom_one_knows() {
    let relay = Relay::start(&[]);
    let mut ada = Person::join_as_ever(&relay, "ada");
    let mut bob = Person::join_as_ever(&relay, "bob");
    all_here(&[&ada, &bob]);
    bob.enter("/quit");
    ada.sees("* bob left");
    let mut eve = Person::join_as_ever(&relay, "eve");
    ada.sees_row("eve", |row| row.starts_with("* eve joined "));
    eve.enter("/nick bob");
    ada.sees("* eve is called bob now, and is still the same");
    ada.sees_row("the alarm", |row| {
        row.starts_with("! THE IDENTITY OF bob HAS CHANGED")
    });
    ada.enter("the secret");
    ada.sees_row("left out", |row| {
        row.starts_with("* 0 can read this, 1 left out")
    });
    ada.enter("/msg bob the other secret");
    ada.sees_row("refusal", |row| {
        row.starts_with("? not sent, as you send nothing to bob for now")
    });
    eve.enter("give me that");
    ada.sees("<?bob> give me that");
    assert!(!eve.has_seen("secret"));
}

#[test]
fn who_is_not_accepted_gets_nothing_under_another_nick_either() {
    let relay = Relay::start(&[]);
    let mut ada = Person::join_as_ever(&relay, "ada");
    let mut bob = Person::join_as_ever(&relay, "bob");
    all_here(&[&ada, &bob]);
    bob.enter("/quit");
    ada.sees("* bob left");
    let mut eve = Person::join_as_ever(&relay, "bob");
    ada.sees_row("the alarm", |row| {
        row.starts_with("! THE IDENTITY OF bob HAS CHANGED")
    });
    eve.enter("/msg ada send me the code");
    ada.sees("<?bob → you> send me the code");
    eve.enter("/nick robert");
    ada.sees_row("the other alarm", |row| {
        row.starts_with("! robert is whoever came with another identity than the one you know")
    });
    ada.enter("/reply the secret");
    ada.sees_row("refusal", |row| {
        row.starts_with("? not sent, as you send nothing to robert for now")
    });
    ada.enter("another secret");
    ada.sees_row("left out", |row| {
        row.starts_with("* 0 can read this, 1 left out")
    });
    eve.enter("and now?");
    ada.sees("<?robert> and now?");
    assert!(!eve.has_seen("secret"));
    // Her fingerprint's end, which ada would have to ask for, accepts that very identity.
    eve.enter("/fingerprint");
    let own = eve.sees_row("fingerprint", |row| {
        row.starts_with("* you are robert SHA256:")
    });
    let end = own.get(own.len() - 10..).expect("a fingerprint");
    ada.enter(&format!("/trust robert {end}"));
    ada.sees_row("it", |row| row.starts_with("* robert is known by "));
    ada.enter("welcome");
    eve.sees("<ada> welcome");
}

#[test]
fn whom_one_ignores_is_not_heard_under_another_nick_either() {
    let relay = Relay::start(&[]);
    let [mut ada, mut bob, mut carol] =
        ["ada", "bob", "carol"].map(|nick| Person::join(&relay, nick, &[]));
    all_here(&[&ada, &bob, &carol]);
    ada.enter("/ignore bob");
    ada.sees_row("it", |row| {
        row.starts_with("* nothing that bob says is shown")
    });
    bob.enter("spam one");
    bob.enter("/nick robert");
    carol.sees("* bob is called robert now, and is still the same");
    bob.enter("spam two");
    bob.enter("/msg ada spam three");
    bob.sees("<robert → ada> spam three");
    bob.enter("/away spam four");
    carol.sees("* robert is away: spam four");
    carol.enter("what a day");
    ada.sees("<carol> what a day");
    ada.enter("/ignore");
    ada.sees("* you ignore: robert, who was bob");
    ada.enter("/names");
    ada.enter("/whois robert");
    ada.sees("| you ignore what is said under this identity");
    ada.enter("/msg robert stop that");
    bob.sees("<ada → you> stop that");
    ada.enter("/unignore robert");
    ada.sees("* what robert says is shown again");
    bob.enter("sorry");
    ada.sees("<robert> sorry");
    assert!(!ada.has_seen("spam"));
    assert!(
        !ada.has_seen("!"),
        "nothing is missing: it came, and was not shown"
    );
}

#[test]
fn what_somebody_says_of_an_absence_does_not_look_like_what_is_known_of_them() {
    let relay = Relay::start(&[]);
    let mut ada = Person::join(&relay, "ada", &[]);
    let mut mallory = Client::start(relay.address(), "mallory", &["--json"]);
    ada.sees_row("mallory", |row| row.starts_with("* mallory joined "));
    let away = r"/away tea\nbob SHA256:forged (verified)";
    mallory.say(&format!(r#"{{"type":"command","text":"{away}"}}"#));
    ada.sees("* mallory is away: tea");
    ada.enter("/whois mallory");
    ada.sees("| away: tea");
    ada.enter("what is that?");
    ada.sees("<ada> what is that?");
    let rows = ada.screen.transcript();
    let forged: Vec<&String> = rows.iter().filter(|row| row.contains("forged")).collect();
    let starts = ["*   bob", "| away: bob"];
    assert_eq!(forged.len(), starts.len(), "{rows:#?}");
    for (row, start) in forged.iter().zip(starts) {
        assert!(row.starts_with(start), "{rows:#?}");
    }
}

#[test]
fn a_reply_that_is_being_typed_does_not_go_to_whoever_writes_meanwhile() {
    let relay = Relay::start(&[]);
    let home = Home::new();
    let log = home.file("log");
    let options = ["--log", log.to_str().expect("it is UTF-8")];
    let mut ada = Person::join(&relay, "ada", &options);
    let [mut bob, mut eve] = ["bob", "eve"].map(|nick| Person::join(&relay, nick, &[]));
    all_here(&[&ada, &bob, &eve]);
    bob.enter("/msg ada what is the password?");
    ada.sees("<bob → you> what is the password?");
    // Nothing is shown while the input takes rows that cannot be counted.
    let flags = "🇩🇪".repeat(400);
    ada.screen
        .type_text(&format!("/reply sesame {flags} typed"));
    ada.screen.sees("typed");
    eve.enter("/msg ada hello");
    let has_come = || std::fs::read_to_string(&log).is_ok_and(|log| log.contains("hello"));
    wait_for(|| has_come().then_some(()), || "it has not come".to_owned());
    assert!(!ada.has_seen("hello"));
    ada.enter("");
    ada.sees_row("refusal", |row| {
        row.starts_with("? not sent: somebody else")
    });
    ada.enter("/reply what do you want?");
    eve.sees("<ada → you> what do you want?");
    assert!(!eve.has_seen("sesame"));
}

#[test]
fn newcomers_learn_who_is_away_and_nobody_else_is_told_again() {
    let relay = Relay::start(&[]);
    let [mut ada, bob] = ["ada", "bob"].map(|nick| Person::join(&relay, nick, &[]));
    all_here(&[&ada, &bob]);
    ada.enter("/away walking the dog");
    bob.sees("* ada is away: walking the dog");
    let mut carol = Person::join(&relay, "carol", &[]);
    carol.sees("* ada is away: walking the dog");
    carol.enter("/names");
    carol.sees_row("ada in the list", |row| {
        row.starts_with("* here: ada ") && row.ends_with(", away: walking the dog")
    });
    carol.enter("/msg ada when you are back");
    carol.sees("* ada is away: walking the dog");
    ada.enter("/back");
    for there in [&bob, &carol] {
        there.sees("* ada is not away any more");
    }
    let told = |person: &Person| {
        let rows = person.screen.transcript();
        let is_it = |row: &&String| row.as_str() == "* ada is away: walking the dog";
        rows.iter().filter(is_it).count()
    };
    assert_eq!(told(&bob), 1);
}

#[test]
fn two_who_want_one_nick_at_one_time_both_stay() {
    let relay = Relay::start(&[]);
    let [mut ada, mut bob, carol] =
        ["ada", "bob", "carol"].map(|nick| Person::join(&relay, nick, &[]));
    all_here(&[&ada, &bob, &carol]);
    ada.enter("/nick zoe");
    bob.enter("/nick zoe");
    carol.sees(" is called zoe now, and is still the same");
    let refused = || {
        let is_refusal = |row: &String| row.starts_with('?') && row.contains("zoe");
        [&ada, &bob].map(|it| it.screen.transcript().iter().any(is_refusal))
    };
    wait_for(
        || (refused() != [false, false]).then_some(()),
        || "nobody is refused".to_owned(),
    );
    assert_ne!(refused(), [true, true]);
    for (number, person) in [&mut ada, &mut bob].into_iter().enumerate() {
        person.enter(&format!("number {number} is here"));
        carol.sees(&format!("> number {number} is here"));
    }
}

#[test]
fn what_stands_behind_a_space_and_a_slash_is_not_sent() {
    let relay = Relay::start(&[]);
    let [mut ada, bob] = ["ada", "bob"].map(|nick| Person::join(&relay, nick, &[]));
    all_here(&[&ada, &bob]);
    ada.enter(" /msg bob the secret");
    ada.sees_row("refusal", |row| {
        row.starts_with("? not sent: there is a space")
    });
    ada.enter("//shrug");
    bob.sees("<ada> /shrug");
    assert!(!bob.has_seen("secret"));
}

#[test]
fn the_history_can_be_shown_again_after_the_screen_was_cleared() {
    let relay = Relay::start(&[]);
    let mut ada = Person::join(&relay, "ada", &[]);
    let mut bob = Client::join(relay.address(), "bob", &[]);
    ada.sees_row("bob", |row| row.starts_with("* bob joined "));
    for line in ["one", "two", "three"] {
        bob.say(line);
    }
    ada.sees("<bob> three");
    ada.enter("/clear");
    ada.screen
        .wait_for("empty screen", |shown| !shown.contains("three"));
    ada.enter("/history 2");
    ada.sees("<bob> three");
    let shown = ada.screen.contents();
    assert!(
        shown.contains("<bob> two") && !shown.contains("<bob> one"),
        "{shown}"
    );
    ada.enter("/history x");
    ada.sees("? it is used like this: /history [N]");
}

#[test]
fn who_is_ignored_stays_so_under_another_nick_and_is_listed_by_it() {
    let relay = Relay::start(&[]);
    let [mut ada, mut bob] = ["ada", "bob"].map(|nick| Person::join(&relay, nick, &[]));
    all_here(&[&ada, &bob]);
    ada.enter("/ignore bob");
    ada.sees_row("that he is not heard", |row| {
        row.starts_with("* nothing that bob says is shown")
    });
    bob.enter("/nick robert");
    ada.sees("* bob is called robert now, and is still the same");
    ada.enter("/ignore");
    ada.sees("* you ignore: robert, who was bob");
    ada.enter("/ignore robert");
    ada.sees("* you ignore robert already; /unignore robert ends that");
    ada.enter("/unignore bob");
    ada.sees("* what robert says is shown again");
    bob.enter("heard");
    ada.sees("<robert> heard");
    ada.enter("/unignore robert");
    ada.sees("* you do not ignore robert");
}
