//! A module names only modules below it. The order of the layers stands here, in one table.
//!
//! `paths` finds which module a path in the source leads to, through re-exports; this module compares the two places in the table.
//! A parent that only gathers its children (`proto/mod.rs`) may name all of them; what it defines itself counts as its highest
//! layer. The crate's root gathers everything and is free. Tests are not looked at: they may reach for any layer.

use super::Finding;
use super::paths::{Modules, Reference};
use crate::source::SourceFile;

/// The order of one crate's modules.
struct Order {
    /// The folder of the crate.
    krate: &'static str,
    /// Lowest first. A name covers the modules below it that have no entry of their own.
    layers: &'static [&'static str],
    /// Pairs that do not know each other, whatever their order.
    strangers: &'static [(&'static str, &'static str)],
}

const ORDERS: &[Order] = &[
    Order {
        krate: "codegen",
        layers: &[
            "error",
            "xml",
            "schema",
            "overlay",
            "overrides",
            "naming",
            "target",
            "model",
            "resolve",
            "format",
            "emit",
        ],
        strangers: &[],
    },
    Order {
        krate: "amqp-types",
        layers: &[
            "primitive",
            "value",
            "codec",
            "strategy",
            "generated",
            "message",
        ],
        strangers: &[],
    },
    Order {
        krate: "amqp-client",
        layers: &[
            "proto::ring",
            "proto::arena",
            "proto::write_buf",
            "proto::timer",
            "proto::violation",
            "proto::frame",
            "proto::fragment",
            "proto::credit",
            "proto::delivery",
            "proto::tags",
            "proto::round",
            "proto::disposition",
            "proto::resume",
            "proto::fragment",
            "proto::tally",
            "proto::event",
            "proto::link",
            "proto::session",
            "proto::sasl",
            "proto::connection",
            "secret",
            "error",
            "deadlines",
            "backoff",
            "metrics",
            "telemetry",
            "frames",
            "transport",
            "sasl",
            "driver",
            "recovery",
            "handles",
            "listener",
            "broker",
            "transaction",
            "request",
            "management",
            "cbs",
            "handler",
            "config",
            "blocking",
            "guide",
        ],
        strangers: &[("proto", "transport")],
    },
];

/// Findings over all crates of the table.
pub(super) fn check(files: &[SourceFile]) -> Vec<Finding> {
    ORDERS
        .iter()
        .flat_map(|order| check_crate(order, files))
        .collect()
}

fn check_crate(order: &Order, files: &[SourceFile]) -> Vec<Finding> {
    let modules = Modules::of_crate(order.krate, files);
    let mut findings = Vec::new();
    for (path, module) in modules.files() {
        if order.place(&module).is_none() {
            let message = format!(
                "module `{module}` has no place in the order of layers: give it one in xtask/src/tidy/layers.rs"
            );
            findings.push(Finding::error(path, 1, message));
        }
    }
    for reference in modules.references() {
        findings.extend(order.judge(&reference));
    }
    findings
}

/// Where a module stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// The crate's root or a parent that gathers entries of the table; the number is its highest layer.
    Gathers(usize),
    Layer(usize),
}

impl Order {
    fn place(&self, module: &str) -> Option<Place> {
        let layer = self
            .layers
            .iter()
            .rposition(|layer| is_within(module, layer));
        let gathers = || {
            self.layers
                .iter()
                .rposition(|layer| module.is_empty() || is_within(layer, module))
        };
        layer
            .map(Place::Layer)
            .or_else(|| gathers().map(Place::Gathers))
    }

    fn judge(&self, reference: &Reference<'_>) -> Option<Finding> {
        let (from, to) = (reference.from.as_str(), reference.to.as_str());
        if from.is_empty() || is_within(to, from) {
            return None;
        }
        let finding =
            |message: String| Some(Finding::error(reference.path, reference.line, message));
        if to.is_empty() {
            return finding(format!(
                "`{from}` names the crate's root: name the module that `{}` belongs to",
                reference.item
            ));
        }
        let between = |a, b| is_within(from, a) && is_within(to, b);
        if self
            .strangers
            .iter()
            .any(|(a, b)| between(a, b) || between(b, a))
        {
            return finding(format!(
                "`{from}` names `{to}`: these two do not know each other; join them in a module above both"
            ));
        }
        // A missing place is reported once, for the file.
        let (from_place, to_place) = (self.place(from)?, self.place(to)?);
        let (Place::Gathers(own) | Place::Layer(own)) = from_place;
        let (Place::Gathers(other) | Place::Layer(other)) = to_place;
        if other <= own {
            return None;
        }
        finding(format!(
            "`{from}` names `{to}`, which lies above it: move what is shared down, or turn the dependency round"
        ))
    }
}

/// `module` is `outer` or lies in it.
fn is_within(module: &str, outer: &str) -> bool {
    module
        .strip_prefix(outer)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[(&str, &str)]) -> Vec<String> {
        let files: Vec<_> = files
            .iter()
            .map(|(path, text)| SourceFile::new(path, text).unwrap())
            .collect();
        check(&files)
            .into_iter()
            .map(|finding| format!("{}:{}: {}", finding.path, finding.line, finding.message))
            .collect()
    }

    const LINK: &str = "amqp-client/src/proto/link.rs";
    const SESSION: &str = "amqp-client/src/proto/session.rs";

    #[test]
    fn downward_is_fine_and_upward_is_not() {
        assert!(found(&[(SESSION, "use crate::proto::link::Link;"), (LINK, "")]).is_empty());
        let up = found(&[(LINK, "\nuse super::session::Session;"), (SESSION, "")]);
        assert_eq!(up.len(), 1, "{up:?}");
        assert!(up[0].starts_with("amqp-client/src/proto/link.rs:2: `proto::link` names `proto::session`, which lies above"), "{up:?}");
    }

    #[test]
    fn re_exports_do_not_hide_the_direction() {
        let root = "mod proto; mod driver; pub use driver::Driver;";
        let up = found(&[
            ("amqp-client/src/lib.rs", root),
            ("amqp-client/src/driver.rs", ""),
            (LINK, "fn a(b: crate::Driver) {}"),
        ]);
        assert_eq!(up.len(), 1, "{up:?}");
        assert!(up[0].contains("names `driver`"), "{up:?}");
    }

    #[test]
    fn strangers_may_not_meet_in_either_direction() {
        let found = found(&[
            (
                "amqp-client/src/transport/tcp.rs",
                "use crate::proto::frame::Frame;",
            ),
            ("amqp-client/src/proto/frame.rs", ""),
        ]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains("do not know each other"), "{found:?}");
    }

    #[test]
    fn parents_gather_their_children() {
        let parent = "mod link; mod session; pub use self::session::Session; use link::Link;";
        assert!(
            found(&[
                ("amqp-client/src/proto/mod.rs", parent),
                (LINK, ""),
                (SESSION, "")
            ])
            .is_empty()
        );
    }

    #[test]
    fn tests_may_reach_up() {
        assert!(
            found(&[
                (
                    LINK,
                    "#[cfg(test)]\nmod tests { use crate::driver::Driver; }"
                ),
                ("amqp-client/src/driver.rs", "")
            ])
            .is_empty()
        );
    }

    #[test]
    fn an_unknown_module_is_asked_for_its_place() {
        let found = found(&[("amqp-types/src/novel.rs", "")]);
        assert!(
            found[0].contains("module `novel` has no place"),
            "{found:?}"
        );
    }
}
