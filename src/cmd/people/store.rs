//! The file of known people, `known-people`. The program appends lines to it, and writes it anew where most of what it
//! says is old, or somebody is to be forgotten: always under a lock, so programs that run at the same time lose nothing
//! of each other's. A line that cannot be read is left in it.

use std::cell::Cell;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use same_file::Handle;

use crate::cmd::{failure, file, reason};

use super::book::AddressBook;

/// The longest file that is read, in bytes: some four hundred thousand people.
pub(super) const MAX_FILE: u64 = 64 * 1024 * 1024;

/// From this length on, nothing is written of those whom the user has said nothing of: anybody can come under new
/// identities without end. The rest is for what the user says.
const FULL: u64 = 32 * 1024 * 1024;

/// The file.
pub(in crate::cmd) struct PeopleFile {
    /// `None` on a system that has no folder for it.
    path: Option<PathBuf>,
    /// Whether others could write to it until it was read.
    was_writable: Cell<bool>,
}

impl PeopleFile {
    /// Where it is, whether it is there or not.
    pub(in crate::cmd) fn find() -> Self {
        Self {
            path: dirs::data_dir().map(|folder| folder.join("e2echat").join("known-people")),
            was_writable: Cell::new(false),
        }
    }

    pub(in crate::cmd) fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Reads it, and keeps others out of it. A missing file says nothing.
    ///
    /// # Errors
    /// If it is there and cannot be read, with what to do about it.
    pub(in crate::cmd) fn read(&self) -> anyhow::Result<AddressBook> {
        let mut book = AddressBook::default();
        let Some(path) = &self.path else {
            return Ok(book);
        };
        let read = check_is_regular(path).and_then(|()| {
            self.was_writable.set(keep_others_out(path)?);
            file::read(path, MAX_FILE, |_| None)?.map_err(io::Error::other)
        });
        match read {
            Ok(bytes) => book.read(&bytes, |_| {}),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                return Err(failure(
                    format!(
                        "cannot read {}, where the people you know are: {}",
                        path.display(),
                        reason(&error)
                    ),
                    "make it a file that you can read, or move it away: without it a changed identity is not noticed",
                ));
            }
        }
        if book.is_mostly_old() {
            // If that fails, or another program is at it, the file is only longer than it need be.
            let _ =
                open_locked(path, false, Lock::Try).and_then(|file| rewrite(path, &file, |_| true));
        }
        Ok(book)
    }

    /// Appends lines, and if they `must_last`, waits until they are on the disk.
    ///
    /// # Errors
    /// If the file does not take them.
    pub(in crate::cmd) fn append(&self, lines: &str, must_last: bool) -> io::Result<()> {
        let path = self.path.as_ref().ok_or(io::ErrorKind::NotFound)?;
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut file = open_locked(path, true, Lock::Wait)?;
        let length = file.metadata()?.len();
        let most = if must_last { MAX_FILE } else { FULL };
        if length.saturating_add(lines.len() as u64) > most {
            let full = format!("it has {length} bytes, and `e2echat people forget` makes room");
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, full));
        }
        // The last line may be cut off, by a full disk perhaps. It must not swallow this one.
        let mut last = [b'\n'];
        if length > 0 {
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut last)?;
        }
        let repair = if last == *b"\n" { "" } else { "\n" };
        file.write_all(format!("{repair}{lines}").as_bytes())?;
        if must_last { file.sync_data() } else { Ok(()) }
    }

    /// Has `change` change what the file says now, and writes it anew if that returns true. Returns what that returned.
    ///
    /// # Errors
    /// If the file cannot be read or replaced; then nothing has changed.
    pub(super) fn rewrite(
        &self,
        change: impl FnOnce(&mut AddressBook) -> bool,
    ) -> io::Result<bool> {
        let path = self.path.as_ref().ok_or(io::ErrorKind::NotFound)?;
        let file = open_locked(path, false, Lock::Wait)?;
        rewrite(path, &file, change)
    }

    /// The words that say that others could write to it; `None` if not.
    pub(in crate::cmd) fn opening(&self) -> Option<String> {
        let path = self.path.as_ref().filter(|_| self.was_writable.get())?;
        Some(format!(
            "others could write to {}, and change there whom you know: it is closed to them now",
            path.display()
        ))
    }

    /// The words that say how many lines of the file this book could not read; `None` if all could be read.
    pub(in crate::cmd) fn damage(&self, book: &AddressBook) -> Option<String> {
        let damaged = book.damaged();
        let path = self.path.as_ref().filter(|_| damaged > 0)?;
        Some(format!(
            "{damaged} of the lines in {} cannot be read: somebody whom you know may look new. They are left as they are; if you have a copy of the file, restore it",
            path.display()
        ))
    }
}

