//! Restricted types without choices: newtypes (section 1.5).
//!
//! Decides what a newtype converts from and to. One with a longest length keeps its inside private.

use proc_macro2::TokenStream;
use quote::quote;

use super::context::{Context, ident};
use super::{derives, docs, to_compact, union};
use crate::model::{Newtype, Primitive, Ty};

pub(super) fn newtype(cx: &Context<'_>, n: &Newtype) -> Vec<TokenStream> {
    let mut parts = vec![definition(cx, n)];
    match n.max_length {
        Some(max) => parts.extend(checked(cx, n, max)),
        None => parts.extend(open(cx, n)),
    }
    parts.extend(text_conversions(cx, n));
    if !n.inner.is_copy() {
        parts.push(copy(cx, n));
        parts.extend(deref(cx, n));
    }
    if is_display(&n.inner) {
        parts.push(display(n));
    }
    parts.extend(n.serial.then(|| serial(cx, n)));
    parts.extend(codec(cx, n));
    if n.descriptor.is_some() {
        parts.push(union::from_described(cx, &n.rust));
    }
    parts.extend(
        n.outer
            .iter()
            .flat_map(|outer| union::outer(cx, &n.rust, outer)),
    );
    parts
}

fn definition(cx: &Context<'_>, n: &Newtype) -> TokenStream {
    let (name, inner) = (ident(&n.rust), cx.ty(&n.inner));
    let mut more = vec!["Debug"];
    more.extend(has_default(&n.inner).then_some("Default"));
    // Serial numbers have no total order (RFC 1982).
    more.extend(
        (is_ordered(&n.inner) && !n.serial)
            .then_some(["PartialOrd", "Ord"])
            .into_iter()
            .flatten(),
    );
    let derives = derives(n.inner.is_copy(), n.has_float, &more);
    let notes: Vec<_> = n
        .descriptor
        .as_ref()
        .map(union::descriptor_sentence)
        .into_iter()
        .collect();
    let doc = docs::cited(&n.doc, &notes);
    let visibility = n.max_length.is_none().then(|| quote!(pub));
    quote!(#doc #derives pub struct #name(#visibility #inner);)
}

/// Both ways without a check.
fn open(cx: &Context<'_>, n: &Newtype) -> Vec<TokenStream> {
    let (name, inner) = (ident(&n.rust), cx.ty(&n.inner));
    vec![
        quote!(impl From<#inner> for #name { fn from(inner: #inner) -> Self { Self(inner) } }),
        quote!(impl From<#name> for #inner { fn from(outer: #name) -> Self { outer.0 } }),
    ]
}

/// In with a check, out without.
fn checked(cx: &Context<'_>, n: &Newtype, max: u32) -> Vec<TokenStream> {
    let (name, inner) = (ident(&n.rust), cx.ty(&n.inner));
    let (check, error) = (cx.codec("at_most"), cx.codec("TooLong"));
    let max = proc_macro2::Literal::u32_unsuffixed(max);
    let doc = docs::text("The most octets that a value may have.");
    let from = |from: TokenStream, octets: TokenStream| {
        quote! {
            impl TryFrom<#from> for #name {
                type Error = #error;
                fn try_from(octets: #from) -> Result<Self, #error> {
                    #check(Self::MAX_LENGTH, #octets).map(Self)
                }
            }
        }
    };
    vec![
        quote!(impl #name { #doc pub const MAX_LENGTH: usize = #max; }),
        from(quote!(#inner), quote!(octets)),
        from(quote!(&[u8]), quote!(octets.into())),
        from(quote!(Vec<u8>), quote!(octets.into())),
        quote!(impl From<#name> for #inner { fn from(outer: #name) -> Self { outer.0 } }),
    ]
}

/// From what text and octets are made of.
fn text_conversions(cx: &Context<'_>, n: &Newtype) -> Vec<TokenStream> {
    let (name, inner) = (ident(&n.rust), cx.ty(&n.inner));
    let infallible = |from: TokenStream| quote!(impl From<#from> for #name { fn from(inner: #from) -> Self { Self(#inner::from(inner)) } });
    match (&n.inner, n.max_length) {
        (Ty::Primitive(Primitive::String), None) => {
            vec![infallible(quote!(&str)), infallible(quote!(String))]
        }
        (Ty::Primitive(Primitive::Binary), None) => {
            vec![infallible(quote!(&[u8])), infallible(quote!(Vec<u8>))]
        }
        (Ty::Primitive(Primitive::Symbol), None) => {
            let error = cx.not_ascii();
            vec![quote! {
                impl TryFrom<&str> for #name {
                    type Error = #error;
                    fn try_from(text: &str) -> Result<Self, #error> { #inner::try_from(text).map(Self) }
                }
            }]
        }
        _ => Vec::new(),
    }
}

/// The copy, which would otherwise be that of the inside, by dereferencing.
fn copy(cx: &Context<'_>, n: &Newtype) -> TokenStream {
    let name = ident(&n.rust);
    let has_own = match n.inner {
        Ty::Primitive(Primitive::List) => false,
        Ty::Primitive(_) | Ty::Value | Ty::Described | Ty::Simple | Ty::AnnotationKey => true,
        _ => false,
    };
    let method = to_compact(cx, has_own.then(|| quote!(Self(self.0.to_compact()))));
    quote!(impl #name { #method })
}

fn deref(cx: &Context<'_>, n: &Newtype) -> Vec<TokenStream> {
    let (name, inner) = (ident(&n.rust), cx.ty(&n.inner));
    let mut parts = vec![quote! {
        impl std::ops::Deref for #name { type Target = #inner; fn deref(&self) -> &#inner { &self.0 } }
    }];
    if n.max_length.is_none() {
        parts.push(quote! {
            impl std::ops::DerefMut for #name { fn deref_mut(&mut self) -> &mut #inner { &mut self.0 } }
        });
    }
    parts
}

fn display(n: &Newtype) -> TokenStream {
    let name = ident(&n.rust);
    quote! {
        impl std::fmt::Display for #name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { self.0.fmt(f) }
        }
    }
}

fn serial(cx: &Context<'_>, n: &Newtype) -> TokenStream {
    let (name, inner, serial) = (ident(&n.rust), cx.ty(&n.inner), cx.serial_number());
    quote! {
        impl #serial for #name {
            #[inline]
            fn from_u32(n: #inner) -> Self { Self(n) }
            #[inline]
            fn to_u32(self) -> #inner { self.0 }
        }
    }
}

fn codec(cx: &Context<'_>, n: &Newtype) -> Vec<TokenStream> {
    let name = ident(&n.rust);
    let (encode, decode) = (cx.codec("Encode"), cx.codec("Decode"));
    let (bytes, decoder, error) = (cx.buffer(), cx.codec("Decoder"), cx.codec("DecodeError"));
    let Some(descriptor) = &n.descriptor else {
        let is_null = may_be_null(&n.inner).then(|| {
            quote!(
                fn is_null(&self) -> bool {
                    self.0.is_null()
                }
            )
        });
        let inside = match (n.max_length, n.strict_length) {
            (Some(_), _) => quote!(d.at_most(code, Self::MAX_LENGTH).map(Self)),
            (None, Some(max)) => {
                let max = proc_macro2::Literal::u32_unsuffixed(max);
                quote!(d.at_most_if_strict(code, #max).map(Self))
            }
            (None, None) => quote!(#decode::decode_body(code, d).map(Self)),
        };
        return vec![
            quote!(impl #encode for #name { #[inline] fn encode(&self, out: &mut #bytes) { self.0.encode(out); } #is_null }),
            quote! {
                impl #decode for #name {
                    #[inline]
                    fn decode_body(code: u8, d: &mut #decoder<'_>) -> Result<Self, #error> { #inside }
                }
            },
        ];
    };
    let (described, type_descriptor) = (cx.codec("DescribedType"), cx.codec("TypeDescriptor"));
    let descriptor = cx.descriptor(&n.name, descriptor);
    vec![
        quote! {
            impl #described for #name {
                const DESCRIPTOR: #type_descriptor = #descriptor;
                fn decode_content(d: &mut #decoder<'_>) -> Result<Self, #error> { #decode::decode(d).map(Self) }
            }
        },
        quote! {
            impl #encode for #name {
                fn encode(&self, out: &mut #bytes) {
                    Self::DESCRIPTOR.encode(out);
                    self.0.encode(out);
                }
            }
        },
        quote! {
            impl #decode for #name {
                fn decode_body(code: u8, d: &mut #decoder<'_>) -> Result<Self, #error> {
                    d.expect_descriptor(code, &Self::DESCRIPTOR)?;
                    Self::decode_content(d)
                }
            }
        },
    ]
}

/// Whether null is one of the values of a type.
pub(super) fn may_be_null(ty: &Ty) -> bool {
    match ty {
        Ty::Value | Ty::Simple | Ty::Option(_) | Ty::Primitive(Primitive::Null) => true,
        Ty::Boxed(inner) => may_be_null(inner),
        _ => false,
    }
}

fn has_default(ty: &Ty) -> bool {
    !matches!(
        ty,
        Ty::Described | Ty::AnnotationKey | Ty::Generated { .. } | Ty::Primitive(Primitive::Array)
    )
}

fn is_ordered(ty: &Ty) -> bool {
    match ty {
        Ty::Primitive(primitive) => {
            !primitive.is_float()
                && !matches!(
                    primitive,
                    Primitive::Decimal32
                        | Primitive::Decimal64
                        | Primitive::Decimal128
                        | Primitive::List
                        | Primitive::Map
                        | Primitive::Array
                )
        }
        _ => false,
    }
}

fn is_display(ty: &Ty) -> bool {
    is_ordered(ty) && !matches!(ty, Ty::Primitive(Primitive::Null | Primitive::Timestamp))
}
