//! The people whom the user knows, by identity, in whatever room of whatever relay they met; and `e2echat people`, which
//! lists, exports, imports and forgets them.
//!
//! - `line`: what a line of the file says. `place`: rooms in which people were met.
//! - `person`: somebody. `book`: what all lines together say. `words`: the same for people.
//! - `store`: the file. `import`: the questions about what another machine knows.

pub(super) mod book;
mod import;
pub(super) mod line;
pub(super) mod person;
mod place;
pub(super) mod store;
pub(super) mod words;

use std::io;
use std::path::{Path, PathBuf};

use super::settings::rooms::SavedRooms;
use super::{failure, file, print, reason};
use crate::cipher::fingerprint::Fingerprint;
use crate::room::text::parse_visible;

use self::book::AddressBook;
use self::person::KnownPerson;
use self::store::PeopleFile;

/// Of so many people who are meant perhaps the program tells.
const MOST: usize = 10;

/// List the people whom you know, or move, merge or forget them
#[derive(clap::Args, Debug)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Whom you know is in the file known-people, in this user's data folder, which only you can read.

Examples:
  e2echat people                  list them
  e2echat people export people    write them into a file, for another machine of yours
  e2echat people import --help    take over what such a file knows
  e2echat people forget --help    forget somebody"
)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(clap::Subcommand, Debug)]
enum Action {
    /// Write them into a new file that only you can read; it tells whom you know
    Export {
        /// The file, which is not there yet
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Take over what an export of another machine of yours knows; it asks for each person who would change
    Import {
        /// The file that `e2echat people export` made there
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Forget somebody: the next time, they are new to you
    Forget {
        /// A nick by which you know them, or the fingerprint
        #[arg(value_name = "NICK|FINGERPRINT", value_parser = parse_visible::<String>)]
        who: String,
    },
}

/// Runs the command.
pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let store = PeopleFile::find();
    let mut book = store.read()?;
    book.name_saved(&SavedRooms::read()?);
    match &args.action {
        None => {
            let damage = store.damage(&book);
            let damage = damage.map_or(String::new(), |damage| format!("! {damage}\n"));
            print(&(list(&book) + &damage))
        }
        Some(Action::Export { file }) => export(&book, file),
        Some(Action::Import { file }) => import::run(&store, &mut book, file),
        Some(Action::Forget { who }) => forget(&store, &book, who),
    }
}

fn list(book: &AddressBook) -> String {
    let people = book.people().into_iter();
    let people = people.map(|(fingerprint, person)| {
        let head = format!("{}  {}", head(fingerprint, person), person.state());
        let rows = [vec![head], book.rows(fingerprint)].concat();
        rows.join("\n  ") + "\n"
    });
    people.collect()
}

/// Who somebody is, by nick and fingerprint.
fn head(fingerprint: Fingerprint, person: &KnownPerson) -> String {
    match person.nick() {
        Some(nick) => format!("{nick}  {fingerprint}"),
        None => fingerprint.to_string(),
    }
}

fn export(book: &AddressBook, path: &Path) -> anyhow::Result<()> {
    file::write(path, book.lines().as_bytes(), false).map_err(|error| {
        let hint = match error.kind() {
            io::ErrorKind::AlreadyExists => "it is not replaced: name another file",
            _ => "nothing was written; make room or get permission",
        };
        failure(
            format!("cannot write {}: {}", path.display(), reason(&error)),
            hint,
        )
    })?;
    let count = counted(book.people().len());
    print(&format!(
        "{count} exported to {}, which only you can read: it tells whom you know, so give it to nobody\n",
        path.display()
    ))
}

fn forget(store: &PeopleFile, book: &AddressBook, who: &str) -> anyhow::Result<()> {
    let found = match who.parse::<Fingerprint>() {
        Ok(fingerprint) => vec![fingerprint],
        Err(_) => who.parse().map_or(Vec::new(), |nick| book.called(&nick)),
    };
    let found: Vec<_> = found
        .into_iter()
        .filter_map(|it| Some((it, book.get(it)?)))
        .collect();
    let [(whom, person)] = found[..] else {
        return Err(unclear(who, &found));
    };
    let head = head(whom, person);
    let forgotten = store.rewrite(|book| {
        book.forget(whom);
        true
    });
    forgotten.map_err(|error| unwritable(store, &error))?;
    print(&format!("forgotten: {head}\n"))
}

/// The error where a word names nobody, or several.
fn unclear(who: &str, found: &[(Fingerprint, &KnownPerson)]) -> anyhow::Error {
    if found.is_empty() {
        return failure(
            format!("you know nobody called {who}"),
            "`e2echat people` lists whom you know",
        );
    }
    let heads = found.iter().take(MOST);
    let heads: Vec<String> = heads.map(|(it, person)| head(*it, person)).collect();
    let more = found.len().saturating_sub(MOST);
    let more = if more > 0 {
        format!("\n  and {more} more")
    } else {
        String::new()
    };
    failure(
        format!(
            "{} have been called {who}: name one by the fingerprint",
            counted(found.len())
        ),
        &(heads.join("\n  ") + &more),
    )
}

/// The error of a file that takes no change.
fn unwritable(store: &PeopleFile, error: &io::Error) -> anyhow::Error {
    let path = store.path().unwrap_or("the file of known people".as_ref());
    failure(
        format!("cannot write {}: {}", path.display(), reason(error)),
        "nothing was changed; make room or get permission",
    )
}

/// A number of people.
fn counted(count: usize) -> String {
    match count {
        1 => "1 person".to_owned(),
        _ => format!("{count} people"),
    }
}
