//! The overlay beside an XML file: documentation, errata, and constraints that the standard states only in prose.
//!
//! Decides the overlay's format (shown in spec/README.md). That its names exist, and that nothing lacks documentation,
//! is checked by `resolve`, which applies it.

use crate::error::{Error, Place};
use crate::schema::Spanned;
use crate::xml::{Attribute, Element};

/// The overlay of one XML file.
#[derive(Clone, Debug)]
pub(crate) struct Overlay {
    pub(crate) at: Place,
    /// The schema it belongs to.
    pub(crate) of: Spanned<String>,
    pub(crate) doc: Doc,
    pub(crate) types: Vec<TypeNote>,
    pub(crate) archetypes: Vec<Note>,
    pub(crate) definitions: Vec<Note>,
}

/// Text in our words, and where the matter is laid down.
#[derive(Clone, Debug, Default)]
pub(crate) struct Doc {
    pub(crate) text: String,
    /// A section of the standard, such as `2.7.1`.
    pub(crate) section: Option<String>,
    /// Another source, for what the standard does not define.
    pub(crate) source: Option<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct TypeNote {
    pub(crate) name: String,
    pub(crate) at: Place,
    pub(crate) doc: Doc,
    pub(crate) rules: Rules,
    pub(crate) fields: Vec<FieldNote>,
    pub(crate) choices: Vec<Note>,
}

/// What the prose says about the values of a type or of a field.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rules {
    /// The kind of a map's keys and values.
    pub(crate) key: Option<Spanned<String>>,
    pub(crate) value: Option<Spanned<String>>,
    /// The kind of a list's items.
    pub(crate) item: Option<Spanned<String>>,
    /// The most octets a binary value may have.
    pub(crate) max_length: Option<u32>,
    /// The same, but of a decoder that was told to be strict alone.
    pub(crate) strict_length: Option<u32>,
    /// Counts modulo 2^32 and compares as RFC 1982 says.
    pub(crate) serial: bool,
    /// Null is one of the values.
    pub(crate) nullable: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct FieldNote {
    pub(crate) name: String,
    pub(crate) at: Place,
    pub(crate) doc: Doc,
    pub(crate) rules: Rules,
    /// An erratum: the default that the XML lacks.
    pub(crate) default: Option<Spanned<String>>,
    /// Not shown by `Debug`.
    pub(crate) secret: bool,
}

/// Documentation of a choice, an archetype or a definition.
#[derive(Clone, Debug)]
pub(crate) struct Note {
    pub(crate) name: String,
    pub(crate) at: Place,
    pub(crate) doc: Doc,
    /// Of a definition: the type of the constant.
    pub(crate) type_name: Option<Spanned<String>>,
    /// Of an archetype: unknown described types are values of it, even where no field requires it.
    pub(crate) open: bool,
}

/// Reads the tree of one overlay.
pub(crate) fn read(root: &Element) -> Result<Overlay, Error> {
    if root.name != "overlay" {
        return Err(root.at.error(format!(
            "the root element is <{}>, not <overlay>",
            root.name
        )));
    }
    root.allow_attributes(&["for", "section", "source"])?;
    let mut overlay = Overlay {
        at: root.at.clone(),
        of: spanned(root.require("for")?),
        doc: doc(root),
        types: Vec::new(),
        archetypes: Vec::new(),
        definitions: Vec::new(),
    };
    for child in &root.children {
        match child.name.as_str() {
            "type" => overlay.types.push(type_note(child)?),
            "archetype" => overlay
                .archetypes
                .push(note(child, &["name", "section", "source", "open"])?),
            "definition" => overlay
                .definitions
                .push(note(child, &["name", "section", "source", "type"])?),
            _ => return Err(root.unexpected(child)),
        }
    }
    Ok(overlay)
}

fn type_note(e: &Element) -> Result<TypeNote, Error> {
    e.allow_attributes(&[
        "name",
        "section",
        "source",
        "key",
        "value",
        "item",
        "max-length",
        "strict-length",
        "serial",
        "nullable",
    ])?;
    let mut type_note = TypeNote {
        name: e.require("name")?.value.clone(),
        at: e.at.clone(),
        doc: doc(e),
        rules: rules(e)?,
        fields: Vec::new(),
        choices: Vec::new(),
    };
    for child in &e.children {
        match child.name.as_str() {
            "field" => type_note.fields.push(field_note(child)?),
            "choice" => type_note.choices.push(note(child, &["name"])?),
            _ => return Err(e.unexpected(child)),
        }
    }
    Ok(type_note)
}

fn field_note(e: &Element) -> Result<FieldNote, Error> {
    e.allow_attributes(&["name", "section", "key", "value", "default", "secret"])?;
    no_children(e)?;
    Ok(FieldNote {
        name: e.require("name")?.value.clone(),
        at: e.at.clone(),
        doc: doc(e),
        rules: rules(e)?,
        default: e.get("default").map(spanned),
        secret: flag(e, "secret")?,
    })
}

fn note(e: &Element, attributes: &[&str]) -> Result<Note, Error> {
    e.allow_attributes(attributes)?;
    no_children(e)?;
    Ok(Note {
        name: e.require("name")?.value.clone(),
        at: e.at.clone(),
        doc: doc(e),
        type_name: e.get("type").map(spanned),
        open: flag(e, "open")?,
    })
}

fn rules(e: &Element) -> Result<Rules, Error> {
    Ok(Rules {
        key: e.get("key").map(spanned),
        value: e.get("value").map(spanned),
        item: e.get("item").map(spanned),
        max_length: length(e, "max-length")?,
        strict_length: length(e, "strict-length")?,
        serial: flag(e, "serial")?,
        nullable: flag(e, "nullable")?,
    })
}

fn length(e: &Element, name: &str) -> Result<Option<u32>, Error> {
    let Some(a) = e.get(name) else {
        return Ok(None);
    };
    let refuse = |_| {
        a.at.error(format!("{name} `{}` is not a number of octets", a.value))
    };
    a.value.parse().map(Some).map_err(refuse)
}

fn doc(e: &Element) -> Doc {
    let text_of = |name| e.get(name).map(|a| a.value.clone());
    Doc {
        text: e.text.clone(),
        section: text_of("section"),
        source: text_of("source"),
    }
}

fn no_children(e: &Element) -> Result<(), Error> {
    e.children
        .first()
        .map_or(Ok(()), |child| Err(e.unexpected(child)))
}

fn flag(e: &Element, name: &str) -> Result<bool, Error> {
    e.get(name).map_or(Ok(false), Attribute::flag)
}

fn spanned(a: &Attribute) -> Spanned<String> {
    Spanned {
        value: a.value.clone(),
        at: a.at.clone(),
    }
}
