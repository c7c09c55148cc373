//! Where the generated files will lie, and by which paths they reach the rest.
//!
//! Decides paths alone: inside the crate of types, or in a crate that depends on it.

/// The crate that the generated files become part of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// The crate of types itself: the files are its module `generated`.
    Own,
    /// A crate that depends on the crate of types.
    Dependent {
        /// The path by which that crate is known there, such as `amqp_types`.
        types: String,
        /// The feature behind which strategies for property tests are written; without one, none are.
        strategies: Option<String>,
    },
}

impl Target {
    /// Whether it is the crate of types itself.
    pub(crate) fn is_own(&self) -> bool {
        *self == Self::Own
    }

    pub(crate) fn codec(&self) -> String {
        self.below("codec")
    }

    /// The feature behind which strategies are written.
    pub(crate) fn strategy_feature(&self) -> Option<&str> {
        match self {
            Self::Own => Some("proptest"),
            Self::Dependent { strategies, .. } => strategies.as_deref(),
        }
    }

    pub(crate) fn strategy(&self) -> String {
        self.below("strategy")
    }

    /// A crate that the crate of types depends on and exports again.
    pub(crate) fn extern_crate(&self, name: &str) -> String {
        match self {
            Self::Own => name.to_owned(),
            Self::Dependent { types: path, .. } => format!("{path}::{name}"),
        }
    }

    /// The crate itself has layers; others see its root.
    pub(crate) fn primitive(&self) -> String {
        self.layer("primitive")
    }

    pub(crate) fn value(&self) -> String {
        self.layer("value")
    }

    /// Where the modules lie that are only referred to.
    pub(crate) fn generated(&self) -> String {
        match self {
            Self::Own => "super".to_owned(),
            Self::Dependent { types: path, .. } => path.clone(),
        }
    }

    /// The descriptors known to the crate that is referred to.
    pub(crate) fn generated_known(&self) -> Option<String> {
        match self {
            Self::Own => None,
            Self::Dependent { types: path, .. } => Some(format!("{path}::DESCRIPTORS")),
        }
    }

    /// The name of the macro that walks the types.
    pub(crate) fn walk_macro(&self) -> &'static str {
        match self {
            Self::Own => "for_each_generated_type",
            Self::Dependent { .. } => "for_each_type",
        }
    }

    /// What stands before a module's name in that macro.
    pub(crate) fn walk_root(&self) -> &'static str {
        match self {
            Self::Own => "$crate::",
            Self::Dependent { .. } => "",
        }
    }

    fn below(&self, module: &str) -> String {
        match self {
            Self::Own => format!("crate::{module}"),
            Self::Dependent { types: path, .. } => format!("{path}::{module}"),
        }
    }

    fn layer(&self, module: &str) -> String {
        match self {
            Self::Own => format!("crate::{module}"),
            Self::Dependent { types: path, .. } => path.clone(),
        }
    }
}
