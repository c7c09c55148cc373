//! The schema as it is written: one XML file's types and definitions, nothing looked up yet.
//!
//! Decides which elements and attributes the dialect has (OASIS AMQP 1.0 part 1, section 1.3 to 1.5, and the schema of
//! the published XML). Names, defaults and archetypes are looked up by `resolve`.

use crate::error::{Error, Place};
use crate::xml::{Attribute, Element};

/// A value and the place it was written at.
#[derive(Clone, Debug)]
pub(crate) struct Spanned<T> {
    pub(crate) value: T,
    pub(crate) at: Place,
}

/// One file.
#[derive(Clone, Debug)]
pub(crate) struct Schema {
    /// The name of the `<amqp>` element, which becomes the Rust module.
    pub(crate) name: Spanned<String>,
    pub(crate) types: Vec<TypeDef>,
    pub(crate) definitions: Vec<Definition>,
}

#[derive(Clone, Debug)]
pub(crate) struct TypeDef {
    pub(crate) name: String,
    pub(crate) at: Place,
    pub(crate) class: Class,
    pub(crate) provides: Vec<Spanned<String>>,
    pub(crate) descriptor: Option<Descriptor>,
}

#[derive(Clone, Debug)]
pub(crate) enum Class {
    Primitive {
        encodings: Vec<Encoding>,
    },
    Restricted {
        source: Spanned<String>,
        choices: Vec<Choice>,
    },
    Composite {
        fields: Vec<Field>,
    },
}

#[derive(Clone, Debug)]
pub(crate) struct Descriptor {
    pub(crate) symbol: Spanned<String>,
    pub(crate) code: Option<Spanned<u64>>,
}

