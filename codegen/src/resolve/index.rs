//! Pass 1: which type a name means.
//!
//! Decides that a name, a Rust name, a descriptor and a format code each belong to one type of the whole run, so that
//! looking one up needs no scope.

use std::collections::BTreeMap;

use super::{Parsed, TypeId, all_types};
use crate::error::{Error, Place};
use crate::model::Primitive;
use crate::naming;
use crate::schema::{Class, Descriptor, Spanned};

/// All types by name.
pub(super) struct Index<'a> {
    by_name: BTreeMap<&'a str, TypeId>,
}

impl Index<'_> {
    /// The type of that name, if there is one.
    pub(super) fn get(&self, name: &str) -> Option<TypeId> {
        self.by_name.get(name).copied()
    }

    /// The type of that name; `user` says who asks, for the error.
    pub(super) fn find(&self, name: &Spanned<String>, user: &str) -> Result<TypeId, Error> {
        self.get(&name.value).ok_or_else(|| {
            name.at
                .error(format!("unknown type `{}` of {user}", name.value))
        })
    }
}

/// Looks through all files; in `dependent` runs what is written is not the standard's.
pub(super) fn build(files: &[Parsed], dependent: bool) -> Result<Index<'_>, Error> {
    let mut modules = Unique::default();
    for file in files {
        let name = &file.schema.name;
        usable(&name.value, &name.at)?;
        modules.add(naming::snake(&name.value), &name.at, |was| {
            format!("a second schema `{}`, after {was}", name.value)
        })?;
    }
    let mut by_name = BTreeMap::new();
    let mut names = Unique::default();
    let mut rust_names = Unique::default();
    let mut codes = Unique::default();
    let mut symbols = Unique::default();
    let mut format_codes = Unique::default();
    for (id, def) in all_types(files) {
        usable(&def.name, &def.at)?;
        names.add(def.name.clone(), &def.at, |was| {
            format!("a second type `{}`, after {was}", def.name)
        })?;
        if let Class::Primitive { encodings } = &def.class {
            if Primitive::named(&def.name).is_none() {
                return Err(def.at.error(format!(
                    "`{}` is not a primitive type of AMQP 1.0",
                    def.name
                )));
            }
            for encoding in encodings {
                let Spanned { value, at } = &encoding.code;
                format_codes.add(*value, at, |was| {
                    format!("a second encoding {value:#04x}, after {was}")
                })?;
            }
        } else {
            let rust = naming::camel(&def.name);
            free(&rust, &def.name, &def.at)?;
            rust_names.add(rust.clone(), &def.at, |was| {
                format!(
                    "type `{}` has the Rust name `{rust}` of another type, at {was}",
                    def.name
                )
            })?;
        }
        if let Some(descriptor) = &def.descriptor {
            if dependent && files[id.module].emit {
                check_domain(descriptor)?;
            }
            let Spanned { value, at } = &descriptor.symbol;
            symbols.add(value.clone(), at, |was| {
                format!("a second descriptor `{value}`, after {was}")
            })?;
            if let Some(Spanned { value, at }) = &descriptor.code {
                codes.add(*value, at, |was| {
                    format!("a second descriptor with code {value:#x}, after {was}")
                })?;
            }
        }
        by_name.insert(def.name.as_str(), id);
    }
    Ok(Index { by_name })
}

fn usable(name: &str, at: &Place) -> Result<(), Error> {
    if naming::is_usable(name) {
        Ok(())
    } else {
        Err(at.error(format!("`{name}` cannot be made a name of Rust")))
    }
}

/// A descriptor of somebody else than the standard has a domain (section 1.2): a symbol `domain:name`, and a number whose
/// upper half is not 0.
// [TYP-30]
fn check_domain(descriptor: &Descriptor) -> Result<(), Error> {
    let Spanned { value, at } = &descriptor.symbol;
    if !value.contains(':') {
        return Err(at.error(format!(
            "descriptor name `{value}` is not of the form domain:name"
        )));
    }
    match &descriptor.code {
        Some(Spanned { value, at }) if *value >> 32 == 0 => Err(at.error(format!(
            "descriptor code {value:#x} is in domain 0, which is the standard's"
        ))),
        _ => Ok(()),
    }
}

/// Refuses a Rust name that generated code needs for something else.
pub(super) fn free(rust: &str, name: &str, at: &Place) -> Result<(), Error> {
    if naming::is_taken(rust) {
        return Err(at.error(format!(
            "`{name}` has the Rust name `{rust}`, which generated code uses"
        )));
    }
    Ok(())
}

/// Where each key was first seen.
pub(super) struct Unique<K>(BTreeMap<K, Place>);

impl<K> Default for Unique<K> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Ord> Unique<K> {
    /// Refuses a key that was added before; `message` gets the earlier place.
    pub(super) fn add(
        &mut self,
        key: K,
        at: &Place,
        message: impl FnOnce(&Place) -> String,
    ) -> Result<(), Error> {
        match self.0.get(&key) {
            Some(was) => Err(at.error(message(was))),
            None => {
                self.0.insert(key, at.clone());
                Ok(())
            }
        }
    }
}
