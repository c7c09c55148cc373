//! Definitions and encodings: constants.
//!
//! Decides their form. The codec has its own arms for format codes; a test compares the two.

use proc_macro2::TokenStream;
use quote::quote;

use super::context::{Context, hex, ident};
use super::docs;
use crate::model::{Constant, Encoding};
use crate::schema::Category;

pub(super) fn constant(cx: &Context<'_>, constant: &Constant) -> TokenStream {
    let name = ident(&constant.rust);
    let ty = cx.ty(&constant.ty);
    let value = cx.literal(&constant.value, &constant.ty);
    let doc = docs::cited(&constant.doc, &[]);
    quote!(#doc pub const #name: #ty = #value;)
}

/// A constant for each format code, and a table of all.
pub(super) fn encodings(cx: &Context<'_>, encodings: &[Encoding]) -> Vec<TokenStream> {
    if encodings.is_empty() {
        return Vec::new();
    }
    let mut parts = Vec::new();
    for encoding in encodings {
        let name = ident(&encoding.rust);
        let code = hex(encoding.code.into());
        let doc = docs::text(&sentence(encoding));
        parts.push(quote!(#doc pub const #name: u8 = #code;));
    }
    let (encoding, category) = (cx.codec("Encoding"), cx.codec("Category"));
    let rows = encodings.iter().map(|e| {
        let (type_name, width) = (&e.type_name, proc_macro2::Literal::u8_unsuffixed(e.width));
        let name = e.name.as_ref().unwrap_or(&e.type_name);
        let code = ident(&e.rust);
        let of = ident(match e.category {
            Category::Fixed => "Fixed",
            Category::Variable => "Variable",
            Category::Compound => "Compound",
            Category::Array => "Array",
        });
        quote!(#encoding { type_name: #type_name, name: #name, code: #code, category: #category::#of, width: #width })
    });
    let doc = docs::text("Every encoding of every primitive type, in the order of the standard.");
    parts.push(quote!(#doc pub const ENCODINGS: &[#encoding] = &[#(#rows),*];));
    parts
}

fn sentence(e: &Encoding) -> String {
    let of = match &e.name {
        Some(name) => format!("Format code of `{}`, encoded as `{name}`", e.type_name),
        None => format!("Format code of `{}`", e.type_name),
    };
    let octets = if e.width == 1 {
        "one octet".to_owned()
    } else {
        format!("{} octets", e.width)
    };
    match (e.category, e.width) {
        (Category::Fixed, 0) => format!("{of}: nothing follows."),
        (Category::Fixed, _) => format!(
            "{of}: {octets} follow{}.",
            if e.width == 1 { "s" } else { "" }
        ),
        (Category::Variable, _) => format!("{of}: a size of {octets}, then as many octets."),
        (Category::Compound, _) => {
            format!("{of}: size and count of {octets} each, then the items.")
        }
        (Category::Array, _) => {
            format!("{of}: size and count of {octets} each, one constructor, then the elements.")
        }
    }
}
