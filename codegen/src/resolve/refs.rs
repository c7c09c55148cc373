//! What a name stands for, used by the passes that build types.
//!
//! Decides the Rust type of a reference: of a type's name, of an archetype, of a kind that an overlay writes, and of what
//! lies at the bottom of a restricted type.

use super::TypeId;
use super::archetypes::{Archetype, Form, Required};
use super::types::Types;
use crate::error::Error;
use crate::model::{Primitive, Ty};
use crate::naming;
use crate::overlay::Rules;
use crate::schema::{Class, Spanned};

/// What is at the bottom of a chain of restricted types.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Root {
    Primitive(Primitive),
    Anything,
}

impl Types<'_> {
    /// The primitive type at the bottom of a restricted type, and the rules collected on the way, the nearest first.
    pub(super) fn root(&self, id: TypeId) -> Result<(Root, Rules), Error> {
        let mut rules = Rules::default();
        let mut at = id;
        let mut path = vec![id];
        loop {
            let def = at.of(self.files);
            let own = self.notes.rules(at, &def.name);
            rules = Rules {
                key: rules.key.or(own.key),
                value: rules.value.or(own.value),
                item: rules.item.or(own.item),
                max_length: rules.max_length.or(own.max_length),
                strict_length: rules.strict_length.or(own.strict_length),
                serial: rules.serial || own.serial,
                nullable: rules.nullable || own.nullable,
            };
            let source = match &def.class {
                Class::Restricted { source, .. } => source,
                Class::Primitive { .. } => {
                    // invariant: the index refuses primitive types that the model does not know.
                    let primitive = Primitive::named(&def.name).expect("a known primitive type");
                    return Ok((Root::Primitive(primitive), rules));
                }
                Class::Composite { .. } => {
                    let (of, def) = (&id.of(self.files).name, &def.name);
                    return Err(id.of(self.files).at.error(format!(
                        "the source of `{of}` is the composite type `{def}`"
                    )));
                }
            };
            if source.value == "*" {
                return Ok((Root::Anything, rules));
            }
            at = self
                .index
                .find(source, &format!("restricted type `{}`", def.name))?;
            if path.contains(&at) {
                return Err(source.at.error(format!(
                    "type `{}` is restricted to itself",
                    at.of(self.files).name
                )));
            }
            path.push(at);
        }
    }

    /// The Rust type that a type's name stands for in a field.
    pub(super) fn type_ref(&self, id: TypeId) -> Result<Ty, Error> {
        let def = id.of(self.files);
        let (rust, module) = (naming::camel(&def.name), id.module);
        Ok(match &def.class {
            Class::Primitive { .. } => {
                // invariant: the index refuses primitive types that the model does not know.
                Ty::Primitive(Primitive::named(&def.name).expect("a known primitive type"))
            }
            Class::Composite { .. } => Ty::Generated {
                module,
                rust,
                copy: false,
            },
            Class::Restricted { choices, .. } => {
                let (root, rules) = self.root(id)?;
                let copy = match root {
                    _ if !choices.is_empty() => true,
                    Root::Primitive(primitive) => primitive.is_copy() && rules.item.is_none(),
                    Root::Anything => false,
                };
                Ty::Generated { module, rust, copy }
            }
        })
    }

    pub(super) fn archetype_ref(&self, archetype: &Archetype) -> Result<Ty, Error> {
        match archetype.form {
            Form::Sole(id) => self.type_ref(id),
            Form::Symbols | Form::Union => Ok(Ty::Generated {
                module: archetype.home,
                rust: archetype.rust.clone(),
                copy: false,
            }),
        }
    }

    pub(super) fn map(
        &self,
        key: Option<&Spanned<String>>,
        value: Option<&Spanned<String>>,
        user: &str,
    ) -> Result<Ty, Error> {
        let kind = |spec: Option<&Spanned<String>>| {
            spec.map_or(Ok(Ty::Value), |spec| self.kind(spec, user))
        };
        Ok(match (kind(key)?, kind(value)?) {
            (Ty::Value, Ty::Value) => Ty::Primitive(Primitive::Map),
            (key, value) => Ty::Map(Box::new(key), Box::new(value)),
        })
    }

    // By construction: a map's keys and values, and a list's items, have the kinds that the overlay gives them.
    // [PRF-04] [MSG-12] [MSG-20] [SRC-18] [FLT-01] [FLT-02]
    /// The kind of a map's keys or values, or of a list's items, as an overlay writes it.
    fn kind(&self, spec: &Spanned<String>, user: &str) -> Result<Ty, Error> {
        let (name, nullable) = match spec.value.strip_suffix('?') {
            Some(name) => (name, true),
            None => (spec.value.as_str(), false),
        };
        let ty = match (name, name.strip_prefix('@')) {
            ("*", _) => Ty::Value,
            ("described", _) => Ty::Described,
            ("simple", _) => Ty::Simple,
            ("annotation-key", _) => Ty::AnnotationKey,
            (_, Some(archetype)) => {
                let name = Spanned {
                    value: archetype.to_owned(),
                    at: spec.at.clone(),
                };
                match self.archetypes.find(&name, user)? {
                    Required::Archetype(archetype) => self.archetype_ref(archetype)?,
                    Required::Anything => Ty::Value,
                }
            }
            (name, None) => {
                let name = Spanned {
                    value: name.to_owned(),
                    at: spec.at.clone(),
                };
                self.type_ref(self.index.find(&name, user)?)?
            }
        };
        Ok(if nullable {
            Ty::Option(Box::new(ty))
        } else {
            ty
        })
    }

    /// The Rust type inside a restricted type.
    pub(super) fn inside(&self, root: &Root, rules: &Rules, user: &str) -> Result<Ty, Error> {
        let ty = match (root, &rules.item) {
            (Root::Anything, _) => Ty::Value,
            (Root::Primitive(Primitive::Map), _) => {
                self.map(rules.key.as_ref(), rules.value.as_ref(), user)?
            }
            (Root::Primitive(Primitive::List), Some(item)) => {
                Ty::ListOf(Box::new(self.kind(item, user)?))
            }
            (Root::Primitive(primitive), _) => Ty::Primitive(*primitive),
        };
        Ok(if rules.nullable {
            Ty::Option(Box::new(ty))
        } else {
            ty
        })
    }

    // [TYP-42] [PRF-25] [SRC-25]
    /// Whether the enum of an archetype has a place for unknown described types: where a field requires it, since a
    /// peer may send them, and where the overlay says so.
    pub(super) fn is_open(&self, name: &str, archetype: &Archetype) -> bool {
        let described = |id: &TypeId| id.of(self.files).descriptor.is_some();
        let opened = || {
            self.notes
                .archetype(archetype.home, name)
                .is_some_and(|note| note.open)
        };
        archetype.providers.iter().any(described) && (archetype.required || opened())
    }

    /// Whether values of the type can be the elements of one array (section 1.6.24).
    pub(super) fn has_one_encoding(&self, ty: &Ty) -> bool {
        match ty {
            Ty::Value | Ty::Described | Ty::Simple | Ty::AnnotationKey | Ty::Option(_) => false,
            Ty::Generated { module, rust, .. } => {
                let mut archetypes = self.archetypes.of_module(*module);
                !archetypes
                    .any(|(_, archetype)| archetype.form == Form::Union && archetype.rust == *rust)
            }
            _ => true,
        }
    }
}
