//! Strategies for property tests: a module behind a feature, a strategy for each type.
//!
//! Decides how the strategy of a type is made of those of its parts. Those of primitives are in the crate of types.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};

use super::composite::field_type;
use super::context::{Context, ident};
use super::newtype::may_be_null;
use crate::model::{Choices, Composite, Field, Item, Mode, Newtype, Primitive, Ty, Union};

/// Tuples of more parts than this have no strategy, so longer structs take nested ones.
const CHUNK: usize = 10;

pub(super) fn module(cx: &Context<'_>, items: &[Item]) -> Option<TokenStream> {
    let feature = cx.strategy_feature().filter(|_| !items.is_empty())?;
    let inner = cx.nested();
    let impls: Vec<_> = items
        .iter()
        .map(|item| match item {
            Item::Composite(c) => composite(&inner, c),
            Item::Newtype(n) => newtype(&inner, n),
            Item::Choices(c) => choices(&inner, c),
            Item::Union(u) => union(&inner, u),
        })
        .collect();
    let imports = inner.strategy_imports();
    Some(quote! {
        #[cfg(feature = #feature)]
        mod strategy {
            use super::*;
            #imports
            #(#impls)*
        }
    })
}

fn implement(cx: &Context<'_>, rust: &str, body: TokenStream) -> TokenStream {
    let name = ident(rust);
    let (strategic, boxed) = (cx.strategy("Strategic"), cx.strategy("BoxedStrategy"));
    quote!(impl #strategic for #name { fn strategy() -> #boxed<Self> { #body } })
}

fn composite(cx: &Context<'_>, c: &Composite) -> TokenStream {
    let name = ident(&c.rust);
    if c.fields.is_empty() {
        let (just, _) = (cx.strategy("Just"), cx.strategy("Strategy"));
        return implement(cx, &c.rust, quote!(#just(#name {}).boxed()));
    }
    cx.strategy("Strategy");
    let strategies = c
        .fields
        .iter()
        .map(|field| field_strategy(cx, field))
        .collect::<Vec<_>>();
    let names: Vec<_> = c.fields.iter().map(|field| ident(&field.rust)).collect();
    let strategies = strategies.chunks(CHUNK).map(|chunk| quote!((#(#chunk,)*)));
    let patterns = names.chunks(CHUNK).map(|chunk| quote!((#(#chunk,)*)));
    let body =
        quote!((#(#strategies,)*).prop_map(|(#(#patterns,)*)| #name { #(#names),* }).boxed());
    implement(cx, &c.rust, body)
}

fn field_strategy(cx: &Context<'_>, field: &Field) -> TokenStream {
    let ty = cx.ty(&field.ty);
    match field.mode {
        // A field cannot tell a null inside from no value.
        Mode::Mandatory if may_be_null(&field.ty) => {
            let not_null = cx.strategy("not_null");
            quote!(#not_null::<#ty>())
        }
        Mode::Optional if may_be_null(&field.ty) => {
            let optional = cx.strategy("optional_not_null");
            quote!(#optional::<#ty>())
        }
        Mode::Multiple { mandatory: true } => {
            let some = cx.strategy("non_empty");
            quote!(#some::<#ty>())
        }
        _ => {
            let (any, ty) = (cx.strategy("any"), field_type(cx, field));
            quote!(#any::<#ty>())
        }
    }
}

fn newtype(cx: &Context<'_>, n: &Newtype) -> TokenStream {
    cx.strategy("Strategy");
    let (name, ty) = (ident(&n.rust), cx.ty(&n.inner));
    let body = match n.max_length {
        Some(_) => {
            let octets = cx.strategy("octets");
            quote!(#octets(0..=#name::MAX_LENGTH).prop_map(#name).boxed())
        }
        None => {
            let any = cx.strategy("any");
            quote!(#any::<#ty>().prop_map(#name).boxed())
        }
    };
    implement(cx, &n.rust, body)
}

fn choices(cx: &Context<'_>, c: &Choices) -> TokenStream {
    cx.strategy("Strategy");
    let (name, select) = (ident(&c.rust), cx.strategy("select"));
    let variants = c.variants.iter().map(|variant| {
        let variant = ident(&variant.rust);
        quote!(#name::#variant)
    });
    let known = quote!(#select(vec![#(#variants),*]));
    let body = if c.open {
        let (one_of, any) = (cx.strategy("Union"), cx.strategy("any"));
        let symbol = cx.ty(&Ty::Primitive(Primitive::Symbol));
        quote!(#one_of::new([#known.boxed(), #any::<#symbol>().prop_map(#name::from).boxed()]).boxed())
    } else {
        quote!(#known.boxed())
    };
    implement(cx, &c.rust, body)
}

fn union(cx: &Context<'_>, u: &Union) -> TokenStream {
    cx.strategy("Strategy");
    let (name, one_of) = (ident(&u.rust), cx.strategy("Union"));
    let arms = u.variants.iter().map(|variant| {
        let (ty, any) = (cx.ty(&variant.ty), cx.strategy("any"));
        quote!(#any::<#ty>().prop_map(#name::from).boxed())
    });
    let arms: Vec<_> = arms.collect();
    let other = u.open.then(|| {
        let other = cx.strategy("unknown");
        let known = format_ident!("KNOWN");
        quote!(#other(#known).prop_map(Box::new).prop_map(#name::Other).boxed())
    });
    implement(
        cx,
        &u.rust,
        quote!(#one_of::new([#(#arms,)* #other]).boxed()),
    )
}
