//! A socket in the file system, for what stands before the relay on the same machine: `ssh -W`, something that
//! speaks TLS, Tor.

use std::fs::{self, File, TryLockError};
use std::io;
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::stat::{Mode, umask};

use crate::cmd::{failure, reason};

/// Who runs the relay and the same group may connect: the socket's mode is 0660.
const NOT_ALLOWED: Mode = Mode::S_IXUSR.union(Mode::S_IXGRP).union(Mode::S_IRWXO);

/// Locks the folder, for which nobody is waited for without end: anybody may lock it who can read it.
fn lock(folder: &File) -> io::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match folder.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                thread::sleep(Duration::from_millis(20));
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// How long another program may look at the folder, too.
const PATIENCE: Duration = Duration::from_secs(2);

/// A socket that listens.
pub(super) struct UnixSocket {
    listener: UnixListener,
    path: PathBuf,
    /// How many connections there were.
    accepted: AtomicU64,
}

/// The file of a socket. When this is dropped, the file is removed, unless it is another's by then.
pub(super) struct SocketFile {
    path: PathBuf,
    /// By what the file is known, whatever its name: device and inode.
    id: (u64, u64),
}

fn id(path: &Path) -> io::Result<(u64, u64)> {
    let metadata = fs::symlink_metadata(path)?;
    Ok((metadata.dev(), metadata.ino()))
}

impl UnixSocket {
    /// Listens at this path. A socket at which no program listens any more gives way.
    ///
    /// # Errors
    /// Why that cannot be, in words for the user.
    pub(super) fn bind(path: &Path) -> anyhow::Result<(Self, SocketFile)> {
        let cannot = |reason: &str, hint: &str| {
            failure(
                format!("cannot listen on unix:{}: {reason}", path.display()),
                hint,
            )
        };
        let io_error = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => {
                cannot("there is no such folder", "make it, or give another path")
            }
            // The only thing that can be wrong with a path: the system has no room for longer ones.
            io::ErrorKind::InvalidInput => cannot(
                "the path is too long for a socket",
                "give one of about 100 bytes at most, such as /run/e2echat/relay.sock",
            ),
            _ => cannot(&reason(&error), "give a path in a folder of yours"),
        };
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        // One program after the other looks whether somebody listens, and listens.
        let folder = File::open(folder.unwrap_or(Path::new("."))).map_err(io_error)?;
        lock(&folder).map_err(io_error)?;
        match fs::symlink_metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(io_error(error)),
            Ok(metadata) if !metadata.file_type().is_socket() => {
                return Err(cannot(
                    "something else is there",
                    "remove it, or give another path",
                ));
            }
            Ok(_) => match UnixStream::connect(path) {
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                    fs::remove_file(path).map_err(io_error)?;
                }
                Err(error) => return Err(io_error(error)),
                Ok(_) => {
                    let hint = "end that program, or give another path";
                    return Err(cannot("another program listens there", hint));
                }
            },
        }
        let before = umask(NOT_ALLOWED);
        let listener = UnixListener::bind(path);
        umask(before);
        let listener = listener.map_err(io_error)?;
        let path = path.to_owned();
        let file = SocketFile {
            id: id(&path).map_err(io_error)?,
            path: path.clone(),
        };
        let socket = Self {
            listener,
            path,
            accepted: AtomicU64::new(0),
        };
        Ok((socket, file))
    }

    /// Its path, as it was given.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Waits for a connection, and returns which one it is: the first is 1.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn accept(&self) -> io::Result<(TcpStream, u64)> {
        let (stream, _) = self.listener.accept()?;
        // To be read, written, and given a time limit, it is a socket as any other.
        let stream = TcpStream::from(OwnedFd::from(stream));
        Ok((stream, self.accepted.fetch_add(1, Ordering::Relaxed) + 1))
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if id(&self.path).is_ok_and(|found| found == self.id) {
            // Where it cannot be removed, the next relay finds that nobody listens there.
            let _ = fs::remove_file(&self.path);
        }
    }
}
