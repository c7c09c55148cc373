//! The one table of exceptions: what neither the XML nor an overlay nor a rule decides.
//!
//! Decides names that no rule gives, archetypes that nothing provides, and what is boxed to keep hot structs small. Add
//! here last; a rule, or a line of an overlay, is better.

/// Archetypes whose enum is not named after them: the enum of all frame bodies is a performative (section 2.7).
const ARCHETYPE_NAMES: &[(&str, &str)] = &[("frame", "Performative")];

/// Archetypes that are required and that no type provides: the standard leaves global transaction ids to others
/// (section 4.5.2), so the field holds any value.
const UNPROVIDED: &[&str] = &["global-tx-id"];

/// Fields kept behind a box, as (type, field). Errors and nested outcomes are rare and large; a transfer, a disposition
/// and their delivery state are frequent and are moved about.
const BOXED_FIELDS: &[(&str, &str)] = &[
    ("rejected", "error"),
    ("transactional-state", "outcome"),
    ("detach", "error"),
    ("end", "error"),
    ("close", "error"),
];

/// Variants kept behind a box, as (archetype, type): frames that come once in a connection's, session's or link's life.
const BOXED_VARIANTS: &[(&str, &str)] =
    &[("frame", "open"), ("frame", "begin"), ("frame", "attach")];

/// The Rust name of an archetype, where the table has one.
pub(crate) fn archetype_name(archetype: &str) -> Option<&'static str> {
    ARCHETYPE_NAMES
        .iter()
        .find(|(name, _)| *name == archetype)
        .map(|(_, rust)| *rust)
}

/// Whether nothing need provide this archetype.
pub(crate) fn is_unprovided(archetype: &str) -> bool {
    UNPROVIDED.contains(&archetype)
}

/// Whether this field is boxed.
pub(crate) fn is_boxed_field(type_name: &str, field: &str) -> bool {
    BOXED_FIELDS.contains(&(type_name, field))
}

/// Whether this variant of an archetype's enum is boxed.
pub(crate) fn is_boxed_variant(archetype: &str, type_name: &str) -> bool {
    BOXED_VARIANTS.contains(&(archetype, type_name))
}
