//! The options of `join`: where to go, as whom, and in what form things are shown. `serve --nick` has most
//! of them too.

use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use clap::ArgAction;

use crate::cipher::keys::{IdentityKey, KeySize, SessionKey};
use crate::cmd::arguments::name_of;
use crate::cmd::identity;
use crate::cmd::settings::name::SavedName;
use crate::cmd::settings::rooms::SavedRoom;
use crate::cmd::terminal::Format;
use crate::room::card::Identity;
use crate::room::names::{Nick, RoomName};
use crate::room::session::{Policy, Standing};
use crate::room::text::parse_visible;

use crate::cmd::address::{Address, RoomAddress, RoomOrInvite};
use crate::cmd::join::catch_up::Answering;
use crate::cmd::join::net::route::Detour;
use crate::cmd::join::net::socks5::Proxy;
use crate::cmd::join::net::through::Program;
use crate::cmd::join::output::options::Output;

/// Enter a room and talk
#[derive(clap::Args, Debug)]
#[command(after_help = "\
On a terminal, type and press Enter; /help lists the commands. Where standard input is none, every
line of it is sent, every event is a line on standard output, and the end of the input leaves:

  echo 'the build is green' | e2echat join chat.example.org --nick bot

Environment:
  E2ECHAT_NICK, E2ECHAT_ROOM, E2ECHAT_IDENTITY  instead of the options; E2ECHAT_ROOM may be an invite
  E2ECHAT_PROXY                                 the same; unlike in an option, others on this machine
                                                do not see a password in it
  E2ECHAT_CATCHUP                               instead of --catchup
  E2ECHAT_CONFIG                                another settings file: see `e2echat config --help`
  E2ECHAT_PASSPHRASE                            the identity's passphrase, instead of being asked
  NO_COLOR                                      no colour, if it is not empty

Exit status: 0 after a clean end; 1 after a failure, or if something has not reached somebody who
had not left; 2 for wrong usage.

Examples:
  e2echat join chat.example.org --nick ada
  e2echat join chat.example.org --nick ada --new-room   make a room that nobody can guess
  e2echat join chat.example.org:4000/inv-... --nick bob  enter it
  e2echat join --nick bob                               the same; the invite is asked for
  e2echat join chat.example.org --nick ada --save work  save where this leads: `e2echat join work`
  e2echat join 192.0.2.7:5000 --nick ada --room cellar
  e2echat join chat.example.org --nick ada --proxy socks5://127.0.0.1:9050   through Tor
  e2echat join localhost --nick ada --through 'ssh -W %h:%p server.example'   through ssh
  e2echat join [2001:db8::7]:5000 --nick ada --identity ~/keys/work.pem")]
pub(in crate::cmd) struct Args {
    /// Where the relay is, or an invite, which tells the room too, or the name of a saved room; the port is
    /// 4000 if none is given
    #[arg(value_name = "HOST[:PORT][/ROOM]", value_parser = parse_visible::<RoomAddress>)]
    place: Option<RoomAddress>,

    /// The relay, where neither HOST nor an invite names it
    #[arg(long, value_name = "HOST[:PORT]", value_parser = parse_visible::<Address>)]
    relay: Option<Address>,

    /// What you are called in the room: 1 to 24 letters, digits and any of `_-.`
    #[arg(long, env = "E2ECHAT_NICK", hide_env = true, value_parser = parse_visible::<Nick>)]
    pub(super) nick: Nick,

    /// Connect through this SOCKS5 proxy, such as Tor's, which looks up the relay's name; the port
    /// is 1080 if none is given
    #[arg(
        long,
        env = "E2ECHAT_PROXY",
        hide_env = true,
        value_name = "socks5://[USER:PASSWORD@]HOST[:PORT]",
        value_parser = |text: &str| text.parse::<Proxy>()
    )]
    proxy: Option<Proxy>,

    /// Connect through this program, whose input and output become the connection, such as
    /// 'ssh -W %h:%p server.example'; no shell reads it, and %h and %p are the relay's host and port
    #[arg(long, value_name = "COMMAND", value_parser = |text: &str| text.parse::<Program>())]
    through: Option<Program>,

    /// Speak JSON, one object a line, on standard input and output: see docs/JSON.md
    #[arg(long)]
    json: bool,

    /// Save the room under this name, once you are in it: `e2echat join NAME` enters it then
    #[arg(long, value_name = "NAME", value_parser = parse_visible::<SavedName>)]
    pub(super) save: Option<SavedName>,

    #[command(flatten)]
    pub(super) seat: Seat,
}

