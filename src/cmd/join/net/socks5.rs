//! Asks a SOCKS5 proxy (RFC 1928), such as Tor's, to connect to a relay, and words what goes
//! wrong.
//!
//! The proxy gets the relay's name as it is. The client does not look the name up: that would tell this
//! network where the user is going.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::num::{NonZeroU8, NonZeroUsize};
use std::str::FromStr;
use std::time::Duration;

use crate::cmd::address::Address;
use crate::cmd::{failure, reason};
use crate::room::stream::ReadError;

/// How long a proxy may take to reach the relay. Tor may have to find a path first.
pub(in crate::cmd::join) const PROXY_TIMEOUT: Duration = Duration::from_mins(1);

/// The port of SOCKS proxies, from IANA's list.
const DEFAULT_PORT: u16 = 1080;

/// The version of the protocol, and the command and the reserved byte of a request (RFC 1928 §4).
const VERSION: u8 = 5;
const CONNECT: u8 = 1;
const RESERVED: u8 = 0;

/// Methods of authentication (RFC 1928 §3): none, and user name with password. The last is the answer
/// of a proxy that accepts no method.
const NO_LOGIN: u8 = 0;
const LOGIN: u8 = 2;
const NONE_ACCEPTABLE: u8 = 0xff;
/// The version of the login (RFC 1929 §2).
const LOGIN_VERSION: u8 = 1;

/// Types of address (RFC 1928 §5).
const IPV4: u8 = 1;
const NAME: u8 = 3;
const IPV6: u8 = 4;

/// A proxy, written as `socks5://HOST:PORT`, or as `socks5://USER:PASSWORD@HOST:PORT`, where user name
/// and password are not escaped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cmd) struct Proxy {
    address: Address,
    login: Option<Login>,
}

/// The message with user name and password, as it is sent (RFC 1929 §2).
#[derive(Clone, PartialEq, Eq)]
struct Login(Vec<u8>);

/// Why a proxy did not connect.
#[derive(Debug)]
pub(in crate::cmd::join) enum SocksError {
    /// It does not speak SOCKS5.
    NotSocks,
    /// It wants a user name and a password.
    LoginWanted,
    /// It takes no user name and password.
    LoginUnwanted,
    /// It does not accept this user name and password.
    LoginWrong,
    /// The relay's name is longer than 255 bytes, which is all that SOCKS5 allows.
    LongName,
    /// It answered with this code, which is not success (RFC 1928 §6).
    Reply(u8),
    /// It hung up where its answer was to come: as `ssh -D` does where it cannot connect.
    Unanswered,
    /// The connection to it ended before its answer did.
    Lost(ReadError),
}

impl SocksError {
    /// The error in words, for a proxy that did not connect to the relay.
    pub(in crate::cmd::join) fn in_words(self, proxy: &Address, relay: &Address) -> anyhow::Error {
        let unreached = |why: &str, hint| {
            failure(
                format!("the proxy {proxy} cannot connect to {relay}: {why}"),
                hint,
            )
        };
        match self {
            Self::NotSocks => failure(
                format!("what answers at {proxy} is not a SOCKS5 proxy"),
                "check the host and the port after --proxy",
            ),
            Self::LoginWanted => failure(
                format!("the proxy {proxy} wants a user name and a password"),
                "give them: --proxy socks5://USER:PASSWORD@HOST:PORT",
            ),
            Self::LoginUnwanted => failure(
                format!("the proxy {proxy} takes no user name and password"),
                "leave them out of --proxy",
            ),
            Self::LoginWrong => failure(
                format!("the proxy {proxy} does not accept this user name and password"),
                "check them, and write them into --proxy as they are",
            ),
            Self::LongName => failure(
                format!(
                    "the name of the relay is too long for a proxy: {}",
                    relay.host()
                ),
                "check the host",
            ),
            Self::Lost(error) => {
                let seconds = PROXY_TIMEOUT.as_secs();
                let lost = match error {
                    ReadError::TimedOut => {
                        format!("no answer from the proxy {proxy} within {seconds} seconds")
                    }
                    ReadError::Io(error) => {
                        format!(
                            "lost the connection to the proxy {proxy}: {}",
                            reason(&error)
                        )
                    }
                    _ => format!("the proxy {proxy} hung up"),
                };
                failure(lost, "is it a SOCKS5 proxy? if it is, try again later")
            }
            Self::Unanswered => unreached(
                "it hung up without an answer",
                "is the relay running there, and its name and port right?",
            ),
            // RFC 1928 §6.
            Self::Reply(2) => unreached(
                "its rules forbid it",
                "allow it where the proxy is set up, or use another one",
            ),
            Self::Reply(3) => unreached("network unreachable", "is the proxy online?"),
            Self::Reply(4) => unreached(
                "host unreachable",
                "check the spelling of the relay's name, and that the proxy is online",
            ),
            Self::Reply(5) => unreached(
                "connection refused",
                "is the relay running there, and the port right?",
            ),
            Self::Reply(6) => unreached("it takes too long", "try again later"),
            Self::Reply(8) => unreached(
                "it does not know this kind of address",
                "give the relay's name, or its other address",
            ),
            Self::Reply(code) => unreached(
                &format!("it failed (code {code})"),
                "check the relay's address, and that the proxy is online; its log may tell more",
            ),
        }
    }
}

