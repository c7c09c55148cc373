//! The model: everything looked up and decided, ready to be written down.
//!
//! Decides what the emitter may rely on: each name is a Rust name, each type is known, each default has been parsed. The
//! emitter turns it into tokens and decides nothing about AMQP.

use crate::overlay::Doc;
use crate::schema::Category;

/// All modules of a run, those that are written and those that are only referred to.
#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) modules: Vec<Module>,
}

/// What one XML file becomes.
#[derive(Debug)]
pub(crate) struct Module {
    /// The Rust module's name, which is the schema's.
    pub(crate) name: String,
    pub(crate) doc: Doc,
    /// Whether it is written; otherwise it lies in the crate that is referred to.
    pub(crate) emit: bool,
    pub(crate) constants: Vec<Constant>,
    pub(crate) encodings: Vec<Encoding>,
    pub(crate) items: Vec<Item>,
}

#[derive(Debug)]
pub(crate) enum Item {
    Composite(Composite),
    Newtype(Newtype),
    Choices(Choices),
    Union(Union),
}

impl Module {
    /// Whether nothing would be written.
    pub(crate) fn is_empty(&self) -> bool {
        self.constants.is_empty() && self.encodings.is_empty() && self.items.is_empty()
    }
}

impl Item {
    /// The name of its Rust type.
    pub(crate) fn rust(&self) -> &str {
        match self {
            Self::Composite(c) => &c.rust,
            Self::Newtype(n) => &n.rust,
            Self::Choices(c) => &c.rust,
            Self::Union(u) => &u.rust,
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Descriptor {
    pub(crate) code: Option<u64>,
    pub(crate) symbol: String,
}

/// A struct of fields.
#[derive(Debug)]
pub(crate) struct Composite {
    pub(crate) name: String,
    pub(crate) rust: String,
    pub(crate) doc: Doc,
    pub(crate) descriptor: Descriptor,
    pub(crate) fields: Vec<Field>,
    pub(crate) outer: Vec<Outer>,
    pub(crate) has_float: bool,
}

#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) rust: String,
    pub(crate) doc: Doc,
    pub(crate) ty: Ty,
    pub(crate) mode: Mode,
    pub(crate) secret: bool,
}

#[derive(Debug)]
pub(crate) enum Mode {
    Mandatory,
    Optional,
    Default(Literal),
    Multiple { mandatory: bool },
}

/// A restricted type without choices.
#[derive(Debug)]
pub(crate) struct Newtype {
    pub(crate) name: String,
    pub(crate) rust: String,
    pub(crate) doc: Doc,
    pub(crate) descriptor: Option<Descriptor>,
    pub(crate) inner: Ty,
    pub(crate) max_length: Option<u32>,
    pub(crate) strict_length: Option<u32>,
    pub(crate) serial: bool,
    pub(crate) outer: Vec<Outer>,
    pub(crate) has_float: bool,
}

/// An enum of named values; with `open`, of any other symbol too.
#[derive(Debug)]
pub(crate) struct Choices {
    pub(crate) rust: String,
    pub(crate) doc: Doc,
    pub(crate) root: Primitive,
    pub(crate) variants: Vec<Choice>,
    pub(crate) open: bool,
    pub(crate) outer: Vec<Outer>,
}

#[derive(Debug)]
pub(crate) struct Choice {
    pub(crate) rust: String,
    pub(crate) value: Literal,
    pub(crate) doc: Doc,
}

/// The enum of what provides an archetype; with `open`, of unknown described types too.
#[derive(Debug)]
pub(crate) struct Union {
    pub(crate) name: String,
    pub(crate) rust: String,
    pub(crate) doc: Doc,
    pub(crate) variants: Vec<Variant>,
    pub(crate) open: bool,
    /// Other unions that hold everything that this one holds.
    pub(crate) supersets: Vec<Ty>,
    pub(crate) has_float: bool,
}

impl Union {
    /// Whether every value of it is a described one.
    pub(crate) fn is_described(&self) -> bool {
        self.variants
            .iter()
            .all(|variant| matches!(variant.key, Key::Descriptor(_)))
    }

    /// Whether some values of it are described ones.
    pub(crate) fn has_described(&self) -> bool {
        self.variants
            .iter()
            .any(|variant| matches!(variant.key, Key::Descriptor(_)))
    }
}

#[derive(Debug)]
pub(crate) struct Variant {
    pub(crate) rust: String,
    pub(crate) ty: Ty,
    pub(crate) boxed: bool,
    pub(crate) key: Key,
    pub(crate) doc: Doc,
}

/// How a union's decoder tells a variant.
#[derive(Debug)]
pub(crate) enum Key {
    Descriptor(Descriptor),
    /// The names of the format codes' constants.
    Codes(Vec<String>),
}

/// An archetype of the crate that is referred to, which a type of ours provides: reached through `Other`.
#[derive(Debug)]
pub(crate) struct Outer {
    pub(crate) archetype: Ty,
    pub(crate) is_choices: bool,
}

#[derive(Debug)]
pub(crate) struct Constant {
    pub(crate) rust: String,
    pub(crate) ty: Ty,
    pub(crate) value: Literal,
    pub(crate) doc: Doc,
}

#[derive(Debug)]
pub(crate) struct Encoding {
    pub(crate) rust: String,
    pub(crate) type_name: String,
    pub(crate) name: Option<String>,
    pub(crate) code: u8,
    pub(crate) category: Category,
    pub(crate) width: u8,
}

/// A Rust type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ty {
    Primitive(Primitive),
    /// Any value, null included.
    Value,
    /// Any described value.
    Described,
    /// Any value that is not a list, map, array or described.
    Simple,
    /// A symbol or a ulong.
    AnnotationKey,
    /// A type that this generator wrote, in the module of that index.
    Generated {
        module: usize,
        rust: String,
        copy: bool,
    },
    Option(Box<Ty>),
    Boxed(Box<Ty>),
    Map(Box<Ty>, Box<Ty>),
    /// A list whose items are all of one type.
    ListOf(Box<Ty>),
}

/// A constant value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Literal {
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Char(char),
    Text(String),
    /// A variant of the enum whose type is beside it.
    Variant(String),
    /// The literal inside a newtype.
    Inside(Box<Literal>),
}

