//! Turns the AMQP 1.0 XML definitions into Rust: text in, text out.
//!
//! Decides the stages: `xml` and `schema` read the definitions as they are written, `overlay` reads our notes on them,
//! `resolve` looks everything up, `emit` writes tokens and `format` makes text of them. Knows no file system and no
//! clock, and keeps every order, so that the same input gives the same octets. What reads and writes files is
//! `cargo xtask codegen`. The dialect is that of part 1 of the standard, sections 1.3 to 1.5.
//!
//! ```
//! use codegen::{File, Input, Target, generate};
//!
//! let xml = r#"<amqp name="colours">
//!   <section name="all">
//!     <type name="uint" class="primitive"><encoding code="0x70" category="fixed" width="4"/></type>
//!     <type name="shade" class="restricted" source="uint"/>
//!   </section>
//! </amqp>"#;
//! let input = Input { xml: File { name: "colours.xml", text: xml }, emit: true };
//! let files = generate(&[input], &[], &Target::Own).unwrap();
//! assert_eq!(files[0].name, "mod.rs");
//! assert_eq!(files[1].name, "colours.rs");
//! assert!(files[1].text.contains("pub struct Shade(pub u32);"));
//! ```

mod emit;
mod error;
mod format;
mod model;
mod naming;
mod overlay;
mod overrides;
mod resolve;
mod schema;
mod target;
mod xml;

pub use error::Error;
pub use target::Target;

/// A text and the name that errors give it.
#[derive(Clone, Copy, Debug)]
pub struct File<'a> {
    /// Shown in errors and in the head of the generated file; usually a path.
    pub name: &'a str,
    /// The content.
    pub text: &'a str,
}

/// One XML file of a run.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// The definitions.
    pub xml: File<'a>,
    /// Whether its types are written, or only referred to.
    pub emit: bool,
}

/// One Rust file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// The file's name, without a folder.
    pub name: String,
    /// The content.
    pub text: String,
}

/// Generates the Rust files: `mod.rs` first, then one for each XML file that is written and not empty.
///
/// Files that are only referred to come first in `inputs`, in the order in which they were generated themselves. An
/// overlay belongs to the schema that it names; where a schema has one, nothing in it may lack documentation.
///
/// # Errors
///
/// The first mistake in the input, with its place.
pub fn generate(
    inputs: &[Input<'_>],
    overlays: &[File<'_>],
    target: &Target,
) -> Result<Vec<Output>, Error> {
    let mut files = Vec::new();
    for input in inputs {
        let schema = schema::read(&xml::parse(input.xml.name, input.xml.text)?)?;
        files.push(resolve::Parsed {
            schema,
            overlay: None,
            emit: input.emit,
        });
    }
    for overlay in overlays {
        let overlay = overlay::read(&xml::parse(overlay.name, overlay.text)?)?;
        resolve::attach(&mut files, overlay)?;
    }
    let model = resolve::resolve(&files, !target.is_own())?;
    let mut outputs = vec![Output {
        name: "mod.rs".to_owned(),
        text: emit::index(&model, target)?,
    }];
    for (index, module) in model.modules.iter().enumerate() {
        if module.emit && !module.is_empty() {
            outputs.push(Output {
                name: format!("{}.rs", module.name.trim_start_matches("r#")),
                text: emit::module(&model, index, target, inputs[index].xml.name)?,
            });
        }
    }
    Ok(outputs)
}