/// The options for whoever sits in a room, be it by `join` or by `serve --nick`.
#[derive(clap::Args, Debug)]
pub(in crate::cmd) struct Seat {
    /// The room, which everybody can enter who knows or guesses its name [default: lobby]
    #[arg(
        long,
        env = "E2ECHAT_ROOM",
        hide_env = true,
        value_name = "NAME",
        value_parser = parse_visible::<RoomOrInvite>
    )]
    room: Option<RoomOrInvite>,

    /// Make a room with a name that nobody can guess, and show the invite to it
    #[arg(long, conflicts_with = "room")]
    pub(in crate::cmd) new_room: bool,

    /// File with your identity [default: what `e2echat keygen` saved, or one for this run only]
    #[arg(long, env = "E2ECHAT_IDENTITY", hide_env = true, value_name = "FILE")]
    identity: Option<PathBuf>,

    #[command(flatten)]
    audience: Audience,

    /// Whom the program by itself hands what they missed, where they ask for it with /catchup: nobody,
    /// or those whom you have verified
    #[arg(
        long,
        env = "E2ECHAT_CATCHUP",
        hide_env = true,
        value_name = "off|verified",
        default_value = "off",
        hide_possible_values = true
    )]
    pub(super) catchup: Answering,

    /// Length of the session key, with which others encrypt to you
    #[arg(long, default_value = "2048", value_name = "2048|3072|4096")]
    pub(super) bits: KeySize,

    /// Minutes after which a new session key takes the place of the old one
    #[arg(long, value_name = "MINUTES", default_value_t = 60,
          value_parser = clap::value_parser!(u32).range(1..=720))]
    rekey: u32,

    /// Seconds for which to try to get a broken connection back [default: without end on a
    /// terminal, 300 without one]
    #[arg(long, value_name = "SECS")]
    reconnect: Option<u32>,

    #[command(flatten)]
    pub(super) output: Output,

    /// Do without the settings file
    #[arg(long)]
    no_config: bool,
}

/// For whom one's words are.
#[derive(clap::Args, Debug)]
struct Audience {
    /// Write only to people whom you know: you met them in this room before, without this option, or
    /// have accepted, verified or noted them in any; the others see that they are left out
    #[arg(long, value_name = "true|false", num_args = 0..=1, require_equals = true,
          default_missing_value = "true", default_value = "false", hide_default_value = true,
          hide_possible_values = true, action = ArgAction::Set)]
    only_known: bool,

    /// Write only to people whom you have verified with /verify or /code; the others see that they
    /// are left out
    #[arg(long, value_name = "true|false", num_args = 0..=1, require_equals = true,
          default_missing_value = "true", default_value = "false", hide_default_value = true,
          hide_possible_values = true, action = ArgAction::Set)]
    only_verified: bool,

    /// Ask others not to hand on what you say; honest programs obey, as they also do with
    /// --only-known and --only-verified
    #[arg(long, value_name = "true|false", num_args = 0..=1, require_equals = true,
          default_missing_value = "true", default_value = "false", hide_default_value = true,
          hide_possible_values = true, action = ArgAction::Set)]
    no_share: bool,
}

impl Seat {
    /// The room that the options name. An invite in the arguments may name another.
    pub(in crate::cmd) fn room(&self) -> RoomName {
        match &self.room {
            _ if self.new_room => RoomName::invite(),
            Some(RoomOrInvite::Name(name) | RoomOrInvite::Invite(_, name)) => name.clone(),
            None => RoomName::lobby(),
        }
    }

    /// Whether somebody new is somebody known the next time.
    pub(super) fn remembers_new(&self) -> bool {
        !self.audience.only_known
    }

    /// Says whether an option lacks another.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        if self.output.lacks_command() {
            return Err(usage(
                "--notify command runs a command: name it with --notify-command CMD",
            ));
        }
        Ok(())
    }

    pub(super) fn policy(&self) -> Policy {
        Policy {
            at_least: if self.audience.only_verified {
                Standing::Verified
            } else if self.audience.only_known {
                Standing::Known
            } else {
                Standing::New
            },
            rekey_after: Duration::from_secs(60 * u64::from(self.rekey)),
            no_share: self.audience.no_share,
        }
    }

    /// The file of the identity that the options name, as another folder sees it.
    pub(super) fn identity_file(&self) -> Option<String> {
        let path = std::path::absolute(self.identity.as_ref()?).ok()?;
        path.into_os_string().into_string().ok()
    }

    /// For how long to try to get a broken connection back.
    pub(super) fn patience(&self, is_interactive: bool) -> Duration {
        match self.reconnect {
            Some(seconds) => Duration::from_secs(seconds.into()),
            None if is_interactive => Duration::MAX,
            None => Duration::from_mins(5),
        }
    }

    /// The saved identity, or one for this run only, and a session key. It may ask for a passphrase, so it
    /// is called before any other thread is started.
    pub(in crate::cmd) fn keys(&self) -> anyhow::Result<(Identity, SessionKey)> {
        let saved = self.identity.clone().or_else(|| {
            let path = identity::default_path().ok()?;
            path.try_exists().unwrap_or(true).then_some(path)
        });
        let is_lasting = saved.is_some();
        let make_session_key = || SessionKey::generate(self.bits);
        let (key, session_key) = match saved {
            Some(path) => {
                let by = name_of("--identity", "E2ECHAT_IDENTITY");
                let identity = identity::load(&path);
                let identity = identity.map_err(|error| match by {
                    Some(by @ "E2ECHAT_IDENTITY") => anyhow::anyhow!("{error}; {by} names it"),
                    _ => error,
                });
                (identity?, make_session_key())
            }
            // To make both takes as long as to make one.
            None => thread::scope(|scope| {
                let session_key = scope.spawn(make_session_key);
                let key = IdentityKey::generate(KeySize::default());
                (
                    key,
                    session_key.join().expect("making a key does not panic"),
                )
            }),
        };
        Ok((Identity { key, is_lasting }, session_key))
    }
}