impl From<io::Error> for SocksError {
    fn from(error: io::Error) -> Self {
        Self::Lost(error.into())
    }
}

impl Proxy {
    /// The proxy as one writes it, with user name and password.
    pub(in crate::cmd::join) fn url(&self) -> String {
        let login = self.login.as_ref().map_or(String::new(), Login::written);
        format!("socks5://{login}{}", self.address)
    }

    /// The proxy's address.
    pub(in crate::cmd::join) fn address(&self) -> &Address {
        &self.address
    }

    /// Asks the proxy over a new connection, whose two directions are `answers` and `requests`, to connect
    /// to `relay`. Afterwards the connection leads to the relay, and nothing of what the relay sent is read.
    ///
    /// # Errors
    /// If the proxy does not connect. A relay's name that is too long is found before anything is sent.
    pub(in crate::cmd::join) fn connect_to(
        &self,
        relay: &Address,
        mut answers: impl Read,
        mut requests: impl Write,
    ) -> Result<(), SocksError> {
        let request = request(relay)?;
        // A user who gives a name gets a connection under it, or none: Tor keeps the connections of
        // different names apart.
        let method = self.login.as_ref().map_or(NO_LOGIN, |_| LOGIN);
        requests.write_all(&[VERSION, 1, method])?;
        match read(&mut answers)? {
            [VERSION, answer] if answer == method => {}
            [VERSION, NONE_ACCEPTABLE] if method == NO_LOGIN => {
                return Err(SocksError::LoginWanted);
            }
            [VERSION, NONE_ACCEPTABLE] => return Err(SocksError::LoginUnwanted),
            _ => return Err(SocksError::NotSocks),
        }
        if let Some(Login(message)) = &self.login {
            requests.write_all(message)?;
            match read(&mut answers)? {
                [LOGIN_VERSION, 0] => {}
                [LOGIN_VERSION, _] => return Err(SocksError::LoginWrong),
                _ => return Err(SocksError::NotSocks),
            }
        }
        requests.write_all(&request)?;
        let [version] = read(&mut answers).map_err(unanswered)?;
        let [code] = read(&mut answers)?;
        match [version, code] {
            [VERSION, 0] => {}
            [VERSION, code] => return Err(SocksError::Reply(code)),
            _ => return Err(SocksError::NotSocks),
        }
        // The address from which the proxy connects comes next. Nobody needs it.
        let length = match read(&mut answers)? {
            [RESERVED, IPV4] => 4,
            [RESERVED, IPV6] => 16,
            [RESERVED, NAME] => {
                let [length] = read(&mut answers)?;
                u64::from(length)
            }
            _ => return Err(SocksError::NotSocks),
        };
        let rest = length + 2;
        if io::copy(&mut answers.take(rest), &mut io::sink())? < rest {
            return Err(SocksError::Lost(ReadError::Broken));
        }
        Ok(())
    }
}

fn read<const N: usize>(answers: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    answers.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// Why nothing came where the answer to a request was to begin.
fn unanswered(error: io::Error) -> SocksError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => SocksError::Unanswered,
        _ => error.into(),
    }
}

/// The request to connect to a relay (RFC 1928 §4).
fn request(relay: &Address) -> Result<Vec<u8>, SocksError> {
    let mut request = vec![VERSION, CONNECT, RESERVED];
    let host = relay.host();
    if let Ok(ip) = host.parse::<Ipv4Addr>() {
        request.push(IPV4);
        request.extend(ip.octets());
    } else if let Ok(ip) = host.parse::<Ipv6Addr>() {
        request.push(IPV6);
        request.extend(ip.octets());
    } else {
        let length = u8::try_from(host.len()).map_err(|_| SocksError::LongName)?;
        request.extend([NAME, length]);
        request.extend(host.as_bytes());
    }
    request.extend(relay.port().to_be_bytes());
    Ok(request)
}

