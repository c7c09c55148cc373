//! Pass 5: the enums of archetypes.
//!
//! Decides the variants, how the decoder tells them apart, and which enum holds another.

use std::collections::BTreeMap;

use super::TypeId;
use super::archetypes::{Archetype, Form};
use super::refs::Root;
use super::types::{Types, descriptor};
use crate::error::Error;
use crate::model::{Choice, Choices, Item, Key, Literal, Model, Primitive, Ty, Union, Variant};
use crate::naming;
use crate::overlay::Doc;
use crate::overrides;
use crate::schema::Class;

/// The enums whose home is that file, in the order of their first providers.
pub(super) fn items(types: &Types<'_>, module: usize) -> Result<Vec<Item>, Error> {
    for note in types.notes.archetypes_of(module) {
        if types
            .archetypes
            .get(&note.name)
            .is_none_or(|archetype| archetype.home != module)
        {
            return Err(note.at.error(format!(
                "overlay names an unknown archetype `{}`",
                note.name
            )));
        }
    }
    let mut archetypes: Vec<_> = types.archetypes.of_module(module).collect();
    archetypes.sort_by_key(|(name, archetype)| (archetype.providers.first().copied(), *name));
    let mut items = Vec::new();
    for (name, archetype) in archetypes {
        match archetype.form {
            Form::Sole(_) => continue,
            Form::Symbols => items.push(Item::Choices(symbols(types, name, archetype)?)),
            Form::Union => items.push(Item::Union(union(types, name, archetype)?)),
        }
        types.notes.require_archetype(module, name)?;
    }
    Ok(items)
}

/// One flat enum of all the symbols, named after the choices; where two choices have one name, after their values.
fn symbols(types: &Types<'_>, name: &str, archetype: &Archetype) -> Result<Choices, Error> {
    let mut count: BTreeMap<&str, usize> = BTreeMap::new();
    let all = || {
        archetype
            .providers
            .iter()
            .flat_map(|id| match &id.of(types.files).class {
                Class::Restricted { choices, .. } => choices
                    .iter()
                    .map(|choice| (*id, choice))
                    .collect::<Vec<_>>(),
                _ => Vec::new(),
            })
    };
    for (_, choice) in all() {
        *count.entry(&choice.name).or_default() += 1;
    }
    let mut seen = super::index::Unique::default();
    let mut variants = Vec::new();
    for (id, choice) in all() {
        let value = &choice.value.value;
        if super::defaults::literal(Primitive::Symbol, value).is_none() {
            return Err(choice.value.at.error(format!(
                "`{value}`, the choice `{}`, is not a symbol",
                choice.name
            )));
        }
        let rust = match count[choice.name.as_str()] {
            1 => naming::camel(&choice.name),
            // `amqp:link:redirect` becomes `LinkRedirect`.
            _ => naming::camel(
                value
                    .split_once(':')
                    .map_or(value.as_str(), |(_, rest)| rest),
            ),
        };
        if rust == "Other" {
            return Err(choice.value.at.error(format!(
                "choice `{}` of `{name}` has the name of all others",
                choice.name
            )));
        }
        seen.add(rust.clone(), &choice.value.at, |was| {
            format!("a second choice `{rust}` of `{name}`, after {was}")
        })?;
        variants.push(Choice {
            rust,
            value: Literal::Text(value.clone()),
            doc: types
                .notes
                .choice_doc(id, &id.of(types.files).name, &choice.name),
        });
    }
    Ok(Choices {
        rust: archetype.rust.clone(),
        doc: types.notes.archetype_doc(archetype.home, name),
        root: Primitive::Symbol,
        variants,
        open: true,
        outer: Vec::new(),
    })
}