#[derive(Clone, Debug)]
pub(crate) struct Encoding {
    pub(crate) name: Option<String>,
    pub(crate) code: Spanned<u8>,
    pub(crate) category: Category,
    pub(crate) width: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Category {
    Fixed,
    Variable,
    Compound,
    Array,
}

#[derive(Clone, Debug)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) at: Place,
    pub(crate) type_name: Spanned<String>,
    pub(crate) requires: Option<Spanned<String>>,
    pub(crate) default: Option<Spanned<String>>,
    pub(crate) mandatory: bool,
    pub(crate) multiple: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Choice {
    pub(crate) name: String,
    pub(crate) value: Spanned<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct Definition {
    pub(crate) name: String,
    pub(crate) at: Place,
    pub(crate) value: Spanned<String>,
}

/// Reads the tree of one file.
pub(crate) fn read(root: &Element) -> Result<Schema, Error> {
    if root.name != "amqp" {
        return Err(root
            .at
            .error(format!("the root element is <{}>, not <amqp>", root.name)));
    }
    root.allow_attributes(&["name", "xmlns"])?;
    let mut schema = Schema {
        name: spanned(root.require("name")?),
        types: Vec::new(),
        definitions: Vec::new(),
    };
    for section in &root.children {
        if section.name != "section" {
            return Err(root.unexpected(section));
        }
        section.allow_attributes(&["name"])?;
        for child in &section.children {
            match child.name.as_str() {
                "type" => schema.types.push(type_def(child)?),
                "definition" => schema.definitions.push(definition(child)?),
                _ => return Err(section.unexpected(child)),
            }
        }
    }
    Ok(schema)
}

fn type_def(e: &Element) -> Result<TypeDef, Error> {
    e.allow_attributes(&["name", "class", "source", "provides"])?;
    let name = e.require("name")?.value.clone();
    let class = e.require("class")?;
    let mut descriptor = None;
    let (mut encodings, mut choices, mut fields) = (Vec::new(), Vec::new(), Vec::new());
    for child in &e.children {
        match (child.name.as_str(), class.value.as_str()) {
            ("descriptor", "restricted" | "composite") if descriptor.is_none() => {
                descriptor = Some(read_descriptor(child)?);
            }
            ("descriptor", "restricted" | "composite") => {
                return Err(child
                    .at
                    .error(format!("a second descriptor of type `{name}`")));
            }
            ("encoding", "primitive") => encodings.push(encoding(child)?),
            ("choice", "restricted") => choices.push(choice(child)?),
            ("field", "composite") => fields.push(field(child)?),
            _ => {
                return Err(child.at.error(format!(
                    "<{}> is not expected in a {} type",
                    child.name, class.value
                )));
            }
        }
    }
    let class = match class.value.as_str() {
        "primitive" => Class::Primitive { encodings },
        "restricted" => Class::Restricted {
            source: spanned(e.require("source")?),
            choices,
        },
        "composite" => {
            let source = e.require("source")?;
            if source.value != "list" {
                return Err(source.at.error(format!(
                    "composite type `{name}` is a {}, not a list",
                    source.value
                )));
            }
            if descriptor.is_none() {
                return Err(e
                    .at
                    .error(format!("composite type `{name}` has no descriptor")));
            }
            Class::Composite { fields }
        }
        other => {
            return Err(class
                .at
                .error(format!("unknown class `{other}` of type `{name}`")));
        }
    };
    let provides = e.get("provides").map(names).unwrap_or_default();
    Ok(TypeDef {
        name,
        at: e.at.clone(),
        class,
        provides,
        descriptor,
    })
}

fn read_descriptor(e: &Element) -> Result<Descriptor, Error> {
    e.allow_attributes(&["name", "code"])?;
    let symbol = spanned(e.require("name")?);
    if symbol.value.is_empty() || !symbol.value.is_ascii() {
        return Err(symbol.at.error(format!(
            "descriptor name `{}` is not an ASCII symbol",
            symbol.value
        )));
    }
    let code = e.get("code").map(descriptor_code).transpose()?;
    Ok(Descriptor { symbol, code })
}

/// A code is written as two 32-bit halves, `0xDOMAIN:0xID` (section 1.2).
fn descriptor_code(a: &Attribute) -> Result<Spanned<u64>, Error> {
    let half = |text: &str| {
        text.strip_prefix("0x")
            .and_then(|digits| u32::from_str_radix(digits, 16).ok())
            .map(u64::from)
    };
    let value = a
        .value
        .split_once(':')
        .and_then(|(domain, id)| Some(half(domain)? << 32 | half(id)?));
    match value {
        Some(value) => Ok(Spanned {
            value,
            at: a.at.clone(),
        }),
        None => Err(a.at.error(format!(
            "descriptor code `{}` is not of the form 0xDOMAIN:0xID",
            a.value
        ))),
    }
}

fn encoding(e: &Element) -> Result<Encoding, Error> {
    e.allow_attributes(&["name", "code", "category", "width"])?;
    let code = e.require("code")?;
    let category = e.require("category")?;
    let width = e.require("width")?;
    Ok(Encoding {
        name: e.get("name").map(|a| a.value.clone()),
        code: match code
            .value
            .strip_prefix("0x")
            .and_then(|digits| u8::from_str_radix(digits, 16).ok())
        {
            Some(value) => Spanned {
                value,
                at: code.at.clone(),
            },
            None => {
                return Err(code.at.error(format!(
                    "encoding code `{}` is not of the form 0xNN",
                    code.value
                )));
            }
        },
        category: match category.value.as_str() {
            "fixed" => Category::Fixed,
            "variable" => Category::Variable,
            "compound" => Category::Compound,
            "array" => Category::Array,
            other => {
                return Err(category
                    .at
                    .error(format!("unknown category `{other}` of an encoding")));
            }
        },
        width: width.value.parse().map_err(|_| {
            width
                .at
                .error(format!("width `{}` is not a number of octets", width.value))
        })?,
    })
}

fn choice(e: &Element) -> Result<Choice, Error> {
    e.allow_attributes(&["name", "value"])?;
    Ok(Choice {
        name: e.require("name")?.value.clone(),
        value: spanned(e.require("value")?),
    })
}

fn field(e: &Element) -> Result<Field, Error> {
    e.allow_attributes(&[
        "name",
        "type",
        "requires",
        "default",
        "mandatory",
        "multiple",
    ])?;
    let flag = |name| e.get(name).map_or(Ok(false), Attribute::flag);
    Ok(Field {
        name: e.require("name")?.value.clone(),
        at: e.at.clone(),
        type_name: spanned(e.require("type")?),
        requires: e.get("requires").map(spanned),
        default: e.get("default").map(spanned),
        mandatory: flag("mandatory")?,
        multiple: flag("multiple")?,
    })
}

fn definition(e: &Element) -> Result<Definition, Error> {
    e.allow_attributes(&["name", "value"])?;
    Ok(Definition {
        name: e.require("name")?.value.clone(),
        at: e.at.clone(),
        value: spanned(e.require("value")?),
    })
}

fn spanned(a: &Attribute) -> Spanned<String> {
    Spanned {
        value: a.value.clone(),
        at: a.at.clone(),
    }
}

/// A comma-separated list of names.
fn names(a: &Attribute) -> Vec<Spanned<String>> {
    a.value
        .split(',')
        .map(|name| Spanned {
            value: name.trim().to_owned(),
            at: a.at.clone(),
        })
        .collect()
}
