//! `cargo xtask codegen`: writes the generated tree, or compares it with `--check`.
//!
//! This file finds the definitions and says what was done; `codegen/tree` compares texts with a folder. What the files contain is
//! decided by the library `codegen`, which knows no file system. With `--xml` a user's own definitions are generated against ours,
//! which are then only referred to.

mod tree;

use std::path::{Path, PathBuf};

use codegen::{File, Input, Output, Target};

use crate::shell;

/// The definitions in the order in which a later file may refer to an earlier one, each with its overlay's folder.
const DEFINITIONS: &[(&str, &str)] = &[
    ("spec/types.bare.xml", "spec/overlay/types.xml"),
    ("spec/transport.bare.xml", "spec/overlay/transport.xml"),
    ("spec/messaging.bare.xml", "spec/overlay/messaging.xml"),
    (
        "spec/transactions.bare.xml",
        "spec/overlay/transactions.xml",
    ),
    ("spec/security.bare.xml", "spec/overlay/security.xml"),
    ("spec/ext/filters.xml", "spec/ext/overlay/filters.xml"),
];

/// Where our own generated files lie.
const GENERATED: &str = "amqp-types/src/generated";

/// The example of a user's own definitions, and its two files; a test of the crate of types compiles what they become.
const EXAMPLE_FOLDER: &str = "amqp-types/tests/inventory";
const EXAMPLE: [&str; 2] = ["inventory.xml", "inventory.overlay.xml"];

/// What mends a difference, as the messages say.
const MEND: &str = "cargo xtask codegen";

/// Arguments of `cargo xtask codegen`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Write nothing; fail when a committed file differs or is an orphan
    #[arg(long)]
    pub(crate) check: bool,
    /// Generate from these definitions instead, with ours to refer to
    #[arg(long, value_name = "FILE", requires = "out")]
    pub(crate) xml: Vec<PathBuf>,
    /// Overlays of the definitions, matched by the schema that they are for
    #[arg(long, value_name = "FILE", requires = "xml")]
    pub(crate) overlay: Vec<PathBuf>,
    /// The folder to write to
    #[arg(long, value_name = "FOLDER", requires = "xml")]
    pub(crate) out: Option<PathBuf>,
    /// The path by which the generated code reaches the crate of types
    #[arg(
        long,
        value_name = "PATH",
        default_value = "amqp_types",
        requires = "xml"
    )]
    pub(crate) types: String,
    /// The feature behind which strategies for property tests are written; without it none are
    #[arg(long, value_name = "FEATURE", requires = "xml")]
    pub(crate) strategies: Option<String>,
}

/// What a run needs from the disk: definitions, with whether they are written, and overlays.
#[derive(Default)]
struct Sources {
    xml: Vec<(Source, bool)>,
    overlays: Vec<Source>,
}

/// A text that was read.
struct Source {
    name: String,
    text: String,
}

/// A folder and what it should hold.
struct Tree {
    folder: PathBuf,
    outputs: Vec<Output>,
}

/// Runs the command.
pub(crate) fn run(args: Args) -> Result<(), String> {
    let root = shell::root();
    let (trees, mend) = match &args.out {
        None => (ours(&root)?, MEND),
        Some(out) => {
            let outputs = users(&root, &args)?;
            let folder = out.clone();
            (
                vec![Tree { folder, outputs }],
                "the same command without --check",
            )
        }
    };
    if args.check {
        return compare(&trees, mend);
    }
    for Tree { folder, outputs } in &trees {
        let differences = tree::compare(folder, outputs)?;
        tree::write(folder, outputs, &differences)?;
        let (files, changed) = (outputs.len(), differences.len());
        println!(
            "codegen: {files} files in {}, {changed} changed",
            shown(folder)
        );
    }
    Ok(())
}

/// Compares what we generate with the definitions.
pub(crate) fn check() -> Result<(), String> {
    compare(&ours(&shell::root())?, MEND)
}

fn compare(trees: &[Tree], mend: &str) -> Result<(), String> {
    let mut found = Vec::new();
    for Tree { folder, outputs } in trees {
        let differences = tree::compare(folder, outputs)?;
        if differences.is_empty() {
            println!("codegen: {} is up to date", shown(folder));
        }
        found.extend(
            differences
                .iter()
                .map(|difference| difference.describe(&shown(folder))),
        );
    }
    report(&found, mend)
}

