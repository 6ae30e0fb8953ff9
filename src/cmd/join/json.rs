//! The JSON of `join --json`: one object a line, reports out and requests in (`docs/JSON.md`).

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::room::frame::Departure;
use crate::room::message::Kind;
use crate::room::names::Nick;
use crate::room::session::Standing;

use super::report::{Link, Report, Speech, Who};

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
    /// To say this to everybody.
    Say(String),
    /// To tell everybody that one does this.
    Act(String),
    /// To say this to one member alone.
    Direct {
        /// To whom.
        to: String,
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
        let text = |name: &str| {
            let value = fields.get(name).and_then(Value::as_str).map(str::to_owned);
            value.ok_or_else(|| format!("a string `{name}` is missing"))
        };
        let sort = text("type")?;
        let known: &[&str] = match sort.as_str() {
            "direct" => &["type", "id", "to", "text"],
            _ => &["type", "id", "text"],
        };
        let what = match sort.as_str() {
            "say" => What::Say(text("text")?),
            "act" => What::Act(text("text")?),
            "direct" => What::Direct {
                to: text("to")?,
                text: text("text")?,
            },
            "command" => What::Command(text("text")?),
            other => {
                return Err(format!(
                    "there is no type `{other}`: use say, act, direct or command"
                ));
            }
        };
        if let Some(other) = fields.keys().find(|name| !known.contains(&name.as_str())) {
            return Err(format!("`{sort}` has no field `{other}`"));
        }
        if fields.get("id").is_some_and(|id| !id.is_string()) {
            return Err("`id` is not a string".to_owned());
        }
        Ok(what)
    }
}

/// A report as a line, without its end. The user's own words are not reported: that they were taken
/// is.
pub(super) fn line(report: &Report) -> Option<String> {
    let object = match report {
        Report::Room {
            relay,
            room,
            is_invite,
        } => Object::new("room")
            .with("relay", relay.as_str())
            .with("room", room.as_str())
            .with("invite", *is_invite),
        Report::You { nick, fingerprint } => Object::new("you")
            .with("nick", nick.as_str())
            .with("fingerprint", fingerprint.to_string()),
        Report::Here(who, _) => Object::of("here", who),
        Report::Joined(who, _) => Object::of("join", who),
        Report::Back(who) => Object::of("return", who),
        Report::Rekeyed(who) => Object::of("rekey", who),
        Report::Left(who, departure, is_signed) => Object::of("leave", who)
            .with("reason", reason(*departure))
            .with("signed", *is_signed),
        Report::Renamed(former, who) => Object::of("nick", who).with("former", former.as_str()),
        Report::Away(who, Some(text)) => Object::of("away", who).with("text", text.as_str()),
        Report::Away(who, None) => Object::of("back", who),
        Report::Said(speech) => said(speech)?,
        Report::Taken { id, readers } => Object::new("ack")
            .with("readers", *readers)
            .with_some("id", id.as_deref()),
        Report::Link(link, text) => Object::new("link")
            .with("state", state(*link))
            .with("text", text.as_str()),
        Report::Alarm { sort, nick, text } => Object::new("alarm")
            .with("alarm", *sort)
            .with("text", text.as_str())
            .with_some("nick", nick.as_ref().map(Nick::as_str)),
        Report::Refusal { id, text } => Object::new("error")
            .with("text", text.as_str())
            .with_some("id", id.as_deref()),
        Report::Notice(text) => Object::new("notice").with("text", text.as_str()),
        Report::Answer(text) => Object::new("answer").with("text", text.as_str()),
    };
    let now = Timestamp::now();
    let Object(fields) = object.with("time", format!("{now:.3}"));
    Some(Value::Object(fields).to_string())
}

fn said(speech: &Speech) -> Option<Object> {
    if speech.own {
        return None;
    }
    let is_action = speech.kind == Kind::Action;
    let object = if speech.to.is_some() {
        Object::of("direct", &speech.who).with("action", is_action)
    } else {
        let sort = if is_action { "action" } else { "message" };
        Object::of(sort, &speech.who).with("mentions", speech.mentions)
    };
    Some(object.with("text", speech.text.as_str()))
}

/// An object on its way to be a line.
struct Object(Map<String, Value>);

impl Object {
    /// One of this type.
    fn new(sort: &str) -> Self {
        Self(Map::new()).with("type", sort)
    }

    /// One of this type that tells of somebody.
    fn of(sort: &str, who: &Who) -> Self {
        Self::new(sort)
            .with("nick", who.nick.as_str())
            .with("fingerprint", who.fingerprint.to_string())
            .with("standing", standing(who.standing))
            .with("verified", who.standing == Standing::Verified)
    }

    fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.insert(name.to_owned(), value.into());
        self
    }

    fn with_some(self, name: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> What {
        Request::parse(line).unwrap().what
    }

    #[test]
    fn requests() {
        assert_eq!(
            Request::parse(r#"{"type":"say","text":"hi\nthere","id":"7"}"#),
            Ok(Request {
                id: Some("7".to_owned()),
                what: What::Say("hi\nthere".to_owned())
            })
        );
        assert_eq!(
            parsed(r#"{"type":"act","text":"waves"}"#),
            What::Act("waves".to_owned())
        );
        assert_eq!(
            parsed(r#"{"text":"psst","to":"bob","type":"direct"}"#),
            What::Direct {
                to: "bob".to_owned(),
                text: "psst".to_owned()
            }
        );
        assert_eq!(
            parsed(r#"{"type":"command","text":"/names"}"#),
            What::Command("/names".to_owned())
        );
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
            (r#"{"type":"shout","text":"x"}"#, "no type `shout`"),
            (
                r#"{"type":"say","text":"x","to":"bob"}"#,
                "`say` has no field `to`",
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
