//! Files of the user's own: written whole or not at all, and closed to others.

use std::fs::{self, Metadata};
use std::io::{self, Read as _, Write as _};
use std::path::Path;

/// Writes a file that only its owner can read, and makes its folder if there is none. In the end either
/// all of it is there, or what was there before. Without `replace` it never takes the place of another
/// file.
///
/// # Errors
/// If the system does not let it. `AlreadyExists` is also that of a folder that is a file.
pub(super) fn write(path: &Path, content: &[u8], replace: bool) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    fs::create_dir_all(folder)?;
    // Only the owner can read a temporary file, from the first moment on.
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    let saved = if replace {
        file.persist(path)
    } else {
        file.persist_noclobber(path)
    };
    saved.map_err(|error| error.error)?;
    sync_folder(folder)
}

/// Reads a file of at most so many bytes. The inner error is that of `refuse`, which says of what the system
/// tells of the file why it is not to be used, if so.
///
/// # Errors
/// If it is none, or too long, or the system does not let it.
pub(super) fn read(
    path: &Path,
    most: u64,
    refuse: impl FnOnce(&Metadata) -> Option<anyhow::Error>,
) -> io::Result<anyhow::Result<Vec<u8>>> {
    // This comes before opening: to open a pipe would wait for somebody to write into it.
    let metadata = fs::metadata(path)?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    if metadata.len() > most {
        let length = metadata.len();
        return Err(io::Error::other(format!(
            "it has {length} bytes, and at most {most} are read"
        )));
    }
    if let Some(error) = refuse(&metadata) {
        return Ok(Err(error));
    }
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(most).read_to_end(&mut bytes)?;
    Ok(Ok(bytes))
}

#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    fs::File::open(folder)?.sync_all()
}

/// On other systems no program can open a folder to sync it.
#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Whether others than the owner can do anything with it.
#[cfg(unix)]
pub(super) fn is_open_to_others(metadata: &Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    metadata.permissions().mode() & 0o077 != 0
}

/// Whether others than the owner can write to it.
#[cfg(unix)]
pub(super) fn is_writable_by_others(metadata: &Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    metadata.permissions().mode() & 0o022 != 0
}

/// On other systems the rules of the folder keep others out.
#[cfg(not(unix))]
pub(super) fn is_open_to_others(_: &Metadata) -> bool {
    false
}

/// As [`is_open_to_others`].
#[cfg(not(unix))]
pub(super) fn is_writable_by_others(_: &Metadata) -> bool {
    false
}
