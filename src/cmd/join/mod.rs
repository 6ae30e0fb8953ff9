//! `e2echat join`: a member's client.
//!
//! The main thread owns the [`Session`] and decides everything. All that happens reaches it
//! through one channel: what is typed (from the terminal's threads), frames (from the link's
//! reading thread), signals. What it decides goes to the link's writing thread and to the
//! terminal, each through a queue of its own. The channel is not bounded, because the terminal's
//! threads must never wait; credits bound what can be in it.

mod address;
mod commands;
mod link;
mod words;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use crate::cipher::keys::{IdentityKey, KeySize, SessionKey};
use crate::cipher::seal::MAX_TEXT;
use crate::room::Time;
use crate::room::card::Identity;
use crate::room::message::Kind;
use crate::room::names::{Nick, RoomName};
use crate::room::session::{Event, SayError, Session};
use crate::room::text::SafeText;

use self::address::Address;
use self::commands::{Command, Typed};
use self::link::{FromRelay, Link};
use self::words::{notice, warning};

use super::harden::keep_memory_private;
use super::terminal::{Entry, Hurry, Input, Style, Terminal};
use super::{failure, identity, keygen, on_signal, words as system_words};

/// How long the relay has for a last acknowledgement when somebody leaves by hand.
const GOODBYE: Duration = Duration::from_secs(3);

/// Enter a room and talk
#[derive(clap::Args, Debug)]
#[command(after_help = "\
On a terminal, type and press Enter; /help lists the commands. Without one, every line of standard
input is sent, every event is a line on standard output, and the end of the input leaves:

  echo 'the build is green' | e2echat join chat.example.org --nick bot

Environment:
  E2ECHAT_NICK, E2ECHAT_ROOM, E2ECHAT_IDENTITY  instead of the options
  E2ECHAT_PASSPHRASE                            the identity's passphrase, instead of being asked
  NO_COLOR                                      no colour, if it is not empty

Exit status: 0 after a clean end, 1 after a failure or if something was not delivered, 2 for wrong
usage.

Examples:
  e2echat join chat.example.org --nick ada
  e2echat join 192.0.2.7:5000 --nick ada --room cellar
  e2echat join [2001:db8::7]:5000 --nick ada --identity ~/keys/work.pem")]
pub(super) struct Args {
    /// Where the relay is; the port is 4000 if none is given
    #[arg(value_name = "HOST[:PORT]")]
    relay: Address,

    /// What you are called in the room: 1 to 24 letters, digits and any of `_-.`
    #[arg(long, env = "E2ECHAT_NICK", hide_env = true)]
    nick: Nick,

    #[command(flatten)]
    seat: Seat,
}

/// As what, and where, one sits in a room.
#[derive(clap::Args, Debug)]
pub(super) struct Seat {
    /// The room; who knows or guesses its name can enter
    #[arg(long, env = "E2ECHAT_ROOM", hide_env = true, value_name = "NAME", default_value = LOBBY)]
    room: RoomName,

    /// File with your identity [default: what `e2echat keygen` saved, or one for this run only]
    #[arg(long, env = "E2ECHAT_IDENTITY", hide_env = true, value_name = "FILE")]
    identity: Option<PathBuf>,

    /// Length of the session key, with which others encrypt to you
    #[arg(long, default_value = "2048", value_parser = keygen::key_size())]
    bits: KeySize,
}

const LOBBY: &str = "lobby";

impl Seat {
    /// The option that friends need in order to come to the same room.
    pub(super) fn room_option(&self) -> String {
        match self.room.to_string() {
            room if room == LOBBY => String::new(),
            room => format!(" --room {room}"),
        }
    }

    /// The saved identity, or one for this run only.
    fn identity(&self) -> anyhow::Result<Identity> {
        let saved = self.identity.clone().or_else(|| {
            let path = identity::default_path().ok()?;
            path.try_exists().unwrap_or(true).then_some(path)
        });
        Ok(Identity {
            is_lasting: saved.is_some(),
            key: match saved {
                Some(path) => identity::load(&path)?,
                None => IdentityKey::generate(KeySize::default()),
            },
        })
    }
}

