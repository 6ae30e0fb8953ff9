//! The file of `join --log`: the client appends all that it shows, and only the owner can read it.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::cmd::terminal::{Entry, Style, render_plain};
use crate::cmd::{failure, reason, zone};

/// Without times: each line of the file begins with the date and the time.
const STYLE: Style = Style {
    timestamps: false,
    ..Style::PLAIN
};

/// The open file, to which entries are appended.
pub(in crate::cmd::join) struct LogFile {
    file: File,
    path: PathBuf,
}

impl LogFile {
    /// Opens the file, or makes it, and lets only its owner read it.
    ///
    /// # Errors
    /// If the system does not let it, or the path leads to a folder, a pipe or a device.
    pub(in crate::cmd::join) fn open(path: &Path) -> anyhow::Result<Self> {
        let file = open(path).map_err(|error| {
            failure(
                format!("cannot write to {}: {}", path.display(), reason(&error)),
                "choose another file with --log",
            )
        })?;
        Ok(Self {
            file,
            path: path.to_owned(),
        })
    }

    /// Appends the lines of an entry, each behind the local date and time.
    ///
    /// # Errors
    /// In words, if the file does not take all of them.
    pub(in crate::cmd::join) fn write(&mut self, entry: &Entry) -> Result<(), String> {
        let now = zone::now().strftime("%Y-%m-%d %H:%M:%S").to_string();
        let shown = match entry {
            // It is a secret, and a log is copied and searched.
            Entry::Invite { .. } => "* the invite was shown, and is not written down\n".to_owned(),
            entry => render_plain(entry, STYLE),
        };
        let lines = shown.lines().map(|line| format!("{now} {line}\n"));
        let written = self.file.write_all(lines.collect::<String>().as_bytes());
        written.map_err(|error| {
            let (path, reason) = (self.path.display(), reason(&error));
            format!("cannot write to {path}, the log ends: {reason}")
        })
    }
}

fn open(path: &Path) -> io::Result<File> {
    // To open a pipe would wait for somebody to read it.
    if std::fs::metadata(path).is_ok_and(|there| !there.is_file()) {
        return Err(io::Error::other("it is not a file"));
    }
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    // A file that was there before may be open to others.
    #[cfg(unix)]
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    Ok(file)
}
