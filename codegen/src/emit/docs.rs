//! Documentation as attributes, and the head of a file.
//!
//! Decides how text is cut into lines and how a section is cited.

use proc_macro2::TokenStream;
use quote::quote;

use crate::overlay::Doc;

/// Longest line of a comment, its marker not counted.
const WIDTH: usize = 90;

/// The text alone.
pub(super) fn text(text: &str) -> TokenStream {
    lines(&wrap(text))
}

/// The text, then, in a paragraph of its own, where the matter is laid down and what else is known.
pub(super) fn cited(doc: &Doc, more: &[String]) -> TokenStream {
    let mut all = wrap(&doc.text);
    let mut notes = Vec::new();
    if let Some(section) = &doc.section {
        notes.push(format!("Section {section}."));
    }
    if let Some(source) = &doc.source {
        notes.push(format!("Source: {source}."));
    }
    notes.extend_from_slice(more);
    if !notes.is_empty() {
        all.push(String::new());
        all.extend(wrap(&notes.join(" ")));
    }
    lines(&all)
}

/// The comment at the head of a file.
pub(super) fn head(doc: &Doc, source: &str) -> String {
    let mut all = wrap(&doc.text);
    let section = doc
        .section
        .as_ref()
        .map(|section| format!(" (section {section})"))
        .unwrap_or_default();
    all.push(String::new());
    all.extend(wrap(&format!(
        "Made from `{source}`{section}: change that, or its overlay, and generate again."
    )));
    all.iter()
        .map(|line| format!("//! {line}").trim_end().to_owned() + "\n")
        .collect()
}

/// The comment at the head of the index.
pub(super) fn index_head(doc: &Doc) -> String {
    wrap(&doc.text)
        .iter()
        .map(|line| format!("//! {line}\n"))
        .collect()
}

fn lines(lines: &[String]) -> TokenStream {
    let lines = lines.iter().map(|line| {
        if line.is_empty() {
            String::new()
        } else {
            format!(" {line}")
        }
    });
    quote!(#(#[doc = #lines])*)
}

fn wrap(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        // invariant: the list starts with one line and only grows.
        let line = lines.last_mut().expect("a line");
        if line.is_empty() {
            line.push_str(word);
        } else if line.len() + 1 + word.len() <= WIDTH {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}
