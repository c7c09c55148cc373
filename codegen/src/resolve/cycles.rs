//! Pass 6: what contains what.
//!
//! Decides that no type contains itself, which a struct without a box cannot, and which types hold floats, directly or
//! not, so that they get neither `Eq` nor `Hash`.

use std::collections::{BTreeMap, BTreeSet};

use super::TypeId;
use super::archetypes::Form;
use super::types::Types;
use crate::error::Error;
use crate::model::{Item, Model, Ty};
use crate::schema::Class;

/// Refuses a composite type that contains itself, also through an archetype.
pub(super) fn check(types: &Types<'_>) -> Result<(), Error> {
    let mut done = BTreeSet::new();
    for (id, _) in super::all_types(types.files) {
        visit(types, id, &mut Vec::new(), &mut done)?;
    }
    Ok(())
}

fn visit(
    types: &Types<'_>,
    id: TypeId,
    path: &mut Vec<TypeId>,
    done: &mut BTreeSet<TypeId>,
) -> Result<(), Error> {
    if path.contains(&id) {
        let name = |id: &TypeId| format!("`{}`", id.of(types.files).name);
        let last = path.last().map(name).unwrap_or_default();
        return Err(id.of(types.files).at.error(format!(
            "type {} contains itself, through {last}",
            name(&id)
        )));
    }
    if done.contains(&id) {
        return Ok(());
    }
    path.push(id);
    if let Class::Composite { fields } = &id.of(types.files).class {
        for field in fields {
            for inner in contents(types, field) {
                visit(types, inner, path, done)?;
            }
        }
    }
    path.pop();
    done.insert(id);
    Ok(())
}

fn contents(types: &Types<'_>, field: &crate::schema::Field) -> Vec<TypeId> {
    match &field.requires {
        Some(requires) => match types.archetypes.get(&requires.value) {
            Some(archetype) if archetype.form == Form::Union => archetype.providers.clone(),
            _ => Vec::new(),
        },
        None => types
            .index
            .get(&field.type_name.value)
            .into_iter()
            .collect(),
    }
}

/// Marks what holds a float, until nothing more is found.
pub(super) fn mark_floats(model: &mut Model) {
    let mut floats: BTreeMap<(usize, String), bool> = BTreeMap::new();
    loop {
        let mut changed = false;
        for (module, of) in model.modules.iter_mut().enumerate() {
            for item in &mut of.items {
                let (rust, has_float, found) = match item {
                    Item::Composite(c) => {
                        let found = c.fields.iter().any(|field| holds_float(&field.ty, &floats));
                        (&c.rust, &mut c.has_float, found)
                    }
                    Item::Newtype(n) => (&n.rust, &mut n.has_float, holds_float(&n.inner, &floats)),
                    Item::Union(u) => {
                        let found = u
                            .variants
                            .iter()
                            .any(|variant| holds_float(&variant.ty, &floats));
                        (&u.rust, &mut u.has_float, found)
                    }
                    Item::Choices(_) => continue,
                };
                changed |= found != *has_float;
                *has_float = found;
                floats.insert((module, rust.clone()), found);
            }
        }
        if !changed {
            break;
        }
    }
}

fn holds_float(ty: &Ty, floats: &BTreeMap<(usize, String), bool>) -> bool {
    match ty {
        Ty::Primitive(primitive) => primitive.is_float(),
        Ty::Generated { module, rust, .. } => floats
            .get(&(*module, rust.clone()))
            .copied()
            .unwrap_or(false),
        Ty::Option(inner) | Ty::Boxed(inner) | Ty::ListOf(inner) => holds_float(inner, floats),
        Ty::Map(key, value) => holds_float(key, floats) || holds_float(value, floats),
        Ty::Value | Ty::Described | Ty::Simple | Ty::AnnotationKey => false,
    }
}
