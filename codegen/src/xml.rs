//! XML text in, a tree of elements with places out.
//!
//! Decides what is well-formed (by quick-xml, checks on) and keeps the place of every element, attribute and run of
//! text, so that later stages can point at them. What the elements mean is left to `schema` and `overlay`.

use quick_xml::Reader;
use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};

use crate::error::{Error, Place};

/// An element with its attributes, children and text, in the order of the file.
#[derive(Clone, Debug)]
pub(crate) struct Element {
    pub(crate) name: String,
    pub(crate) at: Place,
    attributes: Vec<Attribute>,
    pub(crate) children: Vec<Element>,
    /// The text directly inside, white space folded to single blanks.
    pub(crate) text: String,
}

/// An attribute's value and where the value starts.
#[derive(Clone, Debug)]
pub(crate) struct Attribute {
    name: String,
    pub(crate) value: String,
    pub(crate) at: Place,
}

impl Element {
    /// The attribute of that name, if it is there.
    pub(crate) fn get(&self, name: &str) -> Option<&Attribute> {
        self.attributes.iter().find(|a| a.name == name)
    }

    /// The attribute of that name; its absence is an error.
    pub(crate) fn require(&self, name: &str) -> Result<&Attribute, Error> {
        self.get(name).ok_or_else(|| {
            self.at
                .error(format!("<{}> lacks the attribute `{name}`", self.name))
        })
    }

    /// Refuses attributes that are not in `known`: a misspelt one would otherwise be lost without a word.
    pub(crate) fn allow_attributes(&self, known: &[&str]) -> Result<(), Error> {
        match self
            .attributes
            .iter()
            .find(|a| !known.contains(&a.name.as_str()))
        {
            Some(a) => Err(a
                .at
                .error(format!("<{}> has no attribute `{}`", self.name, a.name))),
            None => Ok(()),
        }
    }

    /// The error for a child that the dialect does not know.
    pub(crate) fn unexpected(&self, child: &Element) -> Error {
        child.at.error(format!(
            "<{}> is not expected inside <{}>",
            child.name, self.name
        ))
    }
}

impl Attribute {
    /// Reads `true` or `false`.
    pub(crate) fn flag(&self) -> Result<bool, Error> {
        match self.value.as_str() {
            "true" => Ok(true),
            "false" => Ok(false),
            other => Err(self
                .at
                .error(format!("`{}` is `{other}`, not true or false", self.name))),
        }
    }
}

/// Parses one document and returns its root element.
pub(crate) fn parse(file: &str, text: &str) -> Result<Element, Error> {
    let mut reader = Reader::from_str(text);
    reader.config_mut().enable_all_checks(true);
    let mut open: Vec<Element> = Vec::new();
    let mut root: Option<Element> = None;
    loop {
        let start = offset(reader.buffer_position());
        let at = || Place::in_text(file, text, start);
        let event = reader.read_event().map_err(|e| {
            Place::in_text(file, text, offset(reader.error_position()))
                .error(format!("malformed XML: {e}"))
        })?;
        let (closed, is_end) = match event {
            Event::Start(tag) => {
                open.push(element(file, text, start, &tag)?);
                continue;
            }
            Event::Empty(tag) => (Some(element(file, text, start, &tag)?), false),
            Event::End(_) => (open.pop(), true),
            Event::Text(t) => {
                add_text(&mut open, &t.xml10_content(), at)?;
                continue;
            }
            Event::CData(t) => {
                add_text(&mut open, &t.xml10_content(), at)?;
                continue;
            }
            Event::GeneralRef(r) => {
                let name = r.xml10_content();
                let resolved = match r.resolve_char_ref() {
                    Ok(Some(c)) => c.to_string(),
                    _ => match quick_xml::escape::resolve_xml_entity(&name) {
                        Some(s) => s.to_owned(),
                        None => {
                            return Err(
                                at().error(format!("malformed XML: unknown entity `&{name};`"))
                            );
                        }
                    },
                };
                add_text(&mut open, &resolved, at)?;
                continue;
            }
            Event::DocType(_) => return Err(at().error("a document type is not supported")),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) => continue,
            Event::Eof => break,
        };
        let Some(mut element) = closed else {
            return Err(at().error("malformed XML: an end tag without its start"));
        };
        if is_end {
            element.text = fold(&element.text);
        }
        match open.last_mut() {
            Some(parent) => parent.children.push(element),
            None if root.is_none() => root = Some(element),
            None => return Err(element.at.error("malformed XML: a second root element")),
        }
    }
    let end = Place::in_text(file, text, text.len());
    match (open.pop(), root) {
        (Some(element), _) => Err(element
            .at
            .error(format!("malformed XML: <{}> is not closed", element.name))),
        (None, Some(root)) => Ok(root),
        (None, None) => Err(end.error("malformed XML: no element")),
    }
}

/// The element that `tag` opens, without children yet.
fn element(file: &str, text: &str, start: usize, tag: &BytesStart<'_>) -> Result<Element, Error> {
    let at = Place::in_text(file, text, start);
    let mut attributes = Vec::new();
    for attribute in tag.attributes() {
        let attribute = attribute.map_err(|e| at.error(format!("malformed XML: {e}")))?;
        // The raw value borrows from the tag, and the tag starts one byte after `<`.
        let raw = tag
            .len()
            .min(attribute.value.as_ptr() as usize - tag.as_ptr() as usize);
        let at = Place::in_text(file, text, start + 1 + raw);
        let value = attribute
            .normalized_value(XmlVersion::Implicit1_0)
            .map_err(|e| at.error(format!("malformed XML: {e}")))?
            .into_owned();
        attributes.push(Attribute {
            name: attribute.key.as_ref().to_owned(),
            value,
            at,
        });
    }
    Ok(Element {
        name: tag.name().as_ref().to_owned(),
        at,
        attributes,
        children: Vec::new(),
        text: String::new(),
    })
}

/// Adds text to the innermost open element.
fn add_text(open: &mut [Element], text: &str, at: impl Fn() -> Place) -> Result<(), Error> {
    match open.last_mut() {
        Some(element) => element.text.push_str(text),
        None if text.trim().is_empty() => {}
        None => return Err(at().error("malformed XML: text outside the root element")),
    }
    Ok(())
}

/// White space of any length becomes one blank.
fn fold(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// quick-xml counts in u64; our texts are in memory.
fn offset(position: u64) -> usize {
    usize::try_from(position).unwrap_or(usize::MAX)
}
