//! Which module of its own crate a path in the source leads to.
//!
//! Every path that starts with `crate`, `self`, `super` or the name of a child module is followed, through `use` declarations of
//! the modules on its way, to the module that defines the last name it can know. Paths into other crates are not looked at.

use std::collections::BTreeMap;

use crate::source::{SourceFile, Token, group_end};

/// One name of one module in another.
#[derive(Debug)]
pub(super) struct Reference<'a> {
    pub(super) path: &'a str,
    pub(super) line: usize,
    /// The module that names, `a::b`; the crate's root is empty.
    pub(super) from: String,
    /// The module that is named.
    pub(super) to: String,
    /// The whole path as it was meant, for messages.
    pub(super) item: String,
}

/// The modules of a crate and what each one brings into scope.
pub(super) struct Modules<'a> {
    files: Vec<(&'a SourceFile, Vec<String>)>,
    /// Module -> name in scope -> the path that it stands for.
    scopes: BTreeMap<Vec<String>, BTreeMap<String, Vec<String>>>,
}

impl<'a> Modules<'a> {
    /// Reads the files below `krate/src`.
    pub(super) fn of_crate(krate: &str, files: &'a [SourceFile]) -> Self {
        let source = format!("{krate}/src/");
        let inside = |file: &&SourceFile| file.path.starts_with(&source) && !file.is_test_file();
        let files: Vec<_> = files
            .iter()
            .filter(inside)
            .map(|file| (file, module_of(&file.path[source.len()..])))
            .collect();
        let mut scopes: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
        for (file, module) in &files {
            // Parents without a file of their own are modules too.
            for depth in 0..=module.len() {
                scopes.entry(module[..depth].to_vec()).or_default();
            }
            for (module, _) in code_with_modules(file, module) {
                scopes.entry(module).or_default();
            }
        }
        let mut this = Self { files, scopes };
        this.read_uses();
        this
    }

    /// Each file with the module that it is.
    pub(super) fn files(&self) -> impl Iterator<Item = (&'a str, String)> {
        self.files
            .iter()
            .map(|(file, module)| (file.path.as_str(), module.join("::")))
    }

    /// Every reference from one module to another one of the crate.
    pub(super) fn references(&self) -> Vec<Reference<'a>> {
        let mut references = Vec::new();
        for (file, module) in &self.files {
            for (from, index) in code_with_modules(file, module) {
                for path in self.paths_at(file, &from, index) {
                    let to = self.defining_module(path.clone());
                    let (from, item) = (from.join("::"), path.join("::"));
                    references.push(Reference {
                        path: &file.path,
                        line: file.tokens[index].line,
                        from,
                        to,
                        item,
                    });
                }
            }
        }
        references
    }

    /// Fills the scopes with what `use` declarations bring in.
    fn read_uses(&mut self) {
        let mut found = Vec::new();
        for (file, module) in &self.files {
            for (from, index) in code_with_modules(file, module) {
                if file.matches(index, &["use"]) {
                    for (path, name) in self.named_paths_at(file, &from, index + 1) {
                        found.push((from.clone(), name, path));
                    }
                }
            }
        }
        for (module, name, path) in found {
            self.scopes
                .entry(module)
                .or_default()
                .entry(name)
                .or_insert(path);
        }
    }

    fn paths_at(&self, file: &SourceFile, from: &[String], index: usize) -> Vec<Vec<String>> {
        // Not in the middle of a path, nor `$crate` in a macro.
        let inside = index > 1 && file.matches(index - 2, &[":", ":"]);
        if inside || (index > 0 && file.matches(index - 1, &["$"])) {
            return Vec::new();
        }
        self.named_paths_at(file, from, index)
            .into_iter()
            .map(|(path, _)| path)
            .collect()
    }

    /// The absolute paths that start at the token, each with the name under which it would be in scope.
    fn named_paths_at(
        &self,
        file: &SourceFile,
        from: &[String],
        index: usize,
    ) -> Vec<(Vec<String>, String)> {
        let token = &file.tokens[index];
        if token.literal || !file.matches(index + 1, &[":", ":"]) {
            return Vec::new();
        }
        let start = match token.text.as_str() {
            "crate" => Vec::new(),
            "self" => from.to_vec(),
            "super" => from[..from.len().saturating_sub(1)].to_vec(),
            name => {
                let child = joined(from, name);
                if !self.scopes.contains_key(&child) {
                    return Vec::new();
                }
                child
            }
        };
        let mut paths = Vec::new();
        tree(&file.tokens, index + 3, start, &mut paths);
        paths
    }

    /// Follows re-exports; the answer is the longest prefix that is a module.
    fn defining_module(&self, mut path: Vec<String>) -> String {
        // A chain of re-exports is short; a ring of globs would not end.
        for _ in 0..8 {
            let depth = (0..=path.len())
                .rev()
                .find(|depth| self.scopes.contains_key(&path[..*depth]))
                .unwrap_or(0);
            let module = &path[..depth];
            let Some(meant) = path
                .get(depth)
                .and_then(|name| self.scopes.get(module)?.get(name))
            else {
                return module.join("::");
            };
            let rest = path[depth + 1..].to_vec();
            path = [meant.clone(), rest].concat();
        }
        path.join("::")
    }
}