fn union(types: &Types<'_>, name: &str, archetype: &Archetype) -> Result<Union, Error> {
    let prefix = format!("{name}-");
    let all_prefixed = archetype
        .providers
        .iter()
        .all(|id| id.of(types.files).name.starts_with(&prefix));
    let mut codes = super::index::Unique::default();
    let mut variants = Vec::new();
    for &id in &archetype.providers {
        let def = id.of(types.files);
        let key = match descriptor(def) {
            Some(descriptor) => Key::Descriptor(descriptor),
            None => {
                let Root::Primitive(primitive) = types.root(id)?.0 else {
                    return Err(def.at.error(format!(
                        "`{}` provides `{name}`, but may be any value",
                        def.name
                    )));
                };
                let root = primitive.name();
                codes.add(root, &def.at, |was| {
                    format!(
                        "`{}` provides `{name}` as a {root}, as does the type at {was}",
                        def.name
                    )
                })?;
                Key::Codes(format_codes(types, primitive))
            }
        };
        let short = if all_prefixed {
            &def.name[prefix.len()..]
        } else {
            &def.name
        };
        variants.push(Variant {
            rust: naming::camel(short),
            ty: variant_type(types, id)?,
            boxed: overrides::is_boxed_variant(name, &def.name),
            key,
            doc: types.notes.type_doc(id, &def.name),
        });
    }
    Ok(Union {
        name: name.to_owned(),
        rust: archetype.rust.clone(),
        doc: types.notes.archetype_doc(archetype.home, name),
        variants,
        open: types.is_open(name, archetype),
        supersets: Vec::new(),
        has_float: false,
    })
}

fn variant_type(types: &Types<'_>, id: TypeId) -> Result<Ty, Error> {
    if types.is_folded(id) {
        let (root, rules) = types.root(id)?;
        types.inside(
            &root,
            &rules,
            &format!("type `{}`", id.of(types.files).name),
        )
    } else {
        types.type_ref(id)
    }
}

/// The names of the constants of a primitive type's format codes.
fn format_codes(types: &Types<'_>, primitive: Primitive) -> Vec<String> {
    let def = types
        .index
        .get(primitive.name())
        .map(|id| id.of(types.files));
    match def.map(|def| &def.class) {
        Some(Class::Primitive { encodings }) => encodings
            .iter()
            .map(|e| naming::encoding(primitive.name(), e.name.as_deref()))
            .collect(),
        _ => Vec::new(),
    }
}

/// Finds for each union the others that hold all that it holds.
pub(super) fn link_supersets(model: &mut Model) {
    let mut held: Vec<(Ty, Vec<Ty>, bool)> = Vec::new();
    for (module, of) in model.modules.iter().enumerate() {
        for item in &of.items {
            let Item::Union(union) = item else { continue };
            if union
                .variants
                .iter()
                .all(|variant| matches!(variant.key, Key::Descriptor(_)))
            {
                let name = Ty::Generated {
                    module,
                    rust: union.rust.clone(),
                    copy: false,
                };
                held.push((
                    name,
                    union.variants.iter().map(|v| v.ty.clone()).collect(),
                    union.open,
                ));
            }
        }
    }
    for (module, of) in model.modules.iter_mut().enumerate() {
        for item in &mut of.items {
            let Item::Union(union) = item else { continue };
            let me = Ty::Generated {
                module,
                rust: union.rust.clone(),
                copy: false,
            };
            let Some((_, mine, _)) = held.iter().find(|(name, ..)| *name == me) else {
                continue;
            };
            let holds_me = |(name, theirs, open): &&(Ty, Vec<Ty>, bool)| {
                *name != me && (*open || !union.open) && mine.iter().all(|ty| theirs.contains(ty))
            };
            union.supersets = held
                .iter()
                .filter(holds_me)
                .map(|(name, ..)| name.clone())
                .collect();
        }
    }
}

/// A doc of a variant is the first sentence of its type's.
pub(crate) fn first_sentence(doc: &Doc) -> String {
    match doc.text.split_once(". ") {
        Some((first, _)) => format!("{first}."),
        None => doc.text.clone(),
    }
}
