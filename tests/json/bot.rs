//! A client that speaks JSON. Every line that it prints is checked.

use std::net::SocketAddr;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::schema;
use super::support::process::{Client, Ended, Home};

/// A program that talks through `join --json`.
pub struct Bot {
    /// None once it has ended.
    client: Option<Client>,
}

impl Bot {
    /// Starts one and waits until it knows who is here.
    #[track_caller]
    pub fn join(relay: SocketAddr, nick: &str, options: &[&str]) -> Self {
        let options = [&["--json"], options].concat();
        Self::entered(Client::start(relay, nick, &options))
    }

    /// Starts one of a user who comes again.
    #[track_caller]
    pub fn join_from(home: &Home, relay: SocketAddr, nick: &str) -> Self {
        let relay = relay.to_string();
        let mut command = home.e2echat();
        command.args(["join", &relay, "--nick", nick, "--json"]);
        Self::entered(Client::start_command(&mut command))
    }

    #[track_caller]
    fn entered(client: Client) -> Self {
        let bot = Self {
            client: Some(client),
        };
        bot.wait_for(&json!({"type": "here"}));
        bot
    }

    fn client(&self) -> &Client {
        self.client.as_ref().expect("it has not ended")
    }

    /// Asks for something that the schema allows.
    #[track_caller]
    pub fn ask(&mut self, request: &Value) {
        assert!(schema::is_request(request), "{request}");
        self.write(request.to_string());
    }

    /// Writes a line, whatever is in it.
    pub fn write(&mut self, line: impl Into<Vec<u8>>) {
        let mut line = line.into();
        line.push(b'\n');
        let client = self.client.as_mut().expect("it has not ended");
        client.write(&line);
    }

    /// Waits for an event that has all these fields with these values, and returns it.
    #[track_caller]
    pub fn wait_for(&self, expected: &Value) -> Value {
        let line = self
            .client()
            .wait_for_line(&expected.to_string(), |line| has(line, expected));
        schema::event(&line)
    }

    /// The lines so far.
    pub fn lines(&self) -> Vec<String> {
        self.client().lines()
    }

    /// The events so far.
    #[track_caller]
    pub fn events(&self) -> Vec<Value> {
        check(&self.lines())
    }

    /// The events so far that have all these fields with these values.
    #[track_caller]
    pub fn all(&self, expected: &Value) -> Vec<Value> {
        all(self.events(), expected)
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        self.client().signal(signal);
    }

    /// Closes its input, and returns its exit status and events once it has ended.
    #[track_caller]
    pub fn leave(mut self) -> (Ended, Vec<Value>) {
        let ended = self.client.take().expect("it has not ended").leave();
        let events = check(&ended.stdout);
        (ended, events)
    }

    /// Waits for its end.
    #[track_caller]
    pub fn ended(mut self) -> (Ended, Vec<Value>) {
        let ended = self.client.take().expect("it has not ended").ended();
        let events = check(&ended.stdout);
        (ended, events)
    }
}

impl Drop for Bot {
    fn drop(&mut self) {
        if let Some(client) = &self.client
            && !std::thread::panicking()
        {
            check(&client.lines());
        }
    }
}

/// The events that lines are.
#[track_caller]
pub fn check(lines: &[String]) -> Vec<Value> {
    lines.iter().map(|line| schema::event(line)).collect()
}

/// The events that have all these fields with these values.
pub fn all(mut events: Vec<Value>, expected: &Value) -> Vec<Value> {
    events.retain(|event| is_like(event, expected));
    events
}

/// Whether a line is an event that has all these fields with these values.
pub fn has(line: &str, expected: &Value) -> bool {
    serde_json::from_str(line).is_ok_and(|event| is_like(&event, expected))
}

fn is_like(event: &Value, expected: &Value) -> bool {
    let expected = expected.as_object().expect("fields");
    expected.iter().all(|(name, value)| event[name] == *value)
}
