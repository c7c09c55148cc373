//! The tables of the page for who comes from Proton name what there is: every callback of the trait and
//! no other, every option, method and example that they map something to.

use std::collections::BTreeSet;
use std::path::Path;

const PAGE: &str = include_str!("../docs/coming-from-proton.md");
const CALLBACKS: &str = include_str!("../src/handler/callbacks.rs");

/// A row of a table, by cells.
fn rows(heading: &str) -> Vec<Vec<&'static str>> {
    let from = PAGE.find(heading).expect("the heading is there") + heading.len();
    let section = PAGE[from..].split("\n## ").next().unwrap_or_default();
    let rows = section.lines().filter(|line| line.starts_with("| "));
    let rows = rows.map(|line| line.trim_matches('|').split('|').map(str::trim).collect());
    rows.filter(|row: &Vec<&str>| row.iter().any(|cell| !cell.starts_with("---")))
        .filter(|row: &Vec<&str>| !matches!(row[0], "Python" | "Proton"))
        .collect()
}

/// What stands in backticks.
fn names(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// Whether a row says that its time is to come.
fn comes_later(row: &[&str]) -> bool {
    row.iter().any(|cell| cell.contains("**comes with"))
}

/// The sources of the crate, all in one.
fn sources() -> String {
    fn add(folder: &Path, text: &mut String) {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            match path.is_dir() {
                true => add(&path, text),
                false => *text += &std::fs::read_to_string(&path).expect("a text"),
            }
        }
    }
    let mut text = String::new();
    add(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut text,
    );
    text
}

fn is_defined(sources: &str, kind: &str, name: &str) -> bool {
    let defined = |rest: &str| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_');
    let what = format!("{kind} {name}");
    let mut places = sources.match_indices(&what);
    places.any(|(at, _)| defined(&sources[at + what.len()..]))
}

#[test]
fn every_callback_stands_in_the_table_and_no_other() {
    let here: BTreeSet<&str> = rows("## Every callback")
        .iter()
        .filter(|row| !comes_later(row))
        .flat_map(|row| names(row[2]))
        .filter(|name| !name.contains("::"))
        .collect();
    let there: BTreeSet<&str> = CALLBACKS
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("fn "))
        .filter_map(|line| line.split('(').next())
        .filter(|name| name.starts_with("on_"))
        .collect();
    assert_eq!(here, there);
    assert!(here.len() > 30, "{here:?}");
}

#[test]
fn every_row_is_filled_or_comes_later() {
    let mut count = 0;
    for heading in [
        "## Every callback",
        "## Options",
        "## Handlers and options that come ready-made",
        "## The examples",
    ] {
        for row in rows(heading) {
            assert!(
                row.len() >= 2 && row.iter().skip(2).all(|cell| !cell.is_empty()),
                "{row:?}"
            );
            assert!(!row[row.len() - 1].is_empty(), "{row:?}");
            count += 1;
        }
    }
    assert!(count > 120, "{count}");
}

#[test]
fn what_the_tables_map_to_is_there() {
    let sources = sources();
    let mut count = 0;
    for heading in [
        "## Every callback",
        "## Options",
        "## Handlers and options that come ready-made",
    ] {
        let here = if heading.ends_with("made") { 1 } else { 2 };
        for row in rows(heading).iter().filter(|row| !comes_later(row)) {
            for name in names(row[here]) {
                let defined = match name.split_once("::") {
                    Some((owner, name)) => {
                        let owners = ["struct", "enum", "trait"];
                        owners.iter().any(|kind| is_defined(&sources, kind, owner))
                            && (["fn", "pub"]
                                .iter()
                                .any(|kind| is_defined(&sources, kind, name))
                                || is_defined(&sources, "   ", name))
                    }
                    None if name.starts_with(".with(") => {
                        let option = name.trim_start_matches(".with(");
                        let option = option.split(['(', ')']).next().unwrap_or_default();
                        option == "…" || is_defined(&sources, "pub struct", option)
                    }
                    None if name.starts_with(|c: char| c.is_uppercase()) => {
                        let kinds = ["pub struct", "pub enum", "pub trait"];
                        kinds.iter().any(|kind| is_defined(&sources, kind, name))
                    }
                    // A feature, a literal, or a method that the page's heading says the owner of.
                    None if matches!(name, "tls" | "config" | "\"\"" | "listen") => true,
                    None => {
                        let name = name.trim_end_matches("()");
                        let kinds = ["fn", "pub", "mod"];
                        kinds.iter().any(|kind| is_defined(&sources, kind, name))
                    }
                };
                assert!(defined, "`{name}` of {row:?} is not there");
                count += 1;
            }
        }
    }
    assert!(count > 100, "{count}");
}

#[test]
fn every_example_has_its_row_and_its_file() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let is_there =
        |name: &str| folder.join(format!("{name}.rs")).is_file() || folder.join(name).is_dir();
    let mut named = BTreeSet::new();
    for row in rows("## The examples")
        .iter()
        .filter(|row| !comes_later(row))
    {
        let here = match row[1].starts_with("the same") {
            true => names(row[0]),
            false => names(row[1]),
        };
        for name in here.into_iter().filter(|name| !name.contains("::")) {
            if !["ring", "opentelemetry"].contains(&name) {
                assert!(is_there(name), "there is no example {name}");
                named.insert(name.to_owned());
            }
        }
    }
    // What is ours alone.
    named.extend(["demo", "first_message", "listener", "metrics"].map(str::to_owned));
    for entry in std::fs::read_dir(&folder).expect("the examples") {
        let path = entry.expect("an entry").path();
        let name = path.file_stem().and_then(|name| name.to_str());
        let name = name.expect("a name");
        assert!(named.contains(name), "{name} does not stand in the table");
    }
}

#[test]
fn every_example_is_run_by_a_test() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut tests = String::new();
    for entry in std::fs::read_dir(folder.join("tests/examples")).expect("the tests") {
        tests += &std::fs::read_to_string(entry.expect("an entry").path()).expect("a text");
    }
    for entry in std::fs::read_dir(folder.join("examples")).expect("the examples") {
        let name = entry.expect("an entry").file_name();
        let name = name.to_str().expect("a name");
        // The others are modules of these, and the demo is a program of its own.
        if let Some(name) = name.strip_suffix(".rs") {
            assert!(
                tests.contains(&format!("mod {name};")) || tests.contains(&format!("/{name}.rs")),
                "{name}"
            );
            assert!(
                tests.contains(&format!("{name}::"))
                    || tests.contains(&format!("{name}_program::")),
                "{name} is not run"
            );
        }
    }
}
