//! Restricted types with choices: enums, closed, or open to other symbols (section 1.5).

use proc_macro2::TokenStream;
use quote::quote;

use super::context::{Context, ident};
use super::{derives, docs, to_compact, union};
use crate::model::{Choices, Literal, Primitive, Ty};

pub(super) fn choices(cx: &Context<'_>, c: &Choices) -> Vec<TokenStream> {
    let mut parts = vec![definition(cx, c)];
    if c.root == Primitive::Symbol {
        parts.extend(symbol(cx, c));
    } else {
        parts.extend(number(cx, c));
    }
    parts.extend(
        c.outer
            .iter()
            .flat_map(|outer| union::outer(cx, &c.rust, outer)),
    );
    parts
}

fn definition(cx: &Context<'_>, c: &Choices) -> TokenStream {
    let name = ident(&c.rust);
    let derives = derives(!c.open, c.root.is_float(), &["Debug"]);
    let doc = docs::cited(&c.doc, &[]);
    let variants = c.variants.iter().map(|variant| {
        let name = ident(&variant.rust);
        let mut text = variant.doc.text.clone();
        if let Literal::Text(value) = &variant.value {
            text.push_str(&format!(" On the wire: `{value}`."));
        }
        let doc = docs::text(&text);
        quote!(#doc #name)
    });
    let other = c.open.then(|| {
        let symbol = cx.ty(&Ty::Primitive(Primitive::Symbol));
        let doc = docs::text(
            "Any other symbol. Not one of those above: `From<Symbol>` takes care of that.",
        );
        quote!(#doc Other(#symbol))
    });
    quote!(#doc #derives pub enum #name { #(#variants,)* #other })
}

// [TYP-41] [SRC-11]
/// Numbers, booleans, characters and text: the enum and its primitive, both ways.
fn number(cx: &Context<'_>, c: &Choices) -> Vec<TokenStream> {
    let name = ident(&c.rust);
    let root = Ty::Primitive(c.root);
    let primitive = cx.ty(&root);
    let (encode, decode) = (cx.codec("Encode"), cx.codec("Decode"));
    let (bytes, decoder, error) = (cx.buffer(), cx.codec("Decoder"), cx.codec("DecodeError"));
    let invalid = cx.codec("InvalidChoice");
    let out = c.variants.iter().map(|variant| {
        let (variant, value) = (ident(&variant.rust), cx.literal(&variant.value, &root));
        quote!(#name::#variant => #value)
    });
    let back = c.variants.iter().map(|variant| {
        let (variant, value) = (ident(&variant.rust), cx.literal(&variant.value, &root));
        quote!(#value => Ok(Self::#variant))
    });
    let refuse =
        (c.root != Primitive::Boolean || c.variants.len() < 2).then(|| quote!(_ => Err(#invalid)));
    vec![
        quote! {
            impl From<#name> for #primitive {
                fn from(choice: #name) -> Self { match choice { #(#out,)* } }
            }
        },
        quote! {
            impl TryFrom<#primitive> for #name {
                type Error = #invalid;
                fn try_from(value: #primitive) -> Result<Self, #invalid> { match value { #(#back,)* #refuse } }
            }
        },
        quote! {
            impl #encode for #name {
                #[inline]
                fn encode(&self, out: &mut #bytes) { #primitive::from(*self).encode(out); }
            }
        },
        quote! {
            impl #decode for #name {
                #[inline]
                fn decode_body(code: u8, d: &mut #decoder<'_>) -> Result<Self, #error> { d.choice::<#primitive, Self>(code) }
            }
        },
    ]
}

/// Symbols: the enum and its names, both ways.
// [TYP-41] [PRF-28] [PRF-29]
fn symbol(cx: &Context<'_>, c: &Choices) -> Vec<TokenStream> {
    let name = ident(&c.rust);
    let symbol = cx.ty(&Ty::Primitive(Primitive::Symbol));
    let (encode, decode) = (cx.codec("Encode"), cx.codec("Decode"));
    let (bytes, decoder, error) = (cx.buffer(), cx.codec("Decoder"), cx.codec("DecodeError"));
    let rows: Vec<_> = c
        .variants
        .iter()
        .map(|variant| match &variant.value {
            Literal::Text(text) => (ident(&variant.rust), text.as_str()),
            _ => (ident(&variant.rust), ""),
        })
        .collect();
    let names = rows
        .iter()
        .map(|(variant, text)| quote!(Self::#variant => #text));
    let known = rows
        .iter()
        .map(|(variant, text)| quote!(#text => Some(Self::#variant)));
    let symbols = rows
        .iter()
        .map(|(variant, text)| quote!(#name::#variant => #symbol::from_static(#text)));
    let as_str_doc = docs::text("The symbol on the wire.");
    let known_doc =
        docs::text("The choice of that name, if it is one of those that have a name here.");
    let (as_str, other_symbol) = if c.open {
        (
            quote!(pub fn as_str(&self) -> &str),
            quote!(#name::Other(symbol) => symbol),
        )
    } else {
        (quote!(pub const fn as_str(self) -> &'static str), quote!())
    };
    let other_name = c
        .open
        .then(|| quote!(Self::Other(symbol) => symbol.as_str()));
    let copy = c.open.then(|| {
        let own = quote! {
            match self { Self::Other(symbol) => Self::Other(symbol.to_compact()), known => known.clone() }
        };
        to_compact(cx, Some(own))
    });
    let mut parts = vec![
        quote! {
            impl #name {
                #as_str_doc #[must_use]
                #as_str { match self { #(#names,)* #other_name } }
                #known_doc #[must_use]
                pub fn known(name: &str) -> Option<Self> { match name { #(#known,)* _ => None } }
                #copy
            }
        },
        quote! {
            impl std::fmt::Display for #name {
                fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.pad(self.as_str()) }
            }
        },
        quote! {
            impl From<#name> for #symbol {
                fn from(choice: #name) -> Self { match choice { #(#symbols,)* #other_symbol } }
            }
        },
    ];
    if c.open {
        let not_ascii = cx.not_ascii();
        parts.push(quote! {
            impl From<#symbol> for #name {
                fn from(symbol: #symbol) -> Self { Self::known(&symbol).unwrap_or(Self::Other(symbol)) }
            }
        });
        parts.push(quote! {
            impl TryFrom<&str> for #name {
                type Error = #not_ascii;
                fn try_from(text: &str) -> Result<Self, #not_ascii> { #symbol::try_from(text).map(Self::from) }
            }
        });
    } else {
        let invalid = cx.codec("InvalidChoice");
        let take = |from: TokenStream, text: TokenStream| {
            quote! {
                impl TryFrom<#from> for #name {
                    type Error = #invalid;
                    fn try_from(name: #from) -> Result<Self, #invalid> { Self::known(#text).ok_or(#invalid) }
                }
            }
        };
        parts.push(take(symbol.clone(), quote!(&name)));
        parts.push(take(quote!(&str), quote!(name)));
    }
    let encoder = cx.codec("encode_symbol");
    parts.push(quote! {
        impl #encode for #name { fn encode(&self, out: &mut #bytes) { #encoder(self.as_str(), out); } }
    });
    let inside = if c.open {
        quote!(#symbol::decode_body(code, d).map(Self::from))
    } else {
        quote!(d.choice::<#symbol, Self>(code))
    };
    parts.push(quote! {
        impl #decode for #name {
            fn decode_body(code: u8, d: &mut #decoder<'_>) -> Result<Self, #error> { #inside }
        }
    });
    parts
}
