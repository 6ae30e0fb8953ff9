//! The folder in which a draft stands while an editor has it.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::cmd::{file, reason};

/// The name of the draft in it.
const NAME: &str = "draft.txt";

/// How often a folder is removed into which something still writes.
const ATTEMPTS: usize = 20;

/// A folder that nobody else can enter. Dropping it removes it.
pub(super) struct Folder(TempDir);

impl Folder {
    /// Makes one in memory.
    ///
    /// # Errors
    /// In words, where there is no such place.
    pub(super) fn new() -> Result<Self, String> {
        Self::in_one_of(&places())
    }

    fn in_one_of(places: &[Result<PathBuf, &str>]) -> Result<Self, String> {
        let mut reasons = Vec::new();
        for place in places {
            let made = place.as_ref().map_err(ToString::to_string);
            match made.and_then(|place| Self::within(place)) {
                Ok(folder) => return Ok(folder),
                Err(why) => reasons.push(why),
            }
        }
        let reasons = reasons.join(", and ");
        Err(format!("there is no place in memory for it: {reasons}"))
    }

    fn within(place: &Path) -> Result<Self, String> {
        let mut builder = tempfile::Builder::new();
        builder
            .prefix("e2echat-")
            .permissions(Permissions::from_mode(0o700));
        let made = builder.tempdir_in(place);
        made.map(Self)
            .map_err(|error| format!("{}: {}", place.display(), reason(&error)))
    }

    /// Puts the draft into it. Returns its file.
    pub(super) fn write(&self, draft: &str) -> Result<PathBuf, String> {
        let path = self.0.path().join(NAME);
        let mut options = OpenOptions::new();
        let opened = options.write(true).create_new(true).mode(0o600).open(&path);
        let end = if draft.is_empty() { "" } else { "\n" };
        let written =
            opened.and_then(|mut file| file.write_all((draft.to_owned() + end).as_bytes()));
        written.map_err(|error| {
            format!("cannot write it to {}: {}", path.display(), reason(&error))
        })?;
        Ok(path)
    }

    /// Reads what stands in the draft's place, if that is no more than so many bytes. Nothing there is an empty draft.
    pub(super) fn read(&self, most: u64) -> Result<Vec<u8>, String> {
        let path = self.0.path().join(NAME);
        match file::read(&path, most, |_| None) {
            Ok(Ok(bytes)) => Ok(bytes),
            Ok(Err(error)) => Err(error.to_string()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(format!(
                "cannot read what the editor left: {}",
                reason(&error)
            )),
        }
    }

    /// Removes it, with everything in it.
    ///
    /// # Errors
    /// In words, where something stays.
    pub(super) fn remove(mut self) -> Result<(), String> {
        self.0.disable_cleanup(true);
        let path = self.0.path();
        let mut removed = Ok(());
        for _ in 0..ATTEMPTS {
            // The editor may have closed it.
            let _ = fs::set_permissions(path, Permissions::from_mode(0o700));
            removed = fs::remove_dir_all(path);
            match &removed {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {}
                _ => return Ok(()),
            }
        }
        removed.map_err(|error| {
            format!(
                "the draft is still in {}: {}",
                path.display(),
                reason(&error)
            )
        })
    }
}

/// Where folders in memory can be, and why not elsewhere.
fn places() -> [Result<PathBuf, &'static str>; 2] {
    let own = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let own = own.filter(|path| path.is_absolute());
    [own.ok_or("XDG_RUNTIME_DIR is not set"), shared_memory()]
}

#[cfg(target_os = "linux")]
fn shared_memory() -> Result<PathBuf, &'static str> {
    use nix::sys::statfs::{TMPFS_MAGIC, statfs};

    let path = PathBuf::from("/dev/shm");
    let is_in_memory = statfs(&path).is_ok_and(|it| it.filesystem_type() == TMPFS_MAGIC);
    is_in_memory
        .then_some(path)
        .ok_or("/dev/shm is not in memory")
}

#[cfg(not(target_os = "linux"))]
fn shared_memory() -> Result<PathBuf, &'static str> {
    Err("this system has no other")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_goes_with_everything_in_it() {
        let place = TempDir::new().unwrap();
        let nothing = place.path().join("nothing");
        let folder = Folder::in_one_of(&[Ok(nothing), Ok(place.path().to_owned())]).unwrap();
        let path = folder.0.path().to_owned();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o700);
        let draft = folder.write("hello").unwrap();
        assert_eq!(mode(&draft), 0o600);
        assert_eq!(folder.read(100).as_deref(), Ok(&b"hello\n"[..]));
        assert!(folder.read(5).is_err());
        fs::write(path.join("draft.txt~"), "hello").unwrap();
        fs::create_dir_all(path.join(".swap/deep")).unwrap();
        fs::write(path.join(".swap/deep/1"), "hello").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o500)).unwrap();
        assert_eq!(folder.remove(), Ok(()));
        assert!(!path.exists());
    }

    #[test]
    fn without_memory_there_is_no_folder_and_the_reasons_are_told() {
        let refused = Folder::in_one_of(&[
            Err("XDG_RUNTIME_DIR is not set"),
            Ok(PathBuf::from("/dev/null/shm")),
        ]);
        assert_eq!(
            refused.err().as_deref(),
            Some(
                "there is no place in memory for it: XDG_RUNTIME_DIR is not set, and /dev/null/shm: not a directory"
            )
        );
    }

    #[test]
    fn what_is_no_file_is_not_read() {
        let place = TempDir::new().unwrap();
        let folder = Folder::within(place.path()).unwrap();
        assert_eq!(folder.read(100), Ok(Vec::new()), "the editor left nothing");
        fs::create_dir(folder.0.path().join(NAME)).unwrap();
        assert!(folder.read(100).is_err());
        assert_eq!(folder.remove(), Ok(()));
    }
}
