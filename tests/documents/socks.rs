//! A SOCKS5 proxy at which every name there is leads to one relay: so a line works as it stands in a
//! document, though nobody on the network knows chat.example.org.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;

/// Starts one, which lasts as long as the tests do. Returns where it listens.
pub fn start(relay: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for client in listener.incoming() {
            // A client that has gone is its own concern.
            let _ = client.and_then(|client| serve(client, relay));
        }
    });
    address
}

/// RFC 1928, for whoever speaks it well.
fn serve(mut client: TcpStream, relay: SocketAddr) -> io::Result<()> {
    let mut greeting = [0; 2];
    client.read_exact(&mut greeting)?;
    client.read_exact(&mut vec![0; usize::from(greeting[1])])?;
    client.write_all(&[5, 0])?;
    let mut request = [0; 4];
    client.read_exact(&mut request)?;
    let host = match request[3] {
        1 => 4,
        4 => 16,
        _ => {
            let mut length = [0];
            client.read_exact(&mut length)?;
            length[0]
        }
    };
    client.read_exact(&mut vec![0; usize::from(host) + 2])?;
    client.write_all(&[5, 0, 0, 1, 127, 0, 0, 1, 0x0f, 0xa0])?;
    let relay = TcpStream::connect(relay)?;
    pass_on(client.try_clone()?, relay.try_clone()?);
    pass_on(relay, client);
    Ok(())
}

fn pass_on(mut from: TcpStream, mut to: TcpStream) {
    thread::spawn(move || {
        // It ends when either side does.
        let _ = io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    });
}
