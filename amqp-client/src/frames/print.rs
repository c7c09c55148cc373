//! Frames as lines for people.
//!
//! Decides the layout, what is cut short and what is masked. Sections 2.7, 5.3.3.
//!
//! A line is `-> 0 attach(0x12) [name="q", handle=0, role=sender]`: direction, channel, performative
//! and the fields that are not null. The payload of a transfer follows with its length and its
//! beginning. What SASL carries, and the payload of transfers to a `$cbs` node, is a secret.

use std::fmt::{self, Write};

use amqp_types::{Decode, Decoder, Value};
use bytes::Bytes;

use super::names::Composite;

/// How many octets of a binary, of a text and of a payload are printed.
const EXCERPT: usize = 64;
const TEXT: usize = 256;
/// From this length on a line takes no more elements.
const LINE: usize = 4096;

const MASKED: &str = "(masked)";

/// Links of one direction whose payload is a secret: channel and handle.
#[derive(Debug, Default)]
pub(super) struct Secrets(Vec<(u16, u64)>);

impl Secrets {
    /// So many are told apart; with more every payload is masked.
    const MOST: usize = 64;

    /// Follows links to a node that takes tokens, and the end of links and sessions.
    fn follow(&mut self, channel: u16, name: &str, fields: &[Value]) {
        let handle = |index: usize| fields.get(index).and_then(number);
        match name {
            "attach" => {
                let Some(handle) = handle(1) else { return };
                self.0.retain(|known| *known != (channel, handle));
                if fields.get(6).is_some_and(takes_tokens) && self.0.len() < Self::MOST {
                    self.0.push((channel, handle));
                }
            }
            "detach" if self.0.len() < Self::MOST => {
                self.0
                    .retain(|known| Some(known.1) != handle(0) || known.0 != channel);
            }
            "end" if self.0.len() < Self::MOST => self.0.retain(|known| known.0 != channel),
            _ => {}
        }
    }

    fn hides(&self, channel: u16, fields: &[Value]) -> bool {
        self.0.len() >= Self::MOST
            || fields
                .first()
                .and_then(number)
                .is_some_and(|handle| self.0.contains(&(channel, handle)))
    }
}

/// Whether a target is a node of claims-based security.
fn takes_tokens(target: &Value) -> bool {
    let Value::Described(target) = target else {
        return false;
    };
    let Value::List(fields) = &target.value else {
        return false;
    };
    fields
        .first()
        .and_then(Value::as_str)
        .is_some_and(|address| address.trim_start_matches('/').starts_with("$cbs"))
}

fn number(value: &Value) -> Option<u64> {
    match value {
        Value::Uint(n) => Some(u64::from(*n)),
        Value::Ulong(n) => Some(*n),
        _ => None,
    }
}

/// Appends what the body of a frame says; `missing` octets of it were not kept.
pub(super) fn frame(
    line: &mut String,
    channel: u16,
    body: &[u8],
    missing: usize,
    secrets: &mut Secrets,
) -> fmt::Result {
    if body.is_empty() && missing == 0 {
        return line.write_str("(empty)");
    }
    let octets = Bytes::copy_from_slice(body);
    let mut decoder = Decoder::new(&octets);
    let Ok(Value::Described(performative)) = Value::decode(&mut decoder) else {
        // It may be the octets of a secret that do not make a whole.
        return write!(line, "unreadable, {} octets", body.len() + missing);
    };
    described(line, &performative.descriptor, &performative.value)?;
    let payload = &body[decoder.position()..];
    let fields = match &performative.value {
        Value::List(fields) => fields.as_slice(),
        _ => &[],
    };
    let name = Composite::named(&performative.descriptor).map_or("", |known| known.name);
    secrets.follow(channel, name, fields);
    let length = payload.len() + missing;
    if length > 0 {
        write!(line, " payload {length} octets ")?;
        match secrets.hides(channel, fields) || name.starts_with("sasl-") {
            true => line.write_str(MASKED)?,
            false => excerpt(line, payload, length)?,
        }
    }
    Ok(())
}

/// Octets between quotes, escaped, and `…` where some are left out.
pub(super) fn excerpt(line: &mut String, octets: &[u8], length: usize) -> fmt::Result {
    let shown = &octets[..octets.len().min(EXCERPT)];
    write!(line, "b\"{}\"", shown.escape_ascii())?;
    if shown.len() < length {
        line.write_char('…')?;
    }
    Ok(())
}