impl Login {
    /// User name and password as one writes them before the host.
    fn written(&self) -> String {
        let Self(message) = self;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let mut rest = message.get(1..).unwrap_or_default();
        let mut fields = Vec::new();
        while let Some((length, more)) = rest.split_first() {
            let (field, after) = more
                .split_at_checked((*length).into())
                .unwrap_or((more, &[]));
            fields.push(text(field));
            rest = after;
        }
        fields.join(":") + "@"
    }
}

impl FromStr for Login {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str = "before the @ there must be USER:PASSWORD, of 1 to 255 bytes each";
        let (user, password) = text.split_once(':').ok_or(FORM)?;
        let mut message = vec![LOGIN_VERSION];
        for text in [user, password] {
            let length = NonZeroU8::try_from(NonZeroUsize::new(text.len()).ok_or(FORM)?);
            message.push(length.map_err(|_| FORM)?.get());
            message.extend(text.as_bytes());
        }
        Ok(Self(message))
    }
}

/// Shows neither user name nor password.
impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Login(..)")
    }
}

impl FromStr for Proxy {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str = "it must be socks5://HOST:PORT";
        let (scheme, rest) = text.trim().split_once("://").ok_or(FORM)?;
        // `socks5h` is curl's word for a proxy that looks up the names. Ours always does.
        let is_socks5 = ["socks5", "socks5h"].contains(&&*scheme.to_ascii_lowercase());
        let rest = is_socks5.then_some(rest).ok_or(FORM)?;
        // A URL without a path may end in a slash. Of one with another slash nobody knows where its host ends.
        let bare = rest.strip_suffix('/').filter(|bare| !bare.contains('/'));
        let rest = bare.unwrap_or(rest);
        let (login, address) = match rest.rsplit_once('@') {
            Some((login, address)) => (Some(login.parse()?), address),
            None => (None, rest),
        };
        Ok(Self {
            address: Address::parse(address, DEFAULT_PORT)?,
            login,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHOSEN: [u8; 2] = [VERSION, NO_LOGIN];
    const CONNECTED: [u8; 10] = [VERSION, 0, RESERVED, IPV4, 0, 0, 0, 0, 0, 0];

    /// What is sent to a proxy that answers like this, and what comes of it.
    fn ask(proxy: &str, relay: &str, answers: &[&[u8]]) -> (Vec<u8>, Result<(), SocksError>) {
        let proxy: Proxy = proxy.parse().unwrap();
        let mut sent = Vec::new();
        let result = proxy.connect_to(&relay.parse().unwrap(), &*answers.concat(), &mut sent);
        (sent, result)
    }

    fn refusal(answers: &[&[u8]]) -> SocksError {
        ask("socks5://proxy", "relay", answers).1.unwrap_err()
    }

    #[test]
    fn names_are_sent_as_they_are_and_addresses_as_such() {
        let eight = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8];
        for (relay, expected) in [
            (
                "relay.invalid",
                [&[NAME, 13], &b"relay.invalid"[..], &[0x0f, 0xa0]].concat(),
            ),
            ("192.0.2.7:5000", vec![IPV4, 192, 0, 2, 7, 0x13, 0x88]),
            ("[2001:db8::8]:1", [&[IPV6], &eight[..], &[0, 1]].concat()),
        ] {
            let (sent, result) = ask("socks5://proxy", relay, &[&CHOSEN, &CONNECTED]);
            result.unwrap();
            let begin = [VERSION, 1, NO_LOGIN, VERSION, CONNECT, RESERVED];
            assert_eq!(sent, [&begin[..], &expected].concat(), "{relay}");
        }
    }

    #[test]
    fn a_name_that_does_not_fit_is_not_cut() {
        let (sent, result) = ask("socks5://proxy", &"a".repeat(256), &[&CHOSEN, &CONNECTED]);
        assert!(matches!(result, Err(SocksError::LongName)));
        assert_eq!(sent, b"");
        let (_, result) = ask("socks5://proxy", &"a".repeat(255), &[&CHOSEN, &CONNECTED]);
        result.unwrap();
    }

    #[test]
    fn a_login_is_sent_where_there_is_one() {
        let chosen = [VERSION, LOGIN, LOGIN_VERSION, 0];
        let (sent, result) = ask("socks5://ada:p@:ss@proxy", "relay", &[&chosen, &CONNECTED]);
        result.unwrap();
        let expected = b"\x05\x01\x02\x01\x03ada\x05p@:ss\x05\x01\x00\x03\x05relay\x0f\xa0";
        assert_eq!(sent, expected);
    }

    #[test]
    fn a_login_is_not_left_out_on_the_proxys_word() {
        let answers: [&[u8]; 2] = [&CHOSEN, &CONNECTED];
        let (sent, result) = ask("socks5://ada:secret@proxy", "relay", &answers);
        assert!(matches!(result, Err(SocksError::NotSocks)));
        assert_eq!(sent, [VERSION, 1, LOGIN]);
    }

    #[test]
    fn every_way_to_say_where_the_proxy_connects_from_is_skipped() {
        let name = [&[VERSION, 0, RESERVED, NAME, 255][..], &[b'x'; 257]].concat();
        let ipv6 = [&[VERSION, 0, RESERVED, IPV6][..], &[1; 18]].concat();
        for connected in [&CONNECTED[..], &name, &ipv6] {
            let mut answers = &*[&CHOSEN, connected, b"relay"].concat();
            let proxy: Proxy = "socks5://proxy".parse().unwrap();
            let relay = "relay".parse().unwrap();
            proxy.connect_to(&relay, &mut answers, io::sink()).unwrap();
            assert_eq!(answers, b"relay", "what the relay says is left");
        }
    }

    #[test]
    fn an_answer_that_ends_early_is_no_success() {
        let name = [VERSION, 0, RESERVED, NAME, 1, b'x', 0, 0];
        for connected in [&CONNECTED[..], &name] {
            let answers = [&CHOSEN, connected].concat();
            for length in 0..answers.len() {
                let refusal = refusal(&[&answers[..length]]);
                if length == CHOSEN.len() {
                    assert!(matches!(refusal, SocksError::Unanswered));
                } else {
                    assert!(matches!(refusal, SocksError::Lost(ReadError::Broken)));
                }
            }
        }
    }

    #[test]
    fn what_does_not_speak_socks5_is_recognised() {
        for answers in [
            &b"HTTP/1.1 400 Bad Request\r\n"[..],
            // SOCKS4.
            &[0, 91, 0, 0, 0, 0, 0, 0],
            &[VERSION, 1],
            &[VERSION, LOGIN],
            &[VERSION, NO_LOGIN, 4, 0, 0, IPV4],
            &[VERSION, NO_LOGIN, VERSION, 0, 1, IPV4, 0, 0, 0, 0, 0, 0],
            &[VERSION, NO_LOGIN, VERSION, 0, 0, 2, 0, 0, 0, 0, 0, 0],
        ] {
            assert!(
                matches!(refusal(&[answers]), SocksError::NotSocks),
                "{answers:?}"
            );
        }
    }

    #[test]
    fn no_first_four_bytes_of_an_answer_do_harm() {
        for answer in 0..=u16::MAX {
            let [first, second] = answer.to_be_bytes();
            refusal(&[&[first, second]]);
            refusal(&[&CHOSEN, &[first, second]]);
            refusal(&[&CHOSEN, &[VERSION, 0, first, second]]);
        }
    }

    #[test]
    fn proxies_are_read_and_the_password_is_not_shown() {
        for (text, shown) in [
            ("socks5://127.0.0.1:9050", "127.0.0.1:9050"),
            ("socks5h://Proxy.example", "proxy.example:1080"),
            ("socks5://ada:secret@[::1]:9", "[::1]:9"),
            ("SOCKS5://127.0.0.1:9050", "127.0.0.1:9050"),
            ("Socks5h://proxy.example/", "proxy.example:1080"),
            (" socks5://127.0.0.1:9050/ ", "127.0.0.1:9050"),
        ] {
            let proxy: Proxy = text.parse().unwrap();
            assert_eq!(proxy.address().to_string(), shown);
            assert!(!format!("{proxy:?}").contains("secret"));
        }
        for text in [
            "",
            "127.0.0.1:9050",
            "http://127.0.0.1:8080",
            "socks4://127.0.0.1:9050",
            "socks5://",
            "socks5://proxy:0",
            "socks5://proxy/path",
            "socks5://proxy//",
            "socks5:///",
            "socks5://ada@proxy",
            "socks5://:secret@proxy",
            "socks5://ada:@proxy",
        ] {
            assert!(text.parse::<Proxy>().is_err(), "{text:?}");
        }
    }
}
