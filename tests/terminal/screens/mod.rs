//! What a person sees, as pictures of the screen: each test plays a scene in the real program, and
//! compares what is on the screen with the pictures in the file of its name beside this one.
//!
//! Where pictures have changed for the better, `E2ECHAT_ACCEPT=1 cargo test --test terminal NAME`
//! writes what there is into the file, and `git diff` shows what that was.

mod album;
mod picture;
mod stage;

mod finding;
mod keys;
mod leaving;
mod newcomers;
mod people;
mod window;
mod words;

/// All scenes.
const SCENES: &str = concat!(
    include_str!("finding.rs"),
    include_str!("keys.rs"),
    include_str!("leaving.rs"),
    include_str!("newcomers.rs"),
    include_str!("people.rs"),
    include_str!("window.rs"),
    include_str!("words.rs")
);

#[test]
fn every_picture_is_looked_at() {
    for file in std::fs::read_dir(album::FOLDER).expect("the folder is there") {
        let path = file.expect("a file").path();
        let scene = path.file_stem().expect("a name").to_string_lossy();
        let is_played = SCENES.contains(&format!("\"{scene}\","));
        let is_album = path.extension().is_some_and(|extension| extension == "txt");
        assert!(is_played || !is_album, "nobody plays {}", path.display());
    }
}
