//! The JSON of `join --json`: one object a line, reports out and requests in (`docs/JSON.md`).

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::room::Time;
use crate::room::frame::Departure;
use crate::room::message::Kind;
use crate::room::names::Nick;
use crate::room::session::Standing;

use super::alarms::{Incident, Reason};
use super::handed::{HandedOn, Share, ShareEnd};
use super::report::{LinkState, Report, words_with_count};
use super::speech::{Speech, Who};

/// A line of standard input, understood (docs/JSON.md).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonRequest {
    /// The `id` that the script gives it, if any. Answers carry the same.
    pub id: Option<String>,
    /// What to do.
    pub body: RequestBody,
}

/// What a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestBody {
    /// To say something.
    Say {
        /// The nick of the one reader; `None` where everybody is to read it.
        to: Option<String>,
        /// Whether the text is an action, like `/me`.
        is_action: bool,
        /// What to say.
        text: String,
    },
    /// To do what this line, which begins with a slash, does on a terminal.
    Command(String),
}

impl JsonRequest {
    /// Reads a line.
    ///
    /// # Errors
    /// The request's `id`, if that much can be read, and what is wrong, in one line of words.
    pub fn parse(line: &str) -> Result<Self, (Option<String>, String)> {
        let value = serde_json::from_str(line)
            .map_err(|error| (None, format!("this line is not JSON: {error}")))?;
        let Value::Object(fields) = value else {
            return Err((None, "this line is not a JSON object".to_owned()));
        };
        let id = fields.get("id").and_then(Value::as_str).map(str::to_owned);
        match Self::read_body(&fields) {
            Ok(body) => Ok(Self { id, body }),
            Err(error) => Err((id, error)),
        }
    }

    fn read_body(fields: &Map<String, Value>) -> Result<RequestBody, String> {
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
            RequestBody::Command(text)
        } else {
            RequestBody::Say {
                to: is_direct.then(|| string("to")).transpose()?,
                is_action,
                text,
            }
        })
    }
}

/// A report as a line of JSON, without its end. `answered` is the `id` of the request that the client is
/// carrying out. Returns `None` for reports that are for people alone, and for the user's own words: an
/// `ack` says that the relay has taken these.
pub(in crate::cmd::join) fn line(report: &Report, answered: Option<&str>) -> Option<String> {
    let event = JsonEvent::of(report, answered)?;
    let time = format!("{:.3}", Timestamp::now());
    let line = serde_json::to_value(JsonLine { event, time });
    let mut line = line.expect("every key is a string");
    if let Some(fields) = line.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    Some(line.to_string())
}

/// A time by somebody's clock, which may be any; if it is none that can be written, the nearest one.
fn time_of_day(time: Time) -> String {
    let milliseconds = i64::try_from(time).unwrap_or(i64::MAX);
    let time = Timestamp::from_millisecond(milliseconds).unwrap_or(Timestamp::MAX);
    format!("{time:.3}")
}

/// A line of output. `line` sorts its fields by their names, and leaves out those that are null.
#[derive(Serialize)]
struct JsonLine<'a> {
    #[serde(flatten)]
    event: JsonEvent<'a>,
    time: String,
}

