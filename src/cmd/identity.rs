//! The file that an identity is saved in.

mod unusable;

use std::fs::{self, File, Metadata};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use crate::cipher::keys::IdentityKey;
use crate::cipher::pem::IdentityPem;

use super::{failure, passphrase, reason, shell};

/// No identity is nearly as long: a 4096-bit key takes 3,500 bytes.
const MAX_FILE: u64 = 64 * 1024;

/// Where an identity is saved unless one says otherwise, by the platform's convention.
pub(super) fn default_path() -> anyhow::Result<PathBuf> {
    let folder = dirs::config_dir().ok_or_else(|| {
        failure(
            "this system has no folder for settings",
            "name a file with --identity (join) or --output (keygen)",
        )
    })?;
    Ok(folder.join("e2echat").join("identity.pem"))
}

/// Reads the identity in a file, and asks for the passphrase if it has one. The file stays as it
/// is, whatever is wrong with it.
pub(super) fn load(path: &Path) -> anyhow::Result<IdentityKey> {
    let file = read(path)?;
    let explain = |error| unusable::explain(path, &file, error);
    let pem = IdentityPem::parse(&file).map_err(explain)?;
    if pem.is_encrypted() {
        passphrase::existing(|passphrase| pem.open_with(passphrase))?.map_err(explain)
    } else {
        pem.open().map_err(explain)
    }
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    let shown = path.display();
    let unreadable = |error: io::Error| {
        let hint = match error.kind() {
            io::ErrorKind::NotFound => "check the path, or make one with `e2echat keygen --output`",
            _ => "make it readable for you, or name another file",
        };
        failure(
            format!("cannot read the identity {shown}: {}", reason(&error)),
            hint,
        )
    };
    // Before it is opened: opening a pipe would wait for somebody to write into it.
    let metadata = fs::metadata(path).map_err(unreadable)?;
    if !metadata.is_file() || metadata.len() > MAX_FILE {
        return Err(failure(
            format!("{shown} is not an identity file"),
            "name the file that `e2echat keygen` made",
        ));
    }
    if is_open_to_others(&metadata) {
        return Err(failure(
            format!("others can read the identity {shown}"),
            &format!("close it with: chmod 600 {}", shell::quoted(path)),
        ));
    }
    let mut file = Vec::new();
    File::open(path)
        .map_err(unreadable)?
        .take(MAX_FILE)
        .read_to_end(&mut file)
        .map_err(unreadable)?;
    Ok(file)
}

#[cfg(unix)]
fn is_open_to_others(metadata: &Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    metadata.permissions().mode() & 0o077 != 0
}

/// Elsewhere the folder's own rules keep others out.
#[cfg(not(unix))]
fn is_open_to_others(_: &Metadata) -> bool {
    false
}

/// Writes a new identity file that only its owner can read. Either all of it is there in the end,
/// or what was there before. Without `replace` it never takes the place of another file.
pub(super) fn save(path: &Path, pem: &str, replace: bool) -> anyhow::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let unwritable = |error: io::Error| {
        let hint =
            "nothing was changed; make room or get permission, or name another file with --output";
        failure(
            format!("cannot write {}: {}", path.display(), reason(&error)),
            hint,
        )
    };
    if replace && fs::symlink_metadata(path).is_ok_and(|there| !there.is_file()) {
        return Err(failure(
            format!(
                "{} is not a file, and is not replaced by one",
                path.display()
            ),
            "name another with --output",
        ));
    }
    fs::create_dir_all(folder).map_err(unwritable)?;
    // Such a file is readable by its owner alone from the first moment.
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(unwritable)?;
    file.write_all(pem.as_bytes()).map_err(unwritable)?;
    file.as_file().sync_all().map_err(unwritable)?;
    let saved = if replace {
        file.persist(path)
    } else {
        file.persist_noclobber(path)
    };
    saved.map_err(|error| match error.error {
        error if error.kind() == io::ErrorKind::AlreadyExists => exists(path),
        error => unwritable(error),
    })?;
    sync_folder(folder).map_err(unwritable)
}

/// The error for a file that must not be overwritten.
pub(super) fn exists(path: &Path) -> anyhow::Error {
    failure(
        format!("{} exists already", path.display()),
        "your friends know you by it: use another file with --output, or replace it with --force",
    )
}

#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Elsewhere a folder cannot be opened in order to sync it.
#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}
