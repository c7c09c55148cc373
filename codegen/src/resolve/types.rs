//! Pass 4: what each type becomes.
//!
//! Decides the Rust type of every field and the inside of every restricted type, from the XML and the rules that the
//! overlay adds. The enums of archetypes that hold types are left to `unions`.

use super::archetypes::{Archetypes, Form, Required};
use super::defaults::literal;
use super::index::Index;
use super::notes::Notes;
use super::{Parsed, TypeId, all_types};
use crate::error::{Error, Place};
use crate::model::{
    Choice, Choices, Composite, Constant, Descriptor, Field, Item, Literal, Mode, Newtype, Outer,
    Primitive, Ty,
};
use crate::naming;
use crate::overlay::Rules;
use crate::overrides;
use crate::schema::{self, Class, Spanned, TypeDef};

/// What the passes before have found.
pub(super) struct Types<'a> {
    pub(super) files: &'a [Parsed],
    pub(super) index: &'a Index<'a>,
    pub(super) notes: &'a Notes<'a>,
    pub(super) archetypes: &'a Archetypes<'a>,
}

/// What is at the bottom of a chain of restricted types.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Root {
    Primitive(Primitive),
    Anything,
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
            outer: self.outer(id, def),
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
            (None, true, mandatory) => Mode::Multiple { mandatory },
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
            outer: self.outer(id, def),
            has_float: false,
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
            outer: self.outer(id, def),
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

    pub(super) fn archetype_ref(
        &self,
        archetype: &super::archetypes::Archetype,
    ) -> Result<Ty, Error> {
        match archetype.form {
            Form::Sole(id) => self.type_ref(id),
            Form::Symbols | Form::Union => Ok(Ty::Generated {
                module: archetype.home,
                rust: archetype.rust.clone(),
                copy: false,
            }),
        }
    }

    fn map(
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

    fn literals(&self, id: TypeId) -> Result<Literals<'_>, Error> {
        let def = id.of(self.files);
        Ok(match &def.class {
            Class::Composite { .. } => Literals::None,
            Class::Primitive { .. } => {
                Primitive::named(&def.name).map_or(Literals::None, Literals::Of)
            }
            Class::Restricted { choices, .. } if !choices.is_empty() => Literals::Names(choices),
            Class::Restricted { .. } => match self.root(id)? {
                (
                    Root::Primitive(primitive),
                    Rules {
                        max_length: None,
                        nullable: false,
                        ..
                    },
                ) => Literals::Inside(primitive),
                _ => Literals::None,
            },
        })
    }

    /// What a type provides of the crate that is referred to.
    fn outer(&self, id: TypeId, def: &TypeDef) -> Vec<Outer> {
        let is_outer =
            |archetype: &super::archetypes::Archetype| !archetype.providers.contains(&id);
        let all = self
            .archetypes
            .provided_by(def)
            .filter(|(_, archetype)| is_outer(archetype));
        all.map(|(_, archetype)| Outer {
            archetype: Ty::Generated {
                module: archetype.home,
                rust: archetype.rust.clone(),
                copy: false,
            },
            is_choices: archetype.form == Form::Symbols,
        })
        .collect()
    }
}

/// How the text of a default reads.
enum Literals<'a> {
    /// As a value of the primitive type.
    Of(Primitive),
    /// As one inside a newtype.
    Inside(Primitive),
    /// As the name of a choice.
    Names(&'a [schema::Choice]),
    /// Not at all.
    None,
}

impl Literals<'_> {
    fn parse(&self, text: &Spanned<String>, what: &str) -> Result<Literal, Error> {
        let refuse = |at: &Place, kind: &str| {
            at.error(format!("`{}`, the {what}, is not a {kind}", text.value))
        };
        match self {
            Self::Of(primitive) => {
                literal(*primitive, &text.value).ok_or_else(|| refuse(&text.at, primitive.name()))
            }
            Self::Inside(primitive) => literal(*primitive, &text.value)
                .map(|inner| Literal::Inside(Box::new(inner)))
                .ok_or_else(|| refuse(&text.at, primitive.name())),
            Self::Names(choices) => match choices.iter().find(|choice| choice.name == text.value) {
                Some(choice) => Ok(Literal::Variant(naming::camel(&choice.name))),
                None => Err(refuse(&text.at, "choice of its type")),
            },
            Self::None => Err(refuse(&text.at, "literal: its type has none")),
        }
    }
}

pub(super) fn descriptor(def: &TypeDef) -> Option<Descriptor> {
    let descriptor = def.descriptor.as_ref()?;
    Some(Descriptor {
        code: descriptor.code.as_ref().map(|code| code.value),
        symbol: descriptor.symbol.value.clone(),
    })
}
