//! Archetypes: an enum of everything that provides one, decoded by descriptor or by format code (section 1.5).

use proc_macro2::TokenStream;
use quote::quote;

use super::context::{Context, hex, ident};
use super::{derives, docs, to_compact};
use crate::model::{Descriptor, Key, Outer, Ty, Union, Variant};
use crate::resolve::first_sentence;

pub(super) fn union(cx: &Context<'_>, u: &Union) -> Vec<TokenStream> {
    let name = ident(&u.rust);
    let copy = to_compact(cx, Some(copies(cx, u)));
    let mut parts = vec![definition(cx, u), quote!(impl #name { #copy })];
    for variant in &u.variants {
        parts.push(from_variant(cx, u, variant));
    }
    for superset in &u.supersets {
        parts.extend(into_superset(cx, u, superset));
    }
    parts.extend(codec(cx, u));
    parts.extend(described_both_ways(cx, u));
    parts
}

/// `Descriptor: amqp:open:list, 0x10.`
pub(super) fn descriptor_sentence(descriptor: &Descriptor) -> String {
    match descriptor.code {
        Some(code) => format!("Descriptor: `{}`, `{}`.", descriptor.symbol, hex(code)),
        None => format!("Descriptor: `{}`; it has no code.", descriptor.symbol),
    }
}

/// A type with a descriptor, read from a value that was decoded without knowing it.
pub(super) fn from_described(cx: &Context<'_>, rust: &str) -> TokenStream {
    let name = ident(rust);
    let (described, error) = (cx.ty(&Ty::Described), cx.codec("DecodeError"));
    quote! {
        impl TryFrom<&#described> for #name {
            type Error = #error;
            fn try_from(described: &#described) -> Result<Self, #error> { described.decode_as() }
        }
    }
}

/// A type that provides an archetype of another crate goes in and out through its `Other`.
pub(super) fn outer(cx: &Context<'_>, rust: &str, outer: &Outer) -> Vec<TokenStream> {
    let name = ident(rust);
    let archetype = cx.ty(&outer.archetype);
    if outer.is_choices {
        let (symbol, invalid) = (
            cx.ty(&Ty::Primitive(crate::model::Primitive::Symbol)),
            cx.codec("InvalidChoice"),
        );
        return vec![
            quote! {
                impl From<#name> for #archetype {
                    fn from(choice: #name) -> Self { Self::from(#symbol::from(choice)) }
                }
            },
            quote! {
                impl TryFrom<&#archetype> for #name {
                    type Error = #invalid;
                    fn try_from(other: &#archetype) -> Result<Self, #invalid> { Self::try_from(other.as_str()) }
                }
            },
        ];
    }
    let (described, error) = (cx.ty(&Ty::Described), cx.codec("DecodeError"));
    vec![
        quote! {
            impl From<#name> for #archetype {
                fn from(value: #name) -> Self { Self::Other(Box::new(#described::from(value))) }
            }
        },
        quote! {
            impl TryFrom<&#archetype> for #name {
                type Error = #error;
                fn try_from(other: &#archetype) -> Result<Self, #error> { #described::from(other).decode_as() }
            }
        },
    ]
}

fn definition(cx: &Context<'_>, u: &Union) -> TokenStream {
    let name = ident(&u.rust);
    let derives = derives(false, u.has_float, &["Debug"]);
    let doc = docs::cited(&u.doc, &[format!("Archetype: `{}`.", u.name)]);
    let variants = u.variants.iter().map(|variant| {
        let (name, ty) = (ident(&variant.rust), variant_type(cx, variant));
        let doc = docs::text(&first_sentence(&variant.doc));
        quote!(#doc #name(#ty))
    });
    let other = u.open.then(|| {
        let described = cx.ty(&Ty::Described);
        let doc = docs::text("A type that is not known here.");
        quote!(#doc Other(Box<#described>))
    });
    // Boxing is decided by the table of exceptions, not by the compiler's guess.
    quote!(#doc #derives #[allow(clippy::large_enum_variant)] pub enum #name { #(#variants,)* #other })
}

/// Each variant's copy: what holds no views of a buffer is cloned.
fn copies(cx: &Context<'_>, u: &Union) -> TokenStream {
    let arms = u.variants.iter().map(|variant| {
        let name = ident(&variant.rust);
        let copy = match (variant.ty.is_copy(), cx.holds_views(&variant.ty)) {
            (true, _) => quote!(*value),
            (false, true) => quote!(value.to_compact()),
            (false, false) => quote!(value.clone()),
        };
        let copy = if variant.boxed && cx.holds_views(&variant.ty) {
            quote!(Box::new(#copy))
        } else {
            copy
        };
        quote!(Self::#name(value) => Self::#name(#copy),)
    });
    let other = u
        .open
        .then(|| quote!(Self::Other(value) => Self::Other(Box::new(value.to_compact())),));
    quote!(match self { #(#arms)* #other })
}

fn variant_type(cx: &Context<'_>, variant: &Variant) -> TokenStream {
    let ty = cx.ty(&variant.ty);
    if variant.boxed { quote!(Box<#ty>) } else { ty }
}

fn from_variant(cx: &Context<'_>, u: &Union, variant: &Variant) -> TokenStream {
    let (name, ty, of) = (ident(&u.rust), cx.ty(&variant.ty), ident(&variant.rust));
    let value = if variant.boxed {
        quote!(Box::new(value))
    } else {
        quote!(value)
    };
    quote!(impl From<#ty> for #name { fn from(value: #ty) -> Self { Self::#of(#value) } })
}

fn into_superset(cx: &Context<'_>, u: &Union, superset: &Ty) -> Vec<TokenStream> {
    let (name, wide) = (ident(&u.rust), cx.ty(superset));
    let mut names: Vec<_> = u
        .variants
        .iter()
        .map(|variant| ident(&variant.rust))
        .collect();
    names.extend(u.open.then(|| ident("Other")));
    vec![
        quote! {
            impl From<#name> for #wide {
                fn from(narrow: #name) -> Self { match narrow { #(#name::#names(value) => Self::#names(value),)* } }
            }
        },
        quote! {
            impl TryFrom<#wide> for #name {
                type Error = #wide;
                fn try_from(wide: #wide) -> Result<Self, #wide> {
                    match wide { #(#wide::#names(value) => Ok(Self::#names(value)),)* other => Err(other) }
                }
            }
        },
    ]
}

/// Told apart by format code, or by either descriptor.
// [TYP-03] [MSG-16] [FLT-08] [FLT-09]
fn codec(cx: &Context<'_>, u: &Union) -> Vec<TokenStream> {
    let name = ident(&u.rust);
    let (encode, decode) = (cx.codec("Encode"), cx.codec("Decode"));
    let (bytes, decoder, error) = (cx.buffer(), cx.codec("Decoder"), cx.codec("DecodeError"));
    let mut names: Vec<_> = u
        .variants
        .iter()
        .map(|variant| ident(&variant.rust))
        .collect();
    names.extend(u.open.then(|| ident("Other")));
    let by_code: Vec<_> = u
        .variants
        .iter()
        .filter_map(|variant| code_arm(cx, variant))
        .collect();
    let by_descriptor: Vec<_> = u
        .variants
        .iter()
        .filter_map(|variant| descriptor_arm(cx, variant))
        .collect();
    let known = u.has_described().then(|| cx.known());
    let other = if u.open {
        quote!(other => d.unknown(other, #known).map(Box::new).map(Self::Other),)
    } else {
        quote!(other => Err(d.refuse(&other, #known)),)
    };
    let described = (!by_descriptor.is_empty())
        .then(|| quote!(match d.descriptor_after(code)? { #(#by_descriptor)* #other }));
    let body = match described {
        Some(described) if by_code.is_empty() => described,
        Some(described) => quote!(match code { #(#by_code)* _ => #described }),
        None => quote!(match code { #(#by_code)* _ => Err(d.wrong_type(code)) }),
    };
    vec![
        quote! {
            impl #encode for #name {
                fn encode(&self, out: &mut #bytes) { match self { #(Self::#names(value) => value.encode(out),)* } }
            }
        },
        quote! {
            impl #decode for #name {
                fn decode_body(code: u8, d: &mut #decoder<'_>) -> Result<Self, #error> { #body }
            }
        },
    ]
}

fn code_arm(cx: &Context<'_>, variant: &Variant) -> Option<TokenStream> {
    let Key::Codes(codes) = &variant.key else {
        return None;
    };
    let (decode, of) = (cx.codec("Decode"), ident(&variant.rust));
    let codes = codes.iter().map(|code| cx.format_code(code));
    Some(quote!(#(#codes)|* => #decode::decode_body(code, d).map(Self::#of),))
}

fn descriptor_arm(cx: &Context<'_>, variant: &Variant) -> Option<TokenStream> {
    let Key::Descriptor(descriptor) = &variant.key else {
        return None;
    };
    let (of, ty) = (ident(&variant.rust), cx.ty(&variant.ty));
    let found = cx.codec("Descriptor");
    cx.codec("DescribedType");
    let symbol = &descriptor.symbol;
    let code = descriptor.code.map(|code| {
        let code = hex(code);
        quote!(#found::Code(#code) |)
    });
    let map = if variant.boxed {
        quote!(.map(Box::new).map(Self::#of))
    } else {
        quote!(.map(Self::#of))
    };
    Some(quote!(#code #found::Name(#symbol) => #ty::decode_content(d)#map,))
}

/// An enum whose every value has a descriptor is a described value, and may be read from one.
fn described_both_ways(cx: &Context<'_>, u: &Union) -> Vec<TokenStream> {
    if !u.is_described() {
        return Vec::new();
    }
    let (name, described) = (ident(&u.rust), cx.ty(&Ty::Described));
    vec![
        quote! {
            impl From<&#name> for #described {
                fn from(value: &#name) -> Self { Self::encoded_from(value) }
            }
        },
        from_described(cx, &u.rust),
    ]
}
