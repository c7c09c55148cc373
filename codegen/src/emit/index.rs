//! The file beside the modules: their list, the descriptors they know, and a macro that walks their types.

use proc_macro2::TokenStream;
use quote::quote;

use super::context::{Context, ident};
use super::docs;
use crate::model::{Descriptor, Item, Model};
use crate::overlay::Doc;
use crate::{Error, Target, format};

/// The text of `mod.rs`.
pub(crate) fn index(model: &Model, target: &Target) -> Result<String, Error> {
    let emitted = || {
        model
            .modules
            .iter()
            .enumerate()
            .filter(|(_, module)| module.emit && !module.is_empty())
    };
    // invariant: a run without a file to write is refused before.
    let first = emitted().next().map_or(0, |(index, _)| index);
    let cx = Context::new(model, first, target);
    let modules = emitted().map(|(_, module)| {
        let name = ident(&module.name);
        quote!(pub mod #name;)
    });
    let modules = quote!(#(#modules)*);
    let known = known(&cx, model, target);
    let walk = walk(model, target);
    let mut parts = vec![cx.imports(), modules];
    parts.extend(known);
    parts.push(walk);
    let doc = Doc {
        text: "What the XML definitions become, a module for each file.".to_owned(),
        ..Doc::default()
    };
    format::file(&docs::index_head(&doc), &parts)
}

/// All descriptors, so that a known type is refused where it does not belong.
fn known(cx: &Context<'_>, model: &Model, target: &Target) -> Vec<TokenStream> {
    let ty = cx.codec("TypeDescriptor");
    let own = model
        .modules
        .iter()
        .filter(|module| module.emit)
        .flat_map(|module| &module.items);
    let rows: Vec<_> = own
        .filter_map(described)
        .map(|(name, d)| cx.descriptor(name, d))
        .collect();
    let base = target.generated_known().map(|path| {
        // invariant: paths are made of module names, which are identifiers.
        let path: TokenStream = path.parse().expect("a path of identifiers");
        quote!(#path,)
    });
    let doc = docs::text(
        "Every described type that is known here. An open enum takes any other described value as unknown, but refuses \
         one of these where it does not provide the archetype.",
    );
    let base = base.map(|base| quote!(#base));
    let lists = match base {
        Some(base) => quote!(&[#base DESCRIPTORS]),
        None => quote!(&[DESCRIPTORS]),
    };
    let own_doc = docs::text("The described types of these modules.");
    vec![
        quote!(#own_doc pub const DESCRIPTORS: &[#ty] = &[#(#rows),*];),
        quote!(#doc #[allow(dead_code)] pub(crate) const KNOWN: &[&[#ty]] = #lists;),
    ]
}

fn described(item: &Item) -> Option<(&str, &Descriptor)> {
    match item {
        Item::Composite(c) => Some((&c.name, &c.descriptor)),
        Item::Newtype(n) => n
            .descriptor
            .as_ref()
            .map(|descriptor| (n.name.as_str(), descriptor)),
        Item::Choices(_) | Item::Union(_) => None,
    }
}

/// A macro that gets the path of every type, so that one test covers them all.
fn walk(model: &Model, target: &Target) -> TokenStream {
    let name = ident(target.walk_macro());
    // invariant: paths are made of module names, which are identifiers.
    let root: TokenStream = target.walk_root().parse().expect("a path of identifiers");
    let types = model
        .modules
        .iter()
        .filter(|module| module.emit)
        .flat_map(|module| {
            let root = root.clone();
            module.items.iter().map(move |item| {
                let (module, rust) = (ident(&module.name), ident(item.rust()));
                quote!(#root #module::#rust)
            })
        });
    let doc = docs::text(
        "Calls a macro with the path of every generated type, separated by commas, so that one test can cover them all.",
    );
    let export = target.is_own().then(|| quote!(#[macro_export]));
    let reexport =
        (!target.is_own()).then(|| quote!(#[allow(unused_imports)] pub(crate) use #name;));
    quote! {
        #doc #export
        macro_rules! #name { ($callback:ident) => { $callback! { #(#types),* } }; }
        #reexport
    }
}
