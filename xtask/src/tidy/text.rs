//! What a file looks like: its head, its size, what was left over in it, and whose machine it names.

use super::Finding;
use crate::source::{SourceFile, Token};

/// Lines, without tests, above which a file needs a reason, and above which it must be split.
const LONG: usize = 500;
const TOO_LONG: usize = 700;

/// Words that say that something is unfinished. Spelled in halves, so that this file passes its own check.
const LEFTOVERS: &[&str] = &[
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
];

/// Roots of paths that exist on one machine only.
const MACHINE_PATHS: &[&str] = &[
    concat!("/", "work/"),
    concat!("/", "home/"),
    concat!("/", "root/"),
    concat!("/", "tmp/"),
    concat!("/", "Users/"),
];

/// Findings in one Rust file.
pub(super) fn check(file: &SourceFile) -> Vec<Finding> {
    let mut findings = lines(&file.path, &file.text);
    findings.extend(head(file));
    if file.is_generated() {
        return findings;
    }
    findings.extend(size(file));
    findings.extend(macros_and_attributes(file));
    findings.extend(invariants(file));
    findings
}

/// Files beside Rust whose lines are checked.
pub(super) fn is_prose_or_script(name: &str) -> bool {
    let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    folder == ".ci"
        || matches!(
            ending,
            "md" | "toml" | "sh" | "py" | "js" | "json" | "yml" | "yaml" | "conf"
        )
}

/// Findings that need no lexing: leftovers and machine paths.
pub(super) fn lines(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        if let Some(word) = LEFTOVERS.iter().find(|word| contains_word(line, word)) {
            let message =
                format!("`{word}` is left over: finish it, or file it where work is tracked");
            findings.push(Finding::error(path, number, message));
        }
        if let Some(root) = MACHINE_PATHS.iter().find(|root| names_path(line, root)) {
            let message = format!(
                "a path below `{root}` exists on one machine only: use a path relative to the workspace or the environment"
            );
            findings.push(Finding::error(path, number, message));
        }
    }
    findings
}

fn head(file: &SourceFile) -> Option<Finding> {
    let mut lines = file.text.lines();
    if file.is_generated() {
        lines.next();
    }
    let first = lines
        .find(|line| !line.trim().is_empty())
        .unwrap_or_default();
    let message = "the file does not open with `//!`: say what it decides, what it leaves to others, and the section of the standard";
    (!first.starts_with("//!")).then(|| Finding::error(&file.path, 1, message))
}

fn size(file: &SourceFile) -> Option<Finding> {
    if file.is_test_file() {
        return None;
    }
    let lines = (1..=file.text.lines().count())
        .filter(|line| !file.is_test_line(*line))
        .count();
    match lines {
        0..=LONG => None,
        _ if lines <= TOO_LONG => Some(Finding::warning(
            &file.path,
            1,
            format!("{lines} lines without tests: above {LONG} there must be a reason"),
        )),
        _ => Some(Finding::error(
            &file.path,
            1,
            format!("{lines} lines without tests: split the file, {TOO_LONG} is the limit"),
        )),
    }
}

fn macros_and_attributes(file: &SourceFile) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, token) in file.tokens.iter().enumerate() {
        let mut error =
            |message: &str| findings.push(Finding::error(&file.path, token.line, message));
        if file.matches(index, &["#", "[", "ignore"]) {
            error("an ignored test shows nothing: mend it or delete it");
        }
        for name in ["todo", "unimplemented", "dbg"] {
            if file.matches(index, &[name, "!"]) {
                error(&format!("`{name}!` is left over: finish it"));
            }
        }
        if file.is_test_line(token.line) && file.matches(index, &["thread", ":", ":", "sleep"]) {
            error(
                "a test that sleeps is slow and fails on a busy machine: wait for the event, or use a paused clock",
            );
        }
    }
    findings
}

/// `unwrap()` and `expect("…")` outside tests stand in a statement below `// invariant: …`.
fn invariants(file: &SourceFile) -> Vec<Finding> {
    let lines: Vec<&str> = file.text.lines().collect();
    let mut findings = Vec::new();
    for index in file.code() {
        let name = file
            .tokens
            .get(index + 1)
            .map_or("", |token| token.text.as_str());
        let unwraps = file.matches(index, &[".", "unwrap", "(", ")"]);
        // A method of our own that is called `expect` takes no message.
        let expects = file.matches(index, &[".", "expect", "("])
            && file.tokens.get(index + 3).is_some_and(is_message);
        let line = file.tokens[index].line;
        if (unwraps || expects) && !below_invariant(&lines, line) {
            let message = format!(
                "`{name}` outside tests: return an error, or state above it why it cannot happen: `// invariant: …`"
            );
            findings.push(Finding::error(&file.path, line, message));
        }
    }
    findings
}