fn described(line: &mut String, descriptor: &Value, content: &Value) -> fmt::Result {
    let (Some(known), Value::List(fields)) = (Composite::named(descriptor), content) else {
        line.write_char('@')?;
        value(line, descriptor)?;
        line.write_char(' ')?;
        return value(line, content);
    };
    write!(line, "{}({:#04x}) [", known.name, known.code)?;
    let mut first = true;
    for (index, field) in fields.iter().enumerate().filter(|(_, f)| !f.is_null()) {
        if !std::mem::take(&mut first) {
            line.write_str(", ")?;
        }
        if line.len() > LINE {
            line.write_char('…')?;
            break;
        }
        match known.fields.get(index) {
            Some(name) => {
                write!(line, "{name}=")?;
                named(line, known.name, name, field)?;
            }
            // More fields than the type has: that is the peer's mistake.
            None => {
                write!(line, "?{index}=")?;
                value(line, field)?;
            }
        }
    }
    line.write_char(']')
}

/// A field whose name says how it is read.
fn named(line: &mut String, of: &str, name: &str, field: &Value) -> fmt::Result {
    let choices: &[&str] = match (of, name) {
        ("sasl-init", "initial-response")
        | ("sasl-challenge", _)
        | ("sasl-response", _)
        | ("sasl-outcome", "additional-data") => return line.write_str(MASKED),
        (_, "role") => match field {
            Value::Bool(false) => return line.write_str("sender"),
            Value::Bool(true) => return line.write_str("receiver"),
            _ => &[],
        },
        (_, "snd-settle-mode") => &["unsettled", "settled", "mixed"],
        (_, "rcv-settle-mode") => &["first", "second"],
        ("sasl-outcome", "code") => &["ok", "auth", "sys", "sys-perm", "sys-temp"],
        ("source" | "target", "durable") => &["none", "configuration", "unsettled-state"],
        _ => &[],
    };
    let index = match field {
        Value::Ubyte(index) => Some(usize::from(*index)),
        Value::Uint(index) => usize::try_from(*index).ok(),
        _ => None,
    };
    match index.and_then(|index| choices.get(index)) {
        Some(choice) => line.write_str(choice),
        None => value(line, field),
    }
}

fn value(line: &mut String, shown: &Value) -> fmt::Result {
    match shown {
        Value::String(text) => self::text(line, text, |text| format!("{text:?}")),
        Value::Symbol(text) => self::text(line, text, |text| format!(":{text}")),
        Value::Binary(octets) => excerpt(line, octets, octets.len()),
        Value::List(items) => sequence(line, items.iter()),
        Value::Array(items) => sequence(line, items.iter()),
        Value::Map(entries) => {
            line.write_char('{')?;
            for (index, (key, entry)) in entries.iter().enumerate() {
                if !comma(line, index)? {
                    break;
                }
                value(line, key)?;
                line.write_str(": ")?;
                value(line, entry)?;
            }
            line.write_char('}')
        }
        Value::Described(inner) => described(line, &inner.descriptor, &inner.value),
        simple => write!(line, "{simple}"),
    }
}

fn text(line: &mut String, text: &str, quoted: impl Fn(&str) -> String) -> fmt::Result {
    let end = text.char_indices().nth(TEXT).map(|(at, _)| at);
    line.write_str(&quoted(&text[..end.unwrap_or(text.len())]))?;
    if end.is_some() {
        line.write_char('…')?;
    }
    Ok(())
}

fn sequence<'a>(line: &mut String, items: impl Iterator<Item = &'a Value>) -> fmt::Result {
    line.write_char('[')?;
    for (index, item) in items.enumerate() {
        if !comma(line, index)? {
            break;
        }
        value(line, item)?;
    }
    line.write_char(']')
}

/// What stands between two elements; `false` when the line takes no more.
fn comma(line: &mut String, index: usize) -> Result<bool, fmt::Error> {
    if index > 0 {
        line.write_str(", ")?;
    }
    if line.len() > LINE {
        line.write_char('…')?;
        return Ok(false);
    }
    Ok(true)
}
