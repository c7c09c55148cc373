//! Rust source as a flat list of tokens, with the parts that are tests marked: what `tidy` and `cite` read.
//!
//! Only lexing happens here; which token is a fault is for the readers to decide. A file counts as a test by its place (`tests/`,
//! `tests.rs`, `benches/`, fuzz targets) or, inside a file, from an attribute such as `#[cfg(test)]` to the end of its item.

use std::ops::Range;
use std::path::Path;
use std::process::Command;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// One lexical token. Groups are flattened into their opening and closing marks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) text: String,
    /// Counted from 1.
    pub(crate) line: usize,
    pub(crate) literal: bool,
}

/// A Rust file of the workspace.
#[derive(Debug)]
pub(crate) struct SourceFile {
    /// Relative to the workspace, with forward slashes.
    pub(crate) path: String,
    pub(crate) text: String,
    pub(crate) tokens: Vec<Token>,
    /// Ranges of `tokens` that are compiled for tests only.
    tests: Vec<Range<usize>>,
}

impl SourceFile {
    /// Lexes the text; the error is a sentence with the line.
    pub(crate) fn new(path: &str, text: &str) -> Result<Self, String> {
        let stream: TokenStream = text.parse().map_err(|error: proc_macro2::LexError| {
            format!("{path}:{}: {error}", error.span().start().line)
        })?;
        let mut tokens = Vec::new();
        flatten(stream, &mut tokens);
        let tests = test_items(&tokens);
        Ok(Self {
            path: path.to_owned(),
            text: text.to_owned(),
            tokens,
            tests,
        })
    }

    /// Written by a generator (its first line says so).
    pub(crate) fn is_generated(&self) -> bool {
        self.text
            .lines()
            .next()
            .is_some_and(|line| line.contains("@generated"))
    }

    /// A test from its first line to its last, by its place in the tree.
    pub(crate) fn is_test_file(&self) -> bool {
        let mut folders = self.path.split('/').rev();
        let name = folders.next().unwrap_or_default();
        name == "tests.rs" || folders.any(|folder| matches!(folder, "tests" | "benches" | "fuzz"))
    }

    /// The indices of tokens that are not compiled for tests only.
    pub(crate) fn code(&self) -> impl Iterator<Item = usize> {
        let all = if self.is_test_file() {
            0
        } else {
            self.tokens.len()
        };
        (0..all).filter(|index| !self.tests.iter().any(|range| range.contains(index)))
    }

    /// Whether a line (from 1) belongs to a test.
    pub(crate) fn is_test_line(&self, line: usize) -> bool {
        self.is_test_file()
            || self.tests.iter().any(|range| {
                let (first, last) = (&self.tokens[range.start], &self.tokens[range.end - 1]);
                (first.line..=last.line).contains(&line)
            })
    }

    /// The texts of the tokens from `index` on begin with these.
    pub(crate) fn matches(&self, index: usize, texts: &[&str]) -> bool {
        self.tokens
            .get(index..index + texts.len())
            .is_some_and(|tokens| {
                tokens
                    .iter()
                    .zip(texts)
                    .all(|(token, text)| !token.literal && token.text == *text)
            })
    }
}

/// Every file that git tracks or would track, relative to `root`, sorted.
pub(crate) fn tracked_files(root: &Path) -> Result<Vec<String>, String> {
    let output = Command::new("git")
        .args([
            "ls-files",
            "--cached",
            "--others",
            "--exclude-standard",
            "-z",
        ])
        .current_dir(root)
        .output()
        .map_err(|error| format!("cannot start git: {error}"))?;
    if !output.status.success() {
        return Err(format!(
            "git ls-files failed: {}",
            String::from_utf8_lossy(&output.stderr)
        ));
    }
    let listing = String::from_utf8_lossy(&output.stdout);
    let names = listing.split('\0').filter(|name| !name.is_empty());
    // A file that is deleted but not yet committed is still listed.
    let mut files: Vec<String> = names
        .filter(|name| root.join(name).is_file())
        .map(str::to_owned)
        .collect();
    files.sort();
    files.dedup();
    Ok(files)
}

/// Reads and lexes every `.rs` file among `files`.
pub(crate) fn read_rust(root: &Path, files: &[String]) -> Result<Vec<SourceFile>, String> {
    let names = files.iter().filter(|name| name.ends_with(".rs"));
    names
        .map(|name| {
            let text = std::fs::read_to_string(root.join(name))
                .map_err(|error| format!("{name}: {error}"))?;
            SourceFile::new(name, &text)
        })
        .collect()
}

fn flatten(stream: TokenStream, out: &mut Vec<Token>) {
    let mut push = |text: String, line: usize, literal: bool| {
        out.push(Token {
            text,
            line,
            literal,
        })
    };
    for tree in stream {
        let line = tree.span().start().line;
        match tree {
            TokenTree::Ident(ident) => push(ident.to_string(), line, false),
            TokenTree::Punct(punct) => push(punct.as_char().to_string(), line, false),
            TokenTree::Literal(literal) => push(literal.to_string(), line, true),
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::None => ("", ""),
                };
                let end = group.span_close().end().line;
                push(open.to_owned(), line, false);
                let mut inner = Vec::new();
                flatten(group.stream(), &mut inner);
                for token in inner {
                    push(token.text, token.line, token.literal);
                }
                push(close.to_owned(), end, false);
            }
        }
    }
}