/// `a/b.rs` and `a/b/mod.rs` are `a::b`; `lib.rs` and `main.rs` are the root.
fn module_of(path: &str) -> Vec<String> {
    let mut parts: Vec<String> = path
        .trim_end_matches(".rs")
        .split('/')
        .map(str::to_owned)
        .collect();
    let is_parent = parts.last().is_some_and(|last| last == "mod");
    let is_root = parts.len() == 1 && matches!(parts[0].as_str(), "lib" | "main");
    if is_parent || is_root {
        parts.pop();
    }
    parts
}

/// The code of a file, token by token, each with the module it stands in: inline modules count.
fn code_with_modules(file: &SourceFile, module: &[String]) -> Vec<(Vec<String>, usize)> {
    let mut open: Vec<(String, usize)> = Vec::new();
    let mut code = Vec::new();
    for index in file.code() {
        open.retain(|(_, end)| index < *end);
        if file.matches(index, &["mod"]) && file.matches(index + 2, &["{"]) {
            open.push((
                file.tokens[index + 1].text.clone(),
                group_end(&file.tokens, index + 2),
            ));
        }
        let inner = open.iter().map(|(name, _)| name.clone());
        code.push((module.iter().cloned().chain(inner).collect(), index));
    }
    code
}

/// Reads the rest of a path or of a use tree at `index`: `a::{b, c::d as e, self}`.
fn tree(
    tokens: &[Token],
    mut index: usize,
    mut path: Vec<String>,
    out: &mut Vec<(Vec<String>, String)>,
) {
    while let Some(token) = tokens.get(index) {
        match token.text.as_str() {
            "{" => {
                let end = group_end(tokens, index) - 1;
                let mut item = index + 1;
                while item < end {
                    tree(tokens, item, path.clone(), out);
                    item = next_item(tokens, item, end);
                }
                return;
            }
            "*" | "<" => break,
            "super" => drop(path.pop()),
            "self" => {}
            name if is_name(name) => path.push(name.to_owned()),
            _ => break,
        }
        let separator = |at: usize| {
            tokens
                .get(at)
                .is_some_and(|token| !token.literal && token.text == ":")
        };
        if !(separator(index + 1) && separator(index + 2)) {
            index += 1;
            break;
        }
        index += 3;
    }
    if tokens.get(index).is_some_and(|token| token.text == "!") {
        // A macro belongs to no module.
        return;
    }
    let renamed = tokens.get(index).is_some_and(|token| token.text == "as");
    let name = if renamed {
        tokens.get(index + 1).map(|token| token.text.clone())
    } else {
        path.last().cloned()
    };
    out.push((path, name.unwrap_or_default()));
}

/// The index after the next comma on this level.
fn next_item(tokens: &[Token], mut index: usize, end: usize) -> usize {
    while index < end {
        match tokens[index].text.as_str() {
            "," => return index + 1,
            "{" => index = group_end(tokens, index),
            _ => index += 1,
        }
    }
    end
}

fn is_name(text: &str) -> bool {
    text.starts_with(|char: char| char.is_alphabetic() || char == '_')
}

fn joined(module: &[String], name: &str) -> Vec<String> {
    module.iter().cloned().chain([name.to_owned()]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn references(files: &[(&str, &str)]) -> Vec<String> {
        let files: Vec<_> = files
            .iter()
            .map(|(path, text)| SourceFile::new(path, text).unwrap())
            .collect();
        let modules = Modules::of_crate("k", &files);
        modules
            .references()
            .into_iter()
            .map(|reference| format!("{} -> {}", reference.from, reference.to))
            .collect()
    }

    #[test]
    fn files_are_modules() {
        for (path, module) in [
            ("lib.rs", ""),
            ("a.rs", "a"),
            ("a/mod.rs", "a"),
            ("a/b.rs", "a::b"),
        ] {
            assert_eq!(module_of(path).join("::"), module);
        }
    }

    #[test]
    fn use_trees_are_read() {
        let found = references(&[
            ("k/src/a.rs", "use crate::{b::{C, self}, d::e::F as G};"),
            ("k/src/b.rs", ""),
            ("k/src/d/e.rs", ""),
        ]);
        assert_eq!(found, ["a -> b", "a -> b", "a -> d::e"]);
    }

    #[test]
    fn super_counts_from_the_inline_module() {
        let found = references(&[
            ("k/src/a/b.rs", "mod c { use super::super::d::E; }"),
            ("k/src/a/d.rs", ""),
        ]);
        assert_eq!(found, ["a::b::c -> a::d"]);
    }

    #[test]
    fn re_exports_are_followed() {
        let root = ("k/src/lib.rs", "mod a; mod b; pub use b::{Deep as Flat};");
        let found = references(&[
            root,
            ("k/src/a.rs", "fn f() { crate::Flat::new() }"),
            ("k/src/b/mod.rs", "pub use self::c::Deep;"),
            ("k/src/b/c.rs", ""),
        ]);
        assert_eq!(found, [" -> b::c", "a -> b::c", "b -> b::c"]);
    }

    #[test]
    fn other_crates_are_not_looked_at() {
        assert!(
            references(&[("k/src/a.rs", "use std::fmt; fn f() { bytes::Bytes::new() }")])
                .is_empty()
        );
    }
}