fn is_message(token: &Token) -> bool {
    token.literal || token.text == "&"
}

/// Looks upwards from `line` (from 1) through the lines of one statement for the comment.
fn below_invariant(lines: &[&str], line: usize) -> bool {
    for above in lines[..line - 1].iter().rev().map(|text| text.trim()) {
        if above.starts_with("//") {
            if above.contains("invariant:") {
                return true;
            }
        } else if above.is_empty() || above.ends_with([';', '}']) {
            return false;
        }
    }
    false
}

fn contains_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        ![before, after]
            .into_iter()
            .flatten()
            .any(|char| char.is_alphanumeric() || char == '_')
    })
}

/// The root stands at the beginning of a path, not in the middle of an address.
fn names_path(line: &str, root: &str) -> bool {
    line.match_indices(root).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|char| {
            char.is_alphanumeric() || matches!(char, '.' | '/' | '}' | '_' | '-' | '*' | '{' | '$')
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<String> {
        let file = SourceFile::new(path, text).unwrap();
        check(&file)
            .into_iter()
            .map(|finding| format!("{}: {}", finding.line, finding.message))
            .collect()
    }

    #[test]
    fn a_tidy_file_has_no_findings() {
        assert_eq!(
            found("a/src/b.rs", "//! Decides.\n\nfn a() {}\n"),
            Vec::<String>::new()
        );
        assert_eq!(
            found(
                "a/src/g.rs",
                "// @generated by x\n//! Types.\nfn a() { b.unwrap() }\n"
            ),
            Vec::<String>::new()
        );
    }

    #[test]
    fn a_file_needs_a_head() {
        assert!(found("a/src/b.rs", "fn a() {}\n")[0].starts_with("1: the file does not open"));
    }

    #[test]
    fn only_lines_outside_tests_count() {
        let body = "fn a() {}\n".repeat(LONG);
        let text = format!("//! Head.\n#[cfg(test)]\nmod tests {{\n{body}}}\n");
        assert!(found("a/src/b.rs", &text).is_empty());
        assert!(found("a/src/b.rs", &format!("//! Head.\n{body}"))[0].contains("501 lines"));
        assert!(found("a/src/b.rs", &format!("//! Head.\n{body}{body}"))[0].contains("split"));
    }

    #[test]
    fn leftovers_are_found() {
        let text = format!(
            "//! Head.\n// {}: later\n#[ignore]\nfn a() {{ todo{}() }}\n",
            LEFTOVERS[0], "!"
        );
        assert_eq!(found("a/src/b.rs", &text).len(), 3);
        assert!(lines("a.md", &format!("{}x", LEFTOVERS[0])).is_empty());
    }

    #[test]
    fn machine_paths_are_found_and_addresses_are_not() {
        let path = format!("{}x/y", MACHINE_PATHS[3]);
        assert_eq!(lines("a.sh", &format!("cd {path}")).len(), 1);
        assert!(lines("a.sh", &format!("amqp://host{path}")).is_empty());
    }

    #[test]
    fn unwrap_needs_an_invariant_above_its_statement() {
        let bare = "//! Head.\nfn a() {\n    b();\n    c.unwrap();\n}\n";
        assert!(found("a/src/b.rs", bare)[0].starts_with("4: `unwrap` outside tests"));
        let stated = "//! Head.\nfn a() {\n    // invariant: c is there.\n    c\n        .d()\n        .expect(\"c\");\n}\n";
        assert!(found("a/src/b.rs", stated).is_empty());
        let other = "//! Head.\nfn a() {\n    // invariant: c is there.\n    c.unwrap();\n    d.unwrap();\n}\n";
        assert_eq!(found("a/src/b.rs", other).len(), 1);
        assert!(
            found(
                "a/src/b.rs",
                "//! Head.\nfn a() { parser.expect(Token::Comma); }\n"
            )
            .is_empty()
        );
    }
}