/// Changes what the file says, which is locked: others wait, and notice that the file is another one then.
fn rewrite(
    path: &Path,
    file: &File,
    change: impl FnOnce(&mut AddressBook) -> bool,
) -> io::Result<bool> {
    let mut bytes = Vec::new();
    file.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let mut book = AddressBook::default();
    let mut damaged = Vec::new();
    book.read(&bytes, |line| {
        damaged.extend_from_slice(line);
        damaged.push(b'\n');
    });
    let has_changed = change(&mut book);
    if has_changed {
        let text = [book.lines().as_bytes(), &damaged].concat();
        // A link stays one.
        file::write(&fs::canonicalize(path)?, &text, true)?;
    }
    Ok(has_changed)
}

/// What to do where another program has the lock.
#[derive(Clone, Copy)]
enum Lock {
    Wait,
    Try,
}

/// Opens the file that is at this path with a lock on it, which keeps others waiting until it is dropped.
fn open_locked(path: &Path, create: bool, lock: Lock) -> io::Result<File> {
    loop {
        match check_is_regular(path) {
            Err(error) if !create || error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(create);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path)?;
        match lock {
            Lock::Wait => file.lock()?,
            Lock::Try => file.try_lock()?,
        }
        // Whoever had the lock may have put another file in its place.
        match Handle::from_path(path) {
            Ok(there) if there == Handle::from_file(file.try_clone()?)? => return Ok(file),
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
}

/// Refuses all but regular files. To read a pipe or a device may wait or never end, and to write to one
/// may do anything.
fn check_is_regular(path: &Path) -> io::Result<()> {
    let kind = fs::metadata(path)?.file_type();
    if kind.is_file() {
        Ok(())
    } else if kind.is_dir() {
        Err(io::ErrorKind::IsADirectory.into())
    } else {
        Err(io::Error::other("it is not a file, but a pipe or a device"))
    }
}

/// Lets nobody else read the file, which tells whom the user knows, nor write to it: whoever can decides that. Returns
/// whether others could write to it.
#[cfg(unix)]
fn keep_others_out(path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::PermissionsExt as _;
    let metadata = fs::metadata(path)?;
    if !file::is_open_to_others(&metadata) {
        return Ok(false);
    }
    let was_writable = file::is_writable_by_others(&metadata);
    match fs::set_permissions(path, fs::Permissions::from_mode(0o600)) {
        Err(error) if was_writable => Err(io::Error::other(format!(
            "others can write to it, and to close it fails: {}",
            reason(&error)
        ))),
        // That others can read it is no reason to go without it.
        _ => Ok(was_writable),
    }
}

/// On other systems the rules of the folder keep others out.
#[cfg(not(unix))]
fn keep_others_out(_: &Path) -> io::Result<bool> {
    Ok(false)
}

#[cfg(test)]
mod tests {
    use std::thread;

    use rand::{RngExt as _, SeedableRng as _};

    use super::*;
    use crate::cipher::fingerprint::Fingerprint;

    fn file_in(folder: &Path) -> PeopleFile {
        PeopleFile {
            path: Some(folder.join("e2echat").join("known-people")),
            was_writable: Cell::new(false),
        }
    }

    fn line(time: u32, word: &str, room: &str, nick: &str, who: Fingerprint) -> String {
        format!("{time} {word} relay:1 {room} {nick} {who}\n")
    }

    fn who(number: usize) -> Fingerprint {
        Fingerprint::of(&number.to_le_bytes())
    }

    fn lines_of(file: &PeopleFile) -> String {
        file.read().unwrap().lines()
    }

    /// Two programs append, write the file anew and forget somebody, in whatever order.
    #[test]
    fn whatever_order_lines_and_compactions_come_in_two_programs_lose_nothing() {
        for seed in 0..60 {
            let mut rng = rand::rngs::SmallRng::seed_from_u64(seed);
            let folder = tempfile::tempdir().unwrap();
            let programs = [file_in(folder.path()), file_in(folder.path())];
            programs[0].append("rubbish\n", false).unwrap();
            // What one reads who reads each line as it comes.
            let mut expected = AddressBook::default();
            for time in 0..80 {
                let program = &programs[rng.random_range(0..2)];
                let it = who(rng.random_range(0..5));
                match rng.random_range(0..8) {
                    0 => assert!(program.rewrite(|_| true).unwrap()),
                    1 => {
                        let forget = |book: &mut AddressBook| {
                            book.forget(it);
                            true
                        };
                        assert!(program.rewrite(forget).unwrap());
                        expected.forget(it);
                        // Who had a nick before somebody who is forgotten has it again.
                        let lines = expected.lines();
                        expected = AddressBook::default();
                        expected.read(lines.as_bytes(), |_| {});
                    }
                    _ => {
                        let word = ["seen", "accepted", "verified"][rng.random_range(0..3)];
                        let nick = ["bob", "carol", "dave"][rng.random_range(0..3)];
                        let room = ["hall", "attic"][rng.random_range(0..2)];
                        let line = line(time, word, room, nick, it);
                        program.append(&line, false).unwrap();
                        expected.read(line.as_bytes(), |_| {});
                    }
                }
                assert_eq!(lines_of(&programs[0]), expected.lines(), "{seed}");
            }
            assert_eq!(programs[1].read().unwrap().damaged(), 1);
        }
    }

    /// The same at the same time: whoever waits for the lock of a file that is then replaced takes the new one.
    #[test]
    fn programs_that_append_while_others_write_it_anew_lose_nothing() {
        const WRITERS: usize = 4;
        const EACH: usize = 100;
        let folder = tempfile::tempdir().unwrap();
        file_in(folder.path()).append("rubbish\n", false).unwrap();
        thread::scope(|scope| {
            for writer in 0..WRITERS {
                let folder = folder.path();
                scope.spawn(move || {
                    for number in 0..EACH {
                        let it = who(writer * EACH + number);
                        let nick = format!("nick-{writer}-{number}");
                        let line = line(1, "verified", "hall", &nick, it);
                        file_in(folder).append(&line, false).unwrap();
                    }
                });
            }
            for _ in 0..2 {
                let folder = folder.path();
                scope.spawn(move || {
                    for _ in 0..40 {
                        file_in(folder).rewrite(|_| true).unwrap();
                    }
                });
            }
        });
        let book = file_in(folder.path()).read().unwrap();
        assert_eq!((book.people().len(), book.damaged()), (WRITERS * EACH, 1));
        let is_verified = |number| book.get(who(number)).unwrap().verified().is_some();
        assert!((0..WRITERS * EACH).all(is_verified));
    }

    #[test]
    fn a_file_that_is_mostly_old_is_written_anew_and_keeps_what_is_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let file = file_in(folder.path());
        let mut lines = "\u{fffd} rubbish\n".repeat(300);
        for time in 1..200 {
            lines += &line(time, "verified", "hall", "bob", who(1));
        }
        file.append(&lines, false).unwrap();
        let before = lines_of(&file);
        let text = fs::read_to_string(file.path().unwrap()).unwrap();
        assert_eq!(text.lines().count(), 302, "{text}");
        assert_eq!(lines_of(&file), before);
        assert_eq!(text, fs::read_to_string(file.path().unwrap()).unwrap());
        // What is damaged alone is no reason.
        let rubbish = tempfile::tempdir().unwrap();
        let file = file_in(rubbish.path());
        file.append(&"rubbish\n".repeat(1000), false).unwrap();
        assert_eq!(file.read().unwrap().damaged(), 1000);
        let text = fs::read_to_string(file.path().unwrap()).unwrap();
        assert_eq!(text, "rubbish\n".repeat(1000));
    }

    #[test]
    fn a_full_file_takes_what_the_user_decides_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let file = file_in(folder.path());
        file.append("\n", false).unwrap();
        let path = file.path().unwrap();
        let long = File::options().write(true).open(path).unwrap();
        long.set_len(FULL).unwrap();
        let seen = line(1, "seen", "hall", "bob", who(1));
        let error = file.append(&seen, false).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
        assert!(reason(&error).contains("e2echat people forget"), "{error}");
        assert_eq!(fs::metadata(path).unwrap().len(), FULL);
        file.append(&line(1, "verified", "hall", "bob", who(1)), true)
            .unwrap();
        long.set_len(MAX_FILE).unwrap();
        assert!(file.append(&seen, true).is_err());
        long.set_len(MAX_FILE + 1).unwrap();
        let error = file.read().unwrap_err().to_string();
        assert!(error.contains("at most 67108864 are read"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_stays_one_when_the_file_is_written_anew() {
        use std::os::unix::fs::{PermissionsExt as _, symlink};
        let folder = tempfile::tempdir().unwrap();
        let (file, elsewhere) = (file_in(folder.path()), folder.path().join("elsewhere"));
        fs::write(&elsewhere, line(1, "seen", "hall", "bob", who(1))).unwrap();
        fs::create_dir(folder.path().join("e2echat")).unwrap();
        symlink(&elsewhere, file.path().unwrap()).unwrap();
        file.rewrite(|book| {
            book.forget(who(1));
            true
        })
        .unwrap();
        assert!(file.path().unwrap().is_symlink());
        assert_eq!(fs::read(&elsewhere).unwrap(), b"");
        let mode = fs::metadata(&elsewhere).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
