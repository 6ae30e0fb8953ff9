//! The file of an identity: where it is, how it is read and written.

mod unusable;

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use crate::cipher::keys::IdentityKey;
use crate::cipher::pem::IdentityPem;

use super::{failure, file, passphrase, reason, shell};

/// The longest file that is read, in bytes. No identity is nearly as long: one of 4096 bits takes 3,500
/// bytes.
const MAX_FILE: u64 = 64 * 1024;

/// Where an identity is saved unless the user names a file, by the platform's convention.
///
/// # Errors
/// If the platform has no folder for settings.
pub(super) fn default_path() -> anyhow::Result<PathBuf> {
    let folder = dirs::config_dir().ok_or_else(|| {
        failure(
            "this system has no folder for settings",
            "name a file with --identity (join) or --output (keygen)",
        )
    })?;
    Ok(folder.join("e2echat").join("identity.pem"))
}

/// Reads the identity in a file, and asks for the passphrase if it has one. Never changes the file,
/// whatever is wrong with it.
///
/// # Errors
/// If the file cannot be read, others than its owner can read it, or it is no identity; in words, with
/// what to do about it.
pub(super) fn load(path: &Path) -> anyhow::Result<IdentityKey> {
    let file = read(path)?;
    let explain = |error| unusable::explain(path, &file, error);
    let pem = IdentityPem::parse(&file).map_err(explain)?;
    if pem.is_encrypted() {
        passphrase::unlock(|passphrase| pem.open_with(passphrase))?.map_err(explain)
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
    // This comes before opening: to open a pipe would wait for somebody to write into it.
    let metadata = fs::metadata(path).map_err(unreadable)?;
    if !metadata.is_file() || metadata.len() > MAX_FILE {
        return Err(failure(
            format!("{shown} is not an identity file"),
            "name the file that `e2echat keygen` made",
        ));
    }
    if file::is_open_to_others(&metadata) {
        return Err(failure(
            format!("others can read the identity {shown}"),
            &format!("close it with: chmod 600 {}", shell::quoted(path)),
        ));
    }
    let mut content = Vec::new();
    File::open(path)
        .map_err(unreadable)?
        .take(MAX_FILE)
        .read_to_end(&mut content)
        .map_err(unreadable)?;
    Ok(content)
}

/// Writes an identity file that only its owner can read. In the end either all of it is there, or what
/// was there before. Without `replace` it never takes the place of another file.
///
/// # Errors
/// If the file cannot be written, or is there already; in words, with what to do about it.
pub(super) fn save(path: &Path, pem: &str, replace: bool) -> anyhow::Result<()> {
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
    file::write(path, pem.as_bytes(), replace).map_err(|error| {
        let is_there = !replace && path.symlink_metadata().is_ok();
        if is_there && error.kind() == io::ErrorKind::AlreadyExists {
            already_exists(path)
        } else {
            unwritable(error)
        }
    })
}

/// The error for a file that must not be overwritten.
pub(super) fn already_exists(path: &Path) -> anyhow::Error {
    failure(
        format!("{} exists already", path.display()),
        "your friends know you by it: use another file with --output, or replace it with --force",
    )
}
