//! Golden files: what small XML fixtures become, beside the fixtures in `tests/golden`.
//!
//! `CODEGEN_BLESS=1 cargo test -p codegen` writes the files anew; read the difference before committing it.

use std::path::{Path, PathBuf};

use codegen::{File, Input, Output, Target, generate};

const TYPES: &str = include_str!("../../spec/types.bare.xml");

struct Fixture {
    name: &'static str,
    xml: String,
    overlay: Option<String>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn fixture(name: &'static str) -> Fixture {
    let read = |ending: &str| std::fs::read_to_string(folder().join(format!("{name}{ending}")));
    Fixture {
        name,
        xml: read(".xml").expect("a fixture"),
        overlay: read(".overlay.xml").ok(),
    }
}

/// Generates from the last fixture with the others to refer to.
fn run(fixtures: &[Fixture], with_primitives: bool, target: &Target) -> Vec<Output> {
    let primitives = Input {
        xml: File {
            name: "types.xml",
            text: TYPES,
        },
        emit: false,
    };
    let mut inputs: Vec<_> = with_primitives.then_some(primitives).into_iter().collect();
    for (index, fixture) in fixtures.iter().enumerate() {
        let xml = File {
            name: fixture.name,
            text: &fixture.xml,
        };
        inputs.push(Input {
            xml,
            emit: index + 1 == fixtures.len(),
        });
    }
    let overlays = fixtures.iter().filter_map(|fixture| {
        fixture.overlay.as_ref().map(|text| File {
            name: fixture.name,
            text,
        })
    });
    let overlays: Vec<_> = overlays.collect();
    generate(&inputs, &overlays, target).unwrap_or_else(|error| panic!("{error}"))
}

/// Compares both files of a run with the golden ones, or blesses them.
fn compare(outputs: &[Output], name: &str) {
    for output in outputs {
        let golden = match output.name.as_str() {
            "mod.rs" => format!("{name}.mod.rs"),
            _ => format!("{name}.rs"),
        };
        let path = folder().join(golden);
        if std::env::var_os("CODEGEN_BLESS").is_some() {
            std::fs::write(&path, &output.text).expect("a writable folder");
        }
        let expected = std::fs::read_to_string(&path).unwrap_or_default();
        let line = expected
            .lines()
            .zip(output.text.lines())
            .position(|(old, new)| old != new);
        assert!(
            expected == output.text,
            "{} differs at line {}; if that is meant, bless it: CODEGEN_BLESS=1 cargo test -p codegen",
            path.display(),
            line.map_or("its end".to_owned(), |line| (line + 1).to_string()),
        );
    }
}

#[test]
fn restricted_types_become_newtypes_and_enums() {
    compare(
        &run(&[fixture("restricted")], true, &Target::Own),
        "restricted",
    );
}

#[test]
fn composite_types_become_structs() {
    compare(
        &run(&[fixture("composite")], true, &Target::Own),
        "composite",
    );
}

#[test]
fn archetypes_become_enums_of_what_provides_them() {
    compare(
        &run(&[fixture("archetypes")], true, &Target::Own),
        "archetypes",
    );
}

#[test]
fn definitions_and_encodings_become_constants() {
    compare(
        &run(&[fixture("constants")], false, &Target::Own),
        "constants",
    );
}

#[test]
fn the_types_of_another_crate_are_referred_to_and_reached_through_other() {
    let fixtures = [fixture("archetypes"), fixture("dependent")];
    let target = Target::Dependent {
        types: "amqp_types".to_owned(),
        strategies: None,
    };
    compare(&run(&fixtures, true, &target), "dependent");
}

#[test]
fn the_same_input_gives_the_same_octets() {
    let once = run(&[fixture("archetypes")], true, &Target::Own);
    assert_eq!(once, run(&[fixture("archetypes")], true, &Target::Own));
}