/// What happened. The variants and fields are those of docs/json.schema.json.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
enum JsonEvent<'a> {
    Room {
        relay: &'a str,
        room: &'a str,
        invite: bool,
    },
    You {
        nick: &'a str,
        fingerprint: String,
        id: Option<&'a str>,
    },
    Here {
        people: Vec<JsonPersonHere<'a>>,
        id: Option<&'a str>,
    },
    Join(JsonPerson<'a>),
    Return(JsonPerson<'a>),
    Rekey(JsonPerson<'a>),
    Leave {
        #[serde(flatten)]
        who: JsonPerson<'a>,
        #[serde(with = "DepartureWord")]
        reason: Departure,
        signed: bool,
    },
    Nick {
        #[serde(flatten)]
        who: JsonPerson<'a>,
        former: &'a str,
    },
    Away {
        #[serde(flatten)]
        who: JsonPerson<'a>,
        text: &'a str,
    },
    Back(JsonPerson<'a>),
    Message(JsonSpeech<'a>),
    Action(JsonSpeech<'a>),
    Direct {
        #[serde(flatten)]
        who: JsonPerson<'a>,
        text: &'a str,
        action: bool,
        written: Option<String>,
    },
    Share {
        #[serde(flatten)]
        who: JsonPerson<'a>,
        to: Option<&'a str>,
        count: u32,
    },
    HandedOn {
        #[serde(flatten)]
        who: JsonPerson<'a>,
        by: &'a str,
        text: &'a str,
        action: bool,
        written: String,
    },
    ShareEnd {
        #[serde(flatten)]
        who: JsonPerson<'a>,
        shown: u32,
        had: u32,
        ignored: u32,
        refused: u32,
        missing: u32,
    },
    Shared {
        to: &'a str,
        count: u32,
        delivered: u32,
    },
    Catchup(JsonPerson<'a>),
    Ack {
        readers: Option<usize>,
        id: Option<&'a str>,
    },
    Confirmed {
        readers: usize,
        id: Option<&'a str>,
    },
    Link {
        state: LinkState,
        text: &'a str,
    },
    Alarm(JsonText<'a>),
    Notice(JsonText<'a>),
    Error(JsonText<'a>),
    Answer(JsonText<'a>),
}

/// Somebody whom an event is about.
#[derive(Serialize)]
struct JsonPerson<'a> {
    nick: &'a str,
    fingerprint: String,
    #[serde(with = "StandingWord")]
    standing: Standing,
    verified: bool,
}

/// Somebody in the list of those who are here.
#[derive(Serialize)]
struct JsonPersonHere<'a> {
    #[serde(flatten)]
    who: JsonPerson<'a>,
    present: bool,
}

/// What somebody said to everybody.
#[derive(Serialize)]
struct JsonSpeech<'a> {
    #[serde(flatten)]
    who: JsonPerson<'a>,
    text: &'a str,
    mentions: bool,
    written: Option<String>,
    unseen: Option<usize>,
}

/// Words, with the kind and the number if they tell of an incident; of a message that was not delivered,
/// with what it said too, to whom, and why it was not.
#[derive(Default, Serialize)]
struct JsonText<'a> {
    text: String,
    kind: Option<&'static str>,
    nick: Option<&'a str>,
    nicks: Option<Vec<&'a str>>,
    reason: Option<ReasonWord>,
    said: Option<&'a str>,
    count: Option<u64>,
    id: Option<&'a str>,
}

impl<'a> JsonText<'a> {
    fn of(text: &str, id: Option<&'a str>) -> Self {
        Self {
            text: text.to_owned(),
            id,
            ..Self::default()
        }
    }
}

/// The words for [`Departure`] in JSON.
#[derive(Serialize)]
#[serde(remote = "Departure", rename_all = "kebab-case")]
enum DepartureWord {
    Left,
    Lost,
    Slow,
    Misbehaved,
    Silent,
}

/// The words for [`Standing`] in JSON.
#[derive(Serialize)]
#[serde(remote = "Standing", rename_all = "kebab-case")]
enum StandingWord {
    Changed,
    New,
    Known,
    Verified,
}

/// The words for [`Reason`] in JSON. About all that was given up there is one thing to do, so a script has one
/// word for it; the text says why.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
enum ReasonWord {
    Unopened,
    Gone,
    NotBack,
    CameAnew,
    GivenUp,
    NotTaken,
}

impl From<Reason> for ReasonWord {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::Unopened => Self::Unopened,
            Reason::Gone | Reason::NickTaken => Self::Gone,
            Reason::NotBack => Self::NotBack,
            Reason::CameAnew => Self::CameAnew,
            Reason::StaleKey | Reason::KeyChanged | Reason::TooMuch | Reason::TooLong => {
                Self::GivenUp
            }
            Reason::NotTaken => Self::NotTaken,
        }
    }
}

impl<'a> JsonEvent<'a> {
    fn of(report: &'a Report, answered: Option<&'a str>) -> Option<Self> {
        let told = JsonText::of;
        Some(match report {
            Report::Room {
                relay,
                room,
                is_invite,
                ..
            } => Self::Room {
                relay,
                room,
                invite: *is_invite,
            },
            Report::You { nick, fingerprint } | Report::Called { nick, fingerprint } => Self::You {
                nick: nick.as_str(),
                fingerprint: fingerprint.to_string(),
                id: answered,
            },
            Report::Roster(others) => Self::Here {
                people: others.iter().map(JsonPersonHere::from).collect(),
                id: answered,
            },
            Report::Joined(who, _) => Self::Join(who.into()),
            Report::Back { who, .. } => Self::Return(who.into()),
            Report::Rekeyed(who) => Self::Rekey(who.into()),
            Report::Left(who, departure, _) => Self::Leave {
                who: who.into(),
                reason: *departure,
                signed: *departure == Departure::Left,
            },
            Report::Renamed(former, who) => Self::Nick {
                who: who.into(),
                former: former.as_str(),
            },
            Report::Away(who, Some(text)) => Self::Away {
                who: who.into(),
                text: text.as_str(),
            },
            Report::Away(who, None) => Self::Back(who.into()),
            Report::Said(speech) if speech.own.is_some() => return None,
            Report::Said(speech) => Self::said(speech),
            Report::Share(share) => Self::of_share(share),
            Report::HandedOn(handed) => Self::of_handed_on(handed),
            Report::ShareEnd(end) => Self::of_share_end(end),
            Report::Shared(shared) => Self::Shared {
                to: shared.to.as_str(),
                count: shared.count,
                delivered: shared.delivered,
            },
            Report::CatchUp(who) => Self::Catchup(who.into()),
            Report::Done { id, readers } => Self::Ack {
                readers: *readers,
                id: id.as_deref(),
            },
            Report::Confirmed { id, readers } => Self::Confirmed {
                readers: *readers,
                id: id.as_deref(),
            },
            Report::Link(state, text) => Self::Link {
                state: *state,
                text,
            },
            Report::Incident { what, count } => Self::of_incident(report, what, *count, answered),
            Report::Invite {
                directions: text, ..
            }
            | Report::Notice(text) => Self::Notice(told(text, answered)),
            Report::Refusal { id, text, .. } => Self::Error(told(text, id.as_deref().or(answered))),
            Report::Failure(text) => Self::Error(told(text, None)),
            Report::Answer(url) | Report::Url { url, .. } => Self::Answer(told(url, answered)),
            Report::Here(..) | Report::Aside(_) => return None,
        })
    }

    fn of_incident(
        report: &'a Report,
        what: &'a Incident,
        count: u64,
        answered: Option<&'a str>,
    ) -> Self {
        if report.is_refusal() {
            return Self::Error(JsonText::of(&what.words(), answered));
        }
        let is_alarm = report.is_alarm();
        let mut told = JsonText {
            text: words_with_count(what, count),
            kind: Some(what.row().kind),
            nick: what.nick().map(Nick::as_str),
            count: (count > 1).then_some(count),
            id: what.id().or(answered.filter(|_| is_alarm)),
            ..JsonText::default()
        };
        if let Incident::Undelivered {
            readers,
            text,
            reason,
            ..
        } = what
        {
            told.nicks = Some(readers.iter().map(Nick::as_str).collect());
            (told.reason, told.said) = (Some((*reason).into()), Some(text.as_str()));
        }
        if is_alarm {
            Self::Alarm(told)
        } else {
            Self::Notice(told)
        }
    }

    fn of_share(share: &'a Share) -> Self {
        Self::Share {
            who: (&share.by).into(),
            to: share.to.as_ref().map(Nick::as_str),
            count: share.count,
        }
    }

    fn of_handed_on(handed: &'a HandedOn) -> Self {
        Self::HandedOn {
            who: (&handed.speech.who).into(),
            by: handed.by.as_str(),
            text: &handed.speech.text,
            action: handed.speech.kind == Kind::Action,
            written: time_of_day(handed.time),
        }
    }

    fn of_share_end(end: &'a ShareEnd) -> Self {
        Self::ShareEnd {
            who: (&end.by).into(),
            shown: end.shown,
            had: end.had,
            ignored: end.ignored,
            refused: end.refused,
            missing: end.missing,
        }
    }

    fn said(speech: &'a Speech) -> Self {
        let (who, text) = (JsonPerson::from(&speech.who), speech.text.as_str());
        let is_action = speech.kind == Kind::Action;
        let written = speech.written.map(|written| time_of_day(written.time));
        if speech.to.is_some() {
            return Self::Direct {
                who,
                text,
                action: is_action,
                written,
            };
        }
        let said = JsonSpeech {
            who,
            text,
            mentions: speech.mentions,
            written,
            unseen: (speech.unseen > 0).then_some(speech.unseen),
        };
        if is_action {
            Self::Action(said)
        } else {
            Self::Message(said)
        }
    }
}

impl<'a> From<&'a (Who, bool)> for JsonPersonHere<'a> {
    fn from((who, present): &'a (Who, bool)) -> Self {
        Self {
            who: who.into(),
            present: *present,
        }
    }
}

impl<'a> From<&'a Who> for JsonPerson<'a> {
    fn from(who: &'a Who) -> Self {
        Self {
            nick: who.nick.as_str(),
            fingerprint: who.fingerprint.to_string(),
            standing: who.standing,
            verified: who.standing == Standing::Verified,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn say(to: Option<&str>, is_action: bool, text: &str) -> RequestBody {
        RequestBody::Say {
            to: to.map(str::to_owned),
            is_action,
            text: text.to_owned(),
        }
    }

    #[test]
    fn requests() {
        assert_eq!(
            JsonRequest::parse(r#"{"type":"say","text":"hi\nthere","id":"7"}"#),
            Ok(JsonRequest {
                id: Some("7".to_owned()),
                body: say(None, false, "hi\nthere")
            })
        );
        for (line, body) in [
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
                RequestBody::Command("/names".to_owned()),
            ),
        ] {
            assert_eq!(JsonRequest::parse(line).unwrap().body, body);
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
            let (_, error) = JsonRequest::parse(line).unwrap_err();
            assert!(error.contains(says) && !error.contains('\n'), "{error}");
        }
    }

    #[test]
    fn a_script_learns_which_of_its_requests_is_wrong() {
        let (id, _) = JsonRequest::parse(r#"{"type":"say","id":"x"}"#).unwrap_err();
        assert_eq!(id.as_deref(), Some("x"));
    }
}
