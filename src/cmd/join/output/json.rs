//! The JSON of `join --json`: one object a line, reports out and requests in (`docs/JSON.md`).

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::room::frame::Departure;
use crate::room::message::Kind;
use crate::room::names::Nick;
use crate::room::session::Standing;

use super::report::{Alarm, Hint, Link, Report, Speech, Who};

/// What a line of standard input asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What the script calls it, if anything: the answer has it too.
    pub id: Option<String>,
    /// What to do.
    pub what: What,
}

/// What can be asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// To say something.
    Say {
        /// To whom alone, if not to everybody.
        to: Option<String>,
        /// Whether it is what one does, rather than says.
        is_action: bool,
        /// What.
        text: String,
    },
    /// To do what this line would do on a terminal; it begins with a slash.
    Command(String),
}

impl Request {
    /// Reads a line.
    ///
    /// # Errors
    /// With what is wrong with it, and what it was called, if that much can be read.
    pub fn parse(line: &str) -> Result<Self, (Option<String>, String)> {
        let value = serde_json::from_str(line)
            .map_err(|error| (None, format!("this line is not JSON: {error}")))?;
        let Value::Object(fields) = value else {
            return Err((None, "this line is not a JSON object".to_owned()));
        };
        let id = fields.get("id").and_then(Value::as_str).map(str::to_owned);
        match Self::what(&fields) {
            Ok(what) => Ok(Self { id, what }),
            Err(error) => Err((id, error)),
        }
    }

    fn what(fields: &Map<String, Value>) -> Result<What, String> {
        let string = |name: &str| {
            let value = fields.get(name).and_then(Value::as_str).map(str::to_owned);
            value.ok_or_else(|| format!("a string `{name}` is missing"))
        };
        let sort = string("type")?;
        let known: &[&str] = match sort.as_str() {
            "say" | "act" | "command" => &["type", "id", "text"],
            "direct" => &["type", "id", "to", "action", "text"],
            _ => return Err("`type` is none of say, act, direct and command".to_owned()),
        };
        if fields.keys().any(|name| !known.contains(&name.as_str())) {
            let known = known.join(", ");
            return Err(format!("`{sort}` has no other fields than {known}"));
        }
        if fields.get("id").is_some_and(|id| !id.is_string()) {
            return Err("`id` is not a string".to_owned());
        }
        let text = string("text")?;
        let is_direct = sort == "direct";
        let is_action = match fields.get("action") {
            None => sort == "act",
            Some(Value::Bool(is_action)) => *is_action,
            Some(_) => return Err("`action` is neither true nor false".to_owned()),
        };
        Ok(if sort == "command" {
            What::Command(text)
        } else {
            What::Say {
                to: is_direct.then(|| string("to")).transpose()?,
                is_action,
                text,
            }
        })
    }
}

/// A report as a line, without its end. What is shown while a request is carried out answers that
/// one. The user's own words are not reported: that they were taken is.
pub(in crate::cmd::join) fn line(report: &Report, answered: Option<&str>) -> Option<String> {
    let object = match report {
        Report::Room {
            relay,
            room,
            is_invite,
        } => Object::new("room")
            .with("relay", relay.as_str())
            .with("room", room.as_str())
            .with("invite", *is_invite),
        Report::You { nick, fingerprint } | Report::Called { nick, fingerprint } => {
            Object::new("you")
                .with("nick", nick.as_str())
                .with("fingerprint", fingerprint.to_string())
                .with_some("id", answered)
        }
        Report::Roster(others) => {
            let others = others
                .iter()
                .map(|who| Object::default().about(who).value());
            Object::new("here")
                .with("people", others.collect::<Vec<_>>())
                .with_some("id", answered)
        }
        Report::Joined(who, _) => Object::new("join").about(who),
        Report::Back { who, .. } => Object::new("return").about(who),
        Report::Rekeyed(who) => Object::new("rekey").about(who),
        Report::Left(who, departure, is_signed) => Object::new("leave")
            .about(who)
            .with("reason", reason(*departure))
            .with("signed", *is_signed),
        Report::Renamed(former, who) => Object::new("nick")
            .about(who)
            .with("former", former.as_str()),
        Report::Away(who, Some(text)) => Object::new("away").about(who).with("text", text.as_str()),
        Report::Away(who, None) => Object::new("back").about(who),
        Report::Said(speech) if speech.own => return None,
        Report::Said(speech) => said(speech),
        Report::Done { id, readers } => Object::new("ack")
            .with_some("readers", *readers)
            .with_some("id", id.as_deref()),
        Report::Link(link, text) => Object::new("link")
            .with("state", state(*link))
            .with("text", text.as_str()),
        Report::Alarm {
            sort,
            nick,
            text,
            count,
        } => Object::new("alarm")
            .with("kind", alarm(*sort))
            .with_some("nick", nick.as_ref().map(Nick::as_str))
            .with("text", text.as_str())
            .with_some("count", (*count > 1).then_some(*count))
            .with_some("id", answered),
        Report::Hint {
            sort,
            nick,
            text,
            count,
        } => Object::new("notice")
            .with("kind", hint(*sort))
            .with("nick", nick.as_str())
            .with("text", text.as_str())
            .with_some("count", (*count > 1).then_some(*count)),
        Report::Invite {
            directions: text, ..
        }
        | Report::Notice(text) => Object::new("notice")
            .with("text", text.as_str())
            .with_some("id", answered),
        Report::Refusal { id, text } => Object::new("error")
            .with("text", text.as_str())
            .with_some("id", id.as_deref().or(answered)),
        Report::Failure(text) => Object::new("error").with("text", text.as_str()),
        Report::Answer(text) => Object::new("answer")
            .with("text", text.as_str())
            .with_some("id", answered),
        Report::Here(..) | Report::Aside(_) => return None,
    };
    let now = Timestamp::now();
    let object = object.with("time", format!("{now:.3}"));
    Some(object.value().to_string())
}

