//! Pass 3: archetypes, that is, what `provides` and `requires` tie together (section 1.5).
//!
//! Decides what an archetype becomes in Rust and which file its enum lies in. The enum's variants are made by `unions`
//! and, of symbols, by `types`.

use std::collections::BTreeMap;

use super::index::Index;
use super::{Parsed, TypeId, all_types};
use crate::error::{Error, Place};
use crate::model::Primitive;
use crate::naming;
use crate::overrides;
use crate::schema::{Class, Field, Spanned, TypeDef};

/// All archetypes by name.
pub(super) struct Archetypes<'a> {
    by_name: BTreeMap<&'a str, Archetype>,
}

pub(super) struct Archetype {
    pub(super) rust: String,
    pub(super) form: Form,
    /// The file whose module holds the enum: that of the first provider.
    pub(super) home: usize,
    /// Who provides it, in order; of the files that are referred to alone, if the home is one of them.
    pub(super) providers: Vec<TypeId>,
    /// Whether a field requires it.
    pub(super) required: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Providers are named symbols: one flat enum, open to other symbols.
    Symbols,
    /// Told apart by descriptor or by encoding: an enum of types.
    Union,
    /// Only one type without a descriptor provides it: that type stands for it.
    Sole(TypeId),
}

/// Where a field's `requires` leads.
pub(super) enum Required<'a> {
    Archetype(&'a Archetype),
    /// Nobody provides it, and the table of exceptions says so.
    Anything,
}

impl<'a> Archetypes<'a> {
    pub(super) fn get(&self, name: &str) -> Option<&Archetype> {
        self.by_name.get(name)
    }

    /// The archetype that a field requires.
    pub(super) fn find(&self, name: &Spanned<String>, user: &str) -> Result<Required<'_>, Error> {
        match self.get(&name.value) {
            Some(archetype) => Ok(Required::Archetype(archetype)),
            None if overrides::is_unprovided(&name.value) => Ok(Required::Anything),
            None => Err(name.at.error(format!(
                "no type provides `{}`, which {user} requires",
                name.value
            ))),
        }
    }

    /// The archetypes whose home is that file, in the order of their names.
    pub(super) fn of_module(&self, module: usize) -> impl Iterator<Item = (&'a str, &Archetype)> {
        self.by_name
            .iter()
            .map(|(name, archetype)| (*name, archetype))
            .filter(move |(_, a)| a.home == module)
    }

    /// The archetypes that a type provides, with those from a home of another crate told apart.
    pub(super) fn provided_by<'b>(
        &'b self,
        def: &'b TypeDef,
    ) -> impl Iterator<Item = (&'b str, &'b Archetype)> {
        def.provides
            .iter()
            .filter_map(|name| Some((name.value.as_str(), self.get(&name.value)?)))
    }
}

pub(super) fn build<'a>(files: &'a [Parsed], index: &Index<'_>) -> Result<Archetypes<'a>, Error> {
    let mut providers: BTreeMap<&str, Vec<(TypeId, &Place)>> = BTreeMap::new();
    for (id, def) in all_types(files) {
        for name in &def.provides {
            if matches!(def.class, Class::Primitive { .. }) {
                return Err(name.at.error(format!(
                    "primitive type `{}` cannot provide an archetype",
                    def.name
                )));
            }
            providers
                .entry(&name.value)
                .or_default()
                .push((id, &name.at));
        }
    }
    let mut by_name = BTreeMap::new();
    for (name, list) in providers {
        // invariant: an entry is made together with its first provider.
        let home = list[0].0.module;
        // What lies in another crate is finished: our types reach it through its `Other`.
        let extends = |(id, _): &&(TypeId, &Place)| files[id.module].emit == files[home].emit;
        let inner: Vec<_> = list.iter().filter(extends).map(|(id, _)| *id).collect();
        let form = form(files, index, name, &inner)?;
        let rust = rust_name(files, index, name, list[0].1)?;
        by_name.insert(
            name,
            Archetype {
                rust,
                form,
                home,
                providers: inner,
                required: false,
            },
        );
    }
    let mut archetypes = Archetypes { by_name };
    for field in all_fields(files) {
        let Some(required) = &field.requires else {
            continue;
        };
        if let Some(archetype) = archetypes.by_name.get_mut(required.value.as_str()) {
            archetype.required = true;
        }
    }
    Ok(archetypes)
}

fn all_fields(files: &[Parsed]) -> impl Iterator<Item = &Field> {
    all_types(files).flat_map(|(_, def)| match &def.class {
        Class::Composite { fields } => fields.as_slice(),
        _ => &[],
    })
}

fn form(
    files: &[Parsed],
    index: &Index<'_>,
    name: &str,
    providers: &[TypeId],
) -> Result<Form, Error> {
    let (symbols, others): (Vec<TypeId>, Vec<TypeId>) = providers
        .iter()
        .partition(|id| is_symbols(files, index, **id));
    match (symbols.as_slice(), others.as_slice()) {
        ([symbols, ..], [other, ..]) => {
            let (symbols, other) = (symbols.of(files), other.of(files));
            let message = format!(
                "`{}` provides `{name}` by a value, but `{}` by its names",
                other.name, symbols.name
            );
            Err(other.at.error(message))
        }
        ([_, ..], []) => Ok(Form::Symbols),
        ([], [sole]) if sole.of(files).descriptor.is_none() => Ok(Form::Sole(*sole)),
        _ => Ok(Form::Union),
    }
}

/// Whether the type is a restricted symbol with choices.
pub(super) fn is_symbols(files: &[Parsed], index: &Index<'_>, id: TypeId) -> bool {
    match &id.of(files).class {
        Class::Restricted { source, choices } => {
            !choices.is_empty()
                && root_name(files, index, &source.value) == Primitive::Symbol.name()
        }
        _ => false,
    }
}

/// Follows the sources of restricted types to the last; a loop ends where it began and is reported by `types`.
fn root_name<'a>(files: &'a [Parsed], index: &Index<'_>, start: &'a str) -> &'a str {
    let mut name = start;
    for _ in 0..files.iter().map(|file| file.schema.types.len()).sum() {
        match index.get(name).map(|id| &id.of(files).class) {
            Some(Class::Restricted { source, .. }) => name = &source.value,
            _ => break,
        }
    }
    name
}

/// The archetype's own name, unless a type that becomes a Rust type has it.
fn rust_name(files: &[Parsed], index: &Index<'_>, name: &str, at: &Place) -> Result<String, Error> {
    let mut rust =
        overrides::archetype_name(name).map_or_else(|| naming::camel(name), str::to_owned);
    if index
        .get(name)
        .is_some_and(|id| !is_symbols(files, index, id))
    {
        rust.push_str("Archetype");
    }
    super::index::free(&rust, name, at)?;
    let other = |(id, def): &(TypeId, &TypeDef)| {
        naming::camel(&def.name) == rust && !is_symbols(files, index, *id)
    };
    match all_types(files).find(other) {
        Some((_, def)) => Err(at.error(format!(
            "archetype `{name}` has the Rust name `{rust}` of type `{}`",
            def.name
        ))),
        None => Ok(rust),
    }
}
