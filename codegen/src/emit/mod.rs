//! From the model to tokens: one Rust file per XML file, and an index beside them.
//!
//! Decides the order inside a file and what it imports. What an item looks like is decided in the modules below, what
//! the text looks like by `format`. Nothing here decides about AMQP.

mod choices;
mod composite;
mod constants;
mod context;
mod docs;
mod index;
mod newtype;
mod strategy;
mod union;

use proc_macro2::TokenStream;
use quote::quote;

pub(crate) use context::Context;
pub(crate) use index::index;

use crate::model::{Item, Model};
use crate::{Error, Target, format};

/// The text of one module.
pub(crate) fn module(
    model: &Model,
    module: usize,
    target: &Target,
    source: &str,
) -> Result<String, Error> {
    let of = &model.modules[module];
    let cx = Context::new(model, module, target);
    let mut parts = Vec::new();
    parts.extend(
        of.constants
            .iter()
            .map(|constant| constants::constant(&cx, constant)),
    );
    parts.extend(constants::encodings(&cx, &of.encodings));
    for item in &of.items {
        parts.extend(item_parts(&cx, item));
    }
    let strategies = strategy::module(&cx, &of.items);
    parts.extend(strategies);
    parts.insert(0, cx.imports());
    let head = docs::head(&of.doc, source);
    format::file(&head, &parts)
}

fn item_parts(cx: &Context<'_>, item: &Item) -> Vec<TokenStream> {
    match item {
        Item::Composite(composite) => composite::composite(cx, composite),
        Item::Newtype(newtype) => newtype::newtype(cx, newtype),
        Item::Choices(choices) => choices::choices(cx, choices),
        Item::Union(union) => union::union(cx, union),
    }
}

/// The method that copies a value out of the buffer it was read from; without an expression of its own, the codec does.
fn to_compact(cx: &Context<'_>, own: Option<TokenStream>) -> TokenStream {
    let copy = own.unwrap_or_else(|| {
        let compact = cx.codec("compact");
        quote!(#compact(self))
    });
    let doc = docs::text("A copy that keeps no read buffer alive.");
    quote!(#doc #[must_use] pub fn to_compact(&self) -> Self { #copy })
}

/// The derives of a type; one that holds a float has no total equality.
fn derives(copy: bool, has_float: bool, more: &[&str]) -> TokenStream {
    let mut names = vec!["Clone"];
    names.extend(copy.then_some("Copy"));
    names.extend(more);
    names.push("PartialEq");
    names.extend((!has_float).then_some(["Eq", "Hash"]).into_iter().flatten());
    let names = names.iter().map(|name| quote::format_ident!("{name}"));
    quote!(#[derive(#(#names),*)])
}