fn said(speech: &Speech) -> Object {
    let is_action = speech.kind == Kind::Action;
    let object = if speech.to.is_some() {
        Object::new("direct").with("action", is_action)
    } else {
        let sort = if is_action { "action" } else { "message" };
        Object::new(sort).with("mentions", speech.mentions)
    };
    object.about(&speech.who).with("text", speech.text.as_str())
}

/// An object on its way to be a line.
#[derive(Default)]
struct Object(Map<String, Value>);

impl Object {
    /// One of this type.
    fn new(sort: &str) -> Self {
        Self::default().with("type", sort)
    }

    /// With who it is about.
    fn about(self, who: &Who) -> Self {
        self.with("nick", who.nick.as_str())
            .with("fingerprint", who.fingerprint.to_string())
            .with("standing", standing(who.standing))
            .with("verified", who.standing == Standing::Verified)
    }

    fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.insert(name.to_owned(), value.into());
        self
    }

    fn with_some(self, name: &str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    fn value(self) -> Value {
        Value::Object(self.0)
    }
}

fn state(link: Link) -> &'static str {
    match link {
        Link::Lost => "lost",
        Link::Resumed => "resumed",
        Link::Returned => "returned",
    }
}

fn standing(standing: Standing) -> &'static str {
    match standing {
        Standing::Changed => "changed",
        Standing::New => "new",
        Standing::Known => "known",
        Standing::Verified => "verified",
    }
}

fn reason(departure: Departure) -> &'static str {
    match departure {
        Departure::Left => "left",
        Departure::Lost => "lost",
        Departure::Slow => "slow",
        Departure::Misbehaved => "misbehaved",
        Departure::Silent => "silent",
    }
}

fn alarm(alarm: Alarm) -> &'static str {
    match alarm {
        Alarm::Identity => "identity",
        Alarm::Disbelieved => "disbelieved",
        Alarm::OtherView => "other-view",
        Alarm::Missing(_) => "missing",
        Alarm::Equivocation => "equivocation",
        Alarm::Quiet => "quiet",
        Alarm::StaleKey => "stale-key",
        Alarm::Unopened => "unopened",
        Alarm::Stray => "stray",
        Alarm::LeftUnsigned => "left-unsigned",
        Alarm::Undelivered => "undelivered",
    }
}

fn hint(hint: Hint) -> &'static str {
    match hint {
        Hint::LeftOut => "left-out",
        Hint::LeftOthersOut => "left-others-out",
        Hint::TooLate => "too-late",
        Hint::Unconfirmed => "unconfirmed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn say(to: Option<&str>, is_action: bool, text: &str) -> What {
        What::Say {
            to: to.map(str::to_owned),
            is_action,
            text: text.to_owned(),
        }
    }

    #[test]
    fn requests() {
        assert_eq!(
            Request::parse(r#"{"type":"say","text":"hi\nthere","id":"7"}"#),
            Ok(Request {
                id: Some("7".to_owned()),
                what: say(None, false, "hi\nthere")
            })
        );
        for (line, what) in [
            (r#"{"type":"act","text":"waves"}"#, say(None, true, "waves")),
            (
                r#"{"text":"psst","to":"bob","type":"direct"}"#,
                say(Some("bob"), false, "psst"),
            ),
            (
                r#"{"type":"direct","to":"bob","action":true,"text":"winks"}"#,
                say(Some("bob"), true, "winks"),
            ),
            (
                r#"{"type":"command","text":"/names"}"#,
                What::Command("/names".to_owned()),
            ),
        ] {
            assert_eq!(Request::parse(line).unwrap().what, what);
        }
    }

    #[test]
    fn what_is_wrong_with_a_request_is_said_in_one_line() {
        for (line, says) in [
            ("hello", "not JSON"),
            ("[1]", "not a JSON object"),
            ("{}", "`type` is missing"),
            (r#"{"type":"say"}"#, "`text` is missing"),
            (r#"{"type":"say","text":7}"#, "`text` is missing"),
            (r#"{"type":"direct","text":"x"}"#, "`to` is missing"),
            (
                r#"{"type":"direct","to":"bob","text":"x","action":1}"#,
                "`action` is neither",
            ),
            (
                r#"{"type":"act","text":"x","action":true}"#,
                "`act` has no other fields than type, id, text",
            ),
            (r#"{"type":"shout","text":"x"}"#, "`type` is none of"),
            (
                r#"{"type":"say","text":"x","to":"bob"}"#,
                "`say` has no other fields",
            ),
            (r#"{"type":"say","text":"x","id":7}"#, "`id` is not"),
            (&"[".repeat(10_000), "not JSON"),
        ] {
            let (_, error) = Request::parse(line).unwrap_err();
            assert!(error.contains(says) && !error.contains('\n'), "{error}");
        }
    }

    #[test]
    fn a_script_learns_which_of_its_requests_is_wrong() {
        let (id, _) = Request::parse(r#"{"type":"say","id":"x"}"#).unwrap_err();
        assert_eq!(id.as_deref(), Some("x"));
    }
}