/// Runs the command.
pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let name = args.relay.to_string();
    let resolve = || args.relay.resolve();
    run_at(&name, resolve, &args.nick, &args.seat, || Ok(()))
}

/// Joins the relay that people call `name`, at one of the addresses that `resolve` finds. Calls
/// `entered` before anything is shown.
pub(super) fn run_at(
    name: &str,
    resolve: impl FnOnce() -> anyhow::Result<Vec<SocketAddr>>,
    nick: &Nick,
    seat: &Seat,
    entered: impl FnOnce() -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    keep_memory_private();
    let identity = seat.identity()?;
    let (fingerprint, is_lasting) = (identity.key.public().fingerprint(), identity.is_lasting);
    let key = SessionKey::generate(seat.bits);
    let mut session = Session::new(identity, key, nick, &seat.room, now());
    let stream = link::connect(name, &resolve()?)?;
    let on_the_way = link::enter(name, &stream, &mut session)?;
    entered()?;

    let (sender, inputs) = channel();
    let hurry: Arc<OnceLock<Hurry>> = Arc::default();
    on_signal({
        let (sender, hurry) = (sender.clone(), Arc::clone(&hurry));
        move || {
            if let Some(hurry) = hurry.get() {
                hurry.hurry();
            }
            // It fails when the program is ending already; as below.
            let _ = sender.send(Happening::Typed(Input::Quit));
        }
    })?;
    let terminal = Terminal::start("> ", Style::from_env(), {
        let sender = sender.clone();
        move |input| {
            let _ = sender.send(Happening::Typed(input));
        }
    })?;
    let _ = hurry.set(terminal.hurry());
    terminal.show(notice(format!("room {} at {name}", seat.room)));
    terminal.show(notice(format!("you are {nick} {fingerprint}")));
    if !is_lasting {
        terminal.show(notice(
            "this identity is for this run only; `e2echat keygen` saves one",
        ));
    }
    let link = Link::start(stream, session.limits(), move |from_relay| {
        let _ = sender.send(Happening::Relayed(from_relay));
    })?;

    let mut client = Client {
        name,
        nick,
        session,
        terminal,
        link,
        leaving: false,
        deadline: None,
        refused: false,
    };
    client.show(on_the_way);
    let end = client.run(&inputs);
    client.finish(end)
}

fn now() -> Time {
    let now = jiff::Timestamp::now().as_millisecond();
    Time::try_from(now).unwrap_or(0)
}

/// All that can happen to a client.
#[derive(Debug)]
enum Happening {
    Typed(Input),
    Relayed(FromRelay),
}

struct Client<'a> {
    name: &'a str,
    nick: &'a Nick,
    session: Session,
    terminal: Terminal,
    link: Link,
    /// Whether the goodbye is said, and the relay has yet to acknowledge what came before it.
    leaving: bool,
    /// When to go without that.
    deadline: Option<Instant>,
    /// Whether a line was too long to be sent, and nobody sits there who could send it otherwise.
    refused: bool,
}

