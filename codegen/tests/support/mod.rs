//! Running the generator on texts of a line or two.

use codegen::{Error, File, Input, Output, Target, generate};

const TYPES: &str = include_str!("../../../spec/types.bare.xml");

/// A schema `x` with these types, which start on line 2.
pub(crate) fn schema(inside: &str) -> String {
    format!("<amqp name=\"x\"><section>\n{inside}</section></amqp>")
}

/// Generates from the schema, beside the primitive types unless it brings its own.
pub(crate) fn generate_from(xml: &str, overlay: Option<&str>) -> Result<Vec<Output>, Error> {
    let types = Input {
        xml: File {
            name: "types.xml",
            text: TYPES,
        },
        emit: false,
    };
    let ours = Input {
        xml: File {
            name: "x.xml",
            text: xml,
        },
        emit: true,
    };
    let overlay = overlay.map(|text| File {
        name: "x.overlay.xml",
        text,
    });
    let overlays: Vec<_> = overlay.into_iter().collect();
    if xml.contains("class=\"primitive\"") {
        generate(&[ours], &overlays, &Target::Own)
    } else {
        generate(&[types, ours], &overlays, &Target::Own)
    }
}

/// The error that the schema gives.
pub(crate) fn error(xml: &str) -> String {
    generate_from(xml, None).expect_err("a mistake").to_string()
}

/// The error that the schema gives with that overlay.
pub(crate) fn overlay_error(xml: &str, overlay: &str) -> String {
    generate_from(xml, Some(overlay))
        .expect_err("a mistake")
        .to_string()
}

/// The error that the schema gives when another one is only referred to.
pub(crate) fn dependent_error(theirs: &str, ours: &str) -> String {
    let input = |name, text, emit| Input {
        xml: File { name, text },
        emit,
    };
    let inputs = [
        input("types.xml", TYPES, false),
        input("base.xml", theirs, false),
        input("x.xml", ours, true),
    ];
    let target = Target::Dependent {
        types: "base".to_owned(),
        strategies: None,
    };
    generate(&inputs, &[], &target)
        .expect_err("a mistake")
        .to_string()
}
