//! From the names of the XML to names of Rust.
//!
//! Decides the case and the escaping, nothing else.

/// `max-frame-size` becomes `MaxFrameSize`.
pub(crate) fn camel(name: &str) -> String {
    words(name).map(capitalised).collect()
}

/// `max-frame-size` becomes `max_frame_size`; a keyword of Rust becomes a raw identifier.
pub(crate) fn snake(name: &str) -> String {
    let joined = words(name)
        .map(str::to_lowercase)
        .collect::<Vec<_>>()
        .join("_");
    escape(&joined)
}

/// `MIN-MAX-FRAME-SIZE` becomes `MIN_MAX_FRAME_SIZE`.
pub(crate) fn constant(name: &str) -> String {
    words(name)
        .map(str::to_uppercase)
        .collect::<Vec<_>>()
        .join("_")
}

/// The constant's name of an encoding: its own name where that tells the type, the type's name before it otherwise.
pub(crate) fn encoding(type_name: &str, encoding: Option<&str>) -> String {
    match encoding {
        None => constant(type_name),
        Some(name) if name.contains(type_name) => constant(name),
        Some(name) => constant(&format!("{type_name}-{name}")),
    }
}

/// Whether the name gives an identifier at all.
pub(crate) fn is_usable(name: &str) -> bool {
    name.chars().next().is_some_and(|c| c.is_ascii_alphabetic())
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || is_separator(c))
}

/// Names that generated code imports or has from the prelude.
const TAKEN: &[&str] = &[
    "AnnotationKey",
    "Array",
    "Binary",
    "Box",
    "BoxedStrategy",
    "BytesMut",
    "Category",
    "Clone",
    "Copy",
    "Debug",
    "Decimal128",
    "Decimal32",
    "Decimal64",
    "Decode",
    "DecodeError",
    "Decoder",
    "Default",
    "Described",
    "DescribedType",
    "Descriptor",
    "Encode",
    "Encoding",
    "Eq",
    "Err",
    "FieldDecoder",
    "FieldEncoder",
    "From",
    "Hash",
    "Into",
    "InvalidChoice",
    "Just",
    "List",
    "ListOf",
    "Map",
    "None",
    "NotAscii",
    "Ok",
    "Option",
    "Ord",
    "PartialEq",
    "PartialOrd",
    "Result",
    "Self",
    "SerialNumber",
    "Simple",
    "Some",
    "Str",
    "Strategic",
    "Strategy",
    "String",
    "Symbol",
    "Timestamp",
    "TooLong",
    "TryFrom",
    "TypeDescriptor",
    "Union",
    "Uuid",
    "Value",
    "Vec",
];

/// Whether a type cannot have this Rust name.
pub(crate) fn is_taken(rust: &str) -> bool {
    TAKEN.contains(&rust)
}

fn words(name: &str) -> impl Iterator<Item = &str> {
    name.split(is_separator).filter(|word| !word.is_empty())
}

fn is_separator(c: char) -> bool {
    matches!(c, '-' | '_' | ':' | '.' | '*')
}

fn capitalised(word: &str) -> String {
    let (first, rest) = word.split_at(word.chars().next().map_or(0, char::len_utf8));
    first.to_uppercase() + &rest.to_lowercase()
}

/// Keywords of the 2024 edition, strict and reserved.
const KEYWORDS: &[&str] = &[
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "do", "dyn",
    "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let",
    "loop", "macro", "match", "mod", "move", "mut", "override", "priv", "pub", "ref", "return",
    "static", "struct", "trait", "true", "try", "type", "typeof", "unsafe", "unsized", "use",
    "virtual", "where", "while", "yield",
];

/// Words that cannot even be raw identifiers.
const NEVER_RAW: &[&str] = &["self", "super", "crate"];

fn escape(word: &str) -> String {
    if KEYWORDS.contains(&word) {
        format!("r#{word}")
    } else if NEVER_RAW.contains(&word) {
        format!("{word}_")
    } else {
        word.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_take_the_case_of_their_place() {
        assert_eq!(camel("max-frame-size"), "MaxFrameSize");
        assert_eq!(camel("amqp:connection:redirect"), "AmqpConnectionRedirect");
        assert_eq!(snake("max-frame-size"), "max_frame_size");
        assert_eq!(constant("MIN-MAX-FRAME-SIZE"), "MIN_MAX_FRAME_SIZE");
    }

    #[test]
    fn keywords_are_escaped() {
        assert_eq!(snake("type"), "r#type");
        assert_eq!(snake("self"), "self_");
    }

    #[test]
    fn names_that_generated_code_uses_are_taken() {
        assert!(is_taken("Value"));
        assert!(!is_taken("Error"));
        assert!(TAKEN.is_sorted());
    }

    #[test]
    fn an_encoding_is_named_after_its_type_unless_its_own_name_says_it() {
        assert_eq!(encoding("uint", None), "UINT");
        assert_eq!(encoding("uint", Some("smalluint")), "SMALLUINT");
        assert_eq!(encoding("boolean", Some("true")), "BOOLEAN_TRUE");
    }

    #[test]
    fn a_name_without_a_leading_letter_is_unusable() {
        assert!(is_usable("amqp-value"));
        assert!(!is_usable("1st"));
        assert!(!is_usable("a b"));
        assert!(!is_usable(""));
    }
}