impl Client<'_> {
    /// Deals with what happens until there is a reason to end.
    fn run(&mut self, inputs: &Receiver<Happening>) -> anyhow::Result<()> {
        loop {
            let happening = match self.deadline {
                Some(at) => inputs.recv_timeout(at.saturating_duration_since(Instant::now())),
                None => inputs.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match happening {
                Ok(Happening::Typed(input)) => self.typed(input),
                Ok(Happening::Relayed(FromRelay::Frame(frame))) => {
                    let events = self.session.receive(&frame);
                    self.link.credit();
                    match events {
                        Ok(events) => self.show(events),
                        Err(_) if self.leaving => return Ok(()),
                        Err(end) => return Err(link::explain_end(self.name, end)),
                    }
                    self.link.send(self.session.take_outgoing());
                }
                Ok(Happening::Relayed(FromRelay::Down(error))) => {
                    return if self.leaving {
                        Ok(())
                    } else {
                        Err(link::explain_down(self.name, &error))
                    };
                }
                Err(_) if self.leaving => return Ok(()),
                Err(_) => self.quit(),
            }
        }
    }

    fn typed(&mut self, input: Input) {
        match input {
            Input::Line(line) if self.terminal.is_interactive() => self.typed_line(&line),
            Input::Line(line) => self.say(&line),
            Input::TooLong { bytes } => {
                self.too_long(bytes);
                self.terminal.credit();
            }
            Input::End => self.leave(),
            Input::Quit => self.quit(),
            // What is still coming in is sent, for as long as that does not take forever.
            // `Terminal::stop` tells why the output is closed.
            Input::OutputClosed => self.deadline = Some(Instant::now() + GOODBYE),
        }
    }

    fn typed_line(&mut self, line: &str) {
        match Typed::parse(line) {
            Typed::Text(text) => self.say(text),
            Typed::Command(Command::Help) => {
                self.terminal
                    .show(Entry::Block(SafeText::new(&commands::help())));
            }
            Typed::Command(Command::Names) => {
                let me = self.session.card().fingerprint();
                self.terminal
                    .show(notice(format!("you are {} {me}", self.nick)));
                for entry in words::others(&self.session.others()) {
                    self.terminal.show(entry);
                }
            }
            Typed::Command(Command::Quit) => self.quit(),
            Typed::Unknown(line) => {
                let name = line.split_whitespace().next().unwrap_or(line);
                self.terminal.show(warning(format!(
                    "not sent: there is no command {name}; /help lists them, // sends a slash"
                )));
            }
        }
    }

    fn say(&mut self, text: &str) {
        match self.session.say(Kind::Text, text, now()) {
            Ok(readers) => {
                let text = SafeText::new(text);
                self.terminal
                    .show(words::message(self.nick, true, Kind::Text, text));
                if readers == 0 {
                    self.terminal
                        .show(notice("nobody else is here, so nobody reads this"));
                }
                self.link.send(self.session.take_outgoing());
                return;
            }
            Err(SayError::Empty) => {
                self.terminal.show(warning("not sent: the line is empty"));
            }
            Err(SayError::TooLong(bytes)) => self.too_long(bytes as u64),
            Err(SayError::NotInRoom) => {
                self.refused |= !self.terminal.is_interactive();
                self.terminal
                    .show(warning(format!("not sent, as you are leaving: {text}")));
            }
        }
        self.terminal.credit();
    }

    fn too_long(&mut self, bytes: u64) {
        self.refused |= !self.terminal.is_interactive();
        let back = if self.terminal.is_interactive() {
            "; the Up key brings it back"
        } else {
            ""
        };
        self.terminal.show(warning(format!(
            "not sent: it has {bytes} bytes, and a message has at most {MAX_TEXT}{back}"
        )));
    }

    fn show(&self, events: Vec<Event>) {
        for event in events {
            if let Event::Taken(messages) = event {
                for _ in 0..messages {
                    self.terminal.credit();
                }
            }
            for entry in words::event(event) {
                self.terminal.show(entry);
            }
        }
    }

    /// Leaves once the relay has taken everything, however long that takes.
    fn leave(&mut self) {
        self.session.leave();
        self.link.send(self.session.take_outgoing());
        self.leaving = true;
    }

    /// Leaves soon.
    fn quit(&mut self) {
        if !self.leaving || self.deadline.is_none() {
            self.deadline = Some(Instant::now() + GOODBYE);
        }
        self.leave();
    }

    /// Says what was not delivered, and gives the terminal back.
    fn finish(self, end: anyhow::Result<()>) -> anyhow::Result<()> {
        let untaken: Vec<&str> = self.session.untaken().collect();
        for text in &untaken {
            self.terminal
                .show(warning(format!("not delivered: {text}")));
        }
        let untaken = untaken.len();
        let shown = self.terminal.stop();
        end?;
        if let Err(error) = shown
            && error.kind() != io::ErrorKind::BrokenPipe
        {
            return Err(failure(
                format!("cannot write to standard output: {}", system_words(&error)),
                "make room where it goes",
            ));
        }
        if untaken > 0 {
            return Err(failure(
                "the relay did not take everything that was said",
                "join again and say it again",
            ));
        }
        if self.refused {
            return Err(failure(
                "not everything was sent",
                &format!("lines have at most {MAX_TEXT} bytes, and take a moment to be sent"),
            ));
        }
        Ok(())
    }
}
