//! Pass 4: what each type becomes.
//!
//! Decides the Rust type of every field and the inside of every restricted type, from the XML and the rules that the
//! overlay adds. The enums of archetypes that hold types are left to `unions`.

use super::archetypes::{Archetypes, Form, Required, is_symbols};
use super::defaults::Literals;
use super::index::Index;
use super::notes::Notes;
use super::refs::Root;
use super::{Parsed, TypeId, all_types};
use crate::error::Error;
use crate::model::{
    Choice, Choices, Composite, Constant, Descriptor, Field, Item, Mode, Newtype, Outer, Primitive,
    Ty,
};
use crate::naming;
use crate::overlay::Rules;
use crate::overrides;
use crate::schema::{self, Class, TypeDef};

/// What the passes before have found.
pub(super) struct Types<'a> {
    pub(super) files: &'a [Parsed],
    pub(super) index: &'a Index<'a>,
    pub(super) notes: &'a Notes<'a>,
    pub(super) archetypes: &'a Archetypes<'a>,
}

impl Types<'_> {
    /// The types of one file that become Rust types of their own.
    pub(super) fn items(&self, module: usize) -> Result<Vec<Item>, Error> {
        let mut items = Vec::new();
        for (index, def) in self.files[module].schema.types.iter().enumerate() {
            let id = TypeId { module, index };
            match &def.class {
                Class::Primitive { .. } => {}
                Class::Composite { fields } => {
                    items.push(Item::Composite(self.composite(id, def, fields)?))
                }
                Class::Restricted { choices, .. } => {
                    let root = self.root(id)?.0;
                    if !self.is_folded(id) {
                        items.push(match choices.as_slice() {
                            [] => Item::Newtype(self.newtype(id, def)?),
                            choices => Item::Choices(self.choices(id, def, choices, root)?),
                        });
                    }
                }
            }
        }
        Ok(items)
    }

    pub(super) fn constants(&self, module: usize) -> Result<Vec<Constant>, Error> {
        let constant = |definition: &schema::Definition| {
            let note = self.notes.definition(module, &definition.name);
            let user = format!("definition `{}`", definition.name);
            let (ty, literals) = match note.and_then(|note| note.type_name.as_ref()) {
                Some(name) => {
                    let id = self.index.find(name, &user)?;
                    (self.type_ref(id)?, self.literals(id)?)
                }
                None => (
                    Ty::Primitive(Primitive::Uint),
                    Literals::Of(Primitive::Uint),
                ),
            };
            if !ty.is_copy() {
                return Err(definition
                    .at
                    .error(format!("{user} is not of a type that can be a constant")));
            }
            let value = literals.parse(&definition.value, &format!("value of {user}"))?;
            let doc = self.notes.definition_doc(module, &definition.name);
            Ok(Constant {
                rust: naming::constant(&definition.name),
                ty,
                value,
                doc,
            })
        };
        self.files[module]
            .schema
            .definitions
            .iter()
            .map(constant)
            .collect()
    }

    fn composite(
        &self,
        id: TypeId,
        def: &TypeDef,
        fields: &[schema::Field],
    ) -> Result<Composite, Error> {
        let mut seen = super::index::Unique::default();
        let mut resolved = Vec::new();
        for field in fields {
            let rust = naming::snake(&field.name);
            seen.add(rust.clone(), &field.at, |was| {
                format!("a second field `{}`, after {was}", field.name)
            })?;
            if !naming::is_usable(&field.name) {
                return Err(field
                    .at
                    .error(format!("`{}` cannot be made a name of Rust", field.name)));
            }
            resolved.push(self.field(id, def, field, rust)?);
        }
        Ok(Composite {
            name: def.name.clone(),
            rust: naming::camel(&def.name),
            doc: self.notes.type_doc(id, &def.name),
            // invariant: reading the schema refuses a composite type without a descriptor.
            descriptor: descriptor(def).expect("a composite type has a descriptor"),
            fields: resolved,
            outer: self.outer(id, def)?,
            has_float: false,
        })
    }

    fn field(
        &self,
        id: TypeId,
        def: &TypeDef,
        field: &schema::Field,
        rust: String,
    ) -> Result<Field, Error> {
        let user = format!("field `{}` of `{}`", field.name, def.name);
        let note = self.notes.field(id, &def.name, &field.name);
        let no_rules = Rules::default();
        let rules = note.map_or(&no_rules, |note| &note.rules);
        let (ty, literals) = self.field_type(field, rules, &user)?;
        let default = field
            .default
            .as_ref()
            .or(note.and_then(|note| note.default.as_ref()));
        if let (Some(was), Some(erratum)) =
            (&field.default, note.and_then(|note| note.default.as_ref()))
        {
            return Err(erratum
                .at
                .error(format!("{user} has a default already, `{}`", was.value)));
        }
        let mode = match (default, field.multiple, field.mandatory) {
            (Some(default), true, _) => {
                return Err(default
                    .at
                    .error(format!("{user} is multiple and has a default")));
            }
            (Some(default), _, true) => {
                return Err(default
                    .at
                    .error(format!("{user} is mandatory and has a default")));
            }
            (Some(default), ..) => {
                Mode::Default(literals.parse(default, &format!("default of {user}"))?)
            }
            (None, true, mandatory) => {
                if !self.has_one_encoding(&ty) {
                    let message = format!(
                        "{user} is multiple, but its values cannot share an array's constructor"
                    );
                    return Err(field.at.error(message));
                }
                Mode::Multiple { mandatory }
            }
            (None, false, true) => Mode::Mandatory,
            (None, false, false) => Mode::Optional,
        };
        let boxed = overrides::is_boxed_field(&def.name, &field.name);
        Ok(Field {
            name: field.name.clone(),
            rust,
            doc: self.notes.field_doc(id, &def.name, &field.name),
            ty: if boxed { Ty::Boxed(Box::new(ty)) } else { ty },
            mode,
            secret: note.is_some_and(|note| note.secret),
        })
    }

    fn field_type(
        &self,
        field: &schema::Field,
        rules: &Rules,
        user: &str,
    ) -> Result<(Ty, Literals<'_>), Error> {
        let name = &field.type_name;
        if let Some(requires) = &field.requires {
            let Required::Archetype(archetype) = self.archetypes.find(requires, user)? else {
                return Ok((Ty::Value, Literals::None));
            };
            let by_symbol = archetype.form == Form::Symbols;
            if (name.value != "*" && !by_symbol)
                || (by_symbol && name.value != Primitive::Symbol.name())
            {
                let message = format!(
                    "{user} is a `{}`, which cannot provide `{}`",
                    name.value, requires.value
                );
                return Err(name.at.error(message));
            }
            return Ok((self.archetype_ref(archetype)?, Literals::None));
        }
        if name.value == "*" {
            return Ok((Ty::Value, Literals::None));
        }
        let id = self.index.find(name, user)?;
        let ty = self.type_ref(id)?;
        let ty = match (&ty, rules) {
            (Ty::Primitive(Primitive::Map), Rules { key, value, .. }) => {
                self.map(key.as_ref(), value.as_ref(), user)?
            }
            (
                _,
                Rules { key: Some(at), .. }
                | Rules {
                    value: Some(at), ..
                },
            ) => {
                return Err(at.at.error(format!("{user} is not a map")));
            }
            _ => ty,
        };
        Ok((ty, self.literals(id)?))
    }

    fn newtype(&self, id: TypeId, def: &TypeDef) -> Result<Newtype, Error> {
        let (root, rules) = self.root(id)?;
        let has_length = rules.max_length.or(rules.strict_length).is_some();
        if has_length && root != Root::Primitive(Primitive::Binary) {
            return Err(def.at.error(format!(
                "`{}` has a longest length, but is not a binary",
                def.name
            )));
        }
        if rules.serial && root != Root::Primitive(Primitive::Uint) {
            return Err(def
                .at
                .error(format!("`{}` is serial, but is not a uint", def.name)));
        }
        let inner = self.inside(&root, &rules, &format!("type `{}`", def.name))?;
        Ok(Newtype {
            name: def.name.clone(),
            rust: naming::camel(&def.name),
            doc: self.notes.type_doc(id, &def.name),
            descriptor: descriptor(def),
            inner,
            max_length: rules.max_length,
            strict_length: rules.strict_length,
            serial: rules.serial,
            outer: self.outer(id, def)?,
            has_float: false,
        })
    }

    fn choices(
        &self,
        id: TypeId,
        def: &TypeDef,
        choices: &[schema::Choice],
        root: Root,
    ) -> Result<Choices, Error> {
        let Root::Primitive(root) = root else {
            return Err(def.at.error(format!(
                "`{}` has choices, but its source is any value",
                def.name
            )));
        };
        let mut seen = super::index::Unique::default();
        let mut variants = Vec::new();
        for choice in choices {
            let at = &choice.value.at;
            seen.add(choice.name.as_str(), at, |was| {
                format!("a second choice `{}`, after {was}", choice.name)
            })?;
            variants.push(Choice {
                rust: naming::camel(&choice.name),
                value: Literals::Of(root).parse(
                    &choice.value,
                    &format!("choice `{}` of `{}`", choice.name, def.name),
                )?,
                doc: self.notes.choice_doc(id, &def.name, &choice.name),
            });
        }
        Ok(Choices {
            rust: naming::camel(&def.name),
            doc: self.notes.type_doc(id, &def.name),
            root,
            variants,
            open: false,
            outer: self.outer(id, def)?,
        })
    }

    /// Whether a restricted type has no Rust type of its own, because an archetype's enum takes in what it says.
    pub(super) fn is_folded(&self, id: TypeId) -> bool {
        let def = id.of(self.files);
        let Class::Restricted { choices, .. } = &def.class else {
            return false;
        };
        let takes_in = def.descriptor.is_none()
            && self.archetypes.provided_by(def).any(|(_, archetype)| {
                archetype.providers.contains(&id)
                    && match archetype.form {
                        Form::Symbols => true,
                        Form::Union => choices.is_empty(),
                        Form::Sole(_) => false,
                    }
            });
        takes_in && !self.is_named_directly(def)
    }

    fn is_named_directly(&self, named: &TypeDef) -> bool {
        all_types(self.files).any(|(_, def)| match &def.class {
            Class::Composite { fields } => fields
                .iter()
                .any(|field| field.type_name.value == named.name),
            _ => false,
        })
    }

    /// What a type provides of the crate that is referred to: what lies there is finished, but may have a place for the
    /// unknown.
    fn outer(&self, id: TypeId, def: &TypeDef) -> Result<Vec<Outer>, Error> {
        let mut outer = Vec::new();
        for provided in &def.provides {
            let Some(archetype) = self.archetypes.get(&provided.value) else {
                continue;
            };
            if archetype.providers.contains(&id) {
                continue;
            }
            let fits = match archetype.form {
                Form::Symbols => is_symbols(self.files, self.index, id),
                Form::Union => def.descriptor.is_some() && self.is_open(&provided.value, archetype),
                Form::Sole(_) => false,
            };
            if !fits {
                let message = format!("`{}` has no place for type `{}`", provided.value, def.name);
                return Err(provided.at.error(message));
            }
            outer.push(Outer {
                archetype: self.archetype_ref(archetype)?,
                is_choices: archetype.form == Form::Symbols,
            });
        }
        Ok(outer)
    }
}

pub(super) fn descriptor(def: &TypeDef) -> Option<Descriptor> {
    let descriptor = def.descriptor.as_ref()?;
    Some(Descriptor {
        code: descriptor.code.as_ref().map(|code| code.value),
        symbol: descriptor.symbol.value.clone(),
    })
}
