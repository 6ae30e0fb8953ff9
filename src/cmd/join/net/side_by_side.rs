//! Connects to one of several addresses: they are tried side by side, and the first that connects is taken
//! (RFC 8305). So an address that does not answer keeps nobody waiting.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use super::link::HANDSHAKE_TIMEOUT;

/// How long after one attempt the next one begins, if the first is neither done nor failed (RFC 8305 §5).
const NEXT_AFTER: Duration = Duration::from_millis(250);

/// Connects to one of these addresses.
///
/// # Errors
/// What the last of them says, where all have failed.
pub(super) fn connect(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    connect_by(addresses, |address| {
        let stream = TcpStream::connect_timeout(&address, HANDSHAKE_TIMEOUT)?;
        stream.set_nodelay(true)?;
        Ok(stream)
    })
}

/// What has come of the attempt with this number.
type Outcome<T> = (usize, io::Result<T>);

fn connect_by<T: Send + 'static>(
    addresses: &[SocketAddr],
    attempt: impl Fn(SocketAddr) -> io::Result<T> + Send + Sync + 'static,
) -> io::Result<T> {
    let attempt = Arc::new(attempt);
    let (sender, outcomes) = channel();
    let mut ways = in_turn(addresses).into_iter().enumerate().peekable();
    let mut under_way = 0;
    let mut failure: Option<(usize, io::Error)> = None;
    loop {
        if let Some((number, address)) = ways.next() {
            let attempt = Arc::clone(&attempt);
            begin(number, sender.clone(), move || attempt(address))?;
            under_way += 1;
        } else if under_way == 0 {
            let none = io::ErrorKind::AddrNotAvailable.into();
            return Err(failure.map_or(none, |(_, error)| error));
        }
        let outcome = if ways.peek().is_some() {
            outcomes.recv_timeout(NEXT_AFTER)
        } else {
            outcomes.recv().map_err(|_| RecvTimeoutError::Disconnected)
        };
        // Of the others, whatever connects later is closed: nobody takes it.
        match outcome {
            Ok((_, Ok(connected))) => return Ok(connected),
            Ok((number, Err(error))) => {
                under_way -= 1;
                if failure.as_ref().is_none_or(|(last, _)| *last < number) {
                    failure = Some((number, error));
                }
            }
            Err(_) => {}
        }
    }
}

fn begin<T: Send + 'static>(
    number: usize,
    outcomes: Sender<Outcome<T>>,
    attempt: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<()> {
    let connecting = move || drop(outcomes.send((number, attempt())));
    let builder = thread::Builder::new().name("connect".into());
    builder.spawn(connecting).map(drop)
}

/// The addresses in the order in which they are tried: both families in turn, beginning with that of the first
/// (RFC 8305 §4).
fn in_turn(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    let is_first_family = |address: &&SocketAddr| {
        let first = addresses.first().map(SocketAddr::is_ipv6);
        first == Some(address.is_ipv6())
    };
    let (one, other): (Vec<&SocketAddr>, Vec<&SocketAddr>) =
        addresses.iter().partition(is_first_family);
    let longer = one.len().max(other.len());
    let in_turn = (0..longer).flat_map(|place| [one.get(place), other.get(place)]);
    in_turn.flatten().map(|address| **address).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    /// Tries these, of which those with port 1 do not answer before this is done, those with port 2 refuse, those
    /// with port 3 fail, and others connect.
    fn try_all(texts: &[&str]) -> (io::Result<SocketAddr>, Vec<SocketAddr>) {
        let tried = Arc::new(Mutex::new(Vec::new()));
        let (held, silence) = channel::<()>();
        let silence = Mutex::new(silence);
        let connected = connect_by(&addresses(texts), {
            let tried = Arc::clone(&tried);
            move |address| {
                tried.lock().unwrap().push(address);
                match address.port() {
                    1 => {
                        let _ = silence.lock().unwrap().recv();
                        Err(io::ErrorKind::TimedOut.into())
                    }
                    2 => Err(io::ErrorKind::ConnectionRefused.into()),
                    3 => Err(io::ErrorKind::HostUnreachable.into()),
                    _ => Ok(address),
                }
            }
        });
        drop(held);
        let tried = tried.lock().unwrap().clone();
        (connected, tried)
    }

    #[test]
    fn both_families_are_tried_in_turn() {
        let given = addresses(&["[::1]:1", "[::2]:1", "[::3]:1", "1.0.0.1:1", "1.0.0.2:1"]);
        let tried = addresses(&["[::1]:1", "1.0.0.1:1", "[::2]:1", "1.0.0.2:1", "[::3]:1"]);
        assert_eq!(in_turn(&given), tried);
        let given = addresses(&["1.0.0.1:1", "[::1]:1"]);
        assert_eq!(in_turn(&given), given);
        assert_eq!(in_turn(&[]), []);
    }

    #[test]
    fn addresses_that_do_not_answer_keep_nobody_waiting() {
        let texts = ["1.0.0.1:1", "1.0.0.2:1", "1.0.0.3:1", "1.0.0.4:7"];
        let (connected, tried) = try_all(&texts);
        assert_eq!(connected.unwrap(), addresses(&texts)[3]);
        assert_eq!(tried, addresses(&texts));
    }

    #[test]
    fn where_one_refuses_the_next_is_tried_at_once() {
        let (connected, tried) = try_all(&["1.0.0.1:2", "1.0.0.2:2", "1.0.0.3:7"]);
        assert_eq!(connected.unwrap(), addresses(&["1.0.0.3:7"])[0]);
        assert_eq!(tried.len(), 3);
    }

    #[test]
    fn where_all_fail_the_last_says_why() {
        let (refused, tried) = try_all(&["1.0.0.1:3", "1.0.0.2:2"]);
        assert_eq!(
            refused.unwrap_err().kind(),
            io::ErrorKind::ConnectionRefused
        );
        assert_eq!(tried.len(), 2);
        let (none, _) = try_all(&[]);
        assert_eq!(none.unwrap_err().kind(), io::ErrorKind::AddrNotAvailable);
    }
}
