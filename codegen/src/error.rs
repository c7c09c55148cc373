//! What went wrong, and where: an error always names file, line and column.
//!
//! Decides how a position is counted (both from one, columns in characters) and how an error prints. What counts as a
//! mistake is left to the stages.

use std::fmt;

/// A mistake in an XML or overlay file, with the place a reader should look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// The file's name, as it was given in [`Input`](crate::Input).
    pub file: String,
    /// Line, counted from one.
    pub line: usize,
    /// Column in characters, counted from one.
    pub column: usize,
    /// What is wrong there.
    pub message: String,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            file,
            line,
            column,
            message,
        } = self;
        write!(f, "{file}:{line}:{column}: {message}")
    }
}

impl std::error::Error for Error {}

/// A place in one of the input files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) file: String,
    pub(crate) line: usize,
    pub(crate) column: usize,
}

impl Place {
    /// The place of the byte `offset` of `text`.
    pub(crate) fn in_text(file: &str, text: &str, offset: usize) -> Self {
        let before = &text.as_bytes()[..offset.min(text.len())];
        let line_start = before
            .iter()
            .rposition(|&b| b == b'\n')
            .map_or(0, |at| at + 1);
        let is_char_start = |&&b: &&u8| b & 0xc0 != 0x80;
        Self {
            file: file.to_owned(),
            line: before.iter().filter(|&&b| b == b'\n').count() + 1,
            column: before[line_start..].iter().filter(is_char_start).count() + 1,
        }
    }

    /// An error at this place.
    pub(crate) fn error(&self, message: impl Into<String>) -> Error {
        Error {
            file: self.file.clone(),
            line: self.line,
            column: self.column,
            message: message.into(),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_count_from_one_and_columns_count_characters() {
        let place = |offset| {
            let p = Place::in_text("f", "ab\nc\u{e9}d\n", offset);
            (p.line, p.column)
        };
        assert_eq!(place(0), (1, 1));
        assert_eq!(place(2), (1, 3));
        assert_eq!(place(3), (2, 1));
        assert_eq!(place(6), (2, 3));
        assert_eq!(place(99), (3, 1));
    }
}
