//! The names of composite types and of their fields, for people who read frames.
//!
//! Decides which types are printed by name; a test holds the table against the standard's own XML.
//! Sections 2.7, 3.4, 3.5, 4.5, 5.3.3.

use amqp_types::Value;

/// A composite type as it is printed.
#[derive(Debug)]
pub(super) struct Composite {
    /// The lower half of the descriptor; the upper one is 0 for all types of the standard.
    pub(super) code: u64,
    pub(super) name: &'static str,
    /// In the order of the wire.
    pub(super) fields: &'static [&'static str],
}

impl Composite {
    /// The type with this descriptor, a number or a symbol.
    pub(super) fn named(descriptor: &Value) -> Option<&'static Self> {
        match descriptor {
            Value::Ulong(code) => TABLE.iter().find(|row| row.code == *code),
            Value::Symbol(symbol) => {
                let name = symbol.strip_prefix("amqp:")?.strip_suffix(":list")?;
                TABLE.iter().find(|row| row.name == name)
            }
            _ => None,
        }
    }
}

const fn row(code: u64, name: &'static str, fields: &'static [&'static str]) -> Composite {
    Composite { code, name, fields }
}

const TABLE: &[Composite] = &[
    row(
        0x10,
        "open",
        &[
            "container-id",
            "hostname",
            "max-frame-size",
            "channel-max",
            "idle-time-out",
            "outgoing-locales",
            "incoming-locales",
            "offered-capabilities",
            "desired-capabilities",
            "properties",
        ],
    ),
    row(
        0x11,
        "begin",
        &[
            "remote-channel",
            "next-outgoing-id",
            "incoming-window",
            "outgoing-window",
            "handle-max",
            "offered-capabilities",
            "desired-capabilities",
            "properties",
        ],
    ),
    row(
        0x12,
        "attach",
        &[
            "name",
            "handle",
            "role",
            "snd-settle-mode",
            "rcv-settle-mode",
            "source",
            "target",
            "unsettled",
            "incomplete-unsettled",
            "initial-delivery-count",
            "max-message-size",
            "offered-capabilities",
            "desired-capabilities",
            "properties",
        ],
    ),
    row(
        0x13,
        "flow",
        &[
            "next-incoming-id",
            "incoming-window",
            "next-outgoing-id",
            "outgoing-window",
            "handle",
            "delivery-count",
            "link-credit",
            "available",
            "drain",
            "echo",
            "properties",
        ],
    ),
    row(
        0x14,
        "transfer",
        &[
            "handle",
            "delivery-id",
            "delivery-tag",
            "message-format",
            "settled",
            "more",
            "rcv-settle-mode",
            "state",
            "resume",
            "aborted",
            "batchable",
        ],
    ),
    row(
        0x15,
        "disposition",
        &["role", "first", "last", "settled", "state", "batchable"],
    ),
    row(0x16, "detach", &["handle", "closed", "error"]),
    row(0x17, "end", &["error"]),
    row(0x18, "close", &["error"]),
    row(0x1d, "error", &["condition", "description", "info"]),
    row(0x23, "received", &["section-number", "section-offset"]),
    row(0x24, "accepted", &[]),
    row(0x25, "rejected", &["error"]),
    row(0x26, "released", &[]),
    row(
        0x27,
        "modified",
        &[
            "delivery-failed",
            "undeliverable-here",
            "message-annotations",
        ],
    ),
    row(
        0x28,
        "source",
        &[
            "address",
            "durable",
            "expiry-policy",
            "timeout",
            "dynamic",
            "dynamic-node-properties",
            "distribution-mode",
            "filter",
            "default-outcome",
            "outcomes",
            "capabilities",
        ],
    ),
    row(
        0x29,
        "target",
        &[
            "address",
            "durable",
            "expiry-policy",
            "timeout",
            "dynamic",
            "dynamic-node-properties",
            "capabilities",
        ],
    ),
    row(0x2b, "delete-on-close", &[]),
    row(0x2c, "delete-on-no-links", &[]),
    row(0x2d, "delete-on-no-messages", &[]),
    row(0x2e, "delete-on-no-links-or-messages", &[]),
    row(0x30, "coordinator", &["capabilities"]),
    row(0x31, "declare", &["global-id"]),
    row(0x32, "discharge", &["txn-id", "fail"]),
    row(0x33, "declared", &["txn-id"]),
    row(0x34, "transactional-state", &["txn-id", "outcome"]),
    row(0x40, "sasl-mechanisms", &["sasl-server-mechanisms"]),
    row(
        0x41,
        "sasl-init",
        &["mechanism", "initial-response", "hostname"],
    ),
    row(0x42, "sasl-challenge", &["challenge"]),
    row(0x43, "sasl-response", &["response"]),
    row(0x44, "sasl-outcome", &["code", "additional-data"]),
];

#[cfg(test)]
mod tests {
    use super::TABLE;

    const STANDARD: [&str; 4] = [
        include_str!("../../../spec/transport.bare.xml"),
        include_str!("../../../spec/messaging.bare.xml"),
        include_str!("../../../spec/transactions.bare.xml"),
        include_str!("../../../spec/security.bare.xml"),
    ];

    /// The values of an attribute in a piece of XML.
    fn values<'a>(xml: &'a str, before: &str) -> Vec<&'a str> {
        xml.split(before)
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
            .collect()
    }

    #[test]
    fn the_names_are_those_of_the_standard() {
        for row in TABLE {
            let start = format!("<type name=\"{}\" class=\"composite\"", row.name);
            let xml = STANDARD.iter().find_map(|xml| xml.split(&start).nth(1));
            let xml = xml.and_then(|xml| xml.split("</type>").next()).unwrap();
            assert_eq!(values(xml, "<field name=\""), row.fields, "{}", row.name);
            let descriptor = format!(
                "amqp:{}:list\" code=\"0x00000000:{:#010x}\"",
                row.name, row.code
            );
            assert!(xml.contains(&descriptor), "{descriptor}");
        }
    }
}
