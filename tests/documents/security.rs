//! What `docs/SECURITY.md` cites as shown by tests is there.

use std::fs;
use std::path::{Path, PathBuf};

/// All files of ours below a folder.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    entries
        .flat_map(|entry| {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}

#[test]
fn every_test_that_is_cited_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/SECURITY.md")).unwrap();
    let files = [sources(&root.join("tests")), sources(&root.join("src"))].concat();
    let is_there = |cited: &str| {
        let (file, test) = cited.split_once("::").unwrap();
        let named = files
            .iter()
            .filter(|path| path.file_stem().is_some_and(|stem| stem == file));
        let head = format!("#[test]\nfn {test}()");
        let mut texts = named.map(|path| fs::read_to_string(path).unwrap());
        // In a module of tests it is indented.
        texts.any(|text| text.replace("    ", "").contains(&head))
    };
    let cited: Vec<&str> = page.split('`').filter(|word| word.contains("::")).collect();
    assert!(cited.len() > 50, "{cited:?}");
    let missing: Vec<&str> = (cited.into_iter())
        .filter(|cited| *cited != "file::test" && !is_there(cited))
        .collect();
    assert!(missing.is_empty(), "{missing:#?}");
}