/// Generates our own tree, and that of the example of a user.
fn ours(root: &Path) -> Result<Vec<Tree>, String> {
    let outputs = generate(&definitions(root, true)?, &Target::Own)?;
    let own = Tree {
        folder: root.join(GENERATED),
        outputs,
    };
    let [xml, overlay] = EXAMPLE.map(|file| format!("{EXAMPLE_FOLDER}/{file}"));
    let mut sources = definitions(root, false)?;
    sources.xml.push((read(&root.join(&xml), &xml)?, true));
    sources.overlays.push(read(&root.join(&overlay), &overlay)?);
    let strategies = Some("proptest".to_owned());
    let target = Target::Dependent {
        types: "amqp_types".to_owned(),
        strategies,
    };
    let outputs = generate(&sources, &target)?;
    Ok(vec![
        own,
        Tree {
            folder: root.join(EXAMPLE_FOLDER),
            outputs,
        },
    ])
}

/// Generates a user's definitions against ours.
fn users(root: &Path, args: &Args) -> Result<Vec<Output>, String> {
    let mut sources = definitions(root, false)?;
    for path in &args.xml {
        sources
            .xml
            .push((read(path, &path.display().to_string())?, true));
    }
    for path in &args.overlay {
        sources
            .overlays
            .push(read(path, &path.display().to_string())?);
    }
    let target = Target::Dependent {
        types: args.types.clone(),
        strategies: args.strategies.clone(),
    };
    generate(&sources, &target)
}

fn generate(sources: &Sources, target: &Target) -> Result<Vec<Output>, String> {
    let xml = sources.xml.iter();
    let inputs: Vec<_> = xml
        .map(|(source, emit)| Input {
            xml: file(source),
            emit: *emit,
        })
        .collect();
    let overlays: Vec<_> = sources.overlays.iter().map(file).collect();
    codegen::generate(&inputs, &overlays, target).map_err(|error| error.to_string())
}

fn definitions(root: &Path, emit: bool) -> Result<Sources, String> {
    let mut sources = Sources::default();
    for (xml, overlay) in DEFINITIONS {
        sources.xml.push((read(&root.join(xml), xml)?, emit));
        sources.overlays.push(read(&root.join(overlay), overlay)?);
    }
    Ok(sources)
}

fn read(path: &Path, name: &str) -> Result<Source, String> {
    let text =
        std::fs::read_to_string(path).map_err(|error| format!("cannot read {name}: {error}"))?;
    Ok(Source {
        name: name.to_owned(),
        text,
    })
}

fn file(source: &Source) -> File<'_> {
    File {
        name: &source.name,
        text: &source.text,
    }
}

/// Says what differs and what mends it.
fn report(differences: &[String], mend: &str) -> Result<(), String> {
    if differences.is_empty() {
        return Ok(());
    }
    let lines = differences.join("\n  ");
    Err(format!(
        "generated files are not what the definitions say:\n  {lines}\n  to mend it: {mend}"
    ))
}

/// The folder relative to the workspace, where it lies inside.
fn shown(folder: &Path) -> String {
    folder
        .strip_prefix(shell::root())
        .unwrap_or(folder)
        .display()
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_definition_in_spec_is_generated_from() {
        let root = shell::root();
        for folder in ["spec", "spec/ext"] {
            for entry in std::fs::read_dir(root.join(folder)).unwrap() {
                let name = format!("{folder}/{}", entry.unwrap().file_name().to_string_lossy());
                // The index holds no definitions: it lists the others.
                let known = DEFINITIONS.iter().any(|(xml, _)| *xml == name)
                    || name.ends_with("index.bare.xml");
                assert!(
                    known || !name.ends_with(".xml"),
                    "{name} is not in DEFINITIONS"
                );
            }
        }
    }

    #[test]
    fn generating_twice_gives_the_same_octets() {
        let outputs = || {
            ours(&shell::root())
                .unwrap()
                .into_iter()
                .map(|tree| tree.outputs)
        };
        assert!(outputs().eq(outputs()));
    }

    #[test]
    fn differences_name_the_files_and_the_command_that_mends_them() {
        let differences = [
            "a/b.rs differs".to_owned(),
            "a/c.rs is an orphan: no definition gives it".to_owned(),
        ];
        assert_eq!(
            report(&differences, MEND).unwrap_err(),
            "generated files are not what the definitions say:\n  \
             a/b.rs differs\n  \
             a/c.rs is an orphan: no definition gives it\n  \
             to mend it: cargo xtask codegen"
        );
        assert_eq!(report(&[], MEND), Ok(()));
    }
}
