//! Composite types: structs with public fields, encoded and decoded by one line a field (section 1.4).

use proc_macro2::TokenStream;
use quote::quote;

use super::context::{Context, ident};
use super::{derives, docs, to_compact, union};
use crate::model::{Composite, Field, Literal, Mode, Primitive, Ty};

pub(super) fn composite(cx: &Context<'_>, c: &Composite) -> Vec<TokenStream> {
    let mut parts = vec![definition(cx, c)];
    parts.extend(methods(cx, c));
    parts.extend(default(cx, c));
    parts.extend(debug(c));
    parts.extend(codec(cx, c));
    parts.push(union::from_described(cx, &c.rust));
    parts.extend(
        c.outer
            .iter()
            .flat_map(|outer| union::outer(cx, &c.rust, outer)),
    );
    parts
}

fn definition(cx: &Context<'_>, c: &Composite) -> TokenStream {
    let name = ident(&c.rust);
    let mut more = Vec::new();
    more.extend((!has_secret(c)).then_some("Debug"));
    more.extend((!has_mandatory(c) && c.fields.iter().all(is_rust_default)).then_some("Default"));
    let derives = derives(false, c.has_float, &more);
    let doc = docs::cited(&c.doc, &[super::union::descriptor_sentence(&c.descriptor)]);
    let fields = c.fields.iter().map(|field| {
        let (name, ty) = (ident(&field.rust), field_type(cx, field));
        let doc = docs::text(&field_text(field));
        quote!(#doc pub #name: #ty)
    });
    quote!(#doc #derives pub struct #name { #(#fields),* })
}

fn field_text(field: &Field) -> String {
    let mut text = field.doc.text.clone();
    if let Mode::Default(literal) = &field.mode {
        text.push_str(&format!(" Default: `{}`.", plain(literal)));
    }
    if let Mode::Multiple { mandatory: true } = field.mode {
        text.push_str(" At least one.");
    }
    text
}

fn plain(literal: &Literal) -> String {
    match literal {
        Literal::Bool(b) => b.to_string(),
        Literal::Unsigned(n) => n.to_string(),
        Literal::Signed(n) => n.to_string(),
        Literal::Float(n) => n.to_string(),
        Literal::Char(c) => c.to_string(),
        Literal::Text(text) => text.clone(),
        Literal::Variant(name) => name.clone(),
        Literal::Inside(inner) => plain(inner),
    }
}

/// The type of the struct's field.
pub(super) fn field_type(cx: &Context<'_>, field: &Field) -> TokenStream {
    let ty = cx.ty(&field.ty);
    match field.mode {
        Mode::Mandatory | Mode::Default(_) => ty,
        Mode::Optional => quote!(Option<#ty>),
        Mode::Multiple { .. } => quote!(Vec<#ty>),
    }
}

/// The methods: `new`, and the copy of what may hold views of a buffer.
fn methods(cx: &Context<'_>, c: &Composite) -> Option<TokenStream> {
    let name = ident(&c.rust);
    let new = constructor(cx, c);
    let copy = c
        .fields
        .iter()
        .any(|field| cx.holds_views(&field.ty))
        .then(|| to_compact(cx, None));
    let some = new.is_some() || copy.is_some();
    some.then(|| quote!(impl #name { #new #copy }))
}

/// `new` with the mandatory fields, where there are any.
fn constructor(cx: &Context<'_>, c: &Composite) -> Option<TokenStream> {
    if !has_mandatory(c) {
        return None;
    }
    let mandatory: Vec<_> = c
        .fields
        .iter()
        .filter(|field| is_mandatory(field))
        .collect();
    let parameters = mandatory.iter().map(|field| {
        let (name, ty) = (ident(&field.rust), field_type(cx, field));
        if converts(field) {
            quote!(#name: impl Into<#ty>)
        } else {
            quote!(#name: #ty)
        }
    });
    let values = c.fields.iter().map(|field| {
        let name = ident(&field.rust);
        match field.mode {
            _ if is_mandatory(field) && converts(field) => quote!(#name: #name.into()),
            _ if is_mandatory(field) => quote!(#name),
            _ => {
                let value = default_value(cx, field);
                quote!(#name: #value)
            }
        }
    });
    let doc = docs::text("With the mandatory fields as given and every other at its default.");
    let many = (mandatory.len() > 7).then(|| quote!(#[allow(clippy::too_many_arguments)]));
    Some(quote! {
        #doc #[must_use] #many
        pub fn new(#(#parameters),*) -> Self { Self { #(#values),* } }
    })
}

/// Whether `new` takes whatever becomes the type: for text, binary, and newtypes of them.
fn converts(field: &Field) -> bool {
    matches!(field.mode, Mode::Mandatory)
        && !field.ty.is_copy()
        && matches!(
            field.ty,
            Ty::Primitive(_) | Ty::Generated { .. } | Ty::Value
        )
}

/// `Default` where nothing is mandatory and a default is not Rust's own.
fn default(cx: &Context<'_>, c: &Composite) -> Option<TokenStream> {
    if has_mandatory(c) || c.fields.iter().all(is_rust_default) {
        return None;
    }
    let name = ident(&c.rust);
    let values = c.fields.iter().map(|field| {
        let (name, value) = (ident(&field.rust), default_value(cx, field));
        quote!(#name: #value)
    });
    Some(quote!(impl Default for #name { fn default() -> Self { Self { #(#values),* } } }))
}

fn default_value(cx: &Context<'_>, field: &Field) -> TokenStream {
    match &field.mode {
        Mode::Default(literal) => cx.literal(literal, &field.ty),
        Mode::Multiple { .. } => quote!(Vec::new()),
        Mode::Mandatory | Mode::Optional => quote!(None),
    }
}

/// `Debug` that keeps secrets, where there are any.
fn debug(c: &Composite) -> Option<TokenStream> {
    if !has_secret(c) {
        return None;
    }
    let (name, text) = (ident(&c.rust), &c.rust);
    let fields = c.fields.iter().map(|field| {
        let (name, text) = (ident(&field.rust), field.rust.trim_start_matches("r#"));
        if field.secret {
            quote!(.field(#text, &format_args!("[redacted]")))
        } else {
            quote!(.field(#text, &self.#name))
        }
    });
    Some(quote! {
        impl std::fmt::Debug for #name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(#text)#(#fields)*.finish()
            }
        }
    })
}

fn codec(cx: &Context<'_>, c: &Composite) -> Vec<TokenStream> {
    let name = ident(&c.rust);
    let (described, type_descriptor) = (cx.codec("DescribedType"), cx.codec("TypeDescriptor"));
    let descriptor = cx.descriptor(&c.name, &c.descriptor);
    let (encode, decode) = (cx.codec("Encode"), cx.codec("Decode"));
    let (bytes, decoder, error) = (cx.buffer(), cx.codec("Decoder"), cx.codec("DecodeError"));
    let (field_encoder, field_decoder) = (cx.codec("FieldEncoder"), cx.codec("FieldDecoder"));
    // By construction: what the XML says of a field is what is read and written.
    // [TYP-32] [TYP-34] [TYP-38] [PRF-01] [PRF-02] [OUT-03] [OUT-15] [MSG-06] [MSG-17] [TXN-10]
    let encodes = c.fields.iter().map(|field| {
        let name = ident(&field.rust);
        match &field.mode {
            Mode::Mandatory => quote!(.mandatory(&self.#name)),
            Mode::Optional => quote!(.optional(&self.#name)),
            Mode::Multiple { .. } => quote!(.multiple(&self.#name)),
            Mode::Default(literal) => {
                let value = cx.literal(literal, &field.ty);
                quote!(.default(&self.#name, &#value))
            }
        }
    });
    let decodes = c.fields.iter().map(|field| {
        let (name, text) = (ident(&field.rust), &field.name);
        match &field.mode {
            Mode::Mandatory => quote!(#name: f.mandatory(#text)?),
            Mode::Optional => quote!(#name: f.optional(#text)?),
            Mode::Multiple { mandatory: false } => quote!(#name: f.multiple(#text)?),
            Mode::Multiple { mandatory: true } => quote!(#name: f.mandatory_multiple(#text)?),
            Mode::Default(literal) => {
                let value = cx.literal(literal, &field.ty);
                quote!(#name: f.or_default(#text, #value)?)
            }
        }
    });
    let mutable = (!c.fields.is_empty()).then(|| quote!(mut));
    vec![
        quote! {
            impl #described for #name {
                const DESCRIPTOR: #type_descriptor = #descriptor;
                fn decode_content(d: &mut #decoder<'_>) -> Result<Self, #error> {
                    let #mutable f = #field_decoder::new(d, Self::DESCRIPTOR.name)?;
                    let this = Self { #(#decodes),* };
                    f.finish()?;
                    Ok(this)
                }
            }
        },
        quote! {
            impl #encode for #name {
                fn encode(&self, out: &mut #bytes) {
                    #field_encoder::new(out, &Self::DESCRIPTOR)#(#encodes)*.finish();
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

fn has_secret(c: &Composite) -> bool {
    c.fields.iter().any(|field| field.secret)
}

fn has_mandatory(c: &Composite) -> bool {
    c.fields.iter().any(is_mandatory)
}

fn is_mandatory(field: &Field) -> bool {
    matches!(
        field.mode,
        Mode::Mandatory | Mode::Multiple { mandatory: true }
    )
}

/// Whether `derive(Default)` gives the field its value.
fn is_rust_default(field: &Field) -> bool {
    match &field.mode {
        Mode::Default(literal) => match literal {
            Literal::Inside(inner) => is_zero(inner),
            literal => {
                is_zero(literal)
                    && matches!(field.ty, Ty::Primitive(p) if p != Primitive::Timestamp)
            }
        },
        _ => true,
    }
}

fn is_zero(literal: &Literal) -> bool {
    matches!(
        literal,
        Literal::Bool(false) | Literal::Unsigned(0) | Literal::Signed(0)
    )
}
