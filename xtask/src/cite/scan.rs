//! Finds citations of rules in Rust files: `[LNK-24]`, `[LNK-24, SES-03]`, also without brackets.

use super::requirements::{GROUPS, Id};
use crate::source::SourceFile;

/// One citation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Citation {
    /// `None` if the text looks like an id but its number has not two digits.
    pub(super) id: Option<Id>,
    pub(super) text: String,
    pub(super) path: String,
    pub(super) line: usize,
    pub(super) in_test: bool,
}

/// The citations of one file, in comments, names of tests and strings alike.
pub(super) fn citations(file: &SourceFile) -> Vec<Citation> {
    let mut found = Vec::new();
    for (number, line) in (1..).zip(file.text.lines()) {
        for text in words(line) {
            let citation = Citation {
                id: Id::parse(text),
                text: text.to_owned(),
                path: file.path.clone(),
                line: number,
                in_test: file.is_test_line(number),
            };
            found.push(citation);
        }
    }
    found
}

/// Words of the form `GROUP-digits`, where the group is known.
fn words(line: &str) -> impl Iterator<Item = &str> {
    let is_part = |char: char| char.is_ascii_alphanumeric() || matches!(char, '-' | '_');
    line.split(move |char| !is_part(char)).filter(|word| {
        word.split_once('-').is_some_and(|(group, digits)| {
            GROUPS.contains(&group)
                && !digits.is_empty()
                && digits.bytes().all(|byte| byte.is_ascii_digit())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_citation_may_name_several() {
        let found: Vec<&str> =
            words("// [LNK-24, SES-03]; see TYP-7 and UTF-8, SHA-256, X-LNK-01").collect();
        assert_eq!(found, ["LNK-24", "SES-03", "TYP-7"]);
    }

    #[test]
    fn tests_are_told_from_code() {
        let text = "// [LNK-24]\nfn a() {}\n#[cfg(test)]\nmod tests {\n    // [LNK-25]\n    fn b() {}\n}\n";
        let file = SourceFile::new("amqp-client/src/a.rs", text).unwrap();
        let found: Vec<_> = citations(&file)
            .into_iter()
            .map(|found| (found.text, found.line, found.in_test))
            .collect();
        assert_eq!(
            found,
            [
                ("LNK-24".to_owned(), 1, false),
                ("LNK-25".to_owned(), 5, true)
            ]
        );
    }

    #[test]
    fn a_malformed_number_is_a_citation_without_id() {
        let file = SourceFile::new("amqp-types/src/a.rs", "// [TYP-7]\n").unwrap();
        assert_eq!(citations(&file)[0].id, None);
    }
}
