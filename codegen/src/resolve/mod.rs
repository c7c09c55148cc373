//! From schemas as written to the model, in named passes.
//!
//! Decides the order of the passes; each pass is a file. A pass may assume what an earlier one has checked:
//!
//! 1. `index`: every type has one name and every descriptor one type.
//! 2. `notes`: overlays name what exists, and nothing lacks documentation.
//! 3. `archetypes`: who provides and who requires what, and what each archetype becomes.
//! 4. `types`: what each type becomes, field by field, with names followed by `refs` and literals read by `defaults`.
//! 5. `unions`: the enums of archetypes.
//! 6. `cycles`: nothing contains itself; what holds a float has neither `Eq` nor `Hash`.

mod archetypes;
mod cycles;
mod defaults;
mod index;
mod notes;
mod refs;
mod types;
mod unions;

pub(crate) use unions::first_sentence;

use crate::error::Error;
use crate::model::{Encoding, Model, Module};
use crate::naming;
use crate::overlay::Overlay;
use crate::schema::{Class, Schema, TypeDef};

/// One file of the run, as read.
pub(crate) struct Parsed {
    pub(crate) schema: Schema,
    pub(crate) overlay: Option<Overlay>,
    pub(crate) emit: bool,
}

/// Where a type is declared: the file's and the type's index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct TypeId {
    module: usize,
    index: usize,
}

/// Puts an overlay beside the schema that it is for.
pub(crate) fn attach(files: &mut [Parsed], overlay: Overlay) -> Result<(), Error> {
    let of = &overlay.of;
    match files
        .iter_mut()
        .find(|file| file.schema.name.value == of.value)
    {
        Some(file) if file.overlay.is_none() => {
            file.overlay = Some(overlay);
            Ok(())
        }
        Some(_) => Err(of
            .at
            .error(format!("a second overlay for the schema `{}`", of.value))),
        None => Err(of
            .at
            .error(format!("overlay for an unknown schema `{}`", of.value))),
    }
}

/// Runs all passes; in `dependent` runs what is written is not the standard's.
pub(crate) fn resolve(files: &[Parsed], dependent: bool) -> Result<Model, Error> {
    let index = index::build(files, dependent)?;
    let notes = notes::build(files)?;
    let archetypes = archetypes::build(files, &index)?;
    let types = types::Types {
        files,
        index: &index,
        notes: &notes,
        archetypes: &archetypes,
    };
    let mut modules = Vec::new();
    for (module, file) in files.iter().enumerate() {
        let mut items = types.items(module)?;
        items.extend(unions::items(&types, module)?);
        modules.push(Module {
            name: naming::snake(&file.schema.name.value),
            doc: notes.module(module, &file.schema.name.value),
            emit: file.emit,
            constants: types.constants(module)?,
            encodings: encodings(&file.schema),
            items,
        });
    }
    let mut model = Model { modules };
    unions::link_supersets(&mut model);
    cycles::check(&types)?;
    cycles::mark_floats(&mut model);
    Ok(model)
}

impl TypeId {
    fn of(self, files: &[Parsed]) -> &TypeDef {
        &files[self.module].schema.types[self.index]
    }
}

/// Every type of every file, in order.
fn all_types(files: &[Parsed]) -> impl Iterator<Item = (TypeId, &TypeDef)> {
    files.iter().enumerate().flat_map(|(module, file)| {
        file.schema
            .types
            .iter()
            .enumerate()
            .map(move |(index, def)| (TypeId { module, index }, def))
    })
}

fn encodings(schema: &Schema) -> Vec<Encoding> {
    let mut all = Vec::new();
    for def in &schema.types {
        let Class::Primitive { encodings } = &def.class else {
            continue;
        };
        for encoding in encodings {
            all.push(Encoding {
                rust: naming::encoding(&def.name, encoding.name.as_deref()),
                type_name: def.name.clone(),
                name: encoding.name.clone(),
                code: encoding.code.value,
                category: encoding.category,
                width: encoding.width,
            });
        }
    }
    all
}
