//! Pass 2: which note of which overlay belongs to which name.
//!
//! Decides that overlays name only what exists, and that under an overlay nothing lacks documentation. A file without an
//! overlay gets a stock sentence for each name.

use std::collections::BTreeMap;

use super::index::Unique;
use super::{Parsed, TypeId};
use crate::error::{Error, Place};
use crate::overlay::{Doc, FieldNote, Note, Overlay, Rules, TypeNote};
use crate::schema::{Class, Schema};

/// The notes of all files.
pub(super) struct Notes<'a> {
    files: Vec<Option<FileNotes<'a>>>,
}

struct FileNotes<'a> {
    overlay: &'a Overlay,
    types: BTreeMap<&'a str, &'a TypeNote>,
}

pub(super) fn build(files: &[Parsed]) -> Result<Notes<'_>, Error> {
    let files = files.iter().map(|file| {
        file.overlay
            .as_ref()
            .map(|overlay| check(&file.schema, overlay))
            .transpose()
    });
    Ok(Notes {
        files: files.collect::<Result<_, _>>()?,
    })
}

impl Notes<'_> {
    pub(super) fn module(&self, module: usize, name: &str) -> Doc {
        self.files[module]
            .as_ref()
            .map_or_else(|| stock("schema", name), |file| file.overlay.doc.clone())
    }

    pub(super) fn type_doc(&self, id: TypeId, name: &str) -> Doc {
        self.type_note(id, name)
            .map_or_else(|| stock("type", name), |note| note.doc.clone())
    }

    pub(super) fn rules(&self, id: TypeId, name: &str) -> Rules {
        self.type_note(id, name)
            .map(|note| note.rules.clone())
            .unwrap_or_default()
    }

    pub(super) fn field(&self, id: TypeId, name: &str, field: &str) -> Option<&FieldNote> {
        self.type_note(id, name)?
            .fields
            .iter()
            .find(|note| note.name == field)
    }

    pub(super) fn field_doc(&self, id: TypeId, name: &str, field: &str) -> Doc {
        self.field(id, name, field)
            .map_or_else(|| stock("field", field), |note| note.doc.clone())
    }

    pub(super) fn choice_doc(&self, id: TypeId, name: &str, choice: &str) -> Doc {
        let note = self
            .type_note(id, name)
            .and_then(|note| note.choices.iter().find(|note| note.name == choice));
        note.map_or_else(|| stock("choice", choice), |note| note.doc.clone())
    }

    pub(super) fn archetype(&self, module: usize, name: &str) -> Option<&Note> {
        self.files[module]
            .as_ref()?
            .overlay
            .archetypes
            .iter()
            .find(|note| note.name == name)
    }

    pub(super) fn archetype_doc(&self, module: usize, name: &str) -> Doc {
        self.archetype(module, name)
            .map_or_else(|| stock("archetype", name), |note| note.doc.clone())
    }

    /// An archetype that becomes an enum needs documentation too, but which do is known only later.
    pub(super) fn require_archetype(&self, module: usize, name: &str) -> Result<(), Error> {
        match &self.files[module] {
            Some(file)
                if self
                    .archetype(module, name)
                    .is_none_or(|note| note.doc.text.is_empty()) =>
            {
                Err(file
                    .overlay
                    .at
                    .error(format!("archetype `{name}` lacks documentation")))
            }
            _ => Ok(()),
        }
    }

    /// The place to blame for a mistake in the notes of a file.
    pub(super) fn archetypes_of(&self, module: usize) -> &[Note] {
        self.files[module]
            .as_ref()
            .map_or(&[], |file| &file.overlay.archetypes)
    }

    pub(super) fn definition(&self, module: usize, name: &str) -> Option<&Note> {
        self.files[module]
            .as_ref()?
            .overlay
            .definitions
            .iter()
            .find(|note| note.name == name)
    }

    pub(super) fn definition_doc(&self, module: usize, name: &str) -> Doc {
        self.definition(module, name)
            .map_or_else(|| stock("definition", name), |note| note.doc.clone())
    }

    fn type_note(&self, id: TypeId, name: &str) -> Option<&TypeNote> {
        self.files[id.module].as_ref()?.types.get(name).copied()
    }
}