/// The primitive types of section 1.6, and what each is in Rust.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Primitive {
    Null,
    Boolean,
    Ubyte,
    Ushort,
    Uint,
    Ulong,
    Byte,
    Short,
    Int,
    Long,
    Float,
    Double,
    Decimal32,
    Decimal64,
    Decimal128,
    Char,
    Timestamp,
    Uuid,
    Binary,
    String,
    Symbol,
    List,
    Map,
    Array,
}

/// Every primitive with its AMQP name and its Rust name.
const PRIMITIVES: &[(&str, Primitive, &str)] = &[
    ("null", Primitive::Null, "Null"),
    ("boolean", Primitive::Boolean, "bool"),
    ("ubyte", Primitive::Ubyte, "u8"),
    ("ushort", Primitive::Ushort, "u16"),
    ("uint", Primitive::Uint, "u32"),
    ("ulong", Primitive::Ulong, "u64"),
    ("byte", Primitive::Byte, "i8"),
    ("short", Primitive::Short, "i16"),
    ("int", Primitive::Int, "i32"),
    ("long", Primitive::Long, "i64"),
    ("float", Primitive::Float, "f32"),
    ("double", Primitive::Double, "f64"),
    ("decimal32", Primitive::Decimal32, "Decimal32"),
    ("decimal64", Primitive::Decimal64, "Decimal64"),
    ("decimal128", Primitive::Decimal128, "Decimal128"),
    ("char", Primitive::Char, "char"),
    ("timestamp", Primitive::Timestamp, "Timestamp"),
    ("uuid", Primitive::Uuid, "Uuid"),
    ("binary", Primitive::Binary, "Binary"),
    ("string", Primitive::String, "Str"),
    ("symbol", Primitive::Symbol, "Symbol"),
    ("list", Primitive::List, "List"),
    ("map", Primitive::Map, "Map"),
    ("array", Primitive::Array, "Array"),
];

impl Primitive {
    /// The primitive of that AMQP name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        PRIMITIVES
            .iter()
            .find(|(amqp, ..)| *amqp == name)
            .map(|(_, primitive, _)| *primitive)
    }

    /// Its AMQP name.
    pub(crate) fn name(self) -> &'static str {
        self.row().0
    }

    /// Its Rust name.
    pub(crate) fn rust(self) -> &'static str {
        self.row().2
    }

    /// Whether the Rust type is `Copy`.
    pub(crate) fn is_copy(self) -> bool {
        !self.is_text() && !matches!(self, Self::List | Self::Map | Self::Array)
    }

    /// Whether the Rust type is one of the cheaply cloned strings of octets or characters.
    pub(crate) fn is_text(self) -> bool {
        matches!(self, Self::Binary | Self::String | Self::Symbol)
    }

    /// Whether the Rust type is a float, which has neither `Eq` nor `Hash`.
    pub(crate) fn is_float(self) -> bool {
        matches!(self, Self::Float | Self::Double)
    }

    fn row(self) -> &'static (&'static str, Primitive, &'static str) {
        // invariant: the enum is declared in the table's order, and a test walks both.
        &PRIMITIVES[self as usize]
    }
}

impl Ty {
    /// Whether values are copied rather than moved.
    pub(crate) fn is_copy(&self) -> bool {
        match self {
            Self::Primitive(primitive) => primitive.is_copy(),
            Self::Generated { copy, .. } => *copy,
            Self::Option(inner) => inner.is_copy(),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_primitives_is_in_the_order_of_the_enum() {
        for (name, primitive, rust) in PRIMITIVES {
            assert_eq!((primitive.name(), primitive.rust()), (*name, *rust));
        }
    }
}