/// The ranges from a test attribute to the end of the item that it stands on.
fn test_items(tokens: &[Token]) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let mut index = 0;
    while index < tokens.len() {
        let Some(after) = attribute(tokens, index) else {
            index += 1;
            continue;
        };
        if is_test_attribute(&tokens[index + 2..after - 1]) {
            let end = item_end(tokens, after);
            ranges.push(index..end);
            index = end;
        } else {
            index = after;
        }
    }
    ranges
}

/// If an outer attribute starts at `index`, the index after it.
fn attribute(tokens: &[Token], index: usize) -> Option<usize> {
    let is = |at: usize, text: &str| {
        tokens
            .get(at)
            .is_some_and(|token| !token.literal && token.text == text)
    };
    (is(index, "#") && is(index + 1, "[")).then(|| group_end(tokens, index + 1))
}

/// `cfg(test)`, `cfg(all(test, …))`, `test`, `tokio::test`; the tokens between the brackets are given.
fn is_test_attribute(inside: &[Token]) -> bool {
    let texts: Vec<&str> = inside.iter().map(|token| token.text.as_str()).collect();
    matches!(
        texts.as_slice(),
        ["cfg", "(", "test", ")"]
            | ["cfg", "(", "all", "(", "test", ..]
            | ["test"]
            | [_, ":", ":", "test", ..]
    )
}

/// The index after the item that starts at `index`: after its block, its semicolon, or, for a field or a variant, its comma.
fn item_end(tokens: &[Token], mut index: usize) -> usize {
    while let Some(after) = attribute(tokens, index) {
        index = after;
    }
    // Until a keyword says otherwise it is a field or a variant, which ends at its comma.
    let (mut at_comma, mut at_block) = (true, true);
    while index < tokens.len() {
        match tokens[index].text.as_str() {
            "mod" | "fn" | "impl" | "struct" | "enum" | "trait" | "macro_rules" => {
                (at_comma, at_block) = (false, true);
            }
            "use" | "const" | "static" | "type" => (at_comma, at_block) = (false, false),
            "{" if at_block => return group_end(tokens, index),
            "{" | "(" | "[" => {
                index = group_end(tokens, index);
                continue;
            }
            ";" => return index + 1,
            "," if at_comma => return index + 1,
            "}" => return index,
            _ => {}
        }
        index += 1;
    }
    index
}

/// The index after the group that opens at `index`.
pub(crate) fn group_end(tokens: &[Token], index: usize) -> usize {
    let mut depth = 0;
    for (offset, token) in tokens[index..]
        .iter()
        .enumerate()
        .filter(|(_, token)| !token.literal)
    {
        match token.text.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return index + offset + 1;
        }
    }
    tokens.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> SourceFile {
        SourceFile::new("some/src/file.rs", text).unwrap()
    }

    fn code(file: &SourceFile) -> String {
        let words: Vec<&str> = file
            .code()
            .map(|index| file.tokens[index].text.as_str())
            .collect();
        words.join(" ")
    }

    #[test]
    fn comments_and_strings_are_not_code() {
        let file = file("fn a() { /* tokio */ b(\"async\") } // await\n");
        assert_eq!(code(&file), "fn a ( ) { b ( \"async\" ) }");
        assert!(!file.matches(6, &["\"async\""]));
    }

    #[test]
    fn test_items_end_where_the_item_ends() {
        let text = "fn a() {}\n#[cfg(test)]\n#[allow(x)]\nmod tests {\n  fn b() {}\n}\nfn c() {}\n#[cfg(test)]\nuse x::{y};\nfn d() {}\n";
        let file = file(text);
        assert_eq!(code(&file), "fn a ( ) { } fn c ( ) { } fn d ( ) { }");
        assert!(
            !file.is_test_line(1)
                && file.is_test_line(2)
                && file.is_test_line(6)
                && !file.is_test_line(7)
        );
    }

    #[test]
    fn a_test_only_field_ends_at_its_comma() {
        assert_eq!(
            code(&file("struct A { #[cfg(test)] b: u8, c: u8 }")),
            "struct A { c : u8 }"
        );
    }

    #[test]
    fn features_are_not_tests() {
        assert_eq!(
            code(&file("#[cfg(any(test, unix))] fn a() {}")),
            "# [ cfg ( any ( test , unix ) ) ] fn a ( ) { }"
        );
    }

    #[test]
    fn places_make_tests() {
        for (path, test) in [
            ("a/tests/b.rs", true),
            ("a/src/c/tests.rs", true),
            ("a/src/tests_of.rs", false),
        ] {
            assert_eq!(
                SourceFile::new(path, "fn a() {}").unwrap().is_test_file(),
                test,
                "{path}"
            );
        }
    }

    #[test]
    fn a_file_that_does_not_lex_is_an_error_with_its_line() {
        let error = SourceFile::new("a.rs", "fn a() {\n\"").unwrap_err();
        assert!(error.starts_with("a.rs:"), "{error}");
    }
}
