//! The allow list (`--allow`): the identities that may enter, in a file that the relay reads again
//! when it has changed.

use std::collections::HashSet;
use std::fs::{self, File, Metadata};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use crate::cipher::fingerprint::Fingerprint;
use crate::cmd::lock::lock;
use crate::cmd::{failure, reason};

/// The longest file that is read, in bytes: enough for some fifteen thousand fingerprints.
const MAX_FILE: u64 = 1024 * 1024;

/// How old a file's time of change must be before the same time means the same file: file systems
/// keep these times only to the second or two.
const SETTLED: Duration = Duration::from_secs(2);

/// Why a file is not an allow list.
#[derive(Debug)]
enum ListError {
    Io(io::Error),
    NotFile,
    TooLong,
    /// The number of the first line that is wrong, counted from 1.
    Line(usize),
}

impl From<io::Error> for ListError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl std::fmt::Display for ListError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Io(error) => f.write_str(&reason(error)),
            Self::NotFile => f.write_str("it is not a file"),
            Self::TooLong => f.write_str("it is longer than 1 MiB"),
            Self::Line(number) => write!(f, "line {number} is not a fingerprint"),
        }
    }
}

/// By what the relay sees that a file has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    length: u64,
}

impl Stamp {
    /// The stamp that the file has now, or `None` where there is no file.
    fn look(path: &Path) -> Option<Self> {
        fs::metadata(path).ok().map(|metadata| Self::of(&metadata))
    }

    fn of(metadata: &Metadata) -> Self {
        Self {
            modified: metadata.modified().ok(),
            length: metadata.len(),
        }
    }

    fn is_settled(&self) -> bool {
        self.modified
            .and_then(|modified| modified.elapsed().ok())
            .is_some_and(|age| age > SETTLED)
    }
}

#[derive(Debug)]
struct ListState {
    listed: HashSet<Fingerprint>,
    /// The stamp that the file had when it was read last, whether or not it was a list then.
    stamp: Option<Stamp>,
    /// Whether the same stamp means that the file is unchanged: it is older than [`SETTLED`].
    is_settled: bool,
}

/// The identities that may enter, as the file says now, or said when it was last a list.
#[derive(Debug)]
pub(in crate::cmd::serve) struct AllowList {
    path: PathBuf,
    state: Mutex<ListState>,
}

impl AllowList {
    /// Reads the list in a file.
    ///
    /// # Errors
    /// Where the file cannot be read, is longer than 1 MiB, or a line of it is not a fingerprint.
    /// The second line of the error says what to do.
    pub(in crate::cmd::serve) fn open(path: &Path) -> anyhow::Result<Self> {
        let stamp = Stamp::look(path);
        let listed = read(path).map_err(|error| {
            let hint = match error {
                ListError::Line(_) => {
                    "a line is SHA256:... as `e2echat keygen` shows it, or empty; # begins a comment"
                }
                _ => "name a file with one fingerprint a line, readable for the relay",
            };
            let shown = path.display();
            failure(format!("cannot use the list {shown}: {error}"), hint)
        })?;
        Ok(Self {
            path: path.to_owned(),
            state: Mutex::new(ListState {
                listed,
                stamp,
                is_settled: stamp.is_some_and(|stamp| stamp.is_settled()),
            }),
        })
    }

    /// Reads the file again if it has changed, and returns whether the list has this identity. A
    /// file that is no list any more changes nothing: the last good one stays.
    pub(in crate::cmd::serve) fn look_up(&self, fingerprint: Fingerprint) -> bool {
        let mut state = lock(&self.state);
        self.refresh(&mut state);
        state.listed.contains(&fingerprint)
    }

    fn refresh(&self, state: &mut ListState) {
        let stamp = Stamp::look(&self.path);
        let is_changed = stamp != state.stamp;
        if !is_changed && (state.is_settled || stamp.is_none()) {
            return;
        }
        state.stamp = stamp;
        state.is_settled = stamp.is_some_and(|stamp| stamp.is_settled());
        let shown = self.path.display();
        match read(&self.path) {
            Ok(listed) if listed != state.listed => {
                log::info!("took the list {shown} anew: {} identities", listed.len());
                state.listed = listed;
            }
            Err(error) if is_changed => {
                log::warn!("cannot use the list {shown}, so the last good one stays: {error}");
            }
            Ok(_) | Err(_) => {}
        }
    }
}

fn read(path: &Path) -> Result<HashSet<Fingerprint>, ListError> {
    // The type is asked for before the file is opened: to open a pipe would wait for somebody to
    // write into it.
    let metadata = fs::metadata(path)?;
    if !metadata.is_file() {
        return Err(ListError::NotFile);
    }
    let mut bytes = Vec::new();
    File::open(path)?
        .take(MAX_FILE + 1)
        .read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).map_or(true, |length| length > MAX_FILE) {
        return Err(ListError::TooLong);
    }
    fingerprints(&String::from_utf8_lossy(&bytes)).map_err(ListError::Line)
}

/// The fingerprints in the text of a list: one a line, as PROTOCOL §3 writes them; `#` begins a
/// comment.
///
/// # Errors
/// The number of the first line that is not a fingerprint, counted from 1.
pub fn fingerprints(text: &str) -> Result<HashSet<Fingerprint>, usize> {
    let mut listed = HashSet::new();
    for (index, line) in text.lines().enumerate() {
        let content = line.split('#').next().unwrap_or_default().trim();
        if !content.is_empty() {
            let fingerprint = content.parse().map_err(|_| index + 1)?;
            listed.insert(fingerprint);
        }
    }
    Ok(listed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_blank_lines_are_nobody() {
        let [ada, bob] = ["ada", "bob"].map(|name| Fingerprint::of(name.as_bytes()));
        let text = format!("# friends\r\n\r\n  {ada}  # ada\n\t\n{bob}\n{ada}");
        assert_eq!(fingerprints(&text).unwrap(), HashSet::from([ada, bob]));
        assert!(fingerprints("").unwrap().is_empty());
    }

    #[test]
    fn the_first_bad_line_is_named() {
        let ada = Fingerprint::of(b"ada");
        for bad in ["ada", "SHA256:", &format!("{ada} {ada}"), "\u{fffd}"] {
            let text = format!("# friends\n{ada}\n{bad}\nworse");
            assert_eq!(fingerprints(&text), Err(3), "{bad}");
        }
    }
}
