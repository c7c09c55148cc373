//! No asynchronous method is left out of these tests.

use std::fs;
use std::path::{Path, PathBuf};

fn sources(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => sources(&path, files),
            false => files.push(path),
        }
    }
}

fn text_of(folders: &[&str]) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in folders {
        sources(&root.join(folder), &mut files);
    }
    let texts = files
        .iter()
        .map(|file| fs::read_to_string(file).expect("a text"));
    texts.collect()
}

#[test]
fn every_future_of_the_api_is_cut_somewhere() {
    let api = text_of(&["src"]);
    let tests = text_of(&["tests/cancel"]);
    let methods: Vec<&str> = api
        .split("pub async fn ")
        .skip(1)
        .filter_map(|rest| rest.split(['(', '<']).next())
        .collect();
    assert!(methods.len() > 40, "{methods:?}");
    let missing: Vec<&&str> = methods
        .iter()
        .filter(|name| {
            !tests.contains(&format!(".{name}(")) && !tests.contains(&format!("::{name}("))
        })
        .collect();
    assert!(
        missing.is_empty(),
        "no test drops the futures of {missing:?}"
    );
}