impl Args {
    /// In what form things are shown.
    pub(super) fn format(&self) -> Format {
        if self.json {
            Format::Lines
        } else {
            Format::Screen
        }
    }

    /// The detour to the relay, if there is to be one.
    ///
    /// # Errors
    /// Where there are two, and neither comes before the other.
    pub(super) fn detour(&self) -> anyhow::Result<Option<Detour>> {
        let proxy = self.proxy.clone().map(Detour::Proxy);
        let program = self.through.clone().map(Detour::Program);
        if proxy.is_none() || program.is_none() {
            return Ok(proxy.or(program));
        }
        match (
            name_of("--proxy", "E2ECHAT_PROXY"),
            name_of("--through", ""),
        ) {
            (Some("--proxy"), Some(_)) => {
                Err(usage("--proxy and --through are two ways: leave one out"))
            }
            (_, Some(_)) => Ok(program),
            (Some(_), None) => Ok(proxy),
            (None, None) => Err(usage(
                "the settings have both proxy and through, which are two ways: take one out",
            )),
        }
    }

    /// The relay and the room. `entered` is the saved room whose name stands in their place. What that says stands in the
    /// other options.
    ///
    /// # Errors
    /// Where it is not said, or said twice.
    pub(super) fn relay_and_room(
        &self,
        entered: Option<&(SavedName, SavedRoom)>,
    ) -> anyhow::Result<(Address, RoomName)> {
        let seat = &self.seat;
        if let Some((name, saved)) = entered {
            self.check_against(name, saved)?;
        }
        let place = self.place.as_ref().filter(|_| entered.is_none());
        let Some(RoomAddress { relay, room }) = place else {
            return match &seat.room {
                Some(RoomOrInvite::Invite(relay, room)) if !seat.new_room => {
                    Ok((relay.clone(), room.clone()))
                }
                _ => match &self.relay {
                    Some(relay) => Ok((relay.clone(), seat.room())),
                    None => Err(usage(
                        "it is not said where the relay is: put HOST:PORT after `e2echat join`",
                    )),
                },
            };
        };
        if let Some(RoomOrInvite::Invite(other, _)) = &seat.room
            && other != relay
        {
            return Err(usage(&format!(
                "the invite leads to {other}, and not to {relay}: leave {relay} out"
            )));
        }
        let Some(room) = room else {
            return Ok((relay.clone(), seat.room()));
        };
        let again = if seat.new_room {
            Some("--new-room")
        } else {
            // A setting is what holds where nothing else is said.
            name_of("--room", "E2ECHAT_ROOM").filter(|_| seat.room() != *room)
        };
        if let Some(again) = again {
            return Err(usage(&format!(
                "the room is given twice, after the relay and with {again}: leave one out"
            )));
        }
        Ok((relay.clone(), room.clone()))
    }

    /// Says whether the options lead elsewhere than the saved room that is entered.
    fn check_against(&self, name: &SavedName, saved: &SavedRoom) -> anyhow::Result<()> {
        let Some((relay, room)) = saved.place() else {
            return Ok(());
        };
        let is_other_room = match &self.seat.room {
            Some(RoomOrInvite::Invite(to, other)) => *to != relay || *other != room,
            Some(RoomOrInvite::Name(other)) => *other != room,
            None => false,
        };
        let other_room = name_of("--room", "E2ECHAT_ROOM").filter(|_| is_other_room);
        let (what, again) = if self.seat.new_room {
            ("room", "--new-room")
        } else if let Some(again) = other_room {
            ("room", again)
        } else if self.relay.as_ref().is_some_and(|other| *other != relay) {
            ("relay", "--relay")
        } else {
            return Ok(());
        };
        Err(usage(&format!(
            "the {what} is given twice, by the saved room {name} and with {again}: leave one out"
        )))
    }
}

/// The error for wrong usage of the command line.
pub(super) fn usage(error: &str) -> anyhow::Error {
    clap::Error::raw(
        clap::error::ErrorKind::ValueValidation,
        format!("{error}\n"),
    )
    .into()
}
