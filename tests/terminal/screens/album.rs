//! The pictures of a scene, in a file: each under a line with its title, which begins with `# `.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::picture::{compare, draw};
use crate::support::screen::Screen;

/// How long a screen has to become as it is in a picture.
const DEADLINE: Duration = Duration::from_secs(20);
/// How often it is looked at.
const POLL: Duration = Duration::from_millis(10);
/// How long a screen must stay as it is to be taken for a new picture.
const SETTLED: Duration = Duration::from_millis(700);
/// Where the albums are.
pub(crate) const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/terminal/screens");
/// The environment variable that has pictures written and not compared.
const ACCEPT: &str = "E2ECHAT_ACCEPT";

/// The pictures of a scene.
pub(crate) struct Album {
    file: PathBuf,
    is_written: bool,
    /// Titles and pictures: those to compare with, or those to write.
    pictures: Vec<(String, String)>,
    /// How many of them have been looked at.
    seen: usize,
}

impl Album {
    /// Opens the album of a scene.
    pub(crate) fn open(scene: &str) -> Self {
        let file = Path::new(FOLDER).join(scene).with_extension("txt");
        let is_written = std::env::var_os(ACCEPT).is_some();
        let pictures = match fs::read_to_string(&file) {
            Ok(text) if !is_written => parse(&text),
            _ => Vec::new(),
        };
        Self {
            file,
            is_written,
            pictures,
            seen: 0,
        }
    }

    /// Compares a screen with the next picture, and waits until it is like that.
    #[track_caller]
    pub(crate) fn compare(&mut self, title: &str, screen: &Screen) {
        if self.is_written {
            return self.pictures.push((title.to_owned(), settled(screen)));
        }
        let (expected_title, expected) = self.pictures.get(self.seen).cloned().unwrap_or_default();
        self.seen += 1;
        let start = Instant::now();
        loop {
            let shown = screen.with_emulator(draw);
            if expected_title == title && expected == shown {
                return;
            }
            assert!(
                start.elapsed() < DEADLINE,
                "not the picture `{title}` of {}:\n{}\n\
                 `{ACCEPT}=1 cargo test --test terminal screens` accepts what is on the screens",
                self.file.display(),
                compare(&expected, &shown)
            );
            thread::sleep(POLL);
        }
    }

    /// Writes what there is to be written, and checks that no picture is left over.
    #[track_caller]
    pub(crate) fn close(self) {
        if self.is_written {
            let sections: Vec<String> = self
                .pictures
                .iter()
                .map(|(title, picture)| format!("# {title}\n{picture}"))
                .collect();
            return fs::write(&self.file, sections.join("\n")).expect("the file can be written");
        }
        let left: Vec<&String> = self
            .pictures
            .iter()
            .skip(self.seen)
            .map(|(title, _)| title)
            .collect();
        assert!(left.is_empty(), "pictures that nobody looks at: {left:?}");
    }
}

fn parse(text: &str) -> Vec<(String, String)> {
    format!("\n{text}")
        .split("\n# ")
        .filter_map(|section| section.split_once('\n'))
        .map(|(title, picture)| (title.to_owned(), format!("{}\n", picture.trim_end())))
        .collect()
}

/// The picture of a screen that has come to rest.
fn settled(screen: &Screen) -> String {
    let mut picture = screen.with_emulator(draw);
    let mut since = Instant::now();
    while since.elapsed() < SETTLED {
        thread::sleep(POLL);
        let now = screen.with_emulator(draw);
        if now != picture {
            (picture, since) = (now, Instant::now());
        }
    }
    picture
}
