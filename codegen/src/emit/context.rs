//! What the emitters of a file share: how names are spelt there, and which were used.
//!
//! Decides paths: a name of the codec, of a primitive or of another generated module is imported where it is first used.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};

use crate::Target;
use crate::model::{Descriptor, Item, Literal, Model, Primitive, Ty};

/// The state of writing one file.
pub(crate) struct Context<'a> {
    model: &'a Model,
    module: usize,
    target: &'a Target,
    /// Names by the path that they are imported from.
    used: RefCell<BTreeMap<String, BTreeSet<String>>>,
}

impl<'a> Context<'a> {
    pub(super) fn new(model: &'a Model, module: usize, target: &'a Target) -> Self {
        Self {
            model,
            module,
            target,
            used: RefCell::default(),
        }
    }

    /// A context for a module inside the file, with imports of its own.
    pub(super) fn nested(&self) -> Self {
        Self::new(self.model, self.module, self.target)
    }

    /// The feature behind which strategies are written, if they are.
    pub(super) fn strategy_feature(&self) -> Option<&'a str> {
        self.target.strategy_feature()
    }

    /// An item of the codec.
    pub(super) fn codec(&self, name: &str) -> Ident {
        self.import(self.target.codec(), name)
    }

    /// The buffer that values are written to.
    pub(super) fn buffer(&self) -> Ident {
        self.import(self.target.extern_crate("bytes"), "BytesMut")
    }

    /// An item of the strategies.
    pub(super) fn strategy(&self, name: &str) -> Ident {
        self.import(self.target.strategy(), name)
    }

    /// A constant of the generated module `types`, with its path.
    pub(super) fn format_code(&self, name: &str) -> TokenStream {
        let name = ident(name);
        let module = self
            .model
            .modules
            .iter()
            .position(|module| module.encodings.iter().any(|e| name == e.rust));
        match module {
            Some(module) if module == self.module => quote!(#name),
            Some(module) => {
                let path =
                    self.import(self.module_parent(module), &self.model.modules[module].name);
                quote!(#path::#name)
            }
            None => quote!(#name),
        }
    }

    /// A Rust type, with what it needs imported.
    pub(super) fn ty(&self, ty: &Ty) -> TokenStream {
        match ty {
            Ty::Primitive(primitive) => self.primitive(*primitive),
            Ty::Value => self.value("Value"),
            Ty::Described => self.value("Described"),
            Ty::Simple => self.value("Simple"),
            Ty::AnnotationKey => self.value("AnnotationKey"),
            Ty::Generated { module, rust, .. } => {
                let name = if *module == self.module {
                    ident(rust)
                } else {
                    let parent = self.module_parent(*module);
                    self.import(
                        format!("{parent}::{}", self.model.modules[*module].name),
                        rust,
                    )
                };
                quote!(#name)
            }
            Ty::Option(inner) => {
                let inner = self.ty(inner);
                quote!(Option<#inner>)
            }
            Ty::Boxed(inner) => {
                let inner = self.ty(inner);
                quote!(Box<#inner>)
            }
            Ty::Map(key, value) => {
                let (map, key, value) = (self.value("Map"), self.ty(key), self.ty(value));
                quote!(#map<#key, #value>)
            }
            Ty::ListOf(inner) => {
                let (list, inner) = (self.codec("ListOf"), self.ty(inner));
                quote!(#list<#inner>)
            }
        }
    }

    /// A literal of the type beside it.
    pub(super) fn literal(&self, literal: &Literal, ty: &Ty) -> TokenStream {
        match literal {
            Literal::Bool(b) => quote!(#b),
            Literal::Unsigned(n) => number(*n),
            Literal::Signed(n) if *ty == Ty::Primitive(Primitive::Timestamp) => {
                let (timestamp, n) = (self.ty(ty), number(*n));
                quote!(#timestamp(#n))
            }
            Literal::Signed(n) => number(*n),
            Literal::Float(n) => {
                let n = proc_macro2::Literal::f64_unsuffixed(*n);
                quote!(#n)
            }
            Literal::Char(c) => quote!(#c),
            Literal::Text(text) => {
                let ty = self.ty(ty);
                quote!(#ty::from_static(#text))
            }
            Literal::Variant(name) => {
                let (ty, name) = (self.ty(ty), ident(name));
                quote!(#ty::#name)
            }
            Literal::Inside(inner) => {
                let outer = self.ty(ty);
                let inner = self.literal(inner, &self.inside(ty));
                quote!(#outer(#inner))
            }
        }
    }

    /// A descriptor as a constant expression.
    pub(super) fn descriptor(&self, name: &str, descriptor: &Descriptor) -> TokenStream {
        let ty = self.codec("TypeDescriptor");
        let symbol = &descriptor.symbol;
        let code = match descriptor.code {
            Some(code) => {
                let code = hex(code);
                quote!(Some(#code))
            }
            None => quote!(None),
        };
        quote!(#ty::new(#name, #code, #symbol))
    }

    /// The descriptors known to this run, as the decoder of an open enum takes them.
    pub(super) fn known(&self) -> Ident {
        self.import("super".to_owned(), "KNOWN")
    }

    /// Whether values of the type may hold views of a buffer, so that they have a `to_compact`.
    pub(super) fn holds_views(&self, ty: &Ty) -> bool {
        match ty {
            Ty::Option(inner) | Ty::Boxed(inner) => self.holds_views(inner),
            Ty::Generated { module, rust, copy } => {
                let item = self.model.modules[*module]
                    .items
                    .iter()
                    .find(|item| item.rust() == rust);
                match item {
                    Some(Item::Composite(c)) => {
                        c.fields.iter().any(|field| self.holds_views(&field.ty))
                    }
                    _ => !copy,
                }
            }
            ty => !ty.is_copy(),
        }
    }

    /// The `use` declarations for all that was named so far.
    pub(super) fn imports(&self) -> TokenStream {
        let used = self.used.borrow();
        let uses = used.iter().map(|(path, names)| {
            // invariant: paths are made of module names, which are identifiers.
            let path: TokenStream = path.parse().expect("a path of identifiers");
            let names = names.iter().map(|name| ident(name));
            quote!(use #path::{#(#names),*};)
        });
        quote!(#(#uses)*)
    }

    /// The error of text that is no symbol.
    pub(super) fn not_ascii(&self) -> Ident {
        self.import(self.target.primitive(), "NotAscii")
    }

    /// The trait of numbers that wrap.
    pub(super) fn serial_number(&self) -> Ident {
        self.import(self.target.primitive(), "SerialNumber")
    }

    /// The `use` declarations of the module of strategies: what the file around it imports is seen by `super::*`.
    pub(super) fn strategy_imports(&self) -> TokenStream {
        let path = self.target.strategy();
        self.used.borrow_mut().retain(|used, _| *used == path);
        self.imports()
    }

    fn value(&self, name: &str) -> TokenStream {
        let name = self.import(self.target.value(), name);
        quote!(#name)
    }

    fn primitive(&self, primitive: Primitive) -> TokenStream {
        let rust = primitive.rust();
        match primitive {
            Primitive::Null => quote!(()),
            Primitive::List | Primitive::Map | Primitive::Array => self.value(rust),
            Primitive::Uuid => {
                let name = self.import(self.target.extern_crate("uuid"), rust);
                quote!(#name)
            }
            _ if rust.starts_with(char::is_lowercase) => {
                let name = ident(rust);
                quote!(#name)
            }
            _ => {
                let name = self.import(self.target.primitive(), rust);
                quote!(#name)
            }
        }
    }

    /// The type inside a newtype.
    fn inside(&self, ty: &Ty) -> Ty {
        let Ty::Generated { module, rust, .. } = ty else {
            return ty.clone();
        };
        let inner = self.model.modules[*module]
            .items
            .iter()
            .find_map(|item| match item {
                Item::Newtype(newtype) if newtype.rust == *rust => Some(newtype.inner.clone()),
                _ => None,
            });
        inner.unwrap_or_else(|| ty.clone())
    }

    /// The path of the module that holds a generated module.
    fn module_parent(&self, module: usize) -> String {
        if self.model.modules[module].emit {
            "super".to_owned()
        } else {
            self.target.generated()
        }
    }

    fn import(&self, path: String, name: &str) -> Ident {
        self.used
            .borrow_mut()
            .entry(path)
            .or_default()
            .insert(name.to_owned());
        ident(name)
    }
}

/// An identifier, raw where it says so.
pub(super) fn ident(name: &str) -> Ident {
    match name.strip_prefix("r#") {
        Some(raw) => Ident::new_raw(raw, proc_macro2::Span::call_site()),
        None => format_ident!("{name}"),
    }
}

/// A number without a suffix.
fn number(n: impl Into<i128>) -> TokenStream {
    let n = proc_macro2::Literal::i128_unsuffixed(n.into());
    quote!(#n)
}

/// A code in hexadecimal, the domain set apart.
pub(super) fn hex(code: u64) -> TokenStream {
    let (domain, id) = (code >> 32, code & u64::from(u32::MAX));
    let text = if domain == 0 {
        format!("{id:#04x}")
    } else {
        format!(
            "0x{:04x}_{:04x}_{:04x}_{:04x}",
            domain >> 16,
            domain & 0xffff,
            id >> 16,
            id & 0xffff
        )
    };
    // invariant: the text is a hexadecimal literal by its making.
    text.parse().expect("a hexadecimal literal")
}