/// Both ways: each note has its name in the schema, and each name of the schema has its note.
fn check<'a>(schema: &Schema, overlay: &'a Overlay) -> Result<FileNotes<'a>, Error> {
    let mut types = BTreeMap::new();
    let mut seen = Unique::default();
    for note in &overlay.types {
        seen.add(note.name.as_str(), &note.at, |was| {
            format!("a second note on type `{}`, after {was}", note.name)
        })?;
        if !schema.types.iter().any(|def| def.name == note.name) {
            return Err(note
                .at
                .error(format!("overlay names an unknown type `{}`", note.name)));
        }
        types.insert(note.name.as_str(), note);
    }
    for def in &schema.types {
        let note = types.get(def.name.as_str()).copied();
        documented(note.map(|note| &note.doc), &def.at, || {
            format!("type `{}`", def.name)
        })?;
        let Some(note) = note else { continue };
        let fields: Vec<_> = match &def.class {
            Class::Composite { fields } => {
                fields.iter().map(|f| (f.name.as_str(), &f.at)).collect()
            }
            _ => Vec::new(),
        };
        let choices: Vec<_> = match &def.class {
            Class::Restricted { choices, .. } => choices
                .iter()
                .map(|c| (c.name.as_str(), &c.value.at))
                .collect(),
            _ => Vec::new(),
        };
        let noted_fields = note.fields.iter().map(|n| (n.name.as_str(), &n.at, &n.doc));
        let noted_choices = note
            .choices
            .iter()
            .map(|n| (n.name.as_str(), &n.at, &n.doc));
        both_ways("field", &def.name, &fields, noted_fields)?;
        both_ways("choice", &def.name, &choices, noted_choices)?;
    }
    let definitions: Vec<_> = schema
        .definitions
        .iter()
        .map(|d| (d.name.as_str(), &d.at))
        .collect();
    let noted = overlay
        .definitions
        .iter()
        .map(|n| (n.name.as_str(), &n.at, &n.doc));
    both_ways("definition", &schema.name.value, &definitions, noted)?;
    Ok(FileNotes { overlay, types })
}

/// Checks the notes on the parts of `owner` against the parts that it has.
fn both_ways<'a>(
    kind: &str,
    owner: &str,
    names: &[(&str, &Place)],
    notes: impl Iterator<Item = (&'a str, &'a Place, &'a Doc)>,
) -> Result<(), Error> {
    let mut seen = Unique::default();
    let mut docs = BTreeMap::new();
    for (name, at, doc) in notes {
        seen.add(name, at, |was| {
            format!("a second note on {kind} `{name}` of `{owner}`, after {was}")
        })?;
        if !names.iter().any(|(known, _)| *known == name) {
            return Err(at.error(format!(
                "overlay names an unknown {kind} `{name}` of `{owner}`"
            )));
        }
        docs.insert(name, doc);
    }
    for &(name, at) in names {
        documented(docs.get(name).copied(), at, || {
            format!("{kind} `{name}` of `{owner}`")
        })?;
    }
    Ok(())
}

fn documented(doc: Option<&Doc>, at: &Place, what: impl Fn() -> String) -> Result<(), Error> {
    match doc {
        Some(doc) if !doc.text.is_empty() => Ok(()),
        _ => Err(at.error(format!("{} lacks documentation in the overlay", what()))),
    }
}

/// What a name says of itself, where nobody says more.
fn stock(kind: &str, name: &str) -> Doc {
    Doc {
        text: format!("The {kind} `{name}`."),
        ..Doc::default()
    }
}
